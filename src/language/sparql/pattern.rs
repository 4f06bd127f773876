//! Graph patterns.

use std::collections::BTreeSet;

use spargebra::algebra::GraphPattern;
use spargebra::term::{NamedNodePattern, TermPattern, TriplePattern};

use super::correlate::inject;
use super::scope::Lowering;
use super::term::ground_term;
use crate::model::Value;
use crate::plan::{ApplyKind, Expression, Function, GraphSelector, LogicalPlan, Slot, Variable, VariableSet};

impl Lowering {
    pub fn pattern(&mut self, pattern: &GraphPattern) -> LogicalPlan {
        match pattern {
            GraphPattern::Bgp { patterns } => self.basic(patterns),
            GraphPattern::Path { subject, path, object } => {
                let (subject, mut tests) = self.place(subject);
                let (object, more) = self.place(object);
                tests.extend(more);
                tests.apply(self.path(subject, path, object))
            }
            GraphPattern::Join { left, right } => join(self.pattern(left), self.pattern(right)),
            GraphPattern::LeftJoin { left, right, expression } => {
                let (left, right) = (self.pattern(left), self.pattern(right));
                let condition = expression.as_ref().map(|expression| self.condition(expression));
                let row = &left.variables() | &right.variables();
                let condition = condition.map(|condition| correlated(condition, &row));
                LogicalPlan::LeftJoin { left: Box::new(left), right: Box::new(right), condition }
            }
            GraphPattern::Lateral { left, right } => {
                let left = self.pattern(left);
                let row = left.variables();
                let subplan = inject(self.pattern(right), &row);
                apply(left, subplan)
            }
            GraphPattern::Filter { expr, inner } => {
                let input = self.pattern(inner);
                let condition = correlated(self.condition(expr), &input.variables());
                LogicalPlan::Filter { input: Box::new(input), condition }
            }
            GraphPattern::Union { left, right } => union(self.pattern(left), self.pattern(right)),
            GraphPattern::Graph { name, inner } => self.graph_pattern(name, inner),
            GraphPattern::Extend { inner, variable, expression } => {
                let input = self.pattern(inner);
                let expression = correlated(self.expression(expression), &input.variables());
                let variable = self.named(variable.as_str());
                LogicalPlan::Extend { input: Box::new(input), variable, expression }
            }
            GraphPattern::Minus { left, right } => self.minus(left, right),
            GraphPattern::Values { variables, bindings } => LogicalPlan::Values {
                variables: variables.iter().map(|variable| self.named(variable.as_str())).collect(),
                rows: bindings
                    .iter()
                    .map(|row| {
                        row.iter()
                            .map(|term| {
                                term.as_ref().map_or(Value::Null, |term| Value::Term(ground_term(term)))
                            })
                            .collect()
                    })
                    .collect(),
            },
            GraphPattern::OrderBy { inner, expression } => {
                let input = self.pattern(inner);
                let row = input.variables();
                let keys = expression
                    .iter()
                    .map(|order| {
                        let mut key = self.sort_key(order);
                        key.expression = correlated(key.expression, &row);
                        key
                    })
                    .collect();
                LogicalPlan::Sort { input: Box::new(input), keys }
            }
            GraphPattern::Project { inner, variables } => {
                let variables: Vec<Variable> =
                    variables.iter().map(|variable| self.named(variable.as_str())).collect();
                let input = self.in_scope(&variables, |inner_scope| inner_scope.pattern(inner));
                LogicalPlan::Project { input: Box::new(input), variables }
            }
            GraphPattern::Distinct { inner } => distinct(self.pattern(inner)),
            // REDUCED permits to keep every duplicate.
            GraphPattern::Reduced { inner } => self.pattern(inner),
            GraphPattern::Slice { inner, start, length } => LogicalPlan::Slice {
                input: Box::new(self.pattern(inner)),
                offset: (*start > 0).then(|| count(*start)),
                limit: length.map(count),
            },
            GraphPattern::Group { inner, variables, aggregates } => self.group(inner, variables, aggregates),
            GraphPattern::Service { name, inner, silent } => self.service(name, inner, *silent),
        }
    }

