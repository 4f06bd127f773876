//! Cypher's equality with a string, where the data have no language-tagged strings: there it is
//! equality of terms, which a scan can look up.

use super::constants::conjuncts_mut;
use crate::dataset::{Dataset, DatasetError};
use crate::model::{NamedNode, Term, Value};
use crate::plan::{Expression, Function, LogicalPlan, QuadScan, Schema, Slot};

/// Rewrites the filters of a plan that stand right above a scan of one predicate.
pub fn settle(plan: LogicalPlan, dataset: &dyn Dataset) -> Result<LogicalPlan, DatasetError> {
    if !compares_strings(&plan) {
        return Ok(plan);
    }
    let schema = dataset.schema()?;
    Ok(rewrite(plan, &schema))
}

fn is_comparison(expression: &Expression) -> bool {
    matches!(expression, Expression::Call(Function::CypherEqual, arguments)
        if matches!(arguments.as_slice(), [Expression::Variable(_), other] if is_string(other)))
}

fn is_string(expression: &Expression) -> bool {
    matches!(expression.known(), Some(Value::String(_)))
}

fn compares_strings(plan: &LogicalPlan) -> bool {
    plan.expressions().into_iter().any(|expression| expression.any(&is_comparison))
        || plan.inputs().into_iter().any(compares_strings)
}

fn rewrite(plan: LogicalPlan, schema: &Schema) -> LogicalPlan {
    let mut plan = plan.map_inputs(&mut |input| rewrite(input, schema));
    if let LogicalPlan::Filter { input, condition } = &mut plan
        && let LogicalPlan::QuadScan(scan) = &**input
        && has_plain_strings(scan, schema)
    {
        for conjunct in conjuncts_mut(condition) {
            if let Expression::Call(function @ Function::CypherEqual, arguments) = conjunct
                && let [Expression::Variable(variable), other] = arguments.as_slice()
                && is_string(other)
                && scan.object == Slot::Variable(*variable)
            {
                *function = Function::SameTerm;
            }
        }
    }
    plan
}

/// Returns whether no object of the scan is a string with a language.
pub(super) fn has_plain_strings(scan: &QuadScan, schema: &Schema) -> bool {
    let Slot::Constant(Term::NamedNode(predicate)) = &scan.predicate else { return false };
    let is_tagged = |datatype: &NamedNode| {
        [
            "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString",
            "http://www.w3.org/1999/02/22-rdf-syntax-ns#dirLangString",
        ]
        .contains(&datatype.as_str())
    };
    match schema.predicates.get(predicate) {
        Some(info) => !info.datatypes.iter().any(is_tagged),
        None => schema.is_complete,
    }
}
