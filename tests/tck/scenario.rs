//! Runs one scenario, step by step.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reefloom::dataset::{Dataset, DatasetMut, MemoryDataset};
use reefloom::engine::{Answer, CommitId, EngineError, Language, Request};
use reefloom::execute::{Context, ExecuteError, Rows, execute};
use reefloom::language::SyntaxError;
use reefloom::language::cypher::{self, Compiled, ProcedureSignatures, compile_with};
use reefloom::language::sparql;
use reefloom::model::{Term, Value, Vocabulary};
use reefloom::optimize::optimize;
use reefloom::plan::{GraphSelector, Query, Schema, Session, Statement};

use super::notation::{self, Notation};
use super::procedure::TableProcedure;
use super::schema::schema_of;
use super::side_effects::{self, Census, census, quads};
use super::sparql_check;
use super::stored::Stored;
use super::suite::{Scenario, Step, Suite};

/// 2026-01-01T00:00:00Z; scenarios ask for any moment.
const NOW_MS: i64 = 1_767_225_600_000;
const TIME_MAX: Duration = Duration::from_secs(20);

/// A result: columns, and rows in order.
struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<Notation>>,
}

#[derive(Debug)]
struct Failure {
    /// "compile time" or "runtime".
    phase: &'static str,
    kind: String,
    detail: String,
    message: String,
}

/// Where a scenario happens.
enum Place {
    /// On the plain dataset, which keeps what a failed statement did.
    Memory { data: Arc<MemoryDataset>, knows_schema: bool },
    /// In a workspace, each statement a request to its engine.
    Workspace(Stored),
}

struct World {
    place: Place,
    parameters: BTreeMap<String, Value>,
    procedures: Vec<Arc<TableProcedure>>,
    before: Census,
    /// The branch's commit before the query, if there is a branch.
    head_before: Option<CommitId>,
    outcome: Option<Result<Table, Failure>>,
    /// Whether what the query left was read through SPARQL as well.
    is_read_twice: bool,
}

/// Runs a scenario three times: on the plain dataset, lowered without any facts of the data and with
/// all of them; and in a workspace. Returns whether its query wrote, and each time SPARQL showed the graph
/// that Cypher shows.
pub fn run(suite: &Suite, scenario: &Scenario) -> Result<bool, String> {
    let memory = |knows_schema| Place::Memory { data: Arc::new(MemoryDataset::new()), knows_schema };
    let plain = run_in(memory(false), suite, scenario)?;
    let known = run_in(memory(true), suite, scenario).map_err(|reason| format!("with a schema: {reason}"))?;
    let workspace = Stored::new(&[]).map(Place::Workspace);
    let stored = workspace
        .and_then(|place| run_in(place, suite, scenario))
        .map_err(|reason| format!("in a workspace: {reason}"))?;
    Ok(plain && known && stored)
}

fn run_in(place: Place, suite: &Suite, scenario: &Scenario) -> Result<bool, String> {
    let mut world = World {
        place,
        parameters: BTreeMap::new(),
        procedures: Vec::new(),
        before: Census::default(),
        head_before: None,
        outcome: None,
        is_read_twice: false,
    };
    scenario.steps.iter().try_for_each(|step| world.step(suite, step))?;
    Ok(world.is_read_twice)
}

impl Place {
    fn data(&self) -> Result<Arc<dyn Dataset>, String> {
        match self {
            Place::Memory { data, .. } => Ok(data.clone()),
            Place::Workspace(stored) => stored.snapshot(),
        }
    }

    fn head(&self) -> Result<Option<CommitId>, String> {
        match self {
            Place::Memory { .. } => Ok(None),
            Place::Workspace(stored) => stored.head().map(Some),
        }
    }

