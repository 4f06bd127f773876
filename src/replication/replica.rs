//! `Replica`: a workspace on this node, and its part in the network.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::fetcher::Fetcher;
use super::following::{self, ApartCommits, BranchMove, Step};
use super::{ReplicationError, Ticket, heads, identity, peers};
use crate::block::BlockSource;
use crate::blockstore::Store;
use crate::crypto::{EpochKey, SecretKey};
use crate::network::{HeadExchange, Multiaddr, Node, PeerId, PeerStatus, WorkspaceTag};
use crate::workspace::{Access, MemoryLimits, Workspace, WorkspaceError};

/// Takes part in the network for one workspace. A clone is another handle of the same.
///
/// It comes before the workspace, which reads through [`Replica::source`]; [`Replica::attach`] or
/// [`Replica::join`] then brings the two together.
#[derive(Clone)]
pub struct Replica {
    inner: Arc<Inner>,
}

struct Inner {
    node: Arc<Node>,
    store: Arc<dyn Store>,
    key: EpochKey,
    tag: WorkspaceTag,
    fetcher: Arc<Fetcher>,
    workspace: OnceLock<Workspace>,
    /// Remembered, so that each sync does not look into them again.
    apart: ApartCommits,
    /// One taking-in of heads at a time.
    following: Mutex<()>,
}

/// What `sync` learned.
#[derive(Debug, Default)]
pub struct SyncReport {
    /// Peers that told their heads, and how many.
    pub heard: Vec<(PeerId, usize)>,
    /// Peers that did not, and why.
    pub failed: Vec<(PeerId, String)>,
    /// Branches of ours that moved or were made.
    pub moved: Vec<BranchMove>,
    /// Branches where both sides have commits of their own: to be merged by somebody.
    pub diverged: Vec<(PeerId, String)>,
}

impl Replica {
    /// Takes part with this key: serves what the store holds, and knows the peers that it remembers.
    /// A fetch lasts `fetch_timeout` at most.
    pub fn new(
        node: Arc<Node>,
        store: Arc<dyn Store>,
        key: EpochKey,
        fetch_timeout: Duration,
    ) -> Result<Replica, ReplicationError> {
        let (tag, network_key) = identity::derive(&key);
        let remembered = peers::load(&*store, key.workspace())?;
        let fetcher = Arc::new(Fetcher::new(store.clone(), node.clone(), tag, fetch_timeout));
        let inner = Arc::new(Inner {
            node,
            store: store.clone(),
            key,
            tag,
            fetcher,
            workspace: OnceLock::new(),
            apart: ApartCommits::default(),
            following: Mutex::default(),
        });
        // Weak, and the bare store: the node must not keep alive what keeps the node.
        let exchange = Arc::new(Exchange(Arc::downgrade(&inner)));
        inner.node.serve(tag, network_key, store, exchange);
        for (peer, addresses) in remembered {
            inner.node.add_peer(tag, peer, &addresses);
        }
        Ok(Replica { inner })
    }

    /// Returns the source to read the workspace through: the store, then peers.
    pub fn source(&self) -> Arc<dyn BlockSource> {
        self.inner.fetcher.clone()
    }

    /// Returns the same source, with its counters.
    pub fn fetcher(&self) -> &Arc<Fetcher> {
        &self.inner.fetcher
    }

    pub fn node(&self) -> &Arc<Node> {
        &self.inner.node
    }

    /// Brings the workspace in: from now on its heads are told, and it follows those of others.
    pub fn attach(&self, workspace: Workspace) {
        assert_eq!(workspace.id(), self.inner.key.workspace(), "a replica is of one workspace");
        // A second one is a handle of the same.
        let _ = self.inner.workspace.set(workspace);
    }

    /// Joins the ticket's workspace: asks its peer for the heads, and takes up the workspace there.
    /// Moves no block but what that takes; the rest comes as it is needed.
    ///
    /// # Errors
    /// [`ReplicationError::NoPeer`] if nobody answers in time; then nothing is changed but that the
    /// peer is remembered.
    pub fn join(
        &self,
        ticket: &Ticket,
        author: SecretKey,
        memory: MemoryLimits,
        timeout: Duration,
    ) -> Result<Workspace, ReplicationError> {
        let inner = &self.inner;
        if ticket.workspace != inner.key.workspace() || ticket.key().secret() != inner.key.secret() {
            let ours = inner.key.workspace();
            return Err(ReplicationError::OtherWorkspace { ticket: ticket.workspace, ours });
        }
        self.add_peer(ticket.peer, &ticket.addresses)?;
        let mut failed = Vec::new();
        let mut silent = None;
        for (peer, answer) in inner.node.heads(inner.tag, Instant::now() + timeout) {
            let sealed = match answer {
                Ok(sealed) => sealed,
                Err(error) => {
                    failed.push((peer, error.to_string()));
                    continue;
                }
            };
            if sealed.is_empty() {
                silent = Some(peer);
                continue;
            }
            let heads = heads::open(&sealed, &inner.key)
                .map_err(|source| ReplicationError::Heads { peer, source })?;
            if heads.is_empty() {
                silent = Some(peer);
                continue;
            }
            let access = Access {
                store: inner.store.clone(),
                source: self.source(),
                key: inner.key.clone(),
                author,
                memory,
            };
            let workspace = Workspace::adopt(access, &heads)?;
            for head in &heads {
                workspace.set_remote_head(&peer.to_string(), head)?;
            }
            self.attach(workspace.clone());
            return Ok(workspace);
        }
        Err(silent.map_or(ReplicationError::NoPeer(failed), ReplicationError::NothingToJoin))
    }

