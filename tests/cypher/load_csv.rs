//! LOAD CSV: what a record becomes, and which files are read at all.

use std::fs;
use std::sync::Arc;

use reefloom::engine::CsvFolder;
use tempfile::TempDir;

use super::World;

/// Returns a world that may read these files, and their folder.
fn world(files: &[(&str, &[u8])]) -> (World, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let mut world = World::new(&[]);
    world.files = Some(Arc::new(CsvFolder::open(folder.path()).unwrap()));
    (world, folder)
}

#[test]
fn records_are_lists_or_maps() {
    let (world, _folder) = world(&[
        ("plain.csv", b"a,1\nb,2\n"),
        ("people.csv", b"\xef\xbb\xbfname,age,note\r\nAnn,30,\r\n\r\n\"Bob, B.\",,\"say \"\"hi\"\"\nor \\\"ho\\\"\"\r\nCid\r\n"),
        ("semi.csv", b"k;v\n1;x,y\n"),
        ("tab.tsv", b"1\t2"),
        ("empty.csv", b""),
        ("files.csv", b"plain.csv\nfile:///semi.csv\n"),
    ]);
    for (text, expected) in [
        ("LOAD CSV FROM 'plain.csv' AS row RETURN row", &["[a, 1]", "[b, 2]"][..]),
        (
            "LOAD CSV FROM 'file:///plain.csv' AS row RETURN row[0], toInteger(row[1]) + 1",
            &["a | 2", "b | 3"],
        ),
        (
            "LOAD CSV WITH HEADERS FROM 'file:///people.csv' AS row RETURN row.name, row.age, row.note, row.none",
            &[
                "Ann | 30 | null | null",
                "Bob, B. | null | say \"hi\"\nor \"ho\" | null",
                "Cid | null | null | null",
            ],
        ),
        ("LOAD CSV WITH HEADERS FROM 'people.csv' AS row RETURN DISTINCT keys(row)", &["[age, name, note]"]),
        ("LOAD CSV WITH HEADERS FROM 'semi.csv' AS row FIELDTERMINATOR ';' RETURN row", &["{k: 1, v: x,y}"]),
        ("LOAD CSV FROM 'tab.tsv' AS row FIELDTERMINATOR '\\t' RETURN row", &["[1, 2]"]),
        ("LOAD CSV FROM 'empty.csv' AS row RETURN row", &[]),
        ("LOAD CSV WITH HEADERS FROM 'empty.csv' AS row RETURN row", &[]),
        ("LOAD CSV FROM 'files.csv' AS f LOAD CSV FROM f[0] AS row RETURN row[0]", &["a", "b", "k;v", "1;x"]),
        ("UNWIND [1, 2] AS x LOAD CSV FROM 'tab.tsv' AS row RETURN x, row", &["1 | [1\t2]", "2 | [1\t2]"]),
        (
            "UNWIND ['a', 'z'] AS k LOAD CSV FROM 'plain.csv' AS row WITH k, row WHERE row[0] = k RETURN row[1]",
            &["1"],
        ),
        (
            "UNWIND [1, 2] AS x CALL (x) { LOAD CSV FROM 'plain.csv' AS row RETURN count(*) + x AS c } RETURN c",
            &["3", "4"],
        ),
        (
            "LOAD CSV WITH HEADERS FROM 'people.csv' AS row CALL (row) { MERGE (p:P {name: row.name}) SET p.age = toInteger(row.age) } \
             IN TRANSACTIONS OF 1000 ROWS",
            &[],
        ),
        ("MATCH (p:P) RETURN p.name, p.age", &["Ann | 30", "Bob, B. | null", "Cid | null"]),
        ("LOAD CSV FROM 'plain.csv' AS row CREATE (q:Q {v: row[0]}) RETURN q.v", &["a", "b"]),
    ] {
        world.check(text, expected);
    }
}

#[test]
fn files_are_read_as_they_are_asked_for() {
    let mut large = b"n\n".to_vec();
    for n in 0..20_000 {
        large.extend(format!("{n}\n").bytes());
    }
    large.extend(b"\xff\n");
    let (world, _folder) = world(&[("large.csv", &large)]);
    world.check("LOAD CSV WITH HEADERS FROM 'large.csv' AS row RETURN row.n LIMIT 2", &["0", "1"]);
    world.refuses(
        "LOAD CSV WITH HEADERS FROM 'large.csv' AS row RETURN count(*)",
        &["large.csv", "line 20002", "UTF-8"],
    );
}

#[test]
fn what_cannot_be_read_is_told() {
    let mut open_quote = b"a\n\"".to_vec();
    open_quote.resize(20 << 20, b'x');
    let (world, _folder) = world(&[
        ("twice.csv", b"a,b,a\n1,2,3\n"),
        ("latin.csv", b"a\nb\n\xe9\n"),
        ("quote.csv", &open_quote),
    ]);
    for (text, parts) in [
        ("LOAD CSV FROM 'none.csv' AS row RETURN row", &["'none.csv'", "no such file"][..]),
        ("LOAD CSV FROM '../none.csv' AS row RETURN row", &["leads out of the folder"]),
        ("LOAD CSV FROM 'https://example.org/a.csv' AS row RETURN row", &["https"]),
        ("LOAD CSV WITH HEADERS FROM 'twice.csv' AS row RETURN row", &["line 1", "'a' twice"]),
        ("LOAD CSV FROM 'latin.csv' AS row RETURN row", &["line 3", "UTF-8"]),
        ("LOAD CSV FROM 'quote.csv' AS row RETURN size(row)", &["line 2", "not closed"]),
        ("UNWIND [$one] AS x LOAD CSV FROM x AS row RETURN row", &["InvalidArgumentType"]),
        ("LOAD CSV FROM null AS row RETURN row", &["InvalidArgumentType"]),
        ("LOAD CSV FROM 1 AS row RETURN row", &["takes a string", "column 15"]),
        ("UNWIND [1] AS x LOAD CSV FROM 'a.csv' AS x RETURN x", &["bound already", "column 42"]),
        ("LOAD CSV FROM 'a.csv' AS row", &["ends in RETURN"]),
        (
            "LOAD CSV FROM 'a.csv' AS row FIELDTERMINATOR '::' RETURN row",
            &["one ASCII character", "column 46"],
        ),
        ("LOAD CSV FROM 'a.csv' AS row FIELDTERMINATOR ';;' RETURN row", &["one ASCII character"]),
        ("LOAD CSV FROM 'a.csv' AS row FIELDTERMINATOR '\u{e9}' RETURN row", &["one ASCII character"]),
        ("LOAD CSV FROM 'a.csv' RETURN row", &["AS"]),
        ("LOAD 'a.csv' AS row RETURN row", &["CSV", "column 6"]),
    ] {
        world.refuses(text, parts);
    }
}

#[test]
fn a_node_reads_no_files_unless_told_to() {
    let world = World::new(&[]);
    world.refuses("LOAD CSV FROM 'a.csv' AS row RETURN row", &["reads no files", "--csv-dir"]);
    world.refuses("LOAD CSV FROM '/etc/passwd' AS row RETURN row", &["reads no files"]);
    // What is not read is not refused.
    world.check("UNWIND [] AS x LOAD CSV FROM 'a.csv' AS row RETURN row", &[]);
}
