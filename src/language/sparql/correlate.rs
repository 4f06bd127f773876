//! Correlation: how the plans of EXISTS, LATERAL and GRAPH see the row they are evaluated for.
//!
//! SPARQL 1.1 defines EXISTS by substitution. We inject instead: each leaf of the plan that
//! mentions a variable of the outer row is joined with that row ([`LogicalPlan::Argument`]).

use super::pattern::join;
use crate::model::Value;
use crate::plan::{Expression, LogicalPlan, Slot, Variable, VariableSet};

type Set = VariableSet;

/// Joins every leaf of the plan with the outer row's bindings of what it mentions.
pub fn inject(plan: LogicalPlan, row: &Set) -> LogicalPlan {
    let shared = &plan.mentioned() & row;
    if shared.is_empty() { plan } else { inject_shared(plan, &shared) }
}

fn inject_shared(plan: LogicalPlan, row: &Set) -> LogicalPlan {
    use LogicalPlan::*;
    if is_conjunction(&plan) {
        let mentioned = plan.mentioned();
        return with_row(plan, &mentioned, row);
    }
    match plan {
        Filter { input, mut condition } => {
            inject_in_exists(&mut condition, row);
            let input = with_row(inject(*input, row), &condition.variables(), row);
            Filter { input: Box::new(input), condition }
        }
        Extend { input, variable, mut expression } => {
            inject_in_exists(&mut expression, row);
            let input = with_row(inject(*input, row), &expression.variables(), row);
            Extend { input: Box::new(input), variable, expression }
        }
        LeftJoin { left, right, condition } => {
            let left = inject(*left, row);
            let right = inject(*right, row);
            let (left, condition) = match condition {
                None => (left, None),
                Some(mut condition) => {
                    inject_in_exists(&mut condition, row);
                    let mut needed = condition.variables();
                    for bound in right.variables() {
                        needed.remove(&bound);
                    }
                    (with_row(left, &needed, row), Some(condition))
                }
            };
            LeftJoin { left: Box::new(left), right: Box::new(right), condition }
        }
        Apply { input, subplan, kind } => {
            // The inner row must carry what the subplan reads of the outer one.
            let input = with_row(inject(*input, row), &subplan.mentioned(), row);
            Apply { input: Box::new(input), subplan: Box::new(inject(*subplan, row)), kind }
        }
        Aggregate { input, keys, mut aggregates } => {
            let mut needed = Set::new();
            for (_, aggregate) in &mut aggregates {
                for expression in aggregate.expressions_mut() {
                    inject_in_exists(expression, row);
                    needed.extend(expression.variables());
                }
            }
            let input = with_row(inject(*input, row), &needed, row);
            Aggregate { input: Box::new(input), keys, aggregates }
        }
        Argument { variables } => Argument { variables },
        other => other.map_inputs(&mut |input| inject(input, row)),
    }
}

fn inject_in_exists(expression: &mut Expression, row: &Set) {
    expression.rewrite(&mut |part| {
        if let Expression::Exists(plan) = part {
            let inner = std::mem::replace(&mut **plan, LogicalPlan::unit());
            **plan = inject(inner, row);
        }
    });
}

/// Joins a plan with the outer row's bindings of `needed`, unless it has them already.
fn with_row(plan: LogicalPlan, needed: &Set, row: &Set) -> LogicalPlan {
    let already = argument_variables(&plan);
    let variables: Vec<Variable> = (&(needed & row) - &already).into_iter().collect();
    if variables.is_empty() { plan } else { join(LogicalPlan::Argument { variables }, plan) }
}

/// Returns the variables that every row of the plan takes from the outer row.
fn argument_variables(plan: &LogicalPlan) -> Set {
    match plan {
        LogicalPlan::Argument { variables } => variables.iter().copied().collect(),
        LogicalPlan::Join { left, right } => {
            let mut all = argument_variables(left);
            all.extend(argument_variables(right));
            all
        }
        LogicalPlan::Filter { input, .. } | LogicalPlan::Extend { input, .. } => argument_variables(input),
        _ => Set::new(),
    }
}

/// Returns whether the plan is scans, paths, constant rows and joins of them alone.
fn is_conjunction(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::QuadScan(_)
        | LogicalPlan::EdgeScan(_)
        | LogicalPlan::Path(_)
        | LogicalPlan::Values { .. }
        | LogicalPlan::Service { .. } => true,
        LogicalPlan::Join { left, right } => is_conjunction(left) && is_conjunction(right),
        _ => false,
    }
}

/// Returns whether asking for a compatible row is the same as substituting the outer row.
pub fn is_join_alike(plan: &LogicalPlan, row: &Set) -> bool {
    match plan {
        LogicalPlan::QuadScan(_) | LogicalPlan::EdgeScan(_) | LogicalPlan::Values { .. } => true,
        // A path of length zero may start at an outer term that its graph does not have.
        LogicalPlan::Path(path) => {
            let ends = [&path.subject, &path.object];
            path.min > 0 || !ends.into_iter().filter_map(Slot::variable).any(|end| row.contains(&end))
        }
        LogicalPlan::Join { left, right } => is_join_alike(left, row) && is_join_alike(right, row),
        LogicalPlan::Union(branches) => branches.iter().all(|branch| is_join_alike(branch, row)),
        LogicalPlan::Filter { input, condition } => {
            let certain = certainly_bound(input);
            is_join_alike(input, row)
                && !condition.any(&|part| matches!(part, Expression::Exists(_)))
                && (&condition.variables() & row).is_subset(&certain)
        }
        LogicalPlan::Extend { input, variable, expression } => {
            let certain = certainly_bound(input);
            is_join_alike(input, row)
                && !row.contains(variable)
                && !expression.any(&|part| matches!(part, Expression::Exists(_)))
                && (&expression.variables() & row).is_subset(&certain)
        }
        _ => false,
    }
}

/// Returns variables that every row of the plan binds; perhaps not all of them.
fn certainly_bound(plan: &LogicalPlan) -> Set {
    match plan {
        LogicalPlan::QuadScan(_) | LogicalPlan::EdgeScan(_) => plan.variables(),
        LogicalPlan::Join { left, right } => &certainly_bound(left) | &certainly_bound(right),
        LogicalPlan::Filter { input, .. } | LogicalPlan::Extend { input, .. } => certainly_bound(input),
        LogicalPlan::Union(branches) => {
            branches.iter().map(certainly_bound).reduce(|a, b| &a & &b).unwrap_or_default()
        }
        _ => Set::new(),
    }
}

/// Makes variables that no row can bind undefined where expressions read them: SPARQL's scopes
/// end at groups, and rewriting must not carry a filter to where such a name is bound.
pub fn close(plan: &mut LogicalPlan) {
    for input in plan.inputs_mut() {
        close(input);
    }
    let mut row = Set::new();
    for input in plan.inputs() {
        row.extend(input.variables());
    }
    for expression in plan.expressions_mut() {
        expression.rewrite(&mut |part| match part {
            Expression::Variable(variable) if !row.contains(variable) => {
                *part = Expression::Constant(Value::Null);
            }
            Expression::Exists(inner) => close(inner),
            _ => {}
        });
    }
}
