//! Expected results: tables, truths and graphs, in every format that the suites use.

use oxrdf::{Dataset, Graph, GraphName, NamedNodeRef, NamedOrBlankNode, Term, Triple};
use sparesults::{QueryResultsFormat, QueryResultsParser, SliceQueryResultsParserOutput};

use crate::files::{Suites, extension};

/// A table of terms.
pub struct Solutions {
    pub variables: Vec<String>,
    pub rows: Vec<Vec<Option<Term>>>,
    /// Whether the file numbers its rows.
    pub is_ordered: bool,
}

pub enum Expected {
    Solutions(Solutions),
    Boolean(bool),
    Graph(Dataset),
}

const RS: &str = "http://www.w3.org/2001/sw/DataAccess/tests/result-set#";

pub fn read(suites: &Suites, iri: &str) -> Result<Expected, String> {
    if let Some(format) = QueryResultsFormat::from_extension(extension(iri)) {
        return parse(&suites.bytes(iri)?, format);
    }
    let quads = suites.quads(iri, GraphName::DefaultGraph)?;
    let graph: Graph = quads.iter().cloned().map(Triple::from).collect();
    let kind = NamedNodeRef::new_unchecked("http://www.w3.org/2001/sw/DataAccess/tests/result-set#ResultSet");
    match graph.subject_for_predicate_object(oxrdf::vocab::rdf::TYPE, kind) {
        Some(set) => result_set(&graph, &set.into_owned()),
        None => Ok(Expected::Graph(quads.into_iter().collect())),
    }
}

pub fn parse(bytes: &[u8], format: QueryResultsFormat) -> Result<Expected, String> {
    let parser = QueryResultsParser::from_format(format);
    match parser.for_slice(bytes).map_err(|error| error.to_string())? {
        SliceQueryResultsParserOutput::Boolean(value) => Ok(Expected::Boolean(value)),
        SliceQueryResultsParserOutput::Solutions(solutions) => {
            let variables = solutions.variables().to_vec();
            let mut rows = Vec::new();
            for solution in solutions {
                let solution = solution.map_err(|error| error.to_string())?;
                rows.push(variables.iter().map(|variable| solution.get(variable).cloned()).collect());
            }
            let variables = variables.into_iter().map(|variable| variable.into_string()).collect();
            Ok(Expected::Solutions(Solutions { variables, rows, is_ordered: false }))
        }
    }
}

/// Reads a result set written as RDF (the DAWG's vocabulary).
fn result_set(graph: &Graph, set: &NamedOrBlankNode) -> Result<Expected, String> {
    let values = |subject: &NamedOrBlankNode, name: &str| -> Vec<Term> {
        let predicate = format!("{RS}{name}");
        let predicate = NamedNodeRef::new_unchecked(&predicate);
        graph.objects_for_subject_predicate(subject, predicate).map(|term| term.into_owned()).collect()
    };
    if let Some(Term::Literal(value)) = values(set, "boolean").pop() {
        return Ok(Expected::Boolean(matches!(value.value(), "true" | "1")));
    }
    let text = |term: &Term| match term {
        Term::Literal(literal) => literal.value().to_owned(),
        term => term.to_string(),
    };
    let variables: Vec<String> = values(set, "resultVariable").iter().map(text).collect();
    let mut rows = Vec::new();
    for solution in values(set, "solution") {
        let solution = as_subject(solution)?;
        let index = values(&solution, "index").pop().and_then(|index| text(&index).parse::<u64>().ok());
        let mut row = vec![None; variables.len()];
        for binding in values(&solution, "binding") {
            let binding = as_subject(binding)?;
            let name = values(&binding, "variable").pop().map(|name| text(&name));
            let column = name.and_then(|name| variables.iter().position(|known| *known == name));
            if let Some(cell) = column.and_then(|column| row.get_mut(column)) {
                *cell = values(&binding, "value").pop();
            }
        }
        rows.push((index, row));
    }
    let is_ordered = !rows.is_empty() && rows.iter().all(|(index, _)| index.is_some());
    rows.sort_by_key(|(index, _)| *index);
    let rows = rows.into_iter().map(|(_, row)| row).collect();
    Ok(Expected::Solutions(Solutions { variables, rows, is_ordered }))
}

fn as_subject(term: Term) -> Result<NamedOrBlankNode, String> {
    match term {
        Term::NamedNode(node) => Ok(node.into()),
        Term::BlankNode(node) => Ok(node.into()),
        term => Err(format!("{term} is no part of a result set")),
    }
}
