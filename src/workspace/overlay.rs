//! `Overlay`: what was added to and removed from a base run, sorted every way that the run is.
//!
//! All collections are persistent: a clone shares everything with its original and costs a few
//! reference counts. So the snapshot after a small commit is its parent's overlay plus the change,
//! a transaction is a snapshot's overlay that goes on, and an open scan keeps the overlay it began
//! with. The overlay reads no blocks; who fills it says what the base holds.

use std::ops::Bound;
use std::sync::Arc;

use imbl::{HashMap, OrdMap, OrdSet, Vector};

use crate::dataset::Keys;
use crate::model::{
    DictionaryId, Edge, EdgePattern, Permutation, PermutationSet, Quad, QuadPattern, Term, TermId, TermKind,
};

/// The layer of the terms that the base does not have.
pub const LAYER: u16 = 1;

/// A quad as a key of some permutation.
pub type QuadKey = [TermId; 4];

/// Changes against a base. `added` and `removed` are disjoint.
#[derive(Clone, Default)]
pub struct Overlay {
    terms: Terms,
    /// Quads that the base does not have.
    pub added: QuadSet,
    /// Quads of the base that are gone.
    pub removed: QuadSet,
    pub added_edges: EdgeSet,
    /// Edges of the base that are gone.
    pub removed_edges: EdgeSet,
    /// How the quads of each graph and each predicate changed in number.
    pub graphs: OrdMap<TermId, Delta>,
    pub predicates: OrdMap<TermId, Delta>,
    /// How the edges of each predicate changed in number.
    pub edges: OrdMap<TermId, Delta>,
}

/// How many were added and removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    pub added: u64,
    pub removed: u64,
}

impl Delta {
    /// Returns a count of the base after the change.
    pub fn apply(self, base: u64) -> u64 {
        (base + self.added).saturating_sub(self.removed)
    }

    /// Counts one that came, or came back.
    fn add(&mut self, restored: bool) {
        if restored { self.removed -= 1 } else { self.added += 1 }
    }

    /// Counts one that went, or was withdrawn.
    fn remove(&mut self, withdrawn: bool) {
        if withdrawn { self.added -= 1 } else { self.removed += 1 }
    }
}

/// Terms in order of arrival, with their ranks.
#[derive(Clone, Default)]
struct Terms {
    by_rank: Vector<Arc<Term>>,
    ranks: HashMap<Arc<Term>, u64>,
    /// Whether there are some, by the number of their kind.
    kinds: [bool; 7],
}

/// What became of a change to the overlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The overlay alone decides: the quad is in `added`.
    Added,
    /// The overlay alone decides: the quad is in `removed`.
    Removed,
    /// The base decides.
    Base,
}

