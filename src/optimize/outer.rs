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
        LogicalPlan::Filter { input, condition } => match *input {
            LogicalPlan::LeftJoin { left, right, condition: on }
                if rejects_nulls_of(&condition, &left, &right) =>
            {
                let mut conjuncts = split(condition);
                conjuncts.extend(on.into_iter().flat_map(split));
                (conjoin(LogicalPlan::Join { left, right }, conjuncts), true)
            }
            input => (LogicalPlan::Filter { input: Box::new(input), condition }, changed),
        },
        plan => (plan, changed),
    }
}

fn rejects_nulls_of(condition: &Expression, left: &LogicalPlan, right: &LogicalPlan) -> bool {
    let own: Set = right.variables().difference(&left.variables()).copied().collect();
    own.into_iter().any(|variable| rejects_null(condition, variable))
}

/// Returns whether the condition is not true wherever the variable is undefined.
fn rejects_null(condition: &Expression, variable: Variable) -> bool {
    match condition {
        Expression::Call(Function::And, arguments) => arguments.iter().any(|a| rejects_null(a, variable)),
        Expression::Call(Function::Or, arguments) => arguments.iter().all(|a| rejects_null(a, variable)),
        Expression::Call(Function::IsDefined, arguments) => arguments.iter().any(|a| propagates(a, variable)),
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
