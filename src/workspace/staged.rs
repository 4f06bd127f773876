//! `Staged`: a commit that others may build on before it is sealed.

use std::sync::Arc;

use super::change_set::Changes;
use super::transaction::Pending;
use super::{CommitId, Snapshot, Workspace, WorkspaceError};
use crate::block::SealedBlock;

/// What a transaction changed, as a commit that has no id yet: to seal and to sign takes as long as to change a
/// little, and need not keep the next writer waiting.
pub struct Staged {
    pub(super) parent: Arc<Snapshot>,
    /// The parent itself if nothing changed.
    pub(super) child: Arc<Snapshot>,
    pub(super) changes: Arc<Changes>,
    pub(super) message: String,
    pub(super) time_ms: i64,
}

impl Staged {
    /// Returns the data as of the commit.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.child
    }

    /// Returns whether what it was staged on is a commit by now.
    pub fn is_on_sealed(&self) -> bool {
        self.parent.is_sealed()
    }

    /// Seals the commit on top of what its parent was sealed as; `None` if nothing changed. A large change set is
    /// stored at once, in blocks of its own.
    pub(super) fn seal(
        &self,
        workspace: &Workspace,
        parent: CommitId,
    ) -> Result<Option<(CommitId, SealedBlock)>, WorkspaceError> {
        if Arc::ptr_eq(&self.child, &self.parent) {
            return Ok(None);
        }
        let (key, store) = (&workspace.inner.key, &workspace.inner.store);
        let changes = self.changes.write(self.child.view(), key, &**store)?;
        workspace.seal_commit(parent, changes, &self.message, self.time_ms).map(Some)
    }
}

impl Workspace {
    /// Seals commits of a branch, each staged on top of the one before, and appends them in one write. Returns
    /// those that were, from the first on; none of the rest was, and who made it begins again.
    ///
    /// # Errors
    /// What the first failed with, or all together; nothing was appended then. [`WorkspaceError::Conflict`] if the
    /// branch moved, or what the first was staged on did not become a commit.
    pub fn append_staged(&self, branch: &str, chain: &[&Staged]) -> Result<Vec<Pending>, WorkspaceError> {
        let Some(first) = chain.first() else { return Ok(Vec::new()) };
        let inner = &self.inner;
        let _turn = inner.upkeep.write_turn();
        let Some(begin) = first.parent.sealed() else { return Err(self.conflict(branch)) };
        let (mut at, mut end, mut ids, mut blocks) = (begin, &first.parent, Vec::new(), Vec::new());
        for staged in chain {
            if !Arc::ptr_eq(&staged.parent, end) {
                break;
            }
            match staged.seal(self, at) {
                Ok(Some((id, block))) => {
                    at = id;
                    blocks.push(block);
                }
                Ok(None) => {}
                Err(error) if ids.is_empty() => return Err(error),
                Err(_) => break,
            }
            ids.push(at);
            end = &staged.child;
        }
        let ticket = match at == begin {
            // What is there may be on its way to the disk itself.
            true => inner.refs.append(&[], &[])?,
            false => self.append_branch(branch, begin, Some(at), &blocks)?,
        };
        chain.iter().zip(&ids).for_each(|(staged, id)| staged.child.seal_as(*id));
        if at != begin {
            // Of those between nobody is likely to ask.
            self.note_child(branch, end);
        }
        let pending = |commit| Pending { workspace: self.clone(), commit, ticket };
        Ok(ids.into_iter().map(pending).collect())
    }

    /// Notes the commit that a branch was moved to.
    pub(super) fn note_child(&self, branch: &str, child: &Arc<Snapshot>) {
        self.inner.upkeep.touch(branch);
        self.inner.snapshots.add(Arc::clone(child));
    }
}
