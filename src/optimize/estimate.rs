//! Estimates: how many rows a plan yields, and how many distinct values its variables take.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::dataset::{Dataset, DatasetError, Statistics, ranges_of, share_within};
use crate::model::{GraphFilter, QuadPattern, Term, TermId};
use crate::plan::{
    Expression, Function, GraphSelector, LogicalPlan, PathExpression, QuadScan, Slot, Variable, VariableSet,
};

/// What a plan is thought to yield.
#[derive(Clone, Debug, Default)]
pub struct Estimate {
    pub rows: f64,
    /// Distinct values; a variable that is not listed may take as many as there are rows.
    pub distinct: HashMap<Variable, f64>,
}

/// Asks one dataset, each statistic once.
pub struct Estimator<'a> {
    dataset: &'a dyn Dataset,
    statistics: Arc<Statistics>,
}

impl<'a> Estimator<'a> {
    pub fn new(dataset: &'a dyn Dataset) -> Estimator<'a> {
        Estimator { dataset, statistics: dataset.statistics() }
    }

    pub fn plan(&self, plan: &LogicalPlan) -> Result<Estimate, DatasetError> {
        use LogicalPlan::*;
        Ok(match plan {
            QuadScan(scan) => self.scan(scan)?,
            MultiwayJoin(scans) => {
                let mut all: Option<(Estimate, VariableSet)> = None;
                for scan in scans {
                    let (next, own) = (self.scan(scan)?, QuadScan(Box::new(scan.clone())).variables());
                    all = Some(match all {
                        None => (next, own),
                        Some((before, variables)) => {
                            let shared: Vec<Variable> = (&variables & &own).into_iter().collect();
                            (joined(&before, &next, &shared), &variables | &own)
                        }
                    });
                }
                all.map(|(estimate, _)| estimate).unwrap_or_default()
            }
            EdgeScan(scan) => {
                let quads = crate::plan::QuadScan {
                    subject: scan.subject.clone(),
                    predicate: scan.predicate.clone(),
                    object: scan.object.clone(),
                    graph: scan.graph.clone(),
                    per_edge: false,
                };
                let mut estimate = self.scan(&quads)?;
                if !scan.predicates.is_empty() {
                    let mut rows = 0;
                    for predicate in &scan.predicates {
                        rows += self.quads_of(predicate.clone().into())?;
                    }
                    estimate.rows = estimate.rows.min(rows as f64);
                }
                estimate
            }
            Path(path) => {
                let step = self.step(&path.step)?;
                let ends = [&path.subject, &path.object];
                let open = ends.into_iter().filter(|slot| slot.variable().is_some()).count();
                // A closed end leaves what one walk reaches.
                let rows = match open {
                    0 => 1.0,
                    1 => step.sqrt() * 2.0 + 1.0,
                    _ => step * 4.0 + 1.0,
                };
                Estimate { rows, distinct: HashMap::new() }
            }
            Repeat(repeat) => {
                // A round from one node has few rows of those that all nodes have; chains are many.
                let rounds = self.plan(&repeat.step)?.rows.max(1.0).sqrt();
                scaled(self.plan(&repeat.input)?, rounds * 4.0)
            }
            Values { rows, .. } => Estimate { rows: rows.len() as f64, distinct: HashMap::new() },
            Argument { .. } => Estimate { rows: 1.0, distinct: HashMap::new() },
            Join { left, right } => joined(&self.plan(left)?, &self.plan(right)?, &shared(left, right)),
            LeftJoin { left, right, .. } => {
                let left_estimate = self.plan(left)?;
                let mut both = joined(&left_estimate, &self.plan(right)?, &shared(left, right));
                both.rows = both.rows.max(left_estimate.rows);
                both
            }
            SemiJoin { left, right } => {
                let (a, b) = (self.plan(left)?, self.plan(right)?);
                let both = joined(&a, &b, &shared(left, right));
                Estimate { rows: both.rows.min(a.rows * 0.5), ..a }
            }
            AntiJoin { left, .. } | Minus { left, .. } => scaled(self.plan(left)?, 0.5),
            Apply { input, subplan, kind } => {
                let estimate = self.plan(input)?;
                match kind.of_row() {
                    crate::plan::ApplyKind::Inner | crate::plan::ApplyKind::Left => {
                        let factor = self.plan(subplan)?.rows.max(1.0);
                        scaled(estimate, factor)
                    }
                    _ => estimate,
                }
            }
            Union(branches) => {
                let mut all = Estimate::default();
                for (index, branch) in branches.iter().enumerate() {
                    let one = self.plan(branch)?;
                    all.rows += one.rows;
                    match index {
                        0 => all.distinct = one.distinct,
                        _ => all.distinct.retain(|variable, count| match one.distinct.get(variable) {
                            Some(more) => {
                                *count += more;
                                true
                            }
                            None => false,
                        }),
                    }
                }
                all
            }
            Filter { input, condition } => self.filtered(input, condition)?,
            Unwind { input, .. } => scaled(self.plan(input)?, 5.0),
            LoadCsv { input, .. } => scaled(self.plan(input)?, 1000.0),
            Aggregate { input, keys, .. } => {
                let rows = self.plan(input)?.rows;
                let rows = if keys.is_empty() { 1.0 } else { rows.powf(0.75) };
                Estimate { rows, distinct: HashMap::new() }
            }
            TopN { input, limit, .. } => limited(self.plan(input)?, *limit as f64),
            Slice { input, limit, .. } => match limit {
                Some(Expression::Constant(crate::model::Value::Integer(limit))) => {
                    limited(self.plan(input)?, *limit as f64)
                }
                _ => self.plan(input)?,
            },
            Service { .. } => Estimate { rows: 1000.0, distinct: HashMap::new() },
            Extend { input, .. }
            | Project { input, .. }
            | Distinct { input }
            | Sort { input, .. }
            | Assert { input, .. }
            | DistinctEdges { input, .. }
            | Call { input, .. }
            | Modify { input, .. }
            | Merge { input, .. } => self.plan(input)?,
        })
    }

    fn filtered(&self, input: &LogicalPlan, condition: &Expression) -> Result<Estimate, DatasetError> {
        let estimate = self.plan(input)?;
        let sampled = sampled(condition);
        let condition = sampled.as_ref().unwrap_or(condition);
        if let LogicalPlan::QuadScan(scan) = input
            && let Some(object) = scan.object.variable()
            && let Some(pattern) = self.pattern(scan)?
            && let Some(share) =
                share_within(self.dataset, &pattern, estimate.rows as u64, object, condition)?
        {
            let parts = condition.conjuncts().into_iter();
            let rest: f64 = parts.filter(|part| ranges_of(part, object).is_none()).map(selectivity).product();
            return Ok(scaled(estimate, share * rest));
        }
        Ok(scaled(estimate, selectivity(condition)))
    }

    fn scan(&self, scan: &QuadScan) -> Result<Estimate, DatasetError> {
        let Some(pattern) = self.pattern(scan)? else { return Ok(Estimate::default()) };
        let rows = self.dataset.estimate(&pattern)? as f64;
        Ok(Estimate { rows, distinct: self.distinct(scan, pattern.predicate, rows) })
    }

    /// Returns the pattern of a scan, or `None` if one of its constants is nowhere.
    fn pattern(&self, scan: &QuadScan) -> Result<Option<QuadPattern>, DatasetError> {
        let constants = [&scan.subject, &scan.predicate, &scan.object].map(|slot| match slot {
            Slot::Constant(term) => Some(Cow::Borrowed(term)),
            Slot::Parameter(parameter) => Some(Cow::Owned(parameter.sample.as_ref()?.to_term()?)),
            Slot::Variable(_) => None,
        });
        let mut ids = [None; 3];
        for (id, term) in ids.iter_mut().zip(constants) {
            if let Some(term) = term {
                match self.dataset.term_id(&term)? {
                    Some(known) => *id = Some(known),
                    None => return Ok(None),
                }
            }
        }
        let [subject, predicate, object] = ids;
        Ok(self.graph(&scan.graph)?.map(|graph| QuadPattern { subject, predicate, object, graph }))
    }

    fn distinct(&self, scan: &QuadScan, predicate: Option<TermId>, rows: f64) -> HashMap<Variable, f64> {
        let figures = predicate.and_then(|predicate| self.statistics.predicates.get(&predicate));
        let (subjects, objects) = match figures {
            Some(figures) => (figures.distinct_subjects, figures.distinct_objects),
            None => (self.statistics.distinct_subjects, self.statistics.distinct_objects),
        };
        let slots = [
            (&scan.subject, subjects),
            (&scan.predicate, self.statistics.predicates.len() as u64),
            (&scan.object, objects),
        ];
        slots
            .into_iter()
            .filter_map(|(slot, count)| Some((slot.variable()?, (count as f64).clamp(1.0, rows.max(1.0)))))
            .collect()
    }

    /// Returns the filter of a selector, or `None` if its graphs are not there.
    fn graph(&self, graph: &GraphSelector) -> Result<Option<GraphFilter>, DatasetError> {
        Ok(match graph {
            GraphSelector::Default => Some(GraphFilter::One(TermId::UNDEFINED)),
            GraphSelector::Everything => Some(GraphFilter::All),
            GraphSelector::Each(_, None) => Some(GraphFilter::Named),
            GraphSelector::Named(name) => self.dataset.term_id(&name.clone().into())?.map(GraphFilter::One),
            GraphSelector::Merge(names) | GraphSelector::Each(_, Some(names)) => {
                let mut ids = Vec::new();
                for name in names {
                    ids.extend(self.dataset.term_id(&name.clone().into())?);
                }
                ids.sort_unstable();
                (!ids.is_empty()).then_some(GraphFilter::Among(ids))
            }
        })
    }

    fn quads_of(&self, predicate: Term) -> Result<u64, DatasetError> {
        let id = self.dataset.term_id(&predicate)?;
        Ok(id.and_then(|id| self.statistics.predicates.get(&id)).map_or(0, |figures| figures.quads))
    }

    fn step(&self, step: &PathExpression) -> Result<f64, DatasetError> {
        Ok(match step {
            PathExpression::Predicates(names) => {
                let mut rows = 0;
                for name in names {
                    rows += self.quads_of(name.clone().into())?;
                }
                rows as f64
            }
            PathExpression::Not(_) => self.statistics.quads as f64,
            PathExpression::Inverse(inner) | PathExpression::Repeat(inner, ..) => self.step(inner)?,
            PathExpression::Sequence(steps) | PathExpression::Alternative(steps) => {
                let mut rows = 0.0;
                for step in steps {
                    rows += self.step(step)?;
                }
                rows
            }
        })
    }
}

fn shared(left: &LogicalPlan, right: &LogicalPlan) -> Vec<Variable> {
    (&left.variables() & &right.variables()).into_iter().collect()
}

/// Returns the estimate of a join on `shared`: every value of the side with fewer meets one of the
/// other side.
pub fn joined(left: &Estimate, right: &Estimate, shared: &[Variable]) -> Estimate {
    let mut rows = left.rows * right.rows;
    for variable in shared {
        let of = |side: &Estimate| side.distinct.get(variable).copied().unwrap_or(side.rows).max(1.0);
        rows /= of(left).max(of(right));
    }
    let mut distinct = left.distinct.clone();
    for (variable, count) in &right.distinct {
        let least = distinct.get(variable).map_or(*count, |other| other.min(*count));
        distinct.insert(*variable, least);
    }
    for count in distinct.values_mut() {
        *count = count.min(rows.max(1.0));
    }
    Estimate { rows, distinct }
}

fn scaled(mut estimate: Estimate, factor: f64) -> Estimate {
    estimate.rows *= factor;
    for count in estimate.distinct.values_mut() {
        *count = count.min(estimate.rows.max(1.0));
    }
    estimate
}

fn limited(estimate: Estimate, limit: f64) -> Estimate {
    let factor = if estimate.rows > limit { limit / estimate.rows } else { 1.0 };
    scaled(estimate, factor)
}

/// Returns a condition with the samples of its parameters, if it has any.
fn sampled(condition: &Expression) -> Option<Expression> {
    let is_parameter = |part: &Expression| matches!(part, Expression::Parameter(_));
    condition.any(&is_parameter).then(|| {
        let mut condition = condition.clone();
        condition.rewrite(&mut |part| {
            if let Expression::Parameter(parameter) = part
                && let Some(sample) = &parameter.sample
            {
                *part = Expression::Constant(sample.clone());
            }
        });
        condition
    })
}

fn selectivity(condition: &Expression) -> f64 {
    match condition {
        Expression::Call(Function::And, arguments) => arguments.iter().map(selectivity).product(),
        Expression::Call(Function::Or, arguments) => arguments.iter().map(selectivity).sum::<f64>().min(1.0),
        Expression::Call(Function::Not, arguments) => 1.0 - arguments.first().map_or(0.5, selectivity),
        Expression::Call(Function::SameTerm | Function::SparqlEqual | Function::CypherEqual, _) => 0.05,
        Expression::Call(Function::SparqlIn | Function::CypherIn, arguments) => {
            (0.05 * arguments.len() as f64).min(0.5)
        }
        Expression::Call(Function::Regex | Function::Contains | Function::StrStarts, _) => 0.1,
        _ => 0.3,
    }
}
