//! What a node says of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CommitId, Engine, EngineError, Hosted};
use crate::crypto::PublicKey;
use crate::dataset::Dataset;

/// A branch and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchInfo {
    pub name: String,
    pub commit: CommitId,
    pub is_default: bool,
}

/// A commit as `log` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    pub id: CommitId,
    pub parents: Vec<CommitId>,
    pub author: PublicKey,
    pub time_ms: i64,
    pub message: String,
}

/// A node at a glance.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The node's public key, in hex.
    pub node: String,
    pub blocks: u64,
    /// Sealed bytes of the blocks.
    pub block_bytes: u64,
    /// On disk, everything included.
    pub bytes: u64,
    /// Of these, the bytes that a collection of garbage could give back at once.
    pub dead_bytes: u64,
    pub packs: u64,
    /// Blocks of our own disk that failed verification and are not replaced yet.
    pub corrupt: Vec<String>,
    pub workspaces: Vec<WorkspaceStatus>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceStatus {
    pub name: String,
    pub id: String,
    /// The orders in which it keeps its triples. `None` if what tells it is out of reach.
    pub permutations: Option<Vec<String>>,
    pub branches: Vec<BranchStatus>,
    /// Addresses of the peers that this workspace was joined from.
    pub peers: Vec<String>,
    pub pins: Vec<String>,
    pub cache: CacheStatus,
}

/// What the cache of opened blocks did since the node started.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CacheStatus {
    pub bytes: u64,
    /// Blocks that it had.
    pub hits: u64,
    /// Blocks that it lacked, with their sealed bytes.
    pub misses: u64,
    pub missed_bytes: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BranchStatus {
    pub name: String,
    pub commit: String,
    pub is_default: bool,
    /// `None` if what tells it is out of reach.
    pub quads: Option<u64>,
    /// The sealed bytes of each part of the run that the branch is read from, by name.
    pub run_bytes: BTreeMap<String, u64>,
}

impl Engine {
    /// Describes the node, its workspaces and their branches. Asks no peer.
    pub fn status(&self) -> Result<Status, EngineError> {
        let usage = self.store.usage()?;
        let workspaces = self.workspaces().iter().map(|hosted| hosted.status()).collect::<Result<_, _>>()?;
        Ok(Status {
            node: self.author.public().to_string(),
            blocks: usage.blocks,
            block_bytes: usage.block_bytes,
            bytes: usage.disk_bytes,
            dead_bytes: usage.dead_bytes,
            packs: usage.packs,
            corrupt: self.store.corrupt().iter().map(ToString::to_string).collect(),
            workspaces,
        })
    }
}

impl Hosted {
    fn cache_status(&self) -> CacheStatus {
        let reader = self.workspace().reader();
        let counters = reader.counters();
        CacheStatus {
            bytes: reader.cached_bytes(),
            hits: counters.hits,
            misses: counters.fetched_blocks,
            missed_bytes: counters.fetched_bytes,
        }
    }

    fn permutations(&self) -> Option<Vec<String>> {
        let settings = self.workspace().settings().ok()?;
        Some(settings.permutations.iter().map(|permutation| permutation.to_string()).collect())
    }

    /// Describes the workspace.
    pub fn status(&self) -> Result<WorkspaceStatus, EngineError> {
        let branches = self.branches()?.into_iter().map(|branch| {
            let snapshot = self.workspace().snapshot(branch.commit).ok();
            let sections = snapshot.iter().flat_map(|snapshot| snapshot.section_bytes());
            BranchStatus {
                quads: snapshot.as_ref().map(|snapshot| snapshot.statistics().quads),
                run_bytes: sections.map(|(name, bytes)| (name.to_owned(), bytes)).collect(),
                commit: branch.commit.to_string(),
                name: branch.name,
                is_default: branch.is_default,
            }
        });
        Ok(WorkspaceStatus {
            name: self.name().to_owned(),
            id: self.workspace().id().to_string(),
            permutations: self.permutations(),
            branches: branches.collect(),
            peers: self.peers(),
            pins: self.pins()?.into_iter().map(|(name, _)| name).collect(),
            cache: self.cache_status(),
        })
    }
}
