//! `SchemaRule`: a constraint or an index. Rules are quads of a graph of their own, so that they have versions,
//! branches and peers as the data has.
//!
//! | quad, of the graph `pg:schema` | says |
//! |---|---|
//! | `r pg:name "..."` | its name |
//! | `r pg:kind "..."` | its kind, under Neo4j's name |
//! | `r pg:entity "..."` | `NODE` or `RELATIONSHIP` |
//! | `r pg:labels "..."` | the IRIs of the labels or types that it is about, by spaces |
//! | `r pg:properties "..."` | the IRIs of its properties, in order, by spaces |
//!
//! Constraints hold for the graph that Cypher reads unless it is told otherwise, once a transaction ends.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{ExecuteError, RuntimeCode};
use crate::dataset::{Dataset, DatasetError};
use crate::model::{
    GraphFilter, Literal, NamedNode, Permutation, Quad, QuadPattern, Term, TermId, TermKind, Vocabulary, pg,
    rdf, xsd,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaRule {
    pub name: String,
    pub kind: RuleKind,
    /// `NODE` or `RELATIONSHIP`.
    pub entity: String,
    pub labels: Vec<NamedNode>,
    pub properties: Vec<NamedNode>,
}

/// What a rule asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// No two nodes of the label have the same values.
    Uniqueness,
    /// Each node of the label has the properties.
    Existence,
    /// Both.
    Key,
    Index(IndexKind),
}

/// What an index is made for. All but the last two are there already: quads are stored in several orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexKind {
    Range,
    Text,
    Point,
    Lookup,
    Fulltext,
    Vector,
}

impl IndexKind {
    /// Returns whether the order of stored quads serves what the index is for.
    pub fn is_built_in(self) -> bool {
        !matches!(self, IndexKind::Fulltext | IndexKind::Vector)
    }
}

impl RuleKind {
    const ALL: [RuleKind; 9] = [
        RuleKind::Uniqueness,
        RuleKind::Existence,
        RuleKind::Key,
        RuleKind::Index(IndexKind::Range),
        RuleKind::Index(IndexKind::Text),
        RuleKind::Index(IndexKind::Point),
        RuleKind::Index(IndexKind::Lookup),
        RuleKind::Index(IndexKind::Fulltext),
        RuleKind::Index(IndexKind::Vector),
    ];

    /// Returns Neo4j's name, as SHOW has it.
    pub fn name(self) -> &'static str {
        match self {
            RuleKind::Uniqueness => "UNIQUENESS",
            RuleKind::Existence => "NODE_PROPERTY_EXISTENCE",
            RuleKind::Key => "NODE_KEY",
            RuleKind::Index(IndexKind::Range) => "RANGE",
            RuleKind::Index(IndexKind::Text) => "TEXT",
            RuleKind::Index(IndexKind::Point) => "POINT",
            RuleKind::Index(IndexKind::Lookup) => "LOOKUP",
            RuleKind::Index(IndexKind::Fulltext) => "FULLTEXT",
            RuleKind::Index(IndexKind::Vector) => "VECTOR",
        }
    }

    pub fn of(name: &str) -> Option<RuleKind> {
        RuleKind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub fn is_constraint(self) -> bool {
        !matches!(self, RuleKind::Index(_))
    }

    fn is_unique(self) -> bool {
        matches!(self, RuleKind::Uniqueness | RuleKind::Key)
    }
}

/// The graph that rules stand in.
pub fn graph() -> NamedNode {
    pg_name("schema")
}

fn pg_name(name: &str) -> NamedNode {
    NamedNode::new_unchecked(format!("{}{name}", pg::NAMESPACE))
}

impl SchemaRule {
    /// Returns the rules of a dataset, by name.
    pub fn all(dataset: &dyn Dataset) -> Result<Vec<SchemaRule>, DatasetError> {
        let Some(graph) = dataset.term_id(&graph().into())? else { return Ok(Vec::new()) };
        let pattern = QuadPattern { graph: GraphFilter::One(graph), ..QuadPattern::default() };
        let mut facts: BTreeMap<TermId, BTreeMap<String, String>> = BTreeMap::new();
        let mut scan = dataset.scan(&pattern, Permutation::Spo)?;
        while let Some(batch) = scan.next_batch()? {
            let predicates = dataset.terms(batch.column(1))?;
            let objects = dataset.terms(batch.column(2))?;
            for (subject, (predicate, object)) in
                batch.column(0).iter().zip(predicates.into_iter().zip(objects))
            {
                if let (Term::NamedNode(predicate), Term::Literal(object)) = (predicate, object) {
                    facts
                        .entry(*subject)
                        .or_default()
                        .insert(predicate.into_string(), object.value().to_owned());
                }
            }
        }
        // What is no rule, whoever wrote it, is left alone.
        let mut rules: Vec<SchemaRule> = facts.values().filter_map(SchemaRule::of_facts).collect();
        rules.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(rules)
    }

