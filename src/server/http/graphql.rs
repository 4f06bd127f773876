//! GraphQL over HTTP.
//!
//! # Source
//! The GraphQL over HTTP working draft; the statuses are those that the audits of npm
//! `graphql-http` ask for.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request as HttpRequest;
use axum::http::{Method, StatusCode};
use serde_json::Value as Json;

use super::accept::{Offer, names, negotiate};
use super::cypher::{parameters, parse_json};
use super::problem::Problem;
use super::request::{content_type, read_text};
use super::{App, Call, Reply, answer};
use crate::engine::Language;
use crate::model::Map;

const JSON: &str = "application/json";
const RESPONSE: &str = "application/graphql-response+json";
const UNDERSTOOD: &[&str] = &[JSON];
/// A client that says nothing, or `*/*`, is taken for an old one.
const OFFERS: &[Offer<()>] = &[(JSON, ()), (RESPONSE, ())];

struct Document {
    text: String,
    operation: Option<String>,
    variables: Map,
}

pub(super) async fn handle(app: Arc<App>, segment: Option<String>, request: HttpRequest) -> Reply {
    let (call, body) = Call::new(app, request);
    let accept = call.accept();
    // Browsers name HTML and then accept anything.
    let is_browser = call.is_get() && names(accept.as_deref(), "text/html");
    if is_browser && call.query.all("query").next().is_none() {
        return super::home::graphql_page();
    }
    let Some((media_type, ())) = negotiate(accept.as_deref(), OFFERS) else {
        return Problem::not_acceptable(OFFERS.iter().map(|(name, ())| *name))
            .into_json_response(&call.request_id);
    };
    match answer(&call, segment.as_deref(), body, media_type).await {
        Ok(reply) => reply,
        Err(mut problem) => {
            // In the old media type a document with faults is a request that was understood.
            if !problem.faults.is_empty() && media_type == JSON {
                problem.status = StatusCode::OK;
            }
            problem.into_graphql_response(media_type, &call.request_id)
        }
    }
}

async fn answer(
    call: &Call,
    segment: Option<&str>,
    body: Body,
    media_type: &'static str,
) -> Result<Reply, Problem> {
    let address = call.address(segment)?;
    let document = read(call, body).await?;
    let mut request = call.request(Language::GraphQl, document.text, &address)?;
    request.operation = document.operation;
    request.parameters = document.variables;
    request.explain = call.query.explain()?;
    request.may_write = call.is(Method::POST) && call.check_may_write().is_ok();
    let known_commits = call.known_commits();
    call.run(request, move |response, sink| {
        answer::write_graphql(response, media_type, known_commits.as_deref(), sink)
    })
    .await
}

async fn read(call: &Call, body: Body) -> Result<Document, Problem> {
    if call.is_get() {
        let text = call.query.one("query")?.ok_or_else(no_query)?.to_owned();
        let operation = call.query.one("operationName")?.filter(|name| !name.is_empty()).map(str::to_owned);
        let variables = match call.query.one("variables")? {
            None | Some("") => Map::new(),
            Some(json) => parameters(parse_json(json)?)?,
        };
        return Ok(Document { text, operation, variables });
    }
    if !call.is(Method::POST) {
        return Err(Problem::method_not_allowed(
            "GET, HEAD, POST, OPTIONS",
            "operations are sent by GET or POST",
        ));
    }
    let media_type = content_type(&call.parts.headers, UNDERSTOOD)?;
    if media_type != JSON {
        return Err(Problem::unsupported(&media_type, UNDERSTOOD));
    }
    let text = read_text(&call.parts.headers, body, call.app.options.body_bytes_max).await?;
    let Json::Object(mut object) = parse_json(&text)? else {
        return Err(Problem::bad_request("INVALID_BODY", "the body is no JSON object")
            .hint("batches of operations are not served"));
    };
    let text = match object.remove("query") {
        Some(Json::String(text)) => text,
        _ => return Err(no_query()),
    };
    let operation = match object.remove("operationName") {
        None | Some(Json::Null) => None,
        Some(Json::String(name)) if name.is_empty() => None,
        Some(Json::String(name)) => Some(name),
        Some(_) => return Err(Problem::bad_request("INVALID_BODY", "operationName is no string")),
    };
    if let Some(extensions) = object.get("extensions")
        && !matches!(extensions, Json::Null | Json::Object(_))
    {
        return Err(Problem::bad_request("INVALID_BODY", "extensions is no object"));
    }
    let variables = object.remove("variables").map_or_else(|| Ok(Map::new()), parameters)?;
    Ok(Document { text, operation, variables })
}

fn no_query() -> Problem {
    Problem::bad_request("NO_QUERY", "there is no query").hint(r#"POST {"query": "{ __typename }"}"#)
}
