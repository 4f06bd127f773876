//! `Interner`: gives each distinct term a number as it comes. `SortedTerms`: few terms, sorted once.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;
use oxrdf::TermRef;

use super::Malformed;
use super::keys::Keys;
use super::term_key::{kind_of_key, parse_term_key, put_term_key, term_key};
use crate::model::{DictionaryId, Term, TermId, TermKind};

/// A slot of the table is the upper half of a hash, and below it a number, or this.
const EMPTY: u64 = u32::MAX as u64;

/// A triple term: its number or rank, and the ids of subject, predicate and object.
pub type TripleParts = (u64, [u64; 3]);

/// Gives each distinct term a number, in the order of arrival. Holds terms as keys, back to back.
///
/// Ids that it hands out are of layer 0, with the number in the place of a rank.
pub struct Interner {
    keys: Keys,
    /// The triple terms with their parts, by number.
    triples: Vec<TripleParts>,
    /// An open-addressing table of numbers, by hash of the key.
    slots: Vec<u64>,
    /// How many slots are taken.
    slots_taken: usize,
    hasher: RandomState,
    scratch: Vec<u8>,
}

impl Default for Interner {
    fn default() -> Interner {
        Interner {
            keys: Keys::default(),
            triples: Vec::new(),
            slots: vec![EMPTY; 64],
            slots_taken: 0,
            hasher: RandomState::default(),
            scratch: Vec::new(),
        }
    }
}

impl Interner {
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns how many bytes of memory it takes.
    pub fn memory_bytes(&self) -> usize {
        self.keys.memory_bytes() + self.slots.len() * 8 + self.triples.capacity() * size_of::<TripleParts>()
    }

    /// Returns the id of a term, giving it and, of a triple term, its parts a number each.
    ///
    /// # Errors
    /// If no dictionary can hold it.
    pub fn insert<'a>(&mut self, term: impl Into<TermRef<'a>>) -> Result<TermId, Malformed> {
        let mut term = term.into();
        let mut found = None;
        // Triple terms that are new, from the outermost on; each is the object of the one before.
        let mut open = Vec::new();
        let innermost = loop {
            if let TermRef::Literal(literal) = term
                && let Some(id) = TermId::inline(&literal.into_owned())
            {
                break id;
            }
            let mut key = std::mem::take(&mut self.scratch);
            key.clear();
            let number = put_term_key(&mut key, term).map(|()| self.insert_key(&key));
            self.scratch = key;
            let (number, is_new) = number?;
            let kind = kind_of(term);
            let id = TermId::dictionary(DictionaryId { kind, layer: 0, rank: u64::from(number) });
            let TermRef::Triple(triple) = term else { break id };
            found.get_or_insert(id);
            if !is_new {
                break id;
            }
            let subject = self.insert(TermRef::from(triple.subject.as_ref()))?;
            let predicate = self.insert(triple.predicate.as_ref())?;
            open.push((u64::from(number), subject, predicate));
            term = triple.object.as_ref();
        };
        let mut object = innermost;
        for (number, subject, predicate) in open.into_iter().rev() {
            self.triples.push((number, [subject, predicate, object].map(TermId::to_bits)));
            object = TermId::dictionary(DictionaryId { kind: TermKind::Triple, layer: 0, rank: number });
        }
        Ok(found.unwrap_or(innermost))
    }

    /// Returns the id of the triple term of a key, whose parts have the ids `parts`.
    pub fn insert_triple_key(&mut self, key: &[u8], parts: [u64; 3]) -> TermId {
        let (number, is_new) = self.insert_key(key);
        if is_new {
            self.triples.push((u64::from(number), parts));
        }
        TermId::dictionary(DictionaryId { kind: TermKind::Triple, layer: 0, rank: u64::from(number) })
    }

    /// Returns the number of a key, and whether it is new.
    pub fn insert_key(&mut self, key: &[u8]) -> (u32, bool) {
        self.insert_key_if(key, |_| true).expect("nothing was refused")
    }

    /// Returns the number of a key, and whether it is new; a new one is asked about first, and is not
    /// inserted if `accept` refuses it.
    pub fn insert_key_if(&mut self, key: &[u8], accept: impl FnOnce(&[u8]) -> bool) -> Option<(u32, bool)> {
        if self.slots_taken * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let hash = self.hasher.hash_one(key);
        let mut slot = home(hash, mask);
        while self.slots[slot] as u32 != EMPTY as u32 {
            let (upper, number) = (self.slots[slot] >> 32, self.slots[slot] as u32);
            if upper == hash >> 32 && self.keys.get(number) == key {
                return Some((number, false));
            }
            slot = (slot + 1) & mask;
        }
        if !accept(key) {
            return None;
        }
        let number = self.push_key(key);
        self.slots[slot] = hash >> 32 << 32 | u64::from(number);
        self.slots_taken += 1;
        Some((number, true))
    }

    /// Returns the number of a key that was not inserted before, and never will be again.
    pub fn push_key(&mut self, key: &[u8]) -> u32 {
        let number = u32::try_from(self.keys.len()).expect("fewer than 2^32 terms fit into memory");
        assert!(number != EMPTY as u32, "fewer than 2^32 terms fit into memory");
        self.keys.push(key);
        number
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

    /// Sorts the terms. Returns the keys, their numbers in order, the rank of each number, and the
    /// triple terms by number.
    pub fn into_order(self) -> Interned {
        drop(self.slots);
        let order = self.keys.order();
        let mut ranks = vec![0; order.len()];
        for (rank, number) in order.iter().enumerate() {
            ranks[*number as usize] = rank as u32;
        }
        Interned { keys: self.keys, order, ranks, triples: self.triples }
    }
}

