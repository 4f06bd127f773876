//! A property that all nodes of a label have, and no others, is scanned in the label's place, until that ends.

use super::World;
use super::plans::plan;

const BOOKS: &[&str] = &[
    "UNWIND range(1, 40) AS n CREATE (:Book {id: n, title: 'b' + toString(n)})",
    "UNWIND range(1, 9) AS n CREATE (:Shop {id: n})",
    "MATCH (b:Book), (s:Shop) WHERE b.id % 9 + 1 = s.id CREATE (s)-[:SELLS]->(b)",
];
const TITLES: &str = "MATCH (b:Book) RETURN b.id, b.title ORDER BY b.id DESC LIMIT 2";

/// Makes a world whose facts were counted.
fn folded() -> World {
    let world = World::new(BOOKS);
    fold(&world);
    world
}

fn fold(world: &World) {
    world.engine.hosted(None).unwrap().optimize(None).unwrap();
}

fn asks_for_label(world: &World, text: &str) -> bool {
    plan(world, text).contains("rdf:type")
}

#[test]
fn what_all_have_tells_the_label() {
    let world = folded();
    assert!(!asks_for_label(&world, TITLES), "{}", plan(&world, TITLES));
    world.check(TITLES, &["40 | b40", "39 | b39"]);
    let filtered = "MATCH (b:Book) WHERE b.id < 3 RETURN b.id, b.title";
    assert!(!asks_for_label(&world, filtered), "{}", plan(&world, filtered));
    world.check(filtered, &["1 | b1", "2 | b2"]);
    // Shops have ids as well, and no titles.
    assert!(asks_for_label(&world, "MATCH (b:Book) RETURN b.id"));
    assert!(asks_for_label(&world, "MATCH (s:Shop) RETURN s.id, s.title"));
    world.check("MATCH (s:Shop) WHERE s.id > 8 RETURN s.id, s.title", &["9 | null"]);
    world.check(
        "MATCH (b:Book) WHERE NOT exists { (s:Shop {id: 1})-[:SELLS]->(b) } RETURN count(b.title)",
        &["36"],
    );
}

/// Each change leaves a book without a title, and each repair mends that.
#[test]
fn what_one_lacks_tells_nothing() {
    let changes = [
        ("MATCH (b:Book {id: 40}) REMOVE b.title", "MATCH (b:Book {id: 40}) SET b.title = 'b40'"),
        ("MATCH (b:Book {id: 40}) SET b = {id: 40}", "MATCH (b:Book {id: 40}) SET b.title = 'b40'"),
        ("CREATE (:Book {id: 41})", "MATCH (b:Book {id: 41}) DETACH DELETE b"),
        (
            "MATCH (s:Shop {id: 9}) SET s:Book, s.id = 41",
            "MATCH (s:Shop {id: 41}) REMOVE s:Book SET s.id = 9",
        ),
    ];
    for (change, repair) in changes {
        let world = folded();
        assert!(!asks_for_label(&world, TITLES));
        world.rows(change);
        let rows = if change.contains("40") { ["40 | null", "39 | b39"] } else { ["41 | null", "40 | b40"] };
        world.check(TITLES, &rows);
        assert!(asks_for_label(&world, TITLES), "{change}");
        world.rows(repair);
        world.check(TITLES, &["40 | b40", "39 | b39"]);
        fold(&world);
        world.check(TITLES, &["40 | b40", "39 | b39"]);
        assert!(!asks_for_label(&world, TITLES), "{change}");
    }
}

#[test]
fn what_all_keep_goes_on_to_tell() {
    let world = folded();
    let changes = [
        "MATCH (b:Book {id: 40}) SET b.title = 'new'",
        "MATCH (b:Book {id: 39}) DETACH DELETE b",
        "CREATE (:Book {id: 41, title: 'b41'})",
        "MATCH (b:Book {id: 41}) REMOVE b:Book, b.title",
    ];
    for change in changes {
        world.rows(change);
        assert!(!asks_for_label(&world, TITLES), "{change}");
    }
    world.check(TITLES, &["40 | new", "38 | b38"]);
}
