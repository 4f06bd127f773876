//! The seal of a block: XChaCha20-Poly1305 with a nonce derived from the content.
//!
//! ```text
//! sealed block:  nonce (24 bytes) | ciphertext | tag (16 bytes)
//! plaintext:     data length (u64, little-endian) | data | zero bytes up to the Padme length
//! ```
//!
//! Equal content, kind, workspace and epoch give the same bytes, so equal blocks deduplicate; who
//! lacks the key cannot even test a guess, since the nonce is keyed.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::random_bytes;

const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const LENGTH_BYTES: usize = 8;
const AAD_DOMAIN: &[u8; 16] = b"reefloom block 1";
const ENCRYPTION_CONTEXT: &str = "reefloom 2026-11 block encryption key";
const NONCE_CONTEXT: &str = "reefloom 2026-11 block nonce key";
const EPOCH_CONTEXT: &str = "reefloom 2026-11 epoch id";

/// Names a workspace; random, chosen when it is made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkspaceId(pub [u8; 32]);

impl fmt::Display for WorkspaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for WorkspaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WorkspaceId({self})")
    }
}

/// The key of one epoch of one workspace, with the keys derived from it. Zeroized when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct EpochKey {
    secret: [u8; 32],
    encryption: [u8; 32],
    nonce: [u8; 32],
    #[zeroize(skip)]
    epoch_id: [u8; 32],
    #[zeroize(skip)]
    workspace: [u8; 32],
}

/// Why bytes could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The tag does not match: another key or kind, or changed bytes.
    #[error("the key does not open it")]
    Unopened,
    #[error("too short to be sealed bytes")]
    TooShort,
    /// The tag matches but the content breaks the format: sealed by a faulty or hostile member.
    #[error("the sealed content is malformed: {0}")]
    Malformed(&'static str),
}

impl EpochKey {
    /// Makes a fresh key for a workspace.
    pub fn generate(workspace: WorkspaceId) -> EpochKey {
        EpochKey::from_secret(random_bytes(), workspace)
    }

    pub fn from_secret(secret: [u8; 32], workspace: WorkspaceId) -> EpochKey {
        let mut material = [0; 64];
        material[..32].copy_from_slice(&secret);
        material[32..].copy_from_slice(&workspace.0);
        let key = EpochKey {
            secret,
            encryption: blake3::derive_key(ENCRYPTION_CONTEXT, &material),
            nonce: blake3::derive_key(NONCE_CONTEXT, &material),
            epoch_id: blake3::derive_key(EPOCH_CONTEXT, &material),
            workspace: workspace.0,
        };
        material.zeroize();
        key
    }

    /// Returns the secret itself, for the keyring and for tickets.
    pub fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    pub fn workspace(&self) -> WorkspaceId {
        WorkspaceId(self.workspace)
    }

    /// Returns what commits to this key without telling it.
    pub fn epoch_id(&self) -> &[u8; 32] {
        &self.epoch_id
    }

    /// Seals data as a block of `kind`.
    pub fn seal(&self, kind: u8, data: &[u8]) -> Vec<u8> {
        let mut plaintext = Vec::with_capacity(padded_len(LENGTH_BYTES + data.len()));
        plaintext.extend_from_slice(&(data.len() as u64).to_le_bytes());
        plaintext.extend_from_slice(data);
        plaintext.resize(padded_len(plaintext.len()), 0);
        let aad = self.aad(kind);
        let nonce = self.nonce(&aad, &plaintext);
        let payload = Payload { msg: &plaintext, aad: &aad };
        let ciphertext = XChaCha20Poly1305::new(&self.encryption.into())
            .encrypt(&XNonce::from(nonce), payload)
            .expect("blocks are far below the cipher's limit");
        [&nonce[..], &ciphertext].concat()
    }

    /// Opens what [`EpochKey::seal`] sealed as a block of `kind`.
    pub fn open(&self, kind: u8, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::TooShort)?;
        if ciphertext.len() < TAG_BYTES + LENGTH_BYTES {
            return Err(SealError::TooShort);
        }
        let aad = self.aad(kind);
        let mut plaintext = XChaCha20Poly1305::new(&self.encryption.into())
            .decrypt(&XNonce::from(*nonce), Payload { msg: ciphertext, aad: &aad })
            .map_err(|_| SealError::Unopened)?;
        if self.nonce(&aad, &plaintext) != *nonce {
            return Err(SealError::Malformed("the nonce is not derived from the content"));
        }
        let (length, rest) = plaintext.split_first_chunk::<LENGTH_BYTES>().ok_or(SealError::TooShort)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let padding = rest.get(length..).ok_or(SealError::Malformed("the length is past the end"))?;
        if plaintext.len() != padded_len(LENGTH_BYTES + length) || padding.iter().any(|b| *b != 0) {
            return Err(SealError::Malformed("the padding is wrong"));
        }
        plaintext.truncate(LENGTH_BYTES + length);
        plaintext.drain(..LENGTH_BYTES);
        Ok(plaintext)
    }

    fn aad(&self, kind: u8) -> Vec<u8> {
        [&AAD_DOMAIN[..], &[kind], &self.workspace, &self.epoch_id].concat()
    }

    fn nonce(&self, aad: &[u8], plaintext: &[u8]) -> [u8; NONCE_BYTES] {
        let mut hasher = blake3::Hasher::new_keyed(&self.nonce);
        let mut nonce = [0; NONCE_BYTES];
        hasher.update(aad).update(plaintext).finalize_xof().fill(&mut nonce);
        nonce
    }
}

impl fmt::Debug for EpochKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EpochKey(..)")
    }
}

/// Returns the padded length of `len` bytes: at most 12 % more, and few distinct lengths.
///
/// # Source
/// Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs",
/// PoPETs 2019, algorithm 1 (Padme).
fn padded_len(len: usize) -> usize {
    if len < 2 {
        return len;
    }
    let exponent = len.ilog2();
    let mantissa_bits = exponent.ilog2() + 1;
    let mask = (1usize << (exponent - mantissa_bits.min(exponent))) - 1;
    (len + mask) & !mask
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: u8) -> EpochKey {
        EpochKey::from_secret([secret; 32], WorkspaceId([7; 32]))
    }

    #[test]
    fn what_is_sealed_opens_and_equal_content_seals_equal() {
        for len in [0, 1, 7, 8, 100, 4096, 100_000] {
            let data = vec![0xAB; len];
            let sealed = key(1).seal(5, &data);
            assert_eq!(sealed, key(1).seal(5, &data));
            assert_eq!(key(1).open(5, &sealed), Ok(data));
        }
    }

    #[test]
    fn another_key_kind_or_byte_does_not_open() {
        let sealed = key(1).seal(5, b"port call");
        assert_eq!(key(2).open(5, &sealed), Err(SealError::Unopened));
        assert_eq!(key(1).open(6, &sealed), Err(SealError::Unopened));
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(key(1).open(5, &changed).is_err());
        }
        for len in 0..sealed.len() {
            assert!(key(1).open(5, &sealed[..len]).is_err());
        }
    }

    #[test]
    fn padding_follows_padme() {
        for (len, padded) in [(0, 0), (1, 1), (9, 10), (100, 104), (1000, 1024), (131_073, 135_168)] {
            assert_eq!(padded_len(len), padded, "{len}");
        }
    }
}
