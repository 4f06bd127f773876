//! `FilteredMatcher`: the matches of another matcher that pass a condition on both rows.

use std::sync::Arc;

use super::{JoinShape, Matcher, Operator, Pairs};
use crate::batch::Batch;
use crate::execute::expression::Compiled;
use crate::execute::{Context, ExecuteError, Layout};

pub struct FilteredMatcher {
    context: Arc<Context>,
    matcher: Box<dyn Matcher>,
    shape: JoinShape,
    condition: Compiled,
    left: Arc<Batch>,
}

impl FilteredMatcher {
    /// `condition` is compiled for the layout of `shape`, which joins left rows with those of `matcher`.
    pub fn new(
        matcher: Box<dyn Matcher>,
        shape: JoinShape,
        condition: Compiled,
        context: Arc<Context>,
    ) -> FilteredMatcher {
        FilteredMatcher { context, matcher, shape, condition, left: Arc::default() }
    }
}

impl Matcher for FilteredMatcher {
    fn layout(&self) -> &Layout {
        self.matcher.layout()
    }

    fn start(&mut self, left: &Arc<Batch>, _once: bool) -> Result<(), ExecuteError> {
        self.left = Arc::clone(left);
        // The one match that would be enough may not pass.
        self.matcher.start(left, false)
    }

    fn next_pairs(&mut self) -> Result<Option<Pairs>, ExecuteError> {
        while let Some(mut pairs) = self.matcher.next_pairs()? {
            self.context.check()?;
            let joined = self.shape.join(&self.left, &pairs, self.matcher.rows());
            let keep = self.condition.filter(&joined, &self.context)?;
            for rows in [&mut pairs.left, &mut pairs.right] {
                let mut flags = keep.iter();
                rows.retain(|_| flags.next().is_some_and(|flag| *flag));
            }
            if !pairs.left.is_empty() {
                return Ok(Some(pairs));
            }
        }
        Ok(None)
    }

    fn rows(&self) -> &Batch {
        self.matcher.rows()
    }

    fn describe(&self) -> String {
        format!("Filtered{}", self.matcher.describe())
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        self.matcher.inputs()
    }
}
