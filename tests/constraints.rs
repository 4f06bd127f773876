//! Constraints: made and dropped as data is, held at every commit, through whichever door it comes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use reefloom::dataset::DatasetMut;
use reefloom::engine::{Answer, Engine, EngineError, Language, OpenTransaction, Request, WorkspaceSettings};
use reefloom::model::{Literal, NamedNode, Quad, Term, TermId, Value, rdf};

fn engine() -> Engine {
    let engine = Engine::in_memory();
    engine.create_workspace("w", WorkspaceSettings::default(), 0).unwrap();
    engine
}

fn request(text: &str) -> Request {
    Request { may_write: true, ..Request::new(Language::Cypher, text, 0) }
}

fn rows(engine: &Engine, text: &str) -> Vec<Vec<Value>> {
    let mut all = Vec::new();
    if let Answer::Rows(mut rows) =
        engine.run(&request(text)).unwrap_or_else(|error| panic!("{text}: {error}")).answer
    {
        while let Some(batch) = rows.next_values().unwrap() {
            all.extend(batch);
        }
    }
    all
}

fn run(engine: &Engine, text: &str) {
    rows(engine, text);
}

/// Runs what must fail; returns the message.
fn fails(engine: &Engine, text: &str) -> String {
    engine.run(&request(text)).err().unwrap_or_else(|| panic!("{text} went through")).to_string()
}

const UNIQUE: &str = "CREATE CONSTRAINT person_id IF NOT EXISTS FOR (p:Person) REQUIRE p.id IS UNIQUE";

#[test]
fn no_two_nodes_have_one_value() {
    let engine = engine();
    run(&engine, "CREATE (:Person {id: 1}), (:Other {id: 1}), (:Person)");
    run(&engine, UNIQUE);
    let message = fails(&engine, "CREATE (:Person {id: 1})");
    assert!(
        message.contains("person_id") && message.contains("(:Person {id})") && message.contains(": 1"),
        "{message}"
    );
    for twin in [
        "CREATE (:Person {id: 1.0})",
        "MATCH (o:Other) SET o:Person",
        "MATCH (p:Person) WHERE p.id IS NULL SET p.id = 1",
        "CREATE (:Person {id: 7}), (:Person {id: 7})",
        "UNWIND [2, 2] AS id CREATE (:Person {id: id})",
    ] {
        fails(&engine, twin);
    }
    for fine in [
        "CREATE (:Person {id: 2})",
        "CREATE (:Person), (:Other {id: 2})",
        "MERGE (p:Person {id: 2}) SET p.seen = true",
        "MATCH (p:Person {id: 1}) DELETE p CREATE (:Person {id: 1})",
        "CREATE (:Person {id: '1'})",
    ] {
        run(&engine, fine);
    }
    assert_eq!(rows(&engine, "MATCH (p:Person) RETURN count(p.id)"), [[Value::Integer(3)]]);
}

#[test]
fn other_doors_are_guarded_too() {
    let engine = engine();
    run(&engine, UNIQUE);
    run(&engine, "CREATE (:Person {id: 1})");
    let update = "PREFIX : <https://reefloom.org/data#> INSERT DATA { :x a :Person ; :id 1 }";
    let sparql = Request { may_write: true, ..Request::new(Language::SparqlUpdate, update, 0) };
    assert!(matches!(engine.run(&sparql), Err(EngineError::Runtime(_))));
    let mut transaction = OpenTransaction::begin(engine.hosted(None).unwrap(), None, true).unwrap();
    transaction.run(&request("CREATE (:Person {id: 1})")).unwrap();
    assert!(matches!(transaction.commit(1), Err(EngineError::Runtime(_))));
    let begin = || OpenTransaction::begin(engine.hosted(None).unwrap(), None, true).unwrap();
    let (mut first, mut second) = (begin(), begin());
    first.run(&request("CREATE (:Person {id: 2})")).unwrap();
    second.run(&request("CREATE (:Person {id: 2})")).unwrap();
    first.commit(1).unwrap();
    assert!(second.commit(1).is_err(), "each was fine by itself");
    assert_eq!(rows(&engine, "MATCH (p:Person) RETURN count(p)"), [[Value::Integer(2)]]);
}

