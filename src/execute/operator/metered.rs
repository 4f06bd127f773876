//! `Metered`: an operator with a note of what it gave and how long that took, for PROFILE.

use std::time::Instant;

use super::{BoxOperator, Operator};
use crate::batch::Batch;
use crate::dataset::Runs;
use crate::execute::{ExecuteError, Layout, Meter};
use crate::model::TermId;
use crate::plan::{Expression, Variable};

pub struct Metered {
    operator: BoxOperator,
    meter: Meter,
}

impl Metered {
    /// `estimate` is how many rows the planner expects.
    pub fn new(operator: BoxOperator, estimate: f64) -> Metered {
        Metered { operator, meter: Meter { estimated_rows: estimate, ..Meter::default() } }
    }
}

impl Operator for Metered {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        let started = Instant::now();
        let batch = self.operator.next_batch();
        self.meter.milliseconds += started.elapsed().as_secs_f64() * 1e3;
        if let Ok(Some(batch)) = &batch {
            self.meter.rows += batch.rows() as u64;
            self.meter.batches += 1;
        }
        batch
    }

    fn next_runs(&mut self, column: usize) -> Result<Option<Runs>, ExecuteError> {
        let started = Instant::now();
        let runs = self.operator.next_runs(column);
        self.meter.milliseconds += started.elapsed().as_secs_f64() * 1e3;
        if let Ok(Some(runs)) = &runs {
            self.meter.rows += runs.counts.iter().sum::<u64>();
            self.meter.batches += 1;
        }
        runs
    }

    fn layout(&self) -> &Layout {
        self.operator.layout()
    }

    fn sorted_by(&self) -> &[Variable] {
        self.operator.sorted_by()
    }

    fn seek(&mut self, key: TermId) {
        self.operator.seek(key);
    }

    fn narrow(&mut self, condition: &Expression) {
        self.operator.narrow(condition);
    }

    fn keyed_by(&self) -> Option<Variable> {
        self.operator.keyed_by()
    }

    fn expect_keys(&mut self, keys: Vec<TermId>) {
        self.operator.expect_keys(keys);
    }

    fn describe(&self) -> String {
        self.operator.describe()
    }

    fn meter(&self) -> Option<Meter> {
        Some(self.meter)
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        self.operator.inputs()
    }
}
