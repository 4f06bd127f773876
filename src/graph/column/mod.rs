//! Columns of up to a few thousand ids, each in the coding that takes the fewest bytes.
//!
//! The choice goes by exact size, the lower code winning a tie, so equal columns are equal bytes.
//! Byte layouts are drawn in `docs/block_format.md`.
#![deny(clippy::indexing_slicing)]

mod decimals;
mod encode;
mod read;
mod shape;

pub use read::Column;

use super::cursor::{Cursor, Malformed};

/// No column has more values.
pub const COLUMN_VALUES_MAX: usize = 1024;

const CONSTANT: u8 = 0;
const FRAME_OF_REFERENCE: u8 = 1;
const DELTA: u8 = 2;
const RUN_LENGTH: u8 = 3;
const DICTIONARY: u8 = 4;
const TAG_SPLIT: u8 = 5;
const SAWTOOTH: u8 = 6;
const DECIMAL: u8 = 7;

const TAG_SHIFT: u32 = 60;
const PAYLOAD_MASK: u64 = (1 << TAG_SHIFT) - 1;

/// How deep a column stands in others, which bounds the codings that it may use: at the top all, in
/// a tag-split all but that, in a decimal neither, below only those without columns of their own.
const DEPTH_SPLIT: u8 = 1;
const DEPTH_DECIMAL: u8 = 2;
const DEPTH_FLAT: u8 = 3;

/// Appends a column.
///
/// # Panics
/// If there are more than [`COLUMN_VALUES_MAX`] values.
pub fn encode_column(out: &mut Vec<u8>, values: &[u64]) {
    assert!(values.len() <= COLUMN_VALUES_MAX);
    encode::encode(out, values, 0);
}

/// Appends to `out` a column of `count` values.
pub fn decode_column(cursor: &mut Cursor<'_>, count: usize, out: &mut Vec<u64>) -> Result<(), Malformed> {
    Column::parse(cursor, count)?.append(0..count, out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TermId;
    use proptest::prelude::*;

    fn encoded(values: &[u64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode_column(&mut bytes, values);
        bytes
    }

    fn check(values: &[u64], code: u8, len_max: usize) {
        let bytes = encoded(values);
        assert_eq!(bytes[0], code, "{} bytes", bytes.len());
        assert!(bytes.len() <= len_max, "{} bytes", bytes.len());
        let mut cursor = Cursor::new(&bytes);
        let mut decoded = Vec::new();
        decode_column(&mut cursor, values.len(), &mut decoded).unwrap();
        assert_eq!((decoded.as_slice(), cursor.end()), (values, Ok(())));
        let mut cursor = Cursor::new(&bytes);
        Column::skip(&mut cursor, values.len()).unwrap();
        assert_eq!(cursor.end(), Ok(()));
    }

    #[test]
    fn each_shape_gets_its_coding() {
        let each = |value: fn(u64) -> u64| (0..1024).map(value).collect::<Vec<u64>>();
        check(&each(|_| u64::MAX), CONSTANT, 9);
        check(&each(|n| (n * 2_654_435_761) & 0xFFFF), FRAME_OF_REFERENCE, 2058);
        check(&each(|n| n * 1000 + n % 7), DELTA, 1300);
        check(&each(|n| (n / 100) << 40), RUN_LENGTH, 100);
        check(&each(|n| (n / 300) + (n % 300) * 1000 + n % 7), SAWTOOTH, 1500);
        check(&each(|n| ((n * 2_654_435_761) >> 7 & 3) << 40), DICTIONARY, 300);
        let number = |n: u64| (8 << 60) + (1 << 59) + n * 977 % 4096;
        let mixed = |n: u64| if n.is_multiple_of(3) { (2 << 60) + n * n } else { number(n) };
        check(&(0..1024).map(mixed).collect::<Vec<u64>>(), TAG_SPLIT, 2200);
        let weight = |n: u64| TermId::from_f64((n * 7919 % 10_000) as f64 / 1e4).unwrap().to_bits();
        check(&each(weight), DECIMAL, 14 + 1024 * 14 / 8);
        let sorted = |n: u64| TermId::from_f64(((n / 3) as f64 - 100.0) / 1e2).unwrap().to_bits();
        check(&each(sorted), DECIMAL, 14 + 1024 / 8);
        check(&[1 << 60], CONSTANT, 9);
    }

    fn columns() -> impl Strategy<Value = Vec<u64>> {
        let value = prop_oneof![
            0u64..4,
            1000u64..2000,
            any::<u64>(),
            (0u64..13, 0u64..500).prop_map(|(tag, payload)| tag << 60 | payload),
            (-500i32..500, 0i32..4).prop_filter_map("it is inline", |(mantissa, scale)| {
                TermId::from_f64(f64::from(mantissa) / 10f64.powi(scale)).map(TermId::to_bits)
            }),
        ];
        let even = (any::<u64>(), 0u64..3, 1u64..300)
            .prop_map(|(first, step, count)| (0..count).map(|n| first.wrapping_add(n * step)).collect());
        let values = prop_oneof![proptest::collection::vec(value, 1..300), even];
        (values, any::<bool>(), 1usize..4).prop_map(|(mut values, sorted, repeat)| {
            if sorted {
                values.sort_unstable();
            }
            values.into_iter().flat_map(|value| std::iter::repeat_n(value, repeat)).collect()
        })
    }

    proptest! {
        #[test]
        fn columns_read_back(values in columns()) {
            let bytes = encoded(&values);
            let mut decoded = Vec::new();
            let mut cursor = Cursor::new(&bytes);
            decode_column(&mut cursor, values.len(), &mut decoded).unwrap();
            prop_assert_eq!(decoded, values);
            prop_assert_eq!(cursor.end(), Ok(()));
        }

        #[test]
        fn parts_of_columns_read_back(values in columns(), part: [prop::sample::Index; 2], of: prop::sample::Index) {
            let bytes = encoded(&values);
            let column = Column::parse(&mut Cursor::new(&bytes), values.len()).unwrap().into_owned();
            let [a, b] = part.map(|place| place.index(values.len() + 1));
            let rows = a.min(b)..a.max(b);
            let mut some = Vec::new();
            column.append(rows.clone(), &mut some).unwrap();
            prop_assert_eq!(&some, &values[rows.clone()]);
            let mut all = Vec::new();
            column.append_ranges(&[0..a.min(b), a.min(b)..a.min(b), rows.clone(), a.max(b)..values.len()], &mut all).unwrap();
            prop_assert_eq!(&all, &values);
            if values.is_sorted() {
                let value = *of.get(&values);
                for (low, high) in [(value, value), (value, value.saturating_add(3)), (value.saturating_sub(3), value), (0, u64::MAX)] {
                    let start = some.partition_point(|value| *value < low);
                    let end = some.partition_point(|value| *value <= high).max(start);
                    let found = column.within(rows.clone(), low, high).unwrap();
                    prop_assert_eq!(found, rows.start + start..rows.start + end);
                }
            }
        }

        #[test]
        fn foreign_bytes_never_panic(bytes: Vec<u8>, count in 0usize..1100) {
            let _ = decode_column(&mut Cursor::new(&bytes), count, &mut Vec::new());
        }

        #[test]
        fn changed_bytes_never_panic(values in columns(), at: prop::sample::Index, byte: u8) {
            let mut bytes = encoded(&values);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let mut decoded = Vec::new();
            if decode_column(&mut Cursor::new(&bytes), values.len(), &mut decoded).is_ok() {
                prop_assert_eq!(decoded.len(), values.len());
            }
        }
    }
}
