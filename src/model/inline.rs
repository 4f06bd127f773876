//! Inline term ids: which literals fit into the id itself, and back.
//!
//! Inlining is lossless to the lexical form: a literal is inlined only if decoding its code gives
//! back exactly its text and datatype (`"01"^^xsd:integer` and `"1.0E0"` against `"1"` differ).

use super::inline_double;
use super::term::{Literal, xsd};
use super::term_id::{TermId, TermKind};

const BIAS: i64 = 1 << 59;
const DECIMAL_SCALE_BITS: u32 = 4;
const DECIMAL_MANTISSA_BIAS: i64 = 1 << 55;
const DECIMAL_TEXT_MAX: usize = 18;
const MS_PER_DAY: i64 = 86_400_000;

impl TermId {
    /// Returns the inline id of `literal`, or `None` if only a dictionary can hold it.
    pub fn inline(literal: &Literal) -> Option<TermId> {
        let id = encode(literal)?;
        (id.to_literal().as_ref() == Some(literal)).then_some(id)
    }

    /// Returns whether some literals of a datatype are inline.
    pub fn has_inline(datatype: &str) -> bool {
        const DATATYPES: [oxrdf::NamedNodeRef<'_>; 7] =
            [xsd::INTEGER, xsd::BOOLEAN, xsd::DECIMAL, xsd::DOUBLE, xsd::DATE, xsd::DATE_TIME, xsd::TIME];
        DATATYPES.iter().any(|name| name.as_str() == datatype)
    }

    /// Returns the literal that an inline id carries, or `None` for any other id.
    pub fn to_literal(self) -> Option<Literal> {
        Some(match self.kind() {
            TermKind::Boolean => Literal::from(self.payload() != 0),
            TermKind::Integer => Literal::from(unbias(self.payload())),
            TermKind::Decimal => Literal::new_typed_literal(decimal_text(self), xsd::DECIMAL),
            TermKind::Double => {
                let text = double_text(self.as_f64()?, self.payload() & 1 == 1);
                Literal::new_typed_literal(text, xsd::DOUBLE)
            }
            TermKind::Date => Literal::new_typed_literal(date_text(unbias(self.payload())), xsd::DATE),
            TermKind::DateTime => {
                let (milliseconds, utc) = self.as_date_time()?;
                Literal::new_typed_literal(date_time_text(milliseconds, utc), xsd::DATE_TIME)
            }
            TermKind::Time => {
                let (milliseconds, utc) = self.as_time()?;
                let zone = if utc { "Z" } else { "" };
                Literal::new_typed_literal(format!("{}{zone}", time_text(milliseconds)), xsd::TIME)
            }
            _ => return None,
        })
    }

    /// Returns the inline id of an `xsd:integer` in its canonical form, if it fits.
    pub fn from_i64(value: i64) -> Option<TermId> {
        (-BIAS..BIAS).contains(&value).then(|| TermId::pack(TermKind::Integer, bias(value)))
    }

    /// Returns the inline id of an `xsd:double` in its canonical form (`1.5E0`), if it fits.
    pub fn from_f64(value: f64) -> Option<TermId> {
        inline_double::encode(value).map(|code| TermId::pack(TermKind::Double, code << 1))
    }

    /// Returns the inline ids of an `xsd:double`, one for each form that it may stand in; none if it does not fit.
    pub fn inline_doubles(value: f64) -> impl Iterator<Item = TermId> {
        let forms = [value.to_string(), canonical_double(value)];
        forms.into_iter().filter_map(|text| encode_double(&text))
    }

    /// Returns the inline id of the `xsd:decimal` mantissa / 10^scale, if it fits and has a
    /// canonical form: no zero at the end of its fraction.
    pub fn from_decimal(mantissa: i64, scale: u32) -> Option<TermId> {
        let biased = mantissa.checked_add(DECIMAL_MANTISSA_BIAS)?;
        let is_canonical = scale == 0 || mantissa % 10 != 0;
        if scale > 15 || !is_canonical || !(0..DECIMAL_MANTISSA_BIAS * 2).contains(&biased) {
            return None;
        }
        let id = TermId::pack(TermKind::Decimal, (biased as u64) << DECIMAL_SCALE_BITS | u64::from(scale));
        (decimal_text(id).len() <= DECIMAL_TEXT_MAX).then_some(id)
    }

    /// Returns the inline id of an `xsd:dateTime` in UTC, if it fits.
    pub fn from_utc_ms(milliseconds: i64) -> Option<TermId> {
        let biased = milliseconds.checked_add(BIAS >> 1)?;
        let id = (0..BIAS)
            .contains(&biased)
            .then(|| TermId::pack(TermKind::DateTime, (biased as u64) << 1 | 1))?;
        TermId::inline(&id.to_literal()?)
    }

    pub fn from_bool(value: bool) -> TermId {
        TermId::pack(TermKind::Boolean, u64::from(value))
    }

    /// Returns the value of an inline `xsd:integer`.
    pub fn as_i64(self) -> Option<i64> {
        (self.kind() == TermKind::Integer).then(|| unbias(self.payload()))
    }

    /// Returns the value of an inline `xsd:boolean`.
    pub fn as_bool(self) -> Option<bool> {
        (self.kind() == TermKind::Boolean).then(|| self.payload() != 0)
    }

    /// Returns the value of an inline `xsd:double`.
    pub fn as_f64(self) -> Option<f64> {
        (self.kind() == TermKind::Double).then(|| inline_double::decode(self.payload() >> 1))
    }

    /// Returns ids of the kind of inline doubles, whether or not they are in use, that no double below `value` is
    /// past, and no double above it before: the ids of all equal ones are between them.
    pub fn doubles_about(value: f64) -> [TermId; 2] {
        // The two zeros are equal.
        let (low, high) = if value == 0.0 { (-0.0, 0.0) } else { (value, value) };
        let [low, high] = [low, high].map(|value| inline_double::class_of(value) << 1);
        [TermId::pack(TermKind::Double, low), TermId::pack(TermKind::Double, high | 1)]
    }

    /// Returns (mantissa, scale) of an inline `xsd:decimal`: its value is mantissa / 10^scale.
    pub fn as_decimal(self) -> Option<(i64, u32)> {
        (self.kind() == TermKind::Decimal).then(|| {
            let scale = (self.payload() & ((1 << DECIMAL_SCALE_BITS) - 1)) as u32;
            ((self.payload() >> DECIMAL_SCALE_BITS) as i64 - DECIMAL_MANTISSA_BIAS, scale)
        })
    }

    /// Returns days since 1970-01-01 of an inline `xsd:date`.
    pub fn as_date(self) -> Option<i64> {
        (self.kind() == TermKind::Date).then(|| unbias(self.payload()))
    }

    /// Returns (milliseconds since 1970-01-01T00:00:00, whether in UTC) of an inline `xsd:dateTime`.
    pub fn as_date_time(self) -> Option<(i64, bool)> {
        (self.kind() == TermKind::DateTime)
            .then(|| ((self.payload() >> 1) as i64 - (BIAS >> 1), self.payload() & 1 == 1))
    }

    /// Returns (milliseconds since midnight, whether in UTC) of an inline `xsd:time`.
    pub fn as_time(self) -> Option<(i64, bool)> {
        (self.kind() == TermKind::Time).then(|| ((self.payload() >> 1) as i64, self.payload() & 1 == 1))
    }
}

fn encode(literal: &Literal) -> Option<TermId> {
    let (text, datatype) = (literal.value(), literal.datatype());
    if datatype == xsd::INTEGER {
        TermId::from_i64(text.parse().ok()?)
    } else if datatype == xsd::BOOLEAN {
        Some(TermId::from_bool(text == "true"))
    } else if datatype == xsd::DECIMAL {
        encode_decimal(text)
    } else if datatype == xsd::DOUBLE {
        encode_double(text)
    } else if datatype == xsd::DATE {
        let days = parse_date(text)?;
        Some(TermId::pack(TermKind::Date, bias(days)))
    } else if datatype == xsd::DATE_TIME {
        encode_date_time(text)
    } else if datatype == xsd::TIME {
        let (body, utc) = split_utc(text);
        Some(TermId::pack(TermKind::Time, (parse_time(body)? as u64) << 1 | u64::from(utc)))
    } else {
        None
    }
}

fn encode_decimal(text: &str) -> Option<TermId> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if text.len() > DECIMAL_TEXT_MAX || fraction.len() > 15 {
        return None;
    }
    let mantissa: i64 = format!("{whole}{fraction}").parse().ok()?;
    let biased = mantissa.checked_add(DECIMAL_MANTISSA_BIAS)?;
    (0..DECIMAL_MANTISSA_BIAS * 2).contains(&biased).then(|| {
        TermId::pack(TermKind::Decimal, (biased as u64) << DECIMAL_SCALE_BITS | fraction.len() as u64)
    })
}