#[test]
fn what_must_be_there_is_there() {
    let engine = engine();
    run(&engine, "CREATE CONSTRAINT named FOR (n:A) REQUIRE n.name IS NOT NULL");
    run(&engine, "CREATE CONSTRAINT keyed FOR (n:K) REQUIRE (n.a, n.b) IS NODE KEY");
    assert!(fails(&engine, "CREATE (:A)").contains("'name'"));
    run(&engine, "CREATE (:A {name: 'x'}), (:A {name: 'x'})");
    fails(&engine, "MATCH (n:A) SET n.name = null");
    fails(&engine, "CREATE (:K {a: 1})");
    run(&engine, "CREATE (:K {a: 1, b: 1}), (:K {a: 1, b: 2})");
    fails(&engine, "CREATE (:K {a: 1, b: 2})");
    run(&engine, "MATCH (n:A) DETACH DELETE n");
}

#[test]
fn no_two_relationships_of_a_type_have_one_value() {
    let engine = engine();
    run(
        &engine,
        "CREATE (a:P {n: 1}), (b:P {n: 2}), (a)-[:T {id: 1}]->(b), (a)-[:O {id: 1}]->(b), (a)-[:T]->(b)",
    );
    run(&engine, "CREATE CONSTRAINT t_id FOR ()-[r:T]-() REQUIRE r.id IS UNIQUE");
    let ends = "MATCH (a:P {n: 1}), (b:P {n: 2})";
    let message = fails(&engine, &format!("{ends} CREATE (b)-[:T {{id: 1}}]->(a)"));
    assert!(
        message.contains("t_id") && message.contains("()-[:T {id}]-()") && message.contains(": 1"),
        "{message}"
    );
    for twin in [
        "CREATE (a)-[:T {id: 1.0}]->(b)",
        "CREATE (a)-[:T {id: 7}]->(b), (a)-[:T {id: 7}]->(b)",
        "MATCH (a)-[r:T]->(b) SET r.id = 3",
        "MATCH (a)-[r:T]->(b) WHERE r.id IS NULL SET r += {id: 1}",
    ] {
        fails(&engine, &format!("{ends} {twin}"));
    }
    for fine in [
        "CREATE (a)-[:T {id: 2}]->(b), (a)-[:T]->(b), (a)-[:O {id: 1}]->(b)",
        "MATCH (a)-[r:T {id: 1}]->(b) DELETE r CREATE (a)-[:T {id: 1}]->(b)",
        "MATCH (a)-[r:T {id: 1}]->(b) SET r.id = 1, r.seen = true",
        "SET a.id = 1 SET b.id = 1",
    ] {
        run(&engine, &format!("{ends} {fine}"));
    }
    assert_eq!(rows(&engine, "MATCH ()-[r:T]->() RETURN count(r.id)"), [[Value::Integer(2)]]);
}

#[test]
fn what_a_relationship_must_have_it_has() {
    let engine = engine();
    run(&engine, "CREATE CONSTRAINT dated FOR ()-[r:T]-() REQUIRE r.since IS NOT NULL");
    run(&engine, "CREATE CONSTRAINT keyed FOR ()-[r:K]-() REQUIRE (r.a, r.b) IS RELATIONSHIP KEY");
    // A relationship without reifier has no properties.
    assert!(fails(&engine, "CREATE (:P)-[:T]->(:P)").contains("'since'"));
    run(&engine, "CREATE (:P {n: 1})-[:T {since: 1}]->(:P {n: 2})");
    let between = "MATCH (a {n: 1})-[r:T]->(b)";
    for gone in ["SET r.since = null", "REMOVE r.since", "SET r = {}", "CREATE (a)-[:T]->(b)"] {
        fails(&engine, &format!("{between} {gone}"));
    }
    for fine in [
        "SET r.since = 2",
        "CREATE (a)-[:T {since: 2}]->(b)",
        "CREATE (a)-[:K {a: 1, b: 1}]->(b), (a)-[:K {a: 1, b: 2}]->(b)",
        "DETACH DELETE b",
    ] {
        run(&engine, &format!("MATCH (a:P {{n: 1}})-[r:T]->(b) WITH a, r, b LIMIT 1 {fine}"));
    }
    run(&engine, "CREATE (:P)-[:K {a: 2, b: 1}]->(:P)");
    let message = fails(&engine, "CREATE (:P)-[:K {a: 2.0, b: 1}]->(:P)");
    assert!(message.contains("keyed") && message.contains("2, 1"), "{message}");
    assert!(fails(&engine, "CREATE (:P)-[:K {a: 3}]->(:P)").contains("'b'"));
}

