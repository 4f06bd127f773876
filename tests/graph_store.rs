//! The Graph Store Protocol over a real socket, past what the W3C suite asks: branches, conditions,
//! patches, and what is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that unwraps fails, as it should")]

mod served;

use reefloom::engine::{Engine, WorkspaceSettings};
use reefloom::server::HttpOptions;
use serde_json::json;
use served::{Reply, Served};

const TURTLE: &str = "text/turtle";
const GRAPH: &str = "/rdf-graph-store?graph=http%3A%2F%2Fg%2F1";

fn start() -> Served {
    let engine = Engine::in_memory();
    engine.create_workspace("fleet", WorkspaceSettings::default(), 0).unwrap();
    Served::start(engine, HttpOptions { body_bytes_max: 10_000, ..HttpOptions::default() })
}

fn put(served: &Served, target: &str, body: &str) -> Reply {
    served.send("PUT", target, &[("Content-Type", TURTLE)], body)
}

/// Returns the graph's lines, sorted.
fn lines(served: &Served, target: &str) -> Vec<String> {
    let reply = served.get(target, "application/n-triples");
    assert_eq!(reply.status, 200, "{target}: {}", reply.body);
    let mut lines: Vec<String> = reply.body.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn a_graph_is_one_thing_however_it_is_named() {
    let served = start();
    let direct = "/fleet/rdf-graph-store/ships/a";
    assert_eq!(put(&served, direct, "<> <http://p> <b>").status, 400);
    assert_eq!(put(&served, direct, "<> <http://p> <b> .").status, 201);
    let iri = format!("http://{}{direct}", served.address);
    let expected =
        [format!("<{iri}> <http://p> <http://{}/fleet/rdf-graph-store/ships/b> .", served.address)];
    assert_eq!(lines(&served, direct), expected);
    assert_eq!(lines(&served, &format!("/rdf-graph-store?graph={iri}")), expected);
    let query = format!("SELECT ?o {{ GRAPH <{iri}> {{ ?s ?p ?o }} }}");
    let found = served.post("/sparql", "application/sparql-query", &query).json();
    assert_eq!(found["results"]["bindings"].as_array().unwrap().len(), 1);
    assert!(lines(&served, "/rdf-graph-store?default").is_empty());
}

#[test]
fn a_graph_keeps_its_name_on_other_branches() {
    let served = start();
    let direct = "/rdf-graph-store/a";
    assert_eq!(put(&served, "/fleet/rdf-graph-store/a", "<http://s> <http://p> 1 .").status, 201);
    let branch = served.post("/fleet/branches", "application/json", r#"{"name": "draft"}"#);
    assert_eq!(branch.status, 201);
    assert_eq!(put(&served, "/fleet@draft/rdf-graph-store/a", "<http://s> <http://p> 2 .").status, 204);
    let of = |at: &str| lines(&served, &format!("/fleet{at}{direct}"));
    assert_eq!(of("").len(), 1);
    assert!(of("")[0].contains("\"1\"") && of("@draft")[0].contains("\"2\""));
    assert!(of("%40draft")[0].contains("\"2\""));
    let log = served.get("/fleet@draft/commits?limit=1", "*/*").json();
    let message = format!("PUT http://{}/fleet/rdf-graph-store/a", served.address);
    assert_eq!(log["commits"][0]["message"], json!(message));
}

#[test]
fn writes_are_conditional_and_tell_their_commit() {
    let served = start();
    let made = put(&served, GRAPH, "<http://s> <http://p> 1, 2 .");
    assert_eq!((made.status, made.json()["inserted"].clone()), (201, json!(2)), "{}", made.body);
    let commit = made.header("reefloom-commit").to_owned();
    assert_eq!(made.json()["commit"], json!(commit));
    let again = served.send("GET", GRAPH, &[("If-None-Match", made.header("etag"))], "");
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    for (tag, status) in [("\"other\"", 412), (made.header("etag"), 204), (made.header("etag"), 412)] {
        let headers = [("Content-Type", TURTLE), ("If-Match", tag)];
        let reply = served.send("PUT", GRAPH, &headers, "<http://s> <http://p> 3 .");
        assert_eq!(reply.status, status, "{tag}: {}", reply.body);
    }
    assert_eq!(lines(&served, GRAPH).len(), 1);
    let old = format!("/fleet@commit:{commit}{GRAPH}");
    assert_eq!(lines(&served, &old).len(), 2);
    assert_eq!(put(&served, &old, "").status, 403);
}

#[test]
fn a_patch_is_an_update_of_the_one_graph() {
    let served = start();
    put(&served, "/rdf-graph-store?default", "<http://s> <http://p> 1 .");
    put(&served, GRAPH, "<http://s> <http://p> 2 .");
    let patch = "DELETE { ?s ?p ?o } INSERT { ?s ?p 3 } WHERE { ?s ?p ?o }";
    let reply = served.send("PATCH", GRAPH, &[("Content-Type", "application/sparql-update")], patch);
    assert_eq!((reply.status, reply.json()["deleted"].clone()), (200, json!(1)), "{}", reply.body);
    assert!(lines(&served, GRAPH)[0].contains("\"3\""));
    assert!(lines(&served, "/rdf-graph-store?default")[0].contains("\"1\""));
}

#[test]
fn posts_add_and_deletes_take_away() {
    let served = start();
    let post = |target: &str| served.post(target, TURTLE, "<http://s> <http://p> [] .");
    assert_eq!((post(GRAPH).status, post(GRAPH).status), (201, 200));
    assert_eq!(lines(&served, GRAPH).len(), 2);
    let minted = post("/fleet/rdf-graph-store");
    assert_eq!(minted.status, 201);
    let path = minted.header("location").split_once(&served.address.to_string()).unwrap().1;
    assert_eq!(lines(&served, path).len(), 1);
    let delete = |target: &str| served.send("DELETE", target, &[], "").status;
    assert_eq!((delete(GRAPH), delete(GRAPH)), (200, 404));
    assert_eq!((delete("/rdf-graph-store?default"), delete("/rdf-graph-store?default")), (200, 200));
    assert_eq!(served.get(GRAPH, "*/*").status, 404);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let served = start();
    let long = format!("<http://s> <http://p> \"{}\" .", "x".repeat(10_000));
    for (method, target, content_type, body, status, code) in [
        ("GET", "/rdf-graph-store", "", "", 400, "NO_GRAPH"),
        ("GET", "/rdf-graph-store?graph=relative", "", "", 400, "INVALID_IRI"),
        ("GET", "/rdf-graph-store?default&graph=http%3A%2F%2Fg", "", "", 400, "AMBIGUOUS_GRAPH"),
        ("GET", "/rdf-graph-store/x?default", "", "", 400, "AMBIGUOUS_GRAPH"),
        ("GET", "/nowhere/rdf-graph-store?default", "", "", 404, "UNKNOWN_WORKSPACE"),
        ("GET", GRAPH, "", "", 404, "UNKNOWN_GRAPH"),
        ("PUT", GRAPH, "", "<http://s> <http://p> 1 .", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("PUT", GRAPH, "text/csv", "a,b", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("PUT", GRAPH, "text/turtle; charset=latin1", "", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("PUT", GRAPH, TURTLE, long.as_str(), 413, "PAYLOAD_TOO_LARGE"),
        ("PUT", GRAPH, "application/trig", "<http://h> { <http://s> <http://p> 1 }", 400, "MALFORMED_RDF"),
        ("POST", GRAPH, "multipart/form-data", "", 400, "INVALID_BODY"),
        ("PATCH", GRAPH, TURTLE, "", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("TRACE", GRAPH, "", "", 405, "METHOD_NOT_ALLOWED"),
    ] {
        let headers: &[(&str, &str)] =
            if content_type.is_empty() { &[] } else { &[("Content-Type", content_type)] };
        let reply = served.send(method, target, headers, body);
        assert_eq!((reply.status, reply.json()["code"].clone()), (status, json!(code)), "{method} {target}");
    }
    let broken = put(&served, GRAPH, "<http://s> <http://p> 1 .\n<http://s> 2 .").json();
    assert_eq!((broken["line"].clone(), broken["column"].clone()), (json!(2), json!(12)), "{broken}");
    let foreign = [("Content-Type", TURTLE), ("Origin", "https://evil.example")];
    assert_eq!(served.send("PUT", GRAPH, &foreign, "").status, 403);
}
