//! The nodes that have a property: the inverse of reading it.

use std::ops::RangeInclusive;

use super::column::{Column, Depth, decode};
use super::comparison::cypher_equal;
use super::datum::Datum;
use super::graph::{facts, graph_filter, property_value};
use super::node::Run;
use crate::dataset::{IdRanges, Keys, Places};
use crate::execute::{Context, ExecuteError};
use crate::model::{Literal, Permutation, QuadPattern, TermId, TermKind};

/// [`Function::WithProperty`](crate::plan::Function::WithProperty).
pub(super) fn with_property(key: String) -> Run {
    Run::Columns(Box::new(move |columns, rows, context| {
        let values = columns.into_iter().next().unwrap_or(Column::Constant(Datum::Undefined)).into_data(rows);
        let Some(predicate) = context.fact_id(&context.vocabulary.iri(&key).into())? else {
            return Ok(vec![Datum::list(Vec::new()); rows]);
        };
        let graph = graph_filter(context)?;
        let all = QuadPattern { predicate: Some(predicate), graph, ..QuadPattern::default() };
        let found = |value: &Datum| match value {
            Datum::Undefined => Ok(Datum::Undefined),
            value => Ok(Datum::list(owners(&all, value, context)?.into_iter().map(Datum::Id).collect())),
        };
        values.iter().map(found).collect()
    }))
}

/// Returns the subjects of a predicate's quads whose property, which their objects are, equals a value.
fn owners(all: &QuadPattern, value: &Datum, context: &Context) -> Result<Vec<TermId>, ExecuteError> {
    let subjects = subjects(all, value, context)?;
    let found = facts(&subjects, all.predicate, context)?;
    let mut owners = Vec::with_capacity(subjects.len());
    for subject in subjects {
        let pairs = found.get(&subject).map(Vec::as_slice).unwrap_or_default();
        let property = property_value(pairs.iter().map(|(_, object)| *object).collect(), context)?;
        if is_equal(property, value, context)? {
            owners.push(subject);
        }
    }
    Ok(owners)
}

/// Returns the subjects that have an object which equals a value, sorted; for a list, which several objects may make, all.
fn subjects(all: &QuadPattern, value: &Datum, context: &Context) -> Result<Vec<TermId>, ExecuteError> {
    let is_list = value.as_list().is_some();
    let mut subjects = Vec::new();
    for range in candidates(value, context)?.iter() {
        // Objects come sorted: each is looked into once.
        let mut last = None;
        scan_objects(all, range, context, |subject, object| {
            let (_, is_equal) = match last.filter(|(known, _)| *known == object) {
                Some(known) => known,
                None => (object, is_list || is_equal(Datum::of_id(object), value, context)?),
            };
            last = Some((object, is_equal));
            if is_equal {
                subjects.push(subject);
            }
            Ok(())
        })?;
    }
    subjects.sort_unstable();
    subjects.dedup();
    Ok(subjects)
}

/// Returns the ids that may stand for what equals a value.
fn candidates(value: &Datum, context: &Context) -> Result<IdRanges, ExecuteError> {
    use TermKind::{Date, DateTime, LangString, Time, TypedLiteral};
    if let Some(number) = value.as_number() {
        return Ok(IdRanges::of_number(number.as_integer(), number.to_f64()));
    }
    if let Some(text) = value.as_text() {
        let id = context.dataset.term_id(&Literal::new_simple_literal(text).into())?;
        return Ok(IdRanges::of_id_or_kinds(id, &[LangString]));
    }
    if let Some(boolean) = value.as_boolean() {
        return Ok(IdRanges::of_id_or_kinds(Some(TermId::from_bool(boolean)), &[TypedLiteral]));
    }
    let Some(literal) = value.to_literal() else {
        return Ok(if value.as_list().is_some() { IdRanges::literals() } else { IdRanges::default() });
    };
    Ok(match TermId::inline(&literal) {
        // One inline form is of one moment.
        Some(id) => IdRanges::of_id_or_kinds(Some(id), &[TypedLiteral]),
        None => IdRanges::of_id_or_kinds(None, &[Date, DateTime, Time, TypedLiteral]),
    })
}

/// Hands (subject, object) of the quads whose object is in a range to `visit`, objects in order.
fn scan_objects(
    all: &QuadPattern,
    range: &RangeInclusive<TermId>,
    context: &Context,
    mut visit: impl FnMut(TermId, TermId) -> Result<(), ExecuteError>,
) -> Result<(), ExecuteError> {
    let object = (range.start() == range.end()).then_some(*range.start());
    let pattern = QuadPattern { object, ..all.clone() };
    let (order, places) = (Permutation::Pos, Places::from_iter([0, 2]));
    let mut scan = match object {
        Some(_) => context.dataset.scan_places(&pattern, order, places)?,
        None => context.dataset.scan_keys(&pattern, order, places, Keys::Within(range))?,
    };
    while let Some(batch) = scan.next_batch()? {
        context.check()?;
        let (subjects, objects) = (batch.column(0), batch.column(2));
        for (subject, object) in subjects.iter().zip(objects) {
            if range.contains(object) {
                visit(*subject, *object)?;
            }
        }
    }
    Ok(())
}

fn is_equal(property: Datum, value: &Datum, context: &Context) -> Result<bool, ExecuteError> {
    let mut property = [property];
    decode(&mut property, Depth::Deep, context)?;
    Ok(cypher_equal(&property[0], value) == Some(true))
}
