//! `Project`: some of the columns, in a given order; those that the input lacks are undefined.

use super::{BoxOperator, Operator};
use crate::batch::Batch;
use crate::execute::{ExecuteError, Layout};
use crate::model::TermId;
use crate::plan::Variable;

pub struct Project {
    input: BoxOperator,
    columns: Vec<Option<usize>>,
    layout: Layout,
    sorted_by: Vec<Variable>,
}

impl Project {
    pub fn new(input: BoxOperator, variables: &[Variable]) -> Project {
        let mut layout = Layout::default();
        let mut columns = Vec::new();
        for variable in variables {
            if !layout.contains(*variable) {
                layout.push(*variable, input.layout().is_defined(*variable));
                columns.push(input.layout().column(*variable));
            }
        }
        let kept = input.sorted_by().iter().take_while(|variable| layout.contains(**variable));
        let sorted_by = kept.copied().collect();
        Project { input, columns, layout, sorted_by }
    }
}

impl Operator for Project {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        let Some(batch) = self.input.next_batch()? else { return Ok(None) };
        let rows = batch.rows();
        let mut columns = batch.into_columns();
        let taken = self.columns.iter().map(|column| match column {
            Some(column) => std::mem::take(&mut columns[*column]),
            None => vec![TermId::UNDEFINED; rows],
        });
        Ok(Some(Batch::new(taken.collect(), rows)))
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn sorted_by(&self) -> &[Variable] {
        &self.sorted_by
    }

    fn describe(&self) -> String {
        format!("Project {:?}", self.layout.variables())
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }
}
