//! `Rows`: rows at hand: VALUES, the unit, and the bindings that a correlated plan is given.

use std::sync::Arc;

use super::Operator;
use crate::batch::Batch;
use crate::execute::{ExecuteError, Layout};
use crate::model::TermId;
use crate::plan::Variable;

/// Hands out rows that are at hand.
pub struct Rows {
    name: &'static str,
    layout: Layout,
    rows: Arc<Batch>,
    position: usize,
}

impl Rows {
    /// # Panics
    /// If the rows have not one column for each variable.
    pub fn new(name: &'static str, variables: &[Variable], rows: Arc<Batch>) -> Rows {
        assert_eq!(variables.len(), rows.width());
        let mut layout = Layout::default();
        for (variable, column) in variables.iter().zip(rows.columns()) {
            layout.push(*variable, column.iter().all(|id| !id.is_undefined()));
        }
        Rows { name, layout, rows, position: 0 }
    }

    /// As [`Rows::new`], with what is known of the rows beforehand.
    pub fn with_layout(name: &'static str, layout: Layout, rows: Arc<Batch>) -> Rows {
        assert_eq!(layout.width(), rows.width());
        Rows { name, layout, rows, position: 0 }
    }

    /// Makes rows of the given ids.
    pub fn of_ids(variables: &[Variable], rows: &[Vec<TermId>]) -> Rows {
        let mut batch = Batch::empty(variables.len());
        rows.iter().for_each(|row| batch.push_row(row));
        Rows::new("Values", variables, Arc::new(batch))
    }
}

impl Operator for Rows {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        Ok(self.rows.next_part(&mut self.position))
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn describe(&self) -> String {
        format!("{} {:?} ({} rows)", self.name, self.layout.variables(), self.rows.rows())
    }
}
