//! `KeyScan`: the rows of many keys, each looked up from where the one before was found.
#![deny(clippy::indexing_slicing)]

use std::collections::VecDeque;
use std::ops::Range;

use super::bounds::Bounds;
use super::cursor::Malformed;
use super::manifest::{RowEntry, Section};
use super::rows::{ColumnSet, Piece, Row, WIDTH_MAX};
use super::run::Run;
use super::scan::{AnyBlock, Visit, corrupt, edge_positions, in_order};
use crate::batch::{BATCH_ROWS, Batch};
use crate::block::BlockId;
use crate::dataset::{DatasetError, Places, Scan};
use crate::model::{EdgePattern, GraphFilter, TermId};

/// So many blocks at most are asked for at once.
const AHEAD_BLOCKS_MAX: usize = 16;

/// Rows within bounds that have one of some keys in the first open place, in sort order.
pub struct KeyScan {
    run: Run,
    section: Section,
    bounds: Bounds,
    wanted: Vec<bool>,
    /// What is read of a piece.
    columns: ColumnSet,
    keys: Keys,
    /// Blocks with their place in the section.
    asked: VecDeque<(usize, AnyBlock)>,
    /// The block and the piece where the rows of the key go on, if they do.
    rest: Option<(usize, usize)>,
}

/// Sorted keys, and the first whose rows are not all there yet.
struct Keys {
    ids: Vec<u64>,
    next: usize,
    place: usize,
}

impl KeyScan {
    pub fn begin(run: Run, section: Section, bounds: Bounds, wanted: Vec<bool>, keys: &[TermId]) -> KeyScan {
        let keys = Keys::new(&bounds, keys);
        let columns = bounds.columns(&wanted);
        KeyScan { run, section, bounds, wanted, columns, keys, asked: VecDeque::new(), rest: None }
    }

    /// Appends rows to `out` until there are enough or none are left; returns how many.
    pub fn fill(&mut self, out: &mut [Vec<TermId>]) -> Result<usize, DatasetError> {
        self.visit(&mut |bounds, piece, ranges, wanted| bounds.collect(piece, ranges, wanted, out))
    }

    /// Shows the rows of keys to `visit` until it took enough or none are left; returns how many it took.
    pub fn visit(&mut self, visit: &mut Visit<'_>) -> Result<usize, DatasetError> {
        let (mut count, mut past) = (0, None);
        while count < BATCH_ROWS
            && let Some((low, _)) = self.keys.bounds(&self.bounds)
        {
            let (index, piece) = match self.rest.take() {
                Some((index, piece)) => (index, Some(piece)),
                None => (block_of(self.run.entries(self.section), &low), None),
            };
            self.ask(index)?;
            let entries = self.run.entries(self.section);
            let Some(id) = entries.get(index).map(|entry| entry.id) else { break };
            let Some((_, block)) = self.asked.front() else { break };
            let rows = block.rows();
            let at = piece.unwrap_or_else(|| rows.first_piece_from(&low));
            let (next, after) = match rows.first_of(at + 1) {
                Some(first) => (Some(first), (index, at + 1)),
                None => (entries.get(index + 1).map(|entry| &entry.first), (index + 1, 0)),
            };
            // A key that is not in a piece is looked for after it; blocks from outside may be out of order.
            if past.is_some_and(|past| (index, at) <= past) {
                return Err(corrupt(id, "its rows are out of order"));
            }
            let (piece, key) = (self.run.piece(id, rows, at, self.columns)?, self.keys.next);
            let malformed = |error| DatasetError::from(rows.corrupt(error));
            let (ranges, goes_on) = self.keys.take(&self.bounds, &piece, next).map_err(malformed)?;
            count += visit(&self.bounds, &piece, &ranges, &self.wanted).map_err(malformed)?;
            self.rest = goes_on.then_some(after);
            past = (self.keys.next == key).then_some((index, at));
        }
        Ok(count)
    }

    /// Sees to it that the first block that was asked for is that of a place.
    fn ask(&mut self, index: usize) -> Result<(), DatasetError> {
        while self.asked.front().is_some_and(|(asked, _)| *asked != index) {
            self.asked.pop_front();
        }
        if self.asked.is_empty() {
            let entries = self.run.entries(self.section);
            let places = self.keys.blocks(&self.bounds, entries, index, AHEAD_BLOCKS_MAX);
            let wanted: Vec<&RowEntry> = places.iter().filter_map(|place| entries.get(*place)).collect();
            let blocks = AnyBlock::get(&self.run, self.section, &wanted)?;
            self.asked.extend(places.into_iter().zip(blocks));
        }
        Ok(())
    }
}

