//! Cypher's temporal values: dates, times, date-times and durations, as literals and as values.
//!
//! A moment is a day number, the nanosecond of the day, an offset and perhaps a named zone, so that
//! years run to +-999,999,999. Literals are XSD's where the value fits, and `pg:` ones otherwise.

mod arithmetic;
mod between;
mod component;
mod construct;
mod parse;
mod text;
mod truncate;
mod zone;

pub(super) use arithmetic::{add, add_durations, negate, scale, subtract};
pub use construct::Kind as TemporalKind;
pub(super) use construct::constructor;

use std::cmp::Ordering;
use std::sync::Arc;

use super::datum::Datum;
use crate::model::{Duration, Literal, TermId, days_from_civil, pg, xsd};

pub(super) const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;
pub(super) const SECONDS_PER_DAY: i64 = 86_400;
pub(super) const NANOSECONDS_PER_DAY: i64 = SECONDS_PER_DAY * NANOSECONDS_PER_SECOND;
/// A twelfth of 365.2425 days, in seconds.
pub(super) const SECONDS_PER_MONTH: i64 = 2_629_746;
pub(super) const YEAR_MAX: i64 = 999_999_999;

/// A temporal value. Days count from 1970-01-01, nanoseconds from midnight, both in local time;
/// offsets are seconds east of Greenwich.
#[derive(Clone, Debug, PartialEq)]
pub enum Temporal {
    Date(i64),
    LocalTime(i64),
    Time { nanoseconds: i64, offset: i32 },
    LocalDateTime { days: i64, nanoseconds: i64 },
    DateTime { days: i64, nanoseconds: i64, offset: i32, zone: Option<Arc<str>> },
    Duration(Duration),
}

impl Temporal {
    /// Reads an inline id, as [`Temporal::of_literal`] would its literal, without making that.
    pub(super) fn of_inline(id: TermId) -> Option<Temporal> {
        const NANOSECONDS_PER_MS: i64 = 1_000_000;
        const MS_PER_DAY: i64 = NANOSECONDS_PER_DAY / NANOSECONDS_PER_MS;
        if let Some((milliseconds, is_utc)) = id.as_date_time() {
            let days = milliseconds.div_euclid(MS_PER_DAY);
            let nanoseconds = milliseconds.rem_euclid(MS_PER_DAY) * NANOSECONDS_PER_MS;
            return Some(match is_utc {
                true => Temporal::DateTime { days, nanoseconds, offset: 0, zone: None },
                false => Temporal::LocalDateTime { days, nanoseconds },
            });
        }
        if let Some((milliseconds, is_utc)) = id.as_time() {
            let nanoseconds = milliseconds * NANOSECONDS_PER_MS;
            return Some(match is_utc {
                true => Temporal::Time { nanoseconds, offset: 0 },
                false => Temporal::LocalTime(nanoseconds),
            });
        }
        id.as_date().map(Temporal::Date)
    }

    /// Reads a literal; `None` if it is no date, time or duration.
    pub fn of_literal(literal: &Literal) -> Option<Temporal> {
        let text = literal.value();
        match literal.datatype() {
            xsd::DATE => parse::xsd_date(text).map(Temporal::Date),
            xsd::TIME | pg::TIME => parse::xsd_time(text),
            xsd::DATE_TIME | pg::DATE_TIME => parse::xsd_date_time(text),
            pg::DURATION | xsd::DURATION | xsd::YEAR_MONTH_DURATION | xsd::DAY_TIME_DURATION => {
                parse::duration(text).map(Temporal::Duration)
            }
            _ => None,
        }
    }

    /// Reads a text as the constructor of a kind does; `None` if it is none of it.
    pub fn of_text(kind: TemporalKind, text: &str) -> Option<Temporal> {
        construct::of_text(kind, text)
    }

    /// Makes the date-time that clocks at an offset show at an instant, in seconds since 1970 and
    /// nanoseconds below 10^9; `None` if it is out of range.
    pub fn at_offset(seconds: i64, nanoseconds: i64, offset: i32) -> Option<Temporal> {
        let (days, nanoseconds) = day_and_time(seconds.checked_add(offset.into())?, nanoseconds)?;
        Temporal::DateTime { days, nanoseconds, offset, zone: None }.checked()
    }

    /// Makes the date-time that clocks of a zone show at an instant; `None` if there is no such zone.
    pub fn in_zone(seconds: i64, nanoseconds: i64, zone: &str) -> Option<Temporal> {
        let zone = zone::known(zone)?;
        let offset = zone::offset_of_instant(&zone, seconds)?;
        let (days, nanoseconds) = day_and_time(seconds.checked_add(offset.into())?, nanoseconds)?;
        Temporal::DateTime { days, nanoseconds, offset, zone: Some(zone) }.checked()
    }

    /// Makes the date-time at which clocks of a zone show these seconds since 1970.
    pub fn of_local_in_zone(seconds: i64, nanoseconds: i64, zone: &str) -> Option<Temporal> {
        let zone = zone::known(zone)?;
        let (days, nanoseconds) = day_and_time(seconds, nanoseconds)?;
        let day_is_known = Temporal::Date(days).checked().is_some();
        let offset = day_is_known.then(|| zone::offset_of_local(&zone, days, nanoseconds))??;
        Some(Temporal::DateTime { days, nanoseconds, offset, zone: Some(zone) })
    }

    /// Makes a date-time without a zone from the seconds that a clock shows, counted from 1970.
    pub fn local(seconds: i64, nanoseconds: i64) -> Option<Temporal> {
        let (days, nanoseconds) = day_and_time(seconds, nanoseconds)?;
        Temporal::LocalDateTime { days, nanoseconds }.checked()
    }

