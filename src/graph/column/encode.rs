//! The choice of a coding, and the encoders.
#![deny(clippy::indexing_slicing)]

use super::decimals::Decimals;
use super::shape::{CONSTANT_BYTES, DICTIONARY_BYTES, Flat, Shape};
use super::{
    COLUMN_VALUES_MAX, CONSTANT, DELTA, DEPTH_DECIMAL, DEPTH_FLAT, DEPTH_SPLIT, DICTIONARY, PAYLOAD_MASK,
    RUN_LENGTH, SAWTOOTH, TAG_SHIFT, TAG_SPLIT,
};
use crate::graph::bits::{pack, packed_len, width_of};
use crate::graph::cursor::{put_u16, put_u64};

/// What runs take besides their heads and lengths.
const RUNS_BYTES: usize = 3;
/// What a sawtooth takes besides its firsts, its lengths and its packed steps.
const TEETH_BYTES: usize = 4;

pub(super) fn encode(out: &mut Vec<u8>, values: &[u64], depth: u8) {
    let first = values.first().copied().unwrap_or_default();
    if values.iter().all(|value| *value == first) {
        out.push(CONSTANT);
        put_u64(out, first);
    } else if depth == DEPTH_FLAT {
        flat(out, values, &Flat::of(values.iter().copied()));
    } else {
        shortest(out, values, &Shape::of(values), depth);
    }
}

/// The shortest coding so far, of so many bytes.
struct Best {
    len: usize,
    coding: Coding,
}

enum Coding {
    Flat,
    RunLength,
    Dictionary(Distinct),
    /// With steps of this width.
    Sawtooth(u8),
    /// As they were written.
    Bytes(Vec<u8>),
}

impl Best {
    fn offer(&mut self, len: usize, coding: Coding) {
        if len < self.len {
            *self = Best { len, coding };
        }
    }

    fn offer_bytes(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = Vec::with_capacity(self.len);
        write(&mut bytes);
        self.offer(bytes.len(), Coding::Bytes(bytes));
    }
}

/// Writes values that are not all equal in the coding of the fewest bytes. Sizes are computed; of two that are
/// equal, the one of the lower code is taken, but a sawtooth before a tag split.
fn shortest(out: &mut Vec<u8>, values: &[u64], shape: &Shape, depth: u8) {
    let mut best = Best { len: shape.flat.len(), coding: Coding::Flat };
    if let Some(len) = run_length_len(values, shape, best.len) {
        best.offer(len, Coding::RunLength);
    }
    let teeth = sawtooth_len(values, shape, best.len);
    // A dictionary as short as the sawtooth comes before it.
    let len_end = teeth.map_or(best.len, |(_, len)| best.len.min(len + 1));
    if let Some((len, distinct)) = Distinct::shorter_than(len_end, values, shape) {
        best.offer(len, Coding::Dictionary(distinct));
    }
    if let Some((width, len)) = teeth {
        best.offer(len, Coding::Sawtooth(width));
    }
    if depth < DEPTH_SPLIT && shape.flat.min >> TAG_SHIFT != shape.flat.max >> TAG_SHIFT {
        best.offer_bytes(|out| tag_split(out, values));
    }
    if depth < DEPTH_DECIMAL
        && let Some(decimals) = Decimals::of(values)
    {
        best.offer_bytes(|out| decimals.encode(out));
    }
    let start = out.len();
    match best.coding {
        Coding::Flat => flat(out, values, &shape.flat),
        Coding::RunLength => run_length(out, values),
        Coding::Dictionary(distinct) => distinct.put(out),
        Coding::Sawtooth(width) => sawtooth(out, values, width),
        Coding::Bytes(bytes) => out.extend_from_slice(&bytes),
    }
    debug_assert_eq!(out.len() - start, best.len);
}

