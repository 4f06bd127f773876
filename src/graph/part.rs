//! `Part`: a piece of a load, sorted: its terms, and rows of their ranks. In memory or in scratch space.

use super::WriteError;
use super::interner::Interner;
use super::keys::shared_len;
use super::layer::{Layer, RowOrder, RowSource, RowStream, TermStream, TripleParts, Triples};
use super::ordered_terms::OrderedTerms;
use super::row_sort::SortedRows;
use crate::block::{BlockError, Scratch, ScratchFile};

/// How many bytes are read from scratch space at once.
const READ_BYTES: usize = 64 << 10;

/// Sorted terms and rows of their ranks, all of one layer.
pub struct Part {
    layer: u16,
    terms: Terms,
    rows: SortedRows<4>,
    /// How many rows came in, repetitions included.
    rows_read: u64,
}

enum Terms {
    Memory(OrderedTerms),
    Scratch(ScratchKeys),
}

/// Keys in scratch space, each as what differs from the one before.
struct ScratchKeys {
    file: Box<dyn ScratchFile>,
    bytes: u64,
    count: u64,
    triples: Vec<TripleParts>,
}

impl Part {
    /// Sorts what was gathered; the ids of `rows` are the interner's.
    pub fn of(layer: u16, interner: Interner, mut rows: Vec<[u64; 4]>) -> Part {
        let (terms, ranks) = interner.into_order(layer);
        let rows_read = rows.len() as u64;
        rows.as_flattened_mut().iter_mut().for_each(|id| *id = ranks.id(*id));
        drop(ranks);
        // Subjects often come in order; what then is sorted in stretches costs a stable sort little.
        rows.chunk_by_mut(|a, b| a[0] == b[0]).for_each(<[_]>::sort_unstable);
        rows.sort();
        rows.dedup();
        Part { layer, terms: Terms::Memory(terms), rows: SortedRows::of_sorted(rows), rows_read }
    }

    pub fn layer(&self) -> u16 {
        self.layer
    }

    /// Returns how many rows were gathered, repetitions included.
    pub fn rows_read(&self) -> u64 {
        self.rows_read
    }

    /// Lays terms and rows down in scratch space.
    pub fn lay_down(&mut self, scratch: &dyn Scratch) -> Result<(), WriteError> {
        self.rows.lay_down(scratch)?;
        if let Terms::Memory(terms) = &self.terms {
            self.terms = Terms::Scratch(ScratchKeys::of(terms, scratch)?);
        }
        Ok(())
    }
}

impl ScratchKeys {
    fn of(terms: &OrderedTerms, scratch: &dyn Scratch) -> Result<ScratchKeys, WriteError> {
        let mut file = scratch.create().map_err(BlockError::from)?;
        let (mut buffer, mut bytes) = (Vec::new(), 0);
        let (mut key, mut previous) = (Vec::new(), Vec::new());
        for rank in 0..terms.len() as u64 {
            terms.write_key(rank, &mut key);
            let shared = shared_len(&previous, &key);
            let suffix = &key[shared..];
            buffer.extend_from_slice(&(shared as u32).to_le_bytes());
            buffer.extend_from_slice(&(suffix.len() as u32).to_le_bytes());
            buffer.extend_from_slice(suffix);
            std::mem::swap(&mut previous, &mut key);
            if buffer.len() >= READ_BYTES {
                file.append(&buffer).map_err(BlockError::from)?;
                bytes += buffer.len() as u64;
                buffer.clear();
            }
        }
        file.append(&buffer).map_err(BlockError::from)?;
        bytes += buffer.len() as u64;
        Ok(ScratchKeys { file, bytes, count: terms.len() as u64, triples: terms.triples().collect() })
    }
}

impl Layer for Part {
    fn rank_end(&self) -> u64 {
        match &self.terms {
            Terms::Memory(terms) => terms.len() as u64,
            Terms::Scratch(keys) => keys.count,
        }
    }

