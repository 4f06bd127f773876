//! GraphQL responses: rows of values, written as the nested data that a shape describes.

use std::io::{self, Write};

use super::json::{is_json_number, term_text, write_string, write_value};
use crate::model::{Literal, Term, Value, element_id, is_numeric_datatype, xsd};
use crate::plan::{FieldShape, ObjectShape, Output, RootShape, ScalarShape, Shape, ValueShape};

const ERRORS_MAX: usize = 100;

/// Writes `{"data":{...}}`, then `errors` if a field had a value that its type cannot say, then
/// `extensions`.
///
/// A shape that lists each row is written as the rows come; any other shape reads the first row.
pub struct GraphqlWriter<'a, W> {
    writer: W,
    shape: &'a Shape,
    errors: FieldErrors,
    /// Rows written so far.
    rows: usize,
    has_started: bool,
}

impl<'a, W: Write> GraphqlWriter<'a, W> {
    pub fn new(mut writer: W, shape: &'a Shape) -> io::Result<GraphqlWriter<'a, W>> {
        writer.write_all(b"{\"data\":{")?;
        Ok(GraphqlWriter { writer, shape, errors: FieldErrors::default(), rows: 0, has_started: false })
    }

    /// Writes rows of the plan's columns.
    pub fn write(&mut self, rows: &[Vec<Value>]) -> io::Result<()> {
        let Some(first) = rows.first() else { return Ok(()) };
        if !self.has_started {
            self.has_started = true;
            self.write_root(Some(first))?;
        }
        for row in rows {
            self.write_listed(row)?;
            self.rows += 1;
        }
        Ok(())
    }

    /// Ends the response; `extensions` are written if there are any.
    pub fn finish(mut self, extensions: &[(&str, Value)]) -> io::Result<W> {
        if !self.has_started {
            self.write_root(None)?;
        }
        if let Some(index) = self.listed() {
            self.writer.write_all(b"]")?;
            self.write_fields(index + 1, self.shape.fields.len(), None)?;
        }
        self.writer.write_all(b"}")?;
        self.errors.write(&mut self.writer)?;
        if !extensions.is_empty() {
            let map = extensions.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
            self.writer.write_all(b",\"extensions\":")?;
            write_value(&mut self.writer, &Value::Map(map))?;
        }
        self.writer.write_all(b"}\n")?;
        Ok(self.writer)
    }

    /// Returns the place of the field that lists each row, if there is one.
    fn listed(&self) -> Option<usize> {
        self.shape.fields.iter().position(|(_, root)| matches!(root, RootShape::EachRow(_)))
    }

    /// Writes the fields up to the one that lists each row, and that one's opening bracket.
    fn write_root(&mut self, first: Option<&[Value]>) -> io::Result<()> {
        match self.listed() {
            None => self.write_fields(0, self.shape.fields.len(), first),
            Some(index) => {
                self.write_fields(0, index, first)?;
                self.write_key(index)?;
                self.writer.write_all(b"[")
            }
        }
    }

    /// Writes the fields from place `start` on, before place `end`.
    fn write_fields(&mut self, start: usize, end: usize, first: Option<&[Value]>) -> io::Result<()> {
        for (index, (key, root)) in self.shape.fields.iter().enumerate().take(end).skip(start) {
            self.write_key(index)?;
            let mut object = ObjectWriter { writer: &mut self.writer, errors: &mut self.errors };
            object.errors.push(Step::Key(key.clone()));
            match (root, first) {
                (RootShape::Constant(value), _) => write_value(object.writer, value)?,
                (RootShape::FirstRow(shape), Some(row)) => object.write_object(shape, Scope::Row(row))?,
                (RootShape::Value(field), Some(row)) => {
                    object.write_field_value(&field.value, Scope::Row(row), &[])?;
                }
                _ => object.writer.write_all(b"null")?,
            }
            self.errors.pop();
        }
        Ok(())
    }

    fn write_key(&mut self, index: usize) -> io::Result<()> {
        if index > 0 {
            self.writer.write_all(b",")?;
        }
        if let Some((key, _)) = self.shape.fields.get(index) {
            write_string(&mut self.writer, key)?;
            self.writer.write_all(b":")?;
        }
        Ok(())
    }

    /// Writes a row as an element of the field that lists each row.
    fn write_listed(&mut self, row: &[Value]) -> io::Result<()> {
        let Some((key, RootShape::EachRow(shape))) = self.listed().map(|index| &self.shape.fields[index])
        else {
            return Ok(());
        };
        self.writer.write_all(if self.rows == 0 { b"\n" } else { b",\n" })?;
        self.errors.push(Step::Key(key.clone()));
        self.errors.push(Step::Index(self.rows));
        ObjectWriter { writer: &mut self.writer, errors: &mut self.errors }
            .write_object(shape, Scope::Row(row))?;
        self.errors.pop();
        self.errors.pop();
        Ok(())
    }
}

/// What outputs are read from.
#[derive(Clone, Copy)]
enum Scope<'a> {
    Row(&'a [Value]),
    Value(&'a Value),
}

impl<'a> Scope<'a> {
    fn get(self, output: &Output) -> &'a Value {
        let found = match self {
            Scope::Row(row) => row.get(output.column),
            Scope::Value(Value::Map(map)) => map.get(&output.key),
            Scope::Value(_) => None,
        };
        found.unwrap_or(&Value::Null)
    }
}

struct ObjectWriter<'a> {
    writer: &'a mut dyn Write,
    errors: &'a mut FieldErrors,
}

