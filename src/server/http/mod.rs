//! HTTP: the SPARQL 1.1 Protocol, Cypher and GraphQL over HTTP, branches and status.
//!
//! `docs/http_api.md` lists the routes, the media types and every status. Socket threads read
//! requests and send chunks; queries run on the threads of a bounded pool.

mod accept;
mod address;
mod answer;
mod branches;
mod cypher;
mod document;
mod encoding;
mod graph_store;
mod graphql;
mod guard;
mod home;
mod problem;
mod query_api;
mod request;
mod running;
mod service_description;
mod services;
mod sparql;
mod stream;
mod upkeep;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request as HttpRequest, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use axum::middleware::{self, Next};
use axum::routing::any;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

use self::address::{Address, BRANCH_HEADER, BRANCH_PARAMETER};
use self::encoding::Encoding;
use self::problem::Problem;
use self::request::{Parameters, header_text};
use self::running::RunningQueries;
pub use self::services::HttpServices;
use self::stream::{QueryPool, Sink};
use crate::engine::{
    CsvFolder, Engine, EngineError, Language, Request, RequestLimits, Response as EngineResponse,
};
use crate::execute::{FileOpener, ServiceHandler};
use crate::server::now_ms;
use crate::server::tls::{Tls, TlsListener};
use crate::server::tokens::{Tokens, User};

/// The header that names the commit an answer was read at, or that a write made.
pub(super) const COMMIT_HEADER: HeaderName = HeaderName::from_static("reefloom-commit");
const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// The header that gives a write its commit message.
const MESSAGE_HEADER: HeaderName = HeaderName::from_static("reefloom-message");
const MESSAGE_PARAMETER: &str = "message";

/// How often transactions are looked at that may have been left.
const SWEEP_PAUSE: Duration = Duration::from_secs(5);

/// What the server is set to.
#[derive(Clone)]
pub struct HttpOptions {
    pub read_only: bool,
    pub body_bytes_max: usize,
    /// Queries that run at once.
    pub query_threads: usize,
    /// Queries that may wait for a thread before more are sent away with 429.
    pub queries_waiting_max: usize,
    pub limits: RequestLimits,
    /// Answers SERVICE; without one it fails.
    pub services: Option<Arc<dyn ServiceHandler>>,
    /// Where clients find Bolt, if it is served.
    pub bolt_address: Option<String>,
    /// Who may come in; anybody if `None`.
    pub tokens: Option<Arc<Tokens>>,
    /// With it clients come by TLS, and in no other way.
    pub tls: Option<Tls>,
    /// Opens the files of LOAD CSV; without one it fails.
    pub files: Option<Arc<CsvFolder>>,
    /// A query that takes longer is logged.
    pub slow_query: Duration,
    /// After a request to shut down, how long running answers may take to end.
    pub grace: Duration,
}

impl Default for HttpOptions {
    fn default() -> HttpOptions {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        HttpOptions {
            read_only: false,
            body_bytes_max: 16 << 20,
            query_threads: cores.max(2) * 2,
            queries_waiting_max: 256,
            limits: RequestLimits::default(),
            services: None,
            bolt_address: None,
            tokens: None,
            tls: None,
            files: None,
            slow_query: Duration::from_secs(5),
            grace: Duration::from_secs(5),
        }
    }
}

/// Serves HTTP on `listener` until `shutdown` completes, then ends running answers gracefully.
///
/// # Errors
/// If the listener fails.
pub async fn serve(
    listener: TcpListener,
    engine: Arc<Engine>,
    options: HttpOptions,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let grace = options.grace;
    let app = Arc::new(App {
        pool: QueryPool::new(options.query_threads, options.queries_waiting_max),
        running: Arc::default(),
        transactions: query_api::Transactions::default(),
        engine,
        options,
    });
    let (told, tell) = tokio::sync::oneshot::channel();
    let graceful = async move {
        shutdown.await;
        let _ = told.send(());
    };
    let router = router(app.clone());
    let server = async {
        match app.options.tls.clone() {
            None => {
                // Else the end of a short answer waits for the client to acknowledge its beginning.
                let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
                axum::serve(listener, router).with_graceful_shutdown(graceful).await
            }
            Some(tls) => {
                axum::serve(TlsListener::new(listener, tls), router).with_graceful_shutdown(graceful).await
            }
        }
    };
    tokio::select! {
        result = server => result,
        never = sweep(&app) => never,
        () = async {
            if tell.await.is_err() {
                // The server ended by itself; the other arm has its result.
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(grace).await;
        } => Ok(()),
    }
}

/// Rolls back the transactions that their clients have left.
async fn sweep(app: &Arc<App>) -> ! {
    loop {
        tokio::time::sleep(SWEEP_PAUSE).await;
        let app = app.clone();
        let _ = tokio::task::spawn_blocking(move || app.transactions.sweep()).await;
    }
}

struct App {
    engine: Arc<Engine>,
    options: HttpOptions,
    pool: QueryPool,
    running: Arc<RunningQueries>,
    transactions: query_api::Transactions,
}

fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", any(home::page))
        .route("/healthz", any(home::healthz))
        .route("/readyz", any(home::readyz))
        .route("/v1/cluster/status", any(home::status))
        .route("/sparql", any(sparql_short))
        .route("/cypher", any(cypher_short))
        .route("/graphql", any(graphql_short))
        .route("/rdf-graph-store", any(graph_store_short))
        .route("/rdf-graph-store/{*path}", any(graph_short))
        .route("/{workspace}/sparql", any(sparql_at))
        .route("/{workspace}/cypher", any(cypher_at))
        .route("/{workspace}/graphql", any(graphql_at))
        .route("/{workspace}/rdf-graph-store", any(graph_store_at))
        .route("/{workspace}/rdf-graph-store/{*path}", any(graph_at))
        .route("/{workspace}/branches", any(branches::collection))
        .route("/{workspace}/branches/{branch}", any(branches::one))
        .route("/{workspace}/commits", any(branches::commits))
        .route("/{workspace}/optimize", any(upkeep::optimize))
        .route("/{workspace}/pins", any(upkeep::pins))
        .route("/{workspace}/pins/{name}", any(upkeep::pin))
        .route("/db/{database}/query/v2", any(query_api::query))
        .route("/db/{database}/query/v2/tx", any(query_api::begin))
        .route("/db/{database}/query/v2/tx/{id}", any(query_api::transaction))
        .route("/db/{database}/query/v2/tx/{id}/commit", any(query_api::commit))
        .route("/v1/gc", any(upkeep::collect))
        .route("/v1/queries", any(running::list))
        .route("/v1/queries/{id}", any(running::one))
        .fallback(no_route)
        .layer(middleware::from_fn_with_state(app.clone(), common_headers))
        .with_state(app)
}

