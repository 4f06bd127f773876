//! Casts: XSD's constructor functions, and Cypher's toString, toInteger, toFloat and toBoolean.

use oxsdatatypes::{Boolean, Date, DateTime, DayTimeDuration, Decimal, Time, YearMonthDuration};

use super::column::Arguments;
use super::datum::{Calendar, Datum, Meaning, parse_boolean};
use super::node::Outcome;
use super::number::{Number, parse_double, parse_integer};
use super::type_error;
use crate::execute::Context;
use crate::model::{NamedNode, Term, xsd};

/// Returns whether a datatype has a constructor function.
pub(super) fn is_known(datatype: &NamedNode) -> bool {
    let name = datatype.as_str().strip_prefix("http://www.w3.org/2001/XMLSchema#").unwrap_or_default();
    const OTHERS: [&str; 15] = [
        "string",
        "boolean",
        "date",
        "time",
        "dateTime",
        "duration",
        "yearMonthDuration",
        "dayTimeDuration",
        "gYear",
        "gYearMonth",
        "gMonth",
        "gMonthDay",
        "gDay",
        "anyURI",
        "base64Binary",
    ];
    OTHERS.contains(&name) || Number::parse("", datatype.as_str()).is_some()
}

/// Casts by the constructor function of `datatype`; `None` is an error.
pub(super) fn cast(datum: &Datum, datatype: &NamedNode) -> Option<Datum> {
    let trimmed = datum.as_string().map(|text| text.trim_matches([' ', '\t', '\r', '\n']));
    match datatype.as_ref() {
        xsd::STRING => match datum.to_term()? {
            Term::NamedNode(node) => Some(Datum::string(node.as_str())),
            Term::Literal(literal) => {
                Some(Datum::string(xpath_text(datum).unwrap_or_else(|| literal.value().to_owned())))
            }
            _ => None,
        },
        xsd::BOOLEAN => match trimmed {
            Some(text) => parse_boolean(text).map(Datum::Boolean),
            None => to_boolean(datum).map(Datum::Boolean),
        },
        xsd::INTEGER => to_integer(datum, trimmed).map(Datum::integer),
        xsd::DECIMAL => to_decimal(datum, trimmed).map(|value| Datum::Number(Number::Decimal(value))),
        xsd::DOUBLE => to_double(datum, trimmed).map(Datum::double),
        xsd::FLOAT => match trimmed {
            Some(text) => Some(Datum::Number(Number::parse(text, xsd::FLOAT.as_str())??)),
            None => to_double(datum, None).map(|value| Datum::Number(Number::Float(value as f32))),
        },
        _ if Number::parse("", datatype.as_str()).is_some() => {
            let text = to_integer(datum, trimmed)?.to_string();
            Number::parse(&text, datatype.as_str())??;
            Some(Datum::typed(text, datatype.clone()))
        }
        _ => cast_moment(datum, trimmed, datatype),
    }
}

/// Returns the text of a boolean or number as XPath casts it to a string: canonical, and without
/// an exponent where the magnitude allows.
///
/// # Source
/// XPath and XQuery Functions and Operators 3.1, 19.1.2.
fn xpath_text(datum: &Datum) -> Option<String> {
    let value = match datum.meaning()? {
        Meaning::Boolean(value) => return Some(value.to_string()),
        Meaning::Number(Number::Integer(value)) => return Some(value.to_string()),
        Meaning::Number(Number::Decimal(value)) => return Some(value.to_string()),
        Meaning::Number(Number::Float(value)) if value == 0.0 || (1e-6..1e6).contains(&value.abs()) => {
            return Some(value.to_string());
        }
        Meaning::Number(number) => number.to_f64(),
        _ => return None,
    };
    (value == 0.0 || (1e-6..1e6).contains(&value.abs())).then(|| value.to_string())
}

fn to_boolean(datum: &Datum) -> Option<bool> {
    match datum.meaning()? {
        Meaning::Boolean(value) => Some(value),
        Meaning::Number(Number::Integer(value)) => Some(value != 0),
        Meaning::Number(Number::Decimal(value)) => Some(Boolean::from(value).into()),
        Meaning::Number(number) => Some(number.to_f64() != 0.0 && !number.is_nan()),
        _ => None,
    }
}

