//! What lowering may know of the data: facts that hold for the whole snapshot.
//!
//! Same text and same schema, same plan. A schema is made from a dataset's statistics (and later
//! from shapes); the empty schema promises nothing and is always right.

use std::collections::BTreeMap;

use crate::model::NamedNode;

/// Facts about the predicates and classes of one snapshot, over all its graphs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    pub predicates: BTreeMap<NamedNode, PredicateInfo>,
    pub classes: BTreeMap<NamedNode, ClassInfo>,
    /// Whether the facts are complete: a predicate that is not listed has no quads.
    pub is_complete: bool,
}

/// Facts about one predicate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PredicateInfo {
    /// Quads, over all graphs.
    pub quads: u64,
    /// No subject has two distinct objects under this predicate, in all graphs together.
    pub is_functional: bool,
    /// Some object is an IRI or blank node.
    pub has_node_objects: bool,
    /// Some object is a literal (or triple term).
    pub has_literal_objects: bool,
    /// Some object is a number whose id does not tell its value: one too large, or in no canonical form.
    pub has_opaque_numbers: bool,
    /// Some quad of this predicate is reified.
    pub has_edges: bool,
    /// Some triple has two reifiers in one graph.
    pub has_parallel_edges: bool,
    /// Each quad leads to a node and has an edge in its graph, and each edge is of such a quad: the edges are the
    /// relationships.
    pub is_reified: bool,
    /// Some subject is its own object.
    pub has_loops: bool,
    /// The datatypes of literal objects, sorted; `rdf:langString` for language-tagged ones.
    pub datatypes: Vec<NamedNode>,
    /// Classes of the node objects, sorted.
    pub object_classes: Vec<NamedNode>,
    /// Classes that every subject has, sorted.
    pub domain: Vec<NamedNode>,
    /// Classes that every object has, sorted; no object is a literal if there are any.
    pub range: Vec<NamedNode>,
}

/// Facts about one class (an object of `rdf:type`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassInfo {
    /// Distinct instances, or more where data were out of reach.
    pub instances: u64,
    /// Predicates that some instance has, sorted.
    pub predicates: Vec<NamedNode>,
    /// Predicates that every instance has, sorted.
    pub total_predicates: Vec<NamedNode>,
    /// Predicates that point to some instance, sorted.
    pub inverse_predicates: Vec<NamedNode>,
}

impl PredicateInfo {
    /// Returns all but the count.
    fn promises(&self) -> ([bool; 8], [&[NamedNode]; 4]) {
        let PredicateInfo { quads: _, is_functional, has_node_objects, has_literal_objects, .. } = *self;
        let PredicateInfo {
            has_opaque_numbers, has_edges, has_parallel_edges, is_reified, has_loops, ..
        } = *self;
        let PredicateInfo { datatypes, object_classes, domain, range, .. } = self;
        let flags = [
            is_functional,
            has_node_objects,
            has_literal_objects,
            has_opaque_numbers,
            has_edges,
            has_parallel_edges,
            is_reified,
            has_loops,
        ];
        (flags, [datatypes, object_classes, domain, range])
    }
}

impl Schema {
    /// Returns whether two schemas say the same but for counts, which every commit changes.
    pub fn promises_like(&self, other: &Schema) -> bool {
        self.is_complete == other.is_complete
            && self.predicates.len() == other.predicates.len()
            && self.classes.len() == other.classes.len()
            && self
                .predicates
                .iter()
                .zip(&other.predicates)
                .all(|((a, a_info), (b, b_info))| a == b && a_info.promises() == b_info.promises())
            && self.classes.iter().zip(&other.classes).all(|((a, a_info), (b, b_info))| {
                a == b
                    && a_info.predicates == b_info.predicates
                    && a_info.total_predicates == b_info.total_predicates
                    && a_info.inverse_predicates == b_info.inverse_predicates
            })
    }

    /// Returns whether no subject has two objects under `predicate`, all of them literals.
    pub fn is_functional_property(&self, predicate: &NamedNode) -> bool {
        match self.predicates.get(predicate) {
            Some(info) => info.is_functional && !info.has_node_objects,
            None => self.is_complete,
        }
    }

    /// Returns whether every quad of `predicate` is a plain relationship: node objects, none reified.
    pub fn is_plain_relationship(&self, predicate: &NamedNode) -> bool {
        match self.predicates.get(predicate) {
            Some(info) => !info.has_literal_objects && !info.has_edges,
            None => self.is_complete,
        }
    }
}
