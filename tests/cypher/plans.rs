//! The same question in other words has the same optimised plan: the golden files in `plans/`, which
//! `REEFLOOM_BLESS=1 cargo test --test cypher` rewrites, and the same rows.

use std::fs;
use std::path::Path;

use reefloom::engine::{Answer, Explain};

use super::World;

/// Two hundred people in ten cities, each knowing four others.
const SOCIAL: &[&str] = &[
    "UNWIND range(0, 9) AS n CREATE (:City {name: ['Oslo', 'Bergen', 'Rome', 'Lima', 'Kyiv', 'Pune', 'Cork', 'Graz', 'Nice', 'York'][n], n: n})",
    "UNWIND range(0, 199) AS n CREATE (:Person {name: 'p' + toString(n), age: 18 + n % 60, n: n})",
    "MATCH (p:Person), (c:City) WHERE c.n = p.n % 10 AND p.n < 190 CREATE (p)-[:LIVES_IN]->(c)",
    "MATCH (p:Person) UNWIND [1, 7, 10, 193] AS step WITH p, (p.n + step) % 200 AS m MATCH (f:Person {n: m}) CREATE (p)-[:KNOWS]->(f)",
];

#[test]
fn other_words_have_the_same_plan() {
    let world = World::new(SOCIAL);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cypher/plans");
    let (mut faults, mut names) = (Vec::new(), Vec::new());
    for section in include_str!("social.txt").split("\n== ").skip(1) {
        let mut lines = section.lines().filter(|line| !line.is_empty());
        let name = lines.next().unwrap();
        names.push(name.to_owned());
        let path = folder.join(format!("{name}.plan"));
        let mut first_rows = None;
        for (index, text) in lines.enumerate() {
            let plan = plan(&world, text);
            if index == 0 && std::env::var_os("REEFLOOM_BLESS").is_some() {
                fs::write(&path, &plan).unwrap();
            }
            let expected = fs::read_to_string(&path).unwrap_or_default();
            if plan != expected {
                faults.push(format!("{name}: {text}\n{plan}-- but the golden file has\n{expected}"));
            }
            let mut rows = world.rows(text);
            rows.sort();
            assert!(!rows.is_empty(), "{text}: a question without an answer shows nothing");
            assert_eq!(first_rows.get_or_insert_with(|| rows.clone()), &rows, "{text}");
        }
    }
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        assert!(names.contains(&name), "{name}.plan is of no question");
    }
    assert!(faults.is_empty(), "{} plan(s) differ\n{}", faults.len(), faults.join("\n"));
}

/// However a count is planned, it is of the rows that the same pattern gives.
#[test]
fn counts_are_of_the_rows() {
    let mut statements = SOCIAL.to_vec();
    statements.extend([
        // Parallel ones, loops, and those that lead back.
        "MATCH (p:Person), (f:Person) WHERE p.n < 40 AND f.n = p.n + 7 CREATE (p)-[:KNOWS {since: p.n}]->(f)",
        "MATCH (p:Person) WHERE p.n % 20 = 0 CREATE (p)-[:KNOWS {since: 1}]->(p), (p)-[:KNOWS]->(p)",
        "MATCH (p:Person)-[:KNOWS]->(f:Person) WHERE p.n % 3 = 0 AND p.n <> f.n CREATE (f)-[:KNOWS]->(p)",
    ]);
    let world = World::new(&statements);
    // Folded, the statistics tell that there are many, and so does the plan.
    world.engine.hosted(None).unwrap().optimize(None).unwrap();
    let first = "MATCH (a:Person)-[:KNOWS]->(b:Person)-[:KNOWS]->(c:Person)-[:KNOWS]->(d:Person) RETURN count(*) AS n";
    assert!(plan(&world, first).contains("CypherSubtract"), "{}", plan(&world, first));
    for pattern in [
        "(a:Person)-[:KNOWS]->(b:Person)-[:KNOWS]->(c:Person)-[:KNOWS]->(d:Person)",
        "(a)-[:KNOWS]->(b)-[:KNOWS]->(c)",
        "(a)-[:KNOWS]->(b)<-[:KNOWS]-(c)-[:KNOWS]->(d)",
        "(a)-[:KNOWS]->(b)-[:KNOWS]->(c)-[:KNOWS]->(a)",
        "(a)-[:KNOWS]->(b)-[:KNOWS]->(a)",
        "(a)-[:KNOWS]->(b)-[:KNOWS]->(c)-[:KNOWS]->(d)-[:LIVES_IN]->(e)",
        "(a:Person {n: 20})-[:KNOWS]->(b)-[:KNOWS]->(c)-[:KNOWS]->(d)-[:KNOWS]->(e)",
        "(a)-[:KNOWS]->(b), (c)-[:KNOWS]->(b), (d)-[:KNOWS]->(b) WHERE a.age > d.age",
        "(a)-[r:KNOWS]->(b)-[:KNOWS]->(c)-[s:KNOWS]->(d) WHERE r <> s AND a.age < 30",
        "(a)-[:KNOWS]-(b)-[:KNOWS]-(c) WHERE a.n < 50",
    ] {
        let counted = world.rows(&format!("MATCH {pattern} RETURN count(*) AS n"));
        let rows = world.rows(&format!("MATCH {pattern} RETURN 1 AS one")).len();
        assert_eq!(
            format!("{counted:?}"),
            format!("{:?}", world.rows(&format!("RETURN {rows} AS n"))),
            "{pattern}"
        );
    }
}

pub fn plan(world: &World, text: &str) -> String {
    let mut request = world.request(text);
    request.may_write = false;
    request.explain = Some(Explain::Plan);
    let response = world.engine.run(&request).unwrap_or_else(|error| panic!("{text}\n{error}"));
    let Answer::Explanation(explanation) = response.answer else { panic!("no explanation") };
    explanation.optimised_plan.trim_end().to_owned() + "\n"
}
