//! The operators + - * / % ^ and unary minus, for SPARQL (XSD promotion, errors are undefined) and
//! for Cypher (64-bit integers, floats; errors fail the query).

use std::sync::Arc;

use oxsdatatypes::Decimal;

use super::column::Arguments;
use super::datetime;
use super::datum::Datum;
use super::node::Outcome;
use super::number::{Number, Pair};
use super::{arithmetic_error, temporal, type_error};
use crate::execute::{Context, ExecuteError};
use crate::model::TermId;

// Shortcuts over inline integers and doubles

pub(super) fn add_ids(a: TermId, b: TermId) -> Option<TermId> {
    integers(a, b, i64::checked_add).or_else(|| doubles(a, b, |a, b| a + b))
}

pub(super) fn subtract_ids(a: TermId, b: TermId) -> Option<TermId> {
    integers(a, b, i64::checked_sub).or_else(|| doubles(a, b, |a, b| a - b))
}

pub(super) fn multiply_ids(a: TermId, b: TermId) -> Option<TermId> {
    integers(a, b, i64::checked_mul).or_else(|| doubles(a, b, |a, b| a * b))
}

fn integers(a: TermId, b: TermId, operator: fn(i64, i64) -> Option<i64>) -> Option<TermId> {
    TermId::from_i64(operator(a.as_i64()?, b.as_i64()?)?)
}

fn doubles(a: TermId, b: TermId, operator: fn(f64, f64) -> f64) -> Option<TermId> {
    TermId::from_f64(operator(a.as_f64()?, b.as_f64()?))
}

// SPARQL

pub(super) fn sparql_add(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(sparql_number(arguments, add).or_else(|| datetime::add(&arguments[0], &arguments[1])).into())
}

pub(super) fn sparql_subtract(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(sparql_number(arguments, subtract).or_else(|| datetime::subtract(&arguments[0], &arguments[1])).into())
}

pub(super) fn sparql_multiply(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(sparql_number(arguments, multiply).into())
}

pub(super) fn sparql_divide(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(sparql_number(arguments, divide).into())
}

fn sparql_number(arguments: &Arguments<'_>, operator: fn(Number, Number) -> Option<Number>) -> Option<Datum> {
    operator(arguments[0].as_number()?, arguments[1].as_number()?).map(Datum::Number)
}

/// XSD addition; `None` on overflow.
pub(super) fn add(a: Number, b: Number) -> Option<Number> {
    Some(match a.promote(b) {
        Pair::Integer(a, b) => Number::Integer(a.checked_add(b)?),
        Pair::Decimal(a, b) => Number::Decimal(a.checked_add(b)?),
        Pair::Float(a, b) => Number::Float(a + b),
        Pair::Double(a, b) => Number::Double(a + b),
    })
}

fn subtract(a: Number, b: Number) -> Option<Number> {
    Some(match a.promote(b) {
        Pair::Integer(a, b) => Number::Integer(a.checked_sub(b)?),
        Pair::Decimal(a, b) => Number::Decimal(a.checked_sub(b)?),
        Pair::Float(a, b) => Number::Float(a - b),
        Pair::Double(a, b) => Number::Double(a - b),
    })
}

fn multiply(a: Number, b: Number) -> Option<Number> {
    Some(match a.promote(b) {
        Pair::Integer(a, b) => Number::Integer(a.checked_mul(b)?),
        Pair::Decimal(a, b) => Number::Decimal(a.checked_mul(b)?),
        Pair::Float(a, b) => Number::Float(a * b),
        Pair::Double(a, b) => Number::Double(a * b),
    })
}

/// XSD division: of integers it is a decimal; by an exact zero it is an error.
pub(super) fn divide(a: Number, b: Number) -> Option<Number> {
    Some(match a.promote(b) {
        Pair::Integer(a, b) => Number::Decimal(Decimal::from(a).checked_div(b)?),
        Pair::Decimal(a, b) => Number::Decimal(a.checked_div(b)?),
        Pair::Float(a, b) => Number::Float(a / b),
        Pair::Double(a, b) => Number::Double(a / b),
    })
}

pub(super) fn unary_minus(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let negated = match arguments[0].as_number() {
        Some(Number::Integer(value)) => Some(Number::Integer(
            value.checked_neg().ok_or_else(|| arithmetic_error("IntegerOverflow", "integer overflow"))?,
        )),
        Some(Number::Decimal(value)) => value.checked_neg().map(Number::Decimal),
        Some(Number::Float(value)) => Some(Number::Float(-value)),
        Some(Number::Double(value)) => Some(Number::Double(-value)),
        None => return Ok(temporal::negate(&arguments[0]).into()),
    };
    Ok(negated.map(Datum::Number).into())
}

