//! Triples and quads in the RDF formats.

use std::io::{self, Write};

use oxrdf::{QuadRef, TripleRef};
use oxrdfio::{JsonLdProfileSet, RdfFormat, RdfSerializer, WriterQuadSerializer};

use crate::model::{GraphName, Term, Triple};

/// A format of RDF graphs and datasets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphFormat {
    Turtle,
    NTriples,
    NQuads,
    TriG,
    RdfXml,
    JsonLd,
}

impl GraphFormat {
    /// Returns the media type, without parameters.
    pub fn media_type(self) -> &'static str {
        match self {
            GraphFormat::Turtle => "text/turtle",
            GraphFormat::NTriples => "application/n-triples",
            GraphFormat::NQuads => "application/n-quads",
            GraphFormat::TriG => "application/trig",
            GraphFormat::RdfXml => "application/rdf+xml",
            GraphFormat::JsonLd => "application/ld+json",
        }
    }

    /// Returns whether the format can name graphs.
    pub fn has_graphs(self) -> bool {
        matches!(self, GraphFormat::NQuads | GraphFormat::TriG | GraphFormat::JsonLd)
    }

    fn serializer(self) -> RdfSerializer {
        RdfSerializer::from_format(match self {
            GraphFormat::Turtle => RdfFormat::Turtle,
            GraphFormat::NTriples => RdfFormat::NTriples,
            GraphFormat::NQuads => RdfFormat::NQuads,
            GraphFormat::TriG => RdfFormat::TriG,
            GraphFormat::RdfXml => RdfFormat::RdfXml,
            GraphFormat::JsonLd => RdfFormat::JsonLd { profile: JsonLdProfileSet::empty() },
        })
    }
}

/// Writes triples or quads as they come.
pub struct TriplesWriter<W: Write> {
    serializer: WriterQuadSerializer<W>,
}

impl<W: Write> TriplesWriter<W> {
    /// Makes a writer that shortens IRIs by `prefixes`, (prefix, namespace) pairs, where the
    /// format has them. A prefix or namespace that no format could take is left out.
    pub fn new(format: GraphFormat, writer: W, prefixes: &[(String, String)]) -> TriplesWriter<W> {
        let mut serializer = format.serializer();
        for (prefix, namespace) in prefixes {
            if let Ok(prefixed) = serializer.clone().with_prefix(prefix, namespace) {
                serializer = prefixed;
            }
        }
        TriplesWriter { serializer: serializer.for_writer(writer) }
    }

    /// # Errors
    /// Those of the writer, and triples that the format cannot say (RDF/XML has predicates that
    /// it cannot name).
    pub fn write(&mut self, triple: &Triple) -> io::Result<()> {
        self.serializer.serialize_triple(TripleRef::from(triple))
    }

    /// # Errors
    /// As [`TriplesWriter::write`]; also where the format has no graphs and `graph` is a name.
    pub fn write_quad(&mut self, triple: &Triple, graph: &GraphName) -> io::Result<()> {
        let triple = TripleRef::from(triple);
        self.serializer.serialize_quad(QuadRef {
            subject: triple.subject,
            predicate: triple.predicate,
            object: triple.object,
            graph_name: graph.as_ref(),
        })
    }

    pub fn finish(self) -> io::Result<W> {
        self.serializer.finish()
    }
}

/// Returns the triple of three terms, if RDF allows it.
pub fn triple_of(subject: Term, predicate: Term, object: Term) -> Option<Triple> {
    let subject = match subject {
        Term::NamedNode(node) => node.into(),
        Term::BlankNode(node) => node.into(),
        _ => return None,
    };
    let Term::NamedNode(predicate) = predicate else { return None };
    Some(Triple { subject, predicate, object })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Literal, NamedNode};

    fn check(format: GraphFormat, expected: &str) {
        let prefixes = [("x".to_owned(), "http://x/".to_owned()), ("bad prefix".to_owned(), "::".to_owned())];
        let mut writer = TriplesWriter::new(format, Vec::new(), &prefixes);
        let node = NamedNode::new_unchecked("http://x/a");
        writer.write(&Triple::new(node.clone(), node, Literal::from(true))).unwrap();
        let text = String::from_utf8(writer.finish().unwrap()).unwrap();
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn every_format_writes_a_triple() {
        check(
            GraphFormat::NTriples,
            "<http://x/a> <http://x/a> \"true\"^^<http://www.w3.org/2001/XMLSchema#boolean> .",
        );
        check(GraphFormat::NQuads, "<http://x/a> <http://x/a> ");
        check(GraphFormat::Turtle, "x:a x:a true");
        check(GraphFormat::TriG, "x:a x:a true");
        check(GraphFormat::RdfXml, "<x:a");
        check(GraphFormat::JsonLd, "\"@id\"");
    }
}
