//! The orders of terms and values, named for whom they serve.

use std::cmp::Ordering;

use super::term::{Literal, NamedOrBlankNode, Term};

/// Compares terms by the total order of dictionaries: blank nodes, IRIs, triple terms, plain
/// strings, language-tagged strings, other literals; within a kind by code points, field by field
/// (value, then language, then direction or datatype).
///
/// Equal only for equal terms. Id order within a dictionary layer is this order.
pub fn compare_terms(a: &Term, b: &Term) -> Ordering {
    match (a, b) {
        (Term::BlankNode(a), Term::BlankNode(b)) => a.as_str().cmp(b.as_str()),
        (Term::NamedNode(a), Term::NamedNode(b)) => a.as_str().cmp(b.as_str()),
        (Term::Literal(a), Term::Literal(b)) => compare_literals(a, b),
        (Term::Triple(a), Term::Triple(b)) => compare_subjects(&a.subject, &b.subject)
            .then_with(|| a.predicate.as_str().cmp(b.predicate.as_str()))
            .then_with(|| compare_terms(&a.object, &b.object)),
        _ => kind_rank(a).cmp(&kind_rank(b)),
    }
}

fn compare_subjects(a: &NamedOrBlankNode, b: &NamedOrBlankNode) -> Ordering {
    compare_terms(&a.clone().into(), &b.clone().into())
}

fn compare_literals(a: &Literal, b: &Literal) -> Ordering {
    literal_rank(a)
        .cmp(&literal_rank(b))
        .then_with(|| a.value().cmp(b.value()))
        .then_with(|| a.language().cmp(&b.language()))
        .then_with(|| direction_rank(a).cmp(&direction_rank(b)))
        .then_with(|| a.datatype().as_str().cmp(b.datatype().as_str()))
}

fn kind_rank(term: &Term) -> u8 {
    match term {
        Term::BlankNode(_) => 1,
        Term::NamedNode(_) => 2,
        Term::Triple(_) => 3,
        Term::Literal(_) => 4,
    }
}

fn literal_rank(literal: &Literal) -> u8 {
    if literal.language().is_some() {
        5
    } else if literal.datatype() == super::xsd::STRING {
        4
    } else {
        6
    }
}

fn direction_rank(literal: &Literal) -> u8 {
    match literal.direction() {
        None => 0,
        Some(oxrdf::BaseDirection::Ltr) => 1,
        Some(oxrdf::BaseDirection::Rtl) => 2,
    }
}
