//! CAR files: bytes as they come, and files whose frames have the ids of what they hold.

use reefloom::block::BlockId;
use reefloom::block::car::{CarReader, CarWriter};

/// Bytes: if the first is even, a CAR file behind it; else frames, each a length, bits to flip, and
/// so many bytes of a block.
///
/// What reads to its end writes to the same bytes.
pub fn run(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    if kind % 2 == 0 { read(bytes) } else { read(&framed(bytes)) }
}

fn read(bytes: &[u8]) {
    let Ok(mut reader) = CarReader::open(bytes) else { return };
    let mut writer = CarWriter::new(Vec::new(), reader.roots()).expect("memory takes all");
    loop {
        match reader.next_block() {
            Ok(Some(block)) => {
                assert_eq!(BlockId::of(block.bytes()), block.id(), "a block is what its id says");
                writer.write(&block).expect("memory takes all");
            }
            Ok(None) => break,
            Err(error) => {
                assert!(reader.offset() <= bytes.len() as u64);
                assert!(error.to_string().len() < 1_000, "an error says where, not everything");
                return;
            }
        }
    }
    assert_eq!(writer.finish().expect("memory takes all"), bytes, "a file has one encoding");
}

/// Returns a file with a frame for each piece of the bytes; one bit of a frame is flipped if its
/// second byte says so.
fn framed(mut rest: &[u8]) -> Vec<u8> {
    let mut file = empty_file();
    while let Some(([len, flip], after)) = rest.split_first_chunk::<2>() {
        let (block, after) = after.split_at(usize::from(*len).min(after.len()));
        rest = after;
        let mut frame = [&[0x01, 0x55, 0x1e, 0x20][..], BlockId::of(block).as_bytes(), block].concat();
        let len = frame.len() as u16;
        if let Some(byte) = flip.checked_sub(1).and_then(|place| frame.get_mut(usize::from(place))) {
            *byte ^= 1;
        }
        if len < 0x80 {
            file.push(len as u8);
        } else {
            file.extend([len as u8 | 0x80, (len >> 7) as u8]);
        }
        file.extend(frame);
    }
    file
}

fn empty_file() -> Vec<u8> {
    CarWriter::new(Vec::new(), &[]).and_then(CarWriter::finish).expect("memory takes all")
}

pub fn seeds() -> Vec<Vec<u8>> {
    let blocks: Vec<u8> = [&[5, 0][..], b"first", &[6, 0], b"second", &[0, 0]].concat();
    let roots = CarWriter::new(Vec::new(), &[BlockId::of(b"first"), BlockId::of(b"other")]);
    let roots = roots.and_then(CarWriter::finish).expect("memory takes all");
    let as_file = |file: Vec<u8>| [&[0][..], &file].concat();
    vec![
        as_file(empty_file()),
        as_file(roots),
        as_file(framed(&blocks)),
        [&[1][..], &blocks].concat(),
        [&[1, 5, 7][..], b"first"].concat(),
    ]
}
