//! Texts that nobody would write: the front end answers each, and never panics.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::language::cypher::{compile, parse};
use crate::plan::{GraphSelector, Schema, Session, Statement, validate};

const QUERIES: &[&str] = &[
    "MATCH p = (a:A {x: 1})-[r:T|U*1..3 {y: $p}]->(b)<--() WHERE a.x > 1 AND exists { (a)--(b) } RETURN p, a {.*, k: 1}",
    "MATCH (n) OPTIONAL MATCH (n)-->(m) WITH n, count(m) AS c ORDER BY c DESC SKIP 1 LIMIT 2 WHERE c > 0 RETURN *",
    "UNWIND [1, 2.5e3, 0x1F, 'a\\u00e9'] AS x RETURN [y IN [x] WHERE y = x | y + 1][0..1], CASE x WHEN 1 THEN 2 ELSE 3 END",
    "MERGE (a)-[:R {k: 1}]->(b) ON CREATE SET a.x = 1, b:L ON MATCH SET a += {y: 2} REMOVE a.x DETACH DELETE b",
    "RETURN reduce(a = 0, x IN range(1, 3) | a + x), all(x IN [1] WHERE x = 1), date.truncate('day', date()) UNION ALL RETURN 1, 2, 3",
    "CREATE (a {x: [1, {b: null}]})-[r:T]->(b) FOREACH (x IN [1] | SET a.x = x) RETURN [(a)-->(c) | c.x] AS l",
];

const WORDS: &[&str] = &[
    "MATCH",
    "OPTIONAL",
    "WHERE",
    "RETURN",
    "WITH",
    "AS",
    "ORDER BY",
    "UNWIND",
    "CREATE",
    "MERGE",
    "SET",
    "DELETE",
    "CASE",
    "WHEN",
    "THEN",
    "END",
    "exists",
    "count",
    "all",
    "IN",
    "IS NULL",
    "NOT",
    "AND",
    "STARTS WITH",
    "UNION",
    "n",
    "m",
    "`x y`",
    "$p",
    "1",
    "2.5",
    "0x",
    "9h",
    "'s'",
    "null",
    "true",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "-",
    "->",
    "<-",
    "--",
    "..",
    ".",
    ",",
    ":",
    ":A",
    "|",
    "*",
    "+",
    "=",
    "<>",
    "<",
    "=~",
    "^",
    "%",
    "/",
    ";",
    "+=",
    "!",
];

/// Compiles a text as far as it goes; what compiles is a well-formed plan.
fn check(text: &str) {
    let session = Session {
        default_graph: GraphSelector::Default,
        named_graphs: None,
        vocabulary: Default::default(),
        schema: Schema::default().into(),
    };
    let parameters = BTreeMap::from([("p".to_owned(), crate::model::Value::Integer(1))]);
    let _ = parse(text);
    match compile(text, &session, &parameters) {
        Ok(compiled) => {
            let Statement::Query(query) = compiled.statement else { panic!("Cypher makes queries") };
            validate(&query).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
        Err(error) => {
            assert!(error.offset <= text.len() && error.line > 0 && error.column > 0);
            let _ = error.excerpt(text);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_characters_are_answered(text in "\\PC{0,60}") {
        check(&text);
    }

    #[test]
    fn any_words_are_answered(words in prop::collection::vec(prop::sample::select(WORDS), 0..40)) {
        check(&words.join(" "));
    }

    #[test]
    fn broken_queries_are_answered(
        query in prop::sample::select(QUERIES),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(WORDS), 0usize..3), 1..4),
    ) {
        let mut chars: Vec<String> = query.chars().map(|c| c.to_string()).collect();
        for (place, word, how) in cuts {
            let at = place.index(chars.len());
            match how {
                0 => chars[at] = format!(" {word} "),
                1 => chars[at].clear(),
                _ => chars.truncate(at + 1),
            }
        }
        check(&chars.concat());
    }
}

#[test]
fn the_queries_themselves_compile() {
    QUERIES.iter().for_each(|query| check(query));
}
