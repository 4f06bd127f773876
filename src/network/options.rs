use std::time::Duration;

use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId};

/// How a [`super::Node`] is set up.
#[derive(Clone)]
pub struct NodeOptions {
    /// Where to listen, e.g. `/ip4/127.0.0.1/tcp/0`. None: the node only dials.
    pub listen: Vec<Multiaddr>,
    /// Seed of the node's ed25519 identity; the peer id follows from it.
    pub identity_seed: [u8; 32],
    pub limits: Limits,
}

/// What the node allows itself and its peers.
#[derive(Clone, Debug)]
pub struct Limits {
    pub connections_inbound_max: u32,
    pub connections_per_peer_max: u32,
    /// Exchange streams that peers may keep open to us, altogether and each.
    pub streams_inbound_max: usize,
    pub streams_per_peer_max: usize,
    /// Peers that one workspace remembers.
    pub peers_per_workspace_max: usize,
    /// Block bytes that may be under way on one stream.
    pub window_bytes: u32,
    /// One attempt to reach a peer: dial, handshake, proof.
    pub connect_timeout: Duration,
    /// A peer that owes us an answer and is silent for so long is cut off.
    pub stall_timeout: Duration,
    /// A peer that does not take what it asked for is cut off after so long.
    pub idle_taker_timeout: Duration,
    /// How long a fetch goes on trying to reach peers while none can be asked.
    pub reconnect_wait: Duration,
    /// Longest pause between two attempts to reach the same peer. Below `reconnect_wait`, so that a
    /// fetch finds a peer that has just come back.
    pub backoff_max: Duration,
    /// How long a peer that sent a false block or broke the protocol is left alone.
    pub cooldown: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections_inbound_max: 128,
            connections_per_peer_max: 4,
            streams_inbound_max: 256,
            streams_per_peer_max: 16,
            peers_per_workspace_max: 64,
            window_bytes: 16 << 20,
            connect_timeout: Duration::from_secs(5),
            stall_timeout: Duration::from_secs(10),
            idle_taker_timeout: Duration::from_secs(60),
            reconnect_wait: Duration::from_secs(2),
            backoff_max: Duration::from_secs(1),
            cooldown: Duration::from_secs(30),
        }
    }
}

impl NodeOptions {
    /// Returns options that listen on `listen` under the identity of `identity_seed`.
    pub fn new(listen: Vec<Multiaddr>, identity_seed: [u8; 32]) -> NodeOptions {
        NodeOptions { listen, identity_seed, limits: Limits::default() }
    }

    /// Returns the keys that the identity seed stands for.
    pub(super) fn keypair(&self) -> Keypair {
        Keypair::ed25519_from_bytes(self.identity_seed).expect("any 32 bytes are an ed25519 seed")
    }

    /// Returns the name that the node has in the network.
    pub fn peer_id(&self) -> PeerId {
        self.keypair().public().to_peer_id()
    }
}

impl std::fmt::Debug for NodeOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeOptions").field("listen", &self.listen).field("limits", &self.limits).finish()
    }
}
