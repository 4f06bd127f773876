//! SPARQL tests: on the plain dataset, and as requests to an engine with a workspace. Both must pass.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use oxrdf::{Dataset as RdfDataset, GraphName, NamedNode, Quad, Term};
use reefloom::dataset::{Dataset, MemoryDataset};
use reefloom::engine::{Answer, AnswerFormat, Language, Request, Response};
use reefloom::execute::{self, Context, ExecuteError, GraphLoader, Limits, Rows, ServiceHandler, Triples};
use reefloom::language::sparql;
use reefloom::model::{GraphFilter, Permutation, QuadPattern, TermId, Vocabulary};
use reefloom::optimize::{optimize, optimize_update};
use reefloom::plan::{Form, GraphSelector, Query, Schema, Session};
use reefloom::results::{SolutionsFormat, SolutionsWriter};

use crate::compare::{same_dataset, same_solutions};
use crate::federation;
use crate::files::Suites;
use crate::manifest::Case;
use crate::solutions::{self, Expected, Solutions};
use crate::stored::Stored;

/// 2026-01-01T00:00:00Z; tests ask for any fixed moment.
const NOW_MS: i64 = 1_767_225_600_000;
const TIME_MAX: Duration = Duration::from_secs(20);

pub fn parses(suites: &Suites, case: &Case, is_update: bool) -> Result<(), String> {
    let text = suites.text(&case.action)?;
    let base = Some(case.action.as_str());
    if is_update {
        sparql::parse_update(&text, &session(), base).map(drop).map_err(|error| error.to_string())
    } else {
        sparql::parse_query(&text, &session(), base).map(drop).map_err(|error| error.to_string())
    }
}

pub fn query(suites: &Suites, case: &Case) -> Result<(), String> {
    let text = suites.text(&case.action)?;
    let quads = world(suites, case, &text)?;
    let query =
        sparql::parse_query(&text, &session(), Some(&case.action)).map_err(|error| error.to_string())?;
    let expected = match case.results.first() {
        Some(result) => solutions::read(suites, result)?,
        None => return Err("the test has no result".to_owned()),
    };
    // An order is asked for where the outermost query sorts.
    let sorts = has_sort(&query);
    let check = |actual: Expected| match (actual, &expected) {
        (Expected::Boolean(actual), Expected::Boolean(expected)) if actual == *expected => Ok(()),
        (Expected::Boolean(actual), Expected::Boolean(_)) => Err(format!("the answer is {actual}")),
        (Expected::Graph(actual), Expected::Graph(expected)) => same_dataset(actual, expected.clone()),
        (Expected::Solutions(actual), Expected::Solutions(expected)) => {
            same_solutions(&actual, expected, sorts || expected.is_ordered, case.is_lax)
        }
        _ => Err("the result is of another kind".to_owned()),
    };
    let services = services(suites, case)?;
    check(run(&query, in_memory(&quads)?, services.clone())?)?;
    let stored = Stored::new(&quads)?;
    let actual = match services.is_empty() {
        true => ask(&stored, Language::SparqlQuery, case, &text).and_then(read_answer),
        false => federation::query(suites, case, quads, &text),
    };
    actual.and_then(check).map_err(on_a_workspace)
}

/// CSV says less than the terms: its text is compared, row by row.
pub fn csv_query(suites: &Suites, case: &Case) -> Result<(), String> {
    let text = suites.text(&case.action)?;
    let quads = world(suites, case, &text)?;
    let query =
        sparql::parse_query(&text, &session(), Some(&case.action)).map_err(|error| error.to_string())?;
    let expected = csv_lines(&suites.text(case.results.first().ok_or("the test has no result")?)?);
    let check = |bytes: &[u8]| {
        let actual = csv_lines(&String::from_utf8_lossy(bytes));
        if actual == expected { Ok(()) } else { Err(format!("written {actual:?}\nexpected {expected:?}")) }
    };
    let Expected::Solutions(actual) = run(&query, in_memory(&quads)?, BTreeMap::new())? else {
        return Err("the query has no table".to_owned());
    };
    let mut writer = SolutionsWriter::new(SolutionsFormat::Csv, Vec::new(), &actual.variables)
        .map_err(|error| error.to_string())?;
    writer.write(&actual.rows).map_err(|error| error.to_string())?;
    check(&writer.finish().map_err(|error| error.to_string())?)?;
    let response = ask(&Stored::new(&quads)?, Language::SparqlQuery, case, &text)?;
    let mut bytes = Vec::new();
    let written = response.write(AnswerFormat::Solutions(SolutionsFormat::Csv), &mut bytes);
    written.map_err(|error| format!("{error:?}")).and_then(|()| check(&bytes)).map_err(on_a_workspace)
}

