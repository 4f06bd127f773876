//! Operators on small graphs, by hand-built plans; and joins against a naive evaluation.

mod id_range;
mod joins;
mod operators;
mod paths;
mod updates;

use std::sync::Arc;

use super::physical_plan::{Costs, Planner};
use super::{Context, ExecuteError, UpdateSummary, execute};
use crate::dataset::{Dataset, MemoryDataset};
use crate::model::{GraphName, Literal, NamedNode, NamedOrBlankNode, Term, Triple, Value, pg};
use crate::plan::{
    Column, EdgeScan, Expression, Form, Function, GraphSelector, LogicalPlan, QuadScan, Query, Slot,
    Variable, Variables,
};

pub fn iri(name: &str) -> NamedNode {
    match name {
        "a" => NamedNode::new_unchecked("http://www.w3.org/1999/02/22-rdf-syntax-ns#type"),
        _ => NamedNode::new_unchecked(format!("https://reefloom.org/data#{name}")),
    }
}

/// A number is an integer, a quoted word a string, `_:x` a blank node, any other word an IRI.
pub fn term(word: &str) -> Term {
    if let Ok(number) = word.parse::<i64>() {
        return Literal::from(number).into();
    }
    if let (true, Ok(number)) = (word.contains('.'), word.parse::<f64>()) {
        return Literal::from(number).into();
    }
    if let Some(label) = word.strip_prefix("_:") {
        return oxrdf::BlankNode::new_unchecked(label).into();
    }
    match word.strip_prefix('\'') {
        Some(text) => Literal::from(text.trim_end_matches('\'')).into(),
        None => iri(word).into(),
    }
}

/// `?0` is a variable, anything else a constant.
pub fn slot(word: &str) -> Slot {
    match word.strip_prefix('?') {
        Some(number) => Slot::Variable(Variable(number.parse().unwrap())),
        None => Slot::Constant(term(word)),
    }
}

/// Lines of `s p o`, `s p o g` or `s p o ~r` (reified by r).
pub fn world(text: &str) -> Arc<MemoryDataset> {
    let dataset = MemoryDataset::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let subject = match term(words[0]) {
            Term::NamedNode(node) => NamedOrBlankNode::from(node),
            Term::BlankNode(node) => node.into(),
            other => panic!("{other} is no subject"),
        };
        let triple = Triple::new(subject, iri(words[1]), term(words[2]));
        let reifier = words.get(3).and_then(|word| word.strip_prefix('~'));
        let graph = match (words.get(3), reifier) {
            (Some(graph), None) => GraphName::from(iri(graph)),
            _ => GraphName::DefaultGraph,
        };
        dataset.insert_quad(&triple.clone().in_graph(graph.clone())).unwrap();
        if let Some(reifier) = reifier {
            let reifies = Triple::new(iri(reifier), pg::REIFIES.into_owned(), Term::from(triple));
            dataset.insert_quad(&reifies.in_graph(graph)).unwrap();
        }
    }
    Arc::new(dataset)
}

pub fn scan(text: &str) -> LogicalPlan {
    scan_in(text, GraphSelector::Default)
}

pub fn scan_in(text: &str, graph: GraphSelector) -> LogicalPlan {
    let slots: Vec<Slot> = text.split_whitespace().map(slot).collect();
    let [subject, predicate, object] = slots.try_into().unwrap();
    LogicalPlan::QuadScan(Box::new(QuadScan::new(subject, predicate, object, graph)))
}

pub fn edge_scan(text: &str) -> LogicalPlan {
    let slots: Vec<Slot> = text.split_whitespace().map(slot).collect();
    let [subject, predicate, object, edge] = slots.try_into().unwrap();
    LogicalPlan::EdgeScan(Box::new(EdgeScan {
        subject,
        predicate,
        object,
        edge,
        reifier: None,
        graph: GraphSelector::Default,
        predicates: Vec::new(),
    }))
}

pub fn join(left: LogicalPlan, right: LogicalPlan) -> LogicalPlan {
    LogicalPlan::Join { left: Box::new(left), right: Box::new(right) }
}

/// Words as in [`term`]; `-` is undefined.
pub fn values(variables: &[u32], rows: &[&str]) -> LogicalPlan {
    let value = |word: &str| if word == "-" { Value::Null } else { Value::Term(term(word)) };
    LogicalPlan::Values {
        variables: variables.iter().map(|n| Variable(*n)).collect(),
        rows: rows.iter().map(|row| row.split_whitespace().map(value).collect()).collect(),
    }
}

pub fn argument(variables: &[u32]) -> LogicalPlan {
    LogicalPlan::Argument { variables: variables.iter().map(|n| Variable(*n)).collect() }
}

pub fn var(number: u32) -> Expression {
    Expression::Variable(Variable(number))
}

