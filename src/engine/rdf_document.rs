//! RDF documents at hand: their quads, as loading files would have them.

use oxrdfio::{RdfFormat, RdfParser, RdfSyntaxError};

use super::xml_literal;

/// Parses a document with a parser that is set up for it; XML literals are made canonical.
pub fn quads_of(
    parser: RdfParser,
    bytes: &[u8],
) -> impl Iterator<Item = Result<oxrdf::Quad, RdfSyntaxError>> {
    let is_xml = parser.format() == RdfFormat::RdfXml;
    parser.for_slice(bytes).map(move |quad| {
        let mut quad = quad?;
        if is_xml {
            xml_literal::canonicalize(&mut quad);
        }
        Ok(quad)
    })
}
