//! `Ticket`: one string that lets another node join a workspace. Drawn in docs/wire_protocol.md.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use zeroize::Zeroize;

use crate::crypto::{EpochKey, WorkspaceId};
use crate::network::{Multiaddr, PeerId};

const PREFIX: &str = "reefloom1";
const VERSION: u8 = 1;
const CHECKSUM_BYTES: usize = 8;
const ADDRESSES_MAX: usize = 16;
/// Longer strings are no ticket; nothing is decoded of them.
const TEXT_BYTES_MAX: usize = 16 << 10;

/// An invitation into a workspace. **It holds the epoch key**: who has it can read everything, so it
/// has no `Display`, and its `Debug` is silent.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    pub workspace: WorkspaceId,
    secret: [u8; 32],
    /// What people call the workspace; at most 255 bytes.
    pub name: String,
    pub peer: PeerId,
    /// Where the peer may be reached; at most 16 are told.
    pub addresses: Vec<Multiaddr>,
}

/// Why a text is no ticket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    #[error("this is no ticket: it does not begin with '{PREFIX}'")]
    NotATicket,
    #[error("the ticket is mistyped: '{character}' at character {position} cannot stand in one")]
    BadCharacter { character: char, position: usize },
    #[error(
        "the ticket is mistyped or cut off: its checksum does not match (it has {characters} characters)"
    )]
    Checksum { characters: usize },
    #[error("the ticket is of version {0}; this program knows version {VERSION}")]
    Version(u8),
    #[error("the ticket is whole but malformed: {0}")]
    Malformed(&'static str),
}

impl Ticket {
    pub fn new(key: &EpochKey, name: &str, peer: PeerId, addresses: &[Multiaddr]) -> Ticket {
        let mut end = name.len().min(255);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        Ticket {
            workspace: key.workspace(),
            secret: *key.secret(),
            name: name[..end].to_owned(),
            peer,
            addresses: addresses.iter().filter(|a| a.len() <= 255).take(ADDRESSES_MAX).cloned().collect(),
        }
    }

    /// Returns the key that the ticket carries.
    pub fn key(&self) -> EpochKey {
        EpochKey::from_secret(self.secret, self.workspace)
    }

    /// Returns the ticket as text: a secret, for the eyes of whoever is invited.
    pub fn encode(&self) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.workspace.0);
        bytes.extend_from_slice(&self.secret);
        push_short(&mut bytes, self.name.as_bytes());
        push_short(&mut bytes, &self.peer.to_bytes());
        bytes.push(self.addresses.len() as u8);
        for address in &self.addresses {
            push_short(&mut bytes, address.as_ref());
        }
        let checksum = checksum(&bytes);
        bytes.extend_from_slice(&checksum);
        let text = format!("{PREFIX}{}", BASE32_NOPAD.encode(&bytes).to_ascii_lowercase());
        bytes.zeroize();
        text
    }

    /// Reads a ticket. Blanks around it and the letters' case do not matter.
    pub fn parse(text: &str) -> Result<Ticket, TicketError> {
        let text = text.trim();
        let prefix = text.get(..PREFIX.len()).ok_or(TicketError::NotATicket)?;
        if !prefix.eq_ignore_ascii_case(PREFIX) || text.len() > TEXT_BYTES_MAX {
            return Err(TicketError::NotATicket);
        }
        let upper = text[PREFIX.len()..].to_ascii_uppercase();
        let is_good = |c: &char| matches!(c, 'A'..='Z' | '2'..='7');
        if let Some((place, character)) =
            text.chars().enumerate().skip(PREFIX.len()).find(|(_, c)| !is_good(&c.to_ascii_uppercase()))
        {
            return Err(TicketError::BadCharacter { character, position: place + 1 });
        }
        let damaged = || TicketError::Checksum { characters: text.len() };
        let mut bytes = BASE32_NOPAD.decode(upper.as_bytes()).map_err(|_| damaged())?;
        let ticket = match bytes.split_last_chunk::<CHECKSUM_BYTES>() {
            Some((content, sum)) if checksum(content) == *sum => Reader(content).ticket(),
            _ => Err(damaged()),
        };
        bytes.zeroize();
        ticket
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    *blake3::hash(bytes).as_bytes().first_chunk().expect("a hash has 32 bytes")
}

