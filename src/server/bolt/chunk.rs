//! Chunks: how messages are cut on the wire.
//!
//! ```text
//! offset  size  field
//!      0     2  size of the chunk, big-endian
//!      2  size  part of a message
//! ```
//! A chunk of size 0 ends a message; between messages it keeps the connection alive and means nothing.

/// The most that one chunk holds.
const CHUNK_BYTES_MAX: usize = u16::MAX as usize;

/// Gathers a client's messages from whatever comes off the socket.
#[derive(Debug, Default)]
pub struct ChunkReader {
    /// What came and was not looked at; the first `at` bytes were.
    bytes: Vec<u8>,
    at: usize,
    /// The message so far.
    message: Vec<u8>,
}

/// A message that is longer than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message is longer than {bytes_max} bytes")]
pub struct TooLong {
    pub bytes_max: usize,
}

impl ChunkReader {
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the next message that is here in whole; it may hold `bytes_max` bytes.
    pub fn next_message(&mut self, bytes_max: usize) -> Result<Option<Vec<u8>>, TooLong> {
        while let Some((size, rest)) = self.bytes.get(self.at..).and_then(|rest| rest.split_first_chunk()) {
            let size = usize::from(u16::from_be_bytes(*size));
            if self.message.len() + size > bytes_max {
                return Err(TooLong { bytes_max });
            }
            let Some(chunk) = rest.get(..size) else { break };
            self.message.extend_from_slice(chunk);
            self.at += 2 + size;
            if size == 0 && !self.message.is_empty() {
                return Ok(Some(std::mem::take(&mut self.message)));
            }
        }
        Ok(None)
    }
}

/// Writes a message in chunks.
pub fn write_message(message: &[u8], out: &mut Vec<u8>) {
    for chunk in message.chunks(CHUNK_BYTES_MAX) {
        out.extend((chunk.len() as u16).to_be_bytes());
        out.extend_from_slice(chunk);
    }
    out.extend([0, 0]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_any_cut() {
        let messages = [vec![1; 3], vec![2; CHUNK_BYTES_MAX + 1], vec![3; 2 * CHUNK_BYTES_MAX]];
        let mut wire = vec![0, 0];
        messages.iter().for_each(|message| write_message(message, &mut wire));
        for cut in [1, 7, 70_000, wire.len()] {
            let mut reader = ChunkReader::default();
            let mut found = Vec::new();
            for bytes in wire.chunks(cut) {
                reader.push(bytes);
                while let Some(message) = reader.next_message(1 << 20).unwrap() {
                    found.push(message);
                }
            }
            assert_eq!(found, messages, "{cut}");
        }
    }

    #[test]
    fn a_message_that_grows_too_long_is_refused_before_it_is_here() {
        let mut reader = ChunkReader::default();
        reader.push(&[0, 3, 1, 1, 1, 0, 2]);
        assert_eq!(reader.next_message(4), Err(TooLong { bytes_max: 4 }));
    }
}
