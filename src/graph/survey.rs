//! Counting and noting facts while a run is written: each sort order tells what it alone shows.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::WriteError;
use super::facts::RunStatistics;
use super::layer::RowStream;
use super::rows::WIDTH_MAX;
use super::term_merge::MergedTerms;
use crate::dataset::{PredicateStatistics, Statistics};
use crate::model::{NamedNode, TermId, TermKind, is_numeric_datatype};
use crate::plan::{ClassInfo, PredicateInfo, Schema};

/// Which classes each node has; nodes with the same classes share a set.
pub struct ClassSets {
    rdf_type: Option<u64>,
    /// The set of each node, by rank; 0 is the empty one. Empty if nothing has a class.
    of_node: Vec<u32>,
    /// The classes of each set, sorted.
    sets: Vec<Vec<u64>>,
    /// The predicates that all nodes of each set have, sorted.
    total_predicates: Vec<Vec<u64>>,
    known: HashMap<Vec<u64>, u32>,
}

impl ClassSets {
    fn new(terms: &MergedTerms<'_>) -> ClassSets {
        let rdf_type = terms.rdf_type();
        let nodes = if rdf_type.is_some() { terms.node_count() } else { 0 };
        ClassSets {
            rdf_type,
            of_node: vec![0; nodes as usize],
            sets: vec![Vec::new()],
            total_predicates: vec![Vec::new()],
            known: HashMap::new(),
        }
    }

    fn set_of(&self, node: u64) -> u32 {
        match kind(node) {
            TermKind::NamedNode | TermKind::BlankNode => {
                self.of_node.get(rank_of(node)).copied().unwrap_or_default()
            }
            _ => 0,
        }
    }

    /// Adds a node with its predicates, sorted; returns its set.
    fn add(&mut self, node: u64, classes: &[u64], predicates: &[u64]) -> u32 {
        let set = match self.known.get(classes) {
            Some(set) => {
                let total = &mut self.total_predicates[*set as usize];
                if total != predicates {
                    total.retain(|predicate| predicates.binary_search(predicate).is_ok());
                }
                *set
            }
            None => {
                self.sets.push(classes.to_vec());
                self.total_predicates.push(predicates.to_vec());
                let set = self.sets.len() as u32 - 1;
                self.known.insert(classes.to_vec(), set);
                set
            }
        };
        self.of_node[rank_of(node)] = set;
        set
    }

    /// Spells pairs of a set and a predicate out: (class, predicate), sorted.
    fn spelled_out(&self, pairs: &FxHashSet<(u32, u64)>) -> BTreeSet<(u64, u64)> {
        let classes = |(set, predicate): &(u32, u64)| {
            let predicate = *predicate;
            self.sets[*set as usize].iter().map(move |class| (*class, predicate))
        };
        pairs.iter().flat_map(classes).collect()
    }

    /// Returns the predicates that all instances of each class have.
    fn total_by_class(&self) -> BTreeMap<u64, BTreeSet<u64>> {
        let mut found: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for (classes, predicates) in self.sets.iter().zip(&self.total_predicates) {
            for class in classes {
                match found.get_mut(class) {
                    Some(total) => total.retain(|predicate| predicates.contains(predicate)),
                    None => {
                        found.insert(*class, predicates.iter().copied().collect());
                    }
                }
            }
        }
        found
    }
}

/// The classes that all of some nodes have.
#[derive(Default)]
struct CommonClasses {
    /// Those of the nodes so far; `None` before the first.
    classes: Option<Vec<u64>>,
    /// The set of the last node.
    last: u32,
}

impl CommonClasses {
    fn note(&mut self, node: u64, sets: &ClassSets) {
        let set = sets.set_of(node);
        match &mut self.classes {
            Some(_) if set == self.last => {}
            Some(classes) => classes.retain(|class| sets.sets[set as usize].contains(class)),
            None => self.classes = Some(sets.sets[set as usize].clone()),
        }
        self.last = set;
    }
}

