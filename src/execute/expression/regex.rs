//! Regular expressions: XPath's (REGEX, REPLACE) and Java's as Cypher uses them (`=~`), on the
//! `regex` crate: linear time, so no back-references and no look-around; a pattern that needs them
//! is an error.

use std::sync::{Arc, Mutex, PoisonError};

use regex::{Regex, RegexBuilder};

use super::argument_error;
use super::column::Arguments;
use super::datum::Datum;
use super::node::{Outcome, Run};
use crate::execute::{Context, ExecuteError};

/// Bytes that a compiled pattern may take: patterns come from users.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// The pattern compiled last: most calls have one pattern.
#[derive(Default)]
struct Compiled {
    last: Mutex<Option<(String, String, Option<Arc<Regex>>)>>,
}

impl Compiled {
    fn get(
        &self,
        pattern: &str,
        flags: &str,
        compile: fn(&str, &str) -> Option<Regex>,
    ) -> Option<Arc<Regex>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, known_flags, regex)) = &*last
            && known == pattern
            && known_flags == flags
        {
            return regex.clone();
        }
        let regex = compile(pattern, flags).map(Arc::new);
        *last = Some((pattern.to_owned(), flags.to_owned(), regex.clone()));
        regex
    }
}

fn compile_xpath(pattern: &str, flags: &str) -> Option<Regex> {
    let pattern = if flags.contains('q') { regex::escape(pattern) } else { xpath_to_rust(pattern) };
    let mut builder = RegexBuilder::new(&pattern);
    builder.size_limit(COMPILED_BYTES_MAX);
    for flag in flags.chars() {
        match flag {
            'i' => builder.case_insensitive(true),
            's' => builder.dot_matches_new_line(true),
            'm' => builder.multi_line(true),
            'x' => builder.ignore_whitespace(true),
            'q' => &mut builder,
            _ => return None,
        };
    }
    builder.build().ok()
}

/// Rewrites what XPath spells otherwise: `\i` and `\c` (XML name characters) and class subtraction.
fn xpath_to_rust(pattern: &str) -> String {
    let mut rust = String::with_capacity(pattern.len());
    let (mut characters, mut in_class) = (pattern.chars().peekable(), false);
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('i') if in_class => rust.push_str(r"_:\p{L}"),
                Some('i') => rust.push_str(r"[_:\p{L}]"),
                Some('c') if in_class => rust.push_str(r"\-._:\p{L}\p{N}\p{M}"),
                Some('c') => rust.push_str(r"[\-._:\p{L}\p{N}\p{M}]"),
                Some('I') => rust.push_str(r"[^_:\p{L}]"),
                Some('C') => rust.push_str(r"[^\-._:\p{L}\p{N}\p{M}]"),
                Some(other) => rust.extend(['\\', other]),
                None => rust.push('\\'),
            },
            '-' if in_class && characters.peek() == Some(&'[') => rust.push_str("--"),
            '[' => {
                in_class = true;
                rust.push('[');
            }
            ']' => {
                in_class = false;
                rust.push(']');
            }
            other => rust.push(other),
        }
    }
    rust
}

/// Java's `matches`: the whole string.
fn compile_java(pattern: &str, _: &str) -> Option<Regex> {
    RegexBuilder::new(&format!(r"\A(?:{pattern})\z")).size_limit(COMPILED_BYTES_MAX).build().ok()
}

fn compile_search(pattern: &str, _: &str) -> Option<Regex> {
    RegexBuilder::new(pattern).size_limit(COMPILED_BYTES_MAX).build().ok()
}

/// REGEX(text, pattern[, flags])
pub(super) fn matches() -> Run {
    let compiled = Compiled::default();
    Run::With(Box::new(move |arguments: &Arguments<'_>, _: &Context| {
        let test = || {
            let (text, pattern) = (arguments[0].as_text()?, arguments[1].as_string()?);
            let regex = compiled.get(pattern, flags(arguments.get(2))?, compile_xpath)?;
            Some(regex.is_match(text))
        };
        Ok(test().into())
    }))
}

fn flags(datum: Option<&Datum>) -> Option<&str> {
    match datum {
        Some(flags) => flags.as_string(),
        None => Some(""),
    }
}

