//! `MultiwayJoin`: joins scans that form cycles, a variable at a time (the generic join of Ngo, Ré and Rudra, 2013).
//!
//! Joined two by two, a cycle first makes all its open paths, of which few close. Here each variable takes the values
//! that all scans agree on, given those before it: lists that are sorted, so that they are intersected as they
//! stand. The scans are read once and held as lists of numbers.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::index_scan::{QuadReader, choose_permutation, resolve};
use super::{Operator, bytes_of};
use crate::batch::{BATCH_ROWS, Batch};
use crate::dataset::Places;
use crate::execute::{Context, ExecuteError, Layout, Reservation};
use crate::model::TermId;
use crate::plan::{QuadScan, Variable};

/// Holds what it scans, in 4 bytes a row and 12 a value.
pub struct MultiwayJoin {
    context: Arc<Context>,
    scans: Vec<QuadScan>,
    /// The variables in the order in which they take values.
    layout: Layout,
    search: Option<Search>,
    reservation: Reservation,
}

/// One end of a scan given the other: the values of `to` next to each value of `from`.
struct Lists {
    /// Where the list of each number starts; one more at the end.
    starts: Vec<u32>,
    /// Numbers, sorted within each list, each once.
    values: Vec<u32>,
    /// How many rows of the scan are each pair, where there are several.
    repeated: FxHashMap<(u32, u32), u64>,
}

impl Lists {
    fn of(&self, number: u32) -> &[u32] {
        let number = number as usize;
        &self.values[self.starts[number] as usize..self.starts[number + 1] as usize]
    }

    /// Returns how many rows of the scan are a pair that it has.
    fn count(&self, from: u32, to: u32) -> u64 {
        if self.repeated.is_empty() { 1 } else { self.repeated.get(&(from, to)).copied().unwrap_or(1) }
    }
}

/// Where the values of a variable come from.
struct Level {
    /// For each scan to an earlier variable: that variable's level, and the lists.
    bound: Vec<(usize, Arc<Lists>)>,
    /// The scans to later variables, in which a value must have a list.
    open: Vec<Arc<Lists>>,
}

/// The state of the search: what each variable may be, given the values before it.
struct Search {
    /// The terms by number, sorted.
    terms: Vec<TermId>,
    levels: Vec<Level>,
    /// The candidates of each level that has some, and which of them is next.
    stack: Vec<(Vec<u32>, usize)>,
    /// Whether a scan has a pair more than once.
    has_repeats: bool,
    /// How many more rows are like the last one.
    repeats: u64,
}

impl MultiwayJoin {
    /// Joins scans whose subjects and objects are two variables each, and no others are.
    pub fn new(scans: &[QuadScan], context: Arc<Context>) -> MultiwayJoin {
        let mut layout = Layout::default();
        order(scans).into_iter().for_each(|variable| layout.push(variable, true));
        let reservation = context.reserve();
        MultiwayJoin { context, scans: scans.to_vec(), layout, search: None, reservation }
    }

