//! `EdgeScan`: relationships: for each asserted triple between nodes its reifiers, else itself.

use std::sync::Arc;

use super::index_scan::{ResolvedScan, ScanShape, describe_slot, resolve};
use super::{GraphScope, Operator, Probe, QuadReader, bytes_of};
use crate::batch::Batch;
use crate::dataset::{Places, Scan};
use crate::execute::{Context, ExecuteError, Layout, Local, Reservation};
use crate::model::{
    Edge, EdgeOrder, EdgePattern, Permutation, Quad, QuadPattern, Term, TermId, TermKind, rdf,
};
use crate::plan::{EdgeScan as EdgePlan, QuadScan, Slot, Variable, VariableSet};

/// Scans the relationships of one pattern.
pub struct EdgeScan {
    context: Arc<Context>,
    plan: EdgePlan,
    shape: ScanShape,
    /// The variable of reifiers, if rows come sorted by it.
    sorted_by: Option<Variable>,
    /// The reifiers of the rows that matter, if that was told.
    reifiers: Option<Vec<TermId>>,
    /// What is still to be read, one reader a predicate; `None` before the first pull.
    readers: Option<Vec<EdgeReader>>,
    /// Rows that had to be sorted, and how many of them were handed on.
    sorted: (Batch, usize),
    reservation: Reservation,
}

/// Looks up the relationships of one pattern, some of whose variables are given.
pub struct EdgeProbe {
    context: Arc<Context>,
    plan: EdgePlan,
    shape: ScanShape,
    key: Vec<Variable>,
    base: Option<Vec<ResolvedScan>>,
}

/// Reads the relationships of one resolved pattern.
pub struct EdgeReader {
    source: Source,
    wanted: Wanted,
    /// The predicate that makes labels, not relationships, where the predicate is open.
    label: Option<TermId>,
}

/// What of relationships is read, beyond their triples.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// The relationship as a value; to make it takes some time.
    pub edge: bool,
    pub reifier: bool,
    /// Of edges; all, if the relationship is wanted.
    places: Places,
}

impl Wanted {
    pub const EDGE: Wanted = Wanted { edge: true, reifier: false, places: Places::ALL };

    fn by(plan: &EdgePlan, shape: &ScanShape) -> Wanted {
        let is_read = |variable: Option<Variable>| variable.is_some_and(|v| shape.layout.contains(v));
        let edge = matches!(plan.edge, Slot::Constant(_)) || is_read(plan.edge.variable());
        let (reifier, read) = (is_read(plan.reifier), shape.read());
        let places = match edge {
            true => Places::ALL,
            false => (0..4).filter(|place| read.contains(*place)).chain(reifier.then_some(4)).collect(),
        };
        Wanted { edge, reifier, places }
    }
}

/// Where relationships are read from.
enum Source {
    /// Edges alone, where they are the relationships.
    Edges(Box<dyn Scan>),
    /// Triples, and beside them their reifiers.
    Triples { quads: QuadReader, edges: EdgePattern, reifiers: ReifierStream },
}

/// Edges in the order in which the triples come.
enum ReifierStream {
    /// Sorted as the triples are: read along with them.
    Sorted { scan: Box<dyn Scan>, batch: Batch, row: usize },
    /// Graphs that are read as one mix their order.
    Loaded(Reifiers),
}

/// The reifiers of the triples of one pattern, sorted by triple.
pub struct Reifiers {
    edges: Vec<Edge>,
    merges: bool,
    /// Where the last search ended.
    next: usize,
}

impl EdgeScan {
    /// Its rows lack the variables `unread`.
    pub fn new(plan: &EdgePlan, unread: &VariableSet, context: Arc<Context>) -> EdgeScan {
        let shape = shape_of(plan, unread);
        let (sorted, reservation) = ((Batch::empty(shape.layout.width()), 0), context.reserve());
        let plan = plan.clone();
        EdgeScan { context, plan, shape, sorted_by: None, reifiers: None, readers: None, sorted, reservation }
    }

