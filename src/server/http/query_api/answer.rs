//! An answer: its rows as they come, then what is known once they have come.

use std::io::Write;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value as Json, json};

use super::super::answer::{from_io, set_commit};
use super::super::problem::Problem;
use super::super::stream::{ChunkWriter, Sink};
use super::transactions::IDLE_MAX;
pub use super::value::Form;
use super::{Response, failed};
use crate::engine::{Answer, CommitId, check_whole};
use crate::execute::{Rows, UpdateSummary};
use crate::server::now_ms;

/// What stands after the rows.
pub enum Ending {
    /// The commit that a statement was read at, or made.
    Bookmark(CommitId),
    /// The transaction goes on.
    Open {
        id: String,
        expires: String,
    },
    Nothing,
}

impl Ending {
    pub fn open(id: String) -> Ending {
        let at = now_ms().saturating_add(IDLE_MAX.as_millis() as i64) / 1000;
        let expires = jiff::Timestamp::from_second(at).map_or_else(|_| String::new(), |at| at.to_string());
        Ending::Open { id, expires }
    }

    /// Returns the name of the transaction that goes on.
    pub fn transaction(&self) -> Option<&str> {
        match self {
            Ending::Open { id, .. } => Some(id),
            _ => None,
        }
    }

    fn members(&self) -> Vec<(&'static str, Json)> {
        match self {
            Ending::Bookmark(commit) => vec![("bookmarks", json!([commit.to_string()]))],
            Ending::Open { id, expires } => {
                vec![("transaction", json!({ "id": id, "expires": expires }))]
            }
            Ending::Nothing => Vec::new(),
        }
    }
}

/// Writes an answer through `sink`.
///
/// # Errors
/// Before the response starts, what the client should be told; after it, why it broke off.
pub fn write(
    response: Option<Response>,
    form: Form,
    media_type: &'static str,
    includes_counters: bool,
    ending: &Ending,
    sink: &mut Sink,
) -> Result<(), Problem> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
    if let Ending::Bookmark(commit) = ending {
        set_commit(&mut headers, &commit.to_string());
    }
    let mut response = response;
    if let Some(response) = &mut response {
        response.prepare().map_err(failed)?;
    }
    let mut writer = sink.start(StatusCode::ACCEPTED, headers);
    let mut members = Vec::new();
    writer.write_all(b"{").map_err(from_io)?;
    match response.map(|response| response.answer) {
        Some(Answer::Rows(rows)) => {
            // What it writes it has written before its first row.
            let changes = rows.context().changes.is_some().then(|| rows.context().summary());
            write_rows(rows, form, &mut writer)?;
            if includes_counters {
                members.push(("counters", counters(&changes.unwrap_or_default())));
            }
        }
        Some(Answer::Explanation(explanation)) => {
            writer.write_all(br#""data":{"fields":[],"values":[]}"#).map_err(from_io)?;
            members.push(("queryPlan", plan(&explanation.to_string())));
        }
        None => writer.write_all(br#""data":{"fields":[],"values":[]}"#).map_err(from_io)?,
        Some(Answer::Boolean(_) | Answer::Graph(_) | Answer::Updated { .. } | Answer::GraphQl { .. }) => {
            unreachable!("a Cypher statement has rows, or is explained")
        }
    }
    members.extend(ending.members());
    for (name, member) in members {
        write!(writer, ",\"{name}\":{member}").map_err(from_io)?;
    }
    writer.write_all(b"}").map_err(from_io)?;
    writer.finish().map_err(from_io)
}

fn write_rows(mut rows: Rows, form: Form, writer: &mut ChunkWriter<'_>) -> Result<(), Problem> {
    let fields = json!(rows.columns());
    write!(writer, r#""data":{{"fields":{fields},"values":["#).map_err(from_io)?;
    let mut is_first = true;
    while let Some(batch) = rows.next_values().map_err(|error| failed(error.into()))? {
        // A statement that returns nothing has rows without columns.
        for row in batch.iter().filter(|row| !row.is_empty()) {
            let row: Json = row.iter().map(|value| form.write(value)).collect();
            let comma = if std::mem::take(&mut is_first) { "" } else { "," };
            write!(writer, "{comma}{row}").map_err(from_io)?;
        }
    }
    check_whole(rows.is_cut_off(), rows.context()).map_err(failed)?;
    writer.write_all(b"]}").map_err(from_io)
}

fn counters(changes: &UpdateSummary) -> Json {
    let counts = [
        changes.nodes_created,
        changes.nodes_deleted,
        changes.properties_set,
        changes.properties_removed,
        changes.relationships_created,
        changes.relationships_deleted,
        changes.labels_added,
        changes.labels_removed,
        changes.indexes_added,
        changes.indexes_removed,
        changes.constraints_added,
        changes.constraints_removed,
    ];
    json!({
        "containsUpdates": counts.iter().any(|count| *count > 0),
        "nodesCreated": changes.nodes_created,
        "nodesDeleted": changes.nodes_deleted,
        // Clients know one counter for both.
        "propertiesSet": changes.properties_set + changes.properties_removed,
        "relationshipsCreated": changes.relationships_created,
        "relationshipsDeleted": changes.relationships_deleted,
        "labelsAdded": changes.labels_added,
        "labelsRemoved": changes.labels_removed,
        "indexesAdded": changes.indexes_added,
        "indexesRemoved": changes.indexes_removed,
        "constraintsAdded": changes.constraints_added,
        "constraintsRemoved": changes.constraints_removed,
        "containsSystemUpdates": false,
        "systemUpdates": 0,
    })
}

/// Our plans are text; clients show it as the argument of one operator.
fn plan(text: &str) -> Json {
    json!({
        "operatorType": "Plan",
        "arguments": { "string-representation": { "$type": "String", "_value": text } },
        "identifiers": [],
        "children": [],
    })
}
