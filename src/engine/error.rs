use std::path::PathBuf;

use crate::block::BlockError;
use crate::blockstore::StoreError;
use crate::dataset::DatasetError;
use crate::execute::ExecuteError;
use crate::language::SyntaxError;
use crate::network::NetworkError;

/// Why a request has no answer. A variant for each thing that a caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The text breaks its language's rules, at one place or more.
    #[error("{}", describe(.errors, .text))]
    Syntax { errors: Vec<SyntaxError>, text: String },
    /// The request cannot be carried out as it stands; the message says what is wrong with it.
    #[error("{0}")]
    Invalid(String),
    /// A file, or bytes in place of one, that are not what their format says; nothing of them was kept.
    #[error("{0}")]
    Malformed(String),
    #[error("there is no {kind} '{name}'")]
    NotFound { kind: &'static str, name: String },
    #[error("the {kind} '{name}' exists already")]
    AlreadyExists { kind: &'static str, name: String },
    /// Somebody else moved the branch meanwhile.
    #[error("{0}")]
    Conflict(String),
    /// The branch does not stand where the caller believes; the write was not made.
    #[error("branch '{branch}' stands at {commit}, not where the write expects it")]
    NotAt { branch: String, commit: String },
    #[error("{0}")]
    Forbidden(String),
    /// Blocks are needed that no peer at hand has; the same request may work later.
    #[error("{missing} block(s) that the answer needs are out of reach (first: {first})")]
    Unavailable { missing: usize, first: String },
    /// Bytes on our own disk are not what they should be.
    #[error("{0}")]
    Corrupt(String),
    /// Bytes from elsewhere are not what they claim to be; nothing of them counts.
    #[error("{0}")]
    Unverified(String),
    #[error("the request was cancelled")]
    Cancelled,
    #[error("the request ran past its deadline")]
    Timeout,
    #[error("the query needs more memory than its budget of {budget_bytes} bytes")]
    MemoryExceeded { budget_bytes: usize },
    #[error("the result has more rows than this node gives, which are {rows_max}")]
    TooManyRows { rows_max: u64 },
    /// A rule of the language was broken by a value that only running it could show.
    #[error(transparent)]
    Runtime(ExecuteError),
    /// Another process has the data folder open.
    #[error("the data folder {} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// The data folder: read-only, full, or of another version.
    #[error("{0}")]
    Storage(String),
    #[error("{0}")]
    Network(String),
}

impl EngineError {
    /// Returns what the caller might do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            EngineError::Unavailable { .. } => {
                Some("a peer that has them must be reachable: start it, then ask again".to_owned())
            }
            EngineError::Conflict(_) => Some("ask again: the write was not made".to_owned()),
            EngineError::NotAt { .. } => Some("read the branch anew, then decide".to_owned()),
            EngineError::MemoryExceeded { .. } | EngineError::TooManyRows { .. } => {
                Some("narrow the query, or add a LIMIT".to_owned())
            }
            _ => None,
        }
    }

    pub(super) fn read_only() -> EngineError {
        EngineError::Forbidden("this door only reads; send writes where they belong".to_owned())
    }

    pub(super) fn syntax(error: SyntaxError, text: &str) -> EngineError {
        EngineError::Syntax { errors: vec![error], text: text.to_owned() }
    }
}

/// Returns each mistake with its line of the text and a caret below it.
fn describe(errors: &[SyntaxError], text: &str) -> String {
    let describe_one = |error: &SyntaxError| {
        let line = text.lines().nth(error.line as usize - 1).unwrap_or_default();
        let caret = " ".repeat((error.column as usize).saturating_sub(1));
        format!("{} (line {}, column {})\n    {line}\n    {caret}^", error.message, error.line, error.column)
    };
    errors.iter().map(describe_one).collect::<Vec<_>>().join("\n")
}

impl From<DatasetError> for EngineError {
    fn from(error: DatasetError) -> EngineError {
        match error {
            DatasetError::Unavailable { missing, first } => EngineError::Unavailable { missing, first },
            DatasetError::Corrupt { .. } | DatasetError::NoKey { .. } => {
                EngineError::Corrupt(error.to_string())
            }
            DatasetError::UnknownId(_) | DatasetError::Io(_) => EngineError::Storage(error.to_string()),
        }
    }
}

impl From<ExecuteError> for EngineError {
    fn from(error: ExecuteError) -> EngineError {
        match error {
            ExecuteError::Dataset(error) => error.into(),
            ExecuteError::Cancelled => EngineError::Cancelled,
            ExecuteError::Deadline => EngineError::Timeout,
            ExecuteError::MemoryExceeded { budget } => EngineError::MemoryExceeded { budget_bytes: budget },
            ExecuteError::ReadOnly => EngineError::Forbidden(error.to_string()),
            other => EngineError::Runtime(other),
        }
    }
}

impl From<BlockError> for EngineError {
    fn from(error: BlockError) -> EngineError {
        match &error {
            BlockError::Unavailable(ids) => EngineError::Unavailable {
                missing: ids.len(),
                first: ids.first().map(ToString::to_string).unwrap_or_default(),
            },
            BlockError::Io(_) => EngineError::Storage(error.to_string()),
            _ => EngineError::Corrupt(error.to_string()),
        }
    }
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> EngineError {
        match error {
            StoreError::InUse(folder) => EngineError::InUse(folder),
            other => EngineError::Storage(other.to_string()),
        }
    }
}

impl From<NetworkError> for EngineError {
    fn from(error: NetworkError) -> EngineError {
        EngineError::Network(error.to_string())
    }
}
