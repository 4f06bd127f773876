//! Tokens as a nom input, and the furthest failure: what the message of a refused text is made of.

use std::cell::{Cell, RefCell};

use nom::error::ErrorKind;
use nom::{IResult, Input, Needed, Parser};

use super::super::ast::Name;
use super::super::token::{Span, Symbol, Token, TokenKind};
use crate::language::SyntaxError;

pub(super) const UNEXPECTED: &str = "SyntaxError.UnexpectedSyntax";

/// How deep a tree a text may make: parsing and all that follows recurse over it.
#[derive(Clone, Copy, Debug)]
pub struct Depth {
    /// How deep expressions, patterns and subqueries may nest.
    nesting: u32,
    /// How many operators may follow each other (`1 + 2 + ...`); AND and OR are not limited.
    chain: usize,
}

impl Depth {
    /// What any thread's stack bears.
    pub const USUAL: Depth = Depth { nesting: 10, chain: 40 };
    /// What a thread with [`Depth::STACK_BYTES`] of stack bears.
    pub const MAX: Depth = Depth { nesting: 100, chain: 250 };
    pub const STACK_BYTES: usize = 64 << 20;
}

/// How many steps a path may have, and how many paths a MATCH.
pub(super) const STEPS_MAX: usize = 100;
/// How many clauses a query may have.
pub(super) const CLAUSES_MAX: usize = 1000;

pub(super) type Parsed<'a, T> = IResult<Tokens<'a>, T, Fault>;

/// What one parse shares: the text, its brackets, and how far any attempt came.
pub(super) struct State<'a> {
    pub(super) text: &'a str,
    tokens: Vec<Token<'a>>,
    /// For each token that opens a bracket, the token that closes it.
    closing: Vec<Option<u32>>,
    furthest: RefCell<Furthest>,
    limit: Depth,
    depth: Cell<u32>,
    is_too_deep: Cell<bool>,
}

#[derive(Default)]
struct Furthest {
    token: usize,
    expected: Vec<&'static str>,
}

/// The tokens not read yet.
#[derive(Clone, Copy)]
pub(super) struct Tokens<'a> {
    pub(super) rest: &'a [Token<'a>],
    pub(super) state: &'a State<'a>,
}

/// Why a parser does not go on. Without a message, the furthest failure makes one.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) specific: Option<Box<(Span, &'static str, String)>>,
}

impl<'a> State<'a> {
    pub(super) fn new(text: &'a str, tokens: Vec<Token<'a>>, limit: Depth) -> State<'a> {
        let mut closing = vec![None; tokens.len()];
        let mut open: Vec<usize> = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            match token.kind {
                TokenKind::Symbol(Symbol::LeftParen | Symbol::LeftBracket | Symbol::LeftBrace) => {
                    open.push(at)
                }
                TokenKind::Symbol(Symbol::RightParen | Symbol::RightBracket | Symbol::RightBrace) => {
                    if let Some(start) = open.pop() {
                        closing[start] = Some(at as u32);
                    }
                }
                _ => {}
            }
        }
        State {
            text,
            tokens,
            closing,
            furthest: RefCell::default(),
            limit,
            depth: Cell::new(0),
            is_too_deep: Cell::new(false),
        }
    }

    /// Returns whether the parse was given up for its depth.
    pub(super) fn is_too_deep(&self) -> bool {
        self.is_too_deep.get()
    }

    pub(super) fn tokens(&'a self) -> Tokens<'a> {
        Tokens { rest: &self.tokens, state: self }
    }

    /// Makes the message: from the fault itself if it has one, else from the furthest failure.
    pub(super) fn error(&self, fault: Fault) -> SyntaxError {
        if let Some(specific) = fault.specific {
            let (span, code, message) = *specific;
            return SyntaxError::at(self.text, span.start as usize, code, message);
        }
        let furthest = self.furthest.borrow();
        let token = &self.tokens[furthest.token.min(self.tokens.len() - 1)];
        let found = match token.kind {
            TokenKind::End => "the end of the query".to_owned(),
            _ => format!("'{}'", token.text.chars().take(40).collect::<String>()),
        };
        let mut expected = furthest.expected.clone();
        expected.truncate(8);
        let message = match expected.split_last() {
            None => format!("unexpected {found}"),
            Some((last, [])) => format!("expected {last}, found {found}"),
            Some((last, rest)) => format!("expected {} or {last}, found {found}", rest.join(", ")),
        };
        SyntaxError::at(self.text, token.span.start as usize, UNEXPECTED, message)
    }
}

