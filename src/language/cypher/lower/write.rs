//! CREATE, MERGE, SET, REMOVE, DELETE and FOREACH: changes, applied row by row.

use super::expression::has_subquery;
use super::{Binding, Lowerer, Rows};
use crate::language::cypher::ast::{
    Clause, ClauseKind, Direction, Expr, LabelExpression, Link, NodePattern, Pattern, RelationshipPattern,
    RemoveItem, SetItem,
};
use crate::language::cypher::kind::Kind;
use crate::language::cypher::token::Span;
use crate::model::Value;
use crate::plan::{Change, Expression, Function, LogicalPlan, Variable};

/// A path to be named once its parts are made.
type NamedPath = (String, Vec<Expression>);

impl Lowerer<'_> {
    pub(super) fn writing_clause(&mut self, clause: &ClauseKind, rows: &mut Rows) {
        let mut paths = Vec::new();
        if let ClauseKind::Merge { pattern, on_match, on_create } = clause {
            self.merge(pattern, on_match, on_create, rows, &mut paths);
        } else if let ClauseKind::Foreach { variable, list, clauses } = clause
            && clauses.iter().any(needs_rows)
        {
            self.foreach_rows(&variable.text, list, clauses, rows);
        } else {
            let changes = self.changes(clause, rows, &mut paths);
            rows.wrap(|input| match *input {
                // Clauses that make things in a row are one step.
                LogicalPlan::Modify { input, changes: mut before }
                    if only_creates(&before) && only_creates(&changes) =>
                {
                    before.extend(changes);
                    LogicalPlan::Modify { input, changes: before }
                }
                input => LogicalPlan::Modify { input: Box::new(input), changes },
            });
        }
        for (name, parts) in paths {
            let variable = self.variables.named(name.clone());
            rows.extend(variable, Expression::call(Function::Path, parts));
            rows.scope.insert(name, Binding::new(variable, Kind::Path, false));
        }
        rows.is_ordered = true;
    }

    fn changes(&mut self, clause: &ClauseKind, rows: &mut Rows, paths: &mut Vec<NamedPath>) -> Vec<Change> {
        match clause {
            ClauseKind::Create(patterns) => {
                patterns.iter().flat_map(|pattern| self.create(pattern, rows, paths)).collect()
            }
            ClauseKind::Set(items) => items.iter().map(|item| self.set_item(item, rows)).collect(),
            ClauseKind::Remove(items) => items.iter().map(|item| self.remove_item(item, rows)).collect(),
            ClauseKind::Delete { detach, entities } => entities
                .iter()
                .map(|entity| {
                    let entity = self.expression(entity, rows);
                    Change::DeleteEntity { entity, detach: *detach }
                })
                .collect(),
            ClauseKind::Foreach { variable, list, clauses } => {
                vec![self.foreach(&variable.text, list, clauses, rows)]
            }
            // The caller lowers the others.
            _ => Vec::new(),
        }
    }

    /// FOREACH whose clauses need rows of their own: for each element in turn, a subquery that is run
    /// for what it writes.
    fn foreach_rows(&mut self, name: &str, list: &Expr, clauses: &[Clause], rows: &mut Rows) {
        let kind = self.kind(list, &rows.scope).element();
        let mut elements = self.argument(rows);
        let list = Box::new(self.expression(list, &mut elements));
        let (variable, same) = (self.variables.named(name), self.variables.fresh());
        // What is no list fails, as it does where the clauses need no rows.
        let list = Expression::ListComprehension { variable: same, list, filter: None, map: None };
        elements.wrap(|input| LogicalPlan::Unwind { input, list, variable });
        elements.scope.insert(name.to_owned(), Binding::new(variable, kind, true));
        let mut round = self.argument(&elements);
        for clause in clauses {
            self.writing_clause(&clause.kind, &mut round);
        }
        self.run(&mut elements, round.plan);
        self.run(rows, elements.plan);
    }

    fn foreach(&mut self, name: &str, list: &Expr, clauses: &[Clause], rows: &mut Rows) -> Change {
        let kind = self.kind(list, &rows.scope).element();
        let list = self.expression(list, rows);
        let variable = self.variables.named(name);
        let outer = rows.scope.clone();
        let binding = Binding { is_local: true, ..Binding::new(variable, kind, true) };
        rows.scope.insert(name.to_owned(), binding);
        let mut changes = Vec::new();
        for clause in clauses {
            changes.extend(self.changes(&clause.kind, rows, &mut Vec::new()));
        }
        rows.scope = outer;
        Change::ForEach { variable, list, changes }
    }

    /// Makes what a pattern names and nothing has bound.
    fn create(&mut self, pattern: &Pattern, rows: &mut Rows, paths: &mut Vec<NamedPath>) -> Vec<Change> {
        let mut changes = Vec::new();
        let start = self.create_node(&pattern.start, rows, &mut changes);
        let mut parts = vec![start.into()];
        let mut from = start;
        for (relationship, node) in pattern.relationships().zip(pattern.nodes().skip(1)) {
            let edge = self.edge_variable_to_make(relationship);
            let properties = self.made_properties(relationship.properties.as_ref(), rows);
            let to = self.create_node(node, rows, &mut changes);
            changes.push(create_edge(relationship, edge, from, to, properties));
            self.name_edge(relationship, edge, rows);
            parts.extend([edge.into(), to.into()]);
            from = to;
        }
        paths.extend(pattern.variable.as_ref().map(|name| (name.text.clone(), parts)));
        changes
    }

    fn create_node(&mut self, node: &NodePattern, rows: &mut Rows, changes: &mut Vec<Change>) -> Variable {
        let name = node.variable.as_ref().map(|name| name.text.as_str());
        if let Some(binding) = name.and_then(|name| rows.scope.get(name)) {
            return binding.variable;
        }
        let variable = match name {
            Some(name) => self.variables.named(name),
            None => self.variables.fresh(),
        };
        let properties = self.made_properties(node.properties.as_ref(), rows);
        let labels = node.labels.iter().flat_map(label_names).collect();
        changes.push(Change::CreateNode { node: variable, labels, properties });
        if let Some(name) = name {
            rows.scope.insert(name.to_owned(), Binding::new(variable, Kind::Node, false));
        }
        variable
    }

    fn made_properties(&mut self, properties: Option<&Expr>, rows: &mut Rows) -> Option<Expression> {
        properties.map(|properties| self.expression(properties, rows))
    }

    fn edge_variable_to_make(&mut self, relationship: &RelationshipPattern) -> Variable {
        match &relationship.variable {
            Some(name) => self.variables.named(name.text.clone()),
            None => self.variables.fresh(),
        }
    }

    fn name_edge(&mut self, relationship: &RelationshipPattern, edge: Variable, rows: &mut Rows) {
        if let Some(name) = &relationship.variable {
            rows.scope.insert(name.text.clone(), Binding::new(edge, Kind::Relationship, false));
        }
    }

    fn merge(
        &mut self,
        pattern: &Pattern,
        on_match: &[SetItem],
        on_create: &[SetItem],
        rows: &mut Rows,
        paths: &mut Vec<NamedPath>,
    ) {
        // Names for every part, so that what is found and what is made bind the same variables.
        let named = name_all(pattern);
        let pattern = Pattern { variable: None, ..named.clone() };
        let shared: Vec<String> = pattern
            .nodes()
            .filter_map(|node| node.variable.as_ref())
            .filter(|name| rows.scope.contains_key(&name.text))
            .map(|name| name.text.clone())
            .collect();
        let mut inside = self.argument(rows);
        self.require_defined(&shared, &mut inside);
        self.patterns_onto(std::slice::from_ref(&pattern), &mut inside);
        // What CREATE makes is bound to what the pattern would have found.
        let mut making = Rows::new(LogicalPlan::unit(), rows.scope.clone());
        let mut changes = Vec::new();
        let mut ends = Vec::new();
        for node in pattern.nodes() {
            ends.push(self.merged_node(node, &inside, &mut making, &mut changes));
        }
        let mut parts: Vec<Expression> = ends.first().map(|end| (*end).into()).into_iter().collect();
        for (index, relationship) in pattern.relationships().enumerate() {
            let Some(name) = &relationship.variable else { continue };
            let Some(binding) = inside.scope.get(&name.text).copied() else { continue };
            let properties = self.made_properties(relationship.properties.as_ref(), &mut making);
            let (from, to) = (ends[index], ends[index + 1]);
            changes.push(create_edge(relationship, binding.variable, from, to, properties));
            parts.extend([binding.variable.into(), to.into()]);
        }
        rows.scope = inside.scope;
        let on_match = on_match.iter().map(|item| self.set_item(item, rows)).collect();
        let on_create = on_create.iter().map(|item| self.set_item(item, rows)).collect();
        let mut pattern_plan = inside.plan;
        let needed = pattern_plan.mentioned();
        if let Some(argument) = leaf(&mut pattern_plan) {
            argument.retain(|variable| needed.contains(variable));
        }
        rows.wrap(|input| LogicalPlan::Merge {
            input,
            pattern: Box::new(pattern_plan),
            create: changes,
            on_match,
            on_create,
        });
        rows.scope.retain(|name, _| !name.starts_with('\0'));
        paths.extend(named.variable.as_ref().map(|name| (name.text.clone(), parts)));
    }

    fn merged_node(
        &mut self,
        node: &NodePattern,
        inside: &Rows,
        making: &mut Rows,
        changes: &mut Vec<Change>,
    ) -> Variable {
        let name = node.variable.as_ref().map_or("", |name| name.text.as_str());
        let Some(binding) = inside.scope.get(name).copied() else { return self.variables.fresh() };
        if making.scope.contains_key(name) {
            return binding.variable;
        }
        let properties = self.made_properties(node.properties.as_ref(), making);
        let labels = node.labels.iter().flat_map(label_names).collect();
        changes.push(Change::CreateNode { node: binding.variable, labels, properties });
        making.scope.insert(name.to_owned(), binding);
        binding.variable
    }

    fn set_item(&mut self, item: &SetItem, rows: &mut Rows) -> Change {
        match item {
            SetItem::Property { target, key, value } => Change::SetProperty {
                entity: self.expression(target, rows),
                key: key.text.clone(),
                value: self.expression(value, rows),
            },
            SetItem::Properties { variable, value, replace } => Change::SetProperties {
                entity: self.named(&variable.text, rows),
                map: self.expression(value, rows),
                replace: *replace,
            },
            SetItem::DynamicLabels { variable, labels } => Change::SetDynamicLabels {
                node: self.named(&variable.text, rows),
                labels: self.expression(labels, rows),
            },
            SetItem::Labels { variable, labels } => Change::SetLabels {
                node: self.named(&variable.text, rows),
                labels: labels.iter().map(|label| label.text.clone()).collect(),
            },
        }
    }

    fn remove_item(&mut self, item: &RemoveItem, rows: &mut Rows) -> Change {
        match item {
            RemoveItem::Property { target, key } => Change::SetProperty {
                entity: self.expression(target, rows),
                key: key.text.clone(),
                value: Expression::Constant(Value::Null),
            },
            RemoveItem::Labels { variable, labels } => Change::RemoveLabels {
                node: self.named(&variable.text, rows),
                labels: labels.iter().map(|label| label.text.clone()).collect(),
            },
        }
    }

    fn named(&self, name: &str, rows: &Rows) -> Expression {
        rows.scope.get(name).map_or(Expression::Constant(Value::Null), |binding| binding.variable.into())
    }
}