    fn basic(&mut self, patterns: &[TriplePattern]) -> LogicalPlan {
        match patterns {
            [] => LogicalPlan::unit(),
            [one] => self.triple(one),
            // Halves, so that the tree is as shallow as can be.
            many => {
                let (left, right) = many.split_at(many.len() / 2);
                join(self.basic(left), self.basic(right))
            }
        }
    }

    fn triple(&mut self, pattern: &TriplePattern) -> LogicalPlan {
        let (subject, mut tests) = self.place(&pattern.subject);
        let predicate = self.predicate_slot(&pattern.predicate);
        let (object, more) = self.place(&pattern.object);
        tests.extend(more);
        tests.apply(self.scan(subject, predicate, object))
    }

    /// Returns the slot of a term, and, for a triple term with variables, the tests that take the
    /// term in that slot apart.
    fn place(&mut self, pattern: &TermPattern) -> (Slot, TripleTests) {
        if let Some(slot) = self.slot(pattern) {
            return (slot, TripleTests::default());
        }
        let whole = self.variables.fresh();
        let mut tests = TripleTests::default();
        if let TermPattern::Triple(triple) = pattern {
            let (subject, of_subject) = self.place(&triple.subject);
            let predicate = self.predicate_slot(&triple.predicate);
            let (object, of_object) = self.place(&triple.object);
            tests.0.push(TripleTest { whole, parts: [subject, predicate, object] });
            tests.extend(of_subject);
            tests.extend(of_object);
        }
        (Slot::Variable(whole), tests)
    }

    /// Lowers `GRAPH name { inner }`.
    fn graph_pattern(&mut self, name: &NamedNodePattern, inner: &GraphPattern) -> LogicalPlan {
        let graph = match name {
            NamedNodePattern::NamedNode(name) => self.named_graph(name),
            NamedNodePattern::Variable(variable) => {
                GraphSelector::Each(self.named(variable.as_str()), self.named_graphs.clone())
            }
        };
        // The name of GRAPH is not in scope inside: what the group binds to it is another value,
        // which must agree in the end. Where it is bound in every row at once, it may be the same.
        let inner_name = match name {
            NamedNodePattern::Variable(variable) if !only_matches(inner) => {
                Some((variable.as_str().to_owned(), self.variables.named(variable.as_str())))
            }
            _ => None,
        };
        let plan = self.in_graph(graph.clone(), |lowering| match &inner_name {
            None => lowering.pattern(inner),
            Some((name, variable)) => lowering.renamed(name, *variable, |lowering| lowering.pattern(inner)),
        });
        let plan = match graph.variable() {
            _ if always_reads(inner) => plan,
            // No row comes from a graph that is not there.
            None => LogicalPlan::SemiJoin { left: Box::new(plan), right: Box::new(self.graphs(&graph)) },
            // The pattern's meaning depends on one graph being active at a time.
            Some(variable) => apply(self.graphs(&graph), inject(plan, &VariableSet::from([variable]))),
        };
        match (inner_name, graph.variable()) {
            (Some((_, inner)), Some(outer)) if plan.variables().contains(&inner) => {
                let is_same = super::term::same_term(inner, Expression::Variable(outer));
                let is_bound = Expression::call(Function::IsDefined, [Expression::Variable(inner)]);
                let is_open = Expression::call(Function::Not, [is_bound]);
                let condition = Expression::call(Function::Or, [is_open, is_same]);
                LogicalPlan::Filter { input: Box::new(plan), condition }
            }
            _ => plan,
        }
    }

    fn minus(&mut self, left: &GraphPattern, right: &GraphPattern) -> LogicalPlan {
        let left = self.pattern(left);
        let mut names_graph = false;
        let graph = self.graph.variable();
        right.on_in_scope_variable(|variable| names_graph |= Some(self.named(variable.as_str())) == graph);
        let right = self.pattern(right);
        // That both sides read the same graph must not count as a variable that they share.
        let right = match graph {
            Some(graph) if !names_graph && right.variables().contains(&graph) => hide(right, graph),
            _ => right,
        };
        LogicalPlan::Minus { left: Box::new(left), right: Box::new(right) }
    }

