//! `Sort` and `TopN`: rows in the order of keys; equal rows stay as they came.

use std::cmp::Ordering;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{BoxOperator, Operator, bytes_of, drain};
use crate::batch::{BATCH_ROWS, Batch};
use crate::execute::expression::{self, Compiled, SortedKind};
use crate::execute::{Context, ExecuteError, Layout, Reservation};
use crate::model::TermId;
use crate::plan::SortOrder;

/// A compiled sort key.
pub struct Key {
    pub expression: Compiled,
    pub descending: bool,
    pub order: SortOrder,
}

pub struct Sort {
    context: Arc<Context>,
    input: BoxOperator,
    keys: Vec<Key>,
    sorted: Option<Batch>,
    position: usize,
    reservation: Reservation,
}

impl Sort {
    pub fn new(input: BoxOperator, keys: Vec<Key>, context: Arc<Context>) -> Sort {
        let reservation = context.reserve();
        Sort { context, input, keys, sorted: None, position: 0, reservation }
    }
}

impl Operator for Sort {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        if self.sorted.is_none() {
            let rows = drain(self.input.as_mut(), &self.context, &mut self.reservation)?;
            let order = sort_rows(&rows, &self.keys, &self.context, None)?;
            self.sorted = Some(rows.gather(&order));
        }
        let Some(sorted) = &self.sorted else { return Ok(None) };
        Ok(sorted.next_part(&mut self.position))
    }

    fn layout(&self) -> &Layout {
        self.input.layout()
    }

    fn describe(&self) -> String {
        format!("Sort ({} keys)", self.keys.len())
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }
}

/// Keeps only the rows that can be among the first, so that its memory is bounded by the limit.
pub struct TopN {
    context: Arc<Context>,
    input: BoxOperator,
    keys: Vec<Key>,
    offset: usize,
    limit: usize,
    sorted: Option<Batch>,
    position: usize,
    reservation: Reservation,
}

impl TopN {
    pub fn new(
        input: BoxOperator,
        keys: Vec<Key>,
        (offset, limit): (u64, u64),
        context: Arc<Context>,
    ) -> TopN {
        let reservation = context.reserve();
        let clamp = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let (offset, limit) = (clamp(offset), clamp(limit));
        TopN { context, input, keys, offset, limit, sorted: None, position: 0, reservation }
    }

    fn run(&mut self) -> Result<Batch, ExecuteError> {
        let wanted = self.offset.saturating_add(self.limit);
        let mut held = Batch::empty(self.input.layout().width());
        if self.limit == 0 {
            return Ok(held);
        }
        let mut bound: Option<Bound> = None;
        while let Some(mut batch) = self.input.next_batch()? {
            self.context.check()?;
            if let (Some(known), Some(key)) = (&bound, self.keys.first())
                && let Some(some) = known.may_be_among(&batch, key, &self.context)?
            {
                // Where most are, it is not worth asking.
                if some.len() * 2 > batch.rows() {
                    bound = None;
                }
                batch = batch.gather(&some);
            }
            self.reservation.grow(bytes_of(batch.rows(), batch.width()))?;
            held.append(&batch);
            if held.rows() >= wanted.saturating_mul(2).max(4 * BATCH_ROWS) {
                held = self.prune(&held, wanted)?;
                bound = match self.keys.first() {
                    Some(key) => Bound::of(&held.slice(wanted - 1, 1), key, &self.context)?,
                    None => None,
                };
            }
        }
        let held = self.prune(&held, wanted)?;
        let offset = self.offset.min(held.rows());
        Ok(held.slice(offset, held.rows() - offset))
    }

    fn prune(&mut self, held: &Batch, wanted: usize) -> Result<Batch, ExecuteError> {
        let order = sort_rows(held, &self.keys, &self.context, Some(wanted))?;
        let kept = held.gather(&order);
        self.reservation.release();
        self.reservation.grow(bytes_of(kept.rows(), kept.width()))?;
        Ok(kept)
    }
}