pub(super) fn unary_plus(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(arguments[0].as_number().map(|_| arguments[0].clone()).into())
}

// Cypher

pub(super) fn cypher_add(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let (a, b) = (&arguments[0], &arguments[1]);
    if let (Some(a), Some(b)) = (a.as_number(), b.as_number()) {
        return cypher_number(a, b, i64::checked_add, |a, b| a + b);
    }
    match (a.as_list(), b.as_list()) {
        (Some(a), Some(b)) => return Ok(Datum::list(a.iter().chain(b.iter()).cloned().collect())),
        (Some(a), None) => return Ok(Datum::list(a.iter().chain([b]).cloned().collect())),
        (None, Some(b)) => return Ok(Datum::list([a].into_iter().chain(b.iter()).cloned().collect())),
        (None, None) => {}
    }
    if let Some(text) = concatenate(a, b) {
        return Ok(Datum::String(text));
    }
    temporal::add(a, b)?.ok_or_else(|| operands("+", a, b))
}

/// Concatenates two strings, or a string and a number.
fn concatenate(a: &Datum, b: &Datum) -> Option<Arc<str>> {
    let text = |datum: &Datum| match datum.as_text() {
        Some(text) => Some(text.to_owned()),
        None => datum.as_number().map(super::cast::cypher_number_text),
    };
    (a.as_text().is_some() || b.as_text().is_some()).then_some(())?;
    Some(format!("{}{}", text(a)?, text(b)?).into())
}

pub(super) fn cypher_subtract(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let (a, b) = (&arguments[0], &arguments[1]);
    match (a.as_number(), b.as_number()) {
        (Some(a), Some(b)) => cypher_number(a, b, i64::checked_sub, |a, b| a - b),
        _ => temporal::subtract(a, b)?.ok_or_else(|| operands("-", a, b)),
    }
}

pub(super) fn cypher_multiply(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let (a, b) = (&arguments[0], &arguments[1]);
    match (a.as_number(), b.as_number()) {
        (Some(a), Some(b)) => cypher_number(a, b, i64::checked_mul, |a, b| a * b),
        (Some(factor), None) => temporal::scale(b, factor.to_f64())?.ok_or_else(|| operands("*", a, b)),
        (None, Some(factor)) => temporal::scale(a, factor.to_f64())?.ok_or_else(|| operands("*", a, b)),
        _ => Err(operands("*", a, b)),
    }
}

pub(super) fn cypher_divide(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let (a, b) = (&arguments[0], &arguments[1]);
    match (a.as_number(), b.as_number()) {
        (Some(Number::Integer(_)), Some(Number::Integer(0))) => Err(by_zero()),
        (Some(a), Some(b)) => cypher_number(a, b, i64::checked_div, |a, b| a / b),
        (None, Some(factor)) => temporal::scale(a, 1.0 / factor.to_f64())?.ok_or_else(|| operands("/", a, b)),
        _ => Err(operands("/", a, b)),
    }
}

pub(super) fn cypher_modulo(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let (a, b) = (&arguments[0], &arguments[1]);
    match (a.as_number(), b.as_number()) {
        (Some(Number::Integer(_)), Some(Number::Integer(0))) => Err(by_zero()),
        (Some(a), Some(b)) => cypher_number(a, b, |a, b| Some(a.wrapping_rem(b)), |a, b| a % b),
        _ => Err(operands("%", a, b)),
    }
}

pub(super) fn cypher_power(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    match (arguments[0].as_number(), arguments[1].as_number()) {
        (Some(a), Some(b)) => Ok(Datum::double(a.to_f64().powf(b.to_f64()))),
        _ => Err(operands("^", &arguments[0], &arguments[1])),
    }
}

fn cypher_number(
    a: Number,
    b: Number,
    integers: fn(i64, i64) -> Option<i64>,
    floats: fn(f64, f64) -> f64,
) -> Outcome {
    match (a, b) {
        (Number::Integer(a), Number::Integer(b)) => integers(a, b)
            .map(Datum::integer)
            .ok_or_else(|| arithmetic_error("IntegerOverflow", "integer overflow")),
        _ => Ok(Datum::double(floats(a.to_f64(), b.to_f64()))),
    }
}

fn by_zero() -> ExecuteError {
    arithmetic_error("DivisionByZero", "/ by zero")
}

fn operands(operator: &str, a: &Datum, b: &Datum) -> ExecuteError {
    let message = format!("cannot compute {} {operator} {}", super::kind_name(a), super::kind_name(b));
    type_error("InvalidArgumentType", message)
}
