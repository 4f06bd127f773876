//! The operators that are no joins, one behaviour a test.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::*;
use crate::execute::operator::choose_permutation;
use crate::execute::{GraphLoader, Limits, Procedure, RuntimeCode, ServiceHandler};
use crate::model::{Permutation, PermutationSet};
use crate::plan::{Aggregate, AggregateFunction, ApplyKind, SortKey, SortOrder};

fn boxed(plan: LogicalPlan) -> Box<LogicalPlan> {
    Box::new(plan)
}

fn fails(plan: &LogicalPlan, dataset: &Arc<MemoryDataset>) -> ExecuteError {
    rows(plan, dataset.clone()).unwrap_err()
}

#[test]
fn a_variable_in_two_places_asks_for_equal_terms() {
    let dataset = world("x p x\nx p y\np p p");
    check(&scan("?0 p ?0"), &dataset, &["x", "p"]);
    check(&scan("?0 ?0 ?0"), &dataset, &["p"]);
    check(&scan("?0 nowhere ?1"), &dataset, &[]);
}

#[test]
fn a_scan_takes_the_order_that_serves_if_it_is_there() {
    let every: PermutationSet = Permutation::ALL.into_iter().collect();
    for (pattern, wanted, default, best) in [
        ("x ?0 ?1", None, Permutation::Spo, Permutation::Spo),
        ("x ?0 ?1", Some(0), Permutation::Spo, Permutation::Spo),
        ("x ?0 ?1", Some(1), Permutation::Spo, Permutation::Sop),
        ("?0 ?1 x", None, Permutation::Ops, Permutation::Ops),
        ("?0 ?1 x", Some(0), Permutation::Ops, Permutation::Osp),
        ("x ?0 y", None, Permutation::Spo, Permutation::Sop),
        ("?0 p ?1", Some(1), Permutation::Pos, Permutation::Pos),
        ("?0 ?1 ?2", Some(2), Permutation::Ops, Permutation::Ops),
    ] {
        let LogicalPlan::QuadScan(scan) = scan(pattern) else { panic!() };
        let choose = |permutations| choose_permutation(&scan, wanted.map(Variable), permutations);
        assert_eq!(
            (choose(PermutationSet::default()), choose(every)),
            (default, best),
            "{pattern} {wanted:?}"
        );
    }
}

#[test]
fn graphs_are_read_apart_or_as_one() {
    let dataset = world("x p y\nx p y g1\nx p y g2\nx p z g2");
    let of = |graph| scan_in("x p ?0", graph);
    check(&of(GraphSelector::Default), &dataset, &["y"]);
    check(&of(GraphSelector::Named(iri("g2"))), &dataset, &["y", "z"]);
    check(&of(GraphSelector::Named(iri("nowhere"))), &dataset, &[]);
    check(&of(GraphSelector::Merge(vec![iri("g1"), iri("g2")])), &dataset, &["y", "z"]);
    check(&of(GraphSelector::Merge(vec![])), &dataset, &[]);
    check(&of(GraphSelector::Everything), &dataset, &["y", "z"]);
    check(&of(GraphSelector::Each(Variable(1), None)), &dataset, &["y g1", "y g2", "z g2"]);
    let listed = GraphSelector::Each(Variable(1), Some(vec![iri("g1"), iri("nowhere")]));
    check(&of(listed.clone()), &dataset, &["y g1"]);
    check(&join(values(&[1], &["g1", "g2"]), of(listed)), &dataset, &["y g1"]);
}

#[test]
fn relationships_are_reifiers_or_the_triple_itself() {
    let dataset = world("x p y ~r1\nx p y ~r2\nx q y\nx q 7\nx a y\nr3 s t");
    check(&edge_scan("x p ?0 ?1"), &dataset, &["y <x-p-y~r1>", "y <x-p-y~r2>"]);
    check(&edge_scan("x q ?0 ?1"), &dataset, &["y <x-q-y>"]);
    check(&edge_scan("x ?0 ?1 ?2"), &dataset, &["p y <x-p-y~r1>", "p y <x-p-y~r2>", "q y <x-q-y>"]);
    let again = join(edge_scan("x ?0 ?1 ?2"), edge_scan("?3 ?4 y ?2"));
    let rows = ["p y <x-p-y~r1> x p", "p y <x-p-y~r2> x p", "q y <x-q-y> x q"];
    check(&again, &dataset, &rows);
}

