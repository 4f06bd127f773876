//! Lowering: a bound syntax tree becomes a plan, by the mapping of `docs/property_graph.md`.
//!
//! It makes the plain plan that the text says and leaves speed to the optimizer; what it decides is
//! how nodes, labels, properties and relationships read as quads, given the facts of the schema.

mod clause;
mod expression;
mod label;
mod pattern;
mod projection;
mod quantified;
mod subquery;
#[cfg(test)]
mod tests;
mod write;

use std::collections::{BTreeMap, HashMap};

use super::ast;
use super::kind::Kind;
use super::procedure::ProcedureSignatures;
use super::token::Span;
use crate::language::SyntaxError;
use crate::model::{NamedNode, Term, pg, rdf, xsd};
use crate::plan::{Expression, Function, GraphSelector, LogicalPlan, Query, Session, Variable, Variables};

/// Lowers a statement that [`check`](super::bind::check) has passed.
///
/// # Errors
/// If the statement asks for what no plan can say yet.
pub fn lower(
    text: &str,
    statement: &ast::Statement,
    session: &Session,
    procedures: &ProcedureSignatures,
) -> Result<Lowered, SyntaxError> {
    let graph = graph_of(&statement.query, session);
    let mut lowerer = Lowerer {
        session,
        procedures,
        graph: graph.clone(),
        variables: Variables::default(),
        writes: statement.query.writes() || calls_writer(&statement.query, procedures),
        has_written: false,
        may_have_changed: false,
        unsupported: None,
    };
    let query = lowerer.statement(&statement.query);
    match lowerer.unsupported {
        Some((span, message)) => {
            Err(SyntaxError::at(text, span.start as usize, "SyntaxError.NotImplemented", message))
        }
        None => Ok(Lowered { query, graph }),
    }
}

/// Returns whether a statement calls a procedure that may change data.
fn calls_writer(query: &ast::Query, procedures: &ProcedureSignatures) -> bool {
    let is_writer = |clause: &ast::Clause| match &clause.kind {
        ast::ClauseKind::Call(call) => {
            procedures.get(&call.procedure.text).is_some_and(|signature| signature.writes)
        }
        ast::ClauseKind::Subquery(call) => calls_writer(&call.query, procedures),
        _ => false,
    };
    query.parts().any(|part| part.clauses.iter().any(is_writer))
}

/// A lowered statement, and the graph that it reads and writes.
pub struct Lowered {
    pub query: Query,
    pub graph: GraphSelector,
}

/// Returns the graph that USE names, else the session's.
fn graph_of(query: &ast::Query, session: &Session) -> GraphSelector {
    match query.first.clauses.first().map(|clause| &clause.kind) {
        Some(ast::ClauseKind::Use(name)) => GraphSelector::Named(session.vocabulary.iri(&name.text)),
        _ => session.default_graph.clone(),
    }
}

struct Lowerer<'a> {
    session: &'a Session,
    procedures: &'a ProcedureSignatures,
    graph: GraphSelector,
    variables: Variables,
    /// Whether the statement writes anywhere.
    writes: bool,
    /// Whether a clause before this one wrote: then what follows must be read after it.
    has_written: bool,
    /// Whether the data may no longer be what the schema is about: from the first clause that writes on.
    may_have_changed: bool,
    unsupported: Option<(Span, String)>,
}

/// Rows under construction, and what is known of them.
#[derive(Clone)]
struct Rows {
    plan: LogicalPlan,
    scope: Scope,
    /// Names from outside a subquery, which no WITH of it takes out of scope.
    constants: Scope,
    /// Properties that the plan has fetched: (node, key) to the variable of the value.
    properties: HashMap<(Variable, String), Variable>,
    /// Whether the rows have an order to keep: then nothing may be joined to them any more.
    is_ordered: bool,
}

type Scope = BTreeMap<String, Binding>;

/// The columns of a query, in order.
type Columns = Vec<(String, Binding)>;

