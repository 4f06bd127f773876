//! Values of the Query API: plain JSON, and JSON that names the type of each value.
//!
//! # Source
//! The Query API's manual, "Plain JSON" and "Typed JSON".

use data_encoding::BASE64;
use serde_json::{Map as Object, Value as Json, json};

use crate::execute::expression::{Point, Temporal, cypher_text};
use crate::model::{
    Duration, Literal, Map, NodeValue, PathValue, RelationshipValue, Term, Value, element_id, pg, xsd,
};

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Plain,
    /// `{"$type": ..., "_value": ...}`
    Typed,
}

impl Form {
    pub fn write(self, value: &Value) -> Json {
        match value {
            Value::Null => self.value("Null", Json::Null),
            Value::Boolean(value) => self.value("Boolean", Json::Bool(*value)),
            Value::Integer(value) => match self {
                Form::Plain => (*value).into(),
                Form::Typed => self.value("Integer", value.to_string().into()),
            },
            Value::Float(value) => self.float(*value),
            Value::String(text) => self.value("String", text.as_str().into()),
            Value::Duration(duration) => self.duration(duration),
            Value::Term(Term::Literal(literal)) => self.literal(literal),
            Value::Term(Term::NamedNode(node)) => self.value("String", node.as_str().into()),
            Value::Term(term) => self.value("String", term.to_string().into()),
            Value::List(items) => self.value("List", items.iter().map(|item| self.write(item)).collect()),
            Value::Map(map) => self.value("Map", self.entries(map)),
            Value::Node(node) => self.node(node),
            Value::Relationship(relationship) => self.relationship(relationship),
            Value::Path(path) => self.path(path),
        }
    }

    fn value(self, kind: &str, value: Json) -> Json {
        match self {
            Form::Plain => value,
            Form::Typed => json!({ "$type": kind, "_value": value }),
        }
    }

    fn entries(self, map: &Map) -> Json {
        map.iter().map(|(key, value)| (key.clone(), self.write(value))).collect::<Object<_, _>>().into()
    }

    /// JSON has no infinities, and no number that is none.
    fn float(self, value: f64) -> Json {
        let text = || match value {
            value if value.is_nan() => "NaN".to_owned(),
            f64::INFINITY => "Infinity".to_owned(),
            f64::NEG_INFINITY => "-Infinity".to_owned(),
            value => format!("{value:?}"),
        };
        match self {
            Form::Plain => serde_json::Number::from_f64(value).map_or_else(|| text().into(), Json::Number),
            Form::Typed => self.value("Float", text().into()),
        }
    }

    fn duration(self, duration: &Duration) -> Json {
        self.value("Duration", Temporal::Duration(*duration).to_string().into())
    }

    fn literal(self, literal: &Literal) -> Json {
        if let Some(temporal) = Temporal::of_literal(literal) {
            let kind = match temporal {
                Temporal::Date(_) => "Date",
                Temporal::LocalTime(_) => "LocalTime",
                Temporal::Time { .. } => "Time",
                Temporal::LocalDateTime { .. } => "LocalDateTime",
                Temporal::DateTime { zone: Some(_), .. } => "ZonedDateTime",
                Temporal::DateTime { zone: None, .. } => "OffsetDateTime",
                Temporal::Duration(_) => "Duration",
            };
            return self.value(kind, cypher_text(literal).unwrap_or_default().into());
        }
        if let Some(point) = Point::of_literal(literal) {
            return self.value("Point", point_text(&point).into());
        }
        let is_bytes = literal.datatype() == xsd::BASE_64_BINARY;
        self.value(if is_bytes { "Base64" } else { "String" }, literal.value().into())
    }

    fn node(self, node: &NodeValue) -> Json {
        let (id, properties) = (element_id(&node.id), self.entries(&node.properties));
        match self {
            Form::Plain => json!({ "elementId": id, "labels": node.labels, "properties": properties }),
            Form::Typed => {
                let node = json!({ "_element_id": id, "_labels": node.labels, "_properties": properties });
                self.value("Node", node)
            }
        }
    }

    fn relationship(self, relationship: &RelationshipValue) -> Json {
        let [id, start, end] = [&relationship.id, &relationship.start, &relationship.end].map(element_id);
        let (kind, properties) = (&relationship.name, self.entries(&relationship.properties));
        match self {
            Form::Plain => json!({
                "elementId": id,
                "startNodeElementId": start,
                "endNodeElementId": end,
                "type": kind,
                "properties": properties,
            }),
            Form::Typed => self.value(
                "Relationship",
                json!({
                    "_element_id": id,
                    "_start_node_element_id": start,
                    "_end_node_element_id": end,
                    "_type": kind,
                    "_properties": properties,
                }),
            ),
        }
    }

    /// Nodes and relationships in turns.
    fn path(self, path: &PathValue) -> Json {
        let mut parts = Vec::new();
        for (at, node) in path.nodes.iter().enumerate() {
            parts.push(self.node(node));
            parts.extend(path.relationships.get(at).map(|relationship| self.relationship(relationship)));
        }
        self.value("Path", parts.into())
    }
}

fn point_text(point: &Point) -> String {
    match point.z {
        None => format!("SRID={};POINT ({:?} {:?})", point.srid, point.x, point.y),
        Some(z) => format!("SRID={};POINT Z ({:?} {:?} {z:?})", point.srid, point.x, point.y),
    }
}

