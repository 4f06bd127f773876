//! The libp2p swarm and the task that drives it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, mpsc as blocking};
use std::time::Duration;

use futures::StreamExt;
use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{NetworkBehaviour, Swarm, SwarmEvent};
use libp2p::{
    Multiaddr, PeerId, SwarmBuilder, connection_limits, identify, identity, noise, ping, tcp, yamux,
};
use tokio::sync::{mpsc, oneshot};

use super::error::NetworkError;
use super::node::Shared;
use super::options::{Limits, NodeOptions};

const IDENTIFY_PROTOCOL: &str = "/reefloom/1";
const AGENT: &str = concat!("reefloom/", env!("CARGO_PKG_VERSION"));
const PING_INTERVAL: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    /// First, so that what it denies costs the others nothing.
    limits: connection_limits::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    streams: libp2p_stream::Behaviour,
}

/// What the rest of the room asks of the swarm.
pub(super) enum Command {
    /// Connects unless connected; the answer comes when it is, or why it cannot be.
    Dial {
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        reply: oneshot::Sender<Result<(), String>>,
    },
    Disconnect(PeerId),
}

/// Builds a swarm and lets it listen. Must run inside the node's runtime.
pub(super) fn build(options: &NodeOptions) -> Result<(Swarm<Behaviour>, Vec<ListenerId>), NetworkError> {
    let start = |error: &dyn std::fmt::Display| NetworkError::Start(error.to_string());
    let keypair = options.keypair();
    let mut swarm = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
        .map_err(|error| start(&error))?
        .with_behaviour(|key| behaviour(key.public(), &options.limits))
        .map_err(|error| start(&error))?
        .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE_TIMEOUT))
        .build();
    let mut listeners = Vec::new();
    for address in &options.listen {
        check_free(address)?;
        let listener = swarm.listen_on(address.clone()).map_err(|error| NetworkError::Listen {
            address: address.to_string(),
            reason: innermost(&error),
        })?;
        listeners.push(listener);
    }
    Ok((swarm, listeners))
}

/// Checks that no other socket listens there. libp2p shares ports (SO_REUSEPORT), so that two nodes
/// on one port would silently get each other's connections.
fn check_free(address: &Multiaddr) -> Result<(), NetworkError> {
    let mut ip = None;
    for part in address {
        match part {
            Protocol::Ip4(v4) => ip = Some(IpAddr::V4(v4)),
            Protocol::Ip6(v6) => ip = Some(IpAddr::V6(v6)),
            Protocol::Tcp(port) if port != 0 => {
                let Some(ip) = ip else { return Ok(()) };
                return match std::net::TcpListener::bind((ip, port)) {
                    Ok(_) => Ok(()),
                    Err(error) => {
                        Err(NetworkError::Listen { address: address.to_string(), reason: error.to_string() })
                    }
                };
            }
            _ => {}
        }
    }
    Ok(())
}

fn behaviour(key: identity::PublicKey, limits: &Limits) -> Behaviour {
    let connections = connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some(limits.connections_inbound_max))
        .with_max_established_incoming(Some(limits.connections_inbound_max))
        .with_max_established_per_peer(Some(limits.connections_per_peer_max));
    let identify =
        identify::Config::new(IDENTIFY_PROTOCOL.to_owned(), key).with_agent_version(AGENT.to_owned());
    let ping = ping::Config::new().with_interval(PING_INTERVAL).with_timeout(PING_TIMEOUT);
    Behaviour {
        limits: connection_limits::Behaviour::new(connections),
        identify: identify::Behaviour::new(identify),
        ping: ping::Behaviour::new(ping),
        streams: libp2p_stream::Behaviour::new(),
    }
}

impl Behaviour {
    pub(super) fn new_control(&self) -> libp2p_stream::Control {
        self.streams.new_control()
    }
}

