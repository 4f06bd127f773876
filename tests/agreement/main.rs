//! One question in three languages: one answer, and where the file says so, one plan.
//!
//! The data are the real maritime set; `oxigraph` answers the SPARQL ones as well. Plans are golden
//! files: `REEFLOOM_BLESS=1 cargo test --test agreement` rewrites them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;
mod question;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use oxigraph::io::RdfFormat;
use oxigraph::sparql::{QueryResults, SparqlEvaluator};
use oxigraph::store::Store;
use reefloom::engine::{
    Answer, Engine, EngineOptions, Language, LoadInput, LoadOptions, Request, WorkspaceSettings,
};

use tempfile::TempDir;

use answer::Table;
use question::{Question, Tongue};

const BASE: &str = "https://data.example.org/maritime/ns#";
const PREFIXES: &str = "PREFIX : <https://data.example.org/maritime/ns#> \
    PREFIX xsd: <http://www.w3.org/2001/XMLSchema#> ";

/// Quads of each graph, as the data's own README counts them.
const GRAPHS: &[(&str, u64)] = &[
    ("compliance/sdn", 13_310),
    ("fisheries/gfw", 11_765),
    ("flags/countries", 5_452),
    ("flags/mid", 1_159),
    ("flags/usfleet", 1_698),
    ("registry/meta", 32),
    ("registry/unlocode", 34_826),
    ("registry/wpi", 74_529),
    ("traffic/ais", 36_807),
    ("traffic/searoute", 135_499),
    ("traffic/usvisits", 5_775),
];

fn data() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/maritime/maritime.nq.zst");
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "CI must have {}", path.display());
    eprintln!("SKIPPED: {} is not here; nothing was compared", path.display());
    None
}

fn questions() -> Vec<Question> {
    question::parse(include_str!("maritime.txt"))
}

/// Returns an engine with the data, loaded once for all tests; `None` if the data is absent.
fn engine() -> Option<&'static Engine> {
    static ENGINE: OnceLock<(TempDir, Engine)> = OnceLock::new();
    let file = data()?;
    let (_, engine) = ENGINE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let engine = load(folder.path(), &file);
        (folder, engine)
    });
    Some(engine)
}

fn load(folder: &Path, file: &Path) -> Engine {
    let engine = Engine::open(EngineOptions::new(folder)).unwrap();
    let mut settings = WorkspaceSettings { union_default_graph: true, ..WorkspaceSettings::default() };
    settings.vocabulary.base = BASE.to_owned();
    engine.create_workspace("maritime", settings, 0).unwrap();
    let options = LoadOptions { files: vec![file.to_owned()], ..LoadOptions::default() };
    let loaded = engine.load(None, None, LoadInput::open(&options).unwrap(), "maritime", 0, &|_| {}).unwrap();
    assert_eq!(loaded.quads_added, 320_852);
    engine
}

fn oracle(file: &Path) -> Store {
    let store = Store::new().unwrap();
    let bytes = zstd::decode_all(fs::File::open(file).unwrap()).unwrap();
    store.load_from_reader(RdfFormat::NQuads, &bytes[..]).unwrap();
    store
}

fn request(tongue: Tongue, text: &str) -> Request {
    match tongue {
        Tongue::Sparql => Request::new(Language::SparqlQuery, format!("{PREFIXES}{text}"), 0),
        Tongue::Cypher => Request::new(Language::Cypher, text, 0),
        Tongue::GraphQl => Request::new(Language::GraphQl, text, 0),
    }
}

fn ask(engine: &Engine, tongue: Tongue, text: &str, at: Option<&str>) -> Table {
    let request = Request { at: at.map(str::to_owned), ..request(tongue, text) };
    let response = engine.run(&request).unwrap_or_else(|error| panic!("{text}\n{error}"));
    answer::table(response)
}

