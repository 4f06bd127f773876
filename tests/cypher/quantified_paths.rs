//! Quantified patterns and relationships: which paths there are, and what their names are bound to.

use super::World;

/// A chain a-b-c-d with a shortcut a-c, a loop at d and a way back d-a; weights on all.
const GRAPH: &str = "CREATE (a:N:First {name: 'a', v: 1}), (b:N {name: 'b', v: 2}), (c:N:Even {name: 'c', v: 3}), \
    (d:N:Last {name: 'd', v: 4}), (a)-[:T {w: 1}]->(b), (b)-[:T {w: 2}]->(c), (c)-[:T {w: 3}]->(d), \
    (a)-[:U {w: 4}]->(c), (d)-[:U {w: 5}]->(d), (d)-[:T {w: 6}]->(a)";

#[test]
fn paths_are_trails_of_the_length_asked_for() {
    let world = World::new(&[GRAPH]);
    let names = |list: &str| format!("[n IN {list} | n.name]");
    for (pattern, result, expected) in [
        ("(a:First)-[:T]->{2}(b)", "b.name", &["c"][..]),
        ("(a:First)-[:T]->{1,2}(b)", "b.name", &["b", "c"]),
        ("(a:First)-[:T]->{,2}(b)", "b.name", &["a", "b", "c"]),
        ("(a:First)-[:T]->{3,}(b)", "b.name", &["d", "a"]),
        ("(a:First)-[:T]->+(b)", "b.name", &["b", "c", "d", "a"]),
        ("(a:First)-[:T]->*(b)", "b.name", &["a", "b", "c", "d", "a"]),
        ("(a:Last)<-[:T]-{2}(b)", "b.name", &["b"]),
        ("(a:First)-[:T]-{2}(b)", "b.name", &["c", "c"]),
        ("(a:First)-->{2}(b)", "b.name", &["c", "d"]),
        ("(a:Last)-[:U]->+(b)", "b.name", &["d"]),
        ("(a:Last)-[:U]-+(b)", "b.name", &["d"]),
        ("(a:First) ((x)-[:T]->(y) WHERE x.v < y.v)+ (b)", "b.name", &["b", "c", "d"]),
        ("(a:First) ((x)-[r:T]->(y) WHERE r.w < 3)+ (b)", "b.name", &["b", "c"]),
        ("(a:First)-[r:T WHERE r.w < 3]->+(b)", "b.name", &["b", "c"]),
        ("(a:First)-[:T {w: 1}]->+(b)", "b.name", &["b"]),
        ("(a:First) ((:N)-[:T|U]->(:Even))+ (b)", "b.name", &["c"]),
        ("(a:First) ((x)-[:T]->(y)-[:T]->(z)){2} (b)", "b.name", &["a"]),
        ("(a:First) ((x)-[:T]->()<-[:U]-(y)) {1} (b)", "b.name", &[]),
        ("(a:First) ((x)-[:U]->()<-[:T]-(y)) + (b)", "b.name", &["b"]),
        ("((x)-[:U]->(x))+", "x[0].name", &["d"]),
        ("((x)-[:T]->(y)){4}", "x[0].name", &["a", "b", "c", "d"]),
        ("((x)-[:T]->(y) WHERE x.v > 0){4} (z)", "z.name", &["a", "b", "c", "d"]),
        // The end is given.
        ("(a:First) ((x)-[:T]->(y) WHERE y.v > 0)+ (b:Last)", "b.name", &["d"]),
        ("((x)-[:T]->(y) WHERE y.v > 0){2} (b:Last)", "x[0].name", &["b"]),
        ("(a:First) ((x)-[:T]->(y) WHERE y.v > 0)+ (a)", "size(x)", &["4"]),
        ("(a:N) ((x)-[:T]->(y) WHERE y.v > 0)* (b {name: 'b'})", "a.name", &["a", "b", "b", "c", "d"]),
        // Patterns beside each other, and relationships behind them.
        ("(a:First) ((x)-[:T]->(y) WHERE y.v > 0){1} ((p)-[:T]->(q) WHERE p.v > 0){1} (b)", "b.name", &["c"]),
        ("(a:First)-[:T]->+(m)-[:U]->(b)", "m.name + b.name", &["dd", "ac"]),
        ("(a:First) ((x)-[:T]->(y) WHERE y.v > 0)+ (m)-[:U]->(b)", "m.name + b.name", &["dd", "ac"]),
        (
            "(m)-[:U]->(b) ((x)-[:T]->(y) WHERE y.v > 0)+ (l:Last)",
            "m.name + b.name + l.name",
            &["acd", "ddd"],
        ),
        ("(a:First) ((x)-[:T]->(y) WHERE y.v > 0)+ (b), (b)-[:U]->(c)", "b.name + c.name", &["ac", "dd"]),
        ("(b)-[:U]->(c), (a:First) ((x)-[:T]->(y) WHERE y.v > 0)+ (b)", "b.name + c.name", &["ac", "dd"]),
        // A relationship is used once in all of the clause.
        ("(a:First) ((x)-[:T]->(y) WHERE y.v > 0)+ (b)-[:T]->(c)", "b.name + c.name", &["bc", "cd", "da"]),
        ("(a:First)-[:T]->(b) ((x)-[:T]->(y) WHERE y.v > 0)+ (c)", "b.name + c.name", &["bc", "bd", "ba"]),
        ("(a:First)-[:T]->+(b)-[:T]->+(c)", "b.name + c.name", &["bc", "bd", "ba", "cd", "ca", "da"]),
        (
            "(a:First)-[:T]->(b), (c) ((x)-[:T]->(y) WHERE y.v > 0){1} (d)",
            "c.name + d.name",
            &["bc", "cd", "da"],
        ),
        (
            "(b)-[r:U]->(c) WHERE EXISTS { (b)-[:T]->+(c) } AND EXISTS { (b) ((x)-[:T]->(y) WHERE x.v < y.v)+ (c) }",
            "b.name",
            &["a"],
        ),
        ("(b:N) WHERE (b)-[:U]->{1,2}(:Last)", "b.name", &["d"]),
    ] {
        world.check(&format!("MATCH {pattern} RETURN {result}"), expected);
    }
    for (pattern, result, expected) in [
        (
            "(a:First) ((x)-[r:T]->(y)){2} (b)",
            format!("{}, {}, [k IN r | k.w]", names("x"), names("y")),
            &["[a, b] | [b, c] | [1, 2]"][..],
        ),
        (
            "(a:First) ((x)-[r:T]->(y) WHERE x.v > 0){2} (b)",
            format!("{}, {}, [k IN r | k.w]", names("x"), names("y")),
            &["[a, b] | [b, c] | [1, 2]"],
        ),
        (
            "((x)-[r:T]->(y) WHERE x.v > 0){2} (b:Last)",
            format!("{}, {}, [k IN r | k.w]", names("x"), names("y")),
            &["[b, c] | [c, d] | [2, 3]"],
        ),
        (
            "(a:First) ((x)-[r:T]->(y)-[s:T]->(z)){1,2} (b)",
            format!("{}, {}, [k IN r | k.w], [k IN s | k.w]", names("x"), names("y")),
            &["[a] | [b] | [1] | [2]", "[a, c] | [b, d] | [1, 3] | [2, 6]"],
        ),
        (
            "(a:First) ((x)-[r:U]->(y) WHERE r.w > 9)* (b)",
            "x, r, y, b.name".to_owned(),
            &["[] | [] | [] | a"],
        ),
        ("(a:First)-[r:T]->*(b:First)", "[k IN r | k.w]".to_owned(), &["[]", "[1, 2, 3, 6]"]),
        (
            "p = (a:First) ((x)-[r:T]->(y)-[:T]->(z) WHERE x.v > 0){2} (b)",
            format!("length(p), {}", names("nodes(p)")),
            &["4 | [a, b, c, d, a]"],
        ),
        (
            "p = (a:First)-[:U]->() ((x)-[r:T]->(y) WHERE x.v > 0)+ (b:Last)",
            names("nodes(p)"),
            &["[a, c, d]"],
        ),
        ("p = ((x)-[r:T]->(y) WHERE x.v > 0){2} (b:Last)", names("nodes(p)"), &["[b, c, d]"]),
        ("p = (:First) ((x)-[:T]-(y) WHERE x.v > 0){2} (b)", names("nodes(p)"), &["[a, b, c]", "[a, d, c]"]),
    ] {
        world.check(&format!("MATCH {pattern} RETURN {result}"), expected);
    }
}

