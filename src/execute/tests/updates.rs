//! Writes: SPARQL templates, property-graph changes, and each seen by the other.

use super::*;
use crate::execute::{GraphLoader, RuntimeCode, UpdateSummary, execute_update};
use crate::model::{Permutation, QuadPattern};
use crate::plan::{
    ApplyKind, Batches, Change, GraphTarget, GraphTemplate, OnError, QuadTemplate, TermTemplate, Update,
};

fn modify(input: LogicalPlan, changes: Vec<Change>) -> LogicalPlan {
    LogicalPlan::Modify { input: Box::new(input), changes }
}

fn template(text: &str) -> QuadTemplate {
    let part = |word: &str| match (word.strip_prefix('?'), word.strip_prefix("_:")) {
        (Some(number), _) => TermTemplate::Variable(Variable(number.parse().unwrap())),
        (_, Some(label)) => TermTemplate::BlankNode(label.to_owned()),
        _ => TermTemplate::Constant(term(word)),
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let graph = words.get(3).map_or(GraphTemplate::Default, |name| GraphTemplate::Named(iri(name)));
    QuadTemplate { subject: part(words[0]), predicate: part(words[1]), object: part(words[2]), graph }
}

fn quads(dataset: &MemoryDataset) -> usize {
    dataset.estimate(&QuadPattern::default()).unwrap() as usize
}

/// Returns every quad of the default graph as text; minted ids as `*`.
fn dump(dataset: &Arc<MemoryDataset>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut scan = dataset.scan(&QuadPattern::default(), Permutation::Spo).unwrap();
    while let Some(batch) = scan.next_batch().unwrap() {
        for row in 0..batch.rows() {
            let words = [0, 1, 2].map(|place| {
                let text = dataset.term(batch.column(place)[row]).unwrap().to_string();
                let is_minted = text.contains("data#n-") || text.contains("data#r-");
                match text.rsplit_once('#') {
                    Some(_) if is_minted => "*".to_owned(),
                    Some((_, name)) => name.trim_end_matches('>').to_owned(),
                    None => text,
                }
            });
            lines.push(words.join(" "));
        }
    }
    lines.sort();
    lines
}

fn create_node(node: u32, label: &str, properties: &[(&str, Expression)]) -> Change {
    let map = properties.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    Change::CreateNode {
        node: Variable(node),
        labels: if label.is_empty() { vec![] } else { vec![label.to_owned()] },
        properties: (!properties.is_empty()).then_some(Expression::Map(map)),
    }
}

fn create_edge(edge: u32, start: u32, end: u32, properties: &[(&str, Expression)]) -> Change {
    let map: Vec<_> = properties.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    Change::CreateEdge {
        edge: Variable(edge),
        start: var(start),
        name: "to".to_owned(),
        end: var(end),
        properties: (!map.is_empty()).then_some(Expression::Map(map)),
    }
}

fn delete(variable: u32, detach: bool) -> Change {
    Change::DeleteEntity { entity: var(variable), detach }
}

#[test]
fn templates_insert_and_delete() {
    let dataset = world("x p 1\ny p 2");
    let changes = vec![
        Change::Insert(template("?0 q ?1 g")),
        Change::Insert(template("?1 q ?0")), // a literal is no subject
        Change::Insert(template("?0 q ?7")), // undefined
        Change::Delete(template("?0 p 1")),
    ];
    let changed = write(modify(scan("?0 p ?1"), changes), &dataset).unwrap();
    let expected = UpdateSummary { quads_inserted: 2, quads_removed: 1, ..UpdateSummary::default() };
    assert_eq!(changed, expected);
    check(&scan("?0 p ?1"), &dataset, &["y 2"]);
    check(&scan_in("?0 q ?1", GraphSelector::Named(iri("g"))), &dataset, &["x 1", "y 2"]);
}

#[test]
fn blank_nodes_are_fresh_for_each_row_and_one_within_it() {
    let dataset = world("x p 1\ny p 2");
    let changes = vec![Change::Insert(template("_:b q ?1")), Change::Insert(template("_:b r ?1"))];
    write(modify(scan("?0 p ?1"), changes), &dataset).unwrap();
    let pairs = join(scan("?0 q ?1"), scan("?0 r ?2"));
    assert_eq!(
        rows(&LogicalPlan::Project { input: Box::new(pairs), variables: vec![Variable(1)] }, dataset)
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn updates_run_in_order_on_one_world() {
    let dataset = world("x p 1\nx p 2 g1\nx p 3 g2");
    let run = |operations: Vec<LogicalPlan>| {
        let update = Update { operations, variables: Variables::default() };
        execute_update(&update, Arc::new(Context::writing(dataset.clone())))
    };
    let unit = LogicalPlan::unit;
    let clear = |target| modify(unit(), vec![Change::Clear { target, silent: false }]);
    let insert = modify(unit(), vec![Change::Insert(template("new p 9"))]);
    let copy = modify(scan("new p ?0"), vec![Change::Insert(template("copy p ?0"))]);
    run(vec![clear(GraphTarget::Default), insert, copy]).unwrap();
    check(&scan("?0 p ?1"), &dataset, &["new 9", "copy 9"]);
    run(vec![clear(GraphTarget::Named(iri("g1")))]).unwrap();
    assert_eq!(quads(&dataset), 3);
    run(vec![clear(GraphTarget::AllNamed)]).unwrap();
    assert_eq!(quads(&dataset), 2);
    let create = |silent| modify(unit(), vec![Change::CreateGraph { graph: iri("g9"), silent }]);
    run(vec![create(false)]).unwrap();
    run(vec![modify(unit(), vec![Change::Insert(template("x p 1 g9"))])]).unwrap();
    assert!(run(vec![create(false)]).is_err());
    run(vec![create(true), clear(GraphTarget::All)]).unwrap();
    assert_eq!(quads(&dataset), 0);
    let load = |silent| {
        let source = iri("document");
        modify(unit(), vec![Change::Load { source, destination: GraphSelector::Default, silent }])
    };
    assert!(matches!(run(vec![load(false)]), Err(ExecuteError::Load { .. })));
    run(vec![load(true)]).unwrap();
    let reading = Update { operations: vec![load(true)], variables: Variables::default() };
    let error = execute_update(&reading, Arc::new(Context::new(dataset.clone()))).unwrap_err();
    assert!(matches!(error, ExecuteError::ReadOnly));
}

struct OneQuad;

impl GraphLoader for OneQuad {
    fn load(&self, _: &NamedNode) -> Result<Vec<oxrdf::Quad>, String> {
        Ok(vec![oxrdf::Quad::new(iri("x"), iri("p"), term("1"), GraphName::DefaultGraph)])
    }
}

#[test]
fn documents_are_loaded_into_a_graph() {
    let dataset = world("");
    let destination = GraphSelector::Named(iri("g"));
    let load = Change::Load { source: iri("document"), destination: destination.clone(), silent: false };
    let mut context = Context::writing(dataset.clone());
    context.loader = Some(Arc::new(OneQuad));
    let update =
        Update { operations: vec![modify(LogicalPlan::unit(), vec![load])], variables: Variables::default() };
    execute_update(&update, Arc::new(context)).unwrap();
    check(&scan_in("?0 p ?1", destination), &dataset, &["x 1"]);
}

#[test]
fn nodes_and_relationships_become_quads() {
    let dataset = world("");
    let changes = vec![
        create_node(0, "City", &[("name", Expression::Constant(Value::String("X".to_owned())))]),
        create_node(1, "", &[]),
        create_edge(2, 0, 1, &[]),
        create_node(3, "", &[]),
    ];
    let changed = write(modify(LogicalPlan::unit(), changes), &dataset).unwrap();
    // Only the node that has no other quad has the marker.
    assert_eq!(dump(&dataset), ["* name \"X\"", "* to *", "* type City", "* type Node"]);
    let summary = changed;
    assert_eq!((summary.nodes_created, summary.relationships_created), (3, 1));
    assert_eq!((summary.labels_added, summary.properties_set), (1, 1));
}

#[test]
fn a_twin_reifies_the_relationship_that_was_plain() {
    let dataset = world("x to y");
    let ends = || values(&[0, 1], &["x y"]);
    let plain = rows(&edge_ids(), dataset.clone()).unwrap();
    write(modify(ends(), vec![create_edge(2, 0, 1, &[])]), &dataset).unwrap();
    check_count(&edge_scan("x to y ?0"), &dataset, 2);
    let both = rows(&edge_ids(), dataset.clone()).unwrap();
    assert!(both.contains(&plain[0]), "the first one keeps its id: {plain:?} {both:?}");
    // Deleting one leaves the other; deleting the last takes the triple along.
    let one =
        LogicalPlan::Slice { input: Box::new(edge_scan("x to y ?0")), offset: None, limit: Some(int(1)) };
    write(modify(one.clone(), vec![delete(0, false)]), &dataset).unwrap();
    check_count(&edge_scan("x to y ?0"), &dataset, 1);
    check_count(&scan("x to y"), &dataset, 1);
    let changed = write(modify(one, vec![delete(0, false)]), &dataset).unwrap();
    assert_eq!(changed.relationships_deleted, 1);
    check_count(&scan("?0 to ?1"), &dataset, 0);
    // Both ends live on as nodes.
    check_count(&scan("?0 a ?1"), &dataset, 2);
}

fn edge_ids() -> LogicalPlan {
    let extend = LogicalPlan::Extend {
        input: Box::new(edge_scan("x to y ?0")),
        variable: Variable(1),
        expression: call(Function::ElementId, [var(0)]),
    };
    LogicalPlan::Project { input: Box::new(extend), variables: vec![Variable(1)] }
}

fn check_count(plan: &LogicalPlan, dataset: &Arc<MemoryDataset>, expected: usize) {
    assert_eq!(rows(plan, dataset.clone()).unwrap().len(), expected, "{:?}", dump(dataset));
}

#[test]
fn properties_are_set_read_and_removed() {
    let dataset = world("x name 'A'\nx name 'B'\nx to y");
    let set =
        |entity, key: &str, value| Change::SetProperty { entity: var(entity), key: key.to_owned(), value };
    let null = || Expression::Constant(Value::Null);
    let node = || values(&[0], &["x"]);
    write(
        modify(node(), vec![set(0, "name", Expression::Constant(Value::String("C".to_owned())))]),
        &dataset,
    )
    .unwrap();
    check(&scan("x name ?0"), &dataset, &["C"]);
    let map = Expression::Map(vec![("age".to_owned(), int(7)), ("name".to_owned(), null())]);
    let plus = Change::SetProperties { entity: var(0), map: map.clone(), replace: false };
    write(modify(node(), vec![plus]), &dataset).unwrap();
    check(&scan("x ?0 ?1"), &dataset, &["age 7", "to y"]);
    let replace = Expression::Map(vec![("size".to_owned(), int(1))]);
    let replace = Change::SetProperties { entity: var(0), map: replace, replace: true };
    write(modify(node(), vec![replace]), &dataset).unwrap();
    check(&scan("x ?0 ?1"), &dataset, &["size 1", "to y"]);
    // A relationship that gets a property is reified, and shows it in the same statement.
    let plan = LogicalPlan::Extend {
        input: Box::new(modify(edge_scan("x to y ?0"), vec![set(0, "km", int(5))])),
        variable: Variable(1),
        expression: call(Function::Property("km".to_owned()), [var(0)]),
    };
    let context = Arc::new(Context::writing(dataset.clone()));
    let found = rows_in(&plan, context, Costs::default()).unwrap();
    assert!(found[0].ends_with(" 5"), "{found:?}");
    check_count(&edge_scan("x to y ?0"), &dataset, 1);
    let bad = set(0, "list", Expression::Map(vec![]));
    let error = write(modify(node(), vec![bad]), &dataset).unwrap_err();
    assert!(matches!(error, ExecuteError::Runtime { detail: "InvalidPropertyType", .. }), "{error}");
}

#[test]
fn labels_are_set_and_removed_and_a_bare_node_stays() {
    let dataset = world("x a City");
    let node = || values(&[0], &["x"]);
    let labels = || vec!["Port".to_owned(), "City".to_owned()];
    let changed =
        write(modify(node(), vec![Change::SetLabels { node: var(0), labels: labels() }]), &dataset).unwrap();
    assert_eq!(changed.labels_added, 1);
    write(modify(node(), vec![Change::RemoveLabels { node: var(0), labels: labels() }]), &dataset).unwrap();
    assert_eq!(dump(&dataset), ["x type Node"]);
}

#[test]
fn a_connected_node_is_deleted_only_with_detach() {
    let text = "x a City\nx to y ~r\nr km 1\nz from x";
    let node = || values(&[0], &["x"]);
    let error = write(modify(node(), vec![delete(0, false)]), &world(text)).unwrap_err();
    assert!(
        matches!(error, ExecuteError::Runtime { code: RuntimeCode::ConstraintVerificationFailed, .. }),
        "{error}"
    );
    let dataset = world(text);
    let changed = write(modify(node(), vec![delete(0, true)]), &dataset).unwrap();
    assert_eq!(dump(&dataset), ["y type Node", "z type Node"]);
    let summary = changed;
    assert_eq!((summary.nodes_deleted, summary.relationships_deleted), (1, 2));
    // Relationship and node in one clause: connected until the clause ends, and then no more.
    let dataset = world("x to y");
    let both = modify(edge_scan("?0 to ?1 ?2"), vec![delete(0, false), delete(1, false), delete(2, false)]);
    write(both, &dataset).unwrap();
    assert_eq!(quads(&dataset), 0);
}

#[test]
fn a_deleted_node_cannot_be_changed() {
    let dataset = world("x a City");
    let set = Change::SetProperty { entity: var(0), key: "k".to_owned(), value: int(1) };
    let plan = modify(values(&[0], &["x"]), vec![delete(0, false), set]);
    let error = write(plan, &dataset).unwrap_err();
    assert!(matches!(error, ExecuteError::Runtime { code: RuntimeCode::EntityNotFound, .. }), "{error}");
}

#[test]
fn merge_finds_or_makes_each_row_in_the_state_so_far() {
    let dataset = world("x a City\nx name 'A'");
    let name = || call(Function::CypherToString, [var(0)]);
    let pattern = LogicalPlan::Filter {
        input: Box::new(join(argument(&[0]), join(scan("?1 a City"), scan("?1 name ?2")))),
        condition: call(Function::CypherEqual, [var(2), var(0)]),
    };
    let pattern =
        LogicalPlan::Project { input: Box::new(pattern), variables: vec![Variable(0), Variable(1)] };
    let set = |key: &str| vec![Change::SetProperty { entity: var(1), key: key.to_owned(), value: int(1) }];
    let plan = LogicalPlan::Merge {
        input: Box::new(values(&[0], &["'A'", "'B'", "'B'"])),
        pattern: Box::new(pattern),
        create: vec![create_node(1, "City", &[("name", name())])],
        on_match: set("found"),
        on_create: set("made"),
    };
    let changed = write(plan, &dataset).unwrap();
    assert_eq!(changed.nodes_created, 1);
    check_count(&scan("?0 a City"), &dataset, 2);
    check_count(&scan("?0 found 1"), &dataset, 2);
    check_count(&scan("?0 made 1"), &dataset, 1);
}

#[test]
fn foreach_applies_its_changes_to_each_element() {
    let dataset = world("x a City");
    let each = Change::ForEach {
        variable: Variable(1),
        list: Expression::List(vec![int(1), int(2)]),
        changes: vec![create_node(2, "N", &[("n", var(1))]), create_edge(3, 0, 2, &[])],
    };
    write(modify(values(&[0], &["x"]), vec![each]), &dataset).unwrap();
    check(
        &LogicalPlan::Project {
            input: Box::new(join(scan("x to ?0"), scan("?0 n ?1"))),
            variables: vec![Variable(1)],
        },
        &dataset,
        &["1", "2"],
    );
}

#[test]
fn what_a_clause_writes_the_next_one_reads() {
    let dataset = world("");
    let made = modify(
        values(&[0], &["1", "2"]),
        vec![Change::Insert(template("made n ?0")), create_node(1, "City", &[("n", var(0))])],
    );
    let plan = LogicalPlan::Apply {
        input: Box::new(made),
        subplan: Box::new(join(argument(&[0, 1]), scan("?1 n ?2"))),
        kind: crate::plan::ApplyKind::Inner,
    };
    let plan = LogicalPlan::Project { input: Box::new(plan), variables: vec![Variable(0), Variable(2)] };
    let context = Arc::new(Context::writing(dataset.clone()));
    assert_eq!(rows_in(&plan, context, Costs::default()).unwrap(), ["1 1", "2 2"]);
    check(&scan("made n ?0"), &dataset, &["1", "2"]);
    // A limit that takes no row does not keep a statement from writing.
    let none = LogicalPlan::Slice {
        input: Box::new(modify(LogicalPlan::unit(), vec![create_node(0, "Late", &[])])),
        offset: None,
        limit: Some(int(0)),
    };
    write(none, &dataset).unwrap();
    check_count(&scan("?0 a Late"), &dataset, 1);
    let reading = execute(&query(modify(LogicalPlan::unit(), vec![])), Arc::new(Context::new(dataset)));
    assert!(matches!(reading.err(), Some(ExecuteError::ReadOnly)));
}

#[test]
fn writes_go_to_the_graph_that_is_used() {
    let dataset = world("");
    let mut context = Context::writing(dataset.clone());
    context.default_graph = GraphSelector::Named(iri("g"));
    let plan = modify(LogicalPlan::unit(), vec![create_node(0, "City", &[])]);
    rows_in(&plan, Arc::new(context), Costs::default()).unwrap();
    check_count(&scan("?0 a City"), &dataset, 0);
    check_count(&scan_in("?0 a City", GraphSelector::Named(iri("g"))), &dataset, 1);
}

#[test]
fn a_batch_that_fails_leaves_nothing() {
    let dataset = world("x n 1\nx n 2\ny n 3");
    let changes = vec![
        Change::Delete(template("x n ?0")),
        Change::Insert(template("x was ?0")),
        create_node(1, "City", &[("n", var(0))]),
    ];
    let subplan = LogicalPlan::Assert {
        input: Box::new(modify(argument(&[0]), changes)),
        condition: call(Function::SparqlLess, [var(0), int(3)]),
        message: "too large".to_owned(),
    };
    let in_batches = |rows: i64, on_error| {
        let batches = Batches { kind: ApplyKind::Inner, rows: int(rows), on_error, status: None };
        let plan = LogicalPlan::Apply {
            input: Box::new(values(&[0], &["3", "2", "1"])),
            subplan: Box::new(subplan.clone()),
            kind: ApplyKind::InBatches(Box::new(batches)),
        };
        LogicalPlan::Project { input: Box::new(plan), variables: vec![Variable(0)] }
    };
    let before = dump(&dataset);
    // All in one; and none after the first.
    for plan in [in_batches(3, OnError::Continue), in_batches(1, OnError::Break)] {
        assert_eq!(write(plan, &dataset).unwrap(), UpdateSummary::default());
        assert_eq!(dump(&dataset), before);
    }
    let summary = write(in_batches(1, OnError::Continue), &dataset).unwrap();
    assert_eq!((summary.nodes_created, summary.quads_removed, summary.quads_inserted), (2, 2, 6));
    check(&scan("x was ?0"), &dataset, &["1", "2"]);
    check_count(&scan("?0 a City"), &dataset, 2);
    for rows in [0, -1] {
        let error = write(in_batches(rows, OnError::Continue), &dataset).unwrap_err();
        assert!(matches!(error, ExecuteError::Runtime { code: RuntimeCode::ArgumentError, .. }));
    }
}
