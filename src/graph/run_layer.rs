//! `RunLayer`: the dictionary of a run as a layer to write another run from.
#![deny(clippy::indexing_slicing)]

use std::collections::VecDeque;
use std::ops::Range;

use super::dictionary::DictionaryBlock;
use super::layer::{Layer, RankedTriple, TermStream, Triples};
use super::run::Run;
use super::term_key::{KeyedTerm, parse_key};
use super::{Malformed, WriteError};
use crate::model::TermKind;

/// How many blocks are asked for at once.
const BLOCKS_AT_ONCE: usize = 8;

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
        let triples = self.run.ranks_of(TermKind::Triple);
        let after = triples.end..self.run.term_count();
        Ok(Box::new(SimpleTerms { walk: self.walk(0..triples.start), after: Some(self.walk(after)) }))
    }

    fn triples(&self) -> Result<Triples<'_>, WriteError> {
        Ok(Box::new(RunTriples { terms: self.walk(self.run.ranks_of(TermKind::Triple)) }))
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

/// Walks nodes, then literals.
struct SimpleTerms<'a> {
    walk: RunTerms<'a>,
    after: Option<RunTerms<'a>>,
}

impl TermStream for SimpleTerms<'_> {
    fn advance(&mut self) -> Result<bool, WriteError> {
        if self.walk.advance()? {
            return Ok(true);
        }
        match self.after.take() {
            Some(after) => {
                self.walk = after;
                self.walk.advance()
            }
            None => Ok(false),
        }
    }

    fn rank(&self) -> u64 {
        self.walk.rank()
    }

    fn key(&self) -> &[u8] {
        self.walk.key()
    }
}

/// Walks the triple terms.
struct RunTriples<'a> {
    terms: RunTerms<'a>,
}

impl Iterator for RunTriples<'_> {
    type Item = Result<RankedTriple, WriteError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.terms.advance() {
            Ok(false) => return None,
            Ok(true) => {}
            Err(error) => return Some(Err(error)),
        }
        let rank = self.terms.rank();
        Some(match parse_key(self.terms.key()) {
            Ok(KeyedTerm::Triple(key)) => Ok(RankedTriple { rank, key }),
            Ok(KeyedTerm::Simple(_)) => {
                Err(self.terms.run.corrupt_term(rank, Malformed("a triple term is none")).into())
            }
            Err(error) => Err(self.terms.run.corrupt_term(rank, error).into()),
        })
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