fn to_integer(datum: &Datum, text: Option<&str>) -> Option<i64> {
    if let Some(text) = text {
        return parse_integer(text);
    }
    match datum.meaning()? {
        Meaning::Boolean(value) => Some(value.into()),
        Meaning::Number(number) => truncate(number),
        _ => None,
    }
}

/// Returns the integer part, if it fits.
fn truncate(number: Number) -> Option<i64> {
    match number {
        Number::Integer(value) => Some(value),
        Number::Decimal(value) => {
            i64::try_from(i128::from_be_bytes(value.to_be_bytes()) / 1_000_000_000_000_000_000).ok()
        }
        other => super::number::to_i64(other.to_f64()),
    }
}

fn to_decimal(datum: &Datum, text: Option<&str>) -> Option<Decimal> {
    if let Some(text) = text {
        return text.parse().ok();
    }
    match datum.meaning()? {
        Meaning::Boolean(value) => Some(value.into()),
        Meaning::Number(Number::Integer(value)) => Some(value.into()),
        Meaning::Number(Number::Decimal(value)) => Some(value),
        Meaning::Number(Number::Float(value)) => format!("{value}").parse().ok(),
        Meaning::Number(Number::Double(value)) => format!("{value}").parse().ok(),
        _ => None,
    }
}

fn to_double(datum: &Datum, text: Option<&str>) -> Option<f64> {
    if let Some(text) = text {
        return parse_double(text);
    }
    match datum.meaning()? {
        Meaning::Boolean(value) => Some(value.into()),
        Meaning::Number(number) => Some(number.to_f64()),
        _ => None,
    }
}

fn cast_moment(datum: &Datum, text: Option<&str>, datatype: &NamedNode) -> Option<Datum> {
    if let Some(text) = text {
        let parsed = Datum::typed(text, datatype.clone());
        let is_valid = matches!(datatype.as_ref(), xsd::ANY_URI | xsd::BASE_64_BINARY)
            || !matches!(parsed.meaning()?, Meaning::Other);
        return is_valid.then_some(parsed);
    }
    let meaning = datum.meaning()?;
    let text = match (datatype.as_ref(), meaning) {
        (xsd::DATE, Meaning::Date(value)) => value.to_string(),
        (xsd::DATE, Meaning::DateTime(value)) => Date::try_from(value).ok()?.to_string(),
        (xsd::TIME, Meaning::Time(value)) => value.to_string(),
        (xsd::TIME, Meaning::DateTime(value)) => Time::from(value).to_string(),
        (xsd::DATE_TIME, Meaning::DateTime(value)) => value.to_string(),
        (xsd::DATE_TIME, Meaning::Date(value)) => DateTime::try_from(value).ok()?.to_string(),
        (xsd::DURATION, Meaning::Duration(value)) => value.to_string(),
        (xsd::DURATION, Meaning::YearMonthDuration(value)) => value.to_string(),
        (xsd::DURATION, Meaning::DayTimeDuration(value)) => value.to_string(),
        (xsd::YEAR_MONTH_DURATION, Meaning::YearMonthDuration(value)) => value.to_string(),
        (xsd::YEAR_MONTH_DURATION, Meaning::Duration(value)) => {
            YearMonthDuration::try_from(value).ok()?.to_string()
        }
        (xsd::DAY_TIME_DURATION, Meaning::DayTimeDuration(value)) => value.to_string(),
        (xsd::DAY_TIME_DURATION, Meaning::Duration(value)) => {
            DayTimeDuration::try_from(value).ok()?.to_string()
        }
        (_, Meaning::Calendar(value)) => calendar_of_calendar(value, datatype)?,
        (_, meaning) => calendar_of_moment(meaning, datatype)?,
    };
    Some(Datum::typed(text, datatype.clone()))
}

