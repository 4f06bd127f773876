//! Content negotiation: which of the formats on offer a client would rather have.
//!
//! # Source
//! RFC 9110, 12.5.1 (Accept) and 12.4.2 (quality values).

use crate::engine::AnswerFormat;
use crate::results::{GraphFormat, SolutionsFormat};

/// A media type on offer, and what it stands for. Several names may stand for one format.
pub(super) type Offer<T> = (&'static str, T);

/// Formats of rows, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowsFormat {
    Solutions(SolutionsFormat),
    Records,
    /// A table for people.
    Table,
}

pub(super) const SOLUTIONS: &[Offer<RowsFormat>] = &[
    ("application/sparql-results+json", RowsFormat::Solutions(SolutionsFormat::Json)),
    ("application/json", RowsFormat::Solutions(SolutionsFormat::Json)),
    ("application/sparql-results+xml", RowsFormat::Solutions(SolutionsFormat::Xml)),
    ("text/csv", RowsFormat::Solutions(SolutionsFormat::Csv)),
    ("text/tab-separated-values", RowsFormat::Solutions(SolutionsFormat::Tsv)),
    ("application/xml", RowsFormat::Solutions(SolutionsFormat::Xml)),
    ("text/xml", RowsFormat::Solutions(SolutionsFormat::Xml)),
    ("text/json", RowsFormat::Solutions(SolutionsFormat::Json)),
    ("text/javascript", RowsFormat::Solutions(SolutionsFormat::Json)),
    ("application/javascript", RowsFormat::Solutions(SolutionsFormat::Json)),
    ("text/tsv", RowsFormat::Solutions(SolutionsFormat::Tsv)),
    ("text/plain", RowsFormat::Table),
];

pub(super) const RECORDS: &[Offer<RowsFormat>] = &[
    ("application/json", RowsFormat::Records),
    ("application/sparql-results+json", RowsFormat::Solutions(SolutionsFormat::Json)),
    ("text/csv", RowsFormat::Solutions(SolutionsFormat::Csv)),
    ("text/tab-separated-values", RowsFormat::Solutions(SolutionsFormat::Tsv)),
    ("application/sparql-results+xml", RowsFormat::Solutions(SolutionsFormat::Xml)),
    ("text/plain", RowsFormat::Table),
];

/// Plans are for people first.
pub(super) const EXPLANATIONS: &[Offer<AnswerFormat>] =
    &[("text/plain", AnswerFormat::Table), ("application/json", AnswerFormat::Json)];

pub(super) const GRAPHS: &[Offer<GraphFormat>] = &[
    ("text/turtle", GraphFormat::Turtle),
    ("application/n-triples", GraphFormat::NTriples),
    ("application/rdf+xml", GraphFormat::RdfXml),
    ("application/ld+json", GraphFormat::JsonLd),
    ("application/n-quads", GraphFormat::NQuads),
    ("application/trig", GraphFormat::TriG),
    ("application/x-turtle", GraphFormat::Turtle),
    ("text/plain", GraphFormat::NTriples),
    ("text/x-nquads", GraphFormat::NQuads),
    ("application/xml", GraphFormat::RdfXml),
    ("text/xml", GraphFormat::RdfXml),
    ("application/x-json+ld", GraphFormat::JsonLd),
    ("application/json", GraphFormat::JsonLd),
];

/// Chooses among `offers`, best first. Without an Accept header, the first.
///
/// A type that the header names wins over one that only a wildcard covers at the same quality.
/// `None`: nothing on offer is acceptable.
pub(super) fn negotiate<T: Copy>(accept: Option<&str>, offers: &[Offer<T>]) -> Option<Offer<T>> {
    let ranges = match accept.map(str::trim) {
        None | Some("") => return offers.first().copied(),
        Some(accept) => parse(accept),
    };
    let mut best: Option<(Offer<T>, (u16, u8))> = None;
    for offer in offers {
        let Some((specificity, quality)) = ranges
            .iter()
            .filter_map(|range| Some((range.specificity(offer.0)?, range.quality)))
            .max_by_key(|(specificity, _)| *specificity)
        else {
            continue;
        };
        let rank = (quality, specificity);
        if quality > 0 && best.as_ref().is_none_or(|(_, known)| rank > *known) {
            best = Some((*offer, rank));
        }
    }
    best.map(|(offer, _)| offer)
}

