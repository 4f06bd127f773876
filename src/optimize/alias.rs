//! Aliases: `Extend b := a` gives a value a second name; the first serves as well.

use super::Set;
use crate::plan::{Expression, LogicalPlan, Query, Variable};

/// Removes aliases wherever the first name cannot be mistaken for another value.
pub fn remove(query: &mut Query) {
    while let Some((alias, original)) = find(&query.root, &query.root) {
        replace(&mut query.root, alias, original);
        for column in &mut query.columns {
            if column.variable == alias {
                column.variable = original;
            }
        }
        if let crate::plan::Form::Construct(_) = query.form {
            // Templates name variables too; they never name aliases that lowering made.
            return;
        }
    }
}

fn find(plan: &LogicalPlan, root: &LogicalPlan) -> Option<(Variable, Variable)> {
    if let LogicalPlan::Extend { input, variable, expression: Expression::Variable(original) } = plan
        && input.variables().contains(original)
        // Below an aggregation the alias' name may stand for something else.
        && !input.mentioned().contains(variable)
        && !bound_elsewhere(root, plan, *original)
        && !bound_elsewhere(root, plan, *variable)
        && !shown_together(root, *variable, *original)
    {
        return Some((*variable, *original));
    }
    plan.inputs().into_iter().find_map(|input| find(input, root))
}

/// Returns whether an operator outside `extend` binds the variable too: then it is a join's, and
/// a projection may have kept the two apart.
fn bound_elsewhere(plan: &LogicalPlan, extend: &LogicalPlan, variable: Variable) -> bool {
    if std::ptr::eq(plan, extend) {
        return false;
    }
    let inputs = plan.inputs();
    let own: Set = match plan {
        LogicalPlan::Project { .. } | LogicalPlan::Aggregate { .. } => Set::new(),
        plan => {
            let mut own = plan.variables();
            for input in &inputs {
                for bound in input.variables() {
                    own.remove(&bound);
                }
            }
            own
        }
    };
    let in_exists = |part: &Expression| matches!(part, Expression::Exists(inner) if inner.mentioned().contains(&variable));
    own.contains(&variable)
        || plan.expressions().into_iter().any(|expression| expression.any(&in_exists))
        || matches!(plan, LogicalPlan::Merge { .. } | LogicalPlan::Modify { .. })
        || inputs.into_iter().any(|input| bound_elsewhere(input, extend, variable))
}

/// Returns whether some operator lists both names: as keys or columns they are two.
fn shown_together(plan: &LogicalPlan, a: Variable, b: Variable) -> bool {
    let both = match plan {
        LogicalPlan::Project { variables, .. } | LogicalPlan::Aggregate { keys: variables, .. } => {
            variables.contains(&a) && variables.contains(&b)
        }
        _ => false,
    };
    both || plan.inputs().into_iter().any(|input| shown_together(input, a, b))
}

fn replace(plan: &mut LogicalPlan, alias: Variable, original: Variable) {
    if let LogicalPlan::Extend { input, variable, .. } = plan
        && *variable == alias
    {
        *plan = std::mem::replace(&mut **input, LogicalPlan::nothing());
        return replace(plan, alias, original);
    }
    let rename = |variable: &mut Variable| {
        if *variable == alias {
            *variable = original;
        }
    };
    match plan {
        LogicalPlan::Project { variables, .. }
        | LogicalPlan::Aggregate { keys: variables, .. }
        | LogicalPlan::DistinctEdges { edges: variables, .. }
        | LogicalPlan::Argument { variables } => variables.iter_mut().for_each(rename),
        LogicalPlan::Repeat(repeat) => [&mut repeat.start, &mut repeat.end].into_iter().for_each(rename),
        _ => {}
    }
    for expression in plan.expressions_mut() {
        replace_in(expression, alias, original);
    }
    for input in plan.inputs_mut() {
        replace(input, alias, original);
    }
}

fn replace_in(expression: &mut Expression, alias: Variable, original: Variable) {
    expression.rewrite(&mut |part| match part {
        Expression::Variable(variable) if *variable == alias => *variable = original,
        Expression::Exists(plan) => replace(plan, alias, original),
        _ => {}
    });
}
