//! `Carrier`: a carrier file that is read, and `Arrival`: one that was read to its end.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::sync::Arc;

use super::{CarrierError, Contents};
use crate::block::car::CarReader;
use crate::block::{BlockError, BlockId, SealedBlock};
use crate::blockstore::Store;
use crate::crypto::EpochKey;
use crate::replication::following::{self, ApartCommits, BranchMove, Step};
use crate::replication::{Ticket, peers};
use crate::workspace::{Access, CommitId, Head, Workspace, WorkspaceError};

/// Blocks are put once there are so many of them, or so many bytes.
const BLOCKS_AT_ONCE: usize = 64;
const BYTES_AT_ONCE: usize = 4 << 20;

/// A carrier file of which the header and the first block were read.
#[derive(Debug)]
pub struct Carrier<R> {
    car: CarReader<R>,
    first: SealedBlock,
}

/// A carrier file whose blocks are all here, verified and durable. No branch has moved yet.
#[derive(Debug)]
pub struct Arrival {
    /// The branches it brings; of a run that is not here they do not tell.
    heads: Vec<Head>,
    /// Commits that it builds on and that are not here.
    lacking: Vec<CommitId>,
    /// Blocks of the file, the first one not counted.
    pub blocks: u64,
    /// Those of them that were not here before.
    pub new_blocks: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// What became of our branches.
#[derive(Debug, Default)]
pub struct Followed {
    /// Branches of ours that moved or were made.
    pub moved: Vec<BranchMove>,
    /// Branches where both sides have commits of their own: to be merged by somebody.
    pub diverged: Vec<String>,
    /// Branches that cannot be followed, since commits between theirs and ours are not here.
    pub unreached: Vec<String>,
}

impl<R: BufRead> Carrier<R> {
    /// Reads up to the first block.
    ///
    /// # Errors
    /// [`CarrierError::Car`] and [`CarrierError::NotACarrier`] if it is none.
    pub fn open(input: R) -> Result<Carrier<R>, CarrierError> {
        let mut car = CarReader::open(input)?;
        let [root] = *car.roots() else {
            return Err(CarrierError::NotACarrier("it has not just one root"));
        };
        match car.next_block()? {
            Some(first) if first.id() == root => Ok(Carrier { car, first }),
            _ => Err(CarrierError::NotACarrier("its first block is not its root")),
        }
    }

    /// Returns the id of the first block.
    pub fn id(&self) -> BlockId {
        self.first.id()
    }

    /// Opens the first block.
    ///
    /// # Errors
    /// [`CarrierError::OtherWorkspace`] if the key does not open it.
    pub fn contents(&self, key: &EpochKey) -> Result<Contents, CarrierError> {
        Contents::open(&self.first, key)
    }

    /// Reads all blocks, verifies them, and makes them durable; of a few at a time it holds the bytes. Tells
    /// `progress` how many bytes of the file were read so far.
    ///
    /// # Errors
    /// If a byte is not as it was announced. What was put until then is garbage, no more.
    pub fn receive(
        mut self,
        contents: Contents,
        store: &dyn Store,
        progress: &dyn Fn(u64),
    ) -> Result<Arrival, CarrierError> {
        let mut hold = Hold { store, blocks: Vec::new(), bytes: 0, new_blocks: 0 };
        let mut digest = blake3::Hasher::new();
        let (mut found, announced) = (0, contents.blocks);
        loop {
            let offset = self.car.offset();
            let Some(block) = self.car.next_block()? else { break };
            if found == announced {
                return Err(CarrierError::Surplus { offset, id: block.id(), announced });
            }
            found += 1;
            digest.update(block.id().as_bytes());
            hold.take(block)?;
            progress(self.car.offset());
        }
        let offset = self.car.offset();
        if found < announced {
            return Err(CarrierError::CutOff { offset, found, announced });
        }
        if digest.finalize() != contents.digest {
            return Err(CarrierError::OtherBlocks { offset });
        }
        hold.put()?;
        store.sync()?;
        Arrival::new(contents, store, hold.new_blocks, offset)
    }
}

/// Blocks that wait to be put together.
struct Hold<'a> {
    store: &'a dyn Store,
    blocks: Vec<SealedBlock>,
    bytes: usize,
    new_blocks: u64,
}

