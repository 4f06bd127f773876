//! `Column`: an encoded column, of which a lookup reads a few rows.
#![deny(clippy::indexing_slicing)]

use std::ops::Range;
use std::sync::OnceLock;

use super::decimals::Scale;
use super::{
    COLUMN_VALUES_MAX, CONSTANT, DECIMAL, DELTA, DEPTH_DECIMAL, DEPTH_FLAT, DEPTH_SPLIT, DICTIONARY,
    FRAME_OF_REFERENCE, PAYLOAD_MASK, RUN_LENGTH, SAWTOOTH, TAG_SHIFT, TAG_SPLIT,
};
use crate::graph::bits::{Packed, packed_len, width_of};
use crate::graph::cursor::{Cursor, Malformed};

/// A column whose parts are known to be there. Rows are read where they stand, but for those codings that only can be
/// read from the start.
pub struct Column<'a> {
    coding: Coding<'a>,
    len: usize,
    /// All values, once somebody searched for some and the coding did not serve.
    values: OnceLock<Vec<u64>>,
}

enum Coding<'a> {
    Constant(u64),
    Frame(Packed<'a>),
    Delta {
        first: u64,
        steps: Packed<'a>,
    },
    /// Each value is so much above the one before.
    Stride {
        first: u64,
        step: u64,
    },
    /// The value of each run, and the row that each ends before.
    Runs {
        heads: Vec<u64>,
        ends: Vec<u16>,
    },
    Dictionary {
        values: Vec<u64>,
        indices: Packed<'a>,
    },
    Teeth(Teeth<'a>),
    Decimals(Scale, Box<Column<'a>>),
    Values(Vec<u64>),
}

/// Sorted lists one after another.
struct Teeth<'a> {
    firsts: Vec<u64>,
    /// The row that each tooth ends before.
    ends: Vec<u16>,
    /// From each row of a tooth to the next, of all teeth.
    steps: Packed<'a>,
}

impl<'a> Column<'a> {
    /// Reads a column of `count` values.
    pub fn parse(cursor: &mut Cursor<'a>, count: usize) -> Result<Column<'a>, Malformed> {
        if count > COLUMN_VALUES_MAX {
            return Err(Malformed("a column is too long"));
        }
        parse(cursor, count, 0)
    }

    /// Passes over a column of `count` values.
    pub fn skip(cursor: &mut Cursor<'a>, count: usize) -> Result<(), Malformed> {
        skip(cursor, count, 0)
    }

    pub fn into_owned(self) -> Column<'static> {
        let coding = match self.coding {
            Coding::Constant(value) => Coding::Constant(value),
            Coding::Frame(packed) => Coding::Frame(packed.into_owned()),
            Coding::Delta { first, steps } => Coding::Delta { first, steps: steps.into_owned() },
            Coding::Stride { first, step } => Coding::Stride { first, step },
            Coding::Runs { heads, ends } => Coding::Runs { heads, ends },
            Coding::Dictionary { values, indices } => {
                Coding::Dictionary { values, indices: indices.into_owned() }
            }
            Coding::Teeth(teeth) => Coding::Teeth(Teeth { steps: teeth.steps.into_owned(), ..teeth }),
            Coding::Decimals(scale, mantissas) => Coding::Decimals(scale, Box::new(mantissas.into_owned())),
            Coding::Values(values) => Coding::Values(values),
        };
        Column { coding, len: self.len, values: self.values }
    }

    /// Returns about how many bytes it takes, with the values that a search in it may keep.
    pub fn weight_bytes(&self) -> usize {
        let values = self.len * size_of::<u64>();
        size_of::<Column<'static>>()
            + match &self.coding {
                Coding::Constant(_) | Coding::Stride { .. } => 0,
                Coding::Frame(packed) => packed.bytes(),
                Coding::Runs { heads, .. } => heads.len() * (size_of::<u64>() + size_of::<u16>()),
                Coding::Values(_) => values,
                Coding::Delta { steps: packed, .. } | Coding::Dictionary { indices: packed, .. } => {
                    packed.bytes() + values
                }
                Coding::Teeth(teeth) => teeth.steps.bytes() + values,
                Coding::Decimals(_, mantissas) => mantissas.weight_bytes() + values,
            }
    }

    /// Returns what all rows have, if that is plain to see.
    pub fn constant(&self) -> Option<u64> {
        match self.coding {
            Coding::Constant(value) => Some(value),
            _ => None,
        }
    }

    /// Appends the values of some rows to `out`.
    pub fn append(&self, rows: Range<usize>, out: &mut Vec<u64>) -> Result<(), Malformed> {
        if let Some(values) = self.values.get() {
            out.extend_from_slice(values.get(rows).unwrap_or_default());
            return Ok(());
        }
        match &self.coding {
            Coding::Constant(value) => out.resize(out.len() + rows.len(), *value),
            Coding::Frame(packed) => packed.append(rows, out),
            Coding::Stride { first, step } => out.extend(rows.map(|row| stride(*first, *step, row))),
            Coding::Delta { .. } if rows.len() < self.len => {
                out.extend_from_slice(self.values()?.get(rows).unwrap_or_default());
            }
            Coding::Delta { first, steps } => {
                out.push(*first);
                let start = out.len();
                steps.append(0..self.len, out);
                sum(*first, out.get_mut(start..).unwrap_or_default());
            }
            Coding::Runs { heads, ends } => {
                each_run(heads, ends, rows, &mut |value, rows| out.resize(out.len() + rows, value));
            }
            Coding::Dictionary { values, indices } => {
                let start = out.len();
                indices.append(rows, out);
                for index in out.get_mut(start..).unwrap_or_default() {
                    let value = values.get(*index as usize).copied();
                    *index = value.ok_or(Malformed("an index is past the dictionary of its column"))?;
                }
            }
            Coding::Teeth(teeth) => teeth.append(rows, out),
            Coding::Decimals(scale, mantissas) => {
                let start = out.len();
                mantissas.append(rows, out)?;
                scale.apply(out.get_mut(start..).unwrap_or_default());
            }
            Coding::Values(values) => out.extend_from_slice(values.get(rows).unwrap_or_default()),
        }
        Ok(())
    }

    /// As [`Column::append`], of ascending ranges of rows, of which there may be many.
    pub fn append_ranges(&self, ranges: &[Range<usize>], out: &mut Vec<u64>) -> Result<(), Malformed> {
        match &self.coding {
            Coding::Constant(value) => {
                out.resize(out.len() + ranges.iter().map(Range::len).sum::<usize>(), *value);
            }
            Coding::Runs { heads, ends } if self.values.get().is_none() => {
                let mut run = 0;
                for range in ranges {
                    run = run_after(ends, run, range.start);
                    each_run_from(heads, ends, run, range.clone(), &mut |value, rows| {
                        out.resize(out.len() + rows, value);
                    });
                }
            }
            _ => ranges.iter().try_for_each(|range| self.append(range.clone(), out))?,
        }
        Ok(())
    }

    /// Hands the values of some rows to `visit`, with how many rows on end have each.
    pub fn runs(&self, rows: Range<usize>, visit: &mut dyn FnMut(u64, usize)) -> Result<(), Malformed> {
        match &self.coding {
            Coding::Constant(value) => visit(*value, rows.len()),
            Coding::Runs { heads, ends } => each_run(heads, ends, rows, visit),
            _ => {
                let mut values = Vec::with_capacity(rows.len());
                self.append(rows, &mut values)?;
                for run in values.chunk_by(|a, b| a == b) {
                    run.first().into_iter().for_each(|value| visit(*value, run.len()));
                }
            }
        }
        Ok(())
    }

    /// Returns which of `rows`, by which the column is sorted, have a value from `low` to `high`.
    pub fn within(&self, rows: Range<usize>, low: u64, high: u64) -> Result<Range<usize>, Malformed> {
        if low > high {
            return Ok(rows.start..rows.start);
        }
        Ok(match &self.coding {
            Coding::Constant(value) => search(rows, |_| *value, low, high),
            Coding::Stride { first, step } => search(rows, |row| stride(*first, *step, row), low, high),
            Coding::Frame(packed) => search(rows, |row| packed.get(row), low, high),
            Coding::Runs { heads, ends } => {
                let run_of = |row: usize| ends.partition_point(|end| usize::from(*end) <= row);
                let runs = run_of(rows.start)..run_of(rows.end.max(1) - 1) + 1;
                let found = search(runs, |run| at(heads, run), low, high);
                let starts = |run: usize| rows_before(ends, run).clamp(rows.start, rows.end);
                starts(found.start)..starts(found.end)
            }
            Coding::Values(values) => search(rows, |row| at(values, row), low, high),
            _ => {
                let values = self.values()?;
                search(rows, |row| at(values, row), low, high)
            }
        })
    }

    /// Returns all values, which then are kept.
    fn values(&self) -> Result<&[u64], Malformed> {
        if let Some(values) = self.values.get() {
            return Ok(values);
        }
        let mut values = Vec::with_capacity(self.len);
        self.append(0..self.len, &mut values)?;
        Ok(self.values.get_or_init(|| values))
    }
}

impl Teeth<'_> {
    fn append(&self, rows: Range<usize>, out: &mut Vec<u64>) {
        let first_tooth = self.ends.partition_point(|end| usize::from(*end) <= rows.start);
        let mut begin = rows_before(&self.ends, first_tooth);
        // A tooth has a step less than rows: so many are missing before it.
        let mut steps = Vec::with_capacity(rows.end.saturating_sub(begin));
        self.steps.append(begin - first_tooth..rows.end.saturating_sub(first_tooth), &mut steps);
        let mut rest = steps.as_mut_slice();
        for (first, end) in self.firsts.iter().zip(&self.ends).skip(first_tooth) {
            if begin >= rows.end {
                break;
            }
            let until = usize::from(*end).min(rows.end);
            let own = rest.split_off_mut(..until - begin - 1).unwrap_or_default();
            sum(*first, own);
            if begin >= rows.start {
                out.push(*first);
            }
            out.extend_from_slice(own.get(rows.start.saturating_sub(begin + 1)..).unwrap_or_default());
            begin = until;
        }
    }
}

