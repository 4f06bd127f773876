//! `Steps`: one step of a path over ids, with the neighbourhoods that a search has seen.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::filter_of;
use crate::execute::operator::edge_scan::{EdgeReader, Wanted, quad_of};
use crate::execute::operator::{GraphScope, QuadReader, bytes_of};
use crate::execute::{Context, ExecuteError, Reservation};
use crate::model::{NamedNode, QuadPattern, TermId};
use crate::plan::PathExpression;

/// How many levels of nesting a path expression may have.
const DEPTH_MAX: usize = 256;

pub struct Steps {
    context: Arc<Context>,
    scope: GraphScope,
    root: Step,
    leaves: Vec<Leaf>,
    reservation: Reservation,
}

/// A path expression whose leaves are numbered.
#[derive(Clone, Debug)]
enum Step {
    Leaf(usize),
    Inverse(Box<Step>),
    Sequence(Vec<Step>),
    Alternative(Vec<Step>),
    Repeat(Box<Step>, u32, Option<u32>),
}

/// A set of predicates, and what was read of it: neighbours by direction (0 forward, 1 backward).
#[derive(Default)]
struct Leaf {
    /// `None`: any predicate but those of `not`.
    predicates: Option<Vec<TermId>>,
    not: Vec<TermId>,
    neighbours: [Adjacency; 2],
    relationships: [FxHashMap<TermId, Arc<Vec<(TermId, TermId)>>>; 2],
}

/// Neighbour lists, one after another.
#[derive(Default)]
struct Adjacency {
    ranges: FxHashMap<TermId, (u32, u32)>,
    targets: Vec<TermId>,
    /// Nodes without a range have no neighbours.
    is_complete: bool,
}

impl Adjacency {
    fn known(&self, node: TermId) -> Option<&[TermId]> {
        match self.ranges.get(&node) {
            Some((start, end)) => Some(&self.targets[*start as usize..*end as usize]),
            None => self.is_complete.then_some(&[]),
        }
    }

    fn set(&mut self, node: TermId, targets: &[TermId]) {
        let start = self.targets.len() as u32;
        self.targets.extend_from_slice(targets);
        self.ranges.insert(node, (start, self.targets.len() as u32));
    }
}

impl Steps {
    pub fn new(
        step: &PathExpression,
        scope: GraphScope,
        context: Arc<Context>,
    ) -> Result<Steps, ExecuteError> {
        let mut leaves = Vec::new();
        let root = compile(step, &mut leaves, &context, 0)?;
        let reservation = context.reserve();
        Ok(Steps { context, scope, root, leaves, reservation })
    }

    /// Returns the nodes that `min` to `max` steps lead to, sorted; stops early at `target`.
    pub fn reach(
        &mut self,
        source: TermId,
        forward: bool,
        min: u32,
        max: Option<u32>,
        target: Option<TermId>,
    ) -> Result<Vec<TermId>, ExecuteError> {
        let root = self.root.clone();
        self.closure(&root, &[source], forward, (min, max), target)
    }

    /// Reads the whole neighbourhood of every leaf at once, and returns the nodes that paths of at
    /// least `min` steps may start from, sorted.
    pub fn preload(&mut self, min: u32) -> Result<Vec<TermId>, ExecuteError> {
        for leaf in 0..self.leaves.len() {
            self.preload_leaf(leaf)?;
        }
        if self.may_stay(min) {
            return self.all_nodes();
        }
        let root = self.root.clone();
        let mut starts = self.first_nodes(&root, true)?;
        starts.sort_unstable();
        starts.dedup();
        Ok(starts)
    }

    /// Returns whether a path of `min` steps or more may be of length zero.
    pub fn may_stay(&self, min: u32) -> bool {
        min == 0 || self.skips(&self.root)
    }

