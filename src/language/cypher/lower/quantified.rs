//! Quantified patterns: `((a)-[r]->(b) WHERE ...){1,3}` and `-[r]->{1,3}`.
//!
//! One relationship of which nothing is asked but types and constant properties is a Path; every
//! other pattern is the step of a Repeat, which is put onto rows that bind where it starts.

use super::expression::has_subquery;
use super::pattern::{Asked, Lowered};
use super::subquery::{narrow, subplan_needs};
use super::write::{leaf, name_all};
use super::{Binding, Lowerer, Rows, Scope, join};
use crate::language::cypher::ast::{
    ExprKind, Length, Link, Name, NodePattern, Pattern, QuantifiedPattern, RelationshipPattern, Search, Step,
};
use crate::language::cypher::kind::Kind;
use crate::language::cypher::token::Span;
use crate::model::Value;
use crate::plan::{Expression, Function, LogicalPlan, Repeat, Variable, VariableSet};

/// A Repeat that waits for its input.
pub(super) struct Pending {
    span: Span,
    /// One round; its Argument has what it reads of the input row.
    step: LogicalPlan,
    /// (of a round, of the chain): where it starts, and where it ends.
    start: (Variable, Variable),
    end: (Variable, Variable),
    edges: Vec<Variable>,
    min: u32,
    max: Option<u32>,
    trail: Variable,
    lists: Vec<(Variable, Variable)>,
    /// What stands before it, if it cuts its path in two.
    left: Option<LogicalPlan>,
    /// What then stands behind it, up to the next cut.
    right: LogicalPlan,
}

impl Lowered<'_> {
    /// Ends a path whose repeats are those from `first` on: `plan`, which holds what is behind the
    /// last cut, becomes what is before the first.
    pub(super) fn close_cuts(&mut self, first: usize) {
        for repeat in self.repeats[first..].iter_mut().rev() {
            if let Some(left) = repeat.left.take() {
                repeat.right = std::mem::replace(&mut self.plan, left);
            }
        }
    }
}

