//! `Opened`: what opening a folder finds: what the index says, and behind that what is replayed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io;
use std::sync::Arc;

use super::StoreError;
use super::disk::Disk;
use super::folder::pack_numbers;
use super::index::{Index, Location, LogPosition, News};
use super::pack::{PACK_HEADER_BYTES, Pack, RecordKind, Replayed};
use super::ref_record::{AllRefsPart, Change, decode_changes, decode_part};
use crate::block::BlockId;

pub struct Opened {
    pub index: Index,
    pub packs: BTreeMap<u32, Arc<Pack>>,
    /// The last pack, to which the log goes on.
    pub last: Arc<Pack>,
    pub end: LogPosition,
    pub refs: BTreeMap<String, Vec<u8>>,
    pub corrupt: BTreeSet<BlockId>,
}

impl Opened {
    /// Reads index and packs, and brings the index up to the end of the log.
    pub fn read(disk: &Arc<Disk>) -> Result<Opened, StoreError> {
        match Index::open(disk).and_then(|index| Opened::with_index(disk, index)) {
            // What is there can be read all the same.
            Err(StoreError::Full(_)) => {
                let folder = disk.folder();
                tracing::warn!(folder = %folder.display(), "the disk is full; the index is held in memory");
                Opened::with_index(disk, Index::in_memory(disk)?)
            }
            opened => opened,
        }
    }

    fn with_index(disk: &Arc<Disk>, mut index: Index) -> Result<Opened, StoreError> {
        let numbers = pack_numbers(disk.folder())?;
        if !agrees(disk, &index, &numbers)? {
            tracing::warn!(folder = %disk.folder().display(), "the index does not fit the packs and is rebuilt");
            drop(index);
            index = Index::create_anew(disk)?;
        }
        let mut replay = Replay::from_index(&index)?;
        let begin = replay.end;
        let packs = replay.read(disk, &numbers)?;
        let last = packs.last_key_value().map(|(_, pack)| Arc::clone(pack));
        let last = last.expect("a replay makes a pack if there is none");
        if replay.end != begin {
            disk.sync(&last, replay.end.offset)?;
            disk.sync_folder()?;
            replay.keep_damaged(&index)?;
            let unindexed = packs.range(begin.pack..).map(|(number, _)| *number).collect();
            index.advance(replay.news(unindexed))?;
        }
        let corrupt = replay.damaged.keys().copied().collect();
        let Replay { end, refs, .. } = replay;
        Ok(Opened { index, packs, last, end, refs, corrupt })
    }
}

/// Returns whether the packs that the index knows are there, and reach as far as it has read.
fn agrees(disk: &Disk, index: &Index, numbers: &[u32]) -> Result<bool, StoreError> {
    let indexed = index.figures()?.indexed;
    if indexed == LogPosition::default() {
        return Ok(true);
    }
    let known = index.packs()?;
    if known.iter().chain([&indexed.pack]).any(|number| !numbers.contains(number)) {
        return Ok(false);
    }
    let path = Pack::path_of(disk.folder(), indexed.pack);
    let metadata = fs::metadata(&path).map_err(|error| StoreError::of(&path, error))?;
    Ok(metadata.len() >= indexed.offset)
}

/// What is gathered from the index, and then from the records behind what it knows.
struct Replay {
    end: LogPosition,
    refs: BTreeMap<String, Vec<u8>>,
    changed_refs: BTreeSet<String>,
    /// The parts of all refs so far, if the last record was such a part.
    parts: Vec<AllRefsPart>,
    blocks: HashMap<BlockId, Location>,
    /// Blocks of which no intact record was met.
    damaged: HashMap<BlockId, Location>,
}

impl Replay {
    fn from_index(index: &Index) -> Result<Replay, StoreError> {
        Ok(Replay {
            end: index.figures()?.indexed,
            refs: index.refs()?,
            changed_refs: BTreeSet::new(),
            parts: Vec::new(),
            blocks: HashMap::new(),
            damaged: HashMap::new(),
        })
    }

    /// Returns what the index lacks, which lies in these packs.
    fn news(&self, packs: Vec<u32>) -> News {
        let value = |name| self.refs.get(name).cloned();
        News {
            indexed: self.end,
            packs,
            blocks: self.blocks.iter().map(|(id, at)| (*id, *at)).collect(),
            refs: self.changed_refs.iter().map(|name| (name.clone(), value(name))).collect(),
        }
    }

