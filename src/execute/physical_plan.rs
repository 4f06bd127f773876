//! The physical planner: which operator does what a logical operator asks for.
//!
//! It decides by estimates and sort orders only: which permutation a scan reads, and whether a join
//! merges, hashes, looks up or evaluates its right side for the left rows at hand. An estimate that
//! is wrong costs time, never an answer.

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::correlate::{detach, has_effect, is_correlated};
use super::expression::{self, Compiled};
use super::operator::{
    Aggregate, ApplyFold, Assert, BindMatcher, BoxOperator, Call, CountRows, CountRuns, CsvFormat, Distinct,
    DistinctEdges, DistinctRows, Eager, EdgeProbe, EdgeScan, Extend, Filter, FilteredMatcher, Fold,
    HashMatcher, InBatches, IndexScan, InnerJoin, JoinShape, LeftJoin, LoadCsv, Matcher, Merge, MergeJoin,
    MergeMatcher, Metered, MinusJoin, Modify, MultiwayJoin, Operator, PathProbe, PathScan, Probe, Project,
    Repeat, RowsAtHand, ScanProbe, SemiJoin, Service, ServiceProbe, Slice, Sort, SortBy, SubplanMatcher,
    TopN, Union, Unwind, WritingCall, as_quad_scan, choose_permutation, counted_scan, resolve,
};
use super::{Context, ExecuteError, Layout};
use crate::batch::Batch;
use crate::dataset::{Statistics, share_within};
use crate::model::{QuadPattern, Term, TermId};
use crate::plan::{
    Aggregate as AggregatePlan, AggregateFunction, ApplyKind, EdgeScan as EdgePlan, Expression, Function,
    LogicalPlan, QuadScan, Query, Slot, SortKey, Variable, VariableSet,
};

/// What the planner thinks that things cost.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// How many rows may be read in a scan in the time of one lookup.
    pub lookup: f64,
    /// As `lookup`, of relationships: triples and edges are looked up.
    pub edge_lookup: f64,
    /// Below so many rows a scan is read whole rather than looked into.
    pub scan_at_once: f64,
}

impl Default for Costs {
    fn default() -> Costs {
        Costs { lookup: 40.0, edge_lookup: 240.0, scan_at_once: 256.0 }
    }
}

/// Larger scans read ahead by themselves; a LIMIT may end them early.
const AHEAD_ROWS_MAX: u64 = 50_000;

/// So many groups of a sorted scan are counted in the time that it takes to read a row of one.
const GROUPS_PER_ROW: f64 = 8.0;

/// Turns logical plans into operators; cheap to clone.
#[derive(Clone)]
pub struct Planner {
    context: Arc<Context>,
    /// The rows that Argument leaves stand for.
    argument: Option<(Layout, Arc<Batch>)>,
    estimates: Arc<Estimates>,
    costs: Costs,
    /// Variables of scans that nobody reads.
    unread: Arc<VariableSet>,
    /// Whether each operator notes what it does.
    is_metering: bool,
}

/// What the dataset said about the scans of this query.
#[derive(Default)]
struct Estimates {
    scans: Mutex<FxHashMap<QuadScan, u64>>,
    /// Which share of a scan a condition leaves, where the dataset told.
    shares: Mutex<Vec<(QuadScan, Expression, Option<f64>)>>,
    statistics: std::sync::OnceLock<Arc<Statistics>>,
    /// Scans that will be read whole and are small enough to be asked for ahead.
    ahead: Mutex<Vec<QuadPattern>>,
}

impl Planner {
    pub fn new(context: Arc<Context>) -> Planner {
        Planner::with_costs(context, Costs::default())
    }

    pub fn with_costs(context: Arc<Context>, costs: Costs) -> Planner {
        let unread = Arc::default();
        Planner { context, argument: None, estimates: Arc::default(), costs, unread, is_metering: false }
    }

    /// Makes a planner whose operators tell in their descriptions what they did.
    pub fn metering(context: Arc<Context>) -> Planner {
        Planner { is_metering: true, ..Planner::new(context) }
    }

    /// Builds the operators of a whole query, which reads what is in its columns and no more.
    pub fn build_query(mut self, query: &Query) -> Result<(BoxOperator, Vec<QuadPattern>), ExecuteError> {
        if !query.writes {
            let once = query.root.mentions().into_iter().filter(|(_, count)| *count == 1);
            let mut unread: VariableSet = once.map(|(variable, _)| variable).collect();
            asked_of_subplans(&query.root).iter().for_each(|variable| {
                unread.remove(&variable);
            });
            unread.retain(|variable| query.columns.iter().all(|column| column.variable != *variable));
            self.unread = Arc::new(unread);
        }
        let operator = self.build(&query.root)?;
        Ok((operator, self.take_ahead()))
    }

    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Returns a planner for a subplan that is given `rows`.
    pub fn with_argument(&self, layout: Layout, rows: Arc<Batch>) -> Planner {
        Planner { argument: Some((layout, rows)), ..self.clone() }
    }

    /// Builds the operators of a plan. Nothing is read from the graph but estimates.
    pub fn build(&self, plan: &LogicalPlan) -> Result<BoxOperator, ExecuteError> {
        self.build_sorted(plan, None)
    }

