//! `Survey`: which kinds of nodes and relationships a graph holds, exactly: two scans of it.
//!
//! The schema that lowering has tells of classes and predicates one by one; what procedures are asked is
//! which labels, properties and relationships come together.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use rustc_hash::FxHashMap;

use super::super::edge_scan::Reifiers;
use super::super::{GraphScope, QuadReader, quad_of};
use super::property_type::PropertyType;
use crate::batch::Batch;
use crate::execute::{Context, ExecuteError, Reservation};
use crate::model::{GraphFilter, QuadPattern, Term, TermId, TermKind, pg, rdf};

/// What is found, in the order of names.
#[derive(Debug, Default)]
pub struct Survey {
    pub nodes: Vec<NodeKind>,
    pub relationships: Vec<RelationshipKind>,
}

/// The nodes of one set of labels.
#[derive(Debug, Default)]
pub struct NodeKind {
    /// Sorted; perhaps none.
    pub labels: Vec<String>,
    pub count: u64,
    pub properties: Properties,
}

/// The relationships of one type between nodes of two kinds.
#[derive(Debug)]
pub struct RelationshipKind {
    pub name: String,
    /// Labels of the nodes at both ends.
    pub start: Vec<String>,
    pub end: Vec<String>,
    pub count: u64,
    /// Nodes that one of them starts at.
    pub starts: u64,
    pub properties: Properties,
}

/// Properties by their names.
pub type Properties = BTreeMap<String, PropertyKind>;

/// One property of entities of one kind.
#[derive(Clone, Debug, Default)]
pub struct PropertyKind {
    /// The entities that have it.
    pub count: u64,
    pub types: BTreeSet<PropertyType>,
}

impl Survey {
    pub fn take(context: &Context) -> Result<Survey, ExecuteError> {
        let scope = GraphScope::resolve(&context.default_graph, context)?;
        let Some(graph) = scope.filter else { return Ok(Survey::default()) };
        let mut surveyor = Surveyor::new(graph, scope.merges, context)?;
        surveyor.subjects()?;
        surveyor.relationships()?;
        surveyor.finish()
    }
}

impl PropertyKind {
    pub fn add(&mut self, count: u64, kind: PropertyType) {
        self.count += count;
        self.types.insert(kind);
    }

    pub fn merge(&mut self, other: &PropertyKind) {
        self.count += other.count;
        self.types.extend(&other.types);
    }
}

/// What the quads of one subject say; many subjects say the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Shape {
    /// Sorted.
    labels: Vec<TermId>,
    /// (key, type), sorted by key.
    properties: Vec<(TermId, PropertyType)>,
    /// It stands for a relationship.
    is_reifier: bool,
}

/// Relationships under way: those of a predicate between nodes of two shapes.
#[derive(Default)]
struct Group {
    count: u64,
    starts: u64,
    last_start: Option<TermId>,
    properties: BTreeMap<TermId, PropertyKind>,
}

struct Surveyor<'a> {
    context: &'a Context,
    graph: GraphFilter,
    merges: bool,
    rdf_type: Option<TermId>,
    reifies: Option<TermId>,
    marker: Option<TermId>,
    /// Each shape with the count of its subjects.
    shapes: IndexMap<Shape, u64>,
    /// Each subject's shape, by its place.
    shape_of: FxHashMap<TermId, u32>,
    predicates: BTreeSet<TermId>,
    /// By predicate and the places of the shapes of the ends.
    groups: BTreeMap<(TermId, Vec<TermId>, Vec<TermId>), Group>,
    held: Reservation,
}

