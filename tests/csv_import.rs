//! CSV tables as a graph: what rows become, in Cypher and SPARQL, and what is wrong with those that become nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reefloom::engine::{
    Answer, CsvSyntax, Engine, Explain, Language, LoadError, LoadInput, LoadOptions, Loaded, Request,
    TableOptions, TableRows,
};
use reefloom::model::Value;

struct Place {
    folder: tempfile::TempDir,
    engine: Arc<Engine>,
}

fn nodes(labels: &[&str], files: &[PathBuf]) -> TableOptions {
    let labels = labels.iter().map(|label| (*label).to_owned()).collect();
    TableOptions { rows: TableRows::Nodes { labels }, files: files.to_vec() }
}

fn relationships(relationship_type: Option<&str>, files: &[PathBuf]) -> TableOptions {
    let relationship_type = relationship_type.map(str::to_owned);
    TableOptions { rows: TableRows::Relationships { relationship_type }, files: files.to_vec() }
}

impl Place {
    fn new() -> Place {
        let engine = Arc::new(Engine::in_memory());
        engine.create_workspace("w", Default::default(), 0).unwrap();
        Place { folder: tempfile::tempdir().unwrap(), engine }
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn try_load(&self, options: LoadOptions) -> Result<Loaded, String> {
        let input = LoadInput::open(&options).map_err(|error| error.to_string())?;
        self.engine.load(None, None, input, "load", 1, &|_| {}).map_err(|error| error.to_string())
    }

    fn load(&self, tables: Vec<TableOptions>) -> Loaded {
        self.try_load(LoadOptions { tables, ..LoadOptions::default() }).unwrap()
    }

    fn rows(&self, language: Language, text: &str) -> Vec<String> {
        let response = self.engine.run(&Request::new(language, text, 2)).unwrap();
        let Answer::Rows(mut rows) = response.answer else { panic!("{text} answers rows") };
        let mut all = Vec::new();
        while let Some(values) = rows.next_values().unwrap() {
            all.extend(values.iter().map(|row| row.iter().map(show).collect::<Vec<_>>().join(" | ")));
        }
        all
    }

    fn write(&self, text: &str) {
        let request = Request { may_write: true, ..Request::new(Language::Cypher, text, 2) };
        self.engine.run(&request).unwrap();
    }

    fn cypher(&self, text: &str) -> Vec<String> {
        self.rows(Language::Cypher, text)
    }
}

fn show(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
        Value::String(text) => text.clone(),
        Value::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
        Value::Term(term) => term.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn tables_become_a_graph() {
    let place = Place::new();
    let people = place.file(
        "people.csv",
        "id:ID(Person){id-type:int},name,born:date,score:double,tags:string[],:LABEL,\
         \"cityId:REF(City){type:LIVES_IN,id-type:int}\",note:IGNORE\n\
         1,Ann,1990-02-01,1.5,a;b,Author,10,x\n\
         2,\"Bo \"\"B\"\"\",,2,,,10,x\n\
         3,\"Cy\nnewline\",,,,Author;Editor,,x\n",
    );
    let cities = place.file("cities.csv", "id:ID(City){id-type:int},name\n10,Bergen\n11,Oslo\n");
    let knows = place.file(
        "knows.csv",
        ":START_ID(Person),:END_ID(Person),since:int\n2,1,2001\n1,2,2000\n1,2,2010\n1,3,\n",
    );
    let likes = place.file("likes.csv", ":START_ID(Person),:END_ID(City),:TYPE\n1,10,LIKES\n1,11,HATES\n");
    let loaded = place.load(vec![
        relationships(Some("KNOWS"), &[knows]),
        nodes(&["Person"], &[people]),
        nodes(&["City"], &[cities]),
        relationships(None, &[likes]),
    ]);
    assert_eq!(loaded.skipped.count, 0);
    assert_eq!(
        place.cypher(
            "MATCH (p:Person) RETURN p.id, p.name, toString(p.born), p.score, p.tags, p.cityId ORDER BY p.id"
        ),
        [
            "1 | Ann | 1990-02-01 | 1.5 | [a, b] | 10",
            "2 | Bo \"B\" | null | 2.0 | null | 10",
            "3 | Cy\nnewline | null | null | null | null",
        ]
    );
    assert_eq!(
        place.cypher("MATCH (p:Author) RETURN p.id, size(labels(p)) ORDER BY p.id"),
        ["1 | 2", "3 | 3"]
    );
    assert_eq!(
        place.cypher("MATCH (a)-[k:KNOWS]->(b) RETURN a.id, b.id, k.since ORDER BY a.id, b.id, k.since"),
        ["1 | 2 | 2000", "1 | 2 | 2010", "1 | 3 | null", "2 | 1 | 2001"]
    );
    assert_eq!(
        place.cypher("MATCH (p:Person)-[r:LIVES_IN|LIKES|HATES]->(c:City) RETURN p.id, type(r), c.name ORDER BY p.id, type(r)"),
        ["1 | HATES | Oslo", "1 | LIKES | Bergen", "1 | LIVES_IN | Bergen", "2 | LIVES_IN | Bergen"]
    );
    // SPARQL reads the same, reifiers as RDF 1.2 has them.
    let sparql = "PREFIX : <https://reefloom.org/data#> SELECT ?since { \
                  <https://reefloom.org/data#Person/1> :KNOWS ?other ~ ?edge {| :since ?since |} } ORDER BY ?since";
    assert_eq!(place.rows(Language::SparqlQuery, sparql), ["2000", "2010"]);
}

#[test]
fn a_header_may_stand_in_a_file_of_its_own() {
    let place = Place::new();
    let header = place.file("header.csv", "id:ID|tags:int[]\n");
    let first = place.file("first.csv", "id|tags\n1|1,2\n");
    let packed = zstd::encode_all(&b"id|tags\n2|\n"[..], 3).unwrap();
    let second = place.file("second.csv.zst", packed);
    let csv = CsvSyntax { delimiter: b'|', list_delimiter: ',', skips_headers: true };
    let tables = vec![nodes(&[], &[header, first, second])];
    place.try_load(LoadOptions { tables, csv, ..LoadOptions::default() }).unwrap();
    assert_eq!(
        place.cypher("MATCH (n) RETURN n.id, n.tags, size(labels(n)) ORDER BY n.id"),
        ["1 | [1, 2] | 0", "2 | null | 0"]
    );
}

#[test]
fn a_node_of_nothing_but_an_id_is_there() {
    let place = Place::new();
    let bare = place.file("bare.csv", ":ID\n1\nodd id/?\n");
    place.load(vec![nodes(&[], &[bare])]);
    assert_eq!(
        place.cypher("MATCH (n) RETURN elementId(n) ORDER BY elementId(n)"),
        ["https://reefloom.org/data#node/1", "https://reefloom.org/data#node/odd%20id%2F%3F"]
    );
}

/// Equal rows are relationships of their own; a second load finds the nodes of the first.
#[test]
fn rows_alike_are_relationships_each() {
    let place = Place::new();
    let edges = place.file("edges.csv", ":START_ID,:END_ID\n1,2\n2,1\n1,2\n1,2\n");
    place.load(vec![relationships(Some("T"), &[edges])]);
    assert_eq!(place.cypher("MATCH ()-[r:T]->() RETURN count(r), count(DISTINCT r)"), ["4 | 4"]);
    let names = place.file("names.csv", ":ID,name\n1,one\n");
    place.load(vec![nodes(&["N"], &[names])]);
    assert_eq!(place.cypher("MATCH (n:N)-[:T]->(m) RETURN n.name, count(*)"), ["one | 3"]);
}

/// What is loaded does not depend on how the threads share the rows.
#[test]
fn many_rows_make_one_graph() {
    let place = Place::new();
    let count = 40_000_u64;
    let mut people = "id:ID{id-type:int}\n".to_owned();
    let mut knows = ":START_ID,:END_ID,w:double\n".to_owned();
    for n in 0..count {
        writeln!(people, "{n}").unwrap();
        writeln!(knows, "{},{},{}", n * 7919 % count, n * 104_729 % count, n % 100).unwrap();
    }
    let tables = || {
        vec![
            nodes(&["P"], &[place.file("p.csv", &people)]),
            relationships(Some("K"), &[place.file("k.csv", &knows)]),
        ]
    };
    let loaded = place.load(tables());
    assert_eq!(place.cypher("MATCH (:P)-[k:K]->(:P) RETURN count(k), sum(k.w)"), ["40000 | 1980000.0"]);
    let again = Place::new();
    assert_eq!(again.load(tables()).quads_added, loaded.quads_added);
    let all = "MATCH (a:P)-[k:K]->(b:P) WHERE a.id < 30 RETURN a.id, b.id, k.w ORDER BY a.id, b.id, k.w";
    assert_eq!(place.cypher(all), again.cypher(all));
}

/// Relationships and their properties are read side by side, in the order of the relationships' names: however those were
/// given, and whatever was written since.
#[test]
fn properties_of_all_relationships_are_joined_in_order() {
    let place = Place::new();
    let (people, edges) = (200_u64, 6000_u64);
    let mut rows = "id:ID{id-type:int}\n".to_owned();
    (0..people).for_each(|n| writeln!(rows, "{n}").unwrap());
    place.load(vec![nodes(&["P"], &[place.file("p.csv", &rows)])]);
    let mut expected = vec![0_u64; people as usize];
    // Each load names its own, so that by their ends they are mixed.
    for load in 0..3 {
        let mut rows = ":START_ID,:END_ID,w:int\n".to_owned();
        for n in (load..edges).step_by(3) {
            let (start, weight) = (n * 7919 % people, n % 11);
            let end = (start + 1 + n / 7 % 150) % people;
            writeln!(rows, "{start},{end},{}", if weight == 0 { String::new() } else { weight.to_string() })
                .unwrap();
            expected[start as usize] += weight;
        }
        place.load(vec![relationships(Some("K"), &[place.file("k.csv", &rows)])]);
    }
    place.load(vec![relationships(
        Some("L"),
        &[place.file("l.csv", ":START_ID,:END_ID,w:int\n1,2,1000\n2,3,1000\n")],
    )]);
    place.engine.hosted(None).unwrap().optimize(None).unwrap();
    let question = "MATCH (p:P)-[k:K]->(:P) RETURN p.id AS id, sum(k.w) AS w ORDER BY id";
    let plan = |question: &str| {
        let request = Request { explain: Some(Explain::Plan), ..Request::new(Language::Cypher, question, 2) };
        let Answer::Explanation(text) = place.engine.run(&request).unwrap().answer else { panic!() };
        text.to_string()
    };
    let check = |expected: &[u64]| {
        let rows = expected.iter().enumerate().map(|(id, weight)| format!("{id} | {weight}"));
        assert_eq!(place.cypher(question), rows.collect::<Vec<_>>());
    };
    assert!(plan(question).contains("MergeLeftJoin"), "{}", plan(question));
    // Few of them are looked up.
    let of_few = plan("MATCH (:P)-[k:K]->(:P) WHERE k.w = 10 AND k.w < 11 RETURN count(*)");
    assert!(of_few.contains("EdgeScan") && !of_few.contains("as ?3 [sorted"), "{of_few}");
    check(&expected);
    place.write("MATCH (a:P {id: 5}), (b:P {id: 6}) CREATE (a)-[:K {w: 500}]->(b), (a)-[:K]->(b)");
    expected[5] += 500;
    check(&expected);
    // What a statement writes before it reads tells no edge: there is none without a property.
    let then = "CREATE (:P {id: 1000})-[:K]->(:P {id: 1001}) WITH count(*) AS c
        MATCH (:P)-[k:K]->(:P) RETURN count(*) AS n, sum(k.w) AS w";
    let weights: u64 = expected.iter().sum();
    let request = Request { may_write: true, ..Request::new(Language::Cypher, then, 2) };
    let Answer::Rows(mut rows) = place.engine.run(&request).unwrap().answer else { panic!() };
    let row = rows.next_values().unwrap().unwrap().remove(0);
    assert_eq!(row.iter().map(show).collect::<Vec<_>>(), [(edges + 3).to_string(), weights.to_string()]);
    place.write("MATCH (p:P) WHERE p.id >= 1000 DETACH DELETE p");
    place.write("MATCH (:P {id: 7})-[k:K]->() DELETE k");
    place.write("MATCH (:P {id: 8})-[k:K]->() SET k.w = 1");
    place.write("MATCH (a:P {id: 7}), (b:P {id: 6}) CREATE (a)-[:K {w: 70}]->(b)");
    expected[7] = 70;
    expected[8] = (0..edges).filter(|n| n * 7919 % people == 8).count() as u64;
    check(&expected);
    place.engine.hosted(None).unwrap().optimize(None).unwrap();
    check(&expected);
}

#[test]
fn mistakes_have_their_place_and_nothing_is_kept() {
    let place = Place::new();
    let header = "id:ID{id-type:int},age:int,at:REF(City){type:IN}\n";
    for (rows, line, words) in [
        ("1,1,\n2,old,\n", 3, "column 2 (age): 'old' is no int"),
        ("1,1,\n\n\nx,2,\n", 5, "column 1 (id): 'x' is no int"),
        ("1,\"a\nb\",\n", 2, "is no int"),
        ("1,1\n", 2, "2 cells, where the header has 3"),
        (",1,\n", 2, "holds no id"),
    ] {
        let bad = place.file("bad.csv", format!("{header}{rows}"));
        let tables = vec![nodes(&["A"], &[bad])];
        let options = LoadOptions { tables, ..LoadOptions::default() };
        let message = place.try_load(options.clone()).unwrap_err();
        assert!(message.contains(&format!("bad.csv:{line}: ")) && message.contains(words), "{message}");
        assert_eq!(place.cypher("MATCH (n) RETURN count(n)"), ["0"]);
    }
    let many: String =
        (0..30_000).map(|n| format!("{n},{},\n", if n % 1000 == 7 { "x" } else { "1" })).collect();
    let bad = place.file("bad.csv", format!("{header}{many}"));
    let options = LoadOptions { tables: vec![nodes(&["A"], &[bad])], ..LoadOptions::default() };
    let message = place.try_load(options.clone()).unwrap_err();
    assert!(message.contains("bad.csv:9: "), "the first comes first: {message}");
    let loaded = place.try_load(LoadOptions { lenient: true, ..options }).unwrap();
    let lines: Vec<u64> = loaded.skipped.shown.iter().map(|fault| fault.line).collect();
    assert_eq!((loaded.skipped.count, &lines[..3], lines.len()), (30, &[9, 1009, 2009][..], 20));
    assert_eq!(place.cypher("MATCH (n:A) RETURN count(n)"), ["29970"]);
}

#[test]
fn headers_that_make_no_sense_are_refused_at_once() {
    let place = Place::new();
    let open = |text: &str, rows: fn(PathBuf) -> TableOptions| {
        let path = place.file("t.csv", text);
        let options = LoadOptions { tables: vec![rows(path)], ..LoadOptions::default() };
        match LoadInput::open(&options) {
            Err(LoadError::Malformed(fault)) => fault.to_string(),
            _ => panic!("{text} is no header"),
        }
    };
    let as_nodes = |path: PathBuf| nodes(&[], &[path]);
    let as_relationships = |path: PathBuf| relationships(None, &[path]);
    assert!(open("", as_nodes).contains("no header"));
    assert!(open("name,age\n", as_nodes).contains("t.csv:1: no column is the node's id"));
    assert!(open("a:ID,b:colour\n", as_nodes).contains("column 2 of the header: there is no type 'colour'"));
    assert!(open(":START_ID,:END_ID\n", as_relationships).contains(":TYPE"));
    let missing =
        LoadOptions { tables: vec![nodes(&[], &[Path::new("/nowhere.csv").into()])], ..Default::default() };
    assert!(matches!(LoadInput::open(&missing), Err(LoadError::Unreadable { .. })));
}

/// A quote that nobody closed costs a row's worth of memory, not the file's.
#[test]
fn a_quote_that_is_not_closed_is_told() {
    let place = Place::new();
    let mut text = "a:ID,b\n1,\"open\n".to_owned();
    text.push_str(&"2,x\n".repeat(6_000_000));
    let path = place.file("open.csv", text);
    let options = LoadOptions { tables: vec![nodes(&[], &[path])], ..LoadOptions::default() };
    let input = LoadInput::open(&options).unwrap();
    let error = place.engine.load(None, None, input, "load", 1, &|_| {}).unwrap_err();
    assert!(error.to_string().contains("quote"), "{error}");
}
