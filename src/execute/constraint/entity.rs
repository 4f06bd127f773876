//! `Entities`: the nodes of a label or the relationships of a type, as a constraint looks for them.

use std::collections::BTreeSet;

use crate::dataset::{Dataset, DatasetError};
use crate::execute::schema_rule::EntityKind;
use crate::model::{
    EdgeOrder, EdgePattern, GraphFilter, NamedNode, Quad, QuadPattern, Term, TermId, TermKind, pg, rdf,
};

/// What a constraint holds for. Relationships are told apart by their ends and their reifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entity {
    Node(TermId),
    Relationship { start: TermId, end: TermId, reifier: Option<TermId> },
}

impl Entity {
    /// Returns the subject of the entity's properties; a relationship without reifier has none.
    pub fn holder(self) -> Option<TermId> {
        match self {
            Entity::Node(node) => Some(node),
            Entity::Relationship { reifier, .. } => reifier,
        }
    }
}

/// The nodes of one label, or the relationships of one type.
pub struct Entities<'a> {
    dataset: &'a dyn Dataset,
    graph: &'a GraphFilter,
    kind: EntityKind,
    /// The label or the type.
    name: TermId,
    /// `None` if no quad has it.
    rdf_type: Option<TermId>,
    reifies: Option<TermId>,
}

