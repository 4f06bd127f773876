//! `JoinTable`: rows at hand, hashed by the variables that they share with the rows that probe them.
//!
//! Undefined is compatible with anything, so rows with an undefined join column cannot be found by
//! hash alone. Where both sides always bind their join columns, one index answers; else rows with a
//! hole are kept apart and found by the columns that never have one.

use std::sync::Arc;

use super::row_index::{Chain, HashFilter};
use super::{RowIndex, hash_rows};
use crate::batch::{BATCH_ROWS, Batch};
use crate::execute::{Context, ExecuteError, Layout};
use crate::model::TermId;

/// Pairs of (left row, right row) that are compatible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs {
    pub left: Vec<u32>,
    pub right: Vec<u32>,
}

/// How many pairs are handed out at once.
const PAIRS_AT_ONCE: usize = 2 * BATCH_ROWS;
/// How many candidates are compared before the query's limits are looked at again.
const STEPS_AT_ONCE: usize = 1 << 16;

pub struct JoinTable {
    rows: Batch,
    /// (left column, right column) of each shared variable.
    shared: Vec<(usize, usize)>,
    /// Those of `shared` that neither side leaves undefined.
    certain: Vec<(usize, usize)>,
    /// Rows whose shared columns are all defined, by all of them.
    full: RowIndex,
    full_filter: HashFilter,
    /// Rows with a hole, by the certain columns.
    loose: RowIndex,
    /// All rows by the certain columns, for left rows with a hole; made when one comes.
    all: Option<RowIndex>,
    probe: Option<ProbeState>,
}

struct ProbeState {
    left: Arc<Batch>,
    full_hashes: Vec<u64>,
    certain_hashes: Vec<u64>,
    /// For each left row: it has a hole.
    has_hole: Option<Vec<bool>>,
    once: bool,
    row: usize,
    step: Step,
}

#[derive(Clone, Copy)]
enum Step {
    Begin,
    Full(Chain),
    Loose(Chain),
    All(Chain),
}

impl JoinTable {
    /// Hashes `rows`, whose columns are `right`, for probes of rows whose columns are `left`.
    pub fn build(rows: Batch, right: &Layout, left: &Layout) -> JoinTable {
        let shared: Vec<(usize, usize)> = left
            .variables()
            .iter()
            .enumerate()
            .filter_map(|(column, variable)| Some((column, right.column(*variable)?)))
            .collect();
        let is_full = |column: &[TermId]| column.iter().all(|id| !id.is_undefined());
        let certain: Vec<(usize, usize)> = shared
            .iter()
            .copied()
            .filter(|(l, r)| left.is_defined(left.variables()[*l]) && is_full(rows.column(*r)))
            .collect();
        let holes: Vec<usize> =
            shared.iter().map(|(_, r)| *r).filter(|r| !is_full(rows.column(*r))).collect();
        let hashes = hash_rows(&columns(&rows, shared.iter().map(|(_, r)| *r)), rows.rows());
        let mut full = RowIndex::with_capacity(rows.rows());
        let mut full_filter = HashFilter::with_capacity(rows.rows());
        let mut loose = RowIndex::default();
        let certain_hashes = match holes.is_empty() {
            true => Vec::new(),
            false => hash_rows(&columns(&rows, certain.iter().map(|(_, r)| *r)), rows.rows()),
        };
        // Backwards, so that chains yield rows in order.
        for row in (0..rows.rows()).rev() {
            if holes.iter().any(|column| rows.column(*column)[row].is_undefined()) {
                loose.insert(certain_hashes[row], row as u32);
            } else {
                full.insert(hashes[row], row as u32);
                full_filter.insert(hashes[row]);
            }
        }
        JoinTable { rows, shared, certain, full, full_filter, loose, all: None, probe: None }
    }

    pub fn rows(&self) -> &Batch {
        &self.rows
    }

    /// Returns the bytes that the indices take.
    pub fn index_bytes(&self) -> usize {
        self.full.len() * (RowIndex::ENTRY_BYTES + HashFilter::HASH_BYTES)
            + self.loose.len() * RowIndex::ENTRY_BYTES
    }

