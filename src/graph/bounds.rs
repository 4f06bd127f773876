//! `Bounds`: which rows of a sorted section match, as a range of its sort key and what is asked beyond it.
#![deny(clippy::indexing_slicing)]

use std::ops::{Range, RangeInclusive};

use super::cursor::Malformed;
use super::manifest::RowEntry;
use super::rows::{ColumnSet, PIECE_ROWS, Piece, Row, WIDTH_MAX};
use crate::batch::BATCH_ROWS;
use crate::dataset::Runs;
use crate::model::{GraphFilter, Permutation, QuadPattern, TermId};

/// Which rows of an order match.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// The least and the greatest row within the bound prefix.
    pub low: Row,
    pub high: Row,
    /// Places beyond the prefix that are bound.
    residual: Vec<(usize, u64)>,
    pub graph: GraphFilter,
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
    pub fn new(places: &[Option<TermId>], graph: &GraphFilter, graph_place: usize) -> Bounds {
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

    /// Narrows the first place that is open.
    pub fn within(mut self, range: &RangeInclusive<TermId>) -> Bounds {
        if let Some(place) = self.open_place() {
            let ends = self.low.get_mut(place).zip(self.high.get_mut(place));
            ends.into_iter()
                .for_each(|(low, high)| (*low, *high) = (range.start().to_bits(), range.end().to_bits()));
        }
        self
    }

    /// Returns which blocks may hold a row within the bounds.
    pub fn blocks(&self, entries: &[RowEntry]) -> Range<usize> {
        let end = entries.partition_point(|entry| entry.first <= self.high);
        let start = entries.partition_point(|entry| entry.first < self.low).saturating_sub(1);
        start.min(end)..end
    }

    /// Leaves out rows that have less than `key` in the first place that is open; returns whether that changes
    /// anything.
    pub fn seek(&mut self, key: u64) -> bool {
        match self.open_place().and_then(|place| self.low.get_mut(place)) {
            Some(low) if *low < key => {
                *low = key;
                true
            }
            _ => false,
        }
    }

    /// Returns the first place of the sort key, before the graph, that is open.
    pub fn open_place(&self) -> Option<usize> {
        let mut places = self.low.iter().zip(&self.high).take(self.graph_place);
        places.position(|(low, high)| low != high)
    }

    /// Returns the least and the greatest row that has `key` in the place that is open.
    pub fn of_key(&self, place: usize, key: u64) -> (Row, Row) {
        let with_key = |row: &Row| {
            let mut row = *row;
            row.iter_mut().skip(place).take(1).for_each(|at| *at = key);
            row
        };
        (with_key(&self.low), with_key(&self.high))
    }

    /// Returns whether a place is bound that rows are not sorted by.
    pub fn has_residual(&self) -> bool {
        !self.residual.is_empty()
    }

    /// Returns whether all rows from low to high match.
    pub fn is_exact(&self) -> bool {
        self.residual.is_empty() && self.graph == GraphFilter::All
    }

    /// Returns what is looked at of a piece in which rows are searched for, to get those places of them that are wanted.
    pub fn columns(&self, wanted: &[bool]) -> ColumnSet {
        let searched = self.open_place().unwrap_or(self.graph_place);
        ColumnSet::of(|place| place <= searched || wanted.get(place) == Some(&true) || self.asks(place))
    }

    /// Returns whether matching looks at a place, past the prefix.
    pub fn asks(&self, place: usize) -> bool {
        place == self.graph_place && self.graph != GraphFilter::All
            || self.residual.iter().any(|(residual, _)| *residual == place)
    }

    /// Appends those rows of ascending `ranges` that match to `out`, place by place; to those places that are wanted.
    /// Returns how many.
    pub fn collect(
        &self,
        piece: &Piece<'_>,
        ranges: &[Range<usize>],
        wanted: &[bool],
        out: &mut [Vec<TermId>],
    ) -> Result<usize, Malformed> {
        let mut kept = None;
        for (place, id) in &self.residual {
            keep(&mut kept, piece, *place, ranges, |found| found == *id)?;
        }
        if self.graph != GraphFilter::All {
            let is_in = |graph| TermId::from_bits(graph).is_some_and(|graph| self.graph.contains(graph));
            keep(&mut kept, piece, self.graph_place, ranges, is_in)?;
        }
        let all = ranges.iter().map(Range::len).sum();
        let mut words = Vec::with_capacity(all);
        for ((place, out), _) in out.iter_mut().enumerate().zip(wanted).filter(|(_, wanted)| **wanted) {
            words.clear();
            if out.is_empty() && all >= PIECE_ROWS {
                // More pieces will follow.
                out.reserve(BATCH_ROWS);
            }
            piece.append_ranges(place, ranges, &mut words)?;
            if let Some(kept) = &kept {
                let mut kept = kept.iter();
                words.retain(|_| kept.next() == Some(&true));
            }
            TermId::append_from_bits(&words, out).ok_or(Malformed("an id is of no kind"))?;
        }
        Ok(kept.map_or(all, |kept| kept.into_iter().filter(|keep| *keep).count()))
    }
}

impl Bounds {
    /// Appends to `out` what those rows of ascending `ranges` that match have in a place. Returns how many rows those
    /// are.
    pub fn runs(
        &self,
        piece: &Piece<'_>,
        ranges: &[Range<usize>],
        place: usize,
        out: &mut Runs,
    ) -> Result<usize, Malformed> {
        const NO_KIND: Malformed = Malformed("an id is of no kind");
        let is_of_graph = || {
            let graph = piece.constant(self.graph_place).and_then(TermId::from_bits);
            graph.is_some_and(|graph| self.graph.contains(graph))
        };
        if self.residual.is_empty() && (self.graph == GraphFilter::All || is_of_graph()) {
            let mut is_valid = true;
            let mut push = |id, rows| match TermId::from_bits(id) {
                Some(id) => out.push(id, rows as u64),
                None => is_valid = false,
            };
            ranges.iter().try_for_each(|range| piece.runs(place, range.clone(), &mut push))?;
            return if is_valid { Ok(ranges.iter().map(Range::len).sum()) } else { Err(NO_KIND) };
        }
        let mut columns = vec![Vec::new(); place + 1];
        let wanted: Vec<bool> = (0..=place).map(|other| other == place).collect();
        let rows = self.collect(piece, ranges, &wanted, &mut columns)?;
        columns.iter().for_each(|column| out.extend(column));
        Ok(rows)
    }
}

/// Leaves those rows of `ranges` in `kept`, which are all at first, that satisfy `is_wanted` in a place.
fn keep(
    kept: &mut Option<Vec<bool>>,
    piece: &Piece<'_>,
    place: usize,
    ranges: &[Range<usize>],
    is_wanted: impl Fn(u64) -> bool,
) -> Result<(), Malformed> {
    if piece.constant(place).is_some_and(&is_wanted) {
        return Ok(());
    }
    let mut values = Vec::new();
    piece.append_ranges(place, ranges, &mut values)?;
    let kept = kept.get_or_insert_with(|| vec![true; values.len()]);
    kept.iter_mut().zip(values).for_each(|(keep, value)| *keep &= is_wanted(value));
    Ok(())
}
