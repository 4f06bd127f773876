//! `IndexScan`: the quads of one pattern, in the order of a permutation.

use std::sync::Arc;

use super::sorted_ids::first_not;
use super::{GraphScope, Operator, Probe};
use crate::batch::Batch;
use crate::dataset::{IdRanges, Keys, Places, Runs, Scan, ranges_of};
use crate::execute::{Context, ExecuteError, Layout};
use crate::model::{EdgeOrder, EdgePattern, Permutation, PermutationSet, QuadPattern, TermId};
use crate::plan::{Expression, QuadScan, Slot, Variable, VariableSet};

/// Scans one pattern. Constants are looked up at the first pull, so that a scan above a write
/// sees what the write made.
pub struct IndexScan {
    context: Arc<Context>,
    scan: QuadScan,
    permutation: Permutation,
    shape: ScanShape,
    sorted_by: Vec<Variable>,
    /// What the first variable of `sorted_by` may be, and which of the ranges is being read.
    ranges: Option<(IdRanges, usize)>,
    /// What that variable has in the rows that matter.
    keys: Option<Vec<TermId>>,
    reader: Option<QuadReader>,
    is_open: bool,
}

/// How rows of (s, p, o, g) become rows of variables.
#[derive(Clone, Debug)]
pub struct ScanShape {
    pub layout: Layout,
    /// For each column of the layout: its place in (s, p, o, g).
    places: Vec<usize>,
    /// Places that must be equal since they hold one variable.
    equal: Vec<(usize, usize)>,
}

/// A pattern whose constants are ids.
#[derive(Clone, Debug)]
pub struct ResolvedScan {
    pub pattern: QuadPattern,
    pub merges: bool,
    /// As of [`QuadScan`].
    pub per_edge: bool,
}

impl ResolvedScan {
    /// Returns the edges that it scans for their quads, sorted as the quads are in an order.
    fn edges(&self, order: Permutation) -> EdgePattern {
        let order = if order == Permutation::Pos { EdgeOrder::Object } else { EdgeOrder::Subject };
        EdgePattern { order, ..EdgePattern::from(&self.pattern) }
    }
}

impl IndexScan {
    /// Makes a scan in the order of `permutation`; nothing is read yet. Its rows lack the variables `unread`.
    pub fn new(
        scan: &QuadScan,
        permutation: Permutation,
        unread: &VariableSet,
        context: Arc<Context>,
    ) -> IndexScan {
        let order = sort_order(scan, permutation);
        IndexScan {
            context,
            shape: ScanShape::of(scan).without(unread),
            sorted_by: order.into_iter().take_while(|variable| !unread.contains(variable)).collect(),
            scan: scan.clone(),
            permutation,
            ranges: None,
            keys: None,
            reader: None,
            is_open: false,
        }
    }

    fn open(&mut self) -> Result<Option<&mut QuadReader>, ExecuteError> {
        if !self.is_open {
            if let Some(resolved) = resolve(&self.scan, &self.context)? {
                let (order, places, context) = (self.permutation, self.shape.read(), &self.context);
                let (listed, range) =
                    (self.keys.take(), self.ranges.as_ref().and_then(|(all, _)| all.hull()));
                let keys = listed.as_deref().map(Keys::Listed).or(range.as_ref().map(Keys::Within));
                self.reader = Some(match keys {
                    Some(keys) => QuadReader::of_keys(&resolved, order, places, keys, context)?,
                    None => QuadReader::in_order(&resolved, order, places, context)?,
                });
            }
            self.is_open = true;
        }
        Ok(self.reader.as_mut())
    }

    /// Returns the next rows that are within the ranges.
    fn next_within(&mut self, ranges: &IdRanges, at: &mut usize) -> Result<Option<Batch>, ExecuteError> {
        let column = self.sorted_by.first().and_then(|variable| self.shape.layout.column(*variable));
        let column = column.expect("a narrowed scan is sorted");
        loop {
            let Some(range) = ranges.get(*at) else { return Ok(None) };
            let Some(reader) = self.reader.as_mut() else { return Ok(None) };
            reader.seek(*range.start());
            let Some(mut batch) = reader.next_batch(&self.shape, &self.context)? else { return Ok(None) };
            let keys = batch.column(column);
            let last = keys.last().copied().unwrap_or_default();
            if keys.first().is_none_or(|first| first < range.start()) || last > *range.end() {
                let keep: Vec<bool> = keys.iter().map(|id| ranges.contains(*id)).collect();
                batch.filter(&keep);
            }
            while ranges.get(*at).is_some_and(|range| *range.end() < last) {
                *at += 1;
            }
            if !batch.is_empty() {
                return Ok(Some(batch));
            }
        }
    }
}

