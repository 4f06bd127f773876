//! `Node`: a compiled expression, and how it is evaluated a column at a time.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::column::{Arguments, Column, Depth, Frame, KnownIds};
use super::datum::Datum;
use super::exists::Exists;
use super::list;
use crate::execute::{Context, ExecuteError};
use crate::model::{TermId, TermKind};
use crate::plan::Quantifier;

pub type Outcome = Result<Datum, ExecuteError>;

pub enum Node {
    Constant(Datum),
    Column(usize),
    /// A variable that a comprehension binds, by depth of nesting.
    Local(usize),
    Call(Kernel, Vec<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    /// The effective boolean value.
    Truth(Box<Node>),
    /// The negation of the effective boolean value.
    Not(Box<Node>),
    Coalesce(Vec<Node>),
    /// The condition, then and else; an undefined condition gives undefined.
    If(Box<[Node; 3]>),
    Case {
        branches: Vec<(Node, Node)>,
        otherwise: Box<Node>,
    },
    List(Vec<Node>),
    Map(Vec<(Arc<str>, Node)>),
    Comprehension {
        list: Box<Node>,
        filter: Option<Box<Node>>,
        map: Option<Box<Node>>,
    },
    Reduce {
        init: Box<Node>,
        list: Box<Node>,
        step: Box<Node>,
    },
    Quantifier {
        kind: Quantifier,
        list: Box<Node>,
        condition: Box<Node>,
    },
    Exists(Exists),
    /// A node that reads one column only and costs more than looking for repeated ids.
    OncePerValue {
        column: usize,
        node: Box<Node>,
    },
}

/// How one function is computed.
pub struct Kernel {
    pub run: Run,
    pub depth: Depth,
    /// Undefined if an argument is, without running.
    pub is_strict: bool,
    /// May give another value for the same arguments.
    pub is_volatile: bool,
    /// Answers from ids alone, where they suffice.
    pub shortcut: Option<Shortcut>,
}

pub enum Run {
    Row(fn(&Arguments<'_>, &Context) -> Outcome),
    With(Box<dyn Fn(&Arguments<'_>, &Context) -> Outcome + Send + Sync>),
    /// Sees all rows at once: functions that read the dataset.
    Columns(Box<ColumnFunction>),
}

pub type ColumnFunction =
    dyn Fn(Vec<Column<'_>>, usize, &Context) -> Result<Vec<Datum>, ExecuteError> + Send + Sync;

#[derive(Clone, Copy)]
pub enum Shortcut {
    /// Of one id, what [`Shortcut::Test`] is of two.
    TestOne(fn(TermId) -> Option<Option<bool>>),
    /// The truth value, `Some(None)` for undefined; `None` if the terms must be seen.
    Test(fn(TermId, TermId) -> Option<Option<bool>>),
    Compute(fn(TermId, TermId) -> Option<TermId>),
    /// Of a plain string, given another that is the same in all rows: what tells for the first.
    Text(fn(&str) -> TextTest),
}

/// Is asked about the bytes of texts: UTF-8 is found in UTF-8 as bytes in bytes.
pub type TextTest = Box<dyn Fn(&[u8]) -> bool>;

impl Node {
    pub fn evaluate<'a>(&self, frame: &Frame<'a>) -> Result<Column<'a>, ExecuteError> {
        if frame.rows == 0 {
            return Ok(Column::Data(Vec::new()));
        }
        match self {
            Node::Constant(datum) => Ok(Column::Constant(datum.clone())),
            Node::Column(index) => Ok(frame.column(*index)),
            Node::Local(index) => Ok(Column::Data(frame.locals[*index].clone())),
            Node::Call(kernel, arguments) => kernel.evaluate(arguments, frame),
            Node::And(nodes) => connect(nodes, frame, false),
            Node::Or(nodes) => connect(nodes, frame, true),
            Node::Truth(node) => truths(node, frame).map(Column::Booleans),
            Node::Not(node) => {
                let mut values = truths(node, frame)?;
                values.iter_mut().for_each(|value| *value = value.map(|value| !value));
                Ok(Column::Booleans(values))
            }
            Node::Coalesce(nodes) => coalesce(nodes, frame),
            Node::If(parts) => choose(parts, frame),
            Node::Case { branches, otherwise } => case(branches, otherwise, frame),
            Node::List(nodes) => list::build(nodes, frame),
            Node::Map(entries) => build_map(entries, frame),
            Node::Comprehension { list, filter, map } => {
                list::comprehend(list, filter.as_deref(), map.as_deref(), frame)
            }
            Node::Reduce { init, list, step } => list::reduce(init, list, step, frame),
            Node::Quantifier { kind, list, condition } => list::quantify(*kind, list, condition, frame),
            Node::Exists(exists) => exists.evaluate(frame).map(Column::Booleans),
            Node::OncePerValue { column, node } => once_per_value(*column, node, frame),
        }
    }

    /// Returns the nodes directly below.
    pub fn children(&self) -> Vec<&Node> {
        match self {
            Node::Constant(_) | Node::Column(_) | Node::Local(_) | Node::Exists(_) => vec![],
            Node::Call(_, nodes)
            | Node::And(nodes)
            | Node::Or(nodes)
            | Node::Coalesce(nodes)
            | Node::List(nodes) => nodes.iter().collect(),
            Node::If(parts) => parts.iter().collect(),
            Node::Case { branches, otherwise } => {
                branches.iter().flat_map(|(a, b)| [a, b]).chain([&**otherwise]).collect()
            }
            Node::Map(entries) => entries.iter().map(|(_, node)| node).collect(),
            Node::Comprehension { list, filter, map } => [Some(list), filter.as_ref(), map.as_ref()]
                .into_iter()
                .flatten()
                .map(|node| &**node)
                .collect(),
            Node::Reduce { init, list, step } => vec![init, list, step],
            Node::Quantifier { list, condition, .. } => vec![list, condition],
            Node::OncePerValue { node, .. } | Node::Truth(node) | Node::Not(node) => vec![node],
        }
    }
}

impl Kernel {
    fn evaluate<'a>(&self, arguments: &[Node], frame: &Frame<'a>) -> Result<Column<'a>, ExecuteError> {
        let columns = arguments.iter().map(|node| node.evaluate(frame)).collect::<Result<Vec<_>, _>>()?;
        match (self.shortcut, &columns[..]) {
            (Some(Shortcut::TestOne(test)), [column]) => {
                self.test(&columns, |row| column.id(row).and_then(test), frame)
            }
            (Some(Shortcut::Test(test)), [left, right]) => match (left.known_ids(), right.known_ids()) {
                (Some(KnownIds::OfRows(left)), Some(KnownIds::One(right))) => {
                    self.test(&columns, |row| test(left[row], right), frame)
                }
                (Some(KnownIds::One(left)), Some(KnownIds::OfRows(right))) => {
                    self.test(&columns, |row| test(left, right[row]), frame)
                }
                _ => {
                    let test = |row| left.id(row).zip(right.id(row)).and_then(|(a, b)| test(a, b));
                    self.test(&columns, test, frame)
                }
            },
            (Some(Shortcut::Compute(compute)), [left, right]) => {
                let (mut data, mut rest) = (Vec::with_capacity(frame.rows), Vec::new());
                for row in 0..frame.rows {
                    let known = left.id(row).zip(right.id(row)).and_then(|(a, b)| compute(a, b));
                    if known.is_none() {
                        rest.push(row as u32);
                    }
                    data.push(known.unwrap_or_default());
                }
                if rest.is_empty() {
                    return Ok(Column::Ids(data.into()));
                }
                let mut data = Column::Ids(data.into()).into_data(frame.rows);
                for (row, datum) in self.run_rest(&columns, rest, frame)? {
                    data[row as usize] = datum;
                }
                Ok(Column::Data(data))
            }
            (Some(Shortcut::Text(test)), [Column::Ids(ids), Column::Constant(part)])
                if part.is_plain_string() =>
            {
                let test = test(part.as_text().unwrap_or_default());
                self.test_texts(ids, &columns, &test, frame)
            }
            _ => Ok(Column::Data(self.run(columns, frame.rows, frame.context)?)),
        }
    }

    /// Tests the texts of plain strings as the dataset has them, and runs for the other rows.
    fn test_texts<'a>(
        &self,
        ids: &[TermId],
        columns: &[Column<'_>],
        test: &TextTest,
        frame: &Frame<'_>,
    ) -> Result<Column<'a>, ExecuteError> {
        let mut values = vec![None; ids.len()];
        let is_string = |row: &u32| ids[*row as usize].kind() == TermKind::String;
        if (0..ids.len() as u32).all(|row| is_string(&row)) {
            let strings = &mut |row: usize, text: &[u8]| values[row] = Some(test(text));
            frame.context.dataset.strings(ids, strings)?;
            return Ok(Column::Booleans(values));
        }
        let (rows, rest): (Vec<u32>, Vec<u32>) = (0..ids.len() as u32).partition(is_string);
        let strings: Vec<TermId> = rows.iter().map(|row| ids[*row as usize]).collect();
        frame.context.dataset.strings(&strings, &mut |index, text| {
            values[rows[index] as usize] = Some(test(text));
        })?;
        for (row, datum) in self.run_rest(columns, rest, frame)? {
            values[row as usize] = datum.as_boolean();
        }
        Ok(Column::Booleans(values))
    }

