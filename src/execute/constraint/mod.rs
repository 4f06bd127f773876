//! The check of constraints: whether what a transaction leaves keeps to the rules that stand in its graph of rules.
//!
//! A transaction is checked for what it changed: for entities of which a constraint reads something that came or
//! went. Only for a constraint that is new are all looked at.

mod entity;

use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;

use self::entity::{Entities, Entity};
use super::schema_rule::{self, EntityKind, RuleKind, SchemaRule};
use super::{ExecuteError, RuntimeCode};
use crate::dataset::Dataset;
use crate::model::{GraphFilter, Literal, NamedNode, Quad, QuadPattern, TermId, TermKind, Vocabulary, xsd};

/// Of one constraint no more violations are told than this; a graph may break it everywhere.
const VIOLATIONS_MAX: usize = 1000;

/// What breaks a constraint.
pub struct Violation {
    /// Its name.
    pub constraint: String,
    pub kind: &'static str,
    pub message: String,
}

/// Checks that a dataset keeps to its constraints, of which it is known that it did before `changed` quads came or
/// went. `graph` is what constraints hold for.
///
/// # Errors
/// With the name of the constraint, and what breaks it.
pub fn check(
    dataset: &dyn Dataset,
    changed: &[Quad],
    graph: &GraphFilter,
    vocabulary: &Vocabulary,
) -> Result<(), ExecuteError> {
    let Some(own_graph) = dataset.term_id(&schema_rule::graph().into())? else { return Ok(()) };
    for (subject, rule) in SchemaRule::found_in(dataset)? {
        let Some(constraint) = Constraint::of(rule, dataset, graph, vocabulary)? else { continue };
        match changed.iter().any(|quad| quad.graph == own_graph && quad.subject == subject) {
            true => constraint.check_all()?,
            false => constraint.check_touched(changed)?,
        }
    }
    Ok(())
}

/// Returns what breaks the constraints of a dataset. Nobody asked those of the commits that a peer made.
pub fn violations(
    dataset: &dyn Dataset,
    graph: &GraphFilter,
    vocabulary: &Vocabulary,
) -> Result<Vec<Violation>, ExecuteError> {
    let mut all = Vec::new();
    for rule in SchemaRule::all(dataset)? {
        if let Some(constraint) = Constraint::of(rule, dataset, graph, vocabulary)? {
            all.extend(constraint.violations()?);
        }
    }
    Ok(all)
}

/// A rule beside the ids of what it names.
struct Constraint<'a> {
    rule: SchemaRule,
    /// `None` is a property that nothing has.
    keys: Vec<Option<TermId>>,
    entities: Entities<'a>,
    dataset: &'a dyn Dataset,
    vocabulary: &'a Vocabulary,
}

/// For each property of a constraint its literals, sorted; of those that are equal, one stands for all.
type Values = Vec<Vec<TermId>>;

/// Of the entities that were checked, one for each of their values.
type Seen = FxHashMap<Values, Entity>;

