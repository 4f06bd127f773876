use super::*;
use crate::block::BlockKind;
use crate::crypto::{EpochKey, WorkspaceId};
use std::path::PathBuf;
use tempfile::TempDir;

fn block(seed: u32) -> SealedBlock {
    let key = EpochKey::from_secret([5; 32], WorkspaceId([6; 32]));
    SealedBlock::seal(BlockKind::Dictionary, &seed.to_le_bytes().repeat(100), &key)
}

fn blocks(range: std::ops::Range<u32>) -> Vec<SealedBlock> {
    range.map(block).collect()
}

fn ids(blocks: &[SealedBlock]) -> Vec<BlockId> {
    blocks.iter().map(SealedBlock::id).collect()
}

fn open(folder: &TempDir) -> LocalStore {
    LocalStore::open(folder.path()).unwrap()
}

/// Ends the store as `kill -9` would: nothing is checkpointed, the lock goes.
fn kill(store: LocalStore) {
    store.log().poison("killed".to_owned());
    drop(store);
}

fn pack_path(folder: &TempDir) -> PathBuf {
    Pack::path_of(folder.path(), 1)
}

fn check_holds(store: &LocalStore, expected: &[SealedBlock]) {
    let found = store.get(&ids(expected)).unwrap();
    assert_eq!(found.into_iter().flatten().collect::<Vec<_>>(), expected);
}

#[test]
fn what_was_put_is_there_after_reopening() {
    let folder = TempDir::new().unwrap();
    let all = blocks(0..50);
    for is_killed in [false, true, false] {
        let store = open(&folder);
        store.put(&all).unwrap();
        store.put(&all[..10]).unwrap();
        store.sync().unwrap();
        check_holds(&store, &all);
        assert_eq!(store.usage().unwrap().blocks, 50);
        assert_eq!(store.has(&[block(99).id(), all[0].id()]).unwrap(), [false, true]);
        let mut sorted = ids(&all);
        sorted.sort_unstable();
        assert_eq!(store.ids().unwrap(), sorted);
        assert_eq!(store.verify().unwrap(), 50);
        if is_killed { kill(store) } else { drop(store) }
    }
    check_holds(&open(&folder), &all);
    std::fs::remove_file(folder.path().join("index.redb")).unwrap();
    check_holds(&open(&folder), &all);
    std::fs::write(folder.path().join("index.redb"), b"garbage").unwrap();
    check_holds(&open(&folder), &all);
    assert_eq!(open(&folder).usage().unwrap().blocks, 50);
}

#[test]
fn refs_change_together_or_not_at_all() {
    let folder = TempDir::new().unwrap();
    let change = |name: &str, old: Option<&[u8]>, new: Option<&[u8]>| RefChange {
        name: name.to_owned(),
        old: old.map(<[u8]>::to_vec),
        new: new.map(<[u8]>::to_vec),
    };
    let store = open(&folder);
    store.update_refs(&[change("a/1", None, Some(b"x")), change("a/2", None, Some(b"y"))]).unwrap();
    store.compare_and_swap("b", None, Some(b"z")).unwrap();
    let lost = store.update_refs(&[change("b", Some(b"z"), None), change("a/1", None, Some(b"w"))]);
    assert!(
        matches!(lost, Err(StoreError::RefChanged { name, actual }) if name == "a/1" && actual == Some(b"x".to_vec()))
    );
    store.compare_and_swap("a/2", Some(b"y"), None).unwrap();
    kill(store);
    for _ in 0..3 {
        let store = open(&folder);
        assert_eq!(store.list_refs("a/").unwrap(), [("a/1".to_owned(), b"x".to_vec())]);
        assert_eq!(store.read_ref("b").unwrap(), Some(b"z".to_vec()));
        assert_eq!(store.read_ref("a/2").unwrap(), None);
    }
}

#[test]
fn a_folder_has_one_owner() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    let Err(error) = LocalStore::open(folder.path()) else { panic!("opened twice") };
    assert!(matches!(error, StoreError::InUse(_)));
    assert!(error.to_string().ends_with("is in use by another process"));
    drop(store);
    open(&folder);
}

