//! `Dataset`: the only door from the query wing into storage.
//!
//! The query wing reads through these traits and never sees a block; the storage wing implements
//! them and never sees a query. [`MemoryDataset`] is the plain reference that tests compare with.

mod error;
mod id_range;
mod memory;
mod places;
mod quad_index;
mod runs;
mod statistics;

pub use error::DatasetError;
pub use id_range::{IdRanges, ranges_of, share_within};
pub use memory::MemoryDataset;
pub use places::Places;
pub use quad_index::{QuadIndex, RowsScan};
pub use runs::Runs;
pub use statistics::{PredicateStatistics, Statistics};

use crate::batch::Batch;
use crate::model::{
    Edge, EdgePattern, Permutation, PermutationSet, Quad, QuadPattern, Term, TermId, TermKind,
};
use crate::plan::Schema;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Hands the text of each literal to `visit`, with its place: [`Dataset::strings`] where terms are all there is.
pub fn visit_strings(terms: &[Term], visit: &mut dyn FnMut(usize, &[u8])) {
    for (index, term) in terms.iter().enumerate() {
        if let Term::Literal(literal) = term {
            visit(index, literal.value().as_bytes());
        }
    }
}

/// Which rows of a scan somebody looks at: by the id in the first place, in the order of the scan, that its pattern leaves
/// open.
#[derive(Clone, Copy, Debug)]
pub enum Keys<'a> {
    /// Sorted.
    Listed(&'a [TermId]),
    Within(&'a RangeInclusive<TermId>),
}

/// A graph as one snapshot of it: immutable, cheap to share, the same for the whole query.
///
/// Implementations may block on blocks that are far away; callers run on query threads.
pub trait Dataset: Send + Sync {
    /// Returns the permutations that it can be scanned by.
    fn permutations(&self) -> PermutationSet {
        PermutationSet::default()
    }

    /// Scans the quads that match, sorted by `permutation`, each once per graph.
    ///
    /// # Shape
    /// Batches of four columns, in the order subject, predicate, object, graph, whatever the permutation. What is in
    /// the columns that are not in `places` is left open.
    ///
    /// # Errors
    /// If the first blocks cannot be had; later ones fail at [`Scan::next_batch`].
    ///
    /// # Panics
    /// If `permutation` is none of [`Dataset::permutations`].
    fn scan_places(
        &self,
        pattern: &QuadPattern,
        permutation: Permutation,
        places: Places,
    ) -> Result<Box<dyn Scan>, DatasetError>;

    /// As [`Dataset::scan_places`], for somebody who looks only at the rows of `keys`. Other rows may still come.
    fn scan_keys(
        &self,
        pattern: &QuadPattern,
        permutation: Permutation,
        places: Places,
        _keys: Keys<'_>,
    ) -> Result<Box<dyn Scan>, DatasetError> {
        self.scan_places(pattern, permutation, places)
    }

    /// As [`Dataset::scan_places`], with all columns.
    fn scan(&self, pattern: &QuadPattern, permutation: Permutation) -> Result<Box<dyn Scan>, DatasetError> {
        self.scan_places(pattern, permutation, Places::ALL)
    }

    /// Scans the edges that match, sorted by [`EdgePattern::sort_key`].
    ///
    /// # Shape
    /// Batches of five columns: subject, predicate, object, graph, edge. What the columns that are not among `places`
    /// hold is undefined, though they are as long.
    fn scan_edge_places(&self, pattern: &EdgePattern, places: Places) -> Result<Box<dyn Scan>, DatasetError>;

    /// As [`Dataset::scan_edge_places`], of one predicate, for somebody who looks only at the rows of `keys`. Other rows
    /// may still come.
    fn scan_edge_keys(
        &self,
        pattern: &EdgePattern,
        places: Places,
        _keys: Keys<'_>,
    ) -> Result<Box<dyn Scan>, DatasetError> {
        self.scan_edge_places(pattern, places)
    }

    /// As [`Dataset::scan_edge_places`], with all columns.
    fn scan_edges(&self, pattern: &EdgePattern) -> Result<Box<dyn Scan>, DatasetError> {
        self.scan_edge_places(pattern, Places::ALL)
    }

    /// As [`Dataset::scan_edge_places`], for somebody who looks only at the edges that `names` lists, sorted. Others may
    /// still come, and rows are in any order.
    fn scan_edges_of(
        &self,
        pattern: &EdgePattern,
        places: Places,
        _names: &[TermId],
    ) -> Result<Box<dyn Scan>, DatasetError> {
        self.scan_edge_places(pattern, places)
    }

    /// Returns the id of a term, or `None` if no quad of this dataset can contain it.
    ///
    /// Inline ids are returned whether or not a quad contains them.
    fn term_id(&self, term: &Term) -> Result<Option<TermId>, DatasetError>;

    /// Returns the terms of ids, in the order of `ids`. Sorted ids are cheapest.
    ///
    /// # Panics
    /// If an id is undefined, local, or of another dataset.
    fn terms(&self, ids: &[TermId]) -> Result<Vec<Term>, DatasetError>;

    /// Hands the text of each id, all of them of plain strings, to `visit`, with its place in `ids`; in any order.
    /// Nothing is made of the texts, not even `str`: this is for looking at many.
    ///
    /// # Panics
    /// As [`Dataset::terms`].
    fn strings(&self, ids: &[TermId], visit: &mut dyn FnMut(usize, &[u8])) -> Result<(), DatasetError> {
        visit_strings(&self.terms(ids)?, visit);
        Ok(())
    }

    /// Returns how many quads match: exact where that is cheap, else a good estimate.
    fn estimate(&self, pattern: &QuadPattern) -> Result<u64, DatasetError>;

    /// Returns about how many of the quads of a pattern, which binds its predicate alone, have an object in the range;
    /// `None` if that cannot be told without reading them.
    fn estimate_within(
        &self,
        _pattern: &QuadPattern,
        _objects: &RangeInclusive<TermId>,
    ) -> Result<Option<u64>, DatasetError> {
        Ok(None)
    }

    /// Returns whether ids of kind String in dictionary layer 0 sort as their texts do.
    fn has_sorted_strings(&self) -> bool {
        false
    }

    /// Returns whether a term of a kind that stands in dictionaries may be known.
    fn may_know(&self, _kind: TermKind) -> bool {
        true
    }

    /// Returns whether the edges of a predicate are known to be its relationships: its quads all lead to nodes and have
    /// an edge in their graph, and each of its edges has such a quad.
    fn is_reified(&self, _predicate: TermId) -> bool {
        false
    }

    /// Returns how many quads match, if that can be told without reading them.
    fn count(&self, _pattern: &QuadPattern) -> Result<Option<u64>, DatasetError> {
        Ok(None)
    }

    /// Returns the figures that the optimizer plans with.
    fn statistics(&self) -> Arc<Statistics>;

    /// Returns the facts that lowering may rely on; always right, perhaps incomplete.
    fn schema(&self) -> Result<Arc<Schema>, DatasetError>;

    /// Returns the named graphs that have a quad, sorted by id.
    fn named_graphs(&self) -> Result<Vec<TermId>, DatasetError>;

    /// Asks, in one go, for all that scans of these patterns will need. Best effort.
    fn prefetch(&self, _patterns: &[QuadPattern]) {}

    /// Asks, in one go, for all that a scan of these keys will need, as [`Dataset::scan_keys`] is told them. Best effort.
    fn prefetch_keys(&self, _pattern: &QuadPattern, _permutation: Permutation, _keys: &[TermId]) {}

    /// Returns the term of one id.
    fn term(&self, id: TermId) -> Result<Term, DatasetError> {
        let mut terms = self.terms(&[id])?;
        terms.pop().ok_or(DatasetError::UnknownId(id))
    }
}

/// A dataset that a transaction may change. Its reads see its own changes; scans that are open
/// while it changes go on as they began.
pub trait DatasetMut: Dataset {
    /// Returns the id of a term, giving it one if it has none.
    fn intern(&self, term: &Term) -> Result<TermId, DatasetError>;

    /// Adds a quad; returns whether it was new.
    fn insert(&self, quad: Quad) -> Result<bool, DatasetError>;

    /// Removes a quad; returns whether it was there.
    fn remove(&self, quad: Quad) -> Result<bool, DatasetError>;
}

/// An open scan. Owns all it needs, so that it may outlive the call and move between threads.
pub trait Scan: Send {
    /// Returns the next rows, or `None` at the end. A batch is never empty.
    fn next_batch(&mut self) -> Result<Option<Batch>, DatasetError>;

    /// As [`Scan::next_batch`], of one column, which the rows are sorted by.
    fn next_runs(&mut self, column: usize) -> Result<Option<Runs>, DatasetError> {
        Ok(self.next_batch()?.map(|batch| Runs::of(batch.column(column))))
    }

    /// Passes over rows that have less than `key` in the first place, in the order of the scan, that the pattern
    /// leaves open: as many as is cheap, so that such rows may still come.
    fn seek(&mut self, _key: TermId) {}
}

/// Turns edges into a batch of the shape that [`Dataset::scan_edges`] promises.
pub fn edge_batch(edges: &[Edge]) -> Batch {
    let column = |part: fn(&Edge) -> TermId| edges.iter().map(part).collect();
    Batch::new(
        vec![
            column(|e| e.subject),
            column(|e| e.predicate),
            column(|e| e.object),
            column(|e| e.graph),
            column(|e| e.edge),
        ],
        edges.len(),
    )
}
