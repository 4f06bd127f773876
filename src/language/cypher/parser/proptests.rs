//! Texts that nobody would write: the front end answers each, and never panics.

use proptest::prelude::*;

use crate::language::fuzzing::{CYPHER, cypher_text as check};

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
    "CALL",
    "CALL {",
    "CALL (n) {",
    "LOAD CSV",
    "WITH HEADERS",
    "FROM",
    "FOREACH (n IN",
    "IN TRANSACTIONS",
    "(()-->())",
    "{1,2}",
    "->+",
    "->*",
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
        query in prop::sample::select(CYPHER),
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
    CYPHER.iter().for_each(|query| check(query));
}
