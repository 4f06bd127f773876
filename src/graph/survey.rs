//! Counting and noting facts while a run is written: each sort order tells what it alone shows.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::RunStatistics;
use super::rows::WIDTH_MAX;
use super::terms::SortedTerms;
use crate::dataset::{PredicateStatistics, Statistics};
use crate::model::{Literal, NamedNode, Term, TermId, TermKind, rdf};
use crate::plan::{ClassInfo, PredicateInfo, Schema};

/// A class, by its place in [`Survey::classes`].
type Class = u32;

/// What all of the survey looks up: which classes each node has.
pub struct Survey {
    rdf_type: u64,
    /// The IRIs that are objects of `rdf:type`, sorted by id.
    classes: Vec<u64>,
    /// (node, class), sorted, distinct.
    types: Vec<(u64, Class)>,
    /// Where the entries of a node of some rank begin in `types`; one more at the end.
    type_starts: Vec<u32>,
    edges: BTreeMap<u64, u64>,
}

/// What the orders that begin with the subject show.
#[derive(Default)]
pub struct BySubject {
    distinct_subjects: u64,
    graphs: BTreeMap<u64, u64>,
    predicates: BTreeMap<u64, OfSubjects>,
    class_predicates: BTreeSet<(Class, u64)>,
}

#[derive(Default)]
struct OfSubjects {
    quads: u64,
    subjects: u64,
    has_two_objects: bool,
}

/// What the orders that begin with the object show.
#[derive(Default)]
pub struct ByObject {
    pub distinct_objects: u64,
    predicates: BTreeMap<u64, OfObjects>,
    instances: BTreeMap<Class, u64>,
    class_inverses: BTreeSet<(Class, u64)>,
}

#[derive(Default)]
struct OfObjects {
    objects: u64,
    has_nodes: bool,
    has_literals: bool,
    /// One object for each kind that tells its datatype; all of those that do not.
    datatype_samples: BTreeMap<u64, u64>,
    typed_literals: Vec<u64>,
}

impl Survey {
    pub fn begin(terms: &SortedTerms, spo: &[[u64; 4]], edges: &[[u64; WIDTH_MAX]]) -> Survey {
        let rdf_type = terms.id_of(&rdf::TYPE.into_owned().into()).map_or(u64::MAX, TermId::to_bits);
        let typed = || spo.iter().filter(|row| row[1] == rdf_type && is_iri(row[2]));
        let mut classes: Vec<u64> = typed().map(|row| row[2]).collect();
        classes.sort_unstable();
        classes.dedup();
        let class_of = |id: u64| classes.partition_point(|class| *class < id) as Class;
        let mut types: Vec<(u64, Class)> = typed().map(|row| (row[0], class_of(row[2]))).collect();
        types.sort_unstable();
        types.dedup();
        let mut type_starts = vec![0u32; if types.is_empty() { 0 } else { terms.len() + 1 }];
        for (node, _) in &types {
            type_starts[rank_of(*node) + 1] += 1;
        }
        for rank in 1..type_starts.len() {
            type_starts[rank] += type_starts[rank - 1];
        }
        let mut edge_counts = BTreeMap::new();
        for [_, predicate, ..] in edges {
            *edge_counts.entry(*predicate).or_default() += 1;
        }
        Survey { rdf_type, classes, types, type_starts, edges: edge_counts }
    }

    /// Surveys rows in the orders SPO and PSO.
    pub fn by_subject(&self, spo: &[[u64; 4]], pso: &[[u64; 4]]) -> BySubject {
        let mut found = BySubject::default();
        for subject in spo.chunk_by(|a, b| a[0] == b[0]) {
            found.distinct_subjects += 1;
            let types = self.types_of(subject[0][0]);
            for predicate in subject.chunk_by(|a, b| a[1] == b[1]) {
                found.class_predicates.extend(types.iter().map(|(_, class)| (*class, predicate[0][1])));
            }
        }
        for run in spo.chunk_by(|a, b| a[3] == b[3]) {
            *found.graphs.entry(run[0][3]).or_default() += run.len() as u64;
        }
        for rows in pso.chunk_by(|a, b| a[0] == b[0]) {
            let figures = found.predicates.entry(rows[0][0]).or_default();
            figures.quads = rows.len() as u64;
            for subject in rows.chunk_by(|a, b| a[1] == b[1]) {
                figures.subjects += 1;
                figures.has_two_objects |= subject[0][2] != subject[subject.len() - 1][2];
            }
        }
        found
    }

    /// Surveys rows in the order POS.
    pub fn by_object(&self, pos: &[[u64; 4]]) -> ByObject {
        let mut found = ByObject::default();
        for rows in pos.chunk_by(|a, b| a[0] == b[0]) {
            let predicate = rows[0][0];
            let mut figures = OfObjects::default();
            for of_object in rows.chunk_by(|a, b| a[1] == b[1]) {
                let object = of_object[0][1];
                figures.note(object);
                let inverses = self.types_of(object).iter().map(|(_, class)| (*class, predicate));
                found.class_inverses.extend(inverses);
                if predicate == self.rdf_type
                    && let Ok(class) = self.classes.binary_search(&object)
                {
                    let subjects = of_object.chunk_by(|a, b| a[2] == b[2]).count();
                    found.instances.insert(class as Class, subjects as u64);
                }
            }
            found.predicates.insert(predicate, figures);
        }
        found
    }

