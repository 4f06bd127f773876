//! The doors of a node: who comes in with tokens, and by TLS.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that unwraps fails, as it should")]

mod served;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use reefloom::engine::{Engine, WorkspaceSettings};
use reefloom::server::{HttpOptions, Tls, TlsError, Tokens};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use served::Served;

const TOKEN: &str = "correct-horse-battery-staple";

fn fleet(options: HttpOptions) -> Served {
    let engine = Engine::in_memory();
    engine.create_workspace("fleet", WorkspaceSettings::default(), 0).unwrap();
    Served::start(engine, options)
}

fn tokens() -> Option<Arc<Tokens>> {
    Some(Arc::new(Tokens::parse(&format!("anna:{TOKEN}\n")).unwrap()))
}

/// Writes a certificate for this machine and its key; returns their paths.
fn certificate(folder: &Path) -> [std::path::PathBuf; 2] {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let paths = ["cert.pem", "key.pem"].map(|name| folder.join(name));
    fs::write(&paths[0], made.cert.pem()).unwrap();
    fs::write(&paths[1], made.key_pair.serialize_pem()).unwrap();
    paths
}

#[test]
fn a_token_is_asked_for_everywhere_but_at_the_porch() {
    let served = fleet(HttpOptions { tokens: tokens(), ..HttpOptions::default() });
    let basic =
        |name: &str, token: &str| format!("Basic {}", BASE64.encode(format!("{name}:{token}").as_bytes()));
    let ask = |target: &str, credentials: Option<&str>| {
        let headers: Vec<_> =
            credentials.map(|credentials| ("Authorization", credentials)).into_iter().collect();
        served.send("GET", target, &headers, "")
    };
    let statement = "/cypher?query=SHOW+CURRENT+USER+YIELD+user+RETURN+user";
    for good in [format!("Bearer {TOKEN}"), format!("bearer  {TOKEN}"), basic("anna", TOKEN)] {
        let reply = ask(statement, Some(&good));
        assert_eq!((reply.status, reply.json()["rows"][0][0].as_str()), (200, Some("anna")), "{good}");
    }
    let wrong = [
        format!("Bearer {TOKEN}x"),
        "Bearer".to_owned(),
        basic("bert", TOKEN),
        basic("anna", "x"),
        TOKEN.to_owned(),
    ];
    for bad in wrong.iter().map(|bad| Some(bad.as_str())).chain([None]) {
        for target in [statement, "/sparql?query=ASK+{}", "/v1/cluster/status", "/fleet/branches", "/nothing"]
        {
            let reply = ask(target, bad);
            assert_eq!(reply.status, 401, "{target} {bad:?}");
            assert!(reply.header("www-authenticate").starts_with("Bearer "), "{target}");
        }
    }
    for open in ["/", "/healthz", "/readyz"] {
        assert_eq!(ask(open, None).status, 200, "{open}");
    }
    assert_eq!(served.send("OPTIONS", "/cypher", &[], "").status, 204);
    let reply = served.send("POST", "/db/neo4j/query/v2", &[("Content-Type", "application/json")], "{}");
    assert_eq!(reply.status, 401);
    assert_eq!(reply.json()["errors"][0]["code"], "Neo.ClientError.Security.Unauthorized");
}

/// Sends a request by TLS and returns the answer.
fn get_by_tls(served: &Served, certificate: &Path, head: &str) -> std::io::Result<String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(served.address)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut stream = rustls::StreamOwned::new(connection, socket);
    stream.write_all(head.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

#[test]
fn https_is_served_and_nothing_else_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    let [certificate_path, key] = certificate(folder.path());
    let tls = Tls::load(&certificate_path, &key).unwrap();
    let served = fleet(HttpOptions { tls: Some(tls), ..HttpOptions::default() });
    // Who connects and says nothing holds up nobody.
    let _silent: Vec<TcpStream> = (0..8).map(|_| TcpStream::connect(served.address).unwrap()).collect();
    let head = "GET /cypher?query=UNWIND+range(1,20000)+AS+n+RETURN+n HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = get_by_tls(&served, &certificate_path, head).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("20000"),
        "{}",
        &answer[..200.min(answer.len())]
    );
    let mut plain = TcpStream::connect(served.address).unwrap();
    plain.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    let stranger = tempfile::tempdir().unwrap();
    let [other, _] = certificate(stranger.path());
    assert!(get_by_tls(&served, &other, head).is_err(), "another certificate vouches for nobody");
}

#[test]
fn what_is_no_certificate_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let [cert, key] = certificate(folder.path());
    let other = folder.path().join("other");
    fs::create_dir(&other).unwrap();
    let [_, other_key] = certificate(&other);
    let nothing = folder.path().join("nothing.pem");
    fs::write(&nothing, "nothing\n").unwrap();
    let missing = folder.path().join("missing.pem");
    assert!(matches!(Tls::load(&missing, &key), Err(TlsError::Unreadable { what: "certificate", .. })));
    assert!(matches!(Tls::load(&cert, &missing), Err(TlsError::Unreadable { what: "key", .. })));
    assert!(matches!(Tls::load(&nothing, &key), Err(TlsError::NoPem { what: "certificate", .. })));
    assert!(matches!(Tls::load(&cert, &nothing), Err(TlsError::NoPem { what: "private key", .. })));
    assert!(matches!(Tls::load(&key, &key), Err(TlsError::NoPem { what: "certificate", .. })));
    assert!(matches!(Tls::load(&cert, &other_key), Err(TlsError::Mismatch(_))));
}

fn reefloom(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reefloom"));
    command.arg("--data").arg(folder).args(arguments).current_dir(folder);
    command
}

/// A node that ends with the test.
struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn commands_come_in_by_their_own_door() {
    let folder = tempfile::tempdir().unwrap();
    let [cert, key] = certificate(folder.path()).map(|path| path.to_str().unwrap().to_owned());
    let token_file = folder.path().join("tokens");
    fs::write(&token_file, format!("anna:{TOKEN}\n")).unwrap();
    let tokens = token_file.to_str().unwrap();
    assert!(reefloom(folder.path(), &["init", "fleet"]).output().unwrap().status.success());
    let serve = ["serve", "--offline", "--http", "127.0.0.1:0", "--bolt", "127.0.0.1:0"];
    for doors in [&["--token-file", tokens][..], &["--tls-cert", &cert, "--tls-key", &key]] {
        let mut command = reefloom(folder.path(), &serve);
        let mut node = Node(command.args(doors).stdout(Stdio::piped()).spawn().unwrap());
        let mut first = String::new();
        BufReader::new(node.0.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let url = first.split_whitespace().find(|word| word.contains("://")).unwrap();
        assert_eq!(url.starts_with("https://"), doors[0] == "--tls-cert", "{first}");
        let query = reefloom(folder.path(), &["query", "RETURN 40 + 2 AS n"]).output().unwrap();
        let text = String::from_utf8_lossy(&query.stdout).into_owned();
        assert!(
            query.status.success() && text.contains("42"),
            "{text}{}",
            String::from_utf8_lossy(&query.stderr)
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let note = fs::metadata(folder.path().join("node.json")).unwrap();
            assert_eq!(note.permissions().mode() & 0o777, 0o600);
        }
    }
    fs::write(&token_file, "short\n").unwrap();
    for doors in
        [&["--token-file", tokens][..], &["--tls-cert", &key, "--tls-key", &key], &["--tls-cert", &cert]]
    {
        let output = reefloom(folder.path(), &serve).args(doors).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
