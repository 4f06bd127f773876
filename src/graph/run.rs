//! `Run`: an open run. Its manifest is in memory; data blocks come through the `BlockReader`.
#![deny(clippy::indexing_slicing)]

use std::borrow::Cow;
use std::ops::{Range, RangeInclusive};
use std::sync::{Arc, OnceLock};

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::Malformed;
use super::bounds::Bounds;
use super::dictionary::DictionaryBlock;
use super::facts::{RunStatistics, decode_schema};
use super::key_scan::{NamedEdges, blocks_of_keys};
use super::manifest::{
    Root, RowEntry, Section, TermsEntry, decode_chunk, decode_row_page, decode_terms_page,
};
use super::rows::{BLOCK_ROWS, ColumnSet, Piece, RowBlock, WIDTH_MAX};
use super::run_terms::NAMES_KEPT;
use super::scan::{EdgeScan, RunScan};
use super::term_key::DICTIONARY_KINDS;
use crate::block::{BlockError, BlockId, BlockKind, BlockReader, PlainBlock};
use crate::dataset::{DatasetError, Keys, Places, Scan, Statistics};
use crate::model::{
    DictionaryId, EdgePattern, GraphFilter, NamedNode, Permutation, PermutationSet, QuadPattern, Term,
    TermId, TermKind,
};
use crate::plan::Schema;

/// An immutable set of quads in sorted blocks. Cheap to clone; ids are of dictionary layer 0.
#[derive(Clone)]
pub struct Run {
    inner: Arc<Inner>,
}

struct Inner {
    root_id: BlockId,
    root: Root,
    reader: Arc<BlockReader>,
    terms: Vec<TermsEntry>,
    /// The rank of the first term of each dictionary block, and after the last the count of terms.
    term_starts: Vec<u64>,
    rows: Vec<(Section, Vec<RowEntry>)>,
    permutations: PermutationSet,
    statistics: Arc<Statistics>,
    graphs: Vec<(TermId, u64)>,
    reified: Vec<TermId>,
    schema: OnceLock<Arc<Schema>>,
    /// The pieces that lookups decoded last.
    pieces: Cache<PieceKey, Arc<Piece<'static>>, PieceBytes>,
    /// The ids of the IRIs that were asked for last: every plan names its predicates several times.
    names: Cache<NamedNode, Option<TermId>>,
}

impl Run {
    /// Opens the run whose manifest has this root: two requests, one for the root, one for all pages.
    ///
    /// # Errors
    /// [`BlockError::Unavailable`] with all pages that are missing, [`BlockError::Corrupt`] ...
    pub fn open(root_id: BlockId, reader: Arc<BlockReader>) -> Result<Run, BlockError> {
        let blocks = reader.get(&[(root_id, BlockKind::Manifest)])?;
        let root_block = blocks.first().ok_or_else(|| BlockError::Unavailable(vec![root_id]))?;
        let root = Root::decode(root_block.data()).map_err(|error| root_block.corrupt(error.0))?;
        let held: Vec<_> = root.pages.iter().filter(|page| page.section != Section::Schema).collect();
        let wanted: Vec<_> = held.iter().map(|page| (page.id, BlockKind::ManifestPage)).collect();
        let pages = reader.get(&wanted)?;
        let mut parts = Parts::default();
        for (page, block) in held.iter().zip(&pages) {
            parts.add(page.section, block).map_err(|error| block.corrupt(error.0))?;
        }
        let inner = parts.into_inner(root_id, root, reader).map_err(|error| root_block.corrupt(error.0))?;
        Ok(Run { inner: Arc::new(inner) })
    }

    pub fn root(&self) -> BlockId {
        self.inner.root_id
    }

    pub fn reader(&self) -> &Arc<BlockReader> {
        &self.inner.reader
    }

    /// Returns how many quads there are.
    pub fn len(&self) -> u64 {
        self.inner.root.quads
    }

    pub fn is_empty(&self) -> bool {
        self.inner.root.quads == 0
    }

    /// Returns how many terms the dictionary has.
    pub fn term_count(&self) -> u64 {
        self.inner.term_starts.last().copied().unwrap_or_default()
    }

