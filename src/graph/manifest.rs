//! The manifest of a run: a root block, index pages, and through them every block that a run has.
//!
//! All pages are held in memory once a run is open, so that a query knows every block that it needs
//! before it asks for the first. Drawn in `docs/block_format.md`.
#![deny(clippy::indexing_slicing)]

use super::cursor::{Cursor, Malformed, put_bytes, put_u16, put_u32, put_u64};
use super::rows::{Row, WIDTH_MAX};
use crate::block::{BlockId, BlockKind};
use crate::model::{GraphFilter, TermId};

/// The version of everything that a manifest names. Versions 1 and 2 had other doubles inline, so that a term may
/// have another id in them.
pub const FORMAT_VERSION: u16 = 5;
/// How many entries an index page holds, unless it is the last of its section.
pub const PAGE_ENTRIES: usize = 1000;
/// How many bytes of statistics a page holds, unless it is the last.
pub const CHUNK_BYTES: usize = 64 << 10;
/// A separator is cut to this; what follows must not rely on it telling blocks apart.
pub const SEPARATOR_BYTES_MAX: usize = 256;
/// A block with more graphs than this is known by the least and the greatest of them.
const GRAPHS_LISTED_MAX: usize = 8;
const GRAPHS_RANGE: u8 = 0xFF;
const MAGIC: &[u8; 8] = b"reefrun1";

/// A part of a run: the blocks of one order, or of one kind of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Section {
    Dictionary = 1,
    Spo = 2,
    Pso = 3,
    Pos = 4,
    Ops = 5,
    /// This and the next are there if the workspace keeps these orders.
    Sop = 6,
    Osp = 7,
    /// Edges by predicate, subject, object, graph, edge.
    EdgesPso = 8,
    /// Edges by predicate, object, subject, graph, edge.
    EdgesPos = 9,
    /// Edges by edge, subject, predicate, object, graph.
    EdgesByEdge = 10,
    Statistics = 16,
    Schema = 17,
}

impl Section {
    pub const ALL: [Section; 12] = [
        Section::Dictionary,
        Section::Spo,
        Section::Pso,
        Section::Pos,
        Section::Ops,
        Section::Sop,
        Section::Osp,
        Section::EdgesPso,
        Section::EdgesPos,
        Section::EdgesByEdge,
        Section::Statistics,
        Section::Schema,
    ];

    /// Returns how many ids a row has, 0 for what has no rows.
    pub fn width(self) -> usize {
        match self {
            Section::Spo | Section::Pso | Section::Pos | Section::Ops | Section::Sop | Section::Osp => 4,
            Section::EdgesPso | Section::EdgesPos | Section::EdgesByEdge => 5,
            Section::Dictionary | Section::Statistics | Section::Schema => 0,
        }
    }

    /// Returns the kind of the blocks that its entries name.
    pub fn block_kind(self) -> BlockKind {
        match self.width() {
            4 => BlockKind::Permutation,
            5 => BlockKind::Edges,
            _ => BlockKind::Dictionary,
        }
    }

    /// Returns which place of a row is the graph.
    pub fn graph_place(self) -> usize {
        if self == Section::EdgesByEdge { 4 } else { 3 }
    }

    pub fn name(self) -> &'static str {
        match self {
            Section::Dictionary => "dictionary",
            Section::Spo => "spo",
            Section::Pso => "pso",
            Section::Pos => "pos",
            Section::Ops => "ops",
            Section::Sop => "sop",
            Section::Osp => "osp",
            Section::EdgesPso => "edgesPso",
            Section::EdgesPos => "edgesPos",
            Section::EdgesByEdge => "edgesByEdge",
            Section::Statistics => "statistics",
            Section::Schema => "schema",
        }
    }

    fn from_code(code: u8) -> Option<Section> {
        Section::ALL.into_iter().find(|section| *section as u8 == code)
    }
}

/// The root of a manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Root {
    /// Terms by kind, blank nodes first; their sum is the size of the dictionary.
    pub terms_by_kind: [u64; 6],
    pub quads: u64,
    pub edges: u64,
    pub pages: Vec<PageEntry>,
}

