//! `Disk`: every change that a store makes to its folder passes here, one step at a time.
//!
//! A [`Watch`] is asked before each step, so that tests can make it fail, or end the process there.

use std::cmp::Ordering;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::StoreError;
use super::index::LogPosition;
use super::mark::Mark;
use super::pack::{PACK_HEADER_BYTES, Pack, write_all_at};

/// A change of the folder that is about to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Makes a pack that holds its header only.
    CreatePack {
        pack: u32,
    },
    /// Writes records behind the end of a pack, which is `end` then.
    Append {
        pack: u32,
        end: u64,
    },
    /// Makes the first `end` bytes of a pack durable.
    Sync {
        pack: u32,
        end: u64,
    },
    /// Notes beside the packs that so much of the log is durable. Nothing relies on its success.
    Mark {
        pack: u32,
        end: u64,
    },
    /// Cuts off what a write that failed or tore left behind `end`.
    Truncate {
        pack: u32,
        end: u64,
    },
    DeletePack {
        pack: u32,
    },
    /// Makes the names in the folder durable.
    SyncFolder,
    /// Opens the index file, making it if there is none.
    OpenIndex,
    DeleteIndex,
    /// Changes the index, durably and all at once.
    WriteIndex,
    CompactIndex,
}

/// Is asked before each step; its error stands for the disk's own.
pub type Watch = Arc<dyn Fn(Step) -> io::Result<()> + Send + Sync>;

pub(super) struct Disk {
    folder: PathBuf,
    mark: Mark,
    watch: Option<Watch>,
    syncs: AtomicU64,
    appended_bytes: AtomicU64,
}

impl Disk {
    pub fn new(folder: &Path, mark: Mark, watch: Option<Watch>) -> Disk {
        let (syncs, appended_bytes) = (AtomicU64::new(0), AtomicU64::new(0));
        Disk { folder: folder.to_owned(), mark, watch, syncs, appended_bytes }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns how often a pack was synced, and how many bytes were appended, since the store was opened.
    pub fn counters(&self) -> (u64, u64) {
        (self.syncs.load(Relaxed), self.appended_bytes.load(Relaxed))
    }

    pub fn before(&self, step: Step) -> io::Result<()> {
        self.watch.as_ref().map_or(Ok(()), |watch| watch(step))
    }

    pub fn append(&self, pack: &Pack, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.before(Step::Append { pack: pack.number, end: offset + bytes.len() as u64 })?;
        self.appended_bytes.fetch_add(bytes.len() as u64, Relaxed);
        write_all_at(&pack.file, bytes, offset)
    }

    pub fn sync(&self, pack: &Pack, end: u64) -> Result<(), StoreError> {
        self.syncs.fetch_add(1, Relaxed);
        let synced = self.before(Step::Sync { pack: pack.number, end });
        let synced = synced.and_then(|()| pack.file.sync_data());
        synced.map_err(|error| StoreError::of(&pack.path, error))?;
        let marked = self.before(Step::Mark { pack: pack.number, end });
        let marked = marked.and_then(|()| self.mark.write(LogPosition { pack: pack.number, offset: end }));
        if let Err(error) = marked {
            tracing::debug!(%error, "a sync was not noted");
        }
        Ok(())
    }

    /// Returns how much of a pack is known to be durable; of a pack that others follow, all.
    pub fn known_durable(&self, pack: u32) -> u64 {
        let mark = self.mark.read();
        match pack.cmp(&mark.pack) {
            Ordering::Less => u64::MAX,
            Ordering::Equal => mark.offset,
            Ordering::Greater => 0,
        }
    }

    pub fn truncate(&self, pack: &Pack, end: u64) -> io::Result<()> {
        self.before(Step::Truncate { pack: pack.number, end })?;
        pack.file.set_len(end)
    }

    /// Makes a pack, or makes one anew that has no complete header; not durable yet.
    pub fn create_pack(&self, number: u32) -> Result<Pack, StoreError> {
        let made = self.before(Step::CreatePack { pack: number });
        let made = made.and_then(|()| Pack::create(&self.folder, number));
        made.map_err(|error| StoreError::of(&Pack::path_of(&self.folder, number), error))
    }

    /// Makes a pack, durably.
    pub fn begin_pack(&self, number: u32) -> Result<Pack, StoreError> {
        let pack = self.create_pack(number)?;
        self.sync(&pack, PACK_HEADER_BYTES)?;
        self.sync_folder()?;
        Ok(pack)
    }

    /// Deletes a pack if it is there; its name is gone for good after [`Disk::sync_folder`].
    pub fn delete_pack(&self, number: u32) -> Result<(), StoreError> {
        let path = Pack::path_of(&self.folder, number);
        match self.before(Step::DeletePack { pack: number }).and_then(|()| fs::remove_file(&path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::of(&path, error)),
            _ => Ok(()),
        }
    }

    pub fn sync_folder(&self) -> Result<(), StoreError> {
        let mut synced = self.before(Step::SyncFolder);
        if cfg!(unix) {
            synced = synced.and_then(|()| File::open(&self.folder)?.sync_all());
        }
        synced.map_err(|error| StoreError::of(&self.folder, error))
    }
}
