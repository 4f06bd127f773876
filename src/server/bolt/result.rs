//! `QueryResult`: the rows of a statement that a client pulls as it likes, and the summary after them.

use std::collections::vec_deque::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::packstream::{Entries, Packed};
use super::version::Version;
use crate::engine::{Answer, CommitId, EngineError, Response, check_whole};
use crate::execute::{Rows, UpdateSummary};
use crate::model::Value;

pub struct QueryResult {
    /// `None` once all are pulled, or where there are none.
    rows: Option<Rows>,
    /// Rows that were pulled and not asked for yet: a batch's rest.
    ahead: VecDeque<Vec<Value>>,
    columns: Vec<String>,
    commit: CommitId,
    database: String,
    /// `r`, `w` or `rw`.
    kind: &'static str,
    changes: UpdateSummary,
    plan: Option<String>,
    has_rows: bool,
    opened: Instant,
}

impl QueryResult {
    pub fn new(response: Response, database: String) -> QueryResult {
        let mut result = QueryResult {
            rows: None,
            ahead: VecDeque::new(),
            columns: Vec::new(),
            commit: response.commit,
            database,
            kind: "r",
            changes: UpdateSummary::default(),
            plan: None,
            has_rows: false,
            opened: Instant::now(),
        };
        match response.answer {
            Answer::Rows(rows) => {
                result.columns = rows.columns().to_vec();
                let context = rows.context();
                if context.changes.is_some() {
                    result.kind = if result.columns.is_empty() { "w" } else { "rw" };
                    result.changes = context.summary();
                }
                result.rows = Some(rows);
            }
            Answer::Explanation(explanation) => result.plan = Some(explanation.to_string()),
            Answer::Boolean(_) | Answer::Graph(_) | Answer::Updated { .. } | Answer::GraphQl { .. } => {
                unreachable!("a Cypher statement has rows, or is explained")
            }
        }
        result
    }

    pub fn commit(&self) -> CommitId {
        self.commit
    }

    pub fn database(&self) -> &str {
        &self.database
    }

    pub fn columns(&self) -> Vec<Packed> {
        self.columns.iter().map(Packed::string).collect()
    }

    /// Hands rows to `visit`, so many or all; returns whether there are more.
    ///
    /// # Errors
    /// The query's, or [`EngineError::Cancelled`] if `cancel` is set or `visit` says that nobody listens.
    pub fn fetch(
        &mut self,
        rows: Option<u64>,
        cancel: &AtomicBool,
        mut visit: impl FnMut(&[Value]) -> Result<(), EngineError>,
    ) -> Result<bool, EngineError> {
        let mut left = rows.unwrap_or(u64::MAX);
        while self.has_more(cancel)? {
            let Some(row) = (left > 0).then(|| self.ahead.pop_front()).flatten() else { return Ok(true) };
            visit(&row)?;
            self.has_rows = true;
            left -= 1;
        }
        Ok(false)
    }

    /// Returns whether a row is at hand, and pulls the next batch if need be.
    fn has_more(&mut self, cancel: &AtomicBool) -> Result<bool, EngineError> {
        while self.ahead.is_empty() {
            let Some(rows) = &mut self.rows else { return Ok(false) };
            if cancel.load(Ordering::Relaxed) {
                return Err(EngineError::Cancelled);
            }
            match rows.next_values()? {
                // A statement that returns nothing has rows without columns.
                Some(batch) => self.ahead.extend(batch.into_iter().filter(|row| !row.is_empty())),
                None => {
                    check_whole(rows.is_cut_off(), rows.context())?;
                    self.rows = None;
                }
            }
        }
        Ok(true)
    }

    /// Returns what is told after the last row.
    pub fn summary(&self, version: Version) -> Entries {
        let mut entries = vec![
            ("type".to_owned(), Packed::string(self.kind)),
            ("t_last".to_owned(), milliseconds(self.opened)),
            ("db".to_owned(), Packed::string(self.database.as_str())),
        ];
        let stats = stats(&self.changes);
        if !stats.is_empty() {
            entries.push(("stats".to_owned(), Packed::Map(stats)));
        }
        if let Some(text) = &self.plan {
            entries.push(("plan".to_owned(), plan(text)));
        }
        if version >= Version::V5_6 {
            entries.push(("statuses".to_owned(), Packed::List(vec![self.status()])));
        }
        entries
    }

    fn status(&self) -> Packed {
        let (status, description) = match (self.columns.is_empty(), self.has_rows) {
            (true, _) => ("00001", "note: successful completion - omitted result"),
            (false, true) => ("00000", "note: successful completion"),
            (false, false) => ("02000", "note: no data"),
        };
        Packed::Map(vec![
            ("gql_status".to_owned(), Packed::string(status)),
            ("status_description".to_owned(), Packed::string(description)),
        ])
    }
}

pub fn milliseconds(since: Instant) -> Packed {
    Packed::Integer(i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX))
}

/// Returns the counters that are not zero.
fn stats(changes: &UpdateSummary) -> Entries {
    let counts = [
        ("nodes-created", changes.nodes_created),
        ("nodes-deleted", changes.nodes_deleted),
        ("relationships-created", changes.relationships_created),
        ("relationships-deleted", changes.relationships_deleted),
        // Drivers know one counter for both.
        ("properties-set", changes.properties_set + changes.properties_removed),
        ("labels-added", changes.labels_added),
        ("labels-removed", changes.labels_removed),
        ("constraints-added", changes.constraints_added),
        ("constraints-removed", changes.constraints_removed),
        ("indexes-added", changes.indexes_added),
        ("indexes-removed", changes.indexes_removed),
    ];
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    let mut stats: Entries =
        counts.map(|(name, count)| (name.to_owned(), Packed::Integer(count as i64))).collect();
    if !stats.is_empty() {
        stats.push(("contains-updates".to_owned(), Packed::Boolean(true)));
    }
    stats
}

/// Our plans are text; drivers show it as the argument of one operator.
fn plan(text: &str) -> Packed {
    let arguments = vec![("string-representation".to_owned(), Packed::string(text))];
    Packed::Map(vec![
        ("operatorType".to_owned(), Packed::string("Plan")),
        ("identifiers".to_owned(), Packed::List(Vec::new())),
        ("args".to_owned(), Packed::Map(arguments)),
        ("children".to_owned(), Packed::List(Vec::new())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Engine, Language, Request};

    #[test]
    fn a_result_that_its_cap_cut_off_does_not_end_as_if_it_were_whole() {
        let engine = Engine::in_memory();
        engine.create_workspace("w", Default::default(), 0).unwrap();
        for (rows_max, is_whole) in [(2, false), (3, true)] {
            let mut request = Request::new(Language::Cypher, "UNWIND [1, 2, 3] AS n RETURN n", 0);
            request.limits.rows_max = Some(rows_max);
            let mut result = QueryResult::new(engine.run(&request).unwrap(), "w".to_owned());
            match result.fetch(None, &AtomicBool::new(false), |_| Ok(())) {
                Ok(has_more) => assert!(is_whole && !has_more),
                Err(EngineError::TooManyRows { rows_max: 2 }) => assert!(!is_whole),
                Err(error) => panic!("{error}"),
            }
        }
    }
}
