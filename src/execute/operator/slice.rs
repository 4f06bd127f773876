//! `Slice`: the rows after the first so many, at most so many; its input is pulled no further.

use std::sync::Arc;

use super::{BoxOperator, Operator};
use crate::batch::Batch;
use crate::execute::expression::Compiled;
use crate::execute::{Context, ExecuteError, Layout, RuntimeCode};
use crate::model::TermId;
use crate::plan::Variable;

pub struct Slice {
    context: Arc<Context>,
    input: BoxOperator,
    offset: Option<Compiled>,
    limit: Option<Compiled>,
    /// The input changes data and must run to its end, whatever becomes of its rows.
    must_finish: bool,
    /// Rows to skip and rows to emit, once known.
    left: Option<(u64, u64)>,
}

impl Slice {
    /// `offset` and `limit` are compiled for the empty layout.
    pub fn new(
        input: BoxOperator,
        offset: Option<Compiled>,
        limit: Option<Compiled>,
        must_finish: bool,
        context: Arc<Context>,
    ) -> Slice {
        Slice { context, input, offset, limit, must_finish, left: None }
    }

    fn count(&self, expression: &Option<Compiled>, otherwise: u64) -> Result<u64, ExecuteError> {
        let Some(expression) = expression else { return Ok(otherwise) };
        let row = Batch::new(Vec::new(), 1);
        let id = expression.evaluate(&row, &self.context)?;
        let id = id.first().copied().unwrap_or(TermId::UNDEFINED);
        let wrong = |detail, message: &str| {
            Err(ExecuteError::runtime(RuntimeCode::SyntaxError, detail, message.to_owned()))
        };
        match id.as_i64() {
            Some(count) => match u64::try_from(count) {
                Ok(count) => Ok(count),
                Err(_) => wrong("NegativeIntegerArgument", "SKIP and LIMIT must not be negative"),
            },
            None => wrong("InvalidArgumentType", "SKIP and LIMIT must be integers"),
        }
    }
}

impl Operator for Slice {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        if self.left.is_none() {
            self.left = Some((self.count(&self.offset, 0)?, self.count(&self.limit, u64::MAX)?));
        }
        let Some((skip, take)) = &mut self.left else { return Ok(None) };
        while *take > 0 {
            let Some(batch) = self.input.next_batch()? else { return Ok(None) };
            let skipped = (*skip).min(batch.rows() as u64);
            *skip -= skipped;
            let rows = (batch.rows() as u64 - skipped).min(*take);
            *take -= rows;
            if rows > 0 {
                return Ok(Some(match rows == batch.rows() as u64 {
                    true => batch,
                    false => batch.slice(skipped as usize, rows as usize),
                }));
            }
        }
        if self.must_finish {
            while self.input.next_batch()?.is_some() {}
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
        "Slice".to_owned()
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }
}
