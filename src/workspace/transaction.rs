//! `Transaction`: changes on top of a snapshot, until they are a commit.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::change_set::Changes;
use super::facts;
use super::view::View;
use super::{
    Commit, CommitChanges, CommitId, MESSAGE_BYTES_MAX, Origin, Snapshot, Staged, Workspace, WorkspaceError,
};
use crate::block::SealedBlock;
use crate::blockstore::Ticket;
use crate::dataset::{Dataset, DatasetError, DatasetMut, Keys, Places, Scan, Statistics};
use crate::model::{EdgePattern, Permutation, PermutationSet, Quad, QuadPattern, Term, TermId, TermKind};
use crate::plan::Schema;

/// A branch's data with changes of one's own, which its reads see and nobody else's do.
///
/// [`Transaction::write`] makes the changes a commit, durable and invisible; then
/// [`Transaction::publish`] moves the branch to it. Dropped before that, it leaves nothing.
pub struct Transaction {
    workspace: Workspace,
    branch: String,
    parent: Arc<Snapshot>,
    state: RwLock<State>,
}

struct State {
    view: View,
    /// What differs from the parent: whether the quad was added (else removed).
    changes: BTreeMap<Quad, bool>,
    /// Whether the view may differ from the parent's.
    is_changed: bool,
    /// The schema that was asked for last; until then the parent's is what is known.
    known: Option<KnownSchema>,
    /// What was made durable as it is now.
    written: Option<Arc<Snapshot>>,
}

/// The schema of an earlier state of a transaction.
#[derive(Clone)]
struct KnownSchema {
    schema: Arc<Schema>,
    view: View,
    /// What was changed since, as [`State::changes`].
    since: BTreeMap<Quad, bool>,
}

impl Transaction {
    pub(super) fn new(workspace: Workspace, branch: String, parent: Arc<Snapshot>) -> Transaction {
        let view = parent.view().clone();
        let state = State { view, changes: BTreeMap::new(), is_changed: false, known: None, written: None };
        Transaction { workspace, branch, parent, state: RwLock::new(state) }
    }

    pub fn branch(&self) -> &str {
        &self.branch
    }

    /// Returns the commit that the transaction began on.
    ///
    /// # Panics
    /// As [`Snapshot::commit`].
    pub fn parent(&self) -> CommitId {
        self.parent.commit()
    }

    /// Returns the data that the transaction began on.
    pub fn begun_on(&self) -> &Arc<Snapshot> {
        &self.parent
    }

    /// Returns how many quads were effectively added and removed so far.
    pub fn counts(&self) -> (u64, u64) {
        let state = self.read();
        let added = state.changes.values().filter(|is_added| **is_added).count();
        (added as u64, (state.changes.len() - added) as u64)
    }

    /// Returns the quads that were effectively added or removed so far.
    pub fn changed(&self) -> Vec<Quad> {
        self.read().changes.keys().copied().collect()
    }

    /// Returns the data as it stands now: what is changed later is not in it.
    pub fn as_of_now(&self) -> Arc<dyn Dataset> {
        /// What is changed beyond what the schema tells is copied; more than so much is told first.
        const CHANGES_COPIED_MAX: usize = 256;
        let state = {
            let mut state = self.write_lock();
            if state.changes_since_known().len() > CHANGES_COPIED_MAX {
                // If it cannot be had just now, it is tried again when somebody asks for it.
                let _ = state.schema(&self.parent);
            }
            let (known, changes) = match &state.known {
                Some(known) => (Some(known.clone()), BTreeMap::new()),
                None => (None, state.changes.clone()),
            };
            State { view: state.view.clone(), changes, is_changed: state.is_changed, known, written: None }
        };
        let (workspace, branch, parent) = (self.workspace.clone(), self.branch.clone(), self.parent.clone());
        Arc::new(Transaction { workspace, branch, parent, state: RwLock::new(state) })
    }

    /// Makes the changes a commit: sealed, stored and durable, but on no branch yet. Returns the
    /// parent if nothing changed in effect.
    pub fn write(&self, message: &str, time_ms: i64) -> Result<CommitId, WorkspaceError> {
        let inner = &self.workspace.inner;
        let _turn = inner.upkeep.write_turn();
        let parent = self.parent.commit();
        let staged = self.stage(message, time_ms);
        let (id, block) = staged.seal(&self.workspace, parent)?.unzip();
        let id = id.unwrap_or(parent);
        inner.store.put(block.as_slice())?;
        // No branch leads to it yet: it must not pass for garbage.
        inner.upkeep.claim(id);
        staged.child.seal_as(id);
        self.write_lock().written = Some(staged.child);
        inner.store.sync()?;
        Ok(id)
    }