    fn group(
        &mut self,
        inner: &GraphPattern,
        variables: &[spargebra::term::Variable],
        aggregates: &[(spargebra::term::Variable, spargebra::algebra::AggregateExpression)],
    ) -> LogicalPlan {
        let input = self.pattern(inner);
        let keys: Vec<Variable> = variables.iter().map(|variable| self.named(variable.as_str())).collect();
        let row = input.variables();
        let mut computed = Vec::with_capacity(aggregates.len());
        for (variable, aggregate) in aggregates {
            let mut aggregate = self.aggregate(aggregate);
            aggregate.argument = aggregate.argument.map(|argument| correlated(argument, &row));
            computed.push((self.named(variable.as_str()), aggregate));
        }
        let own: VariableSet = computed.iter().map(|(variable, _)| *variable).collect();
        let reads_own = |expression: &Expression| !expression.variables().is_disjoint(&own);
        if computed.iter().any(|(_, aggregate)| aggregate.argument.as_ref().is_some_and(reads_own)) {
            self.mistake = Some("an aggregate stands within an aggregate".to_owned());
        }
        let counts_rows =
            computed.iter().any(|(_, aggregate)| aggregate.argument.is_none() && aggregate.distinct);
        let input = if counts_rows {
            // COUNT(DISTINCT *) tells solutions apart by what the text names.
            let named = row.into_iter().filter(|variable| self.variables.name(*variable).is_some()).collect();
            LogicalPlan::Project { input: Box::new(input), variables: named }
        } else {
            input
        };
        LogicalPlan::Aggregate { input: Box::new(input), keys, aggregates: computed }
    }

    fn service(&mut self, name: &NamedNodePattern, inner: &GraphPattern, silent: bool) -> LogicalPlan {
        let endpoint = self.predicate_slot(name);
        let mut variables = Vec::new();
        let mut names = BTreeSet::new();
        inner.on_in_scope_variable(|variable| {
            names.insert(variable.as_str().to_owned());
        });
        let mut columns = String::new();
        for name in &names {
            variables.push(self.named(name));
            columns.push_str(&format!(" ?{name}"));
        }
        if names.is_empty() {
            columns.push_str(" *");
        }
        LogicalPlan::Service {
            endpoint,
            silent,
            text: format!("SELECT{columns} WHERE {{ {inner} }}"),
            variables,
        }
    }
}

/// Triple terms to take apart, outer ones first.
#[derive(Default)]
struct TripleTests(Vec<TripleTest>);

/// `whole` must be a triple term of these parts.
struct TripleTest {
    whole: Variable,
    parts: [Slot; 3],
}

impl TripleTests {
    fn extend(&mut self, other: TripleTests) {
        self.0.extend(other.0);
    }

    /// Binds the parts that are not bound yet, and tests the others.
    fn apply(self, mut plan: LogicalPlan) -> LogicalPlan {
        for TripleTest { whole, parts } in self.0 {
            let condition = Expression::call(Function::IsTriple, [Expression::Variable(whole)]);
            plan = LogicalPlan::Filter { input: Box::new(plan), condition };
            for (function, part) in
                [Function::Subject, Function::Predicate, Function::Object].into_iter().zip(parts)
            {
                let expression = Expression::call(function, [Expression::Variable(whole)]);
                plan = match part {
                    Slot::Variable(variable) if !plan.variables().contains(&variable) => {
                        LogicalPlan::Extend { input: Box::new(plan), variable, expression }
                    }
                    part => {
                        let condition = Expression::call(Function::SameTerm, [part.expression(), expression]);
                        LogicalPlan::Filter { input: Box::new(plan), condition }
                    }
                };
            }
        }
        plan
    }
}

