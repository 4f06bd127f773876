//! `Session`: what a client may say when, and what must be done for it. It reads no socket and runs no
//! statement: messages in, replies and tasks out.
//!
//! ```text
//! Connected --HELLO--> Unauthenticated --LOGON--> Ready        (before 5.1: HELLO leads to Ready)
//! Ready --RUN--> Streaming --PULL, DISCARD to the end--> Ready
//! Ready --BEGIN--> Transaction --COMMIT, ROLLBACK--> Ready     (in it RUN, PULL and DISCARD)
//! any of these --failure--> Failed --RESET--> Ready            (in Failed all else is ignored)
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::auth;
use super::failure::Failure;
use super::message::{Fetch, Message, Reply, text_of};
use super::packstream::{Entries, Packed, entry};
use super::value::Encoding;
use super::version::Version;
use crate::execute::COMPATIBLE_VERSION;
use crate::model::Map;
use crate::server::tokens::{Tokens, User};

/// Results that a transaction may have open at once.
const RESULTS_MAX: usize = 256;
/// Drivers before 6.0 turn away from servers whose agent begins in another way.
fn agent() -> String {
    format!("Neo4j/{COMPATIBLE_VERSION} (Reefloom/{})", env!("CARGO_PKG_VERSION"))
}

/// What follows from a message.
#[derive(Debug, PartialEq)]
pub enum Action {
    Reply(Reply),
    /// Do this, then tell [`Session::on_done`].
    Work(Task),
    /// Say this, if anything, and end the connection.
    End(Option<Reply>),
}

/// What the engine is asked for.
#[derive(Debug, PartialEq)]
pub enum Task {
    /// Opens a result under a number; in the transaction if there is no scope.
    Run {
        query: i64,
        text: String,
        parameters: Map,
        scope: Option<Scope>,
        user: Option<User>,
    },
    Fetch {
        query: i64,
        rows: Option<u64>,
        use_of: RowUse,
        encoding: Encoding,
    },
    Begin(Scope),
    Commit,
    Rollback,
    /// Drops results and the transaction.
    Reset,
    /// `address` is that by which the client reached us.
    Route {
        database: Option<String>,
        address: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowUse {
    Send,
    Discard,
}

/// Where statements run, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    pub database: Option<String>,
    pub may_write: bool,
    pub timeout: Option<Duration>,
    /// The message of the commit that it makes.
    pub message: Option<String>,
}

/// What came of a task.
#[derive(Debug, Default, PartialEq)]
pub struct Done {
    pub metadata: Entries,
    /// The result has more rows.
    pub has_more: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Connected,
    Unauthenticated,
    Ready,
    Streaming,
    Transaction,
    Failed,
    /// A RESET is on its way; what was sent before it is ignored.
    Interrupted,
    Closed,
}

pub struct Session {
    version: Version,
    connection_id: String,
    tokens: Option<Arc<Tokens>>,
    /// Who the client is, where it must say.
    user: Option<User>,
    encoding: Encoding,
    state: State,
    /// The numbers of the results that are open.
    results: BTreeSet<i64>,
    next_query: i64,
    /// The address that the client says it used.
    address: Option<String>,
    under_way: UnderWay,
}

/// The task whose end is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UnderWay {
    Nothing,
    Run { query: i64 },
    Fetch { query: i64 },
    Begin,
    End,
    Reset,
    Route,
}

impl Session {
    /// `tokens` are what clients are asked for; `None` if for nothing.
    pub fn new(version: Version, connection_id: String, tokens: Option<Arc<Tokens>>) -> Session {
        Session {
            version,
            connection_id,
            tokens,
            user: None,
            encoding: Encoding::of(version),
            state: State::Connected,
            results: BTreeSet::new(),
            next_query: 0,
            address: None,
            under_way: UnderWay::Nothing,
        }
    }

    pub fn is_authenticated(&self) -> bool {
        !matches!(self.state, State::Connected | State::Unauthenticated | State::Closed)
    }

