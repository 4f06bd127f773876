//! `RowFile`: sorted rows in scratch space, at about a third of their size in memory.
//!
//! Rows are laid down in groups. A value is one byte, its kind and a length, and the low bytes in which it differs
//! from the value of its kind that came last in its column of the group: neighbours share the others.

use super::WriteError;
use crate::block::{BlockError, Scratch, ScratchFile};

/// How many rows a group has at most.
pub const GROUP_ROWS: usize = 2048;
const KIND_SHIFT: u32 = 60;
/// A value takes no more.
const VALUE_BYTES_MAX: usize = 9;

/// Rows in groups, each of which is read whole.
pub struct RowFile<const N: usize> {
    file: Box<dyn ScratchFile>,
    groups: Vec<Group>,
    rows: u64,
}

/// Where a group begins, and how many rows and bytes it has.
#[derive(Clone, Copy)]
struct Group {
    offset: u64,
    rows: u32,
    bytes: u32,
}

/// The last value of each kind in each column.
type Last<const N: usize> = [[u64; 16]; N];

impl<const N: usize> RowFile<N> {
    pub fn create(scratch: &dyn Scratch) -> Result<RowFile<N>, WriteError> {
        let file = scratch.create().map_err(BlockError::from)?;
        Ok(RowFile { file, groups: Vec::new(), rows: 0 })
    }

    /// Returns how many rows there are.
    pub fn len(&self) -> u64 {
        self.rows
    }

    pub fn append(&mut self, rows: &[[u64; N]]) -> Result<(), WriteError> {
        let mut bytes = vec![0; GROUP_ROWS.min(rows.len()) * N * VALUE_BYTES_MAX];
        for rows in rows.chunks(GROUP_ROWS) {
            let len = encode(rows, &mut bytes);
            self.file.append(&bytes[..len]).map_err(BlockError::from)?;
            let offset = self.groups.last().map_or(0, |last| last.offset + u64::from(last.bytes));
            self.groups.push(Group { offset, rows: rows.len() as u32, bytes: len as u32 });
            self.rows += rows.len() as u64;
        }
        Ok(())
    }

    /// Appends the rows of a group to `rows`; returns whether there is such a group.
    pub fn read(&self, group: usize, rows: &mut Vec<[u64; N]>) -> Result<bool, WriteError> {
        let Some(group) = self.groups.get(group) else { return Ok(false) };
        // The last value may be read as eight bytes.
        let mut bytes = vec![0; group.bytes as usize + 8];
        self.file.read_at(group.offset, &mut bytes[..group.bytes as usize]).map_err(BlockError::from)?;
        let damaged =
            || BlockError::Io(std::io::Error::other("scratch space does not hold what was laid down"));
        decode(&bytes, group.rows as usize, rows).ok_or_else(damaged)?;
        Ok(true)
    }
}

/// Writes rows to the front of `bytes`; returns how many it takes.
fn encode<const N: usize>(rows: &[[u64; N]], bytes: &mut [u8]) -> usize {
    let (mut last, mut at) = (first_values::<N>(), 0);
    for row in rows {
        for (value, last) in row.iter().zip(&mut last) {
            let kind = value >> KIND_SHIFT;
            let changed = value ^ std::mem::replace(&mut last[kind as usize], *value);
            let len = 8 - changed.leading_zeros() as usize / 8;
            let to = &mut bytes[at..at + VALUE_BYTES_MAX];
            to[0] = (kind as u8) << 4 | len as u8;
            to[1..].copy_from_slice(&changed.to_le_bytes());
            at += 1 + len;
        }
    }
    at
}

/// Appends so many rows; `None` if `bytes` does not hold them and eight bytes more.
fn decode<const N: usize>(bytes: &[u8], count: usize, rows: &mut Vec<[u64; N]>) -> Option<()> {
    /// By the length of what changed, its bits.
    const MASKS: [u64; 16] = {
        let mut masks = [u64::MAX; 16];
        let mut len = 0;
        while len < 8 {
            masks[len] = (1 << (len * 8)) - 1;
            len += 1;
        }
        masks
    };
    let (mut last, mut at) = (first_values::<N>(), 0);
    rows.reserve(count);
    for _ in 0..count {
        let mut row = [0; N];
        for (value, last) in row.iter_mut().zip(&mut last) {
            let (head, changed) = bytes.get(at..at + VALUE_BYTES_MAX)?.split_first_chunk::<1>()?;
            let (kind, len) = (head[0] >> 4, head[0] & 15);
            let changed = u64::from_le_bytes(*changed.first_chunk()?) & MASKS[usize::from(len)];
            *value = last[usize::from(kind)] ^ changed;
            last[usize::from(kind)] = *value;
            at += 1 + usize::from(len);
        }
        rows.push(row);
    }
    Some(())
}

/// Returns what the first value of each kind is compared with.
fn first_values<const N: usize>() -> Last<N> {
    [std::array::from_fn(|kind| (kind as u64) << KIND_SHIFT); N]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::MemoryScratch;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_read_back(groups in proptest::collection::vec(proptest::collection::vec(any::<[u64; 3]>(), 1..40), 0..5)) {
            let mut file = RowFile::create(&MemoryScratch).unwrap();
            groups.iter().for_each(|rows| file.append(rows).unwrap());
            let (mut read, mut group) = (Vec::new(), 0);
            while file.read(group, &mut read).unwrap() {
                group += 1;
            }
            prop_assert_eq!(file.len(), read.len() as u64);
            prop_assert_eq!(read, groups.concat());
        }

        #[test]
        fn foreign_bytes_never_panic(bytes: Vec<u8>, count in 0usize..100) {
            decode::<4>(&bytes, count, &mut Vec::new());
        }
    }

    #[test]
    fn neighbours_take_few_bytes() {
        let rows: Vec<[u64; 4]> =
            (0..5000).map(|n| [(1 << 60) | (n / 7), 2 << 60, ((n % 3) << 60) | n, 0]).collect();
        let mut file = RowFile::create(&MemoryScratch).unwrap();
        file.append(&rows).unwrap();
        let bytes: u32 = file.groups.iter().map(|group| group.bytes).sum();
        assert!(bytes < 5000 * 8, "{bytes}");
        assert_eq!(file.groups.len(), 3);
    }
}
