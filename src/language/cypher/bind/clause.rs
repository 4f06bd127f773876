//! Clauses: their order, and the scope that each leaves to the next.

use super::expression::Context;
use super::pattern::Making;
use super::{Binder, Checked, Scope};
use crate::language::cypher::ast::{
    Call, Clause, ClauseKind, Expr, ExprKind, Name, Query, RemoveItem, SetItem, SingleQuery, SubqueryKind,
    Yields,
};
use crate::language::cypher::kind::Kind;
use crate::language::cypher::token::Span;

/// Where a query stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Top,
    Subquery(SubqueryKind),
}

const COMPOSITION: &str = "InvalidClauseComposition";

impl Binder<'_> {
    /// Checks a query and returns its columns.
    pub(super) fn query(&self, query: &Query, outer: &Scope, place: Place) -> Checked<Vec<String>> {
        let columns = self.single_query(&query.first, outer, place, query.unions.is_empty())?;
        for union in &query.unions {
            if union.all != query.unions[0].all {
                return self.fault(union.span, COMPOSITION, "UNION and UNION ALL cannot be mixed");
            }
            if self.single_query(&union.query, outer, place, false)? != columns {
                let message = "both sides of UNION need the same columns in the same order";
                return self.fault(union.span, "DifferentColumnsInUnion", message);
            }
        }
        Ok(columns)
    }

    fn single_query(
        &self,
        query: &SingleQuery,
        outer: &Scope,
        place: Place,
        is_whole: bool,
    ) -> Checked<Vec<String>> {
        self.composition(query, place)?;
        let mut scope = outer.clone();
        let mut columns = Vec::new();
        let is_standalone = is_whole && query.clauses.len() == 1 && place == Place::Top;
        for clause in &query.clauses {
            self.clause(clause, is_standalone, &mut scope)?;
            if let ClauseKind::Return(projection) = &clause.kind {
                columns = match projection.star {
                    true => scope.keys().cloned().collect(),
                    false => projection.items.iter().map(|item| item.name.clone()).collect(),
                };
            }
        }
        Ok(columns)
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
            kind => kind.writes(),
        }
    }

    fn clause(&self, clause: &Clause, is_standalone: bool, scope: &mut Scope) -> Checked {
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
            ClauseKind::With(projection) => {
                *scope = self.projection(projection, clause.span, true, scope)?;
                Ok(())
            }
            ClauseKind::Return(projection) => {
                *scope = self.projection(projection, clause.span, false, scope)?;
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
                    if !clause.kind.writes() {
                        return self.fault(clause.span, COMPOSITION, "FOREACH holds only clauses that write");
                    }
                    self.clause(clause, false, &mut inner)?;
                }
                Ok(())
            }
            ClauseKind::Call(call) => self.call_clause(call, clause.span, is_standalone, scope),
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
