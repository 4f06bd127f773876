//! `Parameter`: a value that a request brings, where a plan stands for whichever it is.

use std::hash::{Hash, Hasher};

use crate::model::Value;

/// A parameter of the text. Lowering knows its name; a plan that is to serve many requests has, besides, a
/// value of one of them, which tells of what kind the others are and what to estimate by.
///
/// Two of one plan are equal if their names are.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub name: String,
    /// `None` until [`super::LogicalPlan::sample`].
    pub sample: Option<Value>,
}

/// What values of a parameter have in common, so that one plan is right for all of them.
///
/// The optimizer may look at which of these a sample is, and at nothing else of it but to estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParameterKind {
    /// At most 2^24 from zero: every numeric type holds it exactly.
    SmallInteger,
    Integer,
    Float,
    String,
    List,
    Map,
}

impl ParameterKind {
    /// Returns the kind of a value; `None` if a plan must know more of it.
    pub fn of(value: &Value) -> Option<ParameterKind> {
        Some(match value {
            Value::Integer(value) if value.unsigned_abs() <= 1 << 24 => ParameterKind::SmallInteger,
            Value::Integer(_) => ParameterKind::Integer,
            Value::Float(_) => ParameterKind::Float,
            Value::String(_) => ParameterKind::String,
            Value::List(_) => ParameterKind::List,
            Value::Map(_) => ParameterKind::Map,
            _ => return None,
        })
    }
}

impl Parameter {
    pub fn new(name: impl Into<String>) -> Parameter {
        Parameter { name: name.into(), sample: None }
    }
}

impl PartialEq for Parameter {
    fn eq(&self, other: &Parameter) -> bool {
        self.name == other.name
    }
}

impl Eq for Parameter {}

impl Hash for Parameter {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}
