//! `Tokens`: who may come in, where a node asks for tokens.
//!
//! ```text
//! # a line a token, with a name before it or without
//! anna:4b3c0f6a9d...
//! 91f0ce07b2e4...
//! ```

use std::fmt;

/// Shorter ones can be guessed.
const TOKEN_BYTES_MIN: usize = 16;

/// Kept as hashes: neither a core dump nor how long a comparison takes tells a token.
#[derive(Clone, Default)]
pub struct Tokens(Vec<Entry>);

#[derive(Clone)]
struct Entry {
    name: Option<String>,
    hash: blake3::Hash,
}

/// Who came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User(pub String);

/// What is wrong with a file of tokens.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct TokensError {
    line: usize,
    why: &'static str,
}

impl Tokens {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// For lines that are no tokens, and for a file without any, which would let nobody in.
    pub fn parse(text: &str) -> Result<Tokens, TokensError> {
        let mut tokens = Tokens::default();
        let mut last = 0;
        for (line, content) in (1..).zip(text.lines()) {
            last = line;
            let content = content.trim();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let refuse = |why| TokensError { line, why };
            let (name, token) = match content.split_once(':') {
                Some((name, token)) => (Some(name.trim()), token.trim()),
                None => (None, content),
            };
            if name == Some("") {
                return Err(refuse("there is no name before the colon"));
            }
            if token.len() < TOKEN_BYTES_MIN {
                return Err(refuse("a token has 16 characters at least"));
            }
            if token.contains(|c: char| c.is_whitespace() || c.is_control()) {
                return Err(refuse("a token has no spaces"));
            }
            tokens.add(name, token);
        }
        match tokens.0.is_empty() {
            true => Err(TokensError { line: last.max(1), why: "there is no token in the file" }),
            false => Ok(tokens),
        }
    }

    pub fn add(&mut self, name: Option<&str>, token: &str) {
        self.0.push(Entry { name: name.map(str::to_owned), hash: blake3::hash(token.as_bytes()) });
    }

    /// Returns whose token this is. A name that comes with it must be the token's, if that has one.
    pub fn find(&self, name: Option<&str>, token: &str) -> Option<User> {
        let hash = blake3::hash(token.as_bytes());
        let mut found = None;
        // All are compared, each in constant time, whichever it is.
        for entry in &self.0 {
            let is_same = entry.hash == hash;
            let fits = match (&entry.name, name) {
                (Some(own), Some(name)) => own == name,
                _ => true,
            };
            if is_same && fits {
                found = Some(entry);
            }
        }
        let name = |entry: &Entry| entry.name.clone().or(name.map(str::to_owned)).unwrap_or_default();
        found.map(|entry| User(name(entry)))
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tokens", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lets_its_owner_in_and_nobody_else() {
        let tokens = Tokens::parse("# ours\n\n anna : 0123456789abcdef \nfedcba9876543210\n").unwrap();
        let found = |name, token| tokens.find(name, token).map(|User(name)| name);
        assert_eq!(found(Some("anna"), "0123456789abcdef"), Some("anna".to_owned()));
        assert_eq!(found(None, "0123456789abcdef"), Some("anna".to_owned()));
        assert_eq!(found(Some("bert"), "0123456789abcdef"), None);
        assert_eq!(found(Some("bert"), "fedcba9876543210"), Some("bert".to_owned()));
        assert_eq!(found(None, "fedcba987654321"), None);
        assert_eq!(found(None, ""), None);
        assert_eq!(format!("{tokens:?}"), "2 tokens");
    }

    #[test]
    fn a_file_that_would_let_in_nobody_or_anybody_is_refused() {
        for (text, line) in
            [("", 1), ("# none\n", 1), ("short", 1), ("\n:0123456789abcdef", 2), ("a:0123456789 abcdef", 1)]
        {
            assert_eq!(Tokens::parse(text).unwrap_err().line, line, "{text}");
        }
    }
}
