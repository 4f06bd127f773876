//! Constructors of temporal values: from maps, from strings, from other values, and of now.

use std::sync::Arc;

use super::super::column::Arguments;
use super::super::datum::Datum;
use super::super::node::{Outcome, Run};
use super::super::number::Number;
use super::super::{argument_error, kind_name, list, type_error};
use super::parse::{self, Zone};
use super::{NANOSECONDS_PER_SECOND, Temporal, arithmetic, between, component, truncate, zone};
use crate::execute::{Context, ExecuteError};
use crate::model::civil_from_days;
use crate::plan::Function;

/// What a constructor makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Date,
    LocalTime,
    Time,
    LocalDateTime,
    DateTime,
    Duration,
}

impl Kind {
    fn has_date(self) -> bool {
        matches!(self, Kind::Date | Kind::LocalDateTime | Kind::DateTime)
    }

    fn has_time(self) -> bool {
        self != Kind::Date
    }

    pub(super) fn has_zone(self) -> bool {
        matches!(self, Kind::Time | Kind::DateTime)
    }

    fn of_name(name: &str) -> Option<Kind> {
        Some(match name {
            "date" => Kind::Date,
            "localtime" => Kind::LocalTime,
            "time" => Kind::Time,
            "localdatetime" => Kind::LocalDateTime,
            "datetime" => Kind::DateTime,
            "duration" => Kind::Duration,
            _ => return None,
        })
    }
}

/// Returns how a temporal function of the plan is computed.
pub(in crate::execute::expression) fn constructor(function: &Function) -> Run {
    let simple = |kind: Kind| {
        Run::With(Box::new(move |arguments: &Arguments<'_>, context: &Context| {
            construct(kind, arguments.get(0), context)
        }))
    };
    match function {
        Function::CypherDate => simple(Kind::Date),
        Function::CypherTime => simple(Kind::Time),
        Function::CypherLocalTime => simple(Kind::LocalTime),
        Function::CypherDateTime => simple(Kind::DateTime),
        Function::CypherLocalDateTime => simple(Kind::LocalDateTime),
        Function::CypherDuration => simple(Kind::Duration),
        Function::CypherTemporal(name) => named(name),
        _ => Run::Row(|_, _| Ok(Datum::Undefined)),
    }
}

fn named(full_name: &str) -> Run {
    let (of, name) = full_name.split_once('.').unwrap_or((full_name, ""));
    let kind = Kind::of_name(of);
    let full_name = full_name.to_owned();
    match (kind, name) {
        (Some(Kind::Duration), "between") => two(between::between),
        (Some(Kind::Duration), "inmonths") => two(between::in_months),
        (Some(Kind::Duration), "indays") => two(between::in_days),
        (Some(Kind::Duration), "inseconds") => two(between::in_seconds),
        (Some(kind), "truncate") => {
            Run::With(Box::new(move |arguments: &Arguments<'_>, context: &Context| {
                truncate::truncate(kind, arguments, context)
            }))
        }
        (Some(Kind::DateTime), "fromepoch") => Run::Row(|arguments, _| {
            let (seconds, nanoseconds) = (integer(arguments.get(0))?, integer(arguments.get(1))?);
            let instant = i128::from(seconds) * i128::from(NANOSECONDS_PER_SECOND) + i128::from(nanoseconds);
            of_instant(instant)
        }),
        (Some(Kind::DateTime), "fromepochmillis") => {
            Run::Row(|arguments, _| of_instant(i128::from(integer(arguments.get(0))?) * 1_000_000))
        }
        (Some(kind), "transaction" | "statement" | "realtime") => {
            Run::With(Box::new(move |arguments: &Arguments<'_>, context: &Context| {
                let zone = match arguments.get(0) {
                    Some(zone) => zone_of(zone)?,
                    None => Zone::default(),
                };
                Ok(now(kind, &zone, context)?.to_datum())
            }))
        }
        _ => Run::With(Box::new(move |_: &Arguments<'_>, _: &Context| {
            Err(ExecuteError::Unsupported(format!("there is no function {full_name}")))
        })),
    }
}

fn two(function: fn(&Temporal, &Temporal) -> Option<Temporal>) -> Run {
    Run::With(Box::new(move |arguments: &Arguments<'_>, _: &Context| {
        let (Some(a), Some(b)) = (arguments.get(0), arguments.get(1)) else { return Ok(Datum::Undefined) };
        match (a.to_temporal(), b.to_temporal()) {
            (Some(a), Some(b)) => {
                function(&a, &b).map(|duration| duration.to_datum()).ok_or_else(out_of_range)
            }
            _ => {
                let message = format!("there is no duration between {} and {}", kind_name(a), kind_name(b));
                Err(type_error("InvalidArgumentType", message))
            }
        }
    }))
}