impl Operator for IndexScan {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        self.context.check()?;
        self.open()?;
        if let Some((ranges, mut at)) = self.ranges.take() {
            let batch = self.next_within(&ranges, &mut at);
            self.ranges = Some((ranges, at));
            return batch;
        }
        match &mut self.reader {
            Some(reader) => reader.next_batch(&self.shape, &self.context),
            None => Ok(None),
        }
    }

    fn layout(&self) -> &Layout {
        &self.shape.layout
    }

    fn sorted_by(&self) -> &[Variable] {
        &self.sorted_by
    }

    fn narrow(&mut self, condition: &Expression) {
        let sorted = self.sorted_by.first();
        self.ranges = sorted.and_then(|variable| ranges_of(condition, *variable)).map(|ranges| (ranges, 0));
    }

    fn next_runs(&mut self, column: usize) -> Result<Option<Runs>, ExecuteError> {
        if self.ranges.is_none() && !self.shape.has_repeats() {
            self.context.check()?;
            let place = self.shape.places[column];
            match self.open()? {
                Some(reader) if !reader.merges => return Ok(reader.scan.next_runs(place)?),
                Some(_) => {}
                None => return Ok(None),
            }
        }
        Ok(self.next_batch()?.map(|batch| Runs::of(batch.column(column))))
    }

    fn keyed_by(&self) -> Option<Variable> {
        self.sorted_by.first().copied()
    }

    fn expect_keys(&mut self, keys: Vec<TermId>) {
        self.keys = Some(keys);
    }

    fn seek(&mut self, key: TermId) {
        // A scan that cannot be opened says so when it is pulled.
        if let Ok(Some(reader)) = self.open() {
            reader.seek(key);
        }
    }

    fn describe(&self) -> String {
        let narrowed = if self.ranges.is_some() { " in ranges" } else { "" };
        format!("IndexScan {:?} {}{narrowed}", self.permutation, describe_scan(&self.scan))
    }
}

impl ScanShape {
    pub fn of(scan: &QuadScan) -> ScanShape {
        let places = [
            scan.subject.variable(),
            scan.predicate.variable(),
            scan.object.variable(),
            scan.graph.variable(),
        ];
        ScanShape::of_places(&places)
    }

    /// Makes the shape of rows whose column `i` holds `variables[i]`, if that is a variable.
    pub fn of_places(variables: &[Option<Variable>]) -> ScanShape {
        let mut shape = ScanShape { layout: Layout::default(), places: Vec::new(), equal: Vec::new() };
        for (place, variable) in variables.iter().enumerate() {
            let Some(variable) = variable else { continue };
            match shape.layout.column(*variable) {
                Some(column) => shape.equal.push((shape.places[column], place)),
                None => {
                    shape.layout.push(*variable, true);
                    shape.places.push(place);
                }
            }
        }
        shape
    }

    /// Leaves out variables that nobody reads; those that stand in several places are still compared.
    pub fn without(self, unread: &VariableSet) -> ScanShape {
        let mut shape = ScanShape { layout: Layout::default(), places: Vec::new(), equal: self.equal };
        for (variable, place) in self.layout.variables().iter().zip(self.places) {
            if !unread.contains(variable) {
                shape.layout.push(*variable, true);
                shape.places.push(place);
            }
        }
        shape
    }

    /// Returns the places that rows are made of.
    pub fn read(&self) -> Places {
        self.places.iter().copied().chain(self.equal.iter().flat_map(|(a, b)| [*a, *b])).collect()
    }

    /// Returns whether one variable stands in several places, so that not all rows of places are rows.
    pub fn has_repeats(&self) -> bool {
        !self.equal.is_empty()
    }

    /// Turns rows of places into rows of variables.
    pub fn apply(&self, batch: Batch) -> Batch {
        let mut batch = batch;
        for (a, b) in &self.equal {
            let keep: Vec<bool> =
                batch.column(*a).iter().zip(batch.column(*b)).map(|(a, b)| a == b).collect();
            batch.filter(&keep);
        }
        let rows = batch.rows();
        let mut columns: Vec<Vec<TermId>> = batch.into_columns();
        let taken = self.places.iter().map(|place| std::mem::take(&mut columns[*place])).collect();
        Batch::new(taken, rows)
    }
}

