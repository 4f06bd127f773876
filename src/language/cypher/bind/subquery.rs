//! Subqueries: what they see of the query around them, and what they leave to it.

use super::clause::{Around, Place};
use super::expression::Context;
use super::{Binder, Checked, Scope};
use crate::language::cypher::ast::{
    ClauseKind, Expr, ExprKind, Imports, Name, Query, SubqueryCall, SubqueryKind, Transactions,
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
        Ok(())
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

    /// Checks IN TRANSACTIONS: all of a statement is one commit, so that it only may stand where it
    /// would mean something elsewhere.
    fn transactions(&self, transactions: &Transactions, place: Place) -> Checked {
        if place != Place::Top {
            let message = "IN TRANSACTIONS cannot stand inside a subquery";
            return self.fault(transactions.span, "InvalidClauseComposition", message);
        }
        let Some(rows) = &transactions.rows else { return Ok(()) };
        if rows.any(&|e| matches!(e.kind, ExprKind::Variable(_))) {
            let message = "the number of rows cannot depend on a row";
            return self.fault(rows.span, "NonConstantExpression", message);
        }
        let kind = self.expression(rows, &Scope::new(), Context::VALUE)?;
        self.expect(rows.span, kind, &[Kind::Integer], "a number of rows")?;
        let is_positive = |e: &Expr| !matches!(e.kind, ExprKind::Integer(..1) | ExprKind::Minus(_));
        match is_positive(rows) {
            true => Ok(()),
            false => self.fault(rows.span, "NegativeIntegerArgument", "the number of rows must be positive"),
        }
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
