//! `Extend`: binds a variable to an expression of the row.

use std::sync::Arc;

use super::{BoxOperator, Operator};
use crate::batch::Batch;
use crate::execute::expression::Compiled;
use crate::execute::{Context, ExecuteError, Layout};
use crate::plan::Variable;

pub struct Extend {
    context: Arc<Context>,
    input: BoxOperator,
    expression: Compiled,
    layout: Layout,
}

impl Extend {
    /// # Panics
    /// If the input binds `variable` already.
    pub fn new(
        input: BoxOperator,
        variable: Variable,
        expression: Compiled,
        context: Arc<Context>,
    ) -> Extend {
        let mut layout = input.layout().clone();
        layout.push(variable, false);
        Extend { context, input, expression, layout }
    }
}

impl Operator for Extend {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        let Some(mut batch) = self.input.next_batch()? else { return Ok(None) };
        self.context.check()?;
        let column = self.expression.evaluate(&batch, &self.context)?.into_owned();
        batch.push_column(column);
        Ok(Some(batch))
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn sorted_by(&self) -> &[Variable] {
        self.input.sorted_by()
    }

    fn describe(&self) -> String {
        format!("Extend {:?}", self.layout.variables().last())
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }
}
