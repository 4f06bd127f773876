//! The peers of a workspace, as the store remembers them between runs.
//!
//! ```text
//! <workspace>/peer/<peer id>   addresses: each a length byte and a binary multiaddr
//! ```

use crate::blockstore::{Store, StoreError};
use crate::crypto::WorkspaceId;
use crate::network::{Multiaddr, PeerId};

const ADDRESSES_MAX: usize = 16;

/// Returns the remembered peers; entries that cannot be read are left out.
pub(super) fn load(
    store: &dyn Store,
    workspace: WorkspaceId,
) -> Result<Vec<(PeerId, Vec<Multiaddr>)>, StoreError> {
    let prefix = prefix(workspace);
    let refs = store.list_refs(&prefix)?;
    Ok(refs
        .into_iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(&prefix)?.parse().ok()?, decode(&value))))
        .collect())
}

/// Remembers a peer and where it may be reached, in place of what was remembered of it.
pub(super) fn save(
    store: &dyn Store,
    workspace: WorkspaceId,
    peer: PeerId,
    addresses: &[Multiaddr],
) -> Result<(), StoreError> {
    let name = format!("{}{peer}", prefix(workspace));
    let new = encode(addresses);
    loop {
        let old = store.latest_ref(&name)?;
        if old.as_ref() == Some(&new) {
            // Another may have appended it, and not yet made it durable.
            return store.update_refs(&[]);
        }
        match store.compare_and_swap(&name, old.as_deref(), Some(&new)) {
            Err(StoreError::RefChanged { .. }) => {}
            result => return result,
        }
    }
}

fn prefix(workspace: WorkspaceId) -> String {
    format!("{workspace}/peer/")
}

fn encode(addresses: &[Multiaddr]) -> Vec<u8> {
    let mut out = Vec::new();
    for address in addresses.iter().take(ADDRESSES_MAX) {
        if let Ok(length) = u8::try_from(address.len()) {
            out.push(length);
            out.extend_from_slice(address.as_ref());
        }
    }
    out
}

fn decode(mut bytes: &[u8]) -> Vec<Multiaddr> {
    let mut addresses = Vec::new();
    while let Some((length, rest)) = bytes.split_first()
        && let Some((address, rest)) = rest.split_at_checked(usize::from(*length))
    {
        addresses.extend(Multiaddr::try_from(address.to_vec()).ok());
        bytes = rest;
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blockstore::MemoryStore;

    #[test]
    fn peers_are_remembered_per_workspace() {
        let store = MemoryStore::new();
        let (workspace, other) = (WorkspaceId([1; 32]), WorkspaceId([2; 32]));
        let peer = PeerId::random();
        let addresses = ["/ip4/1.2.3.4/tcp/5", "/dns4/reef.example.org/tcp/443"].map(|a| a.parse().unwrap());
        save(&store, workspace, peer, &addresses[..1]).unwrap();
        save(&store, workspace, peer, &addresses).unwrap();
        assert_eq!(load(&store, workspace).unwrap(), [(peer, addresses.to_vec())]);
        assert!(load(&store, other).unwrap().is_empty());
    }

    #[test]
    fn torn_addresses_are_left_out() {
        let whole = encode(&["/ip4/1.2.3.4/tcp/5".parse().unwrap()]);
        for len in 0..whole.len() {
            assert!(decode(&whole[..len]).is_empty());
        }
    }
}
