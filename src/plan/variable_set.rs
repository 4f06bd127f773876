//! `VariableSet`: a set of the variables of one plan, a bit each.

use std::fmt;
use std::ops::{BitAnd, BitOr, Sub};

use super::Variable;

const BITS: usize = 64;
/// So many words stand in the set itself: most plans have no more variables.
const WORDS_OWN: usize = 2;

/// A set of variables; iterates in ascending order.
#[derive(Clone, Default)]
pub struct VariableSet {
    own: [u64; WORDS_OWN],
    /// The other words that are not zero, with their numbers, ascending: variables that are made while a plan runs have
    /// high numbers.
    more: Vec<(usize, u64)>,
}

impl VariableSet {
    pub fn new() -> VariableSet {
        VariableSet::default()
    }

    fn word(&self, number: usize) -> u64 {
        match self.own.get(number) {
            Some(word) => *word,
            None => self.find(number).map_or(0, |at| self.more[at].1),
        }
    }

    /// Returns where a word stands among those that are not own, or where it would.
    fn find(&self, number: usize) -> Result<usize, usize> {
        self.more.binary_search_by_key(&number, |(number, _)| *number)
    }

    fn set_word(&mut self, number: usize, word: u64) {
        if let Some(own) = self.own.get_mut(number) {
            *own = word;
            return;
        }
        match (self.find(number), word) {
            (Ok(at), 0) => drop(self.more.remove(at)),
            (Ok(at), word) => self.more[at].1 = word,
            (Err(_), 0) => {}
            (Err(at), word) => self.more.insert(at, (number, word)),
        }
    }

    /// Returns the words that may not be zero, with their numbers.
    fn words(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.own.iter().copied().enumerate().chain(self.more.iter().copied())
    }

    /// Returns the set whose words `merge` makes of the words of both; of none it makes none.
    fn merged(&self, other: &VariableSet, merge: fn(u64, u64) -> u64) -> VariableSet {
        let mut all = self.clone();
        for (number, word) in self.words() {
            all.set_word(number, merge(word, other.word(number)));
        }
        for (number, word) in other.more.iter().filter(|(number, _)| self.word(*number) == 0) {
            all.set_word(*number, merge(0, *word));
        }
        all
    }

    pub fn contains(&self, variable: &Variable) -> bool {
        let (number, bit) = place(*variable);
        self.word(number) & bit != 0
    }

    /// Adds a variable; returns whether it was new.
    pub fn insert(&mut self, variable: Variable) -> bool {
        let (number, bit) = place(variable);
        let word = self.word(number);
        self.set_word(number, word | bit);
        word & bit == 0
    }

    /// Removes a variable; returns whether it was there.
    pub fn remove(&mut self, variable: &Variable) -> bool {
        let (number, bit) = place(*variable);
        let word = self.word(number);
        if word & bit != 0 {
            self.set_word(number, word & !bit);
        }
        word & bit != 0
    }

    pub fn retain(&mut self, is_kept: impl Fn(&Variable) -> bool) {
        *self = self.iter().filter(is_kept).collect();
    }

    pub fn is_disjoint(&self, other: &VariableSet) -> bool {
        self.words().all(|(number, word)| word & other.word(number) == 0)
    }

    pub fn is_subset(&self, other: &VariableSet) -> bool {
        self.words().all(|(number, word)| word & !other.word(number) == 0)
    }

    pub fn is_empty(&self) -> bool {
        self.own == [0; WORDS_OWN] && self.more.is_empty()
    }

    pub fn len(&self) -> usize {
        self.words().map(|(_, word)| word.count_ones() as usize).sum()
    }

    pub fn first(&self) -> Option<Variable> {
        self.iter().next()
    }

    pub fn iter(&self) -> Iter<'_> {
        Iter { set: self, next: 1, number: 0, rest: self.own[0] }
    }
}

/// Returns the word that holds a variable, and its bit there.
fn place(variable: Variable) -> (usize, u64) {
    (variable.0 as usize / BITS, 1 << (variable.0 as usize % BITS))
}

/// The variables of a set, ascending.
pub struct Iter<'a> {
    set: &'a VariableSet,
    /// Which of the words comes next, own ones first.
    next: usize,
    /// The number of the word at hand, and what is left of it.
    number: usize,
    rest: u64,
}

