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
    /// The bits of all steps to a next value that is no less.
    rise_bits: u64,
    falls: usize,
    runs: usize,
}

impl Shape {
    fn of(values: &[u64]) -> Shape {
        let first = values.first().copied().unwrap_or_default();
        let mut shape = Shape { first, min: first, max: first, rise_bits: 0, falls: 0, runs: 1 };
        for (value, next) in values.iter().zip(values.iter().skip(1)) {
            let falls = next < value;
            shape.min = shape.min.min(*next);
            shape.max = shape.max.max(*next);
            shape.rise_bits |= if falls { 0 } else { next.wrapping_sub(*value) };
            shape.falls += usize::from(falls);
            shape.runs += usize::from(next != value);
        }
        shape
    }

    /// Returns the width of the largest step up.
    fn step_width(&self) -> u8 {
        width_of(self.rise_bits)
    }

    /// Returns the width of steps with which a sawtooth takes about the fewest bits, and how many teeth it then has.
    fn teeth(&self, values: &[u64]) -> (u8, usize) {
        let count = values.len();
        let tooth_bits = usize::from(width_of(self.max - self.min)) + TOOTH_LENGTH_BITS;
        let mut teeth = count;
        let mut best = (usize::MAX, 0, count);
        for (width, steps) in (0u8..).zip(steps_of_widths(values)) {
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
        let firsts = (!never_falls).then(|| Firsts::of(values));
        let distinct = firsts.as_ref().map_or(shape.runs, |firsts| firsts.distinct.len());
        let indices = packed_len(values.len(), width_of(distinct as u64 - 1));
        best.offer(3 + shape.flat_min(distinct, true) + indices, |out| {
            dictionary(out, values, firsts.unwrap_or_else(|| Firsts::of(values)));
        });
        let (width, teeth) = shape.teeth(values);
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

/// Returns how many steps up there are of each width, none included.
fn steps_of_widths(values: &[u64]) -> [usize; 65] {
    // Two counts by turns: steps are mostly of one width, and a count would wait for the one before.
    let mut counts = [[0; 65]; 2];
    let mut count = |turn: usize, value: u64, next: u64| {
        let width = next.checked_sub(value).map(|step| usize::from(width_of(step)));
        let counts = counts.get_mut(turn);
        if let Some(count) = width.zip(counts).and_then(|(width, counts)| counts.get_mut(width)) {
            *count += 1;
        }
    };
    for (place, (value, next)) in values.iter().zip(values.iter().skip(1)).enumerate() {
        count(place % 2, *value, *next);
    }
    let [mut sums, others] = counts;
    sums.iter_mut().zip(others).for_each(|(sum, other)| *sum += other);
    sums
}

/// Where the values of a column stand first.
struct Firsts {
    /// For each value, the place of the first that is equal.
    of_each: Vec<u16>,
    /// The place of the first of each distinct value, ascending.
    distinct: Vec<u16>,
}

impl Firsts {
    /// By hashing: sorting would cost many times as much.
    fn of(values: &[u64]) -> Firsts {
        const SLOT_BITS: u32 = 11;
        const SLOTS: usize = 1 << SLOT_BITS;
        const { assert!(COLUMN_VALUES_MAX * 2 <= SLOTS && COLUMN_VALUES_MAX < u16::MAX as usize) };
        // Of each distinct value the place of the first, from 1 on.
        let mut slots = [0u16; SLOTS];
        let mut firsts =
            Firsts { of_each: Vec::with_capacity(values.len()), distinct: Vec::with_capacity(values.len()) };
        for (place, value) in (0u16..).zip(values) {
            let mut slot = (value.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - SLOT_BITS)) as usize;
            while let Some(taken) = slots.get_mut(slot) {
                if *taken == 0 {
                    *taken = place + 1;
                    firsts.distinct.push(place);
                }
                let first = *taken - 1;
                if values.get(usize::from(first)) == Some(value) {
                    firsts.of_each.push(first);
                    break;
                }
                slot = (slot + 1) % SLOTS;
            }
        }
        firsts
    }
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
        let mut bytes = Vec::with_capacity(self.len);
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

fn dictionary(out: &mut Vec<u8>, values: &[u64], firsts: Firsts) {
    let value_at = |place: u16| values.get(usize::from(place)).copied().unwrap_or_default();
    let mut distinct: Vec<(u64, u16)> =
        firsts.distinct.iter().map(|place| (value_at(*place), *place)).collect();
    distinct.sort_unstable_by_key(|(value, _)| *value);
    // By the place of the first value that is equal.
    let mut ranks = vec![0u64; values.len()];
    for (rank, (_, place)) in (0..).zip(&distinct) {
        if let Some(to) = ranks.get_mut(usize::from(*place)) {
            *to = rank;
        }
    }
    out.push(DICTIONARY);
    put_u16(out, distinct.len() as u16);
    let width = width_of(distinct.len() as u64 - 1);
    let distinct: Vec<u64> = distinct.into_iter().map(|(value, _)| value).collect();
    encode(out, &distinct, DEPTH_FLAT);
    let rank = |place: &u16| ranks.get(usize::from(*place)).copied().unwrap_or_default();
    pack(out, firsts.of_each.iter().map(rank), width);
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
