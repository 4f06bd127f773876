//! `Log`: the end of the log, where everything is appended, one writer at a time.

use std::collections::HashSet;
use std::sync::Arc;

use super::StoreError;
use super::disk::Disk;
use super::index::{Location, LogPosition};
use super::pack::{Pack, RecordKind};
use crate::block::BlockId;

/// The index is brought up to date once so much waits for it: it bounds what an opening replays.
const UNINDEXED_BYTES_MAX: u64 = 128 << 20;
const UNINDEXED_BLOCKS_MAX: usize = 16_384;

pub struct Log {
    pub pack: Arc<Pack>,
    pub offset: u64,
    /// How far the index has followed.
    pub indexed: LogPosition,
    unindexed_bytes: u64,
    /// How many bytes and blocks may wait for the index.
    index_after: (u64, usize),
    /// Set while a sweep runs.
    pub sweep: Option<RunningSweep>,
    /// Why nothing may be appended any more.
    failure: Option<String>,
}

/// What writers must know of a sweep.
pub struct RunningSweep {
    /// What lies behind stays.
    pub start: LogPosition,
    /// What goes, once that is known.
    pub dying: Option<HashSet<BlockId>>,
}

/// Records that will be appended together, in one write.
pub struct Batch {
    framed: Vec<u8>,
    durable: u64,
}

impl Batch {
    pub fn bytes(&self) -> u64 {
        self.framed.len() as u64
    }
}

impl Log {
    /// Goes on with a log that the index has followed.
    pub fn new(pack: Arc<Pack>, offset: u64) -> Log {
        Log {
            indexed: LogPosition { pack: pack.number, offset },
            pack,
            offset,
            unindexed_bytes: 0,
            index_after: (UNINDEXED_BYTES_MAX, UNINDEXED_BLOCKS_MAX),
            sweep: None,
            failure: None,
        }
    }

    pub fn position(&self) -> LogPosition {
        LogPosition { pack: self.pack.number, offset: self.offset }
    }

    pub fn check(&self) -> Result<(), StoreError> {
        self.failure.as_ref().map_or(Ok(()), |reason| Err(StoreError::Poisoned(reason.clone())))
    }

    pub fn poison(&mut self, reason: String) {
        self.failure = Some(reason);
    }

    /// After a failed sync nobody knows what is on the medium, and asking again would not tell.
    pub fn poison_on(&mut self, synced: Result<(), StoreError>) -> Result<(), StoreError> {
        if let Err(error) = &synced {
            self.poison(error.to_string());
        }
        synced
    }

    /// Begins a batch of records; `durable` is how much of the log is.
    pub fn batch(&self, durable: LogPosition) -> Batch {
        let durable = if durable.pack == self.pack.number { durable.offset } else { 0 };
        Batch { framed: Vec::new(), durable }
    }

    /// Adds a record to a batch; returns where its payload will lie.
    pub fn frame(&self, batch: &mut Batch, kind: RecordKind, hash: BlockId, payload: &[u8]) -> Location {
        self.pack.frame(&mut batch.framed, kind, hash, batch.durable, payload);
        let len = payload.len() as u32;
        let offset = self.offset + batch.framed.len() as u64 - u64::from(len);
        Location { pack: self.pack.number, offset, len }
    }

    pub fn append(&mut self, disk: &Disk, batch: &Batch) -> Result<(), StoreError> {
        if let Err(error) = disk.append(&self.pack, &batch.framed, self.offset) {
            // Part of it may be there. Cut it off, so that what comes next does not follow a gap.
            if let Err(second) = disk.truncate(&self.pack, self.offset) {
                self.poison(format!("{error}; {second}"));
            }
            return Err(StoreError::of(&self.pack.path, error));
        }
        self.offset += batch.framed.len() as u64;
        self.unindexed_bytes += batch.framed.len() as u64;
        Ok(())
    }

    /// Goes on in another pack, which holds its header only.
    pub fn turn_to(&mut self, pack: Arc<Pack>) {
        (self.pack, self.offset) = (pack, super::pack::PACK_HEADER_BYTES);
    }

    /// Returns whether a block at this place must be written again for a put of it to last.
    pub fn may_go(&self, id: &BlockId, at: Location) -> bool {
        self.sweep.as_ref().is_some_and(|sweep| {
            at.position() < sweep.start && sweep.dying.as_ref().is_none_or(|dying| dying.contains(id))
        })
    }

    pub fn is_index_due(&self, waiting_blocks: usize) -> bool {
        let (bytes_max, blocks_max) = self.index_after;
        self.unindexed_bytes >= bytes_max || waiting_blocks >= blocks_max
    }

    pub fn index_followed(&mut self) {
        self.indexed = self.position();
        self.unindexed_bytes = 0;
        self.index_after = (UNINDEXED_BYTES_MAX, UNINDEXED_BLOCKS_MAX);
    }

    /// Puts off the index, which could not be written, until much more waits for it.
    pub fn index_later(&mut self, waiting_blocks: usize) {
        self.index_after =
            (self.unindexed_bytes + UNINDEXED_BYTES_MAX, waiting_blocks + UNINDEXED_BLOCKS_MAX);
    }
}
