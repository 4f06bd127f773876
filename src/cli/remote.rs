//! A client of the HTTP API of the node that has the data folder open.
//!
//! It turns the node's problems back into the failures, and the exit codes, that the same request
//! has without a node. `docs/http_api.md` is its contract.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::place::{Branch, Commit, Pin};
use super::{Failure, exit};
use crate::engine::{
    AnswerFormat, CollectOptions, Collected, EngineError, Explain, Language, Optimized, Request, RunningNode,
    Status,
};
use crate::language::SyntaxError;
use crate::model::Value;
use crate::results::{GraphFormat, SolutionsFormat, write_value};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// What the node tells of a failure is short.
const PROBLEM_BYTES_MAX: u64 = 1 << 20;
/// The most commits that the node lists at once.
const COMMITS_MAX: usize = 1_000;

const JSON: &str = "application/json";

pub struct Remote {
    agent: ureq::Agent,
    url: String,
    /// What the node asks for.
    token: Option<String>,
}

/// What a SPARQL update made.
#[derive(Deserialize, Serialize)]
pub struct Updated {
    pub commit: String,
    pub inserted: u64,
    pub deleted: u64,
}

/// The body of a good answer.
pub type Answer = ureq::BodyReader<'static>;

/// The body of a request: media type and text.
type Body<'a> = (&'a str, String);

