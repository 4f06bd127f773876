//! What a run is written from: layers of sorted terms, and rows of their ids.
//!
//! A load brings one layer for each piece of its input; a fold brings the base's dictionary and the
//! terms that came after it. Rows name terms by layer and rank; writing gives all of them new ranks.

use super::WriteError;
use super::part::Part;
use super::term_key::{TripleKey, check_size, depth_of, put_term_key};
use crate::model::{Term, TermId, TermKind};

/// A triple term of a layer; its parts may have ids of other layers.
#[derive(Clone, Copy, Debug)]
pub struct RankedTriple {
    pub rank: u64,
    pub key: TripleKey,
}

/// Walks sorted, distinct terms, none of which is a triple term.
pub trait TermStream {
    /// Goes on to the next term; returns whether there is one.
    fn advance(&mut self) -> Result<bool, WriteError>;

    /// Returns the rank, within its layer, of the term at hand.
    fn rank(&self) -> u64;

    /// Returns the key of the term at hand.
    fn key(&self) -> &[u8];
}

/// Distinct triple terms, by depth; perhaps sorted, see [`Layer::has_sorted_triples`].
pub type Triples<'a> = Box<dyn Iterator<Item = Result<RankedTriple, WriteError>> + 'a>;

/// Terms by rank, sorted.
pub trait Layer: Sync {
    /// Returns a bound that all ranks are below.
    fn rank_end(&self) -> u64;

    /// Walks all terms but triple terms.
    fn terms(&self) -> Result<Box<dyn TermStream + '_>, WriteError>;

    fn triples(&self) -> Result<Triples<'_>, WriteError>;

    /// Returns whether triple terms come sorted by their keys, and their parts are of this layer.
    fn has_sorted_triples(&self) -> bool {
        true
    }

    /// Returns the keys of these ranks, which are sorted and those of no triple terms.
    fn keys_of(&self, ranks: &[u64]) -> Result<Vec<Vec<u8>>, WriteError>;
}

/// Hands out rows some at a time.
pub trait RowStream<const N: usize> {
    /// Replaces `rows` by the next ones; leaves it empty at the end.
    fn fill(&mut self, rows: &mut Vec<[u64; N]>) -> Result<(), WriteError>;
}

/// Hands all rows of a stream to `visit`, some at a time.
pub fn for_each_rows<const N: usize>(
    stream: &mut dyn RowStream<N>,
    mut visit: impl FnMut(&[[u64; N]]) -> Result<(), WriteError>,
) -> Result<(), WriteError> {
    let mut rows = Vec::new();
    loop {
        stream.fill(&mut rows)?;
        if rows.is_empty() {
            return Ok(());
        }
        visit(&rows)?;
    }
}

/// In which order a source hands out its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowOrder {
    /// In none.
    Unsorted,
    /// Those all of whose dictionary ids are of this layer come sorted, each once; others stand between them.
    SortedOf(u16),
    /// They come sorted, each once, and their dictionary ids are of one layer.
    Sorted,
}

/// Quads as rows of subject, predicate, object, graph. Can be walked any number of times.
pub trait RowSource: Sync {
    fn order(&self) -> RowOrder;

    fn rows(&self) -> Result<Box<dyn RowStream<4> + '_>, WriteError>;
}

/// Layers by their number, and the rows of their ids.
#[derive(Clone, Default)]
pub struct Input<'a> {
    pub layers: Vec<(u16, &'a dyn Layer)>,
    pub rows: Vec<&'a dyn RowSource>,
}

impl<'a> Input<'a> {
    /// Takes the terms and the rows of all parts of a load.
    pub fn of_parts(parts: &'a [Part]) -> Input<'a> {
        Input {
            layers: parts.iter().map(|part| (part.layer(), part as &dyn Layer)).collect(),
            rows: parts.iter().map(|part| part as &dyn RowSource).collect(),
        }
    }

    pub fn has_triples(&self) -> Result<bool, WriteError> {
        for (_, layer) in &self.layers {
            if layer.triples()?.next().transpose()?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A set of ranks.
#[derive(Clone, Default)]
pub struct RankSet {
    words: Vec<u64>,
}

impl RankSet {
    pub fn with_capacity(len: u64) -> RankSet {
        RankSet { words: vec![0; len.div_ceil(64) as usize] }
    }

    pub fn contains(&self, rank: u64) -> bool {
        self.words.get((rank / 64) as usize).is_some_and(|word| word >> (rank % 64) & 1 == 1)
    }

    /// Adds a rank; returns whether it is new.
    ///
    /// # Panics
    /// If it is past the capacity.
    pub fn insert(&mut self, rank: u64) -> bool {
        let word = &mut self.words[(rank / 64) as usize];
        let is_new = *word >> (rank % 64) & 1 == 0;
        *word |= 1 << (rank % 64);
        is_new
    }
}

/// Finds which terms the rows use, the parts of triple terms included: for each layer of `input`.
pub fn used_terms(input: &Input<'_>) -> Result<Vec<RankSet>, WriteError> {
    let mut used = Used {
        places: input.layers.iter().map(|(number, _)| *number).collect(),
        sets: input.layers.iter().map(|(_, layer)| RankSet::with_capacity(layer.rank_end())).collect(),
    };
    let mut has_triples = false;
    for source in &input.rows {
        for_each_rows(&mut *source.rows()?, |rows| {
            for id in rows.as_flattened() {
                has_triples |= used.mark(*id) && kind_of(*id) == Some(TermKind::Triple);
            }
            Ok(())
        })?;
    }
    // A part may be a triple term itself, of a lower or a higher rank.
    while std::mem::take(&mut has_triples) {
        for (place, (_, layer)) in input.layers.iter().enumerate() {
            for triple in layer.triples()? {
                let RankedTriple { rank, key } = triple?;
                if used.sets[place].contains(rank) {
                    for part in key.parts {
                        has_triples |= used.mark(part) && kind_of(part) == Some(TermKind::Triple);
                    }
                }
            }
        }
    }
    Ok(used.sets)
}

struct Used {
    places: Vec<u16>,
    sets: Vec<RankSet>,
}

impl Used {
    /// Marks an id; returns whether that is new.
    fn mark(&mut self, bits: u64) -> bool {
        let Some(id) = TermId::from_bits(bits).and_then(TermId::as_dictionary) else { return false };
        let place = self.places.iter().position(|number| *number == id.layer);
        self.sets[place.expect("rows name layers of their input")].insert(id.rank)
    }
}

fn kind_of(bits: u64) -> Option<TermKind> {
    TermId::from_bits(bits).map(TermId::kind)
}

/// A layer of which only some terms count.
pub struct UsedLayer<'a> {
    pub layer: &'a dyn Layer,
    pub used: RankSet,
}

impl Layer for UsedLayer<'_> {
    fn rank_end(&self) -> u64 {
        self.layer.rank_end()
    }

    fn terms(&self) -> Result<Box<dyn TermStream + '_>, WriteError> {
        Ok(Box::new(UsedTerms { terms: self.layer.terms()?, used: &self.used }))
    }

    fn triples(&self) -> Result<Triples<'_>, WriteError> {
        let is_used = |triple: &Result<RankedTriple, WriteError>| {
            triple.as_ref().map_or(true, |triple| self.used.contains(triple.rank))
        };
        Ok(Box::new(self.layer.triples()?.filter(is_used)))
    }

