//! Points: `geo:wktLiteral`s with the IRI of their coordinate reference system.

use crate::model::{Literal, NamedNode};

use super::column::Arguments;
use super::datum::Datum;
use super::list;
use super::node::Outcome;
use super::number::{Number, parse_double};
use super::{argument_error, type_error};
use crate::execute::Context;

const WKT: &str = "http://www.opengis.net/ont/geosparql#wktLiteral";
const WGS_84: &str = "http://www.opengis.net/def/crs/OGC/1.3/CRS84";
const WGS_84_3D: &str = "http://www.opengis.net/def/crs/EPSG/0/4979";
const CARTESIAN: &str = "https://reefloom.org/ns/pg#cartesian";
const CARTESIAN_3D: &str = "https://reefloom.org/ns/pg#cartesian-3d";
/// The mean radius that Cypher implementations use, in metres.
const EARTH_RADIUS_M: f64 = 6_378_140.0;

/// A point; its SRID is 4326 or 4979 (geographic), or 7203 or 9157 (cartesian), the latter of each with z.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub srid: i64,
    pub x: f64,
    pub y: f64,
    pub z: Option<f64>,
}

impl Point {
    pub(super) fn of(datum: &Datum) -> Option<Point> {
        Point::of_literal(datum.as_decoded()?.literal()?)
    }

    /// Reads a point from its literal; `None` if it is none.
    pub fn of_literal(literal: &Literal) -> Option<Point> {
        if literal.datatype().as_str() != WKT {
            return None;
        }
        let text = literal.value().trim();
        let (crs, shape) = match text.strip_prefix('<') {
            Some(rest) => rest.split_once('>')?,
            None => (WGS_84, text),
        };
        let inside = shape.trim().strip_prefix("POINT")?.trim().trim_start_matches('Z').trim();
        let inside = inside.strip_prefix('(')?.strip_suffix(')')?;
        let mut numbers = inside.split_whitespace().map(parse_double);
        let (x, y) = (numbers.next()??, numbers.next()??);
        let z = match numbers.next() {
            Some(number) => Some(number?),
            None => None,
        };
        let srid = match crs {
            WGS_84 => 4326,
            WGS_84_3D => 4979,
            CARTESIAN => 7203,
            CARTESIAN_3D => 9157,
            _ => return None,
        };
        Some(Point { srid, x, y, z })
    }

    /// Returns the literal that stores this point; `None` if there is no such SRID, or it has other dimensions.
    pub fn to_literal(self) -> Option<Literal> {
        let has_z = matches!(self.srid, 4979 | 9157);
        (matches!(self.srid, 4326 | 4979 | 7203 | 9157) && has_z == self.z.is_some()).then(|| self.literal())
    }

    fn literal(self) -> Literal {
        let crs = match self.srid {
            4326 => WGS_84,
            4979 => WGS_84_3D,
            7203 => CARTESIAN,
            _ => CARTESIAN_3D,
        };
        let text = match self.z {
            Some(z) => format!("<{crs}> POINT Z({} {} {z})", self.x, self.y),
            None => format!("<{crs}> POINT({} {})", self.x, self.y),
        };
        Literal::new_typed_literal(text, NamedNode::new_unchecked(WKT))
    }

    fn is_geographic(self) -> bool {
        matches!(self.srid, 4326 | 4979)
    }

    pub(super) fn component(self, key: &str) -> Option<Datum> {
        Some(match key {
            "x" => Datum::double(self.x),
            "y" => Datum::double(self.y),
            "z" => Datum::double(self.z?),
            "longitude" if self.is_geographic() => Datum::double(self.x),
            "latitude" if self.is_geographic() => Datum::double(self.y),
            "height" if self.is_geographic() => Datum::double(self.z?),
            "srid" => Datum::integer(self.srid),
            "crs" => Datum::string(match self.srid {
                4326 => "wgs-84",
                4979 => "wgs-84-3d",
                7203 => "cartesian",
                _ => "cartesian-3d",
            }),
            _ => return None,
        })
    }
}

/// point({x, y[, z]}) or point({longitude, latitude[, height]}), with an optional crs or srid.
pub(super) fn point(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let Some(entries) = arguments[0].as_map() else {
        return Err(type_error("InvalidArgumentType", "point() takes a map"));
    };
    let number = |key: &str| match list::entry(entries, key) {
        Datum::Undefined => Ok(None),
        datum => match datum.as_number() {
            Some(number) => Ok(Some(Number::to_f64(number))),
            None => Err(argument_error("InvalidArgumentValue", format!("'{key}' of a point is a number"))),
        },
    };
    let (longitude, latitude) = (number("longitude")?, number("latitude")?);
    let (x, y) = (longitude.or(number("x")?), latitude.or(number("y")?));
    let z = number("height")?.or(number("z")?);
    let (Some(x), Some(y)) = (x, y) else { return Ok(Datum::Undefined) };
    let srid = match (list::entry(entries, "crs").as_text(), list::entry(entries, "srid").as_integer()) {
        (Some(crs), _) => match crs.to_ascii_lowercase().as_str() {
            "wgs-84" => 4326,
            "wgs-84-3d" => 4979,
            "cartesian" => 7203,
            "cartesian-3d" => 9157,
            _ => return Err(argument_error("InvalidArgumentValue", format!("'{crs}' is no known CRS"))),
        },
        (None, Some(srid @ (4326 | 4979 | 7203 | 9157))) => srid,
        (None, Some(srid)) => {
            return Err(argument_error("InvalidArgumentValue", format!("{srid} is no known SRID")));
        }
        (None, None) => match (longitude.is_some(), z.is_some()) {
            (true, false) => 4326,
            (true, true) => 4979,
            (false, false) => 7203,
            (false, true) => 9157,
        },
    };
    if matches!(srid, 4979 | 9157) != z.is_some() {
        return Err(argument_error("InvalidArgumentValue", "the CRS of a point fits its coordinates"));
    }
    if matches!(srid, 4326 | 4979) && !(-90.0..=90.0).contains(&y) {
        return Err(argument_error("InvalidArgumentValue", "a latitude lies between -90 and 90 degrees"));
    }
    Ok(Datum::term(Point { srid, x, y, z }.literal()))
}

/// Distance in metres (geographic, on a sphere) or in the unit of the coordinates; null between
/// different reference systems.
pub(super) fn distance(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let (Some(a), Some(b)) = (Point::of(&arguments[0]), Point::of(&arguments[1])) else {
        return Ok(Datum::Undefined);
    };
    if a.srid != b.srid {
        return Ok(Datum::Undefined);
    }
    let height = b.z.unwrap_or(0.0) - a.z.unwrap_or(0.0);
    let ground = if a.is_geographic() {
        let (lat_a, lat_b) = (a.y.to_radians(), b.y.to_radians());
        let half = |angle: f64| (angle / 2.0).sin().powi(2);
        let h = half(lat_b - lat_a) + lat_a.cos() * lat_b.cos() * half((b.x - a.x).to_radians());
        let radius = EARTH_RADIUS_M + (a.z.unwrap_or(0.0) + b.z.unwrap_or(0.0)) / 2.0;
        2.0 * radius * h.sqrt().min(1.0).asin()
    } else {
        (b.x - a.x).hypot(b.y - a.y)
    };
    Ok(Datum::double(ground.hypot(height)))
}
