//! Reading and writing the fields of blocks: little-endian integers, varints, byte strings.
//!
//! Foreign bytes pass through here first, so every read is checked against what is left.
#![deny(clippy::indexing_slicing)]

/// What is wrong with the content of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

const SHORT: Malformed = Malformed("it ends too early");

/// The rest of some bytes that are being decoded.
#[derive(Clone)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: bytes }
    }

    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(SHORT)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Returns all that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(SHORT)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// Returns the next byte and stays before it.
    pub fn peek(&self) -> Result<u8, Malformed> {
        Cursor { ..*self }.u8()
    }

    pub fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub fn hash(&mut self) -> Result<[u8; 32], Malformed> {
        self.array()
    }

    /// Reads an unsigned LEB128 number of at most 64 bits, in its shortest form.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, Malformed> {
        // Most are one byte.
        if let Some((byte, rest)) = self.rest.split_first()
            && *byte < 0x80
        {
            self.rest = rest;
            return Ok(u64::from(*byte));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let part = u64::from(byte & 0x7F);
            if part << shift >> shift != part {
                break;
            }
            value |= part << shift;
            if byte == 0 && shift > 0 {
                break;
            }
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed("a number is too long"))
    }

    /// Reads a varint that counts things of at least `item_bytes_min` bytes each, all of them still
    /// ahead: so what is allocated for them is bounded by what was read.
    #[inline]
    pub fn count(&mut self, item_bytes_min: usize) -> Result<usize, Malformed> {
        let count = self.varint()?;
        let most = self.remaining() / item_bytes_min.max(1);
        match usize::try_from(count) {
            Ok(count) if count <= most => Ok(count),
            _ => Err(SHORT),
        }
    }

    /// Reads a byte string: its length as a varint, then its bytes.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.count(1)?;
        self.take(len)
    }

    /// Checks that nothing is left.
    pub fn end(&self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed("bytes are left over")) }
    }
}

pub fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_has_one_form() {
        for (bytes, expected) in [
            (&[0][..], Some(0)),
            (&[0x80, 1], Some(128)),
            (&[0x80, 0], None),
            (&[0xFF, 0x80, 0], None),
            (&[0xFF; 9], None),
            (&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1], Some(u64::MAX)),
            (&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2], None),
        ] {
            assert_eq!(Cursor::new(bytes).varint().ok(), expected, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn varints_read_back(value: u64, shift in 0u32..64) {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value >> shift);
            let mut cursor = Cursor::new(&bytes);
            prop_assert_eq!(cursor.varint(), Ok(value >> shift));
            prop_assert_eq!(cursor.end(), Ok(()));
        }

        #[test]
        fn foreign_bytes_never_panic(bytes: Vec<u8>) {
            let mut cursor = Cursor::new(&bytes);
            while cursor.varint().is_ok() {}
            let mut cursor = Cursor::new(&bytes);
            while cursor.bytes().is_ok_and(|part| !part.is_empty()) {}
        }
    }
}
