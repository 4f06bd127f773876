//! `PlanCache`: statements that were planned before, so that who asks again only runs them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use quick_cache::sync::Cache;

use super::{EngineError, Explain, Language, Request};
use crate::dataset::Dataset;
use crate::language::{cypher, sparql};
use crate::model::{Map, NamedNode, Vocabulary};
use crate::optimize::{optimize, wants_values};
use crate::plan::{
    self, Expression, GraphSelector, LogicalPlan, ParameterKind, Query, Schema, Session, Statement,
};

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

/// What a plan is looked up by; whether it still is right, [`Planned::is_for`] and [`Facts::hold`] tell.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    is_cypher: bool,
    text: String,
    default_graph: GraphSelector,
    named_graphs: Option<Vec<NamedNode>>,
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
    /// Another that was found to promise as much, last: to compare them costs more than many a query.
    agreeing: Mutex<Weak<Schema>>,
    has_named_graphs: bool,
    quads: u64,
}

impl Default for PlanCache {
    fn default() -> PlanCache {
        PlanCache { plans: Cache::new(PLANS_MAX) }
    }
}

impl PlanCache {
    /// Returns the plan of a request in SPARQL's query language or Cypher, `session` without facts; `None` if it writes
    /// and is not only to be explained.
    pub fn to_read(
        &self,
        request: &Request,
        session: &Session,
        dataset: &dyn Dataset,
    ) -> Result<Option<Arc<Planned>>, EngineError> {
        let key = Key::of(request, session);
        let kept = self.kept(&key, request, session);
        // Whether it writes does not hang on the data.
        if kept.as_ref().is_some_and(|planned| planned.writes()) {
            return Ok(None);
        }
        let planned = self.plan(key, kept, request, session, dataset)?;
        Ok((!planned.writes() || planned.explain.is_some()).then_some(planned))
    }

    /// As [`PlanCache::to_read`], of a request that may write.
    pub fn to_write(
        &self,
        request: &Request,
        session: &Session,
        dataset: &dyn Dataset,
    ) -> Result<Arc<Planned>, EngineError> {
        let key = Key::of(request, session);
        let kept = self.kept(&key, request, session);
        self.plan(key, kept, request, session, dataset)
    }

    /// Returns the plan that is kept for a request, whatever the data.
    fn kept(&self, key: &Key, request: &Request, session: &Session) -> Option<Arc<Planned>> {
        let planned = self.plans.get(key).filter(|_| request.explain.is_none())?;
        planned.is_for(request, session).then_some(planned)
    }

    /// Returns the plan that is kept, if its facts hold, or else makes one.
    fn plan(
        &self,
        key: Key,
        kept: Option<Arc<Planned>>,
        request: &Request,
        session: &Session,
        dataset: &dyn Dataset,
    ) -> Result<Arc<Planned>, EngineError> {
        if let Some(planned) = kept
            && planned.facts.as_ref().map_or(Ok(true), |facts| facts.hold(dataset))?
        {
            return Ok(planned);
        }
        let session = Session { schema: dataset.schema()?, ..session.clone() };
        let planned = Arc::new(Planned::new(request, &session, dataset)?);
        if planned.explain.is_none() && key.text.len() <= TEXT_BYTES_MAX && !planned.is_passing() {
            self.plans.insert(key, Arc::clone(&planned));
        }
        Ok(planned)
    }
}

impl Key {
    fn of(request: &Request, session: &Session) -> Key {
        Key {
            is_cypher: request.language == Language::Cypher,
            text: request.text.clone(),
            default_graph: session.default_graph.clone(),
            named_graphs: session.named_graphs.clone(),
        }
    }
}

