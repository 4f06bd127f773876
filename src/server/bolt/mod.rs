//! Bolt: the protocol of Neo4j's drivers, so that they work with a node as they are.
//!
//! `docs/bolt.md` lists versions, messages, values and limits. A connection reads bytes; a session
//! decides what they mean and when; a worker asks the engine on a thread of a bounded pool. Rows are
//! pulled from a running query as the client pulls them: no result is ever held whole.

mod auth;
mod chunk;
mod connection;
mod failure;
#[cfg(any(test, fuzzing))]
#[allow(clippy::unwrap_used, reason = "a finding is a panic")]
pub mod fuzzing;
mod message;
mod packstream;
mod result;
mod session;
mod value;
mod version;
mod worker;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::connection::Shared;
use crate::engine::{CsvFolder, Engine, RequestLimits};
use crate::server::tls::Tls;
use crate::server::tokens::Tokens;

/// After the system has no socket for a client: it may have one a little later.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the Bolt server is set to.
#[derive(Clone, Debug)]
pub struct BoltOptions {
    pub read_only: bool,
    /// The longest message, chunks put together.
    pub message_bytes_max: usize,
    /// Connections at once; more are closed as they come.
    pub connections_max: usize,
    /// How long a client may take to say who it is.
    pub login_timeout: Duration,
    /// Statements that run, and results that are pulled, at once.
    pub query_threads: usize,
    /// Of one statement, its results pulled; of an explicit transaction as a whole, where it is time.
    pub limits: RequestLimits,
    /// Who may come in; anybody if `None`.
    pub tokens: Option<Arc<Tokens>>,
    /// With it clients come by TLS, and in no other way.
    pub tls: Option<Tls>,
    /// Opens the files of LOAD CSV; without one it fails.
    pub files: Option<Arc<CsvFolder>>,
    /// Where clients are routed that do not say which address they used; the listener's, if empty.
    pub address: String,
    /// After a request to shut down, how long running answers may take to end.
    pub grace: Duration,
}

impl Default for BoltOptions {
    fn default() -> BoltOptions {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        BoltOptions {
            read_only: false,
            message_bytes_max: 16 << 20,
            connections_max: 512,
            login_timeout: Duration::from_secs(30),
            query_threads: cores.max(2) * 2,
            limits: RequestLimits { timeout: Duration::from_secs(600), ..RequestLimits::default() },
            tokens: None,
            tls: None,
            files: None,
            address: String::new(),
            grace: Duration::from_secs(5),
        }
    }
}

/// Serves Bolt on `listener` until `shutdown` completes, then gives what is under way a while to end.
///
/// # Errors
/// If the listener has no address.
pub async fn serve(
    listener: TcpListener,
    engine: Arc<Engine>,
    mut options: BoltOptions,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    if options.address.is_empty() {
        options.address = listener.local_addr()?.to_string();
    }
    let grace = options.grace;
    let (connections_max, query_threads) = (options.connections_max, options.query_threads);
    let turns = Arc::new(Semaphore::new(query_threads.max(1)));
    let ending = CancellationToken::new();
    let shared = Arc::new(Shared { engine, options, turns, ending: ending.clone() });
    let mut connections = JoinSet::new();
    tokio::select! {
        () = accept(&listener, &shared, connections_max, &mut connections) => {}
        () = shutdown => {}
    }
    drop(listener);
    ending.cancel();
    let all_ended = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(grace, all_ended).await;
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    shared: &Arc<Shared>,
    connections_max: usize,
    connections: &mut JoinSet<()>,
) {
    for number in 1_u64.. {
        let Ok((socket, peer)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        if connections.len() >= connections_max {
            tracing::warn!(%peer, "too many Bolt connections; one was closed");
            continue;
        }
        connections.spawn(connect(socket, shared.clone(), format!("bolt-{number}")));
    }
}

async fn connect(socket: TcpStream, shared: Arc<Shared>, id: String) {
    // Else the end of a short answer waits for the client to acknowledge its beginning.
    let _ = socket.set_nodelay(true);
    match &shared.options.tls {
        None => {
            let (reading, writing) = socket.into_split();
            connection::serve(reading, writing, shared, id).await;
        }
        Some(tls) => match tls.accept(socket).await {
            Ok(stream) => {
                let (reading, writing) = tokio::io::split(stream);
                connection::serve(reading, writing, shared, id).await;
            }
            Err(error) => tracing::debug!(%error, "a TLS handshake failed"),
        },
    }
}
