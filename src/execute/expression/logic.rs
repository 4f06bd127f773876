//! Three-valued logic: effective boolean values and XOR. AND, OR and NOT are nodes of their own.

use super::column::Arguments;
use super::datum::{Datum, Meaning};
use super::node::Outcome;
use super::number::Number;
use crate::execute::Context;

/// Returns SPARQL's effective boolean value (SPARQL 1.1, 17.2.2) of a decoded datum.
pub(super) fn effective_boolean(datum: &Datum) -> Option<bool> {
    match datum.meaning()? {
        Meaning::Boolean(value) => Some(value),
        Meaning::String => Some(!datum.as_string()?.is_empty()),
        Meaning::Number(Number::Integer(value)) => Some(value != 0),
        Meaning::Number(number) => Some(number.to_f64() != 0.0 && !number.is_nan()),
        _ => None,
    }
}

pub(super) fn xor(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let truths = effective_boolean(&arguments[0]).zip(effective_boolean(&arguments[1]));
    Ok(truths.map(|(a, b)| a != b).into())
}

pub(super) fn is_defined(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(Datum::Boolean(!arguments[0].is_undefined()))
}
