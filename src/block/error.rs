use super::BlockId;

/// Why a block cannot be used. One variant for each thing that a caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// Nobody who was asked has it; it may come back with a peer.
    #[error("{} block(s) are out of reach (first: {})", .0.len(), .0.first().map(ToString::to_string).unwrap_or_default())]
    Unavailable(Vec<BlockId>),
    /// The bytes do not hash to the id: whoever handed them out is broken or lies.
    #[error("block {id} failed verification: its bytes hash to {actual}")]
    Misbehaved { id: BlockId, actual: BlockId },
    /// The bytes hash to the id but are not a block of the kind and epoch that its parent promised.
    #[error("block {id} is corrupt: {reason}")]
    Corrupt { id: BlockId, reason: String },
    /// No key at hand opens the block.
    #[error("no key opens block {0}")]
    NoKey(BlockId),
    #[error("{0} bytes are more than a block may have ({BLOCK_BYTES_MAX})", BLOCK_BYTES_MAX = super::BLOCK_BYTES_MAX)]
    TooLarge(u64),
    #[error("storage failed: {0}")]
    Io(#[from] std::io::Error),
}
