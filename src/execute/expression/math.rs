//! Functions of numbers: rounding, roots, logarithms, trigonometry.

use super::argument_error;
use super::column::Arguments;
use super::datum::Datum;
use super::node::Outcome;
use super::number::Number;
use crate::execute::{Context, ExecuteError};

pub(super) fn abs(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(keep_type(&arguments[0], i64::checked_abs, |d| d.checked_abs(), f32::abs, f64::abs))
}

pub(super) fn ceil(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(keep_type(&arguments[0], Some, |d| d.checked_ceil(), f32::ceil, f64::ceil))
}

pub(super) fn floor(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(keep_type(&arguments[0], Some, |d| d.checked_floor(), f32::floor, f64::floor))
}

pub(super) fn sparql_round(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(keep_type(
        &arguments[0],
        Some,
        |d| d.checked_round(),
        |x| oxsdatatypes::Float::from(x).round().into(),
        |x| oxsdatatypes::Double::from(x).round().into(),
    ))
}

fn keep_type(
    datum: &Datum,
    integer: fn(i64) -> Option<i64>,
    decimal: fn(oxsdatatypes::Decimal) -> Option<oxsdatatypes::Decimal>,
    float: fn(f32) -> f32,
    double: fn(f64) -> f64,
) -> Datum {
    let number = datum.as_number().and_then(|number| match number {
        Number::Integer(value) => integer(value).map(Number::Integer),
        Number::Decimal(value) => decimal(value).map(Number::Decimal),
        Number::Float(value) => Some(Number::Float(float(value))),
        Number::Double(value) => Some(Number::Double(double(value))),
    });
    number.map(Datum::Number).into()
}

/// round(x): half up; round(x, precision[, mode]): half away from zero unless the mode says else.
pub(super) fn cypher_round(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let Some(value) = arguments[0].as_number().map(Number::to_f64) else { return Ok(Datum::Undefined) };
    let Some(precision) = arguments.get(1) else {
        return Ok(Datum::double(oxsdatatypes::Double::from(value).round().into()));
    };
    let Some(precision) = precision.as_integer() else { return Ok(Datum::Undefined) };
    if !(0..=308).contains(&precision) {
        return Err(argument_error("NumberOutOfRange", format!("precision {precision} is out of range")));
    }
    let mode = arguments.get(2).and_then(Datum::as_text).unwrap_or("HALF_UP");
    let factor = 10f64.powi(precision as i32);
    let scaled = value * factor;
    if !scaled.is_finite() {
        return Ok(Datum::double(value));
    }
    Ok(Datum::double(round_by(scaled, mode)? / factor))
}

fn round_by(value: f64, mode: &str) -> Result<f64, ExecuteError> {
    let is_tie = (value.fract().abs() - 0.5).abs() < 1e-9;
    Ok(match mode.to_ascii_uppercase().as_str() {
        "UP" => value.signum() * value.abs().ceil(),
        "DOWN" => value.trunc(),
        "CEILING" => value.ceil(),
        "FLOOR" => value.floor(),
        "HALF_UP" if is_tie => value.trunc() + value.signum(),
        "HALF_DOWN" if is_tie => value.trunc(),
        "HALF_EVEN" if is_tie => 2.0 * (value / 2.0).round(),
        "HALF_UP" | "HALF_DOWN" | "HALF_EVEN" => value.round(),
        _ => return Err(argument_error("InvalidArgumentValue", format!("'{mode}' is no rounding mode"))),
    })
}

pub(super) fn sign(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let sign = arguments[0].as_number().map(|number| match number {
        Number::Integer(value) => value.signum(),
        other => match other.to_f64() {
            value if value > 0.0 => 1,
            value if value < 0.0 => -1,
            _ => 0,
        },
    });
    Ok(sign.map(Datum::integer).into())
}

macro_rules! of_double {
    ($($name:ident = $function:expr;)*) => {$(
        pub(super) fn $name(arguments: &Arguments<'_>, _: &Context) -> Outcome {
            let function: fn(f64) -> f64 = $function;
            Ok(arguments[0].as_number().map(|number| Datum::double(function(number.to_f64()))).into())
        }
    )*};
}

of_double! {
    sqrt = f64::sqrt;
    exp = f64::exp;
    log = f64::ln;
    log10 = f64::log10;
    sin = f64::sin;
    cos = f64::cos;
    tan = f64::tan;
    cot = |x| 1.0 / x.tan();
    asin = f64::asin;
    acos = f64::acos;
    atan = f64::atan;
    degrees = f64::to_degrees;
    radians = f64::to_radians;
    haversin = |x| (1.0 - x.cos()) / 2.0;
}

pub(super) fn atan2(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let pair = arguments[0].as_number().zip(arguments[1].as_number());
    Ok(pair.map(|(y, x)| Datum::double(y.to_f64().atan2(x.to_f64()))).into())
}

pub(super) fn pi(_: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(Datum::double(std::f64::consts::PI))
}

pub(super) fn e(_: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(Datum::double(std::f64::consts::E))
}

pub(super) fn is_nan(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(arguments[0].as_number().map(|number| number.is_nan()).into())
}

pub(super) fn rand(_: &Arguments<'_>, _: &Context) -> Outcome {
    let bits = u64::from_le_bytes(random()?);
    Ok(Datum::double((bits >> 11) as f64 / (1u64 << 53) as f64))
}

/// Returns random bytes of the system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], ExecuteError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| ExecuteError::Unsupported(format!("no randomness: {e}")))?;
    Ok(bytes)
}
