//! `Changes`: the changes of a Modify or Merge, compiled for rows of one layout.

use std::collections::BTreeMap;

use super::expression::{self, Compiled};
use super::writer::{Writer, triple_of};
use super::{Context, ExecuteError, Layout, Local, RuntimeCode};
use crate::batch::Batch;
use crate::model::{BlankNode, GraphFilter, GraphName, Quad, QuadPattern, Term, TermId, TermKind, Triple};
use crate::plan::{
    Change, Expression, Function, GraphSelector, GraphTarget, GraphTemplate, QuadTemplate, TermTemplate,
    Variable,
};

pub struct Changes {
    /// The input's columns, then those that the changes bind.
    layout: Layout,
    /// `layout`, then the variables that only the changes themselves see.
    inner: Layout,
    steps: Vec<Step>,
}

enum Step {
    Insert(QuadTemplate),
    Delete(QuadTemplate),
    CreateNode { column: usize, labels: Vec<String>, properties: Option<Compiled> },
    CreateEdge { column: usize, start: Compiled, name: String, end: Compiled, properties: Option<Compiled> },
    SetProperty { entity: Compiled, key: String, value: Compiled },
    SetProperties { entity: Compiled, map: Compiled, replace: bool },
    SetLabels { node: Compiled, labels: Vec<String> },
    SetDynamicLabels { node: Compiled, labels: Compiled },
    RemoveLabels { node: Compiled, labels: Vec<String> },
    DeleteEntity { entity: Compiled, detach: bool },
    ForEach { column: usize, list: Compiled, steps: Vec<Step> },
    Other(Change),
}

impl Changes {
    /// Compiles changes for rows of `input`.
    pub fn compile(changes: &[Change], input: &Layout, context: &Context) -> Result<Changes, ExecuteError> {
        let mut layout = input.clone();
        for variable in changes.iter().filter_map(bound) {
            if !layout.contains(variable) {
                layout.push(variable, true);
            }
        }
        let mut inner = layout.clone();
        changes.iter().for_each(|change| add_locals(change, &mut inner));
        let steps =
            changes.iter().map(|change| compile(change, &inner, context)).collect::<Result<_, _>>()?;
        Ok(Changes { layout, inner, steps })
    }

    /// The columns of changed rows.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Applies the changes to a row, which grows by what they bind.
    pub fn apply(
        &self,
        row: &mut Vec<TermId>,
        writer: &mut Writer,
        context: &Context,
    ) -> Result<(), ExecuteError> {
        if self.steps.is_empty() {
            row.resize(self.inner.width(), TermId::UNDEFINED);
            return Ok(());
        }
        row.resize(self.inner.width(), TermId::UNDEFINED);
        let mut blanks = BTreeMap::new();
        for step in &self.steps {
            self.step(step, row, &mut blanks, writer, context)?;
        }
        writer.end_row()
    }

    fn step(
        &self,
        step: &Step,
        row: &mut Vec<TermId>,
        blanks: &mut BTreeMap<String, BlankNode>,
        writer: &mut Writer,
        context: &Context,
    ) -> Result<(), ExecuteError> {
        let value = |expression: &Compiled, row: &[TermId]| evaluate(expression, row, context);
        let entries = |expression: &Option<Compiled>, row: &[TermId]| match expression {
            Some(expression) => map_entries(evaluate(expression, row, context)?, context),
            None => Ok(Vec::new()),
        };
        match step {
            Step::Insert(template) => {
                if let Some(quad) = instantiate(template, &self.inner, row, blanks, writer, context)? {
                    writer.insert(quad)?;
                }
            }
            Step::Delete(template) => {
                if let Some(quad) = instantiate(template, &self.inner, row, blanks, writer, context)? {
                    writer.remove(quad)?;
                }
            }
            Step::CreateNode { column, labels, properties } => {
                row[*column] = writer.create_node(labels, &entries(properties, row)?)?;
            }
            Step::CreateEdge { column, start, name, end, properties } => {
                let (start, end) = (value(start, row)?, value(end, row)?);
                row[*column] = writer.create_edge(start, name, end, &entries(properties, row)?)?;
            }
            Step::SetProperty { entity, key, value: expression } => {
                let entity = value(entity, row)?;
                if !entity.is_undefined() {
                    writer.set_entity_property(entity, key, value(expression, row)?)?;
                }
            }
            Step::SetProperties { entity, map, replace } => {
                let entity = value(entity, row)?;
                if !entity.is_undefined() {
                    let map = map_entries(value(map, row)?, context)?;
                    writer.set_entity_properties(entity, &map, *replace)?;
                }
            }
            Step::SetLabels { node, labels } => {
                let node = value(node, row)?;
                if !node.is_undefined() {
                    writer.set_labels(node, labels)?;
                }
            }
            Step::SetDynamicLabels { node, labels } => {
                let (node, labels) = (value(node, row)?, value(labels, row)?);
                if !node.is_undefined() {
                    writer.set_labels(node, &expression::names(labels, "labels", context)?)?;
                }
            }
            Step::RemoveLabels { node, labels } => {
                let node = value(node, row)?;
                if !node.is_undefined() {
                    writer.remove_labels(node, labels)?;
                }
            }
            Step::DeleteEntity { entity, detach } => {
                let entity = value(entity, row)?;
                if !entity.is_undefined() {
                    writer.delete(entity, *detach)?;
                }
            }
            Step::ForEach { column, list, steps } => {
                let list = value(list, row)?;
                for item in expression::elements(list, context)? {
                    row[*column] = item;
                    for step in steps {
                        self.step(step, row, blanks, writer, context)?;
                    }
                    writer.end_row()?;
                }
            }
            Step::Other(change) => apply_to_graphs(change, writer, context)?,
        }
        Ok(())
    }
}

