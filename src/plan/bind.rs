//! Parameters, put into a plan.

use super::{Expression, LogicalPlan};
use crate::model::Map;

impl LogicalPlan {
    /// Replaces parameters by their values, in the plans of expressions too; one without a value stays.
    pub fn bind(&mut self, parameters: &Map) {
        for expression in self.expressions_mut() {
            bind_expression(expression, parameters);
        }
        self.inputs_mut().into_iter().for_each(|input| input.bind(parameters));
    }
}

fn bind_expression(expression: &mut Expression, parameters: &Map) {
    expression.rewrite(&mut |part| match part {
        Expression::Parameter(name) => {
            if let Some(value) = parameters.get(name) {
                *part = Expression::Constant(value.clone());
            }
        }
        Expression::Exists(plan) => plan.bind(parameters),
        _ => {}
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Value;

    #[test]
    fn parameters_become_values_wherever_they_stand() {
        let condition = |x: Expression| Expression::Call(crate::plan::Function::Not, vec![x]);
        let plan = |x: Expression| LogicalPlan::Filter {
            input: Box::new(LogicalPlan::unit()),
            condition: condition(Expression::Exists(Box::new(LogicalPlan::Filter {
                input: Box::new(LogicalPlan::unit()),
                condition: condition(x),
            }))),
        };
        let mut bound = plan(Expression::Parameter("a".to_owned()));
        bound.bind(&Map::from([("a".to_owned(), Value::Integer(1))]));
        assert_eq!(bound, plan(Expression::Constant(Value::Integer(1))));
        let mut missing = plan(Expression::Parameter("b".to_owned()));
        missing.bind(&Map::new());
        assert_eq!(missing, plan(Expression::Parameter("b".to_owned())));
    }
}