    /// Returns every subject and object, sorted.
    pub fn all_nodes(&mut self) -> Result<Vec<TermId>, ExecuteError> {
        let mut nodes = FxHashSet::default();
        if let Some(graph) = filter_of(&self.scope) {
            let pattern = QuadPattern { graph, ..QuadPattern::default() };
            let mut reader = QuadReader::of_pattern(&pattern, false, &self.context)?;
            while let Some(batch) = reader.next_quads()? {
                self.context.check()?;
                let before = nodes.len();
                nodes.extend(batch.column(0).iter().chain(batch.column(2)));
                self.reservation.grow(bytes_of(nodes.len() - before, 2))?;
            }
        }
        let mut nodes: Vec<TermId> = nodes.into_iter().collect();
        nodes.sort_unstable();
        Ok(nodes)
    }

    /// Returns whether each step is one relationship of predicates that are named, so that its triples tell it.
    pub fn are_named(&self) -> bool {
        fn is_single(step: &Step) -> bool {
            match step {
                Step::Leaf(_) => true,
                Step::Inverse(inner) => is_single(inner),
                Step::Alternative(parts) => parts.iter().all(is_single),
                Step::Sequence(_) | Step::Repeat(..) => false,
            }
        }
        is_single(&self.root) && self.leaves.iter().all(|leaf| leaf.predicates.is_some())
    }

    /// Hands each node of `from` to `visit` with each node that one step leads to from it.
    pub fn visit(
        &mut self,
        from: &[TermId],
        forward: bool,
        visit: &mut dyn FnMut(TermId, TermId),
    ) -> Result<(), ExecuteError> {
        let root = self.root.clone();
        self.visit_step(&root, from, forward, visit)
    }

    fn visit_step(
        &mut self,
        step: &Step,
        from: &[TermId],
        forward: bool,
        visit: &mut dyn FnMut(TermId, TermId),
    ) -> Result<(), ExecuteError> {
        match step {
            Step::Leaf(leaf) => {
                let adjacency = self.know(*leaf, from, forward)?;
                for node in from {
                    adjacency.known(*node).unwrap_or_default().iter().for_each(|far| visit(*node, *far));
                }
                Ok(())
            }
            Step::Inverse(inner) => self.visit_step(inner, from, !forward, visit),
            Step::Alternative(parts) => {
                parts.iter().try_for_each(|part| self.visit_step(part, from, forward, visit))
            }
            Step::Sequence(_) | Step::Repeat(..) => {
                Err(ExecuteError::Plan("a shortest path's step is one relationship".to_owned()))
            }
        }
    }

    /// Returns one relationship that leads from a node to another in one step.
    pub fn relationship_between(&self, from: TermId, to: TermId) -> Result<Option<TermId>, ExecuteError> {
        self.find_between(&self.root, from, to)
    }

    fn find_between(&self, step: &Step, from: TermId, to: TermId) -> Result<Option<TermId>, ExecuteError> {
        match step {
            Step::Leaf(leaf) => {
                for pattern in self.patterns(*leaf, Some(from), true) {
                    let pattern = QuadPattern { object: Some(to), ..pattern };
                    let mut reader =
                        EdgeReader::open(&pattern, self.scope.merges, Wanted::EDGE, &self.context)?;
                    while let Some(rows) = reader.next_rows(&self.context)? {
                        if let Some(relationship) = rows.column(4).first() {
                            return Ok(Some(*relationship));
                        }
                    }
                }
                Ok(None)
            }
            Step::Inverse(inner) => self.find_between(inner, to, from),
            Step::Alternative(parts) => {
                for part in parts {
                    if let Some(found) = self.find_between(part, from, to)? {
                        return Ok(Some(found));
                    }
                }
                Ok(None)
            }
            Step::Sequence(_) | Step::Repeat(..) => Ok(None),
        }
    }

    /// Returns (relationship, node at its other end) of each relationship of one step.
    ///
    /// # Errors
    /// If the step is no single relationship.
    pub fn relationships(
        &mut self,
        node: TermId,
        forward: bool,
    ) -> Result<Vec<(TermId, TermId)>, ExecuteError> {
        let root = self.root.clone();
        let mut all = Vec::new();
        self.collect_relationships(&root, node, forward, &mut all)?;
        // An undirected step meets a loop twice.
        let mut seen = FxHashSet::default();
        all.retain(|step| seen.insert(*step));
        Ok(all)
    }

