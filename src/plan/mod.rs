//! The logical plan: the one algebra that SPARQL, Cypher and GraphQL compile to.
//!
//! A plan says what is wanted, in terms and variables. It knows no ids, no blocks, no statistics
//! and no language: where the languages differ in meaning, the difference is a named
//! [`Function`] or an explicit operator, never a mode.

mod bind;
mod display;
mod expression;
mod function;
mod modify;
mod operator;
mod parameter;
mod schema;
mod shape;
mod statement;
mod validate;
mod variable;
mod variable_set;
mod walk;

pub use display::{Explained, explain, explain_tree};
pub use expression::{Aggregate, AggregateFunction, Expression, Quantifier, SortKey, SortOrder};
pub use function::Function;
pub use modify::{Change, GraphTarget, GraphTemplate, QuadTemplate, TermTemplate};
pub use operator::{
    ApplyKind, Batches, EdgeScan, GraphSelector, LogicalPlan, OnError, Path, PathExpression, PathMode,
    QuadScan, Repeat, Slot,
};
pub use parameter::{Parameter, ParameterKind};
pub use schema::{ClassInfo, PredicateInfo, Schema};
pub use shape::{FieldShape, ObjectShape, Output, RootShape, ScalarShape, Shape, ValueShape};
pub use statement::{Column, Form, Query, Session, Statement, Update};
pub use validate::{PlanError, validate};
pub use variable::{Variable, Variables};
pub use variable_set::VariableSet;
