//! WITH and RETURN: items, groups, DISTINCT, ORDER BY, SKIP, LIMIT and WITH's WHERE, in that order.

use std::collections::HashMap;

use super::{Binding, Lowerer, Rows, Scope};
use crate::language::cypher::ast::{Expr, ExprKind, Item, OrderItem, Projection};
use crate::language::cypher::bind::projection::{has_aggregate, is_aggregate, replace_columns, rewrite};
use crate::language::cypher::function;
use crate::plan::{Aggregate, AggregateFunction, LogicalPlan, SortKey, SortOrder, Variable};

impl Lowerer<'_> {
    /// Lowers a projection; returns its columns in order.
    pub(super) fn projection(
        &mut self,
        projection: &Projection,
        is_with: bool,
        rows: &mut Rows,
    ) -> Vec<(String, Variable)> {
        let before = rows.scope.clone();
        let aggregates = projection.items.iter().any(|item| has_aggregate(&item.expression));
        let projected = match aggregates {
            true => self.aggregate(projection, rows),
            false => self.items(projection, rows),
        };
        if projection.distinct {
            let variables = variables_of(&projected);
            rows.wrap(|input| LogicalPlan::Project { input, variables });
            rows.wrap(|input| LogicalPlan::Distinct { input });
        }
        let is_barrier = aggregates || projection.distinct;
        rows.scope = if is_barrier { Scope::new() } else { before };
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
        let mut columns: Vec<(String, Variable)> =
            projected.iter().map(|(name, binding)| (name.clone(), binding.variable)).collect();
        rows.scope = projected.into_iter().collect();
        if projection.star {
            columns.sort();
        }
        columns
    }

    /// Binds each item to a variable.
    fn items(&mut self, projection: &Projection, rows: &mut Rows) -> Vec<(String, Binding)> {
        let mut projected = star(projection, &rows.scope);
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

    /// Groups by the items without aggregates, then computes the items with them.
    fn aggregate(&mut self, projection: &Projection, rows: &mut Rows) -> Vec<(String, Binding)> {
        let mut grouped = star(projection, &rows.scope);
        let mut bindings: HashMap<String, Binding> = HashMap::new();
        for item in projection.items.iter().filter(|item| !has_aggregate(&item.expression)) {
            let binding = self.item(item, rows);
            bindings.insert(item.name.clone(), binding);
            grouped.push((item.name.clone(), binding));
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
        let mut projected = star(projection, &rows.scope.clone());
        projected.retain(|(name, _)| !name.starts_with('\0') && !bindings.contains_key(name));
        let named = projection.items.iter();
        projected.extend(named.filter_map(|item| Some((item.name.clone(), *bindings.get(&item.name)?))));
        projected
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

/// Returns what `*` stands for.
fn star(projection: &Projection, scope: &Scope) -> Vec<(String, Binding)> {
    match projection.star {
        true => scope.iter().map(|(name, binding)| (name.clone(), *binding)).collect(),
        false => Vec::new(),
    }
}

fn variables_of(projected: &[(String, Binding)]) -> Vec<Variable> {
    let mut variables: Vec<Variable> = Vec::new();
    for (_, binding) in projected {
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