    /// Returns an invitation to this node: a secret. `addresses` stand before those the node listens on.
    pub fn ticket(&self, name: &str, addresses: &[Multiaddr]) -> Ticket {
        let node = &self.inner.node;
        let mut all = addresses.to_vec();
        all.extend(node.listen_addrs().into_iter().filter(|address| !addresses.contains(address)));
        Ticket::new(&self.inner.key, name, node.peer_id(), &all)
    }

    /// Remembers a peer of the workspace, here and in the store.
    pub fn add_peer(&self, peer: PeerId, addresses: &[Multiaddr]) -> Result<(), ReplicationError> {
        let inner = &self.inner;
        inner.node.add_peer(inner.tag, peer, addresses);
        Ok(peers::save(&*inner.store, inner.key.workspace(), peer, addresses)?)
    }

    /// Returns the workspace's peers.
    pub fn peers(&self) -> Vec<PeerStatus> {
        let mut peers = self.inner.node.peers();
        peers.retain(|peer| peer.workspaces.contains(&self.inner.tag));
        peers
    }

    /// Asks all peers for their heads and follows them; waits for `timeout` at most.
    ///
    /// A branch of ours moves forward to a peer's of the same name if it has no commits of its own;
    /// a branch that a peer shows for the first time is made here. Nothing is merged.
    ///
    /// # Errors
    /// [`ReplicationError::NoPeer`] if none answers. Of a peer whose heads cannot be read or followed, the
    /// report says so.
    pub fn sync(&self, timeout: Duration) -> Result<SyncReport, ReplicationError> {
        let mut report = SyncReport::default();
        for (peer, answer) in self.inner.node.heads(self.inner.tag, Instant::now() + timeout) {
            match answer {
                Ok(sealed) => match self.inner.follow(peer, &sealed, &mut report) {
                    Ok(count) => report.heard.push((peer, count)),
                    Err(error) => report.failed.push((peer, error.to_string())),
                },
                Err(error) => report.failed.push((peer, error.to_string())),
            }
        }
        if report.heard.is_empty() {
            return Err(ReplicationError::NoPeer(report.failed));
        }
        Ok(report)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.node.unserve(self.tag);
    }
}

impl Inner {
    /// Takes in what a peer told of its branches; returns how many it told.
    fn follow(
        &self,
        peer: PeerId,
        sealed: &[u8],
        report: &mut SyncReport,
    ) -> Result<usize, ReplicationError> {
        let Some(workspace) = self.workspace.get() else { return Ok(0) };
        if sealed.is_empty() {
            return Ok(0);
        }
        let heads =
            heads::open(sealed, &self.key).map_err(|source| ReplicationError::Heads { peer, source })?;
        let _one = self.following.lock().unwrap_or_else(PoisonError::into_inner);
        let name = peer.to_string();
        let known = following::known_branches(workspace, &name)?;
        for head in &heads {
            workspace.set_remote_head(&name, head)?;
            match following::follow(workspace, head, known.contains(&head.branch), &self.apart)? {
                Step::Stayed => {}
                Step::Moved(moved) => report.moved.push(moved),
                Step::Diverged => report.diverged.push((peer, head.branch.clone())),
            }
        }
        Ok(heads.len())
    }

    fn sealed_heads(&self, workspace: &Workspace) -> Result<Vec<u8>, WorkspaceError> {
        Ok(heads::seal(&heads::of(workspace)?, &self.key))
    }
}

/// The network's way to the heads.
struct Exchange(Weak<Inner>);

impl HeadExchange for Exchange {
    fn heads(&self) -> Vec<u8> {
        let Some(inner) = self.0.upgrade() else { return Vec::new() };
        let Some(workspace) = inner.workspace.get() else { return Vec::new() };
        inner.sealed_heads(workspace).unwrap_or_else(|error| {
            tracing::warn!(%error, "our branches cannot be told");
            Vec::new()
        })
    }

    fn receive(&self, from: PeerId, sealed: Vec<u8>) {
        let Some(inner) = self.0.upgrade() else { return };
        if let Err(error) = inner.follow(from, &sealed, &mut SyncReport::default()) {
            tracing::warn!(peer = %from, %error, "a peer's branches cannot be followed");
        }
    }
}
