//! The order of joins: the cheapest left-deep tree by the estimates, over connected relations
//! where there are such. Equal costs are settled by a key that no spelling changes.

use super::Set;
use super::canonical::{order_operands, plan_keys};
use super::estimate::{Estimate, Estimator, joined};
use super::filter::{conjoin, split};
use crate::dataset::{Dataset, DatasetError};
use crate::plan::{Expression, LogicalPlan, Path, Slot, Variable};

/// Up to here all orders are weighed; beyond, the next relation is the one that costs least.
const EXHAUSTIVE_MAX: usize = 10;
/// Cycles are joined a variable at a time if the best order costs so many times what it takes to read them.
const CYCLE_COST: f64 = 4.0;
/// How many steps a search for a path is thought to take from each end.
const PATH_STEPS: f64 = 1000.0;
/// Relations that share nothing are joined before others if no more rows come of it.
const PRODUCT_MAX: f64 = 4.0;

/// Orders every join of a plan.
pub fn order(plan: LogicalPlan, dataset: &dyn Dataset) -> Result<LogicalPlan, DatasetError> {
    if !has_join(&plan) {
        return Ok(sort_unions(plan));
    }
    Orderer { estimator: Estimator::new(dataset) }.plan(plan)
}

fn has_join(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Join { .. }) || plan.inputs().into_iter().any(has_join)
}

fn sort_unions(plan: LogicalPlan) -> LogicalPlan {
    match plan.map_inputs(&mut sort_unions) {
        LogicalPlan::Union(branches) => sorted_union(branches),
        plan => plan,
    }
}

fn sorted_union(branches: Vec<LogicalPlan>) -> LogicalPlan {
    let mut keyed: Vec<_> = plan_keys(&branches).into_iter().zip(branches).collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0));
    LogicalPlan::Union(keyed.into_iter().map(|(_, branch)| branch).collect())
}

struct Orderer<'a> {
    estimator: Estimator<'a>,
}

/// A relation to be joined.
struct Relation {
    plan: LogicalPlan,
    estimate: Estimate,
    variables: Set,
}

/// A prefix of an order.
#[derive(Clone)]
struct Prefix {
    cost: f64,
    estimate: Estimate,
    variables: Set,
    order: Vec<usize>,
}

impl Orderer<'_> {
    fn plan(&self, plan: LogicalPlan) -> Result<LogicalPlan, DatasetError> {
        let mut relations = Vec::new();
        let mut filters = Vec::new();
        match &plan {
            LogicalPlan::Join { .. } => {}
            _ => {
                let mut failed = None;
                let plan = plan.map_inputs(&mut |input| match self.plan(input) {
                    Ok(input) => input,
                    Err(error) => {
                        failed = Some(error);
                        LogicalPlan::nothing()
                    }
                });
                return match (failed, plan) {
                    (Some(error), _) => Err(error),
                    (None, LogicalPlan::Union(branches)) => Ok(sorted_union(branches)),
                    (None, LogicalPlan::DistinctEdges { input, mut edges }) => {
                        let mut met = Vec::new();
                        edges_in(&input, &mut met);
                        edges.sort_by_key(|edge| met.iter().position(|known| known == edge));
                        Ok(LogicalPlan::DistinctEdges { input, edges })
                    }
                    (None, plan) => Ok(plan),
                };
            }
        }
        collect(plan, &mut relations, &mut filters);
        let plans =
            relations.into_iter().map(|relation| self.plan(relation)).collect::<Result<Vec<_>, _>>()?;
        let plans: Vec<LogicalPlan> = plans.into_iter().map(order_operands).collect();
        let mut keyed: Vec<_> = plan_keys(&plans).into_iter().zip(plans).collect();
        keyed.sort_by(|a, b| a.0.cmp(&b.0));
        let mut relations = Vec::with_capacity(keyed.len());
        for (_, plan) in keyed {
            let (estimate, variables) = (self.estimator.plan(&plan)?, plan.variables());
            relations.push(Relation { plan, estimate, variables });
        }
        let mut best = best(&relations);
        if let Some(closed) = self.close_cycles(&relations, &best)? {
            relations = closed;
            best = self::best(&relations);
        }
        let order = best.map(|prefix| prefix.order).unwrap_or_default();
        let mut plans: Vec<Option<LogicalPlan>> =
            relations.into_iter().map(|relation| Some(relation.plan)).collect();
        let ordered = order.into_iter().filter_map(|index| plans.get_mut(index)?.take());
        let tree = ordered
            .reduce(|left, right| LogicalPlan::Join { left: Box::new(left), right: Box::new(right) })
            .unwrap_or_else(LogicalPlan::unit);
        Ok(conjoin(tree, filters))
    }
}

