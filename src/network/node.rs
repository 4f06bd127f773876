//! The node: the handle that queries and the command line hold.

use std::collections::HashMap;
use std::sync::mpsc as blocking;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use libp2p::{Multiaddr, PeerId, StreamProtocol};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};

use super::behaviour::{self, Command, Driver, without_peer};
use super::error::NetworkError;
use super::fetch::{self, Fetch};
use super::link::LinkSlot;
use super::options::{Limits, NodeOptions};
use super::peer::{PeerStatus, PeerTable};
use super::proof::{NetworkKey, WorkspaceTag};
use super::serve;
use crate::block::{BlockId, BlockSource};

pub(super) const PROTOCOL: StreamProtocol = StreamProtocol::new("/reefloom/exchange/1");

const WORKER_THREADS: usize = 2;
/// Threads that may wait for the disk on behalf of peers.
const BLOCKING_THREADS_MAX: usize = 16;
const START_TIMEOUT: Duration = Duration::from_secs(10);
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// The upper room's side of heads: it seals and opens them, the network only carries them.
pub trait HeadExchange: Send + Sync {
    /// Returns the sealed heads to tell a member; at most 1 MiB.
    fn heads(&self) -> Vec<u8>;

    /// Takes in what a member told on connecting. Runs on a thread that may block.
    fn receive(&self, from: PeerId, sealed: Vec<u8>);
}

/// A node of the network. Its sockets live on threads of its own; dropping it closes them.
///
/// Every method may be called from any thread that may block; none from an async task.
pub struct Node {
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

/// A workspace that the node takes part in.
pub(super) struct Workspace {
    pub tag: WorkspaceTag,
    pub key: NetworkKey,
    pub source: Arc<dyn BlockSource>,
    pub heads: Arc<dyn HeadExchange>,
}

/// What the tasks of a node have in common.
pub(super) struct Shared {
    pub peer_id: PeerId,
    pub limits: Limits,
    pub control: libp2p_stream::Control,
    swarm: mpsc::UnboundedSender<Command>,
    listen_addrs: Mutex<Vec<Multiaddr>>,
    peers: Mutex<PeerTable>,
    workspaces: Mutex<HashMap<WorkspaceTag, Arc<Workspace>>>,
    links: Mutex<Links>,
}

/// One slot for each workspace and peer; whoever holds its lock may connect.
type Links = HashMap<(WorkspaceTag, PeerId), Arc<AsyncMutex<LinkSlot>>>;

impl Node {
    /// Starts a node; returns once it listens.
    ///
    /// # Errors
    /// [`NetworkError::Listen`] if an address cannot be had, [`NetworkError::Start`].
    pub fn start(options: NodeOptions) -> Result<Node, NetworkError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKER_THREADS)
            .max_blocking_threads(BLOCKING_THREADS_MAX)
            .thread_name("reefloom-network")
            .enable_all()
            .build()
            .map_err(|error| NetworkError::Start(error.to_string()))?;
        let (started, waiting) = blocking::channel();
        let shared = {
            let _inside = runtime.enter();
            let (swarm, starting) = behaviour::build(&options)?;
            let mut control = swarm.behaviour().new_control();
            let incoming =
                control.accept(PROTOCOL).map_err(|error| NetworkError::Start(error.to_string()))?;
            let (sender, commands) = mpsc::unbounded_channel();
            let shared = Arc::new(Shared {
                peer_id: *swarm.local_peer_id(),
                limits: options.limits,
                control,
                swarm: sender,
                listen_addrs: Mutex::default(),
                peers: Mutex::default(),
                workspaces: Mutex::default(),
                links: Mutex::default(),
            });
            let started = Some(started);
            let dialing = HashMap::new();
            let driver = Driver { swarm, commands, shared: shared.clone(), starting, started, dialing };
            runtime.spawn(driver.run());
            runtime.spawn(serve::accept(shared.clone(), incoming));
            shared
        };
        let node = Node { shared, runtime: Some(runtime) };
        match waiting.recv_timeout(START_TIMEOUT) {
            Ok(result) => result.map(|()| node),
            Err(_) => Err(NetworkError::Start("no address to listen on appeared".to_owned())),
        }
    }

    /// Takes part in a workspace: answers members from `source`, which should not ask peers itself.
    pub fn serve(
        &self,
        tag: WorkspaceTag,
        key: NetworkKey,
        source: Arc<dyn BlockSource>,
        heads: Arc<dyn HeadExchange>,
    ) {
        let workspace = Arc::new(Workspace { tag, key, source, heads });
        lock(&self.shared.workspaces).insert(tag, workspace);
    }

    /// Takes part in the workspace no more. Streams that are open end as they are used.
    pub fn unserve(&self, tag: WorkspaceTag) {
        lock(&self.shared.workspaces).remove(&tag);
        lock(&self.shared.links).retain(|(linked, _), _| *linked != tag);
        self.shared.peers().leave(tag);
    }

    /// Remembers a peer of a workspace and where it may be reached. Connects only when needed.
    pub fn add_peer(&self, tag: WorkspaceTag, peer: PeerId, addresses: &[Multiaddr]) {
        if peer == self.shared.peer_id {
            return;
        }
        let mut peers = self.shared.peers();
        peers.join(peer, tag, self.shared.limits.peers_per_workspace_max);
        peers.add_addresses(peer, addresses.iter().map(without_peer));
    }

    /// Asks the workspace's peers for blocks, all at once; the blocks come out as they arrive.
    ///
    /// Work is split among the peers that can be reached; what one lacks or gets wrong goes on to
    /// the next. Ends at the deadline, or once nobody is left to ask.
    pub fn fetch(&self, tag: WorkspaceTag, ids: &[BlockId], deadline: Instant) -> Fetch {
        let (fetch, task) = fetch::start(self.shared.clone(), tag, ids, deadline);
        if let Some(runtime) = &self.runtime {
            runtime.spawn(task);
        }
        fetch
    }

    /// Asks every peer of the workspace for its sealed heads; waits until `deadline` at most.
    pub fn heads(
        &self,
        tag: WorkspaceTag,
        deadline: Instant,
    ) -> Vec<(PeerId, Result<Vec<u8>, NetworkError>)> {
        let (sender, answers) = blocking::channel();
        for peer in self.shared.peers().members(tag) {
            let (shared, sender) = (self.shared.clone(), sender.clone());
            let ask = async move {
                let answer = tokio::time::timeout_at(deadline.into(), shared.heads_of(tag, peer)).await;
                let waited = shared.limits.connect_timeout;
                let _ = sender.send((peer, answer.unwrap_or(Err(NetworkError::Stalled { peer, waited }))));
            };
            if let Some(runtime) = &self.runtime {
                runtime.spawn(ask);
            }
        }
        drop(sender);
        answers.into_iter().collect()
    }

    /// Returns the peers of all workspaces, by id.
    pub fn peers(&self) -> Vec<PeerStatus> {
        self.shared.peers().status()
    }

    /// Returns the addresses that the node listens on, with the ports that it got.
    pub fn listen_addrs(&self) -> Vec<Multiaddr> {
        self.shared.listen_addrs().clone()
    }

    pub fn peer_id(&self) -> PeerId {
        self.shared.peer_id
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        lock(&self.shared.workspaces).clear();
        lock(&self.shared.links).clear();
        let Some(runtime) = self.runtime.take() else { return };
        if tokio::runtime::Handle::try_current().is_ok() {
            runtime.shutdown_background();
        } else {
            runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
        }
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({})", self.shared.peer_id)
    }
}

