//! `Writer`: the property-graph view of changes: nodes, labels, properties and relationships become
//! quads (`docs/property_graph.md`). Counts what it did.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::expression;
use super::operator::{GraphScope, QuadReader, is_node, quad_of};
use super::{Context, ExecuteError, Local, RuntimeCode};
use crate::dataset::DatasetMut;
use crate::model::{
    EdgePattern, GraphFilter, NamedNode, NamedOrBlankNode, Quad, QuadPattern, Term, TermId, Triple, pg, rdf,
};
use crate::plan::GraphSelector;

/// What a statement changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateSummary {
    pub quads_inserted: u64,
    pub quads_removed: u64,
    pub nodes_created: u64,
    pub nodes_deleted: u64,
    pub relationships_created: u64,
    pub relationships_deleted: u64,
    pub properties_set: u64,
    pub properties_removed: u64,
    pub labels_added: u64,
    pub labels_removed: u64,
    pub constraints_added: u64,
    pub constraints_removed: u64,
    pub indexes_added: u64,
    pub indexes_removed: u64,
}

impl UpdateSummary {
    /// Adds the counts of another statement.
    pub fn add(&mut self, other: &UpdateSummary) {
        self.quads_inserted += other.quads_inserted;
        self.quads_removed += other.quads_removed;
        self.nodes_created += other.nodes_created;
        self.nodes_deleted += other.nodes_deleted;
        self.relationships_created += other.relationships_created;
        self.relationships_deleted += other.relationships_deleted;
        self.properties_set += other.properties_set;
        self.properties_removed += other.properties_removed;
        self.labels_added += other.labels_added;
        self.labels_removed += other.labels_removed;
        self.constraints_added += other.constraints_added;
        self.constraints_removed += other.constraints_removed;
        self.indexes_added += other.indexes_added;
        self.indexes_removed += other.indexes_removed;
    }
}

pub struct Writer {
    context: Arc<Context>,
    changes: Arc<dyn DatasetMut>,
    /// The graph that new quads go to.
    graph: TermId,
    /// The graphs that removals look into.
    scope: GraphFilter,
    rdf_type: TermId,
    reifies: TermId,
    marker: TermId,
    pub summary: UpdateSummary,
    /// Nodes that may have lost, or never had, a quad of their own.
    loose: Vec<TermId>,
    pub(super) deleted: FxHashSet<TermId>,
    /// Whether what is made may have properties that are null: not in MERGE, which would never find it.
    pub(super) forbids_null: bool,
    /// Nodes deleted without DETACH; they must have no relationships when the clause ends.
    unconnected: Vec<TermId>,
}

impl Writer {
    /// # Errors
    /// [`ExecuteError::ReadOnly`] if the context has no changes.
    pub fn new(context: Arc<Context>) -> Result<Writer, ExecuteError> {
        let changes = context.changes.clone().ok_or(ExecuteError::ReadOnly)?;
        let graph = match &context.default_graph {
            GraphSelector::Named(name) => changes.intern(&name.clone().into())?,
            GraphSelector::Merge(names) if names.len() == 1 => changes.intern(&names[0].clone().into())?,
            _ => TermId::UNDEFINED,
        };
        let scope = GraphScope::resolve(&context.default_graph, &context)?;
        Ok(Writer {
            graph,
            scope: scope.filter.unwrap_or(GraphFilter::One(graph)),
            rdf_type: changes.intern(&rdf::TYPE.into_owned().into())?,
            reifies: changes.intern(&pg::REIFIES.into_owned().into())?,
            marker: changes.intern(&pg::NODE.into_owned().into())?,
            context,
            changes,
            summary: UpdateSummary::default(),
            loose: Vec::new(),
            deleted: FxHashSet::default(),
            forbids_null: false,
            unconnected: Vec::new(),
        })
    }

    pub fn insert(&mut self, quad: Quad) -> Result<bool, ExecuteError> {
        let is_new = self.changes.insert(quad)?;
        if is_new {
            self.summary.quads_inserted += 1;
            self.context.note_change(quad, true);
        }
        Ok(is_new)
    }

