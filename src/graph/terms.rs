//! The terms of a run in the making: gathered as they come, then sorted once.

use std::hash::BuildHasher;
use std::thread;

use foldhash::quality::RandomState;
use oxrdf::TermRef;

use super::Malformed;
use super::term_key::{kind_of_key, parse_term_key, put_term_key, triple_parts};
use crate::model::{DictionaryId, Term, TermId, TermKind};

/// A slot of the table is the upper half of a hash, and below it a number, or this.
const EMPTY: u64 = u32::MAX as u64;
/// Fewer terms are not worth a second thread to sort them.
const SORTED_ALONE_MAX: usize = 10_000;

/// Gives each distinct term a number, in the order of arrival. Holds terms as keys, back to back.
pub struct TermSet {
    keys: Vec<u8>,
    /// Where each key ends.
    ends: Vec<usize>,
    /// An open-addressing table of numbers, by hash of the key.
    slots: Vec<u64>,
    hasher: RandomState,
    scratch: Vec<u8>,
}

impl Default for TermSet {
    fn default() -> TermSet {
        TermSet {
            keys: Vec::new(),
            ends: Vec::new(),
            slots: vec![EMPTY; 1024],
            hasher: RandomState::default(),
            scratch: Vec::new(),
        }
    }
}

impl TermSet {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns the number of a term, giving it and, of a triple term, its parts one.
    ///
    /// # Errors
    /// If no dictionary can hold it.
    pub fn insert<'a>(&mut self, term: impl Into<TermRef<'a>>) -> Result<u32, Malformed> {
        let term = term.into();
        let mut key = std::mem::take(&mut self.scratch);
        key.clear();
        let number = put_term_key(&mut key, term).map(|()| self.insert_key(&key));
        self.scratch = key;
        if let (TermRef::Triple(triple), Ok((_, true))) = (term, &number) {
            self.insert(triple.subject.as_ref())?;
            self.insert(triple.predicate.as_ref())?;
            if !is_inline(&triple.object) {
                self.insert(triple.object.as_ref())?;
            }
        }
        number.map(|(number, _)| number)
    }

    fn insert_key(&mut self, key: &[u8]) -> (u32, bool) {
        if self.ends.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let hash = self.hasher.hash_one(key);
        let mut slot = home(hash, mask);
        while self.slots[slot] as u32 != EMPTY as u32 {
            let (upper, number) = (self.slots[slot] >> 32, self.slots[slot] as u32);
            if upper == hash >> 32 && self.key(number) == key {
                return (number, false);
            }
            slot = (slot + 1) & mask;
        }
        let number = u32::try_from(self.ends.len()).expect("fewer than 2^32 terms fit into memory");
        assert!(number != EMPTY as u32, "fewer than 2^32 terms fit into memory");
        self.slots[slot] = hash >> 32 << 32 | u64::from(number);
        self.keys.extend_from_slice(key);
        self.ends.push(self.keys.len());
        (number, true)
    }

    /// Doubles the table; the halves of the hashes that it holds say where to.
    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        let mut slots = vec![EMPTY; mask + 1];
        for entry in self.slots.iter().filter(|entry| **entry as u32 != EMPTY as u32) {
            let mut slot = home(*entry, mask);
            while slots[slot] as u32 != EMPTY as u32 {
                slot = (slot + 1) & mask;
            }
            slots[slot] = *entry;
        }
        self.slots = slots;
    }

    fn key(&self, number: u32) -> &[u8] {
        let number = number as usize;
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.keys[start..self.ends[number]]
    }

    /// Sorts the terms; returns them with the rank of each number.
    pub fn into_sorted(mut self) -> (SortedTerms, Vec<u32>) {
        self.slots = Vec::new();
        let mut order: Vec<u32> = (0..self.len() as u32).collect();
        let by_key = |a: &u32, b: &u32| self.key(*a).cmp(self.key(*b));
        if order.len() > SORTED_ALONE_MAX {
            let (left, right) = order.split_at_mut(self.len() / 2);
            thread::scope(|scope| {
                scope.spawn(|| left.sort_unstable_by(by_key));
                right.sort_unstable_by(by_key);
            });
        }
        // Merges what is in order already.
        order.sort_by(by_key);
        let mut ranks = vec![0; order.len()];
        for (rank, number) in order.iter().enumerate() {
            ranks[*number as usize] = rank as u32;
        }
        (SortedTerms { set: self, order }, ranks)
    }
}

