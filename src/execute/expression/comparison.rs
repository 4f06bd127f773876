//! Equality and comparison, named for their language: term identity, SPARQL's value equality,
//! Cypher's equality and comparability.

use std::cmp::Ordering;

use super::column::{Arguments, decode};
use super::datum::{Calendar, Datum, Meaning};
use super::node::Outcome;
use super::number::Number;
use super::temporal::Temporal;
use crate::execute::expression::column::Depth;
use crate::execute::{Context, ExecuteError};
use crate::model::{Literal, Term, TermId, TermKind};

// Shortcuts: what two ids alone can tell. Ids of one query are equal if and only if the values are
// the same term, except that a computed (local) term may have entered the dictionary since.

pub(super) fn same_ids(a: TermId, b: TermId) -> Option<Option<bool>> {
    if a.is_undefined() || b.is_undefined() {
        return Some(None);
    }
    let is_settled = a == b || (a.as_local().is_none() && b.as_local().is_none());
    is_settled.then_some(Some(a == b))
}

pub(super) fn equal_ids(a: TermId, b: TermId) -> Option<Option<bool>> {
    use TermKind::*;
    if a.is_undefined() || b.is_undefined() {
        return Some(None);
    }
    let (x, y) = (a.kind(), b.kind());
    if a == b {
        // A NaN is not equal to itself, nor is a list that holds a null.
        return (!matches!(x, Triple | TypedLiteral | Local)).then_some(Some(true));
    }
    if let (Some(x), Some(y)) = (a.as_i64(), b.as_i64()) {
        return Some(Some(x == y));
    }
    match (x, y) {
        (Local, _) | (_, Local) => None,
        (NamedNode | BlankNode, _) | (_, NamedNode | BlankNode) => Some(Some(false)),
        (String, String) | (Boolean, Boolean) | (Date, Date) => Some(Some(false)),
        (Integer | Decimal | Double, Integer | Decimal | Double) => {
            Some(Some(compare_inline(a, b) == Some(Ordering::Equal)))
        }
        (DateTime, DateTime) | (Time, Time) => {
            compare_moments(a, b).map(|order| Some(order == Ordering::Equal))
        }
        _ => None,
    }
}

fn compare_inline(a: TermId, b: TermId) -> Option<Ordering> {
    Number::of_inline(a)?.compare(Number::of_inline(b)?)
}

/// Compares inline date-times, or inline times, if both or neither is in UTC.
fn compare_moments(a: TermId, b: TermId) -> Option<Ordering> {
    let moment = |id: TermId| id.as_date_time().or_else(|| id.as_time());
    let ((x, x_utc), (y, y_utc)) = (moment(a)?, moment(b)?);
    (x_utc == y_utc).then(|| x.cmp(&y))
}

fn order_ids(a: TermId, b: TermId) -> Option<Option<Ordering>> {
    use TermKind::*;
    if a.is_undefined() || b.is_undefined() {
        return Some(None);
    }
    if let (Some(x), Some(y)) = (a.as_i64(), b.as_i64()) {
        return Some(Some(x.cmp(&y)));
    }
    match (a.kind(), b.kind()) {
        (Integer | Decimal | Double, Integer | Decimal | Double) => Some(compare_inline(a, b)),
        (Date, Date) | (Boolean, Boolean) => Some(Some(a.cmp(&b))),
        (DateTime, DateTime) | (Time, Time) => compare_moments(a, b).map(Some),
        _ => None,
    }
}

pub(super) fn less_ids(a: TermId, b: TermId) -> Option<Option<bool>> {
    order_ids(a, b).map(|order| order.map(Ordering::is_lt))
}

pub(super) fn less_or_equal_ids(a: TermId, b: TermId) -> Option<Option<bool>> {
    order_ids(a, b).map(|order| order.map(Ordering::is_le))
}

// Rows, over decoded data

pub(super) fn same_term(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(same(&arguments[0], &arguments[1]).into())
}

fn same(a: &Datum, b: &Datum) -> Option<bool> {
    if let (Some(a), Some(b)) = (a.known_id(), b.known_id())
        && a == b
    {
        return (!a.is_undefined()).then_some(true);
    }
    match (a.to_term(), b.to_term()) {
        (Some(a), Some(b)) => Some(a == b),
        _ => cypher_equal(a, b),
    }
}