    fn of_facts(facts: &BTreeMap<String, String>) -> Option<SchemaRule> {
        let fact = |name: &str| facts.get(pg_name(name).as_str());
        let iris = |name: &str| -> Option<Vec<NamedNode>> {
            fact(name)?.split_ascii_whitespace().map(|iri| NamedNode::new(iri).ok()).collect()
        };
        Some(SchemaRule {
            name: fact("name")?.clone(),
            kind: RuleKind::of(fact("kind")?)?,
            entity: fact("entity")?.clone(),
            labels: iris("labels")?,
            properties: iris("properties")?,
        })
    }

    /// Returns the triples that a rule is.
    pub fn triples(&self) -> Vec<[Term; 3]> {
        let subject: Term =
            pg_name(&format!("rule/{}", utf8_percent_encode(&self.name, NON_ALPHANUMERIC))).into();
        let joined = |iris: &[NamedNode]| iris.iter().map(NamedNode::as_str).collect::<Vec<_>>().join(" ");
        let texts = [
            ("name", self.name.clone()),
            ("kind", self.kind.name().to_owned()),
            ("entity", self.entity.clone()),
            ("labels", joined(&self.labels)),
            ("properties", joined(&self.properties)),
        ];
        // Without a class: what is derived from classes, such as GraphQL's schema, is about the data.
        let facts = texts.into_iter().map(|(name, text)| {
            [subject.clone(), pg_name(name).into(), Literal::new_simple_literal(text).into()]
        });
        facts.collect()
    }

    /// Returns whether two rules ask for the same, under whatever names.
    pub fn is_equivalent(&self, other: &SchemaRule) -> bool {
        let meaning = |rule: &SchemaRule| {
            (rule.kind, rule.entity.clone(), rule.labels.clone(), rule.properties.clone())
        };
        meaning(self) == meaning(other)
    }

    /// Returns the rule as messages have it, such as `(:Person {id, name})`.
    fn pattern(&self, vocabulary: &Vocabulary) -> String {
        let labels: Vec<String> = self.labels.iter().map(|label| vocabulary.name(label.as_str())).collect();
        let keys: Vec<String> = self.properties.iter().map(|key| vocabulary.name(key.as_str())).collect();
        format!("(:{} {{{}}})", labels.join("|"), keys.join(", "))
    }
}

/// Returns whether a dataset may have rules: whether it knows the name of the graph that they stand in.
pub fn may_be_in(dataset: &dyn Dataset) -> Result<bool, DatasetError> {
    Ok(dataset.term_id(&graph().into())?.is_some())
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
    let Some(own_graph) = dataset.term_id(&self::graph().into())? else { return Ok(()) };
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
    fn rules_read_as_they_were_written() {
        for kind in RuleKind::ALL {
            assert_eq!(RuleKind::of(kind.name()), Some(kind));
            let rule = SchemaRule {
                name: "two words/ø".to_owned(),
                kind,
                entity: "NODE".to_owned(),
                labels: vec![NamedNode::new_unchecked("http://x/L")],
                properties: vec![
                    NamedNode::new_unchecked("http://x/b"),
                    NamedNode::new_unchecked("http://x/a"),
                ],
            };
            let text = |term: &Term| match term {
                Term::Literal(literal) => Some(literal.value().to_owned()),
                _ => None,
            };
            let facts = rule.triples().into_iter().filter_map(|[_, predicate, object]| {
                let Term::NamedNode(predicate) = predicate else { return None };
                Some((predicate.into_string(), text(&object)?))
            });
            assert_eq!(SchemaRule::of_facts(&facts.collect()), Some(rule));
        }
    }

    #[test]
    fn equal_numbers_are_found_whatever_their_type() {
        let id = |literal: Literal| TermId::inline(&literal).unwrap();
        let (one, float) = (id(Literal::from(1_i64)), id(Literal::from(1.0_f64)));
        assert!(equals(one).contains(&float) && equals(float).contains(&one));
        assert_eq!(equals(id(Literal::from(1.5_f64))).len(), 1);
    }
}
