//! Gathering quads on several threads: each thread has a [`Gatherer`], and what it gathers becomes
//! sorted [`Part`]s, laid down in scratch space when memory runs out.

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::interner::Interner;
use super::part::Part;
use super::term_key::{TERM_BYTES_MAX, put_lang_string_key, put_triple_start_key, put_typed_literal_key};
use super::{Malformed, WriteError};
use crate::block::Scratch;
use crate::model::{GraphName, Literal, NamedNode, NamedOrBlankNode, TermId, TermKind, pg};

/// A memory budget below this is taken for this.
const MEMORY_BYTES_MIN: usize = 1 << 20;
/// How much of the budget gathering takes: sorting a full part takes more for a while.
const GATHERED_PART: usize = 2;

/// Where all that is gathered comes together.
pub struct Gathering<'a> {
    scratch: &'a dyn Scratch,
    /// How many bytes each gatherer may hold.
    memory_bytes: usize,
    next_layer: AtomicU16,
    quads: AtomicU64,
    parts: Mutex<Vec<Part>>,
}

impl<'a> Gathering<'a> {
    /// Makes room for `gatherers` that together take at most about `memory_bytes`; their parts are
    /// layers from `first_layer` on.
    pub fn new(
        scratch: &'a dyn Scratch,
        memory_bytes: usize,
        gatherers: usize,
        first_layer: u16,
    ) -> Gathering<'a> {
        let memory_bytes = (memory_bytes / GATHERED_PART / gatherers).max(MEMORY_BYTES_MIN);
        Gathering {
            scratch,
            memory_bytes,
            next_layer: AtomicU16::new(first_layer),
            quads: AtomicU64::new(0),
            parts: Mutex::default(),
        }
    }

    pub fn gatherer(&self) -> Gatherer<'_> {
        Gatherer {
            gathering: self,
            interner: Interner::default(),
            rows: Vec::new(),
            reifier_rows: Vec::new(),
            counted: 0,
            key: Vec::new(),
        }
    }

    /// Returns how many quads were gathered so far, repetitions included.
    pub fn quads(&self) -> u64 {
        self.quads.load(Ordering::Relaxed)
    }

    /// Returns the parts, once all gatherers are finished.
    pub fn into_parts(self) -> Vec<Part> {
        self.parts.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, interner: Interner, rows: Vec<[u64; 4]>, lay_down: bool) -> Result<(), WriteError> {
        let layer = self.next_layer.fetch_add(1, Ordering::Relaxed);
        if layer >= TermId::LAYERS {
            return Err(WriteError::Term(Malformed(
                "there are too many quads for the memory that may be used",
            )));
        }
        let mut part = Part::of(layer, interner, rows);
        if lay_down {
            part.lay_down(self.scratch)?;
        }
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).push(part);
        Ok(())
    }
}

/// The terms of a quad as they stand in a line of N-Quads, without escapes.
pub struct PlainQuad<'a> {
    pub subject: PlainNode<'a>,
    pub predicate: &'a str,
    pub object: PlainTerm<'a>,
    pub graph: Option<PlainNode<'a>>,
}

#[derive(Clone, Copy)]
pub enum PlainNode<'a> {
    Iri(&'a str),
    /// A label, and what is put before it.
    Blank(&'a str, &'a str),
}

#[derive(Clone, Copy)]
pub enum PlainTerm<'a> {
    Node(PlainNode<'a>),
    String(&'a str),
    LangString(&'a str, &'a str),
    Typed(&'a str, &'a str),
    /// A literal by its inline id.
    Inline(TermId),
}

impl PlainNode<'_> {
    /// Returns how many bytes its text has.
    fn len(self) -> usize {
        match self {
            PlainNode::Iri(iri) => iri.len(),
            PlainNode::Blank(prefix, label) => prefix.len() + label.len(),
        }
    }
}

impl PlainTerm<'_> {
    /// Returns how many bytes its texts have.
    fn len(self) -> usize {
        match self {
            PlainTerm::Node(node) => node.len(),
            PlainTerm::String(value) => value.len(),
            PlainTerm::LangString(value, more) | PlainTerm::Typed(value, more) => value.len() + more.len(),
            PlainTerm::Inline(_) => 0,
        }
    }
}

/// Why a plain quad was not taken.
#[derive(Debug)]
pub enum Refused {
    /// An IRI or a language tag is not well-formed, or no dictionary can hold a term.
    Term,
    Write(WriteError),
}

/// Gathers quads of one thread, in any order, repetitions included.
pub struct Gatherer<'a> {
    gathering: &'a Gathering<'a>,
    interner: Interner,
    rows: Vec<[u64; 4]>,
    /// The rows of reifiers, which mostly come sorted, as others do: mixed they would not.
    reifier_rows: Vec<[u64; 4]>,
    /// How many of the rows were counted.
    counted: usize,
    key: Vec<u8>,
}

