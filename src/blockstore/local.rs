//! `LocalStore`: a folder of pack files with an index beside them.
//!
//! The packs are the log, and the log is the store: blocks and ref changes are appended to it in one
//! order, so that one `fdatasync` makes a commit durable, its blocks and its ref together. The index
//! follows lazily; opening replays what it has not seen. Syncs are shared: whoever comes while one
//! runs waits for the next, which serves all who wait.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::index::{Figures, Index, Location, LogPosition};
use super::pack::{
    PACK_HEADER_BYTES, Pack, RECORD_HEADER_BYTES, RecordHeader, RecordKind, Replayed, read_exact_at,
    write_all_at,
};
use super::ref_record::{decode_changes, encode_changes};
use super::{RefChange, Refs, Store, StoreError, Usage};
use crate::block::{
    BLOCK_BYTES_MAX, BlockError, BlockId, BlockSink, BlockSource, SealedBlock, UntrustedBlock,
};

/// A pack that has grown past this is followed by another.
const PACK_BYTES_MAX: u64 = 1 << 30;
/// The index is brought up to date once so much waits for it: it bounds what an opening replays.
const UNINDEXED_BYTES_MAX: u64 = 128 << 20;
const UNINDEXED_BLOCKS_MAX: usize = 16_384;
const FIRST_INDEXING: (u64, usize) = (UNINDEXED_BYTES_MAX, UNINDEXED_BLOCKS_MAX);

/// Blocks and refs in a folder, which it holds locked while it is open.
pub struct LocalStore {
    folder: PathBuf,
    index: Index,
    packs: RwLock<BTreeMap<u32, Arc<Pack>>>,
    log: Mutex<Log>,
    /// How much of the log is durable. Held while syncing, so that syncs are shared.
    durable: Mutex<LogPosition>,
    /// Blocks that the index does not have, or has elsewhere.
    recent: RwLock<HashMap<BlockId, Location>>,
    corrupt: Mutex<BTreeSet<BlockId>>,
    /// Locked as long as the store is open.
    _lock: File,
}

/// The end of the log, where everything is appended.
struct Log {
    pack: Arc<Pack>,
    offset: u64,
    /// How much of `pack` is durable.
    durable_offset: u64,
    figures: Figures,
    refs: BTreeMap<String, RefState>,
    unindexed_bytes: u64,
    /// How many bytes and blocks may wait for the index.
    index_after: (u64, usize),
    /// Why nothing may be appended any more.
    failure: Option<String>,
}

/// A ref as the log has it; deleted ones are kept until the index knows.
struct RefState {
    value: Option<Vec<u8>>,
    /// The end of the record that set it.
    at: LogPosition,
}

impl LocalStore {
    /// Opens the store in `folder`, making it if there is none.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::ReadOnly`], [`StoreError::Denied`], [`StoreError::Full`],
    /// [`StoreError::Foreign`] for a folder of something else.
    pub fn open(folder: &Path) -> Result<LocalStore, StoreError> {
        fs::create_dir_all(folder).map_err(|error| StoreError::of(folder, error))?;
        let lock = lock(folder)?;
        let numbers = pack_numbers(folder)?;
        let index_path = folder.join("index.redb");
        let opened = match Index::open(&index_path).and_then(|index| Opened::read(folder, &numbers, index)) {
            // What is there can be read all the same.
            Err(StoreError::Full(_)) => {
                tracing::warn!(folder = %folder.display(), "the disk is full; the index is held in memory");
                Opened::read(folder, &numbers, Index::in_memory(&index_path)?)
            }
            opened => opened,
        };
        let Opened { index, packs, end, figures, refs, corrupt } = opened?;
        let pack = packs.last_key_value().map(|(_, pack)| Arc::clone(pack));
        let pack = pack.expect("opening makes a pack if there is none");
        let refs = refs.into_iter().map(|(name, value)| (name, RefState { value: Some(value), at: end }));
        let log = Log {
            pack,
            offset: end.offset,
            durable_offset: end.offset,
            figures,
            refs: refs.collect(),
            unindexed_bytes: 0,
            index_after: FIRST_INDEXING,
            failure: None,
        };
        Ok(LocalStore {
            folder: folder.to_owned(),
            index,
            packs: RwLock::new(packs),
            log: Mutex::new(log),
            durable: Mutex::new(end),
            recent: RwLock::default(),
            corrupt: Mutex::new(corrupt),
            _lock: lock,
        })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Brings the index up to the end of the log, so that the next opening replays nothing.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        self.sync_log()?;
        let mut log = hold(&self.log);
        self.index_log(&mut log)
    }

