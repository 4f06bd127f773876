//! What the protocols share in reading a request: parameters, bodies, who may write.

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};

use super::problem::Problem;
use crate::engine::Explain;

/// Decoded `name=value` pairs of a query string or a form, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub fn parse(text: &[u8]) -> Parameters {
        Parameters(form_urlencoded::parse(text).into_owned().collect())
    }

    pub fn of_query(parts: &Parts) -> Parameters {
        Parameters::parse(parts.uri.query().unwrap_or_default().as_bytes())
    }

    pub fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the value of a parameter that may stand once.
    ///
    /// # Errors
    /// Where it stands twice.
    pub fn one(&self, name: &str) -> Result<Option<&str>, Problem> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (first, None) => Ok(first),
            (_, Some(_)) => Err(Problem::bad_request(
                "DUPLICATE_PARAMETER",
                format!("the parameter '{name}' stands twice"),
            )),
        }
    }

    /// Returns what is asked for with `explain` or `profile`.
    pub fn explain(&self) -> Result<Option<Explain>, Problem> {
        let profile = self.is_on("profile")?.then_some(Explain::Profile);
        Ok(profile.or(self.is_on("explain")?.then_some(Explain::Plan)))
    }

    /// Returns whether a switch is on: `name`, `name=true` or `name=1`.
    pub fn is_on(&self, name: &str) -> Result<bool, Problem> {
        match self.one(name)? {
            None | Some("false" | "0") => Ok(false),
            Some("" | "true" | "1") => Ok(true),
            Some(other) => Err(Problem::bad_request(
                "BAD_PARAMETER",
                format!("'{name}' is true or false, not '{other}'"),
            )),
        }
    }
}

/// Returns a header's text; `None` if it is absent or not text. Repeated headers are joined by
/// commas, as RFC 9110 has it.
pub(super) fn header_text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

/// Returns the media type of the body in lower case, without parameters; empty if there is none.
///
/// # Errors
/// 415 for a charset that is not UTF-8.
pub(super) fn content_type(headers: &HeaderMap, understood: &[&str]) -> Result<String, Problem> {
    media_type_of(&header_text(headers, header::CONTENT_TYPE).unwrap_or_default(), understood)
}

/// Returns the media type of a Content-Type, as [`content_type`] does.
pub(super) fn media_type_of(text: &str, understood: &[&str]) -> Result<String, Problem> {
    let mut parts = text.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
    let charset =
        parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.eq_ignore_ascii_case("charset"));
    match charset.map(|(_, value)| value.trim_matches('"').to_ascii_lowercase()) {
        None => Ok(media_type),
        Some(charset) if matches!(charset.as_str(), "utf-8" | "utf8" | "us-ascii") => Ok(media_type),
        Some(_) => Err(Problem::unsupported(text, understood).hint("the only charset is UTF-8")),
    }
}

/// Reads a body of UTF-8 text.
///
/// # Errors
/// As [`read_bytes`]; 400 if it is no UTF-8.
pub(super) async fn read_text(headers: &HeaderMap, body: Body, bytes_max: usize) -> Result<String, Problem> {
    let bytes = read_bytes(headers, body, bytes_max).await?;
    String::from_utf8(bytes.to_vec()).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        Problem::bad_request("INVALID_UTF8", format!("the body is no UTF-8 after byte {valid}"))
    })
}

/// Reads a body.
///
/// # Errors
/// 413 if it is longer than `bytes_max`; 400 if it breaks off.
pub(super) async fn read_bytes(headers: &HeaderMap, body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    let too_large = || {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "PAYLOAD_TOO_LARGE",
            format!("the body is longer than {bytes_max} bytes"),
        )
    };
    let announced = header_text(headers, header::CONTENT_LENGTH).and_then(|text| text.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > bytes_max) {
        return Err(too_large());
    }
    axum::body::to_bytes(body, bytes_max).await.map_err(|error| {
        let is_limit =
            std::error::Error::source(&error).is_some_and(|source| source.to_string().contains("limit"));
        if is_limit { too_large() } else { Problem::bad_request("BODY_BROKEN", "the body broke off") }
    })
}

/// Refuses a write that a page of another site makes the user's browser send: a node listens on
/// the user's own machine, where such a page could otherwise reach it.
pub(super) fn check_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(origin) = header_text(headers, header::ORIGIN) else { return Ok(()) };
    let host = header_text(headers, header::HOST).unwrap_or_default();
    let authority = origin.split_once("://").map_or(origin.as_str(), |(_, authority)| authority);
    let name = authority.rsplit_once(':').map_or(authority, |(name, _)| name);
    if authority.eq_ignore_ascii_case(&host) || matches!(name, "localhost" | "127.0.0.1" | "[::1]") {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "CROSS_ORIGIN_WRITE",
        format!("pages of {origin} may read this node, not write to it"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_counted() {
        let parameters = Parameters::parse(b"query=a+b%26&g=1&g=2&explain&x=maybe");
        assert_eq!(parameters.one("query").unwrap(), Some("a b&"));
        assert_eq!(parameters.one("none").unwrap(), None);
        assert!(parameters.one("g").is_err());
        assert_eq!(parameters.all("g").collect::<Vec<_>>(), ["1", "2"]);
        assert!(parameters.is_on("explain").unwrap());
        assert!(!parameters.is_on("none").unwrap());
        assert!(parameters.is_on("x").is_err());
    }

    #[test]
    fn other_sites_may_not_write() {
        let check = |origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "node.example:4242".parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            check_origin(&headers).is_ok()
        };
        assert!(check(None));
        assert!(check(Some("http://node.example:4242")));
        assert!(check(Some("http://localhost:5173")));
        assert!(!check(Some("https://evil.example")));
        assert!(!check(Some("https://localhost.evil.example")));
        assert!(!check(Some("null")));
    }
}
