//! `LocalStore`: a folder of pack files with an index beside them.
//!
//! The packs are the log, and the log is the store: blocks and ref changes are appended to it in one
//! order, so that one `fdatasync` makes a commit durable, its blocks and its ref together. The index
//! follows lazily; opening replays what it has not seen. Syncs are shared: whoever comes while one
//! runs waits for the next, which serves all who wait.
//!
//! Whoever takes several locks takes them in this order: `sweeping`, `log`, `corrupt`, and then any
//! one of the others. Only the first two are held while something is synced: readers wait for no
//! writer's sync.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::disk::{Disk, Watch};
use super::index::{Index, Location, LogPosition, News};
use super::log::Log;
use super::mark::Mark;
use super::opening::Opened;
use super::pack::{PACK_HEADER_BYTES, Pack, RECORD_HEADER_BYTES, RecordKind, read_exact_at};
use super::ref_record::{encode_all, encode_changes};
use super::ref_table::RefTable;
use super::sweep::Sweep;
use super::syncs::Syncs;
use super::{DiskScratch, RefChange, Refs, Store, StoreError, SweepOptions, Swept, Ticket, Usage, folder};
use crate::block::{
    BLOCK_BYTES_MAX, BlockError, BlockId, BlockSink, BlockSource, Scratch, SealedBlock, UntrustedBlock,
};

/// Blocks and refs in a folder, which it holds locked while it is open.
pub struct LocalStore {
    pub(super) disk: Arc<Disk>,
    pub(super) index: Index,
    pub(super) packs: RwLock<BTreeMap<u32, Arc<Pack>>>,
    log: Mutex<Log>,
    refs: RwLock<RefTable>,
    syncs: Syncs,
    /// Blocks that the index does not have, or has elsewhere. Changed only by who holds the log.
    pub(super) recent: RwLock<HashMap<BlockId, Location>>,
    corrupt: Mutex<BTreeSet<BlockId>>,
    pub(super) sweeping: Mutex<()>,
    pack_bytes_max: u64,
}

/// How a store is opened.
#[derive(Clone)]
pub struct StoreOptions {
    /// A pack that has grown past this is followed by another.
    pub pack_bytes_max: u64,
    /// Is asked before every step that changes the folder; for tests.
    pub watch: Option<Watch>,
}

impl Default for StoreOptions {
    fn default() -> StoreOptions {
        StoreOptions { pack_bytes_max: 256 << 20, watch: None }
    }
}

impl LocalStore {
    /// Opens the store in `folder`, making it if there is none.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::ReadOnly`], [`StoreError::Denied`], [`StoreError::Full`],
    /// [`StoreError::Foreign`] for a folder of something else.
    pub fn open(folder: &Path) -> Result<LocalStore, StoreError> {
        LocalStore::open_with(folder, StoreOptions::default())
    }

    /// Opens the store as [`LocalStore::open`] does.
    pub fn open_with(folder: &Path, options: StoreOptions) -> Result<LocalStore, StoreError> {
        fs::create_dir_all(folder).map_err(|error| StoreError::of(folder, error))?;
        let mark = Mark::new(folder::lock(folder)?);
        let disk = Arc::new(Disk::new(folder, mark, options.watch));
        let Opened { index, packs, last, end, refs, corrupt } = Opened::read(&disk)?;
        Ok(LocalStore {
            disk,
            index,
            packs: RwLock::new(packs),
            log: Mutex::new(Log::new(last, end.offset)),
            refs: RwLock::new(RefTable::new(refs, end)),
            syncs: Syncs::new(end),
            recent: RwLock::default(),
            corrupt: Mutex::new(corrupt),
            sweeping: Mutex::default(),
            pack_bytes_max: options.pack_bytes_max,
        })
    }

    pub fn folder(&self) -> &Path {
        self.disk.folder()
    }

