//! `Datum`: a value inside an expression, between the ids of its arguments and the id of its result.
//!
//! Most data stay ids. A dictionary id is decoded once a batch, and only for functions that look
//! inside; what a function computes becomes an id only if it leaves the expression.

use std::sync::{Arc, OnceLock};

use oxsdatatypes::{Date, DateTime, DayTimeDuration, Time, YearMonthDuration};

use super::list_literal;
use super::number::Number;
use super::temporal::Temporal;
use crate::model::{Literal, NamedNode, Quad, Term, TermId, TermKind, pg, xsd};

#[derive(Clone, Debug)]
pub enum Datum {
    /// SPARQL's error and unbound, Cypher's null.
    Undefined,
    /// An id that nobody has looked into yet, or an inline value; never undefined.
    Id(TermId),
    Boolean(bool),
    Number(Number),
    /// A computed `xsd:string`.
    String(Arc<str>),
    /// A term that is at hand.
    Term(Arc<Decoded>),
    List(Arc<Vec<Datum>>),
    /// Sorted by key.
    Map(Arc<Vec<(Arc<str>, Datum)>>),
    Relationship(Arc<RelationshipDatum>),
    Path(Arc<PathDatum>),
}

/// A relationship: its quad, and its reifier if it has one.
#[derive(Clone, Copy, Debug)]
pub struct RelationshipDatum {
    pub id: TermId,
    pub quad: Quad,
    pub edge: Option<TermId>,
}

#[derive(Clone, Debug)]
pub struct PathDatum {
    pub id: TermId,
    pub nodes: Vec<TermId>,
    pub relationships: Vec<TermId>,
}

/// A term with what its literal means.
#[derive(Debug)]
pub struct Decoded {
    pub term: Term,
    /// Its id, if it came from one.
    pub id: Option<TermId>,
    pub meaning: Meaning,
    temporal: OnceLock<Option<Temporal>>,
}

/// What a term means to SPARQL.
#[derive(Clone, Debug)]
pub enum Meaning {
    /// An IRI, a blank node or a triple term.
    NoLiteral,
    String,
    LangString,
    Boolean(bool),
    Number(Number),
    DateTime(DateTime),
    Date(Date),
    Time(Time),
    Duration(oxsdatatypes::Duration),
    YearMonthDuration(YearMonthDuration),
    DayTimeDuration(DayTimeDuration),
    /// One of the five `xsd:g*` types.
    Calendar(Calendar),
    List(Arc<Vec<Datum>>),
    /// A datatype that we do not know, or a text that is none of its datatype.
    Other,
}

#[derive(Clone, Copy, Debug)]
pub enum Calendar {
    YearMonth(oxsdatatypes::GYearMonth),
    Year(oxsdatatypes::GYear),
    MonthDay(oxsdatatypes::GMonthDay),
    Month(oxsdatatypes::GMonth),
    Day(oxsdatatypes::GDay),
}

impl Decoded {
    pub fn new(term: Term, id: Option<TermId>) -> Decoded {
        let meaning = match &term {
            Term::Literal(literal) => meaning(literal),
            _ => Meaning::NoLiteral,
        };
        Decoded { term, id, meaning, temporal: OnceLock::new() }
    }

    pub fn literal(&self) -> Option<&Literal> {
        match &self.term {
            Term::Literal(literal) => Some(literal),
            _ => None,
        }
    }

    /// Returns Cypher's reading of a date, time or duration literal.
    pub fn temporal(&self) -> Option<&Temporal> {
        self.temporal.get_or_init(|| Temporal::of_literal(self.literal()?)).as_ref()
    }
}

