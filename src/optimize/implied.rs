//! What the data's schema proves, and so needs no asking.
//!
//! - An optional property is none if all nodes of a class have it, and is joined if it tells that a node is of the class.
//! - A scan for a node's class goes if another relation of the join has the node at an end where all nodes are of
//!   that class.
//! - Relationships that cannot be one, since none leads from a node to itself, need not be compared; those that can
//!   are one if their ends are and, where some have the same ends, their reifiers.
//! - Where a relationship itself is read by nobody and no two have the same ends, its triple will do; if some have, the
//!   triple as often as it has edges.
//!
//! The facts are about all graphs together, so this is for data in one graph; and for questions only, since what a
//! statement writes may end a fact while it runs.

use std::collections::BTreeMap;

use super::Set;
use super::filter::conjoin;
use crate::dataset::{Dataset, DatasetError};
use crate::model::{NamedNode, Term, rdf};
use crate::plan::{
    EdgeScan, Expression, Function, GraphSelector, LogicalPlan, Path, PathExpression, PredicateInfo,
    QuadScan, Schema, Slot, Variable, Variables,
};

/// Takes away what is implied. `needed` is read of the plan's rows.
pub fn remove(
    plan: LogicalPlan,
    variables: &mut Variables,
    needed: &Set,
    dataset: &dyn Dataset,
) -> Result<LogicalPlan, DatasetError> {
    if !may_gain(&plan) || dataset.statistics().named_graphs > 0 {
        return Ok(plan);
    }
    let schema = dataset.schema()?;
    let facts = Facts { schema: &schema };
    let plan = facts.distinct_edges(plan, variables);
    let mentions = mentions(&plan, needed);
    let plan = facts.classes(facts.plain_edges(plan, &mentions));
    Ok(facts.classes(facts.properties(plan)))
}

/// Scans triples for relationships that a pass has left unread since; else as [`remove`].
pub fn plain(plan: LogicalPlan, needed: &Set, dataset: &dyn Dataset) -> Result<LogicalPlan, DatasetError> {
    if !has_edges(&plan) || dataset.statistics().named_graphs > 0 {
        return Ok(plan);
    }
    let (schema, mentions) = (dataset.schema()?, mentions(&plan, needed));
    Ok(Facts { schema: &schema }.plain_edges(plan, &mentions))
}

fn has_edges(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::EdgeScan(_)) || plan.inputs().into_iter().any(has_edges)
}

fn mentions(plan: &LogicalPlan, needed: &Set) -> BTreeMap<Variable, usize> {
    let mut mentions = plan.mentions();
    needed.iter().for_each(|variable| *mentions.entry(variable).or_default() += 1);
    mentions
}

fn may_gain(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::EdgeScan(_) => true,
        LogicalPlan::QuadScan(scan) => class_of(scan).is_some(),
        _ => plan.inputs().into_iter().any(may_gain),
    }
}

/// Returns the node and the class of a scan that asks whether a node is of a class.
fn class_of(scan: &QuadScan) -> Option<(Variable, &NamedNode)> {
    match (&scan.subject, &scan.predicate, &scan.object) {
        (
            Slot::Variable(node),
            Slot::Constant(Term::NamedNode(predicate)),
            Slot::Constant(Term::NamedNode(class)),
        ) if *predicate == rdf::TYPE && is_whole(&scan.graph) => Some((*node, class)),
        _ => None,
    }
}

/// Returns the class that a relation of a plan asks for, of a node, below what keeps the plan's rows or some of them.
fn class_asked_for(plan: &LogicalPlan, node: Variable) -> Option<&NamedNode> {
    match plan {
        LogicalPlan::QuadScan(scan) => {
            class_of(scan).filter(|(other, _)| *other == node).map(|(_, class)| class)
        }
        LogicalPlan::Join { left, right } => [left, right].into_iter().find_map(|side| match **side {
            LogicalPlan::QuadScan(_) | LogicalPlan::Join { .. } => class_asked_for(side, node),
            _ => None,
        }),
        LogicalPlan::LeftJoin { left: input, .. }
        | LogicalPlan::SemiJoin { left: input, .. }
        | LogicalPlan::AntiJoin { left: input, .. }
        | LogicalPlan::Filter { input, .. } => class_asked_for(input, node),
        _ => None,
    }
}