fn integer(datum: Option<&Datum>) -> Result<i64, ExecuteError> {
    match datum.and_then(Datum::as_integer) {
        Some(value) => Ok(value),
        None => Err(type_error("InvalidArgumentType", "expected an integer")),
    }
}

fn of_instant(instant: i128) -> Outcome {
    Temporal::of_instant(instant, 0, None).map(|value| value.to_datum()).ok_or_else(out_of_range)
}

pub(super) fn out_of_range() -> ExecuteError {
    argument_error("NumberOutOfRange", "the value is out of the range of dates, times and durations")
}

pub(super) fn invalid(what: impl std::fmt::Display) -> ExecuteError {
    argument_error("InvalidArgumentValue", what.to_string())
}

fn construct(kind: Kind, argument: Option<&Datum>, context: &Context) -> Outcome {
    let Some(argument) = argument else { return Ok(now(kind, &Zone::default(), context)?.to_datum()) };
    if let Some(text) = argument.as_text() {
        let value = of_text(kind, text).ok_or_else(|| invalid(format!("'{text}' is no {kind:?}")))?;
        return Ok(value.to_datum());
    }
    if let Some(entries) = argument.as_map() {
        let fields = Fields { entries };
        return Ok(if kind == Kind::Duration {
            duration(&fields)?
        } else {
            of_fields(kind, &fields, context)?
        }
        .to_datum());
    }
    let Some(value) = argument.to_temporal() else {
        let message = format!("{kind:?} cannot be made of {}", kind_name(argument));
        return Err(type_error("InvalidArgumentType", message));
    };
    if kind == Kind::Duration {
        return match value {
            Temporal::Duration(_) => Ok(argument.clone()),
            _ => Err(type_error("InvalidArgumentType", "a duration cannot be made of a moment")),
        };
    }
    let parts = Parts::of(&value);
    assemble(
        kind,
        parts.days.unwrap_or(0),
        parts.nanoseconds.unwrap_or(0),
        parts.zone.unwrap_or_default(),
        None,
    )
    .filter(|_| !kind.has_date() || parts.days.is_some())
    .map(|value| value.to_datum())
    .ok_or_else(|| invalid(format!("{kind:?} cannot be made of {value}")))
}

pub(super) fn of_text(kind: Kind, text: &str) -> Option<Temporal> {
    let text = text.trim();
    match kind {
        Kind::Date => parse::date_text(text).map(Temporal::Date),
        Kind::Duration => parse::duration(text).map(Temporal::Duration),
        Kind::LocalTime => parse::time_text(text).map(Temporal::LocalTime),
        Kind::Time => {
            let (time, rest) = parse::split_zone(text);
            let zone = if rest.is_empty() { Zone::default() } else { parse::zone_text(rest)? };
            assemble(kind, 0, parse::time_text(time)?, zone, None)
        }
        Kind::LocalDateTime | Kind::DateTime => {
            let (date, time) = text.split_once(['T', 't']).unwrap_or((text, ""));
            let (time, rest) = parse::split_zone(time);
            let zone = match (rest.is_empty(), kind) {
                (true, _) => Zone::default(),
                (false, Kind::DateTime) => parse::zone_text(rest)?,
                (false, _) => return None,
            };
            let nanoseconds = if time.is_empty() { 0 } else { parse::time_text(time)? };
            assemble(kind, parse::date_text(date)?, nanoseconds, zone, None)
        }
    }
}

fn now(kind: Kind, zone: &Zone, context: &Context) -> Result<Temporal, ExecuteError> {
    let instant = i128::from(context.now_ms) * 1_000_000;
    let utc = Temporal::of_instant(instant, 0, None).ok_or_else(out_of_range)?;
    let parts = Parts::of(&utc);
    let (days, nanoseconds) = (parts.days.unwrap_or(0), parts.nanoseconds.unwrap_or(0));
    let zoned =
        assemble(Kind::DateTime, days, nanoseconds, Zone::utc(), Some(zone)).ok_or_else(out_of_range)?;
    let parts = Parts::of(&zoned);
    assemble(
        kind,
        parts.days.unwrap_or(0),
        parts.nanoseconds.unwrap_or(0),
        parts.zone.unwrap_or_default(),
        None,
    )
    .ok_or_else(out_of_range)
}

