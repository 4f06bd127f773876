//! Merging the terms of all layers into one dictionary, and from ids of layers to ids of the run.

use std::collections::HashMap;

use rustc_hash::FxHashMap;

use super::WriteError;
use super::layer::{Input, Layer, RankSet, RankedTriple, TermStream, Triples};
use super::ordered_terms::is_literal;
use super::term_key::{TRIPLE_DEPTH_MAX, TripleKey, datatype_of_key, kind_of_key, parse_term_key};
use crate::model::{NamedNode, Term, TermId, TermKind, pg, rdf, xsd};

const KIND_SHIFT: u32 = TermId::KIND_SHIFT;
const LAYER_SHIFT: u32 = TermId::LAYER_SHIFT;
const RANK_MASK: u64 = (1 << LAYER_SHIFT) - 1;
const LAYER_MASK: u64 = (1 << (KIND_SHIFT - LAYER_SHIFT)) - 1;
/// A rank that no term has.
const NONE: u64 = u64::MAX;
/// Marks the rank of a literal while it leaves triple terms out.
const LITERAL: u64 = 1 << 63;
/// The place of a layer that the input lacks.
const NOWHERE: u16 = u16::MAX;

/// The terms of a run in the making: where each term of each layer went.
pub struct MergedTerms<'a> {
    layers: Vec<(u16, &'a dyn Layer)>,
    /// For each layer, by rank, the rank in the run.
    ranks: Vec<Vec<u64>>,
    /// The place of each layer, by number.
    places: Vec<u16>,
    /// The layer that the run's own terms are of.
    layer: u16,
    /// Terms by kind, blank nodes first.
    pub by_kind: [u64; 6],
    datatypes: Vec<NamedNode>,
    /// The datatypes of literals with a language and of typed ones, by rank from the first of them on.
    datatype_of: Vec<u32>,
    /// The parts of triple terms, by rank from the first of them on.
    triples: Vec<[u64; 3]>,
    /// The ranks of two IRIs that writing asks for.
    rdf_type: Option<u64>,
    reifies: Option<u64>,
}

/// Merges all layers of `input`; hands each term's key to `visit`, with how many bytes the term takes in full: first
/// nodes, then literals, then triple terms, if it `has_triples`, each kind in order. Ids of layers that `input` lacks stay as they are.
pub fn merge_terms<'a>(
    input: &Input<'a>,
    layer: u16,
    has_triples: bool,
    mut visit: impl FnMut(&[u8], usize) -> Result<(), WriteError>,
) -> Result<MergedTerms<'a>, WriteError> {
    let mut merged = MergedTerms::new(input, layer);
    if !has_triples {
        merged.merge_simple(0, |key| visit(key, key.len()))?;
        return Ok(merged);
    }
    let mut lengths = Vec::new();
    merged.merge_simple(LITERAL, |key| {
        lengths.push(key.len() as u32);
        visit(key, key.len())
    })?;
    let ends = merged.merge_triples()?;
    merged.visit_triples(&ends, &lengths, visit)?;
    Ok(merged)
}

/// Puts a stream where it belongs; mostly its next key is the least.
fn settle<'t>(
    streams: &mut Vec<(usize, Box<dyn TermStream + 't>)>,
    stream: (usize, Box<dyn TermStream + 't>),
) {
    let key = stream.1.key();
    let is_least = streams.last().is_none_or(|(_, next)| key < next.key());
    let place = match is_least {
        true => streams.len(),
        false => streams.partition_point(|(_, other)| other.key() > key),
    };
    streams.insert(place, stream);
}

/// Walks the triple terms of a layer.
struct TripleWalk<'a> {
    triples: std::iter::Peekable<Triples<'a>>,
    is_sorted: bool,
    /// Those of one depth, if they do not come sorted: the least comes last.
    sorted: Vec<([u64; 3], u64)>,
}

