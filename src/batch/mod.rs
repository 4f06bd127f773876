//! `Batch`: the unit that operators hand each other. Columns of ids; no names, no terms.

use std::ops::Range;

use crate::model::TermId;

/// How many rows a producer aims at; a batch may hold fewer, or more where splitting costs.
pub const BATCH_ROWS: usize = 4096;

/// Rows x columns of [`TermId`], stored by column.
///
/// A batch may have rows and no columns (`ASK`, `count(*)`), so the row count is its own field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    columns: Vec<Vec<TermId>>,
    rows: usize,
}

impl Batch {
    /// Makes a batch of `rows` rows from columns.
    ///
    /// # Panics
    /// If a column has not exactly `rows` entries.
    pub fn new(columns: Vec<Vec<TermId>>, rows: usize) -> Batch {
        assert!(columns.iter().all(|column| column.len() == rows), "columns of one length");
        Batch { columns, rows }
    }

    /// Makes an empty batch of `width` columns.
    pub fn empty(width: usize) -> Batch {
        Batch { columns: vec![Vec::new(); width], rows: 0 }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// Returns one column.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn column(&self, index: usize) -> &[TermId] {
        &self.columns[index]
    }

    pub fn columns(&self) -> &[Vec<TermId>] {
        &self.columns
    }

    pub fn into_columns(self) -> Vec<Vec<TermId>> {
        self.columns
    }

    /// Appends a row.
    ///
    /// # Panics
    /// If `row` is not as wide as the batch.
    pub fn push_row(&mut self, row: &[TermId]) {
        assert_eq!(row.len(), self.columns.len());
        for (column, id) in self.columns.iter_mut().zip(row) {
            column.push(*id);
        }
        self.rows += 1;
    }

    /// Appends a column.
    ///
    /// # Panics
    /// If it has not as many entries as the batch has rows.
    pub fn push_column(&mut self, column: Vec<TermId>) {
        assert_eq!(column.len(), self.rows);
        self.columns.push(column);
    }

    /// Appends all rows of a batch of equal width.
    ///
    /// # Panics
    /// If the widths differ.
    pub fn append(&mut self, other: &Batch) {
        self.append_rows(other, 0..other.rows);
    }

    /// Appends some rows of another batch.
    ///
    /// # Panics
    /// If the widths differ, or the other has no such rows.
    pub fn append_rows(&mut self, other: &Batch, rows: Range<usize>) {
        assert_eq!(other.width(), self.width());
        for (column, more) in self.columns.iter_mut().zip(&other.columns) {
            column.extend_from_slice(&more[rows.clone()]);
        }
        self.rows += rows.len();
    }

    /// Returns the rows at `indices`, in that order; an index may repeat.
    pub fn gather(&self, indices: &[u32]) -> Batch {
        Batch { columns: gather_columns(self.columns.iter(), indices), rows: indices.len() }
    }

    /// Returns what the rows at `indices` have in some columns, in that order.
    pub fn gather_columns(&self, columns: &[usize], indices: &[u32]) -> Vec<Vec<TermId>> {
        gather_columns(columns.iter().map(|column| &self.columns[*column]), indices)
    }

    /// Keeps the rows for which `keep` says so.
    ///
    /// # Panics
    /// If `keep` has not as many entries as the batch has rows.
    pub fn filter(&mut self, keep: &[bool]) {
        assert_eq!(keep.len(), self.rows);
        // Without a branch on what is kept, which nobody could foresee.
        let mut kept = vec![0u32; keep.len()];
        let mut count = 0;
        for (row, flag) in keep.iter().enumerate() {
            kept[count] = row as u32;
            count += usize::from(*flag);
        }
        kept.truncate(count);
        if count < self.rows {
            *self = self.gather(&kept);
        }
    }

    /// Returns the columns at `indices`, in that order.
    pub fn project(&self, indices: &[usize]) -> Batch {
        let columns = indices.iter().map(|index| self.columns[*index].clone()).collect();
        Batch { columns, rows: self.rows }
    }

    /// Returns `length` rows from row `offset` on.
    pub fn slice(&self, offset: usize, length: usize) -> Batch {
        let columns = self.columns.iter().map(|column| column[offset..offset + length].to_vec()).collect();
        Batch { columns, rows: length }
    }

    /// Returns the next rows from `position` on, at most [`BATCH_ROWS`], and moves `position` past
    /// them; `None` at the end.
    ///
    /// # Panics
    /// If `position` is past the end.
    pub fn next_part(&self, position: &mut usize) -> Option<Batch> {
        let rows = BATCH_ROWS.min(self.rows - *position);
        let part = (rows > 0).then(|| self.slice(*position, rows));
        *position += rows;
        part
    }

    /// Copies one row into `row`.
    pub fn read_row(&self, index: usize, row: &mut Vec<TermId>) {
        row.clear();
        row.extend(self.columns.iter().map(|column| column[index]));
    }
}

fn gather_columns<'a>(columns: impl Iterator<Item = &'a Vec<TermId>>, indices: &[u32]) -> Vec<Vec<TermId>> {
    let rows = consecutive(indices);
    let gather = |column: &Vec<TermId>| match &rows {
        Some(rows) => column[rows.clone()].to_vec(),
        None => indices.iter().map(|index| column[*index as usize]).collect(),
    };
    columns.map(gather).collect()
}

/// Returns the rows that indices are, if each is the one after the one before: what joins find one for one comes so.
pub fn consecutive(indices: &[u32]) -> Option<Range<usize>> {
    let first = *indices.first()?;
    let are_consecutive = (first..).zip(indices).all(|(expected, index)| expected == *index);
    are_consecutive.then(|| first as usize..first as usize + indices.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_gathered_in_any_order() {
        let column =
            |numbers: &[i64]| numbers.iter().map(|n| TermId::from_i64(*n).unwrap()).collect::<Vec<_>>();
        let batch = Batch::new(vec![column(&[1, 2, 3, 4]), column(&[5, 6, 7, 8])], 4);
        for (indices, range) in [
            (vec![0, 1, 2, 3], Some(0..4)),
            (vec![2, 3], Some(2..4)),
            (vec![3], Some(3..4)),
            (vec![1, 1], None),
            (vec![3, 0], None),
            (vec![], None),
        ] {
            assert_eq!(consecutive(&indices), range);
            let expected = |place: i64| indices.iter().map(|row| i64::from(*row) + place).collect::<Vec<_>>();
            let columns = vec![column(&expected(1)), column(&expected(5))];
            assert_eq!(batch.gather(&indices), Batch::new(columns, indices.len()));
        }
    }
}
