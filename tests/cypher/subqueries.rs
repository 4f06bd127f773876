//! CALL { }: what a subquery sees, what it leaves, and how often it runs.

use super::World;

const PEOPLE: &str = "CREATE (a:Person {name: 'Ann', age: 30}), (b:Person {name: 'Bob', age: 40}), \
    (c:Person {name: 'Cid', age: 20}), (a)-[:KNOWS]->(b), (a)-[:KNOWS]->(c), (b)-[:KNOWS]->(c)";

#[test]
fn rows_are_joined_to_the_row_they_were_made_for() {
    let world = World::new(&[PEOPLE]);
    for (text, expected) in [
        ("CALL { RETURN 1 AS x } RETURN x", &["1"][..]),
        (
            "UNWIND [1, 2] AS x CALL { UNWIND [3, 4] AS y RETURN y } RETURN x, y",
            &["1 | 3", "1 | 4", "2 | 3", "2 | 4"],
        ),
        (
            "UNWIND [1, 2] AS x CALL { WITH x UNWIND range(1, x) AS y RETURN y } RETURN x, y",
            &["1 | 1", "2 | 1", "2 | 2"],
        ),
        (
            "UNWIND [1, 2] AS x CALL (x) { UNWIND range(1, x) AS y RETURN y } RETURN x, y",
            &["1 | 1", "2 | 1", "2 | 2"],
        ),
        ("UNWIND [1, 1] AS x CALL (x) { RETURN x AS y } RETURN y", &["1", "1"]),
        ("UNWIND [1, 2] AS x CALL (*) { RETURN x + 1 AS y } RETURN y", &["2", "3"]),
        (
            "UNWIND [1, 2] AS x CALL () { UNWIND [7, 8] AS z RETURN sum(z) AS y } RETURN x, y",
            &["1 | 15", "2 | 15"],
        ),
        ("UNWIND [1, 2] AS x CALL () { UNWIND [5] AS x RETURN x AS y } RETURN x, y", &["1 | 5", "2 | 5"]),
        ("UNWIND [1, 2] AS x CALL { WITH * RETURN x * 10 AS y } RETURN y", &["10", "20"]),
        // Aggregates and limits count within one row.
        (
            "MATCH (p:Person) CALL (p) { MATCH (p)-[:KNOWS]->(f) RETURN count(f) AS c } RETURN p.name, c",
            &["Ann | 2", "Bob | 1", "Cid | 0"],
        ),
        (
            "MATCH (p:Person) CALL { WITH p MATCH (p)-[:KNOWS]->(f) RETURN f.name AS f ORDER BY f DESC LIMIT 1 } \
             RETURN p.name, f",
            &["Ann | Cid", "Bob | Cid"],
        ),
        (
            "MATCH (p:Person) CALL (p) { OPTIONAL MATCH (p)-[:KNOWS]->(f) WITH f ORDER BY f.name \
             RETURN collect(f.name) AS fs } RETURN p.name, fs",
            &["Ann | [Bob, Cid]", "Bob | [Cid]", "Cid | []"],
        ),
        // The subquery decides whether there is a row.
        (
            "MATCH (p:Person) CALL (p) { WITH p WHERE p.age > 25 RETURN 1 AS one } RETURN p.name",
            &["Ann", "Bob"],
        ),
        ("UNWIND [1, 2] AS x CALL (x) { WITH x WHERE x > 5 RETURN x AS y } RETURN count(*)", &["0"]),
        // Null is imported as null.
        ("WITH null AS n CALL (n) { RETURN n IS NULL AS b } RETURN b", &["true"]),
        (
            "OPTIONAL MATCH (n:None) CALL (n) { OPTIONAL MATCH (n)-->(m) RETURN count(m) AS c } RETURN c",
            &["0"],
        ),
        ("OPTIONAL MATCH (n:None) CALL (n) { MATCH (n) RETURN n AS m } RETURN count(*)", &["0"]),
    ] {
        world.check(text, expected);
    }
}