    /// Returns the truth values that `shortcut` knows, and runs for the rows of which it does not.
    fn test<'a>(
        &self,
        columns: &[Column<'_>],
        shortcut: impl Fn(usize) -> Option<Option<bool>>,
        frame: &Frame<'a>,
    ) -> Result<Column<'a>, ExecuteError> {
        let (mut values, mut rest) = (Vec::with_capacity(frame.rows), Vec::new());
        for row in 0..frame.rows {
            let known = shortcut(row);
            if known.is_none() {
                rest.push(row as u32);
            }
            values.push(known.flatten());
        }
        for (row, datum) in self.run_rest(columns, rest, frame)? {
            values[row as usize] = datum.as_boolean();
        }
        Ok(Column::Booleans(values))
    }

    fn run_rest(
        &self,
        columns: &[Column<'_>],
        rest: Vec<u32>,
        frame: &Frame<'_>,
    ) -> Result<Vec<(u32, Datum)>, ExecuteError> {
        if rest.is_empty() {
            return Ok(Vec::new());
        }
        let columns = columns.iter().map(|column| column.select(&rest)).collect();
        let data = self.run(columns, rest.len(), frame.context)?;
        Ok(rest.into_iter().zip(data).collect())
    }

    fn run(
        &self,
        columns: Vec<Column<'_>>,
        rows: usize,
        context: &Context,
    ) -> Result<Vec<Datum>, ExecuteError> {
        let columns: Vec<Column<'_>> =
            columns.into_iter().map(|column| column.decode(self.depth, context)).collect::<Result<_, _>>()?;
        if let Run::Columns(function) = &self.run {
            return function(columns, rows, context);
        }
        let mut data = Vec::with_capacity(rows);
        for row in 0..rows {
            let arguments = Arguments { columns: &columns, row };
            if self.is_strict && arguments.iter().any(Datum::is_undefined) {
                data.push(Datum::Undefined);
                continue;
            }
            data.push(match &self.run {
                Run::Row(function) => function(&arguments, context)?,
                Run::With(function) => function(&arguments, context)?,
                Run::Columns(_) => Datum::Undefined,
            });
        }
        Ok(data)
    }
}

fn truths(node: &Node, frame: &Frame<'_>) -> Result<Vec<Option<bool>>, ExecuteError> {
    node.evaluate(frame)?.into_booleans(frame.rows, frame.context)
}

/// AND (`decisive` false) and OR (`decisive` true): a decisive value decides, whatever the others
/// are; later operands are evaluated only for rows that are still open.
///
/// The order of operands means nothing: one that fails the query is asked again when the others
/// have decided what they can.
fn connect<'a>(nodes: &[Node], frame: &Frame<'a>, decisive: bool) -> Result<Column<'a>, ExecuteError> {
    let mut result = vec![Some(!decisive); frame.rows];
    let mut open: Vec<u32> = (0..frame.rows as u32).collect();
    let mut failed = Vec::new();
    for node in nodes {
        match evaluate_some(node, frame, &open).and_then(|c| c.into_booleans(open.len(), frame.context)) {
            Ok(values) => open = settle(&open, &values, decisive, &mut result),
            Err(ExecuteError::Runtime { .. }) => failed.push(node),
            Err(error) => return Err(error),
        }
    }
    for node in failed {
        let values = evaluate_some(node, frame, &open)?.into_booleans(open.len(), frame.context)?;
        open = settle(&open, &values, decisive, &mut result);
    }
    Ok(Column::Booleans(result))
}

