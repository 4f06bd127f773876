//! Hashes, seals and signatures, and the keys they need. Knows neither blocks nor workspaces; does
//! no I/O but asking the operating system for randomness.

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod seal;
mod signature;
#[cfg(test)]
mod vectors;

pub use seal::{EpochKey, Plaintext, SealError, WorkspaceId};
pub use signature::{PublicKey, SecretKey, Signature, SignatureError};

/// Fills an array from the operating system's randomness.
///
/// # Panics
/// If the operating system has none: nothing that needs a key can go on then.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system hands out randomness");
    bytes
}
