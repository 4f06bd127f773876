//! Documents against one small schema: the plans they become, the mistakes they hold.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::model::{NamedNode, Value, Vocabulary, rdf, xsd};
use crate::plan::{ClassInfo, GraphSelector, PredicateInfo, RootShape, Schema, explain, validate};

fn iri(name: &str) -> NamedNode {
    Vocabulary::default().iri(name)
}

/// Vessels with a name, a flag, a year, tags and a label in languages; a home port; calls at ports.
fn session() -> Session {
    let literal = |datatype: NamedNode, is_functional| PredicateInfo {
        quads: 10,
        is_functional,
        has_literal_objects: true,
        datatypes: vec![datatype],
        ..PredicateInfo::default()
    };
    let relation = |classes: &[&str], is_functional| PredicateInfo {
        quads: 10,
        is_functional,
        has_node_objects: true,
        object_classes: classes.iter().map(|class| iri(class)).collect(),
        ..PredicateInfo::default()
    };
    let predicates = BTreeMap::from([
        (iri("name"), literal(xsd::STRING.into_owned(), true)),
        (iri("flag"), literal(xsd::STRING.into_owned(), true)),
        (iri("built"), literal(xsd::INTEGER.into_owned(), true)),
        (iri("launched"), literal(xsd::DATE.into_owned(), true)),
        (iri("tag"), literal(xsd::STRING.into_owned(), false)),
        (iri("rdfs:label"), literal(rdf::LANG_STRING.into_owned(), false)),
        (iri("homePort"), relation(&["Port"], true)),
        (iri("calledAt"), relation(&["Port"], false)),
        (iri("owner"), relation(&["Company", "Person"], true)),
    ]);
    let class = |predicates: &[&str], inverse: &[&str]| ClassInfo {
        instances: 3,
        predicates: predicates.iter().map(|name| iri(name)).collect(),
        total_predicates: Vec::new(),
        inverse_predicates: inverse.iter().map(|name| iri(name)).collect(),
    };
    let vessel = ["name", "flag", "built", "launched", "tag", "rdfs:label", "homePort", "calledAt", "owner"];
    let classes = BTreeMap::from([
        (iri("Vessel"), class(&vessel, &[])),
        (iri("Port"), class(&["name"], &["homePort", "calledAt"])),
        (iri("Company"), class(&["name"], &["owner"])),
        (iri("Person"), class(&["name"], &["owner"])),
    ]);
    Session {
        default_graph: GraphSelector::Everything,
        named_graphs: None,
        vocabulary: Vocabulary::default(),
        schema: Schema { predicates, classes, is_complete: true }.into(),
    }
}

fn compile_with(text: &str, variables: serde_json::Value) -> Result<Operation, Vec<SyntaxError>> {
    let Value::Map(variables) = variables::to_value(&async_graphql::Value::from_json(variables).unwrap())
    else {
        panic!("variables are an object");
    };
    compile(text, None, &variables, &session(), &SchemaCache::default())
}

/// Appends a document, its plan and its shape's columns to the golden text.
fn check(golden: &mut String, text: &str, variables: serde_json::Value) {
    let operation = match compile_with(text, variables) {
        Ok(operation) => operation,
        Err(errors) => panic!("{text}: {errors:#?}"),
    };
    validate(&operation.query).unwrap();
    let columns: Vec<&str> = operation.query.columns.iter().map(|column| column.name.as_str()).collect();
    let plan =
        explain(&operation.query).replace("https://reefloom.org/data#", ":").replace(" in everything", "");
    golden.push_str(&format!("# {text}\ncolumns: {}\n{plan}\n", columns.join(", ")));
}

#[track_caller]
fn check_error(text: &str, variables: serde_json::Value, code: &str, place: (u32, u32), words: &str) {
    let errors = compile_with(text, variables).expect_err(text);
    let error = &errors[0];
    assert!(error.message.contains(words), "{text}: {error:?}");
    assert_eq!((error.code.as_str(), (error.line, error.column)), (code, place), "{text}: {error:?}");
}