impl Zone {
    pub(super) fn utc() -> Zone {
        Zone { offset: Some(0), name: None }
    }

    fn is_none(&self) -> bool {
        self.offset.is_none() && self.name.is_none()
    }

    /// Returns the offset at a local moment; UTC where there is no zone.
    pub(super) fn offset_at(&self, days: i64, nanoseconds: i64) -> Option<i32> {
        match (&self.name, self.offset) {
            (Some(name), _) => zone::offset_of_local(name, days, nanoseconds),
            (None, offset) => Some(offset.unwrap_or(0)),
        }
    }
}

/// Reads a time zone argument: an offset or a name.
pub(super) fn zone_of(datum: &Datum) -> Result<Zone, ExecuteError> {
    let Some(text) = datum.as_text() else {
        return Err(type_error("InvalidArgumentType", "a time zone is a string"));
    };
    let zone = match parse::offset_text(text) {
        Some(offset) => Some(Zone { offset: Some(offset), name: None }),
        None => zone::known(text).map(|name| Zone { offset: None, name: Some(name) }),
    };
    zone.ok_or_else(|| invalid(format!("'{text}' is no time zone")))
}

/// The local date, time and zone of a value, as far as it has them.
pub(super) struct Parts {
    pub days: Option<i64>,
    pub nanoseconds: Option<i64>,
    pub zone: Option<Zone>,
}

impl Parts {
    pub fn of(value: &Temporal) -> Parts {
        let zone = match value {
            Temporal::Time { offset, .. } => Some(Zone { offset: Some(*offset), name: None }),
            Temporal::DateTime { offset, zone, .. } => {
                Some(Zone { offset: Some(*offset), name: zone.clone() })
            }
            _ => None,
        };
        Parts { days: value.days(), nanoseconds: value.nanosecond_of_day(), zone }
    }
}

/// Makes a value of local date and time in `zone`, then looks at that instant from another zone.
pub(super) fn assemble(
    kind: Kind,
    days: i64,
    nanoseconds: i64,
    zone: Zone,
    seen_from: Option<&Zone>,
) -> Option<Temporal> {
    let offset = zone.offset_at(days, nanoseconds)?;
    let moment = Temporal::DateTime { days, nanoseconds, offset, zone: zone.name };
    let moment = match seen_from.filter(|zone| !zone.is_none()) {
        None => moment,
        Some(Zone { name: Some(name), .. }) => {
            let Temporal::DateTime { days, nanoseconds, offset, .. } = moment else { return None };
            Temporal::DateTime { days, nanoseconds, offset, zone: Some(name.clone()) }.at_its_own_offset()?
        }
        Some(zone) => Temporal::of_instant(moment.instant(), zone.offset.unwrap_or(0), None)?,
    };
    let Temporal::DateTime { days, nanoseconds, offset, zone } = moment else { return None };
    Some(match kind {
        Kind::Date => Temporal::Date(arithmetic::in_range(days)?),
        Kind::LocalTime => Temporal::LocalTime(nanoseconds),
        Kind::Time => Temporal::Time { nanoseconds, offset },
        Kind::LocalDateTime => Temporal::LocalDateTime { days: arithmetic::in_range(days)?, nanoseconds },
        Kind::DateTime => Temporal::DateTime { days: arithmetic::in_range(days)?, nanoseconds, offset, zone },
        Kind::Duration => return None,
    })
}

/// The entries of a constructor's map.
pub(super) struct Fields<'a> {
    pub entries: &'a [(Arc<str>, Datum)],
}

impl Fields<'_> {
    pub fn get(&self, name: &str) -> Datum {
        list::entry(self.entries, name)
    }

    pub fn integer(&self, name: &str) -> Result<Option<i64>, ExecuteError> {
        match self.get(name) {
            Datum::Undefined => Ok(None),
            datum => match datum.as_integer() {
                Some(value) => Ok(Some(value)),
                None => Err(type_error(
                    "InvalidArgumentType",
                    format!("'{name}' is an integer, not {}", kind_name(&datum)),
                )),
            },
        }
    }

    fn temporal(&self, name: &str) -> Result<Option<Temporal>, ExecuteError> {
        match self.get(name) {
            Datum::Undefined => Ok(None),
            datum => match datum.to_temporal() {
                Some(Temporal::Duration(_)) | None => Err(type_error(
                    "InvalidArgumentType",
                    format!("'{name}' is a date or time, not {}", kind_name(&datum)),
                )),
                Some(value) => Ok(Some(value)),
            },
        }
    }

    pub fn zone(&self) -> Result<Option<Zone>, ExecuteError> {
        match self.get("timezone") {
            Datum::Undefined => Ok(None),
            datum => zone_of(&datum).map(Some),
        }
    }
}

