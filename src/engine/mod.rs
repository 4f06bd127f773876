//! The engine: from a request to an answer, over the workspaces of one data folder.
//!
//! It brings the wings together: refs become snapshots, texts become plans, plans become rows. It
//! knows no protocol and reads no clock; `server` and `cli` hand it requests and write its answers.

mod answer;
mod carrier;
mod commit_line;
mod csv;
mod csv_folder;
mod error;
mod explanation;
mod hosted;
mod keyring;
mod lines;
mod load;
mod plain_line;
mod plan_cache;
mod rdf_document;
mod request;
mod running;
mod sharing;
mod show;
mod status;
mod transaction;
mod turns;
mod upkeep;
mod write;
mod xml_literal;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use answer::{AnswerFormat, WriteError, check_whole};
pub use carrier::{ExportOptions, ImportOptions, Imported};
pub use csv::{CsvSyntax, TableOptions, TableRows};
pub use csv_folder::CsvFolder;
pub use error::EngineError;
pub use explanation::{BlocksRead, Explanation};
pub use hosted::Hosted;
pub use keyring::Keyring;
pub use load::{Fault, LoadError, LoadInput, LoadOptions, Loaded, Skipped};
pub use rdf_document::{parse_bytes, quads_of};
pub use request::{Answer, Explain, GraphRef, Language, Request, RequestLimits, Response};
pub use running::RunningNode;
pub use sharing::{SharedTicket, SyncReport, share};
pub use show::USUAL_DATABASE;
pub use status::{BranchInfo, BranchStatus, LogEntry, Status, WorkspaceStatus};
pub use transaction::OpenTransaction;
pub use upkeep::{CollectOptions, Collected, Optimized, Upkeep};

pub use crate::replication::Consignment;
pub use crate::workspace::{CommitId, Settings as WorkspaceSettings};

use crate::block::BlockSource;
use crate::blockstore::{LocalStore, MemoryStore, Store};
use crate::crypto::{EpochKey, SecretKey, WorkspaceId, random_bytes};
use crate::network::Node;
use crate::replication::Replica;
use crate::workspace::{Access, MemoryLimits, Workspace, WorkspaceError};

/// The store's folder within a data folder.
const STORE_FOLDER: &str = "store";
/// How long a query waits for blocks from peers before it says that they are out of reach.
const FETCH_TIMEOUT: Duration = Duration::from_secs(30);

/// Where an engine keeps its data and how much memory its cache may take.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    pub folder: PathBuf,
    /// For each workspace.
    pub memory: MemoryLimits,
    pub peering: Peering,
}

/// What a node has to do with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peering {
    /// Nothing: what is not here is out of reach.
    Offline,
    /// It asks peers for what it lacks.
    Dial,
    /// It also answers them, at this address; port 0 picks one.
    Listen(SocketAddr),
}

impl EngineOptions {
    pub fn new(folder: &Path) -> EngineOptions {
        EngineOptions { folder: folder.to_owned(), memory: MemoryLimits::default(), peering: Peering::Dial }
    }
}

/// All that one node holds. Shared between threads; each request runs on its caller's thread.
pub struct Engine {
    store: Arc<dyn Store>,
    /// `None` if everything is in memory and ends with the process.
    keyring: Option<Mutex<Keyring>>,
    author: SecretKey,
    hosted: Arc<show::Siblings>,
    /// `None` if the node is offline.
    node: Option<Arc<Node>>,
    memory: MemoryLimits,
}

/// Has the allocator keep some megabytes of what is freed. By itself glibc's gives memory back as soon as 128 KiB lie at
/// the end of a heap, and a scan frees as much with every batch, to ask for it again: each page of it is then faulted in
/// anew. It raises that threshold to twice the size of a mapping that is freed (`mallopt(3)`, `M_MMAP_THRESHOLD`).
fn keep_freed_memory() {
    const MAPPED_BYTES: usize = 1 << 20;
    drop(std::hint::black_box(Vec::<u8>::with_capacity(MAPPED_BYTES)));
}

