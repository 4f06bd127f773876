//! Reading dates, times and durations: XSD's forms, and all of ISO 8601 that openCypher takes
//! (calendar, week, quarter and ordinal dates; basic and extended; reduced precision).

use std::sync::Arc;

use super::{NANOSECONDS_PER_SECOND, SECONDS_PER_DAY, SECONDS_PER_MONTH, Temporal, YEAR_MAX, zone};
use crate::model::{Duration, days_from_civil};

/// A zone as it is written: an offset, a name, or both.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Zone {
    pub offset: Option<i32>,
    pub name: Option<Arc<str>>,
}

pub(super) fn xsd_date(text: &str) -> Option<i64> {
    let zone_at = text.get(1..)?.find(['Z', '+', ':']).map(|at| at + 1);
    let date = match zone_at {
        None => text,
        Some(at) if text.as_bytes().get(at) == Some(&b':') => text.get(..at.checked_sub(3)?)?,
        Some(at) => text.get(..at)?,
    };
    date_text(date)
}

pub(super) fn xsd_time(text: &str) -> Option<Temporal> {
    let (time, rest) = split_zone(text);
    let nanoseconds = time_text(time)?;
    if rest.is_empty() {
        return Some(Temporal::LocalTime(nanoseconds));
    }
    Some(Temporal::Time { nanoseconds, offset: zone_text(rest)?.offset? })
}

pub(super) fn xsd_date_time(text: &str) -> Option<Temporal> {
    let (date, time) = text.split_once('T')?;
    let (time, rest) = split_zone(time);
    let (mut days, mut nanoseconds) = (date_text(date)?, 0);
    match time {
        "24:00:00" => days += 1,
        time => nanoseconds = time_text(time)?,
    }
    if rest.is_empty() {
        return Some(Temporal::LocalDateTime { days, nanoseconds });
    }
    let Zone { offset, name } = zone_text(rest)?;
    let offset = match (offset, &name) {
        (Some(offset), _) => offset,
        (None, Some(name)) => zone::offset_of_local(name, days, nanoseconds)?,
        (None, None) => return None,
    };
    Some(Temporal::DateTime { days, nanoseconds, offset, zone: name })
}

/// Splits a time from the zone after it.
pub(super) fn split_zone(text: &str) -> (&str, &str) {
    text.split_at(text.find(['Z', 'z', '+', '-', '[']).unwrap_or(text.len()))
}

/// Reads `Z`, `+01`, `+0100`, `+01:00`, `+01:00:30`, each perhaps with `[Name]`, or `[Name]`.
pub(super) fn zone_text(text: &str) -> Option<Zone> {
    let (offset, name) = match text.find('[') {
        Some(at) => (&text[..at], Some(text[at + 1..].strip_suffix(']')?)),
        None => (text, None),
    };
    let name = match name {
        Some(name) => Some(zone::known(name)?),
        None => None,
    };
    let offset = if offset.is_empty() { None } else { Some(offset_text(offset)?) };
    Some(Zone { offset, name })
}

pub(super) fn offset_text(text: &str) -> Option<i32> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+')?),
    };
    let plain: String = digits.split(':').collect();
    let has_good_length = matches!((digits.len(), plain.len()), (2, 2) | (4, 4) | (5, 4) | (6, 6) | (8, 6));
    if !has_good_length || !plain.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |at: usize| plain.get(at..at + 2).map_or(Some(0), |digits| digits.parse::<i32>().ok());
    let (hours, minutes, seconds) = (part(0)?, part(2)?, part(4)?);
    let is_valid = hours <= 18 && minutes < 60 && seconds < 60;
    is_valid.then_some(sign * (hours * 3600 + minutes * 60 + seconds))
}