    /// Brings the index up to the end of the log, so that the next opening replays nothing.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        self.sync_log()?;
        self.index_log(&mut self.log())
    }

    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        hold(&self.log)
    }

    /// Appends blocks that are not there yet.
    fn append_blocks(&self, blocks: &[SealedBlock]) -> Result<(), StoreError> {
        let mut log = self.log();
        let ids: Vec<BlockId> = blocks.iter().map(SealedBlock::id).collect();
        let present = self.locate(&ids)?;
        let missing = blocks
            .iter()
            .zip(present)
            .filter(|(block, present)| present.is_none_or(|at| log.may_go(&block.id(), at)));
        let missing: Vec<&SealedBlock> = missing.map(|(block, _)| block).collect();
        self.append_all(&mut log, &missing, &[])?;
        drop(log);
        self.index_if_due()
    }

    /// Appends these blocks, whether they are there or not, and then changes of refs, in one write.
    ///
    /// # Errors
    /// [`StoreError::RefChanged`] if a ref is not what its change expects; nothing is appended then.
    pub(super) fn append_all(
        &self,
        log: &mut Log,
        blocks: &[&SealedBlock],
        changes: &[RefChange],
    ) -> Result<(), StoreError> {
        self.make_room(log)?;
        read(&self.refs).check(changes)?;
        let mut batch = log.batch(self.syncs.durable());
        let mut places: HashMap<BlockId, Location> = HashMap::new();
        for block in blocks {
            places
                .entry(block.id())
                .or_insert_with(|| log.frame(&mut batch, RecordKind::Block, block.id(), block.bytes()));
        }
        if !changes.is_empty() {
            let payload = encode_changes(changes);
            if payload.len() > BLOCK_BYTES_MAX {
                let error = std::io::Error::new(std::io::ErrorKind::InvalidInput, "too many refs at once");
                return Err(StoreError::of(self.folder(), error));
            }
            log.frame(&mut batch, RecordKind::Refs, BlockId::of(&payload), &payload);
        }
        if batch.bytes() == 0 {
            return Ok(());
        }
        log.append(&self.disk, &batch)?;
        write(&self.recent).extend(&places);
        hold(&self.corrupt).retain(|id| !places.contains_key(id));
        if !changes.is_empty() {
            write(&self.refs).append(changes, log.position());
        }
        Ok(())
    }

    /// Sees to it that something can be appended, in another pack if this one is full.
    fn make_room(&self, log: &mut Log) -> Result<(), StoreError> {
        log.check()?;
        if log.offset >= self.pack_bytes_max { self.begin_pack(log) } else { Ok(()) }
    }

    /// Ends the pack, durably, and begins another.
    pub(super) fn begin_pack(&self, log: &mut Log) -> Result<(), StoreError> {
        self.sync_held(log)?;
        let number = log.pack.number + 1;
        let pack = match self.disk.begin_pack(number) {
            Ok(pack) => Arc::new(pack),
            Err(error) => {
                // Nothing may be appended to a pack that is not the last.
                if let Err(second) = self.disk.delete_pack(number) {
                    log.poison(format!("{error}; {second}"));
                }
                return Err(error);
            }
        };
        write(&self.packs).insert(number, Arc::clone(&pack));
        log.turn_to(pack);
        self.settle(log.position());
        Ok(())
    }

    /// Lets the index follow if much waits for it.
    pub(super) fn index_if_due(&self) -> Result<(), StoreError> {
        if !self.log().is_index_due(read(&self.recent).len()) {
            return Ok(());
        }
        self.sync_log()?;
        let mut log = self.log();
        let waiting = read(&self.recent).len();
        // Another writer may have done it meanwhile.
        if log.is_index_due(waiting)
            && let Err(error) = self.index_log(&mut log)
        {
            log.check()?;
            // The log has the blocks, and memory their places: the index can follow later.
            tracing::warn!(%error, "the index could not be brought up to date");
            log.index_later(waiting);
        }
        Ok(())
    }

    /// Writes into the index what it lacks, up to the end of the log.
    fn index_log(&self, log: &mut Log) -> Result<(), StoreError> {
        log.check()?;
        // Somebody may have appended since the last sync; what is indexed must be durable.
        if self.syncs.durable() < log.position() {
            self.sync_held(log)?;
        }
        if log.indexed == log.position() {
            return Ok(());
        }
        self.index.advance(News {
            indexed: log.position(),
            packs: read(&self.packs).range(log.indexed.pack..).map(|(number, _)| *number).collect(),
            blocks: read(&self.recent).iter().map(|(id, at)| (*id, *at)).collect(),
            refs: read(&self.refs).unindexed(),
        })?;
        write(&self.recent).clear();
        write(&self.refs).indexed();
        log.index_followed();
        Ok(())
    }

    /// Makes all of the log durable.
    fn sync_log(&self) -> Result<(), StoreError> {
        let end = self.log().position();
        self.sync_to(end)
    }

    fn sync_to(&self, target: LogPosition) -> Result<(), StoreError> {
        self.syncs.wait(target, || {
            let (pack, end) = {
                let log = self.log();
                log.check()?;
                (Arc::clone(&log.pack), log.position())
            };
            // Others go on appending meanwhile. A pack that was left behind is durable already.
            let synced = self.disk.sync(&pack, end.offset);
            self.log().poison_on(synced)?;
            self.settle(end);
            Ok(())
        })
    }

    /// Makes all of the log durable, with nobody appending meanwhile.
    fn sync_held(&self, log: &mut Log) -> Result<(), StoreError> {
        log.check()?;
        let synced = self.disk.sync(&log.pack, log.offset);
        log.poison_on(synced)?;
        self.settle(log.position());
        Ok(())
    }

    /// Notes that the log is durable up to `position`: for readers first, then for who waits.
    fn settle(&self, position: LogPosition) {
        write(&self.refs).settle(position);
        self.syncs.reached(position);
    }

    /// Appends all refs that there are, so that no record of refs before is needed.
    /// Returns how many bytes that took.
    pub(super) fn append_all_refs(&self, log: &mut Log) -> Result<u64, StoreError> {
        self.make_room(log)?;
        let mut batch = log.batch(self.syncs.durable());
        for part in encode_all(&read(&self.refs).all_latest(), BLOCK_BYTES_MAX / 2) {
            log.frame(&mut batch, RecordKind::AllRefs, BlockId::of(&part), &part);
        }
        log.append(&self.disk, &batch)?;
        Ok(batch.bytes())
    }

    /// Returns how many bytes of the log all refs would take that there are.
    pub(super) fn all_refs_bytes(&self) -> u64 {
        let parts = encode_all(&read(&self.refs).all_latest(), BLOCK_BYTES_MAX / 2);
        parts.iter().map(|part| (part.len() + RECORD_HEADER_BYTES) as u64).sum()
    }

    /// Returns how long each pack is.
    pub(super) fn pack_bytes(&self) -> Result<BTreeMap<u32, u64>, StoreError> {
        let packs = read(&self.packs).clone();
        let bytes = |pack: &Pack| pack.file.metadata().map(|metadata| metadata.len());
        let bytes = |pack: &Pack| bytes(pack).map_err(|error| StoreError::of(&pack.path, error));
        packs.iter().map(|(number, pack)| Ok((*number, bytes(pack)?))).collect()
    }

    /// Returns where each block lies; damaged ones count as absent.
    fn locate(&self, ids: &[BlockId]) -> Result<Vec<Option<Location>>, StoreError> {
        let mut found = self.places(ids)?;
        let corrupt = hold(&self.corrupt);
        if !corrupt.is_empty() {
            for (id, place) in ids.iter().zip(&mut found) {
                place.take_if(|_| corrupt.contains(id));
            }
        }
        Ok(found)
    }

    /// Returns where each block lies, damaged or not.
    pub(super) fn places(&self, ids: &[BlockId]) -> Result<Vec<Option<Location>>, StoreError> {
        // In this order: a block is in the index before it leaves here.
        let recent: Vec<_> = {
            let recent = read(&self.recent);
            ids.iter().map(|id| recent.get(id).copied()).collect()
        };
        let indexed = self.index.locate(ids)?;
        Ok(recent.into_iter().zip(indexed).map(|(recent, indexed)| recent.or(indexed)).collect())
    }

    /// Reads a block; one that is damaged is noted, and absent.
    fn read(&self, id: BlockId, mut at: Location) -> Result<Option<SealedBlock>, StoreError> {
        loop {
            let error = match self.read_at(id, at) {
                Ok(block) => return Ok(Some(block)),
                Err(error) => error,
            };
            let mut corrupt = hold(&self.corrupt);
            match self.places(&[id])?.into_iter().flatten().next() {
                // It was put again, or a sweep moved it.
                Some(now) if now != at => at = now,
                Some(_) => {
                    tracing::warn!(block = %id, pack = at.pack, offset = at.offset, %error, "a stored block is damaged");
                    corrupt.insert(id);
                    return Ok(None);
                }
                None => return Ok(None),
            }
        }
    }

    pub(super) fn read_at(&self, id: BlockId, at: Location) -> Result<SealedBlock, BlockError> {
        let pack = read(&self.packs).get(&at.pack).cloned();
        let missing = || std::io::Error::new(std::io::ErrorKind::NotFound, "its pack is missing");
        let mut bytes = vec![0; (at.len as usize).min(BLOCK_BYTES_MAX)];
        read_exact_at(&pack.ok_or_else(missing)?.file, &mut bytes, at.offset)?;
        UntrustedBlock { claimed_id: id, bytes }.verify()
    }

    /// Forgets that these blocks were found damaged.
    pub(super) fn forget_damage(&self, ids: impl Fn(&BlockId) -> bool) {
        hold(&self.corrupt).retain(|id| !ids(id));
    }
}

