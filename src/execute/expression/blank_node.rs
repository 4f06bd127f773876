//! BNODE(x): the same blank node for equal x in one row, another one in every other row.

use blake3::Hasher;

use super::column::Depth;
use super::datum::Datum;
use super::node::{Kernel, Run};
use crate::model::{BlankNode, Term, TermKind};

/// A kernel whose arguments are the label and then all columns of the row. A row is told from
/// others by what the dataset gave it: columns that the query computed may come between two calls
/// in one row, so they do not count.
pub(super) fn kernel() -> Kernel {
    let run = |columns: Vec<super::column::Column<'_>>, rows: usize, context: &crate::execute::Context| {
        let labels = match columns.first() {
            Some(label) => label.clone().decode(Depth::Shallow, context)?,
            None => return Ok(vec![Datum::Undefined; rows]),
        };
        let node = |row: usize| {
            let label = labels.get(row);
            let Some(label) = label.as_string() else { return Datum::Undefined };
            let mut hasher = Hasher::new();
            hasher.update(label.as_bytes());
            for (place, column) in columns.iter().enumerate().skip(1) {
                let id = column.id(row).unwrap_or_default();
                if !matches!(id.kind(), TermKind::Local | TermKind::Undefined) {
                    hasher.update(&(place as u64).to_le_bytes());
                    hasher.update(&id.to_bits().to_le_bytes());
                }
            }
            hasher.update(context.values.salt());
            let text = data_encoding::HEXLOWER.encode(&hasher.finalize().as_bytes()[..16]);
            Datum::term(Term::from(BlankNode::new_unchecked(format!("b{text}"))))
        };
        Ok((0..rows).map(node).collect())
    };
    Kernel {
        run: Run::Columns(Box::new(run)),
        depth: Depth::Ids,
        is_strict: false,
        is_volatile: true,
        shortcut: None,
    }
}
