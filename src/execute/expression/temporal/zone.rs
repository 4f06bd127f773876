//! Named time zones, by the IANA database that is built in.

use std::sync::Arc;

use jiff::civil;
use jiff::tz::TimeZone;

use crate::model::civil_from_days;

use super::NANOSECONDS_PER_SECOND;

/// Returns the name as the database spells it, if there is such a zone.
pub(super) fn known(name: &str) -> Option<Arc<str>> {
    let zone = TimeZone::get(name).ok()?;
    Some(zone.iana_name().unwrap_or(name).into())
}

/// Returns the offset in seconds of a zone at a local date and time. In the gap and in the overlap
/// of a change of offset, that before the change counts.
pub(super) fn offset_of_local(name: &str, days: i64, nanoseconds: i64) -> Option<i32> {
    let zone = TimeZone::get(name).ok()?;
    let (year, month, day) = civil_from_days(days);
    // The database ends where rules begin to repeat; beyond, the nearest year it knows counts.
    let year = year.clamp(-9998, 9998) as i16;
    let day = if month == 2 { day.min(28) } else { day };
    let seconds = nanoseconds / NANOSECONDS_PER_SECOND;
    let moment = civil::DateTime::new(
        year,
        month as i8,
        day as i8,
        (seconds / 3600) as i8,
        (seconds / 60 % 60) as i8,
        (seconds % 60) as i8,
        (nanoseconds % NANOSECONDS_PER_SECOND) as i32,
    )
    .ok()?;
    Some(zone.to_zoned(moment).ok()?.offset().seconds())
}

/// Returns the offset in seconds of a zone at an instant, in seconds since 1970.
pub(super) fn offset_of_instant(name: &str, seconds: i64) -> Option<i32> {
    let zone = TimeZone::get(name).ok()?;
    let seconds = seconds.clamp(-377_000_000_000, 253_000_000_000);
    let instant = jiff::Timestamp::from_second(seconds).ok()?;
    Some(zone.to_offset(instant).seconds())
}
