//! `MemoryDataset`: a dataset that is plainly right. Tests compare everything else with it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{Dataset, DatasetError, DatasetMut, Places, QuadIndex, RowsScan, Scan, Statistics, edge_batch};
use crate::model::{
    DictionaryId, Edge, EdgePattern, GraphFilter, GraphName, Permutation, Quad, QuadPattern, Term, TermId,
    TermKind, pg,
};
use crate::plan::Schema;

/// Quads and terms in memory, behind one lock. Ids are given in the order of arrival.
#[derive(Default)]
pub struct MemoryDataset {
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    terms: Vec<Term>,
    ids: HashMap<Term, TermId>,
    quads: QuadIndex,
}

impl MemoryDataset {
    pub fn new() -> MemoryDataset {
        MemoryDataset::default()
    }

    /// Adds a quad of terms.
    pub fn insert_quad(&self, quad: &oxrdf::Quad) -> Result<bool, DatasetError> {
        let graph = match &quad.graph_name {
            GraphName::DefaultGraph => TermId::UNDEFINED,
            GraphName::NamedNode(name) => self.intern(&name.clone().into())?,
            GraphName::BlankNode(node) => self.intern(&node.clone().into())?,
        };
        self.insert(Quad {
            subject: self.intern(&quad.subject.clone().into())?,
            predicate: self.intern(&quad.predicate.clone().into())?,
            object: self.intern(&quad.object)?,
            graph,
        })
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn term_id(&self, term: &Term) -> Option<TermId> {
        if let Term::Literal(literal) = term
            && let Some(id) = TermId::inline(literal)
        {
            return Some(id);
        }
        self.ids.get(term).copied()
    }

    fn intern(&mut self, term: &Term) -> TermId {
        if let Some(id) = self.term_id(term) {
            return id;
        }
        let rank = self.terms.len() as u64;
        let id = TermId::dictionary(DictionaryId { kind: TermKind::of(term), layer: 0, rank });
        self.terms.push(term.clone());
        self.ids.insert(term.clone(), id);
        id
    }

    fn term(&self, id: TermId) -> Result<Term, DatasetError> {
        if let Some(literal) = id.to_literal() {
            return Ok(literal.into());
        }
        id.as_dictionary()
            .and_then(|d| self.terms.get(d.rank as usize).cloned())
            .ok_or(DatasetError::UnknownId(id))
    }

    fn edges(&self, pattern: &EdgePattern) -> Result<Vec<Edge>, DatasetError> {
        let Some(reifies) = self.term_id(&pg::REIFIES.into_owned().into()) else {
            return Ok(Vec::new());
        };
        let reifiers = QuadPattern {
            subject: pattern.edge,
            predicate: Some(reifies),
            object: None,
            graph: pattern.graph.clone(),
        };
        let mut edges = Vec::new();
        for quad in self.quads.scan(&reifiers, Permutation::best_for(&reifiers)) {
            let Term::Triple(triple) = self.term(quad.object)? else { continue };
            let parts = [triple.subject.into(), triple.predicate.into(), triple.object];
            let [Some(subject), Some(predicate), Some(object)] = parts.map(|term: Term| self.term_id(&term))
            else {
                continue;
            };
            let edge = Edge { subject, predicate, object, graph: quad.graph, edge: quad.subject };
            if pattern.matches(&edge) {
                edges.push(edge);
            }
        }
        edges.sort_unstable_by_key(|edge| pattern.sort_key(edge));
        Ok(edges)
    }
}

impl Dataset for MemoryDataset {
    fn scan_places(
        &self,
        pattern: &QuadPattern,
        permutation: Permutation,
        _places: Places,
    ) -> Result<Box<dyn Scan>, DatasetError> {
        let state = self.read();
        Ok(Box::new(RowsScan::of_quads(state.quads.scan(pattern, permutation))))
    }

