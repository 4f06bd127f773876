//! Trails: every path that repeats no relationship, depth first.

use super::steps::Steps;
use super::{Ends, Found, PathProbe};
use crate::batch::{BATCH_ROWS, Batch};
use crate::execute::ExecuteError;
use crate::model::TermId;

/// A node of the path in work, and the steps from it that are still to be tried.
struct Level {
    steps: Vec<(TermId, TermId)>,
}

impl PathProbe {
    pub(super) fn search_trails(
        &mut self,
        steps: &mut Steps,
        ends: Ends,
        graph: TermId,
        key: &[TermId],
        out: &mut Batch,
    ) -> Result<(), ExecuteError> {
        let (starts, forward) = match ends {
            Ends { subject: Some(subject), .. } => (vec![subject], true),
            Ends { object: Some(object), .. } => (vec![object], false),
            _ => (steps.all_nodes()?, true),
        };
        let target = if forward { ends.object } else { None };
        for start in starts {
            if !super::super::edge_scan::is_node(start, &self.context)? {
                continue;
            }
            self.trails_from(steps, start, target, forward, graph, key, out)?;
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "one search, its state spread over its callers")]
    fn trails_from(
        &mut self,
        steps: &mut Steps,
        start: TermId,
        target: Option<TermId>,
        forward: bool,
        graph: TermId,
        key: &[TermId],
        out: &mut Batch,
    ) -> Result<(), ExecuteError> {
        let max = self.path.max.map_or(usize::MAX, |max| max as usize);
        let min = self.path.min as usize;
        let (mut nodes, mut used): (Vec<TermId>, Vec<TermId>) = (vec![start], Vec::new());
        let mut found = Vec::new();
        if min == 0 && target.is_none_or(|target| target == start) {
            found.push(finish(&nodes, &used, forward));
        }
        let mut levels = Vec::new();
        if max > 0 {
            levels.push(Level { steps: self.allowed_steps(steps, start, forward, key)? });
        }
        let mut moves = 0_usize;
        while let Some(level) = levels.last_mut() {
            moves += 1;
            if moves.is_multiple_of(BATCH_ROWS) {
                self.context.check()?;
            }
            let Some((relationship, node)) = level.steps.pop() else {
                levels.pop();
                nodes.pop();
                used.pop();
                continue;
            };
            if used.contains(&relationship) {
                continue;
            }
            nodes.push(node);
            used.push(relationship);
            if used.len() >= min && target.is_none_or(|target| target == node) {
                found.push(finish(&nodes, &used, forward));
                if found.len() >= BATCH_ROWS {
                    self.emit(&found, graph, out)?;
                    found.clear();
                }
            }
            if used.len() < max {
                levels.push(Level { steps: self.allowed_steps(steps, node, forward, key)? });
            } else {
                nodes.pop();
                used.pop();
            }
        }
        self.emit(&found, graph, out)
    }

    /// Returns the steps from a node that pass the condition, last one first.
    pub(super) fn allowed_steps(
        &self,
        steps: &mut Steps,
        node: TermId,
        forward: bool,
        key: &[TermId],
    ) -> Result<Vec<(TermId, TermId)>, ExecuteError> {
        let mut all = steps.relationships(node, forward)?;
        if let Some(condition) = &self.condition {
            all = condition.retain(all, key, &self.context)?;
        }
        all.reverse();
        Ok(all)
    }
}

/// Makes a result of a walk, turned round if it was walked from its end.
pub(super) fn finish(nodes: &[TermId], used: &[TermId], forward: bool) -> Found {
    let (mut nodes, mut relationships) = (nodes.to_vec(), used.to_vec());
    if !forward {
        nodes.reverse();
        relationships.reverse();
    }
    let (subject, object) = (nodes[0], nodes[nodes.len() - 1]);
    Found { subject, object, relationships, nodes }
}
