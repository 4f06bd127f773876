//! `MergeJoin`: joins two inputs that are sorted by one variable, without holding either.

use std::cmp::Ordering;
use std::sync::Arc;

use super::sorted_ids::first_not;
use super::{BoxOperator, JoinShape, Operator, Pairs, bytes_of};
use crate::batch::{BATCH_ROWS, Batch};
use crate::execute::{Context, ExecuteError, Layout, Reservation};
use crate::model::TermId;
use crate::plan::Variable;

/// Both sides bind the join variable, and all others that they share, in every row.
///
/// Rows of both batches at hand are paired, key by key, until there are enough for a batch; no row is
/// copied before it is joined, but for a group of right rows that goes on in the next batch.
pub struct MergeJoin {
    context: Arc<Context>,
    variable: Variable,
    left: Side,
    right: Side,
    /// (left column, right column) of the shared variables other than the sorted one.
    others: Vec<(usize, usize)>,
    shape: JoinShape,
    /// How many right rows of its key the left row in front has been paired with.
    paired: usize,
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

    fn keys(&self) -> &[TermId] {
        self.batch.column(self.column)
    }

    /// Returns the key of the row in front, if there is one in the batch at hand.
    fn key(&self) -> Option<TermId> {
        self.keys().get(self.row).copied()
    }

    /// Pulls the next batch behind the rows that are left; returns whether there was one. Rows below `key`, if that
    /// is known, are of no use.
    fn pull(&mut self, key: Option<TermId>) -> Result<bool, ExecuteError> {
        if let Some(key) = key {
            self.input.seek(key);
        }
        let Some(next) = self.input.next_batch()? else {
            self.is_done = true;
            return Ok(false);
        };
        if self.row == self.batch.rows() {
            self.batch = next;
        } else {
            // Nothing was passed if a long group goes on and on: then nothing is copied twice.
            if self.row > 0 {
                self.batch = self.batch.slice(self.row, self.batch.rows() - self.row);
            }
            self.batch.append(&next);
        }
        self.row = 0;
        Ok(true)
    }

    /// Returns the first row, from the one in front on, whose key is not low. The search gallops:
    /// mostly that row is near.
    fn first_not(&self, is_low: impl Fn(&TermId) -> bool) -> usize {
        self.row + first_not(&self.keys()[self.row..], is_low)
    }

    fn skip_below(&mut self, key: TermId) {
        self.row = self.first_not(|id| *id < key);
    }

    /// Returns the end of the run of `key` in the batch at hand.
    fn run_end(&self, key: TermId) -> usize {
        self.first_not(|id| *id <= key)
    }
}

/// Why pairing stopped.
enum Stop {
    /// There are enough pairs.
    Full,
    /// This side's batch has no more rows, or, on the right, may have more of the key in front.
    Left,
    Right,
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
            paired: 0,
            reservation,
        }
    }

    /// Pairs rows of the two batches at hand as far as they go.
    fn pair(&mut self, pairs: &mut Pairs) -> Stop {
        loop {
            let Some(own) = self.left.key() else { return Stop::Left };
            let Some(theirs) = self.right.key() else { return Stop::Right };
            match own.cmp(&theirs) {
                Ordering::Less => self.left.skip_below(theirs),
                Ordering::Greater => self.right.skip_below(own),
                Ordering::Equal => {
                    if self.pair_aligned(pairs) {
                        continue;
                    }
                    let end = self.right.run_end(own);
                    if end == self.right.batch.rows() && !self.right.is_done {
                        return Stop::Right;
                    }
                    if !self.pair_run(own, end, pairs) {
                        return Stop::Full;
                    }
                }
            }
        }
    }

    /// Pairs the rows from those in front on that have one match each and those side by side, as there is room for;
    /// returns whether there are any.
    fn pair_aligned(&mut self, pairs: &mut Pairs) -> bool {
        if !self.others.is_empty() || self.paired > 0 {
            return false;
        }
        let (left, right) = (&mut self.left, &mut self.right);
        let count = pairs.add_aligned((left.keys(), left.row), (right.keys(), right.row), BATCH_ROWS);
        (left.row, right.row) = (left.row + count, right.row + count);
        count > 0
    }

    /// Pairs the left rows of `key` with the right rows of it, which end at `end`; returns whether
    /// there was room for all.
    fn pair_run(&mut self, key: TermId, end: usize, pairs: &mut Pairs) -> bool {
        let (left, right) = (&self.left.batch, &self.right.batch);
        let own_end = self.left.run_end(key);
        while self.left.row < own_end {
            let row = self.left.row;
            let from = self.right.row + self.paired;
            let to = end.min(from + BATCH_ROWS.saturating_sub(pairs.left.len()));
            for theirs in from..to {
                if self.others.iter().all(|(l, r)| left.column(*l)[row] == right.column(*r)[theirs]) {
                    pairs.left.push(row as u32);
                    pairs.right.push(theirs as u32);
                }
            }
            if to < end {
                self.paired = to - self.right.row;
                return false;
            }
            (self.left.row, self.paired) = (row + 1, 0);
        }
        true
    }

    /// Gets more rows for the side that has run out; returns whether that is worth going on.
    fn refill(&mut self, stop: &Stop) -> Result<bool, ExecuteError> {
        self.context.check()?;
        match stop {
            Stop::Full => Ok(true),
            Stop::Left => Ok(!self.left.is_done && self.left.pull(self.right.key())?),
            Stop::Right => {
                let has_rows = self.right.row < self.right.batch.rows();
                let is_more = !self.right.is_done && self.right.pull(self.left.key())?;
                self.reservation.release();
                self.reservation.grow(bytes_of(self.right.batch.rows(), self.right.batch.width()))?;
                Ok(is_more || has_rows)
            }
        }
    }
}

