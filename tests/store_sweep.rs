//! A sweep drops what nobody claims and nothing else, gives its space back, and disturbs nobody; and
//! the figures of a store are those of its files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use reefloom::block::{BlockId, BlockKind, BlockSink, BlockSource, SealedBlock};
use reefloom::blockstore::{LocalStore, MemoryStore, Refs, Store, StoreOptions, SweepOptions, Swept};
use reefloom::crypto::{EpochKey, WorkspaceId};
use tempfile::TempDir;

/// A block of about 4 KB that does not compress.
fn block(seed: u32) -> SealedBlock {
    sealed(seed, 1_000)
}

fn sealed(seed: u32, words: u32) -> SealedBlock {
    let key = EpochKey::from_secret([5; 32], WorkspaceId([6; 32]));
    let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
    let noise = (0..words).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()
    });
    SealedBlock::seal(BlockKind::Dictionary, &noise.collect::<Vec<_>>(), &key)
}

fn blocks(seeds: Range<u32>) -> Vec<SealedBlock> {
    seeds.map(block).collect()
}

fn ids(blocks: &[SealedBlock]) -> BTreeSet<BlockId> {
    blocks.iter().map(SealedBlock::id).collect()
}

fn open(folder: &TempDir) -> LocalStore {
    LocalStore::open_with(folder.path(), StoreOptions { pack_bytes_max: 50_000, watch: None }).unwrap()
}

fn check_holds(store: &dyn Store, expected: &[SealedBlock]) {
    let ids: Vec<BlockId> = expected.iter().map(SealedBlock::id).collect();
    assert_eq!(store.get(&ids).unwrap().into_iter().flatten().collect::<Vec<_>>(), expected);
}

fn files_bytes(folder: &Path) -> u64 {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

fn packs(folder: &TempDir) -> Vec<String> {
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut packs: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
    packs.retain(|name| name.ends_with(".pack"));
    packs.sort();
    packs
}

fn check_sweep(store: &dyn Store) -> Swept {
    let all = blocks(0..60);
    let (live, dead) = all.split_at(20);
    all.chunks(6).for_each(|some| store.put(some).unwrap());
    store.compare_and_swap("head", None, Some(b"1")).unwrap();
    let live_ids = ids(live);
    let is_live = |id: &BlockId| live_ids.contains(id);
    let dry = SweepOptions { is_dry_run: true, ..SweepOptions::all() };
    let promised = store.sweep(&is_live, dry).unwrap();
    check_holds(store, &all);
    let swept = store.sweep(&is_live, SweepOptions::all()).unwrap();
    // How many packs are begun meanwhile, the dry run does not know.
    assert!(swept.pack_bytes.abs_diff(promised.pack_bytes) < 1_000, "{swept:?}, {promised:?}");
    assert_eq!(Swept { pack_bytes: promised.pack_bytes, ..swept }, promised);
    let dead_bytes = dead.iter().map(|block| block.bytes().len() as u64).sum::<u64>();
    assert_eq!((swept.blocks, swept.block_bytes), (40, dead_bytes));
    check_holds(store, live);
    check_holds(store, &[]);
    assert_eq!(store.ids().unwrap(), live_ids.iter().copied().collect::<Vec<_>>());
    assert_eq!(store.has(&[dead[0].id(), live[0].id()]).unwrap(), [false, true]);
    assert_eq!((store.verify().unwrap(), store.corrupt()), (20, vec![]));
    assert_eq!(store.read_ref("head").unwrap(), Some(b"1".to_vec()));
    assert_eq!(store.sweep(&is_live, SweepOptions::all()).unwrap(), Swept::default());
    // What was dropped can be put again.
    store.put(&dead[..5]).unwrap();
    check_holds(store, &all[..25]);
    swept
}

#[test]
fn a_sweep_in_memory() {
    check_sweep(&MemoryStore::new());
}

#[test]
fn a_sweep_on_disk() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    let swept = check_sweep(&store);
    assert!(swept.pack_bytes > 40 * 4_000, "{swept:?}");
    assert!(swept.packs >= 4, "{swept:?}");
    drop(store);
    for is_index_kept in [true, false] {
        if !is_index_kept {
            fs::remove_file(folder.path().join("index.redb")).unwrap();
        }
        let store = open(&folder);
        check_holds(&store, &blocks(0..25));
        assert_eq!(store.ids().unwrap().len(), 25);
        assert_eq!(store.read_ref("head").unwrap(), Some(b"1".to_vec()));
    }
}

