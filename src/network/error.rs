use std::time::Duration;

use libp2p::PeerId;

use super::message::Violation;

/// Why the network cannot do what was asked. One variant for each thing that a caller can do.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The node cannot start: an address is taken, malformed, or not ours.
    #[error("cannot listen on {address}: {reason}")]
    Listen { address: String, reason: String },
    /// The operating system gives no threads.
    #[error("cannot start the network: {0}")]
    Start(String),
    /// `serve` was never called for the workspace.
    #[error("this node does not take part in the workspace")]
    NotServed,
    /// Nobody answers there; it may come back.
    #[error("cannot reach peer {peer}: {reason}")]
    Unreachable { peer: PeerId, reason: String },
    /// The peer is there but does not let us in: it lacks the workspace, or our key is not its key.
    #[error("peer {peer} refuses: {reason}")]
    Refused { peer: PeerId, reason: String },
    /// The peer could not prove that it knows the workspace.
    #[error("peer {0} does not know the workspace's key")]
    Unproven(PeerId),
    /// The peer broke the protocol; it was cut off and is left alone for a while.
    #[error("peer {peer} broke the protocol: {violation}")]
    Violation { peer: PeerId, violation: Violation },
    /// The peer lets us wait; it was cut off and may be asked again.
    #[error("peer {peer} did not answer for {waited:?}")]
    Stalled { peer: PeerId, waited: Duration },
    /// The peer misbehaved lately and is left alone.
    #[error("peer {peer} misbehaved and is left alone for {remaining:?}")]
    CoolingDown { peer: PeerId, remaining: Duration },
    /// The node is shutting down.
    #[error("the network is shutting down")]
    Closed,
}
