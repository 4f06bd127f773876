//! Exit codes, and how a failure is told.

use std::process::ExitCode;

use crate::engine::EngineError;

pub const USAGE: u8 = 2;

/// Why a verb failed: a message for people, an exit code for scripts.
#[derive(Debug)]
pub struct Failure {
    pub code: u8,
    pub message: String,
    /// What to do about it, if we know.
    pub hint: Option<String>,
}

impl Failure {
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure { code: USAGE, message: message.into(), hint: None }
    }

    pub fn not_found(message: impl Into<String>) -> Failure {
        Failure { code: 4, message: message.into(), hint: None }
    }

    pub fn verification(message: impl Into<String>) -> Failure {
        Failure { code: 8, message: message.into(), hint: None }
    }

    pub fn other(message: impl Into<String>) -> Failure {
        Failure { code: 1, message: message.into(), hint: None }
    }

    /// Adds what to do about it.
    pub fn hint(self, hint: &str) -> Failure {
        Failure { hint: Some(hint.to_owned()), ..self }
    }

    /// Prints the failure to stderr and returns its exit code.
    pub fn report(&self, json: bool) -> ExitCode {
        if json {
            let object = serde_json::json!({"error": self.message, "exitCode": self.code, "hint": self.hint});
            eprintln!("{object}");
        } else {
            eprintln!("reefloom: {}", self.message);
            if let Some(hint) = &self.hint {
                eprintln!("hint: {hint}");
            }
        }
        ExitCode::from(self.code)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Failure {
        let code = match &error {
            EngineError::Syntax { .. } => 3,
            EngineError::NotFound { .. } => 4,
            EngineError::Conflict(_) | EngineError::AlreadyExists { .. } | EngineError::NotAt { .. } => 5,
            EngineError::Forbidden(_) => 6,
            EngineError::Unavailable { .. } => 7,
            EngineError::Corrupt(_) | EngineError::Unverified(_) => 8,
            EngineError::Cancelled => 130,
            EngineError::Invalid(_) => USAGE,
            _ => 1,
        };
        Failure { code, message: error.to_string(), hint: error.hint() }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::other(error.to_string())
    }
}
