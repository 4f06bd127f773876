//! Workspaces and their peers: tickets, joining, following.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::{Engine, EngineError, Hosted, Keyring, RunningNode};
use crate::block::{BlockId, BlockSource};
use crate::crypto::SecretKey;
use crate::network::{Multiaddr, NodeOptions, Protocol};
use crate::replication::{FetchCounters, Replica, ReplicationError, Ticket};
use crate::workspace::WorkspaceError;

/// How long peers may take to tell their heads.
const HEADS_TIMEOUT: Duration = Duration::from_secs(10);
/// How many blocks a full sync asks for at once.
const BLOCKS_AT_ONCE: usize = 256;
const IDENTITY_CONTEXT: &str = "reefloom 2026-11 peer identity";

/// A ticket and what it says.
pub struct SharedTicket {
    pub workspace: String,
    /// Holds the workspace's key: a secret.
    pub ticket: String,
    pub addresses: Vec<String>,
    /// Whether a node serves the folder now.
    pub is_listening: bool,
}

/// What `sync` did for one workspace.
#[derive(Clone, Debug, Serialize)]
pub struct SyncReport {
    pub blocks: u64,
    pub bytes: u64,
    /// Branches that followed a peer, or are new here.
    pub moved: Vec<String>,
    /// Branches with commits of their own on both sides.
    pub diverged: Vec<String>,
    /// Peers that did not answer, and why.
    pub failed: Vec<String>,
}

/// Makes a ticket for a workspace of a data folder, which another process may be serving.
///
/// Its addresses are those given, else those where the serving node listens, else `fallback`.
pub fn share(
    folder: &Path,
    workspace: Option<&str>,
    addresses: &[String],
    fallback: &str,
) -> Result<SharedTicket, EngineError> {
    let failed = |error: std::io::Error| EngineError::Storage(format!("{}: {error}", folder.display()));
    let keyring = Keyring::open(folder).map_err(failed)?;
    let entries = keyring.as_ref().map_or(&[][..], Keyring::workspaces);
    let entry = match workspace {
        Some(name) => entries.iter().find(|entry| entry.name == name),
        None => entries.first(),
    };
    let (Some(entry), Some(keyring)) = (entry, &keyring) else {
        let name = workspace.unwrap_or("(default)").to_owned();
        return Err(EngineError::NotFound { kind: "workspace", name });
    };
    let running = RunningNode::find(folder);
    let addresses = match &running {
        _ if !addresses.is_empty() => addresses.to_vec(),
        Some(node) => node.p2p.clone(),
        None => vec![fallback.to_owned()],
    };
    let parsed = addresses.iter().map(|address| multiaddr(address)).collect::<Result<Vec<_>, _>>()?;
    let key = entry.epoch_key().expect("checked when the keyring was read");
    let peer = node_options(&keyring.node_key(), None).peer_id();
    let ticket = Ticket::new(&key, &entry.name, peer, &parsed);
    Ok(SharedTicket {
        workspace: entry.name.clone(),
        ticket: ticket.encode(),
        addresses,
        is_listening: running.is_some_and(|node| !node.p2p.is_empty()),
    })
}

/// Returns how this node stands in the network: its identity follows from its key.
pub(super) fn node_options(key: &SecretKey, listen: Option<SocketAddr>) -> NodeOptions {
    let listen = listen.map(socket_multiaddr).into_iter().collect();
    NodeOptions::new(listen, blake3::derive_key(IDENTITY_CONTEXT, key.seed()))
}

impl Engine {
    /// Joins the ticket's workspace, under another name if one is given. Moves its heads only.
    pub fn join(&self, ticket: &str, name: Option<&str>) -> Result<Arc<Hosted>, EngineError> {
        let ticket = Ticket::parse(ticket).map_err(|error| EngineError::Invalid(error.to_string()))?;
        let name = name.unwrap_or(&ticket.name);
        self.check_name(name)?;
        let key = ticket.key();
        if let Some(known) =
            self.workspaces().iter().find(|hosted| hosted.workspace().id() == key.workspace())
        {
            return Err(EngineError::AlreadyExists { kind: "workspace", name: known.name().to_owned() });
        }
        let replica = self
            .replica(&key)?
            .ok_or_else(|| EngineError::Network("this node is offline; it can join nothing".to_owned()))?;
        let workspace = replica.join(&ticket, self.author.clone(), self.memory, HEADS_TIMEOUT)?;
        // The workspace is in the store already; without its key there it would be garbage, no more.
        self.remember(name, &key)?;
        Ok(self.host(name, workspace, Some(replica)))
    }

