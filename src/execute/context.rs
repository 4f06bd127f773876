//! `Context`: the world and the limits of one query.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak};
use std::time::Instant;

use rustc_hash::FxHashSet;

use super::constraint;
use super::journal::Journal;
use super::virtual_entities::VirtualEntities;
use super::{ExecuteError, UpdateSummary, Values};
use crate::dataset::{Dataset, DatasetError, DatasetMut, Keys, Places, Scan, Statistics};
use crate::model::{
    EdgePattern, GraphFilter, NamedNode, Permutation, PermutationSet, Quad, QuadPattern, Term, TermId,
    TermKind, Value, Vocabulary,
};
use crate::plan::{GraphSelector, Schema, Variable};

/// Variables from here on are made by the executor; no plan has so many.
const FIRST_FRESH: u32 = 1 << 30;

/// How far a query may go.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    pub deadline: Option<Instant>,
    /// Bytes that operators may hold at once; 0 is no bound.
    pub memory_bytes_max: usize,
    /// Rows that a result may have; past it, [`super::Rows::is_cut_off`] says so.
    pub rows_max: Option<u64>,
}

/// All that operators and expressions of one query share.
pub struct Context {
    pub dataset: Arc<dyn Dataset>,
    /// The same world as `dataset`, when the query may write.
    pub changes: Option<Arc<dyn DatasetMut>>,
    pub parameters: BTreeMap<String, Value>,
    pub vocabulary: Vocabulary,
    /// What property-graph functions read; writes go to the graph that it names.
    pub default_graph: GraphSelector,
    /// The graphs that constraints hold for, read as one.
    pub constrained: GraphFilter,
    /// The moment of the query's start, in milliseconds since 1970-01-01T00:00:00Z.
    pub now_ms: i64,
    pub limits: Limits,
    pub cancel: Arc<AtomicBool>,
    pub values: Values,
    /// What procedures draw.
    pub(super) virtuals: VirtualEntities,
    pub procedures: Procedures,
    /// Answers SERVICE; without one it fails.
    pub services: Option<Arc<dyn ServiceHandler>>,
    /// Answers LOAD; without one it fails.
    pub loader: Option<Arc<dyn GraphLoader>>,
    /// Opens the files of LOAD CSV; without one it fails.
    pub files: Option<Arc<dyn FileOpener>>,
    memory: Arc<AtomicUsize>,
    fresh: AtomicU32,
    deleted: RwLock<FxHashSet<TermId>>,
    summary: Mutex<UpdateSummary>,
    /// What a batch does that may have to be undone.
    journal: Mutex<Option<Journal>>,
    /// This context itself, once it runs something.
    this: OnceLock<Weak<Context>>,
}

/// Sends a pattern to another SPARQL endpoint.
pub trait ServiceHandler: Send + Sync {
    /// Returns the rows of `text`, a SELECT query of so many columns, in their order.
    fn query(
        &self,
        endpoint: &NamedNode,
        text: &str,
        columns: usize,
    ) -> Result<Vec<Vec<Option<Term>>>, String>;
}

/// Fetches a document for LOAD.
pub trait GraphLoader: Send + Sync {
    /// Returns the quads of the document; blank nodes are fresh.
    fn load(&self, source: &NamedNode) -> Result<Vec<oxrdf::Quad>, String>;
}

/// Opens files by the addresses that queries name; it decides which they may.
pub trait FileOpener: Send + Sync {
    /// Returns the file's bytes, or why they are not given.
    fn open(&self, address: &str) -> Result<Box<dyn std::io::Read + Send>, String>;
}

/// A procedure that CALL can name.
pub trait Procedure: Send + Sync {
    /// The names of the result fields, in order.
    fn fields(&self) -> Vec<String>;

    /// Returns rows of `fields().len()` values.
    fn call(&self, arguments: &[Value], context: &Context) -> Result<Vec<Vec<Value>>, ExecuteError>;
}

/// The procedures that a query may call, by full name.
#[derive(Clone, Default)]
pub struct Procedures(BTreeMap<String, Arc<dyn Procedure>>);

impl Procedures {
    pub fn register(&mut self, name: impl Into<String>, procedure: Arc<dyn Procedure>) {
        self.0.insert(name.into(), procedure);
    }

    pub fn get(&self, name: &str) -> Option<&Arc<dyn Procedure>> {
        self.0.get(name)
    }
}

impl Context {
    /// Makes a context that reads `dataset`, without limits.
    pub fn new(dataset: Arc<dyn Dataset>) -> Context {
        Context {
            dataset,
            changes: None,
            parameters: BTreeMap::new(),
            vocabulary: Vocabulary::default(),
            default_graph: GraphSelector::Default,
            constrained: GraphFilter::One(TermId::UNDEFINED),
            now_ms: 0,
            limits: Limits::default(),
            cancel: Arc::new(AtomicBool::new(false)),
            values: Values::default(),
            virtuals: VirtualEntities::default(),
            procedures: Procedures::default(),
            services: None,
            loader: None,
            files: None,
            memory: Arc::new(AtomicUsize::new(0)),
            fresh: AtomicU32::new(FIRST_FRESH),
            summary: Mutex::default(),
            journal: Mutex::default(),
            deleted: RwLock::default(),
            this: OnceLock::new(),
        }
    }

