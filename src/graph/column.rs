//! Columns of up to a few thousand ids, each in the coding that takes the fewest bytes.
//!
//! The choice goes by exact size, the lower code winning a tie, so equal columns are equal bytes.
//! Byte layouts are drawn in `docs/block_format.md`.
#![deny(clippy::indexing_slicing)]

use super::bits::{pack, packed_len, unpack, width_of};
use super::cursor::{Cursor, Malformed, put_u16, put_u64};
use crate::model::TermKind;
use crate::model::inline_double::{self, DECIMAL_SCALE_MAX};

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

/// What the length of a tooth is taken to need where the width of steps is chosen.
const TOOTH_LENGTH_BITS: usize = 8;

/// How deep a column stands in others, which bounds the codings that it may use: at the top all, in
/// a tag-split all but that, in a decimal neither, below only those without columns of their own.
const DEPTH_SPLIT: u8 = 1;
const DEPTH_DECIMAL: u8 = 2;
const DEPTH_FLAT: u8 = 3;

/// What is added to the mantissas of decimals, so that none is negative.
const MANTISSA_BIAS: i64 = 1 << 53;

/// Appends a column.
///
/// # Panics
/// If there are more than [`COLUMN_VALUES_MAX`] values.
pub fn encode_column(out: &mut Vec<u8>, values: &[u64]) {
    assert!(values.len() <= COLUMN_VALUES_MAX);
    encode(out, values, 0);
}

/// Appends to `out` a column of `count` values.
pub fn decode_column(cursor: &mut Cursor<'_>, count: usize, out: &mut Vec<u64>) -> Result<(), Malformed> {
    if count > COLUMN_VALUES_MAX {
        return Err(Malformed("a column is too long"));
    }
    decode(cursor, count, 0, out)
}

/// Passes over a column of `count` values.
pub fn skip_column(cursor: &mut Cursor<'_>, count: usize) -> Result<(), Malformed> {
    skip(cursor, count, 0)
}

/// What the flat codings need to know of a column.
struct Shape {
    first: u64,
    min: u64,
    max: u64,
    /// How many steps to the next value there are of each width, and how many that fall.
    steps: [usize; 65],
    falls: usize,
    runs: usize,
}

impl Shape {
    fn of(values: &[u64]) -> Shape {
        let first = values.first().copied().unwrap_or_default();
        let mut shape = Shape { first, min: first, max: first, steps: [0; 65], falls: 0, runs: 1 };
        let mut previous = first;
        for value in values.iter().skip(1) {
            shape.min = shape.min.min(*value);
            shape.max = shape.max.max(*value);
            shape.runs += usize::from(*value != previous);
            let of_width = value.checked_sub(previous).map(|step| usize::from(width_of(step)));
            match of_width.and_then(|width| shape.steps.get_mut(width)) {
                Some(count) => *count += 1,
                None => shape.falls += 1,
            }
            previous = *value;
        }
        shape
    }

    /// Returns the width of the largest step up.
    fn step_width(&self) -> u8 {
        self.steps.iter().rposition(|count| *count > 0).unwrap_or_default() as u8
    }

    /// Returns the width of steps with which a sawtooth takes about the fewest bits, and how many teeth it then has.
    fn teeth(&self, count: usize) -> (u8, usize) {
        let tooth_bits = usize::from(width_of(self.max - self.min)) + TOOTH_LENGTH_BITS;
        let mut teeth = count;
        let mut best = (usize::MAX, 0, count);
        for (width, steps) in (0u8..).zip(&self.steps) {
            teeth -= steps;
            let bits = (count - teeth) * usize::from(width) + teeth * tooth_bits;
            if bits < best.0 {
                best = (bits, width, teeth);
            }
        }
        (best.1, best.2)
    }

    /// Returns the fewest bytes that a flat column of `count` values from the least to the greatest can take: of
    /// sorted ones the widest step is no narrower than the mean.
    fn flat_min(&self, count: usize, is_sorted: bool) -> usize {
        let steps = count.saturating_sub(1);
        let widest = (self.max - self.min) / if is_sorted { (steps as u64).max(1) } else { 1 };
        10 + packed_len(steps, width_of(widest))
    }