/// Reads one open scan, merging graphs where they are read as one.
pub struct QuadReader {
    scan: Box<dyn Scan>,
    merges: bool,
    last: Option<[TermId; 3]>,
}

impl QuadReader {
    /// Opens the quads of a scan in an order that the dataset has.
    pub fn in_order(
        resolved: &ResolvedScan,
        permutation: Permutation,
        places: Places,
        context: &Context,
    ) -> Result<QuadReader, ExecuteError> {
        // Graphs are merged by whole triples.
        let places = if resolved.merges { Places::ALL } else { places };
        let scan = match resolved.per_edge {
            true => context.dataset.scan_edge_places(&resolved.edges(permutation), places)?,
            false => context.dataset.scan_places(&resolved.pattern, permutation, places)?,
        };
        Ok(QuadReader { scan, merges: resolved.merges, last: None })
    }

    /// As [`QuadReader::in_order`], for a reader of the rows of `keys`; see [`crate::dataset::Dataset::scan_keys`].
    fn of_keys(
        resolved: &ResolvedScan,
        permutation: Permutation,
        places: Places,
        keys: Keys<'_>,
        context: &Context,
    ) -> Result<QuadReader, ExecuteError> {
        let places = if resolved.merges { Places::ALL } else { places };
        let scan = match resolved.per_edge {
            true => context.dataset.scan_edge_keys(&resolved.edges(permutation), places, keys)?,
            false => context.dataset.scan_keys(&resolved.pattern, permutation, places, keys)?,
        };
        Ok(QuadReader { scan, merges: resolved.merges, last: None })
    }

    /// As [`Scan::seek`].
    pub fn seek(&mut self, key: TermId) {
        self.scan.seek(key);
    }

    /// Opens the quads of a pattern in its best order.
    pub fn of_pattern(
        pattern: &QuadPattern,
        merges: bool,
        context: &Context,
    ) -> Result<QuadReader, ExecuteError> {
        let resolved = ResolvedScan { pattern: pattern.clone(), merges, per_edge: false };
        QuadReader::in_best_order(&resolved, Places::ALL, context)
    }

    fn in_best_order(
        resolved: &ResolvedScan,
        places: Places,
        context: &Context,
    ) -> Result<QuadReader, ExecuteError> {
        let permutation =
            orders(resolved.per_edge, context.dataset.permutations()).best_for(&resolved.pattern);
        QuadReader::in_order(resolved, permutation, places, context)
    }

    fn next_batch(&mut self, shape: &ScanShape, context: &Context) -> Result<Option<Batch>, ExecuteError> {
        while let Some(batch) = self.next_quads()? {
            let batch = shape.apply(batch);
            if !batch.is_empty() {
                return Ok(Some(batch));
            }
            context.check()?;
        }
        Ok(None)
    }

    /// Returns rows of (s, p, o, g); perhaps none, which is not yet the end.
    pub fn next_quads(&mut self) -> Result<Option<Batch>, ExecuteError> {
        let Some(mut batch) = self.scan.next_batch()? else { return Ok(None) };
        if self.merges {
            let mut last = self.last;
            let keep: Vec<bool> = (0..batch.rows())
                .map(|row| {
                    let triple = [batch.column(0)[row], batch.column(1)[row], batch.column(2)[row]];
                    last.replace(triple) != Some(triple)
                })
                .collect();
            self.last = last;
            batch.filter(&keep);
        }
        Ok(Some(batch))
    }
}

/// Looks up a pattern's constants; `None` if one of them is in no quad.
pub fn resolve(scan: &QuadScan, context: &Context) -> Result<Option<ResolvedScan>, ExecuteError> {
    let scope = GraphScope::resolve(&scan.graph, context)?;
    let Some(graph) = scope.filter else { return Ok(None) };
    let mut pattern = QuadPattern { graph, ..QuadPattern::default() };
    for (slot, place) in [
        (&scan.subject, &mut pattern.subject),
        (&scan.predicate, &mut pattern.predicate),
        (&scan.object, &mut pattern.object),
    ] {
        match slot {
            Slot::Variable(_) => {}
            Slot::Constant(term) => match context.dataset.term_id(term)? {
                Some(id) => *place = Some(id),
                None => return Ok(None),
            },
            Slot::Parameter(parameter) => return Err(ExecuteError::unbound(parameter)),
        }
    }
    Ok(Some(ResolvedScan { pattern, merges: scope.merges && !scan.per_edge, per_edge: scan.per_edge }))
}