impl Operator for TopN {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        if self.sorted.is_none() {
            self.sorted = Some(self.run()?);
        }
        let Some(sorted) = &self.sorted else { return Ok(None) };
        Ok(sorted.next_part(&mut self.position))
    }

    fn layout(&self) -> &Layout {
        self.input.layout()
    }

    fn describe(&self) -> String {
        format!("TopN {} after {} ({} keys)", self.limit, self.offset, self.keys.len())
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }
}

/// What the last of the wanted rows has for its first key: rows that come later and have more are not wanted.
struct Bound {
    scale: Scale,
    rank: u64,
}

impl Bound {
    /// `row` is the last wanted one.
    fn of(row: &Batch, key: &Key, context: &Context) -> Result<Option<Bound>, ExecuteError> {
        let ids = key.expression.evaluate(row, context)?;
        let bound = |(scale, ranks): (Scale, Vec<u64>)| {
            ranks.first().map(|rank| Bound { scale, rank: turned(*rank, key.descending) })
        };
        Ok(scaled(&ids, context).and_then(bound))
    }

    /// Returns the rows that may be among the wanted ones; `None` if all may.
    fn may_be_among(
        &self,
        rows: &Batch,
        key: &Key,
        context: &Context,
    ) -> Result<Option<Vec<u32>>, ExecuteError> {
        let ids = key.expression.evaluate(rows, context)?;
        let Some((_, ranks)) = scaled(&ids, context).filter(|(scale, _)| *scale == self.scale) else {
            return Ok(None);
        };
        let some = up_to(&ranks, key.descending, self.rank);
        Ok((some.len() < ranks.len()).then_some(some))
    }
}

/// Returns the rows in order, the first `wanted` of them if that is given.
fn sort_rows(
    rows: &Batch,
    keys: &[Key],
    context: &Context,
    wanted: Option<usize>,
) -> Result<Vec<u32>, ExecuteError> {
    let wanted = wanted.filter(|wanted| *wanted < rows.rows());
    let mut ranks = Vec::with_capacity(keys.len());
    for key in keys {
        let ids = key.expression.evaluate(rows, context)?;
        ranks.push((rank(&ids, key.order, context)?, key.descending));
        // By the first key alone most rows may be out: the others are not looked at for those.
        if let (Some(wanted), [(first, descending)]) = (wanted, ranks.as_slice())
            && keys.len() > 1
            && let Some(some) = may_be_among(first, *descending, wanted)
        {
            let sorted = sort_rows(&rows.gather(&some), keys, context, Some(wanted))?;
            return Ok(sorted.into_iter().map(|row| some[row as usize]).collect());
        }
    }
    let compare = |a: &u32, b: &u32| {
        for (ranks, descending) in &ranks {
            let ordering = ranks[*a as usize].cmp(&ranks[*b as usize]);
            let ordering = if *descending { ordering.reverse() } else { ordering };
            if ordering != Ordering::Equal {
                return ordering;
            }
        }
        // Rows that compare equal stay in order, also where only some are kept.
        a.cmp(b)
    };
    let mut order: Vec<u32> = (0..rows.rows() as u32).collect();
    if let Some(wanted) = wanted {
        order.select_nth_unstable_by(wanted, compare);
        order.truncate(wanted);
    }
    order.sort_unstable_by(compare);
    Ok(order)
}

/// Returns the rows that may be among the first `wanted` by a key that more may follow; `None` if all may.
fn may_be_among(ranks: &[u64], descending: bool, wanted: usize) -> Option<Vec<u32>> {
    let mut places: Vec<u64> = ranks.iter().map(|rank| turned(*rank, descending)).collect();
    let (_, last, _) = places.select_nth_unstable(wanted.checked_sub(1)?);
    let some = up_to(ranks, descending, *last);
    (some.len() < ranks.len()).then_some(some)
}

/// Returns the rows whose turned ranks are not above `last`.
fn up_to(ranks: &[u64], descending: bool, last: u64) -> Vec<u32> {
    (0..).zip(ranks).filter(|(_, rank)| turned(**rank, descending) <= last).map(|(row, _)| row).collect()
}

fn turned(rank: u64, descending: bool) -> u64 {
    if descending { u64::MAX - rank } else { rank }
}

/// What ranks can be compared with those of other rows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scale {
    Ids(SortedKind),
    Doubles,
}