impl ObjectWriter<'_> {
    fn write_object(&mut self, shape: &ObjectShape, scope: Scope<'_>) -> io::Result<()> {
        if matches!(scope, Scope::Value(Value::Null))
            || shape.presence.as_ref().is_some_and(|output| *scope.get(output) == Value::Null)
        {
            return self.writer.write_all(b"null");
        }
        let labels = shape.labels.as_ref().map(|output| label_names(scope.get(output))).unwrap_or_default();
        self.writer.write_all(b"{")?;
        let mut is_first = true;
        for FieldShape { key, only_labels, value } in &shape.fields {
            if only_labels
                .as_ref()
                .is_some_and(|only| !only.iter().any(|label| labels.contains(&label.as_str())))
            {
                continue;
            }
            if !std::mem::take(&mut is_first) {
                self.writer.write_all(b",")?;
            }
            write_string(self.writer, key)?;
            self.writer.write_all(b":")?;
            self.errors.push(Step::Key(key.clone()));
            self.write_field_value(value, scope, &labels)?;
            self.errors.pop();
        }
        self.writer.write_all(b"}")
    }

    fn write_field_value(&mut self, value: &ValueShape, scope: Scope<'_>, labels: &[&str]) -> io::Result<()> {
        match value {
            ValueShape::Scalar(output, scalar) => self.write_scalar(scope.get(output), *scalar),
            ValueShape::Scalars(output, scalar) => {
                self.write_items(scope.get(output), |this, item| this.write_scalar(item, *scalar))
            }
            ValueShape::Objects(output, shape) => {
                self.write_items(scope.get(output), |this, item| this.write_object(shape, Scope::Value(item)))
            }
            ValueShape::FirstObject(output, shape) => match scope.get(output) {
                Value::List(items) if !items.is_empty() => self.write_object(shape, Scope::Value(&items[0])),
                _ => self.writer.write_all(b"null"),
            },
            ValueShape::Inline(shape) => self.write_object(shape, scope),
            ValueShape::Constant(value) => write_value(self.writer, value),
            ValueShape::TypeName { names, otherwise } => {
                let known = names.iter().find(|(label, _)| labels.contains(&label.as_str()));
                write_string(self.writer, known.map_or(otherwise, |(_, name)| name))
            }
        }
    }

    fn write_items(
        &mut self,
        list: &Value,
        mut write_item: impl FnMut(&mut Self, &Value) -> io::Result<()>,
    ) -> io::Result<()> {
        let items = match list {
            Value::List(items) => items.as_slice(),
            Value::Null => &[],
            one => std::slice::from_ref(one),
        };
        self.writer.write_all(b"[")?;
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.writer.write_all(b",")?;
            }
            self.errors.push(Step::Index(index));
            write_item(self, item)?;
            self.errors.pop();
        }
        self.writer.write_all(b"]")
    }

    fn write_scalar(&mut self, value: &Value, scalar: ScalarShape) -> io::Result<()> {
        if *value == Value::Null {
            return self.writer.write_all(b"null");
        }
        let text = match scalar {
            ScalarShape::Text => return write_string(self.writer, &text_of(value)),
            ScalarShape::Natural => return write_natural(self.writer, value),
            ScalarShape::Int => int_of(value).map(|value| value.to_string()),
            ScalarShape::Float => float_of(value),
            ScalarShape::Boolean => boolean_of(value).map(|value| value.to_string()),
        };
        match text {
            Some(text) => self.writer.write_all(text.as_bytes()),
            None => {
                self.errors.report(format!("{scalar:?} cannot represent {:?}", text_of(value)));
                self.writer.write_all(b"null")
            }
        }
    }
}

