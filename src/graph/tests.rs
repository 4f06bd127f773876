//! Runs against the plain reference: whatever was written is scanned back, in every order.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use proptest::prelude::*;

use super::manifest::{
    PAGE_ENTRIES, PageEntry, Root, Section, TermsEntry, encode_row_page, encode_terms_page,
};
use super::{Gathering, Input, Part, Run, WriteOptions, WrittenRun, encode_terms, gather, write_run};
use crate::block::{
    BlockError, BlockId, BlockKind, BlockReader, BlockSink, BlockSource, MemoryScratch, SealedBlock,
};
use crate::crypto::{EpochKey, WorkspaceId};
use crate::dataset::{Dataset, Keys, MemoryDataset, Places, QuadIndex, Scan};
use crate::model::{
    BlankNode, Edge, EdgeOrder, EdgePattern, GraphFilter, GraphName, Literal, NamedNode, Permutation,
    PermutationSet, Quad, QuadPattern, Term, TermId, Triple, pg, rdf, xsd,
};

/// Blocks in memory, with the number of requests.
#[derive(Default)]
struct Shelf {
    blocks: Mutex<std::collections::HashMap<BlockId, SealedBlock>>,
    requests: Mutex<Vec<usize>>,
}

impl BlockSource for Shelf {
    fn get(&self, ids: &[BlockId]) -> Result<Vec<Option<SealedBlock>>, BlockError> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(ids.len());
        let blocks = self.blocks.lock().unwrap();
        Ok(ids.iter().map(|id| blocks.get(id).cloned()).collect())
    }

    fn has(&self, ids: &[BlockId]) -> Result<Vec<bool>, BlockError> {
        let blocks = self.blocks.lock().unwrap();
        Ok(ids.iter().map(|id| blocks.contains_key(id)).collect())
    }
}

impl BlockSink for Shelf {
    fn put(&self, blocks: &[SealedBlock]) -> Result<(), BlockError> {
        self.blocks.lock().unwrap().extend(blocks.iter().map(|block| (block.id(), block.clone())));
        Ok(())
    }

    fn sync(&self) -> Result<(), BlockError> {
        Ok(())
    }
}

fn key() -> EpochKey {
    EpochKey::from_secret([3; 32], WorkspaceId([9; 32]))
}

fn open(root: BlockId, shelf: &Arc<Shelf>) -> Run {
    let reader = BlockReader::new(shelf.clone(), key(), 64 << 20);
    Run::open(root, Arc::new(reader)).unwrap()
}

/// Writes a run in every order.
fn written(quads: &[oxrdf::Quad]) -> (Run, Arc<Shelf>) {
    written_in(quads, every_order())
}

fn written_in(quads: &[oxrdf::Quad], permutations: PermutationSet) -> (Run, Arc<Shelf>) {
    let shelf = Arc::new(Shelf::default());
    let run = write(&gather(quads).unwrap(), &shelf, 64 << 20, 2, permutations);
    (open(run.root, &shelf), shelf)
}

fn every_order() -> PermutationSet {
    Permutation::ALL.into_iter().collect()
}

fn write(
    parts: &[Part],
    shelf: &Shelf,
    memory_bytes: usize,
    threads: usize,
    permutations: PermutationSet,
) -> WrittenRun {
    let (input, scratch, key) = (Input::of_parts(parts), &MemoryScratch, &key());
    let options = WriteOptions { key, sink: shelf, scratch, memory_bytes, threads, permutations };
    write_run(&input, &options).unwrap()
}

fn rows(scan: &mut dyn Scan, width: usize) -> Vec<Vec<TermId>> {
    let mut rows = Vec::new();
    while let Some(batch) = scan.next_batch().unwrap() {
        assert!(batch.width() == width && !batch.is_empty());
        for index in 0..batch.rows() {
            let mut row = Vec::new();
            batch.read_row(index, &mut row);
            rows.push(row);
        }
    }
    rows
}

