//! How a branch of ours follows what another says of a branch of that name.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use super::relation::{Relation, relation};
use crate::workspace::{CommitId, Head, Workspace, WorkspaceError};

/// A branch of ours that followed another's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchMove {
    pub branch: String,
    /// `None` if the branch is new here.
    pub from: Option<CommitId>,
    pub to: CommitId,
}

/// What became of a branch when another's head was followed.
pub(super) enum Step {
    /// It is where it was: it stands there too, leads, or was deleted.
    Stayed,
    Moved(BranchMove),
    /// Both sides have commits of their own: somebody has to merge.
    Diverged,
}

/// Pairs (ours, theirs) where neither is simply ahead.
#[derive(Default)]
pub(super) struct ApartCommits(Mutex<HashSet<(CommitId, CommitId)>>);

impl ApartCommits {
    fn contain(&self, ours: CommitId, theirs: CommitId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&(ours, theirs))
    }

    fn insert(&self, ours: CommitId, theirs: CommitId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((ours, theirs));
    }
}

/// Returns the branches of a peer that it has shown before.
pub(super) fn known_branches(workspace: &Workspace, peer: &str) -> Result<HashSet<String>, WorkspaceError> {
    let heads = workspace.remote_heads()?.into_iter();
    Ok(heads.filter(|(of, _)| of == peer).map(|(_, head)| head.branch).collect())
}

/// Moves our branch to the head if it has no commits of its own, and makes it if the head is shown for
/// the first time. Nothing is merged.
pub(super) fn follow(
    workspace: &Workspace,
    head: &Head,
    was_known: bool,
    apart: &ApartCommits,
) -> Result<Step, WorkspaceError> {
    let (branch, to) = (&head.branch, head.commit);
    let moved = |from| Step::Moved(BranchMove { branch: branch.clone(), from, to });
    let from = match workspace.branch(branch) {
        Ok(from) => from,
        // Deleted here after it was first shown: that stays so.
        Err(WorkspaceError::UnknownRef(_)) if was_known => return Ok(Step::Stayed),
        Err(WorkspaceError::UnknownRef(_)) => {
            workspace.create_branch(branch, to)?;
            return Ok(moved(None));
        }
        Err(error) => return Err(error),
    };
    let stand = if apart.contain(from, to) { Relation::Apart } else { relation(workspace, from, to)? };
    match stand {
        Relation::Same | Relation::WeLead => Ok(Step::Stayed),
        Relation::TheyLead => {
            workspace.fast_forward(branch, to)?;
            Ok(moved(Some(from)))
        }
        Relation::Apart => {
            apart.insert(from, to);
            Ok(Step::Diverged)
        }
    }
}
