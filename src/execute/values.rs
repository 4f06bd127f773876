//! `Values`: the values that one query computes, each with one id.
//!
//! The arena hash-conses: equal values have equal ids for as long as the query runs, so that joins,
//! DISTINCT and grouping compare ids. It knows terms and ids; it knows no function and no language.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use indexmap::{IndexMap, IndexSet};
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::expression::{Decoded, Number};
use crate::dataset::{Dataset, DatasetError};
use crate::model::{Literal, Quad, Term, TermId, TermKind, xsd};

/// How many answers of the dataset, and how many decoded terms, are kept.
const CACHE_ENTRIES_MAX: usize = 1 << 16;

/// A value that no dictionary holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Local {
    Term(Term),
    List(Vec<TermId>),
    /// Sorted by key.
    Map(Vec<(String, TermId)>),
    /// `edge` is the reifier, if there is one.
    Relationship {
        quad: Quad,
        edge: Option<TermId>,
    },
    /// `nodes` is one longer than `relationships`.
    Path {
        nodes: Vec<TermId>,
        relationships: Vec<TermId>,
    },
}

/// A hash-consed arena: equal values have one id.
///
/// Inline and dictionary ids never touch its lock.
#[derive(Default)]
pub struct Values {
    state: Mutex<State>,
    salt: OnceLock<[u8; 16]>,
}

/// Local ids from here on are of relationships.
const RELATIONSHIPS: usize = 1 << 48;
/// Local ids from here on are of doubles.
const DOUBLES: usize = 1 << 52;

#[derive(Default)]
struct State {
    locals: IndexSet<Arc<Local>, FxBuildHasher>,
    /// Apart from the others, since there may be millions: none takes an allocation of its own.
    relationships: IndexSet<(Quad, Option<TermId>), FxBuildHasher>,
    /// The ids of computed doubles that are not inline, by their bits: their own, or the dataset's. An aggregation makes many.
    doubles: IndexMap<u64, TermId, FxBuildHasher>,
    /// Ids that the dataset gave for computed terms.
    known: FxHashMap<Term, TermId>,
    decoded: FxHashMap<TermId, Arc<Decoded>>,
    bytes: usize,
}

impl Values {
    /// Returns the id of a value, giving it one if it has none.
    ///
    /// A term must be given to [`Values::id_of_term`] instead unless the dataset cannot hold it.
    pub fn intern(&self, mut local: Local) -> TermId {
        if let Local::Map(entries) = &mut local {
            entries.sort_by(|a, b| a.0.cmp(&b.0));
        }
        self.lock().intern(local)
    }

    /// As [`Values::intern`] of each relationship: a triple and its reifier, if it has one.
    pub fn intern_relationships(
        &self,
        relationships: impl Iterator<Item = (Quad, Option<TermId>)>,
    ) -> Vec<TermId> {
        let mut state = self.lock();
        relationships.map(|(quad, edge)| state.intern_relationship(quad, edge)).collect()
    }

    /// Returns whether a local id is of a relationship.
    pub fn is_relationship(id: TermId) -> bool {
        id.as_local().is_some_and(|index| (RELATIONSHIPS..DOUBLES).contains(&index))
    }

    /// Returns the id of a double as a term: inline, else the dataset's, else a local one.
    pub fn id_of_double(&self, value: f64, dataset: &dyn Dataset) -> Result<TermId, DatasetError> {
        if let Some(id) = TermId::from_f64(value) {
            return Ok(id);
        }
        // All that are no number have one form.
        let bits = if value.is_nan() { f64::NAN } else { value }.to_bits();
        if let Some(id) = self.lock().doubles.get(&bits) {
            return Ok(*id);
        }
        let stored = match dataset.may_know(TermKind::TypedLiteral) {
            true => dataset.term_id(&Number::Double(value).to_literal().into())?,
            false => None,
        };
        let mut state = self.lock();
        state.bytes += size_of::<(u64, TermId)>() + 32;
        let (index, _) = state.doubles.insert_full(bits, stored.unwrap_or_default());
        let id = stored.unwrap_or(TermId::local(DOUBLES + index));
        state.doubles[index] = id;
        Ok(id)
    }

