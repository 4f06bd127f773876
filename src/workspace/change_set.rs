//! `ChangeSet`: the exact quads that one commit added and removed, as blocks.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::Arc;

use super::encoding::{DecodeError, Decoder, Encoder};
use super::view::View;
use super::{Workspace, WorkspaceError};
use crate::block::{BlockError, BlockId, BlockKind, BlockReader, SealedBlock};
use crate::model::{Quad, Term, TermId};

const MAGIC: &[u8; 4] = b"RFCS";
const VERSION: u8 = 1;

/// Effective changes, as ids of the view that they were made in.
pub struct Changes {
    pub added: Vec<Quad>,
    pub removed: Vec<Quad>,
}

/// Seals and stores a change set; returns its blocks.
pub fn write(changes: &Changes, view: &View, workspace: &Workspace) -> Result<Vec<BlockId>, WorkspaceError> {
    let mut ids = BTreeSet::new();
    for quad in changes.added.iter().chain(&changes.removed) {
        ids.extend(
            [quad.subject, quad.predicate, quad.object, quad.graph]
                .into_iter()
                .filter(|id| !id.is_undefined()),
        );
    }
    let ids: Vec<TermId> = ids.into_iter().collect();
    let terms = view.terms(&ids)?;
    let texts: BTreeMap<TermId, String> =
        ids.iter().copied().zip(terms.iter().map(Term::to_string)).collect();
    let mut sorted: Vec<&String> = texts.values().collect();
    sorted.sort();
    let mut encoder = Encoder::new(MAGIC, VERSION);
    encoder.len(sorted.len());
    for text in &sorted {
        encoder.bytes(text.as_bytes());
    }
    for quads in [&changes.added, &changes.removed] {
        let rank = |id: TermId| {
            texts.get(&id).and_then(|text| sorted.binary_search(&text).ok()).map_or(0, |r| r as u32 + 1)
        };
        let mut rows: Vec<[u32; 4]> =
            quads.iter().map(|q| [q.subject, q.predicate, q.object, q.graph].map(rank)).collect();
        rows.sort_unstable();
        encoder.len(rows.len());
        for id in rows.into_iter().flatten() {
            encoder.u32(id);
        }
    }
    let block = SealedBlock::seal(BlockKind::ChangeSet, &encoder.finish(), &workspace.inner.key);
    let id = block.id();
    workspace.inner.store.put(&[block])?;
    Ok(vec![id])
}

/// Lays a change set over a view.
pub fn apply(view: &mut View, blocks: &[BlockId], reader: &Arc<BlockReader>) -> Result<(), WorkspaceError> {
    let wanted: Vec<_> = blocks.iter().map(|id| (*id, BlockKind::ChangeSet)).collect();
    for block in reader.get(&wanted)? {
        let (terms, added, removed) =
            decode(block.data()).map_err(|error| BlockError::from(block.corrupt(error.to_string())))?;
        let ids = terms.iter().map(|term| view.intern(term)).collect::<Result<Vec<_>, _>>()?;
        let quad = |row: [u32; 4]| {
            let [subject, predicate, object, graph] =
                row.map(|rank| rank.checked_sub(1).map_or(TermId::UNDEFINED, |rank| ids[rank as usize]));
            Quad { subject, predicate, object, graph }
        };
        for row in removed {
            view.remove(&quad(row))?;
        }
        for row in added {
            view.insert(&quad(row))?;
        }
    }
    Ok(())
}

type Decoded = (Vec<Term>, Vec<[u32; 4]>, Vec<[u32; 4]>);

fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let mut decoder = Decoder::new(bytes, MAGIC, VERSION)?;
    let count = decoder.len(4)?;
    let mut terms = Vec::with_capacity(count);
    for _ in 0..count {
        let text = decoder.text()?;
        terms.push(Term::from_str(&text).map_err(|_| DecodeError("a term is malformed"))?);
    }
    let mut sides = [Vec::new(), Vec::new()];
    for side in &mut sides {
        for _ in 0..decoder.len(16)? {
            let row = [decoder.u32()?, decoder.u32()?, decoder.u32()?, decoder.u32()?];
            if row.iter().any(|rank| *rank as usize > terms.len()) {
                return Err(DecodeError("a quad names a term that is not there"));
            }
            side.push(row);
        }
    }
    decoder.finish()?;
    let [added, removed] = sides;
    Ok((terms, added, removed))
}
