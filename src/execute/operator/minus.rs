//! `MinusJoin`: SPARQL's MINUS: a compatible right row removes a left row only if they share a
//! variable that both bind.

use std::sync::Arc;

use super::{BoxOperator, Matcher, Operator};
use crate::batch::Batch;
use crate::execute::{ExecuteError, Layout};
use crate::plan::Variable;

pub struct MinusJoin {
    left: BoxOperator,
    matcher: Box<dyn Matcher>,
    /// (left column, right column) of the shared variables.
    shared: Vec<(usize, usize)>,
    /// Some shared variable is bound in every row of both sides, so that any match counts.
    any_match: bool,
}

impl MinusJoin {
    pub fn new(left: BoxOperator, matcher: Box<dyn Matcher>) -> MinusJoin {
        let (own, theirs) = (left.layout(), matcher.layout());
        let variables = own.shared(theirs);
        let any_match = variables.iter().any(|v| own.is_defined(*v) && theirs.is_defined(*v));
        let shared = variables.iter().filter_map(|v| Some((own.column(*v)?, theirs.column(*v)?))).collect();
        MinusJoin { left, matcher, shared, any_match }
    }
}

impl Operator for MinusJoin {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        while let Some(batch) = self.left.next_batch()? {
            let batch = Arc::new(batch);
            self.matcher.start(&batch, self.any_match)?;
            let mut keep = vec![true; batch.rows()];
            while let Some(pairs) = self.matcher.next_pairs()? {
                let right = self.matcher.rows();
                for (row, theirs) in pairs.left.iter().zip(&pairs.right) {
                    let (row, theirs) = (*row as usize, *theirs as usize);
                    let shares = |(l, r): &(usize, usize)| {
                        !batch.column(*l)[row].is_undefined() && !right.column(*r)[theirs].is_undefined()
                    };
                    if keep[row] && (self.any_match || self.shared.iter().any(shares)) {
                        keep[row] = false;
                    }
                }
            }
            let mut batch = Arc::unwrap_or_clone(batch);
            batch.filter(&keep);
            if !batch.is_empty() {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    fn layout(&self) -> &Layout {
        self.left.layout()
    }

    fn sorted_by(&self) -> &[Variable] {
        self.left.sorted_by()
    }

    fn describe(&self) -> String {
        format!("{}Minus", self.matcher.describe())
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        std::iter::once(self.left.as_ref()).chain(self.matcher.inputs()).collect()
    }
}
