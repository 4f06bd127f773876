//! Nodes on loopback: fetching, refusing, losing and finding each other again.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "network/raw_peer.rs"]
mod raw_peer;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use raw_peer::{Lie, RawPeer};
use reefloom::block::{BlockError, BlockId, BlockSink, BlockSource, SealedBlock, UntrustedBlock};
use reefloom::blockstore::MemoryStore;
use reefloom::network::{
    FetchReport, HeadExchange, Limits, Multiaddr, NetworkKey, Node, NodeOptions, PeerId, WorkspaceTag,
};

const TAG: WorkspaceTag = WorkspaceTag([5; 32]);
const KEY: [u8; 32] = [6; 32];

/// Heads that are nothing but a few fixed bytes.
struct FixedHeads(Vec<u8>);

impl HeadExchange for FixedHeads {
    fn heads(&self) -> Vec<u8> {
        self.0.clone()
    }

    fn receive(&self, _: PeerId, _: Vec<u8>) {}
}

struct Member {
    node: Node,
    store: Arc<MemoryStore>,
}

impl Member {
    fn start(seed: u8) -> Member {
        Member::restart(seed, "/ip4/127.0.0.1/tcp/0".parse().unwrap(), Arc::new(MemoryStore::new()), KEY)
    }

    fn restart(seed: u8, listen: Multiaddr, store: Arc<MemoryStore>, key: [u8; 32]) -> Member {
        let limits = Limits {
            stall_timeout: Duration::from_secs(2),
            reconnect_wait: Duration::from_millis(1500),
            ..Limits::default()
        };
        let node =
            Node::start(NodeOptions { listen: vec![listen], identity_seed: [seed; 32], limits }).unwrap();
        let heads = Arc::new(FixedHeads(vec![seed]));
        node.serve(TAG, NetworkKey::from_bytes(key), store.clone(), heads);
        Member { node, store }
    }

    fn knows(&self, other: &Member) {
        self.node.add_peer(TAG, other.node.peer_id(), &other.node.listen_addrs());
    }

    fn fetch(&self, ids: &[BlockId]) -> (Vec<SealedBlock>, FetchReport) {
        let mut fetch = self.node.fetch(TAG, ids, Instant::now() + Duration::from_secs(20));
        let blocks: Vec<SealedBlock> = fetch.by_ref().collect();
        (blocks, fetch.finish())
    }

    /// Fetches and keeps.
    fn take(&self, ids: &[BlockId]) -> FetchReport {
        let (blocks, report) = self.fetch(ids);
        self.store.put(&blocks).unwrap();
        report
    }

    fn has_all(&self, ids: &[BlockId]) -> bool {
        self.store.has(ids).unwrap().iter().all(|has| *has)
    }
}

/// Blocks as the network sees them: bytes that hash to their id.
fn blocks(count: u32, bytes: usize) -> Vec<SealedBlock> {
    let block = |n: u32| {
        let mut data = vec![0; bytes];
        blake3::Hasher::new().update(&n.to_le_bytes()).finalize_xof().fill(&mut data);
        UntrustedBlock { claimed_id: BlockId::of(&data), bytes: data }.verify().unwrap()
    };
    (0..count).map(block).collect()
}

fn ids(blocks: &[SealedBlock]) -> Vec<BlockId> {
    blocks.iter().map(SealedBlock::id).collect()
}

#[test]
fn many_blocks_come_and_nothing_is_lost() {
    let (a, b) = (Member::start(1), Member::start(2));
    let blocks = blocks(200, 64 << 10);
    a.store.put(&blocks).unwrap();
    b.knows(&a);
    let begin = Instant::now();
    let report = b.take(&ids(&blocks));
    let elapsed = begin.elapsed();
    assert!(report.missing.is_empty() && report.rejected.is_empty());
    assert!(b.has_all(&ids(&blocks)));
    let bytes: u64 = blocks.iter().map(|block| block.bytes().len() as u64).sum();
    assert_eq!(report.received[&a.node.peer_id()], (200, bytes));
    println!(
        "{} blocks, {bytes} bytes in {elapsed:?}: {:.0} MB/s",
        200,
        bytes as f64 / 1e6 / elapsed.as_secs_f64()
    );
    let told = |member: &Member| member.node.peers().remove(0);
    assert_eq!((told(&a).blocks_sent, told(&a).bytes_sent), (200, bytes));
    assert_eq!((told(&b).blocks_received, told(&b).bytes_received), (200, bytes));
    assert!(told(&b).is_connected && told(&b).last_error.is_none());
}

