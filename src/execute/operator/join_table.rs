//! `JoinTable`: rows at hand, found by the variables that they share with the rows that probe them.
//!
//! They are hashed, but not before it is needed: where they come sorted by the one variable that is shared, and so do the
//! rows that probe them, both are walked side by side. The edges of a predicate and the properties of those edges are
//! mostly so, though nothing promises it.
//!
//! Undefined is compatible with anything, so rows with an undefined join column cannot be found by
//! hash alone. Where both sides always bind their join columns, one index answers; else rows with a
//! hole are kept apart and found by the columns that never have one.

use std::ops::Range;
use std::sync::Arc;

use super::pairs::{PAIRS_AT_ONCE, Pairs};
use super::row_index::{Chain, FETCHED_AT_ONCE, HashFilter};
use super::sorted_ids::first_not;
use super::{RowIndex, first_of_runs, hash_rows};
use crate::batch::Batch;
use crate::execute::{Context, ExecuteError, Layout};
use crate::model::TermId;

/// How many candidates are compared before the query's limits are looked at again.
const STEPS_AT_ONCE: usize = 1 << 16;

pub struct JoinTable {
    rows: Batch,
    /// (left column, right column) of each shared variable.
    shared: Vec<(usize, usize)>,
    /// Those of `shared` that neither side leaves undefined.
    certain: Vec<(usize, usize)>,
    /// The only shared columns, if they are certain and the rows are sorted by theirs.
    sorted: Option<(usize, usize)>,
    /// Whether they are sorted so, and no two are equal.
    is_unique: bool,
    is_hashed: bool,
    /// Rows whose shared columns are all defined, by all of them.
    full: RowIndex,
    full_filter: HashFilter,
    /// Rows with a hole, by the certain columns.
    loose: RowIndex,
    /// All rows by the certain columns, for left rows with a hole; made when one comes.
    all: Option<RowIndex>,
    probe: Option<Probe>,
}

enum Probe {
    Hashed(HashedProbe),
    Sorted(SortedProbe),
}

/// Left rows that are sorted by the only shared column, as the table is.
struct SortedProbe {
    left: Arc<Batch>,
    columns: (usize, usize),
    once: bool,
    row: usize,
    /// The first row of the table that is not below the left row's.
    at: usize,
    /// How many matches of the left row were handed out.
    told: usize,
}