    /// Returns the orders that its quads are there in.
    pub fn permutations(&self) -> PermutationSet {
        self.inner.permutations
    }

    pub fn statistics(&self) -> Arc<Statistics> {
        Arc::clone(&self.inner.statistics)
    }

    /// Returns the quads by graph, sorted by graph; the default graph comes first if it has any.
    pub fn graphs(&self) -> &[(TermId, u64)] {
        &self.inner.graphs
    }

    /// Returns the named graphs that have a quad, sorted by id.
    pub fn named_graphs(&self) -> Vec<TermId> {
        let graphs = self.inner.graphs.iter().map(|(graph, _)| *graph);
        graphs.filter(|graph| !graph.is_undefined()).collect()
    }

    /// Returns whether the dictionary has terms of a kind.
    pub fn has_terms_of(&self, kind: TermKind) -> bool {
        let counts = DICTIONARY_KINDS.iter().zip(self.inner.root.terms_by_kind);
        counts.into_iter().any(|(own, count)| *own == kind && count > 0)
    }

    /// As [`crate::dataset::Dataset::is_reified`].
    pub fn is_reified(&self, predicate: TermId) -> bool {
        self.inner.reified.binary_search(&predicate).is_ok()
    }

    /// Returns the facts that lowering may rely on; read on the first call.
    pub fn schema(&self) -> Result<Arc<Schema>, DatasetError> {
        if let Some(schema) = self.inner.schema.get() {
            return Ok(Arc::clone(schema));
        }
        let wanted: Vec<(BlockId, BlockKind)> =
            self.inner.pages_of(Section::Schema).map(|id| (id, BlockKind::ManifestPage)).collect();
        let blocks = self.inner.reader.get(&wanted)?;
        let mut content = Vec::new();
        for block in &blocks {
            let chunk =
                decode_chunk(Section::Schema, block.data()).map_err(|error| block.corrupt(error.0))?;
            content.extend_from_slice(chunk);
        }
        let schema = match (decode_schema(&content), blocks.first()) {
            (Ok(schema), _) => Arc::new(self.with_reified(schema)?),
            (Err(error), Some(block)) => return Err(block.corrupt(error.0).into()),
            (Err(_), None) => Arc::new(Schema::default()),
        };
        Ok(Arc::clone(self.inner.schema.get_or_init(|| schema)))
    }

    /// Adds to a schema what the statistics know.
    fn with_reified(&self, mut schema: Schema) -> Result<Schema, DatasetError> {
        for name in self.terms(&self.inner.reified)? {
            if let Term::NamedNode(name) = name
                && let Some(info) = schema.predicates.get_mut(&name)
            {
                info.is_reified = true;
            }
        }
        Ok(schema)
    }

    /// Scans the quads that match, sorted by `permutation`; shape as [`crate::dataset::Dataset::scan`].
    ///
    /// # Errors
    /// If the first blocks cannot be had.
    ///
    /// # Panics
    /// If `permutation` is none of [`Run::permutations`].
    pub fn scan(&self, pattern: &QuadPattern, permutation: Permutation) -> Result<RunScan, DatasetError> {
        self.scan_places(pattern, permutation, Places::ALL)
    }

    /// As [`Run::scan`], with the columns of `places` only; the others are undefined.
    pub fn scan_places(
        &self,
        pattern: &QuadPattern,
        permutation: Permutation,
        places: Places,
    ) -> Result<RunScan, DatasetError> {
        assert!(self.permutations().contains(permutation), "the run has no {permutation}");
        RunScan::begin(self.clone(), &self.narrowed(pattern), permutation, places)
    }

    /// As [`crate::dataset::Dataset::scan_keys`].
    pub fn scan_keys(
        &self,
        pattern: &QuadPattern,
        permutation: Permutation,
        places: Places,
        keys: Keys<'_>,
    ) -> Result<RunScan, DatasetError> {
        assert!(self.permutations().contains(permutation), "the run has no {permutation}");
        RunScan::of_keys(self.clone(), &self.narrowed(pattern), permutation, places, keys)
    }