    /// Has rows come sorted by reifier, if somebody reads it and they can.
    ///
    /// # Errors
    /// Those of the dataset.
    pub fn sort_by_reifier(&mut self) -> Result<(), ExecuteError> {
        if let [resolved] = resolve_all(&self.plan, &self.context)?.as_slice() {
            let QuadPattern { subject, object, .. } = &resolved.pattern;
            let is_sortable =
                subject.is_none() && object.is_none() && reads_edges_alone(resolved, &self.context);
            let reifier = self.plan.reifier.filter(|reifier| self.shape.layout.contains(*reifier));
            self.sorted_by = reifier.filter(|_| is_sortable);
        }
        Ok(())
    }

    fn open(&self) -> Result<Vec<EdgeReader>, ExecuteError> {
        if let Some(None) = edge_constant(&self.plan, &self.context)? {
            return Ok(Vec::new());
        }
        let wanted = Wanted::by(&self.plan, &self.shape);
        let mut readers = Vec::new();
        for resolved in resolve_all(&self.plan, &self.context)? {
            readers.push(match self.sorted_by {
                Some(_) if reads_edges_alone(&resolved, &self.context) => {
                    EdgeReader::by_reifier(&resolved, wanted, &self.context)?
                }
                _ => EdgeReader::of_reifiers(&resolved, wanted, self.reifiers.as_deref(), &self.context)?,
            });
        }
        readers.reverse();
        Ok(readers)
    }

    fn next_read(&mut self) -> Result<Option<Batch>, ExecuteError> {
        let readers = self.readers.get_or_insert_default();
        while let Some(reader) = readers.last_mut() {
            self.context.check()?;
            match reader.next_rows(&self.context)? {
                Some(rows) => {
                    let batch = self.shape.apply(select_edge(rows, &self.plan, &self.context)?);
                    if !batch.is_empty() {
                        return Ok(Some(batch));
                    }
                }
                None => drop(readers.pop()),
            }
        }
        Ok(None)
    }

    /// Sorts all rows by reifier: what was written since the plan was made may have brought relationships that edges do
    /// not tell.
    fn sort(&mut self, reifier: Variable) -> Result<(), ExecuteError> {
        let mut all = Batch::empty(self.shape.layout.width());
        while let Some(batch) = self.next_read()? {
            self.reservation.grow(bytes_of(batch.rows(), batch.width()))?;
            all.append(&batch);
        }
        if let Some(column) = self.shape.layout.column(reifier) {
            let keys = all.column(column);
            let mut order: Vec<u32> = (0..all.rows() as u32).collect();
            order.sort_by_key(|row| keys[*row as usize]);
            self.sorted = (all.gather(&order), 0);
        }
        Ok(())
    }
}

impl Operator for EdgeScan {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        if self.readers.is_none() {
            let readers = self.open()?;
            let is_sorted = readers.iter().all(|reader| matches!(reader.source, Source::Edges(_)));
            self.readers = Some(readers);
            if let Some(reifier) = self.sorted_by.filter(|_| !is_sorted) {
                self.sort(reifier)?;
            }
        }
        let (sorted, handed_on) = &mut self.sorted;
        match sorted.next_part(handed_on) {
            Some(batch) => Ok(Some(batch)),
            None => self.next_read(),
        }
    }

    fn layout(&self) -> &Layout {
        &self.shape.layout
    }

    fn sorted_by(&self) -> &[Variable] {
        self.sorted_by.as_slice()
    }

    fn keyed_by(&self) -> Option<Variable> {
        // Those of some reifiers come in any order.
        let is_free = self.sorted_by.is_none();
        self.plan.reifier.filter(|reifier| is_free && self.shape.layout.contains(*reifier))
    }

    fn expect_keys(&mut self, keys: Vec<TermId>) {
        self.reifiers = Some(keys);
    }

    fn describe(&self) -> String {
        format!("EdgeScan {}", describe_edge(&self.plan))
    }
}

