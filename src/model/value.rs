//! `Value`: what crosses the border of a query: parameters in, results out.
//!
//! Inside a query a value is a `TermId`; this is its readable form, RDF terms and property-graph
//! values together.

use std::collections::BTreeMap;

use super::TermId;
use super::term::{Literal, NamedNode, NamedOrBlankNode, Term};

/// A map value; its keys are sorted, so equal maps are equal byte for byte.
pub type Map = BTreeMap<String, Value>;

/// A value of any of the three languages.
///
/// A literal whose datatype Cypher knows may be either a typed variant or a [`Value::Term`]; the
/// term form keeps the exact lexical form.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    String(String),
    /// Months, days, seconds and nanoseconds (`pg:duration`).
    Duration(Duration),
    /// An IRI, a blank node, a triple term, or a literal kept in its exact lexical form.
    Term(Term),
    List(Vec<Value>),
    Map(Map),
    Node(NodeValue),
    Relationship(RelationshipValue),
    Path(PathValue),
}

impl Value {
    /// Returns the term of a value that is one term, whatever reads it.
    pub fn to_term(&self) -> Option<Term> {
        match self {
            Value::Term(term) => Some(term.clone()),
            Value::String(text) => Some(Literal::new_simple_literal(text).into()),
            Value::Integer(number) => Some(Literal::from(*number).into()),
            Value::Boolean(truth) => Some(TermId::from_bool(*truth).to_literal()?.into()),
            _ => None,
        }
    }

    /// Returns JSON as a value: integers that fit i64 as such, other numbers as floats.
    pub fn from_json(json: serde_json::Value) -> Value {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Boolean(value),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(value) => Value::Integer(value),
                None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            serde_json::Value::String(text) => Value::String(text),
            serde_json::Value::Array(items) => Value::List(items.into_iter().map(Value::from_json).collect()),
            serde_json::Value::Object(object) => {
                Value::Map(object.into_iter().map(|(key, json)| (key, Value::from_json(json))).collect())
            }
        }
    }
}

/// A Cypher duration; its parts are kept apart since months and days have no fixed length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Duration {
    pub months: i64,
    pub days: i64,
    pub seconds: i64,
    /// Below 10^9 in magnitude, of the sign of `seconds` or zero.
    pub nanoseconds: i32,
}

/// A node as Cypher and its drivers show it.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeValue {
    pub id: NamedOrBlankNode,
    /// Label names in the workspace's vocabulary, sorted.
    pub labels: Vec<String>,
    pub properties: Map,
}

/// A relationship as Cypher and its drivers show it.
#[derive(Clone, Debug, PartialEq)]
pub struct RelationshipValue {
    /// The reifier, or the id derived from the quad where there is none (see `property_graph`).
    pub id: NamedOrBlankNode,
    pub start: NamedOrBlankNode,
    pub end: NamedOrBlankNode,
    pub predicate: NamedNode,
    /// The relationship type's name in the workspace's vocabulary.
    pub name: String,
    pub properties: Map,
}

/// An alternating walk: `nodes` is one longer than `relationships`.
#[derive(Clone, Debug, PartialEq)]
pub struct PathValue {
    pub nodes: Vec<NodeValue>,
    pub relationships: Vec<RelationshipValue>,
}