#[test]
fn packs_are_rewritten_when_much_of_them_is_dead() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    blocks(0..60).chunks(6).for_each(|some| store.put(some).unwrap());
    let before = packs(&folder);
    let dead = ids(&blocks(0..2));
    let swept = store.sweep(&|id| !dead.contains(id), SweepOptions::default()).unwrap();
    assert_eq!((swept.blocks, swept.packs, swept.pack_bytes), (2, 0, 0));
    assert_eq!(packs(&folder), before);
    let dead_bytes = store.usage().unwrap().dead_bytes;
    assert!((8_000..10_000).contains(&dead_bytes), "{dead_bytes}");
    let dead = ids(&blocks(0..8));
    let swept = store.sweep(&|id| !dead.contains(id), SweepOptions::default()).unwrap();
    assert_eq!((swept.blocks, swept.packs), (6, 1));
    assert_eq!(packs(&folder)[..before.len() - 1], before[1..]);
    let usage = store.usage().unwrap();
    assert_eq!((usage.blocks, usage.dead_bytes), (52, 0));
    check_holds(&store, &blocks(8..60));
    drop(store);
    fs::remove_file(folder.path().join("index.redb")).unwrap();
    check_holds(&open(&folder), &blocks(8..60));
}

#[test]
fn deleted_refs_stay_deleted() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    store.compare_and_swap("gone", None, Some(b"1")).unwrap();
    store.compare_and_swap("head", None, Some(b"1")).unwrap();
    store.put(&blocks(0..14)).unwrap();
    store.put(&blocks(14..28)).unwrap();
    // That it is gone stands in a pack that goes.
    store.compare_and_swap("gone", Some(b"1"), None).unwrap();
    let (live, kept) = (ids(&blocks(0..14)), packs(&folder)[0].clone());
    let swept = store.sweep(&|id| live.contains(id), SweepOptions::default()).unwrap();
    assert_eq!(swept.blocks, 14);
    assert!(packs(&folder).contains(&kept));
    drop(store);
    fs::remove_file(folder.path().join("index.redb")).unwrap();
    let store = open(&folder);
    assert_eq!(store.list_refs("").unwrap(), [("head".to_owned(), b"1".to_vec())]);
}

#[test]
fn what_is_put_while_a_sweep_runs_stays() {
    let folder = TempDir::new().unwrap();
    let stores: [&dyn Store; 2] = [&open(&folder), &MemoryStore::new()];
    for store in stores {
        store.put(&blocks(0..30)).unwrap();
        let is_first = AtomicBool::new(true);
        let live = |_: &BlockId| {
            if is_first.swap(false, Ordering::Relaxed) {
                store.put(&blocks(5..10)).unwrap();
                store.put(&blocks(30..40)).unwrap();
            }
            false
        };
        let swept = store.sweep(&live, SweepOptions::all()).unwrap();
        assert_eq!(swept.blocks, 25);
        check_holds(store, &[blocks(5..10), blocks(30..40)].concat());
        assert_eq!((store.ids().unwrap().len(), store.usage().unwrap().blocks), (15, 15));
    }
}

#[test]
fn readers_and_writers_go_on_beside_a_sweep() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    store.put(&blocks(0..100)).unwrap();
    let kept = blocks(0..50);
    let kept_ids = ids(&kept);
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    check_holds(&store, &kept);
                }
            });
        }
        scope.spawn(|| {
            for n in 0.. {
                if is_done.load(Ordering::Relaxed) {
                    break;
                }
                // Old ones that were or will be dropped, and new ones.
                let some = [blocks(50 + n % 50..51 + n % 50), blocks(1_000 + n..1_002 + n)].concat();
                store.put(&some).unwrap();
                store.compare_and_swap(&format!("ref/{n}"), None, Some(b"x")).unwrap();
            }
        });
        for _ in 0..15 {
            store.sweep(&|id| kept_ids.contains(id), SweepOptions::all()).unwrap();
        }
        is_done.store(true, Ordering::Relaxed);
    });
    assert_eq!(store.corrupt(), []);
    assert_eq!(store.usage().unwrap().blocks, store.ids().unwrap().len() as u64);
    store.sweep(&|id| kept_ids.contains(id), SweepOptions::all()).unwrap();
    assert_eq!(store.ids().unwrap(), kept_ids.iter().copied().collect::<Vec<_>>());
    assert_eq!(store.verify().unwrap(), 50);
}