impl<'a> Entities<'a> {
    pub fn new(
        kind: EntityKind,
        name: TermId,
        dataset: &'a dyn Dataset,
        graph: &'a GraphFilter,
    ) -> Result<Entities<'a>, DatasetError> {
        let id = |name: NamedNode| dataset.term_id(&name.into());
        let (rdf_type, reifies) = (id(rdf::TYPE.into_owned())?, id(pg::REIFIES.into_owned())?);
        Ok(Entities { dataset, graph, kind, name, rdf_type, reifies })
    }

    pub fn graph(&self) -> &GraphFilter {
        self.graph
    }

    pub fn all(&self) -> Result<Vec<Entity>, DatasetError> {
        match self.kind {
            EntityKind::Node => match self.rdf_type {
                Some(rdf_type) => {
                    let nodes = self.column(None, Some(rdf_type), Some(self.name), 0)?;
                    Ok(nodes.into_iter().map(Entity::Node).collect())
                }
                None => Ok(Vec::new()),
            },
            EntityKind::Relationship => self.all_relationships(),
        }
    }

    /// Returns those that have something of what changed: their label or type, or one of these properties.
    pub fn touched(&self, changed: &[Quad], keys: &[TermId]) -> Result<BTreeSet<Entity>, DatasetError> {
        let mut touched = BTreeSet::new();
        for quad in changed.iter().filter(|quad| self.graph.contains(quad.graph)) {
            let is_property = keys.contains(&quad.predicate);
            match self.kind {
                EntityKind::Node => {
                    let is_label = Some(quad.predicate) == self.rdf_type && quad.object == self.name;
                    if is_property || is_label {
                        touched.extend(self.held_by(quad.subject)?);
                    }
                }
                EntityKind::Relationship => {
                    let is_reified = Some(quad.predicate) == self.reifies;
                    if is_property || is_reified {
                        touched.extend(self.held_by(quad.subject)?);
                    }
                    if is_reified {
                        touched.extend(self.left_plain(quad)?);
                    }
                    if quad.predicate == self.name {
                        touched.extend(self.of_triple(quad.subject, quad.object)?);
                    }
                }
            }
        }
        Ok(touched)
    }

    /// Returns those whose properties are the subject's.
    pub fn held_by(&self, subject: TermId) -> Result<Vec<Entity>, DatasetError> {
        match self.kind {
            EntityKind::Node => {
                let is_labelled = self.rdf_type.is_some()
                    && !self.column(Some(subject), self.rdf_type, Some(self.name), 0)?.is_empty();
                Ok(if is_labelled { vec![Entity::Node(subject)] } else { Vec::new() })
            }
            EntityKind::Relationship => {
                let mut held = Vec::new();
                for (start, end, reifier) in self.edges(None, None, Some(subject))? {
                    if self.is_asserted(start, end)? {
                        held.push(Entity::Relationship { start, end, reifier: Some(reifier) });
                    }
                }
                Ok(held)
            }
        }
    }

    /// Returns the relationships of a triple, if it is asserted: its reifiers, or the triple itself.
    fn of_triple(&self, start: TermId, end: TermId) -> Result<Vec<Entity>, DatasetError> {
        if !self.is_asserted(start, end)? {
            return Ok(Vec::new());
        }
        let reifiers = self.edges(Some(start), Some(end), None)?;
        Ok(relationships(start, end, reifiers.into_iter().map(|(_, _, reifier)| reifier)))
    }

    /// Returns the triple that a reifier was taken from, if it has none left.
    fn left_plain(&self, reifies: &Quad) -> Result<Vec<Entity>, DatasetError> {
        let (subject, predicate) = (Some(reifies.subject), Some(reifies.predicate));
        if !self.column(subject, predicate, Some(reifies.object), 0)?.is_empty() {
            return Ok(Vec::new());
        }
        let Term::Triple(triple) = self.dataset.term(reifies.object)? else { return Ok(Vec::new()) };
        let id = |term: Term| self.dataset.term_id(&term);
        match (id(triple.subject.into())?, id(triple.predicate.into())?, id(triple.object)?) {
            (Some(start), Some(name), Some(end)) if name == self.name => self.of_triple(start, end),
            _ => Ok(Vec::new()),
        }
    }

    /// Reads triples and reifiers in one scan each.
    fn all_relationships(&self) -> Result<Vec<Entity>, DatasetError> {
        if Some(self.name) == self.rdf_type {
            return Ok(Vec::new());
        }
        let reified: BTreeSet<(TermId, TermId, TermId)> = self.edges(None, None, None)?.into_iter().collect();
        let pattern = self.pattern(None, Some(self.name), None);
        let mut scan = self.dataset.scan(&pattern, self.dataset.permutations().best_for(&pattern))?;
        let mut triples = BTreeSet::new();
        while let Some(batch) = scan.next_batch()? {
            triples.extend(batch.column(0).iter().copied().zip(batch.column(2).iter().copied()));
        }
        let of_triple = |(start, end): (TermId, TermId)| {
            let reifiers = reified.range((start, end, TermId::UNDEFINED)..=(start, end, TermId::MAX));
            relationships(start, end, reifiers.map(|(_, _, reifier)| *reifier))
        };
        Ok(triples.into_iter().filter(|(_, end)| is_resource(*end)).flat_map(of_triple).collect())
    }

    fn is_asserted(&self, start: TermId, end: TermId) -> Result<bool, DatasetError> {
        let is_relationship = is_resource(end) && Some(self.name) != self.rdf_type;
        Ok(is_relationship && !self.column(Some(start), Some(self.name), Some(end), 0)?.is_empty())
    }

    /// Returns (start, end, reifier) of the type's edges.
    fn edges(
        &self,
        start: Option<TermId>,
        end: Option<TermId>,
        edge: Option<TermId>,
    ) -> Result<Vec<(TermId, TermId, TermId)>, DatasetError> {
        let (predicate, graph) = (Some(self.name), self.graph.clone());
        let pattern =
            EdgePattern { subject: start, predicate, object: end, edge, graph, order: EdgeOrder::default() };
        let mut scan = self.dataset.scan_edges(&pattern)?;
        let mut found = Vec::new();
        while let Some(batch) = scan.next_batch()? {
            found.extend((0..batch.rows()).map(|row| {
                let place = |column: usize| batch.column(column)[row];
                (place(0), place(2), place(4))
            }));
        }
        // One reifier may stand in several graphs that are read as one.
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Returns the distinct ids at one place of the quads of a pattern.
    pub fn column(
        &self,
        subject: Option<TermId>,
        predicate: Option<TermId>,
        object: Option<TermId>,
        place: usize,
    ) -> Result<Vec<TermId>, DatasetError> {
        let pattern = self.pattern(subject, predicate, object);
        let mut scan = self.dataset.scan(&pattern, self.dataset.permutations().best_for(&pattern))?;
        let mut found = Vec::new();
        while let Some(batch) = scan.next_batch()? {
            found.extend_from_slice(batch.column(place));
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    fn pattern(
        &self,
        subject: Option<TermId>,
        predicate: Option<TermId>,
        object: Option<TermId>,
    ) -> QuadPattern {
        QuadPattern { subject, predicate, object, graph: self.graph.clone() }
    }
}

/// Returns the relationships of a triple with these reifiers.
fn relationships(start: TermId, end: TermId, reifiers: impl Iterator<Item = TermId>) -> Vec<Entity> {
    let reified: Vec<Entity> =
        reifiers.map(|reifier| Entity::Relationship { start, end, reifier: Some(reifier) }).collect();
    match reified.is_empty() {
        true => vec![Entity::Relationship { start, end, reifier: None }],
        false => reified,
    }
}

fn is_resource(id: TermId) -> bool {
    matches!(id.kind(), TermKind::NamedNode | TermKind::BlankNode)
}
