//! Exchange streams that peers opened: the tasks that drive their [`Responder`]s.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::StreamExt;
use futures::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use libp2p::PeerId;
use libp2p_stream::IncomingStreams;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::error::NetworkError;
use super::frame::FrameReader;
use super::message::{HEADS_BYTES_MAX, Message, Refusal, RequestId, VERSION, Violation, encode_block};
use super::node::{Shared, Workspace};
use super::peer::Traffic;
use super::proof::{Role, Session};
use super::responder::{Greeting, Read, Responder, Task};
use crate::block::SealedBlock;

const READ_BYTES: usize = 64 << 10;
/// Messages decoded but not looked at; the peer's writes wait beyond them.
const MESSAGES_AHEAD: usize = 8;

/// Takes in streams until the node goes away.
pub(super) async fn accept(shared: Arc<Shared>, mut incoming: IncomingStreams) {
    while let Some((peer, stream)) = incoming.next().await {
        if shared.peers().cooldown(&peer).is_some() {
            continue;
        }
        let limits = &shared.limits;
        let fits =
            shared.peers().stream_opened(peer, limits.streams_per_peer_max, limits.streams_inbound_max);
        tokio::spawn(serve(shared.clone(), peer, stream, fits));
    }
}

async fn serve(shared: Arc<Shared>, peer: PeerId, stream: libp2p::Stream, fits: bool) {
    let (reader, writer) = stream.split();
    let (sender, messages) = mpsc::channel(MESSAGES_AHEAD);
    let traffic = shared.peers().traffic(peer);
    let mut server = Server {
        responder: Responder::new(),
        shared: shared.clone(),
        peer,
        traffic,
        workspace: None,
        writer,
        ready: VecDeque::new(),
        reading: None,
    };
    if !fits {
        let _ = server.send(Message::Refused { reason: Refusal::Busy }).await;
        let _ = server.flush().await;
        return;
    }
    let reading = tokio::spawn(read(reader, sender));
    let end = server.run(messages).await;
    reading.abort();
    if let Err(error) = end {
        tracing::debug!(%peer, %error, "served stream ends");
        shared.on_link_error(peer, &error);
    }
    shared.peers().stream_closed(peer);
}

/// Decodes what the peer sends until it stops, breaks the protocol, or nobody listens.
async fn read(mut reader: ReadHalf<libp2p::Stream>, messages: mpsc::Sender<Result<Message, Violation>>) {
    let mut frames = FrameReader::default();
    let mut buffer = vec![0; READ_BYTES];
    while let Ok(count) = reader.read(&mut buffer).await
        && count > 0
    {
        frames.push(&buffer[..count]);
        while let Some(message) = frames.next_message().transpose() {
            let is_violation = message.is_err();
            if messages.send(message).await.is_err() || is_violation {
                return;
            }
        }
    }
}

type Found = Vec<(RequestId, u32, Option<SealedBlock>)>;

struct Server {
    responder: Responder,
    shared: Arc<Shared>,
    peer: PeerId,
    traffic: Arc<Traffic>,
    workspace: Option<Arc<Workspace>>,
    writer: WriteHalf<libp2p::Stream>,
    /// Read from the source, to be sent in this order.
    ready: VecDeque<(RequestId, u32, Option<SealedBlock>)>,
    /// Reads ahead while `ready` is being sent.
    reading: Option<JoinHandle<Found>>,
}

