//! `Permutation`: a sort order of quads.

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
}

impl Permutation {
    pub const ALL: [Permutation; 4] =
        [Permutation::Spo, Permutation::Pso, Permutation::Pos, Permutation::Ops];

    /// Returns the positions (0 subject, 1 predicate, 2 object, 3 graph) of the key columns.
    pub fn positions(self) -> [usize; 4] {
        match self {
            Permutation::Spo => [0, 1, 2, 3],
            Permutation::Pso => [1, 0, 2, 3],
            Permutation::Pos => [1, 2, 0, 3],
            Permutation::Ops => [2, 1, 0, 3],
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

    /// Returns the permutation in which the bound places of `pattern` form the longest prefix.
    pub fn best_for(pattern: &QuadPattern) -> Permutation {
        match (pattern.subject.is_some(), pattern.predicate.is_some(), pattern.object.is_some()) {
            (true, true, _) | (true, false, false) => Permutation::Spo,
            (_, true, true) => Permutation::Pos,
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