    /// Answers a question in SPARQL or Cypher.
    fn ask(&self, language: Language, text: &str) -> Result<Rows, String> {
        let show = |error: ExecuteError| error.to_string();
        match self {
            Place::Memory { data, knows_schema } => {
                let session = session(data, *knows_schema);
                let query = match language {
                    Language::SparqlQuery => sparql::parse_query(text, &session, None),
                    _ => cypher::compile(text, &session, &BTreeMap::new()).map(query_of),
                };
                let query = query.map_err(|error| error.to_string())?;
                let query = optimize(query, data.as_ref()).map_err(|error| show(error.into()))?;
                execute(&query, Arc::new(Context::new(data.clone()))).map_err(show)
            }
            Place::Workspace(stored) => {
                let response = stored.run(&Request::new(language, text, NOW_MS));
                match response.map_err(|error| error.to_string())?.answer {
                    Answer::Rows(rows) => Ok(rows),
                    _ => Err("the answer has no rows".to_owned()),
                }
            }
        }
    }

    /// Reads the whole graph in both languages, and compares.
    fn read_twice(&self) -> Result<(), String> {
        let by_cypher = |text: &str| {
            let mut rows = self.ask(Language::Cypher, text)?;
            let mut all = Vec::new();
            while let Some(batch) = rows.next_values().map_err(|error| error.to_string())? {
                all.extend(batch);
            }
            Ok(all)
        };
        let by_sparql = |text: &str| {
            let mut rows = self.ask(Language::SparqlQuery, text)?;
            let mut all = Vec::new();
            while let Some(batch) = rows.next_terms().map_err(|error| error.to_string())? {
                let bound = |row: Vec<Option<Term>>| row.into_iter().collect::<Option<Vec<_>>>();
                let batch = batch.into_iter().map(bound).collect::<Option<Vec<_>>>();
                all.extend(batch.ok_or("a variable is unbound")?);
            }
            Ok(all)
        };
        sparql_check::check(&by_cypher, &by_sparql)
    }

    /// Puts what the setup made into another workspace, where it lies half in the base run.
    fn settle(&mut self) -> Result<(), String> {
        let Place::Workspace(stored) = self else { return Ok(()) };
        let quads = quads(&*stored.snapshot()?);
        if !quads.is_empty() {
            *stored = Stored::new(&quads)?;
        }
        Ok(())
    }
}

impl World {
    fn step(&mut self, suite: &Suite, step: &Step) -> Result<(), String> {
        let text = step.text.as_str();
        let query = || step.docstring.as_deref().unwrap_or_default().trim();
        match text {
            "any graph" | "an empty graph" => Ok(()),
            "having executed" => self.prepare(query()),
            "parameters are" | "parameter values are" => {
                for row in &step.table {
                    self.parameters.insert(row[0].clone(), notation::parse(&row[1]).to_value());
                }
                Ok(())
            }
            "executing query" | "executing control query" => {
                if text == "executing query" {
                    self.place.settle()?;
                }
                self.before = census(&*self.place.data()?);
                self.head_before = self.place.head()?;
                self.outcome = Some(self.execute(query()));
                if text == "executing query" && matches!(self.outcome, Some(Ok(_))) && writes(query()) {
                    self.place.read_twice()?;
                    self.is_read_twice = true;
                }
                Ok(())
            }
            "the result should be empty" => {
                let table = self.table()?;
                match table.rows.len() {
                    0 => Ok(()),
                    rows => Err(format!("expected no rows, got {rows}")),
                }
            }
            "no side effects" => self.side_effects(&BTreeMap::new()),
            "the side effects should be" => {
                let expected = step.table.iter().map(|row| (row[0].clone(), row[1].parse().unwrap()));
                self.side_effects(&expected.filter(|(_, count)| *count > 0).collect())
            }
            _ => self.other_step(suite, text, step),
        }
    }

