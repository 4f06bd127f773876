//! Subqueries in expressions: EXISTS, COUNT and COLLECT, patterns, pattern comprehensions. Each is an
//! Apply under the rows that the expression reads.

use super::expression::has_subquery;
use super::{Lowerer, Rows, Scope, calls_writer, is_defined};
use crate::language::cypher::ast::{
    Clause, Expr, ExprKind, Imports, Name, OnError, Pattern, Query, Search, SingleQuery, SubqueryCall,
    SubqueryKind, Transactions,
};
use crate::language::cypher::bind::projection::rewrite;
use crate::language::cypher::kind::Kind;
use crate::language::cypher::lower::Binding;
use crate::language::cypher::token::Span;
use crate::model::Value;
use crate::plan::{self, ApplyKind, Batches, Expression, LogicalPlan, Variable};

impl Lowerer<'_> {
    /// Returns rows that begin with one outer row: the leaf of a subplan.
    pub(super) fn argument(&self, rows: &Rows) -> Rows {
        let plan = LogicalPlan::Argument { variables: rows.visible() };
        let constants = rows.scope.iter().filter(|(_, binding)| !binding.is_local);
        let constants = constants.map(|(name, binding)| (name.clone(), *binding)).collect();
        Rows { constants, ..Rows::new(plan, rows.scope.clone()) }
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

    /// Runs a subplan once for each row, for what it writes.
    pub(super) fn run(&mut self, rows: &mut Rows, subplan: LogicalPlan) {
        let count = self.variables.fresh();
        self.apply(rows, subplan, ApplyKind::Count(count));
    }

    pub(super) fn subquery(&mut self, kind: SubqueryKind, query: &Query, rows: &mut Rows) -> Expression {
        let start = self.argument(rows);
        let (plan, columns) = self.query(query, &start);
        let result = self.variables.fresh();
        let kind = match kind {
            SubqueryKind::Exists => ApplyKind::Exists(result),
            SubqueryKind::Count => ApplyKind::Count(result),
            SubqueryKind::Collect => match columns.first() {
                Some((_, column)) => ApplyKind::Collect(result, column.variable),
                None => return Expression::Constant(Value::Null),
            },
        };
        self.apply(rows, plan, kind);
        result.into()
    }

    /// Lowers CALL { }: its rows are joined to the row they were made for; without RETURN it is run for
    /// what it writes, and the row stays as it is.
    pub(super) fn subquery_call(&mut self, call: &SubqueryCall, rows: &mut Rows) {
        // Each run of what writes reads what the runs before it wrote.
        self.may_have_changed |= call.query.writes() || calls_writer(&call.query, self.procedures);
        let has_written = std::mem::replace(&mut self.has_written, false);
        let before = rows.scope.clone();
        let (mut plan, mut columns) = self.union(&call.query, &mut |this, part| {
            let (start, clauses) = imported(&call.imports, part, &before);
            this.single_query(clauses, start)
        });
        let mut batches = call.transactions.as_ref().and_then(|it| self.batches(it));
        let may_be_null = call.optional || batches.is_some();
        let may_join = !has_written && !self.has_written && !may_be_null && !is_volatile(&plan);
        self.has_written |= has_written;
        let status = batches.as_ref().and_then(|batches| batches.status);
        let mut in_batches = |kind| match batches.take() {
            Some(batches) => ApplyKind::InBatches(Box::new(Batches { kind, ..batches })),
            None => kind,
        };
        if !call.query.returns() {
            let kind = in_batches(ApplyKind::Count(self.variables.fresh()));
            self.apply(rows, plan, kind);
            return self.bind_status(call, status, rows);
        }
        if may_be_null {
            // A column that is an outer variable would not be null where nothing is returned.
            let outer = rows.visible();
            for (name, binding) in columns.iter_mut().filter(|(_, column)| outer.contains(&column.variable)) {
                let variable = self.variables.named(name.clone());
                let (input, expression) = (Box::new(plan), binding.variable.into());
                plan = LogicalPlan::Extend { input, variable, expression };
                binding.variable = variable;
            }
            let variables = columns.iter().map(|(_, binding)| binding.variable).collect();
            plan = LogicalPlan::Project { input: Box::new(plan), variables };
        }
        let needed = subplan_needs(&plan);
        narrow(&mut plan, &needed);
        if may_join && !is_correlated(&plan) {
            rows.join(plan);
        } else {
            let kind = in_batches(if call.optional { ApplyKind::Left } else { ApplyKind::Inner });
            self.apply(rows, plan, kind);
        }
        for (name, binding) in columns {
            let is_nullable = binding.is_nullable || may_be_null;
            rows.scope.insert(name, Binding { is_nullable, ..binding });
        }
        self.bind_status(call, status, rows);
    }

    /// Lowers IN TRANSACTIONS. A statement is one commit, so that batches mean nothing where the first that fails
    /// fails the statement.
    fn batches(&mut self, transactions: &Transactions) -> Option<Batches> {
        const ROWS_USUAL: i64 = 1000;
        let on_error = match transactions.on_error {
            OnError::Fail => return None,
            OnError::Continue => plan::OnError::Continue,
            OnError::Break => plan::OnError::Break,
        };
        let mut nothing = Rows::new(LogicalPlan::unit(), Scope::new());
        let rows = transactions.rows.as_ref().map(|rows| self.expression(rows, &mut nothing));
        let rows = rows.unwrap_or(Expression::Constant(Value::Integer(ROWS_USUAL)));
        let status = transactions.status.as_ref().map(|name| self.variables.named(name.text.clone()));
        Some(Batches { kind: ApplyKind::Inner, rows, on_error, status })
    }

    fn bind_status(&self, call: &SubqueryCall, status: Option<Variable>, rows: &mut Rows) {
        let name = call.transactions.as_ref().and_then(|transactions| transactions.status.as_ref());
        if let (Some(name), Some(status)) = (name, status) {
            rows.scope.insert(name.text.clone(), Binding::new(status, Kind::Map, false));
        }
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

    /// reduce() with subqueries in its step: what they answer for each element is gathered first, as
    /// `[element, answer, ...]`, so that the reduction itself needs no operator.
    pub(super) fn correlated_reduce(
        &mut self,
        (accumulator, init): (&Name, &Expr),
        (variable, list): (&Name, &Expr),
        step: &Expr,
        rows: &mut Rows,
    ) -> Expression {
        let asked = std::cell::RefCell::new(vec![named(&variable.text, variable.span)]);
        let step = rewrite(step, &|part| {
            let binds = matches!(
                part.kind,
                ExprKind::ListComprehension { .. } | ExprKind::Quantifier { .. } | ExprKind::Reduce { .. }
            );
            match has_subquery(part) {
                true if !mentions(part, &accumulator.text) => {
                    let mut asked = asked.borrow_mut();
                    asked.push(part.clone());
                    Some(named(&answer(asked.len() - 1), part.span))
                }
                // What is asked for elements of its own is out of reach from outside.
                true if binds => Some(part.clone()),
                _ => None,
            }
        });
        if has_subquery(&step) {
            self.refuse(step.span, "a subquery in reduce() cannot read what is gathered so far");
        }
        let asked = asked.into_inner();
        let init = Box::new(self.expression(init, rows));
        let element = self.kind(list, &rows.scope).element();
        let map = Expr { span: step.span, kind: ExprKind::List(asked.clone()) };
        let list = Box::new(self.correlated_comprehension(variable, list, [None, Some(&map)], rows));
        let outer = rows.scope.clone();
        let mut local = |name: &str, kind| {
            let variable = self.variables.named(name);
            let binding = Binding { is_local: true, ..Binding::new(variable, kind, true) };
            rows.scope.insert(name.to_owned(), binding);
            variable
        };
        let mut parts = vec![local(&variable.text, element)];
        parts.extend((1..asked.len()).map(|place| local(&answer(place), Kind::Any)));
        let accumulated = local(&accumulator.text, Kind::Any);
        let mut step = self.expression(&step, rows);
        rows.scope = outer;
        let gathered = self.variables.fresh();
        step.rewrite(&mut |part| {
            if let Expression::Variable(variable) = part
                && let Some(place) = parts.iter().position(|known| known == variable)
            {
                let place = Expression::Constant(Value::Integer(place as i64));
                *part = Expression::call(crate::plan::Function::Index, [gathered.into(), place]);
            }
        });
        let step = Box::new(step);
        Expression::Reduce { accumulator: accumulated, init, variable: gathered, list, step }
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

fn named(name: &str, span: Span) -> Expr {
    Expr { kind: ExprKind::Variable(name.to_owned()), span }
}

/// Returns a name, which no text can say, for an answer that was gathered before.
fn answer(place: usize) -> String {
    format!("\0answer {place}")
}

/// Returns whether a name may stand anywhere in an expression: in its subqueries, too.
fn mentions(expression: &Expr, name: &str) -> bool {
    format!("{:?}", expression.kind).contains(&format!("{name:?}"))
}

/// Returns the rows that a part of a subquery starts from, and the clauses that it has beside imports.
fn imported<'q>(imports: &Imports, part: &'q SingleQuery, outer: &Scope) -> (Rows, &'q [Clause]) {
    let of_names = |names: &mut dyn Iterator<Item = &String>| -> Scope {
        names.filter_map(|name| Some((name.clone(), *outer.get(name)?))).collect()
    };
    let (scope, are_constant, clauses) = match imports {
        Imports::All => (outer.clone(), true, part.clauses.as_slice()),
        Imports::Names(names) => {
            (of_names(&mut names.iter().map(|name| &name.text)), true, part.clauses.as_slice())
        }
        Imports::Leading => match part.imported() {
            Some(projection) if projection.star => (outer.clone(), false, &part.clauses[1..]),
            Some(projection) => {
                (of_names(&mut projection.items.iter().map(|item| &item.name)), false, &part.clauses[1..])
            }
            None => (Scope::new(), false, part.clauses.as_slice()),
        },
    };
    let constants = if are_constant { scope.clone() } else { Scope::new() };
    let start = Rows::new(LogicalPlan::unit(), scope);
    let plan = LogicalPlan::Argument { variables: start.visible() };
    (Rows { plan, constants, ..start }, clauses)
}

/// Returns whether a leaf of the subplan asks for something of the outer row.
fn is_correlated(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Argument { .. } => true,
        LogicalPlan::Apply { input, .. } | LogicalPlan::Merge { input, .. } => is_correlated(input),
        LogicalPlan::Repeat(repeat) => is_correlated(&repeat.input),
        other => other.inputs().into_iter().any(is_correlated),
    }
}

/// Returns whether two runs of the subplan may differ.
fn is_volatile(plan: &LogicalPlan) -> bool {
    plan.expressions().into_iter().any(Expression::is_volatile) || plan.inputs().into_iter().any(is_volatile)
}

/// Returns the variables that a subplan mentions elsewhere than in its leaf.
pub(super) fn subplan_needs(subplan: &LogicalPlan) -> crate::plan::VariableSet {
    let mut without_leaf = subplan.clone();
    narrow(&mut without_leaf, &crate::plan::VariableSet::new());
    without_leaf.mentioned()
}

/// Keeps only these variables in every Argument that belongs to this subplan. One that is left with
/// none says nothing of the outer row: it is the unit.
pub(super) fn narrow(plan: &mut LogicalPlan, needed: &crate::plan::VariableSet) {
    match plan {
        LogicalPlan::Argument { variables } => {
            variables.retain(|variable| needed.contains(variable));
            if variables.is_empty() {
                *plan = LogicalPlan::unit();
            }
        }
        // The leaf of a nested subplan is that one's own, and was narrowed with it.
        LogicalPlan::Apply { input, .. } | LogicalPlan::Merge { input, .. } => narrow(input, needed),
        LogicalPlan::Repeat(repeat) => narrow(&mut repeat.input, needed),
        LogicalPlan::Join { left, right } => {
            narrow(left, needed);
            narrow(right, needed);
            let [left, right] = [left, right].map(|side| std::mem::replace(&mut **side, LogicalPlan::unit()));
            *plan = super::join(Box::new(left), right);
        }
        other => other.inputs_mut().into_iter().for_each(|input| narrow(input, needed)),
    }
}
