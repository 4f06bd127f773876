use crate::block::car::CarError;
use crate::block::{BlockError, BlockId};
use crate::workspace::WorkspaceError;

/// Why a carrier file cannot be written or taken in. One variant for each thing that a caller can do.
#[derive(Debug, thiserror::Error)]
pub enum CarrierError {
    /// It cannot be read, is no CAR of ours, or was altered.
    #[error(transparent)]
    Car(#[from] CarError),
    /// A CAR, but not one of ours: it has other roots than one, or something else stands first.
    #[error("it is a CAR, but no carrier file: {0}")]
    NotACarrier(&'static str),
    /// No key at hand opens its first block, so it is of another workspace.
    #[error(
        "it is of another workspace: no key at hand opens its first block, {0}; to take that workspace up, \
         its ticket is needed"
    )]
    OtherWorkspace(BlockId),
    /// A member sealed what is no table of contents.
    #[error("its first block, {id}, is malformed: {reason}")]
    Contents { id: BlockId, reason: String },
    /// It ends, between two blocks, before all that it announces has come.
    #[error("it is cut off: it ends at byte {offset}, after {found} of {announced} blocks")]
    CutOff { offset: u64, found: u64, announced: u64 },
    /// Something follows the last block that it announces.
    #[error(
        "it has more than the {announced} blocks that it announces: {id} at byte {offset} is one too many"
    )]
    Surplus { offset: u64, id: BlockId, announced: u64 },
    /// Each block is what it claims to be, but they are not the ones that were announced.
    #[error("its blocks, up to byte {offset}, are not those that its first block announces")]
    OtherBlocks { offset: u64 },
    /// More than one file can tell.
    #[error("one carrier file has room for {max} {of}; name a branch, or export less at a time")]
    TooMuch { of: &'static str, max: usize },
    #[error("it cannot be written: {0}")]
    Write(std::io::Error),
    /// The store, or a block that the store or a peer should have.
    #[error(transparent)]
    Block(#[from] BlockError),
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
}
