//! Versions of the protocol, and the handshake in which one is agreed on.
//!
//! ```text
//! client  60 60 B0 17, then four proposals of 4 bytes: 0, range, minor, major
//! server  0, 0, minor, major: the version; 0 0 0 0 and the end if there is none
//! ```
//! A proposal `00 00 01 FF` asks for the manifest: the server repeats it and sends the count of its
//! versions (as a varint), each in the form of a proposal, and a varint of capabilities; the client answers
//! with the version that it chose and a varint of capabilities.

/// What a Bolt client says first.
const MAGIC: [u8; 4] = [0x60, 0x60, 0xB0, 0x17];
const MANIFEST: [u8; 4] = [0x00, 0x00, 0x01, 0xFF];
/// The most bytes of a varint of 64 bits.
const VARINT_BYTES_MAX: usize = 10;

/// A version of the protocol that is spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u8,
    pub minor: u8,
}

impl Version {
    /// Entities have element ids, and date-times count in UTC.
    pub const V5_0: Version = Version { major: 5, minor: 0 };
    /// Authentication has messages of its own.
    pub const V5_1: Version = Version { major: 5, minor: 1 };
    /// Results tell their status.
    pub const V5_6: Version = Version { major: 5, minor: 6 };
    /// Failures tell their GQL status.
    pub const V5_7: Version = Version { major: 5, minor: 7 };
    /// Statements tell which database they run on.
    pub const V5_8: Version = Version { major: 5, minor: 8 };
    /// There are vectors.
    pub const V6_0: Version = Version { major: 6, minor: 0 };
    /// There are UUIDs.
    pub const V6_1: Version = Version { major: 6, minor: 1 };

    /// The versions as ranges, newest first: (major, newest minor, oldest minor). There never was a 5.5.
    const RANGES: [(u8, u8, u8); 4] = [(6, 1, 0), (5, 8, 6), (5, 4, 0), (4, 4, 0)];

    fn is_spoken(self) -> bool {
        let is_in = |(major, newest, oldest)| self.major == major && (oldest..=newest).contains(&self.minor);
        Version::RANGES.into_iter().any(is_in)
    }

    /// Returns the newest version that a proposal covers.
    fn of_proposal([_, range, minor, major]: [u8; 4]) -> Option<Version> {
        let minors = (minor.saturating_sub(range)..=minor).rev();
        minors.map(|minor| Version { major, minor }).find(|version| version.is_spoken())
    }
}

/// A handshake under way.
#[derive(Debug, Default)]
pub struct Handshake {
    bytes: Vec<u8>,
    is_manifest: bool,
}

/// How far a handshake is.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// More bytes must come.
    Waiting,
    /// Send this; more bytes must come.
    Offer(Vec<u8>),
    /// Send this and go on in this version; `rest` came after the handshake.
    Agreed { reply: Vec<u8>, version: Version, rest: Vec<u8> },
    /// Send this and end the connection.
    Refused(Vec<u8>),
}

impl Handshake {
    /// Takes what came off the socket.
    pub fn push(&mut self, bytes: &[u8]) -> Progress {
        self.bytes.extend_from_slice(bytes);
        if self.is_manifest { self.choice() } else { self.opening() }
    }

    fn opening(&mut self) -> Progress {
        let known = self.bytes.len().min(MAGIC.len());
        if self.bytes[..known] != MAGIC[..known] {
            return Progress::Refused(Vec::new());
        }
        let Some((opening, rest)) = self.bytes.split_first_chunk::<20>() else { return Progress::Waiting };
        let proposals = || opening.as_chunks::<4>().0.iter().skip(1).copied();
        if proposals().any(|proposal| proposal == MANIFEST) {
            self.bytes = rest.to_vec();
            self.is_manifest = true;
            return Progress::Offer(manifest());
        }
        match proposals().find_map(Version::of_proposal) {
            Some(version) => Progress::Agreed {
                reply: vec![0, 0, version.minor, version.major],
                version,
                rest: rest.to_vec(),
            },
            None => Progress::Refused(vec![0; 4]),
        }
    }