fn ask_oracle(store: &Store, text: &str) -> Table {
    let mut query = SparqlEvaluator::new().parse_query(&format!("{PREFIXES}{text}")).unwrap();
    query.dataset_mut().set_default_graph_as_union();
    let QueryResults::Solutions(solutions) = query.on_store(store).execute().unwrap() else {
        panic!("a SELECT has solutions");
    };
    let variables = solutions.variables().to_vec();
    let rows = solutions.map(|solution| {
        let solution = solution.unwrap();
        variables.iter().map(|variable| answer::cell_of_term(solution.get(variable))).collect()
    });
    Table { rows: rows.collect() }
}

#[test]
fn three_languages_and_the_oracle_agree() {
    let (Some(file), Some(engine)) = (data(), engine()) else { return };
    let store = oracle(&file);

    let counts = ask(
        engine,
        Tongue::Sparql,
        "SELECT ?g (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } } GROUP BY ?g ORDER BY ?g",
        None,
    );
    let expected = GRAPHS.iter().map(|(graph, count)| {
        vec![format!("https://data.example.org/maritime/graph/{graph}"), count.to_string()]
    });
    assert_eq!(counts.rows, expected.collect::<Vec<_>>());

    let questions = questions();
    assert!(questions.len() >= 25, "{}", questions.len());
    let faults = disagreements(&questions, engine, None, &store);
    assert!(faults.is_empty(), "{} disagreement(s)\n{}", faults.len(), faults.join("\n"));
}

/// Asks every question in every language that can say it, and says where an answer is not the oracle's.
fn disagreements(questions: &[Question], engine: &Engine, at: Option<&str>, store: &Store) -> Vec<String> {
    let mut faults = Vec::new();
    for question in questions {
        let sorted = |mut table: Table| {
            if !question.is_ordered {
                table.rows.sort();
            }
            table
        };
        let expected = sorted(ask_oracle(store, question.text(Tongue::Sparql).unwrap()));
        assert!(!expected.rows.is_empty(), "{}: a question without an answer shows nothing", question.name);
        for (tongue, text) in &question.texts {
            let actual = sorted(ask(engine, *tongue, text, at));
            if actual != expected {
                faults.push(format!("{} in {tongue:?}:\n{}", question.name, actual.difference(&expected)));
            }
        }
    }
    faults
}

/// Writes through either language, and what they come to as the oracle is told it; empty where that is the same text.
const WRITES: &[(Language, &str, &str)] = &[
    (
        Language::Cypher,
        "MATCH (c:Country {alpha3: 'NOR'}) \
         CREATE (v:Vessel {name: 'Fram', imo: 'IMO0000001', yearOfBuild: 1892})-[:flagged]->(c) \
         CREATE (p:Port {name: 'Port Colin Archer', harborSize: 'Large', channelDepth: 21.5})",
        "INSERT { <x:fram> a :Vessel ; :name 'Fram' ; :imo 'IMO0000001' ; :yearOfBuild 1892 ; :flagged ?c .
                  <x:archer> a :Port ; :name 'Port Colin Archer' ; :harborSize 'Large' ; :channelDepth 21.5e0 }
         WHERE { GRAPH ?g { ?c a :Country ; :alpha3 'NOR' } }",
    ),
    (
        Language::SparqlUpdate,
        "DELETE { GRAPH ?g { ?p :harborSize ?size } } INSERT { GRAPH ?g { ?p :harborSize 'Large' } }
         WHERE { GRAPH ?g { ?p a :Port ; :name ?name ; :harborSize ?size } FILTER(STRSTARTS(?name, 'B')) } ;
         INSERT DATA { <x:gjoa> a :Vessel ; :name 'Gjøa' ; :imo 'IMO0000002' ; :yearOfBuild 1872 } ;
         DELETE { GRAPH ?g { ?v :flagged ?c } } WHERE { GRAPH ?g { ?v :flagged ?c ; :imo ?imo } FILTER(STRENDS(?imo, '7')) }",
        "",
    ),
    (
        Language::Cypher,
        "MATCH (v:Vessel {imo: 'IMO0000002'}) SET v.yearOfBuild = 1901, v.name = 'Gjøa af Tromsø' \
         WITH v MATCH (c:Country {alpha3: 'DNK'}) MERGE (v)-[:flagged]->(c) \
         WITH v MATCH (f:Vessel {name: 'Fram'}) DETACH DELETE f",
        "DELETE { <x:gjoa> :yearOfBuild ?year ; :name ?name } \
         INSERT { <x:gjoa> :yearOfBuild 1901 ; :name 'Gjøa af Tromsø' ; :flagged ?c } \
         WHERE { <x:gjoa> :yearOfBuild ?year ; :name ?name . GRAPH ?g { ?c a :Country ; :alpha3 'DNK' } } ; \
         DELETE WHERE { <x:fram> ?p ?o }",
    ),
    (
        Language::SparqlUpdate,
        "DELETE { ?v :flagged ?c } INSERT { ?v :berth 'San Francisco' ; :note 'given away' } WHERE { ?v :imo 'IMO0000002' ; :flagged ?c }",
        "",
    ),
];

