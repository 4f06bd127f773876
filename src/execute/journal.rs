//! `Journal`: what a part of a statement has done, so that it can be undone without what came before it.
//!
//! It costs nothing to begin, and undoing costs as much as what was done. Ids that the dataset gave to terms meanwhile
//! stay theirs: values at hand may name them.

use super::{ExecuteError, UpdateSummary};
use crate::dataset::DatasetMut;
use crate::model::{Quad, TermId};

pub struct Journal {
    /// Effective changes in their order; whether the quad was added (else removed).
    pub changes: Vec<(Quad, bool)>,
    /// Nodes and relationships that were not deleted before.
    pub deleted: Vec<TermId>,
    /// What the statement had changed when the journal began.
    pub summary: UpdateSummary,
}

impl Journal {
    pub fn new(summary: UpdateSummary) -> Journal {
        Journal { changes: Vec::new(), deleted: Vec::new(), summary }
    }

    /// Takes the changes back, the last one first.
    pub fn undo(&self, dataset: &dyn DatasetMut) -> Result<(), ExecuteError> {
        for (quad, is_added) in self.changes.iter().rev() {
            match is_added {
                true => dataset.remove(*quad)?,
                false => dataset.insert(*quad)?,
            };
        }
        Ok(())
    }
}
