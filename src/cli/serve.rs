use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use super::{Failure, demo, output, place};
use crate::config::Config;
use crate::engine::{EngineOptions, Peering, RunningNode};
use crate::server::{self, BoltOptions, HttpOptions, HttpServices};

/// Where Bolt's clients look unless told otherwise.
const BOLT: &str = "127.0.0.1:7687";
const OFF: &str = "off";
/// Where the demo lives unless --data says otherwise, so that it never mixes with real data.
const DEMO_FOLDER: &str = "./reefloom-demo";

#[derive(clap::Args)]
#[command(after_help = "\
Loopback only, unless --http or --bolt names another address: there are no accounts yet, so whoever reaches the
port may read and write. Port 0 picks a free one and prints it. Ctrl-C ends.")]
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
        let running = RunningNode {
            pid: std::process::id(),
            http: listener.local_addr()?,
            bolt: bolt_listener.as_ref().map(TcpListener::local_addr).transpose()?,
            p2p: engine.peer_addresses(),
        };
        let _note = running.announce(&folder)?;
        greet(config, &running, first.name(), arguments.demo)?;
        let bolt = async {
            match bolt_listener {
                Some(bolt) => server::serve_bolt(bolt, engine.clone(), bolt_options, interrupted()).await,
                None => Ok(()),
            }
        };
        tokio::try_join!(server::serve(listener, engine.clone(), options, interrupted()), bolt)?;
        Ok(())
    })
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

fn greet(config: &Config, node: &RunningNode, workspace: &str, is_demo: bool) -> Result<(), Failure> {
    let url = format!("http://{}", node.http);
    let bolt = node.bolt.map(|bolt| format!("bolt://{bolt}"));
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
