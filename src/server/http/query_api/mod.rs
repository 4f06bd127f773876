//! Neo4j's Query API, version 2: a statement in, a table out, by itself or in a transaction that is held
//! open from request to request.
//!
//! # Source
//! The Query API's manual.

mod answer;
mod statement;
mod transactions;
mod value;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request as HttpRequest, State};
use axum::http::{Method, StatusCode};

use self::answer::{Ending, Form};
use self::statement::Statement;
use self::transactions::Held;
pub(super) use self::transactions::Transactions;
use super::accept::{Offer, negotiate};
use super::problem::Problem;
use super::request::check_origin;
use super::stream::Sink;
use super::{App, Call, Reply};
use crate::engine::{EngineError, Language, OpenTransaction, Request};
use crate::server::database::Database;
use crate::server::{now_ms, status_code};

/// The formats of answers; the numbers are versions of the typed form.
const FORMS: &[Offer<Form>] = &[
    ("application/json", Form::Plain),
    ("application/vnd.neo4j.query", Form::Typed),
    ("application/vnd.neo4j.query.v1.0", Form::Typed),
    ("application/vnd.neo4j.query.v1.1", Form::Typed),
];

/// What a request is for.
enum Step {
    /// A statement by itself.
    Query,
    Begin,
    Run(String),
    Commit(String),
    Rollback(String),
}

/// `POST /db/{database}/query/v2`.
pub(super) async fn query(
    State(app): State<Arc<App>>,
    Path(database): Path<String>,
    request: HttpRequest,
) -> Reply {
    handle(app, database, Step::Query, request).await
}

/// `POST /db/{database}/query/v2/tx`.
pub(super) async fn begin(
    State(app): State<Arc<App>>,
    Path(database): Path<String>,
    request: HttpRequest,
) -> Reply {
    handle(app, database, Step::Begin, request).await
}

/// `POST` and `DELETE /db/{database}/query/v2/tx/{id}`.
pub(super) async fn transaction(
    State(app): State<Arc<App>>,
    Path((database, id)): Path<(String, String)>,
    request: HttpRequest,
) -> Reply {
    let step = if request.method() == Method::DELETE { Step::Rollback(id) } else { Step::Run(id) };
    handle(app, database, step, request).await
}

/// `POST /db/{database}/query/v2/tx/{id}/commit`.
pub(super) async fn commit(
    State(app): State<Arc<App>>,
    Path((database, id)): Path<(String, String)>,
    request: HttpRequest,
) -> Reply {
    handle(app, database, Step::Commit(id), request).await
}

async fn handle(app: Arc<App>, database: String, step: Step, request: HttpRequest) -> Reply {
    let (call, body) = Call::new(app, request);
    match answer(&call, database, step, body).await {
        Ok(reply) => reply,
        Err(problem) => problem.into_neo4j_response(),
    }
}

async fn answer(call: &Call, database: String, step: Step, body: Body) -> Result<Reply, Problem> {
    let (media_type, form) = negotiate(call.accept().as_deref(), FORMS)
        .ok_or_else(|| Problem::not_acceptable(FORMS.iter().map(|(name, _)| *name)))?;
    if let Step::Rollback(id) = step {
        check_origin(&call.parts.headers)?;
        return rollback(call, &id, &database).await;
    }
    if !call.is(Method::POST) {
        return Err(Problem::method_not_allowed("POST, OPTIONS", "statements are sent by POST"));
    }
    let statement = Statement::read(call, body).await?;
    if matches!(step, Step::Query) && statement.text.is_none() {
        return Err(Problem::bad_request(status_code::INVALID, "there is no statement"));
    }
    let may_write = statement.may_write && call.check_may_write().is_ok();
    let request = engine_request(call, &statement, may_write);
    let (cancel, app) = (request.cancel.clone(), call.app.clone());
    let entry = call.app.running.enter(&call.request_id, &request, call.app.options.slow_query);
    let job = move |sink: &mut Sink| {
        let _entry = entry;
        let has_statement = statement.text.is_some();
        let mut work = Work { app: &app, request, has_statement, database };
        let (response, ending) = work.perform(step)?;
        let written = answer::write(response, form, media_type, statement.includes_counters, &ending, sink);
        if written.is_err() {
            // A statement that fails while its rows are pulled takes its transaction along.
            ending.transaction().and_then(|id| app.transactions.take(id, &work.database).ok());
        }
        written
    };
    let accepted = super::request::header_text(&call.parts.headers, axum::http::header::ACCEPT_ENCODING);
    call.app.pool.respond(cancel, super::encoding::Encoding::negotiate(accepted.as_deref()), job).await
}

