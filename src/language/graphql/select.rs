//! Selections: what an operation asks of one object, with fragments and directives worked in.
//!
//! # Source
//! GraphQL, October 2021, 6.3.2 (CollectFields) and 5.3.2 (field merging).

use std::collections::BTreeMap;

use async_graphql::parser::types::{Directive, ExecutableDocument, Field, Selection, SelectionSet};
use async_graphql::{Pos, Positioned, Value as ConstValue};

use super::Fault;
use super::catalog::{Catalog, Target};
use super::variables::Arguments;

/// Selections of one operation, fragments expanded; a document of a few lines can expand to millions.
const SELECTIONS_MAX: usize = 5_000;

const FRAGMENTS_MAX: usize = 500;

/// Refuses a document that would expand beyond bounds; done before validation, which expands it.
pub(super) fn check_size(document: &ExecutableDocument) -> Result<(), Fault> {
    let too_complex = |position, message| Fault { position, message, code: "QUERY_TOO_COMPLEX" };
    if document.fragments.len() > FRAGMENTS_MAX {
        return Err(too_complex(Pos::default(), format!("more than {FRAGMENTS_MAX} fragments")));
    }
    let mut sizes = BTreeMap::new();
    for (_, operation) in document.operations.iter() {
        if size(document, &operation.node.selection_set.node, &mut sizes) > SELECTIONS_MAX {
            let message = format!("the operation selects more than {SELECTIONS_MAX} fields");
            return Err(too_complex(operation.pos, message));
        }
    }
    Ok(())
}

/// Returns the number of selections with fragments expanded. A fragment within itself counts
/// nothing; validation refuses it.
fn size<'a>(
    document: &'a ExecutableDocument,
    set: &'a SelectionSet,
    sizes: &mut BTreeMap<&'a str, usize>,
) -> usize {
    let sizes_of = set.items.iter().map(|selection| match &selection.node {
        Selection::Field(field) => size(document, &field.node.selection_set.node, sizes),
        Selection::InlineFragment(fragment) => size(document, &fragment.node.selection_set.node, sizes),
        Selection::FragmentSpread(spread) => {
            let name = spread.node.fragment_name.node.as_str();
            match (sizes.get(name), document.fragments.get(name)) {
                (Some(size), _) => *size,
                (None, None) => 0,
                (None, Some(fragment)) => {
                    sizes.insert(name, 0);
                    let size = size(document, &fragment.node.selection_set.node, sizes);
                    sizes.insert(name, size);
                    size
                }
            }
        }
    });
    sizes_of.fold(0, |all, one| all.saturating_add(one).saturating_add(1))
}

/// One field of an object's response: all selections with its response key.
pub(super) struct Selected<'a> {
    pub key: String,
    pub field: &'a Field,
    pub position: Pos,
    pub sets: Vec<&'a SelectionSet>,
    /// Only for objects of this type (a place in the catalog): selected in a fragment on it, on
    /// an object whose type the data decides.
    pub only: Option<usize>,
}

/// Collects the fields of selection sets.
pub(super) struct Selector<'a> {
    pub catalog: &'a Catalog,
    pub document: &'a ExecutableDocument,
    pub arguments: &'a Arguments,
    /// Selections seen so far.
    pub count: usize,
}

impl<'a> Selector<'a> {
    /// Returns the fields that `sets` select together on `target`, in order; `None` is the root.
    pub fn collect(
        &mut self,
        target: Option<Target>,
        sets: &[&'a SelectionSet],
    ) -> Result<Vec<Selected<'a>>, Fault> {
        let mut fields = Vec::new();
        for set in sets {
            self.add(target, set, None, &mut fields)?;
        }
        Ok(fields)
    }

    fn add(
        &mut self,
        target: Option<Target>,
        set: &'a SelectionSet,
        only: Option<usize>,
        fields: &mut Vec<Selected<'a>>,
    ) -> Result<(), Fault> {
        for selection in &set.items {
            self.count += 1;
            if self.count > SELECTIONS_MAX {
                let message = format!("the operation selects more than {SELECTIONS_MAX} fields");
                return Err(Fault { position: selection.pos, message, code: "QUERY_TOO_COMPLEX" });
            }
            if !self.is_included(selection.node.directives())? {
                continue;
            }
            match &selection.node {
                Selection::Field(field) => merge(fields, &field.node, field.pos, only),
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref().map(|on| on.node.on.node.as_str());
                    let only = self.narrow(target, condition, only);
                    self.add(target, &fragment.node.selection_set.node, only, fields)?;
                }
                Selection::FragmentSpread(spread) => {
                    let Some(fragment) = self.document.fragments.get(&spread.node.fragment_name.node) else {
                        let message = format!("unknown fragment '{}'", spread.node.fragment_name.node);
                        return Err(Fault {
                            position: spread.pos,
                            message,
                            code: "GRAPHQL_VALIDATION_FAILED",
                        });
                    };
                    let condition = fragment.node.type_condition.node.on.node.as_str();
                    let only = self.narrow(target, Some(condition), only);
                    self.add(target, &fragment.node.selection_set.node, only, fields)?;
                }
            }
        }
        Ok(())
    }

    /// Returns the type that a fragment's fields are for, where the target leaves it open.
    fn narrow(&self, target: Option<Target>, condition: Option<&str>, only: Option<usize>) -> Option<usize> {
        match (target, condition) {
            // `Entity` has nothing that `Node` lacks.
            (Some(Target::Node), Some(name)) => self.catalog.type_named(name).or(only),
            _ => only,
        }
    }

    fn is_included(&self, directives: &'a [Positioned<Directive>]) -> Result<bool, Fault> {
        for directive in directives {
            let wanted = match directive.node.name.node.as_str() {
                "skip" => false,
                "include" => true,
                _ => continue,
            };
            let argument = directive.node.get_argument("if");
            let value = argument.and_then(|value| self.arguments.resolve(&value.node));
            match value {
                Some(ConstValue::Boolean(value)) if value == wanted => {}
                Some(ConstValue::Boolean(_)) => return Ok(false),
                _ => {
                    let message = format!("@{} needs a Boolean in 'if'", directive.node.name.node);
                    return Err(Fault { position: directive.pos, message, code: "BAD_USER_INPUT" });
                }
            }
        }
        Ok(true)
    }
}

/// Adds a field, or its selections to the field of the same key. What is selected for all types
/// serves for each.
fn merge<'a>(fields: &mut Vec<Selected<'a>>, field: &'a Field, position: Pos, only: Option<usize>) {
    let key = field.response_key().node.as_str();
    let set = &field.selection_set.node;
    let same = fields.iter_mut().find(|selected| {
        selected.key == key && (selected.only.is_none() || only.is_none() || selected.only == only)
    });
    match same {
        Some(selected) => {
            selected.sets.push(set);
            if only.is_none() {
                selected.only = None;
            }
        }
        None => fields.push(Selected { key: key.to_owned(), field, position, sets: vec![set], only }),
    }
}
