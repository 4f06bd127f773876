//! Counts pushed below joins (eager aggregation: Yan and Larson, 1995).
//!
//! Where rows are only counted, a relation of a join of which nothing but the join's variable is read need not be
//! joined row by row: it is grouped by that variable first, and each group counts as often as it has rows. The
//! number of pairs of edges that meet is then found without making one pair.
//!
//! Rows that differ in one of several places are counted as all rows less those that agree in all of them: the rest
//! of a path can then be grouped, though no two of its relationships may be one.

use std::collections::BTreeMap;

use super::Set;
use super::bound::certain;
use super::estimate::Estimator;
use super::filter::{conjoin, split};
use crate::dataset::{Dataset, DatasetError};
use crate::plan::{
    Aggregate, AggregateFunction, EdgeScan, Expression, Function, GraphSelector, LogicalPlan, QuadScan, Slot,
    Variable, Variables,
};

/// A join of fewer rows than this part of what its relations read looks few of them up.
const ROWS_PART: f64 = 0.5;
/// Then a relation is grouped if each row before it meets so many of its own, and there are enough in all.
const FAN_OUT_MIN: f64 = 2.0;
const LOOKED_UP_ROWS_MIN: f64 = 1000.0;
/// Each difference that is counted by subtraction doubles the plan.
const DIFFERENCES_MAX: usize = 2;

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
    match plan {
        LogicalPlan::Aggregate { input, keys, aggregates } => {
            count(*input, keys, aggregates, DIFFERENCES_MAX, variables, dataset)
        }
        plan => Ok(plan),
    }
}

/// Aggregates a plan that is grown already.
fn count(
    input: LogicalPlan,
    keys: Vec<Variable>,
    aggregates: Vec<(Variable, Aggregate)>,
    differences: usize,
    variables: &mut Variables,
    dataset: &dyn Dataset,
) -> Result<LogicalPlan, DatasetError> {
    let mut plan = LogicalPlan::Aggregate { input: Box::new(input), keys, aggregates };
    if !only_counts(&plan) {
        return Ok(plan);
    }
    if differences > 0
        && let Some((counted, all, equal)) = differing(&plan, variables)
        && Estimator::new(dataset).plan(&all)?.rows >= LOOKED_UP_ROWS_MIN
    {
        let [minuend, subtrahend] = [variables.fresh(), variables.fresh()];
        let mut side = |input, variable| {
            count(input, Vec::new(), vec![(variable, row_count())], differences - 1, variables, dataset)
        };
        let (all, equal) = (side(all, minuend)?, side(equal, subtrahend)?);
        let operands = [minuend, subtrahend].map(Expression::Variable).to_vec();
        let both = LogicalPlan::Join { left: Box::new(all), right: Box::new(equal) };
        let expression = Expression::Call(Function::CypherSubtract, operands);
        let input = Box::new(LogicalPlan::Extend { input: Box::new(both), variable: counted, expression });
        return Ok(LogicalPlan::Project { input, variables: vec![counted] });
    }
    group_relations(&mut plan, variables, dataset)?;
    Ok(plan)
}

fn row_count() -> Aggregate {
    Aggregate { function: AggregateFunction::Count, argument: None, distinct: false }
}

/// Of the one count of all rows that differ in one of several places, returns the plan without that condition, and the
/// plan of those that agree in all of the places, in variables of its own.
fn differing(plan: &LogicalPlan, variables: &mut Variables) -> Option<(Variable, LogicalPlan, LogicalPlan)> {
    let LogicalPlan::Aggregate { input, keys, aggregates } = plan else { return None };
    let ([], [(counted, _)]) = (keys.as_slice(), aggregates.as_slice()) else { return None };
    let mut all = (**input).clone();
    let pairs = take_difference(&mut all)?;
    let mut names: BTreeMap<Variable, Variable> = BTreeMap::new();
    for variable in all.mentioned() {
        names.insert(variable, variables.fresh());
    }
    for (a, b) in pairs {
        let (kept, gone) = (names.get(&a).copied()?, names.get(&b).copied()?);
        names.values_mut().filter(|name| **name == gone).for_each(|name| *name = kept);
    }
    let equal = renamed(&all, &names)?;
    Some((*counted, all, equal))
}