impl EdgeReader {
    /// Opens the relationships of a pattern.
    pub fn open(
        pattern: &QuadPattern,
        merges: bool,
        wanted: Wanted,
        context: &Context,
    ) -> Result<EdgeReader, ExecuteError> {
        let resolved = ResolvedScan { pattern: pattern.clone(), merges, per_edge: false };
        EdgeReader::of_reifiers(&resolved, wanted, None, context)
    }

    /// As [`EdgeReader::open`]. If `reifiers`, sorted, are told, only the relationships that they are of matter, and come
    /// in any order; others may still come.
    fn of_reifiers(
        resolved: &ResolvedScan,
        wanted: Wanted,
        reifiers: Option<&[TermId]>,
        context: &Context,
    ) -> Result<EdgeReader, ExecuteError> {
        let ResolvedScan { pattern, merges, .. } = resolved;
        if reads_edges_alone(resolved, context) {
            let edges = EdgePattern::from(pattern);
            let source = Source::Edges(match reifiers {
                Some(names) => context.dataset.scan_edges_of(&edges, wanted.places, names)?,
                None => context.dataset.scan_edge_places(&edges, wanted.places)?,
            });
            return Ok(EdgeReader { source, wanted, label: None });
        }
        let merges = *merges;
        let reifiers = ReifierStream::open(pattern, merges, context)?;
        let quads = match pattern {
            // Edges are sorted by predicate first; where a place is bound, the best order agrees with theirs.
            QuadPattern { subject: None, predicate: None, object: None, .. } => {
                QuadReader::in_order(resolved, Permutation::Pso, Places::ALL, context)?
            }
            _ => QuadReader::of_pattern(pattern, merges, context)?,
        };
        let label = match pattern.predicate {
            Some(_) => None,
            None => context.dataset.term_id(&Term::NamedNode(rdf::TYPE.into_owned()))?,
        };
        let source = Source::Triples { quads, edges: EdgePattern::from(pattern), reifiers };
        Ok(EdgeReader { source, wanted, label })
    }

    /// Opens relationships that are read from edges alone, sorted by their reifiers.
    fn by_reifier(
        resolved: &ResolvedScan,
        wanted: Wanted,
        context: &Context,
    ) -> Result<EdgeReader, ExecuteError> {
        let edges = EdgePattern { order: EdgeOrder::Edge, ..EdgePattern::from(&resolved.pattern) };
        let source = Source::Edges(context.dataset.scan_edge_places(&edges, wanted.places)?);
        Ok(EdgeReader { source, wanted, label: None })
    }

    /// Returns rows of (s, p, o, g, relationship, reifier), the last two undefined where they are not wanted;
    /// perhaps none, which is not yet the end.
    pub fn next_rows(&mut self, context: &Context) -> Result<Option<Batch>, ExecuteError> {
        let Some((mut batch, mut found)) = self.source.next(self.label, context)? else { return Ok(None) };
        let relationship = |(row, reifier): (usize, &TermId)| {
            (quad_of(&batch, row), (!reifier.is_undefined()).then_some(*reifier))
        };
        let values = &context.values;
        let relationships = match self.wanted.edge {
            true => values.intern_relationships(found.iter().enumerate().map(relationship)),
            false => vec![TermId::UNDEFINED; found.len()],
        };
        if self.wanted.reifier {
            for (row, reifier) in found.iter_mut().enumerate().filter(|(_, reifier)| reifier.is_undefined()) {
                *reifier = values.intern(Local::Relationship { quad: quad_of(&batch, row), edge: None });
            }
        }
        batch.push_column(relationships);
        batch.push_column(found);
        Ok(Some(batch))
    }
}

/// Returns whether the edges of a pattern are its relationships.
fn reads_edges_alone(resolved: &ResolvedScan, context: &Context) -> bool {
    let ResolvedScan { pattern, merges, .. } = resolved;
    !merges && pattern.predicate.is_some_and(|predicate| context.dataset.is_reified(predicate))
}