pub(super) fn sparql_equal_row(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(sparql_equal(&arguments[0], &arguments[1]).into())
}

/// SPARQL's `=` (SPARQL 1.1, 17.3): by value where both values are known, by term otherwise, and
/// undefined for different literals of which one is of unknown meaning.
pub(super) fn sparql_equal(a: &Datum, b: &Datum) -> Option<bool> {
    use Meaning::*;
    if a.is_undefined() || b.is_undefined() {
        return None;
    }
    let (Some(x), Some(y)) = (a.meaning(), b.meaning()) else { return cypher_equal(a, b) };
    Some(match (x, y) {
        (NoLiteral, NoLiteral) => return equal_terms(&a.to_term()?, &b.to_term()?),
        (NoLiteral, _) | (_, NoLiteral) => false,
        (Number(x), Number(y)) => x.compare(y) == Some(Ordering::Equal),
        (String, String) => a.as_string()? == b.as_string()?,
        (LangString, LangString) => same_lang_strings(a.as_lang_string()?, b.as_lang_string()?),
        (LangString, _) | (_, LangString) => false,
        (Boolean(x), Boolean(y)) => x == y,
        (DateTime(x), DateTime(y)) => return known_equal(x.partial_cmp(&y), x == y),
        (Date(x), Date(y)) => return known_equal(x.partial_cmp(&y), x == y),
        (Time(x), Time(y)) => return known_equal(x.partial_cmp(&y), x == y),
        (Calendar(x), Calendar(y)) => equal_calendars(x, y),
        (Other, Other) => return (a.to_term()? == b.to_term()?).then_some(true),
        (Other, _) | (_, Other) => return None,
        (List(_), List(_)) => return cypher_equal(a, b),
        (x, y) => match (duration_of(&x), duration_of(&y)) {
            (Some(x), Some(y)) => x == y,
            _ => false,
        },
    })
}

/// A moment without zone and one with a zone, less than 14 hours apart, cannot be told apart.
fn known_equal(order: Option<Ordering>, is_equal: bool) -> Option<bool> {
    order.map(|_| is_equal)
}

fn equal_terms(a: &Term, b: &Term) -> Option<bool> {
    match (a, b) {
        (Term::Triple(a), Term::Triple(b)) => {
            let is_same = a.subject == b.subject && a.predicate == b.predicate;
            let objects = sparql_equal(&readable(&a.object), &readable(&b.object));
            if is_same { objects } else { Some(false) }
        }
        _ => Some(a == b),
    }
}

fn readable(term: &Term) -> Datum {
    Datum::term(term.clone())
}

fn same_lang_strings(a: &Literal, b: &Literal) -> bool {
    let tag = |literal: &Literal| literal.language().unwrap_or_default().to_ascii_lowercase();
    a.value() == b.value() && tag(a) == tag(b) && a.direction() == b.direction()
}

fn duration_of(meaning: &Meaning) -> Option<oxsdatatypes::Duration> {
    match meaning {
        Meaning::Duration(value) => Some(*value),
        Meaning::YearMonthDuration(value) => Some((*value).into()),
        Meaning::DayTimeDuration(value) => Some((*value).into()),
        _ => None,
    }
}

fn equal_calendars(a: Calendar, b: Calendar) -> bool {
    compare_calendars(a, b) == Some(Ordering::Equal)
}

fn compare_calendars(a: Calendar, b: Calendar) -> Option<Ordering> {
    match (a, b) {
        (Calendar::YearMonth(a), Calendar::YearMonth(b)) => a.partial_cmp(&b),
        (Calendar::Year(a), Calendar::Year(b)) => a.partial_cmp(&b),
        (Calendar::MonthDay(a), Calendar::MonthDay(b)) => a.partial_cmp(&b),
        (Calendar::Month(a), Calendar::Month(b)) => a.partial_cmp(&b),
        (Calendar::Day(a), Calendar::Day(b)) => a.partial_cmp(&b),
        _ => None,
    }
}

pub(super) fn sparql_less(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(sparql_order(&arguments[0], &arguments[1], Ordering::is_lt).into())
}

