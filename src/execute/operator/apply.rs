//! `ApplyFold`: binds for each input row what becomes of its matches: whether there are any, how
//! many, or the list of a column of theirs.

use std::sync::Arc;

use super::{BoxOperator, Matcher, Operator};
use crate::batch::Batch;
use crate::execute::{Context, ExecuteError, Layout, Local};
use crate::model::TermId;
use crate::plan::Variable;

pub struct ApplyFold {
    context: Arc<Context>,
    left: BoxOperator,
    matcher: Box<dyn Matcher>,
    fold: Fold,
    layout: Layout,
}

/// What is made of the matches of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    Exists,
    Count,
    /// The list of a variable's values, undefined ones included.
    Collect(Variable),
}

impl ApplyFold {
    /// # Panics
    /// If the left side binds `variable` already.
    pub fn new(
        left: BoxOperator,
        matcher: Box<dyn Matcher>,
        fold: Fold,
        variable: Variable,
        context: Arc<Context>,
    ) -> ApplyFold {
        let mut layout = left.layout().clone();
        layout.push(variable, true);
        ApplyFold { context, left, matcher, fold, layout }
    }

    fn exists(&mut self, rows: usize) -> Result<Vec<TermId>, ExecuteError> {
        let mut found = vec![TermId::from_bool(false); rows];
        while let Some(pairs) = self.matcher.next_pairs()? {
            pairs.left.iter().for_each(|row| found[*row as usize] = TermId::from_bool(true));
        }
        Ok(found)
    }

    fn count(&mut self, rows: usize) -> Result<Vec<TermId>, ExecuteError> {
        let mut counts = vec![0_i64; rows];
        while let Some(pairs) = self.matcher.next_pairs()? {
            pairs.left.iter().for_each(|row| counts[*row as usize] += 1);
        }
        let id = |count| TermId::from_i64(count).expect("no batch has 2^59 matches");
        Ok(counts.into_iter().map(id).collect())
    }

    fn collect(&mut self, left: &Batch, variable: Variable) -> Result<Vec<TermId>, ExecuteError> {
        let mut lists = vec![Vec::new(); left.rows()];
        let column = self.matcher.layout().column(variable);
        let own = self.left.layout().column(variable);
        let mut held = self.context.reserve();
        while let Some(pairs) = self.matcher.next_pairs()? {
            held.grow(super::bytes_of(pairs.left.len(), 1))?;
            for (row, theirs) in pairs.left.iter().zip(&pairs.right) {
                let id = match (column, own) {
                    (Some(column), _) => self.matcher.rows().column(column)[*theirs as usize],
                    (None, Some(own)) => left.column(own)[*row as usize],
                    (None, None) => TermId::UNDEFINED,
                };
                lists[*row as usize].push(id);
            }
        }
        Ok(lists.into_iter().map(|list| self.context.values.intern(Local::List(list))).collect())
    }
}

impl Operator for ApplyFold {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        let Some(batch) = self.left.next_batch()? else { return Ok(None) };
        let left = Arc::new(batch);
        self.matcher.start(&left, self.fold == Fold::Exists)?;
        let column = match self.fold {
            Fold::Exists => self.exists(left.rows())?,
            Fold::Count => self.count(left.rows())?,
            Fold::Collect(variable) => self.collect(&left, variable)?,
        };
        let mut batch = Arc::unwrap_or_clone(left);
        batch.push_column(column);
        Ok(Some(batch))
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn sorted_by(&self) -> &[Variable] {
        self.left.sorted_by()
    }

    fn describe(&self) -> String {
        format!("{}{:?}", self.matcher.describe(), self.fold)
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        std::iter::once(self.left.as_ref()).chain(self.matcher.inputs()).collect()
    }
}
