//! The opener's end of an exchange stream, as a state machine: messages in, messages and events
//! out. No I/O, no clock.

use std::collections::{BTreeMap, VecDeque};

use super::message::{
    Message, Refusal, RequestId, VERSION, Violation, WANT_IDS_MAX, WINDOW_BYTES_MAX, WINDOW_BYTES_MIN,
};
use super::proof::{Proof, WorkspaceTag};
use super::responder::{IDS_OUTSTANDING_MAX, REQUESTS_OUTSTANDING_MAX};
use crate::block::{BlockId, UntrustedBlock};

/// What a message from the accepter means to whoever asked.
#[derive(Debug)]
pub(super) enum Event {
    /// The accepter's proof; whoever holds the key must check it before anything is asked.
    Welcome(Proof),
    Refused(Refusal),
    Heads {
        request: RequestId,
        sealed: Vec<u8>,
    },
    Block {
        request: RequestId,
        block: UntrustedBlock,
    },
    Missing {
        request: RequestId,
        ids: Vec<BlockId>,
    },
    /// Nothing to tell: the answer to something that was cancelled.
    Nothing,
}

/// Asks for blocks and heads, within the limits that the accepter holds openers to.
pub(super) struct Requester {
    state: State,
    window_bytes: u32,
    /// Block bytes that came and were not consumed, and those consumed but not yet given back as credit.
    unconsumed_bytes: u64,
    owed_bytes: u64,
    next_request: RequestId,
    asked: BTreeMap<RequestId, Asked>,
    /// Wants that the accepter's limits hold back.
    waiting: VecDeque<(RequestId, Vec<BlockId>)>,
    ids_asked: usize,
    outbox: Vec<Message>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Greeting,
    Open,
}

enum Asked {
    Heads,
    Blocks { ids: Vec<Option<BlockId>>, open: usize, cancelled: bool },
}

impl Requester {
    /// Starts a stream; its first message is in the outbox.
    ///
    /// The window is at least two of the largest blocks: credit is given back by the quarter of it, and
    /// what is held back meanwhile must not keep a block from fitting.
    pub(super) fn new(tag: WorkspaceTag, nonce: [u8; 32], window_bytes: u32, proof: Proof) -> Requester {
        let window_bytes = window_bytes.clamp(2 * WINDOW_BYTES_MIN, WINDOW_BYTES_MAX);
        Requester {
            state: State::Greeting,
            window_bytes,
            unconsumed_bytes: 0,
            owed_bytes: 0,
            next_request: 1,
            asked: BTreeMap::new(),
            waiting: VecDeque::new(),
            ids_asked: 0,
            outbox: vec![Message::Hello { version: VERSION, tag, nonce, window_bytes, proof }],
        }
    }

    /// Takes in a message of the accepter.
    ///
    /// # Errors
    /// The accepter broke the protocol; nothing it sends is of use any more.
    pub(super) fn on_message(&mut self, message: Message) -> Result<Event, Violation> {
        let kind = message.kind();
        match (self.state, message) {
            (State::Greeting, Message::Welcome { proof, .. }) => {
                self.state = State::Open;
                Ok(Event::Welcome(proof))
            }
            (State::Greeting, Message::Refused { reason }) => Ok(Event::Refused(reason)),
            (State::Open, Message::Heads { request, sealed }) => match self.asked.remove(&request) {
                Some(Asked::Heads) => Ok(Event::Heads { request, sealed }),
                _ => Err(Violation::UnknownRequest(request)),
            },
            (State::Open, Message::Block { request, index, bytes }) => self.on_block(request, index, bytes),
            (State::Open, Message::Missing { request, indexes }) => self.on_missing(request, &indexes),
            (State::Open, Message::Cancelled { request }) => self.on_cancelled(request),
            _ => Err(Violation::OutOfPlace(kind)),
        }
    }

    /// Asks for blocks, at most [`WANT_IDS_MAX`] of them. The answers come as events.
    pub(super) fn want(&mut self, ids: Vec<BlockId>) -> RequestId {
        assert!(!ids.is_empty() && ids.len() <= WANT_IDS_MAX, "a want has 1 to {WANT_IDS_MAX} ids");
        let request = self.take_request_id();
        self.waiting.push_back((request, ids));
        self.send_waiting();
        request
    }

    pub(super) fn want_heads(&mut self) -> RequestId {
        let request = self.take_request_id();
        self.asked.insert(request, Asked::Heads);
        self.outbox.push(Message::WantHeads { request });
        request
    }

    /// Says that nobody waits for the rest of the request. Unknown and finished ones do no harm.
    pub(super) fn cancel(&mut self, request: RequestId) {
        self.waiting.retain(|(waiting, _)| *waiting != request);
        if let Some(Asked::Blocks { cancelled, .. }) = self.asked.get_mut(&request)
            && !*cancelled
        {
            *cancelled = true;
            self.outbox.push(Message::Cancel { request });
        }
    }

