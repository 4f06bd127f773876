//! What goes wrong with disks: every fault is told plainly, intact data goes on being read, and what
//! was acknowledged survives.
//!
//! Faults that take a file system of its own are made in a child (this binary again, told by an
//! environment variable) inside a private mount namespace; where the machine forbids that, the test
//! says that it was skipped.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use reefloom::block::{BlockError, BlockId, BlockKind, BlockSink, BlockSource, SealedBlock};
use reefloom::blockstore::{LocalStore, Refs, Store, StoreError, StoreOptions};
use reefloom::crypto::{EpochKey, SecretKey, WorkspaceId};
use reefloom::dataset::{Dataset, DatasetError};
use reefloom::model::{NamedNode, Permutation, QuadPattern};
use reefloom::workspace::{Access, CommitId, MAIN, MemoryLimits, Settings, Workspace, WorkspaceError};
use tempfile::TempDir;

/// Tells a child which folder to use; without it the child's tests do nothing.
const FOLDER: &str = "REEFLOOM_FAULT_FOLDER";

fn access(store: LocalStore) -> Access {
    let store = Arc::new(store);
    Access {
        store: store.clone(),
        source: store,
        key: EpochKey::from_secret([1; 32], WorkspaceId([2; 32])),
        author: SecretKey::from_seed(&[3; 32]),
        memory: MemoryLimits { cache_bytes_max: 1 << 20, work_bytes_max: 64 << 20 },
    }
}

/// Opens a store. A child that another test starts holds our locks too until it is itself.
fn open(folder: &Path) -> Result<LocalStore, StoreError> {
    for _ in 0..200 {
        match LocalStore::open(folder) {
            Err(StoreError::InUse(_)) => thread::sleep(Duration::from_millis(25)),
            other => return other,
        }
    }
    LocalStore::open(folder)
}

fn create(folder: &Path) -> Workspace {
    Workspace::create(access(open(folder).unwrap()), Settings::default(), 0).unwrap()
}

fn reopen(folder: &Path) -> Workspace {
    Workspace::open(access(open(folder).unwrap())).unwrap()
}

/// Adds quads that do not compress to nothing.
fn load(workspace: &Workspace, from: u64, count: u64) -> Result<CommitId, WorkspaceError> {
    let iri = |kind: &str, n: u64| {
        NamedNode::new_unchecked(format!(
            "http://example.org/{kind}/{:x}",
            n.wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ))
    };
    let quads = (from..from + count)
        .map(|n| {
            oxrdf::Quad::new(iri("s", n), iri("p", n % 3), iri("o", n + 1), oxrdf::GraphName::DefaultGraph)
        })
        .collect();
    Ok(workspace.load(MAIN, [Ok::<_, Infallible>(quads)], "load", from as i64)?.commit)
}

fn count(workspace: &Workspace, commit: CommitId) -> Result<u64, WorkspaceError> {
    let snapshot = workspace.snapshot(commit)?;
    let mut scan = snapshot.scan(&QuadPattern::default(), Permutation::Pos)?;
    let mut rows = 0;
    while let Some(batch) = scan.next_batch()? {
        rows += batch.rows() as u64;
    }
    Ok(rows)
}

fn is_full(error: &WorkspaceError) -> bool {
    format!("{error:?}").contains("Full") && error.to_string().contains("is full")
}