    /// Scans the edges that match; order and shape as
    /// [`crate::dataset::Dataset::scan_edges`].
    pub fn scan_edges(&self, pattern: &EdgePattern) -> Result<EdgeScan, DatasetError> {
        self.scan_edge_places(pattern, Places::ALL)
    }

    /// As [`Run::scan_edges`]; only the columns of `places` are read.
    pub fn scan_edge_places(&self, pattern: &EdgePattern, places: Places) -> Result<EdgeScan, DatasetError> {
        EdgeScan::begin(self.clone(), pattern, places, None)
    }

    /// As [`crate::dataset::Dataset::scan_edge_keys`].
    pub fn scan_edge_keys(
        &self,
        pattern: &EdgePattern,
        places: Places,
        keys: Keys<'_>,
    ) -> Result<EdgeScan, DatasetError> {
        EdgeScan::begin(self.clone(), pattern, places, Some(keys))
    }

    /// As [`crate::dataset::Dataset::scan_edges_of`].
    pub fn scan_edges_of(&self, pattern: &EdgePattern, places: Places, names: &[TermId]) -> NamedEdges {
        NamedEdges::begin(self.clone(), pattern, places, names)
    }

    /// Returns how many quads match: from the manifest alone where it knows, else by looking at the
    /// ends of the range if they are at hand, else a guess from the statistics.
    pub fn estimate(&self, pattern: &QuadPattern) -> Result<u64, DatasetError> {
        let pattern = &*self.narrowed(pattern);
        let share = |count| self.share(count, &pattern.graph);
        match (pattern.subject, pattern.predicate, pattern.object) {
            (None, None, None) => return Ok(self.quads_in(&pattern.graph)),
            (None, Some(predicate), None) => {
                let figures = self.inner.statistics.predicates.get(&predicate);
                return Ok(share(figures.map_or(0, |figures| figures.quads)));
            }
            _ => {}
        }
        let permutation = self.permutations().best_for(pattern);
        let bounds = Bounds::of_quads(pattern, permutation);
        let Some(within) = self.count_between(Section::of(permutation), &bounds)? else {
            return Ok(share(self.guess(pattern)));
        };
        if bounds.is_exact() || within == 0 {
            return Ok(within);
        }
        if within <= COUNTED_ROWS_MAX {
            return self.count_by_scan(pattern, permutation);
        }
        Ok(share(if bounds.has_residual() { within.min(self.guess(pattern)) } else { within }))
    }

    /// As [`crate::dataset::Dataset::estimate_within`], if the blocks at both ends of the range are at hand.
    pub fn estimate_within(
        &self,
        pattern: &QuadPattern,
        objects: &RangeInclusive<TermId>,
    ) -> Result<Option<u64>, DatasetError> {
        let bounds = Bounds::of_quads(pattern, Permutation::Pos).within(objects);
        let within = self.count_between(Section::Pos, &bounds)?;
        Ok(within.map(|within| self.share(within, &pattern.graph)))
    }

    /// Returns how many quads match, if the manifest and the blocks at both ends of the scan tell.
    pub fn count(&self, pattern: &QuadPattern) -> Result<Option<u64>, DatasetError> {
        let pattern = &*self.narrowed(pattern);
        if [pattern.subject, pattern.predicate, pattern.object].iter().all(Option::is_none) {
            return Ok(Some(self.quads_in(&pattern.graph)));
        }
        let permutation = self.permutations().best_for(pattern);
        let bounds = Bounds::of_quads(pattern, permutation);
        if bounds.is_exact() { self.count_between(Section::of(permutation), &bounds) } else { Ok(None) }
    }

    fn count_by_scan(&self, pattern: &QuadPattern, permutation: Permutation) -> Result<u64, DatasetError> {
        let mut scan = self.scan(pattern, permutation)?;
        let mut count = 0;
        while let Some(batch) = scan.next_batch()? {
            count += batch.rows() as u64;
        }
        Ok(count)
    }

