//! Checks on what the store holds: `verify` reads all of it, `missing_blocks` only asks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::change_set::ChangeSet;
use super::{CommitChanges, CommitId, SignedCommit, Workspace, WorkspaceError};
use crate::block::{BlockError, BlockId, BlockKind, BlockReader, BlockSource, PlainBlock};
use crate::graph::{self, Run};
use crate::model::Permutation;

/// How many blocks are read at a time.
const BLOCKS_AT_ONCE: usize = 64;
/// The walk reads each block about once; a small cache is enough.
const CACHE_BYTES_MAX: u64 = 8 << 20;

/// What [`Workspace::verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    pub branches: u64,
    pub commits: u64,
    /// Runs that were opened, each the physical form of some commit.
    pub runs: u64,
    /// Blocks that are here and as they should be.
    pub blocks: u64,
    /// Their sealed bytes.
    pub bytes: u64,
    /// Blocks that something names and that are not here, sorted. Not wrong in itself on a node that
    /// fetches blocks as it needs them.
    pub missing: Vec<BlockId>,
    /// Blocks that are here and not what they should be, with the reason; sorted.
    pub corrupt: Vec<(BlockId, String)>,
}

impl Verification {
    /// Returns whether nothing is missing and nothing is corrupt.
    pub fn is_clean(&self) -> bool {
        self.missing.is_empty() && self.corrupt.is_empty()
    }
}

impl Workspace {
    /// Reads every block that a ref leads to, from this node's own store: checks that it is there, has
    /// its hash, opens and decodes, and that every commit is signed by its author.
    ///
    /// # Errors
    /// Those of the store as a whole; what is wrong with a block stands in the result.
    pub fn verify(&self) -> Result<Verification, WorkspaceError> {
        let mut walk = Walk::new(self);
        let branches = self.branches()?;
        walk.report.branches = branches.len() as u64;
        let remote = self.remote_heads()?.into_iter().map(|(_, head)| head.commit);
        let mut commits: Vec<CommitId> =
            branches.into_iter().map(|(_, commit)| commit).chain(remote).collect();
        for (commit, root) in self.inner.refs.manifests()? {
            commits.push(commit);
            walk.run(root)?;
        }
        while let Some(commit) = commits.pop() {
            commits.extend(walk.commit(commit)?);
        }
        walk.contents()?;
        Ok(walk.finish())
    }

    /// Returns the blocks that reading all of a commit's data takes and that this node does not have,
    /// sorted. What hangs below a missing commit or manifest cannot be known and is not listed.
    pub fn missing_blocks(&self, commit: CommitId) -> Result<Vec<BlockId>, WorkspaceError> {
        let mut walk = Walk::new(self);
        let mut at = Some(commit);
        while let Some(commit) = at.take() {
            match self.inner.refs.manifest(commit)? {
                Some(root) => walk.run(root)?,
                None => at = walk.commit(commit)?.first().copied(),
            }
        }
        let ids: Vec<BlockId> = walk.wanted.keys().copied().collect();
        let has = self.inner.store.has(&ids)?;
        let absent = ids.into_iter().zip(has).filter(|(_, is_here)| !is_here).map(|(id, _)| id);
        walk.missing.extend(absent);
        Ok(walk.missing.into_iter().collect())
    }
}

pub struct Walk<'a> {
    workspace: &'a Workspace,
    /// Reads the store and nothing behind it.
    reader: Arc<BlockReader>,
    report: Verification,
    seen: BTreeSet<BlockId>,
    /// Blocks that are yet to be read, with what they must be.
    wanted: BTreeMap<BlockId, BlockKind>,
    missing: BTreeSet<BlockId>,
    corrupt: BTreeMap<BlockId, String>,
}