fn decimal_text(id: TermId) -> String {
    let (mantissa, scale) = id.as_decimal().unwrap_or_default();
    if scale == 0 {
        return mantissa.to_string();
    }
    let digits = format!("{:0width$}", mantissa.unsigned_abs(), width = scale as usize + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale as usize);
    format!("{}{whole}.{fraction}", if mantissa < 0 { "-" } else { "" })
}

/// The lowest payload bit of a double tells the plain form (`1.5`) from the canonical one (`1.5E0`).
fn encode_double(text: &str) -> Option<TermId> {
    let code = inline_double::encode(text.parse().ok()?)?;
    let plain = u64::from(!text.contains(['E', 'e']));
    Some(TermId::pack(TermKind::Double, code << 1 | plain))
}

fn double_text(value: f64, plain: bool) -> String {
    if plain { value.to_string() } else { canonical_double(value) }
}

/// Returns the XSD 1.1 canonical form of a finite double (`1.5E0`).
fn canonical_double(value: f64) -> String {
    let text = format!("{value:E}");
    match text.split_once('E') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0E{exponent}"),
        _ => text,
    }
}

fn bias(value: i64) -> u64 {
    (value + BIAS) as u64
}

fn unbias(payload: u64) -> i64 {
    payload as i64 - BIAS
}

