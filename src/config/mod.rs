//! Configuration: flags over environment over file over defaults, the only reader of all three.

mod memory;

use std::fs;
use std::path::{Path, PathBuf};

pub use memory::MemoryShares;

use crate::cli::{Failure, Global};

const DEFAULT_DATA: &str = "./reefloom-data";

/// What all verbs are told.
#[derive(Clone, Debug)]
pub struct Config {
    pub data: PathBuf,
    /// Nobody named a data folder.
    pub data_is_default: bool,
    /// The workspace's name, if one was given.
    pub workspace: Option<String>,
    /// The branch or commit, if one was given.
    pub at: Option<String>,
    pub json: bool,
    /// 0 warnings, 1 info, 2 debug.
    pub verbose: u8,
    /// Where `serve` listens, unless its flags say otherwise.
    pub http: String,
    pub p2p: String,
    /// `None` if nobody said where: then where its clients look, if that is free.
    pub bolt: Option<String>,
    pub memory: MemoryShares,
}

impl Config {
    /// Merges the flags (which clap has merged with the environment) with `./reefloom.toml`.
    pub fn read(flags: Global) -> Result<Config, Failure> {
        let file = ConfigFile::read(Path::new("reefloom.toml"))?;
        let workspace = flags.workspace.or(file.workspace);
        let (workspace, at) = match workspace.as_deref().map(|name| name.split_once('@')) {
            Some(Some((name, at))) => {
                (Some(name.to_owned()).filter(|name| !name.is_empty()), Some(at.to_owned()))
            }
            _ => (workspace, None),
        };
        let data = flags.data.or(file.data);
        let memory = flags.memory.or(file.memory).map(|size| memory::parse_size(&size)).transpose();
        let memory = memory.map_err(|error| Failure::usage(format!("--memory: {error}")))?;
        Ok(Config {
            data_is_default: data.is_none(),
            data: data.unwrap_or_else(|| PathBuf::from(DEFAULT_DATA)),
            workspace,
            at,
            json: flags.json,
            verbose: flags.verbose,
            http: file.http.unwrap_or_else(|| "127.0.0.1:4242".to_owned()),
            p2p: file.p2p.unwrap_or_else(|| "127.0.0.1:4243".to_owned()),
            bolt: file.bolt,
            memory: MemoryShares::of(memory),
        })
    }
}

/// `reefloom.toml`; unknown keys are refused, so that a misspelt one is noticed.
#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    data: Option<PathBuf>,
    workspace: Option<String>,
    http: Option<String>,
    p2p: Option<String>,
    bolt: Option<String>,
    memory: Option<String>,
}

impl ConfigFile {
    fn read(path: &Path) -> Result<ConfigFile, Failure> {
        match fs::read_to_string(path) {
            Ok(text) => {
                toml::from_str(&text).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(ConfigFile::default()),
            Err(error) => Err(Failure::usage(format!("cannot read {}: {error}", path.display()))),
        }
    }
}
