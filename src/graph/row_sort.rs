//! Sorting more rows than fit into memory: sorted pieces, in memory or laid down in scratch space, that
//! are merged as they are read.

use rustc_hash::FxHashMap;

use super::WriteError;
use super::layer::RowStream;
use super::row_file::{GROUP_ROWS, RowFile};
use crate::block::Scratch;

/// How many rows travel together.
const ROWS_AT_ONCE: usize = GROUP_ROWS;

/// Takes rows in any order.
pub struct RowSorter<'a, const N: usize> {
    scratch: &'a dyn Scratch,
    rows: Vec<[u64; N]>,
    /// So many rows are held in memory.
    rows_max: usize,
    /// Whether rows with equal first places come sorted.
    by_first: bool,
    /// Where rows are put in order; empty in between.
    ordered: Vec<[u64; N]>,
    pieces: Vec<Piece<N>>,
}

/// Sorted rows, each once: some in memory, some in scratch space.
enum Piece<const N: usize> {
    Memory(Vec<[u64; N]>),
    Scratch(RowFile<N>),
}

impl<'a, const N: usize> RowSorter<'a, N> {
    /// Makes a sorter that holds at most about so many bytes of rows in memory.
    pub fn new(scratch: &'a dyn Scratch, memory_bytes: usize) -> RowSorter<'a, N> {
        let rows_max = (memory_bytes / size_of::<[u64; N]>()).max(ROWS_AT_ONCE);
        RowSorter {
            scratch,
            rows: Vec::new(),
            rows_max,
            by_first: false,
            ordered: Vec::new(),
            pieces: Vec::new(),
        }
    }

    /// As [`RowSorter::new`], for rows of which those with equal first places come sorted: so they do if
    /// they come from an order that differs only in where that place stands. Sorting takes as much memory again.
    pub fn by_first(scratch: &'a dyn Scratch, memory_bytes: usize) -> RowSorter<'a, N> {
        RowSorter { by_first: true, ..RowSorter::new(scratch, memory_bytes) }
    }

    pub fn push(&mut self, row: [u64; N]) -> Result<(), WriteError> {
        if self.rows.len() == self.rows_max {
            self.sort();
            self.lay_down()?;
        }
        self.rows.push(row);
        Ok(())
    }

    /// Pushes many.
    pub fn extend(&mut self, mut rows: impl ExactSizeIterator<Item = [u64; N]>) -> Result<(), WriteError> {
        while let Some(row) = rows.next() {
            self.push(row)?;
            let room = self.rows_max - self.rows.len();
            self.rows.extend(rows.by_ref().take(room));
        }
        Ok(())
    }

    fn sort(&mut self) {
        if self.by_first {
            self.sort_by_first();
            debug_assert!(self.rows.is_sorted());
        } else {
            self.rows.sort_unstable();
        }
        self.rows.dedup();
    }

    /// Sorts rows by their first places, and keeps the order of others. First places are mostly few, such as
    /// predicates: then rows are counted and put where they belong.
    fn sort_by_first(&mut self) {
        let Some(groups) = Groups::of(&self.rows) else {
            self.rows.sort_by_key(|row| row[0]);
            return;
        };
        if groups.found.len() < 2 {
            return;
        }
        self.ordered.resize(self.rows.len(), [0; N]);
        let mut starts = groups.starts();
        for (row, group) in self.rows.iter().zip(&groups.of_each) {
            let start = &mut starts[usize::from(*group)];
            self.ordered[*start] = *row;
            *start += 1;
        }
        std::mem::swap(&mut self.rows, &mut self.ordered);
        self.ordered.clear();
    }

    /// Returns all rows, sorted.
    pub fn finish(mut self) -> SortedRows<N> {
        self.sort();
        self.into_sorted()
    }

    fn lay_down(&mut self) -> Result<(), WriteError> {
        let mut file = RowFile::create(self.scratch)?;
        file.append(&self.rows)?;
        self.pieces.push(Piece::Scratch(file));
        self.rows.clear();
        Ok(())
    }

    fn into_sorted(self) -> SortedRows<N> {
        let mut pieces = self.pieces;
        if !self.rows.is_empty() {
            pieces.push(Piece::Memory(self.rows));
        }
        SortedRows { pieces }
    }
}

/// Rows by their first places.
struct Groups {
    /// The group of each row, by the order in which groups come up.
    of_each: Vec<u16>,
    /// The first place of each group, and how many rows it has.
    found: Vec<(u64, usize)>,
}

impl Groups {
    /// `None` if there are too many for counting to pay.
    fn of<const N: usize>(rows: &[[u64; N]]) -> Option<Groups> {
        const GROUPS_MAX: usize = 1024;
        let mut groups = Groups { of_each: Vec::with_capacity(rows.len()), found: Vec::new() };
        let mut numbers: FxHashMap<u64, u16> = FxHashMap::default();
        for row in rows {
            let next = groups.found.len();
            let number = *numbers.entry(row[0]).or_insert(next as u16);
            if usize::from(number) == next {
                if next == GROUPS_MAX {
                    return None;
                }
                groups.found.push((row[0], 0));
            }
            groups.found[usize::from(number)].1 += 1;
            groups.of_each.push(number);
        }
        Some(groups)
    }

    /// Returns for each group how many rows are in those below it.
    fn starts(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.found.len()).collect();
        order.sort_unstable_by_key(|group| self.found[*group].0);
        let (mut starts, mut start) = (vec![0; order.len()], 0);
        for group in order {
            starts[group] = start;
            start += self.found[group].1;
        }
        starts
    }
}

/// Takes rows that come sorted, as one piece.
pub struct RowRun<'a, const N: usize> {
    sorter: RowSorter<'a, N>,
    laid_down: Option<RowFile<N>>,
    last: Option<[u64; N]>,
}

