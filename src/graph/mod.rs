//! A graph as sorted, immutable blocks: dictionaries, permutations, edges, and the manifest over them.
//!
//! This room does no I/O and knows no peers, commits or branches: it is handed a `BlockReader` to
//! read with and a `BlockSink` to write to.

mod bits;
mod bounds;
mod column;
mod cursor;
mod dictionary;
mod error;
mod facts;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod gather;
mod interner;
mod key_scan;
mod keys;
mod layer;
mod manifest;
mod ordered_terms;
mod output;
mod part;
mod plain_term;
mod row_file;
mod row_sort;
mod rows;
mod run;
mod run_layer;
mod run_terms;
mod scan;
mod sorted_terms;
mod spo_rows;
mod survey;
mod term_key;
mod term_merge;
mod terms_decoder;
mod write;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;

pub use cursor::Malformed;
pub use dictionary::{EncodedDictionary, encode_terms};
pub use error::WriteError;
pub use gather::{Gatherer, Gathering, Refused, gather};
pub use key_scan::NamedEdges;
pub use layer::{
    Input, Layer, RankedTriple, RowOrder, RowSource, RowStream, TermStream, UnsortedLayer, UsedLayer,
    for_each_rows, used_terms,
};
pub use part::Part;
pub use plain_term::{IriConstant, IriSeries, PlainNode, PlainQuad, PlainTerm};
pub use row_sort::{RowSorter, SortedRows};
pub use rows::{decode_quads, encode_quads};
pub use run::Run;
pub use run_layer::RunLayer;
pub use scan::{EdgeScan, RunScan};
pub use sorted_terms::SortedTerms;
pub use term_key::{TripleKey, parse_term_key as parse_term};
pub use terms_decoder::{TermsDecoder, triple_terms};
pub use write::{WriteOptions, WrittenRun, WrittenSet, gather_set, write_run, write_set};
