//! Procedures that tell what names a graph uses.

use std::collections::BTreeSet;

use super::super::{GraphScope, QuadReader};
use crate::execute::context::Procedure;
use crate::execute::{Context, ExecuteError};
use crate::model::{GraphFilter, NamedNode, QuadPattern, Term, TermId, TermKind, Value, pg, rdf};
use crate::plan::{PredicateInfo, Schema};

#[derive(Clone, Copy)]
pub enum Names {
    Labels,
    RelationshipTypes,
    PropertyKeys,
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
        let scope = GraphScope::resolve(&context.default_graph, context)?;
        let Some(filter) = scope.filter else { return Ok(Vec::new()) };
        let schema = context.dataset.schema()?;
        let found = match schema.is_complete && is_whole(&filter, context)? {
            true => self.of_schema(&schema, &filter, context)?,
            false => self.of_quads(filter, context)?,
        };
        let is_name = |node: &NamedNode| *node != pg::NODE && *node != pg::REIFIES;
        let mut names: Vec<String> =
            found.into_iter().filter(is_name).map(|node| context.vocabulary.name(node.as_str())).collect();
        names.sort();
        Ok(names.into_iter().map(|name| vec![Value::String(name)]).collect())
    }
}

impl Names {
    /// Reads the names off what is known of the whole dataset.
    fn of_schema(
        self,
        schema: &Schema,
        graph: &GraphFilter,
        context: &Context,
    ) -> Result<Vec<NamedNode>, ExecuteError> {
        if let Names::Labels = self {
            return Ok(schema.classes.keys().cloned().collect());
        }
        let mut found = Vec::new();
        for (name, info) in &schema.predicates {
            if info.quads > 0 && (self.may_be(name, info)) && self.is(name, info, graph, context)? {
                found.push(name.clone());
            }
        }
        Ok(found)
    }

    fn may_be(self, name: &NamedNode, info: &PredicateInfo) -> bool {
        match self {
            Names::PropertyKeys => info.has_literal_objects,
            _ => info.has_node_objects && *name != rdf::TYPE,
        }
    }

    /// Returns whether a predicate is such a name indeed: a schema that tells of nodes and of literals may
    /// still tell of those that have gone.
    fn is(
        self,
        name: &NamedNode,
        info: &PredicateInfo,
        graph: &GraphFilter,
        context: &Context,
    ) -> Result<bool, ExecuteError> {
        if !(info.has_node_objects && info.has_literal_objects) {
            return Ok(true);
        }
        let predicate = context.dataset.term_id(&name.clone().into())?;
        let wanted = |_, object| self.fits(object);
        Ok(!distinct_column(context, graph.clone(), predicate, 1, wanted, 1)?.is_empty())
    }

    fn fits(self, object: TermId) -> bool {
        match self {
            Names::PropertyKeys => !is_resource(object) && object.kind() != TermKind::Triple,
            _ => is_resource(object),
        }
    }

    fn of_quads(self, filter: GraphFilter, context: &Context) -> Result<Vec<NamedNode>, ExecuteError> {
        let rdf_type = context.dataset.term_id(&Term::NamedNode(rdf::TYPE.into_owned()))?;
        let all = usize::MAX;
        let found = match (self, rdf_type) {
            (Names::Labels, Some(_)) => distinct_column(context, filter, rdf_type, 2, |_, _| true, all)?,
            (Names::Labels, None) => BTreeSet::new(),
            _ => distinct_column(
                context,
                filter,
                None,
                1,
                |predicate, object| Some(predicate) != rdf_type && self.fits(object),
                all,
            )?,
        };
        let ids: Vec<TermId> = found.into_iter().collect();
        let terms = context.dataset.terms(&ids)?;
        Ok(terms
            .into_iter()
            .filter_map(|term| match term {
                Term::NamedNode(node) => Some(node),
                _ => None,
            })
            .collect())
    }
}

/// Returns whether the graphs are all that hold anything.
fn is_whole(filter: &GraphFilter, context: &Context) -> Result<bool, ExecuteError> {
    Ok(match filter {
        GraphFilter::All => true,
        GraphFilter::One(graph) if graph.is_undefined() => context.dataset.named_graphs()?.is_empty(),
        _ => false,
    })
}

fn is_resource(id: TermId) -> bool {
    matches!(id.kind(), TermKind::NamedNode | TermKind::BlankNode)
}

/// Returns the distinct ids of one place of the quads whose (predicate, object) pass: so many, or all.
fn distinct_column(
    context: &Context,
    graph: GraphFilter,
    predicate: Option<TermId>,
    place: usize,
    passes: impl Fn(TermId, TermId) -> bool,
    wanted: usize,
) -> Result<BTreeSet<TermId>, ExecuteError> {
    let pattern = QuadPattern { predicate, graph, ..QuadPattern::default() };
    let mut reader = QuadReader::of_pattern(&pattern, false, context)?;
    let mut found = BTreeSet::new();
    while let Some(batch) = reader.next_quads()? {
        context.check()?;
        for row in 0..batch.rows() {
            if passes(batch.column(1)[row], batch.column(2)[row]) {
                found.insert(batch.column(place)[row]);
            }
        }
        if found.len() >= wanted {
            break;
        }
    }
    Ok(found)
}
