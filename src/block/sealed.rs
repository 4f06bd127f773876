//! The three steps of trust in a block, and the one way through them.

use std::sync::Arc;

use super::{BlockError, BlockId};
use crate::crypto::{EpochKey, SealError};

/// No sealed block is larger; what claims to be is refused before anything is allocated.
pub const BLOCK_BYTES_MAX: usize = 2 << 20;

/// What a block holds. Bound into the seal, so that one kind cannot be passed off as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum BlockKind {
    Commit = 1,
    ChangeSet = 2,
    Manifest = 3,
    ManifestPage = 4,
    Dictionary = 5,
    Permutation = 6,
    Edges = 7,
}

/// Bytes that somebody says have this id.
#[derive(Clone, Debug)]
pub struct UntrustedBlock {
    pub claimed_id: BlockId,
    pub bytes: Vec<u8>,
}

/// Sealed bytes that hash to their id. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedBlock {
    id: BlockId,
    bytes: Arc<[u8]>,
}

/// The opened content of a block. Never written to disk.
#[derive(Debug)]
pub struct PlainBlock {
    id: BlockId,
    kind: BlockKind,
    data: Vec<u8>,
}

impl UntrustedBlock {
    /// Checks the bytes against the claimed id.
    ///
    /// # Errors
    /// [`BlockError::Misbehaved`] if they do not match, [`BlockError::TooLarge`].
    pub fn verify(self) -> Result<SealedBlock, BlockError> {
        if self.bytes.len() > BLOCK_BYTES_MAX {
            return Err(BlockError::TooLarge(self.bytes.len() as u64));
        }
        let actual = BlockId::of(&self.bytes);
        if actual != self.claimed_id {
            return Err(BlockError::Misbehaved { id: self.claimed_id, actual });
        }
        Ok(SealedBlock { id: actual, bytes: self.bytes.into() })
    }
}

impl SealedBlock {
    /// Seals plaintext under an epoch key. Equal content, kind and key give equal bytes.
    pub fn seal(kind: BlockKind, data: &[u8], key: &EpochKey) -> SealedBlock {
        let bytes = key.seal(kind as u8, data);
        SealedBlock { id: BlockId::of(&bytes), bytes: bytes.into() }
    }

    /// Passes the block off as another, so that tests reach what lies behind the hash.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn labelled(mut self, id: BlockId) -> SealedBlock {
        self.id = id;
        self
    }

    pub fn id(&self) -> BlockId {
        self.id
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Opens the block, which its parent says is of `kind` and sealed under `key`.
    ///
    /// # Errors
    /// [`BlockError::NoKey`] if the key does not open it as that kind, [`BlockError::Corrupt`] if
    /// it opens but is not well-formed.
    pub fn open(&self, kind: BlockKind, key: &EpochKey) -> Result<PlainBlock, BlockError> {
        match key.open(kind as u8, &self.bytes) {
            Ok(data) => Ok(PlainBlock { id: self.id, kind, data }),
            Err(SealError::Unopened) => Err(BlockError::NoKey(self.id)),
            Err(error) => Err(BlockError::Corrupt { id: self.id, reason: error.to_string() }),
        }
    }
}

impl PlainBlock {
    pub fn id(&self) -> BlockId {
        self.id
    }

    pub fn kind(&self) -> BlockKind {
        self.kind
    }

    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Returns the error of a decoder that stumbled over this block.
    pub fn corrupt(&self, reason: impl Into<String>) -> BlockError {
        BlockError::Corrupt { id: self.id, reason: reason.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::WorkspaceId;

    /// The seal's bytes make every block's id: if they change, what was stored before is not found again.
    #[test]
    fn the_seal_does_not_drift() {
        let key = EpochKey::from_secret([1; 32], WorkspaceId([7; 32]));
        let contents = [
            (BlockKind::Commit, &b""[..]),
            (BlockKind::Dictionary, b"port call"),
            (BlockKind::Permutation, &[0xAB; 5000]),
        ];
        let ids = contents.map(|(kind, data)| {
            let sealed = SealedBlock::seal(kind, data, &key);
            assert_eq!(sealed.open(kind, &key).unwrap().data(), data);
            sealed.id().to_string()
        });
        let golden = [
            "bafkr4idlcattd2artovjsdpfvwemkbdz4ccljaihxu76xv3f2izpurhcce",
            "bafkr4ihj3ocjyq3bnbnavf5axi7hxqtsaggufr2425itpfstitrzoy6f3u",
            "bafkr4iff3ntqpcnfpsreguxymg3eg2ea6jmr4anmcjznqvqwstk4cgs6hi",
        ];
        assert_eq!(ids, golden);
    }
}
