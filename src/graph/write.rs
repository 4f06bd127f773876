//! Writing a run: sort, encode, seal, put. A pure function of terms, quads and key.

use std::thread;

use super::dictionary::{DictionaryEncoder, EncodedDictionary};
use super::manifest::{
    CHUNK_BYTES, GraphSet, PAGE_ENTRIES, PageEntry, Root, RowEntry, SEPARATOR_BYTES_MAX, Section, TermsEntry,
    encode_chunk, encode_row_page, encode_terms_page,
};
use super::rows::{BLOCK_ROWS, WIDTH_MAX, encode_rows};
use super::survey::Survey;
use super::terms::SortedTerms;
use super::{WriteError, facts};
use crate::block::{BlockError, BlockId, BlockKind, BlockSink, SealedBlock};
use crate::crypto::EpochKey;
use crate::model::{Permutation, Quad, TermId, TermKind, pg};

/// How many sealed blocks are put at once.
const PUT_BLOCKS: usize = 32;

/// A run that was put into a sink. Not durable before the sink is synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenRun {
    /// The manifest's root; all else hangs on it.
    pub root: BlockId,
    /// Distinct quads.
    pub quads: u64,
    pub terms: u64,
    pub edges: u64,
    /// Sealed bytes of all blocks, manifest included.
    pub bytes: u64,
}

/// Writes a run of these quads, whose ids are those of `terms`; repetitions do no harm.
///
/// The bytes depend on the set of quads, the set of terms and the key alone.
///
/// # Errors
/// Those of the sink.
///
/// # Panics
/// If a quad has an id that is not of `terms`.
pub fn write_run(
    terms: &SortedTerms,
    quads: Vec<Quad>,
    key: &EpochKey,
    sink: &dyn BlockSink,
) -> Result<WrittenRun, WriteError> {
    let mut rows: Vec<[u64; 4]> =
        quads.iter().map(|q| [q.subject, q.predicate, q.object, q.graph].map(TermId::to_bits)).collect();
    drop(quads);
    sort_by_two(&mut rows);
    rows.dedup();
    let edges = edges_of(terms, &rows);
    let survey = Survey::begin(terms, &rows, &edges);
    // Two threads: one takes the subject's side, one the object's. Neither waits for the other.
    let (subject_side, object_side) = thread::scope(|scope| {
        let object_side = scope.spawn(|| write_object_side(&rows, &survey, key, sink));
        let subject_side = write_subject_side(terms, &rows, &survey, key, sink);
        let object_side = object_side.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (subject_side, object_side)
    });
    let (mut sections, by_subject) = subject_side?;
    let (more, by_object) = object_side?;
    sections.extend(more);
    sections.extend(write_edges(edges.clone(), key, sink)?);
    let (statistics, schema) = survey.finish(terms, by_subject, by_object);
    for (section, content) in
        [(Section::Statistics, statistics.encode()), (Section::Schema, facts::encode_schema(&schema))]
    {
        let pages = content.chunks(CHUNK_BYTES).map(|chunk| encode_chunk(section, chunk));
        sections.push(put_pages(section, pages, key, sink)?);
    }
    sections.sort_by_key(|written| written.section);
    let root = Root {
        terms_by_kind: DICTIONARY_KINDS.map(|kind| terms.ranks_of(kind).len() as u64),
        quads: rows.len() as u64,
        edges: edges.len() as u64,
        pages: sections.iter().flat_map(|written| written.pages.iter().copied()).collect(),
    };
    let block = SealedBlock::seal(BlockKind::Manifest, &root.encode(), key);
    sink.put(std::slice::from_ref(&block))?;
    Ok(WrittenRun {
        root: block.id(),
        quads: root.quads,
        terms: terms.len() as u64,
        edges: root.edges,
        bytes: sections.iter().map(|written| written.bytes).sum::<u64>() + block.bytes().len() as u64,
    })
}

pub(super) const DICTIONARY_KINDS: [TermKind; 6] = [
    TermKind::BlankNode,
    TermKind::NamedNode,
    TermKind::Triple,
    TermKind::String,
    TermKind::LangString,
    TermKind::TypedLiteral,
];

