//! The procedures that change data. They take and give ids: what they make is read again by the rows
//! that follow.

use super::schema_command;
use crate::execute::expression::{self, cypher_equal_ids};
use crate::execute::writer::Writer;
use crate::execute::{Context, ExecuteError, Local, RuntimeCode};
use crate::model::{TermId, TermKind, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WritingProcedure {
    AddLabels,
    MergeNode,
    MergeRelationship,
    SetNodeVectorProperty,
    CreateRule,
    DropRule,
}

/// Properties by name, null where a map says so.
type Entries = Vec<(String, TermId)>;

impl WritingProcedure {
    /// Returns a procedure by its name, in any case.
    pub fn of(name: &str) -> Option<WritingProcedure> {
        Some(match name.to_ascii_lowercase().as_str() {
            "apoc.create.addlabels" => WritingProcedure::AddLabels,
            "apoc.merge.node" => WritingProcedure::MergeNode,
            "apoc.merge.relationship" => WritingProcedure::MergeRelationship,
            "db.create.setnodevectorproperty" => WritingProcedure::SetNodeVectorProperty,
            "create rule" => WritingProcedure::CreateRule,
            "drop rule" => WritingProcedure::DropRule,
            _ => return None,
        })
    }

    /// Returns its one result field; `None` if it yields nothing and keeps its rows.
    pub fn field(self) -> Option<&'static str> {
        match self {
            WritingProcedure::AddLabels | WritingProcedure::MergeNode => Some("node"),
            WritingProcedure::MergeRelationship => Some("rel"),
            WritingProcedure::SetNodeVectorProperty
            | WritingProcedure::CreateRule
            | WritingProcedure::DropRule => None,
        }
    }

    /// Does its work for one row; returns what its field is in each row that comes of it.
    pub fn call(
        self,
        arguments: &[TermId],
        writer: &mut Writer,
        context: &Context,
    ) -> Result<Vec<TermId>, ExecuteError> {
        match (self, arguments) {
            (WritingProcedure::AddLabels, [nodes, labels]) => add_labels(*nodes, *labels, writer, context),
            (WritingProcedure::MergeNode, [labels, identity, on_create, on_match]) => {
                let labels = expression::names(*labels, "labels", context)?;
                let [identity, on_create, on_match] =
                    [identity, on_create, on_match].map(|map| entries(*map, context));
                merge_node(&labels, &identity?, &on_create?, &on_match?, writer, context)
            }
            (WritingProcedure::MergeRelationship, [start, name, identity, on_create, end, on_match]) => {
                let name = expression::names(*name, "a relationship type", context)?;
                let [name] = name.as_slice() else {
                    return Err(refuse("a relationship has one type, and it has a name"));
                };
                let [identity, on_create, on_match] =
                    [identity, on_create, on_match].map(|map| entries(*map, context));
                let ends = [*start, *end];
                merge_relationship(ends, name, &identity?, &on_create?, &on_match?, writer, context)
            }
            (WritingProcedure::SetNodeVectorProperty, [node, key, vector]) => {
                set_vector(*node, *key, *vector, writer, context)
            }
            (WritingProcedure::CreateRule, arguments) => {
                schema_command::create(arguments, writer, context)?;
                Ok(vec![TermId::UNDEFINED])
            }
            (WritingProcedure::DropRule, arguments) => {
                schema_command::drop(arguments, writer, context)?;
                Ok(vec![TermId::UNDEFINED])
            }
            _ => Err(ExecuteError::Plan("a procedure with other arguments than it takes".to_owned())),
        }
    }
}

/// Labels each of a list of nodes, or one.
fn add_labels(
    nodes: TermId,
    labels: TermId,
    writer: &mut Writer,
    context: &Context,
) -> Result<Vec<TermId>, ExecuteError> {
    let labels = expression::names(labels, "labels", context)?;
    let nodes = expression::elements(nodes, context)?;
    for node in &nodes {
        writer.set_labels(*node, &labels)?;
    }
    Ok(nodes)
}

fn merge_node(
    labels: &[String],
    identity: &Entries,
    on_create: &Entries,
    on_match: &Entries,
    writer: &mut Writer,
    context: &Context,
) -> Result<Vec<TermId>, ExecuteError> {
    if identity.is_empty() {
        return Err(refuse("a node to be merged needs a property to know it by"));
    }
    check_identity(identity)?;
    let mut found = Vec::new();
    for node in writer.candidates(labels, &plain_values(identity, writer)?)? {
        if writer.has_labels(node, labels)? && has_properties(node, identity, writer, context)? {
            found.push(node);
        }
    }
    if found.is_empty() {
        let properties = both(identity, on_create);
        return Ok(vec![writer.create_node(labels, &properties)?]);
    }
    for node in &found {
        writer.set_entity_properties(*node, on_match, false)?;
    }
    Ok(found)
}

