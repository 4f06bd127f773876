//! The property graph that Cypher shows of a dataset, and the one that SPARQL shows of it: they are one.
//!
//! The reading through SPARQL follows `docs/property_graph.md` alone. It asks for every quad by what the page
//! says that it is, and for how many there are, so that none stays unread.

use std::collections::BTreeMap;
use std::str::FromStr;

use oxrdf::{Literal, Term};
use reefloom::model::{Value, Vocabulary, pg, xsd};

use super::notation;

/// What a graph holds, each thing under its element id.
#[derive(Debug, Default, PartialEq)]
pub struct PropertyGraph {
    nodes: BTreeMap<String, Node>,
    relationships: BTreeMap<String, Relationship>,
}

#[derive(Debug, Default, PartialEq)]
struct Node {
    /// Sorted.
    labels: Vec<String>,
    properties: Properties,
}

#[derive(Debug, PartialEq)]
struct Relationship {
    start: String,
    kind: String,
    end: String,
    properties: Properties,
}

/// Values as text that tells their types apart.
type Properties = BTreeMap<String, String>;

/// Answers a question in Cypher with rows of values.
pub type AskCypher<'a> = &'a dyn Fn(&str) -> Result<Vec<Vec<Value>>, String>;
/// Answers a question in SPARQL with rows of terms, all bound.
pub type AskSparql<'a> = &'a dyn Fn(&str) -> Result<Vec<Vec<Term>>, String>;

/// Checks that both languages show one graph.
pub fn check(cypher: AskCypher, sparql: AskSparql) -> Result<(), String> {
    let (by_cypher, by_sparql) = (PropertyGraph::by_cypher(cypher)?, PropertyGraph::by_sparql(sparql)?);
    match by_cypher == by_sparql {
        true => Ok(()),
        false => Err(format!("two graphs\nby Cypher {by_cypher:?}\nby SPARQL {by_sparql:?}")),
    }
}

impl PropertyGraph {
    fn by_cypher(ask: AskCypher) -> Result<PropertyGraph, String> {
        let mut graph = PropertyGraph::default();
        for row in ask("MATCH (n) RETURN elementId(n), labels(n), properties(n)")? {
            let [Value::String(id), Value::List(labels), Value::Map(map)] = row.as_slice() else {
                return Err(format!("no node: {row:?}"));
            };
            let mut labels = labels.iter().map(text_of_value).collect::<Result<Vec<_>, _>>()?;
            labels.sort();
            let node = Node { labels, properties: properties_of_map(map)? };
            once(&mut graph.nodes, id, node)?;
        }
        let question =
            "MATCH (a)-[r]->(b) RETURN elementId(r), elementId(a), type(r), elementId(b), properties(r)";
        for row in ask(question)? {
            let [Value::String(id), ends_and_type @ .., Value::Map(map)] = row.as_slice() else {
                return Err(format!("no relationship: {row:?}"));
            };
            let texts = ends_and_type.iter().map(text_of_value).collect::<Result<Vec<_>, _>>()?;
            let [start, kind, end] = texts.try_into().map_err(|texts| format!("not three: {texts:?}"))?;
            let relationship = Relationship { start, kind, end, properties: properties_of_map(map)? };
            once(&mut graph.relationships, id, relationship)?;
        }
        Ok(graph)
    }

    fn by_sparql(ask: AskSparql) -> Result<PropertyGraph, String> {
        let vocabulary = Vocabulary::default();
        let name = |term: &Term| match term {
            Term::NamedNode(iri) => Ok(vocabulary.name(iri.as_str())),
            other => Err(format!("{other} is no name")),
        };
        let ask = |pattern: &str| ask(&format!("{PREFIXES}{pattern}"));
        let mut graph = PropertyGraph::default();
        let mut read = 0;
        for row in ask(NODES)? {
            once(&mut graph.nodes, &id_of(&row[0])?, Node::default())?;
        }
        let no_node = |row: &[Term]| format!("{} is no node", row[0]);
        for row in ask(LABELS)? {
            let node = graph.nodes.get_mut(&id_of(&row[0])?).ok_or_else(|| no_node(&row))?;
            read += 1;
            if row[1] != pg::NODE.into() {
                node.labels.push(name(&row[1])?);
                node.labels.sort();
            }
        }
        for row in ask(RELATIONSHIPS)? {
            let parts = [&row[0], &row[1], &row[2]];
            let id = vocabulary.relationship_iri(None, parts);
            once(&mut graph.relationships, id.as_str(), relationship(parts, &name)?)?;
            read += 1;
        }
        for row in ask(REIFIERS)? {
            once(
                &mut graph.relationships,
                &id_of(&row[0])?,
                relationship([&row[1], &row[2], &row[3]], &name)?,
            )?;
            read += 1;
        }
        read += ask(REIFIED)?.len();
        for row in ask(PROPERTIES)? {
            let id = id_of(&row[0])?;
            let properties = match (graph.nodes.get_mut(&id), graph.relationships.get_mut(&id)) {
                (Some(node), None) => &mut node.properties,
                (None, Some(relationship)) => &mut relationship.properties,
                _ => return Err(format!("{id} is not one thing that has properties")),
            };
            once(properties, &name(&row[1])?, text_of_literal(&row[2])?)?;
            read += 1;
        }
        match ask(QUADS)?.len() {
            all if all == read => Ok(graph),
            all => Err(format!("{all} quads, and {read} of them mean something")),
        }
    }
}

const PREFIXES: &str = "PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> ";

