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
use std::ops::{Deref, Range};

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::random_bytes;

pub(super) const NONCE_BYTES: usize = 24;
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
        let derive = |context: &str| {
            let mut hasher = blake3::Hasher::new_derive_key(context);
            let mut hash = hasher.update(&secret).update(&workspace.0).finalize();
            let derived = *hash.as_bytes();
            hasher.zeroize();
            hash.zeroize();
            derived
        };
        EpochKey {
            encryption: derive(ENCRYPTION_CONTEXT),
            nonce: derive(NONCE_CONTEXT),
            epoch_id: derive(EPOCH_CONTEXT),
            workspace: workspace.0,
            secret,
        }
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
        // The plaintext is encrypted where it lies: no copy of it stays behind.
        let padded = padded_len(LENGTH_BYTES + data.len());
        let mut sealed = Vec::with_capacity(NONCE_BYTES + padded + TAG_BYTES);
        sealed.resize(NONCE_BYTES, 0);
        sealed.extend_from_slice(&(data.len() as u64).to_le_bytes());
        sealed.extend_from_slice(data);
        sealed.resize(NONCE_BYTES + padded, 0);
        self.encrypt(kind, sealed)
    }

    /// Encrypts a plaintext, which follows the place of the nonce, whether or not it is well-formed.
    pub(super) fn encrypt(&self, kind: u8, mut sealed: Vec<u8>) -> Vec<u8> {
        let (nonce_place, text) = sealed.split_at_mut(NONCE_BYTES);
        let aad = self.aad(kind);
        let nonce = self.nonce(&aad, text);
        nonce_place.copy_from_slice(&nonce);
        let tag = XChaCha20Poly1305::new(&self.encryption.into())
            .encrypt_inout_detached(&XNonce::from(nonce), &aad, text.into())
            .expect("blocks are far below the cipher's limit");
        sealed.extend_from_slice(&tag);
        sealed
    }

    /// Opens what [`EpochKey::seal`] sealed as a block of `kind`, where it lies.
    pub fn open(&self, kind: u8, mut sealed: Vec<u8>) -> Result<Plaintext, SealError> {
        let opened = self.decrypt(kind, &mut sealed);
        if opened.is_err() {
            // What is refused is wiped.
            sealed.zeroize();
        }
        opened.map(|data| Plaintext { bytes: sealed, data })
    }

    /// Returns where the data stands.
    fn decrypt(&self, kind: u8, sealed: &mut [u8]) -> Result<Range<usize>, SealError> {
        let (nonce, rest) = sealed.split_first_chunk_mut::<NONCE_BYTES>().ok_or(SealError::TooShort)?;
        let (text, tag) = rest.split_last_chunk_mut::<TAG_BYTES>().ok_or(SealError::TooShort)?;
        if text.len() < LENGTH_BYTES {
            return Err(SealError::TooShort);
        }
        let aad = self.aad(kind);
        XChaCha20Poly1305::new(&self.encryption.into())
            .decrypt_inout_detached(&XNonce::from(*nonce), &aad, (&mut *text).into(), &Tag::from(*tag))
            .map_err(|_| SealError::Unopened)?;
        if self.nonce(&aad, text) != *nonce {
            return Err(SealError::Malformed("the nonce is not derived from the content"));
        }
        let (length, rest) = text.split_first_chunk::<LENGTH_BYTES>().ok_or(SealError::TooShort)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let padding = rest.get(length..).ok_or(SealError::Malformed("the length is past the end"))?;
        if text.len() != padded_len(LENGTH_BYTES + length) || padding.iter().any(|b| *b != 0) {
            return Err(SealError::Malformed("the padding is wrong"));
        }
        let start = NONCE_BYTES + LENGTH_BYTES;
        Ok(start..start + length)
    }

    fn aad(&self, kind: u8) -> Vec<u8> {
        [&AAD_DOMAIN[..], &[kind], &self.workspace, &self.epoch_id].concat()
    }

    fn nonce(&self, aad: &[u8], plaintext: &[u8]) -> [u8; NONCE_BYTES] {
        let mut hasher = blake3::Hasher::new_keyed(&self.nonce);
        let mut nonce = [0; NONCE_BYTES];
        let mut output = hasher.update(aad).update(plaintext).finalize_xof();
        output.fill(&mut nonce);
        hasher.zeroize();
        output.zeroize();
        nonce
    }
}

/// What a block holds, within the bytes that it was opened in.
#[derive(Debug)]
pub struct Plaintext {
    bytes: Vec<u8>,
    data: Range<usize>,
}

impl Deref for Plaintext {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(self.data.clone()).unwrap_or_default()
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

    fn opened(secret: u8, kind: u8, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        key(secret).open(kind, sealed.to_vec()).map(|content| content.to_vec())
    }

