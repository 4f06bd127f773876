//! `SpoRows`: the rows that a run is written from, by their ids in the run.

use super::WriteError;
use super::layer::{Input, RowOrder, RowSource, RowStream, for_each_rows};
use super::row_sort::{RowRun, RowSorter, SortedRows};
use super::term_merge::MergedTerms;
use crate::block::Scratch;
use crate::model::TermId;

/// The rows of all sources, by their ids in the run, in the order of subject, predicate, object, graph.
pub struct SpoRows<'a> {
    /// Those of sources that are not sorted.
    sorted: SortedRows<4>,
    /// Sources whose rows are renamed as they are read: ranks of one layer keep their order.
    in_order: Vec<&'a dyn RowSource>,
    terms: &'a MergedTerms<'a>,
}

impl<'a> SpoRows<'a> {
    /// Sorts rows that are not, holding at most about so many bytes of them in memory.
    pub fn of(
        input: &Input<'a>,
        terms: &'a MergedTerms<'a>,
        scratch: &dyn Scratch,
        memory_bytes: usize,
    ) -> Result<SpoRows<'a>, WriteError> {
        let (in_order, others): (Vec<_>, Vec<_>) =
            input.rows.iter().partition(|source| source.order() == RowOrder::Sorted);
        let memory_bytes = memory_bytes / others.len().max(1);
        let mut sorted = SortedRows::default();
        for source in others {
            sorted.absorb(renamed(source, terms, scratch, memory_bytes)?);
        }
        Ok(SpoRows { sorted, in_order, terms })
    }

    fn stream(&self) -> Result<Box<dyn RowStream<4> + '_>, WriteError> {
        let renamed = |source: &&'a dyn RowSource| {
            Ok(Box::new(Renamed { rows: source.rows()?, terms: self.terms }) as Box<dyn RowStream<4> + '_>)
        };
        self.sorted.stream_beside(self.in_order.iter().map(renamed).collect::<Result<_, WriteError>>()?)
    }

    /// Hands all rows to `visit`, some at a time.
    pub fn for_each(
        &self,
        visit: impl FnMut(&[[u64; 4]]) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        for_each_rows(&mut *self.stream()?, visit)
    }
}

struct Renamed<'a> {
    rows: Box<dyn RowStream<4> + 'a>,
    terms: &'a MergedTerms<'a>,
}

impl RowStream<4> for Renamed<'_> {
    fn fill(&mut self, rows: &mut Vec<[u64; 4]>) -> Result<(), WriteError> {
        self.rows.fill(rows)?;
        rows.as_flattened_mut().iter_mut().for_each(|id| *id = self.terms.id(*id));
        Ok(())
    }
}

/// Gives rows their ids in the run, and sorts them.
fn renamed(
    source: &dyn RowSource,
    terms: &MergedTerms<'_>,
    scratch: &dyn Scratch,
    memory_bytes: usize,
) -> Result<SortedRows<4>, WriteError> {
    let order = source.order();
    let is_in_order = |row: &[u64; 4]| match order {
        RowOrder::Unsorted => false,
        RowOrder::SortedOf(layer) => row.iter().all(|id| is_of(*id, layer)),
        RowOrder::Sorted => true,
    };
    let mut in_order = RowRun::new(scratch, memory_bytes);
    let mut others = RowSorter::new(scratch, memory_bytes / 2);
    for_each_rows(&mut *source.rows()?, |rows| {
        rows.iter().try_for_each(|row| {
            let renamed = row.map(|id| terms.id(id));
            if is_in_order(row) { in_order.push(renamed) } else { others.push(renamed) }
        })
    })?;
    let mut rows = in_order.finish()?;
    rows.absorb(others.finish());
    Ok(rows)
}

/// Returns whether an id is inline or of this layer.
fn is_of(bits: u64, layer: u16) -> bool {
    match bits >> TermId::KIND_SHIFT {
        1..=6 => (bits >> TermId::LAYER_SHIFT) as u16 % TermId::LAYERS == layer,
        _ => true,
    }
}
