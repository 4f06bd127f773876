//! Queries and the clauses that read.

use super::{Binding, Lowerer, Rows, Scope, is_defined};
use crate::language::cypher::ast::{self, ClauseKind, Expr, ExprKind, SingleQuery, Yields};
use crate::language::cypher::kind::Kind;
use crate::model::Value;
use crate::plan::{Column, Expression, Form, LogicalPlan, Query, Variable};

impl Lowerer<'_> {
    /// Lowers a whole statement. One without RETURN has no columns, and no rows to show.
    pub(super) fn statement(&mut self, query: &ast::Query) -> Query {
        let start = Rows::new(LogicalPlan::unit(), Scope::new());
        let (root, columns) = self.query(query, &start);
        let columns = columns.into_iter().map(|(name, variable)| Column { name, variable }).collect();
        Query {
            root,
            form: Form::Rows,
            columns,
            variables: std::mem::take(&mut self.variables),
            writes: self.writes,
        }
    }

    /// Lowers a query that starts from `start`; returns its columns in order.
    pub(super) fn query(
        &mut self,
        query: &ast::Query,
        start: &Rows,
    ) -> (LogicalPlan, Vec<(String, Variable)>) {
        let (first, columns) = self.single_query(&query.first, start.clone());
        if query.unions.is_empty() {
            return (first, columns);
        }
        let common: Vec<(String, Variable)> =
            columns.iter().map(|(name, _)| (name.clone(), self.variables.named(name.clone()))).collect();
        let mut branches = vec![rename(first, &columns, &common)];
        for union in &query.unions {
            let (plan, columns) = self.single_query(&union.query, start.clone());
            branches.push(rename(plan, &columns, &common));
        }
        let plan = LogicalPlan::Union(branches);
        let keeps_duplicates = query.unions.iter().all(|union| union.all);
        match keeps_duplicates {
            true => (plan, common),
            false => (LogicalPlan::Distinct { input: Box::new(plan) }, common),
        }
    }

    fn single_query(
        &mut self,
        query: &SingleQuery,
        mut rows: Rows,
    ) -> (LogicalPlan, Vec<(String, Variable)>) {
        let mut columns = Vec::new();
        for clause in &query.clauses {
            match &clause.kind {
                ClauseKind::Use(_) => {}
                ClauseKind::Match { optional, patterns, filter } => {
                    self.match_clause(*optional, patterns, filter.as_ref(), &mut rows);
                }
                ClauseKind::Unwind { list, variable } => self.unwind(list, &variable.text, &mut rows),
                ClauseKind::With(projection) => {
                    self.projection(projection, true, &mut rows);
                }
                ClauseKind::Return(projection) => columns = self.projection(projection, false, &mut rows),
                ClauseKind::Call(call) => {
                    let all = self.call(call, &mut rows);
                    if query.clauses.len() == 1 {
                        columns = all;
                    }
                }
                writing => {
                    self.may_have_changed = true;
                    self.writing_clause(writing, clause.span, &mut rows);
                    self.has_written = true;
                }
            }
        }
        (rows.plan, columns)
    }

    fn unwind(&mut self, list: &Expr, name: &str, rows: &mut Rows) {
        let kind = self.kind(list, &rows.scope).element();
        let list = self.expression(list, rows);
        let variable = self.variables.named(name);
        rows.wrap(|input| LogicalPlan::Unwind { input, list, variable });
        rows.scope.insert(name.to_owned(), Binding::new(variable, kind, true));
    }

    /// Lowers CALL; returns the columns that a call of its own has.
    fn call(&mut self, call: &ast::Call, rows: &mut Rows) -> Vec<(String, Variable)> {
        let Some(signature) = self.procedures.get(&call.procedure.text) else { return Vec::new() };
        let mut arguments: Vec<Expression> = match &call.arguments {
            Some(arguments) => arguments.iter().map(|argument| self.expression(argument, rows)).collect(),
            None => signature.arguments.iter().map(|(name, _)| Expression::Parameter(name.clone())).collect(),
        };
        arguments.resize(signature.arguments.len(), Expression::Constant(Value::Null));
        let fields: Vec<(String, String)> = match &call.yields {
            Some(Yields::Items { items, .. }) => items
                .iter()
                .map(|item| {
                    (item.field.text.clone(), item.alias.as_ref().unwrap_or(&item.field).text.clone())
                })
                .collect(),
            _ => signature.results.iter().map(|field| (field.clone(), field.clone())).collect(),
        };
        let mut yields = Vec::new();
        let mut columns = Vec::new();
        for (field, name) in fields {
            let variable = self.variables.named(name.clone());
            yields.push((field, variable));
            if matches!(call.yields, Some(Yields::Items { .. })) {
                rows.scope.insert(name.clone(), Binding::new(variable, Kind::Any, true));
            }
            columns.push((name, variable));
        }
        let procedure = call.procedure.text.clone();
        let writes = signature.writes;
        rows.wrap(|input| LogicalPlan::Call { input, procedure, arguments, yields, writes });
        rows.is_ordered = true;
        self.has_written |= writes;
        if let Some(Yields::Items { filter: Some(filter), .. }) = &call.yields {
            self.where_clause(filter, rows);
        }
        columns
    }

    /// Keeps the rows whose condition is true: one Filter for each part of a conjunction.
    pub(super) fn where_clause(&mut self, filter: &Expr, rows: &mut Rows) {
        if let ExprKind::And(parts) = &filter.kind {
            parts.iter().for_each(|part| self.where_clause(part, rows));
            return;
        }
        if let ExprKind::Pattern(pattern) = &filter.kind
            && let Some(right) = self.uncorrelated_pattern(pattern, rows)
        {
            rows.wrap(|left| LogicalPlan::SemiJoin { left, right: Box::new(right) });
            return;
        }
        if let ExprKind::Not(inner) = &filter.kind
            && let ExprKind::Pattern(pattern) = &inner.kind
            && let Some(right) = self.uncorrelated_pattern(pattern, rows)
        {
            rows.wrap(|left| LogicalPlan::AntiJoin { left, right: Box::new(right) });
            return;
        }
        let condition = self.expression(filter, rows);
        rows.filter(condition);
    }

    /// Drops the rows in which one of these is null: a pattern over null matches nothing.
    pub(super) fn require_defined(&mut self, names: &[String], rows: &mut Rows) {
        for name in names {
            let Some(binding) = rows.scope.get_mut(name) else { continue };
            if binding.is_nullable {
                binding.is_nullable = false;
                let variable = binding.variable;
                rows.filter(is_defined(variable));
            }
        }
    }
}

/// Gives the columns of one branch the variables that all branches share.
fn rename(plan: LogicalPlan, columns: &[(String, Variable)], common: &[(String, Variable)]) -> LogicalPlan {
    let mut plan = plan;
    for ((_, from), (_, to)) in columns.iter().zip(common) {
        plan = LogicalPlan::Extend { input: Box::new(plan), variable: *to, expression: (*from).into() };
    }
    let variables = common.iter().map(|(_, variable)| *variable).collect();
    LogicalPlan::Project { input: Box::new(plan), variables }
}
