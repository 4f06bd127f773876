//! Bulk load: a stream of quads becomes one commit.
//!
//! Blank nodes are renamed: two loads never share one, even if both wrote `_:a`, and loading the
//! same input on top of the same commit at the same time gives the same names (so the same CIDs).

use std::collections::HashMap;
use std::sync::Arc;

use data_encoding::BASE32_NOPAD;

use super::change_set::ChangeSet;
use super::fold::{self, distinct_ids, remap};
use super::view::{View, quad_at};
use super::{CommitId, Snapshot, Workspace, WorkspaceError};
use crate::block::BlockId;
use crate::dataset::DatasetError;
use crate::graph::{Run, RunBuilder, SortedTerms};
use crate::model::{BlankNode, GraphName, NamedOrBlankNode, Permutation, Quad, QuadPattern, Term, TermId};

/// How many terms are looked up at once.
const TERMS_AT_ONCE: usize = 16_384;
/// So many quads are looked up one by one, whatever the base.
const LOOKUPS_MIN: u64 = 1000;
/// More than this part of the base is looked up by one scan of all.
const SCAN_PART: u64 = 256;

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
        let parent = self.snapshot(self.branch(branch)?)?;
        let (at, author) = (parent.commit(), self.author());
        let seed = [&at.0.as_bytes()[..], &author.0, &time_ms.to_le_bytes(), branch.as_bytes()];
        let mut names = BlankNames::new(&seed.concat());
        let mut builder = RunBuilder::new();
        for batch in batches {
            for quad in batch.map_err(|error| WorkspaceError::Input(Box::new(error)))? {
                builder.insert(&names.rename(quad)).map_err(WorkspaceError::Term)?;
            }
        }
        let quads_read = builder.len() as u64;
        let load = Load { workspace: self, branch, parent: &parent, message, time_ms };
        let (commit, quads_added) = match parent.view().is_empty() {
            _ if builder.is_empty() => (at, 0),
            true => load.first(builder)?,
            false => load.more(builder)?,
        };
        Ok(Loaded { commit, quads_read, quads_added })
    }
}

/// A load whose input is read.
struct Load<'a> {
    workspace: &'a Workspace,
    branch: &'a str,
    parent: &'a Snapshot,
    message: &'a str,
    time_ms: i64,
}

impl Load<'_> {
    /// Loads into an empty branch: the run comes first, and the change set names its blocks.
    fn first(&self, builder: RunBuilder) -> Result<(CommitId, u64), WorkspaceError> {
        let inner = &self.workspace.inner;
        let written = builder.write(&inner.key, &*inner.store)?;
        let run = Run::open(written.root, Arc::clone(&inner.reader))?;
        let commit = self.commit(ChangeSet::of_run(&run))?;
        self.publish(commit, Some(written.root))?;
        Ok((commit, written.quads))
    }

    /// Loads on top of what is there: only what is new goes into the change set.
    fn more(&self, builder: RunBuilder) -> Result<(CommitId, u64), WorkspaceError> {
        let view = self.parent.view();
        let (terms, mut quads) = builder.into_parts();
        let known = known_ids(view, &terms)?;
        quads.sort_unstable();
        quads.dedup();
        let is_there = find(view, &quads, &known)?;
        let mut is_there = is_there.into_iter();
        quads.retain(|_| is_there.next() == Some(false));
        if quads.is_empty() {
            return Ok((self.parent.commit(), 0));
        }
        let count = quads.len() as u64;
        let used = SortedTerms::of(&terms_of(&terms, &quads)).map_err(WorkspaceError::Term)?;
        let ranks: Vec<Option<TermId>> = (0..terms.len()).map(|rank| used.id_of(&terms.term(rank))).collect();
        remap(&mut quads, |id| id.as_dictionary().and_then(|id| ranks[id.rank as usize]).unwrap_or(id));
        let inner = &self.workspace.inner;
        let commit =
            self.commit(ChangeSet::write(&used, quads.clone(), Vec::new(), &inner.key, &*inner.store)?)?;
        let is_due = fold::is_due(self.parent.overlay_len() + count, view.base.len());
        let root = match is_due {
            true => Some(self.workspace.write_merged(view, Some((&used, &quads)))?),
            false => None,
        };
        self.publish(commit, root)?;
        Ok((commit, count))
    }

    fn commit(&self, change_set: ChangeSet) -> Result<CommitId, WorkspaceError> {
        let inner = &self.workspace.inner;
        let block = change_set.seal(&inner.key);
        inner.store.put(std::slice::from_ref(&block))?;
        self.workspace.write_commit(self.parent.commit(), vec![block.id()], self.message, self.time_ms)
    }

    /// Notes the manifest, then moves the branch: a crash between leaves a manifest that nobody asks for.
    fn publish(&self, commit: CommitId, root: Option<BlockId>) -> Result<(), WorkspaceError> {
        if let Some(root) = root {
            self.workspace.note_manifest(commit, root)?;
        }
        self.workspace.move_branch(self.branch, self.parent.commit(), Some(commit))
    }
}

/// Returns, by rank, the ids that the view has for these terms.
fn known_ids(view: &View, terms: &SortedTerms) -> Result<Vec<Option<TermId>>, DatasetError> {
    let mut known = Vec::with_capacity(terms.len());
    let all: Vec<usize> = (0..terms.len()).collect();
    for ranks in all.chunks(TERMS_AT_ONCE) {
        let chunk: Vec<Term> = ranks.iter().map(|rank| terms.term(*rank)).collect();
        known.extend(view.term_ids(&chunk)?);
    }
    Ok(known)
}

/// Tells of each quad whether the view has it. `known` are the view's ids by rank.
fn find(view: &View, quads: &[Quad], known: &[Option<TermId>]) -> Result<Vec<bool>, DatasetError> {
    let translate = |id: TermId| id.as_dictionary().map_or(Some(id), |id| known[id.rank as usize]);
    let mut candidates: Vec<(Quad, usize)> = Vec::new();
    for (index, quad) in quads.iter().enumerate() {
        let ids = [quad.subject, quad.predicate, quad.object, quad.graph].map(translate);
        if let [Some(subject), Some(predicate), Some(object), Some(graph)] = ids {
            candidates.push((Quad { subject, predicate, object, graph }, index));
        }
    }
    let mut is_there = vec![false; quads.len()];
    if (candidates.len() as u64) < LOOKUPS_MIN.max(view.base.len() / SCAN_PART) {
        for (quad, index) in candidates {
            is_there[index] = view.contains(&quad)?;
        }
        return Ok(is_there);
    }
    candidates.sort_unstable();
    let mut ahead = candidates.into_iter().peekable();
    let mut scan = view.scan(&QuadPattern::default(), Permutation::Spo)?;
    while let Some(batch) = scan.next_batch()? {
        for row in 0..batch.rows() {
            let quad = quad_at(&batch, row);
            while ahead.next_if(|(wanted, _)| *wanted < quad).is_some() {}
            if let Some((_, index)) = ahead.next_if(|(wanted, _)| *wanted == quad) {
                is_there[index] = true;
            }
        }
    }
    Ok(is_there)
}

/// Returns the terms that these quads use; ids are ranks in `terms`.
fn terms_of(terms: &SortedTerms, quads: &[Quad]) -> Vec<Term> {
    let ids = distinct_ids(quads).into_iter().filter_map(TermId::as_dictionary);
    ids.map(|id| terms.term(id.rank as usize)).collect()
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
