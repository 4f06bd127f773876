//! Where a verb finds the data: in the folder, or at the node that has the folder open.
//!
//! Only one process can hold a data folder. While a node serves it, what the node's HTTP API offers
//! is asked of the node, so that nobody has to stop it for a look at a branch.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::Failure;
use super::remote::Remote;
use crate::config::Config;
use crate::engine::{
    BranchInfo, CollectOptions, Collected, CsvFolder, Engine, EngineError, EngineOptions, LogEntry,
    Optimized, Request, RunningNode, Status,
};

pub enum Place {
    Here(Box<Engine>),
    There(Remote),
}

/// A branch as it is listed, here or there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Branch {
    pub name: String,
    pub commit: String,
    pub is_default: bool,
}

/// A pin as it is listed, here or there.
#[derive(Deserialize)]
pub struct Pin {
    pub name: String,
    pub commit: String,
}

/// A commit as it is listed, here or there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Commit {
    pub id: String,
    pub parents: Vec<String>,
    pub author: String,
    pub time_ms: i64,
    pub message: String,
}

/// Returns how an engine is opened on the data folder.
pub fn options(config: &Config) -> EngineOptions {
    EngineOptions { memory: config.memory.workspace, ..EngineOptions::new(&config.data) }
}

/// Returns the folder whose files LOAD CSV may read.
pub fn csv_folder(path: &Path) -> Result<CsvFolder, Failure> {
    CsvFolder::open(path)
        .map_err(|error| Failure::usage(format!("cannot read the folder {}: {error}", path.display())))
}

/// Lets a request read files of a folder, if one is named and the request is run here.
pub fn allow_files(request: &mut Request, folder: Option<&Path>, place: &Place) -> Result<(), Failure> {
    let Some(folder) = folder else { return Ok(()) };
    if let Place::There(_) = place {
        let message = "a node has the data folder open, and it reads the files that its own --csv-dir names";
        return Err(Failure::usage(message));
    }
    request.files = Some(Arc::new(csv_folder(folder)?));
    Ok(())
}

/// Opens the data folder, which must hold a workspace, or turns to the node that has it open.
pub fn reach(config: &Config) -> Result<Place, Failure> {
    match open_or_find(options(config))? {
        Ok(engine) => Ok(Place::Here(Box::new(with_workspace(config, engine)?))),
        Err(node) => Ok(Place::There(Remote::new(&node))),
    }
}

/// Opens the data folder, which must hold a workspace, for what only the process that has it can do.
pub fn take(config: &Config) -> Result<Engine, Failure> {
    with_workspace(config, take_any(options(config))?)
}

/// As [`take`], for a folder that may be empty or not exist yet.
pub fn take_any(options: EngineOptions) -> Result<Engine, Failure> {
    let folder = options.folder.clone();
    open_or_find(options)?.map_err(|node| {
        let (folder, url) = (folder.display(), Remote::new(&node).url().to_owned());
        let mut failure =
            Failure::other(format!("{folder} is in use by the node at {url} (process {})", node.pid));
        failure.hint = Some("stop it first, or use another folder with --data".to_owned());
        failure
    })
}

fn open_or_find(options: EngineOptions) -> Result<Result<Engine, RunningNode>, Failure> {
    let folder = options.folder.clone();
    match Engine::open(options) {
        Ok(engine) => Ok(Ok(engine)),
        Err(error @ EngineError::InUse(_)) => RunningNode::find(&folder).map(Err).ok_or_else(|| error.into()),
        Err(error) => Err(error.into()),
    }
}

fn with_workspace(config: &Config, engine: Engine) -> Result<Engine, Failure> {
    if engine.workspaces().is_empty() {
        return Err(Failure::not_found(format!(
            "{} holds no workspace; make one with `reefloom init NAME`, or join one with `reefloom join TICKET`",
            config.data.display()
        )));
    }
    Ok(engine)
}

