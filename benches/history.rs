//! What do ten thousand small commits do to a store: to its queries, its size and its past?
//!
//!     cargo bench --bench history [-- FILE.nt [QUERIES]]
//!
//! Loads a file, makes the commits, and asks every query of the folder (`NAME/00.rq`) of three stores: a
//! fresh one of the same quads, the one with the history once its upkeep is at rest, and that one after
//! `optimize` and `gc`. Prints a line a figure.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use reefloom::dataset::Dataset;
use reefloom::engine::{
    Answer, CollectOptions, Engine, EngineOptions, Language, LoadInput, LoadOptions, Peering, Request,
};

const COMMITS: usize = 10_000;
const RUNS: usize = 5;

fn main() {
    let mut named = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let file = named.next().unwrap_or_else(|| "../shared/bench/sparql/bsbm1m.nt.zst".to_owned());
    let queries = named.next().unwrap_or_else(|| "../shared/bench/sparql/queries/core".to_owned());
    let (file, queries) = (PathBuf::from(file), PathBuf::from(queries));
    if !file.exists() || !queries.exists() {
        eprintln!("SKIPPED: {} or {} is absent", file.display(), queries.display());
        return;
    }
    let folder = std::env::temp_dir().join(format!("reefloom-bench-{}", std::process::id()));
    let queries = read_queries(&queries);
    let updates: Vec<String> = (0..COMMITS).map(update).collect();

    let aged = open(&folder.join("aged"));
    let started = Instant::now();
    let first = load(&aged, &[&file]);
    println!("load: {first} quads, {:.2} s", started.elapsed().as_secs_f64());
    let upkeep = aged.start_upkeep();
    let started = Instant::now();
    let commits: Vec<String> = updates.iter().map(|text| run_update(&aged, text)).collect();
    println!("{COMMITS} commits: {:.3} ms each", started.elapsed().as_secs_f64() * 1e3 / COMMITS as f64);
    let bytes = |engine: &Engine| engine.status().expect("the folder can be read").bytes as f64;
    println!("disk before rest: {:.1} MB", bytes(&aged) / 1e6);
    thread::sleep(Duration::from_secs(6));
    drop(upkeep);

    let fresh = open(&folder.join("fresh"));
    let lines = folder.join("commits.nt");
    std::fs::write(&lines, (0..COMMITS).map(|n| format!("{} .\n", triple(n))).collect::<String>())
        .expect("there is room");
    load(&fresh, &[&file, &lines]);
    println!("disk fresh: {:.1} MB", bytes(&fresh) / 1e6);

    compare("at rest", &fresh, &aged, &queries);
    aged.hosted(None).expect("there is one").optimize(None).expect("it folds");
    let collected = aged.collect_garbage(CollectOptions::default()).expect("it collects");
    println!("gc: {} blocks gone, {:.1} MB given back", collected.blocks, collected.freed_bytes as f64 / 1e6);
    println!("disk after optimize and gc: {:.2} times fresh", bytes(&aged) / bytes(&fresh));
    compare("optimized", &fresh, &aged, &queries);
    time_travel(&aged, &commits, first);
    drop((aged, fresh));
    let _ = std::fs::remove_dir_all(&folder);
}

fn open(folder: &Path) -> Arc<Engine> {
    let options = EngineOptions { peering: Peering::Offline, ..EngineOptions::new(folder) };
    let engine = Arc::new(Engine::open(options).expect("the folder is free"));
    engine.create_workspace("bench", Default::default(), 0).expect("there is none");
    engine
}

fn load(engine: &Engine, files: &[&Path]) -> u64 {
    let files = files.iter().map(|file| file.to_path_buf()).collect();
    let options = LoadOptions { files, ..LoadOptions::default() };
    let input = LoadInput::open(&options).expect("the file can be read");
    engine.load(None, None, input, "load", 1, &|_| {}).expect("the file is well-formed").quads_added
}