#[test]
fn relationships_are_guarded_however_their_quads_are_written() {
    let engine = engine();
    run(&engine, "CREATE CONSTRAINT dated FOR ()-[r:T]-() REQUIRE r.since IS NOT NULL");
    let update = |text: &str| {
        let text = format!("PREFIX : <https://reefloom.org/data#> {text}");
        engine.run(&Request { may_write: true, ..Request::new(Language::SparqlUpdate, text, 0) }).map(drop)
    };
    assert!(matches!(update("INSERT DATA { :a :T :b }"), Err(EngineError::Runtime(_))));
    update("INSERT DATA { :a :T 'a literal' }").unwrap();
    update("INSERT DATA { :a :T :b ~ :r {| :since 1 |} }").unwrap();
    // Nobody asks of a reifier whose triple is not asserted.
    update("INSERT DATA { :q <http://www.w3.org/1999/02/22-rdf-syntax-ns#reifies> <<( :a :T :c )>> }")
        .unwrap();
    assert!(update("INSERT DATA { :a :T :c }").is_err(), "it is now");
    assert!(update("INSERT DATA { :a :T :b ~ :s }").is_err());
    assert!(update("DELETE DATA { :r :since 1 }").is_err());
    assert!(
        update("DELETE DATA { :r <http://www.w3.org/1999/02/22-rdf-syntax-ns#reifies> <<( :a :T :b )>> }")
            .is_err(),
        "the triple alone is a relationship without properties"
    );
    update("DELETE WHERE { ?s :T ?o }").unwrap();
    update("INSERT DATA { :r a :X }").unwrap();
}

#[test]
fn graphs_that_are_read_as_one_are_guarded_as_one() {
    let engine = Engine::in_memory();
    let settings = WorkspaceSettings { union_default_graph: true, ..WorkspaceSettings::default() };
    engine.create_workspace("w", settings, 0).unwrap();
    run(&engine, "CREATE CONSTRAINT c FOR ()-[r:T]-() REQUIRE r.id IS RELATIONSHIP KEY");
    let update = |text: &str| {
        let text = format!("PREFIX : <https://reefloom.org/data#> {text}");
        engine.run(&Request { may_write: true, ..Request::new(Language::SparqlUpdate, text, 0) }).map(drop)
    };
    update("INSERT DATA { GRAPH :g { :a :T :b ~ :r } GRAPH :h { :a :T :b ~ :r . :r :id 1 } }").unwrap();
    assert!(update("INSERT DATA { GRAPH :i { :a :T :c ~ :s {| :id 1 |} } }").is_err());
    assert!(update("DELETE DATA { GRAPH :h { :r :id 1 } }").is_err());
}

#[test]
fn constraints_on_relationships_are_checked_when_made_and_listed() {
    let engine = engine();
    run(&engine, "UNWIND [1, 1] AS i CREATE (:P)-[:T {id: i, on: true}]->(:P)");
    assert!(fails(&engine, "CREATE CONSTRAINT u FOR ()-[r:T]-() REQUIRE r.id IS UNIQUE").contains("'u'"));
    run(&engine, "CREATE CONSTRAINT e FOR ()-[r:T]-() REQUIRE r.on IS NOT NULL");
    assert!(fails(&engine, "CREATE CONSTRAINT n FOR ()-[r:T]-() REQUIRE r.off IS NOT NULL").contains("'n'"));
    run(&engine, "MATCH ()-[r:T]->() WITH r LIMIT 1 SET r.id = 2");
    run(&engine, "CREATE CONSTRAINT u IF NOT EXISTS FOR ()<-[r:T]-() REQUIRE (r.id) IS REL UNIQUE");
    run(&engine, "CREATE CONSTRAINT u IF NOT EXISTS FOR ()-[r:T]-() REQUIRE r.id IS UNIQUE");
    run(&engine, "CREATE CONSTRAINT k FOR ()-[r:T]->() REQUIRE (r.id, r.on) IS RELATIONSHIP KEY");
    run(&engine, "CREATE CONSTRAINT p FOR (n:T) REQUIRE n.id IS UNIQUE");
    let listed = "YIELD name, type, entityType, labelsOrTypes, ownedIndex RETURN name, type, ownedIndex \
                  ORDER BY name";
    let text = |text: &str| Value::String(text.to_owned());
    assert_eq!(
        rows(&engine, &format!("SHOW RELATIONSHIP CONSTRAINTS {listed}")),
        [
            [text("e"), text("RELATIONSHIP_PROPERTY_EXISTENCE"), Value::Null],
            [text("k"), text("RELATIONSHIP_KEY"), text("k")],
            [text("u"), text("RELATIONSHIP_UNIQUENESS"), text("u")],
        ]
    );
    assert_eq!(rows(&engine, "SHOW REL UNIQUE CONSTRAINTS").len(), 1);
    assert_eq!(rows(&engine, "SHOW CONSTRAINTS WHERE entityType = 'RELATIONSHIP'").len(), 3);
    for made in rows(&engine, "SHOW CONSTRAINTS YIELD name, createStatement") {
        let [Value::String(name), Value::String(create)] = &made[..] else { panic!("{made:?}") };
        run(&engine, &format!("DROP CONSTRAINT `{name}`"));
        run(&engine, create);
    }
    assert_eq!(rows(&engine, "SHOW CONSTRAINTS").len(), 4);
    run(&engine, "DROP CONSTRAINT u");
    run(&engine, "DROP CONSTRAINT k");
    run(&engine, "CREATE (:P)-[:T {id: 2, on: false}]->(:P)");
}