impl Gatherer<'_> {
    /// Adds a quad.
    ///
    /// # Errors
    /// If a term of it is too long or too deep for a dictionary; the quad is not added then.
    pub fn insert(&mut self, quad: &oxrdf::Quad) -> Result<(), WriteError> {
        let row = self.row_of(quad).map_err(WriteError::Term)?;
        self.push(row)
    }

    fn row_of(&mut self, quad: &oxrdf::Quad) -> Result<[u64; 4], Malformed> {
        let graph = match &quad.graph_name {
            GraphName::DefaultGraph => TermId::UNDEFINED,
            GraphName::NamedNode(name) => self.interner.insert(name.as_ref())?,
            GraphName::BlankNode(node) => self.interner.insert(node.as_ref())?,
        };
        let subject = match &quad.subject {
            NamedOrBlankNode::NamedNode(name) => self.interner.insert(name.as_ref())?,
            NamedOrBlankNode::BlankNode(node) => self.interner.insert(node.as_ref())?,
        };
        let predicate = self.interner.insert(quad.predicate.as_ref())?;
        let object = self.interner.insert(quad.object.as_ref())?;
        Ok([subject, predicate, object, graph].map(TermId::to_bits))
    }

    /// Adds a quad whose IRIs and language tags `is_valid` has yet to look at; it is asked once for each
    /// that is new here.
    pub fn insert_plain(
        &mut self,
        quad: &PlainQuad<'_>,
        is_valid: &impl Fn(PlainTerm<'_>) -> bool,
    ) -> Result<(), Refused> {
        let row = self.plain_row(quad, is_valid)?;
        self.push(row).map_err(Refused::Write)
    }

    fn plain_row(
        &mut self,
        quad: &PlainQuad<'_>,
        is_valid: &impl Fn(PlainTerm<'_>) -> bool,
    ) -> Result<[u64; 4], Refused> {
        let graph = match quad.graph {
            Some(graph) => self.plain(PlainTerm::Node(graph), is_valid)?,
            None => 0,
        };
        let subject = self.plain(PlainTerm::Node(quad.subject), is_valid)?;
        let predicate = self.plain(PlainTerm::Node(PlainNode::Iri(quad.predicate)), is_valid)?;
        let object = self.plain(quad.object, is_valid)?;
        Ok([subject, predicate, object, graph])
    }

    fn plain(
        &mut self,
        term: PlainTerm<'_>,
        is_valid: &impl Fn(PlainTerm<'_>) -> bool,
    ) -> Result<u64, Refused> {
        if let Some(id) = inline_id(term) {
            return Ok(id.to_bits());
        }
        let key = &mut self.key;
        key.clear();
        let kind = put_plain_key(key, term);
        if key.len() > TERM_BYTES_MAX {
            return Err(Refused::Term);
        }
        let found = self.interner.insert_key_if(key, |_| is_valid(term));
        let number = found.ok_or(Refused::Term)?;
        Ok((kind as u64) << TermId::KIND_SHIFT | u64::from(number))
    }

    /// Adds a quad whose triple a blank node reifies, and quads of that node: keys and values of an edge. IRIs are
    /// asked about as by [`Gatherer::insert_plain`]. The label of `reifier`, of which the first part is put before
    /// the other, stands in nothing else that is gathered.
    pub fn insert_edge<'p>(
        &mut self,
        quad: &PlainQuad<'_>,
        reifier: [&str; 2],
        properties: impl Iterator<Item = (&'p str, PlainTerm<'p>)>,
        is_valid: &impl Fn(PlainTerm<'_>) -> bool,
    ) -> Result<(), Refused> {
        let (start, of_reifiers) = (self.rows.len(), self.reifier_rows.len());
        let rows = self.put_edge(quad, reifier, properties, is_valid);
        if rows.is_err() {
            self.rows.truncate(start);
            self.reifier_rows.truncate(of_reifiers);
        }
        rows?;
        self.pushed(start + of_reifiers).map_err(Refused::Write)
    }

    fn put_edge<'p>(
        &mut self,
        quad: &PlainQuad<'_>,
        [prefix, label]: [&str; 2],
        properties: impl Iterator<Item = (&'p str, PlainTerm<'p>)>,
        is_valid: &impl Fn(PlainTerm<'_>) -> bool,
    ) -> Result<(), Refused> {
        let row = self.plain_row(quad, is_valid)?;
        let [subject, predicate, object, graph] = row;
        self.rows.push(row);
        if !self.is_short_triple(quad) {
            return Err(Refused::Term);
        }
        let triple = self.interner.push_triple([subject, predicate, object]);
        self.key.clear();
        let kind = put_plain_key(&mut self.key, PlainTerm::Node(PlainNode::Blank(prefix, label)));
        let reifier = (kind as u64) << TermId::KIND_SHIFT | u64::from(self.interner.push_key(&self.key));
        let reifies = self.plain(PlainTerm::Node(PlainNode::Iri(pg::REIFIES.as_str())), is_valid)?;
        self.reifier_rows.push([reifier, reifies, triple.to_bits(), graph]);
        for (key, value) in properties {
            let key = self.plain(PlainTerm::Node(PlainNode::Iri(key)), is_valid)?;
            let value = self.plain(value, is_valid)?;
            self.reifier_rows.push([reifier, key, value, graph]);
        }
        Ok(())
    }

    /// Returns whether the triple term of a quad is no longer than dictionaries hold.
    fn is_short_triple(&mut self, quad: &PlainQuad<'_>) -> bool {
        let bytes = quad.subject.len() + quad.predicate.len() + quad.object.len();
        // Zero bytes take two, and there are few others.
        if bytes < TERM_BYTES_MAX / 4 {
            return true;
        }
        let (mut subject, mut predicate) = (Vec::new(), Vec::new());
        put_plain_key(&mut subject, PlainTerm::Node(quad.subject));
        put_plain_key(&mut predicate, PlainTerm::Node(PlainNode::Iri(quad.predicate)));
        self.key.clear();
        put_triple_start_key(&mut self.key, &subject, &predicate);
        put_plain_key(&mut self.key, quad.object);
        self.key.len() <= TERM_BYTES_MAX
    }

    fn push(&mut self, row: [u64; 4]) -> Result<(), WriteError> {
        self.rows.push(row);
        self.pushed(self.len() - 1)
    }

    fn len(&self) -> usize {
        self.rows.len() + self.reifier_rows.len()
    }

    /// Looks at memory from time to time; there were `before` rows.
    fn pushed(&mut self, before: usize) -> Result<(), WriteError> {
        const ROWS_BETWEEN: usize = 1024;
        if self.len() / ROWS_BETWEEN == before / ROWS_BETWEEN {
            return Ok(());
        }
        self.count();
        let rows_bytes = (self.rows.capacity() + self.reifier_rows.capacity()) * size_of::<[u64; 4]>();
        if self.interner.memory_bytes() + rows_bytes > self.gathering.memory_bytes {
            self.end_part(true)?;
        }
        Ok(())
    }

    fn count(&mut self) {
        let fresh = self.len() - self.counted;
        self.counted = self.len();
        self.gathering.quads.fetch_add(fresh as u64, Ordering::Relaxed);
    }

    fn end_part(&mut self, lay_down: bool) -> Result<(), WriteError> {
        let interner = std::mem::take(&mut self.interner);
        // Blank nodes come before IRIs.
        let mut rows = std::mem::take(&mut self.reifier_rows);
        rows.append(&mut self.rows);
        self.rows = Vec::new();
        self.counted = 0;
        self.gathering.add(interner, rows, lay_down)
    }

    /// Hands over what was gathered last.
    pub fn finish(mut self) -> Result<(), WriteError> {
        self.count();
        if self.len() == 0 { Ok(()) } else { self.end_part(false) }
    }
}

/// Returns the id of a term that is inline.
fn inline_id(term: PlainTerm<'_>) -> Option<TermId> {
    match term {
        PlainTerm::Inline(id) => Some(id),
        PlainTerm::Typed(value, datatype) if TermId::has_inline(datatype) => {
            TermId::inline(&Literal::new_typed_literal(value, NamedNode::new_unchecked(datatype)))
        }
        _ => None,
    }
}

/// Appends the key of a term; returns its kind.
fn put_plain_key(key: &mut Vec<u8>, term: PlainTerm<'_>) -> TermKind {
    match term {
        PlainTerm::Node(PlainNode::Iri(iri)) => {
            key.push(TermKind::NamedNode as u8);
            key.extend_from_slice(iri.as_bytes());
            TermKind::NamedNode
        }
        PlainTerm::Node(PlainNode::Blank(prefix, label)) => {
            key.push(TermKind::BlankNode as u8);
            key.extend_from_slice(prefix.as_bytes());
            key.extend_from_slice(label.as_bytes());
            TermKind::BlankNode
        }
        PlainTerm::String(value) => {
            key.push(TermKind::String as u8);
            key.extend_from_slice(value.as_bytes());
            TermKind::String
        }
        PlainTerm::LangString(value, language) => {
            put_lang_string_key(key, value, language, None);
            TermKind::LangString
        }
        PlainTerm::Typed(value, datatype) => {
            put_typed_literal_key(key, value, datatype);
            TermKind::TypedLiteral
        }
        PlainTerm::Inline(id) => {
            let literal = id.to_literal().expect("inline ids are of literals");
            put_typed_literal_key(key, literal.value(), literal.datatype().as_str());
            TermKind::TypedLiteral
        }
    }
}

/// Gathers quads on this thread, all in memory.
pub fn gather<'q>(quads: impl IntoIterator<Item = &'q oxrdf::Quad>) -> Result<Vec<Part>, WriteError> {
    let gathering = Gathering::new(&crate::block::MemoryScratch, usize::MAX / 4, 1, 0);
    let mut gatherer = gathering.gatherer();
    for quad in quads {
        gatherer.insert(quad)?;
    }
    gatherer.finish()?;
    Ok(gathering.into_parts())
}
