//! Moves sealed blocks and sealed heads between nodes.
//!
//! A [`Node`] speaks libp2p (TCP, Noise, Yamux) on its own threads; queries call its blocking
//! methods from theirs. Blocks travel by the exchange protocol of docs/wire_protocol.md: many
//! wanted ids in one request, answers streamed back under a byte window, several requests at once
//! on one persistent stream. Every block is checked against its id before anybody sees it.
//!
//! This room holds no block key and cannot read a graph. It proves to a peer that it belongs to a
//! workspace with a [`NetworkKey`] that the upper room hands in, and heads are opaque bytes to it.
//! It knows no disk: what it serves comes from a `BlockSource`, what it fetched goes to its caller.

mod assignment;
mod behaviour;
mod error;
mod fetch;
mod frame;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod link;
mod message;
mod node;
mod options;
mod peer;
mod pipe;
mod proof;
mod requester;
mod responder;
mod serve;
#[cfg(test)]
mod simulation;

pub use error::NetworkError;
pub use fetch::{Fetch, FetchReport};
pub use libp2p::multiaddr::Protocol;
pub use libp2p::{Multiaddr, PeerId};
pub use node::{HeadExchange, Node};
pub use options::{Limits, NodeOptions};
pub use peer::PeerStatus;
pub use proof::{NetworkKey, WorkspaceTag};
