//! Checks that a plan is well-formed: a plan that is not was lowered by a mistake of ours.

use std::collections::BTreeSet;

use super::{LogicalPlan, Query, Variable};

/// What is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("column '{0}' is bound by no operator")]
    UnboundColumn(String),
    #[error("{0:?} is bound twice")]
    BoundTwice(Variable),
}

/// Checks that every column is bound and that no Extend binds what its input binds.
pub fn validate(query: &Query) -> Result<(), PlanError> {
    check(&query.root)?;
    let bound = query.root.variables();
    match query.columns.iter().find(|column| !bound.contains(&column.variable)) {
        Some(column) => Err(PlanError::UnboundColumn(column.name.clone())),
        None => Ok(()),
    }
}

fn check(plan: &LogicalPlan) -> Result<(), PlanError> {
    if let LogicalPlan::Extend { input, variable, .. } = plan
        && input.variables().contains(variable)
    {
        return Err(PlanError::BoundTwice(*variable));
    }
    plan.inputs().into_iter().try_for_each(check)
}

impl LogicalPlan {
    /// Returns the direct inputs, left to right; subplans included, plans in expressions not.
    pub fn inputs(&self) -> Vec<&LogicalPlan> {
        use LogicalPlan::*;
        match self {
            QuadScan(_) | EdgeScan(_) | Path(_) | Values { .. } | Argument { .. } | Service { .. } => vec![],
            Join { left, right }
            | LeftJoin { left, right, .. }
            | SemiJoin { left, right }
            | AntiJoin { left, right }
            | Minus { left, right } => vec![left, right],
            Apply { input, subplan, .. } => vec![input, subplan],
            Merge { input, pattern, .. } => vec![input, pattern],
            Union(inputs) => inputs.iter().collect(),
            Filter { input, .. }
            | Extend { input, .. }
            | Unwind { input, .. }
            | Project { input, .. }
            | Distinct { input }
            | Aggregate { input, .. }
            | Sort { input, .. }
            | TopN { input, .. }
            | Slice { input, .. }
            | Assert { input, .. }
            | DistinctEdges { input, .. }
            | Call { input, .. }
            | Modify { input, .. } => vec![input],
        }
    }

    /// Returns the variables that rows of this plan may bind, sorted.
    pub fn variables(&self) -> BTreeSet<Variable> {
        use LogicalPlan::*;
        let mut all = BTreeSet::new();
        match self {
            QuadScan(scan) => {
                all.extend(
                    [&scan.subject, &scan.predicate, &scan.object].iter().filter_map(|s| s.variable()),
                );
                all.extend(scan.graph.variable());
            }
            EdgeScan(scan) => {
                let slots = [&scan.subject, &scan.predicate, &scan.object, &scan.edge];
                all.extend(slots.iter().filter_map(|slot| slot.variable()));
                all.extend(scan.graph.variable());
            }
            Path(path) => {
                all.extend([&path.subject, &path.object].iter().filter_map(|slot| slot.variable()));
                all.extend(path.graph.variable());
                all.extend(path.edges.iter().chain(&path.path));
            }
            Values { variables, .. } | Project { variables, .. } | Argument { variables } => {
                all.extend(variables);
            }
            Service { endpoint, variables, .. } => {
                all.extend(variables);
                all.extend(endpoint.variable());
            }
            SemiJoin { left, .. } | AntiJoin { left, .. } | Minus { left, .. } => all = left.variables(),
            Aggregate { keys, aggregates, .. } => {
                all.extend(keys);
                all.extend(aggregates.iter().map(|(variable, _)| variable));
            }
            Apply { input, subplan, kind } => {
                all = input.variables();
                match kind {
                    super::ApplyKind::Inner | super::ApplyKind::Left => all.extend(subplan.variables()),
                    super::ApplyKind::Exists(v)
                    | super::ApplyKind::Count(v)
                    | super::ApplyKind::Collect(v, _) => {
                        all.insert(*v);
                    }
                }
            }
            Join { .. }
            | LeftJoin { .. }
            | Union(_)
            | Filter { .. }
            | Distinct { .. }
            | Sort { .. }
            | TopN { .. }
            | Slice { .. }
            | Assert { .. }
            | DistinctEdges { .. }
            | Extend { .. }
            | Unwind { .. }
            | Call { .. }
            | Modify { .. }
            | Merge { .. } => {
                for input in self.inputs() {
                    all.extend(input.variables());
                }
                all.extend(self.binds());
            }
        }
        all
    }

    /// Returns the variables that this operator itself adds to its input's.
    fn binds(&self) -> Vec<Variable> {
        use super::Change;
        fn changed(changes: &[Change]) -> impl Iterator<Item = Variable> + '_ {
            changes.iter().filter_map(|change| match change {
                Change::CreateNode { node, .. } => Some(*node),
                Change::CreateEdge { edge, .. } => Some(*edge),
                _ => None,
            })
        }
        match self {
            LogicalPlan::Extend { variable, .. } | LogicalPlan::Unwind { variable, .. } => vec![*variable],
            LogicalPlan::Call { yields, .. } => yields.iter().map(|(_, variable)| *variable).collect(),
            LogicalPlan::Modify { changes, .. } => changed(changes).collect(),
            LogicalPlan::Merge { create, .. } => changed(create).collect(),
            _ => vec![],
        }
    }
}