/// Checks every pattern with places taken from `probes`, in every permutation, against an index.
fn check_scans(run: &Run, index: &QuadIndex, probes: &[Quad]) {
    for probe in probes {
        for bits in 0..8 {
            for graph in graphs(probe.graph) {
                let pattern = QuadPattern {
                    subject: (bits & 1 != 0).then_some(probe.subject),
                    predicate: (bits & 2 != 0).then_some(probe.predicate),
                    object: (bits & 4 != 0).then_some(probe.object),
                    graph,
                };
                for permutation in run.permutations().iter() {
                    let expected = expected_rows(index, &pattern, permutation);
                    let found = rows(&mut run.scan(&pattern, permutation).unwrap(), 4);
                    assert_eq!(found, expected, "{pattern:?} {permutation:?}");
                    if pattern.graph == GraphFilter::All && (bits & 5) != 5 || bits == 7 || bits == 0 {
                        assert_eq!(run.estimate(&pattern).unwrap(), expected.len() as u64, "{pattern:?}");
                    }
                }
            }
        }
    }
}

fn expected_rows(index: &QuadIndex, pattern: &QuadPattern, permutation: Permutation) -> Vec<Vec<TermId>> {
    let mut quads: Vec<Quad>;
    if Permutation::DEFAULT.contains(&permutation) {
        quads = index.scan(pattern, permutation).collect();
    } else {
        quads = index.scan(pattern, Permutation::best_for(pattern)).collect();
        quads.sort_unstable_by_key(|quad| permutation.key(quad));
    }
    quads.iter().map(|q| vec![q.subject, q.predicate, q.object, q.graph]).collect()
}

fn graphs(graph: TermId) -> Vec<GraphFilter> {
    vec![
        GraphFilter::All,
        GraphFilter::Named,
        GraphFilter::One(graph),
        GraphFilter::Among(vec![TermId::UNDEFINED, graph]),
    ]
}

fn iri(name: impl std::fmt::Display) -> NamedNode {
    NamedNode::new_unchecked(format!("http://example.org/{name}"))
}

/// Quads over few enough names that they meet, with types, edges, graphs and literals of all sorts.
fn quads() -> impl Strategy<Value = Vec<oxrdf::Quad>> {
    let object = prop_oneof![
        (0u8..6).prop_map(|n| Term::from(iri(n))),
        (0u8..3).prop_map(|n| BlankNode::new_unchecked(format!("b{n}")).into()),
        (-3i64..3).prop_map(|n| Literal::from(n).into()),
        (0u8..3).prop_map(|n| Literal::new_simple_literal(format!("text {n}")).into()),
        (0u8..3).prop_map(|n| Literal::new_language_tagged_literal_unchecked(format!("t{n}"), "en").into()),
        (0u8..3).prop_map(|n| Literal::new_typed_literal(format!("0{n}"), xsd::INTEGER).into()),
        (0u8..3, 0u8..3, 0u8..3).prop_map(|(s, p, o)| {
            Triple::new(iri(s), iri(format!("p{p}")), Literal::from(i64::from(o))).into()
        }),
        (0u8..3, 0u8..3, 0u8..3)
            .prop_map(|(s, p, o)| Triple::new(iri(s), iri(format!("p{p}")), iri(o)).into()),
    ];
    let predicate = prop_oneof![
        3 => (0u8..4).prop_map(|n| iri(format!("p{n}"))),
        1 => Just(rdf::TYPE.into_owned()),
        1 => Just(pg::REIFIES.into_owned()),
    ];
    let graph = prop_oneof![
        Just(GraphName::DefaultGraph),
        (0u8..12).prop_map(|n| GraphName::NamedNode(iri(format!("g{n}")))),
    ];
    let quad = (0u8..8, predicate, object, graph)
        .prop_map(|(s, predicate, object, graph)| oxrdf::Quad::new(iri(s), predicate, object, graph));
    proptest::collection::vec(quad, 0..60)
}

fn check_against_memory(quads: &[oxrdf::Quad], permutations: PermutationSet) {
    let (run, shelf) = written_in(quads, permutations);
    assert!(quads.is_empty() || run.permutations() == permutations);
    let reference = MemoryDataset::new();
    for quad in quads {
        reference.insert_quad(quad).unwrap();
    }
    // Terms go both ways, and their ids are in term order.
    let all = rows(&mut *reference.scan(&QuadPattern::default(), Permutation::Spo).unwrap(), 4);
    let mut index = QuadIndex::default();
    let mut probes = Vec::new();
    for row in &all {
        let ids: Vec<TermId> = row.iter().map(|id| translated(*id, &reference, &run)).collect();
        let known: Vec<TermId> = ids.iter().copied().filter(|id| !id.is_undefined()).collect();
        let original: Vec<TermId> = row.iter().copied().filter(|id| !id.is_undefined()).collect();
        assert_eq!(run.terms(&known).unwrap(), reference.terms(&original).unwrap());
        let quad = Quad { subject: ids[0], predicate: ids[1], object: ids[2], graph: ids[3] };
        index.insert(&quad);
        probes.push(quad);
    }
    assert_eq!(run.len(), index.len() as u64);
    check_scans(&run, &index, &probes[..probes.len().min(3)]);
    check_edges(&run, &reference);
    check_statistics(&run, &reference);
    assert_eq!(run.id_of(&iri("absent").into()).unwrap(), None);
    let blocks = run.blocks();
    assert_eq!(blocks.len(), shelf.blocks.lock().unwrap().len(), "every block is listed, once");
}

