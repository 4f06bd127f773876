//! A workspace: one graph with a history, as a user knows it: branches, commits, snapshots,
//! transactions.
//!
//! It reads blocks through a [`BlockReader`] and keeps names in a [`Store`]; where blocks come from
//! when the store lacks them, it does not know. It knows no query and no query language, and no
//! peers: the network tells it heads, and moves the blocks that it asks for. It reads no clock.

mod base;
mod change_set;
mod closure;
mod collect;
mod commit;
mod encoding;
#[cfg(test)]
mod equivalence_tests;
mod error;
mod facts;
mod fold;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(test)]
mod golden;
mod history;
mod load;
mod merge_scan;
mod overlay;
mod patched_scan;
mod refs;
mod route;
mod settings;
mod snapshot;
mod staged;
#[cfg(test)]
mod tests;
mod transaction;
mod upkeep;
mod verify;
mod view;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

pub use closure::Closure;
pub use collect::{Marking, Needs};
pub use commit::{Commit, CommitChanges, CommitId, MESSAGE_BYTES_MAX, Origin, SignedCommit};
pub use error::WorkspaceError;
pub use history::Log;
pub use load::{BlankNames, FeedError, Intake, Loaded};
pub use refs::{Head, check_branch_name};
pub use settings::Settings;
pub use snapshot::Snapshot;
pub use staged::Staged;
pub use transaction::{Pending, Transaction};
pub use upkeep::Due;
pub use verify::Verification;

use crate::block::{BlockKind, BlockReader, BlockSource, SealedBlock};
use crate::blockstore::{Store, StoreError, Ticket};
use crate::crypto::{EpochKey, PublicKey, SecretKey, WorkspaceId};
use refs::{Change, WorkspaceRefs, branch_name};
use snapshot::SnapshotCache;
use upkeep::Upkeep;

/// The branch that a workspace begins with.
pub const MAIN: &str = "main";

/// What a workspace stands on.
pub struct Access {
    /// Where this node keeps blocks and names.
    pub store: Arc<dyn Store>,
    /// Where blocks are read: the store, and perhaps others behind it.
    pub source: Arc<dyn BlockSource>,
    /// Opens and seals the blocks; it says which workspace this is.
    pub key: EpochKey,
    /// Signs this node's commits.
    pub author: SecretKey,
    pub memory: MemoryLimits,
}

/// How much memory a workspace may take, about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Bytes of opened blocks that are kept.
    pub cache_bytes_max: u64,
    /// Bytes that a load or a fold works with; what does not fit is laid down in scratch space.
    pub work_bytes_max: usize,
}

impl Default for MemoryLimits {
    fn default() -> MemoryLimits {
        MemoryLimits { cache_bytes_max: 256 << 20, work_bytes_max: 128 << 20 }
    }
}

/// A graph with a history. A clone is another handle of the same.
#[derive(Clone)]
pub struct Workspace {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    refs: WorkspaceRefs,
    reader: Arc<BlockReader>,
    key: EpochKey,
    author: SecretKey,
    work_bytes_max: usize,
    upkeep: Upkeep,
    settings: Mutex<Option<Arc<Settings>>>,
    genesis: OnceLock<CommitId>,
    snapshots: SnapshotCache,
}

impl Workspace {
    /// Makes a workspace: a genesis commit with the settings, and branch [`MAIN`] at it.
    ///
    /// # Errors
    /// [`WorkspaceError::WorkspaceExists`] if the store holds it already.
    pub fn create(access: Access, settings: Settings, time_ms: i64) -> Result<Workspace, WorkspaceError> {
        let workspace = Workspace::over(access);
        let commit = Commit {
            parents: Vec::new(),
            changes: CommitChanges::Nothing,
            author: workspace.author(),
            time_ms,
            message: format!("begin {}", settings.name).trim_end().to_owned(),
            origin: Origin::Genesis(settings),
        };
        let (id, block) = commit.seal(&workspace.inner.author, &workspace.inner.key);
        workspace.inner.store.put(&[block])?;
        workspace.begin_refs(&[Head { branch: MAIN.to_owned(), commit: id, manifest: None }])?;
        Ok(workspace)
    }

