//! What a workspace is over time: one manifest for one set of quads, whatever the way there; every commit
//! readable, whatever was folded and collected since; writers that share syncs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use reefloom::block::BlockSink;
use reefloom::blockstore::{LocalStore, MemoryStore, Store, SweepOptions};
use reefloom::crypto::{EpochKey, SecretKey, WorkspaceId};
use reefloom::dataset::{Dataset, DatasetMut};
use reefloom::engine::{CollectOptions, Engine, EngineOptions, Language, Peering, Request};
use reefloom::model::{
    BlankNode, GraphName, Literal, NamedNode, Permutation, Quad, QuadPattern, Term, TermId, Triple, pg, rdf,
};
use reefloom::workspace::{Access, CommitId, MAIN, Marking, MemoryLimits, Settings, Workspace};

fn create(store: &Arc<dyn Store>, work_bytes_max: usize) -> Workspace {
    struct Source(Arc<dyn Store>);
    impl reefloom::block::BlockSource for Source {
        fn get(
            &self,
            ids: &[reefloom::block::BlockId],
        ) -> Result<Vec<Option<reefloom::block::SealedBlock>>, reefloom::block::BlockError> {
            self.0.get(ids)
        }

        fn has(&self, ids: &[reefloom::block::BlockId]) -> Result<Vec<bool>, reefloom::block::BlockError> {
            self.0.has(ids)
        }
    }
    let access = Access {
        store: Arc::clone(store),
        source: Arc::new(Source(Arc::clone(store))),
        key: EpochKey::from_secret([1; 32], WorkspaceId([2; 32])),
        author: SecretKey::from_seed(&[3; 32]),
        memory: MemoryLimits { cache_bytes_max: 8 << 20, work_bytes_max },
    };
    Workspace::create(access, Settings::default(), 0).unwrap()
}

fn in_memory() -> (Arc<dyn Store>, Workspace) {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let workspace = create(&store, 64 << 20);
    (store, workspace)
}

fn iri(kind: &str, n: usize) -> NamedNode {
    NamedNode::new_unchecked(format!("http://example.org/{kind}/{n}"))
}

/// Quads of every sort: types, edges with properties, triple terms within others, literals of several kinds, blank
/// nodes, graphs.
fn quads(count: usize) -> Vec<oxrdf::Quad> {
    let quad = |n: usize| {
        let subject = iri("s", n / 5);
        let graph: GraphName =
            if n.is_multiple_of(3) { iri("g", n % 4).into() } else { GraphName::DefaultGraph };
        let (predicate, object): (NamedNode, Term) = match n % 7 {
            0 => (rdf::TYPE.into_owned(), iri("Class", n % 11).into()),
            1 => (iri("p", 1), Literal::from(n as i64).into()),
            2 => (iri("p", 2), Literal::new_simple_literal(format!("text {}", n * 7919 % 5000)).into()),
            3 => (iri("p", 3), Literal::new_language_tagged_literal_unchecked(format!("t{n}"), "en").into()),
            4 => (iri("p", 4), BlankNode::new_unchecked(format!("b{}", n / 13)).into()),
            5 => {
                let mut object: Term = match n % 5 {
                    0 => Literal::from(n as i64 % 50).into(),
                    1 => Literal::new_simple_literal(format!("text {}", n * 7919 % 5000)).into(),
                    2 => Literal::new_typed_literal(format!("{}", n % 30), iri("Datatype", 0)).into(),
                    _ => iri("s", n * 31 % 97).into(),
                };
                // Triple terms within others, of which some stand alone as well.
                for depth in 0..n % 3 {
                    object = Triple::new(iri("s", n % 7), iri("p", 4 + depth), object).into();
                }
                let triple = Triple::new(iri("s", n / 5), iri("p", 4), object);
                return oxrdf::Quad::new(iri("e", n), pg::REIFIES.into_owned(), triple, graph);
            }
            _ => (iri("p", 5), iri("s", n * 104_729 % 1009).into()),
        };
        oxrdf::Quad::new(subject, predicate, object, graph)
    };
    (0..count).map(quad).collect()
}

/// Puts quads in and out by a transaction, so that blank nodes keep their names.
fn commit(workspace: &Workspace, added: &[oxrdf::Quad], removed: &[oxrdf::Quad], time_ms: i64) -> CommitId {
    let transaction = workspace.begin(MAIN).unwrap();
    let ids = |quad: &oxrdf::Quad| {
        let id = |term: Term| transaction.intern(&term).unwrap();
        let graph = match &quad.graph_name {
            GraphName::DefaultGraph => TermId::UNDEFINED,
            GraphName::NamedNode(name) => id(name.clone().into()),
            GraphName::BlankNode(node) => id(node.clone().into()),
        };
        let [subject, predicate, object] =
            [quad.subject.clone().into(), quad.predicate.clone().into(), quad.object.clone()].map(id);
        Quad { subject, predicate, object, graph }
    };
    for quad in removed {
        transaction.remove(ids(quad)).unwrap();
    }
    for quad in added {
        transaction.insert(ids(quad)).unwrap();
    }
    transaction.commit("some", time_ms).unwrap()
}