impl Source {
    /// Returns rows of (s, p, o, g), one for each relationship, and the reifiers of them, undefined for a triple
    /// without one. `label` as in [`EdgeReader`].
    fn next(
        &mut self,
        label: Option<TermId>,
        context: &Context,
    ) -> Result<Option<(Batch, Vec<TermId>)>, ExecuteError> {
        let (triples, edges, reifiers) = match self {
            Source::Edges(scan) => {
                let Some(batch) = scan.next_batch()? else { return Ok(None) };
                let rows = batch.rows();
                let mut columns = batch.into_columns();
                let found = columns.pop().unwrap_or_default();
                return Ok(Some((Batch::new(columns, rows), found)));
            }
            Source::Triples { quads, edges, reifiers } => (quads, edges, reifiers),
        };
        let Some(quads) = triples.next_quads()? else { return Ok(None) };
        let (mut source, mut found) = (Vec::with_capacity(quads.rows()), Vec::with_capacity(quads.rows()));
        let mut row = 0;
        while row < quads.rows() {
            for reifier in reifiers.take_aligned(&quads, row) {
                if is_relationship(&quads, row, label, context)? {
                    source.push(row as u32);
                    found.push(*reifier);
                }
                row += 1;
            }
            if is_relationship(&quads, row, label, context)? {
                reifiers.take(&quad_of(&quads, row), edges, &mut found)?;
                if found.len() == source.len() {
                    found.push(TermId::UNDEFINED);
                }
                source.resize(found.len(), row as u32);
            }
            row += 1;
        }
        // Where each triple is one relationship, its row stays as it is.
        let is_each = source.len() == quads.rows() && source.iter().zip(0..).all(|(row, own)| *row == own);
        Ok(Some((if is_each { quads } else { quads.gather(&source) }, found)))
    }
}

impl ReifierStream {
    fn open(pattern: &QuadPattern, merges: bool, context: &Context) -> Result<ReifierStream, ExecuteError> {
        if merges {
            return Ok(ReifierStream::Loaded(Reifiers::load(pattern, merges, context)?));
        }
        let scan = context.dataset.scan_edges(&EdgePattern::from(pattern))?;
        Ok(ReifierStream::Sorted { scan, batch: Batch::empty(5), row: 0 })
    }

    /// Returns the reifiers of as many triples from `row` on as go side by side with the edges at hand, one each.
    /// The triple after them is still to be asked for: it may have more.
    fn take_aligned(&mut self, triples: &Batch, row: usize) -> &[TermId] {
        let ReifierStream::Sorted { batch, row: own, .. } = self else { return &[] };
        let equal = |column: usize| {
            let pairs = triples.column(column)[row..].iter().zip(&batch.column(column)[*own..]);
            pairs.take_while(|(a, b)| a == b).count()
        };
        let aligned = (0..4).map(equal).min().unwrap_or_default().saturating_sub(1);
        let from = *own;
        *own += aligned;
        &batch.column(4)[from..*own]
    }

    /// Appends the reifiers of a triple, which is not before the last one asked for.
    fn take(
        &mut self,
        quad: &Quad,
        pattern: &EdgePattern,
        out: &mut Vec<TermId>,
    ) -> Result<(), ExecuteError> {
        let (scan, batch, row) = match self {
            ReifierStream::Loaded(reifiers) => {
                out.extend(reifiers.of(quad));
                return Ok(());
            }
            ReifierStream::Sorted { scan, batch, row } => (scan, batch, row),
        };
        // Of the triple alone, which is before all of its edges.
        let key = |quad: &Quad| {
            let Quad { subject, predicate, object, graph } = *quad;
            pattern.sort_key(&Edge { subject, predicate, object, graph, edge: TermId::UNDEFINED })
        };
        let before = out.len();
        loop {
            if *row == batch.rows() {
                let Some(next) = scan.next_batch()? else { return Ok(()) };
                (*batch, *row) = (next, 0);
            }
            let own = quad_of(batch, *row);
            if own == *quad {
                out.push(batch.column(4)[*row]);
            } else if out.len() > before || key(&own) > key(quad) {
                return Ok(());
            }
            *row += 1;
        }
    }
}

