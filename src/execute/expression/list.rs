//! Lists and maps: literals, access, slices, comprehensions, quantifiers and reduce.

use std::sync::Arc;

use super::column::{Arguments, Column, Depth, Frame, decode};
use super::comparison::cypher_equal;
use super::datum::Datum;
use super::node::{Kernel, Node, Outcome, Run};
use super::{argument_error, kind_name, type_error};
use crate::execute::{Context, ExecuteError};
use crate::model::{TermId, TermKind};
use crate::plan::Quantifier;

/// How long a list `range` may make.
const RANGE_ITEMS_MAX: i128 = 100_000_000;

pub(super) fn build<'a>(nodes: &[Node], frame: &Frame<'a>) -> Result<Column<'a>, ExecuteError> {
    let columns = nodes.iter().map(|node| node.evaluate(frame)).collect::<Result<Vec<_>, _>>()?;
    let row = |row| Datum::list(columns.iter().map(|column| column.get(row)).collect());
    Ok(Column::Data((0..frame.rows).map(row).collect()))
}

/// The items of a column of lists, end to end.
struct Flat {
    items: Vec<Datum>,
    /// The row that each item comes from.
    rows: Vec<u32>,
    /// How many items each row has; `None` for null.
    lengths: Vec<Option<usize>>,
}

fn flatten(list: &Node, frame: &Frame<'_>) -> Result<Flat, ExecuteError> {
    let column = list.evaluate(frame)?.decode(Depth::Shallow, frame.context)?;
    let mut flat = Flat { items: Vec::new(), rows: Vec::new(), lengths: Vec::with_capacity(frame.rows) };
    for row in 0..frame.rows {
        let datum = column.get(row);
        if datum.is_undefined() {
            flat.lengths.push(None);
            continue;
        }
        let Some(items) = datum.as_list() else {
            let message = format!("expected a list, got {}", kind_name(&datum));
            return Err(type_error("InvalidArgumentType", message));
        };
        flat.lengths.push(Some(items.len()));
        flat.rows.extend(std::iter::repeat_n(row as u32, items.len()));
        flat.items.extend(items.iter().cloned());
    }
    Ok(flat)
}

/// Returns the frame in which each item of the lists is a row, bound to the next local variable.
fn inner<'a>(frame: &Frame<'a>, rows: &[u32], items: Vec<Datum>) -> Frame<'a> {
    let mut inner = frame.select(rows);
    inner.locals.push(items);
    inner
}

pub(super) fn comprehend<'a>(
    list: &Node,
    filter: Option<&Node>,
    map: Option<&Node>,
    frame: &Frame<'a>,
) -> Result<Column<'a>, ExecuteError> {
    let flat = flatten(list, frame)?;
    let mut frame_of_items = inner(frame, &flat.rows, flat.items);
    let mut rows = flat.rows;
    if let Some(filter) = filter {
        let keep = filter.evaluate(&frame_of_items)?.into_booleans(frame_of_items.rows, frame.context)?;
        let kept: Vec<u32> =
            (0..).zip(&keep).filter(|(_, keep)| **keep == Some(true)).map(|(row, _)| row).collect();
        rows = kept.iter().map(|position| rows[*position as usize]).collect();
        frame_of_items = frame_of_items.select(&kept);
    }
    let values = match map {
        Some(map) => map.evaluate(&frame_of_items)?.into_data(frame_of_items.rows),
        None => frame_of_items.locals.pop().unwrap_or_default(),
    };
    let mut lists: Vec<Vec<Datum>> = vec![Vec::new(); frame.rows];
    for (row, value) in rows.into_iter().zip(values) {
        lists[row as usize].push(value);
    }
    let list = |(items, length): (Vec<Datum>, &Option<usize>)| match length {
        Some(_) => Datum::list(items),
        None => Datum::Undefined,
    };
    Ok(Column::Data(lists.into_iter().zip(&flat.lengths).map(list).collect()))
}

pub(super) fn quantify<'a>(
    kind: Quantifier,
    list: &Node,
    condition: &Node,
    frame: &Frame<'a>,
) -> Result<Column<'a>, ExecuteError> {
    let flat = flatten(list, frame)?;
    let items = inner(frame, &flat.rows, flat.items);
    let truths = condition.evaluate(&items)?.into_booleans(items.rows, frame.context)?;
    // For each row: how many items are true, false and undefined.
    let mut counts = vec![[0usize; 3]; frame.rows];
    for (row, truth) in flat.rows.iter().zip(truths) {
        counts[*row as usize][match truth {
            Some(true) => 0,
            Some(false) => 1,
            None => 2,
        }] += 1;
    }
    let verdict =
        |(counts, length): (&[usize; 3], &Option<usize>)| length.and_then(|_| decide(kind, *counts));
    Ok(Column::Booleans(counts.iter().zip(&flat.lengths).map(verdict).collect()))
}

