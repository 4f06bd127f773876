//! `CommitLine`: where the writes of a workspace become commits, each on top of the one before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::hosted::constrained;
use super::turns::{Turns, Work};
use super::write::Write;
use super::{Answer, EngineError, Hosted};
use crate::execute::{UpdateSummary, constraint, schema_rule};
use crate::workspace::{Pending, Settings, Snapshot, Staged, Transaction};

/// How often a write is tried again when another writer was faster.
const TRIES_MAX: usize = 16;

/// What is to become one commit of a branch.
pub(super) struct Job {
    pub branch: String,
    pub writes: Vec<Write>,
    /// What the writes are known to have changed, if they were run before: they must change as much again.
    pub told: Vec<UpdateSummary>,
    /// The commits at which the branch may stand; any if `None`.
    pub only_at: Option<Vec<String>>,
    pub message: String,
    pub now_ms: i64,
}

/// The answer of a job's last write, with its commit.
type Outcome = Result<(Answer, Pending), EngineError>;

/// Writers of this node take turns, so that they do not make each other start again. A statement is run on top of
/// commits that have no id yet, while those are sealed and signed; if they come to nothing, because somebody else
/// moved the branch, it is run again.
#[derive(Default)]
pub(super) struct CommitLine {
    turns: Turns<Job, Made, Outcome>,
    /// What was staged last on each branch, until it is finished.
    tips: Mutex<BTreeMap<String, Arc<Snapshot>>>,
}

/// What is made of a job before it is finished.
enum Made {
    Staged {
        job: Job,
        answer: Answer,
        staged: Staged,
    },
    /// It failed on top of a commit that may come to nothing.
    Failed {
        job: Job,
        error: EngineError,
        parent: Arc<Snapshot>,
    },
    /// It is run when all before it are finished: it asks where the branch stands then, or cannot begin now.
    Later(Job),
}

impl CommitLine {
    /// Makes a commit when it is its turn; it may be on its way to the disk.
    pub fn take(&self, hosted: &Hosted, job: Job) -> Outcome {
        self.turns.take(&Writer { line: self, hosted }, job)
    }

    fn tips(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Snapshot>>> {
        self.tips.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Writer<'a> {
    line: &'a CommitLine,
    hosted: &'a Hosted,
}

impl Work for Writer<'_> {
    type Job = Job;
    type Made = Made;
    type Done = Outcome;

    fn make(&self, job: Job) -> Made {
        if job.only_at.is_some() || !job.told.is_empty() {
            return Made::Later(job);
        }
        let workspace = self.hosted.workspace();
        let tip = self.line.tips().get(&job.branch).cloned();
        let on_tip = tip.and_then(|tip| workspace.begin_on(&job.branch, &tip));
        let Some(transaction) = on_tip.or_else(|| workspace.begin(&job.branch).ok()) else {
            return Made::Later(job);
        };
        let transaction = Arc::new(transaction);
        match job.perform(self.hosted, &transaction) {
            Ok(answer) => {
                let staged = transaction.stage(&job.message, job.now_ms);
                self.line.tips().insert(job.branch.clone(), Arc::clone(staged.snapshot()));
                Made::Staged { job, answer, staged }
            }
            Err(error) => Made::Failed { job, error, parent: Arc::clone(transaction.begun_on()) },
        }
    }

    fn is_alone(&self, round: &[&Made]) -> bool {
        // On each branch the first was staged on what is finished, or came to nothing.
        let mut branches = BTreeSet::new();
        round.iter().any(|made| match made {
            Made::Staged { job, staged, .. } => branches.insert(&job.branch) && !staged.is_on_sealed(),
            Made::Later(_) => true,
            Made::Failed { .. } => false,
        })
    }

    fn finish(&self, round: Vec<Made>) -> Vec<Outcome> {
        let mut pending = self.append(&round);
        let outcomes = round.into_iter().enumerate().map(|(place, made)| match made {
            Made::Staged { job, answer, .. } => match pending.remove(&place) {
                Some(pending) => Ok((answer, pending)),
                None => self.hosted.commit(&job),
            },
            Made::Failed { error, parent, .. } if parent.is_sealed() => Err(error),
            Made::Failed { job, .. } | Made::Later(job) => self.hosted.commit(&job),
        });
        outcomes.collect()
    }

    fn settle(&self, outcome: &Outcome) {
        if let Ok((_, pending)) = outcome {
            // A failure is told to whose commit it is, when they wait themselves.
            let _ = pending.wait();
        }
    }
}

impl Writer<'_> {
    /// Appends what was staged, branch by branch; returns what is on its way then, by its place in the round.
    fn append(&self, round: &[Made]) -> BTreeMap<usize, Pending> {
        let mut chains: BTreeMap<&str, Vec<(usize, &Staged)>> = BTreeMap::new();
        for (place, made) in round.iter().enumerate() {
            if let Made::Staged { job, staged, .. } = made {
                chains.entry(&job.branch).or_default().push((place, staged));
            }
        }
        let mut all = BTreeMap::new();
        for (branch, chain) in chains {
            let staged: Vec<&Staged> = chain.iter().map(|(_, staged)| *staged).collect();
            // What cannot be appended is run again, and fails by itself then.
            let pending = self.hosted.workspace().append_staged(branch, &staged).unwrap_or_default();
            all.extend(chain.iter().map(|(place, _)| *place).zip(pending));
            let mut tips = self.line.tips();
            // Sealed it is found as the branch's; else nothing may build on it.
            let is_of_chain =
                |tip: &Arc<Snapshot>| staged.iter().any(|staged| Arc::ptr_eq(tip, staged.snapshot()));
            if tips.get(branch).is_some_and(is_of_chain) {
                tips.remove(branch);
            }
        }
        all
    }
}

