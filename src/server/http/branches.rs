//! Branches and commits of a workspace.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request as HttpRequest, State};
use axum::http::{Method, StatusCode, header};
use serde_json::{Value as Json, json};

use super::cypher::parse_json;
use super::home;
use super::problem::Problem;
use super::request::{content_type, read_text};
use super::{App, Call, Reply};

const COMMITS_SHOWN: usize = 50;
const COMMITS_SHOWN_MAX: usize = 1_000;

pub(super) async fn collection(
    State(app): State<Arc<App>>,
    Path(workspace): Path<String>,
    request: HttpRequest,
) -> Reply {
    let (call, body) = Call::new(app, request);
    let result = if call.is_get() {
        list(&call, workspace).await
    } else if call.is(Method::POST) {
        create(&call, workspace, body).await
    } else {
        Err(Problem::method_not_allowed(
            "GET, HEAD, POST, OPTIONS",
            "branches are listed by GET, made by POST",
        ))
    };
    result.unwrap_or_else(|problem| problem.into_json_response(&call.request_id))
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path((workspace, branch)): Path<(String, String)>,
    request: HttpRequest,
) -> Reply {
    let (call, _) = Call::new(app, request);
    let result = if call.is_get() {
        show(&call, workspace, branch).await
    } else if call.is(Method::DELETE) {
        delete(&call, workspace, branch).await
    } else {
        Err(Problem::method_not_allowed(
            "GET, HEAD, DELETE, OPTIONS",
            "a branch is read by GET, gone by DELETE",
        ))
    };
    result.unwrap_or_else(|problem| problem.into_json_response(&call.request_id))
}

pub(super) async fn commits(
    State(app): State<Arc<App>>,
    Path(segment): Path<String>,
    request: HttpRequest,
) -> Reply {
    let (call, _) = Call::new(app, request);
    let result = if call.is_get() {
        log(&call, &segment).await
    } else {
        Err(Problem::method_not_allowed("GET, HEAD, OPTIONS", "commits are read by GET"))
    };
    result.unwrap_or_else(|problem| problem.into_json_response(&call.request_id))
}

async fn list(call: &Call, workspace: String) -> Result<Reply, Problem> {
    let branches = call.blocking(move |engine| engine.branches(Some(&workspace))).await?;
    let branches: Vec<Json> =
        branches.iter().map(|(name, commit)| json!({"name": name, "commit": commit.to_string()})).collect();
    Ok(home::json(StatusCode::OK, &json!({ "branches": branches })))
}

async fn show(call: &Call, workspace: String, branch: String) -> Result<Reply, Problem> {
    let name = branch.clone();
    let branches = call.blocking(move |engine| engine.branches(Some(&workspace))).await?;
    let found = branches.iter().find(|(known, _)| *known == branch);
    let Some((_, commit)) = found else {
        let detail = format!("there is no branch '{name}'");
        return Err(Problem::new(StatusCode::NOT_FOUND, "UNKNOWN_BRANCH", detail));
    };
    Ok(home::json(StatusCode::OK, &json!({"name": name, "commit": commit.to_string()})))
}

/// Makes a branch: `{"name": "...", "at": "..."}`, where `at` is a branch or commit and the default
/// branch if it is left out.
async fn create(call: &Call, workspace: String, body: Body) -> Result<Reply, Problem> {
    call.check_may_write()?;
    const UNDERSTOOD: &[&str] = &["application/json"];
    let media_type = content_type(&call.parts.headers, UNDERSTOOD)?;
    if !UNDERSTOOD.contains(&media_type.as_str()) {
        return Err(Problem::unsupported(&media_type, UNDERSTOOD));
    }
    let text = read_text(&call.parts.headers, body, call.app.options.body_bytes_max).await?;
    let json = parse_json(&text)?;
    let at = match json.get("at") {
        None | Some(Json::Null) => None,
        Some(Json::String(at)) => Some(at.clone()),
        Some(other) => {
            return Err(Problem::bad_request("INVALID_BODY", format!("'at' is a string, not {other}")));
        }
    };
    let Some(name) = json.get("name").and_then(Json::as_str).map(str::to_owned) else {
        return Err(Problem::bad_request("INVALID_BODY", "'name' is missing")
            .hint(r#"POST {"name": "fix", "at": "main"}"#));
    };
    let (in_workspace, branch) = (workspace.clone(), name.clone());
    let commit = call
        .blocking(move |engine| engine.create_branch(Some(&in_workspace), &branch, at.as_deref()))
        .await?;
    let mut reply = home::json(StatusCode::CREATED, &json!({"name": name, "commit": commit.to_string()}));
    let location = format!(
        "/{}/branches/{}",
        percent_encoding::utf8_percent_encode(&workspace, percent_encoding::NON_ALPHANUMERIC),
        percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC)
    );
    if let Ok(location) = location.parse() {
        reply.headers_mut().insert(header::LOCATION, location);
    }
    Ok(reply)
}

async fn delete(call: &Call, workspace: String, branch: String) -> Result<Reply, Problem> {
    call.check_may_write()?;
    call.blocking(move |engine| engine.delete_branch(Some(&workspace), &branch)).await?;
    let mut reply = Reply::new(Body::empty());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    Ok(reply)
}

/// Lists commits, newest first: `/{workspace}@{ref}/commits?limit=50`.
async fn log(call: &Call, segment: &str) -> Result<Reply, Problem> {
    let address = call.address(Some(segment))?;
    let limit = match call.query.one("limit")? {
        None => COMMITS_SHOWN,
        Some(text) => {
            text.parse::<usize>().ok().filter(|limit| *limit <= COMMITS_SHOWN_MAX).ok_or_else(|| {
                Problem::bad_request(
                    "BAD_PARAMETER",
                    format!("'limit' is a number up to {COMMITS_SHOWN_MAX}"),
                )
            })?
        }
    };
    let commits = call
        .blocking(move |engine| engine.log(address.workspace.as_deref(), address.at.as_deref(), limit))
        .await?;
    Ok(home::json(StatusCode::OK, &json!({ "commits": commits })))
}
