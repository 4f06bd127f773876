//! What is in a list, or equal to one of several constants, is the same whether it is looked up or compared.

use reefloom::engine::{Answer, Request};
use reefloom::model::Value;

use super::World;

const ITEMS: &[&str] = &[
    "UNWIND range(0, 299) AS n CREATE (:Item {n: n, name: 'i' + toString(n % 50), size: n / 2.0, mixed: n})",
    "MATCH (i:Item) WHERE i.n % 3 = 0 SET i.mixed = toFloat(i.n)",
    "MATCH (i:Item) WHERE i.n % 7 = 0 SET i.mixed = 'i' + toString(i.n)",
    "CREATE (:Item {n: -1, size: -0.0, mixed: true}), (:Item {n: -2, size: 0.0, mixed: date('2020-01-01')}), (:Item), (:Thing {n: 5})",
    "MATCH (a:Item {n: 5}), (b:Item {n: 6}) CREATE (a)-[:NEXT {n: 5}]->(b), (a)-[:NEXT {n: 6}]->(b), (b)-[:NEXT {n: 7}]->(a)",
];

const LISTS: &[&str] = &[
    "[]",
    "[null]",
    "[5]",
    "[5, 6, 7]",
    "[7, 6, 5, 5, 5.0, null]",
    "[0]",
    "[0.0, 1.5, 2, 4000000000]",
    "['i5', 'i6', 'none']",
    "['i5', 5, 5.5, 'i14', 14, 14.0, true]",
    "[date('2020-01-01'), 3]",
    "[[5], 6]",
    "[true, false]",
    "[9007199254740993, 5]",
];

#[test]
fn a_list_is_looked_up_as_it_is_compared() {
    let world = World::new(ITEMS);
    for folded in [false, true] {
        if folded {
            world.engine.hosted(None).unwrap().optimize(None).unwrap();
        }
        for property in ["n", "name", "size", "mixed", "absent"] {
            for list in LISTS {
                let asked = |condition: &str| {
                    let text = format!("MATCH (i:Item) WHERE {condition} RETURN i.n AS n ORDER BY n");
                    world.rows(&text)
                };
                let compared = asked(&format!("any(e IN {list} WHERE e = i.{property})"));
                assert_eq!(asked(&format!("i.{property} IN {list}")), compared, "{property} {list}");
                let mut request = world.request(&format!(
                    "MATCH (i:Item) WHERE i.{property} IN $list RETURN i.n AS n ORDER BY n"
                ));
                let one = world.request(&format!("RETURN {list} AS list"));
                let value = list_of(&world, &one);
                request.parameters.insert("list".to_owned(), value);
                assert_eq!(world.run(&request).unwrap(), compared, "{property} $list = {list}");
                let negated = asked(&format!("NOT i.{property} IN {list}"));
                let expected = asked(&format!("none(e IN {list} WHERE e = i.{property})"));
                assert_eq!(negated, expected, "NOT {property} {list}");
            }
            let either = "i.{} = 5 OR i.{} = 'i6' OR i.{} = 7.5".replace("{}", property);
            let asked = format!("MATCH (i:Item) WHERE {either} RETURN i.n AS n ORDER BY n");
            let compared = format!(
                "MATCH (i:Item) WHERE any(e IN [5, 'i6', 7.5] WHERE e = i.{property}) RETURN i.n AS n ORDER BY n"
            );
            assert_eq!(world.rows(&asked), world.rows(&compared), "{either}");
        }
        world.check("MATCH ()-[r:NEXT]->() WHERE r.n IN [5, 6] RETURN r.n", &["5", "6"]);
        world.check("MATCH (i:Item)-[r:NEXT]->() WHERE r.n IN [5, 7] AND i.n IN [6, 9] RETURN r.n", &["7"]);
    }
}

fn list_of(world: &World, request: &Request) -> Value {
    let response = world.engine.run(request).unwrap();
    let Answer::Rows(mut rows) = response.answer else { panic!("rows") };
    rows.next_values().unwrap().unwrap().remove(0).remove(0)
}

/// A list that a request brings serves the request alone, and what is written later is found.
#[test]
fn lists_of_requests_are_not_mixed_up() {
    let world = World::new(ITEMS);
    let asked = |list: &[i64]| {
        let mut request = world.request("MATCH (i:Item) WHERE i.n IN $list RETURN i.n AS n ORDER BY n");
        let list = list.iter().map(|n| Value::Integer(*n)).collect();
        request.parameters.insert("list".to_owned(), Value::List(list));
        world.run(&request).unwrap()
    };
    assert_eq!(asked(&[3, 1]), ["1", "3"]);
    assert_eq!(asked(&[2]), ["2"]);
    assert!(asked(&[400]).is_empty());
    world.rows("CREATE (:Item {n: 400.0})");
    assert_eq!(asked(&[400]), ["400.0"]);
    world
        .check("CREATE (i:Item {n: 500}) WITH i MATCH (j:Item) WHERE j.n IN [500, 501] RETURN j.n", &["500"]);
}
