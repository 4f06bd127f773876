//! `SortedTerms`: few terms, sorted once.

use std::collections::{HashMap, HashSet};

use super::Malformed;
use super::term_key::{TripleKey, check_size, depth_of, kind_of_key, put_term_key, term_key};
use crate::model::{DictionaryId, Term, TermId, TermKind};

/// The distinct terms of a small change, in dictionary order. Holds the parts of every triple term too.
pub struct SortedTerms {
    keys: Vec<Vec<u8>>,
}

impl SortedTerms {
    /// Sorts terms, in any order and with repetitions, and adds the parts of triple terms. Literals
    /// that are inline ids need not be there.
    ///
    /// # Errors
    /// If no dictionary can hold one of them.
    pub fn of<'a>(terms: impl IntoIterator<Item = &'a Term>) -> Result<SortedTerms, Malformed> {
        let (mut keys, mut triples) = (Vec::new(), HashSet::new());
        for mut term in terms {
            check_size(term.into())?;
            while let Term::Triple(triple) = term {
                put(&mut keys, &triple.subject.clone().into())?;
                put(&mut keys, &triple.predicate.clone().into())?;
                triples.insert(term);
                term = &triple.object;
            }
            put(&mut keys, term)?;
        }
        keys.sort_unstable();
        keys.dedup();
        let mut sorted = SortedTerms { keys };
        if !triples.is_empty() {
            sorted.insert_triples(&triples);
        }
        Ok(sorted)
    }

    /// Makes the keys of triple terms, depth by depth, so that those within others have their ranks then.
    fn insert_triples(&mut self, triples: &HashSet<&Term>) {
        let is_node = |key: &Vec<u8>| kind_of_key(key).is_some_and(|kind| kind < TermKind::Triple);
        let literals = self.keys.split_off(self.keys.partition_point(is_node));
        let nodes = self.keys.len();
        let literal = |term: &Term| {
            let place = literals.binary_search(&term_key(term)?).ok()?;
            let rank = (nodes + triples.len() + place) as u64;
            Some(TermId::dictionary(DictionaryId { kind: kind_of_key(&literals[place])?, layer: 0, rank }))
        };
        let mut by_depth: Vec<(u8, &Term)> = triples.iter().map(|term| (depth_of(term), *term)).collect();
        by_depth.sort_by_key(|(depth, _)| *depth);
        let mut ids: HashMap<&Term, TermId> = HashMap::with_capacity(triples.len());
        for of_depth in by_depth.chunk_by(|a, b| a.0 == b.0) {
            let id_of = |term: &Term| match term {
                Term::Triple(_) => ids.get(term).copied(),
                term => self.id_of(term).or_else(|| literal(term)),
            };
            let key = |term| (triple_key(term, id_of).expect("all parts are there").to_bytes(), term);
            let mut keys: Vec<(Vec<u8>, &Term)> = of_depth.iter().map(|(_, term)| key(*term)).collect();
            keys.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            for (key, term) in keys {
                self.keys.push(key);
                ids.insert(term, self.id(self.keys.len() - 1));
            }
        }
        self.keys.extend(literals);
    }

    /// Takes keys that are sorted, distinct, and those of all parts of triple terms.
    pub fn of_sorted(keys: Vec<Vec<u8>>) -> SortedTerms {
        SortedTerms { keys }
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the id of a term: inline, or its rank in layer 0; `None` if it is not among them.
    pub fn id_of(&self, term: &Term) -> Option<TermId> {
        // From the outermost triple term on.
        let (mut term, mut open) = (term, Vec::new());
        while let Term::Triple(triple) = term {
            open.push(triple);
            term = &triple.object;
        }
        let mut id = match term {
            Term::Literal(literal) if let Some(id) = TermId::inline(literal) => id,
            term => self.id_of_key(&term_key(term)?)?,
        };
        for (depth, triple) in (1..).zip(open.into_iter().rev()) {
            let subject = self.id_of_key(&term_key(&triple.subject.clone().into())?)?;
            let predicate = self.id_of_key(&term_key(&triple.predicate.clone().into())?)?;
            let parts = [subject, predicate, id].map(TermId::to_bits);
            id = self.id_of_key(&TripleKey { depth, parts }.to_bytes())?;
        }
        Some(id)
    }

    fn id_of_key(&self, key: &[u8]) -> Option<TermId> {
        Some(self.id(self.keys.binary_search_by(|other| other.as_slice().cmp(key)).ok()?))
    }

    /// Returns the keys of the terms, in order.
    pub fn keys(&self) -> &[Vec<u8>] {
        &self.keys
    }

    /// Returns the id of the term of a rank.
    ///
    /// # Panics
    /// If there is no such rank.
    pub fn id(&self, rank: usize) -> TermId {
        let kind = kind_of_key(&self.keys[rank]).expect("keys begin with their kind");
        TermId::dictionary(DictionaryId { kind, layer: 0, rank: rank as u64 })
    }
}

/// Returns the key of a triple term whose parts `id_of` knows.
fn triple_key(term: &Term, id_of: impl Fn(&Term) -> Option<TermId>) -> Option<TripleKey> {
    let Term::Triple(triple) = term else { return None };
    let subject = id_of(&triple.subject.clone().into())?;
    let predicate = id_of(&triple.predicate.clone().into())?;
    let parts = [subject, predicate, id_of(&triple.object)?].map(TermId::to_bits);
    Some(TripleKey { depth: depth_of(term), parts })
}

/// Adds the key of a term that needs one.
fn put(keys: &mut Vec<Vec<u8>>, term: &Term) -> Result<(), Malformed> {
    if let Term::Literal(literal) = term
        && TermId::inline(literal).is_some()
    {
        return Ok(());
    }
    let mut key = Vec::new();
    put_term_key(&mut key, term)?;
    keys.push(key);
    Ok(())
}
