//! The header: `{"roots": [CID, ...], "version": 1}` in DAG-CBOR, of which there is one spelling.

use cid::Cid;

use super::CID_BYTES;
use crate::block::BlockId;

/// A map of two, and its first key.
const MAP_AND_ROOTS: &[u8] = b"\xa2\x65roots";
const VERSION_KEY: &[u8] = b"\x67version";
/// A link: tag 42, then a byte string, whose length follows.
const LINK: &[u8] = b"\xd8\x2a\x58";
/// What stands before the CID in a link.
const IDENTITY: u8 = 0;
/// How a CARv2 begins, where a CARv1 has its header.
const VERSION_2: &[u8] = b"\xa1\x67version\x02";

/// Returns the header's bytes.
///
/// # Panics
/// If there are more than 65,535 roots; a header of 64 KiB has room for fewer.
pub(super) fn encode(roots: &[BlockId]) -> Vec<u8> {
    let mut out = MAP_AND_ROOTS.to_vec();
    match u16::try_from(roots.len()).expect("a header has fewer roots") {
        count @ 0..24 => out.push(0x80 | count as u8),
        count @ 24..256 => out.extend([0x98, count as u8]),
        count => out.extend([&[0x99][..], &count.to_be_bytes()].concat()),
    }
    for root in roots {
        out.extend_from_slice(LINK);
        out.extend([1 + CID_BYTES as u8, IDENTITY]);
        out.extend_from_slice(&root.to_cid().to_bytes());
    }
    out.extend_from_slice(VERSION_KEY);
    out.push(1);
    out
}

/// Returns the roots.
///
/// # Errors
/// With the reason, if the bytes are no header, or a root is none of our blocks.
pub(super) fn decode(header: &[u8]) -> Result<Vec<BlockId>, String> {
    if header == VERSION_2 {
        return Err("it is a CARv2 file".to_owned());
    }
    let mut rest = Rest(header);
    rest.expect(MAP_AND_ROOTS)?;
    let count = rest.count()?;
    let roots = (0..count).map(|_| rest.link()).collect::<Result<Vec<BlockId>, String>>()?;
    rest.expect(VERSION_KEY)?;
    // CBOR has several spellings of one value; DAG-CBOR allows the shortest alone.
    if encode(&roots) == header { Ok(roots) } else { Err(malformed()) }
}

fn malformed() -> String {
    "its header does not tell roots and version 1 in DAG-CBOR".to_owned()
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, String> {
        let (byte, rest) = self.0.split_first().ok_or_else(malformed)?;
        self.0 = rest;
        Ok(*byte)
    }

    fn expect(&mut self, bytes: &[u8]) -> Result<(), String> {
        if self.take(bytes.len())? == bytes { Ok(()) } else { Err(malformed()) }
    }

    /// Takes the head of an array.
    fn count(&mut self) -> Result<u16, String> {
        match self.byte()? {
            head @ 0x80..0x98 => Ok(u16::from(head - 0x80)),
            0x98 => Ok(u16::from(self.byte()?)),
            0x99 => Ok(u16::from_be_bytes([self.byte()?, self.byte()?])),
            _ => Err(malformed()),
        }
    }

    fn link(&mut self) -> Result<BlockId, String> {
        self.expect(LINK)?;
        let length = usize::from(self.byte()?);
        let cid = self.take(length)?.strip_prefix(&[IDENTITY]).ok_or_else(malformed)?;
        let cid = Cid::try_from(cid).map_err(|_| malformed())?;
        BlockId::from_cid(&cid)
            .ok_or_else(|| format!("its root {cid} is none of our blocks: raw with a BLAKE3-256 hash"))
    }
}
