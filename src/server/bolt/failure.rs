//! `Failure`: an error in the codes that drivers know, by which they decide whether to try again.

use super::packstream::{Entries, Packed};
use super::version::Version;
use crate::engine::EngineError;
use crate::execute::{ExecuteError, RuntimeCode};

/// What a client is told went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// `Neo.<class>.<category>.<title>`; of the class TransientError drivers try again.
    pub code: &'static str,
    pub message: String,
}

pub const INVALID: &str = "Neo.ClientError.Request.Invalid";
pub const UNAUTHORIZED: &str = "Neo.ClientError.Security.Unauthorized";
const SYNTAX: &str = "Neo.ClientError.Statement.SyntaxError";
const PARAMETER: &str = "Neo.ClientError.Statement.ParameterMissing";
/// A transaction whose branch moved meanwhile.
const OUTDATED: &str = "Neo.TransientError.Transaction.Outdated";
const NO_DATABASE: &str = "Neo.ClientError.Database.DatabaseNotFound";
const INSIDE: &str = "Neo.DatabaseError.General.UnknownError";

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
            SYNTAX | PARAMETER => ("42001", "syntax error or access rule violation - invalid syntax"),
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
        let code = match &error {
            EngineError::Syntax { errors, .. } => match errors.first().map(|error| error.code.as_str()) {
                Some(code) if code.starts_with("ParameterMissing") => PARAMETER,
                _ => SYNTAX,
            },
            EngineError::Invalid(_) | EngineError::Malformed(_) => INVALID,
            EngineError::NotFound { .. } => NO_DATABASE,
            EngineError::AlreadyExists { .. } => "Neo.ClientError.Database.ExistingDatabaseFound",
            EngineError::Conflict(_) | EngineError::NotAt { .. } => OUTDATED,
            EngineError::Forbidden(_) => "Neo.ClientError.Statement.AccessMode",
            EngineError::Unavailable { .. } => "Neo.TransientError.Database.DatabaseUnavailable",
            EngineError::Cancelled => "Neo.ClientError.Transaction.Terminated",
            EngineError::Timeout => "Neo.ClientError.Transaction.TransactionTimedOut",
            EngineError::MemoryExceeded { .. } => "Neo.ClientError.General.TransactionOutOfMemoryError",
            EngineError::TooManyRows { .. } => "Neo.ClientError.Statement.ExecutionFailed",
            EngineError::Runtime(error) => runtime(error),
            EngineError::Corrupt(_)
            | EngineError::Unverified(_)
            | EngineError::InUse(_)
            | EngineError::Storage(_)
            | EngineError::Network(_) => INSIDE,
        };
        Failure::new(code, error.to_string())
    }
}

fn runtime(error: &ExecuteError) -> &'static str {
    let ExecuteError::Runtime { code, .. } = error else {
        return match error {
            ExecuteError::Unsupported(_) => "Neo.ClientError.Statement.FeatureNotSupported",
            ExecuteError::Service { .. } | ExecuteError::Load { .. } | ExecuteError::File { .. } => {
                "Neo.ClientError.Statement.ExternalResourceFailed"
            }
            _ => "Neo.DatabaseError.Statement.ExecutionFailed",
        };
    };
    match code {
        RuntimeCode::TypeError => "Neo.ClientError.Statement.TypeError",
        RuntimeCode::ArithmeticError => "Neo.ClientError.Statement.ArithmeticError",
        RuntimeCode::ArgumentError => "Neo.ClientError.Statement.ArgumentError",
        RuntimeCode::ConstraintVerificationFailed => "Neo.ClientError.Schema.ConstraintValidationFailed",
        RuntimeCode::EntityNotFound => "Neo.ClientError.Statement.EntityNotFound",
        RuntimeCode::ParameterMissing => PARAMETER,
        RuntimeCode::ProcedureError => "Neo.ClientError.Procedure.ProcedureCallFailed",
        RuntimeCode::PropertyNotFound => "Neo.ClientError.Statement.PropertyNotFound",
        RuntimeCode::SemanticError => "Neo.ClientError.Statement.SemanticError",
        RuntimeCode::SyntaxError => SYNTAX,
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
