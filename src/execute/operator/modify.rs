//! `Modify`: evaluates its whole input, then applies changes row by row, then yields the rows.

use std::sync::Arc;

use super::{BoxOperator, Operator, drain};
use crate::batch::Batch;
use crate::execute::changes::Changes;
use crate::execute::writer::Writer;
use crate::execute::{Context, ExecuteError, Layout, Reservation};
use crate::plan::Change;

pub struct Modify {
    context: Arc<Context>,
    input: BoxOperator,
    changes: Changes,
    rows: Option<Batch>,
    position: usize,
    reservation: Reservation,
}

impl Modify {
    pub fn new(
        input: BoxOperator,
        changes: &[Change],
        context: Arc<Context>,
    ) -> Result<Modify, ExecuteError> {
        let changes = Changes::compile(changes, input.layout(), &context)?;
        let reservation = context.reserve();
        Ok(Modify { context, input, changes, rows: None, position: 0, reservation })
    }

    fn run(&mut self) -> Result<Batch, ExecuteError> {
        let input = drain(self.input.as_mut(), &self.context, &mut self.reservation)?;
        let mut writer = Writer::new(self.context.clone())?;
        let mut changed = Batch::empty(self.changes.layout().width());
        let mut row = Vec::new();
        for index in 0..input.rows() {
            if index % 64 == 0 {
                self.context.check()?;
            }
            input.read_row(index, &mut row);
            self.changes.apply(&mut row, &mut writer, &self.context)?;
            changed.push_row(&row[..changed.width()]);
        }
        writer.end_clause()?;
        self.context.note_deleted(&writer.deleted);
        self.context.count(&writer.summary);
        Ok(changed)
    }
}

impl Operator for Modify {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        if self.rows.is_none() {
            self.rows = Some(self.run()?);
        }
        let Some(all) = &self.rows else { return Ok(None) };
        Ok(all.next_part(&mut self.position))
    }

    fn layout(&self) -> &Layout {
        self.changes.layout()
    }

    fn describe(&self) -> String {
        "Modify".to_owned()
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }
}
