//! What a schema promises of relationships: whether edges have twins, and whether a predicate's edges are its quads.

use std::collections::{BTreeMap, BTreeSet};

use super::{Adjuster, LOOKUPS_MAX, is_node, unused};
use crate::batch::Batch;
use crate::dataset::{DatasetError, Places, Scan};
use crate::model::{
    Edge, EdgePattern, GraphFilter, NamedNode, Permutation, Quad, QuadPattern, Term, TermId, TermKind,
    Triple, pg,
};

impl Adjuster<'_> {
    /// Notes predicates that have edges now, and whether some have twins.
    pub(super) fn edges(&mut self, added: &[Quad]) -> Result<(), DatasetError> {
        let reifies = self.after.term_id(&pg::REIFIES.into_owned().into())?;
        for quad in added.iter().filter(|quad| Some(quad.predicate) == reifies) {
            if quad.object.kind() != TermKind::Triple {
                continue;
            }
            let Some(Term::Triple(triple)) = self.after.terms(&[quad.object])?.pop() else { continue };
            if self.schema.is_complete || self.schema.predicates.contains_key(&triple.predicate) {
                let info = self.schema.predicates.entry(triple.predicate.clone());
                let info = info.or_insert_with(unused);
                info.has_edges = true;
                if !info.has_parallel_edges {
                    let has_twin = self.has_twin(&triple, quad.graph);
                    let has_twin = self.within_reach(has_twin)?.unwrap_or(true);
                    if let Some(info) = self.schema.predicates.get_mut(&triple.predicate) {
                        info.has_parallel_edges = has_twin;
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes "reified" from the predicates whose edges no longer are their relationships.
    pub(super) fn reified(&mut self, added: &[Quad], removed: &[Quad]) -> Result<(), DatasetError> {
        let reifies = self.after.term_id(&pg::REIFIES.into_owned().into())?;
        let mut concerned: BTreeMap<NamedNode, BTreeSet<Quad>> = BTreeMap::new();
        let is_promised =
            |name: &NamedNode| self.schema.predicates.get(name).is_some_and(|info| info.is_reified);
        for quad in added.iter().chain(removed) {
            if let Some(name) = self.names.get(&quad.predicate).filter(|name| is_promised(name)) {
                concerned.entry(name.clone()).or_default().insert(*quad);
            }
            if Some(quad.predicate) == reifies
                && let Some(edge) = self.after.edge_of(quad)?
                && let Some(Term::NamedNode(name)) = self.after.terms(&[edge.predicate])?.pop()
                && is_promised(&name)
            {
                let Edge { subject, predicate, object, graph, .. } = edge;
                concerned.entry(name).or_default().insert(Quad { subject, predicate, object, graph });
            }
        }
        for (name, quads) in concerned {
            let proven = match quads.iter().all(|quad| is_node(&quad.object)) {
                true => self.within_reach(self.are_relationships(&quads))?.unwrap_or(false),
                false => false,
            };
            if let Some(info) = self.schema.predicates.get_mut(&name) {
                info.is_reified = proven;
            }
        }
        Ok(())
    }

    /// Returns whether each of these, of one predicate, that is a quad has an edge, and none else.
    fn are_relationships(&self, quads: &BTreeSet<Quad>) -> Result<bool, DatasetError> {
        if let Some(first) = quads.first().filter(|_| quads.len() > LOOKUPS_MAX) {
            return self.all_are_relationships(first.predicate);
        }
        for quad in quads {
            let pattern = EdgePattern {
                subject: Some(quad.subject),
                predicate: Some(quad.predicate),
                object: Some(quad.object),
                graph: GraphFilter::One(quad.graph),
                ..EdgePattern::default()
            };
            let has_edge = self.after.scan_edge_places(&pattern, Places::ALL)?.next_batch()?.is_some();
            if has_edge != self.after.contains(quad)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns whether each quad of a predicate leads to a node and has an edge, and each edge is of such a quad.
    fn all_are_relationships(&self, predicate: TermId) -> Result<bool, DatasetError> {
        let of_quads = QuadPattern { predicate: Some(predicate), ..QuadPattern::default() };
        let of_edges = EdgePattern { predicate: Some(predicate), ..EdgePattern::default() };
        let mut quads = QuadRows::of(self.after.scan(&of_quads, Permutation::Pso)?);
        let mut edges =
            QuadRows::of(self.after.scan_edge_places(&of_edges, Places::from_iter([0, 1, 2, 3]))?);
        loop {
            match (quads.next_distinct()?, edges.next_distinct()?) {
                (None, None) => return Ok(true),
                (Some(quad), Some(edge)) if quad == edge && is_node(&quad.object) => {}
                _ => return Ok(false),
            }
        }
    }

    /// Returns whether a triple has two reifiers in a graph.
    fn has_twin(&self, triple: &Triple, graph: TermId) -> Result<bool, DatasetError> {
        let Triple { subject, predicate, object } = triple.clone();
        let id = |term: Term| self.after.term_id(&term);
        let pattern = EdgePattern {
            subject: id(subject.into())?,
            predicate: id(predicate.into())?,
            object: id(object)?,
            graph: GraphFilter::One(graph),
            ..EdgePattern::default()
        };
        let mut scan = self.after.scan_edge_places(&pattern, Places::ALL)?;
        let mut count = 0;
        while let Some(batch) = scan.next_batch()? {
            count += batch.rows();
            if count > 1 {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The quads of a sorted scan, each once.
struct QuadRows {
    scan: Box<dyn Scan>,
    batch: Batch,
    row: usize,
    last: Option<Quad>,
}

impl QuadRows {
    fn of(scan: Box<dyn Scan>) -> QuadRows {
        QuadRows { scan, batch: Batch::empty(4), row: 0, last: None }
    }

    fn next_distinct(&mut self) -> Result<Option<Quad>, DatasetError> {
        loop {
            if self.row == self.batch.rows() {
                let Some(batch) = self.scan.next_batch()? else { return Ok(None) };
                (self.batch, self.row) = (batch, 0);
            }
            let [subject, predicate, object, graph] =
                [0, 1, 2, 3].map(|place| self.batch.column(place)[self.row]);
            let quad = Quad { subject, predicate, object, graph };
            self.row += 1;
            if self.last.replace(quad) != Some(quad) {
                return Ok(Some(quad));
            }
        }
    }
}
