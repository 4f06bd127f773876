//! What a client can send, as functions of bytes: `fuzz/` calls them with whatever it comes up with, the
//! test below with every single-bit change of real messages.

use super::chunk::{ChunkReader, write_message};
use super::failure::Failure;
use super::message::Message;
use super::packstream::{Packed, Packer, Structure};
use super::session::{Action, Done, Session};
use super::value::Encoding;
use super::version::{Handshake, Progress, Version};

/// Name and function of each target.
pub const TARGETS: &[(&str, fn(&[u8]))] =
    &[("bolt_handshake", handshake), ("packstream", packstream), ("bolt_session", session)];

const NEW: Encoding = Encoding { is_utc: true, has_element_ids: true, has_vectors: true, has_uuids: true };
const OLD: Encoding =
    Encoding { is_utc: false, has_element_ids: false, has_vectors: false, has_uuids: false };

/// Returns real encodings to begin with, and the name of the target that each is for.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut seeds = vec![
        ("bolt_handshake", [&[0x60, 0x60, 0xB0, 0x17, 0, 8, 8, 5][..], &[0, 2, 4, 4], &[0; 8]].concat()),
        (
            "bolt_handshake",
            [&[0x60, 0x60, 0xB0, 0x17, 0, 0, 1, 0xFF][..], &[0; 12], &[0, 0, 8, 5, 0x80, 0]].concat(),
        ),
    ];
    let all = Packed::Map(vec![("all".to_owned(), Packed::List(values()))]);
    seeds.push(("packstream", encode(&all)));
    let empty = || Packed::Map(Vec::new());
    let map = |key: &str, value| Packed::Map(vec![(key.to_owned(), value)]);
    let text = Packed::string("RETURN $all");
    let messages = [
        (0x01, vec![map("scheme", Packed::string("none"))]),
        (0x6A, vec![map("scheme", Packed::string("none"))]),
        (0x66, vec![empty(), Packed::List(Vec::new()), empty()]),
        (0x10, vec![text.clone(), all, empty()]),
        (0x3F, vec![map("n", Packed::Integer(2))]),
        (0x2F, vec![map("n", Packed::Integer(-1))]),
        (0x11, vec![map("mode", Packed::string("r"))]),
        (0x10, vec![text, empty(), empty()]),
        (0x3F, vec![map("n", Packed::Integer(-1))]),
        (0x12, vec![]),
        (0x0F, vec![]),
        (0x02, vec![]),
    ];
    let mut wire = vec![4];
    for (tag, fields) in messages {
        write_message(&encode(&Packed::Structure(Structure { tag, fields })), &mut wire);
    }
    seeds.push(("bolt_session", wire));
    seeds
}

/// A value of each kind that a parameter can have.
fn values() -> Vec<Packed> {
    let integers = |tag: u8, fields: &[i64]| {
        let fields = fields.iter().map(|value| Packed::Integer(*value)).collect();
        Packed::Structure(Structure { tag, fields })
    };
    let zoned = vec![Packed::Integer(1_700_000_000), Packed::Integer(5), Packed::string("Europe/Stockholm")];
    let point = vec![Packed::Integer(7203), Packed::Float(1.0), Packed::Float(-2.5)];
    vec![
        Packed::Null,
        Packed::Boolean(true),
        Packed::Integer(-300),
        Packed::Float(0.5),
        Packed::Bytes(vec![1, 2]),
        Packed::string("åäö"),
        integers(b'D', &[19_000]),
        integers(b'T', &[1_000_000_000, 3600]),
        integers(b't', &[1_000_000_000]),
        integers(b'I', &[1_700_000_000, 5, 3600]),
        integers(b'F', &[1_700_000_000, 5, 3600]),
        integers(b'd', &[1_700_000_000, 5]),
        integers(b'E', &[1, 2, 3, 4]),
        Packed::Structure(Structure { tag: b'i', fields: zoned.clone() }),
        Packed::Structure(Structure { tag: b'f', fields: zoned }),
        Packed::Structure(Structure { tag: b'X', fields: point }),
    ]
}

fn encode(value: &Packed) -> Vec<u8> {
    let mut bytes = Vec::new();
    Packer(&mut bytes).packed(value);
    bytes
}

/// Bytes: what comes off a socket first.
pub fn handshake(bytes: &[u8]) {
    let end_of = |cut: usize| {
        let mut handshake = Handshake::default();
        let mut used = 0;
        for chunk in bytes.chunks(cut) {
            used += chunk.len();
            match handshake.push(chunk) {
                Progress::Waiting | Progress::Offer(_) => {}
                Progress::Agreed { version, rest, .. } => return Some((Some(version), used - rest.len())),
                Progress::Refused(_) => return Some((None, 0)),
            }
        }
        None
    };
    assert_eq!(end_of(1), end_of(3), "how the bytes are cut does not matter");
}

/// Bytes: one value. What is read is written as something that reads as the same, in either encoding.
pub fn packstream(bytes: &[u8]) {
    let Ok(value) = Packed::decode(bytes) else { return };
    let again = encode(&value);
    assert!(again.len() <= bytes.len(), "what we write is the shortest form");
    assert_eq!(encode(&Packed::decode(&again).unwrap()), again);
    for encoding in [NEW, OLD] {
        let Ok(values) = encoding.parameters(vec![("value".to_owned(), value.clone())]) else { continue };
        let mut written = Vec::new();
        encoding.write(&values["value"], &mut Packer(&mut written));
        assert!(Packed::decode(&written).is_ok(), "what we write can be read");
    }
}

/// The first byte: how the bytes are cut, and which tasks fail. The others: what comes off a socket.
pub fn session(bytes: &[u8]) {
    let Some((choice, wire)) = bytes.split_first() else { return };
    let version = if choice & 1 == 0 { Version::V5_0 } else { Version::V5_8 };
    let mut session = Session::new(version, "1".to_owned(), None);
    let mut chunks = ChunkReader::default();
    let mut tasks = 0_u8;
    for bytes in wire.chunks(usize::from(choice >> 4) + 1) {
        chunks.push(bytes);
        loop {
            let message = match chunks.next_message(1 << 16) {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(_) => return,
            };
            let Ok(message) = Message::decode(&message) else { return };
            match session.on_message(message) {
                Action::Reply(reply) => drop(reply.encode(version)),
                Action::End(_) => return,
                Action::Work(_) => {
                    tasks = tasks.wrapping_add(1);
                    let fails = choice & 8 != 0 && tasks.is_multiple_of(5);
                    let done = Done { metadata: Vec::new(), has_more: tasks.is_multiple_of(2) };
                    let done = if fails { Err(Failure::inside()) } else { Ok(done) };
                    drop(session.on_done(done).encode(version));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::fuzzing::change_every_bit;

    /// Every single-bit change of real messages is refused, or is a message itself.
    #[test]
    fn no_single_bit_does_harm() {
        change_every_bit(TARGETS, seeds());
    }
}