    /// Asks, in one go, for all blocks that scans of these patterns will need, each in the
    /// permutation that suits it best. Best effort.
    pub fn prefetch(&self, patterns: &[QuadPattern]) {
        let mut ids = Vec::new();
        for pattern in patterns {
            let permutation = self.permutations().best_for(pattern);
            let bounds = Bounds::of_quads(pattern, permutation);
            let section = Section::of(permutation);
            let entries = self.inner.entries(section);
            ids.extend(
                bounds
                    .blocks(entries)
                    .filter_map(|index| entries.get(index))
                    .filter_map(|entry| entry.graphs.may_match(&pattern.graph).then_some(entry.id)),
            );
        }
        ids.truncate(PREFETCH_BLOCKS_MAX);
        self.inner.reader.prefetch::<RowBlock>(&ids);
    }

    /// As [`crate::dataset::Dataset::prefetch_keys`].
    pub fn prefetch_keys(&self, pattern: &QuadPattern, permutation: Permutation, keys: &[TermId]) {
        let entries = self.inner.entries(Section::of(permutation));
        let bounds = Bounds::of_quads(pattern, permutation);
        let ids = blocks_of_keys(entries, &bounds, keys, PREFETCH_BLOCKS_MAX);
        self.inner.reader.prefetch::<RowBlock>(&ids);
    }

    /// Returns every block of the run with its kind, the manifest first; each once.
    pub fn blocks(&self) -> Vec<(BlockId, BlockKind)> {
        let inner = &*self.inner;
        let mut blocks = vec![(inner.root_id, BlockKind::Manifest)];
        blocks.extend(inner.root.pages.iter().map(|page| (page.id, BlockKind::ManifestPage)));
        blocks.extend(self.dictionary().into_iter().map(|id| (id, BlockKind::Dictionary)));
        for (section, entries) in &inner.rows {
            blocks.extend(entries.iter().map(|entry| (entry.id, section.block_kind())));
        }
        let mut seen = std::collections::HashSet::new();
        blocks.retain(|(id, _)| seen.insert(*id));
        blocks
    }

    /// Returns the dictionary blocks in order; a change set that adds all of the run may name them.
    pub fn dictionary(&self) -> Vec<BlockId> {
        self.inner.terms.iter().map(|entry| entry.id).collect()
    }

    /// Returns the blocks of one permutation in order; as [`Run::dictionary`].
    pub fn permutation(&self, permutation: Permutation) -> Vec<BlockId> {
        self.inner.entries(Section::of(permutation)).iter().map(|entry| entry.id).collect()
    }

    /// Returns the sealed bytes of the data blocks of each section by its name, the manifest not included.
    pub fn section_bytes(&self) -> Vec<(&'static str, u64)> {
        let terms = self.inner.terms.iter().map(|entry| u64::from(entry.bytes)).sum();
        let rows = self.inner.rows.iter().map(|(section, entries)| {
            (section.name(), entries.iter().map(|entry| u64::from(entry.bytes)).sum())
        });
        [(Section::Dictionary.name(), terms)].into_iter().chain(rows).collect()
    }

    pub(super) fn entries(&self, section: Section) -> &[RowEntry] {
        self.inner.entries(section)
    }

    /// Returns the dictionary block that holds a key if any does.
    pub(super) fn block_of_key(&self, key: &[u8]) -> Option<usize> {
        self.inner.block_of_key(key)
    }

    /// Returns the id of the term of a rank, if there is one.
    pub(super) fn id_of_rank(&self, rank: u64) -> Option<TermId> {
        self.inner.id_of_rank(rank)
    }

    /// Returns the ids of the IRIs that were asked for last.
    pub(super) fn known_names(&self) -> &Cache<NamedNode, Option<TermId>> {
        &self.inner.names
    }

    pub(super) fn dictionary_blocks(
        &self,
        indices: &[usize],
    ) -> Result<Vec<Arc<DictionaryBlock>>, DatasetError> {
        self.inner.dictionary_blocks(indices)
    }

    pub(super) fn corrupt_terms(&self, index: usize, error: Malformed) -> DatasetError {
        self.inner.corrupt_terms(index, error)
    }

    /// As [`Run::corrupt_terms`], of the block that holds a rank.
    pub(super) fn corrupt_term(&self, rank: u64, error: Malformed) -> DatasetError {
        self.inner.corrupt_terms(self.dictionary_range(rank..rank + 1).start, error)
    }

