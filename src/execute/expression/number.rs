//! Numbers: XSD's numeric tower (integer, decimal, float, double) and its promotion rules.

use std::cmp::Ordering;

use oxsdatatypes::Decimal;

use crate::model::{Literal, TermId, xsd};

/// A number by value; its lexical form and derived datatype are gone.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    Integer(i64),
    Decimal(Decimal),
    Float(f32),
    Double(f64),
}

/// Two numbers of one type, after promotion.
pub(super) enum Pair {
    Integer(i64, i64),
    Decimal(Decimal, Decimal),
    Float(f32, f32),
    Double(f64, f64),
}

impl Number {
    /// Returns the integer that equals the number exactly, if there is one.
    pub(super) fn as_integer(self) -> Option<i64> {
        let candidate = match self {
            Number::Integer(value) => value,
            Number::Decimal(value) => value.to_string().parse().ok()?,
            other => other.to_f64() as i64,
        };
        (Number::Integer(candidate).compare_exactly(self) == Some(Ordering::Equal)).then_some(candidate)
    }

    /// Returns the value of an inline id, if it is a number.
    pub(super) fn of_inline(id: TermId) -> Option<Number> {
        if let Some(value) = id.as_i64() {
            return Some(Number::Integer(value));
        }
        if let Some(value) = id.as_f64() {
            return Some(Number::Double(value));
        }
        let (mantissa, scale) = id.as_decimal()?;
        let bits = i128::from(mantissa) * 10i128.pow(18 - scale);
        Some(Number::Decimal(Decimal::from_be_bytes(bits.to_be_bytes())))
    }

    /// Returns the value of a lexical form, `None` if it is none of its datatype; the outer
    /// `None` says that the datatype is not numeric.
    pub(super) fn parse(text: &str, datatype: &str) -> Option<Option<Number>> {
        let name = datatype.strip_prefix("http://www.w3.org/2001/XMLSchema#")?;
        let integer = |low: i128, high: i128| {
            let value = parse_integer(text)?;
            (low..=high).contains(&i128::from(value)).then_some(Number::Integer(value))
        };
        Some(match name {
            "integer" => integer(i64::MIN.into(), i64::MAX.into()),
            "decimal" => text.parse().ok().map(Number::Decimal),
            "double" => parse_double(text).map(Number::Double),
            "float" => parse_double(text)
                .and_then(|_| text.parse::<oxsdatatypes::Float>().ok())
                .map(|f| Number::Float(f.into())),
            "byte" => integer(i8::MIN.into(), i8::MAX.into()),
            "short" => integer(i16::MIN.into(), i16::MAX.into()),
            "int" => integer(i32::MIN.into(), i32::MAX.into()),
            "long" => integer(i64::MIN.into(), i64::MAX.into()),
            "unsignedByte" => integer(0, u8::MAX.into()),
            "unsignedShort" => integer(0, u16::MAX.into()),
            "unsignedInt" => integer(0, u32::MAX.into()),
            "unsignedLong" => integer(0, u64::MAX.into()),
            "nonNegativeInteger" => integer(0, i128::MAX),
            "positiveInteger" => integer(1, i128::MAX),
            "nonPositiveInteger" => integer(i128::MIN, 0),
            "negativeInteger" => integer(i128::MIN, -1),
            _ => return None,
        })
    }

    pub(super) fn to_f64(self) -> f64 {
        match self {
            Number::Integer(value) => value as f64,
            Number::Decimal(value) => decimal_to_f64(value),
            Number::Float(value) => value.into(),
            Number::Double(value) => value,
        }
    }

    pub(super) fn is_nan(self) -> bool {
        match self {
            Number::Float(value) => value.is_nan(),
            Number::Double(value) => value.is_nan(),
            _ => false,
        }
    }

    pub(super) fn is_integer(self) -> bool {
        matches!(self, Number::Integer(_))
    }

    /// Returns XSD's promotion of both to the wider type.
    pub(super) fn promote(self, other: Number) -> Pair {
        use Number::*;
        match (self, other) {
            (Integer(a), Integer(b)) => Pair::Integer(a, b),
            (Double(a), b) => Pair::Double(a, b.to_f64()),
            (a, Double(b)) => Pair::Double(a.to_f64(), b),
            (Float(a), b) => Pair::Float(a, b.to_f32()),
            (a, Float(b)) => Pair::Float(a.to_f32(), b),
            (Decimal(a), Decimal(b)) => Pair::Decimal(a, b),
            (Decimal(a), Integer(b)) => Pair::Decimal(a, b.into()),
            (Integer(a), Decimal(b)) => Pair::Decimal(a.into(), b),
        }
    }

    fn to_f32(self) -> f32 {
        match self {
            Number::Integer(value) => value as f32,
            Number::Decimal(value) => oxsdatatypes::Float::from(value).into(),
            Number::Float(value) => value,
            Number::Double(value) => value as f32,
        }
    }

    /// SPARQL's `=` and `<` over numbers: by value after promotion; `None` next to a NaN.
    pub(super) fn compare(self, other: Number) -> Option<Ordering> {
        match self.promote(other) {
            Pair::Integer(a, b) => Some(a.cmp(&b)),
            Pair::Decimal(a, b) => Some(a.cmp(&b)),
            Pair::Float(a, b) => a.partial_cmp(&b),
            Pair::Double(a, b) => a.partial_cmp(&b),
        }
    }