impl<'a, const N: usize> RowRun<'a, N> {
    /// As [`RowSorter::new`].
    pub fn new(scratch: &'a dyn Scratch, memory_bytes: usize) -> RowRun<'a, N> {
        RowRun { sorter: RowSorter::new(scratch, memory_bytes), laid_down: None, last: None }
    }

    /// Appends a row that is not below the one before; one that is equal to it is there already.
    pub fn push(&mut self, row: [u64; N]) -> Result<(), WriteError> {
        if self.last.replace(row) == Some(row) {
            return Ok(());
        }
        if self.sorter.rows.len() == self.sorter.rows_max {
            self.lay_down()?;
        }
        self.sorter.rows.push(row);
        Ok(())
    }

    fn lay_down(&mut self) -> Result<(), WriteError> {
        let file = match &mut self.laid_down {
            Some(file) => file,
            None => self.laid_down.insert(RowFile::create(self.sorter.scratch)?),
        };
        file.append(&self.sorter.rows)?;
        self.sorter.rows.clear();
        Ok(())
    }

    pub fn finish(mut self) -> Result<SortedRows<N>, WriteError> {
        if self.laid_down.is_some() {
            self.lay_down()?;
        }
        let laid_down = self.laid_down.take();
        let mut sorted = self.sorter.into_sorted();
        sorted.pieces.extend(laid_down.map(Piece::Scratch));
        Ok(sorted)
    }
}

/// Rows in order, each once. Can be walked any number of times, by several threads at once.
pub struct SortedRows<const N: usize> {
    pieces: Vec<Piece<N>>,
}

impl<const N: usize> Default for SortedRows<N> {
    fn default() -> SortedRows<N> {
        SortedRows { pieces: Vec::new() }
    }
}

impl<const N: usize> SortedRows<N> {
    /// Takes rows that are sorted already.
    pub fn of_sorted(rows: Vec<[u64; N]>) -> SortedRows<N> {
        debug_assert!(rows.is_sorted());
        SortedRows { pieces: vec![Piece::Memory(rows)] }
    }

    /// Adds the rows of another.
    pub fn absorb(&mut self, other: SortedRows<N>) {
        self.pieces.extend(other.pieces);
    }

    /// Returns how many rows there are, those that stand in two pieces twice.
    pub fn len_max(&self) -> u64 {
        let lens = self.pieces.iter().map(|piece| match piece {
            Piece::Memory(rows) => rows.len() as u64,
            Piece::Scratch(file) => file.len(),
        });
        lens.sum()
    }

    /// Lays what is in memory down in scratch space.
    pub fn lay_down(&mut self, scratch: &dyn Scratch) -> Result<(), WriteError> {
        for piece in &mut self.pieces {
            if let Piece::Memory(rows) = piece {
                let mut file = RowFile::create(scratch)?;
                file.append(rows)?;
                *piece = Piece::Scratch(file);
            }
        }
        Ok(())
    }

    pub fn stream(&self) -> Result<Box<dyn RowStream<N> + '_>, WriteError> {
        self.stream_beside(Vec::new())
    }

    /// As [`SortedRows::stream`], with the rows of others, each of which come in order, each once.
    pub fn stream_beside<'s>(
        &'s self,
        others: Vec<Box<dyn RowStream<N> + 's>>,
    ) -> Result<Box<dyn RowStream<N> + 's>, WriteError> {
        let own = self.pieces.iter().map(|piece| match piece {
            Piece::Memory(rows) => Rest::Memory(rows),
            Piece::Scratch(file) => Rest::Scratch { file, next: 0 },
        });
        let mut inputs = Vec::with_capacity(self.pieces.len() + others.len());
        for rest in own.chain(others.into_iter().map(Rest::Stream)) {
            let mut input = RowInput { rest, rows: Vec::new(), at: 0 };
            if input.refill()? {
                inputs.push(input);
            }
        }
        Ok(Box::new(RowMerge::new(inputs)))
    }
}

/// What is left of a piece.
enum Rest<'a, const N: usize> {
    Memory(&'a [[u64; N]]),
    /// From a group on.
    Scratch {
        file: &'a RowFile<N>,
        next: usize,
    },
    Stream(Box<dyn RowStream<N> + 'a>),
}

struct RowInput<'a, const N: usize> {
    rest: Rest<'a, N>,
    rows: Vec<[u64; N]>,
    at: usize,
}

