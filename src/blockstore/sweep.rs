//! `Sweep`: drops the blocks that nobody claims, and gives their space back by copying the others.
//!
//! Packs of which much is dead are *evacuated*: their live blocks are appended to the end of the log,
//! and after them all refs, so that nothing in these packs is needed. Once that is durable and the
//! index has the new places, the dead blocks are forgotten; only then are the packs deleted. Whoever
//! replays the log after a crash in between meets some blocks twice, and the later place counts.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::index::{Location, LogPosition};
use super::local::{LocalStore, hold, read, write};
use super::log::RunningSweep;
use super::pack::{PACK_HEADER_BYTES, RECORD_HEADER_BYTES};
use super::{StoreError, SweepOptions, Swept};
use crate::block::{BlockId, SealedBlock};

/// So much is copied at once, with writers waiting.
const COPY_BYTES: u64 = 4 << 20;

pub struct Sweep<'a> {
    store: &'a LocalStore,
    /// What lies behind in the log stays, whoever claims it.
    start: LogPosition,
    live: &'a dyn Fn(&BlockId) -> bool,
    options: SweepOptions,
}

type Placed = (BlockId, Location);

impl<'a> Sweep<'a> {
    pub fn run(
        store: &'a LocalStore,
        live: &'a dyn Fn(&BlockId) -> bool,
        options: SweepOptions,
    ) -> Result<Swept, StoreError> {
        let _one_at_a_time = hold(&store.sweeping);
        let mut log = store.log();
        log.check()?;
        let start = log.position();
        let sweep = Sweep { store, start, live, options };
        if options.is_dry_run {
            drop(log);
            return Ok(sweep.plan()?.swept);
        }
        log.sweep = Some(RunningSweep { start, dying: None });
        drop(log);
        let swept = sweep.sweep();
        store.log().sweep = None;
        swept
    }

    fn sweep(&self) -> Result<Swept, StoreError> {
        let store = self.store;
        // So that the index knows all that may go.
        store.checkpoint()?;
        let Plan { dead, live, victims, .. } = self.plan_and_turn()?;
        if dead.is_empty() && victims.is_empty() {
            return Ok(Swept::default());
        }
        if let Some(running) = &mut store.log().sweep {
            running.dying = Some(dead.iter().map(|(id, _)| *id).collect());
        }
        let (victims, copied_bytes) = self.evacuate(&victims, live)?;
        let refs_bytes = if victims.is_empty() { 0 } else { store.append_all_refs(&mut store.log())? };
        store.checkpoint()?;
        let (blocks, block_bytes) = store.index.forget(&dead, &victims)?;
        let dead: BTreeSet<BlockId> = dead.into_iter().map(|(id, _)| id).collect();
        store.forget_damage(|id| dead.contains(id));
        let freed_bytes = self.delete(&victims)?;
        store.index.compact()?;
        let packs_begun = u64::from(store.log().pack.number - self.start.pack);
        let price = copied_bytes + refs_bytes + packs_begun * PACK_HEADER_BYTES;
        Ok(Swept {
            blocks,
            block_bytes,
            packs: victims.len() as u64,
            pack_bytes: freed_bytes.saturating_sub(price),
        })
    }

    /// Plans the sweep. If the pack that is written to is to be evacuated, the log turns to another.
    fn plan_and_turn(&self) -> Result<Plan, StoreError> {
        let plan = self.plan()?;
        let mut log = self.store.log();
        if !plan.victims.contains(&log.pack.number) {
            return Ok(plan);
        }
        self.store.begin_pack(&mut log)?;
        drop(log);
        // Again, for what was appended to that pack in between.
        let mut plan = self.plan()?;
        let last = self.store.log().pack.number;
        plan.victims.retain(|number| *number != last);
        Ok(plan)
    }

    fn plan(&self) -> Result<Plan, StoreError> {
        let (live, dead): (Vec<Placed>, Vec<Placed>) = self
            .all_blocks()?
            .into_iter()
            .partition(|(id, at)| at.position() >= self.start || (self.live)(id));
        let mut live_bytes: BTreeMap<u32, u64> = BTreeMap::new();
        for (_, at) in &live {
            *live_bytes.entry(at.pack).or_default() += RECORD_HEADER_BYTES as u64 + u64::from(at.len);
        }
        let (victims, pack_bytes) = self.victims(&live_bytes)?;
        let block_bytes = dead.iter().map(|(_, at)| u64::from(at.len)).sum();
        let packs = victims.len() as u64;
        let swept = Swept { blocks: dead.len() as u64, block_bytes, packs, pack_bytes };
        Ok(Plan { dead, live, victims, swept })
    }

    fn all_blocks(&self) -> Result<Vec<Placed>, StoreError> {
        // In this order: a block is in the index before it leaves the recent ones.
        let mut recent = read(&self.store.recent).clone();
        let mut all = self.store.index.blocks()?;
        for (id, at) in &mut all {
            *at = recent.remove(id).unwrap_or(*at);
        }
        all.extend(recent);
        Ok(all)
    }

