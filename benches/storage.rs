//! Load, size, lookup and scan of a run on a local store, in one go.
//!
//!     cargo bench --bench storage [-- FILE.nt[.zst]]
//!
//! Without a file it takes the triples of `../shared/bench/sparql/bsbm1m.nt.zst`.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use oxrdfio::{RdfFormat, RdfParser};
use reefloom::block::{BlockReader, BlockSink, BlockSource};
use reefloom::blockstore::{LocalStore, Refs, Store};
use reefloom::crypto::{EpochKey, WorkspaceId};
use reefloom::dataset::Scan;
use reefloom::graph::{Gathering, Input, Run, WriteOptions, write_run};
use reefloom::model::{EdgePattern, Permutation, PermutationSet, QuadPattern, TermId};

const LOOKUPS: usize = 2000;
const CACHE_BYTES: u64 = 256 << 20;
const WORK_BYTES: usize = 512 << 20;
const SMALL_COMMITS: usize = 200;

fn main() {
    let named = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let path = PathBuf::from(named.unwrap_or_else(|| "../shared/bench/sparql/bsbm1m.nt.zst".to_owned()));
    if !path.exists() {
        eprintln!("SKIPPED: {} is absent", path.display());
        return;
    }
    let started = Instant::now();
    let parsed: usize = batches(&path).iter().map(|batch| batch.len()).sum();
    report("parse only", parsed, started.elapsed());

    let folder = std::env::temp_dir().join(format!("reefloom-bench-{}", std::process::id()));
    let store = Arc::new(LocalStore::open(&folder).expect("a temporary folder can be written"));
    let key = EpochKey::generate(WorkspaceId([1; 32]));
    let started = Instant::now();
    let scratch = store.scratch();
    let gathering = Gathering::new(&*scratch, WORK_BYTES, 1, 0);
    let mut gatherer = gathering.gatherer();
    for quad in batches(&path).into_iter().flatten() {
        gatherer.insert(&quad).expect("benchmark terms are short");
    }
    gatherer.finish().expect("there is memory");
    println!("  parse and gather        {:>8.2} s", started.elapsed().as_secs_f64());
    let parts = gathering.into_parts();
    let input = Input::of_parts(&parts);
    let options = WriteOptions {
        key: &key,
        sink: &*store,
        scratch: &*scratch,
        memory_bytes: WORK_BYTES,
        threads: 2,
        permutations: PermutationSet::default(),
    };
    let written = write_run(&input, &options).expect("the store has room");
    println!("  and write the run       {:>8.2} s", started.elapsed().as_secs_f64());
    store.sync().expect("the store syncs");
    let elapsed = started.elapsed();
    drop(parts);
    report("load, durable", written.quads as usize, elapsed);
    store.checkpoint().expect("the index can be written");
    let usage = store.usage().expect("the folder can be read");
    println!(
        "size: {} terms, {} blocks, {:.1} bytes a triple sealed, {:.1} on disk with index",
        written.terms,
        usage.blocks,
        written.bytes as f64 / written.quads as f64,
        usage.disk_bytes as f64 / written.quads as f64
    );
    sizes_by_kind(&store, written.root, &key, written.quads);
    drop(store);
    read(&folder, written.root, &key);
    small_commits(&folder, &key);
    let _ = std::fs::remove_dir_all(&folder);
}

/// Parses on a thread of its own.
fn batches(path: &std::path::Path) -> Receiver<Vec<oxrdf::Quad>> {
    let file = BufReader::new(File::open(path).expect("the file can be read"));
    let is_zstd = path.extension().is_some_and(|extension| extension == "zst");
    let (sender, receiver) = sync_channel(8);
    std::thread::spawn(move || {
        let reader: Box<dyn Read> =
            if is_zstd { Box::new(zstd::Decoder::new(file).expect("zstd starts")) } else { Box::new(file) };
        let mut batch = Vec::with_capacity(8192);
        for quad in
            RdfParser::from_format(RdfFormat::NQuads).for_reader(BufReader::with_capacity(1 << 18, reader))
        {
            batch.push(quad.expect("benchmark data is well-formed"));
            if batch.len() == 8192
                && sender.send(std::mem::replace(&mut batch, Vec::with_capacity(8192))).is_err()
            {
                return;
            }
        }
        let _ = sender.send(batch);
    });
    receiver
}

fn open(store: &Arc<LocalStore>, root: reefloom::block::BlockId, key: &EpochKey) -> Run {
    let source: Arc<dyn BlockSource> = store.clone();
    Run::open(root, Arc::new(BlockReader::new(source, key.clone(), CACHE_BYTES)))
        .expect("the run was written")
}

fn sizes_by_kind(store: &Arc<LocalStore>, root: reefloom::block::BlockId, key: &EpochKey, quads: u64) {
    let run = open(store, root, key);
    let bytes_of = |ids: Vec<reefloom::block::BlockId>| -> f64 {
        let blocks = store.get(&ids).expect("the store reads");
        blocks.iter().flatten().map(|block| block.bytes().len()).sum::<usize>() as f64 / quads as f64
    };
    print!("  bytes a triple: dictionary {:.2}", bytes_of(run.dictionary()));
    for permutation in run.permutations().iter() {
        print!(", {permutation:?} {:.2}", bytes_of(run.permutation(permutation)));
    }
    println!();
}

