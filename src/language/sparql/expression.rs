//! Expressions.

use spargebra::algebra::{
    AggregateExpression, AggregateFunction as SparqlAggregate, Expression as Sparql,
    Function as SparqlFunction, OrderExpression,
};
use spargebra::term::NamedNode;

use super::scope::Lowering;
use super::term::constant;
use crate::model::{Literal, Term, Value, xsd};
use crate::plan::{Aggregate, AggregateFunction, Expression, Function, SortKey, SortOrder};

impl Lowering {
    /// Lowers an expression whose effective boolean value is wanted.
    pub fn condition(&mut self, expression: &Sparql) -> Expression {
        let lowered = self.expression(expression);
        if is_boolean(&lowered) { lowered } else { Expression::call(Function::EffectiveBoolean, [lowered]) }
    }

    pub fn expression(&mut self, expression: &Sparql) -> Expression {
        use Function::*;
        match expression {
            Sparql::NamedNode(node) => constant(node.clone()),
            Sparql::Literal(literal) => constant(literal.clone()),
            Sparql::Variable(variable) => Expression::Variable(self.named(variable.as_str())),
            Sparql::Or(a, b) => Expression::call(Or, [self.condition(a), self.condition(b)]),
            Sparql::And(a, b) => Expression::call(And, [self.condition(a), self.condition(b)]),
            Sparql::Not(a) => Expression::call(Not, [self.condition(a)]),
            Sparql::Equal(a, b) => self.binary(SparqlEqual, a, b),
            Sparql::SameTerm(a, b) => self.binary(SameTerm, a, b),
            Sparql::Less(a, b) => self.binary(SparqlLess, a, b),
            Sparql::LessOrEqual(a, b) => self.binary(SparqlLessOrEqual, a, b),
            Sparql::Greater(a, b) => self.binary(SparqlLess, b, a),
            Sparql::GreaterOrEqual(a, b) => self.binary(SparqlLessOrEqual, b, a),
            Sparql::Add(a, b) => self.binary(SparqlAdd, a, b),
            Sparql::Subtract(a, b) => self.binary(SparqlSubtract, a, b),
            Sparql::Multiply(a, b) => self.binary(SparqlMultiply, a, b),
            Sparql::Divide(a, b) => self.binary(SparqlDivide, a, b),
            Sparql::UnaryPlus(a) => Expression::call(UnaryPlus, [self.expression(a)]),
            Sparql::UnaryMinus(a) => Expression::call(UnaryMinus, [self.expression(a)]),
            Sparql::In(a, list) => {
                let first = self.expression(a);
                let rest = list.iter().map(|item| self.expression(item));
                Expression::Call(SparqlIn, std::iter::once(first).chain(rest).collect())
            }
            Sparql::Exists(pattern) => Expression::Exists(Box::new(self.pattern(pattern))),
            Sparql::Bound(variable) => {
                Expression::call(IsDefined, [Expression::Variable(self.named(variable.as_str()))])
            }
            Sparql::If(a, b, c) => {
                Expression::call(If, [self.condition(a), self.expression(b), self.expression(c)])
            }
            Sparql::Coalesce(list) => Expression::Call(Coalesce, self.expressions(list)),
            Sparql::FunctionCall(function, arguments) => {
                let mut arguments = self.expressions(arguments);
                if let (SparqlFunction::Iri, Some(base)) = (function, &self.base) {
                    arguments.push(constant(Literal::new_simple_literal(base)));
                }
                Expression::Call(function_of(function), arguments)
            }
        }
    }

    pub fn aggregate(&mut self, aggregate: &AggregateExpression) -> Aggregate {
        match aggregate {
            AggregateExpression::CountSolutions { distinct } => {
                Aggregate { function: AggregateFunction::Count, argument: None, distinct: *distinct }
            }
            AggregateExpression::FunctionCall { name, expr, distinct } => Aggregate {
                function: aggregate_function(name),
                argument: Some(self.expression(expr)),
                distinct: *distinct,
            },
        }
    }

    pub fn sort_key(&mut self, order: &OrderExpression) -> SortKey {
        let (expression, descending) = match order {
            OrderExpression::Asc(expression) => (expression, false),
            OrderExpression::Desc(expression) => (expression, true),
        };
        SortKey { expression: self.expression(expression), descending, order: SortOrder::Sparql }
    }

    fn binary(&mut self, function: Function, a: &Sparql, b: &Sparql) -> Expression {
        Expression::call(function, [self.expression(a), self.expression(b)])
    }

    fn expressions(&mut self, list: &[Sparql]) -> Vec<Expression> {
        list.iter().map(|item| self.expression(item)).collect()
    }
}

