//! `LeftJoin`: as an inner join, and each left row that nothing joins (SPARQL's OPTIONAL).

use std::sync::Arc;

use super::{BoxOperator, JoinShape, Matcher, Operator};
use crate::batch::Batch;
use crate::execute::expression::Compiled;
use crate::execute::{Context, ExecuteError, Layout};

pub struct LeftJoin {
    context: Arc<Context>,
    left: BoxOperator,
    matcher: Box<dyn Matcher>,
    condition: Option<Compiled>,
    shape: JoinShape,
    /// The left rows in work, and which of them were joined.
    current: Option<(Arc<Batch>, Vec<bool>)>,
}

impl LeftJoin {
    /// `condition` is compiled for [`JoinShape::optional`]'s layout.
    pub fn new(
        left: BoxOperator,
        matcher: Box<dyn Matcher>,
        condition: Option<Compiled>,
        context: Arc<Context>,
    ) -> LeftJoin {
        let shape = JoinShape::optional(left.layout(), matcher.layout());
        LeftJoin { context, left, matcher, condition, shape, current: None }
    }
}

impl Operator for LeftJoin {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        loop {
            self.context.check()?;
            if let Some((left, joined)) = &mut self.current {
                if let Some(pairs) = self.matcher.next_pairs()? {
                    let mut batch = self.shape.join(left, &pairs, self.matcher.rows());
                    match &self.condition {
                        Some(condition) => {
                            let keep = condition.filter(&batch, &self.context)?;
                            for (row, keep) in pairs.left.iter().zip(&keep) {
                                joined[*row as usize] |= *keep;
                            }
                            batch.filter(&keep);
                        }
                        None => pairs.left.iter().for_each(|row| joined[*row as usize] = true),
                    }
                    if !batch.is_empty() {
                        return Ok(Some(batch));
                    }
                    continue;
                }
                let alone: Vec<u32> = (0..left.rows() as u32).filter(|row| !joined[*row as usize]).collect();
                let batch = self.shape.alone(left, &alone);
                self.current = None;
                if !batch.is_empty() {
                    return Ok(Some(batch));
                }
            }
            let Some(left) = self.left.next_batch()? else { return Ok(None) };
            let left = Arc::new(left);
            self.matcher.start(&left, false)?;
            let joined = vec![false; left.rows()];
            self.current = Some((left, joined));
        }
    }

    fn layout(&self) -> &Layout {
        &self.shape.layout
    }

    fn describe(&self) -> String {
        format!("{}LeftJoin", self.matcher.describe())
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        std::iter::once(self.left.as_ref()).chain(self.matcher.inputs()).collect()
    }
}