    fn open(&mut self) -> Result<Search, ExecuteError> {
        let variables = self.layout.variables().to_vec();
        let level_of = |variable: Variable| variables.iter().position(|other| *other == variable);
        let mut read: Vec<(QuadScan, Arc<Pairs>)> = Vec::new();
        let mut atoms = Vec::new();
        for scan in &self.scans {
            let (Some(subject), Some(object)) = (scan.subject.variable(), scan.object.variable()) else {
                return Err(ExecuteError::Plan("a multiway join is of scans between variables".to_owned()));
            };
            let (Some(a), Some(b)) = (level_of(subject), level_of(object)) else { continue };
            let from = if a < b { subject } else { object };
            // Scans of one pattern in one direction share their lists.
            let key = pattern_of(scan, from == subject);
            let pairs = match read.iter().find(|(known, _)| *known == key) {
                Some((_, pairs)) => Arc::clone(pairs),
                None => {
                    let pairs = Arc::new(Pairs::read(scan, from, &self.context)?);
                    self.reservation.grow(bytes_of(pairs.rows.len(), 2))?;
                    read.push((key, Arc::clone(&pairs)));
                    pairs
                }
            };
            atoms.push((a.min(b), a.max(b), pairs));
        }
        let numbers = Numbers::of(read.iter().map(|(_, pairs)| &**pairs));
        self.reservation.grow(numbers.terms.len() * 16)?;
        let mut lists: Vec<(*const Pairs, Arc<Lists>)> = Vec::new();
        for (_, pairs) in &read {
            self.context.check()?;
            lists.push((Arc::as_ptr(pairs), Arc::new(numbers.lists(pairs))));
        }
        let list_of = |pairs: &Arc<Pairs>| {
            let found = lists.iter().find(|(known, _)| *known == Arc::as_ptr(pairs));
            found.map(|(_, lists)| Arc::clone(lists)).expect("every scan was read")
        };
        let mut levels: Vec<Level> =
            variables.iter().map(|_| Level { bound: Vec::new(), open: Vec::new() }).collect();
        for (from, to, pairs) in &atoms {
            let lists = list_of(pairs);
            levels[*from].open.push(Arc::clone(&lists));
            levels[*to].bound.push((*from, lists));
        }
        let has_repeats = lists.iter().any(|(_, lists)| !lists.repeated.is_empty());
        let (terms, stack) = (numbers.terms, Vec::new());
        let mut search = Search { terms, levels, stack, has_repeats, repeats: 0 };
        search.enter();
        Ok(search)
    }
}

impl Search {
    /// Finds the candidates of the next level, given the values of those before it.
    fn enter(&mut self) {
        let level = &self.levels[self.stack.len()];
        let value = |level: usize| {
            let (candidates, next) = &self.stack[level];
            candidates[next - 1]
        };
        let mut lists: Vec<&[u32]> = level.bound.iter().map(|(from, lists)| lists.of(value(*from))).collect();
        lists.sort_unstable_by_key(|list| list.len());
        let mut candidates = match lists.as_slice() {
            [] => (0..self.terms.len() as u32).collect(),
            [only] => only.to_vec(),
            [first, second, rest @ ..] => {
                let mut both = Vec::new();
                intersect(first, second, &mut both);
                for list in rest {
                    let mut kept = Vec::new();
                    intersect(&both, list, &mut kept);
                    both = kept;
                }
                both
            }
        };
        if !level.open.is_empty() {
            candidates.retain(|value| level.open.iter().all(|lists| !lists.of(*value).is_empty()));
        }
        self.stack.push((candidates, 0));
    }

    /// Goes on to the next value of the last level but one; returns whether there is one.
    fn advance(&mut self) -> bool {
        while let Some((candidates, next)) = self.stack.last_mut() {
            if *next == candidates.len() {
                self.stack.pop();
                continue;
            }
            *next += 1;
            self.enter();
            if self.stack.len() == self.levels.len() {
                return true;
            }
        }
        false
    }

    /// Appends rows until there are enough for a batch, or no more; returns whether there may be more.
    fn fill(&mut self, columns: &mut [Vec<TermId>], context: &Context) -> Result<bool, ExecuteError> {
        const STEPS_BETWEEN_CHECKS: u64 = 1024;
        for step in 1u64.. {
            if self.stack.len() < self.levels.len() && !self.advance() {
                return Ok(false);
            }
            let last = self.levels.len() - 1;
            if self.has_repeats {
                if self.fill_one_by_one(columns) {
                    return Ok(true);
                }
                self.stack.pop();
                if step % STEPS_BETWEEN_CHECKS == 0 {
                    context.check()?;
                }
                continue;
            }
            let (candidates, next) = &self.stack[last];
            let room = BATCH_ROWS - columns[last].len();
            let taken = &candidates[*next..candidates.len().min(next + room)];
            columns[last].extend(taken.iter().map(|number| self.terms[*number as usize]));
            for (column, (candidates, next)) in columns.iter_mut().zip(&self.stack[..last]) {
                let term = self.terms[candidates[next - 1] as usize];
                column.resize(column.len() + taken.len(), term);
            }
            if taken.len() == room {
                self.stack[last].1 += room;
                return Ok(true);
            }
            self.stack.pop();
            if step % STEPS_BETWEEN_CHECKS == 0 {
                context.check()?;
            }
        }
        Ok(false)
    }
}