/// What every handler gets.
struct Call {
    app: Arc<App>,
    parts: Parts,
    query: Parameters,
    request_id: String,
}

/// Sixteen hex digits, unlikely to come twice.
#[derive(Clone)]
struct RequestId(String);

impl Call {
    fn new(app: Arc<App>, request: HttpRequest) -> (Call, Body) {
        let (parts, body) = request.into_parts();
        let query = Parameters::of_query(&parts);
        let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
        (Call { app, parts, query, request_id }, body)
    }

    /// Runs a request on a query thread and writes its answer there as it comes.
    async fn run(
        &self,
        request: Request,
        write: impl FnOnce(EngineResponse, &mut Sink) -> Result<(), Problem> + Send + 'static,
    ) -> Result<Reply, Problem> {
        self.run_prepared(request, |_| Ok(()), write).await
    }

    /// As [`Call::run`], after what is left of the request's making: work for a query thread too.
    async fn run_prepared(
        &self,
        mut request: Request,
        prepare: impl FnOnce(&mut Request) -> Result<(), Problem> + Send + 'static,
        write: impl FnOnce(EngineResponse, &mut Sink) -> Result<(), Problem> + Send + 'static,
    ) -> Result<Reply, Problem> {
        let (engine, cancel) = (self.app.engine.clone(), request.cancel.clone());
        let entry = self.app.running.enter(&self.request_id, &request, self.app.options.slow_query);
        let job = move |sink: &mut Sink| {
            let _entry = entry;
            prepare(&mut request)?;
            write(engine.run(&request).map_err(answer::from_engine)?, sink)
        };
        let accepted = header_text(&self.parts.headers, header::ACCEPT_ENCODING);
        self.app.pool.respond(cancel, Encoding::negotiate(accepted.as_deref()), job).await
    }

    /// Returns who asks, where the node asks for tokens.
    fn user(&self) -> Option<String> {
        self.parts.extensions.get::<User>().map(|User(name)| name.clone())
    }

    fn is(&self, method: Method) -> bool {
        self.parts.method == method
    }

    /// GET, or HEAD, whose body is left out on the way.
    fn is_get(&self) -> bool {
        self.is(Method::GET) || self.is(Method::HEAD)
    }

    fn accept(&self) -> Option<String> {
        header_text(&self.parts.headers, header::ACCEPT)
    }

    fn address(&self, segment: Option<&str>) -> Result<Address, Problem> {
        let header = header_text(&self.parts.headers, HeaderName::from_static(BRANCH_HEADER));
        Address::new(segment, self.query.one(BRANCH_PARAMETER)?, header.as_deref())
            .map_err(|why| Problem::bad_request("AMBIGUOUS_ADDRESS", why))
    }

    /// Makes a request to the engine that reads.
    fn request(
        &self,
        language: Language,
        text: impl Into<String>,
        address: &Address,
    ) -> Result<Request, Problem> {
        let mut request = Request::new(language, text, now_ms());
        request.workspace.clone_from(&address.workspace);
        request.at.clone_from(&address.at);
        request.limits = self.app.options.limits;
        request.services = self.app.options.services.clone();
        request.served_at.clone_from(&self.app.options.bolt_address);
        request.user = self.user();
        request.files = self.app.options.files.clone().map(|files| files as Arc<dyn FileOpener>);
        // Headers are ASCII; a message in any other letters comes as a parameter.
        let in_query = self.query.one(MESSAGE_PARAMETER)?.map(str::to_owned);
        request.message = in_query.or_else(|| header_text(&self.parts.headers, MESSAGE_HEADER));
        request.only_at = self.expected_commits();
        request.cancel = Arc::new(AtomicBool::new(false));
        Ok(request)
    }

