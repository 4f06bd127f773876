use crate::dataset::DatasetError;
use crate::plan::Parameter;

/// Why a query or an update ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    #[error("the query was cancelled")]
    Cancelled,
    #[error("the query ran past its deadline")]
    Deadline,
    /// The operators hold more rows than the query may; `budget` is in bytes.
    #[error("the query needs more memory than its budget of {budget} bytes")]
    MemoryExceeded { budget: usize },
    /// A rule of the query's language was broken by a value that only running it could show.
    #[error("{code:?}({detail}): {message}")]
    Runtime { code: RuntimeCode, detail: &'static str, message: String },
    /// The plan asks for what this context does not offer.
    #[error("{0}")]
    Unsupported(String),
    /// A SERVICE call that failed and was not silent.
    #[error("SERVICE {endpoint}: {message}")]
    Service { endpoint: String, message: String },
    /// A LOAD that failed and was not silent.
    #[error("LOAD {source_iri}: {message}")]
    Load { source_iri: String, message: String },
    /// A file that LOAD CSV names and that cannot be read, or not to its end.
    #[error("LOAD CSV '{address}': {message}")]
    File { address: String, message: String },
    /// A statement that writes was run in a context that only reads.
    #[error("this statement writes, but it was opened for reading")]
    ReadOnly,
    /// A plan that no lowering should make: a mistake of ours.
    #[error("malformed plan: {0}")]
    Plan(String),
}

/// The kind of a run-time error, by openCypher's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuntimeCode {
    TypeError,
    ArithmeticError,
    ArgumentError,
    ConstraintVerificationFailed,
    EntityNotFound,
    ParameterMissing,
    ProcedureError,
    PropertyNotFound,
    SemanticError,
    SyntaxError,
}

impl ExecuteError {
    /// Returns whether the error is of the data or the text at hand: other rows may meet none.
    pub fn is_of_rows(&self) -> bool {
        use ExecuteError::*;
        matches!(self, Runtime { .. } | Service { .. } | Load { .. } | File { .. })
    }

    /// Returns the error of a plan that is run before its parameters were put in.
    pub fn unbound(parameter: &Parameter) -> ExecuteError {
        ExecuteError::Plan(format!("parameter ${} has no value", parameter.name))
    }

    pub fn runtime(code: RuntimeCode, detail: &'static str, message: impl Into<String>) -> ExecuteError {
        ExecuteError::Runtime { code, detail, message: message.into() }
    }
}
