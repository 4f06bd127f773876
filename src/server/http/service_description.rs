//! What a SPARQL endpoint says of itself to whoever asks it nothing.
//!
//! # Source
//! SPARQL 1.1 Service Description, 2 (accessing) and 3 (vocabulary).

use axum::body::Body;
use axum::http::{HeaderValue, header};

use super::accept::{GRAPHS, negotiate};
use super::address::Address;
use super::answer::{content_type, from_io};
use super::problem::Problem;
use super::request::header_text;
use super::{Call, Reply};
use crate::model::{BlankNode, NamedNode, NamedOrBlankNode, Term, Triple};
use crate::results::{GraphFormat, TriplesWriter};

const SD: &str = "http://www.w3.org/ns/sparql-service-description#";
const FORMATS: &str = "http://www.w3.org/ns/formats/";
const TYPE: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type";

const RESULT_FORMATS: &[&str] = &[
    "SPARQL_Results_JSON",
    "SPARQL_Results_XML",
    "SPARQL_Results_CSV",
    "SPARQL_Results_TSV",
    "Turtle",
    "N-Triples",
    "RDF_XML",
    "JSON-LD",
    "N-Quads",
    "TriG",
];

/// Answers a GET of an endpoint that carries no operation.
pub(super) async fn describe(call: &Call, address: Address) -> Result<Reply, Problem> {
    let (media_type, format) = negotiate(call.accept().as_deref(), GRAPHS)
        .ok_or_else(|| Problem::not_acceptable(GRAPHS.iter().map(|(name, _)| *name)))?;
    let is_union = call
        .blocking(move |engine| {
            let hosted = engine.hosted(address.workspace.as_deref())?;
            hosted.resolve(address.at.as_deref())?;
            Ok(hosted.workspace().settings()?.union_default_graph)
        })
        .await?;
    let host = header_text(&call.parts.headers, header::HOST).unwrap_or_default();
    let endpoint = NamedNode::new(format!("http://{host}{}", call.parts.uri.path()))
        .map_err(|error| Problem::bad_request("INVALID_IRI", format!("the address is no IRI: {error}")))?;
    let service = Service {
        endpoint,
        is_union,
        is_read_only: call.app.options.read_only,
        federates: call.app.options.services.is_some(),
    };
    let mut reply = Reply::new(Body::from(service.write(format).map_err(from_io)?));
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type(media_type));
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    Ok(reply)
}

/// What there is to say of an endpoint.
struct Service {
    endpoint: NamedNode,
    /// Whether the default graph is the union of all graphs.
    is_union: bool,
    is_read_only: bool,
    /// Whether SERVICE is answered.
    federates: bool,
}

impl Service {
    fn write(self, format: GraphFormat) -> std::io::Result<Vec<u8>> {
        let prefixes = [("sd".to_owned(), SD.to_owned()), ("formats".to_owned(), FORMATS.to_owned())];
        let mut writer = TriplesWriter::new(format, Vec::new(), &prefixes);
        for triple in self.triples() {
            writer.write(&triple)?;
        }
        writer.finish()
    }

    fn triples(self) -> Vec<Triple> {
        let (service, dataset, graph) = (BlankNode::default(), BlankNode::default(), BlankNode::default());
        let mut triples = vec![
            triple(&service, TYPE, sd("Service")),
            triple(&service, &sd_iri("endpoint"), self.endpoint),
            triple(&service, &sd_iri("supportedLanguage"), sd("SPARQL10Query")),
            triple(&service, &sd_iri("supportedLanguage"), sd("SPARQL11Query")),
        ];
        if !self.is_read_only {
            triples.push(triple(&service, &sd_iri("supportedLanguage"), sd("SPARQL11Update")));
        }
        for format in RESULT_FORMATS {
            let format = NamedNode::new_unchecked(format!("{FORMATS}{format}"));
            triples.push(triple(&service, &sd_iri("resultFormat"), format));
        }
        if self.is_union {
            triples.push(triple(&service, &sd_iri("feature"), sd("UnionDefaultGraph")));
        }
        if self.federates {
            triples.push(triple(&service, &sd_iri("feature"), sd("BasicFederatedQuery")));
        }
        triples.extend([
            triple(&service, &sd_iri("defaultDataset"), dataset.clone()),
            triple(&dataset, TYPE, sd("Dataset")),
            triple(&dataset, &sd_iri("defaultGraph"), graph.clone()),
            triple(&graph, TYPE, sd("Graph")),
        ]);
        triples
    }
}

fn sd_iri(name: &str) -> String {
    format!("{SD}{name}")
}

fn sd(name: &str) -> NamedNode {
    NamedNode::new_unchecked(sd_iri(name))
}

fn triple(subject: &BlankNode, predicate: &str, object: impl Into<Term>) -> Triple {
    let subject = NamedOrBlankNode::from(subject.clone());
    Triple { subject, predicate: NamedNode::new_unchecked(predicate), object: object.into() }
}
