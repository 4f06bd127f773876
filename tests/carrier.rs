//! A stick is a peer: a workspace and its news travel in a file, between folders that never meet.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const REEFLOOM: &str = env!("CARGO_BIN_EXE_reefloom");
const FLEET: &str = "\
@prefix : <https://ships.example.org/ns#> .
<http://e/v1> a :Vessel ; :name \"Nordlys\" ; :tonnage 4200 ; :calledAt <http://e/p1> .
<http://e/v2> a :Vessel ; :name \"Skarv\" ; :tonnage 800 ; :calledAt <http://e/p1> , <http://e/p2> .
<http://e/p1> a :Port ; :name \"Bergen\" .
<http://e/p2> a :Port ; :name \"Oslo\" .
";

struct Node(TempDir);

impl Node {
    fn empty() -> Node {
        Node(tempfile::tempdir().unwrap())
    }

    fn with_fleet() -> Node {
        let node = Node::empty();
        node.ok(&["init", "ships", "--base", "https://ships.example.org/ns#"]);
        fs::write(node.path("fleet.ttl"), FLEET).unwrap();
        node.ok(&["load", "fleet.ttl", "-m", "first load"]);
        node
    }

    /// Makes a node that has the other's workspace, by way of a file.
    fn copy_of(other: &Node) -> Node {
        other.ok(&["export", "whole.car", "--force"]);
        let node = Node::empty();
        node.ok(&["import", &other.path("whole.car"), "--ticket", &other.ticket()]);
        node
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(REEFLOOM);
        command
            .args(["--data", "data"])
            .args(arguments)
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .env_remove("REEFLOOM_WORKSPACE");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a verb that must succeed and returns its stdout.
    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a verb that must succeed and print one object.
    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.ok(&[arguments, &["--json"]].concat())).unwrap()
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

    fn ticket(&self) -> String {
        self.ok(&["share"]).trim().to_owned()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Returns the answers of all three languages, and the history.
    fn answers(&self) -> Vec<String> {
        let questions: [&[&str]; 4] = [
            &["query", "--format", "csv", "SELECT ?s ?p ?o { ?s ?p ?o } ORDER BY ?s ?p ?o"],
            &[
                "query",
                "--json",
                "MATCH (v:Vessel)-[:calledAt]->(p) RETURN v.name, p.name ORDER BY v.name, p.name",
            ],
            &["query", "{ vessels(orderBy: {name: ASC}) { name tonnage calledAt { name } } }"],
            &["log"],
        ];
        questions.iter().map(|question| self.ok(question)).collect()
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }
}

/// A CAR file as its specification tells to read it, by no code of ours.
struct Car {
    roots: Vec<Vec<u8>>,
    /// Offset, CID and bytes of each block.
    blocks: Vec<(usize, Vec<u8>, Vec<u8>)>,
    bytes: Vec<u8>,
}

impl Car {
    fn read(path: impl AsRef<Path>) -> Car {
        let bytes = fs::read(path).unwrap();
        let mut at = 0;
        let header = section(&bytes, &mut at).to_vec();
        // {"roots": [...], "version": 1}: each root is tag 42 of a byte string of 37.
        assert_eq!(header[..8], [0xa2, 0x65, b'r', b'o', b'o', b't', b's', 0x81]);
        assert_eq!(header[8..13], [0xd8, 0x2a, 0x58, 37, 0]);
        assert_eq!(header[49..], *b"\x67version\x01");
        let roots = vec![header[13..49].to_vec()];
        let mut blocks = Vec::new();
        while at < bytes.len() {
            let offset = at;
            let (cid, data) = section(&bytes, &mut at).split_at(36);
            assert_eq!(cid[..4], [0x01, 0x55, 0x1e, 0x20], "CIDv1, raw, BLAKE3, 32 bytes");
            assert_eq!(cid[4..], *blake3::hash(data).as_bytes());
            blocks.push((offset, cid.to_vec(), data.to_vec()));
        }
        Car { roots, blocks, bytes }
    }

    /// Returns the file with one byte changed.
    fn flipped(&self, at: usize) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes[at] ^= 0x10;
        bytes
    }

