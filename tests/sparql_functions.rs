//! SPARQL expressions, evaluated here and by Oxigraph: the answers are the same terms.
//!
//! Where the two may differ the case is in a table of its own, with the answer that the
//! specification asks for.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use oxigraph::sparql::{QueryResults, SparqlEvaluator};
use oxigraph::store::Store;
use reefloom::dataset::MemoryDataset;
use reefloom::execute::{Context, execute};
use reefloom::language::sparql;
use reefloom::model::{Literal, Term, Vocabulary, xsd};
use reefloom::plan::{GraphSelector, Schema, Session};

const PREFIXES: &str = "PREFIX xsd: <http://www.w3.org/2001/XMLSchema#> PREFIX : <http://e/> ";

fn ours(expression: &str) -> Option<Term> {
    let session = Session {
        default_graph: GraphSelector::Default,
        named_graphs: None,
        vocabulary: Vocabulary::default(),
        schema: Schema::default().into(),
    };
    let text = format!("{PREFIXES} SELECT ({expression} AS ?r) {{}}");
    let query = sparql::parse_query(&text, &session, None).unwrap_or_else(|e| panic!("{expression}: {e}"));
    let context = Arc::new(Context::new(Arc::new(MemoryDataset::new())));
    let mut rows = execute(&query, context).unwrap();
    let terms = rows.next_terms().unwrap().unwrap();
    assert_eq!(terms.len(), 1, "{expression}");
    terms[0][0].clone()
}

fn theirs(expression: &str) -> Option<Term> {
    let text = format!("{PREFIXES} SELECT ({expression} AS ?r) {{}}");
    let query = SparqlEvaluator::new().parse_query(&text).unwrap_or_else(|e| panic!("{expression}: {e}"));
    let QueryResults::Solutions(mut rows) = query.on_store(&Store::new().unwrap()).execute().unwrap() else {
        panic!("{expression} is no SELECT")
    };
    rows.next().unwrap().unwrap().get("r").cloned()
}

/// Returns the value of a number, whatever its spelling: Oxigraph keeps only values, so that `1.0`
/// is "1" and an xsd:int an xsd:integer; here terms keep their spelling.
fn normal(term: Option<Term>) -> Option<Term> {
    let Some(Term::Literal(literal)) = &term else { return term };
    let mut datatype = literal.datatype().into_owned();
    if datatype == xsd::INT {
        datatype = xsd::INTEGER.into_owned();
    }
    let is_number =
        [xsd::DOUBLE, xsd::FLOAT, xsd::DECIMAL, xsd::INTEGER].iter().any(|known| datatype == *known);
    match literal.value().replace("INF", "inf").parse::<f64>() {
        Ok(value) if is_number => Some(Literal::new_typed_literal(format!("{value}"), datatype).into()),
        _ => term,
    }
}

/// Values of every kind, to be combined with one another.
const VALUES: [&str; 36] = [
    "1",
    "-7",
    "0",
    "2.5",
    "1.0",
    "1e0",
    "2.5e1",
    "\"1.5\"^^xsd:float",
    "\"3\"^^xsd:int",
    "\"abc\"^^xsd:integer",
    "\"NaN\"^^xsd:double",
    "\"INF\"^^xsd:double",
    "true",
    "false",
    "\"\"",
    "\"abc\"",
    "\"été 😀\"",
    "\"abc\"@en",
    "\"abc\"@fr",
    "\"bc\"@en",
    "\"b\"",
    "\"2024-02-29\"^^xsd:date",
    "\"2024-02-29Z\"^^xsd:date",
    "\"2024-02-29T12:30:15.25\"^^xsd:dateTime",
    "\"2024-02-29T12:30:15.25Z\"^^xsd:dateTime",
    "\"2024-02-29T12:30:15+02:00\"^^xsd:dateTime",
    "\"12:30:15Z\"^^xsd:time",
    "\"09:30:15.5Z\"^^xsd:time",
    "\"12:30:15\"^^xsd:time",
    "\"12:30:15+02:00\"^^xsd:time",
    "\"P1Y2M\"^^xsd:yearMonthDuration",
    "\"P1DT2H\"^^xsd:dayTimeDuration",
    "\"P1Y2M3DT4H\"^^xsd:duration",
    "\"x\"^^:unknown",
    ":iri",
    "?unbound",
];

