//! Random histories: a workspace must answer as a plain set of quads does, at every commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use oxrdf::{GraphName, Quad as TermQuad};
use proptest::prelude::*;

use super::tests::access;
use super::*;
use crate::blockstore::MemoryStore;
use crate::dataset::{Dataset, DatasetMut, Keys, MemoryDataset, Places, Runs, Scan};
use crate::model::{
    BlankNode, EdgeOrder, EdgePattern, GraphFilter, Literal, NamedNode, NamedOrBlankNode, Permutation,
    PermutationSet, Quad, QuadPattern, Term, TermId, Triple, is_numeric_datatype, pg, rdf, xsd,
};

fn subject(n: u8) -> NamedOrBlankNode {
    match n % 5 {
        4 => BlankNode::new_unchecked("blank").into(),
        n => NamedNode::new_unchecked(format!("http://example.org/s{n}")).into(),
    }
}

fn predicate(n: u8) -> NamedNode {
    match n % 4 {
        0 => rdf::TYPE.into_owned(),
        n => NamedNode::new_unchecked(format!("http://example.org/p{n}")),
    }
}

fn object(n: u8) -> Term {
    match n % 9 {
        0 | 1 => subject(n).into(),
        2 => NamedNode::new_unchecked("http://example.org/Class").into(),
        3 => Literal::from(7).into(),
        4 => Literal::from("text").into(),
        5 => Literal::new_language_tagged_literal_unchecked("text", "en").into(),
        6 => Literal::new_typed_literal("07", xsd::INTEGER).into(),
        7 => Literal::new_typed_literal("2024-01-01", xsd::DATE).into(),
        _ => Triple::new(subject(n / 9), predicate(n / 3), object(n % 8)).into(),
    }
}

fn graph(n: u8) -> GraphName {
    match n % 3 {
        0 => GraphName::DefaultGraph,
        n => NamedNode::new_unchecked(format!("http://example.org/g{n}")).into(),
    }
}

/// Quads of a small world, so that random ones meet; some say `rdf:reifies`.
fn quads() -> impl Strategy<Value = TermQuad> {
    (any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>(), any::<bool>()).prop_map(|(s, p, o, g, reifies)| {
        if reifies && s % 3 == 0 {
            let triple = Triple::new(subject(s / 3), predicate(p), object(o % 8));
            TermQuad::new(subject(s / 2), pg::REIFIES.into_owned(), Term::from(triple), graph(g))
        } else {
            TermQuad::new(subject(s), predicate(p), object(o), graph(g))
        }
    })
}

#[derive(Clone, Debug)]
enum Step {
    Insert(TermQuad),
    Remove(TermQuad),
    /// Removes the nth quad that is there.
    RemoveNth(usize),
    Commit,
    Branch,
    Switch(usize),
    Fold,
    Load(Vec<TermQuad>),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => quads().prop_map(Step::Insert),
        4 => quads().prop_map(Step::Remove),
        4 => any::<usize>().prop_map(Step::RemoveNth),
        4 => Just(Step::Commit),
        1 => Just(Step::Branch),
        1 => any::<usize>().prop_map(Step::Switch),
        1 => Just(Step::Fold),
        1 => prop::collection::vec(quads(), 0..30).prop_map(Step::Load),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..60)
}

fn ids(dataset: &dyn DatasetMut, quad: &TermQuad) -> Quad {
    let id = |term: Term| dataset.intern(&term).unwrap();
    Quad {
        subject: id(quad.subject.clone().into()),
        predicate: id(quad.predicate.clone().into()),
        object: id(quad.object.clone()),
        graph: match &quad.graph_name {
            GraphName::DefaultGraph => TermId::UNDEFINED,
            GraphName::NamedNode(name) => id(name.clone().into()),
            GraphName::BlankNode(node) => id(node.clone().into()),
        },
    }
}