    fn block(&self, index: usize) -> &[u8] {
        let end = self.blocks.get(index + 1).map_or(self.bytes.len(), |(offset, ..)| *offset);
        &self.bytes[self.blocks[index].0..end]
    }
}

/// Reads a varint and so many bytes.
fn section<'a>(bytes: &'a [u8], at: &mut usize) -> &'a [u8] {
    let (mut length, mut shift) = (0, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            break;
        }
    }
    *at += length;
    &bytes[*at - length..*at]
}

#[test]
fn a_file_carries_a_workspace_to_a_node_that_has_nothing() {
    let here = Node::with_fleet();
    here.ok(&["branch", "draft"]);
    here.ok(&["update", "--branch", "draft", "CREATE (:Port {name: 'Narvik'})", "-m", "on the draft"]);
    let said = here.json(&["export", "stick.car"]);
    let car = Car::read(here.path("stick.car"));
    assert_eq!(said["blocks"].as_u64().unwrap(), car.blocks.len() as u64 - 1);
    assert_eq!(said["branches"], serde_json::json!(["main", "draft"]));
    assert_eq!(car.roots, [car.blocks[0].1.clone()], "the root is the first block");
    let text = String::from_utf8_lossy(&car.bytes);
    for secret in ["Nordlys", "ships", "main", "draft", "first load"] {
        assert!(!text.contains(secret), "{secret} stands in the clear");
    }

    let there = Node::empty();
    let stick = here.path("stick.car");
    there.fails(&["import", &stick], 8, &["stick.car", "another workspace", "ticket"]);
    let said = there.json(&["import", &stick, "--ticket", &here.ticket()]);
    assert_eq!((&said["new"], &said["missing"]), (&true.into(), &0.into()));
    assert_eq!(said["blocks"], said["newBlocks"]);
    assert_eq!(there.answers(), here.answers());
    assert_eq!(there.ok(&["branch"]), here.ok(&["branch"]));
    assert!(there.ok(&["log", "draft"]).contains("on the draft"));
    assert!(there.ok(&["log", "import-stick/draft"]).contains("on the draft"));
    assert!(there.ok(&["verify"]).contains("0 elsewhere, 0 corrupt"));
    there.ok(&["export", "again.car"]);
    assert!(fs::read(there.path("again.car")).unwrap() == car.bytes, "equal state, equal bytes");
}

#[test]
fn news_travel_in_a_small_file_and_arrive_once() {
    let here = Node::with_fleet();
    let there = Node::copy_of(&here);
    let whole = fs::metadata(here.path("whole.car")).unwrap().len();
    here.ok(&["update", "CREATE (:Vessel {name: 'Havørn', tonnage: 90})", "-m", "a new vessel"]);
    let said = here.json(&["export", "news.car", "--since", "main~1"]);
    // A small commit is one block.
    assert_eq!((&said["blocks"], said["buildsOn"].as_array().unwrap().len()), (&1.into(), 1));
    let news = fs::metadata(here.path("news.car")).unwrap().len();
    assert!(news < whole / 4, "{news} of {whole}");

    let arrived = there.json(&["import", &here.path("news.car")]);
    assert_eq!((&arrived["newBlocks"], &arrived["missing"]), (&1.into(), &0.into()));
    assert_eq!(arrived["moved"], serde_json::json!(["main"]));
    assert_eq!(there.answers(), here.answers());
    for file in ["news.car", "whole.car", "news.car"] {
        let again = there.json(&["import", &here.path(file), "--ticket", &here.ticket()]);
        assert_eq!((&again["newBlocks"], &again["new"]), (&0.into(), &false.into()), "{file}");
        assert_eq!((&again["moved"], &again["diverged"]), (&serde_json::json!([]), &serde_json::json!([])));
    }
    assert_eq!(there.answers(), here.answers());
    let nothing = here.json(&["export", "nothing.car", "--since", "main"]);
    assert_eq!(nothing["blocks"], 0);
    assert_eq!(there.json(&["import", &here.path("nothing.car")])["missing"], 0);

    there.ok(&["update", "CREATE (:Port {name: 'Vardø'})"]);
    here.ok(&["update", "CREATE (:Port {name: 'Narvik'})"]);
    here.ok(&["export", "more.car", "--since", "main~1"]);
    let before = there.answers();
    let apart = there.json(&["import", &here.path("more.car")]);
    assert_eq!(apart["diverged"], serde_json::json!(["main"]));
    assert_eq!(there.answers(), before);
    let theirs = there.ok(&["query", "--at", "import-more/main", "MATCH (p:Port) RETURN p.name"]);
    assert!(theirs.contains("Narvik") && !theirs.contains("Vardø"), "{theirs}");
}

