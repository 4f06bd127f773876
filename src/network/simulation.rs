//! Two honest ends of a stream in any order of events: neither may call the other a liar, and every
//! request ends. No sockets, no clock; proptest chooses the order.

use std::collections::{HashMap, HashSet, VecDeque};

use proptest::prelude::*;

use super::message::{Message, RequestId, VERSION};
use super::proof::{Proof, WorkspaceTag};
use super::requester::{Event, Requester};
use super::responder::{Responder, Task, WantId};
use crate::block::{BLOCK_BYTES_MAX, BlockId};

const WINDOW_BYTES: u32 = 4 << 20;

#[derive(Clone, Debug)]
enum Step {
    Want(usize),
    Cancel(usize),
    WantHeads,
    DeliverToResponder,
    DeliverToRequester,
    Read,
    Send,
    Consume,
}

struct Simulation {
    requester: Requester,
    responder: Responder,
    to_responder: VecDeque<Message>,
    to_requester: VecDeque<Message>,
    ready: VecDeque<(WantId, u32, Option<usize>)>,
    unconsumed: VecDeque<usize>,
    open: HashMap<RequestId, HashSet<BlockId>>,
    made: Vec<RequestId>,
    heads_open: usize,
    next_id: u64,
}

impl Simulation {
    fn new() -> Simulation {
        let mut simulation = Simulation {
            requester: Requester::new(WorkspaceTag([0; 32]), [0; 32], WINDOW_BYTES, Proof([0; 32])),
            responder: Responder::new(),
            to_responder: VecDeque::new(),
            to_requester: VecDeque::new(),
            ready: VecDeque::new(),
            unconsumed: VecDeque::new(),
            open: HashMap::new(),
            made: Vec::new(),
            heads_open: 0,
            next_id: 0,
        };
        let hello = simulation.requester.take_outbox().remove(0);
        assert!(matches!(simulation.responder.on_message(hello), Ok(Task::Admit(_))));
        simulation.responder.admit();
        let welcome = Message::Welcome { version: VERSION, proof: Proof([0; 32]) };
        simulation.requester.on_message(welcome).unwrap();
        simulation
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Want(count) => {
                let ids: Vec<BlockId> =
                    (0..*count as u64).map(|n| BlockId::of(&(self.next_id + n).to_le_bytes())).collect();
                self.next_id += ids.len() as u64;
                let request = self.requester.want(ids.clone());
                self.open.insert(request, ids.into_iter().collect());
                self.made.push(request);
            }
            Step::Cancel(which) => {
                if let Some(request) = self.made.get(which % self.made.len().max(1)) {
                    self.requester.cancel(*request);
                    self.open.remove(request);
                }
            }
            Step::WantHeads if self.heads_open < 8 => {
                self.requester.want_heads();
                self.heads_open += 1;
            }
            Step::WantHeads => {}
            Step::DeliverToResponder => self.deliver_to_responder(),
            Step::DeliverToRequester => self.deliver_to_requester(),
            Step::Read => self.read(),
            Step::Send => self.send(),
            Step::Consume => {
                if let Some(bytes) = self.unconsumed.pop_front() {
                    self.requester.consumed(bytes as u64);
                }
            }
        }
        self.to_responder.extend(self.requester.take_outbox());
    }

    fn deliver_to_responder(&mut self) {
        let Some(message) = self.to_responder.pop_front() else { return };
        match self.responder.on_message(message).expect("an honest opener") {
            Task::Send(message) => self.to_requester.push_back(message),
            Task::SendHeads => {
                for request in self.responder.take_heads_wanted() {
                    self.to_requester.push_back(Message::Heads { request, sealed: vec![1] });
                }
            }
            Task::Admit(_) | Task::Continue => {}
        }
    }

    fn deliver_to_requester(&mut self) {
        let Some(message) = self.to_requester.pop_front() else { return };
        match self.requester.on_message(message).expect("an honest accepter") {
            Event::Block { request, block } => {
                self.unconsumed.push_back(block.bytes.len());
                let open = self.open.get_mut(&request).expect("only open requests are answered");
                assert!(open.remove(&block.claimed_id));
            }
            Event::Missing { request, ids } => {
                let open = self.open.get_mut(&request).expect("only open requests are answered");
                assert!(ids.iter().all(|id| open.remove(id)));
            }
            Event::Heads { .. } => self.heads_open -= 1,
            Event::Nothing => {}
            event => panic!("{event:?}"),
        }
    }

    /// Every fifth block is missing; sizes vary up to the largest.
    fn read(&mut self) {
        let Some(read) = self.responder.next_read() else { return };
        for (index, id) in read.places {
            let dice = id.as_bytes()[0];
            let bytes = if dice < 8 { BLOCK_BYTES_MAX } else { usize::from(dice) * 100 };
            self.ready.push_back((read.want, index, (!dice.is_multiple_of(5)).then_some(bytes)));
        }
    }

    fn send(&mut self) {
        let Some((want, index, bytes)) = self.ready.front().copied() else { return };
        let request = want.request;
        match bytes {
            None if self.responder.is_open(want) => {
                self.responder.answered(want, 1);
                self.to_requester.push_back(Message::Missing { request, indexes: vec![index] });
            }
            None => {}
            Some(bytes) => match self.responder.take_credit(want, bytes) {
                Some(false) => return,
                Some(true) => {
                    self.to_requester.push_back(Message::Block { request, index, bytes: vec![0; bytes] });
                    self.responder.answered(want, 1);
                }
                None => {}
            },
        }
        self.ready.pop_front();
    }

    /// Lets everything run down.
    fn settle(&mut self) {
        for _ in 0..200_000 {
            for step in
                [Step::DeliverToResponder, Step::Read, Step::Send, Step::DeliverToRequester, Step::Consume]
            {
                self.step(&step);
            }
            if self.open.values().all(HashSet::is_empty) && !self.requester.is_owed() {
                return;
            }
        }
        panic!("requests hang: {:?}", self.open.values().map(HashSet::len).collect::<Vec<_>>());
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (1usize..60).prop_map(Step::Want),
        1 => any::<usize>().prop_map(Step::Cancel),
        1 => Just(Step::WantHeads),
        6 => Just(Step::DeliverToResponder),
        6 => Just(Step::DeliverToRequester),
        6 => Just(Step::Read),
        10 => Just(Step::Send),
        6 => Just(Step::Consume),
    ];
    prop::collection::vec(step, 0..150)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn honest_ends_understand_each_other_in_any_order(steps in steps()) {
        let mut simulation = Simulation::new();
        for step in &steps {
            simulation.step(step);
        }
        simulation.settle();
        prop_assert_eq!(simulation.heads_open, 0);
    }
}
