//! `Service`: the rows of a pattern at another endpoint.

use std::sync::Arc;

use super::Operator;
use crate::batch::Batch;
use crate::execute::{Context, ExecuteError, Layout};
use crate::model::{NamedNode, Term, TermId};
use crate::plan::Variable;

pub struct Service {
    context: Arc<Context>,
    endpoint: NamedNode,
    silent: bool,
    text: String,
    layout: Layout,
    is_done: bool,
}

impl Service {
    pub fn new(
        endpoint: NamedNode,
        silent: bool,
        text: &str,
        variables: &[Variable],
        context: Arc<Context>,
    ) -> Service {
        let layout = Layout::new(variables);
        Service { context, endpoint, silent, text: text.to_owned(), layout, is_done: false }
    }

    /// Asks an endpoint; a failure that is to be silent is the unit.
    pub fn ask(
        endpoint: &NamedNode,
        silent: bool,
        text: &str,
        variables: &[Variable],
        context: &Context,
    ) -> Result<Batch, ExecuteError> {
        let answer = match &context.services {
            Some(handler) => handler.query(endpoint, text, variables.len()),
            None => Err("this node calls no other endpoints".to_owned()),
        };
        let mut batch = Batch::empty(variables.len());
        match answer {
            Ok(rows) => {
                for row in rows {
                    let mut ids = Vec::with_capacity(variables.len());
                    for term in row.iter().take(variables.len()) {
                        ids.push(match term {
                            Some(term) => context.values.id_of_term(term, context.dataset.as_ref())?,
                            None => TermId::UNDEFINED,
                        });
                    }
                    ids.resize(variables.len(), TermId::UNDEFINED);
                    batch.push_row(&ids);
                }
            }
            Err(_) if silent => batch.push_row(&vec![TermId::UNDEFINED; variables.len()]),
            Err(message) => {
                return Err(ExecuteError::Service { endpoint: endpoint.as_str().to_owned(), message });
            }
        }
        Ok(batch)
    }
}

impl Operator for Service {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        if std::mem::replace(&mut self.is_done, true) {
            return Ok(None);
        }
        self.context.check()?;
        let variables = self.layout.variables();
        let batch = Service::ask(&self.endpoint, self.silent, &self.text, variables, &self.context)?;
        Ok((!batch.is_empty()).then_some(batch))
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn describe(&self) -> String {
        format!("Service {}", self.endpoint)
    }
}

/// Asks the endpoint that a key names.
pub struct ServiceProbe {
    context: Arc<Context>,
    silent: bool,
    text: String,
    variables: Vec<Variable>,
    key: Vec<Variable>,
    layout: Layout,
}

impl ServiceProbe {
    /// Makes a probe whose key begins with the endpoint variable.
    pub fn new(
        key: Vec<Variable>,
        silent: bool,
        text: &str,
        variables: &[Variable],
        context: Arc<Context>,
    ) -> ServiceProbe {
        let endpoint = key[0];
        let variables: Vec<Variable> = variables.iter().copied().filter(|v| *v != endpoint).collect();
        let mut layout = Layout::default();
        layout.push(endpoint, false);
        variables.iter().for_each(|variable| layout.push(*variable, false));
        ServiceProbe { context, silent, text: text.to_owned(), variables, key, layout }
    }
}

impl super::Probe for ServiceProbe {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn key(&self) -> &[Variable] {
        &self.key
    }

    fn probe(&mut self, key: &[TermId], out: &mut Batch) -> Result<(), ExecuteError> {
        let endpoint = match self.context.values.term(key[0], self.context.dataset.as_ref())? {
            Some(Term::NamedNode(endpoint)) => endpoint,
            _ if self.silent => {
                let mut row = vec![TermId::UNDEFINED; self.layout.width()];
                row[0] = key[0];
                out.push_row(&row);
                return Ok(());
            }
            _ => {
                let message = "the endpoint is no IRI".to_owned();
                return Err(ExecuteError::Service { endpoint: String::new(), message });
            }
        };
        let rows = Service::ask(&endpoint, self.silent, &self.text, &self.variables, &self.context)?;
        let count = rows.rows();
        let mut columns = vec![vec![key[0]; count]];
        columns.extend(rows.into_columns());
        let mut rows = Batch::new(columns, count);
        for (variable, id) in self.key.iter().zip(key).filter(|(_, id)| !id.is_undefined()) {
            if let Some(column) = self.layout.column(*variable) {
                let own = rows.column(column).iter();
                let keep: Vec<bool> = own.map(|own| own == id || own.is_undefined()).collect();
                rows.filter(&keep);
            }
        }
        out.append(&rows);
        Ok(())
    }

    fn describe(&self) -> String {
        format!("Service {:?}", self.key[0])
    }
}
