//! CALL { } IN TRANSACTIONS: batches of rows, each of which may fail by itself.

use super::World;

const STATUS: &str = "s.started AS started, s.committed AS committed, s.transactionId AS id";

#[test]
fn a_batch_that_fails_is_undone_and_the_next_one_is_tried() {
    let world = World::new(&["CREATE (:Kept {v: 0})-[:T]->(:Kept {v: 9})"]);
    let text = "UNWIND [4, 2, 0, 1, 5] AS x CALL (x) { \
                  MATCH (k:Kept {v: 0}) SET k.seen = x CREATE (k)-[:MADE {by: x}]->(a:A {v: 4 / x}) RETURN a.v AS v \
                } IN TRANSACTIONS OF 2 ROWS ON ERROR CONTINUE RETURN x, v";
    world.check(text, &["4 | 1", "2 | 2", "0 | null", "1 | null", "5 | 0"]);
    world.check("MATCH (a:A) RETURN a.v", &["1", "2", "0"]);
    world.check("MATCH ()-[r:MADE]->() RETURN r.by", &["4", "2", "5"]);
    world.check("MATCH (k:Kept {v: 0}) RETURN k.seen", &["5"]);
}

#[test]
fn where_all_batches_fail_there_is_no_commit() {
    let world = World::new(&["CREATE (:A)"]);
    let head = || world.engine.run(&world.request("RETURN 1")).unwrap().commit;
    let before = head();
    world.check(
        "MATCH (a:A) CALL (a) { SET a.v = 1 CREATE (a)-[:T {w: 1}]->(b:B) WITH 1 AS one RETURN one / 0 AS z } \
         IN TRANSACTIONS ON ERROR CONTINUE RETURN z",
        &["null"],
    );
    assert_eq!(head(), before);
}

#[test]
fn what_was_set_removed_or_deleted_is_there_again() {
    let world = World::new(&["UNWIND [1, 2, 3] AS v CREATE (:N {v: v, old: true})-[:T {w: v}]->(:M)"]);
    world.check(
        "MATCH (n:N) WITH n ORDER BY n.v CALL (n) { \
           MATCH (n)-[r:T]->(m) REMOVE n:N, n.old SET n:O, n.v = 10 + n.v SET r.w = null DELETE r DETACH DELETE m \
           WITH n RETURN 1 / (n.v - 12) AS z \
         } IN TRANSACTIONS OF 1 ROW ON ERROR CONTINUE RETURN z",
        &["-1", "null", "1"],
    );
    world.check("MATCH (n:N)-[r:T]->(m:M) RETURN n.v, n.old, r.w", &["2 | true | 2"]);
    world.check("MATCH (o:O) RETURN o.v, o.old", &["11 | null", "13 | null"]);
    world.check("MATCH (m:M) RETURN count(*)", &["1"]);
    // What a batch deleted that was undone can be read again.
    world.check(
        "MATCH (n:N) CALL (n) { DETACH DELETE n WITH 1 AS one RETURN 1 / (one - 1) AS z } \
         IN TRANSACTIONS ON ERROR CONTINUE RETURN z, n.v",
        &["null | 2"],
    );
}

#[test]
fn after_break_nothing_is_tried() {
    let world = World::new(&[]);
    world.check(
        &format!(
            "UNWIND [1, 0, 2] AS x CALL (x) {{ CREATE (a:A {{v: 2 / x}}) RETURN a.v AS v }} \
             IN TRANSACTIONS OF 1 ROWS ON ERROR BREAK REPORT STATUS AS s RETURN x, v, {STATUS}, s.errorMessage IS NULL"
        ),
        &[
            "1 | 2 | true | true | batch-1 | true",
            "0 | null | true | false | batch-2 | false",
            "2 | null | false | false | null | true",
        ],
    );
    world.check("MATCH (a:A) RETURN a.v", &["2"]);
}

