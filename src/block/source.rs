//! Where blocks come from and go to. Disk, memory, peers and carrier files are sources; they stack.

use super::{BlockError, BlockId, SealedBlock};

/// Hands out blocks whose bytes hash to their id.
pub trait BlockSource: Send + Sync {
    /// Returns, for each id in order, the block, or `None` if this source does not have it.
    ///
    /// Asks for all of them at once: a source that is far away pays one round trip, not one each.
    ///
    /// # Errors
    /// Only for what concerns the source as a whole; a block that fails its hash counts as absent
    /// and is reported by the source.
    fn get(&self, ids: &[BlockId]) -> Result<Vec<Option<SealedBlock>>, BlockError>;

    /// Returns, for each id in order, whether `get` would find it now without asking farther away.
    fn has(&self, ids: &[BlockId]) -> Result<Vec<bool>, BlockError>;

    /// Returns which of these blocks, none of which `get` found, are here but damaged.
    fn damaged(&self, _ids: &[BlockId]) -> Vec<BlockId> {
        Vec::new()
    }
}

/// Keeps blocks.
pub trait BlockSink: Send + Sync {
    /// Keeps the blocks; those it has already cost nothing. Durable only after [`BlockSink::sync`].
    fn put(&self, blocks: &[SealedBlock]) -> Result<(), BlockError>;

    /// Returns once all that was put before is durable.
    fn sync(&self) -> Result<(), BlockError>;
}
