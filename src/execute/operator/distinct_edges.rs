//! `DistinctEdges`: rows in which no relationship appears twice.

use std::sync::Arc;

use super::{BoxOperator, Operator};
use crate::batch::Batch;
use crate::execute::{Context, ExecuteError, Layout, Local, Values};
use crate::model::TermId;
use crate::plan::Variable;

pub struct DistinctEdges {
    context: Arc<Context>,
    input: BoxOperator,
    columns: Vec<usize>,
}

impl DistinctEdges {
    pub fn new(input: BoxOperator, edges: &[Variable], context: Arc<Context>) -> DistinctEdges {
        let columns = edges.iter().filter_map(|edge| input.layout().column(*edge)).collect();
        DistinctEdges { context, input, columns }
    }

    /// Returns whether each relationship of a row appears once.
    fn is_distinct(&self, batch: &Batch, row: usize, seen: &mut Vec<TermId>) -> bool {
        seen.clear();
        for column in &self.columns {
            let id = batch.column(*column)[row];
            if id.is_undefined() {
                continue;
            }
            let list = if Values::is_relationship(id) { None } else { self.context.values.get(id) };
            match list.as_deref() {
                Some(Local::List(items)) => {
                    // A list of relationships has none twice in itself only if it is a trail.
                    for item in items {
                        if seen.contains(item) {
                            return false;
                        }
                        seen.push(*item);
                    }
                }
                _ if seen.contains(&id) => return false,
                _ => seen.push(id),
            }
        }
        true
    }
}

impl Operator for DistinctEdges {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        let mut seen = Vec::new();
        while let Some(mut batch) = self.input.next_batch()? {
            let keep: Vec<bool> =
                (0..batch.rows()).map(|row| self.is_distinct(&batch, row, &mut seen)).collect();
            batch.filter(&keep);
            if !batch.is_empty() {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    fn layout(&self) -> &Layout {
        self.input.layout()
    }

    fn sorted_by(&self) -> &[Variable] {
        self.input.sorted_by()
    }

    fn describe(&self) -> String {
        "DistinctEdges".to_owned()
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }
}
