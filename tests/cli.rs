//! The command line as a user types it: output, exit codes, mistakes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

const REEFLOOM: &str = env!("CARGO_BIN_EXE_reefloom");
const FLEET: &str = "\
@prefix : <https://ships.example.org/ns#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
<http://e/v1> a :Vessel ; :name \"Nordlys\" ; :tonnage 4200 ; :calledAt <http://e/p1> .
<http://e/v2> a :Vessel ; :name \"Skarv\" ; :tonnage 800 ; :calledAt <http://e/p1> , <http://e/p2> .
<http://e/p1> a :Port ; :name \"Bergen\" .
<http://e/p2> a :Port ; :name \"Oslo\" .
";

struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(REEFLOOM)
            .args(["--data", self.path().join("data").to_str().unwrap()])
            .args(arguments)
            .current_dir(self.path())
            .stdin(Stdio::null())
            .env_remove("REEFLOOM_WORKSPACE")
            .output()
            .unwrap()
    }

    /// Runs a verb that must succeed and returns its stdout.
    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a verb that must fail with `code`; its message must hold every one of `words`.
    fn fails(&self, arguments: &[&str], code: i32, words: &[&str]) {
        let output = self.run(arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
        for word in words {
            assert!(message.contains(word), "{arguments:?}: '{word}' is missing in: {message}");
        }
        assert!(!message.contains("panicked"), "{message}");
    }

    fn with_fleet() -> Folder {
        let folder = Folder::new();
        folder.ok(&["init", "ships", "--base", "https://ships.example.org/ns#"]);
        let file = folder.write("fleet.ttl", FLEET);
        folder.ok(&["load", &file, "-m", "first load"]);
        folder
    }
}

