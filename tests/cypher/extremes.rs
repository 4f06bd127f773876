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

/// A double of many digits is one value, whether it was computed, written, stored, or made of its text.
#[test]
fn computed_doubles_are_those_that_are_stored() {
    let world = World::new(&["CREATE (:D {v: 0.1 + 0.2}), (:D {v: 0.3})"]);
    for _ in 0..2 {
        world.check("MATCH (d:D) WHERE d.v = 0.1 + 0.2 RETURN count(*)", &["1"]);
        world.check(
            "MATCH (d:D) WHERE d.v > 0.3 WITH sum(d.v) AS x MATCH (e:D) WHERE e.v = x RETURN x",
            &["0.30000000000000004"],
        );
        world.check(
            "UNWIND [0.1 + 0.2, 0.30000000000000004, 0.1 + 0.7 - 0.5] AS x RETURN DISTINCT x",
            &["0.30000000000000004", "0.29999999999999993"],
        );
        world.check(
            "MATCH (d:D) UNWIND [d.v, 0.1 + 0.2] AS x RETURN x, count(*)",
            &["0.30000000000000004 | 3", "0.3 | 1"],
        );
        world.check(
            "UNWIND [1, 2, 3] AS n WITH n, n / 7.0 AS x ORDER BY x DESC RETURN n, x",
            &["3 | 0.42857142857142855", "2 | 0.2857142857142857", "1 | 0.14285714285714285"],
        );
        world.check(
            "WITH [1 / 7.0, 2 / 7.0] AS l RETURN l, l[0] + l[1] = 3 / 7.0, 2 / 7.0 IN l",
            &["[0.14285714285714285, 0.2857142857142857] | true | true"],
        );
        world.check(
            "RETURN 0.0 / 0.0 AS nan, toString(1 / 7.0), [1 / 7.0][0] = 1 / 7.0",
            &["NaN | 0.14285714285714285 | true"],
        );
        let ask = |text: &str| {
            let request = reefloom::engine::Request::new(reefloom::engine::Language::SparqlQuery, text, 0);
            world.run(&request).unwrap()
        };
        let same = "BIND (0.1e0 + 0.2e0 AS ?x) BIND (STRDT('3.0000000000000004E-1', <http://www.w3.org/2001/XMLSchema#double>) AS ?y)";
        assert_eq!(
            ask(&format!("SELECT (COUNT(*) AS ?n) {{ {{ {same} FILTER (sameTerm(?x, ?y)) }} }}")),
            ["1"]
        );
        assert_eq!(
            ask(&format!(
                "SELECT (COUNT(DISTINCT ?z) AS ?n) {{ {same} VALUES ?i {{ 1 2 }} BIND (IF(?i = 1, ?x, ?y) AS ?z) }}"
            )),
            ["1"]
        );
        assert_eq!(
            ask(
                "SELECT (COUNT(*) AS ?n) { ?d <https://reefloom.org/data#v> ?v BIND (0.1e0 + 0.2e0 AS ?v2) FILTER (sameTerm(?v, ?v2)) }"
            ),
            ["1"]
        );
        world.engine.hosted(None).unwrap().optimize(None).unwrap();
    }
}
