//! The conformance runner: every entry of the W3C manifests, one row a suite.
//!
//! `cargo test --test w3c [-- part-of-a-test-IRI]`. The suites are read from the folder that
//! `REEFLOOM_W3C_TESTS` names, else from `../shared/suites/rdf-tests`; `w3c-tests/fetch.sh` fetches
//! them. What fails must stand in `expected_failures.txt` with its reason, and what stands there
//! must fail; `REEFLOOM_BLESS=1` rewrites the list.

mod compare;
mod evaluate;
mod exchange;
mod expected;
mod federation;
mod files;
mod manifest;
#[path = "../tests/stored/published.rs"]
mod published;
mod rdf;
#[path = "../tests/served/mod.rs"]
mod served;
mod server;
mod service_description;
mod solutions;
#[path = "../tests/stored/mod.rs"]
mod stored;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use expected::ExpectedFailures;
use files::Suites;
use manifest::{Case, Kind};
use published::published;

/// Enough for the deepest recursion of a test; the main thread's stack is not ours to choose.
const STACK_BYTES: usize = 256 << 20;

fn main() -> ExitCode {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run);
    match thread.map(|thread| thread.join()) {
        Ok(Ok(code)) => code,
        _ => ExitCode::FAILURE,
    }
}

fn run() -> ExitCode {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    if std::env::args().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let root = std::env::var_os("REEFLOOM_W3C_TESTS").map(PathBuf::from);
    let root =
        root.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/suites/rdf-tests"));
    if !root.is_dir() {
        eprintln!("SKIPPED: no W3C suites at {}; w3c-tests/fetch.sh fetches them", root.display());
        let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
        return if is_ci { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    match conformance(&Suites::new(root), filter.as_deref()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("the runner failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn conformance(suites: &Suites, filter: Option<&str>) -> Result<ExitCode, String> {
    let started = Instant::now();
    let cases = manifest::read_all(suites)?;
    let mut expected = ExpectedFailures::read()?;
    let mut table: BTreeMap<usize, (&str, usize, usize)> = BTreeMap::new();
    let mut surprises = Vec::new();
    std::panic::set_hook(Box::new(|_| {}));
    for case in cases.iter().filter(|case| filter.is_none_or(|part| case.iri.contains(part))) {
        let outcome = outcome(suites, case);
        let row = table.entry(case.suite).or_insert((manifest::SUITES[case.suite].name, 0, 0));
        row.1 += usize::from(outcome.is_ok());
        row.2 += 1;
        if let Err(reason) = &outcome
            && filter.is_some()
        {
            println!("FAIL {}\n     {}", case.iri, reason.replace('\n', "\n     "));
        }
        surprises.extend(expected.check(&case.iri, &outcome));
    }
    let _ = std::panic::take_hook();
    println!("{:<32} {:>6} {:>6}", "suite", "passed", "of");
    for (name, passed, total) in table.values() {
        println!("{name:<32} {passed:>6} {total:>6}");
    }
    let (passed, total) = table.values().fold((0, 0), |sum, row| (sum.0 + row.1, sum.1 + row.2));
    println!("{:<32} {passed:>6} {total:>6}   in {:.1} s", "all", started.elapsed().as_secs_f64());
    if filter.is_none() {
        if std::env::var_os("REEFLOOM_BLESS").is_some() {
            expected.write()?;
            println!("expected_failures.txt rewritten: {} tests", total - passed);
            return Ok(ExitCode::SUCCESS);
        }
        surprises.extend(expected.unknown(&cases));
        let rows = table.values().copied().chain([("all", passed, total)]);
        surprises.extend(rows.filter_map(|(name, passed, total)| published(name, passed, total).err()));
    }
    surprises.iter().for_each(|surprise| println!("{surprise}"));
    println!("w3c: {passed} of {total} passed, {} surprise(s)", surprises.len());
    Ok(if surprises.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn outcome(suites: &Suites, case: &Case) -> Result<(), String> {
    let run = || match &case.kind {
        Kind::PositiveSyntax { is_update } => evaluate::parses(suites, case, *is_update),
        Kind::NegativeSyntax { is_update } => match evaluate::parses(suites, case, *is_update) {
            Ok(()) => Err("it parses, and should not".to_owned()),
            Err(_) => Ok(()),
        },
        Kind::Query => evaluate::query(suites, case),
        Kind::CsvQuery => evaluate::csv_query(suites, case),
        Kind::Update => evaluate::update(suites, case),
        Kind::RdfPositive => rdf::parses(suites, case),
        Kind::RdfNegative => match rdf::parses(suites, case) {
            Ok(()) => Err("it parses, and should not".to_owned()),
            Err(_) => Ok(()),
        },
        Kind::RdfEval => rdf::evaluates(suites, case),
        Kind::RdfCanonical => rdf::is_canonical(suites, case),
        Kind::Exchanges(exchanges) => server::exchanges(suites, case, exchanges),
        Kind::ServiceDescription => service_description::check(&case.iri),
        Kind::NotRun(reason) => Err((*reason).to_owned()),
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("panic: {}", text.unwrap_or_default()))
    })
}
