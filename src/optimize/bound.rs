//! What a plan's rows are sure to bind.

use super::Set;
use crate::plan::{ApplyKind, Expression, LogicalPlan, Slot};

/// Returns variables that every row of the plan binds; perhaps not all such.
pub fn certain(plan: &LogicalPlan) -> Set {
    use LogicalPlan::*;
    match plan {
        QuadScan(_) | MultiwayJoin(_) => plan.variables(),
        EdgeScan(_) => plan.variables(),
        Path(path) => {
            let ends = [&path.subject, &path.object].into_iter().filter_map(Slot::variable);
            ends.chain(path.graph.variable()).collect()
        }
        Repeat(repeat) => certain(&repeat.input).into_iter().chain(repeat.bound()).collect(),
        Values { variables, rows } => variables
            .iter()
            .enumerate()
            .filter(|(column, _)| {
                rows.iter()
                    .all(|row| row.get(*column).is_some_and(|value| *value != crate::model::Value::Null))
            })
            .map(|(_, variable)| *variable)
            .collect(),
        Join { left, right } => &certain(left) | &certain(right),
        LeftJoin { left, .. } | SemiJoin { left, .. } | AntiJoin { left, .. } | Minus { left, .. } => {
            certain(left)
        }
        Apply { input, subplan, kind } => {
            let mut all = certain(input);
            match kind {
                // What a batch that fails binds is its status only.
                ApplyKind::InBatches(batches) => all.extend(batches.status),
                ApplyKind::Inner => all.extend(certain(subplan)),
                ApplyKind::Left => {}
                ApplyKind::Exists(variable)
                | ApplyKind::Count(variable)
                | ApplyKind::Collect(variable, _) => {
                    all.insert(*variable);
                }
            }
            all
        }
        Union(branches) => branches.iter().map(certain).reduce(|a, b| &a & &b).unwrap_or_default(),
        Extend { input, variable, expression } => {
            let mut all = certain(input);
            if is_certain(expression, &all) {
                all.insert(*variable);
            }
            all
        }
        Project { input, variables } => {
            let all = certain(input);
            variables.iter().filter(|variable| all.contains(variable)).copied().collect()
        }
        Aggregate { input, keys, .. } => {
            let all = certain(input);
            keys.iter().filter(|key| all.contains(key)).copied().collect()
        }
        Filter { input, .. }
        | Distinct { input }
        | Sort { input, .. }
        | TopN { input, .. }
        | Slice { input, .. }
        | Assert { input, .. }
        | Unwind { input, .. }
        | Call { input, .. }
        | LoadCsv { input, .. }
        | DistinctEdges { input, .. } => certain(input),
        Argument { .. } | Service { .. } | Modify { .. } | Merge { .. } => Set::new(),
    }
}

fn is_certain(expression: &Expression, bound: &Set) -> bool {
    match expression {
        Expression::Variable(variable) => bound.contains(variable),
        other => other.known().is_some_and(|value| *value != crate::model::Value::Null),
    }
}

/// Returns whether a leaf of the plan is the row of an enclosing Apply.
pub fn is_correlated(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Argument { .. })
        || plan.inputs().into_iter().any(is_correlated)
        || plan.expressions().into_iter().any(|expression| {
            expression.any(&|part| matches!(part, Expression::Exists(inner) if is_correlated(inner)))
        })
}