    /// Builds a plan whose rows come, if that is free, sorted by `wanted`.
    fn build_sorted(
        &self,
        plan: &LogicalPlan,
        wanted: Option<Variable>,
    ) -> Result<BoxOperator, ExecuteError> {
        let operator = self.build_plain(plan, wanted)?;
        Ok(self.metered(operator, || self.estimate(plan)))
    }

    /// Returns an operator with a meter, if this planner makes such.
    fn metered(&self, operator: BoxOperator, estimate: impl FnOnce() -> f64) -> BoxOperator {
        if self.is_metering { Box::new(Metered::new(operator, estimate())) } else { operator }
    }

    fn build_plain(&self, plan: &LogicalPlan, wanted: Option<Variable>) -> Result<BoxOperator, ExecuteError> {
        let context = self.context.clone();
        Ok(match plan {
            LogicalPlan::QuadScan(scan) => {
                self.note_scan(scan);
                Box::new(self.index_scan(scan, wanted))
            }
            LogicalPlan::MultiwayJoin(scans) => Box::new(MultiwayJoin::new(scans, context)),
            LogicalPlan::EdgeScan(scan) => Box::new(self.edge_scan(scan, wanted)?),
            LogicalPlan::Path(path) => Box::new(PathScan::new(path, context)?),
            LogicalPlan::Repeat(repeat) => Box::new(Repeat::new(self.build(&repeat.input)?, repeat, self)?),
            LogicalPlan::Values { variables, rows } => {
                let mut ids = Vec::with_capacity(rows.len());
                for row in rows {
                    let row = row.iter().map(|value| expression::id_of_value(value, &context));
                    ids.push(row.collect::<Result<Vec<_>, _>>()?);
                }
                Box::new(RowsAtHand::of_ids(variables, &ids))
            }
            LogicalPlan::Argument { variables } => Box::new(self.argument_rows(variables)?),
            LogicalPlan::Join { left, right } => self.build_join(left, right, wanted)?,
            LogicalPlan::LeftJoin { left, right, condition } => {
                let (own, matcher) = self.sides(left, right, wanted)?;
                let shape = JoinShape::optional(own.layout(), matcher.layout());
                let condition = self.compile_all(condition, &shape.layout)?;
                Box::new(LeftJoin::new(own, matcher, condition, context))
            }
            LogicalPlan::SemiJoin { left, right } => {
                let (own, matcher) = self.sides(left, right, wanted)?;
                Box::new(SemiJoin::semi(own, matcher))
            }
            LogicalPlan::AntiJoin { left, right } => {
                let (own, matcher) = self.sides(left, right, wanted)?;
                Box::new(SemiJoin::anti(own, matcher))
            }
            LogicalPlan::Minus { left, right } => {
                let (own, matcher) = self.sides(left, right, wanted)?;
                if own.layout().shared(matcher.layout()).is_empty() {
                    return Ok(own);
                }
                Box::new(MinusJoin::new(own, matcher))
            }
            LogicalPlan::Apply { input, subplan, kind } => self.build_apply(input, subplan, kind)?,
            LogicalPlan::Union(inputs) => {
                let inputs = inputs.iter().map(|input| self.build(input)).collect::<Result<_, _>>()?;
                Box::new(Union::new(inputs))
            }
            LogicalPlan::Filter { input, condition } => {
                let mut own = self.build_sorted(input, wanted.or_else(|| only_variable(condition)))?;
                own.narrow(condition);
                self.build_filter(own, self.estimate(input), condition)?
            }
            LogicalPlan::Extend { input, variable, expression } => {
                let own = self.build_sorted(input, wanted)?;
                self.refuse_bound(&own, *variable)?;
                let compiled = self.compile(expression, own.layout())?;
                Box::new(Extend::new(own, *variable, compiled, context))
            }
            LogicalPlan::Unwind { input, list, variable } => {
                let own = self.build(input)?;
                self.refuse_bound(&own, *variable)?;
                let compiled = self.compile(list, own.layout())?;
                Box::new(Unwind::new(own, *variable, compiled, context))
            }
            LogicalPlan::Project { input, variables } => {
                Box::new(Project::new(self.build_sorted(input, wanted)?, variables))
            }
            LogicalPlan::Distinct { input } => {
                Box::new(Distinct::new(self.build_sorted(input, wanted)?, context))
            }
            LogicalPlan::Aggregate { input, keys, aggregates }
                if let Some(scan) = counted_scan(input, keys, aggregates) =>
            {
                let variables: Vec<Variable> = aggregates.iter().map(|(variable, _)| *variable).collect();
                Box::new(CountRows::new(scan, self.index_scan(scan, None), &variables, context))
            }
            LogicalPlan::Aggregate { input, keys, aggregates } => {
                let own = self.build_sorted(input, keys.first().copied())?;
                match keys.as_slice() {
                    [key] if own.sorted_by().first() == Some(key) && only_counts_rows(aggregates) => {
                        let counts: Vec<Variable> =
                            aggregates.iter().map(|(variable, _)| *variable).collect();
                        Box::new(CountRuns::new(own, *key, &counts, context))
                    }
                    _ => Box::new(Aggregate::new(own, keys, aggregates, context)?),
                }
            }
            LogicalPlan::Sort { input, keys } => {
                let own = self.build(input)?;
                let keys = self.sort_keys(keys, own.layout())?;
                Box::new(Sort::new(own, keys, context))
            }
            LogicalPlan::TopN { input, keys, offset, limit } => {
                let own = self.build(input)?;
                let keys = self.sort_keys(keys, own.layout())?;
                Box::new(TopN::new(own, keys, (*offset, *limit), context))
            }
            LogicalPlan::Slice { input, offset, limit } => {
                let own = self.build(input)?;
                let offset = self.compile_all(offset, &Layout::default())?;
                let limit = self.compile_all(limit, &Layout::default())?;
                Box::new(Slice::new(own, offset, limit, input.writes(), context))
            }
            LogicalPlan::Assert { input, condition, message } => {
                let own = self.build_sorted(input, wanted)?;
                let compiled = self.compile(condition, own.layout())?;
                Box::new(Assert::new(own, compiled, message.clone(), context))
            }
            LogicalPlan::DistinctEdges { input, edges } => {
                Box::new(DistinctEdges::new(self.build_sorted(input, wanted)?, edges, context))
            }
            LogicalPlan::Service { endpoint, silent, text, variables } => match endpoint {
                Slot::Constant(Term::NamedNode(endpoint)) => {
                    Box::new(Service::new(endpoint.clone(), *silent, text, variables, context))
                }
                _ => {
                    return Err(ExecuteError::Unsupported(
                        "the endpoint of a SERVICE must be bound by what stands before it".to_owned(),
                    ));
                }
            },
            LogicalPlan::Call { input, procedure, arguments, yields, writes } => {
                let own = self.build(input)?;
                let arguments = arguments.iter().map(|argument| self.compile(argument, own.layout()));
                let arguments = arguments.collect::<Result<_, _>>()?;
                match writes {
                    true => Box::new(WritingCall::new(own, procedure, arguments, yields, context)?),
                    false => Box::new(Call::new(own, procedure, arguments, yields, context)?),
                }
            }
            LogicalPlan::LoadCsv { input, source, has_headers, separator, variable } => {
                let own = self.build(input)?;
                self.refuse_bound(&own, *variable)?;
                let source = self.compile(source, own.layout())?;
                let format = CsvFormat { has_headers: *has_headers, separator: *separator };
                Box::new(LoadCsv::new(own, source, format, *variable, context))
            }
            LogicalPlan::Modify { input, changes } => {
                Box::new(Modify::new(self.build(input)?, changes, context)?)
            }
            LogicalPlan::Merge { input, pattern, create, on_match, on_create } => {
                let own = self.build(input)?;
                Box::new(Merge::new(own, pattern, create, (on_match, on_create), self)?)
            }
        })
    }

