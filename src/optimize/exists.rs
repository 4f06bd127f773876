//! EXISTS out of expressions: conjuncts of filters become semi-joins and anti-joins, all others a
//! column that an Apply computes.

use super::Set;
use super::bound::is_correlated;
use super::filter::{conjoin, split};
use crate::plan::{ApplyKind, Expression, Function, LogicalPlan, Variables};

/// Rewrites every EXISTS of a plan that a row of an operator's input can answer.
pub fn extract(plan: LogicalPlan, variables: &mut Variables) -> LogicalPlan {
    let plan = plan.map_inputs(&mut |input| extract(input, variables));
    match plan {
        LogicalPlan::Filter { input, condition } if has_exists(&condition) => {
            filter(*input, condition, variables)
        }
        LogicalPlan::Extend { input, variable, mut expression } if has_exists(&expression) => {
            let input = compute(*input, &mut expression, variables);
            LogicalPlan::Extend { input: Box::new(input), variable, expression }
        }
        // The condition sees both sides: an Apply gives its subplan the left row.
        LogicalPlan::LeftJoin { left, right, condition: Some(condition) } if has_exists(&condition) => {
            let shared: Vec<_> = left.variables().into_iter().collect();
            let row =
                LogicalPlan::Join { left: Box::new(LogicalPlan::Argument { variables: shared }), right };
            let subplan = filter(row, condition, variables);
            LogicalPlan::Apply { input: left, subplan: Box::new(subplan), kind: ApplyKind::Left }
        }
        LogicalPlan::Sort { input, mut keys } if keys.iter().any(|key| has_exists(&key.expression)) => {
            let mut input = *input;
            for key in &mut keys {
                input = compute(input, &mut key.expression, variables);
            }
            LogicalPlan::Sort { input: Box::new(input), keys }
        }
        LogicalPlan::Aggregate { input, keys, mut aggregates } => {
            let mut input = *input;
            for (_, aggregate) in &mut aggregates {
                for expression in aggregate.expressions_mut() {
                    input = compute(input, expression, variables);
                }
            }
            LogicalPlan::Aggregate { input: Box::new(input), keys, aggregates }
        }
        plan => plan,
    }
}

fn has_exists(expression: &Expression) -> bool {
    expression.any(&|part| matches!(part, Expression::Exists(_)))
}

fn filter(mut input: LogicalPlan, condition: Expression, variables: &mut Variables) -> LogicalPlan {
    let mut rest = Vec::new();
    for conjunct in split(condition) {
        input = match as_test(conjunct) {
            Ok((right, is_wanted)) if !is_correlated(&right) => {
                let (left, right) = (Box::new(input), Box::new(extract(right, variables)));
                if is_wanted {
                    LogicalPlan::SemiJoin { left, right }
                } else {
                    LogicalPlan::AntiJoin { left, right }
                }
            }
            Ok((right, is_wanted)) => {
                let mut expression = Expression::Exists(Box::new(right));
                let input = compute(input, &mut expression, variables);
                rest.push(if is_wanted { expression } else { Expression::call(Function::Not, [expression]) });
                input
            }
            Err(mut conjunct) => {
                let input = compute(input, &mut conjunct, variables);
                rest.push(conjunct);
                input
            }
        };
    }
    conjoin(input, rest)
}

/// Returns the plan of a conjunct that is an EXISTS, and whether it is wanted or forbidden.
fn as_test(conjunct: Expression) -> Result<(LogicalPlan, bool), Expression> {
    match conjunct {
        Expression::Exists(plan) => Ok((*plan, true)),
        Expression::Call(Function::Not, mut arguments) => match arguments.pop() {
            Some(Expression::Exists(plan)) => Ok((*plan, false)),
            Some(argument) => Err(Expression::call(Function::Not, [argument])),
            None => Err(Expression::Call(Function::Not, arguments)),
        },
        conjunct => Err(conjunct),
    }
}

/// Replaces each EXISTS of an expression by a variable that an Apply binds.
fn compute(input: LogicalPlan, expression: &mut Expression, variables: &mut Variables) -> LogicalPlan {
    let mut plan = Some(input);
    expression.rewrite(&mut |part| {
        if let Expression::Exists(inner) = part
            && let Some(input) = plan.take()
        {
            let inner = std::mem::replace(&mut **inner, LogicalPlan::nothing());
            let inner = extract(inner, variables);
            let subplan = if is_correlated(&inner) { inner } else { with_row(inner, &input.variables()) };
            let variable = variables.fresh();
            plan = Some(LogicalPlan::Apply {
                input: Box::new(input),
                subplan: Box::new(subplan),
                kind: ApplyKind::Exists(variable),
            });
            *part = Expression::Variable(variable);
        }
    });
    plan.expect("it is put back each time it is taken")
}

fn with_row(plan: LogicalPlan, row: &Set) -> LogicalPlan {
    let variables: Vec<_> = (&plan.variables() & row).into_iter().collect();
    if variables.is_empty() {
        return plan;
    }
    LogicalPlan::Join { left: Box::new(LogicalPlan::Argument { variables }), right: Box::new(plan) }
}
