//! `View`: a base run under an overlay, read as one. What snapshots and transactions have in common.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::ops::RangeInclusive;

use super::base::Base;
use super::change_set::Changes;
use super::merge_scan::MergeScan;
use super::overlay::{EdgeSet, Overlay, Place, QuadSet, is_of_overlay};
use super::patched_scan::PatchedScan;
use crate::batch::Batch;
use crate::dataset::{DatasetError, Keys, Places, RowsScan, Scan, edge_batch, visit_strings};
use crate::model::{
    Edge, EdgeOrder, EdgePattern, Permutation, PermutationSet, Quad, QuadPattern, Term, TermId, TermKind, pg,
};

/// How many quads of the overlay are counted one by one for an estimate.
const COUNTED_MAX: usize = 4096;

/// A base with changes laid over it. A clone is cheap and does not see later changes.
#[derive(Clone, Default)]
pub struct View {
    pub base: Base,
    pub overlay: Overlay,
}

impl View {
    /// Makes a view of a base without changes, in the orders that the base has.
    pub fn of_base(base: Base) -> View {
        let overlay = Overlay::new(base.permutations());
        View { base, overlay }
    }

    /// Makes a view of nothing, whose changes are to be found in these orders.
    pub fn of_nothing(permutations: PermutationSet) -> View {
        View { base: Base::default(), overlay: Overlay::new(permutations) }
    }

    /// Returns the permutations that it can be scanned by.
    pub fn permutations(&self) -> PermutationSet {
        self.overlay.added.permutations()
    }

    pub fn scan(
        &self,
        pattern: &QuadPattern,
        permutation: Permutation,
    ) -> Result<Box<dyn Scan>, DatasetError> {
        self.scan_places(pattern, permutation, Places::ALL)
    }

    /// As [`crate::dataset::Dataset::scan_places`].
    pub fn scan_places(
        &self,
        pattern: &QuadPattern,
        permutation: Permutation,
        places: Places,
    ) -> Result<Box<dyn Scan>, DatasetError> {
        if let Some(patched) = self.patched(pattern, permutation, places)? {
            return Ok(Box::new(patched));
        }
        let of_base = |base: &Base, places| base.scan(pattern, permutation, places);
        self.scan_over(pattern, permutation, places, None, of_base)
    }

    /// Returns a scan of the base in which the rows of few keys are replaced, if that is cheaper than to merge all rows.
    fn patched(
        &self,
        pattern: &QuadPattern,
        permutation: Permutation,
        places: Places,
    ) -> Result<Option<PatchedScan>, DatasetError> {
        let bound = [pattern.subject, pattern.predicate, pattern.object];
        let is_open = |place: &usize| bound.get(*place).is_some_and(Option::is_none);
        let Some(column) = permutation.positions().into_iter().find(is_open) else { return Ok(None) };
        if pattern.subject.is_some() || self.overlay.is_empty() || names_overlay(pattern) {
            return Ok(None);
        }
        let Some(predicate) = pattern.predicate.filter(|id| self.overlay.predicates.contains_key(id)) else {
            return Ok(None);
        };
        // A guess that reads nothing: what is looked up is told from what is read whole.
        let figures = self.base.statistics().predicates.get(&predicate).copied().unwrap_or_default();
        let rows = figures.quads / pattern.object.map_or(1, |_| figures.distinct_objects.max(1));
        let keys = if column == 0 { figures.distinct_subjects } else { figures.distinct_objects };
        let keys_max = keys_max(rows, keys);
        let changes = [&self.overlay.added, &self.overlay.removed].into_iter();
        let changes = changes.flat_map(|set| set.scan(pattern, permutation));
        let key = |quad: Quad| [quad.subject, quad.predicate, quad.object][column];
        let Some(keys) = few_keys(changes.map(key), keys_max) else { return Ok(None) };
        let Some(base) = self.base.scan(pattern, permutation, with_place(places, column))? else {
            return Ok(None);
        };
        let patch = self.scan_keys(pattern, permutation, Places::ALL, Keys::Listed(&keys))?;
        Ok(Some(PatchedScan::new(base, column, keys, patch)))
    }

