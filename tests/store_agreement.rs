//! Random graphs, random writes, random questions: a workspace answers as the plain dataset does, and
//! both as oxigraph does, where that speaks the language.
//!
//! The writes go through every layer that a commit adds: base run, overlay, folds, and facts about the
//! data that stop being true. `PROPTEST_CASES` asks for more cases.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod stored;

use std::collections::BTreeSet;
use std::sync::Arc;

use oxigraph::sparql::{QueryResults, SparqlEvaluator};
use oxigraph::store::Store;
use oxrdf::{GraphName, Quad, Term, Triple};
use proptest::prelude::*;
use reefloom::dataset::{Dataset, MemoryDataset};
use reefloom::engine::{Answer, Language, Request, WorkspaceSettings};
use reefloom::execute::{Context, Rows, execute, execute_update};
use reefloom::language::{cypher, sparql};
use reefloom::model::{Permutation, PermutationSet, QuadPattern, TermId, Vocabulary};
use reefloom::optimize::{optimize, optimize_update};
use reefloom::plan::{GraphSelector, Schema, Session, Statement};
use stored::Stored;

const NOW_MS: i64 = 1_767_225_600_000;
/// In a debug build these take ten seconds or so.
const CASES: u32 = 192;

#[derive(Clone, Debug)]
enum Step {
    Ask(Language, String),
    Write(Language, String),
    /// What is there becomes a new base run.
    Fold,
}

type Answered = Result<Vec<String>, String>;

fn session() -> Session {
    Session {
        default_graph: GraphSelector::Default,
        named_graphs: None,
        vocabulary: Vocabulary::default(),
        schema: Schema::default().into(),
    }
}

fn in_memory(quads: &BTreeSet<String>) -> Arc<MemoryDataset> {
    let dataset = MemoryDataset::new();
    for quad in parse(quads) {
        dataset.insert_quad(&quad).unwrap();
    }
    Arc::new(dataset)
}

fn oracle(quads: &BTreeSet<String>) -> Store {
    let store = Store::new().unwrap();
    parse(quads).iter().for_each(|quad| store.insert(quad).unwrap());
    store
}

fn parse(lines: &BTreeSet<String>) -> Vec<Quad> {
    let text = lines.iter().map(|line| format!("{line} .\n")).collect::<String>();
    let parser = oxrdfio::RdfParser::from_format(oxrdfio::RdfFormat::NQuads);
    parser.for_slice(text.as_bytes()).map(Result::unwrap).collect()
}

fn contents(dataset: &dyn Dataset) -> BTreeSet<String> {
    let pattern = QuadPattern { graph: reefloom::model::GraphFilter::All, ..QuadPattern::default() };
    let mut scan = dataset.scan(&pattern, Permutation::Spo).unwrap();
    let mut all = BTreeSet::new();
    while let Some(batch) = scan.next_batch().unwrap() {
        for row in 0..batch.rows() {
            let term = |column: usize| dataset.term(batch.column(column)[row]).unwrap();
            let graph = match batch.column(3)[row] {
                TermId::UNDEFINED => GraphName::DefaultGraph,
                _ => match term(3) {
                    Term::NamedNode(name) => name.into(),
                    term => panic!("{term} names a graph"),
                },
            };
            let triple = Triple::from_terms(term(0), term(1), term(2)).unwrap();
            assert!(all.insert(triple.in_graph(graph).to_string()), "a quad comes twice");
        }
    }
    all
}

fn read(mut rows: Rows, language: Language) -> Answered {
    let mut answers = Vec::new();
    let shown = |term: &Option<Term>| term.as_ref().map_or("-".to_owned(), ToString::to_string);
    if language == Language::Cypher {
        while let Some(batch) = rows.next_values().map_err(|error| error.to_string())? {
            answers.extend(batch.iter().map(|row| format!("{row:?}")));
        }
    } else {
        while let Some(batch) = rows.next_terms().map_err(|error| error.to_string())? {
            answers.extend(batch.iter().map(|row| row.iter().map(shown).collect::<Vec<_>>().join(" ")));
        }
    }
    answers.sort();
    Ok(answers)
}

