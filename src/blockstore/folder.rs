//! What lies in the folder of a store: its lock, and which packs.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::StoreError;

/// How often, and after what pause, a lock is asked for again: a process that was just started by one
/// that had the folder holds its lock too, for the moment until it becomes another program.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Locks the folder for as long as the file is open.
pub fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join("lock");
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(|error| StoreError::of(folder, error))?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(StoreError::of(&path, error)),
        }
    }
    Err(StoreError::InUse(folder.to_owned()))
}

/// Returns the numbers of the packs, sorted.
pub fn pack_numbers(folder: &Path) -> Result<Vec<u32>, StoreError> {
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

/// Returns how many bytes all files have together.
pub fn bytes(folder: &Path) -> Result<u64, StoreError> {
    let failed = |error| StoreError::of(folder, error);
    let mut bytes = 0;
    for entry in fs::read_dir(folder).map_err(failed)? {
        match entry.map_err(failed)?.metadata() {
            Ok(metadata) => bytes += metadata.len(),
            // A sweep deleted it just now.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(bytes)
}
