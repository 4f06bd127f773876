//! Answers of all languages as tables of text, so that they compare.

use oxrdf::{Term, TermRef};
use reefloom::engine::{Answer, AnswerFormat, Language, Response};
use reefloom::model::Value;

/// Rows of cells; numbers in one form, IRIs and strings as their text, absence as "".
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// Returns what only one of two tables has.
    pub fn difference(&self, expected: &Table) -> String {
        let only = |rows: &[Vec<String>], others: &[Vec<String>]| {
            rows.iter()
                .filter(|row| !others.contains(row))
                .take(5)
                .map(|row| row.join(" | "))
                .collect::<Vec<_>>()
        };
        format!(
            "{} rows, expected {}\n  unexpected: {:?}\n  missing: {:?}",
            self.rows.len(),
            expected.rows.len(),
            only(&self.rows, &expected.rows),
            only(&expected.rows, &self.rows)
        )
    }
}

pub fn table(response: Response) -> Table {
    if let Answer::GraphQl { .. } = &response.answer {
        let mut bytes = Vec::new();
        response.write(AnswerFormat::Json, &mut bytes).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert!(json.get("errors").is_none(), "{json}");
        let data = json["data"].as_object().unwrap();
        assert_eq!(data.len(), 1, "one root field");
        return Table { rows: data.values().flat_map(rows_of_json).collect() };
    }
    let language = response.language;
    let Answer::Rows(mut rows) = response.answer else { panic!("no rows") };
    let mut table = Table { rows: Vec::new() };
    if language == Language::SparqlQuery {
        while let Some(terms) = rows.next_terms().unwrap() {
            table
                .rows
                .extend(terms.iter().map(|row| row.iter().map(|term| cell_of_term(term.as_ref())).collect()));
        }
        return table;
    }
    while let Some(values) = rows.next_values().unwrap() {
        table.rows.extend(values.iter().map(|row| row.iter().map(cell_of_value).collect()));
    }
    table
}

/// Flattens nested data: a list is its items one below the other, an object is its fields side by
/// side, each combination of nested items a row.
fn rows_of_json(json: &serde_json::Value) -> Vec<Vec<String>> {
    match json {
        serde_json::Value::Array(items) => items.iter().flat_map(rows_of_json).collect(),
        serde_json::Value::Object(fields) => fields.values().fold(vec![vec![]], |rows, field| {
            let parts = rows_of_json(field);
            rows.iter()
                .flat_map(|row| parts.iter().map(|part| [row.clone(), part.clone()].concat()))
                .collect()
        }),
        serde_json::Value::Null => vec![vec![String::new()]],
        serde_json::Value::String(text) => vec![vec![number(text).unwrap_or_else(|| text.clone())]],
        other => vec![vec![number(&other.to_string()).unwrap_or_else(|| other.to_string())]],
    }
}

fn cell_of_value(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => number(&value.to_string()).unwrap(),
        Value::Float(value) => number(&value.to_string()).unwrap(),
        Value::String(text) => number(text).unwrap_or_else(|| text.clone()),
        Value::Term(term) => cell_of_term(Some(term)),
        other => panic!("no cell: {other:?}"),
    }
}

pub fn cell_of_term<'a>(term: Option<impl Into<TermRef<'a>>>) -> String {
    match term.map(|term| Term::from(term.into())) {
        None => String::new(),
        Some(Term::Literal(literal)) => number(literal.value()).unwrap_or_else(|| literal.value().to_owned()),
        Some(Term::NamedNode(iri)) => iri.into_string(),
        Some(other) => other.to_string(),
    }
}

fn number(text: &str) -> Option<String> {
    let looks_so = text.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    let value: f64 = text.parse().ok().filter(|_| looks_so)?;
    Some(value.to_string())
}
