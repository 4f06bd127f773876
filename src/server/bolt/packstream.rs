//! PackStream: the values that Bolt messages are made of, as bytes.
//!
//! A marker byte tells a value's type and, where its high nibble is 8, 9, A or B, its size; else the size
//! follows it, big-endian. What comes from a client is bounded in depth and in the number of its values
//! before anything is allocated for it.
//!
//! # Source
//! The PackStream specification, version 1, of the Bolt protocol's manual; UUIDs are of version 2.

/// How deep a client's values may nest.
const DEPTH_MAX: usize = 128;
/// How many values one message may hold: each takes more memory than its byte did.
const VALUES_MAX: usize = 2 << 20;

/// A value as it came over the wire, or as it will go.
#[derive(Clone, Debug, PartialEq)]
pub enum Packed {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Bytes(Vec<u8>),
    String(String),
    /// Since Bolt 6.1.
    Uuid([u8; 16]),
    List(Vec<Packed>),
    Map(Entries),
    Structure(Structure),
}

/// A map's entries, in the order of the wire; no key stands twice.
pub type Entries = Vec<(String, Packed)>;

/// A value that PackStream itself knows only as fields under a tag.
#[derive(Clone, Debug, PartialEq)]
pub struct Structure {
    pub tag: u8,
    pub fields: Vec<Packed>,
}

/// Why bytes are no PackStream value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("the message ends within a value")]
    Truncated,
    #[error("bytes follow the message's last value")]
    Trailing,
    #[error("{0:#04x} marks no value")]
    Marker(u8),
    #[error("a string is no UTF-8")]
    Utf8,
    #[error("a map's key is no string, or stands twice")]
    Key,
    #[error("values nest deeper than {DEPTH_MAX}")]
    TooDeep,
    #[error("the message holds more than {VALUES_MAX} values; send them in several")]
    TooMany,
}

impl Packed {
    /// Reads the one value that the bytes are.
    pub fn decode(bytes: &[u8]) -> Result<Packed, Malformed> {
        let mut unpacker = Unpacker { bytes, values_left: VALUES_MAX };
        let value = unpacker.value(DEPTH_MAX)?;
        if unpacker.bytes.is_empty() { Ok(value) } else { Err(Malformed::Trailing) }
    }

    pub fn string(text: impl Into<String>) -> Packed {
        Packed::String(text.into())
    }

    pub fn as_text(&self) -> Option<&str> {
        match self {
            Packed::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Packed::Integer(value) => Some(*value),
            _ => None,
        }
    }
}

/// Returns the value of a key.
pub fn entry<'a>(entries: &'a Entries, key: &str) -> Option<&'a Packed> {
    entries.iter().find(|(known, _)| known == key).map(|(_, value)| value)
}

struct Unpacker<'a> {
    bytes: &'a [u8],
    values_left: usize,
}

