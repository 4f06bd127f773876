//! `Repeat`: from each input row the chains of rounds of a step, depth first; a relationship that a
//! chain has used is not used again. Rounds are asked of the step for many nodes at once, ahead.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{BoxOperator, Operator, bytes_of, drain};
use crate::batch::{BATCH_ROWS, Batch};
use crate::execute::correlate::argument_variables;
use crate::execute::physical_plan::Planner;
use crate::execute::{Context, ExecuteError, Layout, Local, Reservation};
use crate::model::TermId;
use crate::plan::{self, Variable};

pub struct Repeat {
    context: Arc<Context>,
    planner: Planner,
    input: BoxOperator,
    plan: plan::Repeat,
    /// For EXPLAIN: the step over no rows.
    sample: BoxOperator,
    layout: Layout,
    /// The variables of the input row that the step reads, and what the known rounds were given for them.
    given: Vec<Variable>,
    given_values: Vec<TermId>,
    rounds: FxHashMap<TermId, Arc<Vec<Round>>>,
    /// The input rows in work, which of them is next, and the walk from the one before.
    rows: Option<Batch>,
    next_row: usize,
    walk: Option<Walk>,
    reservation: Reservation,
}

/// One way to take the step from a node.
struct Round {
    edges: Vec<TermId>,
    /// A value for each of the lists.
    values: Vec<TermId>,
    to: TermId,
}

/// The chains from one input row: the chain in work, and what is still to be tried.
struct Walk {
    row: Vec<TermId>,
    start: TermId,
    target: Option<TermId>,
    has_begun: bool,
    /// The rounds from the last node of the chain, and from each node before it, with the next to try.
    levels: Vec<(Arc<Vec<Round>>, usize)>,
    /// The rounds of the chain: places in `levels`.
    chain: Vec<(Arc<Vec<Round>>, usize)>,
    used: Vec<TermId>,
}

impl Repeat {
    pub fn new(input: BoxOperator, plan: &plan::Repeat, planner: &Planner) -> Result<Repeat, ExecuteError> {
        let context = planner.context().clone();
        let mut given = argument_variables(&plan.step);
        given.remove(&plan.from);
        let given: Vec<Variable> = given.into_iter().collect();
        let mut layout = input.layout().clone();
        for variable in plan.bound() {
            if !layout.contains(variable) {
                layout.push(variable, true);
            }
        }
        let argument = Repeat::argument(plan, &given, input.layout());
        let nothing = Arc::new(Batch::empty(argument.width()));
        let sample = planner.with_argument(argument, nothing).build(&plan.step)?;
        let reservation = context.reserve();
        Ok(Repeat {
            context,
            planner: planner.clone(),
            input,
            plan: plan.clone(),
            sample,
            layout,
            given,
            given_values: Vec::new(),
            rounds: FxHashMap::default(),
            rows: None,
            next_row: 0,
            walk: None,
            reservation,
        })
    }

    /// Returns the layout of the rows that the step is given.
    fn argument(plan: &plan::Repeat, given: &[Variable], input: &Layout) -> Layout {
        let mut argument = Layout::new(vec![plan.from]);
        given.iter().for_each(|variable| argument.push(*variable, input.is_defined(*variable)));
        argument
    }

    /// Begins the walk from the next input row; `None` after the last.
    fn next_walk(&mut self) -> Result<Option<Walk>, ExecuteError> {
        loop {
            if let Some(rows) = &self.rows
                && self.next_row < rows.rows()
            {
                let mut row = Vec::new();
                rows.read_row(self.next_row, &mut row);
                self.next_row += 1;
                return self.begin(row).map(Some);
            }
            (self.rows, self.next_row) = (None, 0);
            let Some(rows) = self.input.next_batch()? else { return Ok(None) };
            if self.given.is_empty()
                && let Some(column) = self.input.layout().column(self.plan.start)
            {
                self.learn(rows.column(column).iter().copied())?;
            }
            self.rows = Some(rows);
        }
    }

