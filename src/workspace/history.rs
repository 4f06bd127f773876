//! Ways through history: revisions by name, ancestors, the log.

use std::collections::{BinaryHeap, HashSet};
use std::sync::Arc;

use super::{CommitId, SignedCommit, Workspace, WorkspaceError};
use crate::block::{BlockError, BlockId};

impl Workspace {
    /// Returns the commit that a revision names: a branch, `<peer>/<branch>`, `commit:<cid>` or
    /// `<cid>`, then any number of `~`, `~n` (n steps along first parents), `^`, `^n` (the nth parent).
    ///
    /// # Errors
    /// [`WorkspaceError::UnknownRef`] with the whole revision.
    pub fn resolve(&self, revision: &str) -> Result<CommitId, WorkspaceError> {
        let unknown = || WorkspaceError::UnknownRef(revision.to_owned());
        let end = revision.find(['~', '^']).unwrap_or(revision.len());
        let (name, mut steps) = revision.split_at(end);
        let mut at = self.resolve_name(name)?.ok_or_else(unknown)?;
        while let Some(kind) = steps.chars().next() {
            let digits = &steps[1..];
            let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            let count = match &digits[..end] {
                "" => 1,
                number => number.parse::<u32>().map_err(|_| unknown())?,
            };
            steps = &digits[end..];
            at = match kind {
                '~' => self.nth_ancestor(at, count)?,
                '^' => self.nth_parent(at, count)?,
                _ => None,
            }
            .ok_or_else(unknown)?;
        }
        Ok(at)
    }

    fn resolve_name(&self, name: &str) -> Result<Option<CommitId>, WorkspaceError> {
        if let Some(commit) = self.inner.refs.branch(name)? {
            return Ok(Some(commit));
        }
        let Ok(commit) = name.parse::<CommitId>() else {
            let remotes = self.remote_heads()?.into_iter();
            let mut named = remotes.filter(|(peer, head)| {
                name.split_once('/').is_some_and(|(of, branch)| of == peer && branch == head.branch)
            });
            return Ok(named.next().map(|(_, head)| head.commit));
        };
        match self.commit(commit) {
            Ok(_) => Ok(Some(commit)),
            // What nobody has, and what is there but no commit of ours.
            Err(WorkspaceError::Block(BlockError::Unavailable(_) | BlockError::NoKey(_))) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn nth_ancestor(&self, from: CommitId, count: u32) -> Result<Option<CommitId>, WorkspaceError> {
        let mut at = from;
        for _ in 0..count {
            match self.nth_parent(at, 1)? {
                Some(parent) => at = parent,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// Returns the `n`th parent, from 1; the commit itself for 0.
    fn nth_parent(&self, of: CommitId, n: u32) -> Result<Option<CommitId>, WorkspaceError> {
        let Some(index) = n.checked_sub(1) else { return Ok(Some(of)) };
        Ok(self.commit(of)?.commit.parents.get(index as usize).copied())
    }

    /// Walks a commit and its ancestors, each once, later ones first (by time, then by id; a child
    /// always before its parents as far as clocks allow).
    pub fn log(&self, from: CommitId) -> Result<Log, WorkspaceError> {
        let mut log = Log { workspace: self.clone(), seen: HashSet::new(), ahead: BinaryHeap::new() };
        log.visit(from)?;
        Ok(log)
    }

    /// Returns whether `ancestor` is `of` or comes before it.
    pub fn is_ancestor(&self, ancestor: CommitId, of: CommitId) -> Result<bool, WorkspaceError> {
        for commit in self.log(of)? {
            if commit?.id == ancestor {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the nearest commit along first parents that has a manifest, and the manifest.
    pub(super) fn nearest_manifest(
        &self,
        from: CommitId,
    ) -> Result<Option<(CommitId, BlockId)>, WorkspaceError> {
        let mut at = Some(from);
        while let Some(commit) = at {
            if let Some(snapshot) = self.inner.snapshots.get(commit) {
                return Ok(snapshot.manifest());
            }
            if let Some(root) = self.inner.refs.manifest(commit)? {
                return Ok(Some((commit, root)));
            }
            at = self.commit(commit)?.commit.parents.first().copied();
        }
        Ok(None)
    }
}

/// The commits of [`Workspace::log`]. Reads each as it is reached; ends after the first error.
pub struct Log {
    workspace: Workspace,
    seen: HashSet<CommitId>,
    ahead: BinaryHeap<Visit>,
}

struct Visit(Arc<SignedCommit>);

impl Visit {
    fn key(&self) -> (i64, CommitId) {
        (self.0.commit.time_ms, self.0.id)
    }
}

impl PartialEq for Visit {
    fn eq(&self, other: &Visit) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Visit {}

impl PartialOrd for Visit {
    fn partial_cmp(&self, other: &Visit) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Visit {
    fn cmp(&self, other: &Visit) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl Log {
    fn visit(&mut self, id: CommitId) -> Result<(), WorkspaceError> {
        if self.seen.insert(id) {
            self.ahead.push(Visit(self.workspace.commit(id)?));
        }
        Ok(())
    }
}

impl Iterator for Log {
    type Item = Result<Arc<SignedCommit>, WorkspaceError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Visit(commit) = self.ahead.pop()?;
        for parent in &commit.commit.parents {
            if let Err(error) = self.visit(*parent) {
                self.ahead.clear();
                return Some(Err(error));
            }
        }
        Some(Ok(commit))
    }
}
