//! Keys that no spelling changes: what a plan or expression looks like with its variables' numbers
//! forgotten, or told apart only by where they occur.

use std::collections::HashMap;
use std::hash::Hasher;

use rustc_hash::FxHasher;

use crate::plan::{Expression, Function, LogicalPlan, Variable};

/// How often what a variable meets is spread to what meets it.
const ROUNDS: usize = 3;

/// Returns a sort key of an expression; equal for expressions that differ in variables alone.
pub fn expression_key(expression: &Expression) -> String {
    masked(&format!("{expression:?}"), &HashMap::new())
}

/// Returns sort keys of plans that are about to be joined: the variables are told apart by the
/// places in which the plans mention them.
pub fn plan_keys(plans: &[LogicalPlan]) -> Vec<String> {
    let texts: Vec<String> = plans.iter().map(|plan| format!("{plan:?}")).collect();
    let mut colours = HashMap::new();
    for _ in 0..ROUNDS {
        colours = recolour(&texts, &colours);
    }
    texts.iter().map(|text| masked(text, &colours)).collect()
}

/// Puts the operands of each comparison of two variables, which may stand either way, in the order in which what is
/// filtered mentions them.
pub fn order_operands(plan: LogicalPlan) -> LogicalPlan {
    let mut plan = plan.map_inputs(&mut order_operands);
    if let LogicalPlan::Filter { input, condition } = &mut plan
        && condition.any(&|part| compared(part).is_some())
    {
        let text = format!("{input:?}");
        let order: Vec<Variable> = variables_in(&text).collect();
        let place = |variable: Variable| order.iter().position(|other| *other == variable);
        condition.rewrite(&mut |part| {
            if compared(part).is_some_and(|[a, b]| place(b) < place(a))
                && let Expression::Call(_, operands) = part
            {
                operands.reverse();
            }
        });
    }
    plan
}

fn compared(expression: &Expression) -> Option<[Variable; 2]> {
    match expression {
        Expression::Call(Function::SameTerm, operands) => match operands.as_slice() {
            [Expression::Variable(a), Expression::Variable(b)] => Some([*a, *b]),
            _ => None,
        },
        _ => None,
    }
}

/// Gives each variable the hash of all texts around its occurrences.
fn recolour(texts: &[String], colours: &HashMap<Variable, u64>) -> HashMap<Variable, u64> {
    let mut seen: HashMap<Variable, Vec<u64>> = HashMap::new();
    for text in texts {
        let whole = masked(text, colours);
        for (occurrence, variable) in variables_in(text).enumerate() {
            let mut hasher = FxHasher::default();
            hasher.write(whole.as_bytes());
            hasher.write_usize(occurrence);
            seen.entry(variable).or_default().push(hasher.finish());
        }
    }
    let colour = |mut hashes: Vec<u64>| {
        hashes.sort_unstable();
        let mut hasher = FxHasher::default();
        hashes.into_iter().for_each(|hash| hasher.write_u64(hash));
        hasher.finish()
    };
    seen.into_iter().map(|(variable, hashes)| (variable, colour(hashes))).collect()
}

/// Returns the variables in a debug text (`?17`), in order. A string constant may look like one;
/// that only makes a key of it too.
fn variables_in(text: &str) -> impl Iterator<Item = Variable> + '_ {
    text.split('?').skip(1).filter_map(|rest| leading_number(rest).1)
}

fn leading_number(text: &str) -> (usize, Option<Variable>) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    (digits, text.get(..digits).and_then(|number| number.parse().ok()).map(Variable))
}

fn masked(text: &str, colours: &HashMap<Variable, u64>) -> String {
    let mut parts = text.split('?');
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, variable) = leading_number(part);
        result.push('?');
        if let Some(colour) = variable.and_then(|variable| colours.get(&variable)) {
            result.push_str(&format!("{colour:016x}"));
        }
        result.push_str(part.get(digits..).unwrap_or_default());
    }
    result
}
