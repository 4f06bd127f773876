//! The messages of `/reefloom/exchange/1` and their bytes, drawn in docs/wire_protocol.md.
//!
//! Pure encoding and decoding: no I/O, no state. Lengths are checked before anything is allocated.

use std::fmt;

use super::proof::{Proof, WorkspaceTag};
use crate::block::{BLOCK_BYTES_MAX, BlockId};

/// The version that this code speaks.
pub(super) const VERSION: u16 = 1;
/// Ids in one [`Message::Want`].
pub(super) const WANT_IDS_MAX: usize = 4096;
/// Bytes of one [`Message::Heads`].
pub(super) const HEADS_BYTES_MAX: usize = 1 << 20;
/// The smallest and the largest window: the largest block must fit.
pub(super) const WINDOW_BYTES_MIN: u32 = BLOCK_BYTES_MAX as u32;
pub(super) const WINDOW_BYTES_MAX: u32 = 256 << 20;
/// Bytes before the body: length and message type.
pub(super) const HEADER_BYTES: usize = 5;

/// Numbers the requests of one stream; chosen by the opener.
pub(super) type RequestId = u32;

/// Everything that travels on an exchange stream. The opener asks, the accepter answers.
#[derive(Clone, Debug)]
pub(super) enum Message {
    /// Opener, first and once.
    Hello {
        version: u16,
        tag: WorkspaceTag,
        nonce: [u8; 32],
        window_bytes: u32,
        proof: Proof,
    },
    /// Accepter's answer to a good hello.
    Welcome {
        version: u16,
        proof: Proof,
    },
    /// Accepter's only other answer; the stream ends after it.
    Refused {
        reason: Refusal,
    },
    WantHeads {
        request: RequestId,
    },
    Heads {
        request: RequestId,
        sealed: Vec<u8>,
    },
    Want {
        request: RequestId,
        ids: Vec<BlockId>,
    },
    /// The block at this place of the want.
    Block {
        request: RequestId,
        index: u32,
        bytes: Vec<u8>,
    },
    /// The accepter does not have the blocks at these places of the want.
    Missing {
        request: RequestId,
        indexes: Vec<u32>,
    },
    Cancel {
        request: RequestId,
    },
    /// Nothing more will come for the request.
    Cancelled {
        request: RequestId,
    },
    /// The accepter may send so many more block bytes.
    Credit {
        bytes: u32,
    },
}

/// Why an accepter lets nobody in. It does not tell a wrong key from an unknown workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Refusal {
    NotProven = 1,
    Version = 2,
    Busy = 3,
}

/// How a peer broke the protocol. It is cut off whichever it was; the rest is for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    #[error("message type {0:#04x} does not exist")]
    UnknownType(u8),
    #[error("a message of type {kind:#04x} is announced with {length} bytes")]
    Length { kind: u8, length: u64 },
    #[error("a message of type {0:#04x} is malformed")]
    Malformed(u8),
    #[error("a message of type {0:#04x} is out of place")]
    OutOfPlace(u8),
    #[error("more than {0} requests or ids are outstanding")]
    TooMuchAsked(usize),
    #[error("request {0} was never made, or is over")]
    UnknownRequest(u32),
    #[error("request {request} has nothing open at place {index}")]
    UnknownPlace { request: u32, index: u32 },
    #[error("more bytes came than the window allows")]
    WindowExceeded,
    #[error("more credit was given than a window may have")]
    CreditExceeded,
    #[error("a block failed verification: {0}")]
    FalseBlock(String),
}

const HELLO: u8 = 0x01;
const WELCOME: u8 = 0x02;
const REFUSED: u8 = 0x03;
const WANT_HEADS: u8 = 0x10;
const HEADS: u8 = 0x11;
const WANT: u8 = 0x12;
const BLOCK: u8 = 0x13;
const MISSING: u8 = 0x14;
const CANCEL: u8 = 0x15;
const CANCELLED: u8 = 0x16;
const CREDIT: u8 = 0x17;

/// Checks a header; returns the type and the length of the body in bytes.
///
/// # Errors
/// [`Violation::UnknownType`], or [`Violation::Length`] if no message of that type is so long or short.
pub(super) fn decode_header(header: [u8; HEADER_BYTES]) -> Result<(u8, usize), Violation> {
    let [a, b, c, d, kind] = header;
    let length = u32::from_le_bytes([a, b, c, d]);
    let (least, most) = body_bytes(kind).ok_or(Violation::UnknownType(kind))?;
    match usize::try_from(length) {
        Ok(body) if (least..=most).contains(&body) => Ok((kind, body)),
        _ => Err(Violation::Length { kind, length: length.into() }),
    }
}

