//! `BlockReader`: a source, the key that opens its blocks, and a cache of what was opened, bounded
//! in bytes. Everything above reads blocks through it, in batches.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::{BlockError, BlockId, BlockKind, BlockSource, PlainBlock, SealedBlock};
use crate::crypto::EpochKey;

/// Roughly what the cache itself spends on an entry.
const ENTRY_BYTES: u64 = 160;
/// What the cache expects an entry to weigh; it only sizes its tables by that.
const TYPICAL_BLOCK_BYTES: u64 = 32 << 10;

/// What a block is decoded into, once, to be kept and shared.
pub trait Decode: Any + Send + Sync + Sized {
    /// The kind of the blocks that hold one.
    const KIND: BlockKind;

    /// # Errors
    /// [`BlockError::Corrupt`] if the content is not well-formed.
    fn decode(block: PlainBlock) -> Result<Self, BlockError>;

    /// Returns how many bytes of memory it takes.
    fn weight_bytes(&self) -> usize;
}

/// Reads, opens and decodes blocks of one epoch. Shared by all who read a workspace.
pub struct BlockReader {
    source: Arc<dyn BlockSource>,
    key: EpochKey,
    cache: Cache<CacheKey, Cached, Bytes>,
    hits: AtomicU64,
    fetched_blocks: AtomicU64,
    fetched_bytes: AtomicU64,
}

/// What a reader did since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReaderCounters {
    /// Blocks that the cache had.
    pub hits: u64,
    /// Blocks that the source handed out.
    pub fetched_blocks: u64,
    /// Their sealed bytes.
    pub fetched_bytes: u64,
}

type CacheKey = (BlockId, TypeId);

#[derive(Clone)]
struct Cached {
    value: Arc<dyn Any + Send + Sync>,
    bytes: u64,
}

#[derive(Clone)]
struct Bytes;

impl Weighter<CacheKey, Cached> for Bytes {
    fn weight(&self, _: &CacheKey, cached: &Cached) -> u64 {
        cached.bytes
    }
}

/// An opened block that nobody decoded further.
struct Opened(Arc<PlainBlock>);

impl BlockReader {
    /// Makes a reader whose cache holds at most `cache_bytes_max` bytes of decoded blocks.
    pub fn new(source: Arc<dyn BlockSource>, key: EpochKey, cache_bytes_max: u64) -> BlockReader {
        let entries = usize::try_from(cache_bytes_max / TYPICAL_BLOCK_BYTES).unwrap_or(usize::MAX);
        BlockReader {
            source,
            key,
            cache: Cache::with_weighter(entries.clamp(64, 1 << 20), cache_bytes_max, Bytes),
            hits: AtomicU64::new(0),
            fetched_blocks: AtomicU64::new(0),
            fetched_bytes: AtomicU64::new(0),
        }
    }

    pub fn source(&self) -> &Arc<dyn BlockSource> {
        &self.source
    }

    pub fn key(&self) -> &EpochKey {
        &self.key
    }

    /// Returns the blocks, opened, in the order of `wanted`; asks the source once, for all that the
    /// cache lacks.
    ///
    /// # Errors
    /// [`BlockError::Corrupt`] if one is stored but damaged; [`BlockError::Unavailable`] with every id
    /// that is missing, each once; else the first error of opening.
    pub fn get(&self, wanted: &[(BlockId, BlockKind)]) -> Result<Vec<Arc<PlainBlock>>, BlockError> {
        let opened = self.get_with(wanted, TypeId::of::<Opened>(), |block| {
            let bytes = block.data().len();
            Ok((Opened(Arc::new(block)), bytes))
        })?;
        Ok(opened.into_iter().map(|opened| Arc::clone(&opened.0)).collect())
    }

    /// Returns the blocks, decoded, in the order of `ids`; otherwise as [`BlockReader::get`].
    pub fn get_decoded<T: Decode>(&self, ids: &[BlockId]) -> Result<Vec<Arc<T>>, BlockError> {
        let wanted: Vec<(BlockId, BlockKind)> = ids.iter().map(|id| (*id, T::KIND)).collect();
        self.get_with(&wanted, TypeId::of::<T>(), |block| {
            let value = T::decode(block)?;
            let bytes = value.weight_bytes();
            Ok((value, bytes))
        })
    }

