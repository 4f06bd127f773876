//! `LeftJoin`: as an inner join, and each left row that nothing joins (SPARQL's OPTIONAL), in the order of the left.

use std::sync::Arc;

use super::{BoxOperator, JoinShape, Matcher, Operator, Pairs};
use crate::batch::{Batch, consecutive};
use crate::execute::expression::Compiled;
use crate::execute::{Context, ExecuteError, Layout};
use crate::plan::Variable;

pub struct LeftJoin {
    context: Arc<Context>,
    left: BoxOperator,
    matcher: Box<dyn Matcher>,
    condition: Option<Compiled>,
    shape: JoinShape,
    current: Option<Current>,
}

/// The left rows in work.
struct Current {
    left: Arc<Batch>,
    joined: Vec<bool>,
    /// Rows before this one have been handed on.
    next: usize,
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

    /// Joins pairs, and puts in between the rows that nothing joins: all before that of the last pair are decided.
    fn join(&self, current: &mut Current, pairs: Pairs) -> Result<Batch, ExecuteError> {
        let last = pairs.left.last().map_or(current.next, |row| *row as usize);
        let mut batch = self.shape.join(&current.left, &pairs, self.matcher.rows());
        let mut rows = pairs.left;
        if let Some(condition) = &self.condition {
            let keep = condition.filter(&batch, &self.context)?;
            batch.filter(&keep);
            let mut keep = keep.into_iter();
            rows.retain(|_| keep.next() == Some(true));
        }
        if let Some(rows) = consecutive(&rows).filter(|rows| rows.start <= current.next && last < rows.end) {
            // Each row has found one, so that there are none in between.
            current.joined[rows].fill(true);
            current.next = last;
            return Ok(batch);
        }
        rows.iter().for_each(|row| current.joined[*row as usize] = true);
        let alone = current.take_alone(last);
        if alone.is_empty() {
            return Ok(batch);
        }
        let order = merged_order(&rows, &alone);
        batch.append(&self.shape.alone(&current.left, &alone));
        Ok(batch.gather(&order))
    }
}

impl Current {
    /// Returns the rows before `end` that nothing joins and that were not handed on.
    fn take_alone(&mut self, end: usize) -> Vec<u32> {
        let rows = std::mem::replace(&mut self.next, end)..end;
        rows.filter(|row| !self.joined[*row]).map(|row| row as u32).collect()
    }
}

/// Returns the places of two ascending lists, the second after the first, in the order in which they are one.
fn merged_order(first: &[u32], second: &[u32]) -> Vec<u32> {
    let mut places = 0..first.len();
    let mut order = Vec::with_capacity(first.len() + second.len());
    for (place, row) in (first.len()..).zip(second) {
        while let Some(own) = places.clone().next().filter(|own| first[*own] < *row) {
            order.push(own as u32);
            places.next();
        }
        order.push(place as u32);
    }
    order.extend(places.map(|own| own as u32));
    order
}

impl Operator for LeftJoin {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        loop {
            self.context.check()?;
            if let Some(mut current) = self.current.take() {
                let batch = match self.matcher.next_pairs()? {
                    Some(pairs) => {
                        let batch = self.join(&mut current, pairs)?;
                        self.current = Some(current);
                        batch
                    }
                    None => {
                        let alone = current.take_alone(current.left.rows());
                        self.shape.alone(&current.left, &alone)
                    }
                };
                if !batch.is_empty() {
                    return Ok(Some(batch));
                }
                continue;
            }
            let Some(left) = self.left.next_batch()? else { return Ok(None) };
            let left = Arc::new(left);
            self.matcher.start(&left, false)?;
            let joined = vec![false; left.rows()];
            self.current = Some(Current { left, joined, next: 0 });
        }
    }

    fn layout(&self) -> &Layout {
        &self.shape.layout
    }

    fn sorted_by(&self) -> &[Variable] {
        self.left.sorted_by()
    }

    fn describe(&self) -> String {
        format!("{}LeftJoin", self.matcher.describe())
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        std::iter::once(self.left.as_ref()).chain(self.matcher.inputs()).collect()
    }
}
