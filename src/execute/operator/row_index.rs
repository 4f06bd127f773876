//! `RowIndex`: a hash index over rows that live elsewhere, as packed arrays.

use crate::model::TermId;

/// So many chains are fetched at once: what that brings stays in the cache until it is looked at.
pub const FETCHED_AT_ONCE: usize = 1024;
const NONE: u32 = u32::MAX;
const MULTIPLIER: u64 = 0xf135_7aea_2e62_a9c5;

/// Chains of rows by hash. It stores row numbers only; callers compare the rows themselves.
#[derive(Debug, Default)]
pub struct RowIndex {
    /// Newest entry of each bucket.
    heads: Vec<u32>,
    entries: Vec<Entry>,
}

/// A row; all that a step along a chain looks at, in one place.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The upper half of the hash.
    hash: u32,
    row: u32,
    /// The next one in the bucket.
    next: u32,
}

/// Where a walk along one chain stands.
#[derive(Clone, Copy, Debug)]
pub struct Chain {
    entry: u32,
    hash: u32,
}

impl RowIndex {
    pub fn with_capacity(rows: usize) -> RowIndex {
        let mut index = RowIndex { heads: Vec::new(), entries: Vec::with_capacity(rows) };
        index.resize(rows);
        index
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds a row. Chains yield the rows added last first.
    pub fn insert(&mut self, hash: u64, row: u32) {
        if self.entries.len() >= self.heads.len() {
            self.resize(self.entries.len() * 2);
        }
        let hash = upper(hash);
        let bucket = self.bucket(hash);
        let entry = self.entries.len() as u32;
        self.entries.push(Entry { hash, row, next: self.heads[bucket] });
        self.heads[bucket] = entry;
    }

    /// Starts at the rows whose hash is `hash`, or as good as.
    pub fn chain(&self, hash: u64) -> Chain {
        let hash = upper(hash);
        let entry = if self.heads.is_empty() { NONE } else { self.heads[self.bucket(hash)] };
        Chain { entry, hash }
    }

    /// Has memory fetch where these chains begin, side by side: who walks them one by one waits for each.
    pub fn fetch(&self, chains: &[Chain]) {
        let hash = |chain: &Chain| self.entries.get(chain.entry as usize).map_or(0, |entry| entry.hash);
        std::hint::black_box(chains.iter().fold(0, |all, chain| all ^ hash(chain)));
    }

    /// Returns the next row of a chain.
    pub fn step(&self, chain: &mut Chain) -> Option<u32> {
        while chain.entry != NONE {
            let entry = self.entries[chain.entry as usize];
            chain.entry = entry.next;
            if entry.hash == chain.hash {
                return Some(entry.row);
            }
        }
        None
    }

    /// Returns the bytes that an entry costs.
    pub const ENTRY_BYTES: usize = size_of::<Entry>() + 8;

    fn bucket(&self, hash: u32) -> usize {
        hash as usize & (self.heads.len() - 1)
    }

    fn resize(&mut self, rows: usize) {
        let buckets = rows.next_power_of_two().max(16);
        self.heads.clear();
        self.heads.resize(buckets, NONE);
        for index in 0..self.entries.len() {
            let bucket = self.bucket(self.entries[index].hash);
            self.entries[index].next = self.heads[bucket];
            self.heads[bucket] = index as u32;
        }
    }
}

fn upper(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// Which hashes there are, wrong about one of sixteen others at most: most rows that meet nothing are told so by one bit.
#[derive(Debug)]
pub struct HashFilter {
    /// A power of two of them, at least one.
    words: Vec<u64>,
}

impl HashFilter {
    /// How many bytes a hash costs at most.
    pub const HASH_BYTES: usize = 4;

    /// Makes a filter for `hashes` of them.
    pub fn with_capacity(hashes: usize) -> HashFilter {
        HashFilter { words: vec![0; (hashes / 4 + 1).next_power_of_two()] }
    }

    pub fn insert(&mut self, hash: u64) {
        let (word, bit) = self.place(hash);
        self.words[word] |= bit;
    }

    /// Returns whether a hash may be there.
    pub fn may_hold(&self, hash: u64) -> bool {
        let (word, bit) = self.place(hash);
        self.words[word] & bit != 0
    }

    fn place(&self, hash: u64) -> (usize, u64) {
        ((hash >> 38) as usize & (self.words.len() - 1), 1 << (hash >> 32 & 63))
    }
}

/// Returns the hash of each row over some columns.
pub fn hash_rows(columns: &[&[TermId]], rows: usize) -> Vec<u64> {
    let mut hashes = vec![0; rows];
    for column in columns {
        for (hash, id) in hashes.iter_mut().zip(column.iter()) {
            *hash = mix(*hash, *id);
        }
    }
    hashes
}

/// As [`hash_rows`], of some rows.
pub fn hash_some(columns: &[&[TermId]], rows: &[u32]) -> Vec<u64> {
    let mut hashes = vec![0; rows.len()];
    for column in columns {
        hashes.iter_mut().zip(rows).for_each(|(hash, row)| *hash = mix(*hash, column[*row as usize]));
    }
    hashes
}

fn mix(hash: u64, id: TermId) -> u64 {
    let word = (hash.rotate_left(26) ^ id.to_bits()).wrapping_mul(MULTIPLIER);
    word ^ (word >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_hold_every_row_of_a_hash() {
        let mut index = RowIndex::default();
        for row in 0..1000 {
            index.insert(u64::from(row % 7) << 40, row);
        }
        for hash in 0..7 {
            let mut chain = index.chain(hash << 40);
            let mut rows: Vec<u32> = std::iter::from_fn(|| index.step(&mut chain)).collect();
            rows.sort_unstable();
            assert_eq!(rows, (0..1000).filter(|row| u64::from(row % 7) == hash).collect::<Vec<_>>());
        }
    }
}
