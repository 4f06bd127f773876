//! Values both ways between Cypher and PackStream.

use std::collections::HashMap;

use data_encoding::{BASE64, HEXLOWER};

use super::failure::Failure;
use super::packstream::{Entries, Packed, Packer, Structure};
use super::version::Version;
use crate::execute::expression::{Point, Temporal};
use crate::model::{
    Duration, Literal, Map, NamedOrBlankNode, NodeValue, PathValue, RelationshipValue, Term, Value,
    element_id, number_of_id, xsd,
};

const NODE: u8 = b'N';
const RELATIONSHIP: u8 = b'R';
const UNBOUND_RELATIONSHIP: u8 = b'r';
const PATH: u8 = b'P';
const DATE: u8 = b'D';
const TIME: u8 = b'T';
const LOCAL_TIME: u8 = b't';
/// Seconds since 1970 in UTC, nanoseconds, and an offset or a zone.
const DATE_TIME: u8 = b'I';
const DATE_TIME_ZONE: u8 = b'i';
/// The same with the seconds that a clock there shows.
const OLD_DATE_TIME: u8 = b'F';
const OLD_DATE_TIME_ZONE: u8 = b'f';
const LOCAL_DATE_TIME: u8 = b'd';
const DURATION: u8 = b'E';
/// A type's marker and big-endian numbers of that type, since 6.0.
const VECTOR: u8 = b'V';
const POINT_2D: u8 = b'X';
const POINT_3D: u8 = b'Y';

const SECONDS_PER_DAY: i64 = 86_400;
const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;
/// As many dimensions as Neo4j's vectors may have: each takes more memory than on the wire.
const DIMENSIONS_MAX: usize = 4096;

/// How a connection writes what has changed between versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// Date-times count seconds in UTC, not as a clock shows them.
    pub is_utc: bool,
    /// Nodes and relationships have element ids beside their numbers.
    pub has_element_ids: bool,
    /// Parameters may be vectors.
    pub has_vectors: bool,
    /// Parameters may be UUIDs.
    pub has_uuids: bool,
}

impl Encoding {
    pub fn of(version: Version) -> Encoding {
        let is_new = version >= Version::V5_0;
        Encoding {
            is_utc: is_new,
            has_element_ids: is_new,
            has_vectors: version >= Version::V6_0,
            has_uuids: version >= Version::V6_1,
        }
    }

    pub fn write(self, value: &Value, packer: &mut Packer<'_>) {
        match value {
            Value::Null => packer.null(),
            Value::Boolean(value) => packer.boolean(*value),
            Value::Integer(value) => packer.integer(*value),
            Value::Float(value) => packer.float(*value),
            Value::String(text) => packer.string(text),
            Value::Duration(duration) => write_duration(duration, packer),
            Value::Term(Term::Literal(literal)) => self.write_literal(literal, packer),
            Value::Term(Term::NamedNode(node)) => packer.string(node.as_str()),
            Value::Term(term) => packer.string(&term.to_string()),
            Value::List(items) => {
                packer.list(items.len());
                items.iter().for_each(|item| self.write(item, packer));
            }
            Value::Map(map) => self.write_map(map, packer),
            Value::Node(node) => self.write_node(node, packer),
            Value::Relationship(relationship) => self.write_relationship(relationship, packer),
            Value::Path(path) => self.write_path(path, packer),
        }
    }

    fn write_map(self, map: &Map, packer: &mut Packer<'_>) {
        packer.map(map.len());
        for (key, value) in map {
            packer.string(key);
            self.write(value, packer);
        }
    }

    fn write_node(self, node: &NodeValue, packer: &mut Packer<'_>) {
        let id = element_id(&node.id);
        packer.structure(NODE, if self.has_element_ids { 4 } else { 3 });
        packer.integer(number_of_id(&id));
        packer.list(node.labels.len());
        node.labels.iter().for_each(|label| packer.string(label));
        self.write_map(&node.properties, packer);
        if self.has_element_ids {
            packer.string(&id);
        }
    }

    fn write_relationship(self, relationship: &RelationshipValue, packer: &mut Packer<'_>) {
        let ids = [&relationship.id, &relationship.start, &relationship.end].map(element_id);
        packer.structure(RELATIONSHIP, if self.has_element_ids { 8 } else { 5 });
        ids.iter().for_each(|id| packer.integer(number_of_id(id)));
        packer.string(&relationship.name);
        self.write_map(&relationship.properties, packer);
        if self.has_element_ids {
            ids.iter().for_each(|id| packer.string(id));
        }
    }