    fn other_step(&mut self, suite: &Suite, text: &str, step: &Step) -> Result<(), String> {
        if let Some(name) = text.strip_prefix("the ").and_then(|text| text.strip_suffix(" graph")) {
            let script = suite.graphs.get(name).ok_or_else(|| format!("there is no graph {name}"))?;
            return self.prepare(script);
        }
        if text.starts_with("there exists a procedure") {
            self.procedures.push(Arc::new(TableProcedure::parse(text, &step.table)));
            return Ok(());
        }
        if let Some(how) = text.strip_prefix("the result should be") {
            let in_order = how.contains("in order");
            return self.rows(&step.table, in_order, how.contains("ignoring element order"));
        }
        if let Some((kind, rest)) = text.split_once(" should be raised at ") {
            let kind = kind.rsplit(' ').next().unwrap_or_default();
            let (phase, detail) = rest.split_once(": ").unwrap_or((rest, "*"));
            return self.error(kind, phase, detail);
        }
        Err(format!("unknown step: {text}"))
    }

    fn prepare(&mut self, query: &str) -> Result<(), String> {
        match self.execute(query) {
            Ok(_) => Ok(()),
            Err(failure) => Err(format!("the setup fails: {}", failure.show())),
        }
    }

    fn execute(&self, text: &str) -> Result<Table, Failure> {
        match &self.place {
            Place::Memory { data, knows_schema } => {
                self.execute_on(data.clone(), session(data, *knows_schema), text)
            }
            // An engine's procedures are its own: a scenario that brings some goes below it.
            Place::Workspace(stored) if !self.procedures.is_empty() => {
                let transaction = Arc::new(stored.begin().map_err(other)?);
                let table = self.execute_on(transaction.clone(), session_of(Schema::default()), text)?;
                transaction.commit("", NOW_MS).map_err(other)?;
                Ok(table)
            }
            Place::Workspace(stored) => {
                let mut request = Request::new(Language::Cypher, text, NOW_MS);
                request.parameters = self.parameters.clone();
                request.may_write = true;
                request.limits.timeout = TIME_MAX;
                match stored.run(&request).map_err(|error| refused(error, text))?.answer {
                    Answer::Rows(rows) => Table::read(rows),
                    _ => Err(other("the answer has no rows")),
                }
            }
        }
    }

    fn execute_on(&self, data: Arc<dyn DatasetMut>, session: Session, text: &str) -> Result<Table, Failure> {
        let signatures: ProcedureSignatures =
            self.procedures.iter().map(|p| (p.name.clone(), p.signature.clone())).collect();
        let compiled = compile_with(text, &session, &self.parameters, &signatures);
        let compiled = compiled.map_err(|error| compile_time(&error, text))?;
        let graph = compiled.graph.clone();
        let query = optimize(query_of(compiled), data.as_ref()).map_err(|error| runtime(error.into()))?;
        let mut context = Context::writing(data);
        context.parameters = self.parameters.clone();
        context.default_graph = graph;
        context.vocabulary = session.vocabulary;
        context.limits.deadline = Some(Instant::now() + TIME_MAX);
        for procedure in &self.procedures {
            context.procedures.register(procedure.name.clone(), procedure.clone());
        }
        Table::read(execute(&query, Arc::new(context)).map_err(runtime)?)
    }

    fn table(&self) -> Result<&Table, String> {
        match self.outcome.as_ref() {
            Some(Ok(table)) => Ok(table),
            Some(Err(failure)) => Err(failure.show()),
            None => Err("nothing was executed".to_owned()),
        }
    }

