//! Terms of a [`Run`] by id, and ids by term: lookups in the blocks of its dictionary.
#![deny(clippy::indexing_slicing)]

use std::sync::Arc;

use super::Malformed;
use super::dictionary::{DictionaryBlock, Place, TermWalk};
use super::run::Run;
use super::term_key::{KeyedTerm, TRIPLE_DEPTH_MAX, TripleKey, depth_of, term_key};
use super::terms_decoder::triple_terms;
use crate::dataset::DatasetError;
use crate::model::{NamedNode, Term, TermId, TermKind, Triple};

/// The ids of so many IRIs are kept.
pub const NAMES_KEPT: usize = 1024;
/// The longest of them has so many bytes.
const NAME_BYTES_MAX: usize = 256;

/// Returns the name of a term whose id is kept.
fn kept_name(term: &Term) -> Option<&NamedNode> {
    match term {
        Term::NamedNode(name) if name.as_str().len() <= NAME_BYTES_MAX => Some(name),
        _ => None,
    }
}

impl Run {
    /// Returns the id of a term, or `None` if the run does not have it. Inline ids are always returned.
    pub fn id_of(&self, term: &Term) -> Result<Option<TermId>, DatasetError> {
        Ok(self.ids_of(std::slice::from_ref(term))?.pop().flatten())
    }

    /// Returns the ids of terms, in order; asks for the dictionary blocks in one batch, and in two more for each
    /// level of triple terms.
    pub fn ids_of(&self, terms: &[Term]) -> Result<Vec<Option<TermId>>, DatasetError> {
        let mut ids = self.ids_of_simple(terms)?;
        if !self.has_terms_of(TermKind::Triple) {
            return Ok(ids);
        }
        let triples: Vec<(usize, &Triple, u8)> = terms
            .iter()
            .enumerate()
            .filter_map(|(index, term)| match term {
                Term::Triple(triple) => Some((index, &**triple, depth_of(term))),
                _ => None,
            })
            .filter(|(_, _, depth)| *depth <= TRIPLE_DEPTH_MAX)
            .collect();
        if triples.is_empty() {
            return Ok(ids);
        }
        let parts = triples.iter().flat_map(|(_, triple, _)| {
            [triple.subject.clone().into(), triple.predicate.clone().into(), triple.object.clone()]
        });
        // They nest one level less deep.
        let parts = self.ids_of(&parts.collect::<Vec<Term>>())?;
        let (mut places, mut keys) = (Vec::new(), Vec::new());
        for ((index, _, depth), parts) in triples.iter().zip(parts.as_chunks::<3>().0) {
            if let [Some(subject), Some(predicate), Some(object)] = parts {
                let parts = [subject, predicate, object].map(|id| id.to_bits());
                places.push(*index);
                keys.push(TripleKey { depth: *depth, parts }.to_bytes());
            }
        }
        for (index, found) in places.into_iter().zip(self.ids_of_keys(&keys)?) {
            if let Some(slot) = ids.get_mut(index) {
                *slot = found;
            }
        }
        Ok(ids)
    }

    /// As [`Run::ids_of`], but for triple terms, which are not looked for.
    fn ids_of_simple(&self, terms: &[Term]) -> Result<Vec<Option<TermId>>, DatasetError> {
        let mut ids = vec![None; terms.len()];
        let (mut sought, mut keys) = (Vec::new(), Vec::new());
        for ((index, term), slot) in terms.iter().enumerate().zip(&mut ids) {
            let known = match term {
                Term::Triple(_) => continue,
                Term::Literal(literal) => TermId::inline(literal).map(Some),
                term => kept_name(term).and_then(|name| self.known_names().get(name)),
            };
            if let Some(known) = known {
                *slot = known;
            } else if let Some(key) = term_key(term) {
                sought.push((index, term));
                keys.push(key);
            }
        }
        for ((index, term), found) in sought.into_iter().zip(self.ids_of_keys(&keys)?) {
            if let Some(slot) = ids.get_mut(index) {
                *slot = found;
            }
            if let Some(name) = kept_name(term) {
                self.known_names().insert(name.clone(), found);
            }
        }
        Ok(ids)
    }

