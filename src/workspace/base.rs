//! `Base`: the run under a snapshot, or nothing where nothing was folded yet.

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::block::{BlockError, BlockId, BlockReader};
use crate::dataset::{DatasetError, Keys, Places, Scan, Statistics};
use crate::graph::Run;
use crate::model::{EdgePattern, GraphFilter, Permutation, PermutationSet, Quad, QuadPattern, Term, TermId};
use crate::plan::Schema;

/// A run, or an empty one. A clone is cheap.
#[derive(Clone, Default)]
pub struct Base {
    run: Option<Run>,
}

impl Base {
    pub fn open(root: BlockId, reader: &Arc<BlockReader>) -> Result<Base, BlockError> {
        Ok(Base { run: Some(Run::open(root, Arc::clone(reader))?) })
    }

    pub fn run(&self) -> Option<&Run> {
        self.run.as_ref()
    }

    /// Returns how many quads there are.
    pub fn len(&self) -> u64 {
        self.run.as_ref().map_or(0, Run::len)
    }

    /// Returns the orders that the run is there in; nothing is there in the default ones.
    pub fn permutations(&self) -> PermutationSet {
        self.run.as_ref().map(Run::permutations).unwrap_or_default()
    }

    /// Returns `None` if nothing matches for certain.
    pub fn scan(
        &self,
        pattern: &QuadPattern,
        permutation: Permutation,
        places: Places,
    ) -> Result<Option<Box<dyn Scan>>, DatasetError> {
        let Some(run) = &self.run else { return Ok(None) };
        Ok(Some(Box::new(run.scan_places(pattern, permutation, places)?)))
    }

    /// As [`Base::scan`]; for keys as in [`crate::dataset::Dataset::scan_keys`].
    pub fn scan_keys(
        &self,
        pattern: &QuadPattern,
        permutation: Permutation,
        places: Places,
        keys: Keys<'_>,
    ) -> Result<Option<Box<dyn Scan>>, DatasetError> {
        let Some(run) = &self.run else { return Ok(None) };
        Ok(Some(Box::new(run.scan_keys(pattern, permutation, places, keys)?)))
    }

    pub fn scan_edges(
        &self,
        pattern: &EdgePattern,
        places: Places,
    ) -> Result<Option<Box<dyn Scan>>, DatasetError> {
        let Some(run) = &self.run else { return Ok(None) };
        Ok(Some(Box::new(run.scan_edge_places(pattern, places)?)))
    }

    /// As [`Base::scan_edges`]; for keys as in [`crate::dataset::Dataset::scan_edge_keys`].
    pub fn scan_edge_keys(
        &self,
        pattern: &EdgePattern,
        places: Places,
        keys: Keys<'_>,
    ) -> Result<Option<Box<dyn Scan>>, DatasetError> {
        let Some(run) = &self.run else { return Ok(None) };
        Ok(Some(Box::new(run.scan_edge_keys(pattern, places, keys)?)))
    }

    pub fn contains(&self, quad: &Quad) -> Result<bool, DatasetError> {
        let Some(run) = &self.run else { return Ok(false) };
        let pattern = QuadPattern {
            subject: Some(quad.subject),
            predicate: Some(quad.predicate),
            object: Some(quad.object),
            graph: GraphFilter::One(quad.graph),
        };
        Ok(run.scan(&pattern, Permutation::Spo)?.next_batch()?.is_some())
    }

    pub fn term_ids(&self, terms: &[Term]) -> Result<Vec<Option<TermId>>, DatasetError> {
        match &self.run {
            Some(run) => run.ids_of(terms),
            None => Ok(vec![None; terms.len()]),
        }
    }

    /// Returns the terms of dictionary ids.
    pub fn terms(&self, ids: &[TermId]) -> Result<Vec<Term>, DatasetError> {
        match &self.run {
            Some(run) => run.terms(ids),
            None => ids.first().map_or(Ok(Vec::new()), |id| Err(DatasetError::UnknownId(*id))),
        }
    }

    pub fn strings(&self, ids: &[TermId], visit: &mut dyn FnMut(usize, &[u8])) -> Result<(), DatasetError> {
        match &self.run {
            Some(run) => run.strings(ids, visit),
            None => ids.first().map_or(Ok(()), |id| Err(DatasetError::UnknownId(*id))),
        }
    }

    pub fn estimate(&self, pattern: &QuadPattern) -> Result<u64, DatasetError> {
        self.run.as_ref().map_or(Ok(0), |run| run.estimate(pattern))
    }

    /// As [`Run::estimate_within`].
    pub fn estimate_within(
        &self,
        pattern: &QuadPattern,
        objects: &RangeInclusive<TermId>,
    ) -> Result<Option<u64>, DatasetError> {
        self.run.as_ref().map_or(Ok(Some(0)), |run| run.estimate_within(pattern, objects))
    }

    pub fn count(&self, pattern: &QuadPattern) -> Result<Option<u64>, DatasetError> {
        self.run.as_ref().map_or(Ok(Some(0)), |run| run.count(pattern))
    }

    pub fn is_reified(&self, predicate: TermId) -> bool {
        self.run.as_ref().is_some_and(|run| run.is_reified(predicate))
    }

    pub fn statistics(&self) -> Arc<Statistics> {
        self.run.as_ref().map(Run::statistics).unwrap_or_default()
    }

    /// Returns the facts; of nothing they are complete.
    pub fn schema(&self) -> Result<Arc<Schema>, DatasetError> {
        match &self.run {
            Some(run) => run.schema(),
            None => Ok(Arc::new(Schema { is_complete: true, ..Schema::default() })),
        }
    }

    /// Returns how many quads there are in a graph.
    pub fn quads_in(&self, graph: TermId) -> u64 {
        let graphs = self.run.as_ref().map(Run::graphs).unwrap_or_default();
        let found = graphs.binary_search_by_key(&graph, |(id, _)| *id);
        found.ok().and_then(|index| graphs.get(index)).map_or(0, |(_, quads)| *quads)
    }

    pub fn named_graphs(&self) -> Vec<TermId> {
        self.run.as_ref().map(Run::named_graphs).unwrap_or_default()
    }

    pub fn prefetch_keys(&self, pattern: &QuadPattern, permutation: Permutation, keys: &[TermId]) {
        if let Some(run) = &self.run {
            run.prefetch_keys(pattern, permutation, keys);
        }
    }

    pub fn prefetch(&self, patterns: &[QuadPattern]) {
        if let Some(run) = &self.run {
            run.prefetch(patterns);
        }
    }
}
