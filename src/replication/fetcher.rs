//! `Fetcher`: blocks from the store, else from peers, kept in the store from then on.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::block::{BlockError, BlockId, BlockSource, SealedBlock};
use crate::blockstore::Store;
use crate::network::{Node, PeerId, WorkspaceTag};

/// Fetched blocks are put into the store in groups of so many.
const PUT_BLOCKS: usize = 64;
/// Fetched blocks are made durable at least so often; losing one costs fetching it again.
const SYNC_BYTES: u64 = 64 << 20;
const REJECTIONS_MAX: usize = 64;

/// A source that asks the store first, and the workspace's peers for the rest, in one go. What
/// comes is verified, kept sealed in the store, and so served on to others.
pub struct Fetcher {
    store: Arc<dyn Store>,
    node: Arc<Node>,
    tag: WorkspaceTag,
    timeout: Duration,
    /// Blocks that some thread is fetching just now; others wait instead of fetching them again.
    in_flight: Mutex<HashSet<BlockId>>,
    landed: Condvar,
    totals: Totals,
    unsynced_bytes: AtomicU64,
    rejections: Mutex<VecDeque<Rejection>>,
}

/// What a fetcher did since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FetchCounters {
    /// Times that peers were asked.
    pub requests: u64,
    /// Blocks that came from peers, and their sealed bytes.
    pub blocks: u64,
    pub bytes: u64,
    /// Blocks that no peer gave.
    pub blocks_missing: u64,
    /// Blocks that a peer sent and that failed verification.
    pub blocks_rejected: u64,
}

/// A block that a peer sent and that was not what it should be.
#[derive(Clone, Debug)]
pub struct Rejection {
    pub peer: PeerId,
    pub block: BlockId,
    pub reason: String,
}

#[derive(Default)]
struct Totals {
    requests: AtomicU64,
    blocks: AtomicU64,
    bytes: AtomicU64,
    blocks_missing: AtomicU64,
    blocks_rejected: AtomicU64,
}

impl BlockSource for Fetcher {
    /// Blocks the thread until the peers have answered, at most for the fetcher's time-out.
    fn get(&self, ids: &[BlockId]) -> Result<Vec<Option<SealedBlock>>, BlockError> {
        let mut found = self.store.get(ids)?;
        let mut lacking: Vec<BlockId> =
            ids.iter().zip(&found).filter(|(_, block)| block.is_none()).map(|(id, _)| *id).collect();
        if lacking.is_empty() {
            return Ok(found);
        }
        lacking.sort_unstable();
        lacking.dedup();
        let fetched = self.fetch(&lacking)?;
        for (id, block) in ids.iter().zip(&mut found) {
            if block.is_none() {
                *block = fetched.get(id).cloned();
            }
        }
        Ok(found)
    }

    fn has(&self, ids: &[BlockId]) -> Result<Vec<bool>, BlockError> {
        self.store.has(ids)
    }

    fn damaged(&self, ids: &[BlockId]) -> Vec<BlockId> {
        self.store.damaged(ids)
    }
}

impl Fetcher {
    /// Makes a fetcher whose requests last `timeout` at most.
    pub fn new(store: Arc<dyn Store>, node: Arc<Node>, tag: WorkspaceTag, timeout: Duration) -> Fetcher {
        Fetcher {
            store,
            node,
            tag,
            timeout,
            in_flight: Mutex::default(),
            landed: Condvar::new(),
            totals: Totals::default(),
            unsynced_bytes: AtomicU64::new(0),
            rejections: Mutex::default(),
        }
    }

    pub fn counters(&self) -> FetchCounters {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        FetchCounters {
            requests: count(&self.totals.requests),
            blocks: count(&self.totals.blocks),
            bytes: count(&self.totals.bytes),
            blocks_missing: count(&self.totals.blocks_missing),
            blocks_rejected: count(&self.totals.blocks_rejected),
        }
    }

    /// Returns the last blocks that failed verification, oldest first.
    pub fn rejections(&self) -> Vec<Rejection> {
        lock(&self.rejections).iter().cloned().collect()
    }

