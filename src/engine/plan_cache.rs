//! `PlanCache`: statements that were planned before, so that who asks again only runs them.

use std::collections::BTreeSet;
use std::sync::Arc;

use quick_cache::sync::Cache;

use super::{EngineError, Explain, Language, Request};
use crate::dataset::Dataset;
use crate::language::{cypher, sparql};
use crate::model::{Map, NamedNode, Vocabulary};
use crate::optimize::{optimize, wants_values};
use crate::plan::{self, GraphSelector, LogicalPlan, ParameterKind, Query, Schema, Session, Statement};

const PLANS_MAX: usize = 512;
/// A longer text is not kept.
const TEXT_BYTES_MAX: usize = 64 << 10;
/// Facts about more predicates are not compared one by one: to plan again is cheaper.
const FACTS_MAX: usize = 2000;
/// A plan is made anew where there are so many times as many quads, or as few, as it was made for.
const GROWTH_MAX: u64 = 2;

/// The plans of one workspace that were asked for last.
pub(super) struct PlanCache {
    plans: Cache<Key, Arc<Planned>>,
}

/// What a plan is looked up by; whether it still is right, [`Planned::is_for`] tells.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    is_cypher: bool,
    text: String,
    default_graph: GraphSelector,
    named_graphs: Option<Vec<NamedNode>>,
    /// A transaction that has written promises nothing; its plans would push the others out.
    has_facts: bool,
}

/// A query or Cypher statement, optimised for all requests that differ in the values of some parameters only.
pub(super) struct Planned {
    query: Query,
    /// The graph that it reads and writes, where it names no other.
    pub default_graph: GraphSelector,
    pub explain: Option<Explain>,
    /// The plan before optimisation, if it is to be told.
    pub logical_plan: Option<String>,
    /// What it was made for.
    vocabulary: Vocabulary,
    facts: Option<Facts>,
    kinds: Vec<(String, Option<ParameterKind>)>,
    /// The values that it is right for alone.
    fixed: Map,
}

/// What of a dataset a plan rests on.
struct Facts {
    schema: Arc<Schema>,
    has_named_graphs: bool,
    quads: u64,
}

impl Default for PlanCache {
    fn default() -> PlanCache {
        PlanCache { plans: Cache::new(PLANS_MAX) }
    }
}

impl PlanCache {
    /// Returns the plan of a request in SPARQL's query language or Cypher; `session` without facts.
    pub fn plan(
        &self,
        request: &Request,
        session: &Session,
        dataset: &dyn Dataset,
    ) -> Result<Arc<Planned>, EngineError> {
        let schema = dataset.schema()?;
        let key = Key {
            is_cypher: request.language == Language::Cypher,
            text: request.text.clone(),
            default_graph: session.default_graph.clone(),
            named_graphs: session.named_graphs.clone(),
            has_facts: !schema.predicates.is_empty(),
        };
        if request.explain.is_none()
            && let Some(planned) = self.plans.get(&key)
            && planned.is_for(request, session, dataset, &schema)
        {
            return Ok(planned);
        }
        let session = Session { schema, ..session.clone() };
        let planned = Arc::new(Planned::new(request, &session, dataset)?);
        if planned.explain.is_none() && key.text.len() <= TEXT_BYTES_MAX {
            self.plans.insert(key, Arc::clone(&planned));
        }
        Ok(planned)
    }
}

impl Planned {
    fn new(request: &Request, session: &Session, dataset: &dyn Dataset) -> Result<Planned, EngineError> {
        let Compiled { query, explain, default_graph } = compile(request, session)?;
        debug_assert_eq!(plan::validate(&query), Ok(()));
        let logical_plan = explain.map(|_| plan::explain(&query));
        let facts = reads_graph(&query.root).then(|| Facts {
            schema: session.schema.clone(),
            has_named_graphs: dataset.statistics().named_graphs > 0,
            quads: dataset.statistics().quads,
        });
        let (query, fixed) = optimize_for_all(query, &request.parameters, dataset)?;
        let kinds = request.parameters.iter();
        Ok(Planned {
            query,
            default_graph,
            explain,
            logical_plan,
            vocabulary: session.vocabulary.clone(),
            facts,
            kinds: kinds.map(|(name, value)| (name.clone(), ParameterKind::of(value))).collect(),
            fixed,
        })
    }

