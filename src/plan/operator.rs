//! The operators of the logical plan.

use std::sync::Arc;

use super::{Aggregate, Change, Expression, Parameter, SortKey, Variable};
use crate::model::{NamedNode, Term, Value};

/// A logical plan: a tree whose every node yields rows, a multiset of variable bindings.
///
/// A row need not bind every variable of its operator; what it does not bind is *undefined*
/// (SPARQL's unbound, Cypher's null). Row order means something only above [`LogicalPlan::Sort`]
/// and [`LogicalPlan::TopN`], and is kept by Project, Filter, Extend and Slice.
#[derive(Clone, Debug, PartialEq)]
pub enum LogicalPlan {
    QuadScan(Box<QuadScan>),
    EdgeScan(Box<EdgeScan>),
    Path(Box<Path>),
    Repeat(Repeat),
    /// Constant rows. `Values { variables: [], rows: [[]] }` is the unit: one row that binds nothing.
    Values {
        variables: Vec<Variable>,
        rows: Vec<Vec<Value>>,
    },
    /// SPARQL's join: rows compatible on shared variables; undefined is compatible with anything.
    Join {
        left: Box<LogicalPlan>,
        right: Box<LogicalPlan>,
    },
    /// The join of scans whose subjects and objects are variables, two in each and no others, that form cycles:
    /// joined a variable at a time.
    MultiwayJoin(Vec<QuadScan>),
    /// As Join, and keeps each left row that no right row joins under `condition`.
    LeftJoin {
        left: Box<LogicalPlan>,
        right: Box<LogicalPlan>,
        condition: Option<Expression>,
    },
    /// Keeps each left row that some right row is compatible with (EXISTS).
    SemiJoin {
        left: Box<LogicalPlan>,
        right: Box<LogicalPlan>,
    },
    /// Keeps each left row that no right row is compatible with (NOT EXISTS).
    AntiJoin {
        left: Box<LogicalPlan>,
        right: Box<LogicalPlan>,
    },
    /// SPARQL's MINUS: drops a left row if a compatible right row shares a bound variable with it.
    Minus {
        left: Box<LogicalPlan>,
        right: Box<LogicalPlan>,
    },
    /// Runs `subplan` once for each input row with that row's bindings in place (a lateral join).
    Apply {
        input: Box<LogicalPlan>,
        subplan: Box<LogicalPlan>,
        kind: ApplyKind,
    },
    /// The bindings of the enclosing Apply's row; the leaf of a correlated subplan.
    Argument {
        variables: Vec<Variable>,
    },
    /// The rows of all inputs, duplicates kept.
    Union(Vec<LogicalPlan>),
    /// Keeps rows whose condition is true (not false, not undefined).
    Filter {
        input: Box<LogicalPlan>,
        condition: Expression,
    },
    /// Binds `variable`, which the input does not bind, to the expression; an error leaves it undefined.
    Extend {
        input: Box<LogicalPlan>,
        variable: Variable,
        expression: Expression,
    },
    /// Emits a row for each element of a list; none for null; one for what is no list.
    Unwind {
        input: Box<LogicalPlan>,
        list: Expression,
        variable: Variable,
    },
    /// Keeps just these variables, duplicates of rows kept.
    Project {
        input: Box<LogicalPlan>,
        variables: Vec<Variable>,
    },
    /// Drops duplicate rows; over the variables of the input.
    Distinct {
        input: Box<LogicalPlan>,
    },
    /// Groups by `keys` and computes each aggregate; without keys, exactly one row.
    Aggregate {
        input: Box<LogicalPlan>,
        keys: Vec<Variable>,
        aggregates: Vec<(Variable, Aggregate)>,
    },
    Sort {
        input: Box<LogicalPlan>,
        keys: Vec<SortKey>,
    },
    /// Sort, then the first `limit` rows after `offset`.
    TopN {
        input: Box<LogicalPlan>,
        keys: Vec<SortKey>,
        offset: u64,
        limit: u64,
    },
    /// The rows after the first `offset`, at most `limit` of them. Both are evaluated once, before
    /// the first row; a negative or non-integer value is a run-time error.
    Slice {
        input: Box<LogicalPlan>,
        offset: Option<Expression>,
        limit: Option<Expression>,
    },
    /// Fails the query if a row does not satisfy the condition (Cypher's run-time checks).
    Assert {
        input: Box<LogicalPlan>,
        condition: Expression,
        message: String,
    },
    /// Rows in which no relationship appears twice among `edges` (each a relationship or a list of
    /// them): Cypher's relationship uniqueness within a MATCH.
    DistinctEdges {
        input: Box<LogicalPlan>,
        edges: Vec<Variable>,
    },
    /// SPARQL's SERVICE; `text` is the pattern as a query to send.
    Service {
        endpoint: Slot,
        silent: bool,
        text: String,
        variables: Vec<Variable>,
    },
    /// A procedure: `CALL name(arguments) YIELD ...`. Yields (result field, variable) pairs.
    Call {
        input: Box<LogicalPlan>,
        procedure: String,
        arguments: Vec<Expression>,
        yields: Vec<(String, Variable)>,
        /// It may change data: then its whole input is evaluated first.
        writes: bool,
    },
    /// Emits a row for each record of a CSV file: a map by the names of its first record (`has_headers`),
    /// or a list.
    LoadCsv {
        input: Box<LogicalPlan>,
        source: Expression,
        has_headers: bool,
        separator: u8,
        variable: Variable,
    },
    /// Evaluates the whole input, then applies the changes row by row, then yields the rows with
    /// the variables that the changes bind.
    Modify {
        input: Box<LogicalPlan>,
        changes: Vec<Change>,
    },
    /// For each input row: the rows of `pattern` in the state so far; if there are none, applies
    /// `create` and yields one row. Then `on_match` or `on_create`.
    Merge {
        input: Box<LogicalPlan>,
        pattern: Box<LogicalPlan>,
        create: Vec<Change>,
        on_match: Vec<Change>,
        on_create: Vec<Change>,
    },
}

