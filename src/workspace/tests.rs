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
        memory: MemoryLimits { cache_bytes_max: 1 << 24, work_bytes_max: 64 << 20 },
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

fn ports(count: usize) -> Vec<oxrdf::Quad> {
    let iri = |kind: &str, n: usize| NamedNode::new_unchecked(format!("http://example.org/{kind}/{n}"));
    (0..count)
        .map(|n| {
            oxrdf::Quad::new(iri("port", n), iri("p", n % 7), iri("port", n * 31 % count), iri("g", n % 3))
        })
        .collect()
}

fn load(workspace: &Workspace, quads: Vec<oxrdf::Quad>) -> Loaded {
    workspace.load(MAIN, [Ok::<_, std::io::Error>(quads)], "load", 5).unwrap()
}

fn blocks_of(store: &MemoryStore) -> Vec<crate::block::BlockId> {
    crate::blockstore::Store::ids(store).unwrap()
}

#[test]
fn equal_writes_are_equal_blocks() {
    let make = || {
        let (store, workspace) = create();
        load(&workspace, ports(500));
        let transaction = workspace.begin(MAIN).unwrap();
        insert(&transaction, ["a", "b", "c"]);
        transaction.write("more", 6).unwrap();
        (transaction.publish().unwrap(), blocks_of(&store))
    };
    assert_eq!(make(), make());
}

#[test]
fn the_change_set_of_a_first_load_is_the_run_itself() {
    let (store, workspace) = create();
    let before = blocks_of(&store).len();
    let loaded = load(&workspace, ports(5_000));
    assert_eq!((loaded.quads_read, loaded.quads_added), (5_000, 5_000));
    let (_, root) = workspace.heads().unwrap()[0].manifest.unwrap();
    let run = crate::graph::Run::open(root, workspace.reader().clone()).unwrap();
    // The commit, which names them, is all that is not part of the run.
    assert_eq!(blocks_of(&store).len(), before + run.blocks().len() + 1);
    // Its change set gives the same data as the run does.
    let manifest = refs::manifest_name(loaded.commit);
    workspace.inner.refs.update(&[Change { name: manifest, old: Some(root.as_bytes()), new: None }]).unwrap();
    let reopened = Workspace::open(access(&store)).unwrap();
    let snapshot = reopened.snapshot(loaded.commit).unwrap();
    assert_eq!((count(&*snapshot), snapshot.overlay_len()), (5_000, 5_000));
    // Folded again, it is the same run.
    reopened.fold(loaded.commit).unwrap();
    assert_eq!(reopened.heads().unwrap()[0].manifest, Some((loaded.commit, root)));
}

#[test]
fn a_large_load_on_top_is_folded_and_a_small_one_is_not() {
    let (_, workspace) = create();
    load(&workspace, ports(1_000));
    let small = load(&workspace, ports(1_100));
    assert!(small.quads_added > 100);
    assert!(workspace.snapshot(small.commit).unwrap().overlay_len() > 0);
    let again = load(&workspace, ports(1_100));
    assert_eq!((again.commit, again.quads_added), (small.commit, 0));
    let large = load(&workspace, ports(30_000));
    let snapshot = workspace.snapshot(large.commit).unwrap();
    assert_eq!(snapshot.overlay_len(), 0);
    assert_eq!(count(&*snapshot) as u64, 1_000 + small.quads_added + large.quads_added);
    assert!(workspace.verify().unwrap().is_clean());
}

#[test]
fn two_loads_share_no_blank_node() {
    let (_, workspace) = create();
    let quad = oxrdf::Quad::new(
        oxrdf::BlankNode::new_unchecked("a"),
        NamedNode::new_unchecked("http://example.org/p"),
        oxrdf::BlankNode::new_unchecked("a"),
        oxrdf::GraphName::DefaultGraph,
    );
    for n in 1..4 {
        assert_eq!(load(&workspace, vec![quad.clone(), quad.clone()]).quads_added, 1);
        assert_eq!(count(&*workspace.snapshot(workspace.branch(MAIN).unwrap()).unwrap()), n);
    }
}

#[test]
fn a_failed_load_leaves_nothing() {
    let (_, workspace) = create();
    let before = workspace.branches().unwrap();
    let batches = [Ok(ports(10)), Err(std::io::Error::other("line 3"))];
    let Err(WorkspaceError::Input(error)) = workspace.load(MAIN, batches, "load", 1) else { panic!() };
    assert_eq!(error.to_string(), "line 3");
    assert_eq!(workspace.branches().unwrap(), before);
}