fn of_fields(kind: Kind, fields: &Fields<'_>, context: &Context) -> Result<Temporal, ExecuteError> {
    let given_zone = fields.zone()?;
    let is_now = fields.entries.iter().all(|(name, _)| name.as_ref() == "timezone");
    if is_now {
        return now(kind, &given_zone.unwrap_or_default(), context);
    }
    if let Some(instant) = epoch(fields)? {
        let parts = Parts::of(&Temporal::of_instant(instant, 0, None).ok_or_else(out_of_range)?);
        let (days, nanoseconds) = (parts.days.unwrap_or(0), parts.nanoseconds.unwrap_or(0));
        return assemble(kind, days, nanoseconds, Zone::utc(), given_zone.as_ref()).ok_or_else(out_of_range);
    }
    let both = fields.temporal("datetime")?;
    let date_from = fields.temporal("date")?.or(both.clone());
    let time_from = fields.temporal("time")?.or(both);
    let base = |value: &Option<Temporal>| value.as_ref().map(Parts::of);
    let (date_base, time_base) = (base(&date_from), base(&time_from));
    let days = match kind.has_date() {
        true => date(fields, date_base.and_then(|parts| parts.days))?,
        false => 0,
    };
    let (time_nanoseconds, base_zone) = match time_base {
        Some(parts) => (parts.nanoseconds, parts.zone),
        None => (None, None),
    };
    let nanoseconds = if kind.has_time() { clock(fields, time_nanoseconds)? } else { 0 };
    if !kind.has_zone() {
        return assemble(kind, days, nanoseconds, Zone::utc(), None).ok_or_else(out_of_range);
    }
    // A zone beside a value that has one converts; beside one that has none it only adds it.
    let value = match (base_zone, given_zone) {
        (Some(base), Some(given)) => {
            let base = match (&base.name, kind) {
                (Some(_), Kind::DateTime) => Zone { offset: None, ..base },
                _ => Zone { name: None, ..base },
            };
            assemble(kind, days, nanoseconds, base, Some(&given))
        }
        (Some(base), None) if kind == Kind::Time => {
            assemble(kind, days, nanoseconds, Zone { name: None, ..base }, None)
        }
        (Some(zone), None) | (None, Some(zone)) => assemble(kind, days, nanoseconds, zone, None),
        (None, None) => assemble(kind, days, nanoseconds, Zone::utc(), None),
    };
    value.ok_or_else(out_of_range)
}

/// Returns nanoseconds since 1970, if the map counts from there.
fn epoch(fields: &Fields<'_>) -> Result<Option<i128>, ExecuteError> {
    let rest = i128::from(fields.integer("nanosecond")?.unwrap_or(0));
    if let Some(seconds) = fields.integer("epochSeconds")? {
        return Ok(Some(i128::from(seconds) * i128::from(NANOSECONDS_PER_SECOND) + rest));
    }
    Ok(fields.integer("epochMillis")?.map(|milliseconds| i128::from(milliseconds) * 1_000_000 + rest))
}

/// Returns the day number of a map: by week, quarter, day of the year, or month and day; what the
/// map leaves out comes from the base, and without one is the first.
pub(super) fn date(fields: &Fields<'_>, base: Option<i64>) -> Result<i64, ExecuteError> {
    let part = |name: &str| {
        let from_base = base.and_then(|days| Temporal::Date(days).component(name)?.as_integer());
        Ok::<_, ExecuteError>(fields.integer(name)?.or(from_base))
    };
    let is_given = |name: &str| !fields.get(name).is_undefined();
    let days = if is_given("week") || is_given("dayOfWeek") || is_given("weekYear") {
        let year = fields.integer("weekYear")?.or(fields.integer("year")?).or(base.map(component::week_year));
        let year = year.ok_or_else(|| invalid("a date needs a year"))?;
        parse::week_date(year, part("week")?.unwrap_or(1), part("dayOfWeek")?.unwrap_or(1))
    } else {
        let year = part("year")?.ok_or_else(|| invalid("a date needs a year"))?;
        if year.abs() > super::YEAR_MAX {
            return Err(out_of_range());
        }
        if is_given("ordinalDay") {
            parse::ordinal_date(year, part("ordinalDay")?.unwrap_or(1))
        } else if is_given("quarter") || is_given("dayOfQuarter") {
            parse::quarter_date(year, part("quarter")?.unwrap_or(1), part("dayOfQuarter")?.unwrap_or(1))
        } else {
            let month = part("month")?.unwrap_or(1);
            let day = part("day")?.unwrap_or(1);
            // The day of a base may not exist in the month; the one that is written must.
            let last = parse::days_in_month(year, month);
            parse::calendar_date(year, month, if is_given("day") { day } else { day.min(last) })
        }
    };
    days.ok_or_else(|| invalid("there is no such date"))
}

