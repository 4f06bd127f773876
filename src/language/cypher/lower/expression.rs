//! Expressions. What a row must be joined with first (a property, a subquery) is added to the rows.

use super::label::label_condition;
use super::{Binding, Lowerer, Rows, Scope, all_of, is_defined, not};
use crate::language::cypher::ast::{
    Comparison, Expr, ExprKind, Name, Operator, ProjectionItem, QuantifierKind,
};
use crate::language::cypher::function::{self, Meaning};
use crate::language::cypher::kind::Kind;
use crate::model::Value;
use crate::plan::{Expression, Function, LogicalPlan, QuadScan, Quantifier, Slot};

impl Lowerer<'_> {
    pub(super) fn expression(&mut self, expression: &Expr, rows: &mut Rows) -> Expression {
        use ExprKind::*;
        let constant = Expression::Constant;
        match &expression.kind {
            Null => constant(Value::Null),
            Boolean(value) => constant(Value::Boolean(*value)),
            Integer(value) => constant(Value::Integer(*value)),
            Float(value) => constant(Value::Float(*value)),
            String(value) => constant(Value::String(value.clone())),
            Parameter(name) => Expression::parameter(name),
            Variable(name) => match rows.scope.get(name) {
                Some(binding) => binding.variable.into(),
                None => constant(Value::Null),
            },
            List(items) => Expression::List(items.iter().map(|item| self.expression(item, rows)).collect()),
            Map(entries) => Expression::Map(
                entries.iter().map(|(key, value)| (key.text.clone(), self.expression(value, rows))).collect(),
            ),
            Property(owner, key) => self.property_of(owner, &key.text, rows),
            Index(list, index) => {
                let operands = [self.expression(list, rows), self.expression(index, rows)];
                Expression::call(Function::Index, operands)
            }
            Slice(list, from, to) => self.slice(list, from.as_deref(), to.as_deref(), rows),
            HasLabels(owner, labels) => label_condition(self.expression(owner, rows), labels),
            Not(operand) => not(self.expression(operand, rows)),
            Minus(operand) => match &operand.kind {
                Integer(value) => constant(Value::Integer(-value)),
                Float(value) => constant(Value::Float(-value)),
                _ => Expression::call(Function::UnaryMinus, [self.expression(operand, rows)]),
            },
            Plus(operand) => Expression::call(Function::UnaryPlus, [self.expression(operand, rows)]),
            And(operands) => self.fold(Function::And, operands, rows),
            Or(operands) => self.fold(Function::Or, operands, rows),
            Binary(operator, left, right) => {
                let operands = [self.expression(left, rows), self.expression(right, rows)];
                Expression::call(binary(*operator), operands)
            }
            Comparison(first, rest) => self.comparison(first, rest, rows),
            IsNull { operand, negated } => {
                let operand = self.expression(operand, rows);
                let defined = Expression::call(Function::IsDefined, [operand]);
                if *negated { defined } else { not(defined) }
            }
            Call { function, arguments, .. } => self.call_function(function, arguments, rows),
            // Projections have replaced the aggregates that may stand.
            CountStar => constant(Value::Null),
            Case { operand, branches, otherwise } => {
                self.case(operand.as_deref(), branches, otherwise.as_deref(), rows)
            }
            ListComprehension { variable, list, filter, map } => {
                let parts = [filter.as_deref(), map.as_deref()];
                if parts.into_iter().flatten().any(has_subquery) {
                    return self.correlated_comprehension(variable, list, parts, rows);
                }
                let element = self.kind(list, &rows.scope).element();
                let list = Box::new(self.expression(list, rows));
                let (variable, [filter, map]) = self.inside(variable, element, parts, rows);
                Expression::ListComprehension { variable, list, filter, map }
            }
            Quantifier { kind, variable, list, condition } => {
                self.quantifier(*kind, variable, list, condition.as_deref(), rows)
            }
            Reduce { accumulator, init, variable, list, step } if has_subquery(step) => {
                self.correlated_reduce((accumulator, init), (variable, list), step, rows)
            }
            Reduce { accumulator, init, variable, list, step } => {
                let init = Box::new(self.expression(init, rows));
                let element = self.kind(list, &rows.scope).element();
                let list = Box::new(self.expression(list, rows));
                let outer = rows.scope.clone();
                let accumulated = self.variables.named(accumulator.text.clone());
                let binding = Binding { is_local: true, ..Binding::new(accumulated, Kind::Any, true) };
                rows.scope.insert(accumulator.text.clone(), binding);
                let (variable, [step, _]) = self.inside(variable, element, [Some(step), None], rows);
                rows.scope = outer;
                let step = step.unwrap_or_else(|| Box::new(constant(Value::Null)));
                Expression::Reduce { accumulator: accumulated, init, variable, list, step }
            }
            PatternComprehension { pattern, filter, map } => {
                self.pattern_comprehension(pattern, filter.as_deref(), map, rows)
            }
            Pattern(pattern) => self.pattern_value(pattern, rows),
            Subquery(kind, query) => self.subquery(*kind, query, rows),
            MapProjection { variable, items } => self.map_projection(variable, items, rows),
        }
    }

    fn fold(&mut self, function: Function, operands: &[Expr], rows: &mut Rows) -> Expression {
        let operands: Vec<Expression> =
            operands.iter().map(|operand| self.expression(operand, rows)).collect();
        // Balanced, so that a long list of alternatives does not make a deep tree.
        balanced(&function, operands)
    }

    /// Lowers the parts of a comprehension, with its variable in scope.
    fn inside(
        &mut self,
        variable: &Name,
        kind: Kind,
        parts: [Option<&Expr>; 2],
        rows: &mut Rows,
    ) -> (crate::plan::Variable, [Option<Box<Expression>>; 2]) {
        let local = self.variables.named(variable.text.clone());
        let binding = Binding { is_local: true, ..Binding::new(local, kind, true) };
        let shadowed = rows.scope.insert(variable.text.clone(), binding);
        let parts = parts.map(|part| part.map(|part| Box::new(self.expression(part, rows))));
        match shadowed {
            Some(shadowed) => rows.scope.insert(variable.text.clone(), shadowed),
            None => rows.scope.remove(&variable.text),
        };
        (local, parts)
    }

    fn property_of(&mut self, owner: &Expr, key: &str, rows: &mut Rows) -> Expression {
        if let ExprKind::Variable(name) = &owner.kind
            && let Some(binding) = rows.scope.get(name).copied()
        {
            return self.property(binding, key, rows);
        }
        let owner = self.expression(owner, rows);
        Expression::call(Function::Property(key.to_owned()), [owner])
    }

    /// Reads a property: by a scan joined to the rows where that is sure to mean the same, so that
    /// the question reads as OPTIONAL does in SPARQL; else by a function.
    pub(super) fn property(&mut self, owner: Binding, key: &str, rows: &mut Rows) -> Expression {
        let iri = self.iri(key);
        let entity = match owner.kind {
            Kind::Node => Some(owner.variable),
            // A reifier goes no farther than the rows of its pattern.
            _ => owner.reifier.filter(|reifier| rows.plan.variables().contains(reifier)),
        };
        let is_joinable = !owner.is_nullable && !owner.is_local && !rows.is_ordered;
        let Some(entity) = entity.filter(|_| is_joinable && self.is_read_by_scan(&iri)) else {
            return Expression::call(Function::Property(key.to_owned()), [owner.variable.into()]);
        };
        let known = (owner.variable, key.to_owned());
        if let Some(value) = rows.properties.get(&known) {
            return (*value).into();
        }
        let value = self.variables.named(key);
        let scan = LogicalPlan::QuadScan(Box::new(QuadScan {
            subject: Slot::Variable(entity),
            predicate: Slot::Constant(iri.into()),
            object: Slot::Variable(value),
            graph: self.graph.clone(),
            per_edge: false,
        }));
        rows.wrap(|left| LogicalPlan::LeftJoin { left, right: Box::new(scan), condition: None });
        rows.properties.insert(known, value);
        value.into()
    }

    fn slice(&mut self, list: &Expr, from: Option<&Expr>, to: Option<&Expr>, rows: &mut Rows) -> Expression {
        let absent = || Expression::Constant(Value::Null);
        let is_null = |bound: Option<&Expr>| bound.is_some_and(|bound| bound.kind == ExprKind::Null);
        if is_null(from) || is_null(to) {
            // A bound that is null is not a bound that is absent.
            return absent();
        }
        let list = self.expression(list, rows);
        let from = from.map_or_else(absent, |from| self.expression(from, rows));
        let to = to.map_or_else(absent, |to| self.expression(to, rows));
        Expression::call(Function::Slice, [list, from, to])
    }

    fn comparison(&mut self, first: &Expr, rest: &[(Comparison, Expr)], rows: &mut Rows) -> Expression {
        let mut left = self.expression(first, rows);
        let mut all = Vec::new();
        for (comparison, right) in rest {
            let right = self.expression(right, rows);
            let (a, b) = (left, right.clone());
            all.push(match comparison {
                Comparison::Equal => Expression::call(Function::CypherEqual, [a, b]),
                Comparison::NotEqual => not(Expression::call(Function::CypherEqual, [a, b])),
                Comparison::Less => Expression::call(Function::CypherLess, [a, b]),
                Comparison::LessOrEqual => Expression::call(Function::CypherLessOrEqual, [a, b]),
                Comparison::Greater => Expression::call(Function::CypherLess, [b, a]),
                Comparison::GreaterOrEqual => Expression::call(Function::CypherLessOrEqual, [b, a]),
            });
            left = right;
        }
        balanced(&Function::And, all)
    }

    fn call_function(&mut self, name: &str, arguments: &[Expr], rows: &mut Rows) -> Expression {
        let Some(signature) = function::scalar(name) else { return Expression::Constant(Value::Null) };
        let mut lowered: Vec<Expression> =
            arguments.iter().map(|argument| self.expression(argument, rows)).collect();
        match signature.meaning {
            Meaning::Function(function) => Expression::Call(function, lowered),
            Meaning::Exists => match &arguments[0].kind {
                ExprKind::Pattern(_) => lowered.remove(0),
                _ => Expression::Call(Function::IsDefined, lowered),
            },
            Meaning::IsEmpty => {
                let value = lowered.remove(0);
                let size = match self.kind(&arguments[0], &rows.scope) {
                    Kind::Map => {
                        Expression::call(Function::Size, [Expression::call(Function::Keys, [value])])
                    }
                    _ => Expression::call(Function::Size, [value]),
                };
                Expression::call(Function::CypherEqual, [size, Expression::Constant(Value::Integer(0))])
            }
            Meaning::NullIf => {
                let condition = Expression::Call(Function::CypherEqual, lowered.clone());
                Expression::Case {
                    branches: vec![(condition, Expression::Constant(Value::Null))],
                    otherwise: Some(Box::new(lowered.remove(0))),
                }
            }
        }
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        branches: &[(Vec<Expr>, Expr)],
        otherwise: Option<&Expr>,
        rows: &mut Rows,
    ) -> Expression {
        let operand = operand.map(|operand| self.expression(operand, rows));
        let mut lowered = Vec::new();
        for (tests, result) in branches {
            let mut conditions = Vec::new();
            for test in tests {
                let test = self.expression(test, rows);
                conditions.push(match &operand {
                    Some(operand) => Expression::call(Function::CypherEqual, [operand.clone(), test]),
                    None => test,
                });
            }
            let result = self.expression(result, rows);
            lowered.push((balanced(&Function::Or, conditions), result));
        }
        let otherwise = otherwise.map(|otherwise| Box::new(self.expression(otherwise, rows)));
        Expression::Case { branches: lowered, otherwise }
    }

    fn quantifier(
        &mut self,
        kind: QuantifierKind,
        variable: &Name,
        list: &Expr,
        condition: Option<&Expr>,
        rows: &mut Rows,
    ) -> Expression {
        let kind = match kind {
            QuantifierKind::All => Quantifier::All,
            QuantifierKind::Any => Quantifier::Any,
            QuantifierKind::None => Quantifier::None,
            QuantifierKind::Single => Quantifier::Single,
        };
        if condition.is_some_and(has_subquery) {
            // The conditions as a list, each asked with its subquery; then the quantifier over them.
            let list = Box::new(self.correlated_comprehension(variable, list, [None, condition], rows));
            let holds = self.variables.fresh();
            let condition = Box::new(holds.into());
            return Expression::Quantifier { kind, variable: holds, list, condition };
        }
        let element = self.kind(list, &rows.scope).element();
        let list = Box::new(self.expression(list, rows));
        let (variable, [condition, _]) = self.inside(variable, element, [condition, None], rows);
        let condition = condition.unwrap_or_else(|| Box::new(Expression::Constant(Value::Boolean(true))));
        Expression::Quantifier { kind, variable, list, condition }
    }

    fn map_projection(&mut self, owner: &Name, items: &[ProjectionItem], rows: &mut Rows) -> Expression {
        let Some(binding) = rows.scope.get(&owner.text).copied() else {
            return Expression::Constant(Value::Null);
        };
        let mut entries: Vec<(String, Expression)> = Vec::new();
        let mut takes_all = false;
        for item in items {
            let (key, value) = match item {
                ProjectionItem::AllProperties => {
                    takes_all = true;
                    continue;
                }
                ProjectionItem::Property(key) => (&key.text, self.property(binding, &key.text, rows)),
                ProjectionItem::Entry(key, value) => (&key.text, self.expression(value, rows)),
                ProjectionItem::Variable(name) => match rows.scope.get(&name.text) {
                    Some(binding) => (&name.text, binding.variable.into()),
                    None => continue,
                },
            };
            entries.retain(|(known, _)| known != key);
            entries.push((key.clone(), value));
        }
        let map = Expression::Map(entries.clone());
        let whole = match (takes_all, entries.is_empty()) {
            (false, _) => map,
            (true, true) => Expression::call(Function::Properties, [binding.variable.into()]),
            (true, false) => {
                let all = Expression::call(Function::Properties, [binding.variable.into()]);
                Expression::call(Function::MergeMaps, [all, map])
            }
        };
        Expression::Case { branches: vec![(is_defined(binding.variable), whole)], otherwise: None }
    }

    /// Returns what the text says of an expression's kind.
    pub(super) fn kind(&self, expression: &Expr, scope: &Scope) -> Kind {
        match &expression.kind {
            ExprKind::Variable(name) => scope.get(name).map_or(Kind::Any, |binding| binding.kind),
            ExprKind::Map(_) | ExprKind::MapProjection { .. } => Kind::Map,
            ExprKind::List(items) => {
                items.iter().map(|item| self.kind(item, scope)).reduce(Kind::or).unwrap_or(Kind::Any).list()
            }
            ExprKind::Call { function, arguments, .. } => match (function.as_str(), arguments.first()) {
                ("collect", Some(argument)) => self.kind(argument, scope).list(),
                ("head" | "last", Some(argument)) => self.kind(argument, scope).element(),
                (name, _) => function::scalar(name).map_or(Kind::Any, |signature| signature.result),
            },
            ExprKind::Index(list, _) => self.kind(list, scope).element(),
            ExprKind::Slice(list, ..) => self.kind(list, scope),
            _ => Kind::Any,
        }
    }

    /// Returns whether an expression may be null: only names that patterns bound are surely not.
    pub(super) fn is_nullable(&self, expression: &Expr, scope: &Scope) -> bool {
        match &expression.kind {
            ExprKind::Variable(name) => scope.get(name).is_none_or(|binding| binding.is_nullable),
            _ => true,
        }
    }
}

