//! `Runs`: how many rows in a row have the same id in a place.

use crate::model::TermId;

/// Ids, none after itself, and how many rows have each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    pub ids: Vec<TermId>,
    pub counts: Vec<u64>,
}

impl Runs {
    /// Makes the runs of a column.
    pub fn of(column: &[TermId]) -> Runs {
        let mut runs = Runs::default();
        runs.extend(column);
        runs
    }

    /// Appends some rows with an id.
    pub fn push(&mut self, id: TermId, rows: u64) {
        match (self.ids.last(), self.counts.last_mut()) {
            (Some(last), Some(count)) if *last == id => *count += rows,
            _ if rows == 0 => {}
            _ => {
                self.ids.push(id);
                self.counts.push(rows);
            }
        }
    }

    /// Appends a row for each id of a column.
    pub fn extend(&mut self, column: &[TermId]) {
        column.chunk_by(|a, b| a == b).for_each(|run| self.push(run[0], run.len() as u64));
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}
