//! `PlainQuad`: a quad that borrows its terms as texts, before anybody has looked whether they are well-formed.

use super::term_key::{TERM_BYTES_MAX, put_lang_string_key, put_typed_literal_key};
use crate::model::{Literal, NamedNode, TermId, TermKind};

/// The terms of a quad as they stand in a line of N-Quads, without escapes.
pub struct PlainQuad<'a> {
    pub subject: PlainNode<'a>,
    pub predicate: PlainNode<'a>,
    pub object: PlainTerm<'a>,
    pub graph: Option<PlainNode<'a>>,
}

#[derive(Clone, Copy)]
pub enum PlainNode<'a> {
    Iri(&'a str),
    Constant(&'a IriConstant),
    /// The IRI that a series has for a number.
    Numbered(&'a IriSeries, u64),
    /// A label, and what is put before it.
    Blank(&'a str, &'a str),
}

#[derive(Clone, Copy)]
pub enum PlainTerm<'a> {
    Node(PlainNode<'a>),
    String(&'a str),
    LangString(&'a str, &'a str),
    Typed(&'a str, &'a str),
    /// A literal by its inline id.
    Inline(TermId),
}

/// An IRI that comes many times, such as a predicate.
#[derive(Debug)]
pub struct IriConstant {
    iri: String,
    /// Its own among all constants that a gatherer is handed, which count from 0.
    pub(super) place: usize,
}

impl IriConstant {
    /// A gatherer that is handed several has a `place` for each, from 0 on.
    pub fn new(iri: String, place: usize) -> IriConstant {
        IriConstant { iri, place }
    }

    pub fn iri(&self) -> &str {
        &self.iri
    }
}

/// IRIs that are alike but for a decimal number at their end, such as those of the nodes of one kind.
#[derive(Debug)]
pub struct IriSeries {
    start: String,
    /// Its own among all series that a gatherer is handed, which count from 0.
    pub(super) place: usize,
}

impl IriSeries {
    /// So many digits fit into a number.
    const DIGITS_MAX: usize = 19;

    /// Takes what the IRIs begin with; a gatherer that is handed several has a `place` for each, from 0 on.
    pub fn new(start: String, place: usize) -> IriSeries {
        IriSeries { start, place }
    }

    pub fn start(&self) -> &str {
        &self.start
    }

    /// Returns the number of an IRI that ends in this text: one that is written as numbers are.
    pub fn number_of(text: &str) -> Option<u64> {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit())
            && (text.len() == 1 || !text.starts_with('0'))
            && (1..=IriSeries::DIGITS_MAX).contains(&text.len());
        is_number.then(|| text.bytes().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
    }

    /// Appends the IRI of a number.
    fn put(&self, number: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(self.start.as_bytes());
        out.extend_from_slice(number.to_string().as_bytes());
    }
}

impl PlainNode<'_> {
    /// Returns how many bytes its text has at most.
    fn len(self) -> usize {
        match self {
            PlainNode::Iri(iri) => iri.len(),
            PlainNode::Constant(constant) => constant.iri.len(),
            PlainNode::Numbered(series, _) => series.start.len() + IriSeries::DIGITS_MAX,
            PlainNode::Blank(prefix, label) => prefix.len() + label.len(),
        }
    }

    /// Appends the key of the term; returns its kind.
    fn put_key(self, key: &mut Vec<u8>) -> TermKind {
        let kind = match self {
            PlainNode::Blank(..) => TermKind::BlankNode,
            PlainNode::Iri(_) | PlainNode::Constant(_) | PlainNode::Numbered(..) => TermKind::NamedNode,
        };
        key.push(kind as u8);
        match self {
            PlainNode::Iri(iri) => key.extend_from_slice(iri.as_bytes()),
            PlainNode::Constant(constant) => key.extend_from_slice(constant.iri.as_bytes()),
            PlainNode::Numbered(series, number) => series.put(number, key),
            PlainNode::Blank(prefix, label) => {
                key.extend_from_slice(prefix.as_bytes());
                key.extend_from_slice(label.as_bytes());
            }
        }
        kind
    }
}

impl PlainQuad<'_> {
    /// Returns whether dictionaries hold the triple term of it, as far as they hold its parts.
    pub(super) fn is_short_triple(&self) -> bool {
        self.subject.len() + self.predicate.len() + self.object.len() <= TERM_BYTES_MAX
    }
}

impl PlainTerm<'_> {
    /// Returns how many bytes its texts have at most.
    fn len(self) -> usize {
        match self {
            PlainTerm::Node(node) => node.len(),
            PlainTerm::String(value) => value.len(),
            PlainTerm::LangString(value, more) | PlainTerm::Typed(value, more) => value.len() + more.len(),
            PlainTerm::Inline(_) => 0,
        }
    }

    /// Returns the id of a term that is inline.
    pub(super) fn inline_id(self) -> Option<TermId> {
        match self {
            PlainTerm::Inline(id) => Some(id),
            PlainTerm::Typed(value, datatype) if TermId::has_inline(datatype) => {
                TermId::inline(&Literal::new_typed_literal(value, NamedNode::new_unchecked(datatype)))
            }
            _ => None,
        }
    }

    /// Appends the key of the term; returns its kind.
    pub(super) fn put_key(self, key: &mut Vec<u8>) -> TermKind {
        match self {
            PlainTerm::Node(node) => node.put_key(key),
            PlainTerm::String(value) => {
                key.push(TermKind::String as u8);
                key.extend_from_slice(value.as_bytes());
                TermKind::String
            }
            PlainTerm::LangString(value, language) => {
                put_lang_string_key(key, value, language, None);
                TermKind::LangString
            }
            PlainTerm::Typed(value, datatype) => {
                put_typed_literal_key(key, value, datatype);
                TermKind::TypedLiteral
            }
            PlainTerm::Inline(id) => {
                let literal = id.to_literal().expect("inline ids are of literals");
                put_typed_literal_key(key, literal.value(), literal.datatype().as_str());
                TermKind::TypedLiteral
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_series_are_those_that_are_written_as_numbers_are() {
        let series = IriSeries::new("http://example.org/".to_owned(), 3);
        for text in ["0", "7", "10", "1234567", "9999999999999999999"] {
            let number = IriSeries::number_of(text).unwrap();
            let (mut iri, mut key) = (Vec::new(), Vec::new());
            series.put(number, &mut iri);
            assert_eq!(iri, format!("http://example.org/{text}").into_bytes());
            PlainTerm::Node(PlainNode::Numbered(&series, number)).put_key(&mut key);
            assert_eq!(key[1..], iri);
        }
        for text in ["", "00", "07", "+1", "-1", "1.0", "a", "٣", "10000000000000000000"] {
            assert_eq!(IriSeries::number_of(text), None, "{text}");
        }
    }
}
