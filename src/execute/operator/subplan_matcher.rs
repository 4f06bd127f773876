//! `SubplanMatcher`: evaluates the right side for the left rows at hand, a batch of them at a time.
//!
//! Correlated plans run once for all distinct bindings of a batch, each marked with a number that
//! travels with its rows; where that cannot be (a LIMIT or a write inside), once for each binding.
//! Uncorrelated plans may run on only what the left rows can join.

use std::sync::Arc;

use super::distinct::DistinctRows;
use super::{BoxOperator, JoinTable, Matcher, Operator, Pairs, bytes_of, drain};
use crate::batch::Batch;
use crate::execute::correlate::{argument_variables, carry, has_effect, reduce};
use crate::execute::physical_plan::Planner;
use crate::execute::{Context, ExecuteError, Layout, Reservation};
use crate::model::TermId;
use crate::plan::{LogicalPlan, Variable};

pub struct SubplanMatcher {
    context: Arc<Context>,
    planner: Planner,
    plan: LogicalPlan,
    mode: Mode,
    /// The variables that the subplan is given.
    given: Vec<Variable>,
    left_layout: Layout,
    layout: Layout,
    /// For EXPLAIN: the plan over no rows.
    sample: BoxOperator,
    table: Option<JoinTable>,
    nothing: Batch,
    reservation: Reservation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// All bindings at once; the variable numbers them.
    Together(Variable),
    /// One binding after another; the variable numbers them.
    OneByOne(Variable),
    /// As `OneByOne`, but equal bindings are not taken together, since each run has an effect of its own.
    EachRow(Variable),
    /// The plan is not correlated; it is only cut down to what can join.
    Reduced,
}

impl SubplanMatcher {
    /// Makes a matcher for a plan that reads the left row through its Argument leaves.
    pub fn correlated(
        plan: &LogicalPlan,
        left: &Layout,
        planner: &Planner,
    ) -> Result<SubplanMatcher, ExecuteError> {
        let number = planner.context().fresh_variable();
        let given = argument_variables(plan).into_iter().filter(|v| left.contains(*v)).collect();
        let (plan, mode) = if has_effect(plan) {
            (plan.clone(), Mode::EachRow(number))
        } else {
            match carry(plan, number, planner.context()) {
                Some(carrying) => (carrying, Mode::Together(number)),
                None => (plan.clone(), Mode::OneByOne(number)),
            }
        };
        SubplanMatcher::new(plan, mode, given, left, planner)
    }

    /// Makes a matcher that evaluates `plan` only where the `shared` variables are those of left
    /// rows. None of these may be undefined on the left.
    pub fn reduced(
        plan: &LogicalPlan,
        shared: Vec<Variable>,
        left: &Layout,
        planner: &Planner,
    ) -> Result<SubplanMatcher, ExecuteError> {
        let plan = reduce(plan, &shared.iter().copied().collect());
        SubplanMatcher::new(plan, Mode::Reduced, shared, left, planner)
    }

    fn new(
        plan: LogicalPlan,
        mode: Mode,
        given: Vec<Variable>,
        left: &Layout,
        planner: &Planner,
    ) -> Result<SubplanMatcher, ExecuteError> {
        let context = planner.context().clone();
        let mut argument = Layout::default();
        given.iter().for_each(|variable| argument.push(*variable, left.is_defined(*variable)));
        if let Mode::Together(number) = mode {
            argument.push(number, true);
        }
        let nothing = Arc::new(Batch::empty(argument.width()));
        let sample = planner.with_argument(argument, nothing).build(&plan)?;
        let mut layout = Layout::default();
        for variable in sample.layout().variables() {
            if mode.number() != Some(*variable) {
                layout.push(*variable, sample.layout().is_defined(*variable));
            }
        }
        let nothing = Batch::empty(layout.width());
        let reservation = context.reserve();
        Ok(SubplanMatcher {
            context,
            planner: planner.clone(),
            plan,
            mode,
            given,
            left_layout: left.clone(),
            layout,
            sample,
            table: None,
            nothing,
            reservation,
        })
    }