impl Reifiers {
    pub fn load(pattern: &QuadPattern, merges: bool, context: &Context) -> Result<Reifiers, ExecuteError> {
        let mut scan = context.dataset.scan_edges(&EdgePattern::from(pattern))?;
        let mut edges = Vec::new();
        while let Some(batch) = scan.next_batch()? {
            context.check()?;
            edges.extend((0..batch.rows()).map(|row| {
                let quad = quad_of(&batch, row);
                Edge {
                    subject: quad.subject,
                    predicate: quad.predicate,
                    object: quad.object,
                    graph: if merges { TermId::UNDEFINED } else { quad.graph },
                    edge: batch.column(4)[row],
                }
            }));
        }
        if !edges.is_sorted() {
            edges.sort_unstable();
        }
        edges.dedup();
        Ok(Reifiers { edges, merges, next: 0 })
    }

    /// Returns the reifiers of a triple. Triples mostly come in order: the search begins where the last one ended.
    pub fn of(&mut self, quad: &Quad) -> impl Iterator<Item = TermId> + '_ {
        let graph = if self.merges { TermId::UNDEFINED } else { quad.graph };
        let key = (quad.subject, quad.predicate, quad.object, graph);
        let of = |edge: &Edge| (edge.subject, edge.predicate, edge.object, edge.graph);
        let is_past = self.next > 0 && of(&self.edges[self.next - 1]) >= key;
        let from = if is_past { 0 } else { self.next };
        let rest = &self.edges[from..];
        let mut step = 1;
        while step < rest.len() && of(&rest[step - 1]) < key {
            step *= 2;
        }
        let (low, high) = (step / 2, step.min(rest.len()));
        let start = from + low + rest[low..high].partition_point(|edge| of(edge) < key);
        self.next = start;
        self.edges[start..].iter().take_while(move |edge| of(edge) == key).map(|edge| edge.edge)
    }
}

impl EdgeProbe {
    /// Makes a probe whose keys bind the variables `key`, all of which the scan has.
    /// Its rows lack the variables `unread`.
    pub fn new(
        plan: &EdgePlan,
        key: Vec<Variable>,
        unread: &VariableSet,
        context: Arc<Context>,
    ) -> EdgeProbe {
        EdgeProbe { context, shape: shape_of(plan, unread), plan: plan.clone(), key, base: None }
    }

    /// Returns the patterns of a key.
    fn patterns(&mut self, key: &[TermId]) -> Result<Vec<ResolvedScan>, ExecuteError> {
        let base = match &self.base {
            Some(base) => base,
            None => {
                let base = match edge_constant(&self.plan, &self.context)? {
                    Some(None) => Vec::new(),
                    _ => resolve_all(&self.plan, &self.context)?,
                };
                self.base.insert(base)
            }
        };
        let scope = GraphScope::resolve(&self.plan.graph, &self.context)?;
        let is_reifier = |(variable, id): &(&Variable, &TermId)| {
            self.plan.reifier == Some(**variable) && !id.is_undefined() && id.as_local().is_none()
        };
        let reifier = self.key.iter().zip(key).find(is_reifier).map(|(_, id)| *id);
        let mut found = Vec::new();
        for resolved in base {
            let narrowed = narrow(resolved, &self.plan, &scope, &self.key, key, &self.context);
            match (narrowed, reifier) {
                (Some(narrowed), Some(id)) => found.extend(reified_by(id, &narrowed, &self.context)?),
                (narrowed, _) => found.extend(narrowed),
            }
        }
        Ok(found)
    }
}

/// Returns a pattern for each triple that a node reifies and that matches.
fn reified_by(
    reifier: TermId,
    resolved: &ResolvedScan,
    context: &Context,
) -> Result<Vec<ResolvedScan>, ExecuteError> {
    let pattern = EdgePattern { edge: Some(reifier), ..EdgePattern::from(&resolved.pattern) };
    let mut scan = context.dataset.scan_edges(&pattern)?;
    let mut found: Vec<ResolvedScan> = Vec::new();
    while let Some(batch) = scan.next_batch()? {
        for row in 0..batch.rows() {
            let Quad { subject, predicate, object, .. } = quad_of(&batch, row);
            let [subject, predicate, object] = [subject, predicate, object].map(Some);
            let graph = resolved.pattern.graph.clone();
            let pattern = QuadPattern { subject, predicate, object, graph };
            if found.iter().all(|known| known.pattern != pattern) {
                found.push(ResolvedScan { pattern, ..resolved.clone() });
            }
        }
    }
    Ok(found)
}

