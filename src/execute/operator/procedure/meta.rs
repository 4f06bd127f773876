//! `apoc.meta.*`: a graph's labels, types and properties as APOC tells of them. Where APOC samples, these
//! look at everything, and take its settings for sampling without using them.
//!
//! # Source
//! The APOC manual, version 5, "Meta graph".

use std::collections::{BTreeMap, BTreeSet};

use super::property_type::PropertyType;
use super::survey::{Properties, PropertyKind, Survey};
use super::{drawing, integer, map, names_of, string, strings};
use crate::execute::context::Procedure;
use crate::execute::{Context, ExecuteError};
use crate::model::{Map, Value};

#[derive(Clone, Copy)]
pub enum Meta {
    Data,
    Graph,
    Schema,
    Stats,
    SubGraph,
}

impl Procedure for Meta {
    fn fields(&self) -> Vec<String> {
        names_of(match self {
            Meta::Data => &[
                "label",
                "property",
                "count",
                "unique",
                "index",
                "existence",
                "type",
                "array",
                "sample",
                "left",
                "right",
                "other",
                "otherLabels",
                "elementType",
            ],
            Meta::Graph | Meta::SubGraph => &["nodes", "relationships"],
            Meta::Schema => &["value"],
            Meta::Stats => &[
                "labelCount",
                "relTypeCount",
                "propertyKeyCount",
                "nodeCount",
                "relCount",
                "labels",
                "relTypes",
                "relTypesCount",
                "stats",
            ],
        })
    }

    fn call(&self, arguments: &[Value], context: &Context) -> Result<Vec<Vec<Value>>, ExecuteError> {
        let wanted = Wanted::of(arguments.first());
        let meta = MetaGraph::new(&Survey::take(context)?, &wanted);
        match self {
            Meta::Data => Ok(meta.data()),
            Meta::Graph | Meta::SubGraph => meta.drawing(context),
            Meta::Schema => Ok(vec![vec![meta.schema()]]),
            Meta::Stats => Ok(vec![meta.stats()]),
        }
    }
}

/// Which labels and types are asked for; all, if none are named.
#[derive(Default)]
struct Wanted {
    labels: BTreeSet<String>,
    types: BTreeSet<String>,
    excluded: BTreeSet<String>,
}

impl Wanted {
    fn of(config: Option<&Value>) -> Wanted {
        let Some(Value::Map(config)) = config else { return Wanted::default() };
        let names = |keys: &[&str]| keys.iter().flat_map(|key| texts(config, key)).collect();
        Wanted {
            labels: names(&["labels", "includeLabels"]),
            types: names(&["rels", "includeRels"]),
            excluded: names(&["excludes", "excludeLabels", "excludeRels"]),
        }
    }

    fn has_label(&self, label: &str) -> bool {
        (self.labels.is_empty() || self.labels.contains(label)) && !self.excluded.contains(label)
    }

    fn has_type(&self, name: &str) -> bool {
        (self.types.is_empty() || self.types.contains(name)) && !self.excluded.contains(name)
    }
}