    /// Compares exactly, without rounding integers to doubles; `None` next to a NaN.
    pub(super) fn compare_exactly(self, other: Number) -> Option<Ordering> {
        match (self, other) {
            (Number::Integer(a), Number::Integer(b)) => Some(a.cmp(&b)),
            (Number::Integer(a), b @ (Number::Double(_) | Number::Float(_))) => {
                compare_i64_f64(a, b.to_f64())
            }
            (a @ (Number::Double(_) | Number::Float(_)), Number::Integer(b)) => {
                compare_i64_f64(b, a.to_f64()).map(Ordering::reverse)
            }
            (a, b) => a.compare(b),
        }
    }

    /// The total order of sorting: by value, NaN above all numbers.
    pub(super) fn compare_totally(self, other: Number) -> Ordering {
        self.compare_exactly(other).unwrap_or_else(|| self.is_nan().cmp(&other.is_nan()))
    }

    /// Returns the literal that stores this number.
    pub fn to_literal(self) -> Literal {
        match self {
            Number::Integer(value) => Literal::from(value),
            Number::Decimal(value) => Literal::new_typed_literal(value.to_string(), xsd::DECIMAL),
            Number::Float(value) => Literal::new_typed_literal(float_text(value), xsd::FLOAT),
            Number::Double(value) => Literal::new_typed_literal(double_text(value), xsd::DOUBLE),
        }
    }

    /// Returns the inline id of this number's canonical literal, if it has one.
    pub(super) fn inline(self) -> Option<TermId> {
        match self {
            Number::Integer(value) => TermId::from_i64(value),
            Number::Double(value) => TermId::from_f64(value),
            Number::Decimal(value) => inline_decimal(value),
            Number::Float(_) => None,
        }
    }
}

fn inline_decimal(value: Decimal) -> Option<TermId> {
    let mut mantissa = i128::from_be_bytes(value.to_be_bytes());
    let mut scale = 18;
    while scale > 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    TermId::from_decimal(i64::try_from(mantissa).ok()?, scale)
}

/// Returns the nearest double: by its text, since dividing the mantissa would round twice.
fn decimal_to_f64(value: Decimal) -> f64 {
    let bits = i128::from_be_bytes(value.to_be_bytes());
    const ONE: i128 = 1_000_000_000_000_000_000;
    if bits % ONE == 0 {
        return (bits / ONE) as f64;
    }
    value.to_string().parse().unwrap_or(f64::NAN)
}

fn compare_i64_f64(a: i64, b: f64) -> Option<Ordering> {
    if b.is_nan() {
        return None;
    }
    if b >= 9.3e18 {
        return Some(Ordering::Less);
    }
    if b <= -9.3e18 {
        return Some(Ordering::Greater);
    }
    let whole = b.trunc();
    Some(i128::from(a).cmp(&(whole as i128)).then_with(|| whole.partial_cmp(&b).unwrap_or(Ordering::Equal)))
}

/// Returns a double as an integer, if it is in range; fractions are cut off.
pub(super) fn to_i64(value: f64) -> Option<i64> {
    let is_in_range = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value);
    is_in_range.then_some(value as i64)
}

/// Parses an xsd:integer lexical form: an optional sign and digits.
pub(super) fn parse_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Parses an xsd:double lexical form: Rust's, without its `inf` and `infinity`.
pub(super) fn parse_double(text: &str) -> Option<f64> {
    match text {
        "INF" | "+INF" => Some(f64::INFINITY),
        "-INF" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        _ if text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) => {
            text.parse().ok()
        }
        _ => None,
    }
}

/// Returns the XSD 1.1 canonical form of a double.
pub(super) fn double_text(value: f64) -> String {
    match special_text(value) {
        Some(text) => text.to_owned(),
        None => with_fraction(format!("{value:E}")),
    }
}

fn float_text(value: f32) -> String {
    match special_text(value.into()) {
        Some(text) => text.to_owned(),
        None => with_fraction(format!("{value:E}")),
    }
}

fn special_text(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value.is_infinite() {
        Some(if value > 0.0 { "INF" } else { "-INF" })
    } else {
        None
    }
}

fn with_fraction(text: String) -> String {
    match text.split_once('E') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0E{exponent}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_parse_by_their_datatype() {
        let check = |text: &str, name: &str, expected: Option<&str>| {
            let number = Number::parse(text, &format!("http://www.w3.org/2001/XMLSchema#{name}")).flatten();
            assert_eq!(
                number.map(|n| n.to_literal().value().to_owned()).as_deref(),
                expected,
                "{text} {name}"
            );
        };
        check("007", "integer", Some("7"));
        check("+7", "integer", Some("7"));
        check("7.0", "integer", None);
        check("", "integer", None);
        check("300", "byte", None);
        check("-1", "nonNegativeInteger", None);
        check("0", "positiveInteger", None);
        check("1.50", "decimal", Some("1.5"));
        check("1e3", "double", Some("1.0E3"));
        check("inf", "double", None);
        check("INF", "float", Some("INF"));
        check("0.1", "float", Some("1.0E-1"));
    }

    #[test]
    fn integers_and_doubles_compare_exactly() {
        let big = Number::Integer(9_007_199_254_740_993);
        assert_eq!(big.compare_exactly(Number::Double(9_007_199_254_740_992.0)), Some(Ordering::Greater));
        assert_eq!(Number::Integer(-3).compare_exactly(Number::Double(-3.5)), Some(Ordering::Greater));
        assert_eq!(Number::Integer(3).compare_exactly(Number::Double(3.5)), Some(Ordering::Less));
        assert_eq!(Number::Integer(3).compare_exactly(Number::Double(f64::NAN)), None);
    }
}
