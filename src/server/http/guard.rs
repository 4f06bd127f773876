//! The door: who may come in, where the node asks for tokens.

use axum::http::{HeaderMap, Request, StatusCode, header};
use data_encoding::BASE64;

use super::problem::Problem;
use super::request::header_text;
use crate::server::status_code;
use crate::server::tokens::{Tokens, User};

/// What anybody may ask: whether the node lives, and what the page at `/` looks like.
const OPEN: [&str; 3] = ["/", "/healthz", "/readyz"];

/// Checks a request and notes who sends it.
///
/// # Errors
/// 401 without a token that the node knows.
pub fn admit<B>(request: &mut Request<B>, tokens: Option<&Tokens>) -> Result<(), Problem> {
    let Some(tokens) = tokens else { return Ok(()) };
    match user(request.headers(), tokens) {
        Some(user) => {
            request.extensions_mut().insert(user);
            Ok(())
        }
        None if OPEN.contains(&request.uri().path()) => Ok(()),
        None => Err(unauthorized(request.headers().contains_key(header::AUTHORIZATION))),
    }
}

fn unauthorized(has_tried: bool) -> Problem {
    let why = if has_tried { "the node does not know this token" } else { "this node asks for a token" };
    Problem::new(StatusCode::UNAUTHORIZED, status_code::UNAUTHORIZED, why)
        .header(
            header::WWW_AUTHENTICATE,
            r#"Bearer realm="reefloom", Basic realm="reefloom", charset="UTF-8""#,
        )
        .hint("send `Authorization: Bearer <token>`, or Basic with the token as the password")
}

fn user(headers: &HeaderMap, tokens: &Tokens) -> Option<User> {
    let text = header_text(headers, header::AUTHORIZATION)?;
    let (scheme, credentials) = text.split_once(' ')?;
    let credentials = credentials.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return tokens.find(None, credentials);
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64.decode(credentials.as_bytes()).ok()?).ok()?;
    let (name, token) = decoded.split_once(':')?;
    tokens.find(Some(name), token)
}
