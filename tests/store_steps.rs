//! A store is stopped before every single step that changes its disk: by an error, with which it goes
//! on, and by the end of its process, with what was not synced kept, lost or torn. Nothing that was
//! acknowledged is lost.
//!
//! The process that ends is this binary again, told by environment variables where. `STEPS_SEED`
//! repeats a run.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reefloom::block::{BlockKind, BlockSink, BlockSource, SealedBlock};
use reefloom::blockstore::{LocalStore, Refs, Step, Store, StoreError, StoreOptions, SweepOptions, Watch};
use reefloom::crypto::{EpochKey, WorkspaceId};
use tempfile::TempDir;

/// Tells a child which folder to use and before which step to end; without it the child does nothing.
const FOLDER: &str = "REEFLOOM_STEPS_FOLDER";
const STEP: &str = "REEFLOOM_STEPS_STEP";
/// So small that the workload fills several packs.
const PACK_BYTES_MAX: u64 = 3_000;

fn block(seed: u32) -> SealedBlock {
    let key = EpochKey::from_secret([5; 32], WorkspaceId([6; 32]));
    let noise: Vec<u8> =
        (0..60 + seed % 7).flat_map(|n| (n ^ seed).wrapping_mul(0x9E37_79B9).to_le_bytes()).collect();
    SealedBlock::seal(BlockKind::Dictionary, &noise, &key)
}

/// Opens a store. A child that another test starts holds our locks too until it is itself.
fn open(folder: &Path, watch: Option<Watch>) -> LocalStore {
    try_open(folder, watch).unwrap()
}

fn try_open(folder: &Path, watch: Option<Watch>) -> Result<LocalStore, StoreError> {
    let options = StoreOptions { pack_bytes_max: PACK_BYTES_MAX, watch };
    loop {
        match LocalStore::open_with(folder, options.clone()) {
            Err(StoreError::InUse(_)) => thread::sleep(Duration::from_millis(5)),
            opened => return opened,
        }
    }
}

/// What a workload tells while it runs.
#[derive(Clone, Debug)]
enum Told {
    /// The block was put, durably.
    Kept(u32),
    /// A sweep that may drop the block begins.
    Dying(u32),
    /// A ref is about to become this (empty: none).
    Tried(String, String),
    /// It has become this, durably.
    Became(String, String),
}

impl Told {
    fn to_line(&self) -> String {
        match self {
            Told::Kept(seed) => format!("told kept {seed}"),
            Told::Dying(seed) => format!("told dying {seed}"),
            Told::Tried(name, value) => format!("told tried {name} {value}"),
            Told::Became(name, value) => format!("told became {name} {value}"),
        }
    }

    fn from_line(line: &str) -> Option<Told> {
        let (what, rest) = line.strip_prefix("told ")?.split_once(' ')?;
        let pair = || rest.split_once(' ').map(|(name, value)| (name.to_owned(), value.to_owned()));
        match what {
            "kept" => Some(Told::Kept(rest.parse().ok()?)),
            "dying" => Some(Told::Dying(rest.parse().ok()?)),
            "tried" => pair().map(|(name, value)| Told::Tried(name, value)),
            "became" => pair().map(|(name, value)| Told::Became(name, value)),
            _ => None,
        }
    }
}

/// What a store must hold after what it told.
#[derive(Debug, Default)]
struct Expected {
    blocks: BTreeSet<u32>,
    /// What each ref may be: what it became, or what was tried since.
    refs: BTreeMap<String, BTreeSet<String>>,
}

impl Expected {
    fn after(told: &[Told]) -> Expected {
        let mut expected = Expected::default();
        for one in told.iter().cloned() {
            match one {
                Told::Kept(seed) => _ = expected.blocks.insert(seed),
                Told::Dying(seed) => _ = expected.blocks.remove(&seed),
                Told::Tried(name, value) => {
                    let allowed =
                        expected.refs.entry(name).or_insert_with(|| BTreeSet::from([String::new()]));
                    allowed.insert(value);
                }
                Told::Became(name, value) => _ = expected.refs.insert(name, BTreeSet::from([value])),
            }
        }
        expected
    }

    fn check(&self, store: &LocalStore, when: &str) {
        for seed in &self.blocks {
            let found = store.get(&[block(*seed).id()]).unwrap();
            assert_eq!(found, [Some(block(*seed))], "{when}: block {seed} is lost");
        }
        let listed: BTreeMap<String, Vec<u8>> = store.list_refs("").unwrap().into_iter().collect();
        for (name, allowed) in &self.refs {
            let value = store.read_ref(name).unwrap();
            assert_eq!(listed.get(name), value.as_ref(), "{when}");
            let value = String::from_utf8(value.unwrap_or_default()).unwrap();
            assert!(allowed.contains(&value), "{when}: ref {name} is {value:?}, not of {allowed:?}");
        }
        assert!(listed.keys().all(|name| self.refs.contains_key(name)), "{when}: {listed:?}");
        assert_eq!(store.verify().unwrap(), store.ids().unwrap().len() as u64, "{when}");
        assert_eq!(store.corrupt(), [], "{when}");
    }
}

