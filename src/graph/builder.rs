//! `RunBuilder`: from parsed quads to a run, in memory.

use oxrdf::TermRef;

use super::terms::{SortedTerms, TermSet};
use super::write::{WrittenRun, write_run};
use super::{Malformed, WriteError};
use crate::block::BlockSink;
use crate::crypto::EpochKey;
use crate::model::{DictionaryId, GraphName, NamedOrBlankNode, Quad, Term, TermId, TermKind};

/// Gathers quads in any order, repetitions included.
///
/// Takes 32 bytes a quad, and each distinct term once.
#[derive(Default)]
pub struct RunBuilder {
    terms: TermSet,
    /// Ids are given in the order of arrival until the terms are sorted.
    quads: Vec<Quad>,
}

impl RunBuilder {
    pub fn new() -> RunBuilder {
        RunBuilder::default()
    }

    /// Adds a quad.
    ///
    /// # Errors
    /// If a term of it is too long or too deep for a dictionary; the quad is not added then.
    pub fn insert(&mut self, quad: &oxrdf::Quad) -> Result<(), Malformed> {
        let graph = match &quad.graph_name {
            GraphName::DefaultGraph => TermId::UNDEFINED,
            GraphName::NamedNode(name) => self.intern(name.as_ref(), TermKind::NamedNode)?,
            GraphName::BlankNode(node) => self.intern(node.as_ref(), TermKind::BlankNode)?,
        };
        let subject = match &quad.subject {
            NamedOrBlankNode::NamedNode(name) => self.intern(name.as_ref(), TermKind::NamedNode)?,
            NamedOrBlankNode::BlankNode(node) => self.intern(node.as_ref(), TermKind::BlankNode)?,
        };
        let predicate = self.intern(quad.predicate.as_ref(), TermKind::NamedNode)?;
        let inline = match &quad.object {
            Term::Literal(literal) => TermId::inline(literal),
            _ => None,
        };
        let object = match inline {
            Some(id) => id,
            None => self.intern(quad.object.as_ref(), TermKind::of(&quad.object))?,
        };
        self.quads.push(Quad { subject, predicate, object, graph });
        Ok(())
    }

    /// Returns how many quads were added, repetitions included.
    pub fn len(&self) -> usize {
        self.quads.len()
    }

    pub fn is_empty(&self) -> bool {
        self.quads.is_empty()
    }

    /// Sorts the terms and returns them with the quads in their final ids.
    pub fn into_parts(self) -> (SortedTerms, Vec<Quad>) {
        let (terms, ranks) = self.terms.into_sorted();
        let mut quads = self.quads;
        let ranked = |id: TermId| match id.as_dictionary() {
            Some(DictionaryId { kind, layer, rank: number }) => {
                let rank = u64::from(ranks[number as usize]);
                TermId::dictionary(DictionaryId { kind, layer, rank })
            }
            None => id,
        };
        for quad in &mut quads {
            *quad = Quad {
                subject: ranked(quad.subject),
                predicate: ranked(quad.predicate),
                object: ranked(quad.object),
                graph: ranked(quad.graph),
            };
        }
        (terms, quads)
    }

    /// Writes all of it as a run; the same quads give the same run, whatever their order.
    pub fn write(self, key: &EpochKey, sink: &dyn BlockSink) -> Result<WrittenRun, WriteError> {
        let (terms, quads) = self.into_parts();
        write_run(&terms, quads, key, sink)
    }

    fn intern<'a>(&mut self, term: impl Into<TermRef<'a>>, kind: TermKind) -> Result<TermId, Malformed> {
        let number = u64::from(self.terms.insert(term)?);
        Ok(TermId::dictionary(DictionaryId { kind, layer: 0, rank: number }))
    }
}