    /// Makes a context that reads and writes `changes`, without limits.
    pub fn writing(changes: Arc<dyn DatasetMut>) -> Context {
        let dataset: Arc<dyn Dataset> = Arc::new(Interning(changes.clone()));
        Context { changes: Some(changes), ..Context::new(dataset) }
    }

    /// Returns what the statement has changed so far.
    pub fn summary(&self) -> UpdateSummary {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers the nodes and relationships that a clause has deleted.
    pub(super) fn note_deleted(&self, deleted: &FxHashSet<TermId>) {
        if deleted.is_empty() {
            return;
        }
        let mut all = self.deleted.write().unwrap_or_else(PoisonError::into_inner);
        let new = deleted.iter().copied().filter(|id| all.insert(*id));
        match self.journal().as_mut() {
            Some(journal) => journal.deleted.extend(new),
            None => new.for_each(drop),
        }
    }

    /// Notes an effective change.
    pub(super) fn note_change(&self, quad: Quad, is_added: bool) {
        if let Some(journal) = self.journal().as_mut() {
            journal.changes.push((quad, is_added));
        }
    }

    fn journal(&self) -> MutexGuard<'_, Option<Journal>> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a batch, which ends by [`Context::keep_batch`] or [`Context::undo_batch`]; there are none within
    /// another.
    pub(super) fn begin_batch(&self) {
        let before = self.journal().replace(Journal::new(self.summary()));
        assert!(before.is_none(), "a batch within a batch");
    }

    /// Ends a batch for good.
    ///
    /// # Errors
    /// If what it changed breaks a constraint; then it goes on, to be undone.
    pub(super) fn keep_batch(&self) -> Result<(), ExecuteError> {
        let mut journal = self.journal();
        if let (Some(changes), Some(journal)) = (&self.changes, journal.as_ref()) {
            let changed: Vec<Quad> = journal.changes.iter().map(|(quad, _)| *quad).collect();
            constraint::check(&**changes, &changed, &self.constrained, &self.vocabulary)?;
        }
        *journal = None;
        Ok(())
    }

    /// Undoes what a batch did, and ends it.
    pub(super) fn undo_batch(&self) -> Result<(), ExecuteError> {
        let Some(journal) = self.journal().take() else { return Ok(()) };
        if let Some(changes) = &self.changes {
            journal.undo(&**changes)?;
        }
        let mut deleted = self.deleted.write().unwrap_or_else(PoisonError::into_inner);
        journal.deleted.iter().for_each(|id| {
            deleted.remove(id);
        });
        *self.summary.lock().unwrap_or_else(PoisonError::into_inner) = journal.summary;
        Ok(())
    }

    /// Checks that an earlier clause of the statement has deleted none of these.
    ///
    /// # Errors
    /// EntityNotFound, as Cypher has it for reading what is gone.
    pub(super) fn check_not_deleted(
        &self,
        mut ids: impl Iterator<Item = TermId>,
    ) -> Result<(), ExecuteError> {
        let deleted = self.deleted.read().unwrap_or_else(PoisonError::into_inner);
        if !deleted.is_empty() && ids.any(|id| deleted.contains(&id)) {
            let message = "a node or relationship that this statement has deleted is read again";
            return Err(ExecuteError::runtime(
                super::RuntimeCode::EntityNotFound,
                "DeletedEntityAccess",
                message,
            ));
        }
        Ok(())
    }

    /// Adds to what the statement has changed.
    pub(super) fn count(&self, changed: &UpdateSummary) {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner).add(changed);
    }

    /// Remembers its owner, so that plans inside expressions can run.
    pub(super) fn share(self: &Arc<Context>) {
        self.this.get_or_init(|| Arc::downgrade(self));
    }

    /// Returns the owner of this context.
    pub(super) fn shared(&self) -> Result<Arc<Context>, ExecuteError> {
        let this = self.this.get().and_then(Weak::upgrade);
        this.ok_or_else(|| ExecuteError::Plan("a plan in an expression that nothing executes".to_owned()))
    }

