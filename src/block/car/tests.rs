//! What the writer writes the reader reads, and nothing else.

use proptest::prelude::*;

use super::*;
use crate::block::{BLOCK_BYTES_MAX, BlockId, BlockKind, SealedBlock};
use crate::crypto::{EpochKey, WorkspaceId};

type File = (Vec<BlockId>, Vec<SealedBlock>);

fn block(content: &[u8]) -> SealedBlock {
    let key = EpochKey::from_secret([1; 32], WorkspaceId([2; 32]));
    SealedBlock::seal(BlockKind::Dictionary, content, &key)
}

fn write(roots: &[BlockId], blocks: &[SealedBlock]) -> Vec<u8> {
    let mut writer = CarWriter::new(Vec::new(), roots).unwrap();
    for block in blocks {
        writer.write(block).unwrap();
    }
    writer.finish().unwrap()
}

fn read(bytes: &[u8]) -> Result<File, CarError> {
    let mut reader = CarReader::open(bytes)?;
    let mut blocks = Vec::new();
    while let Some(block) = reader.next_block()? {
        blocks.push(block);
    }
    assert_eq!(reader.offset(), bytes.len() as u64);
    Ok((reader.roots().to_vec(), blocks))
}

fn files() -> impl Strategy<Value = File> {
    let blocks = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..4);
    (0usize..40, blocks).prop_map(|(roots, contents)| {
        let roots = (0..roots).map(|n| BlockId::of(&[n as u8])).collect();
        (roots, contents.iter().map(|content| block(content)).collect())
    })
}

/// The specification's own way to write it, byte for byte.
#[test]
fn the_bytes_are_those_of_the_specification() {
    let sealed = block(b"reef");
    let hash = sealed.id().as_bytes().to_vec();
    let cid = [&[0x01, 0x55, 0x1e, 0x20][..], &hash].concat();
    let header =
        [&[0xa2, 0x65][..], b"roots", &[0x81, 0xd8, 0x2a, 0x58, 37, 0], &cid, &[0x67], b"version", &[1]]
            .concat();
    let length = cid.len() + sealed.bytes().len();
    assert!(length < 128, "one byte of varint");
    let expected = [&[header.len() as u8][..], &header, &[length as u8], &cid, sealed.bytes()].concat();
    assert_eq!(write(&[sealed.id()], &[sealed]), expected);
}

/// Returns the message with which a file is refused.
fn refusal(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

#[test]
fn other_files_are_refused_by_what_they_are() {
    let header = write(&[], &[]);
    let frame = |bytes: &[u8]| [&header[..], &[bytes.len() as u8], bytes].concat();
    let sha = [&[0x01, 0x70, 0x12, 0x20][..], &[7; 32], b"data"].concat();
    let sha512 = [&[0x01, 0x55, 0x13, 0x40][..], &[7; 64], b"data"].concat();
    let foreign_root =
        [b"\xa2\x65roots\x81\xd8\x2a\x58\x25\x00\x01\x70\x12\x20", &[7; 32][..], b"\x67version\x01"];
    let foreign_root = foreign_root.concat();
    let foreign_root = [&[foreign_root.len() as u8][..], &foreign_root].concat();
    let huge = [&header[..], &[0xa4, 0x80, 0x80, 0x02, 0x01, 0x55, 0x1e, 0x20], &[7; 32]].concat();
    let cases: [(&[u8], &str); 11] = [
        (b"", "does not begin with a header"),
        (b"PK\x03\x04 a zip file", "cut off"),
        (b"\x05hello", "no CARv1"),
        (b"\xff\xff\x7fhello", "2097151 bytes"),
        (b"\xff\xff\xff\xff\xff\xff\x7fhello", "does not begin with a header"),
        (b"\x0a\xa1\x67version\x02", "CARv2"),
        (&foreign_root, "its root bafyb"),
        (&frame(&sha), "bafyb"),
        (&frame(&sha512), "at byte 18 is none of ours"),
        (&frame(b"garbage"), "no block stands at byte 18"),
        (&huge, "4194304 bytes are more than a block may have"),
    ];
    for (bytes, expected) in cases {
        let message = refusal(bytes);
        assert!(message.contains(expected), "{expected}: {message}");
    }
}

#[test]
fn the_largest_block_passes_and_the_next_one_does_not() {
    for (surplus, passes) in [(0, true), (1, false)] {
        let bytes = vec![7; BLOCK_BYTES_MAX + surplus];
        let cid = BlockId::of(&bytes).to_cid().to_bytes();
        let length = (bytes.len() + cid.len()) as u32;
        let varint =
            [length | 0x80, length >> 7 | 0x80, length >> 14 | 0x80, length >> 21].map(|part| part as u8);
        let file = [write(&[], &[]), varint.to_vec(), cid, bytes].concat();
        assert_eq!(read(&file).is_ok(), passes, "{surplus}");
    }
}

#[test]
fn a_failing_disk_is_told_apart_from_a_short_file() {
    struct Failing;
    impl std::io::Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the stick was pulled"))
        }
    }
    let file = write(&[], &[block(b"reef")]);
    let input = std::io::Read::chain(&file[..30], std::io::BufReader::new(Failing));
    let failure = CarReader::open(input).unwrap().next_block().unwrap_err();
    assert!(matches!(failure, CarError::Read { offset: 30, .. }), "{failure}");
}

proptest! {
    #[test]
    fn files_read_back((roots, blocks) in files()) {
        prop_assert_eq!(read(&write(&roots, &blocks)).unwrap(), (roots, blocks));
    }

    /// What is read of a cut file is what stood before the cut.
    #[test]
    fn a_cut_is_noticed_or_lies_between_blocks((roots, blocks) in files(), at: prop::sample::Index) {
        let file = write(&roots, &blocks);
        let cut = &file[..at.index(file.len())];
        if let Ok((read_roots, read_blocks)) = read(cut) {
            prop_assert_eq!(&read_roots, &roots);
            prop_assert_eq!(write(&roots, &read_blocks), cut);
            prop_assert!(blocks.starts_with(&read_blocks));
        }
    }

    /// Only roots may change unnoticed, since nothing in the file says what they should be.
    #[test]
    fn a_flipped_bit_is_noticed((roots, blocks) in files(), at: prop::sample::Index, bit in 0u8..8) {
        let mut file = write(&roots, &blocks);
        let at = at.index(file.len());
        file[at] ^= 1 << bit;
        if let Ok((read_roots, read_blocks)) = read(&file) {
            prop_assert_ne!(read_roots, roots);
            prop_assert_eq!(read_blocks, blocks);
        }
    }

    /// There is one spelling: whatever is accepted would have been written so.
    #[test]
    fn what_is_accepted_is_what_would_be_written(roots in 0usize..300, change: Option<(prop::sample::Index, u8)>) {
        let roots: Vec<BlockId> = (0..roots).map(|n| BlockId::of(&n.to_le_bytes())).collect();
        let mut file = write(&roots, &[]);
        if let Some((at, byte)) = change {
            let at = at.index(file.len());
            file[at] = byte;
        }
        if let Ok((roots, blocks)) = read(&file) {
            prop_assert_eq!(write(&roots, &blocks), file);
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes);
        let _ = read(&[write(&[], &[]), bytes].concat());
    }
}
