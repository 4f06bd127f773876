//! Counts pushed below joins (eager aggregation: Yan and Larson, 1995).
//!
//! Where rows are only counted, a relation of a join of which nothing but the join's variable is read need not be
//! joined row by row: it is grouped by that variable first, and each group counts as often as it has rows. The
//! number of pairs of edges that meet is then found without making one pair.

use std::collections::BTreeMap;

use super::Set;
use super::bound::certain;
use super::estimate::Estimator;
use crate::dataset::{Dataset, DatasetError};
use crate::plan::{Aggregate, AggregateFunction, Expression, LogicalPlan, Variable, Variables};

/// A join of fewer rows than this part of what its relations read is made row by row: it looks few of them up.
const ROWS_PART: f64 = 0.5;

/// Rewrites every aggregation of a plan.
pub fn push(
    plan: LogicalPlan,
    variables: &mut Variables,
    dataset: &dyn Dataset,
) -> Result<LogicalPlan, DatasetError> {
    let mut failed = None;
    let plan = plan.map_inputs(&mut |input| {
        push(input, variables, dataset).unwrap_or_else(|error| {
            failed = Some(error);
            LogicalPlan::nothing()
        })
    });
    if let Some(error) = failed {
        return Err(error);
    }
    let mut plan = plan;
    if only_counts(&plan) {
        group_relations(&mut plan, variables, dataset)?;
    }
    Ok(plan)
}

/// Counts rows where what is counted is bound in each, so that nobody reads it.
pub fn of_rows(plan: LogicalPlan) -> LogicalPlan {
    let mut plan = plan.map_inputs(&mut of_rows);
    if let LogicalPlan::Aggregate { input, aggregates, .. } = &mut plan {
        count_rows(input, aggregates);
    }
    plan
}

fn count_rows(input: &LogicalPlan, aggregates: &mut [(Variable, Aggregate)]) {
    let mut sure = None;
    for (_, aggregate) in aggregates {
        if let (AggregateFunction::Count, false, Some(Expression::Variable(variable))) =
            (&aggregate.function, aggregate.distinct, &aggregate.argument)
            && sure.get_or_insert_with(|| certain(input)).contains(variable)
        {
            aggregate.argument = None;
        }
    }
}

fn only_counts(plan: &LogicalPlan) -> bool {
    let LogicalPlan::Aggregate { aggregates, .. } = plan else { return false };
    let counts_rows = |aggregate: &Aggregate| {
        aggregate.function == AggregateFunction::Count && !aggregate.distinct && aggregate.argument.is_none()
    };
    !aggregates.is_empty() && aggregates.iter().all(|(_, aggregate)| counts_rows(aggregate))
}

fn group_relations(
    plan: &mut LogicalPlan,
    variables: &mut Variables,
    dataset: &dyn Dataset,
) -> Result<(), DatasetError> {
    let mentions = plan.mentions();
    let LogicalPlan::Aggregate { input, aggregates, .. } = plan else { return Ok(()) };
    let mut found = Vec::new();
    relations(input, &mut found);
    let candidates: Vec<&LogicalPlan> =
        found.into_iter().filter(|relation| grouping(relation, &mentions).is_some()).collect();
    if candidates.is_empty() || matches!(**input, LogicalPlan::QuadScan(_) | LogicalPlan::EdgeScan(_)) {
        return Ok(());
    }
    let estimator = Estimator::new(dataset);
    let mut read = 0.0;
    for relation in &candidates {
        read += estimator.plan(relation)?.rows;
    }
    if estimator.plan(input)?.rows < read * ROWS_PART {
        return Ok(());
    }
    let mut multiplicities = Vec::new();
    replace(input, &mentions, variables, &mut multiplicities);
    for (_, aggregate) in aggregates {
        aggregate.function = AggregateFunction::CountTimes(multiplicities.clone());
    }
    Ok(())
}

/// Returns the variable to group a relation by, if nothing else of it is read by anybody.
fn grouping(relation: &LogicalPlan, mentions: &BTreeMap<Variable, usize>) -> Option<Variable> {
    if !matches!(relation, LogicalPlan::QuadScan(_) | LogicalPlan::EdgeScan(_)) {
        return None;
    }
    let own = relation.variables();
    let is_shared = |variable: &&Variable| mentions.get(variable).is_some_and(|count| *count > 1);
    let shared: Set = own.iter().filter(is_shared).copied().collect();
    let only = shared.first().copied().filter(|_| shared.len() == 1);
    only.filter(|_| own.len() > 1)
}

/// Gathers the relations whose rows multiply those of the plan.
fn relations<'a>(plan: &'a LogicalPlan, found: &mut Vec<&'a LogicalPlan>) {
    match plan {
        LogicalPlan::Join { left, right } => {
            relations(left, found);
            relations(right, found);
        }
        LogicalPlan::LeftJoin { left: input, .. }
        | LogicalPlan::SemiJoin { left: input, .. }
        | LogicalPlan::AntiJoin { left: input, .. }
        | LogicalPlan::Minus { left: input, .. }
        | LogicalPlan::Filter { input, .. }
        | LogicalPlan::Extend { input, .. } => relations(input, found),
        relation => found.push(relation),
    }
}

/// Groups the relations that [`relations`] gathers, where that may be.
fn replace(
    plan: &mut LogicalPlan,
    mentions: &BTreeMap<Variable, usize>,
    variables: &mut Variables,
    multiplicities: &mut Vec<Variable>,
) {
    match plan {
        LogicalPlan::Join { left, right } => {
            replace(left, mentions, variables, multiplicities);
            replace(right, mentions, variables, multiplicities);
        }
        LogicalPlan::LeftJoin { left: input, .. }
        | LogicalPlan::SemiJoin { left: input, .. }
        | LogicalPlan::AntiJoin { left: input, .. }
        | LogicalPlan::Minus { left: input, .. }
        | LogicalPlan::Filter { input, .. }
        | LogicalPlan::Extend { input, .. } => replace(input, mentions, variables, multiplicities),
        relation => {
            let Some(key) = grouping(relation, mentions) else { return };
            let multiplicity = variables.fresh();
            multiplicities.push(multiplicity);
            let count = Aggregate { function: AggregateFunction::Count, argument: None, distinct: false };
            let input = Box::new(std::mem::replace(relation, LogicalPlan::nothing()));
            *relation =
                LogicalPlan::Aggregate { input, keys: vec![key], aggregates: vec![(multiplicity, count)] };
        }
    }
}
