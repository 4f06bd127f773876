//! `Column`: what a node of an expression yields for the rows of a frame.

use std::borrow::Cow;
use std::ops::Index;

use rustc_hash::FxHashMap;
use std::sync::Arc;

use super::datum::{Datum, Decoded, PathDatum, RelationshipDatum};
use super::number::Number;
use crate::batch::Batch;
use crate::dataset::DatasetError;
use crate::execute::{Context, ExecuteError, Local, Values};
use crate::model::{Term, TermId, TermKind};

#[derive(Clone, Debug)]
pub enum Column<'a> {
    /// The same datum in every row.
    Constant(Datum),
    Ids(Cow<'a, [TermId]>),
    Booleans(Vec<Option<bool>>),
    Data(Vec<Datum>),
}

/// The rows that an expression is evaluated over: rows of a batch, perhaps picked and repeated,
/// and the variables that comprehensions bind.
pub struct Frame<'a> {
    pub batch: &'a Batch,
    /// The row of the batch that each row of the frame is; all in order, if `None`.
    pub selection: Option<Vec<u32>>,
    pub locals: Vec<Vec<Datum>>,
    pub rows: usize,
    pub context: &'a Context,
}

/// How far a function looks into its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Ids will do.
    Ids,
    /// Terms, and lists of ids.
    Shallow,
    /// Terms, and all that lists and maps hold.
    Deep,
}

/// The arguments of one row of a call.
#[derive(Clone, Copy)]
pub struct Arguments<'a> {
    pub columns: &'a [Column<'a>],
    pub row: usize,
}

const TRUE: Datum = Datum::Boolean(true);
const FALSE: Datum = Datum::Boolean(false);
const UNDEFINED: Datum = Datum::Undefined;

impl Arguments<'_> {
    pub fn get(&self, index: usize) -> Option<&Datum> {
        (index < self.columns.len()).then(|| &self[index])
    }

    pub fn iter(&self) -> impl Iterator<Item = &Datum> {
        (0..self.columns.len()).map(|index| &self[index])
    }
}

impl Index<usize> for Arguments<'_> {
    type Output = Datum;

    fn index(&self, index: usize) -> &Datum {
        match &self.columns[index] {
            Column::Constant(datum) => datum,
            Column::Data(data) => &data[self.row],
            Column::Booleans(values) => match values[self.row] {
                Some(true) => &TRUE,
                Some(false) => &FALSE,
                None => &UNDEFINED,
            },
            // `decode` has made data of ids before a function runs.
            Column::Ids(_) => &UNDEFINED,
        }
    }
}

/// The ids of a column.
pub enum KnownIds<'a> {
    OfRows(&'a [TermId]),
    /// That of all rows.
    One(TermId),
}

impl<'a> Column<'a> {
    pub fn get(&self, row: usize) -> Datum {
        match self {
            Column::Constant(datum) => datum.clone(),
            Column::Ids(ids) => Datum::of_id(ids[row]),
            Column::Booleans(values) => values[row].into(),
            Column::Data(data) => data[row].clone(),
        }
    }

    /// Returns the id in a row, if it is at hand without asking anyone.
    pub fn id(&self, row: usize) -> Option<TermId> {
        match self {
            Column::Ids(ids) => Some(ids[row]),
            Column::Constant(datum) => datum.known_id(),
            Column::Booleans(values) => Some(values[row].map_or(TermId::UNDEFINED, TermId::from_bool)),
            Column::Data(data) => data[row].known_id(),
        }
    }

