//! Membership in a list of constants, and the disjunction of equalities with constants: where the data's schema tells
//! which terms are equal to each, a join with those, which a scan can look up.

use super::by_schema;
use super::filter::{conjoin, split};
use super::numbers::{info, terms_equal_to};
use super::strings::has_plain_strings;
use crate::dataset::{Dataset, DatasetError};
use crate::model::{Term, Value};
use crate::plan::{Expression, Function, LogicalPlan, QuadScan, Schema, Slot, Variable};

/// Rewrites the filters of a plan that stand right above a scan, as far as nothing was written before them.
pub fn settle(plan: LogicalPlan, dataset: &dyn Dataset) -> Result<LogicalPlan, DatasetError> {
    by_schema::rewrite(plan, dataset, &has_members, &look_up)
}

fn has_members(plan: &LogicalPlan) -> bool {
    let is_membership = |conjunct: &&Expression| Members::of(conjunct).is_some();
    match plan {
        LogicalPlan::Filter { input, condition } if matches!(**input, LogicalPlan::QuadScan(_)) => {
            condition.conjuncts().iter().any(is_membership)
        }
        _ => false,
    }
}

/// What a variable must be equal to one of.
struct Members<'a> {
    variable: Variable,
    /// With how each is compared.
    values: Vec<(Function, &'a Value)>,
}

impl<'a> Members<'a> {
    fn of(condition: &'a Expression) -> Option<Members<'a>> {
        let Expression::Call(function, arguments) = condition else { return None };
        let (variable, values) = match (function, arguments.as_slice()) {
            (
                Function::CypherIn,
                [Expression::Variable(variable), Expression::Constant(Value::List(list))],
            ) => (*variable, list.iter().map(|value| (Function::CypherEqual, value)).collect()),
            (Function::CypherIn, [Expression::Variable(variable), Expression::List(list)]) => {
                (*variable, constants(Function::CypherEqual, list)?)
            }
            (Function::SparqlIn, [Expression::Variable(variable), list @ ..]) => {
                (*variable, constants(Function::SparqlEqual, list)?)
            }
            (Function::Or, [first, rest @ ..]) => {
                let (variable, value) = equality(first)?;
                let mut values = vec![value];
                for operand in rest {
                    let (_, value) = equality(operand).filter(|(other, _)| *other == variable)?;
                    values.push(value);
                }
                (variable, values)
            }
            _ => return None,
        };
        Some(Members { variable, values })
    }

    /// Returns the distinct terms that the variable may be, where the scan binds it, in an order that no spelling
    /// changes; `None` if that is not known.
    fn terms(&self, scan: &QuadScan, schema: &Schema) -> Option<Vec<Value>> {
        let mut terms = Vec::with_capacity(self.values.len());
        for (function, value) in &self.values {
            terms.extend(self.equal_to(function, value, scan, schema)?);
        }
        terms.sort_by_cached_key(|value| value.to_term().map(|term| term.to_string()));
        terms.dedup_by_key(|value| value.to_term());
        Some(terms)
    }

    fn equal_to(
        &self,
        function: &Function,
        value: &Value,
        scan: &QuadScan,
        schema: &Schema,
    ) -> Option<Vec<Value>> {
        let is_object = scan.object == Slot::Variable(self.variable);
        match value {
            Value::Null => Some(Vec::new()),
            Value::Term(Term::NamedNode(_)) => Some(vec![value.clone()]),
            Value::Term(_) | Value::String(_) | Value::Integer(_) if *function == Function::SameTerm => {
                Some(vec![value.clone()])
            }
            _ if !is_object => None,
            Value::String(_) if *function == Function::SparqlEqual || has_plain_strings(scan, schema) => {
                Some(vec![value.clone()])
            }
            value => terms_equal_to(value, info(scan, self.variable, schema)?),
        }
    }
}

/// Returns what a variable is compared with, if all of it is constant.
fn constants(function: Function, list: &[Expression]) -> Option<Vec<(Function, &Value)>> {
    let mut values = Vec::with_capacity(list.len());
    for expression in list {
        let Expression::Constant(value) = expression else { return None };
        values.push((function.clone(), value));
    }
    Some(values)
}

fn equality(condition: &Expression) -> Option<(Variable, (Function, &Value))> {
    match condition {
        Expression::Call(
            function @ (Function::SameTerm | Function::SparqlEqual | Function::CypherEqual),
            arguments,
        ) => match arguments.as_slice() {
            [Expression::Variable(variable), Expression::Constant(value)] => {
                Some((*variable, (function.clone(), value)))
            }
            _ => None,
        },
        _ => None,
    }
}

fn look_up(plan: LogicalPlan, schema: &Schema) -> LogicalPlan {
    let LogicalPlan::Filter { input, condition } = plan else { return plan };
    let LogicalPlan::QuadScan(scan) = &*input else { return LogicalPlan::Filter { input, condition } };
    let (mut conjuncts, bound) = (split(condition), input.variables());
    let found = conjuncts.iter().enumerate().find_map(|(place, conjunct)| {
        let members = Members::of(conjunct).filter(|members| bound.contains(&members.variable))?;
        Some((place, members.variable, members.terms(scan, schema)?))
    });
    let Some((place, variable, terms)) = found else { return conjoin(*input, conjuncts) };
    conjuncts.remove(place);
    let joined = match terms.len() {
        0 => LogicalPlan::nothing(),
        _ => {
            let rows = terms.into_iter().map(|term| vec![term]).collect();
            let values = LogicalPlan::Values { variables: vec![variable], rows };
            LogicalPlan::Join { left: Box::new(values), right: input }
        }
    };
    conjoin(joined, conjuncts)
}