/// Reads a time of day: `21`, `2140`, `21:40`, `214032.142`, `21:40:32.142`.
pub(super) fn time_text(text: &str) -> Option<i64> {
    let (whole, fraction) = match text.split_once(['.', ',']) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let plain: String = whole.split(':').collect();
    let is_extended = whole.contains(':');
    let has_good_length = match plain.len() {
        2 => !is_extended,
        4 => !is_extended || whole.len() == 5,
        6 => !is_extended || whole.len() == 8,
        _ => false,
    };
    if !has_good_length
        || !plain.bytes().all(|byte| byte.is_ascii_digit())
        || (fraction.is_some() && plain.len() != 6)
    {
        return None;
    }
    let part = |at: usize| plain.get(at..at + 2).map_or(Some(0), |digits| digits.parse::<i64>().ok());
    let (hours, minutes, seconds) = (part(0)?, part(2)?, part(4)?);
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let nanoseconds = match fraction {
        Some(fraction) => fraction_nanoseconds(fraction)?,
        None => 0,
    };
    Some((hours * 3600 + minutes * 60 + seconds) * NANOSECONDS_PER_SECOND + nanoseconds)
}

/// Reads the digits after a decimal point; what is below a nanosecond is dropped.
fn fraction_nanoseconds(digits: &str) -> Option<i64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nine: String = digits.chars().chain("000000000".chars()).take(9).collect();
    nine.parse().ok()
}

/// Reads a date in any of its forms; returns days since 1970-01-01.
pub(super) fn date_text(text: &str) -> Option<i64> {
    let (sign, body) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let is_signed = body.len() != text.len();
    let (year, rest) = split_year(body, is_signed)?;
    let year = sign * year;
    if year.abs() > YEAR_MAX {
        return None;
    }
    date_in_year(year, rest)
}

/// Splits the year from the rest. Unsigned years have four digits; a signed one, as well as one
/// of a longer XSD date, ends at the first hyphen.
fn split_year(body: &str, is_signed: bool) -> Option<(i64, &str)> {
    let digits = body.bytes().take_while(u8::is_ascii_digit).count();
    let width = match body.as_bytes().get(digits) {
        Some(b'-') if digits > 4 && !is_basic(body, digits) => digits,
        _ if is_signed && digits > 8 => digits,
        _ => 4,
    };
    Some((body.get(..width)?.parse().ok()?, body.get(width..)?))
}

/// Returns whether digits before a hyphen are a year and a part of it (`2015W30-2` has none).
fn is_basic(body: &str, digits: usize) -> bool {
    let after = &body[digits..];
    let is_day_of_year = after.len() == 6 && after.as_bytes().get(3) == Some(&b'-');
    !(is_day_of_year || after.starts_with("-W") || after.starts_with("-Q"))
}

fn date_in_year(year: i64, rest: &str) -> Option<i64> {
    let number = |text: &str| {
        (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<i64>().ok())?
    };
    if rest.is_empty() {
        return calendar_date(year, 1, 1);
    }
    let extended = rest.strip_prefix('-');
    let body = extended.unwrap_or(rest);
    if let Some(week) = body.strip_prefix('W') {
        let (week, day) = week.split_at_checked(2)?;
        let day = day.strip_prefix('-').unwrap_or(day);
        return week_date(year, number(week)?, if day.is_empty() { 1 } else { number(day)? });
    }
    if let Some(quarter) = body.strip_prefix('Q') {
        let (quarter, day) = quarter.split_at_checked(1)?;
        let day = day.strip_prefix('-').unwrap_or(day);
        return quarter_date(year, number(quarter)?, if day.is_empty() { 1 } else { number(day)? });
    }
    match (extended.is_some(), body.len()) {
        (_, 2) => calendar_date(year, number(body)?, 1),
        (_, 3) => ordinal_date(year, number(body)?),
        (false, 4) => calendar_date(year, number(body.get(..2)?)?, number(body.get(2..)?)?),
        (true, 5) => {
            let (month, day) = body.split_once('-')?;
            (month.len() == 2).then(|| calendar_date(year, number(month)?, number(day)?))?
        }
        _ => None,
    }
}

pub(super) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(super) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

pub(super) fn calendar_date(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_valid = year.abs() <= YEAR_MAX
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day);
    is_valid.then(|| days_from_civil(year, month, day))
}

pub(super) fn ordinal_date(year: i64, day: i64) -> Option<i64> {
    let last = if is_leap(year) { 366 } else { 365 };
    (1..=last).contains(&day).then(|| days_from_civil(year, 1, 1) + day - 1)
}

