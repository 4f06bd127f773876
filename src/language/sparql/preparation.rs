//! Where the parser differs from the standard: texts it takes amiss are rewritten before it sees
//! them, texts it should refuse are refused.
//!
//! Rewriting keeps every byte in its place, but for [`with_reused_names`], which is tried last.

use std::borrow::Cow;

use super::CODE;
use super::nesting::tokens;
use crate::language::SyntaxError;

/// Returns the text with `TRUE` and `FALSE`, which may be written so, as the parser knows them.
pub fn prepare(text: &str) -> Cow<'_, str> {
    let is_boolean =
        |word: &str| ["true", "false"].iter().any(|known| known.eq_ignore_ascii_case(word) && *known != word);
    if !tokens(text).any(|token| text.get(token).is_some_and(is_boolean)) {
        return Cow::Borrowed(text);
    }
    let mut prepared = String::with_capacity(text.len());
    let mut copied = 0;
    for token in tokens(text) {
        let word = text.get(token.clone()).unwrap_or_default();
        // Not `TRUE:name`, which is a prefixed name.
        if is_boolean(word) && text.as_bytes().get(token.end) != Some(&b':') {
            prepared.push_str(text.get(copied..token.start).unwrap_or_default());
            prepared.push_str(&word.to_ascii_lowercase());
            copied = token.end;
        }
    }
    prepared.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(prepared)
}

/// Refuses triple terms whose subject is a literal or a triple term; the parser takes them where
/// an expression stands.
pub fn check_triple_terms(text: &str) -> Result<(), SyntaxError> {
    let bytes = text.as_bytes();
    let opens = |at: usize| bytes.get(at..at + 3) == Some(b"<<(".as_slice());
    // For each open bracket, whether an expression is in it.
    let mut open = vec![false];
    // The end of the last `<<(`.
    let mut opened = 0;
    for token in tokens(text) {
        let here = token.start;
        if here < opened {
            continue;
        }
        let in_expression = open.last() == Some(&true);
        let is_subject = opened > 0 && in_expression;
        opened = 0;
        let is_literal = bytes.get(here).is_some_and(|byte| b"\"'+-.0123456789".contains(byte));
        if is_subject && (is_literal || opens(here)) {
            let message = "the subject of a triple term is an IRI, a blank node or a variable";
            return Err(SyntaxError::at(text, here, CODE, message));
        }
        match bytes.get(here) {
            Some(b'<') if opens(here) => {
                opened = here + 3;
                open.push(in_expression);
            }
            Some(b'(') => open.push(true),
            Some(b'{' | b'[') => open.push(false),
            Some(b')' | b'}' | b']') if open.len() > 1 => {
                open.pop();
            }
            _ => {}
        }
    }
    Ok(())
}

/// Returns the text with every IRI that could also be read as operators made one that could not,
/// if there is such: the longest token wins, so the text must parse like that too.
pub fn with_plain_iris(text: &str) -> Option<String> {
    let mut plain = text.to_owned();
    let mut is_changed = false;
    for token in tokens(text) {
        let iri = text.get(token.clone()).unwrap_or_default();
        if iri.starts_with("<?") || iri.starts_with('<') && iri.contains("&&") {
            let letters = "a".repeat(iri.len().saturating_sub(4));
            plain.replace_range(token, &format!("<e:{letters}>"));
            is_changed = true;
        }
    }
    is_changed.then_some(plain)
}

/// Returns the names of a text whose outermost query is `SELECT *`, as they come: its columns are
/// best in that order.
pub fn names_of_star(text: &str) -> Option<Vec<&str>> {
    let mut words = tokens(text).filter_map(|token| text.get(token));
    words.find(|word| word.eq_ignore_ascii_case("SELECT"))?;
    let is_option = |word: &str| ["DISTINCT", "REDUCED"].iter().any(|o| o.eq_ignore_ascii_case(word));
    if words.find(|word| !is_option(word))? != "*" {
        return None;
    }
    let mut names = Vec::new();
    for name in words.filter_map(|word| word.strip_prefix(['?', '$'])) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Some(names)
}

/// Returns the text with names that a SELECT clause binds and uses again wrapped in COALESCE,
/// which changes no value: the parser takes those of an aggregating query for unbound.
pub fn with_reused_names(text: &str) -> Option<String> {
    let words: Vec<_> = tokens(text).collect();
    let word = |index: usize| words.get(index).and_then(|token| text.get(token.clone())).unwrap_or_default();
    let mut result = String::with_capacity(text.len() + 32);
    let (mut copied, mut depth, mut in_select) = (0, 0usize, false);
    let mut bound: Vec<&str> = Vec::new();
    let mut is_changed = false;
    for (index, token) in words.iter().enumerate() {
        match word(index) {
            select if depth == 0 && select.eq_ignore_ascii_case("SELECT") => {
                in_select = true;
                bound.clear();
            }
            "(" if in_select => depth += 1,
            ")" if in_select => depth = depth.saturating_sub(1),
            "{" => (in_select, depth) = (false, 0),
            name if in_select && depth > 0 && name.starts_with(['?', '$']) => {
                if word(index.wrapping_sub(1)).eq_ignore_ascii_case("AS") {
                    bound.push(name);
                } else if bound.contains(&name) {
                    result.push_str(text.get(copied..token.start)?);
                    result.push_str(&format!("COALESCE({name})"));
                    copied = token.end;
                    is_changed = true;
                }
            }
            _ => {}
        }
    }
    result.push_str(text.get(copied..)?);
    is_changed.then_some(result)
}
