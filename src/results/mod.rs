//! Results: rows, triples and shapes, written as the bytes that a caller asked for.
//!
//! Every writer takes batches as they come and passes them on; none holds a whole result. This
//! room knows neither execution nor languages: it is handed column names, then rows of terms or
//! values, then told that they have ended.

mod graphql;
mod json;
mod rdf;
mod records;
mod solutions;
mod table;

pub use graphql::GraphqlWriter;
pub use json::write_value;
pub use rdf::{GraphFormat, TriplesWriter, triple_of};
pub use records::RecordsWriter;
pub use solutions::{SolutionsFormat, SolutionsWriter, write_boolean};
pub use table::TableWriter;
