//! The optimizer: a pure function from a plan and the dataset's figures to an equal, faster plan.
//!
//! It knows no language and no physical operator, and reads no data: figures only. Equal questions
//! end as equal plans, however they were spelled: what commutes is put in an order of its own, and
//! whatever names nothing new is taken away.
//!
//! # The passes, in order
//! 1. `constants`: constants take one form, trivial logic folds, functions that mean the same in
//!    their place become one. First, since all later passes look for patterns.
//! 2. `alias`: a variable that is only another's name goes.
//! 3. `exists`: EXISTS becomes semi-joins, anti-joins and applies, so that no expression but
//!    scalar ones are left to move.
//! 4. `filter`: conjunctions split and sink; equalities with a constant sink into scans. `outer`:
//!    a left join whose null rows a filter rejects is a join, which lets more filters sink; so the
//!    two alternate until neither finds anything. `strings`, `numbers` and `members`: what the data's schema proves to
//!    be an equality of terms, or with one of a few terms, becomes one, and sinks too; `value_joins`: so does an equality
//!    of two parts that share nothing, which is a join then. `decorrelate`: a filter by whether a subplan has
//!    rows is a semi-join or an anti-join, if the subplan needs the row for no more.
//! 5. `flatten`: optional parts, computed columns and projections rise out of joins, so that one
//!    list of relations is left to order.
//! 6. `implied`: what the data's schema proves is not asked: classes of the ends of a predicate, whether
//!    relationships differ that cannot be one.
//! 7. `counts`: relations that are only counted are grouped before they are joined; `implied` again, since relationships
//!    that were compared may be so no more.
//! 8. `join_order`: by cost; ties by a key that no spelling changes.
//! 9. `filter` again: filters sink into the tree that the order made.
//! 10. `limit`: sort and slice become top-n; slices sink below what keeps rows one to one.
//! 11. `prune`: what nobody reads is not computed. Last but one, since each pass before may leave something.
//! 12. `duplicates`: where repeated rows do not count, nodes are reached, not paths enumerated.

mod alias;
mod bound;
mod by_schema;
mod canonical;
mod constants;
mod counts;
mod decorrelate;
mod duplicates;
mod estimate;
mod exists;
mod filter;
mod flatten;
mod implied;
mod join_order;
mod limit;
mod members;
mod numbers;
mod outer;
mod prune;
mod strings;
mod value_joins;

pub use numbers::wants_values;

use crate::dataset::{Dataset, DatasetError};
use crate::plan::{Form, LogicalPlan, Query, Update, Variable, VariableSet};

type Set = VariableSet;

/// How often filters and left joins may free each other.
const ROUNDS_MAX: usize = 8;

/// Returns an equal query that should run faster.
///
/// # Errors
/// If the dataset cannot give its figures.
pub fn optimize(mut query: Query, dataset: &dyn Dataset) -> Result<Query, DatasetError> {
    let mut columns: Vec<Variable> = query.columns.iter().map(|column| column.variable).collect();
    columns.dedup();
    let root = std::mem::replace(&mut query.root, LogicalPlan::nothing());
    let root = pin(root);
    let root = constants::fold(root);
    query.root = root;
    if !query.writes {
        alias::remove(&mut query);
    }
    let root = std::mem::replace(&mut query.root, LogicalPlan::nothing());
    let needed: Set = query.columns.iter().map(|column| column.variable).collect();
    let facts_for = (!query.writes).then_some(&needed);
    let root = improve(root, &mut query.variables, facts_for, dataset)?;
    let root = match query.form {
        Form::Ask if !query.writes => limit::first_row(root),
        _ => root,
    };
    query.root = duplicates::skip(prune::root(limit::push(root), &query.columns, &needed), &needed);
    Ok(query)
}

/// As [`optimize`], for each operation of an update.
pub fn optimize_update(mut update: Update, dataset: &dyn Dataset) -> Result<Update, DatasetError> {
    let operations = std::mem::take(&mut update.operations);
    for operation in operations {
        let plan = constants::fold(pin(operation));
        let plan = limit::push(improve(plan, &mut update.variables, None, dataset)?);
        update.operations.push(prune::plan(plan, &Set::new()));
    }
    Ok(update)
}

/// Runs the passes that an operation of an update has too. `needed` is read of a question's rows; `None` where
/// the data may change while the plan runs.
fn improve(
    plan: LogicalPlan,
    variables: &mut crate::plan::Variables,
    needed: Option<&Set>,
    dataset: &dyn Dataset,
) -> Result<LogicalPlan, DatasetError> {
    let mut plan = exists::extract(plan, variables);
    for _ in 0..ROUNDS_MAX {
        plan = constants::fold(filter::push(plan));
        plan = members::settle(numbers::settle(strings::settle(plan, dataset)?, dataset)?, dataset)?;
        plan = filter::push(value_joins::settle(plan, dataset)?);
        plan = decorrelate::to_joins(plan);
        let (next, changed) = outer::to_joins(plan);
        plan = next;
        if !changed {
            break;
        }
    }
    let mut plan = counts::of_rows(flatten::flatten(plan));
    if let Some(needed) = needed {
        // Projections that keep all hide what the facts are about.
        plan = prune::plan(plan, needed);
        plan = implied::remove(plan, variables, needed, dataset)?;
    }
    let mut plan = counts::push(plan, variables, dataset)?;
    if let Some(needed) = needed {
        plan = implied::plain(plan, needed, dataset)?;
    }
    let plan = join_order::order(plan, dataset)?;
    Ok(canonical::order_operands(filter::push(plan)))
}

/// Makes explicit what a Distinct compares, so that passes may add and drop columns below it.
fn pin(plan: LogicalPlan) -> LogicalPlan {
    let plan = plan.map_inputs(&mut pin);
    match plan {
        LogicalPlan::Distinct { input } if !matches!(*input, LogicalPlan::Project { .. }) => {
            let variables = input.variables().into_iter().collect();
            LogicalPlan::Distinct { input: Box::new(LogicalPlan::Project { input, variables }) }
        }
        plan => plan,
    }
}
