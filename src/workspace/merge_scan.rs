//! `MergeScan`: a scan of the base with an overlay laid over it, still sorted.

use super::overlay::{QuadCursor, QuadKey};
use crate::batch::{BATCH_ROWS, Batch};
use crate::dataset::{DatasetError, Scan};
use crate::model::{Permutation, Quad, TermId};

/// Merges added quads into a scan of the base and drops the removed ones.
///
/// A batch of the base that no change falls into is handed on as it is.
pub struct MergeScan {
    base: Option<Box<dyn Scan>>,
    permutation: Permutation,
    added: QuadCursor,
    removed: QuadCursor,
}

impl MergeScan {
    /// All three must be sorted by `permutation`; `base` is `None` if it has no match.
    pub fn new(
        base: Option<Box<dyn Scan>>,
        permutation: Permutation,
        added: QuadCursor,
        removed: QuadCursor,
    ) -> MergeScan {
        MergeScan { base, permutation, added, removed }
    }

    fn key(&self, batch: &Batch, row: usize) -> QuadKey {
        self.permutation.positions().map(|position| batch.column(position)[row])
    }

    fn is_touched(&self, last: QuadKey) -> bool {
        [self.added.peek(), self.removed.peek()].into_iter().flatten().any(|key| key <= last)
    }

    fn merge(&mut self, batch: &Batch) -> Rows {
        let mut rows = Rows::new(self.permutation, batch.rows());
        for row in 0..batch.rows() {
            let key = self.key(batch, row);
            // An addition equal to a quad of the base adds nothing: it is emitted once, below.
            while self.added.peek().is_some_and(|added| added <= key) {
                if let Some(added) = self.added.next_key().filter(|added| *added < key) {
                    rows.push(added);
                }
            }
            while self.removed.peek().is_some_and(|removed| removed < key) {
                self.removed.next_key();
            }
            if self.removed.peek() != Some(key) {
                rows.push(key);
            }
        }
        rows
    }

    fn rest(&mut self) -> Rows {
        let mut rows = Rows::new(self.permutation, BATCH_ROWS);
        while rows.count < BATCH_ROWS {
            let Some(key) = self.added.next_key() else { break };
            rows.push(key);
        }
        rows
    }
}

impl Scan for MergeScan {
    fn next_batch(&mut self) -> Result<Option<Batch>, DatasetError> {
        while let Some(base) = &mut self.base {
            let Some(batch) = base.next_batch()? else {
                self.base = None;
                break;
            };
            let last = self.key(&batch, batch.rows() - 1);
            if !self.is_touched(last) {
                return Ok(Some(batch));
            }
            let rows = self.merge(&batch);
            if rows.count > 0 {
                return Ok(Some(rows.into_batch()));
            }
        }
        let rows = self.rest();
        Ok((rows.count > 0).then(|| rows.into_batch()))
    }

    fn seek(&mut self, key: TermId) {
        if let Some(base) = &mut self.base {
            base.seek(key);
        }
    }
}

struct Rows {
    permutation: Permutation,
    columns: Vec<Vec<TermId>>,
    count: usize,
}

impl Rows {
    fn new(permutation: Permutation, capacity: usize) -> Rows {
        Rows { permutation, columns: (0..4).map(|_| Vec::with_capacity(capacity)).collect(), count: 0 }
    }

    fn push(&mut self, key: QuadKey) {
        let Quad { subject, predicate, object, graph } = self.permutation.quad(key);
        for (column, id) in self.columns.iter_mut().zip([subject, predicate, object, graph]) {
            column.push(id);
        }
        self.count += 1;
    }

    fn into_batch(self) -> Batch {
        Batch::new(self.columns, self.count)
    }
}