#[test]
fn what_the_news_build_on_may_come_later() {
    let here = Node::with_fleet();
    let there = Node::copy_of(&here);
    for (name, file) in [("Narvik", "one.car"), ("Vardø", "two.car")] {
        here.ok(&["update", &format!("CREATE (:Port {{name: '{name}'}})")]);
        here.ok(&["export", file, "--since", "main~1"]);
    }
    let before = there.answers();
    let early = there.ok(&["import", &here.path("two.car")]);
    assert!(early.contains("1 block(s) that it builds on are not here"), "{early}");
    assert!(early.contains("main was left where it is"), "{early}");
    assert_eq!(there.answers(), before);
    there.ok(&["import", &here.path("one.car")]);
    let late = there.json(&["import", &here.path("two.car")]);
    assert_eq!((&late["newBlocks"], &late["moved"]), (&0.into(), &serde_json::json!(["main"])));
    assert_eq!(there.answers(), here.answers());

    let empty = Node::empty();
    let bare = empty.json(&["import", &here.path("two.car"), "--ticket", &here.ticket()]);
    assert_eq!(bare["missing"], 1);
    empty.fails(&["query", "MATCH (n) RETURN n"], 7, &["out of reach"]);
    empty.fails(&["export", "bare.car"], 7, &["out of reach"]);
    here.ok(&["export", "whole.car", "--force"]);
    empty.ok(&["import", &here.path("whole.car")]);
    assert_eq!(empty.answers(), here.answers());
}

#[test]
fn history_alone_answers_as_well() {
    let here = Node::with_fleet();
    here.ok(&["update", "MATCH (v:Vessel {name: 'Skarv'}) SET v.tonnage = 810"]);
    let whole = here.json(&["export", "whole.car"]);
    let bare = here.json(&["export", "bare.car", "--history-only"]);
    assert!(bare["blockBytes"].as_u64() < whole["blockBytes"].as_u64(), "{bare} {whole}");
    let there = Node::empty();
    there.ok(&["import", &here.path("bare.car"), "--ticket", &here.ticket()]);
    assert_eq!(there.answers(), here.answers());
    here.ok(&["update", "MATCH (v:Vessel {name: 'Skarv'}) SET v.tonnage = 820"]);
    here.ok(&["export", "news.car", "--since", "main~1"]);
    there.ok(&["import", &here.path("news.car")]);
    assert_eq!(there.answers(), here.answers());
}