/// The edges of a predicate.
#[derive(Clone, Copy, Default)]
pub struct EdgesOf {
    pub count: u64,
    /// Whether a triple has two in one graph.
    pub has_parallels: bool,
    /// Whether each quad of the predicate leads to a node and has one, and each is of such a quad.
    pub is_of_each: bool,
}

/// Compares the quads of each predicate with its edges.
pub struct EdgeSurvey<'a> {
    edges: Box<dyn RowStream<WIDTH_MAX> + 'a>,
    rows: Vec<[u64; WIDTH_MAX]>,
    next: usize,
    /// The predicates for which they disagree, sorted.
    disagreeing: Vec<u64>,
}

impl<'a> EdgeSurvey<'a> {
    /// `edges` are rows of predicate, subject, object, graph, edge.
    pub fn new(edges: Box<dyn RowStream<WIDTH_MAX> + 'a>) -> EdgeSurvey<'a> {
        EdgeSurvey { edges, rows: Vec::new(), next: 0, disagreeing: Vec::new() }
    }

    /// Looks at quads: rows of predicate, subject, object, graph.
    pub fn rows(&mut self, quads: &[[u64; 4]]) -> Result<(), WriteError> {
        for quad in quads {
            self.pass_until(quad)?;
            let is_node = matches!(kind(quad[2]), TermKind::NamedNode | TermKind::BlankNode);
            if !is_node || self.peek()?.is_none_or(|edge| edge != *quad) {
                self.disagree(quad[0]);
            }
            while self.peek()?.is_some_and(|edge| edge == *quad) {
                self.next += 1;
            }
        }
        Ok(())
    }

    /// Returns the predicates of which a quad leads to no node or has no edge, or an edge is of no quad, sorted.
    pub fn finish(mut self) -> Result<Vec<u64>, WriteError> {
        self.pass_until(&[u64::MAX; 4])?;
        Ok(self.disagreeing)
    }

    /// Passes over the edges before a quad: no quad has them.
    fn pass_until(&mut self, quad: &[u64; 4]) -> Result<(), WriteError> {
        while let Some(edge) = self.peek()?.filter(|edge| edge < quad) {
            self.disagree(edge[0]);
            self.next += 1;
        }
        Ok(())
    }

    /// Quads and edges are walked in one order, so that predicates come sorted.
    fn disagree(&mut self, predicate: u64) {
        if self.disagreeing.last() != Some(&predicate) {
            self.disagreeing.push(predicate);
        }
    }

    /// Returns the quad of the next edge.
    fn peek(&mut self) -> Result<Option<[u64; 4]>, WriteError> {
        if self.next == self.rows.len() {
            self.edges.fill(&mut self.rows)?;
            self.next = 0;
        }
        Ok(self.rows.get(self.next).map(|[p, s, o, g, _]| [*p, *s, *o, *g]))
    }
}

/// Surveys rows of subject, predicate, object, graph.
pub struct SubjectSurvey {
    class_sets: ClassSets,
    found: BySubject,
    subject: Option<u64>,
    /// What the subject at hand has.
    predicates: Vec<u64>,
    classes: Vec<u64>,
    /// The graph of the last rows, and how many of them are not counted yet.
    graph: (u64, u64),
}

#[derive(Default)]
pub struct BySubject {
    pub quads: u64,
    pub distinct_subjects: u64,
    graphs: BTreeMap<u64, u64>,
    class_predicates: FxHashSet<(u32, u64)>,
}

impl SubjectSurvey {
    pub fn new(terms: &MergedTerms<'_>) -> SubjectSurvey {
        SubjectSurvey {
            class_sets: ClassSets::new(terms),
            found: BySubject::default(),
            subject: None,
            predicates: Vec::new(),
            classes: Vec::new(),
            graph: (0, 0),
        }
    }

