//! Updates: each operation is a Modify.

use spargebra::GraphUpdateOperation as Operation;
use spargebra::Update as SparqlUpdate;
use spargebra::algebra::GraphTarget as SparqlTarget;
use spargebra::term::{GraphName, GroundQuad, Quad};

use super::correlate::close;
use super::scope::Lowering;
use super::term::{default_graph_template, ground_term};
use crate::model::{NamedOrBlankNode, Term};
use crate::plan::{
    Change, GraphSelector, GraphTarget, GraphTemplate, LogicalPlan, QuadTemplate, Session, TermTemplate,
    Update, Variables,
};

/// SPARQL 1.1 Protocol, 2.2.3.
const TWO_DATASETS: &str = "the request names graphs to use, and the update too, by USING or WITH";

pub fn lower(update: &SparqlUpdate, session: &Session) -> Result<Update, String> {
    let base = update.base_iri.as_ref().map(|iri| iri.as_str().to_owned());
    let mut variables = Variables::default();
    let mut operations = Vec::with_capacity(update.operations.len());
    for operation in &update.operations {
        let mut lowering = Lowering::new(session, base.clone());
        lowering.variables = variables;
        let mut plan = lower_operation(operation, &mut lowering);
        lowering.mistake.take().map_or(Ok(()), Err)?;
        close(&mut plan);
        operations.push(plan);
        variables = lowering.variables;
    }
    Ok(Update { operations, variables })
}

fn lower_operation(operation: &Operation, lowering: &mut Lowering) -> LogicalPlan {
    let default = default_graph_template(&lowering.graph);
    match operation {
        Operation::InsertData { data } => {
            modify(LogicalPlan::unit(), data.iter().map(|quad| Change::Insert(data_quad(quad, &default))))
        }
        Operation::DeleteData { data } => {
            modify(LogicalPlan::unit(), data.iter().map(|quad| Change::Delete(ground_quad(quad, &default))))
        }
        Operation::DeleteInsert { delete, insert, using, pattern } => {
            if using.is_some() && lowering.named_graphs.is_some() {
                lowering.mistake.get_or_insert_with(|| TWO_DATASETS.to_owned());
            }
            lowering.set_dataset(using.as_ref());
            let input = lowering.pattern(pattern);
            let deletes: Vec<_> = delete
                .iter()
                .map(|quad| Change::Delete(lowering.ground_quad_template(quad, &default)))
                .collect();
            let inserts: Vec<_> =
                insert.iter().map(|quad| Change::Insert(lowering.quad_template(quad, &default))).collect();
            delete_then_insert(input, deletes, inserts)
        }
        Operation::Load { silent, source, destination } => {
            let destination = match (destination, &default) {
                (GraphName::NamedNode(name), _) | (GraphName::DefaultGraph, GraphTemplate::Named(name)) => {
                    GraphSelector::Named(name.clone())
                }
                _ => GraphSelector::Default,
            };
            let load = Change::Load { source: source.clone(), destination, silent: *silent };
            modify(LogicalPlan::unit(), [load])
        }
        Operation::Clear { silent, graph } | Operation::Drop { silent, graph } => {
            let target = match (graph, &default) {
                (SparqlTarget::NamedNode(name), _)
                | (SparqlTarget::DefaultGraph, GraphTemplate::Named(name)) => {
                    GraphTarget::Named(name.clone())
                }
                (SparqlTarget::DefaultGraph, _) => GraphTarget::Default,
                (SparqlTarget::NamedGraphs, _) => GraphTarget::AllNamed,
                (SparqlTarget::AllGraphs, _) => GraphTarget::All,
            };
            modify(LogicalPlan::unit(), [Change::Clear { target, silent: *silent }])
        }
        Operation::Create { silent, graph } => {
            modify(LogicalPlan::unit(), [Change::CreateGraph { graph: graph.clone(), silent: *silent }])
        }
    }
}

/// All deletions of all rows come before the first insertion (SPARQL 1.1 Update, 3.1.3).
fn delete_then_insert(input: LogicalPlan, deletes: Vec<Change>, inserts: Vec<Change>) -> LogicalPlan {
    match (deletes.is_empty(), inserts.is_empty()) {
        (false, false) => modify(modify(input, deletes), inserts),
        (false, true) => modify(input, deletes),
        _ => modify(input, inserts),
    }
}

fn modify(input: LogicalPlan, changes: impl IntoIterator<Item = Change>) -> LogicalPlan {
    LogicalPlan::Modify { input: Box::new(input), changes: changes.into_iter().collect() }
}

fn data_quad(quad: &Quad, default: &GraphTemplate) -> QuadTemplate {
    QuadTemplate {
        subject: data_subject(&quad.subject),
        predicate: TermTemplate::Constant(quad.predicate.clone().into()),
        object: data_term(&quad.object),
        graph: data_graph(&quad.graph_name, default),
    }
}

fn ground_quad(quad: &GroundQuad, default: &GraphTemplate) -> QuadTemplate {
    QuadTemplate {
        subject: TermTemplate::Constant(quad.subject.clone().into()),
        predicate: TermTemplate::Constant(quad.predicate.clone().into()),
        object: TermTemplate::Constant(ground_term(&quad.object)),
        graph: data_graph(&quad.graph_name, default),
    }
}

fn data_graph(name: &GraphName, default: &GraphTemplate) -> GraphTemplate {
    match name {
        GraphName::NamedNode(name) => GraphTemplate::Named(name.clone()),
        GraphName::DefaultGraph => default.clone(),
    }
}

fn data_subject(subject: &NamedOrBlankNode) -> TermTemplate {
    match subject {
        NamedOrBlankNode::NamedNode(node) => TermTemplate::Constant(node.clone().into()),
        NamedOrBlankNode::BlankNode(node) => TermTemplate::BlankNode(node.as_str().to_owned()),
    }
}

/// Blank nodes of INSERT DATA are fresh ones, not those of the text.
fn data_term(term: &Term) -> TermTemplate {
    match term {
        Term::BlankNode(node) => TermTemplate::BlankNode(node.as_str().to_owned()),
        Term::Triple(triple) => TermTemplate::Triple(Box::new([
            data_subject(&triple.subject),
            TermTemplate::Constant(triple.predicate.clone().into()),
            data_term(&triple.object),
        ])),
        term => TermTemplate::Constant(term.clone()),
    }
}
