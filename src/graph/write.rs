//! Writing a run: merge the terms, sort the rows every way, encode, seal, put. A pure function of
//! terms, rows, orders and key, whatever they come from and however many threads there are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use super::layer::{Input, for_each_rows};
use super::manifest::{CHUNK_BYTES, PageEntry, Root, Section, encode_chunk};
use super::output::{DictionaryWriter, Output, RowWriter};
use super::row_sort::{RowSorter, SortedRows};
use super::rows::WIDTH_MAX;
use super::sorted_terms::SortedTerms;
use super::spo_rows::SpoRows;
use super::survey::{
    self, BySubject, ClassSets, EdgeSurvey, EdgesOf, ObjectSurvey, PredicateSurvey, SubjectSurvey,
};
use super::term_merge::{MergedTerms, merge_terms};
use super::{WriteError, facts};
use crate::block::{BlockError, BlockId, BlockKind, BlockSink, Scratch};
use crate::crypto::EpochKey;
use crate::model::{Permutation, PermutationSet, Quad, TermId};

/// How many batches of rows one side may be ahead of the other: it bounds the memory that they hold.
const BATCHES_WAITING_MAX: usize = 16;

/// Where a run goes, and what it may take to write it.
#[derive(Clone, Copy)]
pub struct WriteOptions<'a> {
    pub key: &'a EpochKey,
    pub sink: &'a dyn BlockSink,
    /// Where rows go that do not fit into memory.
    pub scratch: &'a dyn Scratch,
    /// How many bytes rows may take in memory, about.
    pub memory_bytes: usize,
    /// How many threads encode and seal.
    pub threads: usize,
    /// The orders that a run gets.
    pub permutations: PermutationSet,
}

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

/// The blocks of a dictionary and of rows in the order of subject, predicate, object, graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenSet {
    pub dictionary: Vec<BlockId>,
    pub rows: Vec<BlockId>,
    pub quads: u64,
}

/// Writes the run of the quads of `input`; its terms must be all that they use and no others.
///
/// # Errors
/// Those of the sink, of the scratch space and of what `input` reads.
pub fn write_run(input: &Input<'_>, options: &WriteOptions<'_>) -> Result<WrittenRun, WriteError> {
    thread::scope(|scope| {
        let output = Output::start(scope, options.key, options.sink, options.threads);
        let (dictionary, terms) = write_terms(input, &output)?;
        let spo = SpoRows::of(input, &terms, options.scratch, options.memory_bytes / 4)?;
        let rows = write_rows(&spo, &terms, &output, options)?;
        let mut pages = dictionary.finish_pages()?;
        pages.extend(rows.pages);
        let mut root = Root { terms_by_kind: terms.by_kind, quads: rows.quads, edges: rows.edges, pages };
        root.pages.sort_by_key(|page| page.section);
        let content = root.encode();
        let id = output.put(BlockKind::Manifest, &content)?;
        let bytes = output.finish()?;
        Ok(WrittenRun { root: id, quads: root.quads, terms: terms.len(), edges: root.edges, bytes })
    })
}

/// Merges the terms of all layers into one dictionary, which is still to be finished.
fn write_terms<'a, 'o, 'scope, 'env>(
    input: &Input<'a>,
    output: &'o Output<'scope, 'env>,
) -> Result<(DictionaryWriter<'o, 'scope, 'env>, MergedTerms<'a>), WriteError> {
    let has_triples = input.has_triples()?;
    let mut dictionary = DictionaryWriter::new(output, has_triples);
    let push = |key: &[u8], expanded_bytes| dictionary.push(key, expanded_bytes);
    let terms = merge_terms(input, 0, has_triples, push)?;
    Ok((dictionary, terms))
}

/// Writes the terms and quads of `input` as a change set holds them.
///
/// # Errors
/// As [`write_run`].
pub fn write_set(input: &Input<'_>, options: &WriteOptions<'_>) -> Result<WrittenSet, WriteError> {
    thread::scope(|scope| {
        let output = Output::start(scope, options.key, options.sink, options.threads);
        let (dictionary, terms) = write_terms(input, &output)?;
        let spo = SpoRows::of(input, &terms, options.scratch, options.memory_bytes / 4)?;
        let mut writer = RowWriter::new(&output, Section::Spo);
        let mut quads = 0;
        spo.for_each(|rows| {
            quads += rows.len() as u64;
            writer.push(rows)
        })?;
        let rows = writer.finish()?.into_iter().map(|entry| entry.id).collect();
        let dictionary = dictionary.finish()?.into_iter().map(|entry| entry.id).collect();
        output.finish()?;
        Ok(WrittenSet { dictionary, rows, quads })
    })
}