    pub fn rows(&mut self, rows: &[[u64; 4]]) {
        for [subject, predicate, object, graph] in rows {
            if self.subject != Some(*subject) {
                self.end_subject();
                self.subject = Some(*subject);
                self.found.distinct_subjects += 1;
            }
            if self.predicates.last() != Some(predicate) {
                self.predicates.push(*predicate);
            }
            let is_class =
                Some(*predicate) == self.class_sets.rdf_type && kind(*object) == TermKind::NamedNode;
            if is_class && self.classes.last() != Some(object) {
                self.classes.push(*object);
            }
            if self.graph.0 != *graph {
                self.end_graph();
                self.graph.0 = *graph;
            }
            self.graph.1 += 1;
        }
    }

    fn end_subject(&mut self) {
        if let (Some(subject), false) = (self.subject, self.classes.is_empty()) {
            let set = self.class_sets.add(subject, &self.classes, &self.predicates);
            self.found.class_predicates.extend(self.predicates.iter().map(|predicate| (set, *predicate)));
        }
        self.predicates.clear();
        self.classes.clear();
    }

    fn end_graph(&mut self) {
        if self.graph.1 > 0 {
            *self.found.graphs.entry(self.graph.0).or_default() += self.graph.1;
            self.found.quads += self.graph.1;
            self.graph.1 = 0;
        }
    }

    pub fn finish(mut self) -> (BySubject, ClassSets) {
        self.end_subject();
        self.end_graph();
        (self.found, self.class_sets)
    }
}

/// Surveys rows of predicate, subject, object, graph.
pub struct PredicateSurvey {
    class_sets: Arc<ClassSets>,
    predicates: BTreeMap<u64, OfSubjects>,
    predicate: Option<u64>,
    current: OfSubjects,
}

#[derive(Default)]
struct OfSubjects {
    quads: u64,
    subjects: u64,
    has_two_objects: bool,
    has_loops: bool,
    classes: CommonClasses,
    /// The last subject with its first object.
    last: Option<(u64, u64)>,
}

impl PredicateSurvey {
    pub fn new(class_sets: Arc<ClassSets>) -> PredicateSurvey {
        PredicateSurvey {
            class_sets,
            predicates: BTreeMap::new(),
            predicate: None,
            current: OfSubjects::default(),
        }
    }

    pub fn rows(&mut self, rows: &[[u64; 4]]) {
        for [predicate, subject, object, _] in rows {
            if self.predicate != Some(*predicate) {
                self.end();
                self.predicate = Some(*predicate);
            }
            let current = &mut self.current;
            current.quads += 1;
            current.has_loops |= subject == object;
            match current.last {
                Some((last, first)) if last == *subject => current.has_two_objects |= first != *object,
                _ => {
                    current.subjects += 1;
                    current.classes.note(*subject, &self.class_sets);
                    current.last = Some((*subject, *object));
                }
            }
        }
    }

    fn end(&mut self) {
        if let Some(predicate) = self.predicate {
            self.predicates.insert(predicate, std::mem::take(&mut self.current));
        }
    }
}

/// Surveys rows of predicate, object, subject, graph.
pub struct ObjectSurvey<'a> {
    terms: &'a MergedTerms<'a>,
    class_sets: Arc<ClassSets>,
    predicates: BTreeMap<u64, OfObjects>,
    /// Distinct instances of each class.
    instances: BTreeMap<u64, u64>,
    class_inverses: FxHashSet<(u32, u64)>,
    predicate: Option<u64>,
    current: OfObjects,
    last: Option<(u64, u64)>,
}

#[derive(Default)]
struct OfObjects {
    objects: u64,
    classes: CommonClasses,
    has_nodes: bool,
    has_literals: bool,
    /// One object for each kind that tells its datatype.
    datatype_samples: BTreeMap<u64, u64>,
    /// The datatypes of those that do not.
    datatypes: FxHashSet<u32>,
}