    /// Returns whether neither a result nor a transaction is open.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Ready | State::Unauthenticated)
    }

    /// Notes that a RESET is on its way: nothing that was sent before it counts.
    pub fn interrupt(&mut self) {
        if self.is_authenticated() {
            self.state = State::Interrupted;
        }
    }

    /// # Panics
    /// If the task that the last message led to is not done.
    pub fn on_message(&mut self, message: Message) -> Action {
        assert_eq!(self.under_way, UnderWay::Nothing, "one task at a time");
        match (self.state, message) {
            (State::Closed, _) | (_, Message::Goodbye) => {
                self.state = State::Closed;
                Action::End(None)
            }
            (State::Connected, Message::Hello { extra }) => self.hello(&extra),
            (State::Unauthenticated, Message::Logon { token }) => self.logon(&token, Entries::new()),
            (State::Connected | State::Unauthenticated, _) => self.refuse("it is not its time yet"),
            (_, Message::Reset) => self.work(UnderWay::Reset, Task::Reset),
            (State::Failed | State::Interrupted, _) => Action::Reply(Reply::Ignored),
            (State::Ready, Message::Logoff) if self.version >= Version::V5_1 => {
                self.state = State::Unauthenticated;
                success(Entries::new())
            }
            (State::Ready, Message::Begin { extra }) => match scope(&extra) {
                Ok(scope) => self.work(UnderWay::Begin, Task::Begin(scope)),
                Err(failure) => self.fail(failure),
            },
            (State::Ready, Message::Route { context, database }) => {
                let address = text_of(&context, "address").or_else(|| self.address.clone());
                self.work(UnderWay::Route, Task::Route { database, address })
            }
            (State::Ready | State::Transaction, Message::Run { text, parameters, extra }) => {
                self.run(text, parameters, &extra)
            }
            (State::Streaming | State::Transaction, Message::Pull(fetch)) => self.fetch(fetch, RowUse::Send),
            (State::Streaming | State::Transaction, Message::Discard(fetch)) => {
                self.fetch(fetch, RowUse::Discard)
            }
            (State::Transaction, Message::Commit) => self.work(UnderWay::End, Task::Commit),
            (State::Transaction, Message::Rollback) => self.work(UnderWay::End, Task::Rollback),
            (_, Message::Telemetry) => success(Entries::new()),
            (_, _) => self.refuse("it does not fit what came before"),
        }
    }

    /// Returns the reply to the message that led to the task.
    pub fn on_done(&mut self, done: Result<Done, Failure>) -> Reply {
        let under_way = std::mem::replace(&mut self.under_way, UnderWay::Nothing);
        let Done { mut metadata, has_more } = match done {
            Ok(done) => done,
            Err(failure) => {
                self.results.clear();
                self.state = State::Failed;
                return Reply::Failure(failure);
            }
        };
        match under_way {
            UnderWay::Nothing => unreachable!("a task is done that nobody began"),
            UnderWay::Run { query } => {
                self.results.insert(query);
                match self.state {
                    State::Transaction => metadata.push(("qid".to_owned(), Packed::Integer(query))),
                    _ => self.state = State::Streaming,
                }
            }
            UnderWay::Fetch { .. } if has_more => {}
            UnderWay::Fetch { query } => {
                self.results.remove(&query);
                if self.state == State::Streaming {
                    self.state = State::Ready;
                }
            }
            UnderWay::Begin => {
                self.next_query = 0;
                self.state = State::Transaction;
            }
            UnderWay::End | UnderWay::Reset => {
                self.results.clear();
                self.state = State::Ready;
            }
            UnderWay::Route => {}
        }
        Reply::Success(metadata)
    }

    fn hello(&mut self, extra: &Entries) -> Action {
        if let Some(Packed::Map(routing)) = entry(extra, "routing") {
            self.address = text_of(routing, "address");
        }
        let mut metadata = vec![
            ("server".to_owned(), Packed::String(agent())),
            ("connection_id".to_owned(), Packed::string(self.connection_id.clone())),
            ("hints".to_owned(), Packed::Map(Entries::new())),
        ];
        let wants_utc = matches!(entry(extra, "patch_bolt"), Some(Packed::List(patches))
            if patches.iter().any(|patch| patch.as_text() == Some("utc")));
        if wants_utc && self.version < Version::V5_0 {
            self.encoding.is_utc = true;
            metadata.push(("patch_bolt".to_owned(), Packed::List(vec![Packed::string("utc")])));
        }
        if self.version < Version::V5_1 {
            return self.logon(extra, metadata);
        }
        self.state = State::Unauthenticated;
        success(metadata)
    }

    fn logon(&mut self, token: &Entries, metadata: Entries) -> Action {
        match auth::admit(token, self.tokens.as_deref()) {
            Ok(user) => {
                self.user = user;
                self.state = State::Ready;
                success(metadata)
            }
            Err(failure) => {
                self.state = State::Closed;
                Action::End(Some(Reply::Failure(failure)))
            }
        }
    }

    fn run(&mut self, text: String, parameters: Entries, extra: &Entries) -> Action {
        let is_in_transaction = self.state == State::Transaction;
        if self.results.len() >= RESULTS_MAX {
            return self.fail(Failure::invalid(format!("more than {RESULTS_MAX} results are open")));
        }
        let read = || {
            let scope = if is_in_transaction { None } else { Some(scope(extra)?) };
            Ok((self.encoding.parameters(parameters)?, scope))
        };
        let (parameters, scope) = match read() {
            Ok(read) => read,
            Err(failure) => return self.fail(failure),
        };
        let user = self.user.clone();
        let query = if is_in_transaction { self.next_query } else { 0 };
        self.next_query = query + 1;
        self.work(UnderWay::Run { query }, Task::Run { query, text, parameters, scope, user })
    }

    fn fetch(&mut self, Fetch { rows, query }: Fetch, use_of: RowUse) -> Action {
        let query = query.unwrap_or(self.next_query - 1);
        if !self.results.contains(&query) {
            return self.fail(Failure::invalid(format!("there is no open result {query}")));
        }
        let encoding = self.encoding;
        self.work(UnderWay::Fetch { query }, Task::Fetch { query, rows, use_of, encoding })
    }

    fn work(&mut self, under_way: UnderWay, task: Task) -> Action {
        self.under_way = under_way;
        Action::Work(task)
    }

    /// Tells of a failure that needs no task; the transaction, if there is one, goes with the RESET.
    fn fail(&mut self, failure: Failure) -> Action {
        self.state = State::Failed;
        Action::Reply(Reply::Failure(failure))
    }

    /// Ends the connection of a client that does not keep to the protocol.
    fn refuse(&mut self, why: &str) -> Action {
        self.state = State::Closed;
        Action::End(Some(Reply::Failure(Failure::invalid(format!("the message was refused: {why}")))))
    }
}

