//! Scans of a run: the blocks within the bounds, some at a time, then the rows that match.
#![deny(clippy::indexing_slicing)]

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::manifest::{RowEntry, Section};
use super::rows::{EdgeRowBlock, Piece, Row, RowBlock, WIDTH_MAX};
use super::run::Run;
use crate::batch::{BATCH_ROWS, Batch};
use crate::block::{BlockError, BlockId};
use crate::dataset::{DatasetError, Scan};
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

    /// Returns which blocks may hold a row within the bounds.
    pub fn blocks(&self, entries: &[RowEntry]) -> Range<usize> {
        let end = entries.partition_point(|entry| entry.first <= self.high);
        let start = entries.partition_point(|entry| entry.first < self.low).saturating_sub(1);
        start.min(end)..end
    }

    /// Returns which rows of a piece are within the prefix.
    fn range(&self, piece: &Piece) -> Range<usize> {
        let mut range = 0..piece.rows;
        for ((low, high), column) in self.low.iter().zip(&self.high).zip(&piece.columns) {
            if low != high {
                break;
            }
            let within = column.get(range.clone()).unwrap_or_default();
            let start = range.start + within.partition_point(|id| id < low);
            range = start..range.start + within.partition_point(|id| id <= high);
        }
        range
    }

    /// Returns whether a place is bound that rows are not sorted by.
    pub fn has_residual(&self) -> bool {
        !self.residual.is_empty()
    }

    /// Returns whether all rows from low to high match.
    pub fn is_exact(&self) -> bool {
        self.residual.is_empty() && self.graph == GraphFilter::All
    }

    /// Appends the rows of `range` that match to `out`, place by place.
    fn collect(&self, piece: &Piece, range: Range<usize>, out: &mut [Vec<TermId>]) -> Option<()> {
        let keep: Option<Vec<usize>> =
            (!self.is_exact()).then(|| range.clone().filter(|row| self.matches(piece, *row)).collect());
        for (column, out) in piece.columns.iter().zip(out) {
            match &keep {
                None => append(out, column.get(range.clone())?.iter().copied())?,
                Some(rows) => append(out, rows.iter().filter_map(|row| column.get(*row).copied()))?,
            }
        }
        Some(())
    }

    fn matches(&self, piece: &Piece, row: usize) -> bool {
        let at = |place: usize| piece.columns.get(place).and_then(|column| column.get(row)).copied();
        self.residual.iter().all(|(place, id)| at(*place) == Some(*id))
            && at(self.graph_place)
                .and_then(TermId::from_bits)
                .is_some_and(|graph| self.graph.contains(graph))
    }
}

/// Appends ids; `None` if a word is of no kind.
fn append(out: &mut Vec<TermId>, words: impl Iterator<Item = u64>) -> Option<()> {
    for word in words {
        out.push(TermId::from_bits(word)?);
    }
    Some(())
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
    /// Blocks that are not asked for yet.
    to_ask: VecDeque<(BlockId, u32)>,
    asked: VecDeque<(AnyBlock, BlockId)>,
    ahead: usize,
    piece: usize,
}

impl RowScan {
    fn begin(run: Run, section: Section, bounds: Bounds) -> Result<RowScan, DatasetError> {
        let entries = run.entries(section);
        let blocks = entries.get(bounds.blocks(entries)).unwrap_or_default();
        let to_ask = blocks
            .iter()
            .filter(|entry| entry.graphs.may_match(&bounds.graph))
            .map(|entry| (entry.id, entry.rows))
            .collect();
        let asked = VecDeque::new();
        let mut scan = RowScan { run, section, bounds, to_ask, asked, ahead: AHEAD_BLOCKS_FIRST, piece: 0 };
        scan.ask()?;
        Ok(scan)
    }