    /// Returns the flat coding of the fewest bytes, and how many those are.
    fn flat(&self, count: usize) -> (u8, usize) {
        if self.min == self.max {
            return (CONSTANT, 9);
        }
        let frame = 10 + packed_len(count, width_of(self.max - self.min));
        let delta = 10 + packed_len(count - 1, self.step_width());
        if self.falls == 0 && delta < frame { (DELTA, delta) } else { (FRAME_OF_REFERENCE, frame) }
    }
}

fn encode(out: &mut Vec<u8>, values: &[u64], depth: u8) {
    let shape = Shape::of(values);
    let (code, fewest) = shape.flat(values.len());
    let mut best = Best { len: fewest, bytes: None };
    if code != CONSTANT && depth < DEPTH_FLAT {
        // The first argument is the least that a coding can take: most need not be tried.
        let never_falls = shape.falls == 0;
        best.offer(12 + shape.flat_min(shape.runs, never_falls), |out| run_length(out, values));
        let distinct = if never_falls { shape.runs } else { distinct_count(values) };
        let indices = packed_len(values.len(), width_of(distinct as u64 - 1));
        best.offer(3 + shape.flat_min(distinct, true) + indices, |out| dictionary(out, values));
        let (width, teeth) = shape.teeth(values.len());
        let steps = packed_len(values.len() - teeth, width);
        best.offer(22 + steps + packed_len(teeth, 1), |out| sawtooth(out, values, width));
        if depth < DEPTH_SPLIT && shape.min >> TAG_SHIFT != shape.max >> TAG_SHIFT {
            best.offer(0, |out| tag_split(out, values));
        }
        if depth < DEPTH_DECIMAL
            && let Some(decimals) = Decimals::of(values)
        {
            best.offer(0, |out| decimals.encode(out));
        }
    }
    match best.bytes {
        Some(bytes) => out.extend_from_slice(&bytes),
        None => flat(out, values, &shape, code),
    }
}

/// Returns how many distinct values there are; sorting them to find out would cost many times as much.
fn distinct_count(values: &[u64]) -> usize {
    const SLOT_BITS: u32 = 11;
    const { assert!(COLUMN_VALUES_MAX * 2 <= 1 << SLOT_BITS && COLUMN_VALUES_MAX < u16::MAX as usize) };
    // Of each distinct value the place of the first, from 1 on.
    let mut places = [0u16; 1 << SLOT_BITS];
    let mut count = 0;
    for (place, value) in (1u16..).zip(values) {
        let home = value.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - SLOT_BITS);
        let slots = (home as usize..1 << SLOT_BITS).chain(0..home as usize);
        for slot in slots {
            let Some(first) = places.get_mut(slot) else { break };
            if *first == 0 {
                *first = place;
                count += 1;
                break;
            }
            if values.get(usize::from(*first) - 1) == Some(value) {
                break;
            }
        }
    }
    count
}

/// The shortest coding so far; `None` stands for the flat one.
struct Best {
    len: usize,
    bytes: Option<Vec<u8>>,
}

impl Best {
    fn offer(&mut self, len_min: usize, encode: impl FnOnce(&mut Vec<u8>)) {
        if len_min >= self.len {
            return;
        }
        let mut bytes = Vec::new();
        encode(&mut bytes);
        if bytes.len() < self.len {
            *self = Best { len: bytes.len(), bytes: Some(bytes) };
        }
    }
}

fn flat(out: &mut Vec<u8>, values: &[u64], shape: &Shape, code: u8) {
    out.push(code);
    match code {
        CONSTANT => put_u64(out, shape.first),
        DELTA => {
            let width = shape.step_width();
            put_u64(out, shape.first);
            out.push(width);
            pack(out, values.iter().skip(1).zip(values).map(|(next, value)| next - value), width);
        }
        _ => {
            let width = width_of(shape.max - shape.min);
            put_u64(out, shape.min);
            out.push(width);
            pack(out, values.iter().map(|value| value - shape.min), width);
        }
    }
}

fn run_length(out: &mut Vec<u8>, values: &[u64]) {
    let (mut heads, mut lengths) = (Vec::new(), Vec::new());
    for run in values.chunk_by(|a, b| a == b) {
        heads.extend(run.first());
        lengths.push(run.len() as u64 - 1);
    }
    out.push(RUN_LENGTH);
    put_u16(out, heads.len() as u16);
    encode(out, &heads, DEPTH_FLAT);
    encode(out, &lengths, DEPTH_FLAT);
}

