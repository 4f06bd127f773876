//! `ChangeSet`: the exact quads that one commit added and removed, as blocks.
//!
//! It has a dictionary of its own and rows of its ids, in the encodings of a run. So the change set
//! of a first load names the very blocks of the run that it became. Drawn in `docs/block_format.md`.

use std::collections::HashMap;
use std::sync::Arc;

use super::encoding::{DecodeError, Decoder, Encoder};
use super::fold::{distinct_ids, remap};
use super::view::View;
use super::{CommitChanges, CommitId, WorkspaceError};
use crate::block::{BlockError, BlockId, BlockKind, BlockReader, BlockSink, Decode, PlainBlock, SealedBlock};
use crate::crypto::EpochKey;
use crate::graph::{self, Run, SortedTerms, WrittenSet};
use crate::model::{DictionaryId, Permutation, Quad, Term, TermId, TermKind};

const MAGIC: &[u8; 4] = b"RFCS";
const VERSION: u8 = 3;
/// How the rows of a change set are sorted.
const ORDER: Permutation = Permutation::Spo;
/// Up to this many bytes of content stand in the change set itself, so that a small commit is two
/// blocks and not five.
const INLINE_BYTES_MAX: usize = 16 << 10;
/// But no more rows than this, so that whoever writes many need not gather them first.
pub const INLINE_ROWS_MAX: usize = 4096;

/// A change set of no more bytes stands in its commit.
const COMMIT_BYTES_MAX: usize = 4 << 10;
/// So many terms are looked up at once.
const TERMS_AT_ONCE: usize = 16_384;
/// So few rows are written one by one.
const FEW_ROWS: usize = 32;

/// The parts of a change set: the contents of dictionary blocks and of blocks of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeSet {
    /// The terms, sorted; the parts of triple terms too.
    dictionary: Vec<Part>,
    /// Rows of subject, predicate, object, graph, sorted; ids are of the dictionary.
    added: Vec<Part>,
    removed: Vec<Part>,
}

/// The content of a block: in place, or in a block of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Inline(Vec<u8>),
    Block(BlockId),
    /// A few rows, of codes: 0 for no graph, 1 with an inline id after it, else a rank and 2.
    Few(Vec<u8>),
}

impl ChangeSet {
    /// Returns the change set that adds all that a run holds.
    pub fn of_run(run: &Run) -> ChangeSet {
        let parts = |ids: Vec<BlockId>| ids.into_iter().map(Part::Block).collect();
        ChangeSet {
            dictionary: parts(run.dictionary()),
            added: parts(run.permutation(ORDER)),
            removed: Vec::new(),
        }
    }

    /// Returns the change set that adds what was written as a set, of more than [`INLINE_ROWS_MAX`] rows.
    pub fn of_set(set: WrittenSet) -> ChangeSet {
        let parts = |ids: Vec<BlockId>| ids.into_iter().map(Part::Block).collect();
        ChangeSet { dictionary: parts(set.dictionary), added: parts(set.rows), removed: Vec::new() }
    }

    /// Encodes changes whose ids are those of `terms`; puts the blocks that it takes, if any.
    pub fn write(
        terms: &SortedTerms,
        added: Vec<Quad>,
        removed: Vec<Quad>,
        key: &EpochKey,
        sink: &dyn BlockSink,
    ) -> Result<ChangeSet, WorkspaceError> {
        let dictionary = graph::encode_terms(terms.keys()).into_iter();
        let dictionary: Vec<Vec<u8>> = dictionary.map(|block| block.content).collect();
        let rows = added.len() + removed.len();
        if rows <= FEW_ROWS {
            let dictionary = dictionary.into_iter().map(Part::Inline).collect();
            return Ok(ChangeSet { dictionary, added: few(added), removed: few(removed) });
        }
        let [added, removed] = [added, removed].map(|quads| graph::encode_quads(&quads, ORDER));
        let bytes: usize = [&dictionary, &added, &removed].into_iter().flatten().map(Vec::len).sum();
        let mut blocks = Vec::new();
        let mut parts = |contents: Vec<Vec<u8>>, kind: BlockKind| -> Vec<Part> {
            let part = |content: Vec<u8>| {
                if rows <= INLINE_ROWS_MAX && bytes <= INLINE_BYTES_MAX {
                    return Part::Inline(content);
                }
                let block = SealedBlock::seal(kind, &content, key);
                let id = block.id();
                blocks.push(block);
                Part::Block(id)
            };
            contents.into_iter().map(part).collect()
        };
        let change_set = ChangeSet {
            dictionary: parts(dictionary, BlockKind::Dictionary),
            added: parts(added, BlockKind::Permutation),
            removed: parts(removed, BlockKind::Permutation),
        };
        for chunk in blocks.chunks(32) {
            sink.put(chunk)?;
        }
        Ok(change_set)
    }

