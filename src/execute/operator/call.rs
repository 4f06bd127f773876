//! `Call`: the rows of a procedure for each input row.

use std::sync::Arc;

use super::procedure::built_in;
use super::{BoxOperator, Operator};
use crate::batch::Batch;
use crate::execute::context::Procedure;
use crate::execute::expression::{self, Compiled};
use crate::execute::{Context, ExecuteError, Layout, RuntimeCode};
use crate::model::Value;
use crate::plan::Variable;

pub struct Call {
    context: Arc<Context>,
    input: BoxOperator,
    name: String,
    procedure: Arc<dyn Procedure>,
    arguments: Vec<Compiled>,
    /// For each yield: the place of its field.
    fields: Vec<usize>,
    layout: Layout,
}

impl Call {
    /// # Errors
    /// If nobody knows the procedure or it has not these fields.
    pub fn new(
        input: BoxOperator,
        name: &str,
        arguments: Vec<Compiled>,
        yields: &[(String, Variable)],
        context: Arc<Context>,
    ) -> Result<Call, ExecuteError> {
        let unknown = |message: String| {
            ExecuteError::runtime(RuntimeCode::ProcedureError, "ProcedureNotFound", message)
        };
        let procedure = match context.procedures.get(name) {
            Some(procedure) => procedure.clone(),
            None => built_in(name).ok_or_else(|| unknown(format!("there is no procedure '{name}'")))?,
        };
        let known = procedure.fields();
        let mut layout = input.layout().clone();
        let mut fields = Vec::new();
        for (field, variable) in yields {
            let place = known.iter().position(|own| own == field);
            fields.push(place.ok_or_else(|| unknown(format!("'{name}' yields no '{field}'")))?);
            layout.push(*variable, false);
        }
        Ok(Call { context, input, name: name.to_owned(), procedure, arguments, fields, layout })
    }
}

impl Operator for Call {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        while let Some(batch) = self.input.next_batch()? {
            let mut columns = Vec::new();
            for argument in &self.arguments {
                let ids = argument.evaluate(&batch, &self.context)?;
                columns.push(expression::values_of_ids(&ids, &self.context)?);
            }
            let (mut source, mut yielded) = (Vec::new(), vec![Vec::new(); self.fields.len()]);
            for row in 0..batch.rows() {
                self.context.check()?;
                let arguments: Vec<Value> = columns.iter().map(|column| column[row].clone()).collect();
                for result in self.procedure.call(&arguments, &self.context)? {
                    source.push(row as u32);
                    for (column, place) in yielded.iter_mut().zip(&self.fields) {
                        let value = result.get(*place).unwrap_or(&Value::Null);
                        column.push(expression::id_of_value(value, &self.context)?);
                    }
                }
            }
            if !source.is_empty() {
                let mut joined = batch.gather(&source);
                yielded.into_iter().for_each(|column| joined.push_column(column));
                return Ok(Some(joined));
            }
        }
        Ok(None)
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn describe(&self) -> String {
        format!("Call {}", self.name)
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }
}
