//! The types of CSV cells, as `neo4j-admin` names them, and the literals that cells of them hold.

use crate::execute::expression::{Number, Point, Temporal, TemporalKind};
use crate::model::{Literal, TermId};

/// What a cell is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellType {
    Integer,
    Float,
    Boolean,
    String,
    Temporal(TemporalKind),
    Point,
}

impl CellType {
    /// Returns the type of a name, whatever its case; Java's number types are kept apart by none of us.
    pub fn of_name(name: &str) -> Option<CellType> {
        Some(match name.to_ascii_lowercase().as_str() {
            "int" | "integer" | "long" | "short" | "byte" => CellType::Integer,
            "float" | "double" => CellType::Float,
            "boolean" => CellType::Boolean,
            "string" | "char" => CellType::String,
            "date" => CellType::Temporal(TemporalKind::Date),
            "localtime" => CellType::Temporal(TemporalKind::LocalTime),
            "time" => CellType::Temporal(TemporalKind::Time),
            "localdatetime" => CellType::Temporal(TemporalKind::LocalDateTime),
            "datetime" => CellType::Temporal(TemporalKind::DateTime),
            "duration" => CellType::Temporal(TemporalKind::Duration),
            "point" => CellType::Point,
            _ => return None,
        })
    }

    /// Names the type in messages.
    pub fn name(self) -> &'static str {
        match self {
            CellType::Integer => "int",
            CellType::Float => "double",
            CellType::Boolean => "boolean",
            CellType::String => "string",
            CellType::Temporal(TemporalKind::Date) => "date",
            CellType::Temporal(TemporalKind::LocalTime) => "localtime",
            CellType::Temporal(TemporalKind::Time) => "time",
            CellType::Temporal(TemporalKind::LocalDateTime) => "localdatetime",
            CellType::Temporal(TemporalKind::DateTime) => "datetime",
            CellType::Temporal(TemporalKind::Duration) => "duration",
            CellType::Point => "point",
        }
    }

    /// Reads a cell; `None` if it is none of this type.
    pub fn literal(self, text: &str) -> Option<Literal> {
        if self == CellType::String {
            return Some(Literal::new_simple_literal(text));
        }
        let text = text.trim();
        match self {
            CellType::Integer => Some(Literal::from(text.parse::<i64>().ok()?)),
            CellType::Float => Some(Number::Double(text.parse().ok()?).to_literal()),
            CellType::Boolean if text.eq_ignore_ascii_case("true") => Some(Literal::from(true)),
            CellType::Boolean if text.eq_ignore_ascii_case("false") => Some(Literal::from(false)),
            CellType::Boolean => None,
            CellType::Temporal(kind) => Some(Temporal::of_text(kind, text)?.to_literal()),
            CellType::Point => point(text)?.to_literal(),
            CellType::String => Some(Literal::new_simple_literal(text)),
        }
    }

    /// Returns the inline id of the literal of a cell, of the numbers that have one: the way of most cells, without a
    /// literal in between.
    pub fn inline(self, text: &str) -> Option<TermId> {
        match self {
            CellType::Integer => TermId::from_i64(text.trim().parse().ok()?),
            CellType::Float => TermId::from_f64(text.trim().parse().ok()?),
            _ => None,
        }
    }
}

/// Reads a point as `neo4j-admin` takes it: `{x: 1.5, y: 2}`, `{latitude: 59.3, longitude: 18.1, height: 4}`,
/// perhaps with a `crs` or an `srid`.
fn point(text: &str) -> Option<Point> {
    let inside = text.strip_prefix('{')?.strip_suffix('}')?;
    let (mut x, mut y, mut z, mut srid, mut is_geographic) = (None, None, None, None, false);
    for field in inside.split(',') {
        let (key, value) = field.split_once(':')?;
        let value = value.trim().trim_matches(['"', '\'']);
        let number = || value.parse::<f64>().ok().filter(|number| number.is_finite());
        let key = key.trim().to_ascii_lowercase();
        is_geographic |= matches!(key.as_str(), "latitude" | "longitude" | "height");
        match key.as_str() {
            "x" | "longitude" => x = Some(number()?),
            "y" | "latitude" => y = Some(number()?),
            "z" | "height" => z = Some(number()?),
            "srid" => srid = Some(value.parse().ok()?),
            "crs" => {
                srid = Some(match value.to_ascii_lowercase().as_str() {
                    "wgs-84" => 4326,
                    "wgs-84-3d" => 4979,
                    "cartesian" => 7203,
                    "cartesian-3d" => 9157,
                    _ => return None,
                });
            }
            _ => return None,
        }
    }
    let usual = match (is_geographic, z.is_some()) {
        (true, false) => 4326,
        (true, true) => 4979,
        (false, false) => 7203,
        (false, true) => 9157,
    };
    Some(Point { srid: srid.unwrap_or(usual), x: x?, y: y?, z })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_by_their_type() {
        for (name, text, expected) in [
            ("int", " 42 ", "\"42\"^^<http://www.w3.org/2001/XMLSchema#integer>"),
            ("long", "+007", "\"7\"^^<http://www.w3.org/2001/XMLSchema#integer>"),
            ("Double", "0.244", "\"2.44E-1\"^^<http://www.w3.org/2001/XMLSchema#double>"),
            ("boolean", "TRUE", "\"true\"^^<http://www.w3.org/2001/XMLSchema#boolean>"),
            ("string", " a ", "\" a \""),
            ("date", "2011-06-18", "\"2011-06-18\"^^<http://www.w3.org/2001/XMLSchema#date>"),
            (
                "datetime",
                "2011-06-18T12:00Z",
                "\"2011-06-18T12:00:00Z\"^^<http://www.w3.org/2001/XMLSchema#dateTime>",
            ),
            ("duration", "P1Y2D", "\"P1Y2D\"^^<https://reefloom.org/ns/pg#duration>"),
        ] {
            let literal = CellType::of_name(name).unwrap().literal(text).unwrap();
            assert_eq!(literal.to_string(), expected, "{name} {text}");
        }
        let point = CellType::Point.literal("{latitude: 59.3, longitude: 18.1}").unwrap();
        assert_eq!(Point::of_literal(&point), Some(Point { srid: 4326, x: 18.1, y: 59.3, z: None }));
    }

    #[test]
    fn what_is_no_cell_of_a_type_is_refused() {
        for (name, text) in [
            ("int", "1.5"),
            ("int", "9223372036854775808"),
            ("double", "much"),
            ("boolean", "yes"),
            ("date", "2011-02-30"),
            ("duration", "a while"),
            ("point", "{x: 1}"),
            ("point", "{x: 1, y: 2, crs: wgs-84-3d}"),
            ("point", "POINT(1 2)"),
        ] {
            assert_eq!(CellType::of_name(name).unwrap().literal(text), None, "{name} {text}");
        }
        assert_eq!(CellType::of_name("colour"), None);
    }

    #[test]
    fn inline_cells_are_what_their_literals_are() {
        let texts =
            ["0", "-0", "-17", " 1", "+1", "01", "123456789012345678", "1234567890123456789", "", "x"];
        let decimals = ["0.1", "1e3", "-2.50", "1e-7", "0.3333333333333333", "inf", "NaN"];
        for cell_type in [CellType::Integer, CellType::Float] {
            for text in texts.into_iter().chain(decimals) {
                let expected = cell_type.literal(text).and_then(|literal| TermId::inline(&literal));
                assert_eq!(cell_type.inline(text), expected, "{text}");
            }
        }
        assert!(CellType::Integer.inline("-17").is_some() && CellType::Float.inline("0.0725").is_some());
    }
}
