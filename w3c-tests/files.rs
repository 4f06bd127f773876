//! The suites' files, by the IRIs that manifests give them.

use std::path::PathBuf;

use oxrdf::{Graph, GraphName, Quad};
use oxrdfio::{RdfFormat, RdfParser};
use reefloom::engine::quads_of;

/// Where the suites live on the web; their relative IRIs are resolved against it.
pub const BASE: &str = "https://w3c.github.io/rdf-tests/";

/// A folder with a copy of the suites.
pub struct Suites {
    root: PathBuf,
}

impl Suites {
    pub fn new(root: PathBuf) -> Suites {
        Suites { root }
    }

    pub fn bytes(&self, iri: &str) -> Result<Vec<u8>, String> {
        let path = iri.strip_prefix(BASE).ok_or_else(|| format!("{iri} is not in the suites"))?;
        std::fs::read(self.root.join(path)).map_err(|error| format!("{iri}: {error}"))
    }

    pub fn text(&self, iri: &str) -> Result<String, String> {
        String::from_utf8(self.bytes(iri)?).map_err(|error| format!("{iri}: {error}"))
    }

    /// Reads a document; its blank nodes are no others'.
    pub fn quads(&self, iri: &str, graph: GraphName) -> Result<Vec<Quad>, String> {
        let format = format_of(iri)?;
        let parser = RdfParser::from_format(format).with_base_iri(iri).map_err(|error| error.to_string())?;
        let parser = if format.supports_datasets() { parser } else { parser.with_default_graph(graph) };
        quads_of(parser.rename_blank_nodes(), &self.bytes(iri)?)
            .map(|quad| quad.map_err(|error| format!("{iri}: {error}")))
            .collect()
    }

    pub fn graph(&self, iri: &str) -> Result<Graph, String> {
        Ok(self.quads(iri, GraphName::DefaultGraph)?.into_iter().map(oxrdf::Triple::from).collect())
    }
}

pub fn extension(iri: &str) -> &str {
    iri.rsplit('.').next().unwrap_or_default()
}

pub fn format_of(iri: &str) -> Result<RdfFormat, String> {
    RdfFormat::from_extension(extension(iri)).ok_or_else(|| format!("{iri} is in no format we know"))
}