#[test]
fn a_message_that_no_commit_can_hold_is_refused() {
    let (_, workspace) = create();
    let [most, too_long] = [0, 1].map(|more| "m".repeat(MESSAGE_BYTES_MAX + more));
    let load = |message: &str| {
        workspace.load(MAIN, [Ok::<_, std::io::Error>(ports(9))], message, 1).map(|loaded| loaded.commit)
    };
    let change = |object: &str| {
        let transaction = workspace.begin(MAIN).unwrap();
        insert(&transaction, ["a", "b", object]);
        transaction
    };
    let before = workspace.branches().unwrap();
    for refused in [load(&too_long), change("c").write(&too_long, 1), change("c").commit(&too_long, 1)] {
        assert!(matches!(refused, Err(WorkspaceError::MessageTooLong(len)) if len == too_long.len()));
    }
    assert_eq!(workspace.branches().unwrap(), before);
    for commit in [load(&most), change("c").commit(&most, 1)] {
        assert_eq!(workspace.commit(commit.unwrap()).unwrap().commit.message, most);
    }
}

#[test]
fn revisions_name_commits_and_unknown_ones_are_named() {
    let (store, workspace) = create();
    let genesis = workspace.branch(MAIN).unwrap();
    let tip = load(&workspace, ports(5)).commit;
    workspace.create_branch("feature/x", genesis).unwrap();
    for (revision, expected) in [
        ("main".to_owned(), tip),
        ("main~1".to_owned(), genesis),
        ("main^".to_owned(), genesis),
        ("main^1~0".to_owned(), genesis),
        ("main~0^0".to_owned(), tip),
        ("feature/x".to_owned(), genesis),
        (tip.0.to_string(), tip),
        (format!("commit:{}", tip.0), tip),
        (format!("commit:{}~", tip.0), genesis),
    ] {
        assert_eq!(workspace.resolve(&revision).unwrap(), expected, "{revision}");
    }
    let stranger = crate::block::BlockId::of(b"stranger");
    let no_commit = blocks_of(&store).into_iter().find(|id| ![genesis.0, tip.0].contains(id)).unwrap();
    for revision in [
        "",
        "nope",
        "main~2",
        "main^2",
        "main~x",
        "main~99999999999",
        &stranger.to_string(),
        &no_commit.to_string(),
    ] {
        match workspace.resolve(revision) {
            Err(WorkspaceError::UnknownRef(named)) => assert_eq!(named, revision),
            other => panic!("{revision}: {other:?}"),
        }
    }
}

#[test]
fn branch_names_are_checked() {
    let (_, workspace) = create();
    let at = workspace.branch(MAIN).unwrap();
    for name in ["a", "release-1.2", "team/Übung_3"] {
        workspace.create_branch(name, at).unwrap();
        assert!(matches!(workspace.create_branch(name, at), Err(WorkspaceError::BranchExists(_))));
        workspace.delete_branch(name).unwrap();
    }
    for name in
        ["", "a b", "a~1", "a^", "a@b", "/a", "a/", "a//b", "..", "a..b", ".a", "-a", "a.", &at.0.to_string()]
    {
        let made = workspace.create_branch(name, at);
        assert!(matches!(made, Err(WorkspaceError::InvalidBranchName(..))), "{name}");
    }
    assert!(matches!(workspace.delete_branch(MAIN), Err(WorkspaceError::DefaultBranch(_))));
}

/// One store in front of another; what comes from behind is kept in front.
struct Stacked {
    near: Arc<MemoryStore>,
    far: Arc<MemoryStore>,
}

impl BlockSource for Stacked {
    fn get(
        &self,
        ids: &[crate::block::BlockId],
    ) -> Result<Vec<Option<crate::block::SealedBlock>>, crate::block::BlockError> {
        let (near, far) = (self.near.get(ids)?, self.far.get(ids)?);
        let found: Vec<_> = near.into_iter().zip(far).map(|(near, far)| near.or(far)).collect();
        let kept: Vec<_> = found.iter().flatten().cloned().collect();
        crate::block::BlockSink::put(&*self.near, &kept)?;
        Ok(found)
    }

    fn has(&self, ids: &[crate::block::BlockId]) -> Result<Vec<bool>, crate::block::BlockError> {
        self.near.has(ids)
    }
}

