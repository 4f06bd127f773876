//! The server: protocols in front of the engine. It reads bytes from sockets and the wall clock,
//! and knows nothing of plans or storage.

mod http;

pub use http::{HttpOptions, serve};
