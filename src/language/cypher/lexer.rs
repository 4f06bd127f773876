//! The lexer: text to tokens, comments and white space dropped.
//!
//! It knows no grammar: whether a word is a keyword, its place decides, and a number that cannot
//! be one is an error only where the parser wants an expression.

use super::token::{Span, Symbol, Token, TokenKind};
use crate::language::SyntaxError;

/// Splits a text into tokens; the last one is [`TokenKind::End`].
///
/// # Errors
/// If a string, comment or quoted name does not end, an escape is none, or a character belongs to
/// no token.
pub fn tokenize(text: &str) -> Result<Vec<Token<'_>>, SyntaxError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(SyntaxError::at(
            text,
            0,
            UNEXPECTED,
            format!("a query has at most {TEXT_BYTES_MAX} bytes"),
        ));
    }
    let mut lexer = Lexer { text, at: 0, tokens: Vec::with_capacity(text.len() / 4 + 1) };
    while lexer.skip_blanks()? {
        let start = lexer.at;
        let kind = lexer.token()?;
        lexer.push(kind, start);
    }
    lexer.push(TokenKind::End, text.len());
    Ok(lexer.tokens)
}

const TEXT_BYTES_MAX: usize = 16 << 20;
const UNEXPECTED: &str = "SyntaxError.UnexpectedSyntax";
const BAD_UNICODE: &str = "SyntaxError.InvalidUnicodeLiteral";
const BAD_NUMBER: TokenKind =
    TokenKind::BadNumber { code: "SyntaxError.InvalidNumberLiteral", message: "this is not a number" };
const TOO_BIG: TokenKind = TokenKind::BadNumber {
    code: "SyntaxError.IntegerOverflow",
    message: "this integer does not fit in 64 bits",
};
const FLOAT_TOO_BIG: TokenKind = TokenKind::BadNumber {
    code: "SyntaxError.FloatingPointOverflow",
    message: "this number is too large for a 64-bit float",
};

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token<'a>>,
}

impl<'a> Lexer<'a> {
    fn push(&mut self, kind: TokenKind, start: usize) {
        let span = Span { start: start as u32, end: self.at as u32 };
        self.tokens.push(Token { kind, text: &self.text[start..self.at], span });
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn error<T>(&self, offset: usize, code: &str, message: impl Into<String>) -> Result<T, SyntaxError> {
        Err(SyntaxError::at(self.text, offset, code, message))
    }

    /// Skips white space and comments; returns whether anything is left.
    fn skip_blanks(&mut self) -> Result<bool, SyntaxError> {
        loop {
            let rest = self.rest();
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                match rest.find("*/") {
                    Some(end) if end >= 2 => self.at += end + 2,
                    // `/*/` does not close itself.
                    Some(_) => match rest[3..].find("*/") {
                        Some(end) => self.at += end + 5,
                        None => return self.error(self.at, UNEXPECTED, "this comment does not end"),
                    },
                    None => return self.error(self.at, UNEXPECTED, "this comment does not end"),
                }
            } else {
                match self.peek() {
                    Some(c) if c.is_whitespace() || c == '\u{feff}' => self.at += c.len_utf8(),
                    Some(_) => return Ok(true),
                    None => return Ok(false),
                }
            }
        }
    }

    fn token(&mut self) -> Result<TokenKind, SyntaxError> {
        let rest = self.rest();
        match self.peek() {
            Some(c) if c.is_alphabetic() || c == '_' => {
                self.at += word_len(rest);
                Ok(TokenKind::Word)
            }
            Some(c) if c.is_ascii_digit() => Ok(self.number()),
            Some('.') if rest[1..].starts_with(|c: char| c.is_ascii_digit()) && !self.is_after_operand() => {
                Ok(self.number())
            }
            Some(quote @ ('\'' | '"')) => Ok(TokenKind::String(self.quoted(quote)?)),
            Some('`') => Ok(TokenKind::QuotedName(self.quoted('`')?)),
            Some('$') => self.parameter(),
            _ => self.symbol(),
        }
    }

    /// Returns whether the last token, without a blank between, may end an operand: then `.5` is no
    /// number but the rest of `a.5`.
    fn is_after_operand(&self) -> bool {
        self.tokens.last().is_some_and(|last| {
            last.span.end as usize == self.at
                && (last.is_symbol(Symbol::RightParen)
                    || last.is_symbol(Symbol::RightBracket)
                    || last.is_symbol(Symbol::RightBrace)
                    || matches!(last.kind, TokenKind::Word | TokenKind::QuotedName(_)))
        })
    }

