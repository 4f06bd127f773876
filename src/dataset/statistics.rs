//! Figures for the optimizer. They are hints: a wrong one costs time, never a wrong answer.

use std::collections::HashMap;

use crate::model::TermId;

/// Counts over one snapshot, all graphs together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    pub quads: u64,
    pub distinct_subjects: u64,
    pub distinct_objects: u64,
    pub named_graphs: u64,
    pub predicates: HashMap<TermId, PredicateStatistics>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PredicateStatistics {
    pub quads: u64,
    pub distinct_subjects: u64,
    pub distinct_objects: u64,
    /// Reifiers of quads of this predicate.
    pub edges: u64,
}
