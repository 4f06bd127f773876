//! Answers of the engine as bodies: format, headers, stream.

use std::io;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

use super::COMMIT_HEADER;
use super::accept::{EXPLANATIONS, GRAPHS, Offer, RowsFormat, negotiate};
use super::problem::Problem;
use super::stream::Sink;
use crate::engine::{Answer, AnswerFormat, EngineError, Response, WriteError};
use crate::execute::ExecuteError;
use crate::language::SyntaxError;

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

    /// Returns the media type and the format that suit this answer.
    ///
    /// # Errors
    /// 406 if none that is on offer is acceptable.
    fn format_of(&self, answer: &Answer) -> Result<Offer<AnswerFormat>, Problem> {
        match answer {
            Answer::Rows(_) | Answer::Boolean(_) => {
                let (media_type, format) = self.rows_format()?;
                Ok(match format {
                    RowsFormat::Solutions(format) => (media_type, AnswerFormat::Solutions(format)),
                    RowsFormat::Records => (media_type, AnswerFormat::Json),
                    RowsFormat::Table => (media_type, AnswerFormat::Table),
                })
            }
            Answer::Graph(_) => negotiate(self.accept.as_deref(), GRAPHS)
                .map(|(media_type, format)| (media_type, AnswerFormat::Graph(format)))
                .ok_or_else(|| Problem::not_acceptable(GRAPHS.iter().map(|(name, _)| *name))),
            Answer::Updated { .. } | Answer::GraphQl { .. } => Ok(("application/json", AnswerFormat::Json)),
            Answer::Explanation(_) => {
                Ok(negotiate(self.accept.as_deref(), EXPLANATIONS).unwrap_or(EXPLANATIONS[0]))
            }
        }
    }
}

/// Writes an answer through `sink`.
///
/// # Errors
/// Before the response starts, what the client should be told; after it, why it broke off.
pub(super) fn write(response: Response, wanted: &Wanted, sink: &mut Sink) -> Result<(), Problem> {
    let headers = headers_of(&response);
    if is_known(wanted.known_commits.as_deref(), &response.commit.to_string()) {
        sink.answer(StatusCode::NOT_MODIFIED, headers);
        return Ok(());
    }
    let (media_type, format) = wanted.format_of(&response.answer)?;
    stream(response, format, StatusCode::OK, with_type(headers, media_type), sink)
}

/// Writes what a write to a graph changed; nothing if its status has no content.
///
/// # Errors
/// As [`write`].
pub(super) fn write_updated(
    response: Response,
    status: StatusCode,
    mut headers: HeaderMap,
    sink: &mut Sink,
) -> Result<(), Problem> {
    headers.extend(headers_of(&response));
    if status == StatusCode::NO_CONTENT {
        sink.answer(status, headers);
        return Ok(());
    }
    stream(response, AnswerFormat::Json, status, with_type(headers, "application/json"), sink)
}

/// Writes the answer to a GraphQL operation.
///
/// # Errors
/// As [`write`].
pub(super) fn write_graphql(
    response: Response,
    media_type: &'static str,
    known_commits: Option<&str>,
    sink: &mut Sink,
) -> Result<(), Problem> {
    let headers = headers_of(&response);
    if is_known(known_commits, &response.commit.to_string()) {
        sink.answer(StatusCode::NOT_MODIFIED, headers);
        return Ok(());
    }
    let (media_type, format) = match &response.answer {
        Answer::Explanation(_) => EXPLANATIONS[0],
        _ => (media_type, AnswerFormat::Json),
    };
    stream(response, format, StatusCode::OK, with_type(headers, media_type), sink)
}

/// Starts the response once the first rows are there: most failures show by then, and get their
/// status.
fn stream(
    mut response: Response,
    format: AnswerFormat,
    status: StatusCode,
    headers: HeaderMap,
    sink: &mut Sink,
) -> Result<(), Problem> {
    response.prepare().map_err(from_engine)?;
    let mut writer = sink.start(status, headers);
    match response.write(format, &mut writer) {
        Ok(()) => writer.finish().map_err(from_io),
        Err(WriteError::Engine(error)) => Err(from_engine(error)),
        Err(WriteError::Io(error)) => Err(from_io(error)),
    }
}

fn headers_of(response: &Response) -> HeaderMap {
    let mut headers = HeaderMap::new();
    set_commit(&mut headers, &response.commit.to_string());
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
    headers
}

fn with_type(mut headers: HeaderMap, media_type: &'static str) -> HeaderMap {
    headers.insert(header::CONTENT_TYPE, content_type(media_type));
    headers
}

/// Returns a media type as a Content-Type; text says that it is UTF-8.
pub(super) fn content_type(media_type: &'static str) -> HeaderValue {
    let with_charset = format!("{media_type}; charset=utf-8");
    match HeaderValue::from_str(&with_charset) {
        Ok(value) if media_type.starts_with("text/") => value,
        _ => HeaderValue::from_static(media_type),
    }
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

pub(super) fn from_io(error: io::Error) -> Problem {
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
        EngineError::Unverified(_) => (StatusCode::BAD_REQUEST, "UNVERIFIED"),
        EngineError::Cancelled => (StatusCode::SERVICE_UNAVAILABLE, "CANCELLED"),
        EngineError::Timeout => (StatusCode::SERVICE_UNAVAILABLE, "DEADLINE_EXCEEDED"),
        EngineError::MemoryExceeded { .. } => (StatusCode::SERVICE_UNAVAILABLE, "MEMORY_EXCEEDED"),
        EngineError::TooManyRows { .. } => (StatusCode::SERVICE_UNAVAILABLE, "ROWS_EXCEEDED"),
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
        ExecuteError::File { .. } => (StatusCode::BAD_REQUEST, "FILE_FAILED"),
        ExecuteError::Service { .. } => (StatusCode::BAD_GATEWAY, "SERVICE_FAILED"),
        ExecuteError::Load { .. } => (StatusCode::BAD_GATEWAY, "LOAD_FAILED"),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
    };
    Problem::new(status, code, text)
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
            (
                EngineError::Runtime(ExecuteError::File { address: text(), message: text() }),
                400,
                "FILE_FAILED",
            ),
            (EngineError::Forbidden(text()), 403, "FORBIDDEN"),
            (EngineError::NotFound { kind: "workspace", name: text() }, 404, "UNKNOWN_WORKSPACE"),
            (EngineError::NotFound { kind: "branch or commit", name: text() }, 404, "UNKNOWN_REF"),
            (EngineError::AlreadyExists { kind: "branch", name: text() }, 409, "ALREADY_EXISTS"),
            (EngineError::Conflict(text()), 409, "CONFLICT"),
            (EngineError::NotAt { branch: text(), commit: text() }, 412, "PRECONDITION_FAILED"),
            (EngineError::Corrupt(text()), 500, "CORRUPT"),
            (EngineError::Unverified(text()), 400, "UNVERIFIED"),
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
            (EngineError::TooManyRows { rows_max: 1 }, 503, "ROWS_EXCEEDED"),
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
