//! `Places`: a set of the places of a quad.

/// Some of subject, predicate, object and graph: 0, 1, 2 and 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places(u8);

impl Places {
    pub const ALL: Places = Places(0b1111);

    pub fn contains(self, place: usize) -> bool {
        self.0 >> place & 1 == 1
    }
}

impl FromIterator<usize> for Places {
    fn from_iter<I: IntoIterator<Item = usize>>(places: I) -> Places {
        Places(places.into_iter().fold(0, |set, place| set | 1 << place))
    }
}