struct HashedProbe {
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
        let certain: Vec<(usize, usize)> = shared
            .iter()
            .copied()
            .filter(|(l, r)| left.is_defined(left.variables()[*l]) && is_full(rows.column(*r)))
            .collect();
        let sorted = match (shared.as_slice(), certain.as_slice()) {
            ([pair], [_]) if rows.column(pair.1).is_sorted() => Some(*pair),
            _ => None,
        };
        let is_unique = sorted.is_some_and(|(_, column)| rows.column(column).is_sorted_by(|a, b| a < b));
        JoinTable {
            rows,
            shared,
            certain,
            sorted,
            is_unique,
            is_hashed: false,
            full: RowIndex::default(),
            full_filter: HashFilter::with_capacity(0),
            loose: RowIndex::default(),
            all: None,
            probe: None,
        }
    }

    fn hash(&mut self) {
        if std::mem::replace(&mut self.is_hashed, true) {
            return;
        }
        let rows = &self.rows;
        let holes: Vec<usize> =
            self.shared.iter().map(|(_, r)| *r).filter(|r| !is_full(rows.column(*r))).collect();
        let hashes = hash_rows(&columns(rows, self.shared.iter().map(|(_, r)| *r)), rows.rows());
        let mut full = RowIndex::with_capacity(rows.rows());
        let mut full_filter = HashFilter::with_capacity(rows.rows());
        let certain_hashes = match holes.is_empty() {
            true => Vec::new(),
            false => hash_rows(&columns(rows, self.certain.iter().map(|(_, r)| *r)), rows.rows()),
        };
        // Backwards, so that chains yield rows in order.
        for row in (0..rows.rows()).rev() {
            if holes.iter().any(|column| rows.column(*column)[row].is_undefined()) {
                self.loose.insert(certain_hashes[row], row as u32);
            } else {
                full.insert(hashes[row], row as u32);
                full_filter.insert(hashes[row]);
            }
        }
        (self.full, self.full_filter) = (full, full_filter);
    }

    pub fn rows(&self) -> &Batch {
        &self.rows
    }

    /// Returns the bytes that the indices take, or will take.
    pub fn index_bytes(&self) -> usize {
        self.rows.rows() * (RowIndex::ENTRY_BYTES + HashFilter::HASH_BYTES)
    }

    /// Starts to look up the rows of `left`; with `once`, at most one match for each.
    pub fn start(&mut self, left: Arc<Batch>, once: bool) {
        if let Some(probe) = self.sorted_probe(&left, once) {
            self.probe = Some(Probe::Sorted(probe));
            return;
        }
        self.hash();
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
            HashedProbe { left, full_hashes, certain_hashes, has_hole, once, row: 0, step: Step::Begin };
        self.probe = Some(Probe::Hashed(state));
    }

    /// Returns how the rows of `left` are walked beside the table's, if both are sorted and not too much of the table
    /// lies between them.
    fn sorted_probe(&self, left: &Arc<Batch>, once: bool) -> Option<SortedProbe> {
        // To leap over so many costs about what a lookup does.
        const ROWS_BETWEEN_MAX: usize = 256;
        let columns = self.sorted?;
        let (own, theirs) = (left.column(columns.0), self.rows.column(columns.1));
        let (first, last) = (own.first()?, own.last()?);
        if !own.is_sorted() {
            return None;
        }
        let at = theirs.partition_point(|id| id < first);
        let beyond = theirs.get(at + ROWS_BETWEEN_MAX * own.len());
        let is_dense = beyond.is_none_or(|id| id > last);
        is_dense.then(|| SortedProbe { left: left.clone(), columns, once, row: 0, at, told: 0 })
    }

    /// Returns more pairs, left rows ascending; `None` when all rows were looked up.
    pub fn next_pairs(&mut self, context: &Context) -> Result<Option<Pairs>, ExecuteError> {
        let mut pairs = Pairs::default();
        let Some(mut probe) = self.probe.take() else { return Ok(None) };
        match &mut probe {
            Probe::Hashed(state) => self.follow_all(state, &mut pairs, context)?,
            Probe::Sorted(walk) => walk.pairs(&self.rows, &mut pairs),
        }
        if pairs.left.is_empty() {
            return Ok(None);
        }
        self.probe = Some(probe);
        Ok(Some(pairs))
    }

    /// Appends pairs until there are enough, or no more left rows.
    fn follow_all(
        &self,
        state: &mut HashedProbe,
        pairs: &mut Pairs,
        context: &Context,
    ) -> Result<(), ExecuteError> {
        if state.has_hole.is_none() && self.loose.len() == 0 {
            let left = Arc::clone(&state.left);
            return match (self.shared.as_slice(), self.certain.as_slice()) {
                // The usual case: nothing but one column to compare, and no hole in it.
                ([(l, r)], [_]) => {
                    let (own, theirs) = (left.column(*l), self.rows.column(*r));
                    if self.is_unique {
                        self.follow_unique(state, pairs, own, theirs);
                        return Ok(());
                    }
                    let is_match = |row: usize, other: usize| own[row] == theirs[other];
                    self.follow_full(state, pairs, context, is_match, |row| own[row] == own[row - 1])
                }
                _ => {
                    let is_match = |row: usize, other: usize| self.is_compatible(&left, row, other);
                    // By several columns rows are sorted seldom.
                    self.follow_full(state, pairs, context, is_match, |_| false)
                }
            };
        }
        while state.row < state.left.rows() && pairs.left.len() < PAIRS_AT_ONCE {
            self.advance(state, pairs, context)?;
        }
        Ok(())
    }

    /// As [`JoinTable::follow_all`], where one column is shared, without holes, and no two rows of the table have the same.
    ///
    /// A step is done for many rows before the next is: so memory fetches what they need side by side.
    fn follow_unique(&self, state: &mut HashedProbe, pairs: &mut Pairs, own: &[TermId], theirs: &[TermId]) {
        while state.row < own.len() && pairs.left.len() < PAIRS_AT_ONCE {
            let begin = state.row;
            let end = own.len().min(begin + FETCHED_AT_ONCE.min(PAIRS_AT_ONCE - pairs.left.len()));
            // Where the left is sorted by what it is joined by, many rows are as the one before.
            let firsts = first_of_runs(&[&own[begin..end]], end - begin);
            let ends = firsts.iter().skip(1).map(|first| begin + *first as usize).chain([end]);
            let runs: Vec<Range<usize>> =
                firsts.iter().map(|first| begin + *first as usize).zip(ends).map(|(a, b)| a..b).collect();
            let hash = |run: &Range<usize>| state.full_hashes[run.start];
            let may_match: Vec<bool> = runs.iter().map(|run| self.full_filter.may_hold(hash(run))).collect();
            let runs: Vec<Range<usize>> =
                runs.into_iter().zip(may_match).filter(|(_, may)| *may).map(|(run, _)| run).collect();
            let mut chains: Vec<Chain> = runs.iter().map(|run| self.full.chain(hash(run))).collect();
            self.full.fetch(&chains);
            let candidates: Vec<Option<u32>> = chains.iter_mut().map(|chain| self.full.step(chain)).collect();
            for ((run, mut candidate), mut chain) in runs.into_iter().zip(candidates).zip(chains) {
                while let Some(other) = candidate {
                    if theirs[other as usize] == own[run.start] {
                        pairs.left.extend(run.start as u32..run.end as u32);
                        pairs.right.resize(pairs.left.len(), other);
                        break;
                    }
                    candidate = self.full.step(&mut chain);
                }
            }
            state.row = end;
        }
    }

    /// As [`JoinTable::follow_all`], where no row of either side has a hole. `is_repeated` tells whether a left row, not
    /// the first, is joined by what the one before is.
    fn follow_full(
        &self,
        state: &mut HashedProbe,
        pairs: &mut Pairs,
        context: &Context,
        is_match: impl Fn(usize, usize) -> bool,
        is_repeated: impl Fn(usize) -> bool,
    ) -> Result<(), ExecuteError> {
        // The pairs of the last row, if all of them were found here.
        let mut last: Option<Range<usize>> = None;
        while let Some(hash) = state.full_hashes.get(state.row)
            && pairs.left.len() < PAIRS_AT_ONCE
        {
            let row = state.row;
            // Where the left is sorted by what it is joined by, most rows are so.
            if let Some(matches) = last.take()
                && is_repeated(row)
            {
                let rows = state.full_hashes.len();
                let count = pairs.repeat(&matches, row, |row| row < rows && is_repeated(row));
                state.row += count;
                if count > 0 {
                    continue;
                }
            }
            let (first, is_begin) = (pairs.left.len(), matches!(state.step, Step::Begin));
            let mut chain = match state.step {
                Step::Full(chain) => chain,
                _ if !self.full_filter.may_hold(*hash) => {
                    state.row += 1;
                    last = Some(first..first);
                    continue;
                }
                _ => self.full.chain(*hash),
            };
            let is_match = |other| is_match(row, other);
            match follow(&self.full, &mut chain, row, state.once, pairs, context, is_match)? {
                Follow::More => state.step = Step::Full(chain),
                _ => {
                    (state.row, state.step) = (row + 1, Step::Begin);
                    last = is_begin.then_some(first..pairs.left.len());
                }
            }
        }
        Ok(())
    }

    /// Follows one chain until it ends or enough pairs are found.
    fn advance(
        &self,
        state: &mut HashedProbe,
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
        follow(index, chain, row, once, pairs, context, |other| self.is_compatible(left, row, other))
    }

    fn is_compatible(&self, left: &Batch, row: usize, candidate: usize) -> bool {
        self.shared.iter().all(|(l, r)| {
            let (a, b) = (left.column(*l)[row], self.rows.column(*r)[candidate]);
            a == b || a.is_undefined() || b.is_undefined()
        })
    }
}