fn label_names(value: &Value) -> Vec<&str> {
    let Value::List(labels) = value else { return Vec::new() };
    labels
        .iter()
        .filter_map(|label| match label {
            Value::String(name) => Some(name.as_str()),
            Value::Term(Term::Literal(literal)) => Some(literal.value()),
            Value::Term(Term::NamedNode(node)) => Some(node.as_str()),
            _ => None,
        })
        .collect()
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Term(term) => term_text(term),
        Value::Node(node) => element_id(&node.id),
        Value::Relationship(relationship) => element_id(&relationship.id),
        other => {
            let mut bytes = Vec::new();
            match write_value(&mut bytes, other) {
                Ok(()) => String::from_utf8_lossy(&bytes).trim_matches('"').to_owned(),
                Err(_) => String::new(),
            }
        }
    }
}

fn write_natural(writer: &mut dyn Write, value: &Value) -> io::Result<()> {
    match value {
        Value::Node(_) | Value::Relationship(_) => write_string(writer, &text_of(value)),
        _ => write_value(writer, value),
    }
}

fn numeric(value: &Value) -> Option<&Literal> {
    match value {
        Value::Term(Term::Literal(literal)) if is_numeric_datatype(literal.datatype()) => Some(literal),
        _ => None,
    }
}

fn int_of(value: &Value) -> Option<i32> {
    match value {
        Value::Integer(value) => i32::try_from(*value).ok(),
        _ => numeric(value)?.value().parse().ok(),
    }
}

fn float_of(value: &Value) -> Option<String> {
    match value {
        Value::Integer(value) => Some(value.to_string()),
        Value::Float(value) => serde_json::Number::from_f64(*value).map(|number| number.to_string()),
        _ => {
            let text = numeric(value)?.value();
            if is_json_number(text) {
                return Some(text.to_owned());
            }
            serde_json::Number::from_f64(text.parse().ok()?).map(|number| number.to_string())
        }
    }
}

