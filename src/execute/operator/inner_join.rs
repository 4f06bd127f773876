//! `InnerJoin`: compatible pairs of rows, found by any matcher.

use std::sync::Arc;

use super::{BoxOperator, JoinShape, Matcher, Operator};
use crate::batch::Batch;
use crate::execute::{ExecuteError, Layout};
use crate::plan::Variable;

/// With fewer rows for each key a scan is read whole: a lookup costs about as much as to read so many.
const ROWS_PER_KEY_MIN: f64 = 32.0;

pub struct InnerJoin {
    left: BoxOperator,
    matcher: Box<dyn Matcher>,
    shape: JoinShape,
    /// The variable whose keys the left side is to be told of, if there are no more of them than this.
    told: Option<(Variable, usize)>,
    current: Option<Arc<Batch>>,
}

impl InnerJoin {
    pub fn new(left: BoxOperator, matcher: Box<dyn Matcher>) -> InnerJoin {
        let shape = JoinShape::new(left.layout(), matcher.layout());
        InnerJoin { left, matcher, shape, told: None, current: None }
    }

    /// Returns whether a right side of `few` rows is worth being told to a left side of `many`.
    pub fn may_tell(few: f64, many: f64) -> bool {
        few * ROWS_PER_KEY_MIN <= many
    }

    /// As [`InnerJoin::new`], with a left side of about `rows` rows, all from one scan: where the right side has few,
    /// the scan is told which it has, and looks them up.
    pub fn telling(left: BoxOperator, matcher: Box<dyn Matcher>, rows: f64) -> InnerJoin {
        let told = left.keyed_by().filter(|variable| matcher.layout().contains(*variable));
        let told = told.map(|variable| (variable, (rows / ROWS_PER_KEY_MIN) as usize));
        InnerJoin { told, ..InnerJoin::new(left, matcher) }
    }
}

impl Operator for InnerJoin {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        if let Some((variable, keys_max)) = self.told.take()
            && let Some(keys) = self.matcher.keys(variable, keys_max)?
        {
            self.left.expect_keys(keys);
        }
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