    /// Puts together what both sides found.
    pub fn finish(
        &self,
        terms: &SortedTerms,
        by_subject: BySubject,
        by_object: ByObject,
    ) -> (RunStatistics, Schema) {
        let schema = self.schema(terms, &by_subject, &by_object);
        let id = |bits: u64| TermId::from_bits(bits).expect("rows hold ids");
        let mut statistics = Statistics {
            quads: by_subject.graphs.values().sum(),
            distinct_subjects: by_subject.distinct_subjects,
            distinct_objects: by_object.distinct_objects,
            named_graphs: by_subject.graphs.keys().filter(|graph| **graph != 0).count() as u64,
            ..Statistics::default()
        };
        for (predicate, figures) in &by_subject.predicates {
            let objects = by_object.predicates.get(predicate).map_or(0, |figures| figures.objects);
            let figures = PredicateStatistics {
                quads: figures.quads,
                distinct_subjects: figures.subjects,
                distinct_objects: objects,
                edges: 0,
            };
            statistics.predicates.insert(id(*predicate), figures);
        }
        for (predicate, count) in &self.edges {
            statistics.predicates.entry(id(*predicate)).or_default().edges = *count;
        }
        let graphs = by_subject.graphs.iter().map(|(graph, quads)| (id(*graph), *quads)).collect();
        (RunStatistics { statistics, graphs }, schema)
    }

    fn schema(&self, terms: &SortedTerms, by_subject: &BySubject, by_object: &ByObject) -> Schema {
        let name = |bits: u64| iri(terms, bits);
        let mut schema = Schema { is_complete: true, ..Schema::default() };
        let mut class_lists: BTreeMap<Class, ClassInfo> = BTreeMap::new();
        for (class, instances) in &by_object.instances {
            class_lists.entry(*class).or_default().instances = *instances;
        }
        for (class, predicate) in &by_subject.class_predicates {
            class_lists.entry(*class).or_default().predicates.extend(name(*predicate));
        }
        let mut object_classes: BTreeMap<u64, Vec<NamedNode>> = BTreeMap::new();
        for (class, predicate) in &by_object.class_inverses {
            class_lists.entry(*class).or_default().inverse_predicates.extend(name(*predicate));
            let class_name = self.classes.get(*class as usize).and_then(|bits| name(*bits));
            object_classes.entry(*predicate).or_default().extend(class_name);
        }
        for (class, info) in class_lists {
            if let Some(class_name) = self.classes.get(class as usize).and_then(|bits| name(*bits)) {
                schema.classes.insert(class_name, info);
            }
        }
        for (predicate, figures) in &by_subject.predicates {
            let Some(predicate_name) = name(*predicate) else { continue };
            let Some(of_objects) = by_object.predicates.get(predicate) else { continue };
            let info = PredicateInfo {
                quads: figures.quads,
                is_functional: !figures.has_two_objects,
                has_node_objects: of_objects.has_nodes,
                has_literal_objects: of_objects.has_literals,
                has_edges: self.edges.contains_key(predicate),
                datatypes: of_objects.datatypes(terms),
                object_classes: object_classes.remove(predicate).unwrap_or_default(),
            };
            schema.predicates.insert(predicate_name, info);
        }
        for predicate in self.edges.keys() {
            // A reified triple need not be asserted; its predicate is known all the same.
            if let Some(predicate_name) = name(*predicate) {
                schema.predicates.entry(predicate_name).or_insert_with(unasserted).has_edges = true;
            }
        }
        schema
    }

    fn types_of(&self, node: u64) -> &[(u64, Class)] {
        if self.types.is_empty() || !matches!(kind(node), TermKind::NamedNode | TermKind::BlankNode) {
            return &[];
        }
        let rank = rank_of(node);
        &self.types[self.type_starts[rank] as usize..self.type_starts[rank + 1] as usize]
    }
}

impl OfObjects {
    fn note(&mut self, object: u64) {
        self.objects += 1;
        match kind(object) {
            TermKind::NamedNode | TermKind::BlankNode => self.has_nodes = true,
            TermKind::TypedLiteral | TermKind::LangString => {
                self.has_literals = true;
                self.typed_literals.push(object);
            }
            other => {
                self.has_literals = true;
                self.datatype_samples.entry(other as u64).or_insert(object);
            }
        }
    }

    fn datatypes(&self, terms: &SortedTerms) -> Vec<NamedNode> {
        let objects = self.datatype_samples.values().chain(&self.typed_literals);
        let datatypes: BTreeSet<NamedNode> =
            objects.filter_map(|object| literal(terms, *object)).map(|l| l.datatype().into_owned()).collect();
        datatypes.into_iter().collect()
    }
}

fn unasserted() -> PredicateInfo {
    PredicateInfo { is_functional: true, ..PredicateInfo::default() }
}

fn kind(bits: u64) -> TermKind {
    TermId::from_bits(bits).map_or(TermKind::Undefined, TermId::kind)
}

fn is_iri(bits: u64) -> bool {
    kind(bits) == TermKind::NamedNode
}

fn rank_of(bits: u64) -> usize {
    let id = TermId::from_bits(bits).and_then(TermId::as_dictionary);
    id.expect("nodes are dictionary terms").rank as usize
}

fn iri(terms: &SortedTerms, bits: u64) -> Option<NamedNode> {
    match terms.term(rank_of(bits)) {
        Term::NamedNode(name) => Some(name),
        _ => None,
    }
}

fn literal(terms: &SortedTerms, bits: u64) -> Option<Literal> {
    let id = TermId::from_bits(bits)?;
    if let Some(literal) = id.to_literal() {
        return Some(literal);
    }
    match terms.term(id.as_dictionary()?.rank as usize) {
        Term::Literal(literal) => Some(literal),
        _ => None,
    }
}
