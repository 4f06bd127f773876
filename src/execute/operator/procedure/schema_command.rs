//! CREATE and DROP of constraints and indexes.

use crate::execute::expression;
use crate::execute::schema_rule::{self, EntityKind, RuleKind, SchemaRule};
use crate::execute::writer::Writer;
use crate::execute::{Context, ExecuteError, RuntimeCode};
use crate::model::{Quad, Term, TermId, Value};

/// Takes (name or null, whether it may be there already, kind, entity, labels, keys).
pub fn create(arguments: &[TermId], writer: &mut Writer, context: &Context) -> Result<(), ExecuteError> {
    let values = expression::values_of_ids(arguments, context)?;
    let [name, may_exist, kind, entity, labels, keys] = values.as_slice() else { return Err(malformed()) };
    let (Value::String(kind), Value::String(entity)) = (kind, entity) else { return Err(malformed()) };
    let iris = |names: &Value| match names {
        Value::List(names) => {
            Ok(names.iter().filter_map(text).map(|name| context.vocabulary.iri(name)).collect())
        }
        _ => Err(malformed()),
    };
    let entity = EntityKind::of(entity).ok_or_else(malformed)?;
    let mut rule = SchemaRule {
        name: String::new(),
        kind: RuleKind::of(kind, entity).ok_or_else(malformed)?,
        entity,
        labels: iris(labels)?,
        properties: iris(keys)?,
    };
    rule.name = match text(name) {
        Some(name) => name.to_owned(),
        None => usual_name(&rule),
    };
    let rules = SchemaRule::all(&*context.dataset)?;
    let known = rules.iter().find(|known| known.name == rule.name || known.is_equivalent(&rule));
    if let Some(known) = known {
        return match may_exist {
            Value::Boolean(true) => Ok(()),
            _ => refuse(
                "SchemaRuleAlreadyExists",
                format!("there is '{}' already, which asks for the same or bears the name", known.name),
            ),
        };
    }
    for quad in quads(&rule, writer)? {
        writer.insert(quad)?;
    }
    match rule.kind.is_constraint() {
        true => writer.summary.constraints_added += 1,
        false => writer.summary.indexes_added += 1,
    }
    Ok(())
}

/// Takes (name, whether it may be absent, whether it is a constraint).
pub fn drop(arguments: &[TermId], writer: &mut Writer, context: &Context) -> Result<(), ExecuteError> {
    let values = expression::values_of_ids(arguments, context)?;
    let [Value::String(name), may_be_absent, is_constraint] = values.as_slice() else {
        return Err(malformed());
    };
    let wanted = *is_constraint == Value::Boolean(true);
    let rules = SchemaRule::all(&*context.dataset)?;
    let rule = rules.iter().find(|rule| rule.name == *name && rule.kind.is_constraint() == wanted);
    let Some(rule) = rule else {
        let what = if wanted { "constraint" } else { "index" };
        return match may_be_absent {
            Value::Boolean(true) => Ok(()),
            _ => refuse("SchemaRuleNotFound", format!("there is no {what} '{name}'")),
        };
    };
    for quad in quads(rule, writer)? {
        writer.remove(quad)?;
    }
    match wanted {
        true => writer.summary.constraints_removed += 1,
        false => writer.summary.indexes_removed += 1,
    }
    Ok(())
}

fn quads(rule: &SchemaRule, writer: &Writer) -> Result<Vec<Quad>, ExecuteError> {
    let graph = writer.intern(&Term::from(schema_rule::graph()))?;
    let quad = |[subject, predicate, object]: [Term; 3]| {
        Ok(Quad {
            subject: writer.intern(&subject)?,
            predicate: writer.intern(&predicate)?,
            object: writer.intern(&object)?,
            graph,
        })
    };
    rule.triples().into_iter().map(quad).collect()
}

/// Returns the name of a rule that is given none: the same for the same rule.
fn usual_name(rule: &SchemaRule) -> String {
    let what = if rule.kind.is_constraint() { "constraint" } else { "index" };
    let hash = blake3::hash(format!("{:?}", rule.triples()).as_bytes());
    format!("{what}_{}", &hash.to_hex()[..8])
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn malformed() -> ExecuteError {
    ExecuteError::Plan("a schema command with other arguments than it takes".to_owned())
}

fn refuse(detail: &'static str, message: String) -> Result<(), ExecuteError> {
    Err(ExecuteError::runtime(RuntimeCode::ConstraintVerificationFailed, detail, message))
}
