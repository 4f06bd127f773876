//! Statements: a plan with what its caller needs to know to run it and to read its rows.

use std::sync::Arc;

use super::{GraphSelector, LogicalPlan, QuadTemplate, Schema, Variable, Variables};
use crate::model::{NamedNode, Vocabulary};

/// What a text compiles to.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    Query(Query),
    /// Operations that run in order and become one commit.
    Update(Update),
}

/// A query, or a Cypher statement that reads and writes: `root` then holds Modify or Merge.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    pub root: LogicalPlan,
    pub form: Form,
    /// The result's columns, in order.
    pub columns: Vec<Column>,
    pub variables: Variables,
    /// Whether `root` changes data.
    pub writes: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    pub operations: Vec<LogicalPlan>,
    pub variables: Variables,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub variable: Variable,
}

/// What becomes of the rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// A table of the columns.
    Rows,
    /// Whether there is a row.
    Ask,
    /// The distinct triples of a template, for each row.
    Construct(Vec<QuadTemplate>),
    /// The concise bounded description, in `graph`, of each term in a column.
    Describe { graph: GraphSelector },
}

/// What lowering is told beside the text: nothing in it depends on who asks or when.
#[derive(Clone, Debug)]
pub struct Session {
    /// What a pattern outside any GRAPH or USE reads.
    pub default_graph: GraphSelector,
    /// The graphs that GRAPH ?g ranges over; all named ones, if `None`.
    pub named_graphs: Option<Vec<NamedNode>>,
    /// The workspace's names: base IRI and prefixes.
    pub vocabulary: Vocabulary,
    pub schema: Arc<Schema>,
}
