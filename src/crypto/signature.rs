//! Ed25519 signatures (RFC 8032), verified strictly.

use std::fmt;

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use zeroize::Zeroize;

use super::random_bytes;

/// A node's signing key. Zeroized when dropped; never printed.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

/// Who signs: the public half of a [`SecretKey`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

/// The signature is not of this key over these bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not match")]
pub struct SignatureError;

impl SecretKey {
    pub fn generate() -> SecretKey {
        let mut seed = random_bytes::<32>();
        let key = SecretKey::from_seed(&seed);
        seed.zeroize();
        key
    }

    pub fn from_seed(seed: &[u8; 32]) -> SecretKey {
        SecretKey(SigningKey::from_bytes(seed))
    }

    /// Returns the seed, for the keyring.
    pub fn seed(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }
}

impl PublicKey {
    /// Checks a signature strictly: no small-order keys, no malleable forms.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        let key = VerifyingKey::from_bytes(&self.0).map_err(|_| SignatureError)?;
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        key.verify_strict(message, &signature).map_err(|_| SignatureError)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_key_and_message_only() {
        let key = SecretKey::generate();
        let signature = key.sign(b"commit");
        assert_eq!(key.public().verify(b"commit", &signature), Ok(()));
        assert_eq!(key.public().verify(b"commot", &signature), Err(SignatureError));
        assert_eq!(SecretKey::generate().public().verify(b"commit", &signature), Err(SignatureError));
    }

    #[test]
    fn secret_keys_are_wiped_and_never_printed() {
        fn is_wiped<T: zeroize::ZeroizeOnDrop>(_: &T) {}
        let key = SecretKey::from_seed(&[0xA5; 32]);
        is_wiped(&key.0);
        assert_eq!(format!("{key:?} {key:#?}"), "SecretKey(..) SecretKey(..)");
    }
}