/// Returns whether the expression is true, false or undefined and nothing else.
fn is_boolean(expression: &Expression) -> bool {
    use Function::*;
    match expression {
        Expression::Constant(Value::Term(Term::Literal(literal))) => {
            literal.datatype() == xsd::BOOLEAN && matches!(literal.value(), "true" | "false")
        }
        Expression::Exists(_) => true,
        Expression::Call(function, _) => matches!(
            function,
            And | Or
                | Not
                | EffectiveBoolean
                | IsDefined
                | SameTerm
                | SparqlEqual
                | SparqlLess
                | SparqlLessOrEqual
                | SparqlIn
                | LangMatches
                | HasLang
                | HasLangDirection
                | IsIri
                | IsBlank
                | IsLiteral
                | IsNumeric
                | IsTriple
                | StrStarts
                | StrEnds
                | Contains
                | Regex
        ),
        _ => false,
    }
}

fn aggregate_function(name: &SparqlAggregate) -> AggregateFunction {
    match name {
        SparqlAggregate::Count => AggregateFunction::Count,
        SparqlAggregate::Sum => AggregateFunction::SparqlSum,
        SparqlAggregate::Avg => AggregateFunction::SparqlAvg,
        SparqlAggregate::Min => AggregateFunction::SparqlMin,
        SparqlAggregate::Max => AggregateFunction::SparqlMax,
        SparqlAggregate::GroupConcat { separator } => {
            AggregateFunction::GroupConcat { separator: separator.clone().unwrap_or_else(|| " ".to_owned()) }
        }
        // The parser knows custom aggregates only if it is told of some, and it is not.
        SparqlAggregate::Sample | SparqlAggregate::Custom(_) => AggregateFunction::Sample,
    }
}

fn function_of(function: &SparqlFunction) -> Function {
    use SparqlFunction as S;
    match function {
        S::Str => Function::Str,
        S::Lang => Function::Lang,
        S::LangMatches => Function::LangMatches,
        S::Datatype => Function::Datatype,
        S::Iri => Function::Iri,
        S::BNode => Function::BlankNode,
        S::Rand => Function::Rand,
        S::Abs => Function::Abs,
        S::Ceil => Function::Ceil,
        S::Floor => Function::Floor,
        S::Round => Function::SparqlRound,
        S::Concat => Function::Concat,
        S::SubStr => Function::SubStr,
        S::StrLen => Function::StrLen,
        S::Replace => Function::Replace,
        S::UCase => Function::UCase,
        S::LCase => Function::LCase,
        S::EncodeForUri => Function::EncodeForUri,
        S::Contains => Function::Contains,
        S::StrStarts => Function::StrStarts,
        S::StrEnds => Function::StrEnds,
        S::StrBefore => Function::StrBefore,
        S::StrAfter => Function::StrAfter,
        S::Year => Function::Year,
        S::Month => Function::Month,
        S::Day => Function::Day,
        S::Hours => Function::Hours,
        S::Minutes => Function::Minutes,
        S::Seconds => Function::Seconds,
        S::Timezone => Function::Timezone,
        S::Tz => Function::Tz,
        S::Now => Function::Now,
        S::Uuid => Function::Uuid,
        S::StrUuid => Function::StrUuid,
        S::Md5 => Function::Md5,
        S::Sha1 => Function::Sha1,
        S::Sha256 => Function::Sha256,
        S::Sha384 => Function::Sha384,
        S::Sha512 => Function::Sha512,
        S::StrLang => Function::StrLang,
        S::StrDt => Function::StrDt,
        S::IsIri => Function::IsIri,
        S::IsBlank => Function::IsBlank,
        S::IsLiteral => Function::IsLiteral,
        S::IsNumeric => Function::IsNumeric,
        S::Regex => Function::Regex,
        S::Triple => Function::Triple,
        S::Subject => Function::Subject,
        S::Predicate => Function::Predicate,
        S::Object => Function::Object,
        S::IsTriple => Function::IsTriple,
        S::LangDir => Function::LangDirection,
        S::HasLang => Function::HasLang,
        S::HasLangDir => Function::HasLangDirection,
        S::StrLangDir => Function::StrLangDirection,
        S::Adjust => Function::Adjust,
        S::Custom(node) if is_cast(node) => Function::Cast(node.clone()),
        S::Custom(node) => Function::Unknown(node.clone()),
    }
}

fn is_cast(node: &NamedNode) -> bool {
    [
        xsd::STRING,
        xsd::BOOLEAN,
        xsd::INTEGER,
        xsd::DECIMAL,
        xsd::FLOAT,
        xsd::DOUBLE,
        xsd::DATE_TIME,
        xsd::DATE,
        xsd::TIME,
        xsd::DURATION,
        xsd::DAY_TIME_DURATION,
        xsd::YEAR_MONTH_DURATION,
    ]
    .contains(&node.as_ref())
}
