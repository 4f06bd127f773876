//! `Connection`: one client's socket, between its messages and the session and worker that serve it.
//!
//! Until a client has said who it is, its messages are short and its time is too. Afterwards a task of its
//! own reads on while statements run, so that a RESET, or the client's end, stops the one at hand.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::BoltOptions;
use super::chunk::{ChunkReader, write_message};
use super::failure::Failure;
use super::message::{Message, Reply, begin_record};
use super::packstream::Packer;
use super::session::{Action, Done, Session, Task};
use super::value::Encoding;
use super::version::{Handshake, Progress, Version};
use super::worker::Worker;
use crate::engine::{Engine, EngineError};
use crate::model::Value;

/// The longest message of a client that has not said who it is.
const LOGIN_BYTES_MAX: usize = 64 << 10;
/// A client that takes no bytes for so long has gone.
const STALL_MAX: Duration = Duration::from_secs(60);
/// Messages that wait while one is answered; then the client has to.
const MESSAGES_WAITING_MAX: usize = 4;
const READ_BYTES: usize = 16 << 10;
/// Records are gathered into pieces of about this size.
const PIECE_BYTES: usize = 32 << 10;
const PIECES_WAITING_MAX: usize = 4;

/// What all connections share.
pub struct Shared {
    pub engine: Arc<Engine>,
    pub options: BoltOptions,
    /// One for each task that may run at once.
    pub turns: Arc<Semaphore>,
    /// Cancelled when connections shall end as soon as nothing is under way.
    pub ending: CancellationToken,
}

/// Serves a client until one of both ends the connection.
pub async fn serve(
    reading: impl AsyncRead + Send + Unpin + 'static,
    mut writing: impl AsyncWrite + Send + Unpin,
    shared: Arc<Shared>,
    id: String,
) {
    let deadline = Instant::now() + shared.options.login_timeout;
    let mut incoming =
        Incoming { socket: reading, chunks: ChunkReader::default(), bytes_max: LOGIN_BYTES_MAX };
    let agreed = timeout_at(deadline, incoming.agree(&mut writing)).await;
    let Ok(Ok(Some(version))) = agreed else { return };
    let cancel = Arc::new(AtomicBool::new(false));
    let connection = Connection {
        version,
        session: Session::new(version, id, shared.options.tokens.clone()),
        worker: Some(Worker::new(shared.engine.clone(), shared.options.clone(), version, cancel.clone())),
        writing,
        interrupts: Arc::new(Interrupts { cancel, resets: Mutex::new(0) }),
        shared,
    };
    if let Err(error) = connection.run(incoming, deadline).await {
        tracing::debug!(%error, "a Bolt connection broke off");
    }
}

/// The half of the socket that is read from.
struct Incoming<R> {
    socket: R,
    chunks: ChunkReader,
    bytes_max: usize,
}

/// Why no message came.
enum NoNext {
    /// The client has gone.
    Gone,
    /// It does not speak the protocol, or too long.
    Foreign(Failure),
}

impl<R: AsyncRead + Send + Unpin> Incoming<R> {
    /// Agrees on a version; `None` if there is none.
    async fn agree(&mut self, writing: &mut (impl AsyncWrite + Unpin)) -> io::Result<Option<Version>> {
        let mut handshake = Handshake::default();
        let mut bytes = [0; 64];
        loop {
            let count = self.socket.read(&mut bytes).await?;
            if count == 0 {
                return Ok(None);
            }
            match handshake.push(&bytes[..count]) {
                Progress::Waiting => {}
                Progress::Offer(offer) => {
                    writing.write_all(&offer).await?;
                    writing.flush().await?;
                }
                Progress::Agreed { reply, version, rest } => {
                    writing.write_all(&reply).await?;
                    writing.flush().await?;
                    self.chunks.push(&rest);
                    return Ok(Some(version));
                }
                Progress::Refused(reply) => {
                    writing.write_all(&reply).await?;
                    writing.flush().await?;
                    return Ok(None);
                }
            }
        }
    }

    async fn next(&mut self) -> Result<Message, NoNext> {
        let mut bytes = vec![0; READ_BYTES];
        let foreign = |error: &dyn std::error::Error| NoNext::Foreign(Failure::invalid(error.to_string()));
        loop {
            if let Some(message) =
                self.chunks.next_message(self.bytes_max).map_err(|error| foreign(&error))?
            {
                return Message::decode(&message).map_err(|error| foreign(&error));
            }
            match self.socket.read(&mut bytes).await {
                Ok(0) | Err(_) => return Err(NoNext::Gone),
                Ok(count) => self.chunks.push(&bytes[..count]),
            }
        }
    }

    /// Reads messages into `inbox` to the end of the connection.
    async fn read_on(mut self, inbox: mpsc::Sender<Result<Message, Failure>>, interrupts: Arc<Interrupts>) {
        loop {
            let next = match self.next().await {
                Ok(message) => Ok(message),
                Err(NoNext::Foreign(failure)) => Err(failure),
                Err(NoNext::Gone) => return interrupts.cancel(),
            };
            if next == Ok(Message::Reset) {
                interrupts.begin();
            }
            let is_last = next.is_err();
            if inbox.send(next).await.is_err() || is_last {
                return;
            }
        }
    }
}

/// RESETs that were read and not yet answered; while there are any, no statement goes on.
struct Interrupts {
    cancel: Arc<AtomicBool>,
    resets: Mutex<usize>,
}

impl Interrupts {
    fn begin(&self) {
        let mut resets = self.resets.lock().unwrap_or_else(PoisonError::into_inner);
        *resets += 1;
        self.cancel();
    }

