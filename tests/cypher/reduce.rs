//! reduce() with subqueries in its step.

use super::World;

#[test]
fn subqueries_answer_for_each_element() {
    let world =
        World::new(&["CREATE (a:A {v: 1})-[:T]->(b:A {v: 2}), (a)-[:T]->(c:A {v: 3}), (b)-[:T]->(c)"]);
    let all = "MATCH (n:A) WITH n ORDER BY n.v WITH collect(n) AS l RETURN";
    for (text, expected) in [
        ("reduce(s = 0, n IN l | s + COUNT { (n)-->() })", "3"),
        ("reduce(s = 0, n IN l | s + n.v * size([(n)-->(m) | m]))", "4"),
        ("reduce(s = '', n IN l | s + CASE WHEN EXISTS { (n)-->() } THEN 'y' ELSE 'n' END)", "yyn"),
        ("reduce(s = [], n IN l | s + [(n)-->(m) | m.v])", "[2, 3, 3]"),
        ("reduce(s = 0, n IN l | s + CASE WHEN (n)-->() THEN COUNT { (n)--() } ELSE n.v END)", "7"),
        ("reduce(s = 0, n IN l | s + reduce(t = 0, m IN [(n)-->(m) | m] | t + m.v))", "8"),
        ("reduce(s = 0, n IN null | s + COUNT { (n)-->() })", "null"),
        ("reduce(s = 5, n IN [] | s + COUNT { (n)-->() })", "5"),
    ] {
        world.check(&format!("{all} {text} AS r"), &[expected]);
    }
    world.check(
        "RETURN reduce(s = 1, n IN [] | s + COUNT { () }) + reduce(s = 1, n IN [7] | s + COUNT { () }) AS r",
        &["5"],
    );
    world.refuses(
        &format!("{all} reduce(s = 0, n IN l | s + COUNT {{ (n)-->(m) WHERE m.v > s }}) AS r"),
        &["what is gathered so far"],
    );
}
