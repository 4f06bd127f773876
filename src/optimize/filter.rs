//! Filters: conjunctions split, each conjunct sinks as far as it may, and equalities with a
//! constant become constants of the scans.

use std::sync::Arc;

use super::Set;
use super::bound::certain;
use super::canonical;
use super::constants::{conjuncts_mut, fold_expression};
use crate::model::{Term, Value};
use crate::plan::{ApplyKind, Expression, Function, GraphSelector, LogicalPlan, Parameter, Slot, Variable};

/// Sinks every filter of a plan.
pub fn push(plan: LogicalPlan) -> LogicalPlan {
    match plan {
        LogicalPlan::Filter { input, condition } => {
            let mut conjuncts = split(condition);
            let mut input = *input;
            // Filters above filters are one.
            while let LogicalPlan::Filter { input: below, condition } = input {
                conjuncts.extend(split(condition));
                input = *below;
            }
            let input = push(input);
            let mut left = Vec::new();
            let mut input = Some(input);
            for conjunct in conjuncts {
                let plan = input.take().unwrap_or_else(LogicalPlan::nothing);
                let (plan, rest) = sink(plan, conjunct);
                input = Some(plan);
                left.extend(rest);
            }
            conjoin(input.unwrap_or_else(LogicalPlan::nothing), left)
        }
        plan => plan.map_inputs(&mut push),
    }
}

/// Splits a condition into its conjuncts.
pub fn split(mut condition: Expression) -> Vec<Expression> {
    conjuncts_mut(&mut condition)
        .into_iter()
        .map(|part| std::mem::replace(part, Expression::Constant(Value::Null)))
        .collect()
}

/// Puts conjuncts above a plan as one filter, in an order that no spelling changes.
pub fn conjoin(input: LogicalPlan, mut conjuncts: Vec<Expression>) -> LogicalPlan {
    if let LogicalPlan::Filter { input, condition } = input {
        conjuncts.extend(split(condition));
        return conjoin(*input, conjuncts);
    }
    conjuncts.sort_by_cached_key(canonical::expression_key);
    conjuncts.dedup();
    match conjuncts.len() {
        0 => input,
        1 => LogicalPlan::Filter { input: Box::new(input), condition: conjuncts.remove(0) },
        _ => LogicalPlan::Filter {
            input: Box::new(input),
            condition: Expression::Call(Function::And, conjuncts),
        },
    }
}

/// Sinks one conjunct into a plan; returns it if it has to stay above.
fn sink(plan: LogicalPlan, conjunct: Expression) -> (LogicalPlan, Option<Expression>) {
    if conjunct.is_volatile() {
        return (plan, Some(conjunct));
    }
    if let Expression::Call(Function::IsDefined, arguments) = &conjunct
        && let [Expression::Variable(variable)] = arguments.as_slice()
        && certain(&plan).contains(variable)
    {
        return (plan, None);
    }
    if let Some((variable, fixed)) = as_equality(&conjunct)
        && certain(&plan).contains(&variable)
        && let Some(plan) = substitute(&plan, variable, &fixed)
    {
        let expression = fixed.expression();
        return (LogicalPlan::Extend { input: Box::new(plan), variable, expression }, None);
    }
    let read = conjunct.variables();
    match plan {
        LogicalPlan::Join { left, right } => {
            // Where both sides can check it, both do: each is smaller then.
            let (to_left, to_right) = (may_sink(&read, &left, &right), may_sink(&read, &right, &left));
            if !to_left && !to_right {
                return (LogicalPlan::Join { left, right }, Some(conjunct));
            }
            let left = if to_left { Box::new(above(*left, conjunct.clone())) } else { left };
            let right = if to_right { Box::new(above(*right, conjunct)) } else { right };
            (LogicalPlan::Join { left, right }, None)
        }
        LogicalPlan::LeftJoin { left, right, condition } if may_sink(&read, &left, &right) => {
            (LogicalPlan::LeftJoin { left: Box::new(above(*left, conjunct)), right, condition }, None)
        }
        LogicalPlan::SemiJoin { left, right } => {
            (LogicalPlan::SemiJoin { left: Box::new(above(*left, conjunct)), right }, None)
        }
        LogicalPlan::AntiJoin { left, right } => {
            (LogicalPlan::AntiJoin { left: Box::new(above(*left, conjunct)), right }, None)
        }
        LogicalPlan::Minus { left, right } => {
            (LogicalPlan::Minus { left: Box::new(above(*left, conjunct)), right }, None)
        }
        LogicalPlan::Apply { input, subplan, kind } if passes_apply(&read, &input, &subplan, &kind) => {
            (LogicalPlan::Apply { input: Box::new(above(*input, conjunct)), subplan, kind }, None)
        }
        LogicalPlan::Repeat(mut repeat) if read.is_subset(&repeat.input.variables()) => {
            *repeat.input = above(*repeat.input, conjunct);
            (LogicalPlan::Repeat(repeat), None)
        }
        LogicalPlan::Union(branches) => {
            let branches = branches.into_iter().map(|branch| {
                let mut conjunct = conjunct.clone();
                close(&mut conjunct, &branch.variables());
                above(branch, conjunct)
            });
            (LogicalPlan::Union(branches.collect()), None)
        }
        LogicalPlan::Extend { input, variable, expression } if !read.contains(&variable) => {
            (LogicalPlan::Extend { input: Box::new(above(*input, conjunct)), variable, expression }, None)
        }
        LogicalPlan::Extend { input, variable, expression } if expression.known().is_some() => {
            let mut conjunct = conjunct;
            conjunct.rewrite(&mut |part| {
                if *part == Expression::Variable(variable) {
                    *part = expression.clone();
                }
            });
            fold_expression(&mut conjunct);
            (LogicalPlan::Extend { input: Box::new(above(*input, conjunct)), variable, expression }, None)
        }
        LogicalPlan::Unwind { input, list, variable } if !read.contains(&variable) => {
            (LogicalPlan::Unwind { input: Box::new(above(*input, conjunct)), list, variable }, None)
        }
        LogicalPlan::LoadCsv { input, source, has_headers, separator, variable }
            if !read.contains(&variable) =>
        {
            let input = Box::new(above(*input, conjunct));
            (LogicalPlan::LoadCsv { input, source, has_headers, separator, variable }, None)
        }
        LogicalPlan::Project { input, variables } if read.iter().all(|v| variables.contains(&v)) => {
            (LogicalPlan::Project { input: Box::new(above(*input, conjunct)), variables }, None)
        }
        LogicalPlan::Distinct { input } => {
            (LogicalPlan::Distinct { input: Box::new(above(*input, conjunct)) }, None)
        }
        LogicalPlan::Sort { input, keys } => {
            (LogicalPlan::Sort { input: Box::new(above(*input, conjunct)), keys }, None)
        }
        LogicalPlan::DistinctEdges { input, edges } => {
            (LogicalPlan::DistinctEdges { input: Box::new(above(*input, conjunct)), edges }, None)
        }
        LogicalPlan::Aggregate { input, keys, aggregates }
            if !read.is_empty() && read.iter().all(|variable| keys.contains(&variable)) =>
        {
            (LogicalPlan::Aggregate { input: Box::new(above(*input, conjunct)), keys, aggregates }, None)
        }
        plan => (plan, Some(conjunct)),
    }
}

