//! Scratch files on disk: without a name, so that they end with the process whatever happens.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::pack::{read_exact_at, write_all_at};
use crate::block::{Scratch, ScratchFile};

/// Makes scratch files in a folder, which is made when the first is asked for.
#[derive(Clone, Debug)]
pub struct DiskScratch {
    folder: PathBuf,
}

impl DiskScratch {
    pub fn new(folder: &Path) -> DiskScratch {
        DiskScratch { folder: folder.to_owned() }
    }
}

impl Scratch for DiskScratch {
    fn create(&self) -> io::Result<Box<dyn ScratchFile>> {
        fs::create_dir_all(&self.folder)?;
        Ok(Box::new(DiskFile { file: tempfile::tempfile_in(&self.folder)?, len: 0 }))
    }
}

struct DiskFile {
    file: File,
    len: u64,
}

impl ScratchFile for DiskFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        write_all_at(&self.file, bytes, self.len)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        read_exact_at(&self.file, bytes, offset)
    }
}