/// Puts a key's ids into a pattern; `None` if nothing can match.
fn narrow(
    resolved: &ResolvedScan,
    plan: &EdgePlan,
    scope: &GraphScope,
    variables: &[Variable],
    key: &[TermId],
    context: &Context,
) -> Option<ResolvedScan> {
    let mut narrowed = resolved.clone();
    let ResolvedScan { pattern, merges, .. } = &mut narrowed;
    fn bind(place: &mut Option<TermId>, id: TermId) -> bool {
        place.replace(id).is_none_or(|other| other == id)
    }
    for (variable, id) in variables.iter().zip(key).filter(|(_, id)| !id.is_undefined()) {
        let is_reifier = plan.reifier == Some(*variable);
        if is_reifier && id.as_local().is_none() {
            continue;
        }
        if is_reifier || plan.edge.variable() == Some(*variable) {
            // The relationship tells its triple.
            let local = context.values.get(*id)?;
            let Local::Relationship { quad, .. } = &*local else { return None };
            let places = [
                (&mut pattern.subject, quad.subject),
                (&mut pattern.predicate, quad.predicate),
                (&mut pattern.object, quad.object),
            ];
            for (place, id) in places {
                if !bind(place, id) {
                    return None;
                }
            }
            continue;
        }
        if id.as_local().is_some() {
            return None;
        }
        let places = [
            (&plan.subject, &mut pattern.subject),
            (&plan.predicate, &mut pattern.predicate),
            (&plan.object, &mut pattern.object),
        ];
        for (slot, place) in places {
            if slot.variable() == Some(*variable) && !bind(place, *id) {
                return None;
            }
        }
        if plan.graph.variable() == Some(*variable) {
            pattern.graph = scope.narrow(*id).filter?;
            *merges = false;
        }
    }
    Some(narrowed)
}

impl Probe for EdgeProbe {
    fn layout(&self) -> &Layout {
        &self.shape.layout
    }

    fn key(&self) -> &[Variable] {
        &self.key
    }

    fn prefetch(&mut self, keys: &[&[TermId]]) -> Result<(), ExecuteError> {
        let mut patterns = Vec::new();
        for key in keys {
            patterns.extend(self.patterns(key)?.into_iter().map(|resolved| resolved.pattern));
        }
        self.context.dataset.prefetch(&patterns);
        Ok(())
    }

    fn probe(&mut self, key: &[TermId], out: &mut Batch) -> Result<(), ExecuteError> {
        let wanted = Wanted::by(&self.plan, &self.shape);
        for resolved in self.patterns(key)? {
            let mut reader = EdgeReader::open(&resolved.pattern, resolved.merges, wanted, &self.context)?;
            while let Some(rows) = reader.next_rows(&self.context)? {
                let mut batch = self.shape.apply(select_edge(rows, &self.plan, &self.context)?);
                for (variable, id) in self.key.iter().zip(key).filter(|(_, id)| !id.is_undefined()) {
                    if (self.plan.edge.variable() == Some(*variable) || self.plan.reifier == Some(*variable))
                        && let Some(column) = self.shape.layout.column(*variable)
                    {
                        let keep: Vec<bool> = batch.column(column).iter().map(|own| own == id).collect();
                        batch.filter(&keep);
                    }
                }
                out.append(&batch);
            }
        }
        Ok(())
    }

    fn describe(&self) -> String {
        format!("EdgeLookup {}", describe_edge(&self.plan))
    }
}

