//! `TermId`: the u64 that stands for a term in every column.

use std::fmt;
use std::ops::RangeInclusive;

use super::term::{Term, xsd};

/// A term as a u64: small values inline, the others by dictionary rank.
///
/// ```text
/// 63      60 59                                                0
/// +---------+---------------------------------------------------+
/// |  kind   |                     payload                       |
/// +---------+---------------------------------------------------+
/// kind 0        undefined (only the all-zero word)
/// kinds 1..=6   dictionary: layer (12 bits), rank in that layer (48 bits)
/// kinds 7..=13  inline value, see `model::inline`
/// kind 15       local: an index into the values that one query computed
/// ```
///
/// Within one snapshot, equal ids are equal terms (RDF term equality, lexical form included) and
/// different ids are different terms. Within the dictionary of a base run (layer 0), id order is term
/// order (`compare_terms`), but for triple terms, which are in the order of their parts' ids; what came after it, and datasets in memory, number terms as they arrive.
/// Ids of different snapshots, or local ids of different queries, say nothing
/// about each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TermId(u64);

/// What a term is, as far as its id tells without a dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TermKind {
    /// No value: SPARQL's unbound and error, Cypher's null.
    Undefined = 0,
    BlankNode = 1,
    NamedNode = 2,
    /// An RDF 1.2 triple term.
    Triple = 3,
    /// An `xsd:string` literal.
    String = 4,
    /// An `rdf:langString` or `rdf:dirLangString` literal.
    LangString = 5,
    /// Any other literal that is not inline.
    TypedLiteral = 6,
    /// An inline `xsd:boolean`.
    Boolean = 7,
    /// An inline `xsd:integer` in -2^59..2^59.
    Integer = 8,
    /// An inline `xsd:decimal`.
    Decimal = 9,
    /// An inline `xsd:double`.
    Double = 10,
    /// An inline `xsd:date` without time zone.
    Date = 11,
    /// An inline `xsd:dateTime` without time zone or in UTC (`Z`).
    DateTime = 12,
    /// An inline `xsd:time` without time zone or in UTC (`Z`).
    Time = 13,
    /// A value that a query computed; only that query can say what it is.
    Local = 15,
}

impl TermKind {
    /// Returns the dictionary kind of a term (an inline literal's own kind is told by its id).
    pub fn of(term: &Term) -> TermKind {
        match term {
            Term::NamedNode(_) => TermKind::NamedNode,
            Term::BlankNode(_) => TermKind::BlankNode,
            Term::Triple(_) => TermKind::Triple,
            Term::Literal(literal) if literal.language().is_some() => TermKind::LangString,
            Term::Literal(literal) if literal.datatype() == xsd::STRING => TermKind::String,
            Term::Literal(_) => TermKind::TypedLiteral,
        }
    }
}

/// Where a dictionary id points: layer 0 is the base, higher layers are runs and change sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DictionaryId {
    pub kind: TermKind,
    /// Below 2^12.
    pub layer: u16,
    /// Below 2^48.
    pub rank: u64,
}

const PAYLOAD_BITS: u32 = 60;
const PAYLOAD_MASK: u64 = (1 << PAYLOAD_BITS) - 1;
const RANK_BITS: u32 = 48;
const RANK_MASK: u64 = (1 << RANK_BITS) - 1;

impl TermId {
    /// No value; the default graph where a graph is meant; the least of all ids.
    pub const UNDEFINED: TermId = TermId(0);
    pub const MAX: TermId = TermId(u64::MAX);
    /// How many dictionary layers there can be.
    pub const LAYERS: u16 = 1 << 12;
    /// Where the kind begins in the bits of an id, for those who work on bits.
    pub const KIND_SHIFT: u32 = PAYLOAD_BITS;
    /// Where the layer begins in the bits of a dictionary id; below it stands the rank.
    pub const LAYER_SHIFT: u32 = RANK_BITS;

