//! `TermsDecoder`: the dictionary of a change set, read whole.
#![deny(clippy::indexing_slicing)]

use super::cursor::Malformed;
use super::dictionary::{DictionaryBlock, EXPANDED_BYTES_MAX};
use super::term_key::{KeyedTerm, TERM_BYTES_MAX, TripleKey, parse_key};
use crate::model::{DictionaryId, NamedOrBlankNode, Term, TermId, TermKind, Triple};

/// Reads the contents that [`super::encode_terms`] made, one after another.
#[derive(Default)]
pub struct TermsDecoder {
    terms: Vec<KeyedTerm>,
    /// How many bytes each takes as a key.
    key_bytes: Vec<usize>,
    /// Where the terms of each content end.
    ends: Vec<usize>,
    last: Vec<u8>,
}

impl TermsDecoder {
    /// Reads the next content.
    ///
    /// # Errors
    /// If it is malformed, or its terms do not come after those before.
    pub fn push(&mut self, content: &[u8]) -> Result<(), Malformed> {
        let block = DictionaryBlock::parse(content)?;
        let mut failure = None;
        block.for_each_key(|key| {
            if !self.terms.is_empty() && key <= self.last.as_slice() {
                failure = Some(Malformed("the terms of dictionaries are not sorted"));
            }
            self.last.clear();
            self.last.extend_from_slice(key);
            self.key_bytes.push(key.len());
            match parse_key(key) {
                Ok(term) => self.terms.push(term),
                Err(error) => failure = Some(error),
            }
        })?;
        self.ends.push(self.terms.len());
        failure.map_or(Ok(()), Err)
    }

    /// Returns all terms, by rank.
    ///
    /// # Errors
    /// If a triple term has parts that are not there, or those of one content take too much memory.
    pub fn finish(mut self) -> Result<Vec<Term>, Malformed> {
        self.check_sizes()?;
        let mut terms: Vec<Option<Term>> = Vec::with_capacity(self.terms.len());
        let mut triples = Vec::new();
        for (rank, term) in self.terms.drain(..).enumerate() {
            terms.push(match term {
                KeyedTerm::Simple(term) => Some(term),
                KeyedTerm::Triple(key) => {
                    triples.push((rank, key));
                    None
                }
            });
        }
        // What is within another is less deep, and comes before it.
        for (rank, key) in triples {
            let triple = triple_of(key, |id| terms.get(usize::try_from(id.rank).ok()?)?.clone());
            if let Some(slot) = terms.get_mut(rank) {
                *slot = Some(triple.ok_or(MISSING_PARTS)?);
            }
        }
        Ok(terms.into_iter().flatten().collect())
    }

    /// A few bytes must not stand for triple terms of long parts.
    fn check_sizes(&self) -> Result<(), Malformed> {
        let mut expanded: Vec<usize> = Vec::with_capacity(self.terms.len());
        let mut start = 0;
        for end in &self.ends {
            let mut expanded_bytes = 0;
            for (term, bytes) in self.terms.iter().zip(&self.key_bytes).take(*end).skip(start) {
                let bytes = match term {
                    KeyedTerm::Simple(_) => *bytes,
                    KeyedTerm::Triple(key) => {
                        let length = |rank| expanded.get(rank).or_else(|| self.key_bytes.get(rank)).copied();
                        key.expanded_bytes(length).ok_or(MISSING_PARTS)?
                    }
                };
                expanded.push(bytes);
                expanded_bytes += bytes;
            }
            // One that is alone may take what its parts do, zero bytes twice.
            if expanded_bytes > EXPANDED_BYTES_MAX + 4 * TERM_BYTES_MAX {
                return Err(Malformed("the triple terms of a dictionary are too long"));
            }
            start = *end;
        }
        Ok(())
    }
}

const MISSING_PARTS: Malformed = Malformed("a triple term has parts that are not there");

/// Returns the triple terms of keys, in order; asks `terms_of` once, for the terms of their parts. `None` if those are not
/// of the kinds that the ids say.
///
/// # Errors
/// Those of `terms_of`.
pub fn triple_terms<E>(
    keys: &[TripleKey],
    terms_of: impl FnOnce(&[TermId]) -> Result<Vec<Term>, E>,
) -> Result<Option<Vec<Term>>, E> {
    let parts = keys.iter().flat_map(|key| key.parts).filter_map(TermId::from_bits);
    let mut ids: Vec<TermId> = parts.filter(|id| !id.is_inline()).collect();
    ids.sort_unstable();
    ids.dedup();
    let terms = terms_of(&ids)?;
    let term_of = |id: DictionaryId| terms.get(ids.binary_search(&TermId::dictionary(id)).ok()?).cloned();
    Ok(keys.iter().map(|key| triple_of(*key, term_of)).collect())
}

/// Returns a triple term whose parts `term_of` knows, each as the kind that its id says; `None` if it does not.
fn triple_of(key: TripleKey, term_of: impl Fn(DictionaryId) -> Option<Term>) -> Option<Term> {
    let part = |bits: u64| {
        let id = TermId::from_bits(bits)?;
        let term = match id.as_dictionary() {
            Some(id) => term_of(id)?,
            None => id.to_literal()?.into(),
        };
        (id.is_inline() || TermKind::of(&term) == id.kind()).then_some(term)
    };
    let subject = match part(key.parts[0])? {
        Term::NamedNode(node) => NamedOrBlankNode::from(node),
        Term::BlankNode(node) => node.into(),
        _ => return None,
    };
    let Term::NamedNode(predicate) = part(key.parts[1])? else { return None };
    Some(Term::Triple(Box::new(Triple { subject, predicate, object: part(key.parts[2])? })))
}