/// Keeps the rows whose reifier is the one that the plan names.
fn select_edge(mut rows: Batch, plan: &EdgePlan, context: &Context) -> Result<Batch, ExecuteError> {
    if let Slot::Constant(_) = &plan.edge {
        let wanted = edge_constant(plan, context)?.flatten();
        let is_wanted = |id: &TermId| matches!(context.values.get(*id).as_deref(), Some(Local::Relationship { edge, .. }) if *edge == wanted);
        let keep: Vec<bool> = rows.column(4).iter().map(is_wanted).collect();
        rows.filter(&keep);
    }
    Ok(rows)
}

/// Returns the id of a constant edge: `Some(None)` if no quad has it.
#[expect(clippy::option_option, reason = "no constant, and a constant that is nowhere, differ")]
fn edge_constant(plan: &EdgePlan, context: &Context) -> Result<Option<Option<TermId>>, ExecuteError> {
    match &plan.edge {
        Slot::Constant(term) => Ok(Some(context.dataset.term_id(term)?)),
        Slot::Variable(_) => Ok(None),
        Slot::Parameter(parameter) => Err(ExecuteError::unbound(parameter)),
    }
}

/// Returns the patterns to read: one, or one for each predicate of the list.
fn resolve_all(plan: &EdgePlan, context: &Context) -> Result<Vec<ResolvedScan>, ExecuteError> {
    let scan = as_quad_scan(plan);
    if plan.predicates.is_empty() {
        return Ok(resolve(&scan, context)?.into_iter().collect());
    }
    let mut found: Vec<ResolvedScan> = Vec::new();
    for predicate in &plan.predicates {
        let slot = Slot::Constant(predicate.clone().into());
        let resolved = resolve(&QuadScan { predicate: slot, ..scan.clone() }, context)?;
        let is_new = |new: &ResolvedScan| found.iter().all(|old| old.pattern != new.pattern);
        found.extend(resolved.filter(is_new));
    }
    Ok(found)
}

/// Returns the scan of the triples that are relationships.
pub fn as_quad_scan(plan: &EdgePlan) -> QuadScan {
    QuadScan {
        subject: plan.subject.clone(),
        predicate: plan.predicate.clone(),
        object: plan.object.clone(),
        graph: plan.graph.clone(),
        per_edge: false,
    }
}

fn shape_of(plan: &EdgePlan, unread: &VariableSet) -> ScanShape {
    let shape = ScanShape::of_places(&[
        plan.subject.variable(),
        plan.predicate.variable(),
        plan.object.variable(),
        plan.graph.variable(),
        plan.edge.variable(),
        plan.reifier,
    ]);
    shape.without(unread)
}

fn describe_edge(plan: &EdgePlan) -> String {
    let [subject, predicate, object, edge] =
        [&plan.subject, &plan.predicate, &plan.object, &plan.edge].map(describe_slot);
    let list: Vec<String> = plan.predicates.iter().map(ToString::to_string).collect();
    format!("{subject} {predicate} {object} as {edge} {}", list.join("|")).trim_end().to_owned()
}

/// Returns whether the triple of a row is a relationship, and not a property or a label.
fn is_relationship(
    quads: &Batch,
    row: usize,
    label: Option<TermId>,
    context: &Context,
) -> Result<bool, ExecuteError> {
    Ok(is_node(quads.column(2)[row], context)? && label != Some(quads.column(1)[row]))
}

pub fn quad_of(batch: &Batch, row: usize) -> Quad {
    Quad {
        subject: batch.column(0)[row],
        predicate: batch.column(1)[row],
        object: batch.column(2)[row],
        graph: batch.column(3)[row],
    }
}

/// Returns whether an id is of an IRI or a blank node.
pub fn is_node(id: TermId, context: &Context) -> Result<bool, ExecuteError> {
    Ok(match id.kind() {
        TermKind::NamedNode | TermKind::BlankNode => true,
        TermKind::Local => matches!(
            context.values.get(id).as_deref(),
            Some(Local::Term(Term::NamedNode(_) | Term::BlankNode(_)))
        ),
        _ => false,
    })
}
