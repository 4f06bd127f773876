//! Subqueries: what they see of the query around them, and what they leave to it.

use super::clause::{Around, Place};
use super::expression::Context;
use super::{Binder, Checked, Scope};
use crate::language::cypher::ast::{
    ClauseKind, Expr, ExprKind, Imports, Name, OnError, Query, SubqueryCall, SubqueryKind, Transactions,
};
use crate::language::cypher::kind::Kind;
use crate::language::cypher::token::Span;

impl Binder<'_> {
    /// Checks a subquery in an expression and returns the kind of its value.
    pub(super) fn subquery(&self, kind: SubqueryKind, query: &Query, scope: &Scope) -> Checked<Kind> {
        self.query(query, Around::Constants(scope), Place::Subquery(kind))?;
        Ok(match kind {
            SubqueryKind::Exists => Kind::Boolean,
            SubqueryKind::Count => Kind::Integer,
            SubqueryKind::Collect => Kind::List(None),
        })
    }

    /// Checks CALL { } and binds its columns.
    pub(super) fn subquery_call(&self, call: &SubqueryCall, place: Place, scope: &mut Scope) -> Checked {
        if let Some(transactions) = &call.transactions {
            self.transactions(transactions, place)?;
        }
        let columns = match &call.imports {
            Imports::Leading => self.query(&call.query, Around::Importable(scope), Place::Call)?,
            Imports::All => self.query(&call.query, Around::Constants(scope), Place::Call)?,
            Imports::Names(names) => {
                let imported = self.imported_names(names, scope)?;
                self.query(&call.query, Around::Constants(&imported), Place::Call)?
            }
        };
        let before = scope.clone();
        for (name, kind) in columns {
            if before.contains_key(&name) {
                let message = format!("'{name}' is bound already outside the subquery; return it AS another");
                return self.fault(column_span(&call.query, &name), "VariableAlreadyBound", message);
            }
            scope.insert(name, kind);
        }
        let status = call.transactions.as_ref().and_then(|transactions| transactions.status.as_ref());
        match status {
            Some(name) if scope.insert(name.text.clone(), Kind::Map).is_some() => {
                let message = format!("'{}' is bound already; report the status AS another", name.text);
                self.fault(name.span, "VariableAlreadyBound", message)
            }
            _ => Ok(()),
        }
    }

    fn imported_names(&self, names: &[Name], scope: &Scope) -> Checked<Scope> {
        let mut imported = Scope::new();
        for name in names {
            let Some(kind) = scope.get(&name.text) else { return self.undefined(name.span, &name.text) };
            if imported.insert(name.text.clone(), *kind).is_some() {
                let message = format!("'{}' is imported twice", name.text);
                return self.fault(name.span, "VariableAlreadyBound", message);
            }
        }
        Ok(imported)
    }

    /// Checks IN TRANSACTIONS.
    fn transactions(&self, transactions: &Transactions, place: Place) -> Checked {
        if place != Place::Top {
            let message = "IN TRANSACTIONS cannot stand inside a subquery";
            return self.fault(transactions.span, "InvalidClauseComposition", message);
        }
        if let (OnError::Fail, Some(status)) = (transactions.on_error, &transactions.status) {
            let message = "REPORT STATUS goes with ON ERROR CONTINUE or ON ERROR BREAK";
            return self.fault(status.span, "InvalidClauseComposition", message);
        }
        if let Some(rows) = &transactions.rows {
            self.constant_integer(rows, "number of rows")?;
            if matches!(rows.kind, ExprKind::Integer(..1) | ExprKind::Minus(_)) {
                let message = "the number of rows must be positive";
                return self.fault(rows.span, "NegativeIntegerArgument", message);
            }
        }
        // A negative one is counted back from the processors that there are.
        transactions.concurrency.iter().try_for_each(|count| self.constant_integer(count, "concurrency"))
    }

    fn constant_integer(&self, expression: &Expr, what: &str) -> Checked {
        if expression.any(&|e| matches!(e.kind, ExprKind::Variable(_))) {
            let message = format!("the {what} cannot depend on a row");
            return self.fault(expression.span, "NonConstantExpression", message);
        }
        let kind = self.expression(expression, &Scope::new(), Context::VALUE)?;
        self.expect(expression.span, kind, &[Kind::Integer], &format!("a {what}"))
    }
}

/// Returns where a query returns a column: the item, or all of the clause if `*` stands for it.
fn column_span(query: &Query, column: &str) -> Span {
    let nowhere = Span { start: 0, end: 0 };
    let Some(last) = query.first.clauses.last() else { return nowhere };
    let ClauseKind::Return(projection) = &last.kind else { return last.span };
    let item = projection.items.iter().find(|item| item.name == column);
    item.map_or(last.span, |item| item.expression.span)
}