    /// As [`crate::dataset::Dataset::scan_keys`].
    pub fn scan_keys(
        &self,
        pattern: &QuadPattern,
        permutation: Permutation,
        places: Places,
        keys: Keys<'_>,
    ) -> Result<Box<dyn Scan>, DatasetError> {
        let of_base = |base: &Base, places| base.scan_keys(pattern, permutation, places, keys);
        self.scan_over(pattern, permutation, places, Some(keys), of_base)
    }

    /// Lays the overlay's matches, those of `keys` if they are told, over those of the base.
    fn scan_over(
        &self,
        pattern: &QuadPattern,
        permutation: Permutation,
        places: Places,
        keys: Option<Keys<'_>>,
        of_base: impl FnOnce(&Base, Places) -> Result<Option<Box<dyn Scan>>, DatasetError>,
    ) -> Result<Box<dyn Scan>, DatasetError> {
        let added = self.overlay.added.cursor_of(pattern, permutation, keys);
        if names_overlay(pattern) {
            return Ok(Box::new(MergeScan::new(None, permutation, added, removed_none())));
        }
        let removed = self.overlay.removed.cursor_of(pattern, permutation, keys);
        let is_plain = added.peek().is_none() && removed.peek().is_none();
        // Rows are merged by all of their places.
        let places = if is_plain { places } else { Places::ALL };
        match of_base(&self.base, places)? {
            Some(base) if is_plain => Ok(base),
            base => Ok(Box::new(MergeScan::new(base, permutation, added, removed))),
        }
    }

    pub fn contains(&self, quad: &Quad) -> Result<bool, DatasetError> {
        match self.overlay.place(quad) {
            Place::Added => Ok(true),
            Place::Removed => Ok(false),
            Place::Base => self.base.contains(quad),
        }
    }

    /// As [`crate::dataset::Dataset::scan_edge_places`].
    pub fn scan_edge_places(
        &self,
        pattern: &EdgePattern,
        places: Places,
    ) -> Result<Box<dyn Scan>, DatasetError> {
        if let Some(patched) = self.patched_edges(pattern, places)? {
            return Ok(Box::new(patched));
        }
        let is_wanted = |_: &Edge| true;
        self.scan_edges_over(pattern, pattern, places, is_wanted, |base, places| {
            base.scan_edges(pattern, places)
        })
    }

    /// As [`View::patched`], of all edges of a predicate.
    fn patched_edges(
        &self,
        pattern: &EdgePattern,
        places: Places,
    ) -> Result<Option<PatchedScan>, DatasetError> {
        let EdgePattern { subject: None, predicate: Some(predicate), object: None, edge: None, .. } = pattern
        else {
            return Ok(None);
        };
        if is_of_overlay(*predicate) || !self.overlay.edges.contains_key(predicate) {
            return Ok(None);
        }
        let figures = self.base.statistics().predicates.get(predicate).copied().unwrap_or_default();
        let (column, keys) = match pattern.order {
            EdgeOrder::Subject => (0, figures.distinct_subjects),
            EdgeOrder::Object => (2, figures.distinct_objects),
            EdgeOrder::Edge => return Ok(None),
        };
        let keys_max = keys_max(figures.edges, keys);
        let key = |edge: Edge| if column == 2 { edge.object } else { edge.subject };
        let changes = [&self.overlay.added_edges, &self.overlay.removed_edges].into_iter();
        let changes = changes.flat_map(|set| set.scan(pattern)).map(key);
        let Some(keys) = few_keys(changes, keys_max) else { return Ok(None) };
        let Some(base) = self.base.scan_edges(pattern, with_place(places, column))? else { return Ok(None) };
        let patch = self.scan_edge_keys(pattern, Places::ALL, Keys::Listed(&keys))?;
        Ok(Some(PatchedScan::new(base, column, keys, patch)))
    }

