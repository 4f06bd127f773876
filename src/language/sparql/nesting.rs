//! The size check before parsing: the parser and every walk over its tree recurse, so what would
//! nest too deep is refused here, by a loop over the text.

use std::ops::Range;

use super::CODE;
use crate::language::SyntaxError;

/// How many brackets may be open at once.
const DEPTH_MAX: usize = 48;
/// How many links (operators, and the clauses of groups) may chain up on the way to one place:
/// each becomes one more level of a left-deep tree.
const LINKS_MAX: usize = 256;
/// How many triple patterns, roughly, one group may hold. Data blocks are not bounded.
const STATEMENTS_MAX: usize = 2048;

/// Clause words that add a level to the tree of their group.
const CLAUSES: [&str; 8] = ["UNION", "OPTIONAL", "MINUS", "FILTER", "BIND", "LATERAL", "GRAPH", "SERVICE"];

/// Nesting up to which any thread's stack will do.
const SHALLOW: usize = 8;
/// Enough for the parser at [`DEPTH_MAX`], without optimisation too.
const DEEP_STACK_BYTES: usize = 64 << 20;

/// Runs the parser on a text that nests as [`check`] found; on a stack of its own if that is deep.
pub fn with_stack<T: Send>(depth: usize, f: impl FnOnce() -> T + Send) -> T {
    if depth <= SHALLOW {
        return f();
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(DEEP_STACK_BYTES).spawn_scoped(scope, f);
        match thread.expect("the system has a thread to spare").join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Refuses text whose tree would be too deep; returns how deep it nests, eight links for a level.
pub fn check(text: &str) -> Result<usize, SyntaxError> {
    let mut depth = 0;
    let refuse = |position, message| Err(SyntaxError::at(text, position, CODE, message));
    let bytes = text.as_bytes();
    let mut frames = Frames { open: vec![Frame::default()], links: 0 };
    for token in tokens(text) {
        let here = token.start;
        match bytes[here] {
            bracket @ (b'(' | b'[' | b'{') => frames.open(bracket),
            b')' | b']' | b'}' => frames.close(),
            b'^' if token.len() == 2 => {}
            b';' | b',' => frames.separate(),
            b'.' if bytes.get(here + 1).is_none_or(|next| next.is_ascii_whitespace() || *next == b'}') => {
                frames.separate();
            }
            operator @ (b'+' | b'-' | b'*' | b'/' | b'|' | b'&' | b'!' | b'^' | b'=') => {
                frames.operator(operator);
            }
            letter if is_word_start(letter) => frames.word(text.get(token).unwrap_or_default()),
            _ => {}
        }
        if frames.open.len() > DEPTH_MAX {
            return refuse(here, format!("brackets nest deeper than {DEPTH_MAX} levels"));
        }
        if frames.links > LINKS_MAX {
            return refuse(here, format!("more than {LINKS_MAX} operators or clauses chain up here"));
        }
        if frames.open.last().is_some_and(|frame| frame.statements > STATEMENTS_MAX) {
            return refuse(here, format!("one group holds more than {STATEMENTS_MAX} patterns"));
        }
        depth = depth.max(frames.open.len() + frames.links / 8);
    }
    Ok(depth)
}

/// Splits a text into tokens, coarsely: strings, IRIs, names with their marks, single characters.
/// White space and comments are left out.
pub fn tokens(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let bytes = text.as_bytes();
    let mut position = 0;
    std::iter::from_fn(move || {
        loop {
            let start = position;
            let byte = *bytes.get(start)?;
            position = match byte {
                b'#' => skip_line(bytes, start),
                b'"' | b'\'' => skip_string(bytes, start),
                b'<' => iri_end(bytes, start).map_or(start, |end| end) + 1,
                b'\\' => start + 2,
                b'^' if bytes.get(start + 1) == Some(&b'^') => start + 2,
                b'?' | b'$' | b'@' | b':' => word_end(bytes, start + 1),
                _ if is_word_start(byte) => word_end(bytes, start),
                _ => start + 1,
            };
            position = position.min(bytes.len());
            if byte != b'#' && !byte.is_ascii_whitespace() {
                return Some(start..position);
            }
        }
    })
}

fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte >= 0x80 || byte == b'_'
}

/// The open brackets, outermost first.
struct Frames {
    open: Vec<Frame>,
    /// Of all open frames together.
    links: usize,
}

#[derive(Default)]
struct Frame {
    bracket: u8,
    /// Since the last separator.
    operators: usize,
    clauses: usize,
    statements: usize,
    /// Whether this is a block of INSERT DATA or DELETE DATA, or within one.
    is_data: bool,
    /// Whether the last word was DATA: the next block is one.
    expects_data: bool,
    /// Whether HAVING came: each of its conditions is a link.
    has_having: bool,
}

impl Frames {
    fn open(&mut self, bracket: u8) {
        let mut is_data = false;
        if let Some(parent) = self.open.last_mut() {
            is_data = parent.is_data || std::mem::take(&mut parent.expects_data);
            let chains = bracket == b'{' && parent.bracket == b'{' || bracket == b'(' && parent.has_having;
            if chains && !parent.is_data {
                parent.clauses += 1;
                self.links += 1;
            }
        }
        self.open.push(Frame { bracket, is_data, ..Frame::default() });
    }

    fn close(&mut self) {
        if self.open.len() > 1
            && let Some(frame) = self.open.pop()
        {
            self.links -= frame.operators + frame.clauses;
        }
    }

    /// Statements and list items stand side by side; operators do not chain across them.
    fn separate(&mut self) {
        if let Some(frame) = self.open.last_mut() {
            self.links -= std::mem::take(&mut frame.operators);
            if frame.bracket != b'(' && !frame.is_data {
                frame.statements += 1;
            }
        }
    }

    fn operator(&mut self, operator: u8) {
        let Some(frame) = self.open.last_mut() else { return };
        // Outside round brackets only paths have operators; the rest are signs and stars.
        if frame.bracket == b'(' || matches!(operator, b'/' | b'|' | b'^' | b'!') {
            frame.operators += 1;
            self.links += 1;
        }
    }

    fn word(&mut self, word: &str) {
        let is = |keyword: &str| keyword.eq_ignore_ascii_case(word);
        let depth = self.open.len();
        let Some(frame) = self.open.last_mut() else { return };
        frame.expects_data = is("DATA");
        frame.has_having |= is("HAVING");
        if frame.is_data {
            return;
        }
        if CLAUSES.into_iter().any(is) {
            frame.clauses += 1;
            self.links += 1;
        } else if is("AS") && depth > 1 {
            // `(expression AS ?name)` is a link of the SELECT or GROUP BY around it.
            if let Some(parent) = self.open.get_mut(depth - 2) {
                parent.clauses += 1;
                self.links += 1;
            }
        }
    }
}

fn skip_line(bytes: &[u8], start: usize) -> usize {
    bytes.iter().skip(start).position(|byte| *byte == b'\n').map_or(bytes.len(), |length| start + length + 1)
}

/// Returns the position behind a string, short or long; at the end if it is not closed.
fn skip_string(bytes: &[u8], start: usize) -> usize {
    let quote = bytes[start];
    let is_long = bytes.get(start + 1) == Some(&quote) && bytes.get(start + 2) == Some(&quote);
    let mut position = start + if is_long { 3 } else { 1 };
    while let Some(byte) = bytes.get(position) {
        if *byte == b'\\' {
            position += 2;
        } else if *byte == quote && !is_long {
            return position + 1;
        } else if *byte == quote && bytes.get(position..position + 3) == Some(&[quote; 3]) {
            return position + 3;
        } else if matches!(byte, b'\n' | b'\r') && !is_long {
            // Not a string after all; a mistake that the parser reports.
            return position;
        } else {
            position += 1;
        }
    }
    bytes.len()
}

/// Returns the position of the `>` if an IRI begins at `start`.
fn iri_end(bytes: &[u8], start: usize) -> Option<usize> {
    let length =
        bytes.iter().skip(start + 1).position(|byte| *byte <= b' ' || b"<>\"{}|^`".contains(byte))?;
    let end = start + 1 + length;
    (bytes.get(end) == Some(&b'>')).then_some(end)
}

fn word_end(bytes: &[u8], start: usize) -> usize {
    bytes
        .iter()
        .skip(start)
        .position(|byte| !(byte.is_ascii_alphanumeric() || *byte >= 0x80 || *byte == b'_' || *byte == b'-'))
        .map_or(bytes.len(), |length| start + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_outside_strings_iris_and_comments() {
        let deep = "(".repeat(DEPTH_MAX + 1);
        for (text, is_fine) in [
            ("SELECT * { ?s ?p ?o }".to_owned(), true),
            (format!("SELECT ({deep}"), false),
            (format!("SELECT '{deep}'"), true),
            (format!("SELECT '''\n{deep}\\''''"), true),
            (format!("SELECT <http://e/{deep}>"), true),
            (format!("SELECT # {deep}\n*"), true),
            (format!("FILTER(1 <{deep} > 2"), false),
            ("VALUES () {".to_owned() + &"()".repeat(10_000), true),
            (format!("FILTER(1{})", "+1".repeat(10_000)), false),
            (format!("VALUES ?x {{ {} }}", "-1 ".repeat(10_000)), true),
            (format!("SELECT {} {{}}", "(1 AS ?x)".repeat(10_000)), false),
            (format!("HAVING {} {{}}", "(1)".repeat(10_000)), false),
            (
                format!(
                    "INSERT DATA {{ {} }}",
                    "GRAPH <g> { <s> <p> -1, 2 ; <q> '3'^^<t> . }".repeat(10_000)
                ),
                true,
            ),
            (format!("SELECT * {{ {} }}", "?s ?p 1, 2 . ".repeat(10_000)), false),
            ("{} UNION ".repeat(10_000), false),
            ("?union ".repeat(10_000), true),
        ] {
            assert_eq!(check(&text).is_ok(), is_fine, "{}", text.chars().take(60).collect::<String>());
        }
    }

    #[test]
    fn what_is_let_through_does_not_overflow_the_stack() {
        let session = crate::language::sparql::tests::session();
        for (open, middle, close) in
            [("SELECT * { FILTER(", "1", ")}"), ("SELECT * { ", "", "}"), ("SELECT * { ?s ?p ", "1", "}")]
        {
            for (left, right) in
                [("(", ")"), ("{", "}"), ("[ <p> ", "]"), ("{ SELECT * {", "}}"), ("ABS(", ")")]
            {
                for depth in [DEPTH_MAX - 4, 10_000] {
                    let text = format!("{open}{}{middle}{}{close}", left.repeat(depth), right.repeat(depth));
                    let _ = super::super::parse(&text, &session, None);
                }
            }
        }
        for link in [" + 1", " || true", " * 2"] {
            for count in [LINKS_MAX / 2 - 2, 100_000] {
                let text = format!("SELECT * {{ FILTER(1{}) }}", link.repeat(count));
                let _ = super::super::parse(&text, &session, None);
            }
        }
    }
}