/// Takes a condition that rows differ in one of some pairs of variables out of a tree of joins.
fn take_difference(plan: &mut LogicalPlan) -> Option<Vec<(Variable, Variable)>> {
    match plan {
        LogicalPlan::Join { left, right } => take_difference(left).or_else(|| take_difference(right)),
        LogicalPlan::Filter { input, condition } => {
            let mut conjuncts = split(condition.clone());
            let sure = certain(input);
            let mut numbered = conjuncts.iter().enumerate();
            let Some((at, pairs)) = numbered.find_map(|(at, part)| Some((at, differences(part, &sure)?)))
            else {
                return take_difference(input);
            };
            conjuncts.remove(at);
            *plan = conjoin(std::mem::replace(&mut **input, LogicalPlan::nothing()), conjuncts);
            Some(pairs)
        }
        _ => None,
    }
}

/// Returns the pairs of variables that a condition wants to differ, one pair at least.
fn differences(condition: &Expression, sure: &Set) -> Option<Vec<(Variable, Variable)>> {
    let parts = match condition {
        Expression::Call(Function::Or, parts) => parts.as_slice(),
        part => std::slice::from_ref(part),
    };
    let differs = |part: &Expression| {
        let Expression::Call(Function::Not, negated) = part else { return None };
        let [Expression::Call(Function::SameTerm, sides)] = negated.as_slice() else { return None };
        let [Expression::Variable(a), Expression::Variable(b)] = sides.as_slice() else { return None };
        (sure.contains(a) && sure.contains(b)).then_some((*a, *b))
    };
    parts.iter().map(differs).collect()
}

/// Returns a tree of joins and scans in other variables; `None` if there is more in it.
fn renamed(plan: &LogicalPlan, names: &BTreeMap<Variable, Variable>) -> Option<LogicalPlan> {
    let name = |variable: &Variable| names.get(variable).copied();
    let slot = |slot: &Slot| match slot {
        Slot::Variable(variable) => name(variable).map(Slot::Variable),
        constant => Some(constant.clone()),
    };
    let is_fixed = |graph: &GraphSelector| graph.variable().is_none();
    Some(match plan {
        LogicalPlan::Join { left, right } => LogicalPlan::Join {
            left: Box::new(renamed(left, names)?),
            right: Box::new(renamed(right, names)?),
        },
        LogicalPlan::Filter { input, condition } => {
            let mut condition = condition.clone();
            let mut is_plain = true;
            condition.rewrite(&mut |part| match part {
                Expression::Variable(variable) => *variable = name(variable).unwrap_or(*variable),
                Expression::Constant(_) | Expression::Parameter(_) | Expression::Call(..) => {}
                _ => is_plain = false,
            });
            LogicalPlan::Filter {
                input: Box::new(renamed(input, names)?),
                condition: is_plain.then_some(condition)?,
            }
        }
        LogicalPlan::QuadScan(scan) if is_fixed(&scan.graph) => LogicalPlan::QuadScan(Box::new(QuadScan {
            subject: slot(&scan.subject)?,
            predicate: slot(&scan.predicate)?,
            object: slot(&scan.object)?,
            graph: scan.graph.clone(),
            per_edge: scan.per_edge,
        })),
        LogicalPlan::EdgeScan(scan) if is_fixed(&scan.graph) => LogicalPlan::EdgeScan(Box::new(EdgeScan {
            subject: slot(&scan.subject)?,
            predicate: slot(&scan.predicate)?,
            object: slot(&scan.object)?,
            edge: slot(&scan.edge)?,
            reifier: scan.reifier.as_ref().and_then(name),
            graph: scan.graph.clone(),
            predicates: scan.predicates.clone(),
        })),
        _ => return None,
    })
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
    let (mut read, mut fan_out) = (0.0, f64::MAX);
    for relation in &candidates {
        let estimate = estimator.plan(relation)?;
        let groups = grouping(relation, &mentions).and_then(|key| estimate.distinct.get(&key).copied());
        read += estimate.rows;
        fan_out = fan_out.min(estimate.rows / groups.unwrap_or(estimate.rows).max(1.0));
    }
    let rows = estimator.plan(input)?.rows;
    let is_looked_up = rows >= LOOKED_UP_ROWS_MIN && fan_out >= FAN_OUT_MIN;
    if rows < read * ROWS_PART && !is_looked_up {
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
    let is_shared = |variable: &Variable| mentions.get(variable).is_some_and(|count| *count > 1);
    let shared: Set = own.iter().filter(is_shared).collect();
    let only = shared.first().filter(|_| shared.len() == 1);
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
            let input = Box::new(std::mem::replace(relation, LogicalPlan::nothing()));
            let aggregates = vec![(multiplicity, row_count())];
            *relation = LogicalPlan::Aggregate { input, keys: vec![key], aggregates };
        }
    }
}
