//! Who a client is: whoever reaches the port, unless the node asks for tokens.

use super::failure::Failure;
use super::message::text_of;
use super::packstream::Entries;
use crate::server::status_code::UNAUTHORIZED;
use crate::server::tokens::{Tokens, User};

/// Checks what a client says of itself in HELLO or LOGON; `None` is nobody in particular. Where the node asks
/// for no tokens, names and passwords are taken and not looked at.
///
/// A driver that was given nothing sends nothing.
pub fn admit(token: &Entries, tokens: Option<&Tokens>) -> Result<Option<User>, Failure> {
    let refuse = |message: String| Err(Failure::new(UNAUTHORIZED, message));
    let scheme = text_of(token, "scheme");
    let credentials = text_of(token, "credentials");
    let (name, tokens) = match (scheme.as_deref(), tokens) {
        (None | Some("none" | "basic"), None) => return Ok(None),
        (Some("basic"), Some(tokens)) => (text_of(token, "principal"), tokens),
        (Some("bearer"), Some(tokens)) => (None, tokens),
        (None | Some("none"), Some(_)) => {
            return refuse("this node asks for a token: as the password of basic, or as bearer".to_owned());
        }
        (Some(other), tokens) => {
            let known = if tokens.is_some() { "basic or bearer" } else { "none or basic" };
            return refuse(format!("the authentication scheme '{other}' is not supported; use {known}"));
        }
    };
    match credentials.and_then(|token| tokens.find(name.as_deref(), &token)) {
        Some(user) => Ok(Some(user)),
        None => refuse("the node does not know this token".to_owned()),
    }
}
