//! Cuts the bytes of a stream into messages.

use super::message::{HEADER_BYTES, Message, Violation, decode_header};

/// Gathers bytes as they come and hands out whole messages. Holds no more than one message and one
/// read; what a header announces is refused before it is waited for.
#[derive(Default)]
pub(super) struct FrameReader {
    buffer: Vec<u8>,
    /// Bytes of the buffer that were handed out already.
    taken: usize,
}

impl FrameReader {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.taken > 0 && self.taken >= self.buffer.len() / 2 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns the next whole message, or `None` until more bytes come.
    ///
    /// # Errors
    /// The stream is of no more use after one.
    pub(super) fn next_message(&mut self) -> Result<Option<Message>, Violation> {
        let rest = &self.buffer[self.taken..];
        let Some((header, rest)) = rest.split_first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let (kind, length) = decode_header(*header)?;
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let message = Message::decode(kind, body)?;
        self.taken += HEADER_BYTES + length;
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::message::tests::samples;
    use super::*;

    fn drain(reader: &mut FrameReader) -> Result<Vec<String>, Violation> {
        let mut messages = Vec::new();
        while let Some(message) = reader.next_message()? {
            messages.push(format!("{message:?}"));
        }
        Ok(messages)
    }

    #[test]
    fn messages_come_out_whole_however_the_bytes_are_cut() {
        let bytes: Vec<u8> = samples().iter().flat_map(Message::encode).collect();
        let expected: Vec<String> = samples().iter().map(|message| format!("{message:?}")).collect();
        for size in [1, 2, 3, 7, 64, 1024, bytes.len()] {
            let mut reader = FrameReader::default();
            let mut messages = Vec::new();
            for chunk in bytes.chunks(size) {
                reader.push(chunk);
                messages.extend(drain(&mut reader).unwrap());
            }
            assert_eq!(messages, expected);
        }
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic_and_never_pile_up(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..50),
        ) {
            let mut reader = FrameReader::default();
            for chunk in chunks {
                reader.push(&chunk);
                if drain(&mut reader).is_err() {
                    break;
                }
            }
        }

        #[test]
        fn changed_bytes_never_panic(place in any::<prop::sample::Index>(), to in any::<u8>()) {
            let mut bytes: Vec<u8> = samples().iter().flat_map(Message::encode).collect();
            let place = place.index(bytes.len());
            bytes[place] = to;
            let mut reader = FrameReader::default();
            reader.push(&bytes);
            let _ = drain(&mut reader);
        }
    }
}