#[test]
fn a_relationship_appears_once_in_a_pattern() {
    let dataset = world("x p y\ny p z");
    let pair = join(edge_scan("?0 p ?1 ?2"), edge_scan("?3 p ?1 ?4"));
    let plan = LogicalPlan::DistinctEdges { input: boxed(pair), edges: vec![Variable(2), Variable(4)] };
    check(&plan, &dataset, &[]);
}

#[test]
fn rows_are_filtered_extended_unwound_and_projected() {
    let dataset = world("x p 1\ny p 5");
    let big = call(Function::SparqlLess, [int(3), var(1)]);
    let filter = LogicalPlan::Filter { input: boxed(scan("?0 p ?1")), condition: big };
    check(&filter, &dataset, &["y 5"]);
    let extend = LogicalPlan::Extend {
        input: boxed(filter),
        variable: Variable(2),
        expression: call(Function::SparqlAdd, [var(1), int(1)]),
    };
    check(&extend, &dataset, &["y 5 6"]);
    let project = LogicalPlan::Project { input: boxed(extend), variables: vec![Variable(2), Variable(8)] };
    check(&project, &dataset, &["6 -"]);
    let list = Expression::List(vec![int(1), Expression::Constant(Value::Null), int(1)]);
    let unwind = LogicalPlan::Unwind { input: boxed(LogicalPlan::unit()), list, variable: Variable(0) };
    check(&unwind, &dataset, &["1", "-", "1"]);
    check(&LogicalPlan::Distinct { input: boxed(unwind) }, &dataset, &["1", "-"]);
    let null = Expression::Constant(Value::Null);
    let none = LogicalPlan::Unwind { input: boxed(LogicalPlan::unit()), list: null, variable: Variable(0) };
    check(&none, &dataset, &[]);
}

#[test]
fn exists_filters_become_semi_and_anti_joins() {
    let dataset = world("x p 1\ny p 2\nx q 3");
    let exists = || Expression::Exists(boxed(scan("?0 q ?5")));
    let filter = |condition| LogicalPlan::Filter { input: boxed(scan("?0 p ?1")), condition };
    check(&filter(exists()), &dataset, &["x 1"]);
    check(&filter(call(Function::Not, [exists()])), &dataset, &["y 2"]);
    // Inside an expression, and with the outer row in place.
    let correlated = Expression::Exists(boxed(LogicalPlan::Filter {
        input: boxed(join(argument(&[1]), scan("?6 q ?5"))),
        condition: call(Function::SparqlLess, [var(1), int(2)]),
    }));
    check(&filter(correlated.clone()), &dataset, &["x 1"]);
    let either = call(Function::Or, [correlated, call(Function::SparqlEqual, [var(1), int(2)])]);
    check(&filter(either), &dataset, &["x 1", "y 2"]);
}

#[test]
fn a_condition_on_both_rows_needs_no_subplan() {
    let dataset = world("x p 1\ny p 2\nz p 3\nx q 0\nx q 2\ny q 1\nz q 3");
    let larger = |given: &[u32]| {
        let inner = join(argument(given), scan("?0 q ?5"));
        let condition = call(Function::SparqlLess, [var(1), var(5)]);
        boxed(LogicalPlan::Filter { input: boxed(inner), condition })
    };
    let outer = |condition| LogicalPlan::Filter { input: boxed(scan("?0 p ?1")), condition };
    let exists = Expression::Exists(larger(&[0, 1]));
    check(&outer(exists.clone()), &dataset, &["x 1"]);
    check(&outer(call(Function::Not, [exists])), &dataset, &["y 2", "z 3"]);
    // A name that the subplan is not given is another variable there.
    check(&outer(Expression::Exists(larger(&[0]))), &dataset, &[]);
    let count = LogicalPlan::Apply {
        input: boxed(scan("?0 p ?1")),
        subplan: larger(&[0, 1]),
        kind: ApplyKind::Count(Variable(9)),
    };
    check(&count, &dataset, &["x 1 1", "y 2 0", "z 3 0"]);
}

#[test]
fn rows_are_counted_whoever_knows_their_number() {
    let dataset = world("x p x\nx p y\ny p 3\ny p 3 g\nx q 1 h");
    let count = |pattern: &str, graph, argument| LogicalPlan::Aggregate {
        input: boxed(scan_in(pattern, graph)),
        keys: vec![],
        aggregates: vec![(Variable(8), aggregate(AggregateFunction::Count, argument))],
    };
    check(&count("?0 p ?1", GraphSelector::Default, None), &dataset, &["3"]);
    check(&count("?0 p ?0", GraphSelector::Default, Some(0)), &dataset, &["1"]);
    check(&count("?0 p ?1", GraphSelector::Everything, Some(1)), &dataset, &["3"]);
    check(&count("?0 q ?1", GraphSelector::Default, None), &dataset, &["0"]);
    check(&count("?0 none ?1", GraphSelector::Default, None), &dataset, &["0"]);
    // What is in no row counts nothing.
    check(&count("?0 p ?1", GraphSelector::Default, Some(7)), &dataset, &["0"]);
}