fn decide(kind: Quantifier, [yes, no, open]: [usize; 3]) -> Option<bool> {
    match kind {
        Quantifier::All if no > 0 => Some(false),
        Quantifier::All => (open == 0).then_some(true),
        Quantifier::Any if yes > 0 => Some(true),
        Quantifier::Any => (open == 0).then_some(false),
        Quantifier::None if yes > 0 => Some(false),
        Quantifier::None => (open == 0).then_some(true),
        Quantifier::Single if yes > 1 => Some(false),
        Quantifier::Single => (open == 0).then_some(yes == 1),
    }
}

/// reduce: the lists of all rows advance together, one item a round.
pub(super) fn reduce<'a>(
    init: &Node,
    list: &Node,
    step: &Node,
    frame: &Frame<'a>,
) -> Result<Column<'a>, ExecuteError> {
    let flat = flatten(list, frame)?;
    let mut accumulators = init.evaluate(frame)?.into_data(frame.rows);
    let mut starts = Vec::with_capacity(frame.rows);
    let mut start = 0;
    for (row, length) in flat.lengths.iter().enumerate() {
        starts.push(start);
        start += length.unwrap_or(0);
        if length.is_none() {
            accumulators[row] = Datum::Undefined;
        }
    }
    let rounds = flat.lengths.iter().flatten().max().copied().unwrap_or(0);
    for round in 0..rounds {
        if round % 1024 == 0 {
            frame.context.check()?;
        }
        let rows: Vec<u32> = (0..)
            .zip(&flat.lengths)
            .filter(|(_, n)| n.is_some_and(|n| n > round))
            .map(|(row, _)| row)
            .collect();
        let mut inner = frame.select(&rows);
        inner.locals.push(rows.iter().map(|row| accumulators[*row as usize].clone()).collect());
        inner.locals.push(rows.iter().map(|row| flat.items[starts[*row as usize] + round].clone()).collect());
        let next = step.evaluate(&inner)?;
        for (position, row) in rows.iter().enumerate() {
            accumulators[*row as usize] = next.get(position);
        }
    }
    Ok(Column::Data(accumulators))
}

/// Size of a list, a string in characters, or a map in entries.
pub(super) fn size(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let datum = &arguments[0];
    if let Some(items) = datum.as_list() {
        return Ok(Datum::integer(items.len() as i64));
    }
    if let Some(text) = datum.as_text() {
        return Ok(Datum::integer(text.chars().count() as i64));
    }
    match datum.as_map() {
        Some(entries) => Ok(Datum::integer(entries.len() as i64)),
        None => Err(no_list("size", datum)),
    }
}

fn no_list(function: &str, datum: &Datum) -> ExecuteError {
    type_error("InvalidArgumentType", format!("{function}() takes no {}", kind_name(datum)))
}

fn items<'a>(datum: &'a Datum, function: &str) -> Result<&'a Arc<Vec<Datum>>, ExecuteError> {
    datum.as_list().ok_or_else(|| no_list(function, datum))
}

pub(super) fn head(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(items(&arguments[0], "head")?.first().cloned().into())
}

pub(super) fn last(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(items(&arguments[0], "last")?.last().cloned().into())
}

pub(super) fn tail(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(Datum::list(items(&arguments[0], "tail")?.iter().skip(1).cloned().collect()))
}

/// range(start, end[, step]), both ends included.
pub(super) fn range(arguments: &Arguments<'_>, context: &Context) -> Outcome {
    let mut bounds = [0, 0, 1];
    for (bound, datum) in bounds.iter_mut().zip(arguments.iter()) {
        *bound = datum.as_integer().ok_or_else(|| {
            argument_error("InvalidArgumentType", format!("range() takes no {}", kind_name(datum)))
        })?;
    }
    let [start, end, step] = bounds.map(i128::from);
    if step == 0 {
        return Err(argument_error("NumberOutOfRange", "the step of range() must not be 0"));
    }
    let count = ((end - start) / step + 1).max(0);
    let is_empty = (end - start).signum() * step.signum() < 0;
    if is_empty {
        return Ok(Datum::list(Vec::new()));
    }
    let budget = context.limits.memory_bytes_max;
    if count > RANGE_ITEMS_MAX || budget != 0 && count * size_of::<Datum>() as i128 > budget as i128 {
        return Err(ExecuteError::MemoryExceeded { budget });
    }
    Ok(Datum::list((0..count).map(|at| Datum::integer((start + at * step) as i64)).collect()))
}

