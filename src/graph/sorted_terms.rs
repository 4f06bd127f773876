//! `SortedTerms`: few terms, sorted once.

use oxrdf::TermRef;

use super::Malformed;
use super::keys::Keys;
use super::term_key::{kind_of_key, parse_term_key, put_term_key, term_key};
use crate::model::{DictionaryId, Term, TermId};

/// The distinct terms of a small change, in dictionary order. Holds the parts of every triple term too.
pub struct SortedTerms {
    keys: Keys,
}

impl SortedTerms {
    /// Sorts terms, in any order and with repetitions, and adds the parts of triple terms. Literals
    /// that are inline ids need not be there.
    ///
    /// # Errors
    /// If no dictionary can hold one of them.
    pub fn of<'a>(terms: impl IntoIterator<Item = &'a Term>) -> Result<SortedTerms, Malformed> {
        let mut found = Vec::new();
        for term in terms {
            let mut next = Some(TermRef::from(term));
            while let Some(term) = next.take() {
                put(&mut found, term)?;
                if let TermRef::Triple(triple) = term {
                    put(&mut found, triple.subject.as_ref().into())?;
                    put(&mut found, triple.predicate.as_ref().into())?;
                    next = Some(triple.object.as_ref());
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        let mut keys = Keys::default();
        found.iter().for_each(|key| keys.push(key));
        Ok(SortedTerms { keys })
    }

    /// Takes keys that are sorted, distinct, and those of all parts of triple terms.
    pub fn of_sorted(keys: Keys) -> SortedTerms {
        SortedTerms { keys }
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.len() == 0
    }

    /// Returns the id of a term: inline, or its rank in layer 0; `None` if it is not among them.
    pub fn id_of(&self, term: &Term) -> Option<TermId> {
        if let Term::Literal(literal) = term
            && let Some(id) = TermId::inline(literal)
        {
            return Some(id);
        }
        let key = term_key(term)?;
        let (mut low, mut high) = (0, self.keys.len());
        while low < high {
            let middle = (low + high) / 2;
            match self.keys.get(middle as u32).cmp(&key) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Some(self.id(middle)),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// Returns the keys of the terms, in order.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.keys.len() as u32).map(|rank| self.keys.get(rank))
    }

    /// Returns the id of the term of a rank.
    ///
    /// # Panics
    /// If there is no such rank.
    pub fn id(&self, rank: usize) -> TermId {
        let kind = kind_of_key(self.keys.get(rank as u32)).expect("keys begin with their kind");
        TermId::dictionary(DictionaryId { kind, layer: 0, rank: rank as u64 })
    }

    /// Returns the term of a rank.
    ///
    /// # Panics
    /// If there is no such rank.
    pub fn term(&self, rank: usize) -> Term {
        parse_term_key(self.keys.get(rank as u32)).expect("keys were made from terms")
    }
}

/// Adds the key of a term that needs one.
fn put(found: &mut Vec<Vec<u8>>, term: TermRef<'_>) -> Result<(), Malformed> {
    if let TermRef::Literal(literal) = term
        && TermId::inline(&literal.into_owned()).is_some()
    {
        return Ok(());
    }
    let mut key = Vec::new();
    put_term_key(&mut key, term)?;
    found.push(key);
    Ok(())
}