fn above(plan: LogicalPlan, conjunct: Expression) -> LogicalPlan {
    match plan {
        LogicalPlan::Filter { input, condition } => {
            let (input, rest) = sink(*input, conjunct);
            let mut conjuncts = split(condition);
            conjuncts.extend(rest);
            conjoin(input, conjuncts)
        }
        plan => {
            let (plan, rest) = sink(plan, conjunct);
            conjoin(plan, rest.into_iter().collect())
        }
    }
}

/// Returns whether `side` alone gives the joined row every variable read.
fn may_sink(read: &Set, side: &LogicalPlan, other: &LogicalPlan) -> bool {
    let (bound, others) = (side.variables(), other.variables());
    if !read.is_subset(&bound) {
        return false;
    }
    let sure = certain(side);
    (read & &others).is_subset(&sure)
}

fn passes_apply(read: &Set, input: &LogicalPlan, subplan: &LogicalPlan, kind: &ApplyKind) -> bool {
    if subplan.writes() {
        return false;
    }
    match kind {
        // Another row less, and the batches are others.
        ApplyKind::InBatches(_) => false,
        ApplyKind::Inner | ApplyKind::Left => may_sink(read, input, subplan),
        ApplyKind::Exists(own) | ApplyKind::Count(own) | ApplyKind::Collect(own, _) => !read.contains(own),
    }
}

/// Makes variables that a branch does not bind undefined.
fn close(conjunct: &mut Expression, bound: &Set) {
    conjunct.rewrite(&mut |part| {
        if let Expression::Variable(variable) = part
            && !bound.contains(variable)
        {
            *part = Expression::Constant(Value::Null);
        }
    });
    fold_expression(conjunct);
}

/// What a variable is fixed to.
enum Fixed {
    Term(Term),
    Parameter(Arc<Parameter>),
}

impl Fixed {
    fn expression(&self) -> Expression {
        match self {
            Fixed::Term(term) => {
                let mut constant = Expression::Constant(Value::Term(term.clone()));
                fold_expression(&mut constant);
                constant
            }
            Fixed::Parameter(parameter) => Expression::Parameter(parameter.clone()),
        }
    }

    fn slot(&self) -> Slot {
        match self {
            Fixed::Term(term) => Slot::Constant(term.clone()),
            Fixed::Parameter(parameter) => Slot::Parameter(parameter.clone()),
        }
    }
}

/// Returns the variable and the term of a conjunct that passes that term alone.
fn as_equality(conjunct: &Expression) -> Option<(Variable, Fixed)> {
    let Expression::Call(Function::SameTerm, arguments) = conjunct else { return None };
    match arguments.as_slice() {
        [Expression::Variable(variable), Expression::Constant(value)] => {
            Some((*variable, Fixed::Term(value.to_term()?)))
        }
        // Whether a value is one term hangs on its kind.
        [Expression::Variable(variable), Expression::Parameter(parameter)] => {
            parameter.sample.as_ref()?.to_term()?;
            Some((*variable, Fixed::Parameter(parameter.clone())))
        }
        _ => None,
    }
}