    /// Appends blocks that are not there yet.
    fn append_blocks(&self, blocks: &[SealedBlock]) -> Result<(), StoreError> {
        let mut log = hold(&self.log);
        log.check()?;
        let ids: Vec<BlockId> = blocks.iter().map(SealedBlock::id).collect();
        let present = self.locate(&ids)?;
        let mut framed = Vec::new();
        let mut places: HashMap<BlockId, Location> = HashMap::new();
        for (block, present) in blocks.iter().zip(present) {
            if present.is_some() || places.contains_key(&block.id()) {
                continue;
            }
            let len = block.bytes().len() as u32;
            let header =
                RecordHeader { kind: RecordKind::Block, len, durable: log.durable_offset, hash: block.id() };
            log.pack.frame(&mut framed, &header, block.bytes());
            let offset = log.offset + framed.len() as u64 - u64::from(len);
            places.insert(block.id(), Location { pack: log.pack.number, offset, len });
        }
        if framed.is_empty() {
            return Ok(());
        }
        log.append(&framed)?;
        let mut corrupt = hold(&self.corrupt);
        for (id, place) in &places {
            if !corrupt.remove(id) {
                log.figures.blocks += 1;
                log.figures.block_bytes += u64::from(place.len);
            }
        }
        drop(corrupt);
        let waiting = {
            let mut recent = self.recent.write().unwrap_or_else(PoisonError::into_inner);
            recent.extend(places);
            recent.len()
        };
        if log.offset >= PACK_BYTES_MAX {
            self.begin_pack(&mut log)?;
        }
        let (bytes_max, blocks_max) = log.index_after;
        if log.unindexed_bytes >= bytes_max || waiting >= blocks_max {
            let synced = sync(&log.pack);
            log.poison_on(synced)?;
            log.durable_offset = log.offset;
            match self.index_log(&mut log) {
                Ok(()) => log.index_after = FIRST_INDEXING,
                // The log has the blocks, and memory their places: the index can follow later.
                Err(error) => {
                    tracing::warn!(%error, "the index could not be brought up to date");
                    log.index_after =
                        (log.unindexed_bytes + UNINDEXED_BYTES_MAX, waiting + UNINDEXED_BLOCKS_MAX);
                }
            }
        }
        Ok(())
    }

    /// Ends the pack, durably, and begins another.
    fn begin_pack(&self, log: &mut Log) -> Result<(), StoreError> {
        let synced = sync(&log.pack);
        log.poison_on(synced)?;
        log.durable_offset = log.offset;
        let number = log.pack.number + 1;
        let made = Pack::create(&self.folder, number).map_err(|error| StoreError::of(&self.folder, error));
        let pack = Arc::new(made?);
        sync(&pack)?;
        sync_folder(&self.folder)?;
        self.packs.write().unwrap_or_else(PoisonError::into_inner).insert(number, Arc::clone(&pack));
        log.pack = pack;
        (log.offset, log.durable_offset) = (PACK_HEADER_BYTES, PACK_HEADER_BYTES);
        Ok(())
    }

    /// Writes into the index what it lacks; all of the log must be durable.
    fn index_log(&self, log: &mut Log) -> Result<(), StoreError> {
        log.check()?;
        if log.durable_offset < log.offset {
            // Somebody appended after the sync; what is indexed must be durable.
            let synced = sync(&log.pack);
            log.poison_on(synced)?;
            log.durable_offset = log.offset;
        }
        let mut recent = self.recent.write().unwrap_or_else(PoisonError::into_inner);
        let mut figures = log.figures;
        let before = figures.indexed;
        figures.indexed = log.position();
        let changed = log.refs.iter().filter(|(_, state)| state.at > before);
        let changed = changed.map(|(name, state)| (name.as_str(), state.value.as_deref()));
        self.index.advance(figures, &*recent, changed)?;
        recent.clear();
        log.figures = figures;
        log.refs.retain(|_, state| state.value.is_some());
        log.unindexed_bytes = 0;
        Ok(())
    }