/// Does all that a store can do, going on after what fails.
struct Workload<'a> {
    store: &'a LocalStore,
    tell: &'a mut dyn FnMut(Told),
}

impl Workload<'_> {
    fn run(&mut self) {
        self.put(0..4);
        self.change(&[("head", "1")]);
        self.change(&[("head", "2"), ("passing", "x")]);
        self.put(4..8);
        self.change(&[("head", "3"), ("other", "y")]);
        let _ = self.store.checkpoint();
        self.put(8..14);
        self.change(&[("passing", "")]);
        self.sweep(SweepOptions::all(), |seed| seed % 2 == 0);
        self.put([1, 3, 14, 15].into_iter());
        self.change(&[("head", "4")]);
        self.put(16..18);
        self.sweep(SweepOptions::default(), |seed| seed > 2);
        self.change(&[("head", "5"), ("other", "")]);
        self.sweep(SweepOptions::all(), |seed| seed > 2);
        self.put(18..20);
        self.change(&[("head", "6")]);
        let _ = self.store.checkpoint();
        self.put(20..21);
    }

    fn put(&mut self, seeds: impl Iterator<Item = u32>) {
        let seeds: Vec<u32> = seeds.collect();
        let blocks: Vec<SealedBlock> = seeds.iter().map(|seed| block(*seed)).collect();
        if self.store.put(&blocks).and_then(|()| self.store.sync()).is_ok() {
            seeds.into_iter().for_each(|seed| (self.tell)(Told::Kept(seed)));
        }
    }

    fn change(&mut self, refs: &[(&str, &str)]) {
        let some = |value: &str| (!value.is_empty()).then(|| value.as_bytes().to_vec());
        let change = |(name, value): &(&str, &str)| reefloom::blockstore::RefChange {
            name: (*name).to_owned(),
            old: self.store.latest_ref(name).unwrap(),
            new: some(value),
        };
        let changes: Vec<_> = refs.iter().map(change).collect();
        for (name, value) in refs {
            (self.tell)(Told::Tried((*name).to_owned(), (*value).to_owned()));
        }
        if self.store.update_refs(&changes).is_ok() {
            for (name, value) in refs {
                (self.tell)(Told::Became((*name).to_owned(), (*value).to_owned()));
            }
        }
    }

    fn sweep(&mut self, options: SweepOptions, is_live: impl Fn(u32) -> bool) {
        let seeds: BTreeMap<_, u32> = (0..30).map(|seed| (block(seed).id(), seed)).collect();
        seeds.values().filter(|seed| !is_live(**seed)).for_each(|seed| (self.tell)(Told::Dying(*seed)));
        let _ = self.store.sweep(&|id| is_live(seeds[id]), options);
    }
}

/// Returns a watch that calls `stop` before step `stop_at` (from 1), and what counts the steps.
fn watch(
    stop_at: u64,
    stop: impl Fn(Step) -> io::Result<()> + Send + Sync + 'static,
) -> (Watch, Arc<Mutex<u64>>) {
    let count = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&count);
    let watch = move |step| {
        let mut count = counted.lock().unwrap();
        *count += 1;
        if *count == stop_at { stop(step) } else { Ok(()) }
    };
    (Arc::new(watch), count)
}

#[test]
fn a_step_that_fails_loses_nothing() {
    for stop_at in 1.. {
        let folder = TempDir::new().unwrap();
        let failed: Arc<Mutex<Option<Step>>> = Arc::default();
        let note = Arc::clone(&failed);
        let (watch, _) = watch(stop_at, move |step| {
            *note.lock().unwrap() = Some(step);
            Err(io::Error::other("the disk failed"))
        });
        let mut told = Vec::new();
        if let Ok(store) = try_open(folder.path(), Some(watch)) {
            Workload { store: &store, tell: &mut |one| told.push(one) }.run();
            let when = format!("with a failure of step {stop_at}, {:?}", failed.lock().unwrap());
            Expected::after(&told).check(&store, &when);
        }
        let when = format!("after a failure of step {stop_at}, {:?}", failed.lock().unwrap());
        let store = open(folder.path(), None);
        Expected::after(&told).check(&store, &when);
        Workload { store: &store, tell: &mut |one| told.push(one) }.put(40..45);
        Workload { store: &store, tell: &mut |one| told.push(one) }.change(&[("late", "z")]);
        drop(store);
        Expected::after(&told).check(&open(folder.path(), None), &when);
        if failed.lock().unwrap().is_none() {
            println!("{} steps", stop_at - 1);
            return assert!(stop_at > 50, "the workload has {stop_at} steps only");
        }
    }
}

