//! An exchange stream that we opened: the task that drives its [`Requester`], and the handle to it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libp2p::PeerId;
use tokio::sync::{mpsc, oneshot};

use super::error::NetworkError;
use super::message::{Message, RequestId, Violation};
use super::node::{Shared, Workspace};
use super::peer::Traffic;
use super::pipe::{Pipe, Progress};
use super::proof::{Role, Session, WorkspaceTag};
use super::requester::{Event, Requester};
use crate::block::{BlockError, BlockId, SealedBlock};

const TICK: Duration = Duration::from_millis(500);

/// A stream to one peer for one workspace. Cheap to clone; the stream ends with the last clone.
#[derive(Clone)]
pub(super) struct Link {
    commands: mpsc::UnboundedSender<Command>,
}

/// What a link says to one fetch.
pub(super) enum Answer {
    Block(Arrived),
    Missing(Vec<BlockId>),
    /// A block that failed verification; the link is going down.
    Rejected(BlockError),
    /// Nothing more comes for the request; ids without an answer never got one.
    Ended {
        request: u64,
        ids: Vec<BlockId>,
    },
}

/// A verified block, and the window bytes that it holds until it is taken.
pub(super) struct Arrived {
    block: SealedBlock,
    commands: mpsc::UnboundedSender<Command>,
}

/// Where the answers to one request go.
pub(super) struct ReplyTo {
    pub peer: usize,
    pub request: u64,
    pub answers: mpsc::UnboundedSender<(usize, Answer)>,
    /// Not answered yet.
    pub open: Vec<BlockId>,
}

enum Command {
    Want(Vec<BlockId>, ReplyTo),
    Heads(oneshot::Sender<Vec<u8>>),
    Cancel(u64),
    Consumed(usize),
}

impl Arrived {
    pub(super) fn id(&self) -> BlockId {
        self.block.id()
    }

    pub(super) fn bytes_len(&self) -> usize {
        self.block.bytes().len()
    }

    /// Returns the block and frees its place in the window.
    pub(super) fn take(self) -> SealedBlock {
        self.block.clone()
    }
}

impl Drop for Arrived {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Consumed(self.block.bytes().len()));
    }
}

impl Drop for ReplyTo {
    fn drop(&mut self) {
        let ended = Answer::Ended { request: self.request, ids: std::mem::take(&mut self.open) };
        let _ = self.answers.send((self.peer, ended));
    }
}

impl Link {
    pub(super) fn want(&self, reply: ReplyTo) {
        // A link that is gone drops the reply, which says so.
        let _ = self.commands.send(Command::Want(reply.open.clone(), reply));
    }

    pub(super) fn cancel(&self, request: u64) {
        let _ = self.commands.send(Command::Cancel(request));
    }

    /// Returns the peer's sealed heads, or `None` if the link goes down first.
    pub(super) async fn heads(&self) -> Option<Vec<u8>> {
        let (reply, heads) = oneshot::channel();
        self.commands.send(Command::Heads(reply)).ok()?;
        heads.await.ok()
    }

    pub(super) fn is_alive(&self) -> bool {
        !self.commands.is_closed()
    }

    /// Greets over a fresh stream and returns the link once both sides have proven themselves.
    pub(super) async fn open(
        stream: libp2p::Stream,
        shared: Arc<Shared>,
        workspace: Arc<Workspace>,
        peer: PeerId,
    ) -> Result<Link, NetworkError> {
        let session = Session {
            opener: shared.peer_id,
            accepter: peer,
            tag: workspace.tag,
            nonce: crate::crypto::random_bytes(),
        };
        let proof = workspace.key.prove(Role::Opener, &session);
        let requester = Requester::new(workspace.tag, session.nonce, shared.limits.window_bytes, proof);
        let (commands, receiver) = mpsc::unbounded_channel();
        let (welcome, welcomed) = oneshot::channel();
        let traffic = shared.peers().traffic(peer);
        let driver = Driver {
            requester,
            peer,
            session,
            welcome: Some(welcome),
            wants: HashMap::new(),
            heads: HashMap::new(),
            pipe: Pipe::new(stream),
            commands: commands.downgrade(),
            traffic,
            silent_since: Instant::now(),
            shared: shared.clone(),
            workspace,
        };
        tokio::spawn(driver.run(receiver));
        let timeout = shared.limits.connect_timeout;
        match tokio::time::timeout(timeout, welcomed).await {
            Ok(Ok(Ok(()))) => Ok(Link { commands }),
            Ok(Ok(Err(error))) => Err(error),
            Ok(Err(_)) => Err(NetworkError::Unreachable { peer, reason: "it closed the stream".to_owned() }),
            Err(_) => Err(NetworkError::Stalled { peer, waited: timeout }),
        }
    }
}