    /// Makes a scan whose rows come sorted by `wanted`, if an order of the dataset gives that.
    fn index_scan(&self, scan: &QuadScan, wanted: Option<Variable>) -> IndexScan {
        let permutation = choose_permutation(scan, wanted, self.context.dataset.permutations());
        IndexScan::new(scan, permutation, &self.unread, self.context.clone())
    }

    /// Makes a scan of relationships whose rows come sorted by `wanted`, if that is their reifier, and most edges are of
    /// this scan: those of all predicates lie together in that order.
    fn edge_scan(&self, scan: &EdgePlan, wanted: Option<Variable>) -> Result<EdgeScan, ExecuteError> {
        const EDGES_PASSED_MAX: u64 = 4;
        let mut operator = EdgeScan::new(scan, &self.unread, self.context.clone());
        if wanted.is_some() && wanted == scan.reifier {
            let all: u64 = self.context.dataset.statistics().predicates.values().map(|of| of.edges).sum();
            if self.estimate_scan(&as_quad_scan(scan)).saturating_mul(EDGES_PASSED_MAX) >= all {
                operator.sort_by_reifier()?;
            }
        }
        Ok(operator)
    }

    /// Returns the patterns of the scans that a plan reads whole, and forgets them.
    fn take_ahead(&self) -> Vec<QuadPattern> {
        std::mem::take(&mut self.estimates.ahead.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes a scan that will be read whole. What a subplan reads is announced when it runs.
    fn note_scan(&self, scan: &QuadScan) {
        let is_small = (1..=AHEAD_ROWS_MAX).contains(&self.estimate_scan(scan));
        if self.argument.is_none()
            && self.context.changes.is_none()
            && is_small
            && let Ok(Some(resolved)) = resolve(scan, &self.context)
        {
            self.estimates.ahead.lock().unwrap_or_else(PoisonError::into_inner).push(resolved.pattern);
        }
    }

    fn argument_rows(&self, variables: &[Variable]) -> Result<RowsAtHand, ExecuteError> {
        let Some((layout, rows)) = &self.argument else {
            return Err(ExecuteError::Plan("an Argument stands outside any Apply".to_owned()));
        };
        let mut own = Layout::default();
        let mut columns: Vec<&[TermId]> = Vec::new();
        let undefined = vec![TermId::UNDEFINED; rows.rows()];
        for variable in variables {
            if own.contains(*variable) {
                continue;
            }
            own.push(*variable, layout.is_defined(*variable));
            columns.push(layout.column(*variable).map_or(&undefined, |column| rows.column(column)));
        }
        // A leaf that asks for a part of the bindings must not repeat that part.
        let mut distinct = DistinctRows::new(columns.len(), &self.context);
        distinct.number(&columns, rows.rows())?;
        Ok(RowsAtHand::with_layout("Argument", own, Arc::new(distinct.into_rows())))
    }

    fn build_join(
        &self,
        left: &LogicalPlan,
        right: &LogicalPlan,
        wanted: Option<Variable>,
    ) -> Result<BoxOperator, ExecuteError> {
        if left.is_unit() {
            return self.build_sorted(right, wanted);
        }
        if right.is_unit() {
            return self.build_sorted(left, wanted);
        }
        let (few, many) = (self.estimate(left), self.estimate(right));
        let must_be_first = left.writes() || right.writes() || needs_left(right);
        let (left, right, few, many) = match many < few && !must_be_first {
            true => (right, left, many, few),
            false => (left, right, few, many),
        };
        let shared = &left.variables() & &right.variables();
        if !must_be_first
            && many <= few * self.costs.lookup
            && let Some(merged) = self.build_merge_join(left, right, &shared, wanted)?
        {
            return Ok(merged);
        }
        let first = wanted.filter(|wanted| left.variables().contains(wanted));
        let worth = many / GROUPS_PER_ROW;
        if !must_be_first
            && InnerJoin::may_tell(few, worth)
            && let Some(groups) = self.build_keyed_groups(right, &shared)?
        {
            let own = self.build_sorted(left, first)?;
            let matcher = HashMatcher::new(own, groups.layout(), self.context.clone());
            return Ok(Box::new(InnerJoin::telling(groups, Box::new(matcher), worth)));
        }
        let own = self.build_sorted(left, first)?;
        let matcher = self.matcher(own.layout(), few, right)?;
        if matcher.is_hash() && !must_be_first {
            // The smaller side is hashed, the larger one streams.
            let has_few_keys = InnerJoin::may_tell(few, many);
            // Of few relationships that are told it reads less than of all in their order.
            let is_told = has_few_keys && matches!(right, LogicalPlan::EdgeScan(_));
            let key = wanted.or_else(|| shared.first().filter(|_| has_few_keys)).filter(|_| !is_told);
            let streaming = self.build_sorted(right, key)?;
            // Hashed, it is of no other use to be sorted than to be walked beside rows that are so too.
            let own = match shared.first().filter(|_| left.inputs().is_empty()) {
                Some(key) if own.sorted_by().first() != Some(&key) => self.build_sorted(left, Some(key))?,
                _ => own,
            };
            let matcher = HashMatcher::new(own, streaming.layout(), self.context.clone());
            return Ok(Box::new(InnerJoin::telling(streaming, Box::new(matcher), many)));
        }
        Ok(Box::new(InnerJoin::new(own, matcher)))
    }

    /// Builds a merge join if both sides come sorted by a shared variable.
    fn build_merge_join(
        &self,
        left: &LogicalPlan,
        right: &LogicalPlan,
        shared: &VariableSet,
        wanted: Option<Variable>,
    ) -> Result<Option<BoxOperator>, ExecuteError> {
        for variable in wanted.into_iter().filter(|wanted| shared.contains(wanted)).chain(shared) {
            let Some(right) = self.build_sorted_relation(right, variable)? else { continue };
            let own = self.build_sorted(left, Some(variable))?;
            if own.sorted_by().first() == Some(&variable)
                && shared.iter().all(|variable| own.layout().is_defined(variable))
            {
                let join = MergeJoin::new(own, right, variable, self.context.clone());
                return Ok(Some(Box::new(join)));
            }
        }
        Ok(None)
    }

    /// Builds the groups of a scan by the variable that a join shares, if they can be told which of them matter.
    fn build_keyed_groups(
        &self,
        plan: &LogicalPlan,
        shared: &VariableSet,
    ) -> Result<Option<BoxOperator>, ExecuteError> {
        let (LogicalPlan::Aggregate { .. }, Some(key), 1) = (plan, shared.first(), shared.len()) else {
            return Ok(None);
        };
        let groups = self.build_sorted_relation(plan, key)?;
        Ok(groups.filter(|groups| groups.keyed_by() == Some(key)))
    }

    /// Builds a scan, or the groups of one, if they come sorted by a variable.
    fn build_sorted_relation(
        &self,
        plan: &LogicalPlan,
        variable: Variable,
    ) -> Result<Option<BoxOperator>, ExecuteError> {
        let is_grouped = |keys: &[Variable]| keys == [variable];
        match plan {
            LogicalPlan::QuadScan(scan) => {
                if Operator::sorted_by(&self.index_scan(scan, Some(variable))).first() != Some(&variable) {
                    return Ok(None);
                }
            }
            LogicalPlan::Aggregate { keys, .. } if is_grouped(keys) => {}
            _ => return Ok(None),
        }
        let operator = self.build_sorted(plan, Some(variable))?;
        Ok((operator.sorted_by().first() == Some(&variable)).then_some(operator))
    }

    /// Builds the left side of a join that keeps its order, and what finds the right rows.
    fn sides(
        &self,
        left: &LogicalPlan,
        right: &LogicalPlan,
        wanted: Option<Variable>,
    ) -> Result<(BoxOperator, Box<dyn Matcher>), ExecuteError> {
        let (rows, right_variables) = (self.estimate(left), right.variables());
        let mut shared = left.variables().into_iter().filter(|variable| right_variables.contains(variable));
        let key = match (shared.next(), shared.next()) {
            (Some(key), None) if self.estimate(right) <= rows * self.costs.lookup => Some(key),
            _ => None,
        };
        // A scan that cannot have the order that is wanted of all this may have the one that the join wants.
        let driver = self.driver(left);
        let may_have = |wanted: &Variable| match driver {
            LogicalPlan::EdgeScan(scan) => scan.reifier == Some(*wanted),
            _ => !driver.inputs().is_empty() || driver.variables().contains(wanted),
        };
        let own = self.build_sorted(left, wanted.filter(may_have).or(key))?;
        if let Some(key) = key.filter(|key| own.sorted_by().first() == Some(key))
            && own.layout().is_defined(key)
            && let Some(right) = self.build_sorted_relation(right, key)?
            && own.layout().shared(right.layout()).len() == 1
            && right.layout().is_defined(key)
        {
            let matcher = MergeMatcher::new(right, own.layout(), key, self.context.clone());
            return Ok((own, Box::new(matcher)));
        }
        let matcher = self.matcher(own.layout(), rows, right)?;
        Ok((own, matcher))
    }

    /// Returns the part of a plan whose order its rows keep: of joins with relationships that stream, those.
    fn driver<'p>(&self, plan: &'p LogicalPlan) -> &'p LogicalPlan {
        match plan {
            LogicalPlan::LeftJoin { left, .. }
            | LogicalPlan::SemiJoin { left, .. }
            | LogicalPlan::AntiJoin { left, .. }
            | LogicalPlan::Minus { left, .. } => self.driver(left),
            LogicalPlan::Join { left, right } => {
                let streams = |(many, few): &(&LogicalPlan, &LogicalPlan)| {
                    let (many_rows, few_rows) = (self.estimate(many), self.estimate(few));
                    matches!(many, LogicalPlan::EdgeScan(_))
                        && (few_rows..=few_rows * self.costs.edge_lookup).contains(&many_rows)
                };
                let streaming = [(&**left, &**right), (right, left)].into_iter().find(streams);
                streaming.map_or(plan, |(many, _)| many)
            }
            plan => plan,
        }
    }

