//! `Commit`: one step of history. It names what changed and who says so, never where things lie.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::Settings;
use super::change_set::ChangeSet;
use super::encoding::{DecodeError, Decoder, Encoder};
use crate::block::{BlockError, BlockId, BlockKind, ParseIdError, PlainBlock, SealedBlock};
use crate::crypto::{EpochKey, PublicKey, SecretKey, Signature, SignatureError, WorkspaceId};

const MAGIC: &[u8; 4] = b"RFCO";
const VERSION: u8 = 3;
const SIGNATURE_DOMAIN: &[u8] = b"reefloom commit 1";
const PARENTS_MAX: usize = 64;
/// A longer message is refused, so that a commit stays one small block.
pub const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// Names a commit: the id of its sealed block.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(pub BlockId);

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "commit:{}", self.0)
    }
}

impl FromStr for CommitId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<CommitId, ParseIdError> {
        text.strip_prefix("commit:").unwrap_or(text).parse().map(CommitId)
    }
}

/// One step of history, as `docs/block_format.md` draws it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Sorted and distinct; none in the genesis commit.
    pub parents: Vec<CommitId>,
    /// What changed against the first parent.
    pub changes: CommitChanges,
    pub author: PublicKey,
    /// Milliseconds since 1970-01-01T00:00:00Z, by the author's clock.
    pub time_ms: i64,
    pub message: String,
    pub origin: Origin,
}

/// Where the change set of a commit stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitChanges {
    /// Nothing changed.
    Nothing,
    /// A small one, in the commit itself: so a small commit is one block.
    Here(Arc<ChangeSet>),
    Block(BlockId),
}

/// Where a history begins: each commit either begins one or names the commit that did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This is the genesis commit; the settings hold for all that follows.
    Genesis(Settings),
    Of(CommitId),
}

/// A commit with its author's signature: what a commit block holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCommit {
    pub id: CommitId,
    pub commit: Commit,
    signature: Signature,
}

impl Commit {
    /// Returns the bytes that are signed and stored; equal commits have equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        debug_assert!(self.parents.is_sorted() && self.parents.len() <= PARENTS_MAX);
        let mut encoder = Encoder::new(MAGIC, VERSION);
        match &self.origin {
            Origin::Genesis(settings) => {
                encoder.u8(1);
                settings.encode(&mut encoder);
            }
            Origin::Of(genesis) => {
                encoder.u8(0).id(&genesis.0);
            }
        }
        encoder.len(self.parents.len());
        for parent in &self.parents {
            encoder.id(&parent.0);
        }
        match &self.changes {
            CommitChanges::Nothing => encoder.u8(0),
            CommitChanges::Here(change_set) => encoder.u8(1).bytes(&change_set.to_bytes()),
            CommitChanges::Block(id) => encoder.u8(2).id(id),
        };
        encoder.raw(&self.author.0).i64(self.time_ms).bytes(self.message.as_bytes());
        encoder.finish()
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Commit, DecodeError> {
        let origin = match decoder.u8()? {
            0 => Origin::Of(CommitId(decoder.id()?)),
            1 => Origin::Genesis(Settings::decode(decoder)?),
            _ => return Err(DecodeError("a commit is either genesis or not")),
        };
        let parents: Vec<CommitId> = decoder.ids()?.into_iter().map(CommitId).collect();
        if !parents.is_sorted_by(|a, b| a < b) || parents.len() > PARENTS_MAX {
            return Err(DecodeError("the parents are not sorted and distinct, or too many"));
        }
        if parents.is_empty() != matches!(origin, Origin::Genesis(_)) {
            return Err(DecodeError("only a genesis commit has no parents"));
        }
        let changes = match decoder.u8()? {
            0 => CommitChanges::Nothing,
            1 => CommitChanges::Here(Arc::new(ChangeSet::of_bytes(decoder.bytes()?)?)),
            2 => CommitChanges::Block(decoder.id()?),
            _ => return Err(DecodeError("the changes of a commit are neither here nor elsewhere")),
        };
        let author = PublicKey(decoder.array32()?);
        let (time_ms, message) = (decoder.i64()?, decoder.text()?);
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(DecodeError("the message is too long"));
        }
        Ok(Commit { parents, changes, author, time_ms, message, origin })
    }

    /// Signs and seals the commit.
    ///
    /// # Panics
    /// If `author` is not the key that the commit names.
    pub fn seal(&self, author: &SecretKey, key: &EpochKey) -> (CommitId, SealedBlock) {
        assert_eq!(author.public(), self.author, "a commit is signed by its author");
        let bytes = self.to_bytes();
        let signature = author.sign(&signed_bytes(&bytes, key.workspace()));
        let block = SealedBlock::seal(BlockKind::Commit, &[&bytes[..], &signature.0].concat(), key);
        (CommitId(block.id()), block)
    }
}

impl SignedCommit {
    /// Reads the content of a commit block. The signature is not checked; [`SignedCommit::verify`] does.
    ///
    /// # Errors
    /// [`BlockError::Corrupt`] if the bytes are no commit.
    pub fn decode(block: &PlainBlock) -> Result<SignedCommit, BlockError> {
        decode_signed(CommitId(block.id()), block.data()).map_err(|error| block.corrupt(error.to_string()))
    }

