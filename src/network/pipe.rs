//! A stream that speaks messages: buffers in both directions over one libp2p stream.
//!
//! Reading and writing are polled together, by one task. Two tasks, one for each half, lose
//! wake-ups: a Yamux stream tells its connection of both through one channel that remembers only
//! the last task that waited for it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::io::{AsyncRead, AsyncWrite};
use libp2p::Stream;

use super::frame::FrameReader;
use super::message::{Message, Violation};

const READ_BYTES: usize = 128 << 10;
/// With more than this to be written, nothing is read: who does not listen is not listened to.
const UNWRITTEN_BYTES_MAX: usize = 4 << 20;

pub(super) struct Pipe {
    stream: Stream,
    frames: FrameReader,
    buffer: Vec<u8>,
    outgoing: VecDeque<Vec<u8>>,
    /// Bytes of the first of `outgoing` that are written.
    written: usize,
    unwritten_bytes: usize,
    needs_flush: bool,
}

/// What a pipe did.
pub(super) enum Progress {
    /// Bytes came; there may be messages.
    Read,
    /// Bytes went; there is room for more.
    Wrote,
}

impl Pipe {
    pub(super) fn new(stream: Stream) -> Pipe {
        Pipe {
            stream,
            frames: FrameReader::default(),
            buffer: vec![0; READ_BYTES],
            outgoing: VecDeque::new(),
            written: 0,
            unwritten_bytes: 0,
            needs_flush: false,
        }
    }

    /// Queues encoded messages; [`Pipe::progress`] writes them.
    pub(super) fn send(&mut self, bytes: Vec<u8>) {
        self.unwritten_bytes += bytes.len();
        self.outgoing.push_back(bytes);
    }

    pub(super) fn unwritten_bytes(&self) -> usize {
        self.unwritten_bytes
    }

    /// Returns the next message that has come as a whole.
    pub(super) fn next_message(&mut self) -> Result<Option<Message>, Violation> {
        self.frames.next_message()
    }

    /// Waits until bytes came or went. May be dropped and called again at any time.
    ///
    /// # Errors
    /// The stream ended, or its connection did.
    pub(super) async fn progress(&mut self) -> io::Result<Progress> {
        poll_fn(|cx| self.poll_progress(cx)).await
    }

    /// Writes what is queued, and ends the stream.
    pub(super) async fn finish(&mut self) -> io::Result<()> {
        poll_fn(|cx| {
            self.poll_write(cx)?;
            if self.outgoing.is_empty() && !self.needs_flush {
                return Pin::new(&mut self.stream).poll_close(cx);
            }
            Poll::Pending
        })
        .await
    }

    fn poll_progress(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Progress>> {
        let wrote = self.poll_write(cx)?;
        if self.unwritten_bytes <= UNWRITTEN_BYTES_MAX
            && let Poll::Ready(count) = Pin::new(&mut self.stream).poll_read(cx, &mut self.buffer)?
        {
            if count == 0 {
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "it closed the stream",
                )));
            }
            self.frames.push(&self.buffer[..count]);
            return Poll::Ready(Ok(Progress::Read));
        }
        if wrote { Poll::Ready(Ok(Progress::Wrote)) } else { Poll::Pending }
    }

    /// Writes as much as goes now; returns whether anything went.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut wrote = false;
        while let Some(message) = self.outgoing.front() {
            let rest = &message[self.written..];
            let Poll::Ready(count) = Pin::new(&mut self.stream).poll_write(cx, rest)? else { break };
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            wrote = true;
            self.needs_flush = true;
            self.written += count;
            self.unwritten_bytes -= count;
            if self.written == message.len() {
                self.outgoing.pop_front();
                self.written = 0;
            }
        }
        if self.outgoing.is_empty()
            && self.needs_flush
            && Pin::new(&mut self.stream).poll_flush(cx)?.is_ready()
        {
            self.needs_flush = false;
        }
        Ok(wrote)
    }
}