    fn write_unbound(self, relationship: &RelationshipValue, packer: &mut Packer<'_>) {
        let id = element_id(&relationship.id);
        packer.structure(UNBOUND_RELATIONSHIP, if self.has_element_ids { 4 } else { 3 });
        packer.integer(number_of_id(&id));
        packer.string(&relationship.name);
        self.write_map(&relationship.properties, packer);
        if self.has_element_ids {
            packer.string(&id);
        }
    }

    /// A path is its nodes and its relationships, each once, and the way through them: for each step a
    /// relationship's place, from 1 and negative if it is walked backwards, and a node's place, from 0.
    fn write_path(self, path: &PathValue, packer: &mut Packer<'_>) {
        let (nodes, node_places) = distinct(&path.nodes, |node| &node.id);
        let (relationships, relationship_places) = distinct(&path.relationships, |step| &step.id);
        packer.structure(PATH, 3);
        packer.list(nodes.len());
        nodes.into_iter().for_each(|node| self.write_node(node, packer));
        packer.list(relationships.len());
        relationships.into_iter().for_each(|relationship| self.write_unbound(relationship, packer));
        packer.list(2 * path.relationships.len());
        let ends = node_places.iter().skip(1);
        for (((step, from), place), end) in
            path.relationships.iter().zip(&path.nodes).zip(&relationship_places).zip(ends)
        {
            packer.integer(if step.start == from.id { place + 1 } else { -place - 1 });
            packer.integer(*end);
        }
    }

    fn write_literal(self, literal: &Literal, packer: &mut Packer<'_>) {
        if let Some(temporal) = Temporal::of_literal(literal) {
            self.write_temporal(&temporal, packer);
        } else if let Some(point) = Point::of_literal(literal) {
            packer.structure(
                if point.z.is_some() { POINT_3D } else { POINT_2D },
                3 + u8::from(point.z.is_some()),
            );
            packer.integer(point.srid);
            [Some(point.x), Some(point.y), point.z].into_iter().flatten().for_each(|part| packer.float(part));
        } else if let Some(bytes) = bytes_of(literal) {
            packer.bytes(&bytes);
        } else {
            packer.string(literal.value());
        }
    }

    fn write_temporal(self, temporal: &Temporal, packer: &mut Packer<'_>) {
        let shown =
            |days: i64, nanoseconds: i64| days * SECONDS_PER_DAY + nanoseconds / NANOSECONDS_PER_SECOND;
        match temporal {
            Temporal::Date(days) => {
                packer.structure(DATE, 1);
                packer.integer(*days);
            }
            Temporal::LocalTime(nanoseconds) => {
                packer.structure(LOCAL_TIME, 1);
                packer.integer(*nanoseconds);
            }
            Temporal::Time { nanoseconds, offset } => {
                packer.structure(TIME, 2);
                packer.integer(*nanoseconds);
                packer.integer((*offset).into());
            }
            Temporal::LocalDateTime { days, nanoseconds } => {
                packer.structure(LOCAL_DATE_TIME, 2);
                packer.integer(shown(*days, *nanoseconds));
                packer.integer(nanoseconds % NANOSECONDS_PER_SECOND);
            }
            Temporal::DateTime { days, nanoseconds, offset, zone } => {
                packer.structure(self.date_time_tag(zone.is_some()), 3);
                let east = if self.is_utc { i64::from(*offset) } else { 0 };
                packer.integer(shown(*days, *nanoseconds) - east);
                packer.integer(nanoseconds % NANOSECONDS_PER_SECOND);
                match zone {
                    Some(zone) => packer.string(zone),
                    None => packer.integer((*offset).into()),
                }
            }
            Temporal::Duration(duration) => write_duration(duration, packer),
        }
    }

    fn date_time_tag(self, has_zone: bool) -> u8 {
        match (self.is_utc, has_zone) {
            (true, false) => DATE_TIME,
            (true, true) => DATE_TIME_ZONE,
            (false, false) => OLD_DATE_TIME,
            (false, true) => OLD_DATE_TIME_ZONE,
        }
    }

    /// Returns a map that came from a client as parameters.
    ///
    /// # Errors
    /// For structures that are no values, or out of range.
    pub fn parameters(self, entries: Entries) -> Result<Map, Failure> {
        entries.into_iter().map(|(key, value)| Ok((key, self.read(value)?))).collect()
    }

