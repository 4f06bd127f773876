//! GraphQL from text to response over a small graph, in a workspace in memory: optimised and not, the
//! answer is the same.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that unwraps fails, as it should")]

use std::sync::Arc;

use oxrdfio::{RdfFormat, RdfParser};
use reefloom::dataset::Dataset;
use reefloom::engine::{Engine, WorkspaceSettings};
use reefloom::execute::{Context, execute};
use reefloom::language::graphql::{SchemaCache, compile};
use reefloom::model::{Map, Value, Vocabulary};
use reefloom::optimize::optimize;
use reefloom::plan::{GraphSelector, Query, Session, Shape};
use reefloom::results::GraphqlWriter;
use serde_json::{Value as Json, json};

const DATA: &str = r#"
@prefix : <https://reefloom.org/data#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix s: <http://s/> .

s:oslo a :Port ; :name "Oslo" ; :country s:no .
s:bergen a :Port ; :name "Bergen" ; :country s:no .
s:lagos a :Port ; :name "Lagos" .
s:no a :Country ; :code "NO" ; rdfs:label "Norway"@en, "Norge"@nb, "Norwegen"@de .

s:a a :Vessel ; :name "Aurora" ; :flag "NO" ; :built 1998 ; :draught 7.5 ; :active true ;
  :launched "1997-06-01"^^xsd:date ; :homePort s:oslo ; :calledAt s:oslo, s:bergen ; :tag "b", "a" ; :owner s:acme .
s:b a :Vessel ; :name "Borealis" ; :flag "NO" ; :built 2010 ; :calledAt s:lagos ; :owner s:eve .
s:c a :Vessel ; :name "Corona" ; :flag "SE" ; :built 1985 ; :homePort s:bergen .
s:d a :Vessel ; :name "Dory" .
s:acme a :Company ; :title "Acme" .
s:eve a :Person ; :age 40 .
"#;

struct World {
    dataset: Arc<dyn Dataset>,
    session: Session,
    schemas: SchemaCache,
}

fn world() -> World {
    let engine = Engine::in_memory();
    let hosted = engine.create_workspace("fleet", WorkspaceSettings::default(), 0).unwrap();
    let quads: Result<Vec<_>, _> =
        RdfParser::from_format(RdfFormat::Turtle).for_slice(DATA.as_bytes()).collect();
    hosted.workspace().load("main", [quads], "the fleet", 1).unwrap();
    let dataset = hosted.workspace().snapshot(hosted.resolve(None).unwrap()).unwrap();
    let session = Session {
        default_graph: GraphSelector::Default,
        named_graphs: None,
        vocabulary: Vocabulary::default(),
        schema: dataset.schema().unwrap(),
    };
    World { dataset, session, schemas: SchemaCache::default() }
}

impl World {
    fn run(&self, query: &Query, shape: &Shape) -> Json {
        let mut context = Context::new(self.dataset.clone());
        context.default_graph = GraphSelector::Default;
        let mut rows = execute(query, Arc::new(context)).unwrap();
        let mut writer = GraphqlWriter::new(Vec::new(), shape).unwrap();
        while let Some(batch) = rows.next_values().unwrap() {
            writer.write(&batch).unwrap();
        }
        serde_json::from_slice(&writer.finish(&[]).unwrap()).unwrap()
    }

    #[track_caller]
    fn check(&self, text: &str, variables: Map, expected: Json) {
        let operation = compile(text, None, &variables, &self.session, &self.schemas)
            .unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
        let plain = self.run(&operation.query, &operation.shape);
        assert_eq!(plain, json!({ "data": expected }), "{text}");
        let optimised = optimize(operation.query, self.dataset.as_ref()).unwrap();
        assert_eq!(self.run(&optimised, &operation.shape), plain, "{text}, optimised");
    }
}

