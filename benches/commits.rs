//! What does a commit cost on top of a million quads, alone and with sixteen writers at once?
//!
//!     cargo bench --bench commits [-- FILE.nt]
//!
//! Without a file it takes the triples of `../shared/bench/sparql/bsbm1m.nt.zst`. Prints one figure a line.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use reefloom::blockstore::{LocalStore, Step, Store, StoreOptions};
use reefloom::crypto::{EpochKey, SecretKey, WorkspaceId};
use reefloom::dataset::DatasetMut;
use reefloom::engine::{Engine, EngineOptions, Language, LoadInput, LoadOptions, Peering, Request};
use reefloom::model::{NamedNode, Quad, Term, TermId};
use reefloom::workspace::{Access, MAIN, MemoryLimits, Settings, Workspace};

const SINGLE: usize = 2000;
const LARGE: usize = 60;
const LARGE_QUADS: usize = 1000;
const WRITERS: usize = 16;
const FOR: Duration = Duration::from_secs(4);
/// Disks whose syncs take so much longer stand beside the one at hand, whose sync may cost next to nothing.
const SYNCS: [Duration; 4] =
    [Duration::ZERO, Duration::from_micros(200), Duration::from_micros(800), Duration::from_millis(2)];

fn main() {
    let named = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let path = PathBuf::from(named.unwrap_or_else(|| "../shared/bench/sparql/bsbm1m.nt.zst".to_owned()));
    if !path.exists() {
        eprintln!("SKIPPED: {} is absent", path.display());
        return;
    }
    let folder = std::env::temp_dir().join(format!("reefloom-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
    println!("fdatasync of 600 appended bytes: median {:.3} ms", bare_sync(&folder));
    through_the_engine(&path, &folder.join("engine"));
    for sync in SYNCS {
        writers(&folder.join(format!("writers-{}", sync.as_micros())), sync);
    }
    let _ = std::fs::remove_dir_all(&folder);
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e3
}

fn bare_sync(folder: &Path) -> f64 {
    let mut file = File::create(folder.join("sync")).expect("a file can be made");
    let times = (0..300).map(|_| {
        file.write_all(&[7; 600]).expect("there is room");
        let started = Instant::now();
        file.sync_data().expect("the disk syncs");
        started.elapsed()
    });
    median(times.collect())
}

/// SPARQL updates as a client sends them, without the HTTP.
fn through_the_engine(path: &Path, folder: &Path) {
    let options = EngineOptions { peering: Peering::Offline, ..EngineOptions::new(folder) };
    let engine = Arc::new(Engine::open(options).expect("the folder is free"));
    engine.create_workspace("bench", Default::default(), 0).expect("there is none");
    let options = LoadOptions { files: vec![path.to_owned()], ..LoadOptions::default() };
    let input = LoadInput::open(&options).expect("the file can be read");
    let loaded = engine.load(None, None, input, "load", 1, &|_| {}).expect("the file is well-formed");
    let _upkeep = engine.start_upkeep();
    println!("base: {} quads", loaded.quads_added);
    let single = (0..SINGLE).map(|n| update(&engine, "single", n, 1));
    println!("commit of 1 quad: median {:.3} ms", median(single.collect()));
    let large = (0..LARGE).map(|n| update(&engine, "large", n, LARGE_QUADS));
    println!("commit of {LARGE_QUADS} quads: median {:.3} ms", median(large.collect()));
    let one = rate(1, |writer, n| _ = update(&engine, &format!("one{writer}"), n, 1));
    let many = rate(WRITERS, |writer, n| _ = update(&engine, &format!("many{writer}"), n, 1));
    println!(
        "updates through the engine: 1 writer {one:.0}/s, {WRITERS} writers {many:.0}/s, {:.1} times",
        many / one
    );
}

fn update(engine: &Engine, name: &str, n: usize, quads: usize) -> Duration {
    let triples = (0..quads).map(|m| {
        format!(
            "<https://example.org/{name}/{n}> <https://example.org/p{}> <https://example.org/o/{m}> .",
            m % 5
        )
    });
    let text = format!("INSERT DATA {{ {} }}", triples.collect::<String>());
    let request = Request { may_write: true, ..Request::new(Language::SparqlUpdate, text, n as i64) };
    let started = Instant::now();
    engine.run(&request).expect("the update is well-formed");
    started.elapsed()
}

/// Transactions of a workspace, whose writers take turns and wait together, as the engine's do.
fn writers(folder: &Path, sync: Duration) {
    let slow = move |step: Step| {
        if matches!(step, Step::Sync { .. }) {
            thread::sleep(sync);
        }
        Ok(())
    };
    let store = match sync.is_zero() {
        true => LocalStore::open(folder),
        false => {
            LocalStore::open_with(folder, StoreOptions { watch: Some(Arc::new(slow)), ..Default::default() })
        }
    };
    let store = Arc::new(store.expect("the folder is free"));
    let access = Access {
        store: store.clone(),
        source: store.clone(),
        key: EpochKey::from_secret([1; 32], WorkspaceId([2; 32])),
        author: SecretKey::from_seed(&[3; 32]),
        memory: MemoryLimits::default(),
    };
    let workspace = Workspace::create(access, Settings::default(), 0).expect("a fresh store");
    let turn = Mutex::new(());
    let commit = |writer: usize, n: usize| {
        let pending = {
            let _turn = turn.lock().expect("no writer panics");
            let transaction = workspace.begin(MAIN).expect("the branch is there");
            let id = |name: String| {
                let name = NamedNode::new_unchecked(format!("https://example.org/{name}"));
                transaction.intern(&Term::from(name)).expect("blocks are at hand")
            };
            let (subject, predicate, object) =
                (id(format!("s{writer}/{n}")), id("p".into()), id(format!("o{n}")));
            let quad = Quad { subject, predicate, object, graph: TermId::UNDEFINED };
            transaction.insert(quad).expect("blocks are at hand");
            transaction.append("one", n as i64).expect("writers take turns")
        };
        pending.wait().expect("the disk syncs");
    };
    let one = rate(1, commit);
    let before = store.usage().expect("the folder can be read").syncs;
    let many = rate(WRITERS, commit);
    let syncs = store.usage().expect("the folder can be read").syncs - before;
    println!(
        "transactions, sync +{:.1} ms: 1 writer {one:.0}/s, {WRITERS} writers {many:.0}/s, {:.1} times; {:.1} commits a sync",
        sync.as_secs_f64() * 1e3,
        many / one,
        many * FOR.as_secs_f64() / syncs as f64
    );
}

/// Returns how often a second `commit` is done by so many writers.
fn rate(writers: usize, commit: impl Fn(usize, usize) + Sync) -> f64 {
    let count = AtomicU64::new(0);
    let started = Instant::now();
    thread::scope(|scope| {
        for writer in 0..writers {
            let (commit, count) = (&commit, &count);
            scope.spawn(move || {
                let mut n = 0;
                while started.elapsed() < FOR {
                    commit(writer, n);
                    n += 1;
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    count.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64()
}