impl Planned {
    fn new(request: &Request, session: &Session, dataset: &dyn Dataset) -> Result<Planned, EngineError> {
        let Compiled { query, explain, default_graph } = compile(request, session)?;
        debug_assert_eq!(plan::validate(&query), Ok(()));
        let logical_plan = explain.map(|_| plan::explain(&query));
        let facts = reads_graph(&query.root).then(|| Facts {
            schema: session.schema.clone(),
            agreeing: Mutex::default(),
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

    /// Returns whether it was made where nothing is promised, as in a transaction that has written: it should not take
    /// the place of a better one.
    fn is_passing(&self) -> bool {
        self.facts.as_ref().is_some_and(|facts| facts.schema.predicates.is_empty())
    }

    /// Returns whether it is right for a request as long as its facts hold.
    fn is_for(&self, request: &Request, session: &Session) -> bool {
        let given = &request.parameters;
        self.kinds.iter().all(|(name, kind)| {
            given.get(name).is_some_and(|value| match self.fixed.get(name) {
                Some(fixed) => value == fixed,
                None => ParameterKind::of(value) == *kind,
            })
        }) && self.vocabulary == session.vocabulary
    }
}

impl Facts {
    fn hold(&self, dataset: &dyn Dataset) -> Result<bool, EngineError> {
        let schema = dataset.schema()?;
        let agreeing = || self.agreeing.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&self.schema, &schema) || std::ptr::eq(agreeing().as_ptr(), Arc::as_ptr(&schema)) {
            return Ok(true);
        }
        let statistics = dataset.statistics();
        let (less, more) = (self.quads.min(statistics.quads), self.quads.max(statistics.quads));
        let hold = more / GROWTH_MAX <= less
            && self.has_named_graphs == (statistics.named_graphs > 0)
            && schema.predicates.len() + schema.classes.len() <= FACTS_MAX
            && self.schema.promises_like(&schema);
        if hold {
            *agreeing() = Arc::downgrade(&schema);
        }
        Ok(hold)
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

/// Returns whether a plan, or one in its expressions, scans anything.
fn reads_graph(plan: &LogicalPlan) -> bool {
    use LogicalPlan::*;
    let has_plan = |expression: &Expression| expression.any(&|part| matches!(part, Expression::Exists(_)));
    matches!(plan, QuadScan(_) | EdgeScan(_) | Path(_) | MultiwayJoin(_) | Repeat(_))
        || plan.expressions().into_iter().any(has_plan)
        || plan.inputs().into_iter().any(reads_graph)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Answer, Engine};
    use crate::model::Value;

    fn ask(engine: &Engine, text: &str, parameters: &[(&str, Value)]) -> Vec<Vec<Value>> {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let request = Request { parameters, may_write: true, ..Request::new(Language::Cypher, text, 0) };
        let Answer::Rows(mut rows) = engine.run(&request).unwrap().answer else { unreachable!() };
        let mut all = Vec::new();
        while let Some(some) = rows.next_values().unwrap() {
            all.extend(some);
        }
        all
    }

    fn kept(engine: &Engine) -> usize {
        engine.hosted(None).unwrap().plans.plans.len()
    }

    const NAMED: &str = "MATCH (n:A {key: $key}) RETURN n.name AS name ORDER BY name";

    #[test]
    fn one_plan_serves_all_values_of_a_kind() {
        let engine = Engine::with_workspace();
        ask(&engine, "UNWIND range(0, 99) AS k CREATE (:A {key: k, name: 'n' + k})", &[]);
        let before = kept(&engine);
        for key in [7, 99, 0, -1, 1 << 40] {
            let expected = if (0..100).contains(&key) {
                vec![vec![Value::String(format!("n{key}"))]]
            } else {
                Vec::new()
            };
            assert_eq!(ask(&engine, NAMED, &[("key", Value::Integer(key))]), expected);
        }
        assert_eq!(kept(&engine), before + 1);
        assert!(ask(&engine, NAMED, &[("key", Value::String("7".to_owned()))]).is_empty());
        assert!(ask(&engine, NAMED, &[("key", Value::Null)]).is_empty());
        assert_eq!(ask(&engine, NAMED, &[("key", Value::Float(7.0))]).len(), 1);
        assert_eq!(ask(&engine, NAMED, &[("key", Value::Integer(7))]).len(), 1);
    }

    #[test]
    fn what_a_write_disproves_is_planned_anew() {
        let engine = Engine::with_workspace();
        ask(&engine, "CREATE (:A {key: 7, name: 'integer'})", &[]);
        let seven = [("key", Value::Integer(7))];
        assert_eq!(ask(&engine, NAMED, &seven).len(), 1);
        // Its one pattern stands in an expression.
        let exists = "PREFIX : <https://reefloom.org/data#>
            ASK { FILTER EXISTS { ?n :key ?key ; :name 'float' FILTER(?key = 7) } }";
        let exists = || engine.run(&Request::new(Language::SparqlQuery, exists, 0)).unwrap().answer;
        assert!(matches!(exists(), Answer::Boolean(false)));
        // Until now whole numbers were looked up as such alone.
        ask(&engine, "CREATE (:A {key: 7.0, name: 'float'})", &[]);
        assert_eq!(ask(&engine, NAMED, &seven).len(), 2);
        assert!(matches!(exists(), Answer::Boolean(true)));
        let nodes = "MATCH (a)-[:R]->(b) RETURN b.name";
        assert!(ask(&engine, nodes, &[]).is_empty());
        ask(&engine, "MATCH (a:A), (b:A) WHERE a.name < b.name CREATE (a)-[:R]->(b)", &[]);
        assert_eq!(ask(&engine, nodes, &[]).len(), 1);
    }

    #[test]
    fn limits_and_strings_are_those_of_the_request() {
        let engine = Engine::with_workspace();
        ask(&engine, "UNWIND ['a', 'b', 'c'] AS n CREATE (:A {key: n, name: n})", &[]);
        for limit in [1, 3, 0, 2] {
            let rows = ask(&engine, "MATCH (n:A) RETURN n LIMIT $limit", &[("limit", Value::Integer(limit))]);
            assert_eq!(rows.len() as i64, limit);
        }
        for name in ["a", "c", "b"] {
            let name = Value::String(name.to_owned());
            assert_eq!(ask(&engine, NAMED, &[("key", name.clone())]), [[name]]);
        }
        let list =
            |names: &[&str]| Value::List(names.iter().map(|n| Value::String((*n).to_owned())).collect());
        for names in [&["a", "b"][..], &["c"], &[]] {
            let rows = ask(&engine, "MATCH (n:A) WHERE n.name IN $names RETURN n", &[("names", list(names))]);
            assert_eq!(rows.len(), names.len());
        }
    }

    #[test]
    fn alternatives_that_a_request_brings_are_looked_up() {
        let engine = Engine::with_workspace();
        ask(&engine, "UNWIND range(0, 99) AS k CREATE (:A {key: k, name: 'n' + k})", &[]);
        let parameters = [("a", 3), ("b", 50)].map(|(name, key)| (name.to_owned(), Value::Integer(key)));
        for condition in ["n.key = $a OR n.key = $b", "n.key IN [$a, $b]", "$b = n.key OR n.key = $a"] {
            let text = format!("MATCH (n:A) WHERE {condition} RETURN n.name AS name ORDER BY name");
            let rows = ask(&engine, &text, &parameters.each_ref().map(|(k, v)| (k.as_str(), v.clone())));
            assert_eq!(rows, ["n3", "n50"].map(|name| vec![Value::String(name.to_owned())]));
            let parameters = parameters.clone().into_iter().collect();
            let request =
                Request { parameters, ..Request::new(Language::Cypher, format!("EXPLAIN {text}"), 0) };
            let Answer::Explanation(plan) = engine.run(&request).unwrap().answer else { unreachable!() };
            let plan = plan.to_string();
            assert!(plan.contains("Values") && plan.contains("(2 rows)"), "{plan}");
        }
    }

    #[test]
    fn writes_are_planned_once_and_see_their_values() {
        let engine = Engine::with_workspace();
        let create = "CREATE (n:A {key: $key}) SET n.name = $name";
        for (key, name) in [(1, "x"), (2, "y"), (3, "z")] {
            ask(&engine, create, &[("key", Value::Integer(key)), ("name", Value::String(name.to_owned()))]);
        }
        let merge = "MERGE (n:A {key: $key}) ON MATCH SET n.name = 'met' ON CREATE SET n.name = 'new'";
        ask(&engine, merge, &[("key", Value::Integer(2))]);
        ask(&engine, merge, &[("key", Value::Integer(4))]);
        let rows = ask(&engine, "MATCH (n:A) RETURN n.key, n.name ORDER BY n.key", &[]);
        let names: Vec<&Value> = rows.iter().map(|row| &row[1]).collect();
        let expected = ["x", "met", "z", "new"].map(|name| Value::String(name.to_owned()));
        assert_eq!(names, expected.iter().collect::<Vec<_>>());
    }
}
