//! Workspaces in files that travel by hand: export and import.

use std::io::BufRead;
use std::sync::Arc;

use super::{Engine, EngineError, Hosted};
use crate::block::BlockId;
use crate::block::car::CarError;
use crate::replication::{Arrival, Carrier, CarrierError, Consignment, Followed, Selection, Ticket};
use crate::workspace::{Workspace, WorkspaceError};

/// Longer names of files are cut to so many characters, so that a ref has room for them in UTF-8.
const PEER_NAME_CHARS_MAX: usize = 48;

/// What of a workspace is exported.
#[derive(Clone, Debug, Default)]
pub struct ExportOptions {
    /// One branch; `None` takes all.
    pub branch: Option<String>,
    /// A revision: what it reaches is left out.
    pub since: Option<String>,
    /// Leave the runs at home.
    pub history_only: bool,
}

/// How a carrier file is taken in.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The workspace that it must be of; `None` takes any of this node's.
    pub workspace: Option<String>,
    /// Brings the key of a workspace that this node does not have yet.
    pub ticket: Option<String>,
    /// What that workspace is to be called here; `None` takes the ticket's name.
    pub name: Option<String>,
    /// The file's name without folder and ending. Its heads are noted as those of a peer of that name.
    pub origin: String,
}

/// What an import did.
#[derive(Clone, Debug)]
pub struct Imported {
    pub workspace: String,
    /// The workspace was not here before.
    pub is_new: bool,
    /// Under what name its heads are noted: `<peer>/<branch>` is a revision.
    pub peer: String,
    /// Blocks in the file.
    pub blocks: u64,
    pub new_blocks: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Branches that moved or are new here.
    pub moved: Vec<String>,
    /// Branches with commits of their own on both sides.
    pub diverged: Vec<String>,
    /// Branches that cannot be followed, since commits in between are not here.
    pub unreached: Vec<String>,
    /// Blocks that the file's branches need and that are not here.
    pub missing: Vec<BlockId>,
}

/// Where a carrier file belongs.
enum Home {
    Here(Arc<Hosted>),
    /// Nowhere yet: it is to be adopted under this name.
    New(Ticket, String),
}

impl Hosted {
    /// Chooses what is exported. Its [`Consignment::write`] writes it.
    pub fn export(&self, options: &ExportOptions) -> Result<Consignment, EngineError> {
        let since = options.since.as_deref().map(|since| self.resolve(Some(since))).transpose()?;
        let branch = options.branch.clone();
        if let Some(at) = &branch
            && let Err(WorkspaceError::UnknownRef(_)) = self.workspace().branch(at)
        {
            let commit = self.resolve(Some(at))?;
            return Err(EngineError::Invalid(format!(
                "'{at}' is commit {commit}; only branches are exported: make one of it"
            )));
        }
        Ok(Consignment::choose(
            self.workspace(),
            &Selection { branch, since, history_only: options.history_only },
        )?)
    }
}

impl Engine {
    /// Takes in a carrier file. Tells `progress` how many of its bytes were read so far.
    ///
    /// No branch moves before every block has come and was verified.
    ///
    /// # Errors
    /// [`EngineError::Unverified`] if the file is none, was altered or cut, or is of another workspace.
    pub fn import(
        &self,
        file: impl BufRead,
        options: &ImportOptions,
        progress: &dyn Fn(u64),
    ) -> Result<Imported, EngineError> {
        let ticket = options.ticket.as_deref().map(Ticket::parse).transpose();
        let ticket = ticket.map_err(|error| EngineError::Invalid(error.to_string()))?;
        let carrier = Carrier::open(file)?;
        let home = self.home(&carrier, ticket, options)?;
        let contents = match &home {
            Home::Here(hosted) => carrier.contents(hosted.workspace().reader().key())?,
            Home::New(ticket, _) => carrier.contents(&ticket.key())?,
        };
        let arrival = carrier.receive(contents, &*self.store, progress)?;
        let peer = peer_name(&options.origin);
        let (is_new, hosted, followed) = match home {
            Home::Here(hosted) => (false, Arc::clone(&hosted), arrival.follow(hosted.workspace(), &peer)?),
            Home::New(ticket, name) => {
                let (hosted, followed) = self.settle(&arrival, &ticket, &name, &peer)?;
                (true, hosted, followed)
            }
        };
        Ok(Imported {
            workspace: hosted.name().to_owned(),
            is_new,
            peer,
            blocks: arrival.blocks,
            new_blocks: arrival.new_blocks,
            bytes: arrival.bytes,
            moved: followed.moved.into_iter().map(|moved| moved.branch).collect(),
            diverged: followed.diverged,
            unreached: followed.unreached,
            missing: arrival.missing_blocks(hosted.workspace())?,
        })
    }

