//! Side effects: the property graph that a dataset reads as, before and after.
//!
//! Written from `docs/property_graph.md` alone, so that it also checks what the engine wrote.

use std::collections::{BTreeMap, BTreeSet};

use oxrdf::{GraphName, Quad, Triple};
use reefloom::dataset::Dataset;
use reefloom::model::{Permutation, QuadPattern, Term, TermId, Vocabulary, pg, rdf};

/// What the TCK counts, each thing under a name that stays when nothing happens to it.
#[derive(Default)]
pub struct Census {
    nodes: BTreeSet<String>,
    /// By the id that a relationship keeps: its reifier, else what its triple derives.
    relationships: BTreeSet<String>,
    /// (entity, key, value).
    properties: BTreeSet<(String, String, String)>,
    labels: BTreeSet<String>,
}

/// Returns all quads; a scenario's lie in the default graph.
pub fn quads(dataset: &dyn Dataset) -> Vec<Quad> {
    let quad = |[subject, predicate, object]: [Term; 3]| {
        Triple::from_terms(subject, predicate, object).unwrap().in_graph(GraphName::DefaultGraph)
    };
    rows(dataset).into_iter().map(quad).collect()
}

fn rows(dataset: &dyn Dataset) -> Vec<[Term; 3]> {
    let mut rows = Vec::new();
    let mut scan = dataset.scan(&QuadPattern::default(), Permutation::Spo).unwrap();
    while let Some(batch) = scan.next_batch().unwrap() {
        let mut row = Vec::new();
        for index in 0..batch.rows() {
            batch.read_row(index, &mut row);
            assert!(row[3] == TermId::UNDEFINED, "a quad lies in a named graph");
            let terms = dataset.terms(&row[..3]).unwrap();
            rows.push(terms.try_into().expect("three terms were asked for"));
        }
    }
    rows
}

pub fn census(dataset: &dyn Dataset) -> Census {
    let quads = rows(dataset);
    let reifies = Term::from(pg::REIFIES.into_owned());
    let kind = Term::from(rdf::TYPE.into_owned());
    let marker = Term::from(pg::NODE.into_owned());
    let is_node = |term: &Term| matches!(term, Term::NamedNode(_) | Term::BlankNode(_));
    let mut reifiers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut all_reifiers = BTreeSet::new();
    for quad in quads.iter().filter(|quad| quad[1] == reifies) {
        if let Term::Triple(triple) = &quad[2] {
            let key = format!("{} {} {}", triple.subject, triple.predicate, triple.object);
            reifiers.entry(key).or_default().push(quad[0].to_string());
            all_reifiers.insert(quad[0].to_string());
        }
    }
    let mut census = Census::default();
    for quad in &quads {
        let [subject, predicate, object] = [&quad[0], &quad[1], &quad[2]].map(Term::to_string);
        if quad[1] == reifies {
            continue;
        }
        if !all_reifiers.contains(&subject) {
            census.nodes.insert(subject.clone());
        }
        if quad[1] == kind {
            if quad[2] != marker {
                census.labels.insert(object);
            }
        } else if is_node(&quad[2]) {
            census.nodes.insert(object.clone());
            let key = format!("{subject} {predicate} {object}");
            match reifiers.get(&key) {
                Some(reifiers) => census.relationships.extend(reifiers.iter().cloned()),
                None => {
                    let parts = [&quad[0], &quad[1], &quad[2]];
                    let derived = Vocabulary::default().relationship_iri(None, parts);
                    census.relationships.insert(derived.to_string());
                }
            }
        } else {
            census.properties.insert((subject, predicate, object));
        }
    }
    census
}

/// Returns the differences in the TCK's words, those that are not zero.
pub fn differences(before: &Census, after: &Census) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let mut count = |name: &str, amount: usize| {
        if amount > 0 {
            found.insert(name.to_owned(), amount);
        }
    };
    count("+nodes", after.nodes.difference(&before.nodes).count());
    count("-nodes", before.nodes.difference(&after.nodes).count());
    count("+relationships", after.relationships.difference(&before.relationships).count());
    count("-relationships", before.relationships.difference(&after.relationships).count());
    count("+properties", after.properties.difference(&before.properties).count());
    count("-properties", before.properties.difference(&after.properties).count());
    count("+labels", after.labels.difference(&before.labels).count());
    count("-labels", before.labels.difference(&after.labels).count());
    found
}
