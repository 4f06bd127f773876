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
        let batch = frame.to_batch()?;
        let found = crate::execute::operator::exists(&self.plan, &self.layout, &batch, frame.context)?;
        Ok(found.into_iter().map(Some).collect())
    }
}
