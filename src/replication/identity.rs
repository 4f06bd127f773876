//! What a workspace is called on the wire, and how its members know each other there.

use zeroize::Zeroize;

use crate::crypto::EpochKey;
use crate::network::{NetworkKey, WorkspaceTag};

const TAG_CONTEXT: &str = "reefloom 2026-11 workspace tag";
const KEY_CONTEXT: &str = "reefloom 2026-11 network key";

/// Derives both from the epoch key: neither tells the other, nor anything that opens a block.
pub(super) fn derive(key: &EpochKey) -> (WorkspaceTag, NetworkKey) {
    let mut material = [0; 64];
    material[..32].copy_from_slice(key.secret());
    material[32..].copy_from_slice(&key.workspace().0);
    let tag = WorkspaceTag(blake3::derive_key(TAG_CONTEXT, &material));
    let network_key = NetworkKey::from_bytes(blake3::derive_key(KEY_CONTEXT, &material));
    material.zeroize();
    (tag, network_key)
}
