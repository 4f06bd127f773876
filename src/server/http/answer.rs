//! Answers of the engine as bodies: format, headers, stream.

use std::io::{self, Write};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

use super::COMMIT_HEADER;
use super::accept::{GRAPHS, Offer, RowsFormat, negotiate};
use super::problem::Problem;
use super::stream::Sink;
use crate::dataset::DatasetError;
use crate::engine::{Answer, EngineError, Response};
use crate::execute::{ExecuteError, Rows, UpdateSummary};
use crate::language::SyntaxError;
use crate::model::{Triple, Value};
use crate::results::{
    GraphqlWriter, RecordsWriter, SolutionsFormat, SolutionsWriter, TriplesWriter, write_boolean,
};
use crate::workspace::WorkspaceError;

/// How the client wants its answer.
pub(super) struct Wanted {
    pub accept: Option<String>,
    /// The formats of rows that this endpoint offers, best first.
    pub rows: &'static [Offer<RowsFormat>],
    /// The commits that the client has already (If-None-Match).
    pub known_commits: Option<String>,
}

impl Wanted {
    /// # Errors
    /// 406 if no format of rows is acceptable.
    pub fn rows_format(&self) -> Result<Offer<RowsFormat>, Problem> {
        negotiate(self.accept.as_deref(), self.rows)
            .ok_or_else(|| Problem::not_acceptable(self.rows.iter().map(|(name, _)| *name)))
    }
}

/// Writes an answer through `sink`.
///
/// # Errors
/// Before the response starts, what the client should be told; after it, why it broke off.
pub(super) fn write(response: Response, wanted: &Wanted, sink: &mut Sink) -> Result<(), Problem> {
    let commit = response.commit.to_string();
    let mut headers = HeaderMap::new();
    set_commit(&mut headers, &commit);
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    if is_known(wanted.known_commits.as_deref(), &commit) {
        sink.start(StatusCode::NOT_MODIFIED, headers);
        return Ok(());
    }
    match response.answer {
        Answer::Rows(rows) => write_rows(rows, wanted, headers, sink),
        Answer::Boolean(value) => {
            let (media_type, format) = wanted.rows_format()?;
            let format = match format {
                RowsFormat::Solutions(format) => format,
                RowsFormat::Records => SolutionsFormat::Json,
            };
            let writer = sink.start(StatusCode::OK, with_type(headers, media_type));
            finish(write_boolean(format, writer, value))
        }
        Answer::Graph(triples) => write_graph(&triples, wanted, headers, sink),
        Answer::Updated(summary) => {
            let writer = sink.start(StatusCode::OK, with_type(headers, "application/json"));
            finish(write_summary(writer, &commit, &summary))
        }
        Answer::Explanation(text) => {
            let mut writer = sink.start(StatusCode::OK, with_type(headers, "text/plain"));
            finish(writer.write_all(text.as_bytes()).map(|()| writer))
        }
        Answer::GraphQl { .. } => Err(Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "INTERNAL_ERROR",
            "a GraphQL answer where none was asked for",
        )),
    }
}

fn write_rows(mut rows: Rows, wanted: &Wanted, headers: HeaderMap, sink: &mut Sink) -> Result<(), Problem> {
    let (media_type, format) = wanted.rows_format()?;
    let headers = with_type(headers, media_type);
    let columns = rows.columns().to_vec();
    match format {
        RowsFormat::Solutions(format) => {
            // The first batch before the head: most failures show by then, and get their status.
            let mut batch = rows.next_terms().map_err(from_execute)?;
            let mut writer = SolutionsWriter::new(format, sink.start(StatusCode::OK, headers), &columns)
                .map_err(broken)?;
            while let Some(terms) = batch {
                writer.write(&terms).map_err(broken)?;
                batch = rows.next_terms().map_err(from_execute)?;
            }
            finish(writer.finish())
        }
        RowsFormat::Records => {
            let mut batch = rows.next_values().map_err(from_execute)?;
            let mut writer =
                RecordsWriter::new(sink.start(StatusCode::OK, headers), &columns).map_err(broken)?;
            while let Some(values) = batch {
                writer.write(&values).map_err(broken)?;
                batch = rows.next_values().map_err(from_execute)?;
            }
            finish(writer.finish(&[]))
        }
    }
}