/// Reads a typed value.
///
/// # Errors
/// What is wrong with it.
pub fn read_typed(json: Json) -> Result<Value, String> {
    let Json::Object(mut object) = json else {
        return Err(format!("a typed value is an object with $type and _value, not {json}"));
    };
    let (Some(Json::String(kind)), Some(value)) = (object.remove("$type"), object.remove("_value")) else {
        return Err("a typed value is an object with $type and _value".to_owned());
    };
    let no = |value: &Json| format!("{value} is no {kind}");
    match (kind.as_str(), value) {
        ("Null", Json::Null) => Ok(Value::Null),
        ("Boolean", Json::Bool(value)) => Ok(Value::Boolean(value)),
        ("List", Json::Array(items)) => {
            Ok(Value::List(items.into_iter().map(read_typed).collect::<Result<_, _>>()?))
        }
        ("Map", Json::Object(entries)) => {
            let entries = entries.into_iter().map(|(key, value)| Ok((key, read_typed(value)?)));
            Ok(Value::Map(entries.collect::<Result<_, String>>()?))
        }
        (_, Json::String(text)) => read_text(&kind, &text).ok_or_else(|| no(&text.into())),
        (_, value) => Err(no(&value)),
    }
}

/// Reads a value whose form is a string.
fn read_text(kind: &str, text: &str) -> Option<Value> {
    let datatype = match kind {
        "String" => return Some(Value::String(text.to_owned())),
        "Integer" => return text.parse().ok().map(Value::Integer),
        "Float" => {
            let value = match text {
                "Infinity" => f64::INFINITY,
                "-Infinity" => f64::NEG_INFINITY,
                text => text.parse().ok()?,
            };
            return Some(Value::Float(value));
        }
        "Base64" => {
            let bytes = BASE64.decode(text.as_bytes()).ok()?;
            let literal = Literal::new_typed_literal(BASE64.encode(&bytes), xsd::BASE_64_BINARY);
            return Some(Value::Term(literal.into()));
        }
        "Point" => return read_point(text),
        "Date" => xsd::DATE,
        "Time" | "LocalTime" => xsd::TIME,
        "OffsetDateTime" | "LocalDateTime" => xsd::DATE_TIME,
        "ZonedDateTime" => pg::DATE_TIME,
        "Duration" => pg::DURATION,
        _ => return None,
    };
    let temporal = Temporal::of_literal(&Literal::new_typed_literal(text, datatype))?;
    let is_such = match &temporal {
        Temporal::Date(_) => kind == "Date",
        Temporal::LocalTime(_) => kind == "LocalTime",
        Temporal::Time { .. } => kind == "Time",
        Temporal::LocalDateTime { .. } => kind == "LocalDateTime",
        Temporal::DateTime { zone, .. } => (kind == "ZonedDateTime") == zone.is_some(),
        Temporal::Duration(duration) => return Some(Value::Duration(*duration)),
    };
    is_such.then(|| Value::Term(temporal.to_literal().into()))
}

fn read_point(text: &str) -> Option<Value> {
    let (srid, rest) = text.strip_prefix("SRID=")?.split_once(';')?;
    let rest = rest.trim().strip_prefix("POINT")?.trim_start();
    let rest = rest.strip_prefix('Z').unwrap_or(rest).trim_start();
    let parts = rest.strip_prefix('(')?.strip_suffix(')')?.split_ascii_whitespace();
    let parts: Vec<f64> = parts.map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let (x, y, z) = match parts.as_slice() {
        [x, y] => (*x, *y, None),
        [x, y, z] => (*x, *y, Some(*z)),
        _ => return None,
    };
    let literal = Point { srid: srid.trim().parse().ok()?, x, y, z }.to_literal()?;
    Some(Value::Term(literal.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_values_come_and_go() {
        for (kind, text) in [
            ("String", "x"),
            ("Integer", "-9007199254740993"),
            ("Float", "4.5"),
            ("Float", "-Infinity"),
            ("Base64", "AP8="),
            ("Date", "2015-03-26"),
            ("Time", "12:50:35.556+01:00"),
            ("LocalTime", "12:50:35.556"),
            ("OffsetDateTime", "2015-11-21T21:40:32.142+01:00"),
            ("ZonedDateTime", "2015-11-21T21:40:32.142+01:00[Europe/Stockholm]"),
            ("LocalDateTime", "2015-07-04T19:32:24"),
            ("Duration", "P14DT16H12M"),
            ("Point", "SRID=7203;POINT (1.5 -2.0)"),
            ("Point", "SRID=4979;POINT Z (1.0 2.0 3.0)"),
        ] {
            let json = json!({ "$type": kind, "_value": text });
            let value = read_typed(json.clone()).unwrap_or_else(|error| panic!("{kind} {text}: {error}"));
            assert_eq!(Form::Typed.write(&value), json, "{kind} {text}");
        }
        let nested = json!({"$type": "Map", "_value": {"l": {"$type": "List", "_value": [
            {"$type": "Null", "_value": null}, {"$type": "Boolean", "_value": true}]}}});
        let value = read_typed(nested.clone()).unwrap();
        assert_eq!(Form::Typed.write(&value), nested);
        assert_eq!(Form::Plain.write(&value), json!({"l": [null, true]}));
    }

    #[test]
    fn what_is_no_typed_value_is_refused() {
        for json in [
            json!(1),
            json!({"$type": "Integer"}),
            json!({"$type": "Integer", "_value": 1}),
            json!({"$type": "Integer", "_value": "1.5"}),
            json!({"$type": "Date", "_value": "yesterday"}),
            json!({"$type": "LocalTime", "_value": "12:50:35+01:00"}),
            json!({"$type": "ZonedDateTime", "_value": "2015-11-21T21:40:32Z"}),
            json!({"$type": "Point", "_value": "SRID=1;POINT (1 2)"}),
            json!({"$type": "Node", "_value": {}}),
            json!({"$type": "Base64", "_value": "?"}),
        ] {
            assert!(read_typed(json.clone()).is_err(), "{json}");
        }
    }
}
