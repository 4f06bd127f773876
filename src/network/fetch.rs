//! One fetch: many blocks, several peers, one deadline.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc as blocking;
use std::time::{Duration, Instant};

use libp2p::PeerId;
use tokio::sync::mpsc;

use super::assignment::{Assignment, PEERS_MAX, bit};
use super::error::NetworkError;
use super::link::{Answer, Arrived, Link, ReplyTo};
use super::node::Shared;
use super::proof::WorkspaceTag;
use crate::block::{BlockError, BlockId, SealedBlock};

/// Requests that one peer is given at once: the next is there when the first is answered.
const REQUESTS_PER_PEER: usize = 2;
const TICK: Duration = Duration::from_millis(100);
/// An idle peer is asked for what another has owed us for so long.
const HEDGE_AFTER: Duration = Duration::from_secs(1);

/// Blocks on their way: an iterator over verified blocks in the order in which they arrive, each
/// once. It blocks the thread; dropping it cancels what is under way.
pub struct Fetch {
    deliveries: blocking::Receiver<Delivery>,
    wanted: HashSet<BlockId>,
    report: Option<FetchReport>,
}

/// How a fetch went.
#[derive(Debug, Default)]
pub struct FetchReport {
    /// What nobody gave, in ascending order.
    pub missing: Vec<BlockId>,
    /// Blocks and sealed bytes that each peer gave.
    pub received: BTreeMap<PeerId, (u64, u64)>,
    /// Blocks that failed verification ([`BlockError::Misbehaved`]) and who sent them.
    pub rejected: Vec<(PeerId, BlockError)>,
    /// Why peers could not be asked, the last reason of each.
    pub failures: BTreeMap<PeerId, String>,
}

enum Delivery {
    Block(Arrived),
    Done(FetchReport),
}

impl Iterator for Fetch {
    type Item = SealedBlock;

    fn next(&mut self) -> Option<SealedBlock> {
        if self.report.is_some() {
            return None;
        }
        match self.deliveries.recv() {
            Ok(Delivery::Block(arrived)) => {
                self.wanted.remove(&arrived.id());
                Some(arrived.take())
            }
            Ok(Delivery::Done(report)) => {
                self.report = Some(report);
                None
            }
            // The node went away under us.
            Err(_) => None,
        }
    }
}

impl Fetch {
    /// Waits for the end, dropping blocks that were not taken, and tells how it went.
    pub fn finish(mut self) -> FetchReport {
        while self.next().is_some() {}
        let mut report = self.report.take().unwrap_or_default();
        report.missing = self.wanted.drain().collect();
        report.missing.sort_unstable();
        report
    }
}

/// Prepares a fetch: the caller's end, and the task to be run.
pub(super) fn start(
    shared: Arc<Shared>,
    tag: WorkspaceTag,
    ids: &[BlockId],
    deadline: Instant,
) -> (Fetch, impl Future<Output = ()> + Send + 'static) {
    let (sender, deliveries) = blocking::channel();
    let (answers, inbox) = mpsc::unbounded_channel();
    let run = Run {
        shared,
        tag,
        deadline,
        assignment: Assignment::new(ids),
        peers: Vec::new(),
        answers,
        next_request: 0,
        last_progress: Instant::now(),
        hopeless_since: None,
        deliveries: sender,
        abandoned: false,
        report: FetchReport::default(),
    };
    (Fetch { deliveries, wanted: ids.iter().copied().collect(), report: None }, run.run(inbox))
}

struct Run {
    shared: Arc<Shared>,
    tag: WorkspaceTag,
    deadline: Instant,
    assignment: Assignment,
    peers: Vec<Asked>,
    answers: mpsc::UnboundedSender<(usize, Answer)>,
    next_request: u64,
    last_progress: Instant,
    /// Since when there has been nobody to ask.
    hopeless_since: Option<Instant>,
    deliveries: blocking::Sender<Delivery>,
    /// Nobody waits for the blocks any more.
    abandoned: bool,
    report: FetchReport,
}

/// A peer, as one fetch sees it.
struct Asked {
    peer: PeerId,
    state: AskedState,
    requests: HashSet<u64>,
}

enum AskedState {
    Connecting,
    Linked(Link),
    /// Lost, or never reached: to be tried again.
    Apart,
    /// Of no use in this fetch: it refused, or misbehaved.
    Hopeless,
}

