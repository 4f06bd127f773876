//! What the decoders of this room must bear, as functions of bytes: `fuzz/` calls them with whatever
//! it comes up with, the test below with every single-bit change of real encodings.

use std::sync::Arc;

use super::change_set::{ChangeSet, Changes};
use super::view::View;
use super::{Commit, CommitChanges, CommitId, Origin, Settings, SignedCommit};
use crate::block::{BlockId, BlockKind, BlockReader, SealedBlock};
use crate::blockstore::MemoryStore;
use crate::crypto::{EpochKey, SecretKey, WorkspaceId};
use crate::model::{Literal, NamedNode, Permutation, Quad, QuadPattern, Term, TermId};

/// Name and function of each target.
pub const TARGETS: &[(&str, fn(&[u8]))] = &[("commit", commit), ("change_set", change_set)];

/// Returns real encodings to begin with, and the name of the target that each is for.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let author = SecretKey::from_seed(&[3; 32]);
    let genesis = Commit {
        parents: Vec::new(),
        changes: CommitChanges::Block(BlockId::of(b"changes")),
        author: author.public(),
        time_ms: -5,
        message: "begin ⚓".to_owned(),
        origin: Origin::Genesis(Settings { name: "fleet".to_owned(), ..Settings::default() }),
    };
    let parents = vec![CommitId(BlockId::of(b"parent"))];
    let origin = Origin::Of(CommitId(BlockId::of(b"genesis")));
    let next = Commit { parents, origin, ..genesis.clone() };
    let mut seeds = Vec::new();
    for commit in [genesis, next] {
        let (_, block) = commit.seal(&author, &key());
        seeds.push(("commit", opened(&block, BlockKind::Commit)));
    }
    for count in [0, 1, 12, 60] {
        seeds.push(("change_set", change_set_of(count)));
    }
    seeds
}

/// Bytes: the content of a commit block.
pub fn commit(bytes: &[u8]) {
    let block = SealedBlock::seal(BlockKind::Commit, bytes, &key());
    let plain = block.open(BlockKind::Commit, &key()).expect("it was sealed just now");
    let Ok(signed) = SignedCommit::decode(&plain) else { return };
    let (unsigned, _) = bytes.split_last_chunk::<64>().expect("a commit ends in its signature");
    assert_eq!(signed.commit.to_bytes(), unsigned, "a commit has one encoding");
    let _ = (signed.verify(key().workspace()), signed.genesis());
}

/// Bytes: the content of a change set, as a commit holds it, which is laid over an empty view.
pub fn change_set(bytes: &[u8]) {
    let Ok(change_set) = ChangeSet::of_bytes(bytes) else { return };
    assert_eq!(change_set.to_bytes(), bytes, "a change set has one encoding");
    let store = Arc::new(MemoryStore::new());
    let reader = BlockReader::new(store.clone(), key(), 1 << 20);
    let mut view = View::default();
    let Ok(changes) = Changes::read(of(), &change_set, &mut view, &reader) else { return };
    if view.apply(&changes).is_err() {
        return;
    }
    let mut scan = view.scan(&QuadPattern::default(), Permutation::Spo).expect("all is in memory");
    while let Some(batch) = scan.next_batch().expect("all is in memory") {
        let ids: Vec<TermId> = batch.columns().concat().into_iter().filter(|id| !id.is_undefined()).collect();
        assert!(view.terms(&ids).is_ok(), "what can be scanned can be named");
    }
    write_again(changes, &view, &key(), &store);
}

/// Writes changes that were read, and reads them again.
fn write_again(changes: Changes, view: &View, key: &EpochKey, store: &Arc<MemoryStore>) {
    let sorted = |changes: &Changes| {
        [&changes.added, &changes.removed].map(|quads| {
            let mut quads: Vec<Quad> = quads.clone();
            quads.sort_unstable_by_key(|quad| Permutation::Spo.key(quad));
            quads.dedup();
            quads
        })
    };
    let expected = sorted(&changes);
    let Ok(written) = changes.write(view, key, &**store) else { return };
    let reader = BlockReader::new(store.clone(), key.clone(), 1 << 20);
    let change_set = match written {
        CommitChanges::Here(change_set) => change_set,
        CommitChanges::Block(id) => reader.get_decoded(&[id]).expect("it was put just now").remove(0),
        CommitChanges::Nothing => unreachable!("changes are never written as nothing"),
    };
    let again =
        Changes::read(of(), &change_set, &mut view.clone(), &reader).expect("it was written just now");
    assert_eq!(sorted(&again), expected);
}

fn of() -> CommitId {
    CommitId(BlockId::of(b"commit"))
}

/// Returns a change set that adds so many quads, and removes some others.
fn change_set_of(count: usize) -> Vec<u8> {
    let mut view = View::default();
    let mut changes = Changes::default();
    let iri = |n: usize| Term::from(NamedNode::new_unchecked(format!("http://example.org/{n}")));
    for n in 0..count {
        let objects = [iri(n / 2), Literal::from(n as i64).into(), Literal::new_simple_literal("x").into()];
        let terms = [iri(n), iri(n % 3), objects[n % 3].clone()];
        let [subject, predicate, object] = terms.map(|term| view.intern(&term).expect("there is room"));
        let quad = Quad { subject, predicate, object, graph: TermId::UNDEFINED };
        if n % 4 == 3 { changes.removed.push(quad) } else { changes.added.push(quad) }
    }
    match changes.write(&view, &key(), &MemoryStore::new()).expect("memory takes all") {
        CommitChanges::Here(change_set) => change_set.to_bytes(),
        other => unreachable!("it is small: {other:?}"),
    }
}

fn opened(block: &SealedBlock, kind: BlockKind) -> Vec<u8> {
    block.clone().open(kind, &key()).expect("it was sealed under this key").data().to_vec()
}

fn key() -> EpochKey {
    EpochKey::from_secret([1; 32], WorkspaceId([2; 32]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::fuzzing::change_every_bit;

    /// Every single-bit change of a real encoding is refused, or is well-formed itself.
    #[test]
    fn no_single_bit_does_harm() {
        change_every_bit(TARGETS, seeds());
    }
}