    /// Returns the ids of keys, in order; asks for the dictionary blocks in one batch.
    fn ids_of_keys(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<TermId>>, DatasetError> {
        let places: Vec<Option<usize>> = keys.iter().map(|key| self.block_of_key(key)).collect();
        let wanted: Vec<usize> = places.iter().flatten().copied().collect();
        let mut blocks = self.dictionary_blocks(&wanted)?.into_iter();
        let found = keys.iter().zip(places).map(|(key, place)| match place {
            Some(place) => blocks.next().map_or(Ok(None), |block| self.find(key, place, block)),
            None => Ok(None),
        });
        found.collect()
    }

    /// Looks for a key in a dictionary block and, where separators leave it open, in those before.
    fn find(
        &self,
        key: &[u8],
        mut index: usize,
        mut block: Arc<DictionaryBlock>,
    ) -> Result<Option<TermId>, DatasetError> {
        loop {
            let place = block.find(key).map_err(|error| self.corrupt_terms(index, error))?;
            match place {
                Place::At(offset) => return Ok(self.id_of_rank(self.first_rank(index) + offset as u64)),
                // Separators are cut short, so a term just below this block may be in the one before.
                Place::Before(0) if index > 0 => {
                    index -= 1;
                    let Some(before) = self.dictionary_blocks(&[index])?.pop() else { return Ok(None) };
                    block = before;
                }
                Place::Before(_) => return Ok(None),
            }
        }
    }

    /// Returns the terms of ids, in the order of `ids`; asks for the dictionary blocks in one batch, and in one more
    /// for each level of triple terms.
    ///
    /// # Errors
    /// [`DatasetError::UnknownId`] for an id that is neither inline nor of this run.
    pub fn terms(&self, ids: &[TermId]) -> Result<Vec<Term>, DatasetError> {
        self.terms_within(ids, TRIPLE_DEPTH_MAX)
    }

    /// As [`Run::terms`], of terms that nest no deeper.
    fn terms_within(&self, ids: &[TermId], depth: u8) -> Result<Vec<Term>, DatasetError> {
        let mut terms: Vec<Option<Term>> = ids.iter().map(|id| id.to_literal().map(Term::from)).collect();
        let (mut places, mut triples): (Vec<usize>, Vec<TripleKey>) = Default::default();
        let sought = ids.iter().enumerate().filter(|(_, id)| !id.is_inline());
        self.walk_terms(sought.map(|(index, id)| (*id, index)), |walk, place, index| {
            match (walk.term(place)?, terms.get_mut(index)) {
                (Some(KeyedTerm::Simple(term)), Some(slot)) => *slot = Some(term),
                (Some(KeyedTerm::Triple(key)), _) => {
                    places.push(index);
                    triples.push(key);
                }
                _ => {}
            }
            Ok(())
        })?;
        if !triples.is_empty() {
            for (index, triple) in places.into_iter().zip(self.triple_terms(&triples, depth)?) {
                if let Some(slot) = terms.get_mut(index) {
                    *slot = Some(triple);
                }
            }
        }
        let unknown = ids.iter().zip(&terms).find(|(_, term)| term.is_none()).map(|(id, _)| *id);
        match unknown {
            Some(id) => Err(DatasetError::UnknownId(id)),
            None => Ok(terms.into_iter().flatten().collect()),
        }
    }

    /// Returns triple terms by their keys.
    fn triple_terms(&self, keys: &[TripleKey], depth: u8) -> Result<Vec<Term>, DatasetError> {
        let damaged = || {
            let first = self.ranks_of(TermKind::Triple).start;
            self.corrupt_term(first, Malformed("a triple term has parts that are not there"))
        };
        let depth = depth.checked_sub(1).ok_or_else(damaged)?;
        let terms = triple_terms(keys, |ids| match self.terms_within(ids, depth) {
            Err(DatasetError::UnknownId(_)) => Err(damaged()),
            terms => terms,
        });
        terms?.ok_or_else(damaged)
    }

    /// Hands texts to `visit`, as [`crate::dataset::Dataset::strings`].
    ///
    /// # Errors
    /// As [`Run::terms`], and for an id that is of no plain string.
    pub fn strings(&self, ids: &[TermId], visit: &mut dyn FnMut(usize, &[u8])) -> Result<(), DatasetError> {
        let sought = ids.iter().enumerate().map(|(index, id)| (*id, index));
        self.walk_terms(sought, |walk, place, index| {
            let text = walk.string(place)?.ok_or(Malformed("a string is none"))?;
            visit(index, text);
            Ok(())
        })
    }

    /// Walks to the terms of ids of the dictionary, block by block. `visit` gets the walk through the block, the place
    /// of the term in it, and what stands beside the id.
    fn walk_terms(
        &self,
        ids: impl Iterator<Item = (TermId, usize)>,
        mut visit: impl FnMut(&mut TermWalk<'_>, usize, usize) -> Result<(), Malformed>,
    ) -> Result<(), DatasetError> {
        let mut sought: Vec<(u64, usize)> = Vec::new();
        for (id, index) in ids {
            let term = id.as_dictionary().filter(|d| d.layer == 0 && d.rank < self.term_count());
            let Some(term) = term else { return Err(DatasetError::UnknownId(id)) };
            sought.push((term.rank, index));
        }
        if !sought.is_sorted() {
            sought.sort_unstable();
        }
        let mut groups = Vec::new();
        let mut rest = sought.as_slice();
        while let Some((rank, _)) = rest.first() {
            let block = self.dictionary_range(*rank..*rank + 1).start;
            let end = self.first_rank(block + 1);
            let (group, after) = rest.split_at(rest.partition_point(|(rank, _)| *rank < end).max(1));
            groups.push((block, group));
            rest = after;
        }
        let wanted: Vec<usize> = groups.iter().map(|(block, _)| *block).collect();
        let blocks = self.dictionary_blocks(&wanted)?;
        for ((index, group), block) in groups.into_iter().zip(blocks) {
            let start = self.first_rank(index);
            let mut walk = block.walk();
            for (rank, beside) in group {
                let seen = visit(&mut walk, (rank - start) as usize, *beside);
                seen.map_err(|error| self.corrupt_terms(index, error))?;
            }
        }
        Ok(())
    }
}