/// Returns the least and the most bytes that the body of a message may have.
fn body_bytes(kind: u8) -> Option<(usize, usize)> {
    Some(match kind {
        HELLO => (102, 102),
        WELCOME => (34, 34),
        REFUSED => (1, 1),
        WANT_HEADS | CANCEL | CANCELLED | CREDIT => (4, 4),
        HEADS => (4, 4 + HEADS_BYTES_MAX),
        WANT => (4 + 32, 4 + 32 * WANT_IDS_MAX),
        BLOCK => (8, 8 + BLOCK_BYTES_MAX),
        MISSING => (4 + 4, 4 + 4 * WANT_IDS_MAX),
        _ => return None,
    })
}

impl Message {
    pub(super) fn kind(&self) -> u8 {
        match self {
            Message::Hello { .. } => HELLO,
            Message::Welcome { .. } => WELCOME,
            Message::Refused { .. } => REFUSED,
            Message::WantHeads { .. } => WANT_HEADS,
            Message::Heads { .. } => HEADS,
            Message::Want { .. } => WANT,
            Message::Block { .. } => BLOCK,
            Message::Missing { .. } => MISSING,
            Message::Cancel { .. } => CANCEL,
            Message::Cancelled { .. } => CANCELLED,
            Message::Credit { .. } => CREDIT,
        }
    }

    /// Returns the message with its header.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![0, 0, 0, 0, self.kind()];
        match self {
            Message::Hello { version, tag, nonce, window_bytes, proof } => {
                out.extend_from_slice(&version.to_le_bytes());
                out.extend_from_slice(&tag.0);
                out.extend_from_slice(nonce);
                out.extend_from_slice(&window_bytes.to_le_bytes());
                out.extend_from_slice(&proof.0);
            }
            Message::Welcome { version, proof } => {
                out.extend_from_slice(&version.to_le_bytes());
                out.extend_from_slice(&proof.0);
            }
            Message::Refused { reason } => out.push(*reason as u8),
            Message::WantHeads { request } | Message::Cancel { request } | Message::Cancelled { request } => {
                out.extend_from_slice(&request.to_le_bytes());
            }
            Message::Heads { request, sealed } => {
                out.extend_from_slice(&request.to_le_bytes());
                out.extend_from_slice(sealed);
            }
            Message::Want { request, ids } => {
                out.extend_from_slice(&request.to_le_bytes());
                ids.iter().for_each(|id| out.extend_from_slice(id.as_bytes()));
            }
            Message::Block { request, index, bytes } => return encode_block(*request, *index, bytes),
            Message::Missing { request, indexes } => {
                out.extend_from_slice(&request.to_le_bytes());
                indexes.iter().for_each(|index| out.extend_from_slice(&index.to_le_bytes()));
            }
            Message::Credit { bytes } => out.extend_from_slice(&bytes.to_le_bytes()),
        }
        finish(out)
    }

    /// Reads the body of a message whose header [`decode_header`] accepted.
    pub(super) fn decode(kind: u8, body: &[u8]) -> Result<Message, Violation> {
        let malformed = || Violation::Malformed(kind);
        let mut body = Body(body);
        let message = match kind {
            HELLO => Message::Hello {
                version: u16::from_le_bytes(body.take().ok_or_else(malformed)?),
                tag: WorkspaceTag(body.take().ok_or_else(malformed)?),
                nonce: body.take().ok_or_else(malformed)?,
                window_bytes: u32::from_le_bytes(body.take().ok_or_else(malformed)?),
                proof: Proof(body.take().ok_or_else(malformed)?),
            },
            WELCOME => Message::Welcome {
                version: u16::from_le_bytes(body.take().ok_or_else(malformed)?),
                proof: Proof(body.take().ok_or_else(malformed)?),
            },
            REFUSED => match body.take() {
                Some([1]) => Message::Refused { reason: Refusal::NotProven },
                Some([2]) => Message::Refused { reason: Refusal::Version },
                Some([3]) => Message::Refused { reason: Refusal::Busy },
                _ => return Err(malformed()),
            },
            CREDIT => Message::Credit { bytes: u32::from_le_bytes(body.take().ok_or_else(malformed)?) },
            _ => {
                let request = u32::from_le_bytes(body.take().ok_or_else(malformed)?);
                return body.decode_request(kind, request).ok_or_else(malformed);
            }
        };
        if body.0.is_empty() { Ok(message) } else { Err(malformed()) }
    }
}

/// Returns a block message; saves [`Message::Block`] the copy of the bytes.
pub(super) fn encode_block(request: RequestId, index: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_BYTES + 8 + bytes.len());
    out.extend_from_slice(&[0, 0, 0, 0, BLOCK]);
    out.extend_from_slice(&request.to_le_bytes());
    out.extend_from_slice(&index.to_le_bytes());
    out.extend_from_slice(bytes);
    finish(out)
}

