//! `VirtualEntities`: nodes and relationships that stand in no graph, such as a drawing of its schema.
//!
//! A virtual entity is an IRI with facts of its own, which the functions that read the graph find beside
//! those of the dataset. It lives as long as the query.

use std::sync::{PoisonError, RwLock};

use rustc_hash::FxHashMap;

use super::Context;
use super::expression::{id_of_value, storable_term};
use crate::dataset::DatasetError;
use crate::execute::ExecuteError;
use crate::model::{NamedNode, Term, TermId, Value, rdf};

/// (predicate, object) pairs of each entity.
#[derive(Default)]
pub struct VirtualEntities(RwLock<FxHashMap<TermId, Vec<(TermId, TermId)>>>);

impl VirtualEntities {
    pub fn is_empty(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub fn contains(&self, id: TermId) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains_key(&id)
    }

    /// Returns the facts of an entity; none if it is not virtual.
    pub fn facts(&self, id: TermId) -> Vec<(TermId, TermId)> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned().unwrap_or_default()
    }
}

impl Context {
    /// Makes an entity of its labels and properties.
    pub(super) fn add_virtual(
        &self,
        entity: &NamedNode,
        labels: &[&str],
        properties: &[(&str, Value)],
    ) -> Result<(), ExecuteError> {
        let mut facts = Vec::new();
        for label in labels {
            let label = self.values.id_of_term(&self.vocabulary.iri(label).into(), &*self.dataset)?;
            let rdf_type = self.values.id_of_term(&rdf::TYPE.into_owned().into(), &*self.dataset)?;
            facts.push((rdf_type, label));
        }
        for (key, value) in properties {
            let key = self.values.id_of_term(&self.vocabulary.iri(key).into(), &*self.dataset)?;
            if let Some(term) = storable_term(id_of_value(value, self)?, self)? {
                facts.push((key, self.values.id_of_term(&term, &*self.dataset)?));
            }
        }
        let id = self.values.id_of_term(&entity.clone().into(), &*self.dataset)?;
        self.virtuals.0.write().unwrap_or_else(PoisonError::into_inner).insert(id, facts);
        Ok(())
    }

    /// Returns the id under which a label or key may stand in facts; `None` if nothing can have it.
    pub(super) fn fact_id(&self, term: &Term) -> Result<Option<TermId>, DatasetError> {
        match self.dataset.term_id(term)? {
            None if !self.virtuals.is_empty() => self.values.id_of_term(term, &*self.dataset).map(Some),
            id => Ok(id),
        }
    }
}
