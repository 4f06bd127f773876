//! A note in the data folder that says where the node that serves it can be reached.
//!
//! The store's lock tells whether somebody serves the folder; this only tells where. A note that a
//! killed node left behind is overwritten by the next and believed by nobody without asking.

use std::fs;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

const FILE: &str = "node.json";
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// Where a serving node listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningNode {
    pub pid: u32,
    pub http: SocketAddr,
    /// `None` if it is off.
    pub bolt: Option<SocketAddr>,
    /// For peers, as HOST:PORT.
    pub p2p: Vec<String>,
    /// What lets in who can read this note, where the node asks for tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// Removes the note when the node ends in peace.
pub struct RunningNote(PathBuf);

impl RunningNode {
    /// Leaves the note in a data folder that this process holds.
    pub fn announce(&self, folder: &Path) -> io::Result<RunningNote> {
        let path = folder.join(FILE);
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        // A note that a killed node left keeps the mode that it had.
        let _ = fs::remove_file(&path);
        let note = serde_json::to_string(self).map_err(io::Error::other)?;
        options.open(&path)?.write_all(note.as_bytes())?;
        Ok(RunningNote(path))
    }

    /// Returns the node that answers at the note's address, if there is one.
    pub fn find(folder: &Path) -> Option<RunningNode> {
        let text = fs::read_to_string(folder.join(FILE)).ok()?;
        let node: RunningNode = serde_json::from_str(&text).ok()?;
        TcpStream::connect_timeout(&node.http, CONNECT_TIMEOUT).ok().map(|_| node)
    }
}

impl Drop for RunningNote {
    fn drop(&mut self) {
        // If it cannot be removed it is a stale note, which nobody believes.
        let _ = fs::remove_file(&self.0);
    }
}
