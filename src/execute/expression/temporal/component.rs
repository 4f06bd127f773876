//! Components of temporal values: `d.year`, `t.nanosecond`, `duration.minutesOfHour`.

use super::super::datum::Datum;
use super::parse::{first_week, weekday};
use super::{NANOSECONDS_PER_SECOND, Temporal, text};
use crate::model::{Duration, civil_from_days, days_from_civil};

impl Temporal {
    /// Returns a component by its name, `None` if this value has no such component.
    pub(in crate::execute::expression) fn component(&self, name: &str) -> Option<Datum> {
        let number = match self {
            Temporal::Duration(duration) => of_duration(duration, name),
            _ => self
                .days()
                .and_then(|days| of_date(days, name))
                .or_else(|| self.nanosecond_of_day().and_then(|nanoseconds| of_time(nanoseconds, name))),
        };
        match number {
            Some(number) => Some(Datum::integer(number)),
            None => self.of_zone(name),
        }
    }

    /// Returns the local day number, if this has a date.
    pub(super) fn days(&self) -> Option<i64> {
        match self {
            Temporal::Date(days) | Temporal::LocalDateTime { days, .. } | Temporal::DateTime { days, .. } => {
                Some(*days)
            }
            _ => None,
        }
    }

    /// Returns the local nanosecond of the day, if this has a time.
    pub(super) fn nanosecond_of_day(&self) -> Option<i64> {
        match self {
            Temporal::LocalTime(nanoseconds)
            | Temporal::Time { nanoseconds, .. }
            | Temporal::LocalDateTime { nanoseconds, .. }
            | Temporal::DateTime { nanoseconds, .. } => Some(*nanoseconds),
            _ => None,
        }
    }

    fn of_zone(&self, name: &str) -> Option<Datum> {
        let (offset, zone) = match self {
            Temporal::Time { offset, .. } => (*offset, None),
            Temporal::DateTime { offset, zone, .. } => (*offset, zone.as_ref()),
            _ => return None,
        };
        let mut offset_text = String::new();
        text::write_offset(&mut offset_text, offset);
        let is_date_time = matches!(self, Temporal::DateTime { .. });
        let seconds = || i64::try_from(self.instant().div_euclid(NANOSECONDS_PER_SECOND.into())).ok();
        Some(match name {
            "timezone" => Datum::string(zone.map_or(offset_text, |zone| zone.to_string())),
            "offset" => Datum::string(offset_text),
            "offsetMinutes" => Datum::integer((offset / 60).into()),
            "offsetSeconds" => Datum::integer(offset.into()),
            "epochSeconds" if is_date_time => Datum::integer(seconds()?),
            "epochMillis" if is_date_time => {
                Datum::integer(i64::try_from(self.instant().div_euclid(1_000_000)).ok()?)
            }
            _ => return None,
        })
    }
}

fn of_date(days: i64, name: &str) -> Option<i64> {
    let (year, month, day) = civil_from_days(days);
    let quarter = (month + 2) / 3;
    Some(match name {
        "year" => year,
        "quarter" => quarter,
        "month" => month,
        "week" => (days - first_week(week_year(days))) / 7 + 1,
        "weekYear" => week_year(days),
        "day" => day,
        "ordinalDay" => days - days_from_civil(year, 1, 1) + 1,
        "weekDay" | "dayOfWeek" => weekday(days),
        "dayOfQuarter" => days - days_from_civil(year, quarter * 3 - 2, 1) + 1,
        _ => return None,
    })
}

/// Returns the year that the week of a day belongs to.
pub(super) fn week_year(days: i64) -> i64 {
    let (year, _, _) = civil_from_days(days);
    if days < first_week(year) {
        year - 1
    } else if days >= first_week(year + 1) {
        year + 1
    } else {
        year
    }
}

fn of_time(nanoseconds: i64, name: &str) -> Option<i64> {
    let (seconds, rest) = (nanoseconds / NANOSECONDS_PER_SECOND, nanoseconds % NANOSECONDS_PER_SECOND);
    Some(match name {
        "hour" => seconds / 3600,
        "minute" => seconds / 60 % 60,
        "second" => seconds % 60,
        "millisecond" => rest / 1_000_000,
        "microsecond" => rest / 1000,
        "nanosecond" => rest,
        _ => return None,
    })
}

/// Components of a duration. Those within a second count up from the second below, so that the
/// parts of a negative duration add up too.
fn of_duration(duration: &Duration, name: &str) -> Option<i64> {
    let Duration { months, days, .. } = *duration;
    let total =
        i128::from(duration.seconds) * i128::from(NANOSECONDS_PER_SECOND) + i128::from(duration.nanoseconds);
    let seconds = total.div_euclid(NANOSECONDS_PER_SECOND.into()) as i64;
    let rest = total.rem_euclid(NANOSECONDS_PER_SECOND.into()) as i64;
    Some(match name {
        "years" => months / 12,
        "quarters" => months / 3,
        "months" => months,
        "weeks" => days / 7,
        "days" => days,
        "hours" => seconds / 3600,
        "minutes" => seconds / 60,
        "seconds" => seconds,
        "milliseconds" => i64::try_from(total.div_euclid(1_000_000)).ok()?,
        "microseconds" => i64::try_from(total.div_euclid(1000)).ok()?,
        "nanoseconds" => i64::try_from(total).ok()?,
        "quartersOfYear" => months / 3 % 4,
        "monthsOfQuarter" => months % 3,
        "monthsOfYear" => months % 12,
        "daysOfWeek" => days % 7,
        "minutesOfHour" => seconds / 60 % 60,
        "secondsOfMinute" => seconds % 60,
        "millisecondsOfSecond" => rest / 1_000_000,
        "microsecondsOfSecond" => rest / 1000,
        "nanosecondsOfSecond" => rest,
        _ => return None,
    })
}