    fn terms(&self) -> Result<Box<dyn TermStream + '_>, WriteError> {
        Ok(match &self.terms {
            Terms::Memory(terms) => Box::new(MemoryTerms { terms, next: 0, key: Vec::new() }),
            Terms::Scratch(keys) => Box::new(ScratchTerms {
                file: &*keys.file,
                offset: 0,
                end: keys.bytes,
                buffer: Vec::new(),
                at: 0,
                key: Vec::new(),
                next: 0,
                count: keys.count,
            }),
        })
    }

    fn triples(&self) -> Result<Triples<'_>, WriteError> {
        Ok(match &self.terms {
            Terms::Memory(terms) => Box::new(terms.triples().map(Ok)),
            Terms::Scratch(keys) => Box::new(keys.triples.iter().map(|triple| Ok(*triple))),
        })
    }

    fn keys_of(&self, ranks: &[u64]) -> Result<Vec<Vec<u8>>, WriteError> {
        if let Terms::Memory(terms) = &self.terms {
            let key = |rank: &u64| {
                let mut key = Vec::new();
                terms.write_key(*rank, &mut key);
                key
            };
            return Ok(ranks.iter().map(key).collect());
        }
        let (mut found, mut terms) = (Vec::with_capacity(ranks.len()), self.terms()?);
        let mut wanted = ranks.iter().peekable();
        while wanted.peek().is_some() && terms.advance()? {
            if wanted.next_if_eq(&&terms.rank()).is_some() {
                found.push(terms.key().to_vec());
            }
        }
        Ok(found)
    }
}

impl RowSource for Part {
    fn order(&self) -> RowOrder {
        RowOrder::Sorted
    }

    fn rows(&self) -> Result<Box<dyn RowStream<4> + '_>, WriteError> {
        self.rows.stream()
    }
}

struct MemoryTerms<'a> {
    terms: &'a OrderedTerms,
    /// The rank after the one at hand.
    next: u64,
    key: Vec<u8>,
}

impl TermStream for MemoryTerms<'_> {
    fn advance(&mut self) -> Result<bool, WriteError> {
        if self.next == self.terms.len() as u64 {
            return Ok(false);
        }
        self.terms.write_key(self.next, &mut self.key);
        self.next += 1;
        Ok(true)
    }

    fn rank(&self) -> u64 {
        self.next - 1
    }

    fn key(&self) -> &[u8] {
        &self.key
    }
}

struct ScratchTerms<'a> {
    file: &'a dyn ScratchFile,
    offset: u64,
    end: u64,
    buffer: Vec<u8>,
    at: usize,
    key: Vec<u8>,
    next: u64,
    count: u64,
}

impl ScratchTerms<'_> {
    /// Makes sure that `len` bytes are at hand.
    fn need(&mut self, len: usize) -> Result<(), WriteError> {
        if self.buffer.len() - self.at >= len {
            return Ok(());
        }
        self.buffer.drain(..self.at);
        self.at = 0;
        let held = self.buffer.len();
        let more = (len - held).max(READ_BYTES).min((self.end - self.offset) as usize);
        self.buffer.resize(held + more, 0);
        self.file.read_at(self.offset, &mut self.buffer[held..]).map_err(BlockError::from)?;
        self.offset += more as u64;
        Ok(())
    }

    fn take(&mut self, len: usize) -> Result<&[u8], WriteError> {
        self.need(len)?;
        self.at += len;
        let missing = || BlockError::Io(std::io::ErrorKind::UnexpectedEof.into());
        Ok(self.buffer.get(self.at - len..self.at).ok_or_else(missing)?)
    }

    fn take_len(&mut self) -> Result<usize, WriteError> {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.take(4)?);
        Ok(u32::from_le_bytes(bytes) as usize)
    }
}

impl TermStream for ScratchTerms<'_> {
    fn advance(&mut self) -> Result<bool, WriteError> {
        if self.next == self.count {
            return Ok(false);
        }
        let (shared, len) = (self.take_len()?, self.take_len()?);
        let mut key = std::mem::take(&mut self.key);
        key.truncate(shared);
        key.extend_from_slice(self.take(len)?);
        self.key = key;
        self.next += 1;
        Ok(true)
    }

    fn rank(&self) -> u64 {
        self.next - 1
    }

    fn key(&self) -> &[u8] {
        &self.key
    }
}
