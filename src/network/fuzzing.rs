//! What a peer can send, as functions of bytes: `fuzz/` calls them with whatever it comes up with, the
//! test below with every single-bit change of real messages.

use std::collections::{HashMap, HashSet, VecDeque};

use super::frame::FrameReader;
use super::message::{Message, Refusal, RequestId, VERSION};
use super::proof::{Proof, WorkspaceTag};
use super::requester::{Event, Requester};
use super::responder::{Read, Responder, Task, WantId};
use crate::block::BlockId;

/// Name and function of each target.
pub const TARGETS: &[(&str, fn(&[u8]))] = &[("wire", wire), ("accepter", accepter), ("opener", opener)];

/// Returns real encodings to begin with, and the name of the target that each is for.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let proof = Proof([7; 32]);
    let (tag, nonce) = (WorkspaceTag([1; 32]), [2; 32]);
    let messages = [
        Message::Hello { version: VERSION, tag, nonce, window_bytes: 16 << 20, proof },
        Message::Welcome { version: VERSION, proof },
        Message::Refused { reason: Refusal::NotProven },
        Message::WantHeads { request: 1 },
        Message::Heads { request: 1, sealed: vec![1, 2, 3] },
        Message::Want { request: 2, ids: vec![BlockId::of(b"a"), BlockId::of(b"b")] },
        Message::Block { request: 2, index: 1, bytes: vec![9; 50] },
        Message::Missing { request: 2, indexes: vec![0, 7] },
        Message::Cancel { request: 2 },
        Message::Cancelled { request: 2 },
        Message::Credit { bytes: 1 << 20 },
    ];
    let mut seeds: Vec<_> = messages.iter().map(|message| ("wire", message.encode())).collect();
    seeds.push(("wire", messages.iter().flat_map(Message::encode).collect()));
    seeds.push(("accepter", [[0, 1, 20], [0, 2, 3], [5, 0, 0], [6, 0, 6], [7, 0, 0], [7, 0, 0]].concat()));
    seeds.push(("opener", [[0, 5, 0], [5, 1, 0], [6, 1, 1], [2, 1, 0], [7, 1, 0], [3, 9, 9]].concat()));
    seeds
}

/// Bytes: what comes off a stream.
pub fn wire(bytes: &[u8]) {
    let whole = frames(bytes, bytes.len().max(1));
    assert_eq!(frames(bytes, 7), whole, "how the bytes are cut does not matter");
    assert_eq!(bytes.get(..whole.len()), Some(&whole[..]), "a message has one encoding");
}

/// Returns what came of the bytes, up to the first violation, encoded again.
fn frames(bytes: &[u8], cut: usize) -> Vec<u8> {
    let mut reader = FrameReader::default();
    let mut again = Vec::new();
    for chunk in bytes.chunks(cut) {
        reader.push(chunk);
        loop {
            match reader.next_message() {
                Ok(Some(message)) => again.extend(message.encode()),
                Ok(None) => break,
                Err(_) => return again,
            }
        }
    }
    again
}

/// Bytes: what an opener does and how its accepter comes along, three bytes a step.
pub fn accepter(bytes: &[u8]) {
    let mut responder = Responder::new();
    let (tag, proof) = (WorkspaceTag([0; 32]), Proof([0; 32]));
    let hello = Message::Hello { version: VERSION, tag, nonce: [0; 32], window_bytes: 4 << 20, proof };
    assert!(matches!(responder.on_message(hello), Ok(Task::Admit(_))));
    responder.admit();
    let mut serving = Serving { responder, reading: None, ready: VecDeque::new(), open: HashMap::new() };
    for [step, a, b] in bytes.as_chunks::<3>().0 {
        if serving.step(*step, *a, *b).is_none() {
            return;
        }
    }
}

/// An accepter as `serve` drives it, and what its opener may expect of it.
struct Serving {
    responder: Responder,
    reading: Option<Read>,
    ready: VecDeque<(WantId, u32, Option<usize>)>,
    /// The places of each open want that were not answered.
    open: HashMap<RequestId, HashSet<u32>>,
}

impl Serving {
    /// Takes a step; `None` if the opener is cut off for it.
    fn step(&mut self, step: u8, a: u8, b: u8) -> Option<()> {
        let request = RequestId::from(a % 4);
        match step % 8 {
            0 => {
                let ids = (0..=b % 40).map(|n| BlockId::of(&[n])).collect();
                self.responder.on_message(Message::Want { request, ids }).ok()?;
                self.open.insert(request, (0..=u32::from(b % 40)).collect());
            }
            1 => {
                let task = self.responder.on_message(Message::Cancel { request });
                assert!(matches!(task, Ok(Task::Send(Message::Cancelled { .. }))));
                self.open.remove(&request);
            }
            2 => drop(self.responder.on_message(Message::Credit { bytes: u32::from(a) << 16 }).ok()?),
            3 => drop(self.responder.on_message(Message::WantHeads { request }).ok()?),
            4 => drop(self.responder.take_heads_wanted()),
            5 if self.reading.is_none() && self.ready.is_empty() => self.reading = self.responder.next_read(),
            6 => self.read(b),
            7 => self.send(),
            _ => {}
        }
        Some(())
    }

    fn read(&mut self, missing: u8) {
        let Some(read) = self.reading.take() else { return };
        let found = |place: u32| (missing >> (place % 8) & 1 == 0).then_some(1000 << (place % 12));
        self.ready.extend(read.places.iter().map(|(place, _)| (read.want, *place, found(*place))));
    }

    fn send(&mut self) {
        let Some((want, place, found)) = self.ready.front().copied() else { return };
        let is_open = match found {
            Some(bytes) => match self.responder.take_credit(want, bytes) {
                Some(false) => return,
                credit => credit.is_some(),
            },
            None => self.responder.is_open(want),
        };
        if is_open {
            self.responder.answered(want, 1);
            let open = self.open.get_mut(&want.request).expect("only what is wanted is answered");
            assert!(open.remove(&place), "each place is answered once");
        }
        self.ready.pop_front();
    }
}

/// Bytes: what an accepter answers and how its opener comes along, three bytes a step.
pub fn opener(bytes: &[u8]) {
    let mut requester = Requester::new(WorkspaceTag([0; 32]), [0; 32], 4 << 20, Proof([0; 32]));
    let welcome = Message::Welcome { version: VERSION, proof: Proof([0; 32]) };
    assert!(matches!(requester.on_message(welcome), Ok(Event::Welcome(_))));
    for [step, a, b] in bytes.as_chunks::<3>().0 {
        let (request, index) = (RequestId::from(a % 8), u32::from(b % 40));
        let message = match step % 8 {
            0 => {
                requester.want((0..=*a).map(|n| BlockId::of(&[n])).collect());
                continue;
            }
            1 => {
                requester.want_heads();
                continue;
            }
            2 => {
                requester.cancel(request);
                continue;
            }
            3 => {
                requester.consumed(u64::from(*a) << 16);
                continue;
            }
            4 => Message::Heads { request, sealed: Vec::new() },
            5 => Message::Block { request, index, bytes: vec![0; usize::from(*b) << 10] },
            6 => Message::Missing { request, indexes: (index..index + 1 + u32::from(a >> 3)).collect() },
            _ => Message::Cancelled { request },
        };
        if requester.on_message(message).is_err() {
            return;
        }
        let _ = (requester.take_outbox(), requester.is_owed());
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