    /// Chooses how the right side of a join is found for rows of `left`, about `rows` of them.
    fn matcher(
        &self,
        left: &Layout,
        rows: f64,
        right: &LogicalPlan,
    ) -> Result<Box<dyn Matcher>, ExecuteError> {
        let context = self.context.clone();
        if let Some(probe) = self.probe(left, rows, right)? {
            return Ok(Box::new(BindMatcher::new(probe, left, context)));
        }
        let shared: Vec<Variable> =
            right.variables().into_iter().filter(|variable| left.is_defined(*variable)).collect();
        let is_leaf = right.inputs().is_empty();
        if !shared.is_empty()
            && !is_leaf
            && !is_correlated(right)
            && !right.writes()
            && (self.is_reduced_by(rows, &shared, right) || needs_left(right))
        {
            return Ok(Box::new(SubplanMatcher::reduced(right, shared, left, self)?));
        }
        Ok(Box::new(HashMatcher::new(self.build(right)?, left, context)))
    }

    /// Returns whether a plan reads less if it is asked for what so many rows share with it alone.
    fn is_reduced_by(&self, rows: f64, shared: &[Variable], plan: &LogicalPlan) -> bool {
        let all = self.largest_scan(plan);
        let distinct = shared.iter().filter_map(|variable| self.distinct(plan, *variable));
        // Unless it is known how much of it that is, hardly any.
        let share = distinct.map(|distinct| rows / distinct.max(1.0)).reduce(f64::min).unwrap_or(0.0);
        rows * self.lookup_cost(plan) + share * all < all
    }

