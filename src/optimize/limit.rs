//! Limits: sort and slice become top-n; slices sink below what keeps rows one to one.

use crate::model::Value;
use crate::plan::{Expression, LogicalPlan};

/// Rewrites every slice of a plan.
pub fn push(plan: LogicalPlan) -> LogicalPlan {
    let plan = plan.map_inputs(&mut push);
    match plan {
        LogicalPlan::Slice { input, offset, limit } => sink(*input, offset, limit),
        plan => plan,
    }
}

/// Keeps the first row, for a question of whether there is one.
pub fn first_row(plan: LogicalPlan) -> LogicalPlan {
    let limit = Some(Expression::Constant(Value::Integer(1)));
    LogicalPlan::Slice { input: Box::new(plan), offset: None, limit }
}

fn sink(plan: LogicalPlan, offset: Option<Expression>, limit: Option<Expression>) -> LogicalPlan {
    match plan {
        LogicalPlan::Project { input, variables } => {
            LogicalPlan::Project { input: Box::new(sink(*input, offset, limit)), variables }
        }
        LogicalPlan::Extend { input, variable, expression } => {
            LogicalPlan::Extend { input: Box::new(sink(*input, offset, limit)), variable, expression }
        }
        LogicalPlan::Sort { input, keys } => match (bound(&offset, 0), bound(&limit, u64::MAX)) {
            (Some(offset), Some(limit)) if limit != u64::MAX => {
                LogicalPlan::TopN { input, keys, offset, limit }
            }
            _ => LogicalPlan::Slice { input: Box::new(LogicalPlan::Sort { input, keys }), offset, limit },
        },
        plan => LogicalPlan::Slice { input: Box::new(plan), offset, limit },
    }
}

/// Returns the value of a constant bound, or `absent` where there is none.
fn bound(bound: &Option<Expression>, absent: u64) -> Option<u64> {
    match bound {
        None => Some(absent),
        Some(Expression::Constant(Value::Integer(count))) => u64::try_from(*count).ok(),
        Some(_) => None,
    }
}
