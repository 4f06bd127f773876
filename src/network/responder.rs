//! The accepter's end of an exchange stream, as a state machine: messages in, reads and messages
//! out. No I/O, no clock. It bounds what an opener can make us do.

use std::collections::VecDeque;

use super::message::{Message, RequestId, VERSION, Violation, WINDOW_BYTES_MAX, WINDOW_BYTES_MIN};
use super::proof::{Proof, WorkspaceTag};
use crate::block::BlockId;

/// Requests, and ids in all of them, that an opener may have outstanding on one stream.
pub(super) const REQUESTS_OUTSTANDING_MAX: usize = 64;
pub(super) const IDS_OUTSTANDING_MAX: usize = 16_384;
/// Blocks read from the source at once: what we hold in memory for a stream.
const READ_BLOCKS_MAX: usize = 16;

/// What an opener's message asks of the driver.
#[derive(Debug)]
pub(super) enum Task {
    /// Check the proof; then `admit`, or refuse and close.
    Admit(Greeting),
    /// Get the heads, and answer all of `take_heads_wanted` with them.
    SendHeads,
    /// Send this, then go on.
    Send(Message),
    /// There may be more to read or to send than before.
    Continue,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Greeting {
    pub version: u16,
    pub tag: WorkspaceTag,
    pub nonce: [u8; 32],
    pub proof: Proof,
}

/// Names a want among all that a stream ever had. Its number alone does not: an opener may use it again
/// while blocks that were read for the want before still wait to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WantId {
    pub request: RequestId,
    serial: u64,
}

/// Blocks to be read next, all of one want.
#[derive(Debug)]
pub(super) struct Read {
    pub want: WantId,
    /// Places in the want, and the ids there.
    pub places: Vec<(u32, BlockId)>,
}

/// Keeps the opener's requests and its credit.
pub(super) struct Responder {
    state: State,
    /// Served in turn, a read each, so that a small request does not wait for a large one.
    requests: VecDeque<Pending>,
    wants_seen: u64,
    heads_wanted: Vec<RequestId>,
    ids_outstanding: usize,
    credit_bytes: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Greeting,
    Admitting,
    Open,
}

struct Pending {
    want: WantId,
    ids: Vec<BlockId>,
    /// Places before this one were handed out to be read.
    read: usize,
    /// Places that are not answered yet.
    open: usize,
}

impl Responder {
    pub(super) fn new() -> Responder {
        Responder {
            state: State::Greeting,
            requests: VecDeque::new(),
            wants_seen: 0,
            heads_wanted: Vec::new(),
            ids_outstanding: 0,
            credit_bytes: 0,
        }
    }

    /// Takes in a message of the opener.
    ///
    /// # Errors
    /// The opener broke the protocol and is to be cut off.
    pub(super) fn on_message(&mut self, message: Message) -> Result<Task, Violation> {
        let kind = message.kind();
        match (self.state, message) {
            (State::Greeting, Message::Hello { version, tag, nonce, window_bytes, proof }) => {
                if version == VERSION && !(WINDOW_BYTES_MIN..=WINDOW_BYTES_MAX).contains(&window_bytes) {
                    return Err(Violation::Malformed(kind));
                }
                self.credit_bytes = window_bytes.into();
                self.state = State::Admitting;
                Ok(Task::Admit(Greeting { version, tag, nonce, proof }))
            }
            (State::Open, Message::WantHeads { request }) => {
                self.heads_wanted.push(request);
                self.check_outstanding()?;
                Ok(Task::SendHeads)
            }
            (State::Open, Message::Want { request, ids }) => self.on_want(request, ids),
            (State::Open, Message::Cancel { request }) => Ok(self.on_cancel(request)),
            (State::Open, Message::Credit { bytes }) => {
                self.credit_bytes += u64::from(bytes);
                if self.credit_bytes > u64::from(WINDOW_BYTES_MAX) {
                    return Err(Violation::CreditExceeded);
                }
                Ok(Task::Continue)
            }
            _ => Err(Violation::OutOfPlace(kind)),
        }
    }

    /// Lets the opener in: its proof was good.
    pub(super) fn admit(&mut self) {
        assert!(self.state == State::Admitting, "only who greeted can be let in");
        self.state = State::Open;
    }

