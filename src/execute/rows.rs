//! `Rows`: the result of a query, pulled a batch at a time; terms and values are made here, late.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::changes::fill;
use super::expression;
use super::operator::{BoxOperator, GraphScope, QuadReader, RowsAtHand, drain};
use super::writer::triple_of;
use super::{Context, ExecuteError, Layout, Reservation};
use crate::batch::Batch;
use crate::model::{QuadPattern, Term, TermId, TermKind, Triple, Value};
use crate::plan::{GraphSelector, QuadTemplate, Query};

/// What a triple that was already handed out costs, about.
const TRIPLE_BYTES: usize = 256;

/// A running query.
pub struct Rows {
    context: Arc<Context>,
    operator: BoxOperator,
    columns: Vec<String>,
    /// For each result column: its column in the operator's batches.
    places: Vec<Option<usize>>,
    /// What the scans will read: asked for in one go when the first row is pulled.
    ahead: Vec<QuadPattern>,
    emitted: u64,
    is_cut_off: bool,
    /// What buffered rows hold of the budget.
    buffer: Option<Reservation>,
    /// The first batch, if it was pulled before somebody asked for it.
    first: Option<Batch>,
}

impl Rows {
    pub(super) fn new(
        query: &Query,
        operator: BoxOperator,
        ahead: Vec<QuadPattern>,
        context: Arc<Context>,
    ) -> Rows {
        let columns = query.columns.iter().map(|column| column.name.clone()).collect();
        let places = query.columns.iter().map(|column| operator.layout().column(column.variable)).collect();
        Rows {
            context,
            operator,
            columns,
            places,
            ahead,
            emitted: 0,
            is_cut_off: false,
            buffer: None,
            first: None,
        }
    }

    /// The names of the columns, in order.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Returns whether rows were left out since the result reached its limit.
    pub fn is_cut_off(&self) -> bool {
        self.is_cut_off
    }

    /// Returns the next rows as ids.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        let Some(batch) = self.next_rows()? else { return Ok(None) };
        let rows = batch.rows();
        let columns = self.places.iter().map(|place| match place {
            Some(place) => batch.column(*place).to_vec(),
            None => vec![TermId::UNDEFINED; rows],
        });
        Ok(Some(Batch::new(columns.collect(), rows)))
    }

    /// Returns the next rows as terms; what is undefined, or no term, is `None`.
    pub fn next_terms(&mut self) -> Result<Option<Vec<Vec<Option<Term>>>>, ExecuteError> {
        let Some(batch) = self.next_batch()? else { return Ok(None) };
        let mut rows = vec![Vec::with_capacity(batch.width()); batch.rows()];
        for column in batch.columns() {
            let terms = self.context.values.terms(column, self.context.dataset.as_ref())?;
            for (row, term) in rows.iter_mut().zip(terms) {
                row.push(term);
            }
        }
        Ok(Some(rows))
    }

    /// Returns the next rows as values; nodes and relationships with their labels and properties.
    pub fn next_values(&mut self) -> Result<Option<Vec<Vec<Value>>>, ExecuteError> {
        let Some(batch) = self.next_batch()? else { return Ok(None) };
        let mut rows = vec![Vec::with_capacity(batch.width()); batch.rows()];
        for column in batch.columns() {
            for (row, value) in rows.iter_mut().zip(expression::values_of_ids(column, &self.context)?) {
                row.push(value);
            }
        }
        Ok(Some(rows))
    }

    /// Pulls the first rows ahead, so that most failures show now.
    pub fn prepare(&mut self) -> Result<(), ExecuteError> {
        if self.first.is_none() {
            self.first = self.pull()?;
        }
        Ok(())
    }

    /// Runs the query to its end and keeps its rows, accounted for in its budget.
    pub fn buffered(mut self) -> Result<Rows, ExecuteError> {
        let mut reservation = self.context.reserve();
        let rows = Arc::new(drain(self.operator.as_mut(), &self.context, &mut reservation)?);
        let layout = self.operator.layout().clone();
        self.operator = Box::new(RowsAtHand::with_layout("Buffered", layout, rows));
        self.buffer = Some(reservation);
        Ok(self)
    }

    /// The context that the query runs in.
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    fn next_rows(&mut self) -> Result<Option<Batch>, ExecuteError> {
        let next = match self.first.take() {
            Some(batch) => Some(batch),
            None => self.pull()?,
        };
        let Some(batch) = next else { return Ok(None) };
        let Some(max) = self.context.limits.rows_max else { return Ok(Some(batch)) };
        let room = max - self.emitted;
        let rows = room.min(batch.rows() as u64);
        self.is_cut_off |= rows < batch.rows() as u64;
        self.emitted += rows;
        Ok((rows > 0).then(|| batch.slice(0, rows as usize)))
    }

    fn pull(&mut self) -> Result<Option<Batch>, ExecuteError> {
        self.context.check()?;
        if !self.ahead.is_empty() {
            self.context.dataset.prefetch(&std::mem::take(&mut self.ahead));
        }
        self.operator.next_batch()
    }

    fn layout(&self) -> &Layout {
        self.operator.layout()
    }
}