/// Asks or writes on the plain dataset, lowered without any facts of the data.
fn on_memory(data: &Arc<MemoryDataset>, language: Language, text: &str) -> Answered {
    let mut context = Context::writing(data.clone());
    context.now_ms = NOW_MS;
    let failed = |error: reefloom::execute::ExecuteError| error.to_string();
    let query = match language {
        Language::SparqlUpdate => {
            let update = sparql::parse_update(text, &session(), None).unwrap();
            let update = optimize_update(update, &**data).unwrap();
            return execute_update(&update, Arc::new(context)).map(|_| Vec::new()).map_err(failed);
        }
        Language::Cypher => {
            let compiled = cypher::compile(text, &session(), &Default::default());
            match compiled.unwrap_or_else(|error| panic!("{text}: {error}")).statement {
                Statement::Query(query) => query,
                Statement::Update(_) => unreachable!("Cypher makes queries"),
            }
        }
        _ => sparql::parse_query(text, &session(), None).unwrap_or_else(|error| panic!("{text}: {error}")),
    };
    let query = optimize(query, &**data).unwrap();
    read(execute(&query, Arc::new(context)).map_err(failed)?, language)
}

fn on_workspace(stored: &Stored, language: Language, text: &str) -> Answered {
    let mut request = Request::new(language, text, NOW_MS);
    request.may_write = true;
    match stored.run(&request).map_err(|error| error.to_string())?.answer {
        Answer::Rows(rows) => read(rows, language),
        Answer::Updated { .. } => Ok(Vec::new()),
        _ => Err("the answer is of another kind".to_owned()),
    }
}

fn on_oracle(store: &Store, text: &str) -> Vec<String> {
    let query = SparqlEvaluator::new().parse_query(text).unwrap();
    let QueryResults::Solutions(solutions) = query.on_store(store).execute().unwrap() else {
        panic!("no table: {text}")
    };
    let names = solutions.variables().to_vec();
    let mut rows = Vec::new();
    for solution in solutions {
        let solution = solution.unwrap();
        let cell = |name| solution.get(name).map_or("-".to_owned(), ToString::to_string);
        rows.push(names.iter().map(cell).collect::<Vec<_>>().join(" "));
    }
    rows.sort();
    rows
}

fn check(
    quads: &BTreeSet<String>,
    steps: &[Step],
    permutations: PermutationSet,
) -> Result<(), TestCaseError> {
    let settings = WorkspaceSettings { permutations, ..WorkspaceSettings::default() };
    let stored = Stored::with(settings, &parse(quads)).unwrap();
    let mut now = quads.clone();
    for step in steps {
        let (language, text) = match step {
            Step::Fold => {
                stored.fold().unwrap();
                prop_assert_eq!(&contents(&*stored.snapshot().unwrap()), &now, "after a fold");
                continue;
            }
            Step::Ask(language, text) | Step::Write(language, text) => (*language, text),
        };
        let memory = in_memory(&now);
        let expected = on_memory(&memory, language, text);
        let actual = on_workspace(&stored, language, text);
        let after = contents(&*stored.snapshot().unwrap());
        // With facts of the data a plan may skip the value that fails; without them it may not fail alone.
        let Ok(expected) = expected else {
            prop_assert!(actual.is_ok() || after == now, "{} failed and left something", text);
            now = after;
            continue;
        };
        prop_assert_eq!(actual.as_ref(), Ok(&expected), "workspace, plain dataset: {}\n{:#?}", text, now);
        prop_assert_eq!(&after, &contents(&*memory), "workspace, plain dataset after: {}\n{:#?}", text, now);
        match step {
            Step::Ask(Language::SparqlQuery, _) => {
                let expected: Vec<String> = expected.iter().map(|row| as_oxigraph(row)).collect();
                prop_assert_eq!(expected, on_oracle(&oracle(&now), text), "oxigraph: {}\n{:#?}", text, now);
            }
            Step::Write(Language::SparqlUpdate, _) => {
                let store = oracle(&now);
                SparqlEvaluator::new().parse_update(text).unwrap().on_store(&store).execute().unwrap();
                let theirs: BTreeSet<String> = store.iter().map(|quad| quad.unwrap().to_string()).collect();
                let ours: BTreeSet<String> = after.iter().map(|quad| as_oxigraph(quad)).collect();
                prop_assert_eq!(&ours, &theirs, "oxigraph after: {}\n{:#?}", text, now);
            }
            _ => {}
        }
        now = after;
    }
    Ok(())
}

/// Cypher writes a double in its canonical form; oxigraph keeps none of a double's forms.
fn as_oxigraph(text: &str) -> String {
    text.replace("\"1.5E0\"", "\"1.5\"")
}

fn pick(names: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(names)
}

/// Returns the IRI that a Cypher name stands for.
fn iri(name: &str) -> String {
    Vocabulary::default().iri(name).to_string()
}

fn node() -> impl Strategy<Value = &'static str> {
    pick(&["n0", "n1", "n2", "n3"])
}

fn kind() -> impl Strategy<Value = &'static str> {
    pick(&["A", "B"])
}

fn link() -> impl Strategy<Value = &'static str> {
    pick(&["knows", "likes"])
}

fn key() -> impl Strategy<Value = &'static str> {
    pick(&["name", "age"])
}

