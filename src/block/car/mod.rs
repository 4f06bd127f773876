//! CARv1, the file format in which IPFS tools pass blocks on: a header with roots, then blocks, each
//! behind its length and its CID.
//!
//! It reads and writes sealed blocks one after the other, holding one at a time, and knows nothing of
//! what they hold or in which order they should come. Every length is bounded before anything is
//! allocated for it, and there is one spelling of everything: what [`CarReader`] accepts is, byte for
//! byte, what [`CarWriter`] would have written.
//!
//! # Source
//! <https://ipld.io/specs/transport/car/carv1/>

mod error;
mod header;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use error::CarError;
pub use reader::CarReader;
pub use writer::CarWriter;

/// Bytes of a CIDv1 of a raw block with a BLAKE3-256 hash.
const CID_BYTES: usize = 36;
/// No longer header is read: it has room for about 1,500 roots.
const HEADER_BYTES_MAX: usize = 64 << 10;
