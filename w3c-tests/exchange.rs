//! Exchanges: the requests of a protocol test, and what must come back, as manifests have them.
//!
//! Most stand in the vocabulary of HTTP in RDF. Those of the older graph store suite stand as text in
//! a comment; each goes on where the one before it ended, so that a test sends the others' first.

use oxrdf::{NamedOrBlankNode, Term};

use crate::manifest::{Case, Kind, Reader, as_subject};

const HT: &str = "http://www.w3.org/2011/http#";
const CNT: &str = "http://www.w3.org/2011/content#";
const MF: &str = "http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#";
const COMMENT: &str = "http://www.w3.org/2000/01/rdf-schema#comment";

/// Who the requests are addressed to, in their Host and in graphs' names.
pub const HOST: &str = "www.example";
/// Where a node has its endpoints.
const SPARQL: &str = "/sparql";
const GRAPH_STORE: &str = "/rdf-graph-store";

#[derive(Clone)]
pub struct Exchange {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// What later requests call the Location of the answer.
    pub location: Option<String>,
    /// `None` for what only leads to the request under test.
    pub expected: Option<Answer>,
}

/// What a test demands of an answer.
#[derive(Clone, Default)]
pub struct Answer {
    /// Names of statuses or classes of them, or numbers; any of them will do.
    pub statuses: Vec<String>,
    pub boolean: Option<bool>,
    /// `boolean`, `tabular` or `RDF`.
    pub format: Option<String>,
    pub headers: Vec<(String, String)>,
    /// In the format that the headers name.
    pub body: Option<String>,
}

pub fn read(reader: &Reader, entry: &NamedOrBlankNode) -> Result<Vec<Exchange>, String> {
    let Some(connection) = reader.value(entry, &format!("{MF}action")).as_ref().and_then(as_subject) else {
        let texts = reader.values(entry, COMMENT).into_iter().filter_map(literal);
        let text = texts.into_iter().find(|text| text.contains("#### Request"));
        return Ok(vec![from_text(&text.ok_or("no exchange is described")?)?]);
    };
    let requests = reader.list(&connection, &format!("{HT}requests"));
    requests.iter().filter_map(as_subject).map(|request| from_rdf(reader, &request)).collect()
}

/// Has the tests of a manifest in text go on where the one before them ended.
pub fn chain(cases: &mut [Case]) {
    let mut before = vec![existing_graph()];
    for case in cases.iter_mut().filter(|case| case.iri.contains("/http-rdf-update/manifest#")) {
        let Kind::Exchanges(Ok(exchanges)) = &mut case.kind else { continue };
        let [own] = exchanges.as_slice() else { return };
        let own = own.clone();
        exchanges.splice(0..0, before.iter().cloned());
        before.push(Exchange { expected: None, ..own });
    }
}

/// The graph that the suite's "DELETE - existing graph" takes to exist.
fn existing_graph() -> Exchange {
    Exchange {
        method: "PUT".to_owned(),
        target: format!("{GRAPH_STORE}/person/2.ttl"),
        headers: vec![("Content-Type".to_owned(), "text/turtle".to_owned())],
        body: b"<> a <http://xmlns.com/foaf/0.1/Document> .".to_vec(),
        location: None,
        expected: None,
    }
}