#[test]
fn a_first_session_works_from_init_to_verify() {
    let folder = Folder::with_fleet();
    let sparql = folder.ok(&[
        "query",
        "--format",
        "csv",
        "PREFIX : <https://ships.example.org/ns#> SELECT ?name { ?v a :Vessel ; :name ?name } ORDER BY ?name",
    ]);
    assert_eq!(sparql.replace('\r', ""), "name\nNordlys\nSkarv\n");
    let cypher = folder.ok(&[
        "query",
        "--json",
        "MATCH (v:Vessel)-[:calledAt]->(p {name: 'Oslo'}) RETURN v.name AS name",
    ]);
    let cypher: serde_json::Value = serde_json::from_str(&cypher).unwrap();
    assert_eq!(cypher["rows"], serde_json::json!([["Skarv"]]), "{cypher}");
    let graphql =
        folder.ok(&["query", "{ vessels(where: {tonnage: {gt: 1000}}) { name calledAt { name } } }"]);
    assert!(
        graphql.contains("Nordlys") && graphql.contains("Bergen") && !graphql.contains("Skarv"),
        "{graphql}"
    );

    folder.ok(&["branch", "draft"]);
    folder.ok(&[
        "update",
        "--branch",
        "draft",
        "MATCH (v:Vessel {name: 'Skarv'}) SET v.name = 'Skarven'",
        "-m",
        "rename",
    ]);
    let name =
        |at: &str| folder.ok(&["query", "--at", at, "MATCH (v:Vessel) WHERE v.tonnage < 1000 RETURN v.name"]);
    assert!(name("draft").contains("Skarven"));
    assert!(!name("main").contains("Skarven"));
    assert!(!name("draft~1").contains("Skarven"));

    let log = folder.ok(&["log", "draft", "--json"]);
    let messages: Vec<String> = log
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["message"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(messages[..2], ["rename", "first load"]);
    let commit = serde_json::from_str::<serde_json::Value>(log.lines().nth(1).unwrap()).unwrap()["commit"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(!name(&format!("commit:{commit}")).contains("Skarven"));
    folder.ok(&["switch", "draft"]);
    assert!(folder.ok(&["branch"]).contains("* draft"));
    assert!(folder.ok(&["status"]).contains("ships"));
    assert!(folder.ok(&["verify"]).contains("0 corrupt"));
}

/// More orders change what a plan may do, and no answer.
#[test]
fn a_workspace_may_keep_more_orders() {
    let (folder, plain) = (Folder::new(), Folder::with_fleet());
    folder.fails(&["init", "ships", "--permutations", "sop,pgo"], 2, &["'pgo'", "sop and osp"]);
    folder.ok(&["init", "ships", "--permutations", "osp,SOP"]);
    folder.ok(&["load", &folder.write("fleet.ttl", FLEET)]);
    let both_ends = "SELECT ?p { <http://e/v2> ?p <http://e/p1> }";
    let of_subject =
        "SELECT ?p ?o ?name { <http://e/v2> ?p ?o . ?o <https://ships.example.org/ns#name> ?name }";
    let of_object =
        "SELECT ?v ?p ?name { ?v ?p <http://e/p1> . ?v <https://ships.example.org/ns#name> ?name }";
    let agrees = || {
        for (query, scan) in
            [(both_ends, "IndexScan Sop"), (of_subject, "IndexScan Sop"), (of_object, "IndexScan Osp")]
        {
            let ask = |folder: &Folder, more: &[&str]| folder.ok(&[&["query", query], more].concat());
            assert_eq!(ask(&folder, &["--format", "csv"]), ask(&plain, &["--format", "csv"]), "{query}");
            let (plan, plain) = (ask(&folder, &["--explain"]), ask(&plain, &["--explain"]));
            assert!(plan.contains(scan) && !plain.contains(scan), "{plan}\n{plain}");
        }
    };
    agrees();
    let rename = "DELETE { ?v ?p <http://e/p1> } INSERT { ?v ?p <http://e/p3> } WHERE { VALUES ?v { <http://e/v1> } ?v ?p <http://e/p1> }";
    for folder in [&folder, &plain] {
        folder.ok(&["update", rename]);
    }
    agrees();
    folder.ok(&["optimize"]);
    agrees();
    assert!(folder.ok(&["status"]).contains("permutations: spo, pso, pos, ops, sop, osp\n"));
    assert!(plain.ok(&["status"]).contains("permutations: spo, pso, pos, ops\n"));
    assert!(folder.ok(&["verify"]).contains("0 corrupt"));
}

#[test]
fn what_one_language_writes_the_others_read() {
    let folder = Folder::with_fleet();
    folder.ok(&["update", "CREATE (:Port {name: 'Narvik', depth: 27})"]);
    folder.ok(&[
        "update",
        "PREFIX : <https://ships.example.org/ns#> INSERT { ?v :calledAt ?p } WHERE { ?v :name 'Nordlys' . ?p :name 'Narvik' }",
    ]);
    let cypher = folder.ok(&[
        "query",
        "--json",
        "MATCH (:Vessel {name: 'Nordlys'})-[:calledAt]->(p) RETURN p.name AS n ORDER BY n",
    ]);
    assert!(cypher.contains("[\"Bergen\"]") && cypher.contains("[\"Narvik\"]"), "{cypher}");
    let graphql = folder.ok(&["query", "{ ports(where: {depth: {gte: 27}}) { name } }"]);
    assert!(graphql.contains("Narvik"), "{graphql}");
}

#[test]
fn formats_and_compression_load() {
    let folder = Folder::new();
    folder.ok(&["init", "mixed"]);
    let triple = "<http://e/s> <http://e/p> \"nt\" .\n";
    let files = [
        folder.write("a.nt", triple),
        folder.write(
            "b.nq.zst",
            zstd::encode_all("<http://e/s> <http://e/p> \"nq\" <http://e/g> .\n".as_bytes(), 1).unwrap(),
        ),
        folder.write("c.trig", "<http://e/g> { <http://e/s> <http://e/p> \"trig\" }"),
        folder.write("d.jsonld", "{\"@id\": \"http://e/s\", \"http://e/p\": \"jsonld\"}"),
        folder.write(
            "e.rdf",
            "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" xmlns:e=\"http://e/\">\
             <rdf:Description rdf:about=\"http://e/s\"><e:p>rdfxml</e:p></rdf:Description></rdf:RDF>",
        ),
    ];
    let arguments: Vec<&str> = ["load"].into_iter().chain(files.iter().map(String::as_str)).collect();
    assert!(folder.ok(&arguments).contains("5 quads added"));
    let all = folder.ok(&[
        "query",
        "--format",
        "csv",
        "SELECT ?o { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } } ORDER BY ?o",
    ]);
    assert_eq!(all.replace('\r', "").trim_end(), "o\njsonld\nnq\nnt\nrdfxml\ntrig");
}

#[test]
fn mistakes_are_told_with_their_place_and_code() {
    let folder = Folder::with_fleet();
    let bad = folder.write("bad.nt", "<http://e/a> <http://e/b> \"c\" .\n<http://e/a> oops .\n");
    folder.fails(&["load", &bad], 1, &["bad.nt:2:"]);
    let count = folder.ok(&["query", "--format", "csv", "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }"]);
    assert!(count.contains("13"), "nothing of a malformed file is loaded: {count}");
    assert!(folder.ok(&["load", "--lenient", &bad]).contains("1 bad statement(s) skipped"));

    folder.fails(&["query", "SELECT ?x WHERE { ?x ?y }"], 3, &["line 1", "^"]);
    folder.fails(&["query", "MATCH (v:Vessel RETURN v"], 3, &["line 1", "^"]);
    folder.fails(&["query", "{ vessels { nothing } }"], 3, &["nothing"]);
    folder.fails(&["query", "--at", "nowhere", "MATCH (n) RETURN n"], 4, &["nowhere"]);
    folder.fails(&["query", "-w", "nobody", "MATCH (n) RETURN n"], 4, &["nobody"]);
    folder.fails(&["branch", "x", "--from", "commit:bafkr4inonsense"], 4, &["nonsense"]);
    folder.fails(&["init", "ships"], 5, &["exists"]);
    folder.fails(&["branch", "bad name"], 2, &["bad name"]);
    folder.fails(&["update", "CREATE (:X)", "--branch", "commit:nothing"], 4, &["nothing"]);
    folder.fails(&["query", "CREATE (:X)"], 6, &["update"]);
    folder.fails(&["load", "no-such-file.ttl"], 1, &["no-such-file.ttl"]);
    folder.fails(&["load", &folder.write("x.csv", "a,b")], 1, &["format"]);
    folder.fails(&["join", "reefloom1nonsense"], 2, &["ticket"]);
    folder.fails(&["frobnicate"], 2, &["frobnicate"]);
    let elsewhere = Folder::new();
    elsewhere.fails(&["query", "MATCH (n) RETURN n"], 4, &["init"]);
}

#[test]
fn help_teaches_every_verb() {
    let folder = Folder::new();
    let help = folder.ok(&["--help"]);
    for verb in [
        "init", "serve", "load", "query", "update", "branch", "log", "share", "join", "export", "import",
        "status", "verify",
    ] {
        assert!(help.contains(&format!("\n  {verb} ")), "{verb}");
        assert!(folder.ok(&[verb, "--help"]).contains("Usage:"), "{verb}");
    }
}

/// A node that serves a folder, ended when dropped.
struct Served(Child);

impl Served {
    fn start(folder: &Folder) -> Served {
        let mut child = Command::new(REEFLOOM)
            .args(["--data", folder.path().join("data").to_str().unwrap(), "--json", "serve"])
            .args(["--http", "127.0.0.1:0", "--p2p", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut first_line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut first_line).unwrap();
        let told: serde_json::Value = serde_json::from_str(&first_line).unwrap();
        assert!(told["http"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{told}");
        Served(child)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_node_that_serves_the_folder_answers_for_it() {
    let folder = Folder::with_fleet();
    let names =
        "PREFIX : <https://ships.example.org/ns#> SELECT ?name { ?v a :Vessel ; :name ?name } ORDER BY ?name";
    let questions: Vec<Vec<&str>> = vec![
        vec!["query", names],
        vec!["query", names, "--json"],
        vec!["query", names, "--format", "csv"],
        vec!["query", names, "--format", "turtle"],
        vec!["query", "MATCH (v:Vessel)-[:calledAt]->(p) RETURN v, p.name ORDER BY p.name, v.name"],
        vec!["query", "MATCH (v:Vessel) RETURN v ORDER BY v.name", "--json"],
        vec!["query", "RETURN $x AS x", "--param", "x=[1, 2.5, {\"a\": null}]", "--format", "xml"],
        vec!["query", "ASK { ?s ?p ?o }"],
        vec!["query", "ASK { ?s ?p ?o }", "--format", "xml"],
        vec!["query", "CONSTRUCT WHERE { ?s <https://ships.example.org/ns#calledAt> ?o }"],
        vec!["query", "CONSTRUCT WHERE { ?s <https://ships.example.org/ns#calledAt> ?o }", "--json"],
        vec!["query", names, "--explain"],
        vec!["query", names, "--at", "main~1", "--format", "csv"],
        vec!["branch"],
        vec!["branch", "--json"],
        vec!["log"],
        vec!["log", "main~1", "--json", "-n", "1"],
    ];
    let alone: Vec<String> = questions.iter().map(|question| folder.ok(question)).collect();
    let node = Served::start(&folder);
    for (question, expected) in questions.iter().zip(alone) {
        assert_eq!(folder.ok(question), expected, "{question:?}");
    }
    let graphql = folder.ok(&["query", "{ vessels(orderBy: {name: ASC}) { name } }"]);
    assert!(graphql.contains("Nordlys"), "{graphql}");
    assert!(folder.ok(&["status"]).contains("workspace ships"));

    folder.fails(&["query", "SELECT ?x WHERE { ?x ?y }"], 3, &["line 1", "^"]);
    folder.fails(&["query", "MATCH (v:Vessel RETURN v"], 3, &["line 1", "^"]);
    folder.fails(&["query", "{ vessels { nothing } }"], 3, &["nothing", "^"]);
    folder.fails(&["query", "--at", "nowhere", "MATCH (n) RETURN n"], 4, &["nowhere"]);
    folder.fails(&["query", "-w", "nobody", "{ vessels { name } }"], 4, &["nobody"]);
    folder.fails(&["query", "CREATE (:X)"], 6, &["update"]);
    folder.fails(&["query", "RETURN 1 / 0"], 1, &["DivisionByZero"]);
    folder.fails(&["branch", "main"], 5, &["exists"]);
    folder.fails(&["branch", "bad name"], 2, &["bad name"]);
    folder.fails(&["branch", "--delete", "main"], 6, &["default"]);
    for own in [&["verify"][..], &["sync"], &["init", "more"], &["load", "fleet.ttl"]] {
        folder.fails(own, 1, &["in use by the node at http://127.0.0.1:", "stop it"]);
    }

    folder.ok(&["branch", "fix/one", "--from", "main~1"]);
    folder.ok(&["switch", "fix/one"]);
    let made = folder.ok(&["update", "INSERT DATA { <http://e/s> <http://e/p> 1 }", "--json"]);
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    assert_eq!((&made["inserted"], &made["deleted"]), (&1.into(), &0.into()));
    let made_here =
        folder.ok(&["update", "--branch", "main", "CREATE (:Port {name: 'Narvik'})", "-m", "Hafen für Erz"]);
    let head = folder.ok(&["log", "main", "-n", "1"]);
    assert_eq!(made_here.lines().next(), Some("1 nodes created, 1 properties set, 1 labels added"));
    assert_eq!(head.lines().next(), made_here.lines().nth(1));
    folder.ok(&["branch", "other"]);
    folder.ok(&["branch", "--delete", "other"]);

    drop(node);
    assert!(folder.ok(&["log", "fix/one"]).contains(made["commit"].as_str().unwrap()));
    assert!(folder.ok(&["log", "main"]).contains("Hafen für Erz"));
    let branches = folder.ok(&["branch"]);
    assert!(branches.contains("* fix/one") && !branches.contains("other"), "{branches}");
}

#[test]
#[cfg(unix)]
fn a_folder_that_cannot_be_used_is_told_plainly() {
    let folder = Folder::with_fleet();
    let held = Served::start(&folder);
    folder.fails(&["verify"], 1, &["in use"]);
    folder.fails(
        &["serve", "--http", "127.0.0.1:0", "--p2p", "127.0.0.1:0"],
        1,
        &["in use by the node at http:"],
    );
    drop(held);
    assert!(folder.ok(&["verify"]).contains("0 corrupt"));
    let file = folder.write("file", "not a folder");
    folder.fails(&["status", "--data", &file], 1, &["file"]);
}

#[test]
fn csv_files_are_read_from_the_folder_that_is_named() {
    let folder = Folder::with_fleet();
    fs::create_dir(folder.path().join("csv")).unwrap();
    folder.write("csv/ports.csv", "name,berths\nMoss,3\nHorten,5\n");
    folder.write("secret.csv", "name\nsecret\n");
    let load = "LOAD CSV WITH HEADERS FROM 'file:///ports.csv' AS row";
    let create =
        format!("{load} CALL (row) {{ MERGE (:Port {{name: row.name}}) }} IN TRANSACTIONS OF 100 ROWS");
    folder.fails(&["update", &create], 1, &["--csv-dir"]);
    folder.ok(&["update", &create, "--csv-dir", "csv"]);
    let ports = folder.ok(&["query", "MATCH (p:Port) RETURN p.name ORDER BY p.name", "--format", "csv"]);
    assert_eq!(ports.replace('\r', ""), "p.name\nBergen\nHorten\nMoss\nOslo\n");
    let sum = format!("{load} RETURN sum(toInteger(row.berths)) AS n");
    let sum = folder.ok(&["query", &sum, "--csv-dir", "csv", "--format", "csv"]);
    assert_eq!(sum.replace('\r', ""), "n\n8\n");
    let outside = "LOAD CSV FROM '../secret.csv' AS row RETURN row";
    folder.fails(&["query", outside, "--csv-dir", "csv"], 1, &["leads out"]);
    folder.fails(&["query", outside, "--csv-dir", "none"], 2, &["none"]);
}