impl<'a> TripleWalk<'a> {
    fn of(layer: &'a dyn Layer) -> Result<TripleWalk<'a>, WriteError> {
        let (triples, is_sorted) = (layer.triples()?.peekable(), layer.has_sorted_triples());
        Ok(TripleWalk { triples, is_sorted, sorted: Vec::new() })
    }

    /// Returns the ids in the run of the parts of the next triple term of a depth, and its rank in the layer. All that
    /// are less deep must have their ranks.
    fn next(&mut self, depth: u8, merged: &MergedTerms<'_>) -> Result<Option<([u64; 3], u64)>, WriteError> {
        if self.is_sorted {
            return self.take(depth, merged).transpose();
        }
        if self.sorted.is_empty() {
            while let Some(next) = self.take(depth, merged).transpose()? {
                self.sorted.push(next);
            }
            self.sorted.sort_unstable_by(|a, b| b.cmp(a));
        }
        Ok(self.sorted.pop())
    }

    fn take(&mut self, depth: u8, merged: &MergedTerms<'_>) -> Option<Result<([u64; 3], u64), WriteError>> {
        let is_next = |next: &Result<RankedTriple, WriteError>| {
            next.as_ref().map_or(true, |triple| triple.key.depth == depth)
        };
        let next = self.triples.next_if(is_next)?;
        Some(next.map(|triple| (triple.key.parts.map(|part| merged.id(part)), triple.rank)))
    }
}

impl<'a> MergedTerms<'a> {
    fn new(input: &Input<'a>, layer: u16) -> MergedTerms<'a> {
        let highest = input.layers.iter().map(|(number, _)| *number).max().unwrap_or(0);
        let mut places = vec![NOWHERE; usize::from(highest) + 1];
        for (place, (number, _)) in input.layers.iter().enumerate() {
            places[usize::from(*number)] = place as u16;
        }
        MergedTerms {
            layers: input.layers.clone(),
            ranks: input.layers.iter().map(|(_, layer)| vec![NONE; layer.rank_end() as usize]).collect(),
            places,
            layer,
            by_kind: [0; 6],
            datatypes: Vec::new(),
            datatype_of: Vec::new(),
            triples: Vec::new(),
            rdf_type: None,
            reifies: None,
        }
    }

    /// Merges what is no triple term. The ranks of literals are marked so, if triple terms will be merged: they leave
    /// those out as yet.
    fn merge_simple(
        &mut self,
        literal_mark: u64,
        mut visit: impl FnMut(&[u8]) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        let layers = self.layers.clone();
        let mut streams = Vec::with_capacity(layers.len());
        for (place, (_, layer)) in layers.iter().enumerate() {
            let mut terms = layer.terms()?;
            if terms.advance()? {
                streams.push((place, terms));
            }
        }
        // The stream with the least key comes last.
        streams.sort_by(|a, b| b.1.key().cmp(a.1.key()));
        let (mut key, mut rank, mut datatypes) = (Vec::new(), 0, HashMap::new());
        let mut at_key = Vec::with_capacity(streams.len());
        while let Some((_, least)) = streams.last() {
            key.clear();
            key.extend_from_slice(least.key());
            visit(&key)?;
            let is_literal = self.note(&key, &mut datatypes) > TermKind::Triple;
            let mark = if is_literal { literal_mark } else { 0 };
            // All that are at this key go on at once, so that they need not pass each other.
            let equal = streams.iter().rev().take_while(|(_, terms)| terms.key() == key).count();
            at_key.extend(streams.drain(streams.len() - equal..));
            for (place, mut terms) in at_key.drain(..) {
                self.ranks[place][terms.rank() as usize] = rank | mark;
                if terms.advance()? {
                    settle(&mut streams, (place, terms));
                }
            }
            rank += 1;
        }
        Ok(())
    }

    /// Merges triple terms, depth by depth, so that those within others have their ranks then, and gives literals
    /// theirs. Returns where the triple terms of each depth end.
    fn merge_triples(&mut self) -> Result<Vec<usize>, WriteError> {
        let start = self.node_count();
        let layers = self.layers.clone();
        let mut walks = Vec::with_capacity(layers.len());
        for (_, layer) in &layers {
            walks.push(TripleWalk::of(*layer)?);
        }
        let (mut triples, mut ends) = (Vec::new(), Vec::new());
        for depth in 1..=TRIPLE_DEPTH_MAX {
            // The walk with the least triple comes last.
            let mut heads = Vec::with_capacity(walks.len());
            for (place, walk) in walks.iter_mut().enumerate() {
                heads.extend(walk.next(depth, self)?.map(|(parts, rank)| (parts, place, rank)));
            }
            heads.sort_unstable_by(|a, b| b.cmp(a));
            let begin = triples.len();
            while let Some((parts, place, rank)) = heads.pop() {
                if triples.len() == begin || triples.last() != Some(&parts) {
                    triples.push(parts);
                }
                self.ranks[place][rank as usize] = start + triples.len() as u64 - 1;
                if let Some((parts, rank)) = walks[place].next(depth, self)? {
                    let head = (parts, place, rank);
                    heads.insert(heads.partition_point(|other| *other > head), head);
                }
            }
            ends.push(triples.len());
        }
        let count = triples.len() as u64;
        self.by_kind[TermKind::Triple as usize - 1] = count;
        for rank in self.ranks.iter_mut().flatten().filter(|rank| **rank != NONE && **rank & LITERAL != 0) {
            *rank = (*rank & !LITERAL) + count;
        }
        for [_, _, object] in triples.iter_mut().filter(|[_, _, object]| is_literal(*object)) {
            *object += count;
        }
        self.triples = triples;
        Ok(ends)
    }

    /// Hands out the keys of triple terms, those of each depth up to its end; `lengths` are those of other terms.
    fn visit_triples(
        &self,
        ends: &[usize],
        lengths: &[u32],
        mut visit: impl FnMut(&[u8], usize) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        let (nodes, count) = (self.node_count() as usize, self.triples.len());
        let (mut own, mut bytes): (Vec<u32>, _) = (Vec::with_capacity(count), Vec::new());
        for (depth, end) in (1..).zip(ends) {
            for parts in &self.triples[own.len()..*end] {
                let key = TripleKey { depth, parts: *parts };
                let length = |rank: usize| match rank {
                    _ if rank < nodes => lengths.get(rank),
                    _ if rank < nodes + count => own.get(rank - nodes),
                    _ => lengths.get(rank - count),
                };
                let expanded_bytes = key.expanded_bytes(|rank| Some(*length(rank)? as usize));
                let expanded_bytes = expanded_bytes.expect("parts were merged");
                own.push(expanded_bytes as u32);
                bytes.clear();
                key.put(&mut bytes);
                visit(&bytes, expanded_bytes)?;
            }
        }
        Ok(())
    }

    /// Notes what a key, the next in order, tells; returns its kind.
    fn note(&mut self, key: &[u8], known: &mut HashMap<Vec<u8>, u32>) -> TermKind {
        let kind = kind_of_key(key).expect("keys begin with their kind");
        if kind == TermKind::NamedNode {
            for (name, rank) in [(rdf::TYPE, &mut self.rdf_type), (pg::REIFIES, &mut self.reifies)] {
                if key.get(1..) == Some(name.as_str().as_bytes()) {
                    *rank = Some(self.by_kind.iter().sum());
                }
            }
        }
        self.by_kind[kind as usize - 1] += 1;
        let Some(datatype) = datatype_of_key(key) else { return kind };
        let index = match known.get(datatype) {
            Some(index) => *index,
            None => {
                let index = self.datatypes.len() as u32;
                let name = std::str::from_utf8(datatype).expect("keys were made from terms");
                self.datatypes.push(NamedNode::new_unchecked(name));
                known.insert(datatype.to_vec(), index);
                index
            }
        };
        self.datatype_of.push(index);
        kind
    }

    /// Returns how many terms there are.
    pub fn len(&self) -> u64 {
        self.by_kind.iter().sum()
    }

    /// Returns how many terms can be nodes: blank nodes and IRIs, which come first.
    pub fn node_count(&self) -> u64 {
        self.start_of(TermKind::Triple)
    }

    fn start_of(&self, kind: TermKind) -> u64 {
        self.by_kind[..kind as usize - 1].iter().sum()
    }

    /// Returns the id in the run of an id of some layer.
    ///
    /// # Panics
    /// If the layer does not have the term.
    pub fn id(&self, bits: u64) -> u64 {
        if !(1..=6).contains(&(bits >> KIND_SHIFT)) {
            return bits;
        }
        let number = (bits >> LAYER_SHIFT & LAYER_MASK) as usize;
        match self.places.get(number) {
            None | Some(&NOWHERE) => bits,
            Some(place) => {
                let rank = self.ranks[usize::from(*place)][(bits & RANK_MASK) as usize];
                assert!(rank != NONE, "rows use terms of their layers");
                // Only triple terms are asked about while ranks are marked.
                let rank = rank & !LITERAL;
                bits >> KIND_SHIFT << KIND_SHIFT | u64::from(self.layer) << LAYER_SHIFT | rank
            }
        }
    }

    /// Returns subject, predicate and object of a triple term of the run.
    pub fn parts(&self, bits: u64) -> Option<[u64; 3]> {
        let id = TermId::from_bits(bits)?.as_dictionary().filter(|id| id.kind == TermKind::Triple)?;
        if id.layer != self.layer {
            return None;
        }
        self.triples.get(id.rank.checked_sub(self.start_of(TermKind::Triple))? as usize).copied()
    }

    /// Returns the id of `rdf:type`, if it is among the terms.
    pub fn rdf_type(&self) -> Option<u64> {
        self.rdf_type.map(|rank| self.iri(rank))
    }

    /// Returns the id of `rdf:reifies`, if it is among the terms.
    pub fn reifies(&self) -> Option<u64> {
        self.reifies.map(|rank| self.iri(rank))
    }

    fn iri(&self, rank: u64) -> u64 {
        (TermKind::NamedNode as u64) << KIND_SHIFT | u64::from(self.layer) << LAYER_SHIFT | rank
    }

    /// Returns the datatype of a literal of the run, `None` for what is no literal.
    pub fn datatype(&self, bits: u64) -> Option<NamedNode> {
        let id = TermId::from_bits(bits)?;
        match id.kind() {
            TermKind::String => Some(xsd::STRING.into_owned()),
            TermKind::LangString | TermKind::TypedLiteral => {
                let rank = id.as_dictionary()?.rank;
                let index =
                    self.datatype_of.get(rank.checked_sub(self.start_of(TermKind::LangString))? as usize);
                self.datatypes.get(*index? as usize).cloned()
            }
            _ => id.to_literal().map(|literal| literal.datatype().into_owned()),
        }
    }

    /// Returns the index of the datatype of a literal that has no kind of its own.
    pub fn datatype_index(&self, bits: u64) -> Option<u32> {
        let id = TermId::from_bits(bits)?.as_dictionary()?;
        let start = self.start_of(TermKind::LangString);
        self.datatype_of.get(id.rank.checked_sub(start)? as usize).copied()
    }

    pub fn datatype_at(&self, index: u32) -> &NamedNode {
        &self.datatypes[index as usize]
    }

    /// Returns the names of these ids of the run, those that are IRIs.
    pub fn names(&self, mut ids: Vec<u64>) -> Result<FxHashMap<u64, NamedNode>, WriteError> {
        ids.retain(|bits| bits >> KIND_SHIFT == TermKind::NamedNode as u64);
        let mut wanted = RankSet::with_capacity(self.len());
        for bits in &ids {
            wanted.insert(bits & RANK_MASK);
        }
        let mut names = FxHashMap::default();
        for (place, (_, layer)) in self.layers.iter().enumerate() {
            let ranks = self.ranks[place].iter().enumerate();
            // A layer may have to be read up to the term, so that it is not asked for those of another.
            let is_wanted =
                |rank: u64| rank != NONE && wanted.contains(rank) && !names.contains_key(&self.iri(rank));
            let found = ranks.filter(|(_, rank)| is_wanted(**rank));
            let (locals, found): (Vec<u64>, Vec<u64>) =
                found.map(|(local, rank)| (local as u64, self.iri(*rank))).unzip();
            for (bits, key) in found.into_iter().zip(layer.keys_of(&locals)?) {
                if let Ok(Term::NamedNode(name)) = parse_term_key(&key) {
                    names.insert(bits, name);
                }
            }
        }
        Ok(names)
    }
}