    fn collect_relationships(
        &mut self,
        step: &Step,
        node: TermId,
        forward: bool,
        out: &mut Vec<(TermId, TermId)>,
    ) -> Result<(), ExecuteError> {
        match step {
            Step::Leaf(leaf) => {
                out.extend(self.leaf_relationships(*leaf, node, forward)?.iter());
                Ok(())
            }
            Step::Inverse(inner) => self.collect_relationships(inner, node, !forward, out),
            Step::Alternative(inner) => {
                inner.iter().try_for_each(|step| self.collect_relationships(step, node, forward, out))
            }
            Step::Sequence(_) | Step::Repeat(..) => {
                Err(ExecuteError::Plan("a trail's step is one relationship".to_owned()))
            }
        }
    }

    fn leaf_relationships(
        &mut self,
        leaf: usize,
        node: TermId,
        forward: bool,
    ) -> Result<Arc<Vec<(TermId, TermId)>>, ExecuteError> {
        if let Some(known) = self.leaves[leaf].relationships[usize::from(!forward)].get(&node) {
            return Ok(known.clone());
        }
        let mut found = Vec::new();
        for pattern in self.patterns(leaf, Some(node), forward) {
            let mut reader = EdgeReader::open(&pattern, self.scope.merges, Wanted::EDGE, &self.context)?;
            while let Some(rows) = reader.next_rows(&self.context)? {
                for row in 0..rows.rows() {
                    let quad = quad_of(&rows, row);
                    if self.leaves[leaf].not.contains(&quad.predicate) {
                        continue;
                    }
                    found.push((rows.column(4)[row], if forward { quad.object } else { quad.subject }));
                }
            }
        }
        self.reservation.grow(bytes_of(found.len() + 1, 2))?;
        let found = Arc::new(found);
        self.leaves[leaf].relationships[usize::from(!forward)].insert(node, found.clone());
        Ok(found)
    }

    /// Returns the nodes that one step leads to from any of `from`, sorted.
    fn advance(&mut self, step: &Step, from: &[TermId], forward: bool) -> Result<Vec<TermId>, ExecuteError> {
        let mut reached = match step {
            Step::Leaf(leaf) => self.advance_leaf(*leaf, from, forward)?,
            Step::Inverse(inner) => self.advance(inner, from, !forward)?,
            Step::Sequence(parts) => {
                let mut nodes = from.to_vec();
                for place in 0..parts.len() {
                    let part = if forward { &parts[place] } else { &parts[parts.len() - 1 - place] };
                    nodes = self.advance(part, &nodes, forward)?;
                }
                nodes
            }
            Step::Alternative(parts) => {
                let mut nodes = Vec::new();
                for part in parts {
                    nodes.extend(self.advance(part, from, forward)?);
                }
                nodes
            }
            Step::Repeat(inner, min, max) => self.closure(inner, from, forward, (*min, *max), None)?,
        };
        reached.sort_unstable();
        reached.dedup();
        Ok(reached)
    }

    fn advance_leaf(
        &mut self,
        leaf: usize,
        from: &[TermId],
        forward: bool,
    ) -> Result<Vec<TermId>, ExecuteError> {
        let adjacency = self.know(leaf, from, forward)?;
        Ok(from.iter().filter_map(|node| adjacency.known(*node)).flatten().copied().collect())
    }

    /// Reads the neighbours of nodes that are not known yet.
    fn know(&mut self, leaf: usize, from: &[TermId], forward: bool) -> Result<&Adjacency, ExecuteError> {
        let side = usize::from(!forward);
        let unknown: Vec<TermId> = from
            .iter()
            .copied()
            .filter(|node| self.leaves[leaf].neighbours[side].known(*node).is_none())
            .collect();
        if !unknown.is_empty() {
            let patterns: Vec<QuadPattern> =
                unknown.iter().flat_map(|node| self.patterns(leaf, Some(*node), forward)).collect();
            self.context.dataset.prefetch(&patterns);
            for node in unknown {
                self.context.check()?;
                let targets = self.read_neighbours(leaf, node, forward)?;
                self.leaves[leaf].neighbours[side].set(node, &targets);
            }
        }
        Ok(&self.leaves[leaf].neighbours[side])
    }

