//! Expressions: every name known, every operand of a kind that can be right.

use super::{Binder, Checked, Scope};
use crate::language::cypher::ast::{Expr, ExprKind, Operator, ProjectionItem, Search};
use crate::language::cypher::function;
use crate::language::cypher::kind::Kind;
use crate::language::cypher::token::Span;

/// Where an expression stands, and so what it may hold.
#[derive(Clone, Copy)]
pub(super) struct Context {
    /// Aggregates may be called (the items of WITH and RETURN).
    pub(super) aggregates: bool,
    /// A pattern may stand for whether it matches (WHERE and its kin).
    pub(super) predicate: bool,
    in_aggregate: bool,
}

impl Context {
    pub(super) const VALUE: Context = Context { aggregates: false, predicate: false, in_aggregate: false };
    pub(super) const ITEM: Context = Context { aggregates: true, ..Context::VALUE };
    pub(super) const PREDICATE: Context = Context { predicate: true, ..Context::VALUE };

    fn value(self) -> Context {
        Context { predicate: false, ..self }
    }

    fn predicate(self) -> Context {
        Context { predicate: true, ..self }
    }
}

impl Binder<'_> {
    /// Checks a condition: WHERE and its kin.
    pub(super) fn condition(&self, expression: &Expr, scope: &Scope, context: Context) -> Checked {
        let kind = self.expression(expression, scope, context.predicate())?;
        self.expect(expression.span, kind, &[Kind::Boolean], "a condition")
    }

    /// Checks an expression and returns the kind of its value.
    pub(super) fn expression(&self, expression: &Expr, scope: &Scope, context: Context) -> Checked<Kind> {
        use ExprKind::*;
        let span = expression.span;
        let value = |operand: &Expr| self.expression(operand, scope, context.value());
        match &expression.kind {
            Null => Ok(Kind::Null),
            Boolean(_) => Ok(Kind::Boolean),
            Integer(_) => Ok(Kind::Integer),
            Float(_) => Ok(Kind::Float),
            String(_) => Ok(Kind::String),
            Parameter(name) => self.parameter(span, name),
            Variable(name) => match scope.get(name) {
                Some(kind) => Ok(*kind),
                None => self.undefined(span, name),
            },
            List(items) => {
                let kinds = items.iter().map(value).collect::<Checked<Vec<Kind>>>()?;
                Ok(kinds.into_iter().reduce(Kind::or).unwrap_or(Kind::Any).list())
            }
            Map(entries) => {
                entries.iter().try_for_each(|(_, entry)| value(entry).map(|_| ()))?;
                Ok(Kind::Map)
            }
            Property(owner, _) => {
                let kind = value(owner)?;
                self.property_owner(span, kind)?;
                Ok(Kind::Any)
            }
            Index(list, index) => {
                let kind = value(list)?;
                value(index)?;
                Ok(kind.element())
            }
            Slice(list, from, to) => {
                from.iter().chain(to).try_for_each(|bound| value(bound).map(|_| ()))?;
                value(list)
            }
            HasLabels(owner, _) => {
                let kind = value(owner)?;
                self.expect(span, kind, &[Kind::Node, Kind::Relationship], "a label test")?;
                Ok(Kind::Boolean)
            }
            Not(operand) => self.logic(std::slice::from_ref(operand), scope, context),
            And(operands) | Or(operands) => self.logic(operands, scope, context),
            Minus(operand) | Plus(operand) => {
                let kind = value(operand)?;
                self.expect(span, kind, &[Kind::Integer, Kind::Float], "a sign")?;
                Ok(kind)
            }
            Binary(Operator::Xor, left, right) => {
                self.logic(std::slice::from_ref(left), scope, context)?;
                self.logic(std::slice::from_ref(right), scope, context)
            }
            Binary(operator, left, right) => {
                let kinds = (value(left)?, value(right)?);
                self.binary(*operator, span, kinds)
            }
            Comparison(first, rest) => {
                value(first)?;
                rest.iter().try_for_each(|(_, operand)| value(operand).map(|_| ()))?;
                Ok(Kind::Boolean)
            }
            IsNull { operand, .. } => value(operand).map(|_| Kind::Boolean),
            Call { function, arguments, .. } => self.call(function, arguments, span, scope, context),
            CountStar => {
                self.aggregate_may_stand(span, context)?;
                Ok(Kind::Integer)
            }
            Case { operand, branches, otherwise } => {
                operand.iter().try_for_each(|operand| value(operand).map(|_| ()))?;
                let conditions = if operand.is_some() { context.value() } else { context.predicate() };
                let mut kind = Kind::Null;
                for (tests, result) in branches {
                    for test in tests {
                        self.expression(test, scope, conditions)?;
                    }
                    kind = kind.or(value(result)?);
                }
                match otherwise {
                    Some(otherwise) => Ok(kind.or(value(otherwise)?)),
                    None => Ok(kind),
                }
            }
            ListComprehension { variable, list, filter, map } => {
                let element = value(list)?;
                self.expect(list.span, element, &[Kind::List(None)], "a list comprehension")?;
                let inner = with(scope, &variable.text, element.element());
                let inside = Context { aggregates: false, ..context };
                filter.iter().try_for_each(|filter| self.condition(filter, &inner, inside))?;
                match map {
                    Some(map) => self.expression(map, &inner, inside.value()).map(Kind::list),
                    None => Ok(element),
                }
            }
            PatternComprehension { pattern, filter, map } => {
                let mut inner = scope.clone();
                self.match_patterns(std::slice::from_ref(pattern), &mut inner)?;
                let inside = Context { aggregates: false, ..context };
                filter.iter().try_for_each(|filter| self.condition(filter, &inner, inside))?;
                self.expression(map, &inner, inside.value()).map(Kind::list)
            }
            Quantifier { variable, list, condition, .. } => {
                let kind = value(list)?;
                self.expect(list.span, kind, &[Kind::List(None)], "a quantifier")?;
                let inner = with(scope, &variable.text, kind.element());
                let inside = Context { aggregates: false, ..context };
                match condition {
                    Some(condition) => self.condition(condition, &inner, inside)?,
                    None => return self.fault(span, "UnexpectedSyntax", "WHERE is missing"),
                }
                Ok(Kind::Boolean)
            }
            Reduce { accumulator, init, variable, list, step } => {
                value(init)?;
                let kind = value(list)?;
                self.expect(list.span, kind, &[Kind::List(None)], "reduce")?;
                let mut inner = with(scope, &variable.text, kind.element());
                inner.insert(accumulator.text.clone(), Kind::Any);
                self.expression(step, &inner, Context { aggregates: false, ..context.value() })?;
                Ok(Kind::Any)
            }
            Pattern(pattern) => {
                if pattern.search != Search::All {
                    self.match_patterns(std::slice::from_ref(pattern), &mut scope.clone())?;
                    return Ok(Kind::Path);
                }
                if !context.predicate {
                    return self.fault(
                        span,
                        "UnexpectedSyntax",
                        "a pattern may stand only in a condition; a list needs [pattern | expression]",
                    );
                }
                self.pattern_predicate(pattern, scope)?;
                Ok(Kind::Boolean)
            }
            Subquery(kind, query) => self.subquery(*kind, query, scope),
            MapProjection { variable, items } => {
                let Some(kind) = scope.get(&variable.text) else {
                    return self.undefined(variable.span, &variable.text);
                };
                self.property_owner(variable.span, *kind)?;
                for item in items {
                    match item {
                        ProjectionItem::Entry(_, entry) => value(entry).map(|_| ())?,
                        ProjectionItem::Variable(name) if !scope.contains_key(&name.text) => {
                            return self.undefined(name.span, &name.text);
                        }
                        _ => {}
                    }
                }
                Ok(Kind::Map)
            }
        }
    }

    fn parameter(&self, span: Span, name: &str) -> Checked<Kind> {
        if (self.has_parameter)(name) {
            return Ok(Kind::Any);
        }
        let message = format!("the request gives no parameter '{name}'");
        self.fault_of("ParameterMissing", span, "MissingParameter", message)
    }

    /// Checks the owner of a property: a node, relationship or map, as far as one can tell.
    pub(super) fn property_owner(&self, span: Span, kind: Kind) -> Checked {
        match kind {
            Kind::Any | Kind::Null | Kind::Map | Kind::Node | Kind::Relationship => Ok(()),
            Kind::Path => self.fault(span, "InvalidArgumentType", "a path has no properties"),
            _ => {
                let message = format!("{} has no properties", kind.name());
                self.fault_of("TypeError", span, "InvalidArgumentType", message)
            }
        }
    }

    fn logic<E: std::borrow::Borrow<Expr>>(
        &self,
        operands: &[E],
        scope: &Scope,
        context: Context,
    ) -> Checked<Kind> {
        for operand in operands {
            let operand = operand.borrow();
            let kind = self.expression(operand, scope, context.predicate())?;
            self.expect(operand.span, kind, &[Kind::Boolean], "a logical operator")?;
        }
        Ok(Kind::Boolean)
    }

    fn binary(&self, operator: Operator, span: Span, (left, right): (Kind, Kind)) -> Checked<Kind> {
        use Operator::*;
        match operator {
            In => {
                self.expect(span, right, &[Kind::List(None)], "the right side of IN")?;
                Ok(Kind::Boolean)
            }
            Xor | StartsWith | EndsWith | Contains | Matches => Ok(Kind::Boolean),
            Add => Ok(match (left, right) {
                (Kind::Integer, Kind::Integer) => Kind::Integer,
                _ if left.is_numeric() && right.is_numeric() => Kind::Float,
                (Kind::String, Kind::String) => Kind::String,
                (Kind::List(_), Kind::List(_)) => left.or(right),
                (Kind::List(_), _) | (_, Kind::List(_)) => Kind::List(None),
                _ => Kind::Any,
            }),
            Subtract | Multiply | Divide | Modulo | Power => {
                for kind in [left, right] {
                    self.expect(span, kind, &[Kind::Integer, Kind::Float], "arithmetic")?;
                }
                Ok(match (operator, left, right) {
                    (Power, ..) => Kind::Float,
                    (_, Kind::Integer, Kind::Integer) => Kind::Integer,
                    _ if left.is_numeric() && right.is_numeric() => Kind::Float,
                    _ => Kind::Any,
                })
            }
        }
    }

    fn call(
        &self,
        name: &str,
        arguments: &[Expr],
        span: Span,
        scope: &Scope,
        context: Context,
    ) -> Checked<Kind> {
        if let Some(count) = function::aggregate_arguments(name) {
            self.aggregate_may_stand(span, context)?;
            self.count_arguments(name, arguments, count, count, span)?;
            let inside = Context { in_aggregate: true, ..context.value() };
            let mut kinds = Vec::new();
            for argument in arguments {
                if argument.any(&|e| matches!(&e.kind, ExprKind::Call { function, .. } if function == "rand"))
                {
                    let message = "an aggregate cannot take a random value";
                    return self.fault(argument.span, "NonConstantExpression", message);
                }
                kinds.push(self.expression(argument, scope, inside)?);
            }
            return Ok(match name {
                "count" => Kind::Integer,
                "collect" => kinds[0].list(),
                "min" | "max" => kinds[0],
                _ => Kind::Any,
            });
        }
        let Some(signature) = function::scalar(name) else {
            return self.fault(span, "UnknownFunction", format!("there is no function '{name}'"));
        };
        self.count_arguments(name, arguments, signature.min, signature.max, span)?;
        let inside = if name == "exists" { context.predicate() } else { context.value() };
        for (index, argument) in arguments.iter().enumerate() {
            let kind = self.expression(argument, scope, inside)?;
            if index == 0 && !signature.accepts.is_empty() {
                self.expect(argument.span, kind, signature.accepts, &format!("{name}()"))?;
            }
        }
        Ok(signature.result)
    }

    fn count_arguments(&self, name: &str, given: &[Expr], min: usize, max: usize, span: Span) -> Checked {
        if (min..=max).contains(&given.len()) {
            return Ok(());
        }
        let takes = if min == max { min.to_string() } else { format!("{min} to {max}") };
        let message = format!("{name}() takes {takes} arguments, not {}", given.len());
        self.fault(span, "InvalidNumberOfArguments", message)
    }

    fn aggregate_may_stand(&self, span: Span, context: Context) -> Checked {
        if context.in_aggregate {
            return self.fault(span, "NestedAggregation", "an aggregate cannot hold another");
        }
        if !context.aggregates {
            return self.fault(span, "InvalidAggregation", "an aggregate can stand only in WITH or RETURN");
        }
        Ok(())
    }

    /// Checks that a kind may be one of those accepted.
    pub(super) fn expect(&self, span: Span, kind: Kind, accepted: &[Kind], by: &str) -> Checked {
        if accepted.iter().any(|accepted| kind.may_be(*accepted)) {
            return Ok(());
        }
        let names: Vec<&str> = accepted.iter().map(|kind| kind.name()).collect();
        let message = format!("{by} takes {}, not {}", names.join(" or "), kind.name());
        self.fault(span, "InvalidArgumentType", message)
    }
}

fn with(scope: &Scope, name: &str, kind: Kind) -> Scope {
    let mut inner = scope.clone();
    inner.insert(name.to_owned(), kind);
    inner
}