    /// Returns what to read next; the requests take turns.
    pub(super) fn next_read(&mut self) -> Option<Read> {
        let turn = self.requests.iter().position(|pending| pending.read < pending.ids.len())?;
        let mut pending = self.requests.remove(turn)?;
        let from = pending.read;
        let to = pending.ids.len().min(from + READ_BLOCKS_MAX);
        pending.read = to;
        let places = (from..to).map(|place| (place as u32, pending.ids[place])).collect();
        let want = pending.want;
        self.requests.push_back(pending);
        Some(Read { want, places })
    }

    /// Returns whether a block of so many bytes may be sent now: `None` if the want was
    /// cancelled, `Some(false)` if it must wait for credit. `Some(true)` takes the credit.
    pub(super) fn take_credit(&mut self, want: WantId, bytes: usize) -> Option<bool> {
        self.place_of(want)?;
        let bytes = bytes as u64;
        let enough = self.credit_bytes >= bytes;
        if enough {
            self.credit_bytes -= bytes;
        }
        Some(enough)
    }

    /// Says that so many places of the want were answered.
    pub(super) fn answered(&mut self, want: WantId, places: usize) {
        if let Some(turn) = self.place_of(want) {
            self.requests[turn].open -= places;
            self.ids_outstanding -= places;
            if self.requests[turn].open == 0 {
                self.requests.remove(turn);
            }
        }
    }

    /// Returns the requests for heads that are not answered yet, and counts them as answered.
    pub(super) fn take_heads_wanted(&mut self) -> Vec<RequestId> {
        std::mem::take(&mut self.heads_wanted)
    }

    /// Returns whether the want still waits for answers.
    pub(super) fn is_open(&self, want: WantId) -> bool {
        self.place_of(want).is_some()
    }

    fn place_of(&self, want: WantId) -> Option<usize> {
        self.requests.iter().position(|pending| pending.want == want)
    }

    fn on_want(&mut self, request: RequestId, ids: Vec<BlockId>) -> Result<Task, Violation> {
        if self.requests.iter().any(|pending| pending.want.request == request) {
            return Err(Violation::UnknownRequest(request));
        }
        self.ids_outstanding += ids.len();
        let open = ids.len();
        self.wants_seen += 1;
        let want = WantId { request, serial: self.wants_seen };
        self.requests.push_back(Pending { want, ids, read: 0, open });
        self.check_outstanding()?;
        Ok(Task::Continue)
    }

    fn on_cancel(&mut self, request: RequestId) -> Task {
        if let Some(turn) = self.requests.iter().position(|pending| pending.want.request == request)
            && let Some(pending) = self.requests.remove(turn)
        {
            self.ids_outstanding -= pending.open;
        }
        // Also for a request that is over: the opener waits for this.
        Task::Send(Message::Cancelled { request })
    }

