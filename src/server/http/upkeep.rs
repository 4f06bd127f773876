//! Upkeep of a workspace and of the node's store: folding, collecting garbage, pins.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request as HttpRequest, State};
use axum::http::{Method, StatusCode};
use serde_json::{Value as Json, json};

use super::home;
use super::problem::Problem;
use super::{App, Call, Reply};
use crate::engine::CollectOptions;

/// Folds a ref: `POST /{workspace}@{ref}/optimize`.
pub(super) async fn optimize(
    State(app): State<Arc<App>>,
    Path(segment): Path<String>,
    request: HttpRequest,
) -> Reply {
    let (call, _) = Call::new(app, request);
    respond(&call, fold(&call, &segment).await)
}

/// Collects garbage: `POST /v1/gc?dry-run=true&prune=true`.
pub(super) async fn collect(State(app): State<Arc<App>>, request: HttpRequest) -> Reply {
    let (call, _) = Call::new(app, request);
    respond(&call, collect_garbage(&call).await)
}

/// Lists pins: `GET /{workspace}/pins`.
pub(super) async fn pins(
    State(app): State<Arc<App>>,
    Path(workspace): Path<String>,
    request: HttpRequest,
) -> Reply {
    let (call, _) = Call::new(app, request);
    respond(&call, list_pins(&call, workspace).await)
}

/// Sets or drops a pin: `PUT` or `DELETE /{workspace}@{ref}/pins/{name}`.
pub(super) async fn pin(
    State(app): State<Arc<App>>,
    Path((segment, name)): Path<(String, String)>,
    request: HttpRequest,
) -> Reply {
    let (call, _) = Call::new(app, request);
    let result = if call.is(Method::PUT) {
        set_pin(&call, &segment, name).await
    } else if call.is(Method::DELETE) {
        drop_pin(&call, &segment, name).await
    } else {
        Err(Problem::method_not_allowed("PUT, DELETE, OPTIONS", "a pin is set by PUT, dropped by DELETE"))
    };
    respond(&call, result)
}

fn respond(call: &Call, result: Result<Reply, Problem>) -> Reply {
    result.unwrap_or_else(|problem| problem.into_json_response(&call.request_id))
}

fn check_post(call: &Call) -> Result<(), Problem> {
    if !call.is(Method::POST) {
        return Err(Problem::method_not_allowed("POST, OPTIONS", "it is done by POST"));
    }
    call.check_may_write()
}

async fn fold(call: &Call, segment: &str) -> Result<Reply, Problem> {
    check_post(call)?;
    let address = call.address(Some(segment))?;
    let optimized = call
        .blocking(move |engine| engine.hosted(address.workspace.as_deref())?.optimize(address.at.as_deref()))
        .await?;
    Ok(home::json(StatusCode::OK, &json!(optimized)))
}

async fn collect_garbage(call: &Call) -> Result<Reply, Problem> {
    check_post(call)?;
    let is_set =
        |name: &str| Ok::<bool, Problem>(call.query.one(name)?.is_some_and(|value| value != "false"));
    let options = CollectOptions { is_dry_run: is_set("dry-run")?, forget_gone: is_set("prune")? };
    let collected = call.blocking(move |engine| engine.collect_garbage(options)).await?;
    Ok(home::json(StatusCode::OK, &json!(collected)))
}

async fn list_pins(call: &Call, workspace: String) -> Result<Reply, Problem> {
    if !call.is_get() {
        return Err(Problem::method_not_allowed("GET, HEAD, OPTIONS", "pins are listed by GET"));
    }
    let pins = call.blocking(move |engine| engine.hosted(Some(&workspace))?.pins()).await?;
    let pins: Vec<Json> =
        pins.iter().map(|(name, commit)| json!({"name": name, "commit": commit.to_string()})).collect();
    Ok(home::json(StatusCode::OK, &json!({ "pins": pins })))
}

async fn set_pin(call: &Call, segment: &str, name: String) -> Result<Reply, Problem> {
    call.check_may_write()?;
    let address = call.address(Some(segment))?;
    let pinned = name.clone();
    let commit = call
        .blocking(move |engine| {
            engine.hosted(address.workspace.as_deref())?.pin(&pinned, address.at.as_deref())
        })
        .await?;
    Ok(home::json(StatusCode::OK, &json!({"name": name, "commit": commit.to_string()})))
}

async fn drop_pin(call: &Call, segment: &str, name: String) -> Result<Reply, Problem> {
    call.check_may_write()?;
    let address = call.address(Some(segment))?;
    call.blocking(move |engine| engine.hosted(address.workspace.as_deref())?.unpin(&name)).await?;
    let mut reply = Reply::new(Body::empty());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    Ok(reply)
}
