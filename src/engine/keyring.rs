//! The keyring: a node's own keys and those of its workspaces, in one file that only its owner reads.
//!
//! It is not in the block store, since blocks travel and keys must not.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use crate::crypto::{EpochKey, SecretKey, WorkspaceId, random_bytes};

const FILE: &str = "keyring.json";
const VERSION: u32 = 1;

/// What a node keeps secret, and which workspaces it holds.
pub struct Keyring {
    path: PathBuf,
    content: Content,
}

#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    /// The ed25519 seed that signs commits and names the node to its peers, in hex.
    node_seed: String,
    /// In the order in which they were made or joined; the first is the default.
    workspaces: Vec<Entry>,
}

/// One workspace of the keyring.
#[derive(Clone, Serialize, Deserialize)]
pub struct Entry {
    pub name: String,
    id: String,
    epoch_secret: String,
}

impl Keyring {
    /// Reads the keyring of a data folder, or makes one with a fresh node key.
    pub fn open_or_create(folder: &Path) -> io::Result<Keyring> {
        if let Some(keyring) = Keyring::open(folder)? {
            return Ok(keyring);
        }
        let mut seed = random_bytes::<32>();
        let content = Content { version: VERSION, node_seed: HEXLOWER.encode(&seed), workspaces: Vec::new() };
        seed.zeroize();
        let keyring = Keyring { path: folder.join(FILE), content };
        keyring.save()?;
        Ok(keyring)
    }

    /// Reads the keyring of a data folder; `None` if it has none.
    pub fn open(folder: &Path) -> io::Result<Option<Keyring>> {
        let path = folder.join(FILE);
        let mut text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let invalid = |reason: String| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{}: {reason}", path.display()))
        };
        let parsed: Result<Content, _> = serde_json::from_str(&text);
        text.zeroize();
        let content = parsed.map_err(|error| {
            invalid(format!("not a keyring (line {}, column {})", error.line(), error.column()))
        })?;
        if content.version != VERSION {
            return Err(invalid(format!("version {} is not known here", content.version)));
        }
        let keyring = Keyring { path: path.clone(), content };
        let keys = keyring.content.workspaces.iter();
        if keyring.content.node_key().is_none() || keys.clone().any(|entry| entry.epoch_key().is_none()) {
            return Err(invalid("a key is not 64 hexadecimal digits".to_owned()));
        }
        Ok(Some(keyring))
    }

    /// Returns the key that signs this node's commits and names it to peers.
    pub fn node_key(&self) -> SecretKey {
        self.content.node_key().expect("checked when the keyring was read")
    }

    pub fn workspaces(&self) -> &[Entry] {
        &self.content.workspaces
    }

    /// Adds a workspace, or renews the entry of the same id, durably.
    pub fn add(&mut self, name: &str, key: &EpochKey) -> io::Result<()> {
        let entry = Entry {
            name: name.to_owned(),
            id: HEXLOWER.encode(&key.workspace().0),
            epoch_secret: HEXLOWER.encode(key.secret()),
        };
        self.content.workspaces.retain(|other| other.id != entry.id);
        self.content.workspaces.push(entry);
        self.save()
    }

    fn save(&self) -> io::Result<()> {
        let mut text = serde_json::to_string_pretty(&self.content).map_err(io::Error::other)?;
        let written = write_private(&self.path, text.as_bytes());
        text.zeroize();
        written
    }
}

impl Content {
    fn node_key(&self) -> Option<SecretKey> {
        decode_key(&self.node_seed).map(|seed| SecretKey::from_seed(&seed))
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        self.node_seed.zeroize();
    }
}

impl Entry {
    /// Returns the workspace's key, or `None` if the entry holds no proper key.
    pub fn epoch_key(&self) -> Option<EpochKey> {
        Some(EpochKey::from_secret(decode_key(&self.epoch_secret)?, WorkspaceId(decode_key(&self.id)?)))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.epoch_secret.zeroize();
    }
}

fn decode_key(text: &str) -> Option<[u8; 32]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// Replaces a file by one that only its owner may read: whole or not at all, and durable.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_reads_back_and_nobody_else_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut keyring = Keyring::open_or_create(folder.path()).unwrap();
        let key = EpochKey::generate(WorkspaceId(random_bytes()));
        keyring.add("fleet", &key).unwrap();
        let again = Keyring::open(folder.path()).unwrap().unwrap();
        assert_eq!(again.node_key().public(), keyring.node_key().public());
        assert_eq!(again.workspaces()[0].epoch_key().unwrap().secret(), key.secret());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0);
        }
    }

    /// A struct that derives `Debug` around a keyring must not print it by accident: there is none to
    /// print it with. What can be printed of its keys is silent.
    #[test]
    fn no_secret_is_printed() {
        let entry = Entry { name: "fleet".to_owned(), id: "07".repeat(32), epoch_secret: "a5".repeat(32) };
        let content = Content { version: VERSION, node_seed: "a5".repeat(32), workspaces: vec![entry] };
        let keyring = Keyring { path: PathBuf::from("keyring.json"), content };
        let printed = format!("{:?} {:?}", keyring.node_key(), keyring.workspaces()[0].epoch_key());
        assert_eq!(printed, "SecretKey(..) Some(EpochKey(..))");
        assert!(std::mem::needs_drop::<Entry>() && std::mem::needs_drop::<Content>());
    }

    #[test]
    fn a_damaged_keyring_is_refused_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        for text in [
            "",
            "{",
            "{\"version\":9,\"node_seed\":\"\",\"workspaces\":[]}",
            "{\"version\":1,\"node_seed\":\"zz\",\"workspaces\":[]}",
        ] {
            fs::write(folder.path().join(FILE), text).unwrap();
            let message = Keyring::open(folder.path()).err().unwrap().to_string();
            assert!(message.contains("keyring.json"), "{message}");
        }
    }
}
