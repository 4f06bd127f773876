//! Encoding, sealing and putting blocks on threads of their own, while others sort what comes next.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};

use super::WriteError;
use super::dictionary::{DictionaryEncoder, RawDictionary};
use super::manifest::{
    GraphSet, PAGE_ENTRIES, PageEntry, RowEntry, SEPARATOR_BYTES_MAX, Section, TermsEntry, encode_row_page,
    encode_terms_page,
};
use super::rows::{BLOCK_ROWS, WIDTH_MAX, encode_rows};
use super::term_key::kind_of_key;
use crate::block::{BlockError, BlockId, BlockKind, BlockSink, SealedBlock};
use crate::crypto::EpochKey;
use crate::model::TermKind;

/// How many sealed blocks are put at once.
const PUT_BLOCKS: usize = 16;
/// How many jobs may wait: it bounds the memory that they hold.
const JOBS_WAITING_MAX: usize = 4;

/// Takes the contents of blocks as jobs. Which thread does which job, and when, leaves no trace in the
/// bytes of any block.
pub struct Output<'scope, 'env> {
    jobs: SyncSender<Job<'env>>,
    workers: Vec<ScopedJoinHandle<'scope, ()>>,
    shared: Arc<Shared<'env>>,
}

type Job<'env> = Box<dyn FnOnce(&mut Sealer<'env>) + Send + 'env>;

struct Shared<'env> {
    key: &'env EpochKey,
    sink: &'env dyn BlockSink,
    failure: Mutex<Option<BlockError>>,
    bytes: Mutex<u64>,
}

/// What a worker seals with.
struct Sealer<'env> {
    shared: Arc<Shared<'env>>,
    waiting: Vec<SealedBlock>,
}

impl<'scope, 'env> Output<'scope, 'env> {
    pub fn start(
        scope: &'scope Scope<'scope, 'env>,
        key: &'env EpochKey,
        sink: &'env dyn BlockSink,
        threads: usize,
    ) -> Output<'scope, 'env> {
        let (jobs, receiver) = sync_channel::<Job<'env>>(JOBS_WAITING_MAX);
        let receiver = Arc::new(Mutex::new(receiver));
        let shared = Arc::new(Shared { key, sink, failure: Mutex::default(), bytes: Mutex::default() });
        let workers = (0..threads.max(1)).map(|_| {
            let (receiver, shared) = (Arc::clone(&receiver), Arc::clone(&shared));
            scope.spawn(move || work(&receiver, Sealer { shared, waiting: Vec::new() }))
        });
        Output { jobs, workers: workers.collect(), shared }
    }