    /// Says that so many block bytes left our memory, or are no longer the stream's worry.
    pub(super) fn consumed(&mut self, bytes: u64) {
        self.unconsumed_bytes = self.unconsumed_bytes.saturating_sub(bytes);
        self.owed_bytes += bytes;
        if self.owed_bytes >= u64::from(self.window_bytes / 4) {
            let bytes = u32::try_from(self.owed_bytes).unwrap_or(u32::MAX);
            self.owed_bytes -= u64::from(bytes);
            self.outbox.push(Message::Credit { bytes });
        }
    }

    /// Returns what is to be sent now.
    pub(super) fn take_outbox(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.outbox)
    }

    /// Returns whether the accepter owes us an answer and has the credit to send it.
    pub(super) fn is_owed(&self) -> bool {
        let used = self.unconsumed_bytes + self.owed_bytes;
        let starved = used + crate::block::BLOCK_BYTES_MAX as u64 > u64::from(self.window_bytes);
        self.state == State::Greeting || (!self.asked.is_empty() && !starved)
    }

    fn take_request_id(&mut self) -> RequestId {
        let request = self.next_request;
        self.next_request = self.next_request.wrapping_add(1);
        request
    }

    fn send_waiting(&mut self) {
        while let Some((request, ids)) = self.waiting.front() {
            let fits = self.asked.len() < REQUESTS_OUTSTANDING_MAX / 2
                && self.ids_asked + ids.len() <= IDS_OUTSTANDING_MAX;
            if !fits {
                return;
            }
            let (request, ids) = (*request, ids.clone());
            self.waiting.pop_front();
            self.ids_asked += ids.len();
            let places = ids.iter().copied().map(Some).collect();
            self.asked.insert(request, Asked::Blocks { ids: places, open: ids.len(), cancelled: false });
            self.outbox.push(Message::Want { request, ids });
        }
    }

    fn on_block(&mut self, request: RequestId, index: u32, bytes: Vec<u8>) -> Result<Event, Violation> {
        self.unconsumed_bytes += bytes.len() as u64;
        if self.unconsumed_bytes + self.owed_bytes > u64::from(self.window_bytes) {
            return Err(Violation::WindowExceeded);
        }
        let (claimed_id, cancelled) = self.answer(request, index)?;
        if cancelled {
            self.consumed(bytes.len() as u64);
            return Ok(Event::Nothing);
        }
        Ok(Event::Block { request, block: UntrustedBlock { claimed_id, bytes } })
    }

    fn on_missing(&mut self, request: RequestId, indexes: &[u32]) -> Result<Event, Violation> {
        let mut ids = Vec::with_capacity(indexes.len());
        let mut told = false;
        for index in indexes {
            let (id, cancelled) = self.answer(request, *index)?;
            told |= !cancelled;
            ids.push(id);
        }
        Ok(if told { Event::Missing { request, ids } } else { Event::Nothing })
    }

    fn on_cancelled(&mut self, request: RequestId) -> Result<Event, Violation> {
        match self.asked.remove(&request) {
            Some(Asked::Blocks { open, cancelled: true, .. }) => {
                self.ids_asked -= open;
                self.send_waiting();
                Ok(Event::Nothing)
            }
            _ => Err(Violation::UnknownRequest(request)),
        }
    }

    /// Closes one place of a request; returns its id and whether the request was cancelled.
    fn answer(&mut self, request: RequestId, index: u32) -> Result<(BlockId, bool), Violation> {
        let Some(Asked::Blocks { ids, open, cancelled }) = self.asked.get_mut(&request) else {
            return Err(Violation::UnknownRequest(request));
        };
        let place = ids.get_mut(index as usize).and_then(Option::take);
        let id = place.ok_or(Violation::UnknownPlace { request, index })?;
        let cancelled = *cancelled;
        *open -= 1;
        // The answer to a cancel still comes: the request lives on until then.
        if *open == 0 && !cancelled {
            self.asked.remove(&request);
        }
        self.ids_asked -= 1;
        self.send_waiting();
        Ok((id, cancelled))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::message::tests::samples;
    use super::*;

    fn open(window_bytes: u32) -> Requester {
        let mut requester = Requester::new(WorkspaceTag([0; 32]), [0; 32], window_bytes, Proof([0; 32]));
        requester.take_outbox();
        requester.on_message(Message::Welcome { version: 1, proof: Proof([1; 32]) }).unwrap();
        requester
    }

    fn ids(count: u32) -> Vec<BlockId> {
        (0..count).map(|n| BlockId::of(&n.to_le_bytes())).collect()
    }

    #[test]
    fn answers_find_their_request_in_any_order() {
        let mut requester = open(16 << 20);
        let (first, second) = (requester.want(ids(2)), requester.want(ids(3)));
        let event =
            requester.on_message(Message::Block { request: second, index: 1, bytes: vec![1] }).unwrap();
        assert!(
            matches!(event, Event::Block { request, block } if request == second && block.claimed_id == ids(3)[1])
        );
        let event = requester.on_message(Message::Missing { request: first, indexes: vec![1, 0] }).unwrap();
        assert!(
            matches!(event, Event::Missing { request, ids: missing } if request == first && missing == vec![ids(2)[1], ids(2)[0]])
        );
        assert!(requester.is_owed());
        requester.on_message(Message::Missing { request: second, indexes: vec![0, 2] }).unwrap();
        assert!(!requester.is_owed());
    }

    #[test]
    fn what_was_not_asked_is_a_violation() {
        let block = |request, index| Message::Block { request, index, bytes: vec![1] };
        let mut requester = open(16 << 20);
        let request = requester.want(ids(2));
        assert_eq!(requester.on_message(block(9, 0)).unwrap_err(), Violation::UnknownRequest(9));
        assert_eq!(
            requester.on_message(block(request, 2)).unwrap_err(),
            Violation::UnknownPlace { request, index: 2 }
        );
        requester.on_message(block(request, 0)).unwrap();
        assert_eq!(
            requester.on_message(block(request, 0)).unwrap_err(),
            Violation::UnknownPlace { request, index: 0 }
        );
        let credit = Message::Credit { bytes: 1 };
        assert_eq!(requester.on_message(credit.clone()).unwrap_err(), Violation::OutOfPlace(credit.kind()));
    }

    #[test]
    fn nothing_but_the_greeting_is_taken_before_it() {
        for message in samples() {
            let mut requester = Requester::new(WorkspaceTag([0; 32]), [0; 32], 1 << 22, Proof([0; 32]));
            let greeting = matches!(message, Message::Welcome { .. } | Message::Refused { .. });
            assert_eq!(requester.on_message(message).is_ok(), greeting);
        }
    }

    #[test]
    fn the_window_holds_and_credit_opens_it_again() {
        let window = 4 << 20;
        let mut requester = open(window);
        let request = requester.want(ids(5));
        let block = |index| Message::Block { request, index, bytes: vec![0; 2 << 20] };
        requester.on_message(block(0)).unwrap();
        requester.on_message(block(1)).unwrap();
        assert!(!requester.is_owed(), "a peer without credit owes nothing");
        requester.take_outbox();
        requester.consumed(2 << 20);
        assert!(matches!(requester.take_outbox()[..], [Message::Credit { bytes }] if bytes == 2 << 20));
        requester.on_message(block(2)).unwrap();
        assert_eq!(requester.on_message(block(3)).unwrap_err(), Violation::WindowExceeded);
    }

    #[test]
    fn a_cancelled_request_swallows_what_was_under_way() {
        let mut requester = open(16 << 20);
        let request = requester.want(ids(3));
        requester.cancel(request);
        let late = Message::Block { request, index: 0, bytes: vec![1] };
        assert!(matches!(requester.on_message(late).unwrap(), Event::Nothing));
        assert!(matches!(requester.on_message(Message::Cancelled { request }).unwrap(), Event::Nothing));
        assert!(requester.on_message(Message::Cancelled { request }).is_err());
        assert!(!requester.is_owed());
    }

    #[test]
    fn more_than_the_accepter_allows_waits_its_turn() {
        let mut requester = open(16 << 20);
        let mut sent = 0;
        let mut count = |requester: &mut Requester| {
            sent += requester.take_outbox().iter().filter(|m| matches!(m, Message::Want { .. })).count();
            sent
        };
        let requests: Vec<_> = (0..20).map(|_| requester.want(ids(WANT_IDS_MAX as u32))).collect();
        let at_once = IDS_OUTSTANDING_MAX / WANT_IDS_MAX;
        assert_eq!(count(&mut requester), at_once);
        let indexes = (0..WANT_IDS_MAX as u32).collect();
        requester.on_message(Message::Missing { request: requests[0], indexes }).unwrap();
        assert_eq!(count(&mut requester), at_once + 1);
    }

    proptest! {
        #[test]
        fn any_order_of_messages_is_survived(order in prop::collection::vec(0usize..13, 0..60)) {
            let mut requester = open(1 << 22);
            requester.want(ids(2));
            requester.want(ids(8));
            for place in order {
                if requester.on_message(samples().swap_remove(place)).is_err() {
                    break;
                }
            }
        }
    }
}
