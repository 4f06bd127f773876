//! `IdRanges`: the ids outside of which a comparison with a value cannot be true.
//!
//! Inline ids of one kind are in the order of their values, so that a scan that is sorted by them can pass over
//! the rest. A range may hold ids for which the comparison fails, never lack one for which it holds.

use std::ops::RangeInclusive;

use super::{Dataset, DatasetError};
use crate::model::{QuadPattern, Term, TermId, TermKind, Value, xsd};
use crate::plan::{Expression, Function, Variable};

/// Ranges of ids, ascending and apart from each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdRanges(Vec<RangeInclusive<TermId>>);

/// How far a time without a zone may be from one in UTC (XPath and XQuery Functions 10.4, XML Schema 3.2.7.4).
const ZONE_MS: i64 = 14 * 3_600_000;

/// Returns the ranges that a condition leaves to a variable, if it tells any.
pub fn ranges_of(condition: &Expression, variable: Variable) -> Option<IdRanges> {
    match condition {
        Expression::Call(Function::And, parts) => {
            parts.iter().filter_map(|part| ranges_of(part, variable)).reduce(|a, b| a.intersection(&b))
        }
        Expression::Call(Function::EffectiveBoolean, parts) => match parts.as_slice() {
            [part] => ranges_of(part, variable),
            _ => None,
        },
        Expression::Call(
            Function::SparqlLess
            | Function::SparqlLessOrEqual
            | Function::CypherLess
            | Function::CypherLessOrEqual,
            sides,
        ) => match sides.as_slice() {
            [Expression::Variable(own), Expression::Constant(value)] if *own == variable => {
                IdRanges::of(value, Side::AtMost)
            }
            [Expression::Constant(value), Expression::Variable(own)] if *own == variable => {
                IdRanges::of(value, Side::AtLeast)
            }
            _ => None,
        },
        _ => None,
    }
}

/// A scan with fewer rows is not worth asking how many are in a range.
const RANGED_ROWS_MIN: u64 = 1000;

