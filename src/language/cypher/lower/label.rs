//! Labels: those that a scan can answer, and the conditions that the others are.

use super::{all_of, not};
use crate::language::cypher::ast::{Expr, ExprKind, LabelExpression, NodePattern, Pattern};
use crate::model::Value;
use crate::plan::{Expression, Function};

/// Moves label tests of a WHERE to the nodes that they are of, where they say the same and a scan can
/// answer them. Returns what is left.
pub(super) fn move_labels(filter: &Expr, patterns: &mut [Pattern]) -> Option<Expr> {
    let parts = match &filter.kind {
        ExprKind::And(parts) => parts.as_slice(),
        _ => std::slice::from_ref(filter),
    };
    let mut left: Vec<Expr> = parts.iter().filter(|part| !move_label(part, patterns)).cloned().collect();
    match left.len() {
        0 | 1 => left.pop(),
        _ => Some(Expr { kind: ExprKind::And(left), span: filter.span }),
    }
}

fn move_label(test: &Expr, patterns: &mut [Pattern]) -> bool {
    let ExprKind::HasLabels(owner, labels) = &test.kind else { return false };
    let ExprKind::Variable(name) = &owner.kind else { return false };
    if !conjuncts(labels).iter().all(|label| matches!(label, LabelExpression::Label(_))) {
        return false;
    }
    let nodes = patterns.iter_mut().flat_map(|pattern| {
        std::iter::once(&mut pattern.start).chain(pattern.steps.iter_mut().map(|step| &mut step.node))
    });
    let is_owner = |node: &NodePattern| node.variable.as_ref().is_some_and(|own| own.text == *name);
    let Some(node) = nodes.into_iter().find(|node| is_owner(node)) else { return false };
    node.labels = Some(match node.labels.take() {
        Some(own) => LabelExpression::And(vec![own, labels.clone()]),
        None => labels.clone(),
    });
    true
}

/// Returns the label expressions that must all hold.
pub(super) fn conjuncts(labels: &LabelExpression) -> Vec<&LabelExpression> {
    match labels {
        LabelExpression::And(all) => all.iter().flat_map(conjuncts).collect(),
        other => vec![other],
    }
}

/// Returns the condition that a label expression puts on a node.
pub(super) fn label_condition(node: Expression, labels: &LabelExpression) -> Expression {
    match labels {
        LabelExpression::Label(name) => {
            Expression::call(Function::HasLabels(vec![name.text.clone()]), [node])
        }
        LabelExpression::Any => {
            let count = Expression::call(Function::Size, [Expression::call(Function::Labels, [node])]);
            Expression::call(Function::CypherLess, [Expression::Constant(Value::Integer(0)), count])
        }
        LabelExpression::Not(inner) => not(label_condition(node, inner)),
        LabelExpression::And(all) => {
            let names: Option<Vec<String>> = all
                .iter()
                .map(|label| match label {
                    LabelExpression::Label(name) => Some(name.text.clone()),
                    _ => None,
                })
                .collect();
            match names {
                Some(names) => Expression::call(Function::HasLabels(names), [node]),
                None => all_of(all.iter().map(|label| label_condition(node.clone(), label)))
                    .unwrap_or(Expression::Constant(Value::Boolean(true))),
            }
        }
        LabelExpression::Or(all) => all
            .iter()
            .map(|label| label_condition(node.clone(), label))
            .reduce(|a, b| Expression::call(Function::Or, [a, b]))
            .unwrap_or(Expression::Constant(Value::Boolean(false))),
    }
}