    /// Runs the plan on given rows; returns its rows in the order of `self.layout`, then `more`.
    fn run(&mut self, layout: Layout, rows: Batch, more: Option<Variable>) -> Result<Batch, ExecuteError> {
        let mut operator = self.planner.with_argument(layout, Arc::new(rows)).build(&self.plan)?;
        let found = drain(operator.as_mut(), &self.context, &mut self.reservation)?;
        let own = operator.layout();
        let count = found.rows();
        let columns =
            self.layout.variables().iter().copied().chain(more).map(|variable| match own.column(variable) {
                Some(column) => found.column(column).to_vec(),
                None => vec![TermId::UNDEFINED; count],
            });
        Ok(Batch::new(columns.collect(), count))
    }

    /// Evaluates the plan for the distinct bindings `rows`; the number of each row's is last.
    fn evaluate(&mut self, rows: &Batch) -> Result<Batch, ExecuteError> {
        let mut argument = Layout::default();
        self.given.iter().for_each(|v| argument.push(*v, self.left_layout.is_defined(*v)));
        match self.mode {
            Mode::Reduced => self.run(argument, rows.clone(), None),
            Mode::Together(number) => {
                argument.push(number, true);
                let mut rows = rows.clone();
                rows.push_column((0..rows.rows()).map(numbered).collect());
                self.run(argument, rows, Some(number))
            }
            Mode::OneByOne(_) | Mode::EachRow(_) => {
                let mut all = Batch::empty(self.layout.width() + 1);
                for row in 0..rows.rows() {
                    self.context.check()?;
                    let mut found = self.run(argument.clone(), rows.slice(row, 1), None)?;
                    found.push_column(vec![numbered(row); found.rows()]);
                    all.append(&found);
                }
                Ok(all)
            }
        }
    }
}

impl Mode {
    fn number(self) -> Option<Variable> {
        match self {
            Mode::Together(number) | Mode::OneByOne(number) | Mode::EachRow(number) => Some(number),
            Mode::Reduced => None,
        }
    }
}

fn numbered(row: usize) -> TermId {
    TermId::from_i64(row as i64).expect("rows of a batch are few")
}

impl Matcher for SubplanMatcher {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn start(&mut self, left: &Arc<Batch>, once: bool) -> Result<(), ExecuteError> {
        self.table = None;
        self.reservation.release();
        let columns: Vec<&[TermId]> = self
            .given
            .iter()
            .filter_map(|variable| self.left_layout.column(*variable))
            .map(|column| left.column(column))
            .collect();
        let (bindings, numbers): (Batch, Vec<u32>) = if matches!(self.mode, Mode::EachRow(_)) {
            let columns = columns.iter().map(|column| column.to_vec()).collect();
            (Batch::new(columns, left.rows()), (0..left.rows() as u32).collect())
        } else {
            let mut distinct = DistinctRows::new(columns.len(), &self.context);
            let numbers = distinct.number(&columns, left.rows())?;
            (distinct.into_rows(), numbers)
        };
        let rows = self.evaluate(&bindings)?;
        self.reservation.grow(bytes_of(rows.rows(), rows.width()))?;
        let (mut own, mut theirs) = (self.left_layout.clone(), self.layout.clone());
        let mut left = left.clone();
        if let Some(number) = self.mode.number() {
            own.push(number, true);
            theirs.push(number, true);
            let mut numbered_left = (*left).clone();
            numbered_left.push_column(numbers.into_iter().map(|n| numbered(n as usize)).collect());
            left = Arc::new(numbered_left);
        }
        let mut table = JoinTable::build(rows, &theirs, &own);
        self.reservation.grow(table.index_bytes())?;
        table.start(left, once);
        self.table = Some(table);
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
        match self.mode {
            Mode::Together(_) => "Lateral".to_owned(),
            Mode::OneByOne(_) => "LateralEach".to_owned(),
            Mode::EachRow(_) => "LateralEachRow".to_owned(),
            Mode::Reduced => "Reduced".to_owned(),
        }
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.sample.as_ref()]
    }
}
