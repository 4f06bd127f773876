//! Queries and the clauses that read.

use std::collections::BTreeMap;

use super::{Binding, Columns, Lowerer, Rows, Scope, is_defined};
use crate::language::cypher::ast::{self, Clause, ClauseKind, Expr, ExprKind, SingleQuery, Yields};
use crate::language::cypher::kind::Kind;
use crate::model::Value;
use crate::plan::{ApplyKind, Column, Expression, Form, LogicalPlan, Query};

impl Lowerer<'_> {
    /// Lowers a whole statement. One without RETURN has no columns, and no rows to show.
    pub(super) fn statement(&mut self, query: &ast::Query) -> Query {
        let start = Rows::new(LogicalPlan::unit(), Scope::new());
        let (root, columns) = self.query(query, &start);
        let column = |(name, binding): (String, Binding)| Column { name, variable: binding.variable };
        let columns = columns.into_iter().map(column).collect();
        Query {
            root,
            form: Form::Rows,
            columns,
            variables: std::mem::take(&mut self.variables),
            writes: self.writes,
        }
    }

    /// Lowers a query that starts from `start`; returns its columns in order.
    pub(super) fn query(&mut self, query: &ast::Query, start: &Rows) -> (LogicalPlan, Columns) {
        self.union(query, &mut |this, part| this.single_query(&part.clauses, start.clone()))
    }

    /// Joins what `lower` makes of each part of a query.
    pub(super) fn union(
        &mut self,
        query: &ast::Query,
        lower: &mut dyn FnMut(&mut Self, &SingleQuery) -> (LogicalPlan, Columns),
    ) -> (LogicalPlan, Columns) {
        let (first, columns) = lower(self, &query.first);
        if query.unions.is_empty() {
            return (first, columns);
        }
        let mut common: Columns = columns
            .iter()
            .map(|(name, binding)| {
                let variable = self.variables.named(name.clone());
                (name.clone(), Binding::new(variable, binding.kind, binding.is_nullable))
            })
            .collect();
        let mut branches = vec![rename(first, &columns, &common)];
        for union in &query.unions {
            let (plan, columns) = lower(self, &union.query);
            for ((_, own), (_, other)) in common.iter_mut().zip(&columns) {
                own.kind = own.kind.or(other.kind);
                own.is_nullable |= other.is_nullable;
            }
            branches.push(rename(plan, &columns, &common));
        }
        let plan = LogicalPlan::Union(branches);
        let keeps_duplicates = query.unions.iter().all(|union| union.all);
        match keeps_duplicates {
            true => (plan, common),
            false => (LogicalPlan::Distinct { input: Box::new(plan) }, common),
        }
    }

    pub(super) fn single_query(&mut self, clauses: &[Clause], mut rows: Rows) -> (LogicalPlan, Columns) {
        let mut columns = Vec::new();
        let mentions = Mentions::of(clauses, &rows.constants);
        for (place, clause) in clauses.iter().enumerate() {
            match &clause.kind {
                ClauseKind::Use(_) => {}
                ClauseKind::Match { optional, patterns, filter } => {
                    self.match_clause(*optional, patterns, filter.as_ref(), &mut rows);
                }
                ClauseKind::Unwind { list, variable } => self.unwind(list, &variable.text, &mut rows),
                ClauseKind::LoadCsv(load) => self.load_csv(load, &mut rows),
                ClauseKind::With(projection) => {
                    mentions.forget(place, &mut rows.constants);
                    self.projection(projection, true, &mut rows);
                }
                ClauseKind::Return(projection) => {
                    if !projection.star {
                        mentions.forget(place, &mut rows.constants);
                    }
                    columns = self.projection(projection, false, &mut rows);
                }
                ClauseKind::Call(call) if call.optional => self.optional_call(call, &mut rows),
                ClauseKind::Call(call) => {
                    let all = self.call(call, &mut rows);
                    if clauses.len() == 1 {
                        columns = all;
                    }
                }
                ClauseKind::Subquery(call) => self.subquery_call(call, &mut rows),
                writing => {
                    self.may_have_changed = true;
                    self.writing_clause(writing, &mut rows);
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

    fn load_csv(&mut self, load: &ast::LoadCsv, rows: &mut Rows) {
        let kind = if load.has_headers { Kind::Map } else { Kind::List(Some(&Kind::String)) };
        let source = self.expression(&load.source, rows);
        let variable = self.variables.named(load.variable.text.clone());
        let (has_headers, separator) = (load.has_headers, load.separator);
        rows.wrap(|input| LogicalPlan::LoadCsv { input, source, has_headers, separator, variable });
        rows.scope.insert(load.variable.text.clone(), Binding::new(variable, kind, false));
        rows.is_ordered = true;
    }

    /// Lowers OPTIONAL CALL: a row for which nothing is yielded is kept.
    fn optional_call(&mut self, call: &ast::Call, rows: &mut Rows) {
        let before = rows.scope.clone();
        let mut inside = self.argument(rows);
        self.call(call, &mut inside);
        self.apply(rows, inside.plan, ApplyKind::Left);
        self.add_optional(inside.scope, &before, rows);
    }

    /// Lowers CALL; returns the columns that a call of its own has.
    fn call(&mut self, call: &ast::Call, rows: &mut Rows) -> Columns {
        let Some(signature) = self.procedures.get(&call.procedure.text) else { return Vec::new() };
        self.may_have_changed |= signature.writes;
        let mut arguments: Vec<Expression> = match &call.arguments {
            Some(arguments) => arguments.iter().map(|argument| self.expression(argument, rows)).collect(),
            None => signature.arguments.iter().map(|(name, _)| Expression::parameter(name)).collect(),
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
            let binding = Binding::new(variable, Kind::Any, true);
            if matches!(call.yields, Some(Yields::Items { .. })) {
                rows.scope.insert(name.clone(), binding);
            }
            columns.push((name, binding));
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
fn rename(plan: LogicalPlan, columns: &Columns, common: &Columns) -> LogicalPlan {
    let mut plan = plan;
    for ((_, from), (_, to)) in columns.iter().zip(common) {
        let (variable, expression) = (to.variable, from.variable.into());
        plan = LogicalPlan::Extend { input: Box::new(plan), variable, expression };
    }
    let variables = common.iter().map(|(_, binding)| binding.variable).collect();
    LogicalPlan::Project { input: Box::new(plan), variables }
}

/// Which clause of a query is the last that mentions a name.
struct Mentions(BTreeMap<String, usize>);

impl Mentions {
    fn of(clauses: &[Clause], names: &Scope) -> Mentions {
        let mut last = BTreeMap::new();
        if !names.is_empty() {
            for (place, clause) in clauses.iter().enumerate() {
                // The debug form holds each name in quotes; a string that looks like one does no harm.
                let text = format!("{:?}", clause.kind);
                let mentioned = names.keys().filter(|name| text.contains(&format!("{name:?}")));
                last.extend(mentioned.map(|name| (name.clone(), place)));
            }
        }
        Mentions(last)
    }

    /// Keeps the names that a clause from `place` on mentions.
    fn forget(&self, place: usize, names: &mut Scope) {
        names.retain(|name, _| self.0.get(name).is_some_and(|last| *last >= place));
    }
}
