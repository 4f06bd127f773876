//! `MergeMatcher`: finds right rows by walking both sides in the order of the variable that they share.

use std::sync::Arc;

use super::pairs::PAIRS_AT_ONCE;
use super::sorted_ids::first_not;
use super::{BoxOperator, Matcher, Operator, Pairs};
use crate::batch::{BATCH_ROWS, Batch};
use crate::execute::{Context, ExecuteError, Layout, Reservation};
use crate::model::TermId;
use crate::plan::Variable;

/// Holds the right rows of one key and a batch after them.
pub struct MergeMatcher {
    context: Arc<Context>,
    right: BoxOperator,
    left_column: usize,
    right_column: usize,
    left: Arc<Batch>,
    once: bool,
    /// The left row at hand, and the right row that is its next match, once that was sought.
    row: usize,
    next: Option<usize>,
    /// Right rows from those of the key at hand on.
    rows: Batch,
    /// Where those of the key begin.
    begin: usize,
    right_ended: bool,
    reservation: Reservation,
}

impl MergeMatcher {
    /// # Panics
    /// If a side lacks `key`, by which both are sorted, and which both always bind.
    pub fn new(right: BoxOperator, left: &Layout, key: Variable, context: Arc<Context>) -> MergeMatcher {
        let right_column = right.layout().column(key).expect("the planner merges by a variable of both");
        MergeMatcher {
            left_column: left.column(key).expect("the planner merges by a variable of both"),
            right_column,
            left: Arc::new(Batch::empty(left.width())),
            once: false,
            row: 0,
            next: None,
            rows: Batch::empty(right.layout().width()),
            begin: 0,
            right_ended: false,
            reservation: context.reserve(),
            context,
            right,
        }
    }

    /// Goes to the first right row that is not before `key`, if it is at hand.
    fn seek(&mut self, key: TermId) -> Option<usize> {
        let keys = &self.rows.column(self.right_column)[self.begin..];
        self.begin += first_not(keys, |id| *id < key);
        (self.begin < self.rows.rows()).then_some(self.begin)
    }

    /// Puts the next right rows in the place of those at hand, none of which is needed any more.
    fn replace(&mut self, key: TermId) -> Result<(), ExecuteError> {
        self.right.seek(key);
        (self.begin, self.rows) = (0, Batch::empty(self.rows.width()));
        self.reservation.release();
        self.pull()
    }

    /// Appends the next right rows to those at hand.
    fn pull(&mut self) -> Result<(), ExecuteError> {
        self.context.check()?;
        match self.right.next_batch()? {
            Some(batch) if self.rows.is_empty() => self.rows = batch,
            Some(batch) => {
                self.reservation.grow(super::bytes_of(batch.rows(), batch.width()))?;
                self.rows.append(&batch);
            }
            None => self.right_ended = true,
        }
        Ok(())
    }

    /// Drops right rows that no left row asks for any more, if they are many.
    fn forget(&mut self) {
        if self.begin >= BATCH_ROWS {
            self.rows = self.rows.slice(self.begin, self.rows.rows() - self.begin);
            self.next = self.next.map(|next| next - self.begin);
            self.begin = 0;
        }
    }

    /// Adds the left rows, from the one at hand on, that have one match each and those side by side, as there is room for;
    /// returns whether there are any. No match of the row at hand has been sought.
    fn add_aligned(&mut self, pairs: &mut Pairs) -> bool {
        let left = (self.left.column(self.left_column), self.row);
        let right = (self.rows.column(self.right_column), self.begin);
        let count = pairs.add_aligned(left, right, PAIRS_AT_ONCE);
        (self.row, self.begin) = (self.row + count, self.begin + count);
        count > 0
    }

    /// Adds matches of the left row at hand, as many as there is room for; returns whether those were all.
    fn add_matches(&mut self, key: TermId, from: usize, pairs: &mut Pairs) -> Result<bool, ExecuteError> {
        let mut from = from;
        loop {
            let room = if self.once { 1 } else { PAIRS_AT_ONCE - pairs.left.len() };
            let keys = &self.rows.column(self.right_column)[from..];
            let end = from + first_not(&keys[..room.min(keys.len())], |id| *id == key);
            pairs.left.resize(pairs.left.len() + end - from, self.row as u32);
            pairs.right.extend(from as u32..end as u32);
            if self.once && end > from {
                return Ok(true);
            }
            if end < self.rows.rows() {
                self.next = Some(end);
                return Ok(self.rows.column(self.right_column)[end] != key);
            }
            if self.right_ended {
                return Ok(true);
            }
            // The key may go on in the next right rows.
            self.pull()?;
            from = end;
        }
    }
}

impl Matcher for MergeMatcher {
    fn layout(&self) -> &Layout {
        self.right.layout()
    }

    fn start(&mut self, left: &Arc<Batch>, once: bool) -> Result<(), ExecuteError> {
        (self.left, self.once, self.row, self.next) = (left.clone(), once, 0, None);
        Ok(())
    }

    fn next_pairs(&mut self) -> Result<Option<Pairs>, ExecuteError> {
        self.forget();
        let mut pairs = Pairs::default();
        while self.row < self.left.rows() && pairs.left.len() < PAIRS_AT_ONCE {
            let key = self.left.column(self.left_column)[self.row];
            let next = match self.next.or_else(|| self.seek(key)) {
                Some(next) => next,
                // The pairs point into the rows at hand.
                None if !pairs.left.is_empty() => break,
                None if self.right_ended => {
                    self.row = self.left.rows();
                    break;
                }
                None => {
                    self.replace(key)?;
                    continue;
                }
            };
            if self.next.is_none() && self.add_aligned(&mut pairs) {
                continue;
            }
            if self.add_matches(key, next, &mut pairs)? {
                (self.row, self.next) = (self.row + 1, None);
            }
        }
        Ok((!pairs.left.is_empty()).then_some(pairs))
    }

    fn rows(&self) -> &Batch {
        &self.rows
    }

    fn describe(&self) -> String {
        "Merge".to_owned()
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.right.as_ref()]
    }
}
