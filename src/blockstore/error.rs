use std::io;
use std::path::{Path, PathBuf};

use crate::block::BlockError;

/// Why a store cannot do what it was asked. One variant for each thing that a caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the folder open.
    #[error("the data folder {} is in use by another process", .0.display())]
    InUse(PathBuf),
    #[error("the data folder {} cannot be written: it is on a read-only file system", .0.display())]
    ReadOnly(PathBuf),
    #[error("the data folder {} cannot be used: permission denied", .0.display())]
    Denied(PathBuf),
    #[error("the disk that holds {} is full", .0.display())]
    Full(PathBuf),
    /// The folder holds something else, or was written by a newer version.
    #[error("{} is no data folder that this version can read: {reason}", .path.display())]
    Foreign { path: PathBuf, reason: String },
    /// A ref is not what the caller thought; nothing was changed.
    #[error("ref '{name}' was changed by somebody else")]
    RefChanged { name: String, actual: Option<Vec<u8>> },
    /// An earlier write failed half way; what is on disk is known again only after reopening.
    #[error("the store refuses writes since one failed ({0}); reopen it")]
    Poisoned(String),
    #[error("{}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    /// The index file failed; the packs hold all that it says.
    #[error("the index of {} failed: {reason}", .path.display())]
    Index { path: PathBuf, reason: String },
}

impl StoreError {
    /// Says plainly what an error of the operating system means here.
    pub(super) fn of(path: &Path, source: io::Error) -> StoreError {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly(path),
            io::ErrorKind::PermissionDenied => StoreError::Denied(path),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full(path),
            _ => StoreError::Io { path, source },
        }
    }

    fn kind(&self) -> io::ErrorKind {
        match self {
            StoreError::InUse(_) => io::ErrorKind::ResourceBusy,
            StoreError::ReadOnly(_) => io::ErrorKind::ReadOnlyFilesystem,
            StoreError::Denied(_) => io::ErrorKind::PermissionDenied,
            StoreError::Full(_) => io::ErrorKind::StorageFull,
            StoreError::Io { source, .. } => source.kind(),
            StoreError::Foreign { .. } => io::ErrorKind::InvalidData,
            StoreError::RefChanged { .. } | StoreError::Poisoned(_) | StoreError::Index { .. } => {
                io::ErrorKind::Other
            }
        }
    }
}

impl From<StoreError> for BlockError {
    fn from(error: StoreError) -> BlockError {
        BlockError::Io(io::Error::new(error.kind(), error))
    }
}