    fn scan_edge_places(&self, pattern: &EdgePattern, _: Places) -> Result<Box<dyn Scan>, DatasetError> {
        let edges = self.read().edges(pattern)?;
        Ok(Box::new(RowsScan::new(edge_batch(&edges).into_columns())))
    }

    fn term_id(&self, term: &Term) -> Result<Option<TermId>, DatasetError> {
        Ok(self.read().term_id(term))
    }

    fn terms(&self, ids: &[TermId]) -> Result<Vec<Term>, DatasetError> {
        let state = self.read();
        ids.iter().map(|id| state.term(*id)).collect()
    }

    fn estimate(&self, pattern: &QuadPattern) -> Result<u64, DatasetError> {
        let state = self.read();
        Ok(state.quads.scan(pattern, Permutation::best_for(pattern)).count() as u64)
    }

    fn estimate_within(
        &self,
        pattern: &QuadPattern,
        objects: &RangeInclusive<TermId>,
    ) -> Result<Option<u64>, DatasetError> {
        let state = self.read();
        let quads = state.quads.scan(pattern, Permutation::best_for(pattern));
        Ok(Some(quads.filter(|quad| objects.contains(&quad.object)).count() as u64))
    }

    fn statistics(&self) -> Arc<Statistics> {
        let state = self.read();
        let mut subjects: HashMap<TermId, HashSet<TermId>> = HashMap::new();
        let mut objects: HashMap<TermId, HashSet<TermId>> = HashMap::new();
        let mut statistics = Statistics { quads: state.quads.len() as u64, ..Statistics::default() };
        let mut graphs = HashSet::new();
        for quad in state.quads.scan(&QuadPattern::default(), Permutation::Spo) {
            subjects.entry(quad.predicate).or_default().insert(quad.subject);
            objects.entry(quad.predicate).or_default().insert(quad.object);
            statistics.predicates.entry(quad.predicate).or_default().quads += 1;
            graphs.insert(quad.graph);
        }
        for (predicate, figures) in &mut statistics.predicates {
            figures.distinct_subjects = subjects[predicate].len() as u64;
            figures.distinct_objects = objects[predicate].len() as u64;
        }
        for edge in state.edges(&EdgePattern::default()).unwrap_or_default() {
            let figures = statistics.predicates.entry(edge.predicate);
            figures.or_default().edges += 1;
        }
        let distinct = |sets: HashMap<TermId, HashSet<TermId>>| {
            sets.into_values().flatten().collect::<HashSet<_>>().len() as u64
        };
        statistics.distinct_subjects = distinct(subjects);
        statistics.distinct_objects = distinct(objects);
        statistics.named_graphs = graphs.iter().filter(|graph| !graph.is_undefined()).count() as u64;
        Arc::new(statistics)
    }

    /// Returns the empty schema: it promises nothing, so lowering takes the general road.
    fn schema(&self) -> Result<Arc<Schema>, DatasetError> {
        Ok(Arc::new(Schema::default()))
    }

    fn named_graphs(&self) -> Result<Vec<TermId>, DatasetError> {
        let named = QuadPattern { graph: GraphFilter::Named, ..QuadPattern::default() };
        let state = self.read();
        let graphs: BTreeSet<TermId> =
            state.quads.scan(&named, Permutation::Spo).map(|quad| quad.graph).collect();
        Ok(graphs.into_iter().collect())
    }
}

impl DatasetMut for MemoryDataset {
    fn intern(&self, term: &Term) -> Result<TermId, DatasetError> {
        if let Term::Triple(triple) = term {
            // The parts of a triple term get ids too, so that edges can name them.
            for part in
                [triple.subject.clone().into(), triple.predicate.clone().into(), triple.object.clone()]
            {
                self.intern(&part)?;
            }
        }
        Ok(self.write().intern(term))
    }

    fn insert(&self, quad: Quad) -> Result<bool, DatasetError> {
        Ok(self.write().quads.insert(&quad))
    }

    fn remove(&self, quad: Quad) -> Result<bool, DatasetError> {
        Ok(self.write().quads.remove(&quad))
    }
}