    fn submit(&self, job: impl FnOnce(&mut Sealer<'env>) + Send + 'env) -> Result<(), WriteError> {
        if let Some(error) = self.shared.take_failure() {
            return Err(error.into());
        }
        let ended = |_| BlockError::Io(std::io::Error::other("the threads that write blocks have ended"));
        Ok(self.jobs.send(Box::new(job)).map_err(ended)?)
    }

    /// Puts one block at once; returns its id.
    pub fn put(&self, kind: BlockKind, content: &[u8]) -> Result<BlockId, WriteError> {
        let block = SealedBlock::seal(kind, content, self.shared.key);
        self.shared.put(std::slice::from_ref(&block))?;
        Ok(block.id())
    }

    /// Puts pages; returns their entries for the manifest's root.
    pub fn put_pages(
        &self,
        section: Section,
        contents: impl Iterator<Item = Vec<u8>>,
    ) -> Result<Vec<PageEntry>, WriteError> {
        contents
            .map(|content| Ok(PageEntry { section, id: self.put(BlockKind::ManifestPage, &content)? }))
            .collect()
    }

    /// Waits until all blocks are put; returns how many bytes they have, sealed.
    pub fn finish(self) -> Result<u64, WriteError> {
        drop(self.jobs);
        for worker in self.workers {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
        match self.shared.take_failure() {
            Some(error) => Err(error.into()),
            None => Ok(*self.shared.bytes.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

fn work<'env>(jobs: &Mutex<Receiver<Job<'env>>>, mut sealer: Sealer<'env>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { break };
        job(&mut sealer);
    }
    sealer.flush();
}

impl Shared<'_> {
    fn put(&self, blocks: &[SealedBlock]) -> Result<(), BlockError> {
        self.sink.put(blocks)?;
        let bytes: usize = blocks.iter().map(|block| block.bytes().len()).sum();
        *self.bytes.lock().unwrap_or_else(PoisonError::into_inner) += bytes as u64;
        Ok(())
    }

    fn take_failure(&self) -> Option<BlockError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Sealer<'_> {
    /// Returns the id of the block and its sealed bytes.
    fn put(&mut self, kind: BlockKind, content: &[u8]) -> (BlockId, u32) {
        let block = SealedBlock::seal(kind, content, self.shared.key);
        let sealed = (block.id(), block.bytes().len() as u32);
        self.waiting.push(block);
        if self.waiting.len() >= PUT_BLOCKS {
            self.flush();
        }
        sealed
    }

    fn flush(&mut self) {
        let blocks = std::mem::take(&mut self.waiting);
        if blocks.is_empty() {
            return;
        }
        if let Err(error) = self.shared.put(&blocks) {
            let mut failure = self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner);
            failure.get_or_insert(error);
        }
    }
}

/// Collects what jobs return, by the order in which they were submitted.
struct Results<T> {
    sender: Sender<(usize, T)>,
    receiver: Receiver<(usize, T)>,
    count: usize,
}

impl<T> Results<T> {
    fn new() -> Results<T> {
        let (sender, receiver) = channel();
        Results { sender, receiver, count: 0 }
    }

    /// Returns where the next job sends its result, and its number.
    fn next(&mut self) -> (Sender<(usize, T)>, usize) {
        self.count += 1;
        (self.sender.clone(), self.count - 1)
    }

    fn finish(self) -> Vec<T> {
        drop(self.sender);
        let mut results: Vec<(usize, T)> = self.receiver.iter().collect();
        results.sort_unstable_by_key(|(number, _)| *number);
        results.into_iter().map(|(_, result)| result).collect()
    }
}

/// Writes the blocks of one section of rows.
pub struct RowWriter<'a, 'scope, 'env, const N: usize> {
    output: &'a Output<'scope, 'env>,
    section: Section,
    rows: Vec<[u64; N]>,
    results: Results<RowEntry>,
    count: u64,
}

impl<'a, 'scope, 'env, const N: usize> RowWriter<'a, 'scope, 'env, N> {
    pub fn new(output: &'a Output<'scope, 'env>, section: Section) -> RowWriter<'a, 'scope, 'env, N> {
        RowWriter { output, section, rows: Vec::with_capacity(BLOCK_ROWS), results: Results::new(), count: 0 }
    }

    /// Appends rows, which are above those before.
    pub fn push(&mut self, mut rows: &[[u64; N]]) -> Result<(), WriteError> {
        self.count += rows.len() as u64;
        while !rows.is_empty() {
            let (now, later) = rows.split_at(rows.len().min(BLOCK_ROWS - self.rows.len()));
            self.rows.extend_from_slice(now);
            if self.rows.len() == BLOCK_ROWS {
                self.submit(BLOCK_ROWS)?;
            }
            rows = later;
        }
        Ok(())
    }

    fn submit(&mut self, capacity: usize) -> Result<(), WriteError> {
        let rows = std::mem::replace(&mut self.rows, Vec::with_capacity(capacity));
        let (section, (results, number)) = (self.section, self.results.next());
        self.output.submit(move |sealer| {
            let (id, bytes) = sealer.put(section.block_kind(), &encode_rows(&rows));
            let mut first = [0; WIDTH_MAX];
            first[..N].copy_from_slice(&rows[0]);
            let graphs = GraphSet::of(rows.iter().map(|row| row[section.graph_place()]));
            // Nobody listens any more once writing has failed.
            let _ = results.send((number, RowEntry { first, rows: rows.len() as u32, bytes, id, graphs }));
        })
    }

    /// Waits for all blocks and returns their entries, in order.
    pub fn finish(mut self) -> Result<Vec<RowEntry>, WriteError> {
        if !self.rows.is_empty() {
            self.submit(0)?;
        }
        Ok(self.results.finish())
    }

    /// As [`RowWriter::finish`]; puts the index pages and returns their entries, and how many rows there are.
    pub fn finish_pages(self) -> Result<(Vec<PageEntry>, u64), WriteError> {
        let (output, section, count) = (self.output, self.section, self.count);
        let entries = self.finish()?;
        let pages = entries.chunks(PAGE_ENTRIES).map(|page| encode_row_page(section, page));
        Ok((output.put_pages(section, pages)?, count))
    }
}

/// Writes the blocks of a dictionary.
pub struct DictionaryWriter<'a, 'scope, 'env> {
    output: &'a Output<'scope, 'env>,
    groups: [TermGroup; 3],
    has_triples: bool,
}

/// Terms that share no block with others.
struct TermGroup {
    encoder: DictionaryEncoder,
    results: Results<TermsEntry>,
}

impl<'a, 'scope, 'env> DictionaryWriter<'a, 'scope, 'env> {
    /// If there are no triple terms, nodes and literals share blocks.
    pub fn new(output: &'a Output<'scope, 'env>, has_triples: bool) -> DictionaryWriter<'a, 'scope, 'env> {
        let encoders = [
            DictionaryEncoder::default(),
            DictionaryEncoder::after_lesser_kinds(),
            DictionaryEncoder::after_lesser_kinds(),
        ];
        let groups = encoders.map(|encoder| TermGroup { encoder, results: Results::new() });
        DictionaryWriter { output, groups, has_triples }
    }

    /// Appends a key, of a term that takes so many bytes in full. Nodes, triple terms and literals come sorted each;
    /// literals after nodes, if there are no triple terms.
    pub fn push(&mut self, key: &[u8], expanded_bytes: usize) -> Result<(), WriteError> {
        let group = match kind_of_key(key) {
            Some(TermKind::Triple) => 1,
            Some(kind) if kind > TermKind::Triple && self.has_triples => 2,
            _ => 0,
        };
        let group = &mut self.groups[group];
        match group.encoder.push(key, expanded_bytes) {
            Some(block) => submit(self.output, &mut group.results, block),
            None => Ok(()),
        }
    }

    /// Waits for all blocks and returns their entries, in order.
    pub fn finish(self) -> Result<Vec<TermsEntry>, WriteError> {
        let mut entries = Vec::new();
        for TermGroup { mut encoder, mut results } in self.groups {
            if let Some(block) = encoder.finish() {
                submit(self.output, &mut results, block)?;
            }
            entries.extend(results.finish());
        }
        Ok(entries)
    }

    /// As [`DictionaryWriter::finish`]; puts the index pages and returns their entries.
    pub fn finish_pages(self) -> Result<Vec<PageEntry>, WriteError> {
        let output = self.output;
        let entries = self.finish()?;
        output.put_pages(Section::Dictionary, entries.chunks(PAGE_ENTRIES).map(encode_terms_page))
    }
}

fn submit(
    output: &Output<'_, '_>,
    results: &mut Results<TermsEntry>,
    block: RawDictionary,
) -> Result<(), WriteError> {
    let (results, number) = results.next();
    output.submit(move |sealer| {
        let block = block.compress();
        let (id, bytes) = sealer.put(BlockKind::Dictionary, &block.content);
        let mut separator = block.separator;
        separator.truncate(SEPARATOR_BYTES_MAX);
        let _ = results.send((number, TermsEntry { separator, terms: block.terms, bytes, id }));
    })
}