    pub fn remove(&mut self, quad: Quad) -> Result<bool, ExecuteError> {
        let was_there = self.changes.remove(quad)?;
        if was_there {
            self.summary.quads_removed += 1;
            self.context.note_change(quad, false);
        }
        Ok(was_there)
    }

    /// Returns the id under which a term can stand in a quad.
    pub fn intern(&self, term: &Term) -> Result<TermId, ExecuteError> {
        Ok(self.changes.intern(term)?)
    }

    /// Returns the id of a property value as it is stored.
    pub fn storable(&self, id: TermId) -> Result<TermId, ExecuteError> {
        if id.is_inline() || (id.as_dictionary().is_some() && !is_node(id, &self.context)?) {
            return Ok(id);
        }
        match expression::storable_term(id, &self.context)? {
            Some(term) => self.intern(&term),
            None => Err(ExecuteError::runtime(
                RuntimeCode::TypeError,
                "InvalidPropertyType",
                "a property holds a literal or a list of literals",
            )),
        }
    }

    /// Makes a node under a fresh IRI.
    pub fn create_node(
        &mut self,
        labels: &[String],
        properties: &[(String, TermId)],
    ) -> Result<TermId, ExecuteError> {
        self.check_null(properties)?;
        let node = self.intern(&self.context.mint()?.into())?;
        self.summary.nodes_created += 1;
        self.set_labels(node, labels)?;
        self.give_properties(node, properties)?;
        self.loose.push(node);
        Ok(node)
    }

    fn check_null(&self, properties: &[(String, TermId)]) -> Result<(), ExecuteError> {
        match properties.iter().find(|(_, value)| self.forbids_null && value.is_undefined()) {
            None => Ok(()),
            Some((key, _)) => {
                let message = format!("MERGE cannot use null for the property '{key}'");
                Err(ExecuteError::runtime(RuntimeCode::SemanticError, "MergeReadOwnWrites", message))
            }
        }
    }

    /// Makes a relationship; returns its id.
    pub fn create_edge(
        &mut self,
        start: TermId,
        name: &str,
        end: TermId,
        properties: &[(String, TermId)],
    ) -> Result<TermId, ExecuteError> {
        self.check_null(properties)?;
        for end in [start, end] {
            if !is_node(end, &self.context)? {
                return Err(ExecuteError::runtime(
                    RuntimeCode::TypeError,
                    "InvalidArgumentType",
                    "a relationship needs a node at each end",
                ));
            }
            if self.deleted.contains(&end) {
                return Err(deleted_entity());
            }
        }
        let predicate = self.intern(&self.context.vocabulary.iri(name).into())?;
        let quad = Quad { subject: start, predicate, object: end, graph: self.graph };
        let is_new = self.insert(quad)?;
        self.summary.relationships_created += 1;
        if is_new && properties.iter().all(|(_, value)| value.is_undefined()) {
            return Ok(self.context.values.intern(Local::Relationship { quad, edge: None }));
        }
        if !is_new && self.reifiers(&quad)?.is_empty() {
            // The twin that is there becomes reified under the id that it has already.
            self.reify(quad)?;
        }
        let edge = self.intern(&self.context.mint()?.into())?;
        self.insert_reifier(edge, quad)?;
        self.give_properties(edge, properties)?;
        Ok(self.context.values.intern(Local::Relationship { quad, edge: Some(edge) }))
    }

    /// Sets one property of a node or relationship; undefined removes it.
    pub fn set_entity_property(
        &mut self,
        entity: TermId,
        key: &str,
        value: TermId,
    ) -> Result<(), ExecuteError> {
        if let Some(subject) = self.property_subject(entity, value.is_undefined())? {
            self.set_property(subject, key, value)?;
        }
        Ok(())
    }

