//! The three steps of trust in a block, and the one way through them.

use std::sync::Arc;

use super::{BlockError, BlockId};
use crate::crypto::{EpochKey, Plaintext, SealError};

/// No sealed block is larger; what claims to be is refused before anything is allocated.
pub const BLOCK_BYTES_MAX: usize = 2 << 20;

/// What a block holds. Bound into the seal, so that one kind cannot be passed off as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum BlockKind {
    Commit = 1,
    ChangeSet = 2,
    Manifest = 3,
    ManifestPage = 4,
    Dictionary = 5,
    Permutation = 6,
    Edges = 7,
    /// The first block of a carrier file: what the file brings.
    Carrier = 8,
}

/// Bytes that somebody says have this id.
#[derive(Clone, Debug)]
pub struct UntrustedBlock {
    pub claimed_id: BlockId,
    pub bytes: Vec<u8>,
}

/// Sealed bytes that hash to their id. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedBlock {
    id: BlockId,
    bytes: Arc<Vec<u8>>,
}

/// The opened content of a block. Never written to disk.
#[derive(Debug)]
pub struct PlainBlock {
    id: BlockId,
    kind: BlockKind,
    content: Plaintext,
}

impl UntrustedBlock {
    /// Checks the bytes against the claimed id.
    ///
    /// # Errors
    /// [`BlockError::Misbehaved`] if they do not match, [`BlockError::TooLarge`].
    pub fn verify(self) -> Result<SealedBlock, BlockError> {
        if self.bytes.len() > BLOCK_BYTES_MAX {
            return Err(BlockError::TooLarge(self.bytes.len() as u64));
        }
        let actual = BlockId::of(&self.bytes);
        if actual != self.claimed_id {
            return Err(BlockError::Misbehaved { id: self.claimed_id, actual });
        }
        Ok(SealedBlock { id: actual, bytes: self.bytes.into() })
    }
}

impl SealedBlock {
    /// Seals plaintext under an epoch key. Equal content, kind and key give equal bytes.
    pub fn seal(kind: BlockKind, data: &[u8], key: &EpochKey) -> SealedBlock {
        let bytes = key.seal(kind as u8, data);
        SealedBlock { id: BlockId::of(&bytes), bytes: bytes.into() }
    }

    /// Passes the block off as another, so that tests reach what lies behind the hash.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn labelled(mut self, id: BlockId) -> SealedBlock {
        self.id = id;
        self
    }

    pub fn id(&self) -> BlockId {
        self.id
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Opens the block, which its parent says is of `kind` and sealed under `key`.
    ///
    /// # Errors
    /// [`BlockError::NoKey`] if the key does not open it as that kind, [`BlockError::Corrupt`] if
    /// it opens but is not well-formed.
    pub fn open(self, kind: BlockKind, key: &EpochKey) -> Result<PlainBlock, BlockError> {
        // Where nobody else holds the bytes they are opened where they lie.
        let bytes = Arc::unwrap_or_clone(self.bytes);
        match key.open(kind as u8, bytes) {
            Ok(content) => Ok(PlainBlock { id: self.id, kind, content }),
            Err(SealError::Unopened) => Err(BlockError::NoKey(self.id)),
            Err(error) => Err(BlockError::Corrupt { id: self.id, reason: error.to_string() }),
        }
    }
}

impl PlainBlock {
    pub fn id(&self) -> BlockId {
        self.id
    }

    pub fn kind(&self) -> BlockKind {
        self.kind
    }

    pub fn data(&self) -> &[u8] {
        &self.content
    }

