//! A first block reads back under its key alone, and what is malformed is refused.

use proptest::prelude::*;

use super::*;
use crate::block::car::CarWriter;
use crate::block::{BlockId, BlockKind, SealedBlock};
use crate::blockstore::MemoryStore;
use crate::crypto::{EpochKey, WorkspaceId};
use crate::workspace::{CommitId, Head};

fn key(secret: u8) -> EpochKey {
    EpochKey::from_secret([secret; 32], WorkspaceId([2; 32]))
}

fn id(n: u8) -> BlockId {
    BlockId::of(&[n])
}

fn head(branch: &str) -> Head {
    Head { branch: branch.to_owned(), commit: CommitId(id(1)), manifest: Some((CommitId(id(2)), id(3))) }
}

fn contents(heads: &[&str], prerequisites: u8, blocks: u8) -> Contents {
    let heads = heads.iter().map(|branch| head(branch)).collect();
    let mut prerequisites: Vec<CommitId> = (0..prerequisites).map(|n| CommitId(id(n))).collect();
    prerequisites.sort();
    let blocks: Vec<BlockId> = (0..blocks).map(id).collect();
    Contents::new(heads, prerequisites, &blocks).unwrap()
}

/// Returns the first block's content as bytes.
fn bytes_of(contents: &Contents) -> Vec<u8> {
    contents.seal(&key(1)).open(BlockKind::Carrier, &key(1)).unwrap().data().to_vec()
}

#[test]
fn contents_read_back_under_their_key_only() {
    for contents in [contents(&["main"], 0, 0), contents(&["main", "entwürfe/2"], 3, 200)] {
        let sealed = contents.seal(&key(1));
        assert_eq!(Contents::open(&sealed, &key(1)).unwrap(), contents);
        let refusal = Contents::open(&sealed, &key(2)).unwrap_err();
        assert!(matches!(refusal, CarrierError::OtherWorkspace(of) if of == sealed.id()), "{refusal}");
    }
}

#[test]
fn malformed_contents_are_refused() {
    let whole = bytes_of(&contents(&["main"], 3, 9));
    assert!(Contents::decode(&whole).is_ok());
    for len in 0..whole.len() {
        assert!(Contents::decode(&whole[..len]).is_err(), "{len}");
    }
    assert!(Contents::decode(&[&whole[..], &[0]].concat()).is_err());
    for (contents, reason) in [
        (contents(&[], 0, 0), "no branch"),
        (contents(&["../etc"], 0, 0), "cannot name a branch"),
        (Contents { prerequisites: vec![CommitId(id(1)); 2], ..contents(&["main"], 0, 0) }, "not sorted"),
    ] {
        let refusal = Contents::decode(&bytes_of(&contents)).unwrap_err();
        assert!(refusal.contains(reason), "{refusal}");
    }
}

#[test]
fn a_car_with_other_roots_is_no_carrier() {
    let first = contents(&["main"], 0, 0).seal(&key(1));
    for (roots, is_carrier) in
        [(vec![first.id()], true), (vec![], false), (vec![first.id(); 2], false), (vec![id(7)], false)]
    {
        let mut car = CarWriter::new(Vec::new(), &roots).unwrap();
        car.write(&first).unwrap();
        let bytes = car.finish().unwrap();
        assert_eq!(Carrier::open(&bytes[..]).is_ok(), is_carrier, "{roots:?}");
    }
}

/// What stands in the codec's way, and what the first block says, leave no bit free.
#[test]
fn every_flipped_bit_and_every_cut_is_refused() {
    let blocks =
        [&b"a"[..], b"bb", b"ccc"].map(|content| SealedBlock::seal(BlockKind::Edges, content, &key(1)));
    let ids: Vec<BlockId> = blocks.iter().map(SealedBlock::id).collect();
    let first = Contents::new(vec![head("main")], Vec::new(), &ids).unwrap().seal(&key(1));
    let mut car = CarWriter::new(Vec::new(), &[first.id()]).unwrap();
    for block in [&[first], &blocks[..]].concat() {
        car.write(&block).unwrap();
    }
    let file = car.finish().unwrap();
    let take_in = |bytes: &[u8]| {
        let carrier = Carrier::open(bytes)?;
        let contents = carrier.contents(&key(1))?;
        carrier.receive(contents, &MemoryStore::new(), &|_| {})
    };
    assert_eq!(take_in(&file).unwrap().new_blocks, 3);
    for at in 0..file.len() {
        assert!(take_in(&file[..at]).is_err(), "cut at {at}");
        for bit in 0..8 {
            let mut flipped = file.clone();
            flipped[at] ^= 1 << bit;
            assert!(take_in(&flipped).is_err(), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn a_run_that_did_not_come_is_not_told() {
    let contents = contents(&["main"], 2, 0);
    let first = contents.seal(&key(1));
    let mut car = CarWriter::new(Vec::new(), &[first.id()]).unwrap();
    car.write(&first).unwrap();
    let bytes = car.finish().unwrap();
    let carrier = Carrier::open(&bytes[..]).unwrap();
    let arrival = carrier.receive(contents, &MemoryStore::new(), &|_| {}).unwrap();
    assert_eq!((arrival.blocks, arrival.new_blocks, arrival.bytes), (0, 0, bytes.len() as u64));
    assert!(format!("{arrival:?}").contains("manifest: None"), "{arrival:?}");
}

proptest! {
    #[test]
    fn random_contents_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Contents::decode(&bytes);
        let whole = bytes_of(&contents(&["main"], 1, 1));
        let _ = Contents::decode(&[&whole[..41], &bytes].concat());
    }
}
