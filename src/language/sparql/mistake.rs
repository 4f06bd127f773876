//! Where a text stops being SPARQL, and what it could have gone on with.
//!
//! The parser's own place is too far right: it reads a keyword's length ahead before it compares.
//! So a text that failed is parsed again with wide gaps between its tokens, which no look-ahead
//! crosses; and what was expected is found by trying it.

use spargebra::SparqlSyntaxError;

use super::CODE;
use crate::language::SyntaxError;

/// Wider than the longest keyword.
const GAP: &str = "                        ";
/// Longer texts get no list of what was expected: each trial parses the text up to the mistake.
const TRIAL_BYTES_MAX: usize = 4096;

/// What a text may go on with: (to try, to show).
const CANDIDATES: [(&str, &str); 44] = [
    ("}", "'}'"),
    (")", "')'"),
    ("]", "']'"),
    ("{", "'{'"),
    ("(", "'('"),
    (".", "'.'"),
    (";", "';'"),
    ("?v", "a variable"),
    ("<e:x>", "an IRI"),
    ("'x'", "a literal"),
    ("7", "a number"),
    ("*", "'*'"),
    ("= 1", "an operator"),
    ("SELECT", "SELECT"),
    ("ASK", "ASK"),
    ("CONSTRUCT", "CONSTRUCT"),
    ("DESCRIBE", "DESCRIBE"),
    ("PREFIX", "PREFIX"),
    ("BASE", "BASE"),
    ("INSERT", "INSERT"),
    ("DELETE", "DELETE"),
    ("WITH", "WITH"),
    ("LOAD", "LOAD"),
    ("CLEAR", "CLEAR"),
    ("FROM", "FROM"),
    ("USING", "USING"),
    ("WHERE", "WHERE"),
    ("DATA", "DATA"),
    ("FILTER", "FILTER"),
    ("OPTIONAL", "OPTIONAL"),
    ("UNION", "UNION"),
    ("MINUS", "MINUS"),
    ("GRAPH", "GRAPH"),
    ("BIND", "BIND"),
    ("VALUES", "VALUES"),
    ("SERVICE", "SERVICE"),
    ("LATERAL", "LATERAL"),
    ("AS", "AS"),
    ("BY", "BY"),
    ("GROUP", "GROUP BY"),
    ("HAVING", "HAVING"),
    ("ORDER", "ORDER BY"),
    ("LIMIT", "LIMIT"),
    ("OFFSET", "OFFSET"),
];

/// Parses as a query or as an update; only whether and where it fails is asked.
type Parse<'a> = &'a dyn Fn(&str) -> Result<(), SparqlSyntaxError>;

/// Explains why `parse` refused the text.
pub fn explain(text: &str, parse: Parse<'_>, error: &SparqlSyntaxError) -> SyntaxError {
    let message = error.to_string();
    let Some(first_guess) = place(text, &message) else {
        return SyntaxError::at(text, 0, CODE, message);
    };
    let offset = precise_place(text, parse).unwrap_or(first_guess);
    let found = match text.get(offset..).and_then(|rest| rest.split_whitespace().next()) {
        Some(word) => format!("'{}'", word.chars().take(24).collect::<String>()),
        None => "the end of the text".to_owned(),
    };
    let explained = match sentence(&message) {
        Some(sentence) => format!("{sentence} (before {found})"),
        None => match expected(text.get(..offset).unwrap_or_default(), parse).as_slice() {
            [] => format!("unexpected {found}"),
            [one] => format!("unexpected {found}; expected {one}"),
            many => format!("unexpected {found}; expected one of {}", many.join(", ")),
        },
    };
    SyntaxError::at(text, offset, CODE, explained)
}

/// Reads the offset out of the message `error at 3:14: expected ...`; its types are private.
fn place(text: &str, message: &str) -> Option<usize> {
    let (line, rest) = message.strip_prefix("error at ")?.split_once(':')?;
    let (column, _) = rest.split_once(": expected ")?;
    let (line, column): (usize, usize) = (line.parse().ok()?, column.parse().ok()?);
    let start: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let line = text.get(start..)?;
    Some(start + line.char_indices().nth(column.checked_sub(1)?).map_or(line.len(), |(index, _)| index))
}

/// Returns the parser's own sentence, if the grammar is satisfied and a rule beyond it is not.
fn sentence(message: &str) -> Option<&str> {
    let (_, expected) = message.split_once(": expected ")?;
    let list = expected.strip_prefix("one of ").unwrap_or(expected);
    list.split(", ").find(|item| item.contains(' ') && item.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// Returns the start of the token that cannot stand where it does.
fn precise_place(text: &str, parse: Parse<'_>) -> Option<usize> {
    // (offset in the wide text, offset in the text) of each token.
    let mut starts = Vec::new();
    let mut wide = String::with_capacity(text.len() * 2);
    let mut position = 0;
    for token in super::nesting::tokens(text) {
        if text.get(position..token.start)?.bytes().any(|byte| byte.is_ascii_whitespace())
            || is_loose(text.get(token.clone())?)
        {
            wide.push_str(GAP);
        }
        starts.push((wide.len(), token.start));
        wide.push_str(text.get(token.clone())?);
        if is_loose(text.get(token.clone())?) {
            wide.push_str(GAP);
        }
        position = token.end;
    }
    let message = parse(&wide).err()?.to_string();
    let failed = place(&wide, &message)?;
    let end = (wide.trim_end().len(), text.trim_end().len());
    if failed >= end.0 + GAP.len() {
        return Some(end.1);
    }
    let starts = starts.into_iter().chain([end]);
    starts.take_while(|(start, _)| *start <= failed).last().map(|(_, start)| start)
}

/// Whether a token never is a part of a longer one.
fn is_loose(token: &str) -> bool {
    matches!(token, ";" | ",")
}

/// Tries what the text before the mistake can go on with.
fn expected(before: &str, parse: Parse<'_>) -> Vec<&'static str> {
    if before.len() > TRIAL_BYTES_MAX {
        return Vec::new();
    }
    let goes_on = |candidate: &str| {
        let head = format!("{before} {candidate}");
        let text = format!("{head}{GAP}\u{1}");
        match parse(&text) {
            Ok(()) => true,
            Err(error) => {
                place(&text, &error.to_string()).is_some_and(|failed| failed >= head.len() + GAP.len())
            }
        }
    };
    CANDIDATES.iter().filter(|(candidate, _)| goes_on(candidate)).map(|(_, shown)| *shown).collect()
}