#[test]
fn a_constraint_that_does_not_hold_is_not_made() {
    let engine = engine();
    run(&engine, "CREATE (:Person {id: 1}), (:Person {id: 1})");
    assert!(fails(&engine, UNIQUE).contains("person_id"));
    assert!(rows(&engine, "SHOW CONSTRAINTS").is_empty());
    run(&engine, "CREATE (:Person {id: 1})");
}

#[test]
fn constraints_come_and_go_and_are_listed() {
    let engine = engine();
    run(&engine, UNIQUE);
    run(&engine, UNIQUE);
    assert!(fails(&engine, "CREATE CONSTRAINT FOR (p:Person) REQUIRE p.id IS UNIQUE").contains("person_id"));
    fails(&engine, "CREATE CONSTRAINT person_id FOR (p:Other) REQUIRE p.id IS UNIQUE");
    let text = |text: &str| Value::String(text.to_owned());
    let list = |item: &str| Value::List(vec![text(item)]);
    assert_eq!(
        rows(&engine, "SHOW CONSTRAINTS YIELD name, type, labelsOrTypes, properties, ownedIndex"),
        [[text("person_id"), text("UNIQUENESS"), list("Person"), list("id"), text("person_id")]]
    );
    let statement = rows(&engine, "SHOW UNIQUENESS CONSTRAINTS YIELD createStatement").remove(0).remove(0);
    assert!(rows(&engine, "SHOW KEY CONSTRAINTS").is_empty());
    let owned =
        rows(&engine, "SHOW INDEXES YIELD name, type, owningConstraint WHERE owningConstraint IS NOT NULL");
    assert_eq!(owned, [[text("person_id"), text("RANGE"), text("person_id")]]);
    run(&engine, "CREATE (:Person {id: 1})");
    run(&engine, "DROP CONSTRAINT person_id");
    run(&engine, "DROP CONSTRAINT person_id IF EXISTS");
    assert!(fails(&engine, "DROP CONSTRAINT person_id").contains("person_id"));
    run(&engine, "CREATE (:Person {id: 1})");
    run(&engine, "MATCH (p:Person) DELETE p");
    let Value::String(statement) = statement else { panic!("{statement:?}") };
    run(&engine, &statement);
    assert_eq!(rows(&engine, "SHOW CONSTRAINTS").len(), 1, "{statement}");
    assert!(rows(&engine, "MATCH (n) RETURN n").is_empty(), "rules are no nodes of the data");
    assert!(rows(&engine, "CALL db.labels()").is_empty());
}

/// Makes a commit that nobody checks, as one that a peer made under rules that it does not know.
fn commit_unchecked(engine: &Engine, quads: &[[&str; 3]]) {
    let transaction = engine.hosted(None).unwrap().workspace().begin("main").unwrap();
    let iri = |name: &str| Term::from(NamedNode::new(format!("https://reefloom.org/data#{name}")).unwrap());
    let term = |name: &str| match (name, name.parse::<i64>()) {
        ("a", _) => Term::from(rdf::TYPE.into_owned()),
        (_, Ok(number)) => Term::from(Literal::from(number)),
        _ => iri(name),
    };
    for quad in quads {
        let [subject, predicate, object] = quad.map(|name| transaction.intern(&term(name)).unwrap());
        transaction.insert(Quad { subject, predicate, object, graph: TermId::UNDEFINED }).unwrap();
    }
    transaction.commit("", 1).unwrap();
}

