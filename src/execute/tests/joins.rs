//! Every way to join gives what comparing all pairs of rows gives.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::TermId;

type Row = BTreeMap<Variable, TermId>;

/// Evaluates a plan by the book: rows are maps, joins compare all pairs.
fn naive(plan: &LogicalPlan, dataset: &MemoryDataset, context: &Context) -> Vec<Row> {
    match plan {
        LogicalPlan::QuadScan(scan) => naive_scan(scan, dataset),
        LogicalPlan::Values { variables, rows } => rows
            .iter()
            .map(|row| {
                let pairs = variables.iter().zip(row).filter(|(_, value)| **value != Value::Null);
                let id = |value| super::super::expression::id_of_value(value, context).unwrap();
                pairs.map(|(variable, value)| (*variable, id(value))).collect()
            })
            .collect(),
        LogicalPlan::MultiwayJoin(scans) => {
            let rows = scans.iter().map(|scan| naive_scan(scan, dataset));
            rows.reduce(|left, right| {
                left.iter().flat_map(|l| right.iter().filter_map(|r| merge(l, r))).collect()
            })
            .unwrap_or_default()
        }
        LogicalPlan::Join { left, right } => {
            let (left, right) = (naive(left, dataset, context), naive(right, dataset, context));
            left.iter().flat_map(|l| right.iter().filter_map(|r| merge(l, r))).collect()
        }
        LogicalPlan::LeftJoin { left, right, .. } => {
            let right = naive(right, dataset, context);
            let join = |l: Row| {
                let joined: Vec<Row> = right.iter().filter_map(|r| merge(&l, r)).collect();
                if joined.is_empty() { vec![l] } else { joined }
            };
            naive(left, dataset, context).into_iter().flat_map(join).collect()
        }
        LogicalPlan::SemiJoin { left, right } | LogicalPlan::AntiJoin { left, right } => {
            let wanted = matches!(plan, LogicalPlan::SemiJoin { .. });
            let right = naive(right, dataset, context);
            let mut rows = naive(left, dataset, context);
            rows.retain(|l| right.iter().any(|r| merge(l, r).is_some()) == wanted);
            rows
        }
        LogicalPlan::Minus { left, right } => {
            let right = naive(right, dataset, context);
            let mut rows = naive(left, dataset, context);
            rows.retain(|l| {
                !right.iter().any(|r| merge(l, r).is_some() && l.keys().any(|v| r.contains_key(v)))
            });
            rows
        }
        LogicalPlan::Union(inputs) => {
            inputs.iter().flat_map(|input| naive(input, dataset, context)).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn merge(left: &Row, right: &Row) -> Option<Row> {
    let agrees = right.iter().all(|(variable, id)| left.get(variable).is_none_or(|own| own == id));
    agrees.then(|| left.iter().chain(right).map(|(variable, id)| (*variable, *id)).collect())
}

fn naive_scan(scan: &QuadScan, dataset: &MemoryDataset) -> Vec<Row> {
    let all = crate::model::QuadPattern::default();
    let mut quads = dataset.scan(&all, crate::model::Permutation::Spo).unwrap();
    let mut rows = Vec::new();
    while let Some(batch) = quads.next_batch().unwrap() {
        for row in 0..batch.rows() {
            let mut bound = Some(Row::new());
            for (place, slot) in [&scan.subject, &scan.predicate, &scan.object].into_iter().enumerate() {
                let id = batch.column(place)[row];
                bound = bound.and_then(|row| match slot {
                    Slot::Constant(term) => (dataset.term_id(term).unwrap() == Some(id)).then_some(row),
                    Slot::Variable(variable) => merge(&row, &Row::from([(*variable, id)])),
                    Slot::Parameter(_) => unreachable!("none was drawn"),
                });
            }
            rows.extend(bound);
        }
    }
    rows
}

fn arb_slot(constants: &'static [&'static str]) -> impl Strategy<Value = Slot> {
    prop_oneof![
        3 => (0u32..4).prop_map(|n| Slot::Variable(Variable(n))),
        1 => proptest::sample::select(constants).prop_map(slot),
    ]
}

fn arb_leaf() -> impl Strategy<Value = LogicalPlan> {
    let scan = (arb_slot(&["n0", "n1"]), arb_slot(&["p0", "p1", "p2"]), arb_slot(&["n0", "n2"])).prop_map(
        |(subject, predicate, object)| {
            LogicalPlan::QuadScan(Box::new(QuadScan {
                subject,
                predicate,
                object,
                graph: GraphSelector::Default,
                per_edge: false,
            }))
        },
    );
    let word = proptest::sample::select(vec!["-", "n0", "n1", "n2", "p0", "elsewhere"]);
    let table = (
        proptest::collection::btree_set(0u32..4, 1..3),
        proptest::collection::vec((word.clone(), word), 0..4),
    )
        .prop_map(|(variables, rows)| {
            let variables: Vec<u32> = variables.into_iter().collect();
            let rows: Vec<String> = rows
                .into_iter()
                .map(|(a, b)| if variables.len() == 1 { a.to_owned() } else { format!("{a} {b}") })
                .collect();
            values(&variables, &rows.iter().map(String::as_str).collect::<Vec<_>>())
        });
    // Between two variables each, in cycles or not.
    let edge =
        (0u32..4, 1u32..4, proptest::sample::select(vec!["p0", "p1"])).prop_map(|(a, step, p)| QuadScan {
            subject: Slot::Variable(Variable(a)),
            predicate: slot(p),
            object: Slot::Variable(Variable((a + step) % 4)),
            graph: GraphSelector::Default,
            per_edge: false,
        });
    let multiway = proptest::collection::vec(edge, 2..6).prop_map(LogicalPlan::MultiwayJoin);
    prop_oneof![6 => scan, 2 => table, 1 => multiway]
}

fn arb_plan() -> impl Strategy<Value = LogicalPlan> {
    arb_leaf().prop_recursive(3, 8, 2, |inner| {
        (inner.clone(), inner, 0..7).prop_map(|(left, right, kind)| {
            let (left, right) = (Box::new(left), Box::new(right));
            match kind {
                0 | 1 => LogicalPlan::Join { left, right },
                2 => LogicalPlan::LeftJoin { left, right, condition: None },
                3 => LogicalPlan::SemiJoin { left, right },
                4 => LogicalPlan::AntiJoin { left, right },
                5 => LogicalPlan::Minus { left, right },
                _ => LogicalPlan::Union(vec![*left, *right]),
            }
        })
    })
}

/// Hides the left row behind an Apply, so that the right side runs for its bindings.
fn lateral(plan: &LogicalPlan) -> Option<LogicalPlan> {
    let LogicalPlan::Join { left, right } = plan else { return None };
    let shared = &left.variables() & &right.variables();
    let argument = LogicalPlan::Argument { variables: shared.into_iter().collect() };
    Some(LogicalPlan::Apply {
        input: left.clone(),
        subplan: Box::new(join(argument, (**right).clone())),
        kind: crate::plan::ApplyKind::Inner,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn joins_agree_with_all_pairs(
        plan in arb_plan(),
        quads in proptest::collection::vec((0..4, 0..3, 0..4), 0..14),
    ) {
        let lines: Vec<String> = quads.iter().map(|(s, p, o)| format!("n{s} p{p} n{o}")).collect();
        let dataset = world(&lines.join("\n"));
        let reference = Context::new(dataset.clone());
        let variables: Vec<Variable> = plan.variables().into_iter().collect();
        let mut expected: Vec<String> = naive(&plan, &dataset, &reference)
            .into_iter()
            .map(|row| {
                let word = |v: &Variable| row.get(v).map_or("-".to_owned(), |id| show(*id, &reference));
                variables.iter().map(word).collect::<Vec<_>>().join(" ")
            })
            .collect();
        expected.sort();
        for costs in costs() {
            for plan in std::iter::once(plan.clone()).chain(lateral(&plan)) {
                let context = Arc::new(Context::new(dataset.clone()));
                let mut found = rows_in(&plan, context, costs).unwrap();
                found.sort();
                prop_assert_eq!(&found, &expected, "{:?}\n{:#?}", costs, plan);
            }
        }
    }
}

#[test]
fn undefined_joins_with_anything() {
    let dataset = world("");
    let left = values(&[0, 1], &["x y", "- y", "x -"]);
    let right = values(&[0, 2], &["x 1", "z 2", "- 3"]);
    check(&join(left, right), &dataset, &["x y 1", "x y 3", "x y 1", "z y 2", "- y 3", "x - 1", "x - 3"]);
}

#[test]
fn minus_needs_a_shared_binding() {
    let dataset = world("");
    let minus = |left, right| LogicalPlan::Minus { left: Box::new(left), right: Box::new(right) };
    check(&minus(values(&[0], &["x"]), values(&[1], &["y"])), &dataset, &["x"]);
    check(&minus(values(&[0], &["x", "z"]), values(&[0], &["x"])), &dataset, &["z"]);
    check(&minus(values(&[0], &["x"]), values(&[0, 1], &["- y"])), &dataset, &["x"]);
}

#[test]
fn a_left_join_keeps_rows_that_fail_its_condition() {
    let dataset = world("x p 1\nx p 5\ny p 2");
    let plan = LogicalPlan::LeftJoin {
        left: Box::new(values(&[0], &["x", "y", "z"])),
        right: Box::new(scan("?0 p ?1")),
        condition: Some(call(Function::SparqlLess, [int(3), var(1)])),
    };
    check(&plan, &dataset, &["x 5", "y -", "z -"]);
}

#[test]
fn sorted_scans_merge() {
    let dataset = world("x p 1\nx q 2\ny p 3\ny q 4\nz q 5");
    let plan = join(scan("?0 p ?1"), scan("?0 q ?2"));
    let context = Arc::new(Context::new(dataset.clone()));
    let text = super::super::explain(&query(plan.clone()), context).unwrap().to_string();
    assert!(text.starts_with("MergeJoin"), "{text}");
    check(&plan, &dataset, &["x 1 2", "y 3 4"]);
}

/// Both sides have more rows than a batch, and one key has more than several.
#[test]
fn sorted_sides_merge_across_batches() {
    let rows_of = |n: usize| match n {
        777 => 9000,
        n if n.is_multiple_of(3) => n % 4,
        _ => 0,
    };
    let left = (0..5000).flat_map(|n| (0..1 + n % 2).map(move |m| format!("n{n:04} p l{m}")));
    let right = (0..5000).flat_map(|n| (0..rows_of(n)).map(move |m| format!("n{n:04} q r{m}")));
    let dataset = world(&left.chain(right).collect::<Vec<_>>().join("\n"));
    let (left, right) = (scan("?0 p ?1"), scan("?0 q ?2"));
    let (own, other) = (|| Box::new(left.clone()), || Box::new(right.clone()));
    let of = |count: fn(usize) -> usize| (0..5000).map(|n| (1 + n % 2) * count(rows_of(n))).sum::<usize>();
    let optional = LogicalPlan::LeftJoin { left: own(), right: other(), condition: None };
    let semi = LogicalPlan::SemiJoin { left: own(), right: other() };
    let anti = LogicalPlan::AntiJoin { left: own(), right: other() };
    let minus = LogicalPlan::Minus { left: own(), right: other() };
    for (plan, name, expected) in [
        (&optional, "MergeLeftJoin", of(|rows| rows.max(1))),
        (&semi, "MergeSemiJoin", of(|rows| rows.min(1))),
        (&anti, "MergeAntiJoin", of(|rows| usize::from(rows == 0))),
        (&minus, "MergeMinus", of(|rows| usize::from(rows == 0))),
    ] {
        let context = Arc::new(Context::new(dataset.clone()));
        let text = super::super::explain(&query(plan.clone()), context).unwrap().to_string();
        assert!(text.starts_with(name), "{text}");
        let mut found = super::rows(plan, dataset.clone()).unwrap();
        let all = found.len();
        found.sort();
        found.dedup();
        assert_eq!((found.len(), all), (expected, expected), "{name}");
    }
}

#[test]
fn small_sides_look_up_large_ones() {
    let lines: Vec<String> = (0..1000).map(|n| format!("n{n} p {n}")).collect();
    let dataset = world(&lines.join("\n"));
    let plan = join(values(&[0], &["n7", "n8", "nowhere"]), scan("?0 p ?1"));
    let text = super::super::explain(&query(plan.clone()), Arc::new(Context::new(dataset.clone())))
        .unwrap()
        .to_string();
    assert!(text.starts_with("Bind IndexLookup"), "{text}");
    check(&plan, &dataset, &["n7 7", "n8 8"]);
}
