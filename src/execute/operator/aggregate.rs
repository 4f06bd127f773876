//! `Aggregate`: groups rows by hash and folds each group; groups come in order of appearance.

use std::cmp::Ordering;
use std::sync::Arc;

use super::{BoxOperator, DistinctRows, Operator, bytes_of};
use crate::batch::Batch;
use crate::execute::expression::{
    self, AggregateValue, Compiled, CypherSum, Key, SortedKind, SparqlSum, aggregate_values, inline_numbers,
    percentile_cont, percentile_disc, sort_keys, standard_deviation,
};
use crate::execute::{Context, ExecuteError, Layout, Local, Reservation};
use crate::model::{TermId, TermKind, Value};
use crate::plan::{Aggregate as AggregatePlan, AggregateFunction, SortOrder, Variable};

pub struct Aggregate {
    context: Arc<Context>,
    input: BoxOperator,
    keys: Vec<Option<usize>>,
    folds: Vec<Fold>,
    layout: Layout,
    /// The key, if the rows come sorted by it: so do the groups.
    sorted_by: Vec<Variable>,
    result: Option<Batch>,
    position: usize,
}

/// One aggregate and its state for each group.
struct Fold {
    function: AggregateFunction,
    argument: Option<Compiled>,
    /// The columns whose product says how often a row counts.
    times: Vec<usize>,
    percentile: Option<Compiled>,
    /// The (group, value) pairs that were folded, if each counts once.
    distinct: Option<DistinctRows>,
    is_distinct: bool,
    state: State,
    reservation: Reservation,
}

enum State {
    Count(Vec<i64>),
    SparqlSum(Vec<SparqlSum>),
    CypherSum(Vec<CypherSum>),
    /// Any value.
    One(Vec<TermId>),
    /// The best value so far, with its key.
    Best(Vec<Best>),
    /// `None` once a value was no string.
    Concat(Vec<Option<Option<String>>>),
    Lists(Vec<Vec<TermId>>),
    Numbers(Vec<Vec<f64>>),
    /// The (number, value) pairs, and the percentile asked for.
    Percentile(Vec<(Vec<(f64, TermId)>, f64)>),
}

impl Aggregate {
    pub fn new(
        input: BoxOperator,
        keys: &[Variable],
        aggregates: &[(Variable, AggregatePlan)],
        context: Arc<Context>,
    ) -> Result<Aggregate, ExecuteError> {
        let mut layout = Layout::default();
        for key in keys {
            layout.push(*key, input.layout().is_defined(*key));
        }
        let mut folds = Vec::new();
        for (variable, aggregate) in aggregates {
            let is_count =
                matches!(aggregate.function, AggregateFunction::Count | AggregateFunction::CountTimes(_));
            layout.push(*variable, is_count);
            folds.push(Fold::new(aggregate, input.layout(), &context)?);
        }
        let is_sorted = keys.len() == 1 && input.sorted_by().first() == keys.first();
        let sorted_by = if is_sorted { keys.to_vec() } else { Vec::new() };
        let keys = keys.iter().map(|key| input.layout().column(*key)).collect();
        Ok(Aggregate { context, input, keys, folds, layout, sorted_by, result: None, position: 0 })
    }

    fn run(&mut self) -> Result<Batch, ExecuteError> {
        let mut groups = DistinctRows::new(self.keys.len(), &self.context);
        if self.keys.is_empty() {
            groups.number(&[], 1)?;
        }
        while let Some(batch) = self.input.next_batch()? {
            self.context.check()?;
            let undefined = vec![TermId::UNDEFINED; batch.rows()];
            let columns: Vec<&[TermId]> = self
                .keys
                .iter()
                .map(|column| column.map_or(undefined.as_slice(), |column| batch.column(column)))
                .collect();
            let numbers = groups.number(&columns, batch.rows())?;
            for fold in &mut self.folds {
                fold.state.resize(groups.rows().rows());
                fold.add(&batch, &numbers, &self.context)?;
            }
        }
        let count = groups.rows().rows();
        let mut columns = groups.into_rows().into_columns();
        for fold in &mut self.folds {
            fold.state.resize(count);
            columns.push(fold.finish(&self.context)?);
        }
        Ok(Batch::new(columns, count))
    }
}

impl Operator for Aggregate {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        if self.result.is_none() {
            self.result = Some(self.run()?);
        }
        let Some(result) = &self.result else { return Ok(None) };
        Ok(result.next_part(&mut self.position))
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn sorted_by(&self) -> &[Variable] {
        &self.sorted_by
    }

