//! RDF 1.2 terms: oxrdf's types, named once here so that no other room names oxrdf.

pub use oxrdf::vocab::{rdf, xsd};
pub use oxrdf::{BlankNode, GraphName, Literal, NamedNode, NamedOrBlankNode, Term, Triple};

/// Hands each blank node of a quad to `rename`, those within triple terms too.
pub fn rename_blank_nodes(quad: &mut oxrdf::Quad, mut rename: impl FnMut(&mut BlankNode)) {
    if let NamedOrBlankNode::BlankNode(node) = &mut quad.subject {
        rename(node);
    }
    if let GraphName::BlankNode(node) = &mut quad.graph_name {
        rename(node);
    }
    rename_blank_nodes_of_term(&mut quad.object, rename);
}

/// As [`rename_blank_nodes`], of one term.
pub fn rename_blank_nodes_of_term(mut term: &mut Term, mut rename: impl FnMut(&mut BlankNode)) {
    loop {
        match term {
            Term::BlankNode(node) => return rename(node),
            Term::Triple(triple) => {
                if let NamedOrBlankNode::BlankNode(node) = &mut triple.subject {
                    rename(node);
                }
                term = &mut triple.object;
            }
            Term::NamedNode(_) | Term::Literal(_) => return,
        }
    }
}

/// Returns whether a datatype is one of XSD's numeric types.
pub fn is_numeric_datatype(datatype: oxrdf::NamedNodeRef<'_>) -> bool {
    let Some(name) = datatype.as_str().strip_prefix("http://www.w3.org/2001/XMLSchema#") else {
        return false;
    };
    matches!(
        name,
        "integer"
            | "decimal"
            | "double"
            | "float"
            | "int"
            | "long"
            | "short"
            | "byte"
            | "nonNegativeInteger"
            | "positiveInteger"
            | "nonPositiveInteger"
            | "negativeInteger"
            | "unsignedLong"
            | "unsignedInt"
            | "unsignedShort"
            | "unsignedByte"
    )
}