impl Job {
    /// Writes into a transaction; returns the last answer.
    fn perform(&self, hosted: &Hosted, transaction: &Arc<Transaction>) -> Result<Answer, EngineError> {
        let mut last = None;
        for (place, write) in self.writes.iter().enumerate() {
            let answer = write.perform(hosted, transaction)?;
            if self.told.get(place).is_some_and(|told| answer.changes().as_ref() != Some(told)) {
                return Err(self.not_at(transaction));
            }
            last = Some(answer);
        }
        check_constraints(transaction, &*hosted.workspace().settings()?)?;
        Ok(last.expect("a job has a write at least"))
    }

    /// Returns the error of who finds the branch where the job cannot be done.
    fn not_at(&self, transaction: &Transaction) -> EngineError {
        EngineError::NotAt { branch: self.branch.clone(), commit: transaction.parent().to_string() }
    }
}

impl Hosted {
    /// Makes a commit where the branch stands, and again where it stands then if another was faster.
    fn commit(&self, job: &Job) -> Outcome {
        for _ in 1..TRIES_MAX {
            match self.try_commit(job) {
                Err(EngineError::Conflict(_)) => {}
                result => return result,
            }
        }
        self.try_commit(job)
    }

    fn try_commit(&self, job: &Job) -> Outcome {
        let transaction = Arc::new(self.workspace().begin(&job.branch)?);
        let is_elsewhere = |commits: &Vec<String>| !commits.contains(&transaction.parent().to_string());
        if job.only_at.as_ref().is_some_and(is_elsewhere) {
            return Err(job.not_at(&transaction));
        }
        let answer = job.perform(self, &transaction)?;
        // What is only explained changes nothing, and nothing is no commit.
        Ok((answer, transaction.append(&job.message, job.now_ms)?))
    }
}