#[test]
fn what_breaks_constraints_is_told() {
    let engine = engine();
    run(&engine, UNIQUE);
    run(&engine, "CREATE CONSTRAINT dated FOR ()-[r:T]-() REQUIRE r.since IS NOT NULL");
    run(&engine, "CREATE (:Person {id: 1}), (:Person {id: 2})-[:T {since: 1}]->(:Person)");
    const CALL: &str =
        "CALL db.constraints.violations() YIELD name, type, message RETURN name, type, message";
    assert!(rows(&engine, CALL).is_empty());
    commit_unchecked(&engine, &[["x", "a", "Person"], ["x", "id", "1"], ["x", "T", "y"], ["y", "T", "x"]]);
    let found = rows(&engine, CALL);
    let text = |text: &str| Value::String(text.to_owned());
    let names: Vec<Value> = found.iter().map(|row| row[0].clone()).collect();
    assert_eq!(names, [text("dated"), text("dated"), text("person_id")]);
    assert_eq!(found[0][1], text("RELATIONSHIP_PROPERTY_EXISTENCE"));
    assert!(
        matches!(&found[2][2], Value::String(message) if message.contains("data#x") && message.contains(": 1"))
    );
    // What is broken already keeps nobody from writing beside it, or from mending it.
    run(&engine, "CREATE (:Person {id: 3})");
    fails(&engine, "MATCH (p:Person {id: 1}) SET p.id = 2");
    run(&engine, "MATCH (p:Person {id: 1})-[r:T]-() SET p.id = 7, r.since = 1");
    assert!(rows(&engine, CALL).is_empty());
}

#[test]
fn branches_have_their_own() {
    let engine = engine();
    run(&engine, UNIQUE);
    engine.hosted(None).unwrap().create_branch("draft", None).unwrap();
    let on_draft =
        |text: &str| engine.run(&Request { at: Some("draft".to_owned()), ..request(text) }).map(drop);
    on_draft("DROP CONSTRAINT person_id").unwrap();
    on_draft("CREATE (:Person {id: 1}), (:Person {id: 1})").unwrap();
    fails(&engine, "CREATE (:Person {id: 1}), (:Person {id: 1})");
}

#[test]
fn indexes_are_listed_as_what_they_are() {
    let engine = engine();
    for command in [
        "CREATE INDEX by_name IF NOT EXISTS FOR (p:Person) ON (p.name)",
        "CREATE TEXT INDEX FOR ()-[r:KNOWS]-() ON (r.note)",
        "CREATE LOOKUP INDEX looked FOR (n) ON EACH labels(n)",
        "CREATE FULLTEXT INDEX words FOR (n:A|B) ON EACH [n.text, n.title]",
        "CREATE VECTOR INDEX near IF NOT EXISTS FOR (m:E) ON m.embedding OPTIONS {indexConfig: {`vector.dimensions`: 3}}",
    ] {
        run(&engine, command);
    }
    let text = |text: &str| Value::String(text.to_owned());
    let states = rows(
        &engine,
        "SHOW INDEXES YIELD name, state, type WHERE NOT type IN ['LOOKUP'] RETURN type, state ORDER BY type",
    );
    assert_eq!(
        states,
        [["FULLTEXT", "FAILED"], ["RANGE", "ONLINE"], ["TEXT", "ONLINE"], ["VECTOR", "FAILED"]]
            .map(|row| row.map(text))
    );
    for statement in
        rows(&engine, "SHOW INDEXES YIELD name, createStatement WHERE NOT name IN ['labels', 'types']")
    {
        let [Value::String(name), Value::String(create)] = &statement[..] else { panic!("{statement:?}") };
        run(&engine, &format!("DROP INDEX `{name}`"));
        run(&engine, create);
    }
    assert_eq!(rows(&engine, "SHOW INDEXES").len(), 7);
    run(&engine, "CREATE index = (:P)-[:Q]->(:P)");
    for wrong in [
        "CREATE INDEX FOR (p:Person) ON (q.name)",
        "CREATE CONSTRAINT FOR ()-[r:T]-() REQUIRE r.id IS NODE KEY",
        "CREATE CONSTRAINT FOR (n:T) REQUIRE n.id IS RELATIONSHIP UNIQUE",
        "CREATE CONSTRAINT FOR ()-[r]-() REQUIRE r.id IS UNIQUE",
        "CREATE CONSTRAINT FOR (n:A|B) REQUIRE n.id IS UNIQUE",
        "DROP (n)",
    ] {
        assert!(matches!(engine.run(&request(wrong)), Err(EngineError::Syntax { .. })), "{wrong}");
    }
}