impl Orderer<'_> {
    /// Makes the relations that form cycles one, if joining them two by two would make far more rows than they have.
    fn close_cycles(
        &self,
        relations: &[Relation],
        best: &Option<Prefix>,
    ) -> Result<Option<Vec<Relation>>, DatasetError> {
        let core = cyclic_core(relations);
        let read: f64 = core.iter().map(|index| relations[*index].estimate.rows).sum();
        let is_dear = best.as_ref().is_some_and(|prefix| prefix.cost > read * CYCLE_COST);
        if core.is_empty() || !is_dear {
            return Ok(None);
        }
        let scans = core.iter().filter_map(|index| match &relations[*index].plan {
            LogicalPlan::QuadScan(scan) => Some((**scan).clone()),
            _ => None,
        });
        let plan = LogicalPlan::MultiwayJoin(scans.collect());
        let (estimate, variables) = (self.estimator.plan(&plan)?, plan.variables());
        let mut closed = vec![Relation { plan, estimate, variables }];
        for (index, Relation { plan, estimate, variables }) in relations.iter().enumerate() {
            if !core.contains(&index) {
                let (plan, estimate, variables) = (plan.clone(), estimate.clone(), variables.clone());
                closed.push(Relation { plan, estimate, variables });
            }
        }
        Ok(Some(closed))
    }
}

/// Returns the scans between two variables that lie on cycles, or between cycles.
fn cyclic_core(relations: &[Relation]) -> Vec<usize> {
    let ends = |index: usize| match &relations[index].plan {
        LogicalPlan::QuadScan(scan) if matches!(scan.predicate, Slot::Constant(_)) => {
            let (a, b) = (scan.subject.variable()?, scan.object.variable()?);
            (a != b && scan.graph.variable().is_none()).then_some([a, b])
        }
        _ => None,
    };
    let mut core: Vec<usize> = (0..relations.len()).filter(|index| ends(*index).is_some()).collect();
    loop {
        let degree = |variable: &Variable| {
            core.iter().filter(|index| ends(**index).is_some_and(|ends| ends.contains(variable))).count()
        };
        let is_inside =
            |index: &usize| ends(*index).is_some_and(|ends| ends.iter().all(|end| degree(end) > 1));
        let inside: Vec<usize> = core.iter().copied().filter(is_inside).collect();
        if inside.len() == core.len() {
            return core;
        }
        core = inside;
    }
}

/// Gathers the relationships that a plan binds, in its order.
fn edges_in(plan: &LogicalPlan, met: &mut Vec<Variable>) {
    match plan {
        LogicalPlan::EdgeScan(scan) => met.extend(scan.edge.variable()),
        LogicalPlan::Path(path) => met.extend(path.edges),
        LogicalPlan::Repeat(repeat) => {
            edges_in(&repeat.input, met);
            met.push(repeat.trail);
        }
        plan => plan.inputs().into_iter().for_each(|input| edges_in(input, met)),
    }
}

/// Gathers the relations of a tree of joins, and the filters between them.
fn collect(plan: LogicalPlan, relations: &mut Vec<LogicalPlan>, filters: &mut Vec<Expression>) {
    match plan {
        LogicalPlan::Join { left, right } => {
            collect(*left, relations, filters);
            collect(*right, relations, filters);
        }
        LogicalPlan::Filter { input, condition }
            if matches!(*input, LogicalPlan::Join { .. })
                && condition.variables().is_subset(&super::bound::certain(&input)) =>
        {
            filters.extend(split(condition));
            collect(*input, relations, filters);
        }
        plan => relations.push(plan),
    }
}

impl Prefix {
    fn first(index: usize, relation: &Relation) -> Prefix {
        Prefix {
            cost: relation.estimate.rows,
            estimate: relation.estimate.clone(),
            variables: relation.variables.clone(),
            order: vec![index],
        }
    }

    fn is_connected(&self, relation: &Relation) -> bool {
        !self.variables.is_disjoint(&relation.variables)
    }