fn dictionary(out: &mut Vec<u8>, values: &[u64]) {
    let mut distinct = values.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    out.push(DICTIONARY);
    put_u16(out, distinct.len() as u16);
    encode(out, &distinct, DEPTH_FLAT);
    let indices = values.iter().map(|value| distinct.partition_point(|other| other < value) as u64);
    pack(out, indices, width_of(distinct.len() as u64 - 1));
}

/// Sorted lists one after another, such as the subjects of each object: where each begins, and steps within them. A
/// step that is too wide begins a tooth as well.
fn sawtooth(out: &mut Vec<u8>, values: &[u64], width: u8) {
    let (mut firsts, mut lengths, mut steps) = (Vec::new(), Vec::new(), Vec::with_capacity(values.len()));
    let is_step = |a: &u64, b: &u64| b.checked_sub(*a).is_some_and(|step| width_of(step) <= width);
    for tooth in values.chunk_by(is_step) {
        firsts.extend(tooth.first());
        lengths.push(tooth.len() as u64 - 1);
        steps.extend(tooth.iter().skip(1).zip(tooth).map(|(next, value)| next - value));
    }
    out.push(SAWTOOTH);
    put_u16(out, firsts.len() as u16);
    encode(out, &firsts, DEPTH_FLAT);
    encode(out, &lengths, DEPTH_FLAT);
    out.push(width);
    pack(out, steps.into_iter(), width);
}

/// Inline doubles in one form, as mantissas of one scale: doubles sort by value, but decimals fill their bits.
struct Decimals {
    form: Form,
    scale: u8,
    /// With [`MANTISSA_BIAS`].
    mantissas: Vec<u64>,
}

/// What the ids of doubles have besides their codes.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Form {
    /// That of inline doubles; 0 in a column of payloads.
    tag: u8,
    /// The lowest bit: whether they are written plainly.
    plain: u8,
}

impl Form {
    fn of(value: u64) -> Form {
        Form { tag: (value >> TAG_SHIFT) as u8, plain: (value & 1) as u8 }
    }

    fn put(self, code: u64) -> u64 {
        u64::from(self.tag) << TAG_SHIFT | code << 1 | u64::from(self.plain)
    }
}

impl Decimals {
    /// `None` if not all are doubles, or some need more digits than a mantissa has.
    fn of(values: &[u64]) -> Option<Decimals> {
        let form = Form::of(*values.first()?);
        if (form.tag != 0 && form.tag != TermKind::Double as u8)
            || values.iter().any(|value| Form::of(*value) != form)
        {
            return None;
        }
        let double = |value: u64| inline_double::decode((value & PAYLOAD_MASK) >> 1);
        let mut scale = 0;
        for value in values {
            (_, scale) = inline_double::to_decimal(double(*value), scale)?;
        }
        let mantissas = values.iter().map(|value| {
            let (mantissa, of_scale) = inline_double::to_decimal(double(*value), scale)?;
            let is_same =
                of_scale == scale && form.put(inline_double::class_of_decimal(mantissa, scale)) == *value;
            is_same.then_some((mantissa + MANTISSA_BIAS) as u64)
        });
        Some(Decimals { form, scale, mantissas: mantissas.collect::<Option<Vec<u64>>>()? })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend([DECIMAL, self.form.tag, self.form.plain, self.scale]);
        encode(out, &self.mantissas, DEPTH_DECIMAL);
    }
}

fn tag_split(out: &mut Vec<u8>, values: &[u64]) {
    let mut tags: Vec<u64> = values.iter().map(|value| value >> TAG_SHIFT).collect();
    tags.sort_unstable();
    tags.dedup();
    out.push(TAG_SPLIT);
    out.push(tags.len() as u8);
    out.extend(tags.iter().map(|tag| *tag as u8));
    let selectors: Vec<u64> =
        values.iter().map(|value| tags.partition_point(|tag| *tag < value >> TAG_SHIFT) as u64).collect();
    encode(out, &selectors, DEPTH_SPLIT);
    for tag in tags {
        let payloads: Vec<u64> = values
            .iter()
            .filter(|value| **value >> TAG_SHIFT == tag)
            .map(|value| value & PAYLOAD_MASK)
            .collect();
        encode(out, &payloads, DEPTH_SPLIT);
    }
}