impl Drop for LocalStore {
    fn drop(&mut self) {
        // Only to spare the next opening its replay: what was promised is durable without.
        let _ = self.checkpoint();
    }
}

impl BlockSource for LocalStore {
    fn get(&self, ids: &[BlockId]) -> Result<Vec<Option<SealedBlock>>, BlockError> {
        let places = ids.iter().zip(self.locate(ids)?);
        places.map(|(id, at)| at.map_or(Ok(None), |at| Ok(self.read(*id, at)?))).collect()
    }

    fn has(&self, ids: &[BlockId]) -> Result<Vec<bool>, BlockError> {
        Ok(self.locate(ids)?.into_iter().map(|place| place.is_some()).collect())
    }

    fn damaged(&self, ids: &[BlockId]) -> Vec<BlockId> {
        let corrupt = hold(&self.corrupt);
        ids.iter().filter(|id| corrupt.contains(id)).copied().collect()
    }
}

impl BlockSink for LocalStore {
    fn put(&self, blocks: &[SealedBlock]) -> Result<(), BlockError> {
        Ok(self.append_blocks(blocks)?)
    }

    fn sync(&self) -> Result<(), BlockError> {
        Ok(self.sync_log()?)
    }
}

impl Refs for LocalStore {
    fn read_ref(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(read(&self.refs).read(name).cloned())
    }