    fn read(self, value: Packed) -> Result<Value, Failure> {
        Ok(match value {
            Packed::Null => Value::Null,
            Packed::Boolean(value) => Value::Boolean(value),
            Packed::Integer(value) => Value::Integer(value),
            Packed::Float(value) => Value::Float(value),
            Packed::Bytes(bytes) => {
                Value::Term(Literal::new_typed_literal(BASE64.encode(&bytes), xsd::BASE_64_BINARY).into())
            }
            Packed::String(text) => Value::String(text),
            Packed::Uuid(bytes) if self.has_uuids => Value::String(uuid_text(bytes)),
            Packed::Uuid(_) => return Err(Failure::invalid("a UUID can be a parameter since Bolt 6.1")),
            Packed::List(items) => {
                Value::List(items.into_iter().map(|item| self.read(item)).collect::<Result<_, _>>()?)
            }
            Packed::Map(entries) => Value::Map(self.parameters(entries)?),
            Packed::Structure(structure) => {
                let tag = structure.tag;
                self.read_structure(structure).ok_or_else(|| {
                    Failure::invalid(format!("the structure {tag:#04x} is no value that can be a parameter"))
                })?
            }
        })
    }

    fn read_structure(self, Structure { tag, fields }: Structure) -> Option<Value> {
        use Packed::{Integer, String};
        let temporal = match (tag, fields.as_slice()) {
            (DATE, [Integer(days)]) => Temporal::Date(*days).checked(),
            (LOCAL_TIME, [Integer(nanoseconds)]) => Temporal::LocalTime(*nanoseconds).checked(),
            (TIME, [Integer(nanoseconds), Integer(offset)]) => {
                Temporal::Time { nanoseconds: *nanoseconds, offset: i32::try_from(*offset).ok()? }.checked()
            }
            (LOCAL_DATE_TIME, [Integer(seconds), Integer(nanoseconds)]) => {
                Temporal::local(*seconds, *nanoseconds)
            }
            (DATE_TIME, [Integer(seconds), Integer(nanoseconds), Integer(offset)]) if self.is_utc => {
                Temporal::at_offset(*seconds, *nanoseconds, i32::try_from(*offset).ok()?)
            }
            (OLD_DATE_TIME, [Integer(seconds), Integer(nanoseconds), Integer(offset)]) if !self.is_utc => {
                let utc = seconds.checked_sub(*offset)?;
                Temporal::at_offset(utc, *nanoseconds, i32::try_from(*offset).ok()?)
            }
            (DATE_TIME_ZONE, [Integer(seconds), Integer(nanoseconds), String(zone)]) if self.is_utc => {
                Temporal::in_zone(*seconds, *nanoseconds, zone)
            }
            (OLD_DATE_TIME_ZONE, [Integer(seconds), Integer(nanoseconds), String(zone)]) if !self.is_utc => {
                Temporal::of_local_in_zone(*seconds, *nanoseconds, zone)
            }
            (DURATION, [Integer(months), Integer(days), Integer(seconds), Integer(nanoseconds)]) => {
                return duration(*months, *days, *seconds, *nanoseconds).map(Value::Duration);
            }
            (POINT_2D | POINT_3D, parts) => return point(parts),
            (VECTOR, [Packed::Bytes(marker), Packed::Bytes(bytes)]) if self.has_vectors => {
                return vector(marker, bytes);
            }
            _ => None,
        };
        Some(Value::Term(temporal?.to_literal().into()))
    }
}

/// Returns what is distinct by its id, in order of appearance, and the place of each.
fn distinct<T>(all: &[T], id: impl Fn(&T) -> &NamedOrBlankNode) -> (Vec<&T>, Vec<i64>) {
    let (mut kept, mut places) = (Vec::new(), HashMap::new());
    let place = |item| {
        *places.entry(id(item)).or_insert_with(|| {
            kept.push(item);
            kept.len() as i64 - 1
        })
    };
    let order = all.iter().map(place).collect();
    (kept, order)
}

/// Nanoseconds count forward from the second before, as drivers have it.
fn write_duration(duration: &Duration, packer: &mut Packer<'_>) {
    let nanoseconds = i64::from(duration.nanoseconds);
    packer.structure(DURATION, 4);
    packer.integer(duration.months);
    packer.integer(duration.days);
    packer.integer(duration.seconds.saturating_add(nanoseconds.div_euclid(NANOSECONDS_PER_SECOND)));
    packer.integer(nanoseconds.rem_euclid(NANOSECONDS_PER_SECOND));
}

