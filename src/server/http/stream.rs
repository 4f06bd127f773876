//! Bodies written by a query thread while the socket thread sends them.
//!
//! A job runs on a blocking thread of a bounded pool. A short answer is sent whole. A longer one
//! goes chunk by chunk through a bounded channel: a slow client slows its query, and no result is
//! ever held whole. A job that fails after its first chunk breaks the connection off, so that no
//! client takes half an answer for a whole one.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use futures::stream;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::encoding::{Encoding, Packer};
use super::problem::Problem;

const CHUNK_BYTES: usize = 32 << 10;
/// Packing less than this saves no packet.
const PACKED_BYTES_MIN: usize = 1 << 10;
const CHUNKS_WAITING_MAX: usize = 4;
/// A client that takes no bytes for so long has gone.
const STALL_MAX: Duration = Duration::from_secs(60);

/// The bounded pool of query threads.
pub(super) struct QueryPool {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// What a job writes its response through.
pub(super) struct Sink {
    head: Option<oneshot::Sender<Result<HeadOf, Problem>>>,
    chunks: mpsc::Sender<io::Result<Bytes>>,
    runtime: Handle,
    encoding: Encoding,
}

struct HeadOf {
    status: StatusCode,
    headers: HeaderMap,
    /// The body, if it is known already; else it comes in chunks.
    whole: Option<Vec<u8>>,
}

/// Tells the query to stop when nobody waits for it any more.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl QueryPool {
    /// Makes a pool that runs so many jobs at once and lets so many more wait.
    pub fn new(threads: usize, waiting_max: usize) -> QueryPool {
        QueryPool {
            running: Arc::new(Semaphore::new(threads.max(1))),
            waiting: Arc::new(Semaphore::new(threads.max(1) + waiting_max)),
        }
    }

    /// Runs a job and returns its response as soon as the job starts it. `cancel` is set when
    /// the client goes away; `encoding` is what it takes.
    ///
    /// # Errors
    /// What the job returns before it starts a response; 429 if too many wait already.
    pub async fn respond(
        &self,
        cancel: Arc<AtomicBool>,
        encoding: Encoding,
        job: impl FnOnce(&mut Sink) -> Result<(), Problem> + Send + 'static,
    ) -> Result<Response<Body>, Problem> {
        let guard = CancelOnDrop(cancel);
        let busy = || {
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS", "too many queries are waiting")
                .header(header::RETRY_AFTER, "1")
        };
        let place = self.waiting.clone().try_acquire_owned().map_err(|_| busy())?;
        let turn = self.running.clone().acquire_owned().await.map_err(|_| busy())?;
        let (head_sender, head) = oneshot::channel();
        let (chunks, receiver) = mpsc::channel(CHUNKS_WAITING_MAX);
        let mut sink = Sink { head: Some(head_sender), chunks, runtime: Handle::current(), encoding };
        tokio::task::spawn_blocking(move || {
            let result = job(&mut sink);
            sink.end(result);
            drop((place, turn));
        });
        // A job that panics drops its sender.
        let gone =
            || Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "the query failed inside");
        let head = head.await.map_err(|_| gone())??;
        let chunks = stream::unfold((receiver, guard), |(mut receiver, guard)| async move {
            receiver.recv().await.map(|chunk| (chunk, (receiver, guard)))
        });
        let body = head.whole.map_or_else(|| Body::from_stream(chunks), Body::from);
        let mut response = Response::new(body);
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        Ok(response)
    }
}

impl Sink {
    /// Answers without a body.
    pub fn answer(&mut self, status: StatusCode, headers: HeaderMap) {
        self.send_head(HeadOf { status, headers, whole: Some(Vec::new()) });
    }

    /// Begins a body.
    pub fn start(&mut self, status: StatusCode, headers: HeaderMap) -> ChunkWriter<'_> {
        let head = Some(HeadOf { status, headers, whole: None });
        ChunkWriter { sink: self, head, buffer: Vec::with_capacity(CHUNK_BYTES), packer: Packer::Identity }
    }

    fn send_head(&mut self, head: HeadOf) {
        if let Some(sender) = self.head.take() {
            // The receiver is gone if the client is; the first chunk will say so.
            let _ = sender.send(Ok(head));
        }
    }

    fn send(&self, chunk: Vec<u8>) -> io::Result<()> {
        let send = tokio::time::timeout(STALL_MAX, self.chunks.send(Ok(Bytes::from(chunk))));
        match self.runtime.block_on(send) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "the client has gone")),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes no more bytes")),
        }
    }

    fn end(&mut self, result: Result<(), Problem>) {
        match (result, self.head.take()) {
            (Err(problem), Some(head)) => {
                let _ = head.send(Err(problem));
            }
            (Err(problem), None) => {
                tracing::warn!(code = problem.code, detail = problem.detail, "a response broke off");
                let broken = io::Error::other(problem.detail);
                let _ = self.runtime.block_on(tokio::time::timeout(STALL_MAX, self.chunks.send(Err(broken))));
            }
            (Ok(()), _) => {}
        }
    }
}

