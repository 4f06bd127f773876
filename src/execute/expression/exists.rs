//! EXISTS inside an expression: a plan that is run for the rows of a frame.

use super::column::Frame;
use crate::execute::{ExecuteError, Layout};
use crate::plan::LogicalPlan;

pub struct Exists {
    pub plan: LogicalPlan,
    /// The columns of the frame's batch, and after them its locals.
    pub layout: Layout,
}

impl Exists {
    pub fn evaluate(&self, frame: &Frame<'_>) -> Result<Vec<Option<bool>>, ExecuteError> {
        let _ = (frame.to_batch()?, &self.plan, &self.layout);
        Err(ExecuteError::Unsupported("EXISTS inside an expression".to_owned()))
    }
}
