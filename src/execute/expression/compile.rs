//! Compiling: variables become columns, constants are folded and get their ids once.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::column::{Column, Frame};
use super::datum::Datum;
use super::exists::Exists;
use super::node::{Kernel, Node, Run};
use crate::batch::Batch;
use crate::execute::{Context, ExecuteError, Layout, RuntimeCode};
use crate::model::{TermId, Value};
use crate::plan::{Expression, Function, Variable};

/// An expression made ready for the batches of one layout.
pub struct Compiled {
    root: Node,
}

/// Compiles an expression over the columns of `layout`. A variable without a column is undefined.
///
/// # Errors
/// If a constant cannot be looked up, or a parameter has no value.
pub fn compile(
    expression: &Expression,
    layout: &Layout,
    context: &Context,
) -> Result<Compiled, ExecuteError> {
    let mut compiler = Compiler { layout, locals: Vec::new(), context };
    let root = compiler.node(expression)?;
    Ok(Compiled { root: compiler.once_per_value(root) })
}

impl Compiled {
    /// Returns the value of each row; of a variable it is the batch's column.
    ///
    /// # Errors
    /// If the dataset fails, or a rule of Cypher is broken.
    pub fn evaluate<'a>(
        &self,
        batch: &'a Batch,
        context: &'a Context,
    ) -> Result<Cow<'a, [TermId]>, ExecuteError> {
        let column = self.root.evaluate(&Frame::of_batch(batch, context))?;
        let ids = column.into_ids(batch.rows(), context)?;
        let budget = context.limits.memory_bytes_max;
        if budget != 0 && context.values.bytes() > budget {
            return Err(ExecuteError::MemoryExceeded { budget });
        }
        Ok(ids)
    }

    /// Returns for each row whether its effective boolean value is true.
    pub fn filter(&self, batch: &Batch, context: &Context) -> Result<Vec<bool>, ExecuteError> {
        let values =
            self.root.evaluate(&Frame::of_batch(batch, context))?.into_booleans(batch.rows(), context)?;
        Ok(values.into_iter().map(|value| value == Some(true)).collect())
    }

    /// Returns the value, if it is the same for every row.
    pub fn constant(&self, context: &Context) -> Result<Option<TermId>, ExecuteError> {
        match &self.root {
            Node::Constant(datum) => Ok(Some(datum.to_id(context)?)),
            _ => Ok(None),
        }
    }
}

struct Compiler<'a> {
    layout: &'a Layout,
    /// Variables that enclosing comprehensions bind, outermost first.
    locals: Vec<Variable>,
    context: &'a Context,
}