fn from_rdf(reader: &Reader, request: &NamedOrBlankNode) -> Result<Exchange, String> {
    let part = |node: &NamedOrBlankNode, name: &str| reader.value(node, name).and_then(literal);
    let target = part(request, &format!("{HT}absolutePath")).ok_or("a request without a path")?;
    let target = match (target.strip_prefix("/sparql/"), target.strip_prefix("/gsp")) {
        (Some(rest), _) => format!("{SPARQL}{rest}"),
        (_, Some(rest)) => format!("{GRAPH_STORE}{rest}"),
        _ => return Err(format!("{target} is no endpoint")),
    };
    let response = reader.value(request, &format!("{HT}resp")).as_ref().and_then(as_subject);
    let response = response.ok_or("a request without a response")?;
    let statuses = reader.iris(&response, &format!("{MF}expectedStatus"));
    Ok(Exchange {
        method: part(request, &format!("{HT}methodName")).ok_or("a request without a method")?,
        target,
        headers: headers(reader, request),
        body: body(reader, request)?.unwrap_or_default(),
        location: part(&response, &format!("{MF}expectedLocation")),
        expected: Some(Answer {
            statuses: statuses.iter().filter_map(|iri| Some(iri.rsplit_once('#')?.1.to_owned())).collect(),
            boolean: part(&response, &format!("{MF}expectedBoolean")).map(|text| text == "true"),
            format: part(&response, &format!("{MF}expectedFormat")),
            headers: headers(reader, &response),
            body: body(reader, &response)?.and_then(|bytes| String::from_utf8(bytes).ok()),
        }),
    })
}

fn headers(reader: &Reader, message: &NamedOrBlankNode) -> Vec<(String, String)> {
    let part = |node: &NamedOrBlankNode, name: &str| reader.value(node, name).and_then(literal);
    let headers = reader.list(message, &format!("{HT}headers"));
    let header = |node: NamedOrBlankNode| {
        Some((part(&node, &format!("{HT}fieldName"))?, part(&node, &format!("{HT}fieldValue"))?))
    };
    headers.iter().filter_map(as_subject).filter_map(header).collect()
}

/// Returns the bytes of a message's body, in the encoding that the manifest says.
fn body(reader: &Reader, message: &NamedOrBlankNode) -> Result<Option<Vec<u8>>, String> {
    let body = reader.value(message, &format!("{HT}body"));
    let Some(body) = body.as_ref().and_then(as_subject) else { return Ok(None) };
    let text = reader.value(&body, &format!("{CNT}chars")).and_then(literal).unwrap_or_default();
    let encoding = reader.value(&body, &format!("{CNT}characterEncoding")).and_then(literal);
    match encoding.as_deref() {
        Some("UTF-8") | None => Ok(Some(text.into_bytes())),
        Some("UTF-16") => Ok(Some(text.encode_utf16().flat_map(u16::to_be_bytes).collect())),
        Some(other) => Err(format!("the runner does not know the encoding {other}")),
    }
}

/// Reads a test that stands as text: a request and a response, indented, under their headings.
fn from_text(text: &str) -> Result<Exchange, String> {
    let text = text.replace("$HOST$", HOST).replace("/$GRAPHSTORE$", GRAPH_STORE);
    let text = text.replace("$GRAPHSTORE$", GRAPH_STORE);
    let (request, response) = text.split_once("#### Response").ok_or("a request without a response")?;
    let request = Message::read(request.split_once("#### Request").ok_or("no request")?.1);
    let response = Message::read(response);
    let mut words = request.start.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut expected = response.headers.clone();
    expected.retain(|(name, _)| name != "Location");
    Ok(Exchange {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: request.headers.into_iter().filter(|(name, _)| name != "Host").collect(),
        body: request.body.into_bytes(),
        location: response.headers.into_iter().find(|(name, _)| name == "Location").map(|(_, value)| value),
        expected: Some(Answer {
            statuses: vec![response.start.split(' ').next().unwrap_or_default().to_owned()],
            headers: expected,
            body: (!response.body.is_empty()).then_some(response.body),
            ..Answer::default()
        }),
    })
}

struct Message {
    start: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Message {
    fn read(text: &str) -> Message {
        let mut lines = text.trim().lines().map(|line| line.strip_prefix("    ").unwrap_or(line));
        let start = lines.next().unwrap_or_default().to_owned();
        let head = lines.by_ref().take_while(|line| !line.trim().is_empty());
        let header =
            |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
        let headers = head.filter_map(header).collect();
        Message { start, headers, body: lines.collect::<Vec<_>>().join("\r\n") }
    }
}

fn literal(term: Term) -> Option<String> {
    match term {
        Term::Literal(literal) => Some(literal.value().to_owned()),
        _ => None,
    }
}
