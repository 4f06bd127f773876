//! `MemoryStore`: blocks and refs in memory; for tests and for nodes that keep nothing.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{LogPosition, RefChange, Refs, Store, StoreError, SweepOptions, Swept, Ticket, Usage};
use crate::block::{BlockError, BlockId, BlockSink, BlockSource, MemoryScratch, Scratch, SealedBlock};

#[derive(Default)]
pub struct MemoryStore {
    state: RwLock<State>,
    sweeping: Mutex<()>,
}

#[derive(Default)]
struct State {
    blocks: BTreeMap<BlockId, SealedBlock>,
    refs: BTreeMap<String, Vec<u8>>,
    /// What was put since the last sweep began.
    put_meanwhile: HashSet<BlockId>,
}

impl State {
    fn put(&mut self, blocks: &[SealedBlock]) {
        for block in blocks {
            self.put_meanwhile.insert(block.id());
            self.blocks.entry(block.id()).or_insert_with(|| block.clone());
        }
    }
}

impl MemoryStore {
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// Drops a block; returns whether it was there.
    pub fn remove(&self, id: BlockId) -> bool {
        self.write().blocks.remove(&id).is_some()
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlockSource for MemoryStore {
    fn get(&self, ids: &[BlockId]) -> Result<Vec<Option<SealedBlock>>, BlockError> {
        let state = self.read();
        Ok(ids.iter().map(|id| state.blocks.get(id).cloned()).collect())
    }

    fn has(&self, ids: &[BlockId]) -> Result<Vec<bool>, BlockError> {
        let state = self.read();
        Ok(ids.iter().map(|id| state.blocks.contains_key(id)).collect())
    }
}

impl BlockSink for MemoryStore {
    fn put(&self, blocks: &[SealedBlock]) -> Result<(), BlockError> {
        self.write().put(blocks);
        Ok(())
    }

    fn sync(&self) -> Result<(), BlockError> {
        Ok(())
    }
}

impl Refs for MemoryStore {
    fn read_ref(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.read().refs.get(name).cloned())
    }

    fn latest_ref(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read_ref(name)
    }

    fn list_refs(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        Ok(list(&self.read().refs, prefix))
    }

    /// What memory holds is as durable as it gets.
    fn append_refs(&self, changes: &[RefChange]) -> Result<Ticket, StoreError> {
        self.append(&[], changes)
    }

    fn wait(&self, _ticket: Ticket) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Store for MemoryStore {
    fn append(&self, blocks: &[SealedBlock], changes: &[RefChange]) -> Result<Ticket, StoreError> {
        let mut state = self.write();
        check(&state.refs, changes)?;
        state.put(blocks);
        apply(&mut state.refs, changes);
        Ok(Ticket(LogPosition::default()))
    }

    fn ids(&self) -> Result<Vec<BlockId>, BlockError> {
        Ok(self.read().blocks.keys().copied().collect())
    }

    fn usage(&self) -> Result<Usage, BlockError> {
        let state = self.read();
        let block_bytes = state.blocks.values().map(|block| block.bytes().len() as u64).sum();
        Ok(Usage { blocks: state.blocks.len() as u64, block_bytes, ..Usage::default() })
    }

    fn scratch(&self) -> Box<dyn Scratch> {
        Box::new(MemoryScratch)
    }

    fn corrupt(&self) -> Vec<BlockId> {
        Vec::new()
    }

    fn sweep(&self, live: &dyn Fn(&BlockId) -> bool, options: SweepOptions) -> Result<Swept, BlockError> {
        let _one_at_a_time = self.sweeping.lock().unwrap_or_else(PoisonError::into_inner);
        self.write().put_meanwhile.clear();
        // Unlocked: `live` may read the store.
        let dead: Vec<BlockId> = self.ids()?.into_iter().filter(|id| !live(id)).collect();
        let mut state = self.write();
        let mut swept = Swept::default();
        for id in dead.iter().filter(|id| !state.put_meanwhile.contains(id)).copied().collect::<Vec<_>>() {
            let block =
                if options.is_dry_run { state.blocks.get(&id).cloned() } else { state.blocks.remove(&id) };
            swept.blocks += u64::from(block.is_some());
            swept.block_bytes += block.map_or(0, |block| block.bytes().len() as u64);
        }
        Ok(swept)
    }
}

pub(super) fn list(refs: &BTreeMap<String, Vec<u8>>, prefix: &str) -> Vec<(String, Vec<u8>)> {
    refs.range(prefix.to_owned()..)
        .take_while(|(name, _)| name.starts_with(prefix))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Checks that every ref is what its change expects.
pub(super) fn check(refs: &BTreeMap<String, Vec<u8>>, changes: &[RefChange]) -> Result<(), StoreError> {
    for change in changes {
        let actual = refs.get(&change.name);
        if actual != change.old.as_ref() {
            return Err(StoreError::RefChanged { name: change.name.clone(), actual: actual.cloned() });
        }
    }
    Ok(())
}

pub(super) fn apply(refs: &mut BTreeMap<String, Vec<u8>>, changes: &[RefChange]) {
    for change in changes {
        match &change.new {
            Some(value) => refs.insert(change.name.clone(), value.clone()),
            None => refs.remove(&change.name),
        };
    }
}
