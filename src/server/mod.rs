//! The server: protocols in front of the engine. It reads bytes from sockets and the wall clock,
//! and knows nothing of plans or storage.

#[expect(clippy::result_large_err, reason = "a problem is made at most once for a request")]
mod http;

pub use http::{HttpOptions, HttpServices, serve};
