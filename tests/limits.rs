//! What asks for more than its budget ends with an error that says so, and others do not notice.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use reefloom::engine::{Answer, Engine, EngineError, Language, Request, RequestLimits};

/// A ring of so many nodes: its cube is 10^10 rows.
const NODES: usize = 2200;
const BUDGET_BYTES: usize = 32 << 20;

fn ring() -> Engine {
    let engine = Engine::in_memory();
    engine.create_workspace("ring", Default::default(), 0).unwrap();
    let triples: String =
        (0..NODES).map(|n| format!("<e:n{n}> <e:next> <e:n{}> . ", (n + 1) % NODES)).collect();
    let text = format!("INSERT DATA {{ {triples} }}");
    engine.run(&Request { may_write: true, ..Request::new(Language::SparqlUpdate, text, 0) }).unwrap();
    engine
}

/// Asks, and reads the whole answer; returns how many rows it had.
fn ask(engine: &Engine, request: &Request) -> Result<usize, EngineError> {
    let Answer::Rows(mut rows) = engine.run(request)?.answer else { panic!("it selects") };
    let mut count = 0;
    while let Some(batch) = rows.next_terms()? {
        count += batch.len();
    }
    Ok(count)
}

fn bounded(text: &str) -> Request {
    let limits = RequestLimits {
        timeout: Duration::from_secs(600),
        memory_bytes_max: BUDGET_BYTES,
        ..RequestLimits::default()
    };
    Request { limits, ..Request::new(Language::SparqlQuery, text, 0) }
}

#[test]
fn too_much_memory_is_an_error_and_others_go_on() {
    let engine = Arc::new(ring());
    let (is_over, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let rows = ask(&engine, &bounded("SELECT ?b { <e:n7> <e:next>/<e:next> ?b }")).unwrap();
                assert_eq!(rows, 1);
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
        for greedy in [
            "SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i } ORDER BY ?a",
            "SELECT DISTINCT ?a ?d ?g { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }",
            "SELECT ?a ?d (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f } GROUP BY ?a ?d",
            "SELECT DISTINCT ?a ?b { ?a (<e:next>|^<e:next>)+ ?b }",
            "SELECT (GROUP_CONCAT(?a) AS ?all) { ?a ?b ?c . ?d ?e ?f }",
        ] {
            let before = answered.load(Ordering::Relaxed);
            match ask(&engine, &bounded(greedy)) {
                Err(EngineError::MemoryExceeded { budget_bytes }) => assert_eq!(budget_bytes, BUDGET_BYTES),
                other => panic!("{greedy}: {other:?}"),
            }
            assert!(answered.load(Ordering::Relaxed) > before, "others were answered meanwhile");
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_deadline_and_a_cancellation_end_what_holds_nothing() {
    let engine = ring();
    let endless = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }";
    let mut request = bounded(endless);
    request.limits.timeout = Duration::from_millis(200);
    assert!(matches!(ask(&engine, &request), Err(EngineError::Timeout)));
    let request = bounded(endless);
    let cancel = Arc::clone(&request.cancel);
    thread::scope(|scope| {
        let asked = scope.spawn(|| ask(&engine, &request));
        thread::sleep(Duration::from_millis(200));
        cancel.store(true, Ordering::Relaxed);
        assert!(matches!(asked.join().unwrap(), Err(EngineError::Cancelled)));
    });
}
