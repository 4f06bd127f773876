//! The index beside the packs: where each block lies, and the refs, as of some place in the log.
//!
//! It holds nothing that the packs do not: whatever it lacks is replayed, and if it is damaged it is
//! made anew. On a full disk it can be held in memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};

use super::StoreError;
use super::disk::{Disk, Step};
use crate::block::BlockId;

const BLOCKS: TableDefinition<'_, &[u8; 32], (u32, u64, u32)> = TableDefinition::new("blocks");
const REFS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("refs");
/// Blocks may lie in these packs: if one is gone, the index is older than what it stands beside.
const PACKS: TableDefinition<'_, u32, ()> = TableDefinition::new("packs");
const FIGURES: TableDefinition<'_, &str, u64> = TableDefinition::new("figures");
const CACHE_BYTES: usize = 32 << 20;

/// Where the payload of a block lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    pub pack: u32,
    pub offset: u64,
    pub len: u32,
}

/// A place in the log: all packs below `pack`, and so many bytes of that one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPosition {
    pub pack: u32,
    pub offset: u64,
}

impl Location {
    /// Returns where the payload begins.
    pub fn position(&self) -> LogPosition {
        LogPosition { pack: self.pack, offset: self.offset }
    }
}

/// What the index says of the store as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// What lies before this is in the index.
    pub indexed: LogPosition,
    pub blocks: u64,
    pub block_bytes: u64,
}

/// What [`Index::advance`] takes in.
pub struct News {
    pub indexed: LogPosition,
    /// The packs that were written to.
    pub packs: Vec<u32>,
    pub blocks: Vec<(BlockId, Location)>,
    /// The refs that changed; `None`: deleted.
    pub refs: Vec<(String, Option<Vec<u8>>)>,
}

pub struct Index {
    /// `None` after a failed write, until it can be opened again: a database that failed once refuses
    /// to be read too. Stands first to be closed before the lock, which the disk holds.
    database: RwLock<Option<Database>>,
    disk: Arc<Disk>,
    path: PathBuf,
    is_in_memory: bool,
}

impl Index {
    /// Opens the index of a folder, making an empty one if there is none or it is damaged.
    pub fn open(disk: &Arc<Disk>) -> Result<Index, StoreError> {
        match Index::try_open(disk) {
            Err(StoreError::Index { path, reason }) => {
                tracing::warn!(path = %path.display(), reason, "the index is damaged and is rebuilt");
                Index::create_anew(disk)
            }
            other => other,
        }
    }