    pub fn writes(&self) -> bool {
        self.query.writes
    }

    /// Returns the query with the values of a request.
    pub fn bind(&self, parameters: &Map) -> Query {
        let mut query = self.query.clone();
        if !parameters.is_empty() {
            query.root.bind(parameters);
        }
        query
    }

    /// Returns whether planning this request would come to a plan with the same rows.
    fn is_for(
        &self,
        request: &Request,
        session: &Session,
        dataset: &dyn Dataset,
        schema: &Arc<Schema>,
    ) -> bool {
        let given = &request.parameters;
        self.kinds.iter().all(|(name, kind)| {
            given.get(name).is_some_and(|value| match self.fixed.get(name) {
                Some(fixed) => value == fixed,
                None => ParameterKind::of(value) == *kind,
            })
        }) && self.vocabulary == session.vocabulary
            && self.facts.as_ref().is_none_or(|facts| facts.hold(dataset, schema))
    }
}

impl Facts {
    fn hold(&self, dataset: &dyn Dataset, schema: &Arc<Schema>) -> bool {
        if Arc::ptr_eq(&self.schema, schema) {
            return true;
        }
        let statistics = dataset.statistics();
        let (less, more) = (self.quads.min(statistics.quads), self.quads.max(statistics.quads));
        more / GROWTH_MAX <= less
            && self.has_named_graphs == (statistics.named_graphs > 0)
            && schema.predicates.len() + schema.classes.len() <= FACTS_MAX
            && self.schema.promises_like(schema)
    }
}

/// Optimises a query for all values of its parameters, and returns those that it is bound to all the same.
fn optimize_for_all(
    query: Query,
    parameters: &Map,
    dataset: &dyn Dataset,
) -> Result<(Query, Map), EngineError> {
    if parameters.is_empty() {
        return Ok((optimize(query, dataset)?, Map::new()));
    }
    let mut open = query.clone();
    let fixed: BTreeSet<String> = open.root.sample(parameters);
    let optimized = optimize(open, dataset)?;
    if wants_values(&optimized.root) {
        let mut query = query;
        query.root.bind(parameters);
        return Ok((optimize(query, dataset)?, parameters.clone()));
    }
    let is_fixed = |(name, _): &(&String, _)| fixed.contains(*name);
    let fixed = parameters.iter().filter(is_fixed).map(|(name, value)| (name.clone(), value.clone()));
    Ok((optimized, fixed.collect()))
}

/// A statement, ready to be optimised.
struct Compiled {
    query: Query,
    explain: Option<Explain>,
    default_graph: GraphSelector,
}

fn compile(request: &Request, session: &Session) -> Result<Compiled, EngineError> {
    let syntax = |error| EngineError::syntax(error, &request.text);
    if request.language != Language::Cypher {
        let base = Some(session.vocabulary.base.as_str());
        let query = sparql::parse_query(&request.text, session, base).map_err(syntax)?;
        let default_graph = session.default_graph.clone();
        return Ok(Compiled { query, explain: request.explain, default_graph });
    }
    let compiled = cypher::compile(&request.text, session, &request.parameters).map_err(syntax)?;
    let Statement::Query(query) = compiled.statement else {
        return Err(EngineError::Invalid("a Cypher statement is a query".to_owned()));
    };
    let explain = request.explain.or(match compiled.mode {
        cypher::Mode::Run => None,
        cypher::Mode::Explain => Some(Explain::Plan),
        cypher::Mode::Profile => Some(Explain::Profile),
    });
    Ok(Compiled { query, explain, default_graph: compiled.graph })
}

/// Returns whether a plan scans anything.
fn reads_graph(plan: &LogicalPlan) -> bool {
    let is_scan = |plan: &LogicalPlan| {
        use LogicalPlan::*;
        matches!(plan, QuadScan(_) | EdgeScan(_) | Path(_) | MultiwayJoin(_) | Repeat(_))
    };
    is_scan(plan) || plan.inputs().into_iter().any(reads_graph)
}
