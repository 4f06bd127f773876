//! How two commits stand to each other in history.

use std::collections::HashSet;

use crate::workspace::{CommitId, Log, Workspace, WorkspaceError};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Same,
    /// Theirs comes after ours: ours can simply move there.
    TheyLead,
    WeLead,
    /// Each has commits that the other lacks.
    Apart,
}

/// Compares two commits. Walks back from both by turns, so that it reads about as many commits as lie between
/// them: history that is far away is not fetched for it.
///
/// Where a common ancestor is found and each walk is past the other's start by their clocks, they
/// are taken to be apart; clocks that differ much can make a merge necessary that was none.
pub(super) fn relation(
    workspace: &Workspace,
    ours: CommitId,
    theirs: CommitId,
) -> Result<Relation, WorkspaceError> {
    if ours == theirs {
        return Ok(Relation::Same);
    }
    let (our_time, their_time) = (time_ms(workspace, ours)?, time_ms(workspace, theirs)?);
    let mut from_theirs = Walk::new(workspace, theirs, our_time)?;
    let mut from_ours = Walk::new(workspace, ours, their_time)?;
    loop {
        if from_theirs.step()? == Some(ours) {
            return Ok(Relation::TheyLead);
        }
        if from_ours.step()? == Some(theirs) {
            return Ok(Relation::WeLead);
        }
        let is_over = |walk: &Walk| walk.is_done || walk.is_past;
        let have_met = || !from_ours.seen.is_disjoint(&from_theirs.seen);
        if (from_ours.is_done && from_theirs.is_done)
            || (is_over(&from_ours) && is_over(&from_theirs) && have_met())
        {
            return Ok(Relation::Apart);
        }
    }
}

fn time_ms(workspace: &Workspace, commit: CommitId) -> Result<i64, WorkspaceError> {
    Ok(workspace.commit(commit)?.commit.time_ms)
}

struct Walk {
    log: Log,
    seen: HashSet<CommitId>,
    until_ms: i64,
    /// The walk has come to commits older than what it looks for.
    is_past: bool,
    is_done: bool,
}

impl Walk {
    fn new(workspace: &Workspace, from: CommitId, until_ms: i64) -> Result<Walk, WorkspaceError> {
        let log = workspace.log(from)?;
        Ok(Walk { log, seen: HashSet::new(), until_ms, is_past: false, is_done: false })
    }

    fn step(&mut self) -> Result<Option<CommitId>, WorkspaceError> {
        let Some(commit) = self.log.next().transpose()? else {
            self.is_done = true;
            return Ok(None);
        };
        self.is_past |= commit.commit.time_ms < self.until_ms;
        self.seen.insert(commit.id);
        Ok(Some(commit.id))
    }
}
