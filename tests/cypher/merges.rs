//! What MERGE finds, and what is matched after a write, by a property: it is looked up, and is what comparing all would find.

use reefloom::engine::{Language, Request};

use super::World;

const ITEMS: &[&str] = &[
    "UNWIND range(0, 99) AS n CREATE (:Item {n: n, name: 'i' + toString(n % 50), size: n / 2.0, mixed: n})",
    "MATCH (i:Item) WHERE i.n % 3 = 0 SET i.mixed = toFloat(i.n)",
    "MATCH (i:Item) WHERE i.n % 7 = 0 SET i.mixed = 'i' + toString(i.n)",
    "MATCH (i:Item) WHERE i.n % 11 = 0 SET i.mixed = [i.n, 'x'], i.day = date('2020-01-01') + duration({days: i.n})",
    "MATCH (i:Item) WHERE i.n % 13 = 0 SET i.at = datetime({epochSeconds: i.n}), i.took = duration({days: i.n})",
    "CREATE (:Item {n: -1, size: -0.0, mixed: true}), (:Item {n: -2, size: 0.0, mixed: date('2020-01-01')}), (:Item), (:Thing {n: 5})",
    "CREATE (:Item {n: -3, mixed: point({x: 1, y: 2})}), (:Item {n: -4, at: datetime('1970-01-01T02:00:13+02:00')})",
];

