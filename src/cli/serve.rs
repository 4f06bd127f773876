use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use super::{Failure, demo, output, place};
use crate::config::Config;
use crate::engine::{EngineOptions, Peering, RunningNode};
use crate::server::{self, BoltOptions, HttpOptions, HttpServices, Tls, Tokens};

/// Where Bolt's clients look unless told otherwise.
const BOLT: &str = "127.0.0.1:7687";
/// Where this machine's own commands ask a node whose other doors speak TLS: any port, of loopback only.
const OWN_DOOR: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const OFF: &str = "off";
/// Where the demo lives unless --data says otherwise, so that it never mixes with real data.
const DEMO_FOLDER: &str = "./reefloom-demo";

#[derive(clap::Args)]
#[command(after_help = "\
Loopback only, unless --http or --bolt names another address. Whoever reaches the port may read and write, unless
--token-file asks for tokens: a line a token, `name:token` or the token alone. Port 0 picks a free one and prints
it. Ctrl-C ends.")]
pub struct Arguments {
    /// Serve a small maritime demo, made on the first run
    #[arg(long)]
    demo: bool,
    /// Where clients connect [default: 127.0.0.1:4242]
    #[arg(long, value_name = "ADDR:PORT")]
    http: Option<String>,
    /// Where clients connect by Bolt, or `off` [default: 127.0.0.1:7687, if it is free]
    #[arg(long, value_name = "ADDR:PORT")]
    bolt: Option<String>,
    /// Where peers connect [default: 127.0.0.1:4243]
    #[arg(long, value_name = "ADDR:PORT")]
    p2p: Option<String>,
    /// Refuse writes
    #[arg(long)]
    read_only: bool,
    /// Let in only who has a token of this file
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Serve HTTP and Bolt by TLS with this certificate, and those that vouch for it
    #[arg(long, value_name = "PEM", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key
    #[arg(long, value_name = "PEM", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A SPARQL endpoint that queries may ask by SERVICE; may be repeated, `*` is any
    #[arg(long, value_name = "URL")]
    service: Vec<String>,
    /// The folder whose files LOAD CSV may read [default: it reads none]
    #[arg(long, value_name = "DIR")]
    csv_dir: Option<PathBuf>,
    /// Log queries that take longer
    #[arg(long, value_name = "MS", default_value_t = 5_000)]
    slow_query: u64,
    /// Refuse results of more rows [default: any size]
    #[arg(long, value_name = "COUNT")]
    rows_max: Option<u64>,
    /// Neither ask peers nor answer them
    #[arg(long)]
    offline: bool,
}

pub fn run(config: &Config, arguments: Arguments) -> Result<(), Failure> {
    let folder = match arguments.demo && config.data_is_default {
        true => PathBuf::from(DEMO_FOLDER),
        false => config.data.clone(),
    };
    let http = address(arguments.http.as_deref().unwrap_or(&config.http))?;
    let p2p = address(arguments.p2p.as_deref().unwrap_or(&config.p2p))?;
    let peering = if arguments.offline { Peering::Offline } else { Peering::Listen(p2p) };
    let options = EngineOptions { peering, folder: folder.clone(), ..place::options(config) };
    // Before the folder is taken: a wrong file is the quickest mistake to tell of.
    let door = Door::open(&arguments)?;
    let engine = Arc::new(place::take_any(options)?);
    if arguments.demo {
        demo::fill(&engine)?;
    }
    let Some(first) = engine.workspaces().into_iter().next() else {
        return Err(Failure::not_found(format!(
            "{} holds no workspace; make one with `reefloom init NAME`, or try `reefloom serve --demo`",
            folder.display()
        )));
    };
    let _upkeep = engine.start_upkeep();
    let mut options = HttpOptions { read_only: arguments.read_only, ..HttpOptions::default() };
    let mut bolt_options = BoltOptions { read_only: arguments.read_only, ..BoltOptions::default() };
    if !arguments.service.is_empty() {
        options.services = Some(Arc::new(HttpServices::new(arguments.service)));
    }
    (options.tokens, options.tls) = (door.tokens.clone(), door.tls.clone());
    (bolt_options.tokens, bolt_options.tls) = (door.tokens.clone(), door.tls.clone());
    let files = arguments.csv_dir.map(|folder| place::csv_folder(&folder)).transpose()?.map(Arc::new);
    (options.files, bolt_options.files) = (files.clone(), files);
    options.slow_query = Duration::from_millis(arguments.slow_query);
    for limits in [&mut options.limits, &mut bolt_options.limits] {
        limits.rows_max = arguments.rows_max;
        limits.memory_bytes_max = limits.memory_bytes_max.min(config.memory.query_bytes_max);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = listen(http).await?;
        let bolt_listener = listen_bolt(arguments.bolt.as_deref().or(config.bolt.as_deref())).await?;
        let own_listener = match door.tls {
            Some(_) => Some(listen(OWN_DOOR).await?),
            None => None,
        };
        let mut running = RunningNode {
            pid: std::process::id(),
            http: listener.local_addr()?,
            bolt: bolt_listener.as_ref().map(TcpListener::local_addr).transpose()?,
            p2p: engine.peer_addresses(),
            token: door.own_token.clone(),
        };
        options.bolt_address = running.bolt.map(|address| address.to_string());
        greet(config, &running, first.name(), arguments.demo, door.tls.is_some())?;
        if let Some(own) = &own_listener {
            running.http = own.local_addr()?;
        }
        let _note = running.announce(&folder)?;
        let own = async {
            match own_listener {
                Some(own) => {
                    let options = HttpOptions { tls: None, tokens: door.own_tokens(), ..options.clone() };
                    server::serve(own, engine.clone(), options, interrupted()).await
                }
                None => Ok(()),
            }
        };
        let bolt = async {
            match bolt_listener {
                Some(bolt) => server::serve_bolt(bolt, engine.clone(), bolt_options, interrupted()).await,
                None => Ok(()),
            }
        };
        tokio::try_join!(server::serve(listener, engine.clone(), options.clone(), interrupted()), bolt, own)?;
        Ok(())
    })
}