impl Overlay {
    /// Makes an empty overlay whose quads can be found by these permutations.
    pub fn new(permutations: PermutationSet) -> Overlay {
        let (added, removed) = (QuadSet::new(permutations), QuadSet::new(permutations));
        Overlay { added, removed, ..Overlay::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    /// Returns how many quads were added or removed.
    pub fn len(&self) -> usize {
        self.added.len() + self.removed.len()
    }

    /// Returns how many terms the overlay brought.
    pub fn terms_len(&self) -> u64 {
        self.terms.by_rank.len() as u64
    }

    /// Returns the terms that the overlay brought, with their ranks; some may be in use no more.
    pub fn terms(&self) -> impl Iterator<Item = (u64, &Term)> {
        self.terms.by_rank.iter().enumerate().map(|(rank, term)| (rank as u64, &**term))
    }

    /// Returns the id of a term that the overlay brought.
    pub fn term_id(&self, term: &Term) -> Option<TermId> {
        self.terms.ranks.get(term).map(|rank| id_of_rank(term, *rank))
    }

    /// Returns the term of an id that the overlay gave out.
    pub fn term(&self, id: TermId) -> Option<&Arc<Term>> {
        let id = id.as_dictionary().filter(|id| id.layer == LAYER)?;
        self.terms.by_rank.get(usize::try_from(id.rank).ok()?)
    }

    /// Returns whether the overlay may have brought terms of a kind.
    pub fn has_terms_of(&self, kind: TermKind) -> bool {
        self.terms.kinds.get(kind as usize).is_none_or(|has| *has)
    }

    /// Gives an id to a term that neither the base nor the overlay has.
    pub fn add_term(&mut self, term: &Term) -> TermId {
        debug_assert!(self.term_id(term).is_none());
        let (rank, shared) = (self.terms.by_rank.len() as u64, Arc::new(term.clone()));
        self.terms.by_rank.push_back(Arc::clone(&shared));
        self.terms.ranks.insert(shared, rank);
        self.terms.kinds[TermKind::of(term) as usize] = true;
        id_of_rank(term, rank)
    }

    /// Returns who decides whether the quad is there.
    pub fn place(&self, quad: &Quad) -> Place {
        if self.added.contains(quad) {
            Place::Added
        } else if self.removed.contains(quad) {
            Place::Removed
        } else {
            Place::Base
        }
    }

    /// Adds a quad that was not there; `edge` is what it reifies, if it does.
    pub fn insert(&mut self, quad: &Quad, edge: Option<Edge>) {
        let restored = self.removed.remove(quad);
        if !restored {
            self.added.insert(quad);
        }
        if let Some(edge) = edge {
            let restored = self.removed_edges.remove(&edge);
            if !restored {
                self.added_edges.insert(&edge);
            }
            change(&mut self.edges, edge.predicate, |delta| delta.add(restored));
        }
        self.count(quad, |delta| delta.add(restored));
    }

    /// Removes a quad that was there; `edge` is what it reified, if it did.
    pub fn remove(&mut self, quad: &Quad, edge: Option<Edge>) {
        let withdrawn = self.added.remove(quad);
        if !withdrawn {
            self.removed.insert(quad);
        }
        if let Some(edge) = edge {
            let withdrawn = self.added_edges.remove(&edge);
            if !withdrawn {
                self.removed_edges.insert(&edge);
            }
            change(&mut self.edges, edge.predicate, |delta| delta.remove(withdrawn));
        }
        self.count(quad, |delta| delta.remove(withdrawn));
    }

    /// Returns how many quads of a predicate changed, if a pattern asks for no more than that.
    pub fn of_predicate(&self, pattern: &QuadPattern) -> Option<Delta> {
        let QuadPattern { subject: None, predicate: Some(predicate), object: None, graph } = pattern else {
            return None;
        };
        graph
            .contains_all(self.graphs.keys().copied())
            .then(|| self.predicates.get(predicate).copied().unwrap_or_default())
    }

    fn count(&mut self, quad: &Quad, by: impl Fn(&mut Delta)) {
        change(&mut self.graphs, quad.graph, &by);
        change(&mut self.predicates, quad.predicate, &by);
    }
}

fn change(deltas: &mut OrdMap<TermId, Delta>, key: TermId, by: impl Fn(&mut Delta)) {
    let mut delta = deltas.get(&key).copied().unwrap_or_default();
    by(&mut delta);
    if delta == Delta::default() {
        deltas.remove(&key);
    } else {
        deltas.insert(key, delta);
    }
}

fn id_of_rank(term: &Term, rank: u64) -> TermId {
    TermId::dictionary(DictionaryId { kind: TermKind::of(term), layer: LAYER, rank })
}

/// Returns whether only the overlay can have quads with this id.
pub fn is_of_overlay(id: TermId) -> bool {
    id.as_dictionary().is_some_and(|id| id.layer == LAYER)
}

/// Quads, sorted by each of some permutations.
#[derive(Clone, Default)]
pub struct QuadSet {
    permutations: PermutationSet,
    /// By the number of the permutation; those that are not asked for stay empty and cost nothing.
    trees: [OrdSet<QuadKey>; Permutation::ALL.len()],
}

impl QuadSet {
    pub fn new(permutations: PermutationSet) -> QuadSet {
        QuadSet { permutations, ..QuadSet::default() }
    }

    pub fn permutations(&self) -> PermutationSet {
        self.permutations
    }

    pub fn len(&self) -> usize {
        self.trees[0].len()
    }

    pub fn is_empty(&self) -> bool {
        self.trees[0].is_empty()
    }

    pub fn contains(&self, quad: &Quad) -> bool {
        self.trees[Permutation::Spo as usize].contains(&Permutation::Spo.key(quad))
    }

    pub fn insert(&mut self, quad: &Quad) -> bool {
        let mut is_new = false;
        for permutation in self.permutations.iter() {
            is_new = self.trees[permutation as usize].insert(permutation.key(quad)).is_none();
        }
        is_new
    }

    pub fn remove(&mut self, quad: &Quad) -> bool {
        let mut was_there = false;
        for permutation in self.permutations.iter() {
            was_there = self.trees[permutation as usize].remove(&permutation.key(quad)).is_some();
        }
        was_there
    }

    /// Returns the quads in order of subject, predicate, object, graph.
    pub fn iter(&self) -> impl Iterator<Item = Quad> + '_ {
        self.trees[Permutation::Spo as usize].iter().map(|key| Permutation::Spo.quad(*key))
    }

    /// Returns the quads that match, sorted by `permutation`.
    pub fn scan<'a>(
        &'a self,
        pattern: &'a QuadPattern,
        permutation: Permutation,
    ) -> impl Iterator<Item = Quad> + 'a {
        debug_assert!(self.permutations.contains(permutation));
        let (low, high) = bounds(pattern, permutation);
        let keys = self.trees[permutation as usize].range(low..=high);
        keys.map(move |key| permutation.quad(*key)).filter(|quad| pattern.matches(quad))
    }

    /// Opens a cursor over the quads that match, which sees this set as it is now.
    pub fn cursor(&self, pattern: &QuadPattern, permutation: Permutation) -> QuadCursor {
        self.cursor_of(pattern, permutation, None)
    }

    /// As [`QuadSet::cursor`], only over the quads of `wanted`, if it is given.
    pub fn cursor_of(
        &self,
        pattern: &QuadPattern,
        permutation: Permutation,
        wanted: Option<Keys<'_>>,
    ) -> QuadCursor {
        debug_assert!(self.permutations.contains(permutation));
        let (mut low, mut high) = bounds(pattern, permutation);
        let keys = self.trees[permutation as usize].clone();
        let open = low.iter().zip(&high).take(3).position(|(low, high)| low != high);
        let wanted = match open.zip(wanted) {
            Some((place, Keys::Listed(ids))) if !keys.is_empty() => {
                Some(Wanted { place, ids: ids.to_vec(), next: 0 })
            }
            Some((place, Keys::Within(range))) => {
                (low[place], high[place]) = (*range.start(), *range.end());
                None
            }
            _ => None,
        };
        let from = Some(Bound::Included(low));
        let (pattern, ahead) = (pattern.clone(), Vec::new());
        let many = CURSOR_KEYS_FIRST;
        let mut cursor = QuadCursor { keys, pattern, permutation, low, from, high, wanted, ahead, many };
        cursor.refill();
        cursor
    }
}