    /// Makes all of the log durable.
    fn sync_log(&self) -> Result<(), StoreError> {
        let target = hold(&self.log).position();
        self.sync_to(target)
    }

    fn sync_to(&self, target: LogPosition) -> Result<(), StoreError> {
        let mut durable = hold(&self.durable);
        if *durable >= target {
            return Ok(());
        }
        let (pack, end) = {
            let log = hold(&self.log);
            log.check()?;
            (Arc::clone(&log.pack), log.position())
        };
        // Others go on appending meanwhile. A pack that was left behind is durable already.
        let synced = sync(&pack);
        let mut log = hold(&self.log);
        log.poison_on(synced)?;
        if log.pack.number == end.pack {
            log.durable_offset = log.durable_offset.max(end.offset);
        }
        *durable = end;
        Ok(())
    }

    /// Returns where each block lies; damaged ones count as absent.
    fn locate(&self, ids: &[BlockId]) -> Result<Vec<Option<Location>>, StoreError> {
        let mut found = {
            // Held over the look into the index: in between, a block might move from here to there.
            let recent = self.recent.read().unwrap_or_else(PoisonError::into_inner);
            let indexed = self.index.locate(ids)?;
            let both = ids.iter().zip(indexed);
            both.map(|(id, indexed)| recent.get(id).copied().or(indexed)).collect::<Vec<_>>()
        };
        let corrupt = hold(&self.corrupt);
        if !corrupt.is_empty() {
            for (id, place) in ids.iter().zip(&mut found) {
                if corrupt.contains(id) {
                    *place = None;
                }
            }
        }
        Ok(found)
    }

    fn read(&self, id: BlockId, at: Location) -> Option<SealedBlock> {
        let pack = self.packs.read().unwrap_or_else(PoisonError::into_inner).get(&at.pack).cloned();
        let mut bytes = vec![0; (at.len as usize).min(BLOCK_BYTES_MAX)];
        let read = match &pack {
            Some(pack) => read_exact_at(&pack.file, &mut bytes, at.offset).map_err(BlockError::from),
            None => Err(std::io::Error::new(std::io::ErrorKind::NotFound, "its pack is missing").into()),
        };
        match read.and_then(|()| UntrustedBlock { claimed_id: id, bytes }.verify()) {
            Ok(block) => Some(block),
            Err(error) => {
                tracing::warn!(block = %id, pack = at.pack, offset = at.offset, %error, "a stored block is damaged");
                hold(&self.corrupt).insert(id);
                None
            }
        }
    }
}

impl Drop for LocalStore {
    fn drop(&mut self) {
        // Only to spare the next opening its replay: what was promised is durable without.
        let _ = self.checkpoint();
    }
}

impl Log {
    fn position(&self) -> LogPosition {
        LogPosition { pack: self.pack.number, offset: self.offset }
    }

    fn check(&self) -> Result<(), StoreError> {
        self.failure.as_ref().map_or(Ok(()), |reason| Err(StoreError::Poisoned(reason.clone())))
    }

    fn append(&mut self, framed: &[u8]) -> Result<(), StoreError> {
        if let Err(error) = write_all_at(&self.pack.file, framed, self.offset) {
            // Part of it may be there. Cut it off, so that what comes next does not follow a gap.
            if let Err(second) = self.pack.file.set_len(self.offset) {
                self.failure = Some(format!("{error}; {second}"));
            }
            return Err(StoreError::of(&self.pack.path, error));
        }
        self.offset += framed.len() as u64;
        self.unindexed_bytes += framed.len() as u64;
        Ok(())
    }

