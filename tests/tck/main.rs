//! The openCypher TCK, every scenario of it, strictly: rows, order where it is asked for, side
//! effects, and the type, phase and detail of errors. What a scenario's query writes is read through
//! SPARQL, too.
//!
//! The suite is read from `../shared/suites/opencypher/tck`, or the folder that
//! `REEFLOOM_OPENCYPHER_TCK` names. Scenarios that fail today stand in `expected_failures.txt`; an
//! unlisted failure fails the run, and so does a listed pass. `REEFLOOM_BLESS=1` rewrites the list.
//! `REEFLOOM_TCK=part` runs only the scenarios whose id contains that part, and shows each failure.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod notation;
mod procedure;
#[path = "../stored/published.rs"]
mod published;
mod scenario;
mod schema;
mod side_effects;
mod sparql_check;
#[path = "../stored/mod.rs"]
mod stored;
mod suite;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use suite::Scenario;

/// The scenarios of the suite at the pinned commit; the count is computed, this only guards it.
const SCENARIOS: usize = 3897;

/// How many graphs that scenarios wrote are read through SPARQL as well, at the least.
const READ_TWICE_MIN: usize = 200;
const READ_TWICE: &str = "what its scenarios write, read through SPARQL";

#[test]
fn tck() {
    let Some(folder) = folder() else { return };
    let suite = suite::load(&folder);
    let filter = std::env::var("REEFLOOM_TCK").ok();
    let chosen: Vec<&Scenario> = suite
        .scenarios
        .iter()
        .filter(|scenario| filter.as_ref().is_none_or(|part| scenario.id.contains(part.as_str())))
        .collect();
    let (failures, read_twice) = run_all(&suite, &chosen);
    let passed = chosen.len() - failures.len();
    eprintln!("openCypher TCK: {passed} of {} scenarios pass", chosen.len());
    eprintln!("{read_twice} of them write, and SPARQL shows the graph that Cypher shows");
    if filter.is_some() {
        for (id, reason) in &failures {
            eprintln!("FAILED {id}\n    {}", reason.replace('\n', "\n    "));
        }
        return;
    }
    assert_eq!(suite.scenarios.len(), SCENARIOS, "the suite is not the pinned one");
    let list = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/tck/expected_failures.txt");
    if std::env::var_os("REEFLOOM_BLESS").is_some() {
        std::fs::write(&list, bless(&failures, passed, chosen.len())).unwrap();
        return;
    }
    compare(&failures, &expected(&list));
    assert_eq!(published::published("openCypher TCK", passed, chosen.len()), Ok(()));
    assert!(read_twice >= READ_TWICE_MIN, "only {read_twice} graphs were read through SPARQL");
    assert_eq!(published::published(READ_TWICE, read_twice, read_twice), Ok(()));
}

fn folder() -> Option<PathBuf> {
    let folder = match std::env::var_os("REEFLOOM_OPENCYPHER_TCK") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/suites/opencypher/tck"),
    };
    if folder.join("features").is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no openCypher TCK in {}; w3c-tests/fetch.sh fetches it", folder.display());
    assert!(std::env::var("CI").as_deref() != Ok("true"), "the openCypher TCK is missing");
    None
}

/// Runs scenarios on all processors; returns the failures by id, and how many wrote a graph that was read
/// through SPARQL as well.
fn run_all(suite: &suite::Suite, scenarios: &[&Scenario]) -> (BTreeMap<String, String>, usize) {
    let next = AtomicUsize::new(0);
    let read_twice = AtomicUsize::new(0);
    let failures = Mutex::new(BTreeMap::new());
    let threads = std::thread::available_parallelism().map_or(2, |n| n.get());
    std::panic::set_hook(Box::new(|_| {}));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let worker = || {
                while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let run = std::panic::AssertUnwindSafe(|| scenario::run(suite, scenario));
                    let outcome = std::panic::catch_unwind(run).unwrap_or_else(|panic| {
                        let text = panic.downcast_ref::<String>().map(String::as_str);
                        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
                        Err(format!("PANIC: {}", text.unwrap_or("?")))
                    });
                    match outcome {
                        Ok(is_read_twice) => {
                            read_twice.fetch_add(usize::from(is_read_twice), Ordering::Relaxed);
                        }
                        Err(reason) => {
                            failures.lock().unwrap().insert(scenario.id.clone(), reason);
                        }
                    }
                }
            };
            std::thread::Builder::new().stack_size(16 << 20).spawn_scoped(scope, worker).unwrap();
        }
    });
    let _ = std::panic::take_hook();
    (failures.into_inner().unwrap(), read_twice.into_inner())
}

/// Reads the list: an id a line; `#` begins a reason, which stands for the ids after it.
fn expected(list: &PathBuf) -> BTreeSet<String> {
    let text = std::fs::read_to_string(list).unwrap_or_default();
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// Writes the list, failures of one first line of reason together.
fn bless(failures: &BTreeMap<String, String>, passed: usize, all: usize) -> String {
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (id, reason) in failures {
        let reason = reason.lines().next().unwrap_or_default();
        let reason: String = reason.chars().take(100).collect();
        groups.entry(reason).or_default().push(id);
    }
    let mut text =
        format!("# openCypher TCK: {passed} of {all} scenarios pass; listed here is what does not.\n");
    for (reason, ids) in groups {
        text.push_str(&format!("\n# {reason}\n"));
        ids.iter().for_each(|id| text.push_str(&format!("{id}\n")));
    }
    text
}

fn compare(failures: &BTreeMap<String, String>, expected: &BTreeSet<String>) {
    let mut wrong = String::new();
    for (id, reason) in failures.iter().filter(|(id, _)| !expected.contains(*id)).take(50) {
        wrong.push_str(&format!("FAILED {id}\n    {}\n", reason.replace('\n', "\n    ")));
    }
    for id in expected.iter().filter(|id| !failures.contains_key(*id)).take(50) {
        wrong.push_str(&format!("PASSES but is listed as failing (strike it): {id}\n"));
    }
    assert!(wrong.is_empty(), "{wrong}");
}