impl Lowerer<'_> {
    /// Lowers a quantified pattern between two nodes; returns the variable of its relationships.
    /// `left` is the plan of all that stands before it; that of the node behind it is lowered already.
    pub(super) fn quantified(
        &mut self,
        quantified: &QuantifiedPattern,
        ends: (Variable, Variable),
        outer: &Scope,
        left: LogicalPlan,
        lowered: &mut Lowered<'_>,
    ) -> Option<Variable> {
        if let Some(relationship) = single_relationship(quantified) {
            let node = std::mem::replace(&mut lowered.plan, LogicalPlan::unit());
            lowered.plan = join(Box::new(left), node);
            return self.quantified_relationship(quantified, relationship, ends, outer, lowered);
        }
        let pending = self.pending(quantified, ends, outer, lowered);
        let trail = pending.trail;
        lowered.repeats.push(Pending { left: Some(left), ..pending });
        Some(trail)
    }

    /// Lowers `-[r:T*1..3 {key: a.key}]->`, whose properties say something else for each row.
    pub(super) fn length_per_row(
        &mut self,
        relationship: &RelationshipPattern,
        ends: (Variable, Variable),
        is_bound: bool,
        lowered: &mut Lowered<'_>,
    ) -> Variable {
        let length = relationship.length.unwrap_or(Length { min: None, max: None });
        let span = relationship.span;
        let variable = relationship.variable.clone().filter(|_| !is_bound);
        let once = RelationshipPattern { variable, length: None, filter: None, ..relationship.clone() };
        let steps = vec![Step { link: Link::Relationship(once), node: nameless_node(span) }];
        let pattern =
            Pattern { variable: None, search: Search::All, start: nameless_node(span), steps, span };
        let (min, max) = (length.min.unwrap_or(1), length.max);
        let quantified = QuantifiedPattern { pattern: Box::new(pattern), filter: None, min, max, span };
        let scope = lowered.scope.clone();
        let pending = self.pending(&quantified, ends, &scope, lowered);
        let trail = pending.trail;
        lowered.repeats.push(pending);
        trail
    }

    /// A relationship of which nothing is asked that a Path cannot: the lists are parts of the path.
    fn quantified_relationship(
        &mut self,
        quantified: &QuantifiedPattern,
        relationship: &RelationshipPattern,
        (from, to): (Variable, Variable),
        outer: &Scope,
        lowered: &mut Lowered<'_>,
    ) -> Option<Variable> {
        let length = Some(Length { min: Some(quantified.min), max: quantified.max });
        let relationship = RelationshipPattern { length, ..relationship.clone() };
        let edges = self.variable_length(&quantified.pattern, &relationship, (from, to), outer, lowered)?;
        let number = |number: i64| Expression::Constant(Value::Integer(number));
        let nothing = || Expression::Constant(Value::Null);
        let bounds = [(nothing(), number(-1)), (number(1), nothing())];
        for (node, (first, last)) in quantified.pattern.nodes().zip(bounds) {
            let Some(name) = &node.variable else { continue };
            let variable = self.variables.named(name.text.clone());
            let path = Expression::call(Function::Path, [from.into(), edges.into(), to.into()]);
            let nodes = Expression::call(Function::Nodes, [path]);
            lowered.extends.push((variable, Expression::call(Function::Slice, [nodes, first, last])));
            let binding = Binding::new(variable, Kind::List(Some(&Kind::Node)), false);
            lowered.scope.insert(name.text.clone(), binding);
        }
        Some(edges)
    }

    /// Lowers the step of a quantified pattern, and names its lists.
    fn pending(
        &mut self,
        quantified: &QuantifiedPattern,
        (start, end): (Variable, Variable),
        outer: &Scope,
        lowered: &mut Lowered<'_>,
    ) -> Pending {
        let named = name_all(&quantified.pattern);
        let mut round = Rows::new(LogicalPlan::unit(), outer.clone());
        round.plan = LogicalPlan::Argument { variables: round.visible() };
        self.patterns_onto(std::slice::from_ref(&named), &mut round);
        if let Some(filter) = &quantified.filter {
            self.where_clause(filter, &mut round);
        }
        let needed = subplan_needs(&round.plan);
        narrow(&mut round.plan, &needed);
        let scope = &round.scope;
        let of = |name: &Option<Name>| {
            let name = name.as_ref().map_or("", |name| name.text.as_str());
            scope.get(name).map_or(start, |binding| binding.variable)
        };
        let nodes: Vec<Variable> = named.nodes().map(|node| of(&node.variable)).collect();
        let edges: Vec<Variable> = named.relationships().map(|edge| of(&edge.variable)).collect();
        let trail = self.variables.fresh();
        let mut lists: Vec<(Variable, Variable)> = Vec::new();
        for name in quantified.pattern.names() {
            let Some(own) = round.scope.get(&name.text).copied() else { continue };
            let list = if edges == [own.variable] {
                trail
            } else if let Some((_, list)) = lists.iter().find(|(known, _)| *known == own.variable) {
                *list
            } else {
                let list = self.variables.named(name.text.clone());
                lists.push((own.variable, list));
                list
            };
            lowered.scope.insert(name.text.clone(), Binding::new(list, own.kind.list(), false));
        }
        Pending {
            span: quantified.span,
            step: round.plan,
            start: (nodes[0], start),
            end: (nodes[nodes.len() - 1], end),
            edges,
            min: quantified.min,
            max: quantified.max,
            trail,
            lists,
            left: None,
            right: LogicalPlan::unit(),
        }
    }

    /// Puts a Repeat onto rows. It is walked from the end that the rows bind; if they bind neither,
    /// from every node. Returns what of `asked` is still to be asked.
    pub(super) fn repeat<'p>(
        &mut self,
        mut pending: Pending,
        mut asked: Vec<Asked<'p>>,
        rows: &mut Rows,
    ) -> Vec<Asked<'p>> {
        let given: VariableSet =
            leaf(&mut pending.step).map(|given| given.iter().copied().collect()).unwrap_or_default();
        let bound = rows.plan.variables();
        let (start, end) = (pending.start.1, pending.end.1);
        let is_met = |plan: &LogicalPlan| !plan.variables().is_disjoint(&bound);
        let mut right = Some(pending.right).filter(|right| !right.is_unit());
        if bound.contains(&end)
            || !bound.contains(&start)
            || !given.is_subset(&bound)
            || right.as_ref().is_some_and(is_met)
        {
            right.take().into_iter().for_each(|right| rows.join(right));
        }
        asked = self.ask_bound(asked, rows);
        let is_bound = |rows: &Rows, variable: Variable| rows.plan.variables().contains(&variable);
        let is_reversed = !is_bound(rows, start) && is_bound(rows, end);
        for node in [start, end] {
            let is_needed = node == start && !is_reversed || given.contains(&node);
            if is_needed && !is_bound(rows, node) {
                let all = self.all_nodes(node);
                rows.join(all);
            }
        }
        if !given.is_subset(&rows.plan.variables()) {
            self.refuse(pending.span, "this depends on what a later quantified pattern binds");
        }
        let (start, end) = match is_reversed {
            true => (pending.end, pending.start),
            false => (pending.start, pending.end),
        };
        let mut step = pending.step;
        match leaf(&mut step) {
            Some(variables) => variables.push(start.0),
            None => step = join(Box::new(LogicalPlan::Argument { variables: vec![start.0] }), step),
        }
        let mut edges = pending.edges;
        if is_reversed {
            edges.reverse();
        }
        rows.wrap(|input| {
            LogicalPlan::Repeat(Repeat {
                input,
                step: Box::new(step),
                from: start.0,
                to: end.0,
                edges,
                start: start.1,
                end: end.1,
                min: pending.min,
                max: pending.max,
                trail: pending.trail,
                lists: pending.lists,
                is_reversed,
            })
        });
        right.into_iter().for_each(|right| rows.join(right));
        asked
    }
}

/// Returns the relationship of a pattern that asks for nothing else, if there is just one.
fn single_relationship(quantified: &QuantifiedPattern) -> Option<&RelationshipPattern> {
    let [Step { link: Link::Relationship(relationship), node: last }] = quantified.pattern.steps.as_slice()
    else {
        return None;
    };
    let first = &quantified.pattern.start;
    let is_bare =
        |node: &NodePattern| node.labels.is_none() && node.properties.is_none() && node.filter.is_none();
    let is_loop = first.variable.is_some()
        && first.variable.as_ref().map(|name| &name.text) == last.variable.as_ref().map(|name| &name.text);
    let is_constant = relationship.properties.as_ref().is_none_or(|properties| {
        !properties.any(&|e| matches!(e.kind, ExprKind::Variable(_))) && !has_subquery(properties)
    });
    let is_plain = quantified.filter.is_none() && relationship.filter.is_none() && is_constant;
    (is_plain && !is_loop && is_bare(first) && is_bare(last)).then_some(relationship)
}

fn nameless_node(span: Span) -> NodePattern {
    NodePattern { variable: None, labels: None, properties: None, filter: None, span }
}
