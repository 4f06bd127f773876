//! `apoc.schema.*`: what holds for the properties of nodes with a label, and which values they have.

use std::collections::BTreeSet;

use super::super::{GraphScope, QuadReader};
use super::{integer, names_of, string, strings};
use crate::execute::context::Procedure;
use crate::execute::expression::values_of_ids;
use crate::execute::schema_rule::{EntityKind, RuleKind, SchemaRule};
use crate::execute::{Context, ExecuteError};
use crate::model::{NamedNode, QuadPattern, TermId, TermKind, Value, rdf};

#[derive(Clone, Copy)]
pub enum SchemaNodes {
    Rules,
    Distinct,
}

impl Procedure for SchemaNodes {
    fn fields(&self) -> Vec<String> {
        names_of(match self {
            SchemaNodes::Rules => &[
                "name",
                "label",
                "properties",
                "status",
                "type",
                "failure",
                "populationProgress",
                "size",
                "valuesSelectivity",
                "userDescription",
            ],
            SchemaNodes::Distinct => &["value"],
        })
    }

    fn call(&self, arguments: &[Value], context: &Context) -> Result<Vec<Vec<Value>>, ExecuteError> {
        match (self, arguments) {
            (SchemaNodes::Distinct, [Value::String(label), Value::String(key)]) => {
                let iri = |name: &String| context.vocabulary.iri(name);
                let (values, _) = values_among(&iri(label), &iri(key), context)?;
                let ids: Vec<TermId> = values.into_iter().collect();
                Ok(vec![vec![Value::List(values_of_ids(&ids, context)?)]])
            }
            (SchemaNodes::Distinct, _) => Ok(Vec::new()),
            (SchemaNodes::Rules, _) => {
                let rules = SchemaRule::all(&*context.dataset)?;
                let of_nodes =
                    rules.iter().filter(|rule| rule.entity == EntityKind::Node && !rule.labels.is_empty());
                of_nodes.map(|rule| row(rule, context)).collect()
            }
        }
    }
}

fn row(rule: &SchemaRule, context: &Context) -> Result<Vec<Value>, ExecuteError> {
    let name = |iri: &NamedNode| context.vocabulary.name(iri.as_str());
    let (label, keys): (String, Vec<String>) =
        (name(&rule.labels[0]), rule.properties.iter().map(name).collect());
    let (size, distinct) = match rule.properties.as_slice() {
        [key] => {
            let (values, size) = values_among(&rule.labels[0], key, context)?;
            (size, values.len() as u64)
        }
        _ => (0, 0),
    };
    let selectivity = if size == 0 { 0.0 } else { distinct as f64 / size as f64 };
    let is_built = !matches!(rule.kind, RuleKind::Index(kind) if !kind.is_built_in());
    Ok(vec![
        Value::String(format!(":{label}({})", keys.join(","))),
        Value::String(label),
        strings(keys),
        string(if is_built { "ONLINE" } else { "FAILED" }),
        string(rule.kind.name(rule.entity)),
        string(if is_built { "NO FAILURE" } else { "it is not built" }),
        Value::Float(if is_built { 100.0 } else { 0.0 }),
        integer(size),
        Value::Float(selectivity),
        string(&rule.name),
    ])
}

/// Returns the values of a property among the nodes of a label, and how many there are with repetitions.
fn values_among(
    label: &NamedNode,
    key: &NamedNode,
    context: &Context,
) -> Result<(BTreeSet<TermId>, u64), ExecuteError> {
    let id = |iri: NamedNode| context.dataset.term_id(&iri.into());
    let scope = GraphScope::resolve(&context.default_graph, context)?;
    let (Some(graph), Some(label), Some(key), Some(rdf_type)) =
        (scope.filter, id(label.clone())?, id(key.clone())?, id(rdf::TYPE.into_owned())?)
    else {
        return Ok((BTreeSet::new(), 0));
    };
    let read = |pattern: QuadPattern, visit: &mut dyn FnMut(TermId, TermId)| -> Result<(), ExecuteError> {
        let mut reader = QuadReader::of_pattern(&pattern, scope.merges, context)?;
        while let Some(batch) = reader.next_quads()? {
            context.check()?;
            batch
                .column(0)
                .iter()
                .zip(batch.column(2))
                .for_each(|(subject, object)| visit(*subject, *object));
        }
        Ok(())
    };
    let mut nodes = rustc_hash::FxHashSet::default();
    let labelled = QuadPattern {
        predicate: Some(rdf_type),
        object: Some(label),
        graph: graph.clone(),
        ..QuadPattern::default()
    };
    read(labelled, &mut |subject, _| {
        nodes.insert(subject);
    })?;
    let (mut values, mut size) = (BTreeSet::new(), 0);
    let with_key = QuadPattern { predicate: Some(key), graph, ..QuadPattern::default() };
    read(with_key, &mut |subject, object| {
        let is_literal =
            !matches!(object.kind(), TermKind::NamedNode | TermKind::BlankNode | TermKind::Triple);
        if is_literal && nodes.contains(&subject) {
            values.insert(object);
            size += 1;
        }
    })?;
    Ok((values, size))
}