    /// As [`crate::dataset::Dataset::scan_edge_keys`].
    pub fn scan_edge_keys(
        &self,
        pattern: &EdgePattern,
        places: Places,
        keys: Keys<'_>,
    ) -> Result<Box<dyn Scan>, DatasetError> {
        let order = match (pattern.subject, pattern.object) {
            (Some(_), _) => EdgeOrder::Object,
            (None, Some(_)) => EdgeOrder::Subject,
            (None, None) => pattern.order,
        };
        let is_wanted = |edge: &Edge| {
            let key = match order {
                EdgeOrder::Subject => edge.subject,
                EdgeOrder::Object => edge.object,
                EdgeOrder::Edge => edge.edge,
            };
            match keys {
                Keys::Listed(ids) => ids.binary_search(&key).is_ok(),
                Keys::Within(range) => range.contains(&key),
            }
        };
        let of_base = |base: &Base, places| base.scan_edge_keys(pattern, places, keys);
        self.scan_edges_over(pattern, pattern, places, is_wanted, of_base)
    }

    /// As [`crate::dataset::Dataset::scan_edges_of`].
    pub fn scan_edges_of(
        &self,
        pattern: &EdgePattern,
        places: Places,
        names: &[TermId],
    ) -> Result<Box<dyn Scan>, DatasetError> {
        let is_wanted = |edge: &Edge| names.binary_search(&edge.edge).is_ok();
        // They come in the order of one edge's.
        let order = EdgePattern { edge: Some(TermId::UNDEFINED), ..EdgePattern::default() };
        self.scan_edges_over(pattern, &order, places, is_wanted, |base, places| {
            Ok(base.run().map(|run| Box::new(run.scan_edges_of(pattern, places, names)) as Box<dyn Scan>))
        })
    }

    /// Lays the overlay's matches that are wanted over those of the base; both are sorted as those of `order` are.
    fn scan_edges_over(
        &self,
        pattern: &EdgePattern,
        order: &EdgePattern,
        places: Places,
        is_wanted: impl Fn(&Edge) -> bool,
        of_base: impl FnOnce(&Base, Places) -> Result<Option<Box<dyn Scan>>, DatasetError>,
    ) -> Result<Box<dyn Scan>, DatasetError> {
        let matches = |set: &EdgeSet| {
            let mut found = set.scan(pattern);
            found.retain(&is_wanted);
            found.sort_unstable_by_key(|edge| order.sort_key(edge));
            found
        };
        let (added, removed) = (matches(&self.overlay.added_edges), matches(&self.overlay.removed_edges));
        let is_plain = added.is_empty() && removed.is_empty();
        // Rows are merged by all of their places.
        let places = if is_plain { places } else { Places::ALL };
        let bound = [pattern.subject, pattern.predicate, pattern.object, pattern.edge];
        let base = match bound.into_iter().flatten().any(is_of_overlay) {
            true => None,
            false => of_base(&self.base, places)?,
        };
        Ok(match base {
            Some(base) if is_plain => base,
            Some(base) => Box::new(MergedEdges {
                base: Some(base),
                order: order.clone(),
                added: added.into_iter().peekable(),
                removed: removed.into_iter().peekable(),
            }),
            None => Box::new(RowsScan::new(edge_batch(&added).into_columns())),
        })
    }

    pub fn is_empty(&self) -> bool {
        self.base.len() + self.overlay.added.len() as u64 == self.overlay.removed.len() as u64
    }

    pub fn term_id(&self, term: &Term) -> Result<Option<TermId>, DatasetError> {
        Ok(self.term_ids(std::slice::from_ref(term))?.pop().flatten())
    }

    /// Returns the ids of terms, in order; asks the base for all that it may have in one go.
    pub fn term_ids(&self, terms: &[Term]) -> Result<Vec<Option<TermId>>, DatasetError> {
        let here = |term: &Term| match term {
            Term::Literal(literal) => TermId::inline(literal).or_else(|| self.overlay.term_id(term)),
            _ => self.overlay.term_id(term),
        };
        let mut ids: Vec<Option<TermId>> = terms.iter().map(here).collect();
        if self.base.len() == 0 || ids.iter().all(Option::is_some) {
            return Ok(ids);
        }
        let unknown = terms.iter().zip(&ids).filter(|(_, id)| id.is_none()).map(|(term, _)| term.clone());
        let unknown: Vec<Term> = unknown.collect();
        let mut of_base = self.base.term_ids(&unknown)?.into_iter();
        for id in ids.iter_mut().filter(|id| id.is_none()) {
            *id = of_base.next().flatten();
        }
        Ok(ids)
    }