    /// Sets many properties; with `replace`, all others go.
    pub fn set_entity_properties(
        &mut self,
        entity: TermId,
        properties: &[(String, TermId)],
        replace: bool,
    ) -> Result<(), ExecuteError> {
        let removes_only = properties.iter().all(|(_, value)| value.is_undefined());
        let Some(subject) = self.property_subject(entity, removes_only)? else { return Ok(()) };
        if replace {
            let kept: Vec<TermId> = properties
                .iter()
                .map(|(key, _)| self.intern(&self.context.vocabulary.iri(key).into()))
                .collect::<Result<_, _>>()?;
            for quad in self.quads(Some(subject), None, None)? {
                if is_literal(quad.object) && !kept.contains(&quad.predicate) {
                    self.remove(quad)?;
                    self.summary.properties_removed += 1;
                }
            }
            self.loose.push(subject);
        }
        for (key, value) in properties {
            self.set_property(subject, key, *value)?;
        }
        Ok(())
    }

    /// Returns the subject under which an entity's properties stand; `None` if it has none and is
    /// to have none.
    fn property_subject(
        &mut self,
        entity: TermId,
        removes_only: bool,
    ) -> Result<Option<TermId>, ExecuteError> {
        if self.deleted.contains(&entity) {
            return Err(deleted_entity());
        }
        if is_node(entity, &self.context)? {
            return Ok(Some(entity));
        }
        match self.relationship(entity) {
            Some((_, Some(edge))) => Ok(Some(edge)),
            Some((quad, None)) => {
                let derived = self.derived(&quad)?;
                let is_reified = self.reifiers(&quad)?.contains(&derived);
                match (is_reified, removes_only) {
                    (true, _) => Ok(Some(derived)),
                    (false, true) => Ok(None),
                    (false, false) => self.reify(quad).map(Some),
                }
            }
            None => Err(ExecuteError::runtime(
                RuntimeCode::TypeError,
                "InvalidArgumentType",
                "only nodes and relationships have properties that can be set",
            )),
        }
    }

    /// Sets the properties of what was made just now, and has none.
    fn give_properties(
        &mut self,
        subject: TermId,
        properties: &[(String, TermId)],
    ) -> Result<(), ExecuteError> {
        for (place, (key, value)) in properties.iter().enumerate() {
            if properties[..place].iter().any(|(earlier, _)| earlier == key) {
                self.set_property(subject, key, *value)?;
            } else if !value.is_undefined() {
                let predicate = self.intern(&self.context.vocabulary.iri(key).into())?;
                let object = self.storable(*value)?;
                self.insert(Quad { subject, predicate, object, graph: self.graph })?;
                self.summary.properties_set += 1;
            }
        }
        Ok(())
    }

    fn set_property(&mut self, subject: TermId, key: &str, value: TermId) -> Result<(), ExecuteError> {
        let predicate = self.intern(&self.context.vocabulary.iri(key).into())?;
        let value = if value.is_undefined() { None } else { Some(self.storable(value)?) };
        let mut is_there = false;
        for quad in self.quads(Some(subject), Some(predicate), None)? {
            if !is_literal(quad.object) {
                continue;
            }
            if Some(quad.object) == value && quad.graph == self.graph {
                is_there = true;
                continue;
            }
            self.remove(quad)?;
            self.summary.properties_removed += 1;
        }
        match value {
            Some(object) if !is_there => {
                self.insert(Quad { subject, predicate, object, graph: self.graph })?;
                self.summary.properties_set += 1;
            }
            Some(_) => {}
            None => self.loose.push(subject),
        }
        Ok(())
    }

    pub fn set_labels(&mut self, node: TermId, labels: &[String]) -> Result<(), ExecuteError> {
        self.check_node(node)?;
        for label in labels {
            let object = self.intern(&self.context.vocabulary.iri(label).into())?;
            let quad = Quad { subject: node, predicate: self.rdf_type, object, graph: self.graph };
            if self.insert(quad)? {
                self.summary.labels_added += 1;
            }
        }
        Ok(())
    }

    pub fn remove_labels(&mut self, node: TermId, labels: &[String]) -> Result<(), ExecuteError> {
        self.check_node(node)?;
        for label in labels {
            let object = self.intern(&self.context.vocabulary.iri(label).into())?;
            for quad in self.quads(Some(node), Some(self.rdf_type), Some(object))? {
                self.remove(quad)?;
                self.summary.labels_removed += 1;
            }
        }
        self.loose.push(node);
        Ok(())
    }