fn finish(mut out: Vec<u8>) -> Vec<u8> {
    let body = u32::try_from(out.len() - HEADER_BYTES).expect("we send no message longer than a block");
    out[..4].copy_from_slice(&body.to_le_bytes());
    out
}

struct Body<'a>(&'a [u8]);

impl Body<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    /// Reads what follows the request id; `None` if it is malformed.
    fn decode_request(mut self, kind: u8, request: RequestId) -> Option<Message> {
        let message = match kind {
            HEADS => return Some(Message::Heads { request, sealed: self.0.to_vec() }),
            WANT => {
                let (ids, rest) = self.0.as_chunks::<32>();
                let ids = ids.iter().map(|id| BlockId::from_bytes(*id)).collect();
                return rest.is_empty().then_some(Message::Want { request, ids });
            }
            MISSING => {
                let (indexes, rest) = self.0.as_chunks::<4>();
                let indexes = indexes.iter().map(|index| u32::from_le_bytes(*index)).collect();
                return rest.is_empty().then_some(Message::Missing { request, indexes });
            }
            BLOCK => {
                let index = u32::from_le_bytes(self.take()?);
                return Some(Message::Block { request, index, bytes: self.0.to_vec() });
            }
            WANT_HEADS => Message::WantHeads { request },
            CANCEL => Message::Cancel { request },
            CANCELLED => Message::Cancelled { request },
            _ => return None,
        };
        self.0.is_empty().then_some(message)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::NotProven => "it does not serve the workspace, or the key is not the workspace's",
            Refusal::Version => "it speaks another version of the protocol",
            Refusal::Busy => "it serves as many streams as it can",
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn samples() -> Vec<Message> {
        let proof = Proof([7; 32]);
        vec![
            Message::Hello {
                version: 1,
                tag: WorkspaceTag([1; 32]),
                nonce: [2; 32],
                window_bytes: 16 << 20,
                proof,
            },
            Message::Welcome { version: 1, proof },
            Message::Refused { reason: Refusal::NotProven },
            Message::Refused { reason: Refusal::Busy },
            Message::WantHeads { request: 1 },
            Message::Heads { request: 1, sealed: vec![1, 2, 3] },
            Message::Heads { request: 1, sealed: vec![] },
            Message::Want { request: 2, ids: vec![BlockId::of(b"a"), BlockId::of(b"b")] },
            Message::Block { request: 2, index: 1, bytes: vec![9; 1000] },
            Message::Missing { request: 2, indexes: vec![0, 7] },
            Message::Cancel { request: 2 },
            Message::Cancelled { request: 2 },
            Message::Credit { bytes: 1 << 20 },
        ]
    }

    fn decode(bytes: &[u8]) -> Result<Message, Violation> {
        let (header, body) = bytes.split_first_chunk().unwrap();
        let (kind, length) = decode_header(*header)?;
        assert_eq!(length, body.len());
        Message::decode(kind, body)
    }

    #[test]
    fn messages_read_back() {
        for message in samples() {
            let bytes = message.encode();
            assert_eq!(format!("{:?}", decode(&bytes).unwrap()), format!("{message:?}"));
        }
    }

    #[test]
    fn a_header_that_announces_too_much_or_too_little_is_refused() {
        let limits = [(HELLO, 102), (WANT, 4 + 32 * 4096), (BLOCK, 8 + (2 << 20)), (HEADS, 4 + (1 << 20))];
        for (kind, most) in limits {
            let header = |length: u32| {
                let [a, b, c, d] = length.to_le_bytes();
                decode_header([a, b, c, d, kind])
            };
            assert_eq!(header(most), Ok((kind, most as usize)));
            for length in [0, most + 1, u32::MAX] {
                assert_eq!(header(length), Err(Violation::Length { kind, length: length.into() }));
            }
        }
        assert_eq!(decode_header([0, 0, 0, 0, 0x99]), Err(Violation::UnknownType(0x99)));
    }

    #[test]
    fn a_body_of_another_length_is_malformed() {
        for message in samples() {
            let bytes = message.encode();
            for cut in HEADER_BYTES..bytes.len() {
                // Some cuts are shorter messages of the same type; none may panic.
                let _ = Message::decode(message.kind(), &bytes[HEADER_BYTES..cut]);
            }
        }
        assert!(Message::decode(WANT, &[0; 4 + 33]).is_err());
        assert!(Message::decode(CREDIT, &[0; 5]).is_err());
        assert!(Message::decode(REFUSED, &[9]).is_err());
    }
}
