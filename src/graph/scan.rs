//! Scans of a run: the blocks within the bounds, some at a time, then the rows that match.
#![deny(clippy::indexing_slicing)]

use std::collections::VecDeque;
use std::ops::Range;
use std::slice;
use std::sync::Arc;

use super::bounds::Bounds;
use super::cursor::Malformed;
use super::key_scan::KeyScan;
use super::manifest::{RowEntry, Section};
use super::rows::{EdgeRowBlock, Piece, Row, RowBlock, WIDTH_MAX};
use super::run::Run;
use crate::batch::{BATCH_ROWS, Batch};
use crate::block::{BlockError, BlockId};
use crate::dataset::{DatasetError, Keys, Places, Runs, Scan};
use crate::model::{EdgeOrder, EdgePattern, GraphFilter, Permutation, QuadPattern, TermId};

/// A scan asks for so many blocks at once in the end; it begins with few, since it may end early.
const AHEAD_BLOCKS_MAX: usize = 16;
const AHEAD_BLOCKS_FIRST: usize = 2;

/// A row block of either kind.
pub enum AnyBlock {
    Quads(Arc<RowBlock>),
    Edges(Arc<EdgeRowBlock>),
}

impl AnyBlock {
    /// Gets the blocks of some entries of a section, in order.
    ///
    /// # Errors
    /// If they cannot be had, or are not what their manifest says.
    pub fn get(run: &Run, section: Section, entries: &[&RowEntry]) -> Result<Vec<AnyBlock>, DatasetError> {
        let ids: Vec<BlockId> = entries.iter().map(|entry| entry.id).collect();
        let reader = run.reader();
        let blocks: Vec<AnyBlock> = if section.width() == WIDTH_MAX {
            reader.get_decoded(&ids)?.into_iter().map(AnyBlock::Edges).collect()
        } else {
            reader.get_decoded(&ids)?.into_iter().map(AnyBlock::Quads).collect()
        };
        for (block, entry) in blocks.iter().zip(entries) {
            if block.rows().width() != section.width() || block.rows().rows() != entry.rows as usize {
                return Err(corrupt(entry.id, "it is not what its manifest says"));
            }
        }
        Ok(blocks)
    }

    pub fn rows(&self) -> &RowBlock {
        match self {
            AnyBlock::Quads(block) => block,
            AnyBlock::Edges(block) => &block.0,
        }
    }
}

