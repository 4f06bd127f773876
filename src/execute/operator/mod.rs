//! The physical operators, a file each. Each pulls batches from its inputs when it is pulled.

mod aggregate;
mod apply;
mod bind_matcher;
mod call;
mod count_rows;
mod count_runs;
mod distinct;
mod distinct_edges;
mod eager;
mod edge_scan;
mod extend;
mod filter;
mod filtered_matcher;
mod graph_scope;
mod in_batches;
mod index_scan;
mod inner_join;
mod join_table;
mod left_join;
mod load_csv;
mod matcher;
mod merge;
mod merge_join;
mod merge_matcher;
mod metered;
mod minus;
mod modify;
mod multiway_join;
mod pairs;
mod path;
mod procedure;
mod project;
mod repeat;
mod row_index;
mod semi_join;
mod service;
mod slice;
mod sort;
mod sorted_ids;
mod subplan_matcher;
mod union;
mod unwind;
mod values;
mod writing_call;

pub(super) use aggregate::Aggregate;
pub(super) use apply::{ApplyFold, Fold};
pub(super) use bind_matcher::{BindMatcher, Probe};
pub(super) use call::Call;
pub(super) use count_rows::{CountRows, counted_scan};
pub(super) use count_runs::CountRuns;
pub(super) use distinct::{Distinct, DistinctRows, first_of_runs};
pub(super) use distinct_edges::DistinctEdges;
pub(super) use eager::Eager;
pub(super) use edge_scan::{EdgeProbe, EdgeScan, as_quad_scan, is_node, quad_of};
pub(super) use extend::Extend;
pub(super) use filter::{Assert, Filter};
pub(super) use filtered_matcher::FilteredMatcher;
pub(super) use graph_scope::GraphScope;
pub(super) use in_batches::InBatches;
pub(super) use index_scan::{IndexScan, QuadReader, ScanProbe, choose_permutation, resolve};
pub(super) use inner_join::InnerJoin;
pub(super) use join_table::JoinTable;
pub(super) use left_join::LeftJoin;
pub(super) use load_csv::{Format as CsvFormat, LoadCsv};
pub(super) use matcher::{HashMatcher, JoinShape, Matcher};
pub(super) use merge::Merge;
pub(super) use merge_join::MergeJoin;
pub(super) use merge_matcher::MergeMatcher;
pub(super) use metered::Metered;
pub(super) use minus::MinusJoin;
pub(super) use modify::Modify;
pub(super) use multiway_join::MultiwayJoin;
pub(super) use pairs::Pairs;
pub(super) use path::{PathProbe, PathScan};
pub use procedure::COMPATIBLE_VERSION;
pub(super) use project::Project;
pub(super) use repeat::Repeat;
pub(super) use row_index::{RowIndex, hash_rows, hash_some};
pub(super) use semi_join::SemiJoin;
pub(super) use service::{Service, ServiceProbe};
pub(super) use slice::Slice;
pub(super) use sort::{Key as SortBy, Sort, TopN};
pub(super) use subplan_matcher::SubplanMatcher;
pub(super) use union::Union;
pub(super) use unwind::Unwind;
pub(super) use values::Rows as RowsAtHand;
pub(super) use writing_call::WritingCall;

use std::sync::Arc;

use super::{Context, ExecuteError, Layout, Meter};
use crate::batch::Batch;
use crate::dataset::Runs;
use crate::model::TermId;
use crate::plan::{Expression, LogicalPlan, Variable};

/// A running operator.
pub trait Operator: Send {
    /// Returns the next rows, or `None` at the end, and again after it. A batch is never empty.
    ///
    /// # Shape
    /// The columns of [`Operator::layout`], in its order.
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError>;

    fn layout(&self) -> &Layout;

    /// Returns the variables that rows are sorted by, as ids, ascending, the first one first.
    fn sorted_by(&self) -> &[Variable] {
        &[]
    }

    /// As [`Operator::next_batch`], of one column, which the rows are sorted by; perhaps none, which is not yet the end.
    fn next_runs(&mut self, column: usize) -> Result<Option<Runs>, ExecuteError> {
        Ok(self.next_batch()?.map(|batch| Runs::of(batch.column(column))))
    }

    /// Passes over rows that have less than `key` in the first variable of [`Operator::sorted_by`]: as many as is
    /// cheap, so that such rows may still come.
    fn seek(&mut self, _key: TermId) {}

    /// Leaves out rows for which `condition` cannot be true, as far as that saves reading them; to be called before
    /// the first pull. The condition still has to be asked of the others.
    fn narrow(&mut self, _condition: &Expression) {}

    /// Returns the variable whose keys [`Operator::expect_keys`] makes use of.
    fn keyed_by(&self) -> Option<Variable> {
        None
    }

    /// Announces that of its rows only those matter that have one of `keys`, sorted, in the variable of
    /// [`Operator::keyed_by`]; to be called before the first pull. Others may still come.
    fn expect_keys(&mut self, _keys: Vec<TermId>) {}

    /// Returns the operator's name and what EXPLAIN should tell of it, in one line.
    fn describe(&self) -> String;

    /// Returns what the operator did, if that was noted.
    fn meter(&self) -> Option<Meter> {
        None
    }

    /// Returns what the operator pulls from, for EXPLAIN.
    fn inputs(&self) -> Vec<&dyn Operator> {
        Vec::new()
    }
}

pub type BoxOperator = Box<dyn Operator>;

/// Bytes that `rows` rows of `width` columns take.
pub(super) fn bytes_of(rows: usize, width: usize) -> usize {
    rows * (width.max(1) * size_of::<TermId>())
}

/// Pulls all rows of an operator, accounted for in `reservation`.
pub(super) fn drain(
    operator: &mut dyn Operator,
    context: &Context,
    reservation: &mut super::Reservation,
) -> Result<Batch, ExecuteError> {
    let mut all = Batch::empty(operator.layout().width());
    while let Some(batch) = operator.next_batch()? {
        context.check()?;
        reservation.grow(bytes_of(batch.rows(), batch.width()))?;
        if all.is_empty() {
            all = batch;
        } else {
            all.append(&batch);
        }
    }
    Ok(all)
}

/// Returns for each row of `batch` whether `plan` has a compatible row: EXISTS inside an expression.
pub(super) fn exists(
    plan: &LogicalPlan,
    layout: &Layout,
    batch: &Batch,
    context: &Context,
) -> Result<Vec<bool>, ExecuteError> {
    let planner = super::physical_plan::Planner::new(context.shared()?);
    let mut matcher = planner.exists_matcher(plan, layout, batch.rows() as f64)?;
    matcher.start(&Arc::new(batch.clone()), true)?;
    let mut found = vec![false; batch.rows()];
    while let Some(pairs) = matcher.next_pairs()? {
        pairs.left.iter().for_each(|row| found[*row as usize] = true);
    }
    Ok(found)
}