    fn describe(&self) -> String {
        let functions: Vec<String> = self.folds.iter().map(|fold| format!("{:?}", fold.function)).collect();
        let keys = &self.layout.variables()[..self.keys.len()];
        format!("Aggregate by {keys:?}: {}", functions.join(", "))
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }
}

impl Fold {
    fn new(aggregate: &AggregatePlan, layout: &Layout, context: &Context) -> Result<Fold, ExecuteError> {
        let compile = |expression| expression::compile(expression, layout, context);
        let percentile = match &aggregate.function {
            AggregateFunction::PercentileDisc(p) | AggregateFunction::PercentileCont(p) => Some(compile(p)?),
            _ => None,
        };
        Ok(Fold {
            state: State::of(&aggregate.function),
            times: match &aggregate.function {
                AggregateFunction::CountTimes(variables) => {
                    let column = |variable: &Variable| {
                        let missing = || ExecuteError::Plan(format!("{variable:?} is no column to count by"));
                        layout.column(*variable).ok_or_else(missing)
                    };
                    variables.iter().map(column).collect::<Result<_, _>>()?
                }
                _ => Vec::new(),
            },
            function: aggregate.function.clone(),
            argument: aggregate.argument.as_ref().map(compile).transpose()?,
            percentile,
            distinct: None,
            is_distinct: aggregate.distinct,
            reservation: context.reserve(),
        })
    }

    /// Counts rows as often as their columns say, each in the group that `groups` names.
    fn count_times(&mut self, batch: &Batch, groups: &[u32]) -> Result<(), ExecuteError> {
        let State::Count(counts) = &mut self.state else { return Ok(()) };
        let columns: Vec<&[TermId]> = self.times.iter().map(|column| batch.column(*column)).collect();
        for (row, group) in groups.iter().enumerate() {
            let times =
                columns.iter().try_fold(1i64, |product, column| column[row].as_i64()?.checked_mul(product));
            let count = &mut counts[*group as usize];
            let sum = times.and_then(|times| count.checked_add(times));
            *count = sum.ok_or_else(|| ExecuteError::Unsupported("a count passes 2^63".to_owned()))?;
        }
        Ok(())
    }

    /// Adds rows, each to the group that `groups` names.
    fn add(&mut self, batch: &Batch, groups: &[u32], context: &Context) -> Result<(), ExecuteError> {
        if !self.times.is_empty() {
            return self.count_times(batch, groups);
        }
        let mut ids = match &self.argument {
            Some(argument) => Some(argument.evaluate(batch, context)?),
            None => None,
        };
        let mut groups = groups.to_vec();
        let mut rows: Option<Vec<u32>> = None;
        if self.is_distinct {
            let first = self.first_of_each(batch, ids.as_deref(), &groups, context)?;
            groups = first.iter().map(|row| groups[*row as usize]).collect();
            ids = ids.map(|ids| first.iter().map(|row| ids[*row as usize]).collect());
            rows = Some(first);
        }
        let percentiles = match &self.percentile {
            Some(percentile) => {
                let all = percentile.evaluate(batch, context)?;
                let picked = match &rows {
                    Some(rows) => rows.iter().map(|row| all[*row as usize]).collect(),
                    None => all,
                };
                Some(aggregate_values(&picked, context)?)
            }
            None => None,
        };
        self.reservation.grow(self.state.bytes_of_rows(groups.len()))?;
        self.fold(&groups, ids.as_deref(), percentiles.as_deref(), context)
    }

    /// Returns the rows whose (group, value) was not met before.
    fn first_of_each(
        &mut self,
        batch: &Batch,
        ids: Option<&[TermId]>,
        groups: &[u32],
        context: &Context,
    ) -> Result<Vec<u32>, ExecuteError> {
        let group_of = |group: &u32| TermId::from_i64(i64::from(*group)).expect("u32 fits");
        let group_column: Vec<TermId> = groups.iter().map(group_of).collect();
        let mut columns: Vec<&[TermId]> = vec![&group_column];
        match ids {
            Some(ids) => columns.push(ids),
            None => columns.extend(batch.columns().iter().map(Vec::as_slice)),
        }
        let seen = self.distinct.get_or_insert_with(|| DistinctRows::new(columns.len(), context));
        let mut next = seen.rows().rows() as u32;
        let numbers = seen.number(&columns, groups.len())?;
        let mut first = Vec::new();
        for (row, number) in numbers.into_iter().enumerate() {
            if number == next {
                first.push(row as u32);
                next += 1;
            }
        }
        Ok(first)
    }

