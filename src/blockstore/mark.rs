//! `Mark`: how much of the log is known to be durable, noted in the lock file after each sync.
//!
//! ```text
//! mark:  pack u32 | offset u64 | BLAKE3 of the 12 before (8 bytes)
//! ```
//! The note itself is not synced, so it may be old, or missing, or torn; but what it says is true. A
//! replay tells by it what was damaged on the medium from what was never wholly written.
#![deny(clippy::indexing_slicing)]

use std::fs::File;
use std::io;

use super::index::LogPosition;
use super::pack::{read_exact_at, write_all_at};

const CHECKED_BYTES: usize = 12;
const CHECK_BYTES: usize = 8;
const MARK_BYTES: usize = CHECKED_BYTES + CHECK_BYTES;

pub struct Mark(File);

impl Mark {
    /// Keeps the mark in `file`, and the file open.
    pub fn new(file: File) -> Mark {
        Mark(file)
    }

    /// Returns what was noted, or the very beginning if that cannot be read.
    pub fn read(&self) -> LogPosition {
        let mut bytes = [0; MARK_BYTES];
        let read = read_exact_at(&self.0, &mut bytes, 0);
        read.ok().and_then(|()| parse(&bytes)).unwrap_or_default()
    }

    pub fn write(&self, durable: LogPosition) -> io::Result<()> {
        let checked = [&durable.pack.to_le_bytes()[..], &durable.offset.to_le_bytes()].concat();
        write_all_at(&self.0, &[&checked, &check(&checked)[..]].concat(), 0)
    }
}

fn parse(bytes: &[u8; MARK_BYTES]) -> Option<LogPosition> {
    let (checked, found) = bytes.split_first_chunk::<CHECKED_BYTES>()?;
    let (pack, offset) = checked.split_first_chunk::<4>()?;
    let offset = u64::from_le_bytes(offset.try_into().ok()?);
    let position = LogPosition { pack: u32::from_le_bytes(*pack), offset };
    (found == check(checked)).then_some(position)
}

fn check(checked: &[u8]) -> [u8; CHECK_BYTES] {
    let mut check = [0; CHECK_BYTES];
    blake3::Hasher::new().update(checked).finalize_xof().fill(&mut check);
    check
}
