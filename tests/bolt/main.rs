//! Bolt over real sockets: Neo4j's own drivers as their users use them, and clients that mean harm.
//!
//! The drivers are installed once, each version in an environment of its own below `target/`. Without
//! Python, Node.js or a package index they are skipped, and it is said loudly; with `REEFLOOM_DRIVERS=required` the
//! tests fail then.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that unwraps fails, as it should")]

mod driver;
mod raw_client;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use raw_client::{RawClient, WELCOME};
use reefloom::engine::{Engine, WorkspaceSettings};
use reefloom::server::{BoltOptions, Tls, Tokens, serve_bolt};

/// A node with the workspaces `fleet` (branches `main` and `draft`) and `other`.
struct Server {
    address: SocketAddr,
    stop: tokio::sync::oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<std::io::Result<()>>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Server {
    fn start(options: BoltOptions) -> Server {
        let engine = Engine::in_memory();
        let fleet = engine.create_workspace("fleet", WorkspaceSettings::default(), 0).unwrap();
        fleet.create_branch("draft", None).unwrap();
        engine.create_workspace("other", WorkspaceSettings::default(), 0).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let shutdown = async move { drop(stopped.await) };
        let ended = runtime.spawn(serve_bolt(listener, Arc::new(engine), options, shutdown));
        Server { address, stop, ended, runtime: Some(runtime) }
    }

    fn connect(&self) -> RawClient {
        RawClient::connect(self.address)
    }

    /// A client that has said who it is.
    fn log_in(&self) -> RawClient {
        let mut client = self.connect();
        client.shake_hands();
        client.hello();
        client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }
}

#[test]
fn python_driver_6() {
    driver::python("6.4.1", Server::start(BoltOptions::default()).address);
}

#[test]
fn python_driver_5() {
    driver::python("5.28.8", Server::start(BoltOptions::default()).address);
}

/// It speaks Bolt 4.4: entities without element ids, date-times as a clock shows them.
#[test]
fn python_driver_4() {
    driver::python("4.4.13", Server::start(BoltOptions::default()).address);
}

/// It offers Bolt 4.0 and 4.1.
#[test]
fn rust_driver() {
    driver::rust(Server::start(BoltOptions::default()).address);
}

#[test]
fn javascript_driver_6() {
    driver::javascript("6.3.0", Server::start(BoltOptions::default()).address);
}

#[test]
fn javascript_driver_5() {
    driver::javascript("5.28.3", Server::start(BoltOptions::default()).address);
}

/// By `bolt+s://`, `bolt+ssc://` and their kin.
#[test]
fn tokens_and_tls() {
    let folder = tempfile::tempdir().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.key_pair.serialize_pem()).unwrap();
    let token = "correct-horse-battery-staple";
    let options = BoltOptions {
        tokens: Some(Arc::new(Tokens::parse(&format!("anna:{token}")).unwrap())),
        tls: Some(Tls::load(&certificate, &key).unwrap()),
        ..BoltOptions::default()
    };
    driver::door(Server::start(options).address, token, &certificate);
}

#[test]
fn langchain() {
    let packages = ["langchain-neo4j==0.11.0", "neo4j-graphrag==1.21.0", "neo4j==5.28.8"];
    let server = Server::start(BoltOptions::default());
    driver::python_library("tests/bolt/langchain_graph.py", &packages, server.address);
}

#[test]
fn llama_index() {
    let packages = ["llama-index-graph-stores-neo4j==0.8.0", "llama-index-core==0.14.25", "neo4j==5.28.8"];
    let server = Server::start(BoltOptions::default());
    driver::python_library("tests/bolt/llama_index_store.py", &packages, server.address);
}

#[test]
fn strangers_are_cut_off_and_nobody_else_notices() {
    let server = Server::start(BoltOptions { login_timeout: Duration::from_millis(500), ..options() });
    let mut friend = server.log_in();
    let mut mute = server.connect();
    let mut slow = server.connect();
    slow.shake_hands();
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 20], &[0xFF; 4096], &[0x60, 0x60, 0xB0, 0x18]] {
        let mut client = server.connect();
        client.send(garbage);
        assert!(client.rest().len() <= 4, "at most the refusal of a version");
    }
    let chunk = [&[0xFF, 0xFF][..], &[0x93; 0xFFFF]].concat();
    for foreign in [vec![0, 1, 0x77, 0, 0], vec![0, 2, 0xB1, 0x01, 0, 0], chunk.repeat(2)] {
        let mut client = server.connect();
        client.shake_hands();
        client.send(&foreign);
        assert!(client.next_tag() == Some(0x7F) && client.next_tag().is_none(), "a failure, and the end");
    }
    assert_eq!(friend.run("RETURN 1"), [0x70, 0x71, 0x70]);
    let mut endless = server.connect();
    endless.shake_hands();
    let began = Instant::now();
    while endless.try_send(&[0; 64]) && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(began.elapsed() < Duration::from_secs(10), "what means nothing does not keep a stranger here");
    assert_eq!((mute.rest().len(), slow.rest().len()), (0, 0));
    assert_eq!(friend.run("RETURN 1"), [0x70, 0x71, 0x70]);
}