/// Returns about which share of the quads of one predicate a condition on their object leaves, where it bounds its
/// id and the dataset tells how many are within; `rows` is how many there are.
pub fn share_within(
    dataset: &dyn Dataset,
    pattern: &QuadPattern,
    rows: u64,
    object: Variable,
    condition: &Expression,
) -> Result<Option<f64>, DatasetError> {
    let is_of_predicate =
        pattern.subject.is_none() && pattern.predicate.is_some() && pattern.object.is_none();
    if !is_of_predicate || rows < RANGED_ROWS_MIN {
        return Ok(None);
    }
    let Some(ranges) = ranges_of(condition, object) else { return Ok(None) };
    let mut within = 0;
    for range in &ranges.0 {
        let Some(count) = dataset.estimate_within(pattern, range)? else { return Ok(None) };
        within += count;
    }
    Ok(Some((within as f64 / rows as f64).min(1.0)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    AtMost,
    AtLeast,
}

impl IdRanges {
    /// Returns the ids that may stand for a number: its value as a double, rounded if need be, and as an integer, if it is
    /// one exactly.
    pub fn of_number(integer: Option<i64>, float: f64) -> IdRanges {
        if float.is_nan() {
            return IdRanges(Vec::new());
        }
        let [low, high] = TermId::doubles_about(float);
        let mut ranges = vec![TermId::all_of(TermKind::TypedLiteral)];
        ranges.extend(integer.and_then(TermId::from_i64).map(|id| id..=id));
        ranges.extend([TermId::all_of(TermKind::Decimal), low..=high]);
        IdRanges(ranges)
    }

    /// Returns one id, unless there is none, and all ids of other kinds.
    pub fn of_id_or_kinds(id: Option<TermId>, kinds: &[TermKind]) -> IdRanges {
        let mut ranges: Vec<_> = kinds.iter().map(|kind| TermId::all_of(*kind)).collect();
        ranges.extend(id.map(|id| id..=id));
        ranges.sort_by_key(|range| *range.start());
        IdRanges(ranges)
    }

    /// Returns the ids of all literals that a dataset may hold.
    pub fn literals() -> IdRanges {
        let [first, last] = [TermKind::String, TermKind::Time].map(TermId::all_of);
        IdRanges(vec![*first.start()..=*last.end()])
    }

    /// Returns the least range that holds all of them.
    pub fn hull(&self) -> Option<RangeInclusive<TermId>> {
        Some(*self.0.first()?.start()..=*self.0.last()?.end())
    }

    pub fn iter(&self) -> impl Iterator<Item = &RangeInclusive<TermId>> {
        self.0.iter()
    }

    pub fn get(&self, index: usize) -> Option<&RangeInclusive<TermId>> {
        self.0.get(index)
    }

    pub fn contains(&self, id: TermId) -> bool {
        self.0.iter().any(|range| range.contains(&id))
    }

    /// Returns the ids that may compare so with a value; `None` if all may, or it is of no kind that is known here.
    fn of(value: &Value, side: Side) -> Option<IdRanges> {
        let mut ranges = vec![TermId::all_of(TermKind::TypedLiteral)];
        match value {
            Value::Integer(integer) => ranges.extend(of_integer(*integer, side)),
            Value::Float(float) => ranges.extend(of_float(*float, side)?),
            Value::Term(Term::Literal(literal)) => {
                let (text, datatype) = (literal.value(), literal.datatype());
                let inline = TermId::inline(literal);
                if datatype == xsd::INTEGER {
                    ranges.extend(of_integer(text.parse().ok()?, side));
                } else if datatype == xsd::DOUBLE || datatype == xsd::DECIMAL {
                    let float: f64 = text.parse().ok()?;
                    // A decimal is somewhere about the double next to it.
                    ranges.extend(of_float(widened(float, side), side)?);
                } else if datatype == xsd::DATE {
                    ranges.push(cut(inline.filter(|id| id.kind() == TermKind::Date)?, side));
                } else if datatype == xsd::DATE_TIME {
                    ranges.push(of_moment(inline?.as_date_time()?.0, side)?);
                } else {
                    return None;
                }
            }
            _ => return None,
        }
        ranges.sort_by_key(|range| *range.start());
        Some(IdRanges(ranges))
    }

    fn intersection(&self, other: &IdRanges) -> IdRanges {
        let both = self.0.iter().flat_map(|a| {
            other.0.iter().filter_map(move |b| {
                let range = *a.start().max(b.start())..=*a.end().min(b.end());
                (!range.is_empty()).then_some(range)
            })
        });
        IdRanges(both.collect())
    }
}

/// Returns the ids of the kind of `id` that are not past it.
fn cut(id: TermId, side: Side) -> RangeInclusive<TermId> {
    let all = TermId::all_of(id.kind());
    match side {
        Side::AtMost => *all.start()..=id,
        Side::AtLeast => id..=*all.end(),
    }
}

/// The integers on one side of another, the doubles there, and all decimals, which are not in order.
fn of_integer(integer: i64, side: Side) -> [RangeInclusive<TermId>; 3] {
    let float = widened(integer as f64, side);
    [of_integers(integer, side), TermId::all_of(TermKind::Decimal), cut_doubles(float, side)]
}

/// Returns the next double away from that side, for a value that was rounded.
fn widened(float: f64, side: Side) -> f64 {
    if side == Side::AtMost { float.next_up() } else { float.next_down() }
}

fn of_float(float: f64, side: Side) -> Option<[RangeInclusive<TermId>; 3]> {
    if float.is_nan() {
        return None;
    }
    // A cast saturates, which keeps what is past all integers there.
    let integer = if side == Side::AtMost { float.ceil() } else { float.floor() } as i64;
    Some([of_integers(integer, side), TermId::all_of(TermKind::Decimal), cut_doubles(float, side)])
}

fn of_integers(integer: i64, side: Side) -> RangeInclusive<TermId> {
    let all = TermId::all_of(TermKind::Integer);
    match (TermId::from_i64(integer), side, integer < 0) {
        (Some(id), ..) => cut(id, side),
        (None, Side::AtMost, false) | (None, Side::AtLeast, true) => all,
        // None is there, but one is left, since a range has an end.
        (None, Side::AtMost, true) => cut(*all.start(), side),
        (None, Side::AtLeast, false) => cut(*all.end(), side),
    }
}

fn cut_doubles(float: f64, side: Side) -> RangeInclusive<TermId> {
    let [low, high] = TermId::doubles_about(float);
    cut(if side == Side::AtMost { high } else { low }, side)
}

fn of_moment(milliseconds: i64, side: Side) -> Option<RangeInclusive<TermId>> {
    let wider = match side {
        Side::AtMost => milliseconds.checked_add(ZONE_MS),
        Side::AtLeast => milliseconds.checked_sub(ZONE_MS),
    };
    Some(cut(TermId::from_utc_ms(wider?)?, side))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Literal;

    #[test]
    fn ranges_are_narrow() {
        let less = |value: Value| {
            let sides = vec![Expression::Variable(Variable(0)), Expression::Constant(value)];
            ranges_of(&Expression::Call(Function::SparqlLess, sides), Variable(0))
        };
        let integer = |value| TermId::from_i64(value).unwrap();
        let ranges = less(Value::Integer(5)).unwrap();
        assert!(ranges.contains(integer(4)) && !ranges.contains(integer(6)));
        assert!(!ranges.contains(TermId::from_bool(true)));
        let date = |text: &str| Literal::new_typed_literal(text, xsd::DATE);
        let ranges = less(Value::Term(date("2008-05-01").into())).unwrap();
        assert!(!ranges.contains(TermId::inline(&date("2008-05-02")).unwrap()));
        assert_eq!(less(Value::String("b".to_owned())), None);
    }
}
