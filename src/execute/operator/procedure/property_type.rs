//! `PropertyType`: what a property's value is, under the names that two procedures have for it.

use crate::execute::Context;
use crate::execute::ExecuteError;
use crate::execute::expression::{Point, Temporal, values_of_ids};
use crate::model::{Term, TermId, TermKind, Value, xsd};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scalar {
    Boolean,
    Integer,
    Float,
    String,
    Date,
    Time,
    LocalTime,
    DateTime,
    LocalDateTime,
    Duration,
    Point,
    Bytes,
}

/// A scalar, or a list whose first item is one; of a list without, nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PropertyType {
    Scalar(Scalar),
    List(Option<Scalar>),
}

impl PropertyType {
    /// Returns the types of literals, in their order.
    pub fn of_ids(ids: &[TermId], context: &Context) -> Result<Vec<PropertyType>, ExecuteError> {
        let known = |id: &TermId| PropertyType::of_kind(id.kind());
        let unknown: Vec<TermId> = ids.iter().copied().filter(|id| known(id).is_none()).collect();
        let mut values = values_of_ids(&unknown, context)?.into_iter();
        let of = |id| known(id).unwrap_or_else(|| PropertyType::of(&values.next().unwrap_or(Value::Null)));
        Ok(ids.iter().map(of).collect())
    }

    /// Returns the type, if the kind of an id tells it.
    fn of_kind(kind: TermKind) -> Option<PropertyType> {
        Some(PropertyType::Scalar(match kind {
            TermKind::Boolean => Scalar::Boolean,
            TermKind::Integer => Scalar::Integer,
            TermKind::Decimal | TermKind::Double => Scalar::Float,
            TermKind::String | TermKind::LangString => Scalar::String,
            TermKind::Date => Scalar::Date,
            _ => return None,
        }))
    }

    fn of(value: &Value) -> PropertyType {
        match value {
            Value::List(items) => PropertyType::List(items.first().map(Scalar::of)),
            value => PropertyType::Scalar(Scalar::of(value)),
        }
    }

    /// Returns the type of several literals of one property, which read as a list.
    pub fn repeated(self) -> PropertyType {
        match self {
            PropertyType::Scalar(scalar) => PropertyType::List(Some(scalar)),
            list => list,
        }
    }

    pub fn is_list(self) -> bool {
        matches!(self, PropertyType::List(_))
    }

    /// The name that APOC has.
    pub fn apoc_name(self) -> &'static str {
        match self {
            PropertyType::List(_) => "LIST",
            PropertyType::Scalar(scalar) => match scalar {
                Scalar::Boolean => "BOOLEAN",
                Scalar::Integer => "INTEGER",
                Scalar::Float => "FLOAT",
                Scalar::String => "STRING",
                Scalar::Date => "DATE",
                Scalar::Time => "TIME",
                Scalar::LocalTime => "LOCAL_TIME",
                Scalar::DateTime => "DATE_TIME",
                Scalar::LocalDateTime => "LOCAL_DATE_TIME",
                Scalar::Duration => "DURATION",
                Scalar::Point => "POINT",
                Scalar::Bytes => "BYTE_ARRAY",
            },
        }
    }

    /// The name that Neo4j's own procedures have.
    pub fn neo4j_name(self) -> String {
        let name = |scalar| match scalar {
            Scalar::Boolean => "Boolean",
            Scalar::Integer => "Long",
            Scalar::Float => "Double",
            Scalar::String => "String",
            Scalar::Date => "Date",
            Scalar::Time => "Time",
            Scalar::LocalTime => "LocalTime",
            Scalar::DateTime => "DateTime",
            Scalar::LocalDateTime => "LocalDateTime",
            Scalar::Duration => "Duration",
            Scalar::Point => "Point",
            Scalar::Bytes => "ByteArray",
        };
        match self {
            PropertyType::Scalar(scalar) => name(scalar).to_owned(),
            PropertyType::List(Some(scalar)) => format!("{}Array", name(scalar)),
            PropertyType::List(None) => "StringArray".to_owned(),
        }
    }
}

impl Scalar {
    fn of(value: &Value) -> Scalar {
        match value {
            Value::Boolean(_) => Scalar::Boolean,
            Value::Integer(_) => Scalar::Integer,
            Value::Float(_) => Scalar::Float,
            Value::Duration(_) => Scalar::Duration,
            Value::Term(Term::Literal(literal)) => match Temporal::of_literal(literal) {
                Some(Temporal::Date(_)) => Scalar::Date,
                Some(Temporal::LocalTime(_)) => Scalar::LocalTime,
                Some(Temporal::Time { .. }) => Scalar::Time,
                Some(Temporal::LocalDateTime { .. }) => Scalar::LocalDateTime,
                Some(Temporal::DateTime { .. }) => Scalar::DateTime,
                Some(Temporal::Duration(_)) => Scalar::Duration,
                None if Point::of_literal(literal).is_some() => Scalar::Point,
                None if literal.datatype() == xsd::BASE_64_BINARY => Scalar::Bytes,
                None => Scalar::String,
            },
            _ => Scalar::String,
        }
    }
}
