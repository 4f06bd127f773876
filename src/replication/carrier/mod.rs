//! Carrier files: a workspace, or its news, in a file that travels by hand. Drawn in
//! docs/carrier_file.md.
//!
//! The file is a CAR whose first block says, sealed under the workspace's key, what the others are.
//! Whoever lacks the key learns sizes and counts. Out: [`Selection`] -> [`Consignment`] -> bytes. In, each
//! step of trust a type: [`Carrier`] (a CAR with one root) -> [`Contents`] (our key opened its first
//! block) -> [`Arrival`] (all that was announced is here, verified and durable). Only an arrival moves
//! branches.

mod contents;
mod error;
mod export;
mod import;
#[cfg(test)]
mod tests;

pub use contents::Contents;
pub use error::CarrierError;
pub use export::{Consignment, Selection};
pub use import::{Arrival, Carrier, Followed};
