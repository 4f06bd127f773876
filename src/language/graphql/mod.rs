//! GraphQL: a schema derived from the facts of the data, and operations lowered to one plan each.
//!
//! async-graphql parses, validates and answers introspection; the validated operation is lowered
//! here, to a plan and to the [`Shape`] that turns its rows into the response. There are no
//! resolvers, so there is no query per field. The names are those of `docs/http_api.md`.

mod cache;
mod catalog;
mod filter;
mod lower;
mod schema;
mod select;
#[cfg(test)]
mod tests;
mod variables;

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType,
};
use async_graphql::{Pos, Positioned, ServerError, Variables};

pub use cache::{DerivedSchema, SchemaCache};

use super::SyntaxError;
use crate::model::Map;
use crate::plan::{Query, Session, Shape};

/// What an operation compiles to.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Its columns are what `shape` reads; the unit if the operation asks nothing of the data.
    pub query: Query,
    pub shape: Shape,
}

/// Compiles one operation of a document. `variables` are the request's, by name without `$`.
///
/// # Errors
/// Every mistake that validation finds, else the first that lowering does. The code is one of
/// `GRAPHQL_PARSE_FAILED`, `GRAPHQL_VALIDATION_FAILED`, `BAD_USER_INPUT`, `QUERY_TOO_COMPLEX`,
/// `OPERATION_RESOLUTION_FAILURE`.
pub fn compile(
    text: &str,
    operation_name: Option<&str>,
    variables: &Map,
    session: &Session,
    schemas: &SchemaCache,
) -> Result<Operation, Vec<SyntaxError>> {
    let schema = schemas.get(&session.schema, &session.vocabulary).map_err(|why| {
        vec![SyntaxError::at(text, 0, "INTERNAL_SERVER_ERROR", format!("no schema fits this data: {why}"))]
    })?;
    schema.compile(text, operation_name, variables, session)
}

/// A mistake in a document, before its place is known as an offset.
#[derive(Debug)]
struct Fault {
    position: Pos,
    message: String,
    code: &'static str,
}

impl Fault {
    fn into_error(self, text: &str) -> SyntaxError {
        SyntaxError::at(text, offset_of(text, self.position), self.code, self.message)
    }
}

fn from_server_error(text: &str, code: &'static str, error: ServerError) -> SyntaxError {
    let position = error.locations.first().copied().unwrap_or_default();
    Fault { position, message: error.message, code }.into_error(text)
}

fn parse(text: &str) -> Result<ExecutableDocument, SyntaxError> {
    parse_query(text).map_err(|error| {
        let position = error.positions().next().unwrap_or_default();
        let message = error.to_string();
        // The parser's own message draws the line; its last line says what it expected.
        let expected = message.lines().rev().find_map(|line| line.trim_start().strip_prefix("= "));
        let message = expected.unwrap_or(&message).to_owned();
        Fault { position, message, code: "GRAPHQL_PARSE_FAILED" }.into_error(text)
    })
}

fn operation_of<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a Positioned<OperationDefinition>, Fault> {
    let fault =
        |message: String| Fault { position: Pos::default(), message, code: "OPERATION_RESOLUTION_FAILURE" };
    let operation = match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => operation,
        (DocumentOperations::Multiple(operations), None) if operations.len() == 1 => {
            operations.values().next().ok_or_else(|| fault("the document has no operation".to_owned()))?
        }
        (DocumentOperations::Multiple(_), None) => {
            return Err(fault("the document has several operations: say which by operationName".to_owned()));
        }
        (DocumentOperations::Multiple(operations), Some(name)) => {
            operations.get(name).ok_or_else(|| fault(format!("unknown operation '{name}'")))?
        }
        (DocumentOperations::Single(_), Some(name)) => {
            return Err(fault(format!("unknown operation '{name}'")));
        }
    };
    match operation.node.ty {
        OperationType::Query => Ok(operation),
        other => Err(Fault {
            position: operation.pos,
            message: format!("this schema has no {other} operations"),
            code: "GRAPHQL_VALIDATION_FAILED",
        }),
    }
}

fn variables_of(map: &Map) -> Variables {
    let mut variables = Variables::default();
    for (name, value) in map {
        variables.insert(async_graphql::Name::new(name), variables::from_value(value));
    }
    variables
}

/// Returns the byte offset of a place given in lines and characters from 1.
fn offset_of(text: &str, position: Pos) -> usize {
    let before = text.split_inclusive('\n').take(position.line.saturating_sub(1));
    let line_start: usize = before.map(str::len).sum();
    let line = text.get(line_start..).unwrap_or_default();
    let column = position.column.saturating_sub(1);
    line_start + line.char_indices().nth(column).map_or(line.len(), |(offset, _)| offset)
}
