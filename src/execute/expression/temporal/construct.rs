//! Constructors of temporal values: from maps, from strings, from other values, and of now.

use super::super::node::Run;
use crate::execute::ExecuteError;
use crate::plan::Function;

pub(in crate::execute::expression) fn constructor(function: &Function) -> Run {
    let name = format!("{function:?}");
    Run::With(Box::new(move |_, _| Err(ExecuteError::Unsupported(format!("{name} is not there yet")))))
}
