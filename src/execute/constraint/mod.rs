//! The check of constraints: whether what a transaction leaves keeps to the rules that stand in its graph of rules.

use std::collections::BTreeSet;

use super::schema_rule::{self, RuleKind, SchemaRule};
use super::{ExecuteError, RuntimeCode};
use crate::dataset::Dataset;
use crate::model::{
    GraphFilter, Literal, NamedNode, Quad, QuadPattern, TermId, TermKind, Vocabulary, rdf, xsd,
};

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
    let rules: Vec<SchemaRule> =
        SchemaRule::all(dataset)?.into_iter().filter(|rule| rule.kind.is_constraint()).collect();
    let Some(rdf_type) = dataset.term_id(&rdf::TYPE.into_owned().into())? else { return Ok(()) };
    let is_new = changed.iter().any(|quad| quad.graph == own_graph);
    let touched: BTreeSet<TermId> =
        changed.iter().filter(|quad| graph.contains(quad.graph)).map(|quad| quad.subject).collect();
    let checker = Checker { dataset, graph, rdf_type, vocabulary };
    for rule in &rules {
        checker.check(rule, if is_new { None } else { Some(&touched) })?;
    }
    Ok(())
}

struct Checker<'a> {
    dataset: &'a dyn Dataset,
    graph: &'a GraphFilter,
    rdf_type: TermId,
    vocabulary: &'a Vocabulary,
}

