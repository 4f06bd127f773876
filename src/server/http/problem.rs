//! Problems: every refusal and failure as `application/problem+json` (RFC 9457).

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::server::status_code;

/// A refusal or failure, before it is put into words for one client.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub status: StatusCode,
    /// Our name for what went wrong, in `UPPER_SNAKE_CASE` or a language's own code.
    pub code: String,
    pub detail: String,
    /// Line and column, from 1, where the fault lies in a text.
    pub place: Option<(u32, u32)>,
    pub hint: Option<String>,
    /// Further members.
    pub more: Vec<(&'static str, Value)>,
    /// Headers that belong to the status.
    pub headers: Vec<(header::HeaderName, String)>,
    /// GraphQL: all faults of a document, (message, code, place).
    pub faults: Vec<(String, String, (u32, u32))>,
}

impl Problem {
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Problem {
        Problem {
            status,
            code: code.to_owned(),
            detail: detail.into(),
            place: None,
            hint: None,
            more: Vec::new(),
            headers: Vec::new(),
            faults: Vec::new(),
        }
    }

    pub fn bad_request(code: &str, detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, code, detail)
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = Some(hint.into());
        self
    }

    pub fn header(mut self, name: header::HeaderName, value: impl Into<String>) -> Problem {
        self.headers.push((name, value.into()));
        self
    }

    /// The 406 that lists what is on offer.
    pub fn not_acceptable(offers: impl Iterator<Item = &'static str>) -> Problem {
        let offers: Vec<&str> = offers.collect();
        let mut problem = Problem::new(
            StatusCode::NOT_ACCEPTABLE,
            "NOT_ACCEPTABLE",
            format!("none of the types in Accept is on offer; there are {}", offers.join(", ")),
        );
        problem.more.push(("available", json!(offers)));
        problem
    }

    /// The 415 that names what is understood.
    pub fn unsupported(content_type: &str, understood: &[&str]) -> Problem {
        let found = if content_type.is_empty() { "no Content-Type" } else { content_type };
        Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UNSUPPORTED_MEDIA_TYPE",
            format!("found {found}; send one of {}", understood.join(", ")),
        )
    }

    /// The 405 with the methods that do work.
    pub fn method_not_allowed(allow: &'static str, detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", detail)
            .header(header::ALLOW, allow)
    }

    pub fn into_json_response(self, request_id: &str) -> Response<Body> {
        let mut object = Map::new();
        object.insert("type".into(), "about:blank".into());
        object.insert("title".into(), self.status.canonical_reason().unwrap_or("Error").into());
        object.insert("status".into(), self.status.as_u16().into());
        object.insert("detail".into(), self.detail.clone().into());
        object.insert("code".into(), self.code.clone().into());
        if let Some((line, column)) = self.place {
            object.insert("line".into(), line.into());
            object.insert("column".into(), column.into());
        }
        if let Some(hint) = &self.hint {
            object.insert("hint".into(), hint.clone().into());
        }
        object.insert("requestId".into(), request_id.into());
        for (name, value) in &self.more {
            object.insert((*name).into(), value.clone());
        }
        let body = format!("{:#}\n", Value::Object(object));
        self.into_response("application/problem+json", body)
    }

    /// The form for SPARQL clients, which show the body of a 400 to a person.
    pub fn into_text_response(self, request_id: &str) -> Response<Body> {
        let place =
            self.place.map(|(line, column)| format!("line {line}, column {column}: ")).unwrap_or_default();
        let hint = self.hint.as_ref().map(|hint| format!("\n{hint}")).unwrap_or_default();
        let body = format!("{place}{}{hint}\n({}, request {request_id})\n", self.detail, self.code);
        self.into_response("text/plain; charset=utf-8", body)
    }

    /// The form for clients of Neo4j's Query API, which know its codes only.
    pub fn into_neo4j_response(self) -> Response<Body> {
        let code = match self.code.as_str() {
            code if code.starts_with("Neo.") => code,
            _ if self.status == StatusCode::TOO_MANY_REQUESTS => {
                "Neo.TransientError.Request.NoThreadsAvailable"
            }
            _ if self.status.is_client_error() => status_code::INVALID,
            _ => status_code::INSIDE,
        };
        let hint = self.hint.as_ref().map(|hint| format!("\n{hint}")).unwrap_or_default();
        let message = format!("{}{hint}", self.detail);
        let body = json!({ "errors": [{ "code": code, "message": message }] }).to_string();
        self.into_response("application/json", body)
    }

    /// The form for GraphQL clients: a response with errors and no data.
    pub fn into_graphql_response(self, media_type: &'static str, request_id: &str) -> Response<Body> {
        let error = |message: &str, code: &str, place: Option<(u32, u32)>| {
            let mut error = Map::new();
            error.insert("message".into(), message.into());
            if let Some((line, column)) = place {
                error.insert("locations".into(), json!([{"line": line, "column": column}]));
            }
            let mut extensions = Map::new();
            extensions.insert("code".into(), code.into());
            if let Some(hint) = &self.hint {
                extensions.insert("hint".into(), hint.clone().into());
            }
            extensions.insert("requestId".into(), request_id.into());
            extensions.extend(self.more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
            error.insert("extensions".into(), extensions.into());
            Value::Object(error)
        };
        let errors: Vec<Value> = if self.faults.is_empty() {
            vec![error(&self.detail, &self.code, self.place)]
        } else {
            self.faults.iter().map(|(message, code, place)| error(message, code, Some(*place))).collect()
        };
        let body = json!({ "errors": errors }).to_string();
        self.into_response(media_type, body)
    }

    fn into_response(self, media_type: &'static str, body: String) -> Response<Body> {
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}