    /// Decodes these blocks into the cache, asking for all that it lacks at once. Blocks that cannot
    /// be had are left for the read that needs them to report.
    pub fn prefetch<T: Decode>(&self, ids: &[BlockId]) {
        let mut missing: Vec<BlockId> = ids.iter().filter(|id| !self.is_cached::<T>(**id)).copied().collect();
        missing.sort_unstable();
        missing.dedup();
        let Ok(found) = self.fetch(&missing) else { return };
        for block in found.into_iter().flatten() {
            let id = block.id();
            let decoded = block.open(T::KIND, &self.key).and_then(T::decode);
            if let Ok(value) = decoded {
                let bytes = value.weight_bytes();
                self.keep((id, TypeId::of::<T>()), Arc::new(value), bytes);
            }
        }
    }

    /// Returns whether the decoded block is in the cache now.
    pub fn is_cached<T: Decode>(&self, id: BlockId) -> bool {
        self.cache.contains_key(&(id, TypeId::of::<T>()))
    }

    /// Returns, for each id in order, whether reading it needs nobody farther away.
    ///
    /// # Errors
    /// As [`BlockSource::has`].
    pub fn has(&self, ids: &[BlockId]) -> Result<Vec<bool>, BlockError> {
        self.source.has(ids)
    }

    pub fn counters(&self) -> ReaderCounters {
        ReaderCounters {
            hits: self.hits.load(Ordering::Relaxed),
            fetched_blocks: self.fetched_blocks.load(Ordering::Relaxed),
            fetched_bytes: self.fetched_bytes.load(Ordering::Relaxed),
        }
    }

    /// Returns how many bytes of decoded blocks the cache holds.
    pub fn cached_bytes(&self) -> u64 {
        self.cache.weight()
    }

    fn get_with<T: Any + Send + Sync>(
        &self,
        wanted: &[(BlockId, BlockKind)],
        form: TypeId,
        decode: impl Fn(PlainBlock) -> Result<(T, usize), BlockError>,
    ) -> Result<Vec<Arc<T>>, BlockError> {
        let mut values: Vec<Option<Arc<T>>> =
            wanted.iter().map(|(id, _)| self.cached(&(*id, form))).collect();
        let mut absent: HashMap<BlockId, BlockKind> = HashMap::new();
        for (value, (id, kind)) in values.iter().zip(wanted) {
            match value {
                Some(_) => {
                    self.hits.fetch_add(1, Ordering::Relaxed);
                }
                None => {
                    absent.insert(*id, *kind);
                }
            }
        }
        if !absent.is_empty() {
            let fresh = self.fetch_and_decode(&absent, form, decode)?;
            for (value, (id, _)) in values.iter_mut().zip(wanted) {
                if value.is_none() {
                    *value = fresh.get(id).cloned();
                }
            }
        }
        let complete: Option<Vec<Arc<T>>> = values.into_iter().collect();
        Ok(complete.expect("what was absent has been fetched, or is reported as missing"))
    }

    fn fetch_and_decode<T: Any + Send + Sync>(
        &self,
        absent: &HashMap<BlockId, BlockKind>,
        form: TypeId,
        decode: impl Fn(PlainBlock) -> Result<(T, usize), BlockError>,
    ) -> Result<HashMap<BlockId, Arc<T>>, BlockError> {
        let mut ids: Vec<BlockId> = absent.keys().copied().collect();
        ids.sort_unstable();
        let found = self.fetch(&ids)?;
        let missing: Vec<BlockId> =
            ids.iter().zip(&found).filter(|(_, block)| block.is_none()).map(|(id, _)| *id).collect();
        if let Some(id) = self.source.damaged(&missing).first() {
            let reason = "the bytes that are stored do not hash to its id".to_owned();
            return Err(BlockError::Corrupt { id: *id, reason });
        }
        if !missing.is_empty() {
            return Err(BlockError::Unavailable(missing));
        }
        let mut fresh = HashMap::with_capacity(ids.len());
        for block in found.into_iter().flatten() {
            let id = block.id();
            let Some(kind) = absent.get(&id) else { continue };
            let (value, bytes) = decode(block.open(*kind, &self.key)?)?;
            let value = Arc::new(value);
            self.keep((id, form), value.clone(), bytes);
            fresh.insert(id, value);
        }
        Ok(fresh)
    }