    /// Returns the ids of all rows, if they are at hand without a look at each.
    pub fn known_ids(&self) -> Option<KnownIds<'_>> {
        match self {
            Column::Ids(ids) => Some(KnownIds::OfRows(ids)),
            Column::Constant(datum) => datum.known_id().map(KnownIds::One),
            Column::Booleans(_) | Column::Data(_) => None,
        }
    }

    /// Returns the column of the rows at `rows`.
    pub fn select(&self, rows: &[u32]) -> Column<'a> {
        match self {
            Column::Constant(datum) => Column::Constant(datum.clone()),
            Column::Ids(ids) => Column::Ids(rows.iter().map(|row| ids[*row as usize]).collect()),
            Column::Booleans(values) => {
                Column::Booleans(rows.iter().map(|row| values[*row as usize]).collect())
            }
            Column::Data(data) => Column::Data(rows.iter().map(|row| data[*row as usize].clone()).collect()),
        }
    }

    pub fn into_data(self, rows: usize) -> Vec<Datum> {
        match self {
            Column::Constant(datum) => vec![datum; rows],
            Column::Ids(ids) => ids.iter().map(|id| Datum::of_id(*id)).collect(),
            Column::Booleans(values) => values.into_iter().map(Datum::from).collect(),
            Column::Data(data) => data,
        }
    }

    /// Makes the ids of a column readable to `depth`; dictionary terms are fetched in one call for
    /// each level of nesting.
    pub fn decode(self, depth: Depth, context: &Context) -> Result<Column<'a>, ExecuteError> {
        let mut column = match self {
            Column::Ids(ids) => Column::Data(ids.iter().map(|id| Datum::of_id(*id)).collect()),
            other => other,
        };
        match &mut column {
            Column::Constant(datum) => decode(std::slice::from_mut(datum), depth, context)?,
            Column::Data(data) => decode(data, depth, context)?,
            _ => {}
        }
        Ok(column)
    }

    /// Returns the effective boolean values.
    pub fn into_booleans(self, rows: usize, context: &Context) -> Result<Vec<Option<bool>>, ExecuteError> {
        match self {
            Column::Booleans(values) => Ok(values),
            Column::Constant(Datum::Boolean(value)) => Ok(vec![Some(value); rows]),
            Column::Constant(datum) => {
                let mut data = [datum];
                decode(&mut data, Depth::Shallow, context)?;
                Ok(vec![super::logic::effective_boolean(&data[0]); rows])
            }
            Column::Ids(ids) if ids.iter().all(|id| id.kind() == TermKind::Boolean || id.is_undefined()) => {
                Ok(ids.iter().map(|id| id.as_bool()).collect())
            }
            other => {
                let mut data = other.into_data(rows);
                decode(&mut data, Depth::Shallow, context)?;
                Ok(data.iter().map(super::logic::effective_boolean).collect())
            }
        }
    }

    pub fn into_ids(self, rows: usize, context: &Context) -> Result<Cow<'a, [TermId]>, ExecuteError> {
        Ok(match self {
            Column::Ids(ids) => ids,
            Column::Constant(datum) => vec![datum.to_id(context)?; rows].into(),
            Column::Booleans(values) => {
                values.into_iter().map(|value| value.map_or(TermId::UNDEFINED, TermId::from_bool)).collect()
            }
            Column::Data(data) => {
                data.iter().map(|datum| datum.to_id(context)).collect::<Result<Vec<_>, _>>()?.into()
            }
        })
    }
}

impl Datum {
    /// Returns the id, if it is at hand without asking the dataset.
    pub(super) fn known_id(&self) -> Option<TermId> {
        match self {
            Datum::Undefined => Some(TermId::UNDEFINED),
            Datum::Id(id) => Some(*id),
            Datum::Boolean(value) => Some(TermId::from_bool(*value)),
            Datum::Number(number) => number.inline(),
            Datum::Term(term) => term.id,
            Datum::Relationship(relationship) => Some(relationship.id),
            Datum::Path(path) => Some(path.id),
            Datum::String(_) | Datum::List(_) | Datum::Map(_) => None,
        }
    }

    /// Returns the id of this value in the query.
    pub(super) fn to_id(&self, context: &Context) -> Result<TermId, DatasetError> {
        if let Some(id) = self.known_id() {
            return Ok(id);
        }
        let values = &context.values;
        let id = |item: &Datum| item.to_id(context);
        match self {
            Datum::List(items) => {
                Ok(values.intern(Local::List(items.iter().map(id).collect::<Result<_, _>>()?)))
            }
            Datum::Map(entries) => {
                let entry = |(key, value): &(Arc<str>, Datum)| Ok((key.to_string(), id(value)?));
                Ok(values.intern(Local::Map(entries.iter().map(entry).collect::<Result<_, DatasetError>>()?)))
            }
            Datum::Number(Number::Double(value)) => values.id_of_double(*value, &*context.dataset),
            other => match other.to_term() {
                Some(term) => values.id_of_term(&term, &*context.dataset),
                None => Ok(TermId::UNDEFINED),
            },
        }
    }
}

/// Replaces ids by what they stand for, to `depth`.
pub fn decode(data: &mut [Datum], depth: Depth, context: &Context) -> Result<(), ExecuteError> {
    if depth == Depth::Ids {
        return Ok(());
    }
    let mut wanted = Vec::new();
    data.iter().for_each(|datum| collect(datum, depth, &mut wanted));
    if !wanted.is_empty() {
        wanted.sort_unstable();
        wanted.dedup();
        // Doubles need no term to be made of them.
        wanted.retain(|id| !Values::is_double(*id));
        let found = context.values.decode(&wanted, &*context.dataset)?;
        data.iter_mut().for_each(|datum| replace(datum, depth, &found, context));
        if depth == Depth::Deep && data.iter().any(needs_more) {
            return decode(data, depth, context);
        }
    }
    Ok(())
}