fn flat(out: &mut Vec<u8>, values: &[u64], shape: &Flat) {
    let (code, _) = shape.coding();
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

/// Where the parts of a column begin: its runs of equal values, or its teeth.
struct Parts {
    /// After the last, the end.
    starts: [u16; COLUMN_VALUES_MAX + 1],
    count: usize,
}

impl Parts {
    /// Cuts values where one and the next are not of one part. No branch hangs on that: it is hard to foresee.
    fn of(values: &[u64], is_one_part: impl Fn(u64, u64) -> bool) -> Parts {
        const { assert!(COLUMN_VALUES_MAX < u16::MAX as usize) };
        let mut parts = Parts { starts: [0; COLUMN_VALUES_MAX + 1], count: 1 };
        for (place, (value, next)) in (1..).zip(values.iter().zip(values.iter().skip(1))) {
            parts.put(place);
            parts.count += usize::from(!is_one_part(*value, *next));
        }
        parts.put(values.len() as u16);
        parts
    }

    fn put(&mut self, place: u16) {
        if let Some(start) = self.starts.get_mut(self.count) {
            *start = place;
        }
    }

    /// Returns the first value of each.
    fn firsts(&self, values: &[u64]) -> impl Iterator<Item = u64> {
        let first = |start: &u16| values.get(usize::from(*start)).copied().unwrap_or_default();
        self.starts.iter().take(self.count).map(first)
    }

    /// Returns what is written of the length of each: how many values come after its first.
    fn lengths(&self) -> impl Iterator<Item = u64> {
        let ends = self.starts.iter().skip(1).take(self.count);
        ends.zip(&self.starts).map(|(end, start)| u64::from(end - start) - 1)
    }

    /// Appends the firsts and the lengths of all as columns.
    fn put_columns(&self, out: &mut Vec<u8>, values: &[u64]) {
        put_u16(out, self.count as u16);
        encode(out, &self.firsts(values).collect::<Vec<_>>(), DEPTH_FLAT);
        encode(out, &self.lengths().collect::<Vec<_>>(), DEPTH_FLAT);
    }
}

/// Returns how many bytes the runs of equal values take; `None` if certainly no fewer than `len`.
fn run_length_len(values: &[u64], shape: &Shape, len: usize) -> Option<usize> {
    let heads = RUNS_BYTES + shape.heads().len();
    if heads + CONSTANT_BYTES >= len {
        return None;
    }
    let runs = Parts::of(values, |value, next| value == next);
    Some(heads + Flat::of(runs.lengths()).len())
}

fn run_length(out: &mut Vec<u8>, values: &[u64]) {
    out.push(RUN_LENGTH);
    Parts::of(values, |value, next| value == next).put_columns(out, values);
}

/// Returns the width of steps for a sawtooth, and how many bytes it takes; `None` if certainly no fewer than `len`.
fn sawtooth_len(values: &[u64], shape: &Shape, len: usize) -> Option<(u8, usize)> {
    let (width, count) = shape.teeth();
    let steps = TEETH_BYTES + packed_len(values.len() - count, width);
    if steps + 2 * CONSTANT_BYTES + packed_len(count, 1) >= len {
        return None;
    }
    let teeth = Parts::of(values, is_step_within(width));
    Some((width, steps + Flat::of(teeth.firsts(values)).len() + Flat::of(teeth.lengths()).len()))
}

/// Returns whether from one value to the next is a step up of at most so many bits.
fn is_step_within(width: u8) -> impl Fn(u64, u64) -> bool {
    let widest = if width == 0 { 0 } else { u64::MAX >> (64 - width) };
    move |value, next| {
        let (step, falls) = next.overflowing_sub(value);
        !falls & (step <= widest)
    }
}

/// Sorted lists one after another, such as the subjects of each object: where each begins, and steps within them. A
/// step that is too wide begins a tooth as well.
fn sawtooth(out: &mut Vec<u8>, values: &[u64], width: u8) {
    let is_within = is_step_within(width);
    out.push(SAWTOOTH);
    Parts::of(values, &is_within).put_columns(out, values);
    out.push(width);
    let steps = values.iter().skip(1).zip(values).filter(|(next, value)| is_within(**value, **next));
    let steps: Vec<u64> = steps.map(|(next, value)| next - value).collect();
    pack(out, steps.into_iter(), width);
}

/// The distinct values of a column, ascending, and which of them each value is.
struct Distinct {
    values: Vec<u64>,
    rank_of_each: Vec<u16>,
}

impl Distinct {
    /// Returns them and how many bytes a dictionary of them takes, if fewer than `len`.
    fn shorter_than(len: usize, values: &[u64], shape: &Shape) -> Option<(usize, Distinct)> {
        // Of so many distinct values, which take so many bytes.
        let dictionary_len = |distinct: usize, bytes: usize| {
            DICTIONARY_BYTES + bytes + packed_len(values.len(), index_width(distinct))
        };
        if !shape.flat.falls {
            let heads = shape.heads();
            let found = dictionary_len(heads.count, heads.len());
            return (found < len).then(|| (found, Distinct::of_runs(values)));
        }
        let firsts = Firsts::of(values, shape.distinct_max(len))?;
        let count = firsts.distinct.len();
        if dictionary_len(count, shape.spread_len(count)) >= len {
            return None;
        }
        let distinct = Distinct::of_firsts(firsts, shape);
        let found = dictionary_len(count, Flat::of(distinct.values.iter().copied()).len());
        (found < len).then_some((found, distinct))
    }

    /// Takes values that never fall.
    fn of_runs(values: &[u64]) -> Distinct {
        let mut distinct = Distinct { values: Vec::new(), rank_of_each: Vec::with_capacity(values.len()) };
        for (rank, run) in (0..).zip(values.chunk_by(|a, b| a == b)) {
            distinct.values.extend(run.first());
            distinct.rank_of_each.extend(std::iter::repeat_n(rank, run.len()));
        }
        distinct
    }

    fn of_firsts(firsts: Firsts, shape: &Shape) -> Distinct {
        let distinct = sorted(firsts.distinct, shape);
        // By the place of the first value that is equal.
        let mut ranks = vec![0; firsts.of_each.len()];
        for (rank, (_, place)) in (0..).zip(&distinct) {
            if let Some(to) = ranks.get_mut(usize::from(*place)) {
                *to = rank;
            }
        }
        let rank = |place: &u16| ranks.get(usize::from(*place)).copied().unwrap_or_default();
        Distinct {
            values: distinct.into_iter().map(|(value, _)| value).collect(),
            rank_of_each: firsts.of_each.iter().map(rank).collect(),
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.push(DICTIONARY);
        put_u16(out, self.values.len() as u16);
        encode(out, &self.values, DEPTH_FLAT);
        pack(out, self.rank_of_each.iter().map(|rank| u64::from(*rank)), index_width(self.values.len()));
    }
}

/// Sorts values and their places, by value; as single words, where both fit into one, which is quicker.
fn sorted(mut items: Vec<(u64, u16)>, shape: &Shape) -> Vec<(u64, u16)> {
    const PLACE_BITS: u32 = COLUMN_VALUES_MAX.ilog2();
    const PLACES: u64 = (1 << PLACE_BITS) - 1;
    const { assert!(COLUMN_VALUES_MAX.is_power_of_two()) };
    let Flat { min, max, .. } = shape.flat;
    if (max - min) >> (u64::BITS - PLACE_BITS) > 0 {
        items.sort_unstable_by_key(|(value, _)| *value);
        return items;
    }
    let mut words: Vec<u64> =
        items.iter().map(|(value, place)| (value - min) << PLACE_BITS | u64::from(*place)).collect();
    words.sort_unstable();
    items.clear();
    items.extend(words.iter().map(|word| ((word >> PLACE_BITS) + min, (word & PLACES) as u16)));
    items
}

fn index_width(distinct: usize) -> u8 {
    width_of(distinct as u64 - 1)
}

/// Where the values of a column stand first.
struct Firsts {
    /// For each value, the place of the first that is equal.
    of_each: Vec<u16>,
    /// Each distinct value, with the place of the first.
    distinct: Vec<(u64, u16)>,
}

impl Firsts {
    /// By hashing: sorting would cost many times as much. `None` if there are more than `distinct_max`.
    fn of(values: &[u64], distinct_max: usize) -> Option<Firsts> {
        const SLOT_BITS: u32 = 11;
        const SLOTS: usize = 1 << SLOT_BITS;
        const { assert!(COLUMN_VALUES_MAX * 2 <= SLOTS && COLUMN_VALUES_MAX < u16::MAX as usize) };
        // Of each distinct value the place of the first, from 1 on.
        let mut slots = [0u16; SLOTS];
        let mut firsts =
            Firsts { of_each: Vec::with_capacity(values.len()), distinct: Vec::with_capacity(distinct_max) };
        for (place, value) in (0u16..).zip(values) {
            let mut slot = (value.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - SLOT_BITS)) as usize;
            while let Some(taken) = slots.get_mut(slot) {
                if *taken == 0 {
                    if firsts.distinct.len() == distinct_max {
                        return None;
                    }
                    *taken = place + 1;
                    firsts.distinct.push((*value, place));
                }
                let first = *taken - 1;
                if values.get(usize::from(first)) == Some(value) {
                    firsts.of_each.push(first);
                    break;
                }
                slot = (slot + 1) % SLOTS;
            }
        }
        Some(firsts)
    }
}

fn tag_split(out: &mut Vec<u8>, values: &[u64]) {
    let tags = values.iter().fold(0u16, |tags, value| tags | 1 << (value >> TAG_SHIFT));
    out.push(TAG_SPLIT);
    out.push(tags.count_ones() as u8);
    out.extend((0..16).filter(|tag| tags >> tag & 1 == 1));
    let index_of = |value: u64| (tags & ((1 << (value >> TAG_SHIFT)) - 1)).count_ones();
    let mut selectors = Vec::with_capacity(values.len());
    let mut payloads = vec![Vec::new(); tags.count_ones() as usize];
    for value in values {
        let index = index_of(*value);
        selectors.push(u64::from(index));
        if let Some(payloads) = payloads.get_mut(index as usize) {
            payloads.push(value & PAYLOAD_MASK);
        }
    }
    encode(out, &selectors, DEPTH_SPLIT);
    payloads.iter().for_each(|payloads| encode(out, payloads, DEPTH_SPLIT));
}