    /// Returns a probe of a leaf, if looking it up for each left row is better than reading it all.
    fn probe(
        &self,
        left: &Layout,
        rows: f64,
        right: &LogicalPlan,
    ) -> Result<Option<Box<dyn Probe>>, ExecuteError> {
        let context = self.context.clone();
        let key: Vec<Variable> = right.variables().into_iter().filter(|v| left.contains(*v)).collect();
        let is_better = |lookup: f64| {
            let all = self.estimate(right);
            !key.is_empty() && all > self.costs.scan_at_once && rows * lookup < all
        };
        Ok(match right {
            LogicalPlan::QuadScan(scan) if is_better(self.costs.lookup) => {
                Some(Box::new(ScanProbe::new(scan, key, &self.unread, context)))
            }
            LogicalPlan::EdgeScan(scan) if is_better(self.costs.edge_lookup) => {
                Some(Box::new(EdgeProbe::new(scan, key, &self.unread, context)))
            }
            LogicalPlan::Path(path) => {
                let mut key = PathProbe::key_candidates(path);
                key.retain(|variable| left.contains(*variable));
                match key.is_empty()
                    || right.variables().iter().any(|v| left.contains(v) && !key.contains(&v))
                {
                    true => None,
                    false => Some(Box::new(PathProbe::new(path, key, context)?)),
                }
            }
            LogicalPlan::Service { endpoint: Slot::Variable(endpoint), silent, text, variables }
                if left.contains(*endpoint) =>
            {
                let mut whole = vec![*endpoint];
                whole.extend(key.into_iter().filter(|variable| variable != endpoint));
                Some(Box::new(ServiceProbe::new(whole, *silent, text, variables, context)))
            }
            _ => None,
        })
    }

