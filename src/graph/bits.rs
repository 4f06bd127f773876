//! Bit packing: values of one width, lowest bit first, back to back over little-endian bytes.
#![deny(clippy::indexing_slicing)]

use std::borrow::Cow;
use std::ops::Range;

use super::cursor::Malformed;

/// Returns how many bits `value` needs; 0 for 0.
pub fn width_of(value: u64) -> u8 {
    (64 - value.leading_zeros()) as u8
}

/// Returns how many bytes `count` values of `width` bits take.
pub fn packed_len(count: usize, width: u8) -> usize {
    (count * usize::from(width)).div_ceil(8)
}

/// Appends the values, each below 2^`width`.
pub fn pack(out: &mut Vec<u8>, values: impl Iterator<Item = u64>, width: u8) {
    if width == 0 {
        return;
    }
    out.reserve(packed_len(values.size_hint().0, width));
    let (mut word, mut filled) = (0u64, 0u32);
    for value in values {
        word |= value << filled;
        filled += u32::from(width);
        if filled >= 64 {
            out.extend_from_slice(&word.to_le_bytes());
            filled -= 64;
            // What of the value did not fit; all of it did if nothing is left.
            word = if filled == 0 { 0 } else { value >> (u32::from(width) - filled) };
        }
    }
    out.extend(word.to_le_bytes().iter().take(filled.div_ceil(8) as usize));
}

/// Packed values that are known to be all there, a base added to each (wrapping).
#[derive(Clone)]
pub struct Packed<'a> {
    bytes: Cow<'a, [u8]>,
    len: usize,
    width: u8,
    base: u64,
}

impl<'a> Packed<'a> {
    /// Takes `bytes` for `len` values of `width` bits.
    pub fn new(bytes: &'a [u8], len: usize, width: u8, base: u64) -> Result<Packed<'a>, Malformed> {
        if width > 64 || bytes.len() < packed_len(len, width) {
            return Err(Malformed("packed values end too early"));
        }
        Ok(Packed { bytes: Cow::Borrowed(bytes), len, width, base })
    }

    /// Returns what all values are, if their bits are all alike: none of them set, or, of one bit each, all.
    pub fn uniform(&self) -> Option<u64> {
        let (whole, rest) = self.bytes.split_at_checked(self.len / 8)?;
        let rest_mask = (1u8 << (self.len % 8)) - 1;
        let ends = || rest.first().copied().unwrap_or_default() & rest_mask == rest_mask;
        match self.width {
            0 => Some(self.base),
            1 if whole.iter().all(|byte| *byte == u8::MAX) && ends() => Some(self.base.wrapping_add(1)),
            _ => None,
        }
    }

    /// Returns how many bytes the values take.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub fn into_owned(self) -> Packed<'static> {
        Packed { bytes: Cow::Owned(self.bytes.into_owned()), ..self }
    }

    /// Appends the values of `items` to `out`; there are none past the last.
    pub fn append(&self, items: Range<usize>, out: &mut Vec<u64>) {
        let (start, end) = (items.start.min(self.len), items.end.min(self.len));
        if end == start + 1 {
            out.push(self.get(start));
            return;
        }
        if self.width == 0 {
            out.resize(out.len() + end.saturating_sub(start), self.base);
            return;
        }
        let (bytes, base) = (&*self.bytes, self.base);
        let mask = u64::MAX >> (64 - self.width);
        let step = usize::from(self.width);
        // As far as eight bytes hold a value and are there, which is nearly all of the way.
        let near = match self.width <= 57 && bytes.len() >= 8 {
            true => ((bytes.len() - 8) * 8 / step + 1).min(end),
            false => start,
        };
        out.extend((start..near).map(|index| {
            let bit = index * step;
            let word = bytes.get(bit >> 3..).and_then(|ahead| ahead.first_chunk::<8>());
            let value = u64::from_le_bytes(word.copied().unwrap_or_default()) >> (bit & 7);
            base.wrapping_add(value & mask)
        }));
        if self.width > 57 {
            out.extend((near.max(start)..end).map(|index| self.get(index)));
            return;
        }
        // What is left begins within the last eight bytes.
        let first = bytes.len().saturating_sub(8);
        let last = near_end(bytes.get(first..).unwrap_or_default()) as u64;
        out.extend(
            (near.max(start)..end).map(|index| base.wrapping_add(last >> (index * step - first * 8) & mask)),
        );
    }

    /// Returns one value; past the last it is of no meaning.
    pub fn get(&self, index: usize) -> u64 {
        let Some(unused) = 64u32.checked_sub(u32::from(self.width)).filter(|unused| *unused < 64) else {
            return self.base;
        };
        let bit = index * usize::from(self.width);
        let ahead = self.bytes.get(bit >> 3..).unwrap_or_default();
        let shift = (bit & 7) as u32;
        let value = match ahead.first_chunk::<8>() {
            Some(word) if shift <= unused => u64::from_le_bytes(*word) >> shift,
            _ => (near_end(ahead) >> shift) as u64,
        };
        self.base.wrapping_add(value & u64::MAX >> unused)
    }
}

/// Reads up to sixteen bytes as one word, as if zeros followed.
fn near_end(bytes: &[u8]) -> u128 {
    let mut word = [0; 16];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = *from;
    }
    u128::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_of_every_width_read_back(values: Vec<u64>, width in 0u8..=64, base: u64, part: [prop::sample::Index; 2]) {
            let cut = |value: &u64| if width == 0 { 0 } else { value >> (64 - width) };
            let values: Vec<u64> = values.iter().map(cut).collect();
            let mut bytes = Vec::new();
            pack(&mut bytes, values.iter().copied(), width);
            prop_assert_eq!(bytes.len(), packed_len(values.len(), width));
            let packed = Packed::new(&bytes, values.len(), width, base).unwrap();
            let expected: Vec<u64> = values.iter().map(|value| value.wrapping_add(base)).collect();
            let each: Vec<u64> = (0..values.len()).map(|index| packed.get(index)).collect();
            prop_assert_eq!(&each, &expected);
            let [start, end] = part.map(|place| place.index(values.len() + 1));
            let mut some = Vec::new();
            packed.append(start..end, &mut some);
            prop_assert_eq!(some, expected.get(start..end).unwrap_or_default());
        }

        #[test]
        fn foreign_bytes_never_panic(bytes: Vec<u8>, count in 0usize..2000, width: u8) {
            if let Ok(packed) = Packed::new(&bytes, count, width, 0) {
                packed.append(0..count + 1, &mut Vec::new());
                packed.get(count);
            }
        }
    }
}