#[test]
fn operations_become_plans() {
    let mut golden = String::new();
    for text in [
        // Lists and what restricts them
        r#"{ vessels(where: {flag: {eq: "NO"}}) { name } }"#,
        "{ vessels(where: {built: {gte: 1990, lt: 2000}}) { name built } }",
        r#"{ vessels(where: {flag: {in: ["NO", "SE"]}, name: {startsWith: "A", ne: "Aa"}}) { name } }"#,
        r#"{ vessels(where: {tag: {contains: "x"}, launched: {lt: "2000-01-01"}}) { id } }"#,
        "{ vessels(where: {flag: {exists: false}, tag: {exists: true}, name: {ne: null}}) { id } }",
        r#"{ vessels(where: {or: [{flag: {eq: "NO"}}, {not: {built: {lt: 1990}}}]}) { id } }"#,
        r#"{ vessels(where: {homePort: {name: {eq: "Oslo"}}}) { name homePort { name } } }"#,
        r#"{ ports(where: {homePortOf: {some: {flag: {eq: "NO"}}}, calledAtOf: {none: {}}}) { name } }"#,
        r#"{ ports(where: {calledAtOf: {all: {flag: {eq: "NO"}}}}) { name } }"#,
        r#"{ vessels(where: {id: {in: ["http://x/1", "_:b"]}, label: {eq: "x"}}) { iri } }"#,
        "{ vessels(where: {homePort: {exists: true}, owner: {exists: false}}) { id } }",
        // Order and pages
        "{ vessels(orderBy: [{built: DESC}, {id: ASC}], first: 3, offset: 1) { name } }",
        "{ vessels(orderBy: [{name: ASC}], first: 3) { name tag } }",
        // Nested objects
        "{ vessels { name homePort { id name } } }",
        "{ vessels { name calledAt(orderBy: [{name: ASC}], first: 2) { name calledAtOf { name } } } }",
        r#"{ vessels { label(lang: ["de", "*"]) types __typename } }"#,
        "{ vessels { owner { __typename id ... on Company { name } ... on Person { fullName: name } } } }",
        // One object, counts, several root fields
        r#"{ vessel(id: "http://x/1") { id name tag } }"#,
        r#"{ node(id: "_:b1") { id __typename ... on Vessel { name } } }"#,
        r#"{ vesselsAggregate(where: {flag: {eq: "NO"}}) { count } }"#,
        r#"{ a: vessels { name } n: vesselsAggregate { count } b: vessel(id: "http://x/1") { name } }"#,
        "{ __typename }",
    ] {
        check(&mut golden, text, json!({}));
    }
    insta::assert_snapshot!(golden);
}