/// Appends the pairs of a left row with the rows of a chain that match, until there are enough.
fn follow(
    index: &RowIndex,
    chain: &mut Chain,
    row: usize,
    once: bool,
    pairs: &mut Pairs,
    context: &Context,
    is_match: impl Fn(usize) -> bool,
) -> Result<Follow, ExecuteError> {
    let mut steps = 0_usize;
    while let Some(candidate) = index.step(chain) {
        steps += 1;
        if steps.is_multiple_of(STEPS_AT_ONCE) {
            context.check()?;
        }
        if is_match(candidate as usize) {
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

impl SortedProbe {
    /// Appends pairs until there are enough, or no more left rows.
    fn pairs(&mut self, table: &Batch, pairs: &mut Pairs) {
        let (own, theirs) = (self.left.column(self.columns.0), table.column(self.columns.1));
        let mut last: Option<Range<usize>> = None;
        while let Some(key) = own.get(self.row)
            && pairs.left.len() < PAIRS_AT_ONCE
        {
            let is_repeated = |row: usize| own.get(row) == Some(&own[row - 1]);
            if let Some(matches) = last.take()
                && is_repeated(self.row)
            {
                let count = pairs.repeat(&matches, self.row, is_repeated);
                self.row += count;
                if count > 0 {
                    continue;
                }
            }
            let before = pairs.left.len();
            self.at += first_not(&theirs[self.at..], |id| id < key);
            if self.told == 0 {
                let count = pairs.add_aligned((own, self.row), (theirs, self.at), PAIRS_AT_ONCE);
                (self.row, self.at) = (self.row + count, self.at + count);
                if count > 0 {
                    continue;
                }
            }
            let room = if self.once { 1 } else { PAIRS_AT_ONCE - pairs.left.len() };
            let first = self.at + self.told;
            let matches = theirs[first..].iter().take(room).take_while(|id| *id == key).count();
            pairs.left.resize(pairs.left.len() + matches, self.row as u32);
            pairs.right.extend(first as u32..(first + matches) as u32);
            if matches == room && !self.once {
                self.told += matches;
            } else {
                last = (self.told == 0).then_some(before..pairs.left.len());
                (self.row, self.told) = (self.row + 1, 0);
            }
        }
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

/// Returns whether no row has a hole in the column.
fn is_full(column: &[TermId]) -> bool {
    column.iter().all(|id| !id.is_undefined())
}

fn columns(batch: &Batch, indices: impl Iterator<Item = usize>) -> Vec<&[TermId]> {
    indices.map(|index| batch.column(index)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::MemoryDataset;
    use crate::plan::Variable;
    use proptest::prelude::*;

    const KEY: Variable = Variable(0);

    fn column(numbers: &[u16]) -> Batch {
        let ids = numbers.iter().map(|number| TermId::from_i64((*number).into()).unwrap()).collect();
        Batch::new(vec![ids], numbers.len())
    }

    /// Returns the pairs of a table and left rows, and whether both were walked side by side.
    fn pairs(left: &[u16], right: &[u16], once: bool) -> (Vec<(u32, u32)>, bool) {
        let mut layout = Layout::default();
        layout.push(KEY, true);
        let context = Context::new(Arc::new(MemoryDataset::new()));
        let mut table = JoinTable::build(column(right), &layout, &layout);
        table.start(Arc::new(column(left)), once);
        let is_walked = matches!(table.probe, Some(Probe::Sorted(_)));
        let mut all = Vec::new();
        while let Some(pairs) = table.next_pairs(&context).unwrap() {
            all.extend(pairs.left.into_iter().zip(pairs.right));
        }
        (all, is_walked)
    }

    fn expected(left: &[u16], right: &[u16], once: bool) -> Vec<(u32, u32)> {
        let of_row = |(row, key): (u32, &u16)| {
            let matches = (0..).zip(right).filter(|(_, other)| *other == key).map(|(other, _)| (row, other));
            matches.take(if once { 1 } else { usize::MAX }).collect::<Vec<_>>()
        };
        (0..).zip(left).flat_map(of_row).collect()
    }

    proptest! {
        #[test]
        fn sorted_or_not_the_pairs_are_the_same(
            mut left in proptest::collection::vec(0u16..300, 1..200),
            mut right in proptest::collection::vec(0u16..300, 0..400),
            sorted: [bool; 2],
            few: bool,
            once: bool,
        ) {
            if few { left.iter_mut().for_each(|key| *key %= 12) }
            if sorted[0] { left.sort_unstable() }
            if sorted[1] { right.sort_unstable() }
            let (found, is_walked) = pairs(&left, &right, once);
            prop_assert_eq!(found, expected(&left, &right, once));
            prop_assert!(!is_walked || left.is_sorted() && right.is_sorted());
        }
    }

    #[test]
    fn many_matches_come_a_part_at_a_time() {
        let (mut left, right) = (vec![2; 40], vec![2; PAIRS_AT_ONCE + 7]);
        left[0] = 1;
        let (found, is_walked) = pairs(&left, &right, false);
        assert!(is_walked);
        assert!(found == expected(&left, &right, false));
        assert!(pairs(&left, &right, true).0 == expected(&left, &right, true));
        // Rows that repeat each other pass the end of a part.
        let left = vec![2; PAIRS_AT_ONCE];
        for right in [[2, 2, 3, 4], [2, 3, 2, 2]] {
            assert!(pairs(&left, &right, false).0 == expected(&left, &right, false));
        }
        // Few left rows among many others are looked up.
        let right: Vec<u16> = (0..10_000).collect();
        assert_eq!(pairs(&[5, 9000], &right, false), (vec![(0, 5), (1, 9000)], false));
    }
}