    fn rows(&self, expected: &[Vec<String>], in_order: bool, ignore_list_order: bool) -> Result<(), String> {
        let table = self.table()?;
        let (header, expected) = expected.split_first().ok_or("the scenario has no table")?;
        let mut places = Vec::new();
        for name in header {
            let place = table.columns.iter().position(|column| column == name);
            places.push(place.ok_or_else(|| format!("no column {name:?} among {:?}", table.columns))?);
        }
        if header.len() != table.columns.len() {
            return Err(format!("expected columns {header:?}, got {:?}", table.columns));
        }
        let normal = |value: Notation| if ignore_list_order { value.with_sorted_lists() } else { value };
        let wanted: Vec<Vec<Notation>> = expected
            .iter()
            .map(|row| row.iter().map(|cell| normal(notation::parse(cell))).collect())
            .collect();
        let got: Vec<Vec<Notation>> = table
            .rows
            .iter()
            .map(|row| places.iter().map(|place| normal(row[*place].clone())).collect())
            .collect();
        let same = |a: &Vec<Notation>, b: &Vec<Notation>| a.iter().zip(b).all(|(a, b)| a.is(b));
        let equal = if in_order {
            wanted.len() == got.len() && wanted.iter().zip(&got).all(|(a, b)| same(a, b))
        } else {
            let mut left = got.clone();
            wanted.iter().all(|row| {
                let found = left.iter().position(|other| same(row, other));
                found.map(|at| left.swap_remove(at)).is_some()
            }) && left.is_empty()
        };
        match equal {
            true => Ok(()),
            false => Err(format!("wrong rows\nexpected {}\ngot      {}", show(&wanted), show(&got))),
        }
    }

    fn side_effects(&self, expected: &BTreeMap<String, usize>) -> Result<(), String> {
        self.table()?;
        let found = side_effects::differences(&self.before, &census(&*self.place.data()?));
        match found == *expected {
            true => Ok(()),
            false => Err(format!("wrong side effects\nexpected {expected:?}\ngot      {found:?}")),
        }
    }

    fn error(&self, kind: &str, phase: &str, detail: &str) -> Result<(), String> {
        let wanted = format!("expected {kind} at {phase}: {detail}");
        match self.outcome.as_ref() {
            Some(Err(failure)) => {
                let fits = failure.kind == kind
                    && (phase == "any time" || failure.phase == phase)
                    && (detail == "*" || failure.detail == detail);
                if fits { self.nothing_is_left() } else { Err(format!("{wanted}\ngot {}", failure.show())) }
            }
            Some(Ok(table)) => Err(format!("{wanted}\ngot {} rows: {}", table.rows.len(), show(&table.rows))),
            None => Err("nothing was executed".to_owned()),
        }
    }

    /// A statement that failed in a workspace left no commit and no change.
    fn nothing_is_left(&self) -> Result<(), String> {
        let Place::Workspace(_) = &self.place else { return Ok(()) };
        let found = side_effects::differences(&self.before, &census(&*self.place.data()?));
        match found.is_empty() && self.place.head()? == self.head_before {
            true => Ok(()),
            false => Err(format!("the statement failed and left {found:?}")),
        }
    }
}

impl Table {
    fn read(mut result: Rows) -> Result<Table, Failure> {
        let columns = result.columns().to_vec();
        let mut rows = Vec::new();
        while let Some(batch) = result.next_values().map_err(runtime)? {
            rows.extend(batch.iter().map(|row| row.iter().map(notation::of_value).collect::<Vec<_>>()));
        }
        if columns.is_empty() {
            rows.clear();
        }
        Ok(Table { columns, rows })
    }
}

impl Failure {
    fn show(&self) -> String {
        format!("{} at {}: {}: {}", self.kind, self.phase, self.detail, self.message)
    }
}

fn session(data: &MemoryDataset, knows_schema: bool) -> Session {
    session_of(if knows_schema { schema_of(data) } else { Schema::default() })
}

fn session_of(schema: Schema) -> Session {
    Session {
        default_graph: GraphSelector::Default,
        named_graphs: None,
        vocabulary: Vocabulary::default(),
        schema: schema.into(),
    }
}

fn query_of(compiled: Compiled) -> Query {
    let Statement::Query(query) = compiled.statement else { unreachable!("Cypher makes queries") };
    query
}

fn writes(text: &str) -> bool {
    cypher::parse(text).is_ok_and(|statement| statement.query.writes())
}

