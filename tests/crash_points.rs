//! A process that ends between any two steps of a commit, a load, a fold or a collection of garbage: what
//! was acknowledged is there afterwards, nothing is damaged, and the work can be done again.
//!
//! The store tells each step before it takes it. A dry pass counts the steps of the workload; then it is
//! run again and again, and from one more step on nothing reaches the disk.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use reefloom::blockstore::{LocalStore, Step, Store, StoreOptions, SweepOptions};
use reefloom::crypto::{EpochKey, SecretKey, WorkspaceId};
use reefloom::dataset::{Dataset, DatasetMut};
use reefloom::model::{NamedNode, Permutation, Quad, QuadPattern, Term, TermId};
use reefloom::workspace::{
    Access, CommitId, MAIN, Marking, MemoryLimits, Settings, Workspace, WorkspaceError,
};

const LOADED: usize = 60;

/// Opens the store; from step `last` on, the disk fails for good, as if the power were gone.
fn open(folder: &Path, steps: &Arc<AtomicU64>, last: u64) -> Result<Arc<LocalStore>, WorkspaceError> {
    let steps = Arc::clone(steps);
    let watch = move |_: Step| match steps.fetch_add(1, Ordering::SeqCst) < last {
        true => Ok(()),
        false => Err(io::Error::other("the power is gone")),
    };
    let options = StoreOptions { pack_bytes_max: 64 << 10, watch: Some(Arc::new(watch)) };
    Ok(Arc::new(LocalStore::open_with(folder, options)?))
}

fn access(store: &Arc<LocalStore>) -> Access {
    Access {
        store: store.clone(),
        source: store.clone(),
        key: EpochKey::from_secret([1; 32], WorkspaceId([2; 32])),
        author: SecretKey::from_seed(&[3; 32]),
        memory: MemoryLimits { cache_bytes_max: 1 << 20, work_bytes_max: 1 << 20 },
    }
}

fn iri(kind: &str, n: usize) -> NamedNode {
    NamedNode::new_unchecked(format!("http://example.org/{kind}/{n}"))
}

/// What the workload was told is durable: commits, with how many quads they hold.
#[derive(Default)]
struct Acknowledged {
    commits: Vec<(CommitId, u64)>,
    pins: Vec<String>,
}

/// Does some of everything that changes a store.
fn work(store: &Arc<LocalStore>, told: &mut Acknowledged) -> Result<(), WorkspaceError> {
    let workspace = match Workspace::open(access(store)) {
        Err(WorkspaceError::UnknownWorkspace(_)) => Workspace::create(access(store), Settings::default(), 0)?,
        opened => opened?,
    };
    for round in 0..2 {
        let quad =
            |n: usize| oxrdf::Quad::new(iri("a", n), iri("p", n % 5), iri("b", n / 3), iri("g", n % 2));
        let quads: Vec<_> = (round * LOADED / 2..round * LOADED / 2 + LOADED).map(quad).collect();
        let loaded = workspace.load(MAIN, [Ok::<_, io::Error>(quads)], "load", round as i64)?;
        acknowledge(&workspace, loaded.commit, told);
        for n in 0..3 {
            let commit = commit(&workspace, round * 10 + n)?;
            acknowledge(&workspace, commit, told);
        }
        workspace.pin("kept", workspace.branch(MAIN)?)?;
        told.pins = vec!["kept".to_owned()];
        workspace.create_branch(&format!("side{round}"), workspace.branch(MAIN)?)?;
        workspace.fold(workspace.branch(MAIN)?)?;
        workspace.delete_branch(&format!("side{round}"))?;
        collect(&workspace, &**store)?;
        store.checkpoint()?;
    }
    Ok(())
}

fn commit(workspace: &Workspace, n: usize) -> Result<CommitId, WorkspaceError> {
    let transaction = workspace.begin(MAIN)?;
    let [subject, predicate, object] = [iri("small", n), iri("p", 1), iri("b", n)]
        .map(|name| transaction.intern(&Term::from(name)))
        .map(|id| id.map_err(WorkspaceError::from));
    let quad = Quad { subject: subject?, predicate: predicate?, object: object?, graph: TermId::UNDEFINED };
    transaction.insert(quad)?;
    if n.is_multiple_of(2) {
        transaction.write("small", n as i64)?;
        transaction.publish()
    } else {
        transaction.commit("small", n as i64)
    }
}

fn collect(workspace: &Workspace, store: &dyn Store) -> Result<(), WorkspaceError> {
    let marking = Marking::begin(workspace, 1)?;
    let _paused = workspace.pause_writes();
    let needs = marking.finish()?;
    workspace.forget_runs(&needs.spare_runs)?;
    store.sweep(&|id| needs.blocks.contains(id), SweepOptions::all())?;
    Ok(())
}

fn acknowledge(workspace: &Workspace, commit: CommitId, told: &mut Acknowledged) {
    let quads = workspace.snapshot(commit).unwrap().statistics().quads;
    told.commits.push((commit, quads));
}

fn count(workspace: &Workspace, commit: CommitId) -> u64 {
    let snapshot = workspace.snapshot(commit).unwrap();
    let mut rows = 0;
    for permutation in Permutation::DEFAULT {
        let mut scan = snapshot.scan(&QuadPattern::default(), permutation).unwrap();
        rows = 0;
        while let Some(batch) = scan.next_batch().unwrap() {
            rows += batch.rows() as u64;
        }
        assert_eq!(rows, snapshot.statistics().quads);
    }
    rows
}

/// Opens the folder as the next process would, and checks that it holds all that was promised.
fn check(folder: &Path, told: &Acknowledged, at: u64) {
    let store = Arc::new(LocalStore::open(folder).unwrap());
    let workspace = match Workspace::open(access(&store)) {
        Err(WorkspaceError::UnknownWorkspace(_)) if told.commits.is_empty() => return,
        opened => opened.unwrap(),
    };
    let report = workspace.verify().unwrap();
    assert!(report.is_clean(), "after {at} steps: {report:?}");
    for (commit, quads) in &told.commits {
        assert_eq!(count(&workspace, *commit), *quads, "after {at} steps");
    }
    let pins: Vec<String> = workspace.pins().unwrap().into_iter().map(|(name, _)| name).collect();
    assert!(told.pins.iter().all(|pin| pins.contains(pin)), "after {at} steps: {pins:?}");
    // And it goes on as if nothing had been.
    let head = workspace.branch(MAIN).unwrap();
    let before = count(&workspace, head);
    let next = commit(&workspace, 1000 + at as usize).unwrap();
    workspace.fold(next).unwrap();
    collect(&workspace, &*store).unwrap();
    assert_eq!(count(&workspace, next), before + 1);
    assert!(workspace.verify().unwrap().is_clean());
}

#[test]
fn the_end_may_come_between_any_two_steps() {
    let folder = tempfile::tempdir().unwrap();
    let steps = Arc::new(AtomicU64::new(0));
    let mut told = Acknowledged::default();
    work(&open(folder.path(), &steps, u64::MAX).unwrap(), &mut told).unwrap();
    let total = steps.load(Ordering::SeqCst);
    check(folder.path(), &told, total);
    assert!(total > 60, "{total} steps");
    for last in 0..total {
        let folder = tempfile::tempdir().unwrap();
        let steps = Arc::new(AtomicU64::new(0));
        let mut told = Acknowledged::default();
        let ended = open(folder.path(), &steps, last).and_then(|store| work(&store, &mut told));
        // Only what closes the store comes after the workload.
        assert!(ended.is_err() || last + 10 > total, "{last} of {total} steps");
        check(folder.path(), &told, last);
    }
}
