use super::Malformed;
use crate::block::BlockError;
use crate::dataset::DatasetError;

/// Why a run cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A term that no dictionary can hold: it is too long or too deep.
    #[error("a term cannot be stored: {0}")]
    Term(Malformed),
    #[error(transparent)]
    Block(#[from] BlockError),
    /// What is to be written cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
}
