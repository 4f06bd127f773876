//! `Snapshot`: the data as of one commit. Immutable, cheap to share, a query's world.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::base::Base;
use super::change_set::Changes;
use super::facts;
use super::route::{self, Route, Start, Step};
use super::view::View;
use super::{CommitId, Due, SignedCommit, Workspace, WorkspaceError};
use crate::block::BlockId;
use crate::dataset::{Dataset, DatasetError, Keys, Places, Scan, Statistics};
use crate::model::{EdgePattern, Permutation, PermutationSet, QuadPattern, Term, TermId, TermKind};
use crate::plan::Schema;

/// How many snapshots are kept open.
const SNAPSHOTS_MAX: usize = 64;

/// The data as of one commit: a base run and what changed since.
pub struct Snapshot {
    /// Not known before the commit is sealed; others may build on it earlier.
    commit: OnceLock<CommitId>,
    /// Which of the cache's eras its base was opened in.
    era: u64,
    view: View,
    /// The commit and the root of the base run.
    manifest: Option<(CommitId, BlockId)>,
    /// How many commits lie between that one and this.
    commits: u64,
    statistics: OnceLock<Arc<Statistics>>,
    schema: OnceLock<Arc<Schema>>,
    derivation: Option<Derivation>,
}

/// From what a snapshot's schema can be had cheaply.
struct Derivation {
    schema: Arc<Schema>,
    before: View,
    changes: Arc<Changes>,
}

impl Snapshot {
    fn new(era: u64, view: View, manifest: Option<(CommitId, BlockId)>, commits: u64) -> Snapshot {
        Snapshot {
            commit: OnceLock::new(),
            era,
            view,
            manifest,
            commits,
            statistics: OnceLock::new(),
            schema: OnceLock::new(),
            derivation: None,
        }
    }

    /// Makes the snapshot of a commit on top of this one, which is yet to be sealed; `view` is this one's after
    /// the changes.
    pub(super) fn child(&self, view: View, changes: &Arc<Changes>) -> Snapshot {
        let mut child = Snapshot::new(self.era, view, self.manifest, self.commits + 1);
        if let Some(schema) = self.schema.get() {
            let (schema, before) = (Arc::clone(schema), self.view.clone());
            child.derivation = Some(Derivation { schema, before, changes: Arc::clone(changes) });
        }
        child
    }

    /// Returns the commit.
    ///
    /// # Panics
    /// If it is not sealed yet. Nobody but [`Workspace::begin_on`]'s caller has such a snapshot.
    pub fn commit(&self) -> CommitId {
        self.sealed().expect("the commit is sealed")
    }

    pub fn is_sealed(&self) -> bool {
        self.sealed().is_some()
    }

    /// Returns the commit, if it is sealed.
    pub(super) fn sealed(&self) -> Option<CommitId> {
        self.commit.get().copied()
    }

    /// Tells what the commit was sealed as.
    pub(super) fn seal_as(&self, commit: CommitId) {
        let known = self.commit.get_or_init(|| commit);
        debug_assert_eq!(*known, commit, "a commit is sealed once");
    }

    /// Returns how many quads were added and removed since the base run.
    pub fn overlay_len(&self) -> u64 {
        self.view.overlay.len() as u64
    }

    /// Returns how badly the commit wants to be folded.
    pub(super) fn due(&self) -> Due {
        Due::of(self.commits, self.overlay_len(), self.view.base.len())
    }

    /// Returns the sealed bytes of each section of the base run; none where nothing was folded yet.
    pub fn section_bytes(&self) -> Vec<(&'static str, u64)> {
        self.view.base.run().map(|run| run.section_bytes()).unwrap_or_default()
    }

    /// Returns the commit whose run is the base, and the root of that run.
    pub(super) fn manifest(&self) -> Option<(CommitId, BlockId)> {
        self.manifest
    }

    pub(super) fn view(&self) -> &View {
        &self.view
    }

    fn adjusted_schema(&self) -> Result<facts::Adjusted, DatasetError> {
        if let Some(derived) = &self.derivation {
            return facts::adjust(&derived.schema, &derived.before, &self.view, &derived.changes);
        }
        let overlay = &self.view.overlay;
        let before = View::of_base(self.view.base.clone());
        let changes =
            Changes { added: overlay.added.iter().collect(), removed: overlay.removed.iter().collect() };
        facts::adjust(&*self.view.base.schema()?, &before, &self.view, &changes)
    }
}