/// Runs test `child` of this binary on a small file system of its own.
fn run_on_own_disk(child: &str) {
    let folder = TempDir::new().unwrap();
    let mount = "mount -t tmpfs -o size=5m tmpfs \"$REEFLOOM_FAULT_FOLDER\" || exit 77; exec \"$0\" \"$@\"";
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", mount])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", child, "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder.path())
        .output();
    let Ok(output) = output else {
        return eprintln!("SKIPPED: {child}: there is no unshare(1) on this machine");
    };
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.code() == Some(77) || said.contains("unshare failed") {
        return eprintln!("SKIPPED: {child}: this machine allows no mounts: {said}");
    }
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn child_folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

#[test]
fn a_full_disk_refuses_writes_and_nothing_else() {
    run_on_own_disk("child_fills_the_disk");
}

const STEP: u64 = 500;

#[test]
fn child_fills_the_disk() {
    let Some(folder) = child_folder() else { return };
    let data = folder.join("data");
    let workspace = create(&data);
    let ballast = folder.join("ballast");
    std::fs::write(&ballast, vec![1; 3 << 20]).unwrap();
    let mut acknowledged = Vec::new();
    let (mut quads, mut refused) = (0, 0);
    // Goes on after the first refusal: it must neither be lost nor do harm.
    while refused < 3 {
        match load(&workspace, quads, STEP) {
            Ok(commit) => {
                quads += STEP;
                acknowledged.push((commit, quads));
            }
            Err(error) => {
                assert!(is_full(&error), "{error:?}");
                refused += 1;
            }
        }
    }
    assert!(acknowledged.len() > 2, "{acknowledged:?}");
    let check = |workspace: &Workspace| {
        // Each holds those before it; verifying reads them all.
        for (commit, quads) in acknowledged.iter().rev().take(2) {
            assert_eq!(count(workspace, *commit).unwrap(), *quads);
        }
        let report = workspace.verify().unwrap();
        assert!(report.is_clean(), "{report:?}");
    };
    check(&workspace);
    assert_eq!(workspace.branch(MAIN).unwrap(), acknowledged.last().unwrap().0);
    drop(workspace);
    // Not a byte is left.
    let rest = folder.join("rest");
    fill(std::fs::File::create(&rest).unwrap());
    for is_index_kept in [true, false] {
        if !is_index_kept {
            std::fs::remove_file(data.join("index.redb")).unwrap();
            std::fs::OpenOptions::new().append(true).open(&rest).map(fill).unwrap();
        }
        let workspace = reopen(&data);
        check(&workspace);
        assert!(is_full(&load(&workspace, quads, STEP).unwrap_err()));
        check(&workspace);
    }
    let workspace = reopen(&data);
    std::fs::remove_file(&ballast).unwrap();
    load(&workspace, quads, STEP).unwrap();
    check(&workspace);
    assert_eq!(count(&workspace, workspace.branch(MAIN).unwrap()).unwrap(), quads + STEP);
    drop(workspace);
    let workspace = reopen(&data);
    check(&workspace);
    assert_eq!(count(&workspace, workspace.branch(MAIN).unwrap()).unwrap(), quads + STEP);
}

fn fill(mut file: std::fs::File) {
    while std::io::Write::write(&mut file, &[1; 4096]).is_ok_and(|written| written > 0) {}
}

#[test]
fn a_read_only_disk_is_called_so() {
    run_on_own_disk("child_makes_the_disk_read_only");
}

#[test]
fn child_makes_the_disk_read_only() {
    let Some(folder) = child_folder() else { return };
    let data = folder.join("data");
    load(&create(&data), 0, 10).unwrap();
    let remount = |how: &str| {
        let done = Command::new("mount").args(["-o", how]).arg(&folder).status().unwrap();
        assert!(done.success());
    };
    remount("remount,ro");
    for place in [data.clone(), folder.join("new")] {
        let Err(error) = LocalStore::open(&place) else { panic!("opened {}", place.display()) };
        assert!(matches!(error, StoreError::ReadOnly(_)), "{error:?}");
        assert!(error.to_string().contains("read-only file system"), "{error}");
    }
    remount("remount,rw");
    let workspace = reopen(&data);
    assert_eq!(count(&workspace, workspace.branch(MAIN).unwrap()).unwrap(), 10);
}

#[cfg(unix)]
#[test]
fn a_folder_of_somebody_else_is_denied() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    load(&create(&data), 0, 10).unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::set_permissions(&data, PermissionsExt::from_mode(0o000)).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child_is_denied", "--nocapture"]).env(FOLDER, &data);
    if std::fs::metadata(&data).unwrap().uid() == 0 {
        // Nothing is denied to root: the child is nobody.
        child.uid(65_534).gid(65_534);
    }
    let output = child.output();
    std::fs::set_permissions(&data, PermissionsExt::from_mode(0o755)).unwrap();
    match output {
        Err(error) => eprintln!("SKIPPED: no process of another user can be run here: {error}"),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
        }
    }
    let workspace = reopen(&data);
    assert_eq!(count(&workspace, workspace.branch(MAIN).unwrap()).unwrap(), 10);
}

#[test]
fn child_is_denied() {
    let Some(folder) = child_folder() else { return };
    let Err(error) = LocalStore::open(&folder) else { panic!("opened") };
    assert!(matches!(error, StoreError::Denied(_)), "{error:?}");
    assert!(error.to_string().ends_with("permission denied"), "{error}");
}

