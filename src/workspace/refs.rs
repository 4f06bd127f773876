//! The names that one workspace keeps in a store: its branches, what it knows of others' branches,
//! and which run is the physical form of which commit.
//!
//! ```text
//! <workspace>/default               name of the default branch (UTF-8)
//! <workspace>/branch/<name>         commit id (32 bytes)
//! <workspace>/manifest/<commit>     root of the run that holds just what the commit holds (32 bytes)
//! <workspace>/pin/<name>            commit that is kept, with the run that it is read from (32 bytes)
//! <workspace>/gone/<name>           commit that a deleted branch stood at (32 bytes)
//! <workspace>/remote/<peer>/<name>  commit id, manifest's commit id, manifest id (96 bytes, or 32)
//! ```
//! Workspace, peer and commit are written in lower-case hexadecimals.

use std::sync::Arc;

use data_encoding::HEXLOWER;

use super::encoding::DecodeError;
use super::{CommitId, WorkspaceError};
use crate::block::{BlockId, SealedBlock};
use crate::blockstore::{RefChange, Store, StoreError, Ticket};
use crate::crypto::WorkspaceId;

/// A branch's head as nodes tell each other: the commit, and where its data lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub branch: String,
    pub commit: CommitId,
    /// The nearest commit at or before `commit` that has a manifest, with it; the changes from there
    /// on are in the change sets. `None` if nothing was folded yet.
    pub manifest: Option<(CommitId, BlockId)>,
}

pub struct WorkspaceRefs {
    store: Arc<dyn Store>,
    prefix: String,
}

impl WorkspaceRefs {
    pub fn new(store: Arc<dyn Store>, workspace: WorkspaceId) -> WorkspaceRefs {
        WorkspaceRefs { store, prefix: format!("{workspace}/") }
    }

    fn name(&self, rest: &str) -> String {
        format!("{}{rest}", self.prefix)
    }