    /// Starts to look up the rows of `left`; with `once`, at most one match for each.
    pub fn start(&mut self, left: Arc<Batch>, once: bool) {
        let maybe: Vec<usize> = self
            .shared
            .iter()
            .filter(|pair| !self.certain.contains(pair))
            .map(|(l, _)| *l)
            .filter(|l| left.column(*l).iter().any(|id| id.is_undefined()))
            .collect();
        let has_hole = (!maybe.is_empty()).then(|| {
            let is_hole = |row: usize| maybe.iter().any(|column| left.column(*column)[row].is_undefined());
            (0..left.rows()).map(is_hole).collect()
        });
        if has_hole.is_some() && self.all.is_none() {
            let certain = columns(&self.rows, self.certain.iter().map(|(_, r)| *r));
            let hashes = hash_rows(&certain, self.rows.rows());
            let mut all = RowIndex::with_capacity(hashes.len());
            for (row, hash) in hashes.into_iter().enumerate().rev() {
                all.insert(hash, row as u32);
            }
            self.all = Some(all);
        }
        let full_hashes = hash_rows(&columns(&left, self.shared.iter().map(|(l, _)| *l)), left.rows());
        let certain_hashes = if has_hole.is_some() || self.loose.len() > 0 {
            hash_rows(&columns(&left, self.certain.iter().map(|(l, _)| *l)), left.rows())
        } else {
            Vec::new()
        };
        let state =
            ProbeState { left, full_hashes, certain_hashes, has_hole, once, row: 0, step: Step::Begin };
        self.probe = Some(state);
    }

    /// Returns more pairs, left rows ascending; `None` when all rows were looked up.
    pub fn next_pairs(&mut self, context: &Context) -> Result<Option<Pairs>, ExecuteError> {
        let Some(mut state) = self.probe.take() else { return Ok(None) };
        let mut pairs = Pairs::default();
        let is_plain = state.has_hole.is_none() && self.loose.len() == 0;
        while state.row < state.left.rows() && pairs.left.len() < PAIRS_AT_ONCE {
            if is_plain && matches!(state.step, Step::Begin) {
                let rest = &state.full_hashes[state.row..];
                let alone = rest.iter().position(|hash| self.full_filter.may_hold(*hash));
                state.row += alone.unwrap_or(rest.len());
                if state.row == state.left.rows() {
                    break;
                }
            }
            self.advance(&mut state, &mut pairs, context)?;
        }
        if pairs.left.is_empty() {
            return Ok(None);
        }
        self.probe = Some(state);
        Ok(Some(pairs))
    }

    /// Follows one chain until it ends or enough pairs are found.
    fn advance(
        &self,
        state: &mut ProbeState,
        pairs: &mut Pairs,
        context: &Context,
    ) -> Result<(), ExecuteError> {
        let row = state.row;
        match &mut state.step {
            Step::Begin => {
                let has_hole = state.has_hole.as_ref().is_some_and(|holes| holes[row]);
                state.step = match &self.all {
                    Some(all) if has_hole => Step::All(all.chain(state.certain_hashes[row])),
                    _ => Step::Full(self.full.chain(state.full_hashes[row])),
                };
            }
            Step::Full(chain) => {
                let found = self.follow(&self.full, chain, (&state.left, row), state.once, pairs, context)?;
                if found == Follow::More {
                    return Ok(());
                }
                if self.loose.len() == 0 || found == Follow::Enough {
                    state.row += 1;
                    state.step = Step::Begin;
                } else {
                    state.step = Step::Loose(self.loose.chain(state.certain_hashes[row]));
                }
            }
            Step::Loose(chain) => {
                let found =
                    self.follow(&self.loose, chain, (&state.left, row), state.once, pairs, context)?;
                if found != Follow::More {
                    state.row += 1;
                    state.step = Step::Begin;
                }
            }
            Step::All(chain) => {
                let all = self.all.as_ref().unwrap_or(&self.full);
                let found = self.follow(all, chain, (&state.left, row), state.once, pairs, context)?;
                if found != Follow::More {
                    state.row += 1;
                    state.step = Step::Begin;
                }
            }
        }
        Ok(())
    }

    fn follow(
        &self,
        index: &RowIndex,
        chain: &mut Chain,
        (left, row): (&Batch, usize),
        once: bool,
        pairs: &mut Pairs,
        context: &Context,
    ) -> Result<Follow, ExecuteError> {
        let mut steps = 0_usize;
        while let Some(candidate) = index.step(chain) {
            steps += 1;
            if steps.is_multiple_of(STEPS_AT_ONCE) {
                context.check()?;
            }
            if self.is_compatible(left, row, candidate as usize) {
                pairs.left.push(row as u32);
                pairs.right.push(candidate);
                if once {
                    return Ok(Follow::Enough);
                }
                if pairs.left.len() >= PAIRS_AT_ONCE {
                    return Ok(Follow::More);
                }
            }
        }
        Ok(Follow::End)
    }

    fn is_compatible(&self, left: &Batch, row: usize, candidate: usize) -> bool {
        self.shared.iter().all(|(l, r)| {
            let (a, b) = (left.column(*l)[row], self.rows.column(*r)[candidate]);
            a == b || a.is_undefined() || b.is_undefined()
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Follow {
    /// The chain is at its end.
    End,
    /// One match was asked for, and found.
    Enough,
    /// The chain may go on.
    More,
}

fn columns(batch: &Batch, indices: impl Iterator<Item = usize>) -> Vec<&[TermId]> {
    indices.map(|index| batch.column(index)).collect()
}
