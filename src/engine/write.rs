//! `Write`: a statement that writes.

use std::sync::Arc;

use super::hosted::{Hosted, configure, constrained, session};
use super::{Answer, EngineError, Explanation, GraphRef, Language, Request};
use crate::dataset::Dataset;
use crate::execute::{self, Context};
use crate::language::sparql;
use crate::model::{GraphFilter, Permutation, QuadPattern, TermId};
use crate::optimize::optimize_update;
use crate::plan::{self, Form, GraphSelector, Query, Session, Update};
use crate::workspace::{Settings, Transaction};

/// A statement that writes, understood: all that can be done before it is its turn.
pub(super) struct Write {
    request: Request,
    session: Session,
    statement: Statement,
    constrained: GraphFilter,
}

enum Statement {
    Update(Update),
    /// It is planned when it is its turn, which finds the plan made that told that it writes.
    Cypher,
}

impl Write {
    pub fn new(request: &Request, settings: &Settings) -> Result<Write, EngineError> {
        // Of the data nothing may be promised yet: other writers come first.
        let session = session(request, settings, Arc::default());
        let statement = match request.language {
            Language::SparqlUpdate => {
                let base = Some(settings.vocabulary.base.as_str());
                let update = sparql::parse_update(&request.text, &session, base)
                    .map_err(|error| EngineError::syntax(error, &request.text))?;
                Statement::Update(update)
            }
            _ => Statement::Cypher,
        };
        Ok(Write { request: request.clone(), session, statement, constrained: constrained(settings) })
    }

    /// Writes into a transaction; all rows are at hand then.
    pub fn perform(&self, hosted: &Hosted, transaction: &Arc<Transaction>) -> Result<Answer, EngineError> {
        let Write { request, session, statement, .. } = self;
        Ok(match statement {
            Statement::Update(update) => {
                let update = optimize_update(update.clone(), &**transaction)?;
                if request.explain.is_some() {
                    return Ok(Answer::Explanation(explain_update(update)));
                }
                let graph_existed = match &request.graph {
                    Some(graph) => holds_graph(graph, &**transaction)?,
                    None => true,
                };
                let context = self.context(session.default_graph.clone(), transaction);
                let summary = execute::execute_update(&update, context)?;
                Answer::Updated { summary, graph_existed }
            }
            Statement::Cypher => {
                let planned = hosted.plans.to_write(request, session, &**transaction)?;
                let context = self.context(planned.default_graph.clone(), transaction);
                // All rows are pulled before the commit: a failure on the way must leave no trace.
                let rows = execute::execute(&planned.bind(&request.parameters), context)?;
                Answer::Rows(rows.buffered()?)
            }
        })
    }

    fn context(&self, default_graph: GraphSelector, transaction: &Arc<Transaction>) -> Arc<Context> {
        let mut context = Context::writing(transaction.clone());
        configure(&mut context, &self.request, &self.session);
        context.default_graph = default_graph;
        context.constrained = self.constrained.clone();
        Arc::new(context)
    }
}

fn explain_update(update: Update) -> Explanation {
    let Update { operations, variables } = update;
    let queries = operations.into_iter().map(|root| {
        let columns = Vec::new();
        plan::explain(&Query { root, form: Form::Rows, columns, variables: variables.clone(), writes: true })
    });
    let optimised_plan = queries.collect::<Vec<_>>().join("\n");
    Explanation { logical_plan: String::new(), optimised_plan, physical_plan: None, blocks: None }
}

/// Returns whether there is a quad in a graph; a graph without one is not there.
fn holds_graph(graph: &GraphRef, dataset: &dyn Dataset) -> Result<bool, EngineError> {
    let graph = match graph {
        GraphRef::Named(name) => match dataset.term_id(&name.clone().into())? {
            Some(id) => id,
            None => return Ok(false),
        },
        GraphRef::Default => TermId::UNDEFINED,
    };
    let pattern = QuadPattern { graph: GraphFilter::One(graph), ..QuadPattern::default() };
    Ok(dataset.scan(&pattern, Permutation::Spo)?.next_batch()?.is_some())
}
