//! Bulk load: a stream of quads becomes one commit.
//!
//! Blank nodes are renamed: two loads never share one, even if both wrote `_:a`, and loading the
//! same input on top of the same commit at the same time gives the same names (so the same CIDs).

use std::collections::HashMap;

use data_encoding::BASE32_NOPAD;

use super::{CommitId, Workspace, WorkspaceError};
use crate::dataset::{DatasetError, DatasetMut};
use crate::model::{BlankNode, GraphName, NamedOrBlankNode, Quad, Term, TermId};

/// What a load did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Where the branch is now.
    pub commit: CommitId,
    /// Quads in the input, repeated ones included.
    pub quads_read: u64,
    /// Quads that were new.
    pub quads_added: u64,
}

impl Workspace {
    /// Adds quads to a branch as one commit, and publishes it. If a batch is an error, nothing is
    /// loaded.
    ///
    /// # Errors
    /// [`WorkspaceError::Input`] with the error of a batch; [`WorkspaceError::Conflict`] if the branch
    /// moved meanwhile.
    pub fn load<E: std::error::Error + Send + Sync + 'static>(
        &self,
        branch: &str,
        batches: impl IntoIterator<Item = Result<Vec<oxrdf::Quad>, E>>,
        message: &str,
        time_ms: i64,
    ) -> Result<Loaded, WorkspaceError> {
        let transaction = self.begin(branch)?;
        let (parent, author) = (transaction.parent(), self.author());
        let seed = [&parent.0.as_bytes()[..], &author.0, &time_ms.to_le_bytes(), branch.as_bytes()];
        let mut names = BlankNames::new(&seed.concat());
        let (mut quads_read, mut quads_added) = (0, 0);
        for batch in batches {
            for quad in batch.map_err(|error| WorkspaceError::Input(Box::new(error)))? {
                quads_read += 1;
                quads_added += u64::from(insert(&transaction, names.rename(quad))?);
            }
        }
        transaction.write(message, time_ms)?;
        Ok(Loaded { commit: transaction.publish()?, quads_read, quads_added })
    }
}

fn insert(dataset: &dyn DatasetMut, quad: oxrdf::Quad) -> Result<bool, DatasetError> {
    let graph = match &quad.graph_name {
        GraphName::DefaultGraph => TermId::UNDEFINED,
        GraphName::NamedNode(name) => dataset.intern(&name.clone().into())?,
        GraphName::BlankNode(node) => dataset.intern(&node.clone().into())?,
    };
    dataset.insert(Quad {
        subject: dataset.intern(&quad.subject.into())?,
        predicate: dataset.intern(&quad.predicate.into())?,
        object: dataset.intern(&quad.object)?,
        graph,
    })
}

/// Gives the blank nodes of one load names that no other load gives.
pub struct BlankNames {
    prefix: String,
    names: HashMap<String, BlankNode>,
}

impl BlankNames {
    /// Loads with equal seeds give equal names.
    pub fn new(seed: &[u8]) -> BlankNames {
        let hash = blake3::derive_key("reefloom 2026-11 blank nodes of a load", seed);
        let prefix = format!("l{}n", BASE32_NOPAD.encode(&hash[..10]).to_lowercase());
        BlankNames { prefix, names: HashMap::new() }
    }

    pub fn rename(&mut self, mut quad: oxrdf::Quad) -> oxrdf::Quad {
        if let NamedOrBlankNode::BlankNode(node) = &mut quad.subject {
            *node = self.name(node);
        }
        self.rename_term(&mut quad.object);
        if let GraphName::BlankNode(node) = &mut quad.graph_name {
            *node = self.name(node);
        }
        quad
    }

    fn rename_term(&mut self, mut term: &mut Term) {
        loop {
            match term {
                Term::BlankNode(node) => return *node = self.name(node),
                Term::Triple(triple) => {
                    if let NamedOrBlankNode::BlankNode(node) = &mut triple.subject {
                        *node = self.name(node);
                    }
                    term = &mut triple.object;
                }
                _ => return,
            }
        }
    }

    fn name(&mut self, node: &BlankNode) -> BlankNode {
        if let Some(name) = self.names.get(node.as_str()) {
            return name.clone();
        }
        let name = BlankNode::new_unchecked(format!("{}{}", self.prefix, self.names.len()));
        self.names.insert(node.as_str().to_owned(), name.clone());
        name
    }
}
