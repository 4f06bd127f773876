//! WITH and RETURN: what comes out, what is grouped, and what ORDER BY may still see.

use std::collections::BTreeSet;

use super::clause::Place;
use super::expression::Context;
use super::{Binder, Checked, Scope};
use crate::language::cypher::ast::{Expr, ExprKind, Projection};
use crate::language::cypher::function;
use crate::language::cypher::kind::Kind;
use crate::language::cypher::token::Span;

/// The clause that a projection is the body of.
#[derive(Clone, Copy)]
pub(super) struct Site<'s> {
    pub span: Span,
    pub is_with: bool,
    pub place: Place,
    /// Names from outside a subquery: in scope through all of it.
    pub constants: &'s Scope,
}

/// Returns whether the expression is an aggregate itself.
pub fn is_aggregate(expression: &Expr) -> bool {
    match &expression.kind {
        ExprKind::CountStar => true,
        ExprKind::Call { function, .. } => function::aggregate_arguments(function).is_some(),
        _ => false,
    }
}

/// Returns whether the expression holds an aggregate.
pub fn has_aggregate(expression: &Expr) -> bool {
    expression.any(&is_aggregate)
}

impl Binder<'_> {
    /// Checks a projection and returns the scope that follows it; its names are the columns.
    pub(super) fn projection(&self, projection: &Projection, site: Site, scope: &Scope) -> Checked<Scope> {
        let (is_with, constants) = (site.is_with, site.constants);
        let mut projected = Scope::new();
        if projection.star {
            projected.clone_from(scope);
            if !is_with && site.place == Place::Call {
                projected.retain(|name, _| !constants.contains_key(name));
            }
            if projected.is_empty() && !is_with {
                let message = "there is nothing that '*' could stand for";
                return self.fault(site.span, "NoVariablesInScope", message);
            }
        }
        for item in &projection.items {
            let is_itself = matches!(&item.expression.kind, ExprKind::Variable(name) if *name == item.name);
            if is_with && constants.contains_key(&item.name) && !is_itself {
                let message = format!("'{}' is bound already outside the subquery", item.name);
                return self.fault(item.expression.span, "VariableAlreadyBound", message);
            }
            let kind = self.expression(&item.expression, scope, Context::ITEM)?;
            if projected.insert(item.name.clone(), kind).is_some() {
                let message = format!("there are two columns '{}'", item.name);
                return self.fault(item.expression.span, "ColumnNameConflict", message);
            }
        }
        let aggregates = projection.items.iter().any(|item| has_aggregate(&item.expression));
        if aggregates {
            self.grouping(projection, constants, scope)?;
        }
        let columns = projected.clone();
        if is_with || aggregates {
            projected.extend(constants.iter().map(|(name, kind)| (name.clone(), *kind)));
            projected.extend(columns.clone());
        }
        let overlaid = || {
            let mut overlaid = scope.clone();
            overlaid.extend(projected.clone());
            overlaid
        };
        let is_barrier = aggregates || projection.distinct;
        for item in &projection.order {
            match is_barrier {
                true => self.order_past_barrier(&item.expression, projection, aggregates, &projected)?,
                false => self.expression(&item.expression, &overlaid(), Context::VALUE).map(|_| ())?,
            }
        }
        for bound in projection.skip.iter().chain(&projection.limit) {
            self.row_bound(bound)?;
        }
        if let Some(filter) = &projection.filter {
            let visible = if is_barrier { projected.clone() } else { overlaid() };
            let filter = if is_barrier { replace_columns(filter, projection) } else { filter.clone() };
            self.condition(&filter, &visible, Context::PREDICATE)?;
        }
        let needs_names = is_with || site.place == Place::Call;
        for item in projection.items.iter().filter(|item| needs_names && !item.has_alias) {
            if !matches!(item.expression.kind, ExprKind::Variable(_)) {
                let message = format!("'{}' needs a name: AS ...", item.name);
                return self.fault(item.expression.span, "NoExpressionAlias", message);
            }
        }
        Ok(if is_with { projected } else { columns })
    }

    /// Checks that what stands beside an aggregate is constant within a group.
    fn grouping(&self, projection: &Projection, constants: &Scope, scope: &Scope) -> Checked {
        let keys: Vec<&Expr> =
            projection.items.iter().map(|item| &item.expression).filter(|e| !has_aggregate(e)).collect();
        let mut stable: BTreeSet<String> = constants.keys().cloned().collect();
        if projection.star {
            stable.extend(scope.keys().cloned());
        }
        for item in projection.items.iter().filter(|item| has_aggregate(&item.expression)) {
            self.stable_in_group(&item.expression, &keys, &stable)?;
        }
        Ok(())
    }

    /// `stable` are the names that mean one value within a group: those of comprehensions included.
    fn stable_in_group(&self, expression: &Expr, keys: &[&Expr], stable: &BTreeSet<String>) -> Checked {
        if is_aggregate(expression) {
            return Ok(());
        }
        let is_key = || keys.iter().any(|key| key.is_same(expression));
        let ambiguous = |name: &str| {
            let message = format!("'{name}' is neither aggregated nor a column of its own to group by");
            self.fault(expression.span, "AmbiguousAggregationExpression", message)
        };
        match &expression.kind {
            ExprKind::Variable(name) => {
                if stable.contains(name) || is_key() {
                    return Ok(());
                }
                ambiguous(name)
            }
            ExprKind::Property(owner, _) if is_key() && is_name(owner) => Ok(()),
            ExprKind::ListComprehension { variable, .. }
            | ExprKind::Quantifier { variable, .. }
            | ExprKind::Reduce { variable, .. } => {
                let mut stable = stable.clone();
                stable.insert(variable.text.clone());
                if let ExprKind::Reduce { accumulator, .. } = &expression.kind {
                    stable.insert(accumulator.text.clone());
                }
                self.operands_stable(expression, keys, &stable)
            }
            ExprKind::PatternComprehension { pattern, .. } => {
                let mut stable = stable.clone();
                stable.extend(pattern.names().into_iter().map(|name| name.text.clone()));
                self.operands_stable(expression, keys, &stable)
            }
            _ => self.operands_stable(expression, keys, stable),
        }
    }

    fn operands_stable(&self, expression: &Expr, keys: &[&Expr], stable: &BTreeSet<String>) -> Checked {
        let mut result = Ok(());
        expression.for_each_operand(&mut |operand| {
            if result.is_ok() {
                result = self.stable_in_group(operand, keys, stable);
            }
        });
        result
    }

    /// Checks a sort key that sees only what was projected: after DISTINCT or aggregation.
    fn order_past_barrier(
        &self,
        key: &Expr,
        projection: &Projection,
        aggregates: bool,
        projected: &Scope,
    ) -> Checked {
        let sorts_aggregate = has_aggregate(key);
        if sorts_aggregate && !aggregates {
            return self.fault(key.span, "InvalidAggregation", "no column is an aggregate to sort by");
        }
        if sorts_aggregate {
            self.ambiguous_order(key, projection, projected)?;
        }
        // Whatever repeats a column stands for that column.
        let replaced = replace_columns(key, projection);
        let context = if sorts_aggregate { Context::ITEM } else { Context::VALUE };
        // An aggregate that is no column would see the rows before: its names are gone.
        self.expression(&replaced, projected, context)?;
        if has_aggregate(&replaced) {
            return self.fault(
                key.span,
                "InvalidAggregation",
                "an aggregate to sort by must be a column too",
            );
        }
        Ok(())
    }

    /// Refuses what stands beside an aggregate in a sort key and is only part of a grouped expression.
    fn ambiguous_order(&self, key: &Expr, projection: &Projection, projected: &Scope) -> Checked {
        if is_aggregate(key) {
            return Ok(());
        }
        let columns = || projection.items.iter().map(|item| &item.expression);
        let name = match &key.kind {
            ExprKind::Variable(name) => name,
            ExprKind::Property(owner, _) => match &owner.kind {
                ExprKind::Variable(name) => name,
                _ => return self.operands_ambiguous(key, projection, projected),
            },
            _ => return self.operands_ambiguous(key, projection, projected),
        };
        let is_simple_column = columns().any(|column| column.is_same(key));
        if is_simple_column || projected.contains_key(name) {
            return Ok(());
        }
        let mentions = |column: &Expr| column.any(&|e| matches!(&e.kind, ExprKind::Variable(n) if n == name));
        if columns().any(|column| !has_aggregate(column) && mentions(column)) {
            let message = format!("'{name}' is only part of a column to group by");
            return self.fault(key.span, "AmbiguousAggregationExpression", message);
        }
        self.undefined(key.span, name)
    }

    fn operands_ambiguous(&self, key: &Expr, projection: &Projection, projected: &Scope) -> Checked {
        let mut result = Ok(());
        key.for_each_operand(&mut |operand| {
            if result.is_ok() {
                result = self.ambiguous_order(operand, projection, projected);
            }
        });
        result
    }

    /// Checks SKIP and LIMIT: no variables, and no value that is plainly wrong.
    fn row_bound(&self, bound: &Expr) -> Checked {
        if bound.any(&|e| matches!(e.kind, ExprKind::Variable(_))) {
            let message = "the number of rows cannot depend on a row";
            return self.fault(bound.span, "NonConstantExpression", message);
        }
        let kind = self.expression(bound, &Scope::new(), Context::VALUE)?;
        match &bound.kind {
            ExprKind::Minus(operand) if matches!(operand.kind, ExprKind::Integer(1..)) => {
                self.fault(bound.span, "NegativeIntegerArgument", "the number of rows cannot be negative")
            }
            ExprKind::Integer(value) if *value < 0 => {
                self.fault(bound.span, "NegativeIntegerArgument", "the number of rows cannot be negative")
            }
            // A call may yet give an integer: toInteger(1.5) does.
            ExprKind::Call { .. } => Ok(()),
            _ => self.expect(bound.span, kind, &[Kind::Integer], "a number of rows"),
        }
    }
}