    fn read<T>(
        &self,
        rest: &str,
        decode: impl Fn(&[u8]) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, WorkspaceError> {
        let name = self.name(rest);
        let Some(value) = self.store.read_ref(&name)? else { return Ok(None) };
        decode(&value).map(Some).map_err(|reason| WorkspaceError::DamagedRef { name, reason })
    }

    fn list<T>(
        &self,
        folder: &str,
        decode: impl Fn(&[u8]) -> Result<T, DecodeError>,
    ) -> Result<Vec<(String, T)>, WorkspaceError> {
        let folder = self.name(folder);
        let refs = self.store.list_refs(&folder)?.into_iter();
        refs.map(|(name, value)| match decode(&value) {
            Ok(value) => Ok((name[folder.len()..].to_owned(), value)),
            Err(reason) => Err(WorkspaceError::DamagedRef { name, reason }),
        })
        .collect()
    }

    pub fn default_branch(&self) -> Result<Option<String>, WorkspaceError> {
        self.read("default", |value| {
            String::from_utf8(value.to_vec()).map_err(|_| DecodeError("a branch name is not UTF-8"))
        })
    }

    pub fn branch(&self, name: &str) -> Result<Option<CommitId>, WorkspaceError> {
        self.read(&format!("branch/{name}"), commit)
    }

    /// Returns where a branch is for writers, durable or not.
    pub fn latest_branch(&self, name: &str) -> Result<Option<CommitId>, WorkspaceError> {
        let name = self.name(&branch_name(name));
        let Some(value) = self.store.latest_ref(&name)? else { return Ok(None) };
        commit(&value).map(Some).map_err(|reason| WorkspaceError::DamagedRef { name, reason })
    }

    pub fn branches(&self) -> Result<Vec<(String, CommitId)>, WorkspaceError> {
        self.list("branch/", commit)
    }

    pub fn pins(&self) -> Result<Vec<(String, CommitId)>, WorkspaceError> {
        self.list("pin/", commit)
    }

    /// Returns where deleted branches stood.
    pub fn gone(&self) -> Result<Vec<(String, CommitId)>, WorkspaceError> {
        self.list("gone/", commit)
    }

    pub fn manifest(&self, of: CommitId) -> Result<Option<BlockId>, WorkspaceError> {
        self.read(&manifest_name(of), |value| Ok(commit(value)?.0))
    }

    /// Returns every manifest, with the commit whose data it holds.
    pub fn manifests(&self) -> Result<Vec<(CommitId, BlockId)>, WorkspaceError> {
        let manifests = self.list("manifest/", |value| Ok(commit(value)?.0))?;
        manifests
            .into_iter()
            .map(|(name, root)| {
                let bytes = HEXLOWER.decode(name.as_bytes()).unwrap_or_default();
                let damaged = |reason| WorkspaceError::DamagedRef { name: name.clone(), reason };
                Ok((commit(&bytes).map_err(damaged)?, root))
            })
            .collect()
    }

    /// Returns what is known of the branches of other nodes: (peer, head).
    pub fn remote_heads(&self) -> Result<Vec<(String, Head)>, WorkspaceError> {
        let heads = self.list("remote/", |value| {
            Ok(match value.split_at_checked(32) {
                Some((id, [])) => (commit(id)?, None),
                Some((id, rest)) => {
                    let (at, root) = rest.split_at_checked(32).ok_or(DecodeError("a head is cut off"))?;
                    (commit(id)?, Some((commit(at)?, commit(root)?.0)))
                }
                None => return Err(DecodeError("a head is cut off")),
            })
        })?;
        let split = |(name, (commit, manifest)): (String, _)| {
            let (peer, branch) = name.split_once('/')?;
            Some((peer.to_owned(), Head { branch: branch.to_owned(), commit, manifest }))
        };
        Ok(heads.into_iter().filter_map(split).collect())
    }

    /// Changes the refs, all or none, durably.
    pub fn update(&self, changes: &[Change<'_>]) -> Result<(), StoreError> {
        self.store.wait(self.append(&[], changes)?)
    }

    /// As [`WorkspaceRefs::update`], with blocks that go before; durable once the ticket was waited for.
    pub fn append(&self, blocks: &[SealedBlock], changes: &[Change<'_>]) -> Result<Ticket, StoreError> {
        let changes: Vec<RefChange> = changes
            .iter()
            .map(|change| RefChange {
                name: self.name(&change.name),
                old: change.old.map(<[u8]>::to_vec),
                new: change.new.map(<[u8]>::to_vec),
            })
            .collect();
        self.store.append(blocks, &changes)
    }

    /// Sets a ref whatever it was; another writer's change in between is simply overwritten.
    pub fn set(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        loop {
            let old = self.store.latest_ref(&self.name(name))?;
            if old.as_deref() == Some(value) {
                // Another may have appended it, and not yet made it durable.
                return self.update(&[]);
            }
            let change = Change { name: name.to_owned(), old: old.as_deref(), new: Some(value) };
            match self.update(&[change]) {
                Err(StoreError::RefChanged { .. }) => {}
                result => return result,
            }
        }
    }
}

/// One compare-and-swap; names lack the workspace's prefix.
pub struct Change<'a> {
    pub name: String,
    pub old: Option<&'a [u8]>,
    pub new: Option<&'a [u8]>,
}

pub fn branch_name(branch: &str) -> String {
    format!("branch/{branch}")
}

pub fn pin_name(pin: &str) -> String {
    format!("pin/{pin}")
}

pub fn gone_name(branch: &str) -> String {
    format!("gone/{branch}")
}

pub fn manifest_name(of: CommitId) -> String {
    format!("manifest/{}", HEXLOWER.encode(of.0.as_bytes()))
}

pub fn remote_name(peer: &str, branch: &str) -> String {
    format!("remote/{peer}/{branch}")
}

pub fn head_bytes(head: &Head) -> Vec<u8> {
    let mut bytes = head.commit.0.as_bytes().to_vec();
    if let Some((at, root)) = &head.manifest {
        bytes.extend_from_slice(at.0.as_bytes());
        bytes.extend_from_slice(root.as_bytes());
    }
    bytes
}

fn commit(value: &[u8]) -> Result<CommitId, DecodeError> {
    let hash = value.try_into().map_err(|_| DecodeError("an id has not 32 bytes"))?;
    Ok(CommitId(BlockId::from_bytes(hash)))
}

/// Checks a branch name: letters, digits and `-_./`, as git has them, at most 200 bytes.
///
/// # Errors
/// [`WorkspaceError::InvalidBranchName`] with the reason.
pub fn check_branch_name(name: &str) -> Result<(), WorkspaceError> {
    let reason = if name.is_empty() {
        "it is empty"
    } else if name.len() > 200 {
        "it is longer than 200 bytes"
    } else if !name.chars().all(|c| c.is_alphanumeric() || "-_./".contains(c)) {
        "only letters, digits, '-', '_', '.' and '/' may stand in it"
    } else if name
        .split('/')
        .any(|part| part.is_empty() || part.starts_with(['.', '-']) || part.ends_with('.'))
    {
        "its parts between '/' may not be empty, begin with '.' or '-', or end with '.'"
    } else if name.contains("..") {
        "'..' stands between two revisions"
    } else if name.parse::<CommitId>().is_ok() {
        "it is a commit's id"
    } else {
        return Ok(());
    };
    Err(WorkspaceError::InvalidBranchName(name.to_owned(), reason))
}