impl Shared {
    pub(super) fn peers(&self) -> MutexGuard<'_, PeerTable> {
        lock(&self.peers)
    }

    pub(super) fn listen_addrs(&self) -> MutexGuard<'_, Vec<Multiaddr>> {
        lock(&self.listen_addrs)
    }

    pub(super) fn workspace(&self, tag: WorkspaceTag) -> Option<Arc<Workspace>> {
        lock(&self.workspaces).get(&tag).cloned()
    }

    pub(super) fn link_slot(&self, tag: WorkspaceTag, peer: PeerId) -> Arc<AsyncMutex<LinkSlot>> {
        lock(&self.links).entry((tag, peer)).or_default().clone()
    }

    /// Connects to a peer unless it is connected; the error says why it cannot be.
    pub(super) async fn dial(&self, peer: PeerId) -> Result<(), String> {
        let addresses = self.peers().addresses(&peer);
        let (reply, answer) = oneshot::channel();
        let closed = || "the network is shutting down".to_owned();
        self.swarm.send(Command::Dial { peer, addresses, reply }).map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Draws the consequences of how a stream ended.
    pub(super) fn on_link_error(&self, peer: PeerId, error: &NetworkError) {
        if let NetworkError::Violation { .. } = error {
            tracing::warn!(%peer, %error, "peer is cut off");
            self.peers().cool_down(peer, self.limits.cooldown);
            let _ = self.swarm.send(Command::Disconnect(peer));
        }
        self.peers().set_error(peer, Some(error.to_string()));
    }

    async fn heads_of(self: &Arc<Shared>, tag: WorkspaceTag, peer: PeerId) -> Result<Vec<u8>, NetworkError> {
        let link = self.link(tag, peer).await?;
        let closed = NetworkError::Unreachable { peer, reason: "it closed the stream".to_owned() };
        link.heads().await.ok_or(closed)
    }
}

/// Locks; a panic of another thread is no reason for one here, since no invariant spans an unlock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
