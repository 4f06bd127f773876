//! Rewriting of subplans so that they run for many outer rows at once.

use super::Context;
use crate::model::Value;
use crate::plan::{Aggregate, AggregateFunction, Expression, Function, LogicalPlan, Variable, VariableSet};

/// Returns whether the plan must run once for each row that asks for it, though rows be equal: it
/// changes data, or two runs may differ.
pub fn has_effect(plan: &LogicalPlan) -> bool {
    plan.writes() || is_volatile(plan)
}

fn is_volatile(plan: &LogicalPlan) -> bool {
    plan.expressions().into_iter().any(Expression::is_volatile) || plan.inputs().into_iter().any(is_volatile)
}

/// Returns the variables that a subplan's Argument leaves ask for.
pub fn argument_variables(plan: &LogicalPlan) -> VariableSet {
    let mut all = VariableSet::new();
    collect_arguments(plan, &mut all);
    all
}

fn collect_arguments(plan: &LogicalPlan, all: &mut VariableSet) {
    if let LogicalPlan::Argument { variables } = plan {
        all.extend(variables);
    }
    own_inputs(plan).into_iter().for_each(|input| collect_arguments(input, all));
}

/// Returns whether the plan has an Argument leaf of its own scope.
pub fn is_correlated(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Argument { .. }) || own_inputs(plan).into_iter().any(is_correlated)
}

/// Returns the inputs whose Argument leaves mean the same row as the plan's own: an inner Apply's
/// subplan, a Merge's pattern and a Repeat's step are given other rows.
fn own_inputs(plan: &LogicalPlan) -> Vec<&LogicalPlan> {
    match plan {
        LogicalPlan::Apply { input, .. } | LogicalPlan::Merge { input, .. } => vec![input],
        LogicalPlan::Repeat(repeat) => vec![&repeat.input],
        _ => plan.inputs(),
    }
}

/// Takes a subplan that needs the outer row for a condition only apart: into a plan that needs none of
/// it, and the condition on rows of both. So `FILTER EXISTS { ?b :p ?x FILTER(?x > ?outer) }` is a join
/// with a condition, and no subplan is run for each outer row.
pub fn detach(subplan: &LogicalPlan) -> Option<(LogicalPlan, &Expression)> {
    let LogicalPlan::Filter { input, condition } = subplan else { return None };
    let mut given = VariableSet::new();
    let plan = without_arguments(input, &mut given)??;
    // Inside a subquery a name may stand for another variable than outside, and be unbound.
    let is_seen = |variable: &Variable| given.contains(variable) || plan.variables().contains(variable);
    let has_plan = condition.any(&|part| matches!(part, Expression::Exists(_)));
    // Else all pairs of rows would be looked at.
    let is_joined = !given.is_disjoint(&plan.variables());
    (is_joined && !has_plan && condition.variables().iter().all(|variable| is_seen(&variable)))
        .then_some((plan, condition))
}

/// Takes the Argument leaves out of a tree of joins, and notes their variables; the plan is `None`
/// inside if nothing else was in it, and `None` outside if they stand elsewhere or held it together.
fn without_arguments(plan: &LogicalPlan, given: &mut VariableSet) -> Option<Option<LogicalPlan>> {
    Some(match plan {
        LogicalPlan::Argument { variables } => {
            given.extend(variables);
            None
        }
        LogicalPlan::Join { left, right } => {
            match (without_arguments(left, given)?, without_arguments(right, given)?) {
                (Some(left), Some(right)) if left.variables().is_disjoint(&right.variables()) => return None,
                (Some(left), Some(right)) => {
                    Some(LogicalPlan::Join { left: Box::new(left), right: Box::new(right) })
                }
                (left, right) => left.or(right),
            }
        }
        plan if is_correlated(plan) || plan.writes() => return None,
        plan => Some(plan.clone()),
    })
}

/// Rewrites a subplan so that each of its rows carries `number`, which says for which binding it is
/// a row; `None` if the plan does something once for each binding.
pub fn carry(plan: &LogicalPlan, number: Variable, context: &Context) -> Option<LogicalPlan> {
    use LogicalPlan::*;
    let boxed = |plan: &LogicalPlan| carry(plan, number, context).map(Box::new);
    let if_correlated = |plan: &LogicalPlan| {
        if is_correlated(plan) { boxed(plan) } else { Some(Box::new(plan.clone())) }
    };
    let mut carrying = plan.clone();
    match &mut carrying {
        Argument { variables } => variables.push(number),
        QuadScan(_) | MultiwayJoin(_) | EdgeScan(_) | Path(_) | Values { .. } | Service { .. } => {
            let argument = Argument { variables: vec![number] };
            return Some(Join { left: Box::new(argument), right: Box::new(plan.clone()) });
        }
        Join { left, right } => {
            let right_is_correlated = is_correlated(right);
            if is_correlated(left) || !right_is_correlated {
                *left = boxed(left)?;
            }
            *right = if_correlated(right)?;
        }
        LeftJoin { left, right, .. } | SemiJoin { left, right } | AntiJoin { left, right } => {
            *left = boxed(left)?;
            *right = if_correlated(right)?;
        }
        // A shared number would be a shared bound variable.
        Minus { right, .. } if is_correlated(right) => return None,
        Minus { left, .. } => *left = boxed(left)?,
        Filter { input, .. }
        | Extend { input, .. }
        | Unwind { input, .. }
        | Assert { input, .. }
        | DistinctEdges { input, .. }
        | Call { input, .. }
        | LoadCsv { input, .. }
        | Apply { input, .. }
        | Sort { input, .. }
        | Distinct { input } => *input = boxed(input)?,
        Repeat(repeat) => repeat.input = boxed(&repeat.input)?,
        Project { input, variables } => {
            *input = boxed(input)?;
            variables.push(number);
        }
        Aggregate { input, keys, aggregates } => {
            let input = boxed(input)?;
            if keys.is_empty() {
                return Some(carry_total(input, aggregates, number, context));
            }
            keys.push(number);
            return Some(Aggregate { input, keys: keys.clone(), aggregates: aggregates.clone() });
        }
        Union(inputs) => {
            for input in inputs {
                *input = carry(input, number, context)?;
            }
        }
        TopN { .. } | Slice { .. } | Modify { .. } | Merge { .. } => return None,
    }
    Some(carrying)
}

