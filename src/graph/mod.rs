//! A graph as sorted, immutable blocks: dictionaries, permutations, edges, and the manifest over them.
//!
//! This room does no I/O and knows no peers, commits or branches: it is handed a `BlockReader` to
//! read with and a `BlockSink` to write to.

mod bits;
mod builder;
mod column;
mod cursor;
mod dictionary;
mod error;
mod facts;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod manifest;
mod rows;
mod run;
mod scan;
mod survey;
mod term_key;
mod terms;
mod write;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;

pub use builder::RunBuilder;
pub use cursor::Malformed;
pub use dictionary::{EncodedDictionary, decode_terms, encode_terms};
pub use error::WriteError;
pub use rows::{decode_quads, encode_quads};
pub use run::Run;
pub use scan::{EdgeScan, RunScan};
pub use terms::{SortedTerms, TermSet};
pub use write::{WrittenRun, write_run};
