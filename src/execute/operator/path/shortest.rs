//! Shortest paths: breadth first, one level at a time, remembering every way into a node; and one shortest path
//! between two nodes, from both ends at once, over nodes alone.

use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;

use super::steps::Steps;
use super::trail::finish;
use super::{Ends, Found, PathProbe};
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

/// What a search has met from one end.
struct Side {
    /// The nodes of the last level.
    frontier: Vec<TermId>,
    /// The node before each, on a shortest way from the end; the end is before itself.
    before: FxHashMap<TermId, TermId>,
}

impl Side {
    fn new(end: TermId) -> Side {
        Side { frontier: vec![end], before: FxHashMap::from_iter([(end, end)]) }
    }

    /// Returns the nodes from one that was met back to the end.
    fn way_back(&self, mut node: TermId) -> Vec<TermId> {
        let mut way = vec![node];
        while let Some(before) = self.before.get(&node).filter(|before| **before != node) {
            node = *before;
            way.push(node);
        }
        way
    }
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
        if let Ends { subject: Some(start), object: Some(end) } = ends
            && self.path.mode == PathMode::Shortest
            && (self.path.min == 1 && start != end)
            && self.condition.is_none()
            && steps.are_named()
        {
            let found = self.search_between(steps, start, end)?;
            return self.emit(found.as_slice(), graph, out);
        }
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

    /// Finds a shortest path between two nodes. The smaller frontier advances, a whole level at a time: the first node
    /// that both sides have met is on one, since any shorter path would have been met before.
    fn search_between(
        &mut self,
        steps: &mut Steps,
        start: TermId,
        end: TermId,
    ) -> Result<Option<Found>, ExecuteError> {
        let mut sides = [Side::new(start), Side::new(end)];
        for _ in 0..self.path.max.unwrap_or(u32::MAX) {
            self.context.check()?;
            let side = usize::from(sides[1].frontier.len() < sides[0].frontier.len());
            let from = std::mem::take(&mut sides[side].frontier);
            if from.is_empty() {
                return Ok(None);
            }
            let [first, second] = &mut sides;
            let (own, other) = if side == 0 { (first, second) } else { (second, first) };
            let mut meeting = None;
            steps.visit(&from, side == 0, &mut |near, far| {
                if let Entry::Vacant(entry) = own.before.entry(far) {
                    entry.insert(near);
                    own.frontier.push(far);
                    if meeting.is_none() && other.before.contains_key(&far) {
                        meeting = Some(far);
                    }
                }
            })?;
            self.reservation.grow(bytes_of(own.frontier.len(), 3))?;
            if let Some(meeting) = meeting {
                return self.path_through(steps, &sides, meeting).map(Some);
            }
        }
        Ok(None)
    }

    /// Puts together what leads from both sides to the node where they met.
    fn path_through(&self, steps: &Steps, sides: &[Side; 2], meeting: TermId) -> Result<Found, ExecuteError> {
        let mut nodes = sides[0].way_back(meeting);
        nodes.reverse();
        nodes.extend(sides[1].way_back(meeting).into_iter().skip(1));
        let mut relationships = Vec::new();
        if self.columns[3].is_some() || self.columns[4].is_some() {
            for pair in nodes.windows(2) {
                relationships.extend(steps.relationship_between(pair[0], pair[1])?);
            }
        }
        Ok(Found { subject: nodes[0], object: nodes[nodes.len() - 1], relationships, nodes })
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
