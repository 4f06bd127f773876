//! Sort keys: the two total orders of values, as keys that are made once and compared often.

use std::cmp::Ordering;
use std::sync::Arc;

use super::column::{Depth, decode};
use super::datum::{Datum, Decoded};
use super::number::Number;
use super::temporal::Temporal;
use crate::execute::{Context, ExecuteError};
use crate::model::{Term, TermId, TermKind};
use crate::plan::SortOrder;

/// A value made ready for sorting. Keys of one [`SortOrder`] are totally ordered.
#[derive(Clone, Debug)]
pub struct Key {
    /// What kinds of value come first.
    class: u8,
    value: KeyValue,
}

#[derive(Clone, Debug)]
enum KeyValue {
    Nothing,
    Boolean(bool),
    Integer(i64),
    Number(Number),
    Text(Arc<str>),
    /// A literal or IRI, by its text.
    Term(Arc<Decoded>),
    /// A moment or length in nanoseconds, then what tells equal ones apart.
    Moment(i128, i64),
    Keys(Vec<Key>),
    Entries(Vec<(Arc<str>, Key)>),
    Id(TermId),
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Key) -> Ordering {
        self.class.cmp(&other.class).then_with(|| compare_values(&self.value, &other.value))
    }
}

fn compare_values(a: &KeyValue, b: &KeyValue) -> Ordering {
    use KeyValue::*;
    match (a, b) {
        (Integer(a), Integer(b)) => a.cmp(b),
        (Boolean(a), Boolean(b)) => a.cmp(b),
        (Moment(a, x), Moment(b, y)) => a.cmp(b).then(x.cmp(y)),
        (Keys(a), Keys(b)) => a.cmp(b),
        (Entries(a), Entries(b)) => a.cmp(b),
        (Id(a), Id(b)) => a.cmp(b),
        (Term(a), Term(b)) => compare_terms(a, b),
        (a, b) => match (number(a), number(b)) {
            (Some(a), Some(b)) => a.compare_totally(b),
            _ => text(a).cmp(text(b)).then_with(|| literal_rest(a).cmp(&literal_rest(b))),
        },
    }
}

fn number(value: &KeyValue) -> Option<Number> {
    match value {
        KeyValue::Integer(value) => Some(Number::Integer(*value)),
        KeyValue::Number(number) => Some(*number),
        _ => None,
    }
}

fn text(value: &KeyValue) -> &str {
    match value {
        KeyValue::Text(text) => text,
        KeyValue::Term(decoded) => term_text(&decoded.term),
        _ => "",
    }
}

fn term_text(term: &Term) -> &str {
    match term {
        Term::NamedNode(node) => node.as_str(),
        Term::BlankNode(node) => node.as_str(),
        Term::Literal(literal) => literal.value(),
        Term::Triple(_) => "",
    }
}

fn literal_rest(value: &KeyValue) -> (&str, &str) {
    match value {
        KeyValue::Term(decoded) => match decoded.literal() {
            Some(literal) => (literal.language().unwrap_or_default(), literal.datatype().as_str()),
            None => ("", ""),
        },
        _ => ("", "http://www.w3.org/2001/XMLSchema#string"),
    }
}

fn compare_terms(a: &Decoded, b: &Decoded) -> Ordering {
    term_text(&a.term).cmp(term_text(&b.term)).then_with(|| crate::model::compare_terms(&a.term, &b.term))
}

/// Kinds of ids that are in the order of their values, whichever language orders those.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SortedKind {
    /// Strings of a base that has them by code point.
    String,
    Integer,
    /// Of which two forms may have one value.
    Double,
}

impl SortedKind {
    /// `has_strings` tells whether strings of the base are in their order.
    pub fn of(id: TermId, has_strings: bool) -> Option<SortedKind> {
        match id.kind() {
            TermKind::Integer => Some(SortedKind::Integer),
            TermKind::Double => Some(SortedKind::Double),
            TermKind::String if has_strings && id.as_dictionary().is_some_and(|id| id.layer == 0) => {
                Some(SortedKind::String)
            }
            _ => None,
        }
    }
}

/// Returns the keys of ids, in their order; dictionary terms are fetched in one call.
pub fn sort_keys(ids: &[TermId], order: SortOrder, context: &Context) -> Result<Vec<Key>, ExecuteError> {
    let mut data: Vec<Datum> = ids.iter().map(|id| Datum::of_id(*id)).collect();
    decode(&mut data, Depth::Deep, context)?;
    Ok(data.iter().map(|datum| Key::new(datum, order)).collect())
}