    /// Takes note that one of them comes to be answered.
    fn end(&self) {
        let mut resets = self.resets.lock().unwrap_or_else(PoisonError::into_inner);
        *resets = resets.saturating_sub(1);
        self.cancel.store(*resets > 0, Ordering::Relaxed);
    }

    fn are_pending(&self) -> bool {
        *self.resets.lock().unwrap_or_else(PoisonError::into_inner) > 0
    }

    fn cancel(&self) {
        self.cancel.store(true, Ordering::Relaxed);
    }
}

struct Connection<W> {
    version: Version,
    session: Session,
    /// `None` while a thread has it.
    worker: Option<Worker>,
    writing: W,
    interrupts: Arc<Interrupts>,
    shared: Arc<Shared>,
}

impl<W: AsyncWrite + Send + Unpin> Connection<W> {
    async fn run(
        mut self,
        mut incoming: Incoming<impl AsyncRead + Send + Unpin + 'static>,
        deadline: Instant,
    ) -> io::Result<()> {
        while !self.session.is_authenticated() {
            let next = timeout_at(deadline, incoming.next()).await;
            let next = match next.map_err(|_| io::ErrorKind::TimedOut)? {
                Err(NoNext::Gone) => return Ok(()),
                Err(NoNext::Foreign(failure)) => Err(failure),
                Ok(message) => Ok(message),
            };
            if !self.answer(next).await? {
                return Ok(());
            }
        }
        incoming.bytes_max = self.shared.options.message_bytes_max;
        let (inbox, mut messages) = mpsc::channel(MESSAGES_WAITING_MAX);
        let reading = tokio::spawn(incoming.read_on(inbox, self.interrupts.clone()));
        let _stopped = AbortOnDrop(reading);
        loop {
            let next = tokio::select! {
                next = messages.recv() => next,
                () = self.shared.ending.cancelled(), if self.session.is_idle() => None,
            };
            let Some(next) = next else { return Ok(()) };
            if !self.answer(next).await? {
                return Ok(());
            }
        }
    }

    /// Answers a message; returns whether the connection goes on.
    async fn answer(&mut self, next: Result<Message, Failure>) -> io::Result<bool> {
        let message = match next {
            Ok(message) => message,
            Err(failure) => {
                self.reply(&Reply::Failure(failure), Vec::new()).await?;
                return Ok(false);
            }
        };
        match message {
            Message::Reset => self.interrupts.end(),
            _ if self.interrupts.are_pending() => self.session.interrupt(),
            _ => {}
        }
        match self.session.on_message(message) {
            Action::Reply(reply) => self.reply(&reply, Vec::new()).await?,
            Action::Work(task) => {
                let (done, records) = self.perform(task).await?;
                let reply = self.session.on_done(done);
                self.reply(&reply, records).await?;
            }
            Action::End(reply) => {
                if let Some(reply) = reply {
                    self.reply(&reply, Vec::new()).await?;
                }
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Does a task on a thread that may block, and sends records as they come; returns with what came
    /// of it those that are yet to be sent.
    async fn perform(&mut self, task: Task) -> io::Result<(Result<Done, Failure>, Vec<u8>)> {
        let turn = self.shared.turns.clone().acquire_owned().await.map_err(io::Error::other)?;
        let mut worker = self.worker.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let (sender, mut pieces) = mpsc::channel(PIECES_WAITING_MAX);
        let mut outbox =
            Outbox { gathered: Vec::new(), record: Vec::new(), pieces: sender, runtime: Handle::current() };
        let job = tokio::task::spawn_blocking(move || {
            let done = worker.perform(task, &mut |row, encoding| outbox.put(row, encoding));
            drop(turn);
            (worker, done, outbox.gathered)
        });
        while let Some(piece) = pieces.recv().await {
            self.send(&piece).await?;
        }
        match job.await {
            Ok((worker, done, records)) => {
                self.worker = Some(worker);
                Ok((done, records))
            }
            // It panicked, and the worker with it: the next task ends the connection.
            Err(_) => Ok((Err(Failure::inside()), Vec::new())),
        }
    }

    /// Sends a reply after the records that belong to it.
    async fn reply(&mut self, reply: &Reply, mut records: Vec<u8>) -> io::Result<()> {
        write_message(&reply.encode(self.version), &mut records);
        self.send(&records).await
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let sent = async {
            self.writing.write_all(bytes).await?;
            self.writing.flush().await
        };
        timeout(STALL_MAX, sent).await.map_err(|_| io::ErrorKind::TimedOut)?
    }
}

impl<W> Drop for Connection<W> {
    fn drop(&mut self) {
        self.interrupts.cancel();
    }
}

/// Gathers records on the worker's thread for the socket's.
struct Outbox {
    gathered: Vec<u8>,
    /// The record at hand; kept for its space.
    record: Vec<u8>,
    pieces: mpsc::Sender<Vec<u8>>,
    runtime: Handle,
}

impl Outbox {
    fn put(&mut self, row: &[Value], encoding: Encoding) -> Result<(), EngineError> {
        self.record.clear();
        let mut packer = Packer(&mut self.record);
        begin_record(&mut packer, row.len());
        row.iter().for_each(|value| encoding.write(value, &mut packer));
        write_message(&self.record, &mut self.gathered);
        if self.gathered.len() < PIECE_BYTES {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.gathered, Vec::with_capacity(PIECE_BYTES));
        // Fails once the connection has ended, which also happens to one that stalls.
        self.runtime.block_on(self.pieces.send(piece)).map_err(|_| EngineError::Cancelled)
    }
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