    /// Finds the workspace whose key opens the file: one of this node's, or the ticket's.
    fn home(
        &self,
        carrier: &Carrier<impl BufRead>,
        ticket: Option<Ticket>,
        options: &ImportOptions,
    ) -> Result<Home, EngineError> {
        let candidates = match &options.workspace {
            Some(name) => vec![self.hosted(Some(name))?],
            None => self.workspaces(),
        };
        for hosted in candidates {
            match carrier.contents(hosted.workspace().reader().key()) {
                Ok(_) => return Ok(Home::Here(hosted)),
                Err(CarrierError::OtherWorkspace(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let ticket = ticket.ok_or(CarrierError::OtherWorkspace(carrier.id()))?;
        carrier.contents(&ticket.key())?;
        let name = options.name.clone().unwrap_or_else(|| ticket.name.clone());
        self.check_name(&name)?;
        Ok(Home::New(ticket, name))
    }

    /// Adopts the workspace that arrived.
    fn settle(
        &self,
        arrival: &Arrival,
        ticket: &Ticket,
        name: &str,
        peer: &str,
    ) -> Result<(Arc<Hosted>, Followed), EngineError> {
        let key = ticket.key();
        let replica = self.replica(&key)?;
        let access = || self.access(key.clone(), replica.as_ref());
        let (workspace, followed) = match Workspace::open(access()) {
            // Its key alone is unknown here: a crash came between the workspace and the keyring.
            Ok(workspace) => {
                let followed = arrival.follow(&workspace, peer)?;
                (workspace, followed)
            }
            Err(WorkspaceError::UnknownWorkspace(_)) => {
                (arrival.adopt(access(), ticket, peer)?, Followed::default())
            }
            Err(error) => return Err(error.into()),
        };
        // As in a join: a workspace without its key in the keyring is garbage, no more.
        self.remember(name, &key)?;
        Ok((self.host(name, workspace, replica), followed))
    }
}

/// Returns what a peer may be called that is known by the name of a file.
fn peer_name(origin: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || c == '_' { c } else { '-' };
    let name: String = origin.chars().map(plain).take(PEER_NAME_CHARS_MAX).collect();
    format!("import-{name}")
}

impl From<CarrierError> for EngineError {
    fn from(error: CarrierError) -> EngineError {
        match error {
            CarrierError::Workspace(error) => error.into(),
            CarrierError::Block(error) => error.into(),
            CarrierError::Write(_) | CarrierError::Car(CarError::Read { .. }) => {
                EngineError::Storage(format!("the carrier file: {error}"))
            }
            CarrierError::TooMuch { .. } => EngineError::Invalid(error.to_string()),
            CarrierError::Car(_)
            | CarrierError::NotACarrier(_)
            | CarrierError::OtherWorkspace(_)
            | CarrierError::Contents { .. }
            | CarrierError::CutOff { .. }
            | CarrierError::Surplus { .. }
            | CarrierError::OtherBlocks { .. } => EngineError::Unverified(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::check_branch_name;

    #[test]
    fn any_file_gives_a_peer_a_name() {
        for (origin, expected) in
            [("stick", "import-stick"), ("2026-11 north.v2", "import-2026-11-north-v2"), ("", "import-")]
        {
            assert_eq!(peer_name(origin), expected);
        }
        for origin in ["..", "a/b", &"\u{20000}".repeat(300), "\n\0"] {
            assert!(check_branch_name(&peer_name(origin)).is_ok(), "{origin:?}");
        }
    }
}
