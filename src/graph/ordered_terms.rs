//! `OrderedTerms`: the distinct terms of a layer, sorted.

use super::keys::Keys;
use crate::model::{TermId, TermKind};

const KIND_SHIFT: u32 = TermId::KIND_SHIFT;
const LAYER_SHIFT: u32 = TermId::LAYER_SHIFT;
const RANK_MASK: u64 = (1 << LAYER_SHIFT) - 1;
const TRIPLE: u64 = TermKind::Triple as u64;

/// A triple term: its depth, and the ids of subject, predicate and object. Sorts as the keys of triple terms do.
pub type TripleRow = [u64; 4];

/// Distinct terms that are no triple terms, in order. The ranks of triple terms come between those of nodes and of
/// literals.
pub struct OrderedTerms {
    keys: Keys,
    /// The numbers of the keys, in order.
    order: Vec<u32>,
    /// So many of them are those of nodes.
    nodes: usize,
    /// How many distinct triple terms there are beside them.
    triples: usize,
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

/// Returns whether an id is that of a literal of a dictionary.
pub fn is_literal(bits: u64) -> bool {
    matches!(bits >> KIND_SHIFT, 4..=6)
}

impl OrderedTerms {
    /// Sorts distinct keys of what is no triple term, and triple terms, repetitions included, by the ids of their
    /// parts by number; one within another has the lower number. Returns the distinct triple terms too.
    pub fn of(layer: u16, keys: Keys, triples: &[[u64; 3]]) -> (OrderedTerms, Vec<TripleRow>, Ranks) {
        let order = keys.order();
        let is_node = |number: &u32| keys.get(*number).first().is_some_and(|kind| u64::from(*kind) < TRIPLE);
        let nodes = order.partition_point(is_node);
        let mut ranks = Ranks { layer, of_keys: vec![0; order.len()], of_triples: Vec::new() };
        for (rank, number) in (0..).zip(&order) {
            ranks.of_keys[*number as usize] = rank;
        }
        let mut rows = order_triples(triples, nodes, &mut ranks);
        // The ranks left triple terms out as yet, which did not change the order of others.
        let count = rows.len();
        order[nodes..].iter().for_each(|number| ranks.of_keys[*number as usize] += count as u32);
        rows.iter_mut().filter(|row| is_literal(row[3])).for_each(|row| row[3] += count as u64);
        (OrderedTerms { keys, order, nodes, triples: count }, rows, ranks)
    }

    /// Returns how many keys there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Returns the rank of the first triple term.
    pub fn nodes(&self) -> u64 {
        self.nodes as u64
    }

    /// Returns the rank of the key at a place.
    pub fn rank(&self, place: usize) -> u64 {
        (if place < self.nodes { place } else { place + self.triples }) as u64
    }

    /// Returns the key at a place in the order.
    ///
    /// # Panics
    /// If there is no such place.
    pub fn key(&self, place: usize) -> &[u8] {
        self.keys.get(self.order[place])
    }

    /// Returns a bound that all ranks are below, those of triple terms included.
    pub fn rank_end(&self) -> u64 {
        (self.order.len() + self.triples) as u64
    }
}

/// Gives triple terms their ranks, which begin at `start`, depth by depth: what is within one has its rank then.
fn order_triples(triples: &[[u64; 3]], start: usize, ranks: &mut Ranks) -> Vec<TripleRow> {
    let mut depths: Vec<u8> = Vec::with_capacity(triples.len());
    for [_, _, object] in triples {
        let is_around = object >> KIND_SHIFT == TRIPLE;
        depths.push(if is_around { depths[(object & RANK_MASK) as usize] + 1 } else { 1 });
    }
    let (deepest, mut rows) = (depths.iter().copied().max().unwrap_or(0), Vec::with_capacity(triples.len()));
    ranks.of_triples = vec![0; triples.len()];
    for depth in 1..=deepest {
        let of_depth = (0u32..).zip(&depths).filter(|(_, other)| **other == depth);
        let row = |number: u32| {
            let [subject, predicate, object] = triples[number as usize].map(|part| ranks.id(part));
            [u64::from(depth), subject, predicate, object]
        };
        let mut items: Vec<(TripleRow, u32)> = of_depth.map(|(number, _)| (row(number), number)).collect();
        // They often come in order, which a stable sort sees.
        items.sort();
        for (row, number) in items {
            if rows.last() != Some(&row) {
                rows.push(row);
            }
            ranks.of_triples[number as usize] = (start + rows.len() - 1) as u32;
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::super::interner::Interner;
    use super::super::term_key::{TripleKey, term_key, tests::terms};
    use super::TripleRow;
    use crate::model::{Term, TermId};
    use proptest::prelude::*;

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

    /// Returns the key of a rank.
    fn key_at(keys: &[(u64, Vec<u8>)], rank: u64) -> &[u8] {
        &keys[keys.binary_search_by_key(&rank, |(rank, _)| *rank).unwrap()].1
    }

    proptest! {
        #[test]
        fn terms_are_ordered_by_their_keys(terms in proptest::collection::vec(prop_oneof![terms(), triples()], 0..40)) {
            let mut interner = Interner::default();
            let ids: Vec<TermId> = terms.iter().map(|term| interner.insert(term).unwrap()).collect();
            let (ordered, rows, ranks) = interner.into_order(3);
            let texts = (0..ordered.len()).map(|place| (ordered.rank(place), ordered.key(place).to_vec()));
            let key = |[depth, parts @ ..]: TripleRow| TripleKey { depth: depth as u8, parts }.to_bytes();
            let of_triples = (ordered.nodes()..).zip(rows.iter().copied().map(key));
            let mut keys: Vec<(u64, Vec<u8>)> = texts.chain(of_triples).collect();
            keys.sort_unstable();
            prop_assert!(keys.iter().map(|(rank, _)| *rank).eq(0..ordered.rank_end()));
            prop_assert!(keys.is_sorted_by(|(_, a), (_, b)| a < b));
            for (term, id) in terms.iter().zip(ids) {
                // From the outermost triple term inwards.
                let (mut term, mut bits) = (term.clone(), ranks.id(id.to_bits()));
                loop {
                    let id = TermId::from_bits(bits).unwrap();
                    if let Some(literal) = id.to_literal() {
                        prop_assert_eq!(Term::from(literal), term);
                        break;
                    }
                    let id = id.as_dictionary().unwrap();
                    prop_assert_eq!(id.layer, 3);
                    let Term::Triple(triple) = term else {
                        prop_assert_eq!(key_at(&keys, id.rank), term_key(&term).unwrap());
                        break;
                    };
                    let [_, subject, predicate, object] = rows[(id.rank - ordered.nodes()) as usize];
                    for (part, bits) in [(Term::from(triple.subject), subject), (triple.predicate.into(), predicate)] {
                        let rank = TermId::from_bits(bits).unwrap().as_dictionary().unwrap().rank;
                        prop_assert_eq!(key_at(&keys, rank), term_key(&part).unwrap());
                    }
                    (term, bits) = (triple.object, object);
                }
            }
        }
    }
}