#[test]
fn imported_names_outlive_every_with() {
    let world = World::new(&[PEOPLE]);
    for (text, expected) in [
        ("UNWIND [1, 2] AS x CALL (x) { WITH 10 AS y RETURN x + y AS z } RETURN z", &["11", "12"][..]),
        (
            "UNWIND [1, 2] AS x CALL (x) { UNWIND [5, 5] AS y WITH DISTINCT y RETURN x + y AS z } RETURN z",
            &["6", "7"],
        ),
        (
            "UNWIND [1, 2] AS x CALL (x) { UNWIND [5, 5, 6] AS y WITH y, count(*) AS c RETURN x + y + c AS z } RETURN z",
            &["8", "8", "9", "9"],
        ),
        (
            "UNWIND [1, 2] AS x CALL (x) { UNWIND [] AS y WITH count(y) AS c RETURN x + c AS z } RETURN z",
            &["1", "2"],
        ),
        ("UNWIND [1, 2] AS x CALL (x) { UNWIND [5, 6] AS y RETURN count(y) + x AS z } RETURN z", &["3", "4"]),
        (
            "UNWIND [1, 2] AS x CALL (x) { UNWIND [5, 6] AS y WITH y ORDER BY y DESC LIMIT 1 WITH collect(y) AS ys \
             RETURN ys, x AS also } RETURN ys, also",
            &["[6] | 1", "[6] | 2"],
        ),
        ("UNWIND [1, 2] AS x CALL (x) { WITH 3 AS y RETURN * } RETURN x, y", &["1 | 3", "2 | 3"]),
        // In expressions too.
        (
            "MATCH (n:Person) WHERE EXISTS { MATCH (n)-->(m) WITH m MATCH (m) WHERE m.age < n.age RETURN 1 } RETURN n.name",
            &["Ann", "Bob"],
        ),
        (
            "MATCH (n:Person) RETURN n.name, COUNT { MATCH (n)-->(m) WITH DISTINCT m.age AS age WHERE age < n.age RETURN age } AS c",
            &["Ann | 1", "Bob | 1", "Cid | 0"],
        ),
        // Those that a WITH imports do not.
        ("UNWIND [1, 2] AS x CALL { WITH x WITH x + 1 AS x2 RETURN x2 } RETURN x2", &["2", "3"]),
    ] {
        world.check(text, expected);
    }
    world
        .refuses("WITH 1 AS x CALL { WITH x WITH 2 AS y RETURN x + y AS z } RETURN z", &["'x'", "column 46"]);
}

#[test]
fn unions_and_nested_subqueries_answer() {
    let world = World::new(&[PEOPLE]);
    for (text, expected) in [
        (
            "UNWIND [1, 2] AS x CALL { WITH x RETURN x AS y UNION WITH x RETURN x * 10 AS y } RETURN x, y",
            &["1 | 1", "1 | 10", "2 | 2", "2 | 20"][..],
        ),
        (
            "UNWIND [1, 2] AS x CALL (x) { RETURN 1 AS y UNION RETURN x AS y } RETURN x, y",
            &["1 | 1", "2 | 1", "2 | 2"],
        ),
        ("UNWIND [1] AS x CALL (x) { RETURN x AS y UNION ALL RETURN x AS y } RETURN y", &["1", "1"]),
        (
            "UNWIND [1, 2] AS x CALL { RETURN 5 AS y UNION WITH x RETURN x AS y } RETURN x, y",
            &["1 | 1", "1 | 5", "2 | 2", "2 | 5"],
        ),
        (
            "UNWIND [1, 2] AS x CALL (x) { UNWIND [3, 4] AS y CALL (x, y) { RETURN x * y AS z } RETURN y, z } RETURN x, y, z",
            &["1 | 3 | 3", "1 | 4 | 4", "2 | 3 | 6", "2 | 4 | 8"],
        ),
        (
            "MATCH (p:Person) CALL (p) { CALL (p) { MATCH (p)-->(f) RETURN f LIMIT 1 } RETURN count(f) AS c } RETURN p.name, c",
            &["Ann | 1", "Bob | 1", "Cid | 0"],
        ),
        ("RETURN COLLECT { UNWIND [1, 2] AS x CALL (x) { RETURN x + 1 AS y } RETURN y } AS l", &["[2, 3]"]),
        ("CALL { CALL { RETURN 1 AS a } RETURN a + 1 AS b } RETURN b", &["2"]),
    ] {
        world.check(text, expected);
    }
}

#[test]
fn optional_calls_keep_the_row() {
    let world = World::new(&[PEOPLE]);
    for (text, expected) in [
        (
            "MATCH (p:Person) OPTIONAL CALL (p) { MATCH (p)-->(f) RETURN f.name AS f ORDER BY f LIMIT 1 } RETURN p.name, f",
            &["Ann | Bob", "Bob | Cid", "Cid | null"][..],
        ),
        (
            "UNWIND [1, 6] AS x OPTIONAL CALL (x) { WITH x WHERE x > 5 RETURN x AS y } RETURN x, y",
            &["1 | null", "6 | 6"],
        ),
        (
            "UNWIND [1, 6] AS x OPTIONAL CALL { WITH x WITH x WHERE x > 5 RETURN x AS y, 1 AS z } RETURN y, z",
            &["6 | 1", "null | null"],
        ),
        ("OPTIONAL CALL { MATCH (n:None) RETURN n } RETURN n", &["null"]),
        ("OPTIONAL CALL { UNWIND [] AS x RETURN x } RETURN x IS NULL AS b", &["true"]),
        ("OPTIONAL CALL db.labels() YIELD label WHERE label = 'None' RETURN label", &["null"]),
        ("OPTIONAL CALL db.labels() YIELD label RETURN label", &["Person"]),
    ] {
        world.check(text, expected);
    }
}