#[test]
fn operations_answer() {
    let world = world();
    for (text, expected) in [
        (
            "{ vessels(orderBy: [{name: ASC}]) { name built homePort { name } } }",
            json!({"vessels": [
                {"name": "Aurora", "built": 1998, "homePort": {"name": "Oslo"}},
                {"name": "Borealis", "built": 2010, "homePort": null},
                {"name": "Corona", "built": 1985, "homePort": {"name": "Bergen"}},
                {"name": "Dory", "built": null, "homePort": null},
            ]}),
        ),
        (
            r#"{ vessels(where: {flag: {eq: "NO"}}, orderBy: [{built: DESC}], first: 1) { name } }"#,
            json!({"vessels": [{"name": "Borealis"}]}),
        ),
        (
            "{ vessels(orderBy: [{built: DESC}], first: 2, offset: 1) { name } }",
            json!({"vessels": [{"name": "Borealis"}, {"name": "Aurora"}]}),
        ),
        (
            "{ byIri: vessels(orderBy: [{iri: DESC}], first: 2) { iri } byId: ports(orderBy: [{id: ASC}]) { id } }",
            json!({
                "byIri": [{"iri": "http://s/d"}, {"iri": "http://s/c"}],
                "byId": [{"id": "http://s/bergen"}, {"id": "http://s/lagos"}, {"id": "http://s/oslo"}],
            }),
        ),
        (
            r#"{ vessels(where: {name: {startsWith: "A"}}) { draught active launched tag calledAt(orderBy: [{name: ASC}]) { name } } }"#,
            json!({"vessels": [{
                "draught": 7.5, "active": true, "launched": "1997-06-01", "tag": ["a", "b"],
                "calledAt": [{"name": "Bergen"}, {"name": "Oslo"}],
            }]}),
        ),
        (
            r#"{ ports(where: {name: {eq: "Oslo"}}) { name homePortOf { name } calledAtOf(where: {built: {lt: 1990}}) { name }
                country { code label(lang: ["nb", "en"]) } } }"#,
            json!({"ports": [{
                "name": "Oslo", "homePortOf": [{"name": "Aurora"}], "calledAtOf": [],
                "country": {"code": "NO", "label": ["Norge", "Norway"]},
            }]}),
        ),
        (
            "{ ports(orderBy: [{name: DESC}], first: 2) { name calledAtOf { name } } }",
            json!({"ports": [
                {"name": "Oslo", "calledAtOf": [{"name": "Aurora"}]},
                {"name": "Lagos", "calledAtOf": [{"name": "Borealis"}]},
            ]}),
        ),
        (
            r#"{ vessel(id: "http://s/a") { id iri types __typename name tag } nobody: vessel(id: "http://s/oslo") { name } }"#,
            json!({
                "vessel": {"id": "http://s/a", "iri": "http://s/a", "types": ["Vessel"], "__typename": "Vessel",
                    "name": "Aurora", "tag": ["a", "b"]},
                "nobody": null,
            }),
        ),
        (
            r#"{ vessel(id: "http://s/d") { name calledAt { name } } }"#,
            json!({"vessel": {"name": "Dory", "calledAt": []}}),
        ),
        (r#"{ vessel(id: "http://s/none") { name } }"#, json!({"vessel": null})),
        (
            r#"{ node(id: "http://s/no") { __typename ... on Country { code } ... on Port { name } } }"#,
            json!({"node": {"__typename": "Country", "code": "NO"}}),
        ),
        (r#"{ node(id: "http://s/none") { id } }"#, json!({"node": null})),
        (
            r#"{ vessels(where: {owner: {id: {ne: "http://s/x"}}}, orderBy: [{name: ASC}])
                { owner { __typename ... on Company { title } ... on Person { age } } } }"#,
            json!({"vessels": [
                {"owner": {"__typename": "Company", "title": "Acme"}},
                {"owner": {"__typename": "Person", "age": 40}},
            ]}),
        ),
        (
            r#"{ vesselsAggregate(where: {flag: {exists: true}}) { n: count } all: vesselsAggregate { count } }"#,
            json!({"vesselsAggregate": {"n": 3}, "all": {"count": 4}}),
        ),
        (
            r#"{ old: vessels(where: {built: {lt: 1990}}) { name } ports(orderBy: [{name: ASC}]) { name } __typename }"#,
            json!({
                "old": [{"name": "Corona"}],
                "ports": [{"name": "Bergen"}, {"name": "Lagos"}, {"name": "Oslo"}],
                "__typename": "Query",
            }),
        ),
        (r#"{ vessels(where: {name: {eq: "Nobody"}}) { name } }"#, json!({"vessels": []})),
        ("{ __typename }", json!({"__typename": "Query"})),
        (
            r#"{ __type(name: "Port") { kind } vessels(where: {name: {eq: "Dory"}}) { name } }"#,
            json!({"__type": {"kind": "OBJECT"}, "vessels": [{"name": "Dory"}]}),
        ),
    ] {
        world.check(text, Map::new(), expected);
    }
}