impl Unpacker<'_> {
    fn value(&mut self, depth: usize) -> Result<Packed, Malformed> {
        self.values_left = self.values_left.checked_sub(1).ok_or(Malformed::TooMany)?;
        let [marker] = self.array()?;
        let nibble = usize::from(marker & 0x0F);
        Ok(match marker {
            0x00..=0x7F | 0xF0..=0xFF => Packed::Integer(i64::from(marker.cast_signed())),
            0x80..=0x8F => Packed::String(self.text(nibble)?),
            0x90..=0x9F => self.list(nibble, depth)?,
            0xA0..=0xAF => self.map(nibble, depth)?,
            0xB0..=0xBF => self.structure(nibble, depth)?,
            0xC0 => Packed::Null,
            0xC1 => Packed::Float(f64::from_be_bytes(self.array()?)),
            0xC2 => Packed::Boolean(false),
            0xC3 => Packed::Boolean(true),
            0xC8 => Packed::Integer(i8::from_be_bytes(self.array()?).into()),
            0xC9 => Packed::Integer(i16::from_be_bytes(self.array()?).into()),
            0xCA => Packed::Integer(i32::from_be_bytes(self.array()?).into()),
            0xCB => Packed::Integer(i64::from_be_bytes(self.array()?)),
            0xCC..=0xCE => {
                let size = self.size(marker - 0xCC)?;
                Packed::Bytes(self.take(size)?.to_vec())
            }
            0xD0..=0xD2 => {
                let size = self.size(marker - 0xD0)?;
                Packed::String(self.text(size)?)
            }
            0xD4..=0xD6 => {
                let count = self.size(marker - 0xD4)?;
                self.list(count, depth)?
            }
            0xD8..=0xDA => {
                let count = self.size(marker - 0xD8)?;
                self.map(count, depth)?
            }
            0xE0 => Packed::Uuid(self.array()?),
            other => return Err(Malformed::Marker(other)),
        })
    }

    /// Reads a size of 1, 2 or 4 bytes.
    fn size(&mut self, width: u8) -> Result<usize, Malformed> {
        Ok(match width {
            0 => u8::from_be_bytes(self.array()?).into(),
            1 => u16::from_be_bytes(self.array()?).into(),
            _ => u32::from_be_bytes(self.array()?) as usize,
        })
    }

    fn list(&mut self, count: usize, depth: usize) -> Result<Packed, Malformed> {
        self.values(count, depth).map(Packed::List)
    }

    fn structure(&mut self, count: usize, depth: usize) -> Result<Packed, Malformed> {
        let [tag] = self.array()?;
        Ok(Packed::Structure(Structure { tag, fields: self.values(count, depth)? }))
    }

    fn values(&mut self, count: usize, depth: usize) -> Result<Vec<Packed>, Malformed> {
        let depth = self.enter(count, depth)?;
        (0..count).map(|_| self.value(depth)).collect()
    }

    fn map(&mut self, count: usize, depth: usize) -> Result<Packed, Malformed> {
        let depth = self.enter(count, depth)?;
        let mut entries = Entries::new();
        let mut keys = std::collections::HashSet::new();
        for _ in 0..count {
            let Packed::String(key) = self.value(depth)? else { return Err(Malformed::Key) };
            if !keys.insert(key.clone()) {
                return Err(Malformed::Key);
            }
            entries.push((key, self.value(depth)?));
        }
        Ok(Packed::Map(entries))
    }

    /// Returns the depth that is left inside a value of so many parts, each of a byte at least.
    fn enter(&self, count: usize, depth: usize) -> Result<usize, Malformed> {
        if count > self.bytes.len() {
            return Err(Malformed::Truncated);
        }
        depth.checked_sub(1).ok_or(Malformed::TooDeep)
    }

    fn text(&mut self, size: usize) -> Result<String, Malformed> {
        let bytes = self.take(size)?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Malformed::Utf8)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self.bytes.split_first_chunk().ok_or(Malformed::Truncated)?;
        self.bytes = rest;
        Ok(*array)
    }

    fn take(&mut self, size: usize) -> Result<&[u8], Malformed> {
        let (taken, rest) = self.bytes.split_at_checked(size).ok_or(Malformed::Truncated)?;
        self.bytes = rest;
        Ok(taken)
    }
}

/// Writes values at the end of a message, each in its shortest form.
pub struct Packer<'a>(pub &'a mut Vec<u8>);

