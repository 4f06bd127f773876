//! The proof that a peer knows a workspace: a keyed hash over who speaks to whom.
//!
//! Noise has already shown that the peer holds the secret of its peer id, so a proof bound to both
//! peer ids is worth nothing to anybody else. The opener's fresh nonce keeps an answer from being
//! replayed.

use std::fmt;

use libp2p::PeerId;
use zeroize::{Zeroize, ZeroizeOnDrop};

const DOMAIN: &[u8] = b"reefloom exchange 1";

/// Names a workspace on the wire without telling its id. The upper room derives it from the epoch key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkspaceTag(pub [u8; 32]);

/// What members of a workspace have in common on the wire. It opens no block. Zeroized when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct NetworkKey([u8; 32]);

/// A keyed hash; compared in constant time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proof(pub [u8; 32]);

/// Which end of a stream speaks. Without it a proof could be sent back to whoever made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Role {
    Opener = 1,
    Accepter = 2,
}

/// What both proofs of one stream speak about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    pub opener: PeerId,
    pub accepter: PeerId,
    pub tag: WorkspaceTag,
    pub nonce: [u8; 32],
}

impl NetworkKey {
    pub fn from_bytes(bytes: [u8; 32]) -> NetworkKey {
        NetworkKey(bytes)
    }

    pub(super) fn prove(&self, role: Role, session: &Session) -> Proof {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(DOMAIN).update(&[role as u8]).update(&session.tag.0).update(&session.nonce);
        for peer in [session.opener, session.accepter] {
            let bytes = peer.to_bytes();
            hasher.update(&(bytes.len() as u32).to_le_bytes()).update(&bytes);
        }
        Proof(*hasher.finalize().as_bytes())
    }

    pub(super) fn verify(&self, role: Role, session: &Session, proof: &Proof) -> bool {
        // blake3::Hash compares in constant time.
        blake3::Hash::from(self.prove(role, session).0) == blake3::Hash::from(proof.0)
    }
}

impl fmt::Debug for NetworkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NetworkKey(..)")
    }
}

impl fmt::Debug for WorkspaceTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WorkspaceTag({})", data_encoding::HEXLOWER.encode(&self.0[..8]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_holds_for_its_key_role_and_session_only() {
        let session = Session {
            opener: PeerId::random(),
            accepter: PeerId::random(),
            tag: WorkspaceTag([1; 32]),
            nonce: [2; 32],
        };
        let key = NetworkKey::from_bytes([3; 32]);
        let proof = key.prove(Role::Opener, &session);
        assert!(key.verify(Role::Opener, &session, &proof));
        assert!(!key.verify(Role::Accepter, &session, &proof));
        assert!(!NetworkKey::from_bytes([4; 32]).verify(Role::Opener, &session, &proof));
        let changed = [
            Session { opener: PeerId::random(), ..session },
            Session { accepter: PeerId::random(), ..session },
            Session { tag: WorkspaceTag([9; 32]), ..session },
            Session { nonce: [9; 32], ..session },
        ];
        for other in changed {
            assert!(!key.verify(Role::Opener, &other, &proof));
        }
    }
}
