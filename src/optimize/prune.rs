//! Pruning: what nobody reads is not computed, and projections that change nothing go.

use super::Set;
use crate::plan::{AggregateFunction, ApplyKind, Column, Expression, LogicalPlan, Variable};

/// Prunes a query's plan down to its columns, and ends it with a projection if it has more.
pub fn root(plan: LogicalPlan, columns: &[Column], needed: &Set) -> LogicalPlan {
    let plan = self::plan(plan, needed);
    if plan.variables() == *needed || plan.writes() {
        return plan;
    }
    let mut variables: Vec<Variable> = Vec::new();
    for column in columns {
        if !variables.contains(&column.variable) {
            variables.push(column.variable);
        }
    }
    match plan {
        LogicalPlan::Project { input, .. } => LogicalPlan::Project { input, variables },
        plan => LogicalPlan::Project { input: Box::new(plan), variables },
    }
}

/// Prunes a plan of which only `needed` is read.
pub fn plan(plan: LogicalPlan, needed: &Set) -> LogicalPlan {
    use LogicalPlan::*;
    match plan {
        Extend { input, variable, expression } => {
            if !needed.contains(&variable) && !has_effect(&expression) {
                return self::plan(*input, needed);
            }
            let input = inner(input, needed, [&expression]);
            Extend { input, variable, expression }
        }
        Project { input, mut variables } => {
            variables.retain(|variable| needed.contains(variable));
            let wanted = variables.iter().copied().collect();
            let input = match self::plan(*input, &wanted) {
                // Two projections are the outer one.
                Project { input, .. } => input,
                input => Box::new(input),
            };
            if input.variables() == wanted { *input } else { Project { input, variables } }
        }
        Distinct { input } => {
            let all = input.variables();
            match self::plan(*input, &all) {
                Distinct { input } => Distinct { input },
                input => Distinct { input: Box::new(input) },
            }
        }
        Aggregate { input, keys, mut aggregates } => {
            aggregates.retain(|(variable, aggregate)| {
                needed.contains(variable) || aggregate.expressions().into_iter().any(has_effect)
            });
            let mut wanted: Set = keys.iter().copied().collect();
            for (_, aggregate) in &aggregates {
                if aggregate.argument.is_none() && aggregate.distinct {
                    wanted.extend(input.variables());
                }
                wanted.extend(aggregate.expressions().into_iter().flat_map(Expression::variables));
                if let AggregateFunction::CountTimes(times) = &aggregate.function {
                    wanted.extend(times);
                }
            }
            Aggregate { input: Box::new(self::plan(*input, &wanted)), keys, aggregates }
        }
        Join { left, right } => {
            let wanted = with_shared(needed, &left, &right);
            Join { left: inner(left, &wanted, []), right: inner(right, &wanted, []) }
        }
        LeftJoin { left, right, condition } => {
            let wanted = with_shared(needed, &left, &right);
            let left = inner(left, &wanted, condition.iter());
            LeftJoin { left, right: inner(right, &wanted, condition.iter()), condition }
        }
        SemiJoin { left, right } => {
            let shared = with_shared(&Set::new(), &left, &right);
            SemiJoin { left: inner(left, &(needed | &shared), []), right: inner(right, &shared, []) }
        }
        AntiJoin { left, right } => {
            let shared = with_shared(&Set::new(), &left, &right);
            AntiJoin { left: inner(left, &(needed | &shared), []), right: inner(right, &shared, []) }
        }
        Minus { left, right } => {
            let shared = with_shared(&Set::new(), &left, &right);
            Minus { left: inner(left, &(needed | &shared), []), right: inner(right, &shared, []) }
        }
        Apply { input, subplan, kind } => {
            let read = needed | &subplan.mentioned();
            let wanted = match &kind {
                ApplyKind::Inner | ApplyKind::Left | ApplyKind::InBatches(_) => {
                    with_shared(needed, &input, &subplan)
                }
                ApplyKind::Exists(_) | ApplyKind::Count(_) => with_shared(&Set::new(), &input, &subplan),
                ApplyKind::Collect(_, element) => {
                    &with_shared(&Set::new(), &input, &subplan) | &Set::from([*element])
                }
            };
            Apply { input: inner(input, &read, []), subplan: inner(subplan, &wanted, []), kind }
        }
        Repeat(mut repeat) => {
            repeat.lists.retain(|(_, list)| needed.contains(list));
            let wanted = &(needed | &repeat.step.mentioned()) | &Set::from([repeat.start, repeat.end]);
            repeat.input = inner(repeat.input, &wanted, []);
            let read: Set = repeat.read().collect();
            repeat.step = inner(repeat.step, &read, []);
            Repeat(repeat)
        }
        Filter { input, condition } => Filter { input: inner(input, needed, [&condition]), condition },
        Unwind { input, list, variable } => Unwind { input: inner(input, needed, [&list]), list, variable },
        Sort { input, keys } => {
            let input = inner(input, needed, keys.iter().map(|key| &key.expression));
            Sort { input, keys }
        }
        TopN { input, keys, offset, limit } => {
            let input = inner(input, needed, keys.iter().map(|key| &key.expression));
            TopN { input, keys, offset, limit }
        }
        Assert { input, condition, message } => {
            Assert { input: inner(input, needed, [&condition]), condition, message }
        }
        DistinctEdges { input, edges } => {
            let wanted = needed | &edges.iter().copied().collect();
            DistinctEdges { input: inner(input, &wanted, []), edges }
        }
        Slice { input, offset, limit } => Slice { input: inner(input, needed, []), offset, limit },
        Union(branches) => Union(branches.into_iter().map(|branch| self::plan(branch, needed)).collect()),
        LoadCsv { input, source, has_headers, separator, variable } => {
            LoadCsv { input: inner(input, needed, [&source]), source, has_headers, separator, variable }
        }
        Call { input, procedure, arguments, yields, writes } => {
            Call { input: inner(input, needed, arguments.iter()), procedure, arguments, yields, writes }
        }
        // Changes may read what no expression names.
        plan @ (Modify { .. } | Merge { .. }) => plan.map_inputs(&mut |input| {
            let all = input.variables();
            self::plan(input, &all)
        }),
        EdgeScan(mut scan) => {
            scan.reifier = scan.reifier.filter(|reifier| needed.contains(reifier));
            EdgeScan(scan)
        }
        leaf @ (QuadScan(_)
        | MultiwayJoin(_)
        | Path(_)
        | Values { .. }
        | Argument { .. }
        | Service { .. }) => leaf,
    }
}

fn inner<'a>(
    input: Box<LogicalPlan>,
    needed: &Set,
    expressions: impl IntoIterator<Item = &'a Expression>,
) -> Box<LogicalPlan> {
    let mut wanted = needed.clone();
    wanted.extend(expressions.into_iter().flat_map(Expression::variables));
    Box::new(plan(*input, &wanted))
}

fn with_shared(needed: &Set, left: &LogicalPlan, right: &LogicalPlan) -> Set {
    let (a, b) = (left.variables(), right.variables());
    needed | &(&a & &b)
}

/// Returns whether dropping the expression could be noticed: it may fail the query.
fn has_effect(expression: &Expression) -> bool {
    expression.is_volatile()
        || expression.any(&|part| match part {
            Expression::Call(function, _) => format!("{function:?}").starts_with("Cypher"),
            Expression::Parameter(parameter) => parameter.sample.is_none(),
            _ => false,
        })
}