#[test]
fn more_than_the_window_comes_through_it() {
    let (a, b) = (Member::start(1), Member::start(2));
    let blocks = blocks(30, 1_900_000);
    a.store.put(&blocks).unwrap();
    b.knows(&a);
    assert!(b.take(&ids(&blocks)).missing.is_empty());
    assert!(b.has_all(&ids(&blocks)));
}

#[test]
fn what_nobody_has_is_told_and_the_rest_comes() {
    let (a, b) = (Member::start(1), Member::start(2));
    let blocks = blocks(10, 1000);
    a.store.put(&blocks[..7]).unwrap();
    b.knows(&a);
    let begin = Instant::now();
    let report = b.take(&ids(&blocks));
    let mut missing = ids(&blocks[7..]);
    missing.sort_unstable();
    assert_eq!(report.missing, missing);
    assert!(b.has_all(&ids(&blocks[..7])));
    assert!(begin.elapsed() < Duration::from_secs(15), "a peer that says no is not waited for");
}

#[test]
fn a_wrong_key_gets_nothing_but_a_refusal() {
    let a = Member::start(1);
    let blocks = blocks(3, 1000);
    a.store.put(&blocks).unwrap();
    let listen: Multiaddr = "/ip4/127.0.0.1/tcp/0".parse().unwrap();
    let stranger = Member::restart(9, listen, Arc::new(MemoryStore::new()), [7; 32]);
    stranger.knows(&a);
    let report = stranger.take(&ids(&blocks));
    assert_eq!(report.missing.len(), 3);
    assert!(report.failures[&a.node.peer_id()].contains("refuses"), "{:?}", report.failures);
    let heads = stranger.node.heads(TAG, Instant::now() + Duration::from_secs(5));
    assert!(heads.iter().all(|(_, heads)| heads.is_err()));
    assert!(a.node.peers().is_empty(), "a stranger is no peer of the workspace");
}

#[test]
fn a_peer_that_cannot_prove_itself_is_told_no_ids() {
    let b = Member::start(2);
    let liar = RawPeer::serving(TAG, [99; 32], Lie::None, blocks(1, 100));
    b.node.add_peer(TAG, liar.peer_id, &[liar.address.clone()]);
    let report = b.take(&ids(&blocks(1, 100)));
    assert_eq!(report.missing.len(), 1);
    assert!(report.failures[&liar.peer_id].contains("does not know"), "{:?}", report.failures);
    assert_eq!(liar.wants.load(Ordering::SeqCst), 0);
}

#[test]
fn an_independent_accepter_written_from_the_document_is_understood() {
    let b = Member::start(2);
    let blocks = blocks(40, 10_000);
    let peer = RawPeer::serving(TAG, KEY, Lie::None, blocks.clone());
    b.node.add_peer(TAG, peer.peer_id, &[peer.address.clone()]);
    let report = b.take(&ids(&blocks));
    assert!(report.missing.is_empty(), "{report:?}");
}

#[test]
fn a_tampered_block_is_refused_and_fetched_elsewhere() {
    let (b, c) = (Member::start(2), Member::start(3));
    let blocks = blocks(20, 5000);
    c.store.put(&blocks).unwrap();
    let tampered = blocks[4].id();
    let liar = RawPeer::serving(TAG, KEY, Lie::Tamper(tampered), blocks.clone());
    b.node.add_peer(TAG, liar.peer_id, &[liar.address.clone()]);
    // Alone with the liar, B learns which block is false and keeps none of it.
    let report = b.take(&[tampered]);
    assert_eq!(report.missing, [tampered]);
    assert!(matches!(&report.rejected[..],
        [(peer, BlockError::Misbehaved { id, .. })] if *peer == liar.peer_id && *id == tampered));
    assert!(report.rejected[0].1.to_string().contains(&tampered.to_string()));
    assert!(!b.has_all(&[tampered]));
    assert_eq!(b.node.peers()[0].blocks_rejected, 1);
    // C has it intact; the liar is not asked again.
    let wants = liar.wants.load(Ordering::SeqCst);
    b.knows(&c);
    let report = b.take(&ids(&blocks));
    assert!(report.missing.is_empty(), "{report:?}");
    assert_eq!(report.received.keys().collect::<Vec<_>>(), [&c.node.peer_id()]);
    assert_eq!(liar.wants.load(Ordering::SeqCst), wants);
}