struct Driver {
    requester: Requester,
    peer: PeerId,
    session: Session,
    welcome: Option<oneshot::Sender<Result<(), NetworkError>>>,
    wants: HashMap<RequestId, ReplyTo>,
    heads: HashMap<RequestId, Option<oneshot::Sender<Vec<u8>>>>,
    pipe: Pipe,
    /// Weak: blocks that wait to be consumed must not be what keeps the link open.
    commands: mpsc::WeakUnboundedSender<Command>,
    traffic: Arc<Traffic>,
    silent_since: Instant,
    shared: Arc<Shared>,
    workspace: Arc<Workspace>,
}

impl Driver {
    /// Runs until the handle, the peer or the peer's manners are gone.
    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let end = self.drive(&mut commands).await;
        commands.close();
        if let Err(error) = end {
            tracing::debug!(peer = %self.peer, %error, "exchange stream ends");
            self.shared.on_link_error(self.peer, &error);
            if let Some(welcome) = self.welcome.take() {
                let _ = welcome.send(Err(error));
            }
        }
    }

    async fn drive(&mut self, commands: &mut mpsc::UnboundedReceiver<Command>) -> Result<(), NetworkError> {
        let mut tick = tokio::time::interval(TICK);
        loop {
            for message in self.requester.take_outbox() {
                self.pipe.send(message.encode());
            }
            tokio::select! {
                progress = self.pipe.progress() => match progress {
                    Err(error) => return Err(self.unreachable(error.to_string())),
                    Ok(Progress::Wrote) => {}
                    Ok(Progress::Read) => {
                        self.silent_since = Instant::now();
                        while let Some(message) = self.pipe.next_message().map_err(|e| self.violation(e))? {
                            self.on_message(message)?;
                        }
                    }
                },
                command = commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => return Ok(()),
                },
                _ = tick.tick() => self.check_silence()?,
            }
        }
    }

    fn on_command(&mut self, command: Command) {
        // The peer's time to answer starts with the question.
        if !self.requester.is_owed() {
            self.silent_since = Instant::now();
        }
        match command {
            Command::Want(ids, reply) => {
                let request = self.requester.want(ids);
                self.wants.insert(request, reply);
            }
            Command::Heads(reply) => {
                let request = self.requester.want_heads();
                self.heads.insert(request, Some(reply));
            }
            Command::Cancel(wanted) => {
                let found = self.wants.iter().find(|(_, reply)| reply.request == wanted);
                if let Some(request) = found.map(|(request, _)| *request) {
                    self.requester.cancel(request);
                    self.wants.remove(&request);
                }
            }
            Command::Consumed(bytes) => self.requester.consumed(bytes as u64),
        }
    }

    fn on_message(&mut self, message: Message) -> Result<(), NetworkError> {
        match self.requester.on_message(message).map_err(|violation| self.violation(violation))? {
            Event::Welcome(proof) => {
                if !self.workspace.key.verify(Role::Accepter, &self.session, &proof) {
                    return Err(NetworkError::Unproven(self.peer));
                }
                let request = self.requester.want_heads();
                self.heads.insert(request, None);
                if let Some(welcome) = self.welcome.take() {
                    let _ = welcome.send(Ok(()));
                }
            }
            Event::Refused(reason) => {
                return Err(NetworkError::Refused { peer: self.peer, reason: reason.to_string() });
            }
            Event::Heads { request, sealed } => match self.heads.remove(&request).flatten() {
                Some(reply) => {
                    let _ = reply.send(sealed);
                }
                None => self.receive_heads(sealed),
            },
            Event::Block { request, block } => self.on_block(request, block)?,
            Event::Missing { request, ids } => {
                if let Some(reply) = self.wants.get_mut(&request) {
                    reply.open.retain(|id| !ids.contains(id));
                    let _ = reply.answers.send((reply.peer, Answer::Missing(ids)));
                }
                self.end_if_answered(request);
            }
            Event::Nothing => {}
        }
        Ok(())
    }

    fn on_block(
        &mut self,
        request: RequestId,
        block: crate::block::UntrustedBlock,
    ) -> Result<(), NetworkError> {
        let (claimed_id, length) = (block.claimed_id, block.bytes.len());
        let verified = block.verify();
        let Some(reply) = self.wants.get_mut(&request) else {
            self.requester.consumed(length as u64);
            return Ok(());
        };
        reply.open.retain(|id| *id != claimed_id);
        match (verified, self.commands.upgrade()) {
            (Ok(block), Some(commands)) => {
                self.traffic.received(length);
                let _ = reply.answers.send((reply.peer, Answer::Block(Arrived { block, commands })));
            }
            (Ok(_), None) => self.requester.consumed(length as u64),
            (Err(error), _) => {
                self.traffic.rejected();
                let violation = Violation::FalseBlock(error.to_string());
                let _ = reply.answers.send((reply.peer, Answer::Rejected(error)));
                return Err(self.violation(violation));
            }
        }
        self.end_if_answered(request);
        Ok(())
    }

    /// Heads that came unasked for by anybody here: the upper room gets them on every connect.
    fn receive_heads(&self, sealed: Vec<u8>) {
        let (workspace, peer) = (self.workspace.clone(), self.peer);
        tokio::task::spawn_blocking(move || workspace.heads.receive(peer, sealed));
    }

    fn end_if_answered(&mut self, request: RequestId) {
        if self.wants.get(&request).is_some_and(|reply| reply.open.is_empty()) {
            self.wants.remove(&request);
        }
    }

    fn check_silence(&mut self) -> Result<(), NetworkError> {
        let waited = self.silent_since.elapsed();
        if self.requester.is_owed() && waited > self.shared.limits.stall_timeout {
            return Err(NetworkError::Stalled { peer: self.peer, waited });
        }
        Ok(())
    }

    fn violation(&self, violation: Violation) -> NetworkError {
        NetworkError::Violation { peer: self.peer, violation }
    }

    fn unreachable(&self, reason: String) -> NetworkError {
        NetworkError::Unreachable { peer: self.peer, reason }
    }
}

