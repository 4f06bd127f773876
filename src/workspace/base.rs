//! `Base`: the run under a snapshot, or nothing where nothing was folded yet.

use std::sync::Arc;

use super::WorkspaceError;
use crate::block::{BlockId, BlockReader};
use crate::dataset::{DatasetError, Scan, Statistics};
use crate::model::{EdgePattern, Permutation, Quad, QuadPattern, Term, TermId};
use crate::plan::Schema;

/// A run behind the words of `dataset`. A clone is cheap.
#[derive(Clone, Default)]
pub struct Base {}

impl Base {
    pub fn open(root: BlockId, _reader: &Arc<BlockReader>) -> Result<Base, WorkspaceError> {
        Err(crate::block::BlockError::Unavailable(vec![root]).into())
    }

    /// Returns `None` if nothing matches for certain.
    pub fn scan(&self, _: &QuadPattern, _: Permutation) -> Result<Option<Box<dyn Scan>>, DatasetError> {
        Ok(None)
    }

    pub fn scan_edges(&self, _: &EdgePattern) -> Result<Option<Box<dyn Scan>>, DatasetError> {
        Ok(None)
    }

    pub fn contains(&self, _: &Quad) -> Result<bool, DatasetError> {
        Ok(false)
    }

    pub fn term_id(&self, _: &Term) -> Result<Option<TermId>, DatasetError> {
        Ok(None)
    }

    pub fn terms(&self, ids: &[TermId]) -> Result<Vec<Term>, DatasetError> {
        ids.first().map_or(Ok(Vec::new()), |id| Err(DatasetError::UnknownId(*id)))
    }

    pub fn estimate(&self, _: &QuadPattern) -> Result<u64, DatasetError> {
        Ok(0)
    }

    pub fn statistics(&self) -> Arc<Statistics> {
        Arc::default()
    }

    pub fn schema(&self) -> Arc<Schema> {
        Arc::new(Schema { is_complete: true, ..Schema::default() })
    }

    pub fn named_graphs(&self) -> Result<Vec<TermId>, DatasetError> {
        Ok(Vec::new())
    }

    pub fn prefetch(&self, _: &[QuadPattern]) {}
}
