//! Cypher from text to rows, beyond what the openCypher TCK has: what it answers, and what it refuses.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod extremes;
mod foreach;
mod load_csv;
mod members;
mod merges;
mod parallel_relationships;
mod plans;
mod quantified_paths;
mod reduce;
mod subqueries;
mod total_properties;
mod transactions;

use std::cell::RefCell;
use std::sync::Arc;

use reefloom::engine::{Answer, CsvFolder, Engine, Language, Request, WorkspaceSettings};
use reefloom::execute::FileOpener;
use reefloom::model::Value;

/// A workspace in memory. What a test finds wrong is told when it is dropped, all at once.
struct World {
    engine: Engine,
    /// Whose files statements may read.
    files: Option<Arc<CsvFolder>>,
    faults: RefCell<Vec<String>>,
}

impl Drop for World {
    fn drop(&mut self) {
        let faults = self.faults.borrow();
        assert!(std::thread::panicking() || faults.is_empty(), "{}", faults.join("\n\n"));
    }
}

impl World {
    /// Makes a workspace that these statements have filled.
    fn new(statements: &[&str]) -> World {
        let engine = Engine::in_memory();
        engine.create_workspace("w", WorkspaceSettings::default(), 0).unwrap();
        let world = World { engine, files: None, faults: RefCell::default() };
        for statement in statements {
            world.rows(statement);
        }
        world
    }

    fn request(&self, text: &str) -> Request {
        let mut request = Request::new(Language::Cypher, text, 0);
        request.may_write = true;
        request.files = self.files.clone().map(|files| files as Arc<dyn FileOpener>);
        request.parameters.insert("one".to_owned(), Value::Integer(1));
        request
    }

    fn run(&self, request: &Request) -> Result<Vec<String>, String> {
        let response = self.engine.run(request).map_err(|error| error.to_string())?;
        let Answer::Rows(mut rows) = response.answer else { return Ok(Vec::new()) };
        let has_columns = !rows.columns().is_empty();
        let mut shown = Vec::new();
        while let Some(values) = rows.next_values().map_err(|error| error.to_string())? {
            // Without columns there is nothing to show, but the statement runs to its end.
            let row = |row: &Vec<Value>| row.iter().map(show).collect::<Vec<_>>().join(" | ");
            shown.extend(values.iter().filter(|_| has_columns).map(row));
        }
        Ok(shown)
    }

    /// Returns the rows of a statement, its cells as text.
    #[track_caller]
    fn rows(&self, text: &str) -> Vec<String> {
        self.run(&self.request(text)).unwrap_or_else(|error| panic!("{text}\n{error}"))
    }

    /// Checks the rows of a statement, in any order.
    fn check(&self, text: &str, expected: &[&str]) {
        let mut expected: Vec<&str> = expected.to_vec();
        expected.sort_unstable();
        match self.run(&self.request(text)) {
            Ok(mut rows) => {
                rows.sort();
                if rows != expected {
                    self.faults.borrow_mut().push(format!("{text}\n{rows:?}, expected {expected:?}"));
                }
            }
            Err(error) => self.faults.borrow_mut().push(format!("{text}\n{error}")),
        }
    }

    /// Checks that a statement is refused with a message that has these parts.
    fn refuses(&self, text: &str, parts: &[&str]) {
        match self.run(&self.request(text)) {
            Ok(rows) => self.faults.borrow_mut().push(format!("{text}\nis answered: {rows:?}")),
            Err(error) if parts.iter().all(|part| error.contains(part)) => {}
            Err(error) => {
                self.faults.borrow_mut().push(format!("{text}\n{error}\nhas not all of {parts:?}"));
            }
        }
    }
}

fn show(value: &Value) -> String {
    let list = |items: &[Value]| items.iter().map(show).collect::<Vec<_>>().join(", ");
    match value {
        Value::Null => "null".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
        Value::String(value) => value.clone(),
        Value::List(items) => format!("[{}]", list(items)),
        Value::Map(map) => {
            let entries = map.iter().map(|(key, value)| format!("{key}: {}", show(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        other => format!("{other:?}"),
    }
}
