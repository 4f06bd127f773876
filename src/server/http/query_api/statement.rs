//! `Statement`: the body of a request.

use std::time::Duration;

use axum::body::Body;
use serde_json::{Map as Object, Value as Json};

use super::super::Call;
use super::super::cypher::{parameters, parse_json};
use super::super::problem::Problem;
use super::super::request::{content_type, read_text};
use super::FORMS;
use super::answer::Form;
use super::value::read_typed;
use crate::model::Map;
use crate::server::status_code::{FORBIDDEN, INVALID};

#[derive(Debug, Default)]
pub struct Statement {
    /// `None`: a request that only keeps its transaction from ending.
    pub text: Option<String>,
    pub parameters: Map,
    pub includes_counters: bool,
    pub may_write: bool,
    pub timeout: Option<Duration>,
}

impl Statement {
    /// # Errors
    /// 400, 413 and 415 for bodies that are none.
    pub async fn read(call: &Call, body: Body) -> Result<Statement, Problem> {
        let understood: Vec<&str> = FORMS.iter().map(|(name, _)| *name).collect();
        let media_type = content_type(&call.parts.headers, &understood)?;
        let text = read_text(&call.parts.headers, body, call.app.options.body_bytes_max).await?;
        if text.trim().is_empty() {
            return Ok(Statement { may_write: true, ..Statement::default() });
        }
        let form = FORMS.iter().find(|(name, _)| *name == media_type);
        let (_, form) = form.ok_or_else(|| Problem::unsupported(&media_type, &understood))?;
        match parse_json(&text)? {
            Json::Object(object) => Statement::of_json(object, *form),
            _ => Err(Problem::bad_request(INVALID, "the body is no JSON object")),
        }
    }

    /// Bookmarks are not waited for: what this node has told of, it has made durable.
    fn of_json(mut object: Object<String, Json>, form: Form) -> Result<Statement, Problem> {
        let refuse = |message: &str| Err(Problem::bad_request(INVALID, message));
        let text = match object.remove("statement") {
            None | Some(Json::Null) => None,
            Some(Json::String(text)) => Some(text).filter(|text| !text.trim().is_empty()),
            Some(_) => return refuse("'statement' is a string"),
        };
        let parameters = match (object.remove("parameters"), form) {
            (None | Some(Json::Null), _) => Map::new(),
            (Some(json), Form::Plain) => parameters(json)?,
            (Some(Json::Object(entries)), Form::Typed) => typed(entries)?,
            (Some(_), Form::Typed) => return refuse("'parameters' is an object"),
        };
        let includes_counters = match object.remove("includeCounters") {
            None | Some(Json::Null) => false,
            Some(Json::Bool(value)) => value,
            Some(_) => return refuse("'includeCounters' is true or false"),
        };
        let may_write = match object.remove("accessMode") {
            None | Some(Json::Null) => true,
            Some(Json::String(mode)) if mode.eq_ignore_ascii_case("write") => true,
            Some(Json::String(mode)) if mode.eq_ignore_ascii_case("read") => false,
            Some(_) => return refuse("'accessMode' is READ or WRITE"),
        };
        let timeout = match object.remove("maxExecutionTime") {
            None | Some(Json::Null) => None,
            Some(seconds) => match seconds.as_u64() {
                Some(seconds) => Some(Duration::from_secs(seconds)).filter(|timeout| !timeout.is_zero()),
                None => return refuse("'maxExecutionTime' is a number of seconds"),
            },
        };
        if object.get("impersonatedUser").is_some_and(|user| !user.is_null()) {
            return Err(Problem::new(
                axum::http::StatusCode::FORBIDDEN,
                FORBIDDEN,
                "there are no users to impersonate",
            ));
        }
        Ok(Statement { text, parameters, includes_counters, may_write, timeout })
    }
}

fn typed(entries: Object<String, Json>) -> Result<Map, Problem> {
    let entry = |(name, json): (String, Json)| match read_typed(json) {
        Ok(value) => Ok((name, value)),
        Err(why) => Err(Problem::bad_request(INVALID, format!("the parameter '{name}': {why}"))),
    };
    entries.into_iter().map(entry).collect()
}