    /// Returns the nodes among which those must be that have these labels and these properties, as they
    /// are stored: those of the rarest of them, or all subjects if there are neither.
    pub fn candidates(
        &self,
        labels: &[String],
        properties: &[(String, TermId)],
    ) -> Result<Vec<TermId>, ExecuteError> {
        let iri = |name: &String| self.intern(&self.context.vocabulary.iri(name).into());
        let mut rarest: Option<(u64, QuadPattern)> = None;
        let mut pairs = Vec::new();
        for label in labels {
            pairs.push((self.rdf_type, iri(label)?));
        }
        for (key, value) in properties {
            pairs.push((iri(key)?, *value));
        }
        for (predicate, object) in pairs {
            let pattern = QuadPattern {
                subject: None,
                predicate: Some(predicate),
                object: Some(object),
                graph: self.scope.clone(),
            };
            let count = self.changes.estimate(&pattern)?;
            if rarest.as_ref().is_none_or(|(known, _)| count < *known) {
                rarest = Some((count, pattern));
            }
        }
        let all = QuadPattern { graph: self.scope.clone(), ..QuadPattern::default() };
        let pattern = rarest.map_or(all, |(_, pattern)| pattern);
        let mut nodes: Vec<TermId> = self.matching(&pattern)?.iter().map(|quad| quad.subject).collect();
        nodes.sort_unstable();
        nodes.dedup();
        Ok(nodes)
    }

    /// Returns whether a subject has these labels; a reifier never has: it is no node.
    pub fn has_labels(&self, node: TermId, labels: &[String]) -> Result<bool, ExecuteError> {
        for label in labels {
            let object = self.intern(&self.context.vocabulary.iri(label).into())?;
            if self.quads(Some(node), Some(self.rdf_type), Some(object))?.is_empty() {
                return Ok(false);
            }
        }
        Ok(self.quads(Some(node), Some(self.reifies), None)?.is_empty())
    }

    /// Returns the literals of a property.
    pub fn literals(&self, subject: TermId, key: &str) -> Result<Vec<TermId>, ExecuteError> {
        let predicate = self.intern(&self.context.vocabulary.iri(key).into())?;
        let quads = self.quads(Some(subject), Some(predicate), None)?;
        Ok(quads.iter().map(|quad| quad.object).filter(|object| is_literal(*object)).collect())
    }

    /// Returns the relationships of a type from one node to another: their triples and reifiers.
    pub fn relationships(
        &self,
        start: TermId,
        name: &str,
        end: TermId,
    ) -> Result<Vec<(Quad, Option<TermId>)>, ExecuteError> {
        let predicate = self.intern(&self.context.vocabulary.iri(name).into())?;
        let mut found = Vec::new();
        for quad in self.quads(Some(start), Some(predicate), Some(end))? {
            let reifiers = self.reifiers(&quad)?;
            match reifiers.is_empty() {
                true => found.push((quad, None)),
                false => found.extend(reifiers.into_iter().map(|edge| (quad, Some(edge)))),
            }
        }
        Ok(found)
    }

    fn check_node(&self, node: TermId) -> Result<(), ExecuteError> {
        if self.deleted.contains(&node) {
            return Err(deleted_entity());
        }
        if is_node(node, &self.context)? {
            return Ok(());
        }
        let message = "only nodes have labels";
        Err(ExecuteError::runtime(RuntimeCode::TypeError, "InvalidArgumentType", message))
    }

    /// Deletes a node, relationship or path; of a list, each item.
    pub fn delete(&mut self, entity: TermId, detach: bool) -> Result<(), ExecuteError> {
        if is_node(entity, &self.context)? {
            return self.delete_node(entity, detach);
        }
        let local = self.context.values.get(entity);
        match local.as_deref() {
            Some(Local::Relationship { quad, edge }) => {
                self.deleted.insert(entity);
                self.delete_edge(*quad, *edge)
            }
            Some(Local::Path { nodes, relationships }) => {
                for relationship in relationships {
                    self.delete(*relationship, detach)?;
                }
                nodes.iter().try_for_each(|node| self.delete_node(*node, detach))
            }
            _ => Err(ExecuteError::runtime(
                RuntimeCode::TypeError,
                "InvalidArgumentType",
                "only nodes, relationships and paths can be deleted",
            )),
        }
    }

