//! The catalog: which GraphQL type, field and root field stands for which class and predicate.
//!
//! Made from the facts of a [`Schema`] and a [`Vocabulary`] alone, in the order of IRIs: the same
//! facts give the same names.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{NamedNode, Vocabulary, pg, rdf, xsd};
use crate::plan::{PredicateInfo, ScalarShape, Schema};

/// Everything that a document can name, and what it means.
#[derive(Debug)]
pub(super) struct Catalog {
    pub types: Vec<ObjectType>,
    pub roots: BTreeMap<String, Root>,
    by_name: BTreeMap<String, usize>,
}

/// The type of one class.
#[derive(Debug)]
pub(super) struct ObjectType {
    pub name: String,
    pub class: NamedNode,
    /// The class's name as a label.
    pub label: String,
    pub fields: BTreeMap<String, Field>,
}

#[derive(Debug)]
pub(super) struct Field {
    pub predicate: NamedNode,
    pub kind: FieldKind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum FieldKind {
    Literal { scalar: Scalar, datatypes: Vec<NamedNode>, is_list: bool },
    Relation { target: Target, is_list: bool, is_inverse: bool },
}

/// What a relation leads to: a type by its place in the catalog, or any node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Type(usize),
    Node,
}

/// A field of the query root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    One(usize),
    Many(usize),
    Aggregate(usize),
    Node,
}

/// The scalar types that literals read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scalar {
    String,
    Int,
    Float,
    Boolean,
    Date,
    DateTime,
    /// Literals of several types, or of one that GraphQL has no name for.
    Literal,
}

/// Names of types that are always there.
const RESERVED_TYPES: &[&str] = &[
    "Query",
    "Mutation",
    "Subscription",
    "Node",
    "Entity",
    "NodeWhere",
    "NodeListWhere",
    "NodeOrderBy",
    "SortDirection",
    "ID",
    "IDFilter",
    "String",
    "Int",
    "Float",
    "Boolean",
    "Date",
    "DateTime",
    "Literal",
    "StringFilter",
    "IntFilter",
    "FloatFilter",
    "BooleanFilter",
    "DateFilter",
    "DateTimeFilter",
    "LiteralFilter",
];

/// Names that every object or its `where` has.
const RESERVED_FIELDS: &[&str] = &["id", "iri", "types", "and", "or", "not", "exists"];

/// What is appended to a type's name to name the types that serve it.
const SUFFIXES: &[&str] = &["", "Where", "ListWhere", "OrderBy", "Aggregate"];

impl Catalog {
    pub fn new(schema: &Schema, vocabulary: &Vocabulary) -> Catalog {
        let mut catalog = Catalog { types: Vec::new(), roots: BTreeMap::new(), by_name: BTreeMap::new() };
        catalog.roots.insert("node".to_owned(), Root::Node);
        catalog.name_types(schema, vocabulary);
        let places: BTreeMap<NamedNode, usize> =
            catalog.types.iter().enumerate().map(|(place, ty)| (ty.class.clone(), place)).collect();
        for place in 0..catalog.types.len() {
            let fields = fields_of(&catalog.types[place].class, schema, vocabulary, &places);
            catalog.types[place].fields = fields;
        }
        catalog
    }

    pub fn type_named(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    fn name_types(&mut self, schema: &Schema, vocabulary: &Vocabulary) {
        let mut taken: BTreeSet<String> = RESERVED_TYPES.iter().map(|name| (*name).to_owned()).collect();
        let classes = schema.classes.keys().filter(|class| class.as_ref() != pg::NODE);
        for class in plain_names_first(classes, vocabulary) {
            let name = claim(names_for(&class, vocabulary, pascal_case), |name| {
                let all: Vec<String> = SUFFIXES.iter().map(|suffix| format!("{name}{suffix}")).collect();
                let roots = root_names(name);
                let free = all.iter().all(|name| !taken.contains(name))
                    && roots.iter().all(|(root, _)| !self.roots.contains_key(root));
                if free {
                    taken.extend(all);
                }
                free
            });
            let place = self.types.len();
            for (root, make) in root_names(&name) {
                self.roots.insert(root, make(place));
            }
            self.by_name.insert(name.clone(), place);
            self.types.push(ObjectType {
                name,
                label: vocabulary.name(class.as_str()),
                class,
                fields: BTreeMap::new(),
            });
        }
    }
}

impl Scalar {
    pub fn name(self) -> &'static str {
        match self {
            Scalar::String => "String",
            Scalar::Int => "Int",
            Scalar::Float => "Float",
            Scalar::Boolean => "Boolean",
            Scalar::Date => "Date",
            Scalar::DateTime => "DateTime",
            Scalar::Literal => "Literal",
        }
    }

    pub fn shape(self) -> ScalarShape {
        match self {
            Scalar::String | Scalar::Date | Scalar::DateTime => ScalarShape::Text,
            Scalar::Int => ScalarShape::Int,
            Scalar::Float => ScalarShape::Float,
            Scalar::Boolean => ScalarShape::Boolean,
            Scalar::Literal => ScalarShape::Natural,
        }
    }