fn evaluate(expression: &Compiled, row: &[TermId], context: &Context) -> Result<TermId, ExecuteError> {
    let batch = Batch::new(row.iter().map(|id| vec![*id]).collect(), 1);
    Ok(expression.evaluate(&batch, context)?.first().copied().unwrap_or(TermId::UNDEFINED))
}

/// Returns the entries of a map; none of an undefined one.
fn map_entries(id: TermId, context: &Context) -> Result<Vec<(String, TermId)>, ExecuteError> {
    if id.is_undefined() {
        return Ok(Vec::new());
    }
    match context.values.get(id).as_deref() {
        Some(Local::Map(entries)) => Ok(entries.clone()),
        _ => Err(ExecuteError::runtime(
            RuntimeCode::TypeError,
            "InvalidArgumentType",
            "properties must be given as a map",
        )),
    }
}

fn bound(change: &Change) -> Option<Variable> {
    match change {
        Change::CreateNode { node, .. } => Some(*node),
        Change::CreateEdge { edge, .. } => Some(*edge),
        _ => None,
    }
}

/// Adds what FOREACH binds for its own changes.
fn add_locals(change: &Change, layout: &mut Layout) {
    if let Change::ForEach { variable, changes, .. } = change {
        for local in std::iter::once(*variable).chain(changes.iter().filter_map(bound)) {
            if !layout.contains(local) {
                layout.push(local, false);
            }
        }
        changes.iter().for_each(|change| add_locals(change, layout));
    }
}

fn compile(change: &Change, layout: &Layout, context: &Context) -> Result<Step, ExecuteError> {
    let expression = |expression: &Expression| expression::compile(expression, layout, context);
    let optional = |it: &Option<Expression>| it.as_ref().map(&expression).transpose();
    let column = |variable: &Variable| layout.column(*variable).expect("the layout has what changes bind");
    Ok(match change {
        Change::Insert(template) => Step::Insert(template.clone()),
        Change::Delete(template) => Step::Delete(template.clone()),
        Change::CreateNode { node, labels, properties } => Step::CreateNode {
            column: column(node),
            labels: labels.clone(),
            properties: optional(properties)?,
        },
        Change::CreateEdge { edge, start, name, end, properties } => Step::CreateEdge {
            column: column(edge),
            start: expression(start)?,
            name: name.clone(),
            end: expression(end)?,
            properties: optional(properties)?,
        },
        Change::SetProperty { entity, key, value } => {
            Step::SetProperty { entity: expression(entity)?, key: key.clone(), value: expression(value)? }
        }
        Change::SetProperties { entity, map, replace } => {
            // The map may be another entity.
            let map = Expression::call(Function::Properties, [map.clone()]);
            Step::SetProperties { entity: expression(entity)?, map: expression(&map)?, replace: *replace }
        }
        Change::SetLabels { node, labels } => {
            Step::SetLabels { node: expression(node)?, labels: labels.clone() }
        }
        Change::SetDynamicLabels { node, labels } => {
            Step::SetDynamicLabels { node: expression(node)?, labels: expression(labels)? }
        }
        Change::RemoveLabels { node, labels } => {
            Step::RemoveLabels { node: expression(node)?, labels: labels.clone() }
        }
        Change::DeleteEntity { entity, detach } => {
            Step::DeleteEntity { entity: expression(entity)?, detach: *detach }
        }
        Change::ForEach { variable, list, changes } => Step::ForEach {
            column: column(variable),
            list: expression(list)?,
            steps: changes.iter().map(|inner| compile(inner, layout, context)).collect::<Result<_, _>>()?,
        },
        Change::Clear { .. } | Change::CreateGraph { .. } | Change::Load { .. } => {
            Step::Other(change.clone())
        }
    })
}