#[test]
fn a_torn_end_loses_only_what_was_not_promised() {
    let all = blocks(0..4);
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    store.put(&all[..3]).unwrap();
    store.compare_and_swap("head", None, Some(b"3")).unwrap();
    kill(store);
    let whole = std::fs::read(pack_path(&folder)).unwrap();
    let store = open(&folder);
    store.put(&all[3..]).unwrap();
    kill(store);
    let longer = std::fs::read(pack_path(&folder)).unwrap();
    for len in (whole.len()..longer.len()).step_by(17) {
        for garbage in [&b""[..], &[0; 300], &longer[60..400]] {
            std::fs::write(pack_path(&folder), [&longer[..len], garbage].concat()).unwrap();
            std::fs::remove_file(folder.path().join("index.redb")).unwrap();
            // The mark tells of the pack that was here before.
            std::fs::remove_file(folder.path().join("lock")).unwrap();
            let store = open(&folder);
            check_holds(&store, &all[..3]);
            assert_eq!(store.read_ref("head").unwrap(), Some(b"3".to_vec()));
            assert_eq!((store.has(&[all[3].id()]).unwrap(), store.corrupt()), (vec![false], vec![]));
            store.put(&all).unwrap();
            check_holds(&store, &all);
            kill(store);
            check_holds(&open(&folder), &all);
        }
    }
}

#[test]
fn a_flipped_bit_hides_one_block_until_it_is_put_again() {
    let all = blocks(0..5);
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    store.put(&all).unwrap();
    store.compare_and_swap("head", None, Some(b"5")).unwrap();
    store.compare_and_swap("head", Some(b"5"), Some(b"6")).unwrap();
    kill(store);
    let intact = std::fs::read(pack_path(&folder)).unwrap();
    let body = memchr::memmem::find(&intact, all[2].bytes()).unwrap();
    for (offset, is_index_kept) in
        [(body + 30, true), (body + 30, false), (body - 20, false), (body - 56, false)]
    {
        let mut flipped = intact.clone();
        flipped[offset] ^= 4;
        std::fs::write(pack_path(&folder), flipped).unwrap();
        if !is_index_kept {
            std::fs::remove_file(folder.path().join("index.redb")).unwrap();
        }
        let store = open(&folder);
        let found = store.get(&ids(&all)).unwrap();
        assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false, true, true]);
        assert_eq!(store.read_ref("head").unwrap(), Some(b"6".to_vec()));
        if offset > body {
            assert_eq!(store.corrupt(), [all[2].id()]);
        }
        store.put(&all).unwrap();
        assert_eq!(store.corrupt(), []);
        check_holds(&store, &all);
        drop(store);
        check_holds(&open(&folder), &all);
    }
}

#[test]
fn writers_share_syncs_and_lose_nothing() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    std::thread::scope(|scope| {
        for writer in 0..4u32 {
            let store = &store;
            scope.spawn(move || {
                let name = format!("branch/{writer}");
                let mut old: Option<Vec<u8>> = None;
                for step in 0..25u32 {
                    let one = block(writer * 1000 + step);
                    store.put(std::slice::from_ref(&one)).unwrap();
                    let new = one.id().as_bytes().to_vec();
                    store.compare_and_swap(&name, old.as_deref(), Some(&new)).unwrap();
                    old = Some(new);
                }
            });
        }
    });
    kill(store);
    let store = open(&folder);
    for writer in 0..4 {
        let all = blocks(writer * 1000..writer * 1000 + 25);
        check_holds(&store, &all);
        let head = store.read_ref(&format!("branch/{writer}")).unwrap().unwrap();
        assert_eq!(head, all[24].id().as_bytes());
    }
    store.checkpoint().unwrap();
    assert_eq!(store.usage().unwrap().blocks, 100);
}

#[test]
fn packs_follow_each_other() {
    let folder = TempDir::new().unwrap();
    let all = blocks(0..6);
    let store = open(&folder);
    for pair in all.chunks(2) {
        store.put(pair).unwrap();
        store.begin_pack(&mut store.log()).unwrap();
    }
    check_holds(&store, &all);
    kill(store);
    // The last pack was made, but its header did not reach the disk.
    std::fs::write(Pack::path_of(folder.path(), 4), b"reef").unwrap();
    let store = open(&folder);
    check_holds(&store, &all);
    store.put(&blocks(6..8)).unwrap();
    drop(store);
    check_holds(&open(&folder), &blocks(0..8));
}
