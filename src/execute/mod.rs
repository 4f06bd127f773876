//! Execution: a logical plan becomes operators that pull batches of ids from a dataset.
//!
//! The room knows plans, ids and the [`Dataset`](crate::dataset::Dataset) trait. It knows no
//! language, no block and no peer: where languages differ, the plan names a function or an operator.

mod changes;
pub mod constraint;
mod context;
mod correlate;
mod error;
mod explanation;
pub mod expression;
mod journal;
mod layout;
mod operator;
mod physical_plan;
mod rows;
pub mod schema_rule;
#[cfg(test)]
mod tests;
mod values;
mod virtual_entities;
mod writer;

pub use context::{
    Context, FileOpener, GraphLoader, Limits, Procedure, Procedures, Reservation, ServiceHandler,
};
pub use error::{ExecuteError, RuntimeCode};
pub use explanation::{Meter, PhysicalNode};
pub use layout::Layout;
pub use operator::{COMPATIBLE_VERSION, Operator};
pub use rows::{Rows, Triples};
pub use values::{Local, Values};
pub use writer::UpdateSummary;

use std::sync::Arc;

use crate::plan::{Form, Query, Update};
use physical_plan::Planner;

/// Opens a query; nothing runs until rows are pulled. A query that writes has written all it
/// writes once its rows are pulled to the end; [`Context::summary`] then counts it.
pub fn execute(query: &Query, context: Arc<Context>) -> Result<Rows, ExecuteError> {
    if query.writes && context.changes.is_none() {
        return Err(ExecuteError::ReadOnly);
    }
    context.share();
    let (operator, ahead) = Planner::new(context.clone()).build_query(query)?;
    Ok(Rows::new(query, operator, ahead, context))
}

/// Returns whether a query has a row.
pub fn ask(query: &Query, context: Arc<Context>) -> Result<bool, ExecuteError> {
    Ok(execute(query, context)?.next_batch()?.is_some())
}

/// Opens a query of the forms Construct and Describe.
///
/// # Errors
/// [`ExecuteError::Plan`] if the query is of another form.
pub fn triples(query: &Query, context: Arc<Context>) -> Result<Triples, ExecuteError> {
    let rows = execute(query, context)?;
    match &query.form {
        Form::Construct(templates) => Ok(Triples::construct(rows, templates)),
        Form::Describe { graph } => Ok(Triples::describe(rows, graph)),
        Form::Rows | Form::Ask => Err(ExecuteError::Plan("the query yields no triples".to_owned())),
    }
}

/// Runs the operations of an update in order, each on what those before it left.
pub fn execute_update(update: &Update, context: Arc<Context>) -> Result<UpdateSummary, ExecuteError> {
    if context.changes.is_none() {
        return Err(ExecuteError::ReadOnly);
    }
    context.share();
    for operation in &update.operations {
        let mut operator = Planner::new(context.clone()).build(operation)?;
        while operator.next_batch()?.is_some() {
            context.check()?;
        }
    }
    Ok(context.summary())
}

/// Returns the physical plan; nothing is run.
pub fn explain(query: &Query, context: Arc<Context>) -> Result<PhysicalNode, ExecuteError> {
    context.share();
    let (operator, _) = Planner::new(context).build_query(query)?;
    Ok(PhysicalNode::of(operator.as_ref()))
}

/// Runs a query, throws its rows away, and returns the physical plan with what each operator did.
pub fn profile(query: &Query, context: Arc<Context>) -> Result<PhysicalNode, ExecuteError> {
    context.share();
    let (mut operator, _) = Planner::metering(Arc::clone(&context)).build_query(query)?;
    while operator.next_batch()?.is_some() {
        context.check()?;
    }
    Ok(PhysicalNode::of(operator.as_ref()))
}