/// Checks what a transaction changed against the constraints of its branch.
pub(super) fn check_constraints(transaction: &Transaction, settings: &Settings) -> Result<(), EngineError> {
    if !schema_rule::may_be_in(transaction)? {
        return Ok(());
    }
    let (changed, graph) = (transaction.changed(), constrained(settings));
    Ok(constraint::check(transaction, &changed, &graph, &settings.vocabulary)?)
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::blockstore::{LocalStore, Step, Store, StoreOptions};
    use crate::crypto::{EpochKey, SecretKey, WorkspaceId};
    use crate::dataset::{Dataset, DatasetMut};
    use crate::engine::{Language, Request};
    use crate::model::{NamedNode, Quad, QuadPattern, TermId};
    use crate::workspace::{Access, CommitId, MAIN, MemoryLimits, Workspace};

    fn hosted(store: Arc<dyn Store>) -> Hosted {
        let access = Access {
            source: store.clone(),
            store,
            key: EpochKey::from_secret([1; 32], WorkspaceId([2; 32])),
            author: SecretKey::from_seed(&[3; 32]),
            memory: MemoryLimits::default(),
        };
        let workspace = Workspace::create(access, Settings::default(), 0).unwrap();
        Hosted::new("w".to_owned(), workspace, None, Weak::new())
    }

    /// Inserts a triple of its own.
    fn insert(hosted: &Hosted, name: &str) -> Result<CommitId, EngineError> {
        let text = format!("INSERT DATA {{ <http://a/{name}> <http://a/p> <http://a/o> }}");
        let request = Request { may_write: true, ..Request::new(Language::SparqlUpdate, text, 0) };
        hosted.run(&request).map(|response| response.commit)
    }

    /// Moves the branch as a merge does, past the line.
    fn move_branch(hosted: &Hosted, name: &str) -> CommitId {
        loop {
            let transaction = hosted.workspace().begin(MAIN).unwrap();
            let id = |name: &str| {
                transaction.intern(&NamedNode::new_unchecked(format!("http://a/{name}")).into()).unwrap()
            };
            let (subject, predicate, object) = (id(name), id("p"), id("o"));
            transaction.insert(Quad { subject, predicate, object, graph: TermId::UNDEFINED }).unwrap();
            if let Ok(commit) = transaction.commit("past the line", 0) {
                return commit;
            }
        }
    }

    /// Checks that the branch has these commits, each once, and as many quads.
    fn check(hosted: &Hosted, mut commits: Vec<CommitId>) {
        let head = hosted.workspace().branch(MAIN).unwrap();
        let log = hosted.log(None, usize::MAX).unwrap();
        let mut found: Vec<CommitId> = log.iter().map(|entry| entry.id).collect();
        // The one that the workspace began with changed nothing.
        found.pop();
        found.sort_unstable();
        commits.sort_unstable();
        assert_eq!(found, commits);
        let count = |at| hosted.workspace().snapshot(at).unwrap().count(&QuadPattern::default()).unwrap();
        assert_eq!(count(head), Some(commits.len() as u64));
        for (before, entry) in log.iter().rev().enumerate().step_by(17) {
            assert_eq!(count(entry.id), Some(before as u64), "one quad a commit");
        }
    }

    #[test]
    fn commits_of_many_stand_one_on_the_other_whoever_else_moves_the_branch() {
        let hosted = &hosted(Arc::new(crate::blockstore::MemoryStore::new()));
        let commits = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for writer in 0..6 {
                let commits = &commits;
                scope.spawn(move || {
                    for n in 0..60 {
                        let commit = insert(hosted, &format!("{writer}/{n}")).unwrap();
                        commits.lock().unwrap().push(commit);
                    }
                });
            }
            scope.spawn(|| {
                for n in 0..40 {
                    let commit = move_branch(hosted, &format!("past/{n}"));
                    commits.lock().unwrap().push(commit);
                    // Whoever is never let through gives up in the end.
                    thread::sleep(Duration::from_millis(1));
                }
            });
            scope.spawn(|| {
                for _ in 0..10 {
                    hosted.workspace().fold(hosted.workspace().branch(MAIN).unwrap()).unwrap();
                }
            });
            scope.spawn(|| {
                for n in 0..60 {
                    let text =
                        format!("CREATE (:A {{n: {n}}}) WITH 1 AS one UNWIND [1, 0] AS x RETURN one / x");
                    let request = Request { may_write: true, ..Request::new(Language::Cypher, text, 0) };
                    assert!(matches!(hosted.run(&request), Err(EngineError::Runtime(_))));
                }
            });
            scope.spawn(|| {
                for _ in 0..30 {
                    let at = hosted.workspace().branch(MAIN).unwrap();
                    let text = "DELETE DATA { <http://a/none> <http://a/p> <http://a/o> }".to_owned();
                    let only_at = Some(vec![at.to_string()]);
                    let request =
                        Request { may_write: true, ..Request::new(Language::SparqlUpdate, text, 0) };
                    match hosted.run(&Request { only_at, ..request }) {
                        Ok(response) => assert_eq!(response.commit, at, "nothing changed"),
                        Err(error) => assert!(matches!(error, EngineError::NotAt { .. })),
                    }
                }
            });
        });
        check(hosted, commits.into_inner().unwrap());
    }

    #[test]
    fn what_is_refused_is_not_there_and_what_is_acknowledged_is() {
        let folder = tempfile::tempdir().unwrap();
        let appends = Arc::new(AtomicU64::new(0));
        let watch = {
            let appends = appends.clone();
            move |step: Step| match step {
                Step::Append { .. } if appends.fetch_add(1, Ordering::Relaxed) % 5 == 4 => {
                    Err(std::io::Error::from(std::io::ErrorKind::StorageFull))
                }
                _ => Ok(()),
            }
        };
        let options = StoreOptions { watch: Some(Arc::new(watch)), ..Default::default() };
        let hosted = &hosted(Arc::new(LocalStore::open_with(folder.path(), options).unwrap()));
        let (commits, refused) = (Mutex::new(Vec::new()), AtomicU64::new(0));
        thread::scope(|scope| {
            for writer in 0..6 {
                let (commits, refused) = (&commits, &refused);
                scope.spawn(move || {
                    for n in 0..60 {
                        match insert(hosted, &format!("{writer}/{n}")) {
                            Ok(commit) => commits.lock().unwrap().push(commit),
                            Err(EngineError::Storage(_)) => _ = refused.fetch_add(1, Ordering::Relaxed),
                            Err(error) => panic!("{error}"),
                        }
                    }
                });
            }
        });
        assert!(refused.into_inner() > 0);
        check(hosted, commits.into_inner().unwrap());
    }
}