    fn choice(&mut self) -> Progress {
        let Some(([_, _, minor, major], rest)) = self.bytes.split_first_chunk::<4>() else {
            return Progress::Waiting;
        };
        let version = Version { major: *major, minor: *minor };
        let end = rest.iter().take(VARINT_BYTES_MAX).position(|byte| byte & 0x80 == 0);
        match end {
            // Capabilities that were not offered cannot have been taken.
            Some(end) if version.is_spoken() => {
                Progress::Agreed { reply: Vec::new(), version, rest: rest[end + 1..].to_vec() }
            }
            None if rest.len() < VARINT_BYTES_MAX && version.is_spoken() => Progress::Waiting,
            _ => Progress::Refused(Vec::new()),
        }
    }
}

fn manifest() -> Vec<u8> {
    let mut offer = MANIFEST.to_vec();
    offer.push(Version::RANGES.len() as u8);
    for (major, newest, oldest) in Version::RANGES {
        offer.extend([0, newest - oldest, newest, major]);
    }
    // No capabilities.
    offer.push(0);
    offer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shake(proposals: [[u8; 4]; 4]) -> Progress {
        Handshake::default().push(&[&MAGIC[..], &proposals.concat()].concat())
    }

    fn agreed(proposals: [[u8; 4]; 4]) -> Option<(u8, u8)> {
        match shake(proposals) {
            Progress::Agreed { reply, version, .. } => {
                assert_eq!(reply, [0, 0, version.minor, version.major]);
                Some((version.major, version.minor))
            }
            Progress::Refused(reply) => {
                assert_eq!(reply, [0; 4]);
                None
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_newest_version_of_the_first_proposal_that_fits_is_taken() {
        let none = [0; 4];
        assert_eq!(agreed([[0, 8, 8, 5], [0, 2, 4, 4], none, none]), Some((5, 8)));
        assert_eq!(agreed([[0, 5, 5, 5], none, none, none]), Some((5, 4)));
        assert_eq!(agreed([[0, 0, 5, 5], [0, 2, 4, 4], none, none]), Some((4, 4)));
        assert_eq!(agreed([[0, 0, 0, 3], [0, 0, 9, 9], none, none]), None);
        assert_eq!(agreed([[0, 0, 1, 4], [0, 0, 0, 4], none, none]), Some((4, 1)));
        assert_eq!(agreed([[0, 9, 99, 5], [0, 255, 99, 6], none, none]), Some((6, 1)));
    }

    #[test]
    fn a_manifest_offers_and_the_client_chooses() {
        let mut handshake = Handshake::default();
        let opening = [&MAGIC[..], &MANIFEST, &[0, 8, 8, 5], &[0; 8]].concat();
        assert_eq!(handshake.push(&opening[..10]), Progress::Waiting);
        let offer = [0, 0, 1, 0xFF, 4, 0, 1, 1, 6, 0, 2, 8, 5, 0, 4, 4, 5, 0, 4, 4, 4, 0];
        assert_eq!(handshake.push(&opening[10..]), Progress::Offer(offer.to_vec()));
        assert_eq!(handshake.push(&[0, 0, 8, 5]), Progress::Waiting);
        let version = Version::V5_8;
        assert_eq!(handshake.push(&[0, 9]), Progress::Agreed { reply: Vec::new(), version, rest: vec![9] });
    }

    #[test]
    fn who_speaks_something_else_is_refused_at_the_first_byte() {
        assert_eq!(Handshake::default().push(b"G"), Progress::Refused(Vec::new()));
        let mut handshake = Handshake { is_manifest: true, ..Handshake::default() };
        assert_eq!(handshake.push(&[0, 0, 5, 5, 0]), Progress::Refused(Vec::new()));
        let mut endless = Handshake { is_manifest: true, ..Handshake::default() };
        assert_eq!(endless.push(&[0, 0, 8, 5]), Progress::Waiting);
        assert_eq!(endless.push(&[0xFF; 10]), Progress::Refused(Vec::new()));
    }
}
