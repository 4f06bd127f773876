//! Equality as the suites have it: up to the names of blank nodes, and no further.

use std::collections::HashMap;

use oxrdf::dataset::CanonicalizationAlgorithm;
use oxrdf::vocab::xsd;
use oxrdf::{BlankNode, Dataset, NamedOrBlankNode, Term};
use oxsdatatypes::{Decimal, Double};

use crate::solutions::Solutions;

pub fn same_dataset(mut actual: Dataset, mut expected: Dataset) -> Result<(), String> {
    actual.canonicalize(CanonicalizationAlgorithm::Unstable);
    expected.canonicalize(CanonicalizationAlgorithm::Unstable);
    if actual == expected {
        return Ok(());
    }
    let only = |a: &Dataset, b: &Dataset| {
        a.iter()
            .filter(|quad| !b.contains(*quad))
            .map(|quad| quad.to_string())
            .collect::<Vec<_>>()
            .join("\n  ")
    };
    Err(format!(
        "the graphs differ\nonly expected:\n  {}\nonly there:\n  {}",
        only(&expected, &actual),
        only(&actual, &expected)
    ))
}

/// Compares tables: the same variables, and the same rows as a multiset; as a sequence, if `ordered`.
/// If `is_lax`, each expected row must be there and no other, however often.
pub fn same_solutions(
    actual: &Solutions,
    expected: &Solutions,
    ordered: bool,
    is_lax: bool,
) -> Result<(), String> {
    let mut names = expected.variables.clone();
    names.sort();
    let mut actual_names = actual.variables.clone();
    actual_names.sort();
    if names != actual_names {
        return Err(format!("the columns are {actual_names:?}, expected {names:?}"));
    }
    let (mut left, mut right) = (rows(actual, &names), rows(expected, &names));
    let is_same = if ordered {
        left.len() == right.len()
            && left
                .iter()
                .zip(&right)
                .try_fold(Renaming::default(), |mut renaming, (a, b)| {
                    renaming.matches_row(a, b).then_some(renaming)
                })
                .is_some()
    } else {
        if is_lax {
            deduplicate(&mut left);
            deduplicate(&mut right);
        }
        is_isomorphic(&left, &right)
    };
    if is_same {
        return Ok(());
    }
    let only = |a: &[Row], b: &[Row]| {
        let missing = a.iter().filter(|row| !b.contains(row)).take(5);
        missing.map(show).collect::<Vec<_>>().join("\n  ")
    };
    Err(format!(
        "the rows differ: {} rows, expected {}; columns {names:?}\nonly expected:\n  {}\nonly there:\n  {}",
        left.len(),
        right.len(),
        only(&right, &left),
        only(&left, &right)
    ))
}

type Row = Vec<Option<Term>>;

fn rows(solutions: &Solutions, names: &[String]) -> Vec<Row> {
    let columns: Vec<Option<usize>> =
        names.iter().map(|name| solutions.variables.iter().position(|known| known == name)).collect();
    let row = |row: &Row| columns.iter().map(|column| row.get((*column)?).cloned().flatten()).collect();
    solutions.rows.iter().map(row).collect()
}

fn deduplicate(rows: &mut Vec<Row>) {
    let mut seen = Vec::new();
    rows.retain(|row| {
        let is_new = !seen.contains(row);
        seen.push(row.clone());
        is_new
    });
}

fn show(row: &Row) -> String {
    row.iter()
        .map(|term| term.as_ref().map_or("-".to_owned(), Term::to_string))
        .collect::<Vec<_>>()
        .join(" | ")
}

/// A one-to-one renaming of blank nodes, as far as it is decided.
#[derive(Clone, Default)]
struct Renaming {
    forth: HashMap<BlankNode, BlankNode>,
    back: HashMap<BlankNode, BlankNode>,
}

