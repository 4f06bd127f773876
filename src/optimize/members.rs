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
            (Function::Or, operands) => {
                let (variable, sides) = comparisons(operands)?;
                let constant = |(function, side): (&Function, &'a Expression)| match side {
                    Expression::Constant(value) => Some((function.clone(), value)),
                    _ => None,
                };
                (variable, sides.into_iter().map(constant).collect::<Option<_>>()?)
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

/// Returns whether a condition would be a membership in constants if what a request brings were known.
pub(super) fn is_open(condition: &Expression) -> bool {
    let Expression::Call(function, arguments) = condition else { return false };
    match (function, arguments.as_slice()) {
        (Function::CypherIn, [Expression::Variable(_), Expression::List(list)]) => are_open(list),
        (Function::CypherIn, [Expression::Variable(_), list]) => are_open([list]),
        (Function::Or, operands) => {
            comparisons(operands).is_some_and(|(_, sides)| are_open(sides.into_iter().map(|(_, side)| side)))
        }
        _ => false,
    }
}

/// Returns whether all of these are known once a request is there, and not before.
fn are_open<'a>(expressions: impl IntoIterator<Item = &'a Expression>) -> bool {
    let mut has_parameter = false;
    let is_known = expressions.into_iter().all(|expression| {
        let is_parameter = matches!(expression, Expression::Parameter(_));
        has_parameter |= is_parameter;
        is_parameter || matches!(expression, Expression::Constant(_))
    });
    is_known && has_parameter
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

/// Returns the one variable that all of some equalities are about, and for each how it is compared and with what.
fn comparisons(equalities: &[Expression]) -> Option<(Variable, Vec<(&Function, &Expression)>)> {
    let sides = equalities.iter().map(|equality| match equality {
        Expression::Call(
            function @ (Function::SameTerm | Function::SparqlEqual | Function::CypherEqual),
            arguments,
        ) => match arguments.as_slice() {
            [Expression::Variable(variable), other] => Some((*variable, (function, other))),
            _ => None,
        },
        _ => None,
    });
    let (variables, sides): (Vec<Variable>, Vec<_>) = sides.collect::<Option<Vec<_>>>()?.into_iter().unzip();
    let variable = *variables.first()?;
    variables.iter().all(|other| *other == variable).then_some((variable, sides))
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