/// Returns those of the orders of a dataset's quads in which it can scan, perhaps once for each edge.
fn orders(per_edge: bool, permutations: PermutationSet) -> PermutationSet {
    if per_edge { [Permutation::Pso, Permutation::Pos].into_iter().collect() } else { permutations }
}

/// Returns one of `permutations` for a scan: the bound places first, then, if possible, `wanted`.
pub fn choose_permutation(
    scan: &QuadScan,
    wanted: Option<Variable>,
    permutations: PermutationSet,
) -> Permutation {
    let permutations = orders(scan.per_edge, permutations);
    let slots = [&scan.subject, &scan.predicate, &scan.object];
    let is_constant = |place: usize| matches!(slots[place], Slot::Constant(_));
    let constants = (0..3).filter(|place| is_constant(*place)).count();
    let fits =
        |permutation: &Permutation| permutation.positions().into_iter().take(constants).all(is_constant);
    let gives = |permutation: &Permutation| {
        wanted.is_some() && sort_order(scan, *permutation).first() == wanted.as_ref()
    };
    let mut candidates = permutations.iter().filter(fits);
    let first = candidates.clone().next();
    // (s, ?, o) has no default permutation of its own: the shorter prefix it is.
    candidates.find(gives).or(first).unwrap_or(Permutation::Spo)
}

/// Returns the variables by which a permutation sorts the rows of a scan.
fn sort_order(scan: &QuadScan, permutation: Permutation) -> Vec<Variable> {
    let places =
        [scan.subject.variable(), scan.predicate.variable(), scan.object.variable(), scan.graph.variable()];
    let mut order = Vec::new();
    // A constant after a variable does no harm: it is the same in all rows.
    for place in permutation.positions() {
        match places[place] {
            Some(variable) if !order.contains(&variable) => order.push(variable),
            _ => {}
        }
    }
    order
}

/// Looks up the quads of one pattern, some of whose variables are given.
pub struct ScanProbe {
    context: Arc<Context>,
    scan: QuadScan,
    shape: ScanShape,
    key: Vec<Variable>,
    resolved: Option<Option<(ResolvedScan, GraphScope)>>,
    /// While keys come in order.
    walk: Option<Walk>,
}

/// A walk through a scan that is sorted by one variable, from key to key.
struct Walk {
    reader: QuadReader,
    column: usize,
    batch: Batch,
    row: usize,
}

impl Walk {
    /// Appends the rows of a key, which is above those before.
    fn take(
        &mut self,
        key: TermId,
        shape: &ScanShape,
        context: &Context,
        out: &mut Batch,
    ) -> Result<(), ExecuteError> {
        loop {
            let keys = &self.batch.column(self.column)[self.row..];
            let start = first_not(keys, |id| *id < key);
            let end = start + first_not(&keys[start..], |id| *id == key);
            out.append_rows(&self.batch, self.row + start..self.row + end);
            let is_within = end < keys.len();
            self.row += end;
            if is_within {
                return Ok(());
            }
            self.reader.seek(key);
            let Some(batch) = self.reader.next_batch(shape, context)? else { return Ok(()) };
            (self.batch, self.row) = (batch, 0);
        }
    }
}

impl ScanProbe {
    /// Makes a probe whose keys bind the variables `key`, all of which the scan has. Its rows lack the variables
    /// `unread`.
    pub fn new(
        scan: &QuadScan,
        key: Vec<Variable>,
        unread: &VariableSet,
        context: Arc<Context>,
    ) -> ScanProbe {
        let shape = ScanShape::of(scan).without(unread);
        ScanProbe { context, shape, scan: scan.clone(), key, resolved: None, walk: None }
    }

    fn resolved(&mut self) -> Result<Option<&(ResolvedScan, GraphScope)>, ExecuteError> {
        if self.resolved.is_none() {
            let scope = GraphScope::resolve(&self.scan.graph, &self.context)?;
            let resolved = resolve(&self.scan, &self.context)?;
            self.resolved = Some(resolved.map(|resolved| (resolved, scope)));
        }
        Ok(self.resolved.as_ref().and_then(Option::as_ref))
    }

    /// Returns the order in which the keys, of one id each, can be walked through, if there is one.
    fn walk_order(&self) -> Option<Permutation> {
        let [variable] = self.key[..] else { return None };
        let permutation = choose_permutation(&self.scan, Some(variable), self.context.dataset.permutations());
        (sort_order(&self.scan, permutation).first() == Some(&variable)).then_some(permutation)
    }

