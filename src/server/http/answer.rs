//! Answers of the engine as bodies: format, headers, stream.

use std::io::{self, Write};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

use super::COMMIT_HEADER;
use super::accept::{GRAPHS, Offer, RowsFormat, negotiate};
use super::problem::Problem;
use super::stream::Sink;
use crate::engine::{Answer, EngineError, Language, Response};
use crate::execute::{ExecuteError, Rows, Triples, UpdateSummary};
use crate::language::SyntaxError;
use crate::model::Value;
use crate::results::{
    GraphqlWriter, RecordsWriter, SolutionsFormat, SolutionsWriter, TableWriter, TriplesWriter, write_boolean,
};

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
        Answer::Rows(rows) => write_rows(rows, response.language, wanted, headers, sink),
        Answer::Boolean(value) => {
            let (media_type, format) = wanted.rows_format()?;
            let mut writer = sink.start(StatusCode::OK, with_type(headers, media_type));
            finish(match format {
                RowsFormat::Solutions(format) => write_boolean(format, writer, value),
                RowsFormat::Records => write_boolean(SolutionsFormat::Json, writer, value),
                RowsFormat::Table => writeln!(writer, "{value}").map(|()| writer),
            })
        }
        Answer::Graph(triples) => write_graph(triples, &response.prefixes, wanted, headers, sink),
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

fn write_rows(
    mut rows: Rows,
    language: Language,
    wanted: &Wanted,
    headers: HeaderMap,
    sink: &mut Sink,
) -> Result<(), Problem> {
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
        RowsFormat::Table if language == Language::SparqlQuery => {
            let mut batch = rows.next_terms().map_err(from_execute)?;
            let mut writer = TableWriter::new(sink.start(StatusCode::OK, headers), &columns);
            while let Some(terms) = batch {
                writer.write_terms(&terms).map_err(broken)?;
                batch = rows.next_terms().map_err(from_execute)?;
            }
            finish(writer.finish())
        }
        RowsFormat::Table => {
            let mut batch = rows.next_values().map_err(from_execute)?;
            let mut writer = TableWriter::new(sink.start(StatusCode::OK, headers), &columns);
            while let Some(values) = batch {
                writer.write_values(&values).map_err(broken)?;
                batch = rows.next_values().map_err(from_execute)?;
            }
            finish(writer.finish())
        }
    }
}

fn write_graph(
    mut triples: Triples,
    prefixes: &[(String, String)],
    wanted: &Wanted,
    headers: HeaderMap,
    sink: &mut Sink,
) -> Result<(), Problem> {
    let (media_type, format) = negotiate(wanted.accept.as_deref(), GRAPHS)
        .ok_or_else(|| Problem::not_acceptable(GRAPHS.iter().map(|(name, _)| *name)))?;
    let headers = with_type(headers, media_type);
    let mut batch = triples.next_triples().map_err(from_execute)?;
    let mut writer = TriplesWriter::new(format, sink.start(StatusCode::OK, headers), prefixes);
    while let Some(triples_read) = batch {
        triples_read.iter().try_for_each(|triple| writer.write(triple)).map_err(broken)?;
        batch = triples.next_triples().map_err(from_execute)?;
    }
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
fn is_known(known: Option<&str>, commit: &str) -> bool {
    known.is_some_and(|known| tags(known).any(|tag| tag == commit || tag == "*"))
}

/// Returns the commits in a list of entity tags, weak or not.
pub(super) fn tags(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(|tag| tag.trim().trim_start_matches("W/").trim_matches('"'))
}

fn broken(error: io::Error) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "BROKEN_OFF", error.to_string())
}

/// Returns what the client should be told of an engine's error.
pub(super) fn from_engine(error: EngineError) -> Problem {
    let (detail, hint) = (error.to_string(), error.hint());
    let (status, code) = match error {
        EngineError::Syntax { errors, .. } => return from_syntax(errors),
        EngineError::Runtime(error) => return from_runtime(error),
        EngineError::Invalid(_) => (StatusCode::BAD_REQUEST, "INVALID"),
        EngineError::Malformed(_) => (StatusCode::BAD_REQUEST, "MALFORMED_INPUT"),
        EngineError::NotFound { kind: "workspace", .. } => (StatusCode::NOT_FOUND, "UNKNOWN_WORKSPACE"),
        EngineError::NotFound { .. } => (StatusCode::NOT_FOUND, "UNKNOWN_REF"),
        EngineError::AlreadyExists { .. } => (StatusCode::CONFLICT, "ALREADY_EXISTS"),
        EngineError::Conflict(_) => (StatusCode::CONFLICT, "CONFLICT"),
        EngineError::NotAt { .. } => (StatusCode::PRECONDITION_FAILED, "PRECONDITION_FAILED"),
        EngineError::Forbidden(_) => (StatusCode::FORBIDDEN, "FORBIDDEN"),
        EngineError::Unavailable { .. } => (StatusCode::SERVICE_UNAVAILABLE, "BLOCKS_UNAVAILABLE"),
        EngineError::Corrupt(_) => (StatusCode::INTERNAL_SERVER_ERROR, "CORRUPT"),
        EngineError::Cancelled => (StatusCode::SERVICE_UNAVAILABLE, "CANCELLED"),
        EngineError::Timeout => (StatusCode::SERVICE_UNAVAILABLE, "DEADLINE_EXCEEDED"),
        EngineError::MemoryExceeded { .. } => (StatusCode::SERVICE_UNAVAILABLE, "MEMORY_EXCEEDED"),
        EngineError::Storage(_) | EngineError::InUse(_) => {
            (StatusCode::INTERNAL_SERVER_ERROR, "STORAGE_FAILED")
        }
        EngineError::Network(_) => (StatusCode::BAD_GATEWAY, "NETWORK_FAILED"),
    };
    let mut problem = Problem::new(status, code, detail);
    problem.hint = hint;
    if let EngineError::Unavailable { missing, first } = error {
        problem.more.push(("missingBlocks", missing.into()));
        problem.more.push(("firstMissingBlock", first.into()));
        problem = problem.header(header::RETRY_AFTER, "5");
    }
    problem
}

