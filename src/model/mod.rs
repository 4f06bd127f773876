//! What data is: terms, values, ids and quads, and how a property graph reads as quads.
//!
//! This room does no I/O, knows no language and no storage. Everything above speaks its words.

mod inline;
pub mod inline_double;
mod order;
mod permutation;
mod property_graph;
mod quad;
mod term;
mod term_id;
mod value;

pub use inline::{civil_from_days, days_from_civil};
pub use order::compare_terms;
pub use permutation::{Permutation, PermutationSet, UnknownPermutation};
pub use property_graph::{Vocabulary, element_id, number_of_id, pg, push_node_id};
pub use quad::{Edge, EdgeOrder, EdgePattern, GraphFilter, Quad, QuadPattern};
pub use term::{
    BlankNode, GraphName, Literal, NamedNode, NamedOrBlankNode, Term, Triple, is_numeric_datatype, rdf,
    rename_blank_nodes, rename_blank_nodes_of_term, xsd,
};
pub use term_id::{DictionaryId, TermId, TermKind};
pub use value::{Duration, Map, NodeValue, PathValue, RelationshipValue, Value};