    fn delete_node(&mut self, node: TermId, detach: bool) -> Result<(), ExecuteError> {
        if !self.deleted.insert(node) {
            return Ok(());
        }
        self.summary.nodes_deleted += 1;
        for quad in self.quads(Some(node), None, None)? {
            if self.is_relationship(&quad) {
                if detach {
                    self.delete_all_edges(quad)?;
                }
                continue;
            }
            self.summary.properties_removed += u64::from(is_literal(quad.object));
            self.summary.labels_removed +=
                u64::from(quad.predicate == self.rdf_type && quad.object != self.marker);
            self.remove(quad)?;
        }
        if detach {
            for quad in self.quads(None, None, Some(node))? {
                if self.is_relationship(&quad) {
                    self.delete_all_edges(quad)?;
                } else {
                    self.remove(quad)?;
                }
            }
        } else {
            self.unconnected.push(node);
        }
        Ok(())
    }

    /// Deletes every relationship of a triple.
    fn delete_all_edges(&mut self, quad: Quad) -> Result<(), ExecuteError> {
        let reifiers = self.reifiers(&quad)?;
        if reifiers.is_empty() {
            return self.delete_edge(quad, None);
        }
        reifiers.into_iter().try_for_each(|edge| self.delete_edge(quad, Some(edge)))
    }

    /// Deletes one relationship; the triple goes with the last one.
    fn delete_edge(&mut self, quad: Quad, edge: Option<TermId>) -> Result<(), ExecuteError> {
        let mut reifiers = self.reifiers(&quad)?;
        let edge = match edge {
            Some(edge) => edge,
            None => self.derived(&quad)?,
        };
        let was_there = if reifiers.contains(&edge) {
            for own in self.quads(Some(edge), None, None)? {
                self.summary.properties_removed += u64::from(is_literal(own.object));
                self.remove(own)?;
            }
            reifiers.retain(|reifier| *reifier != edge);
            if reifiers.is_empty() {
                self.remove(quad)?;
            }
            true
        } else {
            reifiers.is_empty() && self.remove(quad)?
        };
        self.summary.relationships_deleted += u64::from(was_there);
        self.loose.extend([quad.subject, quad.object]);
        Ok(())
    }

    /// Ends the changes of one row: nodes that would have no quad get their marker.
    pub fn end_row(&mut self) -> Result<(), ExecuteError> {
        for node in std::mem::take(&mut self.loose) {
            if self.deleted.contains(&node) || self.has_quads(node)? {
                continue;
            }
            let quad =
                Quad { subject: node, predicate: self.rdf_type, object: self.marker, graph: self.graph };
            self.insert(quad)?;
        }
        Ok(())
    }

    /// Ends the clause.
    ///
    /// # Errors
    /// If a node that was deleted without DETACH still has relationships.
    pub fn end_clause(&mut self) -> Result<(), ExecuteError> {
        self.end_row()?;
        for node in std::mem::take(&mut self.unconnected) {
            let outgoing = self.quads(Some(node), None, None)?;
            let incoming = self.quads(None, None, Some(node))?;
            if outgoing.iter().chain(&incoming).any(|quad| self.is_relationship(quad)) {
                return Err(ExecuteError::runtime(
                    RuntimeCode::ConstraintVerificationFailed,
                    "DeleteConnectedNode",
                    "a node that still has relationships cannot be deleted; use DETACH DELETE",
                ));
            }
        }
        Ok(())
    }

