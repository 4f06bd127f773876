//! The semantic pass: which name means what, and all that openCypher refuses before anything runs.
//!
//! It changes nothing: a tree that passes is lowered as it stands. Fault codes are those of the
//! openCypher TCK, as `Type.Detail`.

mod clause;
mod expression;
mod pattern;
pub mod projection;
mod subquery;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::ast::Statement;
use super::kind::Kind;
use super::procedure::ProcedureSignatures;
use super::token::Span;
use crate::language::SyntaxError;

/// Checks a statement.
///
/// `has_parameter` tells whether the request gives a parameter of that name.
///
/// # Errors
/// The first mistake, in the order of the clauses.
pub fn check(
    text: &str,
    statement: &Statement,
    has_parameter: &dyn Fn(&str) -> bool,
    procedures: &ProcedureSignatures,
) -> Result<(), SyntaxError> {
    let binder = Binder { text, has_parameter, procedures };
    let nothing = Scope::new();
    binder.query(&statement.query, clause::Around::Constants(&nothing), clause::Place::Top).map(|_| ())
}

/// The names in scope and what they are.
type Scope = BTreeMap<String, Kind>;

type Checked<T = ()> = Result<T, SyntaxError>;

struct Binder<'a> {
    text: &'a str,
    has_parameter: &'a dyn Fn(&str) -> bool,
    procedures: &'a ProcedureSignatures,
}

impl Binder<'_> {
    fn fault<T>(&self, span: Span, detail: &str, message: impl Into<String>) -> Checked<T> {
        self.fault_of("SyntaxError", span, detail, message)
    }

    fn fault_of<T>(&self, kind: &str, span: Span, detail: &str, message: impl Into<String>) -> Checked<T> {
        Err(SyntaxError::at(self.text, span.start as usize, &format!("{kind}.{detail}"), message))
    }

    fn undefined<T>(&self, span: Span, name: &str) -> Checked<T> {
        self.fault(span, "UndefinedVariable", format!("there is no variable '{name}' here"))
    }
}