fn stride(first: u64, step: u64, row: usize) -> u64 {
    first.wrapping_add(step.wrapping_mul(row as u64))
}

/// Turns steps into the values that they lead to from `first`.
fn sum(first: u64, steps: &mut [u64]) {
    let mut value = first;
    for step in steps {
        value = value.wrapping_add(*step);
        *step = value;
    }
}

fn each_run(heads: &[u64], ends: &[u16], rows: Range<usize>, visit: &mut dyn FnMut(u64, usize)) {
    each_run_from(heads, ends, run_after(ends, 0, rows.start), rows, visit);
}

/// Returns the first run from `run` on that ends after a row; it is taken to be near.
fn run_after(ends: &[u16], run: usize, row: usize) -> usize {
    let is_before = |end: &u16| usize::from(*end) <= row;
    let (mut from, mut step) = (run, 1);
    while ends.get(from + step - 1).is_some_and(is_before) {
        from += step;
        step *= 2;
    }
    let near = ends.get(from..ends.len().min(from + step)).unwrap_or_default();
    from + near.partition_point(is_before)
}

/// Hands on the runs of some rows, the first of which is in `first_run`.
fn each_run_from(
    heads: &[u64],
    ends: &[u16],
    first_run: usize,
    rows: Range<usize>,
    visit: &mut dyn FnMut(u64, usize),
) {
    let mut begin = rows.start;
    for (head, end) in heads.iter().zip(ends).skip(first_run) {
        let until = usize::from(*end).min(rows.end);
        visit(*head, until.saturating_sub(begin));
        if until >= rows.end {
            break;
        }
        begin = until;
    }
}