/// Returns the least and the greatest key that can match.
fn bounds(pattern: &QuadPattern, permutation: Permutation) -> (QuadKey, QuadKey) {
    let bound = [pattern.subject, pattern.predicate, pattern.object];
    let (mut low, mut high) = ([TermId::UNDEFINED; 4], [TermId::MAX; 4]);
    for (place, position) in permutation.positions().into_iter().enumerate().take(3) {
        let Some(id) = bound[position] else { break };
        (low[place], high[place]) = (id, id);
    }
    (low, high)
}

/// How many keys a cursor takes out of its tree at a time: few at first, since a lookup wants no more.
const CURSOR_KEYS_FIRST: usize = 8;
const CURSOR_KEYS_MAX: usize = 512;

/// Walks a [`QuadSet`] in key order. Owns what it walks.
pub struct QuadCursor {
    keys: OrdSet<QuadKey>,
    pattern: QuadPattern,
    permutation: Permutation,
    low: QuadKey,
    /// Where the keys after those begin, if there are any.
    from: Option<Bound<QuadKey>>,
    high: QuadKey,
    wanted: Option<Wanted>,
    /// The next keys, last one first.
    ahead: Vec<QuadKey>,
    /// How many are to be taken next.
    many: usize,
}

/// Sorted ids that keys must have in a place, and the first that may still come.
struct Wanted {
    place: usize,
    ids: Vec<TermId>,
    next: usize,
}

impl Wanted {
    /// Returns the first id that is not before that of a key; they are asked for in order.
    fn from(&mut self, key: &QuadKey) -> Option<TermId> {
        self.next += self.ids[self.next..].partition_point(|id| *id < key[self.place]);
        self.ids.get(self.next).copied()
    }
}

impl QuadCursor {
    /// Returns the next key without taking it.
    pub fn peek(&self) -> Option<QuadKey> {
        self.ahead.last().copied()
    }

    /// Takes the next key.
    pub fn next_key(&mut self) -> Option<QuadKey> {
        let key = self.ahead.pop();
        if self.ahead.is_empty() {
            self.refill();
        }
        key
    }