#[test]
fn an_altered_file_moves_no_branch() {
    let here = Node::with_fleet();
    let there = Node::copy_of(&here);
    let whole = Car::read(here.path("whole.car"));
    for port in ["Narvik", "Vardø", "Vadsø", "Alta"] {
        here.ok(&["update", &format!("CREATE (:Port {{name: '{port}'}})")]);
    }
    here.ok(&["export", "news.car", "--since", "main~4"]);
    let car = Car::read(here.path("news.car"));
    let (offset, end) = (|index: usize| car.blocks[index].0, car.bytes.len());
    let cut = |at: usize| car.bytes[..at].to_vec();
    let without = |index: usize| [&car.bytes[..offset(index)], &car.bytes[offset(index + 1)..]].concat();
    let swapped = [&car.bytes[..offset(1)], car.block(2), car.block(1), &car.bytes[offset(3)..]].concat();
    let with = |more: &[u8]| [&car.bytes, more].concat();
    let cases: Vec<(&str, Vec<u8>, Vec<&str>)> = vec![
        ("nothing", vec![], vec!["no CARv1 file"]),
        ("header's length", car.flipped(0), vec![]),
        ("header", car.flipped(5), vec!["no CARv1 file"]),
        ("root", car.flipped(30), vec!["first block is not its root"]),
        ("first length", car.flipped(offset(0)), vec!["byte 5"]),
        ("first CID", car.flipped(offset(0) + 20), vec!["byte 5", "bafkr4i"]),
        ("first block", car.flipped(offset(0) + 90), vec!["byte 5", "bafkr4i", "hash to"]),
        ("codec", car.flipped(offset(2) + 3), vec!["none of ours"]),
        ("a CID", car.flipped(offset(2) + 20), vec!["byte", "bafkr4i", "hash to"]),
        ("a block", car.flipped(offset(2) + 90), vec!["byte", "bafkr4i", "hash to"]),
        ("last byte", car.flipped(end - 1), vec!["byte", "bafkr4i", "hash to"]),
        ("cut in a block", cut(end - 1), vec!["cut off", "bafkr4i"]),
        ("cut in a CID", cut(offset(3) + 12), vec!["cut off"]),
        ("cut in a length", cut(offset(3) + 1), vec!["cut off"]),
        ("cut between blocks", cut(offset(3)), vec!["cut off", "after 2 of 4 blocks"]),
        ("cut after the first", cut(offset(1)), vec!["cut off", "after 0 of 4 blocks"]),
        ("cut in the header", cut(20), vec!["cut off", "the header"]),
        ("one left out", without(1), vec!["after 3 of 4 blocks"]),
        ("other order", swapped, vec!["not those that its first block announces"]),
        ("trailing garbage", with(b"and so on"), vec!["byte"]),
        ("trailing zeros", with(&[0; 512]), vec!["no block stands at byte"]),
        ("a block too many", with(car.block(4)), vec!["is one too many", "bafkr4i"]),
        ("another's block", with(whole.block(2)), vec!["is one too many", "bafkr4i"]),
    ];
    let (before, branches) = (there.answers(), there.ok(&["branch"]));
    let empty = Node::empty();
    let ticket = here.ticket();
    for (name, bytes, words) in cases {
        there.write("altered.car", &bytes);
        there.fails(&["import", "altered.car"], 8, &[&["altered.car"], &words[..]].concat());
        empty.fails(&["import", &there.path("altered.car"), "--ticket", &ticket], 8, &words);
        assert_eq!(there.ok(&["branch"]), branches, "{name}");
        there.fails(&["log", "import-altered/main"], 4, &["import-altered/main"]);
        empty.fails(&["status"], 4, &["no workspace"]);
    }
    assert_eq!(there.answers(), before);
    there.ok(&["import", &here.path("news.car")]);
    assert_eq!(there.answers(), here.answers());
}

#[test]
fn a_file_from_elsewhere_is_refused_by_what_it_is() {
    let (here, other) = (Node::with_fleet(), Node::with_fleet());
    here.ok(&["export", "stick.car"]);
    let stick = here.path("stick.car");
    other.fails(&["import", &stick], 8, &["stick.car", "another workspace"]);
    other.fails(&["import", &stick, "--ticket", &other.ticket()], 8, &["another workspace"]);
    other.fails(&["import", &stick, "--ticket", "reefloom1nonsense"], 2, &["ticket"]);
    other.fails(&["import", &stick, "--ticket", &here.ticket()], 5, &["ships", "exists"]);
    other.ok(&["import", &stick, "--ticket", &here.ticket(), "--name", "theirs"]);
    other.fails(&["import", &stick, "-w", "ships"], 8, &["another workspace"]);
    assert_eq!(other.json(&["import", &stick])["workspace"], "theirs");
    assert!(other.ok(&["query", "-w", "theirs", "MATCH (v:Vessel) RETURN v.name"]).contains("Skarv"));

    other.fails(&["import", "nowhere.car"], 1, &["nowhere.car"]);
    other.fails(&["import", "data"], 1, &["cannot be read"]);
    other.write("text.car", FLEET.as_bytes());
    other.fails(&["import", "text.car"], 8, &["text.car", "no CARv1"]);
    // A block as IPFS has most of them: dag-pb under SHA-256.
    let foreign = [&[0x01, 0x70, 0x12, 0x20][..], &[7; 32], b"data"].concat();
    let header = b"\x11\xa2\x65roots\x80\x67version\x01";
    other.write("foreign.car", &[&header[..], &[foreign.len() as u8], &foreign].concat());
    other.fails(&["import", "foreign.car"], 8, &["no carrier file"]);
}