#[test]
fn a_joining_node_opens_with_ids_alone_and_reads_as_it_needs() {
    let (far, origin) = create();
    load(&origin, ports(40_000));
    let transaction = origin.begin(MAIN).unwrap();
    insert(&transaction, ["a", "b", "c"]);
    let tip = transaction.write("more", 6).unwrap();
    transaction.publish().unwrap();

    let near = Arc::new(MemoryStore::new());
    let stacked = |near: &Arc<MemoryStore>| Access {
        store: near.clone(),
        source: Arc::new(Stacked { near: near.clone(), far: far.clone() }),
        author: SecretKey::from_seed(&[9; 32]),
        ..access(near)
    };
    let joined = Workspace::adopt(stacked(&near), &origin.heads().unwrap()).unwrap();
    assert_eq!((blocks_of(&near).len(), joined.branch(MAIN).unwrap()), (0, tip));
    assert!(joined.missing_blocks(tip).unwrap().contains(&tip.0));

    let snapshot = joined.snapshot(tip).unwrap();
    let port = snapshot.term_id(&iri("port/7")).unwrap();
    let pattern = QuadPattern { subject: port, ..QuadPattern::default() };
    let rows = snapshot.scan(&pattern, Permutation::Spo).unwrap().next_batch().unwrap().unwrap();
    assert_eq!(rows.rows(), 1);
    assert!(blocks_of(&near).len() < blocks_of(&far).len() / 2);
    let missing = joined.missing_blocks(tip).unwrap();
    assert!(!missing.is_empty() && !missing.contains(&tip.0));
    let verified = joined.verify().unwrap();
    assert!(verified.corrupt.is_empty() && !verified.missing.is_empty());

    for id in missing {
        joined.reader().source().get(&[id]).unwrap();
    }
    assert_eq!(joined.missing_blocks(tip).unwrap(), []);
    assert_eq!(*joined.settings().unwrap(), *origin.settings().unwrap());
    assert!(matches!(Workspace::adopt(stacked(&near), &[]), Err(WorkspaceError::WorkspaceExists(_))));
}

#[test]
fn heads_of_others_are_noted_and_followed() {
    let (store, workspace) = create();
    let genesis = workspace.branch(MAIN).unwrap();
    load(&workspace, ports(10));
    workspace.create_branch("work", genesis).unwrap();
    let head = workspace.heads().unwrap().remove(0);
    assert!(head.manifest.is_some());
    workspace.set_remote_head("peer1", &head).unwrap();
    let bare = Head { branch: "other".to_owned(), commit: genesis, manifest: None };
    workspace.set_remote_head("peer1", &bare).unwrap();
    let reopened = Workspace::open(access(&store)).unwrap();
    let named = |head: &Head| ("peer1".to_owned(), head.clone());
    assert_eq!(reopened.remote_heads().unwrap(), [named(&head), named(&bare)]);
    assert_eq!(reopened.resolve("peer1/main").unwrap(), head.commit);
    reopened.fast_forward("work", head.commit).unwrap();
    assert_eq!(reopened.branch("work").unwrap(), head.commit);
    assert!(matches!(reopened.fast_forward("work", genesis), Err(WorkspaceError::Conflict { .. })));
}

#[test]
fn verify_tells_missing_from_corrupt() {
    let (store, workspace) = create();
    let loaded = load(&workspace, ports(2_000));
    let clean = workspace.verify().unwrap();
    assert!(clean.is_clean());
    assert_eq!((clean.commits, clean.runs, clean.branches), (2, 1, 1));
    assert_eq!(clean.blocks as usize, blocks_of(&store).len());

    let (_, root) = workspace.heads().unwrap()[0].manifest.unwrap();
    let run = crate::graph::Run::open(root, workspace.reader().clone()).unwrap();
    let lost = run.dictionary()[0];
    store.remove(lost);
    let report = workspace.verify().unwrap();
    assert_eq!((report.missing, report.corrupt), (vec![lost], vec![]));

    // A commit whose author did not sign it: sealed with the key, by somebody else.
    let mut forged = workspace.commit(loaded.commit).unwrap().commit.clone();
    forged.author = SecretKey::from_seed(&[7; 32]).public();
    let bytes = [forged.to_bytes(), vec![0; 64]].concat();
    let block = crate::block::SealedBlock::seal(BlockKind::Commit, &bytes, &workspace.inner.key);
    crate::block::BlockSink::put(&*store, std::slice::from_ref(&block)).unwrap();
    workspace.create_branch("forged", CommitId(block.id())).unwrap();
    let report = workspace.verify().unwrap();
    assert_eq!(report.corrupt.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [block.id()]);
}

#[test]
fn an_open_scan_goes_on_as_it_began() {
    let (_, workspace) = create();
    load(&workspace, ports(10_000));
    let transaction = workspace.begin(MAIN).unwrap();
    let mut scan = transaction.scan(&QuadPattern::default(), Permutation::Spo).unwrap();
    let mut rows = 0;
    while let Some(batch) = scan.next_batch().unwrap() {
        for row in 0..batch.rows() {
            let [subject, predicate, object, graph] = [0, 1, 2, 3].map(|column| batch.column(column)[row]);
            let quad = crate::model::Quad { subject, predicate, object, graph };
            assert!(transaction.remove(quad).unwrap());
            assert!(transaction.insert(crate::model::Quad { graph: subject, ..quad }).unwrap());
        }
        rows += batch.rows();
    }
    assert_eq!((rows, transaction.counts()), (10_000, (10_000, 10_000)));
    assert_eq!(count(&transaction), 10_000);
}
