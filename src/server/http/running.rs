//! What this node is answering now: listed, cancelled, and logged if it took long.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Path, Request as HttpRequest, State};
use axum::http::{Method, StatusCode};
use serde_json::{Value as Json, json};

use super::home;
use super::problem::Problem;
use super::request::check_origin;
use super::{App, Call, Reply};
use crate::engine::{Language, Request};

/// How much of a text is shown.
const TEXT_CHARS_MAX: usize = 1_000;

/// The requests that wait for a thread or run, by their ids.
#[derive(Default)]
pub(super) struct RunningQueries(Mutex<BTreeMap<String, Running>>);

struct Running {
    language: &'static str,
    workspace: Option<String>,
    at: Option<String>,
    text: String,
    since: Instant,
    cancel: Arc<AtomicBool>,
}

/// A request that runs until this is dropped.
pub(super) struct Entry {
    queries: Arc<RunningQueries>,
    id: String,
    slow: Duration,
}

impl RunningQueries {
    /// Lists a request; one that takes longer than `slow` is logged at its end.
    pub fn enter(self: &Arc<RunningQueries>, id: &str, request: &Request, slow: Duration) -> Entry {
        let running = Running {
            language: match request.language {
                Language::SparqlQuery => "sparql",
                Language::SparqlUpdate => "sparql-update",
                Language::Cypher => "cypher",
                Language::GraphQl => "graphql",
            },
            workspace: request.workspace.clone(),
            at: request.at.clone(),
            text: request.text.chars().take(TEXT_CHARS_MAX).collect(),
            since: Instant::now(),
            cancel: request.cancel.clone(),
        };
        self.lock().insert(id.to_owned(), running);
        Entry { queries: Arc::clone(self), id: id.to_owned(), slow }
    }

    fn list(&self) -> Json {
        let queries = self.lock();
        let one = |(id, running): (&String, &Running)| {
            json!({
                "id": id,
                "language": running.language,
                "workspace": running.workspace,
                "ref": running.at,
                "text": running.text,
                "elapsedMs": running.since.elapsed().as_millis() as u64,
            })
        };
        json!({ "queries": queries.iter().map(one).collect::<Vec<_>>() })
    }

    /// Has a request end early; returns whether there is one.
    fn cancel(&self, id: &str) -> bool {
        let queries = self.lock();
        let running = queries.get(id);
        running.inspect(|running| running.cancel.store(true, Ordering::Relaxed)).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let Some(running) = self.queries.lock().remove(&self.id) else { return };
        let elapsed = running.since.elapsed();
        if elapsed >= self.slow {
            tracing::warn!(
                id = self.id,
                language = running.language,
                elapsed_ms = elapsed.as_millis() as u64,
                text = running.text,
                "a slow query"
            );
        }
    }
}

/// `GET /v1/queries`.
pub(super) async fn list(State(app): State<Arc<App>>, request: HttpRequest) -> Reply {
    let (call, _) = Call::new(app, request);
    if call.is_get() {
        return home::json(StatusCode::OK, &call.app.running.list());
    }
    Problem::method_not_allowed("GET, HEAD, OPTIONS", "queries are listed by GET")
        .into_json_response(&call.request_id)
}

/// `DELETE /v1/queries/{id}`.
pub(super) async fn one(State(app): State<Arc<App>>, Path(id): Path<String>, request: HttpRequest) -> Reply {
    let (call, _) = Call::new(app, request);
    cancel(&call, &id).unwrap_or_else(|problem| problem.into_json_response(&call.request_id))
}

fn cancel(call: &Call, id: &str) -> Result<Reply, Problem> {
    if !call.is(Method::DELETE) {
        return Err(Problem::method_not_allowed("DELETE, OPTIONS", "a query is cancelled by DELETE"));
    }
    check_origin(&call.parts.headers)?;
    if !call.app.running.cancel(id) {
        let detail = format!("no query '{id}' is running");
        return Err(Problem::new(StatusCode::NOT_FOUND, "UNKNOWN_QUERY", detail));
    }
    let mut reply = Reply::new(Body::empty());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    Ok(reply)
}