#[test]
fn a_tampered_block_among_good_ones_goes_on_to_the_next_peer() {
    let (b, c) = (Member::start(2), Member::start(3));
    let blocks = blocks(60, 5000);
    c.store.put(&blocks).unwrap();
    let liar = RawPeer::serving(TAG, KEY, Lie::TamperAll, blocks.clone());
    b.node.add_peer(TAG, liar.peer_id, &[liar.address.clone()]);
    b.knows(&c);
    let report = b.take(&ids(&blocks));
    assert!(report.missing.is_empty(), "{report:?}");
    assert_eq!(report.received[&c.node.peer_id()].0, 60);
}

#[test]
fn a_peer_that_never_answers_is_given_up() {
    let (b, c) = (Member::start(2), Member::start(3));
    let blocks = blocks(8, 1000);
    c.store.put(&blocks).unwrap();
    let silent = RawPeer::serving(TAG, KEY, Lie::Silence, blocks.clone());
    b.node.add_peer(TAG, silent.peer_id, &[silent.address.clone()]);
    b.knows(&c);
    assert!(b.take(&ids(&blocks)).missing.is_empty());
}

#[test]
fn a_peer_that_floods_is_cut_off() {
    let b = Member::start(2);
    let blocks = blocks(2, 1000);
    let endless = RawPeer::serving(TAG, KEY, Lie::Endless, blocks.clone());
    b.node.add_peer(TAG, endless.peer_id, &[endless.address.clone()]);
    let report = b.take(&ids(&blocks));
    assert_eq!(report.received.values().map(|(blocks, _)| blocks).sum::<u64>(), 1);
    assert_eq!(report.missing.len(), 1);
    assert!(b.node.peers()[0].last_error.as_ref().unwrap().contains("broke the protocol"));
}

#[test]
fn a_peer_that_went_away_is_missed_and_found_again() {
    let (a, b) = (Member::start(1), Member::start(2));
    let blocks = blocks(30, 2000);
    a.store.put(&blocks).unwrap();
    b.knows(&a);
    assert!(b.take(&ids(&blocks[..10])).missing.is_empty());
    let (address, store) = (a.node.listen_addrs().remove(0), a.store.clone());
    let peer = a.node.peer_id();
    drop(a);
    let report = b.take(&ids(&blocks));
    assert_eq!(report.missing.len(), 30, "this asks for blocks that B has, too: nobody else does");
    assert!(report.failures.contains_key(&peer));
    let again = Member::restart(1, address, store, KEY);
    assert_eq!(again.node.peer_id(), peer);
    assert!(b.take(&ids(&blocks)).missing.is_empty());
}

#[test]
fn a_peer_that_comes_back_while_a_fetch_waits_is_used() {
    let (a, b) = (Member::start(1), Member::start(2));
    let blocks = blocks(5, 2000);
    a.store.put(&blocks).unwrap();
    b.knows(&a);
    let (address, store) = (a.node.listen_addrs().remove(0), a.store.clone());
    drop(a);
    let fetch = b.node.fetch(TAG, &ids(&blocks), Instant::now() + Duration::from_secs(20));
    let _again = Member::restart(1, address, store, KEY);
    assert!(fetch.finish().missing.is_empty());
}

#[test]
fn blocks_travel_on_through_a_third_node() {
    let (a, b, c) = (Member::start(1), Member::start(2), Member::start(3));
    let blocks = blocks(50, 20_000);
    a.store.put(&blocks).unwrap();
    b.knows(&a);
    assert!(b.take(&ids(&blocks)).missing.is_empty());
    drop(a);
    c.knows(&b);
    let report = c.take(&ids(&blocks));
    assert!(report.missing.is_empty());
    assert_eq!(report.received.keys().collect::<Vec<_>>(), [&b.node.peer_id()]);
}