#[test]
fn a_pack_with_a_damaged_block_is_kept_until_the_block_is_put_again() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    store.put(&blocks(0..10)).unwrap();
    drop(store);
    let path = folder.path().join("00000001.pack");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(64).position(|window| window == &block(3).bytes()[..64]).unwrap();
    bytes[at + 100] ^= 1;
    fs::write(&path, bytes).unwrap();
    let store = open(&folder);
    let live = ids(&blocks(0..5));
    let swept = store.sweep(&|id| live.contains(id), SweepOptions::all()).unwrap();
    assert_eq!((swept.blocks, swept.packs), (5, 0));
    assert!(path.exists());
    assert_eq!(store.verify().unwrap(), 4);
    assert_eq!(store.corrupt(), [block(3).id()]);
    store.put(&[block(3)]).unwrap();
    store.sweep(&|id| live.contains(id), SweepOptions::all()).unwrap();
    assert!(!path.exists());
    assert_eq!((store.verify().unwrap(), store.corrupt()), (5, vec![]));
}

#[test]
fn figures_are_those_of_the_files() {
    let folder = TempDir::new().unwrap();
    for step in 0..4 {
        let store = open(&folder);
        store.put(&blocks(step * 20..step * 20 + 20)).unwrap();
        store.compare_and_swap(&step.to_string(), None, Some(b"x")).unwrap();
        if step == 2 {
            let dead = ids(&blocks(0..30));
            store.sweep(&|id| !dead.contains(id), SweepOptions::default()).unwrap();
        }
        let usage = store.usage().unwrap();
        assert_eq!(usage.disk_bytes, files_bytes(folder.path()));
        assert_eq!(usage.packs, packs(&folder).len() as u64);
        assert_eq!(usage.index_bytes, fs::metadata(folder.path().join("index.redb")).unwrap().len());
        assert_eq!(usage.blocks, store.ids().unwrap().len() as u64);
        let blocks = store.get(&store.ids().unwrap()).unwrap();
        let bytes = blocks.iter().flatten().map(|block| block.bytes().len() as u64).sum::<u64>();
        assert_eq!(usage.block_bytes, bytes);
    }
}

#[test]
fn many_small_blocks_cost_little() {
    const BLOCKS: u32 = 10_000;
    let folder = TempDir::new().unwrap();
    let store = LocalStore::open(folder.path()).unwrap();
    let all: Vec<SealedBlock> = (0..BLOCKS).map(|seed| sealed(seed, 8)).collect();
    all.chunks(100).for_each(|some| store.put(some).unwrap());
    let tell = |what: &str, store: &LocalStore| {
        let usage = store.usage().unwrap();
        println!(
            "{what}: {usage:?}, {} bytes a block beside it",
            (usage.disk_bytes - usage.block_bytes) / u64::from(BLOCKS)
        );
        usage
    };
    tell("before the index", &store);
    store.checkpoint().unwrap();
    tell("with the index", &store);
    drop(store);
    let begin = Instant::now();
    let store = LocalStore::open(folder.path()).unwrap();
    println!("opened in {:?}", begin.elapsed());
    let usage = tell("opened again", &store);
    assert!(usage.disk_bytes - usage.block_bytes < 300 * u64::from(BLOCKS), "{usage:?}");
    let begin = Instant::now();
    store.sweep(&|id| id.as_bytes()[0] < 25, SweepOptions::default()).unwrap();
    println!("swept in {:?}", begin.elapsed());
    let usage = tell("after a sweep of nine in ten", &store);
    assert!(usage.disk_bytes < 2 << 20, "{usage:?}");
}