#[test]
fn unit_subqueries_write_once_for_each_row() {
    let world = World::new(&[]);
    world.check("UNWIND [1, 1, 2] AS x CALL (x) { CREATE (:A {v: x}) } RETURN x", &["1", "1", "2"]);
    world.check("MATCH (a:A) RETURN a.v", &["1", "1", "2"]);
    world.check(
        "MATCH (a:A) CALL { WITH a UNWIND [1, 2] AS k CREATE (a)-[:HAS]->(:B {k: k}) } RETURN count(a)",
        &["3"],
    );
    world.check("MATCH (b:B) RETURN count(b)", &["6"]);
    // A row of the input is read before any is written.
    world.check("MATCH (a:A) CALL { CREATE (:A {v: 9}) } RETURN count(*)", &["3"]);
    world.check("MATCH (a:A {v: 9}) RETURN count(*)", &["3"]);
    // A filter behind a subquery does not keep it from writing.
    world.check("MATCH (a:A {v: 9}) CALL (a) { SET a.w = 1 } WITH a WHERE a.v = 1 RETURN count(a)", &["0"]);
    world.check("MATCH (a:A {w: 1}) RETURN count(*)", &["3"]);
    world.check("MATCH (a:A {v: 9}) CALL (a) { DETACH DELETE a } RETURN count(*) LIMIT 1", &["3"]);
    world.check("MATCH (a:A) RETURN count(*)", &["3"]);
    // One row sees what the subquery wrote for those before it.
    world.check("UNWIND [1, 2, 3] AS x CALL (x) { MATCH (c:C) CREATE (:C) RETURN 1 AS n } RETURN x, n", &[]);
    world.check(
        "UNWIND [1, 2, 3] AS x CALL (x) { OPTIONAL MATCH (c:C) WITH count(c) AS n CREATE (:C) RETURN n } RETURN x, n",
        &["1 | 0", "2 | 1", "3 | 2"],
    );
    // What comes after sees all of it.
    world.check("CALL { CREATE (:D) } MATCH (d:D) RETURN count(d)", &["1"]);
    world.check(
        "UNWIND [1, 2] AS x CALL (x) { CREATE (:D) } MATCH (d:D) RETURN x, count(d)",
        &["1 | 3", "2 | 3"],
    );
    world.check("UNWIND [1, 1, 2] AS x CALL (x) { MERGE (e:E {v: x}) ON CREATE SET e.n = 1 ON MATCH SET e.n = e.n + 1 }", &[]);
    world.check("MATCH (e:E) RETURN e.v, e.n", &["1 | 2", "2 | 1"]);
    world.check("UNWIND [1, 2] AS x CALL (x) { CREATE (f:F {v: x}) RETURN f UNION CREATE (f:F {v: -x}) RETURN f } RETURN x, f.v",
        &["1 | 1", "1 | -1", "2 | 2", "2 | -2"]);
    world.check(
        "UNWIND [1, 2] AS x CALL (x) { CREATE (:G {v: x}) UNION ALL CREATE (:G {v: -x}) } RETURN x",
        &["1", "2"],
    );
    world.check("MATCH (g:G) RETURN sum(g.v), count(g)", &["0 | 4"]);
    world.check(
        "UNWIND [1, 2] AS x CALL (x) { FOREACH (y IN range(1, x) | CREATE (:H)) } RETURN x",
        &["1", "2"],
    );
    world.check("MATCH (h:H) RETURN count(h)", &["3"]);
    world.check("CALL { CALL { CREATE (:I) } CREATE (:I) } CALL () { CREATE (:I) }", &[]);
    world.check("MATCH (i:I) RETURN count(i)", &["3"]);
    world.check("UNWIND range(1, 5000) AS x CALL (x) { CREATE (:J {v: x}) }", &[]);
    world.check("MATCH (j:J) CALL (j) { CREATE (:J) } RETURN count(*)", &["5000"]);
    world.check("MATCH (j:J) RETURN count(*)", &["10000"]);
}