#[test]
fn a_status_is_told_of_subqueries_that_return_nothing_or_less() {
    let world = World::new(&[]);
    world.check(
        "UNWIND [1, 0] AS x CALL (x) { CREATE (:A {v: 1 / x}) } \
         IN TRANSACTIONS OF 1 ROWS REPORT STATUS AS s ON ERROR CONTINUE RETURN s",
        &[
            "{committed: true, errorMessage: null, started: true, transactionId: batch-1}",
            "{committed: false, errorMessage: / by zero, started: true, transactionId: batch-2}",
        ],
    );
    world.check("MATCH (a:A) RETURN count(*)", &["1"]);
    // Rows are joined as they are without transactions; of what failed each row comes once.
    let of = |call: &str| {
        format!(
            "UNWIND [1, 2, 0] AS x {call} (x) {{ UNWIND range(2, x) AS y RETURN y + 2 / x AS z }} \
             IN TRANSACTIONS OF 1 ROWS ON ERROR CONTINUE REPORT STATUS AS s RETURN x, z, s.committed"
        )
    };
    world.check(&of("CALL"), &["2 | 3 | true"]);
    world.check(&of("OPTIONAL CALL"), &["1 | null | true", "2 | 3 | true", "0 | null | true"]);
    world.check(
        "UNWIND [1, 0] AS x CALL (x) { WITH 1 / x AS y UNWIND [y, y] AS z RETURN z, x AS again } \
         IN 4 CONCURRENT TRANSACTIONS OF 1 ROWS ON ERROR CONTINUE RETURN x, z, again",
        &["1 | 1 | 1", "1 | 1 | 1", "0 | null | null"],
    );
    world.check(
        "CALL () { RETURN 1 AS x } IN CONCURRENT TRANSACTIONS OF $one ROWS ON ERROR BREAK REPORT STATUS AS s \
         WITH x, s WHERE s.committed RETURN x, s.started",
        &["1 | true"],
    );
}

#[test]
fn a_batch_that_breaks_a_constraint_fails_by_itself() {
    let world = World::new(&[
        "CREATE CONSTRAINT a_v FOR (a:A) REQUIRE a.v IS UNIQUE",
        "CREATE CONSTRAINT t_w FOR ()-[r:T]-() REQUIRE r.w IS NOT NULL",
        "CREATE (:A {v: 3})",
    ]);
    world.check(
        "UNWIND [1, 2, 3, 4, 5, 5, 6, 7] AS v CALL (v) { CREATE (:A {v: v}) } \
         IN TRANSACTIONS OF 2 ROWS ON ERROR CONTINUE REPORT STATUS AS s \
         RETURN v, s.committed, s.errorMessage CONTAINS 'a_v'",
        &[
            "1 | true | null",
            "2 | true | null",
            "3 | false | true",
            "4 | false | true",
            "5 | false | true",
            "5 | false | true",
            "6 | true | null",
            "7 | true | null",
        ],
    );
    world.check("MATCH (a:A) RETURN a.v", &["1", "2", "3", "6", "7"]);
    world.check(
        "UNWIND [null, 1] AS w CALL (w) { CREATE (:B)-[:T {w: w}]->(:B) } \
         IN TRANSACTIONS OF 1 ROWS ON ERROR CONTINUE RETURN w",
        &["null", "1"],
    );
    world.check("MATCH (:B)-[r:T]->(:B) RETURN r.w", &["1"]);
    world.check("MATCH (b:B) RETURN count(*)", &["2"]);
}

