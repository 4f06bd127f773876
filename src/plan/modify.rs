//! Changes that a Modify or Merge applies for each row.

use super::{Expression, GraphSelector, Variable};
use crate::model::{NamedNode, Term};

/// One change. Changes of a row apply in order; each sees the state left by those before it.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Inserts the quad unless a part is undefined or not allowed in its place.
    Insert(QuadTemplate),
    /// Deletes the quad, if it is there.
    Delete(QuadTemplate),
    /// Makes a node: binds `node` to a fresh IRI, adds labels and the properties of a map.
    CreateNode {
        node: Variable,
        labels: Vec<String>,
        properties: Option<Expression>,
    },
    /// Makes a relationship from `start` to `end` and binds `edge` to it. Reified if it has
    /// properties or a twin.
    CreateEdge {
        edge: Variable,
        start: Expression,
        name: String,
        end: Expression,
        properties: Option<Expression>,
    },
    /// `SET entity.key = value`; null removes. All old values of the key go.
    SetProperty {
        entity: Expression,
        key: String,
        value: Expression,
    },
    /// `SET entity = map` (`replace`) or `SET entity += map`; the map may be another entity.
    SetProperties {
        entity: Expression,
        map: Expression,
        replace: bool,
    },
    SetLabels {
        node: Expression,
        labels: Vec<String>,
    },
    /// The labels are a string or a list of strings.
    SetDynamicLabels {
        node: Expression,
        labels: Expression,
    },
    RemoveLabels {
        node: Expression,
        labels: Vec<String>,
    },
    /// `DELETE` of a node, relationship or path. Without `detach`, a node that still has
    /// relationships when the clause ends fails the query.
    DeleteEntity {
        entity: Expression,
        detach: bool,
    },
    /// `FOREACH (variable IN list | changes)`.
    ForEach {
        variable: Variable,
        list: Expression,
        changes: Vec<Change>,
    },
    /// SPARQL's CLEAR and DROP (the store keeps no empty graphs).
    Clear {
        target: GraphTarget,
        silent: bool,
    },
    /// SPARQL's CREATE: fails if the graph has quads, unless silent.
    CreateGraph {
        graph: NamedNode,
        silent: bool,
    },
    /// SPARQL's LOAD.
    Load {
        source: NamedNode,
        destination: GraphSelector,
        silent: bool,
    },
}

/// A quad with holes.
#[derive(Clone, Debug, PartialEq)]
pub struct QuadTemplate {
    pub subject: TermTemplate,
    pub predicate: TermTemplate,
    pub object: TermTemplate,
    pub graph: GraphTemplate,
}

#[derive(Clone, Debug, PartialEq)]
pub enum TermTemplate {
    Constant(Term),
    Variable(Variable),
    /// A blank node, fresh for each row; equal labels in a row are one node.
    BlankNode(String),
    Triple(Box<[TermTemplate; 3]>),
}

#[derive(Clone, Debug, PartialEq)]
pub enum GraphTemplate {
    Default,
    Named(NamedNode),
    Variable(Variable),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GraphTarget {
    Default,
    Named(NamedNode),
    AllNamed,
    All,
}