fn compile_time(error: &SyntaxError, text: &str) -> Failure {
    let (kind, detail) = error.code.split_once('.').unwrap_or((&error.code, ""));
    let message = format!("{error}\n{}", error.excerpt(text));
    Failure { phase: "compile time", kind: kind.into(), detail: detail.into(), message }
}

fn refused(error: EngineError, text: &str) -> Failure {
    match error {
        EngineError::Syntax { errors, .. } if !errors.is_empty() => compile_time(&errors[0], text),
        EngineError::Runtime(error) => runtime(error),
        error => other(error),
    }
}

fn other(message: impl ToString) -> Failure {
    let (kind, detail) = ("other".to_owned(), String::new());
    Failure { phase: "runtime", kind, detail, message: message.to_string() }
}

fn runtime(error: ExecuteError) -> Failure {
    let message = error.to_string();
    match error {
        ExecuteError::Runtime { code, detail, .. } => {
            Failure { phase: "runtime", kind: format!("{code:?}"), detail: detail.to_owned(), message }
        }
        _ => other(message),
    }
}

fn show(rows: &[Vec<Notation>]) -> String {
    let text = format!("{rows:?}");
    text.chars().take(600).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(query: &str, wanted: &str, table: &[&[&str]]) -> Result<(), String> {
        let suite = Suite { graphs: BTreeMap::new(), scenarios: Vec::new() };
        let cells = |row: &&[&str]| row.iter().map(|cell| (*cell).to_owned()).collect();
        let make = |text: &str, docstring: Option<&str>, table: &[&[&str]]| Step {
            text: text.to_owned(),
            docstring: docstring.map(str::to_owned),
            table: table.iter().map(cells).collect(),
        };
        let steps = vec![make("executing query", Some(query), &[]), make(wanted, None, table)];
        run(&suite, &Scenario { id: String::new(), steps }).map(drop)
    }

    #[test]
    fn what_is_wrong_is_noticed() {
        let query = "UNWIND [1, 2] AS x RETURN x";
        let any = "the result should be, in any order";
        let ordered = "the result should be, in order";
        assert_eq!(outcome(query, any, &[&["x"], &["2"], &["1"]]), Ok(()));
        assert_eq!(outcome(query, ordered, &[&["x"], &["1"], &["2"]]), Ok(()));
        for (step, table) in [
            (ordered, &[["x"], ["2"], ["1"]] as &[_]),
            (any, &[["x"], ["1"], ["1"]]),
            (any, &[["x"], ["1"]]),
            (any, &[["y"], ["1"], ["2"]]),
            (any, &[["x"], ["1"], ["2.0"]]),
        ] {
            let table: Vec<&[&str]> = table.iter().map(|row: &[&str; 1]| row.as_slice()).collect();
            assert!(outcome(query, step, &table).is_err(), "{table:?}");
        }
        assert!(outcome(query, "the result should be empty", &[]).is_err());
        let create = "CREATE (:A {x: 1})-[:T {y: 2}]->()";
        let effects: &[&[&str]] =
            &[&["+nodes", "2"], &["+relationships", "1"], &["+labels", "1"], &["+properties", "2"]];
        assert_eq!(outcome(create, "the side effects should be", effects), Ok(()));
        assert!(outcome(create, "the side effects should be", &effects[1..]).is_err());
        assert!(outcome(create, "no side effects", &[]).is_err());
        let error = "a SyntaxError should be raised at compile time: UndefinedVariable";
        assert_eq!(outcome("RETURN x", error, &[]), Ok(()));
        assert!(outcome("RETURN 1", error, &[]).is_err());
        assert!(outcome("RETURN count(count(*))", error, &[]).is_err());
        assert!(outcome("RETURN x", &error.replace("compile time", "runtime"), &[]).is_err());
        let half_done = "UNWIND [1, 0] AS x CREATE (:A {y: 1 / x})";
        let error = "a ArithmeticError should be raised at runtime: DivisionByZero";
        assert_eq!(outcome(half_done, error, &[]), Ok(()));
    }
}