impl Server {
    async fn run(
        &mut self,
        mut messages: mpsc::Receiver<Result<Message, Violation>>,
    ) -> Result<(), NetworkError> {
        let patience = self.shared.limits.idle_taker_timeout;
        loop {
            self.read_ahead();
            while let Ok(message) = messages.try_recv() {
                self.on_message(message.map_err(|violation| self.violation(violation))?).await?;
            }
            if self.send_next().await? {
                continue;
            }
            self.flush().await?;
            let waits_for_credit = !self.ready.is_empty();
            tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => self.on_message(message.map_err(|violation| self.violation(violation))?).await?,
                    None => return Ok(()),
                },
                found = finished(&mut self.reading) => self.ready.extend(found),
                () = tokio::time::sleep(patience), if waits_for_credit || self.workspace.is_none() => {
                    return Err(NetworkError::Stalled { peer: self.peer, waited: patience });
                }
            }
        }
    }

    /// Starts to read the next blocks unless enough are at hand.
    fn read_ahead(&mut self) {
        let Some(workspace) = self.workspace.as_ref() else { return };
        if self.reading.is_none()
            && self.ready.is_empty()
            && let Some(next) = self.responder.next_read()
        {
            let workspace = workspace.clone();
            self.reading = Some(tokio::task::spawn_blocking(move || find(&workspace, next)));
        }
    }

    async fn on_message(&mut self, message: Message) -> Result<(), NetworkError> {
        match self.responder.on_message(message).map_err(|violation| self.violation(violation))? {
            Task::Admit(greeting) => self.admit(greeting).await,
            Task::SendHeads(request) => {
                let Some(workspace) = self.workspace.clone() else { return Ok(()) };
                let sealed = tokio::task::spawn_blocking(move || workspace.heads.heads()).await;
                let mut sealed = sealed.unwrap_or_default();
                if sealed.len() > HEADS_BYTES_MAX {
                    tracing::warn!(bytes = sealed.len(), "the heads are too many to be told");
                    sealed.clear();
                }
                self.responder.heads_sent();
                self.send(Message::Heads { request, sealed }).await
            }
            Task::Send(message) => self.send(message).await,
            Task::Continue => Ok(()),
        }
    }

    async fn admit(&mut self, greeting: Greeting) -> Result<(), NetworkError> {
        let session = Session {
            opener: self.peer,
            accepter: self.shared.peer_id,
            tag: greeting.tag,
            nonce: greeting.nonce,
        };
        let known = self.shared.workspace(greeting.tag);
        let proven = known.filter(|workspace| workspace.key.verify(Role::Opener, &session, &greeting.proof));
        let refusal = match (&proven, greeting.version == VERSION) {
            (_, false) => Refusal::Version,
            (None, true) => Refusal::NotProven,
            (Some(_), true) => {
                let workspace = proven.expect("matched just now");
                let proof = workspace.key.prove(Role::Accepter, &session);
                self.workspace = Some(workspace);
                self.responder.admit();
                let peers_max = self.shared.limits.peers_per_workspace_max;
                self.shared.peers().join(self.peer, greeting.tag, peers_max);
                return self.send(Message::Welcome { version: VERSION, proof }).await;
            }
        };
        self.send(Message::Refused { reason: refusal }).await?;
        self.flush().await?;
        let _ = self.writer.close().await;
        Err(NetworkError::Refused { peer: self.peer, reason: format!("we turned it away: {refusal}") })
    }

    /// Sends the next block, or what is missing before it; false if there is nothing to send yet.
    async fn send_next(&mut self) -> Result<bool, NetworkError> {
        let Some((request, index, block)) = self.ready.front().cloned() else { return Ok(false) };
        let Some(block) = block else {
            self.send_missing(request).await?;
            return Ok(true);
        };
        match self.responder.take_credit(request, block.bytes().len()) {
            Some(false) => return Ok(false),
            Some(true) => {
                self.write(&encode_block(request, index, block.bytes())).await?;
                self.traffic.sent(block.bytes().len());
                self.responder.answered(request, 1);
            }
            None => {}
        }
        self.ready.pop_front();
        Ok(true)
    }

    async fn send_missing(&mut self, request: RequestId) -> Result<(), NetworkError> {
        let mut indexes = Vec::new();
        while let Some((of, index, None)) = self.ready.front()
            && *of == request
        {
            indexes.push(*index);
            self.ready.pop_front();
        }
        if self.responder.is_open(request) {
            self.responder.answered(request, indexes.len());
            self.send(Message::Missing { request, indexes }).await?;
        }
        Ok(())
    }

    async fn send(&mut self, message: Message) -> Result<(), NetworkError> {
        self.write(&message.encode()).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), NetworkError> {
        let (peer, waited) = (self.peer, self.shared.limits.idle_taker_timeout);
        match timeout(waited, self.writer.write_all(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(NetworkError::Unreachable { peer, reason: error.to_string() }),
            Err(_) => Err(NetworkError::Stalled { peer, waited }),
        }
    }

    async fn flush(&mut self) -> Result<(), NetworkError> {
        let (peer, waited) = (self.peer, self.shared.limits.idle_taker_timeout);
        match timeout(waited, self.writer.flush()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(NetworkError::Unreachable { peer, reason: error.to_string() }),
            Err(_) => Err(NetworkError::Stalled { peer, waited }),
        }
    }

    fn violation(&self, violation: Violation) -> NetworkError {
        NetworkError::Violation { peer: self.peer, violation }
    }
}

/// Waits for the read that is under way, if one is, and takes it.
async fn finished(reading: &mut Option<JoinHandle<Found>>) -> Found {
    match reading.as_mut() {
        Some(handle) => {
            let found = handle.await.unwrap_or_default();
            *reading = None;
            found
        }
        None => std::future::pending().await,
    }
}

/// Reads blocks from the source. One that fails is missing here; the peer asks somebody else.
fn find(workspace: &Workspace, read: Read) -> Found {
    let ids: Vec<_> = read.places.iter().map(|(_, id)| *id).collect();
    let blocks = workspace.source.get(&ids).unwrap_or_else(|error| {
        tracing::warn!(%error, "blocks that a peer wants cannot be read");
        vec![None; ids.len()]
    });
    read.places.iter().zip(blocks).map(|((index, _), block)| (read.request, *index, block)).collect()
}