    fn refill(&mut self) {
        while self.ahead.len() < self.many
            && let Some(from) = self.from.take()
        {
            self.from = self.take_from(from);
        }
        self.many = (self.many * 4).min(CURSOR_KEYS_MAX);
        self.ahead.reverse();
    }

    /// Takes keys out of the tree until there are enough or some are passed over; returns where to go on.
    fn take_from(&mut self, from: Bound<QuadKey>) -> Option<Bound<QuadKey>> {
        for key in self.keys.range((from, Bound::Included(self.high))) {
            if let Some(wanted) = &mut self.wanted {
                let id = wanted.from(key)?;
                if id > key[wanted.place] {
                    let mut low = self.low;
                    low[wanted.place] = id;
                    return Some(Bound::Included(low));
                }
            }
            if self.pattern.matches(&self.permutation.quad(*key)) {
                self.ahead.push(*key);
                if self.ahead.len() == self.many {
                    return (*key < self.high).then_some(Bound::Excluded(*key));
                }
            }
        }
        None
    }
}

/// Edges, found by any of their places.
#[derive(Clone, Default)]
pub struct EdgeSet {
    by_subject: OrdSet<[TermId; 5]>,
    by_object: OrdSet<[TermId; 5]>,
    by_predicate: OrdSet<[TermId; 5]>,
    by_edge: OrdSet<[TermId; 5]>,
}

impl EdgeSet {
    pub fn insert(&mut self, edge: &Edge) {
        self.by_subject.insert(by_subject(edge));
        self.by_object.insert(by_object(edge));
        self.by_predicate.insert(by_predicate(edge));
        self.by_edge.insert(by_edge(edge));
    }

    pub fn remove(&mut self, edge: &Edge) -> bool {
        self.by_object.remove(&by_object(edge));
        self.by_predicate.remove(&by_predicate(edge));
        self.by_edge.remove(&by_edge(edge));
        self.by_subject.remove(&by_subject(edge)).is_some()
    }

    /// Returns the edges that match, in no order.
    pub fn scan(&self, pattern: &EdgePattern) -> Vec<Edge> {
        // The place that sorts next is bound too, or open.
        let (tree, first, next, to_edge): (_, _, _, fn([TermId; 5]) -> Edge) = match pattern {
            EdgePattern { edge: Some(id), subject, .. } => (&self.by_edge, *id, *subject, of_edge),
            EdgePattern { subject: Some(id), predicate, .. } => {
                (&self.by_subject, *id, *predicate, of_subject)
            }
            EdgePattern { object: Some(id), predicate, .. } => (&self.by_object, *id, *predicate, of_object),
            EdgePattern { predicate: Some(id), .. } => (&self.by_predicate, *id, None, of_predicate),
            _ => {
                let all = self.by_subject.iter().map(|key| of_subject(*key));
                return all.filter(|edge| pattern.matches(edge)).collect();
            }
        };
        let low = [first, next.unwrap_or_default(), TermId::UNDEFINED, TermId::UNDEFINED, TermId::UNDEFINED];
        let high = [first, next.unwrap_or(TermId::MAX), TermId::MAX, TermId::MAX, TermId::MAX];
        tree.range(low..=high).map(|key| to_edge(*key)).filter(|edge| pattern.matches(edge)).collect()
    }
}

fn by_subject(e: &Edge) -> [TermId; 5] {
    [e.subject, e.predicate, e.object, e.graph, e.edge]
}

fn of_subject([subject, predicate, object, graph, edge]: [TermId; 5]) -> Edge {
    Edge { subject, predicate, object, graph, edge }
}

fn by_object(e: &Edge) -> [TermId; 5] {
    [e.object, e.predicate, e.subject, e.graph, e.edge]
}

fn of_object([object, predicate, subject, graph, edge]: [TermId; 5]) -> Edge {
    Edge { subject, predicate, object, graph, edge }
}

fn by_predicate(e: &Edge) -> [TermId; 5] {
    [e.predicate, e.subject, e.object, e.graph, e.edge]
}

fn of_predicate([predicate, subject, object, graph, edge]: [TermId; 5]) -> Edge {
    Edge { subject, predicate, object, graph, edge }
}

fn by_edge(e: &Edge) -> [TermId; 5] {
    [e.edge, e.subject, e.predicate, e.object, e.graph]
}

fn of_edge([edge, subject, predicate, object, graph]: [TermId; 5]) -> Edge {
    Edge { subject, predicate, object, graph, edge }
}
