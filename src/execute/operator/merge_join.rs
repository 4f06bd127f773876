//! `MergeJoin`: joins two inputs that are sorted by one variable, without holding either.

use std::cmp::Ordering;
use std::sync::Arc;

use super::{BoxOperator, JoinShape, Operator, Pairs, bytes_of};
use crate::batch::{BATCH_ROWS, Batch};
use crate::execute::{Context, ExecuteError, Layout, Reservation};
use crate::model::TermId;
use crate::plan::Variable;

/// Both sides bind the join variable, and all others that they share, in every row.
pub struct MergeJoin {
    context: Arc<Context>,
    variable: Variable,
    left: Side,
    right: Side,
    /// (left column, right column) of the shared variables other than the sorted one.
    others: Vec<(usize, usize)>,
    shape: JoinShape,
    /// The right rows of the current key; `None` before the first.
    group: Option<(TermId, Batch)>,
    /// A left row that has joined only part of the group.
    offset: usize,
    reservation: Reservation,
}

struct Side {
    input: BoxOperator,
    column: usize,
    batch: Batch,
    row: usize,
    is_done: bool,
}

impl Side {
    fn new(input: BoxOperator, variable: Variable) -> Side {
        let column = input.layout().column(variable).expect("the planner joins on a shared variable");
        let batch = Batch::empty(input.layout().width());
        Side { input, column, batch, row: 0, is_done: false }
    }

    /// Returns the key of the row in front, pulling a batch if need be.
    fn key(&mut self) -> Result<Option<TermId>, ExecuteError> {
        while !self.is_done && self.row >= self.batch.rows() {
            match self.input.next_batch()? {
                Some(batch) => (self.batch, self.row) = (batch, 0),
                None => self.is_done = true,
            }
        }
        Ok((!self.is_done).then(|| self.batch.column(self.column)[self.row]))
    }

    /// Skips the rows below `key` that are in the batch at hand.
    fn skip_below(&mut self, key: TermId) {
        self.row += self.batch.column(self.column)[self.row..].partition_point(|id| *id < key);
    }

    /// Returns the end of the run of `key` in the batch at hand.
    fn run_end(&self, key: TermId) -> usize {
        self.row + self.batch.column(self.column)[self.row..].partition_point(|id| *id <= key)
    }
}

impl MergeJoin {
    /// # Panics
    /// If an input lacks `variable`.
    pub fn new(
        left: BoxOperator,
        right: BoxOperator,
        variable: Variable,
        context: Arc<Context>,
    ) -> MergeJoin {
        let (own, theirs) = (left.layout(), right.layout());
        let shape = JoinShape::new(own, theirs);
        let shared = own.shared(theirs).into_iter().filter(|v| *v != variable);
        let others = shared.filter_map(|v| Some((own.column(v)?, theirs.column(v)?))).collect();
        let reservation = context.reserve();
        MergeJoin {
            context,
            variable,
            left: Side::new(left, variable),
            right: Side::new(right, variable),
            others,
            shape,
            group: None,
            offset: 0,
            reservation,
        }
    }

    /// Reads the right rows of `key`, which is in front.
    fn read_group(&mut self, key: TermId) -> Result<(), ExecuteError> {
        let mut group = Batch::empty(self.right.batch.width());
        self.reservation.release();
        while self.right.key()? == Some(key) {
            let end = self.right.run_end(key);
            let run = self.right.batch.slice(self.right.row, end - self.right.row);
            self.reservation.grow(bytes_of(run.rows(), run.width()))?;
            group.append(&run);
            self.right.row = end;
        }
        self.group = Some((key, group));
        Ok(())
    }

    /// Moves both sides to the next key that they share; returns whether there is one.
    fn align(&mut self) -> Result<bool, ExecuteError> {
        loop {
            self.context.check()?;
            let Some(own) = self.left.key()? else { return Ok(false) };
            if self.group.as_ref().is_some_and(|(key, _)| *key == own) {
                return Ok(true);
            }
            let Some(theirs) = self.right.key()? else { return Ok(false) };
            match own.cmp(&theirs) {
                Ordering::Less => self.left.skip_below(theirs),
                Ordering::Greater => self.right.skip_below(own),
                Ordering::Equal => self.read_group(own)?,
            }
        }
    }
}

impl Operator for MergeJoin {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        while self.align()? {
            let Some((key, group)) = &self.group else { return Ok(None) };
            let end = self.left.run_end(*key);
            let mut pairs = Pairs::default();
            let left = &self.left.batch;
            let mut row = self.left.row;
            while row < end && pairs.left.len() < 2 * BATCH_ROWS {
                let stop = group.rows().min(self.offset + 2 * BATCH_ROWS);
                for theirs in self.offset..stop {
                    if self.others.iter().all(|(l, r)| left.column(*l)[row] == group.column(*r)[theirs]) {
                        pairs.left.push(row as u32);
                        pairs.right.push(theirs as u32);
                    }
                }
                (row, self.offset) = if stop == group.rows() { (row + 1, 0) } else { (row, stop) };
            }
            let joined = self.shape.join(left, &pairs, group);
            self.left.row = row;
            if !joined.is_empty() {
                return Ok(Some(joined));
            }
        }
        Ok(None)
    }

    fn layout(&self) -> &Layout {
        &self.shape.layout
    }

    fn sorted_by(&self) -> &[Variable] {
        &self.left.input.sorted_by()[..1]
    }

    fn describe(&self) -> String {
        format!("MergeJoin on {:?}", self.variable)
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.left.input.as_ref(), self.right.input.as_ref()]
    }
}
