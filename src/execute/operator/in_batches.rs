//! `InBatches`: applies a subplan to batches of its input's rows, and undoes what a batch has written that fails.

use std::sync::Arc;

use super::{BoxOperator, Operator, RowsAtHand, bytes_of, drain};
use crate::batch::Batch;
use crate::execute::expression::{self, Compiled};
use crate::execute::physical_plan::Planner;
use crate::execute::{Context, ExecuteError, Layout, Reservation, RuntimeCode};
use crate::model::{Map, TermId, Value};
use crate::plan::{Batches, LogicalPlan, OnError, Variable};

pub struct InBatches {
    context: Arc<Context>,
    planner: Planner,
    input: BoxOperator,
    subplan: LogicalPlan,
    batches: Batches,
    /// Compiled for the empty layout.
    rows_per_batch: Compiled,
    /// For EXPLAIN: the subplan applied to no rows.
    sample: BoxOperator,
    /// The columns of `sample`, then the status.
    layout: Layout,
    rows: Option<Batch>,
    position: usize,
    reservation: Reservation,
}

/// What became of a batch.
enum Outcome {
    Kept(Batch),
    Failed(ExecuteError),
    /// One before it failed.
    Untried,
}

impl InBatches {
    pub fn new(
        input: BoxOperator,
        subplan: &LogicalPlan,
        batches: &Batches,
        rows_per_batch: Compiled,
        planner: &Planner,
    ) -> Result<InBatches, ExecuteError> {
        let context = planner.context().clone();
        let nothing = Batch::empty(input.layout().width());
        let own = Box::new(RowsAtHand::with_layout("Batch", input.layout().clone(), Arc::new(nothing)));
        let sample = planner.apply_to(own, 0.0, subplan, &batches.kind)?;
        let mut layout = input.layout().clone();
        for variable in sample.layout().variables() {
            if !layout.contains(*variable) {
                layout.push(*variable, false);
            }
        }
        if let Some(status) = batches.status {
            layout.push(status, true);
        }
        let reservation = context.reserve();
        Ok(InBatches {
            context,
            planner: planner.clone(),
            input,
            subplan: subplan.clone(),
            batches: batches.clone(),
            rows_per_batch,
            sample,
            layout,
            rows: None,
            position: 0,
            reservation,
        })
    }

    fn run(&mut self) -> Result<Batch, ExecuteError> {
        let input = drain(self.input.as_mut(), &self.context, &mut self.reservation)?;
        let size = self.batch_size()?;
        let mut all = Batch::empty(self.layout.width());
        let mut is_over = false;
        for (number, start) in (0..input.rows()).step_by(size).enumerate() {
            self.context.check()?;
            let batch = Arc::new(input.slice(start, size.min(input.rows() - start)));
            let outcome = match is_over {
                true => Outcome::Untried,
                false => self.attempt(&batch)?,
            };
            is_over |= self.batches.on_error == OnError::Break && matches!(outcome, Outcome::Failed(_));
            let status = self.status(&outcome, number + 1)?;
            let rows = match outcome {
                Outcome::Kept(rows) => rows,
                Outcome::Failed(_) | Outcome::Untried => self.unbound(&batch),
            };
            let rows = with_status(rows, self.batches.status.map(|_| status));
            self.reservation.grow(bytes_of(rows.rows(), rows.width()))?;
            all.append(&rows);
        }
        Ok(all)
    }

    fn batch_size(&self) -> Result<usize, ExecuteError> {
        let row = Batch::new(Vec::new(), 1);
        let id = self.rows_per_batch.evaluate(&row, &self.context)?;
        let size = id.first().and_then(|id| id.as_i64()).and_then(|size| usize::try_from(size).ok());
        size.filter(|size| *size > 0).ok_or_else(|| {
            let message = "the number of rows of a batch must be a positive integer";
            ExecuteError::runtime(RuntimeCode::ArgumentError, "InvalidArgumentValue", message)
        })
    }

    /// Runs the subplan for a batch, and undoes what it did if it fails.
    fn attempt(&self, batch: &Arc<Batch>) -> Result<Outcome, ExecuteError> {
        self.context.begin_batch();
        let applied = self.apply(batch).and_then(|rows| self.context.keep_batch().map(|()| rows));
        match applied {
            Ok(rows) => Ok(Outcome::Kept(rows)),
            Err(error) if error.is_of_rows() => {
                self.context.undo_batch()?;
                Ok(Outcome::Failed(error))
            }
            Err(error) => Err(error),
        }
    }

    fn apply(&self, batch: &Arc<Batch>) -> Result<Batch, ExecuteError> {
        let layout = self.input.layout().clone();
        let own = Box::new(RowsAtHand::with_layout("Batch", layout, batch.clone()));
        let mut operator =
            self.planner.apply_to(own, batch.rows() as f64, &self.subplan, &self.batches.kind)?;
        let mut held = self.context.reserve();
        let rows = drain(operator.as_mut(), &self.context, &mut held)?;
        // The columns of a fresh plan may stand in another order than those of the sample.
        let columns = self.bound().iter().map(|variable| match operator.layout().column(*variable) {
            Some(column) => rows.column(column).to_vec(),
            None => vec![TermId::UNDEFINED; rows.rows()],
        });
        Ok(Batch::new(columns.collect(), rows.rows()))
    }

    /// Returns the variables before the status.
    fn bound(&self) -> &[Variable] {
        let width = self.layout.width() - usize::from(self.batches.status.is_some());
        &self.layout.variables()[..width]
    }

    /// Returns the rows of a batch as they are where the subplan binds nothing.
    fn unbound(&self, batch: &Batch) -> Batch {
        let mut columns: Vec<Vec<TermId>> = batch.columns().iter().map(|column| column.to_vec()).collect();
        columns.resize(self.bound().len(), vec![TermId::UNDEFINED; batch.rows()]);
        Batch::new(columns, batch.rows())
    }

    /// Returns the map that tells of a batch.
    ///
    /// # Source
    /// The Neo4j Cypher manual, version 5: "CALL subqueries in transactions", status report.
    fn status(&self, outcome: &Outcome, number: usize) -> Result<TermId, ExecuteError> {
        let message = match outcome {
            Outcome::Failed(ExecuteError::Runtime { message, .. }) => Value::String(message.clone()),
            Outcome::Failed(error) => Value::String(error.to_string()),
            Outcome::Kept(_) | Outcome::Untried => Value::Null,
        };
        let is_started = !matches!(outcome, Outcome::Untried);
        let id = if is_started { Value::String(format!("batch-{number}")) } else { Value::Null };
        let status = Map::from([
            ("started".to_owned(), Value::Boolean(is_started)),
            ("committed".to_owned(), Value::Boolean(matches!(outcome, Outcome::Kept(_)))),
            ("transactionId".to_owned(), id),
            ("errorMessage".to_owned(), message),
        ]);
        expression::id_of_value(&Value::Map(status), &self.context)
    }
}

fn with_status(mut rows: Batch, status: Option<TermId>) -> Batch {
    if let Some(status) = status {
        rows.push_column(vec![status; rows.rows()]);
    }
    rows
}

impl Operator for InBatches {
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
        format!("InBatches, on error {}", self.batches.on_error.name())
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref(), self.sample.as_ref()]
    }
}
