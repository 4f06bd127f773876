//! `Closure`: all the blocks that some heads need, in the order in which a reader can use them.

use std::collections::{BTreeSet, BinaryHeap, HashSet};
use std::sync::Arc;

use super::{CommitChanges, CommitId, Head, Workspace, WorkspaceError};
use crate::block::BlockId;
use crate::graph::Run;

/// The blocks that whoever has certain commits lacks of certain heads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closure {
    /// Each once, in three waves: the commits, newest first; what it takes to read the heads, which is
    /// the changes since their runs and the runs, manifest before data; then the changes of older
    /// history, newest commit first.
    ///
    /// So a reader of the first wave knows the history, of the second answers queries, and only of the
    /// third needs all. The order follows from the commits alone.
    pub blocks: Vec<BlockId>,
    /// Commits that are named by a head or a commit of these and are not among them, sorted.
    pub prerequisites: Vec<CommitId>,
}

impl Workspace {
    /// Returns what the heads need. With `since`, leaves out the commits that it reaches, their change
    /// sets, and a run that it reads too. A head without a manifest takes no run along.
    ///
    /// # Errors
    /// If a commit, a change set or a manifest is out of reach: only they tell what else there is.
    pub fn closure(&self, heads: &[Head], since: Option<CommitId>) -> Result<Closure, WorkspaceError> {
        let mut reached = HashSet::new();
        let mut run_at_hand = None;
        if let Some(since) = since {
            for commit in self.log(since)? {
                reached.insert(commit?.id);
            }
            run_at_hand = self.nearest_manifest(since)?.map(|(_, root)| root);
        }
        let (commits, prerequisites) = self.commits_beyond(heads, &reached)?;
        let mut gathering = Gathering { workspace: self, seen: HashSet::new(), blocks: Vec::new() };
        gathering.add(commits.iter().map(|commit| commit.0));
        for head in heads {
            let Some((at, root)) = head.manifest else { continue };
            gathering.changes_between(at, head.commit, &reached)?;
            if run_at_hand != Some(root) {
                gathering.run(root)?;
            }
        }
        for commit in commits {
            gathering.changes_of(commit)?;
        }
        Ok(Closure { blocks: gathering.blocks, prerequisites: prerequisites.into_iter().collect() })
    }

    /// Returns the heads' commits and ancestors that are not `reached`, ordered as [`Workspace::log`]
    /// orders them, and those reached ones that they name.
    fn commits_beyond(
        &self,
        heads: &[Head],
        reached: &HashSet<CommitId>,
    ) -> Result<(Vec<CommitId>, BTreeSet<CommitId>), WorkspaceError> {
        let (mut commits, mut boundary) = (Vec::new(), BTreeSet::new());
        let mut seen = HashSet::new();
        let mut ahead = BinaryHeap::new();
        let mut named: Vec<CommitId> = heads.iter().map(|head| head.commit).collect();
        loop {
            for id in named {
                if reached.contains(&id) {
                    boundary.insert(id);
                } else if seen.insert(id) {
                    ahead.push((self.commit(id)?.commit.time_ms, id));
                }
            }
            let Some((_, newest)) = ahead.pop() else { return Ok((commits, boundary)) };
            commits.push(newest);
            named = self.commit(newest)?.commit.parents.clone();
        }
    }
}

struct Gathering<'a> {
    workspace: &'a Workspace,
    seen: HashSet<BlockId>,
    blocks: Vec<BlockId>,
}

