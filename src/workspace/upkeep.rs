//! What keeps a workspace in shape beside its queries and writers: which commits want folding, which
//! blocks are in use though no ref leads to them, and who must wait while garbage is collected.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use super::{CommitId, Snapshot};
use crate::block::BlockId;

/// Below this many changes folding is not urgent, however small the base.
const URGENT_CHANGES_MIN: u64 = 20_000;
/// Past this part of the base folding is urgent.
const URGENT_PART: u64 = 8;
/// At rest, so many commits since the base are worth a fold, or one for so many quads of the base.
const REST_COMMITS_MIN: u64 = 64;
const REST_QUADS_PER_COMMIT: u64 = 8192;
/// At rest, changes past this part of the base are.
const REST_PART: u64 = 64;

/// How badly a commit wants to be folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    Not,
    /// When nobody writes: opening and reading it costs more than it need.
    AtRest,
    /// Beside the writers: changes lie in memory, and they are many.
    Now,
}

impl Due {
    /// `commits` and `changes` came since the base.
    pub fn of(commits: u64, changes: u64, base_quads: u64) -> Due {
        if changes > URGENT_CHANGES_MIN.max(base_quads / URGENT_PART) {
            return Due::Now;
        }
        let commits_max = REST_COMMITS_MIN.max(base_quads / REST_QUADS_PER_COMMIT);
        let is_long = commits > commits_max || changes > (base_quads / REST_PART).max(1);
        if is_long && commits > 1 { Due::AtRest } else { Due::Not }
    }
}

#[derive(Default)]
pub struct Upkeep {
    /// Read by whoever puts blocks that a ref will lead to, written by whoever collects garbage.
    writing: RwLock<()>,
    /// Held by whoever folds: two folds at once would do one work twice.
    folding: Mutex<()>,
    claims: Mutex<BTreeMap<CommitId, usize>>,
    /// Branches that were written to since they were last looked at, and how often any was.
    touched: Mutex<(BTreeSet<String>, u64)>,
    /// Snapshots that may be in use, with the runs that they read.
    open: Mutex<Vec<(Weak<Snapshot>, BlockId)>>,
}

impl Upkeep {
    /// Takes a turn at putting blocks; until it is given back no garbage is collected.
    pub fn write_turn(&self) -> RwLockReadGuard<'_, ()> {
        self.writing.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for all writers, and keeps others waiting.
    pub fn pause_writes(&self) -> RwLockWriteGuard<'_, ()> {
        self.writing.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn fold_turn(&self) -> MutexGuard<'_, ()> {
        self.folding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims a commit that no ref leads to.
    pub fn claim(&self, commit: CommitId) {
        *hold(&self.claims).entry(commit).or_default() += 1;
    }

    /// Gives a claim up, if there is one.
    pub fn release(&self, commit: CommitId) {
        let mut claims = hold(&self.claims);
        if let Some(count) = claims.get_mut(&commit) {
            *count -= 1;
            if *count == 0 {
                claims.remove(&commit);
            }
        }
    }

    pub fn claimed(&self) -> Vec<CommitId> {
        hold(&self.claims).keys().copied().collect()
    }

    /// Takes note that a branch was written to.
    pub fn touch(&self, branch: &str) {
        let mut touched = hold(&self.touched);
        if !touched.0.contains(branch) {
            touched.0.insert(branch.to_owned());
        }
        touched.1 += 1;
    }

    /// Returns the branches that were written to and not settled since, and how many writes there were.
    pub fn touched(&self) -> (Vec<String>, u64) {
        let touched = hold(&self.touched);
        (touched.0.iter().cloned().collect(), touched.1)
    }

    /// Takes note that a branch needs no looking after until it is written to again.
    pub fn settle(&self, branch: &str) {
        hold(&self.touched).0.remove(branch);
    }

    /// Takes note of a snapshot, so that its run is not collected while somebody reads it.
    pub fn note(&self, snapshot: &Arc<Snapshot>) {
        let Some((_, root)) = snapshot.manifest() else { return };
        let mut open = hold(&self.open);
        if open.len() == open.capacity() {
            open.retain(|(snapshot, _)| snapshot.strong_count() > 0);
        }
        open.push((Arc::downgrade(snapshot), root));
    }

    /// Returns the runs that snapshots in use read, each once.
    pub fn runs_in_use(&self) -> Vec<BlockId> {
        let mut open = hold(&self.open);
        open.retain(|(snapshot, _)| snapshot.strong_count() > 0);
        let mut roots: Vec<BlockId> = open.iter().map(|(_, root)| *root).collect();
        roots.sort_unstable();
        roots.dedup();
        roots
    }
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_is_due_by_what_it_saves() {
        for (commits, changes, base, due) in [
            (0, 0, 0, Due::Not),
            (1, 5, 1_000_000, Due::Not),
            (100, 100, 1_000_000, Due::Not),
            (123, 123, 1_000_000, Due::AtRest),
            (2, 16_000, 1_000_000, Due::AtRest),
            (2, 200_000, 1_000_000, Due::Now),
            (1, 15_000, 0, Due::Not),
            (65, 65, 10, Due::AtRest),
            (1, 30_000, 1000, Due::Now),
            (100, 100, 100_000_000, Due::Not),
        ] {
            assert_eq!(Due::of(commits, changes, base), due, "{commits} {changes} {base}");
        }
    }
}