    /// Opens a workspace that the store holds.
    ///
    /// # Errors
    /// [`WorkspaceError::UnknownWorkspace`] if it holds none under the key's workspace id.
    pub fn open(access: Access) -> Result<Workspace, WorkspaceError> {
        let workspace = Workspace::over(access);
        match workspace.inner.refs.default_branch()? {
            Some(_) => Ok(workspace),
            None => Err(WorkspaceError::UnknownWorkspace(workspace.id())),
        }
    }

    /// Takes up a workspace that others have: notes its heads, and opens it. Reads no block: they
    /// arrive through the source as they are needed. The first head's branch is the default.
    ///
    /// # Errors
    /// [`WorkspaceError::WorkspaceExists`] if the store holds it already.
    pub fn adopt(access: Access, heads: &[Head]) -> Result<Workspace, WorkspaceError> {
        let workspace = Workspace::over(access);
        for head in heads {
            refs::check_branch_name(&head.branch)?;
            if let Some((at, root)) = head.manifest {
                workspace.note_manifest(at, root)?;
            }
        }
        workspace.begin_refs(heads)?;
        Ok(workspace)
    }

    fn over(access: Access) -> Workspace {
        let Access { store, source, key, author, memory } = access;
        let inner = Inner {
            refs: WorkspaceRefs::new(Arc::clone(&store), key.workspace()),
            reader: Arc::new(BlockReader::new(source, key.clone(), memory.cache_bytes_max)),
            store,
            key,
            author,
            work_bytes_max: memory.work_bytes_max,
            upkeep: Upkeep::default(),
            settings: Mutex::default(),
            genesis: OnceLock::new(),
            snapshots: SnapshotCache::default(),
        };
        Workspace { inner: Arc::new(inner) }
    }

    fn begin_refs(&self, heads: &[Head]) -> Result<(), WorkspaceError> {
        let default = heads.first().map_or(MAIN, |head| &head.branch);
        let mut changes =
            vec![Change { name: "default".to_owned(), old: None, new: Some(default.as_bytes()) }];
        for head in heads {
            let new = Some(&head.commit.0.as_bytes()[..]);
            changes.push(Change { name: branch_name(&head.branch), old: None, new });
        }
        self.inner.refs.update(&changes).map_err(|error| match error {
            StoreError::RefChanged { .. } => WorkspaceError::WorkspaceExists(self.id()),
            error => error.into(),
        })
    }

    pub fn id(&self) -> WorkspaceId {
        self.inner.key.workspace()
    }

    /// Returns who signs the commits of this node.
    pub fn author(&self) -> PublicKey {
        self.inner.author.public()
    }

    /// Returns the reader that all of this workspace is read through.
    pub fn reader(&self) -> &Arc<BlockReader> {
        &self.inner.reader
    }

    /// Returns the settings, which stand in the genesis commit.
    ///
    /// # Errors
    /// If that commit is out of reach: an adopted workspace may have to fetch it.
    pub fn settings(&self) -> Result<Arc<Settings>, WorkspaceError> {
        let mut known = self.inner.settings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(settings) = &*known {
            return Ok(Arc::clone(settings));
        }
        let head = self.resolve(&self.default_branch()?)?;
        let genesis = self.commit(self.genesis(head)?)?;
        let Origin::Genesis(settings) = &genesis.commit.origin else {
            return Err(crate::block::BlockError::Corrupt {
                id: genesis.id.0,
                reason: "a commit names it as its genesis, which it is not".to_owned(),
            }
            .into());
        };
        let settings = Arc::new(settings.clone());
        *known = Some(Arc::clone(&settings));
        Ok(settings)
    }

    /// Returns the commit that the history of `commit` began with: one workspace has one.
    fn genesis(&self, commit: CommitId) -> Result<CommitId, WorkspaceError> {
        match self.inner.genesis.get() {
            Some(genesis) => Ok(*genesis),
            None => {
                let genesis = self.commit(commit)?.genesis();
                Ok(*self.inner.genesis.get_or_init(|| genesis))
            }
        }
    }

