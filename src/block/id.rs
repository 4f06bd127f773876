//! `BlockId`: the CID of a sealed block.

use std::fmt;
use std::str::FromStr;

use cid::Cid;
use cid::multihash::Multihash;

const RAW_CODEC: u64 = 0x55;
const BLAKE3_CODE: u64 = 0x1e;

/// The name of a block: the BLAKE3 hash of its sealed bytes. Anyone can check it, without a key.
///
/// Written as a CIDv1 (raw codec, BLAKE3-256 multihash) in base32, as IPFS tools write it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId([u8; 32]);

impl BlockId {
    /// Returns the id of these sealed bytes.
    pub fn of(sealed: &[u8]) -> BlockId {
        BlockId(*blake3::hash(sealed).as_bytes())
    }

    pub fn from_bytes(hash: [u8; 32]) -> BlockId {
        BlockId(hash)
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the id that a CID writes, or `None` if it is of another codec or hash.
    pub fn from_cid(cid: &Cid) -> Option<BlockId> {
        if cid.codec() != RAW_CODEC || cid.hash().code() != BLAKE3_CODE {
            return None;
        }
        cid.hash().digest().try_into().ok().map(BlockId)
    }

    pub fn to_cid(self) -> Cid {
        let hash = Multihash::wrap(BLAKE3_CODE, &self.0).expect("32 bytes fit into a multihash");
        Cid::new_v1(RAW_CODEC, hash)
    }
}

/// Why a text is no block id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseIdError {
    #[error("'{0}' is no CID")]
    NotACid(String),
    #[error("'{0}' is a CID, but not of a raw block with a BLAKE3-256 hash")]
    OtherKind(String),
}

impl FromStr for BlockId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<BlockId, ParseIdError> {
        let cid = Cid::try_from(text).map_err(|_| ParseIdError::NotACid(text.to_owned()))?;
        BlockId::from_cid(&cid).ok_or_else(|| ParseIdError::OtherKind(text.to_owned()))
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_cid().fmt(f)
    }
}

impl fmt::Debug for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_and_others_are_refused() {
        let id = BlockId::of(b"reef");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().starts_with("bafkr4i"));
        assert!("nonsense".parse::<BlockId>().is_err());
        let sha = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
        assert_eq!(sha.parse::<BlockId>(), Err(ParseIdError::OtherKind(sha.to_owned())));
    }
}
