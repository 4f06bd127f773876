//! Subqueries in expressions: EXISTS, COUNT and COLLECT, patterns, pattern comprehensions. Each is an
//! Apply under the rows that the expression reads.

use super::{Lowerer, Rows, is_defined};
use crate::language::cypher::ast::{Expr, Name, Pattern, Query, Search, SubqueryKind};
use crate::language::cypher::lower::Binding;
use crate::model::Value;
use crate::plan::{ApplyKind, Expression, LogicalPlan, Variable};

impl Lowerer<'_> {
    /// Returns rows that begin with one outer row: the leaf of a subplan.
    pub(super) fn argument(&self, rows: &Rows) -> Rows {
        Rows::new(LogicalPlan::Argument { variables: rows.visible() }, rows.scope.clone())
    }

    /// Runs a subplan for each row; its leaf is cut down to the variables that it needs.
    pub(super) fn apply(&mut self, rows: &mut Rows, mut subplan: LogicalPlan, kind: ApplyKind) {
        let mut needed = subplan_needs(&subplan);
        if let ApplyKind::Collect(_, value) = &kind {
            needed.insert(*value);
        }
        narrow(&mut subplan, &needed);
        rows.wrap(|input| LogicalPlan::Apply { input, subplan: Box::new(subplan), kind });
    }

    pub(super) fn subquery(&mut self, kind: SubqueryKind, query: &Query, rows: &mut Rows) -> Expression {
        let start = self.argument(rows);
        let (plan, columns) = self.query(query, &start);
        let result = self.variables.fresh();
        let kind = match kind {
            SubqueryKind::Exists => ApplyKind::Exists(result),
            SubqueryKind::Count => ApplyKind::Count(result),
            SubqueryKind::Collect => match columns.first() {
                Some((_, column)) => ApplyKind::Collect(result, *column),
                None => return Expression::Constant(Value::Null),
            },
        };
        self.apply(rows, plan, kind);
        result.into()
    }

    /// A pattern as a value: whether it matches, or, of a shortest path, the path itself.
    pub(super) fn pattern_value(&mut self, pattern: &Pattern, rows: &mut Rows) -> Expression {
        let mut inside = self.argument(rows);
        if pattern.search == Search::All {
            self.patterns_onto(std::slice::from_ref(pattern), &mut inside);
            let result = self.variables.fresh();
            self.apply(rows, inside.plan, ApplyKind::Exists(result));
            return result.into();
        }
        let name = Name { text: "\0path".to_owned(), span: pattern.span };
        let named = Pattern { variable: Some(name), ..pattern.clone() };
        self.patterns_onto(std::slice::from_ref(&named), &mut inside);
        let Some(path) = inside.scope.get("\0path").copied() else {
            return Expression::Constant(Value::Null);
        };
        let list: Expression = self.collect(inside, path.variable, rows).into();
        match pattern.search {
            Search::AllShortest => list,
            _ => Expression::call(crate::plan::Function::Head, [list]),
        }
    }

    pub(super) fn pattern_comprehension(
        &mut self,
        pattern: &Pattern,
        filter: Option<&Expr>,
        map: &Expr,
        rows: &mut Rows,
    ) -> Expression {
        let mut inside = self.argument(rows);
        self.patterns_onto(std::slice::from_ref(pattern), &mut inside);
        if let Some(filter) = filter {
            self.where_clause(filter, &mut inside);
        }
        let value = self.value_of(map, &mut inside);
        self.collect(inside, value, rows).into()
    }

    /// A list comprehension (filter, map) with subqueries in it: the list is unwound under an Apply.
    pub(super) fn correlated_comprehension(
        &mut self,
        variable: &Name,
        list: &Expr,
        [filter, map]: [Option<&Expr>; 2],
        rows: &mut Rows,
    ) -> Expression {
        let element = self.kind(list, &rows.scope).element();
        let list = self.expression(list, rows);
        let whole = self.variables.fresh();
        rows.extend(whole, list);
        let mut inside = self.argument(rows);
        if let LogicalPlan::Argument { variables } = &mut inside.plan {
            variables.push(whole);
        }
        let item = self.variables.named(variable.text.clone());
        inside.wrap(|input| LogicalPlan::Unwind { input, list: whole.into(), variable: item });
        inside.scope.insert(variable.text.clone(), Binding::new(item, element, true));
        inside.is_ordered = true;
        if let Some(filter) = filter {
            self.where_clause(filter, &mut inside);
        }
        let value = match map {
            Some(map) => self.value_of(map, &mut inside),
            None => item,
        };
        let result = self.collect(inside, value, rows);
        Expression::Case { branches: vec![(is_defined(whole), result.into())], otherwise: None }
    }

    fn collect(&mut self, inside: Rows, value: Variable, rows: &mut Rows) -> Variable {
        let result = self.variables.fresh();
        self.apply(rows, inside.plan, ApplyKind::Collect(result, value));
        result
    }

    /// Binds an expression to a variable, unless it is one.
    pub(super) fn value_of(&mut self, expression: &Expr, rows: &mut Rows) -> Variable {
        match self.expression(expression, rows) {
            Expression::Variable(variable) => variable,
            lowered => {
                let variable = self.variables.fresh();
                rows.extend(variable, lowered);
                variable
            }
        }
    }
}

/// Returns the variables that a subplan mentions elsewhere than in its leaf.
fn subplan_needs(subplan: &LogicalPlan) -> std::collections::BTreeSet<Variable> {
    let mut without_leaf = subplan.clone();
    narrow(&mut without_leaf, &std::collections::BTreeSet::new());
    without_leaf.mentioned()
}

/// Keeps only these variables in every Argument that belongs to this subplan.
fn narrow(plan: &mut LogicalPlan, needed: &std::collections::BTreeSet<Variable>) {
    match plan {
        LogicalPlan::Argument { variables } => variables.retain(|variable| needed.contains(variable)),
        // The leaf of a nested subplan is that one's own, and was narrowed with it.
        LogicalPlan::Apply { input, .. } => narrow(input, needed),
        other => other.inputs_mut().into_iter().for_each(|input| narrow(input, needed)),
    }
}
