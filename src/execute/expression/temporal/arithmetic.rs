//! Sums, differences and multiples of temporal values.

use super::super::datum::Datum;
use super::super::{arithmetic_error, number};
use super::parse::days_in_month;
use super::{
    NANOSECONDS_PER_DAY, NANOSECONDS_PER_SECOND, SECONDS_PER_DAY, SECONDS_PER_MONTH, Temporal, YEAR_MAX, zone,
};
use crate::execute::ExecuteError;
use crate::model::{Duration, civil_from_days, days_from_civil};

/// Returns the duration of these parts, with seconds and nanoseconds of one sign; `None` on overflow.
pub(in crate::execute::expression) fn normal(
    months: i64,
    days: i64,
    seconds: i128,
    nanoseconds: i128,
) -> Option<Duration> {
    let total = seconds.checked_mul(NANOSECONDS_PER_SECOND.into())?.checked_add(nanoseconds)?;
    Some(Duration {
        months,
        days,
        seconds: i64::try_from(total / i128::from(NANOSECONDS_PER_SECOND)).ok()?,
        nanoseconds: (total % i128::from(NANOSECONDS_PER_SECOND)) as i32,
    })
}

fn overflow() -> ExecuteError {
    arithmetic_error("NumberOutOfRange", "the result is out of the range of dates, times and durations")
}

/// Temporal plus duration, in either order, or duration plus duration; `None` for other kinds.
pub(in crate::execute::expression) fn add(a: &Datum, b: &Datum) -> Result<Option<Datum>, ExecuteError> {
    let (Some(a), Some(b)) = (a.to_temporal(), b.to_temporal()) else { return Ok(None) };
    let sum = match (a, b) {
        (Temporal::Duration(a), Temporal::Duration(b)) => Temporal::Duration(add_durations(a, b)?),
        (moment, Temporal::Duration(duration)) | (Temporal::Duration(duration), moment) => {
            shift(&moment, &duration).ok_or_else(overflow)?
        }
        _ => return Ok(None),
    };
    Ok(Some(sum.to_datum()))
}

pub(in crate::execute::expression) fn subtract(a: &Datum, b: &Datum) -> Result<Option<Datum>, ExecuteError> {
    let (Some(a), Some(Temporal::Duration(b))) = (a.to_temporal(), b.to_temporal()) else { return Ok(None) };
    let minus = opposite(&b).ok_or_else(overflow)?;
    let difference = match a {
        Temporal::Duration(a) => Temporal::Duration(add_durations(a, minus)?),
        moment => shift(&moment, &minus).ok_or_else(overflow)?,
    };
    Ok(Some(difference.to_datum()))
}

pub(in crate::execute::expression) fn negate(datum: &Datum) -> Option<Datum> {
    match datum.to_temporal()? {
        Temporal::Duration(duration) => Some(Temporal::Duration(opposite(&duration)?).to_datum()),
        _ => None,
    }
}

fn opposite(duration: &Duration) -> Option<Duration> {
    Some(Duration {
        months: duration.months.checked_neg()?,
        days: duration.days.checked_neg()?,
        seconds: duration.seconds.checked_neg()?,
        nanoseconds: -duration.nanoseconds,
    })
}

pub(in crate::execute::expression) fn add_durations(
    a: Duration,
    b: Duration,
) -> Result<Duration, ExecuteError> {
    let sum = || {
        normal(
            a.months.checked_add(b.months)?,
            a.days.checked_add(b.days)?,
            i128::from(a.seconds) + i128::from(b.seconds),
            i128::from(a.nanoseconds) + i128::from(b.nanoseconds),
        )
    };
    sum().ok_or_else(overflow)
}

/// A duration times a number; what is left of a unit becomes smaller units. `None` for what is no
/// duration.
pub(in crate::execute::expression) fn scale(
    datum: &Datum,
    factor: f64,
) -> Result<Option<Datum>, ExecuteError> {
    let Some(Temporal::Duration(duration)) = datum.to_temporal() else { return Ok(None) };
    let scaled = of_fractions(
        duration.months as f64 * factor,
        duration.days as f64 * factor,
        duration.seconds as f64 * factor,
        f64::from(duration.nanoseconds) * factor,
    );
    Ok(Some(Temporal::Duration(scaled.ok_or_else(overflow)?).to_datum()))
}