    /// Gives the index the places of damaged blocks too, so that they go on being found damaged.
    fn keep_damaged(&mut self, index: &Index) -> Result<(), StoreError> {
        let ids: Vec<BlockId> = self.damaged.keys().copied().collect();
        for (id, elsewhere) in ids.iter().zip(index.locate(&ids)?) {
            if elsewhere.is_some() {
                self.damaged.remove(id);
            }
        }
        self.blocks.extend(&self.damaged);
        Ok(())
    }

    /// Reads what the index has not seen, cuts off a torn end, and makes a pack if there is none.
    fn read(&mut self, disk: &Disk, numbers: &[u32]) -> Result<BTreeMap<u32, Arc<Pack>>, StoreError> {
        let mut packs = BTreeMap::new();
        for number in numbers.iter().copied() {
            let is_last = Some(&number) == numbers.last();
            let pack = match open_pack(disk, number, is_last)? {
                Some(pack) => self.read_pack(disk, &pack, is_last).map(|()| pack)?,
                None => self.create_pack(disk, number)?,
            };
            packs.insert(number, Arc::new(pack));
        }
        if packs.is_empty() {
            packs.insert(1, Arc::new(self.create_pack(disk, 1)?));
        }
        Ok(packs)
    }

    fn create_pack(&mut self, disk: &Disk, number: u32) -> Result<Pack, StoreError> {
        self.end = LogPosition { pack: number, offset: PACK_HEADER_BYTES };
        disk.create_pack(number)
    }

    fn read_pack(&mut self, disk: &Disk, pack: &Pack, is_last: bool) -> Result<(), StoreError> {
        if pack.number < self.end.pack {
            return Ok(());
        }
        let failed = |error| StoreError::of(&pack.path, error);
        let from = if pack.number == self.end.pack { self.end.offset } else { PACK_HEADER_BYTES };
        let len = pack.file.metadata().map_err(failed)?.len();
        let durable = if is_last { disk.known_durable(pack.number) } else { len };
        let end = pack.replay(from, durable, |met| self.note(pack.number, met)).map_err(failed)?;
        self.end = LogPosition { pack: pack.number, offset: end };
        if is_last && end < len {
            let bytes = len - end;
            tracing::warn!(path = %pack.path.display(), bytes, "cut off the torn end of a write");
            disk.truncate(pack, end).map_err(failed)?;
        }
        Ok(())
    }

    fn note(&mut self, pack: u32, met: Replayed) -> io::Result<()> {
        match met {
            Replayed::Damaged(id) => {
                let id = id.map(|(id, offset, len)| (id, Location { pack, offset, len }));
                tracing::warn!(pack, block = ?id, "a stored record is damaged");
                // An earlier copy serves as well.
                self.damaged.extend(id.filter(|(id, _)| !self.blocks.contains_key(id)));
                self.parts.clear();
            }
            Replayed::Record { header, offset, payload } => match header.kind {
                RecordKind::Block => {
                    self.blocks.insert(header.hash, Location { pack, offset, len: header.len });
                    self.damaged.remove(&header.hash);
                    self.parts.clear();
                }
                RecordKind::Refs => {
                    self.change_refs(decode_changes(&payload)?);
                    self.parts.clear();
                }
                RecordKind::AllRefs => self.note_part(decode_part(&payload)?),
            },
        }
        Ok(())
    }

    fn change_refs(&mut self, changes: Vec<Change>) {
        for (name, value) in changes {
            match value {
                Some(value) => self.refs.insert(name.clone(), value),
                None => self.refs.remove(&name),
            };
            self.changed_refs.insert(name);
        }
    }

    /// Takes all refs anew once the last of their parts is there.
    fn note_part(&mut self, part: AllRefsPart) {
        if part.part == 0 {
            self.parts.clear();
        }
        if part.part as usize != self.parts.len() {
            return self.parts.clear();
        }
        let is_last = part.is_last;
        self.parts.push(part);
        if is_last {
            self.changed_refs.extend(std::mem::take(&mut self.refs).into_keys());
            for part in std::mem::take(&mut self.parts) {
                self.change_refs(part.changes);
            }
        }
    }
}

fn open_pack(disk: &Disk, number: u32, is_last: bool) -> Result<Option<Pack>, StoreError> {
    let path = Pack::path_of(disk.folder(), number);
    match Pack::open(disk.folder(), number) {
        // The process ended while it made the last one; nothing was promised of it.
        Ok(None) if !is_last => Err(StoreError::Foreign { path, reason: "it has no header".to_owned() }),
        Ok(pack) => Ok(pack),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(StoreError::Foreign { path, reason: error.to_string() })
        }
        Err(error) => Err(StoreError::of(&path, error)),
    }
}