impl<'a> ObjectSurvey<'a> {
    pub fn new(terms: &'a MergedTerms<'a>, class_sets: Arc<ClassSets>) -> ObjectSurvey<'a> {
        ObjectSurvey {
            terms,
            class_sets,
            predicates: BTreeMap::new(),
            instances: BTreeMap::new(),
            class_inverses: FxHashSet::default(),
            predicate: None,
            current: OfObjects::default(),
            last: None,
        }
    }

    pub fn rows(&mut self, rows: &[[u64; 4]]) {
        for [predicate, object, subject, _] in rows {
            if self.predicate != Some(*predicate) {
                self.end();
                self.predicate = Some(*predicate);
                self.last = None;
            }
            let last_object = self.last.map(|(object, _)| object);
            if last_object != Some(*object) {
                self.current.note(*object, self.terms);
                self.current.classes.note(*object, &self.class_sets);
                let set = self.class_sets.set_of(*object);
                if set != 0 {
                    self.class_inverses.insert((set, *predicate));
                }
            }
            let is_class =
                self.class_sets.rdf_type == Some(*predicate) && kind(*object) == TermKind::NamedNode;
            if is_class && self.last != Some((*object, *subject)) {
                *self.instances.entry(*object).or_default() += 1;
            }
            self.last = Some((*object, *subject));
        }
    }

    fn end(&mut self) {
        if let Some(predicate) = self.predicate {
            self.predicates.insert(predicate, std::mem::take(&mut self.current));
        }
    }
}

impl OfObjects {
    fn note(&mut self, object: u64, terms: &MergedTerms<'_>) {
        self.objects += 1;
        match kind(object) {
            TermKind::NamedNode | TermKind::BlankNode => self.has_nodes = true,
            TermKind::TypedLiteral | TermKind::LangString => {
                self.has_literals = true;
                self.datatypes.extend(terms.datatype_index(object));
            }
            other => {
                self.has_literals = true;
                self.datatype_samples.entry(other as u64).or_insert(object);
            }
        }
    }

    fn has_opaque_numbers(&self, terms: &MergedTerms<'_>) -> bool {
        self.datatypes.iter().any(|index| is_numeric_datatype(terms.datatype_at(*index).as_ref()))
    }

    fn datatypes(&self, terms: &MergedTerms<'_>) -> Vec<NamedNode> {
        let told = self.datatype_samples.values().filter_map(|object| terms.datatype(*object));
        let others = self.datatypes.iter().map(|index| terms.datatype_at(*index).clone());
        told.chain(others).collect::<BTreeSet<NamedNode>>().into_iter().collect()
    }
}

/// Puts together what all surveys found; `edges` are those of each predicate.
pub fn facts(
    by_subject: &BySubject,
    mut by_predicate: PredicateSurvey,
    mut by_object: ObjectSurvey<'_>,
    distinct_objects: u64,
    edges: &BTreeMap<u64, EdgesOf>,
) -> Result<(RunStatistics, Schema), WriteError> {
    by_predicate.end();
    by_object.end();
    let facts = Facts { by_subject, by_predicate: &by_predicate.predicates, by_object: &by_object, edges };
    Ok((facts.statistics(distinct_objects), facts.schema()?))
}

struct Facts<'a> {
    by_subject: &'a BySubject,
    by_predicate: &'a BTreeMap<u64, OfSubjects>,
    by_object: &'a ObjectSurvey<'a>,
    edges: &'a BTreeMap<u64, EdgesOf>,
}

