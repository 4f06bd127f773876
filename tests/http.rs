//! The HTTP API over a real socket: methods, media types, addresses, statuses, as `docs/http_api.md`
//! has them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that unwraps fails, as it should")]

mod served;

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use oxrdfio::{RdfFormat, RdfParser};
use reefloom::engine::{Engine, RequestLimits, WorkspaceSettings};
use reefloom::server::{HttpOptions, HttpServices};
use serde_json::{Value as Json, json};
use served::{Reply, Served};

const DATA: &str = r#"
@prefix : <https://reefloom.org/data#> .
@prefix s: <http://s/> .
s:a a :Vessel ; :name "Aurora" ; :flag "NO" ; :homePort s:oslo .
s:b a :Vessel ; :name "Borealis" ; :flag "SE" .
s:oslo a :Port ; :name "Oslo" .
"#;

const NAMES: &str = "SELECT ?n { ?v <https://reefloom.org/data#name> ?n } ORDER BY ?n";
const RESULTS_JSON: &str = "application/sparql-results+json";
const GRAPHQL_RESPONSE: &str = "application/graphql-response+json";

fn fleet(options: HttpOptions) -> Served {
    let engine = Engine::in_memory();
    let hosted = engine.create_workspace("fleet", WorkspaceSettings::default(), 0).unwrap();
    let quads: Result<Vec<_>, _> =
        RdfParser::from_format(RdfFormat::Turtle).for_slice(DATA.as_bytes()).collect();
    hosted.workspace().load("main", [quads], "the fleet", 1).unwrap();
    Served::start(engine, options)
}

fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn options() -> HttpOptions {
    HttpOptions { query_threads: 4, ..HttpOptions::default() }
}