    fn fetch(&self, ids: &[BlockId]) -> Result<Vec<Option<SealedBlock>>, BlockError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = self.source.get(ids)?;
        found.resize(ids.len(), None);
        for (id, slot) in ids.iter().zip(&mut found) {
            // A source that mixes up its answers must not put one block in the place of another.
            if slot.as_ref().is_some_and(|block| block.id() != *id) {
                *slot = None;
            }
            if let Some(block) = slot {
                self.fetched_blocks.fetch_add(1, Ordering::Relaxed);
                self.fetched_bytes.fetch_add(block.bytes().len() as u64, Ordering::Relaxed);
            }
        }
        Ok(found)
    }

    fn cached<T: Any + Send + Sync>(&self, key: &CacheKey) -> Option<Arc<T>> {
        self.cache.get(key)?.value.downcast().ok()
    }

    fn keep<T: Any + Send + Sync>(&self, key: CacheKey, value: Arc<T>, bytes: usize) {
        self.cache.insert(key, Cached { value, bytes: bytes as u64 + ENTRY_BYTES });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::crypto::WorkspaceId;

    #[derive(Default)]
    struct Shelf {
        blocks: HashMap<BlockId, SealedBlock>,
        asked: Mutex<Vec<usize>>,
    }

    impl BlockSource for Shelf {
        fn get(&self, ids: &[BlockId]) -> Result<Vec<Option<SealedBlock>>, BlockError> {
            self.asked.lock().unwrap().push(ids.len());
            Ok(ids.iter().map(|id| self.blocks.get(id).cloned()).collect())
        }

        fn has(&self, ids: &[BlockId]) -> Result<Vec<bool>, BlockError> {
            Ok(ids.iter().map(|id| self.blocks.contains_key(id)).collect())
        }
    }

    fn shelf(count: u8) -> (Shelf, EpochKey, Vec<(BlockId, BlockKind)>) {
        let key = EpochKey::from_secret([7; 32], WorkspaceId([1; 32]));
        let mut shelf = Shelf::default();
        let mut wanted = Vec::new();
        for index in 0..count {
            let block = SealedBlock::seal(BlockKind::Dictionary, &[index; 1000], &key);
            wanted.push((block.id(), BlockKind::Dictionary));
            shelf.blocks.insert(block.id(), block);
        }
        (shelf, key, wanted)
    }

    #[test]
    fn one_request_for_all_then_none() {
        let (shelf, key, mut wanted) = shelf(5);
        wanted.push(wanted[0]);
        let shelf = Arc::new(shelf);
        let reader = BlockReader::new(shelf.clone(), key, 1 << 20);
        for _ in 0..2 {
            let blocks = reader.get(&wanted).unwrap();
            assert!(blocks.iter().zip(&wanted).all(|(block, (id, _))| block.id() == *id));
            assert_eq!(*shelf.asked.lock().unwrap(), [5]);
        }
        let counters = reader.counters();
        assert_eq!((counters.fetched_blocks, counters.hits), (5, 6));
        assert!(reader.cached_bytes() > 5000);
    }

    #[test]
    fn every_missing_block_is_named() {
        let (mut shelf, key, wanted) = shelf(5);
        for (id, _) in &wanted[1..3] {
            shelf.blocks.remove(id);
        }
        let reader = BlockReader::new(Arc::new(shelf), key, 1 << 20);
        let Err(BlockError::Unavailable(missing)) = reader.get(&wanted) else { panic!() };
        let mut expected = [wanted[1].0, wanted[2].0];
        expected.sort_unstable();
        assert_eq!(missing, expected);
    }

    #[test]
    fn a_block_of_another_kind_or_key_is_refused() {
        let (shelf, _, wanted) = shelf(1);
        let other = EpochKey::from_secret([8; 32], WorkspaceId([1; 32]));
        let reader = BlockReader::new(Arc::new(shelf), other, 1 << 20);
        assert!(matches!(reader.get(&wanted), Err(BlockError::NoKey(id)) if id == wanted[0].0));
    }

    #[test]
    fn the_cache_stays_within_its_bytes() {
        let (shelf, key, wanted) = shelf(200);
        let reader = BlockReader::new(Arc::new(shelf), key, 20_000);
        for one in &wanted {
            reader.get(&[*one]).unwrap();
        }
        assert!(reader.cached_bytes() <= 20_000);
    }
}
