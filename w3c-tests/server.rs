//! Protocol tests: their requests go to a node's HTTP server on loopback, a fresh one for each test.

use std::collections::BTreeMap;

use oxrdf::{Dataset, GraphName, Quad};
use oxrdfio::{RdfFormat, RdfParser};
use reefloom::engine::{Engine, WorkspaceSettings};
use reefloom::server::HttpOptions;
use sparesults::{QueryResultsFormat, QueryResultsParser, SliceQueryResultsParserOutput};

use crate::compare::same_dataset;
use crate::exchange::{Answer, Exchange, HOST};
use crate::files::Suites;
use crate::manifest::Case;
use crate::served::{Reply, Served};

/// Starts a node whose default workspace holds these quads.
pub fn start(quads: Vec<Quad>) -> Result<Served, String> {
    start_with(quads, HttpOptions::default())
}

pub fn start_with(quads: Vec<Quad>, options: HttpOptions) -> Result<Served, String> {
    let engine = Engine::in_memory();
    let hosted = engine
        .create_workspace("tests", WorkspaceSettings::default(), 0)
        .map_err(|error| error.to_string())?;
    if !quads.is_empty() {
        let quads = [Ok::<_, std::convert::Infallible>(quads)];
        hosted.workspace().load("main", quads, "a test's data", 0).map_err(|error| error.to_string())?;
    }
    Ok(Served::start(engine, options))
}

pub fn exchanges(
    suites: &Suites,
    case: &Case,
    exchanges: &Result<Vec<Exchange>, String>,
) -> Result<(), String> {
    let exchanges = exchanges.as_ref().map_err(String::clone)?;
    let mut quads = Vec::new();
    for (name, document) in &case.graphs {
        let name = oxrdf::NamedNode::new(name).map_err(|error| error.to_string())?;
        quads.extend(suites.quads(document, name.into())?);
    }
    let served = start(quads)?;
    let mut locations = BTreeMap::new();
    for (index, exchange) in exchanges.iter().enumerate() {
        let reply = send(&served, exchange, &locations);
        if let Some(name) = &exchange.location {
            locations.insert(name.clone(), reply.header("location").to_owned());
        }
        let Some(expected) = &exchange.expected else { continue };
        let needs_location = exchange.location.is_some();
        check(&reply, expected, needs_location).map_err(|reason| {
            format!(
                "request {} ({} {}): {reason}\n{}",
                index + 1,
                exchange.method,
                exchange.target,
                reply.body.trim()
            )
        })?;
    }
    Ok(())
}

fn send(served: &Served, exchange: &Exchange, locations: &BTreeMap<String, String>) -> Reply {
    let replace = |text: &str| {
        locations.iter().fold(text.to_owned(), |text, (name, location)| text.replace(name, location))
    };
    let mut headers: Vec<(&str, &str)> =
        exchange.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    headers.push(("Host", HOST));
    let body = match std::str::from_utf8(&exchange.body) {
        Ok(text) => replace(text).into_bytes(),
        Err(_) => exchange.body.clone(),
    };
    served.send(&exchange.method, &replace(&exchange.target), &headers, body)
}

fn check(reply: &Reply, expected: &Answer, needs_location: bool) -> Result<(), String> {
    if !expected.statuses.iter().any(|status| is_status(reply.status, status)) {
        return Err(format!("the status is {}, expected {}", reply.status, expected.statuses.join(" or ")));
    }
    if needs_location && reply.header("location").is_empty() {
        return Err("there is no Location".to_owned());
    }
    for (name, value) in &expected.headers {
        let found = reply.header(&name.to_ascii_lowercase());
        // The suite leaves out what it cannot know.
        let is_same = if value == "..." { !found.is_empty() } else { found == value };
        if !is_same {
            return Err(format!("{name} is '{found}', expected '{value}'"));
        }
    }
    let media_type = reply.header("content-type").split(';').next().unwrap_or_default().to_owned();
    match expected.format.as_deref() {
        Some("boolean") => check_boolean(reply, &media_type, expected.boolean)?,
        Some("tabular") => check_table(reply, &media_type)?,
        Some("RDF") => drop(graph(&reply.bytes, &media_type)?),
        Some(other) => return Err(format!("the runner does not know the format {other}")),
        None => {}
    }
    match &expected.body {
        Some(body) => same_dataset(graph(&reply.bytes, &media_type)?, graph(body.as_bytes(), &media_type)?),
        None => Ok(()),
    }
}

/// Returns whether a status is the one that a name of the HTTP status code vocabulary, or a number, means.
fn is_status(status: u16, name: &str) -> bool {
    match name {
        "OK" => status == 200,
        "Created" => status == 201,
        "NoContent" => status == 204,
        "NotFound" => status == 404,
        "StatusCode2xx" => status / 100 == 2,
        "StatusCode3xx" => status / 100 == 3,
        "StatusCode4xx" => status / 100 == 4,
        number => number.parse() == Ok(status),
    }
}

fn results(reply: &Reply, media_type: &str) -> Result<QueryResultsParser, String> {
    let format = QueryResultsFormat::from_media_type(media_type);
    let format = format.ok_or_else(|| format!("{media_type} is no format of results: {}", reply.body))?;
    Ok(QueryResultsParser::from_format(format))
}

fn check_boolean(reply: &Reply, media_type: &str, expected: Option<bool>) -> Result<(), String> {
    match results(reply, media_type)?.for_slice(&reply.bytes).map_err(|error| error.to_string())? {
        SliceQueryResultsParserOutput::Boolean(value)
            if expected.is_none_or(|expected| value == expected) =>
        {
            Ok(())
        }
        SliceQueryResultsParserOutput::Boolean(value) => Err(format!("the answer is {value}")),
        SliceQueryResultsParserOutput::Solutions(_) => Err("the answer is a table".to_owned()),
    }
}

fn check_table(reply: &Reply, media_type: &str) -> Result<(), String> {
    match results(reply, media_type)?.for_slice(&reply.bytes).map_err(|error| error.to_string())? {
        SliceQueryResultsParserOutput::Solutions(mut solutions) => {
            solutions.try_for_each(|solution| solution.map(drop)).map_err(|error| error.to_string())
        }
        SliceQueryResultsParserOutput::Boolean(_) => Err("the answer is no table".to_owned()),
    }
}

/// Parses a body of RDF.
pub fn graph(bytes: &[u8], media_type: &str) -> Result<Dataset, String> {
    let format = RdfFormat::from_media_type(media_type).ok_or_else(|| format!("{media_type} is no RDF"))?;
    RdfParser::from_format(format)
        .with_default_graph(GraphName::DefaultGraph)
        .without_named_graphs()
        .for_slice(bytes)
        .map(|quad| quad.map_err(|error| error.to_string()))
        .collect()
}