/// Carries an aggregate without keys: a binding without rows has its row of empty values too.
fn carry_total(
    input: Box<LogicalPlan>,
    aggregates: &[(Variable, Aggregate)],
    number: Variable,
    context: &Context,
) -> LogicalPlan {
    let rows = context.fresh_variable();
    let count = Aggregate { function: AggregateFunction::Count, argument: None, distinct: false };
    let mut inner = vec![(rows, count)];
    let mut outer = Vec::new();
    for (variable, aggregate) in aggregates {
        let computed = context.fresh_variable();
        inner.push((computed, aggregate.clone()));
        let has_rows = Expression::call(Function::IsDefined, [rows.into()]);
        let expression = Expression::Case {
            branches: vec![(has_rows, computed.into())],
            otherwise: Some(Box::new(Expression::Constant(value_of_nothing(&aggregate.function)))),
        };
        outer.push((*variable, expression));
    }
    let groups = LogicalPlan::Aggregate { input, keys: vec![number], aggregates: inner };
    let mut plan = LogicalPlan::LeftJoin {
        left: Box::new(LogicalPlan::Argument { variables: vec![number] }),
        right: Box::new(groups),
        condition: None,
    };
    for (variable, expression) in &outer {
        let (variable, expression) = (*variable, expression.clone());
        plan = LogicalPlan::Extend { input: Box::new(plan), variable, expression };
    }
    let mut variables: Vec<Variable> = outer.iter().map(|(variable, _)| *variable).collect();
    variables.push(number);
    LogicalPlan::Project { input: Box::new(plan), variables }
}

/// Returns what an aggregate makes of no rows.
pub fn value_of_nothing(function: &AggregateFunction) -> Value {
    match function {
        AggregateFunction::Count
        | AggregateFunction::CountTimes(_)
        | AggregateFunction::SparqlSum
        | AggregateFunction::SparqlAvg
        | AggregateFunction::CypherSum => Value::Integer(0),
        AggregateFunction::GroupConcat { .. } => Value::String(String::new()),
        AggregateFunction::Collect => Value::List(Vec::new()),
        AggregateFunction::StDev | AggregateFunction::StDevP => Value::Float(0.0),
        _ => Value::Null,
    }
}

/// Cuts an uncorrelated plan down to rows whose `keys` are those of the argument, by joining its
/// leaves with the argument. The result may still hold rows that do not join.
pub fn reduce(plan: &LogicalPlan, keys: &VariableSet) -> LogicalPlan {
    use LogicalPlan::*;
    let touches = |plan: &LogicalPlan| !plan.variables().is_disjoint(keys);
    if !touches(plan) {
        return plan.clone();
    }
    let mut reduced = plan.clone();
    match &mut reduced {
        Join { left, right } => {
            // One side is enough: the join carries the cut over to the other.
            let side = if touches(left) { left } else { right };
            **side = reduce(side, keys);
        }
        Filter { input, .. } | DistinctEdges { input, .. } | Distinct { input } => {
            **input = reduce(input, keys);
        }
        LeftJoin { left, .. } | SemiJoin { left, .. } | AntiJoin { left, .. } | Minus { left, .. }
            if is_covered(plan, left, keys) =>
        {
            **left = reduce(left, keys);
        }
        Extend { input, variable, .. } | Unwind { input, variable, .. } if !keys.contains(variable) => {
            **input = reduce(input, keys);
        }
        Project { input, variables } => {
            let kept = keys.iter().filter(|key| variables.contains(key)).collect();
            **input = reduce(input, &kept);
        }
        // Where a chain ends is known only once it is walked.
        Repeat(repeat) => {
            let given = keys & &repeat.input.variables();
            *repeat.input = reduce(&repeat.input, &given);
        }
        // A group that nobody asks for is not made; the others stay whole.
        Aggregate { input, keys: own, .. } if own.iter().any(|key| keys.contains(key)) => {
            let kept = own.iter().copied().filter(|key| keys.contains(key)).collect();
            **input = reduce(input, &kept);
        }
        Union(inputs) => inputs.iter_mut().for_each(|input| *input = reduce(input, keys)),
        QuadScan(_) | MultiwayJoin(_) | EdgeScan(_) | Path(_) => {
            let variables = (&plan.variables() & keys).into_iter().collect();
            let argument = Argument { variables };
            return Join { left: Box::new(argument), right: Box::new(plan.clone()) };
        }
        _ => {}
    }
    reduced
}

/// Returns whether the left input alone binds all keys that the plan binds.
fn is_covered(plan: &LogicalPlan, left: &LogicalPlan, keys: &VariableSet) -> bool {
    let bound = left.variables();
    (&plan.variables() & keys).is_subset(&bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A subquery that counts is asked for rows that have none as well.
    #[test]
    fn of_nothing_each_count_is_zero() {
        for function in [AggregateFunction::Count, AggregateFunction::CountTimes(vec![Variable(0)])] {
            assert_eq!(value_of_nothing(&function), Value::Integer(0));
        }
    }
}