impl Hold<'_> {
    fn take(&mut self, block: SealedBlock) -> Result<(), BlockError> {
        self.bytes += block.bytes().len();
        self.blocks.push(block);
        if self.blocks.len() < BLOCKS_AT_ONCE && self.bytes < BYTES_AT_ONCE { Ok(()) } else { self.put() }
    }

    fn put(&mut self) -> Result<(), BlockError> {
        let ids: Vec<BlockId> = self.blocks.iter().map(SealedBlock::id).collect();
        self.new_blocks += self.store.has(&ids)?.iter().filter(|is_here| !**is_here).count() as u64;
        self.store.put(&self.blocks)?;
        self.blocks.clear();
        self.bytes = 0;
        Ok(())
    }
}

impl Arrival {
    fn new(
        contents: Contents,
        store: &dyn Store,
        new_blocks: u64,
        bytes: u64,
    ) -> Result<Arrival, CarrierError> {
        let Contents { blocks, mut heads, prerequisites, .. } = contents;
        for head in &mut heads {
            // Who noted a run that is not here would wait for it, where the change sets may be at hand.
            if let Some((_, root)) = head.manifest
                && store.has(&[root])? == [false]
            {
                head.manifest = None;
            }
        }
        let ids: Vec<BlockId> = prerequisites.iter().map(|commit| commit.0).collect();
        let is_here = store.has(&ids)?;
        let lacking = prerequisites.into_iter().zip(is_here).filter(|(_, is_here)| !is_here);
        let lacking = lacking.map(|(commit, _)| commit).collect();
        Ok(Arrival { heads, lacking, blocks, new_blocks, bytes })
    }

    /// Notes the heads as those of `peer`, and follows them as a sync does: a branch of ours without
    /// commits of its own moves forward, one that is shown for the first time is made, nothing is merged.
    pub fn follow(&self, workspace: &Workspace, peer: &str) -> Result<Followed, WorkspaceError> {
        let mut followed = Followed::default();
        let (known, apart) = (following::known_branches(workspace, peer)?, ApartCommits::default());
        for head in &self.heads {
            workspace.set_remote_head(peer, head)?;
            let branch = &head.branch;
            if self.lacking.contains(&head.commit) {
                followed.unreached.push(branch.clone());
                continue;
            }
            match following::follow(workspace, head, known.contains(branch), &apart) {
                Ok(Step::Stayed) => {}
                Ok(Step::Moved(moved)) => followed.moved.push(moved),
                Ok(Step::Diverged) => followed.diverged.push(branch.clone()),
                Err(WorkspaceError::Block(BlockError::Unavailable(_))) => {
                    followed.unreached.push(branch.clone());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(followed)
    }

    /// Takes up the workspace, which this node does not have, and remembers the ticket's peer for later.
    pub fn adopt(&self, access: Access, ticket: &Ticket, peer: &str) -> Result<Workspace, WorkspaceError> {
        let store = Arc::clone(&access.store);
        let workspace = Workspace::adopt(access, &self.heads)?;
        for head in &self.heads {
            workspace.set_remote_head(peer, head)?;
        }
        peers::save(&*store, workspace.id(), ticket.peer, &ticket.addresses)?;
        Ok(workspace)
    }

    /// Returns the branches that the file brought.
    pub fn branches(&self) -> impl Iterator<Item = &str> {
        self.heads.iter().map(|head| head.branch.as_str())
    }

    /// Returns the blocks, sorted, that the branches need and that are not here: commits that the file
    /// builds on, and data. What hangs below them cannot be known and is not listed.
    pub fn missing_blocks(&self, workspace: &Workspace) -> Result<Vec<BlockId>, WorkspaceError> {
        let mut missing: BTreeSet<BlockId> = self.lacking.iter().map(|commit| commit.0).collect();
        for head in &self.heads {
            missing.extend(workspace.missing_blocks(head.commit)?);
        }
        Ok(missing.into_iter().collect())
    }
}