fn calendar_of_calendar(value: Calendar, datatype: &NamedNode) -> Option<String> {
    Some(match (datatype.as_ref(), value) {
        (xsd::G_YEAR_MONTH, Calendar::YearMonth(value)) => value.to_string(),
        (xsd::G_YEAR, Calendar::Year(value)) => value.to_string(),
        (xsd::G_MONTH_DAY, Calendar::MonthDay(value)) => value.to_string(),
        (xsd::G_MONTH, Calendar::Month(value)) => value.to_string(),
        (xsd::G_DAY, Calendar::Day(value)) => value.to_string(),
        _ => return None,
    })
}

fn calendar_of_moment(meaning: Meaning, datatype: &NamedNode) -> Option<String> {
    use oxsdatatypes::{GDay, GMonth, GMonthDay, GYear, GYearMonth};
    let date = match meaning {
        Meaning::Date(value) => value,
        Meaning::DateTime(value) => Date::try_from(value).ok()?,
        _ => return None,
    };
    Some(match datatype.as_ref() {
        xsd::G_YEAR_MONTH => GYearMonth::from(date).to_string(),
        xsd::G_YEAR => GYear::try_from(date).ok()?.to_string(),
        xsd::G_MONTH_DAY => GMonthDay::from(date).to_string(),
        xsd::G_MONTH => GMonth::from(date).to_string(),
        xsd::G_DAY => GDay::from(date).to_string(),
        _ => return None,
    })
}

// Cypher

/// Returns a number as Cypher prints it: `1`, `1.5`, `1.0E10`.
pub(super) fn cypher_number_text(number: Number) -> String {
    match number {
        Number::Integer(value) => value.to_string(),
        other => cypher_float_text(other.to_f64()),
    }
}

fn cypher_float_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        format!("{value:?}")
    } else {
        super::number::double_text(value)
    }
}

pub(super) fn to_string(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let datum = &arguments[0];
    if let Some(text) = datum.as_text() {
        return Ok(Datum::string(text));
    }
    if let Some(number) = datum.as_number() {
        return Ok(Datum::string(cypher_number_text(number)));
    }
    if let Some(value) = datum.as_boolean() {
        return Ok(Datum::string(if value { "true" } else { "false" }));
    }
    if let Some(temporal) = datum.to_temporal() {
        return Ok(Datum::string(temporal.to_string()));
    }
    match datum.to_literal() {
        Some(literal) if datum.as_list().is_none() => Ok(Datum::string(literal.value())),
        _ => Err(invalid("toString", datum)),
    }
}

pub(super) fn to_cypher_integer(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let datum = &arguments[0];
    if let Some(number) = datum.as_number() {
        return Ok(truncate(number).map(Datum::integer).into());
    }
    if let Some(text) = datum.as_text() {
        let text = text.trim();
        let value = parse_integer(text).or_else(|| truncate(Number::Double(parse_double(text)?)));
        return Ok(value.map(Datum::integer).into());
    }
    match datum.as_boolean() {
        Some(value) => Ok(Datum::integer(value.into())),
        None => Err(invalid("toInteger", datum)),
    }
}

pub(super) fn to_cypher_float(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let datum = &arguments[0];
    if let Some(number) = datum.as_number() {
        return Ok(Datum::double(number.to_f64()));
    }
    match datum.as_text() {
        Some(text) => Ok(parse_double(text.trim()).map(Datum::double).into()),
        None => Err(invalid("toFloat", datum)),
    }
}

pub(super) fn to_cypher_boolean(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let datum = &arguments[0];
    if let Some(value) = datum.as_boolean() {
        return Ok(Datum::Boolean(value));
    }
    match datum.as_text().map(|text| text.trim().to_ascii_lowercase()) {
        Some(text) => Ok(match text.as_str() {
            "true" => Datum::Boolean(true),
            "false" => Datum::Boolean(false),
            _ => Datum::Undefined,
        }),
        None => Err(invalid("toBoolean", datum)),
    }
}

fn invalid(function: &str, datum: &Datum) -> crate::execute::ExecuteError {
    type_error("InvalidArgumentValue", format!("{function}() takes no {}", super::kind_name(datum)))
}
