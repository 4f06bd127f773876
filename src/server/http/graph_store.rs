//! The SPARQL 1.1 Graph Store HTTP Protocol: a graph is a resource.
//!
//! A graph is named by `?graph=`, is the default one by `?default`, or is the address itself:
//! `/{workspace}/rdf-graph-store/...` without the ref, since a graph has one name on all branches.
//!
//! # Source
//! SPARQL 1.1 Graph Store HTTP Protocol, 4 (identification) and 5 (operations).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request as HttpRequest;
use axum::http::{HeaderMap, Method, StatusCode, header};

use super::accept::SOLUTIONS;
use super::answer::{self, Wanted};
use super::document::{BODY, Documents};
use super::problem::Problem;
use super::request::{content_type, header_text, read_text};
use super::stream::Sink;
use super::{App, Call, Reply};
use crate::engine::{Answer, GraphRef, Language, Request, Response};
use crate::model::NamedNode;

/// Where a node has its graphs.
const ENDPOINT: &str = "/rdf-graph-store";
const PATCH: &str = "application/sparql-update";
const METHODS: &str = "GET, HEAD, PUT, POST, DELETE, PATCH, OPTIONS";

/// Which graph a request is about.
struct Target {
    graph: GraphRef,
    /// Whether the request named none, so that it got a name of its own.
    is_minted: bool,
}

impl Target {
    fn named(iri: &str) -> Result<Target, Problem> {
        let graph = NamedNode::new(iri)
            .map_err(|_| Problem::bad_request("INVALID_IRI", format!("'{iri}' is no absolute IRI")))?;
        Ok(Target { graph: GraphRef::Named(graph), is_minted: false })
    }

    /// # Errors
    /// Where the request names no graph, or several.
    fn of(call: &Call, is_direct: bool) -> Result<Target, Problem> {
        match (call.query.one("graph")?, call.query.is_on("default")?, is_direct) {
            (Some(iri), false, false) => Target::named(iri),
            (None, true, false) => Ok(Target { graph: GraphRef::Default, is_minted: false }),
            (None, false, true) => Target::named(&own_iri(call)),
            (None, false, false) if call.is(Method::POST) => {
                let graph = Target::named(&format!("{}/{}", own_iri(call), call.request_id))?;
                Ok(Target { is_minted: true, ..graph })
            }
            (None, false, false) => Err(Problem::bad_request("NO_GRAPH", "which graph?")
                .hint("?graph=<IRI>, ?default, or a path after rdf-graph-store")),
            _ => Err(Problem::bad_request("AMBIGUOUS_GRAPH", "the request names more than one graph")),
        }
    }

    /// The graph's IRI; `None` for the default graph.
    fn iri(&self) -> Option<&str> {
        match &self.graph {
            GraphRef::Named(name) => Some(name.as_str()),
            GraphRef::Default => None,
        }
    }

    fn check_exists(&self, exists: bool) -> Result<(), Problem> {
        match self.iri() {
            Some(iri) if !exists => Err(Problem::new(
                StatusCode::NOT_FOUND,
                "UNKNOWN_GRAPH",
                format!("there is no graph '{iri}'"),
            )),
            _ => Ok(()),
        }
    }
}

/// Returns the address of the request as an IRI, without its ref and query.
fn own_iri(call: &Call) -> String {
    let host = header_text(&call.parts.headers, header::HOST).unwrap_or_default();
    let path = call.parts.uri.path();
    let (segment, graph) = path.split_once(ENDPOINT).unwrap_or((path, ""));
    let workspace = segment.split('@').next().and_then(|segment| segment.split("%40").next());
    format!("http://{host}{}{ENDPOINT}{graph}", workspace.unwrap_or_default())
}

pub(super) async fn handle(
    app: Arc<App>,
    segment: Option<String>,
    is_direct: bool,
    request: HttpRequest,
) -> Reply {
    let (call, body) = Call::new(app, request);
    let reply = answer(&call, segment.as_deref(), is_direct, body).await;
    reply.unwrap_or_else(|problem| problem.into_json_response(&call.request_id))
}

async fn answer(call: &Call, segment: Option<&str>, is_direct: bool, body: Body) -> Result<Reply, Problem> {
    let address = call.address(segment)?;
    let target = Target::of(call, is_direct)?;
    let mut request = call.request(Language::SparqlQuery, "CONSTRUCT WHERE { ?s ?p ?o }", &address)?;
    request.graph = Some(target.graph.clone());
    if call.is_get() {
        return read(call, request, target).await;
    }
    call.check_may_write()?;
    request.language = Language::SparqlUpdate;
    request.may_write = true;
    let name = target.iri().unwrap_or("the default graph");
    request.message.get_or_insert_with(|| format!("{} {name}", call.parts.method));
    match call.parts.method {
        Method::PUT => {
            request.text = format!("CLEAR DEFAULT; LOAD <{BODY}>");
            store(call, request, target, body).await
        }
        Method::POST => {
            request.text = format!("LOAD <{BODY}>");
            store(call, request, target, body).await
        }
        Method::DELETE => {
            request.text = "CLEAR DEFAULT".to_owned();
            remove(call, request, target).await
        }
        Method::PATCH => {
            request.text = read_patch(call, body).await?;
            call.run(request, |response, sink| {
                answer::write_updated(response, StatusCode::OK, HeaderMap::new(), sink)
            })
            .await
        }
        _ => Err(Problem::method_not_allowed(METHODS, "graphs are read by GET, written by PUT and POST")),
    }
}

async fn read(call: &Call, request: Request, target: Target) -> Result<Reply, Problem> {
    let wanted = Wanted { accept: call.accept(), rows: SOLUTIONS, known_commits: call.known_commits() };
    call.run(request, move |mut response, sink| {
        response.prepare().map_err(answer::from_engine)?;
        target.check_exists(!matches!(&response.answer, Answer::Graph(triples) if triples.is_empty()))?;
        answer::write(response, &wanted, sink)
    })
    .await
}

/// Takes the body's triples into the graph.
async fn store(call: &Call, request: Request, target: Target, body: Body) -> Result<Reply, Problem> {
    let base = target.iri().map_or_else(|| own_iri(call), str::to_owned);
    let documents = Documents::read(call, body, base).await?;
    let is_put = call.is(Method::PUT);
    let write = move |response: Response, sink: &mut Sink| {
        let status = match (existed(&response), is_put) {
            (false, _) => StatusCode::CREATED,
            (true, true) => StatusCode::NO_CONTENT,
            (true, false) => StatusCode::OK,
        };
        let location = target.iri().filter(|_| target.is_minted);
        let location = location.and_then(|iri| Some((header::LOCATION, iri.parse().ok()?)));
        answer::write_updated(response, status, location.into_iter().collect(), sink)
    };
    call.run_prepared(request, move |request| documents.parse(request), write).await
}

async fn remove(call: &Call, request: Request, target: Target) -> Result<Reply, Problem> {
    call.run(request, move |response, sink| {
        target.check_exists(existed(&response))?;
        answer::write_updated(response, StatusCode::OK, HeaderMap::new(), sink)
    })
    .await
}

fn existed(response: &Response) -> bool {
    matches!(response.answer, Answer::Updated { graph_existed: true, .. })
}

async fn read_patch(call: &Call, body: Body) -> Result<String, Problem> {
    let media_type = content_type(&call.parts.headers, &[PATCH])?;
    if media_type != PATCH {
        return Err(Problem::unsupported(&media_type, &[PATCH]));
    }
    read_text(&call.parts.headers, body, call.app.options.body_bytes_max).await
}