    /// Asks for the next blocks, if none are at hand.
    fn ask(&mut self) -> Result<(), DatasetError> {
        let count = self.ahead.min(self.to_ask.len());
        if !self.asked.is_empty() || count == 0 {
            return Ok(());
        }
        self.ahead = (self.ahead * 2).min(AHEAD_BLOCKS_MAX);
        let asked: Vec<(BlockId, u32)> = self.to_ask.drain(..count).collect();
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

    /// Appends matching rows to `out` until it has enough or the scan ends; returns whether it goes on.
    fn fill(&mut self, out: &mut [Vec<TermId>]) -> Result<bool, DatasetError> {
        while out.first().is_some_and(|column| column.len() < BATCH_ROWS) {
            self.ask()?;
            let Some((block, id)) = self.asked.front() else { return Ok(false) };
            let rows = block.rows();
            if rows.first_of(self.piece).is_none_or(|first| *first > self.bounds.high) {
                self.asked.pop_front();
                self.piece = 0;
                continue;
            }
            // The ends of ranges are what lookups read, again and again.
            let is_end = rows.first_of(self.piece).is_some_and(|first| *first < self.bounds.low)
                || rows.first_of(self.piece + 1).is_some_and(|next| *next > self.bounds.high);
            let piece = match is_end {
                true => self.run.piece(*id, rows, self.piece)?,
                false => Arc::new(rows.piece(self.piece)?),
            };
            let range = self.bounds.range(&piece);
            self.bounds.collect(&piece, range, out).ok_or_else(|| corrupt(*id, "an id is of no kind"))?;
            self.piece += 1;
        }
        Ok(true)
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
    ) -> Result<RunScan, DatasetError> {
        let bounds = Bounds::of_quads(pattern, permutation);
        Ok(RunScan { rows: RowScan::begin(run, Section::of(permutation), bounds)?, permutation })
    }
}

impl Scan for RunScan {
    fn next_batch(&mut self) -> Result<Option<Batch>, DatasetError> {
        let mut columns: [Vec<TermId>; 4] = Default::default();
        self.rows.fill(&mut columns)?;
        let count = columns.first().map_or(0, Vec::len);
        let mut ordered: Vec<Vec<TermId>> = vec![Vec::new(); 4];
        for (column, position) in columns.into_iter().zip(self.permutation.positions()) {
            if let Some(slot) = ordered.get_mut(position) {
                *slot = column;
            }
        }
        Ok((count > 0).then(|| Batch::new(ordered, count)))
    }
}

/// An open scan of edges: one order, or the parts of it that hold the predicates with edges.
pub struct EdgeScan {
    run: Run,
    section: Section,
    parts: VecDeque<Bounds>,
    current: Option<RowScan>,
}

impl EdgeScan {
    pub(super) fn begin(run: Run, pattern: &EdgePattern) -> Result<EdgeScan, DatasetError> {
        let EdgePattern { subject, predicate, object, edge, graph } = pattern;
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
        let mut scan = EdgeScan { run, section, parts, current: None };
        scan.next_part()?;
        Ok(scan)
    }

    /// Goes on to the next part; returns whether there is one.
    fn next_part(&mut self) -> Result<bool, DatasetError> {
        self.current = match self.parts.pop_front() {
            Some(bounds) => Some(RowScan::begin(self.run.clone(), self.section, bounds)?),
            None => None,
        };
        Ok(self.current.is_some())
    }
}

impl Scan for EdgeScan {
    fn next_batch(&mut self) -> Result<Option<Batch>, DatasetError> {
        let mut columns: [Vec<TermId>; WIDTH_MAX] = Default::default();
        while let Some(current) = &mut self.current {
            if current.fill(&mut columns)? || !self.next_part()? {
                break;
            }
        }
        let [a, b, c, d, e] = columns;
        let count = a.len();
        let columns = match self.section {
            Section::EdgesByEdge => vec![b, c, d, e, a],
            Section::EdgesPos => vec![c, a, b, d, e],
            _ => vec![b, a, c, d, e],
        };
        Ok((count > 0).then(|| Batch::new(columns, count)))
    }
}
