use std::io::{self, BufRead};

use cid::Cid;

use super::{CID_BYTES, CarError, HEADER_BYTES_MAX, header};
use crate::block::{BLOCK_BYTES_MAX, BlockError, BlockId, SealedBlock, UntrustedBlock};

/// Of a CID that is none of ours, so much is read at most to name it.
const FOREIGN_CID_BYTES_MAX: usize = 128;
/// A varint of more bytes is longer than any length that is allowed here.
const VARINT_BYTES_MAX: u32 = 5;

/// Reads a CAR file block by block, each checked against its id.
///
/// A file that ends between two blocks cannot be told from a whole one; who wrote it must have said
/// how many there are.
#[derive(Debug)]
pub struct CarReader<R> {
    input: R,
    offset: u64,
    roots: Vec<BlockId>,
}

impl<R: BufRead> CarReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`CarError::Header`] if it is none, or one of a file with foreign roots.
    pub fn open(input: R) -> Result<CarReader<R>, CarError> {
        let mut reader = CarReader { input, offset: 0, roots: Vec::new() };
        let not_a_car = || CarError::Header("it does not begin with a header".to_owned());
        let bytes = match reader.varint() {
            Ok(length) => length.and_then(|length| usize::try_from(length).ok()).ok_or_else(not_a_car)?,
            Err(CarError::Malformed { .. }) => return Err(not_a_car()),
            Err(error) => return Err(error),
        };
        if bytes > HEADER_BYTES_MAX {
            return Err(CarError::Header(format!("its header would have {bytes} bytes")));
        }
        let mut header = vec![0; bytes];
        reader.fill_all(&mut header, || "the header".to_owned())?;
        reader.roots = header::decode(&header).map_err(CarError::Header)?;
        Ok(reader)
    }

    pub fn roots(&self) -> &[BlockId] {
        &self.roots
    }

    /// Returns how many bytes were read: where the next block begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the next block, `None` at the end of the file. After an error there is no way on.
    pub fn next_block(&mut self) -> Result<Option<SealedBlock>, CarError> {
        let offset = self.offset;
        let Some(length) = self.varint()? else { return Ok(None) };
        let id = self.id(offset, length)?;
        let bytes = length - CID_BYTES as u64;
        let refused = |source| CarError::Block { offset, id, source };
        if bytes > BLOCK_BYTES_MAX as u64 {
            return Err(refused(BlockError::TooLarge(bytes)));
        }
        let mut block = UntrustedBlock { claimed_id: id, bytes: vec![0; bytes as usize] };
        self.fill_all(&mut block.bytes, || format!("the block {id}, which begins at byte {offset}"))?;
        block.verify().map(Some).map_err(refused)
    }

    /// Reads the CID of a block whose frame has `length` bytes after the varint.
    fn id(&mut self, offset: u64, length: u64) -> Result<BlockId, CarError> {
        let within = || format!("the block that begins at byte {offset}");
        let mut cid = vec![0; length.min(CID_BYTES as u64) as usize];
        self.fill_all(&mut cid, within)?;
        if let Some(id) = Cid::try_from(&cid[..]).ok().as_ref().and_then(BlockId::from_cid) {
            return Ok(id);
        }
        cid.resize(length.min(FOREIGN_CID_BYTES_MAX as u64) as usize, 0);
        self.fill_all(&mut cid[length.min(CID_BYTES as u64) as usize..], within)?;
        Err(match Cid::read_bytes(&cid[..]) {
            Ok(cid) => CarError::Foreign { offset, cid: cid.to_string() },
            Err(error) => CarError::Malformed { offset, reason: format!("its CID is none ({error})") },
        })
    }

    /// Reads an unsigned LEB128 number in its shortest form; `None` if the file ends before it.
    fn varint(&mut self) -> Result<Option<u64>, CarError> {
        let offset = self.offset;
        let malformed = |reason: &str| CarError::Malformed { offset, reason: reason.to_owned() };
        let mut value = 0;
        for place in 0..VARINT_BYTES_MAX {
            let mut byte = [0];
            if self.fill(&mut byte)? == 0 {
                let within = "the length of a block".to_owned();
                return if place == 0 { Ok(None) } else { Err(self.truncated(within)) };
            }
            let [byte] = byte;
            value |= u64::from(byte & 0x7F) << (7 * place);
            if byte < 0x80 {
                return match byte {
                    0 if place > 0 => Err(malformed("its length is not spelt in the shortest way")),
                    _ => Ok(Some(value)),
                };
            }
        }
        Err(malformed("its length is beyond all bounds"))
    }

    fn fill_all(&mut self, buffer: &mut [u8], within: impl Fn() -> String) -> Result<(), CarError> {
        if self.fill(buffer)? < buffer.len() { Err(self.truncated(within())) } else { Ok(()) }
    }

    /// Fills the buffer as far as the file goes; returns how far.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, CarError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.input.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => {
                    filled += count;
                    self.offset += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(CarError::Read { offset: self.offset, source }),
            }
        }
        Ok(filled)
    }

    fn truncated(&self, within: String) -> CarError {
        CarError::Truncated { offset: self.offset, within }
    }
}
