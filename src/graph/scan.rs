//! Scans of a run: the blocks within the bounds, some at a time, then the rows that match.
#![deny(clippy::indexing_slicing)]

use std::collections::VecDeque;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use super::manifest::{RowEntry, Section};
use super::rows::{EdgeRowBlock, Piece, Row, RowBlock, WIDTH_MAX};
use super::run::Run;
use crate::batch::{BATCH_ROWS, Batch};
use crate::block::{BlockError, BlockId};
use crate::dataset::{DatasetError, Places, Scan};
use crate::model::{EdgePattern, GraphFilter, Permutation, QuadPattern, TermId};

/// A scan asks for so many blocks at once in the end; it begins with few, since it may end early.
const AHEAD_BLOCKS_MAX: usize = 16;
const AHEAD_BLOCKS_FIRST: usize = 2;

/// Which rows of an order match.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// The least and the greatest row within the bound prefix.
    pub low: Row,
    pub high: Row,
    /// Places beyond the prefix that are bound.
    residual: Vec<(usize, u64)>,
    graph: GraphFilter,
    graph_place: usize,
}

impl Bounds {
    pub fn of_quads(pattern: &QuadPattern, permutation: Permutation) -> Bounds {
        let bound = [pattern.subject, pattern.predicate, pattern.object];
        let places: Vec<Option<TermId>> =
            permutation.positions().iter().map(|position| bound.get(*position).copied().flatten()).collect();
        Bounds::new(&places, &pattern.graph, 3)
    }

    /// `places` is what each place of a row must be, in the order of the sort key.
    fn new(places: &[Option<TermId>], graph: &GraphFilter, graph_place: usize) -> Bounds {
        let (mut low, mut high) = ([0; WIDTH_MAX], [u64::MAX; WIDTH_MAX]);
        let mut residual = Vec::new();
        let mut in_prefix = true;
        for (place, ((low, high), id)) in low.iter_mut().zip(&mut high).zip(places).enumerate() {
            in_prefix &= id.is_some();
            match id.map(TermId::to_bits) {
                Some(id) if in_prefix => (*low, *high) = (id, id),
                Some(id) => residual.push((place, id)),
                None => {}
            }
        }
        Bounds { low, high, residual, graph: graph.clone(), graph_place }
    }

    /// Narrows the second place, the first being bound and the second not.
    pub fn within(mut self, range: &RangeInclusive<TermId>) -> Bounds {
        (self.low[1], self.high[1]) = (range.start().to_bits(), range.end().to_bits());
        self
    }

    /// Returns which blocks may hold a row within the bounds.
    pub fn blocks(&self, entries: &[RowEntry]) -> Range<usize> {
        let end = entries.partition_point(|entry| entry.first <= self.high);
        let start = entries.partition_point(|entry| entry.first < self.low).saturating_sub(1);
        start.min(end)..end
    }

    /// Returns which rows of a piece are between low and high: within the prefix, and from where
    /// [`Bounds::seek`] went.
    fn range(&self, piece: &Piece) -> Range<usize> {
        let mut range = 0..piece.rows;
        for ((low, high), column) in self.low.iter().zip(&self.high).zip(&piece.columns) {
            let within = column.get(range.clone()).unwrap_or_default();
            let start = range.start + within.partition_point(|id| id < low);
            range = start..range.start + within.partition_point(|id| id <= high);
            if low != high {
                break;
            }
        }
        range
    }

    /// Leaves out rows that have less than `key` in the first place that is open; returns whether that changes
    /// anything.
    fn seek(&mut self, key: u64) -> bool {
        let mut places = self.low.iter_mut().zip(&self.high).take(self.graph_place);
        match places.find(|(low, high)| low != high) {
            Some((low, _)) if *low < key => {
                *low = key;
                true
            }
            _ => false,
        }
    }

    /// Returns whether a place is bound that rows are not sorted by.
    pub fn has_residual(&self) -> bool {
        !self.residual.is_empty()
    }

    /// Returns whether all rows from low to high match.
    pub fn is_exact(&self) -> bool {
        self.residual.is_empty() && self.graph == GraphFilter::All
    }

