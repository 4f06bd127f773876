//! `GraphScope`: a graph selector as ids.

use crate::execute::{Context, ExecuteError};
use crate::model::{GraphFilter, NamedNode, TermId};
use crate::plan::GraphSelector;

/// The graphs that a scan reads, and how it reads them.
#[derive(Clone, Debug)]
pub struct GraphScope {
    /// `None`: no graph at all.
    pub filter: Option<GraphFilter>,
    /// Several graphs are read as one: equal triples count once.
    pub merges: bool,
}

impl GraphScope {
    pub fn resolve(selector: &GraphSelector, context: &Context) -> Result<GraphScope, ExecuteError> {
        let mut merges = false;
        let filter = match selector {
            GraphSelector::Default => Some(GraphFilter::One(TermId::UNDEFINED)),
            GraphSelector::Named(name) => graph_id(name, context)?.map(GraphFilter::One),
            GraphSelector::Merge(names) => {
                let ids = graph_ids(names, context)?;
                merges = ids.len() > 1;
                among(ids)
            }
            GraphSelector::Everything => {
                merges = true;
                Some(GraphFilter::All)
            }
            GraphSelector::Each(_, None) => Some(GraphFilter::Named),
            GraphSelector::Each(_, Some(names)) => among(graph_ids(names, context)?),
        };
        Ok(GraphScope { filter, merges })
    }

    /// Narrows the scope to one graph, if it holds it.
    pub fn narrow(&self, graph: TermId) -> GraphScope {
        let filter = self.filter.as_ref().filter(|filter| filter.contains(graph));
        GraphScope { filter: filter.map(|_| GraphFilter::One(graph)), merges: false }
    }

    /// Returns the named graphs of the scope, sorted.
    pub fn graphs(&self, context: &Context) -> Result<Vec<TermId>, ExecuteError> {
        Ok(match &self.filter {
            None => Vec::new(),
            Some(GraphFilter::One(graph)) => vec![*graph],
            Some(GraphFilter::Among(graphs)) => graphs.clone(),
            Some(GraphFilter::Named | GraphFilter::All) => context.dataset.named_graphs()?,
        })
    }
}

fn graph_id(name: &NamedNode, context: &Context) -> Result<Option<TermId>, ExecuteError> {
    Ok(context.dataset.term_id(&name.clone().into())?)
}

fn graph_ids(names: &[NamedNode], context: &Context) -> Result<Vec<TermId>, ExecuteError> {
    let mut ids = Vec::new();
    for name in names {
        ids.extend(graph_id(name, context)?);
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

fn among(ids: Vec<TermId>) -> Option<GraphFilter> {
    (!ids.is_empty()).then_some(GraphFilter::Among(ids))
}
