//! The payloads of records of refs: changes of some, and all that there are.
//!
//! ```text
//! refs:      change ..
//! change:    name length u32 | name (UTF-8) | 0 (deleted), or 1 | value length u32 | value
//! all refs:  part u32, from 0 | 0, or 1 in the last part | change ..
//! ```
//! All refs may need several records. They count once the last part is there, so that a torn write of
//! them changes nothing.
#![deny(clippy::indexing_slicing)]

use std::io;

use super::RefChange;

/// A change as a record tells it: name, and new value if it was not deleted.
pub type Change = (String, Option<Vec<u8>>);

pub fn encode_changes(changes: &[RefChange]) -> Vec<u8> {
    let mut out = Vec::new();
    changes.iter().for_each(|change| put_change(&mut out, change));
    out
}

pub fn decode_changes(payload: &[u8]) -> io::Result<Vec<Change>> {
    let mut rest = payload;
    let mut changes = Vec::new();
    while !rest.is_empty() {
        changes.push(take_change(&mut rest).ok_or_else(malformed)?);
    }
    Ok(changes)
}

/// A part of all the refs that there are.
pub struct AllRefsPart {
    pub part: u32,
    pub is_last: bool,
    pub changes: Vec<Change>,
}

/// Encodes all refs in parts that have about `part_bytes_max` at most, each with one ref at least.
pub fn encode_all(refs: &[RefChange], part_bytes_max: usize) -> Vec<Vec<u8>> {
    let mut parts = vec![part_begin(0)];
    for (number, change) in (1..).zip(refs) {
        let part = parts.last_mut().expect("there is a first part");
        put_change(part, change);
        if part.len() >= part_bytes_max && number < refs.len() {
            let begin = part_begin(parts.len() as u32);
            parts.push(begin);
        }
    }
    if let Some(is_last) = parts.last_mut().and_then(|part| part.get_mut(PART_BYTES)) {
        *is_last = 1;
    }
    parts
}

pub fn decode_part(payload: &[u8]) -> io::Result<AllRefsPart> {
    let (part, rest) = payload.split_first_chunk::<PART_BYTES>().ok_or_else(malformed)?;
    let (is_last, rest) = rest.split_first().ok_or_else(malformed)?;
    Ok(AllRefsPart {
        part: u32::from_le_bytes(*part),
        is_last: *is_last == 1,
        changes: decode_changes(rest)?,
    })
}

const PART_BYTES: usize = 4;

fn part_begin(part: u32) -> Vec<u8> {
    let mut begin = part.to_le_bytes().to_vec();
    begin.push(0);
    begin
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a record of refs is malformed")
}

fn put_change(out: &mut Vec<u8>, change: &RefChange) {
    put_bytes(out, change.name.as_bytes());
    out.push(u8::from(change.new.is_some()));
    if let Some(value) = &change.new {
        put_bytes(out, value);
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn take_change(rest: &mut &[u8]) -> Option<Change> {
    let name = String::from_utf8(take_bytes(rest)?.to_vec()).ok()?;
    let (flag, after) = rest.split_first()?;
    *rest = after;
    match flag {
        0 => Some((name, None)),
        1 => Some((name, Some(take_bytes(rest)?.to_vec()))),
        _ => None,
    }
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, after) = rest.split_first_chunk::<4>()?;
    let (bytes, after) = after.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    *rest = after;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn changes() -> impl Strategy<Value = Vec<RefChange>> {
        let change = (".{0,9}", any::<Option<Vec<u8>>>());
        let change = change.prop_map(|(name, new)| RefChange { name, old: None, new });
        proptest::collection::vec(change, 0..6)
    }

    proptest! {
        #[test]
        fn changes_read_back(changes in changes()) {
            let expected: Vec<_> =
                changes.iter().map(|change| (change.name.clone(), change.new.clone())).collect();
            prop_assert_eq!(decode_changes(&encode_changes(&changes)).unwrap(), expected);
        }

        /// What is well-formed after a change of one bit has no other encoding.
        #[test]
        fn no_single_bit_does_harm(changes in changes(), bit: prop::sample::Index) {
            let mut payload = encode_changes(&changes);
            if !payload.is_empty() {
                let bit = bit.index(payload.len() * 8);
                payload[bit / 8] ^= 1 << (bit % 8);
            }
            if let Ok(read) = decode_changes(&payload) {
                let again: Vec<RefChange> =
                    read.into_iter().map(|(name, new)| RefChange { name, old: None, new }).collect();
                prop_assert_eq!(encode_changes(&again), payload);
            }
        }

        #[test]
        fn foreign_bytes_never_panic(payload: Vec<u8>) {
            let _ = decode_changes(&payload);
        }
    }
}
