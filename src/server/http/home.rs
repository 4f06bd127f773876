//! The page at `/`, health, and the node's status.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request as HttpRequest, State};
use axum::http::{HeaderValue, Response, StatusCode, header};

use super::problem::Problem;
use super::{App, Call, Reply};

const PAGE: &str = include_str!("home.html");
const GRAPHQL_PAGE: &str = include_str!("graphql.html");

pub(super) async fn page(State(app): State<Arc<App>>, request: HttpRequest) -> Reply {
    let (call, _) = Call::new(app, request);
    if let Err(problem) = check_get(&call) {
        return problem.into_json_response(&call.request_id);
    }
    html(PAGE)
}

pub(super) fn graphql_page() -> Reply {
    html(GRAPHQL_PAGE)
}

/// The process runs and its sockets are served.
pub(super) async fn healthz(State(app): State<Arc<App>>, request: HttpRequest) -> Reply {
    let (call, _) = Call::new(app, request);
    match check_get(&call) {
        Ok(()) => body("text/plain; charset=utf-8", "ok\n".to_owned()),
        Err(problem) => problem.into_json_response(&call.request_id),
    }
}

/// The default workspace can be read.
pub(super) async fn readyz(State(app): State<Arc<App>>, request: HttpRequest) -> Reply {
    let (call, _) = Call::new(app, request);
    let result = match check_get(&call) {
        Ok(()) => call.blocking(|engine| engine.hosted(None)?.branches().map(drop)).await,
        Err(problem) => Err(problem),
    };
    match result {
        Ok(()) => body("text/plain; charset=utf-8", "ready\n".to_owned()),
        Err(mut problem) => {
            if problem.status != StatusCode::METHOD_NOT_ALLOWED {
                problem.status = StatusCode::SERVICE_UNAVAILABLE;
            }
            problem.into_json_response(&call.request_id)
        }
    }
}

pub(super) async fn status(State(app): State<Arc<App>>, request: HttpRequest) -> Reply {
    let (call, _) = Call::new(app, request);
    let result = match check_get(&call) {
        Ok(()) => call.blocking(|engine| engine.status()).await,
        Err(problem) => Err(problem),
    };
    match result {
        Ok(status) => json(StatusCode::OK, &serde_json::json!(status)),
        Err(problem) => problem.into_json_response(&call.request_id),
    }
}

pub(super) fn json(status: StatusCode, value: &serde_json::Value) -> Reply {
    let mut response = body("application/json", format!("{value:#}\n"));
    *response.status_mut() = status;
    response
}

fn check_get(call: &Call) -> Result<(), Problem> {
    if call.is_get() {
        Ok(())
    } else {
        Err(Problem::method_not_allowed("GET, HEAD, OPTIONS", "this is read by GET"))
    }
}

fn html(text: &'static str) -> Reply {
    body("text/html; charset=utf-8", text.to_owned())
}

fn body(media_type: &'static str, text: String) -> Reply {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
