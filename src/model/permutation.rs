//! `Permutation`: a sort order of quads, and the set of those that somebody keeps.

use std::fmt;
use std::str::FromStr;

use super::quad::{Quad, QuadPattern};
use super::term_id::TermId;

/// A sort order of quads: by the key that the letters spell, graph last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Permutation {
    Spo = 0,
    Pso = 1,
    Pos = 2,
    Ops = 3,
    Sop = 4,
    Osp = 5,
}

impl Permutation {
    pub const ALL: [Permutation; 6] = [
        Permutation::Spo,
        Permutation::Pso,
        Permutation::Pos,
        Permutation::Ops,
        Permutation::Sop,
        Permutation::Osp,
    ];
    /// Those that every dataset offers.
    pub const DEFAULT: [Permutation; 4] =
        [Permutation::Spo, Permutation::Pso, Permutation::Pos, Permutation::Ops];
    /// Those that a workspace has if it was made with them.
    pub const OPTIONAL: [Permutation; 2] = [Permutation::Sop, Permutation::Osp];

    /// Returns the positions (0 subject, 1 predicate, 2 object, 3 graph) of the key columns.
    pub fn positions(self) -> [usize; 4] {
        match self {
            Permutation::Spo => [0, 1, 2, 3],
            Permutation::Pso => [1, 0, 2, 3],
            Permutation::Pos => [1, 2, 0, 3],
            Permutation::Ops => [2, 1, 0, 3],
            Permutation::Sop => [0, 2, 1, 3],
            Permutation::Osp => [2, 0, 1, 3],
        }
    }

    /// Returns a quad as a key of this permutation.
    pub fn key(self, quad: &Quad) -> [TermId; 4] {
        let parts = [quad.subject, quad.predicate, quad.object, quad.graph];
        self.positions().map(|position| parts[position])
    }

    /// Returns the quad of a key of this permutation; the inverse of [`Permutation::key`].
    pub fn quad(self, key: [TermId; 4]) -> Quad {
        let mut parts = [TermId::UNDEFINED; 4];
        for (position, id) in self.positions().into_iter().zip(key) {
            parts[position] = id;
        }
        let [subject, predicate, object, graph] = parts;
        Quad { subject, predicate, object, graph }
    }

    /// Returns the default permutation in which the bound places of `pattern` form the longest prefix.
    pub fn best_for(pattern: &QuadPattern) -> Permutation {
        match (pattern.subject.is_some(), pattern.predicate.is_some(), pattern.object.is_some()) {
            // Who looks up one predicate of many subjects finds neighbours next to each other.
            (true, true, _) => Permutation::Pso,
            (true, false, false) => Permutation::Spo,
            (false, true, true) => Permutation::Pos,
            (false, true, false) => Permutation::Pso,
            (true, false, true) | (false, false, true) => Permutation::Ops,
            (false, false, false) => Permutation::Spo,
        }
    }

    /// Returns how many leading key places of this permutation `pattern` binds.
    pub fn prefix_len(self, pattern: &QuadPattern) -> usize {
        let bound = [pattern.subject, pattern.predicate, pattern.object];
        self.positions().iter().take(3).take_while(|position| bound[**position].is_some()).count()
    }
}

/// Writes the name that [`Permutation::from_str`] reads.
impl fmt::Display for Permutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Permutation::Spo => "spo",
            Permutation::Pso => "pso",
            Permutation::Pos => "pos",
            Permutation::Ops => "ops",
            Permutation::Sop => "sop",
            Permutation::Osp => "osp",
        })
    }
}

/// There is no permutation of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no permutation is called '{0}'; sop and osp can be had besides spo, pso, pos and ops")]
pub struct UnknownPermutation(String);

impl FromStr for Permutation {
    type Err = UnknownPermutation;

    fn from_str(name: &str) -> Result<Permutation, UnknownPermutation> {
        let named = |permutation: &Permutation| permutation.to_string().eq_ignore_ascii_case(name);
        Permutation::ALL.into_iter().find(named).ok_or_else(|| UnknownPermutation(name.to_owned()))
    }
}

/// The permutations that somebody keeps: the default ones, on which all rely, and perhaps more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PermutationSet {
    /// The bit of each is its number.
    bits: u8,
}

impl PermutationSet {
    pub fn contains(self, permutation: Permutation) -> bool {
        self.bits >> permutation as u8 & 1 == 1
    }

    /// Returns the permutations, always in the same order: the default ones first.
    pub fn iter(self) -> impl Iterator<Item = Permutation> + Clone {
        Permutation::ALL.into_iter().filter(move |permutation| self.contains(*permutation))
    }

    /// Returns the one in which the bound places of `pattern` form the longest prefix.
    pub fn best_for(self, pattern: &QuadPattern) -> Permutation {
        let best = Permutation::best_for(pattern);
        let is_longer = |other: &Permutation| other.prefix_len(pattern) > best.prefix_len(pattern);
        self.iter().find(is_longer).unwrap_or(best)
    }
}

impl Default for PermutationSet {
    fn default() -> PermutationSet {
        PermutationSet::from_iter([])
    }
}

/// Collects permutations besides the default ones, which need not be named.
impl FromIterator<Permutation> for PermutationSet {
    fn from_iter<T: IntoIterator<Item = Permutation>>(more: T) -> PermutationSet {
        let all = Permutation::DEFAULT.into_iter().chain(more);
        PermutationSet { bits: all.fold(0, |bits, permutation| bits | 1 << permutation as u8) }
    }
}

impl fmt::Debug for PermutationSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(bound: usize) -> QuadPattern {
        let at = |place: usize| (bound >> place & 1 == 1).then_some(TermId::MAX);
        QuadPattern { subject: at(0), predicate: at(1), object: at(2), ..QuadPattern::default() }
    }

    #[test]
    fn a_set_has_the_default_ones_and_what_is_added() {
        let all = PermutationSet::from_iter([Permutation::Osp, Permutation::Spo, Permutation::Sop]);
        assert_eq!(all.iter().collect::<Vec<_>>(), Permutation::ALL);
        assert_eq!(PermutationSet::default().iter().collect::<Vec<_>>(), Permutation::DEFAULT);
        assert_ne!(
            PermutationSet::from_iter([Permutation::Sop]),
            PermutationSet::from_iter([Permutation::Osp])
        );
    }

    #[test]
    fn names_read_back() {
        for permutation in Permutation::ALL {
            assert_eq!(permutation.to_string().parse(), Ok(permutation));
            assert_eq!(format!("{permutation:?}").parse(), Ok(permutation));
        }
        assert!(
            "pgo"
                .parse::<Permutation>()
                .unwrap_err()
                .to_string()
                .starts_with("no permutation is called 'pgo'")
        );
    }

    #[test]
    fn every_pattern_is_a_prefix_once_there_are_more() {
        let (default, sop) = (PermutationSet::default(), PermutationSet::from_iter([Permutation::Sop]));
        for bound in 0..8usize {
            let pattern = pattern(bound);
            assert_eq!(default.best_for(&pattern), Permutation::best_for(&pattern));
            assert_eq!(sop.best_for(&pattern).prefix_len(&pattern), bound.count_ones() as usize);
        }
        let both_ends = pattern(0b101);
        assert_eq!(sop.best_for(&both_ends), Permutation::Sop);
        assert_eq!(PermutationSet::from_iter([Permutation::Osp]).best_for(&both_ends), Permutation::Osp);
    }
}