    /// Returns where peers reach this node, as HOST:PORT.
    pub fn peer_addresses(&self) -> Vec<String> {
        let addresses = self.node.as_ref().map(|node| node.listen_addrs()).unwrap_or_default();
        addresses.iter().filter_map(host_and_port).collect()
    }
}

impl Hosted {
    /// Asks the peers where their branches are and follows them; with `all`, also fetches every
    /// block that the branches lead to.
    pub fn sync(&self, all: bool) -> Result<SyncReport, EngineError> {
        let mut report = SyncReport { blocks: 0, bytes: 0, moved: vec![], diverged: vec![], failed: vec![] };
        let Some(replica) = &self.replica else { return Ok(report) };
        if replica.peers().is_empty() {
            return Ok(report);
        }
        let before = replica.fetcher().counters();
        let heard = replica.sync(HEADS_TIMEOUT)?;
        report.moved = heard.moved.into_iter().map(|moved| moved.branch).collect();
        report.diverged = heard.diverged.into_iter().map(|(_, branch)| branch).collect();
        report.failed = heard.failed.into_iter().map(|(peer, why)| format!("{peer}: {why}")).collect();
        if all {
            for (_, commit) in self.workspace().branches()? {
                self.fetch_all(&*replica.source(), || self.workspace().missing_blocks(commit))?;
            }
        }
        let after = replica.fetcher().counters();
        (report.blocks, report.bytes) = (after.blocks - before.blocks, after.bytes - before.bytes);
        Ok(report)
    }

    /// Fetches what is missing, until nothing is: a block may name others that are missing too.
    fn fetch_all(
        &self,
        source: &dyn BlockSource,
        missing: impl Fn() -> Result<Vec<BlockId>, WorkspaceError>,
    ) -> Result<(), EngineError> {
        let mut before = None;
        loop {
            let ids = missing()?;
            if ids.is_empty() {
                return Ok(());
            }
            if before.as_ref() == Some(&ids) {
                let first = ids.first().map(ToString::to_string).unwrap_or_default();
                return Err(EngineError::Unavailable { missing: ids.len(), first });
            }
            for chunk in ids.chunks(BLOCKS_AT_ONCE) {
                source.get(chunk)?;
            }
            before = Some(ids);
        }
    }

    /// Returns what came from peers since this process began.
    pub fn fetched(&self) -> FetchCounters {
        self.replica.as_ref().map(|replica| replica.fetcher().counters()).unwrap_or_default()
    }

    /// Returns the peers that are remembered for this workspace, by id.
    pub fn peers(&self) -> Vec<String> {
        let peers = self.replica.as_ref().map(Replica::peers).unwrap_or_default();
        peers.iter().map(|peer| peer.peer.to_string()).collect()
    }
}

fn multiaddr(address: &str) -> Result<Multiaddr, EngineError> {
    let invalid = || EngineError::Invalid(format!("'{address}' is no HOST:PORT that can be reached"));
    let mut resolved = address.to_socket_addrs().map_err(|_| invalid())?;
    resolved.next().map(socket_multiaddr).ok_or_else(invalid)
}

fn socket_multiaddr(address: SocketAddr) -> Multiaddr {
    Multiaddr::from(address.ip()).with(Protocol::Tcp(address.port()))
}

fn host_and_port(address: &Multiaddr) -> Option<String> {
    let mut host = None;
    for protocol in address.iter() {
        match protocol {
            Protocol::Ip4(ip) => host = Some(ip.to_string()),
            Protocol::Ip6(ip) => host = Some(format!("[{ip}]")),
            Protocol::Tcp(port) => return host.map(|host| format!("{host}:{port}")),
            _ => {}
        }
    }
    None
}

impl From<ReplicationError> for EngineError {
    fn from(error: ReplicationError) -> EngineError {
        match error {
            ReplicationError::Workspace(error) => error.into(),
            other => EngineError::Network(other.to_string()),
        }
    }
}