/// What the root says of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageEntry {
    pub section: Section,
    pub id: BlockId,
}

impl Root {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        put_u16(&mut out, FORMAT_VERSION);
        for count in self.terms_by_kind {
            put_u64(&mut out, count);
        }
        put_u64(&mut out, self.quads);
        put_u64(&mut out, self.edges);
        put_u32(&mut out, self.pages.len() as u32);
        for page in &self.pages {
            out.push(page.section as u8);
            out.extend_from_slice(page.id.as_bytes());
        }
        out
    }

    pub fn decode(content: &[u8]) -> Result<Root, Malformed> {
        let mut cursor = Cursor::new(content);
        if cursor.take(MAGIC.len())? != MAGIC {
            return Err(Malformed("it is no manifest"));
        }
        if cursor.u16()? != FORMAT_VERSION {
            return Err(Malformed("the manifest is of a format version that this program does not read"));
        }
        let mut root = Root::default();
        for count in &mut root.terms_by_kind {
            *count = cursor.u64()?;
        }
        let total = root.terms_by_kind.iter().try_fold(0u64, |sum, count| sum.checked_add(*count));
        if total.is_none_or(|total| total > 1 << 48) {
            return Err(Malformed("there are more terms than ids"));
        }
        (root.quads, root.edges) = (cursor.u64()?, cursor.u64()?);
        let count = cursor.u32()? as usize;
        if count > cursor.remaining() / 33 {
            return Err(Malformed("the manifest ends too early"));
        }
        for _ in 0..count {
            let section = Section::from_code(cursor.u8()?).ok_or(Malformed("a section is unknown"))?;
            root.pages.push(PageEntry { section, id: BlockId::from_bytes(cursor.hash()?) });
        }
        cursor.end()?;
        Ok(root)
    }
}

/// What an index page says of a block of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowEntry {
    pub first: Row,
    pub rows: u32,
    /// Sealed bytes.
    pub bytes: u32,
    pub id: BlockId,
    pub graphs: GraphSet,
}

/// The graphs of the rows of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GraphSet {
    /// Exactly these, sorted.
    Listed(Vec<u64>),
    /// More than are listed, none outside.
    Range(u64, u64),
}

impl GraphSet {
    pub fn of(graphs: impl Iterator<Item = u64>) -> GraphSet {
        let mut all: Vec<u64> = graphs.collect();
        all.sort_unstable();
        all.dedup();
        match (all.first(), all.last()) {
            (Some(least), Some(greatest)) if all.len() > GRAPHS_LISTED_MAX => {
                GraphSet::Range(*least, *greatest)
            }
            _ => GraphSet::Listed(all),
        }
    }

    /// Returns whether a row of the block may pass the filter.
    pub fn may_match(&self, filter: &GraphFilter) -> bool {
        match (self, filter) {
            (_, GraphFilter::All) => true,
            (GraphSet::Listed(graphs), filter) => {
                graphs.iter().any(|graph| TermId::from_bits(*graph).is_some_and(|id| filter.contains(id)))
            }
            (GraphSet::Range(..), GraphFilter::Named) => true,
            (GraphSet::Range(low, high), GraphFilter::One(graph)) => {
                (*low..=*high).contains(&graph.to_bits())
            }
            (GraphSet::Range(low, high), GraphFilter::Among(graphs)) => {
                graphs.iter().any(|graph| (*low..=*high).contains(&graph.to_bits()))
            }
        }
    }
}

/// What an index page says of a dictionary block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TermsEntry {
    pub separator: Vec<u8>,
    pub terms: u32,
    /// Sealed bytes.
    pub bytes: u32,
    pub id: BlockId,
}

/// Encodes a page of rows; its entries are all of `section`.
pub fn encode_row_page(section: Section, entries: &[RowEntry]) -> Vec<u8> {
    let mut out = vec![section as u8];
    put_u16(&mut out, entries.len() as u16);
    for entry in entries {
        for id in entry.first.iter().take(section.width()) {
            put_u64(&mut out, *id);
        }
        put_u32(&mut out, entry.rows);
        put_u32(&mut out, entry.bytes);
        out.extend_from_slice(entry.id.as_bytes());
        match &entry.graphs {
            GraphSet::Listed(graphs) => {
                out.push(graphs.len() as u8);
                graphs.iter().for_each(|graph| put_u64(&mut out, *graph));
            }
            GraphSet::Range(low, high) => {
                out.push(GRAPHS_RANGE);
                put_u64(&mut out, *low);
                put_u64(&mut out, *high);
            }
        }
    }
    out
}

