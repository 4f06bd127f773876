//! RDF 1.2 terms: oxrdf's types, named once here so that no other room names oxrdf.

pub use oxrdf::vocab::{rdf, xsd};
pub use oxrdf::{BlankNode, GraphName, Literal, NamedNode, NamedOrBlankNode, Term, Triple};