    pub fn terms(&self, ids: &[TermId]) -> Result<Vec<Term>, DatasetError> {
        if !ids.iter().any(|id| id.is_inline() || is_of_overlay(*id)) {
            return self.base.terms(ids);
        }
        let of_base: Vec<TermId> =
            ids.iter().copied().filter(|id| !id.is_inline() && !is_of_overlay(*id)).collect();
        let mut of_base = self.base.terms(&of_base)?.into_iter();
        let one = |id: &TermId| {
            if let Some(literal) = id.to_literal() {
                Some(literal.into())
            } else if is_of_overlay(*id) {
                self.overlay.term(*id).map(|term| Term::clone(term))
            } else {
                of_base.next()
            }
        };
        ids.iter()
            .zip(ids.iter().map(one).collect::<Vec<_>>())
            .map(|(id, term)| term.ok_or(DatasetError::UnknownId(*id)))
            .collect()
    }

    pub fn strings(&self, ids: &[TermId], visit: &mut dyn FnMut(usize, &[u8])) -> Result<(), DatasetError> {
        if !ids.iter().copied().any(is_of_overlay) {
            return self.base.strings(ids, visit);
        }
        visit_strings(&self.terms(ids)?, visit);
        Ok(())
    }

    pub fn estimate(&self, pattern: &QuadPattern) -> Result<u64, DatasetError> {
        let base = if names_overlay(pattern) { 0 } else { self.base.estimate(pattern)? };
        let (added, removed) = self.overlay_counts(pattern, COUNTED_MAX);
        Ok((base + added).saturating_sub(removed))
    }

    /// As [`Dataset::estimate_within`], of the base alone: what lies over it is little.
    pub fn estimate_within(
        &self,
        pattern: &QuadPattern,
        objects: &RangeInclusive<TermId>,
    ) -> Result<Option<u64>, DatasetError> {
        if names_overlay(pattern) { Ok(None) } else { self.base.estimate_within(pattern, objects) }
    }

    /// Returns how many quads match, if the base can tell without reading them.
    pub fn count(&self, pattern: &QuadPattern) -> Result<Option<u64>, DatasetError> {
        let base = if names_overlay(pattern) { Some(0) } else { self.base.count(pattern)? };
        let (added, removed) = self.overlay_counts(pattern, usize::MAX);
        Ok(base.and_then(|base| (base + added).checked_sub(removed)))
    }

    /// As [`crate::dataset::Dataset::may_know`].
    pub fn may_know(&self, kind: TermKind) -> bool {
        self.overlay.has_terms_of(kind) || self.base.run().is_some_and(|run| run.has_terms_of(kind))
    }

    /// Returns whether the overlay has quads or edges of a predicate, or took some away.
    pub fn changes(&self, predicate: TermId) -> bool {
        [&self.overlay.predicates, &self.overlay.edges]
            .into_iter()
            .any(|deltas| deltas.contains_key(&predicate))
    }

    /// Returns how many of the quads that match were added and removed; each at most `max`, where they
    /// have to be counted one by one.
    fn overlay_counts(&self, pattern: &QuadPattern, max: usize) -> (u64, u64) {
        if pattern == &QuadPattern::default() {
            return (self.overlay.added.len() as u64, self.overlay.removed.len() as u64);
        }
        if let Some(delta) = self.overlay.of_predicate(pattern) {
            return (delta.added, delta.removed);
        }
        let permutation = self.permutations().best_for(pattern);
        let count = |set: &QuadSet| set.scan(pattern, permutation).take(max).count() as u64;
        (count(&self.overlay.added), count(&self.overlay.removed))
    }

    pub fn named_graphs(&self) -> Vec<TermId> {
        let mut graphs: BTreeSet<TermId> = self.base.named_graphs().into_iter().collect();
        for (graph, delta) in self.overlay.graphs.iter().filter(|(graph, _)| !graph.is_undefined()) {
            if delta.apply(self.base.quads_in(*graph)) > 0 {
                graphs.insert(*graph);
            } else {
                graphs.remove(graph);
            }
        }
        graphs.into_iter().collect()
    }

