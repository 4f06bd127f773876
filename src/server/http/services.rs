//! SERVICE: patterns sent to other SPARQL endpoints, those that the node may call.
//!
//! A query waits for the answer on its query thread. An endpoint is another's machine: its answer is
//! bounded in bytes and time, and its blank nodes are nobody's here.

use std::collections::HashMap;
use std::io::Read;
use std::time::Duration;

use sparesults::{QueryResultsFormat, QueryResultsParser, ReaderQueryResultsParserOutput};

use crate::execute::ServiceHandler;
use crate::model::{BlankNode, NamedNode, Term, rename_blank_nodes_of_term};

const ACCEPT: &str = "application/sparql-results+json, application/sparql-results+xml;q=0.9";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(60);
const ANSWER_BYTES_MAX: u64 = 256 << 20;
/// How much of a refusal is passed on.
const REFUSAL_BYTES_MAX: u64 = 500;

type Rows = Vec<Vec<Option<Term>>>;

/// The endpoints that queries may name.
pub struct HttpServices {
    agent: ureq::Agent,
    allowed: Vec<String>,
}

impl HttpServices {
    /// Allows these endpoints and no others; `*` allows any.
    pub fn new(allowed: Vec<String>) -> HttpServices {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(TIMEOUT))
            // Who is allowed says nothing of whom they send us to.
            .max_redirects(0)
            .build();
        HttpServices { agent: config.into(), allowed }
    }
}

impl ServiceHandler for HttpServices {
    fn query(&self, endpoint: &NamedNode, text: &str, columns: usize) -> Result<Rows, String> {
        if !self.allowed.iter().any(|allowed| allowed == "*" || allowed == endpoint.as_str()) {
            return Err("this node may not call it; --service allows an endpoint".to_owned());
        }
        let response = self
            .agent
            .post(endpoint.as_str())
            .header("Accept", ACCEPT)
            .send_form([("query", text)])
            .map_err(|error| error.to_string())?;
        let status = response.status();
        let media_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
        let format = media_type.and_then(QueryResultsFormat::from_media_type);
        let mut body = response.into_body().into_reader().take(ANSWER_BYTES_MAX);
        match format {
            Some(format) if status.is_success() => read_rows(body, format, columns),
            _ => {
                let mut refusal = String::new();
                // What cannot be read is told by its status alone.
                let _ = body.by_ref().take(REFUSAL_BYTES_MAX).read_to_string(&mut refusal);
                Err(format!("it answered {status}: {}", refusal.trim()))
            }
        }
    }
}

/// Reads a table of so many columns, in their order.
fn read_rows(body: impl Read, format: QueryResultsFormat, columns: usize) -> Result<Rows, String> {
    let parsed = QueryResultsParser::from_format(format).for_reader(body);
    let ReaderQueryResultsParserOutput::Solutions(solutions) = parsed.map_err(|error| error.to_string())?
    else {
        return Err("it answered with a boolean".to_owned());
    };
    if solutions.variables().len() != columns {
        return Err(format!("it answered with {} columns, not {columns}", solutions.variables().len()));
    }
    let mut names: HashMap<BlankNode, BlankNode> = HashMap::new();
    let mut rows = Vec::new();
    for solution in solutions {
        let solution = solution.map_err(|error| error.to_string())?;
        let mut row = solution.values().to_vec();
        for term in row.iter_mut().flatten() {
            rename_blank_nodes_of_term(term, |node| *node = names.entry(node.clone()).or_default().clone());
        }
        rows.push(row);
    }
    Ok(rows)
}
