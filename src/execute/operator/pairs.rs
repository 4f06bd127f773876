//! `Pairs`: which rows of two sides a join puts side by side.

use std::ops::Range;

use super::sorted_ids::aligned;
use crate::batch::BATCH_ROWS;
use crate::model::TermId;

/// How many pairs are handed out at once.
pub const PAIRS_AT_ONCE: usize = 2 * BATCH_ROWS;

/// Pairs of (left row, right row) that are compatible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs {
    pub left: Vec<u32>,
    pub right: Vec<u32>,
}

impl Pairs {
    /// Pairs rows of two ascending columns, from the two rows on, that have one match each and those side by side, up to
    /// `most` pairs in all; returns how many.
    pub fn add_aligned(
        &mut self,
        (left, row): (&[TermId], usize),
        (right, other): (&[TermId], usize),
        most: usize,
    ) -> usize {
        let left = &left[row..];
        let room = most.saturating_sub(self.left.len()).min(left.len());
        let count = aligned(&left[..room], &right[other..]);
        self.left.extend(row as u32..(row + count) as u32);
        self.right.extend(other as u32..(other + count) as u32);
        count
    }

    /// Pairs left rows, from `row` on, with what the one before was paired with, as long as there is room and `is_repeated`
    /// says that they are joined by the same; returns how many.
    pub fn repeat(&mut self, pairs: &Range<usize>, row: usize, is_repeated: impl Fn(usize) -> bool) -> usize {
        let room = (PAIRS_AT_ONCE - self.left.len()).checked_div(pairs.len()).unwrap_or(usize::MAX);
        let count = (row..).take(room).take_while(|row| is_repeated(*row)).count();
        match (self.right.get(pairs.clone()), pairs.len()) {
            (_, 0) => {}
            (Some([only]), _) => {
                let only = *only;
                self.left.extend(row as u32..(row + count) as u32);
                self.right.resize(self.left.len(), only);
            }
            _ => {
                for row in row..row + count {
                    self.right.extend_from_within(pairs.clone());
                    self.left.resize(self.right.len(), row as u32);
                }
            }
        }
        count
    }
}
