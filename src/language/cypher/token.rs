//! Tokens: words, literals and symbols with the bytes they came from.

/// Bytes `start..end` of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Token<'a> {
    pub kind: TokenKind,
    /// The token as written.
    pub text: &'a str,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum TokenKind {
    /// A name or keyword; which of them, its place decides.
    Word,
    /// A name in back-ticks, unescaped.
    QuotedName(String),
    /// A string, unescaped.
    String(String),
    /// A magnitude; at most 2^63, the last only after a minus sign.
    Integer(u64),
    Float(f64),
    /// `$name`, without the sign.
    Parameter(String),
    /// Begins like a number and is none; an error only where an expression would be one.
    BadNumber {
        code: &'static str,
        message: &'static str,
    },
    Symbol(Symbol),
    End,
}

macro_rules! symbols {
    ($($name:ident $text:literal)*) => {
        /// Punctuation and operators.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Symbol { $($name),* }

        impl Symbol {
            /// Longest first, so that the first that fits is the one.
            pub const ALL: &[Symbol] = &[$(Symbol::$name),*];

            pub fn text(self) -> &'static str {
                match self { $(Symbol::$name => $text),* }
            }
        }
    };
}

symbols! {
    DotDot ".." NotEqual "<>" LessOrEqual "<=" GreaterOrEqual ">=" RegexMatch "=~" PlusEqual "+="
    LeftParen "(" RightParen ")" LeftBracket "[" RightBracket "]" LeftBrace "{" RightBrace "}"
    Comma "," Colon ":" Semicolon ";" Dot "." Pipe "|" Ampersand "&" Bang "!" Plus "+" Minus "-"
    Star "*" Slash "/" Percent "%" Caret "^" Equal "=" Less "<" Greater ">" Dollar "$"
}

impl Token<'_> {
    pub fn is_symbol(&self, symbol: Symbol) -> bool {
        self.kind == TokenKind::Symbol(symbol)
    }

    /// Returns whether this is the keyword, which is given in capitals.
    pub fn is_keyword(&self, keyword: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(keyword)
    }
}
