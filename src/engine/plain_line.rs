//! Lines of N-Triples and N-Quads that need no parser: no escapes, no comments, no triple terms, labels
//! and languages of plain letters. Most lines of most files are such.
//!
//! Whatever is taken here is well-formed, but for IRIs and language tags, which are yet to be checked;
//! whatever is not taken may be well-formed or not.

use crate::graph::{PlainNode, PlainQuad, PlainTerm};
use crate::model::{rdf, xsd};

/// What the lines are read as.
pub struct PlainSyntax<'a> {
    /// Whether a graph may stand in a line.
    pub has_graphs: bool,
    /// Where triples go that name no graph.
    pub graph: Option<PlainNode<'a>>,
    /// What stands before the labels of blank nodes.
    pub blank_prefix: &'a str,
}

/// Takes a line apart, if it is plain.
pub fn parse_plain<'a>(line: &'a str, syntax: &PlainSyntax<'a>) -> Option<PlainQuad<'a>> {
    let (subject, rest) = node(line, syntax)?;
    let (predicate, rest) = iri(space(rest)?)?;
    let (object, rest) = term(space(rest)?, syntax)?;
    let rest = spaces(rest);
    let (graph, rest) = match syntax.has_graphs && !rest.starts_with('.') {
        true => {
            let (graph, rest) = node(rest, syntax)?;
            (Some(graph), spaces(rest))
        }
        false => (syntax.graph, rest),
    };
    let rest = spaces(rest.strip_prefix('.')?);
    let predicate = PlainNode::Iri(predicate);
    matches!(rest, "" | "\r").then_some(PlainQuad { subject, predicate, object, graph })
}

fn node<'a>(text: &'a str, syntax: &PlainSyntax<'a>) -> Option<(PlainNode<'a>, &'a str)> {
    if text.starts_with('<') {
        let (iri, rest) = iri(text)?;
        return Some((PlainNode::Iri(iri), rest));
    }
    let label = text.strip_prefix("_:")?;
    let len = label.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    let (label, rest) = label.split_at(len);
    (len > 0 && rest.starts_with([' ', '\t'])).then_some((PlainNode::Blank(syntax.blank_prefix, label), rest))
}

fn term<'a>(text: &'a str, syntax: &PlainSyntax<'a>) -> Option<(PlainTerm<'a>, &'a str)> {
    let Some(text) = text.strip_prefix('"') else {
        let (node, rest) = node(text, syntax)?;
        return Some((PlainTerm::Node(node), rest));
    };
    let end = memchr::memchr3(b'"', b'\\', b'\r', text.as_bytes())?;
    let (value, rest) = (&text[..end], text[end..].strip_prefix('"')?);
    if let Some(typed) = rest.strip_prefix("^^") {
        let (datatype, rest) = iri(typed)?;
        let is_odd = datatype == rdf::LANG_STRING.as_str() || datatype == rdf::DIR_LANG_STRING.as_str();
        return match datatype == xsd::STRING.as_str() {
            true => Some((PlainTerm::String(value), rest)),
            false => (!is_odd).then_some((PlainTerm::Typed(value, datatype), rest)),
        };
    }
    let Some(tagged) = rest.strip_prefix('@') else { return Some((PlainTerm::String(value), rest)) };
    // Tags are kept in lower case, and a direction follows "--".
    let is_tag = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    let (language, rest) = tagged.split_at(tagged.bytes().take_while(|byte| is_tag(byte)).count());
    let is_plain = !language.is_empty() && !language.contains("--") && rest.starts_with([' ', '\t', '.']);
    is_plain.then_some((PlainTerm::LangString(value, language), rest))
}

fn iri(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('<')?;
    let end = memchr::memchr2(b'>', b'\\', text.as_bytes())?;
    Some((&text[..end], text[end..].strip_prefix('>')?))
}

/// Skips the space that stands between terms; some must.
fn space(text: &str) -> Option<&str> {
    text.starts_with([' ', '\t']).then(|| spaces(text))
}

fn spaces(text: &str) -> &str {
    match text.as_bytes() {
        // The usual one.
        [b' ', next, ..] if *next > b' ' => &text[1..],
        _ => text.trim_start_matches([' ', '\t']),
    }
}
