//! `QuadIndex`: quads in memory, in the default orders; what small and changing datasets stand on.

use std::collections::BTreeSet;

use super::{DatasetError, Scan};
use crate::batch::Batch;
use crate::model::{Permutation, Quad, QuadPattern, TermId};

/// A set of quads with one B-tree a default permutation. Insertion and removal cost O(log n) each.
#[derive(Clone, Debug, Default)]
pub struct QuadIndex {
    trees: [BTreeSet<[TermId; 4]>; 4],
}

impl QuadIndex {
    pub fn len(&self) -> usize {
        self.trees[0].len()
    }

    pub fn is_empty(&self) -> bool {
        self.trees[0].is_empty()
    }

    pub fn contains(&self, quad: &Quad) -> bool {
        self.trees[0].contains(&Permutation::Spo.key(quad))
    }

    /// Adds a quad; returns whether it was new.
    pub fn insert(&mut self, quad: &Quad) -> bool {
        let mut is_new = false;
        for permutation in Permutation::DEFAULT {
            is_new = self.trees[permutation as usize].insert(permutation.key(quad));
        }
        is_new
    }

    /// Removes a quad; returns whether it was there.
    pub fn remove(&mut self, quad: &Quad) -> bool {
        let mut was_there = false;
        for permutation in Permutation::DEFAULT {
            was_there = self.trees[permutation as usize].remove(&permutation.key(quad));
        }
        was_there
    }

    /// Returns the quads that match, sorted by `permutation`.
    ///
    /// # Panics
    /// If `permutation` is none of [`Permutation::DEFAULT`].
    pub fn scan<'a>(
        &'a self,
        pattern: &'a QuadPattern,
        permutation: Permutation,
    ) -> impl Iterator<Item = Quad> + 'a {
        let (low, high) = bounds(pattern, permutation);
        self.trees[permutation as usize]
            .range(low..=high)
            .map(move |key| permutation.quad(*key))
            .filter(|quad| pattern.matches(quad))
    }
}

/// Returns the least and the greatest key that can match.
fn bounds(pattern: &QuadPattern, permutation: Permutation) -> ([TermId; 4], [TermId; 4]) {
    let bound = [pattern.subject, pattern.predicate, pattern.object];
    let (mut low, mut high) = ([TermId::UNDEFINED; 4], [TermId::MAX; 4]);
    for (place, position) in permutation.positions().into_iter().enumerate().take(3) {
        let Some(id) = bound[position] else { break };
        (low[place], high[place]) = (id, id);
    }
    (low, high)
}

/// A scan over rows that are already at hand, of any width.
pub struct RowsScan {
    rows: Batch,
    position: usize,
}

impl RowsScan {
    /// # Panics
    /// If the columns are not of one length.
    pub fn new(columns: Vec<Vec<TermId>>) -> RowsScan {
        let rows = columns.first().map_or(0, Vec::len);
        RowsScan { rows: Batch::new(columns, rows), position: 0 }
    }

    /// Makes a scan of quads in the shape that [`super::Dataset::scan`] promises.
    pub fn of_quads(quads: impl Iterator<Item = Quad>) -> RowsScan {
        let mut columns = vec![Vec::new(); 4];
        for quad in quads {
            for (column, id) in
                columns.iter_mut().zip([quad.subject, quad.predicate, quad.object, quad.graph])
            {
                column.push(id);
            }
        }
        RowsScan::new(columns)
    }
}

impl Scan for RowsScan {
    fn next_batch(&mut self) -> Result<Option<Batch>, DatasetError> {
        Ok(self.rows.next_part(&mut self.position))
    }
}