pub fn int(number: i64) -> Expression {
    Expression::Constant(Value::Integer(number))
}

pub fn call(function: Function, arguments: impl Into<Vec<Expression>>) -> Expression {
    Expression::call(function, arguments)
}

pub fn query(root: LogicalPlan) -> Query {
    let columns = root.variables().into_iter();
    let columns = columns.map(|variable| Column { name: format!("v{}", variable.0), variable }).collect();
    let writes = root.writes();
    Query { root, form: Form::Rows, columns, variables: Variables::default(), writes }
}

/// Plans as small data would have it, and as if every scan were large.
pub fn costs() -> [Costs; 3] {
    let costs = |lookup| Costs { lookup, edge_lookup: lookup, scan_at_once: 0.0 };
    [Costs::default(), costs(0.0), costs(1.0)]
}

/// Returns the rows of a plan as text, sorted: the variables in order, `-` for undefined.
pub fn rows(plan: &LogicalPlan, dataset: Arc<dyn Dataset>) -> Result<Vec<String>, ExecuteError> {
    rows_in(plan, Arc::new(Context::new(dataset)), Costs::default())
}

pub fn rows_in(plan: &LogicalPlan, context: Arc<Context>, costs: Costs) -> Result<Vec<String>, ExecuteError> {
    context.share();
    let variables: Vec<Variable> = plan.variables().into_iter().collect();
    let mut operator = Planner::with_costs(context.clone(), costs).build(plan)?;
    let (mut found, mut last) = (Vec::new(), crate::model::TermId::UNDEFINED);
    while let Some(batch) = operator.next_batch()? {
        assert!(!batch.is_empty(), "a batch is never empty");
        if let Some(column) = operator.sorted_by().first().and_then(|v| operator.layout().column(*v)) {
            assert!(last <= batch.column(column)[0] && batch.column(column).is_sorted(), "rows are sorted");
            last = batch.column(column)[batch.rows() - 1];
        }
        assert_eq!(batch.width(), operator.layout().width());
        for (variable, column) in operator.layout().variables().iter().zip(batch.columns()) {
            let has_hole = column.iter().any(|id| id.is_undefined());
            assert!(!has_hole || !operator.layout().is_defined(*variable), "{variable:?} has a hole");
        }
        for row in 0..batch.rows() {
            let words = variables.iter().map(|variable| match operator.layout().column(*variable) {
                Some(column) => show(batch.column(column)[row], &context),
                None => "-".to_owned(),
            });
            found.push(words.collect::<Vec<_>>().join(" "));
        }
    }
    Ok(found)
}

fn show(id: crate::model::TermId, context: &Context) -> String {
    if id.is_undefined() {
        return "-".to_owned();
    }
    match context.values.get(id).as_deref() {
        Some(super::Local::List(items)) => {
            let items: Vec<String> = items.iter().map(|item| show(*item, context)).collect();
            return format!("[{}]", items.join(","));
        }
        Some(super::Local::Relationship { quad, edge }) => {
            let parts = [quad.subject, quad.predicate, quad.object].map(|id| show(id, context));
            let edge = edge.map_or(String::new(), |edge| format!("~{}", show(edge, context)));
            return format!("<{}{edge}>", parts.join("-"));
        }
        Some(super::Local::Path { nodes, .. }) => {
            let nodes: Vec<String> = nodes.iter().map(|node| show(*node, context)).collect();
            return nodes.join("/");
        }
        _ => {}
    }
    match context.values.term(id, context.dataset.as_ref()).unwrap() {
        Some(Term::NamedNode(node)) if node == iri("a") => "a".to_owned(),
        Some(Term::NamedNode(node)) => {
            node.as_str().trim_start_matches("https://reefloom.org/data#").to_owned()
        }
        Some(Term::Literal(literal)) => literal.value().to_owned(),
        Some(other) => other.to_string(),
        None => format!("{id:?}"),
    }
}

/// Checks the rows of a plan, as a multiset, under every choice of costs.
pub fn check(plan: &LogicalPlan, dataset: &Arc<MemoryDataset>, expected: &[&str]) {
    let mut expected: Vec<String> = expected.iter().map(|row| (*row).to_owned()).collect();
    expected.sort();
    for costs in costs() {
        let context = Arc::new(Context::new(dataset.clone()));
        let mut found = rows_in(plan, context, costs).unwrap();
        found.sort();
        assert_eq!(found, expected, "{costs:?}\n{plan:#?}");
    }
}

/// Runs a statement that writes; returns what it changed.
pub fn write(plan: LogicalPlan, dataset: &Arc<MemoryDataset>) -> Result<UpdateSummary, ExecuteError> {
    let context = Arc::new(Context::writing(dataset.clone()));
    let mut rows = execute(&query(plan), context.clone())?;
    while rows.next_batch()?.is_some() {}
    Ok(context.summary())
}