/// Returns the rows of a scan as texts, in order, after checking that they are sorted.
fn scan(dataset: &dyn Dataset, pattern: &QuadPattern, permutation: Permutation) -> Vec<String> {
    let scan = dataset.scan(pattern, permutation).unwrap();
    read(dataset, scan, pattern, permutation).into_iter().map(|(_, text)| text).collect()
}

fn read(
    dataset: &dyn Dataset,
    mut scan: Box<dyn Scan>,
    pattern: &QuadPattern,
    permutation: Permutation,
) -> Vec<(Quad, String)> {
    let (mut rows, mut last) = (Vec::new(), None);
    while let Some(batch) = scan.next_batch().unwrap() {
        assert!(!batch.is_empty());
        for row in 0..batch.rows() {
            let [subject, predicate, object, graph] = [0, 1, 2, 3].map(|column| batch.column(column)[row]);
            let quad = Quad { subject, predicate, object, graph };
            assert!(pattern.matches(&quad));
            assert!(last < Some(permutation.key(&quad)), "sorted and distinct");
            last = Some(permutation.key(&quad));
            rows.push((quad, text(dataset, &[subject, predicate, object, graph])));
        }
    }
    rows
}

fn text(dataset: &dyn Dataset, ids: &[TermId]) -> String {
    let all =
        dataset.terms(&ids.iter().copied().filter(|id| !id.is_undefined()).collect::<Vec<_>>()).unwrap();
    let mut all = all.iter();
    let one = |id: &TermId| if id.is_undefined() { "-".to_owned() } else { all.next().unwrap().to_string() };
    ids.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn edges(dataset: &dyn Dataset, pattern: &EdgePattern) -> BTreeSet<String> {
    let mut scan = dataset.scan_edges(pattern).unwrap();
    let mut rows = BTreeSet::new();
    while let Some(batch) = scan.next_batch().unwrap() {
        for row in 0..batch.rows() {
            let ids = [0, 1, 2, 3, 4].map(|column| batch.column(column)[row]);
            assert!(rows.insert(text(dataset, &ids)), "each edge once");
        }
    }
    rows
}

/// Compares every pattern over the terms of a sample of quads, in every permutation.
fn check(dataset: &dyn Dataset, model: &MemoryDataset) {
    let all = scan(model, &QuadPattern::default(), Permutation::Spo);
    assert_eq!(dataset.estimate(&QuadPattern::default()).unwrap(), all.len() as u64);
    for probe in (0..all.len()).step_by(1 + all.len() / 2) {
        let mut rows = model.scan(&QuadPattern::default(), Permutation::Spo).unwrap();
        let batch = rows.next_batch().unwrap().unwrap();
        let row: Vec<TermId> = (0..4).map(|column| batch.column(column)[probe]).collect();
        let theirs = |id: TermId| dataset.term_id(&model.term(id).unwrap()).unwrap().unwrap();
        for bound in 0..8u32 {
            for filter in 0..4 {
                let pattern = |convert: &dyn Fn(TermId) -> TermId| {
                    let at = |place: usize| (bound >> place & 1 == 1).then(|| convert(row[place]));
                    let graph = if row[3].is_undefined() { row[3] } else { convert(row[3]) };
                    let graph = match filter {
                        0 => GraphFilter::All,
                        1 => GraphFilter::Named,
                        2 => GraphFilter::One(graph),
                        _ => GraphFilter::Among(vec![graph]),
                    };
                    QuadPattern { subject: at(0), predicate: at(1), object: at(2), graph }
                };
                let (ours, theirs) = (pattern(&|id| id), pattern(&theirs));
                let expected: BTreeSet<String> = scan(model, &ours, Permutation::Spo).into_iter().collect();
                let count = dataset.count(&theirs).unwrap();
                assert!(count.is_none_or(|count| count == expected.len() as u64), "{count:?} of {theirs:?}");
                // Of all graphs, one bound place or none is a prefix of some order.
                assert!(count.is_some() || filter != 0 || bound.count_ones() > 1, "{theirs:?}");
                if filter == 0 {
                    assert_eq!(dataset.estimate(&theirs).unwrap(), expected.len() as u64, "{theirs:?}");
                }
                for permutation in dataset.permutations().iter() {
                    let rows = scan(dataset, &theirs, permutation);
                    assert_eq!(rows.into_iter().collect::<BTreeSet<_>>(), expected);
                    check_runs(dataset, &theirs, permutation);
                    let both = [(dataset, &theirs), (model as &dyn Dataset, &ours)];
                    check_rows_of_keys(both, permutation, &row);
                }
            }
        }
    }
    check_edges(dataset, model);
    let names = |dataset: &dyn Dataset| -> BTreeSet<String> {
        dataset.named_graphs().unwrap().into_iter().map(|id| dataset.term(id).unwrap().to_string()).collect()
    };
    assert_eq!(names(dataset), names(model));
}

/// Checks that a scan counts the rows that it gives, by the place that they are sorted by.
fn check_runs(dataset: &dyn Dataset, pattern: &QuadPattern, permutation: Permutation) {
    let bound = [pattern.subject, pattern.predicate, pattern.object, None];
    let Some(open) = permutation.positions().into_iter().find(|place| bound[*place].is_none()) else {
        return;
    };
    let scan = || dataset.scan_places(pattern, permutation, Places::from_iter([open])).unwrap();
    let (mut rows, mut counted, mut given) = (scan(), scan(), Runs::default());
    while let Some(batch) = rows.next_batch().unwrap() {
        given.extend(batch.column(open));
    }
    let mut runs = Runs::default();
    while let Some(more) = counted.next_runs(open).unwrap() {
        more.ids.into_iter().zip(more.counts).for_each(|(id, count)| runs.push(id, count));
    }
    assert_eq!(runs, given, "{pattern:?} {permutation}");
}

/// Checks that scans of the key that a row of the model has lose none of its rows.
fn check_rows_of_keys(both: [(&dyn Dataset, &QuadPattern); 2], permutation: Permutation, row: &[TermId]) {
    let [(dataset, pattern), (model, of_model)] = both;
    let is_open = |place: usize| {
        [pattern.subject, pattern.predicate, pattern.object].get(place).is_some_and(Option::is_none)
    };
    let Some(open) = permutation.positions().into_iter().find(|place| is_open(*place)) else { return };
    let of_key = |pattern: &QuadPattern, key| {
        let mut pattern = pattern.clone();
        *[&mut pattern.subject, &mut pattern.predicate, &mut pattern.object][open] = Some(key);
        pattern
    };
    let key = dataset.term_id(&model.term(row[open]).unwrap()).unwrap().unwrap();
    let wanted = of_key(pattern, key);
    let expected = BTreeSet::from_iter(scan(model, &of_key(of_model, row[open]), Permutation::Spo));
    for keys in [Keys::Listed(&[key]), Keys::Within(&(key..=key))] {
        let keyed = dataset.scan_keys(pattern, permutation, Places::ALL, keys).unwrap();
        let rows = read(dataset, keyed, pattern, permutation);
        let rows = rows.into_iter().filter(|(quad, _)| wanted.matches(quad)).map(|(_, text)| text);
        assert_eq!(rows.collect::<BTreeSet<_>>(), expected);
    }
}

fn check_edges(dataset: &dyn Dataset, model: &MemoryDataset) {
    let all = edges(model, &EdgePattern::default());
    assert_eq!(edges(dataset, &EdgePattern::default()), all);
    let mut rows = model.scan_edges(&EdgePattern::default()).unwrap();
    while let Some(batch) = rows.next_batch().unwrap() {
        for row in 0..batch.rows() {
            for place in 0..4 {
                let id = batch.column(if place == 3 { 4 } else { place })[row];
                let pattern = |id: TermId| EdgePattern {
                    subject: (place == 0).then_some(id),
                    predicate: (place == 1).then_some(id),
                    object: (place == 2).then_some(id),
                    edge: (place == 3).then_some(id),
                    graph: GraphFilter::All,
                    order: [EdgeOrder::Subject, EdgeOrder::Object, EdgeOrder::Edge][row % 3],
                };
                let theirs = dataset.term_id(&model.term(id).unwrap()).unwrap().unwrap();
                assert_eq!(edges(dataset, &pattern(theirs)), edges(model, &pattern(id)));
                if place == 1 {
                    let at = [0, 2, 4][row % 3];
                    let end = batch.column(at)[row];
                    check_keyed_edges(dataset, model, [&pattern(theirs), &pattern(id)], end, at);
                }
            }
        }
    }
}

/// Checks the scans of edges that look at one id at one place, the first that the order of a pattern of one predicate leaves open.
fn check_keyed_edges(
    dataset: &dyn Dataset,
    model: &MemoryDataset,
    [pattern, of_model]: [&EdgePattern; 2],
    end: TermId,
    at: usize,
) {
    let bound = |pattern: &EdgePattern, id: TermId| match at {
        0 => EdgePattern { subject: Some(id), ..pattern.clone() },
        2 => EdgePattern { object: Some(id), ..pattern.clone() },
        _ => EdgePattern { edge: Some(id), ..pattern.clone() },
    };
    let key = dataset.term_id(&model.term(end).unwrap()).unwrap().unwrap();
    let expected = edges(model, &bound(of_model, end)).len();
    for keys in [Keys::Listed(&[key]), Keys::Within(&(key..=key))] {
        let mut scan = dataset.scan_edge_keys(pattern, Places::ALL, keys).unwrap();
        let (mut found, mut last) = (0, None);
        while let Some(batch) = scan.next_batch().unwrap() {
            found += batch.column(at).iter().filter(|id| **id == key).count();
            assert!(batch.column(at).is_sorted() && last <= batch.column(at).first().copied());
            last = batch.column(at).last().copied();
        }
        assert_eq!(found, expected, "{pattern:?} {keys:?}");
    }
}

/// Checks that what the statistics and the schema promise is so.
fn check_facts(dataset: &dyn Dataset, model: &MemoryDataset) {
    let statistics = dataset.statistics();
    let rows = scan(model, &QuadPattern::default(), Permutation::Pso);
    assert_eq!(statistics.quads, rows.len() as u64);
    for (name, quads) in check_schema(dataset) {
        let predicate = dataset.term_id(&name.into()).unwrap().unwrap();
        assert_eq!(statistics.predicates[&predicate].quads, quads.len() as u64);
    }
}

/// Checks that what the schema promises is so; returns the quads of each predicate.
fn check_schema(dataset: &dyn Dataset) -> BTreeMap<NamedNode, Vec<Quad>> {
    let schema = dataset.schema().unwrap();
    assert!(schema.is_complete);
    let mut by_predicate: BTreeMap<NamedNode, Vec<Quad>> = BTreeMap::new();
    let mut scan = dataset.scan(&QuadPattern::default(), Permutation::Pso).unwrap();
    while let Some(batch) = scan.next_batch().unwrap() {
        for row in 0..batch.rows() {
            let [subject, predicate, object, graph] = [0, 1, 2, 3].map(|column| batch.column(column)[row]);
            let Term::NamedNode(name) = dataset.term(predicate).unwrap() else { panic!() };
            by_predicate.entry(name).or_default().push(Quad { subject, predicate, object, graph });
        }
    }
    let edges = edges_of(dataset);
    let edged: BTreeSet<[TermId; 4]> = edges.iter().copied().collect();
    let name_of = |[_, predicate, ..]: &[TermId; 4]| dataset.term(*predicate).unwrap().to_string();
    let reified: BTreeSet<String> = edged.iter().map(name_of).collect();
    let mut seen = BTreeSet::new();
    let parallel: BTreeSet<String> = edges.iter().filter(|quad| !seen.insert(**quad)).map(name_of).collect();
    let mut instances: BTreeMap<NamedNode, BTreeSet<TermId>> = BTreeMap::new();
    for quad in by_predicate.get(&rdf::TYPE.into_owned()).into_iter().flatten() {
        if let Term::NamedNode(class) = dataset.term(quad.object).unwrap() {
            instances.entry(class).or_default().insert(quad.subject);
        }
    }
    for (name, info) in &schema.predicates {
        let quads = by_predicate.get(name).map_or(&[][..], Vec::as_slice);
        assert_eq!(info.quads, quads.len() as u64, "{name}");
        let subjects: BTreeSet<TermId> = quads.iter().map(|quad| quad.subject).collect();
        let pairs: BTreeSet<(TermId, TermId)> =
            quads.iter().map(|quad| (quad.subject, quad.object)).collect();
        assert!(!info.is_functional || subjects.len() == pairs.len(), "{name} is functional");
        let is_node = |quad: &Quad| {
            matches!(
                quad.object.kind(),
                crate::model::TermKind::NamedNode | crate::model::TermKind::BlankNode
            )
        };
        assert!(info.has_node_objects || !quads.iter().any(is_node), "{name}");
        assert!(info.has_literal_objects || quads.iter().all(is_node), "{name}");
        assert!(info.has_edges || !reified.contains(&name.to_string()), "{name}");
        assert!(info.has_parallel_edges || !parallel.contains(&name.to_string()), "{name} has no parallels");
        assert!(
            info.has_loops || quads.iter().all(|quad| quad.subject != quad.object),
            "{name} has no loops"
        );
        for quad in quads {
            for (classes, end) in [(&info.domain, quad.subject), (&info.range, quad.object)] {
                let is_class =
                    |class: &NamedNode| instances.get(class).is_some_and(|nodes| nodes.contains(&end));
                assert!(classes.iter().all(is_class), "all ends of {name} are {classes:?}");
            }
        }
        for quad in quads {
            if let Term::Literal(literal) = dataset.term(quad.object).unwrap() {
                assert!(info.datatypes.contains(&literal.datatype().into_owned()), "{name} {literal}");
                let is_opaque =
                    is_numeric_datatype(literal.datatype()) && quad.object.as_dictionary().is_some();
                assert!(info.has_opaque_numbers || !is_opaque, "{name} {literal}");
            }
        }
    }
    for (name, quads) in &by_predicate {
        assert!(schema.predicates.contains_key(name), "{name} has quads and is not listed");
        let own: BTreeSet<[TermId; 4]> =
            quads.iter().map(|quad| [quad.subject, quad.predicate, quad.object, quad.graph]).collect();
        let is_reified = edged.iter().filter(|[_, predicate, ..]| *predicate == quads[0].predicate).eq(&own);
        assert!(is_reified || !dataset.is_reified(quads[0].predicate), "{name} is reified");
        assert!(is_reified || !schema.predicates[name].is_reified, "{name} is reified");
    }
    check_classes(dataset, &schema, &by_predicate);
    by_predicate
}

/// Returns the quad of each edge.
fn edges_of(dataset: &dyn Dataset) -> Vec<[TermId; 4]> {
    let mut scan = dataset.scan_edges(&EdgePattern::default()).unwrap();
    let mut edges = Vec::new();
    while let Some(batch) = scan.next_batch().unwrap() {
        edges.extend((0..batch.rows()).map(|row| [0, 1, 2, 3].map(|column| batch.column(column)[row])));
    }
    edges
}

fn check_classes(
    dataset: &dyn Dataset,
    schema: &crate::plan::Schema,
    by_predicate: &BTreeMap<NamedNode, Vec<Quad>>,
) {
    let mut instances: BTreeMap<TermId, BTreeSet<TermId>> = BTreeMap::new();
    for quad in by_predicate.get(&rdf::TYPE.into_owned()).into_iter().flatten() {
        instances.entry(quad.object).or_default().insert(quad.subject);
    }
    for (class, nodes) in &instances {
        let Term::NamedNode(name) = dataset.term(*class).unwrap() else { continue };
        let info = schema.classes.get(&name).unwrap_or_else(|| panic!("class {name} is not listed"));
        assert_eq!(info.instances, nodes.len() as u64, "{name}");
        let is_listed = |predicate| by_predicate.contains_key(predicate);
        assert!(info.total_predicates.iter().all(is_listed), "{name} has what nothing has");
        for (predicate, quads) in by_predicate {
            if quads.iter().any(|quad| nodes.contains(&quad.subject)) {
                assert!(info.predicates.contains(predicate), "{name} has {predicate}");
            }
            if info.total_predicates.contains(predicate) {
                let has = |node: &TermId| quads.iter().any(|quad| quad.subject == *node);
                assert!(nodes.iter().all(has), "all of {name} have {predicate}");
            }
            if quads.iter().any(|quad| nodes.contains(&quad.object)) {
                assert!(info.inverse_predicates.contains(predicate), "{predicate} points to {name}");
                assert!(schema.predicates[predicate].object_classes.contains(&name), "{predicate} to {name}");
            }
        }
    }
}

fn memory(quads: &BTreeMap<String, TermQuad>) -> MemoryDataset {
    let dataset = MemoryDataset::new();
    for quad in quads.values() {
        dataset.insert_quad(quad).unwrap();
    }
    dataset
}

fn run(steps: Vec<Step>, permutations: PermutationSet) {
    let store = Arc::new(MemoryStore::new());
    let settings = Settings { permutations, ..Settings::default() };
    let mut workspace = Workspace::create(access(&store), settings, 0).unwrap();
    let mut models: BTreeMap<String, BTreeMap<String, TermQuad>> = BTreeMap::new();
    models.insert(MAIN.to_owned(), BTreeMap::new());
    let mut history: Vec<(CommitId, BTreeMap<String, TermQuad>)> = Vec::new();
    let (mut branch, mut time) = (MAIN.to_owned(), 0);
    let mut transaction = workspace.begin(&branch).unwrap();
    for step in steps.into_iter().chain([Step::Commit, Step::Reopen]) {
        time += 1;
        let model = models.get_mut(&branch).unwrap();
        match step {
            Step::Insert(quad) => {
                let id = ids(&transaction, &quad);
                assert_eq!(transaction.insert(id).unwrap(), model.insert(quad.to_string(), quad).is_none());
            }
            Step::Remove(quad) => {
                let id = ids(&transaction, &quad);
                assert_eq!(transaction.remove(id).unwrap(), model.remove(&quad.to_string()).is_some());
            }
            Step::RemoveNth(n) => {
                if let Some(name) = model.keys().nth(n % model.len().max(1)).cloned() {
                    let quad = model.remove(&name).unwrap();
                    assert!(transaction.remove(ids(&transaction, &quad)).unwrap());
                }
                // What it knows now is brought up to date later.
                check_schema(&transaction);
                check_schema(&*transaction.as_of_now());
            }
            step => {
                check(&transaction, &memory(model));
                check_schema(&transaction);
                let commit = transaction.write("step", time).unwrap();
                assert_eq!(transaction.publish().unwrap(), commit);
                check_facts(&*workspace.snapshot(commit).unwrap(), &memory(model));
                history.push((commit, model.clone()));
                match step {
                    Step::Branch => {
                        let name = format!("b{}", models.len());
                        workspace.create_branch(&name, commit).unwrap();
                        let copy = models[&branch].clone();
                        models.insert(name.clone(), copy);
                        branch = name;
                    }
                    Step::Switch(n) => branch = models.keys().nth(n % models.len()).unwrap().clone(),
                    Step::Fold => drop(workspace.fold(commit).unwrap()),
                    Step::Load(quads) => {
                        let quads: Vec<TermQuad> =
                            quads.into_iter().filter(|quad| !quad.to_string().contains("_:")).collect();
                        let batches = quads.chunks(7).map(|batch| Ok::<_, std::io::Error>(batch.to_vec()));
                        let loaded = workspace.load(&branch, batches, "load", time).unwrap();
                        let before = model.len();
                        model.extend(quads.into_iter().map(|quad| (quad.to_string(), quad)));
                        assert_eq!(loaded.quads_added, (model.len() - before) as u64);
                        history.push((loaded.commit, model.clone()));
                    }
                    Step::Reopen => workspace = Workspace::open(access(&store)).unwrap(),
                    _ => {}
                }
                transaction = workspace.begin(&branch).unwrap();
            }
        }
    }
    let report = workspace.verify().unwrap();
    assert!(report.is_clean(), "{report:?}");
    for (commit, model) in history {
        let snapshot = workspace.snapshot(commit).unwrap();
        assert_eq!(snapshot.permutations(), permutations);
        check(&*snapshot, &memory(&model));
        check_facts(&*snapshot, &memory(&model));
    }
}

#[test]
fn facts_hold_after_a_large_load_on_top() {
    let store = Arc::new(MemoryStore::new());
    let workspace = Workspace::create(access(&store), Settings::default(), 0).unwrap();
    let node = |n: u64| NamedNode::new_unchecked(format!("http://example.org/n{n}"));
    let quad = |n: u64| -> TermQuad {
        let (subject, graph) = (node(n % 3000), graph((n % 3) as u8));
        match n / 3000 {
            0 => TermQuad::new(subject, predicate(0), node(9000 + n % 5), graph),
            1 => TermQuad::new(subject, predicate(1), node(n * 7 % 3000), graph),
            2 => TermQuad::new(subject, predicate(2), Literal::from(n as i64 % 10), graph),
            _ => TermQuad::new(subject, predicate((n % 3) as u8), node(n * 11 % 6000), graph),
        }
    };
    let mut model = BTreeMap::new();
    for (time, range) in [0..2000, 2000..4500, 4500..9000, 9000..12_000].into_iter().enumerate() {
        let quads: Vec<TermQuad> = range.map(quad).collect();
        model.extend(quads.iter().map(|quad| (quad.to_string(), quad.clone())));
        let loaded = workspace.load(MAIN, [Ok::<_, std::io::Error>(quads)], "load", time as i64).unwrap();
        let snapshot = workspace.snapshot(loaded.commit).unwrap();
        assert_eq!(snapshot.overlay_len() > 0, time > 0);
        check_facts(&*snapshot, &memory(&model));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_workspace_answers_as_a_set_of_quads(
        steps in steps(),
        more in prop::sample::subsequence(&Permutation::OPTIONAL, 0..=2),
    ) {
        run(steps, more.into_iter().collect());
    }

    #[test]
    fn a_run_in_more_orders_is_canonical(quads in prop::collection::vec(quads(), 1..40), cut: prop::sample::Index) {
        let mut quads = quads;
        quads.retain(|quad| !quad.to_string().contains("_:"));
        let root = |pieces: &[&[TermQuad]]| {
            let store = Arc::new(MemoryStore::new());
            let permutations = Permutation::ALL.into_iter().collect();
            let settings = Settings { permutations, ..Settings::default() };
            let workspace = Workspace::create(access(&store), settings, 0).unwrap();
            for piece in pieces {
                workspace.load(MAIN, [Ok::<_, std::io::Error>(piece.to_vec())], "load", 1).unwrap();
            }
            workspace.fold(workspace.branch(MAIN).unwrap()).unwrap()
        };
        let (some, others) = quads.split_at(cut.index(quads.len() + 1));
        prop_assert_eq!(root(&[some, others]), root(&[&quads]));
        prop_assert_eq!(root(&[others, some]), root(&[&quads]));
    }
}