    fn symbol(&mut self) -> Result<TokenKind, SyntaxError> {
        let rest = self.rest();
        if let Some(symbol) = Symbol::ALL.iter().find(|symbol| rest.starts_with(symbol.text())) {
            self.at += symbol.text().len();
            return Ok(TokenKind::Symbol(*symbol));
        }
        match self.peek() {
            Some(c) if !c.is_ascii() => {
                let code = "SyntaxError.InvalidUnicodeCharacter";
                self.error(self.at, code, format!("the character '{c}' has no meaning here"))
            }
            Some(c) => self.error(self.at, UNEXPECTED, format!("the character '{c}' has no meaning here")),
            None => self.error(self.at, UNEXPECTED, "the text ends too early"),
        }
    }

    fn parameter(&mut self) -> Result<TokenKind, SyntaxError> {
        self.at += 1;
        if self.peek() == Some('`') {
            return Ok(TokenKind::Parameter(self.quoted('`')?));
        }
        if self.peek() == Some('(') {
            return Ok(TokenKind::Symbol(Symbol::Dollar));
        }
        let len = word_len(self.rest());
        if len == 0 {
            return self.error(self.at, UNEXPECTED, "a parameter's name should follow '$'");
        }
        self.at += len;
        Ok(TokenKind::Parameter(self.text[self.at - len..self.at].to_owned()))
    }

    /// Reads a quoted text; a doubled quote and escapes stand for a character.
    fn quoted(&mut self, quote: char) -> Result<String, SyntaxError> {
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        loop {
            match self.peek() {
                None => return self.error(start, UNEXPECTED, format!("the closing {quote} is missing")),
                Some('\\') => out.push(self.escape()?),
                Some(c) => {
                    self.at += c.len_utf8();
                    if c != quote {
                        out.push(c);
                    } else if self.peek() == Some(quote) {
                        self.at += 1;
                        out.push(quote);
                    } else {
                        return Ok(out);
                    }
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        let start = self.at;
        self.at += 1;
        let Some(c) = self.peek() else {
            return self.error(start, UNEXPECTED, "the text ends within an escape");
        };
        self.at += c.len_utf8();
        match c {
            '\\' | '\'' | '"' | '`' => Ok(c),
            't' => Ok('\t'),
            'b' => Ok('\u{8}'),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            'f' => Ok('\u{c}'),
            'u' => self.unicode_escape(start, &[4]),
            'U' => self.unicode_escape(start, &[8, 6]),
            _ => self.error(start, UNEXPECTED, format!("'\\{c}' is no escape")),
        }
    }

    fn unicode_escape(&mut self, start: usize, lengths: &[usize]) -> Result<char, SyntaxError> {
        let Some(mut code) = lengths.iter().find_map(|len| self.hex_digits(*len)) else {
            return self.error(
                start,
                BAD_UNICODE,
                format!("{} hexadecimal digits should follow", lengths[0]),
            );
        };
        if (0xd800..0xdc00).contains(&code) && self.rest().starts_with("\\u") {
            // A surrogate pair, as JSON writes it.
            self.at += 2;
            match self.hex_digits(4) {
                Some(low @ 0xdc00..=0xdfff) => code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00),
                _ => return self.error(start, BAD_UNICODE, "this surrogate has no other half"),
            }
        }
        match char::from_u32(code) {
            Some(c) => Ok(c),
            None => self.error(start, BAD_UNICODE, "there is no such character"),
        }
    }

    fn hex_digits(&mut self, len: usize) -> Option<u32> {
        let digits = self.rest().get(..len)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        self.at += len;
        u32::from_str_radix(digits, 16).ok()
    }

    /// Reads a number in any form; what follows it without a blank belongs to it.
    fn number(&mut self) -> TokenKind {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        if let [b'0', radix @ (b'x' | b'X' | b'o' | b'O'), ..] = bytes {
            let radix = if radix.eq_ignore_ascii_case(&b'x') { 16 } else { 8 };
            let digits = &rest[2..2 + word_len(&rest[2..])];
            self.at += 2 + digits.len();
            return integer(digits, radix);
        }
        let mut len = digits_len(bytes);
        let mut is_float = false;
        if bytes.get(len) == Some(&b'.') && bytes.get(len + 1).is_some_and(u8::is_ascii_digit) {
            is_float = true;
            len += 1 + digits_len(&bytes[len + 1..]);
        }
        if let Some(b'e' | b'E') = bytes.get(len) {
            let sign = usize::from(matches!(bytes.get(len + 1), Some(b'+' | b'-')));
            if bytes.get(len + 1 + sign).is_some_and(u8::is_ascii_digit) {
                is_float = true;
                len += 1 + sign + digits_len(&bytes[len + 1 + sign..]);
            }
        }
        let digits = &rest[..len];
        let tail = &rest[len..len + word_len(&rest[len..])];
        self.at += len + tail.len();
        match tail {
            "" if !is_float => integer(digits, 10),
            "" => float(digits),
            "f" | "F" | "d" | "D" if is_float => float(digits),
            _ => BAD_NUMBER,
        }
    }
}

fn word_len(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || c == '_' || is_extender(c))).unwrap_or(text.len())
}