    fn fold(
        &mut self,
        groups: &[u32],
        ids: Option<&[TermId]>,
        percentiles: Option<&[AggregateValue]>,
        context: &Context,
    ) -> Result<(), ExecuteError> {
        let Some(ids) = ids else {
            if let State::Count(counts) = &mut self.state {
                match groups {
                    // Each addition would wait for the one before.
                    [first, ..] if groups.iter().all(|group| group == first) => {
                        counts[*first as usize] += groups.len() as i64;
                    }
                    _ => groups.iter().for_each(|group| counts[*group as usize] += 1),
                }
                return Ok(());
            }
            return Err(ExecuteError::Plan(format!("{:?} needs an argument", self.function)));
        };
        let pairs = || groups.iter().map(|group| *group as usize).zip(ids.iter().copied());
        match &mut self.state {
            State::Count(counts) => {
                pairs().for_each(|(group, id)| counts[group] += i64::from(!id.is_undefined()));
            }
            State::Lists(lists) => {
                pairs().filter(|(_, id)| !id.is_undefined()).for_each(|(group, id)| lists[group].push(id));
            }
            State::One(values) => {
                for (group, id) in pairs() {
                    if values[group].is_undefined() {
                        values[group] = id;
                    }
                }
            }
            State::Best(best) => {
                let Some((wanted, order)) = extreme(&self.function) else { return Ok(()) };
                let has_sorted = context.dataset.has_sorted_strings();
                let others = offer_sorted(best, groups, ids, wanted, has_sorted);
                let keys = sort_keys(&others.iter().map(|(_, id)| *id).collect::<Vec<_>>(), order, context)?;
                // An error makes SPARQL's MIN and MAX one, as it does its SUM; Cypher does not look at null.
                let counts = |id: TermId| order == SortOrder::Sparql || !id.is_undefined();
                for ((group, id), key) in others.into_iter().zip(keys).filter(|((_, id), _)| counts(*id)) {
                    best[group].offer(key, id, wanted);
                }
            }
            State::SparqlSum(sums) => {
                if let Some(numbers) = inline_numbers(ids) {
                    groups.iter().zip(numbers).for_each(|(group, number)| sums[*group as usize].add(number));
                    return Ok(());
                }
                for ((group, _), value) in pairs().zip(aggregate_values(ids, context)?) {
                    sums[group].add(value.as_number());
                }
            }
            State::CypherSum(sums) => {
                if ids.iter().all(|id| id.kind() == TermKind::Double) {
                    let mut rest = ids;
                    for run in groups.chunk_by(|a, b| a == b) {
                        let (of_run, after) = rest.split_at(run.len());
                        sums[run[0] as usize].add_floats(of_run.iter().filter_map(|id| id.as_f64()));
                        rest = after;
                    }
                    return Ok(());
                }
                if let Some(numbers) = inline_numbers(ids) {
                    let defined =
                        groups.iter().zip(numbers).filter_map(|(group, number)| Some((*group, number?)));
                    for (group, number) in defined {
                        sums[group as usize].add_number(number)?;
                    }
                    return Ok(());
                }
                for ((group, _), value) in pairs().zip(aggregate_values(ids, context)?) {
                    if value.is_defined() {
                        sums[group].add(&value)?;
                    }
                }
            }
            State::Concat(texts) => {
                let AggregateFunction::GroupConcat { separator } = &self.function else { return Ok(()) };
                for ((group, _), value) in pairs().zip(aggregate_values(ids, context)?) {
                    concat(&mut texts[group], value.as_string(), separator);
                }
            }
            State::Numbers(numbers) => {
                for ((group, _), value) in pairs().zip(aggregate_values(ids, context)?) {
                    if value.is_defined() {
                        numbers[group].push(value.to_f64()?);
                    }
                }
            }
            State::Percentile(groups) => {
                let values = aggregate_values(ids, context)?;
                for (row, ((group, id), value)) in pairs().zip(values).enumerate() {
                    if !value.is_defined() {
                        continue;
                    }
                    if let Some(percentiles) = percentiles {
                        groups[group].1 = percentiles[row].to_f64()?;
                    }
                    groups[group].0.push((value.to_f64()?, id));
                }
            }
        }
        Ok(())
    }