    /// Returns one commit. Its signature is checked by [`Workspace::verify`], not on every read.
    pub fn commit(&self, id: CommitId) -> Result<Arc<SignedCommit>, WorkspaceError> {
        let mut found = self.inner.reader.get_decoded::<SignedCommit>(&[id.0])?;
        Ok(found.pop().expect("one block was asked for"))
    }

    /// Returns the change sets of commits, in order; `None` for those that changed nothing. One request
    /// for all that stand in blocks of their own.
    fn change_sets(
        &self,
        commits: &[&SignedCommit],
    ) -> Result<Vec<Option<Arc<change_set::ChangeSet>>>, WorkspaceError> {
        let ids = commits.iter().filter_map(|signed| match &signed.commit.changes {
            CommitChanges::Block(id) => Some(*id),
            CommitChanges::Nothing | CommitChanges::Here(_) => None,
        });
        let mut found = self.inner.reader.get_decoded(&ids.collect::<Vec<_>>())?.into_iter();
        let one = |signed: &&SignedCommit| match &signed.commit.changes {
            CommitChanges::Nothing => None,
            CommitChanges::Here(change_set) => Some(Arc::clone(change_set)),
            CommitChanges::Block(_) => found.next(),
        };
        Ok(commits.iter().map(one).collect())
    }

    pub fn default_branch(&self) -> Result<String, WorkspaceError> {
        self.inner.refs.default_branch()?.ok_or(WorkspaceError::UnknownWorkspace(self.id()))
    }

    /// Makes another branch the default one.
    pub fn set_default_branch(&self, name: &str) -> Result<(), WorkspaceError> {
        self.branch(name)?;
        Ok(self.inner.refs.set("default", name.as_bytes())?)
    }

    /// Returns the branches and their commits, sorted by name.
    pub fn branches(&self) -> Result<Vec<(String, CommitId)>, WorkspaceError> {
        self.inner.refs.branches()
    }

    /// Returns where a branch is now.
    ///
    /// # Errors
    /// [`WorkspaceError::UnknownRef`] if there is none of this name.
    pub fn branch(&self, name: &str) -> Result<CommitId, WorkspaceError> {
        self.inner.refs.branch(name)?.ok_or_else(|| WorkspaceError::UnknownRef(name.to_owned()))
    }

    /// Makes a branch: one small write, whatever the data's size.
    pub fn create_branch(&self, name: &str, at: CommitId) -> Result<(), WorkspaceError> {
        refs::check_branch_name(name)?;
        let new = Some(&at.0.as_bytes()[..]);
        let change = Change { name: branch_name(name), old: None, new };
        self.inner.refs.update(&[change]).map_err(|error| match error {
            StoreError::RefChanged { .. } => WorkspaceError::BranchExists(name.to_owned()),
            error => error.into(),
        })
    }

    /// Deletes a branch. Its commits stay until [`Workspace::forget_gone`] and a collection of garbage.
    pub fn delete_branch(&self, name: &str) -> Result<(), WorkspaceError> {
        if self.default_branch()? == name {
            return Err(WorkspaceError::DefaultBranch(name.to_owned()));
        }
        let at = self.branch(name)?;
        self.inner.refs.set(&refs::gone_name(name), at.0.as_bytes())?;
        self.move_branch(name, at, None)
    }

    /// Moves a branch forward to a commit that descends from where it is.
    ///
    /// # Errors
    /// [`WorkspaceError::Conflict`] if it does not descend.
    pub fn fast_forward(&self, name: &str, to: CommitId) -> Result<(), WorkspaceError> {
        let at = self.branch(name)?;
        if at == to {
            return Ok(());
        }
        if !self.is_ancestor(at, to)? {
            return Err(WorkspaceError::Conflict { branch: name.to_owned(), theirs: at });
        }
        self.move_branch(name, at, Some(to))
    }

    fn move_branch(&self, name: &str, from: CommitId, to: Option<CommitId>) -> Result<(), WorkspaceError> {
        let ticket = self.append_branch(name, from, to, &[])?;
        Ok(self.inner.store.wait(ticket)?)
    }

