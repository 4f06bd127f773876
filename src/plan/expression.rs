//! Expressions: what Filter, Extend, Sort and Aggregate compute from a row.

use std::sync::Arc;

use super::{Function, LogicalPlan, Parameter, Variable};
use crate::model::Value;

/// An expression over one row.
///
/// Its value may be undefined: SPARQL's error and unbound, and Cypher's null, are one thing here.
/// Logic is three-valued. Functions that Cypher lets fail say so in [`Function`].
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    Constant(Value),
    Variable(Variable),
    /// A parameter of the request; unknown names are refused before execution.
    Parameter(Arc<Parameter>),
    Call(Function, Vec<Expression>),
    /// The first branch whose condition is true, else the last, else undefined.
    Case {
        branches: Vec<(Expression, Expression)>,
        otherwise: Option<Box<Expression>>,
    },
    List(Vec<Expression>),
    Map(Vec<(String, Expression)>),
    /// Whether the plan has a row compatible with this row.
    Exists(Box<LogicalPlan>),
    /// `[variable IN list WHERE filter | map]`
    ListComprehension {
        variable: Variable,
        list: Box<Expression>,
        filter: Option<Box<Expression>>,
        map: Option<Box<Expression>>,
    },
    /// `reduce(accumulator = init, variable IN list | step)`
    Reduce {
        accumulator: Variable,
        init: Box<Expression>,
        variable: Variable,
        list: Box<Expression>,
        step: Box<Expression>,
    },
    /// `all(variable IN list WHERE condition)` and its kin; null where Cypher says null.
    Quantifier {
        kind: Quantifier,
        variable: Variable,
        list: Box<Expression>,
        condition: Box<Expression>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quantifier {
    All,
    Any,
    None,
    Single,
}

/// One aggregate of an Aggregate operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    pub function: AggregateFunction,
    /// None only for Count: rows are counted, whatever they bind.
    pub argument: Option<Expression>,
    pub distinct: bool,
}

/// Aggregate functions. Those of SPARQL and Cypher that skip or stumble over the same values are
/// one; the others are named for their language's rule.
#[derive(Clone, Debug, PartialEq)]
pub enum AggregateFunction {
    /// Rows, or rows whose argument is defined.
    Count,
    /// Rows, each as often as the product of these variables says, which are whole numbers above 0: rows of groups
    /// that were counted before they were joined. Takes no argument.
    CountTimes(Vec<Variable>),
    /// SPARQL: undefined if any value is no number. The empty sum is 0 (xsd:integer).
    SparqlSum,
    SparqlAvg,
    /// SPARQL's MIN and MAX, by the order of ORDER BY.
    SparqlMin,
    SparqlMax,
    /// Undefined if any value is no string; the empty one is "".
    GroupConcat {
        separator: String,
    },
    /// Any one value.
    Sample,
    /// Cypher: skips null; a value that is no number or duration fails the query.
    CypherSum,
    CypherAvg,
    /// Cypher's min and max, by orderability; null of nothing.
    CypherMin,
    CypherMax,
    /// The list of the defined values, in row order.
    Collect,
    StDev,
    StDevP,
    /// (value, percentile) with the percentile as a second argument.
    PercentileDisc(Box<Expression>),
    PercentileCont(Box<Expression>),
}

/// A key of a sort.
#[derive(Clone, Debug, PartialEq)]
pub struct SortKey {
    pub expression: Expression,
    pub descending: bool,
    pub order: SortOrder,
}

/// The two total orders of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SortOrder {
    /// SPARQL 1.1, 15.1: undefined, blank nodes, IRIs, literals; then value, then term.
    Sparql,
    /// openCypher orderability: maps, nodes, relationships, lists, paths, temporal, strings,
    /// booleans, numbers, null last.
    Cypher,
}

impl Expression {
    /// Returns the parts of a conjunction, nested ones as well; an expression that is none is its only part.
    pub fn conjuncts(&self) -> Vec<&Expression> {
        match self {
            Expression::Call(Function::And, parts) => parts.iter().flat_map(Expression::conjuncts).collect(),
            other => vec![other],
        }
    }

    /// Returns the parameter of a name, of which no more is known yet.
    pub fn parameter(name: &str) -> Expression {
        Expression::Parameter(Arc::new(Parameter::new(name)))
    }

    /// Returns the value of a constant, or the sample of a parameter, of which nothing but its
    /// [`ParameterKind`](super::ParameterKind) may decide what a plan means.
    pub fn known(&self) -> Option<&Value> {
        match self {
            Expression::Constant(value) => Some(value),
            Expression::Parameter(parameter) => parameter.sample.as_ref(),
            _ => None,
        }
    }

    pub fn call(function: Function, arguments: impl Into<Vec<Expression>>) -> Expression {
        Expression::Call(function, arguments.into())
    }

    /// Returns whether two evaluations may differ.
    pub fn is_volatile(&self) -> bool {
        use Function::*;
        self.any(&|part| {
            matches!(part, Expression::Call(Rand | Uuid | StrUuid | BlankNode | MintNode | Timestamp, _))
        })
    }

    pub fn and(self, other: Expression) -> Expression {
        Expression::call(Function::And, [self, other])
    }
}

impl From<Variable> for Expression {
    fn from(variable: Variable) -> Expression {
        Expression::Variable(variable)
    }
}