impl Iterator for Iter<'_> {
    type Item = Variable;

    fn next(&mut self) -> Option<Variable> {
        while self.rest == 0 {
            (self.number, self.rest) = match self.set.own.get(self.next) {
                Some(word) => (self.next, *word),
                None => *self.set.more.get(self.next - WORDS_OWN)?,
            };
            self.next += 1;
        }
        let bit = self.rest.trailing_zeros() as usize;
        self.rest &= self.rest - 1;
        Some(Variable((self.number * BITS + bit) as u32))
    }
}

impl<'a> IntoIterator for &'a VariableSet {
    type Item = Variable;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl IntoIterator for VariableSet {
    type Item = Variable;
    type IntoIter = std::vec::IntoIter<Variable>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter().collect::<Vec<Variable>>().into_iter()
    }
}

impl Extend<Variable> for VariableSet {
    fn extend<T: IntoIterator<Item = Variable>>(&mut self, variables: T) {
        variables.into_iter().for_each(|variable| _ = self.insert(variable));
    }
}

impl<'a> Extend<&'a Variable> for VariableSet {
    fn extend<T: IntoIterator<Item = &'a Variable>>(&mut self, variables: T) {
        self.extend(variables.into_iter().copied());
    }
}

impl FromIterator<Variable> for VariableSet {
    fn from_iter<T: IntoIterator<Item = Variable>>(variables: T) -> VariableSet {
        let mut all = VariableSet::new();
        all.extend(variables);
        all
    }
}

impl<const N: usize> From<[Variable; N]> for VariableSet {
    fn from(variables: [Variable; N]) -> VariableSet {
        variables.into_iter().collect()
    }
}

impl BitOr for &VariableSet {
    type Output = VariableSet;

    fn bitor(self, other: &VariableSet) -> VariableSet {
        self.merged(other, |a, b| a | b)
    }
}

impl BitAnd for &VariableSet {
    type Output = VariableSet;

    fn bitand(self, other: &VariableSet) -> VariableSet {
        self.merged(other, |a, b| a & b)
    }
}

impl Sub for &VariableSet {
    type Output = VariableSet;

    fn sub(self, other: &VariableSet) -> VariableSet {
        self.merged(other, |a, b| a & !b)
    }
}

impl PartialEq for VariableSet {
    fn eq(&self, other: &VariableSet) -> bool {
        self.own == other.own && self.more == other.more
    }
}

impl Eq for VariableSet {}

impl fmt::Debug for VariableSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn variables() -> impl Strategy<Value = Vec<Variable>> {
        let variable = prop_oneof![0u32..20, 50u32..300, u32::MAX - 9..=u32::MAX].prop_map(Variable);
        proptest::collection::vec(variable, 0..30)
    }

    proptest! {
        #[test]
        fn it_is_a_set(a in variables(), b in variables()) {
            let (set, other): (VariableSet, VariableSet) = (a.iter().copied().collect(), b.iter().copied().collect());
            let (model, theirs) = (BTreeSet::from_iter(a), BTreeSet::from_iter(b.clone()));
            let all = |model: &BTreeSet<Variable>| model.iter().copied().collect::<Vec<_>>();
            let of = |set: &VariableSet| set.iter().collect::<Vec<_>>();
            prop_assert_eq!(of(&set), all(&model));
            prop_assert_eq!((set.len(), set.is_empty(), set.first()), (model.len(), model.is_empty(), model.first().copied()));
            prop_assert_eq!(of(&(&set | &other)), all(&(&model | &theirs)));
            prop_assert_eq!(of(&(&set & &other)), all(&(&model & &theirs)));
            prop_assert_eq!(of(&(&set - &other)), all(&(&model - &theirs)));
            prop_assert_eq!(set.is_disjoint(&other), model.is_disjoint(&theirs));
            prop_assert_eq!(set.is_subset(&other), model.is_subset(&theirs));
            prop_assert_eq!(set == other, model == theirs);
            let (mut set, mut model) = (set, model);
            for variable in b {
                prop_assert_eq!(set.contains(&variable), model.contains(&variable));
                prop_assert_eq!(set.remove(&variable), model.remove(&variable));
            }
            prop_assert_eq!(of(&set), all(&model));
            prop_assert_eq!(set, model.into_iter().collect());
        }
    }
}