fn translated(id: TermId, from: &MemoryDataset, to: &Run) -> TermId {
    if id.is_undefined() { id } else { to.id_of(&from.term(id).unwrap()).unwrap().unwrap() }
}

fn check_edges(run: &Run, reference: &MemoryDataset) {
    let everything = rows(&mut *reference.scan_edges(&EdgePattern::default()).unwrap(), 5);
    let probe = everything.first().cloned().unwrap_or_else(|| vec![TermId::UNDEFINED; 5]);
    for bits in 0..16 {
        if bits > 0 && everything.is_empty() {
            continue;
        }
        for graph in graphs(probe[3]) {
            let bound = |bit: u8, place: usize| (bits & bit != 0).then(|| probe[place]);
            let pattern = EdgePattern {
                subject: bound(1, 0),
                predicate: bound(2, 1),
                object: bound(4, 2),
                edge: bound(8, 4),
                graph,
                order: [EdgeOrder::Subject, EdgeOrder::Object, EdgeOrder::Edge][usize::from(bits % 3)],
            };
            let ours = |id: TermId| translated(id, reference, run);
            let expected: BTreeSet<Vec<TermId>> = rows(&mut *reference.scan_edges(&pattern).unwrap(), 5)
                .into_iter()
                .map(|row| row.into_iter().map(ours).collect())
                .collect();
            let pattern = EdgePattern {
                subject: pattern.subject.map(ours),
                predicate: pattern.predicate.map(ours),
                object: pattern.object.map(ours),
                edge: pattern.edge.map(ours),
                graph: match pattern.graph {
                    GraphFilter::One(graph) => GraphFilter::One(ours(graph)),
                    GraphFilter::Among(graphs) => GraphFilter::Among(graphs.into_iter().map(ours).collect()),
                    other => other,
                },
                order: pattern.order,
            };
            let found = rows(&mut run.scan_edges(&pattern).unwrap(), 5);
            let edge = |row: &Vec<TermId>| Edge {
                subject: row[0],
                predicate: row[1],
                object: row[2],
                graph: row[3],
                edge: row[4],
            };
            assert!(found.iter().map(|row| pattern.sort_key(&edge(row))).is_sorted(), "{pattern:?}");
            assert_eq!(found.len(), expected.len());
            assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected, "{pattern:?}");
        }
    }
}

fn check_statistics(run: &Run, reference: &MemoryDataset) {
    let mut expected = (*reference.statistics()).clone();
    expected.predicates = expected
        .predicates
        .into_iter()
        .map(|(id, figures)| (translated(id, reference, run), figures))
        .collect();
    assert_eq!(*run.statistics(), expected);
    let mut graphs: Vec<TermId> =
        reference.named_graphs().unwrap().into_iter().map(|id| translated(id, reference, run)).collect();
    graphs.sort_unstable();
    assert_eq!(run.named_graphs(), graphs);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_run_equals_the_reference(
        quads in quads(),
        more in proptest::sample::subsequence(&Permutation::OPTIONAL, 0..=2),
    ) {
        check_against_memory(&quads, more.into_iter().collect());
    }

    #[test]
    fn order_and_repetition_leave_no_trace(quads in quads(), seed: prop::sample::Index) {
        let (run, _) = written(&quads);
        let mut shuffled = quads.clone();
        shuffled.reverse();
        if !quads.is_empty() {
            let middle = seed.index(quads.len());
            shuffled.rotate_left(middle);
            shuffled.push(quads[middle].clone());
        }
        prop_assert_eq!(written(&shuffled).0.root(), run.root());
    }

    #[test]
    fn a_block_changed_by_a_member_never_panics(quads in quads(), at: prop::sample::Index, which: prop::sample::Index, byte: u8) {
        // Whoever has the key can seal anything: so decoders must bear what they open.
        let (run, shelf) = written(&quads);
        let blocks = run.blocks();
        let (id, kind) = blocks[which.index(blocks.len())];
        let mut content = shelf.blocks.lock().unwrap()[&id].clone().open(kind, &key()).unwrap().data().to_vec();
        let at = at.index(content.len());
        content[at] = byte;
        let forged = SealedBlock::seal(kind, &content, &key());
        let substituted = Arc::new(Substituted { shelf, id, forged });
        let reader = Arc::new(BlockReader::new(substituted, key(), 1 << 20));
        if let Ok(run) = Run::open(run.root(), reader) {
            exercise(&run);
        }
    }
}

