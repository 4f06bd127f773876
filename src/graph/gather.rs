//! Gathering quads on several threads: each thread has a [`Gatherer`], and what it gathers becomes
//! sorted [`Part`]s, laid down in scratch space when memory runs out.

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::interner::Interner;
use super::part::Part;
use super::plain_term::{IriConstant, IriSeries, PlainNode, PlainQuad, PlainTerm};
use super::term_key::TERM_BYTES_MAX;
use super::{Malformed, WriteError};
use crate::block::Scratch;
use crate::model::{GraphName, NamedOrBlankNode, TermId, TermKind, pg};

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
            constants: Vec::new(),
            reifies: None,
            numbered: Vec::new(),
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
    /// The ids of the constants that came, by their places.
    constants: Vec<Option<u64>>,
    /// That of `rdf:reifies`, if it came with an edge.
    reifies: Option<u64>,
    /// The ids of the nodes of each series, by their numbers.
    numbered: Vec<FxHashMap<u64, u64>>,
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
        let predicate = self.plain(PlainTerm::Node(quad.predicate), is_valid)?;
        let object = self.plain(quad.object, is_valid)?;
        Ok([subject, predicate, object, graph])
    }

    fn plain(
        &mut self,
        term: PlainTerm<'_>,
        is_valid: &impl Fn(PlainTerm<'_>) -> bool,
    ) -> Result<u64, Refused> {
        match term {
            PlainTerm::Node(PlainNode::Constant(constant)) => self.constant(constant, is_valid),
            PlainTerm::Node(PlainNode::Numbered(series, number)) => self.numbered(series, number, is_valid),
            term => match term.inline_id() {
                Some(id) => Ok(id.to_bits()),
                None => self.intern(term, is_valid),
            },
        }
    }

    fn constant(
        &mut self,
        constant: &IriConstant,
        is_valid: &impl Fn(PlainTerm<'_>) -> bool,
    ) -> Result<u64, Refused> {
        if let Some(Some(id)) = self.constants.get(constant.place) {
            return Ok(*id);
        }
        let id = self.intern(PlainTerm::Node(PlainNode::Constant(constant)), is_valid)?;
        if self.constants.len() <= constant.place {
            self.constants.resize(constant.place + 1, None);
        }
        self.constants[constant.place] = Some(id);
        Ok(id)
    }

    /// The text of one that came before is not looked at.
    fn numbered(
        &mut self,
        series: &IriSeries,
        number: u64,
        is_valid: &impl Fn(PlainTerm<'_>) -> bool,
    ) -> Result<u64, Refused> {
        if self.numbered.len() <= series.place {
            self.numbered.resize_with(series.place + 1, FxHashMap::default);
        }
        if let Some(id) = self.numbered[series.place].get(&number) {
            return Ok(*id);
        }
        let id = self.intern(PlainTerm::Node(PlainNode::Numbered(series, number)), is_valid)?;
        self.numbered[series.place].insert(number, id);
        Ok(id)
    }

    fn intern(
        &mut self,
        term: PlainTerm<'_>,
        is_valid: &impl Fn(PlainTerm<'_>) -> bool,
    ) -> Result<u64, Refused> {
        let key = &mut self.key;
        key.clear();
        let kind = term.put_key(key);
        if key.len() > TERM_BYTES_MAX {
            return Err(Refused::Term);
        }
        let number = self.interner.insert_key_if(key, |_| is_valid(term)).ok_or(Refused::Term)?;
        Ok(id_of(kind, number))
    }

    /// Adds a quad whose triple a blank node reifies, and quads of that node: keys and values of an edge. IRIs are
    /// asked about as by [`Gatherer::insert_plain`]. The label of `reifier`, of which the first part is put before
    /// the other, stands in nothing else that is gathered.
    pub fn insert_edge<'p>(
        &mut self,
        quad: &PlainQuad<'_>,
        reifier: [&str; 2],
        properties: impl Iterator<Item = (PlainNode<'p>, PlainTerm<'p>)>,
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
        properties: impl Iterator<Item = (PlainNode<'p>, PlainTerm<'p>)>,
        is_valid: &impl Fn(PlainTerm<'_>) -> bool,
    ) -> Result<(), Refused> {
        let row = self.plain_row(quad, is_valid)?;
        let [subject, predicate, object, graph] = row;
        self.rows.push(row);
        if !quad.is_short_triple() {
            return Err(Refused::Term);
        }
        let triple = self.interner.push_triple([subject, predicate, object]);
        self.key.clear();
        let kind = PlainTerm::Node(PlainNode::Blank(prefix, label)).put_key(&mut self.key);
        let reifier = id_of(kind, self.interner.push_key(&self.key));
        let reifies = self.reifies(is_valid)?;
        self.reifier_rows.push([reifier, reifies, triple.to_bits(), graph]);
        for (key, value) in properties {
            let key = self.plain(PlainTerm::Node(key), is_valid)?;
            let value = self.plain(value, is_valid)?;
            self.reifier_rows.push([reifier, key, value, graph]);
        }
        Ok(())
    }

    fn reifies(&mut self, is_valid: &impl Fn(PlainTerm<'_>) -> bool) -> Result<u64, Refused> {
        if let Some(reifies) = self.reifies {
            return Ok(reifies);
        }
        let reifies = self.intern(PlainTerm::Node(PlainNode::Iri(pg::REIFIES.as_str())), is_valid)?;
        self.reifies = Some(reifies);
        Ok(reifies)
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
        let numbered: usize = self.numbered.iter().map(FxHashMap::capacity).sum();
        let numbered_bytes = numbered * size_of::<(u64, u64)>();
        if self.interner.memory_bytes() + rows_bytes + numbered_bytes > self.gathering.memory_bytes {
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
        (self.constants, self.reifies, self.numbered) = Default::default();
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

fn id_of(kind: TermKind, number: u32) -> u64 {
    (kind as u64) << TermId::KIND_SHIFT | u64::from(number)
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
