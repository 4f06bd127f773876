//! `RunLayer`: the dictionary of a run as a layer to write another run from.
#![deny(clippy::indexing_slicing)]

use std::collections::VecDeque;
use std::ops::Range;

use super::dictionary::DictionaryBlock;
use super::layer::{Layer, TermStream, TripleParts, Triples};
use super::run::Run;
use super::term_key::{parse_term_key, triple_parts};
use super::{Malformed, WriteError};
use crate::dataset::DatasetError;
use crate::model::{Term, TermId, TermKind};

/// How many blocks are asked for at once.
const BLOCKS_AT_ONCE: usize = 8;
/// The parts of so many triple terms are looked up at once.
const TRIPLES_AT_ONCE: usize = 16_384;

/// The terms of a run.
pub struct RunLayer<'a> {
    run: &'a Run,
}

impl<'a> RunLayer<'a> {
    pub fn new(run: &'a Run) -> RunLayer<'a> {
        RunLayer { run }
    }

    fn walk(&self, ranks: Range<u64>) -> RunTerms<'a> {
        let blocks = self.run.dictionary_range(ranks.clone());
        let first = self.run.first_rank(blocks.start);
        RunTerms {
            run: self.run,
            blocks,
            keys: Vec::new(),
            ends: VecDeque::new(),
            key: 0..0,
            next: first,
            ranks,
        }
    }
}

impl Layer for RunLayer<'_> {
    fn rank_end(&self) -> u64 {
        self.run.term_count()
    }

    fn terms(&self) -> Result<Box<dyn TermStream + '_>, WriteError> {
        Ok(Box::new(self.walk(0..self.run.term_count())))
    }

    fn triples(&self) -> Result<Triples<'_>, WriteError> {
        let terms = self.walk(self.run.ranks_of(TermKind::Triple));
        Ok(Box::new(RunTriples { run: self.run, terms, ready: VecDeque::new() }))
    }

    fn keys_of(&self, ranks: &[u64]) -> Result<Vec<Vec<u8>>, WriteError> {
        let mut keys = Vec::with_capacity(ranks.len());
        for rank in ranks {
            let mut terms = self.walk(*rank..*rank + 1);
            if terms.advance()? {
                keys.push(terms.key().to_vec());
            }
        }
        Ok(keys)
    }
}

/// Walks the terms of a range of ranks.
struct RunTerms<'a> {
    run: &'a Run,
    /// The blocks that are yet to be read.
    blocks: Range<usize>,
    /// The keys of the blocks at hand, back to back.
    keys: Vec<u8>,
    /// Where the keys end that are yet to come.
    ends: VecDeque<usize>,
    /// Where the key at hand is.
    key: Range<usize>,
    /// The rank of the next key.
    next: u64,
    ranks: Range<u64>,
}

impl RunTerms<'_> {
    fn read_blocks(&mut self) -> Result<bool, WriteError> {
        let end = self.blocks.end.min(self.blocks.start + BLOCKS_AT_ONCE);
        let wanted: Vec<usize> = (self.blocks.start..end).collect();
        self.blocks.start = end;
        self.keys.clear();
        self.key = 0..0;
        for (index, block) in wanted.iter().zip(self.run.dictionary_blocks(&wanted)?) {
            self.append(&block).map_err(|error| self.run.corrupt_terms(*index, error))?;
        }
        Ok(!self.ends.is_empty())
    }

    fn append(&mut self, block: &DictionaryBlock) -> Result<(), Malformed> {
        let (keys, ends) = (&mut self.keys, &mut self.ends);
        block.for_each_key(|key| {
            keys.extend_from_slice(key);
            ends.push_back(keys.len());
        })
    }
}

impl TermStream for RunTerms<'_> {
    fn advance(&mut self) -> Result<bool, WriteError> {
        while self.next < self.ranks.end {
            let Some(end) = self.ends.pop_front() else {
                if self.read_blocks()? {
                    continue;
                }
                return Ok(false);
            };
            self.key = self.key.end..end;
            self.next += 1;
            if self.next > self.ranks.start {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn rank(&self) -> u64 {
        self.next.saturating_sub(1)
    }

    fn key(&self) -> &[u8] {
        self.keys.get(self.key.clone()).unwrap_or_default()
    }
}

/// Walks the triple terms and looks up their parts, many at once.
struct RunTriples<'a> {
    run: &'a Run,
    terms: RunTerms<'a>,
    ready: VecDeque<TripleParts>,
}

impl RunTriples<'_> {
    fn look_up(&mut self) -> Result<(), WriteError> {
        let mut parts: Vec<(u64, [Part; 3])> = Vec::new();
        while parts.len() < TRIPLES_AT_ONCE && self.terms.advance()? {
            let split = triple_parts(self.terms.key()).map_err(WriteError::Term)?;
            parts.push((self.terms.rank(), split.map(Part::of)));
        }
        let mut keys: Vec<&[u8]> = parts.iter().flat_map(|(_, parts)| parts).filter_map(Part::key).collect();
        keys.sort_unstable();
        keys.dedup();
        let ids = self.run.ids_of_keys(&keys)?;
        let resolved = |part: &Part| match part {
            Part::Inline(id) => Some(*id),
            Part::Key(key) => ids.get(keys.binary_search(&key.as_slice()).ok()?).copied().flatten(),
        };
        for (rank, parts) in &parts {
            let [Some(subject), Some(predicate), Some(object)] =
                [0, 1, 2].map(|at| parts.get(at).and_then(resolved))
            else {
                let missing = Malformed("a part of a triple term is no term of its run");
                return Err(self.run.corrupt_terms(0, missing).into());
            };
            self.ready.push_back((*rank, [subject, predicate, object].map(TermId::to_bits)));
        }
        Ok(())
    }
}

enum Part {
    Inline(TermId),
    Key(Vec<u8>),
}

impl Part {
    fn of(key: Vec<u8>) -> Part {
        match parse_term_key(&key) {
            Ok(Term::Literal(literal)) => TermId::inline(&literal).map_or(Part::Key(key), Part::Inline),
            _ => Part::Key(key),
        }
    }

    fn key(&self) -> Option<&[u8]> {
        match self {
            Part::Inline(_) => None,
            Part::Key(key) => Some(key),
        }
    }
}

impl Iterator for RunTriples<'_> {
    type Item = Result<TripleParts, WriteError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty()
            && let Err(error) = self.look_up()
        {
            return Some(Err(error));
        }
        self.ready.pop_front().map(Ok)
    }
}

impl Run {
    /// Returns the ids of terms by key; as [`Run::ids_of`].
    fn ids_of_keys(&self, keys: &[&[u8]]) -> Result<Vec<Option<TermId>>, DatasetError> {
        let mut ids = vec![None; keys.len()];
        let places: Vec<(usize, usize)> =
            keys.iter().enumerate().filter_map(|(at, key)| Some((at, self.block_of_key(key)?))).collect();
        for group in places.chunk_by(|a, b| a.1 == b.1) {
            let Some((_, index)) = group.first() else { continue };
            let Some(block) = self.dictionary_blocks(&[*index])?.pop() else { continue };
            for (at, _) in group {
                if let (Some(slot), Some(key)) = (ids.get_mut(*at), keys.get(*at)) {
                    *slot = self.find(key, *index, &block)?;
                }
            }
        }
        Ok(ids)
    }
}
