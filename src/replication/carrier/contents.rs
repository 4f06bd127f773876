//! `Contents`: what the first block of a carrier file says of it.

use super::CarrierError;
use crate::block::{BlockError, BlockId, BlockKind, SealedBlock};
use crate::crypto::EpochKey;
use crate::replication::heads::{self, HEADS_MAX};
use crate::workspace::{CommitId, Head, check_branch_name};

const VERSION: u8 = 1;
/// With as many heads as one file may tell, the block stays within the bound of a block.
const PREREQUISITES_MAX: usize = 16 << 10;

/// What a carrier file brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// How many blocks follow the first.
    pub blocks: u64,
    /// BLAKE3 of their ids in order: tells these blocks from any others.
    pub digest: [u8; 32],
    /// Commits that it builds on and does not bring, sorted.
    pub prerequisites: Vec<CommitId>,
    /// Its branches: never none. The first is the default one.
    pub heads: Vec<Head>,
}

impl Contents {
    /// Says what brings these blocks.
    ///
    /// # Errors
    /// [`CarrierError::TooMuch`] if one block has no room for it.
    pub fn new(
        heads: Vec<Head>,
        prerequisites: Vec<CommitId>,
        blocks: &[BlockId],
    ) -> Result<Contents, CarrierError> {
        if heads.len() > HEADS_MAX {
            return Err(CarrierError::TooMuch { of: "branches", max: HEADS_MAX });
        }
        if prerequisites.len() > PREREQUISITES_MAX {
            return Err(CarrierError::TooMuch { of: "commits to build on", max: PREREQUISITES_MAX });
        }
        let mut digest = blake3::Hasher::new();
        for id in blocks {
            digest.update(id.as_bytes());
        }
        Ok(Contents {
            blocks: blocks.len() as u64,
            digest: *digest.finalize().as_bytes(),
            prerequisites,
            heads,
        })
    }

    pub(super) fn seal(&self, key: &EpochKey) -> SealedBlock {
        let mut out = vec![VERSION];
        out.extend_from_slice(&self.blocks.to_le_bytes());
        out.extend_from_slice(&self.digest);
        out.extend_from_slice(&(self.prerequisites.len() as u32).to_le_bytes());
        for commit in &self.prerequisites {
            out.extend_from_slice(commit.0.as_bytes());
        }
        out.extend_from_slice(&heads::encode(&self.heads));
        SealedBlock::seal(BlockKind::Carrier, &out, key)
    }

    /// Opens and reads what [`Contents::seal`] made.
    ///
    /// # Errors
    /// [`CarrierError::OtherWorkspace`] if the key does not open it.
    pub(super) fn open(block: &SealedBlock, key: &EpochKey) -> Result<Contents, CarrierError> {
        let plain = block.clone().open(BlockKind::Carrier, key).map_err(|error| match error {
            BlockError::NoKey(id) => CarrierError::OtherWorkspace(id),
            error => error.into(),
        })?;
        Contents::decode(plain.data()).map_err(|reason| CarrierError::Contents { id: block.id(), reason })
    }

    pub(super) fn decode(content: &[u8]) -> Result<Contents, String> {
        let mut rest = content;
        let [version] = take(&mut rest)?;
        if version != VERSION {
            return Err(format!("it is of version {version}; this program knows version {VERSION}"));
        }
        let blocks = u64::from_le_bytes(take(&mut rest)?);
        let digest = take(&mut rest)?;
        let count = u32::from_le_bytes(take(&mut rest)?) as usize;
        if count > PREREQUISITES_MAX {
            return Err("it builds on too many commits".to_owned());
        }
        let commit = |_| take(&mut rest).map(|hash| CommitId(BlockId::from_bytes(hash)));
        let prerequisites = (0..count).map(commit).collect::<Result<Vec<CommitId>, String>>()?;
        if !prerequisites.is_sorted_by(|a, b| a < b) {
            return Err("the commits that it builds on are not sorted".to_owned());
        }
        let heads = heads::decode(rest).map_err(|error| error.to_string())?;
        if heads.is_empty() {
            return Err("it names no branch".to_owned());
        }
        heads
            .iter()
            .try_for_each(|head| check_branch_name(&head.branch))
            .map_err(|error| error.to_string())?;
        Ok(Contents { blocks, digest, prerequisites, heads })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], String> {
    let (taken, left) = rest.split_first_chunk::<N>().ok_or("it ends early")?;
    *rest = left;
    Ok(*taken)
}