/// Appends a length byte and the bytes, which the constructor keeps below 256.
fn push_short(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(bytes.len() as u8);
    out.extend_from_slice(bytes);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn ticket(mut self) -> Result<Ticket, TicketError> {
        let version = self.bytes(1)?[0];
        if version != VERSION {
            return Err(TicketError::Version(version));
        }
        let workspace = WorkspaceId(self.array()?);
        let secret = self.array()?;
        let name = std::str::from_utf8(self.short()?)
            .map_err(|_| TicketError::Malformed("the name is not UTF-8"))?;
        let name = name.to_owned();
        let peer = PeerId::from_bytes(self.short()?).map_err(|_| TicketError::Malformed("the peer id"))?;
        let count = usize::from(self.bytes(1)?[0]);
        if count > ADDRESSES_MAX {
            return Err(TicketError::Malformed("too many addresses"));
        }
        let mut addresses = Vec::with_capacity(count);
        for _ in 0..count {
            let address = Multiaddr::try_from(self.short()?.to_vec());
            addresses.push(address.map_err(|_| TicketError::Malformed("an address"))?);
        }
        if !self.0.is_empty() {
            return Err(TicketError::Malformed("something follows its end"));
        }
        Ok(Ticket { workspace, secret, name, peer, addresses })
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], TicketError> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(TicketError::Malformed("it ends early"))?;
        self.0 = rest;
        Ok(head)
    }

    fn short(&mut self) -> Result<&'a [u8], TicketError> {
        let count = self.bytes(1)?[0];
        self.bytes(count.into())
    }

    fn array(&mut self) -> Result<[u8; 32], TicketError> {
        self.bytes(32)?.try_into().map_err(|_| TicketError::Malformed("it ends early"))
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("workspace", &self.workspace)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_ticket_reads_back(secret: [u8; 32], workspace: [u8; 32], name in ".{0,90}", ports: Vec<u16>) {
            let key = EpochKey::from_secret(secret, WorkspaceId(workspace));
            let address = |port: &u16| format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap();
            let addresses: Vec<Multiaddr> = ports.iter().map(address).collect();
            let ticket = Ticket::new(&key, &name, ticket().peer, &addresses);
            prop_assert_eq!(*ticket.key().secret(), secret);
            prop_assert!(name.starts_with(&ticket.name) && (name.len() > 255 || name == ticket.name));
            prop_assert_eq!(Ticket::parse(&ticket.encode()), Ok(ticket));
        }
    }

    fn ticket() -> Ticket {
        let key = EpochKey::from_secret([0xA5; 32], WorkspaceId([7; 32]));
        let peer = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA".parse().unwrap();
        let addresses =
            ["/ip4/127.0.0.1/tcp/4001", "/dns4/reef.example.org/tcp/443"].map(|a| a.parse().unwrap());
        Ticket::new(&key, "fleet ⚓", peer, &addresses)
    }

    #[test]
    fn a_ticket_reads_back_whatever_its_case_and_surroundings() {
        let text = ticket().encode();
        assert!(text.starts_with("reefloom1") && text.bytes().all(|b| b.is_ascii_alphanumeric()));
        for form in [text.clone(), text.to_uppercase(), format!("  {text}\n")] {
            assert_eq!(Ticket::parse(&form), Ok(ticket()));
        }
        let long = Ticket::new(
            &ticket().key(),
            &"é".repeat(200),
            ticket().peer,
            &vec!["/ip4/1.2.3.4/tcp/1".parse().unwrap(); 40],
        );
        assert_eq!(Ticket::parse(&long.encode()), Ok(long));
    }

    #[test]
    fn no_secret_is_printed() {
        let text = format!("{:?}", ticket());
        assert!(!text.contains("165") && !text.to_lowercase().contains("a5a5"), "{text}");
    }

    #[test]
    fn mistyped_and_truncated_tickets_are_told_apart_from_others() {
        let text = ticket().encode();
        for len in 0..text.len() {
            let error = Ticket::parse(&text[..len]).unwrap_err();
            let expected = match len {
                0..9 => matches!(error, TicketError::NotATicket),
                _ => matches!(error, TicketError::Checksum { characters } if characters == len),
            };
            assert!(expected, "{len}: {error}");
        }
        for (place, character) in text.char_indices().skip(PREFIX.len()) {
            let other = if character == 'a' { 'b' } else { 'a' };
            let mut typo = text.clone();
            typo.replace_range(place..=place, &other.to_string());
            assert!(matches!(Ticket::parse(&typo), Err(TicketError::Checksum { .. })), "{place}");
            typo.replace_range(place..=place, "!");
            assert_eq!(
                Ticket::parse(&typo),
                Err(TicketError::BadCharacter { character: '!', position: place + 1 })
            );
        }
        assert_eq!(Ticket::parse("https://example.org"), Err(TicketError::NotATicket));
    }

    #[test]
    fn foreign_content_behind_a_good_checksum_never_panics() {
        let whole = BASE32_NOPAD.decode(ticket().encode()[PREFIX.len()..].to_uppercase().as_bytes()).unwrap();
        let content = &whole[..whole.len() - CHECKSUM_BYTES];
        for len in 0..content.len() {
            let cut = &content[..len];
            let text = BASE32_NOPAD.encode(&[cut, &checksum(cut)].concat());
            assert!(
                matches!(Ticket::parse(&format!("{PREFIX}{text}")), Err(TicketError::Malformed(_))),
                "{len}"
            );
        }
        let newer = [&[9], &content[1..]].concat();
        let text = BASE32_NOPAD.encode(&[&newer[..], &checksum(&newer)].concat());
        assert_eq!(Ticket::parse(&format!("{PREFIX}{text}")), Err(TicketError::Version(9)));
    }
}
