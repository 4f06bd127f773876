//! Brings a workspace and its peers together: fetches blocks that the store lacks, tells others
//! where our branches are, and follows theirs. A carrier file does the same where there is no network.
//!
//! It knows blocks only as sealed bytes with an id; what they hold is the workspace's matter. It
//! never merges: a branch moves by itself only where it has no commits of its own. Time-outs are
//! its only clock.

mod carrier;
mod error;
mod fetcher;
mod follow;
mod following;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod heads;
mod identity;
mod peers;
mod relation;
mod replica;
mod ticket;

pub use carrier::{Arrival, Carrier, CarrierError, Consignment, Contents, Followed, Selection};
pub use error::ReplicationError;
pub use fetcher::{FetchCounters, Fetcher, Rejection};
pub use follow::Follow;
pub use following::BranchMove;
pub use replica::{Replica, SyncReport};
pub use ticket::{Ticket, TicketError};
