//! What the node knows of its peers.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use libp2p::{Multiaddr, PeerId};

use super::proof::WorkspaceTag;

/// Addresses remembered for one peer.
const ADDRESSES_MAX: usize = 16;
/// Peers remembered in all that belong to no workspace; they are forgotten as they leave.
const STRANGERS_MAX: usize = 1024;

/// A peer as `status` shows it. Counters count from the start of the node.
#[derive(Clone, Debug)]
pub struct PeerStatus {
    pub peer: PeerId,
    pub workspaces: Vec<WorkspaceTag>,
    pub is_connected: bool,
    pub addresses: Vec<Multiaddr>,
    pub blocks_received: u64,
    /// Sealed bytes of blocks, without framing.
    pub bytes_received: u64,
    pub blocks_sent: u64,
    pub bytes_sent: u64,
    /// Blocks it sent that did not hash to their id.
    pub blocks_rejected: u64,
    /// Why it could last not be used; gone once it can.
    pub last_error: Option<String>,
}

/// Counts the blocks that go to and come from one peer.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    blocks_received: AtomicU64,
    bytes_received: AtomicU64,
    blocks_sent: AtomicU64,
    bytes_sent: AtomicU64,
    blocks_rejected: AtomicU64,
}

impl Traffic {
    pub(super) fn received(&self, bytes: usize) {
        self.blocks_received.fetch_add(1, Ordering::Relaxed);
        self.bytes_received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.blocks_sent.fetch_add(1, Ordering::Relaxed);
        self.bytes_sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn rejected(&self) {
        self.blocks_rejected.fetch_add(1, Ordering::Relaxed);
    }
}

/// Every peer that is connected or that a workspace remembers.
#[derive(Default)]
pub(super) struct PeerTable {
    peers: HashMap<PeerId, Peer>,
}

#[derive(Default)]
struct Peer {
    workspaces: BTreeSet<WorkspaceTag>,
    addresses: Vec<Multiaddr>,
    connections: u32,
    streams_inbound: usize,
    cooldown_until: Option<Instant>,
    last_error: Option<String>,
    traffic: Arc<Traffic>,
}

impl PeerTable {
    /// Notes that the peer takes part in a workspace; at most `peers_max` do.
    pub(super) fn join(&mut self, peer: PeerId, tag: WorkspaceTag, peers_max: usize) {
        if self.peers.values().filter(|known| known.workspaces.contains(&tag)).count() < peers_max {
            self.peers.entry(peer).or_default().workspaces.insert(tag);
        }
    }

    pub(super) fn leave(&mut self, tag: WorkspaceTag) {
        self.peers.values_mut().for_each(|peer| {
            peer.workspaces.remove(&tag);
        });
    }

    pub(super) fn add_addresses(&mut self, peer: PeerId, addresses: impl IntoIterator<Item = Multiaddr>) {
        if !self.peers.contains_key(&peer) && self.peers.len() >= STRANGERS_MAX {
            return;
        }
        let known = &mut self.peers.entry(peer).or_default().addresses;
        for address in addresses {
            if !known.contains(&address) && known.len() < ADDRESSES_MAX {
                known.push(address);
            }
        }
    }

    pub(super) fn addresses(&self, peer: &PeerId) -> Vec<Multiaddr> {
        self.peers.get(peer).map(|peer| peer.addresses.clone()).unwrap_or_default()
    }

    /// Returns the peers of a workspace: connected ones first, then by id.
    pub(super) fn members(&self, tag: WorkspaceTag) -> Vec<PeerId> {
        let members = self.peers.iter().filter(|(_, peer)| peer.workspaces.contains(&tag));
        let mut members: Vec<(bool, PeerId)> =
            members.map(|(id, peer)| (peer.connections == 0, *id)).collect();
        members.sort_unstable();
        members.into_iter().map(|(_, id)| id).collect()
    }

    pub(super) fn connected(&mut self, peer: PeerId) {
        self.peers.entry(peer).or_default().connections += 1;
    }

    pub(super) fn disconnected(&mut self, peer: PeerId) {
        if let Some(known) = self.peers.get_mut(&peer) {
            known.connections = known.connections.saturating_sub(1);
        }
        self.forget_if_useless(peer);
    }