impl Place {
    pub fn branches(&self, workspace: Option<&str>) -> Result<Vec<Branch>, Failure> {
        match self {
            Place::Here(engine) => {
                Ok(engine.hosted(workspace)?.branches()?.into_iter().map(Branch::from).collect())
            }
            Place::There(node) => node.branches(workspace),
        }
    }

    /// Makes a branch and returns the commit that it stands at.
    pub fn create_branch(
        &self,
        workspace: Option<&str>,
        name: &str,
        from: Option<&str>,
    ) -> Result<String, Failure> {
        match self {
            Place::Here(engine) => Ok(engine.hosted(workspace)?.create_branch(name, from)?.to_string()),
            Place::There(node) => node.create_branch(workspace, name, from),
        }
    }

    pub fn delete_branch(&self, workspace: Option<&str>, name: &str) -> Result<(), Failure> {
        match self {
            Place::Here(engine) => Ok(engine.hosted(workspace)?.delete_branch(name)?),
            Place::There(node) => node.delete_branch(workspace, name),
        }
    }

    pub fn switch(&self, workspace: Option<&str>, name: &str) -> Result<(), Failure> {
        match self {
            Place::Here(engine) => Ok(engine.hosted(workspace)?.switch(name)?),
            Place::There(node) => node.switch(workspace, name),
        }
    }

    /// Returns at most `count` commits, newest first.
    pub fn log(
        &self,
        workspace: Option<&str>,
        at: Option<&str>,
        count: usize,
    ) -> Result<Vec<Commit>, Failure> {
        match self {
            Place::Here(engine) => {
                Ok(engine.hosted(workspace)?.log(at, count)?.into_iter().map(Commit::from).collect())
            }
            Place::There(node) => node.log(workspace, at, count),
        }
    }

    /// Makes the data of a ref a run of its own.
    pub fn optimize(&self, workspace: Option<&str>, at: Option<&str>) -> Result<Optimized, Failure> {
        match self {
            Place::Here(engine) => Ok(engine.hosted(workspace)?.optimize(at)?),
            Place::There(node) => node.optimize(workspace, at),
        }
    }

    pub fn collect_garbage(&self, options: CollectOptions) -> Result<Collected, Failure> {
        match self {
            Place::Here(engine) => Ok(engine.collect_garbage(options)?),
            Place::There(node) => node.collect_garbage(options),
        }
    }

    pub fn pins(&self, workspace: Option<&str>) -> Result<Vec<Pin>, Failure> {
        match self {
            Place::Here(engine) => {
                let pins = engine.hosted(workspace)?.pins()?.into_iter();
                Ok(pins.map(|(name, commit)| Pin { name, commit: commit.to_string() }).collect())
            }
            Place::There(node) => node.pins(workspace),
        }
    }

    /// Pins a ref and returns the commit that it names.
    pub fn pin(&self, workspace: Option<&str>, name: &str, at: Option<&str>) -> Result<String, Failure> {
        match self {
            Place::Here(engine) => Ok(engine.hosted(workspace)?.pin(name, at)?.to_string()),
            Place::There(node) => node.pin(workspace, name, at),
        }
    }

    pub fn unpin(&self, workspace: Option<&str>, name: &str) -> Result<(), Failure> {
        match self {
            Place::Here(engine) => Ok(engine.hosted(workspace)?.unpin(name)?),
            Place::There(node) => node.unpin(workspace, name),
        }
    }

    pub fn status(&self) -> Result<Status, Failure> {
        match self {
            Place::Here(engine) => Ok(engine.status()?),
            Place::There(node) => node.status(),
        }
    }
}

impl From<BranchInfo> for Branch {
    fn from(branch: BranchInfo) -> Branch {
        Branch { name: branch.name, commit: branch.commit.to_string(), is_default: branch.is_default }
    }
}

impl From<LogEntry> for Commit {
    fn from(entry: LogEntry) -> Commit {
        Commit {
            id: entry.id.to_string(),
            parents: entry.parents.iter().map(ToString::to_string).collect(),
            author: entry.author.to_string(),
            time_ms: entry.time_ms,
            message: entry.message,
        }
    }
}