    /// Returns the value of each group.
    fn finish(&mut self, context: &Context) -> Result<Vec<TermId>, ExecuteError> {
        let is_average = matches!(self.function, AggregateFunction::SparqlAvg | AggregateFunction::CypherAvg);
        let value = |value: &Value| expression::id_of_value(value, context);
        match &mut self.state {
            State::Count(counts) => counts.iter().map(|count| value(&Value::Integer(*count))).collect(),
            State::One(ids) => Ok(std::mem::take(ids)),
            State::Best(best) => {
                let Some((wanted, order)) = extreme(&self.function) else { return Ok(Vec::new()) };
                let of_group = |(group, best): (usize, &Best)| {
                    best.sorted.into_iter().flatten().map(move |id| (group, id))
                };
                let (groups, ids): (Vec<usize>, Vec<TermId>) =
                    best.iter().enumerate().flat_map(of_group).unzip();
                let keys = sort_keys(&ids, order, context)?;
                for ((group, id), key) in groups.into_iter().zip(ids).zip(keys) {
                    best[group].offer(key, id, wanted);
                }
                let ids = best.drain(..).map(|best| best.any.map_or(TermId::UNDEFINED, |(_, id)| id));
                Ok(ids.collect())
            }
            State::Lists(lists) => {
                let lists = std::mem::take(lists).into_iter();
                Ok(lists.map(|list| context.values.intern(Local::List(list))).collect())
            }
            State::SparqlSum(sums) => sums
                .iter()
                .map(|sum| if is_average { sum.average(context) } else { sum.sum(context) })
                .collect(),
            State::CypherSum(sums) => sums
                .iter()
                .map(|sum| if is_average { sum.average(context) } else { sum.sum(context) })
                .collect(),
            State::Concat(texts) => std::mem::take(texts)
                .into_iter()
                .map(|text| match text {
                    None => value(&Value::String(String::new())),
                    Some(Some(text)) => value(&Value::String(text)),
                    Some(None) => Ok(TermId::UNDEFINED),
                })
                .collect(),
            State::Numbers(numbers) => {
                let is_population = self.function == AggregateFunction::StDevP;
                let deviation = |values: &Vec<f64>| standard_deviation(values, is_population);
                numbers.iter().map(|values| value(&Value::Float(deviation(values)))).collect()
            }
            State::Percentile(groups) => {
                let is_discrete = matches!(self.function, AggregateFunction::PercentileDisc(_));
                groups
                    .iter_mut()
                    .map(|(values, percentile)| {
                        values.sort_by(|a, b| a.0.total_cmp(&b.0));
                        if is_discrete {
                            let place = percentile_disc(values.len(), *percentile)?;
                            return Ok(place.map_or(TermId::UNDEFINED, |place| values[place].1));
                        }
                        let numbers: Vec<f64> = values.iter().map(|(number, _)| *number).collect();
                        match percentile_cont(&numbers, *percentile)? {
                            Some(number) => value(&Value::Float(number)),
                            None => Ok(TermId::UNDEFINED),
                        }
                    })
                    .collect()
            }
        }
    }
}

/// The least or greatest value of a group so far.
#[derive(Clone, Default)]
struct Best {
    /// Of those that were decoded.
    any: Option<(Key, TermId)>,
    /// Of each kind whose ids are in the order of their values.
    sorted: [Option<TermId>; 3],
}

impl Best {
    /// An undefined value stays the best.
    fn offer(&mut self, key: Key, id: TermId, wanted: Ordering) {
        let is_better = match &self.any {
            None => true,
            Some((_, best)) if best.is_undefined() => false,
            Some((of_best, _)) => id.is_undefined() || key.cmp(of_best) == wanted,
        };
        if is_better {
            self.any = Some((key, id));
        }
    }

    fn offer_sorted(&mut self, kind: SortedKind, id: TermId, wanted: Ordering) {
        let best = &mut self.sorted[kind as usize];
        if best.is_none_or(|best| id.cmp(&best) == wanted) {
            *best = Some(id);
        }
    }
}

