//! Equality of values of two parts that share no variable: where the data's schema proves that each value equals one term at
//! most, it is a join by that term, which a scan can look up, and no product of the parts is made.
//!
//! So are the rows of `UNWIND $rows AS row MATCH (n {key: row.key})` looked up one by one.

use super::filter::{conjoin, split};
use super::numbers::info;
use super::{Set, by_schema};
use crate::dataset::{Dataset, DatasetError};
use crate::model::xsd;
use crate::plan::{Expression, Function, LogicalPlan, PredicateInfo, Schema, Variable};

/// Rewrites the filters of a plan that stand right above a join, as far as nothing was written before them.
pub fn settle(plan: LogicalPlan, dataset: &dyn Dataset) -> Result<LogicalPlan, DatasetError> {
    by_schema::rewrite(plan, dataset, &has_equalities, &join)
}

fn has_equalities(plan: &LogicalPlan) -> bool {
    let is_equality = |conjunct: &&Expression| sides(conjunct).is_some();
    match plan {
        LogicalPlan::Filter { input, condition } => {
            matches!(**input, LogicalPlan::Join { .. }) && condition.conjuncts().iter().any(is_equality)
        }
        _ => false,
    }
}

fn sides(condition: &Expression) -> Option<[&Expression; 2]> {
    match condition {
        Expression::Call(Function::CypherEqual, arguments) => match arguments.as_slice() {
            [first, second] if first.known().is_none() && second.known().is_none() => Some([first, second]),
            _ => None,
        },
        _ => None,
    }
}

fn join(plan: LogicalPlan, schema: &Schema) -> LogicalPlan {
    let LogicalPlan::Filter { input, condition } = plan else { return plan };
    let mut parts = Parts::default();
    parts.add(&input);
    if parts.0.len() < 2 || parts.0.iter().any(LogicalPlan::writes) {
        return LogicalPlan::Filter { input, condition };
    }
    let (mut conjuncts, mut is_changed) = (split(condition), false);
    let next = |parts: &Parts, conjuncts: &[Expression]| {
        let mut keys = conjuncts.iter().map(|conjunct| parts.key(conjunct, schema)).enumerate();
        keys.find_map(|(place, key)| Some((place, key?)))
    };
    while let Some((place, key)) = next(&parts, &conjuncts) {
        conjuncts.remove(place);
        parts.bind(key);
        is_changed = true;
    }
    conjoin(if is_changed { parts.joined() } else { *input }, conjuncts)
}

/// What a scan is to be looked up by.
struct Key {
    variable: Variable,
    value: Expression,
    /// The place of the scan.
    scan: usize,
}

/// What is joined.
#[derive(Default)]
struct Parts(Vec<LogicalPlan>);

impl Parts {
    fn add(&mut self, plan: &LogicalPlan) {
        match plan {
            LogicalPlan::Join { left, right } => {
                self.add(left);
                self.add(right);
            }
            part => self.0.push(part.clone()),
        }
    }

    /// Returns which variable of one group of parts must equal which value of another, and can be looked up.
    fn key(&self, conjunct: &Expression, schema: &Schema) -> Option<Key> {
        let [first, second] = sides(conjunct)?;
        [(first, second), (second, first)].into_iter().find_map(|(key, value)| {
            let Expression::Variable(variable) = key else { return None };
            let given = value.variables();
            let (own, own_parts) = self.connected(&Set::from_iter([*variable]));
            let is_apart = given.iter().all(|variable| !own.contains(&variable));
            let is_bound = !given.is_empty() && given.is_subset(&self.connected(&given).0);
            if !is_apart || !is_bound {
                return None;
            }
            let scan = own_parts.into_iter().find(|part| is_looked_up(&self.0[*part], *variable, schema))?;
            Some(Key { variable: *variable, value: value.clone(), scan })
        })
    }

    /// Returns the variables of all parts that these lead to, and the places of those parts.
    fn connected(&self, variables: &Set) -> (Set, Vec<usize>) {
        let (mut reached, mut places) = (Set::new(), Vec::new());
        let mut is_open = true;
        while std::mem::take(&mut is_open) {
            for (place, part) in self.0.iter().enumerate().filter(|(_, part)| !part.is_unit()) {
                let own = part.variables();
                let is_met = own.iter().any(|v| variables.contains(&v) || reached.contains(&v));
                if is_met && !places.contains(&place) {
                    reached.extend(own.iter());
                    places.push(place);
                    is_open = true;
                }
            }
        }
        places.sort_unstable();
        (reached, places)
    }

    /// Adds to the parts that give a value the term that is looked up; rows without one are dropped.
    fn bind(&mut self, Key { variable, value, scan }: Key) {
        let (_, places) = self.connected(&value.variables());
        let (mut given, mut others) = (Parts::default(), Vec::new());
        let mut scans = Vec::new();
        for (place, part) in std::mem::take(&mut self.0).into_iter().enumerate() {
            match places.contains(&place) {
                true => given.0.push(part),
                false if place == scan => scans.push(part),
                false => others.push(part),
            }
        }
        let expression = Expression::call(Function::LookupTerm, [value]);
        let found = LogicalPlan::Extend { input: Box::new(given.joined()), variable, expression };
        let is_defined = Expression::call(Function::IsDefined, [Expression::Variable(variable)]);
        // Next to the scan: above a join with others the term would be computed for their rows too.
        self.0.push(conjoin(found, vec![is_defined]));
        self.0.extend(scans);
        self.0.extend(others);
    }

    fn joined(self) -> LogicalPlan {
        let join = |left, right| LogicalPlan::Join { left: Box::new(left), right: Box::new(right) };
        self.0.into_iter().reduce(join).unwrap_or_else(LogicalPlan::unit)
    }
}

/// Returns whether a variable is the object of a scan, and each value equals one of the predicate's objects at most.
fn is_looked_up(plan: &LogicalPlan, variable: Variable, schema: &Schema) -> bool {
    match plan {
        LogicalPlan::QuadScan(scan) => info(scan, variable, schema).is_some_and(has_one_form),
        LogicalPlan::Filter { input, .. } => is_looked_up(input, variable, schema),
        _ => false,
    }
}

/// Returns whether all literals of a predicate are plain strings, or integers in their canonical form.
fn has_one_form(info: &PredicateInfo) -> bool {
    let is_plain = |datatype: &oxrdf::NamedNode| *datatype == xsd::INTEGER || *datatype == xsd::STRING;
    !info.has_opaque_numbers && info.datatypes.iter().all(is_plain)
}