/// Hands out another block in the place of one. The reader would refuse it, so it is re-labelled.
struct Substituted {
    shelf: Arc<Shelf>,
    id: BlockId,
    forged: SealedBlock,
}

impl BlockSource for Substituted {
    fn get(&self, ids: &[BlockId]) -> Result<Vec<Option<SealedBlock>>, BlockError> {
        let mut found = self.shelf.get(ids)?;
        for (id, slot) in ids.iter().zip(&mut found) {
            if *id == self.id {
                *slot = Some(self.forged.clone().labelled(self.id));
            }
        }
        Ok(found)
    }

    fn has(&self, ids: &[BlockId]) -> Result<Vec<bool>, BlockError> {
        self.shelf.has(ids)
    }
}

/// Reads all that there is, whatever comes of it.
fn exercise(run: &Run) {
    let all = QuadPattern::default();
    for permutation in run.permutations().iter() {
        if let Ok(mut scan) = run.scan(&all, permutation) {
            while let Ok(Some(_)) = scan.next_runs(permutation.positions()[0]) {}
        }
        if let Ok(mut scan) = run.scan(&all, permutation) {
            while let Ok(Some(batch)) = scan.next_batch() {
                let mut keys = batch.column(permutation.positions()[0]).to_vec();
                keys.dedup();
                let mut keyed = run.scan_keys(&all, permutation, Places::ALL, Keys::Listed(&keys)).unwrap();
                while let Ok(Some(_)) = keyed.next_batch() {}
                let ids = batch.columns().concat();
                let _ = run.terms(&ids);
                for id in ids {
                    let _ = run.terms(&[id]);
                    let pattern =
                        QuadPattern { subject: Some(id), object: Some(id), ..QuadPattern::default() };
                    let _ =
                        (run.estimate(&pattern), run.scan(&pattern, permutation).map(|mut s| s.next_batch()));
                }
            }
        }
    }
    for edge in [None, Some(TermId::from_bool(true))] {
        if let Ok(mut scan) = run.scan_edges(&EdgePattern { edge, ..EdgePattern::default() }) {
            while let Ok(Some(_)) = scan.next_batch() {}
        }
    }
    let _ = (run.id_of(&iri(1).into()), run.schema(), run.named_graphs(), run.blocks());
}

/// A run of many blocks.
fn large() -> (Run, Arc<Shelf>, QuadIndex) {
    let quads = many_quads();
    let (run, shelf) = written(&quads);
    let mut index = QuadIndex::default();
    for chunk in quads.chunks(10_000) {
        let terms = chunk.iter().flat_map(|quad| {
            let graph = match &quad.graph_name {
                GraphName::NamedNode(name) => name.clone(),
                _ => iri("no graph"),
            };
            [quad.subject.clone().into(), quad.predicate.clone().into(), quad.object.clone(), graph.into()]
        });
        let ids = run.ids_of(&terms.collect::<Vec<Term>>()).unwrap();
        for ids in ids.chunks(4) {
            let [subject, predicate, object] = [0, 1, 2].map(|place| ids[place].unwrap());
            index.insert(&Quad { subject, predicate, object, graph: ids[3].unwrap_or_default() });
        }
    }
    (run, shelf, index)
}

fn many_quads() -> Vec<oxrdf::Quad> {
    let mut state = 1u64;
    let mut next = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let quad = |_| {
        let (subject, predicate) = (iri(format!("{:05}", next(5000))), iri(format!("p{}", next(7))));
        let object: Term = match next(4) {
            0 => Literal::from(next(900) as i64 - 450).into(),
            1 => Literal::new_simple_literal(format!("text {}", next(3000))).into(),
            _ => iri(format!("{:05}", next(5000))).into(),
        };
        let graph = match next(3) {
            0 => iri(format!("g{}", next(3))).into(),
            _ => GraphName::DefaultGraph,
        };
        oxrdf::Quad::new(subject, predicate, object, graph)
    };
    (0..80_000).map(quad).collect()
}

