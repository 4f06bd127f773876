//! Bit packing: values of one width, lowest bit first, back to back over little-endian bytes.
#![deny(clippy::indexing_slicing)]

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
    let (mut word, mut filled) = (0u128, 0u32);
    for value in values {
        word |= u128::from(value) << filled;
        filled += u32::from(width);
        if filled >= 64 {
            out.extend_from_slice(&(word as u64).to_le_bytes());
            word >>= 64;
            filled -= 64;
        }
    }
    let tail = (word as u64).to_le_bytes();
    out.extend(tail.iter().take(filled.div_ceil(8) as usize));
}

/// Appends to `out` the `count` values of `width` bits that `bytes` holds, `base` added to each
/// (wrapping).
pub fn unpack(bytes: &[u8], count: usize, width: u8, base: u64, out: &mut Vec<u64>) -> Result<(), Malformed> {
    if width > 64 || bytes.len() < packed_len(count, width) {
        return Err(Malformed("packed values end too early"));
    }
    out.reserve(count);
    if width == 0 {
        out.resize(out.len() + count, base);
        return Ok(());
    }
    let mask = u64::MAX >> (64 - width);
    let step = usize::from(width);
    // As far as eight bytes hold a value and are there, which is nearly all of the way.
    let near = match width <= 57 && bytes.len() >= 8 {
        true => count.min((bytes.len() - 8) * 8 / step + 1),
        false => 0,
    };
    out.extend((0..near).map(|index| {
        let bit = index * step;
        let word = bytes.get(bit >> 3..).and_then(|ahead| ahead.first_chunk::<8>());
        let value = u64::from_le_bytes(word.copied().unwrap_or_default()) >> (bit & 7);
        base.wrapping_add(value & mask)
    }));
    let mut bit = near * step;
    for _ in near..count {
        let ahead = bytes.get(bit >> 3..).unwrap_or_default();
        let shift = (bit & 7) as u32;
        let value = match ahead.first_chunk::<8>() {
            Some(word) if u32::from(width) + shift <= 64 => u64::from_le_bytes(*word) >> shift,
            _ => (near_end(ahead) >> shift) as u64,
        };
        out.push(base.wrapping_add(value & mask));
        bit += step;
    }
    Ok(())
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
        fn values_of_every_width_read_back(values: Vec<u64>, width in 0u8..=64, base: u64) {
            let cut = |value: &u64| if width == 0 { 0 } else { value >> (64 - width) };
            let values: Vec<u64> = values.iter().map(cut).collect();
            let mut packed = Vec::new();
            pack(&mut packed, values.iter().copied(), width);
            prop_assert_eq!(packed.len(), packed_len(values.len(), width));
            let mut unpacked = Vec::new();
            unpack(&packed, values.len(), width, base, &mut unpacked).unwrap();
            let expected: Vec<u64> = values.iter().map(|value| value.wrapping_add(base)).collect();
            prop_assert_eq!(unpacked, expected);
        }

        #[test]
        fn foreign_bytes_never_panic(bytes: Vec<u8>, count in 0usize..2000, width: u8) {
            let _ = unpack(&bytes, count, width, 0, &mut Vec::new());
        }
    }
}