/// Makes a duration of a client's parts, whose nanoseconds may be more than a second, of any sign.
fn duration(months: i64, days: i64, seconds: i64, nanoseconds: i64) -> Option<Duration> {
    let mut seconds = seconds.checked_add(nanoseconds / NANOSECONDS_PER_SECOND)?;
    let mut nanoseconds = nanoseconds % NANOSECONDS_PER_SECOND;
    if seconds > 0 && nanoseconds < 0 {
        (seconds, nanoseconds) = (seconds - 1, nanoseconds + NANOSECONDS_PER_SECOND);
    } else if seconds < 0 && nanoseconds > 0 {
        (seconds, nanoseconds) = (seconds + 1, nanoseconds - NANOSECONDS_PER_SECOND);
    }
    Some(Duration { months, days, seconds, nanoseconds: nanoseconds as i32 })
}

fn point(parts: &[Packed]) -> Option<Value> {
    let [Packed::Integer(srid), Packed::Float(x), Packed::Float(y), rest @ ..] = parts else { return None };
    let z = match rest {
        [] => None,
        [Packed::Float(z)] => Some(*z),
        _ => return None,
    };
    let literal = Point { srid: *srid, x: *x, y: *y, z }.to_literal()?;
    Some(Value::Term(literal.into()))
}

/// Returns a vector as a list of numbers: there are no vectors here.
fn vector(marker: &[u8], bytes: &[u8]) -> Option<Value> {
    fn numbers<const N: usize>(bytes: &[u8], read: fn([u8; N]) -> Value) -> Option<Value> {
        let (numbers, rest) = bytes.as_chunks::<N>();
        let fits = rest.is_empty() && numbers.len() <= DIMENSIONS_MAX;
        fits.then(|| Value::List(numbers.iter().map(|number| read(*number)).collect()))
    }
    match marker {
        [0xC8] => numbers(bytes, |number| Value::Integer(i8::from_be_bytes(number).into())),
        [0xC9] => numbers(bytes, |number| Value::Integer(i16::from_be_bytes(number).into())),
        [0xCA] => numbers(bytes, |number| Value::Integer(i32::from_be_bytes(number).into())),
        [0xCB] => numbers(bytes, |number| Value::Integer(i64::from_be_bytes(number))),
        [0xC6] => numbers(bytes, |number| Value::Float(f32::from_be_bytes(number).into())),
        [0xC1] => numbers(bytes, |number| Value::Float(f64::from_be_bytes(number))),
        _ => None,
    }
}