#[test]
fn rows_before_and_behind_are_joined() {
    let world = World::new(&[GRAPH]);
    for (text, expected) in [
        (
            "MATCH (a:First) MATCH (a) ((x)-[:T]->(y) WHERE x.v < y.v)+ (b) RETURN b.name",
            &["b", "c", "d"][..],
        ),
        ("MATCH (b:Last) MATCH (a) ((x)-[:T]->(y) WHERE x.v < y.v){1,2} (b) RETURN a.name", &["c", "b"]),
        // What the step reads of the row.
        (
            "UNWIND [2, 3] AS k MATCH (a:First) ((x)-[:T]->(y) WHERE y.v <= k)+ (b) RETURN k, b.name",
            &["2 | b", "3 | b", "3 | c"],
        ),
        ("MATCH (m:Even) MATCH (a:First) ((x)-[:T]->(y) WHERE y.v < m.v)+ (b) RETURN b.name", &["b"]),
        ("MATCH (a:First) MATCH (a)-[r:T*1..2 {w: a.v}]->(b) RETURN b.name", &["b"]),
        (
            "MATCH (a:N)-[r:T*1..3 {w: a.v}]->(b) RETURN a.name, b.name, size(r)",
            &["a | b | 1", "b | c | 1", "c | d | 1"],
        ),
        ("MATCH (a:N)-[r:T*1 {w: b.v}]->(b:N) RETURN a.name", &[]),
        ("MATCH (a:N)-[:T* {w: b.v - 1}]->(b) RETURN a.name", &["a", "b", "c"]),
        (
            "UNWIND [1, 2] AS w MATCH ()-[r:T* {w: w}]->(b) WITH w, r, b MATCH ()-[r*]->(c) RETURN w, b = c",
            &["1 | true", "2 | true"],
        ),
        (
            "MATCH (a:First) OPTIONAL MATCH (a) ((x)-[:T]->(y) WHERE x.v > 8)+ (b) RETURN a.name, b, x",
            &["a | null | null"],
        ),
        (
            "MATCH (a:N) OPTIONAL MATCH (a) ((x)-[:U]->(y) WHERE x.v > 0){1} (b) RETURN a.name, b.name",
            &["a | c", "b | null", "c | null", "d | d"],
        ),
        ("OPTIONAL MATCH (n:None) OPTIONAL MATCH (n) ((x)-->(y) WHERE x.v > 0)* (b) RETURN b", &["null"]),
        ("OPTIONAL MATCH (n:None) MATCH (n) ((x)-->(y) WHERE x.v > 0)* (b) RETURN b", &[]),
        (
            "MATCH (a:N) RETURN a.name, COUNT { (a) ((x)-[:T]->(y) WHERE x.v < y.v)+ () } AS c",
            &["a | 3", "b | 2", "c | 1", "d | 0"],
        ),
        (
            "MATCH (a:N) CALL (a) { MATCH (a) ((x)-[:T]->(y) WHERE x.v < y.v)+ (b) RETURN b.name AS b ORDER BY b DESC LIMIT 1 } RETURN a.name, b",
            &["a | d", "b | d", "c | d"],
        ),
        ("MATCH (a:First) RETURN [(a)-[:T]->{1,2}(b) | b.name] AS l", &["[b, c]"]),
        ("MATCH (a:First) ((x)-[:T]->(y) WHERE EXISTS { (y)-[:U]->() })+ (b) RETURN b.name", &[]),
        ("MATCH (a:Even) ((x)-[:T]->(y) WHERE EXISTS { (y)-[:U]->() })+ (b) RETURN b.name", &["d", "a"]),
        // Writing statements read through it, too.
        (
            "MATCH (a:First) SET a.z = 1 WITH a MATCH (a) ((x)-[:T]->(y) WHERE y.v > 0){2} (b) SET b.z = 2 RETURN b.name",
            &["c"],
        ),
        ("MATCH (n {z: 2}) RETURN n.name", &["c"]),
        ("MATCH p = shortestPath((a:First)-[r:U]->(b)) RETURN type(r), b.name", &["U | c"]),
        ("MATCH shortestPath((a:Even)-[r]-(b:First)) RETURN r.w", &["4"]),
    ] {
        world.check(text, expected);
    }
}