fn meaning(literal: &Literal) -> Meaning {
    if literal.language().is_some() {
        return Meaning::LangString;
    }
    let (text, datatype) = (literal.value(), literal.datatype());
    if datatype == xsd::STRING {
        return Meaning::String;
    }
    if let Some(number) = Number::parse(text, datatype.as_str()) {
        return number.map_or(Meaning::Other, Meaning::Number);
    }
    let found = match datatype {
        xsd::BOOLEAN => parse_boolean(text).map(Meaning::Boolean),
        xsd::DATE_TIME => text.parse().ok().map(Meaning::DateTime),
        xsd::DATE => text.parse().ok().map(Meaning::Date),
        xsd::TIME => text.parse().ok().map(Meaning::Time),
        xsd::DURATION => text.parse().ok().map(Meaning::Duration),
        xsd::YEAR_MONTH_DURATION => text.parse().ok().map(Meaning::YearMonthDuration),
        xsd::DAY_TIME_DURATION => text.parse().ok().map(Meaning::DayTimeDuration),
        xsd::G_YEAR_MONTH => text.parse().ok().map(|v| Meaning::Calendar(Calendar::YearMonth(v))),
        xsd::G_YEAR => text.parse().ok().map(|v| Meaning::Calendar(Calendar::Year(v))),
        xsd::G_MONTH_DAY => text.parse().ok().map(|v| Meaning::Calendar(Calendar::MonthDay(v))),
        xsd::G_MONTH => text.parse().ok().map(|v| Meaning::Calendar(Calendar::Month(v))),
        xsd::G_DAY => text.parse().ok().map(|v| Meaning::Calendar(Calendar::Day(v))),
        pg::LIST => list_literal::parse(text).map(|items| Meaning::List(Arc::new(items))),
        _ => None,
    };
    found.unwrap_or(Meaning::Other)
}

pub(super) fn parse_boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

impl Datum {
    pub fn of_id(id: TermId) -> Datum {
        if id.is_undefined() { Datum::Undefined } else { Datum::Id(id) }
    }

    pub fn string(text: impl Into<Arc<str>>) -> Datum {
        Datum::String(text.into())
    }

    pub fn integer(value: i64) -> Datum {
        Datum::Number(Number::Integer(value))
    }

    pub fn double(value: f64) -> Datum {
        Datum::Number(Number::Double(value))
    }

    pub fn list(items: Vec<Datum>) -> Datum {
        Datum::List(Arc::new(items))
    }

    /// Makes a map; of equal keys the last one counts.
    pub fn map(mut entries: Vec<(Arc<str>, Datum)>) -> Datum {
        entries.reverse();
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        entries.dedup_by(|later, first| later.0 == first.0);
        Datum::Map(Arc::new(entries))
    }

    pub fn term(term: impl Into<Term>) -> Datum {
        let term = term.into();
        if let Term::Literal(literal) = &term {
            if let Some(id) = TermId::inline(literal) {
                return Datum::Id(id);
            }
            if literal.datatype() == xsd::STRING {
                return Datum::String(literal.value().into());
            }
        }
        Datum::Term(Arc::new(Decoded::new(term, None)))
    }

    pub fn typed(text: impl Into<String>, datatype: impl Into<NamedNode>) -> Datum {
        Datum::term(Literal::new_typed_literal(text, datatype))
    }

    pub fn is_undefined(&self) -> bool {
        matches!(self, Datum::Undefined)
    }

    pub fn as_boolean(&self) -> Option<bool> {
        match self {
            Datum::Boolean(value) => Some(*value),
            Datum::Id(id) => id.as_bool(),
            Datum::Term(term) => match term.meaning {
                Meaning::Boolean(value) => Some(value),
                _ => None,
            },
            _ => None,
        }
    }

    pub fn as_number(&self) -> Option<Number> {
        match self {
            Datum::Number(number) => Some(*number),
            Datum::Id(id) => Number::of_inline(*id),
            Datum::Term(term) => match term.meaning {
                Meaning::Number(number) => Some(number),
                _ => None,
            },
            _ => None,
        }
    }

    pub fn as_integer(&self) -> Option<i64> {
        match self.as_number() {
            Some(Number::Integer(value)) => Some(value),
            _ => None,
        }
    }

