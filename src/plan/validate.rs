//! Checks that a plan is well-formed: a plan that is not was lowered by a mistake of ours.

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