/// Returns the terms and quads of `input` in memory; for few.
///
/// # Errors
/// Those of the scratch space and of what `input` reads.
pub fn gather_set(
    input: &Input<'_>,
    options: &WriteOptions<'_>,
) -> Result<(SortedTerms, Vec<Quad>), WriteError> {
    let mut keys = Vec::new();
    let terms = merge_terms(input, 0, input.has_triples()?, |key, _| {
        keys.push(key.to_vec());
        Ok(())
    })?;
    keys.sort_unstable();
    let mut quads = Vec::new();
    SpoRows::of(input, &terms, options.scratch, options.memory_bytes / 4)?.for_each(|rows| {
        quads.extend(rows.iter().map(|row| {
            let ids = row.map(|bits| TermId::from_bits(bits).expect("rows hold ids"));
            let [subject, predicate, object, graph] = ids;
            Quad { subject, predicate, object, graph }
        }));
        Ok(())
    })?;
    Ok((SortedTerms::of_sorted(keys), quads))
}

/// Hands all rows to `visit`, some at a time.
fn for_each<const N: usize>(
    rows: &SortedRows<N>,
    visit: impl FnMut(&[[u64; N]]) -> Result<(), WriteError>,
) -> Result<(), WriteError> {
    for_each_rows(&mut *rows.stream()?, visit)
}

struct WrittenRows {
    pages: Vec<PageEntry>,
    quads: u64,
    edges: u64,
}

