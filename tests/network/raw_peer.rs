//! A peer written from docs/wire_protocol.md alone, with bad manners to choose from.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol, SwarmBuilder, noise, tcp, yamux};
use reefloom::block::{BlockId, SealedBlock};
use reefloom::network::WorkspaceTag;

const PROTOCOL: StreamProtocol = StreamProtocol::new("/reefloom/exchange/1");

#[derive(NetworkBehaviour)]
struct Behaviour {
    streams: libp2p_stream::Behaviour,
}

/// How the peer misbehaves once it is asked for blocks.
#[derive(Clone, Copy)]
pub enum Lie {
    None,
    /// Changes a byte of this block.
    Tamper(BlockId),
    TamperAll,
    Silence,
    /// Sends the first block of a want again and again.
    Endless,
}

/// An accepter. Lives until dropped.
pub struct RawPeer {
    pub peer_id: PeerId,
    pub address: Multiaddr,
    /// Wants that it was sent.
    pub wants: Arc<AtomicUsize>,
    _runtime: tokio::runtime::Runtime,
}

impl RawPeer {
    pub fn serving(tag: WorkspaceTag, key: [u8; 32], lie: Lie, blocks: Vec<SealedBlock>) -> RawPeer {
        let runtime = runtime();
        let blocks: Arc<HashMap<BlockId, SealedBlock>> =
            Arc::new(blocks.into_iter().map(|block| (block.id(), block)).collect());
        let wants = Arc::new(AtomicUsize::new(0));
        let (sender, started) = mpsc::channel();
        let counter = wants.clone();
        runtime.spawn(async move {
            let mut swarm = swarm();
            let own = *swarm.local_peer_id();
            let mut incoming = swarm.behaviour().streams.new_control().accept(PROTOCOL).unwrap();
            swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
            loop {
                tokio::select! {
                    event = swarm.select_next_some() => if let SwarmEvent::NewListenAddr { address, .. } = event {
                        sender.send((own, address)).unwrap();
                    },
                    Some((peer, stream)) = incoming.next() => {
                        let (blocks, counter) = (blocks.clone(), counter.clone());
                        tokio::spawn(async move {
                            let _ = accept(stream, own, peer, tag, key, lie, &blocks, &counter).await;
                        });
                    }
                }
            }
        });
        let (peer_id, address) = started.recv_timeout(Duration::from_secs(10)).unwrap();
        RawPeer { peer_id, address, wants, _runtime: runtime }
    }
}

#[expect(clippy::too_many_arguments, reason = "a test peer's whole world")]
async fn accept(
    mut stream: Stream,
    own: PeerId,
    peer: PeerId,
    tag: WorkspaceTag,
    key: [u8; 32],
    lie: Lie,
    blocks: &HashMap<BlockId, SealedBlock>,
    wants: &AtomicUsize,
) -> std::io::Result<()> {
    let (kind, hello) = receive(&mut stream).await?;
    assert_eq!((kind, hello.len()), (0x01, 102));
    let nonce: [u8; 32] = hello[34..66].try_into().unwrap();
    assert_eq!(hello[2..34], tag.0);
    let mut welcome = 1u16.to_le_bytes().to_vec();
    welcome.extend(proof(&key, 2, tag, nonce, peer, own));
    send(&mut stream, 0x02, &welcome).await?;
    loop {
        let (kind, body) = receive(&mut stream).await?;
        match kind {
            0x10 => send(&mut stream, 0x11, &body).await?,
            0x12 => {
                wants.fetch_add(1, Ordering::SeqCst);
                if !matches!(lie, Lie::Silence) {
                    answer(&mut stream, &body, lie, blocks).await?;
                }
            }
            0x15 => send(&mut stream, 0x16, &body).await?,
            _ => {}
        }
    }
}

async fn answer(
    stream: &mut Stream,
    want: &[u8],
    lie: Lie,
    blocks: &HashMap<BlockId, SealedBlock>,
) -> std::io::Result<()> {
    let (request, ids) = want.split_at(4);
    for (index, id) in ids.chunks(32).enumerate() {
        let id = BlockId::from_bytes(id.try_into().unwrap());
        let place = (index as u32).to_le_bytes();
        let Some(block) = blocks.get(&id) else {
            send(stream, 0x14, &[request, &place].concat()).await?;
            continue;
        };
        let mut bytes = block.bytes().to_vec();
        if matches!(lie, Lie::TamperAll) || matches!(lie, Lie::Tamper(tampered) if tampered == id) {
            bytes[17] ^= 1;
        }
        let body = [request, &place, &bytes[..]].concat();
        loop {
            send(stream, 0x13, &body).await?;
            if !matches!(lie, Lie::Endless) {
                break;
            }
        }
    }
    Ok(())
}

