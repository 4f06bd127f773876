//! `Explanation`: what EXPLAIN and PROFILE answer, as text and as JSON.

use std::fmt;

use serde::Serialize;

use crate::execute::PhysicalNode;

/// The plans of a statement, in their order of making.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// As lines, an operator each, inputs indented below it.
    pub logical_plan: String,
    /// The same, optimised; of an update this alone is told.
    pub optimised_plan: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub physical_plan: Option<PhysicalNode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocks: Option<BlocksRead>,
}

/// The blocks that were asked for while a profile ran, by this query and whatever ran beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BlocksRead {
    /// Decoded already, in the cache.
    pub cached: u64,
    /// Read from the store or a peer, opened and decoded.
    pub read: u64,
    /// Those of them that came from peers.
    pub fetched: u64,
}

impl BlocksRead {
    /// Returns what was read after `before`.
    pub fn since(self, before: BlocksRead) -> BlocksRead {
        BlocksRead {
            cached: self.cached - before.cached,
            read: self.read - before.read,
            fetched: self.fetched - before.fetched,
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.logical_plan.is_empty() {
            writeln!(f, "logical plan\n{}", self.logical_plan)?;
        }
        writeln!(f, "optimised plan\n{}", self.optimised_plan)?;
        if let Some(plan) = &self.physical_plan {
            write!(f, "physical plan\n{plan}")?;
        }
        if let Some(BlocksRead { cached, read, fetched }) = self.blocks {
            write!(
                f,
                "\nblocks\n{cached} from the cache, {read} read, {fetched} of them fetched from peers\n"
            )?;
        }
        Ok(())
    }
}