fn write_graph(
    triples: &[Triple],
    wanted: &Wanted,
    headers: HeaderMap,
    sink: &mut Sink,
) -> Result<(), Problem> {
    let (media_type, format) = negotiate(wanted.accept.as_deref(), GRAPHS)
        .ok_or_else(|| Problem::not_acceptable(GRAPHS.iter().map(|(name, _)| *name)))?;
    let headers = with_type(headers, media_type);
    let mut writer = TriplesWriter::new(format, sink.start(StatusCode::OK, headers), &[]);
    triples.iter().try_for_each(|triple| writer.write(triple)).map_err(broken)?;
    finish(writer.finish())
}

/// Writes the answer to a GraphQL operation. Its errors after the first batch break the response
/// off, as everywhere.
pub(super) fn write_graphql(
    response: Response,
    media_type: &'static str,
    known_commits: Option<&str>,
    sink: &mut Sink,
) -> Result<(), Problem> {
    let commit = response.commit.to_string();
    let mut headers = HeaderMap::new();
    set_commit(&mut headers, &commit);
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    if is_known(known_commits, &commit) {
        sink.start(StatusCode::NOT_MODIFIED, headers);
        return Ok(());
    }
    match response.answer {
        Answer::GraphQl { mut rows, shape } => {
            let mut batch = rows.next_values().map_err(from_execute)?;
            let writer = sink.start(StatusCode::OK, with_type(headers, media_type));
            let mut writer = GraphqlWriter::new(writer, &shape).map_err(broken)?;
            while let Some(values) = batch {
                writer.write(&values).map_err(broken)?;
                batch = rows.next_values().map_err(from_execute)?;
            }
            finish(writer.finish(&[("commit", Value::String(commit))]))
        }
        Answer::Explanation(text) => {
            let mut writer = sink.start(StatusCode::OK, with_type(headers, "text/plain"));
            finish(writer.write_all(text.as_bytes()).map(|()| writer))
        }
        _ => Err(Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "INTERNAL_ERROR",
            "another answer where one of GraphQL was asked for",
        )),
    }
}

fn finish<W: Write>(result: io::Result<W>) -> Result<(), Problem> {
    result.and_then(|mut writer| writer.flush()).map_err(broken)
}

/// Returns the media type as a header; text says that it is UTF-8.
fn with_type(mut headers: HeaderMap, media_type: &'static str) -> HeaderMap {
    let value = match media_type.starts_with("text/") {
        true => HeaderValue::from_str(&format!("{media_type}; charset=utf-8")),
        false => Ok(HeaderValue::from_static(media_type)),
    };
    if let Ok(value) = value {
        headers.insert(header::CONTENT_TYPE, value);
    }
    headers
}

pub(super) fn set_commit(headers: &mut HeaderMap, commit: &str) {
    // Weak, since one commit has an answer in each format.
    for (name, text) in [(header::ETAG, format!("W/\"{commit}\"")), (COMMIT_HEADER, commit.to_owned())] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
}

/// Returns whether If-None-Match lists the commit.
pub(super) fn is_known(known: Option<&str>, commit: &str) -> bool {
    let tag = |text: &str| text.trim().trim_start_matches("W/").trim_matches('"').to_owned();
    known.is_some_and(|known| known.split(',').map(tag).any(|tag| tag == commit || tag == "*"))
}

fn broken(error: io::Error) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "BROKEN_OFF", error.to_string())
}

/// Returns what the client should be told of an engine's error.
pub(super) fn from_engine(error: EngineError) -> Problem {
    let detail = error.to_string();
    match error {
        EngineError::Syntax(errors) => from_syntax(errors),
        EngineError::UnknownWorkspace(_) => Problem::new(StatusCode::NOT_FOUND, "UNKNOWN_WORKSPACE", detail),
        EngineError::Workspace(error) => from_workspace(error),
        EngineError::Execute(error) => from_execute(error),
    }
}

fn from_syntax(errors: Vec<SyntaxError>) -> Problem {
    let first = errors.first();
    let code = first.map_or("SYNTAX_ERROR", |error| error.code.as_str());
    let mut problem =
        Problem::bad_request(code, first.map_or_else(String::new, |error| error.message.clone()));
    problem.place = first.map(|error| (error.line, error.column));
    let fault = |error: SyntaxError| (error.message, error.code, (error.line, error.column));
    problem.faults = errors.into_iter().map(fault).collect();
    problem
}

