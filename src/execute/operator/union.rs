//! `Union`: the rows of all inputs, one input after another.

use super::{BoxOperator, Operator};
use crate::batch::Batch;
use crate::execute::{ExecuteError, Layout};
use crate::model::TermId;

pub struct Union {
    inputs: Vec<BoxOperator>,
    current: usize,
    layout: Layout,
}

impl Union {
    pub fn new(inputs: Vec<BoxOperator>) -> Union {
        let mut layout = Layout::default();
        for variable in inputs.iter().flat_map(|input| input.layout().variables()) {
            if !layout.contains(*variable) {
                layout.push(*variable, inputs.iter().all(|input| input.layout().is_defined(*variable)));
            }
        }
        Union { inputs, current: 0, layout }
    }
}

impl Operator for Union {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        while let Some(input) = self.inputs.get_mut(self.current) {
            let Some(batch) = input.next_batch()? else {
                self.current += 1;
                continue;
            };
            let rows = batch.rows();
            let mut columns: Vec<Vec<TermId>> = batch.into_columns();
            let layout = input.layout();
            let taken = self.layout.variables().iter().map(|variable| match layout.column(*variable) {
                Some(column) => std::mem::take(&mut columns[column]),
                None => vec![TermId::UNDEFINED; rows],
            });
            return Ok(Some(Batch::new(taken.collect(), rows)));
        }
        Ok(None)
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn describe(&self) -> String {
        "Union".to_owned()
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        self.inputs.iter().map(AsRef::as_ref).collect()
    }
}