impl Operator for MergeJoin {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        loop {
            let mut pairs = Pairs::default();
            let stop = self.pair(&mut pairs);
            // Before the rows that the pairs name are gone.
            let joined = self.shape.join(&self.left.batch, &pairs, &self.right.batch);
            let is_more = self.refill(&stop)?;
            if !joined.is_empty() {
                return Ok(Some(joined));
            }
            if !is_more {
                return Ok(None);
            }
        }
    }

    fn layout(&self) -> &Layout {
        &self.shape.layout
    }

    fn sorted_by(&self) -> &[Variable] {
        &self.left.input.sorted_by()[..1]
    }

    fn seek(&mut self, key: TermId) {
        self.left.input.seek(key);
        self.right.input.seek(key);
    }

    fn describe(&self) -> String {
        format!("MergeJoin on {:?}", self.variable)
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.left.input.as_ref(), self.right.input.as_ref()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::MemoryDataset;
    use proptest::prelude::*;

    const KEY: Variable = Variable(0);

    /// Rows in batches of any size, sorted by their first column.
    struct Pieces {
        batches: std::vec::IntoIter<Batch>,
        layout: Layout,
    }

    impl Pieces {
        fn of(rows: &[(u8, u8)], sizes: &[usize], other: Variable) -> BoxOperator {
            let id = |value: u8| TermId::from_i64(value.into()).unwrap();
            let (mut rest, mut sizes) = (rows, sizes.iter().cycle());
            let mut batches = Vec::new();
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                let columns =
                    [now.iter().map(|row| id(row.0)).collect(), now.iter().map(|row| id(row.1)).collect()];
                batches.push(Batch::new(columns.into(), now.len()));
                rest = later;
            }
            let mut layout = Layout::default();
            layout.push(KEY, true);
            layout.push(other, true);
            Box::new(Pieces { batches: batches.into_iter(), layout })
        }
    }

    impl Operator for Pieces {
        fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
            Ok(self.batches.next())
        }

        fn layout(&self) -> &Layout {
            &self.layout
        }

        fn sorted_by(&self) -> &[Variable] {
            &self.layout.variables()[..1]
        }

        fn describe(&self) -> String {
            "Pieces".to_owned()
        }

        fn inputs(&self) -> Vec<&dyn Operator> {
            Vec::new()
        }
    }

    fn joined(left: BoxOperator, right: BoxOperator) -> Vec<Vec<TermId>> {
        let context = Arc::new(Context::new(Arc::new(MemoryDataset::new())));
        let mut join = MergeJoin::new(left, right, KEY, context);
        let mut rows = Vec::new();
        while let Some(batch) = join.next_batch().unwrap() {
            assert!((1..=BATCH_ROWS).contains(&batch.rows()));
            rows.extend(
                (0..batch.rows()).map(|row| batch.columns().iter().map(|column| column[row]).collect()),
            );
        }
        rows
    }

    fn rows() -> impl Strategy<Value = Vec<(u8, u8)>> {
        prop::collection::vec((0..6u8, 0..3u8), 0..40).prop_map(|mut rows| {
            rows.sort_unstable();
            rows
        })
    }

    fn sizes() -> impl Strategy<Value = Vec<usize>> {
        prop::collection::vec(1..9usize, 1..5)
    }

    proptest! {
        /// However the batches are cut, the rows are those of comparing all pairs, in order of the key.
        #[test]
        fn batches_may_be_cut_anywhere(
            (left, right) in (rows(), rows()),
            (own_sizes, their_sizes) in (sizes(), sizes()),
            shares_other in any::<bool>(),
        ) {
            let other = if shares_other { Variable(1) } else { Variable(2) };
            let id = |value: u8| TermId::from_i64(value.into()).unwrap();
            let mut expected = Vec::new();
            for own in &left {
                for theirs in right.iter().filter(|theirs| theirs.0 == own.0) {
                    match shares_other {
                        true if own.1 == theirs.1 => expected.push(vec![id(own.0), id(own.1)]),
                        true => {}
                        false => expected.push(vec![id(own.0), id(own.1), id(theirs.1)]),
                    }
                }
            }
            let own = Pieces::of(&left, &own_sizes, Variable(1));
            let theirs = Pieces::of(&right, &their_sizes, other);
            prop_assert_eq!(joined(own, theirs), expected);
        }
    }

    #[test]
    fn one_key_on_both_sides_is_joined_in_batches() {
        let rows = vec![(1, 2); 300];
        let sides = || (Pieces::of(&rows, &[7], Variable(1)), Pieces::of(&rows, &[11], Variable(2)));
        let (left, right) = sides();
        assert_eq!(joined(left, right).len(), 300 * 300);
    }
}