impl<'a> Tokens<'a> {
    pub(super) fn position(&self) -> usize {
        self.state.tokens.len() - self.rest.len()
    }

    /// Returns the token `ahead` places from here; the end token past the end.
    pub(super) fn peek(&self, ahead: usize) -> &'a Token<'a> {
        self.rest.get(ahead).unwrap_or(&self.state.tokens[self.state.tokens.len() - 1])
    }

    pub(super) fn advance(&self, count: usize) -> Tokens<'a> {
        Tokens { rest: &self.rest[count.min(self.rest.len() - 1)..], state: self.state }
    }

    /// Returns how many tokens ahead the bracket closes that opens `ahead` places from here.
    pub(super) fn closing(&self, ahead: usize) -> Option<usize> {
        let at = self.position() + ahead;
        let close = (*self.state.closing.get(at)?)? as usize;
        Some(close - self.position())
    }

    pub(super) fn is_symbol(&self, ahead: usize, symbol: Symbol) -> bool {
        self.peek(ahead).is_symbol(symbol)
    }

    pub(super) fn is_keyword(&self, ahead: usize, keyword: &str) -> bool {
        self.peek(ahead).is_keyword(keyword)
    }

    /// Returns the bytes from here to where `end` stands.
    pub(super) fn span_to(&self, end: &Tokens<'a>) -> Span {
        let start = self.peek(0).span.start;
        let last = end.position().checked_sub(1).map_or(start, |at| self.state.tokens[at].span.end);
        Span { start, end: last.max(start) }
    }

    /// Notes that `expected` would have fitted here, and fails.
    pub(super) fn expected<T>(self, expected: &'static str) -> Parsed<'a, T> {
        let mut furthest = self.state.furthest.borrow_mut();
        if self.position() > furthest.token {
            *furthest = Furthest { token: self.position(), expected: Vec::new() };
        }
        if self.position() == furthest.token && !furthest.expected.contains(&expected) {
            furthest.expected.push(expected);
        }
        Err(nom::Err::Error(Fault { specific: None }))
    }

    /// Refuses the text for good, with a message of its own.
    pub(super) fn refuse<T>(self, code: &'static str, message: impl Into<String>) -> Parsed<'a, T> {
        let specific = Box::new((self.peek(0).span, code, message.into()));
        Err(nom::Err::Failure(Fault { specific: Some(specific) }))
    }
}

impl nom::error::ParseError<Tokens<'_>> for Fault {
    fn from_error_kind(_: Tokens<'_>, _: ErrorKind) -> Fault {
        Fault { specific: None }
    }

    fn append(_: Tokens<'_>, _: ErrorKind, other: Fault) -> Fault {
        other
    }
}

impl<'a> Input for Tokens<'a> {
    type Item = &'a Token<'a>;
    type Iter = std::slice::Iter<'a, Token<'a>>;
    type IterIndices = std::iter::Enumerate<std::slice::Iter<'a, Token<'a>>>;

    fn input_len(&self) -> usize {
        self.rest.len()
    }

    fn take(&self, index: usize) -> Self {
        Tokens { rest: &self.rest[..index], state: self.state }
    }

    fn take_from(&self, index: usize) -> Self {
        Tokens { rest: &self.rest[index..], state: self.state }
    }

    fn take_split(&self, index: usize) -> (Self, Self) {
        (self.take_from(index), self.take(index))
    }

    fn position<P: Fn(Self::Item) -> bool>(&self, predicate: P) -> Option<usize> {
        self.rest.iter().position(predicate)
    }

    fn iter_elements(&self) -> Self::Iter {
        self.rest.iter()
    }

    fn iter_indices(&self) -> Self::IterIndices {
        self.rest.iter().enumerate()
    }

    fn slice_index(&self, count: usize) -> Result<usize, Needed> {
        if count <= self.rest.len() { Ok(count) } else { Err(Needed::new(count - self.rest.len())) }
    }
}