/// Returns the first blocks of a section that may have rows of sorted keys.
pub fn blocks_of_keys(
    entries: &[RowEntry],
    bounds: &Bounds,
    keys: &[TermId],
    blocks_max: usize,
) -> Vec<BlockId> {
    let keys = Keys::new(bounds, keys);
    let Some((low, _)) = keys.bounds(bounds) else { return Vec::new() };
    let places = keys.blocks(bounds, entries, block_of(entries, &low), blocks_max);
    places.into_iter().filter_map(|place| entries.get(place)).map(|entry| entry.id).collect()
}

/// An open scan of the edges of some names, sorted by name.
pub struct NamedEdges {
    rows: KeyScan,
}

impl NamedEdges {
    pub(super) fn begin(run: Run, pattern: &EdgePattern, places: Places, names: &[TermId]) -> NamedEdges {
        let EdgePattern { subject, predicate, object, graph, .. } = pattern;
        let graph = if run.is_whole(graph) { &GraphFilter::All } else { graph };
        let bounds = Bounds::new(&[None, *subject, *predicate, *object, None], graph, 4);
        let section = Section::EdgesByEdge;
        let wanted = edge_positions(section).iter().map(|position| places.contains(*position)).collect();
        NamedEdges { rows: KeyScan::begin(run, section, bounds, wanted, names) }
    }
}

impl Scan for NamedEdges {
    fn next_batch(&mut self) -> Result<Option<Batch>, DatasetError> {
        let mut columns: [Vec<TermId>; WIDTH_MAX] = Default::default();
        let count = self.rows.fill(&mut columns)?;
        Ok(in_order(columns, edge_positions(Section::EdgesByEdge), count))
    }
}

/// Returns the last block that begins before a row, or else the first.
fn block_of(entries: &[RowEntry], low: &Row) -> usize {
    entries.partition_point(|entry| entry.first < *low).saturating_sub(1)
}

impl Keys {
    /// Returns the least and the greatest row that the next key may have; `None` after the last.
    fn bounds(&self, bounds: &Bounds) -> Option<(Row, Row)> {
        self.ids.get(self.next).map(|key| bounds.of_key(self.place, *key))
    }

    /// Passes over the keys whose rows, as far as the piece has some, end in it. Returns their ranges, and whether
    /// those of the next key go on in the piece after it, whose first row is `after`.
    fn take(
        &mut self,
        bounds: &Bounds,
        piece: &Piece<'_>,
        after: Option<&Row>,
    ) -> Result<(Vec<Range<usize>>, bool), Malformed> {
        let mut open = piece.within(&bounds.low, &bounds.high)?;
        let mut ranges = Vec::new();
        while let Some(key) = self.ids.get(self.next) {
            let found = piece.within_place(self.place, open.clone(), *key, *key)?;
            let reaches_end = found.end == piece.rows();
            open.start = found.end;
            if !found.is_empty() {
                ranges.push(found);
            }
            if reaches_end {
                let (low, high) = bounds.of_key(self.place, *key);
                // The key may begin farther on, go on in the next piece, or be done.
                let is_ahead = after.is_some_and(|after| *after < low);
                let goes_on = !is_ahead && after.is_some_and(|after| *after <= high);
                self.next += usize::from(!is_ahead && !goes_on);
                return Ok((ranges, goes_on));
            }
            self.next += 1;
        }
        Ok((ranges, false))
    }

    fn new(bounds: &Bounds, keys: &[TermId]) -> Keys {
        // Where no place is open there is nothing to look up.
        let place = bounds.open_place();
        let ids = keys.iter().filter(|_| place.is_some()).map(|key| key.to_bits()).collect();
        Keys { ids, next: 0, place: place.unwrap_or_default() }
    }

    /// Returns the places of the next blocks that may have rows of keys, from `first` on.
    fn blocks(&self, bounds: &Bounds, entries: &[RowEntry], first: usize, blocks_max: usize) -> Vec<usize> {
        let mut places = vec![first];
        let mut next = self.next;
        while let Some(last) = places.last().copied().filter(|_| places.len() < blocks_max)
            && let Some(after) = entries.get(last + 1)
        {
            // The first key that has rows past the last block, if it has any.
            let rest = self.ids.get(next..).unwrap_or_default();
            next += rest.partition_point(|key| bounds.of_key(self.place, *key).1 < after.first);
            let Some(key) = self.ids.get(next) else { break };
            places.push(block_of(entries, &bounds.of_key(self.place, *key).0).max(last + 1));
        }
        places
    }
}