/// Joins a relation with those among which [`class_asked_for`] finds one.
fn join_beside_classes(plan: LogicalPlan, relation: Box<LogicalPlan>) -> LogicalPlan {
    let inside = |input: Box<LogicalPlan>, relation| Box::new(join_beside_classes(*input, relation));
    match plan {
        LogicalPlan::LeftJoin { left, right, condition } => {
            LogicalPlan::LeftJoin { left: inside(left, relation), right, condition }
        }
        LogicalPlan::SemiJoin { left, right } => {
            LogicalPlan::SemiJoin { left: inside(left, relation), right }
        }
        LogicalPlan::AntiJoin { left, right } => {
            LogicalPlan::AntiJoin { left: inside(left, relation), right }
        }
        LogicalPlan::Filter { input, condition } => {
            LogicalPlan::Filter { input: inside(input, relation), condition }
        }
        plan => LogicalPlan::Join { left: Box::new(plan), right: relation },
    }
}

/// Returns whether a selector reads all that there is, where there are no named graphs.
fn is_whole(graph: &GraphSelector) -> bool {
    matches!(graph, GraphSelector::Default | GraphSelector::Everything)
}

struct Facts<'a> {
    schema: &'a Schema,
}

impl Facts<'_> {
    fn of(&self, predicate: &Slot) -> Option<&PredicateInfo> {
        match predicate {
            Slot::Constant(Term::NamedNode(name)) => self.schema.predicates.get(name),
            _ => None,
        }
    }

    /// Removes scans for classes that the rest of their join implies.
    fn classes(&self, plan: LogicalPlan) -> LogicalPlan {
        let plan = plan.map_inputs(&mut |input| self.classes(input));
        if !matches!(plan, LogicalPlan::Join { .. }) {
            return plan;
        }
        let mut relations = Vec::new();
        relations_of(plan, &mut relations);
        let mut at = 0;
        while at < relations.len() && relations.len() > 1 {
            let implied = match &relations[at] {
                LogicalPlan::QuadScan(scan) => class_of(scan).is_some_and(|(node, class)| {
                    let others = relations.iter().enumerate().filter(|(index, _)| *index != at);
                    others.into_iter().any(|(_, other)| self.implies(other, node, class))
                }),
                _ => false,
            };
            if implied {
                relations.remove(at);
            } else {
                at += 1;
            }
        }
        let join = |left, right| LogicalPlan::Join { left: Box::new(left), right: Box::new(right) };
        relations.into_iter().reduce(join).unwrap_or_else(LogicalPlan::unit)
    }

    /// Joins what was joined optionally and is never missing, where that tells the class that a scan asks for.
    fn properties(&self, plan: LogicalPlan) -> LogicalPlan {
        match plan.map_inputs(&mut |input| self.properties(input)) {
            LogicalPlan::LeftJoin { left, right, condition: None } if self.tells_class(&left, &right) => {
                join_beside_classes(*left, right)
            }
            plan => plan,
        }
    }

    /// Returns whether `right` has a row for each of `left`'s, and tells the class by which that is known.
    fn tells_class(&self, left: &LogicalPlan, right: &LogicalPlan) -> bool {
        let LogicalPlan::QuadScan(scan) = right else { return false };
        let (Some(node), Slot::Constant(Term::NamedNode(predicate)), Some(value)) =
            (scan.subject.variable(), &scan.predicate, scan.object.variable())
        else {
            return false;
        };
        let is_of_all = |class: &NamedNode| {
            let (class_info, info) = (self.schema.classes.get(class), self.of(&scan.predicate));
            class_info.is_some_and(|of_class| of_class.total_predicates.binary_search(predicate).is_ok())
                && info.is_some_and(|info| info.domain.contains(class))
                && !self.implies(left, node, class)
        };
        is_whole(&scan.graph)
            && class_asked_for(left, node).is_some_and(is_of_all)
            && !left.mentioned().contains(&value)
    }

    /// Returns whether each row of a plan has a node of `class` in `node`, by other triples than that it is one.
    fn implies(&self, plan: &LogicalPlan, node: Variable, class: &NamedNode) -> bool {
        match plan {
            LogicalPlan::QuadScan(scan) => {
                let QuadScan { subject, predicate, object, graph, .. } = &**scan;
                is_whole(graph)
                    && self.of(predicate).is_some_and(|info| at_end(info, subject, object, node, class))
            }
            LogicalPlan::EdgeScan(scan) => {
                let EdgeScan { subject, predicate, predicates, object, graph, .. } = &**scan;
                let is_end = |info: &PredicateInfo| at_end(info, subject, object, node, class);
                is_whole(graph)
                    && match predicates.is_empty() {
                        true => self.of(predicate).is_some_and(is_end),
                        false => {
                            predicates.iter().all(|name| self.schema.predicates.get(name).is_some_and(is_end))
                        }
                    }
            }
            LogicalPlan::Path(path) => {
                let Path { subject, object, graph, step, min, .. } = &**path;
                let (is_start, is_end) = ends(step, &|name, is_subject| {
                    self.schema.predicates.get(name).is_some_and(|info| {
                        let classes = if is_subject { &info.domain } else { &info.range };
                        classes.contains(class)
                    })
                });
                let is_at = |slot: &Slot| slot.variable() == Some(node);
                is_whole(graph) && *min > 0 && (is_start && is_at(subject) || is_end && is_at(object))
            }
            LogicalPlan::Union(branches) => {
                !branches.is_empty() && branches.iter().all(|branch| self.implies(branch, node, class))
            }
            LogicalPlan::Join { left, right } => {
                self.implies(left, node, class) || self.implies(right, node, class)
            }
            LogicalPlan::Extend { input, variable, .. } => {
                *variable != node && self.implies(input, node, class)
            }
            LogicalPlan::Project { input, variables } => {
                variables.contains(&node) && self.implies(input, node, class)
            }
            LogicalPlan::LeftJoin { left: input, .. }
            | LogicalPlan::SemiJoin { left: input, .. }
            | LogicalPlan::AntiJoin { left: input, .. }
            | LogicalPlan::Minus { left: input, .. }
            | LogicalPlan::Filter { input, .. }
            | LogicalPlan::Distinct { input }
            | LogicalPlan::DistinctEdges { input, .. } => self.implies(input, node, class),
            _ => false,
        }
    }

    /// Scans triples where nobody reads the relationships, of which there is one for each, or as many as it has edges.
    fn plain_edges(&self, plan: LogicalPlan, mentions: &BTreeMap<Variable, usize>) -> LogicalPlan {
        let plan = plan.map_inputs(&mut |input| self.plain_edges(input, mentions));
        match plan {
            LogicalPlan::EdgeScan(scan)
                if is_unread(&scan.edge, mentions)
                    && scan.reifier.is_none_or(|reifier| is_unread(&Slot::Variable(reifier), mentions))
                    && (self.is_one_each(&scan) || self.is_reified(&scan)) =>
            {
                let per_edge = !self.is_one_each(&scan);
                let EdgeScan { subject, predicate, object, graph, .. } = *scan;
                LogicalPlan::QuadScan(Box::new(QuadScan { subject, predicate, object, graph, per_edge }))
            }
            plan => plan,
        }
    }

    /// Returns whether the triples that match a scan have one relationship each.
    fn is_one_each(&self, scan: &EdgeScan) -> bool {
        let is_plain = |info: &PredicateInfo| !info.has_parallel_edges && !info.has_literal_objects;
        is_of_one_predicate(scan) && self.of(&scan.predicate).is_some_and(is_plain)
    }

    /// Returns whether the relationships of a scan are the edges of a predicate.
    fn is_reified(&self, scan: &EdgeScan) -> bool {
        is_of_one_predicate(scan) && self.of(&scan.predicate).is_some_and(|info| info.is_reified)
    }

    /// Compares only the relationships that may be one, by their ends and perhaps their reifiers where those tell
    /// them apart.
    fn distinct_edges(&self, plan: LogicalPlan, variables: &mut Variables) -> LogicalPlan {
        let (mut input, edges) = match plan.map_inputs(&mut |input| self.distinct_edges(input, variables)) {
            LogicalPlan::DistinctEdges { input, edges } => (*input, edges),
            plan => return plan,
        };
        let mut found = BTreeMap::new();
        edge_ends(&input, variables, &mut found);
        found.retain(|_, ends| ends.as_ref().is_some_and(|ends| is_of_one_predicate(&ends.scan)));
        for ends in found.values_mut().flatten().filter(|ends| !self.is_one_each(&ends.scan)) {
            ends.reifier = Some(ends.scan.reifier.unwrap_or_else(|| variables.fresh()));
        }
        let ends = |edge: &Variable| found.get(edge)?.as_ref();
        let (mut conditions, mut left, mut compared) = (Vec::new(), Set::new(), Set::new());
        for (index, a) in edges.iter().enumerate() {
            for b in &edges[index + 1..] {
                match (ends(a), ends(b)) {
                    (Some(first), Some(second)) if self.never_one(first, second) => {}
                    (Some(first), Some(second)) if same_kind(&first.scan, &second.scan) => {
                        conditions.push(differ(first, second));
                        compared.extend([*a, *b]);
                    }
                    _ => left.extend([*a, *b]),
                }
            }
        }
        for edge in compared {
            if let Some(Some(ends)) = found.get(&edge) {
                show_ends(&mut input, edge, ends);
            }
        }
        let input = if conditions.is_empty() { input } else { conjoin(input, conditions) };
        let edges: Vec<Variable> = edges.into_iter().filter(|edge| left.contains(edge)).collect();
        match edges.is_empty() {
            true => input,
            false => LogicalPlan::DistinctEdges { input: Box::new(input), edges },
        }
    }

    /// Returns whether two relationships would have to lead from a node to itself to be one, and none does.
    fn never_one(&self, first: &Ends, second: &Ends) -> bool {
        let is_loop = first.subject == second.object || first.object == second.subject;
        let no_loops = |ends: &Ends| self.of(&ends.scan.predicate).is_some_and(|info| !info.has_loops);
        is_loop && (no_loops(first) || no_loops(second))
    }
}

