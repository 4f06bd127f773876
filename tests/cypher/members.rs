//! What is in a list, or equal to one of several constants, is the same whether it is looked up or compared.

use reefloom::engine::{Answer, Explain, Request};
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

/// Values of two parts that share nothing are compared as if each pair of rows were.
#[test]
fn rows_are_looked_up_as_they_are_compared() {
    let world = World::new(ITEMS);
    let lists = [
        "[5, 6.0, 7.5, '5', null, true]",
        "['i5', 'i6', 5, date('2020-01-01'), [5], {n: 5}]",
        "[9007199254740993, 9007199254740992.0, -0.0, 0, -1]",
        "[5, 5, 5.0]",
        "[]",
    ];
    for folded in [false, true] {
        if folded {
            world.engine.hosted(None).unwrap().optimize(None).unwrap();
        }
        for property in ["n", "name", "size", "mixed", "absent"] {
            for list in lists {
                let found = world.rows(&format!(
                    "UNWIND {list} AS x MATCH (i:Item {{{property}: x}}) RETURN x, i.n AS n ORDER BY n, toString(x)"
                ));
                let compared = world.rows(&format!(
                    "UNWIND {list} AS x MATCH (i:Item) WITH x, i WHERE any(e IN [x] WHERE e = i.{property}) RETURN x, i.n AS n ORDER BY n, toString(x)"
                ));
                assert_eq!(found, compared, "{property} {list}");
            }
        }
        world.check(
            "UNWIND [{a: 5, b: 6}, {a: 6, b: 5}, {a: 5, b: null}, {a: 5}] AS row MATCH (a:Item {n: row.a})-[r:NEXT]->(b:Item {n: row.b}) RETURN a.n, b.n, r.n",
            &["5 | 6 | 5", "5 | 6 | 6", "6 | 5 | 7"],
        );
        world.check("MATCH (t:Thing), (i:Item) WHERE i.n = t.n RETURN i.n", &["5"]);
        world.check("MATCH (a:Item), (b:Item) WHERE a.name = b.name AND a.n < b.n RETURN count(*)", &["750"]);
    }
    let plan = |text: &str| {
        let mut request = world.request(text);
        request.explain = Some(Explain::Plan);
        request.parameters.insert("rows".to_owned(), Value::List(Vec::new()));
        let Answer::Explanation(explanation) = world.engine.run(&request).unwrap().answer else {
            panic!("a plan")
        };
        explanation.optimised_plan
    };
    let looked_up = plan("UNWIND $rows AS row MATCH (a:Item {n: row.a}), (b:Item {n: row.b}) RETURN a, b");
    assert!(looked_up.contains("LookupTerm") && !looked_up.contains("CypherEqual"), "{looked_up}");
    // Among doubles a number may stand in several forms.
    let compared = plan("UNWIND $rows AS row MATCH (a:Item {size: row.a}) RETURN a");
    assert!(compared.contains("CypherEqual"), "{compared}");
}