/// Puts a term in the place of a variable that every row binds; `None` where a row's meaning
/// would change.
fn substitute(plan: &LogicalPlan, variable: Variable, fixed: &Fixed) -> Option<LogicalPlan> {
    if !plan.mentioned().contains(&variable) {
        return Some(plan.clone());
    }
    let slot = |slot: &Slot| match slot {
        Slot::Variable(own) if *own == variable => fixed.slot(),
        slot => slot.clone(),
    };
    let inner = |plan: &LogicalPlan| Some(Box::new(substitute(plan, variable, fixed)?));
    let expression = |expression: &Expression| {
        let has_plan = expression.any(&|part| matches!(part, Expression::Exists(_)));
        let mut expression = expression.clone();
        expression.rewrite(&mut |part| {
            if *part == Expression::Variable(variable) {
                *part = fixed.expression();
            }
        });
        (!has_plan).then_some(expression)
    };
    Some(match plan {
        LogicalPlan::QuadScan(scan) => {
            let graph = graph_of(&scan.graph, variable, fixed)?;
            LogicalPlan::QuadScan(Box::new(crate::plan::QuadScan {
                subject: slot(&scan.subject),
                predicate: slot(&scan.predicate),
                object: slot(&scan.object),
                graph,
                per_edge: scan.per_edge,
            }))
        }
        LogicalPlan::EdgeScan(scan)
            if scan.edge.variable() != Some(variable) && scan.reifier != Some(variable) =>
        {
            // A scan among several predicates keeps its variable.
            if scan.predicate.variable() == Some(variable) && !scan.predicates.is_empty() {
                return None;
            }
            let graph = graph_of(&scan.graph, variable, fixed)?;
            LogicalPlan::EdgeScan(Box::new(crate::plan::EdgeScan {
                subject: slot(&scan.subject),
                predicate: slot(&scan.predicate),
                object: slot(&scan.object),
                graph,
                ..(**scan).clone()
            }))
        }
        // A path of length zero from a constant need not be in the graph; from a variable it must.
        LogicalPlan::Path(path) if path.min > 0 && path.edge_properties.is_none() => {
            if path.edges == Some(variable) || path.path == Some(variable) {
                return None;
            }
            let graph = graph_of(&path.graph, variable, fixed)?;
            LogicalPlan::Path(Box::new(crate::plan::Path {
                subject: slot(&path.subject),
                object: slot(&path.object),
                graph,
                ..(**path).clone()
            }))
        }
        LogicalPlan::Join { left, right } => LogicalPlan::Join { left: inner(left)?, right: inner(right)? },
        LogicalPlan::LeftJoin { left, right, condition } if certain(left).contains(&variable) => {
            let condition = match condition {
                None => None,
                Some(condition) => Some(expression(condition)?),
            };
            if right.mentioned().contains(&variable) && !certain(right).contains(&variable) {
                return None;
            }
            LogicalPlan::LeftJoin { left: inner(left)?, right: inner(right)?, condition }
        }
        LogicalPlan::SemiJoin { left, right } if is_sure_or_absent(right, variable) => {
            LogicalPlan::SemiJoin { left: inner(left)?, right: inner(right)? }
        }
        LogicalPlan::AntiJoin { left, right } if is_sure_or_absent(right, variable) => {
            LogicalPlan::AntiJoin { left: inner(left)?, right: inner(right)? }
        }
        LogicalPlan::Filter { input, condition } => {
            LogicalPlan::Filter { condition: expression(condition)?, input: inner(input)? }
        }
        LogicalPlan::Extend { input, variable: own, expression: value } if *own != variable => {
            LogicalPlan::Extend { expression: expression(value)?, input: inner(input)?, variable: *own }
        }
        LogicalPlan::Union(branches) => LogicalPlan::Union(
            branches.iter().map(|branch| substitute(branch, variable, fixed)).collect::<Option<_>>()?,
        ),
        LogicalPlan::Project { input, variables } => LogicalPlan::Project {
            input: inner(input)?,
            variables: variables.iter().filter(|own| **own != variable).copied().collect(),
        },
        LogicalPlan::Distinct { input } => LogicalPlan::Distinct { input: inner(input)? },
        _ => return None,
    })
}

fn is_sure_or_absent(plan: &LogicalPlan, variable: Variable) -> bool {
    !plan.mentioned().contains(&variable) || certain(plan).contains(&variable)
}

fn graph_of(graph: &GraphSelector, variable: Variable, fixed: &Fixed) -> Option<GraphSelector> {
    match (graph, fixed) {
        (GraphSelector::Each(own, names), Fixed::Term(Term::NamedNode(name))) if *own == variable => {
            Some(match names {
                Some(names) if !names.contains(name) => GraphSelector::Merge(Vec::new()),
                _ => GraphSelector::Named(name.clone()),
            })
        }
        (GraphSelector::Each(own, _), _) if *own == variable => None,
        (graph, _) => Some(graph.clone()),
    }
}