/// Literals as both languages write them.
fn value() -> impl Strategy<Value = &'static str> {
    pick(&["0", "1", "2", "'x'", "'y'", "1.5", "true"])
}

/// The triple of a fact, in terms that both SPARQL and N-Quads (but for short literals) know.
fn fact() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => (node(), link(), node()).prop_map(|(s, p, o)| format!("{} {} {}", iri(s), iri(p), iri(o))),
        2 => (node(), key(), value()).prop_map(|(s, p, o)| format!("{} {} {}", iri(s), iri(p), literal(o))),
        2 => (node(), kind()).prop_map(|(s, o)| {
            format!("{} <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> {}", iri(s), iri(o))
        }),
    ]
}

fn literal(value: &str) -> String {
    let typed = |name: &str| format!("\"{value}\"^^<http://www.w3.org/2001/XMLSchema#{name}>");
    match value {
        "true" => typed("boolean"),
        "1.5" => typed("double"),
        text if text.starts_with('\'') => text.replace('\'', "\""),
        _ => typed("integer"),
    }
}

/// Facts of all kinds, and properties of one value each unless another fact adds one.
fn quads() -> impl Strategy<Value = BTreeSet<String>> {
    let property = |((s, p), o): ((&str, &str), &str)| format!("{} {} {}", iri(s), iri(p), literal(o));
    let properties = prop::collection::btree_map((node(), key()), value(), 0..8);
    let link = (node(), link(), node()).prop_map(|(s, p, o)| format!("{} {} {}", iri(s), iri(p), iri(o)));
    let quad = (fact(), pick(&["", " <e:g0>", " <e:g1>"])).prop_map(|(triple, graph)| triple + graph);
    let links = prop::collection::btree_set(link, 0..16);
    (properties, links, prop::collection::btree_set(quad, 0..12)).prop_map(
        move |(properties, links, quads)| {
            properties.into_iter().map(property).chain(links).chain(quads).collect()
        },
    )
}

fn sparql_query() -> impl Strategy<Value = String> {
    let subject = prop_oneof![6 => pick(&["?a", "?b"]).prop_map(str::to_owned), 1 => node().prop_map(iri)];
    let triple = (subject, prop_oneof![link(), key()], pick(&["?b", "?c", "?d"]));
    let triple = triple.prop_map(|(s, p, o)| format!("{s} {} {o} .", iri(p)));
    let basic = prop::collection::vec(triple, 1..3).prop_map(|triples| triples.join(" ")).boxed();
    let filter = (pick(&["?a", "?b", "?c"]), pick(&["=", "!=", "<", ">="]), value());
    let filter = filter.prop_map(|(a, compare, value)| format!("FILTER({a} {compare} {})", literal(value)));
    (basic.clone(), basic, filter, node().prop_map(iri), 0..13u8).prop_map(|(a, b, filter, node, form)| {
        match form {
            0 => format!("SELECT ?a ?b ?c ?d {{ {a} {filter} }}"),
            1 => format!("SELECT ?a ?b ?c ?d {{ {a} OPTIONAL {{ {b} {filter} }} }}"),
            2 => format!("SELECT ?a ?b ?c ?d {{ {a} MINUS {{ {b} }} }}"),
            3 => format!("SELECT DISTINCT ?a ?d {{ {{ {a} }} UNION {{ {b} {filter} }} }}"),
            4 => format!("SELECT ?b (COUNT(*) AS ?n) (COUNT(DISTINCT ?c) AS ?m) {{ {a} }} GROUP BY ?b"),
            5 => format!("SELECT ?g ?a ?b ?c ?d {{ GRAPH ?g {{ {a} }} {filter} }}"),
            6 => format!("SELECT ?a ?b {{ ?a {}+ ?b . {filter} }}", iri("knows")),
            // What SOP and OSP serve.
            7 => format!("SELECT ?p ?b ?q {{ {node} ?p ?b . ?b ?q ?c {filter} }}"),
            8 => format!("SELECT ?a ?p ?b ?c {{ ?a ?p {node} . {a} {filter} }}"),
            9 => format!("SELECT ?a ?b ?p {{ {a} ?a ?p ?b }}"),
            10 => format!("SELECT ?p ?b {{ {node} ?p ?b . {filter} }}"),
            11 => "SELECT ?g (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } } GROUP BY ?g".to_owned(),
            _ => format!("SELECT ?p (COUNT(*) AS ?n) {{ ?s ?p ?o . ?s a {} }} GROUP BY ?p", iri("A")),
        }
    })
}