/// However quads come and whatever memory there is, they make one run.
#[test]
fn threads_and_memory_leave_no_trace() {
    let mut quads = many_quads();
    let reified = |n: usize| {
        let triple = Triple::new(iri(format!("{n:05}")), iri("p1"), Literal::from(n as i64));
        oxrdf::Quad::new(iri(format!("e{n}")), pg::REIFIES.into_owned(), triple, GraphName::DefaultGraph)
    };
    quads.extend((0..3000).map(reified));
    let root = written(&quads).0.root();
    for (gatherers, memory_bytes, threads) in [(1, 64 << 20, 1), (2, 1 << 20, 2), (3, 8 << 20, 2)] {
        let gathering = Gathering::new(&MemoryScratch, memory_bytes, gatherers, 7);
        std::thread::scope(|scope| {
            for share in quads.chunks(quads.len() / gatherers + 1) {
                let mut gatherer = gathering.gatherer();
                scope.spawn(move || {
                    share.iter().rev().for_each(|quad| gatherer.insert(quad).unwrap());
                    gatherer.finish().unwrap();
                });
            }
        });
        assert_eq!(gathering.quads(), quads.len() as u64);
        let parts = gathering.into_parts();
        assert!(parts.len() >= gatherers && (memory_bytes > 1 << 20 || parts.len() > 4), "{}", parts.len());
        let shelf = Shelf::default();
        assert_eq!(write(&parts, &shelf, memory_bytes, threads, every_order()).root, root);
    }
}

#[test]
fn scans_cross_blocks_and_pieces() {
    let (run, shelf, index) = large();
    let all = QuadPattern::default();
    let quads: Vec<Quad> = index.scan(&all, Permutation::Spo).collect();
    check_scans(&run, &index, &[quads[0], quads[40_000], quads[quads.len() - 1]]);
    // What is prefetched needs no further request.
    let pattern = QuadPattern { predicate: Some(quads[0].predicate), ..QuadPattern::default() };
    let reader = Arc::new(BlockReader::new(shelf.clone(), key(), 64 << 20));
    let fresh = Run::open(run.root(), reader).unwrap();
    shelf.requests.lock().unwrap().clear();
    fresh.prefetch(&[pattern.clone(), QuadPattern { subject: Some(quads[9].subject), ..all }]);
    rows(&mut fresh.scan(&pattern, Permutation::Pso).unwrap(), 4);
    assert_eq!(shelf.requests.lock().unwrap().len(), 1);
}

/// A scan that seeks gives what is not below the key, once and in order, and passes over most of the rest.
#[test]
fn seeking_passes_over_rows_and_loses_none() {
    let (run, _, index) = large();
    let some = index.scan(&QuadPattern::default(), Permutation::Spo).nth(30_000).unwrap();
    let predicate = QuadPattern { predicate: Some(some.predicate), ..QuadPattern::default() };
    let in_graph = QuadPattern { graph: GraphFilter::One(some.graph), ..predicate.clone() };
    let patterns = [QuadPattern::default(), predicate, in_graph];
    for (pattern, permutation) in patterns.iter().flat_map(|p| Permutation::ALL.map(|order| (p, order))) {
        let expected = expected_rows(&index, pattern, permutation);
        let is_bound = |place: &usize| *place == 1 && pattern.predicate.is_some();
        let Some(open) = permutation.positions().into_iter().find(|place| !is_bound(place)) else { continue };
        // Rows that do not match are in between, so that a seek to the open place has nothing to go by.
        let is_late = permutation.positions()[0] != 1 && pattern.predicate.is_some();
        for jump in [1usize, 700, 9_000, 70_000] {
            let mut scan = run.scan(pattern, permutation).unwrap();
            let (mut at, mut given) = (0, 0);
            while let Some(target) = expected.get(at + jump) {
                scan.seek(target[open]);
                let Some(batch) = scan.next_batch().unwrap() else { break };
                for index in 0..batch.rows() {
                    let mut row = Vec::new();
                    batch.read_row(index, &mut row);
                    let found =
                        expected[at..].iter().position(|other| *other == row).expect("it is a new row");
                    assert!(expected[at..at + found].iter().all(|passed| passed[open] < target[open]));
                    at += found + 1;
                }
                given += batch.rows();
            }
            let rest = rows(&mut scan, 4);
            assert_eq!(rest, expected[at..], "{pattern:?} {permutation:?} {jump}");
            let may_pass = open != 1 && jump >= 9_000 && jump < expected.len() && !is_late;
            assert!(!may_pass || given + rest.len() < expected.len(), "nothing was passed over");
        }
    }
}

