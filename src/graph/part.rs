//! `Part`: a piece of a load, sorted: its terms, and rows of their ranks. In memory or in scratch space.

use super::WriteError;
use super::interner::Interner;
use super::keys::shared_len;
use super::layer::{Layer, RankedTriple, RowOrder, RowSource, RowStream, TermStream, Triples};
use super::ordered_terms::OrderedTerms;
use super::row_sort::SortedRows;
use super::term_key::TripleKey;
use crate::block::{BlockError, Scratch, ScratchFile};

/// How many bytes are read from scratch space at once.
const READ_BYTES: usize = 64 << 10;

/// Sorted terms and rows of their ranks, all of one layer.
pub struct Part {
    layer: u16,
    terms: Terms,
    /// The triple terms, whose ranks follow each other.
    triples: SortedRows<4>,
    rows: SortedRows<4>,
    /// How many rows came in, repetitions included.
    rows_read: u64,
}

/// The terms that are no triple terms.
enum Terms {
    Memory(OrderedTerms),
    Scratch(ScratchKeys),
}

/// Keys in scratch space, each as what differs from the one before.
struct ScratchKeys {
    file: Box<dyn ScratchFile>,
    bytes: u64,
    count: usize,
    /// So many of them are those of nodes.
    nodes: u64,
    rank_end: u64,
}

impl Part {
    /// Sorts what was gathered; the ids of `rows` are the interner's.
    pub fn of(layer: u16, interner: Interner, mut rows: Vec<[u64; 4]>) -> Part {
        let (terms, triples, ranks) = interner.into_order(layer);
        let rows_read = rows.len() as u64;
        rows.as_flattened_mut().iter_mut().for_each(|id| *id = ranks.id(*id));
        drop(ranks);
        // Subjects often come in order; what then is sorted in stretches costs a stable sort little.
        rows.chunk_by_mut(|a, b| a[0] == b[0]).for_each(<[_]>::sort_unstable);
        rows.sort();
        rows.dedup();
        let [triples, rows] = [triples, rows].map(SortedRows::of_sorted);
        Part { layer, terms: Terms::Memory(terms), triples, rows, rows_read }
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
        self.triples.lay_down(scratch)?;
        if let Terms::Memory(terms) = &self.terms {
            self.terms = Terms::Scratch(ScratchKeys::of(terms, scratch)?);
        }
        Ok(())
    }

    fn first_triple(&self) -> u64 {
        match &self.terms {
            Terms::Memory(terms) => terms.nodes(),
            Terms::Scratch(keys) => keys.nodes,
        }
    }
}

impl ScratchKeys {
    fn of(terms: &OrderedTerms, scratch: &dyn Scratch) -> Result<ScratchKeys, WriteError> {
        let mut file = scratch.create().map_err(BlockError::from)?;
        let (mut buffer, mut bytes) = (Vec::new(), 0);
        let mut previous: &[u8] = &[];
        for key in (0..terms.len()).map(|place| terms.key(place)) {
            let shared = shared_len(previous, key);
            let suffix = &key[shared..];
            buffer.extend_from_slice(&(shared as u32).to_le_bytes());
            buffer.extend_from_slice(&(suffix.len() as u32).to_le_bytes());
            buffer.extend_from_slice(suffix);
            previous = key;
            if buffer.len() >= READ_BYTES {
                file.append(&buffer).map_err(BlockError::from)?;
                bytes += buffer.len() as u64;
                buffer.clear();
            }
        }
        file.append(&buffer).map_err(BlockError::from)?;
        bytes += buffer.len() as u64;
        Ok(ScratchKeys { file, bytes, count: terms.len(), nodes: terms.nodes(), rank_end: terms.rank_end() })
    }

    /// Returns the rank of the key at a place.
    fn rank(&self, place: usize) -> u64 {
        let place = place as u64;
        if place < self.nodes { place } else { place + self.rank_end - self.count as u64 }
    }
}

impl Layer for Part {
    fn rank_end(&self) -> u64 {
        match &self.terms {
            Terms::Memory(terms) => terms.rank_end(),
            Terms::Scratch(keys) => keys.rank_end,
        }
    }

    fn terms(&self) -> Result<Box<dyn TermStream + '_>, WriteError> {
        Ok(match &self.terms {
            Terms::Memory(terms) => Box::new(MemoryTerms { terms, next: 0 }),
            Terms::Scratch(keys) => Box::new(ScratchTerms {
                keys,
                offset: 0,
                buffer: Vec::new(),
                at: 0,
                key: Vec::new(),
                next: 0,
            }),
        })
    }

    fn triples(&self) -> Result<Triples<'_>, WriteError> {
        let stream = self.triples.stream()?;
        Ok(Box::new(PartTriples { stream, rows: Vec::new(), at: 0, next: self.first_triple() }))
    }

    fn keys_of(&self, ranks: &[u64]) -> Result<Vec<Vec<u8>>, WriteError> {
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

struct PartTriples<'a> {
    stream: Box<dyn RowStream<4> + 'a>,
    rows: Vec<[u64; 4]>,
    at: usize,
    /// The rank of the next.
    next: u64,
}

impl Iterator for PartTriples<'_> {
    type Item = Result<RankedTriple, WriteError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at == self.rows.len() {
            self.at = 0;
            if let Err(error) = self.stream.fill(&mut self.rows) {
                return Some(Err(error));
            }
        }
        let [depth, parts @ ..] = *self.rows.get(self.at)?;
        self.at += 1;
        self.next += 1;
        Some(Ok(RankedTriple { rank: self.next - 1, key: TripleKey { depth: depth as u8, parts } }))
    }
}

struct MemoryTerms<'a> {
    terms: &'a OrderedTerms,
    /// The place after the one at hand.
    next: usize,
}

impl TermStream for MemoryTerms<'_> {
    fn advance(&mut self) -> Result<bool, WriteError> {
        let is_there = self.next < self.terms.len();
        self.next += usize::from(is_there);
        Ok(is_there)
    }

    fn rank(&self) -> u64 {
        self.terms.rank(self.next - 1)
    }

    fn key(&self) -> &[u8] {
        self.terms.key(self.next - 1)
    }
}

struct ScratchTerms<'a> {
    keys: &'a ScratchKeys,
    offset: u64,
    buffer: Vec<u8>,
    at: usize,
    key: Vec<u8>,
    /// The place after the one at hand.
    next: usize,
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
        let more = (len - held).max(READ_BYTES).min((self.keys.bytes - self.offset) as usize);
        self.buffer.resize(held + more, 0);
        self.keys.file.read_at(self.offset, &mut self.buffer[held..]).map_err(BlockError::from)?;
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
        if self.next == self.keys.count {
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
        self.keys.rank(self.next - 1)
    }

    fn key(&self) -> &[u8] {
        &self.key
    }
}