impl Compiler<'_> {
    fn node(&mut self, expression: &Expression) -> Result<Node, ExecuteError> {
        let node = match expression {
            Expression::Constant(value) => return Ok(Node::Constant(self.constant(value)?)),
            Expression::Parameter(parameter) => {
                let name = &parameter.name;
                let value = self.context.parameters.get(name).ok_or_else(|| {
                    let message = format!("the query needs a parameter ${name}");
                    ExecuteError::runtime(RuntimeCode::ParameterMissing, "MissingParameter", message)
                })?;
                return Ok(Node::Constant(self.constant(value)?));
            }
            Expression::Variable(variable) => return Ok(self.variable(*variable)),
            Expression::Call(function, arguments) => return self.call(function, arguments),
            Expression::Case { branches, otherwise } => Node::Case {
                branches: branches
                    .iter()
                    .map(|(condition, value)| Ok((self.node(condition)?, self.node(value)?)))
                    .collect::<Result<_, ExecuteError>>()?,
                otherwise: Box::new(match otherwise {
                    Some(otherwise) => self.node(otherwise)?,
                    None => Node::Constant(Datum::Undefined),
                }),
            },
            Expression::List(items) => Node::List(self.nodes(items)?),
            Expression::Map(entries) => Node::Map(
                entries
                    .iter()
                    .map(|(key, value)| Ok((Arc::from(key.as_str()), self.node(value)?)))
                    .collect::<Result<_, ExecuteError>>()?,
            ),
            Expression::Exists(plan) => return Ok(Node::Exists(self.exists(plan))),
            Expression::ListComprehension { variable, list, filter, map } => {
                let list = self.boxed(list)?;
                let filter = filter.as_ref().map(|filter| self.inside(&[*variable], filter)).transpose()?;
                let map = map.as_ref().map(|map| self.inside(&[*variable], map)).transpose()?;
                Node::Comprehension { list, filter, map }
            }
            Expression::Reduce { accumulator, init, variable, list, step } => Node::Reduce {
                init: self.boxed(init)?,
                list: self.boxed(list)?,
                step: self.inside(&[*accumulator, *variable], step)?,
            },
            Expression::Quantifier { kind, variable, list, condition } => Node::Quantifier {
                kind: *kind,
                list: self.boxed(list)?,
                condition: self.inside(&[*variable], condition)?,
            },
        };
        Ok(self.fold(node))
    }

    fn boxed(&mut self, expression: &Expression) -> Result<Box<Node>, ExecuteError> {
        self.node(expression).map(Box::new)
    }

    fn nodes(&mut self, expressions: &[Expression]) -> Result<Vec<Node>, ExecuteError> {
        expressions.iter().map(|expression| self.node(expression)).collect()
    }

    /// Compiles an expression in which more variables are bound.
    fn inside(&mut self, variables: &[Variable], expression: &Expression) -> Result<Box<Node>, ExecuteError> {
        self.locals.extend(variables);
        let node = self.node(expression);
        self.locals.truncate(self.locals.len() - variables.len());
        node.map(Box::new)
    }

    fn variable(&self, variable: Variable) -> Node {
        if let Some(index) = self.locals.iter().rposition(|local| *local == variable) {
            return Node::Local(index);
        }
        match self.layout.column(variable) {
            Some(column) => Node::Column(column),
            None => Node::Constant(Datum::Undefined),
        }
    }

    fn constant(&self, value: &Value) -> Result<Datum, ExecuteError> {
        let mut datum = super::datum_of_value(value, self.context)?;
        super::column::decode(std::slice::from_mut(&mut datum), super::column::Depth::Shallow, self.context)?;
        Ok(datum)
    }

    fn call(&mut self, function: &Function, arguments: &[Expression]) -> Result<Node, ExecuteError> {
        let mut nodes = self.nodes(arguments)?;
        let node = match (function, nodes.len()) {
            (Function::And, _) => Node::And(nodes),
            (Function::Or, _) => Node::Or(nodes),
            (Function::Coalesce, _) => Node::Coalesce(nodes),
            (Function::Not, 1) => Node::Not(only(nodes)),
            (Function::EffectiveBoolean, 1) => Node::Truth(only(nodes)),
            (Function::If, 3) => match <[Node; 3]>::try_from(nodes) {
                Ok(parts) => Node::If(Box::new(parts)),
                Err(_) => Node::Constant(Datum::Undefined),
            },
            (Function::BlankNode, 1) => {
                let columns = (0..self.layout.width()).map(Node::Column);
                nodes.extend(columns);
                Node::Call(super::blank_node::kernel(), nodes)
            }
            (Function::Slice, _) => slice(nodes, arguments),
            (Function::CypherTemporal(_), _) | (Function::CypherDate, _) => {
                Node::Call(Kernel::of(function), nodes)
            }
            (_, given) if !takes(function, given) => {
                return Err(ExecuteError::Plan(format!("{function:?} was given {given} argument(s)")));
            }
            _ => {
                if matches!(function, Function::SameTerm | Function::SparqlEqual | Function::CypherEqual) {
                    nodes.iter_mut().try_for_each(|node| self.intern(node))?;
                }
                Node::Call(Kernel::of(function), nodes)
            }
        };
        Ok(self.fold(node))
    }

    /// Gives a constant its id, so that it is compared with ids.
    fn intern(&self, node: &mut Node) -> Result<(), ExecuteError> {
        let Node::Constant(datum) = node else { return Ok(()) };
        if datum.known_id().is_none() && datum.to_term().is_some() {
            let id = datum.to_id(self.context)?;
            let mut known = [Datum::of_id(id)];
            super::column::decode(&mut known, super::column::Depth::Shallow, self.context)?;
            let [known] = known;
            *datum = known;
        }
        Ok(())
    }

    fn exists(&self, plan: &crate::plan::LogicalPlan) -> Exists {
        let mut layout = self.layout.clone();
        for local in &self.locals {
            layout.push(*local, false);
        }
        Exists { plan: plan.clone(), layout }
    }

    /// Evaluates a node whose every child is a constant. One that fails is kept: it must fail only
    /// if a row reaches it.
    fn fold(&self, node: Node) -> Node {
        let is_volatile = matches!(&node, Node::Call(kernel, _) if kernel.is_volatile || reads_graph(kernel));
        let is_leaf = matches!(node, Node::Constant(_) | Node::Column(_) | Node::Local(_) | Node::Exists(_));
        let binds =
            matches!(node, Node::Comprehension { .. } | Node::Reduce { .. } | Node::Quantifier { .. });
        let is_constant = node.children().iter().all(|child| matches!(child, Node::Constant(_)));
        if is_volatile || is_leaf || binds || !is_constant {
            return node;
        }
        let unit = Batch::new(Vec::new(), 1);
        match node.evaluate(&Frame::of_batch(&unit, self.context)) {
            Ok(Column::Constant(datum)) => Node::Constant(datum),
            Ok(column) => Node::Constant(column.get(0)),
            Err(_) => node,
        }
    }

    /// Wraps the largest nodes that read one column only and look into terms, so that they are
    /// computed once for each distinct id of a batch.
    fn once_per_value(&self, node: Node) -> Node {
        let mut columns = BTreeSet::new();
        let is_pure = survey(&node, &mut columns);
        if is_pure && columns.len() == 1 && is_costly(&node) {
            let column = columns.into_iter().next().unwrap_or_default();
            return Node::OncePerValue { column, node: Box::new(node) };
        }
        let all = |nodes: Vec<Node>| nodes.into_iter().map(|node| self.once_per_value(node)).collect();
        match node {
            Node::Call(kernel, nodes) => Node::Call(kernel, all(nodes)),
            Node::And(nodes) => Node::And(all(nodes)),
            Node::Or(nodes) => Node::Or(all(nodes)),
            Node::Not(node) => Node::Not(Box::new(self.once_per_value(*node))),
            Node::Truth(node) => Node::Truth(Box::new(self.once_per_value(*node))),
            Node::Coalesce(nodes) => Node::Coalesce(all(nodes)),
            Node::List(nodes) => Node::List(all(nodes)),
            other => other,
        }
    }
}