fn from_workspace(error: WorkspaceError) -> Problem {
    let detail = error.to_string();
    let (status, code) = match error {
        WorkspaceError::UnknownRef(_) => (StatusCode::NOT_FOUND, "UNKNOWN_REF"),
        WorkspaceError::UnknownWorkspace(_) => (StatusCode::NOT_FOUND, "UNKNOWN_WORKSPACE"),
        WorkspaceError::BranchExists(_) => (StatusCode::CONFLICT, "BRANCH_EXISTS"),
        WorkspaceError::WorkspaceExists(_) => (StatusCode::CONFLICT, "WORKSPACE_EXISTS"),
        WorkspaceError::Conflict { .. } => (StatusCode::CONFLICT, "CONFLICT"),
        WorkspaceError::DefaultBranch(_) => (StatusCode::CONFLICT, "DEFAULT_BRANCH"),
        WorkspaceError::InvalidBranchName(..) => (StatusCode::BAD_REQUEST, "INVALID_BRANCH_NAME"),
        WorkspaceError::MessageTooLong(_) => (StatusCode::BAD_REQUEST, "MESSAGE_TOO_LONG"),
        WorkspaceError::Input(_) | WorkspaceError::Term(_) => (StatusCode::BAD_REQUEST, "INVALID_DATA"),
        WorkspaceError::Block(error) => return from_dataset(error.into()),
        WorkspaceError::Dataset(error) => return from_dataset(error),
        WorkspaceError::Store(_) | WorkspaceError::DamagedRef { .. } => {
            (StatusCode::INTERNAL_SERVER_ERROR, "STORE_FAILED")
        }
    };
    Problem::new(status, code, detail)
}

pub(super) fn from_execute(error: ExecuteError) -> Problem {
    let detail = error.to_string();
    let (status, code) = match error {
        ExecuteError::Dataset(error) => return from_dataset(error),
        ExecuteError::Cancelled => (StatusCode::SERVICE_UNAVAILABLE, "CANCELLED"),
        ExecuteError::Deadline => (StatusCode::SERVICE_UNAVAILABLE, "DEADLINE_EXCEEDED"),
        ExecuteError::MemoryExceeded { .. } => (StatusCode::SERVICE_UNAVAILABLE, "MEMORY_EXCEEDED"),
        ExecuteError::Runtime { code, detail, message } => {
            let mut problem = Problem::bad_request(&format!("{code:?}"), message);
            if !detail.is_empty() {
                problem.more.push(("reason", detail.into()));
            }
            return problem;
        }
        ExecuteError::Unsupported(_) => (StatusCode::BAD_REQUEST, "UNSUPPORTED"),
        ExecuteError::Service { .. } => (StatusCode::BAD_GATEWAY, "SERVICE_FAILED"),
        ExecuteError::Load { .. } => (StatusCode::BAD_GATEWAY, "LOAD_FAILED"),
        ExecuteError::ReadOnly => (StatusCode::FORBIDDEN, "READ_ONLY"),
        ExecuteError::Plan(_) => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
    };
    Problem::new(status, code, detail)
}

fn from_dataset(error: DatasetError) -> Problem {
    let detail = error.to_string();
    match error {
        DatasetError::Unavailable { missing, first } => {
            let mut problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "BLOCKS_UNAVAILABLE", detail)
                .hint("a peer that has them is out of reach; the rest of the node goes on")
                .header(header::RETRY_AFTER, "5");
            problem.more.push(("missingBlocks", missing.into()));
            problem.more.push(("firstMissingBlock", first.into()));
            problem
        }
        DatasetError::Corrupt { .. } => {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "BLOCK_CORRUPT", detail)
        }
        DatasetError::NoKey { .. } => Problem::new(StatusCode::FORBIDDEN, "NO_KEY", detail),
        DatasetError::UnknownId(_) => {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", detail)
        }
        DatasetError::Io(_) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "STORE_FAILED", detail),
    }
}

fn write_summary<W: Write>(mut writer: W, commit: &str, summary: &UpdateSummary) -> io::Result<W> {
    let _ = summary;
    serde_json::to_writer(&mut writer, &serde_json::json!({"commit": commit}))?;
    Ok(writer)
}
