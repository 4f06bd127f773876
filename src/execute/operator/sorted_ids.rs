//! Walks over ascending ids.

use crate::model::TermId;

/// Returns how many of the first ids satisfy `is_low`. The search gallops: mostly there are few.
pub fn first_not(ids: &[TermId], is_low: impl Fn(&TermId) -> bool) -> usize {
    let mut step = 1;
    while step < ids.len() && is_low(&ids[step - 1]) {
        step *= 2;
    }
    let (low, high) = (step / 2, step.min(ids.len()));
    low + ids[low..high].partition_point(is_low)
}

/// Returns how many ids of two ascending lists stand side by side, each once in its list.
pub fn aligned(a: &[TermId], b: &[TermId]) -> usize {
    const AT_ONCE: usize = 16;
    let goes_on = |a: &[TermId], b: &[TermId]| a[0] == b[0] && a[0] < a[1] && b[0] < b[1];
    // Without branches within, so that several are compared by one instruction.
    let all_go_on = |a: &[TermId], b: &[TermId]| {
        let next = a.windows(2).zip(b.windows(2));
        next.fold(true, |go_on, (a, b)| go_on & (a[0] == b[0]) & (a[0] < a[1]) & (b[0] < b[1]))
    };
    let (mut count, last) = (0, a.len().min(b.len()).saturating_sub(1));
    while count + AT_ONCE <= last && all_go_on(&a[count..=count + AT_ONCE], &b[count..=count + AT_ONCE]) {
        count += AT_ONCE;
    }
    while count < last && goes_on(&a[count..], &b[count..]) {
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids() -> impl Strategy<Value = Vec<TermId>> {
        // Mostly steps of one, so that lists agree for a while.
        let steps =
            proptest::collection::vec(prop_oneof![40 => Just(1i64), 1 => Just(0), 1 => Just(2)], 0..100);
        (0i64..2, steps).prop_map(|(start, steps)| {
            let mut next = start;
            let step = |step| {
                next += step;
                TermId::from_i64(next).unwrap()
            };
            steps.into_iter().map(step).collect()
        })
    }

    proptest! {
        #[test]
        fn ids_side_by_side_are_counted(a in ids(), b in ids()) {
            let stands_alone = |list: &[TermId], at: usize| at + 1 < list.len() && list[at] < list[at + 1];
            let goes_on = |at: &usize| stands_alone(&a, *at) && stands_alone(&b, *at) && a[*at] == b[*at];
            prop_assert_eq!(aligned(&a, &b), (0..).take_while(goes_on).count());
        }

        #[test]
        fn the_first_that_is_not_is_found(ids in ids(), of in 0i64..120) {
            let key = TermId::from_i64(of).unwrap();
            prop_assert_eq!(first_not(&ids, |id| *id < key), ids.partition_point(|id| *id < key));
        }
    }
}