impl Engine {
    /// Opens a data folder, or makes one, and takes it for this process.
    ///
    /// # Errors
    /// [`EngineError::InUse`] if another process has it; [`EngineError::Storage`] if it is read-only,
    /// full or damaged.
    pub fn open(options: EngineOptions) -> Result<Engine, EngineError> {
        keep_freed_memory();
        let folder = &options.folder;
        let failed = |error: std::io::Error| EngineError::Storage(format!("{}: {error}", folder.display()));
        fs::create_dir_all(folder).map_err(failed)?;
        let store: Arc<dyn Store> = Arc::new(LocalStore::open(&folder.join(STORE_FOLDER))?);
        let keyring = Keyring::open_or_create(folder).map_err(failed)?;
        let author = keyring.node_key();
        let listen = match options.peering {
            Peering::Listen(address) => Some(address),
            Peering::Dial | Peering::Offline => None,
        };
        let node = match options.peering {
            Peering::Offline => None,
            _ => Some(Arc::new(Node::start(sharing::node_options(&author, listen))?)),
        };
        let engine =
            Engine { node, store, author, hosted: Arc::default(), memory: options.memory, keyring: None };
        for entry in keyring.workspaces() {
            let key = entry.epoch_key().expect("checked when the keyring was read");
            let replica = engine.replica(&key)?;
            match Workspace::open(engine.access(key, replica.as_ref())) {
                Ok(workspace) => drop(engine.host(&entry.name, workspace, replica)),
                // Its key was kept and then nothing more: a crash while it was made or joined.
                Err(WorkspaceError::UnknownWorkspace(_)) => {
                    tracing::warn!("workspace {} was never made", entry.name)
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Engine { keyring: Some(Mutex::new(keyring)), ..engine })
    }

    /// Makes one in memory, with an empty workspace.
    #[cfg(test)]
    fn with_workspace() -> Engine {
        let engine = Engine::in_memory();
        engine.create_workspace("w", WorkspaceSettings::default(), 0).expect("the name is free");
        engine
    }

    /// Makes an engine whose data ends with it.
    pub fn in_memory() -> Engine {
        let author = SecretKey::generate();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        Engine {
            node: None,
            store,
            keyring: None,
            author,
            hosted: Arc::default(),
            memory: MemoryLimits::default(),
        }
    }

    /// Makes a workspace with a fresh key.
    pub fn create_workspace(
        &self,
        name: &str,
        settings: WorkspaceSettings,
        now_ms: i64,
    ) -> Result<Arc<Hosted>, EngineError> {
        self.check_name(name)?;
        let key = EpochKey::generate(WorkspaceId(random_bytes()));
        let settings = WorkspaceSettings { name: name.to_owned(), ..settings };
        // The key first: a workspace whose key is lost is lost; a key without a workspace is garbage.
        self.remember(name, &key)?;
        let replica = self.replica(&key)?;
        let workspace = Workspace::create(self.access(key, replica.as_ref()), settings, now_ms)?;
        Ok(self.host(name, workspace, replica))
    }

    /// Returns the workspaces in the order in which they were made or joined.
    pub fn workspaces(&self) -> Vec<Arc<Hosted>> {
        self.hosted.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns a workspace by name, or the default one: the first.
    pub fn hosted(&self, name: Option<&str>) -> Result<Arc<Hosted>, EngineError> {
        let hosted = self.workspaces();
        let found = match name {
            Some(name) => hosted.into_iter().find(|hosted| hosted.name() == name),
            None => hosted.into_iter().next(),
        };
        found.ok_or_else(|| EngineError::NotFound {
            kind: "workspace",
            name: name.unwrap_or("(default)").to_owned(),
        })
    }

    /// Answers a request. Blocks; call it on a thread that may wait for blocks.
    pub fn run(&self, request: &Request) -> Result<Response, EngineError> {
        self.hosted(request.workspace.as_deref())?.run(request)
    }

    fn host(&self, name: &str, workspace: Workspace, replica: Option<Replica>) -> Arc<Hosted> {
        if let Some(replica) = &replica {
            replica.attach(workspace.clone());
        }
        let hosted = Arc::new(Hosted::new(name.to_owned(), workspace, replica, Arc::downgrade(&self.hosted)));
        self.hosted.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&hosted));
        hosted
    }

    /// Returns the workspace's part in the network; `None` if the node is offline.
    fn replica(&self, key: &EpochKey) -> Result<Option<Replica>, EngineError> {
        let Some(node) = &self.node else { return Ok(None) };
        Ok(Some(Replica::new(Arc::clone(node), Arc::clone(&self.store), key.clone(), FETCH_TIMEOUT)?))
    }

    /// Returns what a workspace stands on: the store, and its peers behind it.
    fn access(&self, key: EpochKey, replica: Option<&Replica>) -> Access {
        let source: Arc<dyn BlockSource> = match replica {
            Some(replica) => replica.source(),
            None => self.store.clone(),
        };
        Access {
            store: Arc::clone(&self.store),
            source,
            key,
            author: self.author.clone(),
            memory: self.memory,
        }
    }

    fn check_name(&self, name: &str) -> Result<(), EngineError> {
        let is_plain = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > 64 || !name.chars().all(is_plain) {
            return Err(EngineError::Invalid(format!(
                "'{name}' cannot name a workspace: 1 to 64 letters, digits, - and _"
            )));
        }
        match self.hosted(Some(name)) {
            Ok(_) => Err(EngineError::AlreadyExists { kind: "workspace", name: name.to_owned() }),
            Err(_) => Ok(()),
        }
    }

    fn remember(&self, name: &str, key: &EpochKey) -> Result<(), EngineError> {
        let Some(mut keyring) = self.keyring() else { return Ok(()) };
        keyring.add(name, key).map_err(|error| EngineError::Storage(format!("keyring: {error}")))
    }

    fn keyring(&self) -> Option<MutexGuard<'_, Keyring>> {
        self.keyring.as_ref().map(|keyring| keyring.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
