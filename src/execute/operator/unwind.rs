//! `Unwind`: a row for each element of a list.

use std::sync::Arc;

use super::{BoxOperator, Operator};
use crate::batch::{BATCH_ROWS, Batch};
use crate::execute::expression::{self, Compiled};
use crate::execute::{Context, ExecuteError, Layout};
use crate::model::TermId;
use crate::plan::Variable;

pub struct Unwind {
    context: Arc<Context>,
    input: BoxOperator,
    list: Compiled,
    layout: Layout,
    /// Input rows in work: the rows, the list of each, and the next (row, element).
    current: Option<(Batch, Vec<TermId>, usize, usize)>,
}

impl Unwind {
    /// # Panics
    /// If the input binds `variable` already.
    pub fn new(input: BoxOperator, variable: Variable, list: Compiled, context: Arc<Context>) -> Unwind {
        let mut layout = input.layout().clone();
        layout.push(variable, false);
        Unwind { context, input, list, layout, current: None }
    }
}

impl Operator for Unwind {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        loop {
            self.context.check()?;
            if self.current.is_none() {
                let Some(batch) = self.input.next_batch()? else { return Ok(None) };
                let lists = self.list.evaluate(&batch, &self.context)?.into_owned();
                self.current = Some((batch, lists, 0, 0));
            }
            let Some((batch, lists, row, element)) = &mut self.current else { return Ok(None) };
            let (mut source, mut elements) = (Vec::new(), Vec::new());
            while *row < lists.len() && elements.len() < BATCH_ROWS {
                let items = expression::elements(lists[*row], &self.context)?;
                let end = items.len().min(*element + BATCH_ROWS);
                source.resize(source.len() + (end - *element), *row as u32);
                elements.extend_from_slice(&items[*element..end]);
                (*row, *element) = if end == items.len() { (*row + 1, 0) } else { (*row, end) };
            }
            let mut unwound = batch.gather(&source);
            unwound.push_column(elements);
            if *row >= lists.len() {
                self.current = None;
            }
            if !unwound.is_empty() {
                return Ok(Some(unwound));
            }
        }
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn sorted_by(&self) -> &[Variable] {
        self.input.sorted_by()
    }

    fn describe(&self) -> String {
        format!("Unwind {:?}", self.layout.variables().last())
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }
}