/// Returns whether a clause of FOREACH is more than changes of the one row: MERGE looks for rows, what
/// names a path binds it to one, and a subquery in an expression joins them.
fn needs_rows(clause: &Clause) -> bool {
    let expressions = |values: &[&Expr]| values.iter().any(|value| has_subquery(value));
    match &clause.kind {
        ClauseKind::Merge { .. } => true,
        ClauseKind::Foreach { list, clauses, .. } => expressions(&[list]) || clauses.iter().any(needs_rows),
        ClauseKind::Create(patterns) => patterns.iter().any(|pattern| {
            let nodes = pattern.nodes().filter_map(|node| node.properties.as_ref());
            let relationships = pattern.relationships().filter_map(|r| r.properties.as_ref());
            pattern.variable.is_some() || nodes.chain(relationships).any(has_subquery)
        }),
        ClauseKind::Set(items) => items.iter().any(|item| match item {
            SetItem::Property { target, value, .. } => expressions(&[target, value]),
            SetItem::Properties { value, .. } => expressions(&[value]),
            SetItem::DynamicLabels { labels, .. } => expressions(&[labels]),
            SetItem::Labels { .. } => false,
        }),
        ClauseKind::Remove(items) => items.iter().any(|item| match item {
            RemoveItem::Property { target, .. } => expressions(&[target]),
            RemoveItem::Labels { .. } => false,
        }),
        ClauseKind::Delete { entities, .. } => entities.iter().any(has_subquery),
        _ => false,
    }
}