/// Returns the usual text of a UUID.
fn uuid_text(bytes: [u8; 16]) -> String {
    let hex = HEXLOWER.encode(&bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

fn bytes_of(literal: &Literal) -> Option<Vec<u8>> {
    let is_base_64 = literal.datatype() == xsd::BASE_64_BINARY;
    if is_base_64 { BASE64.decode(literal.value().as_bytes()).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NamedNode;

    const NEW: Encoding =
        Encoding { is_utc: true, has_element_ids: true, has_vectors: true, has_uuids: true };
    const OLD: Encoding =
        Encoding { is_utc: false, has_element_ids: false, has_vectors: false, has_uuids: false };

    fn packed(encoding: Encoding, value: &Value) -> Packed {
        let mut bytes = Vec::new();
        encoding.write(value, &mut Packer(&mut bytes));
        Packed::decode(&bytes).unwrap()
    }

    fn structure(tag: u8, fields: &[i64]) -> Packed {
        Packed::Structure(Structure { tag, fields: fields.iter().map(|n| Packed::Integer(*n)).collect() })
    }

    /// What comes in goes out as it came.
    fn check_both(encoding: Encoding, wire: Packed) {
        assert_eq!(packed(encoding, &encoding.read(wire.clone()).unwrap()), wire);
    }

    #[test]
    fn values_come_and_go() {
        for wire in [
            Packed::Bytes(vec![0, 255]),
            structure(DATE, &[-1]),
            structure(LOCAL_TIME, &[1]),
            structure(TIME, &[86_399_999_999_999, -3600]),
            structure(LOCAL_DATE_TIME, &[-1, 999_999_999]),
            structure(DATE_TIME, &[1_700_000_000, 1, 7200]),
            structure(DURATION, &[1, -2, -3, 500_000_000]),
            structure(DURATION, &[0, 0, i64::MIN, 0]),
        ] {
            check_both(NEW, wire);
        }
        check_both(OLD, structure(OLD_DATE_TIME, &[1_700_000_000, 1, 7200]));
        let zoned = |tag, seconds| {
            let fields =
                vec![Packed::Integer(seconds), Packed::Integer(0), Packed::string("Europe/Stockholm")];
            Packed::Structure(Structure { tag, fields })
        };
        check_both(NEW, zoned(DATE_TIME_ZONE, 1_700_000_000));
        check_both(OLD, zoned(OLD_DATE_TIME_ZONE, 1_700_000_000));
        for (tag, srid, parts) in [(POINT_2D, 7203, &[1.5, -2.0][..]), (POINT_3D, 4979, &[1.0, 2.0, 3.0])] {
            let parts = parts.iter().map(|part| Packed::Float(*part));
            let fields = [Packed::Integer(srid)].into_iter().chain(parts).collect();
            check_both(NEW, Packed::Structure(Structure { tag, fields }));
        }
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for wire in [
            structure(DATE, &[i64::MAX]),
            structure(TIME, &[0, 86_400]),
            structure(TIME, &[-1, 0]),
            structure(LOCAL_DATE_TIME, &[i64::MIN, 0]),
            structure(LOCAL_DATE_TIME, &[0, NANOSECONDS_PER_SECOND]),
            structure(DATE_TIME, &[i64::MAX, 0, 1]),
            structure(OLD_DATE_TIME, &[0, 0, 0]),
            structure(DURATION, &[0, 0, i64::MAX, i64::MAX]),
            structure(POINT_2D, &[7203, 1, 2]),
            structure(NODE, &[1]),
        ] {
            assert!(NEW.read(wire.clone()).is_err(), "{wire:?}");
        }
    }

    #[test]
    fn vectors_and_uuids_are_lists_and_strings() {
        let wire = |marker: u8, bytes: &[u8]| {
            let fields = vec![Packed::Bytes(vec![marker]), Packed::Bytes(bytes.to_vec())];
            Packed::Structure(Structure { tag: VECTOR, fields })
        };
        let integers = Value::List(vec![Value::Integer(1), Value::Integer(-2)]);
        assert_eq!(NEW.read(wire(0xC8, &[1, 0xFE])), Ok(integers.clone()));
        assert_eq!(NEW.read(wire(0xC9, &[0, 1, 0xFF, 0xFE])), Ok(integers));
        let floats = Value::List(vec![Value::Float(0.5)]);
        assert_eq!(NEW.read(wire(0xC6, &0.5_f32.to_be_bytes())), Ok(floats.clone()));
        assert_eq!(NEW.read(wire(0xC1, &0.5_f64.to_be_bytes())), Ok(floats));
        let long = [0; DIMENSIONS_MAX + 1];
        for (marker, bytes) in [(0xC6, &[1, 2, 3][..]), (0xC8, &long), (0x00, &[1])] {
            assert!(NEW.read(wire(marker, bytes)).is_err(), "{marker:#x}");
        }
        assert!(OLD.read(wire(0xC8, &[1])).is_err());
        let text = "00010203-0405-0607-0809-0a0b0c0d0e0f";
        let uuid = Packed::Uuid(std::array::from_fn(|at| at as u8));
        assert_eq!(NEW.read(uuid.clone()), Ok(Value::String(text.to_owned())));
        assert!(OLD.read(uuid).is_err());
    }

    #[test]
    fn a_path_says_which_way_it_goes() {
        let id = |name: &str| NamedOrBlankNode::from(NamedNode::new_unchecked(format!("http://x/{name}")));
        let node = |name| NodeValue { id: id(name), labels: Vec::new(), properties: Map::new() };
        let step = |name, start, end| RelationshipValue {
            id: id(name),
            start: id(start),
            end: id(end),
            predicate: NamedNode::new_unchecked("http://x/T"),
            name: "T".into(),
            properties: Map::new(),
        };
        let path = PathValue {
            nodes: vec![node("a"), node("b"), node("a")],
            relationships: vec![step("r", "a", "b"), step("s", "a", "b")],
        };
        let Packed::Structure(Structure { tag: PATH, fields }) = packed(NEW, &Value::Path(path)) else {
            panic!("no path")
        };
        let [Packed::List(nodes), Packed::List(relationships), Packed::List(way)] = &fields[..] else {
            panic!("{fields:?}")
        };
        assert_eq!((nodes.len(), relationships.len()), (2, 2));
        assert_eq!(way, &[1, 1, -2, 0].map(Packed::Integer));
    }
}