/// Reads one symbol.
pub(super) fn symbol<'a>(symbol: Symbol) -> impl Fn(Tokens<'a>) -> Parsed<'a, ()> {
    move |input| {
        if input.is_symbol(0, symbol) { Ok((input.advance(1), ())) } else { input.expected(quoted(symbol)) }
    }
}

/// Reads one keyword, given in capitals.
pub(super) fn keyword<'a>(keyword: &'static str) -> impl Fn(Tokens<'a>) -> Parsed<'a, ()> {
    move |input| {
        if input.is_keyword(0, keyword) { Ok((input.advance(1), ())) } else { input.expected(keyword) }
    }
}

/// Reads several keywords in a row.
pub(super) fn keywords<'a>(words: &'static [&'static str]) -> impl Fn(Tokens<'a>) -> Parsed<'a, ()> {
    move |input| {
        let mut rest = input;
        for word in words {
            rest = keyword(word)(rest)?.0;
        }
        Ok((rest, ()))
    }
}

/// Rule `Name`: any word, reserved or not, or a quoted name. For keys, labels, types and aliases.
pub(super) fn any_name<'a>(input: Tokens<'a>) -> Parsed<'a, Name> {
    let token = input.peek(0);
    let text = match &token.kind {
        TokenKind::Word => token.text.to_owned(),
        TokenKind::QuotedName(name) => name.clone(),
        _ => return input.expected("a name"),
    };
    Ok((input.advance(1), Name { text, span: token.span }))
}

/// Rule `Variable`: a name that no keyword may be mistaken for.
pub(super) fn variable<'a>(input: Tokens<'a>) -> Parsed<'a, Name> {
    if input.peek(0).kind == TokenKind::Word && is_reserved(input.peek(0).text) {
        return input.expected("a variable");
    }
    match any_name(input) {
        Err(_) => input.expected("a variable"),
        found => found,
    }
}

pub(super) fn is_reserved(word: &str) -> bool {
    const RESERVED: &[&str] = &[
        "AND", "AS", "CASE", "CONTAINS", "CREATE", "DELETE", "DETACH", "DISTINCT", "ELSE", "END", "ENDS",
        "FALSE", "IN", "IS", "LIMIT", "MATCH", "MERGE", "NOT", "NULL", "ON", "OPTIONAL", "OR", "ORDER",
        "REMOVE", "RETURN", "SET", "SKIP", "STARTS", "THEN", "TRUE", "UNION", "UNWIND", "WHEN", "WHERE",
        "WITH", "XOR", "YIELD",
    ];
    RESERVED.iter().any(|reserved| word.eq_ignore_ascii_case(reserved))
}

/// Runs a parser one level deeper; refuses what nests too deep.
pub(super) fn nested<'a, T>(
    mut parser: impl Parser<Tokens<'a>, Output = T, Error = Fault>,
    input: Tokens<'a>,
) -> Parsed<'a, T> {
    let depth = &input.state.depth;
    let max = input.state.limit.nesting;
    if depth.get() >= max {
        input.state.is_too_deep.set(true);
        return input.refuse(UNEXPECTED, format!("this nests deeper than {max} levels"));
    }
    depth.set(depth.get() + 1);
    let parsed = parser.parse(input);
    depth.set(depth.get() - 1);
    parsed
}

/// Refuses a chain of operators that is too long.
pub(super) fn check_chain<'a>(length: usize, input: Tokens<'a>) -> Parsed<'a, ()> {
    let max = input.state.limit.chain;
    if length <= max {
        return Ok((input, ()));
    }
    input.state.is_too_deep.set(true);
    input.refuse(UNEXPECTED, format!("more than {max} operators in a row; use a list"))
}

fn quoted(symbol: Symbol) -> &'static str {
    match symbol {
        Symbol::LeftParen => "'('",
        Symbol::RightParen => "')'",
        Symbol::LeftBracket => "'['",
        Symbol::RightBracket => "']'",
        Symbol::LeftBrace => "'{'",
        Symbol::RightBrace => "'}'",
        Symbol::Comma => "','",
        Symbol::Colon => "':'",
        Symbol::Pipe => "'|'",
        other => other.text(),
    }
}
