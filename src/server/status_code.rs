//! Neo4j's status codes, by which its clients decide what to do about an error, such as trying again.
//!
//! A code is `Neo.<class>.<category>.<title>`.

use crate::engine::EngineError;
use crate::execute::{ExecuteError, RuntimeCode};

pub const INVALID: &str = "Neo.ClientError.Request.Invalid";
pub const UNAUTHORIZED: &str = "Neo.ClientError.Security.Unauthorized";
pub const FORBIDDEN: &str = "Neo.ClientError.Security.Forbidden";
pub const SYNTAX: &str = "Neo.ClientError.Statement.SyntaxError";
pub const PARAMETER: &str = "Neo.ClientError.Statement.ParameterMissing";
pub const NO_PROCEDURE: &str = "Neo.ClientError.Procedure.ProcedureNotFound";
pub const NO_DATABASE: &str = "Neo.ClientError.Database.DatabaseNotFound";
/// A transaction whose branch moved meanwhile.
pub const OUTDATED: &str = "Neo.TransientError.Transaction.Outdated";
pub const INSIDE: &str = "Neo.DatabaseError.General.UnknownError";

/// Returns the code of an engine's error.
pub fn of(error: &EngineError) -> &'static str {
    match error {
        EngineError::Syntax { errors, .. } => match errors.first().map(|error| error.code.as_str()) {
            Some(code) if code.starts_with("ParameterMissing") => PARAMETER,
            Some(code) if code.starts_with("ProcedureError") => NO_PROCEDURE,
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
        EngineError::Runtime(error) => of_runtime(error),
        EngineError::Corrupt(_)
        | EngineError::Unverified(_)
        | EngineError::InUse(_)
        | EngineError::Storage(_)
        | EngineError::Network(_) => INSIDE,
    }
}

fn of_runtime(error: &ExecuteError) -> &'static str {
    let ExecuteError::Runtime { code, detail, .. } = error else {
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
        RuntimeCode::ConstraintVerificationFailed if *detail == "SchemaRuleAlreadyExists" => {
            "Neo.ClientError.Schema.EquivalentSchemaRuleAlreadyExists"
        }
        RuntimeCode::ConstraintVerificationFailed if *detail == "SchemaRuleNotFound" => {
            "Neo.ClientError.Schema.ConstraintDropFailed"
        }
        RuntimeCode::ConstraintVerificationFailed => "Neo.ClientError.Schema.ConstraintValidationFailed",
        RuntimeCode::EntityNotFound => "Neo.ClientError.Statement.EntityNotFound",
        RuntimeCode::ParameterMissing => PARAMETER,
        RuntimeCode::ProcedureError => "Neo.ClientError.Procedure.ProcedureCallFailed",
        RuntimeCode::PropertyNotFound => "Neo.ClientError.Statement.PropertyNotFound",
        RuntimeCode::SemanticError => "Neo.ClientError.Statement.SemanticError",
        RuntimeCode::SyntaxError => SYNTAX,
    }
}
