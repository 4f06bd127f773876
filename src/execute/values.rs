//! `Values`: the values that one query computes, each with one id.

use std::sync::{PoisonError, RwLock};

use indexmap::IndexSet;

use crate::model::{Quad, Term, TermId};

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
#[derive(Default)]
pub struct Values {
    locals: RwLock<IndexSet<Local>>,
}

impl Values {
    /// Returns the id of a value, giving it one if it has none.
    pub fn intern(&self, local: Local) -> TermId {
        let mut locals = self.locals.write().unwrap_or_else(PoisonError::into_inner);
        TermId::local(locals.insert_full(local).0)
    }

    /// Returns the value of a local id that this arena gave out.
    pub fn get(&self, id: TermId) -> Option<Local> {
        let locals = self.locals.read().unwrap_or_else(PoisonError::into_inner);
        locals.get_index(id.as_local()?).cloned()
    }
}
