//! The procedures that every query may call. What they take and yield the language knows by itself, to
//! check a text without running it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{GraphScope, QuadReader};
use crate::execute::context::Procedure;
use crate::execute::{Context, ExecuteError};
use crate::model::{GraphFilter, QuadPattern, Term, TermId, TermKind, Value, pg, rdf};

/// The version of Neo4j whose features clients may count on.
const COMPATIBLE_VERSION: &str = "5.26.0";

/// Returns a procedure by its name, in any case.
pub fn built_in(name: &str) -> Option<Arc<dyn Procedure>> {
    Some(match name.to_ascii_lowercase().as_str() {
        "db.labels" => Arc::new(Names::Labels),
        "db.relationshiptypes" => Arc::new(Names::RelationshipTypes),
        "db.propertykeys" => Arc::new(Names::PropertyKeys),
        "dbms.components" => Arc::new(Components),
        _ => return None,
    })
}

/// What the server is made of: first what clients ask for to learn what it can do, then what it is.
struct Components;

impl Procedure for Components {
    fn fields(&self) -> Vec<String> {
        ["name", "versions", "edition"].map(str::to_owned).to_vec()
    }

    fn call(&self, _: &[Value], _: &Context) -> Result<Vec<Vec<Value>>, ExecuteError> {
        let component = |name: &str, version: &str| {
            let versions = Value::List(vec![Value::String(version.to_owned())]);
            vec![Value::String(name.to_owned()), versions, Value::String("community".to_owned())]
        };
        let kernel = component("Neo4j Kernel", COMPATIBLE_VERSION);
        Ok(vec![kernel, component("Reefloom", env!("CARGO_PKG_VERSION"))])
    }
}

/// Procedures that tell what names a graph uses.
#[derive(Clone, Copy)]
enum Names {
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
                !is_resource(object) && object.kind() != TermKind::Triple
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
    matches!(id.kind(), TermKind::NamedNode | TermKind::BlankNode)
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
    let mut reader = QuadReader::of_pattern(&pattern, false, context)?;
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