fn sparql_update() -> impl Strategy<Value = String> {
    (fact(), fact(), link(), key(), value(), 0..8u8).prop_map(|(a, b, link, key, value, form)| {
        let (link, key, value) = (iri(link), iri(key), literal(value));
        match form {
            0 => format!("INSERT DATA {{ {a} . {b} }}"),
            1 => format!("INSERT DATA {{ GRAPH <e:g0> {{ {a} }} GRAPH <e:g2> {{ {b} }} }}"),
            2 => format!("DELETE DATA {{ {a} . {b} }}"),
            3 => format!("DELETE WHERE {{ ?s {key} ?o }}"),
            4 => format!(
                "DELETE {{ ?s {key} ?o }} INSERT {{ ?s {key} {value} }} WHERE {{ ?s {key} ?o ; {link} ?x }}"
            ),
            5 => format!("DELETE {{ ?a {link} ?b }} INSERT {{ ?b {link} ?a }} WHERE {{ ?a {link} ?b }}"),
            6 => "CLEAR SILENT GRAPH <e:g0>".to_owned(),
            _ => format!(
                "INSERT {{ GRAPH <e:g1> {{ ?s {key} ?o }} }} WHERE {{ ?s {key} ?o }} ; DELETE DATA {{ {a} }}"
            ),
        }
    })
}

fn cypher_condition() -> impl Strategy<Value = String> {
    (key(), value(), kind(), link(), 0..8u8).prop_map(|(key, value, kind, link, form)| match form {
        0 => format!("a.{key} = {value}"),
        1 => format!("a.{key} <> {value}"),
        2 => format!("a.{key} > {value}"),
        3 => format!("a.{key} IS NULL"),
        4 => format!("a:{kind}"),
        5 => format!("NOT (a)-[:{link}]->()"),
        6 => format!("a.{key} IN [{value}, 1]"),
        _ => format!("(a)-[:{link}]->() OR a.{key} = {value}"),
    })
}

fn cypher_query() -> impl Strategy<Value = String> {
    let parts = (kind(), link(), key(), value(), cypher_condition(), 0..9u8);
    parts.prop_map(|(kind, link, key, value, condition, form)| match form {
        0 => format!("MATCH (a:{kind}) WHERE {condition} RETURN a"),
        1 => format!("MATCH (a)-[r:{link}]->(b) WHERE {condition} RETURN a.name, b.age, type(r)"),
        2 => format!("MATCH (a)-[:{link}*1..2]->(b) WHERE {condition} RETURN a, b.{key}"),
        3 => format!("MATCH (a:{kind}) OPTIONAL MATCH (a)-[:{link}]-(b) WHERE {condition} RETURN a, b"),
        4 => format!("MATCH (a {{{key}: {value}}}) RETURN a, labels(a)"),
        5 => format!("MATCH (a) WHERE {condition} RETURN a.{key}, count(*)"),
        6 => format!("MATCH (a)-[r]->(b:{kind}) WHERE {condition} RETURN DISTINCT type(r), b"),
        7 => format!("MATCH (a)-[:{link}]->(b), (b)-[:likes]->(c) WHERE {condition} RETURN a, c"),
        _ => format!("MATCH (a) WITH a, a.{key} AS x WHERE x = {value} RETURN a, x"),
    })
}

/// Writes that mint no names, so that two runs leave the same.
fn cypher_write() -> impl Strategy<Value = String> {
    let parts = (kind(), link(), key(), value(), cypher_condition(), 0..6u8);
    parts.prop_map(|(kind, link, key, value, condition, form)| match form {
        0 => format!("MATCH (a) WHERE {condition} SET a.{key} = {value}"),
        1 => format!("MATCH (a) WHERE {condition} REMOVE a.{key}"),
        2 => format!("MATCH (a) WHERE {condition} SET a:{kind}"),
        3 => format!("MATCH (a) WHERE {condition} REMOVE a:{kind}"),
        4 => format!("MATCH (a)-[r:{link}]->() WHERE {condition} DELETE r"),
        _ => format!("MATCH (a:{kind}) WHERE {condition} DETACH DELETE a"),
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => sparql_query().prop_map(|text| Step::Ask(Language::SparqlQuery, text)),
        4 => cypher_query().prop_map(|text| Step::Ask(Language::Cypher, text)),
        2 => sparql_update().prop_map(|text| Step::Write(Language::SparqlUpdate, text)),
        2 => cypher_write().prop_map(|text| Step::Write(Language::Cypher, text)),
        2 => Just(Step::Fold),
    ]
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_workspace_answers_as_the_plain_dataset_and_the_oracle(
        quads in quads(),
        steps in prop::collection::vec(step(), 1..16),
        more in prop::sample::subsequence(&Permutation::OPTIONAL, 0..=2),
    ) {
        check(&quads, &steps, more.into_iter().collect())?;
    }
}