    fn build_apply(
        &self,
        input: &LogicalPlan,
        subplan: &LogicalPlan,
        kind: &ApplyKind,
    ) -> Result<BoxOperator, ExecuteError> {
        let writes = subplan.writes();
        let mut own = self.build(input)?;
        if let ApplyKind::InBatches(batches) = kind {
            let rows_per_batch = self.compile(&batches.rows, &Layout::default())?;
            return Ok(Box::new(InBatches::new(own, subplan, batches, rows_per_batch, self)?));
        }
        if writes {
            // No row may be read from what an earlier one has written.
            own = Box::new(Eager::new(own, self.context.clone()));
        }
        let applied = self.apply_to(own, self.estimate(input), subplan, kind)?;
        // Whoever reads the rows sees all that was written.
        Ok(if writes { Box::new(Eager::new(applied, self.context.clone())) } else { applied })
    }

    /// Applies a subplan to about so many rows, other than in batches.
    pub fn apply_to(
        &self,
        own: BoxOperator,
        rows: f64,
        subplan: &LogicalPlan,
        kind: &ApplyKind,
    ) -> Result<BoxOperator, ExecuteError> {
        let matcher = match kind {
            ApplyKind::Exists(_) | ApplyKind::Count(_) => self.exists_matcher(subplan, own.layout(), rows)?,
            _ => self.subplan_matcher(subplan, own.layout(), rows)?,
        };
        let context = self.context.clone();
        Ok(match kind {
            ApplyKind::Inner => Box::new(InnerJoin::new(own, matcher)),
            ApplyKind::Left => Box::new(LeftJoin::new(own, matcher, None, context)),
            ApplyKind::Exists(variable) => {
                Box::new(ApplyFold::new(own, matcher, Fold::Exists, *variable, context))
            }
            ApplyKind::Count(variable) => {
                Box::new(ApplyFold::new(own, matcher, Fold::Count, *variable, context))
            }
            ApplyKind::Collect(variable, collected) => {
                Box::new(ApplyFold::new(own, matcher, Fold::Collect(*collected), *variable, context))
            }
            ApplyKind::InBatches(_) => return Err(ExecuteError::Plan("batches within batches".to_owned())),
        })
    }

    /// Builds a filter; conjuncts that ask whether a plan has rows become semi and anti joins.
    fn build_filter(
        &self,
        input: BoxOperator,
        rows: f64,
        condition: &Expression,
    ) -> Result<BoxOperator, ExecuteError> {
        let (exists, plain): (Vec<_>, Vec<_>) =
            condition.conjuncts().into_iter().partition(|part| existence(part).is_some());
        let mut own = input;
        if let Some(condition) = plain.into_iter().cloned().reduce(Expression::and) {
            let compiled = self.compile(&condition, own.layout())?;
            let only = only_variable(&condition).filter(|_| !condition.is_volatile());
            own = Box::new(Filter::new(own, compiled, only, self.context.clone()));
        }
        for (plan, is_positive) in exists.into_iter().filter_map(existence) {
            let matcher = self.exists_matcher(plan, own.layout(), rows)?;
            own = match is_positive {
                true => Box::new(SemiJoin::semi(own, matcher)),
                false => Box::new(SemiJoin::anti(own, matcher)),
            };
        }
        Ok(own)
    }

    /// As [`Planner::subplan_matcher`], for those who only ask whether there are rows, or how many: no
    /// subplan is run where a condition on both rows will do.
    pub fn exists_matcher(
        &self,
        plan: &LogicalPlan,
        left: &Layout,
        rows: f64,
    ) -> Result<Box<dyn Matcher>, ExecuteError> {
        if let Some((plan, condition)) = detach(plan) {
            let matcher = self.matcher(left, rows, &plan)?;
            let shape = JoinShape::new(left, matcher.layout());
            let condition = self.compile(condition, &shape.layout)?;
            return Ok(Box::new(FilteredMatcher::new(matcher, shape, condition, self.context.clone())));
        }
        self.subplan_matcher(plan, left, rows)
    }

    /// Returns what finds the rows of a plan, given rows of `left`, that are compatible with them.
    fn subplan_matcher(
        &self,
        plan: &LogicalPlan,
        left: &Layout,
        rows: f64,
    ) -> Result<Box<dyn Matcher>, ExecuteError> {
        if is_correlated(plan) || has_effect(plan) {
            return Ok(Box::new(SubplanMatcher::correlated(plan, left, self)?));
        }
        self.matcher(left, rows, plan)
    }

