//! `WritingCall`: evaluates its whole input, then calls a procedure that changes data for each row.

use std::sync::Arc;

use super::procedure::WritingProcedure;
use super::{BoxOperator, Operator, bytes_of, drain};
use crate::batch::Batch;
use crate::execute::expression::Compiled;
use crate::execute::writer::Writer;
use crate::execute::{Context, ExecuteError, Layout, Reservation, RuntimeCode};
use crate::plan::Variable;

pub struct WritingCall {
    context: Arc<Context>,
    input: BoxOperator,
    name: String,
    procedure: WritingProcedure,
    arguments: Vec<Compiled>,
    /// How many columns show the one field.
    yields: usize,
    layout: Layout,
    rows: Option<Batch>,
    position: usize,
    reservation: Reservation,
}

impl WritingCall {
    /// # Errors
    /// If nobody knows the procedure or it has not these fields.
    pub fn new(
        input: BoxOperator,
        name: &str,
        arguments: Vec<Compiled>,
        yields: &[(String, Variable)],
        context: Arc<Context>,
    ) -> Result<WritingCall, ExecuteError> {
        let unknown = |message: String| {
            ExecuteError::runtime(RuntimeCode::ProcedureError, "ProcedureNotFound", message)
        };
        let procedure =
            WritingProcedure::of(name).ok_or_else(|| unknown(format!("there is no procedure '{name}'")))?;
        let mut layout = input.layout().clone();
        for (field, variable) in yields {
            if procedure.field() != Some(field) {
                return Err(unknown(format!("'{name}' yields no '{field}'")));
            }
            layout.push(*variable, false);
        }
        let (yields, reservation) = (yields.len(), context.reserve());
        Ok(WritingCall {
            context,
            input,
            name: name.to_owned(),
            procedure,
            arguments,
            yields,
            layout,
            rows: None,
            position: 0,
            reservation,
        })
    }

    fn run(&mut self) -> Result<Batch, ExecuteError> {
        let input = drain(self.input.as_mut(), &self.context, &mut self.reservation)?;
        let mut writer = Writer::new(self.context.clone())?;
        let mut called = Batch::empty(self.layout.width());
        let mut row = Vec::new();
        for index in 0..input.rows() {
            self.context.check()?;
            // Row by row: an argument may read what an earlier row wrote.
            let own = input.slice(index, 1);
            let mut arguments = Vec::with_capacity(self.arguments.len());
            for argument in &self.arguments {
                arguments.extend_from_slice(&argument.evaluate(&own, &self.context)?);
            }
            for result in self.procedure.call(&arguments, &mut writer, &self.context)? {
                self.reservation.grow(bytes_of(1, self.layout.width()))?;
                input.read_row(index, &mut row);
                row.extend(std::iter::repeat_n(result, self.yields));
                called.push_row(&row);
            }
            writer.end_row()?;
        }
        writer.end_clause()?;
        self.context.count(&writer.summary);
        Ok(called)
    }
}

impl Operator for WritingCall {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        if self.rows.is_none() {
            self.rows = Some(self.run()?);
        }
        let Some(all) = &self.rows else { return Ok(None) };
        Ok(all.next_part(&mut self.position))
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn describe(&self) -> String {
        format!("WritingCall {}", self.name)
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }
}