fn from_execute(error: ExecuteError) -> Problem {
    from_engine(error.into())
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

fn from_runtime(error: ExecuteError) -> Problem {
    let text = error.to_string();
    let (status, code) = match error {
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
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
    };
    Problem::new(status, code, text)
}

fn write_summary<W: Write>(mut writer: W, commit: &str, summary: &UpdateSummary) -> io::Result<W> {
    let body = serde_json::json!({
        "commit": commit,
        "inserted": summary.quads_inserted,
        "deleted": summary.quads_removed,
    });
    writeln!(writer, "{body}")?;
    Ok(writer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execute::RuntimeCode;

    #[test]
    fn engine_errors_have_a_status_and_a_code() {
        let text = || "why".to_owned();
        let runtime = ExecuteError::runtime(RuntimeCode::TypeError, "InvalidArgumentType", "no");
        for (error, status, code) in [
            (EngineError::Invalid(text()), 400, "INVALID"),
            (EngineError::Runtime(runtime), 400, "TypeError"),
            (EngineError::Runtime(ExecuteError::Unsupported(text())), 400, "UNSUPPORTED"),
            (EngineError::Forbidden(text()), 403, "FORBIDDEN"),
            (EngineError::NotFound { kind: "workspace", name: text() }, 404, "UNKNOWN_WORKSPACE"),
            (EngineError::NotFound { kind: "branch or commit", name: text() }, 404, "UNKNOWN_REF"),
            (EngineError::AlreadyExists { kind: "branch", name: text() }, 409, "ALREADY_EXISTS"),
            (EngineError::Conflict(text()), 409, "CONFLICT"),
            (EngineError::NotAt { branch: text(), commit: text() }, 412, "PRECONDITION_FAILED"),
            (EngineError::Corrupt(text()), 500, "CORRUPT"),
            (EngineError::Storage(text()), 500, "STORAGE_FAILED"),
            (EngineError::Runtime(ExecuteError::Plan(text())), 500, "INTERNAL_ERROR"),
            (
                EngineError::Runtime(ExecuteError::Service { endpoint: text(), message: text() }),
                502,
                "SERVICE_FAILED",
            ),
            (
                EngineError::Runtime(ExecuteError::Load { source_iri: text(), message: text() }),
                502,
                "LOAD_FAILED",
            ),
            (EngineError::Network(text()), 502, "NETWORK_FAILED"),
            (EngineError::Cancelled, 503, "CANCELLED"),
            (EngineError::Timeout, 503, "DEADLINE_EXCEEDED"),
            (EngineError::MemoryExceeded { budget_bytes: 1 }, 503, "MEMORY_EXCEEDED"),
            (EngineError::Unavailable { missing: 3, first: text() }, 503, "BLOCKS_UNAVAILABLE"),
        ] {
            let problem = from_engine(error);
            assert_eq!((problem.status.as_u16(), problem.code.as_str()), (status, code));
        }
    }

    #[test]
    fn blocks_out_of_reach_are_counted() {
        let problem = from_engine(EngineError::Unavailable { missing: 3, first: "b1".to_owned() });
        assert_eq!(problem.more, [("missingBlocks", 3.into()), ("firstMissingBlock", "b1".into())]);
        assert_eq!(problem.headers, [(header::RETRY_AFTER, "5".to_owned())]);
        assert!(problem.hint.is_some());
    }

    #[test]
    fn commits_are_known_by_their_tags() {
        for (known, expected) in [
            (None, false),
            (Some("W/\"c1\""), true),
            (Some("\"c0\", \"c1\""), true),
            (Some("*"), true),
            (Some("\"c0\""), false),
        ] {
            assert_eq!(is_known(known, "c1"), expected, "{known:?}");
        }
    }
}