/// As other tools write them: several objects, languages, forms that are not canonical, other datatypes.
const FOREIGN: &str = r#"
    PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
    INSERT { ?s ?p ?o } WHERE {
        VALUES (?n ?key ?o) {
            (1 "name" "zwei"@de) (2 "name" "two") (2 "name" "zwei"@de) (3 "name" "i4"@en) (3 "name" "i3") (4 "size" 2)
            (5 "size" "005"^^xsd:integer) (8 "size" 4.50) (10 "mixed" "10"^^xsd:int) (10 "mixed" 10) (16 "mixed" 16.0)
            (17 "mixed" "1.7E1"^^xsd:double) (17 "mixed" "17"^^xsd:float) (19 "mixed" "1"^^xsd:boolean)
            (20 "mixed" <http://example.org/node>) (23 "mixed" "98765432109876543210"^^xsd:integer)
        }
        ?s <https://reefloom.org/data#n> ?n .
        BIND (IRI(CONCAT("https://reefloom.org/data#", ?key)) AS ?p)
    }"#;

const VALUES: &[&str] = &[
    "null",
    "5",
    "5.0",
    "4.5",
    "0",
    "-0.0",
    "10",
    "16",
    "17",
    "9",
    "9.0",
    "0.1",
    "1e300",
    "98765432109876543210.0",
    "2^62",
    "'i5'",
    "'i4'",
    "'i3'",
    "'zwei'",
    "'two'",
    "'i7'",
    "'nowhere'",
    "''",
    "true",
    "false",
    "date('2020-01-01')",
    "date('2020-01-12')",
    "datetime('1970-01-01T00:00:13Z')",
    "datetime('1970-01-01T01:00:13+01:00')",
    "localdatetime('1970-01-01T00:00:13')",
    "duration({days: 13})",
    "duration('P13D')",
    "point({x: 1, y: 2})",
    "[11, 'x']",
    "[11.0, 'x']",
    "['two', 'zwei']",
    "['i3', 'i4']",
    "[]",
    "[5]",
    "{a: 1}",
    "0.0 / 0.0",
];

const KEYS: &[&str] = &["n", "name", "size", "mixed", "day", "at", "took", "absent"];

#[test]
fn what_is_looked_up_is_what_comparing_finds() {
    let world = World::new(ITEMS);
    check_all(&world);
    let mut request = Request::new(Language::SparqlUpdate, FOREIGN, 0);
    request.may_write = true;
    world.engine.run(&request).unwrap();
    check_all(&world);
    world.engine.hosted(None).unwrap().optimize(None).unwrap();
    check_all(&world);
}

fn check_all(world: &World) {
    for key in KEYS {
        for value in VALUES {
            let compared = world.rows(&format!(
                "MATCH (i:Item) WHERE any(e IN [{value}] WHERE e = i.{key}) RETURN i.n AS n ORDER BY n"
            ));
            let found = "RETURN i.n AS n ORDER BY n";
            for text in [
                format!("CREATE (:Tick) WITH {value} AS v MATCH (i:Item {{{key}: v}}) {found}"),
                format!("CREATE (:Tick) WITH 1 AS x MATCH (i:Item {{{key}: {value}}}) {found}"),
                format!("MATCH (i:Item {{{key}: {value}}}) {found}"),
            ] {
                assert_eq!(world.rows(&text), compared, "{text}");
            }
        }
    }
}

#[test]
fn a_key_is_merged_once() {
    let world = World::new(&[]);
    let merge = "MERGE (p:P {id: id}) ON CREATE SET p.made = 1 ON MATCH SET p.met = coalesce(p.met, 0) + 1";
    world.rows(&format!("UNWIND [1, 2, 1, 1.0, '1', 2, [1], [1.0], true] AS id {merge}"));
    let all = "MATCH (p:P) RETURN p.id, p.made, p.met";
    world.check(all, &["1 | 1 | 2", "2 | 1 | 1", "1 | 1 | null", "[1] | 1 | 1", "true | 1 | null"]);
    world.refuses(&format!("UNWIND [3, null] AS id {merge}"), &["null"]);
    world.check("MATCH (p:P {id: 3}) RETURN p", &[]);
}

/// What the same clause did to the key before is what a row finds.
#[test]
fn a_row_finds_what_earlier_rows_left() {
    let world = World::new(&["CREATE (:P {id: 1, name: 'a'}), (:P {id: 2, name: 'b'}), (:Q {id: 1})"]);
    world.check(
        "UNWIND [1, 1, 5, 1] AS id MERGE (p:P {id: id}) ON MATCH SET p.id = 5 ON CREATE SET p.name = 'new' RETURN p.name",
        // The second 1 is made, and is no 1 any more after the fourth.
        &["a", "new", "a", "new"],
    );
    world.check("MATCH (p:P) RETURN p.id, p.name", &["5 | a", "5 | new", "2 | b"]);
}

#[test]
fn paths_are_merged_from_a_node_that_is_looked_up() {
    let world = World::new(&[
        "UNWIND range(1, 20) AS n CREATE (:P {id: n})",
        "MATCH (a:P {id: 1}), (b:P {id: 2}) CREATE (a)-[:KNOWS {since: 1}]->(b)",
    ]);
    let merge = "MERGE (:P {id: a})-[k:KNOWS]->(:P {id: b}) ON CREATE SET k.new = true RETURN k.new";
    world.check(
        &format!("UNWIND [[1, 2], [2, 1], [2, 1]] AS ab WITH ab[0] AS a, ab[1] AS b {merge}"),
        &["null", "true", "true"],
    );
    world.check("MATCH (p:P) RETURN count(*)", &["22"]);
    world.check("MATCH (a:P {id: 3}) MERGE (a)-[:KNOWS]->(b:P {id: 2}) RETURN b.id", &["2"]);
    world.check("MATCH (p:P {id: 2}) RETURN count(*)", &["3"]);
    world.check("MERGE (n {id: 7}) ON MATCH SET n.met = true RETURN labels(n), n.met", &["[P] | true"]);
    world.check("MERGE (n {id: 77}) RETURN labels(n)", &["[]"]);
    world.check("CREATE (:T) WITH 1 AS x MATCH (a:P {id: 3})-[:KNOWS]->(b) RETURN b.id", &["2"]);
    world.check(
        "CREATE (:T) WITH 1 AS x MATCH (a:P {id: x + 3}), (b:P {id: x + 4}) RETURN a.id, b.id",
        &["4 | 5"],
    );
    world.check(
        "CREATE (:T) WITH 1 AS x MATCH (a:P {id: 3})-[:KNOWS]->(b:P {id: a.id - 1}) RETURN b.id",
        &["2"],
    );
    world.check("CREATE (:T) WITH 1 AS x MATCH (a {id: 3}) WHERE a.id = 3 DETACH DELETE a", &[]);
}

/// A relationship that has the property is no node.
#[test]
fn a_relationship_is_not_found_as_a_node() {
    let world = World::new(&["CREATE (:A)-[:R {id: 1}]->(:B)"]);
    world.check("MERGE (n {id: 1}) ON CREATE SET n.made = true RETURN n.made", &["true"]);
    world.check("MATCH (n {id: 1}) RETURN n.made", &["true"]);
}