/// One link per workspace and peer, with the pauses between attempts.
#[derive(Default)]
pub(super) struct LinkSlot {
    link: Option<Link>,
    failures: u32,
    retry_at: Option<Instant>,
}

const BACKOFF_FIRST: Duration = Duration::from_millis(100);

impl Shared {
    /// Returns a living link to the peer; makes one if need be, not before its back-off is over.
    pub(super) async fn link(
        self: &Arc<Shared>,
        tag: WorkspaceTag,
        peer: PeerId,
    ) -> Result<Link, NetworkError> {
        let slot = self.link_slot(tag, peer);
        let mut slot = slot.lock().await;
        if let Some(link) = slot.link.as_ref().filter(|link| link.is_alive()) {
            return Ok(link.clone());
        }
        slot.link = None;
        if let Some(retry_at) = slot.retry_at {
            tokio::time::sleep_until(retry_at.into()).await;
        }
        match self.connect(tag, peer).await {
            Ok(link) => {
                self.peers().set_error(peer, None);
                *slot = LinkSlot { link: Some(link.clone()), failures: 0, retry_at: None };
                Ok(link)
            }
            Err(error) => {
                // Why it cools down says more than that it does.
                if !matches!(error, NetworkError::CoolingDown { .. }) {
                    self.peers().set_error(peer, Some(error.to_string()));
                }
                let pause = BACKOFF_FIRST.saturating_mul(1 << slot.failures.min(16));
                slot.failures += 1;
                slot.retry_at = Some(Instant::now() + pause.min(self.limits.backoff_max));
                Err(error)
            }
        }
    }

    async fn connect(self: &Arc<Shared>, tag: WorkspaceTag, peer: PeerId) -> Result<Link, NetworkError> {
        let workspace = self.workspace(tag).ok_or(NetworkError::NotServed)?;
        if let Some(remaining) = self.peers().cooldown(&peer) {
            return Err(NetworkError::CoolingDown { peer, remaining });
        }
        let timeout = self.limits.connect_timeout;
        let unreachable = |reason: String| NetworkError::Unreachable { peer, reason };
        let attempt = async {
            self.dial(peer).await.map_err(unreachable)?;
            let stream = self.control.clone().open_stream(peer, super::node::PROTOCOL).await;
            stream.map_err(|error| unreachable(error.to_string()))
        };
        let stream = tokio::time::timeout(timeout, attempt)
            .await
            .map_err(|_| unreachable(format!("no answer within {timeout:?}")))??;
        Link::open(stream, self.clone(), workspace, peer).await
    }
}