/// The triples of a CONSTRUCT or DESCRIBE, each once.
pub struct Triples {
    rows: Rows,
    source: Source,
    seen: HashSet<Triple>,
    reservation: Reservation,
}

enum Source {
    Templates(Vec<QuadTemplate>),
    Descriptions { graph: GraphSelector, described: BTreeSet<TermId> },
}

impl Triples {
    pub(super) fn construct(rows: Rows, templates: &[QuadTemplate]) -> Triples {
        Triples::new(rows, Source::Templates(templates.to_vec()))
    }

    pub(super) fn describe(rows: Rows, graph: &GraphSelector) -> Triples {
        Triples::new(rows, Source::Descriptions { graph: graph.clone(), described: BTreeSet::new() })
    }

    fn new(rows: Rows, source: Source) -> Triples {
        let reservation = rows.context.reserve();
        Triples { rows, source, seen: HashSet::new(), reservation }
    }

    /// Pulls the first rows ahead, so that most failures show now.
    pub fn prepare(&mut self) -> Result<(), ExecuteError> {
        self.rows.prepare()
    }

    /// Returns whether there are no triples; known once they are prepared.
    pub fn is_empty(&self) -> bool {
        self.rows.first.is_none()
    }

    /// Returns more triples, never none.
    pub fn next_triples(&mut self) -> Result<Option<Vec<Triple>>, ExecuteError> {
        while let Some(found) = self.next_found()? {
            let mut new = Vec::new();
            for triple in found {
                if !self.seen.contains(&triple) {
                    self.reservation.grow(TRIPLE_BYTES)?;
                    self.seen.insert(triple.clone());
                    new.push(triple);
                }
            }
            if !new.is_empty() {
                return Ok(Some(new));
            }
        }
        Ok(None)
    }

    pub fn is_cut_off(&self) -> bool {
        self.rows.is_cut_off
    }

    /// The context that the query runs in.
    pub fn context(&self) -> &Arc<Context> {
        &self.rows.context
    }

    fn next_found(&mut self) -> Result<Option<Vec<Triple>>, ExecuteError> {
        match &mut self.source {
            Source::Templates(templates) => {
                let Some(batch) = self.rows.next_rows()? else { return Ok(None) };
                fill_templates(templates, &batch, &self.rows).map(Some)
            }
            Source::Descriptions { graph, described } => {
                let Some(batch) = self.rows.next_batch()? else { return Ok(None) };
                describe_all(&batch, graph, described, &self.rows.context).map(Some)
            }
        }
    }
}

fn fill_templates(
    templates: &[QuadTemplate],
    batch: &Batch,
    rows: &Rows,
) -> Result<Vec<Triple>, ExecuteError> {
    let (context, layout) = (&rows.context, rows.layout());
    let mut found = Vec::new();
    let mut row = Vec::new();
    for index in 0..batch.rows() {
        batch.read_row(index, &mut row);
        let mut blanks = BTreeMap::new();
        for template in templates {
            let subject = fill(&template.subject, layout, &row, &mut blanks, context)?;
            let predicate = fill(&template.predicate, layout, &row, &mut blanks, context)?;
            let object = fill(&template.object, layout, &row, &mut blanks, context)?;
            if let (Some(subject), Some(Term::NamedNode(predicate)), Some(object)) =
                (subject, predicate, object)
            {
                found.extend(triple_of(subject, predicate, object));
            }
        }
    }
    Ok(found)
}

/// Returns the concise bounded descriptions of the terms of a batch that were not described yet.
fn describe_all(
    batch: &Batch,
    graph: &GraphSelector,
    described: &mut BTreeSet<TermId>,
    context: &Context,
) -> Result<Vec<Triple>, ExecuteError> {
    let is_resource = |id: TermId| matches!(id.kind(), TermKind::NamedNode | TermKind::BlankNode);
    let mut open: Vec<TermId> =
        batch.columns().iter().flatten().copied().filter(|id| is_resource(*id)).collect();
    let Some(filter) = GraphScope::resolve(graph, context)?.filter else { return Ok(Vec::new()) };
    let mut ids = Vec::new();
    while let Some(subject) = open.pop() {
        if !described.insert(subject) {
            continue;
        }
        context.check()?;
        let pattern = QuadPattern { subject: Some(subject), graph: filter.clone(), ..QuadPattern::default() };
        let mut reader = QuadReader::of_pattern(&pattern, true, context)?;
        while let Some(quads) = reader.next_quads()? {
            for row in 0..quads.rows() {
                let object = quads.column(2)[row];
                ids.extend([subject, quads.column(1)[row], object]);
                if object.kind() == TermKind::BlankNode {
                    open.push(object);
                }
            }
        }
    }
    let terms = context.values.terms(&ids, context.dataset.as_ref())?;
    let triples = terms.chunks_exact(3).filter_map(|parts| match parts {
        [Some(subject), Some(Term::NamedNode(predicate)), Some(object)] => {
            triple_of(subject.clone(), predicate.clone(), object.clone())
        }
        _ => None,
    });
    Ok(triples.collect())
}