    pub fn is_double(id: TermId) -> bool {
        id.as_local().is_some_and(|index| index >= DOUBLES)
    }

    /// Returns the double of a local id that is of one.
    pub fn double(&self, id: TermId) -> Option<f64> {
        let index = id.as_local()?.checked_sub(DOUBLES)?;
        self.lock().doubles.get_index(index).map(|(bits, _)| f64::from_bits(*bits))
    }

    /// Returns the values of ids, if all are of doubles and none needs a dictionary.
    pub fn doubles(&self, ids: &[TermId]) -> Option<Vec<f64>> {
        let state = self.lock();
        let computed = |id: TermId| {
            let index = id.as_local()?.checked_sub(DOUBLES)?;
            state.doubles.get_index(index).map(|(bits, _)| f64::from_bits(*bits))
        };
        ids.iter().map(|id| id.as_f64().or_else(|| computed(*id))).collect()
    }

    /// Returns the value of a local id that this arena gave out.
    pub fn get(&self, id: TermId) -> Option<Arc<Local>> {
        if let Some(double) = self.double(id) {
            return Some(Arc::new(Local::Term(Number::Double(double).to_literal().into())));
        }
        let (index, state) = (id.as_local()?, self.lock());
        match index.checked_sub(RELATIONSHIPS) {
            None => state.locals.get_index(index).cloned(),
            Some(index) => {
                let (quad, edge) = *state.relationships.get_index(index)?;
                Some(Arc::new(Local::Relationship { quad, edge }))
            }
        }
    }

    /// Returns the id of a term: inline, else the dataset's, else a local one.
    pub fn id_of_term(&self, term: &Term, dataset: &dyn Dataset) -> Result<TermId, DatasetError> {
        if let Term::Literal(literal) = term
            && let Some(id) = TermId::inline(literal)
        {
            return Ok(id);
        }
        if let Some(double) = canonical_double(term) {
            return self.id_of_double(double, dataset);
        }
        if let Some(id) = self.lock().known.get(term) {
            return Ok(*id);
        }
        // The lock is free while the dataset may wait for blocks.
        let id = match dataset.term_id(term)? {
            Some(id) => id,
            None => self.intern(Local::Term(term.clone())),
        };
        let mut state = self.lock();
        if state.known.len() >= CACHE_ENTRIES_MAX {
            state.known.clear();
        }
        state.known.insert(term.clone(), id);
        Ok(id)
    }

    /// Returns the ids of terms, `None` as undefined.
    pub fn ids_of_terms(
        &self,
        terms: &[Option<Term>],
        dataset: &dyn Dataset,
    ) -> Result<Vec<TermId>, DatasetError> {
        let id = |term: &Option<Term>| match term {
            Some(term) => self.id_of_term(term, dataset),
            None => Ok(TermId::UNDEFINED),
        };
        terms.iter().map(id).collect()
    }

    /// Returns the terms of ids, in their order; `None` for what is undefined or no term (lists,
    /// maps, relationships, paths). Dictionary terms are fetched in one call, sorted by id.
    pub fn terms(&self, ids: &[TermId], dataset: &dyn Dataset) -> Result<Vec<Option<Term>>, DatasetError> {
        let mut wanted: Vec<TermId> = ids.iter().copied().filter(|id| id.as_dictionary().is_some()).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let fetched = if wanted.is_empty() { Vec::new() } else { dataset.terms(&wanted)? };
        let term = |id: &TermId| match id.kind() {
            TermKind::Undefined => None,
            TermKind::Local => match self.get(*id).as_deref() {
                Some(Local::Term(term)) => Some(term.clone()),
                _ => None,
            },
            _ => match id.to_literal() {
                Some(literal) => Some(literal.into()),
                None => fetched.get(wanted.binary_search(id).ok()?).cloned(),
            },
        };
        Ok(ids.iter().map(term).collect())
    }

    /// Returns the term of one id, as [`Values::terms`] does.
    pub fn term(&self, id: TermId, dataset: &dyn Dataset) -> Result<Option<Term>, DatasetError> {
        Ok(self.terms(&[id], dataset)?.pop().flatten())
    }

