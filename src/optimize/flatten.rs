//! Joins made flat: optional parts, computed columns, filters, tests of relationships and projections rise above the joins
//! they sit in, so that joins have scans and other true relations for inputs.

use super::Set;
use super::bound::certain;
use crate::plan::{Expression, LogicalPlan, Variable};

/// Rewrites every join of a plan.
pub fn flatten(plan: LogicalPlan) -> LogicalPlan {
    let plan = plan.map_inputs(&mut flatten);
    match plan {
        LogicalPlan::Join { left, right } => {
            let (left_core, left_tops) = peel(*left, &right);
            let whole_left = wrap(left_core.clone(), left_tops.clone());
            let (right_core, right_tops) = peel(*right, &whole_left);
            let join = LogicalPlan::Join { left: Box::new(left_core), right: Box::new(right_core) };
            wrap(wrap(join, right_tops), left_tops)
        }
        plan => plan,
    }
}

/// An operator taken off a join's input.
#[derive(Clone)]
enum Top {
    Extend(Variable, Expression),
    Left(Box<LogicalPlan>, Option<Expression>),
    Filter(Expression),
    DistinctEdges(Vec<Variable>),
}

/// Takes off what may as well stand above the join with `other`, outermost first.
fn peel(mut plan: LogicalPlan, other: &LogicalPlan) -> (LogicalPlan, Vec<Top>) {
    let others = other.variables();
    let mentioned = other.mentioned();
    let mut tops = Vec::new();
    loop {
        plan = match plan {
            LogicalPlan::Extend { input, variable, expression }
                if !others.contains(&variable) && may_rise(&expression.variables(), &input, &others) =>
            {
                tops.push(Top::Extend(variable, expression));
                *input
            }
            LogicalPlan::LeftJoin { left, right, condition }
                if may_rise(&right.variables(), &left, &others)
                    && condition.as_ref().is_none_or(|c| may_rise(&c.variables(), &left, &others)) =>
            {
                tops.push(Top::Left(right, condition));
                *left
            }
            LogicalPlan::Filter { input, condition }
                if matches!(
                    *input,
                    LogicalPlan::Join { .. } | LogicalPlan::LeftJoin { .. } | LogicalPlan::Extend { .. }
                ) && may_rise(&condition.variables(), &input, &others) =>
            {
                tops.push(Top::Filter(condition));
                *input
            }
            LogicalPlan::DistinctEdges { input, edges }
                if may_rise(&edges.iter().copied().collect(), &input, &others) =>
            {
                tops.push(Top::DistinctEdges(edges));
                *input
            }
            LogicalPlan::Project { input, variables } if hides_nothing_of(&input, &variables, &mentioned) => {
                *input
            }
            plan => return (plan, tops),
        };
    }
}

/// Returns whether the joined row has the same values for `read` as the row of `input` alone.
fn may_rise(read: &Set, input: &LogicalPlan, others: &Set) -> bool {
    let sure = certain(input);
    (read & others).is_subset(&sure)
}

fn hides_nothing_of(input: &LogicalPlan, variables: &[Variable], mentioned: &Set) -> bool {
    let bound = input.variables();
    let hidden = bound.iter().filter(|variable| !variables.contains(variable));
    hidden.into_iter().all(|variable| !mentioned.contains(&variable))
        && variables.iter().all(|variable| bound.contains(variable))
}

fn wrap(mut plan: LogicalPlan, tops: Vec<Top>) -> LogicalPlan {
    for top in tops.into_iter().rev() {
        let input = Box::new(plan);
        plan = match top {
            Top::Extend(variable, expression) => LogicalPlan::Extend { input, variable, expression },
            Top::Left(right, condition) => LogicalPlan::LeftJoin { left: input, right, condition },
            Top::Filter(condition) => LogicalPlan::Filter { input, condition },
            Top::DistinctEdges(edges) => LogicalPlan::DistinctEdges { input, edges },
        };
    }
    plan
}