pub(super) fn quarter_date(year: i64, quarter: i64, day: i64) -> Option<i64> {
    if !(1..=4).contains(&quarter) {
        return None;
    }
    let first = days_from_civil(year, quarter * 3 - 2, 1);
    let next = if quarter == 4 {
        days_from_civil(year + 1, 1, 1)
    } else {
        days_from_civil(year, quarter * 3 + 1, 1)
    };
    (1..=next - first).contains(&day).then(|| first + day - 1)
}

/// Returns the Monday of week 1 of a week-based year (ISO 8601: the week with 4 January).
pub(super) fn first_week(year: i64) -> i64 {
    let fourth = days_from_civil(year, 1, 4);
    fourth - weekday(fourth) + 1
}

/// Returns the day of the week, Monday is 1.
pub(super) fn weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7) + 1
}

pub(super) fn week_date(year: i64, week: i64, day: i64) -> Option<i64> {
    let first = first_week(year);
    let weeks = (first_week(year + 1) - first) / 7;
    ((1..=weeks).contains(&week) && (1..=7).contains(&day)).then(|| first + (week - 1) * 7 + day - 1)
}

/// Reads a duration: `P1Y2M3W4DT5H6M7.8S` with a sign and a fraction anywhere, or the date-and-time
/// form `P2012-02-02T14:37:21.545`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (sign, body) = match text.strip_prefix('-') {
        Some(body) => (-1.0, body),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let body = body.strip_prefix('P')?;
    let (date, time) = match body.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (body, None),
    };
    if body.is_empty() || time == Some("") {
        return None;
    }
    let begins_with_year = date
        .split_once('-')
        .is_some_and(|(year, _)| year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit()));
    if begins_with_year {
        return dated_duration(date, time);
    }
    let mut parts = Parts { sign, ..Parts::default() };
    parts.read(date, "YMWD")?;
    parts.read(time.unwrap_or(""), "HMS")?;
    parts.duration()
}

fn dated_duration(date: &str, time: Option<&str>) -> Option<Duration> {
    let mut numbers = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (years, months, days) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let nanoseconds = match time {
        Some(time) => time_text(time)?,
        None => 0,
    };
    Some(Duration {
        months: years.checked_mul(12)?.checked_add(months)?,
        days,
        seconds: nanoseconds / NANOSECONDS_PER_SECOND,
        nanoseconds: (nanoseconds % NANOSECONDS_PER_SECOND) as i32,
    })
}

/// The units of a duration, read one after the other: whole ones exactly, fractions of a unit as
/// the smaller units they are.
#[derive(Default)]
struct Parts {
    sign: f64,
    months: i64,
    days: i64,
    seconds: i64,
    nanoseconds: i128,
}

impl Parts {
    fn read(&mut self, mut text: &str, letters: &str) -> Option<()> {
        let mut allowed = letters;
        while !text.is_empty() {
            let end = text.find(|c: char| c.is_ascii_alphabetic())?;
            let (number, letter) = (&text[..end], text[end..].chars().next()?);
            let position = allowed.find(letter)?;
            allowed = &allowed[position + 1..];
            self.add(number, letter, letters == "HMS")?;
            text = &text[end + 1..];
        }
        Some(())
    }