/// Notes what one operand says of the open rows; returns the rows that stay open.
fn settle(open: &[u32], values: &[Option<bool>], decisive: bool, result: &mut [Option<bool>]) -> Vec<u32> {
    let mut still_open = Vec::with_capacity(open.len());
    for (row, value) in open.iter().zip(values) {
        let slot = &mut result[*row as usize];
        match value {
            Some(value) if *value == decisive => {
                *slot = Some(decisive);
                continue;
            }
            Some(_) => {}
            None => *slot = None,
        }
        still_open.push(*row);
    }
    still_open
}

/// Evaluates a node for some rows of a frame, in ascending order.
fn evaluate_some<'a>(node: &Node, frame: &Frame<'a>, rows: &[u32]) -> Result<Column<'a>, ExecuteError> {
    if rows.len() == frame.rows { node.evaluate(frame) } else { node.evaluate(&frame.select(rows)) }
}

fn coalesce<'a>(nodes: &[Node], frame: &Frame<'a>) -> Result<Column<'a>, ExecuteError> {
    let mut result = vec![Datum::Undefined; frame.rows];
    let mut open: Vec<u32> = (0..frame.rows as u32).collect();
    for node in nodes {
        let column = evaluate_some(node, frame, &open)?;
        let mut still_open = Vec::new();
        for (position, row) in open.iter().enumerate() {
            match column.get(position) {
                Datum::Undefined => still_open.push(*row),
                datum => result[*row as usize] = datum,
            }
        }
        open = still_open;
        if open.is_empty() {
            break;
        }
    }
    Ok(Column::Data(result))
}