fn merge_relationship(
    [start, end]: [TermId; 2],
    name: &str,
    identity: &Entries,
    on_create: &Entries,
    on_match: &Entries,
    writer: &mut Writer,
    context: &Context,
) -> Result<Vec<TermId>, ExecuteError> {
    check_identity(identity)?;
    let mut found = Vec::new();
    for (quad, edge) in writer.relationships(start, name, end)? {
        let is_same = match edge {
            Some(edge) => has_properties(edge, identity, writer, context)?,
            None => identity.is_empty(),
        };
        if is_same {
            found.push(context.values.intern(Local::Relationship { quad, edge }));
        }
    }
    if found.is_empty() {
        let properties = both(identity, on_create);
        return Ok(vec![writer.create_edge(start, name, end, &properties)?]);
    }
    for relationship in &found {
        writer.set_entity_properties(*relationship, on_match, false)?;
    }
    Ok(found)
}

/// Sets a property to a list of numbers.
fn set_vector(
    node: TermId,
    key: TermId,
    vector: TermId,
    writer: &mut Writer,
    context: &Context,
) -> Result<Vec<TermId>, ExecuteError> {
    let key = expression::names(key, "a property", context)?;
    let vector = expression::values_of_ids(&[vector], context)?.pop();
    let (Some(key), Some(Value::List(items))) = (key.first(), vector) else {
        return Err(refuse("a vector property has a name and a list of numbers"));
    };
    let float = |item: &Value| match item {
        Value::Float(value) => Some(Value::Float(*value)),
        Value::Integer(value) => Some(Value::Float(*value as f64)),
        _ => None,
    };
    let floats: Option<Vec<Value>> = items.iter().map(float).collect();
    let floats = floats.ok_or_else(|| refuse("a vector holds numbers only"))?;
    let value = expression::id_of_value(&Value::List(floats), context)?;
    writer.set_entity_property(node, key, value)?;
    Ok(vec![TermId::UNDEFINED])
}

/// Returns a map's entries; null is a map without any.
fn entries(id: TermId, context: &Context) -> Result<Entries, ExecuteError> {
    if id.is_undefined() {
        return Ok(Entries::new());
    }
    expression::map_entries(id, context)?.ok_or_else(|| refuse("properties are given as a map"))
}

/// Returns the properties of both maps; of equal keys the first one counts, and nulls do not.
fn both(first: &Entries, second: &Entries) -> Entries {
    let more = second.iter().filter(|(key, _)| !first.iter().any(|(known, _)| known == key));
    first.iter().chain(more).filter(|(_, value)| !value.is_undefined()).cloned().collect()
}

/// Refuses nulls among what is to be known by: nothing is equal to null.
fn check_identity(identity: &Entries) -> Result<(), ExecuteError> {
    match identity.iter().find(|(_, value)| value.is_undefined()) {
        None => Ok(()),
        Some((key, _)) => {
            let message = format!("nothing can be merged by the property '{key}', which is null");
            Err(ExecuteError::runtime(RuntimeCode::SemanticError, "MergeReadOwnWrites", message))
        }
    }
}

/// Returns the properties whose equality is that of terms, as they are stored: plain strings and booleans.
fn plain_values(identity: &Entries, writer: &Writer) -> Result<Entries, ExecuteError> {
    let mut plain = Entries::new();
    for (key, value) in identity {
        let stored = writer.storable(*value)?;
        if matches!(stored.kind(), TermKind::String | TermKind::Boolean) {
            plain.push((key.clone(), stored));
        }
    }
    Ok(plain)
}

/// Returns whether the properties of a subject are equal to these.
fn has_properties(
    subject: TermId,
    wanted: &Entries,
    writer: &Writer,
    context: &Context,
) -> Result<bool, ExecuteError> {
    for (key, value) in wanted {
        match writer.literals(subject, key)?.as_slice() {
            [own] if cypher_equal_ids(*own, *value, context)? == Some(true) => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

fn refuse(message: impl Into<String>) -> ExecuteError {
    ExecuteError::runtime(RuntimeCode::ArgumentError, "InvalidArgumentValue", message)
}