fn decode(cursor: &mut Cursor<'_>, count: usize, depth: u8, out: &mut Vec<u64>) -> Result<(), Malformed> {
    match cursor.u8()? {
        CONSTANT => {
            let value = cursor.u64()?;
            out.resize(out.len() + count, value);
            Ok(())
        }
        FRAME_OF_REFERENCE => {
            let (min, width) = (cursor.u64()?, cursor.u8()?);
            unpack(cursor.take(packed_len(count, width))?, count, width, min, out)
        }
        DELTA => decode_delta(cursor, count, out),
        RUN_LENGTH if depth < DEPTH_FLAT => decode_run_length(cursor, count, out),
        DICTIONARY if depth < DEPTH_FLAT => decode_dictionary(cursor, count, out),
        TAG_SPLIT if depth < DEPTH_SPLIT => decode_tag_split(cursor, count, out),
        SAWTOOTH if depth < DEPTH_FLAT => decode_sawtooth(cursor, count, out),
        DECIMAL if depth < DEPTH_DECIMAL => decode_decimals(cursor, count, out),
        _ => Err(Malformed("a column is of an unknown coding")),
    }
}

/// As [`decode`], without the values: most codings tell their length at the start.
fn skip(cursor: &mut Cursor<'_>, count: usize, depth: u8) -> Result<(), Malformed> {
    match cursor.peek()? {
        CONSTANT => cursor.take(9).map(drop),
        FRAME_OF_REFERENCE | DELTA => {
            let is_delta = cursor.u8()? == DELTA;
            let (_, width) = (cursor.u64()?, cursor.u8()?);
            cursor.take(packed_len(count.saturating_sub(usize::from(is_delta)), width)).map(drop)
        }
        RUN_LENGTH if depth < DEPTH_FLAT => {
            cursor.u8()?;
            let runs = usize::from(cursor.u16()?);
            skip(cursor, runs, DEPTH_FLAT)?;
            skip(cursor, runs, DEPTH_FLAT)
        }
        DICTIONARY if depth < DEPTH_FLAT => {
            cursor.u8()?;
            let distinct = usize::from(cursor.u16()?);
            skip(cursor, distinct, DEPTH_FLAT)?;
            cursor.take(packed_len(count, width_of((distinct as u64).saturating_sub(1)))).map(drop)
        }
        SAWTOOTH if depth < DEPTH_FLAT => {
            cursor.u8()?;
            let teeth = usize::from(cursor.u16()?);
            skip(cursor, teeth, DEPTH_FLAT)?;
            skip(cursor, teeth, DEPTH_FLAT)?;
            let width = cursor.u8()?;
            cursor.take(packed_len(count.saturating_sub(teeth), width)).map(drop)
        }
        DECIMAL if depth < DEPTH_DECIMAL => {
            cursor.take(4)?;
            skip(cursor, count, DEPTH_DECIMAL)
        }
        _ => decode(cursor, count, depth, &mut Vec::with_capacity(count)),
    }
}

fn decode_delta(cursor: &mut Cursor<'_>, count: usize, out: &mut Vec<u64>) -> Result<(), Malformed> {
    let (mut value, width) = (cursor.u64()?, cursor.u8()?);
    let steps = count.checked_sub(1).ok_or(Malformed("an empty column has no first value"))?;
    out.push(value);
    let start = out.len();
    unpack(cursor.take(packed_len(steps, width))?, steps, width, 0, out)?;
    for step in out.get_mut(start..).unwrap_or_default() {
        value = value.wrapping_add(*step);
        *step = value;
    }
    Ok(())
}

fn decode_run_length(cursor: &mut Cursor<'_>, count: usize, out: &mut Vec<u64>) -> Result<(), Malformed> {
    let runs = usize::from(cursor.u16()?);
    if runs > count {
        return Err(Malformed("a column has more runs than values"));
    }
    let (mut heads, mut lengths) = (Vec::with_capacity(runs), Vec::with_capacity(runs));
    decode(cursor, runs, DEPTH_FLAT, &mut heads)?;
    decode(cursor, runs, DEPTH_FLAT, &mut lengths)?;
    let end = out.len() + count;
    for (head, length) in heads.into_iter().zip(lengths) {
        let left = (end - out.len()) as u64;
        if length >= left {
            return Err(Malformed("the runs of a column are too long"));
        }
        out.resize(out.len() + length as usize + 1, head);
    }
    if out.len() == end { Ok(()) } else { Err(Malformed("the runs of a column are too short")) }
}