    /// Returns the text of an `xsd:string`.
    pub fn as_string(&self) -> Option<&str> {
        match self {
            Datum::String(text) => Some(text),
            Datum::Term(term) => match (&term.meaning, &term.term) {
                (Meaning::String, Term::Literal(literal)) => Some(literal.value()),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns the text of an `xsd:string` or language-tagged string.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Datum::String(text) => Some(text),
            Datum::Term(term) => match (&term.meaning, &term.term) {
                (Meaning::String | Meaning::LangString, Term::Literal(literal)) => Some(literal.value()),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns whether this is a string without a language.
    pub fn is_plain_string(&self) -> bool {
        match self {
            Datum::String(_) => true,
            Datum::Term(term) => matches!(term.meaning, Meaning::String),
            _ => false,
        }
    }

    /// Returns the literal of a language-tagged string.
    pub fn as_lang_string(&self) -> Option<&Literal> {
        match self {
            Datum::Term(term) if matches!(term.meaning, Meaning::LangString) => term.literal(),
            _ => None,
        }
    }

    /// Returns the items of a list, or of a list literal.
    pub fn as_list(&self) -> Option<&Arc<Vec<Datum>>> {
        match self {
            Datum::List(items) => Some(items),
            Datum::Term(term) => match &term.meaning {
                Meaning::List(items) => Some(items),
                _ => None,
            },
            _ => None,
        }
    }

    pub fn as_map(&self) -> Option<&[(Arc<str>, Datum)]> {
        match self {
            Datum::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub fn as_decoded(&self) -> Option<&Decoded> {
        match self {
            Datum::Term(term) => Some(term),
            _ => None,
        }
    }

    pub fn as_iri(&self) -> Option<&NamedNode> {
        match self.as_decoded().map(|decoded| &decoded.term) {
            Some(Term::NamedNode(node)) => Some(node),
            _ => None,
        }
    }

    /// Returns whether this is an IRI or a blank node, which Cypher sees as a node.
    pub fn is_node(&self) -> bool {
        match self {
            Datum::Id(id) => matches!(id.kind(), TermKind::NamedNode | TermKind::BlankNode),
            Datum::Term(term) => matches!(term.term, Term::NamedNode(_) | Term::BlankNode(_)),
            _ => false,
        }
    }

    /// Returns the term, if this is one and is at hand; an id that is not inline is not.
    pub fn to_term(&self) -> Option<Term> {
        match self {
            Datum::Id(id) => id.to_literal().map(Term::from),
            Datum::Boolean(value) => Some(Literal::from(*value).into()),
            Datum::Number(number) => Some(number.to_literal().into()),
            Datum::String(text) => Some(Literal::new_simple_literal(text.as_ref()).into()),
            Datum::Term(term) => Some(term.term.clone()),
            _ => None,
        }
    }

    pub fn to_literal(&self) -> Option<Literal> {
        match self.to_term()? {
            Term::Literal(literal) => Some(literal),
            _ => None,
        }
    }

    /// Returns what this means to SPARQL; inline ids included.
    pub fn meaning(&self) -> Option<Meaning> {
        Some(match self {
            Datum::Boolean(value) => Meaning::Boolean(*value),
            Datum::Number(number) => Meaning::Number(*number),
            Datum::String(_) => Meaning::String,
            Datum::Term(term) => term.meaning.clone(),
            Datum::Id(id) => match Number::of_inline(*id) {
                Some(number) => Meaning::Number(number),
                None => meaning(&id.to_literal()?),
            },
            _ => return None,
        })
    }

    /// Returns Cypher's reading of a date, time or duration.
    pub fn to_temporal(&self) -> Option<Temporal> {
        match self {
            Datum::Term(term) => term.temporal().cloned(),
            Datum::Id(id) => Temporal::of_inline(*id),
            _ => None,
        }
    }
}

impl From<Option<bool>> for Datum {
    fn from(value: Option<bool>) -> Datum {
        value.map_or(Datum::Undefined, Datum::Boolean)
    }
}

impl From<Option<Datum>> for Datum {
    fn from(value: Option<Datum>) -> Datum {
        value.unwrap_or(Datum::Undefined)
    }
}
