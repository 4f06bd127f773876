//! `db.constraints.violations`: what breaks the constraints of the data that is asked.

use super::{names_of, string};
use crate::execute::constraint::{Violation, violations};
use crate::execute::context::Procedure;
use crate::execute::{Context, ExecuteError};
use crate::model::Value;

pub struct ConstraintViolations;

impl Procedure for ConstraintViolations {
    fn fields(&self) -> Vec<String> {
        names_of(&["name", "type", "message"])
    }

    fn call(&self, _: &[Value], context: &Context) -> Result<Vec<Vec<Value>>, ExecuteError> {
        let found = violations(&*context.dataset, &context.constrained, &context.vocabulary)?;
        let row = |violation: Violation| {
            vec![
                Value::String(violation.constraint),
                string(violation.kind),
                Value::String(violation.message),
            ]
        };
        Ok(found.into_iter().map(row).collect())
    }
}
