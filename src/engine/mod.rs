//! The engine: from a request to an answer.
mod load;
