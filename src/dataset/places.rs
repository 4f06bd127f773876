//! `Places`: a set of the places of a quad or an edge.

/// Some of subject, predicate, object, graph and, of an edge, itself: 0 to 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places(u8);

impl Places {
    pub const ALL: Places = Places(0b1_1111);

    pub fn contains(self, place: usize) -> bool {
        self.0 >> place & 1 == 1
    }
}

impl FromIterator<usize> for Places {
    fn from_iter<I: IntoIterator<Item = usize>>(places: I) -> Places {
        Places(places.into_iter().fold(0, |set, place| set | 1 << place))
    }
}
