//! `date.truncate(unit, value[, fields])` and its kin.

use super::super::column::Arguments;
use super::super::datum::Datum;
use super::super::node::Outcome;
use super::super::{kind_name, type_error};
use super::construct::{
    Fields, Kind, Parts, assemble, clock, date, invalid, out_of_range, subseconds, year_of,
};
use super::parse::{self, Zone};
use super::{NANOSECONDS_PER_DAY, NANOSECONDS_PER_SECOND, component};
use crate::execute::{Context, ExecuteError};
use crate::model::{civil_from_days, days_from_civil};

pub(super) fn truncate(kind: Kind, arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let (Some(unit), Some(value)) = (arguments.get(0).and_then(Datum::as_text), arguments.get(1)) else {
        return Err(type_error("InvalidArgumentType", "truncate() takes a unit and a temporal value"));
    };
    let Some(temporal) = value.to_temporal() else {
        return Err(type_error("InvalidArgumentType", format!("cannot truncate {}", kind_name(value))));
    };
    let parts = Parts::of(&temporal);
    if parts.days.is_none() && matches!(kind, Kind::Date | Kind::LocalDateTime | Kind::DateTime) {
        return Err(type_error("InvalidArgumentType", format!("{temporal} has no date")));
    }
    let unit = unit.to_ascii_lowercase();
    let fields = Fields { entries: arguments.get(2).and_then(Datum::as_map).unwrap_or_default() };
    let days = match parts.days {
        Some(days) => date(&fields, Some(floor_days(days, &unit)?))
            .or_else(|e| if kind == Kind::Time || kind == Kind::LocalTime { Ok(0) } else { Err(e) })?,
        None => 0,
    };
    let floor = floor_time(parts.nanoseconds.unwrap_or(0), &unit)?;
    // Fields below the unit are counted from the unit, not from the second.
    let rest = subseconds(&fields)?.map_or(0, |given| match unit.as_str() {
        "millisecond" | "microsecond" => floor % NANOSECONDS_PER_SECOND + given,
        _ => given,
    });
    let whole = Fields { entries: fields.entries };
    let mut nanoseconds = clock(&whole, Some(floor))?;
    if subseconds(&fields)?.is_some() {
        nanoseconds = nanoseconds / NANOSECONDS_PER_SECOND * NANOSECONDS_PER_SECOND + rest;
    }
    let zone = match fields.zone()? {
        Some(zone) => zone,
        None => match parts.zone {
            Some(zone) if zone.name.is_some() => Zone { offset: None, ..zone },
            Some(zone) => zone,
            None => Zone::utc(),
        },
    };
    let zone = if kind.has_zone() { zone } else { Zone::utc() };
    assemble(kind, days, nanoseconds, zone, None).map(|value| value.to_datum()).ok_or_else(out_of_range)
}

fn floor_days(days: i64, unit: &str) -> Result<i64, ExecuteError> {
    let (year, month, _) = civil_from_days(days);
    let floor_year = |step: i64| days_from_civil(year_of(days).div_euclid(step) * step, 1, 1);
    Ok(match unit {
        "millennium" => floor_year(1000),
        "century" => floor_year(100),
        "decade" => floor_year(10),
        "year" => floor_year(1),
        "weekyear" => parse::first_week(component::week_year(days)),
        "quarter" => days_from_civil(year, (month - 1) / 3 * 3 + 1, 1),
        "month" => days_from_civil(year, month, 1),
        "week" => days - parse::weekday(days) + 1,
        "day" | "hour" | "minute" | "second" | "millisecond" | "microsecond" => days,
        _ => return Err(invalid(format!("'{unit}' is no unit to truncate to"))),
    })
}

fn floor_time(nanoseconds: i64, unit: &str) -> Result<i64, ExecuteError> {
    let step = match unit {
        "hour" => 3600 * NANOSECONDS_PER_SECOND,
        "minute" => 60 * NANOSECONDS_PER_SECOND,
        "second" => NANOSECONDS_PER_SECOND,
        "millisecond" => 1_000_000,
        "microsecond" => 1000,
        "millennium" | "century" | "decade" | "year" | "weekyear" | "quarter" | "month" | "week" | "day" => {
            NANOSECONDS_PER_DAY
        }
        _ => return Err(invalid(format!("'{unit}' is no unit to truncate to"))),
    };
    Ok(nanoseconds / step * step)
}
