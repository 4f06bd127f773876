//! `NewFile`: a file that appears whole, or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use super::Failure;

/// A file in the making: beside its place, under a name of its own, until it is kept. Dropped before
/// that, it leaves nothing.
pub struct NewFile {
    place: PathBuf,
    temporary: PathBuf,
    may_replace: bool,
    is_kept: bool,
}

impl NewFile {
    /// Begins a file that is to stand at `place`; returns what its bytes are written to.
    ///
    /// # Errors
    /// If something stands there and may not be replaced, or the folder cannot be written.
    pub fn begin(place: &Path, may_replace: bool) -> Result<(NewFile, BufWriter<File>), Failure> {
        let name = place
            .file_name()
            .ok_or_else(|| Failure::usage(format!("{} does not name a file", place.display())))?;
        let name = format!(".{}.{}.part", name.to_string_lossy(), std::process::id());
        let file = NewFile {
            place: place.to_owned(),
            temporary: place.with_file_name(name),
            may_replace,
            is_kept: false,
        };
        file.check_place()?;
        let out = File::create(&file.temporary)
            .map_err(|error| Failure::other(format!("cannot write {}: {error}", place.display())))?;
        Ok((file, BufWriter::with_capacity(1 << 20, out)))
    }

    /// Makes what was written durable, then puts it in its place.
    pub fn keep(mut self, written: BufWriter<File>) -> Result<(), Failure> {
        // Once more: it took a while, and somebody else may have been faster.
        self.check_place()?;
        let kept = written.into_inner().map_err(io::Error::from).and_then(|out| {
            out.sync_all()?;
            drop(out);
            fs::rename(&self.temporary, &self.place)
        });
        kept.map_err(|error| Failure::other(format!("cannot write {}: {error}", self.place.display())))?;
        self.is_kept = true;
        sync_folder_of(&self.place);
        Ok(())
    }

    fn check_place(&self) -> Result<(), Failure> {
        if self.may_replace || fs::symlink_metadata(&self.place).is_err() {
            return Ok(());
        }
        let message = format!("{} exists already", self.place.display());
        Err(Failure { code: 5, message, hint: Some("--force replaces it".to_owned()) })
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_kept {
            // What cannot be removed now was written beside the place, and is told apart by its name.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Makes a rename durable. File systems that cannot sync a folder, as those of sticks, need no telling.
fn sync_folder_of(place: &Path) {
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}
