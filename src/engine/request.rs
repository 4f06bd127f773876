//! What a caller asks and what it gets back.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::Explanation;
use crate::execute::{FileOpener, GraphLoader, Rows, ServiceHandler, Triples, UpdateSummary};
use crate::model::{Map, NamedNode};
use crate::plan::Shape;
use crate::workspace::CommitId;

/// A language, as the door it came through names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    SparqlQuery,
    SparqlUpdate,
    /// Reads and writes, as the text says.
    Cypher,
    GraphQl,
}

/// A graph of a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GraphRef {
    Default,
    Named(NamedNode),
}

/// One question or order, with everything that decides its answer.
#[derive(Clone)]
pub struct Request {
    pub language: Language,
    pub text: String,
    pub parameters: Map,
    /// GraphQL: which operation of the document; may be left out if there is one.
    pub operation: Option<String>,
    /// The workspace's name; the default workspace if `None`.
    pub workspace: Option<String>,
    /// A branch or a commit (`main`, `commit:<cid>`, `main~2`); the default branch if `None`.
    pub at: Option<String>,
    /// The protocol's default-graph-uri (or using-graph-uri): these merged are the default graph.
    pub default_graphs: Vec<NamedNode>,
    /// The protocol's named-graph-uri (or using-named-graph-uri).
    pub named_graphs: Vec<NamedNode>,
    /// The one graph that the request is about, as if it were the whole default graph: patterns
    /// read it, and what an update says of the default graph is done to it.
    pub graph: Option<GraphRef>,
    /// Answers SERVICE; without one it fails.
    pub services: Option<Arc<dyn ServiceHandler>>,
    /// Where LOAD finds documents; nowhere if `None`.
    pub loader: Option<Arc<dyn GraphLoader>>,
    /// Where LOAD CSV finds files; nowhere if `None`.
    pub files: Option<Arc<dyn FileOpener>>,
    /// Answer with the plans instead of the rows.
    pub explain: Option<Explain>,
    /// Whether the caller may change data through this door.
    pub may_write: bool,
    /// A write is made only where the branch stands at one of these commits; at any if `None`.
    pub only_at: Option<Vec<String>>,
    /// The message of the commit that a write makes; the text's first line if `None`.
    pub message: Option<String>,
    pub limits: RequestLimits,
    /// Set it to end the request early.
    pub cancel: Arc<AtomicBool>,
    /// The address by which clients reach the node, where it has one.
    pub served_at: Option<String>,
    /// Who asks, where clients must say.
    pub user: Option<String>,
    /// The caller's clock, milliseconds since 1970: the moment that NOW() tells and a commit bears.
    pub now_ms: i64,
}

/// What is told of a query instead of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explain {
    /// The plans; nothing is run.
    Plan,
    /// The plans, with what each operator did: the query is run, and its rows are thrown away. What
    /// would write is only planned.
    Profile,
}

/// What one request may take.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    pub timeout: Duration,
    pub memory_bytes_max: usize,
    /// A result of more rows, or triples, is an error and no shorter result; any size if `None`.
    pub rows_max: Option<u64>,
}

impl Default for RequestLimits {
    fn default() -> RequestLimits {
        RequestLimits { timeout: Duration::from_secs(60), memory_bytes_max: 2 << 30, rows_max: None }
    }
}

impl Request {
    /// Makes a request that reads the default workspace's default branch.
    pub fn new(language: Language, text: impl Into<String>, now_ms: i64) -> Request {
        Request {
            language,
            text: text.into(),
            parameters: Map::new(),
            operation: None,
            workspace: None,
            at: None,
            default_graphs: Vec::new(),
            named_graphs: Vec::new(),
            graph: None,
            services: None,
            loader: None,
            files: None,
            explain: None,
            may_write: false,
            only_at: None,
            message: None,
            limits: RequestLimits::default(),
            cancel: Arc::default(),
            served_at: None,
            user: None,
            now_ms,
        }
    }

    /// Returns the message of the commit that this makes.
    pub(super) fn commit_message(&self) -> String {
        let first_line = || self.text.trim().lines().next().unwrap_or_default().chars().take(72).collect();
        self.message.clone().unwrap_or_else(first_line)
    }
}

/// An answer, and the commit it was read at or made.
pub struct Response {
    pub workspace: String,
    pub commit: CommitId,
    pub language: Language,
    /// The workspace's prefixes, for formats that abbreviate.
    pub prefixes: Vec<(String, String)>,
    pub answer: Answer,
}

pub enum Answer {
    Rows(Rows),
    Boolean(bool),
    /// Distinct triples (CONSTRUCT, DESCRIBE).
    Graph(Triples),
    /// What a SPARQL update changed.
    Updated {
        summary: UpdateSummary,
        /// Whether the request's graph held something before.
        graph_existed: bool,
    },
    /// The logical plan, before and after optimisation, and the physical plan.
    Explanation(Explanation),
    /// Rows, and how they nest into GraphQL's response; introspection is part of the shape.
    GraphQl {
        rows: Rows,
        shape: Shape,
    },
}

impl Answer {
    /// Returns what was changed, where that is all that the answer tells; `None` if it tells more.
    pub(super) fn changes(&self) -> Option<UpdateSummary> {
        match self {
            Answer::Updated { summary, .. } => Some(summary.clone()),
            Answer::Rows(rows) if rows.columns().is_empty() => Some(rows.context().summary()),
            _ => None,
        }
    }
}