/// REPLACE(text, pattern, replacement[, flags]): an error if the pattern matches the empty string.
pub(super) fn replace() -> Run {
    let compiled = Compiled::default();
    Run::With(Box::new(move |arguments: &Arguments<'_>, _: &Context| {
        let replaced = || {
            let (text, pattern) = (arguments[0].as_text()?, arguments[1].as_string()?);
            let flags = flags(arguments.get(3))?;
            let regex = compiled.get(pattern, flags, compile_xpath)?;
            if regex.is_match("") {
                return None;
            }
            let with = arguments[2].as_string()?;
            let with = if flags.contains('q') {
                with.replace('$', "$$")
            } else {
                replacement(with, regex.captures_len())?
            };
            let text = regex.replace_all(text, with.as_str()).into_owned();
            Some(match arguments[0].as_lang_string() {
                Some(literal) => super::string::tagged_like(literal, text),
                None => Datum::string(text),
            })
        };
        Ok(Datum::from(replaced()))
    }))
}

/// Rewrites XPath's replacement (`$1`, `\$`, `\\`) in the crate's syntax; `None` if it is wrong.
fn replacement(text: &str, groups: usize) -> Option<String> {
    let (mut rust, mut characters) = (String::new(), text.chars().peekable());
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next()? {
                '\\' => rust.push('\\'),
                '$' => rust.push_str("$$"),
                _ => return None,
            },
            '$' => {
                let mut group = characters.next()?.to_digit(10)? as usize;
                // More digits belong to the number as long as there is such a group.
                while let Some(digit) = characters.peek().and_then(|c| c.to_digit(10)) {
                    let longer = group * 10 + digit as usize;
                    if longer >= groups {
                        break;
                    }
                    group = longer;
                    characters.next();
                }
                if group < groups {
                    rust.push_str(&format!("${{{group}}}"));
                }
            }
            other => rust.push(other),
        }
    }
    Some(rust)
}

/// Cypher's `=~`
pub(super) fn cypher_matches() -> Run {
    whole_or_part(compile_java)
}

/// A search anywhere in the string form of a term.
pub(super) fn search() -> Run {
    let compiled = Compiled::default();
    Run::With(Box::new(move |arguments: &Arguments<'_>, _: &Context| {
        let text = match arguments[0].to_term() {
            Some(crate::model::Term::NamedNode(node)) => node.into_string(),
            Some(crate::model::Term::Literal(literal)) => literal.value().to_owned(),
            _ => return Ok(Datum::Undefined),
        };
        test(&compiled, &text, &arguments[1], compile_search)
    }))
}

fn whole_or_part(compile: fn(&str, &str) -> Option<Regex>) -> Run {
    let compiled = Compiled::default();
    Run::With(Box::new(move |arguments: &Arguments<'_>, _: &Context| match arguments[0].as_text() {
        Some(text) => test(&compiled, text, &arguments[1], compile),
        None => Ok(Datum::Undefined),
    }))
}

fn test(
    compiled: &Compiled,
    text: &str,
    pattern: &Datum,
    compile: fn(&str, &str) -> Option<Regex>,
) -> Outcome {
    let Some(pattern) = pattern.as_text() else { return Ok(Datum::Undefined) };
    match compiled.get(pattern, "", compile) {
        Some(regex) => Ok(Datum::Boolean(regex.is_match(text))),
        None => Err(invalid_pattern(pattern)),
    }
}

fn invalid_pattern(pattern: &str) -> ExecuteError {
    argument_error("InvalidArgumentValue", format!("'{pattern}' is no regular expression that can be used"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacements_follow_xpath() {
        let check = |text: &str, groups: usize, expected: Option<&str>| {
            assert_eq!(replacement(text, groups).as_deref(), expected, "{text}");
        };
        check("[$1$2]", 3, Some("[${1}${2}]"));
        check("$12", 3, Some("${1}2"));
        check("$5x", 2, Some("x"));
        check(r"\$1\\", 2, Some(r"$$1\"));
        check("$", 2, None);
        check(r"\n", 2, None);
    }
}