impl Gathering<'_> {
    fn add(&mut self, ids: impl IntoIterator<Item = BlockId>) {
        for id in ids {
            if self.seen.insert(id) {
                self.blocks.push(id);
            }
        }
    }

    /// Adds the change sets from a commit, along first parents, to the one whose data the run holds.
    fn changes_between(
        &mut self,
        manifest: CommitId,
        head: CommitId,
        reached: &HashSet<CommitId>,
    ) -> Result<(), WorkspaceError> {
        let mut at = Some(head);
        while let Some(commit) = at.filter(|at| *at != manifest && !reached.contains(at)) {
            self.changes_of(commit)?;
            at = self.workspace.commit(commit)?.commit.parents.first().copied();
        }
        Ok(())
    }

    fn changes_of(&mut self, commit: CommitId) -> Result<(), WorkspaceError> {
        let signed = self.workspace.commit(commit)?;
        if let CommitChanges::Block(id) = signed.commit.changes {
            self.add([id]);
        }
        for change_set in self.workspace.change_sets(&[&signed])?.into_iter().flatten() {
            self.add(change_set.blocks().map(|(id, _)| id));
        }
        Ok(())
    }

    fn run(&mut self, root: BlockId) -> Result<(), WorkspaceError> {
        if !self.seen.contains(&root) {
            let run = Run::open(root, Arc::clone(self.workspace.reader()))?;
            self.add(run.blocks().into_iter().map(|(id, _)| id));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::tests::access;
    use super::super::{MAIN, Settings};
    use super::*;
    use crate::block::{BlockSink, BlockSource};
    use crate::blockstore::MemoryStore;
    use crate::model::NamedNode;

    fn load(workspace: &Workspace, branch: &str, subject: usize, count: usize, time_ms: i64) -> CommitId {
        let iri = |n: usize| NamedNode::new_unchecked(format!("http://example.org/{n}"));
        let graph = oxrdf::GraphName::DefaultGraph;
        let quads: Vec<oxrdf::Quad> = (0..count)
            .map(|n| oxrdf::Quad::new(iri(subject + n), iri(n % 7), iri(n / 3), graph.clone()))
            .collect();
        workspace.load(branch, [Ok::<_, std::io::Error>(quads)], "load", time_ms).unwrap().commit
    }

    /// A first load and three small ones on main, the last two after a branch has left with one of its own.
    fn fleet() -> (Arc<MemoryStore>, Workspace, Vec<CommitId>) {
        let store = Arc::new(MemoryStore::new());
        let workspace = Workspace::create(access(&store), Settings::default(), 0).unwrap();
        let mut commits = vec![load(&workspace, MAIN, 0, 2_000, 1), load(&workspace, MAIN, 9_000, 3, 2)];
        workspace.create_branch("side", commits[1]).unwrap();
        commits.push(load(&workspace, "side", 10_000, 3, 3));
        commits.extend(
            [(3, 4), (3_000, 5)]
                .map(|(count, time)| load(&workspace, MAIN, 11_000 * time, count, time as i64)),
        );
        (store, workspace, commits)
    }

    /// Puts the blocks into a store of their own and takes the workspace up there.
    fn carry(from: &MemoryStore, closure: &Closure, heads: &[Head]) -> Workspace {
        let store = Arc::new(MemoryStore::new());
        let blocks: Vec<_> = from.get(&closure.blocks).unwrap().into_iter().flatten().collect();
        store.put(&blocks).unwrap();
        Workspace::adopt(access(&store), heads).unwrap()
    }

    #[test]
    fn everything_is_just_what_a_clean_copy_takes() {
        let (store, workspace, _) = fleet();
        let heads = workspace.heads().unwrap();
        let closure = workspace.closure(&heads, None).unwrap();
        assert_eq!(closure.prerequisites, []);
        let report = carry(&store, &closure, &heads).verify().unwrap();
        assert!(report.is_clean(), "{report:?}");
        assert_eq!(report.blocks, closure.blocks.len() as u64, "nothing that nobody needs");
    }

    #[test]
    fn what_is_reached_stays_at_home() {
        let (_, workspace, commits) = fleet();
        let heads = workspace.heads().unwrap();
        let all = workspace.closure(&heads, None).unwrap();
        for (since, boundary) in [
            (commits[1], vec![commits[1]]),
            (commits[2], vec![commits[1], commits[2]]),
            (commits[4], vec![commits[1], commits[4]]),
        ] {
            let news = workspace.closure(&heads, Some(since)).unwrap();
            assert_eq!(news.prerequisites, BTreeSet::from_iter(boundary).into_iter().collect::<Vec<_>>());
            let manifest = workspace.nearest_manifest(since).unwrap();
            let head = Head { branch: MAIN.to_owned(), commit: since, manifest };
            let base = workspace.closure(&[head], None).unwrap();
            let both: HashSet<BlockId> = news.blocks.iter().chain(&base.blocks).copied().collect();
            assert_eq!(both, all.blocks.iter().copied().collect());
            assert_eq!(both.len(), news.blocks.len() + base.blocks.len(), "nothing twice");
        }
    }

    #[test]
    fn a_cut_file_serves_as_far_as_it_goes() {
        let (_, workspace, commits) = fleet();
        let heads = workspace.heads().unwrap();
        let blocks = workspace.closure(&heads, None).unwrap().blocks;
        let place: HashMap<BlockId, usize> = blocks.iter().enumerate().map(|(at, id)| (*id, at)).collect();
        let newest_first: Vec<BlockId> =
            workspace.log(commits[4]).unwrap().map(|commit| commit.unwrap().id.0).collect();
        assert!(newest_first.is_sorted_by_key(|id| place[id]));
        assert!(newest_first.iter().all(|id| place[id] < 1 + commits.len()), "history comes first");
        // Then what it takes to read the heads: the changes since their runs, which are large enough to
        // stand in blocks of their own, and the runs.
        let (_, root) = heads[0].manifest.unwrap();
        let CommitChanges::Block(newest) = workspace.commit(commits[4]).unwrap().commit.changes else {
            panic!()
        };
        assert!(place[&newest] > commits.len() && place[&newest] < place[&root]);
    }

    #[test]
    fn a_head_without_a_manifest_takes_no_run_along() {
        let (store, workspace, _) = fleet();
        let bare = |head| Head { manifest: None, ..head };
        let heads: Vec<Head> = workspace.heads().unwrap().into_iter().map(bare).collect();
        let closure = workspace.closure(&heads, None).unwrap();
        assert!(
            closure.blocks.len() < workspace.closure(&workspace.heads().unwrap(), None).unwrap().blocks.len()
        );
        let copy = carry(&store, &closure, &heads);
        assert!(copy.verify().unwrap().is_clean());
        assert_eq!(copy.verify().unwrap().runs, 0);
    }
}
