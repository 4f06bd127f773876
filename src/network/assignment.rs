//! Who is asked for which block in one fetch. No I/O, no clock.

use std::collections::{HashMap, VecDeque};

use crate::block::BlockId;

/// Peers that one fetch can ask: one bit each in a word.
pub(super) const PEERS_MAX: usize = 64;
/// Ids in one request: enough to fill the window, few enough that fast peers take work from slow ones.
const REQUEST_IDS_MAX: usize = 128;

/// Splits wanted blocks among peers; what one does not have goes on to the next.
pub(super) struct Assignment {
    blocks: HashMap<BlockId, Wanted>,
    /// Ids that no peer is asked for just now, in the order in which they were wanted.
    queue: VecDeque<BlockId>,
}

#[derive(Clone, Copy, Default)]
struct Wanted {
    /// Peers that do not have it, or sent something else in its place.
    failed: u64,
    /// Peers that are being asked.
    asked: u64,
}

impl Assignment {
    pub(super) fn new(ids: &[BlockId]) -> Assignment {
        let mut blocks = HashMap::with_capacity(ids.len());
        let queue =
            ids.iter().filter(|id| blocks.insert(**id, Wanted::default()).is_none()).copied().collect();
        Assignment { blocks, queue }
    }

    /// Returns the next request for a peer; empty if it can do nothing for us now.
    ///
    /// `peers` is how many share the work.
    pub(super) fn next_for(&mut self, peer: usize, peers: usize) -> Vec<BlockId> {
        let share = self.queue.len().div_ceil(2 * peers.max(1)).clamp(1, REQUEST_IDS_MAX);
        let mut request = Vec::new();
        let mut kept = VecDeque::new();
        while request.len() < share
            && let Some(id) = self.queue.pop_front()
        {
            match self.blocks.get_mut(&id) {
                Some(wanted) if wanted.failed & bit(peer) != 0 => kept.push_back(id),
                Some(wanted) => {
                    wanted.asked |= bit(peer);
                    request.push(id);
                }
                None => {}
            }
        }
        kept.append(&mut self.queue);
        self.queue = kept;
        request
    }

    /// Returns blocks that others are being asked for and this peer was not: to ask a second time
    /// when the others are slow.
    pub(super) fn hedge_for(&mut self, peer: usize) -> Vec<BlockId> {
        let mut request: Vec<BlockId> = self
            .blocks
            .iter()
            .filter(|(_, wanted)| wanted.asked != 0 && (wanted.asked | wanted.failed) & bit(peer) == 0)
            .map(|(id, _)| *id)
            .take(REQUEST_IDS_MAX)
            .collect();
        request.sort_unstable();
        for id in &request {
            if let Some(wanted) = self.blocks.get_mut(id) {
                wanted.asked |= bit(peer);
            }
        }
        request
    }

    /// Takes a block that came; returns whether it was still wanted.
    pub(super) fn arrived(&mut self, id: BlockId) -> bool {
        self.blocks.remove(&id).is_some()
    }

    /// Says that the peer cannot give the block: it goes on to the next one.
    pub(super) fn failed(&mut self, peer: usize, id: BlockId) {
        if let Some(wanted) = self.blocks.get_mut(&id) {
            wanted.failed |= bit(peer);
        }
        self.release(peer, id);
    }

    /// Says that the request ended without an answer for these: any peer may be asked again.
    pub(super) fn unanswered(&mut self, peer: usize, ids: &[BlockId]) {
        for id in ids.iter().rev() {
            self.release(peer, *id);
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Returns whether any of these peers (a bit each) could still be asked for, or is being asked for, anything.
    pub(super) fn has_hope(&self, peers: u64) -> bool {
        self.blocks.values().any(|wanted| peers & !wanted.failed != 0)
    }

    fn release(&mut self, peer: usize, id: BlockId) {
        if let Some(wanted) = self.blocks.get_mut(&id)
            && wanted.asked & bit(peer) != 0
        {
            wanted.asked &= !bit(peer);
            if wanted.asked == 0 {
                self.queue.push_front(id);
            }
        }
    }
}

pub(super) fn bit(peer: usize) -> u64 {
    assert!(peer < PEERS_MAX, "a fetch asks at most {PEERS_MAX} peers");
    1 << peer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: u32) -> Vec<BlockId> {
        (0..count).map(|n| BlockId::of(&n.to_le_bytes())).collect()
    }

    #[test]
    fn work_is_shared_and_asked_once() {
        let mut assignment = Assignment::new(&[ids(100), ids(100)].concat());
        let mut asked = Vec::new();
        for turn in 0.. {
            let request = assignment.next_for(turn % 2, 2);
            if request.is_empty() {
                break;
            }
            asked.push(request);
        }
        assert_eq!(asked[0].len(), 25);
        assert_eq!(asked.concat(), ids(100));
    }

    #[test]
    fn a_miss_goes_on_to_the_next_peer_and_to_nobody_twice() {
        let mut assignment = Assignment::new(&ids(2));
        let first = assignment.next_for(0, 1);
        assignment.failed(0, first[0]);
        assert!(assignment.next_for(0, 1) != first);
        let second = assignment.next_for(1, 1);
        assert_eq!(second, first);
        assert!(assignment.arrived(first[0]) && !assignment.arrived(first[0]));
    }

    #[test]
    fn unanswered_requests_go_back_into_their_place() {
        let mut assignment = Assignment::new(&ids(4));
        let request = assignment.next_for(0, 1);
        assert_eq!(request, ids(4)[..2]);
        assignment.unanswered(0, &request);
        assert_eq!(assignment.next_for(1, 1), request);
    }

    #[test]
    fn hope_ends_when_all_have_failed() {
        let mut assignment = Assignment::new(&ids(1));
        for peer in [0, 1] {
            assert!(assignment.has_hope(0b11));
            let request = assignment.next_for(peer, 2);
            assignment.failed(peer, request[0]);
        }
        assert!(!assignment.has_hope(0b11) && assignment.has_hope(0b111));
        assert!(!assignment.is_done());
    }

    #[test]
    fn a_hedge_asks_only_whom_it_was_not_asked_of() {
        let mut assignment = Assignment::new(&ids(3));
        while !assignment.next_for(0, 1).is_empty() {}
        assert!(assignment.hedge_for(0).is_empty());
        assert_eq!(assignment.hedge_for(1).len(), 3);
        assert!(assignment.hedge_for(1).is_empty());
        // One answer is enough; the other peer's failure no longer matters.
        assert!(assignment.arrived(ids(3)[0]));
        assignment.failed(0, ids(3)[0]);
        // With another peer still asked, a failure does not put the id back.
        assignment.failed(0, ids(3)[1]);
        assert!(assignment.next_for(2, 1).is_empty());
    }
}