impl Facts<'_> {
    fn statistics(&self, distinct_objects: u64) -> RunStatistics {
        let id = |bits: u64| TermId::from_bits(bits).expect("rows hold ids");
        let graphs = &self.by_subject.graphs;
        let mut statistics = Statistics {
            quads: self.by_subject.quads,
            distinct_subjects: self.by_subject.distinct_subjects,
            distinct_objects,
            named_graphs: graphs.keys().filter(|graph| **graph != 0).count() as u64,
            ..Statistics::default()
        };
        for (predicate, figures) in self.by_predicate {
            let of_objects = self.by_object.predicates.get(predicate);
            let figures = PredicateStatistics {
                quads: figures.quads,
                distinct_subjects: figures.subjects,
                distinct_objects: of_objects.map_or(0, |figures| figures.objects),
                edges: 0,
            };
            statistics.predicates.insert(id(*predicate), figures);
        }
        for (predicate, edges) in self.edges {
            statistics.predicates.entry(id(*predicate)).or_default().edges = edges.count;
        }
        RunStatistics {
            statistics,
            reified: self.edges.iter().filter(|(_, edges)| edges.is_of_each).map(|(p, _)| id(*p)).collect(),
            graphs: graphs.iter().map(|(graph, quads)| (id(*graph), *quads)).collect(),
        }
    }

    fn schema(&self) -> Result<Schema, WriteError> {
        let by_object = self.by_object;
        let class_predicates = by_object.class_sets.spelled_out(&self.by_subject.class_predicates);
        let class_inverses = by_object.class_sets.spelled_out(&by_object.class_inverses);
        let classes = by_object.instances.keys().chain(by_object.class_sets.sets.iter().flatten());
        let wanted = self.by_predicate.keys().chain(self.edges.keys()).chain(classes);
        let names = by_object.terms.names(wanted.copied().collect())?;
        let name = |bits: &u64| names.get(bits).cloned();
        let mut schema = Schema { is_complete: true, ..Schema::default() };
        let mut infos: BTreeMap<u64, ClassInfo> = BTreeMap::new();
        for (class, instances) in &by_object.instances {
            infos.entry(*class).or_default().instances = *instances;
        }
        for (class, predicate) in &class_predicates {
            infos.entry(*class).or_default().predicates.extend(name(predicate));
        }
        for (class, predicates) in by_object.class_sets.total_by_class() {
            infos.entry(class).or_default().total_predicates.extend(predicates.iter().filter_map(name));
        }
        let mut object_classes: BTreeMap<u64, Vec<NamedNode>> = BTreeMap::new();
        for (class, predicate) in &class_inverses {
            infos.entry(*class).or_default().inverse_predicates.extend(name(predicate));
            object_classes.entry(*predicate).or_default().extend(name(class));
        }
        for (class, info) in infos {
            schema.classes.extend(name(&class).map(|name| (name, info)));
        }
        for (predicate, figures) in self.by_predicate {
            let Some(predicate_name) = name(predicate) else { continue };
            let Some(of_objects) = by_object.predicates.get(predicate) else { continue };
            let edges = self.edges.get(predicate);
            let common = |classes: &CommonClasses| -> Vec<NamedNode> {
                classes.classes.iter().flatten().filter_map(name).collect()
            };
            let info = PredicateInfo {
                quads: figures.quads,
                is_functional: !figures.has_two_objects,
                has_node_objects: of_objects.has_nodes,
                has_literal_objects: of_objects.has_literals,
                has_opaque_numbers: of_objects.has_opaque_numbers(by_object.terms),
                has_edges: edges.is_some(),
                has_parallel_edges: edges.is_some_and(|edges| edges.has_parallels),
                is_reified: edges.is_some_and(|edges| edges.is_of_each),
                has_loops: figures.has_loops,
                datatypes: of_objects.datatypes(by_object.terms),
                object_classes: object_classes.remove(predicate).unwrap_or_default(),
                domain: common(&figures.classes),
                range: common(&of_objects.classes),
            };
            schema.predicates.insert(predicate_name, info);
        }
        for (predicate, edges) in self.edges {
            // A reified triple need not be asserted; its predicate is known all the same.
            if let Some(predicate_name) = name(predicate) {
                let info = schema.predicates.entry(predicate_name).or_insert_with(unasserted);
                info.has_edges = true;
                info.has_parallel_edges = edges.has_parallels;
            }
        }
        Ok(schema)
    }
}

fn unasserted() -> PredicateInfo {
    PredicateInfo { is_functional: true, ..PredicateInfo::default() }
}

fn kind(bits: u64) -> TermKind {
    TermId::from_bits(bits).map_or(TermKind::Undefined, TermId::kind)
}

fn rank_of(bits: u64) -> usize {
    let id = TermId::from_bits(bits).and_then(TermId::as_dictionary);
    id.expect("nodes are dictionary terms").rank as usize
}