/// Gathers what is written into chunks, packs them and hands them to the socket thread.
pub(super) struct ChunkWriter<'a> {
    sink: &'a mut Sink,
    /// Until the first chunk is sent.
    head: Option<HeadOf>,
    buffer: Vec<u8>,
    packer: Packer,
}

impl ChunkWriter<'_> {
    /// Sends what is gathered. A writer that is dropped instead has sent no whole answer.
    pub fn finish(mut self) -> io::Result<()> {
        if let Some(mut head) = self.head.take() {
            if self.buffer.len() >= PACKED_BYTES_MIN {
                self.begin_packing(&mut head)?;
            }
            let mut whole = self.packer.pack(self.buffer)?;
            whole.extend(self.packer.finish()?);
            self.sink.send_head(HeadOf { whole: Some(whole), ..head });
            return Ok(());
        }
        let mut last = self.packer.pack(self.buffer)?;
        last.extend(self.packer.finish()?);
        if last.is_empty() { Ok(()) } else { self.sink.send(last) }
    }

    fn begin_packing(&mut self, head: &mut HeadOf) -> io::Result<()> {
        if let Some(name) = self.sink.encoding.name() {
            head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
            self.packer = self.sink.encoding.packer()?;
        }
        Ok(())
    }

    fn send_chunk(&mut self) -> io::Result<()> {
        if let Some(mut head) = self.head.take() {
            self.begin_packing(&mut head)?;
            self.sink.send_head(head);
        }
        let full = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK_BYTES));
        let chunk = self.packer.pack(full)?;
        if chunk.is_empty() { Ok(()) } else { self.sink.send(chunk) }
    }
}

impl Write for ChunkWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK_BYTES {
            self.send_chunk()?;
        }
        Ok(bytes.len())
    }

    /// Does nothing: a chunk goes when it is full.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(
        job: impl FnOnce(&mut Sink) -> Result<(), Problem> + Send + 'static,
    ) -> Result<Vec<u8>, String> {
        let pool = QueryPool::new(1, 0);
        let response =
            pool.respond(Arc::default(), Encoding::Identity, job).await.map_err(|problem| problem.code)?;
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await;
        bytes.map(|bytes| bytes.to_vec()).map_err(|_| "broken off".to_owned())
    }

    #[tokio::test]
    async fn a_body_is_whole_or_visibly_broken() {
        let failure = || Err(Problem::bad_request("LATE", "too late"));
        let whole = run(|sink| {
            let mut writer = sink.start(StatusCode::OK, HeaderMap::new());
            (0..100_000u32).try_for_each(|number| writer.write_all(&number.to_le_bytes())).unwrap();
            writer.finish().unwrap();
            Ok(())
        });
        assert_eq!(whole.await.unwrap().len(), 400_000);
        assert_eq!(run(move |_| failure()).await, Err("LATE".to_owned()));
        let begun = run(move |sink| {
            sink.start(StatusCode::OK, HeaderMap::new()).write_all(b"half").unwrap();
            failure()
        });
        assert_eq!(begun.await, Err("LATE".to_owned()));
        let broken = run(move |sink| {
            let mut writer = sink.start(StatusCode::OK, HeaderMap::new());
            writer.write_all(&[0; CHUNK_BYTES]).unwrap();
            failure()
        });
        assert_eq!(broken.await, Err("broken off".to_owned()));
    }

    #[tokio::test]
    async fn a_client_that_leaves_cancels_its_query() {
        let pool = QueryPool::new(1, 0);
        let cancel = Arc::new(AtomicBool::new(false));
        let (sender, ended) = oneshot::channel();
        let response = pool.respond(cancel.clone(), Encoding::Identity, move |sink| {
            let mut writer = sink.start(StatusCode::OK, HeaderMap::new());
            let error = loop {
                if let Err(error) = writer.write_all(&[0; CHUNK_BYTES]) {
                    break error;
                }
            };
            sender.send(error.kind()).unwrap();
            Ok(())
        });
        drop(response.await.unwrap());
        assert_eq!(ended.await.unwrap(), io::ErrorKind::BrokenPipe);
        assert!(cancel.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn who_finds_the_queue_full_is_sent_away() {
        let pool = Arc::new(QueryPool::new(1, 0));
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let first = pool.clone();
        let first = tokio::spawn(async move {
            first
                .respond(Arc::default(), Encoding::Identity, move |sink| {
                    sink.answer(StatusCode::OK, HeaderMap::new());
                    let _ = wait.recv();
                    Ok(())
                })
                .await
                .map(|_| ())
        });
        first.await.unwrap().unwrap();
        let second = pool.respond(Arc::default(), Encoding::Identity, |_| Ok(())).await.err().unwrap();
        assert_eq!(second.status, StatusCode::TOO_MANY_REQUESTS);
        drop(release);
    }
}
