//! `OrderedTerms`: the distinct terms of a layer, sorted.
//!
//! Triple terms are sorted by the ids of their parts, which sort as their keys do; the keys are written when somebody
//! reads them.

use std::cmp::Ordering;

use super::keys::Keys;
use super::term_key::{put_term_key, put_triple_start_key};
use crate::model::{TermId, TermKind};

const KIND_SHIFT: u32 = TermId::KIND_SHIFT;
const LAYER_SHIFT: u32 = TermId::LAYER_SHIFT;
const RANK_MASK: u64 = (1 << LAYER_SHIFT) - 1;
const TRIPLE: u64 = TermKind::Triple as u64;

/// Distinct terms by rank: nodes, triple terms, literals.
pub struct OrderedTerms {
    keys: Keys,
    /// The numbers of the keys, in order.
    order: Vec<u32>,
    /// So many of them are those of nodes.
    nodes: usize,
    /// The ids of the parts of triple terms.
    triples: Vec<[u64; 3]>,
}

/// Turns ids by number into ids by rank.
pub struct Ranks {
    layer: u16,
    of_keys: Vec<u32>,
    of_triples: Vec<u32>,
}

impl Ranks {
    /// Returns the id by rank of an id by number; inline ids are the same.
    pub fn id(&self, bits: u64) -> u64 {
        let number = (bits & RANK_MASK) as usize;
        let rank = match bits >> KIND_SHIFT {
            TRIPLE => self.of_triples[number],
            1..=6 => self.of_keys[number],
            _ => return bits,
        };
        bits >> KIND_SHIFT << KIND_SHIFT | u64::from(self.layer) << LAYER_SHIFT | u64::from(rank)
    }
}

/// Returns whether the id of an object sorts as its key does among others that do.
fn is_ranked(object: u64) -> bool {
    matches!(object >> KIND_SHIFT, 1 | 2 | 4..=6)
}

impl OrderedTerms {
    /// Sorts distinct keys of what is no triple term, and triple terms, repetitions included, by the ids of their
    /// parts by number.
    pub fn of(layer: u16, keys: Keys, triples: Vec<[u64; 3]>) -> (OrderedTerms, Ranks) {
        let order = keys.order();
        let is_node = |number: &u32| keys.get(*number).first().is_some_and(|kind| u64::from(*kind) < TRIPLE);
        let nodes = order.partition_point(is_node);
        let mut ranks = Ranks { layer, of_keys: vec![0; order.len()], of_triples: Vec::new() };
        for (rank, number) in (0..).zip(&order) {
            ranks.of_keys[*number as usize] = rank;
        }
        let mut terms = OrderedTerms { keys, order, nodes, triples: Vec::new() };
        if !triples.is_empty() {
            terms.sort_triples(triples, &mut ranks);
        }
        (terms, ranks)
    }

    fn sort_triples(&mut self, mut triples: Vec<[u64; 3]>, ranks: &mut Ranks) {
        // Ranks leave triple terms out as yet, which does not change the order of others.
        for parts in &mut triples {
            *parts = parts.map(|part| if part >> KIND_SHIFT == TRIPLE { part } else { ranks.id(part) });
        }
        let mut items: Vec<([u64; 3], u32)> = triples.iter().copied().zip(0..).collect();
        if triples.iter().all(|[_, _, object]| is_ranked(*object)) {
            // They often come in order, which a stable sort sees.
            items.sort();
        } else {
            items.sort_by(|(a, _), (b, _)| self.compare(a, b, &triples));
        }
        ranks.of_triples = vec![0; items.len()];
        let mut distinct: Vec<[u64; 3]> = Vec::with_capacity(items.len());
        for (parts, number) in items {
            if distinct.last().is_none_or(|last| self.compare(last, &parts, &triples).is_ne()) {
                distinct.push(parts);
            }
            ranks.of_triples[number as usize] = (self.nodes + distinct.len() - 1) as u32;
        }
        let count = distinct.len() as u32;
        self.order[self.nodes..].iter().for_each(|number| ranks.of_keys[*number as usize] += count);
        for [_, _, object] in &mut distinct {
            *object = match *object >> KIND_SHIFT {
                TRIPLE => ranks.id(*object),
                4..=6 => *object + u64::from(count),
                _ => *object,
            };
        }
        self.triples = distinct;
    }

    /// Compares triple terms whose parts have ids by rank, but for triple terms among them, which are numbers of
    /// `triples`.
    fn compare(&self, a: &[u64; 3], b: &[u64; 3], triples: &[[u64; 3]]) -> Ordering {
        let ([s, p, a], [other_s, other_p, b]) = (*a, *b);
        (s, p).cmp(&(other_s, other_p)).then_with(|| {
            if a == b || is_ranked(a) && is_ranked(b) {
                return a.cmp(&b);
            }
            // Inline literals stand among the others by their text.
            let [a, b] = [a, b].map(|object| {
                let mut key = Vec::new();
                self.put_triple(&mut key, [s, p, object], |number| triples[number as usize]);
                key
            });
            a.cmp(&b)
        })
    }

    pub fn len(&self) -> usize {
        self.order.len() + self.triples.len()
    }