fn is_opaque(id: TermId) -> bool {
    !id.is_inline() && !id.is_undefined()
}

fn collect(datum: &Datum, depth: Depth, wanted: &mut Vec<TermId>) {
    match datum {
        Datum::Id(id) if is_opaque(*id) => wanted.push(*id),
        Datum::List(items) if depth == Depth::Deep => {
            items.iter().for_each(|item| collect(item, depth, wanted))
        }
        Datum::Map(entries) if depth == Depth::Deep => {
            entries.iter().for_each(|(_, value)| collect(value, depth, wanted));
        }
        _ => {}
    }
}

/// Returns whether a list or map holds an id that nobody has looked into.
fn needs_more(datum: &Datum) -> bool {
    match datum {
        Datum::Id(id) => is_opaque(*id),
        Datum::List(items) => items.iter().any(needs_more),
        Datum::Map(entries) => entries.iter().any(|(_, value)| needs_more(value)),
        _ => false,
    }
}

fn replace(datum: &mut Datum, depth: Depth, found: &FxHashMap<TermId, Arc<Decoded>>, context: &Context) {
    match datum {
        Datum::Id(id) if is_opaque(*id) => {
            *datum = match found.get(id) {
                Some(decoded) => Datum::Term(decoded.clone()),
                None => local(*id, context),
            };
        }
        Datum::List(items) if depth == Depth::Deep && items.iter().any(needs_more) => {
            Arc::make_mut(items).iter_mut().for_each(|item| replace(item, depth, found, context));
        }
        Datum::Map(entries) if depth == Depth::Deep && entries.iter().any(|(_, value)| needs_more(value)) => {
            Arc::make_mut(entries).iter_mut().for_each(|(_, value)| replace(value, depth, found, context));
        }
        _ => {}
    }
}

/// Returns what a local id stands for that is no term.
fn local(id: TermId, context: &Context) -> Datum {
    if let Some(double) = context.values.double(id) {
        return Datum::double(double);
    }
    match context.values.get(id).as_deref() {
        Some(Local::List(items)) => Datum::list(items.iter().map(|id| Datum::of_id(*id)).collect()),
        Some(Local::Map(entries)) => Datum::Map(Arc::new(
            entries.iter().map(|(key, id)| (Arc::from(key.as_str()), Datum::of_id(*id))).collect(),
        )),
        Some(Local::Relationship { quad, edge }) => {
            Datum::Relationship(Arc::new(RelationshipDatum { id, quad: *quad, edge: *edge }))
        }
        Some(Local::Path { nodes, relationships }) => Datum::Path(Arc::new(PathDatum {
            id,
            nodes: nodes.clone(),
            relationships: relationships.clone(),
        })),
        Some(Local::Term(term)) => Datum::Term(Arc::new(Decoded::new(Term::clone(term), Some(id)))),
        None => Datum::Undefined,
    }
}

impl<'a> Frame<'a> {
    pub fn of_batch(batch: &'a Batch, context: &'a Context) -> Frame<'a> {
        Frame { batch, selection: None, locals: Vec::new(), rows: batch.rows(), context }
    }

    pub fn column(&self, index: usize) -> Column<'a> {
        let column = self.batch.column(index);
        match &self.selection {
            None => Column::Ids(Cow::Borrowed(column)),
            Some(rows) => Column::Ids(rows.iter().map(|row| column[*row as usize]).collect()),
        }
    }

    /// Returns the frame of the rows at `rows`, which may repeat.
    pub fn select(&self, rows: &[u32]) -> Frame<'a> {
        let selection = match &self.selection {
            None => rows.to_vec(),
            Some(selection) => rows.iter().map(|row| selection[*row as usize]).collect(),
        };
        let pick = |local: &Vec<Datum>| rows.iter().map(|row| local[*row as usize].clone()).collect();
        Frame {
            batch: self.batch,
            selection: Some(selection),
            locals: self.locals.iter().map(pick).collect(),
            rows: rows.len(),
            context: self.context,
        }
    }

    /// Returns the rows as a batch of the columns and, after them, the locals.
    pub fn to_batch(&self) -> Result<Batch, ExecuteError> {
        let mut batch = match &self.selection {
            None => self.batch.clone(),
            Some(rows) => self.batch.gather(rows),
        };
        for local in &self.locals {
            batch.push_column(Column::Data(local.clone()).into_ids(self.rows, self.context)?.into_owned());
        }
        Ok(batch)
    }
}