    /// Fetches blocks that the store lacks; those that another thread is fetching are waited for.
    fn fetch(&self, lacking: &[BlockId]) -> Result<HashMap<BlockId, SealedBlock>, BlockError> {
        let claim = self.claim(lacking);
        let mut fetched = HashMap::with_capacity(lacking.len());
        if !claim.ids.is_empty() {
            self.fetch_claimed(&claim.ids, &mut fetched)?;
        }
        let others: Vec<BlockId> = lacking.iter().filter(|id| !claim.ids.contains(id)).copied().collect();
        drop(claim);
        if !others.is_empty() {
            self.wait_for(&others);
            let landed = self.store.get(&others)?;
            fetched.extend(landed.into_iter().flatten().map(|block| (block.id(), block)));
        }
        Ok(fetched)
    }

    fn fetch_claimed(
        &self,
        ids: &[BlockId],
        fetched: &mut HashMap<BlockId, SealedBlock>,
    ) -> Result<(), BlockError> {
        let mut fetch = self.node.fetch(self.tag, ids, Instant::now() + self.timeout);
        let mut group = Vec::new();
        for block in fetch.by_ref() {
            self.count(&self.totals.blocks, 1);
            self.count(&self.totals.bytes, block.bytes().len() as u64);
            fetched.insert(block.id(), block.clone());
            group.push(block);
            if group.len() >= PUT_BLOCKS {
                self.keep(&group)?;
                group.clear();
            }
        }
        self.keep(&group)?;
        let report = fetch.finish();
        self.count(&self.totals.requests, 1);
        self.count(&self.totals.blocks_missing, report.missing.len() as u64);
        self.note_rejections(report.rejected);
        if !report.missing.is_empty() {
            let (missing, failures) = (report.missing.len(), &report.failures);
            tracing::debug!(missing, ?failures, "blocks are out of reach");
        }
        Ok(())
    }

    /// Keeps verified blocks. A store that cannot take them fails the read: better than to fetch for ever.
    fn keep(&self, blocks: &[SealedBlock]) -> Result<(), BlockError> {
        if blocks.is_empty() {
            return Ok(());
        }
        self.store.put(blocks)?;
        let bytes: u64 = blocks.iter().map(|block| block.bytes().len() as u64).sum();
        if self.unsynced_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes >= SYNC_BYTES {
            self.unsynced_bytes.store(0, Ordering::Relaxed);
            self.store.sync()?;
        }
        Ok(())
    }

    fn note_rejections(&self, rejected: Vec<(PeerId, BlockError)>) {
        let mut rejections = lock(&self.rejections);
        for (peer, error) in rejected {
            self.count(&self.totals.blocks_rejected, 1);
            if let BlockError::Misbehaved { id, .. } = &error {
                rejections.push_back(Rejection { peer, block: *id, reason: error.to_string() });
            }
            if rejections.len() > REJECTIONS_MAX {
                rejections.pop_front();
            }
        }
    }

    /// Claims those that nobody fetches yet, until the claim is dropped.
    fn claim(&self, ids: &[BlockId]) -> Claim<'_> {
        let mut in_flight = lock(&self.in_flight);
        let ids = ids.iter().filter(|id| in_flight.insert(**id)).copied().collect();
        Claim { fetcher: self, ids }
    }

    fn wait_for(&self, ids: &[BlockId]) {
        let deadline = Instant::now() + self.timeout;
        let mut in_flight = lock(&self.in_flight);
        while ids.iter().any(|id| in_flight.contains(id)) {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return };
            in_flight = self.landed.wait_timeout(in_flight, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn count(&self, counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }
}

impl Drop for Fetcher {
    fn drop(&mut self) {
        if self.unsynced_bytes.load(Ordering::Relaxed) > 0
            && let Err(error) = self.store.sync()
        {
            tracing::warn!(%error, "fetched blocks could not be made durable");
        }
    }
}

/// Blocks that one thread is fetching, in ascending order.
struct Claim<'a> {
    fetcher: &'a Fetcher,
    ids: Vec<BlockId>,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut in_flight = lock(&self.fetcher.in_flight);
        self.ids.iter().for_each(|id| {
            in_flight.remove(id);
        });
        self.fetcher.landed.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
