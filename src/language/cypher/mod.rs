//! Cypher: its own lexer, a nom parser over tokens, and (above them) binding and lowering.

pub mod ast;
mod bind;
mod function;
mod kind;
mod lexer;
mod parser;
mod procedure;
mod token;

use ast::Statement;
use parser::{Depth, Refusal};

use super::SyntaxError;

/// Parses a text without binding its names.
///
/// # Errors
/// Where the text leaves the grammar, and what would have fitted there.
pub fn parse(text: &str) -> Result<Statement, SyntaxError> {
    with_depth(|depth| parser::parse(text, depth))
}

/// Runs `compile` with the usual depth; if the text needs more, on a thread with a larger stack.
fn with_depth<T: Send>(compile: impl Fn(Depth) -> Result<T, Refusal> + Sync) -> Result<T, SyntaxError> {
    match compile(Depth::USUAL) {
        Ok(compiled) => Ok(compiled),
        Err(Refusal::Syntax(error)) => Err(error),
        Err(Refusal::TooDeep(error)) => std::thread::scope(|scope| {
            let deep = || match compile(Depth::MAX) {
                Ok(compiled) => Ok(compiled),
                Err(Refusal::Syntax(error) | Refusal::TooDeep(error)) => Err(error),
            };
            let builder = std::thread::Builder::new().stack_size(Depth::STACK_BYTES);
            match builder.spawn_scoped(scope, deep).map(|thread| thread.join()) {
                Ok(Ok(result)) => result,
                // No thread to be had, or a panic there: the text is too deep for us.
                _ => Err(error),
            }
        }),
    }
}
