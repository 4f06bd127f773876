//! Canonical bytes: little-endian integers and length-prefixed fields, bounds-checked on the way in.

use crate::block::BlockId;

/// Why foreign bytes are not what they claim to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(pub &'static str);

/// Appends fields to a buffer.
#[derive(Default)]
pub struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    pub fn new(magic: &[u8; 4], version: u8) -> Encoder {
        let mut encoder = Encoder::default();
        encoder.raw(magic).u8(version);
        encoder
    }

    pub fn raw(&mut self, bytes: &[u8]) -> &mut Encoder {
        self.bytes.extend_from_slice(bytes);
        self
    }

    pub fn u8(&mut self, value: u8) -> &mut Encoder {
        self.raw(&[value])
    }

    pub fn u32(&mut self, value: u32) -> &mut Encoder {
        self.raw(&value.to_le_bytes())
    }

    pub fn i64(&mut self, value: i64) -> &mut Encoder {
        self.raw(&value.to_le_bytes())
    }

    pub fn id(&mut self, id: &BlockId) -> &mut Encoder {
        self.raw(id.as_bytes())
    }

    /// Appends how many entries follow, or how many bytes.
    ///
    /// # Panics
    /// If `len` is 4 GiB or more: what is encoded here goes into one block.
    pub fn len(&mut self, len: usize) -> &mut Encoder {
        self.u32(u32::try_from(len).expect("a block holds far less than 4 GiB"))
    }

    /// Appends an unsigned LEB128 number.
    pub fn varint(&mut self, mut value: u64) -> &mut Encoder {
        while value >= 0x80 {
            self.u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.u8(value as u8)
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Encoder {
        self.len(bytes.len()).raw(bytes)
    }

    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Takes fields off a buffer; never reads or allocates past its end.
pub struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// Opens a buffer without magic and version.
    pub fn bare(bytes: &'a [u8]) -> Decoder<'a> {
        Decoder { rest: bytes }
    }

    /// Opens a buffer that must begin with this magic and version.
    pub fn new(bytes: &'a [u8], magic: &[u8; 4], version: u8) -> Result<Decoder<'a>, DecodeError> {
        let mut decoder = Decoder { rest: bytes };
        if decoder.raw(4)? != magic {
            return Err(DecodeError("the magic number is wrong"));
        }
        if decoder.u8()? != version {
            return Err(DecodeError("the format version is not known"));
        }
        Ok(decoder)
    }

    pub fn raw(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(DecodeError("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError("it ends too early"))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        self.array().map(i64::from_le_bytes)
    }

    pub fn array32(&mut self) -> Result<[u8; 32], DecodeError> {
        self.array()
    }

    pub fn array64(&mut self) -> Result<[u8; 64], DecodeError> {
        self.array()
    }

    pub fn id(&mut self) -> Result<BlockId, DecodeError> {
        self.array().map(BlockId::from_bytes)
    }

    /// Takes a count of entries of at least `entry_bytes` each, which must fit into what is left.
    pub fn len(&mut self, entry_bytes: usize) -> Result<usize, DecodeError> {
        let len = self.u32()? as usize;
        if len.saturating_mul(entry_bytes) > self.rest.len() {
            return Err(DecodeError("a count is larger than what follows"));
        }
        Ok(len)
    }

    pub fn ids(&mut self) -> Result<Vec<BlockId>, DecodeError> {
        let len = self.len(32)?;
        (0..len).map(|_| self.id()).collect()
    }

    /// Takes an unsigned LEB128 number, in its shortest form.
    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let part = u64::from(byte & 0x7F);
            if part << shift >> shift != part {
                break;
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                let is_shortest = byte != 0 || shift == 0;
                return is_shortest
                    .then_some(value)
                    .ok_or(DecodeError("a number is not in its shortest form"));
            }
        }
        Err(DecodeError("a number is too long"))
    }

    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.len(1)?;
        self.raw(len)
    }

    pub fn text(&mut self) -> Result<String, DecodeError> {
        let text = str::from_utf8(self.bytes()?).map_err(|_| DecodeError("a text is not UTF-8"))?;
        Ok(text.to_owned())
    }

    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError("bytes are left over")) }
    }
}
