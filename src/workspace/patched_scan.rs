//! `PatchedScan`: a scan in which the rows of a few keys come from elsewhere.
//!
//! What lies over a base mostly concerns few of the keys that a scan of it is sorted by. Their rows are merged apart, by all
//! of their places; all others are read as they are in the base, with no more columns than somebody wants.

use std::ops::Range;

use crate::batch::Batch;
use crate::dataset::{DatasetError, Runs, Scan};
use crate::model::TermId;

pub struct PatchedScan {
    scan: Box<dyn Scan>,
    /// Where rows have their key: the column that the scan is sorted by.
    column: usize,
    /// The keys whose rows are not those of `scan`, sorted; from `next` on they are ahead.
    keys: Vec<TermId>,
    next: usize,
    /// Their rows, sorted by key; perhaps those of others too.
    patch: Box<dyn Scan>,
    /// What was read of the patch, and the first row of it that is ahead.
    read: Option<(Batch, usize)>,
    /// A key that was replaced, of which the scan may have more rows.
    replaced: Option<TermId>,
}

impl PatchedScan {
    /// Reads the rows of `keys`, sorted, from `patch`; both scans are sorted by `column`.
    pub fn new(scan: Box<dyn Scan>, column: usize, keys: Vec<TermId>, patch: Box<dyn Scan>) -> PatchedScan {
        PatchedScan { scan, column, keys, next: 0, patch, read: None, replaced: None }
    }

    /// Returns the next key up to `last`, which is passed then.
    fn key_up_to(&mut self, last: TermId) -> Option<TermId> {
        let key = self.keys.get(self.next).copied().filter(|key| *key <= last)?;
        self.next += 1;
        Some(key)
    }

    /// Hands the patch's rows of a key to `visit`, a part at a time. Keys are asked for in order.
    fn rows_of(
        &mut self,
        key: TermId,
        mut visit: impl FnMut(&Batch, Range<usize>),
    ) -> Result<(), DatasetError> {
        loop {
            let (batch, at) = match self.read.take() {
                Some(read) => read,
                None => match self.patch.next_batch()? {
                    Some(batch) => (batch, 0),
                    None => return Ok(()),
                },
            };
            let ids = &batch.column(self.column)[at..];
            let start = at + ids.partition_point(|id| *id < key);
            let end = at + ids.partition_point(|id| *id <= key);
            if end > start {
                visit(&batch, start..end);
            }
            if end < batch.rows() {
                self.read = Some((batch, end));
                return Ok(());
            }
        }
    }

    /// Returns a batch of the scan with the rows of keys replaced.
    fn patched(&mut self, batch: Batch) -> Result<Batch, DatasetError> {
        let ids = batch.column(self.column);
        let Some(last) = ids.last().copied() else { return Ok(batch) };
        let mut at = match self.replaced {
            Some(key) => ids.partition_point(|id| *id <= key),
            None => 0,
        };
        if at == 0 && self.keys.get(self.next).is_none_or(|key| *key > last) {
            return Ok(batch);
        }
        let mut rows = Batch::empty(batch.width());
        while let Some(key) = self.key_up_to(last) {
            let start = at + ids[at..].partition_point(|id| *id < key);
            rows.append_rows(&batch, at..start);
            self.rows_of(key, |patch, range| rows.append_rows(patch, range))?;
            at = start + ids[start..].partition_point(|id| *id <= key);
            self.replaced = Some(key);
        }
        rows.append_rows(&batch, at..batch.rows());
        Ok(rows)
    }

    /// Adds the patch's rows of a key to runs.
    fn count(&mut self, key: TermId, runs: &mut Runs) -> Result<(), DatasetError> {
        let mut count = 0;
        self.rows_of(key, |_, range| count += range.len() as u64)?;
        if count > 0 {
            runs.push(key, count);
        }
        Ok(())
    }
}

impl Scan for PatchedScan {
    fn next_batch(&mut self) -> Result<Option<Batch>, DatasetError> {
        while let Some(batch) = self.scan.next_batch()? {
            let batch = self.patched(batch)?;
            if !batch.is_empty() {
                return Ok(Some(batch));
            }
        }
        let mut rest: Option<Batch> = None;
        while let Some(key) = self.key_up_to(TermId::MAX) {
            self.rows_of(key, |patch, range| {
                rest.get_or_insert_with(|| Batch::empty(patch.width())).append_rows(patch, range);
            })?;
        }
        Ok(rest)
    }

    fn next_runs(&mut self, column: usize) -> Result<Option<Runs>, DatasetError> {
        if column != self.column {
            return Ok(self.next_batch()?.map(|batch| Runs::of(batch.column(column))));
        }
        let mut patched = Runs::default();
        while let Some(runs) = self.scan.next_runs(column)? {
            for (id, count) in runs.ids.iter().zip(&runs.counts) {
                while let Some(key) = self.key_up_to(*id) {
                    self.count(key, &mut patched)?;
                    self.replaced = Some(key);
                }
                if self.replaced != Some(*id) {
                    patched.push(*id, *count);
                }
            }
            if !patched.is_empty() {
                return Ok(Some(patched));
            }
        }
        while let Some(key) = self.key_up_to(TermId::MAX) {
            self.count(key, &mut patched)?;
        }
        Ok((!patched.is_empty()).then_some(patched))
    }

    fn seek(&mut self, key: TermId) {
        self.scan.seek(key);
        self.patch.seek(key);
    }
}
