//! Scratch space: where work that does not fit into memory is laid down for a while.
//!
//! What is written here ends with its file handle; nothing relies on it after a crash.

use std::io;

/// Makes scratch files.
pub trait Scratch: Send + Sync {
    fn create(&self) -> io::Result<Box<dyn ScratchFile>>;
}

/// Bytes that are appended, then read at any place by any number of readers.
pub trait ScratchFile: Send + Sync {
    /// Appends bytes.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Fills `bytes` from `offset` on.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] past the end.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()>;
}

/// Scratch space in memory, for what lives in memory anyway.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryScratch;

impl Scratch for MemoryScratch {
    fn create(&self) -> io::Result<Box<dyn ScratchFile>> {
        Ok(Box::new(MemoryFile::default()))
    }
}

#[derive(Default)]
struct MemoryFile {
    bytes: Vec<u8>,
}

impl ScratchFile for MemoryFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).ok().and_then(|start| self.bytes.get(start..));
        let found = start.and_then(|rest| rest.get(..bytes.len())).ok_or(io::ErrorKind::UnexpectedEof)?;
        bytes.copy_from_slice(found);
        Ok(())
    }
}