fn at(values: &[u64], index: usize) -> u64 {
    values.get(index).copied().unwrap_or_default()
}

/// Returns how many rows stand before a run or a tooth.
fn rows_before(ends: &[u16], part: usize) -> usize {
    part.checked_sub(1).and_then(|before| ends.get(before)).copied().map_or(0, usize::from)
}

/// Returns which of sorted places have a value from `low` to `high`; they are taken to be few.
fn search(places: Range<usize>, value: impl Fn(usize) -> u64, low: u64, high: u64) -> Range<usize> {
    let start = first_from(places.clone(), &value, low);
    let (mut from, mut step) = (start, 1);
    while from + step <= places.end && value(from + step - 1) <= high {
        from += step;
        step *= 2;
    }
    let to = places.end.min(from + step);
    start..partition(from..to, |place| value(place) <= high)
}

/// So often a place is guessed before it is searched for: ids stand close in most columns, and evenly.
const GUESSES: usize = 3;
/// Among fewer places nothing is guessed.
const GUESSED_MIN: usize = 16;

/// Returns the first of sorted places that has no value below `key`.
fn first_from(mut places: Range<usize>, value: &impl Fn(usize) -> u64, key: u64) -> usize {
    for _ in 0..GUESSES {
        if places.len() < GUESSED_MIN {
            break;
        }
        let (low, high) = (value(places.start), value(places.end - 1));
        if key <= low {
            return places.start;
        }
        if key > high {
            return places.end;
        }
        // As far along as the key is between the ends. What rounding adds is cut off.
        let share = (key - low) as f64 / (high - low) as f64;
        let guess = places.start + ((share * (places.len() - 1) as f64) as usize).min(places.len() - 1);
        if value(guess) < key { places.start = guess + 1 } else { places.end = guess }
    }
    partition(places, |place| value(place) < key)
}