/// Returns the nanosecond of the day of a map, what it leaves out coming from the base.
pub(super) fn clock(fields: &Fields<'_>, base: Option<i64>) -> Result<i64, ExecuteError> {
    let base = base.unwrap_or(0);
    let base_seconds = base / NANOSECONDS_PER_SECOND;
    let hour = fields.integer("hour")?.unwrap_or(base_seconds / 3600);
    let minute = fields.integer("minute")?.unwrap_or(base_seconds / 60 % 60);
    let second = fields.integer("second")?.unwrap_or(base_seconds % 60);
    let nanoseconds = subseconds(fields)?.unwrap_or(base % NANOSECONDS_PER_SECOND);
    let is_valid = (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..60).contains(&second)
        && (0..NANOSECONDS_PER_SECOND).contains(&nanoseconds);
    if !is_valid {
        return Err(invalid("there is no such time"));
    }
    Ok((hour * 3600 + minute * 60 + second) * NANOSECONDS_PER_SECOND + nanoseconds)
}

/// Returns milliseconds, microseconds and nanoseconds together, if any is given.
pub(super) fn subseconds(fields: &Fields<'_>) -> Result<Option<i64>, ExecuteError> {
    let mut total = None;
    for (name, unit) in [("millisecond", 1_000_000), ("microsecond", 1000), ("nanosecond", 1)] {
        if let Some(value) = fields.integer(name)? {
            if !(0..NANOSECONDS_PER_SECOND / unit).contains(&value) {
                return Err(invalid(format!("{value} is no {name}")));
            }
            total = Some(total.unwrap_or(0) + value * unit);
        }
    }
    Ok(total)
}

fn duration(fields: &Fields<'_>) -> Result<Temporal, ExecuteError> {
    const UNITS: [&str; 11] = [
        "years",
        "quarters",
        "months",
        "weeks",
        "days",
        "hours",
        "minutes",
        "seconds",
        "milliseconds",
        "microseconds",
        "nanoseconds",
    ];
    let mut numbers = [Number::Integer(0); 11];
    for (number, name) in numbers.iter_mut().zip(UNITS) {
        match fields.get(name) {
            Datum::Undefined => {}
            datum => match datum.as_number() {
                Some(value) => *number = value,
                None => {
                    let message = format!("'{name}' is a number, not {}", kind_name(&datum));
                    return Err(type_error("InvalidArgumentType", message));
                }
            },
        }
    }
    let duration = exact_duration(&numbers).or_else(|| {
        let n = numbers.map(Number::to_f64);
        arithmetic::of_fractions(
            n[0] * 12.0 + n[1] * 3.0 + n[2],
            n[3] * 7.0 + n[4],
            n[5] * 3600.0 + n[6] * 60.0 + n[7],
            n[8] * 1e6 + n[9] * 1e3 + n[10],
        )
    });
    duration.map(Temporal::Duration).ok_or_else(out_of_range)
}

/// Returns the duration of whole numbers.
fn exact_duration(numbers: &[Number; 11]) -> Option<crate::model::Duration> {
    let mut whole = [0i64; 11];
    for (whole, number) in whole.iter_mut().zip(numbers) {
        let Number::Integer(value) = number else { return None };
        *whole = *value;
    }
    let n = whole.map(i128::from);
    arithmetic::normal(
        i64::try_from(n[0] * 12 + n[1] * 3 + n[2]).ok()?,
        i64::try_from(n[3] * 7 + n[4]).ok()?,
        n[5] * 3600 + n[6] * 60 + n[7],
        n[8] * 1_000_000 + n[9] * 1000 + n[10],
    )
}

/// Returns the year of a day number.
pub(super) fn year_of(days: i64) -> i64 {
    civil_from_days(days).0
}