    /// Stores blocks and moves a branch for writers; for readers it moves once the ticket was waited for.
    fn append_branch(
        &self,
        name: &str,
        from: CommitId,
        to: Option<CommitId>,
        blocks: &[SealedBlock],
    ) -> Result<Ticket, WorkspaceError> {
        let old = Some(&from.0.as_bytes()[..]);
        let new = to.as_ref().map(|to| &to.0.as_bytes()[..]);
        match self.inner.refs.append(blocks, &[Change { name: branch_name(name), old, new }]) {
            Err(StoreError::RefChanged { .. }) => Err(self.conflict(name)),
            result => Ok(result?),
        }
    }

    /// Returns the error of who finds a branch elsewhere.
    fn conflict(&self, name: &str) -> WorkspaceError {
        match self.inner.refs.latest_branch(name) {
            Ok(Some(theirs)) => WorkspaceError::Conflict { branch: name.to_owned(), theirs },
            Ok(None) => WorkspaceError::UnknownRef(name.to_owned()),
            Err(error) => error,
        }
    }

    /// Returns the heads of the branches, for others to follow.
    pub fn heads(&self) -> Result<Vec<Head>, WorkspaceError> {
        let heads = self.branches()?.into_iter();
        heads
            .map(|(branch, commit)| Ok(Head { branch, commit, manifest: self.nearest_manifest(commit)? }))
            .collect()
    }

    /// Returns what other nodes said of their branches: (peer, head).
    pub fn remote_heads(&self) -> Result<Vec<(String, Head)>, WorkspaceError> {
        self.inner.refs.remote_heads()
    }

    /// Notes where a branch of another node is, and which manifest it has. No branch of ours moves.
    pub fn set_remote_head(&self, peer: &str, head: &Head) -> Result<(), WorkspaceError> {
        refs::check_branch_name(&head.branch)?;
        refs::check_branch_name(peer)?;
        if let Some((at, root)) = head.manifest {
            self.note_manifest(at, root)?;
        }
        Ok(self.inner.refs.set(&refs::remote_name(peer, &head.branch), &refs::head_bytes(head))?)
    }

    /// Notes that a run holds just what a commit holds, unless one is known already.
    fn note_manifest(&self, of: CommitId, root: crate::block::BlockId) -> Result<(), WorkspaceError> {
        if self.inner.refs.manifest(of)?.is_none() {
            self.inner.refs.set(&refs::manifest_name(of), root.as_bytes())?;
        }
        Ok(())
    }

    /// Returns the data as of a commit. Cached: the same commit gives the same snapshot.
    pub fn snapshot(&self, commit: CommitId) -> Result<Arc<Snapshot>, WorkspaceError> {
        snapshot::open(self, commit)
    }

    /// Begins a transaction on top of a branch, as writers see it: commits that are on their way to the
    /// disk included. They are durable before whatever is written on top of them.
    pub fn begin(&self, branch: &str) -> Result<Transaction, WorkspaceError> {
        let unknown = || WorkspaceError::UnknownRef(branch.to_owned());
        let parent = self.snapshot(self.inner.refs.latest_branch(branch)?.ok_or_else(unknown)?)?;
        Ok(Transaction::new(self.clone(), branch.to_owned(), parent))
    }

    /// Begins a transaction on top of a commit of a branch that may not be sealed yet. It can only be staged.
    /// `None` if the commit is sealed, or there is something better to begin on by now: [`Workspace::begin`] does.
    pub fn begin_on(&self, branch: &str, parent: &Arc<Snapshot>) -> Option<Transaction> {
        let is_latest = parent.sealed().is_none() && self.inner.snapshots.is_of_now(parent);
        is_latest.then(|| Transaction::new(self.clone(), branch.to_owned(), Arc::clone(parent)))
    }
}

impl crate::block::Decode for SignedCommit {
    const KIND: BlockKind = BlockKind::Commit;

    fn decode(block: crate::block::PlainBlock) -> Result<SignedCommit, crate::block::BlockError> {
        SignedCommit::decode(&block)
    }

    fn weight_bytes(&self) -> usize {
        let changes = match &self.commit.changes {
            CommitChanges::Here(change_set) => crate::block::Decode::weight_bytes(&**change_set),
            CommitChanges::Nothing | CommitChanges::Block(_) => 0,
        };
        size_of::<SignedCommit>() + self.commit.message.len() + changes
    }
}
