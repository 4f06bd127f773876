//! The physical operators, a file each. Each pulls batches from its inputs when it is pulled.

use super::{ExecuteError, Layout};
use crate::batch::Batch;
use crate::plan::Variable;

/// A running operator.
pub trait Operator: Send {
    /// Returns the next rows, or `None` at the end, and again after it. A batch is never empty.
    ///
    /// # Shape
    /// The columns of [`Operator::layout`], in its order.
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError>;

    fn layout(&self) -> &Layout;

    /// Returns the variables that rows are sorted by, as ids, ascending, the first one first.
    fn sorted_by(&self) -> &[Variable] {
        &[]
    }
}