    fn of_datatypes(datatypes: &[NamedNode]) -> Scalar {
        let mut scalars = datatypes.iter().map(|datatype| Scalar::of_datatype(datatype.as_str()));
        let Some(first) = scalars.next() else { return Scalar::Literal };
        scalars.fold(first, |all, one| match (all, one) {
            _ if all == one => all,
            (Scalar::Int | Scalar::Float, Scalar::Int | Scalar::Float) => Scalar::Float,
            _ => Scalar::Literal,
        })
    }

    fn of_datatype(datatype: &str) -> Scalar {
        if datatype == rdf::LANG_STRING.as_str() || datatype == xsd::ANY_URI.as_str() {
            return Scalar::String;
        }
        match datatype.strip_prefix("http://www.w3.org/2001/XMLSchema#") {
            Some("string" | "normalizedString" | "token") => Scalar::String,
            Some("boolean") => Scalar::Boolean,
            Some("date") => Scalar::Date,
            Some("dateTime" | "dateTimeStamp") => Scalar::DateTime,
            Some("decimal" | "double" | "float") => Scalar::Float,
            Some(
                "integer" | "int" | "long" | "short" | "byte" | "nonNegativeInteger" | "positiveInteger"
                | "nonPositiveInteger" | "negativeInteger" | "unsignedLong" | "unsignedInt" | "unsignedShort"
                | "unsignedByte",
            ) => Scalar::Int,
            _ => Scalar::Literal,
        }
    }
}

fn fields_of(
    class: &NamedNode,
    schema: &Schema,
    vocabulary: &Vocabulary,
    places: &BTreeMap<NamedNode, usize>,
) -> BTreeMap<String, Field> {
    let Some(info) = schema.classes.get(class) else { return BTreeMap::new() };
    let mut fields: BTreeMap<String, Field> = BTreeMap::new();
    let is_field = |predicate: &&NamedNode| ![rdf::TYPE, pg::REIFIES].contains(&predicate.as_ref());
    for predicate in plain_names_first(info.predicates.iter().filter(is_field), vocabulary) {
        let Some(facts) = schema.predicates.get(&predicate) else { continue };
        let name = claim_field(&fields, names_for(&predicate, vocabulary, camel_case));
        fields.insert(name, Field { kind: kind_of(facts, places), predicate });
    }
    for predicate in plain_names_first(info.inverse_predicates.iter().filter(is_field), vocabulary) {
        let names = names_for(&predicate, vocabulary, camel_case).map(|name| format!("{name}Of"));
        let name = claim_field(&fields, names);
        let target = source_of(&predicate, class, schema, places);
        let kind = FieldKind::Relation { target, is_list: true, is_inverse: true };
        fields.insert(name, Field { predicate, kind });
    }
    fields
}

fn claim_field(fields: &BTreeMap<String, Field>, names: impl Iterator<Item = String>) -> String {
    claim(names, |name| !fields.contains_key(name) && !RESERVED_FIELDS.contains(&name))
}

fn kind_of(facts: &PredicateInfo, places: &BTreeMap<NamedNode, usize>) -> FieldKind {
    let is_list = !facts.is_functional;
    if facts.has_literal_objects && facts.has_node_objects {
        return FieldKind::Literal { scalar: Scalar::Literal, datatypes: Vec::new(), is_list };
    }
    if facts.has_node_objects {
        let target = match facts.object_classes.as_slice() {
            [class] => places.get(class).map_or(Target::Node, |place| Target::Type(*place)),
            _ => Target::Node,
        };
        return FieldKind::Relation { target, is_list, is_inverse: false };
    }
    let scalar = Scalar::of_datatypes(&facts.datatypes);
    FieldKind::Literal { scalar, datatypes: facts.datatypes.clone(), is_list }
}

/// Returns the one class whose instances point to `class` by `predicate`, or any node if there are
/// several that may.
fn source_of(
    predicate: &NamedNode,
    class: &NamedNode,
    schema: &Schema,
    places: &BTreeMap<NamedNode, usize>,
) -> Target {
    let points = |facts: &PredicateInfo| facts.object_classes.contains(class);
    if !schema.predicates.get(predicate).is_some_and(points) {
        return Target::Node;
    }
    let mut sources = schema.classes.iter().filter(|(_, info)| info.predicates.contains(predicate));
    match (sources.next(), sources.next()) {
        (Some((source, _)), None) => places.get(source).map_or(Target::Node, |place| Target::Type(*place)),
        _ => Target::Node,
    }
}

type MakeRoot = fn(usize) -> Root;

fn root_names(type_name: &str) -> [(String, MakeRoot); 3] {
    let one = match type_name.rsplit_once('_') {
        Some((prefix, local)) => format!("{prefix}_{}", camel_case(local)),
        None => camel_case(type_name),
    };
    [
        (one.clone(), Root::One as MakeRoot),
        (format!("{one}s"), Root::Many as MakeRoot),
        (format!("{one}sAggregate"), Root::Aggregate as MakeRoot),
    ]
}