    fn joined(&self, index: usize, relation: &Relation) -> Prefix {
        let shared: Vec<Variable> = (&self.variables & &relation.variables).into_iter().collect();
        let estimate = joined(&self.estimate, &relation.estimate, &shared);
        if let LogicalPlan::Path(path) = &relation.plan {
            return self.walked(index, relation, path, estimate, &shared);
        }
        // A small left side looks its matches up; a large one reads the whole relation.
        let access = if shared.is_empty() {
            relation.estimate.rows
        } else {
            relation.estimate.rows.min(self.estimate.rows * 4.0)
        };
        Prefix {
            cost: self.cost + access + estimate.rows,
            estimate,
            variables: &self.variables | &relation.variables,
            order: self.order.iter().copied().chain([index]).collect(),
        }
    }

    /// As [`Prefix::joined`], of a path: between two nodes it is searched from both, from one it reaches many.
    fn walked(
        &self,
        index: usize,
        relation: &Relation,
        path: &Path,
        estimate: Estimate,
        shared: &[Variable],
    ) -> Prefix {
        let is_given = |end: &Slot| end.variable().is_none_or(|end| shared.contains(&end));
        let given = [&path.subject, &path.object].into_iter().filter(|end| is_given(end)).count();
        let (each, rows) = match given {
            2 => (PATH_STEPS, self.estimate.rows),
            1 => (PATH_STEPS * PATH_STEPS, estimate.rows.max(self.estimate.rows * PATH_STEPS)),
            _ => (relation.estimate.rows, estimate.rows),
        };
        Prefix {
            cost: self.cost + self.estimate.rows.max(1.0) * each + rows,
            estimate: Estimate { rows, ..estimate },
            variables: &self.variables | &relation.variables,
            order: self.order.iter().copied().chain([index]).collect(),
        }
    }

    /// Returns whether a relation may come next: one that shares a variable, if there is any; or one that leaves few
    /// rows few, since what needs both may then find both.
    fn may_take(&self, relation: &Relation, any_connected: bool) -> bool {
        let is_small = || self.estimate.rows.max(1.0) * relation.estimate.rows.max(1.0) <= PRODUCT_MAX;
        !any_connected || self.is_connected(relation) || is_small()
    }

    fn is_better_than(&self, other: &Prefix) -> bool {
        // Costs are guesses: what differs in the last digits is equal.
        let (a, b) = (rounded(self.cost), rounded(other.cost));
        a < b || a == b && self.order < other.order
    }
}

fn rounded(cost: f64) -> f64 {
    (cost.max(0.0) + 1.0).ln() * 1e6_f64
}

/// Returns the best order of all relations.
fn best(relations: &[Relation]) -> Option<Prefix> {
    if relations.len() <= EXHAUSTIVE_MAX { exhaustive(relations) } else { greedy(relations) }
}

/// Weighs every connected left-deep order, by dynamic programming over sets of relations.
fn exhaustive(relations: &[Relation]) -> Option<Prefix> {
    let count = relations.len();
    let mut best: Vec<Option<Prefix>> = vec![None; 1 << count];
    for (index, relation) in relations.iter().enumerate() {
        best[1 << index] = Some(Prefix::first(index, relation));
    }
    for set in 1..1usize << count {
        let Some(prefix) = best[set].clone() else { continue };
        let open = || (0..count).filter(|index| set & 1 << index == 0);
        let any_connected = open().any(|index| prefix.is_connected(&relations[index]));
        for index in open() {
            if !prefix.may_take(&relations[index], any_connected) {
                continue;
            }
            let next = prefix.joined(index, &relations[index]);
            let slot = &mut best[set | 1 << index];
            if slot.as_ref().is_none_or(|known| next.is_better_than(known)) {
                *slot = Some(next);
            }
        }
    }
    best.pop().flatten()
}

fn greedy(relations: &[Relation]) -> Option<Prefix> {
    let mut best: Option<Prefix> = None;
    let firsts = relations.iter().enumerate().map(|(index, relation)| Prefix::first(index, relation));
    for first in firsts {
        if best.as_ref().is_none_or(|known| first.is_better_than(known)) {
            best = Some(first);
        }
    }
    let mut prefix = best?;
    while prefix.order.len() < relations.len() {
        let open = || (0..relations.len()).filter(|index| !prefix.order.contains(index));
        let any_connected = open().any(|index| prefix.is_connected(&relations[index]));
        let mut next: Option<Prefix> = None;
        for index in open() {
            if !prefix.may_take(&relations[index], any_connected) {
                continue;
            }
            let candidate = prefix.joined(index, &relations[index]);
            if next.as_ref().is_none_or(|known| candidate.is_better_than(known)) {
                next = Some(candidate);
            }
        }
        match next {
            Some(next) => prefix = next,
            None => break,
        }
    }
    Some(prefix)
}
