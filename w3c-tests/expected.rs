//! The list of expected failures: `test IRI  # reason` lines.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::path::PathBuf;

use crate::manifest::Case;

#[derive(Default)]
pub struct ExpectedFailures {
    /// As read.
    listed: BTreeMap<String, String>,
    /// As seen in this run.
    failed: BTreeMap<String, String>,
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("w3c-tests/expected_failures.txt")
}

impl ExpectedFailures {
    pub fn read() -> Result<ExpectedFailures, String> {
        let text = match std::fs::read_to_string(path()) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error.to_string()),
        };
        let mut listed = BTreeMap::new();
        for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            let (iri, reason) =
                line.split_once("  # ").ok_or_else(|| format!("no reason is given: {line}"))?;
            listed.insert(iri.trim().to_owned(), reason.trim().to_owned());
        }
        Ok(ExpectedFailures { listed, failed: BTreeMap::new() })
    }

    /// Notes an outcome; returns what is surprising about it.
    pub fn check(&mut self, iri: &str, outcome: &Result<(), String>) -> Option<String> {
        match (outcome, self.listed.get(iri)) {
            (Ok(()), Some(_)) => Some(format!("PASSES, strike it from the list: {iri}")),
            (Ok(()), None) => None,
            (Err(reason), listed) => {
                let first_line = reason.lines().next().unwrap_or_default().to_owned();
                self.failed.insert(iri.to_owned(), listed.cloned().unwrap_or(first_line));
                listed.is_none().then(|| format!("FAILS: {iri}\n  {}", reason.replace('\n', "\n  ")))
            }
        }
    }

    /// Returns complaints about listed tests that no manifest has.
    pub fn unknown(&self, cases: &[Case]) -> Vec<String> {
        let known: HashSet<&str> = cases.iter().map(|case| case.iri.as_str()).collect();
        let gone = self.listed.keys().filter(|iri| !known.contains(iri.as_str()));
        gone.map(|iri| format!("LISTED, but no manifest has it: {iri}")).collect()
    }

    pub fn write(&self) -> Result<(), String> {
        let mut text =
            "# Tests that fail today: test IRI  # reason. REEFLOOM_BLESS=1 rewrites the list.\n".to_owned();
        for (iri, reason) in &self.failed {
            let _ = writeln!(text, "{iri}  # {}", reason.chars().take(160).collect::<String>());
        }
        std::fs::write(path(), text).map_err(|error| error.to_string())
    }
}