/// What an [`Interner`] gathered, sorted.
pub struct Interned {
    pub keys: Keys,
    /// The number of the term of each rank.
    pub order: Vec<u32>,
    /// The rank of the term of each number.
    pub ranks: Vec<u32>,
    pub triples: Vec<TripleParts>,
}

/// Returns where the search for a hash begins: by its upper half alone.
fn home(hash: u64, mask: usize) -> usize {
    (hash >> 32) as usize & mask
}

fn kind_of(term: TermRef<'_>) -> TermKind {
    match term {
        TermRef::NamedNode(_) => TermKind::NamedNode,
        TermRef::BlankNode(_) => TermKind::BlankNode,
        TermRef::Triple(_) => TermKind::Triple,
        TermRef::Literal(literal) if literal.language().is_some() => TermKind::LangString,
        TermRef::Literal(literal) if literal.datatype() == crate::model::xsd::STRING => TermKind::String,
        TermRef::Literal(_) => TermKind::TypedLiteral,
    }
}

/// The distinct terms of a small change, in dictionary order. Holds the parts of every triple term too.
pub struct SortedTerms {
    keys: Keys,
    order: Vec<u32>,
}

impl SortedTerms {
    /// Sorts terms, in any order and with repetitions, and adds the parts of triple terms. Literals
    /// that are inline ids need not be there.
    ///
    /// # Errors
    /// If no dictionary can hold one of them.
    pub fn of<'a>(terms: impl IntoIterator<Item = &'a Term>) -> Result<SortedTerms, Malformed> {
        let mut interner = Interner::default();
        for term in terms {
            interner.insert(term)?;
        }
        let Interned { keys, order, .. } = interner.into_order();
        Ok(SortedTerms { keys, order })
    }

    /// Takes keys that are sorted, distinct, and those of all parts of triple terms.
    pub fn of_sorted(keys: Keys) -> SortedTerms {
        SortedTerms { order: (0..keys.len() as u32).collect(), keys }
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
        let key = term_key(term)?;
        let rank = self.order.binary_search_by(|number| self.keys.get(*number).cmp(&key)).ok()?;
        Some(self.id(rank))
    }

    /// Returns the keys of the terms, in order.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.order.iter().map(|number| self.keys.get(*number))
    }

    /// Returns the id of the term of a rank.
    ///
    /// # Panics
    /// If there is no such rank.
    pub fn id(&self, rank: usize) -> TermId {
        let kind = kind_of_key(self.keys.get(self.order[rank])).expect("keys begin with their kind");
        TermId::dictionary(DictionaryId { kind, layer: 0, rank: rank as u64 })
    }

    /// Returns the term of a rank.
    ///
    /// # Panics
    /// If there is no such rank.
    pub fn term(&self, rank: usize) -> Term {
        parse_term_key(self.keys.get(self.order[rank])).expect("keys were made from terms")
    }
}
