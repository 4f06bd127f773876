//! `Failure`: an error in the codes that drivers know, by which they decide whether to try again.

use super::packstream::{Entries, Packed};
use super::version::Version;
use crate::engine::EngineError;
use crate::server::status_code::{
    self, INSIDE, INVALID, NO_DATABASE, NO_PROCEDURE, OUTDATED, PARAMETER, SYNTAX, UNAUTHORIZED,
};

/// What a client is told went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// `Neo.<class>.<category>.<title>`; of the class TransientError drivers try again.
    pub code: &'static str,
    pub message: String,
}

impl Failure {
    pub fn new(code: &'static str, message: impl Into<String>) -> Failure {
        Failure { code, message: message.into() }
    }

    pub fn invalid(message: impl Into<String>) -> Failure {
        Failure::new(INVALID, message)
    }

    /// A mistake of ours; the log has the rest.
    pub fn inside() -> Failure {
        Failure::new(INSIDE, "it failed inside")
    }

    pub(super) fn metadata(&self, version: Version) -> Entries {
        let entry = |key: &str, text: &str| (key.to_owned(), Packed::string(text));
        if version < Version::V5_7 {
            return vec![entry("code", self.code), entry("message", &self.message)];
        }
        let (status, condition) = self.gql_status();
        vec![
            entry("neo4j_code", self.code),
            entry("message", &self.message),
            entry("gql_status", status),
            entry("description", &format!("error: {condition}. {}", self.message)),
        ]
    }

    /// Returns the GQLSTATUS and its condition.
    fn gql_status(&self) -> (&'static str, &'static str) {
        match self.code {
            SYNTAX | PARAMETER | NO_PROCEDURE => {
                ("42001", "syntax error or access rule violation - invalid syntax")
            }
            UNAUTHORIZED => ("42NFF", "syntax error or access rule violation - permission/access denied"),
            OUTDATED => ("40000", "transaction rollback"),
            NO_DATABASE => ("22000", "data exception"),
            code if code.starts_with("Neo.ClientError.Statement.") => ("22000", "data exception"),
            _ => ("50N42", "general processing exception - unexpected error"),
        }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Failure {
        Failure::new(status_code::of(&error), error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_say_in_each_version_what_to_do() {
        let failure = Failure::from(EngineError::Conflict("somebody was faster".into()));
        let keys =
            |version| -> Vec<String> { failure.metadata(version).into_iter().map(|(key, _)| key).collect() };
        assert!(failure.code.starts_with("Neo.TransientError."));
        assert_eq!(keys(Version::V5_6), ["code", "message"]);
        assert_eq!(keys(Version::V5_7), ["neo4j_code", "message", "gql_status", "description"]);
    }
}
