//! Conversions at the border: ids and data to and from [`Value`], and what may be stored.

use std::sync::Arc;

use super::column::{Depth, decode};
use super::datum::Datum;
use super::graph::hydrate;
use super::number::Number;
use super::temporal::Temporal;
use super::{argument_error, kind_name, list_literal, type_error};
use crate::execute::{Context, ExecuteError, Local};
use crate::model::{Literal, Quad, Term, TermId, Value, pg};

/// Returns ids as values: nodes and relationships with their labels and properties, looked up for
/// all ids together.
pub fn values_of_ids(ids: &[TermId], context: &Context) -> Result<Vec<Value>, ExecuteError> {
    hydrate(ids, context)
}

/// Returns the id of a value in the query.
pub fn id_of_value(value: &Value, context: &Context) -> Result<TermId, ExecuteError> {
    Ok(datum_of_value(value, context)?.to_id(context)?)
}

/// Returns a value as a datum. Nodes become their ids; what else a node holds is not looked at.
pub(super) fn datum_of_value(value: &Value, context: &Context) -> Result<Datum, ExecuteError> {
    Ok(match value {
        Value::Null => Datum::Undefined,
        Value::Boolean(value) => Datum::Boolean(*value),
        Value::Integer(value) => Datum::integer(*value),
        Value::Float(value) => Datum::double(*value),
        Value::String(text) => Datum::string(text.as_str()),
        Value::Duration(duration) => Temporal::Duration(*duration).to_datum(),
        Value::Term(term) => Datum::term(term.clone()),
        Value::List(items) => {
            Datum::list(items.iter().map(|item| datum_of_value(item, context)).collect::<Result<_, _>>()?)
        }
        Value::Map(entries) => {
            let entry = |(key, value): (&String, &Value)| {
                Ok((Arc::from(key.as_str()), datum_of_value(value, context)?))
            };
            Datum::map(entries.iter().map(entry).collect::<Result<_, ExecuteError>>()?)
        }
        Value::Node(node) => Datum::term(node.id.clone()),
        Value::Relationship(relationship) => {
            let id = |term: Term| context.values.id_of_term(&term, &*context.dataset);
            let quad = Quad {
                subject: id(relationship.start.clone().into())?,
                predicate: id(relationship.predicate.clone().into())?,
                object: id(relationship.end.clone().into())?,
                graph: TermId::UNDEFINED,
            };
            let own = relationship.id.clone().into();
            let edge = match context.dataset.term_id(&own)? {
                None => Some(id(own)?).filter(|id| context.virtuals.contains(*id)),
                edge => edge,
            };
            Datum::Id(context.values.intern(Local::Relationship { quad, edge }))
        }
        Value::Path(path) => {
            let nodes = path.nodes.iter().map(|node| id_of_value(&Value::Node(node.clone()), context));
            let relationships = path
                .relationships
                .iter()
                .map(|step| id_of_value(&Value::Relationship(step.clone()), context));
            let local = Local::Path {
                nodes: nodes.collect::<Result<_, _>>()?,
                relationships: relationships.collect::<Result<_, _>>()?,
            };
            Datum::Id(context.values.intern(local))
        }
    })
}

/// Returns a term as Cypher reads it: numbers, strings, booleans and durations as such, every other
/// term as it is.
pub(super) fn value_of_literal(datum: &Datum) -> Value {
    if let Some(number) = datum.as_number() {
        return match number {
            Number::Integer(value) => Value::Integer(value),
            other => Value::Float(other.to_f64()),
        };
    }
    if let Some(value) = datum.as_boolean() {
        return Value::Boolean(value);
    }
    if let Some(text) = datum.as_text() {
        return Value::String(text.to_owned());
    }
    match datum.to_temporal() {
        Some(Temporal::Duration(duration)) => Value::Duration(duration),
        _ => datum.to_term().map_or(Value::Null, Value::Term),
    }
}

/// Returns the names that a string is, or a list of strings; none of null.
///
/// # Errors
/// If one is no string, or empty; `what` is what the names are of.
pub fn names(id: TermId, what: &str, context: &Context) -> Result<Vec<String>, ExecuteError> {
    let name = |value: Value| match value {
        Value::String(text) if !text.is_empty() => Ok(text),
        _ => {
            let message = format!("{what} are strings that are not empty");
            Err(argument_error("InvalidArgumentValue", message))
        }
    };
    match values_of_ids(&[id], context)?.pop() {
        Some(Value::List(items)) => items.into_iter().map(name).collect(),
        Some(Value::Null) | None => Ok(Vec::new()),
        Some(value) => Ok(vec![name(value)?]),
    }
}

/// Returns a temporal literal as Cypher prints it, `None` for any other literal.
pub fn cypher_text(literal: &Literal) -> Option<String> {
    Temporal::of_literal(literal).map(|temporal| temporal.to_string())
}

/// Returns the literal that stores a property's value: a scalar as it is, a list as one list
/// literal; `None` for null.
///
/// # Errors
/// A type error for maps, entities and paths, and for lists that hold them.
pub fn storable_term(id: TermId, context: &Context) -> Result<Option<Term>, ExecuteError> {
    let mut data = [Datum::of_id(id)];
    decode(&mut data, Depth::Deep, context)?;
    let datum = &data[0];
    if datum.is_undefined() {
        return Ok(None);
    }
    let refused =
        || type_error("InvalidPropertyType", format!("a property cannot hold {}", kind_name(datum)));
    if let Some(items) = datum.as_list() {
        let is_plain = |item: &Datum| item.to_literal().is_some() || item.is_undefined();
        if !items.iter().all(is_plain) {
            return Err(type_error(
                "InvalidPropertyType",
                "a property cannot hold a list of maps, entities or lists",
            ));
        }
        return list_literal(items).map(|list| Some(list.into())).ok_or_else(refused);
    }
    datum.to_literal().map(|literal| Some(literal.into())).ok_or_else(refused)
}

/// Returns the literal that stores a list of literals.
pub fn list_of_literals(items: impl IntoIterator<Item = Literal>) -> Literal {
    let items: Vec<Datum> = items.into_iter().map(Datum::term).collect();
    list_literal(&items).expect("literals can stand in a list")
}

fn list_literal(items: &[Datum]) -> Option<Literal> {
    Some(Literal::new_typed_literal(list_literal::format(items)?, pg::LIST))
}