/// The ends of a relationship as variables tell them, and one of the scans that bind it.
struct Ends {
    subject: Slot,
    object: Slot,
    scan: EdgeScan,
    /// What tells it from others of the same ends, if there may be such.
    reifier: Option<Variable>,
    /// Whether the variables are new, for a relationship that several scans bind, in this direction or that.
    is_new: bool,
}

/// Finds the ends of each relationship that a join binds; `None` for those that it binds more than once.
fn edge_ends(plan: &LogicalPlan, variables: &mut Variables, found: &mut BTreeMap<Variable, Option<Ends>>) {
    let mut note = |scan: &EdgeScan, ends: Option<[Slot; 2]>| {
        let Some(edge) = scan.edge.variable() else { return };
        let is_new = ends.is_some();
        let [subject, object] = ends.unwrap_or_else(|| [scan.subject.clone(), scan.object.clone()]);
        let ends = Ends { subject, object, scan: scan.clone(), reifier: None, is_new };
        let is_first = !found.contains_key(&edge);
        found.insert(edge, is_first.then_some(ends));
    };
    match plan {
        LogicalPlan::EdgeScan(scan) => note(scan, None),
        LogicalPlan::Union(branches) => {
            let scans: Option<Vec<&EdgeScan>> = branches.iter().map(branch_scan).collect();
            if let Some([first, rest @ ..]) = scans.as_deref()
                && rest.iter().all(|scan| {
                    (&scan.edge, scan.reifier) == (&first.edge, first.reifier) && same_kind(first, scan)
                })
            {
                note(first, Some([(); 2].map(|()| Slot::Variable(variables.fresh()))));
            }
        }
        LogicalPlan::Join { left, right } => {
            edge_ends(left, variables, found);
            edge_ends(right, variables, found);
        }
        LogicalPlan::LeftJoin { left: input, .. }
        | LogicalPlan::SemiJoin { left: input, .. }
        | LogicalPlan::AntiJoin { left: input, .. }
        | LogicalPlan::Filter { input, .. }
        | LogicalPlan::Extend { input, .. }
        | LogicalPlan::DistinctEdges { input, .. } => edge_ends(input, variables, found),
        _ => {}
    }
}