fn choose<'a>(parts: &[Node; 3], frame: &Frame<'a>) -> Result<Column<'a>, ExecuteError> {
    let conditions = truths(&parts[0], frame)?;
    let mut result = vec![Datum::Undefined; frame.rows];
    for (truth, node) in [(true, &parts[1]), (false, &parts[2])] {
        let rows: Vec<u32> = rows_where(&conditions, Some(truth));
        scatter(&evaluate_some(node, frame, &rows)?, &rows, &mut result);
    }
    Ok(Column::Data(result))
}

fn case<'a>(
    branches: &[(Node, Node)],
    otherwise: &Node,
    frame: &Frame<'a>,
) -> Result<Column<'a>, ExecuteError> {
    let mut result = vec![Datum::Undefined; frame.rows];
    let mut open: Vec<u32> = (0..frame.rows as u32).collect();
    for (condition, value) in branches {
        let truths = evaluate_some(condition, frame, &open)?.into_booleans(open.len(), frame.context)?;
        let (taken, rest): (Vec<_>, Vec<_>) =
            open.iter().zip(&truths).partition(|(_, truth)| **truth == Some(true));
        let taken: Vec<u32> = taken.into_iter().map(|(row, _)| *row).collect();
        scatter(&evaluate_some(value, frame, &taken)?, &taken, &mut result);
        open = rest.into_iter().map(|(row, _)| *row).collect();
    }
    scatter(&evaluate_some(otherwise, frame, &open)?, &open, &mut result);
    Ok(Column::Data(result))
}

fn rows_where(values: &[Option<bool>], wanted: Option<bool>) -> Vec<u32> {
    (0..).zip(values).filter(|(_, value)| **value == wanted).map(|(row, _)| row).collect()
}

fn scatter(column: &Column<'_>, rows: &[u32], result: &mut [Datum]) {
    for (position, row) in rows.iter().enumerate() {
        result[*row as usize] = column.get(position);
    }
}

fn build_map<'a>(entries: &[(Arc<str>, Node)], frame: &Frame<'a>) -> Result<Column<'a>, ExecuteError> {
    let columns =
        entries.iter().map(|(_, node)| node.evaluate(frame)).collect::<Result<Vec<Column<'_>>, _>>()?;
    let row = |row| {
        Datum::map(
            entries.iter().zip(&columns).map(|((key, _), column)| (key.clone(), column.get(row))).collect(),
        )
    };
    Ok(Column::Data((0..frame.rows).map(row).collect()))
}

/// Returns the first row of each run of equal ids, and for each row the number of its run.
fn runs_of(ids: &[TermId]) -> (Vec<u32>, Vec<u32>) {
    let (mut firsts, mut run_of_row) = (Vec::new(), Vec::with_capacity(ids.len()));
    for run in ids.chunk_by(|a, b| a == b) {
        firsts.push(run_of_row.len() as u32);
        run_of_row.resize(run_of_row.len() + run.len(), firsts.len() as u32 - 1);
    }
    (firsts, run_of_row)
}

/// As [`runs_of`], of all rows that have an id, wherever they are.
fn values_of(ids: &[TermId]) -> (Vec<u32>, Vec<u32>) {
    let mut positions: FxHashMap<TermId, u32> = FxHashMap::default();
    let (mut firsts, mut position_of_row) = (Vec::new(), Vec::with_capacity(ids.len()));
    for (row, id) in ids.iter().enumerate() {
        let next = firsts.len() as u32;
        position_of_row.push(match positions.entry(*id) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                firsts.push(row as u32);
                *entry.insert(next)
            }
        });
    }
    (firsts, position_of_row)
}

fn once_per_value<'a>(column: usize, node: &Node, frame: &Frame<'a>) -> Result<Column<'a>, ExecuteError> {
    let Column::Ids(ids) = frame.column(column) else { return node.evaluate(frame) };
    let (firsts, position_of_row) = match ids.is_sorted() {
        true => runs_of(&ids),
        false => values_of(&ids),
    };
    if firsts.len() == ids.len() {
        return node.evaluate(frame);
    }
    Ok(node.evaluate(&frame.select(&firsts))?.select(&position_of_row))
}