    /// Returns the value if its parts are in range: years to +-999,999,999, times within a day, offsets
    /// to 18 hours, a duration's nanoseconds below a second and of the sign of its seconds.
    pub fn checked(self) -> Option<Temporal> {
        let first = days_from_civil(-YEAR_MAX, 1, 1);
        let has_day = |days: &i64| (first..=days_from_civil(YEAR_MAX, 12, 31)).contains(days);
        let has_time = |nanoseconds: &i64| (0..NANOSECONDS_PER_DAY).contains(nanoseconds);
        let has_offset = |offset: &i32| offset.unsigned_abs() <= 18 * 3600;
        let is_valid = match &self {
            Temporal::Date(days) => has_day(days),
            Temporal::LocalTime(nanoseconds) => has_time(nanoseconds),
            Temporal::Time { nanoseconds, offset } => has_time(nanoseconds) && has_offset(offset),
            Temporal::LocalDateTime { days, nanoseconds } => has_day(days) && has_time(nanoseconds),
            Temporal::DateTime { days, nanoseconds, offset, .. } => {
                has_day(days) && has_time(nanoseconds) && has_offset(offset)
            }
            Temporal::Duration(Duration { seconds, nanoseconds, .. }) => {
                i64::from(nanoseconds.unsigned_abs()) < NANOSECONDS_PER_SECOND
                    && seconds.signum() * i64::from(nanoseconds.signum()) >= 0
            }
        };
        is_valid.then_some(self)
    }

    pub(super) fn to_datum(&self) -> Datum {
        Datum::term(self.to_literal())
    }

    /// Returns the literal that stores this value.
    pub fn to_literal(&self) -> Literal {
        let datatype = match self {
            Temporal::Date(_) => xsd::DATE,
            Temporal::LocalTime(_) => xsd::TIME,
            Temporal::Time { offset, .. } if fits_xsd(*offset) => xsd::TIME,
            Temporal::Time { .. } => pg::TIME,
            Temporal::LocalDateTime { .. } => xsd::DATE_TIME,
            Temporal::DateTime { offset, zone: None, .. } if fits_xsd(*offset) => xsd::DATE_TIME,
            Temporal::DateTime { .. } => pg::DATE_TIME,
            Temporal::Duration(_) => pg::DURATION,
        };
        Literal::new_typed_literal(text::xsd(self), datatype)
    }

    /// Returns (kind, nanoseconds, what tells equal ones apart), in the order of openCypher.
    pub(super) fn sort_key(&self) -> (u8, i128, i64) {
        match self {
            Temporal::DateTime { offset, .. } => (0, self.instant(), (*offset).into()),
            Temporal::LocalDateTime { .. } => (1, self.instant(), 0),
            Temporal::Date(_) => (2, self.instant(), 0),
            Temporal::Time { offset, .. } => (3, self.instant(), (*offset).into()),
            Temporal::LocalTime(_) => (4, self.instant(), 0),
            Temporal::Duration(duration) => (5, average_nanoseconds(duration), 0),
        }
    }

    /// Returns nanoseconds since 1970-01-01T00:00:00Z, or since midnight; 0 for durations.
    pub(super) fn instant(&self) -> i128 {
        let offset = |offset: &i32| i128::from(*offset) * i128::from(NANOSECONDS_PER_SECOND);
        let day = |days: &i64| i128::from(*days) * i128::from(NANOSECONDS_PER_DAY);
        match self {
            Temporal::Date(days) => day(days),
            Temporal::LocalTime(nanoseconds) => (*nanoseconds).into(),
            Temporal::Time { nanoseconds, offset: o } => i128::from(*nanoseconds) - offset(o),
            Temporal::LocalDateTime { days, nanoseconds } => day(days) + i128::from(*nanoseconds),
            Temporal::DateTime { days, nanoseconds, offset: o, .. } => {
                day(days) + i128::from(*nanoseconds) - offset(o)
            }
            Temporal::Duration(_) => 0,
        }
    }

    /// Cypher's `<` and `>`: within one kind; durations have no order.
    pub(super) fn compare(&self, other: &Temporal) -> Option<Ordering> {
        let is_one_kind = std::mem::discriminant(self) == std::mem::discriminant(other);
        let is_duration = matches!(self, Temporal::Duration(_));
        (is_one_kind && !is_duration).then(|| self.instant().cmp(&other.instant()))
    }

    /// Cypher's `=`.
    pub(super) fn is_equal(&self, other: &Temporal) -> bool {
        match (self, other) {
            (Temporal::Duration(a), Temporal::Duration(b)) => a == b,
            _ => self.compare(other) == Some(Ordering::Equal),
        }
    }
}

/// Returns the day number and the nanosecond of the day; `None` unless nanoseconds are below a second.
fn day_and_time(seconds: i64, nanoseconds: i64) -> Option<(i64, i64)> {
    let of_day = seconds.rem_euclid(SECONDS_PER_DAY) * NANOSECONDS_PER_SECOND;
    let is_fraction = (0..NANOSECONDS_PER_SECOND).contains(&nanoseconds);
    is_fraction.then(|| (seconds.div_euclid(SECONDS_PER_DAY), of_day + nanoseconds))
}

fn fits_xsd(offset: i32) -> bool {
    offset % 60 == 0 && offset.abs() <= 14 * 3600
}

fn average_nanoseconds(duration: &Duration) -> i128 {
    let seconds = i128::from(duration.months) * i128::from(SECONDS_PER_MONTH)
        + i128::from(duration.days) * i128::from(SECONDS_PER_DAY)
        + i128::from(duration.seconds);
    seconds * i128::from(NANOSECONDS_PER_SECOND) + i128::from(duration.nanoseconds)
}
