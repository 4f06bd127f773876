//! Upkeep: folding beside queries and writers, and giving back the space of what nobody needs.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use super::{CommitId, Engine, EngineError, Hosted};
use crate::blockstore::SweepOptions;
use crate::workspace::Marking;

/// How often the upkeep looks whether something is due.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A workspace is at rest once it was not written to for so many looks.
const LOOKS_AT_REST: u32 = 4;
/// Garbage is collected after so many folds.
const FOLDS_PER_COLLECTION: usize = 8;
/// How many runs behind each branch a collection beside running queries keeps: a peer may still be
/// reading the one before.
const RUNS_KEPT_IN_USE: usize = 2;

/// What to collect.
#[derive(Clone, Copy, Debug, Default)]
pub struct CollectOptions {
    /// Tell what would go, and change nothing.
    pub is_dry_run: bool,
    /// Also what only deleted branches lead to.
    pub forget_gone: bool,
}

/// What a collection dropped, or would.
#[derive(Clone, Debug, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Collected {
    pub is_dry_run: bool,
    pub blocks: u64,
    /// Sealed bytes of the blocks.
    pub block_bytes: u64,
    /// Runs that were forgotten: copies of what others hold.
    pub runs: u64,
    /// By how much the store became smaller.
    pub freed_bytes: u64,
}

/// What became of a branch that was folded.
#[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Optimized {
    pub commit: String,
    /// The root of the run that holds just what the commit holds; `None` if that is nothing.
    pub manifest: Option<String>,
}

impl Engine {
    /// Drops the blocks that no branch, pin, deleted branch or running query needs. Old runs go, but for
    /// the latest behind each branch; history stays whole.
    pub fn collect_garbage(&self, options: CollectOptions) -> Result<Collected, EngineError> {
        self.collect(options, 1, SweepOptions { is_dry_run: options.is_dry_run, ..SweepOptions::all() })
    }

    fn collect(
        &self,
        options: CollectOptions,
        runs_kept: usize,
        sweep: SweepOptions,
    ) -> Result<Collected, EngineError> {
        let hosted = self.workspaces();
        if options.forget_gone && !options.is_dry_run {
            for hosted in &hosted {
                hosted.workspace().forget_gone()?;
            }
        }
        let mut markings = Vec::new();
        for hosted in &hosted {
            markings.push((hosted.workspace(), Marking::begin(hosted.workspace(), runs_kept)?));
        }
        let _paused: Vec<_> = hosted.iter().map(|hosted| hosted.workspace().pause_writes()).collect();
        let mut collected = Collected { is_dry_run: options.is_dry_run, ..Collected::default() };
        let mut needed = std::collections::HashSet::new();
        for (workspace, marking) in markings {
            let needs = marking.finish()?;
            needed.extend(needs.blocks);
            collected.runs += needs.spare_runs.len() as u64;
            if !options.is_dry_run {
                workspace.forget_runs(&needs.spare_runs)?;
            }
        }
        let swept = self.store.sweep(&|id| needed.contains(id), sweep)?;
        (collected.blocks, collected.block_bytes) = (swept.blocks, swept.block_bytes);
        collected.freed_bytes = swept.pack_bytes;
        Ok(collected)
    }

    /// Starts a thread that folds what is due, until the engine is dropped or the upkeep is.
    pub fn start_upkeep(self: &Arc<Engine>) -> Upkeep {
        for hosted in self.workspaces() {
            if let Ok(branch) = hosted.workspace().default_branch() {
                hosted.workspace().look_after(&branch);
            }
        }
        let (stop, stopped) = channel::<()>();
        let engine = Arc::downgrade(self);
        let worker = thread::spawn(move || {
            let mut watch = Watch::new(engine);
            while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) && watch.look() {}
        });
        Upkeep { stop: Some(stop), worker: Some(worker) }
    }
}

impl Hosted {
    /// Makes the data of a ref a run of its own, so that reading it needs no change sets.
    pub fn optimize(&self, at: Option<&str>) -> Result<Optimized, EngineError> {
        let commit = self.resolve(at)?;
        let manifest = self.workspace().fold(commit)?.map(|root| root.to_string());
        Ok(Optimized { commit: commit.to_string(), manifest })
    }

    pub fn pins(&self) -> Result<Vec<(String, CommitId)>, EngineError> {
        Ok(self.workspace().pins()?)
    }

    /// Keeps what a ref names now, whatever becomes of its branch; returns the commit.
    pub fn pin(&self, name: &str, at: Option<&str>) -> Result<CommitId, EngineError> {
        let commit = self.resolve(at)?;
        self.workspace().pin(name, commit)?;
        Ok(commit)
    }

    pub fn unpin(&self, name: &str) -> Result<(), EngineError> {
        Ok(self.workspace().unpin(name)?)
    }
}

/// The upkeep's thread; it ends when this is dropped, once a fold that it is at is done.
pub struct Upkeep {
    stop: Option<Sender<()>>,
    worker: Option<thread::JoinHandle<()>>,
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
    }
}

/// What the upkeep remembers from one look to the next.
struct Watch {
    engine: Weak<Engine>,
    /// For each workspace: how many writes there were, and for how many looks no more came.
    writes: Vec<(u64, u32)>,
    folds: usize,
}

impl Watch {
    fn new(engine: Weak<Engine>) -> Watch {
        Watch { engine, writes: Vec::new(), folds: 0 }
    }

    /// Folds what is due; returns whether there is still something to look at.
    fn look(&mut self) -> bool {
        let Some(engine) = self.engine.upgrade() else { return false };
        let hosted = engine.workspaces();
        self.writes.resize(hosted.len(), (0, 0));
        for (hosted, (seen, looks)) in hosted.iter().zip(&mut self.writes) {
            hosted.is_upkept.store(true, Ordering::Relaxed);
            let writes = hosted.workspace().writes();
            *looks = if writes == *seen { looks.saturating_add(1) } else { 0 };
            *seen = writes;
            match hosted.workspace().fold_due(*looks >= LOOKS_AT_REST) {
                Ok(count) => self.folds += count,
                // The commits stand; reading them is only slower than it could be.
                Err(error) => tracing::warn!(workspace = hosted.name(), %error, "folding failed"),
            }
        }
        if self.folds >= FOLDS_PER_COLLECTION {
            self.folds = 0;
            let kept = engine.collect(CollectOptions::default(), RUNS_KEPT_IN_USE, SweepOptions::default());
            if let Err(error) = kept {
                tracing::warn!(%error, "garbage was not collected");
            }
        }
        true
    }
}