impl<'a> Walk<'a> {
    pub fn new(workspace: &'a Workspace) -> Walk<'a> {
        let source = Arc::new(OwnStore(workspace.clone()));
        Walk {
            workspace,
            reader: Arc::new(BlockReader::new(source, workspace.inner.key.clone(), CACHE_BYTES_MAX)),
            report: Verification::default(),
            seen: BTreeSet::new(),
            wanted: BTreeMap::new(),
            missing: BTreeSet::new(),
            corrupt: BTreeMap::new(),
        }
    }

    /// Takes note of a commit and its change set; returns its parents, none if it was seen before.
    pub fn commit(&mut self, id: CommitId) -> Result<Vec<CommitId>, WorkspaceError> {
        if !self.seen.insert(id.0) {
            return Ok(Vec::new());
        }
        let read = self.reader.get_decoded::<SignedCommit>(&[id.0]);
        let Some(signed) = self.note(id.0, read)?.and_then(|mut found| found.pop()) else {
            return Ok(Vec::new());
        };
        self.report.commits += 1;
        self.wanted.insert(id.0, BlockKind::Commit);
        if let Err(error) = signed.verify(self.workspace.id()) {
            self.corrupt.insert(id.0, error.to_string());
        }
        match &signed.commit.changes {
            CommitChanges::Nothing => {}
            CommitChanges::Here(change_set) => self.wanted.extend(change_set.blocks()),
            CommitChanges::Block(block) => {
                let read = self.reader.get_decoded::<ChangeSet>(&[*block]);
                if let Some(change_set) = self.note(*block, read)?.and_then(|mut found| found.pop()) {
                    self.wanted.insert(*block, BlockKind::ChangeSet);
                    self.wanted.extend(change_set.blocks());
                }
            }
        }
        Ok(signed.commit.parents.clone())
    }

    pub fn run(&mut self, root: BlockId) -> Result<(), WorkspaceError> {
        if !self.seen.insert(root) {
            return Ok(());
        }
        let opened = Run::open(root, Arc::clone(&self.reader));
        if let Some(run) = self.note(root, opened)? {
            self.report.runs += 1;
            self.wanted.extend(run.blocks());
        }
        Ok(())
    }

    /// Notes a failure to read `id` or what hangs on it; passes on what concerns the whole store.
    fn note<T>(&mut self, id: BlockId, read: Result<T, BlockError>) -> Result<Option<T>, WorkspaceError> {
        match read {
            Ok(value) => Ok(Some(value)),
            Err(BlockError::Unavailable(ids)) => {
                let corrupt: BTreeSet<BlockId> = self.workspace.inner.store.corrupt().into_iter().collect();
                for id in ids {
                    if corrupt.contains(&id) {
                        self.corrupt.insert(id, "its bytes do not hash to its id".to_owned());
                    } else {
                        self.missing.insert(id);
                    }
                }
                Ok(None)
            }
            Err(BlockError::Io(error)) => Err(BlockError::Io(error).into()),
            Err(BlockError::Corrupt { id, reason }) => {
                self.corrupt.insert(id, reason);
                Ok(None)
            }
            Err(error) => {
                self.corrupt.insert(id, error.to_string());
                Ok(None)
            }
        }
    }

    /// Reads all blocks that were named.
    fn contents(&mut self) -> Result<(), WorkspaceError> {
        let wanted: Vec<(BlockId, BlockKind)> = std::mem::take(&mut self.wanted).into_iter().collect();
        for chunk in wanted.chunks(BLOCKS_AT_ONCE) {
            let ids: Vec<BlockId> = chunk.iter().map(|(id, _)| *id).collect();
            let found = self.workspace.inner.store.get(&ids)?;
            for ((id, kind), sealed) in chunk.iter().zip(found) {
                let Some(sealed) = sealed else {
                    self.note::<()>(*id, Err(BlockError::Unavailable(vec![*id])))?;
                    continue;
                };
                let bytes = sealed.bytes().len() as u64;
                let checked =
                    sealed.open(*kind, &self.workspace.inner.key).and_then(|plain| check(*kind, plain));
                if self.note(*id, checked)?.is_some() && !self.corrupt.contains_key(id) {
                    self.report.blocks += 1;
                    self.report.bytes += bytes;
                }
            }
        }
        Ok(())
    }

    /// Returns every block that was named or is missing.
    ///
    /// # Errors
    /// [`BlockError::Corrupt`] if one that names others could not be read.
    pub fn needed(self) -> Result<BTreeSet<BlockId>, WorkspaceError> {
        if let Some((id, reason)) = self.corrupt.into_iter().next() {
            return Err(BlockError::Corrupt { id, reason }.into());
        }
        Ok(self.seen.into_iter().chain(self.wanted.into_keys()).chain(self.missing).collect())
    }

    fn finish(self) -> Verification {
        Verification {
            missing: self.missing.into_iter().collect(),
            corrupt: self.corrupt.into_iter().collect(),
            ..self.report
        }
    }
}

fn check(kind: BlockKind, block: PlainBlock) -> Result<(), BlockError> {
    let decoded = match kind {
        BlockKind::Dictionary => graph::TermsDecoder::default().push(block.data()),
        BlockKind::Permutation => graph::decode_quads(block.data(), Permutation::Spo).map(drop),
        // Commits, change sets and manifests were decoded on the way here.
        _ => Ok(()),
    };
    decoded.map_err(|error| block.corrupt(error.to_string()))
}

/// A workspace's own store, without the sources behind it.
struct OwnStore(Workspace);

impl BlockSource for OwnStore {
    fn get(&self, ids: &[BlockId]) -> Result<Vec<Option<crate::block::SealedBlock>>, BlockError> {
        self.0.inner.store.get(ids)
    }

    fn has(&self, ids: &[BlockId]) -> Result<Vec<bool>, BlockError> {
        self.0.inner.store.has(ids)
    }
}