#[test]
fn a_folder_in_use_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let workspace = create(folder.path());
    let Err(error) = LocalStore::open(folder.path()) else { panic!("opened twice") };
    assert!(matches!(error, StoreError::InUse(_)), "{error:?}");
    load(&workspace, 0, 10).unwrap();
    drop(workspace);
    reopen(folder.path());
}

/// Makes a store of some commits; returns them with how many quads each has.
fn history(folder: &Path) -> Vec<(CommitId, u64)> {
    let workspace = create(folder);
    (1..=4).map(|n| (load(&workspace, (n - 1) * 500, 500).unwrap(), n * 500)).collect()
}

fn pack(folder: &Path) -> PathBuf {
    folder.join("00000001.pack")
}

fn damage_of(error: WorkspaceError) -> BlockId {
    assert!(!error.to_string().contains("out of reach"), "{error}");
    match error {
        WorkspaceError::Block(BlockError::Corrupt { id, .. }) => id,
        WorkspaceError::Dataset(DatasetError::Corrupt { .. }) => {
            let text = error.to_string();
            let id = text.split_whitespace().find_map(|word| word.trim_end_matches(':').parse().ok());
            id.unwrap_or_else(|| panic!("{text} names no block"))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_damaged_block_is_named_and_the_others_are_read() {
    let folder = TempDir::new().unwrap();
    let commits = history(folder.path());
    let store = open(folder.path()).unwrap();
    let ids = store.ids().unwrap();
    let sealed: Vec<_> = store.get(&ids).unwrap().into_iter().flatten().collect();
    drop(store);
    let intact = std::fs::read(pack(folder.path())).unwrap();
    let index = std::fs::read(folder.path().join("index.redb")).unwrap();
    let mut damaged_commits = 0;
    for block in &sealed {
        let mut bytes = intact.clone();
        let at = bytes.windows(32).position(|window| window == &block.bytes()[..32]).unwrap();
        bytes[at + block.bytes().len() / 2] ^= 1;
        std::fs::write(pack(folder.path()), bytes).unwrap();
        std::fs::write(folder.path().join("index.redb"), &index).unwrap();
        let store = open(folder.path()).unwrap();
        let found = store.get(&ids).unwrap();
        assert_eq!(found.iter().flatten().count(), ids.len() - 1);
        let workspace = match Workspace::open(access(store)) {
            Ok(workspace) => workspace,
            Err(error) => {
                assert_eq!(damage_of(error), block.id());
                continue;
            }
        };
        let report = workspace.verify().unwrap();
        let corrupt: Vec<BlockId> = report.corrupt.iter().map(|(id, _)| *id).collect();
        assert!(corrupt.is_empty() || corrupt == [block.id()], "{report:?}");
        assert!(report.missing.is_empty(), "{report:?}");
        let is_commit = commits.iter().any(|(commit, _)| commit.0 == block.id());
        damaged_commits += usize::from(is_commit);
        assert!(!is_commit || corrupt == [block.id()], "{report:?}");
        for (commit, quads) in &commits {
            match count(&workspace, *commit) {
                Ok(rows) => assert_eq!(rows, *quads),
                Err(error) => assert_eq!(damage_of(error), block.id()),
            }
        }
        // It is whole again once somebody gives the block back.
        drop(workspace);
        let store = open(folder.path()).unwrap();
        assert_eq!(store.verify().unwrap(), ids.len() as u64 - 1);
        store.put(std::slice::from_ref(block)).unwrap();
        assert_eq!((store.verify().unwrap(), store.corrupt()), (ids.len() as u64, vec![]));
        drop(store);
        let workspace = reopen(folder.path());
        assert_eq!(count(&workspace, commits[3].0).unwrap(), commits[3].1);
    }
    assert_eq!(damaged_commits, commits.len());
}

fn small_block(seed: u32) -> SealedBlock {
    let key = EpochKey::from_secret([1; 32], WorkspaceId([2; 32]));
    let noise: Vec<u8> = (0..40).flat_map(|n| (n ^ seed).wrapping_mul(0x9E37_79B9).to_le_bytes()).collect();
    SealedBlock::seal(BlockKind::Dictionary, &noise, &key)
}

fn open_small_packs(folder: &Path) -> Result<LocalStore, StoreError> {
    let options = StoreOptions { pack_bytes_max: 1_000, watch: None };
    loop {
        match LocalStore::open_with(folder, options.clone()) {
            Err(StoreError::InUse(_)) => thread::sleep(Duration::from_millis(5)),
            opened => return opened,
        }
    }
}

type Files = Vec<(String, Vec<u8>)>;

fn files(folder: &Path) -> Files {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut files: Files = entries
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

const SMALL_BLOCKS: u32 = 12;

/// Returns the files of a store of several packs and refs, after it was closed or killed.
fn small_store(is_killed: bool) -> Files {
    let folder = TempDir::new().unwrap();
    let store = open_small_packs(folder.path()).unwrap();
    for seed in 0..SMALL_BLOCKS {
        store.put(&[small_block(seed)]).unwrap();
        let value = seed.to_string();
        store.compare_and_swap(&format!("ref/{seed}"), None, Some(value.as_bytes())).unwrap();
    }
    let killed = files(folder.path());
    drop(store);
    if is_killed { killed } else { files(folder.path()) }
}

/// Opens a store whose files were damaged in one place: nothing but what lies there may be lost, and
/// if that is a block, it is reported.
fn check_damaged(files: &Files, when: &str) {
    let folder = TempDir::new().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let store = match open_small_packs(folder.path()) {
        Ok(store) => store,
        Err(error) => panic!("{when}: {error}"),
    };
    let ids: Vec<BlockId> = (0..SMALL_BLOCKS).map(|seed| small_block(seed).id()).collect();
    let found = store.get(&ids).unwrap();
    let lost: Vec<BlockId> =
        ids.iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(id, _)| *id).collect();
    let refs = store.list_refs("").unwrap();
    let lost_refs = SMALL_BLOCKS as usize - refs.len();
    assert!(lost.len() + lost_refs <= 1, "{when}: {lost:?}, {lost_refs} refs are lost");
    for (name, value) in refs {
        assert_eq!(name.strip_prefix("ref/").unwrap().as_bytes(), value, "{when}");
    }
    // A record whose header is damaged does not tell whose it was.
    assert!(store.corrupt().iter().all(|id| lost.contains(id)), "{when}");
    if when.contains("in a block") {
        assert_eq!(store.corrupt(), lost, "{when}");
    }
    let blocks: Vec<SealedBlock> = (0..SMALL_BLOCKS).map(small_block).collect();
    store.put(&blocks).unwrap();
    drop(store);
    let store = open_small_packs(folder.path()).unwrap();
    assert_eq!(store.verify().unwrap(), u64::from(SMALL_BLOCKS), "{when}");
}

/// Says what lies at a place of a file.
fn place(bytes: &[u8], at: usize) -> &'static str {
    let is_in_block = (0..SMALL_BLOCKS).any(|seed| {
        let block = small_block(seed);
        let begin = bytes.windows(block.bytes().len()).position(|window| window == block.bytes());
        begin.is_some_and(|begin| (begin..begin + block.bytes().len()).contains(&at))
    });
    if is_in_block { "in a block" } else { "beside the blocks" }
}

/// Flips a bit in every so many bytes of the files whose name ends so.
fn flip_bits(files: &Files, ending: &str, places: impl Fn(usize) -> Vec<usize>) {
    for (number, (name, bytes)) in files.iter().enumerate().filter(|(_, (name, _))| name.ends_with(ending)) {
        let places = places(bytes.len());
        // The time goes into waiting for the disk.
        thread::scope(|scope| {
            for some in places.chunks(places.len().div_ceil(4)) {
                scope.spawn(|| {
                    for at in some.iter().copied() {
                        let mut damaged = files.clone();
                        damaged[number].1[at] ^= 1 << (at % 8);
                        check_damaged(&damaged, &format!("a bit at {at} of {name}, {}", place(bytes, at)));
                    }
                });
            }
        });
    }
}

#[test]
fn a_flipped_bit_in_a_pack_costs_what_lies_there() {
    for is_killed in [false, true] {
        let files = small_store(is_killed);
        assert!(files.iter().filter(|(name, _)| name.ends_with(".pack")).count() > 2);
        flip_bits(&files, ".pack", |len| (0..len).step_by(89).collect());
        let without_index: Files = files.into_iter().filter(|(name, _)| name != "index.redb").collect();
        flip_bits(&without_index, ".pack", |len| (3..len).step_by(127).collect());
    }
}

#[test]
fn a_damaged_index_costs_nothing() {
    let files = small_store(false);
    let first_kilobyte =
        |len: usize| (0..512).step_by(13).chain((512..len.min(120_000)).step_by(3_001)).collect();
    flip_bits(&files, "index.redb", first_kilobyte);
    let index = files.iter().position(|(name, _)| name == "index.redb").unwrap();
    let len = files[index].1.len();
    for (begin, end) in
        [(0, 4_096), (4_096, 8_192), (8_192, 40_000), (40_000, 90_000), (0, len), (len / 2, len)]
    {
        let mut damaged = files.clone();
        damaged[index].1[begin..end].fill(0);
        check_damaged(&damaged, &format!("zeros from {begin} to {end} of the index"));
        damaged[index].1.truncate(begin);
        check_damaged(&damaged, &format!("the index cut off at {begin}"));
    }
}

#[test]
fn a_damaged_lock_costs_nothing() {
    for is_killed in [false, true] {
        let files = small_store(is_killed);
        flip_bits(&files, "lock", |len| (0..len).collect());
        let lock = files.iter().position(|(name, _)| name == "lock").unwrap();
        for bytes in [&b""[..], b"garbage", &[0; 20], &[255; 20], &[7; 5_000]] {
            let mut damaged = files.clone();
            damaged[lock].1 = bytes.to_vec();
            check_damaged(&damaged, "another lock");
        }
    }
}

#[test]
fn a_pack_under_another_name_is_refused() {
    let mut files = small_store(false);
    let first = files.iter().position(|(name, _)| name == "00000001.pack").unwrap();
    files[first].0 = "00000099.pack".to_owned();
    let folder = TempDir::new().unwrap();
    for (name, bytes) in &files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let Err(error) = open_small_packs(folder.path()) else { panic!("opened") };
    assert!(error.to_string().contains("it is pack 1 under another name"), "{error}");
}

#[test]
fn a_truncated_pack_keeps_what_is_before_the_cut() {
    let folder = TempDir::new().unwrap();
    let commits = history(folder.path());
    let intact = std::fs::read(pack(folder.path())).unwrap();
    let index = std::fs::read(folder.path().join("index.redb")).unwrap();
    for len in (0..intact.len()).step_by(intact.len() / 20) {
        std::fs::write(pack(folder.path()), &intact[..len]).unwrap();
        std::fs::write(folder.path().join("index.redb"), &index).unwrap();
        // What it says of the pack that was here before is not true of this one.
        let _ = std::fs::remove_file(folder.path().join("lock"));
        let store = open(folder.path()).unwrap();
        let ids = store.ids().unwrap();
        assert_eq!(store.verify().unwrap(), ids.len() as u64);
        assert_eq!(store.corrupt(), []);
        assert!(store.list_refs("").is_ok());
        let workspace = match Workspace::open(access(store)) {
            Err(WorkspaceError::UnknownWorkspace(_)) => continue,
            opened => opened.unwrap(),
        };
        // A ref is behind all that it leads to, so whatever branch is left is whole.
        let report = workspace.verify().unwrap();
        assert!(report.is_clean(), "cut at {len}: {report:?}");
        let tip = workspace.branch(MAIN).unwrap();
        let quads = commits.iter().find(|(commit, _)| *commit == tip).map_or(0, |(_, quads)| *quads);
        assert_eq!(count(&workspace, tip).unwrap(), quads);
        load(&workspace, quads, 10).unwrap();
        assert_eq!(count(&workspace, workspace.branch(MAIN).unwrap()).unwrap(), quads + 10);
    }
}

#[test]
fn a_lost_or_foreign_index_is_made_anew() {
    let folder = TempDir::new().unwrap();
    let commits = history(folder.path());
    let index = folder.path().join("index.redb");
    let whole = std::fs::read(&index).unwrap();
    for bytes in [None, Some(&b""[..]), Some(b"garbage"), Some(&whole[..whole.len() / 2])] {
        match bytes {
            None => std::fs::remove_file(&index).unwrap(),
            Some(bytes) => std::fs::write(&index, bytes).unwrap(),
        }
        let workspace = reopen(folder.path());
        for (commit, quads) in &commits {
            assert_eq!(count(&workspace, *commit).unwrap(), *quads);
        }
        assert!(workspace.verify().unwrap().is_clean());
    }
}