pub(super) fn sparql_less_or_equal(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(sparql_order(&arguments[0], &arguments[1], Ordering::is_le).into())
}

fn sparql_order(a: &Datum, b: &Datum, test: fn(Ordering) -> bool) -> Option<bool> {
    if let (Some(x), Some(y)) = (a.as_number(), b.as_number()) {
        // Next to a NaN every comparison is false.
        return Some(x.compare(y).is_some_and(test));
    }
    sparql_compare(a, b).map(test)
}

/// SPARQL's `<` and `>`; `None` where they are an error.
fn sparql_compare(a: &Datum, b: &Datum) -> Option<Ordering> {
    use Meaning::*;
    match (a.meaning()?, b.meaning()?) {
        (String, String) => Some(a.as_string()?.cmp(b.as_string()?)),
        (LangString, LangString) => {
            let (x, y) = (a.as_lang_string()?, b.as_lang_string()?);
            (x.language() == y.language() && x.direction() == y.direction()).then(|| x.value().cmp(y.value()))
        }
        (Boolean(x), Boolean(y)) => Some(x.cmp(&y)),
        (DateTime(x), DateTime(y)) => x.partial_cmp(&y),
        (Date(x), Date(y)) => x.partial_cmp(&y),
        (Time(x), Time(y)) => x.partial_cmp(&y),
        (Calendar(x), Calendar(y)) => compare_calendars(x, y),
        (NoLiteral, NoLiteral) => compare_triples(&a.to_term()?, &b.to_term()?),
        (Other, Other) => (a.to_term()? == b.to_term()?).then_some(Ordering::Equal),
        (x, y) => duration_of(&x)?.partial_cmp(&duration_of(&y)?),
    }
}

fn compare_triples(a: &Term, b: &Term) -> Option<Ordering> {
    match (a, b) {
        (Term::Triple(a), Term::Triple(b)) if a.subject == b.subject && a.predicate == b.predicate => {
            let (a, b) = (readable(&a.object), readable(&b.object));
            match (a.as_number(), b.as_number()) {
                (Some(x), Some(y)) => x.compare(y),
                _ => sparql_compare(&a, &b),
            }
        }
        (a, b) => (a == b).then_some(Ordering::Equal),
    }
}

/// `x IN (a, b, ...)`: true if any is equal, else undefined if any comparison is.
pub(super) fn sparql_in(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let mut is_open = false;
    for candidate in arguments.iter().skip(1) {
        match sparql_equal(&arguments[0], candidate) {
            Some(true) => return Ok(Datum::Boolean(true)),
            Some(false) => {}
            None => is_open = true,
        }
    }
    Ok((!is_open).then_some(false).into())
}

pub(super) fn cypher_equal_row(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(cypher_equal(&arguments[0], &arguments[1]).into())
}

/// [`Function::LookupTerm`](crate::plan::Function::LookupTerm).
pub(super) fn lookup_term(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let value = &arguments[0];
    if let Some(number) = value.as_number() {
        return Ok(number.as_integer().map(Datum::integer).into());
    }
    if let Some(text) = value.as_text() {
        return Ok(Datum::string(text));
    }
    let node = value.to_term().filter(|term| matches!(term, Term::NamedNode(_) | Term::BlankNode(_)));
    Ok(node.map(Datum::term).into())
}

/// Cypher's `=` over deeply decoded data.
pub(super) fn cypher_equal(a: &Datum, b: &Datum) -> Option<bool> {
    if a.is_undefined() || b.is_undefined() {
        return None;
    }
    if let (Some(x), Some(y)) = (a.as_number(), b.as_number()) {
        return Some(x.compare_exactly(y) == Some(Ordering::Equal));
    }
    if let (Some(x), Some(y)) = (a.as_text(), b.as_text()) {
        return Some(x == y);
    }
    if let (Some(x), Some(y)) = (a.as_boolean(), b.as_boolean()) {
        return Some(x == y);
    }
    if let (Some(x), Some(y)) = (a.as_list(), b.as_list()) {
        if x.len() != y.len() {
            return Some(false);
        }
        return all_equal(x.iter().zip(y.iter()));
    }
    match (a, b) {
        (Datum::Map(x), Datum::Map(y)) => {
            if x.len() != y.len() || x.iter().zip(y.iter()).any(|(x, y)| x.0 != y.0) {
                return Some(false);
            }
            all_equal(x.iter().zip(y.iter()).map(|(x, y)| (&x.1, &y.1)))
        }
        (Datum::Relationship(x), Datum::Relationship(y)) => Some(x.id == y.id),
        (Datum::Path(x), Datum::Path(y)) => Some(x.nodes == y.nodes && x.relationships == y.relationships),
        _ => match (a.to_temporal(), b.to_temporal()) {
            (Some(x), Some(y)) => Some(x.is_equal(&y)),
            (None, None) => Some(a.to_term().zip(b.to_term()).is_some_and(|(x, y)| x == y)),
            _ => Some(false),
        },
    }
}