    /// Checks that the author signed this commit for this workspace.
    pub fn verify(&self, workspace: WorkspaceId) -> Result<(), SignatureError> {
        let bytes = signed_bytes(&self.commit.to_bytes(), workspace);
        self.commit.author.verify(&bytes, &self.signature)
    }

    /// Returns the commit that began this history: itself, if it did.
    pub fn genesis(&self) -> CommitId {
        match &self.commit.origin {
            Origin::Genesis(_) => self.id,
            Origin::Of(genesis) => *genesis,
        }
    }
}

fn decode_signed(id: CommitId, bytes: &[u8]) -> Result<SignedCommit, DecodeError> {
    let mut decoder = Decoder::new(bytes, MAGIC, VERSION)?;
    let commit = Commit::decode(&mut decoder)?;
    let signature = Signature(decoder.array64()?);
    decoder.finish()?;
    Ok(SignedCommit { id, commit, signature })
}

fn signed_bytes(commit: &[u8], workspace: WorkspaceId) -> Vec<u8> {
    [SIGNATURE_DOMAIN, &workspace.0, commit].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Permutation, Vocabulary};
    use proptest::prelude::*;

    fn key() -> EpochKey {
        EpochKey::from_secret([1; 32], WorkspaceId([2; 32]))
    }

    fn commits(author: &SecretKey) -> Vec<Commit> {
        let genesis = Commit {
            parents: Vec::new(),
            changes: CommitChanges::Nothing,
            author: author.public(),
            time_ms: -5,
            message: "begin ⚓".to_owned(),
            origin: Origin::Genesis(Settings { name: "fleet".to_owned(), ..Settings::default() }),
        };
        let mut parents = [b"a", b"b"].map(|text| CommitId(BlockId::of(text))).to_vec();
        parents.sort();
        let changes = CommitChanges::Block(BlockId::of(b"changes"));
        let origin = Origin::Of(CommitId(BlockId::of(b"genesis")));
        let merge = Commit { parents, changes, origin, ..genesis.clone() };
        let small = CommitChanges::Here(Arc::new(ChangeSet::default()));
        vec![genesis, Commit { changes: small, ..merge.clone() }, merge]
    }

    #[test]
    fn commits_read_back_and_their_signature_holds() {
        let author = SecretKey::from_seed(&[3; 32]);
        for commit in commits(&author) {
            let (id, block) = commit.seal(&author, &key());
            assert_eq!(commit.seal(&author, &key()).0, id);
            let signed = SignedCommit::decode(&block.open(BlockKind::Commit, &key()).unwrap()).unwrap();
            assert_eq!((signed.id, &signed.commit), (id, &commit));
            assert_eq!(signed.verify(key().workspace()), Ok(()));
            assert_eq!(signed.verify(WorkspaceId([9; 32])), Err(SignatureError));
            let altered = SignedCommit { commit: Commit { time_ms: 7, ..commit }, ..signed };
            assert_eq!(altered.verify(key().workspace()), Err(SignatureError));
        }
    }

    fn any_commit() -> impl Strategy<Value = Commit> {
        let id = || any::<[u8; 32]>().prop_map(BlockId::from_bytes);
        let texts = || (".{0,9}", ".{0,9}");
        let orders = prop::sample::subsequence(&Permutation::OPTIONAL, 0..=2);
        let settings = (".{0,9}", any::<bool>(), orders, ".{0,9}", prop::collection::vec(texts(), 0..4));
        let origin = prop_oneof![
            id().prop_map(|id| Origin::Of(CommitId(id))),
            settings.prop_map(|(name, union_default_graph, orders, base, prefixes)| {
                let vocabulary = Vocabulary { base, prefixes };
                let permutations = orders.into_iter().collect();
                Origin::Genesis(Settings { name, vocabulary, union_default_graph, permutations })
            }),
        ];
        let parents = prop::collection::btree_set(id(), 1..5);
        let changes = prop_oneof![
            Just(CommitChanges::Nothing),
            Just(CommitChanges::Here(Arc::new(ChangeSet::default()))),
            id().prop_map(CommitChanges::Block),
        ];
        (origin, parents, changes, any::<i64>(), ".{0,40}").prop_map(
            |(origin, parents, changes, time_ms, message)| {
                let is_genesis = matches!(origin, Origin::Genesis(_));
                let parents = parents.into_iter().filter(|_| !is_genesis).map(CommitId).collect();
                let author = SecretKey::from_seed(&[3; 32]).public();
                Commit { parents, changes, author, time_ms, message, origin }
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_commit_reads_back(commit in any_commit()) {
            let (id, block) = commit.seal(&SecretKey::from_seed(&[3; 32]), &key());
            let signed = SignedCommit::decode(&block.open(BlockKind::Commit, &key()).unwrap()).unwrap();
            prop_assert_eq!(signed.verify(key().workspace()), Ok(()));
            prop_assert_eq!((signed.id, signed.commit), (id, commit));
        }
    }

    #[test]
    fn torn_and_padded_bytes_are_no_commit() {
        let author = SecretKey::from_seed(&[3; 32]);
        for commit in commits(&author) {
            let bytes = [commit.to_bytes(), vec![0; 64]].concat();
            let id = CommitId(BlockId::of(b"any"));
            assert!(decode_signed(id, &bytes).is_ok());
            for len in 0..bytes.len() {
                assert!(decode_signed(id, &bytes[..len]).is_err(), "{len}");
            }
            assert!(decode_signed(id, &[&bytes[..], &[0]].concat()).is_err());
        }
    }
}
