//! Values as JSON, the shape that `docs/http_api.md` describes under "Records".

use std::io::{self, Write};

use crate::model::{
    Duration, NodeValue, PathValue, RelationshipValue, Term, Value, element_id, is_numeric_datatype, xsd,
};

/// Writes a value as JSON. Lists and maps nest no deeper than the value does.
///
/// Numbers that JSON lacks (NaN, the infinities) and everything else that it has no form for are
/// strings: IRIs as they are, blank nodes as `_:b`, literals by their lexical form.
pub fn write_value(writer: &mut dyn Write, value: &Value) -> io::Result<()> {
    match value {
        Value::Null => writer.write_all(b"null"),
        Value::Boolean(value) => write!(writer, "{value}"),
        Value::Integer(value) => write!(writer, "{value}"),
        Value::Float(value) => write_float(writer, *value),
        Value::String(value) => write_string(writer, value),
        Value::Duration(duration) => write_string(writer, &duration_text(duration)),
        Value::Term(term) => write_term(writer, term),
        Value::List(values) => write_list(writer, values.iter(), |writer, value| write_value(writer, value)),
        Value::Map(map) => {
            write_object(writer, map.iter().map(|(key, value)| (key.as_str(), value)), |writer, value| {
                write_value(writer, value)
            })
        }
        Value::Node(node) => write_node(writer, node),
        Value::Relationship(relationship) => write_relationship(writer, relationship),
        Value::Path(path) => write_path(writer, path),
    }
}

/// Writes a JSON string.
pub(super) fn write_string(writer: &mut dyn Write, text: &str) -> io::Result<()> {
    serde_json::to_writer(writer, text).map_err(io::Error::from)
}

/// Returns the text of a term without quotes or brackets: what a person would call its value.
pub(super) fn term_text(term: &Term) -> String {
    match term {
        Term::NamedNode(node) => node.as_str().to_owned(),
        Term::BlankNode(node) => node.to_string(),
        Term::Literal(literal) => literal.value().to_owned(),
        Term::Triple(_) => term.to_string(),
    }
}

/// Returns whether a JSON parser would take `text` for a number.
pub(super) fn is_json_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && serde_json::from_str::<serde_json::Number>(text).is_ok()
}

