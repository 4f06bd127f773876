//! What the size of a column in each coding hangs on, found without writing any.
#![deny(clippy::indexing_slicing)]

use super::{COLUMN_VALUES_MAX, CONSTANT, DELTA, FRAME_OF_REFERENCE};
use crate::graph::bits::{packed_len, width_of};

/// What the length of a tooth is taken to need where the width of steps is chosen.
const TOOTH_LENGTH_BITS: usize = 8;
/// What a constant takes.
pub(super) const CONSTANT_BYTES: usize = 9;
/// What other flat columns take besides their packed values.
const FRAME_BYTES: usize = 10;
/// What a dictionary takes besides its values and the indices.
pub(super) const DICTIONARY_BYTES: usize = 3;
/// The place of steps down among the counts of steps by width.
const DOWN: usize = 65;

/// What the flat codings hang on: how many values there are, from where to where they go and in what steps.
#[derive(Clone, Copy, Default)]
pub(super) struct Flat {
    pub count: usize,
    pub first: u64,
    pub min: u64,
    pub max: u64,
    /// The last value that was pushed.
    last: u64,
    /// At least the largest step to a next value that is no less, of the same width.
    rise_bits: u64,
    pub falls: bool,
}

impl Flat {
    pub fn of(values: impl Iterator<Item = u64>) -> Flat {
        let mut flat = Flat::default();
        values.for_each(|value| flat.push(value));
        flat
    }

    pub fn push(&mut self, value: u64) {
        if self.count == 0 {
            *self = Flat { count: 1, first: value, min: value, max: value, last: value, ..Flat::default() };
            return;
        }
        let (step, falls) = value.overflowing_sub(self.last);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.rise_bits |= if falls { 0 } else { step };
        self.falls |= falls;
        self.last = value;
        self.count += 1;
    }

    /// Returns the width of the largest step up.
    pub fn step_width(&self) -> u8 {
        width_of(self.rise_bits)
    }

    /// Returns the flat coding of the fewest bytes, and how many those are.
    pub fn coding(&self) -> (u8, usize) {
        if self.min == self.max {
            return (CONSTANT, CONSTANT_BYTES);
        }
        let frame = FRAME_BYTES + packed_len(self.count, width_of(self.max - self.min));
        let delta = FRAME_BYTES + packed_len(self.count - 1, self.step_width());
        if !self.falls && delta < frame { (DELTA, delta) } else { (FRAME_OF_REFERENCE, frame) }
    }

    pub fn len(&self) -> usize {
        self.coding().1
    }
}

/// A column's values all together, and its steps.
pub(super) struct Shape {
    pub flat: Flat,
    /// How many steps up there are of each width, none included; last, how many down.
    steps: [usize; DOWN + 1],
}

impl Shape {
    pub fn of(values: &[u64]) -> Shape {
        let mut flat = Flat::of(values.iter().take(1).copied());
        flat.count = values.len();
        // Two counts by turns: steps are mostly of one width, and a count would wait for the one before.
        let mut counts = [[0u16; DOWN + 1]; 2];
        const { assert!(COLUMN_VALUES_MAX < u16::MAX as usize) };
        for (place, (value, next)) in values.iter().zip(values.iter().skip(1)).enumerate() {
            let (step, falls) = next.overflowing_sub(*value);
            let width = if falls { DOWN } else { usize::from(width_of(step)) };
            if let Some(count) = counts.get_mut(place % 2).and_then(|counts| counts.get_mut(width)) {
                *count += 1;
            }
            flat.min = flat.min.min(*next);
            flat.max = flat.max.max(*next);
        }
        let mut steps = [0; DOWN + 1];
        let [some, others] = counts;
        steps.iter_mut().zip(some.iter().zip(others)).for_each(|(sum, (a, b))| *sum = usize::from(a + b));
        let widest = (1..DOWN).rev().find(|width| steps.get(*width).is_some_and(|count| *count > 0));
        flat.rise_bits = widest.map_or(0, |width| 1 << (width - 1));
        flat.falls = steps.last() != Some(&0);
        Shape { flat, steps }
    }

    /// Returns what the first values of all runs of equal ones are as a column.
    pub fn heads(&self) -> Flat {
        let [equal, ..] = self.steps;
        Flat { count: self.flat.count - equal, ..self.flat }
    }

    /// Returns the width of steps with which a sawtooth takes about the fewest bits, and how many teeth it then has.
    pub fn teeth(&self) -> (u8, usize) {
        let count = self.flat.count;
        let tooth_bits = usize::from(width_of(self.flat.max - self.flat.min)) + TOOTH_LENGTH_BITS;
        let mut teeth = count;
        let mut best = (usize::MAX, 0, count);
        for (width, steps) in (0u8..).zip(self.steps.iter().take(DOWN)) {
            teeth -= steps;
            let bits = (count - teeth) * usize::from(width) + teeth * tooth_bits;
            if bits < best.0 {
                best = (bits, width, teeth);
            }
        }
        (best.1, best.2)
    }

    /// Returns the fewest bytes that so many values from the least to the greatest take, sorted and distinct: the
    /// widest step is no narrower than the mean.
    pub fn spread_len(&self, distinct: usize) -> usize {
        let steps = distinct.saturating_sub(1).max(1);
        FRAME_BYTES + packed_len(steps, width_of((self.flat.max - self.flat.min) / steps as u64))
    }

    /// Returns the most distinct values with which a dictionary could take fewer bytes than `len`.
    pub fn distinct_max(&self, len: usize) -> usize {
        let count = self.flat.count;
        // Of the values in order, the widest step is no narrower than the mean.
        let step_width = width_of((self.flat.max - self.flat.min) / count as u64);
        let mut most = 1;
        for width in 0..=width_of(count as u64) {
            let others = DICTIONARY_BYTES + FRAME_BYTES + packed_len(count, width);
            let Some(spare) = len.checked_sub(others + 1) else { break };
            let fitting = match step_width {
                0 => count,
                step_width => spare * 8 / usize::from(step_width) + 1,
            };
            most = most.max(fitting.min(1 << width));
        }
        most.min(count)
    }
}