pub fn decode_row_page(section: Section, content: &[u8]) -> Result<Vec<RowEntry>, Malformed> {
    let (mut cursor, count) = page_header(section, content, section.width() * 8 + 41)?;
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        let mut first = [0; WIDTH_MAX];
        for id in first.iter_mut().take(section.width()) {
            *id = cursor.u64()?;
        }
        let (rows, bytes) = (cursor.u32()?, cursor.u32()?);
        let id = BlockId::from_bytes(cursor.hash()?);
        let graphs = match cursor.u8()? {
            GRAPHS_RANGE => GraphSet::Range(cursor.u64()?, cursor.u64()?),
            len if usize::from(len) <= GRAPHS_LISTED_MAX => {
                GraphSet::Listed((0..len).map(|_| cursor.u64()).collect::<Result<_, _>>()?)
            }
            _ => return Err(Malformed("a graph set is too large")),
        };
        entries.push(RowEntry { first, rows, bytes, id, graphs });
    }
    cursor.end()?;
    Ok(entries)
}

pub fn encode_terms_page(entries: &[TermsEntry]) -> Vec<u8> {
    let mut out = vec![Section::Dictionary as u8];
    put_u16(&mut out, entries.len() as u16);
    for entry in entries {
        put_bytes(&mut out, &entry.separator);
        put_u32(&mut out, entry.terms);
        put_u32(&mut out, entry.bytes);
        out.extend_from_slice(entry.id.as_bytes());
    }
    out
}

pub fn decode_terms_page(content: &[u8]) -> Result<Vec<TermsEntry>, Malformed> {
    let (mut cursor, count) = page_header(Section::Dictionary, content, 41)?;
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        let separator = cursor.bytes()?.to_vec();
        let (terms, bytes) = (cursor.u32()?, cursor.u32()?);
        entries.push(TermsEntry { separator, terms, bytes, id: BlockId::from_bytes(cursor.hash()?) });
    }
    cursor.end()?;
    Ok(entries)
}

/// Encodes one chunk of the bytes of a section that has no entries.
pub fn encode_chunk(section: Section, chunk: &[u8]) -> Vec<u8> {
    [&[section as u8], chunk].concat()
}

pub fn decode_chunk(section: Section, content: &[u8]) -> Result<&[u8], Malformed> {
    match content.split_first() {
        Some((code, chunk)) if *code == section as u8 => Ok(chunk),
        _ => Err(Malformed("a page is of another section")),
    }
}

