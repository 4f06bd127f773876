//! Federation tests over HTTP: a node on loopback for each endpoint, and one that asks them.

use std::collections::BTreeMap;
use std::sync::Arc;

use oxrdf::{GraphName, NamedNode, Quad, Term};
use reefloom::execute::ServiceHandler;
use reefloom::server::{HttpOptions, HttpServices};
use sparesults::QueryResultsFormat;

use crate::files::Suites;
use crate::manifest::Case;
use crate::served::Served;
use crate::server::{start, start_with};
use crate::solutions::{self, Expected};

pub fn query(suites: &Suites, case: &Case, quads: Vec<Quad>, text: &str) -> Result<Expected, String> {
    let mut documents: BTreeMap<&str, Vec<Quad>> = BTreeMap::new();
    for (endpoint, document) in &case.services {
        let quads = suites.quads(document, GraphName::DefaultGraph)?;
        documents.entry(endpoint).or_default().extend(quads);
    }
    let mut nodes = BTreeMap::new();
    for (endpoint, quads) in documents {
        nodes.insert(endpoint.to_owned(), start(quads)?);
    }
    let services: Arc<dyn ServiceHandler> = Arc::new(Endpoints::new(&nodes));
    let asked = start_with(quads, HttpOptions { services: Some(services), ..HttpOptions::default() })?;
    let text = format!("BASE <{}>\n{text}", case.action);
    let reply = asked.post("/sparql", "application/sparql-query", &text);
    match reply.status {
        200 => solutions::parse(&reply.bytes, QueryResultsFormat::Json),
        status => Err(format!("the status is {status}: {}", reply.body)),
    }
}

/// The endpoints by the names that the suite gives them; others do not exist.
struct Endpoints {
    addresses: BTreeMap<String, NamedNode>,
    http: HttpServices,
}

impl Endpoints {
    fn new(nodes: &BTreeMap<String, Served>) -> Endpoints {
        let address = |node: &Served| NamedNode::new_unchecked(format!("http://{}/sparql", node.address));
        let addresses = nodes.iter().map(|(name, node)| (name.clone(), address(node))).collect();
        Endpoints { addresses, http: HttpServices::new(vec!["*".to_owned()]) }
    }
}

impl ServiceHandler for Endpoints {
    fn query(
        &self,
        endpoint: &NamedNode,
        text: &str,
        columns: usize,
    ) -> Result<Vec<Vec<Option<Term>>>, String> {
        let address =
            self.addresses.get(endpoint.as_str()).ok_or_else(|| format!("no endpoint {endpoint}"))?;
        self.http.query(address, text, columns)
    }
}