/// Who may come in, and how.
struct Door {
    tokens: Option<Arc<Tokens>>,
    tls: Option<Tls>,
    /// What lets in the commands of whoever may read the data folder.
    own_token: Option<String>,
}

impl Door {
    fn open(arguments: &Arguments) -> Result<Door, Failure> {
        let tls = match (&arguments.tls_cert, &arguments.tls_key) {
            (Some(certificate), Some(key)) => {
                let loaded = Tls::load(certificate, key);
                Some(loaded.map_err(|error| Failure::usage(error.to_string()))?)
            }
            _ => None,
        };
        let mut tokens = arguments.token_file.as_deref().map(read_tokens).transpose()?;
        let own_token = match tls.is_some() || tokens.is_some() {
            true => Some(fresh_token()?),
            false => None,
        };
        if let (Some(tokens), Some(own)) = (&mut tokens, &own_token) {
            tokens.add(None, own);
        }
        Ok(Door { tokens: tokens.map(Arc::new), tls, own_token })
    }

    /// Returns what the door without TLS asks for that only this machine's commands use.
    fn own_tokens(&self) -> Option<Arc<Tokens>> {
        let mut tokens = Tokens::default();
        tokens.add(None, self.own_token.as_deref()?);
        Some(Arc::new(tokens))
    }
}

fn read_tokens(path: &Path) -> Result<Tokens, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let is_open = |metadata: std::fs::Metadata| metadata.permissions().mode() & 0o077 != 0;
        if std::fs::metadata(path).is_ok_and(is_open) {
            tracing::warn!("{} can be read by others; `chmod 600` it", path.display());
        }
    }
    Tokens::parse(&text).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

fn fresh_token() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| Failure::other(format!("no randomness: {error}")))?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| Failure::other(format!("cannot listen on {address}: {error}")))
}

/// Listens for Bolt; `None` if it is off, or if nobody asked for it and its usual port is taken.
async fn listen_bolt(asked: Option<&str>) -> Result<Option<TcpListener>, Failure> {
    match asked {
        Some(OFF) => Ok(None),
        Some(text) => listen(address(text)?).await.map(Some),
        None => match TcpListener::bind(BOLT).await {
            Ok(listener) => Ok(Some(listener)),
            Err(error) => {
                tracing::warn!("no Bolt: {BOLT}: {error}; --bolt names another address");
                Ok(None)
            }
        },
    }
}

/// Completes when the user or the system asks the process to end.
async fn interrupted() {
    #[cfg(unix)]
    if let Ok(mut terminated) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        }
        return;
    }
    // Without a handler the signal ends the process by itself.
    let _ = tokio::signal::ctrl_c().await;
}

fn address(text: &str) -> Result<SocketAddr, Failure> {
    text.parse().map_err(|_| Failure::usage(format!("'{text}' is no ADDR:PORT, such as 127.0.0.1:4242")))
}

fn greet(
    config: &Config,
    node: &RunningNode,
    workspace: &str,
    is_demo: bool,
    is_tls: bool,
) -> Result<(), Failure> {
    let url = format!("{}://{}", if is_tls { "https" } else { "http" }, node.http);
    let bolt = node.bolt.map(|bolt| format!("bolt{}://{bolt}", if is_tls { "+s" } else { "" }));
    let object =
        serde_json::json!({"http": url, "bolt": bolt, "p2p": node.p2p.first(), "workspace": workspace});
    output::print(config, &object, || {
        let peers = node.p2p.first().map_or_else(|| "offline".to_owned(), |p2p| format!("peers at {p2p}"));
        let mut text = format!("serving {workspace} at {url} ({peers}); Ctrl-C ends\n\n");
        for language in ["sparql", "cypher", "graphql"] {
            text.push_str(&format!("  {url}/{workspace}/{language}\n"));
        }
        if let Some(bolt) = &bolt {
            text.push_str(&format!("  {bolt}   (Neo4j's drivers)\n"));
        }
        if is_demo {
            text.push_str(&format!("  {url}/{workspace}@{}/sparql   (the other branch)\n", demo::BRANCH));
            text.push_str("\nOne question in each language:\n\n");
            text.push_str(&questions(&url));
        }
        text.trim_end().to_owned()
    })
}

/// Returns the demo's questions as commands to paste.
fn questions(url: &str) -> String {
    let body = |key: &str, text: &str| serde_json::json!({ key: text }).to_string();
    format!(
        "  curl -s {url}/sparql -H 'Accept: application/sparql-results+json' --data-urlencode 'query={}'\n\n\
         \x20 curl -s {url}/cypher -H 'Content-Type: application/json' -d '{}'\n\n\
         \x20 curl -s {url}/graphql -H 'Content-Type: application/json' -d '{}'\n",
        demo::SPARQL,
        body("statement", demo::CYPHER),
        body("query", demo::GRAPHQL)
    )
}