fn encode_date_time(text: &str) -> Option<TermId> {
    let (body, utc) = split_utc(text);
    let (date, time) = body.split_once('T')?;
    let milliseconds = parse_date(date)? * MS_PER_DAY + parse_time(time)?;
    Some(TermId::pack(TermKind::DateTime, ((milliseconds + (BIAS >> 1)) as u64) << 1 | u64::from(utc)))
}

/// Splits off the zone, if it is `Z`.
fn split_utc(text: &str) -> (&str, bool) {
    match text.strip_suffix('Z') {
        Some(body) => (body, true),
        None => (text, false),
    }
}

fn date_time_text(milliseconds: i64, utc: bool) -> String {
    let (days, time) = (milliseconds.div_euclid(MS_PER_DAY), milliseconds.rem_euclid(MS_PER_DAY));
    let zone = if utc { "Z" } else { "" };
    format!("{}T{}{zone}", date_text(days), time_text(time))
}

/// Parses `hh:mm:ss` and at most three digits after the point into milliseconds since midnight.
fn parse_time(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = whole.splitn(3, ':');
    let mut below = |end: i64| parts.next()?.parse().ok().filter(|part| (0..end).contains(part));
    let (hours, minutes, seconds) = (below(24)?, below(60)?, below(60)?);
    if fraction.len() > 3 {
        return None;
    }
    let thousandths: i64 = format!("{fraction:0<3}").parse().ok().filter(|part| *part >= 0)?;
    Some(((hours * 60 + minutes) * 60 + seconds) * 1000 + thousandths)
}

fn time_text(milliseconds: i64) -> String {
    let (second, thousandths) = (milliseconds / 1000, milliseconds % 1000);
    let mut text = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
    if thousandths != 0 {
        text.push_str(format!(".{thousandths:03}").trim_end_matches('0'));
    }
    text
}

/// Parses `YYYY-MM-DD` with a four-digit positive year into days since 1970-01-01.
fn parse_date(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes.get(4) != Some(&b'-') || bytes.get(7) != Some(&b'-') {
        return None;
    }
    let number = |range| text.get(range).and_then(|part: &str| part.parse::<i64>().ok());
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    ((1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day))
        .then(|| days_from_civil(year, month, day))
}

