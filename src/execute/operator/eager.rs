//! `Eager`: reads all of its input before it yields the first row, so that what comes after it and
//! what comes before it do not see each other half done.

use std::sync::Arc;

use super::{BoxOperator, Operator, drain};
use crate::batch::Batch;
use crate::execute::{Context, ExecuteError, Layout, Reservation};
use crate::plan::Variable;

pub struct Eager {
    context: Arc<Context>,
    input: BoxOperator,
    rows: Option<Batch>,
    position: usize,
    reservation: Reservation,
}

impl Eager {
    pub fn new(input: BoxOperator, context: Arc<Context>) -> Eager {
        let reservation = context.reserve();
        Eager { context, input, rows: None, position: 0, reservation }
    }
}

impl Operator for Eager {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        if self.rows.is_none() {
            self.rows = Some(drain(self.input.as_mut(), &self.context, &mut self.reservation)?);
        }
        let Some(all) = &self.rows else { return Ok(None) };
        Ok(all.next_part(&mut self.position))
    }

    fn layout(&self) -> &Layout {
        self.input.layout()
    }

    fn sorted_by(&self) -> &[Variable] {
        self.input.sorted_by()
    }

    fn describe(&self) -> String {
        "Eager".to_owned()
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }
}