fn all_equal<'a>(pairs: impl Iterator<Item = (&'a Datum, &'a Datum)>) -> Option<bool> {
    let mut result = Some(true);
    for (a, b) in pairs {
        match cypher_equal(a, b) {
            Some(false) => return Some(false),
            None => result = None,
            Some(true) => {}
        }
    }
    result
}

pub(super) fn cypher_less(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(cypher_order(&arguments[0], &arguments[1], Ordering::is_lt).into())
}

pub(super) fn cypher_less_or_equal(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(cypher_order(&arguments[0], &arguments[1], Ordering::is_le).into())
}

fn cypher_order(a: &Datum, b: &Datum, test: fn(Ordering) -> bool) -> Option<bool> {
    if let (Some(x), Some(y)) = (a.as_number(), b.as_number()) {
        return Some(x.compare_exactly(y).is_some_and(test));
    }
    cypher_compare(a, b).map(test)
}

/// Cypher's comparability; `None` is null: across types, next to null, for durations.
fn cypher_compare(a: &Datum, b: &Datum) -> Option<Ordering> {
    if let (Some(x), Some(y)) = (a.as_number(), b.as_number()) {
        return x.compare_exactly(y);
    }
    if let (Some(x), Some(y)) = (a.as_text(), b.as_text()) {
        return Some(x.cmp(y));
    }
    if let (Some(x), Some(y)) = (a.as_boolean(), b.as_boolean()) {
        return Some(x.cmp(&y));
    }
    if let (Some(x), Some(y)) = (a.as_list(), b.as_list()) {
        for (x, y) in x.iter().zip(y.iter()) {
            match cypher_compare(x, y)? {
                Ordering::Equal => {}
                order => return Some(order),
            }
        }
        return Some(x.len().cmp(&y.len()));
    }
    let (x, y): (Temporal, Temporal) = (a.to_temporal()?, b.to_temporal()?);
    x.compare(&y)
}

/// `x IN list`: the list is a list or null; anything else fails the query.
pub(super) fn cypher_in(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let (needle, haystack) = (&arguments[0], &arguments[1]);
    if haystack.is_undefined() {
        return Ok(Datum::Undefined);
    }
    let Some(items) = haystack.as_list() else {
        return Err(super::type_error("InvalidArgumentType", "IN expects a list"));
    };
    let mut is_open = false;
    for item in items.iter() {
        match cypher_equal(needle, item) {
            Some(true) => return Ok(Datum::Boolean(true)),
            Some(false) => {}
            None => is_open = true,
        }
    }
    Ok((!is_open).then_some(false).into())
}

/// Compares ids by Cypher's `=`, for operators.
pub fn cypher_equal_ids(a: TermId, b: TermId, context: &Context) -> Result<Option<bool>, ExecuteError> {
    let mut data = [Datum::of_id(a), Datum::of_id(b)];
    decode(&mut data, Depth::Deep, context)?;
    Ok(cypher_equal(&data[0], &data[1]))
}

/// Compares ids by SPARQL's `=`, for operators.
pub fn sparql_equal_ids(a: TermId, b: TermId, context: &Context) -> Result<Option<bool>, ExecuteError> {
    if let Some(known) = equal_ids(a, b) {
        return Ok(known);
    }
    let mut data = [Datum::of_id(a), Datum::of_id(b)];
    decode(&mut data, Depth::Deep, context)?;
    Ok(sparql_equal(&data[0], &data[1]))
}
