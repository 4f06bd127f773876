//! Expressions: compiled once a query, evaluated over batches a column at a time.
//!
//! The room's other half pulls rows; this half computes values from them. It knows functions by
//! the names of [`crate::plan::Function`], and no language: where SPARQL and Cypher differ, the
//! plan names a function of each. What is inline in an id is computed on ids alone; terms of the
//! dictionary are fetched for a whole batch in one call, once for each distinct id.

mod aggregate;
mod arithmetic;
mod blank_node;
mod cast;
mod column;
mod comparison;
mod compile;
mod datetime;
mod datum;
mod exists;
mod function;
mod graph;
mod hash;
mod list;
mod list_literal;
mod logic;
mod math;
mod node;
mod number;
mod order;
mod property_lookup;
mod regex;
mod spatial;
mod string;
mod temporal;
mod term;
mod value;

pub use aggregate::{
    AggregateValue, CypherSum, SparqlSum, aggregate_values, inline_numbers, percentile_cont, percentile_disc,
    standard_deviation,
};
pub use comparison::{cypher_equal_ids, sparql_equal_ids};
pub use compile::{Compiled, compile};
pub use datum::Decoded;
pub use graph::{derived_iri, graph_filter};
pub use list::{elements, map_entries};
pub use number::Number;
pub use order::{Key, SortedKind, sort_keys};
pub use spatial::Point;
pub use temporal::{Temporal, TemporalKind};
pub use value::{cypher_text, id_of_value, list_of_literals, names, storable_term, values_of_ids};

use datum::Datum;
use value::{datum_of_value, value_of_literal};

use super::{ExecuteError, RuntimeCode};

fn type_error(detail: &'static str, message: impl Into<String>) -> ExecuteError {
    ExecuteError::runtime(RuntimeCode::TypeError, detail, message)
}

fn argument_error(detail: &'static str, message: impl Into<String>) -> ExecuteError {
    ExecuteError::runtime(RuntimeCode::ArgumentError, detail, message)
}

fn arithmetic_error(detail: &'static str, message: impl Into<String>) -> ExecuteError {
    ExecuteError::runtime(RuntimeCode::ArithmeticError, detail, message)
}

/// Returns what a message calls a value.
fn kind_name(datum: &Datum) -> &'static str {
    if datum.is_undefined() {
        "null"
    } else if datum.as_boolean().is_some() {
        "a boolean"
    } else if let Some(number) = datum.as_number() {
        if number.is_integer() { "an integer" } else { "a float" }
    } else if datum.as_text().is_some() {
        "a string"
    } else if datum.as_list().is_some() {
        "a list"
    } else if datum.to_temporal().is_some() {
        "a temporal value"
    } else if datum.is_node() {
        "a node"
    } else {
        match datum {
            Datum::Map(_) => "a map",
            Datum::Relationship(_) => "a relationship",
            Datum::Path(_) => "a path",
            _ => "a value of another type",
        }
    }
}
