//! Where this node keeps sealed blocks and the names that point to them.
//!
//! It holds only sealed blocks: it has no key, and knows neither graphs nor commits nor peers.
//! [`LocalStore`] is on disk, [`MemoryStore`] in memory; both are a [`Store`].

mod disk;
mod error;
mod folder;
mod index;
mod local;
mod log;
mod mark;
mod memory;
mod opening;
mod pack;
mod ref_record;
mod ref_table;
mod scratch;
mod sweep;
mod syncs;

pub use disk::{Step, Watch};
pub use error::StoreError;
pub use local::{LocalStore, StoreOptions};
pub use memory::MemoryStore;
pub use scratch::DiskScratch;

use index::LogPosition;

use crate::block::{BlockError, BlockId, BlockSink, BlockSource, Scratch, SealedBlock};

/// Named small values that change by compare-and-swap: branches, the key of the last manifest, settings.
///
/// A change is made in two phases, so that writers need not sync one after the other: [`append_refs`]
/// orders it among all changes, [`wait`] returns once it is durable. Readers see durable values only,
/// and never wait for somebody else's sync.
///
/// [`append_refs`]: Refs::append_refs
/// [`wait`]: Refs::wait
pub trait Refs: Send + Sync {
    /// Returns the last durable value of a ref.
    fn read_ref(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Returns the latest value of a ref, durable or not: what a writer builds on.
    fn latest_ref(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Returns the last durable values of the refs whose name begins with `prefix`, sorted by name.
    fn list_refs(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError>;

    /// Changes all these refs, or none, compared with their latest values. The change is in order
    /// but not durable: whoever must promise it waits for the ticket. No changes give a ticket for
    /// all that was appended before.
    ///
    /// # Errors
    /// [`StoreError::RefChanged`] if one is not what its change expects.
    fn append_refs(&self, changes: &[RefChange]) -> Result<Ticket, StoreError>;

    /// Returns once the change is durable, and so are all changes before it and all blocks that were
    /// put before it. Then [`Refs::read_ref`] shows it, or a later one.
    fn wait(&self, ticket: Ticket) -> Result<(), StoreError>;

    /// Changes all these refs, or none, durably.
    ///
    /// # Errors
    /// [`StoreError::RefChanged`] if one is not what its change expects.
    fn update_refs(&self, changes: &[RefChange]) -> Result<(), StoreError> {
        self.wait(self.append_refs(changes)?)
    }

    /// Sets ref `name` to `new` (`None` deletes it) if it is `old` (`None`: if there is none).
    fn compare_and_swap(&self, name: &str, old: Option<&[u8]>, new: Option<&[u8]>) -> Result<(), StoreError> {
        self.update_refs(&[RefChange {
            name: name.to_owned(),
            old: old.map(<[u8]>::to_vec),
            new: new.map(<[u8]>::to_vec),
        }])
    }
}

/// A place in the order of all changes, to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[must_use = "the change is not durable before its ticket was waited for"]
pub struct Ticket(LogPosition);

/// One compare-and-swap of [`Refs::append_refs`].
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
    /// Puts blocks and then changes refs, as [`BlockSink::put`] and [`Refs::append_refs`] would one
    /// after the other, but in one write.
    ///
    /// # Errors
    /// [`StoreError::RefChanged`] if a ref is not what its change expects; nothing is put then.
    fn append(&self, blocks: &[SealedBlock], changes: &[RefChange]) -> Result<Ticket, StoreError>;

    /// Returns the ids of all blocks, sorted.
    fn ids(&self) -> Result<Vec<BlockId>, BlockError>;

    fn usage(&self) -> Result<Usage, BlockError>;

    /// Returns where work lays down what does not fit into memory.
    fn scratch(&self) -> Box<dyn Scratch>;

    /// Returns the blocks that were found damaged and not put again since, sorted. They count as absent.
    fn corrupt(&self) -> Vec<BlockId>;

    /// Drops the blocks that `live` does not claim, and gives their space back.
    ///
    /// What is put after the sweep began stays, whatever `live` says of it: also a block that is put
    /// again. So the caller must see to two things only. `live` claims whatever a ref leads to, and
    /// whatever somebody still reads. And who writes meanwhile relies on no unclaimed block that it
    /// merely found here (by `has` or `get`): it puts it again, or what it builds on is claimed.
    ///
    /// One sweep runs at a time; reading and writing go on beside it. A crash at any moment leaves
    /// garbage at worst, which the next sweep takes.
    fn sweep(&self, live: &dyn Fn(&BlockId) -> bool, options: SweepOptions) -> Result<Swept, BlockError>;

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

/// How thorough a sweep is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweepOptions {
    /// A pack is rewritten if more than this share of it is dead. Below, its dead blocks are gone
    /// but their space is not given back.
    pub dead_percent_min: u64,
    /// Tells what would go, and changes nothing.
    pub is_dry_run: bool,
}

impl SweepOptions {
    /// Gives back all the space that there is to be had.
    pub fn all() -> SweepOptions {
        SweepOptions { dead_percent_min: 0, ..SweepOptions::default() }
    }
}

impl Default for SweepOptions {
    fn default() -> SweepOptions {
        SweepOptions { dead_percent_min: 25, is_dry_run: false }
    }
}

/// What a sweep dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub blocks: u64,
    /// Sealed bytes of these blocks.
    pub block_bytes: u64,
    /// Packs that were rewritten.
    pub packs: u64,
    /// By how much the packs together became smaller; before the fact, by about how much.
    pub pack_bytes: u64,
}

/// How much a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub blocks: u64,
    /// Sealed bytes of the blocks.
    pub block_bytes: u64,
    /// Bytes on disk, everything included.
    pub disk_bytes: u64,
    pub packs: u64,
    /// Bytes of the packs that no block and no ref needs: what a sweep could give back at once. What
    /// is dead without the store knowing, a sweep's dry run tells.
    pub dead_bytes: u64,
    pub index_bytes: u64,
    /// How often the packs were synced since the store was opened.
    pub syncs: u64,
    /// How many bytes were appended to the packs since the store was opened.
    pub appended_bytes: u64,
}