    /// Returns the error of a decoder that stumbled over this block.
    pub fn corrupt(&self, reason: impl Into<String>) -> BlockError {
        BlockError::Corrupt { id: self.id, reason: reason.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::WorkspaceId;

    /// The seal's bytes make every block's id: if they change, what was stored before is not found again.
    #[test]
    fn the_seal_does_not_drift() {
        let key = EpochKey::from_secret([1; 32], WorkspaceId([7; 32]));
        let contents = [
            (BlockKind::Commit, &b""[..]),
            (BlockKind::Dictionary, b"port call"),
            (BlockKind::Permutation, &[0xAB; 5000]),
        ];
        let ids = contents.map(|(kind, data)| {
            let sealed = SealedBlock::seal(kind, data, &key);
            assert_eq!(sealed.clone().open(kind, &key).unwrap().data(), data);
            sealed.id().to_string()
        });
        let golden = [
            "bafkr4idlcattd2artovjsdpfvwemkbdz4ccljaihxu76xv3f2izpurhcce",
            "bafkr4ihj3ocjyq3bnbnavf5axi7hxqtsaggufr2425itpfstitrzoy6f3u",
            "bafkr4iff3ntqpcnfpsreguxymg3eg2ea6jmr4anmcjznqvqwstk4cgs6hi",
        ];
        assert_eq!(ids, golden);
    }

    /// Contents about the borders of the padding, sealed as each kind and under another key.
    #[test]
    fn sealed_lengths_and_ids_do_not_drift() {
        let content = |len: usize| (0..len).map(|place| (place % 251) as u8).collect::<Vec<u8>>();
        let key = |secret, workspace| EpochKey::from_secret([secret; 32], WorkspaceId([workspace; 32]));
        let line = |kind: BlockKind, len: usize, key: &EpochKey| {
            let sealed = SealedBlock::seal(kind, &content(len), key);
            assert_eq!(sealed.clone().open(kind, key).unwrap().data(), content(len));
            format!("{kind:?} {len} {} {}", sealed.bytes().len(), sealed.id())
        };
        let mut lines = Vec::new();
        for len in [0, 1, 2, 24, 25, 56, 57, 120, 121, 1016, 1017, 16_376, 16_377, 131_064, 131_065, 131_072]
        {
            lines.push(line(BlockKind::Permutation, len, &key(1, 7)));
        }
        for kind in [
            BlockKind::Commit,
            BlockKind::ChangeSet,
            BlockKind::Manifest,
            BlockKind::ManifestPage,
            BlockKind::Dictionary,
            BlockKind::Edges,
        ] {
            lines.push(line(kind, 100, &key(1, 7)));
        }
        lines.push(line(BlockKind::Edges, 100, &key(2, 7)));
        lines.push(line(BlockKind::Edges, 100, &key(1, 8)));
        let golden = [
            "Permutation 0 48 bafkr4idlifsfi4lnn2zjp75evqcc7ogwrt6pfpamwq7qpymkob2npvzd44",
            "Permutation 1 50 bafkr4iasiwozw2sbdioo7nfjndclhkcj4ddywdkiw2fgwuqxqwygmp5g2q",
            "Permutation 2 50 bafkr4iff2dc6ytim2ipxh62l42ydy4hlcuj2yre7d4fiknfez45ju6wjbm",
            "Permutation 24 72 bafkr4ie3gqhk3huc5ttbud7hbbxkxxyo22zzpfnelpkwt6za6haywge63y",
            "Permutation 25 76 bafkr4ihmyltutqnf4yt7qccz4625ma2eabghksgla774fyvwfm4ivtr3zi",
            "Permutation 56 104 bafkr4ihbejhkbyyq6i6knq5ulexzl3pyidb32ujkechdoknzbr63yefxla",
            "Permutation 57 112 bafkr4ieqiiq2kl3e7nzr5lk7vac5yl4yudc3jx4gty3vxknjrc3wmwqyem",
            "Permutation 120 168 bafkr4iazorst33x7lqybfxs5xjh3cxmqdq2e6kvf3giw465xxytecexfwm",
            "Permutation 121 184 bafkr4iffwu7dfmg6grh6mjkjy64awpg5ngf7gabfvfw4rjxmdu67fxg7ie",
            "Permutation 1016 1064 bafkr4ialdpawweydtdi5k2yynih3ohdveaw7d43i3q4dsgrozhbcbslhki",
            "Permutation 1017 1128 bafkr4iboh5dyxtfkggm5i6tvsd67nz4mpkhvharad5dqlqzfvk6cyz3mua",
            "Permutation 16376 16424 bafkr4idohwj4n7ctswxbqjpsxxz65en3vn4nxnsfhy65bxxbrendrsa7ke",
            "Permutation 16377 17448 bafkr4ihtovzxjecv7b4auxu3vxit6dfnjgtzi33zlq7elsryw3kyn4wnra",
            "Permutation 131064 131112 bafkr4ie5tcw55y7ckvg265o7mwj3y7f3nycdd2ecmie3xggdidmh6ek4ze",
            "Permutation 131065 135208 bafkr4ifsxk42qpwi4emnjxpc4nynsus6obzps733hy42e6fi3um3ja3ncq",
            "Permutation 131072 135208 bafkr4ibnyfj7b75glqkjzf5yjysckjvqg6xawmx5scae4oasvx2a4o7zlq",
            "Commit 100 152 bafkr4igix3ok7vrnrigz74wxcxu7euftfhwymqbdskjxg42rucvlwncbcy",
            "ChangeSet 100 152 bafkr4idewcy567wv2n3q2chw73xrc62fszttvin3nalxgu7hxqecqo7ls4",
            "Manifest 100 152 bafkr4icsmesfb643o2bx4wisnw5gnmgauomzthixvebnscmchqengmgiei",
            "ManifestPage 100 152 bafkr4iapukefskbkrj6bnkdaekunorx27bltszcdh3dq3ouz2htsdgqwc4",
            "Dictionary 100 152 bafkr4id7xc2qeqvomihlen2ofrl2uwfgg2v2cbbwpbad2jwglagwqjxz4a",
            "Edges 100 152 bafkr4ianlyhjqiljps46eoxic57n24kqo3t4qb3pmpxhubrfcx3feaaae4",
            "Edges 100 152 bafkr4ie6p4o7tpj3r5nwg2k7r6cqfecijwovkoqu2mrtr7756akk57ywde",
            "Edges 100 152 bafkr4ic3judl5lfuiqarbf3akcd3hnrvsf2zrcc6swn3amiwguntivboeu",
        ];
        assert_eq!(lines, golden, "{lines:#?}");
    }
}