    fn has_sorted_triples(&self) -> bool {
        self.layer.has_sorted_triples()
    }

    fn keys_of(&self, ranks: &[u64]) -> Result<Vec<Vec<u8>>, WriteError> {
        self.layer.keys_of(ranks)
    }
}

struct UsedTerms<'a> {
    terms: Box<dyn TermStream + 'a>,
    used: &'a RankSet,
}

impl TermStream for UsedTerms<'_> {
    fn advance(&mut self) -> Result<bool, WriteError> {
        while self.terms.advance()? {
            if self.used.contains(self.terms.rank()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn rank(&self) -> u64 {
        self.terms.rank()
    }

    fn key(&self) -> &[u8] {
        self.terms.key()
    }
}

/// Terms in memory that have ranks in some other order, such as that of their arrival.
pub struct UnsortedLayer {
    /// (key, rank), sorted.
    keys: Vec<(Vec<u8>, u64)>,
    /// By depth.
    triples: Vec<RankedTriple>,
    rank_end: u64,
}

impl UnsortedLayer {
    /// `terms` are (rank, term); `id_of` gives the ids of the parts of triple terms.
    ///
    /// # Errors
    /// If no dictionary can hold one of them.
    pub fn of<'a>(
        terms: impl Iterator<Item = (u64, &'a Term)>,
        id_of: &dyn Fn(&Term) -> Result<TermId, WriteError>,
    ) -> Result<UnsortedLayer, WriteError> {
        let (mut keys, mut triples, mut rank_end) = (Vec::new(), Vec::new(), 0);
        for (rank, term) in terms {
            rank_end = rank_end.max(rank + 1);
            check_size(term.into()).map_err(WriteError::Term)?;
            if let Term::Triple(triple) = term {
                let parts = [
                    id_of(&triple.subject.clone().into())?,
                    id_of(&triple.predicate.clone().into())?,
                    id_of(&triple.object)?,
                ];
                let key = TripleKey { depth: depth_of(term), parts: parts.map(TermId::to_bits) };
                triples.push(RankedTriple { rank, key });
            } else {
                let mut key = Vec::new();
                put_term_key(&mut key, term).map_err(WriteError::Term)?;
                keys.push((key, rank));
            }
        }
        keys.sort_unstable();
        triples.sort_by_key(|triple| triple.key.depth);
        Ok(UnsortedLayer { keys, triples, rank_end })
    }
}

impl Layer for UnsortedLayer {
    fn rank_end(&self) -> u64 {
        self.rank_end
    }

    fn terms(&self) -> Result<Box<dyn TermStream + '_>, WriteError> {
        Ok(Box::new(UnsortedTerms { rest: &self.keys, current: None }))
    }

    fn triples(&self) -> Result<Triples<'_>, WriteError> {
        Ok(Box::new(self.triples.iter().map(|triple| Ok(*triple))))
    }

    fn has_sorted_triples(&self) -> bool {
        false
    }

    fn keys_of(&self, ranks: &[u64]) -> Result<Vec<Vec<u8>>, WriteError> {
        let mut found: Vec<&(Vec<u8>, u64)> =
            self.keys.iter().filter(|(_, rank)| ranks.binary_search(rank).is_ok()).collect();
        found.sort_unstable_by_key(|(_, rank)| *rank);
        Ok(found.into_iter().map(|(key, _)| key.clone()).collect())
    }
}

struct UnsortedTerms<'a> {
    rest: &'a [(Vec<u8>, u64)],
    current: Option<&'a (Vec<u8>, u64)>,
}

impl TermStream for UnsortedTerms<'_> {
    fn advance(&mut self) -> Result<bool, WriteError> {
        self.current = self.rest.first();
        self.rest = self.rest.get(1..).unwrap_or_default();
        Ok(self.current.is_some())
    }

    fn rank(&self) -> u64 {
        self.current.map_or(0, |(_, rank)| *rank)
    }

    fn key(&self) -> &[u8] {
        self.current.map_or(&[], |(key, _)| key)
    }
}