/// Combining marks and connectors, which may stand within a name but not begin it.
fn is_extender(c: char) -> bool {
    matches!(c, '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}' | '\u{2040}' | '\u{200c}' | '\u{200d}')
}

fn digits_len(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| b.is_ascii_digit() || **b == b'_').count()
}

fn integer(digits: &str, radix: u32) -> TokenKind {
    let plain = digits.replace('_', "");
    if plain.is_empty() || !plain.chars().all(|c| c.is_digit(radix)) {
        return BAD_NUMBER;
    }
    match u64::from_str_radix(&plain, radix) {
        Ok(value) if value <= 1 << 63 => TokenKind::Integer(value),
        _ => TOO_BIG,
    }
}

fn float(digits: &str) -> TokenKind {
    match digits.replace('_', "").parse::<f64>() {
        Ok(value) if value.is_finite() => TokenKind::Float(value),
        Ok(_) => FLOAT_TOO_BIG,
        Err(_) => BAD_NUMBER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[TokenKind]) {
        let tokens = tokenize(text).unwrap();
        let kinds: Vec<TokenKind> = tokens.into_iter().map(|token| token.kind).collect();
        assert_eq!(&kinds[..kinds.len() - 1], expected, "{text}");
    }

    #[test]
    fn numbers_in_all_forms() {
        use TokenKind::{Float, Integer};
        check("1 0x1F 0o17 1_000", &[Integer(1), Integer(31), Integer(15), Integer(1000)]);
        check("1.5 .5 1e3 1.0f 2.5E-1d", &[Float(1.5), Float(0.5), Float(1000.0), Float(1.0), Float(0.25)]);
        check("9223372036854775808", &[Integer(1 << 63)]);
        check("9223372036854775809 1.34E999", &[TOO_BIG, FLOAT_TOO_BIG]);
        check("9h4 0x 0x1j 1f", &[BAD_NUMBER, BAD_NUMBER, BAD_NUMBER, BAD_NUMBER]);
        let range = TokenKind::Symbol(Symbol::DotDot);
        check("1..3", &[Integer(1), range.clone(), Integer(3)]);
        check("*..2", &[TokenKind::Symbol(Symbol::Star), range, Integer(2)]);
    }

    #[test]
    fn quotes_and_escapes() {
        let string = |text: &str| TokenKind::String(text.to_owned());
        check(
            r#"'a' "b" '' '\'' 'it''s'"#,
            &[string("a"), string("b"), string(""), string("'"), string("it's")],
        );
        check(r"'\t\u00e9\U01F600\uD83D\uDE00'", &[string("\té😀😀")]);
        check(
            "`a``b` $x $`y z` $0",
            &[
                TokenKind::QuotedName("a`b".into()),
                TokenKind::Parameter("x".into()),
                TokenKind::Parameter("y z".into()),
                TokenKind::Parameter("0".into()),
            ],
        );
    }

    #[test]
    fn comments_are_blank() {
        check("a // b\n/* c */ d /*/ e */", &[TokenKind::Word, TokenKind::Word]);
    }

    #[test]
    fn what_is_no_token_is_refused_at_its_place() {
        for (text, code, column) in [
            ("RETURN '\\uH'", BAD_UNICODE, 9),
            ("RETURN 42 — 41", "SyntaxError.InvalidUnicodeCharacter", 11),
            ("RETURN 9#5", UNEXPECTED, 9),
            ("RETURN 'a", UNEXPECTED, 8),
            ("/* a", UNEXPECTED, 1),
            ("RETURN $", UNEXPECTED, 9),
        ] {
            let error = tokenize(text).unwrap_err();
            assert_eq!((error.code.as_str(), error.column), (code, column), "{text}");
        }
    }
}