    fn has_quads(&self, node: TermId) -> Result<bool, ExecuteError> {
        for (subject, object) in [(Some(node), None), (None, Some(node))] {
            let graph = self.scope.clone();
            let pattern = QuadPattern { subject, predicate: None, object, graph };
            if QuadReader::of_pattern(&pattern, false, &self.context)?.next_quads()?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_relationship(&self, quad: &Quad) -> bool {
        quad.predicate != self.rdf_type && quad.predicate != self.reifies && is_resource(quad.object)
    }

    /// Returns what a relationship's id stands for.
    fn relationship(&self, id: TermId) -> Option<(Quad, Option<TermId>)> {
        match self.context.values.get(id).as_deref() {
            Some(Local::Relationship { quad, edge }) => Some((*quad, *edge)),
            _ => None,
        }
    }

    fn reifiers(&self, quad: &Quad) -> Result<Vec<TermId>, ExecuteError> {
        let mut scan = self.changes.scan_edges(&EdgePattern {
            subject: Some(quad.subject),
            predicate: Some(quad.predicate),
            object: Some(quad.object),
            graph: self.scope.clone(),
            ..EdgePattern::default()
        })?;
        let mut found = Vec::new();
        while let Some(batch) = scan.next_batch()? {
            found.extend_from_slice(batch.column(4));
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Returns the reifier that a plain relationship has when it needs one.
    fn derived(&self, quad: &Quad) -> Result<TermId, ExecuteError> {
        self.intern(&expression::derived_iri(quad, &self.context)?.into())
    }

    /// Reifies a plain relationship under its derived id.
    fn reify(&mut self, quad: Quad) -> Result<TermId, ExecuteError> {
        let edge = self.derived(&quad)?;
        self.insert_reifier(edge, quad)?;
        Ok(edge)
    }

    fn insert_reifier(&mut self, edge: TermId, quad: Quad) -> Result<(), ExecuteError> {
        let terms = self.changes.terms(&[quad.subject, quad.predicate, quad.object])?;
        let triple = match terms.as_slice() {
            [subject, Term::NamedNode(predicate), object] => {
                triple_of(subject.clone(), predicate.clone(), object.clone())
            }
            _ => None,
        };
        let triple = triple.ok_or_else(|| ExecuteError::Plan("a quad that is no triple".to_owned()))?;
        let object = self.intern(&triple.into())?;
        self.insert(Quad { subject: edge, predicate: self.reifies, object, graph: quad.graph })?;
        Ok(())
    }

    fn quads(
        &self,
        subject: Option<TermId>,
        predicate: Option<TermId>,
        object: Option<TermId>,
    ) -> Result<Vec<Quad>, ExecuteError> {
        self.matching(&QuadPattern { subject, predicate, object, graph: self.scope.clone() })
    }

    /// Returns the quads of a pattern.
    pub fn matching(&self, pattern: &QuadPattern) -> Result<Vec<Quad>, ExecuteError> {
        let mut reader = QuadReader::of_pattern(pattern, false, &self.context)?;
        let mut quads = Vec::new();
        let mut held = self.context.reserve();
        while let Some(batch) = reader.next_quads()? {
            self.context.check()?;
            held.grow(batch.rows() * size_of::<Quad>())?;
            quads.extend((0..batch.rows()).map(|row| quad_of(&batch, row)));
        }
        Ok(quads)
    }
}

/// Returns a triple, unless a part may not stand in its place.
pub fn triple_of(subject: Term, predicate: NamedNode, object: Term) -> Option<Triple> {
    let subject: NamedOrBlankNode = match subject {
        Term::NamedNode(node) => node.into(),
        Term::BlankNode(node) => node.into(),
        _ => return None,
    };
    Some(Triple::new(subject, predicate, object))
}

fn is_resource(id: TermId) -> bool {
    use crate::model::TermKind;
    matches!(id.kind(), TermKind::NamedNode | TermKind::BlankNode)
}

fn is_literal(id: TermId) -> bool {
    use crate::model::TermKind;
    !is_resource(id) && id.kind() != TermKind::Triple
}

fn deleted_entity() -> ExecuteError {
    let message = "a node or relationship that was deleted in this statement is used again";
    ExecuteError::runtime(RuntimeCode::EntityNotFound, "DeletedEntityAccess", message)
}
