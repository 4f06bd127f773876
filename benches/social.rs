//! How fast does the engine answer the Cypher benchmark's queries, driven in process as its peers are?
//!
//!     cargo bench --bench social -- DATA FOLDER [--only q01,q02] [--profile q03]
//!
//! `DATA` holds what the benchmark's generator wrote, `FOLDER` is a data folder whose default workspace it
//! was loaded into. Runs each query of `../shared/bench/social/queries.json` as `run.py` beside it does: the
//! same parameters in the same turns, as often, and the same hash over all rows. Prints a line a query: the
//! processor time per execution, the median, and the hash. The queries that write come last and are durable.
//! With `--profile` the plan of one query is printed instead, with what each operator did.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reefloom::engine::{Answer, Engine, EngineOptions, Explain, Language, Peering, Request, RequestLimits};
use reefloom::model::{Map, Value};
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

/// Where the benchmarks' inputs lie, unless the environment names another folder.
const BENCH: &str = "../shared/bench";
/// A query is not begun again after this, once it ran twice.
const LONG: Duration = Duration::from_secs(60);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|one| one != "--bench").collect();
    let [data, folder, options @ ..] = &arguments[..] else {
        eprintln!("SKIPPED: no data and no folder is named");
        return;
    };
    let option = |name: &str| {
        let at = options.iter().position(|one| one == name)?;
        Some(options.get(at + 1).expect("an option has a value").as_str())
    };
    let manifest = read_json(&Path::new(data).join("MANIFEST.json"));
    let bench = std::env::var("REEFLOOM_BENCH").unwrap_or_else(|_| BENCH.to_owned());
    let queries = read_json(&Path::new(&bench).join("social/queries.json"));
    let options = EngineOptions { peering: Peering::Offline, ..EngineOptions::new(Path::new(folder)) };
    let engine = Arc::new(Engine::open(options).expect("the folder is free"));
    let _upkeep = engine.start_upkeep();
    for query in queries["queries"].as_array().expect("there are queries") {
        let id = query["id"].as_str().expect("a query has an id");
        let is_named = |list: &str| list.split(',').any(|name| id.starts_with(name));
        match option("--profile") {
            Some(profiled) if is_named(profiled) => profile(&engine, query, &manifest),
            None if option("--only").is_none_or(is_named) => measure(&engine, id, query, &manifest),
            _ => {}
        }
    }
}

fn read_json(path: &Path) -> Json {
    let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn measure(engine: &Engine, id: &str, query: &Json, manifest: &Json) {
    let text = query["cypher"].as_str().expect("a query has a text");
    let is_write = query["write"] == true;
    let parameters = parameters(query["pset"].as_str().expect("a query has parameters"), manifest);
    let repetitions = query["reps"].as_u64().expect("a query has repetitions") as usize;
    if !is_write {
        run(engine, text, &parameters[0]);
    }
    let (mut hash, mut times, mut row_count) = (Sha256::new(), Vec::new(), 0);
    let (started, cpu_before) = (Instant::now(), cpu_time());
    for repetition in 0..repetitions {
        let begun = Instant::now();
        let rows = run(engine, text, &parameters[repetition % parameters.len()]);
        times.push(begun.elapsed());
        row_count += rows.len();
        hash.update(python_json(&Json::Array(rows)));
        if started.elapsed() > LONG && repetition >= 1 {
            break;
        }
    }
    let cpu = (cpu_time() - cpu_before).as_secs_f64() * 1e3 / times.len() as f64;
    times.sort_unstable();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let hash = match is_write {
        true => "-".to_owned(),
        false => data_encoding::HEXLOWER.encode(&hash.finalize())[..12].to_owned(),
    };
    println!(
        "{id} cpu {cpu:.3} ms, median {:.3} ms, worst {:.3} ms, n {}, rows {row_count}, hash {hash}",
        milliseconds(times[times.len() / 2]),
        milliseconds(times[times.len() - 1]),
        times.len(),
    );
}

fn profile(engine: &Engine, query: &Json, manifest: &Json) {
    let text = query["cypher"].as_str().expect("a query has a text");
    let parameters = parameters(query["pset"].as_str().expect("a query has parameters"), manifest);
    let request = request(text, &parameters[0]);
    for _ in 0..2 {
        let request = Request { explain: Some(Explain::Profile), ..request.clone() };
        let Answer::Explanation(explanation) = engine.run(&request).expect("the query runs").answer else {
            panic!("a profile is an explanation");
        };
        println!("{explanation}");
    }
}

/// The parameters that a query is given in turns, of a set that the manifest holds.
fn parameters(set: &str, manifest: &Json) -> Vec<Map> {
    let listed = |name: &str| manifest["params"][name].as_array().expect("the set is listed").clone();
    let map = |pairs: &[(&str, &Json)]| -> Map {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Value::from_json((*value).clone()))).collect()
    };
    match set {
        "none" => vec![Map::new()],
        "starts" => listed("starts").iter().map(|id| map(&[("id", id)])).collect(),
        "pairs" => listed("pairs").iter().map(|pair| map(&[("a", &pair[0]), ("b", &pair[1])])).collect(),
        "seq" => (50_000_000..50_100_000).map(|n| map(&[("n", &Json::from(n))])).collect(),
        other => panic!("no set of parameters is called {other}"),
    }
}

fn request(text: &str, parameters: &Map) -> Request {
    let limits = RequestLimits { timeout: Duration::from_secs(300), ..RequestLimits::default() };
    let request = Request::new(Language::Cypher, text, 1_800_000_000_000);
    Request { parameters: parameters.clone(), may_write: true, limits, ..request }
}

fn run(engine: &Engine, text: &str, parameters: &Map) -> Vec<Json> {
    let response = engine.run(&request(text, parameters)).unwrap_or_else(|error| panic!("{text}: {error}"));
    let Answer::Rows(mut rows) = response.answer else { panic!("Cypher answers rows") };
    let mut all = Vec::new();
    while let Some(values) = rows.next_values().unwrap_or_else(|error| panic!("{text}: {error}")) {
        all.extend(values.into_iter().map(|row| Json::Array(row.into_iter().map(to_json).collect())));
    }
    all
}

/// Floats are rounded to six digits: sums depend on the order of their parts.
fn to_json(value: Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(value) => value.into(),
        Value::Integer(value) => value.into(),
        Value::Float(value) => format!("{value:.6}").parse::<f64>().expect("it is a number").into(),
        Value::String(text) => text.into(),
        other => panic!("the benchmark returns scalars, not {other:?}"),
    }
}

/// Returns JSON as Python's `json.dumps` writes it, which the hash is of.
fn python_json(json: &Json) -> String {
    match json {
        Json::Array(items) => format!("[{}]", items.iter().map(python_json).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
