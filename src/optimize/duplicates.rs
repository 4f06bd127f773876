//! Where repeated rows do not count, paths need not be enumerated.
//!
//! Above a DISTINCT, or aggregates that look at distinct values only, it matters whether there is a trail, not how
//! many there are. There is one of at most so many relationships, all in one direction, where there is any walk of at
//! most so many: the shortest walk repeats nothing. So it suffices to search nodes, each once.

use std::collections::BTreeMap;

use super::Set;
use crate::plan::{Aggregate, AggregateFunction, LogicalPlan, Path, PathExpression, PathMode, Variable};

/// Rewrites the paths of a plan, of whose rows `needed` is read.
pub fn skip(plan: LogicalPlan, needed: &Set) -> LogicalPlan {
    let mut mentions = plan.mentions();
    needed.iter().for_each(|variable| *mentions.entry(variable).or_default() += 1);
    skip_in(forget(plan, &mentions))
}

/// Takes from paths the lists of relationships that nobody reads.
fn forget(plan: LogicalPlan, mentions: &BTreeMap<Variable, usize>) -> LogicalPlan {
    match plan.map_inputs(&mut |input| forget(input, mentions)) {
        LogicalPlan::Path(mut path) => {
            path.edges = path.edges.filter(|edges| mentions.get(edges).is_some_and(|count| *count > 1));
            LogicalPlan::Path(path)
        }
        plan => plan,
    }
}

fn skip_in(plan: LogicalPlan) -> LogicalPlan {
    match plan {
        LogicalPlan::Distinct { input } => LogicalPlan::Distinct { input: Box::new(skip_in(reach(*input))) },
        LogicalPlan::Aggregate { input, keys, aggregates }
            if aggregates.iter().all(|(_, aggregate)| ignores_duplicates(aggregate)) =>
        {
            LogicalPlan::Aggregate { input: Box::new(skip_in(reach(*input))), keys, aggregates }
        }
        plan => plan.map_inputs(&mut skip_in),
    }
}

fn ignores_duplicates(aggregate: &Aggregate) -> bool {
    let is_extreme = matches!(
        aggregate.function,
        AggregateFunction::SparqlMin
            | AggregateFunction::SparqlMax
            | AggregateFunction::CypherMin
            | AggregateFunction::CypherMax
    );
    is_extreme || aggregate.distinct && aggregate.argument.is_some()
}

/// Rewrites a plan of whose rows it only matters which there are.
fn reach(plan: LogicalPlan) -> LogicalPlan {
    match plan {
        LogicalPlan::Path(path) if is_as_good_as_reached(&path) => {
            LogicalPlan::Path(Box::new(Path { mode: PathMode::Reachable, ..*path }))
        }
        LogicalPlan::Join { left, right } => {
            LogicalPlan::Join { left: Box::new(reach(*left)), right: Box::new(reach(*right)) }
        }
        LogicalPlan::LeftJoin { left, right, condition } => {
            LogicalPlan::LeftJoin { left: Box::new(reach(*left)), right: Box::new(reach(*right)), condition }
        }
        LogicalPlan::Filter { input, condition } => {
            LogicalPlan::Filter { input: Box::new(reach(*input)), condition }
        }
        LogicalPlan::Extend { input, variable, expression } => {
            LogicalPlan::Extend { input: Box::new(reach(*input)), variable, expression }
        }
        LogicalPlan::Project { input, variables } => {
            LogicalPlan::Project { input: Box::new(reach(*input)), variables }
        }
        LogicalPlan::Union(branches) => LogicalPlan::Union(branches.into_iter().map(reach).collect()),
        plan => plan,
    }
}

/// Returns whether the trails of a path lead where its walks do, and nobody reads the trails themselves.
fn is_as_good_as_reached(path: &Path) -> bool {
    path.mode == PathMode::Trail
        && path.min <= 1
        && path.edges.is_none()
        && path.path.is_none()
        && path.edge_properties.is_none()
        && is_directed(&path.step)
}

/// Returns whether all relationships of a step are of named predicates, and none may be walked both ways.
fn is_directed(step: &PathExpression) -> bool {
    match step {
        PathExpression::Predicates(_) => true,
        PathExpression::Inverse(inner) => is_directed(inner),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NamedNode;
    use crate::plan::{GraphSelector, Slot, Variable};

    fn path(step: PathExpression, min: u32) -> Path {
        Path {
            subject: Slot::Variable(Variable(0)),
            object: Slot::Variable(Variable(1)),
            graph: GraphSelector::Default,
            step,
            min,
            max: Some(3),
            mode: PathMode::Trail,
            edges: None,
            path: None,
            edge_properties: None,
        }
    }

    fn mode_under_distinct(path: Path) -> PathMode {
        let needed = Set::from([Variable(0), Variable(1)]);
        mode_where_needed(path, &needed)
    }

    fn mode_where_needed(path: Path, needed: &Set) -> PathMode {
        let (input, variables) = (Box::new(LogicalPlan::Path(Box::new(path))), needed.iter().collect());
        let projected = LogicalPlan::Project { input, variables };
        let plan = LogicalPlan::Distinct { input: Box::new(projected) };
        let LogicalPlan::Distinct { input } = skip(plan, needed) else { panic!("it stays distinct") };
        let LogicalPlan::Project { input, .. } = *input else { panic!("it stays projected") };
        let LogicalPlan::Path(path) = *input else { panic!("it stays a path") };
        path.mode
    }

    #[test]
    fn only_trails_that_nobody_reads_are_reached() {
        let knows = || PathExpression::Predicates(vec![NamedNode::new_unchecked("http://e/knows")]);
        assert_eq!(mode_under_distinct(path(knows(), 1)), PathMode::Reachable);
        assert_eq!(mode_under_distinct(path(knows(), 2)), PathMode::Trail, "a walk to and fro is no trail");
        let both = PathExpression::Alternative(vec![knows(), PathExpression::Inverse(Box::new(knows()))]);
        assert_eq!(mode_under_distinct(path(both, 1)), PathMode::Trail);
        let listed = || Path { edges: Some(Variable(2)), ..path(knows(), 1) };
        assert_eq!(mode_under_distinct(listed()), PathMode::Reachable, "nobody reads the list");
        let needed = Set::from([Variable(0), Variable(1), Variable(2)]);
        assert_eq!(mode_where_needed(listed(), &needed), PathMode::Trail);
        let counted = LogicalPlan::Path(Box::new(path(knows(), 1)));
        assert_eq!(skip(counted.clone(), &needed), counted);
    }
}