/// What one language writes, all of them read; on a branch of its own, so that plans are not made of it.
#[test]
fn they_agree_after_writes_through_either() {
    let (Some(file), Some(engine)) = (data(), engine()) else { return };
    let store = oracle(&file);
    engine.hosted(None).unwrap().create_branch("writes", None).unwrap();
    let questions = questions();
    for (index, (language, text, told)) in WRITES.iter().enumerate() {
        let text = match language {
            Language::SparqlUpdate => format!("{PREFIXES}{text}"),
            _ => (*text).to_owned(),
        };
        let told = if told.is_empty() { text.clone() } else { format!("{PREFIXES}{told}") };
        let before = store.len().unwrap();
        SparqlEvaluator::new().parse_update(&told).unwrap().on_store(&store).execute().unwrap();
        assert_ne!(store.len().unwrap(), before, "write {index} does nothing");
        let request =
            Request { at: Some("writes".to_owned()), may_write: true, ..Request::new(*language, text, 0) };
        engine.run(&request).unwrap();
        let quads = ask(engine, Tongue::Sparql, "SELECT (COUNT(*) AS ?n) { { ?s ?p ?o } }", Some("writes"));
        let expected = ask_oracle(&store, "SELECT (COUNT(*) AS ?n) { { ?s ?p ?o } }");
        assert_eq!(quads, expected, "after write {index}");
        let faults = disagreements(&questions, engine, Some("writes"), &store);
        assert!(faults.is_empty(), "after write {index}: {}\n{}", faults.len(), faults.join("\n"));
    }
}

#[test]
fn equal_questions_have_one_plan() {
    let Some(engine) = engine() else { return };
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agreement/plans");
    let mut faults = Vec::new();
    let questions = questions();
    let equal: Vec<_> = questions.iter().filter(|question| question.has_one_plan).collect();
    let in_all_three = equal.iter().filter(|question| question.texts.len() == 3).count();
    assert!(in_all_three >= 8, "{in_all_three}");
    for question in equal {
        let path = golden.join(format!("{}.plan", question.name));
        for (index, (tongue, text)) in question.texts.iter().enumerate() {
            let plan = optimised_plan(engine, *tongue, text);
            if index == 0 && std::env::var_os("REEFLOOM_BLESS").is_some() {
                fs::create_dir_all(&golden).unwrap();
                fs::write(&path, &plan).unwrap();
            }
            let expected = fs::read_to_string(&path).unwrap_or_default();
            if plan != expected {
                faults.push(format!(
                    "{} in {tongue:?}:\n{plan}-- but the golden file has\n{expected}",
                    question.name
                ));
            }
        }
    }
    for entry in fs::read_dir(&golden).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        if !questions.iter().any(|question| question.has_one_plan && question.name == name) {
            faults.push(format!("{name}.plan is of no question"));
        }
    }
    assert!(faults.is_empty(), "{} plan(s) differ\n{}", faults.len(), faults.join("\n"));
}

fn optimised_plan(engine: &Engine, tongue: Tongue, text: &str) -> String {
    let mut request = request(tongue, text);
    request.explain = Some(reefloom::engine::Explain::Plan);
    let Answer::Explanation(explanation) = engine.run(&request).unwrap().answer else {
        panic!("no explanation")
    };
    explanation.optimised_plan.trim_end().to_owned() + "\n"
}