/// Returns the first of the places that does not satisfy `is_low`, which no place does after it.
fn partition(places: Range<usize>, is_low: impl Fn(usize) -> bool) -> usize {
    let Range { mut start, mut end } = places;
    while start < end {
        let middle = start.midpoint(end);
        if is_low(middle) { start = middle + 1 } else { end = middle }
    }
    start
}

fn parse<'a>(cursor: &mut Cursor<'a>, count: usize, depth: u8) -> Result<Column<'a>, Malformed> {
    Ok(Column { coding: parse_coding(cursor, count, depth)?, len: count, values: OnceLock::new() })
}

fn parse_coding<'a>(cursor: &mut Cursor<'a>, count: usize, depth: u8) -> Result<Coding<'a>, Malformed> {
    Ok(match cursor.u8()? {
        CONSTANT => Coding::Constant(cursor.u64()?),
        FRAME_OF_REFERENCE => {
            let (min, width) = (cursor.u64()?, cursor.u8()?);
            Coding::Frame(packed(cursor, count, width, min)?)
        }
        DELTA => {
            let (first, width) = (cursor.u64()?, cursor.u8()?);
            let steps = count.checked_sub(1).ok_or(Malformed("an empty column has no first value"))?;
            let steps = packed(cursor, steps, width, 0)?;
            match steps.uniform() {
                Some(step) => Coding::Stride { first, step },
                None => Coding::Delta { first, steps },
            }
        }
        RUN_LENGTH if depth < DEPTH_FLAT => {
            let runs = usize::from(cursor.u16()?);
            if runs > count {
                return Err(Malformed("a column has more runs than values"));
            }
            let heads = values(cursor, runs, DEPTH_FLAT)?;
            Coding::Runs { heads, ends: ends(&values(cursor, runs, DEPTH_FLAT)?, count)? }
        }
        DICTIONARY if depth < DEPTH_FLAT => {
            let distinct = usize::from(cursor.u16()?);
            if distinct == 0 || distinct > count {
                return Err(Malformed("the dictionary of a column has a wrong size"));
            }
            let values = values(cursor, distinct, DEPTH_FLAT)?;
            Coding::Dictionary { values, indices: packed(cursor, count, width_of(distinct as u64 - 1), 0)? }
        }
        TAG_SPLIT if depth < DEPTH_SPLIT => Coding::Values(tag_split(cursor, count)?),
        SAWTOOTH if depth < DEPTH_FLAT => {
            let teeth = usize::from(cursor.u16()?);
            let steps = count.checked_sub(teeth).ok_or(Malformed("a column has more teeth than values"))?;
            let firsts = values(cursor, teeth, DEPTH_FLAT)?;
            let ends = ends(&values(cursor, teeth, DEPTH_FLAT)?, count)?;
            let width = cursor.u8()?;
            Coding::Teeth(Teeth { firsts, ends, steps: packed(cursor, steps, width, 0)? })
        }
        DECIMAL if depth < DEPTH_DECIMAL => {
            let scale = Scale::read(cursor)?;
            Coding::Decimals(scale, Box::new(parse(cursor, count, DEPTH_DECIMAL)?))
        }
        _ => return Err(Malformed("a column is of an unknown coding")),
    })
}