impl<'a> Surveyor<'a> {
    fn new(graph: GraphFilter, merges: bool, context: &'a Context) -> Result<Surveyor<'a>, ExecuteError> {
        let id = |term: Term| context.dataset.term_id(&term);
        Ok(Surveyor {
            rdf_type: id(rdf::TYPE.into_owned().into())?,
            reifies: id(pg::REIFIES.into_owned().into())?,
            marker: id(pg::NODE.into_owned().into())?,
            graph,
            merges,
            shapes: IndexMap::new(),
            shape_of: FxHashMap::default(),
            predicates: BTreeSet::new(),
            groups: BTreeMap::new(),
            held: context.reserve(),
            context,
        })
    }

    /// Notes the shape of each subject. The quads come sorted by subject.
    fn subjects(&mut self) -> Result<(), ExecuteError> {
        let pattern = QuadPattern { graph: self.graph.clone(), ..QuadPattern::default() };
        let mut reader = QuadReader::of_pattern(&pattern, self.merges, self.context)?;
        let (mut subject, mut shape) = (None, Shape::default());
        while let Some(batch) = reader.next_quads()? {
            self.context.check()?;
            let mut types = self.literal_types(&batch)?.into_iter();
            for row in 0..batch.rows() {
                let quad = quad_of(&batch, row);
                if subject != Some(quad.subject) {
                    self.note(subject, std::mem::take(&mut shape))?;
                    subject = Some(quad.subject);
                }
                let kind = is_literal(quad.object).then(|| types.next()).flatten();
                self.add(quad.predicate, quad.object, kind, &mut shape);
            }
        }
        self.note(subject, shape)
    }

    /// Returns the types of the literals among a batch's objects.
    fn literal_types(&self, batch: &Batch) -> Result<Vec<PropertyType>, ExecuteError> {
        let literals: Vec<TermId> = batch.column(2).iter().copied().filter(|id| is_literal(*id)).collect();
        PropertyType::of_ids(&literals, self.context)
    }

    fn add(&mut self, predicate: TermId, object: TermId, kind: Option<PropertyType>, shape: &mut Shape) {
        if let Some(kind) = kind {
            match shape.properties.last_mut() {
                Some((key, known)) if *key == predicate => *known = known.repeated(),
                _ => shape.properties.push((predicate, kind)),
            }
        } else if Some(predicate) == self.rdf_type {
            if object.kind() == TermKind::NamedNode && Some(object) != self.marker {
                shape.labels.push(object);
            }
        } else if Some(predicate) == self.reifies {
            shape.is_reifier = true;
        } else if is_resource(object) {
            self.predicates.insert(predicate);
        }
    }

    fn note(&mut self, subject: Option<TermId>, mut shape: Shape) -> Result<(), ExecuteError> {
        let Some(subject) = subject else { return Ok(()) };
        shape.labels.sort_unstable();
        shape.labels.dedup();
        let entry = self.shapes.entry(shape);
        let place = entry.index() as u32;
        *entry.or_default() += 1;
        self.held.grow(size_of::<(TermId, u32)>() * 2)?;
        self.shape_of.insert(subject, place);
        Ok(())
    }

    /// Counts relationships by their type and the labels of their ends, a type at a time.
    fn relationships(&mut self) -> Result<(), ExecuteError> {
        for predicate in std::mem::take(&mut self.predicates) {
            let pattern = QuadPattern {
                predicate: Some(predicate),
                graph: self.graph.clone(),
                ..QuadPattern::default()
            };
            let mut reifiers = Reifiers::load(&pattern, self.merges, self.context)?;
            let mut reader = QuadReader::of_pattern(&pattern, self.merges, self.context)?;
            while let Some(batch) = reader.next_quads()? {
                self.context.check()?;
                for row in 0..batch.rows() {
                    let quad = quad_of(&batch, row);
                    if !is_resource(quad.object) {
                        continue;
                    }
                    if !self.shape_of.contains_key(&quad.object) {
                        self.note(Some(quad.object), Shape::default())?;
                    }
                    let edges: Vec<TermId> = reifiers.of(&quad).collect();
                    self.count(predicate, quad.subject, quad.object, &edges);
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, predicate: TermId, start: TermId, end: TermId, edges: &[TermId]) {
        let key = (predicate, self.shape(start).labels.clone(), self.shape(end).labels.clone());
        let properties: Vec<(TermId, PropertyType)> =
            edges.iter().flat_map(|edge| self.shape(*edge).properties.iter().copied()).collect();
        let group = self.groups.entry(key).or_default();
        group.count += edges.len().max(1) as u64;
        if group.last_start.replace(start) != Some(start) {
            group.starts += 1;
        }
        for (key, kind) in properties {
            group.properties.entry(key).or_default().add(1, kind);
        }
    }

    /// # Panics
    /// If the node was not noted.
    fn shape(&self, node: TermId) -> &Shape {
        let shape = self.shape_of.get(&node).and_then(|place| self.shapes.get_index(*place as usize));
        shape.map(|(shape, _)| shape).expect("each end and each reifier is noted as a subject")
    }

    /// Turns ids into names.
    fn finish(self) -> Result<Survey, ExecuteError> {
        let mut ids: BTreeSet<TermId> = BTreeSet::new();
        for shape in self.shapes.keys() {
            ids.extend(shape.labels.iter().chain(shape.properties.iter().map(|(key, _)| key)));
        }
        ids.extend(self.groups.keys().map(|(predicate, ..)| predicate));
        let ids: Vec<TermId> = ids.into_iter().collect();
        let terms = self.context.dataset.terms(&ids)?;
        let name = |term| match term {
            Term::NamedNode(node) => self.context.vocabulary.name(node.as_str()),
            other => other.to_string(),
        };
        let names: FxHashMap<TermId, String> = ids.iter().copied().zip(terms.into_iter().map(name)).collect();
        let named = |id: &TermId| names.get(id).cloned().unwrap_or_default();
        let sorted = |labels: &[TermId]| {
            let mut labels: Vec<String> = labels.iter().map(named).collect();
            labels.sort();
            labels
        };
        let mut nodes: BTreeMap<Vec<String>, NodeKind> = BTreeMap::new();
        for (shape, count) in self.shapes.iter().filter(|(shape, _)| !shape.is_reifier) {
            let labels = sorted(&shape.labels);
            let kind = nodes.entry(labels.clone()).or_insert(NodeKind { labels, ..NodeKind::default() });
            kind.count += count;
            for (key, property) in &shape.properties {
                kind.properties.entry(named(key)).or_default().add(*count, *property);
            }
        }
        let relationship = |((predicate, start, end), group): ((TermId, Vec<TermId>, Vec<TermId>), Group)| {
            RelationshipKind {
                name: named(&predicate),
                start: sorted(&start),
                end: sorted(&end),
                count: group.count,
                starts: group.starts,
                properties: group.properties.into_iter().map(|(key, kind)| (named(&key), kind)).collect(),
            }
        };
        let mut relationships: Vec<RelationshipKind> = self.groups.into_iter().map(relationship).collect();
        relationships.sort_by(|a, b| (&a.name, &a.start, &a.end).cmp(&(&b.name, &b.start, &b.end)));
        Ok(Survey { nodes: nodes.into_values().collect(), relationships })
    }
}

fn is_resource(id: TermId) -> bool {
    matches!(id.kind(), TermKind::NamedNode | TermKind::BlankNode)
}

fn is_literal(id: TermId) -> bool {
    !is_resource(id) && id.kind() != TermKind::Triple
}
