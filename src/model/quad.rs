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
    pub order: EdgeOrder,
}

/// What edges sort by first, where neither their subject nor their object nor the edge is bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EdgeOrder {
    /// The predicate, then the subject.
    #[default]
    Subject,
    /// The predicate, then the object.
    Object,
    Edge,
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

    /// Returns whether all these graphs pass; of many it is taken that some do not.
    pub fn contains_all(&self, graphs: impl ExactSizeIterator<Item = TermId>) -> bool {
        const GRAPHS_ASKED_MAX: usize = 8;
        *self == GraphFilter::All
            || graphs.len() <= GRAPHS_ASKED_MAX && graphs.into_iter().all(|graph| self.contains(graph))
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

impl From<&QuadPattern> for EdgePattern {
    /// Returns the pattern of the edges whose quads match.
    fn from(pattern: &QuadPattern) -> EdgePattern {
        let QuadPattern { subject, predicate, object, graph } = pattern.clone();
        EdgePattern { subject, predicate, object, graph, ..EdgePattern::default() }
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

    /// Returns what the edges that match are sorted by.
    pub fn sort_key(&self, edge: &Edge) -> [TermId; 5] {
        let Edge { subject, predicate, object, graph, edge } = *edge;
        match self {
            EdgePattern { edge: Some(_), .. }
            | EdgePattern { subject: None, object: None, order: EdgeOrder::Edge, .. } => {
                [edge, subject, predicate, object, graph]
            }
            EdgePattern { subject: None, object: Some(_), .. }
            | EdgePattern { subject: None, order: EdgeOrder::Object, .. } => {
                [predicate, object, subject, graph, edge]
            }
            _ => [predicate, subject, object, graph, edge],
        }
    }
}