    /// Returns an error if the query was cancelled, is past its deadline or holds too much. Operators call it once
    /// a batch, and loops that produce nothing call it every few thousand steps.
    pub fn check(&self) -> Result<(), ExecuteError> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(ExecuteError::Cancelled);
        }
        let budget = self.limits.memory_bytes_max;
        if budget != 0 && self.memory.load(Ordering::Relaxed) + self.values.bytes() > budget {
            return Err(ExecuteError::MemoryExceeded { budget });
        }
        match self.limits.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(ExecuteError::Deadline),
            _ => Ok(()),
        }
    }

    /// Opens an account on the query's memory budget; what it holds is given back when it is dropped.
    pub fn reserve(&self) -> Reservation {
        Reservation { total: self.memory.clone(), budget: self.limits.memory_bytes_max, bytes: 0 }
    }

    /// Returns a variable that no plan has.
    pub(super) fn fresh_variable(&self) -> Variable {
        Variable(self.fresh.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns a fresh IRI for a new node or relationship, under the workspace's base.
    pub fn mint(&self) -> Result<NamedNode, ExecuteError> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)
            .map_err(|e| ExecuteError::Unsupported(format!("no randomness to mint ids from: {e}")))?;
        let text = data_encoding::BASE32_NOPAD.encode(&random).to_ascii_lowercase();
        Ok(NamedNode::new_unchecked(format!("{}n-{text}", self.vocabulary.base)))
    }
}

/// Bytes that one operator holds, counted against the query's budget.
#[derive(Debug)]
pub struct Reservation {
    total: Arc<AtomicUsize>,
    budget: usize,
    bytes: usize,
}

impl Reservation {
    /// Accounts for `bytes` more.
    ///
    /// # Errors
    /// [`ExecuteError::MemoryExceeded`] if the query would hold more than its budget.
    pub fn grow(&mut self, bytes: usize) -> Result<(), ExecuteError> {
        self.bytes += bytes;
        let before = self.total.fetch_add(bytes, Ordering::Relaxed);
        if self.budget != 0 && before + bytes > self.budget {
            return Err(ExecuteError::MemoryExceeded { budget: self.budget });
        }
        Ok(())
    }

    /// Gives everything back.
    pub fn release(&mut self) {
        self.total.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = 0;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.release();
    }
}

/// A dataset under change in which every term that is asked for has an id: what a query computes
/// before a write and reads back after it is then one id.
struct Interning(Arc<dyn DatasetMut>);

impl Dataset for Interning {
    fn permutations(&self) -> PermutationSet {
        self.0.permutations()
    }

    fn scan_places(
        &self,
        pattern: &QuadPattern,
        permutation: Permutation,
        places: Places,
    ) -> Result<Box<dyn Scan>, DatasetError> {
        self.0.scan_places(pattern, permutation, places)
    }

    fn scan_keys(
        &self,
        pattern: &QuadPattern,
        permutation: Permutation,
        places: Places,
        keys: Keys<'_>,
    ) -> Result<Box<dyn Scan>, DatasetError> {
        self.0.scan_keys(pattern, permutation, places, keys)
    }

    fn scan_edge_keys(
        &self,
        pattern: &EdgePattern,
        places: Places,
        keys: Keys<'_>,
    ) -> Result<Box<dyn Scan>, DatasetError> {
        self.0.scan_edge_keys(pattern, places, keys)
    }

    fn scan_edge_places(&self, pattern: &EdgePattern, places: Places) -> Result<Box<dyn Scan>, DatasetError> {
        self.0.scan_edge_places(pattern, places)
    }

    fn scan_edges_of(
        &self,
        pattern: &EdgePattern,
        places: Places,
        names: &[TermId],
    ) -> Result<Box<dyn Scan>, DatasetError> {
        self.0.scan_edges_of(pattern, places, names)
    }

    fn term_id(&self, term: &Term) -> Result<Option<TermId>, DatasetError> {
        self.0.intern(term).map(Some)
    }

    fn terms(&self, ids: &[TermId]) -> Result<Vec<Term>, DatasetError> {
        self.0.terms(ids)
    }

    fn strings(&self, ids: &[TermId], visit: &mut dyn FnMut(usize, &[u8])) -> Result<(), DatasetError> {
        self.0.strings(ids, visit)
    }

    fn estimate(&self, pattern: &QuadPattern) -> Result<u64, DatasetError> {
        self.0.estimate(pattern)
    }

    fn count(&self, pattern: &QuadPattern) -> Result<Option<u64>, DatasetError> {
        self.0.count(pattern)
    }

    fn has_sorted_strings(&self) -> bool {
        self.0.has_sorted_strings()
    }

    fn may_know(&self, kind: TermKind) -> bool {
        self.0.may_know(kind)
    }

    fn is_reified(&self, predicate: TermId) -> bool {
        self.0.is_reified(predicate)
    }

    fn statistics(&self) -> Arc<Statistics> {
        self.0.statistics()
    }

    fn schema(&self) -> Result<Arc<Schema>, DatasetError> {
        self.0.schema()
    }

    fn named_graphs(&self) -> Result<Vec<TermId>, DatasetError> {
        self.0.named_graphs()
    }

    fn prefetch_keys(&self, pattern: &QuadPattern, permutation: Permutation, keys: &[TermId]) {
        self.0.prefetch_keys(pattern, permutation, keys);
    }

    fn prefetch(&self, patterns: &[QuadPattern]) {
        self.0.prefetch(patterns);
    }
}