/// The process that ends before a step; does nothing when run as a test.
#[test]
fn child() {
    let (Some(folder), Some(step)) = (std::env::var_os(FOLDER), std::env::var(STEP).ok()) else { return };
    let folder = PathBuf::from(folder);
    let data = folder.join("data");
    let (aborting, _) = watch(step.parse().unwrap(), |step| {
        println!("\nended before {step:?}");
        std::process::abort()
    });
    let last: Mutex<Option<Step>> = Mutex::new(None);
    let packs = data.clone();
    let watch: Watch = Arc::new(move |step| {
        // That the next step begins says that the last one is done.
        if let Some(Step::Sync { pack, end }) = last.lock().unwrap().replace(step) {
            println!("\nsynced {pack} {end}");
        }
        if let Step::DeletePack { pack } = step {
            let name = format!("{pack:08}.pack");
            // It is not there if it could not be made.
            let _ = fs::copy(packs.join(&name), folder.join(name));
        }
        aborting(step)
    });
    let store = open(&data, Some(watch));
    let tell = &mut |told: Told| println!("\n{}", told.to_line());
    Workload { store: &store, tell }.run();
    drop(store);
    println!("\nran through");
    io::stdout().flush().unwrap();
}

/// What became of the end of the log that was not synced.
#[derive(Clone, Copy, Debug)]
enum Tail {
    Whole,
    Lost,
    Torn,
    Zeros,
    Garbled,
}

fn spoil(pack: &Path, durable: u64, tail: Tail, random: &mut impl FnMut(u64) -> u64) {
    let mut bytes = fs::read(pack).unwrap();
    let durable = durable as usize;
    if durable >= bytes.len() {
        return;
    }
    match tail {
        Tail::Whole => return,
        Tail::Lost => bytes.truncate(durable),
        Tail::Torn => bytes.truncate(durable + random((bytes.len() - durable) as u64) as usize),
        Tail::Zeros => bytes[durable..].fill(0),
        Tail::Garbled => {
            let at = durable + random((bytes.len() - durable) as u64) as usize;
            bytes[at] ^= 1 << random(8);
        }
    }
    OpenOptions::new().write(true).truncate(true).open(pack).unwrap().write_all(&bytes).unwrap();
}

fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let copy = to.join(path.file_name().unwrap());
        if path.is_file() && !copy.exists() {
            fs::copy(&path, copy).unwrap();
        }
    }
}

/// Checks a copy of what a process left behind, spoilt in some way.
fn check_copy(
    left: &Path,
    (durable, tail): (&BTreeMap<u32, u64>, Tail),
    is_index_kept: bool,
    expected: &Expected,
    when: &str,
    random: &mut impl FnMut(u64) -> u64,
) {
    let when = format!("{when}, tail {tail:?}, index kept: {is_index_kept}");
    let copy = TempDir::new().unwrap();
    let data = copy.path().join("data");
    copy_files(&left.join("data"), &data);
    // Deleting a pack may not have reached the medium. (One that was never whole is no loss.)
    let numbers = |folder: &Path| -> BTreeSet<u32> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter_map(|name| name.to_str()?.strip_suffix(".pack")?.parse().ok()).collect()
    };
    let last = numbers(&data).last().copied();
    if let Some(last) = last {
        let path = data.join(format!("{last:08}.pack"));
        spoil(&path, durable.get(&last).copied().unwrap_or(0), tail, random);
    }
    if random(2) == 0 {
        copy_files(left, &data);
    }
    if !is_index_kept {
        let _ = fs::remove_file(data.join("index.redb"));
    }
    let store = open(&data, None);
    expected.check(&store, &when);
    // It can be written to, and what was rebuilt holds.
    store.put(&[block(50)]).unwrap();
    store.compare_and_swap("late", None, Some(b"z")).unwrap();
    store.sweep(&|_| true, SweepOptions::all()).unwrap();
    store.compare_and_swap("late", Some(b"z"), None).unwrap();
    drop(store);
    expected.check(&open(&data, None), &when);
}

#[test]
fn a_process_that_ends_before_a_step_loses_nothing() {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = std::env::var("STEPS_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(clock | 1);
    println!("STEPS_SEED={seed}");
    let (next, is_done) = (AtomicU64::new(1), AtomicBool::new(false));
    // The time goes into waiting for the disk.
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    let stop_at = next.fetch_add(1, Ordering::Relaxed);
                    if !end_before(stop_at, &mut random(seed ^ stop_at << 32)) {
                        is_done.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
}

fn random(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    }
}

/// Runs a process that ends before a step, and checks what it leaves; returns whether there is such a
/// step.
fn end_before(stop_at: u64, random: &mut impl FnMut(u64) -> u64) -> bool {
    let folder = TempDir::new().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder.path())
        .env(STEP, stop_at.to_string())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let told: Vec<Told> = said.lines().filter_map(Told::from_line).collect();
    let synced = said.lines().filter_map(|line| line.strip_prefix("synced ")?.split_once(' '));
    let durable = synced.map(|(pack, end)| (pack.parse().unwrap(), end.parse().unwrap())).collect();
    let ended = said.lines().find(|line| line.starts_with("ended before"));
    let when = format!("step {stop_at}, {}", ended.unwrap_or("none"));
    for tail in [Tail::Whole, Tail::Lost, Tail::Torn, Tail::Zeros, Tail::Garbled] {
        let is_index_kept = random(2) == 0;
        check_copy(folder.path(), (&durable, tail), is_index_kept, &Expected::after(&told), &when, random);
    }
    assert!(ended.is_some() || said.contains("ran through"), "{output:?}");
    ended.is_some()
}