    fn latest_ref(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(read(&self.refs).latest(name).cloned())
    }

    fn list_refs(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        Ok(read(&self.refs).list(prefix))
    }

    fn append_refs(&self, changes: &[RefChange]) -> Result<Ticket, StoreError> {
        self.append(&[], changes)
    }

    fn wait(&self, ticket: Ticket) -> Result<(), StoreError> {
        self.sync_to(ticket.0)
    }
}

impl Store for LocalStore {
    fn append(&self, blocks: &[SealedBlock], changes: &[RefChange]) -> Result<Ticket, StoreError> {
        let ticket = {
            let mut log = self.log();
            self.append_all(&mut log, &blocks.iter().collect::<Vec<_>>(), changes)?;
            Ticket(log.position())
        };
        // All is appended. If it cannot be made durable, who waits for the ticket is told; here nobody may be told
        // that nothing was appended.
        if !blocks.is_empty()
            && let Err(error) = self.index_if_due()
        {
            tracing::warn!(%error, "the log could not be made durable for the index");
        }
        Ok(ticket)
    }

    fn ids(&self) -> Result<Vec<BlockId>, BlockError> {
        let recent: Vec<BlockId> = read(&self.recent).keys().copied().collect();
        let mut ids: BTreeSet<BlockId> = self.index.blocks()?.into_iter().map(|(id, _)| id).collect();
        ids.extend(recent);
        hold(&self.corrupt).iter().for_each(|id| {
            ids.remove(id);
        });
        Ok(ids.into_iter().collect())
    }

    fn usage(&self) -> Result<Usage, BlockError> {
        let recent: Vec<(BlockId, Location)> = read(&self.recent).iter().map(|(id, at)| (*id, *at)).collect();
        let figures = self.index.figures()?;
        let (mut blocks, mut block_bytes) = (figures.blocks, figures.block_bytes);
        let ids: Vec<BlockId> = recent.iter().map(|(id, _)| *id).collect();
        for ((_, at), indexed) in recent.iter().zip(self.index.locate(&ids)?) {
            if indexed.is_none() {
                blocks += 1;
                block_bytes += u64::from(at.len);
            }
        }
        let pack_bytes = self.pack_bytes()?;
        let packs = pack_bytes.len() as u64;
        let needed = packs * PACK_HEADER_BYTES
            + blocks * RECORD_HEADER_BYTES as u64
            + block_bytes
            + self.all_refs_bytes();
        let (syncs, appended_bytes) = self.disk.counters();
        Ok(Usage {
            blocks,
            block_bytes,
            disk_bytes: folder::bytes(self.folder())?,
            packs,
            dead_bytes: pack_bytes.values().sum::<u64>().saturating_sub(needed),
            index_bytes: self.index.bytes(),
            syncs,
            appended_bytes,
        })
    }

    fn scratch(&self) -> Box<dyn Scratch> {
        Box::new(DiskScratch::new(self.folder()))
    }

    fn corrupt(&self) -> Vec<BlockId> {
        hold(&self.corrupt).iter().copied().collect()
    }

    fn sweep(&self, live: &dyn Fn(&BlockId) -> bool, options: SweepOptions) -> Result<Swept, BlockError> {
        Ok(Sweep::run(self, live, options)?)
    }
}

pub(super) fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