fn boolean_of(value: &Value) -> Option<bool> {
    match value {
        Value::Boolean(value) => Some(*value),
        Value::Term(Term::Literal(literal)) if literal.datatype() == xsd::BOOLEAN => match literal.value() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// The errors of fields met so far, each with its path; bounded, so that they cannot outgrow the data.
#[derive(Default)]
struct FieldErrors {
    path: Vec<Step>,
    errors: Vec<(String, Vec<Step>)>,
    /// Errors beyond the bound.
    unlisted: usize,
}

#[derive(Clone)]
enum Step {
    Key(String),
    Index(usize),
}

impl FieldErrors {
    fn push(&mut self, step: Step) {
        self.path.push(step);
    }

    fn pop(&mut self) {
        self.path.pop();
    }

    fn report(&mut self, message: String) {
        if self.errors.len() < ERRORS_MAX {
            self.errors.push((message, self.path.clone()));
        } else {
            self.unlisted += 1;
        }
    }

    fn write(&mut self, writer: &mut dyn Write) -> io::Result<()> {
        if self.errors.is_empty() {
            return Ok(());
        }
        if self.unlisted > 0 {
            self.errors.push((format!("{} more errors of this kind", self.unlisted), Vec::new()));
        }
        let list = self.errors.iter().map(|(message, path)| {
            let path = path.iter().map(|step| match step {
                Step::Key(key) => Value::String(key.clone()),
                Step::Index(index) => Value::Integer(*index as i64),
            });
            let code = Value::Map([("code".to_owned(), Value::String("SERIALIZATION".to_owned()))].into());
            let mut error = crate::model::Map::new();
            error.insert("message".to_owned(), Value::String(message.clone()));
            error.insert("path".to_owned(), Value::List(path.collect()));
            error.insert("extensions".to_owned(), code);
            Value::Map(error)
        });
        writer.write_all(b",\"errors\":")?;
        write_value(writer, &Value::List(list.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn output(column: usize, key: &str) -> Output {
        Output { column, key: key.into() }
    }

    fn field(key: &str, value: ValueShape) -> FieldShape {
        FieldShape { key: key.into(), only_labels: None, value }
    }

    fn object(fields: Vec<FieldShape>) -> ObjectShape {
        ObjectShape { presence: None, labels: None, fields }
    }

    fn check(shape: Shape, rows: &[Vec<Value>], expected: serde_json::Value) {
        let mut writer = GraphqlWriter::new(Vec::new(), &shape).unwrap();
        for row in rows {
            writer.write(std::slice::from_ref(row)).unwrap();
        }
        let bytes = writer.finish(&[]).unwrap();
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&bytes).unwrap(), expected);
    }

    fn text(text: &str) -> Value {
        Value::String(text.into())
    }

    #[test]
    fn each_row_becomes_an_object() {
        let port = ObjectShape {
            presence: Some(output(1, "port.id")),
            labels: None,
            fields: vec![field("name", ValueShape::Scalar(output(2, "port.name"), ScalarShape::Text))],
        };
        let shape = Shape {
            fields: vec![
                ("__typename".into(), RootShape::Constant(text("Query"))),
                (
                    "vessels".into(),
                    RootShape::EachRow(object(vec![
                        field("built", ValueShape::Scalar(output(0, "built"), ScalarShape::Int)),
                        field("port", ValueShape::Inline(port)),
                    ])),
                ),
                ("last".into(), RootShape::Constant(Value::Integer(1))),
            ],
        };
        check(shape.clone(), &[], json!({"data": {"__typename": "Query", "vessels": [], "last": 1}}));
        check(
            shape,
            &[
                vec![Value::Integer(1999), text("http://p"), text("Oslo")],
                vec![Value::Integer(1 << 40), Value::Null, Value::Null],
            ],
            json!({
                "data": {
                    "__typename": "Query",
                    "vessels": [{"built": 1999, "port": {"name": "Oslo"}}, {"built": null, "port": null}],
                    "last": 1,
                },
                "errors": [{
                    "message": "Int cannot represent \"1099511627776\"",
                    "path": ["vessels", 1, "built"],
                    "extensions": {"code": "SERIALIZATION"},
                }],
            }),
        );
    }

    #[test]
    fn lists_of_maps_become_lists_of_objects() {
        let call = ObjectShape {
            presence: None,
            labels: Some(output(9, "labels")),
            fields: vec![
                field(
                    "__typename",
                    ValueShape::TypeName {
                        names: vec![("Call".into(), "PortCall".into())],
                        otherwise: "Entity".into(),
                    },
                ),
                FieldShape {
                    key: "days".into(),
                    only_labels: Some(vec!["Call".into()]),
                    value: ValueShape::Scalar(output(9, "days"), ScalarShape::Float),
                },
                field("tags", ValueShape::Scalars(output(9, "tags"), ScalarShape::Natural)),
            ],
        };
        let shape = Shape {
            fields: vec![
                (
                    "calls".into(),
                    RootShape::Value(field("calls", ValueShape::Objects(output(0, "calls"), call.clone()))),
                ),
                (
                    "call".into(),
                    RootShape::Value(field("call", ValueShape::FirstObject(output(1, "call"), call))),
                ),
            ],
        };
        let map = |entries: &[(&str, Value)]| {
            Value::Map(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
        };
        let days = Value::Term(Literal::new_typed_literal("2.50", xsd::DECIMAL).into());
        let calls = Value::List(vec![
            map(&[("labels", Value::List(vec![text("Call")])), ("days", days)]),
            map(&[
                ("labels", Value::List(vec![])),
                ("tags", Value::List(vec![Value::Integer(1), text("a")])),
            ]),
        ]);
        check(
            shape,
            &[vec![calls, Value::List(vec![])]],
            json!({"data": {
                "calls": [
                    {"__typename": "PortCall", "days": 2.5, "tags": []},
                    {"__typename": "Entity", "tags": [1, "a"]},
                ],
                "call": null,
            }}),
        );
    }
}
