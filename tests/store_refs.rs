//! Refs change in two phases, so that writers share syncs and readers wait for none.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use reefloom::blockstore::{
    LocalStore, MemoryStore, RefChange, Refs, Step, Store, StoreError, StoreOptions, Watch,
};
use tempfile::TempDir;

fn change(name: &str, old: Option<&str>, new: Option<&str>) -> RefChange {
    let bytes = |value: Option<&str>| value.map(|value| value.as_bytes().to_vec());
    RefChange { name: name.to_owned(), old: bytes(old), new: bytes(new) }
}

fn text(value: Result<Option<Vec<u8>>, StoreError>) -> Option<String> {
    value.unwrap().map(|value| String::from_utf8(value).unwrap())
}

/// Opens a store whose syncs say that they begin, and then wait to be let go on.
fn open_slow(folder: &TempDir) -> (Arc<LocalStore>, Receiver<()>, Sender<()>) {
    let (begun, begins) = channel();
    let (go_on, goes_on) = channel();
    let goes_on = Mutex::new(goes_on);
    let is_open: Arc<Mutex<bool>> = Arc::default();
    let is_slow = Arc::clone(&is_open);
    let watch: Watch = Arc::new(move |step| {
        if matches!(step, Step::Sync { .. }) && *is_slow.lock().unwrap() {
            begun.send(()).unwrap();
            // Whoever no longer tells lets all go on.
            let _ = goes_on.lock().unwrap().recv();
        }
        Ok(())
    });
    let options = StoreOptions { watch: Some(watch), ..StoreOptions::default() };
    let store = LocalStore::open_with(folder.path(), options).unwrap();
    *is_open.lock().unwrap() = true;
    (Arc::new(store), begins, go_on)
}

#[test]
fn nobody_waits_for_a_sync_but_who_asks_for_it() {
    let folder = TempDir::new().unwrap();
    let (store, begins, go_on) = open_slow(&folder);
    let writer = Arc::clone(&store);
    let writer = thread::spawn(move || writer.update_refs(&[change("a", None, Some("1"))]).unwrap());
    begins.recv().unwrap();
    // The sync runs from here on.
    assert_eq!((text(store.read_ref("a")), text(store.latest_ref("a"))), (None, Some("1".to_owned())));
    assert_eq!(store.list_refs("").unwrap(), []);
    let lost = store.append_refs(&[change("a", None, Some("2"))]);
    assert!(matches!(lost, Err(StoreError::RefChanged { actual: Some(actual), .. }) if actual == b"1"));
    let second = store.append_refs(&[change("a", Some("1"), Some("2"))]).unwrap();
    let third = store.append_refs(&[change("a", Some("2"), None), change("b", None, Some("3"))]).unwrap();
    assert!(second < third);
    assert_eq!(text(store.latest_ref("a")), None);
    go_on.send(()).unwrap();
    writer.join().unwrap();
    assert_eq!((text(store.read_ref("a")), text(store.read_ref("b"))), (Some("1".to_owned()), None));
    // One sync for all that wait.
    let before = store.usage().unwrap().syncs;
    let waiting: Vec<_> = [second, third, second, third]
        .map(|ticket| {
            let store = Arc::clone(&store);
            thread::spawn(move || store.wait(ticket).unwrap())
        })
        .into();
    begins.recv().unwrap();
    go_on.send(()).unwrap();
    waiting.into_iter().for_each(|waiting| waiting.join().unwrap());
    assert_eq!(store.usage().unwrap().syncs, before + 1);
    assert_eq!((text(store.read_ref("a")), text(store.read_ref("b"))), (None, Some("3".to_owned())));
    // What is durable is not waited for.
    store.wait(third).unwrap();
    store.update_refs(&[]).unwrap();
    drop(go_on);
}

#[test]
fn a_failed_sync_shows_nothing_to_readers() {
    let folder = TempDir::new().unwrap();
    let watch: Watch = Arc::new(|step| match step {
        Step::Sync { end, .. } if end > 300 => Err(std::io::Error::other("the disk failed")),
        _ => Ok(()),
    });
    let options = StoreOptions { watch: Some(watch), ..StoreOptions::default() };
    let store = LocalStore::open_with(folder.path(), options).unwrap();
    store.compare_and_swap("a", None, Some(b"1")).unwrap();
    assert!(store.compare_and_swap("a", Some(b"1"), Some(&[b'2'; 300])).is_err());
    assert_eq!(text(store.read_ref("a")), Some("1".to_owned()));
    let poisoned = store.append_refs(&[change("b", None, Some("3"))]);
    assert!(matches!(poisoned, Err(StoreError::Poisoned(_))));
}

/// Lets 16 threads change a ref of their own 200 times each.
fn change_from_many_threads(store: &dyn Store) -> Duration {
    let begin = Instant::now();
    thread::scope(|scope| {
        for writer in 0..16 {
            scope.spawn(move || {
                let name = format!("branch/{writer}");
                let mut old: Option<String> = None;
                for step in 0..200 {
                    let new = step.to_string();
                    let ticket = store.append_refs(&[change(&name, old.as_deref(), Some(&new))]).unwrap();
                    store.wait(ticket).unwrap();
                    assert_eq!(text(store.read_ref(&name)), Some(new.clone()));
                    old = Some(new);
                }
            });
        }
    });
    begin.elapsed()
}

#[test]
fn many_writers_share_syncs() {
    let folder = TempDir::new().unwrap();
    let store = LocalStore::open(folder.path()).unwrap();
    let before = store.usage().unwrap();
    let elapsed = change_from_many_threads(&store);
    let after = store.usage().unwrap();
    let (syncs, bytes) = (after.syncs - before.syncs, after.appended_bytes - before.appended_bytes);
    println!("16 threads x 200 changes: {syncs} syncs, {bytes} bytes appended, {elapsed:?}");
    assert!(syncs <= 16 * 200 / 2, "{syncs} syncs");
    change_from_many_threads(&MemoryStore::new());
}

#[test]
fn what_many_wait_for_takes_one_sync() {
    let folder = TempDir::new().unwrap();
    let store = LocalStore::open(folder.path()).unwrap();
    let before = store.usage().unwrap().syncs;
    let tickets: Vec<_> =
        (0..200).map(|n| store.append_refs(&[change(&n.to_string(), None, Some("x"))]).unwrap()).collect();
    thread::scope(|scope| {
        tickets.iter().for_each(|ticket| _ = scope.spawn(|| store.wait(*ticket).unwrap()));
    });
    assert_eq!(store.usage().unwrap().syncs, before + 1);
    assert_eq!(store.list_refs("").unwrap().len(), 200);
}
