//! `BindMatcher`: looks up the right side once for each distinct key of a batch of left rows.
//!
//! It pays where the left side is small: all lookups of a batch are announced to the dataset at
//! once, since their blocks may come from far away.

use std::sync::Arc;

use super::{Matcher, Pairs, RowIndex, bytes_of, hash_rows};
use crate::batch::{BATCH_ROWS, Batch};
use crate::execute::{Context, ExecuteError, Layout, Reservation};
use crate::model::TermId;
use crate::plan::Variable;

/// A source of rows that can be asked with some of its variables given.
pub trait Probe: Send {
    /// The columns of what [`Probe::probe`] appends; the key's variables among them.
    fn layout(&self) -> &Layout;

    /// The variables that a key gives, in order.
    fn key(&self) -> &[Variable];

    /// Announces the keys that will be asked for.
    fn prefetch(&mut self, _keys: &[&[TermId]]) -> Result<(), ExecuteError> {
        Ok(())
    }

    /// Announces keys of one id each that will be asked for in ascending order, or, at none, that they were.
    fn expect_ascending(&mut self, _keys: &[TermId]) -> Result<(), ExecuteError> {
        Ok(())
    }

    /// Appends the rows of a key; an undefined part of it leaves its variable free.
    fn probe(&mut self, key: &[TermId], out: &mut Batch) -> Result<(), ExecuteError>;

    fn describe(&self) -> String;
}

pub struct BindMatcher {
    context: Arc<Context>,
    probe: Box<dyn Probe>,
    /// Left columns of the key.
    key_columns: Vec<usize>,
    left_rows: usize,
    once: bool,
    /// For each left row, its key's number.
    key_of_row: Vec<u32>,
    /// Distinct keys, one after another.
    keys: Vec<TermId>,
    /// For each key, once it was asked: its rows.
    ranges: Vec<Option<(u32, u32)>>,
    rows: Batch,
    row: usize,
    offset: u32,
    /// Over how many left rows keys are asked for together, in order; it grows, since a LIMIT may end it early.
    window: usize,
    reservation: Reservation,
}

/// Fetched rows are dropped between left rows when they are more than this.
const ROWS_KEPT: usize = 64 * BATCH_ROWS;
const WINDOW_FIRST: usize = 64;
/// So many keys are asked for before the query's limits are looked at again.
const KEYS_A_CHECK: usize = 64;

impl BindMatcher {
    /// # Panics
    /// If the left layout lacks a variable of the probe's key.
    pub fn new(probe: Box<dyn Probe>, left: &Layout, context: Arc<Context>) -> BindMatcher {
        let key_columns =
            probe.key().iter().map(|v| left.column(*v).expect("the left binds the key")).collect();
        let rows = Batch::empty(probe.layout().width());
        let reservation = context.reserve();
        BindMatcher {
            context,
            probe,
            key_columns,
            left_rows: 0,
            once: false,
            key_of_row: Vec::new(),
            keys: Vec::new(),
            ranges: Vec::new(),
            rows,
            row: 0,
            offset: 0,
            window: WINDOW_FIRST,
            reservation,
        }
    }

    /// Numbers the distinct keys of a batch in order of appearance.
    fn number_keys(&mut self, left: &Batch) {
        let width = self.key_columns.len();
        let columns: Vec<&[TermId]> = self.key_columns.iter().map(|column| left.column(*column)).collect();
        let hashes = hash_rows(&columns, left.rows());
        let mut index = RowIndex::with_capacity(left.rows());
        self.keys.clear();
        self.key_of_row.clear();
        let mut count = 0;
        for (row, hash) in hashes.into_iter().enumerate() {
            let mut chain = index.chain(hash);
            let known = std::iter::from_fn(|| index.step(&mut chain)).find(|number| {
                let key = &self.keys[*number as usize * width..][..width];
                key.iter().zip(&columns).all(|(id, column)| *id == column[row])
            });
            let number = known.unwrap_or_else(|| {
                index.insert(hash, count);
                self.keys.extend(columns.iter().map(|column| column[row]));
                count += 1;
                count - 1
            });
            self.key_of_row.push(number);
        }
        self.ranges = vec![None; count as usize];
    }

