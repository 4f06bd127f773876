//! Graphs in which nodes are connected more than once: each relationship counts, in memory, folded, and changed since.

use super::World;

const NODES: u64 = 20;

/// A relationship: its ends, its weight, and whether it is of type K; else it is of L.
type Relationship = (u64, u64, u64, bool);

/// Returns what looks random and is the same each time.
fn relationships(count: u64, seed: u64, loops: bool) -> Vec<Relationship> {
    let mut state = seed;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut made = Vec::new();
    while (made.len() as u64) < count {
        let (a, b, weight) = (next(NODES), next(NODES), next(10));
        if loops || a != b {
            made.push((a, b, weight, next(4) > 0));
        }
    }
    made
}

fn create(world: &World, made: &[Relationship]) {
    for is_k in [true, false] {
        let rows = made.iter().filter(|(.., k)| *k == is_k).map(|(a, b, w, _)| format!("[{a}, {b}, {w}]"));
        let rows = rows.collect::<Vec<_>>().join(", ");
        let name = if is_k { "K" } else { "L" };
        world.rows(&format!(
            "UNWIND [{rows}] AS r MATCH (a:N {{n: r[0]}}), (b:N {{n: r[1]}}) CREATE (a)-[:{name} {{w: r[2]}}]->(b)"
        ));
    }
}

/// Checks what a world answers beside what counting by hand finds.
fn check(world: &World, all: &[Relationship]) {
    let k: Vec<&Relationship> = all.iter().filter(|(.., k)| *k).collect();
    let is_one = |a: &Relationship, b: &Relationship| std::ptr::eq(a, b);
    let count = |text: &str, expected: usize| world.check(text, &[&expected.to_string()]);
    count("MATCH (a:N)-[:K]->(b:N) RETURN count(*)", k.len());
    count(
        "MATCH (a:N)-[:K]-(b:N) RETURN count(*)",
        2 * k.len() - k.iter().filter(|(a, b, ..)| a == b).count(),
    );
    let pairs = || k.iter().flat_map(|x| k.iter().map(move |y| (*x, *y)));
    let chains: Vec<_> = pairs().filter(|(x, y)| x.1 == y.0 && !is_one(x, y)).collect();
    count("MATCH (a:N)-[:K]->(b:N)-[:K]->(c:N) RETURN count(*)", chains.len());
    let forks = pairs().filter(|(x, y)| x.1 == y.1 && !is_one(x, y)).count();
    count("MATCH (a:N)-[:K]->(b:N)<-[:K]-(c:N) RETURN count(*)", forks);
    let closes = |(x, y): &(&Relationship, &Relationship)| {
        k.iter().filter(|z| z.0 == y.1 && z.1 == x.0 && !is_one(z, x) && !is_one(z, y)).count()
    };
    let cycles: usize = chains.iter().map(closes).sum();
    count("MATCH (a:N)-[:K]->(b:N)-[:K]->(c:N)-[:K]->(a) RETURN count(*)", cycles);
    let mixed = k.iter().map(|x| all.iter().filter(|y| !y.3 && y.0 == x.1).count()).sum();
    count("MATCH (a:N)-[:K]->(b:N)-[:L]->(c:N) RETURN count(*)", mixed);
    for node in 0..4 {
        let mut ends: Vec<String> = k.iter().filter(|x| x.0 == node).map(|x| x.1.to_string()).collect();
        ends.sort();
        let ends: Vec<&str> = ends.iter().map(String::as_str).collect();
        world.check(&format!("MATCH (a:N {{n: {node}}})-[:K]->(b:N) RETURN b.n"), &ends);
        let far = chains.iter().filter(|(x, _)| x.0 == node).count();
        count(&format!("MATCH (a:N {{n: {node}}})-[:K]->(:N)-[:K]->(c:N) RETURN count(c.n)"), far);
        let into = k.iter().filter(|x| x.1 == node).count();
        count(&format!("MATCH (a:N)-[:K]->(b:N {{n: {node}}}) RETURN count(*)"), into);
    }
    let groups: Vec<String> = (0..NODES)
        .map(|node| (node, k.iter().filter(|x| x.0 == node).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(node, count)| format!("{node} | {count}"))
        .collect();
    let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
    world.check("MATCH (a:N)-[:K]->(b:N) RETURN a.n, count(*)", &groups);
    let heavy: Vec<_> = k.iter().filter(|x| x.2 > 6).collect();
    let sum: u64 = heavy.iter().map(|x| x.2).sum();
    world.check(
        "MATCH (a:N)-[r:K]->(b:N) WHERE r.w > 6 RETURN count(*), sum(r.w)",
        &[&format!("{} | {sum}", heavy.len())],
    );
    let distinct = (0..NODES).filter(|node| k.iter().any(|x| x.1 == *node)).count();
    count("MATCH (a:N)-[:K]->(b:N) RETURN count(DISTINCT b)", distinct);
}

#[test]
fn each_relationship_counts() {
    for loops in [false, true] {
        let world = World::new(&[&format!("UNWIND range(0, {}) AS n CREATE (:N {{n: n}})", NODES - 1)]);
        let optimize = || world.engine.hosted(None).unwrap().optimize(None).unwrap();
        let mut all = relationships(500, 7, loops);
        create(&world, &all);
        check(&world, &all);
        optimize();
        check(&world, &all);
        // A few more, some beside others; and some that are gone.
        let more = relationships(12, 99, loops);
        create(&world, &more);
        all.extend(more);
        check(&world, &all);
        world.rows("MATCH (a:N {n: 3})-[r:K {w: 5}]->(b:N) DELETE r");
        all.retain(|(a, _, w, k)| (*a, *w, *k) != (3, 5, true));
        check(&world, &all);
        world.rows("MATCH (a:N {n: 4})-[r:K]->(b:N) DELETE r");
        all.retain(|(a, _, _, k)| (*a, *k) != (4, true));
        check(&world, &all);
        optimize();
        check(&world, &all);
        // Without properties it is a triple of its own, without an edge.
        world.rows("MATCH (a:N {n: 4}), (b:N {n: 5}) CREATE (a)-[:K]->(b)");
        all.push((4, 5, 0, true));
        check(&world, &all);
        world.rows("MATCH (a:N {n: 4}), (b:N {n: 5}) CREATE (a)-[:K {w: 1}]->(b)");
        all.push((4, 5, 1, true));
        check(&world, &all);
    }
}
