//! `Worker`: what a session asks for, done with the engine. It blocks; a connection calls it on threads
//! that may.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::BoltOptions;
use super::failure::Failure;
use super::packstream::{Entries, Packed};
use super::result::{QueryResult, milliseconds};
use super::session::{Done, RowUse, Scope, Task};
use super::value::Encoding;
use super::version::Version;
use crate::engine::{CommitId, Engine, EngineError, Language, OpenTransaction, Request};
use crate::execute::FileOpener;
use crate::model::Value;
use crate::server::database::Database;
use crate::server::now_ms;
use crate::server::tokens::User;

/// How long a client may keep the routing table, in seconds: it has one server, and seldom changes.
const ROUTING_TABLE_TTL: i64 = 300;

/// Takes the records of a result; an error says that nobody listens any more.
pub type Records<'a> = &'a mut dyn FnMut(&[Value], Encoding) -> Result<(), EngineError>;

pub struct Worker {
    engine: Arc<Engine>,
    options: BoltOptions,
    version: Version,
    /// Set by whoever wants the task at hand to end early.
    cancel: Arc<AtomicBool>,
    transaction: Option<Begun>,
    results: BTreeMap<i64, QueryResult>,
}

struct Begun {
    transaction: OpenTransaction,
    database: String,
    may_write: bool,
    /// When the transaction's time is over.
    deadline: Instant,
    message: Option<String>,
}

impl Worker {
    pub fn new(
        engine: Arc<Engine>,
        options: BoltOptions,
        version: Version,
        cancel: Arc<AtomicBool>,
    ) -> Worker {
        Worker { engine, options, version, cancel, transaction: None, results: BTreeMap::new() }
    }

    /// Does a task. After a failure there is no transaction and no result.
    pub fn perform(&mut self, task: Task, records: Records<'_>) -> Result<Done, Failure> {
        let done = match task {
            Task::Run { query, text, parameters, scope, user } => {
                let mut request = Request::new(Language::Cypher, text, now_ms());
                request.parameters = parameters;
                request.user = user.map(|User(name)| name);
                self.run(query, request, scope)
            }
            Task::Fetch { query, rows, use_of: RowUse::Send, encoding } => {
                self.fetch(query, rows, &mut |row| records(row, encoding))
            }
            Task::Fetch { query, rows, use_of: RowUse::Discard, .. } => self.discard(query, rows),
            Task::Begin(scope) => self.begin(scope),
            Task::Commit => self.commit(),
            Task::Rollback | Task::Reset => {
                self.clear();
                Ok(Done::default())
            }
            Task::Route { database, address } => self.route(database.as_deref(), address),
        };
        done.inspect_err(|_| self.clear())
    }

    fn clear(&mut self) {
        self.results.clear();
        self.transaction = None;
    }

    fn run(&mut self, query: i64, mut request: Request, scope: Option<Scope>) -> Result<Done, Failure> {
        let began = Instant::now();
        request.cancel = self.cancel.clone();
        request.limits = self.options.limits;
        request.served_at = Some(self.options.address.clone());
        request.files = self.options.files.clone().map(|files| files as Arc<dyn FileOpener>);
        let (response, database) = match scope {
            Some(scope) => {
                let place = Database::find(&self.engine, scope.database.as_deref())?;
                request.workspace = Some(place.hosted.name().to_owned());
                request.at = place.at;
                request.may_write = scope.may_write && !self.options.read_only;
                request.limits.timeout = self.timeout(&scope);
                request.message = scope.message;
                (self.engine.run(&request)?, place.name)
            }
            None => {
                let begun = self.transaction.as_mut().ok_or_else(no_transaction)?;
                request.may_write = begun.may_write;
                request.message.clone_from(&begun.message);
                request.limits.timeout = begun.deadline.saturating_duration_since(began);
                (begun.transaction.run(&request)?, begun.database.clone())
            }
        };
        let result = QueryResult::new(response, database);
        let mut metadata = vec![
            ("fields".to_owned(), Packed::List(result.columns())),
            ("t_first".to_owned(), milliseconds(began)),
        ];
        self.tell_database(&mut metadata, result.database());
        self.results.insert(query, result);
        Ok(Done { metadata, has_more: false })
    }