fn names(reply: &Reply) -> Vec<String> {
    let json = reply.json();
    let bindings = json["results"]["bindings"].as_array().unwrap_or_else(|| panic!("{}", reply.body));
    bindings.iter().map(|row| row["n"]["value"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn sparql_queries_come_in_three_ways() {
    let server = fleet(options());
    let form = format!("query={}", encode(NAMES));
    let expected = ["Aurora", "Borealis", "Oslo"];
    for reply in [
        server.get(&format!("/sparql?{form}"), "*/*"),
        server.get(&format!("/fleet/sparql?{form}"), "*/*"),
        server.get(&format!("/fleet@main/sparql?{form}"), "*/*"),
        server.get(&format!("/sparql?branch=main&{form}"), "*/*"),
        server.post("/sparql", "application/x-www-form-urlencoded", &form),
        server.post("/sparql", "application/x-www-form-urlencoded; charset=UTF-8", &form),
        server.post("/sparql", "application/sparql-query", NAMES),
        server.post("/fleet@main/sparql", "application/sparql-query; charset=\"utf-8\"", NAMES),
    ] {
        assert_eq!((reply.status, reply.header("content-type")), (200, RESULTS_JSON), "{}", reply.body);
        assert_eq!(names(&reply), expected);
        assert_eq!(reply.header("etag"), format!("W/\"{}\"", reply.header("reefloom-commit")));
        assert_eq!(reply.header("access-control-allow-origin"), "*");
        assert_eq!(reply.header("x-request-id").len(), 16);
    }
    let head = server.send("HEAD", &format!("/sparql?{form}"), &[], "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[test]
fn formats_follow_accept() {
    let server = fleet(options());
    let ask = "ASK { ?s a <https://reefloom.org/data#Port> }";
    let construct = "CONSTRUCT { ?s a ?c } { ?s a ?c }";
    for (query, accept, status, media_type, part) in [
        (NAMES, "*/*", 200, RESULTS_JSON, "Aurora"),
        (NAMES, "application/json", 200, "application/json", "\"bindings\""),
        (NAMES, "application/sparql-results+xml", 200, "application/sparql-results+xml", "<literal>Aurora"),
        (NAMES, "text/csv", 200, "text/csv; charset=utf-8", "n\r\nAurora"),
        (
            NAMES,
            "text/csv;q=0.1, text/tab-separated-values",
            200,
            "text/tab-separated-values; charset=utf-8",
            "?n\n\"Aurora\"",
        ),
        (
            NAMES,
            "text/html, application/x-json+ld, text/javascript",
            200,
            "text/javascript; charset=utf-8",
            "Aurora",
        ),
        (NAMES, "image/png", 406, "application/problem+json", "application/sparql-results+json"),
        (NAMES, "text/turtle", 406, "application/problem+json", "NOT_ACCEPTABLE"),
        (ask, "*/*", 200, RESULTS_JSON, "\"boolean\":true"),
        (ask, "application/xml", 200, "application/xml", "<boolean>true"),
        (construct, "*/*", 200, "text/turtle; charset=utf-8", "<http://s/oslo>"),
        (
            construct,
            "application/n-triples",
            200,
            "application/n-triples",
            "<http://s/oslo> <http://www.w3.org/",
        ),
        (construct, "application/ld+json", 200, "application/ld+json", "\"@id\":\"http://s/oslo\""),
        (construct, "application/rdf+xml", 200, "application/rdf+xml", "rdf:RDF"),
        (construct, "text/csv", 406, "application/problem+json", "text/turtle"),
    ] {
        let reply = server.get(&format!("/sparql?query={}", encode(query)), accept);
        let found = (reply.status, reply.header("content-type"));
        assert_eq!(found, (status, media_type), "{query} {accept}: {}", reply.body);
        assert!(reply.body.contains(part), "{query} {accept}: {}", reply.body);
    }
}

#[test]
fn the_protocol_chooses_the_dataset() {
    let server = fleet(options());
    let update = "INSERT DATA { GRAPH <http://g/1> { <http://x> <http://p> 1 } GRAPH <http://g/2> { <http://y> <http://p> 2 } }";
    assert_eq!(server.post("/sparql", "application/sparql-update", update).status, 200);
    let query = encode("SELECT ?s { ?s <http://p> ?o }");
    let count = |reply: Reply| reply.json()["results"]["bindings"].as_array().unwrap().len();
    for (graphs, expected) in [
        ("", 0),
        ("&default-graph-uri=http%3A%2F%2Fg%2F1", 1),
        ("&default-graph-uri=http%3A%2F%2Fg%2F1&default-graph-uri=http%3A%2F%2Fg%2F2", 2),
        ("&named-graph-uri=http%3A%2F%2Fg%2F1", 0),
    ] {
        assert_eq!(count(server.get(&format!("/sparql?query={query}{graphs}"), "*/*")), expected, "{graphs}");
    }
    let posted = server.post(
        "/sparql?default-graph-uri=http%3A%2F%2Fg%2F1",
        "application/sparql-query",
        "SELECT ?s { ?s <http://p> ?o }",
    );
    assert_eq!(count(posted), 1);
    let using = "DELETE { GRAPH <http://g/1> { ?s ?p ?o } } WHERE { ?s ?p ?o }";
    let reply = server.post(
        "/sparql?using-graph-uri=http%3A%2F%2Fg%2F1",
        "application/sparql-update; charset=utf-8",
        using,
    );
    assert_eq!((reply.status, reply.json()["deleted"].clone()), (200, json!(1)), "{}", reply.body);
    let bad = server.get(&format!("/sparql?query={query}&default-graph-uri=relative"), "*/*");
    assert_eq!((bad.status, bad.json()["code"].clone()), (400, json!("INVALID_IRI")));
}

#[test]
fn updates_make_commits_on_branches() {
    let server = fleet(options());
    let before = server.get(&format!("/sparql?query={}", encode(NAMES)), "*/*");
    let made = server.send(
        "POST",
        "/fleet/branches",
        &[("Content-Type", "application/json")],
        r#"{"name": "fix/one", "at": "main"}"#,
    );
    assert_eq!((made.status, made.header("location")), (201, "/fleet/branches/fix%2Fone"), "{}", made.body);
    assert_eq!(made.json()["commit"], json!(before.header("reefloom-commit")));

    let insert = "INSERT DATA { <http://s/n> <https://reefloom.org/data#name> \"New\" }";
    let update = server.send(
        "POST",
        "/fleet@fix%2Fone/sparql",
        &[("Content-Type", "application/x-www-form-urlencoded"), ("Reefloom-Message", "a new name")],
        format!("update={}", encode(insert)),
    );
    assert_eq!((update.status, update.json()["inserted"].clone()), (200, json!(1)), "{}", update.body);
    let on =
        |at: &str| names(&server.get(&format!("/fleet{at}/sparql?query={}", encode(NAMES)), "*/*")).len();
    assert_eq!((on("@fix%2Fone"), on("@main"), on("")), (4, 3, 3));
    let commit = update.header("reefloom-commit");
    assert_eq!((on(&format!("@commit:{commit}")), on(&format!("@commit:{commit}~1"))), (4, 3));

    let log = server.get("/fleet@fix%2Fone/commits?limit=1", "*/*").json();
    assert_eq!(log["commits"][0]["message"], json!("a new name"));
    assert_eq!(log["commits"][0]["id"], json!(commit));
    assert_eq!(log["commits"].as_array().unwrap().len(), 1);
    let branches = server.get("/fleet/branches", "*/*").json();
    let listed: Vec<&Json> = branches["branches"].as_array().unwrap().iter().map(|b| &b["name"]).collect();
    assert_eq!(listed, [&json!("fix/one"), &json!("main")]);
    let one = server.get("/fleet/branches/fix%2Fone", "*/*").json();
    assert_eq!((one["commit"].clone(), one["isDefault"].clone()), (json!(commit), json!(false)));

    let default = server.send(
        "PATCH",
        "/fleet/branches/fix%2Fone",
        &[("Content-Type", "application/json")],
        r#"{"isDefault": true}"#,
    );
    assert_eq!((default.status, default.json()["isDefault"].clone()), (200, json!(true)));
    assert_eq!(on(""), on("@fix%2Fone"));
    for (tag, status) in [
        ("\"bafkr4inonsense\"".to_owned(), 412),
        (before.header("etag").to_owned(), 412),
        (update.header("etag").to_owned(), 200),
        (update.header("etag").to_owned(), 412),
        ("*".to_owned(), 200),
    ] {
        let text = format!("CREATE (:Port {{name: '{status}'}})");
        let headers = [("Content-Type", "text/plain"), ("If-Match", tag.as_str())];
        let reply = server.send("POST", "/fleet@fix%2Fone/cypher", &headers, &text);
        assert_eq!(reply.status, status, "{tag}: {}", reply.body);
    }
    let clear =
        server.post("/fleet@main/sparql?message=Hafen+f%C3%BCr+Erz", "application/sparql-update", insert);
    assert_eq!(clear.status, 200, "{}", clear.body);
    let log = server.get("/fleet@main/commits?limit=1", "*/*").json();
    assert_eq!(log["commits"][0]["message"], json!("Hafen für Erz"));
    let main = r#"{"isDefault": true}"#;
    assert_eq!(
        server.send("PATCH", "/fleet/branches/main", &[("Content-Type", "application/json")], main).status,
        200
    );

    let to_commit =
        server.post(&format!("/fleet@commit:{commit}/sparql"), "application/sparql-update", insert);
    assert_eq!((to_commit.status, to_commit.json()["code"].clone()), (403, json!("FORBIDDEN")));
    assert_eq!(server.send("DELETE", "/fleet/branches/fix%2Fone", &[], "").status, 204);
    for (method, target, body, status) in [
        ("DELETE", "/fleet/branches/fix%2Fone", "", 404),
        ("DELETE", "/fleet/branches/main", "", 403),
        ("GET", "/fleet/branches/none", "", 404),
        ("PATCH", "/fleet/branches/none", main, 404),
        ("PATCH", "/fleet/branches/main", r#"{"isDefault": false}"#, 400),
        ("POST", "/fleet/branches", r#"{"name": "main"}"#, 409),
        ("POST", "/fleet/branches", r#"{"name": "x", "at": "none"}"#, 404),
        ("POST", "/fleet/branches", r#"{"at": "main"}"#, 400),
        ("POST", "/fleet/branches", r#"{"name": "no spaces"}"#, 400),
        ("GET", "/fleet/commits?limit=many", "", 400),
        ("PUT", "/fleet/branches", "", 405),
        ("POST", "/fleet/commits", "", 405),
    ] {
        let reply = server.send(method, target, &[("Content-Type", "application/json")], body);
        assert_eq!(reply.status, status, "{method} {target} {body}: {}", reply.body);
        assert_eq!(reply.header("content-type"), "application/problem+json");
    }
}

#[test]
fn cypher_answers_with_records() {
    let server = fleet(options());
    let body =
        r#"{"statement": "MATCH (v:Vessel {flag: $f}) RETURN v.name AS n, v", "parameters": {"f": "NO"}}"#;
    let reply = server.post("/fleet@main/cypher", "application/json", body);
    assert_eq!((reply.status, reply.header("content-type")), (200, "application/json"), "{}", reply.body);
    let expected = json!({"columns": ["n", "v"], "rows": [["Aurora", {
        "elementId": "http://s/a", "labels": ["Vessel"], "properties": {"flag": "NO", "name": "Aurora"},
    }]]});
    assert_eq!(reply.json(), expected);
    let text = "MATCH (v:Vessel) RETURN v.name AS n ORDER BY n";
    let raw = server.post("/cypher", "text/plain; charset=utf-8", text);
    assert_eq!(raw.json()["rows"], json!([["Aurora"], ["Borealis"]]));
    let got = server.get(&format!("/cypher?query={}", encode(text)), "text/csv");
    assert_eq!(got.body, "n\r\nAurora\r\nBorealis\r\n");

    let create = "CREATE (p:Port {name: 'Lagos'}) RETURN p.name AS n";
    let by_get = server.get(&format!("/cypher?statement={}", encode(create)), "*/*");
    assert_eq!((by_get.status, by_get.json()["code"].clone()), (403, json!("FORBIDDEN")));
    let unacceptable =
        server.send("POST", "/cypher", &[("Content-Type", "text/plain"), ("Accept", "image/png")], create);
    assert_eq!(unacceptable.status, 406);
    let reading = server.post("/cypher?readonly=true", "text/plain", create);
    assert_eq!((reading.status, reading.json()["code"].clone()), (403, json!("FORBIDDEN")));
    let posted = server.post("/cypher", "text/plain", create);
    assert_eq!((posted.status, posted.json()["rows"].clone()), (200, json!([["Lagos"]])), "{}", posted.body);
    let ports = server.post("/cypher", "text/plain", "MATCH (p:Port) RETURN count(*) AS n");
    assert_eq!(ports.json()["rows"], json!([[2]]));

    for (content_type, body, status, code) in [
        ("application/json", "{", 400, "INVALID_JSON"),
        ("application/json", "[]", 400, "INVALID_BODY"),
        ("application/json", "{}", 400, "NO_STATEMENT"),
        ("application/json", r#"{"query": "RETURN 1", "parameters": 1}"#, 400, "INVALID_PARAMETERS"),
        ("application/xml", "RETURN 1", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("text/plain", "RETURN 1 / 0", 400, "ArithmeticError"),
    ] {
        let reply = server.post("/cypher", content_type, body);
        assert_eq!(
            (reply.status, reply.json()["code"].clone()),
            (status, json!(code)),
            "{body}: {}",
            reply.body
        );
    }
    let syntax = server.post("/cypher", "text/plain", "MATCH (v)\nRETRUN v");
    let problem = syntax.json();
    assert_eq!(
        (syntax.status, problem["line"].clone(), problem["column"].clone()),
        (400, json!(2), json!(1))
    );
}

#[test]
fn graphql_speaks_its_protocol() {
    let server = fleet(options());
    let text = "{ vessels(orderBy: [{name: ASC}]) { name homePort { name } } }";
    let data = json!({"vessels": [
        {"name": "Aurora", "homePort": {"name": "Oslo"}},
        {"name": "Borealis", "homePort": null},
    ]});
    let document = json!({ "query": text }).to_string();
    let variables = json!({
        "query": "query A($f: String!) { vessels(where: {flag: {eq: $f}}) { name } } query B { __typename }",
        "operationName": "A",
        "variables": {"f": "SE"},
    });
    let old = server.post("/graphql", "application/json; charset=utf-8", &document);
    assert_eq!((old.status, old.header("content-type")), (200, "application/json"), "{}", old.body);
    assert_eq!(old.json()["data"], data);
    assert_eq!(old.json()["extensions"]["commit"], json!(old.header("reefloom-commit")));
    let got = server.get(&format!("/fleet@main/graphql?query={}", encode(text)), GRAPHQL_RESPONSE);
    assert_eq!((got.status, got.header("content-type")), (200, GRAPHQL_RESPONSE));
    assert_eq!(got.json()["data"], data);
    let named = server.post("/graphql", "application/json", &variables.to_string());
    assert_eq!(named.json()["data"], json!({"vessels": [{"name": "Borealis"}]}), "{}", named.body);

    let body = |query: &str| json!({ "query": query }).to_string();
    for (accept, content_type, body, status) in [
        ("*/*", "application/json", body("{ nothing }"), 200),
        ("application/json", "application/json", body("{ vessels {"), 200),
        (GRAPHQL_RESPONSE, "application/json", body("{ nothing }"), 400),
        (GRAPHQL_RESPONSE, "application/json", body("{ vessels {"), 400),
        ("*/*", "application/json", "{".to_owned(), 400),
        ("*/*", "application/json", "[]".to_owned(), 400),
        ("*/*", "application/json", "{}".to_owned(), 400),
        ("*/*", "application/json", r#"{"query": "{ __typename }", "variables": [1]}"#.to_owned(), 400),
        ("*/*", "application/json", r#"{"query": "{ __typename }", "operationName": 1}"#.to_owned(), 400),
        ("*/*", "application/json", r#"{"query": "{ __typename }", "extensions": 1}"#.to_owned(), 400),
        ("*/*", "text/plain", body(text), 415),
        ("*/*", "application/json; charset=latin1", body(text), 415),
    ] {
        let reply =
            server.send("POST", "/graphql", &[("Accept", accept), ("Content-Type", content_type)], &body);
        assert_eq!(reply.status, status, "{accept} {content_type} {body}: {}", reply.body);
        let json = reply.json();
        assert!(json["errors"][0]["message"].is_string() && json.get("data").is_none(), "{}", reply.body);
        assert!(json["errors"][0]["extensions"]["code"].is_string());
    }
    let place = server.post("/graphql", "application/json", &body("{\n  nothing\n}"));
    assert_eq!(place.json()["errors"][0]["locations"], json!([{"line": 2, "column": 3}]));
    assert_eq!(server.get("/graphql?query=%7B__typename%7D", "image/png").status, 406);
    assert_eq!(server.get("/graphql", "*/*").status, 400);
    assert_eq!(server.send("PUT", "/graphql", &[], "").status, 405);
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    assert_eq!(server.get("/graphql", browser).header("content-type"), "text/html; charset=utf-8");
    let linked = server.get("/graphql?query=%7B__typename%7D", browser);
    assert_eq!((linked.status, linked.header("content-type")), (200, "application/json"));
    let page = server.get("/graphql", "text/html");
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
}

#[test]
fn a_known_commit_is_not_sent_again() {
    let server = fleet(options());
    let query = format!("?query={}", encode(NAMES));
    let tag = server.get(&format!("/sparql{query}"), "*/*").header("etag").to_owned();
    let ask = |target: &str, tag: &str| server.send("GET", target, &[("If-None-Match", tag)], "");
    for target in [format!("/sparql{query}"), format!("/graphql?query={}", encode("{ __typename }"))] {
        let again = ask(&target, &format!("\"other\", {tag}"));
        assert_eq!(
            (again.status, again.body.as_str(), again.header("etag")),
            (304, "", tag.as_str()),
            "{target}"
        );
        assert_eq!(ask(&target, "\"other\"").status, 200);
    }
    let insert = "INSERT DATA { <http://s/n> <http://p> 1 }";
    assert_eq!(server.post("/sparql", "application/sparql-update", insert).status, 200);
    assert_eq!(ask(&format!("/sparql{query}"), &tag).status, 200);
    // A query sent by POST is answered in full.
    let headers = [("Content-Type", "application/sparql-query"), ("If-None-Match", tag.as_str())];
    assert_eq!(server.send("POST", "/sparql", &headers, NAMES).status, 200);
}

#[test]
fn explain_shows_plans_in_each_language() {
    let server = fleet(options());
    let plan = |reply: Reply| {
        assert_eq!((reply.status, reply.header("content-type")), (200, "text/plain; charset=utf-8"));
        let (_, rest) = reply.body.split_once("optimised plan\n").expect("an optimised plan");
        rest.split_once("\nphysical plan").expect("a physical plan").0.to_owned()
    };
    let sparql = "PREFIX : <https://reefloom.org/data#> SELECT ?n { ?v a :Vessel ; :flag 'NO' OPTIONAL { ?v :name ?n } }";
    let graphql = json!({"query": r#"{ vessels(where: {flag: {eq: "NO"}}) { name } }"#}).to_string();
    let from_sparql = plan(server.post("/sparql?explain=true", "application/sparql-query", sparql));
    let from_graphql = plan(server.post("/graphql?explain", "application/json", &graphql));
    assert_eq!(from_sparql, from_graphql);
    let cypher = plan(server.post("/cypher", "text/plain", "EXPLAIN MATCH (v:Vessel) RETURN v.name"));
    assert!(cypher.contains("LeftJoin"), "{cypher}");
    let bad = server.post("/cypher?explain=perhaps", "text/plain", "RETURN 1");
    assert_eq!((bad.status, bad.json()["code"].clone()), (400, json!("BAD_PARAMETER")));
}

#[test]
fn refusals_say_what_was_wrong() {
    let server = fleet(HttpOptions { body_bytes_max: 1_000, ..options() });
    let query = format!("query={}", encode(NAMES));
    let (form, raw, update) =
        ("application/x-www-form-urlencoded", "application/sparql-query", "application/sparql-update");
    let long = format!("{NAMES}#{}", "x".repeat(1_000));
    for (method, target, content_type, body, status, code) in [
        ("GET", "/sparql?default-graph-uri=http%3A%2F%2Fg", "", "", 400, "NO_OPERATION"),
        ("POST", "/sparql", form, "", 400, "NO_OPERATION"),
        ("POST", "/sparql", form, "query=ASK+%7B%7D&update=CLEAR+ALL", 400, "AMBIGUOUS_OPERATION"),
        ("POST", "/sparql", form, "query=ASK+%7B%7D&query=ASK+%7B%7D", 400, "DUPLICATE_PARAMETER"),
        ("GET", &format!("/fleet@main/sparql?branch=other&{query}"), "", "", 400, "AMBIGUOUS_ADDRESS"),
        ("GET", &format!("/fleet@/sparql?{query}"), "", "", 400, "AMBIGUOUS_ADDRESS"),
        ("GET", &format!("/nowhere/sparql?{query}"), "", "", 404, "UNKNOWN_WORKSPACE"),
        ("GET", &format!("/fleet@nowhere/sparql?{query}"), "", "", 404, "UNKNOWN_REF"),
        ("GET", &format!("/fleet@commit:nowhere/sparql?{query}"), "", "", 404, "UNKNOWN_REF"),
        ("POST", "/nowhere@main/sparql", update, "CLEAR ALL", 404, "UNKNOWN_WORKSPACE"),
        ("GET", "/nowhere/branches", "", "", 404, "UNKNOWN_WORKSPACE"),
        ("GET", "/no/such/path", "", "", 404, "UNKNOWN_PATH"),
        ("GET", "/sparql?update=CLEAR+ALL", "", "", 405, "METHOD_NOT_ALLOWED"),
        ("PUT", "/sparql", raw, NAMES, 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "/cypher", "", "", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/healthz", "", "", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/sparql", raw, &long, 413, "PAYLOAD_TOO_LARGE"),
        ("POST", "/sparql", "text/plain", NAMES, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", "/sparql", "", NAMES, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", "/sparql", "application/sparql-query; charset=latin1", NAMES, 415, "UNSUPPORTED_MEDIA_TYPE"),
    ] {
        let headers: &[(&str, &str)] =
            if content_type.is_empty() { &[] } else { &[("Content-Type", content_type)] };
        let reply = server.send(method, target, headers, body);
        let problem = reply.json();
        assert_eq!((reply.status, &problem["code"]), (status, &json!(code)), "{method} {target} {body}");
        assert_eq!(reply.header("content-type"), "application/problem+json");
        assert_eq!(problem["status"], json!(status));
        assert_eq!(problem["requestId"], json!(reply.header("x-request-id")));
        if status == 405 {
            assert!(!reply.header("allow").is_empty());
        }
        if status == 404 && code != "UNKNOWN_PATH" {
            assert!(problem["detail"].as_str().unwrap().contains("nowhere"), "{}", reply.body);
        }
    }
}

#[test]
fn syntax_errors_have_a_place() {
    let server = fleet(options());
    let target = format!("/sparql?query={}", encode("SELECT *\nWHERE { ?s ?p }"));
    let problem = server.get(&target, "application/json");
    assert_eq!((problem.status, problem.header("content-type")), (400, "application/problem+json"));
    assert_eq!(problem.json()["line"], json!(2), "{}", problem.body);
    assert!(problem.json()["column"].as_u64().unwrap() > 1);
    let text = server.get(&target, RESULTS_JSON);
    assert_eq!((text.status, text.header("content-type")), (400, "text/plain; charset=utf-8"));
    assert!(text.body.starts_with("line 2, column "), "{}", text.body);
}

#[test]
fn writes_can_be_closed_and_other_sites_kept_out() {
    let server = fleet(HttpOptions { read_only: true, ..options() });
    let reply = server.post("/sparql", "application/sparql-update", "CLEAR ALL");
    assert_eq!((reply.status, reply.json()["code"].clone()), (403, json!("READ_ONLY")));
    assert_eq!(server.post("/cypher", "text/plain", "CREATE (:X)").status, 403);
    assert_eq!(server.post("/fleet/branches", "application/json", r#"{"name": "x"}"#).status, 403);
    assert_eq!(server.post("/sparql", "application/sparql-query", NAMES).status, 200);

    let server = fleet(options());
    let from = |origin: &str, content_type: &str, body: &str| {
        server.send("POST", "/sparql", &[("Origin", origin), ("Content-Type", content_type)], body)
    };
    let update = "application/sparql-update";
    assert_eq!(from("https://evil.example", update, "CLEAR ALL").json()["code"], json!("CROSS_ORIGIN_WRITE"));
    assert_eq!(from("https://evil.example", "application/sparql-query", NAMES).status, 200);
    assert_eq!(from("http://localhost:5173", update, "CLEAR ALL").status, 200);
    let preflight = server.send("OPTIONS", "/sparql", &[("Origin", "https://x.example")], "");
    assert_eq!(preflight.status, 204);
    assert!(preflight.header("access-control-allow-methods").contains("POST"));
}

/// Too many combinations to count.
const SLOW: &str = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l . ?m ?n1 ?o . ?p ?q ?r . ?s ?t ?u . ?v ?w ?x \
                FILTER(STR(?a) != STR(?v)) }";

#[test]
fn limits_end_queries() {
    let limits = RequestLimits { timeout: Duration::from_millis(50), ..RequestLimits::default() };
    let server = fleet(HttpOptions { limits, ..options() });
    let reply = server.post("/sparql", "application/sparql-query", SLOW);
    assert_eq!(
        (reply.status, reply.json()["code"].clone()),
        (503, json!("DEADLINE_EXCEEDED")),
        "{}",
        reply.body
    );
}

#[test]
fn a_result_past_its_cap_is_an_error() {
    let limits = RequestLimits { rows_max: Some(100), ..RequestLimits::default() };
    let served = fleet(HttpOptions { limits, ..options() });
    let rows = |limit: u32| {
        let query = format!("SELECT ?a ?d ?g {{ ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }} LIMIT {limit}");
        served.post("/sparql", "application/sparql-query", &query)
    };
    assert_eq!(rows(100).json()["results"]["bindings"].as_array().unwrap().len(), 100);
    let more = rows(101);
    assert_eq!((more.status, more.json()["code"].clone()), (503, json!("ROWS_EXCEEDED")), "{}", more.body);
}

#[test]
fn only_allowed_endpoints_are_asked() {
    let other = fleet(options());
    let insert = "INSERT DATA { <http://s/z> <https://reefloom.org/data#name> [] }";
    assert_eq!(other.post("/sparql", "application/sparql-update", insert).status, 200);
    let endpoint = format!("http://{}/sparql", other.address);
    let services = Arc::new(HttpServices::new(vec![endpoint.clone()]));
    let served = fleet(HttpOptions { services: Some(services), ..options() });
    let ask = |endpoint: &str, pattern: &str| {
        let query = format!("SELECT ?n {{ SERVICE <{endpoint}> {{ {pattern} }} }}");
        served.post("/sparql", "application/sparql-query", &query)
    };
    let names = "?v <https://reefloom.org/data#name> ?n";
    assert_eq!(ask(&endpoint, names).json()["results"]["bindings"].as_array().unwrap().len(), 4);
    let described = served.get("/sparql", "text/turtle").body;
    assert!(described.contains("BasicFederatedQuery"), "{described}");
    for (endpoint, part) in [
        (format!("http://{}/fleet/sparql", other.address), "--service"),
        (format!("http://{}/sparql", served.address), "--service"),
    ] {
        let refused = ask(&endpoint, names);
        assert_eq!((refused.status, refused.json()["code"].clone()), (502, json!("SERVICE_FAILED")));
        assert!(refused.body.contains(part), "{}", refused.body);
    }
    let no_services = fleet(options()).post(
        "/sparql",
        "application/sparql-query",
        &format!("SELECT * {{ SERVICE <{endpoint}> {{ {names} }} }}"),
    );
    assert_eq!(no_services.status, 502, "{}", no_services.body);
}

#[test]
fn running_queries_are_listed_and_cancelled() {
    let served = fleet(options());
    assert_eq!(served.get("/v1/queries", "*/*").json(), json!({"queries": []}));
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| served.post("/fleet@main/sparql", "application/sparql-query", SLOW));
        let running = loop {
            let list = served.get("/v1/queries", "*/*").json();
            match list["queries"].get(0) {
                Some(query) => break query.clone(),
                None => std::thread::yield_now(),
            }
        };
        let said = [&running["language"], &running["workspace"], &running["ref"], &running["text"]];
        assert_eq!(said, [&json!("sparql"), &json!("fleet"), &json!("main"), &json!(SLOW)]);
        let query = format!("/v1/queries/{}", running["id"].as_str().unwrap());
        assert_eq!(served.send("GET", &query, &[], "").status, 405);
        assert_eq!(served.send("DELETE", &query, &[("Origin", "https://evil.example")], "").status, 403);
        assert_eq!(served.send("DELETE", &query, &[], "").status, 204);
        let slow = slow.join().unwrap();
        assert_eq!((slow.status, slow.json()["code"].clone()), (503, json!("CANCELLED")), "{}", slow.body);
        assert_eq!(slow.json()["requestId"], running["id"]);
        assert_eq!(served.send("DELETE", &query, &[], "").json()["code"], json!("UNKNOWN_QUERY"));
    });
}

#[test]
fn the_node_tells_of_itself() {
    let server = fleet(options());
    assert_eq!(server.get("/healthz", "*/*").body, "ok\n");
    assert_eq!(server.get("/readyz", "*/*").body, "ready\n");
    let page = server.get("/", "text/html");
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let status = server.get("/v1/cluster/status", "*/*").json();
    assert_eq!(status["workspaces"][0]["name"], json!("fleet"));
    assert_eq!(status["workspaces"][0]["branches"][0]["name"], json!("main"));
}

#[test]
fn an_endpoint_describes_itself() {
    let served = fleet(options());
    for (accept, status, media_type, part) in [
        ("*/*", 200, "text/turtle; charset=utf-8", "sd:supportedLanguage"),
        ("application/rdf+xml", 200, "application/rdf+xml", "SPARQL11Update"),
        ("image/png", 406, "application/problem+json", "text/turtle"),
    ] {
        let reply = served.get("/fleet@main/sparql", accept);
        assert_eq!((reply.status, reply.header("content-type")), (status, media_type), "{}", reply.body);
        assert!(reply.body.contains(part), "{}", reply.body);
    }
    let read_only = fleet(HttpOptions { read_only: true, ..options() });
    assert!(!read_only.get("/sparql", "*/*").body.contains("SPARQL11Update"));
    assert_eq!(served.get("/fleet@nowhere/sparql", "*/*").status, 404);
}

#[test]
fn answers_are_packed_for_who_takes_it() {
    let served = fleet(options());
    let query = |query: &str, encoding: &str| {
        let target = format!("/sparql?query={}", encode(query));
        served.send("GET", &target, &[("Accept", "text/csv"), ("Accept-Encoding", encoding)], "")
    };
    let long = "SELECT ?a ?c ?f ?i { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }";
    let middle = "SELECT ?a ?c ?f { ?a ?b ?c . ?d ?e ?f }";
    for text in [long, middle] {
        let plain = query(text, "identity");
        assert_eq!(plain.header("content-encoding"), "");
        assert_eq!(plain.header("vary"), "Accept, Accept-Encoding");
        let gzip = query(text, "gzip, deflate");
        assert_eq!(gzip.header("content-encoding"), "gzip");
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(gzip.bytes.as_slice()).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, plain.body);
        let zstd = query(text, "gzip, zstd");
        assert_eq!(zstd.header("content-encoding"), "zstd");
        assert_eq!(zstd::decode_all(zstd.bytes.as_slice()).unwrap(), plain.bytes);
        assert!(zstd.bytes.len() < plain.bytes.len() / 2);
    }
    let short = query(NAMES, "gzip");
    assert_eq!((short.header("content-encoding"), short.header("content-length")), ("", "27"));
}

#[test]
fn a_large_answer_streams_whole() {
    let server = fleet(options());
    let query = "SELECT ?a ?c ?f ?i { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }";
    let reply = server.get(&format!("/sparql?query={}", encode(query)), "text/csv");
    assert_eq!(reply.header("transfer-encoding"), "chunked");
    let quads = 9usize;
    assert_eq!(reply.body.lines().count(), quads.pow(4) + 1);
}
