//! `Matcher`: the right side of a join: for a batch of left rows, the compatible right rows.
//!
//! Inner, left, semi, anti join and minus differ in what they do with the matches, and hash, bind
//! and correlated evaluation in how they find them; this trait keeps the two apart.

use std::sync::Arc;

use super::{BoxOperator, JoinTable, Operator, Pairs, drain};
use crate::batch::Batch;
use crate::execute::{Context, ExecuteError, Layout, Reservation};
use crate::model::TermId;
use crate::plan::Variable;

pub trait Matcher: Send {
    /// The columns of the right rows.
    fn layout(&self) -> &Layout;

    /// Starts to look up the rows of `left`; with `once`, at most one match for each is needed.
    fn start(&mut self, left: &Arc<Batch>, once: bool) -> Result<(), ExecuteError>;

    /// Returns more pairs, never none; `None` when all left rows were looked up.
    fn next_pairs(&mut self) -> Result<Option<Pairs>, ExecuteError>;

    /// The right rows that the last pairs point into.
    fn rows(&self) -> &Batch;

    fn describe(&self) -> String;

    /// Returns whether it hashes all right rows, so that the sides may be swapped.
    fn is_hash(&self) -> bool {
        false
    }

    /// Returns what the right rows have in a variable, sorted, each once, before the first left rows come; `None` if there
    /// are more than `rows_max` of them, or some may match whatever a left row has.
    fn keys(&mut self, _variable: Variable, _rows_max: usize) -> Result<Option<Vec<TermId>>, ExecuteError> {
        Ok(None)
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        Vec::new()
    }
}

/// Finds matches in a hash table of all right rows.
pub struct HashMatcher {
    context: Arc<Context>,
    right: BoxOperator,
    left_layout: Layout,
    table: Option<JoinTable>,
    nothing: Batch,
    reservation: Reservation,
}

impl HashMatcher {
    /// Makes a matcher that hashes `right` when the first left rows come.
    pub fn new(right: BoxOperator, left_layout: &Layout, context: Arc<Context>) -> HashMatcher {
        let reservation = context.reserve();
        let nothing = Batch::empty(right.layout().width());
        HashMatcher { context, right, left_layout: left_layout.clone(), table: None, nothing, reservation }
    }

    fn table(&mut self) -> Result<&mut JoinTable, ExecuteError> {
        if self.table.is_none() {
            let rows = drain(self.right.as_mut(), &self.context, &mut self.reservation)?;
            let table = JoinTable::build(rows, self.right.layout(), &self.left_layout);
            self.reservation.grow(table.index_bytes())?;
            self.table = Some(table);
        }
        Ok(self.table.as_mut().expect("it was made above"))
    }
}

impl Matcher for HashMatcher {
    fn layout(&self) -> &Layout {
        self.right.layout()
    }

    fn start(&mut self, left: &Arc<Batch>, once: bool) -> Result<(), ExecuteError> {
        self.table()?.start(left.clone(), once);
        Ok(())
    }

    fn next_pairs(&mut self) -> Result<Option<Pairs>, ExecuteError> {
        self.context.check()?;
        match &mut self.table {
            Some(table) => table.next_pairs(&self.context),
            None => Ok(None),
        }
    }

    fn rows(&self) -> &Batch {
        self.table.as_ref().map_or(&self.nothing, JoinTable::rows)
    }

    fn describe(&self) -> String {
        "Hash".to_owned()
    }

    fn is_hash(&self) -> bool {
        true
    }

    fn keys(&mut self, variable: Variable, rows_max: usize) -> Result<Option<Vec<TermId>>, ExecuteError> {
        let column = self.right.layout().column(variable);
        let rows = self.table()?.rows();
        let Some(column) = column.filter(|_| rows.rows() <= rows_max) else { return Ok(None) };
        let mut keys = rows.column(column).to_vec();
        if !keys.is_sorted() {
            keys.sort_unstable();
        }
        keys.dedup();
        Ok((keys.first() != Some(&TermId::UNDEFINED)).then_some(keys))
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.right.as_ref()]
    }
}

/// How a left and a right row become one.
#[derive(Clone, Debug)]
pub struct JoinShape {
    pub layout: Layout,
    /// Shared columns in which the left may have a hole that the right fills: (left, right).
    fill: Vec<(usize, usize)>,
    /// Columns that only the right has.
    append: Vec<usize>,
}

impl JoinShape {
    /// Makes the shape of joined rows: the left columns, then those that only the right has.
    pub fn new(left: &Layout, right: &Layout) -> JoinShape {
        let mut shape = JoinShape { layout: left.clone(), fill: Vec::new(), append: Vec::new() };
        for (column, variable) in right.variables().iter().enumerate() {
            let is_defined = right.is_defined(*variable);
            match left.column(*variable) {
                Some(_) if left.is_defined(*variable) => {}
                Some(own) => {
                    shape.fill.push((own, column));
                    if is_defined {
                        shape.layout.strengthen(own);
                    }
                }
                None => {
                    shape.layout.push(*variable, is_defined);
                    shape.append.push(column);
                }
            }
        }
        shape
    }

    /// Returns the shape of a left join: as [`JoinShape::new`], but the right may be missing.
    pub fn optional(left: &Layout, right: &Layout) -> JoinShape {
        let mut shape = JoinShape::new(left, right);
        for column in 0..shape.layout.width() {
            if !left.is_defined(shape.layout.variables()[column]) {
                shape.layout.weaken(column);
            }
        }
        shape
    }

    /// Joins pairs of rows.
    pub fn join(&self, left: &Batch, pairs: &Pairs, right: &Batch) -> Batch {
        let mut columns = left.gather(&pairs.left).into_columns();
        for (own, theirs) in &self.fill {
            let theirs = right.column(*theirs);
            for (id, row) in columns[*own].iter_mut().zip(&pairs.right) {
                if id.is_undefined() {
                    *id = theirs[*row as usize];
                }
            }
        }
        columns.extend(right.gather_columns(&self.append, &pairs.right));
        Batch::new(columns, pairs.left.len())
    }

    /// Returns left rows alone, the right's columns undefined.
    pub fn alone(&self, left: &Batch, rows: &[u32]) -> Batch {
        let mut columns = left.gather(rows).into_columns();
        columns.resize(self.layout.width(), vec![TermId::UNDEFINED; rows.len()]);
        Batch::new(columns, rows.len())
    }
}
