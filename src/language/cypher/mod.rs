//! Cypher: text to logical plan, in four steps: lexer, parser, bind and lower.
//!
//! The room knows no dataset: it sees names and schema facts in the session. What a Cypher word
//! means in quads is in `docs/property_graph.md`; the grammar is in `grammar/cypher.ebnf`.

pub mod ast;
mod bind;
mod function;
mod kind;
mod lexer;
mod lower;
mod parser;
mod procedure;
pub mod show;
mod token;

use std::collections::BTreeMap;

use crate::model::Value;
use crate::plan::{GraphSelector, Session};

pub use ast::Mode;
pub use function::{FUNCTIONS, signature_text};
pub use procedure::{
    BUILT_IN, BuiltIn, ProcedureSignature, ProcedureSignatures, ProcedureType, built_in_procedures,
};

use ast::Statement;
use parser::{Depth, Refusal};

use super::SyntaxError;

/// A compiled text.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// Always a query. One without columns shows no rows, but is to be run to its end.
    pub statement: crate::plan::Statement,
    pub mode: Mode,
    /// The graph that the statement reads and writes: what USE names, else the session's. It is what
    /// property-graph functions and changes must be given at execution.
    pub graph: GraphSelector,
}

/// Compiles a statement, which may CALL the procedures that every session has.
///
/// # Errors
/// Where the text leaves the grammar or its names make no sense, by the codes of the openCypher TCK.
pub fn compile(
    text: &str,
    session: &Session,
    parameters: &BTreeMap<String, Value>,
) -> Result<Compiled, SyntaxError> {
    compile_with(text, session, parameters, built_in_procedures())
}

/// Compiles a statement that may CALL these procedures and no others.
///
/// # Errors
/// As [`compile`].
pub fn compile_with(
    text: &str,
    session: &Session,
    parameters: &BTreeMap<String, Value>,
    procedures: &ProcedureSignatures,
) -> Result<Compiled, SyntaxError> {
    with_depth(|depth| {
        let statement = parser::parse(text, depth)?;
        let has_parameter = |name: &str| parameters.contains_key(name);
        bind::check(text, &statement, &has_parameter, procedures).map_err(Refusal::Syntax)?;
        let lowered = lower::lower(text, &statement, session, procedures).map_err(Refusal::Syntax)?;
        Ok(Compiled {
            statement: crate::plan::Statement::Query(lowered.query),
            mode: statement.mode,
            graph: lowered.graph,
        })
    })
}

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