    fn add(&mut self, number: &str, letter: char, is_time: bool) -> Option<()> {
        let (negative, digits) = match number.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, number.strip_prefix('+').unwrap_or(number)),
        };
        let sign = if negative == (self.sign > 0.0) { -1 } else { 1 };
        let (whole, fraction) = digits.split_once(['.', ',']).unwrap_or((digits, ""));
        let is_number =
            !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b',');
        if !is_number {
            return None;
        }
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let whole = whole.checked_mul(sign)?;
        let fraction = if fraction.is_empty() { 0 } else { fraction_nanoseconds(fraction)? * sign };
        match (letter, is_time) {
            ('Y', _) => {
                self.months = self.months.checked_add(whole.checked_mul(12)?)?;
                self.fraction_of_months(fraction * 12);
            }
            ('M', false) => {
                self.months = self.months.checked_add(whole)?;
                self.fraction_of_months(fraction);
            }
            ('W', _) => {
                self.days = self.days.checked_add(whole.checked_mul(7)?)?;
                self.fraction_of_days(i128::from(fraction) * 7);
            }
            ('D', _) => {
                self.days = self.days.checked_add(whole)?;
                self.fraction_of_days(fraction.into());
            }
            ('H', _) => self.time(whole, fraction, 3600)?,
            ('M', true) => self.time(whole, fraction, 60)?,
            _ => self.time(whole, fraction, 1)?,
        }
        Some(())
    }

    fn time(&mut self, whole: i64, fraction: i64, seconds: i64) -> Option<()> {
        self.seconds = self.seconds.checked_add(whole.checked_mul(seconds)?)?;
        self.nanoseconds += i128::from(fraction) * i128::from(seconds);
        Some(())
    }

    /// Adds billionths of a month.
    fn fraction_of_months(&mut self, billionths: i64) {
        self.months += billionths / NANOSECONDS_PER_SECOND;
        let rest = i128::from(billionths % NANOSECONDS_PER_SECOND) * i128::from(SECONDS_PER_MONTH);
        self.fraction_of_days_in_nanoseconds(rest);
    }

    /// Adds billionths of a day.
    fn fraction_of_days(&mut self, billionths: i128) {
        self.fraction_of_days_in_nanoseconds(billionths * i128::from(SECONDS_PER_DAY));
    }

    fn fraction_of_days_in_nanoseconds(&mut self, nanoseconds: i128) {
        let day = i128::from(SECONDS_PER_DAY) * i128::from(NANOSECONDS_PER_SECOND);
        self.days += (nanoseconds / day) as i64;
        self.nanoseconds += nanoseconds % day;
    }

    fn duration(self) -> Option<Duration> {
        super::arithmetic::normal(self.months, self.days, self.seconds.into(), self.nanoseconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_every_form() {
        let check = |text: &str, expected: Option<&str>| {
            let date = date_text(text).map(|days| Temporal::Date(days).to_string());
            assert_eq!(date.as_deref(), expected, "{text}");
        };
        for (text, expected) in [
            ("2015-07-21", "2015-07-21"),
            ("20150721", "2015-07-21"),
            ("2015-07", "2015-07-01"),
            ("201507", "2015-07-01"),
            ("2015-W30-2", "2015-07-21"),
            ("2015W302", "2015-07-21"),
            ("2015-W30", "2015-07-20"),
            ("2015W30", "2015-07-20"),
            ("2015-202", "2015-07-21"),
            ("2015202", "2015-07-21"),
            ("2015", "2015-01-01"),
            ("2015-Q2-60", "2015-05-30"),
            ("-0044-03-15", "-0044-03-15"),
            ("+999999999-12-31", "+999999999-12-31"),
            ("-999999999-01-01", "-999999999-01-01"),
            ("12345-01-02", "+12345-01-02"),
        ] {
            check(text, Some(expected));
        }
        for text in [
            "",
            "2015-13-01",
            "2015-02-29",
            "2015-W54",
            "15-07-21",
            "2015-07-211",
            "abc",
            "2015-W3é",
            "9999999999-01-01",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn durations_are_read_and_written() {
        let check = |text: &str, expected: Option<&str>| {
            let duration = duration(text).map(|duration| Temporal::Duration(duration).to_string());
            assert_eq!(duration.as_deref(), expected, "{text}");
        };
        for (text, expected) in [
            ("P14DT16H12M", "P14DT16H12M"),
            ("P5M1.5D", "P5M1DT12H"),
            ("P0.75M", "P22DT19H51M49.5S"),
            ("PT0.75M", "PT45S"),
            ("P2.5W", "P17DT12H"),
            ("P12Y5M14DT16H12M70S", "P12Y5M14DT16H13M10S"),
            ("P2012-02-02T14:37:21.545", "P2012Y2M2DT14H37M21.545S"),
            ("-P1DT2H", "P-1DT-2H"),
            ("P1Y2M-3DT4S", "P1Y2M-3DT4S"),
            ("PT-0.5S", "PT-0.5S"),
            ("PT0S", "PT0S"),
        ] {
            check(text, Some(expected));
        }
        for text in ["", "P", "PT", "P1", "P1S", "PT1Y", "P1D2M", "PxD", "P99999999999999999999Y"] {
            check(text, None);
        }
    }
}