    /// After a failed sync nobody knows what is on the medium, and asking again would not tell.
    fn poison_on(&mut self, synced: Result<(), StoreError>) -> Result<(), StoreError> {
        if let Err(error) = &synced {
            self.failure = Some(error.to_string());
        }
        synced
    }
}

impl BlockSource for LocalStore {
    fn get(&self, ids: &[BlockId]) -> Result<Vec<Option<SealedBlock>>, BlockError> {
        let places = self.locate(ids)?;
        Ok(ids.iter().zip(places).map(|(id, place)| self.read(*id, place?)).collect())
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
        let (value, at) = match hold(&self.log).refs.get(name) {
            Some(state) => (state.value.clone(), state.at),
            None => return Ok(None),
        };
        self.sync_to(at)?;
        Ok(value)
    }

    fn list_refs(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let mut latest = LogPosition::default();
        let mut found = Vec::new();
        for (name, state) in hold(&self.log).refs.range(prefix.to_owned()..) {
            if !name.starts_with(prefix) {
                break;
            }
            latest = latest.max(state.at);
            found.extend(state.value.as_ref().map(|value| (name.clone(), value.clone())));
        }
        self.sync_to(latest)?;
        Ok(found)
    }

    fn update_refs(&self, changes: &[RefChange]) -> Result<(), StoreError> {
        let end = {
            let mut log = hold(&self.log);
            log.check()?;
            for change in changes {
                let actual = log.refs.get(&change.name).and_then(|state| state.value.as_ref());
                if actual != change.old.as_ref() {
                    let actual = actual.cloned();
                    return Err(StoreError::RefChanged { name: change.name.clone(), actual });
                }
            }
            let payload = encode_changes(changes);
            if payload.len() > BLOCK_BYTES_MAX {
                let error = std::io::Error::new(std::io::ErrorKind::InvalidInput, "too many refs at once");
                return Err(StoreError::of(&self.folder, error));
            }
            let header = RecordHeader {
                kind: RecordKind::Refs,
                len: payload.len() as u32,
                durable: log.durable_offset,
                hash: BlockId::of(&payload),
            };
            let mut framed = Vec::with_capacity(RECORD_HEADER_BYTES + payload.len());
            log.pack.frame(&mut framed, &header, &payload);
            log.append(&framed)?;
            let at = log.position();
            for change in changes {
                log.refs.insert(change.name.clone(), RefState { value: change.new.clone(), at });
            }
            at
        };
        self.sync_to(end)
    }
}

impl Store for LocalStore {
    fn ids(&self) -> Result<Vec<BlockId>, BlockError> {
        let mut ids: BTreeSet<BlockId> = {
            let recent = self.recent.read().unwrap_or_else(PoisonError::into_inner);
            self.index.ids()?.into_iter().chain(recent.keys().copied()).collect()
        };
        hold(&self.corrupt).iter().for_each(|id| {
            ids.remove(id);
        });
        Ok(ids.into_iter().collect())
    }

    fn usage(&self) -> Result<Usage, BlockError> {
        let figures = hold(&self.log).figures;
        let mut disk_bytes = 0;
        for entry in fs::read_dir(&self.folder)? {
            disk_bytes += entry?.metadata()?.len();
        }
        Ok(Usage { blocks: figures.blocks, block_bytes: figures.block_bytes, disk_bytes })
    }

    fn corrupt(&self) -> Vec<BlockId> {
        hold(&self.corrupt).iter().copied().collect()
    }
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn sync(pack: &Pack) -> Result<(), StoreError> {
    pack.file.sync_data().map_err(|error| StoreError::of(&pack.path, error))
}

/// Makes the names in a folder durable.
fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    if cfg!(unix) {
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| StoreError::of(folder, error))?;
    }
    Ok(())
}

fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join("lock");
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(|error| StoreError::of(folder, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(StoreError::of(&path, error)),
    }
}