    /// Returns which dictionary blocks hold these ranks.
    pub(super) fn dictionary_range(&self, ranks: Range<u64>) -> Range<usize> {
        let starts = self.inner.term_starts.get(..self.inner.terms.len()).unwrap_or_default();
        let start = starts.partition_point(|start| *start <= ranks.start).saturating_sub(1);
        let end = starts.partition_point(|start| *start < ranks.end);
        start..end.max(start)
    }

    /// Returns the rank of the first term of a dictionary block.
    pub(super) fn first_rank(&self, block: usize) -> u64 {
        self.inner.term_starts.get(block).copied().unwrap_or_default()
    }

    /// Returns the ranks of the terms of a kind.
    pub(super) fn ranks_of(&self, kind: TermKind) -> Range<u64> {
        let (mut start, mut end) = (0, 0);
        for (other, count) in DICTIONARY_KINDS.into_iter().zip(self.inner.root.terms_by_kind) {
            (start, end) = (end, end + count);
            if other == kind {
                break;
            }
        }
        start..end
    }

    /// Returns the predicates that have edges, sorted.
    pub(super) fn edge_predicates(&self) -> Vec<TermId> {
        let all = self.inner.statistics.predicates.iter();
        let mut predicates: Vec<TermId> =
            all.filter(|(_, figures)| figures.edges > 0).map(|(id, _)| *id).collect();
        predicates.sort_unstable();
        predicates
    }

    /// Leaves out of a pattern a filter that every graph here passes: rows need not be asked then,
    /// and counts are exact.
    fn narrowed<'a>(&self, pattern: &'a QuadPattern) -> Cow<'a, QuadPattern> {
        match pattern.graph != GraphFilter::All && self.is_whole(&pattern.graph) {
            true => Cow::Owned(QuadPattern { graph: GraphFilter::All, ..pattern.clone() }),
            false => Cow::Borrowed(pattern),
        }
    }

    /// Returns whether every graph here is known to pass a filter.
    pub(super) fn is_whole(&self, filter: &GraphFilter) -> bool {
        filter.contains_all(self.inner.graphs.iter().map(|(graph, _)| *graph))
    }

    /// Returns about how many of `count` quads are in the graphs, taken to be spread evenly.
    fn share(&self, count: u64, graph: &GraphFilter) -> u64 {
        match self.len() {
            0 => 0,
            all => (u128::from(count) * u128::from(self.quads_in(graph))).div_ceil(u128::from(all)) as u64,
        }
    }

    fn quads_in(&self, graph: &GraphFilter) -> u64 {
        let graphs = self.inner.graphs.iter();
        graphs.filter(|(id, _)| graph.contains(*id)).map(|(_, quads)| quads).sum()
    }

    /// Returns how many rows are within the bounds, if that takes no block from farther away.
    fn count_between(&self, section: Section, bounds: &Bounds) -> Result<Option<u64>, DatasetError> {
        let entries = self.inner.entries(section);
        let blocks = bounds.blocks(entries);
        let Some(last) = blocks.clone().next_back() else { return Ok(Some(0)) };
        let ends: Vec<BlockId> = [blocks.start, last]
            .iter()
            .filter_map(|index| entries.get(*index))
            .map(|entry| entry.id)
            .collect();
        let reader = &self.inner.reader;
        let is_near = ends.iter().all(|id| reader.is_cached::<RowBlock>(*id))
            || reader.has(&ends)?.into_iter().all(|has| has);
        if !is_near {
            return Ok(None);
        }
        let decoded = reader.get_decoded::<RowBlock>(&ends)?;
        let [first, end] = decoded.as_slice() else { return Ok(None) };
        let before = blocks.clone().skip(1).filter_map(|index| entries.get(index.checked_sub(1)?));
        let spanned: u64 = before.map(|entry| u64::from(entry.rows)).sum();
        let [first_id, end_id] = ends.as_slice() else { return Ok(None) };
        let below = first
            .rank(&bounds.low, false, |index| self.piece(*first_id, first, index, ColumnSet::ALL))?
            as u64;
        let rank = end.rank(&bounds.high, true, |index| self.piece(*end_id, end, index, ColumnSet::ALL))?;
        let through = spanned + rank as u64;
        Ok(Some(through.saturating_sub(below)))
    }

    /// Returns some columns of a piece of a block; for lookups, which come back to the same ones.
    pub(super) fn piece(
        &self,
        id: BlockId,
        block: &RowBlock,
        index: usize,
        columns: ColumnSet,
    ) -> Result<Arc<Piece<'static>>, BlockError> {
        let read = || Ok(Arc::new(block.piece(index, |place| columns.contains(place))?.into_owned()));
        self.inner.pieces.get_or_insert_with(&(id, index, columns), read)
    }

    /// Guesses from the statistics alone.
    fn guess(&self, pattern: &QuadPattern) -> u64 {
        let all = &self.inner.statistics;
        let figures = pattern.predicate.map(|p| all.predicates.get(&p).copied().unwrap_or_default());
        let (quads, subjects, objects) = match figures {
            Some(figures) => (figures.quads, figures.distinct_subjects, figures.distinct_objects),
            None => (all.quads, all.distinct_subjects, all.distinct_objects),
        };
        let mut count = quads;
        if pattern.subject.is_some() {
            count = count.div_ceil(subjects.max(1));
        }
        if pattern.object.is_some() {
            count = count.div_ceil(objects.max(1));
        }
        count
    }
}