#[test]
fn a_profile_tells_what_each_operator_gave() {
    let dataset = world("x p 1\ny p 2\nx q 3");
    let plan = query(join(scan("?0 p ?1"), scan("?0 q ?2")));
    let profile = super::super::profile(&plan, Arc::new(Context::new(dataset))).unwrap();
    let profile = profile.to_string();
    assert!(profile.lines().all(|line| line.contains(" expected; ")), "{profile}");
    assert!(profile.contains(" (1 rows, ") && profile.contains(" (2 rows, "), "{profile}");
}

#[test]
fn apply_combines_each_row_with_its_subplan() {
    let dataset = world("x p 1\nx p 2\ny p 3");
    let apply = |subplan: LogicalPlan, kind| LogicalPlan::Apply {
        input: boxed(values(&[0], &["x", "y", "z", "x"])),
        subplan: boxed(subplan),
        kind,
    };
    let lateral = || join(argument(&[0]), scan("?0 p ?1"));
    check(&apply(lateral(), ApplyKind::Inner), &dataset, &["x 1", "x 2", "y 3", "x 1", "x 2"]);
    check(&apply(lateral(), ApplyKind::Left), &dataset, &["x 1", "x 2", "y 3", "x 1", "x 2", "z -"]);
    let count = ApplyKind::Count(Variable(9));
    check(&apply(lateral(), count), &dataset, &["x 2", "y 1", "z 0", "x 2"]);
    let exists = ApplyKind::Exists(Variable(9));
    check(&apply(lateral(), exists), &dataset, &["x true", "y true", "z false", "x true"]);
    let sorted = LogicalPlan::Sort { input: boxed(lateral()), keys: vec![by(1, true)] };
    let collect = ApplyKind::Collect(Variable(9), Variable(1));
    check(&apply(sorted, collect.clone()), &dataset, &["x [2,1]", "y [3]", "z []", "x [2,1]"]);
    // A limit inside is one for each row.
    let limited = LogicalPlan::TopN { input: boxed(lateral()), keys: vec![by(1, true)], offset: 0, limit: 1 };
    check(&apply(limited, ApplyKind::Inner), &dataset, &["x 2", "y 3", "x 2"]);
    // An aggregate without keys has a row even of nothing.
    let total = LogicalPlan::Aggregate {
        input: boxed(lateral()),
        keys: vec![],
        aggregates: vec![(Variable(4), aggregate(AggregateFunction::CypherSum, Some(1)))],
    };
    check(&apply(total, ApplyKind::Inner), &dataset, &["x 3", "y 3", "z 0", "x 3"]);
    // A subplan that reads nothing of the row.
    check(&apply(scan("y p ?1"), ApplyKind::Inner), &dataset, &["x 3", "y 3", "z 3", "x 3"]);
}

fn by(variable: u32, descending: bool) -> SortKey {
    SortKey { expression: var(variable), descending, order: SortOrder::Sparql }
}

fn aggregate(function: AggregateFunction, argument: Option<u32>) -> Aggregate {
    Aggregate { function, argument: argument.map(var), distinct: false }
}

#[test]
fn groups_are_folded() {
    use AggregateFunction::*;
    let dataset = world("");
    let table = || values(&[0, 1], &["x 1", "x 2", "x 2", "y 5", "y -"]);
    let group = |keys: &[u32], function, distinct| LogicalPlan::Aggregate {
        input: boxed(table()),
        keys: keys.iter().map(|n| Variable(*n)).collect(),
        aggregates: vec![(Variable(9), Aggregate { distinct, ..aggregate(function, Some(1)) })],
    };
    for (function, expected) in [
        (Count, ["x 3", "y 1"]),
        (SparqlSum, ["x 5", "y -"]),
        (CypherSum, ["x 5", "y 5"]),
        (SparqlMin, ["x 1", "y -"]),
        (SparqlMax, ["x 2", "y -"]),
        (CypherMax, ["x 2", "y 5"]),
        (Collect, ["x [1,2,2]", "y [5]"]),
        (PercentileDisc(Box::new(int(1))), ["x 2", "y 5"]),
    ] {
        check(&group(&[0], function, false), &dataset, &expected);
    }
    for (function, expected) in [(Count, ["x 2", "y 1"]), (CypherSum, ["x 3", "y 5"])] {
        check(&group(&[0], function, true), &dataset, &expected);
    }
    check(&group(&[], Count, false), &dataset, &["4"]);
    check(&group(&[], Count, true), &dataset, &["3"]);
    let strings = values(&[1], &["'a'", "'b'"]);
    let concat = GroupConcat { separator: "+".to_owned() };
    let plan = LogicalPlan::Aggregate {
        input: boxed(strings),
        keys: vec![],
        aggregates: vec![(Variable(9), aggregate(concat, Some(1)))],
    };
    check(&plan, &dataset, &["a+b"]);
}

