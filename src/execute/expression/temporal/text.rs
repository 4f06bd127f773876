//! How temporal values are written: as XSD literals, and as Cypher prints them.

use std::fmt::{self, Write};

use super::{NANOSECONDS_PER_SECOND, Temporal};
use crate::model::{Duration, civil_from_days};

/// Returns the lexical form of the literal.
pub(super) fn xsd(value: &Temporal) -> String {
    let mut text = String::new();
    write_value(&mut text, value, true);
    text
}

impl fmt::Display for Temporal {
    /// Writes the value as Cypher's `toString` does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        write_value(&mut text, self, false);
        f.write_str(&text)
    }
}

fn write_value(text: &mut String, value: &Temporal, is_xsd: bool) {
    match value {
        Temporal::Date(days) => write_date(text, *days, is_xsd),
        Temporal::LocalTime(nanoseconds) => write_time(text, *nanoseconds, is_xsd),
        Temporal::Time { nanoseconds, offset } => {
            write_time(text, *nanoseconds, is_xsd);
            write_offset(text, *offset);
        }
        Temporal::LocalDateTime { days, nanoseconds } => {
            write_date(text, *days, is_xsd);
            text.push('T');
            write_time(text, *nanoseconds, is_xsd);
        }
        Temporal::DateTime { days, nanoseconds, offset, zone } => {
            write_date(text, *days, is_xsd);
            text.push('T');
            write_time(text, *nanoseconds, is_xsd);
            write_offset(text, *offset);
            if let Some(zone) = zone {
                text.extend(["[", zone, "]"]);
            }
        }
        Temporal::Duration(duration) => write_duration(text, duration),
    }
}

fn put(text: &mut String, arguments: fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("a String takes all that is written");
}

fn write_date(text: &mut String, days: i64, is_xsd: bool) {
    let (year, month, day) = civil_from_days(days);
    let sign = match year {
        ..0 => "-",
        10_000.. if !is_xsd => "+",
        _ => "",
    };
    put(text, format_args!("{sign}{:04}-{month:02}-{day:02}", year.abs()));
}

fn write_time(text: &mut String, nanoseconds: i64, is_xsd: bool) {
    let (seconds, fraction) = (nanoseconds / NANOSECONDS_PER_SECOND, nanoseconds % NANOSECONDS_PER_SECOND);
    put(text, format_args!("{:02}:{:02}", seconds / 3600, seconds / 60 % 60));
    if is_xsd || seconds % 60 != 0 || fraction != 0 {
        put(text, format_args!(":{:02}", seconds % 60));
        write_fraction(text, fraction);
    }
}

fn write_fraction(text: &mut String, nanoseconds: i64) {
    if nanoseconds != 0 {
        put(text, format_args!(".{}", format!("{nanoseconds:09}").trim_end_matches('0')));
    }
}

pub(super) fn write_offset(text: &mut String, offset: i32) {
    if offset == 0 {
        text.push('Z');
        return;
    }
    let seconds = offset.abs();
    let sign = if offset < 0 { '-' } else { '+' };
    put(text, format_args!("{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60));
    if seconds % 60 != 0 {
        put(text, format_args!(":{:02}", seconds % 60));
    }
}

fn write_duration(text: &mut String, duration: &Duration) {
    let Duration { months, days, seconds, nanoseconds } = *duration;
    if *duration == Duration::default() {
        text.push_str("PT0S");
        return;
    }
    text.push('P');
    let unit = |text: &mut String, value: i64, letter: char| {
        if value != 0 {
            put(text, format_args!("{value}{letter}"));
        }
    };
    unit(text, months / 12, 'Y');
    unit(text, months % 12, 'M');
    unit(text, days, 'D');
    if seconds == 0 && nanoseconds == 0 {
        return;
    }
    text.push('T');
    unit(text, seconds / 3600, 'H');
    unit(text, seconds / 60 % 60, 'M');
    let rest = seconds % 60;
    if rest != 0 || nanoseconds != 0 {
        let sign = if rest < 0 || nanoseconds < 0 { "-" } else { "" };
        put(text, format_args!("{sign}{}", rest.abs()));
        write_fraction(text, i64::from(nanoseconds).abs());
        text.push('S');
    }
}