/// list[index], with negative indexes counting from the end, or map[key].
pub(super) fn index(container: &Datum, key: &Datum) -> Outcome {
    if container.is_undefined() || key.is_undefined() {
        return Ok(Datum::Undefined);
    }
    if let Some(items) = container.as_list() {
        let Some(at) = key.as_integer() else {
            return Err(type_error("InvalidArgumentType", format!("a list has no index {}", kind_name(key))));
        };
        let at = if at < 0 { at + items.len() as i64 } else { at };
        return Ok(usize::try_from(at).ok().and_then(|at| items.get(at).cloned()).into());
    }
    if let Some(entries) = container.as_map() {
        let Some(key) = key.as_text() else {
            let message = format!("a map has no key {}", kind_name(key));
            return Err(type_error("MapElementAccessByNonString", message));
        };
        return Ok(entry(entries, key));
    }
    Err(type_error("InvalidArgumentType", format!("{} has no elements", kind_name(container))))
}

/// Returns a map's value of a key, undefined if it has none.
pub(super) fn entry(entries: &[(Arc<str>, Datum)], key: &str) -> Datum {
    let position = entries.binary_search_by(|(name, _)| name.as_ref().cmp(key));
    position.ok().map(|position| entries[position].1.clone()).into()
}

/// The entries of both maps; of equal keys the second one counts.
pub(super) fn merge_maps(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let (Some(first), Some(second)) = (arguments[0].as_map(), arguments[1].as_map()) else {
        let other = if arguments[0].as_map().is_some() { &arguments[1] } else { &arguments[0] };
        return Err(type_error("InvalidArgumentType", format!("{} is no map", kind_name(other))));
    };
    Ok(Datum::map(first.iter().chain(second).cloned().collect()))
}

/// The entries of a map but for those of some keys, those of some values, and nulls.
pub(super) fn clean_map(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let (map, keys, values) = (&arguments[0], &arguments[1], &arguments[2]);
    let Some(entries) = map.as_map() else {
        return Err(type_error("InvalidArgumentType", format!("{} is no map", kind_name(map))));
    };
    let (keys, values) = (items(keys, "the keys of a map")?, items(values, "the values of a map")?);
    let is_kept = |(key, value): &&(Arc<str>, Datum)| {
        !value.is_undefined()
            && !keys.iter().any(|unwanted| unwanted.as_text() == Some(key))
            && !values.iter().any(|unwanted| cypher_equal(unwanted, value) == Some(true))
    };
    Ok(Datum::map(entries.iter().filter(is_kept).cloned().collect()))
}

/// list[from..to]: an absent bound is an explicit null constant, which `compile` has replaced;
/// a null bound makes the slice null.
pub(super) fn slice(list: &Datum, from: Option<&Datum>, to: Option<&Datum>) -> Outcome {
    if list.is_undefined() || from.is_some_and(Datum::is_undefined) || to.is_some_and(Datum::is_undefined) {
        return Ok(Datum::Undefined);
    }
    let items = items(list, "a slice")?;
    let bound = |datum: Option<&Datum>, default: i64| match datum {
        None => Ok(default as usize),
        Some(datum) => match datum.as_integer() {
            Some(at) => {
                let at = if at < 0 { at.saturating_add(items.len() as i64) } else { at };
                Ok(at.clamp(0, items.len() as i64) as usize)
            }
            None => {
                Err(type_error("InvalidArgumentType", format!("a list has no index {}", kind_name(datum))))
            }
        },
    };
    let (from, to) = (bound(from, 0)?, bound(to, items.len() as i64)?);
    Ok(Datum::list(if from < to { items[from..to].to_vec() } else { Vec::new() }))
}

/// Makes a kernel of a slice with some of its bounds.
pub(super) fn slice_kernel(run: fn(&Arguments<'_>) -> Outcome) -> Kernel {
    let run = Run::With(Box::new(move |arguments: &Arguments<'_>, _: &Context| run(arguments)));
    Kernel { run, depth: Depth::Shallow, is_strict: false, is_volatile: false, shortcut: None }
}

/// Returns what UNWIND makes of a value: the items of a list, nothing of null, itself otherwise.
pub fn elements(id: TermId, context: &Context) -> Result<Vec<TermId>, ExecuteError> {
    let mut data = [Datum::of_id(id)];
    if !matches!(id.kind(), TermKind::Local | TermKind::TypedLiteral) {
        return Ok(if id.is_undefined() { Vec::new() } else { vec![id] });
    }
    decode(&mut data, Depth::Shallow, context)?;
    match data[0].as_list() {
        Some(items) => items.iter().map(|item| Ok(item.to_id(context)?)).collect(),
        None => Ok(vec![id]),
    }
}

/// Returns the entries of a map id, sorted by key; `None` if the id is no map.
pub fn map_entries(id: TermId, context: &Context) -> Result<Option<Vec<(String, TermId)>>, ExecuteError> {
    match context.values.get(id).as_deref() {
        Some(crate::execute::Local::Map(entries)) => Ok(Some(entries.clone())),
        _ => Ok(None),
    }
}
