//! Patterns: what they bind, and what they may not.

use std::collections::BTreeSet;

use super::expression::Context;
use super::{Binder, Checked, Scope};
use crate::language::cypher::ast::{
    Direction, Expr, ExprKind, LabelExpression, Link, Name, NodePattern, Pattern, QuantifiedPattern,
    RelationshipPattern,
};
use crate::language::cypher::kind::Kind;

/// What a clause that makes things allows in its patterns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Making {
    Create,
    Merge,
}

impl Binder<'_> {
    /// Binds the variables of MATCH's patterns, then checks the expressions inside them.
    pub(super) fn match_patterns(&self, patterns: &[Pattern], scope: &mut Scope) -> Checked {
        let before = scope.clone();
        let mut relationships = BTreeSet::new();
        for pattern in patterns {
            self.match_node(&pattern.start, scope)?;
            for step in &pattern.steps {
                match &step.link {
                    Link::Relationship(relationship) => {
                        self.match_relationship(relationship, scope, &mut relationships)?;
                    }
                    Link::Quantified(quantified) => self.quantified(quantified, &before, scope)?,
                }
                self.match_node(&step.node, scope)?;
            }
            if let Some(name) = &pattern.variable {
                self.bind_new(name, Kind::Path, scope)?;
            }
        }
        patterns.iter().try_for_each(|pattern| self.pattern_expressions(pattern, scope))
    }

    /// Checks a pattern that stands for whether it matches: it binds nothing.
    pub(super) fn pattern_predicate(&self, pattern: &Pattern, scope: &Scope) -> Checked {
        for name in pattern.names() {
            if !scope.contains_key(&name.text) {
                return self.undefined(name.span, &name.text);
            }
        }
        self.match_patterns(std::slice::from_ref(pattern), &mut scope.clone())
    }

    /// Checks a quantified pattern and binds the lists that its names are outside of it. Inside, each
    /// is one node or relationship, beside the names that `before` holds.
    fn quantified(&self, quantified: &QuantifiedPattern, before: &Scope, scope: &mut Scope) -> Checked {
        let pattern = &quantified.pattern;
        if pattern.steps.is_empty() {
            let message = "a quantified pattern needs a relationship";
            return self.fault(pattern.span, "UnexpectedSyntax", message);
        }
        if let Some(inner) = pattern.quantified().next() {
            let message = "a quantified pattern cannot stand inside another";
            return self.fault(inner.span, "UnexpectedSyntax", message);
        }
        if let Some(relationship) = pattern.relationships().find(|r| r.length.is_some()) {
            let message = "a relationship of variable length cannot stand inside a quantified pattern";
            return self.fault(relationship.span, "UnexpectedSyntax", message);
        }
        for name in pattern.names() {
            if scope.contains_key(&name.text) || before.contains_key(&name.text) {
                let message =
                    format!("'{}' is bound already; a name in a quantified pattern must be new", name.text);
                return self.fault(name.span, "VariableAlreadyBound", message);
            }
        }
        let mut inside = before.clone();
        self.match_patterns(std::slice::from_ref(pattern), &mut inside)?;
        let filter = &quantified.filter;
        filter.iter().try_for_each(|filter| self.condition(filter, &inside, Context::PREDICATE))?;
        for name in pattern.names() {
            let kind = inside.get(&name.text).copied().unwrap_or(Kind::Any);
            scope.insert(name.text.clone(), kind.list());
        }
        Ok(())
    }

    fn pattern_expressions(&self, pattern: &Pattern, scope: &Scope) -> Checked {
        for node in pattern.nodes() {
            self.match_properties(node.properties.as_ref(), scope)?;
            node.filter.iter().try_for_each(|filter| self.condition(filter, scope, Context::PREDICATE))?;
        }
        for relationship in pattern.relationships() {
            self.match_properties(relationship.properties.as_ref(), scope)?;
            let filter = &relationship.filter;
            filter.iter().try_for_each(|filter| self.condition(filter, scope, Context::PREDICATE))?;
        }
        Ok(())
    }

    fn match_properties(&self, properties: Option<&Expr>, scope: &Scope) -> Checked {
        let Some(properties) = properties else { return Ok(()) };
        if let ExprKind::Parameter(_) = properties.kind {
            let message = "a parameter cannot stand for all properties in MATCH or MERGE";
            return self.fault(properties.span, "InvalidParameterUse", message);
        }
        self.expression(properties, scope, Context::VALUE).map(|_| ())
    }

    fn match_node(&self, node: &NodePattern, scope: &mut Scope) -> Checked {
        match &node.variable {
            Some(name) => self.bind_as(name, Kind::Node, scope),
            None => Ok(()),
        }
    }

    fn match_relationship(
        &self,
        relationship: &RelationshipPattern,
        scope: &mut Scope,
        seen: &mut BTreeSet<String>,
    ) -> Checked {
        let Some(name) = &relationship.variable else { return Ok(()) };
        let kind = match relationship.length {
            Some(_) => Kind::List(Some(&Kind::Relationship)),
            None => Kind::Relationship,
        };
        self.bind_as(name, kind, scope)?;
        if !seen.insert(name.text.clone()) {
            let message = format!("'{}' cannot be two relationships of one pattern", name.text);
            return self.fault(name.span, "RelationshipUniquenessViolation", message);
        }
        Ok(())
    }

    /// Binds a name, or checks that what it is bound to is of this kind.
    fn bind_as(&self, name: &Name, kind: Kind, scope: &mut Scope) -> Checked {
        match scope.get(&name.text) {
            Some(bound) if !bound.may_be(kind) => {
                let message = format!("'{}' is {}, not {}", name.text, bound.name(), kind.name());
                self.fault(name.span, "VariableTypeConflict", message)
            }
            Some(Kind::Any | Kind::Null) | None => {
                scope.insert(name.text.clone(), kind);
                Ok(())
            }
            Some(_) => Ok(()),
        }
    }

    /// Binds a name that nothing is bound to.
    pub(super) fn bind_new(&self, name: &Name, kind: Kind, scope: &mut Scope) -> Checked {
        if scope.insert(name.text.clone(), kind).is_some() {
            let message = format!("'{}' is bound already", name.text);
            return self.fault(name.span, "VariableAlreadyBound", message);
        }
        Ok(())
    }

    /// Checks a pattern of CREATE or MERGE and binds what it makes.
    pub(super) fn making_pattern(&self, pattern: &Pattern, making: Making, scope: &mut Scope) -> Checked {
        let before = scope.clone();
        let is_alone = pattern.steps.is_empty();
        self.make_node(&pattern.start, is_alone, making, &before, scope)?;
        for step in &pattern.steps {
            match &step.link {
                Link::Relationship(relationship) => self.make_relationship(relationship, making, scope)?,
                Link::Quantified(quantified) => {
                    let message = "a quantified pattern cannot be made";
                    return self.fault(quantified.span, "CreatingVarLength", message);
                }
            }
            self.make_node(&step.node, false, making, &before, scope)?;
        }
        match &pattern.variable {
            Some(name) => self.bind_new(name, Kind::Path, scope),
            None => Ok(()),
        }
    }

    fn make_node(
        &self,
        node: &NodePattern,
        is_alone: bool,
        making: Making,
        before: &Scope,
        scope: &mut Scope,
    ) -> Checked {
        if let Some(filter) = &node.filter {
            return self.fault(filter.span, "UnexpectedSyntax", "WHERE has no place in a pattern to be made");
        }
        if let Some(labels) = &node.labels {
            self.plain_labels(labels)?;
        }
        self.make_properties(node.properties.as_ref(), making, before, scope)?;
        let Some(name) = &node.variable else { return Ok(()) };
        if !scope.contains_key(&name.text) {
            scope.insert(name.text.clone(), Kind::Node);
            return Ok(());
        }
        if is_alone || node.labels.is_some() || node.properties.is_some() {
            let message = format!("'{}' is bound already; it cannot be made again", name.text);
            return self.fault(name.span, "VariableAlreadyBound", message);
        }
        self.bind_as(name, Kind::Node, scope)
    }

    fn make_relationship(
        &self,
        relationship: &RelationshipPattern,
        making: Making,
        scope: &mut Scope,
    ) -> Checked {
        let span = relationship.span;
        if let Some(filter) = &relationship.filter {
            return self.fault(filter.span, "UnexpectedSyntax", "WHERE has no place in a pattern to be made");
        }
        let before = scope.clone();
        if let Some(name) = &relationship.variable {
            self.bind_new(name, Kind::Relationship, scope)?;
        }
        if relationship.length.is_some() {
            let message = "a relationship of variable length cannot be made";
            return self.fault(span, "CreatingVarLength", message);
        }
        if relationship.types.len() != 1 {
            let message = "a relationship to be made needs exactly one type, as in -[:KNOWS]->";
            return self.fault(span, "NoSingleRelationshipType", message);
        }
        let is_directed = matches!(relationship.direction, Direction::Left | Direction::Right);
        if making == Making::Create && !is_directed {
            let message = "a relationship to be made needs a direction, as in -[:KNOWS]->";
            return self.fault(span, "RequiresDirectedRelationship", message);
        }
        self.make_properties(relationship.properties.as_ref(), making, &before, &before)
    }

    fn make_properties(
        &self,
        properties: Option<&Expr>,
        making: Making,
        before: &Scope,
        scope: &Scope,
    ) -> Checked {
        let Some(properties) = properties else { return Ok(()) };
        match (making, &properties.kind) {
            (Making::Merge, _) => self.match_properties(Some(properties), before),
            (Making::Create, _) => self.expression(properties, scope, Context::VALUE).map(|_| ()),
        }
    }

    fn plain_labels(&self, labels: &LabelExpression) -> Checked {
        match labels {
            LabelExpression::Label(_) => Ok(()),
            LabelExpression::And(all) => all.iter().try_for_each(|label| self.plain_labels(label)),
            _ => Err(crate::language::SyntaxError::at(
                self.text,
                0,
                "SyntaxError.UnexpectedSyntax",
                "labels to be made are a plain list, as in :A:B",
            )),
        }
    }
}