    /// Puts the change set where its commit finds it: into the commit if it is small.
    pub fn put(self, key: &EpochKey, sink: &dyn BlockSink) -> Result<CommitChanges, BlockError> {
        let content = self.to_bytes();
        if content.len() <= COMMIT_BYTES_MAX {
            return Ok(CommitChanges::Here(Arc::new(self)));
        }
        let mut encoder = Encoder::new(MAGIC, VERSION);
        encoder.raw(&content);
        let block = SealedBlock::seal(BlockKind::ChangeSet, &encoder.finish(), key);
        sink.put(std::slice::from_ref(&block))?;
        Ok(CommitChanges::Block(block.id()))
    }

    /// Returns the lists of parts; equal change sets have equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        for parts in [&self.dictionary, &self.added, &self.removed] {
            encoder.varint(parts.len() as u64);
            for part in parts {
                match part {
                    Part::Inline(content) => encoder.u8(0).bytes(content),
                    Part::Block(id) => encoder.u8(1).id(id),
                    Part::Few(rows) => encoder.u8(2).varint(rows.len() as u64).raw(rows),
                };
            }
        }
        encoder.finish()
    }

    /// The inverse of [`ChangeSet::to_bytes`].
    pub fn of_bytes(bytes: &[u8]) -> Result<ChangeSet, DecodeError> {
        let mut decoder = Decoder::bare(bytes);
        let change_set = ChangeSet::decode_parts(&mut decoder)?;
        decoder.finish()?;
        Ok(change_set)
    }

    /// Returns the blocks that it names.
    pub fn blocks(&self) -> impl Iterator<Item = (BlockId, BlockKind)> + '_ {
        let of = |parts: &'_ [Part], kind| {
            let ids = parts.iter().filter_map(|part| match part {
                Part::Block(id) => Some(*id),
                Part::Inline(_) | Part::Few(_) => None,
            });
            ids.map(move |id| (id, kind)).collect::<Vec<_>>()
        };
        [
            of(&self.dictionary, BlockKind::Dictionary),
            of(&self.added, BlockKind::Permutation),
            of(&self.removed, BlockKind::Permutation),
        ]
        .into_iter()
        .flatten()
    }

    fn decode_parts(decoder: &mut Decoder<'_>) -> Result<ChangeSet, DecodeError> {
        let mut sides = [Vec::new(), Vec::new(), Vec::new()];
        for parts in &mut sides {
            for _ in 0..decoder.varint()? {
                parts.push(match decoder.u8()? {
                    0 => Part::Inline(decoder.bytes()?.to_vec()),
                    1 => Part::Block(decoder.id()?),
                    2 => {
                        let len = usize::try_from(decoder.varint()?).unwrap_or(usize::MAX);
                        Part::Few(decoder.raw(len)?.to_vec())
                    }
                    _ => return Err(DecodeError("a part is neither inline nor a block")),
                });
            }
        }
        let [dictionary, added, removed] = sides;
        Ok(ChangeSet { dictionary, added, removed })
    }

    fn decode_bytes(bytes: &[u8]) -> Result<ChangeSet, DecodeError> {
        let mut decoder = Decoder::new(bytes, MAGIC, VERSION)?;
        let change_set = ChangeSet::decode_parts(&mut decoder)?;
        decoder.finish()?;
        Ok(change_set)
    }
}

/// Writes a few rows, sorted, as one part; none as none.
fn few(mut quads: Vec<Quad>) -> Vec<Part> {
    if quads.is_empty() {
        return Vec::new();
    }
    quads.sort_unstable_by_key(|quad| ORDER.key(quad));
    quads.dedup();
    let mut encoder = Encoder::default();
    for quad in quads {
        for id in ORDER.key(&quad) {
            match id.as_dictionary() {
                Some(id) => encoder.varint(id.rank + 2),
                None if id.is_undefined() => encoder.varint(0),
                None => encoder.varint(1).raw(&id.to_bits().to_le_bytes()),
            };
        }
    }
    vec![Part::Few(encoder.finish())]
}

impl Decode for ChangeSet {
    const KIND: BlockKind = BlockKind::ChangeSet;

    fn decode(block: PlainBlock) -> Result<ChangeSet, BlockError> {
        ChangeSet::decode_bytes(block.data()).map_err(|error| block.corrupt(error.to_string()))
    }

    fn weight_bytes(&self) -> usize {
        let parts = [&self.dictionary, &self.added, &self.removed].into_iter().flatten();
        parts
            .map(|part| if let Part::Inline(content) | Part::Few(content) = part { content.len() } else { 0 } + size_of::<Part>())
            .sum()
    }
}

/// Effective changes, with the ids of the view that they were made in.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    pub added: Vec<Quad>,
    pub removed: Vec<Quad>,
}

