//! What does a load of a million quads cost, and ten thousand small commits after it?
//!
//! Prints one figure a line; a million is divided by the argument, if there is one.

use std::sync::Arc;
use std::time::Instant;

use reefloom::blockstore::MemoryStore;
use reefloom::crypto::{EpochKey, SecretKey, WorkspaceId};
use reefloom::dataset::{Dataset, DatasetMut};
use reefloom::model::{Literal, NamedNode, Quad, QuadPattern, Term, TermId};
use reefloom::workspace::{Access, MAIN, MemoryLimits, Settings, Workspace};

fn iri(kind: &str, n: usize) -> NamedNode {
    NamedNode::new_unchecked(format!("https://example.org/fleet/{kind}/{n}"))
}

/// Calls of vessels at ports: five quads each, every fifth object a text of its own.
fn quads(count: usize) -> impl Iterator<Item = Result<Vec<oxrdf::Quad>, std::io::Error>> {
    let quad = move |n: usize| {
        let call = iri("call", n / 5);
        let object: Term = match n % 5 {
            0 => iri("vessel", n * 7919 % 20_011).into(),
            1 => iri("port", n * 104_729 % 4_001).into(),
            2 => Literal::from((n * 31 % 90_000) as i64).into(),
            3 => Literal::new_simple_literal(format!("arrived with draught {n}")).into(),
            _ => iri("class", n / 5 % 12).into(),
        };
        oxrdf::Quad::new(call, iri("predicate", n % 5), object, iri("source", n / 5 % 8))
    };
    (0..count.div_ceil(8192))
        .map(move |batch| Ok((batch * 8192..count.min((batch + 1) * 8192)).map(quad).collect()))
}

fn main() {
    let divisor = std::env::args().filter_map(|arg| arg.parse::<usize>().ok()).next().unwrap_or(1);
    let (loaded, commits) = (1_000_000 / divisor, 10_000 / divisor);
    let store = Arc::new(MemoryStore::new());
    let access = || Access {
        store: store.clone(),
        source: store.clone(),
        key: EpochKey::from_secret([1; 32], WorkspaceId([2; 32])),
        author: SecretKey::from_seed(&[3; 32]),
        memory: MemoryLimits { cache_bytes_max: 256 << 20, work_bytes_max: 64 << 20 },
    };
    let workspace = Workspace::create(access(), Settings::default(), 0).expect("a fresh store");
    let parsed: Vec<_> = quads(loaded).collect();

    let start = Instant::now();
    workspace.load(MAIN, parsed, "load", 1).expect("the load goes through");
    let seconds = start.elapsed().as_secs_f64();
    println!("load: {loaded} quads in {seconds:.2} s, {:.0} quads/s", loaded as f64 / seconds);

    let start = Instant::now();
    let mut slowest_ms = 0f64;
    for n in 0..commits {
        let begin = Instant::now();
        let transaction = workspace.begin(MAIN).expect("the branch is there");
        let id = |term: Term| transaction.intern(&term).expect("blocks are at hand");
        let subject = id(iri("call", loaded + n).into());
        for predicate in 0..5 {
            let object = id(iri("vessel", (n + predicate) * 7919 % 20_011).into());
            let predicate = id(iri("predicate", predicate).into());
            let graph = TermId::UNDEFINED;
            transaction.insert(Quad { subject, predicate, object, graph }).expect("blocks are at hand");
        }
        transaction.commit("a call", n as i64).expect("nobody else writes");
        slowest_ms = slowest_ms.max(begin.elapsed().as_secs_f64() * 1e3);
    }
    let each_ms = start.elapsed().as_secs_f64() * 1e3 / commits.max(1) as f64;
    println!("commits: {commits} of 5 quads, {each_ms:.3} ms each, slowest {slowest_ms:.0} ms (folds)");

    let tip = workspace.branch(MAIN).expect("the branch is there");
    let start = Instant::now();
    let reopened = Workspace::open(access()).expect("it was made here");
    let snapshot = reopened.snapshot(tip).expect("blocks are at hand");
    println!(
        "open: {} changes since the base, {:.0} ms",
        snapshot.overlay_len(),
        start.elapsed().as_secs_f64() * 1e3
    );

    let start = Instant::now();
    snapshot.schema().expect("blocks are at hand");
    println!("schema: first time {:.1} ms", start.elapsed().as_secs_f64() * 1e3);

    let start = Instant::now();
    let mut scan = snapshot.scan(&QuadPattern::default(), reefloom::model::Permutation::Pos).expect("blocks");
    let mut rows = 0;
    while let Some(batch) = scan.next_batch().expect("blocks are at hand") {
        rows += batch.rows();
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("scan: {rows} quads, {:.1} million/s", rows as f64 / seconds / 1e6);
}
