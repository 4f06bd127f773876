//! `duration.between(a, b)` and its kin.
//!
//! Where only one value has a date, both are taken to be on one day; where only one has a zone,
//! the other is taken to be in it; a date has the time 00:00.

use super::arithmetic::{add_months, normal};
use super::construct::Parts;
use super::parse::Zone;
use super::{NANOSECONDS_PER_DAY, NANOSECONDS_PER_SECOND, Temporal, zone};
use crate::model::{Duration, civil_from_days};

/// Two moments made comparable: local in the zone of the first.
struct Pair {
    have_dates: bool,
    a: (i64, i64),
    b: (i64, i64),
    zone: Zone,
    /// Offset of `b`'s local time: its own, if it is in the zone of `a`.
    zone_of_b: Zone,
}

impl Pair {
    fn of(a: &Temporal, b: &Temporal) -> Option<Pair> {
        if matches!(a, Temporal::Duration(_)) || matches!(b, Temporal::Duration(_)) {
            return None;
        }
        let (x, y) = (Parts::of(a), Parts::of(b));
        let have_dates = x.days.is_some() && y.days.is_some();
        let day = x.days.or(y.days).unwrap_or(0);
        let (day_a, day_b) = if have_dates { (x.days?, y.days?) } else { (day, day) };
        let local_a = (day_a, x.nanoseconds.unwrap_or(0));
        let mut local_b = (day_b, y.nanoseconds.unwrap_or(0));
        let zone_of = |zone: &Option<Zone>| zone.clone().map(settle);
        let (zone_a, zone_b) = (zone_of(&x.zone), zone_of(&y.zone));
        let zone = zone_a.clone().or(zone_b.clone()).unwrap_or(Zone::utc());
        if let (Some(zone_a), Some(zone_b)) = (&zone_a, &zone_b)
            && zone_a != zone_b
        {
            let instant = instant(local_b, zone_b)?;
            local_b = local(instant, zone_a)?;
        }
        Some(Pair { have_dates, a: local_a, b: local_b, zone_of_b: zone.clone(), zone })
    }

    /// Returns the whole months from `a` to `b`.
    fn months(&self) -> i64 {
        let packed = |days: i64| {
            let (year, month, day) = civil_from_days(days);
            (year * 12 + month) * 32 + day
        };
        (packed(self.end_day(self.a)) - packed(self.a.0)) / 32
    }

    /// Returns the day of `b`, less the day that is not full.
    fn end_day(&self, from: (i64, i64)) -> i64 {
        match self.b.0.cmp(&from.0) {
            std::cmp::Ordering::Greater if self.b.1 < from.1 => self.b.0 - 1,
            std::cmp::Ordering::Less if self.b.1 > from.1 => self.b.0 + 1,
            _ => self.b.0,
        }
    }

    fn days(&self, from: (i64, i64)) -> i64 {
        self.end_day(from) - from.0
    }

    fn nanoseconds(&self, from: (i64, i64)) -> Option<i128> {
        Some(instant(self.b, &self.zone_of_b)? - instant(from, &self.zone)?)
    }
}

/// A named zone tells the offset itself.
fn settle(zone: Zone) -> Zone {
    if zone.name.is_some() { Zone { offset: None, ..zone } } else { zone }
}

fn instant((days, nanoseconds): (i64, i64), zone: &Zone) -> Option<i128> {
    let offset = zone.offset_at(days, nanoseconds)?;
    Some(
        i128::from(days) * i128::from(NANOSECONDS_PER_DAY) + i128::from(nanoseconds)
            - i128::from(offset) * i128::from(NANOSECONDS_PER_SECOND),
    )
}

fn local(instant: i128, zone: &Zone) -> Option<(i64, i64)> {
    let seconds = i64::try_from(instant.div_euclid(NANOSECONDS_PER_SECOND.into())).ok()?;
    let offset = match &zone.name {
        Some(name) => zone::offset_of_instant(name, seconds)?,
        None => zone.offset.unwrap_or(0),
    };
    let total = instant + i128::from(offset) * i128::from(NANOSECONDS_PER_SECOND);
    let day = i128::from(NANOSECONDS_PER_DAY);
    Some((i64::try_from(total.div_euclid(day)).ok()?, total.rem_euclid(day) as i64))
}

/// Months, then days, then seconds.
pub(super) fn between(a: &Temporal, b: &Temporal) -> Option<Temporal> {
    let pair = Pair::of(a, b)?;
    let (mut months, mut days, mut from) = (0, 0, pair.a);
    if pair.have_dates {
        months = pair.months();
        from.0 = add_months(from.0, months)?;
        days = pair.days(from);
        from.0 += days;
    }
    normal(months, days, 0, pair.nanoseconds(from)?).map(Temporal::Duration)
}

pub(super) fn in_months(a: &Temporal, b: &Temporal) -> Option<Temporal> {
    let pair = Pair::of(a, b)?;
    let months = if pair.have_dates { pair.months() } else { 0 };
    Some(Temporal::Duration(Duration { months, ..Duration::default() }))
}

pub(super) fn in_days(a: &Temporal, b: &Temporal) -> Option<Temporal> {
    let pair = Pair::of(a, b)?;
    let days = if pair.have_dates { pair.days(pair.a) } else { 0 };
    Some(Temporal::Duration(Duration { days, ..Duration::default() }))
}

pub(super) fn in_seconds(a: &Temporal, b: &Temporal) -> Option<Temporal> {
    let pair = Pair::of(a, b)?;
    normal(0, 0, 0, pair.nanoseconds(pair.a)?).map(Temporal::Duration)
}