/// Returns the numbers of the packs in a folder, sorted.
fn pack_numbers(folder: &Path) -> Result<Vec<u32>, StoreError> {
    let failed = |error| StoreError::of(folder, error);
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".pack")?.parse::<u32>().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Returns whether the packs reach as far as the index says that it has read.
fn agrees(folder: &Path, indexed: LogPosition, numbers: &[u32]) -> Result<bool, StoreError> {
    if indexed == LogPosition::default() {
        return Ok(true);
    }
    if !numbers.contains(&indexed.pack) {
        return Ok(false);
    }
    let path = Pack::path_of(folder, indexed.pack);
    let metadata = fs::metadata(&path).map_err(|error| StoreError::of(&path, error))?;
    Ok(metadata.len() >= indexed.offset)
}

/// What an opening finds.
struct Opened {
    index: Index,
    packs: BTreeMap<u32, Arc<Pack>>,
    end: LogPosition,
    figures: Figures,
    refs: BTreeMap<String, Vec<u8>>,
    corrupt: BTreeSet<BlockId>,
}

impl Opened {
    /// Reads index and packs, and brings the index up to the end of the log.
    fn read(folder: &Path, numbers: &[u32], mut index: Index) -> Result<Opened, StoreError> {
        let mut figures = index.figures()?;
        if !agrees(folder, figures.indexed, numbers)? {
            tracing::warn!(folder = %folder.display(), "the index does not fit the packs and is rebuilt");
            let path = index.path().to_owned();
            drop(index);
            index = Index::create_anew(&path)?;
            figures = index.figures()?;
        }
        let mut opening = Opening { figures, refs: index.refs()?, ..Opening::new(&index) };
        let (packs, end) = opening.replay(folder, numbers)?;
        let Opening { figures, refs, changed_refs, recent, corrupt, .. } = opening;
        if let Some((_, last)) = packs.last_key_value() {
            sync(last)?;
        }
        sync_folder(folder)?;
        let changed = changed_refs.iter().map(|name| (name.as_str(), refs.get(name).map(Vec::as_slice)));
        index.advance(figures, &recent, changed)?;
        Ok(Opened { index, packs, end, figures, refs, corrupt })
    }
}

/// What an opening gathers from the index and from what it replays.
struct Opening<'a> {
    index: &'a Index,
    figures: Figures,
    refs: BTreeMap<String, Vec<u8>>,
    changed_refs: BTreeSet<String>,
    recent: HashMap<BlockId, Location>,
    corrupt: BTreeSet<BlockId>,
}

impl<'a> Opening<'a> {
    fn new(index: &'a Index) -> Opening<'a> {
        Opening {
            index,
            figures: Figures::default(),
            refs: BTreeMap::new(),
            changed_refs: BTreeSet::new(),
            recent: HashMap::new(),
            corrupt: BTreeSet::new(),
        }
    }

    /// Reads what the index has not seen, cuts off a torn end, and makes a pack if there is none.
    fn replay(
        &mut self,
        folder: &Path,
        numbers: &[u32],
    ) -> Result<(BTreeMap<u32, Arc<Pack>>, LogPosition), StoreError> {
        let mut packs = BTreeMap::new();
        for number in numbers {
            let is_last = Some(number) == numbers.last();
            if let Some(pack) = self.replay_pack(folder, *number, is_last)? {
                packs.insert(*number, Arc::new(pack));
            }
        }
        if packs.is_empty() || numbers.last().is_some_and(|number| !packs.contains_key(number)) {
            let number = numbers.last().copied().unwrap_or(1);
            let pack = Pack::create(folder, number).map_err(|error| StoreError::of(folder, error))?;
            self.figures.indexed = LogPosition { pack: number, offset: PACK_HEADER_BYTES };
            packs.insert(number, Arc::new(pack));
        }
        Ok((packs, self.figures.indexed))
    }

    fn replay_pack(&mut self, folder: &Path, number: u32, is_last: bool) -> Result<Option<Pack>, StoreError> {
        let path = Pack::path_of(folder, number);
        let pack = match Pack::open(folder, number) {
            Ok(Some(pack)) => pack,
            // The process ended while it made this one; nothing was promised of it.
            Ok(None) if is_last => return Ok(None),
            Ok(None) => return Err(StoreError::Foreign { path, reason: "it has no header".to_owned() }),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                return Err(StoreError::Foreign { path, reason: error.to_string() });
            }
            Err(error) => return Err(StoreError::of(&path, error)),
        };
        let indexed = self.figures.indexed;
        if number < indexed.pack {
            return Ok(Some(pack));
        }
        let from = if number == indexed.pack { indexed.offset } else { PACK_HEADER_BYTES };
        let end = pack.replay(from, is_last, |met| self.note(number, met));
        let end = end.map_err(|error| StoreError::of(&path, error))?;
        self.figures.indexed = LogPosition { pack: number, offset: end };
        let len = pack.file.metadata().map_err(|error| StoreError::of(&path, error))?.len();
        if is_last && end < len {
            let bytes = len - end;
            tracing::warn!(path = %path.display(), bytes, "cut off the torn end of a write");
            pack.file.set_len(end).map_err(|error| StoreError::of(&path, error))?;
        }
        Ok(Some(pack))
    }