fn shuffled(quads: &[oxrdf::Quad], seed: u64) -> Vec<oxrdf::Quad> {
    let mut state = seed;
    let mut keyed: Vec<(u64, &oxrdf::Quad)> = quads
        .iter()
        .map(|quad| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 20, quad)
        })
        .collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, quad)| quad.clone()).collect()
}

/// Returns the manifest of the branch once it is folded.
fn folded(workspace: &Workspace) -> String {
    workspace.fold(workspace.branch(MAIN).unwrap()).unwrap().unwrap().to_string()
}

/// Whatever the way there, one set of quads is one manifest.
#[test]
fn one_set_of_quads_has_one_manifest() {
    let all: Vec<oxrdf::Quad> =
        quads(6_000).into_iter().filter(|quad| !quad.to_string().contains("_:")).collect();
    let mut manifests = BTreeSet::new();
    for (seed, work_bytes_max) in [(1, 64 << 20), (2, 64 << 20), (3, 1 << 20)] {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let workspace = create(&store, work_bytes_max);
        let batches = [Ok::<_, std::io::Error>(shuffled(&all, seed))];
        workspace.load(MAIN, batches, "all", 1).unwrap();
        manifests.insert(folded(&workspace));
    }
    // In several loads, the later ones on top of what is there.
    let (_, workspace) = in_memory();
    for (time, part) in shuffled(&all, 4).chunks(all.len() / 3 + 1).enumerate() {
        workspace.load(MAIN, [Ok::<_, std::io::Error>(part.to_vec())], "a part", time as i64).unwrap();
    }
    manifests.insert(folded(&workspace));
    // In many commits, some of what they add being taken away again, with folds in between.
    let (_, workspace) = in_memory();
    let passing: Vec<oxrdf::Quad> = quads(9_000).split_off(8_000);
    for (time, part) in shuffled(&all, 5).chunks(400).enumerate() {
        commit(&workspace, part, &[], time as i64);
        commit(&workspace, &passing, &[], time as i64);
        if time % 4 == 1 {
            folded(&workspace);
        }
        commit(&workspace, &[], &passing, time as i64);
    }
    // What passed by may be among the rest as well.
    commit(&workspace, &all, &[], 99);
    manifests.insert(folded(&workspace));
    assert_eq!(manifests.len(), 1, "{manifests:?}");
    assert_eq!(manifests.into_iter().next().unwrap(), GOLDEN);
}

/// A change here is a new format version.
const GOLDEN: &str = "bafkr4ieghonn4vg5scnuhgexofdhfutcu3pkmb6bpry5yie55cbfkyd4sm";

fn count(workspace: &Workspace, commit: CommitId) -> u64 {
    let snapshot = workspace.snapshot(commit).unwrap();
    let mut scan = snapshot.scan(&QuadPattern::default(), Permutation::Pos).unwrap();
    let mut rows = 0;
    while let Some(batch) = scan.next_batch().unwrap() {
        rows += batch.rows() as u64;
    }
    assert_eq!(rows, snapshot.statistics().quads);
    rows
}

fn collect(workspace: &Workspace, store: &dyn Store) -> u64 {
    let marking = Marking::begin(workspace, 1).unwrap();
    let _paused = workspace.pause_writes();
    let needs = marking.finish().unwrap();
    workspace.forget_runs(&needs.spare_runs).unwrap();
    store.sweep(&|id| needs.blocks.contains(id), SweepOptions::all()).unwrap().blocks
}

#[test]
fn every_commit_is_read_after_folds_and_collections() {
    let (store, workspace) = in_memory();
    let mut history = Vec::new();
    let load = workspace.load(MAIN, [Ok::<_, std::io::Error>(quads(3_000))], "load", 1).unwrap();
    history.push((load.commit, load.quads_added));
    let mut held = load.quads_added;
    for n in 0..150 {
        let quad =
            |n: usize| oxrdf::Quad::new(iri("new", n), iri("p", n % 5), iri("s", n), GraphName::DefaultGraph);
        let removed: Vec<oxrdf::Quad> = if n % 3 == 2 { vec![quad(n - 1)] } else { Vec::new() };
        held = held + 1 - removed.len() as u64;
        history.push((commit(&workspace, &[quad(n)], &removed, n as i64), held));
        if n == 70 {
            folded(&workspace);
        }
    }
    let last = folded(&workspace);
    assert!(collect(&workspace, &*store) > 0);
    assert!(workspace.verify().unwrap().is_clean());
    let heads = workspace.heads().unwrap();
    assert_eq!(heads[0].manifest.unwrap().1.to_string(), last);
    // Forwards, backwards and at random.
    for (commit, quads) in history.iter().chain(history.iter().rev()) {
        assert_eq!(count(&workspace, *commit), *quads);
    }
    for at in [3, 140, 0, 77, 1, 149] {
        let (commit, quads) = history[at * 7 % history.len()];
        assert_eq!(count(&workspace, commit), quads);
    }
    // An old commit can be made fast as well, and what it holds is what it held.
    let (old, quads) = history[20];
    workspace.fold(old).unwrap().unwrap();
    assert_eq!(count(&workspace, old), quads);
}