/// Reads all values of a column.
fn values(cursor: &mut Cursor<'_>, count: usize, depth: u8) -> Result<Vec<u64>, Malformed> {
    let mut values = Vec::with_capacity(count);
    parse(cursor, count, depth)?.append(0..count, &mut values)?;
    Ok(values)
}

fn packed<'a>(cursor: &mut Cursor<'a>, count: usize, width: u8, base: u64) -> Result<Packed<'a>, Malformed> {
    Packed::new(cursor.take(packed_len(count, width))?, count, width, base)
}

/// Returns the row that each run or tooth ends before, of lengths less one.
fn ends(lengths: &[u64], count: usize) -> Result<Vec<u16>, Malformed> {
    let mut end = 0;
    let ends: Vec<u16> = lengths
        .iter()
        .map(|length| {
            // No sum gets past 2^16, since it stops at the first that is past the column.
            end += length.saturating_add(1).min(COLUMN_VALUES_MAX as u64 + 1);
            if end <= count as u64 {
                Ok(end as u16)
            } else {
                Err(Malformed("the parts of a column are too long"))
            }
        })
        .collect::<Result<_, _>>()?;
    if end == count as u64 { Ok(ends) } else { Err(Malformed("the parts of a column are too short")) }
}

fn tag_split(cursor: &mut Cursor<'_>, count: usize) -> Result<Vec<u64>, Malformed> {
    let tag_count = usize::from(cursor.u8()?);
    let tags = cursor.take(tag_count)?;
    if tags.iter().any(|tag| *tag > 15) || !tags.is_sorted_by(|a, b| a < b) {
        return Err(Malformed("the tags of a column are wrong"));
    }
    let selectors = values(cursor, count, DEPTH_SPLIT)?;
    let mut counts = [0usize; 16];
    for selector in &selectors {
        let known = (*selector as usize) < tag_count;
        let slot = counts.get_mut(*selector as usize).filter(|_| known);
        *slot.ok_or(Malformed("a value has a tag that its column lacks"))? += 1;
    }
    let mut streams = Vec::with_capacity(tag_count);
    for (tag, len) in tags.iter().zip(counts) {
        let payloads = values(cursor, len, DEPTH_SPLIT)?;
        streams.push((u64::from(*tag) << TAG_SHIFT, payloads.into_iter()));
    }
    let next = |selector: u64| {
        let stream = streams.get_mut(selector as usize);
        let payload = stream.and_then(|(tag, stream)| Some((*tag, stream.next()?)));
        let (tag, payload) = payload.ok_or(Malformed("a column has too few values of a tag"))?;
        Ok(tag | payload & PAYLOAD_MASK)
    };
    selectors.into_iter().map(next).collect()
}

/// As [`parse`], without the values: most codings tell their length at the start.
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
        _ => parse(cursor, count, depth).map(drop),
    }
}
