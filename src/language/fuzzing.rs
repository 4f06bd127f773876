//! What a text may be, as functions of bytes: `fuzz/` calls them with whatever it comes up with.

use std::collections::BTreeMap;

use super::cypher;
use crate::model::{Value, xsd};
use crate::plan::{GraphSelector, PredicateInfo, Schema, Session, Statement, explain, validate};

/// Name and function of each target.
pub const TARGETS: &[(&str, fn(&[u8]))] = &[("cypher", cypher)];

/// Statements that hold the whole grammar between them.
pub const CYPHER: &[&str] = &[
    "MATCH p = (a:A {x: 1})-[r:T|U*1..3 {y: $p}]->(b)<--() WHERE a.x > 1 AND exists { (a)--(b) } RETURN p, a {.*, k: 1}",
    "MATCH (n) OPTIONAL MATCH (n)-->(m) WITH n, count(m) AS c ORDER BY c DESC SKIP 1 LIMIT 2 WHERE c > 0 RETURN *",
    "UNWIND [1, 2.5e3, 0x1F, 'a\\u00e9'] AS x RETURN [y IN [x] WHERE y = x | y + 1][0..1], CASE x WHEN 1 THEN 2 ELSE 3 END",
    "MERGE (a)-[:R {k: 1}]->(b) ON CREATE SET a.x = 1, b:L ON MATCH SET a += {y: 2} REMOVE a.x DETACH DELETE b",
    "RETURN reduce(a = 0, x IN range(1, 3) | a + x), all(x IN [1] WHERE x = 1), date.truncate('day', date()) UNION ALL RETURN 1, 2, 3",
    "CREATE (a {x: [1, {b: null}]})-[r:T]->(b) FOREACH (x IN [1] | SET a.x = x) RETURN [(a)-->(c) | c.x] AS l",
    "MATCH (n) CALL { WITH n MATCH (n)-->(m) RETURN m UNION WITH n RETURN n AS m } OPTIONAL CALL (n, m) { UNWIND [1] AS k RETURN k } RETURN *",
    "UNWIND [1, 2] AS x CALL (*) { MERGE (a:A {v: x}) CALL () { CREATE (:B) } } IN TRANSACTIONS OF 10 ROWS ON ERROR FAIL",
    "UNWIND [1, 0] AS x CALL (x) { RETURN 1 / x AS y } IN 2 CONCURRENT TRANSACTIONS OF 1 ROW ON ERROR BREAK REPORT STATUS AS s RETURN y, s",
    "MATCH p = (a:A)((x)-[r:T]->(y {k: $p}) WHERE x.v < y.v){1,3}(b)-[s:U]->*(c)-->{,2}(d) ((e)--(f))+ RETURN p, x, r, s",
    "MATCH (a)-[r:T*1..2 {k: a.k}]->(b) WHERE (a)-->+(b) RETURN reduce(s = 0, n IN [a] | s + COUNT { (n)-->() }), shortestPath((a)-[:T]-(b))",
    "LOAD CSV WITH HEADERS FROM 'file:///a.csv' AS row FIELDTERMINATOR ';' FOREACH (x IN [row.a] | MERGE (n {v: x}) FOREACH (y IN [1] | SET n.w = y))",
];

/// Returns texts to begin with, and the name of the target that each is for.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    CYPHER.iter().map(|text| ("cypher", text.as_bytes().to_vec())).collect()
}

/// Bytes: a statement. What is no UTF-8 never gets so far.
pub fn cypher(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        cypher_text(text);
    }
}

/// Compiles a text as far as it goes, with and without facts on the data: what compiles is a
/// well-formed plan, and what does not says where it stops to make sense.
pub fn cypher_text(text: &str) {
    let parameters = BTreeMap::from([("p".to_owned(), Value::Integer(1))]);
    let _ = cypher::parse(text);
    for schema in [Schema::default(), known_schema()] {
        let session = Session {
            default_graph: GraphSelector::Default,
            named_graphs: None,
            vocabulary: Default::default(),
            schema: schema.into(),
        };
        match cypher::compile(text, &session, &parameters) {
            Ok(compiled) => {
                let Statement::Query(query) = compiled.statement else { panic!("Cypher makes queries") };
                validate(&query).unwrap_or_else(|error| panic!("{text}: {error}\n{}", explain(&query)));
            }
            Err(error) => {
                assert!(error.offset <= text.len() && error.line > 0 && error.column > 0);
                let _ = error.excerpt(text);
            }
        }
    }
}

/// Facts that let properties and relationships be scanned.
fn known_schema() -> Schema {
    let vocabulary = crate::model::Vocabulary::default();
    let property = PredicateInfo {
        quads: 1,
        is_functional: true,
        has_literal_objects: true,
        datatypes: vec![xsd::STRING.into_owned()],
        ..PredicateInfo::default()
    };
    let plain = PredicateInfo { quads: 1, has_node_objects: true, ..PredicateInfo::default() };
    let properties = ["k", "v", "x", "y"].map(|name| (vocabulary.iri(name), property.clone()));
    let relationships = ["T", "U", "R"].map(|name| (vocabulary.iri(name), plain.clone()));
    let predicates = properties.into_iter().chain(relationships).collect();
    Schema { predicates, is_complete: true, ..Schema::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::fuzzing::change_every_bit;

    #[test]
    fn no_single_bit_does_harm() {
        change_every_bit(TARGETS, seeds());
    }
}