/// Returns whether an expression holds a part that an operator must answer.
pub(super) fn has_subquery(expression: &Expr) -> bool {
    expression.any(&|e| {
        matches!(
            e.kind,
            ExprKind::Subquery(..) | ExprKind::Pattern(_) | ExprKind::PatternComprehension { .. }
        )
    })
}

/// Joins conditions by AND or OR as a balanced tree.
fn balanced(function: &Function, mut operands: Vec<Expression>) -> Expression {
    if operands.len() <= 8 {
        let join = |a, b| Expression::call(function.clone(), [a, b]);
        return match function {
            Function::And => all_of(operands),
            _ => operands.into_iter().reduce(join),
        }
        .unwrap_or(Expression::Constant(Value::Boolean(true)));
    }
    let right = operands.split_off(operands.len() / 2);
    Expression::call(function.clone(), [balanced(function, operands), balanced(function, right)])
}

fn binary(operator: Operator) -> Function {
    match operator {
        Operator::Xor => Function::Xor,
        Operator::In => Function::CypherIn,
        Operator::StartsWith => Function::CypherStartsWith,
        Operator::EndsWith => Function::CypherEndsWith,
        Operator::Contains => Function::CypherContains,
        Operator::Matches => Function::CypherRegex,
        Operator::Add => Function::CypherAdd,
        Operator::Subtract => Function::CypherSubtract,
        Operator::Multiply => Function::CypherMultiply,
        Operator::Divide => Function::CypherDivide,
        Operator::Modulo => Function::CypherModulo,
        Operator::Power => Function::CypherPower,
    }
}