/// Returns the header, then the lines in an order of their own, blank node labels blotted out.
fn csv_lines(text: &str) -> Vec<String> {
    let blot = |line: &str| {
        let cells = line.split(',').map(|cell| if cell.starts_with("_:") { "_:" } else { cell });
        cells.collect::<Vec<_>>().join(",")
    };
    let mut lines: Vec<String> = text.lines().map(blot).collect();
    if let Some(rows) = lines.get_mut(1..) {
        rows.sort_unstable();
    }
    lines
}

pub fn update(suites: &Suites, case: &Case) -> Result<(), String> {
    let text = suites.text(&case.action)?;
    let quads = quads(suites, &case.data, &case.graphs)?;
    let dataset = in_memory(&quads)?;
    let update =
        sparql::parse_update(&text, &session(), Some(&case.action)).map_err(|error| error.to_string())?;
    let update = optimize_update(update, &*dataset).map_err(|error| error.to_string())?;
    let mut context = Context::writing(dataset.clone());
    context.now_ms = NOW_MS;
    context.loader = Some(Arc::new(NoLoader));
    context.limits = Limits { deadline: Some(Instant::now() + TIME_MAX), ..Limits::default() };
    execute::execute_update(&update, Arc::new(context)).map_err(|error| error.to_string())?;
    let expected = self::quads(suites, &case.results, &case.result_graphs)?;
    let expected: RdfDataset = expected.into_iter().collect();
    same_dataset(contents(&*dataset)?, expected.clone())?;
    let stored = Stored::new(&quads)?;
    ask(&stored, Language::SparqlUpdate, case, &text)
        .and_then(|_| same_dataset(contents(&*stored.snapshot()?)?, expected))
        .map_err(on_a_workspace)
}

/// Sends a text as a request; its relative IRIs are those of the test.
fn ask(stored: &Stored, language: Language, case: &Case, text: &str) -> Result<Response, String> {
    let mut request = Request::new(language, format!("BASE <{}>\n{text}", case.action), NOW_MS);
    request.may_write = language == Language::SparqlUpdate;
    request.limits.timeout = TIME_MAX;
    stored.run(&request).map_err(|error| error.to_string())
}

fn read_answer(response: Response) -> Result<Expected, String> {
    match response.answer {
        Answer::Boolean(value) => Ok(Expected::Boolean(value)),
        Answer::Rows(rows) => read_rows(rows),
        Answer::Graph(triples) => read_triples(triples),
        _ => Err("the answer is of another kind".to_owned()),
    }
}

fn on_a_workspace(reason: String) -> String {
    format!("on a workspace: {reason}")
}

/// Reads what a query is asked of: its documents, else those that its dataset clauses name.
fn world(suites: &Suites, case: &Case, text: &str) -> Result<Vec<Quad>, String> {
    if !case.data.is_empty() || !case.graphs.is_empty() {
        return quads(suites, &case.data, &case.graphs);
    }
    let mut documents: Vec<String> = Vec::new();
    let parser =
        spargebra::SparqlParser::new().with_base_iri(&case.action).map_err(|error| error.to_string())?;
    if let Ok(query) = parser.parse_query(text)
        && let Some(clauses) = query.dataset()
    {
        let named = clauses.named.iter().flatten();
        documents.extend(clauses.default.iter().chain(named).map(|name| name.as_str().to_owned()));
    }
    documents.sort();
    documents.dedup();
    let graphs: Vec<_> = documents.into_iter().map(|document| (document.clone(), document)).collect();
    quads(suites, &[], &graphs)
}

fn quads(suites: &Suites, data: &[String], graphs: &[(String, String)]) -> Result<Vec<Quad>, String> {
    let mut quads = Vec::new();
    for document in data {
        quads.extend(suites.quads(document, GraphName::DefaultGraph)?);
    }
    for (name, document) in graphs {
        let name = NamedNode::new(name).map_err(|error| error.to_string())?;
        quads.extend(suites.quads(document, name.into())?);
    }
    Ok(quads)
}

fn in_memory(quads: &[Quad]) -> Result<Arc<MemoryDataset>, String> {
    let dataset = MemoryDataset::new();
    for quad in quads {
        dataset.insert_quad(quad).map_err(|error| error.to_string())?;
    }
    Ok(Arc::new(dataset))
}

fn session() -> Session {
    Session {
        default_graph: GraphSelector::Default,
        named_graphs: None,
        vocabulary: Vocabulary::default(),
        schema: Schema::default().into(),
    }
}

type Services = BTreeMap<String, Arc<MemoryDataset>>;