#[test]
fn rows_of_keys_are_those_that_a_scan_has_of_them() {
    let (run, _, index) = large();
    let some = index.scan(&QuadPattern::default(), Permutation::Spo).nth(30_000).unwrap();
    let predicate = QuadPattern { predicate: Some(some.predicate), ..QuadPattern::default() };
    let object = QuadPattern { object: Some(some.object), ..predicate.clone() };
    let in_graph = QuadPattern { graph: GraphFilter::One(some.graph), ..predicate.clone() };
    let patterns = [QuadPattern::default(), predicate, object, in_graph];
    for (pattern, permutation) in patterns.iter().flat_map(|p| Permutation::ALL.map(|order| (p, order))) {
        let bound = [pattern.subject, pattern.predicate, pattern.object];
        let open = permutation.positions().into_iter().find(|place| *place < 3 && bound[*place].is_none());
        let all = expected_rows(&index, pattern, permutation);
        for step in [1usize, 3, 1_000, 30_000] {
            let mut keys: Vec<TermId> = all.iter().step_by(step).map(|row| row[open.unwrap()]).collect();
            // Some that no row has, among them and at the ends.
            keys.extend(
                [TermId::from_i64(-100_000), TermId::from_i64(17), TermId::from_f64(2.5)].map(Option::unwrap),
            );
            keys.sort_unstable();
            keys.dedup();
            let mut expected = all.clone();
            expected.retain(|row| keys.binary_search(&row[open.unwrap()]).is_ok());
            let mut scan = run.scan_keys(pattern, permutation, Places::ALL, Keys::Listed(&keys)).unwrap();
            assert_eq!(rows(&mut scan, 4), expected, "{pattern:?} {permutation:?} {step}");
            let range = keys[keys.len() / 3]..=keys[keys.len() / 2];
            let mut expected = all.clone();
            expected.retain(|row| range.contains(&row[open.unwrap()]));
            let mut scan = run.scan_keys(pattern, permutation, Places::ALL, Keys::Within(&range)).unwrap();
            assert_eq!(rows(&mut scan, 4), expected, "{pattern:?} {permutation:?} {range:?}");
        }
    }
    let nothing =
        run.scan_keys(&QuadPattern::default(), Permutation::Spo, Places::ALL, Keys::Listed(&[])).unwrap();
    assert_eq!(rows(&mut { nothing }, 4), Vec::<Vec<TermId>>::new());
}

#[test]
fn columns_that_nobody_reads_are_left_out() {
    let (run, _, index) = large();
    let some = index.scan(&QuadPattern::default(), Permutation::Spo).nth(30_000).unwrap();
    let graph = GraphFilter::One(some.graph);
    for pattern in [QuadPattern { predicate: Some(some.predicate), graph, ..QuadPattern::default() }] {
        for permutation in Permutation::ALL {
            let mut expected = expected_rows(&index, &pattern, permutation);
            for row in &mut expected {
                (row[0], row[1], row[3]) = Default::default();
            }
            let places = Places::from_iter([2]);
            assert_eq!(rows(&mut run.scan_places(&pattern, permutation, places).unwrap(), 4), expected);
        }
    }
}

#[test]
fn a_missing_block_is_named_and_the_rest_goes_on() {
    let (run, shelf, index) = large();
    let kinds = run.blocks();
    let lost = kinds.iter().find(|(_, kind)| *kind == BlockKind::Permutation).unwrap().0;
    shelf.blocks.lock().unwrap().remove(&lost);
    let all = QuadPattern::default();
    let outcomes = Permutation::ALL.map(|permutation| {
        let mut scan = run.scan(&all, permutation)?;
        let mut count = 0;
        while let Some(batch) = scan.next_batch()? {
            count += batch.rows();
        }
        Ok::<usize, crate::dataset::DatasetError>(count)
    });
    let failed: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert_eq!(failed.len(), 1);
    assert!(failed[0].to_string().contains(&lost.to_string()), "{}", failed[0]);
    assert!(outcomes.iter().flatten().all(|count| *count == index.len()));
}