impl Changes {
    /// Returns what undoes these changes; they are effective, so nothing else is needed to know.
    pub fn inverted(self) -> Changes {
        Changes { added: self.removed, removed: self.added }
    }

    /// Writes the changes as a change set, durable with the next sync.
    pub fn write(
        &self,
        view: &View,
        key: &EpochKey,
        sink: &dyn BlockSink,
    ) -> Result<CommitChanges, WorkspaceError> {
        let mut ids = distinct_ids(&self.added);
        ids.extend(distinct_ids(&self.removed));
        ids.sort_unstable();
        ids.dedup();
        let terms = view.terms(&ids)?;
        let sorted = SortedTerms::of(&terms).map_err(WorkspaceError::Term)?;
        let own = |term: &Term| sorted.id_of(term).expect("all terms were sorted in");
        let map: HashMap<TermId, TermId> = ids.into_iter().zip(terms.iter().map(own)).collect();
        let [added, removed] = [&self.added, &self.removed].map(|quads| {
            let mut quads = quads.clone();
            remap(&mut quads, |id| map.get(&id).copied().unwrap_or(id));
            quads
        });
        Ok(ChangeSet::write(&sorted, added, removed, key, sink)?.put(key, sink)?)
    }

    /// Reads the change set of the commit `of`, and gives its terms ids of `view`.
    pub fn read(
        of: CommitId,
        change_set: &ChangeSet,
        view: &mut View,
        reader: &BlockReader,
    ) -> Result<Changes, WorkspaceError> {
        let source = Contents { id: of.0, reader };
        let mut dictionary = graph::TermsDecoder::default();
        for part in &change_set.dictionary {
            source.decode(part, BlockKind::Dictionary, |content| dictionary.push(content))?;
        }
        let terms = dictionary.finish().map_err(|error| source.corrupt(error))?;
        let mut ids = Vec::with_capacity(terms.len());
        for terms in terms.chunks(TERMS_AT_ONCE) {
            for (term, id) in terms.iter().zip(view.term_ids(terms)?) {
                let id = id.map_or_else(|| view.intern(term), Ok)?;
                ids.push((TermKind::of(term), id));
            }
        }
        Ok(Changes {
            added: source.quads(&change_set.added, &ids)?,
            removed: source.quads(&change_set.removed, &ids)?,
        })
    }
}

/// Reads the parts of one change set.
struct Contents<'a> {
    id: BlockId,
    reader: &'a BlockReader,
}

impl Contents<'_> {
    fn decode<T>(
        &self,
        part: &Part,
        kind: BlockKind,
        decode: impl FnOnce(&[u8]) -> Result<T, graph::Malformed>,
    ) -> Result<T, WorkspaceError> {
        let corrupt = |id, error: graph::Malformed| BlockError::Corrupt { id, reason: error.to_string() };
        Ok(match part {
            Part::Inline(content) | Part::Few(content) => {
                decode(content).map_err(|error| corrupt(self.id, error))?
            }
            Part::Block(id) => {
                let block = self.reader.get(&[(*id, kind)])?.pop().expect("one block was asked for");
                decode(block.data()).map_err(|error| corrupt(*id, error))?
            }
        })
    }

    fn corrupt(&self, error: graph::Malformed) -> WorkspaceError {
        BlockError::Corrupt { id: self.id, reason: error.to_string() }.into()
    }

    /// Parts must rise from one to the next: else a small change set could name a large block over and
    /// over.
    fn unsorted(&self) -> WorkspaceError {
        BlockError::Corrupt { id: self.id, reason: "its parts are not sorted".to_owned() }.into()
    }

    /// Reads rows; `ids` are the view's, by rank in the dictionary.
    fn quads(&self, parts: &[Part], ids: &[(TermKind, TermId)]) -> Result<Vec<Quad>, WorkspaceError> {
        let mut quads: Vec<Quad> = Vec::new();
        let mut whole = Vec::new();
        for part in parts {
            if let Part::Few(rows) = part {
                let damaged =
                    |error: DecodeError| BlockError::Corrupt { id: self.id, reason: error.to_string() };
                whole.extend(decode_few(rows, ids).map_err(damaged)?);
                continue;
            }
            let more =
                self.decode(part, BlockKind::Permutation, |content| graph::decode_quads(content, ORDER))?;
            if let (Some(last), Some(first)) = (quads.last(), more.first())
                && ORDER.key(last) >= ORDER.key(first)
            {
                return Err(self.unsorted());
            }
            quads.extend(more);
        }
        let foreign =
            || BlockError::Corrupt { id: self.id, reason: "a quad has an id of no term".to_owned() };
        let find = |id: TermId| match id.as_dictionary() {
            Some(DictionaryId { kind, layer: 0, rank }) => {
                let found = usize::try_from(rank).ok().and_then(|rank| ids.get(rank));
                found.filter(|(of, _)| *of == kind).map(|(_, id)| *id)
            }
            Some(_) => None,
            None => Some(id).filter(|id| id.as_local().is_none()),
        };
        for quad in &mut quads {
            for id in [&mut quad.subject, &mut quad.predicate, &mut quad.object, &mut quad.graph] {
                *id = find(*id).ok_or_else(foreign)?;
            }
        }
        quads.extend(whole);
        Ok(quads)
    }
}