    /// Returns the id of rank `rank` in dictionary layer `layer`.
    ///
    /// # Panics
    /// If `kind` is not a dictionary kind, or layer or rank do not fit.
    pub fn dictionary(id: DictionaryId) -> TermId {
        assert!((1..=6).contains(&(id.kind as u8)) && id.layer < TermId::LAYERS && id.rank <= RANK_MASK);
        TermId::pack(id.kind, u64::from(id.layer) << RANK_BITS | id.rank)
    }

    /// Returns the id of the `index`th value that a query computed.
    ///
    /// # Panics
    /// If `index` does not fit into 60 bits.
    pub fn local(index: usize) -> TermId {
        assert!(index as u64 <= PAYLOAD_MASK);
        TermId::pack(TermKind::Local, index as u64)
    }

    /// Packs a kind and its payload; for this room's inline codes.
    pub(super) fn pack(kind: TermKind, payload: u64) -> TermId {
        debug_assert!(payload <= PAYLOAD_MASK);
        TermId((kind as u64) << PAYLOAD_BITS | payload)
    }

    pub fn kind(self) -> TermKind {
        match self.0 >> PAYLOAD_BITS {
            1 => TermKind::BlankNode,
            2 => TermKind::NamedNode,
            3 => TermKind::Triple,
            4 => TermKind::String,
            5 => TermKind::LangString,
            6 => TermKind::TypedLiteral,
            7 => TermKind::Boolean,
            8 => TermKind::Integer,
            9 => TermKind::Decimal,
            10 => TermKind::Double,
            11 => TermKind::Date,
            12 => TermKind::DateTime,
            13 => TermKind::Time,
            15 => TermKind::Local,
            _ => TermKind::Undefined,
        }
    }

    pub(super) fn payload(self) -> u64 {
        self.0 & PAYLOAD_MASK
    }

    pub fn is_undefined(self) -> bool {
        self.0 == 0
    }

    /// Returns whether the id itself carries the value (no dictionary, no query needed).
    pub fn is_inline(self) -> bool {
        (7..=13).contains(&(self.0 >> PAYLOAD_BITS))
    }

    pub fn as_dictionary(self) -> Option<DictionaryId> {
        let kind = self.kind();
        (1..=6).contains(&(kind as u8)).then(|| DictionaryId {
            kind,
            layer: (self.payload() >> RANK_BITS) as u16,
            rank: self.payload() & RANK_MASK,
        })
    }

    /// Returns the index among the query's computed values, if this is a local id.
    pub fn as_local(self) -> Option<usize> {
        (self.kind() == TermKind::Local).then(|| self.payload() as usize)
    }

    /// Returns the raw word; its meaning is drawn above. For encoders.
    pub fn to_bits(self) -> u64 {
        self.0
    }

    /// Rebuilds an id from its raw word, or `None` if the word is of no valid kind.
    pub fn from_bits(bits: u64) -> Option<TermId> {
        is_valid(bits).then_some(TermId(bits))
    }

    /// Returns all words of a kind, whether or not they are in use.
    pub fn all_of(kind: TermKind) -> RangeInclusive<TermId> {
        TermId::pack(kind, 0)..=TermId::pack(kind, PAYLOAD_MASK)
    }

    /// Appends the ids of many raw words; `None`, and nothing appended, if one is of no valid kind.
    pub fn append_from_bits(words: &[u64], out: &mut Vec<TermId>) -> Option<()> {
        // Without a branch: a column has thousands of words, and none of them is wrong.
        words.iter().fold(true, |valid, word| valid & is_valid(*word)).then_some(())?;
        out.extend(words.iter().map(|word| TermId(*word)));
        Some(())
    }
}

fn is_valid(bits: u64) -> bool {
    /// A bit for each kind that there is.
    const KINDS: u64 = 0b1011_1111_1111_1110;
    KINDS >> (bits >> PAYLOAD_BITS) & 1 == 1 || bits == 0
}

impl fmt::Debug for TermId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.as_dictionary(), self.as_local()) {
            (Some(d), _) => write!(f, "{:?}#{}.{}", d.kind, d.layer, d.rank),
            (_, Some(index)) => write!(f, "Local#{index}"),
            _ => write!(f, "{:?}({})", self.kind(), self.payload()),
        }
    }
}
