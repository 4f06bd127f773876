//! Constants in one form, trivial logic folded, functions that mean the same here made one.

use crate::model::{Term, Value, xsd};
use crate::plan::{Expression, Function, LogicalPlan};

/// Folds every expression of a plan; drops filters that are true and inputs that are empty.
pub fn fold(plan: LogicalPlan) -> LogicalPlan {
    let mut plan = plan.map_inputs(&mut fold);
    for expression in plan.expressions_mut() {
        fold_expression(expression);
    }
    if let LogicalPlan::Values { rows, .. } = &mut plan {
        rows.iter_mut().flatten().for_each(canonical);
    }
    match plan {
        LogicalPlan::Filter { input, mut condition } => {
            for part in conjuncts_mut(&mut condition) {
                in_truth_position(part);
            }
            match truth(&condition) {
                Some(Some(true)) => *input,
                Some(_) => LogicalPlan::nothing(),
                None => LogicalPlan::Filter { input, condition },
            }
        }
        LogicalPlan::LeftJoin { left, right, condition: Some(condition) }
            if truth(&condition) == Some(Some(true)) =>
        {
            LogicalPlan::LeftJoin { left, right, condition: None }
        }
        LogicalPlan::Join { left, right } if left.is_unit() => *right,
        LogicalPlan::Join { left, right } if right.is_unit() => *left,
        LogicalPlan::Union(branches) => union(branches),
        plan => plan,
    }
}

fn union(branches: Vec<LogicalPlan>) -> LogicalPlan {
    let is_empty = |branch: &LogicalPlan| matches!(branch, LogicalPlan::Values { variables, rows } if variables.is_empty() && rows.is_empty());
    let mut flat = Vec::with_capacity(branches.len());
    for branch in branches {
        match branch {
            LogicalPlan::Union(inner) => flat.extend(inner),
            branch => flat.push(branch),
        }
    }
    if flat.iter().any(is_empty) && flat.iter().any(|branch| !is_empty(branch)) {
        flat.retain(|branch| !is_empty(branch));
    }
    match flat.len() {
        1 => flat.remove(0),
        _ => LogicalPlan::Union(flat),
    }
}

/// Folds an expression, operands first; plans of EXISTS too.
pub fn fold_expression(expression: &mut Expression) {
    expression.rewrite(&mut |part| match part {
        Expression::Constant(value) => canonical(value),
        Expression::Exists(plan) => {
            let inner = std::mem::replace(&mut **plan, LogicalPlan::nothing());
            **plan = fold(inner);
        }
        Expression::Call(function, arguments) => {
            if let Some(folded) = fold_call(function, arguments) {
                *part = folded;
            }
        }
        _ => {}
    });
}

fn fold_call(function: &mut Function, arguments: &mut Vec<Expression>) -> Option<Expression> {
    match function {
        Function::And | Function::Or => {
            let is_and = *function == Function::And;
            let mut flat = Vec::new();
            for argument in arguments.drain(..) {
                match argument {
                    Expression::Call(inner, more) if inner == *function => flat.extend(more),
                    argument => flat.push(argument),
                }
            }
            if flat.iter().any(|argument| truth(argument) == Some(Some(!is_and))) {
                return Some(boolean(!is_and));
            }
            flat.retain(|argument| truth(argument) != Some(Some(is_and)));
            *arguments = flat;
            match arguments.len() {
                0 => Some(boolean(is_and)),
                1 if is_logical(&arguments[0]) => arguments.pop(),
                _ => None,
            }
        }
        Function::Not => match arguments.as_mut_slice() {
            [Expression::Call(Function::Not, inner)] if inner.len() == 1 && is_logical(&inner[0]) => {
                inner.pop()
            }
            [argument] => match truth(argument)? {
                Some(value) => Some(boolean(!value)),
                None => Some(Expression::Constant(Value::Null)),
            },
            _ => None,
        },
        Function::EffectiveBoolean => match arguments.as_mut_slice() {
            [Expression::Constant(Value::Boolean(value))] => Some(boolean(*value)),
            [Expression::Constant(Value::String(value))] => Some(boolean(!value.is_empty())),
            [Expression::Constant(Value::Integer(value))] => Some(boolean(*value != 0)),
            [argument] if is_logical(argument) => arguments.pop(),
            _ => None,
        },
        Function::IsDefined => match arguments.as_slice() {
            [Expression::Constant(value)] => Some(boolean(*value != Value::Null)),
            _ => None,
        },
        Function::SparqlIn if arguments.len() == 2 => {
            Some(Expression::Call(Function::SparqlEqual, std::mem::take(arguments)))
        }
        // Both sides of an equality are alike: the constant comes second.
        Function::SparqlEqual | Function::CypherEqual | Function::SameTerm => {
            if let [first, other] = arguments.as_slice()
                && first.known().is_some()
                && other.known().is_none()
            {
                arguments.swap(0, 1);
            }
            is_strict_null(arguments).then_some(Expression::Constant(Value::Null))
        }
        Function::SparqlLess
        | Function::SparqlLessOrEqual
        | Function::CypherLess
        | Function::CypherLessOrEqual => {
            is_strict_null(arguments).then_some(Expression::Constant(Value::Null))
        }
        _ => None,
    }
}

