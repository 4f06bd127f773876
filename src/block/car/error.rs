use std::io;

use crate::block::{BlockError, BlockId};

/// Why a CAR file cannot be read on. Offsets count from the beginning of the file.
#[derive(Debug, thiserror::Error)]
pub enum CarError {
    /// The operating system does not give the bytes.
    #[error("it cannot be read at byte {offset}: {source}")]
    Read { offset: u64, source: io::Error },
    #[error("it is no CARv1 file: {0}")]
    Header(String),
    /// The file ends where more must follow.
    #[error("it is cut off: it ends at byte {offset}, within {within}")]
    Truncated { offset: u64, within: String },
    /// What stands there is no block.
    #[error("no block stands at byte {offset}: {reason}")]
    Malformed { offset: u64, reason: String },
    /// A block of another codec or hash than ours.
    #[error("the block {cid} at byte {offset} is none of ours: it is not raw with a BLAKE3-256 hash")]
    Foreign { offset: u64, cid: String },
    /// A block that is too large, or whose bytes do not hash to its id.
    #[error("the block {id} at byte {offset} is refused: {source}")]
    Block { offset: u64, id: BlockId, source: BlockError },
}
