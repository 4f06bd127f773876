//! A drawing of a graph's schema: a virtual node for each label, and a virtual relationship for each type
//! between two labels.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::execute::{Context, ExecuteError};
use crate::model::{Map, NamedNode, NodeValue, RelationshipValue, Value, pg};

/// Draws a label.
pub fn node(label: &str, properties: &[(&str, Value)], context: &Context) -> Result<Value, ExecuteError> {
    let id = iri(&["label", label]);
    context.add_virtual(&id, &[label], properties)?;
    Ok(Value::Node(NodeValue { id: id.into(), labels: Vec::new(), properties: Map::new() }))
}

/// Draws a type between two labels.
pub fn relationship(
    name: &str,
    [start, end]: [&str; 2],
    properties: &[(&str, Value)],
    context: &Context,
) -> Result<Value, ExecuteError> {
    let id = iri(&["type", name, start, end]);
    context.add_virtual(&id, &[], properties)?;
    Ok(Value::Relationship(RelationshipValue {
        id: id.into(),
        start: iri(&["label", start]).into(),
        end: iri(&["label", end]).into(),
        predicate: context.vocabulary.iri(name),
        name: name.to_owned(),
        properties: Map::new(),
    }))
}

fn iri(parts: &[&str]) -> NamedNode {
    let parts: Vec<String> =
        parts.iter().map(|part| utf8_percent_encode(part, NON_ALPHANUMERIC).to_string()).collect();
    NamedNode::new_unchecked(format!("{}drawn/{}", pg::NAMESPACE, parts.join("/")))
}
