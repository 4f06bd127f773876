//! The SPARQL 1.1 Protocol: queries and updates, in each of the ways that clients send them.
//!
//! # Source
//! SPARQL 1.1 Protocol, 2.1 (query operation) and 2.2 (update operation).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request as HttpRequest;
use axum::http::{Method, StatusCode};

use super::accept::{SOLUTIONS, names, negotiate};
use super::answer::{self, Wanted};
use super::problem::Problem;
use super::request::{Parameters, content_type, read_text};
use super::{App, Call, Reply, service_description};
use crate::engine::Language;
use crate::model::NamedNode;

const FORM: &str = "application/x-www-form-urlencoded";
const QUERY: &str = "application/sparql-query";
const UPDATE: &str = "application/sparql-update";
const UNDERSTOOD: &[&str] = &[FORM, QUERY, UPDATE];

const GRAPHS: [&str; 4] =
    ["default-graph-uri", "named-graph-uri", "using-graph-uri", "using-named-graph-uri"];

/// One operation, however it was sent.
struct Operation {
    language: Language,
    text: String,
    /// The query string, or the form.
    parameters: Parameters,
}

pub(super) async fn handle(app: Arc<App>, segment: Option<String>, request: HttpRequest) -> Reply {
    let (call, body) = Call::new(app, request);
    match answer(&call, segment.as_deref(), body).await {
        Ok(reply) => reply,
        Err(problem) if problem.status == StatusCode::BAD_REQUEST && !prefers_json(&call) => {
            problem.into_text_response(&call.request_id)
        }
        Err(problem) => problem.into_json_response(&call.request_id),
    }
}

async fn answer(call: &Call, segment: Option<&str>, body: Body) -> Result<Reply, Problem> {
    let address = call.address(segment)?;
    if call.is_get() && !has_any(&call.query, &["query", "update"]) && !has_any(&call.query, &GRAPHS) {
        return service_description::describe(call, address).await;
    }
    let operation = read(call, body).await?;
    let is_update = operation.language == Language::SparqlUpdate;
    if is_update {
        call.check_may_write()?;
    }
    let mut request = call.request(operation.language, operation.text, &address)?;
    let (default, named) = match is_update {
        true => ("using-graph-uri", "using-named-graph-uri"),
        false => ("default-graph-uri", "named-graph-uri"),
    };
    request.default_graphs = graphs(&operation.parameters, default)?;
    request.named_graphs = graphs(&operation.parameters, named)?;
    request.explain = call.query.explain()?.or(operation.parameters.explain()?);
    request.may_write = is_update;
    let wanted = Wanted { accept: call.accept(), rows: SOLUTIONS, known_commits: call.known_commits() };
    call.run(request, move |response, sink| answer::write(response, &wanted, sink)).await
}

/// Reads the operation that a request carries.
async fn read(call: &Call, body: Body) -> Result<Operation, Problem> {
    if call.is_get() {
        if call.query.one("update")?.is_some() {
            return Err(Problem::method_not_allowed("POST", "updates are sent by POST"));
        }
        return operation(call.query.clone(), call.query.clone());
    }
    if !call.is(Method::POST) {
        return Err(Problem::method_not_allowed(
            "GET, HEAD, POST, OPTIONS",
            "queries are sent by GET or POST",
        ));
    }
    let media_type = content_type(&call.parts.headers, UNDERSTOOD)?;
    let language = match media_type.as_str() {
        FORM => None,
        QUERY => Some(Language::SparqlQuery),
        UPDATE => Some(Language::SparqlUpdate),
        other => return Err(Problem::unsupported(other, UNDERSTOOD)),
    };
    let text = read_text(&call.parts.headers, body, call.app.options.body_bytes_max).await?;
    match language {
        None => operation(Parameters::parse(text.as_bytes()), call.query.clone()),
        Some(language) => Ok(Operation { language, text, parameters: call.query.clone() }),
    }
}

/// Takes the one operation out of parameters. Graphs may stand in a form's own parameters or,
/// where the form has none, in the query string.
fn operation(parameters: Parameters, query_string: Parameters) -> Result<Operation, Problem> {
    let (language, text) = match (parameters.one("query")?, parameters.one("update")?) {
        (Some(query), None) => (Language::SparqlQuery, query.to_owned()),
        (None, Some(update)) => (Language::SparqlUpdate, update.to_owned()),
        (Some(_), Some(_)) => {
            return Err(Problem::bad_request(
                "AMBIGUOUS_OPERATION",
                "there is a query and an update: send one",
            ));
        }
        (None, None) => {
            return Err(Problem::bad_request("NO_OPERATION", "there is no query")
                .hint("GET ?query=..., or POST a form with query= or update=, or POST the text itself"));
        }
    };
    let parameters = if has_any(&parameters, &GRAPHS) { parameters } else { query_string };
    Ok(Operation { language, text, parameters })
}

fn has_any(parameters: &Parameters, names: &[&str]) -> bool {
    names.iter().any(|name| parameters.all(name).next().is_some())
}

fn graphs(parameters: &Parameters, name: &str) -> Result<Vec<NamedNode>, Problem> {
    let graph = |iri: &str| {
        NamedNode::new(iri)
            .map_err(|_| Problem::bad_request("INVALID_IRI", format!("'{iri}' in {name} is no absolute IRI")))
    };
    parameters.all(name).map(graph).collect()
}

/// Returns whether a client reads problems as JSON rather than shows the text to a person.
fn prefers_json(call: &Call) -> bool {
    let accept = call.accept();
    let accept = accept.as_deref();
    let offers = [("application/problem+json", true), ("text/plain", false)];
    names(accept, "application/json") || negotiate(accept, &offers).is_some_and(|(_, is_json)| is_json)
}