    pub fn prefetch_keys(&self, pattern: &QuadPattern, permutation: Permutation, keys: &[TermId]) {
        self.base.prefetch_keys(pattern, permutation, keys);
    }

    pub fn prefetch(&self, patterns: &[QuadPattern]) {
        self.base.prefetch(patterns);
    }

    /// Returns the id of a term, giving it one if it has none; the parts of a triple term too, so
    /// that edges can name them.
    pub fn intern(&mut self, term: &Term) -> Result<TermId, DatasetError> {
        if let Some(id) = self.term_id(term)? {
            return Ok(id);
        }
        let mut open = vec![term.clone()];
        while let Some(Term::Triple(triple)) = open.pop() {
            for part in [triple.subject.into(), triple.predicate.into(), triple.object] {
                if self.term_id(&part)?.is_none() {
                    self.overlay.add_term(&part);
                    open.push(part);
                }
            }
        }
        Ok(self.overlay.add_term(term))
    }

    /// Returns the edge that a quad stands for, if it says `rdf:reifies` of a triple term.
    pub fn edge_of(&self, quad: &Quad) -> Result<Option<Edge>, DatasetError> {
        if quad.object.kind() != crate::model::TermKind::Triple
            || Some(quad.predicate) != self.term_id(&pg::REIFIES.into_owned().into())?
        {
            return Ok(None);
        }
        let Some(Term::Triple(triple)) = self.terms(&[quad.object])?.pop() else { return Ok(None) };
        let parts = [triple.subject.into(), triple.predicate.into(), triple.object];
        let [subject, predicate, object] = parts.map(|part: Term| self.term_id(&part));
        let (Some(subject), Some(predicate), Some(object)) = (subject?, predicate?, object?) else {
            return Ok(None);
        };
        Ok(Some(Edge { subject, predicate, object, graph: quad.graph, edge: quad.subject }))
    }

    /// Lays changes over what there is, taking their word for being effective. A merge scan still
    /// gives each quad once if they are not.
    pub fn apply(&mut self, changes: &Changes) -> Result<(), DatasetError> {
        for quad in &changes.removed {
            if self.overlay.place(quad) != Place::Removed {
                let edge = self.edge_of(quad)?;
                self.overlay.remove(quad, edge);
            }
        }
        for quad in &changes.added {
            if self.overlay.place(quad) != Place::Added {
                let edge = self.edge_of(quad)?;
                self.overlay.insert(quad, edge);
            }
        }
        Ok(())
    }

    /// Adds a quad; returns whether it was new.
    pub fn insert(&mut self, quad: &Quad) -> Result<bool, DatasetError> {
        if self.contains(quad)? {
            return Ok(false);
        }
        let edge = self.edge_of(quad)?;
        self.overlay.insert(quad, edge);
        Ok(true)
    }

    /// Removes a quad; returns whether it was there.
    pub fn remove(&mut self, quad: &Quad) -> Result<bool, DatasetError> {
        if !self.contains(quad)? {
            return Ok(false);
        }
        let edge = self.edge_of(quad)?;
        self.overlay.remove(quad, edge);
        Ok(true)
    }
}

/// Returns how many keys at most are replaced in a scan of so many rows, which have so many keys.
fn keys_max(rows: u64, keys: u64) -> usize {
    /// Fewer rows are merged soon enough.
    const ROWS_MIN: u64 = 1 << 14;
    const ROWS_PER_KEY_REPLACED: u64 = 256;
    /// The rows of a key are replaced at once, and must not be too many.
    const ROWS_OF_KEY_MAX: u64 = 256;
    match cfg!(test) {
        // What small graphs show in tests is what large ones do.
        true => usize::MAX,
        false if rows < ROWS_MIN || rows / keys.max(1) > ROWS_OF_KEY_MAX => 0,
        false => (rows / ROWS_PER_KEY_REPLACED) as usize,
    }
}

