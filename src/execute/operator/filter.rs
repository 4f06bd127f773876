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
    /// The one column that the condition looks at, and nothing else does.
    only: Option<usize>,
}

impl Filter {
    /// Makes a filter; `only` is the variable that alone decides whether the condition holds, if there is one.
    pub fn new(
        input: BoxOperator,
        condition: Compiled,
        only: Option<Variable>,
        context: Arc<Context>,
    ) -> Filter {
        let only = only.and_then(|variable| input.layout().column(variable));
        Filter { context, input, condition, only }
    }

    /// Returns which rows satisfy the condition. Of equal neighbours in the one column that it looks at, it is asked
    /// once.
    fn keep(&self, batch: &Batch) -> Result<Vec<bool>, ExecuteError> {
        let Some(column) = self.only else { return self.condition.filter(batch, &self.context) };
        let runs = || batch.column(column).chunk_by(|a, b| a == b);
        if runs().count() * 2 > batch.rows() {
            return self.condition.filter(batch, &self.context);
        }
        let heads = runs().scan(0, |next, run| Some(std::mem::replace(next, *next + run.len() as u32)));
        let holds = self.condition.filter(&batch.gather(&heads.collect::<Vec<u32>>()), &self.context)?;
        Ok(runs().zip(holds).flat_map(|(run, holds)| std::iter::repeat_n(holds, run.len())).collect())
    }
}

impl Operator for Filter {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        while let Some(mut batch) = self.input.next_batch()? {
            self.context.check()?;
            let keep = self.keep(&batch)?;
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

    fn keyed_by(&self) -> Option<Variable> {
        self.input.keyed_by()
    }

    fn expect_keys(&mut self, keys: Vec<TermId>) {
        self.input.expect_keys(keys);
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
