//! `kill -9` at random moments of loads, small commits, folds and collections of garbage: whatever was
//! acknowledged is there afterwards, and nothing is damaged.
//!
//! The writer is this binary again, told by an environment variable to be one. `RECOVERY_SEED`
//! repeats a run, `RECOVERY_ROUNDS` makes it longer.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reefloom::blockstore::{LocalStore, Store, SweepOptions};
use reefloom::crypto::{EpochKey, SecretKey, WorkspaceId};
use reefloom::dataset::{Dataset, DatasetMut};
use reefloom::model::{NamedNode, Permutation, Quad, QuadPattern, Term, TermId};
use reefloom::workspace::{
    Access, CommitId, MAIN, Marking, MemoryLimits, Settings, Workspace, WorkspaceError,
};

const FOLDER: &str = "REEFLOOM_RECOVERY_FOLDER";
const ROUNDS: u64 = 30;
/// A folder is killed over so many times before the next is begun.
const ROUNDS_PER_FOLDER: u64 = 6;
const QUADS_PER_LOAD: usize = 2_000;
const COMMITS: usize = 200;
const KILL_AFTER_MS_MAX: u64 = 600;

fn open_store(folder: &Path) -> Arc<LocalStore> {
    Arc::new(LocalStore::open(folder).unwrap())
}

fn access(store: &Arc<LocalStore>) -> Access {
    Access {
        store: store.clone(),
        source: store.clone(),
        key: EpochKey::from_secret([1; 32], WorkspaceId([2; 32])),
        author: SecretKey::from_seed(&[3; 32]),
        memory: MemoryLimits { cache_bytes_max: 16 << 20, work_bytes_max: 64 << 20 },
    }
}

fn open_or_create(store: &Arc<LocalStore>) -> Workspace {
    match Workspace::open(access(store)) {
        Err(WorkspaceError::UnknownWorkspace(_)) => {
            Workspace::create(access(store), Settings::default(), 0).unwrap()
        }
        opened => opened.unwrap(),
    }
}

/// Says that a commit is durable, with how many quads there are now.
fn acknowledge(commit: CommitId, quads: u64) {
    println!("\nacknowledged {} {quads}", commit.0);
    std::io::stdout().flush().unwrap();
}

fn iri(kind: &str, n: u64) -> NamedNode {
    NamedNode::new_unchecked(format!("http://example.org/{kind}/{n}"))
}

/// The process that is killed; does nothing when run as a test.
#[test]
fn writer() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let store = open_store(Path::new(&folder));
    let workspace = open_or_create(&store);
    let snapshot = workspace.snapshot(workspace.branch(MAIN).unwrap()).unwrap();
    let begin = snapshot.statistics().quads;
    let quad = |n: u64| oxrdf::Quad::new(iri("a", n), iri("p", n % 5), iri("b", n / 3), iri("g", n % 2));
    let quads: Vec<_> = (begin..begin + QUADS_PER_LOAD as u64).map(quad).collect();
    let loaded = workspace.load(MAIN, [Ok::<_, std::io::Error>(quads)], "load", 1).unwrap();
    let mut count = begin + loaded.quads_added;
    acknowledge(loaded.commit, count);
    for _ in 0..COMMITS {
        let transaction = workspace.begin(MAIN).unwrap();
        let [subject, predicate, object] = [iri("small", count), iri("p", 1), iri("b", count)]
            .map(|name| transaction.intern(&Term::from(name)).unwrap());
        assert!(transaction.insert(Quad { subject, predicate, object, graph: TermId::UNDEFINED }).unwrap());
        // In turns, in two steps and in one: the engine takes the latter, which syncs once.
        let commit = if count.is_multiple_of(2) {
            transaction.write("small", count as i64).unwrap();
            transaction.publish().unwrap()
        } else {
            transaction.commit("small", count as i64).unwrap()
        };
        count += 1;
        acknowledge(commit, count);
        if count.is_multiple_of(40) {
            workspace.fold(commit).unwrap();
            collect(&workspace, &*store);
        }
    }
}

fn collect(workspace: &Workspace, store: &dyn Store) {
    let marking = Marking::begin(workspace, 1).unwrap();
    let _paused = workspace.pause_writes();
    let needs = marking.finish().unwrap();
    workspace.forget_runs(&needs.spare_runs).unwrap();
    store.sweep(&|id| needs.blocks.contains(id), SweepOptions::all()).unwrap();
}

/// Runs a writer and kills it after a while; returns what it acknowledged.
fn run_and_kill(folder: &Path, after: Duration) -> Vec<(CommitId, u64)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let reader = thread::spawn(move || -> Vec<(CommitId, u64)> {
        let lines = output.lines().map_while(Result::ok);
        lines
            .filter_map(|line| {
                let (commit, quads) = line.strip_prefix("acknowledged ")?.split_once(' ')?;
                Some((commit.parse().ok()?, quads.parse().ok()?))
            })
            .collect()
    });
    let end = Instant::now() + after;
    while Instant::now() < end && child.try_wait().unwrap().is_none() {
        thread::sleep(Duration::from_millis(1));
    }
    // SIGKILL on Unix; an error means that it ended by itself.
    let _ = child.kill();
    child.wait().unwrap();
    reader.join().unwrap()
}

/// Checks that the folder holds all that was acknowledged in it; returns how many quads there are.
fn check(folder: &Path, acknowledged: &[(CommitId, u64)]) -> u64 {
    let workspace = match Workspace::open(access(&open_store(folder))) {
        Err(WorkspaceError::UnknownWorkspace(_)) if acknowledged.is_empty() => return 0,
        opened => opened.unwrap(),
    };
    let tip = workspace.branch(MAIN).unwrap();
    let history: BTreeSet<CommitId> = workspace.log(tip).unwrap().map(|commit| commit.unwrap().id).collect();
    for (commit, _) in acknowledged {
        assert!(history.contains(commit), "{commit} was acknowledged and is lost");
    }
    let report = workspace.verify().unwrap();
    assert!(report.is_clean(), "{report:?}");
    let snapshot = workspace.snapshot(tip).unwrap();
    let mut scan = snapshot.scan(&QuadPattern::default(), Permutation::Pos).unwrap();
    let mut rows = 0;
    while let Some(batch) = scan.next_batch().unwrap() {
        rows += batch.rows() as u64;
    }
    let last = acknowledged.iter().map(|(_, quads)| *quads).max().unwrap_or(0);
    assert!(rows >= last && rows == snapshot.statistics().quads, "{rows} quads, {last} were acknowledged");
    rows
}

#[test]
fn what_was_acknowledged_survives_being_killed() {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = std::env::var("RECOVERY_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(clock | 1);
    println!("RECOVERY_SEED={seed}");
    let mut state: u64 = seed;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut total = 0;
    let mut folder = tempfile::tempdir().unwrap();
    let mut acknowledged: Vec<(CommitId, u64)> = Vec::new();
    let rounds = std::env::var("RECOVERY_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    for round in 0..rounds {
        if round % ROUNDS_PER_FOLDER == 0 {
            folder = tempfile::tempdir().unwrap();
            acknowledged.clear();
        }
        let after = Duration::from_millis(random(KILL_AFTER_MS_MAX));
        let fresh = run_and_kill(folder.path(), after);
        total += fresh.len();
        acknowledged.extend(fresh);
        let rows = check(folder.path(), &acknowledged);
        println!("round {round}: killed after {after:?}, {} acknowledged, {rows} quads", acknowledged.len());
    }
    assert!(total > 0, "no commit was acknowledged in any round: nothing was tested");
}