    fn check_outstanding(&self) -> Result<(), Violation> {
        if self.requests.len() + self.heads_wanted.len() > REQUESTS_OUTSTANDING_MAX {
            return Err(Violation::TooMuchAsked(REQUESTS_OUTSTANDING_MAX));
        }
        if self.ids_outstanding > IDS_OUTSTANDING_MAX {
            return Err(Violation::TooMuchAsked(IDS_OUTSTANDING_MAX));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::message::WANT_IDS_MAX;
    use super::super::message::tests::samples;
    use super::*;

    fn hello(window_bytes: u32) -> Message {
        let proof = Proof([0; 32]);
        Message::Hello { version: VERSION, tag: WorkspaceTag([0; 32]), nonce: [0; 32], window_bytes, proof }
    }

    fn open() -> Responder {
        let mut responder = Responder::new();
        responder.on_message(hello(4 << 20)).unwrap();
        responder.admit();
        responder
    }

    fn want(request: RequestId, count: usize) -> Message {
        Message::Want { request, ids: (0..count).map(|n| BlockId::of(&n.to_le_bytes())).collect() }
    }

    #[test]
    fn nothing_is_answered_before_the_proof() {
        for message in samples() {
            let greeting = matches!(message, Message::Hello { .. });
            assert_eq!(Responder::new().on_message(message.clone()).is_ok(), greeting);
            let mut admitting = Responder::new();
            admitting.on_message(hello(4 << 20)).unwrap();
            assert!(admitting.on_message(message).is_err());
        }
        for window_bytes in [0, WINDOW_BYTES_MIN - 1, WINDOW_BYTES_MAX + 1] {
            assert!(Responder::new().on_message(hello(window_bytes)).is_err());
        }
    }

    #[test]
    fn requests_take_turns() {
        let mut responder = open();
        responder.on_message(want(1, 40)).unwrap();
        responder.on_message(want(2, 3)).unwrap();
        let turns: Vec<_> = std::iter::from_fn(|| responder.next_read())
            .map(|read| (read.want.request, read.places.len()))
            .collect();
        assert_eq!(turns, [(1, 16), (2, 3), (1, 16), (1, 8)]);
    }

    #[test]
    fn credit_is_taken_and_given() {
        let mut responder = open();
        responder.on_message(want(1, 3)).unwrap();
        let read = responder.next_read().unwrap();
        assert_eq!(responder.take_credit(read.want, 2 << 20), Some(true));
        assert_eq!(responder.take_credit(read.want, 2 << 20), Some(true));
        assert_eq!(responder.take_credit(read.want, 1), Some(false));
        responder.on_message(Message::Credit { bytes: 1 }).unwrap();
        assert_eq!(responder.take_credit(read.want, 1), Some(true));
        assert!(responder.on_message(Message::Credit { bytes: u32::MAX }).is_err());
    }

    #[test]
    fn a_cancel_is_answered_and_forgets_the_request() {
        let mut responder = open();
        responder.on_message(want(1, 30)).unwrap();
        let read = responder.next_read().unwrap();
        for request in [1, 1, 77] {
            let task = responder.on_message(Message::Cancel { request }).unwrap();
            assert!(matches!(task, Task::Send(Message::Cancelled { request: told }) if told == request));
        }
        assert_eq!(responder.take_credit(read.want, 1), None);
        assert!(responder.next_read().is_none());
        responder.answered(read.want, 16);
        assert_eq!(responder.ids_outstanding, 0);
    }

    #[test]
    fn what_was_read_for_a_want_is_no_answer_to_a_later_one_of_its_number() {
        let mut responder = open();
        responder.on_message(want(1, 16)).unwrap();
        let read = responder.next_read().unwrap();
        responder.on_message(Message::Cancel { request: 1 }).unwrap();
        responder.on_message(want(1, 1)).unwrap();
        assert_eq!((responder.is_open(read.want), responder.take_credit(read.want, 1)), (false, None));
        responder.answered(read.want, 16);
        assert_eq!(responder.ids_outstanding, 1);
        assert_eq!(responder.next_read().map(|read| read.places.len()), Some(1));
    }

    #[test]
    fn who_asks_for_too_much_is_cut_off() {
        let mut responder = open();
        let result: Result<Vec<_>, _> = (0..REQUESTS_OUTSTANDING_MAX as u32 + 1)
            .map(|request| responder.on_message(want(request, 1)))
            .collect();
        assert_eq!(result.unwrap_err(), Violation::TooMuchAsked(REQUESTS_OUTSTANDING_MAX));
        let mut responder = open();
        let result: Result<Vec<_>, _> =
            (0..5).map(|request| responder.on_message(want(request, WANT_IDS_MAX))).collect();
        assert_eq!(result.unwrap_err(), Violation::TooMuchAsked(IDS_OUTSTANDING_MAX));
        let mut responder = open();
        responder.on_message(want(1, 1)).unwrap();
        assert!(responder.on_message(want(1, 1)).is_err());
    }

    proptest! {
        #[test]
        fn any_order_of_messages_is_survived(order in prop::collection::vec(0usize..14, 0..60)) {
            let mut responder = open();
            for place in order {
                if place == 13 {
                    if let Some(read) = responder.next_read() {
                        responder.answered(read.want, read.places.len());
                    }
                } else if responder.on_message(samples().swap_remove(place)).is_err() {
                    break;
                }
            }
        }
    }
}
