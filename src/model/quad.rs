//! Quads and edges as ids, and the patterns that scans are asked for.

use super::term_id::TermId;

/// A quad of ids, ordered by subject, predicate, object, graph.
///
/// `graph` is [`TermId::UNDEFINED`] for the default graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quad {
    pub subject: TermId,
    pub predicate: TermId,
    pub object: TermId,
    pub graph: TermId,
}

/// A reified quad: `edge rdf:reifies <<( subject predicate object )>>` in `graph`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge {
    pub subject: TermId,
    pub predicate: TermId,
    pub object: TermId,
    pub graph: TermId,
    /// The reifier.
    pub edge: TermId,
}

/// Which quads a scan returns: those equal to every `Some`, in a graph that passes `graph`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuadPattern {
    pub subject: Option<TermId>,
    pub predicate: Option<TermId>,
    pub object: Option<TermId>,
    pub graph: GraphFilter,
}

/// Which edges a scan returns; as [`QuadPattern`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgePattern {
    pub subject: Option<TermId>,
    pub predicate: Option<TermId>,
    pub object: Option<TermId>,
    pub edge: Option<TermId>,
    pub graph: GraphFilter,
}

/// Which graphs a scan looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum GraphFilter {
    /// Every graph, the default graph included.
    #[default]
    All,
    /// Every named graph.
    Named,
    /// One graph; [`TermId::UNDEFINED`] is the default graph.
    One(TermId),
    /// Any of these, sorted and distinct.
    Among(Vec<TermId>),
}

impl GraphFilter {
    pub fn contains(&self, graph: TermId) -> bool {
        match self {
            GraphFilter::All => true,
            GraphFilter::Named => !graph.is_undefined(),
            GraphFilter::One(one) => *one == graph,
            GraphFilter::Among(graphs) => graphs.binary_search(&graph).is_ok(),
        }
    }
}

impl QuadPattern {
    pub fn matches(&self, quad: &Quad) -> bool {
        self.subject.is_none_or(|s| s == quad.subject)
            && self.predicate.is_none_or(|p| p == quad.predicate)
            && self.object.is_none_or(|o| o == quad.object)
            && self.graph.contains(quad.graph)
    }
}

impl EdgePattern {
    pub fn matches(&self, edge: &Edge) -> bool {
        self.subject.is_none_or(|s| s == edge.subject)
            && self.predicate.is_none_or(|p| p == edge.predicate)
            && self.object.is_none_or(|o| o == edge.object)
            && self.edge.is_none_or(|e| e == edge.edge)
            && self.graph.contains(edge.graph)
    }
}

/// A sort order of quads: by the key that the letters spell, graph last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Permutation {
    Spo = 0,
    Pso = 1,
    Pos = 2,
    Ops = 3,
}

impl Permutation {
    pub const ALL: [Permutation; 4] =
        [Permutation::Spo, Permutation::Pso, Permutation::Pos, Permutation::Ops];

    /// Returns the positions (0 subject, 1 predicate, 2 object, 3 graph) of the key columns.
    pub fn positions(self) -> [usize; 4] {
        match self {
            Permutation::Spo => [0, 1, 2, 3],
            Permutation::Pso => [1, 0, 2, 3],
            Permutation::Pos => [1, 2, 0, 3],
            Permutation::Ops => [2, 1, 0, 3],
        }
    }

    /// Returns a quad as a key of this permutation.
    pub fn key(self, quad: &Quad) -> [TermId; 4] {
        let parts = [quad.subject, quad.predicate, quad.object, quad.graph];
        self.positions().map(|position| parts[position])
    }

    /// Returns the quad of a key of this permutation; the inverse of [`Permutation::key`].
    pub fn quad(self, key: [TermId; 4]) -> Quad {
        let mut parts = [TermId::UNDEFINED; 4];
        for (position, id) in self.positions().into_iter().zip(key) {
            parts[position] = id;
        }
        let [subject, predicate, object, graph] = parts;
        Quad { subject, predicate, object, graph }
    }

    /// Returns the permutation in which the bound places of `pattern` form the longest prefix.
    pub fn best_for(pattern: &QuadPattern) -> Permutation {
        match (pattern.subject.is_some(), pattern.predicate.is_some(), pattern.object.is_some()) {
            (true, true, _) | (true, false, false) => Permutation::Spo,
            (_, true, true) => Permutation::Pos,
            (false, true, false) => Permutation::Pso,
            (true, false, true) | (false, false, true) => Permutation::Ops,
            (false, false, false) => Permutation::Spo,
        }
    }

    /// Returns how many leading key places of this permutation `pattern` binds.
    pub fn prefix_len(self, pattern: &QuadPattern) -> usize {
        let bound = [pattern.subject, pattern.predicate, pattern.object];
        self.positions().iter().take(3).take_while(|position| bound[**position].is_some()).count()
    }
}