    /// Returns bytes that no other query has.
    pub(super) fn salt(&self) -> &[u8; 16] {
        self.salt.get_or_init(|| {
            let mut salt = [0; 16];
            if getrandom::fill(&mut salt).is_err() {
                // The address tells this query from those that run beside it.
                salt[..8].copy_from_slice(&(std::ptr::from_ref(self).addr() as u64).to_le_bytes());
            }
            salt
        })
    }

    /// Returns roughly how many bytes the computed values hold.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Returns the decoded forms of ids, all of them dictionary or local terms; looked up or
    /// fetched in one call, and kept while there is room.
    pub(super) fn decode(
        &self,
        ids: &[TermId],
        dataset: &dyn Dataset,
    ) -> Result<FxHashMap<TermId, Arc<Decoded>>, DatasetError> {
        let mut found = FxHashMap::with_capacity_and_hasher(ids.len(), FxBuildHasher);
        let mut missing = Vec::new();
        {
            let state = self.lock();
            for id in ids {
                match state.decoded.get(id) {
                    Some(decoded) => drop(found.insert(*id, decoded.clone())),
                    None => missing.push(*id),
                }
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        missing.sort_unstable();
        missing.dedup();
        let terms = self.terms(&missing, dataset)?;
        let mut state = self.lock();
        let is_full = state.decoded.len() + missing.len() > CACHE_ENTRIES_MAX;
        // A walk over ever new terms, of which none comes again, leaves a full cache as it is.
        let is_kept = !is_full || missing.len() < ids.len() / 2;
        if is_full && is_kept {
            state.decoded.clear();
        }
        for (id, term) in missing.into_iter().zip(terms) {
            let Some(term) = term else { continue };
            let decoded = Arc::new(Decoded::new(term, Some(id)));
            if is_kept && state.decoded.len() < CACHE_ENTRIES_MAX {
                state.decoded.insert(id, decoded.clone());
            }
            found.insert(id, decoded);
        }
        Ok(found)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No panic leaves the arena half-changed: each change is one insertion.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn intern(&mut self, local: Local) -> TermId {
        if let Local::Relationship { quad, edge } = local {
            return self.intern_relationship(quad, edge);
        }
        if let Some(index) = self.locals.get_index_of(&local) {
            return TermId::local(index);
        }
        self.bytes += local.bytes();
        TermId::local(self.locals.insert_full(Arc::new(local)).0)
    }

    fn intern_relationship(&mut self, quad: Quad, edge: Option<TermId>) -> TermId {
        let (index, is_new) = self.relationships.insert_full((quad, edge));
        self.bytes += if is_new { size_of::<(Quad, Option<TermId>)>() + 32 } else { 0 };
        TermId::local(RELATIONSHIPS + index)
    }
}

impl Local {
    fn bytes(&self) -> usize {
        let payload = match self {
            Local::Term(term) => term_bytes(term),
            Local::List(items) => items.len() * size_of::<TermId>(),
            Local::Map(entries) => {
                entries.iter().map(|(key, _)| key.len() + size_of::<(String, TermId)>()).sum()
            }
            Local::Relationship { .. } => 0,
            Local::Path { nodes, relationships } => (nodes.len() + relationships.len()) * size_of::<TermId>(),
        };
        payload + size_of::<Local>() + 32
    }
}

/// Returns the value of a double in its canonical form.
fn canonical_double(term: &Term) -> Option<f64> {
    let Term::Literal(literal) = term else { return None };
    let value = (literal.datatype() == xsd::DOUBLE).then(|| literal.value().parse().ok())??;
    (Number::Double(value).to_literal() == *literal).then_some(value)
}

fn term_bytes(term: &Term) -> usize {
    match term {
        Term::NamedNode(node) => node.as_str().len(),
        Term::BlankNode(node) => node.as_str().len(),
        Term::Literal(literal) => literal_bytes(literal),
        Term::Triple(triple) => 256 + term_bytes(&triple.object),
    }
}

fn literal_bytes(literal: &Literal) -> usize {
    literal.value().len() + literal.datatype().as_str().len()
}