#[derive(Clone, Copy, Debug)]
struct Binding {
    variable: Variable,
    kind: Kind,
    /// It may be null.
    is_nullable: bool,
    /// It is bound within an expression only, so that no operator sees it.
    is_local: bool,
    /// What the properties of a relationship are of, where its pattern tells.
    reifier: Option<Variable>,
}

impl Binding {
    fn new(variable: Variable, kind: Kind, is_nullable: bool) -> Binding {
        Binding { variable, kind, is_nullable, is_local: false, reifier: None }
    }
}

impl Rows {
    fn new(plan: LogicalPlan, scope: Scope) -> Rows {
        Rows { plan, scope, constants: Scope::new(), properties: HashMap::new(), is_ordered: false }
    }

    /// Replaces the plan by what `f` makes of it.
    fn wrap(&mut self, f: impl FnOnce(Box<LogicalPlan>) -> LogicalPlan) {
        let plan = std::mem::replace(&mut self.plan, LogicalPlan::unit());
        self.plan = f(Box::new(plan));
    }

    fn filter(&mut self, condition: Expression) {
        self.wrap(|input| LogicalPlan::Filter { input, condition });
    }

    fn extend(&mut self, variable: Variable, expression: Expression) {
        self.wrap(|input| LogicalPlan::Extend { input, variable, expression });
    }

    fn join(&mut self, right: LogicalPlan) {
        self.wrap(|left| join(left, right));
        self.is_ordered = false;
    }

    /// Returns the variables in scope that operators can see.
    fn visible(&self) -> Vec<Variable> {
        let mut all: Vec<Variable> =
            self.scope.values().filter(|binding| !binding.is_local).map(|binding| binding.variable).collect();
        all.sort();
        all.dedup();
        all
    }
}

fn join(left: Box<LogicalPlan>, right: LogicalPlan) -> LogicalPlan {
    if left.is_unit() {
        right
    } else if right.is_unit() {
        *left
    } else {
        LogicalPlan::Join { left, right: Box::new(right) }
    }
}

fn is_defined(variable: Variable) -> Expression {
    Expression::call(Function::IsDefined, [variable.into()])
}

fn not(expression: Expression) -> Expression {
    Expression::call(Function::Not, [expression])
}

/// Returns the conjunction; `None` of nothing.
fn all_of(conditions: impl IntoIterator<Item = Expression>) -> Option<Expression> {
    conditions.into_iter().reduce(Expression::and)
}

impl Lowerer<'_> {
    fn refuse(&mut self, span: Span, message: &str) {
        self.unsupported.get_or_insert_with(|| (span, message.to_owned()));
    }

    fn iri(&self, name: &str) -> NamedNode {
        self.session.vocabulary.iri(name)
    }

    /// Returns whether `n.key` may be read by a scan: at most one literal, which means itself.
    fn is_read_by_scan(&self, key: &NamedNode) -> bool {
        if self.may_have_changed {
            return false;
        }
        let info = self.session.schema.predicates.get(key);
        let has_lists = info.is_some_and(|info| info.datatypes.iter().any(|datatype| *datatype == pg::LIST));
        self.session.schema.is_functional_property(key) && !has_lists
    }

    /// Returns whether what equals a value is looked up by a few ids among the objects of a property, as far as the
    /// schema knows them: then none has to be looked into.
    fn is_told_by_ids(&self, key: &NamedNode) -> bool {
        let known =
            [xsd::STRING, xsd::BOOLEAN, xsd::INTEGER, xsd::DOUBLE, xsd::DATE, xsd::DATE_TIME, xsd::TIME];
        self.session.schema.predicates.get(key).is_none_or(|info| {
            !info.has_opaque_numbers
                && info.datatypes.iter().all(|datatype| known.contains(&datatype.as_ref()))
        })
    }
}

fn rdf_type() -> Term {
    rdf::TYPE.into_owned().into()
}
