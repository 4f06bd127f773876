//! XSD dates, times and durations in SPARQL: components, arithmetic, ADJUST (SEP-0002).

use oxsdatatypes::{DayTimeDuration, TimezoneOffset};

use super::column::Arguments;
use super::datum::{Calendar, Datum, Meaning};
use super::node::Outcome;
use super::number::Number;
use crate::execute::Context;
use crate::model::{Literal, NamedNode, xsd};

/// Makes the datum of an XSD value by its canonical text.
fn datum(text: impl ToString, datatype: impl Into<NamedNode>) -> Datum {
    Datum::term(Literal::new_typed_literal(text.to_string(), datatype))
}

pub(super) fn now(_: &Arguments<'_>, context: &Context) -> Outcome {
    let (seconds, milliseconds) = (context.now_ms.div_euclid(1000), context.now_ms.rem_euclid(1000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let moment = super::temporal::Temporal::DateTime {
        days,
        nanoseconds: second * 1_000_000_000 + milliseconds * 1_000_000,
        offset: 0,
        zone: None,
    };
    Ok(moment.to_datum())
}

pub(super) fn year(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(integer(match arguments[0].meaning() {
        Some(Meaning::DateTime(value)) => Some(value.year()),
        Some(Meaning::Date(value)) => Some(value.year()),
        Some(Meaning::Calendar(Calendar::YearMonth(value))) => Some(value.year()),
        Some(Meaning::Calendar(Calendar::Year(value))) => Some(value.year()),
        _ => None,
    }))
}

pub(super) fn month(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(integer(match arguments[0].meaning() {
        Some(Meaning::DateTime(value)) => Some(value.month().into()),
        Some(Meaning::Date(value)) => Some(value.month().into()),
        Some(Meaning::Calendar(Calendar::YearMonth(value))) => Some(value.month().into()),
        Some(Meaning::Calendar(Calendar::MonthDay(value))) => Some(value.month().into()),
        Some(Meaning::Calendar(Calendar::Month(value))) => Some(value.month().into()),
        _ => None,
    }))
}

pub(super) fn day(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(integer(match arguments[0].meaning() {
        Some(Meaning::DateTime(value)) => Some(value.day().into()),
        Some(Meaning::Date(value)) => Some(value.day().into()),
        Some(Meaning::Calendar(Calendar::MonthDay(value))) => Some(value.day().into()),
        Some(Meaning::Calendar(Calendar::Day(value))) => Some(value.day().into()),
        _ => None,
    }))
}

pub(super) fn hours(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(integer(match arguments[0].meaning() {
        Some(Meaning::DateTime(value)) => Some(value.hour().into()),
        Some(Meaning::Time(value)) => Some(value.hour().into()),
        _ => None,
    }))
}

pub(super) fn minutes(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(integer(match arguments[0].meaning() {
        Some(Meaning::DateTime(value)) => Some(value.minute().into()),
        Some(Meaning::Time(value)) => Some(value.minute().into()),
        _ => None,
    }))
}

pub(super) fn seconds(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let seconds = match arguments[0].meaning() {
        Some(Meaning::DateTime(value)) => Some(value.second()),
        Some(Meaning::Time(value)) => Some(value.second()),
        _ => None,
    };
    Ok(seconds.map(|value| Datum::Number(Number::Decimal(value))).into())
}

fn integer(value: Option<i64>) -> Datum {
    value.map(Datum::integer).into()
}

/// Returns the zone of a date or time, `Some(None)` if it has none.
fn offset_of(datum: &Datum) -> Option<Option<TimezoneOffset>> {
    Some(match datum.meaning()? {
        Meaning::DateTime(value) => value.timezone_offset(),
        Meaning::Date(value) => value.timezone_offset(),
        Meaning::Time(value) => value.timezone_offset(),
        Meaning::Calendar(Calendar::YearMonth(value)) => value.timezone_offset(),
        Meaning::Calendar(Calendar::Year(value)) => value.timezone_offset(),
        Meaning::Calendar(Calendar::MonthDay(value)) => value.timezone_offset(),
        Meaning::Calendar(Calendar::Month(value)) => value.timezone_offset(),
        Meaning::Calendar(Calendar::Day(value)) => value.timezone_offset(),
        _ => return None,
    })
}

pub(super) fn timezone(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let offset = offset_of(&arguments[0]).flatten();
    Ok(offset.map(|offset| datum(DayTimeDuration::from(offset), xsd::DAY_TIME_DURATION)).into())
}

pub(super) fn tz(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let offset = offset_of(&arguments[0]);
    Ok(offset.map(|offset| Datum::string(offset.map_or_else(String::new, |o| o.to_string()))).into())
}

pub(super) fn adjust(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(adjusted(&arguments[0], arguments.get(1)).into())
}

fn adjusted(value: &Datum, zone: Option<&Datum>) -> Option<Datum> {
    let offset = match zone.map(Datum::meaning) {
        None => None,
        Some(Some(Meaning::DayTimeDuration(zone))) => Some(TimezoneOffset::try_from(zone).ok()?),
        Some(Some(Meaning::Duration(zone))) => Some(TimezoneOffset::try_from(zone).ok()?),
        // ADJUST(x, "") takes the zone away.
        Some(Some(Meaning::String)) if zone.and_then(Datum::as_string) == Some("") => None,
        Some(_) => return None,
    };
    Some(match value.meaning()? {
        Meaning::DateTime(value) => datum(value.adjust(offset)?, xsd::DATE_TIME),
        Meaning::Date(value) => datum(value.adjust(offset)?, xsd::DATE),
        Meaning::Time(value) => datum(value.adjust(offset)?, xsd::TIME),
        Meaning::Calendar(Calendar::YearMonth(value)) => datum(value.adjust(offset)?, xsd::G_YEAR_MONTH),
        Meaning::Calendar(Calendar::Year(value)) => datum(value.adjust(offset)?, xsd::G_YEAR),
        Meaning::Calendar(Calendar::MonthDay(value)) => datum(value.adjust(offset)?, xsd::G_MONTH_DAY),
        Meaning::Calendar(Calendar::Month(value)) => datum(value.adjust(offset)?, xsd::G_MONTH),
        Meaning::Calendar(Calendar::Day(value)) => datum(value.adjust(offset)?, xsd::G_DAY),
        _ => return None,
    })
}

/// Date or time plus duration, or duration plus duration (XPath, 9 and 8.4).
pub(super) fn add(a: &Datum, b: &Datum) -> Option<Datum> {
    use Meaning::*;
    Some(match (a.meaning()?, b.meaning()?) {
        (DateTime(a), Duration(b)) => datum(a.checked_add_duration(b)?, xsd::DATE_TIME),
        (DateTime(a), YearMonthDuration(b)) => datum(a.checked_add_year_month_duration(b)?, xsd::DATE_TIME),
        (DateTime(a), DayTimeDuration(b)) => datum(a.checked_add_day_time_duration(b)?, xsd::DATE_TIME),
        (Date(a), Duration(b)) => datum(a.checked_add_duration(b)?, xsd::DATE),
        (Date(a), YearMonthDuration(b)) => datum(a.checked_add_year_month_duration(b)?, xsd::DATE),
        (Date(a), DayTimeDuration(b)) => datum(a.checked_add_day_time_duration(b)?, xsd::DATE),
        (Time(a), Duration(b)) => datum(a.checked_add_duration(b)?, xsd::TIME),
        (Time(a), DayTimeDuration(b)) => datum(a.checked_add_day_time_duration(b)?, xsd::TIME),
        (YearMonthDuration(a), YearMonthDuration(b)) => datum(a.checked_add(b)?, xsd::YEAR_MONTH_DURATION),
        (DayTimeDuration(a), DayTimeDuration(b)) => datum(a.checked_add(b)?, xsd::DAY_TIME_DURATION),
        (a, b) => datum(duration(&a)?.checked_add(duration(&b)?)?, xsd::DURATION),
    })
}

/// Date or time minus duration, difference of two moments, or duration minus duration.
pub(super) fn subtract(a: &Datum, b: &Datum) -> Option<Datum> {
    use Meaning::*;
    Some(match (a.meaning()?, b.meaning()?) {
        (DateTime(a), DateTime(b)) => datum(a.checked_sub(b)?, xsd::DAY_TIME_DURATION),
        (Date(a), Date(b)) => datum(a.checked_sub(b)?, xsd::DAY_TIME_DURATION),
        (Time(a), Time(b)) => datum(a.checked_sub(b)?, xsd::DAY_TIME_DURATION),
        (DateTime(a), Duration(b)) => datum(a.checked_sub_duration(b)?, xsd::DATE_TIME),
        (DateTime(a), YearMonthDuration(b)) => datum(a.checked_sub_year_month_duration(b)?, xsd::DATE_TIME),
        (DateTime(a), DayTimeDuration(b)) => datum(a.checked_sub_day_time_duration(b)?, xsd::DATE_TIME),
        (Date(a), Duration(b)) => datum(a.checked_sub_duration(b)?, xsd::DATE),
        (Date(a), YearMonthDuration(b)) => datum(a.checked_sub_year_month_duration(b)?, xsd::DATE),
        (Date(a), DayTimeDuration(b)) => datum(a.checked_sub_day_time_duration(b)?, xsd::DATE),
        (Time(a), Duration(b)) => datum(a.checked_sub_duration(b)?, xsd::TIME),
        (Time(a), DayTimeDuration(b)) => datum(a.checked_sub_day_time_duration(b)?, xsd::TIME),
        (YearMonthDuration(a), YearMonthDuration(b)) => datum(a.checked_sub(b)?, xsd::YEAR_MONTH_DURATION),
        (DayTimeDuration(a), DayTimeDuration(b)) => datum(a.checked_sub(b)?, xsd::DAY_TIME_DURATION),
        (a, b) => datum(duration(&a)?.checked_sub(duration(&b)?)?, xsd::DURATION),
    })
}

fn duration(meaning: &Meaning) -> Option<oxsdatatypes::Duration> {
    match meaning {
        Meaning::Duration(value) => Some(*value),
        Meaning::YearMonthDuration(value) => Some((*value).into()),
        Meaning::DayTimeDuration(value) => Some((*value).into()),
        _ => None,
    }
}