#[test]
fn variables_fragments_and_directives_are_worked_in() {
    let plain =
        compile_with(r#"{ vessels(where: {flag: {in: ["NO"]}}, first: 2) { name } }"#, json!({})).unwrap();
    for (text, variables) in [
        (
            "query($f: [String!], $n: Int = 2) { vessels(where: {flag: {in: $f}}, first: $n) { name } }",
            json!({"f": "NO"}),
        ),
        (
            "query($w: VesselWhere) { vessels(where: $w, first: 2) { ...V } } fragment V on Vessel { name }",
            json!({"w": {"flag": {"in": ["NO"]}}}),
        ),
        (
            "query($no: Boolean!, $n: Int) { vessels(where: {flag: {in: [\"NO\"]}}, first: 2, offset: $n) \
             { name ... on Node @include(if: $no) { id } flag @skip(if: true) } }",
            json!({"no": false}),
        ),
        (r#"{ vessels(where: {and: [{flag: {in: "NO"}}]}, first: 2) { name name } }"#, json!({})),
    ] {
        let operation = compile_with(text, variables).unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
        assert_eq!(explain(&operation.query), explain(&plain.query), "{text}");
        assert_eq!(operation.shape, plain.shape, "{text}");
    }
}

#[test]
fn aliases_name_the_response() {
    let operation = compile_with("{ all: vessels { title: name } }", json!({})).unwrap();
    let (key, RootShape::EachRow(object)) = &operation.shape.fields[0] else { panic!() };
    assert_eq!((key.as_str(), object.fields[0].key.as_str()), ("all", "title"));
}

#[test]
fn introspection_stands_beside_data() {
    let text = r#"{ __type(name: "Vessel") { name fields { name } } vessels { name } t: __schema { queryType { name } } }"#;
    let operation = compile_with(text, json!({})).unwrap();
    let keys: Vec<&str> = operation.shape.fields.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["__type", "vessels", "t"]);
    let RootShape::Constant(Value::Map(vessel)) = &operation.shape.fields[0].1 else { panic!() };
    assert_eq!(vessel["name"], Value::String("Vessel".into()));
    assert!(format!("{:?}", vessel["fields"]).contains("homePort"));
    let RootShape::Constant(Value::Map(schema)) = &operation.shape.fields[2].1 else { panic!() };
    assert!(format!("{schema:?}").contains("Query"));
    assert!(matches!(&operation.shape.fields[1].1, RootShape::EachRow(_)));
}

#[test]
fn the_full_introspection_query_passes_the_limits() {
    let text = include_str!("introspection.graphql");
    let operation = compile_with(text, json!({})).unwrap_or_else(|errors| panic!("{errors:?}"));
    let RootShape::Constant(schema) = &operation.shape.fields[0].1 else { panic!() };
    assert!(format!("{schema:?}").contains("VesselWhere"));
    assert!(operation.query.root.is_unit());
}

#[test]
fn mistakes_are_told_with_their_place() {
    let none = json!({});
    for (text, variables, code, place, words) in [
        ("{ vessels { name }", none.clone(), "GRAPHQL_PARSE_FAILED", (1, 19), "expected"),
        ("{ vessels {\n  nam } }", none.clone(), "GRAPHQL_VALIDATION_FAILED", (2, 3), "nam"),
        ("{ vessels }", none.clone(), "GRAPHQL_VALIDATION_FAILED", (1, 3), "vessels"),
        ("{ vessels(first: \"x\") { name } }", none.clone(), "GRAPHQL_VALIDATION_FAILED", (1, 11), "first"),
        ("{ vessels(first: -1) { name } }", none.clone(), "BAD_USER_INPUT", (1, 18), "0 or more"),
        (
            "query($x: Int!) { vessels(first: $x) { name } }",
            none.clone(),
            "BAD_USER_INPUT",
            (1, 7),
            "$x of required type Int! has no value",
        ),
        (
            "query($x: Int!) { vessels(first: $x) { name } }",
            json!({"x": "two"}),
            "BAD_USER_INPUT",
            (1, 7),
            "is no Int",
        ),
        (
            "query($w: VesselWhere) { vessels(where: $w) { name } }",
            json!({"w": {"built": {"near": 1}}}),
            "GRAPHQL_VALIDATION_FAILED",
            (1, 34),
            "near",
        ),
        ("{ vessel(id: \"not an iri\") { name } }", none.clone(), "BAD_USER_INPUT", (1, 14), "neither"),
        ("mutation { x }", none.clone(), "GRAPHQL_VALIDATION_FAILED", (1, 1), "no mutation"),
        (
            "query A { __typename } query B { __typename }",
            none.clone(),
            "OPERATION_RESOLUTION_FAILURE",
            (1, 1),
            "several operations",
        ),
        ("{ ...F } fragment F on Query { ...F }", none.clone(), "GRAPHQL_VALIDATION_FAILED", (1, 30), ""),
    ] {
        check_error(text, variables, code, place, words);
    }
}

#[test]
fn what_grows_without_bound_is_refused() {
    let mut deep = String::from("name");
    for level in 0..40 {
        deep = format!("{} {{ {deep} }}", if level % 2 == 0 { "calledAtOf" } else { "calledAt" });
    }
    assert!(compile_with(&format!("{{ ports {{ {deep} }} }}"), json!({})).is_err());

    let mut bomb = String::from("{ vessels { ...F0 } } fragment F30 on Vessel { name }");
    for level in 0..30 {
        bomb.push_str(&format!(" fragment F{level} on Vessel {{ ...F{0} ...F{0} }}", level + 1));
    }
    assert!(compile_with(&bomb, json!({})).is_err());

    let mut filter = json!({});
    for _ in 0..100 {
        filter = json!({"not": filter});
    }
    let text = "query($w: VesselWhere) { vessels(where: $w) { name } }";
    check_error(text, json!({"w": filter}), "BAD_USER_INPUT", (1, 41), "nests deeper");
}

#[test]
fn the_schema_is_readable() {
    let session = session();
    let schema = SchemaCache::default().get(&session.schema, &session.vocabulary).unwrap();
    insta::assert_snapshot!(schema.sdl());
}

#[test]
fn an_empty_graph_has_a_schema() {
    let mut session = session();
    session.schema = Schema::default().into();
    let operation = compile("{ __typename }", None, &Map::new(), &session, &SchemaCache::default()).unwrap();
    assert_eq!(
        operation.shape.fields,
        [("__typename".to_owned(), RootShape::Constant(Value::String("Query".into())))]
    );
}

#[test]
fn schemas_are_kept_by_content() {
    let (cache, session) = (SchemaCache::default(), session());
    let first = cache.get(&session.schema, &session.vocabulary).unwrap();
    let mut later = session.schema.as_ref().clone();
    later.classes.values_mut().for_each(|info| info.instances += 1);
    later.predicates.values_mut().for_each(|info| info.quads += 1);
    let again = cache.get(&later, &session.vocabulary).unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &again));
    let other = cache.get(&Schema::default(), &session.vocabulary).unwrap();
    assert!(!std::sync::Arc::ptr_eq(&first, &other));
}
