//! `where`: conditions on the objects of a list.
//!
//! What must hold outright becomes joins, semi-joins and anti-joins, the same plans that patterns
//! of the other languages become; what stands under `or`, `not` and `all` becomes EXISTS in a filter.

use async_graphql::indexmap::IndexMap;
use async_graphql::{Name, Pos, Value as ConstValue};

use super::Fault;
use super::catalog::{Field, FieldKind, Scalar, Target};
use super::lower::{Lowering, Row, any_of, fault, term_of_id};
use crate::model::{Literal, NamedNode, Term, Value, xsd};
use crate::plan::{Expression, Function, LogicalPlan, Slot, Variable};

/// A variable's value may nest as deep as its sender likes.
const DEPTH_MAX: usize = 24;

type Entries = IndexMap<Name, ConstValue>;

/// A condition on one literal field: operators that one value must satisfy, and whether any value
/// is there at all.
struct LiteralCondition {
    operators: Vec<(String, ConstValue)>,
    exists: Option<bool>,
}

impl<'a> Lowering<'a> {
    /// Keeps the rows of `row` whose `node` satisfies a `where`.
    pub(super) fn restrict(
        &mut self,
        row: &mut Row,
        node: Variable,
        target: Target,
        condition: &ConstValue,
        position: Pos,
        depth: usize,
    ) -> Result<(), Fault> {
        for (name, value) in entries(condition, position, depth)? {
            match (name.as_str(), value) {
                (_, ConstValue::Null) | ("exists", ConstValue::Boolean(true)) => {}
                ("and", value) => {
                    for condition in items(value) {
                        self.restrict(row, node, target, condition, position, depth + 1)?;
                    }
                }
                ("or" | "not" | "id" | "exists", _) => {
                    let condition = self.entry(node, target, name, value, position, depth)?;
                    filter(row, condition);
                }
                (_, value) => {
                    let field = self.field_named(target, name, position)?;
                    match &field.kind {
                        FieldKind::Literal { is_list, .. } => {
                            self.restrict_literal(row, node, field, *is_list, value, position)?;
                        }
                        FieldKind::Relation { target, is_list: false, .. } if !asks_absence(value) => {
                            let other = self.variables.named(name.as_str());
                            row.join(self.hop(&Slot::Variable(node), &field.predicate, other, false));
                            row.bound.insert((node, field.predicate.clone()), other);
                            self.restrict(row, other, *target, value, position, depth + 1)?;
                        }
                        FieldKind::Relation { target, is_inverse, .. } => {
                            let related = (field, *target, *is_inverse);
                            self.restrict_related(row, node, related, value, position, depth)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn restrict_literal(
        &mut self,
        row: &mut Row,
        node: Variable,
        field: &Field,
        is_list: bool,
        condition: &ConstValue,
        position: Pos,
    ) -> Result<(), Fault> {
        let LiteralCondition { mut operators, exists } = literal_condition(condition, position)?;
        let known = row.bound.get(&(node, field.predicate.clone())).copied();
        if known.is_none()
            && let Some(place) = operators.iter().position(|(name, _)| name == "eq")
            && let Some(term) = exact_term(field, &operators[place].1)
        {
            // One term is the whole answer, so the pattern itself can hold it.
            operators.remove(place);
            row.join(self.literal_scan(node, field, Slot::Constant(term)));
        }
        if exists == Some(false) {
            let value = self.variables.fresh();
            let right = self.literal_scan(node, field, Slot::Variable(value));
            row.update(|left| LogicalPlan::AntiJoin { left, right: Box::new(right) });
        }
        if operators.is_empty() && exists != Some(true) {
            return Ok(());
        }
        let value = known.unwrap_or_else(|| self.variables.named(local_name(&field.predicate)));
        let condition = self.operators(value, field, &operators, position)?;
        if is_list {
            let scan = self.literal_scan(node, field, Slot::Variable(value));
            let right = Box::new(filtered(scan, condition));
            row.update(|left| LogicalPlan::SemiJoin { left, right });
            return Ok(());
        }
        if known.is_none() {
            row.join(self.literal_scan(node, field, Slot::Variable(value)));
            row.bound.insert((node, field.predicate.clone()), value);
        }
        if let Some(condition) = condition {
            filter(row, condition);
        }
        Ok(())
    }

    fn restrict_related(
        &mut self,
        row: &mut Row,
        node: Variable,
        (field, target, is_inverse): (&Field, Target, bool),
        condition: &ConstValue,
        position: Pos,
        depth: usize,
    ) -> Result<(), Fault> {
        for (name, value) in entries(condition, position, depth)? {
            let other = self.variables.fresh();
            let mut related = Row::new(self.hop(&Slot::Variable(node), &field.predicate, other, is_inverse));
            let keeps = match (name.as_str(), value) {
                (_, ConstValue::Null) => continue,
                ("exists", ConstValue::Boolean(exists)) => *exists,
                ("some", value) => {
                    self.restrict(&mut related, other, target, value, position, depth + 1)?;
                    true
                }
                ("none", value) => {
                    self.restrict(&mut related, other, target, value, position, depth + 1)?;
                    false
                }
                ("all", value) => {
                    let condition = self.condition(other, target, value, position, depth + 1)?;
                    filter(&mut related, fails(condition));
                    false
                }
                (name, _) => return Err(fault(position, format!("unknown condition '{name}' on a list"))),
            };
            let right = Box::new(related.plan);
            row.update(|left| {
                if keeps {
                    LogicalPlan::SemiJoin { left, right }
                } else {
                    LogicalPlan::AntiJoin { left, right }
                }
            });
        }
        Ok(())
    }

    /// Returns a `where` as a condition on `node`; true or false, never undefined.
    fn condition(
        &mut self,
        node: Variable,
        target: Target,
        condition: &ConstValue,
        position: Pos,
        depth: usize,
    ) -> Result<Expression, Fault> {
        let mut all = Vec::new();
        for (name, value) in entries(condition, position, depth)? {
            if *value != ConstValue::Null {
                all.push(self.entry(node, target, name, value, position, depth)?);
            }
        }
        Ok(all_of(all))
    }

    fn entry(
        &mut self,
        node: Variable,
        target: Target,
        name: &str,
        value: &ConstValue,
        position: Pos,
        depth: usize,
    ) -> Result<Expression, Fault> {
        match name {
            "and" | "or" => {
                let mut conditions = Vec::new();
                for item in items(value) {
                    conditions.push(self.condition(node, target, item, position, depth + 1)?);
                }
                Ok(if name == "and" { all_of(conditions) } else { any_of(conditions) })
            }
            "not" => Ok(not(self.condition(node, target, value, position, depth + 1)?)),
            "id" => id_condition(node, value, position, depth),
            // Whatever a condition is on is there.
            "exists" => Ok(Expression::Constant(Value::Boolean(*value == ConstValue::Boolean(true)))),
            _ => {
                let field = self.field_named(target, name, position)?;
                match &field.kind {
                    FieldKind::Literal { .. } => self.literal_condition(node, field, value, position),
                    FieldKind::Relation { target, is_list: false, .. } if !asks_absence(value) => {
                        self.related(node, (field, *target, false), Some(value), position, depth)
                    }
                    FieldKind::Relation { target, is_inverse, .. } => {
                        let related = (field, *target, *is_inverse);
                        self.list_condition(node, related, value, position, depth)
                    }
                }
            }
        }
    }

    fn literal_condition(
        &mut self,
        node: Variable,
        field: &Field,
        condition: &ConstValue,
        position: Pos,
    ) -> Result<Expression, Fault> {
        let LiteralCondition { operators, exists } = literal_condition(condition, position)?;
        let mut all = Vec::new();
        if !operators.is_empty() || exists == Some(true) {
            let value = self.variables.fresh();
            let condition = self.operators(value, field, &operators, position)?;
            let scan = filtered(self.literal_scan(node, field, Slot::Variable(value)), condition);
            all.push(Expression::Exists(Box::new(scan)));
        }
        if exists == Some(false) {
            let value = self.variables.fresh();
            let scan = self.literal_scan(node, field, Slot::Variable(value));
            all.push(not(Expression::Exists(Box::new(scan))));
        }
        Ok(all_of(all))
    }

    fn list_condition(
        &mut self,
        node: Variable,
        related: (&Field, Target, bool),
        condition: &ConstValue,
        position: Pos,
        depth: usize,
    ) -> Result<Expression, Fault> {
        let mut all = Vec::new();
        for (name, value) in entries(condition, position, depth)? {
            all.push(match (name.as_str(), value) {
                (_, ConstValue::Null) => continue,
                ("exists", ConstValue::Boolean(exists)) => {
                    let found = self.related(node, related, None, position, depth)?;
                    if *exists { found } else { not(found) }
                }
                ("some", value) => self.related(node, related, Some(value), position, depth)?,
                ("none", value) => not(self.related(node, related, Some(value), position, depth)?),
                ("all", value) => {
                    let (field, target, is_inverse) = related;
                    let other = self.variables.fresh();
                    let condition = self.condition(other, target, value, position, depth + 1)?;
                    let hop = self.hop(&Slot::Variable(node), &field.predicate, other, is_inverse);
                    not(Expression::Exists(Box::new(filtered(hop, Some(fails(condition))))))
                }
                (name, _) => return Err(fault(position, format!("unknown condition '{name}' on a list"))),
            });
        }
        Ok(all_of(all))
    }

    /// Returns whether some related object satisfies `condition`.
    fn related(
        &mut self,
        node: Variable,
        (field, target, is_inverse): (&Field, Target, bool),
        condition: Option<&ConstValue>,
        position: Pos,
        depth: usize,
    ) -> Result<Expression, Fault> {
        let other = self.variables.fresh();
        let hop = self.hop(&Slot::Variable(node), &field.predicate, other, is_inverse);
        let condition = match condition {
            Some(value) => Some(self.condition(other, target, value, position, depth + 1)?),
            None => None,
        };
        Ok(Expression::Exists(Box::new(filtered(hop, condition))))
    }

    fn literal_scan(&self, node: Variable, field: &Field, value: Slot) -> LogicalPlan {
        let predicate = Slot::Constant(field.predicate.clone().into());
        self.scan(Slot::Variable(node), predicate, value)
    }

    fn field_named(&self, target: Target, name: &str, position: Pos) -> Result<&'a Field, Fault> {
        let field = match target {
            Target::Type(place) => self.catalog.types[place].fields.get(name),
            Target::Node => None,
        };
        field.ok_or_else(|| fault(position, format!("unknown field '{name}' in 'where'")))
    }

    /// Returns the conjunction of operators on a value, if there are any.
    fn operators(
        &mut self,
        value: Variable,
        field: &Field,
        operators: &[(String, ConstValue)],
        position: Pos,
    ) -> Result<Option<Expression>, Fault> {
        let all: Result<Vec<Expression>, Fault> =
            operators.iter().map(|(name, operand)| operator(value, field, name, operand, position)).collect();
        let all = all?;
        Ok((!all.is_empty()).then(|| all_of(all)))
    }
}

/// Returns one operator on a value as an expression.
fn operator(
    value: Variable,
    field: &Field,
    name: &str,
    operand: &ConstValue,
    position: Pos,
) -> Result<Expression, Fault> {
    let (scalar, datatypes) = match &field.kind {
        FieldKind::Literal { scalar, datatypes, .. } => (*scalar, datatypes.as_slice()),
        FieldKind::Relation { .. } => (Scalar::Literal, [].as_slice()),
    };
    let is_string = |datatype: &NamedNode| datatype.as_ref() == xsd::STRING;
    // A string with a language equals no string without; people who filter mean the text.
    let left = if scalar == Scalar::String && !datatypes.iter().all(is_string) {
        Expression::call(Function::Str, [value.into()])
    } else {
        Expression::Variable(value)
    };
    let one = || literal(scalar, datatypes, operand, position).map(Expression::Constant);
    let text = || match operand {
        ConstValue::String(text) => Ok(Expression::Constant(Value::String(text.clone()))),
        other => Err(fault(position, format!("'{name}' takes a string, not {other}"))),
    };
    let many = || -> Result<Vec<Expression>, Fault> {
        let items = items(operand).into_iter();
        items.map(|item| literal(scalar, datatypes, item, position).map(Expression::Constant)).collect()
    };
    let binary = |function: Function, right: Expression| Expression::call(function, [left.clone(), right]);
    let among = |candidates: Vec<Expression>| {
        let arguments: Vec<Expression> = std::iter::once(left.clone()).chain(candidates).collect();
        Expression::call(Function::SparqlIn, arguments)
    };
    Ok(match name {
        "eq" => binary(Function::SparqlEqual, one()?),
        "ne" => not(binary(Function::SparqlEqual, one()?)),
        "in" => among(many()?),
        "notIn" => not(among(many()?)),
        "lt" => binary(Function::SparqlLess, one()?),
        "lte" => binary(Function::SparqlLessOrEqual, one()?),
        "gt" => Expression::call(Function::SparqlLess, [one()?, left]),
        "gte" => Expression::call(Function::SparqlLessOrEqual, [one()?, left]),
        "contains" => binary(Function::Contains, text()?),
        "startsWith" => binary(Function::StrStarts, text()?),
        "endsWith" => binary(Function::StrEnds, text()?),
        "regex" => binary(Function::Regex, text()?),
        _ => return Err(fault(position, format!("unknown operator '{name}'"))),
    })
}

/// Returns an operand as a value of the field's type.
fn literal(
    scalar: Scalar,
    datatypes: &[NamedNode],
    operand: &ConstValue,
    position: Pos,
) -> Result<Value, Fault> {
    let mismatch = || fault(position, format!("expected a {}, found {operand}", scalar.name()));
    Ok(match (scalar, operand) {
        (Scalar::String | Scalar::Literal, ConstValue::String(text)) => Value::String(text.clone()),
        (Scalar::Boolean | Scalar::Literal, ConstValue::Boolean(value)) => Value::Boolean(*value),
        (Scalar::Int | Scalar::Float | Scalar::Literal, ConstValue::Number(number)) => {
            match (number.as_i64(), number.as_f64()) {
                (Some(value), _) => Value::Integer(value),
                (None, Some(value)) => Value::Float(value),
                (None, None) => return Err(mismatch()),
            }
        }
        (Scalar::Date | Scalar::DateTime, ConstValue::String(text)) => {
            let datatype = match (scalar, datatypes) {
                (_, [datatype, ..]) => datatype.clone(),
                (Scalar::Date, _) => xsd::DATE.into_owned(),
                _ => xsd::DATE_TIME.into_owned(),
            };
            Value::Term(Literal::new_typed_literal(text, datatype).into())
        }
        _ => return Err(mismatch()),
    })
}

/// Returns the one term that equals `operand` in this field, if there is only one.
fn exact_term(field: &Field, operand: &ConstValue) -> Option<Term> {
    let FieldKind::Literal { datatypes, .. } = &field.kind else { return None };
    let [datatype] = datatypes.as_slice() else { return None };
    match operand {
        ConstValue::String(text) if datatype.as_ref() == xsd::STRING => {
            Some(Literal::new_simple_literal(text).into())
        }
        _ => None,
    }
}

fn id_condition(
    node: Variable,
    condition: &ConstValue,
    position: Pos,
    depth: usize,
) -> Result<Expression, Fault> {
    let same = |id: &ConstValue| {
        let term = match id {
            ConstValue::String(id) => term_of_id(id),
            _ => None,
        };
        let term = term.ok_or_else(|| fault(position, format!("{id} is no id")))?;
        Ok(Expression::call(Function::SameTerm, [node.into(), Expression::Constant(Value::Term(term))]))
    };
    let any = |ids: &ConstValue| items(ids).into_iter().map(same).collect::<Result<_, _>>().map(any_of);
    let mut all = Vec::new();
    for (name, value) in entries(condition, position, depth)? {
        all.push(match (name.as_str(), value) {
            ("in" | "notIn", ConstValue::Null) => continue,
            ("eq", value) => same(value)?,
            ("ne", value) => not(same(value)?),
            ("in", value) => any(value)?,
            ("notIn", value) => not(any(value)?),
            (name, _) => return Err(fault(position, format!("unknown operator '{name}' on an id"))),
        });
    }
    Ok(all_of(all))
}

fn literal_condition(condition: &ConstValue, position: Pos) -> Result<LiteralCondition, Fault> {
    let mut result = LiteralCondition { operators: Vec::new(), exists: None };
    let ConstValue::Object(entries) = condition else {
        return Err(fault(position, format!("a condition is an object of operators, not {condition}")));
    };
    for (name, operand) in entries {
        match (name.as_str(), operand) {
            // As everywhere in GraphQL filters: equal to null is to be absent.
            ("eq", ConstValue::Null) => result.exists = Some(false),
            ("ne", ConstValue::Null) => result.exists = Some(true),
            ("exists", ConstValue::Boolean(exists)) => result.exists = Some(*exists),
            (_, ConstValue::Null) => {}
            (name, operand) => result.operators.push((name.to_owned(), operand.clone())),
        }
    }
    Ok(result)
}

/// Returns whether a condition on a relation is `{exists: false}`, the one that a single relation
/// shares with a list: what it leads to cannot be asked, since it leads nowhere.
fn asks_absence(condition: &ConstValue) -> bool {
    let ConstValue::Object(entries) = condition else { return false };
    let mut given = entries.iter().filter(|(_, value)| **value != ConstValue::Null);
    given.next().is_some_and(|(name, value)| name == "exists" && *value == ConstValue::Boolean(false))
        && given.next().is_none()
}

fn entries(condition: &ConstValue, position: Pos, depth: usize) -> Result<&Entries, Fault> {
    match condition {
        _ if depth > DEPTH_MAX => Err(fault(position, format!("'where' nests deeper than {DEPTH_MAX}"))),
        ConstValue::Object(entries) => Ok(entries),
        other => Err(fault(position, format!("expected an object of conditions, found {other}"))),
    }
}

/// Returns the items of a list; a single value is a list of one.
fn items(value: &ConstValue) -> Vec<&ConstValue> {
    match value {
        ConstValue::List(items) => items.iter().collect(),
        ConstValue::Null => Vec::new(),
        one => vec![one],
    }
}

fn local_name(iri: &NamedNode) -> &str {
    iri.as_str().rsplit(['#', '/', ':']).next().unwrap_or_default()
}

fn not(condition: Expression) -> Expression {
    Expression::call(Function::Not, [condition])
}

/// Returns whether a condition is false or undefined.
fn fails(condition: Expression) -> Expression {
    let no = Expression::Constant(Value::Boolean(false));
    not(Expression::call(Function::Coalesce, [condition, no]))
}

fn all_of(conditions: Vec<Expression>) -> Expression {
    conditions.into_iter().reduce(Expression::and).unwrap_or(Expression::Constant(Value::Boolean(true)))
}

fn filtered(input: LogicalPlan, condition: Option<Expression>) -> LogicalPlan {
    match condition {
        Some(condition) => LogicalPlan::Filter { input: Box::new(input), condition },
        None => input,
    }
}

fn filter(row: &mut Row, condition: Expression) {
    row.update(|input| LogicalPlan::Filter { input, condition });
}