    /// Moves the branch to the commit that was written; returns it.
    ///
    /// # Errors
    /// [`WorkspaceError::Conflict`] if the branch moved since the transaction began: nothing is lost
    /// and nothing is visible; begin again on theirs, or merge.
    ///
    /// # Panics
    /// If nothing was written, or something was changed since.
    pub fn publish(&self) -> Result<CommitId, WorkspaceError> {
        let written = self.read().written.clone().expect("publish comes after write");
        let (from, to) = (self.parent.commit(), written.commit());
        if from != to {
            self.workspace.move_branch(&self.branch, from, Some(to))?;
            self.workspace.note_child(&self.branch, &written);
        }
        Ok(to)
    }

    /// Writes and publishes in one, at the price of one sync instead of two.
    ///
    /// # Errors
    /// As [`Transaction::publish`].
    pub fn commit(&self, message: &str, time_ms: i64) -> Result<CommitId, WorkspaceError> {
        self.append(message, time_ms)?.wait()
    }

    /// Writes and publishes, and leaves the waiting to the caller: the next writer can begin on top of
    /// this commit while it is on its way to the disk, and one sync makes both durable.
    ///
    /// # Errors
    /// As [`Transaction::publish`].
    pub fn append(&self, message: &str, time_ms: i64) -> Result<Pending, WorkspaceError> {
        let staged = self.stage(message, time_ms);
        let mut pending = self.workspace.append_staged(&self.branch, &[&staged])?;
        Ok(pending.pop().expect("one was staged"))
    }

    /// Makes the changes a commit that is yet to be sealed, by [`Workspace::append_staged`]; others may begin on
    /// it.
    pub fn stage(&self, message: &str, time_ms: i64) -> Staged {
        let state = self.read();
        let changes = state.changes();
        let child = match state.changes.is_empty() {
            true => Arc::clone(&self.parent),
            false => {
                let child = Arc::new(self.parent.child(state.view.clone(), &changes));
                self.workspace.inner.upkeep.note(&child);
                child
            }
        };
        let (parent, message) = (Arc::clone(&self.parent), message.to_owned());
        Staged { parent, child, changes, message, time_ms }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_lock(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(written) = &self.read().written {
            self.workspace.inner.upkeep.release(written.commit());
        }
    }
}

/// A commit that is on its branch for writers, and not yet promised to anybody.
#[must_use = "the commit is not durable before it was waited for"]
pub struct Pending {
    pub(super) workspace: Workspace,
    pub(super) commit: CommitId,
    pub(super) ticket: Ticket,
}

impl Pending {
    pub fn commit(&self) -> CommitId {
        self.commit
    }

    /// Returns once the commit is durable, and readers find it on its branch.
    pub fn wait(&self) -> Result<CommitId, WorkspaceError> {
        self.workspace.inner.store.wait(self.ticket)?;
        Ok(self.commit)
    }
}

impl State {
    fn changes(&self) -> Arc<Changes> {
        Arc::new(changes_of(&self.changes))
    }

    /// Notes an effective change; undoing an earlier one leaves no trace.
    fn note(&mut self, quad: Quad, is_added: bool) {
        self.written = None;
        self.is_changed = true;
        for changes in
            [&mut self.changes].into_iter().chain(self.known.as_mut().map(|known| &mut known.since))
        {
            if changes.remove(&quad).is_none() {
                changes.insert(quad, is_added);
            }
        }
    }

    /// Returns what was changed since the schema was asked for last.
    fn changes_since_known(&self) -> &BTreeMap<Quad, bool> {
        self.known.as_ref().map_or(&self.changes, |known| &known.since)
    }

    /// Returns the schema of the view, brought up to date from the last that was known.
    fn schema(&mut self, parent: &Snapshot) -> Result<Arc<Schema>, DatasetError> {
        let (schema, before) = match &self.known {
            Some(known) => (Arc::clone(&known.schema), known.view.clone()),
            None => (parent.schema()?, parent.view().clone()),
        };
        let changes = changes_of(self.changes_since_known());
        if changes.added.is_empty() && changes.removed.is_empty() {
            return Ok(schema);
        }
        let adjusted = facts::adjust(&schema, &before, &self.view, &changes)?;
        let schema = Arc::new(adjusted.schema);
        if adjusted.is_final {
            let (schema, view) = (Arc::clone(&schema), self.view.clone());
            self.known = Some(KnownSchema { schema, view, since: BTreeMap::new() });
        }
        Ok(schema)
    }
}

fn changes_of(changes: &BTreeMap<Quad, bool>) -> Changes {
    let side = |wanted: bool| {
        let quads = changes.iter().filter(move |(_, is_added)| **is_added == wanted);
        quads.map(|(quad, _)| *quad).collect()
    };
    Changes { added: side(true), removed: side(false) }
}

impl Workspace {
    /// Seals a commit on top of `parent`.
    pub(super) fn seal_commit(
        &self,
        parent: CommitId,
        changes: CommitChanges,
        message: &str,
        time_ms: i64,
    ) -> Result<(CommitId, SealedBlock), WorkspaceError> {
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(WorkspaceError::MessageTooLong(message.len()));
        }
        let genesis = self.genesis(parent)?;
        let commit = Commit {
            parents: vec![parent],
            changes,
            author: self.author(),
            time_ms,
            message: message.to_owned(),
            origin: Origin::Of(genesis),
        };
        Ok(commit.seal(&self.inner.author, &self.inner.key))
    }
}