/// The quad of one commit, of the predicates that the benchmark's queries read.
fn triple(n: usize) -> String {
    const NAMESPACE: &str = "http://www4.wiwiss.fu-berlin.de/bizer/bsbm/v01/vocabulary/";
    let predicate = ["price", "deliveryDays", "rating1", "offerWebpage"][n % 4];
    let value = format!("\"{}\"^^<http://www.w3.org/2001/XMLSchema#integer>", n * 7919 % 5000);
    format!("<https://example.org/offer/{}> <{NAMESPACE}{predicate}> {value}", n / 4)
}

fn update(n: usize) -> String {
    format!("INSERT DATA {{ {} }}", triple(n))
}

fn run_update(engine: &Engine, text: &str) -> String {
    let request = Request { may_write: true, ..Request::new(Language::SparqlUpdate, text, 5) };
    engine.run(&request).expect("the update is well-formed").commit.to_string()
}

fn read_queries(folder: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).expect("the folder can be read").flatten();
    let query = |entry: std::fs::DirEntry| {
        let text = std::fs::read_to_string(entry.path().join("00.rq")).ok()?;
        Some((entry.file_name().to_string_lossy().into_owned(), text))
    };
    let mut queries: Vec<(String, String)> = entries.filter_map(query).collect();
    queries.sort();
    queries
}

fn ask(engine: &Engine, text: &str) -> (usize, Duration) {
    let started = Instant::now();
    let response =
        engine.run(&Request::new(Language::SparqlQuery, text, 5)).expect("the query is well-formed");
    let rows = match response.answer {
        Answer::Rows(mut rows) => {
            let mut count = 0;
            while let Some(batch) = rows.next_terms().expect("blocks are at hand") {
                count += batch.len();
            }
            count
        }
        _ => 0,
    };
    (rows, started.elapsed())
}

fn compare(state: &str, fresh: &Engine, aged: &Engine, queries: &[(String, String)]) {
    let (mut log_sum, mut worst) = (0.0, (0.0, ""));
    for (name, text) in queries {
        let mut times: [Vec<Duration>; 2] = Default::default();
        // In turns, so that what else the machine does falls on both.
        for run in 0..=RUNS {
            let (rows, time) = ask(fresh, text);
            let (other_rows, other_time) = ask(aged, text);
            assert_eq!(rows, other_rows, "{name}");
            if run > 0 {
                times[0].push(time);
                times[1].push(other_time);
            }
        }
        let [fresh, aged] = times.map(|mut times| {
            times.sort_unstable();
            times[RUNS / 2].as_secs_f64()
        });
        let ratio = aged / fresh;
        log_sum += ratio.ln();
        if ratio > worst.0 {
            worst = (ratio, name);
        }
    }
    let mean = (log_sum / queries.len() as f64).exp();
    println!(
        "queries {state}: {mean:.2} times fresh in geometric mean, at worst {:.2} ({})",
        worst.0, worst.1
    );
}

/// Counts what every commit holds, the last first.
fn time_travel(engine: &Engine, commits: &[String], first: u64) {
    let hosted = engine.hosted(None).expect("there is one");
    let workspace = hosted.workspace();
    let started = Instant::now();
    for (n, commit) in commits.iter().enumerate().rev() {
        let commit = workspace.resolve(commit).expect("it was made here");
        let snapshot = workspace.snapshot(commit).expect("blocks are at hand");
        assert_eq!(snapshot.statistics().quads, first + n as u64 + 1, "commit {n}");
    }
    let each = started.elapsed().as_secs_f64() * 1e3 / commits.len() as f64;
    println!("every commit counted by its id: {each:.2} ms each");
    let one = Request { at: Some(commits[17].clone()), ..Request::new(Language::SparqlQuery, COUNT, 5) };
    let started = Instant::now();
    engine.run(&one).expect("the commit is there");
    println!("one of the oldest, asked in SPARQL: {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
}

const COUNT: &str = "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }";
