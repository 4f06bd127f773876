use crate::block::BlockError;
use crate::model::TermId;

/// Why a dataset could not answer.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// Blocks are needed that no source has at hand now; try again when a peer is back.
    #[error("{missing} block(s) are out of reach (first: {first})")]
    Unavailable { missing: usize, first: String },
    /// A block on our own disk does not match its name or its seal.
    #[error("block {id} is corrupt: {reason}")]
    Corrupt { id: String, reason: String },
    /// No key opens the block.
    #[error("no key opens block {id}")]
    NoKey { id: String },
    /// An id that this dataset never gave out: a mistake of ours.
    #[error("{0:?} is no id of this dataset")]
    UnknownId(TermId),
    /// A disk that fails or is full.
    #[error("storage failed: {0}")]
    Io(#[from] std::io::Error),
}

impl From<BlockError> for DatasetError {
    fn from(error: BlockError) -> DatasetError {
        match error {
            BlockError::Unavailable(ids) => DatasetError::Unavailable {
                missing: ids.len(),
                first: ids.first().map(ToString::to_string).unwrap_or_default(),
            },
            BlockError::NoKey(id) => DatasetError::NoKey { id: id.to_string() },
            BlockError::Misbehaved { id, actual } => {
                DatasetError::Corrupt { id: id.to_string(), reason: format!("its bytes hash to {actual}") }
            }
            BlockError::Corrupt { id, reason } => DatasetError::Corrupt { id: id.to_string(), reason },
            BlockError::TooLarge(_) => DatasetError::Io(std::io::Error::other(error)),
            BlockError::Io(source) => DatasetError::Io(source),
        }
    }
}
