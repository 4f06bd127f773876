//! `CountRuns`: the groups of rows that come sorted by one variable, and how many rows each has.

use std::sync::Arc;

use super::{BoxOperator, Operator};
use crate::batch::{BATCH_ROWS, Batch};
use crate::dataset::Runs;
use crate::execute::{Context, ExecuteError, Layout, expression};
use crate::model::{TermId, Value};
use crate::plan::Variable;

/// Holds one group at a time.
pub struct CountRuns {
    context: Arc<Context>,
    input: BoxOperator,
    column: usize,
    layout: Layout,
    /// The group at hand, and its rows so far.
    group: Option<(TermId, i64)>,
    is_done: bool,
}

impl CountRuns {
    /// Counts rows by `key`, which the input is sorted by, in each of `counts`.
    ///
    /// # Panics
    /// If the input lacks `key`.
    pub fn new(input: BoxOperator, key: Variable, counts: &[Variable], context: Arc<Context>) -> CountRuns {
        let column = input.layout().column(key).expect("the planner groups by a variable of the input");
        let mut layout = Layout::default();
        layout.push(key, input.layout().is_defined(key));
        counts.iter().for_each(|variable| layout.push(*variable, true));
        CountRuns { context, input, column, layout, group: None, is_done: false }
    }

    /// Adds the groups that end within some runs of keys to `groups`.
    fn count(&mut self, runs: &Runs, groups: &mut Vec<(TermId, i64)>) {
        for (key, rows) in runs.ids.iter().zip(&runs.counts) {
            match &mut self.group {
                Some((open, count)) if open == key => *count += *rows as i64,
                open => groups.extend(open.replace((*key, *rows as i64))),
            }
        }
    }

    fn rows(&self, groups: &[(TermId, i64)]) -> Result<Batch, ExecuteError> {
        let count = |count: i64| match TermId::from_i64(count) {
            Some(id) => Ok(id),
            None => expression::id_of_value(&Value::Integer(count), &self.context),
        };
        let counts = groups.iter().map(|(_, rows)| count(*rows)).collect::<Result<Vec<_>, _>>()?;
        let mut columns = vec![groups.iter().map(|(key, _)| *key).collect()];
        columns.resize(self.layout.width(), counts);
        Ok(Batch::new(columns, groups.len()))
    }
}

impl Operator for CountRuns {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        let mut groups = Vec::new();
        while groups.len() < BATCH_ROWS / 2 && !self.is_done {
            self.context.check()?;
            match self.input.next_runs(self.column)? {
                Some(runs) => self.count(&runs, &mut groups),
                None => {
                    self.is_done = true;
                    groups.extend(self.group.take());
                }
            }
        }
        if groups.is_empty() { Ok(None) } else { self.rows(&groups).map(Some) }
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn sorted_by(&self) -> &[Variable] {
        &self.layout.variables()[..1]
    }

    fn keyed_by(&self) -> Option<Variable> {
        self.input.keyed_by().filter(|variable| self.layout.variables().first() == Some(variable))
    }

    fn expect_keys(&mut self, keys: Vec<TermId>) {
        self.input.expect_keys(keys);
    }

    fn describe(&self) -> String {
        format!("CountRuns by {:?}", self.layout.variables()[0])
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }
}
