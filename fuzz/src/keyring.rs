//! A keyring file of arbitrary bytes.

use std::fs;

use reefloom::crypto::{EpochKey, WorkspaceId};
use reefloom::engine::Keyring;

/// Bytes: the file. What opens can be added to, and opens again.
pub fn run(bytes: &[u8]) {
    crate::in_folder(|folder| {
        fs::write(folder.join("keyring.json"), bytes).expect("there is room for a file");
        let Ok(keyring) = Keyring::open(folder) else { return };
        let mut keyring = keyring.expect("the file is there");
        let added = EpochKey::from_secret([1; 32], WorkspaceId([2; 32]));
        keyring.add("added", &added).expect("there is room for a file");
        let again = Keyring::open(folder).expect("it was written just now").expect("the file is there");
        assert_eq!(again.node_key().public(), keyring.node_key().public());
        let secrets = |keyring: &Keyring| {
            let keys = keyring.workspaces().iter().map(|entry| entry.epoch_key());
            keys.map(|key| key.map(|key| *key.secret())).collect::<Vec<_>>()
        };
        assert_eq!(secrets(&again), secrets(&keyring));
        assert!(secrets(&again).iter().all(Option::is_some), "every key of an open keyring is one");
    });
}

pub fn seeds() -> Vec<Vec<u8>> {
    let key = "0123456789abcdef".repeat(4);
    let entry = format!(r#"{{"name":"fleet","id":"{key}","epoch_secret":"{key}"}}"#);
    [String::new(), entry]
        .map(|entry| format!(r#"{{"version":1,"node_seed":"{key}","workspaces":[{entry}]}}"#).into_bytes())
        .to_vec()
}
