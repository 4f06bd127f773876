//! `Call`: the rows of a procedure for each input row.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{BoxOperator, Operator};
use crate::batch::Batch;
use crate::execute::context::Procedure;
use crate::execute::expression::{self, Compiled};
use crate::execute::{Context, ExecuteError, Layout, RuntimeCode};
use crate::model::{GraphFilter, QuadPattern, Term, TermId, Value, pg, rdf};
use crate::plan::Variable;

pub struct Call {
    context: Arc<Context>,
    input: BoxOperator,
    name: String,
    procedure: Arc<dyn Procedure>,
    arguments: Vec<Compiled>,
    /// For each yield: the place of its field.
    fields: Vec<usize>,
    layout: Layout,
}

impl Call {
    /// # Errors
    /// If nobody knows the procedure or it has not these fields.
    pub fn new(
        input: BoxOperator,
        name: &str,
        arguments: Vec<Compiled>,
        yields: &[(String, Variable)],
        context: Arc<Context>,
    ) -> Result<Call, ExecuteError> {
        let unknown = |message: String| {
            ExecuteError::runtime(RuntimeCode::ProcedureError, "ProcedureNotFound", message)
        };
        let procedure = match context.procedures.get(name) {
            Some(procedure) => procedure.clone(),
            None => built_in(name).ok_or_else(|| unknown(format!("there is no procedure '{name}'")))?,
        };
        let known = procedure.fields();
        let mut layout = input.layout().clone();
        let mut fields = Vec::new();
        for (field, variable) in yields {
            let place = known.iter().position(|own| own == field);
            fields.push(place.ok_or_else(|| unknown(format!("'{name}' yields no '{field}'")))?);
            layout.push(*variable, false);
        }
        Ok(Call { context, input, name: name.to_owned(), procedure, arguments, fields, layout })
    }
}

impl Operator for Call {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        while let Some(batch) = self.input.next_batch()? {
            let mut columns = Vec::new();
            for argument in &self.arguments {
                let ids = argument.evaluate(&batch, &self.context)?;
                columns.push(expression::values_of_ids(&ids, &self.context)?);
            }
            let (mut source, mut yielded) = (Vec::new(), vec![Vec::new(); self.fields.len()]);
            for row in 0..batch.rows() {
                self.context.check()?;
                let arguments: Vec<Value> = columns.iter().map(|column| column[row].clone()).collect();
                for result in self.procedure.call(&arguments, &self.context)? {
                    source.push(row as u32);
                    for (column, place) in yielded.iter_mut().zip(&self.fields) {
                        let value = result.get(*place).unwrap_or(&Value::Null);
                        column.push(expression::id_of_value(value, &self.context)?);
                    }
                }
            }
            if !source.is_empty() {
                let mut joined = batch.gather(&source);
                yielded.into_iter().for_each(|column| joined.push_column(column));
                return Ok(Some(joined));
            }
        }
        Ok(None)
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn describe(&self) -> String {
        format!("Call {}", self.name)
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }
}

/// Procedures that tell what names a graph uses.
#[derive(Clone, Copy)]
enum Names {
    Labels,
    RelationshipTypes,
    PropertyKeys,
}

fn built_in(name: &str) -> Option<Arc<dyn Procedure>> {
    let names = match name.to_ascii_lowercase().as_str() {
        "db.labels" => Names::Labels,
        "db.relationshiptypes" => Names::RelationshipTypes,
        "db.propertykeys" => Names::PropertyKeys,
        _ => return None,
    };
    Some(Arc::new(names))
}

impl Procedure for Names {
    fn fields(&self) -> Vec<String> {
        let field = match self {
            Names::Labels => "label",
            Names::RelationshipTypes => "relationshipType",
            Names::PropertyKeys => "propertyKey",
        };
        vec![field.to_owned()]
    }

    fn call(&self, _: &[Value], context: &Context) -> Result<Vec<Vec<Value>>, ExecuteError> {
        let scope = super::GraphScope::resolve(&context.default_graph, context)?;
        let Some(filter) = scope.filter else { return Ok(Vec::new()) };
        let rdf_type = context.dataset.term_id(&Term::NamedNode(rdf::TYPE.into_owned()))?;
        let found = match self {
            Names::Labels => match rdf_type {
                Some(id) => distinct_column(context, filter, Some(id), 2, |_, _| true)?,
                None => BTreeSet::new(),
            },
            Names::RelationshipTypes => distinct_column(context, filter, None, 1, |predicate, object| {
                Some(predicate) != rdf_type && is_resource(object)
            })?,
            Names::PropertyKeys => distinct_column(context, filter, None, 1, |_, object| {
                !is_resource(object) && object.kind() != crate::model::TermKind::Triple
            })?,
        };
        let ids: Vec<TermId> = found.into_iter().collect();
        let mut names: Vec<String> = context
            .dataset
            .terms(&ids)?
            .into_iter()
            .filter_map(|term| match term {
                Term::NamedNode(node) if node != pg::NODE && node != pg::REIFIES => {
                    Some(context.vocabulary.name(node.as_str()))
                }
                _ => None,
            })
            .collect();
        names.sort();
        Ok(names.into_iter().map(|name| vec![Value::String(name)]).collect())
    }
}

fn is_resource(id: TermId) -> bool {
    matches!(id.kind(), crate::model::TermKind::NamedNode | crate::model::TermKind::BlankNode)
}

/// Returns the distinct ids of one place of the quads whose (predicate, object) pass.
fn distinct_column(
    context: &Context,
    graph: GraphFilter,
    predicate: Option<TermId>,
    place: usize,
    passes: impl Fn(TermId, TermId) -> bool,
) -> Result<BTreeSet<TermId>, ExecuteError> {
    let pattern = QuadPattern { predicate, graph, ..QuadPattern::default() };
    let mut reader = super::QuadReader::of_pattern(&pattern, false, context)?;
    let mut found = BTreeSet::new();
    while let Some(batch) = reader.next_quads()? {
        context.check()?;
        for row in 0..batch.rows() {
            if passes(batch.column(1)[row], batch.column(2)[row]) {
                found.insert(batch.column(place)[row]);
            }
        }
    }
    Ok(found)
}
