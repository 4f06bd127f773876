use super::heads::HeadsError;
use crate::blockstore::StoreError;
use crate::network::PeerId;
use crate::workspace::WorkspaceError;

/// Why peers and workspace do not come together. One variant for each thing that a caller can do.
#[derive(Debug, thiserror::Error)]
pub enum ReplicationError {
    /// Nobody of the workspace can be reached now; the reasons say of whom and why.
    #[error("no peer of the workspace can be reached{}", .0.iter().map(|(_, reason)| format!("; {reason}")).collect::<String>())]
    NoPeer(Vec<(PeerId, String)>),
    /// A peer was reached and told nothing: it has no branch to show.
    #[error("peer {0} has no branch to show")]
    NothingToJoin(PeerId),
    /// The ticket is of another workspace than the one at hand.
    #[error("the ticket is for workspace {ticket}, not for {ours}")]
    OtherWorkspace { ticket: crate::crypto::WorkspaceId, ours: crate::crypto::WorkspaceId },
    /// What a peer says of its branches cannot be read.
    #[error("peer {peer} tells its branches in a way that cannot be read: {source}")]
    Heads { peer: PeerId, source: HeadsError },
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Store(#[from] StoreError),
}