/// Writes all that is made of rows. Two threads: one takes the subject's side, one the object's.
fn write_rows(
    spo: &SpoRows<'_>,
    terms: &MergedTerms<'_>,
    output: &Output<'_, '_>,
    options: &WriteOptions<'_>,
) -> Result<WrittenRows, WriteError> {
    let side = Side { spo, terms, output, options };
    let (subject_side, object_side) = thread::scope(|scope| {
        let (tell_classes, classes) = channel();
        let (hand_rows, rows) = sync_channel(BATCHES_WAITING_MAX);
        let object_side = scope.spawn(move || side.write_by_object(rows, &classes));
        let subject_side = side.write_by_subject(hand_rows, tell_classes);
        (subject_side, object_side.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let (of_subjects, of_objects) = (subject_side?, object_side?);
    let (mut pages, survey) = (of_subjects.pages, of_subjects.survey);
    pages.extend(of_objects.pages);
    let (statistics, schema) = survey::facts(
        &of_subjects.found,
        survey,
        of_objects.survey,
        of_objects.distinct_objects,
        &of_subjects.edges_of,
    )?;
    let contents =
        [(Section::Statistics, statistics.encode()), (Section::Schema, facts::encode_schema(&schema))];
    for (section, content) in contents {
        let chunks = content.chunks(CHUNK_BYTES).map(|chunk| encode_chunk(section, chunk));
        pages.extend(output.put_pages(section, chunks)?);
    }
    let edges = of_subjects.edges_of.values().map(|edges| edges.count).sum();
    Ok(WrittenRows { pages, quads: of_subjects.found.quads, edges })
}

/// What both sides work with.
#[derive(Clone, Copy)]
struct Side<'a, 'scope, 'env> {
    spo: &'a SpoRows<'a>,
    terms: &'a MergedTerms<'a>,
    output: &'a Output<'scope, 'env>,
    options: &'a WriteOptions<'a>,
}

struct OfSubjects {
    pages: Vec<PageEntry>,
    found: BySubject,
    survey: PredicateSurvey,
    /// Edges by predicate.
    edges_of: BTreeMap<u64, EdgesOf>,
}

struct OfObjects<'a> {
    pages: Vec<PageEntry>,
    survey: ObjectSurvey<'a>,
    distinct_objects: u64,
}

impl<'a> Side<'a, '_, '_> {
    fn sorter<const N: usize>(&self) -> RowSorter<'a, N> {
        RowSorter::new(self.options.scratch, self.options.memory_bytes / 4)
    }

    fn sorter_by_first(&self) -> RowSorter<'a, 4> {
        RowSorter::by_first(self.options.scratch, self.options.memory_bytes / 4)
    }

    /// Writes SPO, PSO, the edges and perhaps OSP; hands on the rows as they come, and the classes as soon as they
    /// are known. The other side is gone if it failed; then its error is the one that counts.
    fn write_by_subject(
        &self,
        hand_rows: SyncSender<Vec<[u64; 4]>>,
        tell_classes: Sender<Arc<ClassSets>>,
    ) -> Result<OfSubjects, WriteError> {
        let reifies = self.terms.reifies();
        let mut writer = RowWriter::new(self.output, Section::Spo);
        let mut by_subject = SubjectSurvey::new(self.terms);
        let (mut pso, mut edges) = (self.sorter_by_first(), self.sorter());
        self.spo.for_each(|rows| {
            let _ = hand_rows.send(rows.to_vec());
            by_subject.rows(rows);
            pso.extend(rows.iter().map(|[s, p, o, g]| [*p, *s, *o, *g]))?;
            for [subject, predicate, object, graph] in rows {
                if Some(*predicate) == reifies
                    && let Some([s, p, o]) = self.terms.parts(*object)
                {
                    edges.push([p, s, o, *graph, *subject])?;
                }
            }
            writer.push(rows)
        })?;
        drop(hand_rows);
        let (found, classes) = by_subject.finish();
        let classes = Arc::new(classes);
        let _ = tell_classes.send(Arc::clone(&classes));
        let mut survey = PredicateSurvey::new(classes);
        let (mut pages, _) = writer.finish_pages()?;
        let edges = edges.finish();
        let mut of_edges = EdgeSurvey::new(edges.stream()?);
        pages.extend(self.write(Section::Pso, pso, |rows| {
            survey.rows(rows);
            of_edges.rows(rows)
        })?);
        let disagreeing = of_edges.finish()?;
        let (more, mut edges_of) = self.write_edges(edges)?;
        for (predicate, edges) in &mut edges_of {
            edges.is_of_each = disagreeing.binary_search(predicate).is_err();
        }
        pages.extend(more);
        pages.extend(self.write_optional(Permutation::Osp)?);
        Ok(OfSubjects { pages, found, survey, edges_of })
    }

    /// Writes OPS, POS and perhaps SOP, of rows as the other side hands them on.
    fn write_by_object(
        &self,
        rows: Receiver<Vec<[u64; 4]>>,
        classes: &Receiver<Arc<ClassSets>>,
    ) -> Result<OfObjects<'a>, WriteError> {
        let (mut distinct_objects, mut last) = (0, None);
        let (mut ops, mut pos) = (self.sorter(), self.sorter_by_first());
        for rows in rows {
            ops.extend(rows.iter().map(|[s, p, o, g]| [*o, *p, *s, *g]))?;
        }
        let mut writer = RowWriter::new(self.output, Section::Ops);
        for_each(&ops.finish(), |rows| {
            for [object, ..] in rows {
                distinct_objects += u64::from(last != Some(*object));
                last = Some(*object);
            }
            pos.extend(rows.iter().map(|[o, p, s, g]| [*p, *o, *s, *g]))?;
            writer.push(rows)
        })?;
        let (mut pages, _) = writer.finish_pages()?;
        let gone = |_| BlockError::Io(std::io::Error::other("the subject's side failed"));
        let mut survey = ObjectSurvey::new(self.terms, classes.recv().map_err(gone)?);
        pages.extend(self.write(Section::Pos, pos, |rows| {
            survey.rows(rows);
            Ok(())
        })?);
        pages.extend(self.write_optional(Permutation::Sop)?);
        Ok(OfObjects { pages, survey, distinct_objects })
    }

    /// Writes an order that not every run has, if this one shall. It walks the rows once more, so that
    /// runs without it pay nothing and no more sorters are filled at once.
    fn write_optional(&self, permutation: Permutation) -> Result<Vec<PageEntry>, WriteError> {
        if !self.options.permutations.contains(permutation) {
            return Ok(Vec::new());
        }
        let (mut sorter, positions) = (self.sorter(), permutation.positions());
        self.spo
            .for_each(|rows| sorter.extend(rows.iter().map(|row| positions.map(|position| row[position]))))?;
        self.write(Section::of(permutation), sorter, |_| Ok(()))
    }

    fn write<const N: usize>(
        &self,
        section: Section,
        rows: RowSorter<'_, N>,
        mut look_at: impl FnMut(&[[u64; N]]) -> Result<(), WriteError>,
    ) -> Result<Vec<PageEntry>, WriteError> {
        let mut writer = RowWriter::new(self.output, section);
        for_each(&rows.finish(), |rows| {
            look_at(rows)?;
            writer.push(rows)
        })?;
        Ok(writer.finish_pages()?.0)
    }

    /// Writes edges in three orders; `pso` are rows of predicate, subject, object, graph, edge.
    fn write_edges(
        &self,
        pso: SortedRows<WIDTH_MAX>,
    ) -> Result<(Vec<PageEntry>, BTreeMap<u64, EdgesOf>), WriteError> {
        let mut edges_of: BTreeMap<u64, EdgesOf> = BTreeMap::new();
        let mut last = None;
        let (mut pos, mut by_edge) = (self.sorter(), self.sorter());
        let mut writer = RowWriter::new(self.output, Section::EdgesPso);
        for_each(&pso, |rows| {
            for [p, s, o, g, _] in rows {
                let of_predicate = edges_of.entry(*p).or_default();
                of_predicate.count += 1;
                of_predicate.has_parallels |= last.replace([*p, *s, *o, *g]) == Some([*p, *s, *o, *g]);
            }
            pos.extend(rows.iter().map(|[p, s, o, g, e]| [*p, *o, *s, *g, *e]))?;
            by_edge.extend(rows.iter().map(|[p, s, o, g, e]| [*e, *s, *p, *o, *g]))?;
            writer.push(rows)
        })?;
        let (mut pages, _) = writer.finish_pages()?;
        pages.extend(self.write(Section::EdgesPos, pos, |_| Ok(()))?);
        pages.extend(self.write(Section::EdgesByEdge, by_edge, |_| Ok(()))?);
        Ok((pages, edges_of))
    }
}
