//! FOREACH with clauses that need rows of their own.

use super::World;

#[test]
fn each_element_is_merged_in_turn() {
    let world = World::new(&[]);
    world.check(
        "FOREACH (x IN [1, 2, 2, 3] | MERGE (n:A {v: x}) ON CREATE SET n.c = 1 ON MATCH SET n.c = n.c + 1)",
        &[],
    );
    world.check("MATCH (n:A) RETURN n.v, n.c", &["1 | 1", "2 | 2", "3 | 1"]);
    world.check(
        "UNWIND [10, 20] AS k FOREACH (x IN [k, k + 1] | MERGE (n:B {v: x}) SET n.k = k) RETURN k",
        &["10", "20"],
    );
    world.check("MATCH (n:B) RETURN n.v, n.k", &["10 | 10", "11 | 10", "20 | 20", "21 | 20"]);
    // All clauses for one element, then all for the next.
    world.check(
        "FOREACH (x IN [1, 2] | CREATE (c:C {v: x}) MERGE (d:D) ON CREATE SET d.first = x SET d.last = c.v)",
        &[],
    );
    world.check("MATCH (d:D) RETURN d.first, d.last", &["1 | 2"]);
    world.check("FOREACH (x IN [1, 2] | FOREACH (y IN [x, 3] | MERGE (e:E {v: y})))", &[]);
    world.check("MATCH (e:E) RETURN e.v", &["1", "2", "3"]);
    world.check(
        "MATCH (a:A) WITH collect(a) AS l FOREACH (a IN l | MERGE (a)-[:IN]->(h:Hub)) RETURN size(l)",
        &["3"],
    );
    world.check("MATCH (:A)-[:IN]->(h:Hub) RETURN count(DISTINCT h), count(*)", &["3 | 3"]);
    world.check(
        "MERGE (h:One) FOREACH (x IN [1, 2] | MERGE (h)-[:TO]->(:T {v: x}) MERGE (h)-[:TO]->(:T {v: 1}))",
        &[],
    );
    world.check("MATCH (:One)-[:TO]->(t) RETURN t.v", &["1", "2"]);
    world.check("FOREACH (x IN null | MERGE (n:None))", &[]);
    world.check("FOREACH (x IN [] | MERGE (n:None))", &[]);
    world.check("MATCH (n:None) RETURN count(*)", &["0"]);
    world.refuses("UNWIND [1] AS l FOREACH (x IN l | MERGE (n:None))", &["list"]);
}

#[test]
fn elements_have_paths_and_subqueries() {
    let world = World::new(&["CREATE (a:A {v: 1})-[:T]->(b:A {v: 2})"]);
    world.check(
        "FOREACH (x IN [1, 2] | CREATE p = (:P {v: x})-[:Q]->() SET (nodes(p)[1]).w = length(p))",
        &[],
    );
    world.check("MATCH (:P)-->(n) RETURN n.w", &["1", "1"]);
    world.check("MATCH (n:A) WITH collect(n) AS l FOREACH (n IN l | SET n.c = COUNT { (n)--() })", &[]);
    world.check("MATCH (n:A) RETURN n.v, n.c", &["1 | 1", "2 | 1"]);
    world.check("MATCH (n:A) WITH collect(n) AS l FOREACH (n IN l | FOREACH (m IN [(n)-->(m) | m] | SET m.seen = n.v))", &[]);
    world.check("MATCH (n:A) RETURN n.v, n.seen", &["1 | null", "2 | 1"]);
}
