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
    match key.open(KIND, sealed.clone()) {
        Ok(content) => assert_eq!(key.seal(KIND, &content), sealed, "what opens is what is sealed"),
        Err(error) => assert!(mode % 2 == 0 || error != SealError::Unopened, "its tag is right"),
    }
}

fn key() -> EpochKey {
    EpochKey::from_secret([3; 32], WorkspaceId([9; 32]))
}

/// Hands each target what its name's seeds are, and every single-bit change of them: none may do harm.
/// For the tests of all rooms that have targets.
#[cfg(test)]
pub fn change_every_bit(targets: &[(&str, fn(&[u8]))], seeds: Vec<(&'static str, Vec<u8>)>) {
    for (name, seed) in seeds {
        let (_, target) = targets.iter().find(|(other, _)| *other == name).expect("a seed is of a target");
        target(&seed);
        change_bits(&seed, 1, target);
    }
}

/// Hands `target` the seed with one bit changed, for each `step`th bit.
#[cfg(test)]
pub fn change_bits(seed: &[u8], step: usize, target: impl Fn(&[u8])) {
    for bit in (0..seed.len() * 8).step_by(step) {
        let mut changed = seed.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        target(&changed);
    }
}
