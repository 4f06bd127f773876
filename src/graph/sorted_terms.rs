//! `SortedTerms`: few terms, sorted once.

use oxrdf::TermRef;

use super::Malformed;
use super::term_key::{kind_of_key, parse_term_key, put_term_key, term_key};
use crate::model::{DictionaryId, Term, TermId};

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
        let mut keys = Vec::new();
        for term in terms {
            let mut next = Some(TermRef::from(term));
            while let Some(term) = next.take() {
                put(&mut keys, term)?;
                if let TermRef::Triple(triple) = term {
                    put(&mut keys, triple.subject.as_ref().into())?;
                    put(&mut keys, triple.predicate.as_ref().into())?;
                    next = Some(triple.object.as_ref());
                }
            }
        }
        keys.sort_unstable();
        keys.dedup();
        Ok(SortedTerms { keys })
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
        if let Term::Literal(literal) = term
            && let Some(id) = TermId::inline(literal)
        {
            return Some(id);
        }
        let rank = self.keys.binary_search(&term_key(term)?).ok()?;
        Some(self.id(rank))
    }

    /// Returns the keys of the terms, in order.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.iter().map(Vec::as_slice)
    }

    /// Returns the id of the term of a rank.
    ///
    /// # Panics
    /// If there is no such rank.
    pub fn id(&self, rank: usize) -> TermId {
        let kind = kind_of_key(&self.keys[rank]).expect("keys begin with their kind");
        TermId::dictionary(DictionaryId { kind, layer: 0, rank: rank as u64 })
    }

    /// Returns the term of a rank.
    ///
    /// # Panics
    /// If there is no such rank.
    pub fn term(&self, rank: usize) -> Term {
        parse_term_key(&self.keys[rank]).expect("keys were made from terms")
    }
}

/// Adds the key of a term that needs one.
fn put(keys: &mut Vec<Vec<u8>>, term: TermRef<'_>) -> Result<(), Malformed> {
    if let TermRef::Literal(literal) = term
        && TermId::inline(&literal.into_owned()).is_some()
    {
        return Ok(());
    }
    let mut key = Vec::new();
    put_term_key(&mut key, term)?;
    keys.push(key);
    Ok(())
}