    /// Returns the packs that are worth the copying, and by how much the packs will shrink.
    fn victims(&self, live_bytes: &BTreeMap<u32, u64>) -> Result<(Vec<u32>, u64), StoreError> {
        let last = self.store.log().pack.number;
        let mut victims = Vec::new();
        let (mut gain, mut price) = (0, self.store.all_refs_bytes());
        for (number, bytes) in self.store.pack_bytes()? {
            let live = live_bytes.get(&number).copied().unwrap_or(0);
            let dead = bytes.saturating_sub(PACK_HEADER_BYTES + live);
            let is_empty = live == 0 && number != last;
            if is_empty || (dead > 0 && dead * 100 >= bytes * self.options.dead_percent_min) {
                victims.push(number);
                gain += dead + PACK_HEADER_BYTES;
                price += if number == last { PACK_HEADER_BYTES } else { 0 };
            }
        }
        // A store in which there are only refs would else be written anew again and again.
        if gain <= price {
            victims.clear();
        }
        Ok((victims, gain.saturating_sub(price)))
    }

    /// Appends the live blocks of these packs to the log.
    ///
    /// Returns the packs that nothing is left in, and how many bytes it appended. A pack with a
    /// damaged block that somebody claims stays: it may be of use to whoever tries to repair it.
    fn evacuate(&self, victims: &[u32], mut live: Vec<Placed>) -> Result<(Vec<u32>, u64), StoreError> {
        live.sort_unstable_by_key(|(_, at)| at.position());
        let (mut evacuated, mut bytes) = (Vec::new(), 0);
        for number in victims {
            let begin = live.partition_point(|(_, at)| at.pack < *number);
            let end = live.partition_point(|(_, at)| at.pack <= *number);
            let Some(live) = live.get(begin..end) else { continue };
            let mut is_whole = true;
            for range in chunks(live) {
                let Some(blocks) = self.read_all(&live[range.clone()]) else {
                    is_whole = false;
                    break;
                };
                bytes += self.copy(&live[range], &blocks)?;
            }
            evacuated.extend(is_whole.then_some(*number));
        }
        Ok((evacuated, bytes))
    }

    /// Reads these blocks; `None` if one is damaged.
    fn read_all(&self, placed: &[Placed]) -> Option<Vec<SealedBlock>> {
        let read = placed.iter().map(|(id, at)| match self.store.read_at(*id, *at) {
            Ok(block) => Some(block),
            Err(error) => {
                tracing::warn!(block = %id, pack = at.pack, %error, "a pack is kept for its damaged block");
                None
            }
        });
        read.collect()
    }

    /// Appends those blocks that still lie where they did; returns how many bytes that took.
    fn copy(&self, placed: &[Placed], blocks: &[SealedBlock]) -> Result<u64, StoreError> {
        let mut log = self.store.log();
        let ids: Vec<BlockId> = placed.iter().map(|(id, _)| *id).collect();
        let now = self.store.places(&ids)?;
        let still = blocks.iter().zip(placed.iter().zip(now)).filter(|(_, ((_, at), now))| *now == Some(*at));
        let still: Vec<&SealedBlock> = still.map(|(block, _)| block).collect();
        self.store.append_all(&mut log, &still, &[])?;
        drop(log);
        self.store.index_if_due()?;
        Ok(still.iter().map(|block| (RECORD_HEADER_BYTES + block.bytes().len()) as u64).sum())
    }

    /// Deletes packs that nothing needs any more; returns how many bytes they had.
    fn delete(&self, victims: &[u32]) -> Result<u64, StoreError> {
        let bytes = self.store.pack_bytes()?;
        for number in victims {
            self.store.disk.delete_pack(*number)?;
            // Who is reading it has it open.
            write(&self.store.packs).remove(number);
        }
        if !victims.is_empty() {
            self.store.disk.sync_folder()?;
        }
        Ok(victims.iter().filter_map(|number| bytes.get(number)).sum())
    }
}

/// What a sweep will do.
struct Plan {
    dead: Vec<Placed>,
    live: Vec<Placed>,
    /// The packs to be evacuated.
    victims: Vec<u32>,
    /// What it comes to.
    swept: Swept,
}

/// Cuts blocks into ranges of about [`COPY_BYTES`].
fn chunks(placed: &[Placed]) -> Vec<Range<usize>> {
    let mut chunks = Vec::new();
    let (mut begin, mut bytes) = (0, 0);
    for (index, (_, at)) in placed.iter().enumerate() {
        bytes += u64::from(at.len);
        if bytes >= COPY_BYTES || index + 1 == placed.len() {
            chunks.push(begin..index + 1);
            (begin, bytes) = (index + 1, 0);
        }
    }
    chunks
}