const UNARY: [&str; 46] = [
    "STR(A)",
    "LANG(A)",
    "DATATYPE(A)",
    "isIRI(A)",
    "isBLANK(A)",
    "isLITERAL(A)",
    "isNUMERIC(A)",
    "ABS(A)",
    "CEIL(A)",
    "FLOOR(A)",
    "ROUND(A)",
    "STRLEN(A)",
    "UCASE(A)",
    "LCASE(A)",
    "ENCODE_FOR_URI(A)",
    "YEAR(A)",
    "MONTH(A)",
    "DAY(A)",
    "HOURS(A)",
    "MINUTES(A)",
    "SECONDS(A)",
    "TIMEZONE(A)",
    "TZ(A)",
    "MD5(A)",
    "SHA1(A)",
    "SHA256(A)",
    "SHA384(A)",
    "SHA512(A)",
    "BOUND(?unbound)",
    "COALESCE(A, 7)",
    "-A",
    "+A",
    "xsd:string(A)",
    "xsd:boolean(A)",
    "xsd:integer(A)",
    "xsd:decimal(A)",
    "xsd:double(A)",
    "xsd:float(A)",
    "xsd:dateTime(A)",
    "SUBSTR(A, 2)",
    "SUBSTR(A, 0, 3)",
    "SUBSTR(A, -1, 3)",
    "REGEX(A, \"B\", \"i\")",
    "REPLACE(A, \"b(.?)\", \"[$1]\")",
    "hasLANG(A)",
    "isTRIPLE(A)",
];

const BINARY: [&str; 25] = [
    "A = B",
    "A != B",
    "A < B",
    "A <= B",
    "A > B",
    "A >= B",
    "A + B",
    "A - B",
    "A * B",
    "A / B",
    "A IN (B, 1)",
    "A NOT IN (B)",
    "sameTerm(A, B)",
    "CONCAT(A, B)",
    "CONTAINS(A, B)",
    "STRSTARTS(A, B)",
    "STRENDS(A, B)",
    "STRBEFORE(A, B)",
    "STRAFTER(A, B)",
    "STRLANG(A, B)",
    "STRDT(A, B)",
    "LANGMATCHES(LANG(A), B)",
    "A && B",
    "A || B",
    "IF(A, B, 3)",
];

fn is_moment(value: &str) -> bool {
    ["date", "time", "uration"].iter().any(|name| value.contains(name))
}

/// Returns whether Oxigraph, as it is built here, leaves out what is asked: SEP-0002 and the
/// calendar types are features of it.
fn is_left_out(template: &str, a: &str, b: &str) -> bool {
    let asks_order = template.contains(['<', '>']);
    let asks_spelling = template.starts_with("STR(") || template.starts_with("DATATYPE");
    let is_date_time = |value: &str| value.contains("dateTime");
    let is_boolean = |value: &str| matches!(value, "true" | "false");
    (asks_order && (a.contains("NaN") || b.contains("NaN") || is_boolean(a) && is_boolean(b)))
        || (asks_spelling && (a.contains('.') || a.contains("e0") || a.contains("e1") || a.contains("int")))
        || (is_moment(a) || is_moment(b)) && !(is_date_time(a) && (b.is_empty() || is_date_time(b)))
        // With and without a zone: nobody knows.
        || (is_date_time(a) && is_date_time(b) && has_zone(a) != has_zone(b))
        || (template.contains("A - B") && is_moment(a))
}

fn has_zone(value: &str) -> bool {
    value.contains('Z') || value.contains('+')
}

fn compare(failures: &mut Vec<String>, expression: &str) {
    let (mine, oracle) = (normal(ours(expression)), normal(theirs(expression)));
    if mine != oracle {
        let show = |term: Option<Term>| term.map_or("error".to_owned(), |term| term.to_string());
        failures.push(format!("{expression}: {} here, {} there", show(mine), show(oracle)));
    }
}