fn create_edge(
    relationship: &RelationshipPattern,
    edge: Variable,
    from: Variable,
    to: Variable,
    properties: Option<Expression>,
) -> Change {
    let (start, end) = match relationship.direction {
        Direction::Left => (to, from),
        _ => (from, to),
    };
    let name = relationship.types.first().map(|name| name.text.clone()).unwrap_or_default();
    Change::CreateEdge { edge, start: start.into(), name, end: end.into(), properties }
}

fn only_creates(changes: &[Change]) -> bool {
    changes.iter().all(|change| matches!(change, Change::CreateNode { .. } | Change::CreateEdge { .. }))
}

fn label_names(labels: &LabelExpression) -> Vec<String> {
    match labels {
        LabelExpression::Label(name) => vec![name.text.clone()],
        LabelExpression::And(all) => all.iter().flat_map(label_names).collect(),
        _ => Vec::new(),
    }
}

/// Gives every nameless part of a pattern a name that no text can say.
pub(super) fn name_all(pattern: &Pattern) -> Pattern {
    let mut named = pattern.clone();
    let mut count = 0;
    let mut next = |span: Span| {
        count += 1;
        Some(crate::language::cypher::ast::Name { text: format!("\0part {count}"), span })
    };
    let start = &mut named.start;
    start.variable = start.variable.take().or_else(|| next(start.span));
    for step in &mut named.steps {
        if let Link::Relationship(relationship) = &mut step.link {
            relationship.variable = relationship.variable.take().or_else(|| next(relationship.span));
        }
        let node = &mut step.node;
        node.variable = node.variable.take().or_else(|| next(node.span));
    }
    named
}

/// Returns the variables of the leaf that holds the outer row.
pub(super) fn leaf(plan: &mut LogicalPlan) -> Option<&mut Vec<Variable>> {
    match plan {
        LogicalPlan::Argument { variables } => Some(variables),
        LogicalPlan::Apply { input, .. } => leaf(input),
        other => other.inputs_mut().into_iter().find_map(leaf),
    }
}
