//! `Consignment`: what goes into a carrier file.

use std::io::Write;

use super::{CarrierError, Contents};
use crate::block::car::CarWriter;
use crate::block::{BlockError, BlockId, BlockSource, SealedBlock};
use crate::replication::heads;
use crate::workspace::{CommitId, Workspace, WorkspaceError};

/// How many blocks are read at a time.
const BLOCKS_AT_ONCE: usize = 32;

/// What is to be carried.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// One branch; `None` takes all.
    pub branch: Option<String>,
    /// Leave out what this commit reaches: whoever gets the file has it.
    pub since: Option<CommitId>,
    /// Take no runs along: the reader makes its own out of the change sets.
    pub history_only: bool,
}

/// A workspace's blocks, chosen and in order, ready to be written. Holds their ids, not their bytes.
pub struct Consignment {
    workspace: Workspace,
    contents: Contents,
    blocks: Vec<BlockId>,
}

impl Consignment {
    /// Chooses the blocks. Reads the commits, change sets and manifests, and fetches those that this
    /// node lacks.
    ///
    /// # Errors
    /// If one of them is out of reach, or there is no such branch.
    pub fn choose(workspace: &Workspace, selection: &Selection) -> Result<Consignment, CarrierError> {
        let mut heads = heads::of(workspace)?;
        if let Some(branch) = &selection.branch {
            heads.retain(|head| head.branch == *branch);
            if heads.is_empty() {
                return Err(WorkspaceError::UnknownRef(branch.clone()).into());
            }
        }
        if selection.history_only {
            heads.iter_mut().for_each(|head| head.manifest = None);
        }
        let closure = workspace.closure(&heads, selection.since)?;
        let contents = Contents::new(heads, closure.prerequisites, &closure.blocks)?;
        Ok(Consignment { workspace: workspace.clone(), contents, blocks: closure.blocks })
    }

    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Writes the carrier file and hands back what it was written to. Tells `progress` the blocks and the
    /// sealed bytes that were written so far, the last time at the end.
    ///
    /// # Errors
    /// [`BlockError::Unavailable`] if a block is neither here nor at a peer that can be reached.
    pub fn write<W: Write>(&self, out: W, progress: &dyn Fn(u64, u64)) -> Result<W, CarrierError> {
        let reader = self.workspace.reader();
        let first = self.contents.seal(reader.key());
        let mut car = CarWriter::new(out, &[first.id()]).map_err(CarrierError::Write)?;
        car.write(&first).map_err(CarrierError::Write)?;
        let (mut blocks, mut bytes) = (1, first.bytes().len() as u64);
        progress(blocks, bytes);
        for ids in self.blocks.chunks(BLOCKS_AT_ONCE) {
            for block in read(&**reader.source(), ids)? {
                car.write(&block).map_err(CarrierError::Write)?;
                blocks += 1;
                bytes += block.bytes().len() as u64;
            }
            progress(blocks, bytes);
        }
        car.finish().map_err(CarrierError::Write)
    }
}

/// Reads sealed blocks, all of them or none.
fn read(source: &dyn BlockSource, ids: &[BlockId]) -> Result<Vec<SealedBlock>, BlockError> {
    let found = source.get(ids)?;
    let absent = ids.iter().zip(&found).filter(|(_, block)| block.is_none());
    let absent: Vec<BlockId> = absent.map(|(id, _)| *id).collect();
    if let Some(id) = source.damaged(&absent).first() {
        let reason = "the bytes that are stored do not hash to its id".to_owned();
        return Err(BlockError::Corrupt { id: *id, reason });
    }
    if absent.is_empty() {
        Ok(found.into_iter().flatten().collect())
    } else {
        Err(BlockError::Unavailable(absent))
    }
}