/// Fills the holes of a quad template; `None` if a part is undefined or not allowed in its place.
pub fn instantiate(
    template: &QuadTemplate,
    layout: &Layout,
    row: &[TermId],
    blanks: &mut BTreeMap<String, BlankNode>,
    writer: &Writer,
    context: &Context,
) -> Result<Option<Quad>, ExecuteError> {
    let mut part = |template: &TermTemplate| -> Result<Option<TermId>, ExecuteError> {
        // Most parts are ids that the dataset knows already.
        if let TermTemplate::Variable(variable) = template
            && let Some(column) = layout.column(*variable)
            && (row[column].is_inline() || row[column].as_dictionary().is_some())
        {
            return Ok(Some(row[column]));
        }
        match fill(template, layout, row, blanks, context)? {
            Some(term) => writer.intern(&term).map(Some),
            None => Ok(None),
        }
    };
    let (Some(subject), Some(predicate), Some(object)) =
        (part(&template.subject)?, part(&template.predicate)?, part(&template.object)?)
    else {
        return Ok(None);
    };
    let graph = match &template.graph {
        GraphTemplate::Default => TermId::UNDEFINED,
        GraphTemplate::Named(name) => writer.intern(&name.clone().into())?,
        GraphTemplate::Variable(variable) => match part(&TermTemplate::Variable(*variable))? {
            Some(graph) if is_resource(graph) => graph,
            _ => return Ok(None),
        },
    };
    let is_well_formed = is_resource(subject) && predicate.kind() == TermKind::NamedNode;
    Ok(is_well_formed.then_some(Quad { subject, predicate, object, graph }))
}

/// Returns the term of a template, `None` if it has none for this row.
pub fn fill(
    template: &TermTemplate,
    layout: &Layout,
    row: &[TermId],
    blanks: &mut BTreeMap<String, BlankNode>,
    context: &Context,
) -> Result<Option<Term>, ExecuteError> {
    Ok(match template {
        TermTemplate::Constant(term) => Some(term.clone()),
        TermTemplate::Variable(variable) => match layout.column(*variable).map(|column| row[column]) {
            Some(id) if !id.is_undefined() => context.values.term(id, context.dataset.as_ref())?,
            _ => None,
        },
        TermTemplate::BlankNode(label) => Some(blanks.entry(label.clone()).or_default().clone().into()),
        TermTemplate::Triple(parts) => {
            let [subject, predicate, object] = &**parts;
            let subject = fill(subject, layout, row, blanks, context)?;
            let predicate = fill(predicate, layout, row, blanks, context)?;
            let object = fill(object, layout, row, blanks, context)?;
            match (subject, predicate, object) {
                (Some(subject), Some(Term::NamedNode(predicate)), Some(object)) => {
                    triple_of(subject, predicate, object).map(|triple: Triple| triple.into())
                }
                _ => None,
            }
        }
    })
}

fn is_resource(id: TermId) -> bool {
    matches!(id.kind(), TermKind::NamedNode | TermKind::BlankNode)
}

/// Applies a change that names graphs, not rows.
fn apply_to_graphs(change: &Change, writer: &mut Writer, context: &Context) -> Result<(), ExecuteError> {
    match change {
        Change::Clear { target, .. } => {
            let graph = match target {
                GraphTarget::Default => GraphFilter::One(TermId::UNDEFINED),
                GraphTarget::Named(name) => GraphFilter::One(writer.intern(&name.clone().into())?),
                GraphTarget::AllNamed => GraphFilter::Named,
                GraphTarget::All => GraphFilter::All,
            };
            for quad in writer.matching(&QuadPattern { graph, ..QuadPattern::default() })? {
                writer.remove(quad)?;
            }
            Ok(())
        }
        Change::CreateGraph { graph, silent } => {
            let id = writer.intern(&graph.clone().into())?;
            let pattern = QuadPattern { graph: GraphFilter::One(id), ..QuadPattern::default() };
            if !silent && !writer.matching(&pattern)?.is_empty() {
                let message = format!("graph {graph} exists already");
                return Err(ExecuteError::runtime(RuntimeCode::ArgumentError, "GraphExists", message));
            }
            Ok(())
        }
        Change::Load { source, destination, silent } => {
            let loaded = match &context.loader {
                Some(loader) => loader.load(source),
                None => Err("this node loads no documents".to_owned()),
            };
            match loaded {
                Ok(quads) => quads.iter().try_for_each(|quad| insert_loaded(quad, destination, writer)),
                Err(_) if *silent => Ok(()),
                Err(message) => Err(ExecuteError::Load { source_iri: source.as_str().to_owned(), message }),
            }
        }
        other => Err(ExecuteError::Plan(format!("{other:?} is no change of graphs"))),
    }
}

fn insert_loaded(
    quad: &oxrdf::Quad,
    destination: &GraphSelector,
    writer: &mut Writer,
) -> Result<(), ExecuteError> {
    let graph = match (destination, &quad.graph_name) {
        (GraphSelector::Named(name), _) => writer.intern(&name.clone().into())?,
        (_, GraphName::DefaultGraph) => TermId::UNDEFINED,
        (_, GraphName::NamedNode(name)) => writer.intern(&name.clone().into())?,
        (_, GraphName::BlankNode(name)) => writer.intern(&name.clone().into())?,
    };
    let subject = writer.intern(&quad.subject.clone().into())?;
    let predicate = writer.intern(&quad.predicate.clone().into())?;
    let object = writer.intern(&quad.object)?;
    writer.insert(Quad { subject, predicate, object, graph })?;
    Ok(())
}