impl Search {
    /// Appends the rows of the last level's candidates, each as often as the scans have its pairs; returns whether there
    /// are enough for a batch.
    fn fill_one_by_one(&mut self, columns: &mut [Vec<TermId>]) -> bool {
        let last = self.levels.len() - 1;
        loop {
            if self.repeats == 0 {
                let (candidates, next) = &mut self.stack[last];
                if *next == candidates.len() {
                    return false;
                }
                *next += 1;
                self.repeats = self.count();
            }
            let room = (BATCH_ROWS - columns[last].len()) as u64;
            let rows = self.repeats.min(room);
            for (column, (candidates, next)) in columns.iter_mut().zip(&self.stack) {
                let term = self.terms[candidates[next - 1] as usize];
                column.resize(column.len() + rows as usize, term);
            }
            self.repeats -= rows;
            if rows == room {
                return true;
            }
        }
    }

    /// Returns how many rows have the values that the levels are at.
    fn count(&self) -> u64 {
        let value = |level: usize| {
            let (candidates, next) = &self.stack[level];
            candidates[next - 1]
        };
        let pairs = self.levels.iter().enumerate();
        let pairs =
            pairs.flat_map(|(to, level)| level.bound.iter().map(move |(from, lists)| (*from, to, lists)));
        pairs.map(|(from, to, lists)| lists.count(value(from), value(to))).product()
    }
}

impl Operator for MultiwayJoin {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        if self.search.is_none() {
            self.search = Some(self.open()?);
        }
        self.context.check()?;
        let Some(search) = &mut self.search else { return Ok(None) };
        let mut columns = vec![Vec::with_capacity(BATCH_ROWS); self.layout.width()];
        search.fill(&mut columns, &self.context)?;
        let rows = columns.first().map_or(0, Vec::len);
        Ok((rows > 0).then(|| Batch::new(columns, rows)))
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn sorted_by(&self) -> &[Variable] {
        self.layout.variables()
    }

    fn describe(&self) -> String {
        format!("MultiwayJoin of {} scans by {:?}", self.scans.len(), self.layout.variables())
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        Vec::new()
    }
}

/// The rows of a scan between two variables, sorted by the first: what it is given, and what it finds.
struct Pairs {
    rows: Vec<(TermId, TermId)>,
}

impl Pairs {
    fn read(scan: &QuadScan, from: Variable, context: &Context) -> Result<Pairs, ExecuteError> {
        let mut rows = Vec::new();
        let Some(resolved) = resolve(scan, context)? else { return Ok(Pairs { rows }) };
        let permutation = choose_permutation(scan, Some(from), context.dataset.permutations());
        let (given, found) = if scan.subject.variable() == Some(from) { (0, 2) } else { (2, 0) };
        let mut reader = QuadReader::in_order(&resolved, permutation, Places::from_iter([0, 2]), context)?;
        while let Some(batch) = reader.next_quads()? {
            context.check()?;
            rows.extend(batch.column(given).iter().copied().zip(batch.column(found).iter().copied()));
        }
        if !rows.is_sorted() {
            rows.sort_unstable();
        }
        if resolved.merges {
            // One triple in two graphs that are read as one.
            rows.dedup();
        }
        Ok(Pairs { rows })
    }
}

/// A number for each term that the scans hold, in the order of the terms.
struct Numbers {
    terms: Vec<TermId>,
    of: FxHashMap<TermId, u32>,
}