    fn read_neighbours(
        &mut self,
        leaf: usize,
        node: TermId,
        forward: bool,
    ) -> Result<Vec<TermId>, ExecuteError> {
        let mut targets = Vec::new();
        for pattern in self.patterns(leaf, Some(node), forward) {
            let mut reader = QuadReader::of_pattern(&pattern, self.scope.merges, &self.context)?;
            while let Some(batch) = reader.next_quads()? {
                let not = &self.leaves[leaf].not;
                let far = batch.column(if forward { 2 } else { 0 });
                let allowed = batch.column(1).iter().zip(far).filter(|(p, _)| !not.contains(p));
                targets.extend(allowed.map(|(_, far)| *far));
            }
        }
        targets.sort_unstable();
        targets.dedup();
        self.reservation.grow(bytes_of(targets.len() + 2, 1))?;
        Ok(targets)
    }

    /// Reads all pairs of a leaf, and keeps them by both ends.
    fn preload_leaf(&mut self, leaf: usize) -> Result<(), ExecuteError> {
        if self.leaves[leaf].neighbours.iter().all(|adjacency| adjacency.is_complete) {
            return Ok(());
        }
        let mut pairs = Vec::new();
        for pattern in self.patterns(leaf, None, true) {
            let mut reader = QuadReader::of_pattern(&pattern, self.scope.merges, &self.context)?;
            while let Some(batch) = reader.next_quads()? {
                self.context.check()?;
                let not = &self.leaves[leaf].not;
                let before = pairs.len();
                pairs.extend((0..batch.rows()).filter_map(|row| {
                    let quad = quad_of(&batch, row);
                    (!not.contains(&quad.predicate)).then_some((quad.subject, quad.object))
                }));
                self.reservation.grow(bytes_of(pairs.len() - before, 4))?;
            }
        }
        for adjacency in &mut self.leaves[leaf].neighbours {
            *adjacency = Adjacency { is_complete: true, ..Adjacency::default() };
            pairs.sort_unstable();
            pairs.dedup();
            for run in pairs.chunk_by(|a, b| a.0 == b.0) {
                let targets: Vec<TermId> = run.iter().map(|(_, far)| *far).collect();
                adjacency.set(run[0].0, &targets);
            }
            for pair in &mut pairs {
                *pair = (pair.1, pair.0);
            }
        }
        Ok(())
    }

    /// Returns the patterns of a leaf around a node; none if no quad can match.
    fn patterns(&self, leaf: usize, node: Option<TermId>, forward: bool) -> Vec<QuadPattern> {
        let Some(graph) = filter_of(&self.scope) else { return Vec::new() };
        if node.is_some_and(|node| node.as_local().is_some()) {
            return Vec::new();
        }
        let ends = if forward { (node, None) } else { (None, node) };
        let of = |predicate| QuadPattern { subject: ends.0, predicate, object: ends.1, graph: graph.clone() };
        match &self.leaves[leaf].predicates {
            Some(predicates) => predicates.iter().map(|predicate| of(Some(*predicate))).collect(),
            None => vec![of(None)],
        }
    }