/// The pages of one section, which are put already, as are the blocks that they name.
struct WrittenSection {
    section: Section,
    pages: Vec<PageEntry>,
    bytes: u64,
}

type Rows = Vec<[u64; 4]>;

/// Sorts on two threads; there is nothing else to do before the first order stands.
fn sort_by_two(rows: &mut Rows) {
    if rows.len() > BLOCK_ROWS {
        let middle = rows.len() / 2;
        let (left, right) = rows.split_at_mut(middle);
        thread::scope(|scope| {
            scope.spawn(|| left.sort_unstable());
            right.sort_unstable();
        });
    }
    // Stable sorting merges what is in order already.
    rows.sort();
}

fn write_subject_side(
    terms: &SortedTerms,
    spo: &Rows,
    survey: &Survey,
    key: &EpochKey,
    sink: &dyn BlockSink,
) -> Result<(Vec<WrittenSection>, super::survey::BySubject), BlockError> {
    let mut sections = vec![write_dictionary(terms, key, sink)?, write_rows(Section::Spo, spo, key, sink)?];
    let pso = reordered(spo, Permutation::Pso);
    sections.push(write_rows(Section::Pso, &pso, key, sink)?);
    Ok((sections, survey.by_subject(spo, &pso)))
}

fn write_object_side(
    spo: &Rows,
    survey: &Survey,
    key: &EpochKey,
    sink: &dyn BlockSink,
) -> Result<(Vec<WrittenSection>, super::survey::ByObject), BlockError> {
    let mut rows = reordered(spo, Permutation::Pos);
    let mut sections = vec![write_rows(Section::Pos, &rows, key, sink)?];
    let mut found = survey.by_object(&rows);
    for row in &mut rows {
        let [p, o, s, g] = *row;
        *row = [o, p, s, g];
    }
    rows.sort_unstable();
    found.distinct_objects = rows.chunk_by(|a, b| a[0] == b[0]).count() as u64;
    sections.push(write_rows(Section::Ops, &rows, key, sink)?);
    Ok((sections, found))
}

fn reordered(spo: &Rows, permutation: Permutation) -> Rows {
    let positions = permutation.positions();
    let mut rows: Rows = spo.iter().map(|row| positions.map(|position| row[position])).collect();
    rows.sort_unstable();
    rows
}

/// Returns the edges (subject, predicate, object, graph, edge) that `rdf:reifies` quads name.
fn edges_of(terms: &SortedTerms, rows: &Rows) -> Vec<[u64; WIDTH_MAX]> {
    let Some(reifies) = terms.id_of(&pg::REIFIES.into_owned().into()) else { return Vec::new() };
    let mut edges = Vec::new();
    for [subject, predicate, object, graph] in rows {
        let triple = TermId::from_bits(*object).filter(|id| id.kind() == TermKind::Triple);
        if let (true, Some(triple)) =
            (*predicate == reifies.to_bits(), triple.and_then(TermId::as_dictionary))
        {
            let [s, p, o] = terms.parts(triple.rank as usize).map(TermId::to_bits);
            edges.push([s, p, o, *graph, *subject]);
        }
    }
    edges
}

type Reorder = fn([u64; WIDTH_MAX]) -> [u64; WIDTH_MAX];

fn write_edges(
    mut edges: Vec<[u64; WIDTH_MAX]>,
    key: &EpochKey,
    sink: &dyn BlockSink,
) -> Result<Vec<WrittenSection>, BlockError> {
    if edges.is_empty() {
        return Ok(Vec::new());
    }
    let mut sections = Vec::new();
    // Each reorders the rows of the one before.
    let orders: [(Section, Reorder); 3] = [
        (Section::EdgesPso, |[s, p, o, g, e]| [p, s, o, g, e]),
        (Section::EdgesPos, |[p, s, o, g, e]| [p, o, s, g, e]),
        (Section::EdgesByEdge, |[p, o, s, g, e]| [e, s, p, o, g]),
    ];
    for (section, reorder) in orders {
        edges.iter_mut().for_each(|row| *row = reorder(*row));
        edges.sort_unstable();
        sections.push(write_rows(section, &edges, key, sink)?);
    }
    Ok(sections)
}

