//! `Filter` and `Assert`: rows whose condition is true; rows that all must satisfy one.

use std::sync::Arc;

use super::{BoxOperator, Operator};
use crate::batch::Batch;
use crate::execute::expression::Compiled;
use crate::execute::{Context, ExecuteError, Layout, RuntimeCode};
use crate::model::TermId;
use crate::plan::Variable;

pub struct Filter {
    context: Arc<Context>,
    input: BoxOperator,
    condition: Compiled,
}

impl Filter {
    pub fn new(input: BoxOperator, condition: Compiled, context: Arc<Context>) -> Filter {
        Filter { context, input, condition }
    }
}

impl Operator for Filter {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        while let Some(mut batch) = self.input.next_batch()? {
            self.context.check()?;
            let keep = self.condition.filter(&batch, &self.context)?;
            if keep.iter().any(|keep| !keep) {
                batch.filter(&keep);
            }
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

    fn seek(&mut self, key: TermId) {
        self.input.seek(key);
    }

    fn describe(&self) -> String {
        "Filter".to_owned()
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }
}

/// Fails the query at the first row whose condition is not true.
pub struct Assert {
    context: Arc<Context>,
    input: BoxOperator,
    condition: Compiled,
    message: String,
}

impl Assert {
    pub fn new(input: BoxOperator, condition: Compiled, message: String, context: Arc<Context>) -> Assert {
        Assert { context, input, condition, message }
    }
}

impl Operator for Assert {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        let Some(batch) = self.input.next_batch()? else { return Ok(None) };
        if self.condition.filter(&batch, &self.context)?.contains(&false) {
            return Err(ExecuteError::runtime(
                RuntimeCode::SemanticError,
                "MergeReadOwnWrites",
                self.message.clone(),
            ));
        }
        Ok(Some(batch))
    }

    fn layout(&self) -> &Layout {
        self.input.layout()
    }

    fn sorted_by(&self) -> &[Variable] {
        self.input.sorted_by()
    }

    fn describe(&self) -> String {
        format!("Assert {:?}", self.message)
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }
}