    fn range(&mut self, number: usize) -> Result<(u32, u32), ExecuteError> {
        if let Some(range) = self.ranges[number] {
            return Ok(range);
        }
        if number.is_multiple_of(KEYS_A_CHECK) {
            self.context.check()?;
        }
        let width = self.key_columns.len();
        let start = self.rows.rows();
        self.probe.probe(&self.keys[number * width..][..width], &mut self.rows)?;
        let end = self.rows.rows();
        self.reservation.grow(bytes_of(end - start, self.rows.width()))?;
        let range = (start as u32, end as u32);
        self.ranges[number] = Some(range);
        Ok(range)
    }

    /// Asks for the keys of the left rows from `row` on, some at a time and sorted: neighbours lie in one place.
    fn ask_from(&mut self, row: usize) -> Result<(), ExecuteError> {
        let end = self.left_rows.min(row + self.window);
        self.window = (self.window * 2).min(BATCH_ROWS);
        let width = self.key_columns.len();
        let mut numbers: Vec<u32> = self.key_of_row[row..end].to_vec();
        numbers.retain(|number| self.ranges[*number as usize].is_none());
        numbers.sort_unstable_by_key(|number| &self.keys[*number as usize * width..][..width]);
        numbers.dedup();
        if width == 1 {
            let keys: Vec<TermId> = numbers.iter().map(|number| self.keys[*number as usize]).collect();
            self.probe.expect_ascending(&keys)?;
        }
        for number in numbers {
            if self.rows.rows() > ROWS_KEPT {
                break;
            }
            self.range(number as usize)?;
        }
        self.probe.expect_ascending(&[])
    }

    fn forget(&mut self) {
        self.rows = Batch::empty(self.probe.layout().width());
        self.ranges.fill(None);
        self.reservation.release();
    }
}

impl Matcher for BindMatcher {
    fn layout(&self) -> &Layout {
        self.probe.layout()
    }

    fn start(&mut self, left: &Arc<Batch>, once: bool) -> Result<(), ExecuteError> {
        self.number_keys(left);
        self.forget();
        (self.left_rows, self.once, self.row, self.offset) = (left.rows(), once, 0, 0);
        let width = self.key_columns.len();
        if width > 0 {
            let keys: Vec<&[TermId]> = self.keys.chunks_exact(width).collect();
            self.probe.prefetch(&keys)?;
        }
        Ok(())
    }

    fn next_pairs(&mut self) -> Result<Option<Pairs>, ExecuteError> {
        if self.offset == 0 && self.rows.rows() > ROWS_KEPT {
            self.forget();
        }
        let mut pairs = Pairs::default();
        while self.row < self.left_rows && pairs.left.len() < 2 * BATCH_ROWS {
            let number = self.key_of_row[self.row] as usize;
            if self.ranges[number].is_none() {
                self.ask_from(self.row)?;
            }
            let (start, end) = self.range(number)?;
            let from = start + self.offset;
            let room = (2 * BATCH_ROWS - pairs.left.len()) as u32;
            let to = if self.once { end.min(from + 1) } else { end.min(from + room) };
            pairs.left.resize(pairs.left.len() + (to - from) as usize, self.row as u32);
            pairs.right.extend(from..to);
            if to == end || self.once {
                (self.row, self.offset) = (self.row + 1, 0);
                if self.rows.rows() > ROWS_KEPT && !pairs.left.is_empty() {
                    break;
                }
            } else {
                self.offset = to - start;
            }
        }
        Ok((!pairs.left.is_empty()).then_some(pairs))
    }

    fn rows(&self) -> &Batch {
        &self.rows
    }

    fn describe(&self) -> String {
        format!("Bind {}", self.probe.describe())
    }
}
