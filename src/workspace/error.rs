use super::CommitId;
use super::encoding::DecodeError;
use crate::block::BlockError;
use crate::blockstore::StoreError;
use crate::dataset::DatasetError;
use crate::graph::{Malformed, WriteError};

/// Why a workspace cannot do what it was asked. One variant for each thing that a caller can do
/// about it.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// No branch, commit or other revision of this name.
    #[error("'{0}' names no branch or commit of this workspace")]
    UnknownRef(String),
    #[error("the branch '{0}' exists already")]
    BranchExists(String),
    #[error("'{0}' cannot name a branch: {1}")]
    InvalidBranchName(String, &'static str),
    /// The default branch cannot be deleted.
    #[error("'{0}' is the default branch")]
    DefaultBranch(String),
    /// The branch moved since the transaction began; begin again on `theirs`, or merge.
    #[error("branch '{branch}' moved to {theirs} in the meantime")]
    Conflict { branch: String, theirs: CommitId },
    /// The store holds no such workspace.
    #[error("there is no workspace {0} in this store")]
    UnknownWorkspace(crate::crypto::WorkspaceId),
    #[error("the workspace {0} exists already in this store")]
    WorkspaceExists(crate::crypto::WorkspaceId),
    #[error("a commit message may have {max} bytes, this one has {0}", max = super::MESSAGE_BYTES_MAX)]
    MessageTooLong(usize),
    /// What was to be loaded is malformed; nothing of it was loaded.
    #[error(transparent)]
    Input(Box<dyn std::error::Error + Send + Sync>),
    #[error("ref '{name}' of the store is damaged: {reason}")]
    DamagedRef { name: String, reason: DecodeError },
    /// A term that cannot be stored: it is too long or nests too deep.
    #[error("a term cannot be stored: {0}")]
    Term(Malformed),
    #[error(transparent)]
    Block(#[from] BlockError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Dataset(#[from] DatasetError),
}

impl From<WriteError> for WorkspaceError {
    fn from(error: WriteError) -> WorkspaceError {
        match error {
            WriteError::Term(reason) => WorkspaceError::Term(reason),
            WriteError::Block(error) => error.into(),
            WriteError::Dataset(error) => error.into(),
        }
    }
}