#[test]
fn a_message_may_be_long_but_not_endless() {
    let server = Server::start(BoltOptions { message_bytes_max: 1 << 20, ..options() });
    let mut friend = server.log_in();
    let long = format!("RETURN size('{}')", "x".repeat(900_000));
    assert_eq!(friend.run(&long), [0x70, 0x71, 0x70]);
    let mut client = server.log_in();
    let chunk = [&[0xFF, 0xFF][..], &[0x93; 0xFFFF]].concat();
    while client.try_send(&chunk) {}
    assert_eq!(friend.run("RETURN 1"), [0x70, 0x71, 0x70]);
}

#[test]
fn there_are_so_many_connections_and_no_more() {
    let server = Server::start(BoltOptions { connections_max: 2, ..options() });
    let (mut first, second) = (server.log_in(), server.log_in());
    assert!(server.connect().rest().is_empty());
    drop(second);
    let began = Instant::now();
    while !server.connect().try_shake_hands() {
        assert!(began.elapsed() < Duration::from_secs(10), "a place is free again");
    }
    assert_eq!(first.run("RETURN 1"), [0x70, 0x71, 0x70]);
}

const HEAVY: &str = "UNWIND range(1, 30000) AS a UNWIND range(1, 30000) AS b RETURN count(*)";

#[test]
fn a_reset_stops_what_runs() {
    let server = Server::start(options());
    let mut client = server.log_in();
    client.send_run(HEAVY);
    std::thread::sleep(Duration::from_millis(100));
    client.send_reset();
    let began = Instant::now();
    assert_eq!(client.tags(2), [0x70, 0x7F], "it had begun, and was ended");
    assert_eq!(client.next_tag(), Some(0x70), "the RESET");
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(client.run("RETURN 1"), [0x70, 0x71, 0x70]);
}

#[test]
fn who_leaves_takes_no_thread_along() {
    let server = Server::start(BoltOptions { query_threads: 1, ..options() });
    let mut client = server.log_in();
    client.send_run(HEAVY);
    std::thread::sleep(Duration::from_millis(100));
    drop(client);
    let mut reader = server.log_in();
    reader.send_run("UNWIND range(1, 30000) AS a UNWIND range(1, 30000) AS b RETURN a, b");
    std::thread::sleep(Duration::from_millis(100));
    drop(reader);
    let began = Instant::now();
    assert_eq!(server.log_in().run("RETURN 1"), [0x70, 0x71, 0x70]);
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn the_end_waits_for_what_is_under_way_and_for_nobody_else() {
    let mut server = Server::start(BoltOptions { grace: Duration::from_secs(3600), ..options() });
    let (mut idle, mut busy) = (server.log_in(), server.log_in());
    busy.send_run("UNWIND range(1, 300) AS a UNWIND range(1, 300) AS b RETURN count(*)");
    assert_eq!(busy.next_tag(), Some(0x70));
    let (stop, _) = tokio::sync::oneshot::channel();
    std::mem::replace(&mut server.stop, stop).send(()).unwrap();
    assert_eq!(busy.tags(3), [0x71, 0x70], "its answer is whole, then the connection ends");
    assert_eq!(idle.next_tag(), None);
    let runtime = server.runtime.take().unwrap();
    runtime.block_on(&mut server.ended).unwrap().unwrap();
}

#[test]
fn messages_may_come_together_and_in_pieces() {
    let server = Server::start(options());
    let mut client = server.connect();
    client.shake_hands();
    client.send_slowly(&raw_client::messages(&[WELCOME, &raw_client::run("RETURN 1"), raw_client::PULL_ALL]));
    assert_eq!(client.tags(4), [0x70, 0x70, 0x71, 0x70]);
}

fn options() -> BoltOptions {
    BoltOptions { query_threads: 4, ..BoltOptions::default() }
}