/// Returns whether the header names this type itself, not by a wildcard.
pub(super) fn names(accept: Option<&str>, media_type: &str) -> bool {
    let ranges = accept.map(parse).unwrap_or_default();
    ranges.iter().any(|range| range.quality > 0 && range.specificity(media_type) == Some(2))
}

/// Returns the quality, in thousandths, that a list of words gives one of them, by name or by `*`.
pub(super) fn quality_of(list: &str, word: &str) -> u16 {
    let quality = |name: &str| {
        let mut words = list.split(',').filter_map(|part| {
            let mut parameters = part.split(';').map(str::trim);
            let name = parameters.next()?;
            Some((name, quality(parameters)?))
        });
        words.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, quality)| quality)
    };
    quality(word).or_else(|| quality("*")).unwrap_or(0)
}

struct MediaRange {
    main: String,
    sub: String,
    /// In thousandths.
    quality: u16,
}

impl MediaRange {
    fn specificity(&self, media_type: &str) -> Option<u8> {
        let (main, sub) = media_type.split_once('/')?;
        match (self.main.as_str(), self.sub.as_str()) {
            ("*", "*") => Some(0),
            (own, "*") if own == main => Some(1),
            (own_main, own_sub) if own_main == main && own_sub == sub => Some(2),
            _ => None,
        }
    }
}

/// Parses an Accept header; ranges that make no sense are left out.
fn parse(accept: &str) -> Vec<MediaRange> {
    let range = |part: &str| {
        let mut parameters = part.split(';').map(str::trim);
        let media_type = parameters.next()?.to_ascii_lowercase();
        let (main, sub) = match media_type.as_str() {
            // What some old clients send for "anything".
            "*" => ("*", "*"),
            other => other.split_once('/')?,
        };
        let quality = quality(parameters)?;
        Some(MediaRange { main: main.trim().to_owned(), sub: sub.trim().to_owned(), quality })
    };
    accept.split(',').filter_map(range).collect()
}

/// Returns the quality among parameters, in thousandths; `None` if it makes no sense.
fn quality<'a>(parameters: impl Iterator<Item = &'a str>) -> Option<u16> {
    let mut named = parameters.filter_map(|parameter| parameter.split_once('='));
    let quality = match named.find(|(name, _)| name.trim().eq_ignore_ascii_case("q")) {
        Some((_, text)) => text.trim().parse::<f32>().ok().filter(|q| (0.0..=1.0).contains(q))?,
        None => 1.0,
    };
    Some((quality * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accept: &str, expected: Option<&str>) {
        let accept_header = (accept != "-").then_some(accept);
        assert_eq!(negotiate(accept_header, SOLUTIONS).map(|(name, _)| name), expected, "{accept}");
    }

    #[test]
    fn quality_then_specificity_then_our_order() {
        let json = Some("application/sparql-results+json");
        check("-", json);
        check("", json);
        check("*/*", json);
        check("*", json);
        check("text/csv", Some("text/csv"));
        check("text/csv;q=0.5, application/sparql-results+xml", Some("application/sparql-results+xml"));
        check("text/csv;q=0.5, application/sparql-results+xml;q=0.4", Some("text/csv"));
        check("text/*", Some("text/csv"));
        check("*/*;q=0.1, text/tab-separated-values", Some("text/tab-separated-values"));
        check("*/*, application/sparql-results+xml", Some("application/sparql-results+xml"));
        check("application/sparql-results+json;q=0, */*", Some("application/json"));
        check("APPLICATION/JSON; charset=utf-8", Some("application/json"));
        check("text/html, application/x-json+ld, text/javascript", Some("text/javascript"));
        check("text/plain", Some("text/plain"));
        check("text/turtle, text/plain;q=0.9", Some("text/plain"));
        check("text/html", None);
        check("application/*;q=0", None);
        check("nonsense, text/csv;q=2", None);
    }

    #[test]
    fn a_name_is_not_a_wildcard() {
        assert!(names(Some("text/html, application/json;q=0.2"), "application/json"));
        assert!(!names(Some("*/*"), "application/json"));
        assert!(!names(Some("application/json;q=0"), "application/json"));
        assert!(!names(None, "application/json"));
    }
}