    #[test]
    fn what_is_sealed_opens_and_equal_content_seals_equal() {
        for len in [0, 1, 7, 8, 100, 4096, 100_000] {
            let data = vec![0xAB; len];
            let sealed = key(1).seal(5, &data);
            assert_eq!(sealed, key(1).seal(5, &data));
            assert_eq!(opened(1, 5, &sealed), Ok(data));
        }
    }

    #[test]
    fn another_key_kind_or_byte_does_not_open() {
        let sealed = key(1).seal(5, b"port call");
        assert_eq!(opened(2, 5, &sealed), Err(SealError::Unopened));
        assert_eq!(opened(1, 6, &sealed), Err(SealError::Unopened));
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(opened(1, 5, &changed).is_err());
        }
        for len in 0..sealed.len() {
            assert!(opened(1, 5, &sealed[..len]).is_err());
        }
    }

    /// draft-irtf-cfrg-xchacha-03, appendix A.3.1.
    #[test]
    fn the_cipher_is_the_published_one() {
        let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
        let mut text = b"Ladies and Gentlemen of the class of '99: If I could offer you \
            only one tip for the future, sunscreen would be it."
            .to_vec();
        let key: [u8; 32] = std::array::from_fn(|index| 0x80 + index as u8);
        let nonce: [u8; 24] = std::array::from_fn(|index| 0x40 + index as u8);
        let cipher = XChaCha20Poly1305::new(&key.into());
        let aad = hex("50515253c0c1c2c3c4c5c6c7");
        let tag = cipher.encrypt_inout_detached(&nonce.into(), &aad, text.as_mut_slice().into()).unwrap();
        let expected = "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb\
            731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452\
            2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9\
            21f9664c97637da9768812f615c68b13b52e";
        assert_eq!(text, hex(expected));
        assert_eq!(tag[..], hex("c0875924c1c7987947deafd8780acf49")[..]);
    }

    /// A member can seal a plaintext of any form; the form is checked once the tag was.
    #[test]
    fn a_malformed_plaintext_is_told_from_a_wrong_key() {
        let encrypted = |plaintext: &[u8]| key(1).encrypt(5, [&[0; NONCE_BYTES], plaintext].concat());
        let plaintext = |len: u64, rest: &[u8]| [&len.to_le_bytes()[..], rest].concat();
        assert_eq!(opened(1, 5, &encrypted(&plaintext(2, b"ab"))), Ok(b"ab".to_vec()));
        for (malformed, reason) in [
            (plaintext(3, b"ab"), "the length is past the end"),
            (plaintext(u64::MAX, b"ab"), "the length is past the end"),
            (plaintext(1, b"ab"), "the padding is wrong"),
            (plaintext(0, &[0; 4]), "the padding is wrong"),
            (plaintext(92, &[b"x".repeat(92), vec![0, 0, 0, 1]].concat()), "the padding is wrong"),
            (plaintext(92, &b"x".repeat(92)), "the padding is wrong"),
        ] {
            let found = opened(1, 5, &encrypted(&malformed));
            assert_eq!(found, Err(SealError::Malformed(reason)), "{malformed:?}");
        }
        assert_eq!(opened(1, 5, &encrypted(b"short")), Err(SealError::TooShort));
    }

    /// Who reuses a nonce for another content may not pass it off as sealed.
    #[test]
    fn a_nonce_of_another_content_is_refused() {
        let plaintext = 1u64.to_le_bytes().into_iter().chain([7]).collect::<Vec<u8>>();
        let nonce = [9; NONCE_BYTES];
        let mut text = plaintext.clone();
        let aad = key(1).aad(5);
        let tag = XChaCha20Poly1305::new(&key(1).encryption.into())
            .encrypt_inout_detached(&XNonce::from(nonce), &aad, text.as_mut_slice().into())
            .unwrap();
        let sealed = [&nonce[..], &text, &tag].concat();
        let refused = SealError::Malformed("the nonce is not derived from the content");
        assert_eq!(opened(1, 5, &sealed), Err(refused));
    }

    #[test]
    fn keys_are_wiped_and_never_printed() {
        assert!(std::mem::needs_drop::<EpochKey>());
        let mut key = key(0xA5);
        assert_eq!(format!("{key:?} {:#?}", &key), "EpochKey(..) EpochKey(..)");
        key.zeroize();
        assert_eq!([key.secret, key.encryption, key.nonce], [[0; 32]; 3]);
    }

    #[test]
    fn the_derived_keys_differ_and_depend_on_the_workspace() {
        let (key, other) = (key(1), EpochKey::from_secret([1; 32], WorkspaceId([8; 32])));
        let all = [
            key.secret,
            key.encryption,
            key.nonce,
            key.epoch_id,
            other.encryption,
            other.nonce,
            other.epoch_id,
        ];
        let distinct: std::collections::HashSet<[u8; 32]> = all.into_iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn padding_follows_padme() {
        for (len, padded) in [(0, 0), (1, 1), (9, 10), (100, 104), (1000, 1024), (131_073, 135_168)] {
            assert_eq!(padded_len(len), padded, "{len}");
        }
    }
}
