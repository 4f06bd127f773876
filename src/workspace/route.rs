//! The way to the data of a commit: from a commit whose data lies ready, redo the changes that come
//! after it, or undo those that it has and the wanted one has not.

use std::sync::Arc;

use super::{CommitId, SignedCommit, Snapshot, Workspace, WorkspaceError};
use crate::block::BlockId;

/// A change set with blocks of rows of its own costs as much as so many small ones for each.
const BLOCK_COST: u64 = 1000;
/// And what is not here is to be avoided.
const OUT_OF_REACH_COST: u64 = 1 << 40;
/// With no more steps than this from a commit before, no other way is looked for.
const STEPS_FEW: usize = 64;

/// Where a way begins, and its steps in order.
pub struct Route {
    pub start: Start,
    pub steps: Vec<Step>,
}

pub enum Start {
    /// A snapshot that is open.
    Snapshot(Arc<Snapshot>),
    /// A commit that has a run.
    Manifest(CommitId, BlockId),
    /// Before the first commit, where there is no data.
    Nothing,
}

pub enum Step {
    /// From the commit's parent to the commit.
    Redo(Arc<SignedCommit>),
    /// From the commit to its parent.
    Undo(Arc<SignedCommit>),
}

impl Step {
    /// Returns the commit whose changes lie between the two.
    pub fn signed(&self) -> &SignedCommit {
        let (Step::Redo(signed) | Step::Undo(signed)) = self;
        signed
    }
}

/// Finds the way to a commit that costs least.
///
/// # Errors
/// If a commit on the way back from it is out of reach. Ways from later commits that cannot be walked
/// are left out.
pub fn find(workspace: &Workspace, to: CommitId) -> Result<Route, WorkspaceError> {
    let back = from_before(workspace, to)?;
    if back.steps.len() <= STEPS_FEW && !matches!(back.start, Start::Nothing) {
        return Ok(back);
    }
    let mut best = (cost(workspace, &back.steps), back);
    for (at, start) in later_starts(workspace)? {
        if let Some((cost, steps)) = from_later(workspace, at, to, best.0) {
            best = (cost, Route { start, steps });
        }
    }
    Ok(best.1)
}

/// Walks back along first parents to a commit whose data lies ready.
fn from_before(workspace: &Workspace, to: CommitId) -> Result<Route, WorkspaceError> {
    let mut steps = Vec::new();
    let mut at = to;
    let start = loop {
        if let Some(snapshot) = workspace.inner.snapshots.get(at) {
            break Start::Snapshot(snapshot);
        }
        if let Some(root) = workspace.inner.refs.manifest(at)? {
            break Start::Manifest(at, root);
        }
        let signed = workspace.commit(at)?;
        let parent = signed.commit.parents.first().copied();
        steps.push(Step::Redo(signed));
        match parent {
            Some(parent) => at = parent,
            None => break Start::Nothing,
        }
    };
    steps.reverse();
    Ok(Route { start, steps })
}

/// Returns the commits whose data lies ready, open ones first.
fn later_starts(workspace: &Workspace) -> Result<Vec<(CommitId, Start)>, WorkspaceError> {
    let open = workspace.inner.snapshots.all().into_iter();
    let mut starts: Vec<(CommitId, Start)> =
        open.map(|snapshot| (snapshot.commit(), Start::Snapshot(snapshot))).collect();
    let manifests = workspace.inner.refs.manifests()?.into_iter();
    starts.extend(manifests.map(|(at, root)| (at, Start::Manifest(at, root))));
    Ok(starts)
}

/// Walks back from a commit to one before it, as long as that costs less than `below`; returns the cost
/// and the steps.
fn from_later(workspace: &Workspace, from: CommitId, to: CommitId, below: u64) -> Option<(u64, Vec<Step>)> {
    let (mut at, mut steps, mut cost) = (from, Vec::new(), 0);
    while at != to {
        // Somebody else's history may be out of reach; it is not needed.
        let signed = workspace.commit(at).ok()?;
        let parent = signed.commit.parents.first().copied()?;
        cost += 1;
        if cost >= below {
            return None;
        }
        steps.push(Step::Undo(signed));
        at = parent;
    }
    let cost = self::cost(workspace, &steps);
    (cost < below).then_some((cost, steps))
}

fn cost(workspace: &Workspace, steps: &[Step]) -> u64 {
    let signed: Vec<&SignedCommit> = steps.iter().map(Step::signed).collect();
    let Ok(change_sets) = workspace.change_sets(&signed) else { return OUT_OF_REACH_COST };
    let blocks = change_sets.iter().flatten().map(|change_set| change_set.blocks().count() as u64);
    steps.len() as u64 + blocks.map(|count| BLOCK_COST * count).sum::<u64>()
}