fn engine_request(call: &Call, statement: &Statement, may_write: bool) -> Request {
    let options = &call.app.options;
    let mut request = Request::new(Language::Cypher, statement.text.clone().unwrap_or_default(), now_ms());
    request.parameters.clone_from(&statement.parameters);
    request.may_write = may_write;
    request.limits = options.limits;
    request.limits.timeout = statement.timeout.unwrap_or(options.limits.timeout).min(options.limits.timeout);
    request.services.clone_from(&options.services);
    request.served_at.clone_from(&options.bolt_address);
    request.user = call.user();
    request
}

/// What a query thread does for a request.
struct Work<'a> {
    app: &'a App,
    request: Request,
    has_statement: bool,
    database: String,
}

type Response = crate::engine::Response;

impl Work<'_> {
    fn perform(&mut self, step: Step) -> Result<(Option<Response>, Ending), Problem> {
        let transactions = &self.app.transactions;
        match step {
            Step::Query => {
                let place = self.place()?;
                self.request.workspace = Some(place.hosted.name().to_owned());
                self.request.at = place.at;
                let response = self.app.engine.run(&self.request).map_err(failed)?;
                let bookmark = response.commit;
                Ok((Some(response), Ending::Bookmark(bookmark)))
            }
            Step::Begin => {
                transactions.check_room()?;
                let place = self.place()?;
                let may_write = self.request.may_write;
                let transaction =
                    OpenTransaction::begin(place.hosted, place.at.as_deref(), may_write).map_err(failed)?;
                let mut held = Held::new(transaction, self.database.clone(), may_write);
                let response = self.run_in(&mut held)?;
                let id = fresh_id()?;
                transactions.keep(id.clone(), held);
                Ok((response, Ending::open(id)))
            }
            Step::Run(id) => {
                let mut held = transactions.take(&id, &self.database)?;
                let response = self.run_in(&mut held)?;
                transactions.keep(id.clone(), held);
                Ok((response, Ending::open(id)))
            }
            Step::Commit(id) => {
                let mut held = transactions.take(&id, &self.database)?;
                // Its rows show the data as it stood when the statement ran: they can be pulled afterwards.
                let response = self.run_in(&mut held)?;
                let commit = held.transaction.commit(now_ms()).map_err(failed)?;
                Ok((response, Ending::Bookmark(commit)))
            }
            Step::Rollback(id) => {
                transactions.take(&id, &self.database)?;
                Ok((None, Ending::Nothing))
            }
        }
    }

    fn place(&self) -> Result<Database, Problem> {
        Database::find(&self.app.engine, Some(&self.database)).map_err(failed)
    }

    /// Runs the statement in a transaction, if there is one.
    fn run_in(&mut self, held: &mut Held) -> Result<Option<Response>, Problem> {
        if !self.has_statement {
            return Ok(None);
        }
        self.request.may_write &= held.may_write;
        held.transaction.run(&self.request).map(Some).map_err(failed)
    }
}

async fn rollback(call: &Call, id: &str, database: &str) -> Result<Reply, Problem> {
    let held = call.app.transactions.take(id, database)?;
    // What it wrote may be much.
    let _ = tokio::task::spawn_blocking(move || drop(held)).await;
    let mut reply = super::home::json(StatusCode::OK, &serde_json::json!({}));
    *reply.status_mut() = StatusCode::OK;
    Ok(reply)
}

/// Returns a name that nobody can guess.
fn fresh_id() -> Result<String, Problem> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, status_code::INSIDE, error.to_string())
    })?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}

/// Returns an engine's error under Neo4j's code.
fn failed(error: EngineError) -> Problem {
    let code = status_code::of(&error);
    Problem::new(status_of(code), code, error.to_string())
}

fn status_of(code: &str) -> StatusCode {
    match code {
        status_code::UNAUTHORIZED => StatusCode::UNAUTHORIZED,
        status_code::FORBIDDEN => StatusCode::FORBIDDEN,
        "Neo.ClientError.Statement.AccessMode" => StatusCode::FORBIDDEN,
        status_code::NO_DATABASE => StatusCode::NOT_FOUND,
        code if code.starts_with("Neo.ClientError.") => StatusCode::BAD_REQUEST,
        code if code.starts_with("Neo.TransientError.") => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
