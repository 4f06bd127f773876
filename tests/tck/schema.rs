//! A complete schema of a dataset, so that each scenario also runs as lowering on known facts has it.

use std::collections::BTreeSet;

use reefloom::dataset::Dataset;
use reefloom::model::{Permutation, QuadPattern, Term, pg};
use reefloom::plan::Schema;

/// Returns all facts about the predicates; it looks at every quad.
pub fn schema_of(dataset: &dyn Dataset) -> Schema {
    let mut schema = Schema { is_complete: true, ..Schema::default() };
    let mut pairs = BTreeSet::new();
    let mut reified = BTreeSet::new();
    let mut scan = dataset.scan(&QuadPattern::default(), Permutation::Spo).unwrap();
    while let Some(batch) = scan.next_batch().unwrap() {
        let columns = batch.into_columns();
        for ((subject, predicate), object) in columns[0].iter().zip(&columns[1]).zip(&columns[2]) {
            let Term::NamedNode(name) = dataset.term(*predicate).unwrap() else { continue };
            let object = dataset.term(*object).unwrap();
            let is_new_subject = pairs.insert((*subject, *predicate));
            let info = schema.predicates.entry(name.clone()).or_default();
            info.is_functional = is_new_subject && (info.is_functional || info.quads == 0);
            info.quads += 1;
            match &object {
                Term::NamedNode(_) | Term::BlankNode(_) => info.has_node_objects = true,
                Term::Literal(literal) => {
                    info.has_literal_objects = true;
                    info.datatypes.push(literal.datatype().into_owned());
                }
                Term::Triple(_) => info.has_literal_objects = true,
            }
            if let (Term::Triple(triple), true) = (object, name == pg::REIFIES) {
                reified.insert(triple.predicate.clone());
            }
        }
    }
    for (name, info) in &mut schema.predicates {
        info.has_edges = reified.contains(name);
        info.datatypes.sort();
        info.datatypes.dedup();
    }
    schema
}