/// Returns the scan of a branch that is only that, perhaps filtered.
fn branch_scan(branch: &LogicalPlan) -> Option<&EdgeScan> {
    match branch {
        LogicalPlan::EdgeScan(scan) => Some(scan),
        LogicalPlan::Filter { input, .. } => branch_scan(input),
        _ => None,
    }
}

/// Binds the new variables of a relationship's ends, and its reifier, where the relationship is bound.
fn show_ends(plan: &mut LogicalPlan, edge: Variable, ends: &Ends) {
    match plan {
        LogicalPlan::EdgeScan(scan) if scan.edge == Slot::Variable(edge) => {
            scan.reifier = scan.reifier.or(ends.reifier);
        }
        LogicalPlan::Union(branches) => {
            for branch in branches {
                let Some(scan) =
                    branch_scan(branch).filter(|scan| scan.edge == Slot::Variable(edge)).cloned()
                else {
                    return;
                };
                show_ends(branch, edge, ends);
                if !ends.is_new {
                    continue;
                }
                for (name, end) in [(&ends.subject, &scan.subject), (&ends.object, &scan.object)] {
                    let Some(variable) = name.variable() else { continue };
                    let input = Box::new(std::mem::replace(branch, LogicalPlan::nothing()));
                    *branch = LogicalPlan::Extend { input, variable, expression: end.expression() };
                }
            }
        }
        LogicalPlan::Join { left, right } => {
            show_ends(left, edge, ends);
            show_ends(right, edge, ends);
        }
        LogicalPlan::LeftJoin { left: input, .. }
        | LogicalPlan::SemiJoin { left: input, .. }
        | LogicalPlan::AntiJoin { left: input, .. }
        | LogicalPlan::Filter { input, .. }
        | LogicalPlan::Extend { input, .. }
        | LogicalPlan::DistinctEdges { input, .. } => show_ends(input, edge, ends),
        _ => {}
    }
}