fn texts(config: &Map, key: &str) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        _ => None,
    };
    match config.get(key) {
        Some(Value::List(items)) => items.iter().filter_map(text).collect(),
        Some(value) => text(value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// The survey by single labels: a node of two labels counts for both.
#[derive(Default)]
struct MetaGraph {
    labels: BTreeMap<String, Label>,
    types: BTreeMap<String, Type>,
    nodes: u64,
}

#[derive(Default)]
struct Label {
    count: u64,
    properties: Properties,
}

#[derive(Default)]
struct Type {
    count: u64,
    properties: Properties,
    /// By the label at the start, by that at the end, and by both; a node of two labels counts for both.
    from: BTreeMap<String, Ends>,
    to: BTreeMap<String, u64>,
    between: BTreeMap<(String, String), u64>,
}

#[derive(Clone, Copy, Default)]
struct Ends {
    count: u64,
    starts: u64,
}

impl MetaGraph {
    fn new(survey: &Survey, wanted: &Wanted) -> MetaGraph {
        let mut meta = MetaGraph::default();
        for kind in &survey.nodes {
            meta.nodes += kind.count;
            for label in kind.labels.iter().filter(|label| wanted.has_label(label)) {
                let known = meta.labels.entry(label.clone()).or_default();
                known.count += kind.count;
                merge(&mut known.properties, &kind.properties);
            }
        }
        for kind in survey.relationships.iter().filter(|kind| wanted.has_type(&kind.name)) {
            let known = meta.types.entry(kind.name.clone()).or_default();
            known.count += kind.count;
            merge(&mut known.properties, &kind.properties);
            let (start, end) = (|| wanted_of(&kind.start, wanted), || wanted_of(&kind.end, wanted));
            for start in start() {
                let ends = known.from.entry(start.clone()).or_default();
                ends.count += kind.count;
                ends.starts += kind.starts;
            }
            for end in end() {
                *known.to.entry(end.clone()).or_default() += kind.count;
            }
            for start in start() {
                for end in end() {
                    *known.between.entry((start.clone(), end.clone())).or_default() += kind.count;
                }
            }
        }
        meta
    }

    /// Returns the types that lead from a label, each with the labels that it leads to.
    fn outgoing<'a>(&'a self, label: &'a str) -> impl Iterator<Item = (&'a String, Ends, Vec<String>)> {
        self.types.iter().filter_map(move |(name, known)| {
            let ends = known.from.get(label)?;
            let own = known.between.keys().filter(|(start, _)| start == label);
            Some((name, *ends, own.map(|(_, end)| end.clone()).collect()))
        })
    }

    fn data(&self) -> Vec<Vec<Value>> {
        let mut rows = Vec::new();
        for (label, known) in &self.labels {
            rows.extend(known.properties.iter().map(|(key, kind)| property_row(label, key, kind, "node")));
            for (name, ends, others) in self.outgoing(label) {
                rows.push(self.relationship_row(label, name, ends, others, "node"));
            }
        }
        for (name, known) in &self.types {
            rows.extend(
                known.properties.iter().map(|(key, kind)| property_row(name, key, kind, "relationship")),
            );
            for start in known.from.keys() {
                let own = self.outgoing(start).find(|(other, ..)| *other == name);
                if let Some((_, ends, others)) = own {
                    rows.push(self.relationship_row(name, start, ends, others, "relationship"));
                }
            }
        }
        rows
    }

    /// `left` is how many there are for each node that has one, `right` for each node that they may lead to.
    fn relationship_row(
        &self,
        label: &str,
        property: &str,
        ends: Ends,
        others: Vec<String>,
        element: &str,
    ) -> Vec<Value> {
        let reached: u64 =
            others.iter().filter_map(|label| self.labels.get(label)).map(|label| label.count).sum();
        let (left, right) = (mean(ends.count, ends.starts), mean(ends.count, reached));
        let no = || Value::Boolean(false);
        vec![
            string(label),
            string(property),
            integer(ends.count),
            no(),
            no(),
            no(),
            string("RELATIONSHIP"),
            Value::Boolean(ends.count > ends.starts),
            Value::Null,
            integer(left),
            integer(right),
            strings(others),
            Value::List(Vec::new()),
            string(element),
        ]
    }

    fn drawing(&self, context: &Context) -> Result<Vec<Vec<Value>>, ExecuteError> {
        let node = |(label, known): (&String, &Label)| {
            let properties = [("name", string(label)), ("count", integer(known.count))];
            drawing::node(label, &properties, context)
        };
        let nodes = self.labels.iter().map(node).collect::<Result<_, _>>()?;
        let mut relationships = Vec::new();
        for (name, known) in &self.types {
            for ((start, end), count) in &known.between {
                let properties = [("type", string(name)), ("count", integer(*count))];
                relationships.push(drawing::relationship(name, [start, end], &properties, context)?);
            }
        }
        Ok(vec![vec![Value::List(nodes), Value::List(relationships)]])
    }

    fn schema(&self) -> Value {
        let mut all = Map::new();
        for (name, known) in &self.types {
            let entries = [
                ("type", string("relationship")),
                ("count", integer(known.count)),
                ("properties", self.properties(&known.properties, false)),
            ];
            all.insert(name.clone(), map(entries));
        }
        // A name that is both a type and a label is told of as a label.
        for (label, known) in &self.labels {
            let entries = [
                ("type", string("node")),
                ("count", integer(known.count)),
                ("labels", Value::List(Vec::new())),
                ("properties", self.properties(&known.properties, true)),
                ("relationships", self.relationships_of(label)),
            ];
            all.insert(label.clone(), map(entries));
        }
        Value::Map(all)
    }

    fn properties(&self, properties: &Properties, is_node: bool) -> Value {
        let no = || Value::Boolean(false);
        let property = |(key, kind): (&String, &PropertyKind)| {
            let mut entries = vec![
                ("type", string(common_type(kind).apoc_name())),
                ("array", Value::Boolean(common_type(kind).is_list())),
                ("existence", no()),
            ];
            if is_node {
                entries.extend([("indexed", no()), ("unique", no())]);
            }
            (key.clone(), map(entries))
        };
        Value::Map(properties.iter().map(property).collect())
    }

    /// Returns the types at a label, either way; of a type that goes both ways, the one that leads away.
    fn relationships_of(&self, label: &str) -> Value {
        let mut all = Map::new();
        for (name, known) in &self.types {
            for (direction, own) in [("in", 1), ("out", 0)] {
                let count = match own {
                    0 => known.from.get(label).map(|ends| ends.count),
                    _ => known.to.get(label).copied(),
                };
                let Some(count) = count else { continue };
                let others = known.between.keys().filter(|(start, end)| [start, end][own] == label);
                let labels = others.map(|(start, end)| [end, start][own].clone());
                let entries = [
                    ("direction", string(direction)),
                    ("count", integer(count)),
                    ("labels", strings(labels)),
                    ("properties", self.properties(&known.properties, false)),
                ];
                all.insert(name.clone(), map(entries));
            }
        }
        Value::Map(all)
    }

    fn stats(&self) -> Vec<Value> {
        let labels: Map =
            self.labels.iter().map(|(label, known)| (label.clone(), integer(known.count))).collect();
        let mut patterns = Map::new();
        for (name, known) in &self.types {
            patterns.insert(format!("()-[:{name}]->()"), integer(known.count));
            let from = known.from.iter();
            patterns
                .extend(from.map(|(label, ends)| (format!("(:{label})-[:{name}]->()"), integer(ends.count))));
            let to = known.to.iter();
            patterns.extend(to.map(|(label, count)| (format!("()-[:{name}]->(:{label})"), integer(*count))));
        }
        let types: Map =
            self.types.iter().map(|(name, known)| (name.clone(), integer(known.count))).collect();
        let labelled = self.labels.values().flat_map(|label| label.properties.keys());
        let keys: BTreeSet<&String> =
            labelled.chain(self.types.values().flat_map(|known| known.properties.keys())).collect();
        let entries = [
            ("labelCount", integer(labels.len() as u64)),
            ("relTypeCount", integer(types.len() as u64)),
            ("propertyKeyCount", integer(keys.len() as u64)),
            ("nodeCount", integer(self.nodes)),
            ("relCount", integer(self.types.values().map(|known| known.count).sum())),
            ("labels", Value::Map(labels)),
            ("relTypes", Value::Map(patterns)),
            ("relTypesCount", Value::Map(types)),
        ];
        let stats = map(entries.clone());
        entries.into_iter().map(|(_, value)| value).chain([stats]).collect()
    }
}

fn property_row(label: &str, key: &str, kind: &PropertyKind, element: &str) -> Vec<Value> {
    let no = || Value::Boolean(false);
    let none = || Value::List(Vec::new());
    let common = common_type(kind);
    vec![
        string(label),
        string(key),
        integer(kind.count),
        no(),
        no(),
        no(),
        string(common.apoc_name()),
        Value::Boolean(common.is_list()),
        Value::Null,
        integer(0),
        integer(0),
        none(),
        none(),
        string(element),
    ]
}

/// Returns the one type that is told of: clients expect one name.
fn common_type(kind: &PropertyKind) -> PropertyType {
    use super::property_type::Scalar;
    let mut types = kind.types.iter().copied();
    match (types.next(), types.next()) {
        (Some(only), None) => only,
        // What all values can be read as.
        (Some(first), Some(_)) if kind.types.iter().all(|other| other.is_list()) => first,
        _ => PropertyType::Scalar(Scalar::String),
    }
}

fn wanted_of<'a>(labels: &'a [String], wanted: &'a Wanted) -> impl Iterator<Item = &'a String> {
    labels.iter().filter(|label| wanted.has_label(label))
}

fn merge(properties: &mut Properties, more: &Properties) {
    for (key, kind) in more {
        properties.entry(key.clone()).or_default().merge(kind);
    }
}

/// Returns a mean, rounded, and at least one of what there is.
fn mean(count: u64, of: u64) -> u64 {
    (count + of / 2).checked_div(of).map_or(0, |mean| mean.max(1))
}