/// What is done with the rows of a piece that stand in ascending ranges, as far as they match; gets the places that
/// are wanted too. Returns how many rows matched.
pub type Visit<'a> =
    dyn FnMut(&Bounds, &Piece<'_>, &[Range<usize>], &[bool]) -> Result<usize, Malformed> + 'a;

/// Rows of one section within bounds, in sort order.
struct RowScan {
    run: Run,
    section: Section,
    bounds: Bounds,
    /// The places, in the order of the sort key, whose columns are read.
    wanted: Vec<bool>,
    /// Blocks that are not asked for yet.
    to_ask: Range<usize>,
    asked: VecDeque<(AnyBlock, BlockId)>,
    ahead: usize,
    piece: usize,
    /// A batch has about so many rows: few after a seek, since another may follow.
    batch_rows: usize,
}

impl RowScan {
    fn begin(run: Run, section: Section, bounds: Bounds, wanted: Vec<bool>) -> Result<RowScan, DatasetError> {
        let mut scan = RowScan {
            to_ask: bounds.blocks(run.entries(section)),
            run,
            section,
            bounds,
            wanted,
            asked: VecDeque::new(),
            ahead: AHEAD_BLOCKS_FIRST,
            piece: 0,
            batch_rows: BATCH_ROWS,
        };
        scan.ask()?;
        Ok(scan)
    }

    /// Asks for the next blocks, but for those of other graphs, if none are at hand.
    fn ask(&mut self) -> Result<(), DatasetError> {
        if !self.asked.is_empty() || self.to_ask.is_empty() {
            return Ok(());
        }
        let entries = self.run.entries(self.section);
        let mut asked = Vec::new();
        while asked.len() < self.ahead
            && let Some(entry) = self.to_ask.next().and_then(|index| entries.get(index))
        {
            asked.extend(entry.graphs.may_match(&self.bounds.graph).then_some(entry));
        }
        self.ahead = (self.ahead * 2).min(AHEAD_BLOCKS_MAX);
        let blocks = AnyBlock::get(&self.run, self.section, &asked)?;
        self.asked.extend(blocks.into_iter().zip(asked.iter().map(|entry| entry.id)));
        if let Some((block, _)) = self.asked.front() {
            self.piece = block.rows().first_piece_from(&self.bounds.low);
        }
        Ok(())
    }

    /// As [`Scan::seek`].
    fn seek(&mut self, key: TermId) {
        if !self.bounds.seek(key.to_bits()) {
            return;
        }
        let low = self.bounds.low;
        let is_below = |first: Option<&Row>| first.is_some_and(|first| *first < low);
        let entries = self.run.entries(self.section);
        let mut has_skipped = false;
        while let Some((block, _)) = self.asked.front() {
            let next = self.asked.get(1).map(|(block, _)| block.rows().first_of(0));
            let next = next.unwrap_or_else(|| entries.get(self.to_ask.start).map(|entry| &entry.first));
            if !is_below(next) {
                let piece = block.rows().first_piece_from(&low);
                has_skipped |= piece > self.piece;
                self.piece = self.piece.max(piece);
                break;
            }
            (self.piece, has_skipped) = (0, true);
            self.asked.pop_front();
        }
        if self.asked.is_empty() {
            self.to_ask.start = self.to_ask.start.max(self.bounds.blocks(entries).start);
            self.ahead = AHEAD_BLOCKS_FIRST;
        }
        if has_skipped {
            self.batch_rows = 1;
        }
    }

    /// Appends matching rows to `out` until there are enough or the scan ends; returns how many, and whether it goes
    /// on.
    fn fill(&mut self, out: &mut [Vec<TermId>]) -> Result<(usize, bool), DatasetError> {
        self.visit(&mut |bounds, piece, ranges, wanted| bounds.collect(piece, ranges, wanted, out))
    }

    /// Shows the pieces that may have matching rows to `visit`, which tells how many it took, until there are enough or
    /// the scan ends; returns how many were taken, and whether the scan goes on.
    fn visit(&mut self, visit: &mut Visit<'_>) -> Result<(usize, bool), DatasetError> {
        let mut count = 0;
        while count < self.batch_rows {
            self.ask()?;
            let Some((block, id)) = self.asked.front() else { return Ok((count, false)) };
            let rows = block.rows();
            if rows.first_of(self.piece).is_none_or(|first| *first > self.bounds.high) {
                self.asked.pop_front();
                self.piece = 0;
                continue;
            }
            // The ends of ranges are what lookups read, again and again.
            let is_last_block = self.asked.len() == 1 && self.to_ask.is_empty();
            let is_end = rows.first_of(self.piece).is_some_and(|first| *first < self.bounds.low)
                || rows.first_of(self.piece + 1).map_or(is_last_block, |next| *next > self.bounds.high);
            let malformed = |error| DatasetError::from(rows.corrupt(error));
            count += if is_end {
                let piece = self.run.piece(*id, rows, self.piece, self.bounds.columns(&self.wanted))?;
                let within = piece.within(&self.bounds.low, &self.bounds.high).map_err(malformed)?;
                visit(&self.bounds, &piece, &[within], &self.wanted).map_err(malformed)?
            } else {
                let is_read = |place| self.wanted.get(place) == Some(&true) || self.bounds.asks(place);
                let piece = rows.piece(self.piece, is_read)?;
                let whole = 0..piece.rows();
                visit(&self.bounds, &piece, slice::from_ref(&whole), &self.wanted).map_err(malformed)?
            };
            self.piece += 1;
        }
        self.batch_rows = (self.batch_rows * 2).min(BATCH_ROWS);
        Ok((count, true))
    }
}

pub fn corrupt(id: BlockId, reason: &str) -> DatasetError {
    BlockError::Corrupt { id, reason: reason.to_owned() }.into()
}

/// Puts columns that stand in the order of a sort key at their positions; those that were not read are undefined.
pub fn in_order<const N: usize>(
    columns: [Vec<TermId>; N],
    positions: [usize; N],
    count: usize,
) -> Option<Batch> {
    let mut ordered: Vec<Vec<TermId>> = vec![Vec::new(); N];
    for (mut column, position) in columns.into_iter().zip(positions) {
        column.resize(count, TermId::UNDEFINED);
        if let Some(slot) = ordered.get_mut(position) {
            *slot = column;
        }
    }
    (count > 0).then(|| Batch::new(ordered, count))
}

/// An open scan of quads.
pub struct RunScan {
    rows: QuadRows,
    permutation: Permutation,
}

/// Where quads come from: all within bounds, or those of some keys.
enum QuadRows {
    Within(RowScan),
    OfKeys(KeyScan),
}

impl RunScan {
    pub(super) fn begin(
        run: Run,
        pattern: &QuadPattern,
        permutation: Permutation,
        places: Places,
    ) -> Result<RunScan, DatasetError> {
        let bounds = Bounds::of_quads(pattern, permutation);
        let wanted = wanted_columns(permutation, places);
        let rows = RowScan::begin(run, Section::of(permutation), bounds, wanted)?;
        Ok(RunScan { rows: QuadRows::Within(rows), permutation })
    }

    /// As [`RunScan::begin`], with the rows of `keys` alone.
    pub(super) fn of_keys(
        run: Run,
        pattern: &QuadPattern,
        permutation: Permutation,
        places: Places,
        keys: Keys<'_>,
    ) -> Result<RunScan, DatasetError> {
        let (bounds, section) = (Bounds::of_quads(pattern, permutation), Section::of(permutation));
        let wanted = wanted_columns(permutation, places);
        let rows = match keys {
            Keys::Listed(keys) => QuadRows::OfKeys(KeyScan::begin(run, section, bounds, wanted, keys)),
            Keys::Within(range) => {
                QuadRows::Within(RowScan::begin(run, section, bounds.within(range), wanted)?)
            }
        };
        Ok(RunScan { rows, permutation })
    }
}

fn wanted_columns(permutation: Permutation, places: Places) -> Vec<bool> {
    permutation.positions().iter().map(|position| places.contains(*position)).collect()
}

impl Scan for RunScan {
    fn next_batch(&mut self) -> Result<Option<Batch>, DatasetError> {
        let mut columns: [Vec<TermId>; 4] = Default::default();
        let count = match &mut self.rows {
            QuadRows::Within(rows) => rows.fill(&mut columns)?.0,
            QuadRows::OfKeys(rows) => rows.fill(&mut columns)?,
        };
        Ok(in_order(columns, self.permutation.positions(), count))
    }

    fn next_runs(&mut self, column: usize) -> Result<Option<Runs>, DatasetError> {
        let positions = self.permutation.positions();
        let place = positions.iter().position(|position| *position == column).unwrap_or_default();
        let mut runs = Runs::default();
        let count: &mut Visit<'_> =
            &mut |bounds, piece, ranges, _| bounds.runs(piece, ranges, place, &mut runs);
        match &mut self.rows {
            QuadRows::Within(rows) => drop(rows.visit(count)?),
            QuadRows::OfKeys(rows) => drop(rows.visit(count)?),
        }
        Ok((!runs.is_empty()).then_some(runs))
    }

    fn seek(&mut self, key: TermId) {
        match &mut self.rows {
            QuadRows::Within(rows) => rows.seek(key),
            // It goes from key to key by itself.
            QuadRows::OfKeys(_) => {}
        }
    }
}

/// An open scan of edges: one order, or the parts of it that hold the predicates with edges.
pub struct EdgeScan {
    run: Run,
    section: Section,
    places: Places,
    parts: VecDeque<Bounds>,
    current: Option<RowScan>,
    /// The rows of some keys, if only those are read.
    keyed: Option<KeyScan>,
}

/// Returns which of subject, predicate, object, graph and edge stands where in the rows of a section.
pub fn edge_positions(section: Section) -> [usize; WIDTH_MAX] {
    match section {
        Section::EdgesByEdge => [4, 0, 1, 2, 3],
        Section::EdgesPos => [1, 2, 0, 3, 4],
        _ => [1, 0, 2, 3, 4],
    }
}

impl EdgeScan {
    /// If `keys` are told and the pattern binds its predicate, only of their rows.
    pub(super) fn begin(
        run: Run,
        pattern: &EdgePattern,
        places: Places,
        keys: Option<Keys<'_>>,
    ) -> Result<EdgeScan, DatasetError> {
        let EdgePattern { subject, predicate, object, edge, graph, order } = pattern;
        // Rows need not be asked then.
        let graph = if run.is_whole(graph) { &GraphFilter::All } else { graph };
        let section = match (edge, subject, object) {
            (Some(_), _, _) => Section::EdgesByEdge,
            (None, None, Some(_)) => Section::EdgesPos,
            (None, None, None) => match order {
                EdgeOrder::Subject => Section::EdgesPso,
                EdgeOrder::Object => Section::EdgesPos,
                EdgeOrder::Edge => Section::EdgesByEdge,
            },
            _ => Section::EdgesPso,
        };
        // Without a predicate, a bound subject or object is still a prefix under each predicate.
        let predicates: Vec<Option<TermId>> = match predicate {
            None if edge.is_none() && (subject.is_some() || object.is_some()) => {
                run.edge_predicates().into_iter().map(Some).collect()
            }
            bound => vec![*bound],
        };
        let parts = predicates
            .into_iter()
            .map(|predicate| match section {
                Section::EdgesByEdge => Bounds::new(&[*edge, *subject, predicate, *object, None], graph, 4),
                Section::EdgesPos => Bounds::new(&[predicate, *object, *subject, None, *edge], graph, 3),
                _ => Bounds::new(&[predicate, *subject, *object, None, *edge], graph, 3),
            })
            .collect();
        let mut scan = EdgeScan { run, section, places, parts, current: None, keyed: None };
        match (keys, scan.parts.len()) {
            (Some(Keys::Listed(keys)), 1) => {
                scan.keyed = scan
                    .parts
                    .pop_front()
                    .map(|bounds| KeyScan::begin(scan.run.clone(), section, bounds, scan.wanted(), keys))
            }
            (Some(Keys::Within(range)), 1) => {
                scan.parts.iter_mut().for_each(|bounds| *bounds = bounds.clone().within(range));
                scan.next_part()?;
            }
            _ => drop(scan.next_part()?),
        }
        Ok(scan)
    }

    fn wanted(&self) -> Vec<bool> {
        edge_positions(self.section).iter().map(|position| self.places.contains(*position)).collect()
    }

    /// Goes on to the next part; returns whether there is one.
    fn next_part(&mut self) -> Result<bool, DatasetError> {
        self.current = match self.parts.pop_front() {
            Some(bounds) => Some(RowScan::begin(self.run.clone(), self.section, bounds, self.wanted())?),
            None => None,
        };
        Ok(self.current.is_some())
    }
}

impl Scan for EdgeScan {
    fn next_batch(&mut self) -> Result<Option<Batch>, DatasetError> {
        let mut columns: [Vec<TermId>; WIDTH_MAX] = Default::default();
        let mut count = 0;
        if let Some(keyed) = &mut self.keyed {
            count = keyed.fill(&mut columns)?;
        }
        while let Some(current) = &mut self.current {
            let (found, goes_on) = current.fill(&mut columns)?;
            count += found;
            if goes_on || !self.next_part()? {
                break;
            }
        }
        Ok(in_order(columns, edge_positions(self.section), count))
    }
    fn next_runs(&mut self, column: usize) -> Result<Option<Runs>, DatasetError> {
        let positions = edge_positions(self.section);
        let place = positions.iter().position(|position| *position == column).unwrap_or_default();
        let mut runs = Runs::default();
        let count: &mut Visit<'_> =
            &mut |bounds, piece, ranges, _| bounds.runs(piece, ranges, place, &mut runs);
        if let Some(keyed) = &mut self.keyed {
            keyed.visit(count)?;
        }
        while let Some(current) = &mut self.current {
            let (_, goes_on) = current.visit(count)?;
            if goes_on || !self.next_part()? {
                break;
            }
        }
        Ok((!runs.is_empty()).then_some(runs))
    }

    fn seek(&mut self, key: TermId) {
        // In the parts of others the key may still be below.
        if let (Some(current), true) = (&mut self.current, self.parts.is_empty()) {
            current.seek(key);
        }
    }
}