    fn compile(&self, expression: &Expression, layout: &Layout) -> Result<Compiled, ExecuteError> {
        expression::compile(expression, layout, &self.context)
    }

    fn compile_all(
        &self,
        expression: &Option<Expression>,
        layout: &Layout,
    ) -> Result<Option<Compiled>, ExecuteError> {
        expression.as_ref().map(|expression| self.compile(expression, layout)).transpose()
    }

    fn sort_keys(&self, keys: &[SortKey], layout: &Layout) -> Result<Vec<SortBy>, ExecuteError> {
        let compile = |key: &SortKey| {
            let expression = self.compile(&key.expression, layout)?;
            Ok(SortBy { expression, descending: key.descending, order: key.order })
        };
        keys.iter().map(compile).collect()
    }

    fn refuse_bound(&self, input: &BoxOperator, variable: Variable) -> Result<(), ExecuteError> {
        match input.layout().contains(variable) {
            true => Err(ExecuteError::Plan(format!("{variable:?} is bound twice"))),
            false => Ok(()),
        }
    }

    /// Returns what it costs to look a row of a plan up.
    fn lookup_cost(&self, plan: &LogicalPlan) -> f64 {
        match plan {
            LogicalPlan::EdgeScan(_) => self.costs.edge_lookup,
            _ => {
                let inputs = plan.inputs().into_iter();
                inputs.map(|input| self.lookup_cost(input)).fold(self.costs.lookup, f64::max)
            }
        }
    }

    /// Returns the largest number of rows that a leaf of the plan would read.
    fn largest_scan(&self, plan: &LogicalPlan) -> f64 {
        match plan {
            LogicalPlan::Path(_) | LogicalPlan::Repeat(_) => f64::MAX,
            LogicalPlan::QuadScan(_) | LogicalPlan::MultiwayJoin(_) | LogicalPlan::EdgeScan(_) => {
                self.estimate(plan)
            }
            _ => plan.inputs().into_iter().map(|input| self.largest_scan(input)).fold(0.0, f64::max),
        }
    }

    /// Returns about how many rows a plan has.
    fn estimate(&self, plan: &LogicalPlan) -> f64 {
        use LogicalPlan::*;
        match plan {
            QuadScan(scan) => self.estimate_scan(scan) as f64,
            MultiwayJoin(scans) => {
                scans.iter().map(|scan| self.estimate_scan(scan) as f64).fold(0.0, f64::max)
            }
            EdgeScan(scan) => self.estimate_scan(&as_quad_scan(scan)) as f64,
            // To read all paths is the last thing to do.
            Path(path) => match (&path.subject, &path.object) {
                (Slot::Variable(_), Slot::Variable(_)) => 1e9,
                _ => 1e3,
            },
            Repeat(repeat) => self.estimate(&repeat.input) * 1e3,
            Values { rows, .. } => rows.len() as f64,
            Argument { .. } => self.argument.as_ref().map_or(1.0, |(_, rows)| rows.rows() as f64),
            Join { left, right } => self.estimate_join(left, right),
            LeftJoin { left, right, .. } => self.estimate(left).max(self.estimate_join(left, right)),
            SemiJoin { left, .. } | AntiJoin { left, .. } | Minus { left, .. } => self.estimate(left) * 0.7,
            Filter { input, condition } => {
                self.estimate(input) * self.share_within(input, condition).unwrap_or(0.3)
            }
            Union(inputs) => inputs.iter().map(|input| self.estimate(input)).sum(),
            Aggregate { keys, .. } if keys.is_empty() => 1.0,
            Aggregate { input, .. } | Distinct { input } => self.estimate(input) * 0.5,
            TopN { limit, input, .. } => self.estimate(input).min(*limit as f64),
            Slice { limit: Some(Expression::Constant(crate::model::Value::Integer(n))), input, .. } => {
                self.estimate(input).min(*n as f64)
            }
            Unwind { input, .. } => self.estimate(input) * 10.0,
            LoadCsv { input, .. } => self.estimate(input) * 1e3,
            Service { .. } => 1e3,
            Apply { input, .. } | Merge { input, .. } => self.estimate(input),
            _ => plan.inputs().first().map_or(1.0, |input| self.estimate(input)),
        }
    }

    fn estimate_scan(&self, scan: &QuadScan) -> u64 {
        let lock = || self.estimates.scans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(scan) {
            return *known;
        }
        let estimate = match resolve(scan, &self.context) {
            Ok(Some(resolved)) => self.context.dataset.estimate(&resolved.pattern).unwrap_or(1000),
            // A failure shows when the scan is opened.
            _ => 0,
        };
        lock().insert(scan.clone(), estimate);
        estimate
    }

    /// Returns which share of a scan a condition leaves, if the dataset can tell.
    fn share_within(&self, input: &LogicalPlan, condition: &Expression) -> Option<f64> {
        let LogicalPlan::QuadScan(scan) = input else { return None };
        let object = scan.object.variable()?;
        let mut shares = self.estimates.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((.., share)) = shares.iter().find(|(of, by, _)| *of == **scan && by == condition) {
            return *share;
        }
        // A failure shows when the scan is opened.
        let resolved = resolve(scan, &self.context).ok()??;
        let rows = self.estimate_scan(scan);
        let share = share_within(&*self.context.dataset, &resolved.pattern, rows, object, condition);
        let share = share.unwrap_or_default();
        shares.push(((**scan).clone(), condition.clone(), share));
        share
    }