#[test]
fn an_export_appears_whole_or_not_at_all() {
    let here = Node::with_fleet();
    here.ok(&["branch", "draft"]);
    here.ok(&["export", "stick.car"]);
    let bytes = fs::read(here.path("stick.car")).unwrap();
    here.fails(&["export", "stick.car"], 5, &["stick.car", "exists", "--force"]);
    here.ok(&["export", "stick.car", "--force"]);
    assert_eq!(fs::read(here.path("stick.car")).unwrap(), bytes);
    assert_eq!(here.run(&["export", "-"]).stdout, bytes);
    let one = here.json(&["export", "draft.car", "-w", "ships@draft"]);
    assert_eq!(one["branches"], serde_json::json!(["draft"]));

    here.fails(&["export", "x.car", "-w", "@main~1"], 2, &["main~1", "only branches"]);
    here.fails(&["export", "x.car", "-w", "@nowhere"], 4, &["nowhere"]);
    here.fails(&["export", "x.car", "--since", "nowhere"], 4, &["nowhere"]);
    here.fails(&["export", "no/such/folder.car"], 1, &["no/such/folder.car"]);
    let last = Car::read(here.path("stick.car")).blocks.pop().unwrap().2;
    let pack = here.path("data/store/00000001.pack");
    let mut damaged = fs::read(&pack).unwrap();
    let at = damaged.windows(last.len()).position(|window| window == last).unwrap();
    damaged[at] ^= 1;
    fs::write(&pack, damaged).unwrap();
    here.fails(&["export", "x.car"], 8, &["bafkr4i"]);
    let left: Vec<String> = here.files().into_iter().filter(|name| name.contains("x.car")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told_and_moves_no_branch() {
    let here = Node::with_fleet();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = here.command(&["export", "-"]).stdout(full).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("carrier file") && message.contains("space"), "{message}");

    let there = Node::copy_of(&here);
    let mut more = String::new();
    for n in 0..20_000u64 {
        let noise = blake3::hash(&n.to_le_bytes());
        more.push_str(&format!("<http://e/{}> <http://e/is> \"{}\" .\n", noise.to_hex(), noise.to_hex()));
    }
    here.write("more.nt", more.as_bytes());
    here.ok(&["load", "more.nt"]);
    here.ok(&["export", "more.car"]);
    let before = there.answers();
    // No file may grow beyond 2 MiB: writes fail as they do on a full disk.
    let limited = Command::new("sh")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 2048; exec \"$0\" \"$@\"",
            REEFLOOM,
            "--data",
            &there.path("data"),
        ])
        .args(["import", &here.path("more.car")])
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&limited.stderr).into_owned();
    assert_eq!(limited.status.code(), Some(1), "{message}");
    assert!(!message.contains("panicked"), "{message}");
    assert_eq!(there.answers(), before);
    there.ok(&["import", &here.path("more.car")]);
    assert_eq!(there.ok(&["log"]), here.ok(&["log"]));
}

#[test]
fn a_pipe_is_as_good_as_a_stick() {
    let here = Node::with_fleet();
    let there = Node::empty();
    let mut import = there
        .command(&["import", "-", "--ticket", &here.ticket()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    import.stdin.take().unwrap().write_all(&here.run(&["export", "-"]).stdout).unwrap();
    assert!(import.wait_with_output().unwrap().status.success());
    assert_eq!(there.answers(), here.answers());
}

#[test]
fn a_served_folder_says_who_has_it() {
    let here = Node::with_fleet();
    here.ok(&["export", "stick.car"]);
    let mut serve = here
        .command(&["--json", "serve", "--http", "127.0.0.1:0", "--p2p", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(serve.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    here.fails(&["export", "more.car"], 1, &["in use by the node at", "stop it"]);
    here.fails(&["import", "stick.car"], 1, &["in use by the node at", "stop it"]);
    serve.kill().unwrap();
    serve.wait().unwrap();
}
