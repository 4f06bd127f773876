//! `Distinct`: each row once; the first of equal ones.

use std::sync::Arc;

use super::row_index::FETCHED_AT_ONCE;
use super::{BoxOperator, Operator, RowIndex, bytes_of, hash_rows, hash_some};
use crate::batch::Batch;
use crate::execute::{Context, ExecuteError, Layout, Reservation};
use crate::model::TermId;
use crate::plan::Variable;

pub struct Distinct {
    context: Arc<Context>,
    input: BoxOperator,
    seen: DistinctRows,
}

/// The distinct rows that were met so far, numbered in order of appearance.
pub struct DistinctRows {
    rows: Batch,
    index: RowIndex,
    reservation: Reservation,
}

/// A smaller index is in the processor's cache anyway.
const FETCHED_MIN: usize = 1 << 14;

impl DistinctRows {
    pub fn new(width: usize, context: &Context) -> DistinctRows {
        DistinctRows { rows: Batch::empty(width), index: RowIndex::default(), reservation: context.reserve() }
    }

    /// Returns the number of each row, giving new rows the next numbers.
    pub fn number(&mut self, columns: &[&[TermId]], rows: usize) -> Result<Vec<u32>, ExecuteError> {
        let before = self.rows.rows();
        if columns.is_empty() && before > 0 {
            return Ok(vec![0; rows]);
        }
        // Where the input is sorted, most rows are as the one before.
        let firsts = first_of_runs(columns, rows);
        let mut ends = firsts.iter().skip(1).map(|first| *first as usize).chain([rows]);
        let mut scratch = Vec::with_capacity(columns.len());
        let mut numbers = Vec::with_capacity(rows);
        let hashes =
            if firsts.len() == rows { hash_rows(columns, rows) } else { hash_some(columns, &firsts) };
        for (at, (row, hash)) in
            firsts.iter().map(|row| *row as usize).zip(hashes.iter().copied()).enumerate()
        {
            if at % FETCHED_AT_ONCE == 0 && self.index.len() >= FETCHED_MIN {
                let chains = hashes[at..].iter().take(FETCHED_AT_ONCE).map(|hash| self.index.chain(*hash));
                self.index.fetch(&chains.collect::<Vec<_>>());
            }
            let mut chain = self.index.chain(hash);
            let own = &self.rows;
            let is_equal = |number: u32| {
                own.columns().iter().zip(columns).all(|(own, theirs)| own[number as usize] == theirs[row])
            };
            let mut known = self.index.step(&mut chain);
            while known.is_some_and(|number| !is_equal(number)) {
                known = self.index.step(&mut chain);
            }
            let number = match known {
                Some(number) => number,
                None => {
                    let number = self.rows.rows() as u32;
                    self.index.insert(hash, number);
                    scratch.clear();
                    scratch.extend(columns.iter().map(|column| column[row]));
                    self.rows.push_row(&scratch);
                    number
                }
            };
            numbers.resize(ends.next().unwrap_or(rows), number);
        }
        let new = self.rows.rows() - before;
        self.reservation.grow(bytes_of(new, columns.len()) + new * RowIndex::ENTRY_BYTES)?;
        Ok(numbers)
    }

    pub fn rows(&self) -> &Batch {
        &self.rows
    }

    pub fn into_rows(self) -> Batch {
        self.rows
    }
}

/// Returns the rows that differ from the one before.
pub fn first_of_runs(columns: &[&[TermId]], rows: usize) -> Vec<u32> {
    let mut is_first = vec![false; rows];
    is_first.iter_mut().take(1).for_each(|is_first| *is_first = true);
    for column in columns {
        let pairs = column.windows(2);
        is_first.iter_mut().skip(1).zip(pairs).for_each(|(is_first, pair)| *is_first |= pair[0] != pair[1]);
    }
    (0..).zip(is_first).filter(|(_, is_first)| *is_first).map(|(row, _)| row).collect()
}

impl Distinct {
    pub fn new(input: BoxOperator, context: Arc<Context>) -> Distinct {
        let seen = DistinctRows::new(input.layout().width(), &context);
        Distinct { context, input, seen }
    }
}

impl Operator for Distinct {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        while let Some(batch) = self.input.next_batch()? {
            self.context.check()?;
            let before = self.seen.rows().rows();
            let columns: Vec<&[TermId]> = batch.columns().iter().map(Vec::as_slice).collect();
            self.seen.number(&columns, batch.rows())?;
            let new = self.seen.rows().rows() - before;
            if new > 0 {
                return Ok(Some(self.seen.rows().slice(before, new)));
            }
        }
        Ok(None)
    }

    fn layout(&self) -> &Layout {
        self.input.layout()
    }

    fn sorted_by(&self) -> &[Variable] {
        self.input.sorted_by()
    }

    fn describe(&self) -> String {
        "Distinct".to_owned()
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }
}