impl Packer<'_> {
    pub fn null(&mut self) {
        self.0.push(0xC0);
    }

    pub fn boolean(&mut self, value: bool) {
        self.0.push(if value { 0xC3 } else { 0xC2 });
    }

    pub fn integer(&mut self, value: i64) {
        if let Ok(short) = i8::try_from(value) {
            if short < -16 {
                self.0.push(0xC8);
            }
            self.0.push(short.cast_unsigned());
        } else if let Ok(short) = i16::try_from(value) {
            self.marked(0xC9, &short.to_be_bytes());
        } else if let Ok(short) = i32::try_from(value) {
            self.marked(0xCA, &short.to_be_bytes());
        } else {
            self.marked(0xCB, &value.to_be_bytes());
        }
    }

    pub fn float(&mut self, value: f64) {
        self.marked(0xC1, &value.to_be_bytes());
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.size(None, 0xCC, bytes.len());
        self.0.extend_from_slice(bytes);
    }

    pub fn string(&mut self, text: &str) {
        self.size(Some(0x80), 0xD0, text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    /// Begins a list; so many values follow.
    pub fn list(&mut self, count: usize) {
        self.size(Some(0x90), 0xD4, count);
    }

    /// Begins a map; so many pairs of a string and a value follow.
    pub fn map(&mut self, count: usize) {
        self.size(Some(0xA0), 0xD8, count);
    }

    /// Begins a structure; so many values follow, fewer than 16.
    pub fn structure(&mut self, tag: u8, count: u8) {
        debug_assert!(count < 16, "a structure's size is half a byte");
        self.0.extend([0xB0 | count, tag]);
    }

    pub fn packed(&mut self, value: &Packed) {
        match value {
            Packed::Null => self.null(),
            Packed::Boolean(value) => self.boolean(*value),
            Packed::Integer(value) => self.integer(*value),
            Packed::Float(value) => self.float(*value),
            Packed::Bytes(bytes) => self.bytes(bytes),
            Packed::String(text) => self.string(text),
            Packed::Uuid(bytes) => self.marked(0xE0, bytes),
            Packed::List(items) => {
                self.list(items.len());
                items.iter().for_each(|item| self.packed(item));
            }
            Packed::Map(entries) => self.entries(entries),
            Packed::Structure(Structure { tag, fields }) => {
                self.structure(*tag, fields.len() as u8);
                fields.iter().for_each(|field| self.packed(field));
            }
        }
    }

    pub fn entries(&mut self, entries: &Entries) {
        self.map(entries.len());
        for (key, value) in entries {
            self.string(key);
            self.packed(value);
        }
    }

    fn marked(&mut self, marker: u8, bytes: &[u8]) {
        self.0.push(marker);
        self.0.extend_from_slice(bytes);
    }

    /// Writes a size within the marker `tiny`, or after the marker that begins at `wide`.
    fn size(&mut self, tiny: Option<u8>, wide: u8, size: usize) {
        if let (Some(tiny), 0..=15) = (tiny, size) {
            self.0.push(tiny | size as u8);
        } else if let Ok(size) = u8::try_from(size) {
            self.marked(wide, &[size]);
        } else if let Ok(size) = u16::try_from(size) {
            self.marked(wide + 1, &size.to_be_bytes());
        } else {
            let size = u32::try_from(size).expect("a query's memory bounds its values below 4 GiB");
            self.marked(wide + 2, &size.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: Packed, expected: &[u8]) {
        let mut bytes = Vec::new();
        Packer(&mut bytes).packed(&value);
        assert_eq!(bytes.get(..expected.len()), Some(expected), "{value:?}");
        assert_eq!(Packed::decode(&bytes), Ok(value));
    }

    #[test]
    fn values_have_their_shortest_form() {
        check(Packed::Null, &[0xC0]);
        check(Packed::Boolean(true), &[0xC3]);
        check(Packed::Integer(-16), &[0xF0]);
        check(Packed::Integer(-17), &[0xC8, 0xEF]);
        check(Packed::Integer(127), &[0x7F]);
        check(Packed::Integer(128), &[0xC9, 0x00, 0x80]);
        check(Packed::Integer(-32_769), &[0xCA, 0xFF, 0xFF, 0x7F, 0xFF]);
        check(Packed::Integer(i64::MIN), &[0xCB, 0x80, 0, 0, 0, 0, 0, 0, 0]);
        check(Packed::Float(1.5), &[0xC1, 0x3F, 0xF8]);
        check(Packed::Bytes(vec![7]), &[0xCC, 1, 7]);
        check(Packed::string("å"), &[0x82, 0xC3, 0xA5]);
        check(Packed::string("x".repeat(16)), &[0xD0, 16]);
        check(Packed::string("x".repeat(256)), &[0xD1, 1, 0]);
        check(Packed::string("x".repeat(65_536)), &[0xD2, 0, 1, 0, 0]);
        check(Packed::List(vec![Packed::Integer(1)]), &[0x91, 1]);
        check(Packed::List(vec![Packed::Null; 16]), &[0xD4, 16]);
        check(Packed::Map(vec![("k".into(), Packed::Null)]), &[0xA1, 0x81, b'k', 0xC0]);
        check(Packed::Structure(Structure { tag: 0x44, fields: vec![Packed::Integer(1)] }), &[0xB1, 0x44, 1]);
    }

    #[test]
    fn foreign_bytes_are_bounded() {
        let check = |bytes: &[u8], expected| assert_eq!(Packed::decode(bytes), Err(expected));
        check(&[], Malformed::Truncated);
        check(&[0xD6, 0xFF, 0xFF, 0xFF, 0xFF], Malformed::Truncated);
        check(&[0xCE, 0xFF, 0xFF, 0xFF, 0xFF, 1], Malformed::Truncated);
        check(&[0xC7], Malformed::Marker(0xC7));
        check(&[0x01, 0x01], Malformed::Trailing);
        check(&[0x81, 0xFF], Malformed::Utf8);
        check(&[0xA1, 0x01, 0x01], Malformed::Key);
        check(&[0xA2, 0x81, b'k', 1, 0x81, b'k', 2], Malformed::Key);
        check(&[0x91; 1000], Malformed::TooDeep);
        let mut many = vec![0xD6];
        many.extend((VALUES_MAX as u32).to_be_bytes());
        many.resize(many.len() + VALUES_MAX, 1);
        check(&many, Malformed::TooMany);
    }
}