#[test]
fn functions_of_one_argument_agree_with_oxigraph() {
    let mut failures = Vec::new();
    for template in UNARY {
        for value in VALUES {
            if !is_left_out(template, value, "") {
                compare(&mut failures, &fill(template, value, ""));
            }
        }
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn functions_of_two_arguments_agree_with_oxigraph() {
    let mut failures = Vec::new();
    for template in BINARY {
        for a in VALUES {
            for b in VALUES {
                if !is_left_out(template, a, b) {
                    compare(&mut failures, &fill(template, a, b));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

/// Puts values where the template has the words A and B.
fn fill(template: &str, a: &str, b: &str) -> String {
    let characters: Vec<char> = template.chars().collect();
    let is_letter =
        |at: Option<usize>| at.and_then(|at| characters.get(at)).is_some_and(|c| c.is_alphabetic());
    let mut text = String::new();
    for (at, character) in characters.iter().enumerate() {
        let is_word = !is_letter(at.checked_sub(1)) && !is_letter(Some(at + 1));
        match character {
            'A' if is_word => text.push_str(a),
            'B' if is_word => text.push_str(b),
            other => text.push(*other),
        }
    }
    text
}

#[test]
fn the_specification_decides_where_engines_differ() {
    let check = |expression: &str, expected: &str| {
        let found = ours(expression).map_or("error".to_owned(), |term| term.to_string());
        assert_eq!(found, expected.replace("xsd:", "http://www.w3.org/2001/XMLSchema#"), "{expression}");
    };
    let boolean = |value: bool| format!("\"{value}\"^^<http://www.w3.org/2001/XMLSchema#boolean>");
    check("!\"abc\"^^xsd:integer", "error");
    check("isNUMERIC(\"300\"^^xsd:byte)", &boolean(false));
    check("\"NaN\"^^xsd:double < 1", &boolean(false));
    check("false < true", &boolean(true));
    check("STR(1.0)", "\"1.0\"");
    check("DATATYPE(\"3\"^^xsd:int)", "<xsd:int>");
    check("\"2024-02-29T12:30:15\"^^xsd:dateTime = \"2024-02-29T12:30:15Z\"^^xsd:dateTime", "error");
    check("\"2024-02-29T12:30:15\"^^xsd:dateTime < \"2025-02-28T12:30:15Z\"^^xsd:dateTime", &boolean(true));
    check("\"2024-01-01\"^^xsd:date < \"2024-01-02\"^^xsd:date", &boolean(true));
    check("\"P1Y\"^^xsd:yearMonthDuration = \"P12M\"^^xsd:yearMonthDuration", &boolean(true));
    check(
        "\"2024-01-31T00:00:00Z\"^^xsd:dateTime + \"P1M\"^^xsd:yearMonthDuration",
        "\"2024-02-29T00:00:00Z\"^^<xsd:dateTime>",
    );
    check("\"2024-03-01\"^^xsd:date - \"2024-02-28\"^^xsd:date", "\"P2D\"^^<xsd:dayTimeDuration>");
    check("xsd:date(\"2024-02-29T12:00:00Z\"^^xsd:dateTime)", "\"2024-02-29Z\"^^<xsd:date>");
    check("REPLACE(\"abc\", \"x*\", \"-\")", "error");
    check("REPLACE(\"darted\", \"^(.*?)d(.*)$\", \"$1c$2\")", "\"carted\"");
    check("LANG(STRLANGDIR(\"a\", \"ar\", \"rtl\"))", "\"ar\"");
    check("LANGDIR(STRLANGDIR(\"a\", \"ar\", \"rtl\"))", "\"rtl\"");
    check("OBJECT(TRIPLE(:a, :b, 5))", "\"5\"^^<xsd:integer>");
    check("TRIPLE(:a, :b, 1) = TRIPLE(:a, :b, 1.0)", &boolean(true));
    check("1 / 0", "error");
    check("COALESCE(1 / 0, 5)", "\"5\"^^<xsd:integer>");
    check("9223372036854775807 + 1", "error");
    check("1 / 4", "\"0.25\"^^<xsd:decimal>");
    check("IRI(\"http://e/x\")", "<http://e/x>");
}
