//! List literals (`cdt:List`, SPARQL-CDTs): how a list is stored as one RDF literal.
//!
//! The canonical form writes integers and booleans bare, doubles with an exponent, null as `null`,
//! and every other term as N-Triples does; items are separated by `, `.

use std::str::FromStr;

use super::datum::Datum;
use super::number::Number;
use crate::model::{Literal, Term, xsd};

/// How deep lists may nest: literals come from anywhere.
const DEPTH_MAX: usize = 64;

/// Parses a list literal, `None` if it is none.
pub(super) fn parse(text: &str) -> Option<Vec<Datum>> {
    let mut parser = Parser { rest: text.trim_start() };
    let items = parser.list(0)?;
    parser.rest.trim().is_empty().then_some(items)
}

/// Returns the canonical form of a list of deeply decoded data; `None` if an item is no term, null
/// or list.
pub(super) fn format(items: &[Datum]) -> Option<String> {
    let texts = items.iter().map(item_text).collect::<Option<Vec<_>>>()?;
    Some(format!("[{}]", texts.join(", ")))
}

fn item_text(item: &Datum) -> Option<String> {
    if item.is_undefined() {
        return Some("null".to_owned());
    }
    if let Some(items) = item.as_list() {
        return format(items);
    }
    let term = item.to_term()?;
    if let Term::Literal(literal) = &term {
        let canonical = match (item.as_boolean(), item.as_number()) {
            (Some(value), _) => Some(Literal::from(value)),
            (_, Some(number @ (Number::Integer(_) | Number::Double(_)))) => Some(number.to_literal()),
            _ => None,
        };
        if canonical.as_ref() == Some(literal) && !literal.value().ends_with(['N', 'F']) {
            return Some(literal.value().to_owned());
        }
    }
    Some(term.to_string())
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn eat(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn list(&mut self, depth: usize) -> Option<Vec<Datum>> {
        if depth > DEPTH_MAX || !self.eat("[") {
            return None;
        }
        let mut items = Vec::new();
        if self.eat("]") {
            return Some(items);
        }
        loop {
            items.push(self.item(depth)?);
            if self.eat("]") {
                return Some(items);
            }
            if !self.eat(",") {
                return None;
            }
        }
    }

    fn item(&mut self, depth: usize) -> Option<Datum> {
        self.rest = self.rest.trim_start();
        match self.rest.chars().next()? {
            '[' => self.list(depth + 1).map(Datum::list),
            '"' => self.quoted(),
            '<' => {
                let end = self.rest.find('>')? + 1;
                Term::from_str(self.take(end)?).ok().map(Datum::term)
            }
            _ => {
                let end = self.rest.find([',', ']', ' ', '\t', '\n']).unwrap_or(self.rest.len());
                bare(self.take(end)?)
            }
        }
    }

    /// Reads a quoted string with its language or datatype.
    fn quoted(&mut self) -> Option<Datum> {
        let bytes = self.rest.as_bytes();
        let mut end = 1;
        while *bytes.get(end)? != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        end += 1;
        let after = self.rest.get(end..)?;
        if after.starts_with("^^<") {
            end += after.find('>')? + 1;
        } else if after.starts_with('@') {
            end += after.find([',', ']', ' ']).unwrap_or(after.len());
        }
        Term::from_str(self.take(end)?).ok().map(Datum::term)
    }

    fn take(&mut self, length: usize) -> Option<&'a str> {
        let taken = self.rest.get(..length)?;
        self.rest = self.rest.get(length..)?;
        Some(taken)
    }
}

fn bare(text: &str) -> Option<Datum> {
    let datatype = match text {
        "null" => return Some(Datum::Undefined),
        "true" | "false" => xsd::BOOLEAN,
        _ if text.contains(['e', 'E']) => xsd::DOUBLE,
        _ if text.contains('.') => xsd::DECIMAL,
        _ => xsd::INTEGER,
    };
    if datatype != xsd::BOOLEAN {
        Number::parse(text, datatype.as_str())??;
    }
    Some(Datum::typed(text, datatype))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_literals_read_and_write() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(parse(text).and_then(|items| format(&items)).as_deref(), expected, "{text}");
        };
        check("[]", Some("[]"));
        check("[1,2 , 3]", Some("[1, 2, 3]"));
        check("[true, null, 1.5E0, [\"a,]\\\"b\"]]", Some("[true, null, 1.5E0, [\"a,]\\\"b\"]]"));
        check(
            "[\"x\"@en, \"2020-01-01\"^^<http://www.w3.org/2001/XMLSchema#date>]",
            Some("[\"x\"@en, \"2020-01-01\"^^<http://www.w3.org/2001/XMLSchema#date>]"),
        );
        check("[<http://e/a>]", Some("[<http://e/a>]"));
        check("[1", None);
        check("[1] x", None);
        check("[\"abc", None);
        check("[abc]", None);
        check(&"[".repeat(1000), None);
    }
}