/// Joins, the unit left out.
pub fn join(left: LogicalPlan, right: LogicalPlan) -> LogicalPlan {
    if left.is_unit() {
        return right;
    }
    if right.is_unit() {
        return left;
    }
    LogicalPlan::Join { left: Box::new(left), right: Box::new(right) }
}

fn union(left: LogicalPlan, right: LogicalPlan) -> LogicalPlan {
    let mut branches = match left {
        LogicalPlan::Union(branches) => branches,
        left => vec![left],
    };
    match right {
        LogicalPlan::Union(more) => branches.extend(more),
        right => branches.push(right),
    }
    LogicalPlan::Union(branches)
}

fn apply(input: LogicalPlan, subplan: LogicalPlan) -> LogicalPlan {
    LogicalPlan::Apply { input: Box::new(input), subplan: Box::new(subplan), kind: ApplyKind::Inner }
}

/// Distinct rows, in the order of the input: where a sort reads only what is kept, it comes last.
fn distinct(plan: LogicalPlan) -> LogicalPlan {
    let (variables, sorted) = match plan {
        LogicalPlan::Project { input, variables } => (variables, *input),
        plan => return LogicalPlan::Distinct { input: Box::new(plan) },
    };
    match sorted {
        LogicalPlan::Sort { input, keys }
            if keys.iter().all(|key| key.expression.variables().iter().all(|v| variables.contains(&v))) =>
        {
            let input = LogicalPlan::Project { input, variables };
            LogicalPlan::Sort { input: Box::new(LogicalPlan::Distinct { input: Box::new(input) }), keys }
        }
        input => LogicalPlan::Distinct {
            input: Box::new(LogicalPlan::Project { input: Box::new(input), variables }),
        },
    }
}

/// Keeps a variable from being seen outside; its value is still that of the enclosing row.
fn hide(plan: LogicalPlan, variable: Variable) -> LogicalPlan {
    let mut variables = plan.variables();
    variables.remove(&variable);
    LogicalPlan::Project {
        input: Box::new(inject(plan, &VariableSet::from([variable]))),
        variables: variables.into_iter().collect(),
    }
}

/// Makes the plans of EXISTS see the row that they are asked for.
fn correlated(mut expression: Expression, row: &VariableSet) -> Expression {
    expression.rewrite(&mut |part| {
        if let Expression::Exists(plan) = part
            && !super::correlate::is_join_alike(plan, row)
        {
            let inner = std::mem::replace(&mut **plan, LogicalPlan::unit());
            **plan = inject(inner, row);
        }
    });
    expression
}

fn count(rows: usize) -> Expression {
    Expression::Constant(Value::Integer(i64::try_from(rows).unwrap_or(i64::MAX)))
}

/// Returns whether every row of the pattern comes from a quad of the active graph, in each of its
/// parts, so that the scans alone carry which graph it is.
fn always_reads(pattern: &GraphPattern) -> bool {
    match pattern {
        GraphPattern::Bgp { patterns } => !patterns.is_empty(),
        GraphPattern::Join { left, right } | GraphPattern::Union { left, right } => {
            always_reads(left) && always_reads(right)
        }
        GraphPattern::LeftJoin { left, right, expression } => {
            always_reads(left) && always_reads(right) && expression.as_ref().is_none_or(is_plain)
        }
        GraphPattern::Filter { expr, inner } => always_reads(inner) && is_plain(expr),
        GraphPattern::Extend { inner, expression, .. } => always_reads(inner) && is_plain(expression),
        _ => false,
    }
}

/// Returns whether the pattern is triple patterns and paths alone.
fn only_matches(pattern: &GraphPattern) -> bool {
    match pattern {
        GraphPattern::Bgp { .. } | GraphPattern::Path { .. } => true,
        GraphPattern::Join { left, right } => only_matches(left) && only_matches(right),
        _ => false,
    }
}

/// Returns whether the expression asks no EXISTS. (Its text says so; a variable of that name costs
/// a slower plan and no more.)
fn is_plain(expression: &spargebra::algebra::Expression) -> bool {
    !expression.to_string().contains("EXISTS {")
}