fn read(folder: &std::path::Path, root: reefloom::block::BlockId, key: &EpochKey) {
    let started = Instant::now();
    let store = Arc::new(LocalStore::open(folder).expect("the folder is free again"));
    let run = open(&store, root, key);
    let opened = started.elapsed();
    let middle = run.statistics().predicates.keys().copied().min();
    let first = QuadPattern { predicate: middle, ..QuadPattern::default() };
    run.scan(&first, Permutation::Pso).expect("the run is there").next_batch().expect("the blocks are there");
    println!(
        "cold start: open {:.1} ms, first rows {:.1} ms, {:.1} KiB read",
        opened.as_secs_f64() * 1e3,
        started.elapsed().as_secs_f64() * 1e3,
        run.reader().counters().fetched_bytes as f64 / 1024.0
    );
    let probes = subjects(&run);
    for round in ["cold-ish", "warm"] {
        let started = Instant::now();
        let rows: usize = probes
            .iter()
            .map(|id| {
                count(&run, &QuadPattern { subject: Some(*id), ..QuadPattern::default() }, Permutation::Spo)
            })
            .sum();
        each(&format!("lookup by subject, {round} ({rows} rows)"), probes.len(), started.elapsed());
        let started = Instant::now();
        let terms: Vec<_> = probes.iter().map(|id| run.terms(&[*id]).expect("the terms are there")).collect();
        each(&format!("id to term, {round}"), probes.len(), started.elapsed());
        let started = Instant::now();
        for term in terms.iter().flatten() {
            assert!(run.id_of(term).expect("the blocks are there").is_some());
        }
        each(&format!("term to id, {round}"), probes.len(), started.elapsed());
    }
    let started = Instant::now();
    run.terms(&probes).expect("the terms are there");
    each("id to term, in one batch", probes.len(), started.elapsed());
    let copied = copied_bytes_per_second();
    println!("memory: {:.1} GB/s copied by one thread", copied / 1e9);
    for permutation in run.permutations().iter() {
        count(&run, &QuadPattern::default(), permutation);
        let started = Instant::now();
        let rows = count(&run, &QuadPattern::default(), permutation);
        let ids_per_second = rows as f64 * 4.0 / started.elapsed().as_secs_f64();
        println!(
            "full scan {permutation:?}, opened blocks cached: {:.0} M ids/s decoded, {:.0} % of what memory can copy",
            ids_per_second / 1e6,
            ids_per_second * 8.0 / copied * 100.0
        );
    }
    let mut edges = run.scan_edges(&EdgePattern::default()).expect("edges open");
    let mut edge_rows = 0;
    while let Some(batch) = edges.next_batch().expect("edges read") {
        edge_rows += batch.rows();
    }
    println!("edges: {edge_rows}; cache {:?}", run.reader().counters());
}

/// Measures how fast one thread copies from memory to memory.
fn copied_bytes_per_second() -> f64 {
    let from = vec![7u64; 32 << 20];
    let mut to = vec![0u64; from.len()];
    to.copy_from_slice(&from);
    let started = Instant::now();
    for _ in 0..4 {
        to.copy_from_slice(&from);
        std::hint::black_box(&mut to);
    }
    (4 * from.len() * 8) as f64 / started.elapsed().as_secs_f64()
}

/// Picks subjects spread over all the run, in no helpful order.
fn subjects(run: &Run) -> Vec<TermId> {
    let mut scan = run.scan(&QuadPattern::default(), Permutation::Spo).expect("the run is there");
    let mut all: Vec<TermId> = Vec::new();
    while let Some(batch) = scan.next_batch().expect("the blocks are there") {
        for id in batch.column(0) {
            if all.last() != Some(id) {
                all.push(*id);
            }
        }
    }
    (0..LOOKUPS).map(|n| all[n * 7919 % all.len()]).collect()
}

fn count(run: &Run, pattern: &QuadPattern, permutation: Permutation) -> usize {
    let mut scan = run.scan(pattern, permutation).expect("the run is there");
    let mut rows = 0;
    while let Some(batch) = scan.next_batch().expect("the blocks are there") {
        rows += batch.rows();
    }
    rows
}

fn small_commits(folder: &std::path::Path, key: &EpochKey) {
    let store = LocalStore::open(folder).expect("the folder is free again");
    let mut times: Vec<Duration> = Vec::new();
    let mut old: Option<Vec<u8>> = None;
    for step in 0..SMALL_COMMITS {
        let content = format!("commit {step}").repeat(20);
        let block =
            reefloom::block::SealedBlock::seal(reefloom::block::BlockKind::Commit, content.as_bytes(), key);
        let started = Instant::now();
        store.put(std::slice::from_ref(&block)).expect("the store has room");
        store
            .compare_and_swap("bench", old.as_deref(), Some(block.id().as_bytes()))
            .expect("nobody else writes");
        times.push(started.elapsed());
        old = Some(block.id().as_bytes().to_vec());
    }
    times.sort_unstable();
    println!(
        "block and ref, durable: median {:.2} ms, 95% {:.2} ms",
        times[times.len() / 2].as_secs_f64() * 1e3,
        times[times.len() * 95 / 100].as_secs_f64() * 1e3
    );
}

fn report(what: &str, count: usize, elapsed: Duration) {
    println!(
        "{what}: {count} in {:.2} s, {:.2} M/s",
        elapsed.as_secs_f64(),
        count as f64 / elapsed.as_secs_f64() / 1e6
    );
}

fn each(what: &str, count: usize, elapsed: Duration) {
    println!("{what}: {:.1} us each", elapsed.as_secs_f64() * 1e6 / count as f64);
}