/// Returns where the search for a hash begins: by its upper half alone.
fn home(hash: u64, mask: usize) -> usize {
    (hash >> 32) as usize & mask
}

fn is_inline(term: &Term) -> bool {
    matches!(term, Term::Literal(literal) if TermId::inline(literal).is_some())
}

/// The distinct terms of a run, in dictionary order. Holds the parts of every triple term too.
pub struct SortedTerms {
    set: TermSet,
    /// The number of the term of each rank.
    order: Vec<u32>,
}

impl SortedTerms {
    /// Sorts terms, in any order and with repetitions, and adds the parts of triple terms. Literals
    /// that are inline ids need not be there.
    ///
    /// # Errors
    /// If no dictionary can hold one of them.
    pub fn of<'a>(terms: impl IntoIterator<Item = &'a Term>) -> Result<SortedTerms, Malformed> {
        let mut set = TermSet::default();
        for term in terms {
            if !is_inline(term) {
                set.insert(term)?;
            }
        }
        Ok(set.into_sorted().0)
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Returns the id of a term: inline, or its rank in layer 0; `None` if it is not among them.
    pub fn id_of(&self, term: &Term) -> Option<TermId> {
        if let Term::Literal(literal) = term
            && let Some(id) = TermId::inline(literal)
        {
            return Some(id);
        }
        self.id_of_key(&super::term_key::term_key(term)?)
    }

    /// Returns the key of the term of a rank.
    ///
    /// # Panics
    /// If there is no such rank.
    pub fn key(&self, rank: usize) -> &[u8] {
        self.set.key(self.order[rank])
    }

    /// Returns the id of the term of a rank.
    ///
    /// # Panics
    /// If there is no such rank.
    pub fn id(&self, rank: usize) -> TermId {
        let kind = kind_of_key(self.key(rank)).expect("keys begin with their kind");
        TermId::dictionary(DictionaryId { kind, layer: 0, rank: rank as u64 })
    }

    /// Returns the term of a rank.
    ///
    /// # Panics
    /// If there is no such rank.
    pub fn term(&self, rank: usize) -> Term {
        parse_term_key(self.key(rank)).expect("keys were made from terms")
    }

    /// Returns the ranks of the terms of a kind.
    pub fn ranks_of(&self, kind: TermKind) -> std::ops::Range<usize> {
        let below = |limit: u8| self.order.partition_point(|number| self.set.key(*number)[0] < limit);
        below(kind as u8)..below(kind as u8 + 1)
    }

    /// Returns subject, predicate and object of the triple term of a rank.
    ///
    /// # Panics
    /// If there is no such rank, or it is no triple term.
    pub fn parts(&self, rank: usize) -> [TermId; 3] {
        let parts = triple_parts(self.key(rank)).expect("the key is of a triple term");
        parts.map(|key| match parse_term_key(&key) {
            Ok(Term::Literal(literal)) if TermId::inline(&literal).is_some() => {
                TermId::inline(&literal).expect("just asked")
            }
            _ => self.id_of_key(&key).expect("the parts of triple terms are gathered with them"),
        })
    }

    fn id_of_key(&self, key: &[u8]) -> Option<TermId> {
        let rank = self.order.binary_search_by(|number| self.set.key(*number).cmp(key)).ok()?;
        Some(self.id(rank))
    }
}
