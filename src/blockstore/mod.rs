//! Where this node keeps sealed blocks and the names that point to them.
//!
//! It holds only sealed blocks: it has no key, and knows neither graphs nor commits nor peers.
//! [`LocalStore`] is on disk, [`MemoryStore`] in memory; both are a [`Store`].

mod error;
mod index;
mod local;
mod memory;
mod pack;
mod ref_record;
mod scratch;

pub use error::StoreError;
pub use local::LocalStore;
pub use memory::MemoryStore;
pub use scratch::DiskScratch;

use crate::block::{BlockError, BlockId, BlockSink, BlockSource, Scratch};

/// Named small values that change by compare-and-swap: branches, the key of the last manifest, settings.
pub trait Refs: Send + Sync {
    /// Returns the value of a ref; what it returns is durable.
    fn read_ref(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Returns the refs whose name begins with `prefix`, sorted by name.
    fn list_refs(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError>;

    /// Changes all these refs, or none. Once it returns, the change is durable, and so are all
    /// blocks that were put before.
    ///
    /// # Errors
    /// [`StoreError::RefChanged`] if one is not what its change expects.
    fn update_refs(&self, changes: &[RefChange]) -> Result<(), StoreError>;

    /// Sets ref `name` to `new` (`None` deletes it) if it is `old` (`None`: if there is none).
    fn compare_and_swap(&self, name: &str, old: Option<&[u8]>, new: Option<&[u8]>) -> Result<(), StoreError> {
        self.update_refs(&[RefChange {
            name: name.to_owned(),
            old: old.map(<[u8]>::to_vec),
            new: new.map(<[u8]>::to_vec),
        }])
    }
}

/// One compare-and-swap of [`Refs::update_refs`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefChange {
    pub name: String,
    /// What the ref must be for the change to happen; `None` if it must not be.
    pub old: Option<Vec<u8>>,
    /// What it becomes; `None` deletes it.
    pub new: Option<Vec<u8>>,
}

/// Blocks and refs together, with what upkeep needs.
pub trait Store: BlockSource + BlockSink + Refs {
    /// Returns the ids of all blocks, sorted.
    fn ids(&self) -> Result<Vec<BlockId>, BlockError>;

    fn usage(&self) -> Result<Usage, BlockError>;

    /// Returns where work lays down what does not fit into memory.
    fn scratch(&self) -> Box<dyn Scratch>;

    /// Returns the blocks that were found damaged and not put again since, sorted. They count as absent.
    fn corrupt(&self) -> Vec<BlockId>;

    /// Reads every block against its hash; returns how many are intact. The others are in
    /// [`Store::corrupt`] then.
    fn verify(&self) -> Result<u64, BlockError> {
        let mut intact = 0;
        for chunk in self.ids()?.chunks(64) {
            intact += self.get(chunk)?.iter().flatten().count() as u64;
        }
        Ok(intact)
    }
}

/// How much a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub blocks: u64,
    /// Sealed bytes of the blocks.
    pub block_bytes: u64,
    /// Bytes on disk, everything included.
    pub disk_bytes: u64,
}
