//! Cypher over HTTP: a statement with its parameters in, records out.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request as HttpRequest;
use axum::http::Method;
use serde_json::Value as Json;

use super::accept::RECORDS;
use super::answer::{self, Wanted};
use super::problem::Problem;
use super::request::{content_type, read_text};
use super::{App, Call, Reply};
use crate::engine::Language;
use crate::model::{Map, Value};

const JSON: &str = "application/json";
const UNDERSTOOD: &[&str] = &[JSON, "text/plain", "application/x-cypher-query", "application/cypher"];

struct Statement {
    text: String,
    parameters: Map,
}

pub(super) async fn handle(app: Arc<App>, segment: Option<String>, request: HttpRequest) -> Reply {
    let (call, body) = Call::new(app, request);
    match answer(&call, segment.as_deref(), body).await {
        Ok(reply) => reply,
        Err(problem) => problem.into_json_response(&call.request_id),
    }
}

async fn answer(call: &Call, segment: Option<&str>, body: Body) -> Result<Reply, Problem> {
    let address = call.address(segment)?;
    let statement = read(call, body).await?;
    let wanted = Wanted { accept: call.accept(), rows: RECORDS, known_commits: call.known_commits() };
    // Before anything runs: a write must not be made for an answer that cannot be given.
    wanted.rows_format()?;
    let mut request = call.request(Language::Cypher, statement.text, &address)?;
    request.parameters = statement.parameters;
    request.explain = call.query.explain()?;
    let only_reads = call.query.is_on("readonly")?;
    request.may_write = call.is(Method::POST) && !only_reads && call.check_may_write().is_ok();
    call.run(request, move |response, sink| answer::write(response, &wanted, sink)).await
}

async fn read(call: &Call, body: Body) -> Result<Statement, Problem> {
    if call.is_get() {
        let text = match (call.query.one("statement")?, call.query.one("query")?) {
            (Some(text), _) | (None, Some(text)) => text.to_owned(),
            (None, None) => return Err(no_statement()),
        };
        let parameters = match call.query.one("parameters")? {
            Some(json) => parameters(parse_json(json)?)?,
            None => Map::new(),
        };
        return Ok(Statement { text, parameters });
    }
    if !call.is(Method::POST) {
        return Err(Problem::method_not_allowed("GET, HEAD, POST, OPTIONS", "statements are sent by POST"));
    }
    let media_type = content_type(&call.parts.headers, UNDERSTOOD)?;
    if !UNDERSTOOD.contains(&media_type.as_str()) {
        return Err(Problem::unsupported(&media_type, UNDERSTOOD));
    }
    let text = read_text(&call.parts.headers, body, call.app.options.body_bytes_max).await?;
    if media_type != JSON {
        return Ok(Statement { text, parameters: Map::new() });
    }
    let Json::Object(mut object) = parse_json(&text)? else {
        return Err(Problem::bad_request("INVALID_BODY", "the body is no JSON object"));
    };
    let text = match object.remove("statement").or_else(|| object.remove("query")) {
        Some(Json::String(text)) => text,
        _ => return Err(no_statement()),
    };
    let parameters = object.remove("parameters").map_or_else(|| Ok(Map::new()), parameters)?;
    Ok(Statement { text, parameters })
}

fn no_statement() -> Problem {
    Problem::bad_request("NO_STATEMENT", "there is no statement")
        .hint(r#"POST {"statement": "MATCH (n) RETURN n LIMIT 5", "parameters": {}}"#)
}

pub(super) fn parse_json(text: &str) -> Result<Json, Problem> {
    serde_json::from_str(text).map_err(|error| {
        let mut problem = Problem::bad_request("INVALID_JSON", error.to_string());
        problem.place = Some((error.line() as u32, error.column() as u32));
        problem
    })
}

/// Returns a JSON object as parameters; null is none.
pub(super) fn parameters(json: Json) -> Result<Map, Problem> {
    match json {
        Json::Null => Ok(Map::new()),
        Json::Object(object) => Ok(object.into_iter().map(|(name, json)| (name, value(json))).collect()),
        other => {
            Err(Problem::bad_request("INVALID_PARAMETERS", format!("parameters are an object, not {other}")))
        }
    }
}

/// Returns JSON as a value. Nesting is bounded by the parser.
fn value(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Boolean(value),
        Json::Number(number) => match number.as_i64() {
            Some(value) => Value::Integer(value),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::String(text),
        Json::Array(items) => Value::List(items.into_iter().map(value).collect()),
        Json::Object(object) => {
            Value::Map(object.into_iter().map(|(key, json)| (key, value(json))).collect())
        }
    }
}