impl Numbers {
    fn of<'a>(all: impl Iterator<Item = &'a Pairs>) -> Numbers {
        let mut of: FxHashMap<TermId, u32> = FxHashMap::default();
        for pairs in all {
            let mut last = None;
            for (from, to) in &pairs.rows {
                if last.replace(*from) != Some(*from) {
                    of.insert(*from, 0);
                }
                of.insert(*to, 0);
            }
        }
        let mut terms: Vec<TermId> = of.keys().copied().collect();
        terms.sort_unstable();
        for (number, term) in terms.iter().enumerate() {
            of.insert(*term, number as u32);
        }
        Numbers { terms, of }
    }

    fn lists(&self, pairs: &Pairs) -> Lists {
        let mut starts = Vec::with_capacity(self.terms.len() + 1);
        let mut values: Vec<u32> = Vec::with_capacity(pairs.rows.len());
        let mut repeated: FxHashMap<(u32, u32), u64> = FxHashMap::default();
        for group in pairs.rows.chunk_by(|a, b| a.0 == b.0) {
            let from = self.of[&group[0].0];
            let start = values.len();
            starts.resize(from as usize + 1, start as u32);
            for (_, to) in group {
                let to = self.of[to];
                match values[start..].last() == Some(&to) {
                    true => *repeated.entry((from, to)).or_insert(1) += 1,
                    false => values.push(to),
                }
            }
        }
        starts.resize(self.terms.len() + 1, values.len() as u32);
        Lists { starts, values, repeated }
    }
}

/// Returns a scan without the names of its variables, and in which direction it is read.
fn pattern_of(scan: &QuadScan, is_forward: bool) -> QuadScan {
    let (subject, object) = if is_forward { (0, 1) } else { (1, 0) };
    QuadScan {
        subject: crate::plan::Slot::Variable(Variable(subject)),
        object: crate::plan::Slot::Variable(Variable(object)),
        ..scan.clone()
    }
}

/// Returns the variables of scans so that each is next to one before it, those first that most scans have.
fn order(scans: &[QuadScan]) -> Vec<Variable> {
    let ends = |scan: &QuadScan| [scan.subject.variable(), scan.object.variable()];
    let mut all: Vec<Variable> = scans.iter().flat_map(ends).flatten().collect();
    let count = |of: Variable| scans.iter().filter(|scan| ends(scan).contains(&Some(of))).count();
    all.sort_unstable();
    all.dedup();
    let mut ordered: Vec<Variable> = Vec::new();
    while ordered.len() < all.len() {
        let links = |variable: Variable| {
            let is_link = |scan: &&QuadScan| {
                let [a, b] = ends(scan);
                let other = if a == Some(variable) { b } else { a };
                ends(scan).contains(&Some(variable)) && other.is_some_and(|other| ordered.contains(&other))
            };
            scans.iter().filter(is_link).count()
        };
        let rank = |variable: Variable| (links(variable), count(variable));
        let open = all.iter().copied().filter(|variable| !ordered.contains(variable));
        // Of equals the first.
        ordered.extend(open.reduce(|best, next| if rank(next) > rank(best) { next } else { best }));
    }
    ordered
}

/// Appends what is in both lists; `few` is the shorter one.
fn intersect(few: &[u32], many: &[u32], out: &mut Vec<u32>) {
    const GALLOP_FROM: usize = 8;
    if few.is_empty() {
        return;
    }
    if many.len() / few.len() < GALLOP_FROM {
        return merge(few, many, out);
    }
    let mut rest = many;
    for value in few {
        // Doubling steps, then a search between the last two.
        let mut step = 1;
        while step < rest.len() && rest[step] < *value {
            step *= 2;
        }
        let end = rest.len().min(step + 1);
        let at = step / 2 + rest[step / 2..end].partition_point(|other| other < value);
        rest = &rest[at..];
        match rest.first() {
            None => return,
            Some(other) if other == value => out.push(*value),
            Some(_) => {}
        }
    }
}

fn merge(a: &[u32], b: &[u32], out: &mut Vec<u32>) {
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        let (x, y) = (a[i], b[j]);
        if x == y {
            out.push(x);
        }
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lists_are_intersected_however_long(
            mut a in prop::collection::vec(0..400u32, 0..40),
            mut b in prop::collection::vec(0..400u32, 0..400),
        ) {
            for list in [&mut a, &mut b] {
                list.sort_unstable();
                list.dedup();
            }
            let (few, many) = if a.len() < b.len() { (&a, &b) } else { (&b, &a) };
            let mut found = Vec::new();
            intersect(few, many, &mut found);
            let expected: Vec<u32> = few.iter().copied().filter(|value| many.contains(value)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
