//! What the decoders of this room must bear, as functions of bytes: `fuzz/` calls them with whatever
//! it comes up with, the test below with every single-bit change of real encodings.

use data_encoding::BASE32_NOPAD;

use super::{Ticket, heads};
use crate::block::BlockId;
use crate::crypto::{EpochKey, WorkspaceId};
use crate::workspace::{CommitId, Head};

/// Name and function of each target.
pub const TARGETS: &[(&str, fn(&[u8]))] =
    &[("heads", heads), ("ticket", ticket), ("ticket_text", ticket_text)];

const HEADS_KIND: u8 = 0x80;
const TICKET_PREFIX: &str = "reefloom1";
const TICKET_CHECKSUM_BYTES: usize = 8;

/// Returns real encodings to begin with, and the name of the target that each is for.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let commit = |n: u8| CommitId(BlockId::of(&[n]));
    let manifest = Some((commit(0), BlockId::of(b"run")));
    let both = [
        Head { branch: "main".to_owned(), commit: commit(1), manifest },
        Head { branch: "entwürfe/2".to_owned(), commit: commit(2), manifest: None },
    ];
    let sealed = heads::seal(&both, &key());
    let content = key().open(HEADS_KIND, sealed).expect("it was sealed just now");
    let peer = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA".parse().expect("a peer id");
    let addresses = ["/ip4/127.0.0.1/tcp/4001", "/dns4/reef.example.org/tcp/443"];
    let addresses = addresses.map(|address| address.parse().expect("an address"));
    let text = Ticket::new(&key(), "fleet ⚓", peer, &addresses).encode();
    let mut bytes = BASE32_NOPAD
        .decode(text[TICKET_PREFIX.len()..].to_uppercase().as_bytes())
        .expect("it was encoded just now");
    bytes.truncate(bytes.len() - TICKET_CHECKSUM_BYTES);
    vec![("heads", content.to_vec()), ("ticket", bytes), ("ticket_text", text.into_bytes())]
}

/// Bytes: heads as a member seals them.
pub fn heads(bytes: &[u8]) {
    let sealed = key().seal(HEADS_KIND, bytes);
    if let Ok(heads) = heads::open(&sealed, &key()) {
        assert_eq!(heads::seal(&heads, &key()), sealed, "heads have one encoding");
    }
}

/// Bytes: the content of a ticket; its checksum is put behind it.
pub fn ticket(bytes: &[u8]) {
    let hash = blake3::hash(bytes);
    let checksum = &hash.as_bytes()[..TICKET_CHECKSUM_BYTES];
    ticket_text(format!("{TICKET_PREFIX}{}", BASE32_NOPAD.encode(&[bytes, checksum].concat())).as_bytes());
}

/// Bytes: a ticket as somebody types it.
pub fn ticket_text(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(ticket) = Ticket::parse(text) {
        assert_eq!(ticket.encode(), text.trim().to_ascii_lowercase(), "a ticket has one encoding");
        assert_eq!(ticket.key().workspace(), ticket.workspace);
    }
}

fn key() -> EpochKey {
    EpochKey::from_secret([0xA5; 32], WorkspaceId([7; 32]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::fuzzing::change_every_bit;

    /// Every single-bit change of a real encoding is refused, or is well-formed itself.
    #[test]
    fn no_single_bit_does_harm() {
        change_every_bit(TARGETS, seeds());
    }
}