impl Dataset for Transaction {
    fn permutations(&self) -> PermutationSet {
        self.read().view.permutations()
    }

    fn scan_places(
        &self,
        pattern: &QuadPattern,
        permutation: Permutation,
        places: Places,
    ) -> Result<Box<dyn Scan>, DatasetError> {
        self.read().view.scan_places(pattern, permutation, places)
    }

    fn scan_keys(
        &self,
        pattern: &QuadPattern,
        permutation: Permutation,
        places: Places,
        keys: Keys<'_>,
    ) -> Result<Box<dyn Scan>, DatasetError> {
        self.read().view.scan_keys(pattern, permutation, places, keys)
    }

    fn scan_edge_keys(
        &self,
        pattern: &EdgePattern,
        places: Places,
        keys: Keys<'_>,
    ) -> Result<Box<dyn Scan>, DatasetError> {
        self.read().view.scan_edge_keys(pattern, places, keys)
    }

    fn scan_edge_places(&self, pattern: &EdgePattern, places: Places) -> Result<Box<dyn Scan>, DatasetError> {
        self.read().view.scan_edge_places(pattern, places)
    }

    fn scan_edges_of(
        &self,
        pattern: &EdgePattern,
        places: Places,
        names: &[TermId],
    ) -> Result<Box<dyn Scan>, DatasetError> {
        self.read().view.scan_edges_of(pattern, places, names)
    }

    fn term_id(&self, term: &Term) -> Result<Option<TermId>, DatasetError> {
        self.read().view.term_id(term)
    }

    fn terms(&self, ids: &[TermId]) -> Result<Vec<Term>, DatasetError> {
        self.read().view.terms(ids)
    }

    fn strings(&self, ids: &[TermId], visit: &mut dyn FnMut(usize, &[u8])) -> Result<(), DatasetError> {
        self.read().view.strings(ids, visit)
    }

    fn estimate(&self, pattern: &QuadPattern) -> Result<u64, DatasetError> {
        self.read().view.estimate(pattern)
    }

    fn estimate_within(
        &self,
        pattern: &QuadPattern,
        objects: &RangeInclusive<TermId>,
    ) -> Result<Option<u64>, DatasetError> {
        self.read().view.estimate_within(pattern, objects)
    }

    fn count(&self, pattern: &QuadPattern) -> Result<Option<u64>, DatasetError> {
        self.read().view.count(pattern)
    }

    fn has_sorted_strings(&self) -> bool {
        true
    }

    fn may_know(&self, kind: TermKind) -> bool {
        self.read().view.may_know(kind)
    }

    fn is_reified(&self, predicate: TermId) -> bool {
        let state = self.read();
        if !state.is_changed {
            return self.parent.is_reified(predicate);
        }
        !state.view.changes(predicate) && state.view.base.is_reified(predicate)
    }

    /// Returns the parent's figures: they are hints, and a transaction is small beside it.
    fn statistics(&self) -> Arc<Statistics> {
        self.parent.statistics()
    }

    /// Returns the schema of the data as they stand now. Whoever relies on it must know what reads before the
    /// statement writes.
    fn schema(&self) -> Result<Arc<Schema>, DatasetError> {
        if !self.read().is_changed {
            return self.parent.schema();
        }
        self.write_lock().schema(&self.parent)
    }

    fn named_graphs(&self) -> Result<Vec<TermId>, DatasetError> {
        Ok(self.read().view.named_graphs())
    }

    fn prefetch_keys(&self, pattern: &QuadPattern, permutation: Permutation, keys: &[TermId]) {
        self.read().view.prefetch_keys(pattern, permutation, keys);
    }

    fn prefetch(&self, patterns: &[QuadPattern]) {
        let view = self.read().view.clone();
        view.prefetch(patterns);
    }
}

impl DatasetMut for Transaction {
    fn intern(&self, term: &Term) -> Result<TermId, DatasetError> {
        if let Some(id) = self.term_id(term)? {
            return Ok(id);
        }
        self.write_lock().view.intern(term)
    }

    fn insert(&self, quad: Quad) -> Result<bool, DatasetError> {
        let mut state = self.write_lock();
        let is_new = state.view.insert(&quad)?;
        if is_new {
            state.note(quad, true);
        }
        Ok(is_new)
    }

    fn remove(&self, quad: Quad) -> Result<bool, DatasetError> {
        let mut state = self.write_lock();
        let was_there = state.view.remove(&quad)?;
        if was_there {
            state.note(quad, false);
        }
        Ok(was_there)
    }
}