#[test]
fn schema_facts_hold() {
    let quad = |s: &str, p: NamedNode, o: Term| oxrdf::Quad::new(iri(s), p, o, GraphName::DefaultGraph);
    let quads = [
        quad("ship", rdf::TYPE.into_owned(), iri("Vessel").into()),
        quad("port", rdf::TYPE.into_owned(), iri("Port").into()),
        quad("ship", iri("name"), Literal::new_simple_literal("Kraken").into()),
        quad("ship", iri("name"), Literal::new_language_tagged_literal_unchecked("Krake", "de").into()),
        quad("ship", iri("length"), Literal::from(120).into()),
        quad("ship", iri("calls"), iri("port").into()),
        quad("raft", rdf::TYPE.into_owned(), iri("Vessel").into()),
        quad("raft", iri("name"), Literal::new_simple_literal("Medusa").into()),
        quad("e", pg::REIFIES.into_owned(), Triple::new(iri("ship"), iri("calls"), iri("port")).into()),
    ];
    let (run, _) = written(&quads);
    let schema = run.schema().unwrap();
    assert!(schema.is_complete && schema.predicates.len() == 5);
    let name = &schema.predicates[&iri("name")];
    assert!(!name.is_functional && name.has_literal_objects && !name.has_node_objects && !name.has_edges);
    assert_eq!(name.datatypes, [rdf::LANG_STRING.into_owned(), xsd::STRING.into_owned()]);
    assert!(schema.is_functional_property(&iri("length")));
    let calls = &schema.predicates[&iri("calls")];
    assert!(calls.has_edges && calls.has_node_objects && calls.is_functional && calls.quads == 1);
    assert_eq!(calls.object_classes, [iri("Port")]);
    assert_eq!((&calls.domain[..], &calls.range[..]), (&[iri("Vessel")][..], &[iri("Port")][..]));
    assert!(!calls.has_loops && !calls.has_parallel_edges);
    assert_eq!((&name.domain[..], name.range.len()), (&[iri("Vessel")][..], 0));
    let vessel = &schema.classes[&iri("Vessel")];
    assert_eq!(vessel.instances, 2);
    assert_eq!(vessel.total_predicates, [iri("name"), rdf::TYPE.into_owned()]);
    assert_eq!(vessel.predicates, [iri("calls"), iri("length"), iri("name"), rdf::TYPE.into_owned()]);
    assert_eq!(schema.classes[&iri("Port")].inverse_predicates, [iri("calls")]);
}

#[test]
fn a_predicate_is_reified_if_all_its_quads_and_no_others_are() {
    let triple = |p: &str, o: &str| Triple::new(iri("s"), iri(p), iri(o));
    let quad = |triple: Triple| {
        oxrdf::Quad::new(triple.subject, triple.predicate, triple.object, GraphName::DefaultGraph)
    };
    let reifier =
        |e: &str, of: Triple, graph: GraphName| oxrdf::Quad::new(iri(e), pg::REIFIES.into_owned(), of, graph);
    let own = GraphName::DefaultGraph;
    let quads = [
        // Each has one, or two.
        quad(triple("all", "a")),
        quad(triple("all", "b")),
        reifier("e1", triple("all", "a"), own.clone()),
        reifier("e2", triple("all", "b"), own.clone()),
        reifier("e3", triple("all", "b"), own.clone()),
        // One has none.
        quad(triple("some", "a")),
        quad(triple("some", "b")),
        reifier("e1", triple("some", "b"), own.clone()),
        // One is not there, before or after the one that is.
        quad(triple("unsaid-after", "a")),
        reifier("e1", triple("unsaid-after", "a"), own.clone()),
        reifier("e2", triple("unsaid-after", "b"), own.clone()),
        quad(triple("unsaid-before", "b")),
        reifier("e1", triple("unsaid-before", "a"), own.clone()),
        reifier("e2", triple("unsaid-before", "b"), own.clone()),
        // In another graph.
        quad(triple("elsewhere", "a")),
        reifier("e1", triple("elsewhere", "a"), iri("g").into()),
        reifier("e1", triple("unsaid", "a"), own),
        quad(triple("never", "a")),
        oxrdf::Quad::new(iri("s"), iri("literal"), Literal::from(1), GraphName::DefaultGraph),
        reifier("e1", Triple::new(iri("s"), iri("literal"), Literal::from(1)), GraphName::DefaultGraph),
    ];
    let (run, _) = written(&quads);
    let is_reified = |name: &str| run.id_of(&iri(name).into()).unwrap().is_some_and(|id| run.is_reified(id));
    let names = ["all", "some", "unsaid-after", "unsaid-before", "elsewhere", "unsaid", "never", "literal"];
    assert_eq!(names.map(is_reified), [true, false, false, false, false, false, false, false]);
}