fn write_rows<const N: usize>(
    section: Section,
    rows: &[[u64; N]],
    key: &EpochKey,
    sink: &dyn BlockSink,
) -> Result<WrittenSection, BlockError> {
    let mut out = Output::new(key, sink);
    let mut entries = Vec::with_capacity(rows.len().div_ceil(BLOCK_ROWS));
    for chunk in rows.chunks(BLOCK_ROWS) {
        let (id, bytes) = out.put(section.block_kind(), &encode_rows(chunk))?;
        let mut first = [0; WIDTH_MAX];
        first[..N].copy_from_slice(&chunk[0]);
        let graphs = GraphSet::of(chunk.iter().map(|row| row[section.graph_place()]));
        entries.push(RowEntry { first, rows: chunk.len() as u32, bytes, id, graphs });
    }
    out.flush()?;
    let pages = entries.chunks(PAGE_ENTRIES).map(|page| encode_row_page(section, page));
    let mut written = put_pages(section, pages, key, sink)?;
    written.bytes += out.bytes;
    Ok(written)
}

fn write_dictionary(
    terms: &SortedTerms,
    key: &EpochKey,
    sink: &dyn BlockSink,
) -> Result<WrittenSection, BlockError> {
    let mut out = Output::new(key, sink);
    let mut encoder = DictionaryEncoder::default();
    let mut entries = Vec::new();
    let mut put = |block: EncodedDictionary, out: &mut Output<'_>| -> Result<(), BlockError> {
        let (id, bytes) = out.put(BlockKind::Dictionary, &block.content)?;
        let mut separator = block.separator;
        separator.truncate(SEPARATOR_BYTES_MAX);
        entries.push(TermsEntry { separator, terms: block.terms, bytes, id });
        Ok(())
    };
    for rank in 0..terms.len() {
        if let Some(block) = encoder.push(terms.key(rank)) {
            put(block, &mut out)?;
        }
    }
    if let Some(block) = encoder.finish() {
        put(block, &mut out)?;
    }
    out.flush()?;
    let pages = entries.chunks(PAGE_ENTRIES).map(encode_terms_page);
    let mut written = put_pages(Section::Dictionary, pages, key, sink)?;
    written.bytes += out.bytes;
    Ok(written)
}

fn put_pages(
    section: Section,
    contents: impl Iterator<Item = Vec<u8>>,
    key: &EpochKey,
    sink: &dyn BlockSink,
) -> Result<WrittenSection, BlockError> {
    let mut out = Output::new(key, sink);
    let mut pages = Vec::new();
    for content in contents {
        let (id, _) = out.put(BlockKind::ManifestPage, &content)?;
        pages.push(PageEntry { section, id });
    }
    out.flush()?;
    Ok(WrittenSection { section, pages, bytes: out.bytes })
}

/// Seals blocks and puts them some at a time.
struct Output<'a> {
    key: &'a EpochKey,
    sink: &'a dyn BlockSink,
    waiting: Vec<SealedBlock>,
    bytes: u64,
}

impl<'a> Output<'a> {
    fn new(key: &'a EpochKey, sink: &'a dyn BlockSink) -> Output<'a> {
        Output { key, sink, waiting: Vec::new(), bytes: 0 }
    }

    /// Returns the id of the block and its sealed bytes.
    fn put(&mut self, kind: BlockKind, content: &[u8]) -> Result<(BlockId, u32), BlockError> {
        let block = SealedBlock::seal(kind, content, self.key);
        let (id, bytes) = (block.id(), block.bytes().len() as u32);
        self.bytes += u64::from(bytes);
        self.waiting.push(block);
        if self.waiting.len() >= PUT_BLOCKS {
            self.flush()?;
        }
        Ok((id, bytes))
    }

    fn flush(&mut self) -> Result<(), BlockError> {
        self.sink.put(&self.waiting)?;
        self.waiting.clear();
        Ok(())
    }
}