#[test]
fn nothing_is_one_group_without_keys_and_none_with() {
    use AggregateFunction::*;
    let dataset = world("");
    let of = |keys: Vec<Variable>, function, argument| LogicalPlan::Aggregate {
        input: boxed(values(&[0, 1], &[])),
        keys,
        aggregates: vec![(Variable(9), aggregate(function, argument))],
    };
    check(&of(vec![], Count, None), &dataset, &["0"]);
    check(&of(vec![], SparqlSum, Some(1)), &dataset, &["0"]);
    check(&of(vec![], SparqlAvg, Some(1)), &dataset, &["0"]);
    check(&of(vec![], SparqlMin, Some(1)), &dataset, &["-"]);
    check(&of(vec![], CypherAvg, Some(1)), &dataset, &["-"]);
    check(&of(vec![], Collect, Some(1)), &dataset, &["[]"]);
    check(&of(vec![], GroupConcat { separator: " ".to_owned() }, Some(1)), &dataset, &[""]);
    check(&of(vec![Variable(0)], Count, None), &dataset, &[]);
}

fn in_order(plan: &LogicalPlan, dataset: &Arc<MemoryDataset>) -> Vec<String> {
    rows(plan, dataset.clone()).unwrap()
}

#[test]
fn rows_are_sorted_by_either_order() {
    let dataset = world("");
    let table = || values(&[0], &["10", "-", "x", "'s'", "9", "_:b"]);
    let sort = |order, descending| LogicalPlan::Sort {
        input: boxed(table()),
        keys: vec![SortKey { expression: var(0), descending, order }],
    };
    assert_eq!(in_order(&sort(SortOrder::Sparql, false), &dataset)[..3], ["-", "_:b", "x"]);
    assert_eq!(in_order(&sort(SortOrder::Cypher, false), &dataset).last().unwrap(), "-");
    let numbers = values(&[0, 1], &["1 9", "2 10", "3 9", "4 -"]);
    let keys = vec![by(1, true), by(0, false)];
    let sort = LogicalPlan::Sort { input: boxed(numbers.clone()), keys: keys.clone() };
    assert_eq!(in_order(&sort, &dataset), ["2 10", "1 9", "3 9", "4 -"]);
    let top = LogicalPlan::TopN { input: boxed(numbers), keys, offset: 1, limit: 2 };
    assert_eq!(in_order(&top, &dataset), ["1 9", "3 9"]);
}

#[test]
fn the_top_rows_are_those_of_a_sort() {
    let dataset = world("");
    let whole: fn(u64) -> String = |n| (n * 7919 % 30_011).to_string();
    let ascending: fn(u64) -> String = |n| n.to_string();
    // Of one kind after another, so that a bound is of another than what it is compared with.
    let mixed: fn(u64) -> String = |n| match n / 10_000 {
        0 => format!("{}", n * 7919 % 101),
        1 => format!("{}.5", n * 7919 % 101),
        _ if n % 3 == 0 => "-".to_owned(),
        _ => format!("'{}'", n * 7919 % 101),
    };
    for key in [whole, ascending, mixed] {
        let lines: Vec<String> = (0..30_000).map(|n| format!("{} {}", key(n), n * 31 % 7)).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let input = boxed(values(&[0, 1], &lines));
        for keys in
            [vec![by(0, false)], vec![by(0, true)], vec![by(0, false), by(1, true)], vec![by(1, true)]]
        {
            let sorted = in_order(&LogicalPlan::Sort { input: input.clone(), keys: keys.clone() }, &dataset);
            let top = LogicalPlan::TopN { input: input.clone(), keys, offset: 5, limit: 100 };
            assert_eq!(in_order(&top, &dataset), sorted[5..105]);
        }
    }
}