#[test]
fn garbage_goes_and_nothing_else() {
    let (store, workspace) = in_memory();
    workspace.load(MAIN, [Ok::<_, std::io::Error>(quads(500))], "load", 1).unwrap();
    let base = workspace.branch(MAIN).unwrap();
    assert_eq!(collect(&workspace, &*store), 0);
    // A deleted branch is kept until it is forgotten, a pinned commit until it is not.
    workspace.create_branch("side", base).unwrap();
    let side = workspace.load("side", [Ok::<_, std::io::Error>(quads(900))], "more", 2).unwrap().commit;
    workspace.pin("audit", side).unwrap();
    workspace.delete_branch("side").unwrap();
    assert_eq!(collect(&workspace, &*store), 0);
    workspace.forget_gone().unwrap();
    assert_eq!(collect(&workspace, &*store), 0);
    assert!(count(&workspace, side) > count(&workspace, base));
    // A snapshot in use keeps the run that it reads, an unpublished commit its blocks.
    let old = workspace.snapshot(base).unwrap();
    let transaction = workspace.begin(MAIN).unwrap();
    let [subject, predicate, object] =
        [iri("x", 1), iri("y", 1), iri("z", 1)].map(|name| transaction.intern(&Term::from(name)).unwrap());
    transaction.insert(Quad { subject, predicate, object, graph: TermId::UNDEFINED }).unwrap();
    transaction.write("not yet", 3).unwrap();
    workspace.unpin("audit").unwrap();
    assert!(collect(&workspace, &*store) > 0);
    assert!(!store.has(&[side.0]).unwrap()[0]);
    let mut scan = old.scan(&QuadPattern::default(), Permutation::Ops).unwrap();
    while scan.next_batch().unwrap().is_some() {}
    let published = transaction.publish().unwrap();
    assert_eq!(count(&workspace, published), old.statistics().quads + 1);
    assert!(workspace.verify().unwrap().is_clean());
    assert!(workspace.unpin("audit").is_err());
}

fn engine(folder: &std::path::Path) -> Arc<Engine> {
    let options = EngineOptions { peering: Peering::Offline, ..EngineOptions::new(folder) };
    let engine = Arc::new(Engine::open(options).unwrap());
    if engine.workspaces().is_empty() {
        engine.create_workspace("w", Default::default(), 0).unwrap();
    }
    engine
}

fn update(engine: &Engine, text: String) -> CommitId {
    engine.run(&Request { may_write: true, ..Request::new(Language::SparqlUpdate, text, 5) }).unwrap().commit
}

#[test]
fn sixteen_writers_share_syncs_and_lose_nothing() {
    const WRITERS: usize = 16;
    const EACH: usize = 20;
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let engine = &engine;
            scope.spawn(move || {
                for n in 0..EACH {
                    let before = engine.hosted(None).unwrap().workspace().branch(MAIN).unwrap();
                    let text = format!("INSERT DATA {{ <http://e/{writer}> <http://e/p> {n} }}");
                    let made = update(engine, text);
                    let workspace = engine.hosted(None).unwrap().workspace().clone();
                    // What was acknowledged is on the branch for readers, with what was there before.
                    let head = workspace.branch(MAIN).unwrap();
                    assert!(workspace.is_ancestor(made, head).unwrap());
                    assert!(workspace.is_ancestor(before, made).unwrap());
                }
            });
        }
    });
    let hosted = engine.hosted(None).unwrap();
    let head = hosted.workspace().branch(MAIN).unwrap();
    assert_eq!(count(hosted.workspace(), head), (WRITERS * EACH) as u64);
    assert_eq!(hosted.log(None, 1000).unwrap().len(), WRITERS * EACH + 1);
}

#[test]
fn changes_are_folded_at_rest_and_old_runs_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let upkeep = engine.start_upkeep();
    for n in 0..80 {
        update(&engine, format!("INSERT DATA {{ <http://e/{n}> <http://e/p> {n} }}"));
    }
    let workspace = engine.hosted(None).unwrap().workspace().clone();
    let head = workspace.branch(MAIN).unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while workspace.heads().unwrap()[0].manifest.is_none_or(|(at, _)| at != head) {
        assert!(Instant::now() < until, "nothing was folded");
        thread::sleep(Duration::from_millis(50));
    }
    drop(upkeep);
    let hosted = engine.hosted(None).unwrap();
    update(&engine, "INSERT DATA { <http://e/more> <http://e/p> 1 }".to_owned());
    hosted.optimize(None).unwrap();
    let would = engine.collect_garbage(CollectOptions { is_dry_run: true, ..Default::default() }).unwrap();
    let did = engine.collect_garbage(CollectOptions::default()).unwrap();
    assert!(would.is_dry_run && would.blocks == did.blocks && did.runs == 1 && did.blocks > 3);
    assert_eq!(engine.collect_garbage(CollectOptions::default()).unwrap().blocks, 0);
    drop((hosted, workspace, engine));
    let store = LocalStore::open(&folder.path().join("store")).unwrap();
    assert_eq!(store.verify().unwrap(), store.usage().unwrap().blocks);
    store.sync().unwrap();
}