fn is_name(expression: &Expr) -> bool {
    matches!(expression.kind, ExprKind::Variable(_))
}

/// Returns a sort key in which each part that repeats a column's expression is that column's name.
pub fn replace_columns(key: &Expr, projection: &Projection) -> Expr {
    rewrite(key, &|part| {
        let column = projection.items.iter().find(|item| item.expression.is_same(part))?;
        Some(Expr { kind: ExprKind::Variable(column.name.clone()), span: part.span })
    })
}

/// Returns the expression with each part that `replace` answers replaced, outermost first.
/// Names of comprehensions are left alone.
pub fn rewrite(expression: &Expr, replace: &dyn Fn(&Expr) -> Option<Expr>) -> Expr {
    if let Some(replaced) = replace(expression) {
        return replaced;
    }
    use ExprKind::*;
    let one = |inner: &Expr| rewrite(inner, replace);
    let boxed = |inner: &Expr| Box::new(rewrite(inner, replace));
    let optional = |inner: &Option<Box<Expr>>| inner.as_ref().map(|inner| Box::new(rewrite(inner, replace)));
    let all = |items: &[Expr]| items.iter().map(one).collect::<Vec<Expr>>();
    let kind = match &expression.kind {
        List(items) => List(all(items)),
        And(items) => And(all(items)),
        Or(items) => Or(all(items)),
        Call { function, distinct, arguments } => {
            Call { function: function.clone(), distinct: *distinct, arguments: all(arguments) }
        }
        Map(entries) => Map(entries.iter().map(|(key, value)| (key.clone(), one(value))).collect()),
        Property(owner, key) => Property(boxed(owner), key.clone()),
        HasLabels(owner, labels) => HasLabels(boxed(owner), labels.clone()),
        Not(inner) => Not(boxed(inner)),
        Minus(inner) => Minus(boxed(inner)),
        Plus(inner) => Plus(boxed(inner)),
        IsNull { operand, negated } => IsNull { operand: boxed(operand), negated: *negated },
        Index(list, index) => Index(boxed(list), boxed(index)),
        Slice(list, from, to) => Slice(boxed(list), optional(from), optional(to)),
        Binary(operator, left, right) => Binary(*operator, boxed(left), boxed(right)),
        Comparison(first, rest) => Comparison(
            boxed(first),
            rest.iter().map(|(comparison, operand)| (*comparison, one(operand))).collect(),
        ),
        Case { operand, branches, otherwise } => Case {
            operand: optional(operand),
            branches: branches.iter().map(|(tests, result)| (all(tests), one(result))).collect(),
            otherwise: optional(otherwise),
        },
        ListComprehension { variable, list, filter, map } => ListComprehension {
            variable: variable.clone(),
            list: boxed(list),
            filter: optional(filter),
            map: optional(map),
        },
        Quantifier { kind, variable, list, condition } => Quantifier {
            kind: *kind,
            variable: variable.clone(),
            list: boxed(list),
            condition: optional(condition),
        },
        Reduce { accumulator, init, variable, list, step } => Reduce {
            accumulator: accumulator.clone(),
            init: boxed(init),
            variable: variable.clone(),
            list: boxed(list),
            step: boxed(step),
        },
        other => other.clone(),
    };
    Expr { kind, span: expression.span }
}