#[test]
fn a_slice_stops_its_input() {
    let dataset = world("");
    let many: Vec<String> = (0..100_000).map(|n| n.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let cross = join(values(&[0], &many), join(values(&[1], &many), values(&[2], &many)));
    let slice = |offset: i64, limit: i64, input: LogicalPlan| LogicalPlan::Slice {
        input: boxed(input),
        offset: Some(int(offset)),
        limit: Some(int(limit)),
    };
    let table = values(&[0], &["1", "2", "3"]);
    assert_eq!(in_order(&slice(1, 1, table.clone()), &dataset), ["2"]);
    assert_eq!(in_order(&slice(9, 1, table.clone()), &dataset).len(), 0);
    let error = fails(&slice(-1, 1, table), &dataset);
    assert!(matches!(error, ExecuteError::Runtime { detail: "NegativeIntegerArgument", .. }), "{error}");
    // 10^15 rows, were it not for the limit; both sides of the inner product are at hand.
    let LogicalPlan::Join { left, right } = cross else { unreachable!() };
    let LogicalPlan::Join { left: middle, .. } = *right else { unreachable!() };
    assert_eq!(in_order(&slice(0, 5, join(*left, *middle)), &dataset).len(), 5);
}

#[test]
fn an_assertion_fails_the_query() {
    let dataset = world("");
    let plan = |limit| LogicalPlan::Assert {
        input: boxed(values(&[0], &["1", "2"])),
        condition: call(Function::SparqlLess, [var(0), int(limit)]),
        message: "too large".to_owned(),
    };
    check(&plan(3), &dataset, &["1", "2"]);
    assert!(matches!(fails(&plan(2), &dataset), ExecuteError::Runtime { .. }));
}

struct Square;

impl Procedure for Square {
    fn fields(&self) -> Vec<String> {
        vec!["number".to_owned(), "square".to_owned()]
    }

    fn call(&self, arguments: &[Value], _: &Context) -> Result<Vec<Vec<Value>>, ExecuteError> {
        let Value::Integer(n) = arguments[0] else { return Ok(vec![]) };
        Ok((1..=n).map(|n| vec![Value::Integer(n), Value::Integer(n * n)]).collect())
    }
}

#[test]
fn procedures_are_called_for_each_row() {
    let dataset = world("x a City\nx knows y\nx name 'X'");
    let call = |name: &str, field: &str, arguments| LogicalPlan::Call {
        input: boxed(values(&[0], &["1", "2"])),
        procedure: name.to_owned(),
        arguments,
        yields: vec![(field.to_owned(), Variable(1))],
        writes: false,
    };
    let mut context = Context::new(dataset.clone());
    context.procedures.register("test.square", Arc::new(Square));
    let plan = call("test.square", "square", vec![var(0)]);
    assert_eq!(rows_in(&plan, Arc::new(context), Costs::default()).unwrap(), ["1 1", "2 1", "2 4"]);
    assert!(matches!(
        fails(&plan, &dataset),
        ExecuteError::Runtime { code: RuntimeCode::ProcedureError, .. }
    ));
    check(&call("db.labels", "label", vec![]), &dataset, &["1 City", "2 City"]);
    check(&call("db.relationshipTypes", "relationshipType", vec![]), &dataset, &["1 knows", "2 knows"]);
    check(&call("db.propertyKeys", "propertyKey", vec![]), &dataset, &["1 name", "2 name"]);
}

struct Echo;

impl ServiceHandler for Echo {
    fn query(&self, endpoint: &NamedNode, _: &str, columns: usize) -> Result<Vec<Vec<Option<Term>>>, String> {
        if *endpoint == iri("down") {
            return Err("no route".to_owned());
        }
        Ok(vec![vec![Some(endpoint.clone().into()); columns]])
    }
}

impl GraphLoader for Echo {
    fn load(&self, source: &NamedNode) -> Result<Vec<oxrdf::Quad>, String> {
        Err(format!("{source} is not there"))
    }
}

#[test]
fn services_answer_fail_or_fail_silently() {
    let dataset = world("");
    let service = |endpoint: &str, silent| LogicalPlan::Service {
        endpoint: slot(endpoint),
        silent,
        text: String::new(),
        variables: vec![Variable(1)],
    };
    let run = |plan: &LogicalPlan| {
        let mut context = Context::new(dataset.clone());
        context.services = Some(Arc::new(Echo));
        rows_in(plan, Arc::new(context), Costs::default())
    };
    assert_eq!(run(&service("up", false)).unwrap(), ["up"]);
    assert_eq!(run(&service("down", true)).unwrap(), ["-"]);
    assert!(matches!(run(&service("down", false)), Err(ExecuteError::Service { .. })));
    assert!(matches!(fails(&service("up", false), &dataset), ExecuteError::Service { .. }));
    let each = join(values(&[0], &["up", "other"]), service("?0", false));
    assert_eq!(run(&each).unwrap(), ["up up", "other other"]);
}

#[test]
fn limits_end_a_query() {
    let many: Vec<String> = (0..2000).map(|n| format!("n{n} p {n}")).collect();
    let dataset = world(&many.join("\n"));
    let cross = join(scan("?0 p ?1"), join(scan("?2 p ?3"), scan("?4 p ?5")));
    let distinct = LogicalPlan::Distinct { input: boxed(cross) };
    let run = |limits: Limits, is_cancelled: bool| {
        let mut context = Context::new(dataset.clone());
        context.limits = limits;
        context.cancel.store(is_cancelled, Ordering::Relaxed);
        let started = Instant::now();
        let error = rows_in(&distinct, Arc::new(context), Costs::default()).unwrap_err();
        assert!(started.elapsed().as_secs() < 20);
        error
    };
    let budget = 4 << 20;
    let memory = run(Limits { memory_bytes_max: budget, ..Limits::default() }, false);
    assert!(matches!(memory, ExecuteError::MemoryExceeded { budget: b } if b == budget), "{memory}");
    let soon = Some(Instant::now() + std::time::Duration::from_millis(50));
    assert!(matches!(run(Limits { deadline: soon, ..Limits::default() }, false), ExecuteError::Deadline));
    assert!(matches!(run(Limits::default(), true), ExecuteError::Cancelled));
}

#[test]
fn a_result_is_cut_off_audibly() {
    let dataset = world("");
    let plan = values(&[0], &["1", "2", "3"]);
    for (max, cut) in [(2, true), (3, false)] {
        let mut context = Context::new(dataset.clone());
        context.limits.rows_max = Some(max);
        let mut result = execute(&query(plan.clone()), Arc::new(context)).unwrap();
        let mut count = 0;
        while let Some(rows) = result.next_terms().unwrap() {
            count += rows.len() as u64;
        }
        assert_eq!((count, result.is_cut_off()), (max, cut));
    }
}

#[test]
fn results_are_made_of_terms_values_and_triples() {
    use crate::plan::{GraphTemplate, QuadTemplate, TermTemplate};
    let dataset = world("x a City\nx name 'X'\nx to y ~r\nr km 7\ny part _:b\n_:b name 'B'");
    let context = || Arc::new(Context::new(dataset.clone()));
    let mut result = execute(&query(edge_scan("?0 to y ?1")), context()).unwrap();
    let values = result.next_values().unwrap().unwrap();
    let (Value::Node(node), Value::Relationship(to)) = (&values[0][0], &values[0][1]) else {
        panic!("{values:?}")
    };
    assert_eq!(node.labels, ["City"]);
    assert_eq!(node.properties["name"], Value::String("X".to_owned()));
    assert_eq!((to.name.as_str(), &to.properties["km"]), ("to", &Value::Integer(7)));

    let triples = |form, root| {
        let query = Query { form, ..query(root) };
        let mut triples = crate::execute::triples(&query, context()).unwrap();
        let mut all = Vec::new();
        while let Some(more) = triples.next_triples().unwrap() {
            all.extend(more);
        }
        all
    };
    let part = |variable| TermTemplate::Variable(Variable(variable));
    let template = |object| QuadTemplate {
        subject: part(0),
        predicate: TermTemplate::Constant(iri("q").into()),
        object,
        graph: GraphTemplate::Default,
    };
    let table = super::values(&[0, 1], &["x y", "x y", "7 y", "x -"]);
    assert_eq!(triples(Form::Construct(vec![template(part(1))]), table.clone()).len(), 1);
    let blank = TermTemplate::BlankNode("b".to_owned());
    assert_eq!(triples(Form::Construct(vec![template(blank)]), table).len(), 3);
    let described = triples(Form::Describe { graph: GraphSelector::Default }, super::values(&[0], &["y"]));
    assert_eq!(described.len(), 2, "{described:?}");
    let empty = Arc::new(Context::new(world("")));
    assert!(!crate::execute::ask(&query(scan("?0 p ?1")), empty).unwrap());
}
