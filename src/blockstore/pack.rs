//! Pack files: append-only logs of blocks and ref changes, each record checkable by itself.
//!
//! ```text
//! pack:    "reefpack" | version u32 | number u32 | salt (32 bytes) | records
//! record:  "RfL" | kind (1 block, 2 refs) | payload length u32 | durable u64 | BLAKE3 of payload (32)
//!          | check (8 bytes) | payload
//! ```
//! `durable` is how much of this pack was known to be on the medium when the record was appended:
//! what is damaged below it was damaged later, and is no torn write. `check` is BLAKE3 of the
//! header before it, keyed with the salt, so that no payload can pass for a record.
#![deny(clippy::indexing_slicing)]

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::block::{BLOCK_BYTES_MAX, BlockId};
use crate::crypto::random_bytes;

const MAGIC: &[u8; 8] = b"reefpack";
const VERSION: u32 = 1;
const SALT_BYTES: usize = 32;
/// Where the first record begins.
pub const PACK_HEADER_BYTES: u64 = 16 + SALT_BYTES as u64;
const RECORD_MAGIC: &[u8; 3] = b"RfL";
const CHECKED_BYTES: usize = 48;
const CHECK_BYTES: usize = 8;
pub const RECORD_HEADER_BYTES: usize = CHECKED_BYTES + CHECK_BYTES;
const SEARCH_BYTES: usize = 1 << 20;

/// An open pack.
pub struct Pack {
    pub number: u32,
    pub path: PathBuf,
    pub file: File,
    salt: [u8; SALT_BYTES],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    Block = 1,
    Refs = 2,
}

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    pub kind: RecordKind,
    pub len: u32,
    pub durable: u64,
    pub hash: BlockId,
}

/// What a replay met.
pub enum Replayed {
    Record {
        header: RecordHeader,
        /// Where the payload begins.
        offset: u64,
        payload: Vec<u8>,
    },
    /// Durable once, damaged since; the block's id, if it is of one and can still be read.
    Damaged(Option<BlockId>),
}

impl Pack {
    pub fn path_of(folder: &Path, number: u32) -> PathBuf {
        folder.join(format!("{number:08}.pack"))
    }

    /// Makes a pack, or makes one anew that has no complete header; not durable yet.
    pub fn create(folder: &Path, number: u32) -> io::Result<Pack> {
        let path = Pack::path_of(folder, number);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        let salt = random_bytes();
        let header = [&MAGIC[..], &VERSION.to_le_bytes(), &number.to_le_bytes(), &salt].concat();
        write_all_at(&file, &header, 0)?;
        Ok(Pack { number, path, file, salt })
    }

