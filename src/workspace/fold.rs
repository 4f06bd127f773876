//! Folding: a base and the changes since become a new base.
//!
//! A run is a pure function of the quads, so whoever folds the same commit gets the same blocks.

use std::collections::HashMap;

use super::view::View;
use super::{CommitId, Workspace, WorkspaceError, refs};
use crate::block::BlockId;
use crate::dataset::Dataset;
use crate::graph::{SortedTerms, write_run};
use crate::model::{Permutation, Quad, QuadPattern, Term, TermId};

/// Below this many changes folding is not worth it, however small the base.
const CHANGES_MIN: u64 = 20_000;
/// Past this part of the base the changes are folded.
const BASE_PART: u64 = 8;
/// How many terms are looked up at once.
const TERMS_AT_ONCE: usize = 65_536;

/// Returns whether so many changes are too many to lie over a base of so many quads.
pub fn is_due(changes: u64, base: u64) -> bool {
    changes > CHANGES_MIN.max(base / BASE_PART)
}

impl Workspace {
    /// Makes the data of a commit a run of its own, so that reading it needs no change sets. Queries
    /// that run keep what they began with.
    pub fn fold(&self, commit: CommitId) -> Result<(), WorkspaceError> {
        let snapshot = self.snapshot(commit)?;
        if self.inner.refs.manifest(commit)?.is_some() || snapshot.statistics().quads == 0 {
            return Ok(());
        }
        let root = self.write_merged(snapshot.view(), None)?;
        self.inner.store.sync()?;
        self.inner.refs.set(&refs::manifest_name(commit), root.as_bytes())?;
        self.inner.snapshots.clear();
        Ok(())
    }

    /// Writes the run of all that a view holds and of `more`, quads with the terms that they are of.
    pub(super) fn write_merged(
        &self,
        view: &View,
        more: Option<(&SortedTerms, &[Quad])>,
    ) -> Result<BlockId, WorkspaceError> {
        let mut quads = view.quads(&QuadPattern::default(), Permutation::Spo)?;
        let mut ids = distinct_ids(&quads);
        let mut terms: Vec<Term> = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(TERMS_AT_ONCE) {
            terms.extend(view.terms(chunk)?);
        }
        let sorted = {
            let new = more.iter().flat_map(|(terms, _)| (0..terms.len()).map(|rank| terms.term(rank)));
            let new: Vec<Term> = new.collect();
            SortedTerms::of(terms.iter().chain(&new)).map_err(WorkspaceError::Term)?
        };
        let mut map: HashMap<TermId, TermId> = HashMap::with_capacity(ids.len());
        for (id, term) in ids.drain(..).zip(terms.drain(..)) {
            map.insert(id, sorted.id_of(&term).expect("all terms were sorted in"));
        }
        remap(&mut quads, |id| map.get(&id).copied().unwrap_or(id));
        if let Some((terms, added)) = more {
            let ranks: Vec<TermId> = (0..terms.len())
                .map(|rank| sorted.id_of(&terms.term(rank)).expect("all terms were sorted in"))
                .collect();
            let start = quads.len();
            quads.extend_from_slice(added);
            remap(&mut quads[start..], |id| id.as_dictionary().map_or(id, |id| ranks[id.rank as usize]));
        }
        Ok(write_run(&sorted, quads, &self.inner.key, &*self.inner.store)?.root)
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
