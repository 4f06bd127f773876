//! Workspaces in memory.

use std::sync::Arc;

use super::*;
use crate::blockstore::MemoryStore;
use crate::dataset::{Dataset, DatasetMut};
use crate::model::{NamedNode, Permutation, QuadPattern, Term};

pub fn access(store: &Arc<MemoryStore>) -> Access {
    Access {
        store: store.clone(),
        source: store.clone(),
        key: EpochKey::from_secret([1; 32], WorkspaceId([2; 32])),
        author: SecretKey::from_seed(&[3; 32]),
        cache_bytes_max: 1 << 24,
    }
}

fn create() -> (Arc<MemoryStore>, Workspace) {
    let store = Arc::new(MemoryStore::new());
    let workspace = Workspace::create(access(&store), Settings::default(), 0).unwrap();
    (store, workspace)
}

fn iri(name: &str) -> Term {
    NamedNode::new_unchecked(format!("http://example.org/{name}")).into()
}

fn insert(dataset: &dyn DatasetMut, [s, p, o]: [&str; 3]) -> bool {
    let [subject, predicate, object] = [s, p, o].map(|name| dataset.intern(&iri(name)).unwrap());
    dataset
        .insert(crate::model::Quad { subject, predicate, object, graph: crate::model::TermId::UNDEFINED })
        .unwrap()
}

fn count(dataset: &dyn Dataset) -> usize {
    let mut scan = dataset.scan(&QuadPattern::default(), Permutation::Pos).unwrap();
    let mut rows = 0;
    while let Some(batch) = scan.next_batch().unwrap() {
        rows += batch.rows();
    }
    rows
}

#[test]
fn commits_are_seen_on_their_branch_and_in_their_time() {
    let (store, workspace) = create();
    let genesis = workspace.branch(MAIN).unwrap();
    let mut commits = vec![genesis];
    for n in 0..5 {
        let transaction = workspace.begin(MAIN).unwrap();
        assert!(insert(&transaction, ["a", "b", &n.to_string()]));
        commits.push(transaction.write("more", n).unwrap());
        assert_eq!(workspace.branch(MAIN).unwrap(), commits[n as usize]);
        transaction.publish().unwrap();
    }
    let reopened = Workspace::open(access(&store)).unwrap();
    for (n, commit) in commits.iter().enumerate() {
        assert_eq!(count(&*workspace.snapshot(*commit).unwrap()), n);
        assert_eq!(count(&*reopened.snapshot(*commit).unwrap()), n);
        assert_eq!(reopened.resolve(&format!("main~{}", 5 - n)).unwrap(), *commit);
    }
    assert_eq!(reopened.log(commits[5]).unwrap().count(), 6);
    assert_eq!(*reopened.settings().unwrap(), Settings::default());
}

#[test]
fn a_lost_race_is_a_conflict_and_nothing_changes() {
    let (_, workspace) = create();
    let [mine, theirs] = [(); 2].map(|()| workspace.begin(MAIN).unwrap());
    insert(&mine, ["a", "b", "mine"]);
    insert(&theirs, ["a", "b", "theirs"]);
    let winner = theirs.write("theirs", 1).unwrap();
    theirs.publish().unwrap();
    mine.write("mine", 1).unwrap();
    let Err(WorkspaceError::Conflict { branch, theirs }) = mine.publish() else { panic!() };
    assert_eq!((branch.as_str(), theirs), (MAIN, winner));
    assert_eq!(workspace.branch(MAIN).unwrap(), winner);
}

#[test]
fn no_change_is_no_commit() {
    let (_, workspace) = create();
    let transaction = workspace.begin(MAIN).unwrap();
    assert!(insert(&transaction, ["a", "b", "c"]));
    let quad =
        transaction.scan(&QuadPattern::default(), Permutation::Spo).unwrap().next_batch().unwrap().unwrap();
    let [subject, predicate, object, graph] = [0, 1, 2, 3].map(|column| quad.column(column)[0]);
    assert!(transaction.remove(crate::model::Quad { subject, predicate, object, graph }).unwrap());
    assert_eq!(transaction.write("nothing", 1).unwrap(), transaction.parent());
    assert_eq!(transaction.publish().unwrap(), workspace.branch(MAIN).unwrap());
}