/// Returns numbers that are in the order of the ids' values, also among those of other ids of the same scale; `None` if
/// the values must be decoded for that.
fn scaled(ids: &[TermId], context: &Context) -> Option<(Scale, Vec<u64>)> {
    if let Some(kind) = kind_in_order(ids, context) {
        return Some((Scale::Ids(kind), ids.iter().map(|id| id.to_bits()).collect()));
    }
    let ranks = context.values.doubles(ids).and_then(|doubles| ranks_of_doubles(&doubles))?;
    Some((Scale::Doubles, ranks))
}

/// Returns numbers that are in the order of the ids' values, so that sorting compares plain numbers.
/// Ids that the order holds equal get one number.
fn rank(ids: &[TermId], order: SortOrder, context: &Context) -> Result<Vec<u64>, ExecuteError> {
    if let Some((_, ranks)) = scaled(ids, context) {
        return Ok(ranks);
    }
    let mut distinct: Vec<TermId> = ids.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let keys = expression::sort_keys(&distinct, order, context)?;
    let mut sorted: Vec<u32> = (0..distinct.len() as u32).collect();
    sorted.sort_unstable_by(|a, b| keys[*a as usize].cmp(&keys[*b as usize]));
    let mut places = FxHashMap::default();
    let mut place = 0;
    for (index, id) in sorted.iter().enumerate() {
        if index > 0 && keys[sorted[index - 1] as usize] != keys[*id as usize] {
            place += 1;
        }
        places.insert(distinct[*id as usize], place);
    }
    Ok(ids.iter().map(|id| places[id]).collect())
}

/// Returns numbers that are in the order of doubles, if all are numbers: languages put the others at different ends.
fn ranks_of_doubles(doubles: &[f64]) -> Option<Vec<u64>> {
    const SIGN: u64 = 1 << 63;
    let rank = |double: &f64| {
        // There are two zeros.
        let bits = (double + 0.0).to_bits();
        (!double.is_nan()).then_some(if bits & SIGN == 0 { bits | SIGN } else { !bits })
    };
    doubles.iter().map(rank).collect()
}

/// Returns the kind of all ids, if they are in the order of their values, and values that are equal have one id.
fn kind_in_order(ids: &[TermId], context: &Context) -> Option<SortedKind> {
    let has_strings = context.dataset.has_sorted_strings();
    let kind = SortedKind::of(*ids.first()?, has_strings).filter(|kind| *kind != SortedKind::Double)?;
    ids.iter().all(|id| SortedKind::of(*id, has_strings) == Some(kind)).then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ranks_are_in_the_order_of_doubles(doubles in proptest::collection::vec(any::<f64>(), 0..20)) {
            let doubles = [&doubles[..], &[0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE]].concat();
            let ranks = ranks_of_doubles(&doubles);
            prop_assert_eq!(ranks.is_none(), doubles.iter().any(|double| double.is_nan()));
            for (a, own) in ranks.iter().flatten().zip(&doubles) {
                for (b, other) in ranks.iter().flatten().zip(&doubles) {
                    prop_assert_eq!(Some(a.cmp(b)), own.partial_cmp(other));
                }
            }
        }

        #[test]
        fn what_is_left_out_is_not_among_the_first(ranks: Vec<u8>, descending: bool, wanted in 1usize..20) {
            let ranks: Vec<u64> = ranks.into_iter().map(u64::from).collect();
            prop_assume!(wanted < ranks.len());
            let mut order: Vec<u32> = (0..ranks.len() as u32).collect();
            order.sort_by_key(|row| if descending { -(ranks[*row as usize] as i64) } else { ranks[*row as usize] as i64 });
            let last = ranks[order[wanted - 1] as usize];
            let some = may_be_among(&ranks, descending, wanted).unwrap_or_else(|| (0..ranks.len() as u32).collect());
            prop_assert!(some.is_sorted());
            // All that are tied with the last one may be among them as well.
            let expected = order.iter().filter(|row| {
                let rank = ranks[**row as usize];
                if descending { rank >= last } else { rank <= last }
            });
            prop_assert_eq!(some.len(), expected.count());
        }
    }
}
