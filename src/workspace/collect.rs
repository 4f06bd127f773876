//! Garbage: which blocks of the store a workspace needs, and which runs it can do without.
//!
//! A workspace needs the commits and change sets of all its history, and the runs that its branches,
//! its pins and its open snapshots read. Other runs are copies: any commit can be read from any run by
//! way of the change sets between them.

use std::collections::BTreeSet;
use std::sync::RwLockWriteGuard;

use super::refs::{self, Change, pin_name};
use super::verify::Walk;
use super::{CommitId, Workspace, WorkspaceError};
use crate::block::{BlockError, BlockId};

/// What a workspace needs of its store, and what it can let go.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    pub blocks: BTreeSet<BlockId>,
    /// Commits whose run is needed no more.
    pub spare_runs: Vec<CommitId>,
}

/// Finds which blocks a workspace needs, in two steps: most of the way beside the writers, and the rest,
/// what they wrote meanwhile, while they wait.
pub struct Marking<'a> {
    workspace: &'a Workspace,
    walk: Walk<'a>,
    /// How many runs behind each branch are needed, the latest ones.
    runs_kept: usize,
    spare_runs: Vec<CommitId>,
}

impl<'a> Marking<'a> {
    /// Marks what is needed now.
    pub fn begin(workspace: &'a Workspace, runs_kept: usize) -> Result<Marking<'a>, WorkspaceError> {
        let mut marking =
            Marking { workspace, walk: Walk::new(workspace), runs_kept, spare_runs: Vec::new() };
        marking.mark()?;
        Ok(marking)
    }

    /// Marks what came since; writers must wait, by [`Workspace::pause_writes`], from before this until
    /// all other blocks are dropped.
    ///
    /// # Errors
    /// [`BlockError::Corrupt`] if a block that leads to others cannot be read: what hangs below it cannot
    /// be known, and might be lost.
    pub fn finish(mut self) -> Result<Needs, WorkspaceError> {
        self.mark()?;
        Ok(Needs { blocks: self.walk.needed()?, spare_runs: self.spare_runs })
    }

    fn mark(&mut self) -> Result<(), WorkspaceError> {
        let workspace = self.workspace;
        workspace.inner.snapshots.clear();
        let mut commits = workspace.tips()?;
        let mut kept: BTreeSet<BlockId> = workspace.inner.upkeep.runs_in_use().into_iter().collect();
        for tip in &commits {
            kept.extend(workspace.runs_behind(*tip, self.runs_kept)?);
        }
        for (_, head) in workspace.remote_heads()? {
            kept.extend(head.manifest.map(|(_, root)| root));
        }
        let spare = workspace.inner.refs.manifests()?.into_iter().filter(|(_, root)| !kept.contains(root));
        self.spare_runs = spare.map(|(at, _)| at).collect();
        for root in kept {
            self.walk.run(root)?;
        }
        while let Some(commit) = commits.pop() {
            commits.extend(self.walk.commit(commit)?);
        }
        Ok(())
    }
}

impl Workspace {
    /// Keeps writers waiting until the guard is dropped.
    pub fn pause_writes(&self) -> RwLockWriteGuard<'_, ()> {
        self.inner.upkeep.pause_writes()
    }

    /// Returns the latest runs at or before a commit, as far back as history is here.
    fn runs_behind(&self, tip: CommitId, count: usize) -> Result<Vec<BlockId>, WorkspaceError> {
        let (mut roots, mut at) = (Vec::new(), Some(tip));
        while let Some(commit) = at.filter(|_| roots.len() < count) {
            roots.extend(self.inner.refs.manifest(commit)?);
            at = match self.commit(commit) {
                Ok(signed) => signed.commit.parents.first().copied(),
                Err(WorkspaceError::Block(BlockError::Unavailable(_))) => None,
                Err(error) => return Err(error),
            };
        }
        Ok(roots)
    }

    /// Forgets where deleted branches stood: what only they led to is garbage then.
    pub fn forget_gone(&self) -> Result<usize, WorkspaceError> {
        let gone = self.inner.refs.gone()?;
        for (name, commit) in &gone {
            let old = Some(&commit.0.as_bytes()[..]);
            self.inner.refs.update(&[Change { name: refs::gone_name(name), old, new: None }])?;
        }
        Ok(gone.len())
    }

    /// Forgets runs, so that their blocks are garbage.
    pub fn forget_runs(&self, of: &[CommitId]) -> Result<(), WorkspaceError> {
        for commit in of {
            if let Some(root) = self.inner.refs.manifest(*commit)? {
                let old = Some(&root.as_bytes()[..]);
                self.inner.refs.update(&[Change { name: refs::manifest_name(*commit), old, new: None }])?;
            }
        }
        self.inner.snapshots.clear();
        Ok(())
    }

    /// Returns all commits that history is kept from.
    fn tips(&self) -> Result<Vec<CommitId>, WorkspaceError> {
        let branches = self.branches()?;
        let latest = branches.iter().map(|(name, _)| self.inner.refs.latest_branch(name));
        let latest: Vec<Option<CommitId>> = latest.collect::<Result<_, _>>()?;
        let branches = branches.into_iter().map(|(_, commit)| commit);
        let gone = self.inner.refs.gone()?.into_iter().map(|(_, commit)| commit);
        let remote = self.remote_heads()?.into_iter().map(|(_, head)| head.commit);
        let pinned = self.pins()?.into_iter().map(|(_, commit)| commit);
        let claimed = self.inner.upkeep.claimed();
        let all = branches
            .chain(latest.into_iter().flatten())
            .chain(gone)
            .chain(remote)
            .chain(pinned)
            .chain(claimed);
        Ok(all.collect::<BTreeSet<CommitId>>().into_iter().collect())
    }

    /// Returns the pins and their commits, sorted by name.
    pub fn pins(&self) -> Result<Vec<(String, CommitId)>, WorkspaceError> {
        self.inner.refs.pins()
    }

    /// Keeps a commit, its history and the run that it is read from, whatever becomes of its branch.
    ///
    /// # Errors
    /// [`WorkspaceError::InvalidBranchName`] if the name cannot be one.
    pub fn pin(&self, name: &str, commit: CommitId) -> Result<(), WorkspaceError> {
        refs::check_branch_name(name)?;
        self.commit(commit)?;
        Ok(self.inner.refs.set(&pin_name(name), commit.0.as_bytes())?)
    }

    /// # Errors
    /// [`WorkspaceError::UnknownRef`] if there is no such pin.
    pub fn unpin(&self, name: &str) -> Result<(), WorkspaceError> {
        let pins = self.pins()?;
        let Some((_, commit)) = pins.iter().find(|(other, _)| other == name) else {
            return Err(WorkspaceError::UnknownRef(name.to_owned()));
        };
        let old = Some(&commit.0.as_bytes()[..]);
        Ok(self.inner.refs.update(&[Change { name: pin_name(name), old, new: None }])?)
    }
}
