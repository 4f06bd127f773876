//! Left joins whose null rows the filter above rejects are joins.

use super::Set;
use super::filter::{conjoin, split};
use crate::plan::{Expression, Function, LogicalPlan, Variable};

/// Rewrites them all; returns whether there was one.
pub fn to_joins(plan: LogicalPlan) -> (LogicalPlan, bool) {
    let mut changed = false;
    let plan = plan.map_inputs(&mut |input| {
        let (input, inner) = to_joins(input);
        changed |= inner;
        input
    });
    match plan {
        LogicalPlan::Filter { input, condition } => {
            let rejected = input.variables().into_iter().filter(|v| rejects_null(&condition, *v)).collect();
            let (input, inner) = strengthen(*input, &rejected);
            (conjoin(input, split(condition)), changed || inner)
        }
        plan => (plan, changed),
    }
}

/// Makes joins of the left joins, also below others, that would leave one of the `rejected` variables
/// undefined: what stands above drops such rows. Returns whether there was one.
fn strengthen(plan: LogicalPlan, rejected: &Set) -> (LogicalPlan, bool) {
    if rejected.is_empty() {
        return (plan, false);
    }
    match plan {
        LogicalPlan::LeftJoin { left, right, condition } => {
            let (of_left, of_right) = (left.variables(), right.variables());
            let is_rejected = !(rejected & &of_right).is_subset(&of_left);
            // A variable that the other side may bind as well says nothing of this one.
            let (left, inner) = strengthen(*left, &(rejected - &of_right));
            let left = Box::new(left);
            match is_rejected {
                true => {
                    let (right, _) = strengthen(*right, &(rejected - &of_left));
                    let join = LogicalPlan::Join { left, right: Box::new(right) };
                    (conjoin(join, condition.into_iter().flat_map(split).collect()), true)
                }
                false => (LogicalPlan::LeftJoin { left, right, condition }, inner),
            }
        }
        LogicalPlan::Join { left, right } => {
            let (of_left, of_right) = (left.variables(), right.variables());
            let (left, in_left) = strengthen(*left, &(rejected - &of_right));
            let (right, in_right) = strengthen(*right, &(rejected - &of_left));
            (LogicalPlan::Join { left: Box::new(left), right: Box::new(right) }, in_left || in_right)
        }
        LogicalPlan::Filter { input, condition } => {
            let (input, inner) = strengthen(*input, rejected);
            (conjoin(input, split(condition)), inner)
        }
        LogicalPlan::SemiJoin { left, right } => {
            let (left, inner) = strengthen(*left, rejected);
            (LogicalPlan::SemiJoin { left: Box::new(left), right }, inner)
        }
        LogicalPlan::AntiJoin { left, right } => {
            let (left, inner) = strengthen(*left, rejected);
            (LogicalPlan::AntiJoin { left: Box::new(left), right }, inner)
        }
        LogicalPlan::DistinctEdges { input, edges } => {
            let (input, inner) = strengthen(*input, rejected);
            (LogicalPlan::DistinctEdges { input: Box::new(input), edges }, inner)
        }
        LogicalPlan::Extend { input, variable, expression } => {
            let (input, inner) = strengthen(*input, rejected);
            (LogicalPlan::Extend { input: Box::new(input), variable, expression }, inner)
        }
        plan => (plan, false),
    }
}

/// Returns whether the condition is not true wherever the variable is undefined.
fn rejects_null(condition: &Expression, variable: Variable) -> bool {
    match condition {
        Expression::Call(Function::And, arguments) => arguments.iter().any(|a| rejects_null(a, variable)),
        Expression::Call(Function::Or, arguments) => arguments.iter().all(|a| rejects_null(a, variable)),
        Expression::Call(Function::IsDefined, arguments) => arguments.iter().any(|a| propagates(a, variable)),
        // Of an empty list it is false, which negated would be true.
        Expression::Call(Function::CypherIn, arguments) => {
            arguments.first().is_some_and(|first| propagates(first, variable))
        }
        condition => propagates(condition, variable),
    }
}

/// Returns whether the expression is undefined wherever the variable is.
fn propagates(expression: &Expression, variable: Variable) -> bool {
    match expression {
        Expression::Variable(own) => *own == variable,
        Expression::Call(function, arguments) if is_strict(function) => {
            arguments.iter().any(|argument| propagates(argument, variable))
        }
        Expression::Call(Function::SparqlIn, arguments) => {
            arguments.first().is_some_and(|first| propagates(first, variable))
        }
        _ => false,
    }
}

fn is_strict(function: &Function) -> bool {
    use Function::*;
    matches!(
        function,
        Not | EffectiveBoolean
            | SameTerm
            | SparqlEqual
            | SparqlLess
            | SparqlLessOrEqual
            | CypherEqual
            | CypherLess
            | CypherLessOrEqual
            | SparqlAdd
            | SparqlSubtract
            | SparqlMultiply
            | SparqlDivide
            | UnaryMinus
            | UnaryPlus
            | Abs
            | Ceil
            | Floor
            | SparqlRound
            | Str
            | Lang
            | LangMatches
            | Datatype
            | Iri
            | IsIri
            | IsBlank
            | IsLiteral
            | IsNumeric
            | StrLen
            | SubStr
            | UCase
            | LCase
            | StrStarts
            | StrEnds
            | Contains
            | StrBefore
            | StrAfter
            | Regex
            | Year
            | Month
            | Day
            | Hours
            | Minutes
            | Seconds
            | Cast(_)
            | CypherStartsWith
            | CypherEndsWith
            | CypherContains
            | HasLabels(_)
    )
}