/// Drives the swarm until the node goes away.
pub(super) struct Driver {
    pub swarm: Swarm<Behaviour>,
    pub commands: mpsc::UnboundedReceiver<Command>,
    pub shared: Arc<Shared>,
    /// Listeners without an address yet, and who waits for the last of them.
    pub starting: Vec<ListenerId>,
    pub started: Option<blocking::Sender<Result<(), NetworkError>>>,
    pub dialing: HashMap<PeerId, Vec<oneshot::Sender<Result<(), String>>>>,
}

impl Driver {
    pub(super) async fn run(mut self) {
        self.tell_if_started();
        loop {
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => return,
                },
                event = self.swarm.select_next_some() => self.on_event(event),
            }
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Disconnect(peer) => {
                let _ = self.swarm.disconnect_peer_id(peer);
            }
            Command::Dial { peer, addresses, reply } => {
                if self.swarm.is_connected(&peer) {
                    let _ = reply.send(Ok(()));
                    return;
                }
                let waiters = self.dialing.entry(peer).or_default();
                waiters.retain(|waiter| !waiter.is_closed());
                waiters.push(reply);
                // A fresh port: the listening one may still be held by a connection that just died.
                let dial = DialOpts::peer_id(peer)
                    .addresses(addresses)
                    .condition(PeerCondition::DisconnectedAndNotDialing)
                    .allocate_new_port()
                    .build();
                match self.swarm.dial(dial) {
                    // Somebody else's dial is under way; its end answers us too.
                    Ok(()) | Err(libp2p::swarm::DialError::DialPeerConditionFalse(_)) => {}
                    Err(error) => self.on_dialed(peer, Err(innermost(&error))),
                }
            }
        }
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::NewListenAddr { listener_id, address } => {
                self.shared.listen_addrs().push(address);
                self.starting.retain(|listener| *listener != listener_id);
                self.tell_if_started();
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.shared.listen_addrs().retain(|known| *known != address);
            }
            SwarmEvent::ListenerClosed { listener_id, addresses, reason } => {
                self.shared.listen_addrs().retain(|known| !addresses.contains(known));
                if self.starting.contains(&listener_id)
                    && let Some(started) = self.started.take()
                {
                    let address = addresses.first().map(ToString::to_string).unwrap_or_default();
                    let reason = reason.err().map(|error| error.to_string()).unwrap_or_default();
                    let _ = started.send(Err(NetworkError::Listen { address, reason }));
                }
            }
            SwarmEvent::ConnectionEstablished { peer_id, endpoint, .. } => {
                let mut peers = self.shared.peers();
                peers.connected(peer_id);
                if endpoint.is_dialer() {
                    peers.add_addresses(peer_id, [without_peer(endpoint.get_remote_address())]);
                }
                drop(peers);
                self.on_dialed(peer_id, Ok(()));
            }
            SwarmEvent::ConnectionClosed { peer_id, .. } => self.shared.peers().disconnected(peer_id),
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => {
                self.on_dialed(peer, Err(innermost(&error)));
            }
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received {
                peer_id,
                info,
                ..
            })) => {
                let addresses = info.listen_addrs.iter().map(without_peer);
                self.shared.peers().add_addresses(peer_id, addresses);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event {
                peer,
                connection,
                result: Err(error @ (ping::Failure::Timeout | ping::Failure::Other { .. })),
            })) => {
                tracing::debug!(%peer, %error, "peer does not answer pings");
                self.swarm.close_connection(connection);
            }
            _ => {}
        }
    }

    fn on_dialed(&mut self, peer: PeerId, result: Result<(), String>) {
        for waiter in self.dialing.remove(&peer).unwrap_or_default() {
            let _ = waiter.send(result.clone());
        }
    }

    fn tell_if_started(&mut self) {
        if self.starting.is_empty()
            && let Some(started) = self.started.take()
        {
            let _ = started.send(Ok(()));
        }
    }
}

/// Returns the address without a trailing `/p2p/...`.
pub(super) fn without_peer(address: &Multiaddr) -> Multiaddr {
    address.iter().filter(|part| !matches!(part, Protocol::P2p(_))).collect()
}

/// Returns the message of the last error in the chain: libp2p nests the operating system's deep inside.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