/// Says each question in another way, over graphs that a generator makes.
#[test]
fn other_spellings_have_the_same_answers() {
    let mut seed = 7_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for _ in 0..12 {
        let nodes: Vec<String> = (0..6).map(|n| format!("(n{n}:N {{v: {n}}})")).collect();
        let edges: Vec<String> = (0..9)
            .map(|_| format!("(n{})-[:{}]->(n{})", random(6), ["T", "U"][random(2) as usize], random(6)))
            .collect();
        let graph = format!("CREATE {}, {}", nodes.join(", "), edges.join(", "));
        let world = World::new(&[&graph]);
        for (one, other) in [
            ("(a)-[:T]->{1,3}(b)", "(a)-[:T*1..3]->(b)"),
            ("(a) ((x)-[:T]->(y) WHERE x.v >= 0){1,3} (b)", "(a)-[:T*1..3]->(b)"),
            ("(a) ((x:N)-[:T|U]-(y)){0,2} (b)", "(a)-[:T|U*0..2]-(b)"),
            ("(a) ((x:N)<--(y)){2,3} (b)", "(a)<-[*2..3]-(b)"),
            ("(a) ((x:N)-->(y)-[:T]->(z)){2} (b)", "(a)-->()-[:T]->()-->()-[:T]->(b)"),
            ("(a) ((x:N)-->(y:N)){2} (m:N)--(b)", "(a)-->()-->(m)--(b)"),
            ("(a:N)--(m) ((x:N)-->(y:N)){2} (b)", "(a)--(m)-->()-->(b)"),
            ("(a)-[:T]->(m) ((x:N)-->(y:N)){1} (b), (b)-->(a)", "(a)-[:T]->(m)-->(b)-->(a)"),
            ("(a) ((x)-->(y) WHERE x.v < y.v){2} (b)", "(a)-->(m)-->(b) WHERE a.v < m.v AND m.v < b.v"),
            ("(a {v: 1}) ((x:N)-->(y)){2} (b)", "(a {v: 1})-->()-->(b)"),
            ("(a) ((x:N)-->(y)){2} (b {v: 1})", "(a)-->()-->(b {v: 1})"),
        ] {
            let rows = |pattern: &str| {
                let mut rows = world.rows(&format!("MATCH {pattern} RETURN a.v, b.v"));
                rows.sort();
                rows
            };
            assert_eq!(rows(one), rows(other), "{graph}\n{one}\n{other}");
        }
    }
}