pub(super) fn write_float(writer: &mut dyn Write, value: f64) -> io::Result<()> {
    if value.is_finite() {
        serde_json::to_writer(writer, &value).map_err(io::Error::from)
    } else if value.is_nan() {
        writer.write_all(b"\"NaN\"")
    } else {
        writer.write_all(if value > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" })
    }
}

fn write_term(writer: &mut dyn Write, term: &Term) -> io::Result<()> {
    if let Term::Literal(literal) = term {
        let text = literal.value();
        if is_numeric_datatype(literal.datatype()) {
            if is_json_number(text) {
                return writer.write_all(text.as_bytes());
            }
            if let Ok(value) = text.parse::<f64>() {
                return write_float(writer, value);
            }
        } else if literal.datatype() == xsd::BOOLEAN {
            match text {
                "true" | "1" => return writer.write_all(b"true"),
                "false" | "0" => return writer.write_all(b"false"),
                _ => {}
            }
        }
    }
    write_string(writer, &term_text(term))
}

pub(super) fn write_list<T>(
    writer: &mut dyn Write,
    items: impl Iterator<Item = T>,
    mut write_item: impl FnMut(&mut dyn Write, T) -> io::Result<()>,
) -> io::Result<()> {
    writer.write_all(b"[")?;
    for (index, item) in items.enumerate() {
        if index > 0 {
            writer.write_all(b",")?;
        }
        write_item(writer, item)?;
    }
    writer.write_all(b"]")
}

fn write_object<'a, T>(
    writer: &mut dyn Write,
    entries: impl Iterator<Item = (&'a str, T)>,
    mut write_item: impl FnMut(&mut dyn Write, T) -> io::Result<()>,
) -> io::Result<()> {
    writer.write_all(b"{")?;
    for (index, (key, item)) in entries.enumerate() {
        if index > 0 {
            writer.write_all(b",")?;
        }
        write_string(writer, key)?;
        writer.write_all(b":")?;
        write_item(writer, item)?;
    }
    writer.write_all(b"}")
}

fn write_properties(writer: &mut dyn Write, properties: &crate::model::Map) -> io::Result<()> {
    writer.write_all(b",\"properties\":")?;
    write_object(writer, properties.iter().map(|(key, value)| (key.as_str(), value)), |writer, value| {
        write_value(writer, value)
    })?;
    writer.write_all(b"}")
}

fn write_node(writer: &mut dyn Write, node: &NodeValue) -> io::Result<()> {
    writer.write_all(b"{\"elementId\":")?;
    write_string(writer, &element_id(&node.id))?;
    writer.write_all(b",\"labels\":")?;
    write_list(writer, node.labels.iter(), |writer, label| write_string(writer, label))?;
    write_properties(writer, &node.properties)
}

fn write_relationship(writer: &mut dyn Write, relationship: &RelationshipValue) -> io::Result<()> {
    writer.write_all(b"{\"elementId\":")?;
    write_string(writer, &element_id(&relationship.id))?;
    writer.write_all(b",\"type\":")?;
    write_string(writer, &relationship.name)?;
    writer.write_all(b",\"startNodeElementId\":")?;
    write_string(writer, &element_id(&relationship.start))?;
    writer.write_all(b",\"endNodeElementId\":")?;
    write_string(writer, &element_id(&relationship.end))?;
    write_properties(writer, &relationship.properties)
}

fn write_path(writer: &mut dyn Write, path: &PathValue) -> io::Result<()> {
    writer.write_all(b"{\"nodes\":")?;
    write_list(writer, path.nodes.iter(), |writer, node| write_node(writer, node))?;
    writer.write_all(b",\"relationships\":")?;
    write_list(writer, path.relationships.iter(), |writer, relationship| {
        write_relationship(writer, relationship)
    })?;
    writer.write_all(b"}")
}

/// Returns a duration in ISO 8601 form (`P1Y2M3DT4H5M6.7S`), as Cypher prints it.
fn duration_text(duration: &Duration) -> String {
    let (years, months) = (duration.months / 12, duration.months % 12);
    let (hours, minutes, seconds) =
        (duration.seconds / 3600, duration.seconds / 60 % 60, duration.seconds % 60);
    let mut text = String::from("P");
    for (amount, unit) in [(years, 'Y'), (months, 'M'), (duration.days, 'D')] {
        if amount != 0 {
            text.push_str(&format!("{amount}{unit}"));
        }
    }
    let mut time = String::new();
    for (amount, unit) in [(hours, 'H'), (minutes, 'M')] {
        if amount != 0 {
            time.push_str(&format!("{amount}{unit}"));
        }
    }
    if seconds != 0 || duration.nanoseconds != 0 {
        let sign = if seconds < 0 || duration.nanoseconds < 0 { "-" } else { "" };
        let fraction = format!("{:09}", duration.nanoseconds.unsigned_abs());
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        time.push_str(&format!("{sign}{}{point}{fraction}S", seconds.unsigned_abs()));
    }
    if !time.is_empty() {
        text.push('T');
        text.push_str(&time);
    }
    if text == "P" { "PT0S".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BlankNode, Literal, NamedNode};

    fn check(value: Value, expected: &str) {
        let mut bytes = Vec::new();
        write_value(&mut bytes, &value).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn values_have_one_json_form() {
        let typed = |text: &str, datatype| Value::Term(Literal::new_typed_literal(text, datatype).into());
        check(Value::Null, "null");
        check(Value::Integer(i64::MIN), "-9223372036854775808");
        check(Value::Float(1.5), "1.5");
        check(Value::Float(f64::NAN), "\"NaN\"");
        check(Value::Float(f64::NEG_INFINITY), "\"-Infinity\"");
        check(Value::String("a\"b\u{1}".into()), r#""a\"b\u0001""#);
        check(typed("12.50", xsd::DECIMAL), "12.50");
        check(typed("+1", xsd::INTEGER), "1.0");
        check(typed("many", xsd::INTEGER), "\"many\"");
        check(typed("1", xsd::BOOLEAN), "true");
        check(typed("2024-01-01", xsd::DATE), "\"2024-01-01\"");
        check(Value::Term(NamedNode::new_unchecked("http://a/b").into()), "\"http://a/b\"");
        check(Value::List(vec![Value::Integer(1), Value::Null]), "[1,null]");
        check(Value::Map([("k".to_owned(), Value::Boolean(true))].into()), r#"{"k":true}"#);
    }

    #[test]
    fn nodes_and_paths_are_objects() {
        let node = NodeValue {
            id: NamedNode::new_unchecked("http://a").into(),
            labels: vec!["L".into()],
            properties: [("k".to_owned(), Value::Integer(1))].into(),
        };
        let other = NodeValue {
            id: BlankNode::new_unchecked("b").into(),
            labels: Vec::new(),
            properties: Default::default(),
        };
        let relationship = RelationshipValue {
            id: NamedNode::new_unchecked("http://r").into(),
            start: node.id.clone(),
            end: other.id.clone(),
            predicate: NamedNode::new_unchecked("http://p"),
            name: "P".into(),
            properties: Default::default(),
        };
        check(
            Value::Path(PathValue { nodes: vec![node, other], relationships: vec![relationship] }),
            concat!(
                r#"{"nodes":[{"elementId":"http://a","labels":["L"],"properties":{"k":1}},"#,
                r#"{"elementId":"_:b","labels":[],"properties":{}}],"relationships":[{"elementId":"http://r","#,
                r#""type":"P","startNodeElementId":"http://a","endNodeElementId":"_:b","properties":{}}]}"#
            ),
        );
    }

    #[test]
    fn durations_print_as_iso_8601() {
        for (months, days, seconds, nanoseconds, expected) in [
            (0, 0, 0, 0, "PT0S"),
            (14, 3, 3723, 500_000_000, "P1Y2M3DT1H2M3.5S"),
            (-1, 0, 0, -1, "P-1MT-0.000000001S"),
            (0, 0, -61, 0, "PT-1M-1S"),
        ] {
            assert_eq!(duration_text(&Duration { months, days, seconds, nanoseconds }), expected);
        }
    }
}