    /// Opens a pack; `None` if it has no complete header.
    pub fn open(folder: &Path, number: u32) -> io::Result<Option<Pack>> {
        let path = Pack::path_of(folder, number);
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        if file.metadata()?.len() < PACK_HEADER_BYTES {
            return Ok(None);
        }
        let mut header = [0; PACK_HEADER_BYTES as usize];
        read_exact_at(&file, &mut header, 0)?;
        let (magic, rest) = header.split_at(MAGIC.len());
        let (version, rest) = rest.split_at(4);
        if magic != MAGIC || version != VERSION.to_le_bytes() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no pack of this version"));
        }
        let mut salt = [0; SALT_BYTES];
        salt.copy_from_slice(rest.split_at(4).1);
        Ok(Some(Pack { number, path, file, salt }))
    }

    /// Appends a record to `out`.
    pub fn frame(&self, out: &mut Vec<u8>, header: &RecordHeader, payload: &[u8]) {
        let start = out.len();
        out.extend_from_slice(RECORD_MAGIC);
        out.push(header.kind as u8);
        out.extend_from_slice(&header.len.to_le_bytes());
        out.extend_from_slice(&header.durable.to_le_bytes());
        out.extend_from_slice(header.hash.as_bytes());
        let check = self.check(out.get(start..).unwrap_or_default());
        out.extend_from_slice(&check);
        out.extend_from_slice(payload);
    }

    /// Hands every record from `offset` on to `visit`; returns where the intact log ends.
    ///
    /// What follows a damaged record is read on only if the record was durable once: else it is the
    /// torn end of a write that nobody was promised, and the log ends before it.
    pub fn replay(
        &self,
        mut offset: u64,
        is_last: bool,
        mut visit: impl FnMut(Replayed) -> io::Result<()>,
    ) -> io::Result<u64> {
        let end = self.file.metadata()?.len();
        while offset < end {
            match self.record_at(offset, end)? {
                Ok((header, payload)) => {
                    let payload_at = offset + RECORD_HEADER_BYTES as u64;
                    offset = payload_at + u64::from(header.len);
                    visit(Replayed::Record { header, offset: payload_at, payload })?;
                }
                Err(damaged) => match self.next_after_damage(offset, end, is_last)? {
                    Some(next) => {
                        visit(Replayed::Damaged(damaged))?;
                        offset = next;
                    }
                    None => break,
                },
            }
        }
        Ok(offset)
    }

    /// Reads the record at `offset`, or tells that it is damaged (and the block's id, if it is of one and
    /// the header is not).
    #[expect(clippy::type_complexity, reason = "the inner error is a finding, not a failure")]
    fn record_at(
        &self,
        offset: u64,
        end: u64,
    ) -> io::Result<Result<(RecordHeader, Vec<u8>), Option<BlockId>>> {
        if end - offset < RECORD_HEADER_BYTES as u64 {
            return Ok(Err(None));
        }
        let mut bytes = [0; RECORD_HEADER_BYTES];
        read_exact_at(&self.file, &mut bytes, offset)?;
        let Some(header) = self.parse_header(&bytes) else { return Ok(Err(None)) };
        let start = offset + RECORD_HEADER_BYTES as u64;
        let block = (header.kind == RecordKind::Block).then_some(header.hash);
        if u64::from(header.len) > end - start {
            return Ok(Err(block));
        }
        let mut payload = vec![0; header.len as usize];
        read_exact_at(&self.file, &mut payload, start)?;
        if BlockId::of(&payload) == header.hash { Ok(Ok((header, payload))) } else { Ok(Err(block)) }
    }

    fn parse_header(&self, bytes: &[u8; RECORD_HEADER_BYTES]) -> Option<RecordHeader> {
        let (checked, check) = bytes.split_at(CHECKED_BYTES);
        let (magic, rest) = checked.split_at_checked(RECORD_MAGIC.len())?;
        if magic != RECORD_MAGIC || check != self.check(checked) {
            return None;
        }
        let (kind, rest) = rest.split_first()?;
        let (len, rest) = rest.split_first_chunk::<4>()?;
        let (durable, hash) = rest.split_first_chunk::<8>()?;
        let len = u32::from_le_bytes(*len);
        let kind = match kind {
            1 => RecordKind::Block,
            2 => RecordKind::Refs,
            _ => return None,
        };
        (len as usize <= BLOCK_BYTES_MAX).then_some(RecordHeader {
            kind,
            len,
            durable: u64::from_le_bytes(*durable),
            hash: BlockId::from_bytes(hash.try_into().ok()?),
        })
    }

    /// Returns the first intact record behind a damaged one at `damage`, if some record behind it
    /// proves that the damaged one was durable once. A pack that is not the last was durable as a
    /// whole.
    fn next_after_damage(&self, damage: u64, end: u64, is_last: bool) -> io::Result<Option<u64>> {
        let (mut from, mut first) = (damage + 1, None);
        let mut window = vec![0; SEARCH_BYTES];
        while from < end {
            let len = (end - from).min(SEARCH_BYTES as u64) as usize;
            let Some(bytes) = window.get_mut(..len) else { break };
            read_exact_at(&self.file, bytes, from)?;
            for hit in memchr::memmem::find_iter(bytes, RECORD_MAGIC) {
                let candidate = from + hit as u64;
                if let Ok((header, _)) = self.record_at(candidate, end)? {
                    let next = *first.get_or_insert(candidate);
                    if !is_last || header.durable > damage {
                        return Ok(Some(next));
                    }
                }
            }
            // The magic may lie across two windows.
            from += (len.saturating_sub(RECORD_MAGIC.len() - 1)).max(1) as u64;
        }
        Ok(None)
    }

    fn check(&self, header: &[u8]) -> [u8; CHECK_BYTES] {
        let mut check = [0; CHECK_BYTES];
        blake3::Hasher::new_keyed(&self.salt).update(header).finalize_xof().fill(&mut check);
        check
    }
}

#[cfg(unix)]
pub fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(unix)]
pub fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
pub fn read_exact_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, bytes, offset)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes = bytes.get_mut(read..).unwrap_or_default();
        offset += read as u64;
    }
    Ok(())
}

#[cfg(windows)]
pub fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = bytes.get(written..).unwrap_or_default();
        offset += written as u64;
    }
    Ok(())
}
