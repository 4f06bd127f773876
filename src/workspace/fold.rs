//! Folding: a base and the changes since become a new base.
//!
//! A run is a pure function of the quads, so whoever folds the same commit gets the same blocks.

use super::overlay::LAYER;
use super::view::View;
use super::{CommitId, Due, Workspace, WorkspaceError, refs};
use crate::block::{BlockId, Scratch};
use crate::dataset::Scan;
use crate::graph::{
    self, Input, Layer, RowOrder, RowSource, RowStream, RunLayer, UnsortedLayer, UsedLayer, WriteError,
    WriteOptions,
};
use crate::model::{Permutation, Quad, QuadPattern, TermId};

/// How many threads encode and seal.
const THREADS: usize = 2;

impl Workspace {
    /// Makes the data of a commit a run of its own, so that reading it needs no change sets. Queries
    /// that run keep what they began with.
    ///
    /// Returns the root of the run; `None` if there is nothing to fold.
    pub fn fold(&self, commit: CommitId) -> Result<Option<BlockId>, WorkspaceError> {
        let _turn = self.inner.upkeep.fold_turn();
        let _writing = self.inner.upkeep.write_turn();
        if let Some(root) = self.inner.refs.manifest(commit)? {
            return Ok(Some(root));
        }
        let snapshot = self.snapshot(commit)?;
        if snapshot.view().is_empty() {
            return Ok(None);
        }
        let root = self.write_merged(snapshot.view(), &Input::default())?;
        self.inner.store.sync()?;
        self.inner.refs.set(&refs::manifest_name(commit), root.as_bytes())?;
        // Who reads goes on with what he has; who comes next begins on the new run.
        self.inner.snapshots.clear();
        Ok(Some(root))
    }

    /// Folds the branches that were written to and are due; at rest, also those whose folding can wait.
    /// Returns how many.
    pub fn fold_due(&self, at_rest: bool) -> Result<usize, WorkspaceError> {
        let mut count = 0;
        for name in self.inner.upkeep.touched().0 {
            if at_rest {
                self.inner.upkeep.settle(&name);
            }
            let Some(commit) = self.inner.refs.branch(&name)? else { continue };
            let due = self.snapshot(commit)?.due();
            if due == Due::Now || at_rest && due == Due::AtRest {
                count += usize::from(self.fold(commit)?.is_some());
            }
        }
        Ok(count)
    }

    /// Returns how many times branches were written to since the workspace was opened.
    pub fn writes(&self) -> u64 {
        self.inner.upkeep.touched().1
    }

    /// Lets the next [`Workspace::fold_due`] look at a branch.
    pub fn look_after(&self, branch: &str) {
        self.inner.upkeep.touch(branch);
    }

    /// Writes the run of all that a view holds and of `more`, whose rows may name terms of the view.
    pub(super) fn write_merged(&self, view: &View, more: &Input<'_>) -> Result<BlockId, WorkspaceError> {
        let layers = ViewLayers::of(view)?;
        let rows = ViewRows { view };
        let mut input = layers.input();
        input.layers.extend_from_slice(&more.layers);
        input.rows.push(&rows);
        input.rows.extend_from_slice(&more.rows);
        let scratch = self.inner.store.scratch();
        let options = &self.write_options(&*scratch)?;
        Ok(with_used_terms(&input, |input| graph::write_run(input, options))?.root)
    }

    pub(super) fn write_options<'a>(
        &'a self,
        scratch: &'a dyn Scratch,
    ) -> Result<WriteOptions<'a>, WorkspaceError> {
        Ok(WriteOptions {
            key: &self.inner.key,
            sink: &*self.inner.store,
            scratch,
            memory_bytes: self.inner.work_bytes_max,
            threads: THREADS,
            permutations: self.settings()?.permutations,
        })
    }
}

/// Calls `write` with the same input, its terms cut down to those that its rows use.
pub fn with_used_terms<T, E: From<WriteError>>(
    input: &Input<'_>,
    write: impl FnOnce(&Input<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let used = graph::used_terms(input)?;
    let layers = input.layers.iter().zip(used);
    let layers: Vec<(u16, UsedLayer<'_>)> =
        layers.map(|((number, layer), used)| (*number, UsedLayer { layer: *layer, used })).collect();
    let layers = layers.iter().map(|(number, layer)| (*number, layer as &dyn Layer)).collect();
    write(&Input { layers, rows: input.rows.clone() })
}

/// The terms of a view as layers.
pub struct ViewLayers<'a> {
    base: Option<RunLayer<'a>>,
    overlay: UnsortedLayer,
}

impl<'a> ViewLayers<'a> {
    pub fn of(view: &'a View) -> Result<ViewLayers<'a>, WorkspaceError> {
        let id_of =
            |term: &_| Ok(view.term_id(term)?.expect("the parts of triple terms are interned with them"));
        let overlay = UnsortedLayer::of(view.overlay.terms(), &id_of)?;
        Ok(ViewLayers { base: view.base.run().map(RunLayer::new), overlay })
    }

    /// Returns the layers, without any rows.
    pub fn input(&self) -> Input<'_> {
        let mut input = Input::default();
        if let Some(base) = &self.base {
            input.layers.push((0, base));
        }
        input.layers.push((LAYER, &self.overlay));
        input
    }
}

/// All quads of a view.
pub struct ViewRows<'a> {
    pub view: &'a View,
}

impl<'a> ViewRows<'a> {
    pub fn into_stream(self) -> Result<Box<dyn RowStream<4> + 'a>, WriteError> {
        Ok(Box::new(ScanRows { scan: self.view.scan(&QuadPattern::default(), Permutation::Spo)? }))
    }
}

impl RowSource for ViewRows<'_> {
    fn order(&self) -> RowOrder {
        RowOrder::SortedOf(0)
    }

    fn rows(&self) -> Result<Box<dyn RowStream<4> + '_>, WriteError> {
        ViewRows { view: self.view }.into_stream()
    }
}

struct ScanRows {
    scan: Box<dyn Scan>,
}

impl RowStream<4> for ScanRows {
    fn fill(&mut self, rows: &mut Vec<[u64; 4]>) -> Result<(), WriteError> {
        rows.clear();
        let Some(batch) = self.scan.next_batch()? else { return Ok(()) };
        let [subject, predicate, object, graph] = [0, 1, 2, 3].map(|place| batch.column(place));
        rows.extend(
            (0..batch.rows())
                .map(|row| [subject[row], predicate[row], object[row], graph[row]].map(TermId::to_bits)),
        );
        Ok(())
    }
}

/// Returns the dictionary ids in these quads, sorted.
pub fn distinct_ids(quads: &[Quad]) -> Vec<TermId> {
    let all = quads.iter().flat_map(|quad| [quad.subject, quad.predicate, quad.object, quad.graph]);
    let mut ids: Vec<TermId> = Vec::new();
    let mut last = [TermId::UNDEFINED; 4];
    for (place, id) in all.enumerate() {
        // Most repetitions are neighbours.
        if id.as_dictionary().is_some() && last[place % 4] != id {
            last[place % 4] = id;
            ids.push(id);
        }
    }
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Replaces every id of every quad.
pub fn remap(quads: &mut [Quad], map: impl Fn(TermId) -> TermId) {
    for quad in quads {
        for id in [&mut quad.subject, &mut quad.predicate, &mut quad.object, &mut quad.graph] {
            *id = map(*id);
        }
    }
}