#[test]
fn conditions_hold_where_they_should() {
    let world = world();
    for (condition, expected) in [
        (r#"{flag: {eq: "NO"}}"#, vec!["Aurora", "Borealis"]),
        (r#"{flag: {ne: "NO"}}"#, vec!["Corona"]),
        (r#"{not: {flag: {eq: "NO"}}}"#, vec!["Corona", "Dory"]),
        (r#"{flag: {in: ["SE", "DK"]}}"#, vec!["Corona"]),
        (r#"{flag: {notIn: ["SE", "DK"]}}"#, vec!["Aurora", "Borealis"]),
        ("{flag: {exists: false}}", vec!["Dory"]),
        ("{flag: {eq: null}}", vec!["Dory"]),
        ("{built: {gte: 1985, lte: 1998}}", vec!["Aurora", "Corona"]),
        ("{built: {eq: 2010}}", vec!["Borealis"]),
        ("{draught: {gt: 7}}", vec!["Aurora"]),
        ("{active: {eq: true}}", vec!["Aurora"]),
        (r#"{launched: {lt: "2000-01-01"}}"#, vec!["Aurora"]),
        (r#"{name: {contains: "or", endsWith: "a"}}"#, vec!["Aurora", "Corona"]),
        (r#"{name: {regex: "^[BD]"}}"#, vec!["Borealis", "Dory"]),
        (r#"{tag: {eq: "a"}}"#, vec!["Aurora"]),
        (r#"{tag: {startsWith: "b"}}"#, vec!["Aurora"]),
        ("{tag: {exists: false}}", vec!["Borealis", "Corona", "Dory"]),
        (r#"{homePort: {name: {eq: "Oslo"}}}"#, vec!["Aurora"]),
        (r#"{homePort: {country: {code: {eq: "NO"}}}}"#, vec!["Aurora", "Corona"]),
        ("{homePort: {exists: true}}", vec!["Aurora", "Corona"]),
        ("{homePort: {exists: false}}", vec!["Borealis", "Dory"]),
        ("{homePort: {exists: null}, flag: {exists: true}}", vec!["Aurora", "Corona"]),
        (r#"{homePort: {exists: false, name: {eq: "Oslo"}}}"#, vec![]),
        (r#"{homePort: {exists: true, name: {eq: "Oslo"}}}"#, vec!["Aurora"]),
        ("{homePort: {country: {exists: false}}}", vec![]),
        (r#"{or: [{homePort: {exists: false}}, {built: {lt: 1990}}]}"#, vec!["Borealis", "Corona", "Dory"]),
        ("{not: {homePort: {exists: true}}}", vec!["Borealis", "Dory"]),
        ("{owner: {exists: true}}", vec!["Aurora", "Borealis"]),
        ("{owner: {exists: false}}", vec!["Corona", "Dory"]),
        (r#"{calledAt: {some: {name: {eq: "Lagos"}}}}"#, vec!["Borealis"]),
        (r#"{calledAt: {none: {name: {eq: "Lagos"}}}}"#, vec!["Aurora", "Corona", "Dory"]),
        (r#"{calledAt: {all: {country: {code: {eq: "NO"}}}}}"#, vec!["Aurora", "Corona", "Dory"]),
        ("{calledAt: {exists: true}}", vec!["Aurora", "Borealis"]),
        ("{calledAt: {exists: false}}", vec!["Corona", "Dory"]),
        (r#"{or: [{flag: {eq: "SE"}}, {built: {gt: 2000}}]}"#, vec!["Borealis", "Corona"]),
        (
            r#"{or: [{homePort: {name: {eq: "Oslo"}}}, {calledAt: {some: {name: {eq: "Lagos"}}}}]}"#,
            vec!["Aurora", "Borealis"],
        ),
        (r#"{not: {calledAt: {all: {name: {eq: "Oslo"}}}}}"#, vec!["Aurora", "Borealis"]),
        (r#"{and: [{flag: {eq: "NO"}}, {not: {tag: {exists: true}}}]}"#, vec!["Borealis"]),
        (r#"{id: {in: ["http://s/a", "http://s/d", "http://s/oslo"]}}"#, vec!["Aurora", "Dory"]),
        (r#"{id: {ne: "http://s/a"}, flag: {eq: "NO"}}"#, vec!["Borealis"]),
        ("{or: []}", vec![]),
        ("{and: [], not: null}", vec!["Aurora", "Borealis", "Corona", "Dory"]),
        (r#"{flag: {eq: "NO", ne: "SE"}, built: {}}"#, vec!["Aurora", "Borealis"]),
    ] {
        let text = format!("{{ vessels(where: {condition}, orderBy: [{{name: ASC}}]) {{ name }} }}");
        let vessels: Vec<Json> = expected.iter().map(|name| json!({ "name": name })).collect();
        world.check(&text, Map::new(), json!({ "vessels": vessels }));
    }
}

#[test]
fn variables_reach_the_plan() {
    let world = world();
    let flags = Value::List(vec![Value::String("NO".into())]);
    world.check(
        "query($f: [String!]!, $n: Int = 1, $all: Boolean = false) { \
         vessels(where: {flag: {in: $f}}, first: $n, orderBy: {name: DESC}) { name built @include(if: $all) } }",
        [("f".to_owned(), flags)].into(),
        json!({"vessels": [{"name": "Borealis"}]}),
    );
}
