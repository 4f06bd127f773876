//! `Interner`: gives each distinct term a number as it comes.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;
use oxrdf::TermRef;

use super::Malformed;
use super::keys::Keys;
use super::ordered_terms::{OrderedTerms, Ranks, TripleRow};
use super::term_key::{check_size, put_term_key};
use crate::model::{DictionaryId, TermId, TermKind};

/// A slot of the table is the upper half of a hash, and below it a number, or this.
const EMPTY: u64 = u32::MAX as u64;
/// The numbers of so many keys that came last are at hand.
const RECENT_BITS: u32 = 8;

/// Gives each distinct term a number, in the order of arrival. Holds terms as keys, back to back; triple terms, which
/// have numbers of their own, as the ids of their parts, one number for each time that they come.
///
/// Ids that it hands out are of layer 0, with the number in the place of a rank.
pub struct Interner {
    keys: Keys,
    /// The parts of the triple terms.
    triples: Vec<[u64; 3]>,
    /// An open-addressing table of numbers, by hash of the key.
    slots: Vec<u64>,
    /// How many slots are taken.
    slots_taken: usize,
    /// By the ends of keys, numbers that were found last: predicates, and the subject of a line after another.
    recent: [u32; 1 << RECENT_BITS],
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
            recent: [EMPTY as u32; 1 << RECENT_BITS],
            hasher: RandomState::default(),
            scratch: Vec::new(),
        }
    }
}

impl Interner {
    /// Returns how many bytes of memory it takes.
    pub fn memory_bytes(&self) -> usize {
        self.keys.memory_bytes() + self.slots.len() * 8 + self.triples.capacity() * size_of::<[u64; 3]>()
    }

    /// Returns the id of a term, giving it and, of a triple term, its parts a number each.
    ///
    /// # Errors
    /// If no dictionary can hold it.
    pub fn insert<'a>(&mut self, term: impl Into<TermRef<'a>>) -> Result<TermId, Malformed> {
        let mut term = term.into();
        check_size(term)?;
        // From the outermost triple term on; each is the object of the one before.
        let mut open = Vec::new();
        while let TermRef::Triple(triple) = term {
            let subject = self.insert_simple(triple.subject.as_ref().into())?;
            open.push((subject, self.insert_simple(triple.predicate.as_ref().into())?));
            term = triple.object.as_ref();
        }
        let innermost = self.insert_simple(term)?;
        Ok(open.into_iter().rev().fold(innermost, |object, (subject, predicate)| {
            self.push_triple([subject, predicate, object].map(TermId::to_bits))
        }))
    }

    /// As [`Interner::insert`], of what is no triple term.
    fn insert_simple(&mut self, term: TermRef<'_>) -> Result<TermId, Malformed> {
        if let TermRef::Literal(literal) = term
            && let Some(id) = TermId::inline(&literal.into_owned())
        {
            return Ok(id);
        }
        let mut key = std::mem::take(&mut self.scratch);
        key.clear();
        let number = put_term_key(&mut key, term).map(|()| self.insert_key(&key));
        self.scratch = key;
        let rank = u64::from(number?);
        Ok(TermId::dictionary(DictionaryId { kind: kind_of(term), layer: 0, rank }))
    }

    /// Returns an id of the triple term whose parts have these ids. It must be no longer and no deeper than
    /// dictionaries hold.
    pub fn push_triple(&mut self, parts: [u64; 3]) -> TermId {
        let rank = self.triples.len() as u64;
        assert!(rank < EMPTY, "fewer than 2^32 terms fit into memory");
        self.triples.push(parts);
        TermId::dictionary(DictionaryId { kind: TermKind::Triple, layer: 0, rank })
    }

    fn insert_key(&mut self, key: &[u8]) -> u32 {
        self.insert_key_if(key, |_| true).expect("nothing was refused")
    }

    /// Returns the number of a key; a new one is asked about first, and is not inserted if `accept` refuses it.
    pub fn insert_key_if(&mut self, key: &[u8], accept: impl FnOnce(&[u8]) -> bool) -> Option<u32> {
        let recent = recent_slot(key);
        let number = self.recent[recent];
        if number != EMPTY as u32 && self.keys.get(number) == key {
            return Some(number);
        }
        let number = self.find_or_insert(key, accept)?;
        self.recent[recent] = number;
        Some(number)
    }

    fn find_or_insert(&mut self, key: &[u8], accept: impl FnOnce(&[u8]) -> bool) -> Option<u32> {
        if self.slots_taken * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let hash = self.hasher.hash_one(key);
        let mut slot = home(hash, mask);
        while self.slots[slot] as u32 != EMPTY as u32 {
            let (upper, number) = (self.slots[slot] >> 32, self.slots[slot] as u32);
            if upper == hash >> 32 && self.keys.get(number) == key {
                return Some(number);
            }
            slot = (slot + 1) & mask;
        }
        if !accept(key) {
            return None;
        }
        let number = self.push_key(key);
        self.slots[slot] = hash >> 32 << 32 | u64::from(number);
        self.slots_taken += 1;
        Some(number)
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

    /// Sorts the terms, as those of a layer.
    pub fn into_order(self, layer: u16) -> (OrderedTerms, Vec<TripleRow>, Ranks) {
        drop(self.slots);
        OrderedTerms::of(layer, self.keys, &self.triples)
    }
}

/// Returns where the search for a hash begins: by its upper half alone.
fn home(hash: u64, mask: usize) -> usize {
    (hash >> 32) as usize & mask
}

/// Returns where the number of a key that came lately is: by its last bytes, in which keys differ mostly.
fn recent_slot(key: &[u8]) -> usize {
    let tail = key.last_chunk::<8>().map_or(0, |tail| u64::from_le_bytes(*tail));
    ((tail ^ key.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - RECENT_BITS)) as usize
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