/// Whoever writes a manifest can name one dictionary block as often as he likes: a search that goes back
/// through all of them takes no stack.
#[test]
fn a_manifest_of_one_block_again_and_again_is_searched() {
    const ENTRIES: u32 = 100_000;
    let shelf = Arc::new(Shelf::default());
    let put = |kind, content: &[u8]| {
        let block = SealedBlock::seal(kind, content, &key());
        shelf.put(std::slice::from_ref(&block)).unwrap();
        block.id()
    };
    let term = super::term_key::term_key(&iri("z").into()).unwrap();
    let terms = encode_terms(&[term]).remove(0);
    let id = put(BlockKind::Dictionary, &terms.content);
    let entry = TermsEntry { separator: Vec::new(), terms: 1, bytes: 1, id };
    let page = put(BlockKind::ManifestPage, &encode_terms_page(&vec![entry; PAGE_ENTRIES]));
    let pages = vec![PageEntry { section: Section::Dictionary, id: page }; ENTRIES as usize / PAGE_ENTRIES];
    let root = Root { terms_by_kind: [0, ENTRIES.into(), 0, 0, 0, 0], pages, ..Root::default() };
    let run = open(put(BlockKind::Manifest, &root.encode()), &shelf);
    assert_eq!(run.id_of(&iri("a").into()).unwrap(), None);
}

/// Guards the bytes: a change here is a new format version.
#[test]
fn golden_manifest() {
    let quads: Vec<oxrdf::Quad> = (0..3000)
        .map(|n| {
            let graph = if n % 5 == 0 { iri("g").into() } else { GraphName::DefaultGraph };
            oxrdf::Quad::new(iri(n % 700), iri(format!("p{}", n % 3)), Literal::from(n * 7 % 1000), graph)
        })
        .collect();
    let (run, _) = written_in(&quads, PermutationSet::default());
    assert_eq!(run.root().to_string(), "bafkr4ihlv6ksrbb7nqieuovv6h72bjdus7iypp2po2oaygrplyrfz64yia");
}

/// Whoever has the key can name any page as that of an order: what it says must agree with the rest.
#[test]
fn a_manifest_whose_optional_order_disagrees_is_refused() {
    let quads: Vec<oxrdf::Quad> =
        (0..9).map(|n| oxrdf::Quad::new(iri(n), iri("p"), iri(n + 1), GraphName::DefaultGraph)).collect();
    let (run, shelf) = written(&quads);
    let reader = || Arc::new(BlockReader::new(shelf.clone(), key(), 1 << 20));
    let put = |kind, content: &[u8]| {
        let block = SealedBlock::seal(kind, content, &key());
        shelf.put(std::slice::from_ref(&block)).unwrap();
        block.id()
    };
    let block = shelf.blocks.lock().unwrap()[&run.root()].clone();
    let root = Root::decode(block.open(BlockKind::Manifest, &key()).unwrap().data()).unwrap();
    let refused = |change: &dyn Fn(&mut PageEntry)| {
        let mut root = root.clone();
        root.pages.iter_mut().filter(|page| page.section == Section::Sop).for_each(change);
        Run::open(put(BlockKind::Manifest, &root.encode()), reader()).err().map(|error| error.to_string())
    };
    let page_of = |section| root.pages.iter().find(|page| page.section == section).unwrap().id;
    let empty = put(BlockKind::ManifestPage, &encode_row_page(Section::Sop, &[]));
    let twice = [run.entries(Section::Sop), run.entries(Section::Sop)].concat();
    let twice = put(BlockKind::ManifestPage, &encode_row_page(Section::Sop, &twice));
    assert_eq!(refused(&|_| {}), None);
    for id in [page_of(Section::Osp), empty, twice] {
        let error = refused(&|page| page.id = id).unwrap();
        assert!(error.contains("another section") || error.contains("counts of rows disagree"), "{error}");
    }
    // Without the page it is a run that lacks the order.
    let fewer = Root {
        pages: root.pages.iter().copied().filter(|page| page.section != Section::Sop).collect(),
        ..root.clone()
    };
    let run = Run::open(put(BlockKind::Manifest, &fewer.encode()), reader()).unwrap();
    assert_eq!(run.permutations(), PermutationSet::from_iter([Permutation::Osp]));
}