    /// Opens a walk to ascending keys, if an order of the scan allows it.
    fn open_walk(&mut self, keys: &[TermId]) -> Result<Option<Walk>, ExecuteError> {
        let Some(order) = self.walk_order().filter(|_| !keys.is_empty()) else { return Ok(None) };
        let Some(column) = self.shape.layout.column(self.key[0]) else { return Ok(None) };
        let (context, places) = (Arc::clone(&self.context), self.shape.read());
        let Some((resolved, _)) = self.resolved()? else { return Ok(None) };
        let reader = QuadReader::of_keys(resolved, order, places, Keys::Listed(keys), &context)?;
        Ok(Some(Walk { reader, column, batch: Batch::empty(self.shape.layout.width()), row: 0 }))
    }

    /// Returns the pattern of a key, or `None` if nothing can match.
    fn pattern(&mut self, key: &[TermId]) -> Result<Option<(QuadPattern, bool)>, ExecuteError> {
        self.resolved()?;
        let Some((resolved, scope)) = self.resolved.as_ref().and_then(Option::as_ref) else {
            return Ok(None);
        };
        let mut pattern = resolved.pattern.clone();
        let mut merges = resolved.merges;
        for (variable, id) in self.key.iter().zip(key) {
            if id.is_undefined() {
                continue;
            }
            if id.as_local().is_some() {
                // A value that this query computed and no quad holds.
                return Ok(None);
            }
            for (slot, place) in [
                (&self.scan.subject, &mut pattern.subject),
                (&self.scan.predicate, &mut pattern.predicate),
                (&self.scan.object, &mut pattern.object),
            ] {
                if slot.variable() == Some(*variable) {
                    *place = Some(*id);
                }
            }
            if self.scan.graph.variable() == Some(*variable) {
                let narrowed = scope.narrow(*id);
                merges = narrowed.merges;
                match narrowed.filter {
                    Some(filter) => pattern.graph = filter,
                    None => return Ok(None),
                }
            }
        }
        Ok(Some((pattern, merges)))
    }
}

impl Probe for ScanProbe {
    fn layout(&self) -> &Layout {
        &self.shape.layout
    }

    fn key(&self) -> &[Variable] {
        &self.key
    }

    fn prefetch(&mut self, keys: &[&[TermId]]) -> Result<(), ExecuteError> {
        if self.scan.per_edge {
            // Edges are asked for ahead as they are walked.
            return Ok(());
        }
        let context = Arc::clone(&self.context);
        if let Some(order) = self.walk_order() {
            let mut ids: Vec<TermId> = keys.iter().map(|key| key[0]).collect();
            ids.sort_unstable();
            if let Some((resolved, _)) = self.resolved()? {
                context.dataset.prefetch_keys(&resolved.pattern, order, &ids);
            }
            return Ok(());
        }
        let mut patterns = Vec::with_capacity(keys.len());
        for key in keys {
            patterns.extend(self.pattern(key)?.map(|(pattern, _)| pattern));
        }
        context.dataset.prefetch(&patterns);
        Ok(())
    }

    fn expect_ascending(&mut self, keys: &[TermId]) -> Result<(), ExecuteError> {
        self.walk = self.open_walk(keys)?;
        Ok(())
    }

    fn probe(&mut self, key: &[TermId], out: &mut Batch) -> Result<(), ExecuteError> {
        if let (Some(walk), [key]) = (&mut self.walk, key)
            && !key.is_undefined()
            && key.as_local().is_none()
        {
            return walk.take(*key, &self.shape, &self.context, out);
        }
        let Some((pattern, merges)) = self.pattern(key)? else { return Ok(()) };
        let resolved = ResolvedScan { pattern, merges, per_edge: self.scan.per_edge };
        let mut reader = QuadReader::in_best_order(&resolved, self.shape.read(), &self.context)?;
        while let Some(batch) = reader.next_batch(&self.shape, &self.context)? {
            out.append(&batch);
        }
        Ok(())
    }

    fn describe(&self) -> String {
        format!("IndexLookup {}", describe_scan(&self.scan))
    }
}

fn describe_scan(scan: &QuadScan) -> String {
    let slots = [&scan.subject, &scan.predicate, &scan.object].map(describe_slot).join(" ");
    match &scan.graph {
        crate::plan::GraphSelector::Default => slots,
        other => format!("{slots} in {other:?}"),
    }
}

pub fn describe_slot(slot: &Slot) -> String {
    match slot {
        Slot::Variable(variable) => format!("{variable:?}"),
        Slot::Constant(term) => term.to_string(),
        Slot::Parameter(parameter) => format!("${}", parameter.name),
    }
}