fn is_strict_null(arguments: &[Expression]) -> bool {
    arguments.iter().any(|argument| matches!(argument, Expression::Constant(Value::Null)))
}

/// Rewrites a condition of which only matters whether it is true.
fn in_truth_position(condition: &mut Expression) {
    match condition {
        Expression::Call(Function::And | Function::Or, arguments) => {
            arguments.iter_mut().for_each(in_truth_position);
        }
        Expression::Call(function, arguments) => {
            let Some(constant) =
                arguments.get(1).filter(|_| arguments.len() == 2).and_then(Expression::known)
            else {
                return compare_numbers(function, arguments);
            };
            match function {
                // What equals an IRI or a plain string by value is that term; the rest is false or
                // an error, and neither passes.
                Function::SparqlEqual if is_term_equality(constant) => *function = Function::SameTerm,
                Function::CypherEqual if is_node(constant) || is_number(constant) || is_boolean(constant) => {
                    *function = if is_node(constant) { Function::SameTerm } else { Function::SparqlEqual };
                }
                _ => compare_numbers(function, arguments),
            }
        }
        _ => {}
    }
}

/// Next to a number, `<` passes the same values in both languages.
fn compare_numbers(function: &mut Function, arguments: &[Expression]) {
    let has_number = arguments.iter().any(|argument| argument.known().is_some_and(is_number));
    match function {
        Function::CypherLess if has_number => *function = Function::SparqlLess,
        Function::CypherLessOrEqual if has_number => *function = Function::SparqlLessOrEqual,
        _ => {}
    }
}

fn is_term_equality(constant: &Value) -> bool {
    matches!(constant, Value::String(_)) || is_node(constant)
}

fn is_node(constant: &Value) -> bool {
    matches!(constant, Value::Term(Term::NamedNode(_)))
}

/// Returns whether the constant is an integer that every numeric type holds exactly: the languages
/// promote numbers differently, and only there it cannot matter.
fn is_number(constant: &Value) -> bool {
    matches!(constant, Value::Integer(value) if value.unsigned_abs() <= 1 << 24)
}

fn is_boolean(constant: &Value) -> bool {
    matches!(constant, Value::Boolean(_))
}

/// Returns the conjuncts of a condition.
pub fn conjuncts_mut(condition: &mut Expression) -> Vec<&mut Expression> {
    match condition {
        Expression::Call(Function::And, arguments) => arguments.iter_mut().flat_map(conjuncts_mut).collect(),
        condition => vec![condition],
    }
}

/// Returns the value of a constant condition: true, false or undefined.
fn truth(expression: &Expression) -> Option<Option<bool>> {
    match expression {
        Expression::Constant(Value::Boolean(value)) => Some(Some(*value)),
        Expression::Constant(Value::Null) => Some(None),
        _ => None,
    }
}

fn boolean(value: bool) -> Expression {
    Expression::Constant(Value::Boolean(value))
}

/// Returns whether the expression is true, false or undefined and nothing else.
fn is_logical(expression: &Expression) -> bool {
    use Function::*;
    match expression {
        Expression::Constant(Value::Boolean(_) | Value::Null) | Expression::Exists(_) => true,
        Expression::Call(function, _) => matches!(
            function,
            And | Or
                | Xor
                | Not
                | EffectiveBoolean
                | IsDefined
                | SameTerm
                | SparqlEqual
                | SparqlLess
                | SparqlLessOrEqual
                | SparqlIn
                | CypherEqual
                | CypherLess
                | CypherLessOrEqual
                | CypherIn
                | IsIri
                | IsBlank
                | IsLiteral
                | IsNumeric
                | IsTriple
                | LangMatches
                | HasLang
                | HasLangDirection
                | StrStarts
                | StrEnds
                | Contains
                | Regex
                | CypherStartsWith
                | CypherEndsWith
                | CypherContains
                | CypherRegex
                | HasLabels(_)
                | IsNode
        ),
        _ => false,
    }
}

/// Gives a constant its one form: typed where the typed form says exactly the same literal.
fn canonical(value: &mut Value) {
    let Value::Term(Term::Literal(literal)) = value else { return };
    let typed = match literal.datatype() {
        xsd::STRING => Some(Value::String(literal.value().to_owned())),
        xsd::INTEGER => literal.value().parse().ok().map(Value::Integer),
        xsd::BOOLEAN => literal.value().parse().ok().map(Value::Boolean),
        _ => None,
    };
    if let Some(typed) = typed
        && typed.to_term().as_ref() == Some(&Term::Literal(literal.clone()))
    {
        *value = typed;
    }
}