/// How an [`LogicalPlan::Apply`] combines an input row with the rows of its subplan.
#[derive(Clone, Debug, PartialEq)]
pub enum ApplyKind {
    /// One row for each subplan row.
    Inner,
    /// As Inner, and the input row alone where the subplan has no rows.
    Left,
    /// The input row, with `Variable` bound to whether the subplan has rows.
    Exists(Variable),
    /// The input row, with the first variable bound to the list of the second's values.
    Collect(Variable, Variable),
    /// The input row, with `Variable` bound to the number of rows.
    Count(Variable),
    /// Batch after batch of the input's rows, each of which may fail by itself.
    InBatches(Box<Batches>),
}

/// How an Apply goes through its input in batches. What a batch has written that fails is undone; each of its rows
/// comes out once, and binds nothing of the subplan's.
#[derive(Clone, Debug, PartialEq)]
pub struct Batches {
    /// How an input row is combined with the rows of the subplan; no batches again.
    pub kind: ApplyKind,
    /// How many rows are a batch. Evaluated once; what is no positive integer is a run-time error.
    pub rows: Expression,
    pub on_error: OnError,
    /// Bound to a map that tells what became of the row's batch: `started`, `committed`, `transactionId` and
    /// `errorMessage`.
    pub status: Option<Variable>,
}

/// What follows a batch that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// The next one.
    Continue,
    /// None: the rows that are left come out as those of the batch that failed.
    Break,
}

impl OnError {
    pub fn name(self) -> &'static str {
        match self {
            OnError::Continue => "continue",
            OnError::Break => "break",
        }
    }
}

/// A place in a scan: a variable, a constant, or one that a parameter brings, until it is bound.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    Variable(Variable),
    Constant(Term),
    Parameter(Arc<Parameter>),
}

/// Which graphs a scan reads. Where several graphs are read as one, equal triples count once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GraphSelector {
    /// The unnamed graph.
    Default,
    /// One named graph.
    Named(NamedNode),
    /// The RDF merge of these named graphs (FROM).
    Merge(Vec<NamedNode>),
    /// All graphs, named and unnamed, as one.
    Everything,
    /// Each named graph in turn, bound to the variable; only those listed, if a list is given
    /// (FROM NAMED).
    Each(Variable, Option<Vec<NamedNode>>),
}

/// The quads that match a pattern. A variable in two places asks for equal terms.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QuadScan {
    pub subject: Slot,
    pub predicate: Slot,
    pub object: Slot,
    pub graph: GraphSelector,
    /// Whether a quad comes once for each of its edges, not once. Only of a predicate whose edges are its relationships
    /// ([`PredicateInfo::is_reified`](super::PredicateInfo::is_reified)), and where no graphs are merged.
    pub per_edge: bool,
}

impl QuadScan {
    /// Makes a scan that gives each quad once.
    pub fn new(subject: Slot, predicate: Slot, object: Slot, graph: GraphSelector) -> QuadScan {
        QuadScan { subject, predicate, object, graph, per_edge: false }
    }
}

/// The relationships that match a pattern: for each asserted triple its reifiers, or, if it has
/// none, the triple itself (see `docs/property_graph.md`, 4). `edge` is bound to the relationship.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EdgeScan {
    pub subject: Slot,
    pub predicate: Slot,
    pub object: Slot,
    pub graph: GraphSelector,
    pub edge: Slot,
    /// Bound to the reifier; where the triple itself is the relationship, to that, so that no quad holds it.
    pub reifier: Option<Variable>,
    /// Only predicates among these, if not empty (`-[:A|B]->`); `predicate` is then a variable.
    pub predicates: Vec<NamedNode>,
}