fn success(metadata: Entries) -> Action {
    Action::Reply(Reply::Success(metadata))
}

/// Reads what BEGIN, or RUN outside of a transaction, says about where and how.
fn scope(extra: &Entries) -> Result<Scope, Failure> {
    if text_of(extra, "imp_user").is_some() {
        let message = "there are no users to impersonate";
        return Err(Failure::new("Neo.ClientError.Security.Forbidden", message));
    }
    let timeout = match entry(extra, "tx_timeout") {
        None | Some(Packed::Null | Packed::Integer(0)) => None,
        Some(timeout) => {
            let ms = timeout.as_integer().and_then(|ms| u64::try_from(ms).ok());
            let ms = ms.ok_or_else(|| Failure::invalid("tx_timeout is a number of milliseconds"))?;
            Some(Duration::from_millis(ms))
        }
    };
    let may_write = text_of(extra, "mode").is_none_or(|mode| mode != "r");
    let message = match entry(extra, "tx_metadata") {
        Some(Packed::Map(metadata)) => text_of(metadata, "message"),
        _ => None,
    };
    Ok(Scope { database: text_of(extra, "db"), may_write, timeout, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(entries: &[(&str, &str)]) -> Entries {
        entries.iter().map(|(key, text)| ((*key).to_owned(), Packed::string(*text))).collect()
    }

    fn ready() -> Session {
        let mut session = Session::new(Version::V5_8, "1".into(), None);
        session.on_message(Message::Hello { extra: Entries::new() });
        session.on_message(Message::Logon { token: texts(&[("scheme", "none")]) });
        session
    }

    fn run() -> Message {
        Message::Run { text: "RETURN 1".into(), parameters: Entries::new(), extra: Entries::new() }
    }

    fn pull(query: Option<i64>) -> Message {
        Message::Pull(Fetch { rows: Some(1), query })
    }

    /// Sends a message whose task succeeds.
    fn succeed(session: &mut Session, message: Message, has_more: bool) -> Entries {
        let action = session.on_message(message);
        assert!(matches!(action, Action::Work(_)), "{action:?}");
        match session.on_done(Ok(Done { metadata: Entries::new(), has_more })) {
            Reply::Success(metadata) => metadata,
            other => panic!("{other:?}"),
        }
    }

    fn is_ignored(session: &mut Session, message: Message) -> bool {
        session.on_message(message) == Action::Reply(Reply::Ignored)
    }

    #[test]
    fn a_result_is_pulled_to_its_end() {
        let mut session = ready();
        succeed(&mut session, run(), false);
        succeed(&mut session, pull(None), true);
        succeed(&mut session, Message::Discard(Fetch { rows: None, query: None }), false);
        assert!(matches!(session.on_message(pull(None)), Action::End(Some(Reply::Failure(_)))));
    }

    #[test]
    fn a_transaction_has_several_results() {
        let mut session = ready();
        succeed(&mut session, Message::Begin { extra: Entries::new() }, false);
        for number in [0, 1] {
            assert_eq!(succeed(&mut session, run(), false), [("qid".to_owned(), Packed::Integer(number))]);
        }
        let Action::Work(Task::Fetch { query: 1, .. }) = session.on_message(pull(None)) else {
            panic!("the last one")
        };
        session.on_done(Ok(Done { has_more: true, ..Done::default() }));
        succeed(&mut session, pull(Some(0)), false);
        succeed(&mut session, pull(Some(1)), false);
        succeed(&mut session, Message::Commit, false);
        assert!(matches!(session.on_message(Message::Commit), Action::End(_)));
    }

    #[test]
    fn after_a_failure_all_is_ignored_until_reset() {
        let mut session = ready();
        session.on_message(run());
        let failure = Failure::invalid("no");
        assert_eq!(session.on_done(Err(failure.clone())), Reply::Failure(failure));
        assert!(is_ignored(&mut session, pull(None)));
        assert!(is_ignored(&mut session, run()));
        succeed(&mut session, Message::Reset, false);
        succeed(&mut session, run(), false);
        session.interrupt();
        assert!(is_ignored(&mut session, pull(None)));
        succeed(&mut session, Message::Reset, false);
        succeed(&mut session, run(), false);
        let no_such = session.on_message(pull(Some(7)));
        assert!(matches!(no_such, Action::Reply(Reply::Failure(_))), "{no_such:?}");
    }

    #[test]
    fn who_has_not_said_who_they_are_can_ask_nothing() {
        for message in [run(), Message::Reset, Message::Logoff, Message::Telemetry] {
            let mut session = Session::new(Version::V5_1, "1".into(), None);
            assert!(matches!(session.on_message(message.clone()), Action::End(Some(_))), "{message:?}");
            assert_eq!(session.on_message(message), Action::End(None));
        }
        let mut session = Session::new(Version::V5_1, "1".into(), None);
        session.on_message(Message::Hello { extra: Entries::new() });
        assert!(!session.is_authenticated());
        let kerberos = Message::Logon { token: texts(&[("scheme", "kerberos")]) };
        assert!(matches!(session.on_message(kerberos), Action::End(Some(Reply::Failure(_)))));
    }

    #[test]
    fn where_tokens_are_asked_for_only_they_let_in() {
        let token = "0123456789abcdef";
        let tokens = Arc::new(Tokens::parse(&format!("anna:{token}")).unwrap());
        let log_on = |entries: &[(&str, &str)]| {
            let mut session = Session::new(Version::V5_1, "1".into(), Some(tokens.clone()));
            session.on_message(Message::Hello { extra: Entries::new() });
            let action = session.on_message(Message::Logon { token: texts(entries) });
            assert_eq!(session.is_authenticated(), matches!(action, Action::Reply(Reply::Success(_))));
            session.user.map(|User(name)| name)
        };
        let basic = |name, token| log_on(&[("scheme", "basic"), ("principal", name), ("credentials", token)]);
        assert_eq!(basic("anna", token), Some("anna".to_owned()));
        assert_eq!(log_on(&[("scheme", "bearer"), ("credentials", token)]), Some("anna".to_owned()));
        assert_eq!(basic("anna", "guess"), None);
        assert_eq!(basic("bert", token), None);
        for nobody in [&[("scheme", "none")][..], &[], &[("scheme", "basic")], &[("scheme", "bearer")]] {
            assert_eq!(log_on(nobody), None, "{nobody:?}");
        }
    }

    #[test]
    fn in_4_4_hello_says_who_and_may_ask_for_utc() {
        let mut session = Session::new(Version { major: 4, minor: 4 }, "1".into(), None);
        let mut extra = texts(&[("scheme", "basic"), ("principal", "p"), ("credentials", "c")]);
        extra.push(("patch_bolt".into(), Packed::List(vec![Packed::string("utc")])));
        let Action::Reply(Reply::Success(metadata)) = session.on_message(Message::Hello { extra }) else {
            panic!("refused")
        };
        assert!(entry(&metadata, "patch_bolt").is_some());
        assert!(session.is_authenticated() && session.encoding.is_utc);
    }

    #[test]
    fn a_scope_is_read_or_refused() {
        let mut extra = texts(&[("mode", "r"), ("db", "w@draft")]);
        extra.push(("tx_timeout".into(), Packed::Integer(1500)));
        extra.push(("tx_metadata".into(), Packed::Map(texts(&[("message", "why")]))));
        let expected = Scope {
            database: Some("w@draft".into()),
            may_write: false,
            timeout: Some(Duration::from_millis(1500)),
            message: Some("why".into()),
        };
        assert_eq!(scope(&extra), Ok(expected));
        assert!(scope(&texts(&[("imp_user", "somebody")])).is_err());
        assert!(scope(&vec![("tx_timeout".into(), Packed::Integer(-1))]).is_err());
    }
}
