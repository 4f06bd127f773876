//! `Metered`: an operator with a note of what it gave and how long that took, for PROFILE.

use std::time::{Duration, Instant};

use super::{BoxOperator, Operator};
use crate::batch::Batch;
use crate::execute::{ExecuteError, Layout};
use crate::plan::Variable;

pub struct Metered {
    operator: BoxOperator,
    /// How many rows the planner expected.
    estimate: f64,
    rows: u64,
    batches: u64,
    /// Its inputs' time is in it.
    elapsed: Duration,
}

impl Metered {
    pub fn new(operator: BoxOperator, estimate: f64) -> Metered {
        Metered { operator, estimate, rows: 0, batches: 0, elapsed: Duration::ZERO }
    }
}

impl Operator for Metered {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        let started = Instant::now();
        let batch = self.operator.next_batch();
        self.elapsed += started.elapsed();
        if let Ok(Some(batch)) = &batch {
            self.rows += batch.rows() as u64;
            self.batches += 1;
        }
        batch
    }

    fn layout(&self) -> &Layout {
        self.operator.layout()
    }

    fn sorted_by(&self) -> &[Variable] {
        self.operator.sorted_by()
    }

    fn describe(&self) -> String {
        format!(
            "{} (about {:.0} rows expected; {} rows in {} batches, {:.3} ms)",
            self.operator.describe(),
            self.estimate,
            self.rows,
            self.batches,
            self.elapsed.as_secs_f64() * 1e3
        )
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        self.operator.inputs()
    }
}
