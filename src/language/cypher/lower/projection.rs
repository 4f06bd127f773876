//! WITH and RETURN: items, groups, DISTINCT, ORDER BY, SKIP, LIMIT and WITH's WHERE, in that order.

use std::collections::HashMap;

use super::{Binding, Columns, Lowerer, Rows, Scope};
use crate::language::cypher::ast::{Expr, ExprKind, Item, OrderItem, Projection};
use crate::language::cypher::bind::projection::{has_aggregate, is_aggregate, replace_columns, rewrite};
use crate::language::cypher::function;
use crate::plan::{Aggregate, AggregateFunction, LogicalPlan, SortKey, SortOrder, Variable};

impl Lowerer<'_> {
    /// Lowers a projection; returns its columns in order.
    pub(super) fn projection(&mut self, projection: &Projection, is_with: bool, rows: &mut Rows) -> Columns {
        let before = rows.scope.clone();
        let aggregates = projection.items.iter().any(|item| has_aggregate(&item.expression));
        let star = star(projection, is_with, rows);
        let (mut projected, kept) = match aggregates {
            true => self.aggregate(projection, star, rows),
            false => (self.items(projection, star, rows), rows.constants.clone()),
        };
        if is_with {
            let is_new = |name: &String| projected.iter().all(|(known, _)| known != name);
            let kept: Columns = kept.clone().into_iter().filter(|(name, _)| is_new(name)).collect();
            projected.extend(kept);
        }
        if projection.distinct {
            let variables = variables_of(&projected);
            rows.wrap(|input| LogicalPlan::Project { input, variables });
            rows.wrap(|input| LogicalPlan::Distinct { input });
        }
        let is_barrier = aggregates || projection.distinct;
        rows.scope = match is_barrier {
            true if aggregates => kept,
            true => Scope::new(),
            false => before,
        };
        rows.scope.extend(projected.iter().map(|(name, binding)| (name.clone(), *binding)));
        if is_barrier {
            rows.properties.clear();
        }
        self.order(&projection.order, is_barrier.then_some(projection), rows);
        let mut nothing = Rows::new(LogicalPlan::unit(), Scope::new());
        let offset = projection.skip.as_ref().map(|skip| self.expression(skip, &mut nothing));
        let limit = projection.limit.as_ref().map(|limit| self.expression(limit, &mut nothing));
        if offset.is_some() || limit.is_some() {
            rows.wrap(|input| LogicalPlan::Slice { input, offset, limit });
        }
        if let Some(filter) = &projection.filter {
            let filter = if is_barrier { replace_columns(filter, projection) } else { filter.clone() };
            self.where_clause(&filter, rows);
        }
        let variables = variables_of(&projected);
        if is_with {
            rows.properties
                .retain(|(owner, _), value| variables.contains(owner) && variables.contains(value));
        }
        rows.wrap(|input| LogicalPlan::Project { input, variables });
        rows.scope = projected.iter().cloned().collect();
        if projection.star {
            projected.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        projected
    }

    /// Binds each item to a variable.
    fn items(&mut self, projection: &Projection, star: Columns, rows: &mut Rows) -> Columns {
        let mut projected = star;
        for item in &projection.items {
            let binding = self.item(item, rows);
            projected.push((item.name.clone(), binding));
        }
        projected
    }

    fn item(&mut self, item: &Item, rows: &mut Rows) -> Binding {
        let kind = self.kind(&item.expression, &rows.scope);
        let is_nullable = self.is_nullable(&item.expression, &rows.scope);
        let variable = match self.expression(&item.expression, rows) {
            crate::plan::Expression::Variable(variable) => variable,
            expression => {
                let variable = self.variables.named(item.name.clone());
                rows.extend(variable, expression);
                variable
            }
        };
        Binding::new(variable, kind, is_nullable)
    }

    /// Groups by the items without aggregates, then computes the items with them. Returns the columns,
    /// and the names from outside that the groups still have.
    fn aggregate(&mut self, projection: &Projection, star: Columns, rows: &mut Rows) -> (Columns, Scope) {
        let mut grouped = star.clone();
        let mut bindings: HashMap<String, Binding> = HashMap::new();
        for item in projection.items.iter().filter(|item| !has_aggregate(&item.expression)) {
            let binding = self.item(item, rows);
            bindings.insert(item.name.clone(), binding);
            grouped.push((item.name.clone(), binding));
        }
        let kept = rows.constants.clone();
        let has_keys = !grouped.is_empty();
        if has_keys {
            // They are the same in all rows, so no group is divided by them.
            grouped.extend(kept.iter().map(|(name, binding)| (name.clone(), *binding)));
        }
        let mut asked: Vec<(Expr, String)> = Vec::new();
        for item in &projection.items {
            collect_aggregates(&item.expression, &mut asked);
        }
        let mut aggregates = Vec::new();
        let mut after: Scope = grouped.iter().map(|(name, binding)| (name.clone(), *binding)).collect();
        for (expression, name) in &asked {
            let kind = self.kind(expression, &rows.scope);
            let Some(aggregate) = self.one_aggregate(expression, rows) else { continue };
            let variable = self.variables.fresh();
            aggregates.push((variable, aggregate));
            after.insert(name.clone(), Binding::new(variable, kind, true));
        }
        let mut keys = variables_of(&grouped);
        keys.sort();
        keys.dedup();
        rows.wrap(|input| LogicalPlan::Aggregate { input, keys, aggregates });
        if !has_keys && !kept.is_empty() {
            // Of no rows there is one group: only the outer row itself can say what it holds.
            rows.join(LogicalPlan::Argument { variables: distinct_variables(kept.values()) });
            after.extend(kept.iter().map(|(name, binding)| (name.clone(), *binding)));
        }
        rows.scope = after;
        rows.properties.clear();
        rows.is_ordered = false;
        let keys: Vec<&Item> =
            projection.items.iter().filter(|item| !has_aggregate(&item.expression)).collect();
        for item in projection.items.iter().filter(|item| has_aggregate(&item.expression)) {
            let expression = rewrite(&item.expression, &|part| {
                let aggregate =
                    asked.iter().find(|(asked, _)| asked.is_same(part)).map(|(_, name)| name.clone());
                let key = || keys.iter().find(|key| key.expression.is_same(part)).map(|key| key.name.clone());
                let name = aggregate.or_else(key)?;
                Some(Expr { kind: ExprKind::Variable(name), span: part.span })
            });
            let mut binding = self.item(&Item { expression, ..item.clone() }, rows);
            if let Some((_, name)) = asked.iter().find(|(asked, _)| asked.is_same(&item.expression))
                && let Some(known) = rows.scope.get(name)
            {
                binding = *known;
            }
            bindings.insert(item.name.clone(), binding);
        }
        let mut projected = star;
        projected.retain(|(name, _)| !bindings.contains_key(name));
        let named = projection.items.iter();
        projected.extend(named.filter_map(|item| Some((item.name.clone(), *bindings.get(&item.name)?))));
        (projected, kept)
    }

    fn one_aggregate(&mut self, expression: &Expr, rows: &mut Rows) -> Option<Aggregate> {
        let ExprKind::Call { function, distinct, arguments } = &expression.kind else {
            return Some(Aggregate { function: AggregateFunction::Count, argument: None, distinct: false });
        };
        let argument = self.expression(arguments.first()?, rows);
        let second = arguments.get(1).map(|second| self.expression(second, rows));
        let function = function::aggregate(function, second)?;
        Some(Aggregate { function, argument: Some(argument), distinct: *distinct })
    }

    /// Sorts; past a barrier, what repeats a column means that column.
    fn order(&mut self, order: &[OrderItem], columns: Option<&Projection>, rows: &mut Rows) {
        if order.is_empty() {
            return;
        }
        let mut keys = Vec::new();
        for item in order {
            let expression = match columns {
                Some(projection) => self.expression(&replace_columns(&item.expression, projection), rows),
                None => self.expression(&item.expression, rows),
            };
            keys.push(SortKey { expression, descending: item.descending, order: SortOrder::Cypher });
        }
        rows.wrap(|input| LogicalPlan::Sort { input, keys });
        rows.is_ordered = true;
    }
}