/// Pairs of ends connected by a path of unbounded or variable length.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    pub subject: Slot,
    pub object: Slot,
    pub graph: GraphSelector,
    pub step: PathExpression,
    pub min: u32,
    /// `None`: no upper bound.
    pub max: Option<u32>,
    pub mode: PathMode,
    /// In the modes that enumerate paths: bound to the list of relationships.
    pub edges: Option<Variable>,
    /// In the modes that enumerate paths: bound to the path.
    pub path: Option<Variable>,
    /// For trails: a property map that each relationship must carry.
    pub edge_properties: Option<Expression>,
}

/// From each input row, every chain of rounds of a step in which no relationship appears twice: the
/// first round starts at `start`, each other one where the one before it ended. No rounds at all are
/// a chain too, if `min` is 0; it ends where it starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Repeat {
    pub input: Box<LogicalPlan>,
    /// One round. Its Argument leaves, which belong to it alone, are given `from` and variables of
    /// the input.
    pub step: Box<LogicalPlan>,
    /// Where a round starts and ends, and its relationships, in the order of the chain; the step's.
    pub from: Variable,
    pub to: Variable,
    pub edges: Vec<Variable>,
    /// Where a chain starts; bound by the input.
    pub start: Variable,
    /// Where a chain ends. If the input binds it, other chains do not count.
    pub end: Variable,
    pub min: u32,
    /// `None`: no upper bound.
    pub max: Option<u32>,
    /// Bound to the list of all relationships of the chain.
    pub trail: Variable,
    /// (a variable of the step, bound to the list of its values in all rounds)
    pub lists: Vec<(Variable, Variable)>,
    /// The chain is walked from what the text has as its end: the lists are turned round.
    pub is_reversed: bool,
}

/// Which paths count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PathMode {
    /// Distinct pairs of ends; no path is enumerated (SPARQL's `*`, `+`, `?`).
    Reachable,
    /// Every path that repeats no relationship (Cypher's variable-length relationships).
    Trail,
    /// One shortest path for each pair of ends.
    Shortest,
    /// All shortest paths for each pair of ends.
    AllShortest,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PathExpression {
    /// Any of these predicates.
    Predicates(Vec<NamedNode>),
    /// Any predicate but these.
    Not(Vec<NamedNode>),
    /// From object to subject.
    Inverse(Box<PathExpression>),
    Sequence(Vec<PathExpression>),
    Alternative(Vec<PathExpression>),
    /// A nested `*`, `+` or `?`: (step, min, max).
    Repeat(Box<PathExpression>, u32, Option<u32>),
}

impl LogicalPlan {
    /// Returns the unit: one row that binds nothing.
    pub fn unit() -> LogicalPlan {
        LogicalPlan::Values { variables: Vec::new(), rows: vec![Vec::new()] }
    }

    /// Returns a plan without rows.
    pub fn nothing() -> LogicalPlan {
        LogicalPlan::Values { variables: Vec::new(), rows: Vec::new() }
    }

    pub fn is_unit(&self) -> bool {
        matches!(self, LogicalPlan::Values { variables, rows } if variables.is_empty() && rows.len() == 1)
    }

    /// Returns whether running the plan changes data.
    pub fn writes(&self) -> bool {
        matches!(
            self,
            LogicalPlan::Modify { .. } | LogicalPlan::Merge { .. } | LogicalPlan::Call { writes: true, .. }
        ) || self.inputs().into_iter().any(LogicalPlan::writes)
    }
}

impl Repeat {
    /// Returns the variables that this binds beside its input's: the end, unless the input has it, and lists.
    pub fn bound(&self) -> impl Iterator<Item = Variable> + '_ {
        [self.end, self.trail].into_iter().chain(self.lists.iter().map(|(_, list)| *list))
    }

    /// Returns the variables of the step that are read of each round.
    pub fn read(&self) -> impl Iterator<Item = Variable> + '_ {
        let ends = [self.from, self.to].into_iter();
        ends.chain(self.edges.iter().copied()).chain(self.lists.iter().map(|(own, _)| *own))
    }
}

impl Slot {
    /// Returns what reads this place.
    pub fn expression(&self) -> Expression {
        match self {
            Slot::Variable(variable) => Expression::Variable(*variable),
            Slot::Constant(term) => Expression::Constant(Value::Term(term.clone())),
            Slot::Parameter(parameter) => Expression::Parameter(parameter.clone()),
        }
    }

    pub fn variable(&self) -> Option<Variable> {
        match self {
            Slot::Variable(variable) => Some(*variable),
            Slot::Constant(_) | Slot::Parameter(_) => None,
        }
    }
}

impl GraphSelector {
    pub fn variable(&self) -> Option<Variable> {
        match self {
            GraphSelector::Each(variable, _) => Some(*variable),
            _ => None,
        }
    }
}