    /// Returns the ranks of triple terms with the ids of their parts, in order.
    pub fn triples(&self) -> impl Iterator<Item = (u64, [u64; 3])> {
        (self.nodes as u64..).zip(self.triples.iter().copied())
    }

    /// Replaces `key` by that of a rank.
    ///
    /// # Panics
    /// If there is no such rank.
    pub fn write_key(&self, rank: u64, key: &mut Vec<u8>) {
        key.clear();
        match self.triple_at(rank) {
            None => key.extend_from_slice(self.key_at(rank)),
            Some(parts) => {
                self.put_triple(key, parts, |rank| self.triple_at(rank).expect("its kind tells"));
            }
        }
    }

    fn triple_at(&self, rank: u64) -> Option<[u64; 3]> {
        self.triples.get((rank as usize).checked_sub(self.nodes)?).copied()
    }

    /// Returns the key of what is no triple term.
    fn key_at(&self, rank: u64) -> &[u8] {
        let rank = rank as usize;
        let place = if rank < self.nodes { rank } else { rank - self.triples.len() };
        self.keys.get(self.order[place])
    }

    /// Appends the key of the triple term of some parts, which does not nest deeper than dictionaries hold;
    /// `triple_at` returns the parts of others within it.
    fn put_triple(&self, out: &mut Vec<u8>, parts: [u64; 3], triple_at: impl Fn(u64) -> [u64; 3]) {
        let [mut subject, mut predicate, mut object] = parts;
        loop {
            put_triple_start_key(out, self.key_at(subject & RANK_MASK), self.key_at(predicate & RANK_MASK));
            if object >> KIND_SHIFT != TRIPLE {
                break;
            }
            [subject, predicate, object] = triple_at(object & RANK_MASK);
        }
        match TermId::from_bits(object).and_then(TermId::to_literal) {
            Some(literal) => put_term_key(out, &literal).expect("inline literals are short"),
            None => out.extend_from_slice(self.key_at(object & RANK_MASK)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::interner::Interner;
    use super::super::term_key::{term_key, tests::terms};
    use crate::model::{Term, TermId};
    use proptest::prelude::*;

    /// Returns a term and all of its parts that have keys of their own.
    fn with_parts(term: &Term, out: &mut Vec<Vec<u8>>) {
        if let Term::Literal(literal) = term
            && TermId::inline(literal).is_some()
        {
            return;
        }
        out.push(term_key(term).unwrap());
        if let Term::Triple(triple) = term {
            with_parts(&triple.subject.clone().into(), out);
            with_parts(&triple.predicate.clone().into(), out);
            with_parts(&triple.object, out);
        }
    }

    /// Triple terms about few others, inline literals among them.
    fn triples() -> impl Strategy<Value = Term> {
        use crate::model::{Literal, NamedNode, Triple};
        let object = prop_oneof![
            terms(),
            (0i64..12).prop_map(|n| Literal::from(n).into()),
            (0i64..12).prop_map(|n| Literal::new_simple_literal(n.to_string()).into()),
            (0u32..4).prop_map(|n| Literal::from(f64::from(n) / 3.0).into()),
        ];
        let node = |n: u8| NamedNode::new_unchecked(format!("http://example.org/{n}"));
        let triple = (0u8..2, 0u8..2, object).prop_map(move |(s, p, object)| {
            Term::Triple(Box::new(Triple { subject: node(s).into(), predicate: node(p), object }))
        });
        triple.prop_recursive(3, 8, 1, move |object| {
            (0u8..2, object).prop_map(move |(s, object)| {
                Term::Triple(Box::new(Triple { subject: node(s).into(), predicate: node(0), object }))
            })
        })
    }

    proptest! {
        #[test]
        fn terms_are_ordered_by_their_keys(terms in proptest::collection::vec(prop_oneof![terms(), triples()], 0..40)) {
            let (mut interner, mut expected) = (Interner::default(), Vec::new());
            let ids: Vec<TermId> = terms.iter().map(|term| interner.insert(term).unwrap()).collect();
            terms.iter().for_each(|term| with_parts(term, &mut expected));
            expected.sort_unstable();
            expected.dedup();
            let (ordered, ranks) = interner.into_order(3);
            prop_assert_eq!(ordered.len(), expected.len());
            let mut buffer = Vec::new();
            let key = |rank| {
                ordered.write_key(rank, &mut buffer);
                buffer.clone()
            };
            let found: Vec<Vec<u8>> = (0..ordered.len() as u64).map(key).collect();
            prop_assert_eq!(&found, &expected);
            let key_of = |bits: u64| match TermId::from_bits(bits).unwrap() {
                id if let Some(literal) = id.to_literal() => term_key(&literal.into()).unwrap(),
                id => {
                    let id = id.as_dictionary().unwrap();
                    assert_eq!(id.layer, 3);
                    let key = found[id.rank as usize].clone();
                    assert_eq!(key[0], id.kind as u8);
                    key
                }
            };
            for (term, id) in terms.iter().zip(ids) {
                prop_assert_eq!(key_of(ranks.id(id.to_bits())), term_key(term).unwrap());
            }
            for (rank, parts) in ordered.triples() {
                let expected = super::super::term_key::triple_parts(&found[rank as usize]).unwrap();
                prop_assert_eq!(parts.map(key_of), expected);
            }
        }
    }
}
