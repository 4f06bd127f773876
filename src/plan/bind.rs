//! Parameters, put into a plan.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Expression, LogicalPlan, Parameter, ParameterKind, Slot};
use crate::model::{Map, Value};

impl LogicalPlan {
    /// Replaces parameters by their values, in the plans of expressions too; one without a value stays.
    pub fn bind(&mut self, parameters: &Map) {
        self.rewrite_parameters(
            &|parameter| parameters.get(&parameter.name).cloned().map(Expression::Constant),
            &|parameter| parameters.get(&parameter.name)?.to_term().map(Slot::Constant),
        );
    }

    /// Makes a plan ready to serve all requests whose parameters are of the same kinds: those stay open, with these
    /// as samples. Returns the names of the others: those of no kind, and those that a result's size hangs on, became
    /// constants.
    pub fn sample(&mut self, parameters: &Map) -> BTreeSet<String> {
        let mut fixed = BTreeSet::new();
        self.collect_slicing(&mut fixed);
        let is_open =
            |(name, value): &(&String, &Value)| ParameterKind::of(value).is_some() && !fixed.contains(*name);
        let open: Map =
            parameters.iter().filter(is_open).map(|(name, value)| (name.clone(), sample(value))).collect();
        fixed.extend(parameters.keys().filter(|name| !open.contains_key(*name)).cloned());
        let sampled = |Parameter { name, .. }: &Parameter| {
            let Some(sample) = open.get(name) else {
                return parameters.get(name).cloned().map(Expression::Constant);
            };
            let parameter = Parameter { name: name.clone(), sample: Some(sample.clone()) };
            Some(Expression::Parameter(Arc::new(parameter)))
        };
        self.rewrite_parameters(&sampled, &|_| None);
        fixed
    }

    /// Collects the names of the parameters that offsets and limits are made of.
    fn collect_slicing(&self, names: &mut BTreeSet<String>) {
        if let LogicalPlan::Slice { offset, limit, .. } = self {
            offset.iter().chain(limit).for_each(|expression| expression.collect_parameters(names));
        }
        for expression in self.expressions() {
            expression.visit(&mut |part| {
                if let Expression::Exists(plan) = part {
                    plan.collect_slicing(names);
                }
            });
        }
        self.inputs().into_iter().for_each(|input| input.collect_slicing(names));
    }

    /// Replaces parameters in expressions and in slots, here and in all inputs, by what the functions return.
    fn rewrite_parameters(
        &mut self,
        expression_of: &dyn Fn(&Parameter) -> Option<Expression>,
        slot_of: &dyn Fn(&Parameter) -> Option<Slot>,
    ) {
        for slot in self.slots_mut() {
            if let Slot::Parameter(parameter) = slot
                && let Some(new) = slot_of(parameter)
            {
                *slot = new;
            }
        }
        for expression in self.expressions_mut() {
            expression.rewrite(&mut |part| match part {
                Expression::Parameter(parameter) => {
                    if let Some(new) = expression_of(parameter) {
                        *part = new;
                    }
                }
                Expression::Exists(plan) => plan.rewrite_parameters(expression_of, slot_of),
                _ => {}
            });
        }
        for input in self.inputs_mut() {
            input.rewrite_parameters(expression_of, slot_of);
        }
    }
}

impl Expression {
    fn collect_parameters(&self, names: &mut BTreeSet<String>) {
        self.visit(&mut |part| {
            if let Expression::Parameter(parameter) = part {
                names.insert(parameter.name.clone());
            }
        });
    }
}

/// Returns what is kept of a value as a sample: of what may be large, the kind.
fn sample(value: &Value) -> Value {
    match value {
        Value::List(_) => Value::List(Vec::new()),
        Value::Map(_) => Value::Map(Map::new()),
        value => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Function, GraphSelector, QuadScan, Variable};

    #[test]
    fn parameters_become_values_wherever_they_stand() {
        let condition = |x: Expression| Expression::Call(Function::Not, vec![x]);
        let plan = |x: Expression| LogicalPlan::Filter {
            input: Box::new(LogicalPlan::unit()),
            condition: condition(Expression::Exists(Box::new(LogicalPlan::Filter {
                input: Box::new(LogicalPlan::unit()),
                condition: condition(x),
            }))),
        };
        let mut bound = plan(Expression::parameter("a"));
        bound.bind(&Map::from([("a".to_owned(), Value::Integer(1))]));
        assert_eq!(bound, plan(Expression::Constant(Value::Integer(1))));
        let mut missing = plan(Expression::parameter("b"));
        missing.bind(&Map::new());
        assert_eq!(missing, plan(Expression::parameter("b")));
    }

    #[test]
    fn places_of_scans_are_bound_below_other_operators() {
        let scan = |object: Slot| {
            let (subject, predicate) = (Slot::Variable(Variable(0)), Slot::Variable(Variable(1)));
            let scan = QuadScan::new(subject, predicate, object, GraphSelector::Default);
            LogicalPlan::Distinct { input: Box::new(LogicalPlan::QuadScan(Box::new(scan))) }
        };
        let mut plan = scan(Slot::Parameter(Arc::new(Parameter::new("a"))));
        plan.bind(&Map::from([("a".to_owned(), Value::Integer(1))]));
        assert_eq!(plan, scan(Slot::Constant(Value::Integer(1).to_term().unwrap())));
    }

    #[test]
    fn what_a_plan_must_know_is_no_sample() {
        let names = ["kept", "null", "limit"];
        let values = [Value::Integer(1), Value::Null, Value::Integer(2)];
        let given: Map = names.map(str::to_owned).into_iter().zip(values).collect();
        let mut plan = LogicalPlan::Slice {
            input: Box::new(LogicalPlan::Filter {
                input: Box::new(LogicalPlan::unit()),
                condition: Expression::List(names.map(Expression::parameter).to_vec()),
            }),
            offset: None,
            limit: Some(Expression::parameter("limit")),
        };
        let fixed = plan.sample(&given);
        assert_eq!(fixed.into_iter().collect::<Vec<_>>(), ["limit", "null"]);
        let LogicalPlan::Slice { input, limit, .. } = plan else { unreachable!() };
        assert_eq!(limit, Some(Expression::Constant(Value::Integer(2))));
        let LogicalPlan::Filter { condition: Expression::List(items), .. } = *input else { unreachable!() };
        let known: Vec<_> = items.iter().map(|item| item.known().cloned()).collect();
        assert_eq!(known, [Some(Value::Integer(1)), Some(Value::Null), Some(Value::Integer(2))]);
        assert!(matches!(items[0], Expression::Parameter(_)));
    }
}