    fn begin(&mut self, row: Vec<TermId>) -> Result<Walk, ExecuteError> {
        let value = |variable: Variable| {
            let column = self.input.layout().column(variable);
            column.map_or(TermId::UNDEFINED, |column| row[column])
        };
        let given: Vec<TermId> = self.given.iter().map(|variable| value(*variable)).collect();
        let (start, end) = (value(self.plan.start), value(self.plan.end));
        if given != self.given_values {
            self.given_values = given;
            self.rounds.clear();
            self.reservation.release();
        }
        let target = Some(end).filter(|end| !end.is_undefined());
        let (levels, chain, used) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Walk { row, start, target, has_begun: false, levels, chain, used })
    }

    /// Asks for the rounds from the nodes that nothing is known of yet.
    fn learn(&mut self, nodes: impl Iterator<Item = TermId>) -> Result<(), ExecuteError> {
        let mut unknown: Vec<TermId> =
            nodes.filter(|node| !node.is_undefined() && !self.rounds.contains_key(node)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.is_empty() {
            return Ok(());
        }
        self.context.check()?;
        let count = unknown.len();
        let mut columns = vec![unknown.clone()];
        columns.extend(self.given_values.iter().map(|value| vec![*value; count]));
        let layout = Repeat::argument(&self.plan, &self.given, self.input.layout());
        let planner = self.planner.with_argument(layout, Arc::new(Batch::new(columns, count)));
        let mut operator = planner.build(&self.plan.step)?;
        let mut held = self.context.reserve();
        let found = drain(operator.as_mut(), &self.context, &mut held)?;
        let width = self.plan.edges.len() + self.plan.lists.len() + 2;
        self.reservation.grow(bytes_of(found.rows() + count, width))?;
        let column = |variable: Variable| operator.layout().column(variable);
        let value = |variable: Variable, row: usize| {
            column(variable).map_or(TermId::UNDEFINED, |column| found.column(column)[row])
        };
        let mut rounds: FxHashMap<TermId, Vec<Round>> =
            unknown.into_iter().map(|node| (node, Vec::new())).collect();
        for row in 0..found.rows() {
            let edges = self.plan.edges.iter().map(|edge| value(*edge, row)).collect();
            let values = self.plan.lists.iter().map(|(own, _)| value(*own, row)).collect();
            let round = Round { edges, values, to: value(self.plan.to, row) };
            if let Some(all) = rounds.get_mut(&value(self.plan.from, row)) {
                all.push(round);
            }
        }
        self.rounds.extend(rounds.into_iter().map(|(node, all)| (node, Arc::new(all))));
        Ok(())
    }

    /// Returns the rounds from a node, and learns those from where they lead if the chain may go on.
    fn rounds_from(&mut self, node: TermId, length: usize) -> Result<Arc<Vec<Round>>, ExecuteError> {
        self.learn(std::iter::once(node))?;
        let rounds = self.rounds.get(&node).cloned().unwrap_or_default();
        if self.plan.max.is_none_or(|max| length + 1 < max as usize) {
            self.learn(rounds.iter().map(|round| round.to))?;
        }
        Ok(rounds)
    }

    /// Moves on to the next chain that counts; false after the last.
    fn advance(&mut self, walk: &mut Walk) -> Result<bool, ExecuteError> {
        let (min, max) = (self.plan.min as usize, self.plan.max.map_or(usize::MAX, |max| max as usize));
        if !walk.has_begun {
            walk.has_begun = true;
            if max > 0 && !walk.start.is_undefined() {
                walk.levels.push((self.rounds_from(walk.start, 0)?, 0));
            }
            if min == 0 && walk.target.is_none_or(|target| target == walk.start) {
                return Ok(true);
            }
        }
        let mut moves = 0_usize;
        loop {
            moves += 1;
            if moves.is_multiple_of(BATCH_ROWS) {
                self.context.check()?;
            }
            // The chain is as long as the levels below the last; a round beyond is from the move before.
            while walk.chain.len() + 1 > walk.levels.len() {
                let Some(_) = walk.chain.pop() else { return Ok(false) };
                walk.used.truncate(walk.used.len() - self.plan.edges.len());
            }
            let Some((rounds, next)) = walk.levels.last_mut() else { return Ok(false) };
            let Some(round) = rounds.get(*next) else {
                walk.levels.pop();
                continue;
            };
            let place = (rounds.clone(), *next);
            *next += 1;
            if round.edges.iter().any(|edge| walk.used.contains(edge)) {
                continue;
            }
            walk.used.extend(&round.edges);
            let to = round.to;
            walk.chain.push(place);
            if walk.chain.len() < max {
                let rounds = self.rounds_from(to, walk.chain.len())?;
                walk.levels.push((rounds, 0));
            }
            if walk.chain.len() >= min && walk.target.is_none_or(|target| target == to) {
                return Ok(true);
            }
        }
    }

    /// Appends the row of the chain in work.
    fn emit(&self, walk: &Walk, out: &mut Batch) {
        let rounds = || walk.chain.iter().map(|(rounds, place)| &rounds[*place]);
        let end = rounds().next_back().map_or(walk.start, |round| round.to);
        let list = |mut items: Vec<TermId>| {
            if self.plan.is_reversed {
                items.reverse();
            }
            self.context.values.intern(Local::List(items))
        };
        let mut row = walk.row.clone();
        row.resize(self.layout.width(), TermId::UNDEFINED);
        let mut set = |variable: Variable, value: TermId| {
            if let Some(column) = self.layout.column(variable) {
                row[column] = value;
            }
        };
        set(self.plan.end, end);
        set(self.plan.trail, list(walk.used.clone()));
        for (place, (_, variable)) in self.plan.lists.iter().enumerate() {
            set(*variable, list(rounds().map(|round| round.values[place]).collect()));
        }
        out.push_row(&row);
    }
}

impl Operator for Repeat {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        let mut out = Batch::empty(self.layout.width());
        while out.rows() < BATCH_ROWS {
            let walk = match self.walk.take() {
                Some(walk) => Some(walk),
                None => self.next_walk()?,
            };
            let Some(mut walk) = walk else { break };
            if self.advance(&mut walk)? {
                self.emit(&walk, &mut out);
                self.walk = Some(walk);
            }
        }
        Ok((!out.is_empty()).then_some(out))
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn sorted_by(&self) -> &[Variable] {
        self.input.sorted_by()
    }

    fn describe(&self) -> String {
        let max = self.plan.max.map_or(String::new(), |max| max.to_string());
        format!("Repeat {{{},{max}}}", self.plan.min)
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref(), self.sample.as_ref()]
    }
}