impl Dataset for Snapshot {
    fn permutations(&self) -> PermutationSet {
        self.view.permutations()
    }

    fn scan_places(
        &self,
        pattern: &QuadPattern,
        permutation: Permutation,
        places: Places,
    ) -> Result<Box<dyn Scan>, DatasetError> {
        self.view.scan_places(pattern, permutation, places)
    }

    fn scan_keys(
        &self,
        pattern: &QuadPattern,
        permutation: Permutation,
        places: Places,
        keys: Keys<'_>,
    ) -> Result<Box<dyn Scan>, DatasetError> {
        self.view.scan_keys(pattern, permutation, places, keys)
    }

    fn scan_edge_keys(
        &self,
        pattern: &EdgePattern,
        places: Places,
        keys: Keys<'_>,
    ) -> Result<Box<dyn Scan>, DatasetError> {
        self.view.scan_edge_keys(pattern, places, keys)
    }

    fn scan_edge_places(&self, pattern: &EdgePattern, places: Places) -> Result<Box<dyn Scan>, DatasetError> {
        self.view.scan_edge_places(pattern, places)
    }

    fn scan_edges_of(
        &self,
        pattern: &EdgePattern,
        places: Places,
        names: &[TermId],
    ) -> Result<Box<dyn Scan>, DatasetError> {
        self.view.scan_edges_of(pattern, places, names)
    }

    fn term_id(&self, term: &Term) -> Result<Option<TermId>, DatasetError> {
        self.view.term_id(term)
    }

    fn terms(&self, ids: &[TermId]) -> Result<Vec<Term>, DatasetError> {
        self.view.terms(ids)
    }

    fn strings(&self, ids: &[TermId], visit: &mut dyn FnMut(usize, &[u8])) -> Result<(), DatasetError> {
        self.view.strings(ids, visit)
    }

    fn estimate(&self, pattern: &QuadPattern) -> Result<u64, DatasetError> {
        self.view.estimate(pattern)
    }

    fn estimate_within(
        &self,
        pattern: &QuadPattern,
        objects: &RangeInclusive<TermId>,
    ) -> Result<Option<u64>, DatasetError> {
        self.view.estimate_within(pattern, objects)
    }

    fn count(&self, pattern: &QuadPattern) -> Result<Option<u64>, DatasetError> {
        self.view.count(pattern)
    }

    fn has_sorted_strings(&self) -> bool {
        true
    }

    fn may_know(&self, kind: TermKind) -> bool {
        self.view.may_know(kind)
    }

    fn is_reified(&self, predicate: TermId) -> bool {
        if !self.view.changes(predicate) {
            return self.view.base.is_reified(predicate);
        }
        let name = self.view.terms(&[predicate]).ok().and_then(|mut terms| terms.pop());
        match (name, self.schema()) {
            (Some(Term::NamedNode(name)), Ok(schema)) => {
                schema.predicates.get(&name).is_some_and(|info| info.is_reified)
            }
            _ => false,
        }
    }

    fn statistics(&self) -> Arc<Statistics> {
        let make = || {
            let base = self.view.base.statistics();
            if self.view.overlay.is_empty() {
                return base;
            }
            let named_graphs = self.view.named_graphs().len() as u64;
            Arc::new(Statistics { named_graphs, ..facts::statistics(&base, &self.view.overlay) })
        };
        Arc::clone(self.statistics.get_or_init(make))
    }

    fn schema(&self) -> Result<Arc<Schema>, DatasetError> {
        if let Some(schema) = self.schema.get() {
            return Ok(Arc::clone(schema));
        }
        if self.view.overlay.is_empty() {
            let base = self.view.base.schema()?;
            return Ok(Arc::clone(self.schema.get_or_init(|| base)));
        }
        let adjusted = self.adjusted_schema()?;
        let schema = Arc::new(adjusted.schema);
        if adjusted.is_final {
            return Ok(Arc::clone(self.schema.get_or_init(|| schema)));
        }
        Ok(schema)
    }

    fn named_graphs(&self) -> Result<Vec<TermId>, DatasetError> {
        Ok(self.view.named_graphs())
    }

    fn prefetch_keys(&self, pattern: &QuadPattern, permutation: Permutation, keys: &[TermId]) {
        self.view.prefetch_keys(pattern, permutation, keys);
    }

