//! What a comparison leaves is within the ranges of ids that are told of it.

use std::sync::Arc;

use proptest::prelude::*;

use crate::batch::Batch;
use crate::dataset::{MemoryDataset, ranges_of};
use crate::execute::expression::compile;
use crate::execute::{Context, Layout};
use crate::model::{Literal, Term, Value, xsd};
use crate::plan::{Expression, Function, Variable};

fn literals() -> impl Strategy<Value = Literal> {
    let typed = |texts: &'static [&'static str], datatype| {
        prop::sample::select(texts).prop_map(move |text| Literal::new_typed_literal(text, datatype))
    };
    prop_oneof![
        (-9i64..9).prop_map(Literal::from),
        any::<i64>().prop_map(Literal::from),
        (-40i32..40).prop_map(|quarters| Literal::from(f64::from(quarters) / 4.0)),
        any::<f64>().prop_map(Literal::from),
        typed(&["0.5", "-0.5", "1.0", "1", "3.25", "-7.125", "99999999.75"], xsd::DECIMAL),
        typed(&["0.0E0", "-0.0E0", "1.0E0", "INF", "-INF", "NaN", "0.1", "1e400"], xsd::DOUBLE),
        typed(&["2008-05-01", "2008-05-02", "1969-01-01", "2008-05-01Z", "-0044-03-15"], xsd::DATE),
        typed(
            &[
                "2008-05-01T00:00:00",
                "2008-05-01T10:00:00Z",
                "2008-05-01T09:00:00+02:00",
                "1900-01-01T00:00:00"
            ],
            xsd::DATE_TIME
        ),
        typed(&["b"], xsd::STRING),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_compares_is_within(term in literals(), other in literals(), which in 0usize..4, swapped: bool) {
        let dataset = MemoryDataset::new();
        let subject = crate::model::NamedNode::new_unchecked("x:s");
        let quad = oxrdf::Quad::new(subject.clone(), subject, term.clone(), oxrdf::GraphName::DefaultGraph);
        dataset.insert_quad(&quad).unwrap();
        let context = Context::new(Arc::new(dataset));
        let id = context.dataset.term_id(&Term::Literal(term)).unwrap().unwrap();
        let function = [Function::SparqlLess, Function::SparqlLessOrEqual, Function::CypherLess, Function::CypherLessOrEqual][which].clone();
        let variable = Variable(0);
        let mut sides = vec![Expression::Variable(variable), Expression::Constant(Value::Term(other.into()))];
        if swapped {
            sides.reverse();
        }
        let condition = Expression::Call(function, sides);
        let mut layout = Layout::default();
        layout.push(variable, true);
        let compiled = compile(&condition, &layout, &context).unwrap();
        let holds = compiled.filter(&Batch::new(vec![vec![id]], 1), &context).unwrap() == [true];
        if holds && let Some(ranges) = ranges_of(&condition, variable) {
            prop_assert!(ranges.contains(id), "{id:?} is not in {ranges:?}");
        }
    }
}
