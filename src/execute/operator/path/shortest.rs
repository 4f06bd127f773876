//! Shortest paths: breadth first, one level at a time, remembering every way into a node.

use rustc_hash::FxHashMap;

use super::steps::Steps;
use super::trail::finish;
use super::{Ends, PathProbe};
use crate::batch::{BATCH_ROWS, Batch};
use crate::execute::ExecuteError;
use crate::execute::operator::bytes_of;
use crate::model::TermId;
use crate::plan::PathMode;

/// The level at which a node was first met, and the (relationship, node) pairs that led there.
struct Arrival {
    level: u32,
    ways: Vec<(TermId, TermId)>,
}

impl PathProbe {
    pub(super) fn search_shortest(
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
            if super::super::edge_scan::is_node(start, &self.context)? {
                let arrivals = self.explore(steps, start, target, forward, key)?;
                self.emit_shortest(start, target, forward, &arrivals, graph, out)?;
            }
        }
        Ok(())
    }

    /// Walks outward from `start` until `target` is met, nothing is left or the bound is reached.
    fn explore(
        &mut self,
        steps: &mut Steps,
        start: TermId,
        target: Option<TermId>,
        forward: bool,
        key: &[TermId],
    ) -> Result<FxHashMap<TermId, Arrival>, ExecuteError> {
        let max = self.path.max.unwrap_or(u32::MAX);
        let mut arrivals: FxHashMap<TermId, Arrival> = FxHashMap::default();
        if self.path.min == 0 {
            arrivals.insert(start, Arrival { level: 0, ways: Vec::new() });
        }
        let mut frontier = vec![start];
        let mut level = 0;
        while !frontier.is_empty() && level < max {
            if target.is_some_and(|target| arrivals.contains_key(&target)) {
                break;
            }
            level += 1;
            let mut next = Vec::new();
            for node in &frontier {
                self.context.check()?;
                for (relationship, far) in self.allowed_steps(steps, *node, forward, key)? {
                    let arrival = arrivals.entry(far).or_insert_with(|| {
                        next.push(far);
                        Arrival { level, ways: Vec::new() }
                    });
                    if arrival.level == level {
                        arrival.ways.push((relationship, *node));
                    }
                }
            }
            self.reservation.grow(bytes_of(next.len(), 6))?;
            // The start itself is a target (of a cycle), not a place to go on from again.
            next.retain(|node| *node != start);
            frontier = next;
        }
        Ok(arrivals)
    }

    fn emit_shortest(
        &mut self,
        start: TermId,
        target: Option<TermId>,
        forward: bool,
        arrivals: &FxHashMap<TermId, Arrival>,
        graph: TermId,
        out: &mut Batch,
    ) -> Result<(), ExecuteError> {
        let mut targets: Vec<TermId> = match target {
            Some(target) => arrivals.contains_key(&target).then_some(target).into_iter().collect(),
            None => arrivals.keys().copied().collect(),
        };
        targets.sort_unstable();
        let only_one = self.path.mode == PathMode::Shortest;
        let mut found = Vec::new();
        for target in targets {
            let Some(arrival) = arrivals.get(&target) else { continue };
            if arrival.level < self.path.min {
                continue;
            }
            // Walks back from the target: (node, level, relationships so far, nodes so far).
            let mut stack = vec![(target, arrival.level, Vec::new(), vec![target])];
            while let Some((node, level, used, nodes)) = stack.pop() {
                if level == 0 {
                    found.push(finish(&nodes, &used, !forward));
                    if found.len() >= BATCH_ROWS {
                        self.context.check()?;
                        self.emit(&found, graph, out)?;
                        found.clear();
                    }
                    if only_one {
                        break;
                    }
                    continue;
                }
                let Some(arrival) = arrivals.get(&node) else { continue };
                for (relationship, from) in &arrival.ways {
                    // A cycle through the start may come back on the relationship it left by.
                    if used.contains(relationship) || (level == 1) != (*from == start) {
                        continue;
                    }
                    let (mut used, mut nodes) = (used.clone(), nodes.clone());
                    used.push(*relationship);
                    nodes.push(*from);
                    stack.push((*from, level - 1, used, nodes));
                }
            }
        }
        self.emit(&found, graph, out)
    }
}