/// Returns IRIs in order, those with a plain name in the vocabulary first: in a clash they keep it.
fn plain_names_first<'a>(
    iris: impl Iterator<Item = &'a NamedNode>,
    vocabulary: &Vocabulary,
) -> Vec<NamedNode> {
    let mut iris: Vec<NamedNode> = iris.cloned().collect();
    iris.sort_by_cached_key(|iri| (vocabulary.name(iri.as_str()).contains(':'), iri.as_str().to_owned()));
    iris
}

/// Returns names to try for an IRI: its local name, that with its prefix, then with numbers.
fn names_for(
    iri: &NamedNode,
    vocabulary: &Vocabulary,
    case: fn(&str) -> String,
) -> impl Iterator<Item = String> + use<> {
    let name = vocabulary.name(iri.as_str());
    let local = iri.as_str().trim_end_matches(['/', '#']).rsplit(['#', '/', ':']).next().unwrap_or_default();
    let plain = case(if name.contains(':') { local } else { &name });
    let prefix = name.split_once(':').map(|(prefix, _)| prefix).filter(|_| !name.contains("://"));
    let prefixed = prefix.map(|prefix| format!("{}_{plain}", identifier(prefix)));
    let stem = prefixed.clone().unwrap_or_else(|| plain.clone());
    [plain].into_iter().chain(prefixed).chain((2..).map(move |number| format!("{stem}{number}")))
}

fn claim(mut names: impl Iterator<Item = String>, is_free: impl FnMut(&str) -> bool) -> String {
    let mut is_free = is_free;
    names.find(|name| is_free(name)).expect("the numbered names never end")
}

/// Returns `name` with the first letter of each of its words in upper case, as a GraphQL name.
fn pascal_case(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let joined: String = words
        .map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .map(|first| first.to_uppercase().chain(letters).collect::<String>())
                .unwrap_or_default()
        })
        .collect();
    identifier(&joined)
}

/// Returns `name` in Pascal case, its leading capitals lowered (`IMO` -> `imo`, `URLValue` -> `urlValue`).
fn camel_case(name: &str) -> String {
    let is_single_word = name.chars().all(char::is_alphanumeric);
    if is_single_word && name.starts_with(char::is_lowercase) {
        return identifier(name);
    }
    let pascal: Vec<char> = pascal_case(name).chars().collect();
    let capitals = pascal.iter().take_while(|c| c.is_uppercase()).count();
    let lowered = match capitals {
        0 | 1 => 1,
        all if all == pascal.len() => all,
        some if pascal.get(some).is_some_and(|c| c.is_lowercase()) => some - 1,
        some => some,
    };
    let lower = |(index, c): (usize, &char)| if index < lowered { c.to_ascii_lowercase() } else { *c };
    pascal.iter().enumerate().map(lower).collect()
}

/// Returns `name` with what a GraphQL name cannot hold replaced; never empty, never `__...`.
fn identifier(name: &str) -> String {
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let name = name.trim_start_matches('_');
    match name.chars().next() {
        None => "x".to_owned(),
        Some(c) if c.is_ascii_digit() => format!("_{name}"),
        Some(_) => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ClassInfo;

    #[test]
    fn names_take_the_case_of_their_place() {
        for (name, pascal, camel) in [
            ("Vessel", "Vessel", "vessel"),
            ("portCall", "PortCall", "portCall"),
            ("PORT_CALL", "PORTCALL", "portcall"),
            ("port call", "PortCall", "portCall"),
            ("IMO", "IMO", "imo"),
            ("URLValue", "URLValue", "urlValue"),
            ("3d", "_3d", "_3d"),
            ("日本", "x", "x"),
            ("", "x", "x"),
        ] {
            assert_eq!(
                (pascal_case(name), camel_case(name)),
                (pascal.to_owned(), camel.to_owned()),
                "{name}"
            );
        }
    }

    #[test]
    fn clashes_get_their_prefix() {
        let mut vocabulary = Vocabulary::default();
        vocabulary.prefixes.push(("schema".into(), "https://schema.org/".into()));
        let base = vocabulary.base.clone();
        let mut schema = Schema::default();
        for iri in
            ["https://schema.org/Person", "http://other/Person", &format!("{base}Person"), "http://x/Query"]
        {
            schema.classes.insert(NamedNode::new_unchecked(iri), ClassInfo::default());
        }
        let catalog = Catalog::new(&schema, &vocabulary);
        let names: Vec<(&str, &str)> =
            catalog.types.iter().map(|ty| (ty.name.as_str(), ty.class.as_str())).collect();
        assert_eq!(
            names,
            [
                ("Person", format!("{base}Person").as_str()),
                ("Person2", "http://other/Person"),
                ("Query2", "http://x/Query"),
                ("schema_Person", "https://schema.org/Person"),
            ]
        );
        assert_eq!(catalog.roots.get("schema_persons"), Some(&Root::Many(3)));
        assert_eq!(catalog.roots.get("personsAggregate"), Some(&Root::Aggregate(0)));
    }
}