impl State {
    fn of(function: &AggregateFunction) -> State {
        match function {
            AggregateFunction::Count | AggregateFunction::CountTimes(_) => State::Count(Vec::new()),
            AggregateFunction::SparqlSum | AggregateFunction::SparqlAvg => State::SparqlSum(Vec::new()),
            AggregateFunction::CypherSum | AggregateFunction::CypherAvg => State::CypherSum(Vec::new()),
            AggregateFunction::SparqlMin
            | AggregateFunction::SparqlMax
            | AggregateFunction::CypherMin
            | AggregateFunction::CypherMax => State::Best(Vec::new()),
            AggregateFunction::Sample => State::One(Vec::new()),
            AggregateFunction::GroupConcat { .. } => State::Concat(Vec::new()),
            AggregateFunction::Collect => State::Lists(Vec::new()),
            AggregateFunction::StDev | AggregateFunction::StDevP => State::Numbers(Vec::new()),
            AggregateFunction::PercentileDisc(_) | AggregateFunction::PercentileCont(_) => {
                State::Percentile(Vec::new())
            }
        }
    }

    fn resize(&mut self, groups: usize) {
        match self {
            State::Count(all) => all.resize(groups, 0),
            State::SparqlSum(all) => all.resize_with(groups, SparqlSum::default),
            State::CypherSum(all) => all.resize_with(groups, CypherSum::default),
            State::One(all) => all.resize(groups, TermId::UNDEFINED),
            State::Best(all) => all.resize(groups, Best::default()),
            State::Concat(all) => all.resize(groups, None),
            State::Lists(all) => all.resize(groups, Vec::new()),
            State::Numbers(all) => all.resize(groups, Vec::new()),
            State::Percentile(all) => all.resize(groups, (Vec::new(), 0.0)),
        }
    }

    /// Returns the bytes that so many more rows may take.
    fn bytes_of_rows(&self, rows: usize) -> usize {
        match self {
            State::Lists(_) | State::Numbers(_) => bytes_of(rows, 1),
            State::Concat(_) | State::Percentile(_) => bytes_of(rows, 2),
            _ => 0,
        }
    }
}

/// Returns how the value that MIN or MAX looks for compares with the others, and by what order.
fn extreme(function: &AggregateFunction) -> Option<(Ordering, SortOrder)> {
    match function {
        AggregateFunction::SparqlMin => Some((Ordering::Less, SortOrder::Sparql)),
        AggregateFunction::SparqlMax => Some((Ordering::Greater, SortOrder::Sparql)),
        AggregateFunction::CypherMin => Some((Ordering::Less, SortOrder::Cypher)),
        AggregateFunction::CypherMax => Some((Ordering::Greater, SortOrder::Cypher)),
        _ => None,
    }
}

/// Offers the ids of kinds that are in the order of their values to their groups; returns the others, each with its group.
fn offer_sorted(
    best: &mut [Best],
    groups: &[u32],
    mut ids: &[TermId],
    wanted: Ordering,
    has_strings: bool,
) -> Vec<(usize, TermId)> {
    let mut others = Vec::new();
    for run in groups.chunk_by(|a, b| a == b) {
        let (of_run, after) = ids.split_at(run.len());
        ids = after;
        let group = run[0] as usize;
        if let Some((kind, id)) = extreme_of_one_kind(of_run, wanted, has_strings) {
            best[group].offer_sorted(kind, id, wanted);
            continue;
        }
        for id in of_run {
            match SortedKind::of(*id, has_strings) {
                Some(kind) => best[group].offer_sorted(kind, *id, wanted),
                None => others.push((group, *id)),
            }
        }
    }
    others
}

/// Returns the least or the greatest of ids that are all of one kind whose ids are in the order of their values: so
/// they are if the least and the greatest are.
fn extreme_of_one_kind(ids: &[TermId], wanted: Ordering, has_strings: bool) -> Option<(SortedKind, TermId)> {
    let (least, greatest) = (*ids.iter().min()?, *ids.iter().max()?);
    let kind = SortedKind::of(least, has_strings)?;
    let id = if wanted == Ordering::Less { least } else { greatest };
    (SortedKind::of(greatest, has_strings) == Some(kind)).then_some((kind, id))
}

fn concat(text: &mut Option<Option<String>>, more: Option<&str>, separator: &str) {
    match (text, more) {
        (Some(None), _) => {}
        (text, None) => *text = Some(None),
        (Some(Some(text)), Some(more)) => {
            text.push_str(separator);
            text.push_str(more);
        }
        (text @ None, Some(more)) => *text = Some(Some(more.to_owned())),
    }
}