    fn prefetch(&self, patterns: &[QuadPattern]) {
        self.view.prefetch(patterns);
    }
}

/// The snapshots that were used last.
#[derive(Default)]
pub struct SnapshotCache(Mutex<Cached>);

#[derive(Default)]
struct Cached {
    latest_first: VecDeque<Arc<Snapshot>>,
    /// How often all were forgotten: there was something better to begin on.
    era: u64,
}

impl SnapshotCache {
    /// Returns the snapshot of a commit if it is open.
    pub fn get(&self, commit: CommitId) -> Option<Arc<Snapshot>> {
        let mut cached = self.hold();
        let index = cached.latest_first.iter().position(|snapshot| snapshot.sealed() == Some(commit))?;
        let snapshot = cached.latest_first.remove(index)?;
        cached.latest_first.push_front(Arc::clone(&snapshot));
        Some(snapshot)
    }

    /// Adds one whose commit is sealed, unless all were forgotten since its base was opened.
    pub fn add(&self, snapshot: Arc<Snapshot>) {
        let mut cached = self.hold();
        if snapshot.era != cached.era {
            return;
        }
        let commit = snapshot.sealed();
        cached.latest_first.retain(|other| other.sealed() != commit);
        cached.latest_first.push_front(snapshot);
        let kept = cached.latest_first.len().min(SNAPSHOTS_MAX);
        let gone = cached.latest_first.split_off(kept);
        // To drop them takes a while, in which others may go on.
        drop(cached);
        drop(gone);
    }

    /// Returns all that are open, the latest first.
    pub fn all(&self) -> Vec<Arc<Snapshot>> {
        self.hold().latest_first.iter().cloned().collect()
    }

    fn era(&self) -> u64 {
        self.hold().era
    }

    /// Returns whether none was forgotten since the base of this one was opened.
    pub fn is_of_now(&self, snapshot: &Snapshot) -> bool {
        snapshot.era == self.era()
    }

    /// Forgets all; snapshots in use live on with their users.
    pub fn clear(&self) {
        let mut cached = self.hold();
        cached.era += 1;
        let gone = std::mem::take(&mut cached.latest_first);
        drop(cached);
        drop(gone);
    }

    fn hold(&self) -> MutexGuard<'_, Cached> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the snapshot of a commit, from wherever the way to it is shortest.
pub fn open(workspace: &Workspace, commit: CommitId) -> Result<Arc<Snapshot>, WorkspaceError> {
    let cache = &workspace.inner.snapshots;
    if let Some(snapshot) = cache.get(commit) {
        return Ok(snapshot);
    }
    let era = cache.era();
    let Route { start, steps } = route::find(workspace, commit)?;
    let (era, mut view, manifest, commits) = match start {
        Start::Snapshot(snapshot) => {
            (snapshot.era, snapshot.view.clone(), snapshot.manifest, snapshot.commits)
        }
        Start::Manifest(at, root) => {
            let base = Base::open(root, &workspace.inner.reader)?;
            (era, View::of_base(base), Some((at, root)), 0)
        }
        Start::Nothing => (era, View::of_nothing(workspace.settings()?.permutations), None, 0),
    };
    let commits = commits + steps.len() as u64;
    let signed: Vec<&SignedCommit> = steps.iter().map(Step::signed).collect();
    let change_sets = workspace.change_sets(&signed)?;
    let reader = &workspace.inner.reader;
    // One request for all; the reads below find them in the cache or, if it is too small, here.
    let parts = change_sets.iter().flatten().flat_map(|change_set| change_set.blocks());
    let _held = reader.get(&parts.collect::<Vec<_>>())?;
    for (step, change_set) in steps.iter().zip(&change_sets) {
        let Some(change_set) = change_set else { continue };
        let changes = Changes::read(step.signed().id, change_set, &mut view, reader)?;
        match step {
            Step::Redo(_) => view.apply(&changes)?,
            Step::Undo(_) => view.apply(&changes.inverted())?,
        }
    }
    let snapshot = Arc::new(Snapshot::new(era, view, manifest, commits));
    snapshot.seal_as(commit);
    workspace.inner.upkeep.note(&snapshot);
    cache.add(Arc::clone(&snapshot));
    Ok(snapshot)
}
