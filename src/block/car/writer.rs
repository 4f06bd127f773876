use std::io::{self, Write};

use super::{CID_BYTES, header};
use crate::block::{BlockId, SealedBlock};

/// Writes blocks to a CAR file.
pub struct CarWriter<W> {
    out: W,
}

impl<W: Write> CarWriter<W> {
    /// Begins a file with these roots.
    pub fn new(mut out: W, roots: &[BlockId]) -> io::Result<CarWriter<W>> {
        let header = header::encode(roots);
        write_varint(&mut out, header.len() as u64)?;
        out.write_all(&header)?;
        Ok(CarWriter { out })
    }

    pub fn write(&mut self, block: &SealedBlock) -> io::Result<()> {
        write_varint(&mut self.out, (CID_BYTES + block.bytes().len()) as u64)?;
        self.out.write_all(&block.id().to_cid().to_bytes())?;
        self.out.write_all(block.bytes())
    }

    /// Ends the file, which has no end mark, and hands back what it was written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

fn write_varint(out: &mut impl Write, mut value: u64) -> io::Result<()> {
    while value >= 0x80 {
        out.write_all(&[value as u8 | 0x80])?;
        value >>= 7;
    }
    out.write_all(&[value as u8])
}
