//! Equality with a number, where the data's schema tells in which forms a number may stand: there it is equality
//! with one of a few terms, which a scan can look up.

use std::sync::Arc;

use super::constants::conjuncts_mut;
use super::filter::conjoin;
use super::{by_schema, members};
use crate::dataset::{Dataset, DatasetError};
use crate::model::{Literal, NamedNode, Term, TermId, Value, xsd};
use crate::plan::{
    Expression, Function, LogicalPlan, Parameter, PredicateInfo, QuadScan, Schema, Slot, Variable,
};

/// Beyond this, whole numbers are compared as doubles with a loss.
const EXACT_MAX: u64 = 1 << 53;

/// Rewrites the filters of a plan that stand right above a scan of one predicate, as far as nothing was written
/// before them.
pub fn settle(plan: LogicalPlan, dataset: &dyn Dataset) -> Result<LogicalPlan, DatasetError> {
    by_schema::rewrite(plan, dataset, &compares_numbers, &look_up)
}

fn compares_numbers(plan: &LogicalPlan) -> bool {
    plan.expressions().into_iter().any(|expression| expression.any(&|part| compared(part).is_some()))
}

/// Returns the variable and the number of an equality.
fn compared(expression: &Expression) -> Option<(Variable, Number)> {
    let Expression::Call(Function::CypherEqual | Function::SparqlEqual, arguments) = expression else {
        return None;
    };
    match arguments.as_slice() {
        [Expression::Variable(variable), other] | [other, Expression::Variable(variable)] => {
            Some((*variable, Number::of(other)?))
        }
        _ => None,
    }
}

#[derive(Clone)]
enum Number {
    Integer(i64),
    Double(f64),
    /// A whole number that a request brings.
    Parameter(Arc<Parameter>),
}

impl Number {
    fn of(expression: &Expression) -> Option<Number> {
        match expression {
            Expression::Constant(value) => Number::of_value(value),
            Expression::Parameter(parameter) if matches!(parameter.sample, Some(Value::Integer(_))) => {
                Some(Number::Parameter(parameter.clone()))
            }
            _ => None,
        }
    }

    fn of_value(value: &Value) -> Option<Number> {
        match value {
            Value::Integer(value) => Some(Number::Integer(*value)),
            Value::Float(value) => Some(Number::Double(*value)),
            _ => None,
        }
    }
}

/// Returns whether a filter of a plan compares with a number, or looks into a list, that a request brings, and might be
/// a lookup if it were known.
pub fn wants_values(plan: &LogicalPlan) -> bool {
    let is_open = |conjunct: &Expression| match conjunct {
        Expression::Call(Function::CypherEqual | Function::SparqlEqual, sides) => {
            sides.iter().any(|side| matches!(side, Expression::Variable(_)))
                && sides.iter().any(is_numeric_parameter)
        }
        conjunct => members::is_open(conjunct),
    };
    matches!(plan, LogicalPlan::Filter { condition, .. } if condition.conjuncts().into_iter().any(is_open))
        || plan.inputs().into_iter().any(wants_values)
}

fn is_numeric_parameter(expression: &Expression) -> bool {
    matches!(expression, Expression::Parameter(parameter)
        if matches!(parameter.sample, Some(Value::Integer(_) | Value::Float(_))))
}

fn look_up(plan: LogicalPlan, schema: &Schema) -> LogicalPlan {
    let LogicalPlan::Filter { input, mut condition } = plan else { return plan };
    let LogicalPlan::QuadScan(scan) = &*input else { return LogicalPlan::Filter { input, condition } };
    let forms = conjuncts_mut(&mut condition).into_iter().find_map(|conjunct| {
        let (variable, number) = compared(conjunct)?;
        let forms = forms(number, info(scan, variable, schema)?)?;
        // The filter as a whole stays if this is not what it is about.
        *conjunct = Expression::Constant(Value::Boolean(true));
        Some((variable, forms))
    });
    let Some((variable, forms)) = forms else { return LogicalPlan::Filter { input, condition } };
    let same = |term: Expression| {
        let arguments = vec![Expression::Variable(variable), term];
        conjoin((*input).clone(), vec![Expression::Call(Function::SameTerm, arguments)])
    };
    let mut branches: Vec<LogicalPlan> = forms.into_iter().map(same).collect();
    let found = match branches.len() {
        0 => LogicalPlan::nothing(),
        1 => branches.remove(0),
        _ => LogicalPlan::Union(branches),
    };
    let is_open = |part: &Expression| *part != Expression::Constant(Value::Boolean(true));
    conjoin(found, super::filter::split(condition).into_iter().filter(is_open).collect())
}

/// Returns what is known of the predicate whose objects are the variable.
pub(super) fn info<'a>(scan: &QuadScan, variable: Variable, schema: &'a Schema) -> Option<&'a PredicateInfo> {
    match &scan.predicate {
        Slot::Constant(Term::NamedNode(predicate)) if scan.object == Slot::Variable(variable) => {
            schema.predicates.get(predicate)
        }
        _ => None,
    }
}

/// Returns all terms that are equal to a constant number among the objects of a predicate; `None` if that is not
/// known, or it is no number.
pub(super) fn terms_equal_to(value: &Value, info: &PredicateInfo) -> Option<Vec<Value>> {
    let known = |form: Expression| form.known().cloned();
    forms(Number::of_value(value)?, info)?.into_iter().map(known).collect()
}

/// Returns all terms that are equal to a number among the objects of a predicate; `None` if that is not known.
fn forms(number: Number, info: &PredicateInfo) -> Option<Vec<Expression>> {
    let holds = |datatype: NamedNode| info.datatypes.contains(&datatype);
    let (has_integers, has_doubles) = (holds(xsd::INTEGER.into_owned()), holds(xsd::DOUBLE.into_owned()));
    if info.has_opaque_numbers || holds(xsd::DECIMAL.into_owned()) {
        return None;
    }
    let (integer, double) = match number {
        // In which forms it stands among doubles, its value tells.
        Number::Parameter(_) if has_doubles => return None,
        Number::Parameter(parameter) => {
            return Some(Vec::from_iter(has_integers.then_some(Expression::Parameter(parameter))));
        }
        Number::Integer(value) if !has_doubles => (Some(value), None),
        Number::Integer(value) if value.unsigned_abs() <= EXACT_MAX => (Some(value), Some(value as f64)),
        Number::Double(value) if value.abs() <= EXACT_MAX as f64 => {
            ((value.fract() == 0.0).then_some(value as i64), Some(value))
        }
        _ => return None,
    };
    let mut terms: Vec<Term> = Vec::new();
    if let Some(value) = integer.filter(|_| has_integers) {
        terms.push(Literal::from(value).into());
    }
    if let Some(value) = double.filter(|_| has_doubles) {
        // Zero has a sign in some forms.
        let values: &[f64] = if value == 0.0 { &[0.0, -0.0] } else { &[value] };
        let ids = values.iter().flat_map(|value| TermId::inline_doubles(*value));
        terms.extend(ids.filter_map(|id| id.to_literal()).map(Term::from));
    }
    Some(terms.into_iter().map(|term| Expression::Constant(Value::Term(term))).collect())
}
