//! Clauses: their order, and the scope that each leaves to the next.

use super::expression::Context;
use super::pattern::Making;
use super::projection::Site;
use super::{Binder, Checked, Scope};
use crate::language::cypher::ast::{
    Call, Clause, ClauseKind, Expr, ExprKind, Name, Projection, Query, RemoveItem, SetItem, SingleQuery,
    SubqueryKind, Yields,
};
use crate::language::cypher::kind::Kind;
use crate::language::cypher::token::Span;

/// Where a query stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Top,
    /// In an expression.
    Subquery(SubqueryKind),
    /// In the braces of CALL.
    Call,
}

/// What a query sees of the query around it.
#[derive(Clone, Copy)]
pub(super) enum Around<'s> {
    /// These names, through all of its clauses.
    Constants(&'s Scope),
    /// Those of these names that the WITH it begins with imports.
    Importable(&'s Scope),
}

/// The columns of a query, in order.
pub(super) type Columns = Vec<(String, Kind)>;

const COMPOSITION: &str = "InvalidClauseComposition";

impl Binder<'_> {
    /// Checks a query and returns its columns.
    pub(super) fn query(&self, query: &Query, around: Around, place: Place) -> Checked<Columns> {
        let mut columns = self.single_query(&query.first, around, place, query.unions.is_empty())?;
        for union in &query.unions {
            if union.all != query.unions[0].all {
                return self.fault(union.span, COMPOSITION, "UNION and UNION ALL cannot be mixed");
            }
            let used = |part: &SingleQuery| match part.clauses.first().map(|clause| &clause.kind) {
                Some(ClauseKind::Use(name)) => Some(name.text.clone()),
                _ => None,
            };
            if let Some(graph) = used(&union.query)
                && used(&query.first) != Some(graph)
            {
                let span = union.query.clauses[0].span;
                return self.fault(
                    span,
                    COMPOSITION,
                    "all of a statement is of one graph: what its first USE names",
                );
            }
            let others = self.single_query(&union.query, around, place, false)?;
            if !others.iter().map(|(name, _)| name).eq(columns.iter().map(|(name, _)| name)) {
                let message = "both sides of UNION need the same columns in the same order";
                return self.fault(union.span, "DifferentColumnsInUnion", message);
            }
            for ((_, kind), (_, other)) in columns.iter_mut().zip(others) {
                *kind = kind.or(other);
            }
        }
        Ok(columns)
    }

    fn single_query(
        &self,
        query: &SingleQuery,
        around: Around,
        place: Place,
        is_whole: bool,
    ) -> Checked<Columns> {
        self.composition(query, place)?;
        let nothing = Scope::new();
        let (mut scope, constants, clauses) = match around {
            Around::Constants(constants) => (constants.clone(), constants, query.clauses.as_slice()),
            Around::Importable(outer) => match query.imported() {
                Some(projection) => {
                    (self.imported_by_with(projection, outer)?, &nothing, &query.clauses[1..])
                }
                None => {
                    self.leading_with(query, outer)?;
                    (Scope::new(), &nothing, query.clauses.as_slice())
                }
            },
        };
        let mut columns = Vec::new();
        let is_standalone = is_whole && query.clauses.len() == 1 && place == Place::Top;
        for clause in clauses {
            self.clause(clause, place, is_standalone, constants, &mut scope)?;
            if let ClauseKind::Return(projection) = &clause.kind {
                columns = columns_of(projection, &scope);
            }
        }
        Ok(columns)
    }

    /// Returns what a WITH that begins a subquery imports.
    fn imported_by_with(&self, projection: &Projection, outer: &Scope) -> Checked<Scope> {
        let mut scope = if projection.star { outer.clone() } else { Scope::new() };
        for item in &projection.items {
            match outer.get(&item.name) {
                Some(kind) => scope.insert(item.name.clone(), *kind),
                None => return self.undefined(item.expression.span, &item.name),
            };
        }
        Ok(scope)
    }

    /// Refuses a WITH that begins a subquery and does more with names from outside than to import them.
    fn leading_with(&self, query: &SingleQuery, outer: &Scope) -> Checked {
        let Some(ClauseKind::With(projection)) = query.clauses.first().map(|clause| &clause.kind) else {
            return Ok(());
        };
        let is_outer = |e: &Expr| matches!(&e.kind, ExprKind::Variable(name) if outer.contains_key(name));
        let items = projection.items.iter().map(|item| &item.expression);
        let sorted = projection.order.iter().map(|item| &item.expression);
        let others = projection.skip.iter().chain(&projection.limit).chain(&projection.filter);
        match items.chain(sorted).chain(others).find(|expression| expression.any(&is_outer)) {
            Some(expression) => {
                let message = "a WITH that imports into a subquery names variables and does nothing else; \
                    a second WITH may";
                self.fault(expression.span, COMPOSITION, message)
            }
            None => Ok(()),
        }
    }

    /// Checks which clauses there are and in what order.
    fn composition(&self, query: &SingleQuery, place: Place) -> Checked {
        let Some((last, others)) = query.clauses.split_last() else { return Ok(()) };
        for clause in others {
            if matches!(clause.kind, ClauseKind::Return(_)) {
                return self.fault(clause.span, COMPOSITION, "RETURN can only be the last clause");
            }
        }
        let uses = query.clauses.iter().skip(1).find(|clause| matches!(clause.kind, ClauseKind::Use(_)));
        if let Some(clause) = uses {
            return self.fault(clause.span, COMPOSITION, "USE can only be the first clause");
        }
        if place != Place::Top
            && let Some(clause) = query.clauses.iter().find(|c| matches!(c.kind, ClauseKind::Use(_)))
        {
            return self.fault(clause.span, COMPOSITION, "a subquery reads the graph of its statement");
        }
        if let Place::Subquery(kind) = place {
            if let Some(clause) = query.clauses.iter().find(|clause| self.writes(clause)) {
                return self.fault(clause.span, COMPOSITION, "a subquery in an expression cannot write");
            }
            let is_fit = match (&last.kind, kind) {
                (ClauseKind::Return(projection), SubqueryKind::Collect) => {
                    !projection.star && projection.items.len() == 1
                }
                (_, SubqueryKind::Collect) => false,
                (ClauseKind::With(_), _) => false,
                _ => true,
            };
            return match is_fit {
                true => Ok(()),
                false => self.fault(last.span, COMPOSITION, "this subquery needs a fitting RETURN"),
            };
        }
        match &last.kind {
            ClauseKind::Return(_) | ClauseKind::Call(_) => Ok(()),
            ClauseKind::Subquery(call) if call.query.returns() => {
                self.fault(last.span, COMPOSITION, "a query cannot end in a subquery that returns rows")
            }
            ClauseKind::Subquery(_) => Ok(()),
            kind if kind.writes() => Ok(()),
            _ => self.fault(last.span, COMPOSITION, "a query ends in RETURN or in a clause that writes"),
        }
    }

    /// Returns whether a clause may change data, by itself or by a procedure.
    fn writes(&self, clause: &Clause) -> bool {
        match &clause.kind {
            ClauseKind::Call(call) => {
                self.procedures.get(&call.procedure.text).is_some_and(|signature| signature.writes)
            }
            ClauseKind::Subquery(call) => {
                call.query.parts().any(|part| part.clauses.iter().any(|clause| self.writes(clause)))
            }
            kind => kind.writes(),
        }
    }

    fn clause(
        &self,
        clause: &Clause,
        place: Place,
        is_standalone: bool,
        constants: &Scope,
        scope: &mut Scope,
    ) -> Checked {
        let value = |expression: &Expr, scope: &Scope| self.expression(expression, scope, Context::VALUE);
        match &clause.kind {
            ClauseKind::Use(_) => Ok(()),
            ClauseKind::Match { patterns, filter, .. } => {
                self.match_patterns(patterns, scope)?;
                filter.iter().try_for_each(|filter| self.condition(filter, scope, Context::PREDICATE))
            }
            ClauseKind::Unwind { list, variable } => {
                let kind = value(list, scope)?;
                self.bind_new(variable, kind.element(), scope)
            }
            ClauseKind::LoadCsv(load) => {
                let kind = value(&load.source, scope)?;
                self.expect(load.source.span, kind, &[Kind::String], "LOAD CSV")?;
                let kind = if load.has_headers { Kind::Map } else { Kind::List(Some(&Kind::String)) };
                self.bind_new(&load.variable, kind, scope)
            }
            ClauseKind::With(projection) => {
                let site = Site { span: clause.span, is_with: true, place, constants };
                *scope = self.projection(projection, site, scope)?;
                Ok(())
            }
            ClauseKind::Return(projection) => {
                let site = Site { span: clause.span, is_with: false, place, constants };
                *scope = self.projection(projection, site, scope)?;
                Ok(())
            }
            ClauseKind::Create(patterns) => {
                patterns.iter().try_for_each(|pattern| self.making_pattern(pattern, Making::Create, scope))
            }
            ClauseKind::Merge { pattern, on_match, on_create } => {
                self.making_pattern(pattern, Making::Merge, scope)?;
                on_match.iter().chain(on_create).try_for_each(|item| self.set_item(item, scope))
            }
            ClauseKind::Set(items) => items.iter().try_for_each(|item| self.set_item(item, scope)),
            ClauseKind::Remove(items) => items.iter().try_for_each(|item| match item {
                RemoveItem::Property { target, .. } => self.property_target(target, scope),
                RemoveItem::Labels { variable, .. } => self.labelled(variable, scope),
            }),
            ClauseKind::Delete { entities, .. } => {
                entities.iter().try_for_each(|entity| self.deleted(entity, scope))
            }
            ClauseKind::Foreach { variable, list, clauses } => {
                let kind = value(list, scope)?;
                self.expect(list.span, kind, &[Kind::List(None)], "FOREACH")?;
                let mut inner = scope.clone();
                inner.insert(variable.text.clone(), kind.element());
                for clause in clauses {
                    if !clause.kind.writes() || matches!(clause.kind, ClauseKind::Subquery(_)) {
                        return self.fault(clause.span, COMPOSITION, "FOREACH holds only clauses that write");
                    }
                    self.clause(clause, place, false, constants, &mut inner)?;
                }
                Ok(())
            }
            ClauseKind::Call(call) => self.call_clause(call, clause.span, is_standalone, scope),
            ClauseKind::Subquery(call) => self.subquery_call(call, place, scope),
        }
    }

    fn set_item(&self, item: &SetItem, scope: &Scope) -> Checked {
        match item {
            SetItem::Property { target, value, .. } => {
                self.property_target(target, scope)?;
                self.expression(value, scope, Context::VALUE).map(|_| ())
            }
            SetItem::Properties { variable, value, .. } => {
                let Some(kind) = scope.get(&variable.text) else {
                    return self.undefined(variable.span, &variable.text);
                };
                self.expect(variable.span, *kind, &[Kind::Node, Kind::Relationship], "SET")?;
                let kind = self.expression(value, scope, Context::VALUE)?;
                self.expect(value.span, kind, &[Kind::Map, Kind::Node, Kind::Relationship], "SET")
            }
            SetItem::Labels { variable, .. } => self.labelled(variable, scope),
            SetItem::DynamicLabels { variable, labels } => {
                self.labelled(variable, scope)?;
                let kind = self.expression(labels, scope, Context::VALUE)?;
                self.expect(labels.span, kind, &[Kind::String, Kind::List(None)], "a label")
            }
        }
    }

    fn property_target(&self, target: &Expr, scope: &Scope) -> Checked {
        let kind = self.expression(target, scope, Context::VALUE)?;
        self.expect(target.span, kind, &[Kind::Node, Kind::Relationship], "a property to be set")
    }

    fn labelled(&self, variable: &Name, scope: &Scope) -> Checked {
        match scope.get(&variable.text) {
            Some(kind) => self.expect(variable.span, *kind, &[Kind::Node], "a label to be set"),
            None => self.undefined(variable.span, &variable.text),
        }
    }

    fn deleted(&self, entity: &Expr, scope: &Scope) -> Checked {
        if let ExprKind::HasLabels(..) = entity.kind {
            let message = "DELETE takes nodes and relationships; REMOVE takes labels";
            return self.fault(entity.span, "InvalidDelete", message);
        }
        let kind = self.expression(entity, scope, Context::VALUE)?;
        self.expect(entity.span, kind, &[Kind::Node, Kind::Relationship, Kind::Path], "DELETE")
    }

    fn call_clause(&self, call: &Call, span: Span, is_standalone: bool, scope: &mut Scope) -> Checked {
        let Some(signature) = self.procedures.get(&call.procedure.text) else {
            let message = format!("there is no procedure '{}'", call.procedure.text);
            return self.fault_of("ProcedureError", call.procedure.span, "ProcedureNotFound", message);
        };
        match &call.arguments {
            Some(arguments) => {
                let takes = signature.arguments.len();
                if !(takes - signature.optional..=takes).contains(&arguments.len()) {
                    let given = arguments.len();
                    let message = format!("'{}' takes {takes} arguments, not {given}", call.procedure.text);
                    return self.fault(call.procedure.span, "InvalidNumberOfArguments", message);
                }
                for (argument, (name, wanted)) in arguments.iter().zip(&signature.arguments) {
                    let kind = self.expression(argument, scope, Context::VALUE)?;
                    if !wanted.accepts(kind) {
                        let message = format!("argument '{name}' cannot be {}", kind.name());
                        return self.fault(argument.span, "InvalidArgumentType", message);
                    }
                }
            }
            None if !is_standalone => {
                let message = "the arguments of a call within a query stand in parentheses";
                return self.fault(span, "InvalidArgumentPassingMode", message);
            }
            None => {
                let required = signature.arguments.len() - signature.optional;
                for (name, _) in &signature.arguments[..required] {
                    if !(self.has_parameter)(name) {
                        let message = format!("the request gives no parameter '{name}'");
                        return self.fault_of("ParameterMissing", span, "MissingParameter", message);
                    }
                }
            }
        }
        match &call.yields {
            None => Ok(()),
            Some(Yields::All(span)) if !is_standalone => {
                self.fault(*span, "UnexpectedSyntax", "YIELD * can stand only in a call of its own")
            }
            Some(Yields::All(_)) => Ok(()),
            Some(Yields::Items { items, filter }) => {
                for item in items {
                    if !signature.results.contains(&item.field.text) {
                        let message = format!("'{}' yields no '{}'", call.procedure.text, item.field.text);
                        return self.fault(item.field.span, "UndefinedVariable", message);
                    }
                    self.bind_new(item.alias.as_ref().unwrap_or(&item.field), Kind::Any, scope)?;
                }
                filter.iter().try_for_each(|filter| self.condition(filter, scope, Context::PREDICATE))
            }
        }
    }
}

/// Returns the columns of RETURN, given the scope that it leaves.
fn columns_of(projection: &Projection, scope: &Scope) -> Columns {
    let kind = |name: &String| scope.get(name).copied().unwrap_or(Kind::Any);
    match projection.star {
        true => scope.iter().map(|(name, kind)| (name.clone(), *kind)).collect(),
        false => projection.items.iter().map(|item| (item.name.clone(), kind(&item.name))).collect(),
    }
}