impl Key {
    /// Makes the key of a deeply decoded datum.
    pub(super) fn new(datum: &Datum, order: SortOrder) -> Key {
        match order {
            SortOrder::Sparql => sparql_key(datum),
            SortOrder::Cypher => cypher_key(datum),
        }
    }
}

fn key(class: u8, value: KeyValue) -> Key {
    Key { class, value }
}

fn number_value(number: Number) -> KeyValue {
    match number {
        Number::Integer(value) => KeyValue::Integer(value),
        number => KeyValue::Number(number),
    }
}

/// SPARQL 1.1, 15.1: undefined, blank nodes, IRIs, literals; triple terms come last.
fn sparql_key(datum: &Datum) -> Key {
    if let Some(number) = datum.as_number() {
        return key(10, number_value(number));
    }
    if let Some(value) = datum.as_boolean() {
        return key(11, KeyValue::Boolean(value));
    }
    if let Some(temporal) = datum.to_temporal() {
        let (class, nanoseconds, rest) = temporal.sort_key();
        // Moments with and without a zone are one kind of literal in SPARQL.
        let class = match &temporal {
            Temporal::DateTime { .. } | Temporal::LocalDateTime { .. } => 14,
            Temporal::Time { .. } | Temporal::LocalTime(_) => 16,
            _ => 17 + class,
        };
        return key(class, KeyValue::Moment(nanoseconds, rest));
    }
    match datum {
        Datum::Undefined => key(0, KeyValue::Nothing),
        Datum::String(text) => key(12, KeyValue::Text(text.clone())),
        Datum::Term(decoded) => match &decoded.term {
            Term::BlankNode(_) => key(1, KeyValue::Term(decoded.clone())),
            Term::NamedNode(_) => key(2, KeyValue::Term(decoded.clone())),
            Term::Literal(_) if datum.as_text().is_some() => key(12, KeyValue::Term(decoded.clone())),
            Term::Literal(_) => key(30, KeyValue::Term(decoded.clone())),
            Term::Triple(triple) => {
                let parts =
                    [triple.subject.clone().into(), triple.predicate.clone().into(), triple.object.clone()];
                key(40, KeyValue::Keys(parts.map(|part: Term| sparql_key(&Datum::term(part))).into()))
            }
        },
        other => Key { class: 50, ..cypher_key(other) },
    }
}

/// openCypher orderability: maps, nodes, relationships, lists, paths, temporal values, strings,
/// booleans, numbers, null.
fn cypher_key(datum: &Datum) -> Key {
    if let Some(number) = datum.as_number() {
        return key(60, number_value(number));
    }
    if let Some(value) = datum.as_boolean() {
        return key(50, KeyValue::Boolean(value));
    }
    if let Some(items) = datum.as_list() {
        return key(3, KeyValue::Keys(items.iter().map(cypher_key).collect()));
    }
    if let Some(temporal) = datum.to_temporal() {
        let (class, nanoseconds, rest) = temporal.sort_key();
        return key(10 + class, KeyValue::Moment(nanoseconds, rest));
    }
    match datum {
        Datum::Undefined => key(100, KeyValue::Nothing),
        Datum::Map(entries) => key(
            0,
            KeyValue::Entries(
                entries.iter().map(|(name, value)| (name.clone(), cypher_key(value))).collect(),
            ),
        ),
        Datum::Relationship(relationship) => key(2, KeyValue::Id(relationship.id)),
        Datum::Path(path) => {
            let parts = path.nodes.iter().chain(&path.relationships);
            key(4, KeyValue::Keys(parts.map(|id| key(0, KeyValue::Id(*id))).collect()))
        }
        Datum::String(text) => key(40, KeyValue::Text(text.clone())),
        Datum::Term(decoded) => match &decoded.term {
            Term::Literal(_) if datum.as_text().is_some() => key(40, KeyValue::Term(decoded.clone())),
            Term::Literal(_) => key(45, KeyValue::Term(decoded.clone())),
            _ => key(1, KeyValue::Term(decoded.clone())),
        },
        Datum::Id(id) if matches!(id.kind(), TermKind::NamedNode | TermKind::BlankNode) => {
            key(1, KeyValue::Id(*id))
        }
        other => key(45, other.known_id().map_or(KeyValue::Nothing, KeyValue::Id)),
    }
}