impl Renaming {
    fn matches_row(&mut self, a: &Row, b: &Row) -> bool {
        a.len() == b.len()
            && a.iter().zip(b).all(|pair| match pair {
                (None, None) => true,
                (Some(a), Some(b)) => self.matches(a, b),
                _ => false,
            })
    }

    fn matches(&mut self, a: &Term, b: &Term) -> bool {
        match (a, b) {
            (Term::BlankNode(a), Term::BlankNode(b)) => self.matches_nodes(a, b),
            (Term::Triple(a), Term::Triple(b)) => {
                a.predicate == b.predicate
                    && match (&a.subject, &b.subject) {
                        (NamedOrBlankNode::BlankNode(a), NamedOrBlankNode::BlankNode(b)) => {
                            self.matches_nodes(a, b)
                        }
                        (a, b) => a == b,
                    }
                    && self.matches(&a.object, &b.object)
            }
            (a, b) => a == b || is_same_number(a, b),
        }
    }

    fn matches_nodes(&mut self, a: &BlankNode, b: &BlankNode) -> bool {
        let forth = self.forth.entry(a.clone()).or_insert_with(|| b.clone());
        let back = self.back.entry(b.clone()).or_insert_with(|| a.clone());
        forth == b && back == a
    }
}

/// Whether `actual` is a computed number of the expected datatype and value. Results of arithmetic
/// have no lexical form of their own, and the suites write several; a form that we would not have
/// made comes from the data and must be the one expected.
fn is_same_number(actual: &Term, expected: &Term) -> bool {
    let (Term::Literal(a), Term::Literal(b)) = (actual, expected) else { return false };
    if a.datatype() != b.datatype() {
        return false;
    }
    match a.datatype() {
        xsd::DECIMAL => {
            let (x, y) = (a.value().parse::<Decimal>(), b.value().parse::<Decimal>());
            matches!((x, y), (Ok(x), Ok(y)) if x == y && (x.to_string() == a.value() || format!("{x}.0") == a.value()))
        }
        xsd::FLOAT | xsd::DOUBLE => {
            let (x, y) = (a.value().parse::<Double>(), b.value().parse::<Double>());
            let is_canonical = a.value().contains('E') || a.value() == "NaN" || a.value().ends_with("INF");
            matches!((x, y), (Ok(x), Ok(y)) if is_canonical && (x == y || f64::from(x).is_nan() && f64::from(y).is_nan()))
        }
        _ => false,
    }
}

/// Searches a renaming under which the rows are the same multiset.
fn is_isomorphic(left: &[Row], right: &[Row]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut open: Vec<Option<&Row>> = right.iter().map(Some).collect();
    let has_blank = |row: &&Row| row.iter().flatten().any(|term| term.to_string().contains("_:"));
    // Rows without blank nodes leave no choice, once those that are equal to the letter are gone.
    let mut plain: Vec<&Row> = left.iter().filter(|row| !has_blank(row)).collect();
    for exactly in [true, false] {
        plain.retain(|row| {
            let matches = |other: &&mut Option<&Row>| {
                other.is_some_and(|other| {
                    *row == other || !exactly && Renaming::default().matches_row(row, other)
                })
            };
            open.iter_mut().find(matches).map(|slot| *slot = None).is_none()
        });
    }
    if !plain.is_empty() {
        return false;
    }
    let rest: Vec<&Row> = left.iter().filter(has_blank).collect();
    search(&rest, &mut open, &Renaming::default())
}

fn search(rows: &[&Row], open: &mut Vec<Option<&Row>>, renaming: &Renaming) -> bool {
    let Some((first, rest)) = rows.split_first() else { return true };
    for index in 0..open.len() {
        let Some(candidate) = open[index] else { continue };
        let mut attempt = renaming.clone();
        if attempt.matches_row(first, candidate) {
            open[index] = None;
            if search(rest, open, &attempt) {
                return true;
            }
            open[index] = Some(candidate);
        }
    }
    false
}
