//! The values of an operation's variables: defaults, coercion, and arguments with them filled in.
//!
//! # Source
//! GraphQL, October 2021, 6.1.2 (CoerceVariableValues) and 6.4.1 (CoerceArgumentValues).

use std::collections::BTreeMap;

use async_graphql::parser::types::{BaseType, Field, OperationDefinition, Type};
use async_graphql::{Name, Pos, Value as ConstValue, Variables};
use async_graphql_value::Value as ArgumentValue;

use super::Fault;
use crate::model::{Value, xsd};

/// The variables that have a value, null included.
pub(super) struct Arguments {
    values: BTreeMap<String, ConstValue>,
}

impl Arguments {
    /// Coerces what the request gives to what the operation declares.
    ///
    /// # Errors
    /// Where a required variable has no value, and where a value is not of its declared type.
    pub fn new(operation: &OperationDefinition, given: &Variables) -> Result<Arguments, Fault> {
        let mut values = BTreeMap::new();
        for definition in &operation.variable_definitions {
            let (name, ty) = (definition.node.name.node.as_str(), &definition.node.var_type.node);
            let fault = |message| Fault { position: definition.pos, message, code: "BAD_USER_INPUT" };
            let value = match (given.get(name), &definition.node.default_value) {
                (Some(value), _) => coerce(value, ty).map_err(|why| {
                    fault(format!("variable ${name} of type {ty} has a value that is not of it: {why}"))
                })?,
                (None, Some(default)) => default.node.clone(),
                (None, None) if ty.nullable => continue,
                (None, None) => {
                    return Err(fault(format!("variable ${name} of required type {ty} has no value")));
                }
            };
            values.insert(name.to_owned(), value);
        }
        Ok(Arguments { values })
    }

    /// Returns an argument of a field, with its place, or `None` if it is absent.
    pub fn get(&self, field: &Field, name: &str) -> Option<(ConstValue, Pos)> {
        let argument = field.get_argument(name)?;
        Some((self.resolve(&argument.node)?, argument.pos))
    }

    /// Returns a value with its variables filled in; `None` for a variable without a value.
    pub fn resolve(&self, value: &ArgumentValue) -> Option<ConstValue> {
        Some(match value {
            ArgumentValue::Variable(name) => self.values.get(name.as_str())?.clone(),
            ArgumentValue::Null => ConstValue::Null,
            ArgumentValue::Number(number) => ConstValue::Number(number.clone()),
            ArgumentValue::String(text) => ConstValue::String(text.clone()),
            ArgumentValue::Boolean(value) => ConstValue::Boolean(*value),
            ArgumentValue::Binary(bytes) => ConstValue::Binary(bytes.clone()),
            ArgumentValue::Enum(name) => ConstValue::Enum(name.clone()),
            ArgumentValue::List(items) => {
                ConstValue::List(items.iter().map(|item| self.resolve(item).unwrap_or_default()).collect())
            }
            ArgumentValue::Object(entries) => ConstValue::Object(
                entries.iter().filter_map(|(key, value)| Some((key.clone(), self.resolve(value)?))).collect(),
            ),
        })
    }
}

/// Coerces by the list, null and built-in scalar rules; inputs of other types are checked where
/// they are read.
fn coerce(value: &ConstValue, ty: &Type) -> Result<ConstValue, String> {
    if *value == ConstValue::Null {
        return if ty.nullable { Ok(ConstValue::Null) } else { Err("it is null".to_owned()) };
    }
    match (&ty.base, value) {
        (BaseType::List(item), ConstValue::List(items)) => {
            items.iter().map(|value| coerce(value, item)).collect::<Result<_, _>>().map(ConstValue::List)
        }
        (BaseType::List(item), one) => Ok(ConstValue::List(vec![coerce(one, item)?])),
        (BaseType::Named(name), value) => coerce_scalar(value, name),
    }
}

fn coerce_scalar(value: &ConstValue, name: &Name) -> Result<ConstValue, String> {
    let fits = match (name.as_str(), value) {
        ("Int", ConstValue::Number(number)) => {
            return match whole(number) {
                Some(whole) => Ok(ConstValue::Number(whole.into())),
                None => Err(format!("{value} is no 32-bit integer")),
            };
        }
        ("ID", ConstValue::Number(number)) if number.is_i64() => {
            return Ok(ConstValue::String(number.to_string()));
        }
        ("Float", ConstValue::Number(_))
        | ("String" | "ID", ConstValue::String(_))
        | ("Boolean", ConstValue::Boolean(_)) => true,
        ("Int" | "Float" | "String" | "ID" | "Boolean", _) => false,
        _ => true,
    };
    if fits { Ok(value.clone()) } else { Err(format!("{value} is no {name}")) }
}

fn whole(number: &serde_json::Number) -> Option<i32> {
    if let Some(whole) = number.as_i64() {
        return i32::try_from(whole).ok();
    }
    let float = number.as_f64()?;
    (float.fract() == 0.0 && float.abs() <= f64::from(i32::MAX)).then_some(float as i32)
}

/// Returns a request's parameter as a GraphQL value.
pub(super) fn from_value(value: &Value) -> ConstValue {
    match value {
        Value::Null => ConstValue::Null,
        Value::Boolean(value) => ConstValue::Boolean(*value),
        Value::Integer(value) => ConstValue::Number((*value).into()),
        Value::Float(value) => ConstValue::from(*value),
        Value::String(text) => ConstValue::String(text.clone()),
        Value::List(items) => ConstValue::List(items.iter().map(from_value).collect()),
        Value::Map(map) => {
            ConstValue::Object(map.iter().map(|(key, value)| (Name::new(key), from_value(value))).collect())
        }
        Value::Term(crate::model::Term::Literal(literal)) if literal.datatype() == xsd::INTEGER => {
            serde_json::from_str(literal.value())
                .map_or_else(|_| ConstValue::String(literal.value().to_owned()), ConstValue::Number)
        }
        Value::Term(crate::model::Term::Literal(literal)) => ConstValue::String(literal.value().to_owned()),
        Value::Term(crate::model::Term::NamedNode(node)) => ConstValue::String(node.as_str().to_owned()),
        Value::Term(term) => ConstValue::String(term.to_string()),
        Value::Node(node) => ConstValue::String(node.id.to_string()),
        Value::Duration(_) | Value::Relationship(_) | Value::Path(_) => ConstValue::Null,
    }
}

/// Returns a GraphQL value as a value of ours.
pub(super) fn to_value(value: &ConstValue) -> Value {
    match value {
        ConstValue::Null | ConstValue::Binary(_) => Value::Null,
        ConstValue::Boolean(value) => Value::Boolean(*value),
        ConstValue::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(value), _) => Value::Integer(value),
            (None, Some(value)) => Value::Float(value),
            (None, None) => Value::Null,
        },
        ConstValue::String(text) => Value::String(text.clone()),
        ConstValue::Enum(name) => Value::String(name.to_string()),
        ConstValue::List(items) => Value::List(items.iter().map(to_value).collect()),
        ConstValue::Object(entries) => {
            Value::Map(entries.iter().map(|(key, value)| (key.to_string(), to_value(value))).collect())
        }
    }
}