impl Remote {
    pub fn new(node: &RunningNode) -> Remote {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // The node is on this machine, whatever the environment says of proxies.
            .proxy(None)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .build();
        let mut address = node.http;
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        Remote { agent: config.into(), url: format!("http://{address}"), token: node.token.clone() }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends a question or an order and returns the answer's bytes, in `format` as far as it suits.
    pub fn ask(&self, request: &Request, format: AnswerFormat) -> Result<Answer, Failure> {
        let explain = request.explain.map(|explain| match explain {
            Explain::Plan => ("explain", "true"),
            Explain::Profile => ("profile", "true"),
        });
        let at = request.at.as_deref().map(|at| ("branch", at));
        let message = request.message.as_deref().map(|message| ("message", message));
        let reads =
            (request.language == Language::Cypher && !request.may_write).then_some(("readonly", "true"));
        let parameters: Vec<_> = [at, message, explain, reads].into_iter().flatten().collect();
        let (route, body) = match request.language {
            Language::SparqlQuery => ("sparql", ("application/sparql-query", request.text.clone())),
            Language::SparqlUpdate => ("sparql", ("application/sparql-update", request.text.clone())),
            Language::Cypher => ("cypher", (JSON, with_parameters(request, "statement", "parameters")?)),
            Language::GraphQl => ("graphql", (JSON, with_parameters(request, "query", "variables")?)),
        };
        let workspace = request.workspace.as_deref().map(encode).map(|name| format!("/{name}"));
        let path = format!("{}/{route}", workspace.unwrap_or_default());
        let accept = accept(format, request.language);
        self.send("POST", &path, &parameters, &accept, Some(body), &request.text)
    }

    /// Sends a SPARQL update.
    pub fn update(&self, request: &Request) -> Result<Updated, Failure> {
        self.parse(self.ask(request, AnswerFormat::Json)?)
    }

    pub fn status(&self) -> Result<Status, Failure> {
        self.get("/v1/cluster/status", &[])
    }

    pub fn branches(&self, workspace: Option<&str>) -> Result<Vec<Branch>, Failure> {
        #[derive(Deserialize)]
        struct Listed {
            branches: Vec<Branch>,
        }
        let listed: Listed = self.get(&self.path(workspace, "branches")?, &[])?;
        Ok(listed.branches)
    }

    pub fn create_branch(
        &self,
        workspace: Option<&str>,
        name: &str,
        from: Option<&str>,
    ) -> Result<String, Failure> {
        #[derive(Deserialize)]
        struct Made {
            commit: String,
        }
        let path = self.path(workspace, "branches")?;
        let made: Made = self.change("POST", &path, &json!({"name": name, "at": from}))?;
        Ok(made.commit)
    }

    pub fn delete_branch(&self, workspace: Option<&str>, name: &str) -> Result<(), Failure> {
        let path = self.path(workspace, &format!("branches/{}", encode(name)))?;
        self.send("DELETE", &path, &[], JSON, None, "").map(drop)
    }

    pub fn switch(&self, workspace: Option<&str>, name: &str) -> Result<(), Failure> {
        let path = self.path(workspace, &format!("branches/{}", encode(name)))?;
        let _: Branch = self.change("PATCH", &path, &json!({"isDefault": true}))?;
        Ok(())
    }

    pub fn optimize(&self, workspace: Option<&str>, at: Option<&str>) -> Result<Optimized, Failure> {
        self.at("POST", &self.path(workspace, "optimize")?, at)
    }

    pub fn collect_garbage(&self, options: CollectOptions) -> Result<Collected, Failure> {
        let flag = |is_set: bool| if is_set { "true" } else { "false" };
        let parameters = [("dry-run", flag(options.is_dry_run)), ("prune", flag(options.forget_gone))];
        self.parse(self.send("POST", "/v1/gc", &parameters, JSON, None, "")?)
    }

    pub fn pins(&self, workspace: Option<&str>) -> Result<Vec<Pin>, Failure> {
        #[derive(Deserialize)]
        struct Listed {
            pins: Vec<Pin>,
        }
        let listed: Listed = self.get(&self.path(workspace, "pins")?, &[])?;
        Ok(listed.pins)
    }

    pub fn pin(&self, workspace: Option<&str>, name: &str, at: Option<&str>) -> Result<String, Failure> {
        let pin: Pin = self.at("PUT", &self.path(workspace, &format!("pins/{}", encode(name)))?, at)?;
        Ok(pin.commit)
    }

    pub fn unpin(&self, workspace: Option<&str>, name: &str) -> Result<(), Failure> {
        let path = self.path(workspace, &format!("pins/{}", encode(name)))?;
        self.send("DELETE", &path, &[], JSON, None, "").map(drop)
    }

    /// Returns at most `count` commits, newest first.
    pub fn log(
        &self,
        workspace: Option<&str>,
        at: Option<&str>,
        count: usize,
    ) -> Result<Vec<Commit>, Failure> {
        #[derive(Deserialize)]
        struct Listed {
            commits: Vec<Commit>,
        }
        let path = self.path(workspace, "commits")?;
        let mut commits: Vec<Commit> = Vec::new();
        let mut at = at.map(str::to_owned);
        while commits.len() < count {
            let limit = (count - commits.len()).min(COMMITS_MAX);
            let text = limit.to_string();
            let mut parameters = vec![("limit", text.as_str())];
            parameters.extend(at.as_deref().map(|at| ("branch", at)));
            let page: Listed = self.get(&path, &parameters)?;
            let is_last = page.commits.len() < limit;
            commits.extend(page.commits);
            match commits.last().and_then(|oldest| oldest.parents.first()) {
                Some(parent) if !is_last => at = Some(format!("commit:{parent}")),
                _ => break,
            }
        }
        Ok(commits)
    }

    /// Returns a path within a workspace; the default one's if `None`.
    fn path(&self, workspace: Option<&str>, rest: &str) -> Result<String, Failure> {
        let name = match workspace {
            Some(name) => name.to_owned(),
            None => {
                let first = self.status()?.workspaces.into_iter().next();
                first.ok_or_else(|| Failure::not_found("the node holds no workspace"))?.name
            }
        };
        Ok(format!("/{}/{rest}", encode(&name)))
    }

    /// Sends an order without a body, at a branch or commit.
    fn at<T: DeserializeOwned>(&self, method: &str, path: &str, at: Option<&str>) -> Result<T, Failure> {
        let parameters: Vec<(&str, &str)> = at.map(|at| ("branch", at)).into_iter().collect();
        self.parse(self.send(method, path, &parameters, JSON, None, "")?)
    }

    fn get<T: DeserializeOwned>(&self, path: &str, parameters: &[(&str, &str)]) -> Result<T, Failure> {
        self.parse(self.send("GET", path, parameters, JSON, None, "")?)
    }

    fn change<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<T, Failure> {
        self.parse(self.send(method, path, &[], JSON, Some((JSON, body.to_string())), "")?)
    }

    fn parse<T: DeserializeOwned>(&self, answer: impl Read) -> Result<T, Failure> {
        serde_json::from_reader(answer).map_err(|error| {
            Failure::other(format!("{} answers otherwise than it should: {error}", self.url))
        })
    }

    /// Sends a request and returns the body of a good answer. `text` is the statement in it.
    fn send(
        &self,
        method: &str,
        path: &str,
        parameters: &[(&str, &str)],
        accept: &str,
        body: Option<Body<'_>>,
        text: &str,
    ) -> Result<Answer, Failure> {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        let uri = format!("{}{path}{}{query}", self.url, if query.is_empty() { "" } else { "?" });
        let mut builder = ureq::http::Request::builder().method(method).uri(uri).header("Accept", accept);
        if let Some(token) = &self.token {
            builder = builder.header("Authorization", format!("Bearer {token}"));
        }
        let failed = |error: ureq::Error| Failure::other(format!("the node at {}: {error}", self.url));
        let response = match body {
            Some((media_type, body)) => {
                let request = builder.header("Content-Type", media_type).body(body);
                self.agent.run(request.map_err(|error| failed(error.into()))?)
            }
            None => self.agent.run(builder.body(()).map_err(|error| failed(error.into()))?),
        };
        let response = response.map_err(failed)?;
        let status = response.status().as_u16();
        let answer: Answer = response.into_body().into_reader();
        if (200..300).contains(&status) {
            return Ok(answer);
        }
        let mut problem = Vec::new();
        // What cannot be read is told by its status alone.
        let _ = answer.take(PROBLEM_BYTES_MAX).read_to_end(&mut problem);
        let problem: Problem = serde_json::from_slice(&problem).unwrap_or_default();
        Err(problem.into_failure(status, text))
    }
}

fn encode(segment: &str) -> String {
    utf8_percent_encode(segment, NON_ALPHANUMERIC).to_string()
}

fn with_parameters(request: &Request, text: &str, parameters: &str) -> Result<String, Failure> {
    let mut values = Vec::new();
    write_value(&mut values, &Value::Map(request.parameters.clone()))?;
    let values: serde_json::Value =
        serde_json::from_slice(&values).map_err(|error| Failure::other(error.to_string()))?;
    Ok(json!({text: request.text, parameters: values}).to_string())
}

/// Returns the Accept header for an answer of any kind: rows have one format, graphs another.
fn accept(format: AnswerFormat, language: Language) -> String {
    if language == Language::GraphQl {
        return "application/graphql-response+json".to_owned();
    }
    let json = match language {
        Language::Cypher => JSON,
        _ => SolutionsFormat::Json.media_type(),
    };
    let (rows, graph) = match format {
        AnswerFormat::Table => ("text/plain", GraphFormat::Turtle),
        AnswerFormat::Json => (json, GraphFormat::JsonLd),
        AnswerFormat::Solutions(format) => (format.media_type(), GraphFormat::Turtle),
        AnswerFormat::Graph(format) => (json, format),
    };
    // Text is rows as a table but a graph as N-Triples: what graphs come in is named before it.
    format!("{}, {rows};q=0.9, application/problem+json", graph.media_type())
}

/// What the node says of a failure: RFC 9457's members, or GraphQL's errors.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    detail: String,
    code: String,
    line: Option<u32>,
    column: Option<u32>,
    hint: Option<String>,
    reason: Option<String>,
    errors: Vec<GraphqlError>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GraphqlError {
    message: String,
    locations: Vec<Location>,
    extensions: Extensions,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Location {
    line: u32,
    column: u32,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Extensions {
    code: String,
    hint: Option<String>,
}

impl Problem {
    fn into_failure(self, status: u16, text: &str) -> Failure {
        let mistakes = self.mistakes();
        if status == 400 && !mistakes.is_empty() {
            return EngineError::Syntax { errors: mistakes, text: text.to_owned() }.into();
        }
        let (detail, code, hint) = match self.errors.into_iter().next() {
            Some(error) => (error.message, error.extensions.code, error.extensions.hint),
            None => (self.detail, self.code, self.hint),
        };
        let message = match (detail.is_empty(), self.reason) {
            (true, _) => format!("the node answers with HTTP status {status}"),
            (false, Some(reason)) => format!("{code}({reason}): {detail}"),
            (false, None) => detail,
        };
        Failure { code: exit_code(status, &code), message, hint }
    }

    /// Returns the faults in a statement that have a place in it.
    fn mistakes(&self) -> Vec<SyntaxError> {
        let mistake = |message: &str, code: &str, line, column| SyntaxError {
            message: message.to_owned(),
            line,
            column,
            offset: 0,
            code: code.to_owned(),
        };
        if let (Some(line), Some(column)) = (self.line, self.column) {
            return vec![mistake(&self.detail, &self.code, line, column)];
        }
        let placed = |error: &GraphqlError| {
            let place = error.locations.first()?;
            Some(mistake(&error.message, &error.extensions.code, place.line, place.column))
        };
        self.errors.iter().filter_map(placed).collect()
    }
}

/// Returns the exit code that the same failure has without a node.
fn exit_code(status: u16, code: &str) -> u8 {
    match (status, code) {
        (_, "INVALID") => exit::USAGE,
        (_, "BLOCKS_UNAVAILABLE") => 7,
        (_, "CORRUPT") => 8,
        (_, "CANCELLED") => 130,
        (403, _) => 6,
        (404, _) => 4,
        (409 | 412, _) => 5,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, problem: serde_json::Value, code: u8, words: &str) {
        let parsed: Problem = serde_json::from_value(problem.clone()).unwrap();
        let failure = parsed.into_failure(status, "{ vessels { nam } }");
        assert_eq!(failure.code, code, "{problem}");
        assert!(failure.message.contains(words), "{problem}: {}", failure.message);
    }

    #[test]
    fn problems_become_the_failures_that_they_were() {
        let place = json!({"detail": "expected }", "code": "SYNTAX_ERROR", "line": 1, "column": 13});
        check(400, place, 3, "(line 1, column 13)\n    { vessels { nam } }\n                ^");
        let graphql = json!({"errors": [{"message": "no field", "locations": [{"line": 1, "column": 13}],
            "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"}}]});
        check(400, graphql, 3, "no field (line 1, column 13)");
        let writes = json!({"detail": "no", "code": "FORBIDDEN", "hint": "why not"});
        let parsed: Problem = serde_json::from_value(writes).unwrap();
        assert_eq!(parsed.into_failure(403, "").hint.as_deref(), Some("why not"));
        let unplaced = json!({"errors": [{"message": "there is no branch or commit 'x'",
            "extensions": {"code": "UNKNOWN_REF"}}]});
        check(404, unplaced, 4, "'x'");
        check(400, json!({"detail": "bad name", "code": "INVALID"}), 2, "bad name");
        let runtime = json!({"detail": "by zero", "code": "ArithmeticError", "reason": "DivisionByZero"});
        check(400, runtime, 1, "ArithmeticError(DivisionByZero): by zero");
        check(403, json!({"detail": "no", "code": "FORBIDDEN"}), 6, "no");
        check(409, json!({"detail": "no", "code": "CONFLICT"}), 5, "no");
        check(503, json!({"detail": "3 block(s)", "code": "BLOCKS_UNAVAILABLE"}), 7, "3 block(s)");
        check(500, json!({"detail": "no", "code": "CORRUPT"}), 8, "no");
        check(502, json!({}), 1, "status 502");
    }
}