    fn fetch(
        &mut self,
        query: i64,
        rows: Option<u64>,
        visit: &mut dyn FnMut(&[Value]) -> Result<(), EngineError>,
    ) -> Result<Done, Failure> {
        let result = self.results.get_mut(&query).ok_or_else(no_result)?;
        if result.fetch(rows, &self.cancel, visit)? {
            let metadata = vec![("has_more".to_owned(), Packed::Boolean(true))];
            return Ok(Done { metadata, has_more: true });
        }
        self.end(query)
    }

    fn discard(&mut self, query: i64, rows: Option<u64>) -> Result<Done, Failure> {
        match rows {
            // Whatever it writes it has written.
            None => self.end(query),
            rows => self.fetch(query, rows, &mut |_| Ok(())),
        }
    }

    /// Drops a result and tells its summary; outside of a transaction also the bookmark.
    fn end(&mut self, query: i64) -> Result<Done, Failure> {
        let result = self.results.remove(&query).ok_or_else(no_result)?;
        let mut metadata = result.summary(self.version);
        if self.transaction.is_none() {
            metadata.push(bookmark(result.commit()));
        }
        Ok(Done { metadata, has_more: false })
    }

    fn begin(&mut self, scope: Scope) -> Result<Done, Failure> {
        let place = Database::find(&self.engine, scope.database.as_deref())?;
        let may_write = scope.may_write && !self.options.read_only;
        let transaction = OpenTransaction::begin(place.hosted, place.at.as_deref(), may_write)?;
        let mut metadata = Entries::new();
        self.tell_database(&mut metadata, &place.name);
        let deadline = Instant::now() + self.timeout(&scope);
        let (database, message) = (place.name, scope.message);
        self.transaction = Some(Begun { transaction, database, may_write, deadline, message });
        Ok(Done { metadata, has_more: false })
    }

    fn commit(&mut self) -> Result<Done, Failure> {
        self.results.clear();
        let begun = self.transaction.take().ok_or_else(no_transaction)?;
        if Instant::now() >= begun.deadline {
            return Err(EngineError::Timeout.into());
        }
        let commit = begun.transaction.commit(now_ms())?;
        Ok(Done { metadata: vec![bookmark(commit)], has_more: false })
    }

    /// Returns a routing table that names this server for everything.
    fn route(&self, database: Option<&str>, address: Option<String>) -> Result<Done, Failure> {
        let place = Database::find(&self.engine, database)?;
        let address = address.unwrap_or_else(|| self.options.address.clone());
        let server = |role: &str| {
            Packed::Map(vec![
                ("addresses".to_owned(), Packed::List(vec![Packed::string(address.as_str())])),
                ("role".to_owned(), Packed::string(role)),
            ])
        };
        let table = vec![
            ("ttl".to_owned(), Packed::Integer(ROUTING_TABLE_TTL)),
            ("db".to_owned(), Packed::String(place.name)),
            ("servers".to_owned(), Packed::List(["ROUTE", "READ", "WRITE"].map(server).to_vec())),
        ];
        Ok(Done { metadata: vec![("rt".to_owned(), Packed::Map(table))], has_more: false })
    }

    fn timeout(&self, scope: &Scope) -> Duration {
        let longest = self.options.limits.timeout;
        scope.timeout.map_or(longest, |timeout| timeout.min(longest))
    }

    fn tell_database(&self, metadata: &mut Entries, database: &str) {
        if self.version >= Version::V5_8 {
            metadata.push(("db".to_owned(), Packed::string(database)));
        }
    }
}

fn bookmark(commit: CommitId) -> (String, Packed) {
    ("bookmark".to_owned(), Packed::String(commit.to_string()))
}

fn no_transaction() -> Failure {
    Failure::invalid("there is no transaction")
}

fn no_result() -> Failure {
    Failure::invalid("there is no such result")
}
