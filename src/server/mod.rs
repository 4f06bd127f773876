//! The server: protocols in front of the engine. It reads bytes from sockets and the wall clock,
//! and knows nothing of plans or storage.

pub mod bolt;
mod database;
#[expect(clippy::result_large_err, reason = "a problem is made at most once for a request")]
mod http;
mod status_code;
mod tls;
mod tokens;

use std::time::{SystemTime, UNIX_EPOCH};

pub use bolt::{BoltOptions, serve as serve_bolt};
pub use http::{HttpOptions, HttpServices, serve};
pub use tls::{Tls, TlsError};
pub use tokens::{Tokens, TokensError};

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
