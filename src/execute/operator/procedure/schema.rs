//! `db.schema.*`: which properties nodes and relationships have, and how labels hang together.

use std::collections::{BTreeMap, BTreeSet};

use super::property_type::PropertyType;
use super::survey::{Properties, Survey};
use super::{drawing, names_of, string, strings};
use crate::execute::context::Procedure;
use crate::execute::{Context, ExecuteError};
use crate::model::Value;

#[derive(Clone, Copy)]
pub enum SchemaProcedure {
    NodeTypeProperties,
    RelTypeProperties,
    Visualization,
}

impl Procedure for SchemaProcedure {
    fn fields(&self) -> Vec<String> {
        names_of(match self {
            SchemaProcedure::NodeTypeProperties => {
                &["nodeType", "nodeLabels", "propertyName", "propertyTypes", "mandatory"]
            }
            SchemaProcedure::RelTypeProperties => &["relType", "propertyName", "propertyTypes", "mandatory"],
            SchemaProcedure::Visualization => &["nodes", "relationships"],
        })
    }

    fn call(&self, _: &[Value], context: &Context) -> Result<Vec<Vec<Value>>, ExecuteError> {
        let survey = Survey::take(context)?;
        match self {
            SchemaProcedure::NodeTypeProperties => Ok(node_types(&survey)),
            SchemaProcedure::RelTypeProperties => Ok(relationship_types(&survey)),
            SchemaProcedure::Visualization => visualization(&survey, context),
        }
    }
}

fn node_types(survey: &Survey) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for kind in &survey.nodes {
        let name: Vec<String> = kind.labels.iter().map(|label| quoted(label)).collect();
        let start = [Value::String(name.concat()), strings(kind.labels.iter().cloned())];
        rows.extend(property_rows(&start, &kind.properties, kind.count));
    }
    rows
}

fn relationship_types(survey: &Survey) -> Vec<Vec<Value>> {
    let mut types: BTreeMap<&str, (u64, Properties)> = BTreeMap::new();
    for kind in &survey.relationships {
        let (count, properties) = types.entry(&kind.name).or_default();
        *count += kind.count;
        for (key, property) in &kind.properties {
            properties.entry(key.clone()).or_default().merge(property);
        }
    }
    let rows = types.into_iter().flat_map(|(name, (count, properties))| {
        property_rows(&[Value::String(quoted(name))], &properties, count)
    });
    rows.collect()
}

/// Returns a row for each property; one without, if there are none.
fn property_rows(start: &[Value], properties: &Properties, count: u64) -> Vec<Vec<Value>> {
    let row = |rest: [Value; 3]| start.iter().cloned().chain(rest).collect();
    if properties.is_empty() {
        return vec![row([Value::Null, Value::Null, Value::Boolean(false)])];
    }
    let property = |(key, kind): (&String, &super::survey::PropertyKind)| {
        let types: BTreeSet<String> = kind.types.iter().copied().map(PropertyType::neo4j_name).collect();
        row([Value::String(key.clone()), strings(types), Value::Boolean(kind.count == count)])
    };
    properties.iter().map(property).collect()
}

/// Returns a name as `nodeType` and `relType` have it.
fn quoted(name: &str) -> String {
    format!(":`{}`", name.replace('`', "``"))
}

fn visualization(survey: &Survey, context: &Context) -> Result<Vec<Vec<Value>>, ExecuteError> {
    let labels: BTreeSet<&String> = survey.nodes.iter().flat_map(|kind| &kind.labels).collect();
    let none = || Value::List(Vec::new());
    let node = |label: &&String| {
        let properties = [("name", string(label)), ("indexes", none()), ("constraints", none())];
        drawing::node(label, &properties, context)
    };
    let nodes = labels.iter().map(node).collect::<Result<_, _>>()?;
    let mut triples: BTreeSet<(&str, &str, &str)> = BTreeSet::new();
    for kind in &survey.relationships {
        for start in &kind.start {
            triples.extend(kind.end.iter().map(|end| (kind.name.as_str(), start.as_str(), end.as_str())));
        }
    }
    let relationship = |(name, start, end): (&str, &str, &str)| {
        drawing::relationship(name, [start, end], &[("name", string(name))], context)
    };
    let relationships = triples.into_iter().map(relationship).collect::<Result<_, _>>()?;
    Ok(vec![vec![Value::List(nodes), Value::List(relationships)]])
}
