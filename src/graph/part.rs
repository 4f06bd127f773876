//! `Part`: a piece of a load, sorted: its terms, and rows of their ranks. In memory or in scratch space.

use super::WriteError;
use super::interner::{Interned, Interner, TripleParts};
use super::keys::Keys;
use super::layer::{Layer, RowSource, RowStream, TermStream, Triples};
use super::row_sort::SortedRows;
use crate::block::{BlockError, Scratch, ScratchFile};

/// How many bytes are read from scratch space at once.
const READ_BYTES: usize = 64 << 10;
const LAYER_SHIFT: u32 = 48;
const RANK_MASK: u64 = (1 << LAYER_SHIFT) - 1;

/// Sorted terms and rows of their ranks, all of one layer.
pub struct Part {
    layer: u16,
    terms: Terms,
    triples: Vec<TripleParts>,
    rows: SortedRows<4>,
    /// How many rows came in, repetitions included.
    rows_read: u64,
}

enum Terms {
    Memory { keys: Keys, order: Vec<u32> },
    Scratch { file: Box<dyn ScratchFile>, bytes: u64, count: u64 },
}

impl Part {
    /// Sorts what was gathered; the ids of `rows` are the interner's.
    pub fn of(layer: u16, interner: Interner, mut rows: Vec<[u64; 4]>) -> Part {
        let Interned { keys, order, ranks, mut triples } = interner.into_order();
        let ranked = |id: u64| match (1..=6).contains(&(id >> 60)) {
            true => {
                id & !RANK_MASK
                    | u64::from(layer) << LAYER_SHIFT
                    | u64::from(ranks[(id & RANK_MASK) as usize])
            }
            false => id,
        };
        let rows_read = rows.len() as u64;
        rows.as_flattened_mut().iter_mut().for_each(|id| *id = ranked(*id));
        // Subjects often come in order; what then is sorted in stretches costs a stable sort little.
        rows.chunk_by_mut(|a, b| a[0] == b[0]).for_each(<[_]>::sort_unstable);
        rows.sort();
        rows.dedup();
        for (number, parts) in &mut triples {
            *number = u64::from(ranks[*number as usize]);
            *parts = parts.map(ranked);
        }
        triples.sort_unstable();
        Part {
            layer,
            terms: Terms::Memory { keys, order },
            triples,
            rows: SortedRows::of_sorted(rows),
            rows_read,
        }
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
        let Terms::Memory { keys, order } = &self.terms else { return Ok(()) };
        let mut file = scratch.create().map_err(BlockError::from)?;
        let (mut buffer, mut bytes, mut previous): (Vec<u8>, u64, &[u8]) = (Vec::new(), 0, &[]);
        for number in order {
            let key = keys.get(*number);
            let shared = previous.iter().zip(key).take_while(|(a, b)| a == b).count();
            let suffix = &key[shared..];
            buffer.extend_from_slice(&(shared as u32).to_le_bytes());
            buffer.extend_from_slice(&(suffix.len() as u32).to_le_bytes());
            buffer.extend_from_slice(suffix);
            if buffer.len() >= READ_BYTES {
                file.append(&buffer).map_err(BlockError::from)?;
                bytes += buffer.len() as u64;
                buffer.clear();
            }
            previous = key;
        }
        file.append(&buffer).map_err(BlockError::from)?;
        bytes += buffer.len() as u64;
        self.terms = Terms::Scratch { file, bytes, count: order.len() as u64 };
        Ok(())
    }
}

impl Layer for Part {
    fn rank_end(&self) -> u64 {
        match &self.terms {
            Terms::Memory { order, .. } => order.len() as u64,
            Terms::Scratch { count, .. } => *count,
        }
    }

    fn terms(&self) -> Result<Box<dyn TermStream + '_>, WriteError> {
        Ok(match &self.terms {
            Terms::Memory { keys, order } => Box::new(MemoryTerms { keys, order, next: 0 }),
            Terms::Scratch { file, bytes, count } => Box::new(ScratchTerms {
                file: &**file,
                offset: 0,
                end: *bytes,
                buffer: Vec::new(),
                at: 0,
                key: Vec::new(),
                next: 0,
                count: *count,
            }),
        })
    }

    fn triples(&self) -> Result<Triples<'_>, WriteError> {
        Ok(Box::new(self.triples.iter().map(|triple| Ok(*triple))))
    }

    fn keys_of(&self, ranks: &[u64]) -> Result<Vec<Vec<u8>>, WriteError> {
        if let Terms::Memory { keys, order } = &self.terms {
            return Ok(ranks.iter().map(|rank| keys.get(order[*rank as usize]).to_vec()).collect());
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
    fn home(&self) -> Option<u16> {
        Some(self.layer)
    }

    fn rows(&self) -> Result<Box<dyn RowStream<4> + '_>, WriteError> {
        self.rows.stream()
    }
}

struct MemoryTerms<'a> {
    keys: &'a Keys,
    order: &'a [u32],
    /// The rank after the one at hand.
    next: usize,
}

impl TermStream for MemoryTerms<'_> {
    fn advance(&mut self) -> Result<bool, WriteError> {
        self.next += 1;
        Ok(self.next <= self.order.len())
    }

    fn rank(&self) -> u64 {
        self.next as u64 - 1
    }

    fn key(&self) -> &[u8] {
        self.keys.get(self.order[self.next - 1])
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
