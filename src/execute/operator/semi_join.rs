//! `SemiJoin`: the left rows that some right row is compatible with, or those that none is.

use std::sync::Arc;

use super::{BoxOperator, Matcher, Operator};
use crate::batch::Batch;
use crate::execute::{ExecuteError, Layout};
use crate::plan::Variable;

pub struct SemiJoin {
    left: BoxOperator,
    matcher: Box<dyn Matcher>,
    /// Keep rows with a match, or those without.
    keeps_matched: bool,
}

impl SemiJoin {
    pub fn semi(left: BoxOperator, matcher: Box<dyn Matcher>) -> SemiJoin {
        SemiJoin { left, matcher, keeps_matched: true }
    }

    pub fn anti(left: BoxOperator, matcher: Box<dyn Matcher>) -> SemiJoin {
        SemiJoin { left, matcher, keeps_matched: false }
    }
}

impl Operator for SemiJoin {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        while let Some(batch) = self.left.next_batch()? {
            let batch = Arc::new(batch);
            self.matcher.start(&batch, true)?;
            let mut keep = vec![!self.keeps_matched; batch.rows()];
            while let Some(pairs) = self.matcher.next_pairs()? {
                pairs.left.iter().for_each(|row| keep[*row as usize] = self.keeps_matched);
            }
            let mut batch = Arc::unwrap_or_clone(batch);
            batch.filter(&keep);
            if !batch.is_empty() {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    fn layout(&self) -> &Layout {
        self.left.layout()
    }

    fn sorted_by(&self) -> &[Variable] {
        self.left.sorted_by()
    }

    fn describe(&self) -> String {
        format!("{}{}Join", self.matcher.describe(), if self.keeps_matched { "Semi" } else { "Anti" })
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        std::iter::once(self.left.as_ref()).chain(self.matcher.inputs()).collect()
    }
}