/// What the pieces that a run keeps take at most, in bytes.
const PIECES_BYTES_MAX: u64 = 32 << 20;
const TYPICAL_PIECE_BYTES: u64 = 4 << 10;
/// An estimate counts no more rows than this one by one.
const COUNTED_ROWS_MAX: u64 = 2048;
/// A prefetch does not ask for more blocks than this; the scans ask for the rest as they go.
const PREFETCH_BLOCKS_MAX: usize = 64;

/// The block, the place of the piece in it, and what was read of it.
type PieceKey = (BlockId, usize, ColumnSet);

#[derive(Clone)]
struct PieceBytes;

impl Weighter<PieceKey, Arc<Piece<'static>>> for PieceBytes {
    fn weight(&self, _: &PieceKey, piece: &Arc<Piece<'static>>) -> u64 {
        piece.weight_bytes() as u64
    }
}

impl Inner {
    fn entries(&self, section: Section) -> &[RowEntry] {
        let of_section = self.rows.iter().find(|(other, _)| *other == section);
        of_section.map(|(_, entries)| entries.as_slice()).unwrap_or_default()
    }

    fn pages_of(&self, section: Section) -> impl Iterator<Item = BlockId> {
        self.root.pages.iter().filter(move |page| page.section == section).map(|page| page.id)
    }

    /// Returns the dictionary block that holds a key if any does.
    fn block_of_key(&self, key: &[u8]) -> Option<usize> {
        // Of some kinds there often are none, and somebody asks for many: numbers that were computed.
        let kind = DICTIONARY_KINDS.iter().position(|kind| key.first() == Some(&(*kind as u8)));
        if self.root.terms_by_kind.get(kind?) == Some(&0) {
            return None;
        }
        self.terms.partition_point(|entry| entry.separator.as_slice() <= key).checked_sub(1)
    }

    fn dictionary_blocks(&self, indices: &[usize]) -> Result<Vec<Arc<DictionaryBlock>>, DatasetError> {
        let ids: Vec<BlockId> =
            indices.iter().filter_map(|index| self.terms.get(*index)).map(|entry| entry.id).collect();
        let blocks = self.reader.get_decoded::<DictionaryBlock>(&ids)?;
        for (index, block) in indices.iter().zip(&blocks) {
            if self.terms.get(*index).is_some_and(|entry| entry.terms as usize != block.len()) {
                return Err(self.corrupt_terms(*index, Malformed("its manifest counts other terms")));
            }
        }
        Ok(blocks)
    }

    fn id_of_rank(&self, rank: u64) -> Option<TermId> {
        let mut end = 0;
        for (kind, count) in DICTIONARY_KINDS.into_iter().zip(self.root.terms_by_kind) {
            end += count;
            if rank < end {
                return Some(dictionary_id(kind, rank));
            }
        }
        None
    }