/// Returns keys, sorted, if there are some and no more than `max`.
fn few_keys(keys: impl Iterator<Item = TermId>, max: usize) -> Option<Vec<TermId>> {
    let mut few: Vec<TermId> = Vec::new();
    for key in keys {
        if few.last() != Some(&key) {
            few.push(key);
        }
        // Each may come from what was added and from what was removed.
        if few.len() > max.saturating_mul(2) {
            return None;
        }
    }
    few.sort_unstable();
    few.dedup();
    (1..=max).contains(&few.len()).then_some(few)
}

fn with_place(places: Places, place: usize) -> Places {
    (0..5).filter(|other| *other == place || places.contains(*other)).collect()
}

/// Returns whether only the overlay can have quads that match.
fn names_overlay(pattern: &QuadPattern) -> bool {
    [pattern.subject, pattern.predicate, pattern.object].into_iter().flatten().any(is_of_overlay)
}

fn removed_none() -> super::overlay::QuadCursor {
    QuadSet::default().cursor(&QuadPattern::default(), Permutation::Spo)
}

/// The edges of the base but for the removed ones, and the added ones in between.
struct MergedEdges {
    base: Option<Box<dyn Scan>>,
    /// All are sorted as its edges are.
    order: EdgePattern,
    added: Peekable<std::vec::IntoIter<Edge>>,
    removed: Peekable<std::vec::IntoIter<Edge>>,
}

impl MergedEdges {
    /// Puts the added edges that come before the last one of a batch into it, and takes the removed ones out.
    fn merge(&mut self, batch: Batch) -> Batch {
        let key = |edge: &Edge| self.order.sort_key(edge);
        let rows = batch.rows();
        let Some(last) = rows.checked_sub(1).map(|last| key(&edge_at(&batch, last))) else { return batch };
        let is_after = |next: Option<&Edge>| next.is_none_or(|next| key(next) > last);
        if is_after(self.added.peek()) && is_after(self.removed.peek()) {
            return batch;
        }
        let mut merged = Vec::with_capacity(rows + 1);
        for row in 0..rows {
            let edge = edge_at(&batch, row);
            let own = key(&edge);
            while let Some(added) = self.added.next_if(|added| key(added) < own) {
                merged.push(added);
            }
            while self.removed.next_if(|removed| key(removed) < own).is_some() {}
            if self.removed.peek() != Some(&edge) {
                merged.push(edge);
            }
        }
        edge_batch(&merged)
    }
}

impl Scan for MergedEdges {
    fn next_batch(&mut self) -> Result<Option<Batch>, DatasetError> {
        while let Some(base) = &mut self.base {
            let Some(batch) = base.next_batch()? else {
                self.base = None;
                break;
            };
            let batch = self.merge(batch);
            if !batch.is_empty() {
                return Ok(Some(batch));
            }
        }
        let added: Vec<Edge> = self.added.by_ref().collect();
        Ok((!added.is_empty()).then(|| edge_batch(&added)))
    }

    fn seek(&mut self, key: TermId) {
        if let Some(base) = &mut self.base {
            base.seek(key);
        }
    }
}

fn edge_at(batch: &Batch, row: usize) -> Edge {
    let [subject, predicate, object, graph, edge] = [0, 1, 2, 3, 4].map(|index| batch.column(index)[row]);
    Edge { subject, predicate, object, graph, edge }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key that is left out would be read as the base has it.
    #[test]
    fn few_keys_are_all_or_none() {
        let keys = |numbers: &[i64], max| {
            let ids = numbers.iter().map(|number| TermId::from_i64(*number).unwrap());
            let found = few_keys(ids, max)?;
            Some(found.into_iter().filter_map(TermId::as_i64).collect::<Vec<_>>())
        };
        assert_eq!(keys(&[1, 1, 1, 5, 5, 9, 1, 5], 3), Some(vec![1, 5, 9]));
        assert_eq!(keys(&[1, 1, 1, 5, 5, 9, 1, 5], 2), None);
        assert_eq!(keys(&(0..100).collect::<Vec<_>>(), 10), None);
        assert_eq!(keys(&[], 10), None);
        assert_eq!(keys(&[1], 0), None);
    }
}