fn at_end(info: &PredicateInfo, subject: &Slot, object: &Slot, node: Variable, class: &NamedNode) -> bool {
    subject.variable() == Some(node) && info.domain.contains(class)
        || object.variable() == Some(node) && info.range.contains(class)
}

/// Returns whether all starts and all ends of a step satisfy `is`, which is asked of predicates and whether the
/// node is their subject.
fn ends(step: &PathExpression, is: &impl Fn(&NamedNode, bool) -> bool) -> (bool, bool) {
    match step {
        PathExpression::Predicates(names) => {
            (names.iter().all(|name| is(name, true)), names.iter().all(|name| is(name, false)))
        }
        PathExpression::Inverse(inner) => {
            let (start, end) = ends(inner, is);
            (end, start)
        }
        PathExpression::Sequence(steps) => match (steps.first(), steps.last()) {
            (Some(first), Some(last)) => (ends(first, is).0, ends(last, is).1),
            _ => (false, false),
        },
        PathExpression::Alternative(steps) => steps
            .iter()
            .map(|step| ends(step, is))
            .fold((!steps.is_empty(), !steps.is_empty()), |(starts, stops), (start, end)| {
                (starts && start, stops && end)
            }),
        PathExpression::Repeat(inner, min, _) if *min > 0 => ends(inner, is),
        PathExpression::Repeat(..) | PathExpression::Not(_) => (false, false),
    }
}

fn is_unread(edge: &Slot, mentions: &BTreeMap<Variable, usize>) -> bool {
    edge.variable().is_some_and(|edge| mentions.get(&edge) == Some(&1))
}

/// Returns whether two scans read the same relationships, so that equal ends make them one.
fn same_kind(first: &EdgeScan, second: &EdgeScan) -> bool {
    first.predicate == second.predicate && first.graph == second.graph && second.predicates.is_empty()
}

/// Returns whether a scan reads relationships of one predicate, of all graphs as one.
fn is_of_one_predicate(scan: &EdgeScan) -> bool {
    let is_type = scan.predicate == Slot::Constant(rdf::TYPE.into_owned().into());
    is_whole(&scan.graph) && scan.predicates.is_empty() && !is_type && scan.predicate.variable().is_none()
}

/// Returns the condition that two relationships do not have the same ends, or not the same reifier.
fn differ(first: &Ends, second: &Ends) -> Expression {
    let differs = |a: &Slot, b: &Slot| {
        let same = Expression::Call(Function::SameTerm, vec![a.expression(), b.expression()]);
        (a != b).then(|| Expression::Call(Function::Not, vec![same]))
    };
    let reifier = |ends: &Ends| ends.reifier.map(Slot::Variable);
    let reifiers = match (reifier(first), reifier(second)) {
        (Some(a), Some(b)) => differs(&a, &b),
        _ => None,
    };
    let parts = [differs(&first.subject, &second.subject), differs(&first.object, &second.object), reifiers];
    let mut parts: Vec<Expression> = parts.into_iter().flatten().collect();
    match parts.len() {
        0 => Expression::Constant(crate::model::Value::Boolean(false)),
        1 => parts.remove(0),
        _ => Expression::Call(Function::Or, parts),
    }
}

/// Gathers the relations of a tree of joins.
fn relations_of(plan: LogicalPlan, relations: &mut Vec<LogicalPlan>) {
    match plan {
        LogicalPlan::Join { left, right } => {
            relations_of(*left, relations);
            relations_of(*right, relations);
        }
        plan => relations.push(plan),
    }
}