fn run(query: &Query, dataset: Arc<dyn Dataset>, services: Services) -> Result<Expected, String> {
    let query = if std::env::var_os("REEFLOOM_UNOPTIMISED").is_some() {
        query.clone()
    } else {
        optimize(query.clone(), &*dataset).map_err(|error| error.to_string())?
    };
    let mut context = Context::new(dataset);
    context.now_ms = NOW_MS;
    context.limits = Limits { deadline: Some(Instant::now() + TIME_MAX), ..Limits::default() };
    context.services = Some(Arc::new(Endpoints(services)));
    let context = Arc::new(context);
    let failed = |error: ExecuteError| error.to_string();
    match &query.form {
        Form::Ask => execute::ask(&query, context).map(Expected::Boolean).map_err(failed),
        Form::Rows => execute::execute(&query, context).map_err(failed).and_then(read_rows),
        Form::Construct(_) | Form::Describe { .. } => {
            execute::triples(&query, context).map_err(failed).and_then(read_triples)
        }
    }
}

fn read_rows(mut result: Rows) -> Result<Expected, String> {
    let variables = result.columns().to_vec();
    let mut rows = Vec::new();
    while let Some(more) = result.next_terms().map_err(|error| error.to_string())? {
        rows.extend(more);
    }
    Ok(Expected::Solutions(Solutions { variables, rows, is_ordered: false }))
}

fn read_triples(mut triples: Triples) -> Result<Expected, String> {
    let mut graph = RdfDataset::new();
    while let Some(more) = triples.next_triples().map_err(|error| error.to_string())? {
        graph.extend(more.into_iter().map(|triple| triple.in_graph(GraphName::DefaultGraph)));
    }
    Ok(Expected::Graph(graph))
}

/// Returns whether the rows of the query come in an order it asks for.
fn has_sort(query: &Query) -> bool {
    use reefloom::plan::LogicalPlan;
    fn sorts(plan: &LogicalPlan) -> bool {
        match plan {
            LogicalPlan::Sort { .. } | LogicalPlan::TopN { .. } => true,
            LogicalPlan::Project { input, .. }
            | LogicalPlan::Distinct { input }
            | LogicalPlan::Slice { input, .. } => sorts(input),
            _ => false,
        }
    }
    sorts(&query.root)
}

fn contents(dataset: &dyn Dataset) -> Result<RdfDataset, String> {
    let failed = |error: reefloom::dataset::DatasetError| error.to_string();
    let pattern = QuadPattern { graph: GraphFilter::All, ..QuadPattern::default() };
    let mut scan = dataset.scan(&pattern, Permutation::Spo).map_err(failed)?;
    let mut all = RdfDataset::new();
    while let Some(batch) = scan.next_batch().map_err(failed)? {
        for row in 0..batch.rows() {
            let term = |column: usize| dataset.term(batch.column(column)[row]).map_err(failed);
            let (subject, predicate, object) = (term(0)?, term(1)?, term(2)?);
            let graph = match batch.column(3)[row] {
                TermId::UNDEFINED => GraphName::DefaultGraph,
                id => match dataset.term(id).map_err(failed)? {
                    Term::NamedNode(name) => name.into(),
                    Term::BlankNode(node) => node.into(),
                    term => return Err(format!("{term} names a graph")),
                },
            };
            let triple =
                oxrdf::Triple::from_terms(subject, predicate, object).map_err(|error| error.to_string())?;
            all.insert(&Quad::new(triple.subject, triple.predicate, triple.object, graph));
        }
    }
    Ok(all)
}

fn services(suites: &Suites, case: &Case) -> Result<Services, String> {
    let mut documents: BTreeMap<&String, Vec<Quad>> = BTreeMap::new();
    for (endpoint, document) in &case.services {
        let quads = quads(suites, std::slice::from_ref(document), &[])?;
        documents.entry(endpoint).or_default().extend(quads);
    }
    documents.into_iter().map(|(endpoint, quads)| Ok((endpoint.clone(), in_memory(&quads)?))).collect()
}

/// The endpoints of a federation test, each a dataset in this process.
struct Endpoints(Services);

impl ServiceHandler for Endpoints {
    fn query(
        &self,
        endpoint: &NamedNode,
        text: &str,
        columns: usize,
    ) -> Result<Vec<Vec<Option<Term>>>, String> {
        let dataset = self.0.get(endpoint.as_str()).ok_or_else(|| format!("no endpoint {endpoint}"))?;
        let query = sparql::parse_query(text, &session(), None).map_err(|error| error.to_string())?;
        match run(&query, dataset.clone(), self.0.clone())? {
            Expected::Solutions(solutions) if solutions.variables.len() == columns => Ok(solutions.rows),
            _ => Err("the endpoint's answer has other columns".to_owned()),
        }
    }
}

/// LOAD in the suites names documents that are not there.
struct NoLoader;

impl GraphLoader for NoLoader {
    fn load(&self, source: &NamedNode) -> Result<Vec<Quad>, String> {
        Err(format!("there is no document {source}"))
    }
}
