//! The choice of a coding, and the encoders.
#![deny(clippy::indexing_slicing)]

use super::decimals::Decimals;
use super::{
    COLUMN_VALUES_MAX, CONSTANT, DELTA, DEPTH_DECIMAL, DEPTH_FLAT, DEPTH_SPLIT, DICTIONARY,
    FRAME_OF_REFERENCE, PAYLOAD_MASK, RUN_LENGTH, SAWTOOTH, TAG_SHIFT, TAG_SPLIT,
};
use crate::graph::bits::{pack, packed_len, width_of};
use crate::graph::cursor::{put_u16, put_u64};

/// What the length of a tooth is taken to need where the width of steps is chosen.
const TOOTH_LENGTH_BITS: usize = 8;

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

pub(super) fn encode(out: &mut Vec<u8>, values: &[u64], depth: u8) {
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
