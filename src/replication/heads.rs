//! What nodes tell each other of their branches: the sealed message and its content, drawn in
//! docs/wire_protocol.md.

use crate::block::BlockId;
use crate::crypto::{EpochKey, SealError};
use crate::workspace::{CommitId, Head, Workspace, WorkspaceError};

/// The kind under which heads are sealed; no block has it.
const KIND: u8 = 0x80;
const VERSION: u8 = 1;
pub(super) const HEADS_MAX: usize = 2048;
const BRANCH_BYTES_MAX: usize = 255;

/// Why the heads of a peer cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadsError {
    /// They are sealed under another key: another epoch, perhaps.
    #[error("they are sealed: {0}")]
    Seal(#[from] SealError),
    #[error("they are of version {0}; this program knows version {VERSION}")]
    Version(u8),
    #[error("they are malformed: {0}")]
    Malformed(&'static str),
}

/// Returns the heads of a workspace's branches as they are told: the default branch first, the others by
/// name.
pub(super) fn of(workspace: &Workspace) -> Result<Vec<Head>, WorkspaceError> {
    let default = workspace.default_branch()?;
    let mut heads = workspace.heads()?;
    heads.sort_by(|a, b| (a.branch != default, &a.branch).cmp(&(b.branch != default, &b.branch)));
    Ok(heads)
}

/// Seals heads for members. The first stands for the default branch. Those beyond the limit are not told.
pub(super) fn seal(heads: &[Head], key: &EpochKey) -> Vec<u8> {
    key.seal(KIND, &encode(heads))
}

/// Opens and reads what [`seal`] made.
pub(super) fn open(sealed: &[u8], key: &EpochKey) -> Result<Vec<Head>, HeadsError> {
    decode(&key.open(KIND, sealed.to_vec())?)
}

/// Returns the heads as bytes; as [`seal`], but for the seal.
pub(super) fn encode(heads: &[Head]) -> Vec<u8> {
    let heads = &heads[..heads.len().min(HEADS_MAX)];
    let mut out = vec![VERSION];
    out.extend_from_slice(&(heads.len() as u32).to_le_bytes());
    for head in heads {
        out.extend_from_slice(&(head.branch.len() as u16).to_le_bytes());
        out.extend_from_slice(head.branch.as_bytes());
        out.extend_from_slice(head.commit.0.as_bytes());
        match &head.manifest {
            Some((commit, root)) => {
                out.push(1);
                out.extend_from_slice(commit.0.as_bytes());
                out.extend_from_slice(root.as_bytes());
            }
            None => out.push(0),
        }
    }
    out
}

/// Reads what [`encode`] made.
pub(super) fn decode(content: &[u8]) -> Result<Vec<Head>, HeadsError> {
    let mut reader = Reader(content);
    let [version] = reader.array()?;
    if version != VERSION {
        return Err(HeadsError::Version(version));
    }
    let count = u32::from_le_bytes(reader.array()?) as usize;
    if count > HEADS_MAX {
        return Err(HeadsError::Malformed("too many heads"));
    }
    let heads = (0..count).map(|_| reader.head()).collect::<Result<Vec<Head>, HeadsError>>()?;
    if reader.0.is_empty() { Ok(heads) } else { Err(HeadsError::Malformed("something follows their end")) }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn head(&mut self) -> Result<Head, HeadsError> {
        let length = usize::from(u16::from_le_bytes(self.array()?));
        if length > BRANCH_BYTES_MAX {
            return Err(HeadsError::Malformed("a branch name is too long"));
        }
        let branch = std::str::from_utf8(self.bytes(length)?)
            .map_err(|_| HeadsError::Malformed("a branch name is not UTF-8"))?
            .to_owned();
        let commit = CommitId(self.id()?);
        let manifest = match self.array()? {
            [0] => None,
            [1] => Some((CommitId(self.id()?), self.id()?)),
            _ => return Err(HeadsError::Malformed("a flag is neither 0 nor 1")),
        };
        Ok(Head { branch, commit, manifest })
    }

    fn id(&mut self) -> Result<BlockId, HeadsError> {
        Ok(BlockId::from_bytes(self.array()?))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], HeadsError> {
        self.bytes(N)?.try_into().map_err(|_| HeadsError::Malformed("they end early"))
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], HeadsError> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(HeadsError::Malformed("they end early"))?;
        self.0 = rest;
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::WorkspaceId;

    fn key(secret: u8) -> EpochKey {
        EpochKey::from_secret([secret; 32], WorkspaceId([2; 32]))
    }

    fn heads() -> Vec<Head> {
        let commit = |n: u8| CommitId(BlockId::of(&[n]));
        vec![
            Head {
                branch: "main".to_owned(),
                commit: commit(1),
                manifest: Some((commit(0), BlockId::of(b"run"))),
            },
            Head { branch: "entwürfe/2".to_owned(), commit: commit(2), manifest: None },
        ]
    }

    #[test]
    fn heads_read_back_under_their_key_only() {
        for heads in [heads(), Vec::new()] {
            let sealed = seal(&heads, &key(1));
            assert_eq!(open(&sealed, &key(1)), Ok(heads));
            assert_eq!(open(&sealed, &key(2)), Err(HeadsError::Seal(SealError::Unopened)));
        }
    }

    #[test]
    fn torn_heads_are_refused() {
        let content = key(1).open(KIND, seal(&heads(), &key(1))).unwrap();
        assert!(decode(&content).is_ok());
        for len in 0..content.len() {
            assert!(decode(&content[..len]).is_err(), "{len}");
        }
        assert!(decode(&[&content[..], &[0]].concat()).is_err());
    }

    fn any_head() -> impl Strategy<Value = Head> {
        let id = || any::<[u8; 32]>().prop_map(BlockId::from_bytes);
        let manifest = prop::option::of((id().prop_map(CommitId), id()));
        (".{0,60}", id(), manifest).prop_map(|(branch, commit, manifest)| Head {
            branch,
            commit: CommitId(commit),
            manifest,
        })
    }

    proptest! {
        #[test]
        fn any_heads_read_back(heads in prop::collection::vec(any_head(), 0..8)) {
            prop_assert_eq!(open(&seal(&heads, &key(1)), &key(1)), Ok(heads));
        }

        #[test]
        fn random_content_never_panics(content in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&content);
            let _ = decode(&[&[VERSION, 2, 0, 0, 0][..], &content].concat());
        }
    }
}
