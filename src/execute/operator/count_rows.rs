//! `CountRows`: how many rows a scan has, from what the dataset knows of itself where it can tell.

use std::sync::Arc;

use super::Operator;
use super::index_scan::{IndexScan, ResolvedScan, ScanShape, resolve};
use crate::batch::Batch;
use crate::execute::{Context, ExecuteError, Layout, expression};
use crate::model::{QuadPattern, TermId, Value};
use crate::plan::{Aggregate, AggregateFunction, Expression, LogicalPlan, QuadScan, Variable};

/// One row: the number of rows of a scan in each of the variables.
pub struct CountRows {
    context: Arc<Context>,
    scan: QuadScan,
    /// Reads the rows, if nobody can tell their number.
    rows: IndexScan,
    layout: Layout,
    is_done: bool,
}

impl CountRows {
    /// Counts the rows that `rows` would read, which scans `scan`.
    pub fn new(scan: &QuadScan, rows: IndexScan, variables: &[Variable], context: Arc<Context>) -> CountRows {
        let mut layout = Layout::default();
        variables.iter().for_each(|variable| layout.push(*variable, true));
        CountRows { context, scan: scan.clone(), rows, layout, is_done: false }
    }

    fn count(&mut self) -> Result<u64, ExecuteError> {
        if !ScanShape::of(&self.scan).has_repeats() {
            let Some(resolved) = resolve(&self.scan, &self.context)? else { return Ok(0) };
            if let Some(count) = self.edges(&resolved) {
                return Ok(count);
            }
            if !resolved.merges
                && !resolved.per_edge
                && let Some(count) = self.context.dataset.count(&resolved.pattern)?
            {
                return Ok(count);
            }
        }
        let mut count = 0;
        while let Some(batch) = self.rows.next_batch()? {
            count += batch.rows() as u64;
        }
        Ok(count)
    }
}

impl CountRows {
    /// Returns how many edges a predicate has, if that is what is scanned, and in one graph.
    fn edges(&self, resolved: &ResolvedScan) -> Option<u64> {
        let QuadPattern { subject: None, predicate: Some(predicate), object: None, .. } = resolved.pattern
        else {
            return None;
        };
        let statistics = resolved.per_edge.then(|| self.context.dataset.statistics())?;
        let figures = statistics.predicates.get(&predicate).filter(|_| statistics.named_graphs == 0);
        figures.map(|figures| figures.edges)
    }
}

impl Operator for CountRows {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        if self.is_done {
            return Ok(None);
        }
        self.is_done = true;
        let count = i64::try_from(self.count()?).unwrap_or(i64::MAX);
        let id: TermId = expression::id_of_value(&Value::Integer(count), &self.context)?;
        Ok(Some(Batch::new(vec![vec![id]; self.layout.width()], 1)))
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn describe(&self) -> String {
        "CountRows".to_owned()
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![&self.rows]
    }
}

/// Returns the scan whose rows these aggregates count, if that is all they do.
pub fn counted_scan<'a>(
    input: &'a LogicalPlan,
    keys: &[Variable],
    aggregates: &[(Variable, Aggregate)],
) -> Option<&'a QuadScan> {
    let LogicalPlan::QuadScan(scan) = input else { return None };
    let counts_rows = |aggregate: &Aggregate| {
        // Each variable of a scan is bound in each of its rows.
        let is_in_every_row = match &aggregate.argument {
            None => true,
            Some(Expression::Variable(variable)) => input.variables().contains(variable),
            Some(_) => false,
        };
        matches!(aggregate.function, AggregateFunction::Count) && !aggregate.distinct && is_in_every_row
    };
    (keys.is_empty() && aggregates.iter().all(|(_, aggregate)| counts_rows(aggregate))).then_some(scan)
}
