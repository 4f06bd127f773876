//! The index beside the packs: where each block lies, and the refs, as of some place in the log.
//!
//! It holds nothing that the packs do not: whatever it lacks is replayed, and if it is damaged it is
//! made anew. On a full disk it can be held in memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};

use super::StoreError;
use crate::block::BlockId;

const BLOCKS: TableDefinition<'_, &[u8; 32], (u32, u64, u32)> = TableDefinition::new("blocks");
const REFS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("refs");
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

/// What the index says of the store as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// What lies before this is in the index.
    pub indexed: LogPosition,
    pub blocks: u64,
    pub block_bytes: u64,
}

pub struct Index {
    path: PathBuf,
    /// `None` after a failed write, until it can be opened again: a database that failed once refuses
    /// to be read too.
    database: RwLock<Option<Database>>,
}

impl Index {
    /// Opens the index, making an empty one if there is none or it is damaged beyond reading.
    pub fn open(path: &Path) -> Result<Index, StoreError> {
        match Index::try_open(path) {
            Err(StoreError::Index { reason, .. }) => {
                tracing::warn!(path = %path.display(), reason, "the index is damaged and is rebuilt");
                Index::create_anew(path)
            }
            other => other,
        }
    }

    /// Makes an empty index in the place of what is there.
    pub fn create_anew(path: &Path) -> Result<Index, StoreError> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StoreError::of(path, error)),
            _ => Index::try_open(path),
        }
    }

    /// Makes an empty index in memory, which stands for the one at `path` until the store is closed.
    pub fn in_memory(path: &Path) -> Result<Index, StoreError> {
        Index::of(path, Database::builder().create_with_backend(InMemoryBackend::new()))
    }

    fn try_open(path: &Path) -> Result<Index, StoreError> {
        Index::of(path, Database::builder().set_cache_size(CACHE_BYTES).create(path))
    }

    fn of(path: &Path, database: Result<Database, redb::DatabaseError>) -> Result<Index, StoreError> {
        let database = database.map_err(|error| failed(path, error.into()))?;
        let index = Index { path: path.to_owned(), database: RwLock::new(Some(database)) };
        // Tables are made at once, so that readers find them.
        index.in_write(|_, _, _| Ok(()))?;
        Ok(index)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn figures(&self) -> Result<Figures, StoreError> {
        self.in_read(|transaction| {
            let table = transaction.open_table(FIGURES)?;
            let figure = |name: &str| Ok::<u64, redb::Error>(table.get(name)?.map_or(0, |v| v.value()));
            Ok(Figures {
                indexed: LogPosition { pack: figure("pack")? as u32, offset: figure("offset")? },
                blocks: figure("blocks")?,
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

    /// Returns the ids of all blocks, sorted.
    pub fn ids(&self) -> Result<Vec<BlockId>, StoreError> {
        self.in_read(|transaction| {
            let table = transaction.open_table(BLOCKS)?;
            let mut ids = Vec::with_capacity(table.len()? as usize);
            for entry in table.iter()? {
                ids.push(BlockId::from_bytes(*entry?.0.value()));
            }
            Ok(ids)
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

    /// Brings the index up to a place in the log, durably. What lies before that place must be durable.
    pub fn advance<'a>(
        &self,
        figures: Figures,
        blocks: impl IntoIterator<Item = (&'a BlockId, &'a Location)>,
        refs: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>,
    ) -> Result<(), StoreError> {
        let mut blocks: Vec<_> = blocks.into_iter().collect();
        blocks.sort_unstable_by_key(|(id, _)| **id);
        self.in_write(|block_table, ref_table, figure_table| {
            for (id, at) in blocks {
                block_table.insert(id.as_bytes(), (at.pack, at.offset, at.len))?;
            }
            for (name, value) in refs {
                match value {
                    Some(value) => ref_table.insert(name, value)?,
                    None => ref_table.remove(name)?,
                };
            }
            for (name, figure) in [
                ("pack", u64::from(figures.indexed.pack)),
                ("offset", figures.indexed.offset),
                ("blocks", figures.blocks),
                ("block_bytes", figures.block_bytes),
            ] {
                figure_table.insert(name, figure)?;
            }
            Ok(())
        })
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
        write: impl FnOnce(
            &mut redb::Table<'_, &'static [u8; 32], (u32, u64, u32)>,
            &mut redb::Table<'_, &'static str, &'static [u8]>,
            &mut redb::Table<'_, &'static str, u64>,
        ) -> Result<(), redb::Error>,
    ) -> Result<(), StoreError> {
        self.reopen()?;
        let run = || -> Result<(), StoreError> {
            let failed = |error| failed(&self.path, error);
            let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
            let transaction = self.begin(&database, Database::begin_write)?;
            {
                let mut blocks = transaction.open_table(BLOCKS).map_err(|error| failed(error.into()))?;
                let mut refs = transaction.open_table(REFS).map_err(|error| failed(error.into()))?;
                let mut figures = transaction.open_table(FIGURES).map_err(|error| failed(error.into()))?;
                write(&mut blocks, &mut refs, &mut figures).map_err(failed)?;
            }
            transaction.commit().map_err(|error| failed(error.into()))
        };
        let written = run();
        if written.is_err() {
            self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        }
        written
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

fn location((pack, offset, len): (u32, u64, u32)) -> Location {
    Location { pack, offset, len }
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
