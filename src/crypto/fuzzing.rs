//! What the seal must bear, as functions of bytes: `fuzz/` calls them with whatever it comes up with.

use super::seal::NONCE_BYTES;
use super::{EpochKey, SealError, WorkspaceId};

/// Name and function of each target.
pub const TARGETS: &[(&str, fn(&[u8]))] = &[("seal", seal)];

/// Returns real encodings to begin with, and the name of the target that each is for.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let key = key();
    let sealed = [0, 1, 100, 5000].map(|len| key.seal(KIND, &vec![0xAB; len]));
    let plain = [0usize, 1, 100].map(|len| [&[1][..], &len.to_le_bytes(), &vec![0xAB; len]].concat());
    let marked = sealed.map(|sealed| [&[0][..], &sealed].concat());
    marked.into_iter().chain(plain).map(|bytes| ("seal", bytes)).collect()
}

const KIND: u8 = 5;

/// Opens sealed bytes (first byte even), or a plaintext that a member sealed without care for its
/// form (odd). What opens was sealed in the one way there is.
pub fn seal(bytes: &[u8]) {
    let Some((mode, bytes)) = bytes.split_first() else { return };
    let key = key();
    let sealed = match mode % 2 {
        0 => bytes.to_vec(),
        _ => key.encrypt(KIND, [&[0; NONCE_BYTES], bytes].concat()),
    };
    match key.open(KIND, &sealed) {
        Ok(data) => assert_eq!(key.seal(KIND, &data), sealed, "what opens is what is sealed"),
        Err(error) => assert!(mode % 2 == 0 || error != SealError::Unopened, "its tag is right"),
    }
}

fn key() -> EpochKey {
    EpochKey::from_secret([3; 32], WorkspaceId([9; 32]))
}
