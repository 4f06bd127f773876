//! `InnerJoin`: compatible pairs of rows, found by any matcher.

use std::sync::Arc;

use super::{BoxOperator, JoinShape, Matcher, Operator};
use crate::batch::Batch;
use crate::execute::{ExecuteError, Layout};
use crate::plan::Variable;

pub struct InnerJoin {
    left: BoxOperator,
    matcher: Box<dyn Matcher>,
    shape: JoinShape,
    current: Option<Arc<Batch>>,
}

impl InnerJoin {
    pub fn new(left: BoxOperator, matcher: Box<dyn Matcher>) -> InnerJoin {
        let shape = JoinShape::new(left.layout(), matcher.layout());
        InnerJoin { left, matcher, shape, current: None }
    }
}

impl Operator for InnerJoin {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        loop {
            if let Some(left) = &self.current {
                if let Some(pairs) = self.matcher.next_pairs()? {
                    return Ok(Some(self.shape.join(left, &pairs, self.matcher.rows())));
                }
                self.current = None;
            }
            let Some(left) = self.left.next_batch()? else { return Ok(None) };
            let left = Arc::new(left);
            self.matcher.start(&left, false)?;
            self.current = Some(left);
        }
    }

    fn layout(&self) -> &Layout {
        &self.shape.layout
    }

    /// Matchers yield left rows in order.
    fn sorted_by(&self) -> &[Variable] {
        self.left.sorted_by()
    }

    fn describe(&self) -> String {
        format!("{}Join", self.matcher.describe())
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        std::iter::once(self.left.as_ref()).chain(self.matcher.inputs()).collect()
    }
}
