use crate::language::cypher::compile;
use crate::model::{Vocabulary, rdf, xsd};
use crate::plan::{GraphSelector, PredicateInfo, Schema, Session, Statement, explain, validate};
use std::collections::BTreeMap;

fn session(schema: Schema) -> Session {
    Session {
        default_graph: GraphSelector::Default,
        named_graphs: None,
        vocabulary: Vocabulary { base: "http://x/".to_owned(), prefixes: Vec::new() },
        schema: schema.into(),
    }
}

fn known_schema() -> Schema {
    let vocabulary = session(Schema::default()).vocabulary;
    let property = PredicateInfo {
        quads: 1,
        is_functional: true,
        has_literal_objects: true,
        datatypes: vec![xsd::STRING.into_owned()],
        ..PredicateInfo::default()
    };
    let plain = PredicateInfo { quads: 1, has_node_objects: true, ..PredicateInfo::default() };
    let predicates = [
        (vocabulary.iri("name"), property),
        (vocabulary.iri("KNOWS"), plain),
        (
            rdf::TYPE.into_owned(),
            PredicateInfo { quads: 1, has_node_objects: true, ..PredicateInfo::default() },
        ),
    ];
    Schema { predicates: BTreeMap::from(predicates), is_complete: true, ..Schema::default() }
}

fn plan(text: &str, schema: Schema) -> String {
    let compiled =
        compile(text, &session(schema), &BTreeMap::new()).unwrap_or_else(|e| panic!("{text}: {e}"));
    let Statement::Query(query) = compiled.statement else { panic!("a query") };
    validate(&query).unwrap_or_else(|e| panic!("{text}: {e}\n{}", explain(&query)));
    explain(&query)
}

#[test]
fn every_clause_makes_a_well_formed_plan() {
    for text in [
        "MATCH (n) RETURN n",
        "MATCH (n:A {x: 1})-[r:T|U {y: 2}]->(m)<-[:V]-(), (m)--(n) WHERE n.z > 1 AND (m)-->(:B) RETURN n, r, m.x AS x",
        "MATCH (a) OPTIONAL MATCH (a)-->(b) WHERE b.x = a.x RETURN a, b.name",
        "MATCH (a) OPTIONAL MATCH (a)-->(b) OPTIONAL MATCH (b)-->(c) WHERE c.x = 1 RETURN c",
        "MATCH p = (a)-[*1..3]->(b)<-[rs:T*0..]-(c) RETURN p, length(p), rs",
        "MATCH (n) WITH n.x AS x, count(*) AS c, collect(n) AS ns ORDER BY c DESC LIMIT 3 WHERE c > 1 RETURN x + c AS s, size(ns)",
        "MATCH (n) RETURN DISTINCT n.x ORDER BY n.x SKIP 1",
        "MATCH (n) RETURN *, n.x AS y ORDER BY n.z",
        "UNWIND [1, 2] AS x RETURN x UNION UNWIND [3] AS x RETURN x",
        "MATCH (n) WHERE exists { (n)-->(m) WHERE m.x = n.x } AND NOT (n)--() RETURN [(n)-->(k) WHERE k.x = 1 | k.y] AS l",
        "MATCH (n) RETURN [x IN [1, 2] WHERE x > 1 | x + n.y], all(x IN n.l WHERE exists { (n)-->() })",
        "MATCH (n) RETURN n {.name, .*, a: 1}, count { (n)-->() } AS c",
        "CREATE (a:A {x: 1})-[r:T]->(b) CREATE p = (b)-[:U]->(c) RETURN a, r, p",
        "MATCH (a) MERGE (a)-[r:T {x: a.x}]->(b:B) ON CREATE SET r.y = 1 ON MATCH SET b += {z: 1} RETURN b",
        "MATCH (n) SET n.x = 1, n:L REMOVE n.y, n:M WITH n MATCH (n)-->(m) DETACH DELETE m",
        "FOREACH (x IN [1] | CREATE (n {v: x}) SET n.w = x)",
        "MATCH (a), (b), p = shortestPath((a)-[:T*]-(b)) RETURN p",
    ] {
        plan(text, Schema::default());
        plan(text, known_schema());
    }
}

#[test]
fn known_facts_make_plain_scans() {
    let text = "MATCH (a:Person)-[:KNOWS]->(b) WHERE a.name = 'Ann' RETURN b.name";
    let plan = plan(text, known_schema());
    assert!(!plan.contains("EdgeScan") && plan.contains("LeftJoin"), "{plan}");
    let text = "MATCH (a)-[:KNOWS]->(b)-[:KNOWS]->(c) RETURN c";
    let plan = self::plan(text, known_schema());
    assert!(plan.contains("DistinctEdges"), "{plan}");
    let plan = self::plan("MATCH (a)-[:KNOWS]->(b)-[:LIKES]->(c) RETURN c", Schema::default());
    assert!(!plan.contains("DistinctEdges"), "{plan}");
}