    /// Returns whether matching looks at a place, past the prefix.
    fn asks(&self, place: usize) -> bool {
        place == self.graph_place && self.graph != GraphFilter::All
            || self.residual.iter().any(|(residual, _)| *residual == place)
    }

    /// Appends the rows of `range` that match to `out`, place by place; to those places that are wanted.
    fn collect(
        &self,
        piece: &Piece,
        range: Range<usize>,
        wanted: &[bool],
        out: &mut [Vec<TermId>],
    ) -> Option<usize> {
        let keep: Option<Vec<usize>> =
            (!self.is_exact()).then(|| range.clone().filter(|row| self.matches(piece, *row)).collect());
        let mut words = Vec::new();
        for ((column, out), _) in piece.columns.iter().zip(out).zip(wanted).filter(|(_, wanted)| **wanted) {
            let found = match &keep {
                None => column.get(range.clone())?,
                Some(rows) => {
                    words.clear();
                    words.extend(rows.iter().filter_map(|row| column.get(*row).copied()));
                    &words
                }
            };
            TermId::append_from_bits(found, out)?;
        }
        Some(keep.map_or(range.len(), |rows| rows.len()))
    }

    fn matches(&self, piece: &Piece, row: usize) -> bool {
        let at = |place: usize| piece.columns.get(place).and_then(|column| column.get(row)).copied();
        self.residual.iter().all(|(place, id)| at(*place) == Some(*id))
            && at(self.graph_place)
                .and_then(TermId::from_bits)
                .is_some_and(|graph| self.graph.contains(graph))
    }
}

/// A row block of either kind.
enum AnyBlock {
    Quads(Arc<RowBlock>),
    Edges(Arc<EdgeRowBlock>),
}

impl AnyBlock {
    fn rows(&self) -> &RowBlock {
        match self {
            AnyBlock::Quads(block) => block,
            AnyBlock::Edges(block) => &block.0,
        }
    }
}

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

    /// Takes the next blocks from those that are not asked for yet, but for those of other graphs.
    fn take_to_ask(&mut self) -> Vec<(BlockId, u32)> {
        let entries = self.run.entries(self.section);
        let mut taken = Vec::new();
        while taken.len() < self.ahead
            && let Some(entry) = self.to_ask.next().and_then(|index| entries.get(index))
        {
            if entry.graphs.may_match(&self.bounds.graph) {
                taken.push((entry.id, entry.rows));
            }
        }
        taken
    }

    /// Asks for the next blocks, if none are at hand.
    fn ask(&mut self) -> Result<(), DatasetError> {
        if !self.asked.is_empty() || self.to_ask.is_empty() {
            return Ok(());
        }
        let asked = self.take_to_ask();
        self.ahead = (self.ahead * 2).min(AHEAD_BLOCKS_MAX);
        let ids: Vec<BlockId> = asked.iter().map(|(id, _)| *id).collect();
        let reader = self.run.reader();
        let blocks: Vec<AnyBlock> = if self.section.width() == WIDTH_MAX {
            reader.get_decoded(&ids)?.into_iter().map(AnyBlock::Edges).collect()
        } else {
            reader.get_decoded(&ids)?.into_iter().map(AnyBlock::Quads).collect()
        };
        for (block, (id, rows)) in blocks.into_iter().zip(asked) {
            if block.rows().width() != self.section.width() || block.rows().rows() != rows as usize {
                return Err(corrupt(id, "it is not what its manifest says"));
            }
            self.asked.push_back((block, id));
        }
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
            let piece = match is_end {
                true => self.run.piece(*id, rows, self.piece)?,
                false => Arc::new(rows.columns(self.piece, |place| {
                    self.wanted.get(place) == Some(&true) || self.bounds.asks(place)
                })?),
            };
            let range = if is_end { self.bounds.range(&piece) } else { 0..piece.rows };
            let found = self.bounds.collect(&piece, range, &self.wanted, out);
            count += found.ok_or_else(|| corrupt(*id, "an id is of no kind"))?;
            self.piece += 1;
        }
        self.batch_rows = (self.batch_rows * 2).min(BATCH_ROWS);
        Ok((count, true))
    }
}

