//! Two nodes on loopback, each a process with a folder of its own: join, lazy fetch, offline, return.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

const REEFLOOM: &str = env!("CARGO_BIN_EXE_reefloom");
const BASE: &str = "https://data.example.org/maritime/ns#";
const SELECTIVE: &str = "MATCH (v:Vessel {imo: '9187629'})-[:sanctionedUnder]->(p) RETURN v.name, p.code";
const WIDE: &str = "MATCH (l:Lane)-[:from]->(w) RETURN count(*) AS n, min(l.nauticalMiles) AS least";

/// A `serve` process; killed when dropped.
struct Server {
    child: Child,
    p2p: String,
}

impl Server {
    fn start(folder: &Path, p2p: &str) -> Server {
        let mut child = Command::new(REEFLOOM)
            .args([
                "--data",
                folder.to_str().unwrap(),
                "--json",
                "serve",
                "--http",
                "127.0.0.1:0",
                "--p2p",
                p2p,
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let said: serde_json::Value =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("serve said '{line}'"));
        let p2p = said["p2p"].as_str().unwrap().to_owned();
        Server { child, p2p }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(REEFLOOM).args(["--data", folder.to_str().unwrap()]).args(arguments).output().unwrap()
}

fn ok(folder: &Path, arguments: &[&str]) -> (String, String) {
    let output = run(folder, arguments);
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{arguments:?}: {err}");
    (out, err)
}

fn blocks_of(folder: &Path) -> (u64, u64) {
    let status: serde_json::Value = serde_json::from_str(&ok(folder, &["--json", "status"]).0).unwrap();
    (status["blocks"].as_u64().unwrap(), status["blockBytes"].as_u64().unwrap())
}

fn data() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/maritime/maritime.nq.zst");
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "CI must have {}", path.display());
    eprintln!("SKIPPED: {} is not here; no two nodes were tried on it", path.display());
    None
}

#[test]
fn a_second_node_fetches_what_it_needs_and_keeps_it() {
    let Some(file) = data() else { return };
    let folders = tempfile::tempdir().unwrap();
    let (a, b, c) = (folders.path().join("a"), folders.path().join("b"), folders.path().join("c"));
    ok(&a, &["init", "maritime", "--base", BASE, "--union-default-graph"]);
    ok(&a, &["load", file.to_str().unwrap()]);
    let (blocks_a, bytes_a) = blocks_of(&a);
    let expected = ok(&a, &["--json", "query", SELECTIVE]).0;
    let expected_wide = ok(&a, &["--json", "query", WIDE]).0;

    let server = Server::start(&a, "127.0.0.1:0");
    let p2p = server.p2p.clone();
    let ticket = ok(&a, &["share"]).0.trim().to_owned();
    ok(&b, &["join", &ticket]);
    let (answer, said) = ok(&b, &["--json", "query", SELECTIVE]);
    assert_eq!(answer, expected);
    assert!(said.contains("fetched from peers"), "{said}");
    let (blocks_b, bytes_b) = blocks_of(&b);
    println!("a selective query: {blocks_b} of {blocks_a} blocks moved, {bytes_b} of {bytes_a} bytes");
    assert!(bytes_b * 4 < bytes_a, "a small part moves: {bytes_b} of {bytes_a} bytes");

    let (answer, said) = ok(&b, &["--json", "query", SELECTIVE]);
    assert_eq!(answer, expected);
    assert!(!said.contains("fetched"), "the second time nothing moves: {said}");

    drop(server);
    assert_eq!(ok(&b, &["--json", "query", SELECTIVE]).0, expected, "without A");
    let output = run(&b, &["--json", "query", WIDE]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(7), "{said}");
    assert!(said.contains("block(s)") && said.chars().any(|c| c.is_ascii_digit()), "{said}");

    let server = Server::start(&a, &p2p);
    assert_eq!(ok(&b, &["--json", "query", WIDE]).0, expected_wide, "A is back");
    drop(server);

    // One byte of every block on A's disk is not what it was; whoever trusted A would answer wrongly.
    tamper(&a);
    let server = Server::start(&a, &p2p);
    ok(&c, &["join", &ticket]);
    let output = run(&c, &["--json", "query", SELECTIVE]);
    assert_ne!(output.status.code(), Some(0), "tampered blocks are refused");
    assert!(output.stdout.is_empty() || !String::from_utf8_lossy(&output.stdout).contains(&expected));
    drop(server);
    assert_eq!(ok(&b, &["--json", "query", SELECTIVE]).0, expected, "B never took a tampered block");
    assert!(ok(&b, &["verify"]).0.contains("0 corrupt"));
    assert_eq!(run(&a, &["verify"]).status.code(), Some(8));
}

/// Flips a byte in every 1,000 of the pack files.
fn tamper(folder: &Path) {
    let mut folders = vec![folder.join("store")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "pack") {
                let mut bytes = fs::read(&path).unwrap();
                // The headers of the records stay, so that the store still finds its blocks.
                for position in (500..bytes.len()).step_by(1000) {
                    bytes[position] ^= 1;
                }
                fs::write(&path, bytes).unwrap();
            }
        }
    }
}