impl<'a> Constraint<'a> {
    /// Returns the constraint that a rule is; `None` if it is an index, or about what nothing is called.
    fn of(
        rule: SchemaRule,
        dataset: &'a dyn Dataset,
        graph: &'a GraphFilter,
        vocabulary: &'a Vocabulary,
    ) -> Result<Option<Constraint<'a>>, ExecuteError> {
        let id = |name: &NamedNode| dataset.term_id(&name.clone().into());
        let name = rule.labels.first().map(id).transpose()?.flatten();
        let (true, Some(name)) = (rule.kind.is_constraint(), name) else { return Ok(None) };
        let keys = rule.properties.iter().map(id).collect::<Result<Vec<_>, _>>()?;
        let entities = Entities::new(rule.entity, name, dataset, graph)?;
        Ok(Some(Constraint { rule, keys, entities, dataset, vocabulary }))
    }

    fn check_all(&self) -> Result<(), ExecuteError> {
        let mut seen = Seen::default();
        self.entities.all()?.into_iter().try_for_each(|entity| self.check_among(entity, &mut seen))
    }

    fn violations(&self) -> Result<Vec<Violation>, ExecuteError> {
        let (mut seen, mut found) = (Seen::default(), Vec::new());
        for entity in self.entities.all()? {
            let (constraint, kind) = (self.rule.name.clone(), self.rule.kind.name(self.rule.entity));
            match self.check_among(entity, &mut seen) {
                Err(ExecuteError::Runtime { message, .. }) => {
                    found.push(Violation { constraint, kind, message })
                }
                result => result?,
            }
            if found.len() == VIOLATIONS_MAX {
                break;
            }
        }
        Ok(found)
    }

    /// Checks an entity beside those that were seen before it.
    fn check_among(&self, entity: Entity, seen: &mut Seen) -> Result<(), ExecuteError> {
        let Some(values) = self.compared_values(entity)? else { return Ok(()) };
        match seen.entry(values) {
            Entry::Vacant(entry) => {
                entry.insert(entity);
                Ok(())
            }
            Entry::Occupied(entry) => self.refuse_twins(entity, *entry.get(), entry.key()),
        }
    }

    fn check_touched(&self, changed: &[Quad]) -> Result<(), ExecuteError> {
        let keys: Vec<TermId> = self.keys.iter().copied().flatten().collect();
        for entity in self.entities.touched(changed, &keys)? {
            let Some(values) = self.compared_values(entity)? else { continue };
            if let Some(twin) = self.twin(entity, &keys, &values)? {
                return self.refuse_twins(entity, twin, &values);
            }
        }
        Ok(())
    }

    /// Checks that an entity has what it must have, and returns its values if no other may have the same.
    fn compared_values(&self, entity: Entity) -> Result<Option<Values>, ExecuteError> {
        let values = self.values(entity)?;
        match values.iter().position(Vec::is_empty) {
            Some(_) if self.rule.kind == RuleKind::Uniqueness => Ok(None),
            Some(missing) => {
                let key = self.vocabulary.name(self.rule.properties[missing].as_str());
                self.refuse(entity, &format!("has no property '{key}'"))
            }
            None => Ok(self.rule.kind.is_unique().then_some(values)),
        }
    }

    fn values(&self, entity: Entity) -> Result<Values, ExecuteError> {
        let literals = |key: &Option<TermId>| match (entity.holder(), key) {
            (Some(holder), Some(key)) => self.literals(holder, *key),
            _ => Ok(Vec::new()),
        };
        self.keys.iter().map(literals).collect()
    }

    fn literals(&self, holder: TermId, key: TermId) -> Result<Vec<TermId>, ExecuteError> {
        let is_literal =
            |id: &TermId| !matches!(id.kind(), TermKind::NamedNode | TermKind::BlankNode | TermKind::Triple);
        let mut literals = self.entities.column(Some(holder), Some(key), None, 2)?;
        literals.retain(is_literal);
        literals.iter_mut().for_each(|id| *id = equals(*id)[0]);
        literals.sort_unstable();
        literals.dedup();
        Ok(literals)
    }

    /// Returns another entity whose properties have these values. Looks among those that share the rarest of them.
    fn twin(&self, entity: Entity, keys: &[TermId], values: &Values) -> Result<Option<Entity>, ExecuteError> {
        let mut rarest: Option<(u64, Vec<QuadPattern>)> = None;
        for (key, values) in keys.iter().zip(values) {
            let patterns = values.first().map(|value| self.having(*key, *value)).unwrap_or_default();
            let mut count = 0;
            for pattern in &patterns {
                count += self.dataset.estimate(pattern)?;
            }
            if rarest.as_ref().is_none_or(|(known, _)| count < *known) {
                rarest = Some((count, patterns));
            }
        }
        for pattern in rarest.into_iter().flat_map(|(_, patterns)| patterns) {
            for holder in self.entities.column(None, pattern.predicate, pattern.object, 0)? {
                for other in self.entities.held_by(holder)? {
                    if other != entity && self.values(other)? == *values {
                        return Ok(Some(other));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Returns the patterns of what has a value, or one that equals it.
    fn having(&self, key: TermId, value: TermId) -> Vec<QuadPattern> {
        let graph = || self.entities.graph().clone();
        let pattern = |object| QuadPattern {
            subject: None,
            predicate: Some(key),
            object: Some(object),
            graph: graph(),
        };
        equals(value).into_iter().map(pattern).collect()
    }

    fn refuse_twins(&self, entity: Entity, twin: Entity, values: &Values) -> Result<(), ExecuteError> {
        let (other, values) = (self.shown(twin)?, self.shown_values(values)?);
        self.refuse(entity, &format!("and {other} have the same values: {values}"))
    }

    fn refuse<T>(&self, entity: Entity, why: &str) -> Result<T, ExecuteError> {
        let what = match self.rule.entity {
            EntityKind::Node => "node",
            EntityKind::Relationship => "relationship",
        };
        let message = format!(
            "the constraint '{}' on {} is broken: the {what} {} {why}",
            self.rule.name,
            self.rule.pattern(self.vocabulary),
            self.shown(entity)?
        );
        Err(ExecuteError::runtime(RuntimeCode::ConstraintVerificationFailed, "ConstraintValidation", message))
    }

    fn shown(&self, entity: Entity) -> Result<String, ExecuteError> {
        Ok(match entity {
            Entity::Node(node) => self.dataset.term(node)?.to_string(),
            Entity::Relationship { start, end, .. } => {
                let name = self.rule.labels.first().map(|name| self.vocabulary.name(name.as_str()));
                let (start, end) = (self.dataset.term(start)?, self.dataset.term(end)?);
                format!("({start})-[:{}]->({end})", name.unwrap_or_default())
            }
        })
    }

    fn shown_values(&self, values: &Values) -> Result<String, ExecuteError> {
        let mut shown = Vec::new();
        for id in values.iter().flatten() {
            shown.push(match id.to_literal() {
                Some(literal) => literal.value().to_owned(),
                None => self.dataset.term(*id)?.to_string(),
            });
        }
        Ok(shown.join(", "))
    }
}

/// Returns the ids of the literals that Cypher finds equal to one, itself among them: a number may be an integer, a
/// float or a decimal. The first is the same for all of them.
fn equals(id: TermId) -> Vec<TermId> {
    let is_number = matches!(id.kind(), TermKind::Integer | TermKind::Decimal | TermKind::Double);
    let value = id.to_literal().and_then(|literal| literal.value().parse::<f64>().ok());
    match value {
        Some(value) if is_number && value.trunc() == value && value.abs() < (1_i64 << 53) as f64 => {
            let whole = value as i64;
            let decimal = Literal::new_typed_literal(whole.to_string(), xsd::DECIMAL);
            let numbers = [Literal::from(whole), Literal::from(whole as f64), decimal];
            let mut all: Vec<TermId> = numbers.iter().filter_map(TermId::inline).collect();
            // Negative zero is another id than any of these.
            if !all.contains(&id) {
                all.push(id);
            }
            all
        }
        _ => vec![id],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_are_found_whatever_their_type() {
        let id = |literal: Literal| TermId::inline(&literal).unwrap();
        let numbers = [
            id(Literal::from(1_i64)),
            id(Literal::from(1.0_f64)),
            id(Literal::new_typed_literal("1", xsd::DECIMAL)),
        ];
        for number in numbers {
            assert_eq!(equals(number), equals(numbers[0]));
            assert!(numbers.iter().all(|other| equals(number).contains(other)));
        }
        assert_eq!(equals(id(Literal::from(1.5_f64))).len(), 1);
    }
}