    /// Returns the nodes that `min` to `max` repetitions lead to from any of `from`, sorted.
    fn closure(
        &mut self,
        step: &Step,
        from: &[TermId],
        forward: bool,
        (min, max): (u32, Option<u32>),
        target: Option<TermId>,
    ) -> Result<Vec<TermId>, ExecuteError> {
        let mut frontier = from.to_vec();
        for _ in 0..min {
            self.context.check()?;
            let next = self.advance(step, &frontier, forward)?;
            let is_fixed = next == frontier;
            frontier = next;
            if frontier.is_empty() {
                return Ok(frontier);
            }
            if is_fixed {
                break;
            }
        }
        let mut seen: FxHashSet<TermId> = frontier.iter().copied().collect();
        let mut level = min;
        let mut held = self.context.reserve();
        while !frontier.is_empty() && max.is_none_or(|max| level < max) {
            if target.is_some_and(|target| seen.contains(&target)) {
                break;
            }
            self.context.check()?;
            frontier = self.advance(step, &frontier, forward)?;
            frontier.retain(|node| seen.insert(*node));
            held.grow(bytes_of(frontier.len(), 2))?;
            level += 1;
        }
        let mut reached: Vec<TermId> = seen.into_iter().collect();
        reached.sort_unstable();
        Ok(reached)
    }

    /// Returns a superset of the nodes that a step can start from; needs all leaves preloaded.
    fn first_nodes(&mut self, step: &Step, forward: bool) -> Result<Vec<TermId>, ExecuteError> {
        Ok(match step {
            Step::Leaf(leaf) => {
                self.leaves[*leaf].neighbours[usize::from(!forward)].ranges.keys().copied().collect()
            }
            Step::Inverse(inner) => self.first_nodes(inner, !forward)?,
            Step::Sequence(parts) => {
                let mut nodes = Vec::new();
                for place in 0..parts.len() {
                    let part = if forward { &parts[place] } else { &parts[parts.len() - 1 - place] };
                    nodes.extend(self.first_nodes(part, forward)?);
                    if !self.skips(part) {
                        break;
                    }
                }
                nodes
            }
            Step::Alternative(parts) => {
                let mut nodes = Vec::new();
                for part in parts {
                    nodes.extend(self.first_nodes(part, forward)?);
                }
                nodes
            }
            Step::Repeat(inner, ..) => self.first_nodes(inner, forward)?,
        })
    }

    /// Returns whether a step may stay where it is, so that it starts anywhere.
    fn skips(&self, step: &Step) -> bool {
        match step {
            Step::Leaf(_) => false,
            Step::Inverse(inner) => self.skips(inner),
            Step::Sequence(parts) => parts.iter().all(|part| self.skips(part)),
            Step::Alternative(parts) => parts.iter().any(|part| self.skips(part)),
            Step::Repeat(inner, min, _) => *min == 0 || self.skips(inner),
        }
    }
}

fn compile(
    step: &PathExpression,
    leaves: &mut Vec<Leaf>,
    context: &Context,
    depth: usize,
) -> Result<Step, ExecuteError> {
    if depth > DEPTH_MAX {
        return Err(ExecuteError::Unsupported("the path expression is nested too deeply".to_owned()));
    }
    let mut all = |parts: &[PathExpression]| {
        parts.iter().map(|part| compile(part, leaves, context, depth + 1)).collect::<Result<Vec<_>, _>>()
    };
    Ok(match step {
        PathExpression::Sequence(parts) => Step::Sequence(all(parts)?),
        PathExpression::Alternative(parts) => Step::Alternative(all(parts)?),
        PathExpression::Inverse(inner) => {
            Step::Inverse(Box::new(compile(inner, leaves, context, depth + 1)?))
        }
        PathExpression::Repeat(inner, min, max) => {
            Step::Repeat(Box::new(compile(inner, leaves, context, depth + 1)?), *min, *max)
        }
        PathExpression::Predicates(names) => {
            leaves.push(Leaf { predicates: Some(ids(names, context)?), ..Leaf::default() });
            Step::Leaf(leaves.len() - 1)
        }
        PathExpression::Not(names) => {
            leaves.push(Leaf { predicates: None, not: ids(names, context)?, ..Leaf::default() });
            Step::Leaf(leaves.len() - 1)
        }
    })
}

fn ids(names: &[NamedNode], context: &Context) -> Result<Vec<TermId>, ExecuteError> {
    let mut ids = Vec::new();
    for name in names {
        ids.extend(context.dataset.term_id(&name.clone().into())?);
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}