/// Reads rows that [`few`] wrote; `ids` are the view's, by rank in the dictionary.
fn decode_few(rows: &[u8], ids: &[(TermKind, TermId)]) -> Result<Vec<Quad>, DecodeError> {
    let mut decoder = Decoder::bare(rows);
    let mut quads = Vec::new();
    while !decoder.is_at_end() {
        let mut key = [TermId::UNDEFINED; 4];
        for place in &mut key {
            *place = match decoder.varint()? {
                0 => TermId::UNDEFINED,
                1 => {
                    let id = TermId::from_bits(u64::from_le_bytes(decoder.array()?));
                    id.filter(|id| id.is_inline()).ok_or(DecodeError("an id is not inline"))?
                }
                code => {
                    let found = usize::try_from(code - 2).ok().and_then(|rank| ids.get(rank));
                    found.ok_or(DecodeError("a quad has an id of no term"))?.1
                }
            };
        }
        quads.push(ORDER.quad(key));
    }
    Ok(quads)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blockstore::MemoryStore;
    use crate::crypto::WorkspaceId;
    use crate::model::NamedNode;
    use proptest::prelude::*;

    fn key() -> EpochKey {
        EpochKey::from_secret([1; 32], WorkspaceId([2; 32]))
    }

    /// Returns the bytes of a change set of so many quads, added and removed in turns.
    fn bytes_of(count: usize) -> Vec<u8> {
        let names = (0..count).map(|n| NamedNode::new_unchecked(format!("http://example.org/{n}")).into());
        let names: Vec<Term> = names.collect();
        let terms = SortedTerms::of(&names).unwrap();
        let quads = (0..count).map(|n| {
            let [subject, predicate, object] = [n, n / 2, n / 3].map(|rank| terms.id(rank));
            Quad { subject, predicate, object, graph: TermId::UNDEFINED }
        });
        let (added, removed) = quads.partition(|quad: &Quad| quad.subject.to_bits().is_multiple_of(2));
        ChangeSet::write(&terms, added, removed, &key(), &MemoryStore::new()).unwrap().to_bytes()
    }

    #[test]
    fn small_ones_stand_alone_and_large_ones_name_blocks() {
        for (count, blocks) in [(0, 0), (20, 0), (100, 0), (20_000, 3)] {
            let change_set = ChangeSet::of_bytes(&bytes_of(count)).unwrap();
            assert_eq!(change_set.to_bytes(), bytes_of(count));
            assert!(change_set.blocks().count() >= blocks);
            assert_eq!(change_set.blocks().count() == 0, blocks == 0, "{count}");
        }
    }

    #[test]
    fn a_part_named_twice_is_refused() {
        let store = Arc::new(MemoryStore::new());
        let read = |change_set: ChangeSet| {
            let reader = BlockReader::new(store.clone(), key(), 1 << 20);
            Changes::read(CommitId(BlockId::of(b"commit")), &change_set, &mut View::default(), &reader)
        };
        let once = || ChangeSet::of_bytes(&bytes_of(40)).unwrap();
        assert!(read(once()).is_ok());
        let twice =
            |parts: Vec<Part>| parts.iter().cycle().take(2 * parts.len()).cloned().collect::<Vec<_>>();
        for change_set in [
            ChangeSet { dictionary: twice(once().dictionary), ..once() },
            ChangeSet { added: twice(once().added), ..once() },
            ChangeSet { removed: twice(once().removed), ..once() },
        ] {
            let refused = read(change_set).unwrap_err().to_string();
            assert!(refused.contains("are not sorted"), "{refused}");
        }
    }

    proptest! {
        #[test]
        fn changed_bytes_never_panic(count in 0usize..40, at: prop::sample::Index, byte: u8, foreign: Vec<u8>) {
            let _ = (ChangeSet::decode_bytes(&foreign), ChangeSet::of_bytes(&foreign));
            let mut bytes = bytes_of(count);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let Ok(change_set) = ChangeSet::of_bytes(&bytes) else { return Ok(()) };
            let reader = BlockReader::new(Arc::new(MemoryStore::new()), key(), 1 << 20);
            let mut view = View::default();
            let of = CommitId(BlockId::of(b"commit"));
            if let Ok(changes) = Changes::read(of, &change_set, &mut view, &reader) {
                view.apply(&changes).unwrap();
            }
        }
    }
}
