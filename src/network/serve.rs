//! Exchange streams that peers opened: the tasks that drive their [`Responder`]s.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::StreamExt;
use libp2p::PeerId;
use libp2p_stream::IncomingStreams;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::error::NetworkError;
use super::message::{HEADS_BYTES_MAX, Message, Refusal, VERSION, Violation, encode_block};
use super::node::{Shared, Workspace};
use super::peer::Traffic;
use super::pipe::{Pipe, Progress};
use super::proof::{Role, Session};
use super::responder::{Greeting, Read, Responder, Task, WantId};
use crate::block::SealedBlock;

/// Blocks are handed to the pipe while it holds less than this: enough to keep the connection busy.
const WRITE_AHEAD_BYTES: usize = 1 << 20;

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
    let mut server = Server {
        responder: Responder::new(),
        traffic: shared.peers().traffic(peer),
        shared: shared.clone(),
        peer,
        workspace: None,
        pipe: Pipe::new(stream),
        ready: VecDeque::new(),
        reading: None,
        telling: None,
    };
    let patience = shared.limits.idle_taker_timeout;
    if !fits {
        server.send(&Message::Refused { reason: Refusal::Busy });
        let _ = timeout(patience, server.pipe.finish()).await;
        return;
    }
    if let Err(error) = server.run().await {
        tracing::debug!(%peer, %error, "served stream ends");
        shared.on_link_error(peer, &error);
        if let NetworkError::Refused { .. } = error {
            let _ = timeout(patience, server.pipe.finish()).await;
        }
    }
    shared.peers().stream_closed(peer);
}

type Found = Vec<(WantId, u32, Option<SealedBlock>)>;

struct Server {
    responder: Responder,
    shared: Arc<Shared>,
    peer: PeerId,
    traffic: Arc<Traffic>,
    workspace: Option<Arc<Workspace>>,
    pipe: Pipe,
    /// Read from the source, to be sent in this order.
    ready: VecDeque<(WantId, u32, Option<SealedBlock>)>,
    /// Reads ahead while `ready` is being sent.
    reading: Option<JoinHandle<Found>>,
    /// Asks the upper room for its heads.
    telling: Option<JoinHandle<Vec<u8>>>,
}

impl Server {
    async fn run(&mut self) -> Result<(), NetworkError> {
        let patience = self.shared.limits.idle_taker_timeout;
        loop {
            self.read_ahead();
            while self.pipe.unwritten_bytes() < WRITE_AHEAD_BYTES && self.send_next() {}
            let must_move =
                self.workspace.is_none() || !self.ready.is_empty() || self.pipe.unwritten_bytes() > 0;
            tokio::select! {
                progress = self.pipe.progress() => match progress {
                    Ok(Progress::Wrote) => {}
                    Ok(Progress::Read) => self.on_messages()?,
                    Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
                    Err(error) => {
                        return Err(NetworkError::Unreachable { peer: self.peer, reason: error.to_string() });
                    }
                },
                found = finished(&mut self.reading) => self.ready.extend(found.unwrap_or_default()),
                told = finished(&mut self.telling) => self.send_heads(told.unwrap_or_default()),
                () = tokio::time::sleep(patience), if must_move => {
                    return Err(NetworkError::Stalled { peer: self.peer, waited: patience });
                }
            }
        }
    }

    fn on_messages(&mut self) -> Result<(), NetworkError> {
        while let Some(message) = self.pipe.next_message().map_err(|violation| self.violation(violation))? {
            self.on_message(message)?;
        }
        Ok(())
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

    fn on_message(&mut self, message: Message) -> Result<(), NetworkError> {
        match self.responder.on_message(message).map_err(|violation| self.violation(violation))? {
            Task::Admit(greeting) => self.admit(greeting)?,
            Task::SendHeads => self.ask_heads(),
            Task::Send(message) => self.send(&message),
            Task::Continue => {}
        }
        Ok(())
    }

    /// Lets the opener in if it has proven itself; else says so, and ends.
    fn admit(&mut self, greeting: Greeting) -> Result<(), NetworkError> {
        let session = Session {
            opener: self.peer,
            accepter: self.shared.peer_id,
            tag: greeting.tag,
            nonce: greeting.nonce,
        };
        let known = self.shared.workspace(greeting.tag);
        let proven = known.filter(|workspace| workspace.key.verify(Role::Opener, &session, &greeting.proof));
        let refusal = match proven {
            _ if greeting.version != VERSION => Refusal::Version,
            None => Refusal::NotProven,
            Some(workspace) => {
                let proof = workspace.key.prove(Role::Accepter, &session);
                self.workspace = Some(workspace);
                self.responder.admit();
                let peers_max = self.shared.limits.peers_per_workspace_max;
                self.shared.peers().join(self.peer, greeting.tag, peers_max);
                self.send(&Message::Welcome { version: VERSION, proof });
                return Ok(());
            }
        };
        self.send(&Message::Refused { reason: refusal });
        Err(NetworkError::Refused { peer: self.peer, reason: format!("we turned it away: {refusal}") })
    }

    /// Asks the upper room for its heads unless it is being asked.
    fn ask_heads(&mut self) {
        if let Some(workspace) = self.workspace.clone()
            && self.telling.is_none()
        {
            self.telling = Some(tokio::task::spawn_blocking(move || workspace.heads.heads()));
        }
    }

    fn send_heads(&mut self, mut sealed: Vec<u8>) {
        if sealed.len() > HEADS_BYTES_MAX {
            tracing::warn!(bytes = sealed.len(), "the heads are too many to be told");
            sealed.clear();
        }
        for request in self.responder.take_heads_wanted() {
            self.send(&Message::Heads { request, sealed: sealed.clone() });
        }
    }

    /// Hands the next block, or what is missing before it, to the pipe; false if nothing can be sent now.
    fn send_next(&mut self) -> bool {
        let Some((want, index, block)) = self.ready.front().cloned() else { return false };
        let Some(block) = block else {
            self.send_missing(want);
            return true;
        };
        match self.responder.take_credit(want, block.bytes().len()) {
            Some(false) => return false,
            Some(true) => {
                self.pipe.send(encode_block(want.request, index, block.bytes()));
                self.traffic.sent(block.bytes().len());
                self.responder.answered(want, 1);
            }
            None => {}
        }
        self.ready.pop_front();
        true
    }

    fn send_missing(&mut self, want: WantId) {
        let mut indexes = Vec::new();
        while let Some((of, index, None)) = self.ready.front()
            && *of == want
        {
            indexes.push(*index);
            self.ready.pop_front();
        }
        if self.responder.is_open(want) {
            self.responder.answered(want, indexes.len());
            self.send(&Message::Missing { request: want.request, indexes });
        }
    }

    fn send(&mut self, message: &Message) {
        self.pipe.send(message.encode());
    }

    fn violation(&self, violation: Violation) -> NetworkError {
        NetworkError::Violation { peer: self.peer, violation }
    }
}

/// Waits for the job that is under way, if one is, and takes its result; `None` if it panicked.
async fn finished<T>(job: &mut Option<JoinHandle<T>>) -> Option<T> {
    match job.as_mut() {
        Some(handle) => {
            let result = handle.await.ok();
            *job = None;
            result
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
    read.places.iter().zip(blocks).map(|((index, _), block)| (read.want, *index, block)).collect()
}
