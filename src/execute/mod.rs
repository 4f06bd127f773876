//! Execution: a logical plan becomes operators that pull batches of ids from a dataset.
//!
//! The room knows plans, ids and the [`Dataset`](crate::dataset::Dataset) trait. It knows no
//! language, no block and no peer: where languages differ, the plan names a function or an operator.

mod context;
mod error;
pub mod expression;
mod layout;
mod operator;
mod values;

pub use context::{Context, GraphLoader, Limits, Procedure, Procedures, Reservation, ServiceHandler};
pub use error::{ExecuteError, RuntimeCode};
pub use layout::Layout;
pub use operator::Operator;
pub use values::{Local, Values};