    fn note(&mut self, pack: u32, met: Replayed) -> std::io::Result<()> {
        match met {
            Replayed::Damaged(id) => {
                tracing::warn!(pack, block = ?id, "a stored record is damaged");
                // An intact copy may lie before it.
                if let Some(id) = id
                    && !self.is_known(id)?
                {
                    self.corrupt.insert(id);
                }
            }
            Replayed::Record { header, offset, payload } => match header.kind {
                RecordKind::Block => {
                    if !self.is_known(header.hash)? {
                        self.figures.blocks += 1;
                        self.figures.block_bytes += u64::from(header.len);
                    }
                    self.recent.insert(header.hash, Location { pack, offset, len: header.len });
                    self.corrupt.remove(&header.hash);
                }
                RecordKind::Refs => {
                    for (name, value) in decode_changes(&payload)? {
                        match value {
                            Some(value) => self.refs.insert(name.clone(), value),
                            None => self.refs.remove(&name),
                        };
                        self.changed_refs.insert(name);
                    }
                }
            },
        }
        Ok(())
    }

    fn is_known(&self, id: BlockId) -> std::io::Result<bool> {
        let is_indexed = || Ok(self.index.locate(&[id]).map_err(std::io::Error::other)?[0].is_some());
        if self.recent.contains_key(&id) { Ok(true) } else { is_indexed() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::BlockKind;
    use crate::crypto::{EpochKey, WorkspaceId};
    use tempfile::TempDir;

    fn block(seed: u32) -> SealedBlock {
        let key = EpochKey::from_secret([5; 32], WorkspaceId([6; 32]));
        SealedBlock::seal(BlockKind::Dictionary, &seed.to_le_bytes().repeat(100), &key)
    }

    fn blocks(range: std::ops::Range<u32>) -> Vec<SealedBlock> {
        range.map(block).collect()
    }

    fn ids(blocks: &[SealedBlock]) -> Vec<BlockId> {
        blocks.iter().map(SealedBlock::id).collect()
    }

    fn open(folder: &TempDir) -> LocalStore {
        LocalStore::open(folder.path()).unwrap()
    }

    /// Ends the store as `kill -9` would: nothing is checkpointed, the lock goes.
    fn kill(store: LocalStore) {
        hold(&store.log).failure = Some("killed".to_owned());
        drop(store);
    }

    fn pack_path(folder: &TempDir) -> PathBuf {
        Pack::path_of(folder.path(), 1)
    }

    fn check_holds(store: &LocalStore, expected: &[SealedBlock]) {
        let found = store.get(&ids(expected)).unwrap();
        assert_eq!(found.into_iter().flatten().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_was_put_is_there_after_reopening() {
        let folder = TempDir::new().unwrap();
        let all = blocks(0..50);
        for is_killed in [false, true, false] {
            let store = open(&folder);
            store.put(&all).unwrap();
            store.put(&all[..10]).unwrap();
            store.sync().unwrap();
            check_holds(&store, &all);
            assert_eq!(store.usage().unwrap().blocks, 50);
            assert_eq!(store.has(&[block(99).id(), all[0].id()]).unwrap(), [false, true]);
            let mut sorted = ids(&all);
            sorted.sort_unstable();
            assert_eq!(store.ids().unwrap(), sorted);
            assert_eq!(store.verify().unwrap(), 50);
            if is_killed { kill(store) } else { drop(store) }
        }
        check_holds(&open(&folder), &all);
        std::fs::remove_file(folder.path().join("index.redb")).unwrap();
        check_holds(&open(&folder), &all);
        std::fs::write(folder.path().join("index.redb"), b"garbage").unwrap();
        check_holds(&open(&folder), &all);
        assert_eq!(open(&folder).usage().unwrap().blocks, 50);
    }

    #[test]
    fn a_damaged_copy_leaves_the_intact_one() {
        for is_indexed in [false, true] {
            let folder = TempDir::new().unwrap();
            let store = open(&folder);
            store.put(&blocks(1..2)).unwrap();
            store.sync().unwrap();
            if is_indexed {
                drop(store)
            } else {
                kill(store)
            }
            // A copy and a change of refs, both damaged, and behind them a record that was made durable later.
            let pack = Pack::open(folder.path(), 1).unwrap().unwrap();
            let end = pack.file.metadata().unwrap().len();
            let mut framed = Vec::new();
            for (kind, seed) in [(RecordKind::Block, 1), (RecordKind::Refs, 3), (RecordKind::Block, 2)] {
                let (hash, payload) = (block(seed).id(), block(seed).bytes().to_vec());
                let (len, durable) = (payload.len() as u32, end + framed.len() as u64);
                pack.frame(&mut framed, &RecordHeader { kind, len, durable, hash }, &payload);
                if seed != 2 {
                    *framed.last_mut().unwrap() ^= 1;
                }
            }
            write_all_at(&pack.file, &framed, end).unwrap();
            let store = open(&folder);
            check_holds(&store, &blocks(1..3));
            assert_eq!(store.corrupt(), []);
        }
    }

    #[test]
    fn refs_change_together_or_not_at_all() {
        let folder = TempDir::new().unwrap();
        let change = |name: &str, old: Option<&[u8]>, new: Option<&[u8]>| RefChange {
            name: name.to_owned(),
            old: old.map(<[u8]>::to_vec),
            new: new.map(<[u8]>::to_vec),
        };
        let store = open(&folder);
        store.update_refs(&[change("a/1", None, Some(b"x")), change("a/2", None, Some(b"y"))]).unwrap();
        store.compare_and_swap("b", None, Some(b"z")).unwrap();
        let lost = store.update_refs(&[change("b", Some(b"z"), None), change("a/1", None, Some(b"w"))]);
        assert!(
            matches!(lost, Err(StoreError::RefChanged { name, actual }) if name == "a/1" && actual == Some(b"x".to_vec()))
        );
        store.compare_and_swap("a/2", Some(b"y"), None).unwrap();
        kill(store);
        for _ in 0..3 {
            let store = open(&folder);
            assert_eq!(store.list_refs("a/").unwrap(), [("a/1".to_owned(), b"x".to_vec())]);
            assert_eq!(store.read_ref("b").unwrap(), Some(b"z".to_vec()));
            assert_eq!(store.read_ref("a/2").unwrap(), None);
        }
    }

    #[test]
    fn a_folder_has_one_owner() {
        let folder = TempDir::new().unwrap();
        let store = open(&folder);
        let Err(error) = LocalStore::open(folder.path()) else { panic!("opened twice") };
        assert!(matches!(error, StoreError::InUse(_)));
        assert!(error.to_string().ends_with("is in use by another process"));
        drop(store);
        open(&folder);
    }

    #[test]
    fn a_torn_end_loses_only_what_was_not_promised() {
        let all = blocks(0..4);
        let folder = TempDir::new().unwrap();
        let store = open(&folder);
        store.put(&all[..3]).unwrap();
        store.compare_and_swap("head", None, Some(b"3")).unwrap();
        kill(store);
        let whole = std::fs::read(pack_path(&folder)).unwrap();
        let store = open(&folder);
        store.put(&all[3..]).unwrap();
        kill(store);
        let longer = std::fs::read(pack_path(&folder)).unwrap();
        for len in (whole.len()..longer.len()).step_by(17) {
            for garbage in [&b""[..], &[0; 300], &longer[60..400]] {
                std::fs::write(pack_path(&folder), [&longer[..len], garbage].concat()).unwrap();
                std::fs::remove_file(folder.path().join("index.redb")).unwrap();
                let store = open(&folder);
                check_holds(&store, &all[..3]);
                assert_eq!(store.read_ref("head").unwrap(), Some(b"3".to_vec()));
                assert_eq!((store.has(&[all[3].id()]).unwrap(), store.corrupt()), (vec![false], vec![]));
                store.put(&all).unwrap();
                check_holds(&store, &all);
                kill(store);
                check_holds(&open(&folder), &all);
            }
        }
    }

    #[test]
    fn a_flipped_bit_hides_one_block_until_it_is_put_again() {
        let all = blocks(0..5);
        let folder = TempDir::new().unwrap();
        let store = open(&folder);
        store.put(&all).unwrap();
        store.compare_and_swap("head", None, Some(b"5")).unwrap();
        store.compare_and_swap("head", Some(b"5"), Some(b"6")).unwrap();
        kill(store);
        let intact = std::fs::read(pack_path(&folder)).unwrap();
        let body = memchr::memmem::find(&intact, all[2].bytes()).unwrap();
        for (offset, is_index_kept) in
            [(body + 30, true), (body + 30, false), (body - 20, false), (body - 56, false)]
        {
            let mut flipped = intact.clone();
            flipped[offset] ^= 4;
            std::fs::write(pack_path(&folder), flipped).unwrap();
            if !is_index_kept {
                std::fs::remove_file(folder.path().join("index.redb")).unwrap();
            }
            let store = open(&folder);
            let found = store.get(&ids(&all)).unwrap();
            assert_eq!(
                found.iter().map(Option::is_some).collect::<Vec<_>>(),
                [true, true, false, true, true]
            );
            assert_eq!(store.read_ref("head").unwrap(), Some(b"6".to_vec()));
            if offset > body {
                assert_eq!(store.corrupt(), [all[2].id()]);
            }
            store.put(&all).unwrap();
            assert_eq!(store.corrupt(), []);
            check_holds(&store, &all);
            drop(store);
            check_holds(&open(&folder), &all);
        }
    }

    #[test]
    fn writers_share_syncs_and_lose_nothing() {
        let folder = TempDir::new().unwrap();
        let store = open(&folder);
        std::thread::scope(|scope| {
            for writer in 0..4u32 {
                let store = &store;
                scope.spawn(move || {
                    let name = format!("branch/{writer}");
                    let mut old: Option<Vec<u8>> = None;
                    for step in 0..25u32 {
                        let one = block(writer * 1000 + step);
                        store.put(std::slice::from_ref(&one)).unwrap();
                        let new = one.id().as_bytes().to_vec();
                        store.compare_and_swap(&name, old.as_deref(), Some(&new)).unwrap();
                        old = Some(new);
                    }
                });
            }
        });
        kill(store);
        let store = open(&folder);
        for writer in 0..4 {
            let all = blocks(writer * 1000..writer * 1000 + 25);
            check_holds(&store, &all);
            let head = store.read_ref(&format!("branch/{writer}")).unwrap().unwrap();
            assert_eq!(head, all[24].id().as_bytes());
        }
        store.checkpoint().unwrap();
        assert_eq!(store.usage().unwrap().blocks, 100);
    }

    #[test]
    fn packs_follow_each_other() {
        let folder = TempDir::new().unwrap();
        let all = blocks(0..6);
        let store = open(&folder);
        for pair in all.chunks(2) {
            store.put(pair).unwrap();
            let mut log = hold(&store.log);
            store.begin_pack(&mut log).unwrap();
        }
        check_holds(&store, &all);
        kill(store);
        // The last pack was made, but its header did not reach the disk.
        std::fs::write(Pack::path_of(folder.path(), 4), b"reef").unwrap();
        let store = open(&folder);
        check_holds(&store, &all);
        store.put(&blocks(6..8)).unwrap();
        drop(store);
        check_holds(&open(&folder), &blocks(0..8));
    }
}