impl Run {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<(usize, Answer)>) {
        let (linked, mut links) = mpsc::unbounded_channel();
        while !self.assignment.is_done() && !self.abandoned {
            self.meet_peers();
            self.connect(&linked);
            self.ask();
            if self.is_hopeless() || Instant::now() >= self.deadline {
                break;
            }
            let wake = (Instant::now() + TICK).min(self.deadline);
            tokio::select! {
                Some((peer, answer)) = inbox.recv() => {
                    self.on_answer(peer, answer);
                    while let Ok((peer, answer)) = inbox.try_recv() {
                        self.on_answer(peer, answer);
                    }
                }
                Some((peer, link)) = links.recv() => self.on_linked(peer, link),
                () = tokio::time::sleep_until(wake.into()) => self.hedge(),
            }
        }
        for asked in &self.peers {
            if let AskedState::Linked(link) = &asked.state {
                asked.requests.iter().for_each(|request| link.cancel(*request));
            }
        }
        let _ = self.deliveries.send(Delivery::Done(self.report));
    }

    /// Takes in peers that have joined the workspace since.
    fn meet_peers(&mut self) {
        for peer in self.shared.peers().members(self.tag) {
            if self.peers.len() < PEERS_MAX && !self.peers.iter().any(|asked| asked.peer == peer) {
                self.peers.push(Asked { peer, state: AskedState::Apart, requests: HashSet::new() });
            }
        }
    }

    fn connect(&mut self, linked: &mpsc::UnboundedSender<(usize, Result<Link, NetworkError>)>) {
        for (place, asked) in self.peers.iter_mut().enumerate() {
            if matches!(asked.state, AskedState::Apart) {
                asked.state = AskedState::Connecting;
                let (shared, tag, peer, linked) = (self.shared.clone(), self.tag, asked.peer, linked.clone());
                tokio::spawn(async move {
                    let _ = linked.send((place, shared.link(tag, peer).await));
                });
            }
        }
    }

    fn ask(&mut self) {
        let sharing = self.peers.iter().filter(|asked| asked.is_linked()).count();
        for place in 0..self.peers.len() {
            while self.peers[place].is_linked() && self.peers[place].requests.len() < REQUESTS_PER_PEER {
                let ids = self.assignment.next_for(place, sharing);
                if ids.is_empty() {
                    break;
                }
                self.send_want(place, ids);
            }
        }
    }

    /// Asks idle peers for what the others are slow with.
    fn hedge(&mut self) {
        if self.last_progress.elapsed() < HEDGE_AFTER {
            return;
        }
        for place in 0..self.peers.len() {
            if self.peers[place].is_linked() && self.peers[place].requests.is_empty() {
                let ids = self.assignment.hedge_for(place);
                if !ids.is_empty() {
                    self.send_want(place, ids);
                }
            }
        }
    }

    fn send_want(&mut self, place: usize, ids: Vec<BlockId>) {
        let asked = &mut self.peers[place];
        if let AskedState::Linked(link) = &asked.state {
            let request = self.next_request;
            self.next_request += 1;
            asked.requests.insert(request);
            link.want(ReplyTo { peer: place, request, answers: self.answers.clone(), open: ids });
        }
    }

    fn on_linked(&mut self, place: usize, link: Result<Link, NetworkError>) {
        let asked = &mut self.peers[place];
        asked.state = match link {
            Ok(link) => AskedState::Linked(link),
            Err(error) => {
                self.report.failures.insert(asked.peer, error.to_string());
                match error {
                    NetworkError::Unreachable { .. } | NetworkError::Stalled { .. } => AskedState::Apart,
                    _ => AskedState::Hopeless,
                }
            }
        };
        self.last_progress = Instant::now();
    }

    fn on_answer(&mut self, place: usize, answer: Answer) {
        let asked = &mut self.peers[place];
        match answer {
            Answer::Block(arrived) => {
                let (blocks, bytes) = self.report.received.entry(asked.peer).or_default();
                *blocks += 1;
                *bytes += arrived.bytes_len() as u64;
                if self.assignment.arrived(arrived.id()) {
                    self.abandoned |= self.deliveries.send(Delivery::Block(arrived)).is_err();
                }
            }
            Answer::Missing(ids) => ids.into_iter().for_each(|id| self.assignment.failed(place, id)),
            Answer::Rejected(error) => {
                tracing::warn!(peer = %asked.peer, %error, "block refused");
                if let BlockError::Misbehaved { id, .. } = &error {
                    self.assignment.failed(place, *id);
                }
                self.report.rejected.push((asked.peer, error));
                asked.state = AskedState::Hopeless;
            }
            Answer::Ended { request, ids } => {
                asked.requests.remove(&request);
                if let AskedState::Linked(link) = &asked.state
                    && !link.is_alive()
                {
                    asked.state = AskedState::Apart;
                }
                self.assignment.unanswered(place, &ids);
            }
        }
        self.last_progress = Instant::now();
    }

    /// Returns whether nobody can be asked for what remains, and waiting has not helped.
    fn is_hopeless(&mut self) -> bool {
        if self.peers.iter().any(|asked| !asked.requests.is_empty()) {
            self.hopeless_since = None;
            return false;
        }
        let usable = |asked: &Asked| !matches!(asked.state, AskedState::Hopeless);
        let places = self.peers.iter().enumerate().filter(|(_, asked)| usable(asked));
        let hopeful = places.fold(0, |peers, (place, _)| peers | bit(place));
        if !self.assignment.has_hope(hopeful) {
            return true;
        }
        let since = *self.hopeless_since.get_or_insert_with(Instant::now);
        since.elapsed() >= self.shared.limits.reconnect_wait
    }
}

impl Asked {
    fn is_linked(&self) -> bool {
        matches!(self.state, AskedState::Linked(_))
    }
}