fn page_header(
    section: Section,
    content: &[u8],
    entry_bytes_min: usize,
) -> Result<(Cursor<'_>, usize), Malformed> {
    let mut cursor = Cursor::new(content);
    if cursor.u8()? != section as u8 {
        return Err(Malformed("a page is of another section"));
    }
    let count = usize::from(cursor.u16()?);
    if count > PAGE_ENTRIES || count * entry_bytes_min > cursor.remaining() {
        return Err(Malformed("a page has too many entries"));
    }
    Ok((cursor, count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row_entry(seed: u64) -> RowEntry {
        RowEntry {
            first: [seed, 2, 3, 4, 0],
            rows: 7,
            bytes: 100,
            id: BlockId::of(&seed.to_le_bytes()),
            graphs: GraphSet::of(0..seed % 20),
        }
    }

    #[test]
    fn pages_read_back() {
        let rows: Vec<RowEntry> = (0..PAGE_ENTRIES as u64).map(row_entry).collect();
        assert_eq!(decode_row_page(Section::Pos, &encode_row_page(Section::Pos, &rows)), Ok(rows.clone()));
        assert!(decode_row_page(Section::Pso, &encode_row_page(Section::Pos, &rows)).is_err());
        let terms = vec![TermsEntry { separator: b"ab".to_vec(), terms: 3, bytes: 9, id: BlockId::of(b"x") }];
        assert_eq!(decode_terms_page(&encode_terms_page(&terms)), Ok(terms));
        let pages = Section::ALL.map(|section| PageEntry { section, id: BlockId::of(&[section as u8]) });
        let root = Root { terms_by_kind: [1, 2, 3, 4, 5, 6], quads: 9, edges: 1, pages: pages.to_vec() };
        assert_eq!(Root::decode(&root.encode()), Ok(root));
    }

    #[test]
    fn graph_sets_prune_only_what_cannot_match() {
        let one = |graph| GraphFilter::One(TermId::from_bits(graph).unwrap());
        let graph = |n: u64| 2 << 60 | n;
        let few = GraphSet::of([0, graph(4)].into_iter());
        let many = GraphSet::of((10..30).map(graph));
        for (set, filter, expected) in [
            (&few, GraphFilter::All, true),
            (&few, GraphFilter::Named, true),
            (&few, one(0), true),
            (&few, one(graph(3)), false),
            (&many, one(graph(3)), false),
            (&many, one(graph(15)), true),
            (&many, GraphFilter::Among(Vec::new()), false),
            (&GraphSet::of([0].into_iter()), GraphFilter::Named, false),
        ] {
            assert_eq!(set.may_match(&filter), expected, "{set:?} {filter:?}");
        }
    }

    fn any_id() -> impl Strategy<Value = BlockId> {
        any::<[u8; 32]>().prop_map(BlockId::from_bytes)
    }

    prop_compose! {
        fn any_root()(
            terms_by_kind in proptest::array::uniform6(0u64..1 << 45),
            quads: u64,
            edges: u64,
            pages in proptest::collection::vec((0..Section::ALL.len(), any_id()), 0..20),
        ) -> Root {
            let page = |(section, id)| PageEntry { section: Section::ALL[section], id };
            Root { terms_by_kind, quads, edges, pages: pages.into_iter().map(page).collect() }
        }
    }

    prop_compose! {
        fn any_row_entry(width: usize)(
            mut first: Row,
            rows: u32,
            bytes: u32,
            id in any_id(),
            graphs in proptest::collection::vec(any::<u64>(), 0..12),
        ) -> RowEntry {
            first[width..].fill(0);
            RowEntry { first, rows, bytes, id, graphs: GraphSet::of(graphs.into_iter()) }
        }
    }

    prop_compose! {
        fn any_terms_entry()(separator: Vec<u8>, terms: u32, bytes: u32, id in any_id()) -> TermsEntry {
            TermsEntry { separator, terms, bytes, id }
        }
    }

    proptest! {
        #[test]
        fn any_manifest_reads_back(
            root in any_root(),
            quads in proptest::collection::vec(any_row_entry(4), 0..20),
            edges in proptest::collection::vec(any_row_entry(5), 0..20),
            terms in proptest::collection::vec(any_terms_entry(), 0..20),
        ) {
            prop_assert_eq!(Root::decode(&root.encode()), Ok(root));
            prop_assert_eq!(decode_row_page(Section::Ops, &encode_row_page(Section::Ops, &quads)), Ok(quads));
            let page = encode_row_page(Section::EdgesByEdge, &edges);
            prop_assert_eq!(decode_row_page(Section::EdgesByEdge, &page), Ok(edges));
            prop_assert_eq!(decode_terms_page(&encode_terms_page(&terms)), Ok(terms));
        }

        #[test]
        fn changed_bytes_never_panic(count in 0u64..30, at: prop::sample::Index, byte: u8, foreign: Vec<u8>) {
            let rows: Vec<RowEntry> = (0..count).map(row_entry).collect();
            let root = Root { pages: vec![PageEntry { section: Section::Spo, id: BlockId::of(b"x") }], ..Root::default() };
            for mut content in [encode_row_page(Section::Pos, &rows), root.encode(), foreign] {
                if !content.is_empty() {
                    let at = at.index(content.len());
                    content[at] = byte;
                }
                let _ = (decode_row_page(Section::Pos, &content), decode_terms_page(&content), Root::decode(&content));
            }
        }
    }
}