#[test]
fn work_is_split_and_the_accepter_learns_the_opener() {
    let (a, b, c) = (Member::start(1), Member::start(2), Member::start(3));
    let blocks = blocks(600, 20_000);
    for member in [&a, &b] {
        member.store.put(&blocks).unwrap();
        c.knows(member);
    }
    let report = c.take(&ids(&blocks));
    assert!(report.missing.is_empty());
    let shares: Vec<u64> = report.received.values().map(|(blocks, _)| *blocks).collect();
    println!("shares of two peers: {shares:?}");
    assert_eq!(shares.iter().sum::<u64>(), 600);
    // A was never told of C, but C has proven itself to A: what A lacks it may ask of C.
    let more = self::blocks(601, 20_000).split_off(600);
    c.store.put(&more).unwrap();
    assert!(a.take(&ids(&more)).missing.is_empty());
}

#[test]
fn heads_are_told_to_members() {
    let (a, b) = (Member::start(1), Member::start(2));
    b.knows(&a);
    let heads = b.node.heads(TAG, Instant::now() + Duration::from_secs(5));
    assert_eq!(heads.len(), 1);
    assert_eq!((heads[0].0, heads[0].1.as_deref().unwrap()), (a.node.peer_id(), &[1][..]));
}

#[test]
fn many_threads_fetch_at_once_on_one_stream() {
    let (a, b) = (Member::start(1), Member::start(2));
    let blocks = blocks(400, 4000);
    a.store.put(&blocks).unwrap();
    b.knows(&a);
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for part in blocks.chunks(40) {
            let (b, done) = (&b, &done);
            scope.spawn(move || {
                assert!(b.take(&ids(part)).missing.is_empty());
                done.fetch_add(1, Ordering::SeqCst);
            });
        }
    });
    assert_eq!(done.into_inner(), 10);
    assert!(b.has_all(&ids(&blocks)));
}

#[test]
fn a_fetch_that_is_dropped_leaves_the_stream_usable() {
    let (a, b) = (Member::start(1), Member::start(2));
    let blocks = blocks(100, 300_000);
    a.store.put(&blocks).unwrap();
    b.knows(&a);
    for _ in 0..5 {
        let mut fetch = b.node.fetch(TAG, &ids(&blocks), Instant::now() + Duration::from_secs(10));
        assert!(fetch.next().is_some());
    }
    assert!(b.take(&ids(&blocks)).missing.is_empty());
    assert!(b.node.peers()[0].last_error.is_none());
}

#[test]
fn garbage_gets_its_sender_cut_off_and_nobody_else() {
    let (a, b) = (Member::start(1), Member::start(2));
    let blocks = blocks(50, 4000);
    a.store.put(&blocks).unwrap();
    b.knows(&a);
    assert!(b.take(&ids(&blocks[..10])).missing.is_empty());
    let want_before_hello = [&36u32.to_le_bytes()[..], &[0x12], &[0; 36]].concat();
    let oversized = [&u32::MAX.to_le_bytes()[..], &[0x12]].concat();
    let window = (16u32 << 20).to_le_bytes();
    let hello = [&102u32.to_le_bytes()[..], &[0x01, 1, 0], &[0; 64], &window, &[0; 32]].concat();
    let endless_hello = hello.repeat(100);
    for garbage in [vec![0xFF; 4096], oversized, want_before_hello, vec![0; 1 << 20], endless_hello] {
        let address = a.node.listen_addrs().remove(0);
        let answer = raw_peer::send_raw(a.node.peer_id(), address, &garbage);
        // Nothing comes back but, for a well-formed Hello without proof, a refusal.
        assert!(matches!(answer[..], [] | [1, 0, 0, 0, 0x03, 1]), "{answer:?}");
    }
    assert!(b.take(&ids(&blocks)).missing.is_empty());
    assert_eq!(a.node.peers().len(), 1);
}

#[test]
fn an_opener_that_asks_without_end_is_cut_off() {
    let a = Member::start(1);
    let address = a.node.listen_addrs().remove(0);
    let answer = raw_peer::ask_without_end(a.node.peer_id(), address, TAG, KEY);
    assert!(answer.len() < 1 << 20, "the stream ended after {} bytes", answer.len());
}

#[test]
fn a_taken_port_is_said_plainly() {
    let a = Member::start(1);
    let taken = a.node.listen_addrs().remove(0);
    let error = Node::start(NodeOptions::new(vec![taken.clone()], [3; 32])).unwrap_err().to_string();
    assert!(error.contains(&taken.to_string()) && error.contains("in use"), "{error}");
}