/// What is said of, unless it is a reifier, and the ends of relationships.
const NODES: &str = "SELECT DISTINCT ?n {
    { ?n ?p ?o FILTER NOT EXISTS { ?n rdf:reifies ?t } }
    UNION { ?s ?p ?n FILTER(?p != rdf:type && (isIRI(?n) || isBlank(?n))) }
}";
const LABELS: &str = "SELECT ?n ?l { ?n rdf:type ?l }";
/// Those that are their triple alone.
const RELATIONSHIPS: &str = "SELECT ?s ?p ?o {
    ?s ?p ?o FILTER(?p != rdf:type && (isIRI(?o) || isBlank(?o)))
    FILTER NOT EXISTS { ?r rdf:reifies <<( ?s ?p ?o )>> }
}";
const REIFIERS: &str =
    "SELECT ?r ?s ?p ?o { ?r rdf:reifies <<( ?s ?p ?o )>> . ?s ?p ?o FILTER(!isLiteral(?o)) }";
/// The triples of relationships that have reifiers, each once.
const REIFIED: &str =
    "SELECT DISTINCT ?s ?p ?o { ?r rdf:reifies <<( ?s ?p ?o )>> . ?s ?p ?o FILTER(!isLiteral(?o)) }";
const PROPERTIES: &str = "SELECT ?n ?k ?v { ?n ?k ?v FILTER(isLiteral(?v)) }";
const QUADS: &str = "SELECT ?s ?p ?o { ?s ?p ?o }";

fn relationship(
    [start, kind, end]: [&Term; 3],
    name: &dyn Fn(&Term) -> Result<String, String>,
) -> Result<Relationship, String> {
    let properties = Properties::default();
    Ok(Relationship { start: id_of(start)?, kind: name(kind)?, end: id_of(end)?, properties })
}

fn once<T>(things: &mut BTreeMap<String, T>, key: &str, thing: T) -> Result<(), String> {
    match things.insert(key.to_owned(), thing) {
        None => Ok(()),
        Some(_) => Err(format!("{key} is there twice")),
    }
}

fn id_of(term: &Term) -> Result<String, String> {
    match term {
        Term::NamedNode(iri) => Ok(iri.as_str().to_owned()),
        Term::BlankNode(_) => Ok(term.to_string()),
        other => Err(format!("{other} is no node")),
    }
}

fn text_of_value(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        other => Err(format!("no text: {other:?}")),
    }
}

fn properties_of_map(map: &BTreeMap<String, Value>) -> Result<Properties, String> {
    map.iter().map(|(key, value)| Ok((key.clone(), show_value(value)?))).collect()
}

fn show_value(value: &Value) -> Result<String, String> {
    Ok(match value {
        Value::Null => "null".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
        Value::String(text) => format!("{text:?}"),
        Value::Duration(_) => {
            let notation::Notation::String(text) = notation::of_value(value) else { unreachable!() };
            Literal::new_typed_literal(text, pg::DURATION).to_string()
        }
        Value::Term(literal @ Term::Literal(_)) => literal.to_string(),
        Value::List(items) => {
            let items = items.iter().map(show_value).collect::<Result<Vec<_>, _>>()?;
            format!("[{}]", items.join(", "))
        }
        other => return Err(format!("no property: {other:?}")),
    })
}

fn text_of_literal(term: &Term) -> Result<String, String> {
    match term {
        Term::Literal(literal) if literal.datatype() == pg::LIST => show_list(literal.value()),
        Term::Literal(literal) => show_literal(literal),
        other => Err(format!("{other} is no literal")),
    }
}

fn show_literal(literal: &Literal) -> Result<String, String> {
    let text = literal.value();
    let wrong = |_| format!("{literal} is not what its datatype says");
    Ok(match literal.datatype() {
        xsd::STRING => format!("{text:?}"),
        xsd::BOOLEAN => text.to_owned(),
        xsd::INTEGER => text.parse::<i64>().map_err(|error| wrong(error.to_string()))?.to_string(),
        xsd::DOUBLE => show_double(text).map_err(|error| wrong(error.to_string()))?,
        _ => literal.to_string(),
    })
}

fn show_double(text: &str) -> Result<String, std::num::ParseFloatError> {
    text.replace("INF", "inf").parse::<f64>().map(|value| format!("{value:?}"))
}

/// Shows a stored list: bare numbers, booleans and nulls, and other literals as N-Triples has them.
fn show_list(text: &str) -> Result<String, String> {
    let wrong = || format!("{text} is no list");
    let mut rest = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).ok_or_else(wrong)?;
    let mut items = Vec::new();
    while !rest.is_empty() {
        let length = item_length(rest);
        let (item, after) = rest.split_at(length);
        items.push(match item {
            "null" | "true" | "false" => item.to_owned(),
            _ if item.starts_with('"') => show_literal(&Literal::from_str(item).map_err(|_| wrong())?)?,
            _ if item.contains('E') => show_double(item).map_err(|_| wrong())?,
            _ => item.parse::<i64>().map_err(|_| wrong())?.to_string(),
        });
        rest = after.strip_prefix(", ").unwrap_or(after);
    }
    Ok(format!("[{}]", items.join(", ")))
}

/// Returns the length of the first item: to the comma that no string holds.
fn item_length(text: &str) -> usize {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b',' if !is_quoted => return at,
            b'"' if !is_escaped => is_quoted = !is_quoted,
            _ => {}
        }
        is_escaped = byte == b'\\' && !is_escaped;
    }
    text.len()
}

#[test]
fn lists_are_read() {
    for (text, expected) in [
        ("[]", "[]"),
        ("[1, null, true, 1.5E0]", "[1, null, true, 1.5]"),
        (r#"["a, \"b", "\\", "P1D"^^<urn:d>]"#, r#"["a, \"b", "\\", "P1D"^^<urn:d>]"#),
    ] {
        assert_eq!(show_list(text), Ok(expected.to_owned()));
    }
    assert!(show_list("[x]").is_err());
}