fn date_text(days: i64) -> String {
    let (year, month, day) = civil_from_days(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Returns days since 1970-01-01 of a proleptic Gregorian date.
///
/// # Source
/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in March, so that
/// the leap day is the last of its year.
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let march_year = if month <= 2 { year - 1 } else { year };
    let era = march_year.div_euclid(400);
    let year_of_era = march_year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Returns (year, month, day) of a day number; the inverse of [`days_from_civil`].
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * march_month + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, datatype: oxrdf::NamedNodeRef<'_>, inlined: bool) {
        let literal = Literal::new_typed_literal(text, datatype);
        let id = TermId::inline(&literal);
        assert_eq!(id.is_some(), inlined, "{literal}");
        if let Some(id) = id {
            assert_eq!(id.to_literal(), Some(literal));
        }
    }

    #[test]
    fn canonical_forms_are_inlined_and_others_are_not() {
        for (text, inlined) in [("0", true), ("-17", true), ("01", false), ("+1", false), ("x", false)] {
            check(text, xsd::INTEGER, inlined);
        }
        for (text, inlined) in [("true", true), ("false", true), ("1", false), ("0", false)] {
            check(text, xsd::BOOLEAN, inlined);
        }
        for (text, inlined) in [
            ("12.50", true),
            ("12.5", true),
            ("-0.5", true),
            ("-0.0", false),
            (".5", false),
            ("5.", false),
            ("7", true),
        ] {
            check(text, xsd::DECIMAL, inlined);
        }
        for (text, inlined) in [
            ("1.5E0", true),
            ("-1.5E0", true),
            ("1.5", true),
            ("0", true),
            ("1.50", false),
            ("0.1", true),
            ("1.0E-1", true),
            ("0.3333333333333333", false),
            ("INF", false),
        ] {
            check(text, xsd::DOUBLE, inlined);
        }
        for (text, inlined) in [
            ("2024-02-29", true),
            ("2023-02-29", false),
            ("0001-01-01", true),
            ("2024-01-01Z", false),
            ("-0044-03-15", false),
        ] {
            check(text, xsd::DATE, inlined);
        }
        for (text, inlined) in [
            ("2024-02-29T12:00:00Z", true),
            ("2024-02-29T12:00:00.25", true),
            ("2024-02-29T12:00:00.250", false),
            ("2024-02-29T24:00:00", false),
            ("2024-02-29T12:00:00+01:00", false),
            ("1969-12-31T23:59:59.5Z", true),
        ] {
            check(text, xsd::DATE_TIME, inlined);
        }
        for (text, inlined) in [
            ("00:00:00", true),
            ("23:59:59.999Z", true),
            ("12:00:00.25", true),
            ("12:00:00.250", false),
            ("12:00:00.", false),
            ("12:00:00.1234", false),
            ("24:00:00", false),
            ("12:60:00", false),
            ("-1:00:00", false),
            ("1:00:00", false),
            ("12:00", false),
            ("12:00:00+00:00", false),
            ("12:00:00ZZ", false),
        ] {
            check(text, xsd::TIME, inlined);
        }
    }

    proptest! {
        #[test]
        fn inlining_never_changes_a_literal(text in "[-+]?[0-9]{0,20}(\\.[0-9]{0,17})?(E-?[0-9]{1,3})?") {
            for datatype in [xsd::INTEGER, xsd::DECIMAL, xsd::DOUBLE] {
                let literal = Literal::new_typed_literal(text.clone(), datatype);
                if let Some(id) = TermId::inline(&literal) {
                    prop_assert_eq!(id.to_literal(), Some(literal));
                }
            }
        }

        #[test]
        fn numbers_and_their_canonical_texts_have_one_id(bits: u64, mantissa: i64, shift in 0u32..64, scale in 0u32..17) {
            let value = f64::from_bits(bits & !((1u64 << (shift % 40)) - 1));
            if value.is_finite() {
                let literal = Literal::new_typed_literal(canonical_double(value), xsd::DOUBLE);
                prop_assert_eq!(TermId::from_f64(value), TermId::inline(&literal));
            }
            if let Some(id) = TermId::from_decimal(mantissa >> shift, scale) {
                prop_assert_eq!(id.to_literal().and_then(|literal| TermId::inline(&literal)), Some(id));
            }
        }

        #[test]
        fn inlining_never_changes_a_date_or_time(
            date in "[-]?[0-9]{4,5}-[0-3][0-9]-[0-3][0-9]",
            time in "[-+]?[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[-+]?[0-9]{0,4})?",
            zone in "(Z|[-+](0[0-9]|1[0-4]):[0-5][0-9])?",
        ) {
            let texts = [
                (format!("{date}{zone}"), xsd::DATE),
                (format!("{time}{zone}"), xsd::TIME),
                (format!("{date}T{time}{zone}"), xsd::DATE_TIME),
            ];
            for (text, datatype) in texts {
                let literal = Literal::new_typed_literal(text, datatype);
                let id = TermId::inline(&literal);
                // An offset is a part of the literal; no id has room for it.
                prop_assert!(id.is_none() || zone.is_empty() || zone == "Z");
                if let Some(id) = id {
                    prop_assert_eq!(id.to_literal(), Some(literal));
                    prop_assert_eq!(TermId::from_bits(id.to_bits()), Some(id));
                }
            }
        }

        #[test]
        fn inline_times_sort_by_value(a in 0i64..MS_PER_DAY, b in 0i64..MS_PER_DAY, utc: bool) {
            let zone = if utc { "Z" } else { "" };
            let [x, y] = [a, b].map(|milliseconds| {
                let text = format!("{}{zone}", time_text(milliseconds));
                TermId::inline(&Literal::new_typed_literal(text, xsd::TIME)).unwrap()
            });
            prop_assert_eq!((x.as_time(), y.as_time()), (Some((a, utc)), Some((b, utc))));
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
        }

        #[test]
        fn any_inline_id_has_a_literal(kind in 7u64..14, payload: u64) {
            let id = TermId::from_bits(kind << 60 | payload >> 4).unwrap();
            prop_assert!(id.is_inline() && id.to_literal().is_some());
        }

        #[test]
        fn inline_numbers_sort_by_value(a in -1.0e9f64..1.0e9, b in -1.0e9f64..1.0e9) {
            let id = |x: f64| TermId::inline(&Literal::new_typed_literal(format!("{}", x as f32), xsd::DOUBLE));
            if let (Some(x), Some(y)) = (id(a), id(b)) {
                prop_assert_eq!((a as f32).partial_cmp(&(b as f32)), x.as_f64().partial_cmp(&y.as_f64()));
            }
        }
    }
}