    fn corrupt_terms(&self, index: usize, error: Malformed) -> DatasetError {
        let id = self.terms.get(index).map_or(self.root_id, |entry| entry.id);
        BlockError::Corrupt { id, reason: error.0.to_owned() }.into()
    }
}

fn dictionary_id(kind: TermKind, rank: u64) -> TermId {
    TermId::dictionary(DictionaryId { kind, layer: 0, rank })
}

impl Section {
    pub(super) fn of(permutation: Permutation) -> Section {
        match permutation {
            Permutation::Spo => Section::Spo,
            Permutation::Pso => Section::Pso,
            Permutation::Pos => Section::Pos,
            Permutation::Ops => Section::Ops,
            Permutation::Sop => Section::Sop,
            Permutation::Osp => Section::Osp,
        }
    }
}

/// The pages of a manifest as they are read.
#[derive(Default)]
struct Parts {
    terms: Vec<TermsEntry>,
    rows: Vec<(Section, Vec<RowEntry>)>,
    statistics: Vec<u8>,
}

impl Parts {
    fn add(&mut self, section: Section, page: &PlainBlock) -> Result<(), Malformed> {
        match section {
            Section::Dictionary => self.terms.extend(decode_terms_page(page.data())?),
            Section::Statistics => self.statistics.extend_from_slice(decode_chunk(section, page.data())?),
            Section::Schema => {}
            _ => {
                let entries = decode_row_page(section, page.data())?;
                match self.rows.iter_mut().find(|(other, _)| *other == section) {
                    Some((_, all)) => all.extend(entries),
                    None => self.rows.push((section, entries)),
                }
            }
        }
        Ok(())
    }

    fn into_inner(self, root_id: BlockId, root: Root, reader: Arc<BlockReader>) -> Result<Inner, Malformed> {
        let mut term_starts = Vec::with_capacity(self.terms.len() + 1);
        let mut rank = 0u64;
        for entry in &self.terms {
            term_starts.push(rank);
            rank += u64::from(entry.terms);
        }
        term_starts.push(rank);
        if rank != root.terms_by_kind.iter().sum::<u64>() {
            return Err(Malformed("the manifest's counts of terms disagree"));
        }
        if !self.terms.is_sorted_by(|a, b| a.separator <= b.separator) {
            return Err(Malformed("the separators of the dictionary are not sorted"));
        }
        for (section, entries) in &self.rows {
            let rows: u64 = entries.iter().map(|entry| u64::from(entry.rows)).sum();
            let expected = if section.width() == WIDTH_MAX { root.edges } else { root.quads };
            let is_sorted = entries.is_sorted_by(|a, b| a.first < b.first);
            if rows != expected || !is_sorted || entries.iter().any(|e| e.rows as usize > BLOCK_ROWS) {
                return Err(Malformed("the manifest's counts of rows disagree"));
            }
        }
        let has = |order: &Permutation| self.rows.iter().any(|(section, _)| *section == Section::of(*order));
        if root.quads > 0 && !Permutation::DEFAULT.iter().all(has) {
            return Err(Malformed("the manifest lacks an order of its quads"));
        }
        let permutations = Permutation::OPTIONAL.into_iter().filter(has).collect();
        let facts = match self.statistics.as_slice() {
            [] => RunStatistics::default(),
            content => RunStatistics::decode(content)?,
        };
        if facts.statistics.quads != root.quads {
            return Err(Malformed("the manifest's counts of quads disagree"));
        }
        Ok(Inner {
            root_id,
            root,
            reader,
            terms: self.terms,
            term_starts,
            rows: self.rows,
            permutations,
            statistics: Arc::new(facts.statistics),
            graphs: facts.graphs,
            reified: facts.reified,
            schema: OnceLock::new(),
            pieces: Cache::with_weighter(
                (PIECES_BYTES_MAX / TYPICAL_PIECE_BYTES) as usize,
                PIECES_BYTES_MAX,
                PieceBytes,
            ),
            names: Cache::new(NAMES_KEPT),
        })
    }
}