/// Opens a stream as a stranger, sends bytes as they are, and returns all that comes back until the
/// other side ends the stream.
pub fn send_raw(peer: PeerId, address: Multiaddr, bytes: &[u8]) -> Vec<u8> {
    let bytes = bytes.to_vec();
    open(peer, address, move |mut stream, _| async move {
        let _ = stream.write_all(&bytes).await;
        let _ = stream.flush().await;
        drain(stream).await
    })
}

/// Proves itself, then asks for heads and blocks and never reads.
pub fn ask_without_end(peer: PeerId, address: Multiaddr, tag: WorkspaceTag, key: [u8; 32]) -> Vec<u8> {
    open(peer, address, move |mut stream, own| async move {
        let nonce = [8; 32];
        let mut hello = 1u16.to_le_bytes().to_vec();
        hello.extend(tag.0);
        hello.extend(nonce);
        hello.extend((16u32 << 20).to_le_bytes());
        hello.extend(proof(&key, 1, tag, nonce, own, peer));
        send(&mut stream, 0x01, &hello).await.unwrap();
        assert_eq!(receive(&mut stream).await.unwrap().0, 0x02);
        for request in 0..10_000u32 {
            let ids: Vec<u8> =
                (0..4096u32).flat_map(|n| *blake3::hash(&n.to_le_bytes()).as_bytes()).collect();
            if send(&mut stream, 0x12, &[&request.to_le_bytes()[..], &ids].concat()).await.is_err() {
                break;
            }
        }
        drain(stream).await
    })
}

fn open<F, R>(peer: PeerId, address: Multiaddr, speak: F) -> Vec<u8>
where
    F: FnOnce(Stream, PeerId) -> R + Send + 'static,
    R: Future<Output = Vec<u8>> + Send,
{
    runtime().block_on(async move {
        let mut swarm = swarm();
        let own = *swarm.local_peer_id();
        let mut control = swarm.behaviour().streams.new_control();
        swarm.dial(address.with_p2p(peer).unwrap()).unwrap();
        let speaking = async move {
            let stream = loop {
                match control.open_stream(peer, PROTOCOL).await {
                    Ok(stream) => break stream,
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            };
            speak(stream, own).await
        };
        tokio::pin!(speaking);
        let deadline = tokio::time::sleep(Duration::from_secs(20));
        tokio::pin!(deadline);
        loop {
            tokio::select! {
                _ = swarm.select_next_some() => {}
                answer = &mut speaking => return answer,
                () = &mut deadline => panic!("the stream was not ended"),
            }
        }
    })
}

async fn drain(mut stream: Stream) -> Vec<u8> {
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count) = stream.read(&mut buffer).await {
        if count == 0 {
            break;
        }
        answer.extend_from_slice(&buffer[..count]);
    }
    answer
}

fn proof(
    key: &[u8; 32],
    role: u8,
    tag: WorkspaceTag,
    nonce: [u8; 32],
    opener: PeerId,
    accepter: PeerId,
) -> [u8; 32] {
    let mut input = b"reefloom exchange 1".to_vec();
    input.push(role);
    input.extend(tag.0);
    input.extend(nonce);
    for peer in [opener, accepter] {
        input.extend((peer.to_bytes().len() as u32).to_le_bytes());
        input.extend(peer.to_bytes());
    }
    *blake3::keyed_hash(key, &input).as_bytes()
}

async fn send(stream: &mut Stream, kind: u8, body: &[u8]) -> std::io::Result<()> {
    let header = [&(body.len() as u32).to_le_bytes()[..], &[kind]].concat();
    stream.write_all(&header).await?;
    stream.write_all(body).await?;
    stream.flush().await
}

async fn receive(stream: &mut Stream) -> std::io::Result<(u8, Vec<u8>)> {
    let mut header = [0; 5];
    stream.read_exact(&mut header).await?;
    let length = u32::from_le_bytes(header[..4].try_into().unwrap());
    assert!(length <= 3 << 20);
    let mut body = vec![0; length as usize];
    stream.read_exact(&mut body).await?;
    Ok((header[4], body))
}

fn swarm() -> libp2p::Swarm<Behaviour> {
    SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|_| Behaviour { streams: libp2p_stream::Behaviour::new() })
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(30)))
        .build()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}