    /// Counts a stream that the peer opened; false if it has as many as it may.
    pub(super) fn stream_opened(&mut self, peer: PeerId, each_max: usize, all_max: usize) -> bool {
        let all: usize = self.peers.values().map(|peer| peer.streams_inbound).sum();
        let known = self.peers.entry(peer).or_default();
        let fits = known.streams_inbound < each_max && all < all_max;
        known.streams_inbound += usize::from(fits);
        fits
    }

    pub(super) fn stream_closed(&mut self, peer: PeerId) {
        if let Some(known) = self.peers.get_mut(&peer) {
            known.streams_inbound = known.streams_inbound.saturating_sub(1);
        }
        self.forget_if_useless(peer);
    }

    pub(super) fn cool_down(&mut self, peer: PeerId, duration: Duration) {
        self.peers.entry(peer).or_default().cooldown_until = Some(Instant::now() + duration);
    }

    /// Returns how long the peer is still to be left alone, if it is.
    pub(super) fn cooldown(&self, peer: &PeerId) -> Option<Duration> {
        let until = self.peers.get(peer)?.cooldown_until?;
        let remaining = until.saturating_duration_since(Instant::now());
        (!remaining.is_zero()).then_some(remaining)
    }

    pub(super) fn set_error(&mut self, peer: PeerId, error: Option<String>) {
        if let Some(known) = self.peers.get_mut(&peer) {
            known.last_error = error;
        }
    }

    pub(super) fn traffic(&mut self, peer: PeerId) -> Arc<Traffic> {
        self.peers.entry(peer).or_default().traffic.clone()
    }

    /// Returns the peers that a workspace remembers, by id.
    pub(super) fn status(&self) -> Vec<PeerStatus> {
        let known = self.peers.iter().filter(|(_, peer)| !peer.workspaces.is_empty());
        let mut status: Vec<PeerStatus> = known.map(|(id, peer)| peer.status(*id)).collect();
        status.sort_unstable_by_key(|status| status.peer);
        status
    }

    fn forget_if_useless(&mut self, peer: PeerId) {
        let cooling = self.cooldown(&peer).is_some();
        if let Some(known) = self.peers.get(&peer)
            && known.workspaces.is_empty()
            && known.connections == 0
            && known.streams_inbound == 0
            && !cooling
        {
            self.peers.remove(&peer);
        }
    }
}

impl Peer {
    fn status(&self, peer: PeerId) -> PeerStatus {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        PeerStatus {
            peer,
            workspaces: self.workspaces.iter().copied().collect(),
            is_connected: self.connections > 0,
            addresses: self.addresses.clone(),
            blocks_received: count(&self.traffic.blocks_received),
            bytes_received: count(&self.traffic.bytes_received),
            blocks_sent: count(&self.traffic.blocks_sent),
            bytes_sent: count(&self.traffic.bytes_sent),
            blocks_rejected: count(&self.traffic.blocks_rejected),
            last_error: self.last_error.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_forgotten_and_members_remembered() {
        let (member, stranger) = (PeerId::random(), PeerId::random());
        let tag = WorkspaceTag([1; 32]);
        let mut table = PeerTable::default();
        table.join(member, tag, 1);
        table.join(PeerId::random(), tag, 1);
        assert_eq!(table.members(tag), [member]);
        for peer in [member, stranger] {
            table.connected(peer);
            assert!(table.stream_opened(peer, 1, 2));
            assert!(!table.stream_opened(peer, 1, 2));
            table.disconnected(peer);
            table.stream_closed(peer);
        }
        assert_eq!(table.peers.len(), 1);
        assert_eq!(table.status().len(), 1);
        table.leave(tag);
        assert!(table.members(tag).is_empty());
    }

    #[test]
    fn a_cooldown_ends() {
        let peer = PeerId::random();
        let mut table = PeerTable::default();
        table.cool_down(peer, Duration::from_secs(60));
        assert!(table.cooldown(&peer).is_some());
        table.cool_down(peer, Duration::ZERO);
        assert!(table.cooldown(&peer).is_none());
    }
}
