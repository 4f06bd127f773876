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
use crate::engine::BranchInfo;

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
    let (call, body) = Call::new(app, request);
    let result = if call.is_get() {
        show(&call, workspace, branch).await
    } else if call.is(Method::PATCH) {
        change(&call, workspace, branch, body).await
    } else if call.is(Method::DELETE) {
        delete(&call, workspace, branch).await
    } else {
        Err(Problem::method_not_allowed(
            "GET, HEAD, PATCH, DELETE, OPTIONS",
            "a branch is read by GET, made the default one by PATCH, gone by DELETE",
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
    let branches = call.blocking(move |engine| engine.hosted(Some(&workspace))?.branches()).await?;
    let branches: Vec<Json> = branches.iter().map(describe).collect();
    Ok(home::json(StatusCode::OK, &json!({ "branches": branches })))
}

async fn show(call: &Call, workspace: String, branch: String) -> Result<Reply, Problem> {
    let branches = call.blocking(move |engine| engine.hosted(Some(&workspace))?.branches()).await?;
    let Some(found) = branches.iter().find(|known| known.name == branch) else {
        let detail = format!("there is no branch '{branch}'");
        return Err(Problem::new(StatusCode::NOT_FOUND, "UNKNOWN_REF", detail));
    };
    Ok(home::json(StatusCode::OK, &describe(found)))
}

/// Makes a branch: `{"name": "...", "at": "..."}`, where `at` is a branch or commit and the default
/// branch if it is left out.
async fn create(call: &Call, workspace: String, body: Body) -> Result<Reply, Problem> {
    let json = read_change(call, body).await?;
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
        .blocking(move |engine| engine.hosted(Some(&in_workspace))?.create_branch(&branch, at.as_deref()))
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

/// Makes a branch the default one: `{"isDefault": true}`.
async fn change(call: &Call, workspace: String, branch: String, body: Body) -> Result<Reply, Problem> {
    if read_change(call, body).await? != json!({"isDefault": true}) {
        return Err(Problem::bad_request(
            "INVALID_BODY",
            r#"all that can be changed is {"isDefault": true}"#,
        )
        .hint("to make another branch the default one, PATCH that branch"));
    }
    let (in_workspace, name) = (workspace.clone(), branch.clone());
    call.blocking(move |engine| engine.hosted(Some(&in_workspace))?.switch(&name)).await?;
    show(call, workspace, branch).await
}

/// Reads the JSON of a request that changes branches, if it may.
async fn read_change(call: &Call, body: Body) -> Result<Json, Problem> {
    call.check_may_write()?;
    const UNDERSTOOD: &[&str] = &["application/json"];
    let media_type = content_type(&call.parts.headers, UNDERSTOOD)?;
    if !UNDERSTOOD.contains(&media_type.as_str()) {
        return Err(Problem::unsupported(&media_type, UNDERSTOOD));
    }
    let text = read_text(&call.parts.headers, body, call.app.options.body_bytes_max).await?;
    parse_json(&text)
}

async fn delete(call: &Call, workspace: String, branch: String) -> Result<Reply, Problem> {
    call.check_may_write()?;
    call.blocking(move |engine| engine.hosted(Some(&workspace))?.delete_branch(&branch)).await?;
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
        .blocking(move |engine| {
            engine.hosted(address.workspace.as_deref())?.log(address.at.as_deref(), limit)
        })
        .await?;
    let commits: Vec<Json> = commits
        .iter()
        .map(|entry| {
            let parents: Vec<String> = entry.parents.iter().map(ToString::to_string).collect();
            json!({
                "id": entry.id.to_string(),
                "parents": parents,
                "author": entry.author.to_string(),
                "timeMs": entry.time_ms,
                "message": entry.message,
            })
        })
        .collect();
    Ok(home::json(StatusCode::OK, &json!({ "commits": commits })))
}

fn describe(branch: &BranchInfo) -> Json {
    json!({"name": branch.name, "commit": branch.commit.to_string(), "isDefault": branch.is_default})
}
