//! `Keys`: many byte strings, back to back, and how to sort them.

/// Byte strings by number, in the order of arrival.
#[derive(Default)]
pub struct Keys {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

/// A group no larger than this is sorted by comparing whole keys.
const SMALL_GROUP: usize = 24;
/// How many bytes of a key are compared at a time.
const WINDOW_BYTES: usize = 8;

/// A key in the making of an order: some bytes of it, and its number.
type Item = (u64, u32);

impl Keys {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns how many bytes of memory they take.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<usize>()
    }

    pub fn push(&mut self, key: &[u8]) {
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
    }

    /// Returns the key of a number.
    ///
    /// # Panics
    /// If there is no such number.
    pub fn get(&self, number: u32) -> &[u8] {
        let number = number as usize;
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.bytes[start..self.ends[number]]
    }

    /// Returns the numbers in the order of their keys, which must be distinct.
    ///
    /// A multikey quicksort: a group of keys is sorted by the eight bytes after what all of them share,
    /// then each group of equal ones in turn. Within a group, keys stay in the order of arrival, so
    /// that each pass walks memory forwards.
    ///
    /// # Source
    /// Bentley, Sedgewick: Fast Algorithms for Sorting and Searching Strings (1997); the windows are
    /// those of Kärkkäinen, Rantala: Engineering Radix Sort for Strings (2008).
    pub fn order(&self) -> Vec<u32> {
        let mut items: Vec<Item> = (0..self.len() as u32).map(|number| (0, number)).collect();
        // Groups that are yet to be sorted, and how many bytes their keys share at least.
        let mut groups = vec![(0..items.len(), 0usize)];
        while let Some((range, depth)) = groups.pop() {
            let group = &mut items[range.clone()];
            if group.len() <= SMALL_GROUP {
                group.sort_unstable_by(|a, b| self.get(a.1)[depth..].cmp(&self.get(b.1)[depth..]));
                continue;
            }
            let depth = depth + self.shared_by_all(group, depth);
            for (window, number) in group.iter_mut() {
                *window = window_at(self.get(*number), depth);
            }
            group.sort_unstable();
            let below = depth + WINDOW_BYTES;
            let mut start = range.start;
            for equal in group.chunk_by_mut(|a, b| a.0 == b.0) {
                // A key that ended is below those that go on, and a shorter one below a longer one.
                let ended = match equal.len() {
                    1 => 1,
                    _ => self.ended_first(equal, below),
                };
                if equal.len() - ended > 1 {
                    groups.push((start + ended..start + equal.len(), below));
                }
                start += equal.len();
            }
        }
        items.into_iter().map(|(_, number)| number).collect()
    }

    /// Returns how many bytes after `depth` all keys of a group share.
    fn shared_by_all(&self, group: &[Item], depth: usize) -> usize {
        let first = &self.get(group[0].1)[depth..];
        let mut shared = first.len();
        for (_, number) in group {
            let key = &self.get(*number)[depth..];
            shared = shared_len(&first[..shared], key);
        }
        shared
    }

    /// Moves the keys of no more than `len` bytes to the front, sorted; returns how many there are.
    fn ended_first(&self, group: &mut [Item], len: usize) -> usize {
        let ended = group.iter().filter(|(_, number)| self.get(*number).len() <= len).count();
        if ended > 0 {
            group.sort_by_key(|(_, number)| self.get(*number).len().min(len + 1));
        }
        ended
    }
}

/// Returns how many bytes two keys begin with alike.
pub fn shared_len(a: &[u8], b: &[u8]) -> usize {
    let words = a.chunks_exact(8).zip(b.chunks_exact(8));
    let alike = words.take_while(|(a, b)| a == b).count() * 8;
    alike + a[alike..].iter().zip(&b[alike..]).take_while(|(a, b)| a == b).count()
}

fn window_at(key: &[u8], depth: usize) -> u64 {
    let rest = &key[depth..];
    match rest.first_chunk::<WINDOW_BYTES>() {
        Some(bytes) => u64::from_be_bytes(*bytes),
        None => {
            let mut bytes = [0; WINDOW_BYTES];
            bytes[..rest.len()].copy_from_slice(rest);
            u64::from_be_bytes(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_two_keys_share_is_counted(start in "[ab]{0,20}", ends in ["[ab]{0,9}", "[ab]{0,9}"]) {
            let [a, b] = ends.map(|end| format!("{start}{end}").into_bytes());
            let expected = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
            prop_assert_eq!(shared_len(&a, &b), expected);
        }

        #[test]
        fn keys_are_sorted(texts in proptest::collection::btree_set("[ab]{0,3}[\\x00a]{0,12}b{0,3}", 0..200), turn: usize) {
            let mut texts: Vec<String> = texts.into_iter().collect();
            let middle = turn % texts.len().max(1);
            texts.rotate_left(middle);
            let mut keys = Keys::default();
            texts.iter().for_each(|text| keys.push(text.as_bytes()));
            let sorted: Vec<&[u8]> = keys.order().into_iter().map(|number| keys.get(number)).collect();
            texts.sort_unstable();
            prop_assert_eq!(sorted, texts.iter().map(|text| text.as_bytes()).collect::<Vec<_>>());
        }
    }
}