#[test]
fn mistakes_are_refused_where_they_stand() {
    let world = World::new(&[]);
    for (pattern, parts) in [
        ("((a)-->(b))", ["a quantifier", "column 19"]),
        ("((a))+", ["needs a relationship", "column 8"]),
        ("((a)-[*2]->(b))+", ["variable length", "column 11"]),
        ("((a)-[*2]->(b) WHERE true)+", ["variable length", "column 11"]),
        ("(((a)-->(b))+ (c))+", ["inside another", "column 8"]),
        ("(p = (a)-->(b))+", ["cannot be named", "column 8"]),
        ("(x) ((x)-->(b))+", ["'x' is bound already", "column 13"]),
        ("((a)-->(b))+, ((a)-->(c))+", ["'a' is bound already", "column 23"]),
        ("((a)-->(b))+ (a)", ["'a' is a list", "column 21"]),
        ("((a)-->(b)){0}", ["at least 1", "column 18"]),
        ("((a)-->(b)){3,2}", ["at least 1", "column 18"]),
        ("((a)-->(b)){}", ["a number", "column 19"]),
        ("((a)-->(b)){99999999999}", ["too large", "column 19"]),
        ("(c) ((a)-->(b) WHERE c.v = a.v)+", ["no variable 'c'", "column 28"]),
        ("(a)-[*2]->+(b)", ["a length or a quantifier", "column 17"]),
        ("shortestPath((a)-[:T]->+(b))", ["one relationship", "column 7"]),
    ] {
        world.refuses(&format!("MATCH {pattern} RETURN 1"), &parts);
    }
    world.refuses("CREATE (a)-[:T]->+(b)", &["cannot be made", "column 11"]);
    world.refuses("CREATE ((a)-[:T]->(b))+", &["cannot be made", "column 8"]);
    world.refuses("MERGE (a)-[:T]->{2}(b)", &["cannot be made", "column 10"]);
    world.refuses("MATCH ((a)-->(b))+ RETURN a.name", &["has no properties"]);
}
