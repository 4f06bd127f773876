//! The page at `/`, health, and the node's status.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request as HttpRequest, State};
use axum::http::{HeaderValue, Response, StatusCode, header};

use super::accept::negotiate;
use super::problem::Problem;
use super::request::header_text;
use super::{App, Call, Reply};
use crate::execute::COMPATIBLE_VERSION;

const PAGE: &str = include_str!("home.html");
const GRAPHQL_PAGE: &str = include_str!("graphql.html");

pub(super) async fn page(State(app): State<Arc<App>>, request: HttpRequest) -> Reply {
    let (call, _) = Call::new(app, request);
    if let Err(problem) = check_get(&call) {
        return problem.into_json_response(&call.request_id);
    }
    // Programs ask what is served, people look at a page.
    let offers = [("text/html", false), ("application/json", true)];
    match negotiate(call.accept().as_deref(), &offers) {
        Some((_, true)) => json(StatusCode::OK, &discovery(&call)),
        _ => html(PAGE),
    }
}

/// Tells Neo4j's clients where they find what, under the name by which they found this.
fn discovery(call: &Call) -> serde_json::Value {
    let host = header_text(&call.parts.headers, header::HOST).unwrap_or_default();
    let scheme = if call.app.options.tls.is_some() { "https" } else { "http" };
    let mut found = serde_json::json!({
        "query": format!("{scheme}://{host}/db/{{databaseName}}/query/v2"),
        "neo4j_version": COMPATIBLE_VERSION,
        "neo4j_edition": "community",
        "reefloom_version": env!("CARGO_PKG_VERSION"),
    });
    let port = call.app.options.bolt_address.as_deref().and_then(|address| address.rsplit_once(':'));
    if let Some((_, port)) = port {
        let has_port = |(_, port): &(&str, &str)| port.bytes().all(|byte| byte.is_ascii_digit());
        let name = host.rsplit_once(':').filter(has_port).map_or(host.as_str(), |(name, _)| name);
        let secure = if call.app.options.tls.is_some() { "+s" } else { "" };
        found["bolt_direct"] = format!("bolt{secure}://{name}:{port}").into();
        found["bolt_routing"] = format!("neo4j{secure}://{name}:{port}").into();
    }
    found
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