impl Checker<'_> {
    /// Checks these nodes, or all.
    fn check(&self, rule: &SchemaRule, touched: Option<&BTreeSet<TermId>>) -> Result<(), ExecuteError> {
        let id = |name: &NamedNode| self.dataset.term_id(&name.clone().into());
        let Some(label) = rule.labels.first().map(id).transpose()?.flatten() else { return Ok(()) };
        let keys = rule.properties.iter().map(id).collect::<Result<Vec<_>, _>>()?;
        let nodes: Vec<TermId> = match touched {
            Some(touched) => {
                let mut nodes = Vec::new();
                for node in touched {
                    if self.has_label(*node, label)? {
                        nodes.push(*node);
                    }
                }
                nodes
            }
            None => self.column(None, Some(self.rdf_type), Some(label), 0)?,
        };
        for node in nodes {
            self.check_node(rule, label, &keys, node)?;
        }
        Ok(())
    }

    fn check_node(
        &self,
        rule: &SchemaRule,
        label: TermId,
        keys: &[Option<TermId>],
        node: TermId,
    ) -> Result<(), ExecuteError> {
        let mut values = Vec::new();
        for key in keys {
            values.push(match key {
                Some(key) => self.literals(node, *key)?,
                None => Vec::new(),
            });
        }
        if let Some(missing) = values.iter().position(Vec::is_empty) {
            if rule.kind == RuleKind::Uniqueness {
                return Ok(());
            }
            let key = self.vocabulary.name(rule.properties[missing].as_str());
            return self.violated(rule, node, &format!("has no property '{key}'"));
        }
        if !rule.kind.is_unique() {
            return Ok(());
        }
        let keys: Vec<TermId> = keys.iter().copied().flatten().collect();
        let Some(twin) = self.twin(node, label, &keys, &values)? else { return Ok(()) };
        let (shown, other) = (self.shown(&values)?, self.dataset.term(twin)?);
        self.violated(rule, node, &format!("and {other} have the same values: {shown}"))
    }

    /// Returns another node of the label whose properties have these values.
    fn twin(
        &self,
        node: TermId,
        label: TermId,
        keys: &[TermId],
        values: &[Vec<TermId>],
    ) -> Result<Option<TermId>, ExecuteError> {
        let (Some(key), Some(first)) = (keys.first(), values.first().and_then(|values| values.first()))
        else {
            return Ok(None);
        };
        for value in equals(*first) {
            for other in self.column(None, Some(*key), Some(value), 0)? {
                if other == node || !self.has_label(other, label)? {
                    continue;
                }
                let mut is_twin = true;
                for (key, own) in keys.iter().zip(values) {
                    let others = self.literals(other, *key)?;
                    is_twin &= own.len() == others.len()
                        && own.iter().all(|value| equals(*value).iter().any(|equal| others.contains(equal)));
                }
                if is_twin {
                    return Ok(Some(other));
                }
            }
        }
        Ok(None)
    }

    fn violated(&self, rule: &SchemaRule, node: TermId, why: &str) -> Result<(), ExecuteError> {
        let node = self.dataset.term(node)?;
        let message = format!(
            "the constraint '{}' on {} is broken: the node {node} {why}",
            rule.name,
            rule.pattern(self.vocabulary)
        );
        Err(ExecuteError::runtime(RuntimeCode::ConstraintVerificationFailed, "ConstraintValidation", message))
    }

    fn shown(&self, values: &[Vec<TermId>]) -> Result<String, ExecuteError> {
        let ids: Vec<TermId> = values.iter().flatten().copied().collect();
        let mut terms = Vec::new();
        for id in ids {
            terms.push(match id.to_literal() {
                Some(literal) => literal.value().to_owned(),
                None => self.dataset.term(id)?.to_string(),
            });
        }
        Ok(terms.join(", "))
    }

    fn has_label(&self, node: TermId, label: TermId) -> Result<bool, ExecuteError> {
        Ok(!self.column(Some(node), Some(self.rdf_type), Some(label), 0)?.is_empty())
    }

    /// Returns the literals of a property, sorted.
    fn literals(&self, node: TermId, key: TermId) -> Result<Vec<TermId>, ExecuteError> {
        let is_literal =
            |id: &TermId| !matches!(id.kind(), TermKind::NamedNode | TermKind::BlankNode | TermKind::Triple);
        let mut literals = self.column(Some(node), Some(key), None, 2)?;
        literals.retain(is_literal);
        Ok(literals)
    }

    /// Returns the distinct ids at one place of the quads of a pattern.
    fn column(
        &self,
        subject: Option<TermId>,
        predicate: Option<TermId>,
        object: Option<TermId>,
        place: usize,
    ) -> Result<Vec<TermId>, ExecuteError> {
        let pattern = QuadPattern { subject, predicate, object, graph: self.graph.clone() };
        let permutation = self.dataset.permutations().best_for(&pattern);
        let mut scan = self.dataset.scan(&pattern, permutation)?;
        let mut found = Vec::new();
        while let Some(batch) = scan.next_batch()? {
            found.extend_from_slice(batch.column(place));
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }
}

/// Returns the ids of the literals that Cypher finds equal to one: a number may be an integer or a float.
fn equals(id: TermId) -> Vec<TermId> {
    let mut all = vec![id];
    let Some(literal) = id.to_literal() else { return all };
    if matches!(id.kind(), TermKind::Integer | TermKind::Decimal | TermKind::Double)
        && let Ok(value) = literal.value().parse::<f64>()
    {
        let whole = value.trunc() == value && value.abs() < (1_i64 << 53) as f64;
        let other = match id.kind() {
            TermKind::Integer if whole => TermId::inline(&Literal::from(value)),
            TermKind::Double if whole => TermId::inline(&Literal::from(value as i64)),
            _ => None,
        };
        let decimal = whole.then(|| Literal::new_typed_literal(format!("{}", value as i64), xsd::DECIMAL));
        all.extend(other);
        all.extend(decimal.and_then(|literal| TermId::inline(&literal)).filter(|decimal| *decimal != id));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_are_found_whatever_their_type() {
        let id = |literal: Literal| TermId::inline(&literal).unwrap();
        let (one, float) = (id(Literal::from(1_i64)), id(Literal::from(1.0_f64)));
        assert!(equals(one).contains(&float) && equals(float).contains(&one));
        assert_eq!(equals(id(Literal::from(1.5_f64))).len(), 1);
    }
}