impl<const N: usize> RowInput<'_, N> {
    fn head(&self) -> [u64; N] {
        self.rows[self.at]
    }

    fn refill(&mut self) -> Result<bool, WriteError> {
        self.rows.clear();
        self.at = 0;
        match &mut self.rest {
            Rest::Memory(rest) => {
                let (next, after) = rest.split_at(rest.len().min(ROWS_AT_ONCE));
                self.rows.extend_from_slice(next);
                *rest = after;
            }
            Rest::Scratch { file, next } => {
                file.read(*next, &mut self.rows)?;
                *next += 1;
            }
            Rest::Stream(stream) => stream.fill(&mut self.rows)?,
        }
        Ok(!self.rows.is_empty())
    }
}

/// Merges pieces; drops repetitions.
struct RowMerge<'a, const N: usize> {
    inputs: Vec<RowInput<'a, N>>,
    /// The heads of inputs that have rows left, with their places; the least comes last.
    heads: Vec<([u64; N], usize)>,
    last: Option<[u64; N]>,
}

impl<'a, const N: usize> RowMerge<'a, N> {
    /// Takes inputs that have rows at hand.
    fn new(inputs: Vec<RowInput<'a, N>>) -> RowMerge<'a, N> {
        let mut heads: Vec<_> = inputs.iter().zip(0..).map(|(input, place)| (input.head(), place)).collect();
        heads.sort_unstable_by_key(|head| std::cmp::Reverse(*head));
        RowMerge { inputs, heads, last: None }
    }

    /// Puts the input whose rows were taken where its next row belongs.
    fn settle(&mut self, place: usize) -> Result<(), WriteError> {
        let input = &mut self.inputs[place];
        if input.at == input.rows.len() && !input.refill()? {
            return Ok(());
        }
        let head = (input.head(), place);
        let at = match self.heads.last().is_none_or(|next| head < *next) {
            true => self.heads.len(),
            false => self.heads.partition_point(|other| *other > head),
        };
        self.heads.insert(at, head);
        Ok(())
    }
}

impl<const N: usize> RowStream<N> for RowMerge<'_, N> {
    fn fill(&mut self, out: &mut Vec<[u64; N]>) -> Result<(), WriteError> {
        out.clear();
        while out.len() < ROWS_AT_ONCE
            && let Some((_, place)) = self.heads.pop()
        {
            let input = &mut self.inputs[place];
            // What comes before the next input's head is taken at once.
            let rows = &input.rows[input.at..];
            let rows = &rows[..rows.len().min(ROWS_AT_ONCE - out.len())];
            let count = match self.heads.last() {
                Some((next, _)) => 1 + rows[1..].iter().take_while(|row| *row < next).count(),
                None => rows.len(),
            };
            let is_repeated = self.last == Some(rows[0]);
            out.extend_from_slice(&rows[usize::from(is_repeated)..count]);
            self.last = Some(rows[count - 1]);
            input.at += count;
            self.settle(place)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::MemoryScratch;
    use proptest::prelude::*;

    fn all(rows: &SortedRows<4>) -> Vec<[u64; 4]> {
        let (mut stream, mut all, mut some) = (rows.stream().unwrap(), Vec::new(), Vec::new());
        loop {
            stream.fill(&mut some).unwrap();
            if some.is_empty() {
                return all;
            }
            all.append(&mut some);
        }
    }

    #[test]
    fn rows_that_come_sorted_but_for_their_first_places_are_sorted_by_these() {
        for groups in [1, 2, 30, 5000] {
            let mut sorter = RowSorter::<4>::by_first(&MemoryScratch, 6000 * 32);
            let mut rows: Vec<[u64; 4]> =
                (0..20_000).map(|n| [(n * 7919 % groups) << 40, n / 3, n, 0]).collect();
            sorter.extend(rows.iter().copied()).unwrap();
            rows.sort_unstable();
            assert_eq!(all(&sorter.finish()), rows);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn rows_are_sorted_however_many_there_are(count in 0u64..30_000, span in 1u64..40_000, factor in 1u64..1000) {
            let rows: Vec<[u64; 4]> = (0..count).map(|n| [n * factor % span, n % 3, factor, 0]).collect();
            let mut sorter = RowSorter::<4>::new(&MemoryScratch, 1000 * 32);
            rows.iter().for_each(|row| sorter.push(*row).unwrap());
            let mut expected = rows;
            expected.sort_unstable();
            expected.dedup();
            let mut sorted = sorter.finish();
            prop_assert_eq!(all(&sorted), expected.clone());
            let mut run = RowRun::<4>::new(&MemoryScratch, 1000 * 32);
            expected.iter().for_each(|row| run.push(*row).unwrap());
            sorted.absorb(run.finish().unwrap());
            prop_assert_eq!(all(&sorted), expected.clone());
            sorted.lay_down(&MemoryScratch).unwrap();
            prop_assert_eq!(all(&sorted), expected);
        }
    }
}