fn decode_sawtooth(cursor: &mut Cursor<'_>, count: usize, out: &mut Vec<u64>) -> Result<(), Malformed> {
    let teeth = usize::from(cursor.u16()?);
    let steps = count.checked_sub(teeth).ok_or(Malformed("a column has more teeth than values"))?;
    let (mut firsts, mut lengths) = (Vec::with_capacity(teeth), Vec::with_capacity(teeth));
    decode(cursor, teeth, DEPTH_FLAT, &mut firsts)?;
    decode(cursor, teeth, DEPTH_FLAT, &mut lengths)?;
    let width = cursor.u8()?;
    let mut rises = Vec::with_capacity(steps);
    unpack(cursor.take(packed_len(steps, width))?, steps, width, 0, &mut rises)?;
    let mut rest = rises.as_slice();
    for (first, length) in firsts.into_iter().zip(lengths) {
        let tooth = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length));
        let (own, after) = tooth.ok_or(Malformed("the teeth of a column are too long"))?;
        let mut value = first;
        out.push(value);
        out.extend(own.iter().map(|step| {
            value = value.wrapping_add(*step);
            value
        }));
        rest = after;
    }
    if rest.is_empty() { Ok(()) } else { Err(Malformed("the teeth of a column are too short")) }
}

fn decode_decimals(cursor: &mut Cursor<'_>, count: usize, out: &mut Vec<u64>) -> Result<(), Malformed> {
    let form = Form { tag: cursor.u8()?, plain: cursor.u8()? };
    let scale = cursor.u8()?;
    if form.tag > 15 || form.plain > 1 || scale > DECIMAL_SCALE_MAX {
        return Err(Malformed("the decimals of a column are of an unknown form"));
    }
    let start = out.len();
    decode(cursor, count, DEPTH_DECIMAL, out)?;
    for mantissa in out.get_mut(start..).unwrap_or_default() {
        let value = (*mantissa as i64).wrapping_sub(MANTISSA_BIAS);
        *mantissa = form.put(inline_double::class_of_decimal(value, scale));
    }
    Ok(())
}

fn decode_dictionary(cursor: &mut Cursor<'_>, count: usize, out: &mut Vec<u64>) -> Result<(), Malformed> {
    let distinct = usize::from(cursor.u16()?);
    if distinct == 0 || distinct > count {
        return Err(Malformed("the dictionary of a column has a wrong size"));
    }
    let mut values = Vec::with_capacity(distinct);
    decode(cursor, distinct, DEPTH_FLAT, &mut values)?;
    let width = width_of(distinct as u64 - 1);
    let start = out.len();
    unpack(cursor.take(packed_len(count, width))?, count, width, 0, out)?;
    for index in out.get_mut(start..).unwrap_or_default() {
        let value = values.get(*index as usize);
        *index = *value.ok_or(Malformed("an index is past the dictionary of its column"))?;
    }
    Ok(())
}

fn decode_tag_split(cursor: &mut Cursor<'_>, count: usize, out: &mut Vec<u64>) -> Result<(), Malformed> {
    let tag_count = usize::from(cursor.u8()?);
    let tags = cursor.take(tag_count)?;
    if tags.iter().any(|tag| *tag > 15) || !tags.is_sorted_by(|a, b| a < b) {
        return Err(Malformed("the tags of a column are wrong"));
    }
    let mut selectors = Vec::with_capacity(count);
    decode(cursor, count, DEPTH_SPLIT, &mut selectors)?;
    let mut counts = [0usize; 16];
    for selector in &selectors {
        let known = (*selector as usize) < tag_count;
        let slot = counts.get_mut(*selector as usize).filter(|_| known);
        *slot.ok_or(Malformed("a value has a tag that its column lacks"))? += 1;
    }
    let mut streams = Vec::with_capacity(tag_count);
    for (tag, len) in tags.iter().zip(counts) {
        let mut payloads = Vec::with_capacity(len);
        decode(cursor, len, DEPTH_SPLIT, &mut payloads)?;
        streams.push((u64::from(*tag) << TAG_SHIFT, payloads.into_iter()));
    }
    for selector in selectors {
        let payload =
            streams.get_mut(selector as usize).and_then(|(tag, stream)| Some((*tag, stream.next()?)));
        let (tag, payload) = payload.ok_or(Malformed("a column has too few values of a tag"))?;
        out.push(tag | payload & PAYLOAD_MASK);
    }
    Ok(())
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
        skip_column(&mut cursor, values.len()).unwrap();
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
        let values = proptest::collection::vec(value, 1..300);
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