/// Returns what `*` stands for: in RETURN, nothing that a subquery has from outside.
fn star(projection: &Projection, is_with: bool, rows: &Rows) -> Columns {
    let is_hidden = |name: &String| !is_with && rows.constants.contains_key(name);
    match projection.star {
        true => rows
            .scope
            .iter()
            .filter(|(name, _)| !is_hidden(name))
            .map(|(name, binding)| (name.clone(), *binding))
            .collect(),
        false => Vec::new(),
    }
}

fn variables_of(projected: &[(String, Binding)]) -> Vec<Variable> {
    distinct_variables(projected.iter().map(|(_, binding)| binding))
}

fn distinct_variables<'b>(bindings: impl Iterator<Item = &'b Binding>) -> Vec<Variable> {
    let mut variables: Vec<Variable> = Vec::new();
    for binding in bindings {
        if !variables.contains(&binding.variable) {
            variables.push(binding.variable);
        }
    }
    variables
}

/// Adds the aggregates of an expression, each once, with a name that no text can say.
fn collect_aggregates(expression: &Expr, found: &mut Vec<(Expr, String)>) {
    if is_aggregate(expression) {
        if !found.iter().any(|(known, _)| known.is_same(expression)) {
            found.push((expression.clone(), format!("\0aggregate {}", found.len())));
        }
        return;
    }
    expression.for_each_operand(&mut |operand| collect_aggregates(operand, found));
}
