//! Property paths: what can be scans, joins and unions becomes that; `*`, `+` and `?` stay paths.

use spargebra::algebra::PropertyPathExpression;

use super::scope::Lowering;
use super::term::{constant, same_term};
use crate::plan::{Expression, Function, LogicalPlan, Path, PathExpression, PathMode, QuadScan, Slot};

impl Lowering {
    pub fn path(&mut self, subject: Slot, path: &PropertyPathExpression, object: Slot) -> LogicalPlan {
        match path {
            PropertyPathExpression::NamedNode(node) => {
                self.scan(subject, Slot::Constant(node.clone().into()), object)
            }
            PropertyPathExpression::Reverse(inner) => self.path(object, inner, subject),
            PropertyPathExpression::Sequence(first, second) => {
                let middle = Slot::Variable(self.variables.fresh());
                let left = self.path(subject, first, middle.clone());
                let right = self.path(middle, second, object);
                LogicalPlan::Join { left: Box::new(left), right: Box::new(right) }
            }
            PropertyPathExpression::Alternative(first, second) => {
                let left = self.path(subject.clone(), first, object.clone());
                let right = self.path(subject, second, object);
                match left {
                    LogicalPlan::Union(mut branches) => {
                        branches.push(right);
                        LogicalPlan::Union(branches)
                    }
                    left => LogicalPlan::Union(vec![left, right]),
                }
            }
            PropertyPathExpression::NegatedPropertySet(nodes) => {
                let predicate = self.variables.fresh();
                let input = self.scan(subject, Slot::Variable(predicate), object);
                let differs = |node: &spargebra::term::NamedNode| {
                    Expression::call(Function::Not, [same_term(predicate, constant(node.clone()))])
                };
                match nodes.iter().map(differs).reduce(Expression::and) {
                    None => input,
                    Some(condition) => LogicalPlan::Filter { input: Box::new(input), condition },
                }
            }
            PropertyPathExpression::ZeroOrMore(step) => self.repeat(subject, step, object, 0, None),
            PropertyPathExpression::OneOrMore(step) => self.repeat(subject, step, object, 1, None),
            PropertyPathExpression::ZeroOrOne(step) => self.repeat(subject, step, object, 0, Some(1)),
        }
    }

    pub fn scan(&self, subject: Slot, predicate: Slot, object: Slot) -> LogicalPlan {
        LogicalPlan::QuadScan(Box::new(QuadScan::new(subject, predicate, object, self.graph.clone())))
    }

    fn repeat(
        &self,
        subject: Slot,
        step: &PropertyPathExpression,
        object: Slot,
        min: u32,
        max: Option<u32>,
    ) -> LogicalPlan {
        LogicalPlan::Path(Box::new(Path {
            subject,
            object,
            graph: self.graph.clone(),
            step: step_of(step),
            min,
            max,
            mode: PathMode::Reachable,
            edges: None,
            path: None,
            edge_properties: None,
        }))
    }
}

fn step_of(path: &PropertyPathExpression) -> PathExpression {
    match path {
        PropertyPathExpression::NamedNode(node) => PathExpression::Predicates(vec![node.clone()]),
        PropertyPathExpression::Reverse(inner) => PathExpression::Inverse(Box::new(step_of(inner))),
        PropertyPathExpression::Sequence(first, second) => {
            let mut steps = flat_sequence(step_of(first));
            steps.extend(flat_sequence(step_of(second)));
            PathExpression::Sequence(steps)
        }
        PropertyPathExpression::Alternative(first, second) => alternative(step_of(first), step_of(second)),
        PropertyPathExpression::ZeroOrMore(inner) => {
            PathExpression::Repeat(Box::new(step_of(inner)), 0, None)
        }
        PropertyPathExpression::OneOrMore(inner) => PathExpression::Repeat(Box::new(step_of(inner)), 1, None),
        PropertyPathExpression::ZeroOrOne(inner) => {
            PathExpression::Repeat(Box::new(step_of(inner)), 0, Some(1))
        }
        PropertyPathExpression::NegatedPropertySet(nodes) => PathExpression::Not(nodes.clone()),
    }
}

fn flat_sequence(step: PathExpression) -> Vec<PathExpression> {
    match step {
        PathExpression::Sequence(steps) => steps,
        step => vec![step],
    }
}

fn alternative(first: PathExpression, second: PathExpression) -> PathExpression {
    match (first, second) {
        (PathExpression::Predicates(mut first), PathExpression::Predicates(second)) => {
            first.extend(second);
            first.sort();
            first.dedup();
            PathExpression::Predicates(first)
        }
        (PathExpression::Alternative(mut steps), second) => {
            steps.push(second);
            PathExpression::Alternative(steps)
        }
        (first, second) => PathExpression::Alternative(vec![first, second]),
    }
}