    /// Makes an empty index in the place of what is there.
    pub fn create_anew(disk: &Arc<Disk>) -> Result<Index, StoreError> {
        let path = path_in(disk);
        match disk.before(Step::DeleteIndex).and_then(|()| std::fs::remove_file(&path)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StoreError::of(&path, error)),
            _ => Index::try_open(disk),
        }
    }

    /// Makes an empty index in memory, which stands for the one on disk until the store is closed.
    pub fn in_memory(disk: &Arc<Disk>) -> Result<Index, StoreError> {
        Index::of(disk, true, Database::builder().create_with_backend(InMemoryBackend::new()))
    }

    fn try_open(disk: &Arc<Disk>) -> Result<Index, StoreError> {
        let path = path_in(disk);
        disk.before(Step::OpenIndex).map_err(|error| StoreError::of(&path, error))?;
        // A damaged page would misplace blocks and refs without a word, so all are checked.
        let mut builder = Database::builder();
        let builder = builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
        Index::of(disk, false, builder.create(path))
    }

    fn of(
        disk: &Arc<Disk>,
        is_in_memory: bool,
        database: Result<Database, redb::DatabaseError>,
    ) -> Result<Index, StoreError> {
        let path = path_in(disk);
        let database = database.map_err(|error| failed(&path, error.into()))?;
        let database = RwLock::new(Some(database));
        let index = Index { database, disk: Arc::clone(disk), path, is_in_memory };
        // Readers expect to find the tables.
        if index.packs().is_err() {
            index.in_write(|_| Ok(()))?;
        }
        Ok(index)
    }

    pub fn figures(&self) -> Result<Figures, StoreError> {
        self.in_read(|transaction| {
            let table = transaction.open_table(FIGURES)?;
            let figure = |name: &str| Ok::<u64, redb::Error>(table.get(name)?.map_or(0, |v| v.value()));
            Ok(Figures {
                indexed: LogPosition { pack: figure("pack")? as u32, offset: figure("offset")? },
                blocks: transaction.open_table(BLOCKS)?.len()?,
                block_bytes: figure("block_bytes")?,
            })
        })
    }

    /// Returns the location of each block, in the order of `ids`.
    pub fn locate(&self, ids: &[BlockId]) -> Result<Vec<Option<Location>>, StoreError> {
        self.in_read(|transaction| {
            let table = transaction.open_table(BLOCKS)?;
            ids.iter().map(|id| Ok(table.get(id.as_bytes())?.map(|entry| location(entry.value())))).collect()
        })
    }

    /// Returns all blocks and where they lie, sorted by id.
    pub fn blocks(&self) -> Result<Vec<(BlockId, Location)>, StoreError> {
        self.in_read(|transaction| {
            let table = transaction.open_table(BLOCKS)?;
            let mut blocks = Vec::with_capacity(table.len()? as usize);
            for entry in table.iter()? {
                let (id, at) = entry?;
                blocks.push((BlockId::from_bytes(*id.value()), location(at.value())));
            }
            Ok(blocks)
        })
    }

    pub fn refs(&self) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        self.in_read(|transaction| {
            let table = transaction.open_table(REFS)?;
            let mut refs = BTreeMap::new();
            for entry in table.iter()? {
                let (name, value) = entry?;
                refs.insert(name.value().to_owned(), value.value().to_owned());
            }
            Ok(refs)
        })
    }

    /// Returns the packs that there were when the index was last brought up to date.
    pub fn packs(&self) -> Result<Vec<u32>, StoreError> {
        self.in_read(|transaction| {
            let table = transaction.open_table(PACKS)?;
            table.iter()?.map(|entry| Ok(entry?.0.value())).collect()
        })
    }

    /// Brings the index up to a place in the log, durably. What lies before that place must be durable.
    pub fn advance(&self, news: News) -> Result<(), StoreError> {
        let News { indexed, packs, mut blocks, refs } = news;
        blocks.sort_unstable_by_key(|(id, _)| *id);
        self.in_write(|tables| {
            for (id, at) in blocks {
                let is_new = tables.blocks.insert(id.as_bytes(), (at.pack, at.offset, at.len))?.is_none();
                tables.block_bytes += if is_new { u64::from(at.len) } else { 0 };
            }
            for (name, value) in refs {
                match value {
                    Some(value) => tables.refs.insert(&*name, &*value)?,
                    None => tables.refs.remove(&*name)?,
                };
            }
            for pack in packs {
                tables.packs.insert(pack, ())?;
            }
            tables.figures.insert("pack", u64::from(indexed.pack))?;
            tables.figures.insert("offset", indexed.offset)?;
            Ok(())
        })
    }

    /// Forgets those of these blocks that still lie where it is said, and these packs, durably.
    ///
    /// Returns how many blocks it forgot, and their bytes.
    pub fn forget(&self, blocks: &[(BlockId, Location)], packs: &[u32]) -> Result<(u64, u64), StoreError> {
        let (mut forgotten, mut bytes) = (0, 0);
        self.in_write(|tables| {
            for (id, at) in blocks {
                let lies_there =
                    tables.blocks.get(id.as_bytes())?.is_some_and(|entry| location(entry.value()) == *at);
                if lies_there {
                    tables.blocks.remove(id.as_bytes())?;
                    forgotten += 1;
                    bytes += u64::from(at.len);
                }
            }
            for pack in packs {
                tables.packs.remove(*pack)?;
            }
            tables.block_bytes = tables.block_bytes.saturating_sub(bytes);
            Ok(())
        })?;
        Ok((forgotten, bytes))
    }

    /// Returns how large the file is.
    pub fn bytes(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    /// Gives the pages that the index no longer needs back to the file system. Readers wait meanwhile.
    pub fn compact(&self) -> Result<(), StoreError> {
        self.reopen()?;
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        let compacted = self.before(Step::CompactIndex).and_then(|()| match database.as_mut() {
            Some(database) => Ok(database.compact()?),
            None => Ok(false),
        });
        if compacted.is_err() && !self.is_in_memory {
            database.take();
        }
        compacted.map(drop).map_err(|error| failed(&self.path, error))
    }

    fn in_read<T>(
        &self,
        read: impl FnOnce(&redb::ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        let failed = |error| failed(&self.path, error);
        let mut database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        if database.is_none() {
            drop(database);
            self.reopen()?;
            database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        }
        let transaction = self.begin(&database, Database::begin_read)?;
        read(&transaction).map_err(failed)
    }

    fn in_write(
        &self,
        write: impl FnOnce(&mut Tables<'_>) -> Result<(), redb::Error>,
    ) -> Result<(), StoreError> {
        self.reopen()?;
        let written = self.try_write(write);
        if written.is_err() && !self.is_in_memory {
            self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        }
        written
    }

    fn try_write(
        &self,
        write: impl FnOnce(&mut Tables<'_>) -> Result<(), redb::Error>,
    ) -> Result<(), StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        self.before(Step::WriteIndex).map_err(|error| failed(&self.path, error))?;
        let transaction = self.begin(&database, Database::begin_write)?;
        let written = Tables::open(&transaction).and_then(|mut tables| {
            write(&mut tables)?;
            tables.figures.insert("block_bytes", tables.block_bytes)?;
            Ok(())
        });
        written.and_then(|()| Ok(transaction.commit()?)).map_err(|error| failed(&self.path, error))
    }

    fn before(&self, step: Step) -> Result<(), redb::Error> {
        if self.is_in_memory {
            return Ok(());
        }
        self.disk.before(step).map_err(redb::Error::Io)
    }

    fn begin<T, E: Into<redb::Error>>(
        &self,
        database: &Option<Database>,
        begin: impl FnOnce(&Database) -> Result<T, E>,
    ) -> Result<T, StoreError> {
        let closed = || StoreError::Index { path: self.path.clone(), reason: "it is closed".to_owned() };
        begin(database.as_ref().ok_or_else(closed)?).map_err(|error| failed(&self.path, error.into()))
    }

    /// Opens the database again if a failed write closed it; what it held before that write is there.
    fn reopen(&self) -> Result<(), StoreError> {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if database.is_none() {
            let opened = Database::builder().set_cache_size(CACHE_BYTES).open(&self.path);
            *database = Some(opened.map_err(|error| failed(&self.path, error.into()))?);
        }
        Ok(())
    }
}

/// What a write changes.
struct Tables<'a> {
    blocks: redb::Table<'a, &'static [u8; 32], (u32, u64, u32)>,
    refs: redb::Table<'a, &'static str, &'static [u8]>,
    packs: redb::Table<'a, u32, ()>,
    figures: redb::Table<'a, &'static str, u64>,
    block_bytes: u64,
}

impl<'a> Tables<'a> {
    /// Opens the tables, making those that are not there.
    fn open(transaction: &'a redb::WriteTransaction) -> Result<Tables<'a>, redb::Error> {
        let figures = transaction.open_table(FIGURES)?;
        let block_bytes = figures.get("block_bytes")?.map_or(0, |value| value.value());
        Ok(Tables {
            blocks: transaction.open_table(BLOCKS)?,
            refs: transaction.open_table(REFS)?,
            packs: transaction.open_table(PACKS)?,
            figures,
            block_bytes,
        })
    }
}

fn location((pack, offset, len): (u32, u64, u32)) -> Location {
    Location { pack, offset, len }
}

fn path_in(disk: &Disk) -> PathBuf {
    disk.folder().join("index.redb")
}

fn failed(path: &Path, error: redb::Error) -> StoreError {
    match error {
        redb::Error::Io(source) => match source.kind() {
            // What is no database, or is cut off, says so as bad data.
            std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof => {
                StoreError::Index { path: path.to_owned(), reason: source.to_string() }
            }
            _ => StoreError::of(path, source),
        },
        redb::Error::DatabaseAlreadyOpen => StoreError::InUse(path.to_owned()),
        other => StoreError::Index { path: path.to_owned(), reason: other.to_string() },
    }
}