#[test]
fn each_run_has_values_of_its_own() {
    let world = World::new(&[]);
    world.check("UNWIND range(1, 9) AS x CALL { RETURN randomUUID() AS u } RETURN count(DISTINCT u)", &["9"]);
    world.check(
        "UNWIND range(1, 9) AS x CALL () { UNWIND [1, 2] AS y RETURN rand() AS u } RETURN count(DISTINCT u)",
        &["18"],
    );
}

#[test]
fn a_statement_in_transactions_is_one_commit() {
    let world = World::new(&[]);
    world.check("UNWIND [1, 2] AS x CALL (x) { CREATE (:A {v: x}) } IN TRANSACTIONS OF 1 ROWS", &[]);
    world.check("UNWIND [1] AS x CALL { WITH x CREATE (:A {v: x}) } IN TRANSACTIONS ON ERROR FAIL", &[]);
    world.check(
        "UNWIND [1] AS x CALL (x) { CREATE (:A {v: x}) } IN TRANSACTIONS OF $one ROW RETURN x",
        &["1"],
    );
    world.check("MATCH (a:A) RETURN count(*)", &["4"]);
    // What fails leaves nothing behind.
    world.refuses(
        "UNWIND [1, 0] AS x CALL (x) { CREATE (:B {v: 1 / x}) } IN TRANSACTIONS OF 1 ROWS",
        &["zero"],
    );
    world.check("MATCH (b:B) RETURN count(*)", &["0"]);
    world.refuses("CALL { CALL { CREATE (:A) } IN TRANSACTIONS }", &["inside a subquery", "column 29"]);
}

#[test]
fn mistakes_are_refused_where_they_stand() {
    let world = World::new(&[]);
    for (text, parts) in [
        ("WITH 1 AS x CALL { RETURN x AS y } RETURN y", ["no variable 'x'", "column 27"]),
        ("WITH 1 AS x CALL (y) { RETURN 1 AS z } RETURN z", ["no variable 'y'", "column 19"]),
        ("WITH 1 AS x CALL (x, x) { RETURN 1 AS z } RETURN z", ["imported twice", "column 22"]),
        ("WITH 1 AS x CALL { WITH x RETURN x } RETURN x", ["bound already outside", "column 34"]),
        ("WITH 1 AS x CALL (x) { RETURN x } RETURN x", ["bound already outside", "column 31"]),
        ("WITH 1 AS x CALL () { RETURN 2 AS x } RETURN x", ["bound already outside", "column 30"]),
        ("WITH 1 AS x CALL { WITH x RETURN * } RETURN x", ["bound already outside", "column 27"]),
        ("WITH 1 AS x CALL (x) { RETURN * } RETURN x", ["nothing that '*'", "column 24"]),
        ("WITH 1 AS x CALL { WITH x AS y RETURN y } RETURN y", ["imports", "column 25"]),
        ("WITH 1 AS x CALL { WITH x WHERE x > 0 RETURN 1 AS y } RETURN y", ["imports", "column 25"]),
        ("WITH 1 AS x CALL { WITH y RETURN y } RETURN y", ["no variable 'y'", "column 25"]),
        (
            "WITH 1 AS x CALL (x) { WITH 2 AS x RETURN x AS y } RETURN y",
            ["bound already outside", "column 29"],
        ),
        ("WITH 1 AS x CALL (x) { UNWIND [1] AS x RETURN 1 AS y } RETURN y", ["bound already", "column 38"]),
        ("CALL { MATCH (n) } RETURN 1", ["ends in RETURN", "column 8"]),
        ("CALL { RETURN 1 AS x }", ["cannot end", "column 1"]),
        ("CALL { RETURN 1 AS x UNION RETURN 2 AS y } RETURN x", ["same columns", "column 22"]),
        ("CALL { RETURN 1 } RETURN 2", ["name", "column 15"]),
        ("CALL { USE g RETURN 1 AS x } RETURN x", ["graph of its statement", "column 8"]),
        ("RETURN EXISTS { CALL { CREATE (:A) } RETURN 1 }", ["cannot write", "column 17"]),
        ("FOREACH (x IN [1] | CALL { CREATE (:A) })", ["FOREACH", "column 21"]),
        ("CALL { RETURN 1 AS x RETURN x", ["the end of the query", "column 30"]),
        ("CALL (x { RETURN 1 AS y } RETURN y", ["')'", "column 9"]),
        ("CALL { } RETURN 1", ["RETURN", "column 8"]),
        ("RETURN 1 AS x UNION USE g RETURN 2 AS x", ["graph", "column 21"]),
    ] {
        world.refuses(text, &parts);
    }
}