    /// Refuses what changes data where that is not allowed.
    fn check_may_write(&self) -> Result<(), Problem> {
        if self.app.options.read_only {
            return Err(Problem::new(StatusCode::FORBIDDEN, "READ_ONLY", "this node serves reading only"));
        }
        request::check_origin(&self.parts.headers)
    }

    /// Asks the engine something short that may touch the disk, off the socket threads.
    async fn blocking<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Engine) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, Problem> {
        let engine = self.app.engine.clone();
        match tokio::task::spawn_blocking(move || ask(&engine)).await {
            Ok(result) => result.map_err(answer::from_engine),
            Err(_) => {
                Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "it failed inside"))
            }
        }
    }

    /// Returns the commits that a write is for, from If-Match. Our tags are weak, since a commit has
    /// an answer in each format; but a write is to the commit, so that they compare as they are.
    fn expected_commits(&self) -> Option<Vec<String>> {
        let list = header_text(&self.parts.headers, header::IF_MATCH)?;
        let commits: Vec<String> = answer::tags(&list).map(str::to_owned).collect();
        (!commits.iter().any(|commit| commit == "*")).then_some(commits)
    }

    /// Returns the commit that the client says it has, from If-None-Match.
    fn known_commits(&self) -> Option<String> {
        self.is_get().then(|| header_text(&self.parts.headers, header::IF_NONE_MATCH)).flatten()
    }
}

type Reply = Response<Body>;

async fn sparql_short(State(app): State<Arc<App>>, request: HttpRequest) -> Reply {
    sparql::handle(app, None, request).await
}

async fn sparql_at(State(app): State<Arc<App>>, Path(segment): Path<String>, request: HttpRequest) -> Reply {
    sparql::handle(app, Some(segment), request).await
}

async fn cypher_short(State(app): State<Arc<App>>, request: HttpRequest) -> Reply {
    cypher::handle(app, None, request).await
}

async fn cypher_at(State(app): State<Arc<App>>, Path(segment): Path<String>, request: HttpRequest) -> Reply {
    cypher::handle(app, Some(segment), request).await
}

async fn graphql_short(State(app): State<Arc<App>>, request: HttpRequest) -> Reply {
    graphql::handle(app, None, request).await
}

async fn graphql_at(State(app): State<Arc<App>>, Path(segment): Path<String>, request: HttpRequest) -> Reply {
    graphql::handle(app, Some(segment), request).await
}

async fn graph_store_short(State(app): State<Arc<App>>, request: HttpRequest) -> Reply {
    graph_store::handle(app, None, false, request).await
}

async fn graph_short(State(app): State<Arc<App>>, request: HttpRequest) -> Reply {
    graph_store::handle(app, None, true, request).await
}

async fn graph_store_at(
    State(app): State<Arc<App>>,
    Path(segment): Path<String>,
    request: HttpRequest,
) -> Reply {
    graph_store::handle(app, Some(segment), false, request).await
}

async fn graph_at(
    State(app): State<Arc<App>>,
    Path((segment, _)): Path<(String, String)>,
    request: HttpRequest,
) -> Reply {
    graph_store::handle(app, Some(segment), true, request).await
}

async fn no_route(State(app): State<Arc<App>>, request: HttpRequest) -> Reply {
    let (call, _) = Call::new(app, request);
    let detail = format!("nothing is served at {}", call.parts.uri.path());
    Problem::new(StatusCode::NOT_FOUND, "UNKNOWN_PATH", detail)
        .hint("query URLs are /{workspace}@{ref}/sparql, /cypher and /graphql; GET / lists the rest")
        .into_json_response(&call.request_id)
}

/// Gives each request its id, answers preflights, and adds the headers that all answers have.
async fn common_headers(State(app): State<Arc<App>>, mut request: HttpRequest, next: Next) -> Reply {
    let mut bytes = [0; 8];
    // An id is for reading logs; without randomness it is merely less useful.
    let _ = getrandom::fill(&mut bytes);
    let id = data_encoding::HEXLOWER.encode(&bytes);
    request.extensions_mut().insert(RequestId(id.clone()));
    let is_preflight = request.method() == Method::OPTIONS;
    let mut response = match guard::admit(&mut request, app.options.tokens.as_deref()) {
        _ if is_preflight => preflight(),
        Ok(()) => next.run(request).await,
        Err(problem) if request.uri().path().starts_with("/db/") => problem.into_neo4j_response(),
        Err(problem) => problem.into_json_response(&id),
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let exposed = "ETag, Location, Reefloom-Commit, X-Request-Id, Allow, Retry-After";
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID_HEADER, id);
    }
    response
}

fn preflight() -> Reply {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers: &mut HeaderMap = response.headers_mut();
    let methods = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    headers.insert(header::ALLOW, methods.clone());
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    let allowed =
        "Accept, Authorization, Content-Type, If-Match, If-None-Match, Reefloom-Branch, Reefloom-Message";
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(allowed));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}
