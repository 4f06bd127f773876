//! Rewrites that rest on the data's schema: it is asked for only where there is something to rewrite, and holds only
//! before the statement writes.

use crate::dataset::{Dataset, DatasetError};
use crate::plan::{LogicalPlan, Schema};

/// Rewrites all operators of a plan, inputs first, as far as nothing was written before them; none if none is concerned.
pub fn rewrite(
    plan: LogicalPlan,
    dataset: &dyn Dataset,
    is_concerned: &dyn Fn(&LogicalPlan) -> bool,
    rewrite: &dyn Fn(LogicalPlan, &Schema) -> LogicalPlan,
) -> Result<LogicalPlan, DatasetError> {
    if !any(&plan, is_concerned) {
        return Ok(plan);
    }
    let schema = dataset.schema()?;
    Ok(before_writes(plan, &|plan| rewrite(plan, &schema)))
}

fn any(plan: &LogicalPlan, is_concerned: &dyn Fn(&LogicalPlan) -> bool) -> bool {
    is_concerned(plan) || plan.inputs().into_iter().any(|input| any(input, is_concerned))
}

/// Rewrites all of a plan that runs before anything is written, inputs first.
fn before_writes(plan: LogicalPlan, rewrite: &dyn Fn(LogicalPlan) -> LogicalPlan) -> LogicalPlan {
    match plan {
        // What comes after a write reads what was written, and so does what writes once for each row.
        LogicalPlan::Apply { input, subplan, kind } if input.writes() || subplan.writes() => {
            LogicalPlan::Apply { input: Box::new(before_writes(*input, rewrite)), subplan, kind }
        }
        LogicalPlan::Merge { input, pattern, create, on_match, on_create } => LogicalPlan::Merge {
            input: Box::new(before_writes(*input, rewrite)),
            pattern,
            create,
            on_match,
            on_create,
        },
        plan => {
            let plan = plan.map_inputs(&mut |input| before_writes(input, rewrite));
            rewrite(plan)
        }
    }
}