fn corrupt(id: BlockId, reason: &str) -> DatasetError {
    BlockError::Corrupt { id, reason: reason.to_owned() }.into()
}

/// An open scan of quads.
pub struct RunScan {
    rows: RowScan,
    permutation: Permutation,
}

impl RunScan {
    pub(super) fn begin(
        run: Run,
        pattern: &QuadPattern,
        permutation: Permutation,
        places: Places,
    ) -> Result<RunScan, DatasetError> {
        let bounds = Bounds::of_quads(pattern, permutation);
        let wanted = permutation.positions().iter().map(|position| places.contains(*position)).collect();
        Ok(RunScan { rows: RowScan::begin(run, Section::of(permutation), bounds, wanted)?, permutation })
    }
}

impl Scan for RunScan {
    fn next_batch(&mut self) -> Result<Option<Batch>, DatasetError> {
        let mut columns: [Vec<TermId>; 4] = Default::default();
        let (count, _) = self.rows.fill(&mut columns)?;
        let mut ordered: Vec<Vec<TermId>> = vec![Vec::new(); 4];
        for (mut column, position) in columns.into_iter().zip(self.permutation.positions()) {
            column.resize(count, TermId::UNDEFINED);
            if let Some(slot) = ordered.get_mut(position) {
                *slot = column;
            }
        }
        Ok((count > 0).then(|| Batch::new(ordered, count)))
    }

    fn seek(&mut self, key: TermId) {
        self.rows.seek(key);
    }
}

/// An open scan of edges: one order, or the parts of it that hold the predicates with edges.
pub struct EdgeScan {
    run: Run,
    section: Section,
    places: Places,
    parts: VecDeque<Bounds>,
    current: Option<RowScan>,
}

/// Returns which of subject, predicate, object, graph and edge stands where in the rows of a section.
fn edge_positions(section: Section) -> [usize; WIDTH_MAX] {
    match section {
        Section::EdgesByEdge => [4, 0, 1, 2, 3],
        Section::EdgesPos => [1, 2, 0, 3, 4],
        _ => [1, 0, 2, 3, 4],
    }
}

impl EdgeScan {
    pub(super) fn begin(run: Run, pattern: &EdgePattern, places: Places) -> Result<EdgeScan, DatasetError> {
        let EdgePattern { subject, predicate, object, edge, graph } = pattern;
        // Rows need not be asked then.
        let graph = if run.is_whole(graph) { &GraphFilter::All } else { graph };
        let section = match (edge, subject, object) {
            (Some(_), _, _) => Section::EdgesByEdge,
            (None, None, Some(_)) => Section::EdgesPos,
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
        let mut scan = EdgeScan { run, section, places, parts, current: None };
        scan.next_part()?;
        Ok(scan)
    }

    /// Goes on to the next part; returns whether there is one.
    fn next_part(&mut self) -> Result<bool, DatasetError> {
        self.current = match self.parts.pop_front() {
            Some(bounds) => {
                let positions = edge_positions(self.section);
                let wanted = positions.iter().map(|position| self.places.contains(*position)).collect();
                Some(RowScan::begin(self.run.clone(), self.section, bounds, wanted)?)
            }
            None => None,
        };
        Ok(self.current.is_some())
    }
}

impl Scan for EdgeScan {
    fn next_batch(&mut self) -> Result<Option<Batch>, DatasetError> {
        let mut columns: [Vec<TermId>; WIDTH_MAX] = Default::default();
        let mut count = 0;
        while let Some(current) = &mut self.current {
            let (found, goes_on) = current.fill(&mut columns)?;
            count += found;
            if goes_on || !self.next_part()? {
                break;
            }
        }
        let mut ordered: Vec<Vec<TermId>> = vec![Vec::new(); WIDTH_MAX];
        for (mut column, position) in columns.into_iter().zip(edge_positions(self.section)) {
            column.resize(count, TermId::UNDEFINED);
            if let Some(slot) = ordered.get_mut(position) {
                *slot = column;
            }
        }
        Ok((count > 0).then(|| Batch::new(ordered, count)))
    }
}