    fn estimate_join(&self, left: &LogicalPlan, right: &LogicalPlan) -> f64 {
        let (a, b) = (self.estimate(left), self.estimate(right));
        let shared: Vec<Variable> = (&left.variables() & &right.variables()).into_iter().collect();
        if shared.is_empty() {
            return a * b;
        }
        let distinct = |plan: &LogicalPlan, rows: f64| {
            let of = |variable: &Variable| self.distinct(plan, *variable).unwrap_or(rows);
            shared.iter().map(of).fold(1.0, f64::max).min(rows).max(1.0)
        };
        a * b / distinct(left, a).max(distinct(right, b))
    }

    /// Returns about how many values a variable has in a scan.
    fn distinct(&self, plan: &LogicalPlan, variable: Variable) -> Option<f64> {
        match plan {
            LogicalPlan::Union(branches) => {
                return branches.iter().map(|branch| self.distinct(branch, variable)).sum();
            }
            LogicalPlan::Filter { input, .. }
            | LogicalPlan::Extend { input, .. }
            | LogicalPlan::Project { input, .. }
            | LogicalPlan::SemiJoin { left: input, .. }
            | LogicalPlan::AntiJoin { left: input, .. } => return self.distinct(input, variable),
            LogicalPlan::Join { left, right } | LogicalPlan::LeftJoin { left, right, .. } => {
                let sides = [left, right].into_iter().filter(|side| side.variables().contains(&variable));
                return sides.filter_map(|side| self.distinct(side, variable)).reduce(f64::min);
            }
            LogicalPlan::Aggregate { input, keys, .. } if keys.contains(&variable) => {
                return self.distinct(input, variable);
            }
            LogicalPlan::EdgeScan(scan) => {
                return self.distinct(&LogicalPlan::QuadScan(Box::new(as_quad_scan(scan))), variable);
            }
            _ => {}
        }
        let LogicalPlan::QuadScan(scan) = plan else { return None };
        let QuadScan { subject, predicate: Slot::Constant(predicate), object, .. } = &**scan else {
            return None;
        };
        let statistics = self.estimates.statistics.get_or_init(|| self.context.dataset.statistics());
        let id = self.context.dataset.term_id(predicate).ok()??;
        let figures = statistics.predicates.get(&id)?;
        match (subject.variable() == Some(variable), object.variable() == Some(variable)) {
            (true, _) => Some(figures.distinct_subjects as f64),
            (_, true) => Some(figures.distinct_objects as f64),
            _ => None,
        }
    }
}

/// Returns what the plans of EXISTS mention: each is built on its own, and told apart by nobody who counts mentions.
fn asked_of_subplans(plan: &LogicalPlan) -> VariableSet {
    fn of_expression(expression: &Expression, all: &mut VariableSet) {
        if let Expression::Exists(plan) = expression {
            all.extend(plan.mentioned());
        }
        expression.children().into_iter().for_each(|child| of_expression(child, all));
    }
    let mut all: VariableSet = plan.inputs().into_iter().flat_map(asked_of_subplans).collect();
    plan.expressions().into_iter().for_each(|expression| of_expression(expression, &mut all));
    all
}

/// Returns whether a plan can only run on rows of what stands before it.
fn needs_left(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Service { endpoint: Slot::Variable(_), .. } => true,
        LogicalPlan::Path(path) => path.edge_properties.is_some(),
        _ => plan.inputs().into_iter().any(needs_left),
    }
}

fn only_counts_rows(aggregates: &[(Variable, AggregatePlan)]) -> bool {
    aggregates.iter().all(|(_, aggregate)| {
        aggregate.function == AggregateFunction::Count && !aggregate.distinct && aggregate.argument.is_none()
    })
}

/// Returns the variable of a condition that looks at one only. Sorted by it, terms are decoded in
/// the order in which they are stored, and equal ones together.
fn only_variable(condition: &Expression) -> Option<Variable> {
    let variables = condition.variables();
    let mut variables = variables.into_iter();
    variables.next().filter(|_| variables.next().is_none())
}

/// Returns the plan of a condition that asks for its rows, and whether it asks for some or none.
fn existence(condition: &Expression) -> Option<(&LogicalPlan, bool)> {
    match condition {
        Expression::Exists(plan) => Some((plan, true)),
        Expression::Call(Function::Not, parts) => match parts.as_slice() {
            [Expression::Exists(plan)] => Some((plan, false)),
            [Expression::Call(Function::EffectiveBoolean, inner)] => match inner.as_slice() {
                [Expression::Exists(plan)] => Some((plan, false)),
                _ => None,
            },
            _ => None,
        },
        Expression::Call(Function::EffectiveBoolean, parts) => match parts.as_slice() {
            [part] => existence(part),
            _ => None,
        },
        _ => None,
    }
}