#[test]
fn batches_stand_between_other_clauses() {
    let world = World::new(&[]);
    world.check(
        "CREATE (r:Root) WITH r UNWIND [2, 1, 0] AS x \
         CALL (r, x) { CREATE (r)-[:HAS]->(a:A {v: 2 / x}) } IN TRANSACTIONS OF 1 ROWS ON ERROR CONTINUE \
         WITH DISTINCT r MATCH (r)-[:HAS]->(a) \
         CALL (a) { SET a.w = 2 / (a.v - 1) RETURN a.w AS w } IN TRANSACTIONS OF 1 ROWS ON ERROR CONTINUE REPORT STATUS AS s \
         RETURN a.v, w, s.committed",
        &["1 | null | false", "2 | 2 | true"],
    );
    world.check("MATCH (:Root)-[:HAS]->(a:A) RETURN a.v, a.w", &["1 | null", "2 | 2"]);
    // Later batches read what those before them wrote, but nothing of what was undone.
    world.check(
        "UNWIND [1, 0, 3] AS x CALL (x) { CREATE (:C {v: x}) WITH x MATCH (c:C) RETURN count(c) + 0 / x AS n } \
         IN TRANSACTIONS OF 1 ROWS ON ERROR CONTINUE RETURN x, n",
        &["1 | 1", "0 | null", "3 | 2"],
    );
    // A thousand rows are a batch where nothing else is said.
    world.check(
        "UNWIND range(1, 2500) AS x CALL (x) { CREATE (:D {v: 1 / (x - 1500)}) } \
         IN TRANSACTIONS ON ERROR CONTINUE REPORT STATUS AS s RETURN s.transactionId, s.committed, count(*)",
        &["batch-1 | true | 1000", "batch-2 | false | 1000", "batch-3 | true | 500"],
    );
    world.check("MATCH (d:D) RETURN count(*)", &["1500"]);
    let reading = "UNWIND [1, 0] AS x CALL (x) { RETURN 1 / x AS y } IN TRANSACTIONS OF 1 ROWS ON ERROR CONTINUE RETURN y";
    world.check(reading, &["1", "null"]);
    for mode in ["EXPLAIN", "PROFILE"] {
        world.check(&format!("{mode} {reading}"), &[]);
    }
}

#[test]
fn what_fails_outside_the_batches_fails_the_statement() {
    let world = World::new(&[]);
    let made = "UNWIND [1, 0] AS x CALL (x) { CREATE (:A {v: 1 / x}) } IN TRANSACTIONS OF 1 ROWS";
    world.refuses(made, &["zero"]);
    world.refuses(&format!("{made} ON ERROR FAIL"), &["zero"]);
    world.refuses(&format!("{made} ON ERROR CONTINUE RETURN 1 / x"), &["zero"]);
    world.refuses("UNWIND [1, 0] AS x WITH 1 / x AS y CALL (y) { CREATE (:A {v: y}) } IN TRANSACTIONS ON ERROR CONTINUE", &["zero"]);
    world.refuses("CALL { CREATE (:A) } IN TRANSACTIONS OF 1 - $one ROWS ON ERROR BREAK", &["positive"]);
    world.check("MATCH (a:A) RETURN count(*)", &["0"]);
}

#[test]
fn mistakes_are_refused_where_they_stand() {
    let world = World::new(&[]);
    for (end, parts) in [
        ("TRANSACTIONS OF 0 ROWS ON ERROR CONTINUE", ["positive", "column 41"]),
        ("TRANSACTIONS OF 'x' ROWS", ["number of rows", "column 41"]),
        ("TRANSACTIONS REPORT STATUS AS s", ["ON ERROR CONTINUE", "column 55"]),
        ("TRANSACTIONS ON ERROR FAIL REPORT STATUS AS s", ["ON ERROR CONTINUE", "column 69"]),
        ("TRANSACTIONS ON ERROR BREAK ON ERROR BREAK", ["", "column 53"]),
        ("TRANSACTIONS ON ERROR RETRY", ["FAIL", "column 47"]),
        ("4 TRANSACTIONS", ["CONCURRENT", "column 27"]),
        ("'x' CONCURRENT TRANSACTIONS", ["concurrency", "column 25"]),
    ] {
        world.refuses(&format!("CALL {{ CREATE (:A) }} IN {end}"), &parts);
    }
    let inside = "CALL { CREATE (:A) } IN TRANSACTIONS ON ERROR CONTINUE REPORT STATUS AS x";
    world.refuses(&format!("CALL () {{ {inside} }} RETURN 1"), &["inside a subquery"]);
    world.refuses(&format!("WITH 1 AS x {inside} RETURN x"), &["'x' is bound already"]);
    world.refuses(
        "CALL { RETURN 1 AS x } IN TRANSACTIONS ON ERROR CONTINUE REPORT STATUS AS x RETURN x",
        &["'x' is bound already"],
    );
}
