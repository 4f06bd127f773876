//! Paths: reachability, trails, shortest paths.

use super::*;
use crate::plan::{Path, PathExpression, PathMode};

fn path(subject: &str, step: PathExpression, object: &str, min: u32, max: Option<u32>) -> Path {
    Path {
        subject: slot(subject),
        object: slot(object),
        graph: GraphSelector::Default,
        step,
        min,
        max,
        mode: PathMode::Reachable,
        edges: None,
        path: None,
        edge_properties: None,
    }
}

fn p() -> PathExpression {
    PathExpression::Predicates(vec![iri("p")])
}

fn either() -> PathExpression {
    PathExpression::Alternative(vec![p(), PathExpression::Inverse(Box::new(p()))])
}

const CHAIN: &str = "a1 p a2\na2 p a3\na3 p a1\nb1 p b2\nb2 q b3";

#[test]
fn reachability_with_every_choice_of_given_ends() {
    let dataset = world(CHAIN);
    let plus = |s, o| LogicalPlan::Path(Box::new(path(s, p(), o, 1, None)));
    check(&plus("a1", "?0"), &dataset, &["a1", "a2", "a3"]);
    check(&plus("?0", "b2"), &dataset, &["b1"]);
    check(&plus("b1", "b2"), &dataset, &[""]);
    check(&plus("b2", "b1"), &dataset, &[]);
    check(&plus("?0", "?0"), &dataset, &["a1", "a2", "a3"]);
    let all = ["a1 a1", "a1 a2", "a1 a3", "a2 a1", "a2 a2", "a2 a3", "a3 a1", "a3 a2", "a3 a3", "b1 b2"];
    check(&plus("?0", "?1"), &dataset, &all);
}

#[test]
fn zero_length_paths_need_no_quad() {
    let dataset = world("b1 p b2\nb2 q 7");
    let star = |s, o| LogicalPlan::Path(Box::new(path(s, p(), o, 0, None)));
    check(&star("nowhere", "?0"), &dataset, &["nowhere"]);
    check(&star("nowhere", "nowhere"), &dataset, &[""]);
    check(&star("?0", "9"), &dataset, &["9"]);
    check(&star("?0", "?1"), &dataset, &["b1 b1", "b1 b2", "b2 b2", "7 7"]);
    // Between two variables a path is one of the graph's own nodes, whatever it is joined with.
    let optional = LogicalPlan::Path(Box::new(path("?0", p(), "?1", 0, Some(1))));
    check(&join(values(&[0], &["b1", "nowhere"]), optional), &dataset, &["b1 b1", "b1 b2"]);
}

#[test]
fn steps_nest() {
    let dataset = world(CHAIN);
    let sequence = PathExpression::Sequence(vec![p(), PathExpression::Predicates(vec![iri("q")])]);
    check(&LogicalPlan::Path(Box::new(path("?0", sequence, "?1", 1, None))), &dataset, &["b1 b3"]);
    let not = PathExpression::Not(vec![iri("p")]);
    check(&LogicalPlan::Path(Box::new(path("?0", not, "?1", 1, None))), &dataset, &["b2 b3"]);
    let two = LogicalPlan::Path(Box::new(path("a1", p(), "?0", 2, Some(2))));
    check(&two, &dataset, &["a3"]);
    let inverse = PathExpression::Inverse(Box::new(p()));
    check(&LogicalPlan::Path(Box::new(path("b2", inverse, "?0", 1, None))), &dataset, &["b1"]);
}

#[test]
fn trails_repeat_no_relationship() {
    let dataset = world("x p y\ny p z\nz p x");
    let trail = |s, step, o, min, max| {
        let edges = Some(Variable(5));
        LogicalPlan::Path(Box::new(Path { mode: PathMode::Trail, edges, ..path(s, step, o, min, max) }))
    };
    let rows = |plan| rows(&plan, dataset.clone()).unwrap().len();
    assert_eq!(rows(trail("x", p(), "?0", 1, None)), 3);
    assert_eq!(rows(trail("x", p(), "?0", 0, None)), 4);
    assert_eq!(rows(trail("x", p(), "x", 1, None)), 1);
    assert_eq!(rows(trail("?0", p(), "x", 2, Some(2))), 1);
    // Both ways round the triangle: one, two or three relationships each.
    assert_eq!(rows(trail("x", either(), "?0", 1, None)), 6);
    let plan = trail("x", p(), "?0", 2, Some(2));
    check(&plan, &dataset, &["z [<x-p-y>,<y-p-z>]"]);
}

#[test]
fn trails_take_each_parallel_relationship() {
    let dataset = world("x p y ~r1\nx p y ~r2");
    let plan = LogicalPlan::Path(Box::new(Path {
        mode: PathMode::Trail,
        edges: Some(Variable(5)),
        ..path("x", p(), "?0", 1, None)
    }));
    check(&plan, &dataset, &["y [<x-p-y~r1>]", "y [<x-p-y~r2>]"]);
    let both = LogicalPlan::Path(Box::new(Path {
        mode: PathMode::Trail,
        edges: Some(Variable(5)),
        ..path("x", either(), "x", 2, Some(2))
    }));
    check(&both, &dataset, &["[<x-p-y~r1>,<x-p-y~r2>]", "[<x-p-y~r2>,<x-p-y~r1>]"]);
}

#[test]
fn a_trail_may_ask_for_properties() {
    let dataset = world("x p y ~r1\nr1 year 1\ny p z ~r2\nr2 year 2");
    let wanted = Expression::Map(vec![("year".to_owned(), var(3))]);
    let plan = LogicalPlan::Path(Box::new(Path {
        mode: PathMode::Trail,
        edge_properties: Some(wanted),
        ..path("?0", p(), "?1", 1, None)
    }));
    check(&join(values(&[0, 3], &["x 1", "x 2", "y 2"]), plan), &dataset, &["x y 1", "y z 2"]);
}

#[test]
fn shortest_paths() {
    let dataset = world("s p l\ns p r\nl p t\nr p t\ns p far\nfar p farther\nfarther p t");
    let shortest = |mode| {
        LogicalPlan::Path(Box::new(Path { mode, path: Some(Variable(9)), ..path("s", p(), "t", 1, None) }))
    };
    assert_eq!(rows(&shortest(PathMode::Shortest), dataset.clone()).unwrap().len(), 1);
    check(&shortest(PathMode::AllShortest), &dataset, &["s/l/t", "s/r/t"]);
    let back = LogicalPlan::Path(Box::new(Path {
        mode: PathMode::AllShortest,
        path: Some(Variable(9)),
        ..path("?0", p(), "t", 2, Some(2))
    }));
    check(&back, &dataset, &["s s/l/t", "s s/r/t", "far far/farther/t"]);
}

#[test]
fn each_graph_is_searched_by_itself() {
    let dataset = world("x p y g1\ny p z g2");
    let each = GraphSelector::Each(Variable(7), None);
    let plan = LogicalPlan::Path(Box::new(Path { graph: each, ..path("x", p(), "?0", 1, None) }));
    check(&plan, &dataset, &["y g1"]);
    let all = LogicalPlan::Path(Box::new(Path {
        graph: GraphSelector::Everything,
        ..path("x", p(), "?0", 1, None)
    }));
    check(&all, &dataset, &["y", "z"]);
}