/// Makes a duration of parts that need not be whole: the rest of a month becomes days of 24 hours
/// by the mean length of a month, the rest of a day becomes seconds.
pub(super) fn of_fractions(months: f64, days: f64, seconds: f64, nanoseconds: f64) -> Option<Duration> {
    let whole = |value: f64| number::to_i64(value.trunc());
    let nano = NANOSECONDS_PER_SECOND as f64;
    let whole_months = whole(months)?;
    let days = days + (months - whole_months as f64) * SECONDS_PER_MONTH as f64 / SECONDS_PER_DAY as f64;
    let whole_days = whole(days)?;
    let rest_of_days = (days - whole_days as f64) * SECONDS_PER_DAY as f64 * nano;
    let whole_seconds = whole(seconds)?;
    let rest_of_seconds = (seconds - whole_seconds as f64) * nano;
    let rest = whole(nanoseconds + rest_of_days + rest_of_seconds)?;
    normal(whole_months, whole_days, whole_seconds.into(), rest.into())
}

/// Adds a duration to a moment: months, then days, then seconds. A day that the month does not
/// have becomes its last. Dates take only whole days, times only seconds.
pub(super) fn shift(moment: &Temporal, duration: &Duration) -> Option<Temporal> {
    let clock =
        i128::from(duration.seconds) * i128::from(NANOSECONDS_PER_SECOND) + i128::from(duration.nanoseconds);
    let turn = |nanoseconds: i64| {
        (i128::from(nanoseconds) + clock).rem_euclid(i128::from(NANOSECONDS_PER_DAY)) as i64
    };
    Some(match moment {
        Temporal::Date(days) => {
            let whole_days = i64::try_from(clock / i128::from(NANOSECONDS_PER_DAY)).ok()?;
            Temporal::Date(in_range(shift_days(*days, duration)?.checked_add(whole_days)?)?)
        }
        Temporal::LocalTime(nanoseconds) => Temporal::LocalTime(turn(*nanoseconds)),
        Temporal::Time { nanoseconds, offset } => {
            Temporal::Time { nanoseconds: turn(*nanoseconds), offset: *offset }
        }
        Temporal::LocalDateTime { days, nanoseconds } => {
            let (days, nanoseconds) = shift_clock(shift_days(*days, duration)?, *nanoseconds, clock)?;
            Temporal::LocalDateTime { days, nanoseconds }
        }
        Temporal::DateTime { days, nanoseconds, offset, zone } => {
            let days = shift_days(*days, duration)?;
            let before = match zone {
                Some(name) => zone::offset_of_local(name, days, *nanoseconds).unwrap_or(*offset),
                None => *offset,
            };
            let (days, nanoseconds) = shift_clock(days, *nanoseconds, clock)?;
            let moment = Temporal::DateTime { days, nanoseconds, offset: before, zone: zone.clone() };
            moment.at_its_own_offset()?
        }
        Temporal::Duration(_) => return None,
    })
}

fn shift_days(days: i64, duration: &Duration) -> Option<i64> {
    let days = if duration.months == 0 { days } else { add_months(days, duration.months)? };
    days.checked_add(duration.days)
}

/// Adds months to a day number.
pub(super) fn add_months(days: i64, months: i64) -> Option<i64> {
    let (year, month, day) = civil_from_days(days);
    let total = (year * 12 + month - 1).checked_add(months)?;
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
    (year.abs() <= YEAR_MAX).then(|| days_from_civil(year, month, day.min(days_in_month(year, month))))
}

fn shift_clock(days: i64, nanoseconds: i64, clock: i128) -> Option<(i64, i64)> {
    let day = i128::from(NANOSECONDS_PER_DAY);
    let total = i128::from(days) * day + i128::from(nanoseconds) + clock;
    let days = in_range(i64::try_from(total.div_euclid(day)).ok()?)?;
    Some((days, total.rem_euclid(day) as i64))
}

/// Returns a day number if its year is one that Cypher knows.
pub(super) fn in_range(days: i64) -> Option<i64> {
    let (low, high) = (days_from_civil(-YEAR_MAX, 1, 1), days_from_civil(YEAR_MAX, 12, 31));
    (low..=high).contains(&days).then_some(days)
}

impl Temporal {
    /// Returns the same instant with the offset that its named zone has then.
    pub(super) fn at_its_own_offset(self) -> Option<Temporal> {
        let Temporal::DateTime { offset, zone: Some(name), .. } = &self else { return Some(self) };
        let instant = self.instant();
        let seconds = i64::try_from(instant.div_euclid(NANOSECONDS_PER_SECOND.into())).ok()?;
        let own = zone::offset_of_instant(name, seconds).unwrap_or(*offset);
        let zone = Some(name.clone());
        Temporal::of_instant(instant, own, zone)
    }

    /// Makes the date-time of an instant, in nanoseconds since 1970, seen at an offset.
    pub(super) fn of_instant(
        instant: i128,
        offset: i32,
        zone: Option<std::sync::Arc<str>>,
    ) -> Option<Temporal> {
        let (days, nanoseconds) =
            shift_clock(0, 0, instant + i128::from(offset) * i128::from(NANOSECONDS_PER_SECOND))?;
        Some(Temporal::DateTime { days, nanoseconds, offset, zone })
    }
}