fn only(mut nodes: Vec<Node>) -> Box<Node> {
    Box::new(nodes.pop().unwrap_or(Node::Constant(Datum::Undefined)))
}

/// Returns whether the node gives one value for one row of columns, and notes the columns it reads.
fn survey(node: &Node, columns: &mut BTreeSet<usize>) -> bool {
    match node {
        Node::Column(index) => {
            columns.insert(*index);
            true
        }
        Node::Exists(_)
        | Node::Local(_)
        | Node::Comprehension { .. }
        | Node::Reduce { .. }
        | Node::Quantifier { .. } => false,
        Node::Call(kernel, _) if kernel.is_volatile => false,
        node => node.children().into_iter().all(|child| survey(child, columns)),
    }
}

/// Returns whether a node does more than compare or add ids.
fn is_costly(node: &Node) -> bool {
    let is_told_by_ids = |kernel: &super::node::Kernel| {
        kernel.depth == super::column::Depth::Ids
            || !matches!(kernel.shortcut, None | Some(super::node::Shortcut::Text(_)))
    };
    let own = matches!(node, Node::Call(kernel, _) if !is_told_by_ids(kernel));
    own || node.children().into_iter().any(is_costly)
}

fn reads_graph(kernel: &Kernel) -> bool {
    matches!(kernel.run, Run::Columns(_))
}

/// list[from..to]: a bound that is written as a null constant is absent.
fn slice(mut nodes: Vec<Node>, arguments: &[Expression]) -> Node {
    let is_absent =
        |index: usize| matches!(arguments.get(index), None | Some(Expression::Constant(Value::Null)));
    let kernel = match (is_absent(1), is_absent(2)) {
        (false, false) => super::list::slice_kernel(|a| super::list::slice(&a[0], Some(&a[1]), Some(&a[2]))),
        (false, true) => super::list::slice_kernel(|a| super::list::slice(&a[0], Some(&a[1]), None)),
        (true, false) => super::list::slice_kernel(|a| super::list::slice(&a[0], None, Some(&a[2]))),
        (true, true) => super::list::slice_kernel(|a| super::list::slice(&a[0], None, None)),
    };
    nodes.resize_with(3, || Node::Constant(Datum::Undefined));
    Node::Call(kernel, nodes)
}

/// Returns whether a function can be called with so many arguments. The languages check too; this
/// keeps a mistake of ours from reading past the arguments.
fn takes(function: &Function, given: usize) -> bool {
    use Function::*;
    let (least, most) = match function {
        Concat | And | Or | Coalesce | Path => (0, usize::MAX),
        SparqlIn => (1, usize::MAX),
        Pi | E | Rand | Uuid | StrUuid | Now | MintNode | Timestamp | BlankNode => (0, 2),
        CypherDate | CypherTime | CypherLocalTime | CypherDateTime | CypherLocalDateTime | CypherDuration => {
            (0, 2)
        }
        CypherTemporal(_) => (0, 4),
        Iri | Adjust => (1, 2),
        CypherRound => (1, 3),
        Range | SubStr | CypherSubstring | Regex => (2, 3),
        Replace => (3, 4),
        If | StrLangDirection | Triple | CypherReplace | Slice | CleanMap => (3, 3),
        Relationship => (4, 4),
        Xor | SameTerm | SparqlEqual | CypherEqual | SparqlLess | SparqlLessOrEqual | CypherLess
        | CypherLessOrEqual | CypherIn | SparqlAdd | SparqlSubtract | SparqlMultiply | SparqlDivide
        | CypherAdd | CypherSubtract | CypherMultiply | CypherDivide | CypherModulo | CypherPower | Atan2
        | LangMatches | StrDt | StrLang | StrStarts | StrEnds | Contains | StrBefore | StrAfter
        | CypherStartsWith | CypherEndsWith | CypherContains | MergeMaps | CypherRegex | CypherLeft
        | CypherRight | CypherSplit | Index | Distance | MatchesRegex => (2, 2),
        _ => (1, 1),
    };
    (least..=most).contains(&given) || matches!(function, Unknown(_))
}
