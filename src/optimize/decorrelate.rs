//! Subplans run for each row that need that row only to be joined with it: where a filter keeps the
//! rows for which there are some, or none, they are a semi-join or an anti-join.

use super::Set;
use super::bound::{certain, is_correlated};
use super::filter::{conjoin, split};
use crate::model::Value;
use crate::plan::{ApplyKind, Expression, Function, LogicalPlan, Variable};

/// Rewrites every such filter of a plan.
pub fn to_joins(plan: LogicalPlan) -> LogicalPlan {
    let plan = plan.map_inputs(&mut to_joins);
    let LogicalPlan::Filter { input, condition } = plan else { return plan };
    let mut input = *input;
    let mut rest = Vec::new();
    for conjunct in split(condition) {
        match test(&conjunct) {
            Some((variable, is_wanted)) => match join(input, variable, is_wanted) {
                Ok(joined) => input = joined,
                Err(kept) => {
                    input = kept;
                    rest.push(conjunct);
                }
            },
            None => rest.push(conjunct),
        }
    }
    conjoin(input, rest)
}

/// Returns the variable that a conjunct is, and whether it is wanted to be true or false.
fn test(conjunct: &Expression) -> Option<(Variable, bool)> {
    match conjunct {
        Expression::Variable(variable) => Some((*variable, true)),
        Expression::Call(Function::Not, arguments) => match arguments.as_slice() {
            [Expression::Variable(variable)] => Some((*variable, false)),
            _ => None,
        },
        _ => None,
    }
}

/// Turns the Apply that computes `variable`, below others if need be, into a join; gives the plan back
/// if there is none, or if it needs the row for more.
fn join(plan: LogicalPlan, variable: Variable, is_wanted: bool) -> Result<LogicalPlan, LogicalPlan> {
    match plan {
        LogicalPlan::Apply { input, subplan, kind: ApplyKind::Exists(own) } if own == variable => {
            let Some(right) = detached(&subplan, &input) else {
                return Err(LogicalPlan::Apply { input, subplan, kind: ApplyKind::Exists(own) });
            };
            let right = Box::new(right);
            let joined = match is_wanted {
                true => LogicalPlan::SemiJoin { left: input, right },
                false => LogicalPlan::AntiJoin { left: input, right },
            };
            // What was tested may be shown as well.
            let expression = Expression::Constant(Value::Boolean(is_wanted));
            Ok(LogicalPlan::Extend { input: Box::new(joined), variable, expression })
        }
        LogicalPlan::Apply { input, subplan, kind } if input.variables().contains(&variable) => {
            match join(*input, variable, is_wanted) {
                Ok(input) => Ok(LogicalPlan::Apply { input: Box::new(input), subplan, kind }),
                Err(input) => Err(LogicalPlan::Apply { input: Box::new(input), subplan, kind }),
            }
        }
        plan => Err(plan),
    }
}

/// Returns the subplan without its Argument leaves, if it then says the same by being joined.
fn detached(subplan: &LogicalPlan, input: &LogicalPlan) -> Option<LogicalPlan> {
    if subplan.writes() || input.writes() {
        return None;
    }
    let mut plan = subplan;
    // Whether there are rows does not depend on what they show.
    while let LogicalPlan::Project { input, .. } = plan {
        plan = input;
    }
    let mut given = Set::new();
    let plan = without_arguments(plan, &mut given)??;
    let shared: Set = &plan.variables() & &input.variables();
    let is_joined = !given.is_empty() && shared == given;
    let is_sure = shared.is_subset(&certain(&plan)) && shared.is_subset(&certain(input));
    (is_joined && is_sure).then_some(plan)
}

/// Takes the Argument leaves out, and notes their variables. `None` inside if nothing else was there;
/// `None` outside if something needs them.
fn without_arguments(plan: &LogicalPlan, given: &mut Set) -> Option<Option<LogicalPlan>> {
    Some(match plan {
        LogicalPlan::Argument { variables } => {
            given.extend(variables);
            None
        }
        LogicalPlan::Join { left, right } => {
            match (without_arguments(left, given)?, without_arguments(right, given)?) {
                (Some(left), Some(right)) => {
                    Some(LogicalPlan::Join { left: Box::new(left), right: Box::new(right) })
                }
                (left, right) => left.or(right),
            }
        }
        LogicalPlan::Filter { input, condition } => {
            let input = without_arguments(input, given)??;
            let has_plan = condition.any(&|part| matches!(part, Expression::Exists(_)));
            let is_closed = condition.variables().is_subset(&input.variables()) && !has_plan;
            is_closed.then(|| conjoin(input, split(condition.clone())))?.into()
        }
        LogicalPlan::Extend { input, variable, expression } => {
            let input = Box::new(without_arguments(input, given)??);
            let is_closed = expression.variables().is_subset(&input.variables());
            let (variable, expression) = (*variable, expression.clone());
            is_closed.then_some(LogicalPlan::Extend { input, variable, expression })?.into()
        }
        LogicalPlan::DistinctEdges { input, edges } => {
            let input = Box::new(without_arguments(input, given)??);
            Some(LogicalPlan::DistinctEdges { input, edges: edges.clone() })
        }
        plan if is_correlated(plan) => return None,
        plan => Some(plan.clone()),
    })
}
