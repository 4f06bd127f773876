//! Neo4j's Query API over a real socket: statements by themselves and in transactions, plain and typed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that unwraps fails, as it should")]

mod served;

use reefloom::engine::{Engine, WorkspaceSettings};
use reefloom::server::HttpOptions;
use serde_json::{Value as Json, json};
use served::{Reply, Served};

const TYPED: &str = "application/vnd.neo4j.query";

fn fleet(options: HttpOptions) -> Served {
    let engine = Engine::in_memory();
    let fleet = engine.create_workspace("fleet", WorkspaceSettings::default(), 0).unwrap();
    fleet.create_branch("draft", None).unwrap();
    Served::start(engine, options)
}

fn post(served: &Served, target: &str, body: &Json) -> Reply {
    served.send("POST", target, &[("Content-Type", "application/json")], body.to_string())
}

fn json_of(reply: &Reply) -> Json {
    serde_json::from_str(&reply.body).unwrap_or_else(|error| panic!("{error}: {}", reply.body))
}

fn query(served: &Served, statement: &str) -> Json {
    let reply = post(served, "/db/neo4j/query/v2", &json!({ "statement": statement }));
    assert_eq!(reply.status, 202, "{}", reply.body);
    json_of(&reply)["data"]["values"].clone()
}

/// Returns the status and the code of the first error.
fn failure(reply: &Reply) -> (u16, String) {
    (reply.status, json_of(reply)["errors"][0]["code"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_statement_is_answered_as_a_table() {
    let served = fleet(HttpOptions::default());
    let body = json!({
        "statement": "CREATE (p:Person {name: $name, age: 42})-[k:KNOWS {since: date('2020-01-02')}]->(q:Person) \
                      RETURN p, k, p.name AS name, [1, null] AS list",
        "parameters": { "name": "Anna" },
        "includeCounters": true,
    });
    let reply = post(&served, "/db/fleet/query/v2", &body);
    assert_eq!((reply.status, reply.header("content-type")), (202, "application/json"), "{}", reply.body);
    let answer = json_of(&reply);
    assert_eq!(answer["data"]["fields"], json!(["p", "k", "name", "list"]));
    let row = &answer["data"]["values"][0];
    assert_eq!(
        (&row[0]["labels"], &row[0]["properties"]),
        (&json!(["Person"]), &json!({"age": 42, "name": "Anna"}))
    );
    assert_eq!((&row[1]["type"], &row[1]["properties"]), (&json!("KNOWS"), &json!({"since": "2020-01-02"})));
    assert_eq!(row[1]["startNodeElementId"], row[0]["elementId"]);
    assert_eq!((&row[2], &row[3]), (&json!("Anna"), &json!([1, null])));
    let counters = &answer["counters"];
    assert_eq!((&counters["nodesCreated"], &counters["propertiesSet"]), (&json!(2), &json!(3)));
    assert_eq!((&counters["containsUpdates"], &counters["constraintsAdded"]), (&json!(true), &json!(0)));
    let bookmark = answer["bookmarks"][0].as_str().unwrap();
    assert_eq!(reply.header("reefloom-commit"), bookmark);
    assert_eq!(query(&served, "MATCH p = (:Person {age: 42})-->() RETURN size(nodes(p))"), json!([[1 + 1]]));
    let path = query(&served, "MATCH p = (:Person {age: 42})-->() RETURN p");
    assert_eq!(path[0][0].as_array().unwrap().len(), 3);
    let nothing = post(&served, "/db/fleet/query/v2", &json!({ "statement": "CREATE (:Nothing)" }));
    assert_eq!(json_of(&nothing)["data"], json!({ "fields": [], "values": [] }));
    let explained =
        json_of(&post(&served, "/db/fleet/query/v2", &json!({ "statement": "EXPLAIN RETURN 1" })));
    assert_eq!(explained["queryPlan"]["operatorType"], "Plan");
}

#[test]
fn types_are_told_to_who_asks() {
    let served = fleet(HttpOptions::default());
    let integer = json!({ "$type": "Integer", "_value": "9007199254740993" });
    let zoned =
        json!({ "$type": "ZonedDateTime", "_value": "2015-11-21T21:40:32.142+01:00[Europe/Stockholm]" });
    let body = json!({
        "statement": "CREATE (n:T {i: $i, z: $z}) RETURN n, $l AS l",
        "parameters": {
            "i": integer,
            "z": zoned,
            "l": { "$type": "List", "_value": [{ "$type": "Float", "_value": "1.0" }, { "$type": "Null", "_value": null }] },
        },
    });
    let headers = [("Content-Type", TYPED), ("Accept", "application/vnd.neo4j.query.v1.1")];
    let reply = served.send("POST", "/db/neo4j/query/v2", &headers, body.to_string());
    assert_eq!(reply.status, 202, "{}", reply.body);
    assert_eq!(reply.header("content-type"), "application/vnd.neo4j.query.v1.1");
    let row = &json_of(&reply)["data"]["values"][0];
    assert_eq!(row[0]["$type"], "Node");
    assert_eq!(row[0]["_value"]["_labels"], json!(["T"]));
    assert_eq!(row[0]["_value"]["_properties"], json!({ "i": integer, "z": zoned }));
    assert_eq!(row[1], body["parameters"]["l"]);
    let bad = json!({ "statement": "RETURN $i", "parameters": { "i": 1 } });
    let reply = served.send("POST", "/db/neo4j/query/v2", &headers, bad.to_string());
    assert_eq!(failure(&reply), (400, "Neo.ClientError.Request.Invalid".to_owned()));
}

#[test]
fn errors_have_neo4js_codes() {
    let served = fleet(HttpOptions::default());
    let statement = |text: &str| json!({ "statement": text });
    for (target, body, status, code) in [
        ("/db/neo4j/query/v2", statement("RETURN"), 400, "Neo.ClientError.Statement.SyntaxError"),
        ("/db/neo4j/query/v2", statement("RETURN $p"), 400, "Neo.ClientError.Statement.ParameterMissing"),
        ("/db/neo4j/query/v2", statement("RETURN 1 / 0"), 400, "Neo.ClientError.Statement.ArithmeticError"),
        (
            "/db/neo4j/query/v2",
            statement("CALL nothing()"),
            400,
            "Neo.ClientError.Procedure.ProcedureNotFound",
        ),
        ("/db/nowhere/query/v2", statement("RETURN 1"), 404, "Neo.ClientError.Database.DatabaseNotFound"),
        ("/db/neo4j/query/v2", json!({}), 400, "Neo.ClientError.Request.Invalid"),
        ("/db/neo4j/query/v2", json!([]), 400, "Neo.ClientError.Request.Invalid"),
        ("/db/neo4j/query/v2", json!({ "statement": 1 }), 400, "Neo.ClientError.Request.Invalid"),
        (
            "/db/neo4j/query/v2",
            json!({ "statement": "CREATE ()", "accessMode": "READ" }),
            403,
            "Neo.ClientError.Statement.AccessMode",
        ),
        (
            "/db/neo4j/query/v2",
            json!({ "statement": "RETURN 1", "impersonatedUser": "x" }),
            403,
            "Neo.ClientError.Security.Forbidden",
        ),
        (
            "/db/neo4j/query/v2/tx/none",
            statement("RETURN 1"),
            404,
            "Neo.ClientError.Transaction.TransactionNotFound",
        ),
    ] {
        let reply = post(&served, target, &body);
        assert_eq!(failure(&reply), (status, code.to_owned()), "{target} {body}: {}", reply.body);
    }
    let reply = served.send("GET", "/db/neo4j/query/v2", &[], "");
    assert_eq!((reply.status, reply.header("allow")), (405, "POST, OPTIONS"));
    let reply = served.send("POST", "/db/neo4j/query/v2", &[("Content-Type", "text/plain")], "RETURN 1");
    assert_eq!(reply.status, 415);
    let reply = served.send("POST", "/db/neo4j/query/v2", &[("Accept", "text/csv")], "{}");
    assert_eq!(reply.status, 406);
    let closed = fleet(HttpOptions { read_only: true, ..HttpOptions::default() });
    let reply = post(&closed, "/db/neo4j/query/v2", &statement("CREATE ()"));
    assert_eq!(failure(&reply).0, 403);
    let headers = [("Content-Type", "application/json"), ("Origin", "https://evil.example")];
    let reply = served.send("POST", "/db/neo4j/query/v2", &headers, statement("CREATE ()").to_string());
    assert_eq!(failure(&reply).0, 403, "a page of another site may not write");
}

#[test]
fn a_transaction_is_held_from_request_to_request() {
    let served = fleet(HttpOptions::default());
    let target = "/db/neo4j/query/v2/tx";
    let begin = |body: Json| {
        let answer = json_of(&post(&served, target, &body));
        let id = answer["transaction"]["id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        assert!(answer["transaction"]["expires"].as_str().unwrap().ends_with('Z'));
        format!("{target}/{id}")
    };
    let first = begin(json!({ "statement": "CREATE (:A) RETURN 1 AS one" }));
    let count = json!({ "statement": "MATCH (n:A) RETURN count(n)" });
    assert_eq!(json_of(&post(&served, &first, &count))["data"]["values"], json!([[1]]));
    assert_eq!(query(&served, "MATCH (n:A) RETURN count(n)"), json!([[0]]), "nobody else sees it");
    let committed = post(&served, &format!("{first}/commit"), &json!({ "statement": "CREATE (:A)" }));
    assert_eq!(committed.status, 202, "{}", committed.body);
    assert!(json_of(&committed)["bookmarks"][0].is_string());
    assert_eq!(query(&served, "MATCH (n:A) RETURN count(n)"), json!([[2]]));
    assert_eq!(failure(&post(&served, &first, &count)).0, 404, "it has ended");
    let second = begin(json!({}));
    assert_eq!(post(&served, &second, &json!({ "statement": "CREATE (:A)" })).status, 202);
    assert_eq!(
        failure(&post(&served, &second.replace("neo4j", "fleet"), &count)).0,
        404,
        "of another database"
    );
    assert_eq!(served.send("DELETE", &second, &[], "").status, 200);
    assert_eq!(served.send("DELETE", &second, &[], "").status, 404);
    let third = begin(json!({ "statement": "CREATE (:A)" }));
    assert_eq!(failure(&post(&served, &third, &json!({ "statement": "RETURN 1 / 0" }))).0, 400);
    assert_eq!(failure(&post(&served, &third, &count)).0, 404, "a failure ends it");
    let fourth = begin(json!({ "statement": "CREATE (:A)" }));
    // A body may be empty, to commit or to keep a transaction from ending.
    assert_eq!(served.send("POST", &fourth, &[], "").status, 202);
    assert_eq!(served.send("POST", &format!("{fourth}/commit"), &[], "").status, 202);
    assert_eq!(query(&served, "MATCH (n:A) RETURN count(n)"), json!([[3]]));
    let draft = post(&served, "/db/fleet@draft/query/v2", &count);
    assert_eq!(json_of(&draft)["data"]["values"], json!([[0]]), "the other branch");
}

#[test]
fn of_two_transactions_that_read_one_is_told_to_try_again() {
    let served = fleet(HttpOptions::default());
    let target = "/db/neo4j/query/v2/tx";
    let begin = || {
        let body = json!({ "statement": "MATCH (n:A) RETURN count(n)" });
        let id = json_of(&post(&served, target, &body))["transaction"]["id"].as_str().unwrap().to_owned();
        let held = format!("{target}/{id}");
        post(&served, &held, &json!({ "statement": "CREATE (:A)" }));
        held
    };
    let (first, second) = (begin(), begin());
    assert_eq!(post(&served, &format!("{first}/commit"), &json!({})).status, 202);
    let reply = post(&served, &format!("{second}/commit"), &json!({}));
    assert_eq!(failure(&reply), (503, "Neo.TransientError.Transaction.Outdated".to_owned()));
}

#[test]
fn a_long_answer_streams_whole() {
    let served = fleet(HttpOptions::default());
    let rows = query(&served, "UNWIND range(1, 50000) AS n RETURN n, 'row ' + toString(n)");
    let rows = rows.as_array().unwrap();
    assert_eq!((rows.len(), &rows[49_999]), (50_000, &json!([50_000, "row 50000"])));
}

#[test]
fn the_root_tells_clients_where_to_go() {
    let options = HttpOptions { bolt_address: Some("127.0.0.1:7687".to_owned()), ..HttpOptions::default() };
    let served = fleet(options);
    let headers = [("Accept", "application/json"), ("Host", "node.example:4242")];
    let found = json_of(&served.send("GET", "/", &headers, ""));
    assert_eq!(found["query"], "http://node.example:4242/db/{databaseName}/query/v2");
    assert_eq!(found["bolt_direct"], "bolt://node.example:7687");
    assert_eq!(found["bolt_routing"], "neo4j://node.example:7687");
    assert!(found["neo4j_version"].as_str().unwrap().starts_with("5."));
    let page = served.send("GET", "/", &[("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")], "");
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(served.send("GET", "/", &[], "").header("content-type"), "text/html; charset=utf-8");
    let silent = fleet(HttpOptions::default());
    let found = json_of(&silent.send("GET", "/", &headers, ""));
    assert!(found.get("bolt_direct").is_none());
}
