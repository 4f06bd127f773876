//! The parser: tokens to a syntax tree. Each function names its rule of `grammar/cypher.ebnf`.
//!
//! Clauses and patterns are nom parsers over tokens, with `cut` once a keyword has decided; the
//! expressions are a Pratt loop. What begins alike (a pattern and a parenthesised expression) is
//! told apart by looking ahead past matching brackets, never by trying both: parsing is linear.

mod clause;
mod expression;
mod input;
mod pattern;
#[cfg(test)]
mod proptests;
mod schema_command;
mod show;
#[cfg(test)]
mod tests;

use super::ast::Statement;
use super::lexer::tokenize;
use crate::language::SyntaxError;

pub use input::Depth;

/// Why a text was not parsed.
#[derive(Debug)]
pub enum Refusal {
    /// It makes a deeper tree than allowed; the error says where.
    TooDeep(SyntaxError),
    Syntax(SyntaxError),
}

/// Parses one statement that makes a tree of at most `depth`.
///
/// # Errors
/// With the place of the furthest token that any rule reached, and what would have fitted there.
pub fn parse(text: &str, depth: Depth) -> Result<Statement, Refusal> {
    let tokens = tokenize(text).map_err(Refusal::Syntax)?;
    let state = input::State::new(text, tokens, depth);
    let error = match clause::statement(state.tokens()) {
        Ok((_, statement)) => return Ok(statement),
        Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => state.error(fault),
        Err(nom::Err::Incomplete(_)) => state.error(input::Fault { specific: None }),
    };
    Err(if state.is_too_deep() { Refusal::TooDeep(error) } else { Refusal::Syntax(error) })
}
