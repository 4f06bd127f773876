//! The unit that is stored and exchanged: sealed bytes named by their hash.
//!
//! Each step of trust is a type: [`UntrustedBlock`] (somebody claims an id) -> `verify` ->
//! [`SealedBlock`] (the bytes hash to the id) -> `open` -> [`PlainBlock`] (our key opened it). This
//! room knows neither what blocks hold nor where they come from.

pub mod car;
mod error;
mod id;
mod reader;
mod scratch;
mod sealed;
mod source;

pub use error::BlockError;
pub use id::{BlockId, ParseIdError};
pub use reader::{BlockReader, Decode, ReaderCounters};
pub use scratch::{MemoryScratch, Scratch, ScratchFile};
pub use sealed::{BLOCK_BYTES_MAX, BlockKind, PlainBlock, SealedBlock, UntrustedBlock};
pub use source::{BlockSink, BlockSource};
