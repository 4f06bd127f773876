//! The languages: text in, logical plan out.
//!
//! Same text and same session, same plan. This room knows no storage, no peers and no physical
//! operators; the languages do not know each other.

pub mod cypher;
#[cfg(any(test, fuzzing))]
#[allow(clippy::unwrap_used, reason = "a finding is a panic")]
pub mod fuzzing;
pub mod graphql;
pub mod sparql;

/// Why a text is not a statement of its language, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (line {line}, column {column})")]
pub struct SyntaxError {
    /// What is wrong and what was expected.
    pub message: String,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// In bytes from the start of the text.
    pub offset: usize,
    /// The kind of mistake, in the code that the language's clients know.
    pub code: String,
}

impl SyntaxError {
    /// Makes an error at a byte offset of the text; an offset past its end is the end.
    pub fn at(text: &str, offset: usize, code: &str, message: impl Into<String>) -> SyntaxError {
        let offset = (0..=offset.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        let before = text.get(..offset).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        SyntaxError {
            message: message.into(),
            line: before.matches('\n').count() as u32 + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() as u32 + 1,
            offset,
            code: code.to_owned(),
        }
    }

    /// Returns the line of `text` that the error is in, and below it a caret at the place.
    pub fn excerpt(&self, text: &str) -> String {
        let line = text.lines().nth((self.line as usize).saturating_sub(1)).unwrap_or_default();
        format!("{line}\n{}^", " ".repeat((self.column as usize).saturating_sub(1)))
    }
}
