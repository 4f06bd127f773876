//! The least and the greatest value of a group, whichever layer of the store its values come from.

use super::World;

#[test]
fn strings_have_extremes_in_a_run_and_above_it() {
    let world = World::new(&[
        "UNWIND range(0, 99) AS n CREATE (:Item {group: n % 5, text: 'item ' + toString((n * 37) % 100), n: n})",
        "CREATE (:Item {group: 0, text: 'a'}), (:Item {group: 1, text: 7}), (:Item {group: 1, text: true}), (:Item {group: 2})",
        "CREATE (:Item {group: 9, text: 'é'}), (:Item {group: 9, text: 'z'}), (:Item {group: 9, text: 'Z'})",
    ]);
    let query =
        "MATCH (i:Item) RETURN i.group AS g, min(i.text) AS least, max(i.text) AS greatest ORDER BY g";
    let before = world.rows(query);
    world.engine.hosted(None).unwrap().optimize(None).unwrap();
    assert_eq!(world.rows(query), before);
    assert_eq!(before[5], "9 | Z | é");
    // What is written after the run is compared with what is in it.
    world.rows(
        "CREATE (:Item {group: 0, text: 'A'}), (:Item {group: 1, text: 'zz'}), (:Item {group: 9, text: 'ü'})",
    );
    let after = world.rows(query);
    assert_eq!(after[0], "0 | A | item 95");
    assert_eq!(after[5], "9 | Z | ü");
    assert_eq!(world.rows("MATCH (i:Item) RETURN min(i.text) AS least, max(i.text) AS greatest").len(), 1);
    world.engine.hosted(None).unwrap().optimize(None).unwrap();
    assert_eq!(world.rows(query), after);
}
