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

use std::collections::BTreeMap;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::dataset::{Dataset, DatasetError};
use crate::model::{GraphFilter, Literal, NamedNode, Permutation, QuadPattern, Term, TermId, Vocabulary, pg};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaRule {
    pub name: String,
    pub kind: RuleKind,
    pub entity: EntityKind,
    /// The labels or the types.
    pub labels: Vec<NamedNode>,
    pub properties: Vec<NamedNode>,
}

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntityKind {
    Node,
    Relationship,
}

/// What a rule asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// No two nodes of the label, or relationships of the type, have the same values.
    Uniqueness,
    /// Each of them has the properties.
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
    /// Returns Neo4j's name, as SHOW has it.
    pub fn name(self) -> &'static str {
        match self {
            IndexKind::Range => "RANGE",
            IndexKind::Text => "TEXT",
            IndexKind::Point => "POINT",
            IndexKind::Lookup => "LOOKUP",
            IndexKind::Fulltext => "FULLTEXT",
            IndexKind::Vector => "VECTOR",
        }
    }

    /// Returns whether the order of stored quads serves what the index is for.
    pub fn is_built_in(self) -> bool {
        !matches!(self, IndexKind::Fulltext | IndexKind::Vector)
    }
}

impl EntityKind {
    pub const ALL: [EntityKind; 2] = [EntityKind::Node, EntityKind::Relationship];

    /// Returns Neo4j's name, as SHOW has it.
    pub fn name(self) -> &'static str {
        match self {
            EntityKind::Node => "NODE",
            EntityKind::Relationship => "RELATIONSHIP",
        }
    }

    pub fn of(name: &str) -> Option<EntityKind> {
        EntityKind::ALL.into_iter().find(|entity| entity.name() == name)
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
    pub fn name(self, entity: EntityKind) -> &'static str {
        match (self, entity) {
            (RuleKind::Uniqueness, EntityKind::Node) => "UNIQUENESS",
            (RuleKind::Uniqueness, EntityKind::Relationship) => "RELATIONSHIP_UNIQUENESS",
            (RuleKind::Existence, EntityKind::Node) => "NODE_PROPERTY_EXISTENCE",
            (RuleKind::Existence, EntityKind::Relationship) => "RELATIONSHIP_PROPERTY_EXISTENCE",
            (RuleKind::Key, EntityKind::Node) => "NODE_KEY",
            (RuleKind::Key, EntityKind::Relationship) => "RELATIONSHIP_KEY",
            (RuleKind::Index(kind), _) => kind.name(),
        }
    }

    pub fn of(name: &str, entity: EntityKind) -> Option<RuleKind> {
        RuleKind::ALL.into_iter().find(|kind| kind.name(entity) == name)
    }

    pub fn is_constraint(self) -> bool {
        !matches!(self, RuleKind::Index(_))
    }

    pub(super) fn is_unique(self) -> bool {
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
        Ok(SchemaRule::found_in(dataset)?.into_iter().map(|(_, rule)| rule).collect())
    }

    /// Returns the rules of a dataset, by name, with the subjects of their quads.
    pub fn found_in(dataset: &dyn Dataset) -> Result<Vec<(TermId, SchemaRule)>, DatasetError> {
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
        let rule = |(subject, facts)| Some((subject, SchemaRule::of_facts(&facts)?));
        let mut rules: Vec<(TermId, SchemaRule)> = facts.into_iter().filter_map(rule).collect();
        rules.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
        Ok(rules)
    }

    fn of_facts(facts: &BTreeMap<String, String>) -> Option<SchemaRule> {
        let fact = |name: &str| facts.get(pg_name(name).as_str());
        let iris = |name: &str| -> Option<Vec<NamedNode>> {
            fact(name)?.split_ascii_whitespace().map(|iri| NamedNode::new(iri).ok()).collect()
        };
        let entity = EntityKind::of(fact("entity")?)?;
        Some(SchemaRule {
            name: fact("name")?.clone(),
            kind: RuleKind::of(fact("kind")?, entity)?,
            entity,
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
            ("kind", self.kind.name(self.entity).to_owned()),
            ("entity", self.entity.name().to_owned()),
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
        let meaning =
            |rule: &SchemaRule| (rule.kind, rule.entity, rule.labels.clone(), rule.properties.clone());
        meaning(self) == meaning(other)
    }

    /// Returns the rule as messages have it, such as `(:Person {id, name})` or `()-[:KNOWS {since}]-()`.
    pub(super) fn pattern(&self, vocabulary: &Vocabulary) -> String {
        let labels: Vec<String> = self.labels.iter().map(|label| vocabulary.name(label.as_str())).collect();
        let keys: Vec<String> = self.properties.iter().map(|key| vocabulary.name(key.as_str())).collect();
        let (labels, keys) = (labels.join("|"), keys.join(", "));
        match self.entity {
            EntityKind::Node => format!("(:{labels} {{{keys}}})"),
            EntityKind::Relationship => format!("()-[:{labels} {{{keys}}}]-()"),
        }
    }
}

/// Returns whether a dataset may have rules: whether it knows the name of the graph that they stand in.
pub fn may_be_in(dataset: &dyn Dataset) -> Result<bool, DatasetError> {
    Ok(dataset.term_id(&graph().into())?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_read_as_they_were_written() {
        for (kind, entity) in RuleKind::ALL.into_iter().flat_map(|kind| EntityKind::ALL.map(|e| (kind, e))) {
            assert_eq!(RuleKind::of(kind.name(entity), entity), Some(kind));
            let rule = SchemaRule {
                name: "two words/ø".to_owned(),
                kind,
                entity,
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
}
