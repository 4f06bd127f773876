//! Federation tests over HTTP: a node on loopback for each endpoint, and one that asks them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oxrdf::{GraphName, NamedNode, Quad, Term};
use reefloom::execute::ServiceHandler;
use reefloom::server::{HttpOptions, HttpServices};
use sparesults::QueryResultsFormat;

use crate::files::Suites;
use crate::manifest::Case;
use crate::server::start_with;
use crate::solutions::{self, Expected};

pub fn query(suites: &Suites, case: &Case, quads: Vec<Quad>, text: &str) -> Result<Expected, String> {
    let mut documents: BTreeMap<&str, Vec<Quad>> = BTreeMap::new();
    for (endpoint, document) in &case.services {
        let quads = suites.quads(document, GraphName::DefaultGraph)?;
        documents.entry(endpoint).or_default().extend(quads);
    }
    let endpoints = Arc::new(Endpoints::default());
    let options = HttpOptions { services: Some(endpoints.clone()), ..HttpOptions::default() };
    let mut nodes = Vec::new();
    for (endpoint, quads) in documents {
        let node = start_with(quads, options.clone())?;
        endpoints.lock().insert(endpoint.to_owned(), node.address);
        nodes.push(node);
    }
    let asked = start_with(quads, options)?;
    let text = format!("BASE <{}>\n{text}", case.action);
    let reply = asked.post("/sparql", "application/sparql-query", &text);
    match reply.status {
        200 => solutions::parse(&reply.bytes, QueryResultsFormat::Json),
        status => Err(format!("the status is {status}: {}", reply.body)),
    }
}

/// The endpoints by the names that the suite gives them; others do not exist. Endpoints ask each other too.
struct Endpoints {
    addresses: Mutex<BTreeMap<String, SocketAddr>>,
    http: HttpServices,
}

impl Default for Endpoints {
    fn default() -> Endpoints {
        Endpoints { addresses: Mutex::default(), http: HttpServices::new(vec!["*".to_owned()]) }
    }
}

impl Endpoints {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, SocketAddr>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServiceHandler for Endpoints {
    fn query(
        &self,
        endpoint: &NamedNode,
        text: &str,
        columns: usize,
    ) -> Result<Vec<Vec<Option<Term>>>, String> {
        let address = self.lock().get(endpoint.as_str()).copied();
        let address = address.ok_or_else(|| format!("no endpoint {endpoint}"))?;
        self.http.query(&NamedNode::new_unchecked(format!("http://{address}/sparql")), text, columns)
    }
}
